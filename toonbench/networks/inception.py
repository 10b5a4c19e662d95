"""The Inception network of FID, as the package pytorch-fid builds it."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toonbench.networks.deterministic import deterministic_state
from toonbench.networks.running import laid_out, read_state
from toonbench.types import ToonbenchError

if TYPE_CHECKING:
    from torch import Tensor


@lru_cache(maxsize=1)
def from_file(path: Path) -> Any:
    """The network with the weights of `path`; raises ToonbenchError if they are not of this network."""
    state = read_state(path)
    try:
        return from_state(state)
    except RuntimeError as error:  # keys or shapes
        raise ToonbenchError(f"weights '{path}' are not of FID's Inception network: fetch the file again") from error


@lru_cache(maxsize=1)
def with_test_weights() -> Any:
    """The network with deterministic test weights."""
    import torch

    models: Any = importlib.import_module("torchvision.models")
    with torch.device("meta"):  # FID's network has the parameters of torchvision's
        names = models.inception_v3(weights=None, num_classes=1008, aux_logits=False, init_weights=False).state_dict()
    return from_state(deterministic_state(names, "inception"))


def from_state(state: Mapping[str, Tensor]) -> Any:
    """pytorch_fid's `InceptionV3` with `state`, which has the keys of its weight file; RuntimeError if it has not.

    Each convolution is joined with the normalisation behind it, which is a seventh faster and changes the
    features by 3e-7 of the largest.
    """
    import torch
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    module: Any = importlib.import_module("pytorch_fid.inception")
    download = module.load_state_dict_from_url  # the package has no other way to get its weights

    def ours(url: str, *, progress: bool = True) -> dict[str, Tensor]:  # noqa: ARG001
        return dict(state)

    module.load_state_dict_from_url = ours
    try:
        with torch.random.fork_rng(
            devices=[]
        ):  # the package draws weights first, which must not change PyTorch's random state
            network = module.InceptionV3().eval()
    finally:
        module.load_state_dict_from_url = download
    for part in network.modules():
        if hasattr(part, "conv") and hasattr(part, "bn"):
            part.conv = fuse_conv_bn_eval(part.conv, part.bn)
            part.bn = torch.nn.Identity()
    return laid_out(network.requires_grad_(False))
