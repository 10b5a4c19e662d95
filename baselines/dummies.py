"""Dummy methods that use no motion or the target itself: the lower and upper ends of every table.

All take and return uint8 RGB, channels last, and depend on their arguments only.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from toonbench.types import Domain, Frame, Frames, Motion, ToonbenchError

NOISE_SIGMA = 8.0  # of 255 grey levels


class _Dummy:
    """The shared constructor: dummies run on every device and load nothing."""

    name = ""
    revision = "1"

    def __init__(self, *, device: str = "cpu", checkpoint: Path | None = None) -> None:
        self.device = device
        if checkpoint is not None:
            raise ToonbenchError(f"{self.name} takes no checkpoint, got {checkpoint}; leave --checkpoint out")


class Static(_Dummy):
    """The source in every frame, without motion: a method that transfers motion must score better."""

    name = "static"

    def animate(
        self,
        source: Frame,
        driving: Frames,
        *,
        motion: Motion,  # noqa: ARG002
        seed: int,  # noqa: ARG002
        source_domain: Domain = "cartoon",  # noqa: ARG002
        driving_domain: Domain = "real",  # noqa: ARG002
    ) -> Frames:
        """Repeat the source as often as `driving` has frames."""
        return np.repeat(source[None], len(driving), axis=0)

    def animate_chunks(self, source: Frame, driving: Iterator[Frames], **_: object) -> Iterator[Frames]:
        """Repeat the source as often as each chunk has frames."""
        for chunk in driving:
            yield np.repeat(source[None], len(chunk), axis=0)


class Paste(_Dummy):
    """The driving video itself, in the source's size: correct motion, the wrong character."""

    name = "paste"

    def animate(
        self,
        source: Frame,
        driving: Frames,
        *,
        motion: Motion,  # noqa: ARG002
        seed: int,  # noqa: ARG002
        source_domain: Domain = "cartoon",  # noqa: ARG002
        driving_domain: Domain = "real",  # noqa: ARG002
    ) -> Frames:
        """Return `driving`, resized (bicubic, antialiased) where its size differs from the source's."""
        return _resized(driving, like=source)

    def animate_chunks(self, source: Frame, driving: Iterator[Frames], **_: object) -> Iterator[Frames]:
        """`animate` of each chunk."""
        for chunk in driving:
            yield _resized(chunk, like=source)


def _resized(frames: Frames, *, like: Frame) -> Frames:
    if frames.shape[1:] == like.shape:
        return frames.copy()
    from PIL import Image

    size = (like.shape[1], like.shape[0])
    return np.stack([np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BICUBIC)) for frame in frames])


class Oracle(_Dummy):
    """The target itself: no method can score better on pairs with a target."""

    name = "oracle"

    def animate_target(self, source: Frame, target: Frames, *, seed: int) -> Frames:  # noqa: ARG002
        """Return the target."""
        return target.copy()


class NoisyOracle(_Dummy):
    """The target, slightly damaged: a metric that ranks it first or last is wrong."""

    name = "noisy-oracle"

    def animate_target(self, source: Frame, target: Frames, *, seed: int) -> Frames:  # noqa: ARG002
        """Shift every frame by -1, 0 or 1 pixel a side (edges repeated), then add normal noise of sigma 8 of 255."""
        random = np.random.default_rng(seed)
        height, width = target.shape[1:3]
        damaged = np.empty_like(target)
        for index, frame in enumerate(target):
            down, right = random.integers(0, 3, 2)
            padded = np.pad(frame, ((1, 1), (1, 1), (0, 0)), mode="edge")
            shifted = padded[down : down + height, right : right + width]
            noise = random.standard_normal(shifted.shape, dtype=np.float32) * NOISE_SIGMA
            damaged[index] = np.clip(np.rint(shifted + noise), 0, 255).astype(np.uint8)
        return damaged
