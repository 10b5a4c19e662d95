"""The runs that a table of the paper needs: checkpoints, methods and tasks, what is stored already, and how long the rest takes.

A checkpoint is found in the folder of weights by its name, never by guessing what is in it:

    <method>.*                 ToonTalker's own (`toontalker.pt`, `toontalker.safetensors`)
    toontalker-<variant>.*     an ablated one (`toontalker-no-analogy.safetensors`); leaderboards/paper/tables.toml lists the variants
    official/FILE, or FILE     the authors' file of FOMM, LIA or DaGAN, under the name that the manifest of weights has
    fine-tuned/<method>.*      FOMM, LIA or DaGAN after training on the cartoons
"""

from __future__ import annotations

import functools
import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from toonbench.evaluate import Plan, plan
from toonbench.report.entries import Entry, find_entries
from toonbench.report.methods import BASELINES, is_official, official_files, weights_kind
from toonbench.report.papers import PaperTable, load_paper
from toonbench.report.task_runs import PUPPETS, frames_of, pairs_of
from toonbench.types import ToonbenchError
from toonbench.weights.checkpoints import file_digest

State = Literal["done", "partly", "missing", "no weights", "refused"]
SECONDS = {"fomm": 0.6, "lia": 1.1, "dagan": 0.9, "toontalker": 1.6}
"""Seconds for a frame of 256 px on two idle CPU cores; benchmarks/results/methods_speed.json has measured ratios of the same networks."""
SCORING = 0.25  # seconds for a frame on two CPU cores, with the metrics that need no fetched weights
CLIP = 150  # frames of a clip whose length is not known


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A checkpoint in the folder of weights, or why there is none; `refused` if there is one that the table does not take."""

    path: Path | None
    reason: str = ""
    refused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One run: a method (or an ablated model) on a task with a checkpoint. `pairs` are all, `videos` those that exist.

    `seconds` estimates what is missing, from `basis`; 0 if nothing can be run. `mini` marks the weights that toonbench includes.
    """

    name: str
    method: str
    task: str
    weights: str
    checkpoint: Path | None
    state: State
    pairs: int
    videos: int
    frames: int
    seconds: float
    basis: str
    reason: str = ""

    @property
    def runs(self) -> bool:
        """Whether the step has something to run."""
        return self.state in ("partly", "missing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduction:
    """The steps of a table, and the plan of each of its tasks."""

    number: str
    steps: tuple[Step, ...]
    plans: dict[str, Plan]


def plan_table(
    number: str, *, data: str, weights: Path | None, out: Path, limit: int | None = None, seed: int = 0
) -> Reproduction:
    """The runs of a table. A plain folder of data is prepared on the way, as for every run.

    Raises ToonbenchError for an unknown table and a folder of weights that does not exist.
    """
    tables = load_paper().tables
    if number not in tables or number == "study":
        raise ToonbenchError(f"table{number} is unknown: give table1 to table7")
    if weights is not None and not weights.is_dir():
        raise ToonbenchError(
            f"--weights {weights} is not a folder: give the folder of the checkpoints (docs/reproducing.md)"
        )
    table = tables[number]
    plans = {task: plan(task=task, data=data, out=out, limit=limit, seed=seed) for task in table.tasks}
    stored = find_entries([out]) if any(out.glob("*/*/*/run.json")) else []
    steps = [
        _step(table, method, variant=variant, made=made, task=task, weights=weights, stored=stored)
        for task, made in plans.items()
        for method, variant in table.rows
    ]
    return Reproduction(number=number, steps=tuple(steps), plans=plans)


def _step(
    table: PaperTable,
    method: str,
    *,
    variant: str,
    made: Plan,
    task: str,
    weights: Path | None,
    stored: Sequence[Entry],
) -> Step:
    name = f"{method}-{variant}" if variant else method
    expected = table.weights if method in BASELINES else "official or own"
    mini = name == "toontalker" and any(one.startswith(PUPPETS) for one in made.data.caveats)
    found = find_checkpoint(name, weights, kind=table.weights if method in BASELINES else "", number=table.number)
    frames = sum(pair.driving.frames or CLIP for pair in made.pairs)
    per_frame, basis = seconds_per_frame(method, stored)
    run, videos = _stored(made, method, checkpoint=found.path, stored=stored, mini=mini)
    if found.path is None and not (mini and not found.refused):
        state: State = "refused" if found.refused else "no weights"
    elif run is not None and run.stored and not run.problem:
        state = "done"
    else:
        state = "partly" if videos or run is not None else "missing"
    left = frames * (1 - videos / max(1, len(made.pairs)))
    return Step(
        name=name,
        method=method,
        task=task,
        weights="mini" if found.path is None and mini else expected,
        checkpoint=found.path,
        state=state,
        pairs=len(made.pairs),
        videos=videos,
        frames=frames,
        seconds=left * per_frame + frames * SCORING if state in ("partly", "missing") else 0.0,
        basis=basis,
        reason=found.reason if state in ("no weights", "refused") else "",
    )


def find_checkpoint(name: str, folder: Path | None, *, kind: str, number: str) -> Found:
    """The checkpoint of a method or ablated model by the rules of this module.

    `kind` is "official" or "fine-tuned" for FOMM, LIA and DaGAN, otherwise empty. An official file is never taken for a fine-tuned
    one, whatever its name: its sha256 is compared with those of the official files.
    """
    if folder is None:
        return Found(path=None, reason="its weights are not included: give --weights DIR")
    if not kind:
        files = _named(folder, name)
        return Found(
            path=files[0] if files else None, reason="" if files else f"no {name}.pt, .pth or .safetensors in {folder}"
        )
    official = _official(name, folder)
    if kind == "official":
        files = ", ".join(entry.file for entry in official_files(name))
        return Found(
            path=official[0] if official else None,
            reason="" if official else f"none of {files} in {folder} or {folder / 'official'}",
        )
    tuned = _named(folder / "fine-tuned", name)
    place = f"put the one fine-tuned on the cartoons at {folder / 'fine-tuned' / name}.*"
    if not tuned:
        has = (
            f"only the official {official[0].name} is in {folder}"
            if official
            else f"no checkpoint in {folder / 'fine-tuned'}"
        )
        return Found(
            path=None, refused=bool(official), reason=f"Table {number} takes fine-tuned weights, and {has}: {place}"
        )
    digest = _digest(tuned[0])
    if is_official(name, file=tuned[0].name, sha256=digest) or digest in {_digest(path) for path in official}:
        return Found(
            path=None,
            refused=True,
            reason=f"Table {number} takes fine-tuned weights, and {tuned[0]} is the official file: {place}",
        )
    return Found(path=tuned[0])


@functools.cache
def _digest(path: Path) -> str:
    """The sha256 of a checkpoint, read once in a process: the file may have gigabytes."""
    return file_digest(path)


def _named(folder: Path, name: str) -> list[Path]:
    """Files whose name is this before its first dot."""
    suffixes = (".pt", ".pth", ".safetensors", ".pth.tar", ".tar")
    files = [path for path in folder.glob(f"{name}.*") if path.is_file() and path.name.endswith(suffixes)]
    return sorted(path for path in files if path.name.partition(".")[0] == name)


def _official(name: str, folder: Path) -> list[Path]:
    places = (folder, folder / "official")
    found = [place / entry.file for entry in official_files(name) for place in places]
    return [path for path in found if path.is_file()]


def _stored(
    made: Plan, method: str, *, checkpoint: Path | None, stored: Sequence[Entry], mini: bool
) -> tuple[Entry | None, int]:
    """The run of a method with a checkpoint on the pairs of a plan, and how many of its videos exist."""
    if checkpoint is None and not mini:
        return None, 0
    digest = _digest(checkpoint) if checkpoint else ""
    for entry in stored:
        facts = entry.run.checkpoint
        same = facts.get("sha256") == digest if digest else weights_kind(method, facts) == "mini"
        if (entry.data, entry.task, entry.method) != (made.data.id, made.task.id, method) or not same:
            continue
        if entry.stored and entry.stored.get("pairs_fingerprint") != made.about["pairs_fingerprint"]:
            continue
        return entry, sum(entry.run.video(pair.id).exists() for pair in made.pairs)
    return None, 0


def seconds_per_frame(method: str, stored: Sequence[Entry]) -> tuple[float, str]:
    """Seconds in which a method generates a frame, and what that is based on: stored runs of it, or constants."""
    measured = [value for entry in stored if entry.method == method and (value := _measured(entry))]
    if measured:
        return statistics.median(measured), f"stored runs of {method} on this machine"
    return SECONDS.get(method, max(SECONDS.values())), "constants for 256 px on two CPU cores"


def _measured(entry: Entry) -> float:
    """The median time between the writing of two videos, for a frame; 0 for a run of fewer than three videos."""
    times = sorted(path.stat().st_mtime for path in (entry.root / "videos").glob("*.mkv"))
    gaps = [b - a for a, b in itertools.pairwise(times) if b > a]
    pairs = len(pairs_of(entry))
    frames = frames_of(entry)
    return statistics.median(gaps) / (frames / pairs) if len(gaps) > 1 and pairs and frames else 0.0
