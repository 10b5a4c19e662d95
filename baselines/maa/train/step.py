"""What MAA adds to an update of FOMM: sources that frames of the other domain drive, and back."""

from __future__ import annotations

from torch import Tensor

from toonbench.networks.first_order import KeyPoints

from ...first_order import Network
from ...fomm.train.step import Made, Terms, reconstruction_terms
from ...tuning.perceptual import PyramidPerceptual
from .config import MAAConfig
from .losses import appearance_consistency, motion_adaptation, neighbours


def cross_domain_terms(
    network: Network,
    driving: Tensor,
    made: Made,
    *,
    config: MAAConfig,
    perceptual: PyramidPerceptual | None,
) -> Terms:
    """See `baselines.fomm.train.step.Extra`. The first half of a batch is of one domain, the second of the other.

    A source takes the key points of a frame of the other domain (absolute motion), and the picture is driven back by the key points
    of its source.
    """
    across = swapped(made.driving)
    generated = network.render(made.encoded, across)
    again = network.source(generated)
    terms: Terms = {}
    if config.cyclic:
        back = network.render(again, made.source)
        found = reconstruction_terms(back, made.sources, config=config, perceptual=perceptual)
        terms |= {f"cyclic_{name}": config.cyclic * term for name, term in found.items()}
    if config.angles:
        near = neighbours(KeyPoints.cat([made.source, made.driving]).value)
        terms["angles"] = config.angles * motion_adaptation(again.points.value, across.value, near)
    if config.appearance:
        terms["appearance"] = config.appearance * appearance_consistency(
            generated,
            again.points,
            made.sources,
            made.source,
            pixels=driving.shape[-1] // config.patch,
            corners=config.corners,
            network=None if perceptual is None else perceptual.network,
        )
    return terms


def swapped(points: KeyPoints) -> KeyPoints:
    """The key points of the other half of the batch."""
    half = len(points.value) // 2
    return KeyPoints.cat([points[half:], points[:half]])
