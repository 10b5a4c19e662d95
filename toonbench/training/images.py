"""Frames as tensors and back."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from toonbench.types import Frames


def to_tensor(frames: Frames, *, device: str) -> Tensor:
    """uint8 (B, H, W, 3) to float32 (B, 3, H, W) in [-1, 1]."""
    pixels = torch.from_numpy(np.array(frames)).to(device)
    return pixels.permute(0, 3, 1, 2).float() / 127.5 - 1.0


def to_pixels(images: Tensor) -> Frames:
    """(B, 3, H, W) in [-1, 1] to uint8 (B, H, W, 3), clamped and rounded."""
    pixels = ((images.clamp(-1.0, 1.0) + 1.0) * 127.5).round().to(torch.uint8)
    return pixels.permute(0, 2, 3, 1).cpu().numpy()
