"""Decisions in one process and one thread, ours beside those of other engines: `./dev bench inprocess`.

This runs in an environment of its own (benchmarks/environment.py), in which the other engines are installed.
"""
