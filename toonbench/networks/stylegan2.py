"""Layers of the StyleGAN2 kind (Karras et al. 2020) that ToonTalker and LIA share: equalised layers, FIR filters, styled convolutions.

Names of modules and parameters are those of the published checkpoints, so that state dicts load with `strict=True`. The
arithmetic is our own: a style scales activations instead of weights (no weights per sample, no grouped convolution), the
equalised scale multiplies the smaller of weight and activation, and gains are folded into weights and biases. Channels
last is the fast memory layout. Maps are (batch, channels, height, width) float32. A gain of sqrt(2) keeps the variance
after a leaky ReLU.
"""

from __future__ import annotations

import math
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toonbench.networks.convolution import convolve

Network = TypeVar("Network", bound=nn.Module)
SQRT2 = math.sqrt(2.0)
FIR_TAPS = (1.0, 3.0, 3.0, 1.0)


def fir_kernel(gain: float = 1.0) -> Tensor:
    """The 4 x 4 filter as the checkpoints store it: outer product of [1, 3, 3, 1], summing to `gain`."""
    taps = torch.tensor(FIR_TAPS)
    return torch.outer(taps, taps) * (gain / taps.sum() ** 2)


def smooth(x: Tensor, kernel: Tensor, *, pad: int, stride: int = 1) -> Tensor:
    """Filter every channel with `kernel` after `pad` zeros on every side, and keep every `stride`-th sample.

    A dense depth-wise convolution is 4 to 10 times as fast on a CPU as separable passes or repeated means of 2 x 2.
    """
    channels = x.shape[1]
    weight = kernel.to(x.dtype).expand(channels, 1, -1, -1)
    return F.conv2d(x, weight, stride=stride, padding=pad, groups=channels)


def up2(x: Tensor) -> Tensor:
    """Double the size: zero insertion and the filter with gain 4, which is bilinear interpolation with a zero border."""
    padded = F.pad(x, (1, 1, 1, 1))
    return F.interpolate(padded, scale_factor=2, mode="bilinear", align_corners=False)[..., 2:-2, 2:-2]


class Smooth(nn.Module):
    """The stored filter, and `smooth` with it."""

    kernel: Tensor

    def __init__(self, *, gain: float = 1.0, pad: int = 1, stride: int = 1) -> None:
        super().__init__()
        self.register_buffer("kernel", fir_kernel(gain))
        self.pad = pad
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Filtered map."""
        return smooth(x, self.kernel, pad=self.pad, stride=self.stride)


class EqualConv2d(nn.Module):
    """Bias-free convolution whose stored weight is N(0, 1) and is used divided by sqrt(fan in), times `gain`."""

    def __init__(
        self, channels: int, out: int, *, kernel: int, stride: int = 1, pad: int = 0, gain: float = 1.0
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out, channels, kernel, kernel))
        self.scale = gain / math.sqrt(channels * kernel * kernel)
        self.gain = gain
        self.stride = stride
        self.pad = pad

    def forward(self, x: Tensor, *, bias: Tensor | None = None) -> Tensor:
        """Convolve; `bias` (out,) is added as it is."""
        weight = self.weight if self.scale == 1.0 else self.weight * self.scale
        if self.weight.shape[-1] == 3 and self.stride == self.pad == 1:
            return convolve(x, weight, bias)
        return F.conv2d(x, weight, bias, stride=self.stride, padding=self.pad)

    def prepare(self) -> None:
        """Keep the weight as it is used."""
        weight = (self.weight.detach() * self.scale).contiguous(memory_format=torch.channels_last)
        self.weight = nn.Parameter(weight, requires_grad=False)
        self.scale = 1.0


class EqualLinear(nn.Module):
    """Linear layer whose stored weight is N(0, 1) and is used divided by sqrt(inputs); no activation."""

    def __init__(self, inputs: int, outputs: int, *, bias: float = 0.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs))
        self.bias = nn.Parameter(torch.full((outputs,), bias))
        self.scale = 1.0 / math.sqrt(inputs)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs) to (B, outputs)."""
        return F.linear(x * self.scale, self.weight, self.bias)  # scales the small side: no copy of a large weight


