"""Stylised copies of real clips: drawn-looking pictures with the same motion by construction, and curves of clip and copies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from toonbench import video
from toonbench.motion.drawn import read_drawn
from toonbench.motion.photographed import read_photographed
from toonbench.networks.face_landmarker import read_faces
from toonbench.store import writing
from toonbench.types import Frame, Frames

Picture = NDArray[np.float64]  # (height, width, 3) in [0, 1]
SIZE = 256
ROOM = 1.6  # side of the square over the longer side of the box of all points
_EYES = (33, 133, 263, 362)  # points of the face landmarker: corners of both eyes


@dataclass(frozen=True, slots=True, kw_only=True)
class RealClip:
    """One real clip to measure, and where its curves are stored."""

    path: Path
    video: Path
    frames: int


def measure_copies(job: RealClip) -> None:
    """Store the curves of the clip by both readers, and of each copy by the reader of drawings; nothing for a clip without a face."""
    if job.path.exists():
        return
    frames = video.read_video(job.video, max_frames=job.frames).frames
    points = read_faces(frames).points
    curves: dict[str, NDArray[np.float32]] = {}
    if np.isfinite(points).any():
        frames, points = _cropped(frames, points[:, :, :2].astype(np.float64))
        curves = {"photographs": read_photographed(frames)}
        curves |= {name: read_drawn(_copy(frames, points, name)) for name in COPIES}
    with writing(job.path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **curves)  # pyright: ignore[reportArgumentType]


def _copy(frames: Frames, points: Picture, name: str) -> Frames:
    filtered, warp = COPIES[name]
    return np.stack(
        [_bytes(filtered(_warped(f / 255.0, p, warp) if warp else f / 255.0)) for f, p in zip(frames, points, strict=True)]
    )  # fmt: skip


def _bytes(picture: Picture) -> Frame:
    return (np.clip(picture, 0, 1) * 255).round().astype(np.uint8)


def _cropped(frames: Frames, points: Picture) -> tuple[Frames, Picture]:
    """One square for the whole clip, as (frames, SIZE, SIZE, 3), and the points in it, (frames, points, 2)."""
    from PIL import Image

    low, high = np.nanmin(points, axis=(0, 1)), np.nanmax(points, axis=(0, 1))
    side = int(np.ceil((high - low).max() * ROOM))
    left, top = (int(v) for v in np.round((low + high) / 2 - side / 2))
    made = [
        np.asarray(Image.fromarray(f).crop((left, top, left + side, top + side)).resize((SIZE, SIZE), Image.Resampling.BICUBIC))
        for f in frames
    ]  # fmt: skip
    return np.stack(made), (points - (left, top)) * SIZE / side


def _warped(picture: Picture, points: Picture, warp: str) -> Picture:
    """The picture with enlarged eyes, or with a broad forehead and a small chin; unchanged where there is no face."""
    from scipy.ndimage import map_coordinates

    if not np.isfinite(points).all():
        return picture
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float64)
    if warp == "eyes":
        for first, last in (_EYES[:2], _EYES[2:]):
            middle, reach = points[[first, last]].mean(axis=0), np.linalg.norm(points[first] - points[last])
            pull = 0.4 * np.exp(-((x - middle[0]) ** 2 + (y - middle[1]) ** 2) / (1.4 * reach**2))
            x, y = x - pull * (x - middle[0]), y - pull * (y - middle[1])
    else:
        middle, height = points.mean(axis=0), np.ptp(points[:, 1])
        x = middle[0] + (x - middle[0]) * (1 + 0.25 * np.tanh(2 * (y - middle[1]) / height))
    return np.stack([map_coordinates(picture[..., c], [y, x], order=1, mode="nearest") for c in range(3)], axis=2)


def _smooth(picture: Picture, weight: float) -> Picture:
    from skimage.restoration import denoise_tv_chambolle

    return np.asarray(denoise_tv_chambolle(picture, weight=weight, max_num_iter=40, channel_axis=2), np.float64)


def _lines(picture: Picture, *, sigma: float, gain: float) -> Picture:
    """(height, width, 1) ink: 1 on paper, 0 on a line, by a difference of Gaussians."""
    from scipy.ndimage import gaussian_filter

    grey = picture.mean(axis=2)
    fine, coarse = gaussian_filter(grey, sigma), gaussian_filter(grey, 1.6 * sigma)
    return 1 - np.clip(gain * np.clip(coarse - fine - 0.008, 0, None), 0, 1)[..., None]


def _painted(picture: Picture) -> Picture:
    smooth = _smooth(picture, 0.12)
    grey = smooth.mean(axis=2, keepdims=True)
    return grey + 1.5 * (smooth - grey)


def _cel(picture: Picture) -> Picture:
    smooth = _smooth(picture, 0.08)
    level = smooth.mean(axis=2, keepdims=True)
    return smooth / np.maximum(level, 0.02) * (np.floor(level * 5) + 0.5) / 5 * _lines(picture, sigma=1.2, gain=25)


def _pencil(picture: Picture) -> Picture:
    from scipy.ndimage import gaussian_filter

    grey = picture.mean(axis=2)
    dodged = np.clip(grey / np.maximum(gaussian_filter(grey, 6.0), 0.02), 0, 1)
    return np.repeat(dodged[..., None], 3, axis=2)


def _watercolour(picture: Picture) -> Picture:
    paper = np.random.default_rng(0).normal(1, 0.03, (SIZE, SIZE, 1))
    return (0.25 + 0.75 * _smooth(picture, 0.2)) * paper * _lines(picture, sigma=2.0, gain=12)


def _inked(picture: Picture) -> Picture:
    """Black and white and one grey, as in a printed comic."""
    grey = _smooth(picture, 0.1).mean(axis=2, keepdims=True)
    low, high = np.quantile(grey, (0.25, 0.6))
    tone = np.where(grey < low, 0.1, np.where(grey < high, 0.6, 1.0))
    return np.repeat(tone, 3, axis=2) * _lines(picture, sigma=1.2, gain=30)


Filter = Callable[[Picture], Picture]
COPIES: dict[str, tuple[Filter, str]] = {
    "clean": (partial(np.asarray, dtype=np.float64), ""),
    "painted": (_painted, ""),
    "cel": (_cel, ""),
    "pencil": (_pencil, ""),
    "watercolour": (_watercolour, ""),
    "inked": (_inked, ""),
    "painted, large eyes": (_painted, "eyes"),
    "cel, broad forehead": (_cel, "head"),
}
"""Filters and warps; "clean" is the clip itself. None of them is used in training."""
