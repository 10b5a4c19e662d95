"""Baseline methods for comparison with ToonTalker."""
