"""The terms of the objective (paper Eq. 9 to 12). Images are (B, 3, H, W) in [-1, 1]; every loss is a scalar mean."""

from __future__ import annotations

from torch import Tensor

from toonbench.networks.vgg19 import PerceptualLoss
from toonbench.training.reconstruction import flow_l1, moved_by, pyramid_l1

from ..generator import Trace
from .config import TrainConfig


def reconstruction_terms(
    source: Tensor,
    generated: Tensor,
    target: Tensor,
    *,
    trace: Trace,
    config: TrainConfig,
    perceptual: PerceptualLoss | None,
) -> dict[str, Tensor]:
    """The weighted terms between an image that was generated from `source`, with its intermediates `trace`, and its target."""
    terms = {"l1": config.l1 * pyramid_l1(generated, target, levels=config.levels)}
    fields = [value for name, value in trace.items() if name.endswith(".flow_skip")]
    if config.warp:
        terms["warp"] = config.warp * flow_l1(source, target, fields)
    if config.sharp:
        terms["sharp"] = config.sharp * sharpness_l1(source, generated, fields[-1])
    if config.gradient:
        terms["gradient"] = config.gradient * gradient_l1(generated, target)
    if perceptual is not None:
        terms["perceptual"] = config.weight_perceptual * perceptual(generated, target)
    return terms


def gradient_l1(generated: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference of horizontal and vertical image gradients, for edges at the target's places."""
    error = generated - target
    return error.diff(dim=2).abs().mean() + error.diff(dim=3).abs().mean()


def sharpness_l1(source: Tensor, generated: Tensor, field: Tensor) -> Tensor:
    """Mean absolute difference between the generated image and the source moved by the finest flow `field`, which learns nothing from it.

    Where motion is uncertain, the least L1 to the target is a blur; the moved source is as sharp as the source.
    """
    return (generated - moved_by(source, field).detach()).abs().mean()


def analogy(w_g: Tensor, w_s: Tensor, w_a: Tensor, w_b: Tensor, *, detach_driving: bool = False) -> Tensor:
    """Eq. 9: the synthetic image moves from its source as the driving video moves from a to b, L1 in canonical space.

    All are w_{r->x}, (B, K, width); `w_g` belongs to the generated image, which is encoded again (Eq. 8).
    """
    driven = w_b - w_a
    return ((w_g - w_s) - (driven.detach() if detach_driving else driven)).abs().mean()
