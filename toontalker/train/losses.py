"""The terms of the objective (paper Eq. 9 to 12). Images are (B, 3, H, W) in [-1, 1]; every loss is a scalar mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toonbench.types import ToonbenchError

from ..layers import sampling_grid
from .config import Perceptual

PerceptualLoss = Callable[[Tensor, Tensor], Tensor]

# VGG19 up to relu5_1: output channels of the 3 x 3 convolutions, "M" for max pooling; `relu*_1` is read after each stage's first.
VGG_LAYERS = (64, 64, "M", 128, 128, "M", 256, 256, 256, 256, "M", 512, 512, 512, 512, "M", 512)
VGG_MEAN, VGG_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PYRAMID = 4  # full, 1/2, 1/4, 1/8


def pyramid_l1(made: Tensor, wanted: Tensor, *, levels: int) -> Tensor:
    """Mean absolute difference, averaged over `levels` scales, each half the one before."""
    loss = (made - wanted).abs().mean()
    for _ in range(levels - 1):
        made, wanted = F.avg_pool2d(made, 2), F.avg_pool2d(wanted, 2)
        loss = loss + (made - wanted).abs().mean()
    return loss / levels


def warp_l1(source: Tensor, wanted: Tensor, fields: Sequence[Tensor]) -> Tensor:
    """The source picture itself, moved by every level's flow, against the answer; averaged over the levels.

    Ties the flows to the pictures directly: through the decoder alone, blur pays sooner than motion. `fields` are the
    flow heads' raw outputs (B, 3, H, W).
    """
    loss = source.new_zeros(())
    for field in fields:
        size = field.shape[-1]
        flow = torch.tanh(field[:, :2]) + sampling_grid(size, field.device)
        small, answer = F.adaptive_avg_pool2d(source, size), F.adaptive_avg_pool2d(wanted, size)
        moved = F.grid_sample(small, flow.permute(0, 2, 3, 1), padding_mode="border", align_corners=False)
        loss = loss + (moved - answer).abs().mean()
    return loss / len(fields)


def gradient_l1(made: Tensor, wanted: Tensor) -> Tensor:
    """Mean absolute difference of horizontal and vertical image gradients: wants edges where the answer has them."""
    error = made - wanted
    return error.diff(dim=2).abs().mean() + error.diff(dim=3).abs().mean()


def analogy(w_g: Tensor, w_s: Tensor, w_a: Tensor, w_b: Tensor, *, detach_driving: bool = False) -> Tensor:
    """Eq. 9: the synthetic image moved from its source as the driver moved from a to b, L1 in canonical space.

    All are w_{r->x}, (B, K, width); `w_g` of the generated image encoded again (Eq. 8).
    """
    driven = w_b - w_a
    return ((w_g - w_s) - (driven.detach() if detach_driving else driven)).abs().mean()


def fooling(logits: Tensor) -> Tensor:
    """Generator side, Eq. 10: -log D with D = sigmoid(logits)."""
    return F.softplus(-logits).mean()


def telling_apart(real: Tensor, fake: Tensor) -> Tensor:
    """Discriminator side of the same game."""
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def r1_penalty(logits: Tensor, images: Tensor) -> Tensor:
    """Half the mean squared gradient of D at real images; multiply by gamma."""
    (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return 0.5 * gradient.square().sum((1, 2, 3)).mean()


class VGGLoss(nn.Module):
    """L1 between the five relu*_1 features of VGG19, summed over an image pyramid (full, 1/2, 1/4, 1/8).

    Layout of `weights`: torchvision's `vgg19().state_dict()`. Without a file the weights are random, from a fixed seed.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, weights: Path | None) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(19)
            self.features = nn.Sequential(*_vgg_layers())
        self.register_buffer("mean", torch.tensor(VGG_MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(VGG_STD).view(1, 3, 1, 1))
        if weights is not None:
            state = torch.load(weights, map_location="cpu", weights_only=True)
            self.features.load_state_dict({k: state[f"features.{k}"] for k in self.features.state_dict()})
        self.requires_grad_(False)

    def forward(self, made: Tensor, wanted: Tensor) -> Tensor:
        """Loss of `made` against `wanted`, both (B, 3, H, W) in [-1, 1]."""
        loss = made.new_zeros(())
        for _ in range(PYRAMID):
            for ours, theirs in zip(self._slices(made), self._slices(wanted), strict=True):
                loss = loss + (ours - theirs).abs().mean()
            made, wanted = F.avg_pool2d(made, 2), F.avg_pool2d(wanted, 2)
        return loss

    def _slices(self, x: Tensor) -> list[Tensor]:
        x = ((x + 1.0) / 2.0 - self.mean) / self.std
        found: list[Tensor] = []
        stage_start = True
        for layer in self.features:
            if isinstance(layer, nn.MaxPool2d) and min(x.shape[-2:]) < 2:
                break  # the smallest pyramid level of a small image runs out of pixels
            x = layer(x)
            if isinstance(layer, nn.ReLU) and stage_start:
                found.append(x)
            stage_start = isinstance(layer, nn.MaxPool2d) or (stage_start and not isinstance(layer, nn.ReLU))
        return found


def _vgg_layers() -> list[nn.Module]:
    layers: list[nn.Module] = []
    channels = 3
    for entry in VGG_LAYERS:
        if isinstance(entry, int):
            layers += [nn.Conv2d(channels, entry, 3, padding=1), nn.ReLU()]
            channels = entry
        else:
            layers.append(nn.MaxPool2d(2))
    return layers


def perceptual_loss(kind: Perceptual, *, weights: Path | None = None) -> PerceptualLoss | None:
    """The perceptual plug: VGG19 with `weights`, the same network with random ones, or None."""
    if kind == "none":
        return None
    if kind == "vgg19" and weights is None:
        raise ToonbenchError(
            "perceptual vgg19: no weights given; run toonbench weights fetch vgg19, or save torchvision's "
            "vgg19().state_dict() and name the file in TOONTALKER_VGG19, or choose --config mini, which trains without"
        )
    return VGGLoss(weights if kind == "vgg19" else None)
