"""Speed and memory of a training of ToonTalker's mini (stage 2, 64 px) on a CPU, as ratios of one run.

    OMP_NUM_THREADS=1 python benchmarks/training_speed.py

- `loop`: time of a step over that of a plain eager loop with the same network, losses, batches and optimiser, which draws from frames in
  memory, and neither averages weights, limits or checks gradients, nor writes anything. The two alternate, step by step.
- `waiting`: the share of a step that goes into drawing its batch from the frames on disk, whose pages are first dropped from memory.
- `scaling`: steps per second of two processes over those of one at the same batch; by the clock, and by the CPU time of the first
  process, which is what the clock shows where each process has a core of its own.
- `memory`: largest private memory of a process that trains on more and more clips, stored on disk and in memory.

Writes results/training_speed.json.
"""

from __future__ import annotations

import argparse
import itertools
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from torch.optim import Adam

from toonbench.store import read_json, write_json
from toonbench.training.clips import TrainingClips, load_sets
from toonbench.training.ema import ema_decay, update_average
from toonbench.training.processes import ProcessGroup, one_thread
from toonbench.types import DOMAINS, Clip
from toonbench.video import write_lossless
from toontalker.train.config import MINI
from toontalker.train.state import new_state, set_rate
from toontalker.train.step import draw_batch, generator_terms, objective, train_step
from toontalker.train.train import run

HERE = Path(__file__).parent
CONFIG = replace(
    MINI, steps1=0, steps2=10_000, workers=1, checkpoint_every=10_000, sample_every=10_000, log_every=10_000
)
ALONE = ProcessGroup()
FRAMES = 100  # of a clip
FILES = 8  # that differ
WARM = 3  # steps that are not measured
BATCHES = (4, 16)  # pairs of each domain in a step of all processes together
PARTS = ("loop", "waiting", "scaling", "memory")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument(
        "--parts", nargs="+", choices=PARTS, default=PARTS, help="what is measured; the rest of the file stays"
    )
    parser.add_argument("--memory", nargs=4, help="used by the script itself: folder, clips, frames, disk or memory")
    given = parser.parse_args()
    if given.memory:
        folder, clips, frames, where = given.memory
        print(peak(Path(folder), int(clips), int(frames), disk=where == "disk"))
        return
    with tempfile.TemporaryDirectory() as place, one_thread():
        folder = Path(place)
        write_videos(folder)
        found: dict[str, Any] = {}
        for name in given.parts:
            found[name] = MEASURES[name](folder, given.steps)
            print(name, found[name], flush=True)
    path = HERE / "results/training_speed.json"
    write_json(path, (read_json(path) if path.is_file() else {}) | {
        "what": "ToonTalker's mini, stage 2, 64 px, batch of 4 pairs of each domain if not stated, one thread for each process",
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, PyTorch {torch.__version__}",
        "load": os.getloadavg()[0],
    } | found)  # fmt: skip


def write_videos(folder: Path) -> None:
    rng = np.random.default_rng(0)
    for frames in (FRAMES, 8 * FRAMES):
        for index in range(FILES if frames == FRAMES else 2):
            ground = np.repeat(np.repeat(rng.integers(0, 255, (1, 8, 8, 3), dtype=np.uint8), 8, axis=1), 8, axis=2)
            clip = np.concatenate([np.roll(ground, t, axis=2) for t in range(frames)])
            write_lossless(folder / f"{index}-{frames}.mkv", clip, fps=25)


def clips_of(folder: Path, count: int, frames: int, *, disk: bool = True) -> TrainingClips:
    """Clips of both domains, `count` of each; of few files, which are decoded again for each clip."""
    files = sorted(folder.glob(f"*-{frames}.mkv"))
    clips = [
        Clip(id=f"{domain}{index}", path=files[index % len(files)], domain=domain, split="train", identity=str(index))
        for domain in DOMAINS for index in range(count)
    ]  # fmt: skip
    return load_sets({"": clips}, size=64, cache=folder / "cache" if disk else None)


def compared(folder: Path, steps: int) -> dict[str, Any]:
    stored, held = (clips_of(folder, FILES, FRAMES, disk=disk) for disk in (True, False))
    ours, plain = new_state(CONFIG, "cpu"), new_state(CONFIG, "cpu")
    optimiser = Adam([p for p in plain.network.parameters() if p.requires_grad], lr=CONFIG.lr2, fused=True)
    plain.network.train()
    times: tuple[list[float], list[float]] = ([], [])

    def step_of_ours() -> None:
        set_rate(ours)
        train_step(ours, stored, None, group=ALONE)
        ours.step += 1
        update_average(ours.average, ours.network, decay=ema_decay(CONFIG.ema, ours.step))

    def plain_step() -> None:
        pairs = draw_batch(plain, held, group=ALONE)
        loss = objective(generator_terms(plain.network, pairs, CONFIG, None)[0])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        plain.step += 1

    for _ in range(steps + WARM):
        for step, found in ((step_of_ours, times[0]), (plain_step, times[1])):
            began = time.process_time()
            step()
            found.append(time.process_time() - began)
    ratios = [a / b for a, b in zip(times[0][WARM:], times[1][WARM:], strict=True)]
    return {
        "ratio": statistics.median(ratios),
        "seconds": statistics.median(times[0][WARM:]),
        "plain_seconds": statistics.median(times[1][WARM:]),
    }


