"""Mistakes planted into sound frames, (frames, height, width, 3) uint8 RGB: for tests, and to measure the thresholds."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from toonbench.lint.colours import CODES
from toonbench.types import Frame, Frames

Fault = Callable[[Frames], Frames]


def swapped(frames: Frames) -> Frames:
    """Red for blue."""
    return np.ascontiguousarray(frames[..., ::-1])


def stretched(frames: Frames) -> Frames:
    """(v - min) / (max - min) over the whole clip, as the published ToonTalker demo writes."""
    low, high = int(frames.min()), int(frames.max())
    return np.rint((frames.astype(np.float32) - low) / max(high - low, 1) * 255).astype(np.uint8)


def recoded(frames: Frames, name: str) -> Frames:
    """`crushed`, `wrapped` or `washed`: see `colours.CODES`."""
    return CODES[name].astype(np.uint8)[frames]


def shifted(frames: Frames, by: int) -> Frames:
    """`by` frames late (early if negative), the first (last) frame repeated."""
    return frames[np.clip(np.arange(len(frames)) - by, 0, len(frames) - 1)]


def frozen(frames: Frames, *, last: float) -> Frames:
    """The last share of the clip stands still."""
    return frames[np.minimum(np.arange(len(frames)), len(frames) - 1 - int(last * len(frames)))]


def pasted(frames: Frames, source: Frame) -> Frames:
    """The source in every frame."""
    return np.repeat(source[None], len(frames), axis=0)


def delayed(frames: Frames, by: float) -> Frames:
    """Less than a frame late: a blend of each frame and the one before. Mild, no mistake."""
    return np.rint((1 - by) * frames + by * shifted(frames, 1)).astype(np.uint8)


def noisy(frames: Frames, *, sigma: float = 8.0) -> Frames:
    """Normal noise. Mild, no mistake."""
    noise = np.random.default_rng(0).standard_normal(frames.shape, dtype=np.float32) * sigma
    return np.clip(np.rint(frames + noise), 0, 255).astype(np.uint8)


def blurred(frames: Frames, *, radius: float = 1.5) -> Frames:
    """Gaussian blur, radius in pixels. Mild, no mistake."""
    from PIL import Image, ImageFilter

    return np.stack([np.asarray(Image.fromarray(frame).filter(ImageFilter.GaussianBlur(radius))) for frame in frames])


def tinted(frames: Frames) -> Frames:
    """A little redder and less blue. Mild, no mistake."""
    return np.clip(frames.astype(np.int16) + np.array([6, -3, -6], np.int16), 0, 255).astype(np.uint8)


def contrasted(frames: Frames) -> Frames:
    """8 % more contrast. Mild, no mistake."""
    return np.clip(np.rint((frames - 128.0) * 1.08 + 128), 0, 255).astype(np.uint8)


def damped(frames: Frames) -> Frames:
    """Half the motion: each frame blended with the first. Weak, no mistake."""
    return np.rint(0.5 * frames + 0.5 * frames[:1]).astype(np.uint8)


FAULTS: Mapping[str, tuple[str, Fault]] = {
    "red and blue swapped": ("bgr", swapped),
    "stretched by min and max": ("minmax", stretched),
    "[-1, 1] as [0, 1], cut": ("range", lambda frames: recoded(frames, "crushed")),
    "[-1, 1] as [0, 1], wrapped": ("range", lambda frames: recoded(frames, "wrapped")),
    "[0, 1] as [-1, 1]": ("range", lambda frames: recoded(frames, "washed")),
    "a frame late": ("shifted", lambda frames: shifted(frames, 1)),
    "a frame early": ("shifted", lambda frames: shifted(frames, -1)),
    "two frames late": ("shifted", lambda frames: shifted(frames, 2)),
    "two frames early": ("shifted", lambda frames: shifted(frames, -2)),
    "every frame the same": ("constant", lambda frames: shifted(frames, -len(frames))),
    "the last 40 % frozen": ("frozen", lambda frames: frozen(frames, last=0.4)),
    "black": ("flat", np.zeros_like),
}
"""Mistakes by what was done: the kind of finding it must give, and how it is done."""
MILD: Mapping[str, Fault] = {
    "untouched": np.copy,
    "noise, sigma 8": noisy,
    "blur, 1.5 px": blurred,
    "tint": tinted,
    "8 % contrast": contrasted,
    "0.4 frames late": lambda frames: delayed(frames, 0.4),
    "half the motion": damped,
}
"""Damage of sound methods, which must give no finding."""
