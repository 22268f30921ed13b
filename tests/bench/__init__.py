"""Benchmarks of csvr beside the best alternatives and the physical floor: `make bench`, docs/performance.md.

One module a goal of speed. Each has `measure(bench)`, which times things, and `goals(figures)`, which says what was to
be reached and what was.
"""
