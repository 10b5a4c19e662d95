"""Folders of clips: loading, checking, writing."""

from toonbench.data.folder import Dataset, is_plain_folder, load, locate, shipped

__all__ = ["Dataset", "is_plain_folder", "load", "locate", "shipped"]
