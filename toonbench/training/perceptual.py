"""The network of perceptual losses, or none: machines without VGG19's weights train, too, and checkpoints name the choice."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from toonbench import weights
from toonbench.networks.vgg19 import VGG19
from toonbench.types import ToonbenchError

Perceptual = Literal["vgg19", "random", "none"]
VARIABLE = "TOONBENCH_VGG19"


def perceptual_network(kind: Perceptual) -> VGG19 | None:
    """VGG19 with its weights, with random weights from a fixed seed, or None.

    Raises ToonbenchError for "vgg19" without weights, or with damaged ones.
    """
    if kind == "none":
        return None
    if kind == "random":
        return VGG19()
    file = vgg19_file()
    if file is None:
        raise ToonbenchError(
            "the perceptual loss has no VGG19 weights: run `toonbench weights fetch vgg19`, or name a file with torchvision's "
            f"vgg19().state_dict() in {VARIABLE}, or train with --config mini, which does not use it"
        )
    return VGG19(file)


def vgg19_file() -> Path | None:
    """The file that TOONBENCH_VGG19 names, or else the fetched weights `vgg19`; None where there is neither.

    Raises ToonbenchError for fetched weights that are damaged.
    """
    if file := os.environ.get(VARIABLE):
        return Path(file)
    try:
        return weights.path("vgg19")
    except weights.WeightsMissing:
        return None
