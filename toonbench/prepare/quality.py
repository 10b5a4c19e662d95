"""How good a clip is, measured on its cropped frames one at a time, and which clips to drop.

Every value is one number of a clip, in units that mean the same for drawings and photographs:

- `sharpness` is the share of the energy of gradients that disappears when a picture is blurred once more, from 0.7 to 1.4 pixels
  (Gaussian). It is 0.41 for an ideal edge, up to 0.65 for thin lines, and near 0 for a blurred picture; contrast and the number of
  edges cancel. It follows the idea of Zhuo and Sim, "Defocus map estimation from a single image", 2011.
- `yaw_range`, `pitch_range` and `occlusion` come from the landmark network, which reads every POSE_EVERY-th frame. It knows puppets;
  it is less sure of other drawings, so occlusion is relative to the clip: a face that is hidden in all frames is not noticed.
- `held` and `motion` compare means of cells of 8 pixels, which noise and compression barely change. In a crop that moves over the
  film, a still drawing moves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from toonbench.types import CHANNELS, Frame, ToonbenchError

SHARP_EVERY = 6  # frames from one whose sharpness is measured to the next
POSE_EVERY = 12  # frames from one that the landmark network reads to the next
BATCH = 8  # frames that the network reads at once
SIDE = 128  # pixels of the network's picture
CELL = 8  # pixels a side of a cell whose mean is compared
STILL = 4.5  # grey levels: in a held frame no cell changes by more
FINE, COARSE = 0.7, 1.4  # pixels: sigma of the two pictures whose gradients are compared
CLEAR = 10  # percentile of the landmarks' doubt that stands for a clip's clear frames
RISE = 0.7  # of the doubt above that of clear frames, from which the face is hidden in part

Cells = NDArray[np.float32]


class Track(Protocol):
    """What is used of a face's track."""

    @property
    def boxes(self) -> NDArray[np.floating]:
        """(k, 4) left, top, right, bottom of the face where it was found, pixels of the film."""
        ...

    @property
    def agreement(self) -> NDArray[np.number]:
        """(k,) number of detectors that agree."""
        ...

    @property
    def face_share(self) -> float:
        """Share of the searched frames in which the face was found."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """How good a clip is; NaN where a value could not be measured."""

    sharpness: float  # 0 (blurred) to about 0.65 (lines of a pixel), median of frames; an ideal edge has 0.41
    face_pixels: float  # median longer side of the face, pixels of the film
    yaw_range: float  # degrees, from the 5th to the 95th percentile of frames
    pitch_range: float  # degrees, as yaw_range
    occlusion: float  # share of frames, 0 to 1, in which the face is hidden in part
    motion: float  # grey levels from one frame to the next: mean over frames of the 99th percentile of cells
    held: float  # share of frames that repeat the one before
    detected: float  # share of the searched frames in which the face was found
    agreement: float  # mean number of detectors that agree


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a clip needs; a value that could not be measured is no fault.

    docs/curation.md shows the measurements behind the defaults.
    """

    least_face_pixels: float = 64.0
    least_sharpness: float = 0.27  # all puppets blurred by 2 pixels are below, all sharp ones above
    most_occlusion: float = 0.5
    most_held: float = 0.95  # drawings on twos have 0.5, on threes 0.67
    least_motion: float = 0.25  # grey levels
    least_detected: float = 0.6
    least_yaw_range: float = 0.0  # degrees: no clip is dropped
    most_yaw_range: float = 70.0  # degrees: all that the network can read


_RULES = (
    ("face_pixels", "least_face_pixels", "the face has {:.1f} pixels: {:g} or more are needed"),
    ("sharpness", "least_sharpness", "the sharpness is {:.3f}: {:g} or more is needed"),
    ("detected", "least_detected", "the face is found in {:.3f} of the frames: {:g} or more is needed"),
    ("held", "most_held", "{:.3f} of the frames repeat the one before: {:g} or less is allowed"),
    ("motion", "least_motion", "frames differ by {:.3f} grey levels: {:g} or more are needed"),
    ("occlusion", "most_occlusion", "the face is partly hidden in {:.3f} of the frames: {:g} or less is allowed"),
    ("yaw_range", "least_yaw_range", "the head turns by {:.1f} degrees: {:g} or more are needed"),
    ("yaw_range", "most_yaw_range", "the head turns by {:.1f} degrees: {:g} or less are allowed"),
)  # fmt: skip


def fault_of(quality: Quality, limits: Limits) -> str:
    """The first limit that a clip does not keep, as one line with the value and the limit; an empty string if it keeps all."""
    for name, bound, line in _RULES:
        value, limit = float(getattr(quality, name)), float(getattr(limits, bound))
        if value < limit if bound.startswith("least") else value > limit:
            return line.format(value, limit)
    return ""


