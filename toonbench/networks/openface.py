"""OpenFace's nn4.small2.v1 (Amos, Ludwiczuk, Satyanarayanan 2016): a face of 96 pixels in, a point on the unit sphere out.

FaceNet's NN4 (Schroff et al. 2015) made smaller, as OpenFace's definition for Torch7 has it. Like other network files
it imports torch at the top, so modules above import it inside functions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from toonbench.types import ToonbenchError

SIZE = 96  # pixels a side of the picture that it sees
WIDTH = 128
_EPS = 1e-6  # under the root of the norm, as OpenFacePytorch has it
_COUNT = "num_batches_tracked"  # newer than the published file


def _conv(inside: int, outside: int, *, kernel: int = 1, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inside, outside, kernel, stride, kernel // 2), nn.BatchNorm2d(outside), nn.ReLU())


def _cross_map_norm() -> nn.Module:
    """Torch7's SpatialCrossMapLRN(5, 1e-4, 0.75): x / (1 + alpha / 5 * sum over 5 channels of squares) ^ beta."""
    return nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Branches:
    """One inception: (kernel, reduced, outside) of its convolutions, its pooling and what is left of it, its 1 x 1."""

    inside: int
    stride: int
    convs: Sequence[tuple[int, int, int]]
    lp: bool  # L2 pooling, 3 x 3 with stride 3; otherwise maximum, 3 x 3 with stride 2
    pooled: int = 0  # 0: the pooled channels as they are
    single: int = 0  # 0: no 1 x 1 branch


_LAYERS = {
    "3a": _Branches(inside=192, stride=1, convs=((3, 96, 128), (5, 16, 32)), lp=False, pooled=32, single=64),
    "3b": _Branches(inside=256, stride=1, convs=((3, 96, 128), (5, 32, 64)), lp=True, pooled=64, single=64),
    "3c": _Branches(inside=320, stride=2, convs=((3, 128, 256), (5, 32, 64)), lp=False),
    "4a": _Branches(inside=640, stride=1, convs=((3, 96, 192), (5, 32, 64)), lp=True, pooled=128, single=256),
    "4e": _Branches(inside=640, stride=2, convs=((3, 160, 256), (5, 64, 128)), lp=False),
    "5a": _Branches(inside=1024, stride=1, convs=((3, 96, 384),), lp=True, pooled=96, single=256),
    "5b": _Branches(inside=736, stride=1, convs=((3, 96, 384),), lp=False, pooled=96, single=256),
}


class _Inception(nn.Module):
    """Branches side by side; smaller maps are put in the middle of the largest, zeros around them."""

    def __init__(self, plan: _Branches) -> None:
        super().__init__()
        branches: list[nn.Module] = [
            nn.Sequential(_conv(plan.inside, reduced), _conv(reduced, outside, kernel=kernel, stride=plan.stride))
            for kernel, reduced, outside in plan.convs
        ]
        pool: nn.Module = nn.LPPool2d(2, 3, 3) if plan.lp else nn.MaxPool2d(3, 2)
        branches.append(nn.Sequential(pool, _conv(plan.inside, plan.pooled)) if plan.pooled else pool)
        if plan.single:
            branches.append(_conv(plan.inside, plan.single))
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, inside, side, side) to (batch, outside, side / stride, side / stride)."""
        maps: list[Tensor] = [branch(x) for branch in self.branches]
        side = max(one.shape[-1] for one in maps)
        return torch.cat([_centred(one, side) for one in maps], dim=1)


def _centred(x: Tensor, side: int) -> Tensor:
    before = (side - x.shape[-1]) // 2
    after = side - x.shape[-1] - before
    return functional.pad(x, (before, after, before, after))


class OpenFace(nn.Module):
    """3.7 million parameters, 0.2 billion multiply-adds a picture."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            _conv(3, 64, kernel=7, stride=2),
            nn.MaxPool2d(3, 2, 1),
            _cross_map_norm(),
            _conv(64, 64),
            _conv(64, 192, kernel=3),
            _cross_map_norm(),
            nn.MaxPool2d(3, 2, 1),
        )
        self.inceptions = nn.Sequential(*(_Inception(plan) for plan in _LAYERS.values()))
        self.linear = nn.Linear(736, WIDTH)

    def forward(self, pictures: Tensor) -> Tensor:
        """(batch, 3, 96, 96) BGR in [0, 1] to (batch, 128) of length 1."""
        x = functional.avg_pool2d(self.inceptions(self.stem(pictures)), 3)
        x = self.linear(x.flatten(1))
        return x / (x.square().sum(dim=1, keepdim=True) + _EPS).sqrt()


def from_state(state: Mapping[str, Tensor]) -> OpenFace:
    """The network with the tensors of `state`, ready for inference.

    The published file has names of its own. Its tensors are taken in their order, which is the order of the layers;
    each must have the shape of ours and end in the same word (weight, bias, running_mean, running_var).
    Raises ToonbenchError if anything does not fit.
    """
    network = OpenFace()
    ours = {name: value for name, value in network.state_dict().items() if not name.endswith(_COUNT)}
    given = {name: value for name, value in state.items() if not name.endswith(_COUNT)}
    if len(given) != len(ours):
        raise ToonbenchError(f"OpenFace has {len(ours)} tensors and the file {len(given)}; {_ADVICE}")
    pairs = zip(ours.items(), given.items(), strict=True)
    network.load_state_dict(
        {name: _fitting(name, own, key, value) for (name, own), (key, value) in pairs}, strict=False
    )
    return network.eval()


_ADVICE = "this is not nn4.small2.v1: fetch the file again with toonbench weights fetch openface"


def _fitting(name: str, own: Tensor, key: str, value: Tensor) -> Tensor:
    """`value`, known to be of our tensor's shape and kind."""
    if value.shape != own.shape or name.rsplit(".", 1)[-1] != key.rsplit(".", 1)[-1]:
        raise ToonbenchError(
            f"OpenFace's '{name}' has shape {tuple(own.shape)} and the file's '{key}' in its place {tuple(value.shape)}; {_ADVICE}"
        )
    return value
