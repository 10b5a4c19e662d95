"""The networks and linear layers of LPIPS, as the package `lpips` builds them, and their distance in less memory."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from toonbench.networks.deterministic import deterministic_state
from toonbench.networks.running import laid_out, quiet, read_state
from toonbench.types import ToonbenchError

if TYPE_CHECKING:
    from torch import Tensor

Net = Literal["alex", "vgg"]
LINEAR = "weights/v0.1"  # of the package: the linear layers, version 0.1
DEPRECATED = "The parameter 'pretrained' is deprecated", "Arguments other than a weight enum or `None` for 'weights'"


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
    linear |= {f"lins.{key[3:]}": one for key, one in linear.items()}  # each layer has two names
    network.load_state_dict(
        {**backbone, **linear, **network.scaling_layer.state_dict(prefix="scaling_layer.")}, assign=True
    )
    return laid_out(network.requires_grad_(False))


@lru_cache(maxsize=2)
def from_file(net: Net, path: Path) -> Any:
    """The network with torchvision's weights in its backbone: `features.I` is `net.sliceN.I`.

    Raises ToonbenchError if the file does not hold them.
    """
    state, network = read_state(path), skeleton(net)
    backbone_keys = [key for key in network.state_dict() if key.startswith("net.")]
    backbone = {key: state.get(f"features.{key.split('.', 2)[2]}") for key in backbone_keys}
    found = {key: one for key, one in backbone.items() if one is not None}
    shapes = {key: tuple(one.shape) for key, one in network.state_dict().items()}
    if len(found) < len(backbone_keys) or any(tuple(one.shape) != shapes[key] for key, one in found.items()):
        raise ToonbenchError(f"weights '{path}' are not of the network '{net}': fetch the file again")
    return filled(network, found, net=net)


def with_test_weights(net: Net) -> Any:
    """The network with a backbone of deterministic test weights."""
    network = skeleton(net)
    names = {key: one for key, one in network.state_dict().items() if key.startswith("net.")}
    return filled(network, deterministic_state(names, "lpips"), net=net)
