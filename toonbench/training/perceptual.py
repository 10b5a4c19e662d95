"""The network of perceptual losses, or none: machines without VGG19's weights train, too, and checkpoints name the choice."""

from __future__ import annotations

from typing import Literal

from toonbench import weights
from toonbench.networks.vgg19 import VGG19
from toonbench.types import ToonbenchError

Perceptual = Literal["vgg19", "random", "none"]


def perceptual_network(kind: Perceptual) -> VGG19 | None:
    """VGG19 with its weights, with random weights from a fixed seed, or None.

    Raises ToonbenchError for "vgg19" without weights, or with damaged ones.
    """
    if kind == "none":
        return None
    if kind == "random":
        return VGG19()
    try:
        return VGG19(weights.path("vgg19"))
    except weights.WeightsMissing as error:
        raise ToonbenchError(
            "the perceptual loss has no VGG19 weights: run `toonbench weights fetch vgg19`, or train with --config mini, "
            "which does not use it"
        ) from error
