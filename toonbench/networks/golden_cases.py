"""Weights and pictures of the goldens of methods, drawn by numpy alone so that every machine gets the same numbers.

A manifest lists key, shape and distribution of every weight of a network. No code of a folder of goldens is run.
"""

from __future__ import annotations

import hashlib
import json
import math
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toonbench.types import GoldenCheck, ToonbenchError

TOLERANCE = 1e-4
BYTE_TOLERANCE = 1.0
Case = dict[str, Any]

# Lattice points per side and amplitude of the test pictures: coarse shapes first, then finer and fainter detail.
TANH_OCTAVES = ((3, 0.80), (5, 0.55), (9, 0.40), (17, 0.26), (33, 0.16), (65, 0.09), (129, 0.05))
RATIO_OCTAVES = ((3, 1.0), (5, 0.9), (9, 0.7), (17, 0.45), (33, 0.3), (65, 0.2), (129, 0.12))


def _rng(text: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(text.encode()))


def draw_weight(key: str, entry: Mapping[str, Any], tag: str) -> NDArray[Any]:
    """The weight `key` of set `tag`, from its manifest entry."""
    shape, init = tuple(entry["shape"]), entry["init"]
    match init["kind"]:
        case "normal":
            values = init["mean"] + init["std"] * _rng(f"{tag}:{key}").standard_normal(shape)
        case "uniform":
            values = init["low"] + (init["high"] - init["low"]) * _rng(f"{tag}:{key}").random(shape)
        case "const":
            values = np.full(shape, init["value"])
        case "buffer":
            values = np.asarray(init["values"], dtype=np.float64).reshape(shape)
        case kind:
            raise ToonbenchError(f"manifest entry {key}: kind {kind!r} is unknown; update toonbench or the goldens")
    return np.asarray(values).astype(entry["dtype"])


def _stretch(values: NDArray[np.float64], size: int, axis: int) -> NDArray[np.float64]:
    """Linear interpolation along an axis, end points kept."""
    count = values.shape[axis]
    place = np.arange(size, dtype=np.float64) * (count - 1) / (size - 1)
    low = np.minimum(np.floor(place).astype(np.int64), count - 2)
    share = np.expand_dims(place - low, tuple(a for a in range(values.ndim) if a != axis))
    return np.take(values, low, axis) * (1.0 - share) + np.take(values, low + 1, axis) * share


def draw_image(tag: str, size: int) -> NDArray[np.uint8]:
    """The test picture `tag` of ToonTalker and LIA, uint8 (3, size, size) RGB."""
    rng = _rng(f"image:{tag}:{size}")
    field = 0.35 * rng.standard_normal((3, 1, 1)) + np.zeros((3, size, size))
    for points, amplitude in TANH_OCTAVES:
        grey = rng.standard_normal((1, points, points))
        tint = rng.standard_normal((3, points, points))
        field = field + amplitude * _stretch(_stretch(0.8 * grey + 0.6 * tint, size, 1), size, 2)
    return np.floor((np.tanh(field) + 1.0) * 127.5 + 0.5).clip(0, 255).astype(np.uint8)


def draw_unit_image(tag: str, size: int = 256) -> NDArray[np.float32]:
    """The test picture `tag` of FOMM and DaGAN, float32 (3, size, size) RGB in (0, 1)."""
    rng = _rng(f"image:{tag}")
    field = np.zeros((3, size, size))
    for points, amplitude in RATIO_OCTAVES:
        grey = rng.random((1, points, points)) * 2.0 - 1.0
        tint = rng.random((3, points, points)) * 2.0 - 1.0
        field = field + amplitude * _stretch(_stretch(0.8 * grey + 0.6 * tint, size, 1), size, 2)
    field = 1.6 * field
    return (0.5 + 0.5 * field / (1.0 + np.abs(field))).astype(np.float32)


def compared(key: str, got: NDArray[Any], stored: NDArray[Any], tolerance: float) -> GoldenCheck:
    """The largest difference of a computed array from a stored one; infinite where the shape differs or it is not finite."""
    if got.shape != stored.shape:
        return GoldenCheck(key, math.inf, tolerance)
    error = float(np.abs(got.astype(np.float64) - stored).max())
    return GoldenCheck(key, error if math.isfinite(error) else math.inf, tolerance)


def listed_cases(folder: Path) -> list[Case]:
    """The cases of `goldens.json` of ToonTalker and LIA; none in a folder of something else: `doctor` gives each folder to all."""
    if not (folder / "goldens.json").is_file():
        return []
    listed = json.loads((folder / "goldens.json").read_text())
    return listed["cases"] if isinstance(listed, dict) and "weight_sets" in listed else []


def unit_pictures(case: Case, role: str, digests: Mapping[str, str]) -> NDArray[np.float32]:
    """(B, 3, size, size) in [-1, 1]. Raises ToonbenchError if this machine draws other pictures than were listed."""
    drawn: list[NDArray[np.uint8]] = []
    for tag in case["inputs"][role]:
        picture = draw_image(tag, case["size"])
        if hashlib.sha256(picture.tobytes()).hexdigest() != digests[f"{tag}@{case['size']}"]:
            raise ToonbenchError(f"test picture {tag} comes out different here; numpy {np.__version__} may be at fault")
        drawn.append(picture)
    unit = np.stack(drawn).astype(np.float32) / np.float32(255.0)
    return (unit - np.float32(0.5)) * np.float32(2.0)


def case_checks(case: Case, outputs: Mapping[str, NDArray[Any]], arrays: Mapping[str, Any]) -> Iterator[GoldenCheck]:
    """A check of every stored output of a case: a slice of the whole array."""
    for expected in case["outputs"]:
        key: str = expected["key"]
        name = key.removeprefix(case["name"] + ".")
        tolerance = BYTE_TOLERANCE if name == "u8" else TOLERANCE
        if list(outputs[name].shape) != expected["full_shape"]:
            yield GoldenCheck(key, math.inf, tolerance)
            continue
        got = outputs[name][tuple(slice(*bounds) for bounds in expected["slice"])]
        yield compared(key, got, arrays[key], tolerance)
