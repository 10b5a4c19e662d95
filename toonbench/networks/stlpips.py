"""ST-LPIPS (Ghildyal and Liu 2022) with AlexNet: LPIPS whose network and weights were trained to tolerate small shifts.

Convolutions have no stride; a small blur comes before each reduction, as the package `stlpips-pytorch` 0.0.2 has it. The file
in that package holds all layers.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from toonbench.networks.deterministic import deterministic_state
from toonbench.networks.running import FETCH, laid_out, read_state
from toonbench.types import ToonbenchError

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME = "stlpips-alex"


class _Blur(nn.Module):
    """A blur of 3 x 3 and a reduction by 2; two pixels are reflected at each edge."""

    filt: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        line = torch.tensor([1.0, 2.0, 1.0])
        self.register_buffer("filt", (line[:, None] * line / 16).expand(channels, 1, 3, 3).clone())

    def forward(self, x: Tensor) -> Tensor:
        x = functional.pad(x, (2, 2, 2, 2), mode="reflect")
        return functional.conv2d(x, self.filt, stride=2, groups=len(self.filt))


class _Scaling(nn.Module):
    """Colours in [-1, 1] to those of the network."""

    shift: Tensor
    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("shift", torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1))
        self.register_buffer("scale", torch.tensor([0.458, 0.448, 0.450]).view(1, 3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.shift) / self.scale


class _Linear(nn.Module):
    """Weights of the channels of one layer."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.model = nn.Sequential(nn.Identity(), nn.Conv2d(channels, 1, 1, bias=False))


class STLPIPS(nn.Module):
    """The network, with the names of the file and the parts that `lpips.distances` expects."""

    def __init__(self) -> None:
        super().__init__()
        self.scaling_layer = _Scaling()
        self.net = nn.Module()
        slices: list[list[nn.Module]] = [
            [nn.Conv2d(3, 64, 11, padding=2), _Blur(64), nn.ReLU()],
            [nn.MaxPool2d(3, 1), _Blur(64), nn.Conv2d(64, 192, 5, padding=2), nn.ReLU()],
            [nn.MaxPool2d(3, 1), _Blur(192), nn.Conv2d(192, 384, 3, padding=1), nn.ReLU()],
            [nn.Conv2d(384, 256, 3, padding=1), nn.ReLU()],
            [nn.Conv2d(256, 256, 3, padding=1), nn.ReLU()],
        ]
        place = 0
        for number, layers in enumerate(slices, start=1):
            part = nn.Sequential()
            for layer in layers:
                part.add_module(str(place), layer)
                place += 1
            self.net.add_module(f"slice{number}", part)
        for number, channels in enumerate((64, 192, 384, 256, 256)):
            self.add_module(f"lin{number}", _Linear(channels))

    @property
    def lins(self) -> Sequence[nn.Module]:
        """The weights of the five layers."""
        return [getattr(self, f"lin{number}") for number in range(5)]


@lru_cache(maxsize=1)
def from_file(path: Path) -> STLPIPS:
    """The network with the weights of a file. Raises ToonbenchError if the file does not hold them."""
    state, network = read_state(path), STLPIPS()
    shapes = {key: one.shape for key, one in network.state_dict().items()}
    if {key: one.shape for key, one in state.items()} != shapes:
        raise ToonbenchError(f"weights '{path}' are not of ST-LPIPS with AlexNet: {FETCH}")
    network.load_state_dict(state)
    return _for_inference(network)


def with_test_weights() -> STLPIPS:
    """The network with deterministic test weights; those of the channels are not negative."""
    network = STLPIPS()
    weights = deterministic_state(dict(network.named_parameters()), "stlpips")
    network.load_state_dict(
        {key: one.abs() if key.startswith("lin") else one for key, one in weights.items()}, strict=False
    )
    return _for_inference(network)


def _for_inference(network: STLPIPS) -> STLPIPS:
    return laid_out(network.eval().requires_grad_(requires_grad=False))
