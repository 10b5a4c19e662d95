"""Folders of clips: loading and checking."""

from toonbench.data.folder import DEFAULT_DATA, Dataset, is_plain_folder, load, load_data, locate, shipped
from toonbench.data.motion import read_motion

__all__ = ["DEFAULT_DATA", "Dataset", "is_plain_folder", "load", "load_data", "locate", "read_motion", "shipped"]