class QualityMeter:
    """Measures a clip whose cropped frames come one at a time. Memory does not grow with the clip except for a few numbers a frame."""

    def __init__(self) -> None:
        self._frames = 0
        self._cells: Cells | None = None
        self._changes: list[
            tuple[float, float]
        ] = []  # largest and 99th percentile of cells, of every frame but the first
        self._sharpness: list[float] = []
        self._pictures: list[Frame] = []
        self._poses: list[tuple[float, float, float, float]] = []  # yaw, pitch, doubt, probability of a face

    def add(self, frame: Frame) -> None:
        """Add the next cropped frame, (size, size, 3) uint8 RGB, all of one size."""
        from PIL import Image

        picture = Image.fromarray(frame)
        gray = np.asarray(picture.convert("L"))
        cells = _means(gray)
        if self._cells is not None:
            change = np.abs(cells - self._cells)
            self._changes.append((float(change.max()), float(np.percentile(change, 99))))
        self._cells = cells
        if self._frames % SHARP_EVERY == 0:
            self._sharpness.append(sharpness(gray))
        if self._frames % POSE_EVERY == 0:
            self._pictures.append(np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.BOX)))
            self._read(least=BATCH)
        self._frames += 1

    def finish(self, track: Track) -> Quality:
        """The quality of the clip, with what its track says. Raises ToonbenchError if no frame was added."""
        if not self._frames:
            raise ToonbenchError("a clip without frames has no quality")
        self._read(least=1)
        yaw, pitch, hidden = pose_and_occlusion(np.array(self._poses))
        changes = np.array(self._changes).reshape(-1, 2)
        sides = track.boxes[:, 2:] - track.boxes[:, :2]
        return Quality(
            sharpness=float(np.median(self._sharpness)),
            face_pixels=float(np.median(sides.max(axis=1))) if len(sides) else 0.0,
            yaw_range=yaw,
            pitch_range=pitch,
            occlusion=hidden,
            motion=float(changes[:, 1].mean()) if len(changes) else 0.0,
            held=float((changes[:, 0] <= STILL).mean()) if len(changes) else 1.0,
            detected=float(track.face_share),
            agreement=float(np.mean(track.agreement)) if len(track.agreement) else 0.0,
        )

    def _read(self, *, least: int) -> None:
        """Let the network read the waiting pictures if there are enough."""
        from toonbench.networks.face_motion import estimate_once

        if len(self._pictures) < least:
            return
        found = estimate_once(np.stack(self._pictures))
        self._pictures.clear()
        angles = found.rig[:, [CHANNELS.index("yaw"), CHANNELS.index("pitch")]]
        rows = np.column_stack([angles, found.doubt, found.face])
        self._poses += [(float(a), float(b), float(c), float(d)) for a, b, c, d in rows]


def sharpness(gray: NDArray[np.uint8]) -> float:
    """Sharpness of one (height, width) luminance, without an eighth at each side, where the crop may pass the film's edge.

    1 - E(1.4) / E(0.7), where E(s) is the energy of the gradient after a Gaussian blur of s pixels; 0 in a flat picture.
    """
    from scipy.ndimage import gaussian_filter

    top, left = gray.shape[0] // 8, gray.shape[1] // 8
    middle = gray[top : gray.shape[0] - top, left : gray.shape[1] - left].astype(np.float32)
    fine = np.asarray(gaussian_filter(middle, FINE, truncate=2.9), np.float32)
    coarse = np.asarray(gaussian_filter(fine, float(np.sqrt(COARSE**2 - FINE**2)), truncate=2.6), np.float32)
    energy = _energy(fine)
    return 1 - _energy(coarse) / energy if energy > 1e-3 else 0.0


def _energy(gray: NDArray[np.float32]) -> float:
    """Mean squared gradient, of central differences."""
    across = gray[1:-1, 2:] - gray[1:-1, :-2]
    down = gray[2:, 1:-1] - gray[:-2, 1:-1]
    return float(np.mean(across * across + down * down))


def _means(gray: NDArray[np.uint8]) -> Cells:
    """Means of the whole cells of a luminance."""
    rows, columns = (max(1, side // CELL) for side in gray.shape)
    high, wide = min(CELL, gray.shape[0]), min(CELL, gray.shape[1])
    bands = gray[: rows * high, : columns * wide].reshape(rows, high, -1).sum(axis=1, dtype=np.uint16)
    return bands.reshape(rows, columns, wide).sum(axis=2, dtype=np.float32) / (high * wide)


def pose_and_occlusion(read: NDArray[np.float64]) -> tuple[float, float, float]:
    """Ranges of yaw and pitch, and share of frames with a face that is hidden in part, from rows of yaw, pitch, doubt, probability.

    A frame's face is hidden if the landmarks' doubt is RISE above that of the clip's clear frames, or if no face is detected.
    All are NaN if a face is detected in fewer than half of the frames.
    """
    detected = read[:, 3] >= 0.5
    if detected.mean() < 0.5:
        return float("nan"), float("nan"), float("nan")
    low, high = np.percentile(read[detected, :2], [5, 95], axis=0)
    doubt = read[:, 2]
    hidden = ~detected | (doubt > np.percentile(doubt[detected], CLEAR) + RISE)
    return float(high[0] - low[0]), float(high[1] - low[1]), float(hidden.mean())
