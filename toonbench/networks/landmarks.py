"""The network behind the motion metrics: one face picture in, landmarks, rig and "is there a face" out.

A small U-shaped convolutional network with soft-argmax heatmaps (Sun et al. 2018, "Integral human pose regression")
and Laplace uncertainties; the rig is read from the landmarks' positions together with the features found at each of
them. It is trained on damaged puppets of every style by `scripts/train_landmarks.py`; `weights/landmarks.md` tells how
good it is. Like other network files it imports torch at the top, so modules above import it inside functions.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from toonbench.types import CHANNEL_LIMITS, CHANNELS, LANDMARKS, ToonbenchError
from toonbench.weights.tensors import UnreadableTensors, first_line, named_tensors, read_content

SIZE = 128  # pixels a side of the picture that it sees
WEIGHTS = Path(__file__).parent / "weights" / "landmarks.safetensors"
_CELL = 4  # pixels a side of a heatmap cell
_LOCAL = 12  # features read at each landmark


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What the network says about a batch of pictures."""

    landmarks: Tensor  # (batch, LANDMARKS, 2) pixels of the 128-pixel picture, x right, y down, centres at .5
    log_scale: Tensor  # (batch, LANDMARKS) logarithm of the Laplace scale of a landmark, pixels
    rig: (
        Tensor  # (batch, readings): for the rig's channels 0 at a channel's lowest value, 1 at its highest; not clipped
    )
    face: Tensor  # (batch,) logit that a face is there


def limits() -> Tensor:
    """(channels, 2) lowest and highest value of every channel of the rig."""
    return torch.tensor(list(CHANNEL_LIMITS.values()), dtype=torch.float32)


def mirror_landmarks() -> list[int]:
    """The landmark that each landmark becomes in a mirror."""
    chains = [range(17), range(17, 27), range(31, 36), (36, 37, 38, 39, 42, 43, 44, 45), (41, 40, 47, 46),
              range(48, 55), range(55, 60), range(60, 65), range(65, 68), (68, 69)]  # fmt: skip
    order = list(range(LANDMARKS))
    for chain in chains:
        for one, other in zip(chain, reversed(chain), strict=True):
            order[one] = other
    return order


def _conv(inside: int, outside: int, *, stride: int = 1, kernel: int = 3, act: bool = True) -> nn.Sequential:
    layers: list[nn.Module] = [
        nn.Conv2d(inside, outside, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outside, momentum=0.03),
    ]
    return nn.Sequential(*layers, nn.ReLU()) if act else nn.Sequential(*layers)


class _Residual(nn.Module):
    """Two convolutions beside a shortcut (He et al. 2016)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = _conv(width, width), _conv(width, width, act=False)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, width, h, w) to the same."""
        return functional.relu(x + self.second(self.first(x)))


