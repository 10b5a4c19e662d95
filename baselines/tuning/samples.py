"""What shows progress during training: pictures of held-out clips, and how far they are from the target."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from toonbench.training.clips import TrainingClips
from toonbench.training.grids import evenly, grid
from toonbench.training.images import to_pixels, to_tensor
from toonbench.types import Domain, Frame, Frames

from .state import TuneState

ROWS = 6  # clips of each domain in a picture
COLUMNS = 3  # driving frames of a clip
Reconstruct = Callable[[Any, Tensor, Tensor], Tensor]  # network, sources, driving frames
Samples = Callable[[TuneState, TrainingClips], tuple[Frame, dict[str, float]]]
"""A picture of what the averaged weights make, and their error `heldout_DOMAIN` for each domain, or nothing where none is measured."""


def reconstructions(reconstruct: Reconstruct, state: TuneState, clips: TrainingClips) -> tuple[Frame, dict[str, float]]:
    """`Samples` of held-out clips; `reconstruct` moves sources as driving frames of the same clips show."""
    domains, device = state.config.domains, state.device
    errors = heldout_error(state.average, clips, reconstruct, domains=domains, device=device)
    return sample_grid(state.average, clips, reconstruct, domains=domains, device=device), errors


@torch.no_grad()
def heldout_error(
    network: Any, clips: TrainingClips, reconstruct: Reconstruct, *, domains: Sequence[Domain], device: str
) -> dict[str, float]:
    """Mean L1 (0 to 1) of first frames of held-out clips driven by later frames, and of the unchanged first frames."""
    found: dict[str, float] = {}
    for domain in domains:
        made: list[float] = []
        still: list[float] = []
        for clip in clips[domain].heldout:
            targets = evenly(clip, COLUMNS)
            outputs = _outputs(network, clip, reconstruct, device=device)
            made.append(float(np.abs(outputs.astype(float) - targets).mean() / 255.0))
            still.append(float(np.abs(clip[:1].astype(float) - targets).mean() / 255.0))
        found |= {f"heldout_{domain}": float(np.mean(made)), f"static_{domain}": float(np.mean(still))}
    return found


@torch.no_grad()
def sample_grid(
    network: Any, clips: TrainingClips, reconstruct: Reconstruct, *, domains: Sequence[Domain], device: str
) -> Frame:
    """A picture with a row for each of the first held-out clips: its first frame, then later frames, each with the output for it."""
    rows: list[list[Frame]] = []
    for domain in domains:
        for clip in clips[domain].heldout[:ROWS]:
            outputs = _outputs(network, clip, reconstruct, device=device)
            row = [clip[0]]
            for frame, output in zip(evenly(clip, COLUMNS), outputs, strict=True):
                row += [frame, output]
            rows.append(row)
    return grid(rows)


def _outputs(network: Any, clip: Frames, reconstruct: Reconstruct, *, device: str) -> Frames:
    driving = to_tensor(evenly(clip, COLUMNS), device=device)
    source = to_tensor(clip[:1], device=device).expand(len(driving), -1, -1, -1)
    return to_pixels(reconstruct(network, source, driving))
