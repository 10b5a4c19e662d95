"""The features of VGG19 (Simonyan & Zisserman 2015) up to relu5_1, and the perceptual loss on them (Johnson et al. 2016)."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toonbench.networks.running import built, read_state

# The output channels of the 3 x 3 convolutions; "M" is max pooling. `relu*_1` follows the first convolution of each stage.
LAYERS = (64, 64, "M", 128, 128, "M", 256, 256, 256, 256, "M", 512, 512, 512, 512, "M", 512)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, for pixels in [0, 1]
PYRAMID = 4  # full size, 1/2, 1/4, 1/8


class VGG19(nn.Module):
    """The five `relu*_1` features. The weights are those of a file, or random ones from a fixed seed.

    `weights` has the layout of torchvision's `vgg19().state_dict()`. Raises ToonbenchError for a file without it.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, weights: Path | None = None) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(19)
            self.features = nn.Sequential(*_layers())
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1))
        if weights is not None:
            state = read_state(weights)
            built(lambda: self._load(state), weights)
        self.requires_grad_(False)

    def forward(self, images: Tensor) -> list[Tensor]:
        """The features of images (B, 3, H, W) in [-1, 1]. An image that is too small to pool has fewer than five."""
        x = ((images + 1.0) / 2.0 - self.mean) / self.std
        found: list[Tensor] = []
        stage_start = True
        for layer in self.features:
            if isinstance(layer, nn.MaxPool2d) and min(x.shape[-2:]) < 2:
                break
            x = layer(x)
            if isinstance(layer, nn.ReLU) and stage_start:
                found.append(x)
            stage_start = isinstance(layer, nn.MaxPool2d) or (stage_start and not isinstance(layer, nn.ReLU))
        return found

    def _load(self, state: dict[str, Tensor]) -> None:
        self.features.load_state_dict({key: state[f"features.{key}"] for key in self.features.state_dict()})


class PerceptualLoss(nn.Module):
    """L1 between the features of VGG19, summed over layers and over an image pyramid (full size, 1/2, 1/4, 1/8)."""

    def __init__(self, network: VGG19) -> None:
        super().__init__()
        self.network = network

    def forward(self, generated: Tensor, target: Tensor) -> Tensor:
        """The loss of `generated` against `target`, both (B, 3, H, W) in [-1, 1]."""
        loss = generated.new_zeros(())
        for _ in range(PYRAMID):
            for ours, theirs in zip(self.network(generated), self.network(target), strict=True):
                loss = loss + (ours - theirs).abs().mean()
            generated, target = F.avg_pool2d(generated, 2), F.avg_pool2d(target, 2)
        return loss


def _layers() -> list[nn.Module]:
    layers: list[nn.Module] = []
    channels = 3
    for entry in LAYERS:
        if isinstance(entry, int):
            layers += [nn.Conv2d(channels, entry, 3, padding=1), nn.ReLU()]
            channels = entry
        else:
            layers.append(nn.MaxPool2d(2))
    return layers
