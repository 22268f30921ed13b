"""Tests record no runs in a developer's database, and draw the same examples each time."""

import os

from hypothesis import settings

os.environ.pop("CSVR_OBSERVER", None)
# What passed once must not fail for a change that has nothing to do with it; tests/faults/fuzz.py looks for more.
settings.register_profile("csvr", derandomize=True)
settings.load_profile("csvr")