def waiting(folder: Path, steps: int) -> dict[str, float]:
    """Of the wall time of steps, the share in which a batch is drawn."""
    stored = clips_of(folder, 64, FRAMES)
    for path in (folder / "cache").rglob("frames.bin"):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    state = new_state(CONFIG, "cpu")
    drawing = whole = 0.0
    for number in range(steps + WARM):
        began = time.perf_counter()
        draw_batch(state, stored, group=ALONE)
        drawn = time.perf_counter()
        train_step(state, stored, None, group=ALONE)  # draws the same batch again, from memory
        state.step += 1
        if number >= WARM:
            drawing += drawn - began
            whole += time.perf_counter() - began
    return {"share": drawing / whole, "milliseconds_per_step": 1000 * drawing / steps}


def scaling(folder: Path, steps: int) -> list[dict[str, Any]]:
    clips = clips_of(folder, FILES, FRAMES)
    return [scaled(clips, folder, batch, max(4, steps * 4 // batch)) for batch in BATCHES]


def scaled(clips: TrainingClips, folder: Path, batch: int, steps: int) -> dict[str, Any]:
    found: dict[int, list[tuple[float, float]]] = {1: [], 2: []}
    loads: list[float] = []
    for workers, times in found.items():
        loads.append(os.getloadavg()[0])
        times += measured(clips, folder / f"{batch}-{workers}", steps, workers, batch=batch)
    medians = {
        workers: [statistics.median(column) for column in zip(*times, strict=True)] for workers, times in found.items()
    }
    return {
        "batch": batch,
        "wall": medians[1][0] / medians[2][0],
        "cpu_time": medians[1][1] / medians[2][1],
        "seconds_per_step": {str(workers): values[0] for workers, values in medians.items()},
        "cpu_seconds_per_step_of_the_first_process": {str(workers): values[1] for workers, values in medians.items()},
        "loads": loads,
    }


def measured(clips: TrainingClips, out: Path, steps: int, workers: int, *, batch: int) -> list[tuple[float, float]]:
    """Seconds and CPU seconds of each step, those of the first process."""
    marks: list[tuple[float, float]] = []

    def watch(done: int, total: int) -> None:
        del done, total
        marks.append((time.perf_counter(), time.process_time()))

    config = replace(CONFIG, steps2=steps + WARM, workers=workers, batch2=batch)
    run(config, clips, out, device="cpu", on_progress=watch)
    marks = marks[WARM - 1 : -1]  # the last step also writes pictures and a checkpoint
    return [(b[0] - a[0], b[1] - a[1]) for a, b in itertools.pairwise(marks)]


def memory(folder: Path, _steps: int) -> list[dict[str, Any]]:
    return [memory_of(folder, clips, frames) for clips, frames in ((4, 100), (16, 100), (64, 100), (4, 800))]


def memory_of(folder: Path, clips: int, frames: int) -> dict[str, Any]:
    megabytes = 2 * clips * frames * 64 * 64 * 3 / 1e6
    found: dict[str, Any] = {"clips": 2 * clips, "frames": frames, "megabytes_of_frames": megabytes}
    for where in ("disk", "memory"):
        command = [sys.executable, __file__, "--memory", str(folder), str(clips), str(frames), where]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found[f"{where}_megabytes"] = float(done.stdout)
    return found


def peak(folder: Path, clips: int, frames: int, *, disk: bool) -> float:
    """The largest private memory while clips are loaded and a few steps are trained, in megabytes."""
    process, largest = psutil.Process(), 0

    def watch(done: int, total: int) -> None:
        nonlocal largest
        del done, total
        largest = max(largest, process.memory_full_info().uss)

    with tempfile.TemporaryDirectory() as out, one_thread():
        loaded = clips_of(folder, clips, frames, disk=disk)
        watch(0, 0)
        run(replace(CONFIG, steps2=6), loaded, Path(out), device="cpu", on_progress=watch)
    return largest / 1e6


MEASURES = {"loop": compared, "waiting": waiting, "scaling": scaling, "memory": memory}

if __name__ == "__main__":
    main()
