"""The model card of the motion reader: its bars beside the landmark network's numbers, its curves, and its floor on puppets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from toonbench.landmarks.card import damaged
from toonbench.networks.motion_reader import CURVES, read_weights
from toonbench.pool import IN_PROCESS, Pool
from toonbench.puppets.catalogue import make_look, styles
from toonbench.puppets.draw.render import render_clip
from toonbench.puppets.rig import generate, seed_of
from toonbench.reader_training.measure import (
    SIDE,
    TIGHT,
    WIDE,
    RealClip,
    Values,
    correlations,
    crop_face,
    curves_of_rig,
    read_by_landmark_network,
    reader_of,
)
from toonbench.types import Frames

Change = Callable[[Frames, Values], Frames]


def _crop(frames: Frames, landmarks: Values, *, room: float, turned: float = 0.0) -> Frames:
    return crop_face(frames, landmarks, room, turned=turned)[0]


def _barred(frames: Frames, landmarks: Values) -> Frames:
    """A crop of 1.45 times the face whose upper and lower sixths are black, as of a wide film."""
    squares = crop_face(frames, landmarks, 1.45)[0].copy()
    bar = SIDE // 12
    squares[:, :bar], squares[:, -bar:] = 0, 0
    return squares


def _spoiled(frames: Frames, landmarks: Values, *, name: str) -> Frames:  # noqa: ARG001
    return damaged(frames, name, seed=0)


CHANGES: dict[str, Change] = {
    f"crop {TIGHT}": partial(_crop, room=TIGHT),
    f"crop {WIDE}": partial(_crop, room=WIDE),
    "crop 1.45, turned 30 degrees": partial(_crop, room=1.45, turned=30.0),
    "crop 1.45, bars": _barred,
    "blur, sigma 2.5 px": partial(_spoiled, name="blur, sigma 2.5 px"),
    "JPEG, three times the table of quality 50": partial(_spoiled, name="JPEG, three times the table of quality 50"),
}


READINGS = {
    "tight": f"crop {TIGHT}",
    "wide": f"crop {WIDE}",
    "mean": "two crops and mirror",
    "crops": f"crop {TIGHT} against {WIDE}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """Pearson's r with exact motion of one style under one change: mean over clips, NaN where no clip moves a curve."""

    style: str
    change: str
    reader: Values  # (7,)
    landmark_network: Values  # (7,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A number that the reader should reach, and what was measured."""

    title: str
    goal: str
    landmark_network: float
    reader: float


@dataclass(frozen=True, slots=True)
class _Job:
    style: str
    clips: int
    frames: int


def measure_floors(*, clips: int, frames: int, style_names: Sequence[str] = (), pool: Pool = IN_PROCESS) -> list[Floor]:
    """Read `clips` held-out puppets of each style, `frames` frames each, under every change, with the stored networks."""
    jobs = [_Job(name, clips, frames) for name in style_names or styles()]
    return [floor for part in pool.map(_floors, jobs, title="measuring styles") for floor in part]


def _floors(job: _Job) -> list[Floor]:
    readers = (reader_of(read_weights()), read_by_landmark_network)
    found: dict[str, list[tuple[Values, ...]]] = {name: [] for name in CHANGES}
    for number in range(job.clips):
        seed = seed_of("reader", "held-out", job.style, number)
        motion = generate(seed, frames=job.frames)
        drawn = render_clip(make_look(job.style, seed), motion, size=SIDE)
        for name, change in CHANGES.items():
            changed = change(drawn.frames, drawn.landmarks)
            true = curves_of_rig(motion, drawn.landmarks)
            found[name].append(tuple(correlations(true, reader(changed)[1]) for reader in readers))
    return [
        Floor(style=job.style, change=name, reader=mean([own for own, _ in parts]), landmark_network=mean([old for _, old in parts]))
        for name, parts in found.items()
    ]  # fmt: skip


def mean(rows: Sequence[Values]) -> Values:
    """The mean over rows (7,) without NaN; NaN for a curve that is NaN in all."""
    stack = np.stack(rows).astype(np.float64)
    available = np.isfinite(stack)
    total, count = np.where(available, stack, 0).sum(0), available.sum(0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)


def overall(clips: Sequence[RealClip], part: str) -> float:
    """The mean over clips of the mean over the curves that move in each."""
    return float(np.mean([np.nanmean(getattr(clip, part)) for clip in clips]))


