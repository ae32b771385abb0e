"""Benchmarks: ratios against named peers, in one process, medians. Run with ``equilibria bench NAME``."""
