"""What shows progress during training: pictures of held-out clips, and how far they are from the target."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from toonbench.training.clips import TrainingClips
from toonbench.training.grids import evenly, grid
from toonbench.training.images import to_pixels, to_tensor
from toonbench.types import Domain, Frame, Frames

from ..model import ToonTalkerNetwork

ROWS = 6  # clips per block of the grid
COLUMNS = 3  # driving frames per clip
BATCH = 8


@torch.no_grad()
def heldout_error(
    network: ToonTalkerNetwork, clips: TrainingClips, *, domains: Sequence[Domain], device: str
) -> dict[str, float]:
    """Mean L1 (0 to 1) of first frames of held-out clips driven by later frames, and of the unchanged first frames."""
    found: dict[str, float] = {}
    for domain in domains:
        heldout = clips[domain].heldout
        errors: list[float] = []
        still = 0
        for start in range(0, len(heldout) * COLUMNS, BATCH):  # memory does not grow with the number of clips
            places = range(start, min(start + BATCH, len(heldout) * COLUMNS))
            sources = np.stack([heldout[place // COLUMNS][0] for place in places])
            targets = np.stack([evenly(heldout[place // COLUMNS], COLUMNS)[place % COLUMNS] for place in places])
            source = network.source(to_tensor(sources, device=device), domain)
            driving = to_tensor(targets, device=device)
            generated = network.absolute(source, network.motion(driving, domain), domain=domain).clamp(-1.0, 1.0)
            errors += ((generated - driving).abs().mean((1, 2, 3)) / 2.0).tolist()
            still += int(np.abs(sources.astype(int) - targets).sum())
        unchanged = still / (len(errors) * heldout[0][0].size) / 255.0
        found |= {f"heldout_{domain}": float(np.mean(errors)), f"static_{domain}": unchanged}
    return found


@torch.no_grad()
def transfer(
    network: ToonTalkerNetwork, source: Frames, driving: Frames, *, of: Domain, by: Domain, device: str
) -> Frames:
    """A source (1, H, W, 3) of domain `of`, moved as the driving frames (T, H, W, 3) of domain `by` moved since their first."""
    encoded = network.source(to_tensor(source, device=device), of)
    codes = network.motion(to_tensor(driving, device=device), by)
    return to_pixels(network.relative(encoded, codes, start=codes[:1], domain=of))


def sample_grid(
    network: ToonTalkerNetwork, clips: TrainingClips, *, pairs: Sequence[tuple[Domain, Domain]], device: str
) -> Frame:
    """A picture with rows for every (source domain, driving domain).

    A row shows the source, the first frame of the driving video, and then driving frames with the output of each.
    """
    rows: list[list[Frame]] = []
    for of, by in pairs:
        for index in range(ROWS):
            source = clips[of].heldout[index % len(clips[of].heldout)][:1]
            clip = clips[by].heldout[(index + (0 if of == by else 1)) % len(clips[by].heldout)]
            driving = np.concatenate((clip[:1], evenly(clip, COLUMNS)))
            outputs = transfer(network, source, driving, of=of, by=by, device=device)[1:]
            row = [source[0], driving[0]]
            for frame, output in zip(driving[1:], outputs, strict=True):
                row += [frame, output]
            rows.append(row)
    return grid(rows)
