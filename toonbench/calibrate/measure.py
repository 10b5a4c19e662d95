"""Measure injected errors and the dummy methods with every metric, per style, and reduce the values to a table.

DIR/rows/<style>-<index>.npz   the rows of one puppet under every error, every level and every metric
DIR/calibration.csv            one line for each style, metric, error and level: value, interval, coverage
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from toonbench import registry
from toonbench.arrays import UnreadableArrays, load_arrays
from toonbench.calibrate.errors import change, every_error
from toonbench.claims import claim
from toonbench.pool import IN_PROCESS, Pool
from toonbench.puppets.catalogue import make_look, styles
from toonbench.puppets.draw.render import Rendered, render_clip
from toonbench.puppets.rig import FPS, Rig, first_pose, generate, relative, seed_of
from toonbench.score import rows_name, unavailable
from toonbench.stats.summary import summarise
from toonbench.store import write_bytes, writing
from toonbench.types import Clip, Frames, GroundTruth, Metric, Pair, Rows, Sample, ToonbenchError

DUMMIES = ("oracle", "static", "paste")
COLUMNS = ("style", "metric", "error", "level", "value", "low", "high", "coverage", "clips")
Line = dict[str, str | float | int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What is measured: metrics, errors and styles, and the number and size of the puppet clips."""

    metrics: tuple[str, ...]
    errors: tuple[str, ...]
    styles: tuple[str, ...]
    clips: int
    frames: int
    step: int
    size: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """One puppet of one style."""

    path: Path
    setting: Setting
    style: str
    index: int


def calibrate(out: Path, setting: Setting, *, pool: Pool = IN_PROCESS) -> list[Line]:
    """Measure, store the rows in `out` and return the table's lines. Rows that `out` already has are kept.

    Raises ToonbenchError for unknown styles, metrics or errors, numbers out of range, or a folder with another setting.
    """
    _check(setting)
    same = {name: value for name, value in asdict(setting).items() if name != "clips"}  # more clips may be added
    claim(out, same, file="setting.json")
    jobs = [
        _Job(path=out / "rows" / f"{style}-{index:03d}.npz", setting=setting, style=style, index=index)
        for index in range(setting.clips)
        for style in setting.styles
    ]
    pool.map(_measure, jobs, title="calibrating")
    lines = [
        line for style in setting.styles for line in _lines([job.path for job in jobs if job.style == style], style)
    ]
    write_bytes(out / "calibration.csv", _csv(lines))
    return lines


def _check(setting: Setting) -> None:
    if setting.clips < 1 or setting.frames < 4 or setting.step < 1:
        raise ToonbenchError(
            f"calibration needs clips >= 1, frames >= 4 and step >= 1; got {setting.clips}, {setting.frames} and "
            f"{setting.step}: raise them"
        )
    if not 16 <= setting.size <= 2048:
        raise ToonbenchError(f"calibration's size is {setting.size}: give 16 to 2048 pixels")
    for style in setting.styles:
        make_look(style, 0)
    for name in setting.errors:
        if name not in every_error():
            raise registry.unknown("error", name, every_error())
    for name in setting.metrics:
        if reason := _refused(registry.load_metric(name)):
            raise ToonbenchError(f"calibration of {name}: {reason}")


def measurable() -> tuple[str, ...]:
    """The registered metrics that can be calibrated on this machine."""
    return tuple(name for name in registry.names("metrics") if not _refused(registry.load_metric(name)))


def _refused(metric: Metric) -> str:
    """Why this machine cannot calibrate a metric, or an empty string."""
    if rows_name(metric) != registry.metric_id(metric):
        return "its number exists only for a whole set of clips and a reference; choose another metric"
    return str(unavailable(metric) or "")


def _measure(job: _Job) -> None:
    """Measure one puppet with every metric under every error, unless its file exists."""
    if job.path.exists():
        return
    rows: dict[str, Rows] = {}
    metrics = {name: registry.load_metric(name) for name in job.setting.metrics}
    for label, sample in _samples(job):
        for name, metric in metrics.items():
            if _offers(sample, metric):
                rows[f"{name}|{label}"] = metric.measure(sample)
    with writing(job.path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **rows)  # pyright: ignore[reportArgumentType]


