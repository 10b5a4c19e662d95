"""Loops over pixels and vertices, compiled by numba on first use and kept in the user's cache folder."""

from __future__ import annotations

import functools
import importlib
from types import ModuleType, SimpleNamespace
from typing import Any


@functools.cache
def compile_loops(module: str) -> Any:
    """Compile every public function of a module and return them under their names.

    A compiled function cannot call an uncompiled one, so each must be self-contained. Compiling takes seconds once per machine; call this
    before worker processes start, so that they find the code on disk. NUMBA_CACHE_DIR is respected; without a writable
    folder each process compiles separately. Sums and products keep their order (no fast-math): same input, same bytes.
    """
    numba: Any = importlib.import_module("numba")
    loops = importlib.import_module(module)
    chosen = numba.config.CACHE_DIR
    folder = chosen or _cache_folder()
    numba.config.CACHE_DIR = folder  # read when a function is wrapped, so that other users of numba are not affected
    try:
        compiled = numba.njit(cache=bool(folder), nogil=True, error_model="numpy")
        return SimpleNamespace(**{name: compiled(getattr(loops, name)) for name in _public(loops)})
    finally:
        numba.config.CACHE_DIR = chosen


def _public(module: ModuleType) -> list[str]:
    own = {name: value for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__}
    return [name for name, value in own.items() if callable(value) and not name.startswith("_")]


def _cache_folder() -> str:
    """A writable folder in the user's cache for compiled code, or an empty string; never the installed package."""
    import tempfile

    from platformdirs import user_cache_path

    folder = user_cache_path("toonbench") / "numba"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return str(folder)
    except OSError:
        return ""
