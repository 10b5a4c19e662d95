"""Errors of known size: changes of a rig before it is drawn, or of the images drawn from the correct rig.

The levels of an error increase from none (0). A metric that measures the error must get worse or stay equal from level to level.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from toonbench.puppets.rig import LIMITS, Rig, clamp
from toonbench.types import CHANNELS, Frames

Changed = Callable[[Rig, float, Rig, np.random.Generator], NDArray[np.floating]]  # rig, level, another rig, randomness
Damaged = Callable[[Frames, float, np.random.Generator], Frames]  # frames, level, randomness


@dataclass(frozen=True, slots=True, kw_only=True)
class Error:
    """One kind of error: its levels, and the function that injects a level into the motion or the images."""

    name: str
    about: str
    unit: str
    levels: tuple[float, ...]
    motion: Changed | None = None
    image: Damaged | None = None

    @property
    def kind(self) -> Literal["motion", "image"]:
        """Whether the error changes the motion or the images."""
        return "motion" if self.motion else "image"


def every_error() -> dict[str, Error]:
    """Return all errors by name."""
    return {error.name: error for error in (*ERRORS, *MUTED)}


def change(error: Error, rig: Rig, *, level: float, other: Rig, rng: np.random.Generator) -> Rig:
    """Inject a motion error into a rig, (frames, channels); the first frame stays the source's own pose."""
    if error.motion is None:
        raise ValueError(f"{error.name} is not a motion error")
    wrong = clamp(error.motion(rig, level, other, rng))
    wrong[0] = rig[0]
    return wrong


def _delay(rig: Rig, level: float, other: Rig, rng: np.random.Generator) -> NDArray[np.floating]:
    del other, rng
    return rig[np.maximum(np.arange(len(rig)) - int(level), 0)]


def _gain(rig: Rig, level: float, other: Rig, rng: np.random.Generator) -> NDArray[np.floating]:
    del other, rng
    return rig[:1] + (1 - level) * (rig - rig[:1])


def _freeze(rig: Rig, level: float, other: Rig, rng: np.random.Generator) -> NDArray[np.floating]:
    """Stop all motion after the first 1 - level of the clip."""
    del other, rng
    last = round((len(rig) - 1) * (1 - level))
    return rig[np.minimum(np.arange(len(rig)), last)]


def _swap(rig: Rig, level: float, other: Rig, rng: np.random.Generator) -> NDArray[np.floating]:
    """Replace a part of the motion, or all of it, by another driving video's motion."""
    del rng
    return rig + level * (other - rig)


def _mute(rig: Rig, level: float, other: Rig, rng: np.random.Generator, *, channel: int) -> NDArray[np.floating]:
    """Weaken one channel only."""
    del other, rng
    wrong = rig.copy()
    wrong[:, channel] = rig[0, channel] + (1 - level) * (rig[:, channel] - rig[0, channel])
    return wrong


def _shake(rig: Rig, level: float, other: Rig, rng: np.random.Generator) -> NDArray[np.floating]:
    """Add independent noise to every channel of every frame; sigma is a part of the channel's range."""
    del other
    return rig + level * (LIMITS[:, 1] - LIMITS[:, 0]) * rng.standard_normal(rig.shape)


def _blur(frames: Frames, level: float, rng: np.random.Generator) -> Frames:
    from scipy.ndimage import gaussian_filter

    del rng
    sigma = level / 100 * frames.shape[1]
    return np.stack([gaussian_filter(frame, (sigma, sigma, 0), mode="nearest").astype(np.uint8) for frame in frames])


def _coarse(frames: Frames, level: float, rng: np.random.Generator) -> Frames:
    """Reduce the image by a factor, and enlarge it to its size again."""
    from PIL import Image

    del rng
    size = frames.shape[1]
    small = max(4, round(size / level))
    done = [
        Image.fromarray(f).resize((small, small), Image.Resampling.BOX).resize((size, size), Image.Resampling.BICUBIC)
        for f in frames
    ]
    return np.stack([np.asarray(image) for image in done])


def _noise(frames: Frames, level: float, rng: np.random.Generator) -> Frames:
    noisy = frames + level * rng.standard_normal(frames.shape, np.float32)
    return np.clip(noisy + 0.5, 0, 255).astype(np.uint8)


def _jpeg(frames: Frames, level: float, rng: np.random.Generator) -> Frames:
    """Compress as JPEG; the level counts down from quality 100."""
    from PIL import Image

    del rng
    done: list[NDArray[np.uint8]] = []
    for frame in frames:
        buffer = io.BytesIO()
        Image.fromarray(frame).save(buffer, "JPEG", quality=round(100 - level), subsampling=2)
        done.append(np.asarray(Image.open(buffer)))
    return np.stack(done)


def _wreck(frames: Frames, level: float, rng: np.random.Generator) -> Frames:
    """Cover a share of each frame with grey squares, at other places in each frame."""
    size = frames.shape[1]
    cell = max(2, size // 16)
    across = -(-size // cell)
    covered = rng.random((len(frames), across, across)) < level
    mask = covered.repeat(cell, 1).repeat(cell, 2)[:, :size, :size]
    return np.where(mask[..., None], 127, frames).astype(np.uint8)


ERRORS: tuple[Error, ...] = (
    Error(name="delay", about="the motion is delayed", unit="frames", levels=(1, 2, 4, 8), motion=_delay),
    Error(name="gain", about="the motion is too weak", unit="part lost", levels=(0.25, 0.5, 0.75, 1), motion=_gain),
    Error(name="freeze", about="the motion stops", unit="part of the clip", levels=(0.25, 0.5, 0.75, 1), motion=_freeze),
    Error(name="swap", about="the motion follows another driving video", unit="part", levels=(0.25, 0.5, 0.75, 1), motion=_swap),
    Error(name="shake", about="every channel has added noise", unit="sigma, part of the range", levels=(0.03, 0.07, 0.15, 0.3),
          motion=_shake),
    Error(name="blur", about="the picture is blurred", unit="sigma, % of its height", levels=(0.5, 1, 2, 4), image=_blur),
    Error(name="coarse", about="the picture has a low resolution", unit="factor", levels=(2, 3, 4, 6), image=_coarse),
    Error(name="noise", about="the picture is noisy", unit="sigma, of 255", levels=(5, 15, 30, 60), image=_noise),
    Error(name="jpeg", about="the picture is compressed", unit="100 - quality", levels=(50, 80, 90, 95), image=_jpeg),
    Error(name="wreck", about="parts of the picture are missing", unit="part", levels=(0.05, 0.15, 0.3, 0.5), image=_wreck),
)  # fmt: skip

MUTED: tuple[Error, ...] = tuple(
    Error(
        name=f"mute {name}",
        about=f"{name} does not move",
        unit="part lost",
        levels=(1,),
        motion=partial(_mute, channel=i),
    )
    for i, name in enumerate(CHANNELS)
)  # one for each channel: they show which metric detects which channel
