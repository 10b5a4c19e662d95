"""LPIPS of frames with the networks and linear layers of the package `lpips`, on weights that are on this machine."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from toonbench.metrics.shared import target_of
from toonbench.networks.deterministic import recipe_state
from toonbench.networks.running import laid_out, measuring, picture_batch, quiet, read_state
from toonbench.types import Frames, Metric, Need, Rows, Sample, ToonbenchError

if TYPE_CHECKING:
    from torch import Tensor

Net = Literal["alex", "vgg"]
SMALLEST: Mapping[Net, int] = {"alex": 31, "vgg": 16}  # pixels: a shorter side leaves nothing to pool
LINEAR = "weights/v0.1"  # of the package: the linear layers, version 0.1
PIXELS = 2**18  # of a batch: four pairs of 256 x 256, which takes vgg 0.6 GB
DEPRECATED = "The parameter 'pretrained' is deprecated", "Arguments other than a weight enum or `None` for 'weights'"


class LearnedDistance(Metric):
    """What `lpips_alex` and `lpips_vgg` share; `network` is an `lpips.LPIPS`, by default the one with fetched weights."""

    net: Net
    name: str
    weights: tuple[str, ...]
    version = 1
    higher_is_better = False
    needs: frozenset[Need] = frozenset({"target"})
    bounds = (0.0, np.inf)
    packages: Mapping[str, str] = {"lpips": "lpips==0.1.4"}

    def __init__(self, *, network: Any = None, device: str = "cpu") -> None:
        self.device = device
        self._network = network

    @classmethod
    def with_test_weights(cls) -> Self:
        """With a backbone of recipe weights: for tests and goldens, without any download."""
        network = skeleton(cls.net)
        names = {key: one for key, one in network.state_dict().items() if key.startswith("net.")}
        return cls(network=filled(network, recipe_state(names, "lpips"), net=cls.net))

    def measure(self, sample: Sample) -> Rows:
        """(frames, 1) float32; NaN where the frame is smaller than the network can see."""
        return self.distances(sample.generated, target_of(sample, self.name))

    def distances(self, frames: Frames, others: Frames) -> Rows:
        """(frames, 1) float32 between frames of one shape; exactly 0 where they are equal."""
        rows = np.zeros((len(frames), 1), np.float32)
        if min(frames.shape[1:3]) < SMALLEST[self.net]:
            rows[:] = np.nan
            return rows
        different = [at for at in range(len(frames)) if not np.array_equal(frames[at], others[at])]
        size = max(1, PIXELS // (frames.shape[1] * frames.shape[2]))
        with measuring(self.device):
            for start in range(0, len(different), size):
                chosen = different[start : start + size]
                pair = [picture_batch(one[chosen], device=self.device) for one in (frames, others)]
                rows[chosen, 0] = distances(self._loaded(), *pair).cpu().numpy()
        return rows

    def _loaded(self) -> Any:
        if self._network is None:
            from toonbench import weights

            self._network = _pretrained(self.net, weights.path(self.weights[0]))
        return self._network.to(self.device)


def distances(network: Any, frames: Tensor, others: Tensor) -> Tensor:
    """(n,) distances of (n, 3, height, width) frames, 0 to 255: `network(a / 127.5 - 1, b / 127.5 - 1)`, with less memory.

    Both go through the backbone at once, and what a layer gave is dropped when the next is reached.
    """
    import torch

    count = len(frames)
    features = network.scaling_layer(torch.cat([frames, others]) / 127.5 - 1)
    total = torch.zeros(count, device=features.device)
    for level, linear in enumerate(network.lins, start=1):
        features = getattr(network.net, f"slice{level}")(features)
        length = features.square().sum(dim=1, keepdim=True).sqrt_().add_(1e-10)
        unit = features / length
        difference = (unit[:count] - unit[count:]).square_()
        weights = linear.model[-1].weight  # a 1 x 1 convolution to one channel
        total += (difference * weights).sum(dim=1).mean(dim=(1, 2))
    return total


def skeleton(net: Net) -> Any:
    """An `lpips.LPIPS` without values in its backbone: the package fills a whole classifier at random to cut it up."""
    import torch

    lpips: Any = importlib.import_module("lpips")
    with quiet(*DEPRECATED), torch.device("meta"):
        network = lpips.LPIPS(net=net, version="0.1", pnet_rand=True, pretrained=False, verbose=False)
    network.scaling_layer = importlib.import_module("lpips.lpips").ScalingLayer()
    return network.eval()


def filled(network: Any, backbone: Mapping[str, Tensor], *, net: Net) -> Any:
    """`network` with `backbone` (keys `net.`) and the package's linear layers, laid out for speed."""
    lpips: Any = importlib.import_module("lpips")
    linear = read_state(Path(lpips.__file__).parent / LINEAR / f"{net}.pth")
    linear |= {f"lins.{key[3:]}": one for key, one in linear.items()}  # each layer stands under two names
    network.load_state_dict(
        {**backbone, **linear, **network.scaling_layer.state_dict(prefix="scaling_layer.")}, assign=True
    )
    return laid_out(network.requires_grad_(False))


@lru_cache(maxsize=2)
def _pretrained(net: Net, path: Path) -> Any:
    """With torchvision's weights: `features.I` is `net.sliceN.I`."""
    state, network = read_state(path), skeleton(net)
    wanted = [key for key in network.state_dict() if key.startswith("net.")]
    backbone = {key: state.get(f"features.{key.split('.', 2)[2]}") for key in wanted}
    found = {key: one for key, one in backbone.items() if one is not None}
    shapes = {key: tuple(one.shape) for key, one in network.state_dict().items()}
    if len(found) < len(wanted) or any(tuple(one.shape) != shapes[key] for key, one in found.items()):
        raise ToonbenchError(f"weights '{path}' are not of the network '{net}': fetch the file again")
    return filled(network, found, net=net)
