"""LPIPS with VGG16: learned perceptual distance to the target frames."""

from __future__ import annotations

from toonbench.metrics._lpips import LPIPS


class LPIPSVGG(LPIPS):
    """Distance of VGG16's features to the target's, weighted by human judgements (Zhang, Isola, Efros et al. 2018); 0 is equal.

    As `lpips_alex` with another backbone (the first five stages of VGG16): closer to the losses that networks are trained
    with, so it favours methods trained on VGG features. It takes about 25 times as long. The numbers of the two cannot be
    compared. Frames under 16 pixels are not measured.
    """

    name = "lpips_vgg"
    net = "vgg"
    smallest = 16
    weights = ("vgg16",)
