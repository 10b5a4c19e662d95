"""What the failure cases of the metrics share: the case as data, the puppets in it, damage, and how they are measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from toonbench import registry
from toonbench.calibrate.errors import every_error
from toonbench.puppets.catalogue import make_look
from toonbench.puppets.draw.render import render_clip
from toonbench.puppets.rig import INDEX, Rig, generate, neutral
from toonbench.types import Clip, Frame, Frames, GroundTruth, Pair, Sample

SIZE = 256
STEP = 2  # every second frame of 30 frames a second: 15 frames a second
FACE, OTHER = ("disney3d", 21), ("disney3d", 24)  # style and seed of the two people in most cases
OPEN: dict[str, float] = {"jaw_open": 0.7, "smile": 0.3}
Values = Mapping[str, float]
Points = NDArray[np.float32]  # (points, 2) pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One picture of a case: what was changed, and the values of the metrics. `points` are drawn on it: green, then red."""

    key: str
    title: str
    picture: Frame
    values: Values = field(default_factory=dict[str, float])
    points: tuple[Points, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """One plot of a case: a channel's true and estimated curve over a clip, and the values of the metrics."""

    key: str
    title: str
    channel: str
    truth: NDArray[np.float64]
    estimate: NDArray[np.float64]
    limits: tuple[float, ...] = ()
    values: Values = field(default_factory=dict[str, float])


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A row of pictures or plots about one metric; `further` are numbers of the text that no picture shows."""

    name: str
    title: str
    panels: tuple[Panel, ...] | tuple[Curves, ...]
    note: str = ""
    lines: tuple[str, str] = ("ground truth", "estimated by the network")
    rate: int = 15  # frames a second of plots
    further: Values = field(default_factory=dict[str, float])


def rigs_of(*poses: Mapping[str, float]) -> Rig:
    """(poses, channels), everything else at rest."""
    rigs = np.stack([neutral()] * len(poses))
    for rig, pose in zip(rigs, poses, strict=True):
        for name, value in pose.items():
            rig[INDEX[name]] = value
    return rigs


def faces(*poses: Mapping[str, float]) -> Frames:
    """(poses, 256, 256, 3) pictures of the person of most cases."""
    return render_clip(make_look(*FACE), rigs_of(*poses), size=SIZE).frames


def speech(seed: int) -> Rig:
    """(31, channels) of the motion of a talking head, 15 frames a second."""
    return generate(seed, frames=31, step=STEP)


def blurred(frame: Frame, sigma: float) -> Frame:
    """Blur with a Gaussian of `sigma` pixels."""
    return damaged(frame, "blur", 100 * sigma / len(frame))


def shifted(frame: Frame, pixels: int) -> Frame:
    """Move the picture to the right and repeat its left edge."""
    return np.concatenate([np.repeat(frame[:, :1], pixels, 1), frame[:, :-pixels]], axis=1)


def damaged(frame: Frame, name: str, level: float) -> Frame:
    """Damage as the calibration does it, with a fixed seed."""
    damage = every_error()[name].image
    if damage is None:
        raise ValueError(f"{name} is not an image error; choose one with `image`")
    return damage(frame[None], level, np.random.default_rng(0))[0]


def score(metric: str, frames: Frames, *, target: Frames | None = None, truth: GroundTruth | None = None) -> float:
    """The value of a metric for one clip."""
    clip = Clip(id="puppet", path=Path("puppet"), domain="cartoon")
    found = registry.load_metric(metric)
    sample = Sample(
        pair=Pair(id="puppet", source=clip, driving=clip, target=clip),
        generated=frames,
        target=target,
        ground_truth=truth,
    )
    return found.reduce([found.measure(sample)])


def only(pictures: Sequence[tuple[str, str, Frame]]) -> tuple[Panel, ...]:
    """Panels without numbers from (key, title, picture)."""
    return tuple(Panel(key=key, title=title, picture=picture) for key, title, picture in pictures)