def bars(old: Sequence[RealClip], new: Sequence[RealClip]) -> list[Bar]:
    """The bars on real videos that nothing was trained on."""

    def bar(title: str, goal: str, value: Callable[[Sequence[RealClip]], float]) -> Bar:
        return Bar(title=title, goal=goal, landmark_network=value(old), reader=value(new))

    blink, smile = CURVES.index("blink"), CURVES.index("smile")
    return [
        bar(f"one pass: crop {TIGHT} against crop {WIDE} of a video", "≥ 0.92", lambda clips: overall(clips, "crops")),
        bar("reader against face landmarker, two crops and mirror", "≥ 0.85", lambda clips: overall(clips, "mean")),
        bar("blink, the same", "≥ 0.80", lambda clips: float(mean([clip.mean for clip in clips])[blink])),
        bar("smile, the same", "≥ 0.80", lambda clips: float(mean([clip.mean for clip in clips])[smile])),
        bar(
            "landmark error, parts of the eye distance",
            "≤ 0.05",
            lambda clips: float(np.mean([c.error for c in clips])),
        ),
        bar("frames with a face, real videos", "", lambda clips: float(np.mean([c.found for c in clips]))),
    ]


def close_bars(close: Sequence[RealClip]) -> list[Bar]:
    """The bars again, for a reader that reads closely; the landmark network is not read in that way."""
    blink, smile = CURVES.index("blink"), CURVES.index("smile")
    both = [mean([clip.tight, clip.wide]) for clip in close]  # a video is in one of these framings, not in both
    values = {
        f"crop {TIGHT} against crop {WIDE}": ("≥ 0.92", overall(close, "crops")),
        "against the face landmarker, mean of both crops' values": (
            "≥ 0.85",
            float(np.mean([np.nanmean(clip) for clip in both])),
        ),
        "blink, the same": ("≥ 0.80", float(mean(both)[blink])),
        "smile, the same": ("≥ 0.80", float(mean(both)[smile])),
        "landmark error": ("≤ 0.05", float(np.mean([clip.error for clip in close]))),
    }
    return [
        Bar(title=f"read closely: {title}", goal=goal, landmark_network=float("nan"), reader=value)
        for title, (goal, value) in values.items()
    ]  # fmt: skip


def card(
    found: Sequence[Bar], *, old: Sequence[RealClip], new: Sequence[RealClip], floors: Sequence[Floor], about: str
) -> str:
    """The whole card."""
    size = sum(p.numel() for p in read_weights().parameters())
    lines = [
        "# Motion reader",
        "",
        "Reads seven motion curves (yaw, pitch, roll, jaw, blink, smile, gaze x), 70 landmarks and whether there is a face that can be",
        f"read, from one picture (128 px, RGB). {size:,} parameters, as half floats. Licence: Apache-2.0, as the code.",
        "",
        about,
        "",
        "## Bars",
        "",
        "Landmark network: the network that this one began with, and that the metrics of puppets use. Values against the face",
        "landmarker are Pearson's r within a video, of curves that move in it, then means over curves and videos.",
        "",
        "| | goal | landmark network | motion reader |",
        "|---|---|---|---|",
        *(f"| {one.title} | {one.goal} | {_number(one.landmark_network)} | {_number(one.reader)} |" for one in found),
        "",
        "## Curves of held-out videos, r with the face landmarker",
        "",
        _head("reading"),
        "|---" * (len(CURVES) + 2) + "|",
        *(
            _row(f"{title}, {who}", mean([getattr(clip, part) for clip in clips]))
            for part, title in READINGS.items()
            for who, clips in (("landmark network", old), ("motion reader", new))
        ),
        "",
        _head("video (two crops and mirror, motion reader)"),
        "|---" * (len(CURVES) + 2) + "|",
        *(_row(clip.name, clip.mean) for clip in new),
        "",
        "## Floor: puppets that were not trained on, r with their exact motion, one pass",
        "",
        _head("style | change").removesuffix(" |") + " | landmark network: mean |",
        "|---" * (len(CURVES) + 4) + "|",
        *(
            _row(f"{floor.style} | {floor.change}", floor.reader) + f" {np.nanmean(floor.landmark_network):.2f} |"
            for floor in floors
        ),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.3f}"


def _head(title: str) -> str:
    return f"| {title} | " + " | ".join(CURVES) + " | mean |"


def _row(title: str, values: Values) -> str:
    cells = ["–" if np.isnan(value) else f"{value:.2f}" for value in values]
    return f"| {title} | " + " | ".join(cells) + f" | {np.nanmean(values):.2f} |"
