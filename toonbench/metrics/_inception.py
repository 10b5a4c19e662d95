"""Features of frames by the Inception network of FID, as pytorch-fid computes them; what `fid` and `kid` share."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from toonbench.networks.deterministic import recipe_state
from toonbench.networks.running import laid_out, measuring, picture_batch, read_state
from toonbench.types import Frames, Metric, Need, Rows, Sample, ToonbenchError

if TYPE_CHECKING:
    from torch import Tensor

WIDTH = 2048
BATCH = 8  # frames: more are no faster on a CPU, and what a batch holds must not depend on the machine


class InceptionFeatures(Metric):
    """A distribution of Inception's last pooled features; `network` is pytorch_fid's `InceptionV3`, else fetched weights.

    pytorch-fid 0.3.0: RGB / 255, bilinear resize to 299 x 299 without antialiasing, 2x - 1, `pool3`: 2048 values of 0
    and more. Values of other packages (torch-fidelity, clean-fid) differ in the third digit by their resize alone.
    """

    needs: frozenset[Need] = frozenset({"reference"})
    aggregate = "corpus"
    features = "inception@1"
    weights = ("inception-fid",)
    packages: Mapping[str, str] = {"pytorch_fid": "pytorch-fid==0.3.0"}

    def __init__(self, *, network: Any = None, device: str = "cpu") -> None:
        self.device = device
        self._network = network

    @classmethod
    def with_test_weights(cls) -> Self:
        """With recipe weights: for tests and goldens, without any download."""
        return cls(network=_recipe_network())

    def extract_features(self, frames: Frames) -> Rows:
        """(frames, 2048) float32."""
        rows = np.empty((len(frames), WIDTH), np.float32)
        with measuring(self.device):
            for start in range(0, len(frames), BATCH):
                batch = picture_batch(frames[start : start + BATCH], device=self.device) / 255
                rows[start : start + BATCH] = self._loaded()(batch)[0].flatten(1).cpu().numpy()
        return rows

    def measure(self, sample: Sample) -> Rows:
        """(frames, 2048) float32: the features of the generated frames."""
        return self.extract_features(sample.generated)

    def _loaded(self) -> Any:
        if self._network is None:
            from toonbench import weights

            self._network = _pretrained(weights.path(self.weights[0]))
        return self._network.to(self.device)


@lru_cache(maxsize=1)
def _pretrained(path: Path) -> Any:
    state = read_state(path)
    try:
        return inception(state)
    except RuntimeError as error:  # keys or shapes
        raise ToonbenchError(f"weights '{path}' are not of FID's Inception network: fetch the file again") from error


@lru_cache(maxsize=1)
def _recipe_network() -> Any:
    import torch

    models: Any = importlib.import_module("torchvision.models")
    with torch.device("meta"):  # FID's network has the parameters of torchvision's
        names = models.inception_v3(weights=None, num_classes=1008, aux_logits=False, init_weights=False).state_dict()
    return inception(recipe_state(names, "inception"))


def inception(state: Mapping[str, Tensor]) -> Any:
    """pytorch_fid's `InceptionV3` with `state`, which has the keys of its weight file; RuntimeError if it has not.

    Each convolution is joined with the normalisation behind it, which is a seventh faster and changes the
    features by 3e-7 of the largest.
    """
    import torch
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    module: Any = importlib.import_module("pytorch_fid.inception")
    download = module.load_state_dict_from_url  # the package knows no other way to its weights

    def ours(url: str, *, progress: bool = True) -> dict[str, Tensor]:  # noqa: ARG001
        return dict(state)

    module.load_state_dict_from_url = ours
    try:
        with torch.random.fork_rng(devices=[]):  # it draws weights first; who seeded PyTorch shall not notice
            network = module.InceptionV3().eval()
    finally:
        module.load_state_dict_from_url = download
    for part in network.modules():
        if hasattr(part, "conv") and hasattr(part, "bn"):
            part.conv = fuse_conv_bn_eval(part.conv, part.bn)
            part.bn = torch.nn.Identity()
    return laid_out(network.requires_grad_(False))
