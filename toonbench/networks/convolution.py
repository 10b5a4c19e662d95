"""3 x 3 convolutions of large maps by Winograd's products, where PyTorch has them: about half the time on a CPU."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

LEAST_PIXELS = 64 * 64  # of a map: in a smaller one, preparing the weights costs what the products save
LEAST_CHANNELS = 32  # of input and output: with fewer, preparing the map does


def _found() -> Any:
    """NNPACK's convolution, a part of PyTorch that it does not document; None where this PyTorch or machine lacks it."""
    available: Any = getattr(torch, "_nnpack_available", None)
    return getattr(torch, "_nnpack_spatial_convolution", None) if available is not None and available() else None


_winograd = _found()


def by_winograd(x: Tensor, weight: Tensor) -> bool:
    """Whether `convolve` takes Winograd's products: without gradients, in float32 on a CPU, large maps with many channels.

    They differ from the plain sum of products by rounding only, 1e-4 of the largest value.
    """
    return (
        not torch.is_grad_enabled()
        and not torch.compiler.is_compiling()  # the compiler does not know NNPACK
        and x.device.type == "cpu"
        and x.dtype == weight.dtype == torch.float32
        and x.shape[2] * x.shape[3] >= LEAST_PIXELS
        and min(weight.shape[:2]) >= LEAST_CHANNELS
        and not torch.is_autocast_enabled("cpu")
        and _winograd is not None
    )


def planar(x: Tensor, weight: Tensor) -> Tensor:
    """`x` with channels first in memory if `convolve` needs it so: several convolutions of one map share the copy."""
    return x.contiguous() if by_winograd(x, weight) else x


def convolve(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """3 x 3 convolution of `x` (B, C, H, W) with one pixel of zeros around it; channels are first in memory after Winograd's products."""
    if not by_winograd(x, weight):
        return F.conv2d(x, weight, bias, padding=1)
    found: list[Tensor] = [_winograd(one, weight.contiguous(), bias, 1) for one in x.contiguous().split(1)]
    return found[0] if len(found) == 1 else torch.cat(found)  # a batch at once is slower
