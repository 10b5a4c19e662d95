"""Rows of `motion_agreement` and `rig_corr` on puppet pairs: the target, damaged and weaker targets, and the outputs of methods."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toonbench import registry
from toonbench.calibrate.errors import change, every_error
from toonbench.chunks import whole_clip
from toonbench.puppets.catalogue import make_look, styles
from toonbench.puppets.draw.render import Rendered, render_clip
from toonbench.puppets.rig import FPS, Rig, first_pose, generate, relative, seed_of
from toonbench.store import writing
from toonbench.types import (
    ChunkMethod,
    Clip,
    Domain,
    Frame,
    Frames,
    GroundTruth,
    Pair,
    Sample,
    TargetMethod,
)

DAMAGES = (
    ("blur", 1.0),
    ("noise", 15.0),
    ("jpeg", 80.0),
    ("coarse", 4.0),
)  # errors of `calibrate`; the last: 64 of 256 px
MUTED = "mute jaw_open"
SYSTEMS = ("oracle", "noisy-oracle", "landmark-warp", "toontalker", "static", "paste")
WEAKER = (("delay", 4.0), ("shake", 0.07), ("freeze", 0.5), ("swap", 0.5))
"""Fixed before anything was measured: six methods and four weaker targets, which two metrics of motion rank."""
METRICS = ("motion_agreement", "rig_corr")


@dataclass(frozen=True, slots=True, kw_only=True)
class Puppets:
    """One puppet pair to measure: its style, its number, and where its rows are stored."""

    path: Path
    style: str
    index: int
    frames: int
    size: int
    ranked: bool  # also the outputs of SYSTEMS


def measure_puppets(job: Puppets) -> None:
    """Store the rows of one pair, `<metric>|<case>` each, unless its file exists."""
    if job.path.exists():
        return
    scene = _scene(job)
    metrics = [registry.load_metric(name) for name in METRICS]
    rows = {
        f"{metric.name}|{case}": metric.measure(scene.sample(frames, job))
        for case, frames in _cases(job, scene)
        for metric in metrics
    }
    with writing(job.path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **rows)  # pyright: ignore[reportArgumentType]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scene:
    """The frames and motions of one pair."""

    driving: Frames
    target: Rendered
    rig: Rig
    other: Rig
    domain: Domain
    driving_domain: Domain

    def sample(self, generated: Frames, job: Puppets) -> Sample:
        """The sample of generated frames, without the first one, whose target is the source."""
        name = f"{job.style}-{job.index}"
        source = Clip(id=name, path=job.path, domain=self.domain)
        driving = Clip(id=f"{name}-driving", path=job.path, domain=self.driving_domain)
        truth = GroundTruth(
            rig=self.rig[1:], landmarks=self.target.landmarks[1:], visible=self.target.visible[1:], fps=FPS
        )
        return Sample(
            pair=Pair(id=source.id, source=source, driving=driving, target=source), generated=generated[1:],
            source=self.target.frames[0], driving=self.driving[1:], target=self.target.frames[1:], ground_truth=truth,
        )  # fmt: skip


def _scene(job: Puppets) -> _Scene:
    every = styles()
    seed = seed_of("validity", job.style, job.index)
    domain = every[job.style].domain
    others = [name for name, style in every.items() if style.domain != domain]
    performer = others[job.index % len(others)]
    driving, other = (generate(seed_of(seed, who), frames=job.frames) for who in ("driving", "other"))
    pose = first_pose(seed_of(seed, "source"))
    rig = relative(pose, driving)
    return _Scene(
        driving=render_clip(make_look(performer, seed_of(seed, "actor")), driving, size=job.size).frames,
        target=render_clip(make_look(job.style, seed), rig, size=job.size),
        rig=rig,
        other=relative(pose, other),
        domain=domain,
        driving_domain=every[performer].domain,
    )


def _cases(job: Puppets, scene: _Scene) -> Iterator[tuple[str, Frames]]:
    """Yield (case, output frames) of one pair."""
    seed = seed_of("validity", job.style, job.index)
    rng = np.random.default_rng(seed)
    yield "target", scene.target.frames
    for name, level in DAMAGES:
        damage = every_error()[name].image
        if damage is not None:
            yield name, damage(scene.target.frames, level, rng)
    weaker = ((MUTED, 1.0), *WEAKER) if job.ranked else ((MUTED, 1.0),)
    for name, level in weaker:
        wrong = change(every_error()[name], scene.rig, level=level, other=scene.other, rng=rng)
        yield name, render_clip(make_look(job.style, seed), wrong, size=job.size).frames
    for name in SYSTEMS if job.ranked else ():
        yield name, _output(name, scene)


def _output(name: str, scene: _Scene) -> Frames:
    """The output of a method for the pair."""
    method = registry.load_method(name)
    source: Frame = scene.target.frames[0]
    about = {"motion": "relative", "seed": 0, "source_domain": scene.domain, "driving_domain": scene.driving_domain}
    if isinstance(method, TargetMethod):
        return method.animate_target(source, scene.target.frames, seed=0)
    if isinstance(method, ChunkMethod):
        return whole_clip(method.animate_chunks(source, iter([scene.driving]), **about), user=name)  # pyright: ignore[reportArgumentType]
    return method.animate(source, scene.driving, **about)  # pyright: ignore[reportArgumentType]