class BiasedLeaky(nn.Module):
    """sqrt2 * leaky_relu(gain * x + bias, slope); `gain` broadcasts over x. sqrt2 is multiplied into gain and bias."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x: Tensor, gain: Tensor, *, slope: float = 0.2) -> Tensor:
        """Activate a map."""
        return F.leaky_relu_(torch.addcmul(self.bias.to(x.dtype) * SQRT2, x, gain.to(x.dtype) * SQRT2), slope)


class ActivatedConv(nn.ModuleList):
    """[Filter,] equalised convolution and biased leaky ReLU, as one convolution with a bias.

    The gain of the convolution also multiplies the bias: it is the activation's factor sqrt2, or 1 for callers that would
    divide by it afterwards.
    """

    def __init__(self, *before: nn.Module, conv: EqualConv2d) -> None:
        super().__init__([*before, conv, BiasedLeaky(conv.weight.shape[0])])
        self.gain = conv.gain

    def forward(self, x: Tensor) -> Tensor:
        """Filter, convolve and activate a map."""
        *before, conv, activate = self
        for step in before:
            x = step(x)
        return F.leaky_relu_(conv(x, bias=activate.get_parameter("bias").flatten() * self.gain), 0.2)


class ModulatedConv2d(nn.Module):
    """Convolution whose input channels are scaled by a style; `upsample` doubles the size (transposed, then filtered).

    `forward` returns the map and the gain per channel (B, out, 1, 1) that brings it to unit variance. The caller
    multiplies them where that costs nothing. The gain is None without demodulation.
    """

    def __init__(
        self, channels: int, out: int, *, kernel: int, style: int, demodulate: bool = True, upsample: bool = False
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(1, out, channels, kernel, kernel))
        self.blur = Smooth(gain=4.0) if upsample else None
        self.modulation = EqualLinear(style, channels, bias=1.0)
        self.scale = 1.0 / math.sqrt(channels * kernel * kernel)
        self.pad = kernel // 2
        self.demodulate = demodulate
        self.power: Tensor | None
        self.register_buffer("power", None, persistent=False)  # (out, in), once it is prepared

    def forward(self, x: Tensor, z: Tensor) -> tuple[Tensor, Tensor | None]:
        """Map and gain for `x` (B, in, H, W) and styles `z` (B, width)."""
        style = self.modulation(z) * self.scale  # (B, in)
        x = self._convolve(x * style[:, :, None, None].to(x.dtype), self.weight[0])
        return x, self._gain(style)[:, :, None, None] if self.demodulate else None

    def single(self, x: Tensor, z: Tensor, *, factor: float = 1.0) -> Tensor:
        """The map of one sample times `factor`; the style and the gain scale the weight, which is smaller than a large map."""
        style = self.modulation(z) * self.scale
        weight = self.weight[0] * style[0, :, None, None]
        if self.demodulate:
            weight = weight * self._gain(style)[0, :, None, None, None]
        return self._convolve(x, (weight * factor).to(x.dtype))

    def prepare(self) -> None:
        """Keep what depends on the weight only."""
        weight, last = self.weight.detach()[0], torch.channels_last
        self.power = weight.square().sum((2, 3))
        if self.blur is None:
            weight = weight.contiguous(memory_format=last)
        else:  # the layout that a transposed convolution takes without a copy
            weight = weight.transpose(0, 1).contiguous(memory_format=last).transpose(0, 1)
        self.weight = nn.Parameter(weight[None], requires_grad=False)

    def _gain(self, style: Tensor) -> Tensor:
        """(B, out): 1 over the norm of the styled weight."""
        power = self.weight[0].square().sum((2, 3)) if self.power is None else self.power
        return torch.rsqrt(F.linear(style.square(), power) + 1e-8)

    def _convolve(self, x: Tensor, weight: Tensor) -> Tensor:
        if self.blur is not None:
            return self.blur(F.conv_transpose2d(x, weight.transpose(0, 1), stride=2))
        return convolve(x, weight) if self.pad else F.conv2d(x, weight)


class StoredScalar(nn.Module):
    """A noise strength that the checkpoints hold and the networks do not use."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1), requires_grad=False)


class StyledConv(nn.Module):
    """Modulated 3 x 3 convolution and biased leaky ReLU."""

    def __init__(self, channels: int, out: int, *, style: int, upsample: bool = False) -> None:
        super().__init__()
        self.conv = ModulatedConv2d(channels, out, kernel=3, style=style, upsample=upsample)
        self.noise = StoredScalar()
        self.activate = BiasedLeaky(out)

    def forward(self, x: Tensor, z: Tensor, *, slope: float = 0.2) -> Tensor:
        """Convolve and activate `x` under style `z`; `slope` is that of the leaky ReLU."""
        if len(x) == 1 and x.numel() > self.conv.weight.numel():
            bias = self.activate.bias.to(x.dtype) * SQRT2
            return F.leaky_relu_(self.conv.single(x, z, factor=SQRT2).add_(bias), slope)
        raw, gain = self.conv(x, z)
        return self.activate(raw, gain, slope=slope)


class ConstantInput(nn.Module):
    """The learned 4 x 4 map that is the first input of the synthesis."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.input = nn.Parameter(torch.randn(1, channels, 4, 4))


def prepared(network: Network) -> Network:
    """The network for inference: its layers keep what depends on weights only. Its state is no longer that of a checkpoint."""
    for part in network.modules():
        if isinstance(part, EqualConv2d | ModulatedConv2d):
            part.prepare()
        elif isinstance(part, nn.Conv2d):
            part.to(memory_format=torch.channels_last)
    return network.eval().requires_grad_(False)
