"""What FOMM and DaGAN do with a clip: the key points of the source, moved as those of the driving video move.

Everything that a clip needs once is computed once: the source's features and key points, and the scale of motion.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

import numpy as np

from toonbench.networks.animation import ChunkedMethod, batch_size, batches, check_pixels, frames_of
from toonbench.types import Domain, Frame, Frames, Motion

from .best_frame import best_frame as chooser
from .best_frame import check_option

if TYPE_CHECKING:
    from torch import Tensor

    from toonbench.networks.first_order import KeyPoints, Trace
    from toonbench.training.trained_on import TrainedOn

SIZE = 256
CPU_BATCH = 1  # larger ones exceed the caches
BestFrame = int | Literal["find"]


class Encoded(Protocol):
    """A source, encoded once."""

    @property
    def points(self) -> KeyPoints:
        """Its key points."""
        ...


class Network(Protocol):
    """The networks of FOMM and DaGAN; pictures are (B, 3, H, W) RGB in [0, 1]."""

    def source(self, image: Tensor) -> Any:
        """Encode a source."""
        ...

    def key_points(self, image: Tensor) -> KeyPoints:
        """Key points of pictures."""
        ...

    def render(self, source: Any, points: KeyPoints, *, trace: Trace | None = None) -> Tensor:
        """Pictures of a source with its key points moved; intermediates go into `trace`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """A network in eval mode on the CPU; `checkpoint` is what a run stores about its weights, `size` the side of its pictures.

    `trained_on` are the training clips of weights that `toonbench train` wrote.
    """

    network: Any
    revision: str
    checkpoint: Mapping[str, str]
    size: int = SIZE
    trained_on: TrainedOn | None = None


class FirstOrderMethod(ChunkedMethod):
    """The shared part of FOMM and DaGAN.

    checkpoint: an official file; without one, the weights folder is searched.
    batch: most driving frames per forward pass; a CPU takes one at a time.
    adapt_scale: in relative motion, scale the motion by the ratio of the convex hulls of the key points (`--adapt_scale`).
    best_frame: the driving frame whose pose matches the source's: its number, "find" (by landmarks), or None for the first one.
    align_corners: how pictures are sampled; see `toonbench.networks.first_order`.
    weights: loaded weights, instead of a checkpoint.
    Raises ToonbenchError for a missing, damaged or foreign checkpoint.
    """

    name: ClassVar[str]
    code: ClassVar[str] = "1"  # raised whenever the same weights come to mean other pixels

    def __init__(
        self,
        *,
        checkpoint: Path | None = None,
        device: str = "cpu",
        batch: int = 8,
        adapt_scale: bool = True,
        best_frame: BestFrame | None = None,
        align_corners: bool = False,
        weights: Weights | None = None,
    ) -> None:
        self._batch = batch_size(batch, device=device, on_cpu=CPU_BATCH)
        check_option(best_frame)
        loaded = weights or self.load(None if checkpoint is None else Path(checkpoint), corners=align_corners)
        options = {"scale": not adapt_scale, f"best_{best_frame}": best_frame is not None, "corners": align_corners}
        names = {"scale": "unscaled"}
        self.revision = "-".join([self.code, loaded.revision, *(names.get(k, k) for k, on in options.items() if on)])
        self.checkpoint = loaded.checkpoint
        self.trained_on = loaded.trained_on
        self._network: Network = loaded.network.to(device)
        self._size = loaded.size
        self._device = device
        self._adapt_scale = adapt_scale
        self._best_frame: BestFrame | None = best_frame

    @classmethod
    def load(cls, checkpoint: Path | None, *, corners: bool) -> Weights:
        """The weights of a checkpoint, or of the weights folder."""
        raise NotImplementedError(f"{cls.__name__} defines no load")

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

        `source` is (h, w, 3), a chunk (t, h, w, 3), both RGB uint8 of any size; their aspect is ignored, as the published demo does.
        "relative" moves the key points of the source as those of the driving video moved since its first (or best) frame,
        "absolute" takes those of the driving video. The domains change nothing. A batch is filled across chunks, so the
        frames do not depend on how a clip is cut. With `best_frame`, the key points of the whole clip are read before the
        first frame is rendered.
        """
        import torch

        encoded: Any = None
        move: _Move | None = None
        for points in self._driving_points(source, driving, relative=motion == "relative"):
            with torch.inference_mode():
                if encoded is None:
                    encoded = self._network.source(self._tensor(source[None]))
                if move is None:
                    move = self._move(encoded, points.start, motion=motion)
                images = self._network.render(encoded, move(points.own))
                made = frames_of(images.float() * 255.0, like=source)
            yield made

    def _driving_points(self, source: Frame, driving: Iterator[Frames], *, relative: bool) -> Iterator[_Driving]:
        """The key points of each batch, with those of the frame that motion starts from."""
        import torch

        search = relative and self._best_frame is not None
        kept: list[KeyPoints] = []
        poses = chooser(self._best_frame, source=source, device=self._device) if search else None
        start: KeyPoints | None = None
        for batch in batches(driving, self._batch):
            check_pixels(source, batch)
            with torch.inference_mode():
                points = self._network.key_points(self._tensor(batch))
            if poses is not None:
                poses.add(batch)
                kept.append(points)
                continue
            start = points[:1] if start is None else start
            yield _Driving(points, start)
        if poses is not None and kept:
            at, step = poses.chosen(), len(kept[0].value)
            start = kept[at // step][at % step : at % step + 1]
            yield from (_Driving(points, start) for points in kept)

    def _move(self, encoded: Encoded, start: KeyPoints, *, motion: Motion) -> _Move:
        from toonbench.networks.first_order import movement_scale

        if motion == "absolute":
            return _Move(source=None, start=start)
        scale = movement_scale(encoded.points, start) if self._adapt_scale else 1.0
        return _Move(source=encoded.points, start=start, scale=scale)

    def _tensor(self, frames: Frames) -> Tensor:
        """uint8 (b, h, w, 3) of any size to (b, 3, size, size) in [0, 1]."""
        import torch

        unit = np.stack([unit_picture(frame, self._size) for frame in frames])
        return torch.from_numpy(unit).to(self._device).permute(0, 3, 1, 2)


@dataclass(frozen=True, slots=True)
class _Driving:
    own: KeyPoints
    start: KeyPoints


@dataclass(frozen=True, slots=True, kw_only=True)
class _Move:
    """From key points of the driving video to those that are rendered; absolute without a `source`."""

    source: KeyPoints | None
    start: KeyPoints
    scale: float = 1.0

    def __call__(self, points: KeyPoints) -> KeyPoints:
        from toonbench.networks.first_order import relative_points

        if self.source is None:
            return points
        return relative_points(points, source=self.source, start=self.start, scale=self.scale)


def unit_picture(frame: Frame, size: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """(size, size, 3) float32 in [0, 1], resized as the published demos do (scikit-image, antialiased)."""
    if frame.shape[:2] == (size, size):
        return frame.astype(np.float32) / np.float32(255.0)
    from skimage.transform import resize

    return np.asarray(resize(frame, (size, size), anti_aliasing=True), np.float32)
