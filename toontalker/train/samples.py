"""What one looks at while it trains: pictures of held-out clips, and how far from the answer they are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from toonbench.types import Domain, Frames

from ..model import ToonTalkerNetwork
from .data import ClipSet, to_tensor

ROWS = 6  # clips per block of the grid
COLUMNS = 3  # driving frames per clip
BATCH = 8


def to_pixels(images: Tensor) -> Frames:
    """(B, 3, H, W) in [-1, 1] to uint8 (B, H, W, 3), rounded."""
    pixels = ((images.clamp(-1.0, 1.0) + 1.0) * 127.5).round().to(torch.uint8)
    return pixels.permute(0, 2, 3, 1).cpu().numpy()


def spread(clip: Frames, count: int) -> Frames:
    """`count` frames evenly over a clip, the first left out."""
    return clip[np.linspace(len(clip) / (count + 1), len(clip) - 1, count).astype(int)]


@torch.no_grad()
def heldout_error(
    network: ToonTalkerNetwork, clips: Mapping[Domain, ClipSet], domains: tuple[Domain, ...], device: str
) -> dict[str, float]:
    """Mean L1 (0 to 1) of driving held-out first frames by later ones, and of just showing the first frame."""
    found: dict[str, float] = {}
    for domain in domains:
        held = clips[domain].heldout
        sources = np.concatenate([np.repeat(clip[:1], COLUMNS, 0) for clip in held])
        wanted = np.concatenate([spread(clip, COLUMNS) for clip in held])
        errors: list[float] = []
        for start in range(0, len(wanted), BATCH):
            source = network.source(to_tensor(sources[start : start + BATCH], device=device), domain)
            driving = to_tensor(wanted[start : start + BATCH], device=device)
            made = network.absolute(source, network.motion(driving, domain), domain=domain).clamp(-1.0, 1.0)
            errors += ((made - driving).abs().mean((1, 2, 3)) / 2.0).tolist()
        still = np.abs(sources.astype(float) - wanted).mean() / 255.0
        found |= {f"heldout_{domain}": float(np.mean(errors)), f"static_{domain}": float(still)}
    return found


@torch.no_grad()
def transfer(
    network: ToonTalkerNetwork, source: Frames, driving: Frames, *, of: Domain, by: Domain, device: str
) -> Frames:
    """A source (1, H, W, 3) of one domain moved as the driving frames (T, H, W, 3) of another moved since their first."""
    encoded = network.source(to_tensor(source, device=device), of)
    codes = network.motion(to_tensor(driving, device=device), by)
    return to_pixels(network.relative(encoded, codes, start=codes[:1], domain=of))


def sample_grid(
    network: ToonTalkerNetwork, clips: Mapping[Domain, ClipSet], pairs: list[tuple[Domain, Domain]], device: str
) -> Frames:
    """One picture: for every (source domain, driving domain), rows of source, its driver's first frame, and then
    driving frame beside output."""
    lines: list[Frames] = []
    for of, by in pairs:
        for index in range(ROWS):
            source = clips[of].heldout[index % len(clips[of].heldout)][:1]
            clip = clips[by].heldout[(index + (0 if of == by else 1)) % len(clips[by].heldout)]
            driving = np.concatenate((clip[:1], spread(clip, COLUMNS)))
            made = transfer(network, source, driving, of=of, by=by, device=device)[1:]
            shown = [source[0], driving[0]]
            for frame, output in zip(driving[1:], made, strict=True):
                shown += [frame, output]
            lines.append(np.concatenate(shown, axis=1))
    return np.concatenate(lines)


def write_picture(path: Path, picture: Frames) -> None:
    """PNG, written whole."""
    from toonbench.video import write_png

    write_png(path, picture)
