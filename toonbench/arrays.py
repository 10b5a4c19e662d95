"""Stored arrays (.npy, .npz) of any origin: only numbers and texts are read, and a damaged file is one reason in plain words."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from toonbench.types import ToonbenchError

Array = np.ndarray[Any, Any]


class UnreadableArrays(ToonbenchError):
    """The reason why a file cannot be read as arrays, without the name of the file."""


def load_array(path: Path, *, lazy: bool = False) -> Array:
    """The array of a .npy file; `lazy` leaves it on disk (memory-mapped).

    Raises FileNotFoundError for a missing file, and UnreadableArrays for a damaged one and for one of another length than
    its header states.
    """
    try:
        if lazy:
            found, end = _mapped(path)
        else:
            stream = io.BytesIO(path.read_bytes())
            found, end = np.load(stream, allow_pickle=False), stream.tell()
    except FileNotFoundError:
        raise
    except Exception as error:  # a damaged header may fail in any way
        raise UnreadableArrays(_reason(error)) from error
    if not isinstance(found, np.ndarray) or end != path.stat().st_size:
        raise UnreadableArrays("its length is not that of its array")
    return found


def _mapped(path: Path) -> tuple[Array, int]:
    found = np.load(path, allow_pickle=False, mmap_mode="r")
    return found, found.offset + found.nbytes


def load_arrays(path: Path) -> dict[str, Array]:
    """The arrays of a .npz file by name. Raises UnreadableArrays for a missing or damaged file."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except Exception as error:  # a damaged zip or header may fail in any way
        raise UnreadableArrays(_reason(error)) from error


def _reason(error: Exception) -> str:
    """The reason in words of ours where NumPy would propose to run what the file holds."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, MemoryError):
        return "it states sizes that do not fit into the memory"
    text = str(error).strip()
    if "pickle" in text or not text:
        return "it is damaged, or holds no arrays of numbers"
    return f"it is damaged or cut off: {' '.join(text.split())[:160]}"
