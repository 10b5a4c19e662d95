"""The face depth network of DaGAN: a ResNet encoder and a decoder of disparity maps, in the layout of Monodepth2 (Godard et al. 2019).

Pictures are (B, 3, H, W) RGB in [0, 1]. What DaGAN calls depth is the disparity itself: in (0, 1), larger is nearer.
Names of modules and parameters are those of the published files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..first_order_weights import count

MEAN, DEVIATION = 0.45, 0.225  # of every channel
LEVELS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthConfig:
    """Sizes, of the published 18-layer network by default.

    stem: width of the first map. planes, blocks: inner width and number of residual blocks of each stage. `bottleneck`: blocks
    of three convolutions that widen four times (the 50-layer network). decoder: widths at full, half, ..., 1/16 size.
    """

    stem: int = 64
    planes: tuple[int, ...] = (64, 128, 256, 512)
    blocks: tuple[int, ...] = (2, 2, 2, 2)
    bottleneck: bool = False
    decoder: tuple[int, ...] = (16, 32, 64, 128, 256)
    classes: int = 1000

    @property
    def widths(self) -> tuple[int, ...]:
        """Widths of the five feature maps, 1/2 to 1/32 of the size."""
        return (self.stem, *(width * (4 if self.bottleneck else 1) for width in self.planes))

    @property
    def layers(self) -> int:
        """The number in the network's name: 18 or 50."""
        return 2 + sum(self.blocks) * (3 if self.bottleneck else 2)


class _Block(nn.Module):
    """A residual block of two 3 x 3 convolutions, or of 1 x 1, 3 x 3 and 1 x 1; `stride` is that of the first 3 x 3."""

    def __init__(self, channels: int, planes: int, *, bottleneck: bool, stride: int) -> None:
        super().__init__()
        out = planes * 4 if bottleneck else planes
        if bottleneck:
            self.conv1 = nn.Conv2d(channels, planes, 1, bias=False)
            self.conv2 = nn.Conv2d(planes, planes, 3, stride, 1, bias=False)
            self.conv3 = nn.Conv2d(planes, out, 1, bias=False)
            self.bn3 = nn.BatchNorm2d(out)
        else:
            self.conv1 = nn.Conv2d(channels, planes, 3, stride, 1, bias=False)
            self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.bn2 = nn.BatchNorm2d(planes)
        self.bottleneck = bottleneck
        self.downsample = None
        if stride > 1 or channels != out:
            self.downsample = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(F.relu_(self.bn1(self.conv1(x)))))
        if self.bottleneck:
            y = self.bn3(self.conv3(F.relu_(y)))
        return F.relu_(y.add_(x if self.downsample is None else self.downsample(x)))


class _ResNet(nn.Module):
    """The layers of torchvision's ResNet, under its names; the classifier `fc` is stored and not used."""

    def __init__(self, config: DepthConfig) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, config.stem, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(config.stem)
        for index, (planes, blocks) in enumerate(zip(config.planes, config.blocks, strict=True)):
            stage = nn.Sequential()
            for block in range(blocks):
                channels = config.widths[index + (block > 0)]
                stride = 2 if index and not block else 1
                stage.append(_Block(channels, planes, bottleneck=config.bottleneck, stride=stride))
            self.add_module(f"layer{index + 1}", stage)
        self.fc = nn.Linear(config.widths[-1], config.classes)
        self.stages = len(config.planes)

    def forward(self, x: Tensor) -> list[Tensor]:
        found = [F.relu_(self.bn1(self.conv1(x)))]
        x = F.max_pool2d(found[0], 3, 2, 1)
        for index in range(self.stages):
            x = self.get_submodule(f"layer{index + 1}")(x)
            found.append(x)
        return found


class DepthEncoder(nn.Module):
    """Five feature maps, 1/2 to 1/32 of the size. Its normalisations are not folded: the rounding would reach the key points."""

    def __init__(self, config: DepthConfig) -> None:
        super().__init__()
        self.encoder = _ResNet(config)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Maps of (B, 3, H, W) in [0, 1], the largest first."""
        return self.encoder((image.contiguous(memory_format=torch.channels_last) - MEAN) / DEVIATION)


class _Convolution(nn.Module):
    """A 3 x 3 convolution whose border is reflected."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.pad(x, (1, 1, 1, 1), mode="reflect"))


class _Activated(nn.Module):
    """`_Convolution` and ELU."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.conv = _Convolution(channels, out)

    def forward(self, x: Tensor) -> Tensor:
        return F.elu_(self.conv(x))


class DepthDecoder(nn.Module):
    """Disparity of every pixel from the encoder's maps; coarser disparities are stored and computed on request."""

    def __init__(self, config: DepthConfig) -> None:
        super().__init__()
        features, widths = config.widths, config.decoder
        blocks: list[nn.Module] = []
        for level in reversed(range(LEVELS)):
            blocks.append(_Activated(features[-1] if level == LEVELS - 1 else widths[level + 1], widths[level]))
            blocks.append(_Activated(widths[level] + (features[level - 1] if level else 0), widths[level]))
        self.decoder = nn.ModuleList([*blocks, *(_Convolution(widths[level], 1) for level in range(LEVELS - 1))])

    def forward(self, maps: list[Tensor], *, trace: dict[str, Tensor] | None = None) -> Tensor:
        """(B, 1, H, W) in (0, 1)."""
        x = maps[-1]
        for level in reversed(range(LEVELS)):
            index = 2 * (LEVELS - 1 - level)
            x = F.interpolate(self.decoder[index](x), scale_factor=2, mode="nearest")
            if level:
                x = torch.cat([x, maps[level - 1]], dim=1)
            x = self.decoder[index + 1](x)
            if trace is not None and 0 < level < LEVELS - 1:
                trace[f"disp{level}"] = self._disparity(x, level)
        return self._disparity(x, 0)

    def _disparity(self, x: Tensor, level: int) -> Tensor:
        return torch.sigmoid(self.decoder[2 * LEVELS + level](x))


def infer_depth_config(encoder: Mapping[str, Tensor], decoder: Mapping[str, Tensor]) -> DepthConfig:
    """Sizes from the state dicts of the two files. Raises KeyError if they are none."""
    blocks = tuple(count(encoder, f"encoder.layer{stage}.{{}}.conv1.weight") for stage in range(1, LEVELS))
    return DepthConfig(
        stem=encoder["encoder.conv1.weight"].shape[0],
        planes=tuple(encoder[f"encoder.layer{stage}.0.conv1.weight"].shape[0] for stage in range(1, LEVELS)),
        blocks=blocks,
        bottleneck="encoder.layer1.0.conv3.weight" in encoder,
        decoder=tuple(decoder[f"decoder.{2 * at}.conv.conv.weight"].shape[0] for at in reversed(range(LEVELS))),
        classes=encoder["encoder.fc.weight"].shape[0],
    )
