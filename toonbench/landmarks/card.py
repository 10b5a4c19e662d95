"""The noise floor of the landmark network: the motion metrics of exact clips that it has never seen, whole and damaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from toonbench.landmarks.damage import Damage, bend, blur, compress, ghost, noise, smear, soften, wreck
from toonbench.metrics.blink_f1 import BlinkF1
from toonbench.metrics.head_pose_deg import HeadPoseDeg
from toonbench.metrics.landmark_nme import LandmarkNME
from toonbench.metrics.mouth_f1 import MouthF1
from toonbench.metrics.rig_corr import RigCorr, gini_correlations
from toonbench.metrics.rig_error import RigError, breakdown
from toonbench.metrics.shared import share_found
from toonbench.networks.landmarks import SIZE, LandmarkNet
from toonbench.pool import IN_PROCESS, Pool
from toonbench.puppets.catalogue import make_look, styles
from toonbench.puppets.draw.render import render_clip
from toonbench.puppets.rig import FPS, generate, seed_of
from toonbench.types import CHANNELS, Clip, Frames, GroundTruth, Metric, Pair, Rows, Sample

METRICS: tuple[Metric, ...] = (LandmarkNME(), RigError(), RigCorr(), BlinkF1(), MouthF1(), HeadPoseDeg())
DAMAGES: dict[str, tuple[Damage | None, float]] = {
    "none": (None, 0.0), "blur, sigma 1.5 px": (blur, 1.5), "blur, sigma 2.5 px": (blur, 2.5),
    "motion blur, 8 px": (smear, 8.0), "64 px": (soften, 2.0), "40 px": (soften, 3.2), "noise, sigma 0.1": (noise, 0.1),
    "JPEG, three times the table of quality 50": (compress, 3.0), "warp, 4 px": (bend, 4.0),
    "15 % of the area wrecked": (wreck, 0.15), "ghost, 30 %": (ghost, 0.3),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """The rows of every metric for one style and one damage, a clip each."""

    style: str
    damage: str
    rows: dict[str, list[Rows]]
    faces: float  # share of frames in which a face was found

    def values(self) -> dict[str, float]:
        """Each metric's number."""
        return {metric.name: metric.reduce(self.rows[metric.name]) for metric in METRICS}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    style: str
    clips: int
    frames: int


def measure_floor(*, clips: int, frames: int, style_names: Sequence[str] = (), pool: Pool = IN_PROCESS) -> list[Floor]:
    """Score `clips` held-out clips of `frames` frames of each style against themselves, under every damage."""
    jobs = [_Job(style=name, clips=clips, frames=frames) for name in style_names or styles()]
    return [floor for found in pool.map(_measure_style, jobs, title="measuring styles") for floor in found]


def held_out(style: str, number: int, *, frames: int) -> tuple[Frames, GroundTruth]:
    """Clip number `number` of a style, of a look and a motion that training does not draw."""
    seed = seed_of("landmarks", "held-out", style, number)
    motion = generate(seed, frames=frames)
    drawn = render_clip(make_look(style, seed), motion, size=SIZE)
    return drawn.frames, GroundTruth(rig=motion, landmarks=drawn.landmarks, visible=drawn.visible, fps=FPS)


def damaged(frames: Frames, name: str, *, seed: int) -> Frames:
    """Frames (n, h, w, 3) under one of `DAMAGES`; sides in multiples of eight."""
    function, strength = DAMAGES[name]
    if function is None:
        return frames
    x = torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255
    x = function(x, strength, np.random.default_rng(seed)).clamp(0, 1)
    return (x.permute(0, 2, 3, 1) * 255).round().byte().numpy()


def sample(frames: Frames, truth: GroundTruth) -> Sample:
    """Frames and ground-truth motion as the metrics take them."""
    clip = Clip(id="held-out", path=Path("held-out"), domain="real")
    return Sample(
        pair=Pair(id="held-out", source=clip, driving=clip, target=clip), generated=frames, ground_truth=truth
    )


def _measure_style(job: _Job) -> list[Floor]:
    torch.set_num_threads(1)
    clips = [held_out(job.style, number, frames=job.frames) for number in range(job.clips)]
    floors: list[Floor] = []
    for name in DAMAGES:
        rows: dict[str, list[Rows]] = {metric.name: [] for metric in METRICS}
        for number, (frames, truth) in enumerate(clips):
            one = sample(damaged(frames, name, seed=number), truth)
            for metric in METRICS:
                rows[metric.name].append(metric.measure(one))
        floors.append(Floor(style=job.style, damage=name, rows=rows, faces=share_found(rows["landmark_nme"])))
    return floors


def card(floors: Sequence[Floor], *, network: LandmarkNet, size: int, about: str) -> str:
    """The model card: what the network is, how it was trained, and its noise floor."""
    parameters = sum(p.numel() for p in network.parameters())
    heads = [f"`{metric.name}@{metric.version}`" for metric in METRICS]
    columns = ["style", "damage", *heads, "faces found"]
    lines = [
        "# Landmark network",
        "",
        "Reads 70 landmarks, the 18 channels of the rig and whether there is a face from one picture (128 px, RGB).",
        "The motion metrics use it on generated frames; it is trained on puppets only and knows puppets only.",
        f"{parameters:,} parameters, {size / 1e6:.2f} MB as half floats. Licence: Apache-2.0, as the code.",
        "",
        about,
        "",
        "## Noise floor",
        "",
        "Each number is what a *perfect* method would get: clips of held-out looks and motions, scored against",
        "themselves. A difference between two methods below the floor's own error means nothing. A frame in which no",
        "face is found counts as the worst case.",
        "",
        "| " + " | ".join(columns) + " |",
        "|---" * len(columns) + "|",
    ]
    for floor in floors:
        values = [f"{value:.3f}" for value in floor.values().values()]
        lines.append("| " + " | ".join([floor.style, floor.damage, *values, f"{floor.faces:.3f}"]) + " |")
    return "\n".join([*lines, "", *_channels(floors)]) + "\n"


def _channels(floors: Sequence[Floor]) -> list[str]:
    """Error and Gini correlation of each channel, of undamaged clips, per style."""
    clean = [floor for floor in floors if floor.damage == "none"]
    lines = [
        "## Channels, undamaged: error (part of the range) / Gini correlation",
        "",
        "| channel | " + " | ".join(floor.style for floor in clean) + " |",
        "|---" * (len(clean) + 1) + "|",
    ]
    errors = [breakdown(floor.rows["rig_error"]) for floor in clean]
    agree = [[gini_correlations(rows) for rows in floor.rows["rig_corr"]] for floor in clean]
    for channel in CHANNELS:
        cells: list[str] = []
        for error, clips in zip(errors, agree, strict=True):
            own = [clip[channel] for clip in clips if channel in clip]
            cells.append(f"{error[channel]:.3f} / {np.mean(own):.2f}" if own else f"{error[channel]:.3f} / –")
        lines.append(f"| {channel} | " + " | ".join(cells) + " |")
    return lines
