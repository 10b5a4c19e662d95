"""What methods share: whole clips for those that animate chunks, and pixels into and out of their networks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from toonbench.types import Domain, Frame, Frames, Motion, ToonbenchError

if TYPE_CHECKING:
    from torch import Tensor


class ChunkedMethod:
    """The base of methods that define `animate_chunks`: it adds `animate`."""

    def animate_chunks(
        self,
        source: Frame,
        driving: Iterator[Frames],
        *,
        motion: Motion,
        seed: int,
        source_domain: Domain = "cartoon",
        driving_domain: Domain = "real",
    ) -> Iterator[Frames]:
        """See `toonbench.types.ChunkMethod`."""
        raise NotImplementedError(f"{type(self).__name__} defines no animate_chunks")

    def animate(
        self,
        source: Frame,
        driving: Frames,
        *,
        motion: Motion,
        seed: int,
        source_domain: Domain = "cartoon",
        driving_domain: Domain = "real",
    ) -> Frames:
        """`animate_chunks` of a whole clip: as many frames as `driving` (t, h, w, 3) has, RGB uint8, in the size of `source` (h, w, 3)."""
        chunks = self.animate_chunks(
            source,
            iter([driving]),
            motion=motion,
            seed=seed,
            source_domain=source_domain,
            driving_domain=driving_domain,
        )
        return np.concatenate(list(chunks))


def batch_size(batch: int, *, device: str, on_cpu: int) -> int:
    """Frames per forward pass: `batch`, and at most `on_cpu` on a CPU. Raises ToonbenchError if `batch` is below 1."""
    if batch < 1:
        raise ToonbenchError(f"batch is {batch}; it must be 1 or more")
    return batch if device != "cpu" else max(1, min(batch, on_cpu))


def batches(chunks: Iterator[Frames], size: int) -> Iterator[Frames]:
    """Chunks of any length as batches of `size` frames, the last one shorter."""
    kept: Frames | None = None
    for chunk in chunks:
        kept = chunk if kept is None else np.concatenate([kept, chunk])
        while len(kept) > size:
            yield kept[:size]
            kept = kept[size:]
    if kept is not None:
        yield kept


def check_pixels(source: Frame, driving: Frames) -> None:
    """Raise ToonbenchError unless these are a uint8 RGB source and clip."""
    for what, pixels, axes in (("source", source, 3), ("driving", driving, 4)):
        if pixels.dtype != np.uint8 or pixels.ndim != axes or pixels.shape[-1] != 3 or not pixels.size:
            expected = "(h, w, 3)" if axes == 3 else "(t, h, w, 3)"
            raise ToonbenchError(
                f"{what} is {pixels.dtype} {pixels.shape}; it must be uint8 {expected} RGB and not empty"
            )


def resized(frame: Frame, size: int | tuple[int, int]) -> Frame:
    """One frame in another size (a side, or height and width), Pillow's bicubic."""
    from PIL import Image

    height, width = (size, size) if isinstance(size, int) else size
    if frame.shape[:2] == (height, width):
        return frame
    return np.asarray(Image.fromarray(frame).resize((width, height), Image.Resampling.BICUBIC))


def shrunk(frames: Frames, size: int) -> Frames:
    """Frames (t, h, w, 3) in size x size: bilinear, antialiased, rounded to bytes, as torchvision resizes."""
    import torch.nn.functional as F
    from torch import from_numpy

    if frames.shape[1:3] == (size, size):
        return frames
    planes = from_numpy(np.array(frames)).permute(0, 3, 1, 2).float()
    small = F.interpolate(planes, size=(size, size), mode="bilinear", align_corners=False, antialias=True)
    return small.round().clamp(0, 255).permute(0, 2, 3, 1).numpy().astype(np.uint8)


def planes(frames: Frames, device: str) -> Tensor:
    """uint8 (b, h, w, 3) to float32 (b, 3, h, w), 0 to 255, channels last in memory."""
    import torch

    return torch.from_numpy(np.array(frames)).to(device).permute(0, 3, 1, 2).float()


def frames_of(levels: Tensor, *, like: Frame) -> Frames:
    """Pictures (b, 3, h, w) of grey levels 0 to 255, rounded to bytes (b, h, w, 3), in the size of `like`."""
    import torch

    made: Frames = levels.round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    if made.shape[1:] == like.shape:
        return made
    return np.stack([resized(frame, (like.shape[0], like.shape[1])) for frame in made])
