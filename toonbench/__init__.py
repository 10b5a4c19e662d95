"""Benchmark and data toolkit for cross-domain (cartoon and real) face reenactment."""
