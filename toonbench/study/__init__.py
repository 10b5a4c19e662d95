"""Preference studies: people compare videos of methods, blind (docs/study.md)."""