def _offers(sample: Sample, metric: Metric) -> bool:
    return not (metric.needs - {"target", "driving", "source"}) or sample.ground_truth is not None


def _samples(job: _Job) -> Iterator[tuple[str, Sample]]:
    """Yield (error|level, sample) of one puppet: the dummy methods, then every error at every level."""
    setting = job.setting
    seed = seed_of("calibrate", setting.seed, job.style, job.index)
    rng = np.random.default_rng(seed)
    look = make_look(job.style, seed)
    source = first_pose(seed_of(seed, "source"))
    driving, other = (
        generate(seed_of(seed, who), frames=setting.frames, step=setting.step) for who in ("driver", "other")
    )
    rig, wrong = relative(source, driving), relative(source, other)
    target = render_clip(look, rig, size=setting.size)
    style = _driving_style(job.style)
    pasted = render_clip(make_look(style, seed_of(seed, "actor")), driving, size=setting.size).frames

    def sample(generated: Frames) -> Sample:
        return _sample(job, generated, target=target, rig=rig, driving=pasted)

    yield "oracle|0", sample(target.frames)
    yield "static|0", sample(np.repeat(target.frames[:1], len(rig), 0))
    yield "paste|0", sample(pasted)
    for error in (every_error()[name] for name in setting.errors):
        for level in error.levels:
            if error.image:
                frames = error.image(target.frames, level, rng)
            else:
                frames = render_clip(
                    look, change(error, rig, level=level, other=wrong, rng=rng), size=setting.size
                ).frames
            yield f"{error.name}|{level:g}", sample(frames)


def _driving_style(style: str) -> str:
    """The style of the driving video, which has the other domain: the real style for cartoons, a cartoon style for the real one."""
    every = styles()
    return next(name for name, other in every.items() if other.domain != every[style].domain)


def _sample(job: _Job, generated: Frames, *, target: Rendered, rig: Rig, driving: Frames) -> Sample:
    """The sample of generated frames and target, without the first frame, whose target is the source itself."""
    domain = styles()[job.style].domain
    clip = Clip(id=f"{job.style}-{job.index}", path=job.path, domain=domain)
    truth = GroundTruth(
        rig=rig[1:], landmarks=target.landmarks[1:], visible=target.visible[1:], fps=FPS / job.setting.step
    )
    return Sample(
        pair=Pair(id=clip.id, source=clip, driving=clip, target=clip), generated=generated[1:], source=target.frames[0],
        driving=driving[1:], target=target.frames[1:], ground_truth=truth,
    )  # fmt: skip


def _lines(paths: Sequence[Path], style: str) -> Iterator[Line]:
    """Reduce the rows of one style's puppets; each puppet is one cluster."""
    files = [_stored_rows(path) for path in paths]
    if len({tuple(file) for file in files}) > 1:
        raise ToonbenchError(
            f"the files of {style} in {paths[0].parent} do not hold the same rows: remove them and run again"
        )
    for key in files[0]:
        name, error, level = key.split("|")
        metric, rows = registry.load_metric(name), [file[key] for file in files]
        interval = summarise(metric, rows, driving=[str(at) for at in range(len(rows))]).printed
        coverage = float(np.mean([np.isfinite(one).all(1).mean() for one in rows]))
        yield dict(zip(COLUMNS, (style, name, error, float(level), interval.value, interval.low, interval.high, coverage,
                                 len(rows)), strict=True))  # fmt: skip


def _stored_rows(path: Path) -> dict[str, Rows]:
    """The rows of one puppet. Raises ToonbenchError for a damaged file."""
    try:
        rows = load_arrays(path)
    except UnreadableArrays as error:
        raise ToonbenchError(f"{path} cannot be used ({error}): remove it and run again") from error
    if wrong := [key for key, one in rows.items() if key.count("|") != 2 or one.ndim != 2 or one.dtype.kind != "f"]:
        raise ToonbenchError(f"{path} is damaged ({wrong[0]!r} holds no rows of numbers): remove it and run again")
    return rows


def _csv(lines: Sequence[Line]) -> bytes:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    for line in lines:
        writer.writerow([f"{value:.6g}" if isinstance(value, float) else value for value in line.values()])
    return buffer.getvalue().encode()