class LandmarkNet(nn.Module):
    """About 0.9 million parameters, 0.2 billion multiply-adds a picture. `readings` numbers are read from each picture."""

    def __init__(self, readings: int = len(CHANNELS)) -> None:
        super().__init__()
        self.readings = readings
        self.fine = nn.Sequential(_conv(3, 24, stride=2), _conv(24, 40, stride=2), _Residual(40), _Residual(40))
        self.middle = nn.Sequential(_conv(40, 80, stride=2), _Residual(80), _Residual(80))
        self.coarse = nn.Sequential(_conv(80, 96, stride=2), _Residual(96), _Residual(96))
        self.coarse_up, self.middle_side = _conv(96, 64, kernel=1, act=False), _conv(80, 64, kernel=1, act=False)
        self.middle_up, self.fine_side = _conv(64, 64), _conv(40, 64, kernel=1, act=False)
        self.merge = _conv(64, 48)
        self.heat = nn.Conv2d(48, LANDMARKS, 1)
        self.local = nn.Conv2d(48, _LOCAL, 1)
        self.rig = nn.Sequential(nn.Linear(LANDMARKS * (_LOCAL + 2) + 96, 112), nn.ReLU(), nn.Linear(112, readings))
        self.spread = nn.Linear(LANDMARKS + 96, LANDMARKS)
        self.face = nn.Linear(LANDMARKS + 96, 1)

    def forward(self, pictures: Tensor) -> Output:
        """(batch, 3, 128, 128) RGB in [-1, 1]; may run under autocast."""
        fine = self.fine(pictures)
        middle = self.middle(fine)
        coarse = self.coarse(middle)
        x = functional.interpolate(self.coarse_up(coarse), scale_factor=2) + self.middle_side(middle)
        x = functional.interpolate(self.middle_up(functional.relu(x)), scale_factor=2) + self.fine_side(fine)
        x = self.merge(functional.relu(x))
        with torch.autocast(pictures.device.type, enabled=False):  # positions want all 24 bits
            return self._read(x.float(), coarse.float().mean((2, 3)))

    def _read(self, x: Tensor, whole: Tensor) -> Output:
        """Features (batch, 48, 32, 32) and their coarse mean (batch, 96) to what is said about the picture."""
        side = SIZE // _CELL
        share = self.heat(x).flatten(2).softmax(2)  # (batch, landmarks, cells)
        grid = share.unflatten(2, (side, side))
        centre = (torch.arange(side, device=x.device) + 0.5) * _CELL
        landmarks = torch.stack([grid.sum(2) @ centre, grid.sum(3) @ centre], dim=2)
        near = share.detach() @ self.local(x).flatten(2).transpose(1, 2)  # (batch, landmarks, _LOCAL)
        place = (landmarks.detach() - SIZE / 2) / (SIZE / 4)
        sure = torch.cat([share.detach().square().sum(2), whole], dim=1)
        return Output(
            landmarks=landmarks,
            log_scale=self.spread(sure).clamp(-3, 4),
            rig=self.rig(torch.cat([near.flatten(1), place.flatten(1), whole], dim=1)),
            face=self.face(sure)[:, 0],
        )


def fold(network: LandmarkNet) -> LandmarkNet:
    """A copy for inference with every batch normalisation multiplied into the convolution before it."""
    folded = LandmarkNet(network.readings)
    folded.load_state_dict(network.state_dict())
    return _fold(folded.eval())


def _fold(network: LandmarkNet) -> LandmarkNet:
    for module in network.modules():
        if isinstance(module, nn.Sequential) and len(module) > 1:
            convolution, norm = module[0], module[1]
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                module[0] = torch.nn.utils.fuse_conv_bn_eval(convolution, norm)
                module[1] = nn.Identity()
    return network


def write_weights(network: LandmarkNet, path: Path) -> None:
    """Store a trained network, folded, as half floats in a safetensors file."""
    from safetensors.torch import save

    state = {name: value.half().contiguous() for name, value in fold(network).state_dict().items()}
    path.write_bytes(save(state))


def read_weights(path: Path = WEIGHTS) -> LandmarkNet:
    """Load a stored network, ready for inference in float32 on the CPU.

    Raises ToonbenchError if the file is absent or is not this network's.
    """
    return load_folded(LandmarkNet(), path, title="the landmark network", script="scripts/train_landmarks.py")


def load_folded(network: LandmarkNet, path: Path, *, title: str, script: str) -> LandmarkNet:
    """Fill a network with what `write_weights` stored; `title` and `script` are for the message.

    Raises ToonbenchError if the file is absent or is not this network's.
    """
    network = _fold(network.eval())
    try:
        state = named_tensors(read_content(path))
        network.load_state_dict({name: value.float() for name, value in state.items()})
    except (UnreadableTensors, RuntimeError) as error:
        raise ToonbenchError(
            f"{title}'s weights {path} cannot be read ({first_line(error)}): install toonbench again, "
            f"or train them with {script}"
        ) from error
    return network.to(memory_format=torch.channels_last)
