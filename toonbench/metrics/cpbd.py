"""CPBD: cumulative probability of blur detection, a sharpness that needs no reference.

Narvekar and Karam, "A No-Reference Image Blur Metric Based on the Cumulative Probability of Blur Detection", 2011,
with the values of the Python package `cpbd` 1.0.7, which the reenactment papers report, at several hundred times its
speed. The package builds a histogram of blur probabilities P = 1 - exp(-(w / w_jnb)^3.6) and sums it up to P = 0.63;
widths being integers, that is exactly

    CPBD = edge pixels with w <= w_jnb / all edge pixels,    w_jnb = 5 in blocks of contrast <= 50, otherwise 3 pixels,

so widths need to be followed to four neighbours only, and angles become integer comparisons.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from toonbench.compiled import compile_loops
from toonbench.metrics import _cpbd_kernels
from toonbench.types import Metric, Need, Rows, Sample

BLOCK = 64
CANNY_PIXELS = 0.002 * BLOCK * BLOCK  # an edge block has more than this

Gray = NDArray[np.uint8]


class CPBD(Metric):
    """Share of the edge pixels of each frame that look sharp; 0 (blurred) to 1 (sharp).

    Gray is PIL's `L`. Only whole 64 x 64 blocks count; a frame with a side below 64, or without a measurable edge,
    scores 0 as in the reference. Noise and hard artefacts count as sharp, so use it together with a metric of similarity.
    Reduced as the mean over pairs of each pair's mean over frames.
    """

    name = "cpbd"
    version = 1
    higher_is_better = True
    bounds = (0.0, 1.0)
    needs: frozenset[Need] = frozenset()

    def measure(self, sample: Sample) -> Rows:
        """(frames, 1) float32, one value a frame."""
        from PIL import Image

        rows = np.empty((len(sample.generated), 1), np.float32)
        for index, frame in enumerate(sample.generated):
            rows[index] = cpbd(np.asarray(Image.fromarray(frame).convert("L")))
        return rows


def cpbd(gray: Gray) -> float:
    """CPBD of one (height, width) uint8 gray image, equal to `cpbd.compute` 1.0.7 in every bit of the ratio."""
    height, width = gray.shape
    if min(height, width) < BLOCK:
        return 0.0
    gray = np.array(gray, np.uint8, order="C")
    kernels = compiled_kernels()
    if not kernels.has_direction(gray):
        return 0.0
    strength, total = kernels.sobel_strength(gray)
    # Strengths are 64 times the reference's, whose rule is s > 2 sqrt(mean(s)); every term is exact in float64.
    cutoff = int(np.floor(64 * (2 * np.sqrt(total / 64 / gray.size))))
    edges, sharp = kernels.edge_widths(gray, strength, cutoff)
    state = kernels.edge_blocks(gray, edges > 0, _half_gaussian())
    if np.any(state == _cpbd_kernels.DOUBTFUL):
        state = np.where(state == _cpbd_kernels.DOUBTFUL, _canny_blocks(gray), state)
    counted = state == _cpbd_kernels.EDGE
    all_edges = int(edges[counted].sum())
    return int(sharp[counted].sum()) / all_edges if all_edges else 0.0


def _canny_blocks(gray: Gray) -> NDArray[np.int64]:
    """EDGE or PLAIN for each whole block by scikit-image's Canny, as in the reference; slow, and always correct."""
    feature: Any = importlib.import_module("skimage.feature")
    high, wide = gray.shape[0] // BLOCK, gray.shape[1] // BLOCK
    found: NDArray[np.bool_] = feature.canny(gray.astype(np.float64))
    counts = found[: high * BLOCK, : wide * BLOCK].reshape(high, BLOCK, wide, BLOCK).sum(axis=(1, 3))
    return np.where(counts > CANNY_PIXELS, _cpbd_kernels.EDGE, _cpbd_kernels.PLAIN)


@functools.cache
def _half_gaussian() -> NDArray[np.float64]:
    """Canny's smoothing kernel, sigma 1 cut at 4, from its centre outwards."""
    half = np.exp(-0.5 * np.arange(5.0) ** 2)
    return half / (half[0] + 2 * half[1:].sum())


class Kernels(NamedTuple):
    """The compiled loops of `_cpbd_kernels`."""

    has_direction: Callable[[Gray], bool]
    sobel_strength: Callable[[Gray], tuple[NDArray[np.int32], int]]
    edge_widths: Callable[[Gray, NDArray[np.int32], int], tuple[NDArray[np.int64], NDArray[np.int64]]]
    edge_blocks: Callable[[Gray, NDArray[np.bool_], NDArray[np.float64]], NDArray[np.int64]]


@functools.cache
def compiled_kernels() -> Kernels:
    """The loops compiled by numba: about four seconds once per machine, then read from the user's cache folder.

    Call it (or `cpbd` on any image) before starting worker processes, and they find the compiled code on disk.
    NUMBA_CACHE_DIR is respected; without a writable folder each process compiles for itself.
    """
    loops = compile_loops("toonbench.metrics._cpbd_kernels")
    return Kernels(*(getattr(loops, name) for name in Kernels._fields))
