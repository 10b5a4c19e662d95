"""The values of sound and of damaged clips for each finding of the input linter: the tables of docs/lint.md.

    python scripts/lint_separation.py [--runs DIR] [--kinds bgr range ...] [--pairs N]

It measures all 60 pairs of the five tasks on puppets@2, or the first N of each task, and all kinds of mistakes, or those
given. DIR holds the output of `toonbench generate --method toontalker --out DIR` for each task; with it the tables also have a
network's videos.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from baselines.dummies import NoisyOracle
from toonbench import lint, registry, video
from toonbench.data import load, locate
from toonbench.data.clips import read_frames, read_source
from toonbench.lint import faults
from toonbench.lint.measured import Measured, from_row
from toonbench.tasks import draw_pairs
from toonbench.types import Frames, Pair, ToonbenchError

TASKS = ("real2cartoon", "cartoon2real", "real_self", "real_cross", "cartoon_cross")
COLUMN = {
    "red and blue swapped": "swapped", "stretched by min and max": "stretched", "[-1, 1] as [0, 1], cut": "crushed",
    "[-1, 1] as [0, 1], wrapped": "wrapped", "[0, 1] as [-1, 1]": "washed", "a frame late": "late_1",
    "a frame early": "early_1", "two frames late": "late_2", "two frames early": "early_2",
    "every frame the same": "motion", "the last 40 % frozen": "tail", "black": "flat", "source pasted": "to_source",
    "driving video pasted": "to_driving",
    "limited range shown as full": "squeezed", "full range taken for limited, cut": "expanded",
    "full range taken for limited, wrapped": "expanded", "BT.601 read as BT.709": "as_709", "BT.709 read as BT.601": "as_601",
    "mirrored": "mirrored", "turned by 90": "turned_90", "turned by 180": "turned_180", "turned by 270": "turned_270",
    "5 % closer": "crop_gain", "10 % wider": "crop_gain", "30 % closer": "crop_gain", "30 % wider": "crop_gain",
    "every second frame repeated": "repeated", "every frame three times": "repeated",
    "every third frame replaced": "repeated", "sorted as text": "text_order", "sorted as text, from 1": "text_order",
    "last frame first": "reversed",
}  # fmt: skip
Videos = dict[str, Frames]


def main() -> None:
    """Measure everything and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, default=None)
    parser.add_argument("--kinds", nargs="+", default=None)
    parser.add_argument("--pairs", type=int, default=None)
    options = parser.parse_args()
    kinds = None if options.kinds is None else frozenset[str](options.kinds)
    found: dict[tuple[bool, str, str], list[Measured]] = defaultdict(list)  # (with targets, method, damage)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "lossless.mkv"
        video.write_lossless(path, np.zeros((2, 16, 16, 3), np.uint8), fps=10)
        for pair, methods in pairs(options.runs, most=options.pairs):
            source, driving = read_source(pair.source), read_frames(pair.driving).frames
            target = None if pair.target is None else read_frames(pair.target).frames
            for method, frames in methods.items():
                for name, damaged in variants(frames, source=source, driving=driving, kinds=kinds).items():
                    for with_targets in (True, False):
                        row = lint.measure(pair, path, generated=damaged, source=source, driving=driving,
                                           target=target if with_targets else None)  # fmt: skip
                        found[with_targets, method, name].append(from_row(row))
    for with_targets in (True, False):
        show(found, with_targets=with_targets)
    show_extremes(found)


def pairs(runs: Path | None, *, most: int | None) -> Iterator[tuple[Pair, Videos]]:
    """Each pair, and the sound videos of each method for it."""
    data = load(locate("puppets@2"))
    for task in TASKS:
        for pair in draw_pairs(registry.load_task(task), data.clips, targets=data.targets)[:most]:
            if pair.target is None:
                raise ToonbenchError(f"{pair.id} has no target; use puppets@2")
            target = read_frames(pair.target).frames
            noisy = NoisyOracle().animate_target(read_source(pair.source), target, seed=0)
            methods = {"oracle": target, "noisy-oracle": noisy}
            if runs is not None:
                (path,) = runs.glob(f"*/{task}@*/toontalker@*/videos/{pair.id}.mkv")
                methods["toontalker"] = video.read_video(path).frames
            yield pair, methods


def variants(frames: Frames, *, source: Frames, driving: Frames, kinds: frozenset[str] | None) -> Videos:
    """The frames with each mild damage and each mistake (of these kinds)."""
    mild = {name: change(frames) for name, change in faults.MILD.items()}
    planted = {name: change for name, (kind, change) in faults.FAULTS.items() if kinds is None or kind in kinds}
    wrong = {name: change(frames) for name, change in planted.items()}
    if kinds is not None:
        return {**mild, **wrong}
    return {**mild, **wrong, "source pasted": faults.pasted(frames, source), "driving video pasted": driving}


def show(found: dict[tuple[bool, str, str], list[Measured]], *, with_targets: bool) -> None:
    """Print one Markdown table: the range over single pairs of sound, mildly damaged and wrong clips, and medians."""
    print(f"\n{'With' if with_targets else 'Without'} targets\n")
    print("| mistake | column | method | sound: 5 %, median, 95 % | worst mild median | with it: 5 %, median, 95 % |")
    print("|---|---|---|---|---|---|")
    methods = list(dict.fromkeys(method for _, method, _ in found))
    for name, column in COLUMN.items():
        for method in methods:
            if (with_targets, method, name) not in found:
                continue
            sound = values(found[with_targets, method, "untouched"], column)
            wrong = values(found[with_targets, method, name], column)
            low = np.nanmean(wrong) < np.nanmean(sound)
            mild = [float(np.nanmedian(values(found[with_targets, method, one], column))) for one in faults.MILD]
            worst = min(mild) if low else max(mild)
            print(f"| {name} | `{column}` | {method} | {spread(sound)} | {worst:.2f} | {spread(wrong)} |")


def show_extremes(found: dict[tuple[bool, str, str], list[Measured]]) -> None:
    """Print one Markdown table of the colours that identify single pairs: over all methods, with and without targets."""
    print("\n| column | nearest sound or mildly damaged | nearest with the mistake |\n|---|---|---|")
    for name, (kind, _) in faults.FAULTS.items():
        if kind in ("bgr", "range"):
            if not any(damage == name for _, _, damage in found):
                continue
            sound = [values(videos, COLUMN[name]) for (_, _, damage), videos in found.items() if damage in faults.MILD]
            wrong = [values(videos, COLUMN[name]) for (_, _, damage), videos in found.items() if damage == name]
            print(f"| `{COLUMN[name]}` | {np.nanmax(sound):.2f} | {np.nanmin(wrong):.2f} |")


def values(videos: list[Measured], column: str) -> np.ndarray:
    """A column of all pairs."""
    return np.array([getattr(video, column) for video in videos])


def spread(numbers: np.ndarray) -> str:
    """The 5 % and 95 % points and the median of the finite ones."""
    finite = numbers[np.isfinite(numbers)]
    return (
        ", ".join(f"{number:.2f}" for number in np.quantile(finite, [0.05, 0.5, 0.95]))
        if finite.size
        else "none measured"
    )


if __name__ == "__main__":
    main()
