"""The non-saturating logistic losses of a generator and a discriminator (Goodfellow et al. 2014), and R1 (Mescheder et al. 2018).

Logits are those of the discriminator, positive for images of the data set. Every loss is a scalar mean.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def generator_loss(generated: Tensor) -> Tensor:
    """-log D with D = sigmoid(logits of generated images)."""
    return F.softplus(-generated).mean()


def discriminator_loss(real: Tensor, generated: Tensor) -> Tensor:
    """-log D of the logits of images of the data set, and -log (1 - D) of the logits of generated images."""
    return F.softplus(-real).mean() + F.softplus(generated).mean()


def r1_penalty(logits: Tensor, images: Tensor) -> Tensor:
    """Half the mean squared gradient of the logits at images of the data set, which require gradients; multiply by gamma."""
    (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return 0.5 * gradient.square().sum((1, 2, 3)).mean()
