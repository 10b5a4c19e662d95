"""The networks of Recycle-GAN: for each domain a generator into it and a predictor of its next frame. Pictures are in [-1, 1]."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from toonbench.networks.hourglass import Hourglass
from toonbench.types import DOMAINS

LARGEST = 1024  # width or number of blocks that a file may state


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkConfig:
    """Sizes. The defaults are those of CycleGAN's generators at 256 px; those of the predictors are ours.

    generator: width of the generators at full size, which doubles at each halving. residuals: their blocks at a quarter of the size.
    predictor: widths of the predictors' hourglass: of the output, then of the map after each halving.
    """

    generator: int = 64
    residuals: int = 9
    predictor: tuple[int, ...] = (64, 128, 256, 512, 512)

    def __post_init__(self) -> None:
        if not (0 < self.generator <= LARGEST and 0 <= self.residuals <= LARGEST):
            raise ValueError(
                f"generator is {self.generator} and residuals {self.residuals}: up to {LARGEST} is allowed"
            )
        if len(self.predictor) < 2 or not all(0 < width <= LARGEST for width in self.predictor):
            raise ValueError(f"predictor is {self.predictor}: two or more widths up to {LARGEST} are needed")


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.block = nn.Sequential(*_convolution(width, width, stride=1), *_convolution(width, width, stride=1)[:-1])

    def forward(self, x: Tensor) -> Tensor:
        return x + self.block(x)


def _convolution(inputs: int, outputs: int, *, stride: int, kernel: int = 3) -> list[nn.Module]:
    padding, mode = kernel // 2, "reflect" if stride == 1 else "zeros"
    layer = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=padding, padding_mode=mode)
    return [layer, nn.InstanceNorm2d(outputs), nn.ReLU()]


class Generator(nn.Sequential):
    """Pictures (B, 3, H, W) of one domain to the other; sides are multiples of 4. Convolutions, residual blocks, and back."""

    def __init__(self, config: NetworkConfig) -> None:
        width = config.generator
        layers = _convolution(3, width, stride=1, kernel=7)
        for factor in (1, 2):
            layers += _convolution(factor * width, 2 * factor * width, stride=2)
        layers += [_Residual(4 * width) for _ in range(config.residuals)]
        for factor in (4, 2):
            up = nn.ConvTranspose2d(factor * width, factor // 2 * width, 3, stride=2, padding=1, output_padding=1)
            layers += [up, nn.InstanceNorm2d(factor // 2 * width), nn.ReLU()]
        layers += [nn.Conv2d(width, 3, 7, padding=3, padding_mode="reflect"), nn.Tanh()]
        super().__init__(*layers)


class Predictor(nn.Module):
    """The next frame (B, 3, H, W) of a clip from its last two."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.hourglass = Hourglass(6, config.predictor)
        self.last = nn.Conv2d(self.hourglass.channels, 3, 3, padding=1)

    def forward(self, before: Tensor, now: Tensor) -> Tensor:
        """The frame after `now`."""
        return torch.tanh(self.last(self.hourglass(torch.cat([before, now], dim=1))))


class RecycleNetwork(nn.Module):
    """`into` a domain from the other one, and `after` two frames of a domain."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.into = nn.ModuleDict({domain: Generator(config) for domain in DOMAINS})
        self.after = nn.ModuleDict({domain: Predictor(config) for domain in DOMAINS})

    def translated(self, images: Tensor, *, domain: str, driving: str) -> Tensor:
        """Pictures of the domain `driving` as pictures of `domain`; of the same domain, there and back."""
        if domain == driving:
            images = self.into[DOMAINS[1 - DOMAINS.index(domain)]](images)
        return self.into[domain](images)
