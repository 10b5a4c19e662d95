"""LIA as a method of the benchmark."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from toonbench.networks.animation import (
    ChunkedMethod,
    batch_size,
    batches,
    check_pixels,
    frames_of,
    planes,
    resized,
)
from toonbench.types import Domain, Frame, Frames, GoldenCheck, Motion

from ..tuning.trainable import Trainable

if TYPE_CHECKING:
    from torch import Tensor

    from .weights_io import Weights

CODE_VERSION = "1"  # raised whenever the same weights come to mean other pixels
CPU_PIXELS = 256**2  # per forward pass: larger maps exceed the caches


class LIA(Trainable, ChunkedMethod):
    """Latent image animator (Wang et al. 2022): steps along learned directions, 256 px. Needs a checkpoint of its authors.

    checkpoint: an official file; without one, the weights folder is searched.
    batch: most driving frames per forward pass; a CPU takes one of 256 px at a time.
    weights: loaded weights, instead of a checkpoint.
    Raises ToonbenchError for a missing, damaged or foreign checkpoint.
    """

    name: ClassVar[str] = "lia"
    training: ClassVar[str] = "baselines.lia.train"

    def __init__(
        self,
        *,
        checkpoint: Path | None = None,
        device: str = "cpu",
        batch: int = 8,
        weights: Weights | None = None,
    ) -> None:
        from toonbench.networks.stylegan2 import prepared

        from .weights_io import load_weights

        loaded = weights or load_weights(None if checkpoint is None else Path(checkpoint))
        self.revision = f"{CODE_VERSION}-{loaded.revision}"
        self.checkpoint = loaded.checkpoint
        self.trained_on = loaded.trained_on
        directions = loaded.network.dec.direction.orthonormal()  # on the CPU: the signs do not depend on the device
        self._directions = directions.to(device)
        self._network = prepared(loaded.network).to(device)
        self._size = self._network.config.size
        self._device = device
        self._batch = batch_size(batch, device=device, on_cpu=CPU_PIXELS // self._size**2)

    def animate_chunks(
        self,
        source: Frame,
        driving: Iterator[Frames],
        *,
        motion: Motion,
        seed: int,  # noqa: ARG002 - nothing here is drawn
        source_domain: Domain = "cartoon",  # noqa: ARG002
        driving_domain: Domain = "real",  # noqa: ARG002
    ) -> Iterator[Frames]:
        """Yield as many frames as the chunks of `driving` have, RGB uint8, in the source's size.

        `source` is (h, w, 3), a chunk (t, h, w, 3), both RGB uint8 of any size; their aspect is ignored. "relative" moves the
        source as the driving video moved since its first frame (the demo of vox and taichi), "absolute" takes the steps of the
        driving video (that of ted). The domains change nothing. A batch is filled across chunks, so the frames do not depend on how a
        clip is cut.
        """
        import torch

        encoded = base = None
        for batch in batches(driving, self._batch):
            check_pixels(source, batch)
            with torch.inference_mode():
                if encoded is None:
                    encoded = self._network.source(self._tensor(source[None]))
                steps = self._network.enc.steps(self._tensor(batch))
                if base is None:
                    base = encoded.steps - steps[:1] if motion == "relative" else torch.zeros_like(steps[:1])
                images = self._network.render(encoded, steps + base, directions=self._directions)
                made = frames_of((images.float().clamp(-1.0, 1.0) + 1.0) * 127.5, like=source)
            yield made

    def _tensor(self, frames: Frames) -> Tensor:
        """uint8 (b, h, w, 3) of any size to (b, 3, size, size) in [-1, 1]: Pillow's bicubic, as the demo loads its source."""
        small = np.stack([resized(frame, self._size) for frame in frames])
        return (planes(small, self._device) / 255.0 - 0.5) * 2.0

    @classmethod
    def with_test_weights(cls, *, device: str = "cpu") -> LIA:
        """The method with a small network of deterministic test weights, for tests."""
        from .weights_io import weights_for_tests

        return cls(device=device, weights=weights_for_tests())

    @staticmethod
    def run_goldens(folder: Path, device: str) -> list[GoldenCheck]:
        """See `baselines.lia.goldens.run_goldens`."""
        from .goldens import run_goldens

        return run_goldens(folder, device)
