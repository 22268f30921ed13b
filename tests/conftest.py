"""Tests record no runs in a developer's database."""

import os

os.environ.pop("CSVR_OBSERVER", None)
