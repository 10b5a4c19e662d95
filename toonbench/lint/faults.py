"""Mistakes planted into sound frames, (frames, height, width, 3) uint8 RGB: for tests, and to measure the thresholds."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from toonbench.lint.colours import CODES, LIMITED, MATRICES
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


def limited(frames: Frames, name: str) -> Frames:
    """`squeezed`, `expanded` or `overflown`: see `colours.LIMITED`."""
    return LIMITED[name].astype(np.uint8)[frames]


def mixed(frames: Frames, name: str) -> Frames:
    """`as_709` or `as_601`: see `colours.MATRICES`."""
    return np.clip(np.rint(frames @ MATRICES[name].T.astype(np.float32)), 0, 255).astype(np.uint8)


def turned(frames: Frames, quarters: int) -> Frames:
    """Turned clockwise by so many quarters."""
    return np.ascontiguousarray(np.rot90(frames, -quarters, axes=(1, 2)))


def cropped(frames: Frames, *, scale: float, x: float = 0.0, y: float = 0.0) -> Frames:
    """`scale` of the width and height, the middle shifted by parts of them; ends are repeated outside the picture."""
    from PIL import Image

    height, width = frames.shape[1:3]
    edge = max(height, width)
    grown = np.pad(frames, ((0, 0), (edge, edge), (edge, edge), (0, 0)), mode="edge")
    left, top = edge + width * (0.5 + x - scale / 2), edge + height * (0.5 + y - scale / 2)
    box = (left, top, left + scale * width, top + scale * height)
    size = (width, height)
    return np.stack([np.asarray(Image.fromarray(f).resize(size, Image.Resampling.BICUBIC, box=box)) for f in grown])


def repeated(frames: Frames, *, times: int) -> Frames:
    """Every `times`-th frame alone, shown so many times."""
    return frames[np.arange(len(frames)) // times * times]


def doubled_third(frames: Frames) -> Frames:
    """Every third frame is replaced by the one before."""
    at = np.arange(len(frames))
    return frames[at - (at % 3 == 2)]


def text_order(frames: Frames, *, first: int = 0) -> Frames:
    """Sorted by their numbers, counted from `first`, as text."""
    return frames[sorted(range(len(frames)), key=lambda frame: str(frame + first))]


def strip(*parts: Frames) -> Frames:
    """Several videos beside each other."""
    return np.concatenate(parts, axis=2)


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
    "limited range shown as full": ("limited", lambda frames: limited(frames, "squeezed")),
    "full range taken for limited, cut": ("limited", lambda frames: limited(frames, "expanded")),
    "full range taken for limited, wrapped": ("limited", lambda frames: limited(frames, "overflown")),
    "BT.601 read as BT.709": ("matrix", lambda frames: mixed(frames, "as_709")),
    "BT.709 read as BT.601": ("matrix", lambda frames: mixed(frames, "as_601")),
    "mirrored": ("mirrored", lambda frames: np.ascontiguousarray(frames[:, :, ::-1])),
    "turned by 90": ("turned", lambda frames: turned(frames, 1)),
    "turned by 180": ("turned", lambda frames: turned(frames, 2)),
    "turned by 270": ("turned", lambda frames: turned(frames, 3)),
    "5 % closer": ("crop", lambda frames: cropped(frames, scale=0.95)),
    "10 % wider": ("crop", lambda frames: cropped(frames, scale=1.1, x=0.03)),
    "30 % closer": ("crop", lambda frames: cropped(frames, scale=0.7, x=0.05, y=-0.05)),
    "30 % wider": ("crop", lambda frames: cropped(frames, scale=1.3, y=0.05)),
    "every second frame repeated": ("doubled", lambda frames: repeated(frames, times=2)),
    "every frame three times": ("doubled", lambda frames: repeated(frames, times=3)),
    "every third frame replaced": ("doubled", doubled_third),
    "sorted as text": ("order", text_order),
    "sorted as text, from 1": ("order", lambda frames: text_order(frames, first=1)),
    "last frame first": ("order", lambda frames: np.ascontiguousarray(frames[::-1])),
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
