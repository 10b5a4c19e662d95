"""Recycle-GAN as a method of the benchmark."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from toonbench.networks.animation import ChunkedMethod, batch_size, batches, check_pixels, frames_of, planes, shrunk
from toonbench.types import Domain, Frame, Frames, Motion

from ..tuning.trainable import Trainable

if TYPE_CHECKING:
    from .weights_io import Weights

CPU_BATCH = 1


class RecycleGAN(Trainable, ChunkedMethod):
    """Recycle-GAN (Bansal et al. 2018), a re-implementation: one model for each pair of clips, never ranked. Has no weights.

    It is no one-shot method: its character is that of the training clip, and the source only gives the size.
    checkpoint: weights that `toonbench train --method recycle-gan` wrote. batch: most driving frames per forward pass.
    weights: loaded weights, instead of a checkpoint. Raises ToonbenchError for a missing, damaged or foreign checkpoint.
    """

    name: ClassVar[str] = "recycle-gan"
    training: ClassVar[str] = "baselines.recycle_gan.train"
    one_pair: ClassVar[bool] = True  # other driving videos than those of its weights are refused
    code: ClassVar[str] = "1"  # raised whenever the same weights come to mean other pixels

    def __init__(
        self, *, checkpoint: Path | None = None, device: str = "cpu", batch: int = 8, weights: Weights | None = None
    ) -> None:
        from .weights_io import load_weights

        self._batch = batch_size(batch, device=device, on_cpu=CPU_BATCH)
        loaded = weights or load_weights(None if checkpoint is None else Path(checkpoint))
        self.revision = f"{self.code}-{loaded.revision}"
        self.checkpoint = loaded.checkpoint
        self.trained_on = loaded.trained_on
        self._network = loaded.network.to(device)
        self._size = loaded.size
        self._device = device

    @classmethod
    def with_test_weights(cls, *, device: str = "cpu") -> RecycleGAN:
        """The method with a small network of deterministic test weights, for tests."""
        from .weights_io import weights_for_tests

        return cls(device=device, weights=weights_for_tests())

    def animate_chunks(
        self,
        source: Frame,
        driving: Iterator[Frames],
        *,
        motion: Motion,  # noqa: ARG002 - frames are translated as they are
        seed: int,  # noqa: ARG002 - nothing here is drawn
        source_domain: Domain = "cartoon",
        driving_domain: Domain = "real",
    ) -> Iterator[Frames]:
        """Yield as many frames as the chunks of `driving` have, RGB uint8, in the source's size: each frame, translated to its domain.

        `source` is (h, w, 3), a chunk (t, h, w, 3), both RGB uint8 of any size. Within one domain, frames are translated to the
        other and back.
        """
        import torch

        for batch in batches(driving, self._batch):
            check_pixels(source, batch)
            with torch.inference_mode():
                images = planes(shrunk(batch, self._size), self._device) / 127.5 - 1.0
                made = self._network.translated(images, domain=source_domain, driving=driving_domain)
                yield frames_of((made + 1.0) * 127.5, like=source)
