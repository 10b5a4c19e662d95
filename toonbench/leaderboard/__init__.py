"""Leaderboards: published results as small folders that anybody can check, and their export to other formats."""

from toonbench.leaderboard.check import check_entry, is_entry
from toonbench.leaderboard.places import entry_folders
from toonbench.leaderboard.submit import Facts, Submitted, submit

__all__ = ["Facts", "Submitted", "check_entry", "entry_folders", "is_entry", "submit"]
