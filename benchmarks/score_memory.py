"""Memory of scoring against the number of clips: measuring videos, and reducing stored rows to FID, KID and the other results.

    python benchmarks/score_memory.py

Each number of clips in a process of its own (`--child` is that process), which does what `toonbench score` does with one
worker. Measured: lossless videos of 64 px and 4 frames, Inception and LPIPS with deterministic test weights. Reduced: random rows of
40 frames a clip as `score` stores them (2048 values a frame), to 100 reference images, with intervals over 4 drivers: KID works
on blocks of 4096 rows, which the drivers' groups fill from 410 clips on. Rows are memory-mapped, and the system counts
the pages it holds of such files as the process's; `anonymous` is what the process itself holds, at its peak (sampled every 20 ms).
Slopes are between the last two numbers of clips. Writes results/score_memory.json.
"""

from __future__ import annotations

import functools
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from toonbench import video
from toonbench.metrics.fid import FID
from toonbench.metrics.kid import KID
from toonbench.metrics.lpips_alex import LPIPSAlex
from toonbench.score import extract_references, measure, reduce
from toonbench.store import Run, write_array, write_json
from toonbench.types import Clip, Frames, Pair, Rows, Sample, Task

HERE = Path(__file__).parent
COUNTS = {"reduce": (25, 100, 400, 800), "measure": (10, 40, 160)}  # clips
FRAMES, SIZE, ROWS, IMAGES, DRIVERS = 4, 64, 40, 100, 4
MB = 2**20


class RecipeFID(FID):
    """`fid` with deterministic test weights, its features under a name of their own."""

    features = "inception-recipe@1"
    weights = ()

    def extract_features(self, frames: Frames) -> Rows:
        return recipe(FID).extract_features(frames)


class RecipeLPIPS(LPIPSAlex):
    """`lpips_alex` with deterministic test weights."""

    name = "lpips_recipe"
    weights = ()

    def measure(self, sample: Sample) -> Rows:
        return recipe(LPIPSAlex).measure(sample)


@functools.cache
def recipe(metric: Any) -> Any:
    return metric.with_test_weights()


class StoredFID(FID):
    """`fid` of rows that are there, which needs no weights."""

    weights = ()


class StoredKID(KID):
    """`kid` likewise."""

    weights = ()


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        print(json.dumps(child(sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))))
        return
    found: dict[str, Any] = {}
    for what, counts in COUNTS.items():
        rows = []
        for count in counts:
            with tempfile.TemporaryDirectory() as place:
                prepare(what, count, Path(place))
                rows.append({"clips": count} | in_child(what, count, Path(place)))
            print(what, rows[-1], flush=True)
        first, last = rows[-2:]
        between = last["clips"] - first["clips"]
        found[what] = {
            "runs": rows,
            "anonymous_MB_a_clip": (last["anonymous_MB"] - first["anonymous_MB"]) / between,
            "resident_MB_a_clip": (last["resident_MB"] - first["resident_MB"]) / between,
        }
    write_json(HERE / "results/score_memory.json", {
        "what": "peak MB of one process; rows of a clip on disk when reducing: "
        f"{ROWS * 2048 * 4 / MB:.2f} MB",
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}",
        **found,
    })  # fmt: skip


def task_of(what: str) -> Task:
    metrics = {
        "measure": ("l1", "psnr", "ssim", "cpbd", "score_memory:RecipeLPIPS", "score_memory:RecipeFID"),
        "reduce": ("l1", "psnr", "score_memory:StoredFID", "score_memory:StoredKID"),
    }
    return Task(name="memory", version=1, source="cartoon", driving="real", videos=1, images=1, motion="relative", skip=1,
                metrics=metrics[what], about="")  # fmt: skip


def pairs_of(count: int, place: Path, images: int) -> list[Pair]:
    def clip(name: str, kind: Any) -> Clip:
        suffix = "png" if kind == "image" else "mkv"
        return Clip(id=name, path=place / f"{name}.{suffix}", domain="cartoon", kind=kind, width=SIZE, height=SIZE,
                    fps=25.0, frames=1 if kind == "image" else FRAMES)  # fmt: skip

    sources = [clip(f"image{at:03}", "image") for at in range(images)]
    drivers = [clip(f"driver{at:03}", "video") for at in range(DRIVERS)]
    return [
        Pair(
            id=f"pair{at:03}", source=sources[at % images], driving=drivers[at % DRIVERS], target=drivers[at % DRIVERS]
        )
        for at in range(count)
    ]


def prepare(what: str, count: int, place: Path) -> None:
    """Files of `count` pairs: videos to measure, or rows to reduce."""
    draws = np.random.default_rng(0)
    run, images = Run(place / "data/memory@1/method@1"), IMAGES if what == "reduce" else DRIVERS
    pairs = pairs_of(count, place, images)
    if what == "reduce":
        for pair in pairs:
            rows = draws.normal(size=(ROWS, 2048)).astype(np.float32)
            write_array(run.rows("inception@1", pair.id), rows)
            for name in ("l1@1", "psnr@1"):
                write_array(run.rows(name, pair.id), rows[:, :1])
        for image in {pair.source.id: pair.source for pair in pairs_of(images, place, images)}.values():
            write_array(
                run.features / f"inception@1/first/{image.id}~.npy", draws.normal(size=(1, 2048)).astype(np.float32)
            )
        return
    for pair in pairs:
        frames = draws.integers(0, 256, (FRAMES, SIZE, SIZE, 3), np.uint8)
        video.write_lossless(run.video(pair.id), frames, fps=25)
        if not pair.driving.path.exists():
            video.write_lossless(pair.driving.path, frames[::-1], fps=25)
        video.write_png(pair.source.path, frames[0])


def in_child(what: str, count: int, place: Path) -> dict[str, float]:
    environment = os.environ | {"PYTHONPATH": f"{HERE}{os.pathsep}{HERE.parent}", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(HERE / "score_memory.py"), "--child", what, str(count), str(place)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


def child(what: str, count: int, place: Path) -> dict[str, float]:
    task, run = task_of(what), Run(place / "data/memory@1/method@1")
    pairs = pairs_of(count, place, IMAGES if what == "reduce" else DRIVERS)
    peak = Peak()
    if what == "measure":
        measure(run, pairs, task=task, metrics=task.metrics)
    extract_references(run, pairs, task=task, clips=(), metrics=task.metrics)
    scores = reduce(run, pairs, task=task, metrics=task.metrics, about={})
    assert not {**scores.failures, **scores.skipped}, (scores.failures, scores.skipped)
    assert all(np.isfinite(one.value) and one.coverage == 1 for one in scores.results), scores.results
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"anonymous_MB": peak.stop(), "resident_MB": resident}


class Peak:
    """The largest anonymous memory of this process since it was made."""

    def __init__(self) -> None:
        self._most, self._running = 0.0, True
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> float:
        self._running = False
        self._thread.join()
        return self._most

    def _watch(self) -> None:
        while self._running:
            status = Path("/proc/self/status").read_text()
            self._most = max(self._most, int(status.partition("RssAnon:")[2].split()[0]) / 1024)
            time.sleep(0.02)


if __name__ == "__main__":
    main()
