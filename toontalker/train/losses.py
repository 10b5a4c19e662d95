"""The terms of the objective (paper Eq. 9 to 12). Images are (B, 3, H, W) in [-1, 1]; every loss is a scalar mean."""

from __future__ import annotations

from torch import Tensor


def gradient_l1(generated: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference of horizontal and vertical image gradients, for edges at the target's places."""
    error = generated - target
    return error.diff(dim=2).abs().mean() + error.diff(dim=3).abs().mean()


def analogy(w_g: Tensor, w_s: Tensor, w_a: Tensor, w_b: Tensor, *, detach_driving: bool = False) -> Tensor:
    """Eq. 9: the synthetic image moves from its source as the driving video moves from a to b, L1 in canonical space.

    All are w_{r->x}, (B, K, width); `w_g` belongs to the generated image, which is encoded again (Eq. 8).
    """
    driven = w_b - w_a
    return ((w_g - w_s) - (driven.detach() if detach_driving else driven)).abs().mean()
