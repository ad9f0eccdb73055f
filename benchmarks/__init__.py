"""Numbers that anyone can rerun: one module per bench, each with `run(quick) -> Report`. Peers stand beside us.

Start with `xinmai bench NAME` or `make bench`; RESULTS.md keeps the last table with its machine and settings.
"""
