"""Training of MAA from new weights, or from those of MAA or FOMM, whose network it has."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from toonbench.training.clips import TrainingClips

from ...fomm.train.step import reconstruct, train_step
from ...fomm.train.train import export, new_networks, started
from ...tuning.loop import Progress, Recipe, run
from ...tuning.perceptual import perceptual_loss
from ...tuning.samples import reconstructions
from ...tuning.starts import origin
from ..weights_io import METHOD
from .config import MAAConfig
from .step import cross_domain_terms


def fit(
    config: MAAConfig,
    clips: TrainingClips,
    out: Path,
    *,
    device: str,
    checkpoint: Path | None = None,
    resume: bool = True,
    on_progress: Progress | None = None,
) -> Path:
    """Train from new weights, or from those of `checkpoint`; see `baselines.tuning.loop.run`.

    Raises ToonbenchError for a checkpoint of another method or of other sizes than the configuration's.
    """
    config, start = started(config, checkpoint, methods=(METHOD, "fomm"))
    perceptual = perceptual_loss(config, device)
    across = partial(cross_domain_terms, config=config, perceptual=perceptual)
    recipe = Recipe(
        networks=partial(new_networks, config, start),
        step=partial(train_step, perceptual=perceptual, extra=across),
        samples=partial(reconstructions, reconstruct),
        export=partial(export, size=config.size, method=METHOD),
        origin=origin({} if start is None else start.about),
    )
    return run(recipe, config, clips=clips, out=out, device=device, resume=resume, on_progress=on_progress)
