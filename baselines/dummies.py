"""Methods that know nothing or everything: the floor and the ceiling of every table.

All take and return uint8 RGB, channels last, and are exact functions of their arguments.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from toonbench.types import Domain, Frame, Frames, Motion, ToonbenchError

NOISE_SIGMA = 8.0  # of 255 grey levels


class _Dummy:
    """Shared constructor: dummies run anywhere and have nothing to load."""

    name = ""
    revision = "1"

    def __init__(self, *, device: str = "cpu", checkpoint: Path | None = None) -> None:
        self.device = device
        if checkpoint is not None:
            raise ToonbenchError(f"{self.name} takes no checkpoint, got {checkpoint}; leave --checkpoint out")


class Static(_Dummy):
    """The source, unmoved, in every frame: what a method must beat to show any motion at all."""

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
    """The driving video itself, in the source's size: perfect motion, the wrong character."""

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
    """The answer: no method can score better where a target exists."""

    name = "oracle"

    def animate_target(self, source: Frame, target: Frames, *, seed: int) -> Frames:  # noqa: ARG002
        """Return the target."""
        return target.copy()


class NoisyOracle(_Dummy):
    """The answer, slightly damaged: metrics that rank it last, or first, are broken."""

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
