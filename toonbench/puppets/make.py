"""Data sets of puppets: clips, images, motion curves and targets, in the layout of every other data set.

    DIR/metadata.parquet   one row per clip          DIR/clips/<id>.mkv     videos, lossless
    DIR/images/<id>.png    sources                   DIR/motion/<id>.npz    rig, landmarks, visibility, look
    DIR/targets.parquet    one row per target        DIR/targets/<source>~<driving>.mkv
    DIR/README.md          the data card             DIR/puppets.json       how it was made
    DIR/clips-<split>.parquet and its like           indexes for `datasets.load_dataset` (see `data/card.py`)

Everything follows from (split, seed, domain, index) by hashing, so that identities, titles and motions never cross
splits, and the bytes do not depend on workers or on interruptions. A file that exists is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from toonbench.arrays import UnreadableArrays, load_arrays
from toonbench.claims import claim
from toonbench.data.card import write_card
from toonbench.data.folder import file_sha256, load
from toonbench.data.table import CLIPS, TARGETS, Row
from toonbench.pool import IN_PROCESS, Pool
from toonbench.puppets.catalogue import make_look, styles_of
from toonbench.puppets.draw.render import Rendered, render_clip, warm_up
from toonbench.puppets.exercises import generate_exercises
from toonbench.puppets.look import Look
from toonbench.puppets.rig import FPS, Rig, absolute, generate, relative, seed_of
from toonbench.puppets.timed import generate_timed
from toonbench.registry import load_task
from toonbench.store import safe_name, writing
from toonbench.tasks import pairs_with_targets
from toonbench.types import CHANNELS, DOMAINS, Domain, Kind, Motion, ToonbenchError
from toonbench.video import write_lossless, write_png

VERSION = 2
MOTIONS: dict[int, Callable[..., Rig]] = {1: generate, 2: generate_timed}  # a version differs in its motion only
Movement = Literal["speech", "exercises", "mixed"]
LICENCE = "CC0-1.0"
PROVENANCE = "toonbench puppets version {}: procedural, no person is shown; style {}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Recipe:
    """What a folder of puppets is made from; kept in puppets.json, so that two recipes never mix in one folder."""

    version: int
    split: str
    seed: int
    clips: int
    images: int
    frames: int
    size: int
    step: int
    styles: tuple[str, ...]
    tasks: tuple[str, ...]
    sources: int
    movement: Movement = "speech"

    def to_dict(self) -> dict[str, Any]:
        """What puppets.json holds; speech, which earlier data sets do not name, is left out."""
        fields = asdict(self)
        if self.movement == "speech":
            del fields["movement"]
        return fields


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """One clip or image to make."""

    out: Path
    recipe: _Recipe
    domain: Domain
    kind: Kind
    index: int

    @property
    def styles(self) -> list[str]:
        """The styles of the domain, which take turns."""
        return [style.name for style in styles_of(self.domain) if style.name in self.recipe.styles]

    @property
    def style(self) -> str:
        return self.styles[self.index % len(self.styles)]

    @property
    def exercises(self) -> bool:
        """Whether its motion is exercises; in mixed data sets, every second clip of a style."""
        every_second = self.index // len(self.styles) % 2 == 1
        return self.recipe.movement == "exercises" or (self.recipe.movement == "mixed" and every_second)

    @property
    def id(self) -> str:
        letter = "v" if self.kind == "video" else "i"
        return f"{self.recipe.split}-s{self.recipe.seed}-{self.style}-{letter}{self.index:04d}"

    @property
    def file(self) -> str:
        return f"clips/{self.id}.mkv" if self.kind == "video" else f"images/{self.id}.png"

    @property
    def look_seed(self) -> int:
        return seed_of(self.recipe.split, self.recipe.seed, self.domain, self.kind, self.index, "look")

    @property
    def motion_seed(self) -> int:
        return seed_of(self.recipe.split, self.recipe.seed, self.domain, self.kind, self.index, "motion")


@dataclass(frozen=True, slots=True, kw_only=True)
class _TargetJob:
    """One target to make."""

    root: Path
    source: str
    driving: str
    motion: Motion
    fps: float


def make_puppets(
    out: Path,
    *,
    split: str,
    clips: int,
    images: int,
    frames: int,
    size: int,
    seed: int,
    step: int = 1,
    styles: Sequence[str] = (),
    tasks: Sequence[str] = (),
    sources: int = 0,
    version: int = VERSION,
    movement: Movement = "speech",
    pool: Pool = IN_PROCESS,
) -> int:
    """Make a data set of `clips` videos and `images` still images per domain in `out`; return the number of rows.

    Each video has `frames` frames of `size` pixels, every `step`-th of a 30 fps motion. `styles` restricts the looks
    (all by default). The targets of the pairs of `tasks` are drawn, too; `sources` above 0 replaces the tasks' own
    number of sources for each driving video. `version` is that of the puppets' motion; 1 draws data sets of version 1
    again. `movement` chooses it for training: talk-like motion, `exercises`, or both in turn.
    A second run keeps the files that are complete. Raises ToonbenchError for bad numbers, unknown styles or tasks, or a folder made with
    another recipe.
    """
    recipe = _Recipe(
        version=version, split=split, seed=seed, clips=clips, images=images, frames=frames, size=size, step=step,
        styles=_style_names(styles), tasks=tuple(sorted({load_task(name).id for name in tasks})), sources=sources,
        movement=movement,
    )  # fmt: skip
    _check(recipe)
    claim(out, recipe.to_dict(), file="puppets.json")
    domains: list[Domain] = [d for d in DOMAINS if any(style.name in recipe.styles for style in styles_of(d))]
    jobs = [_Job(out=out, recipe=recipe, domain=d, kind="video", index=i) for d in domains for i in range(clips)]
    jobs += [_Job(out=out, recipe=recipe, domain=d, kind="image", index=i) for d in domains for i in range(images)]
    warm_up()
    rows = pool.map(_make, jobs, title="drawing puppets")
    CLIPS.write(out, rows)
    if recipe.tasks:
        pairs = pairs_with_targets(load(out).clips, tasks=recipe.tasks, sources=sources)
        render_targets(out, pairs, motion="relative", pool=pool)
    write_card(out, _card(recipe, rows=len(rows)), title=f"Puppets, split {split}")
    return len(rows)


def render_targets(
    root: Path,
    pairs: Sequence[tuple[str, str]],
    *,
    motion: Motion,
    pool: Pool = IN_PROCESS,
) -> int:
    """Draw the target of each (source id, driving id) of a puppet data set; return how many there are.

    A target is the source's look, camera, light and background moved by the driving rig: `relative` starts at the source's
    own first pose. Raises ToonbenchError for an id that the data set does not have.
    """
    rates = {row["id"]: row.get("fps", 0.0) for row in CLIPS.read(root)}
    for name in sorted({name for pair in pairs for name in pair}):
        if name not in rates or not (root / "motion" / f"{name}.npz").is_file():
            raise ToonbenchError(f"{root}: no puppet '{name}'; targets need ids from its metadata.parquet and motion/.")
    jobs = [_TargetJob(root=root, source=s, driving=d, motion=motion, fps=rates[d]) for s, d in sorted(set(pairs))]
    warm_up()
    rows = pool.map(_make_target, jobs, title="drawing targets")
    TARGETS.write(root, rows)
    return len(rows)


def _check(recipe: _Recipe) -> None:
    if recipe.clips < 0 or recipe.images < 0 or recipe.clips + recipe.images < 1:
        raise ToonbenchError(
            f"Puppets need clips >= 0 and images >= 0, not both 0; got {recipe.clips} and {recipe.images}. Raise one."
        )
    if recipe.split != safe_name(recipe.split):
        raise ToonbenchError(
            f"A split's name must fit in a file name; got '{recipe.split}'. Use e.g. train, val or test."
        )
    if recipe.clips and (recipe.frames < 1 or recipe.step < 1):
        raise ToonbenchError(
            f"Puppet clips need frames >= 1 and step >= 1; got {recipe.frames} and {recipe.step}. Raise them."
        )
    if not 16 <= recipe.size <= 2048:
        raise ToonbenchError(f"A puppet's size must be 16 to 2048 pixels; got {recipe.size}. Choose e.g. 128 or 256.")
    if recipe.version not in MOTIONS:
        allowed = " or ".join(map(str, MOTIONS))
        raise ToonbenchError(f"The version of puppets must be {allowed}; got {recipe.version}. Choose one of them.")
    if recipe.sources < 0:
        raise ToonbenchError(
            f"Sources for each driving video must be 0 (the task's number) or more; got {recipe.sources}."
        )


def _style_names(chosen: Sequence[str]) -> tuple[str, ...]:
    """The chosen styles in the order of domains; all styles if none is chosen. Raises for an unknown one."""
    for style in chosen:
        make_look(style, 0)
    registered = [style.name for domain in DOMAINS for style in styles_of(domain)]
    return tuple(name for name in registered if not chosen or name in chosen)


def _make(job: _Job) -> Row:
    """Make one clip unless its files exist, and return its row."""
    path, motion_path = job.out / job.file, job.out / "motion" / f"{job.id}.npz"
    if not (path.is_file() and motion_path.is_file()):
        look = make_look(job.style, job.look_seed)
        frames = job.recipe.frames if job.kind == "video" else 1
        generate_motion = generate_exercises if job.exercises else MOTIONS[job.recipe.version]
        rig = generate_motion(job.motion_seed, frames=frames, step=job.recipe.step)
        drawn = render_clip(look, rig, size=job.recipe.size)
        _write_motion(motion_path, look=look, look_seed=job.look_seed, rig=rig, drawn=drawn)
        if job.kind == "video":
            write_lossless(path, drawn.frames, fps=FPS / job.recipe.step, codec="h264")
        else:
            write_png(path, drawn.frames[0])
    video = job.kind == "video"
    return {
        "id": job.id, "file": job.file, "domain": job.domain, "kind": job.kind, "identity": f"{job.id}-identity",
        "title": f"{job.recipe.split}-s{job.recipe.seed}-{job.style}-{'play' if video else 'album'}-{job.index // 2:03d}",
        "split": job.recipe.split, "fps": FPS / job.recipe.step if video else 0.0,
        "style": job.style, "frames": job.recipe.frames if video else 1, "width": job.recipe.size, "height": job.recipe.size,
        "provenance": PROVENANCE.format(job.recipe.version, job.style), "licence": LICENCE, "sha256": file_sha256(path),
    }  # fmt: skip


def _make_target(job: _TargetJob) -> Row:
    """Make one target unless its files exist, and return its row."""
    file = f"targets/{job.source}~{job.driving}.mkv"
    path = job.root / file
    driving_rig: Rig = _motion(job.root, job.driving)["rig"]
    motion_path = job.root / "motion" / f"{job.source}~{job.driving}.npz"
    if not (path.is_file() and motion_path.is_file()):
        source = _motion(job.root, job.source)
        look_seed, start, size = int(source["look_seed"]), source["rig"][0], int(source["size"])
        look = make_look(str(source["style"]), look_seed)
        rig = relative(start, driving_rig) if job.motion == "relative" else absolute(start, driving_rig)
        drawn = render_clip(look, rig, size=size)
        _write_motion(motion_path, look=look, look_seed=look_seed, rig=rig, drawn=drawn)
        write_lossless(path, drawn.frames, fps=job.fps or FPS, codec="h264")
    return {"source": job.source, "driving": job.driving, "motion": job.motion, "file": file, "frames": len(driving_rig),
            "sha256": file_sha256(path)}  # fmt: skip


def _motion(root: Path, clip: str) -> dict[str, Any]:
    """The stored motion of a clip. Raises ToonbenchError if the file is damaged."""
    path = root / "motion" / f"{clip}.npz"
    try:
        found = load_arrays(path)
    except UnreadableArrays as error:
        raise ToonbenchError(f"{path} cannot be read ({error}): remove it and run again") from error
    if absent := {"rig", "look_seed", "size", "style"} - set(found):
        raise ToonbenchError(f"{path} has no {sorted(absent)[0]}: remove it and run again")
    return found


def _write_motion(path: Path, *, look: Look, look_seed: int, rig: Rig, drawn: Rendered) -> None:
    scene = look.scene
    with writing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(
            file, rig=rig, channels=np.array(CHANNELS), landmarks=drawn.landmarks, visible=drawn.visible,
            style=np.array(look.style), look_seed=np.array(look_seed), size=np.array(drawn.frames.shape[1]),
            camera=np.array([scene.distance, scene.view_height, scene.centre_y], dtype=np.float32),
            camera_names=np.array(["distance", "view_height", "centre_y"]),
        )  # fmt: skip


_ABOUT: dict[Movement, str] = {
    "speech": "",
    "exercises": "Motion is that of exercises for training: heads that barely move, faces that move often and far.\n",
    "mixed": "Every second clip of a style has exercises for training: the head barely moves, the face moves often and far.\n",
}


def _card(recipe: _Recipe, *, rows: int) -> str:
    motion = f"{recipe.frames} frames each, {FPS / recipe.step:g} frames a second"
    return (
        f"# Puppets, split `{recipe.split}`\n\n"
        f"{rows} clips of procedural faces: per domain {recipe.clips} videos ({motion}) and {recipe.images} images,\n"
        f"{recipe.size} px, lossless, seed {recipe.seed}, styles {', '.join(recipe.styles)}, puppets version {recipe.version}.\n"
        f"{_ABOUT[recipe.movement]}\n"
        "Puppets are drawn by a program. No person is shown and none was recorded; results on puppets are no evidence of\n"
        "results on people. `motion/<id>.npz` holds the rig (frames, channels), the channels' names, 70 landmarks in\n"
        "pixels (68 of the iBUG convention, then the pupils), their visibility, and the camera.\n"
        "`targets/` holds the target videos: the source's look moved by the rig of the driving video (see targets.parquet).\n\n"
        f"Licence: {LICENCE}. Made by `toonbench make-puppets`.\n"
    )
