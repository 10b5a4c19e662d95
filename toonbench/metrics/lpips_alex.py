"""LPIPS with AlexNet: learned perceptual distance to the target frames."""

from __future__ import annotations

from toonbench.metrics._lpips import LPIPS


class LPIPSAlex(LPIPS):
    """Distance of AlexNet's features to the target's, weighted by human judgements (Zhang, Isola, Efros et al. 2018); 0 is equal.

    Sum over five layers l of the mean over positions of w_l · (f_l(x) / |f_l(x)| - f_l(y) / |f_l(y)|)². Package `lpips`
    0.1.4, version 0.1, RGB scaled to -1 .. 1, at the frames' own size. Reduced as the mean over pairs of each pair's mean
    over frames (LIA, `evaluation.py`). This is the LPIPS of reenactment papers; `lpips_vgg` has another scale.
    Frames under 31 pixels are not measured.
    """

    name = "lpips_alex"
    net = "alex"
    smallest = 31
    weights = ("alexnet",)
