"""Tests record no runs in a developer's database, draw the same examples each time, and can be interrupted."""

import os
import signal

from hypothesis import settings

os.environ.pop("CSVR_OBSERVER", None)
# What passed once must not fail for a change that has nothing to do with it; tests/faults/fuzz.py looks for more.
settings.register_profile("csvr", derandomize=True)
settings.load_profile("csvr")
# A shell without job control (a CI's, `make test &`) has what it starts ignore Ctrl-C, and so would what tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)
