"""Folders of clips: loading and checking."""

from toonbench.data.folder import Dataset, is_plain_folder, load, load_data, locate, shipped

__all__ = ["Dataset", "is_plain_folder", "load", "load_data", "locate", "shipped"]
