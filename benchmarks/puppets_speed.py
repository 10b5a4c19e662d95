"""Puppets: frames a second at 256 px by workers, where the time goes, memory, and a training set of 300 clips x 100 frames.

    python benchmarks/puppets_speed.py [--training-set N]

Wall-clock figures of one run on a machine that nothing else should use. Writes benchmarks/results/puppets_speed.json.
`--training-set N` also times `make-puppets --split train --clips N --images 0 --frames 100 --size 128` (N of each domain; 150 are the
300 clips of the target), written and thrown away.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from toonbench.pool import Pool
from toonbench.puppets.catalogue import make_look, styles
from toonbench.puppets.draw.mesh import build_puppet, pose_puppet
from toonbench.puppets.draw.raster import Stage
from toonbench.puppets.draw.render import render_clip, warm_up
from toonbench.puppets.rig import generate

HERE = Path(__file__).parent
FRAMES = 30


def main() -> None:
    warm_up()
    jobs = [(style, seed) for seed in range(4) for style in styles()]
    result: dict[str, Any] = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.processor() or platform.machine()}, Python {platform.python_version()}",
        "size": 256,
        "milliseconds_by_step": {style: steps(style) for style in styles()},
        "frames_per_second_by_workers": {str(workers): rate(jobs, workers) for workers in (1, 2, 3)},
        "memory_mb": Pool(workers=2).map(memory, [0, 1], title=""),
    }
    if "--training-set" in sys.argv:
        clips = int(sys.argv[sys.argv.index("--training-set") + 1])
        result["training_set"] = {"clips": 2 * clips, "frames": 200 * clips, "seconds": training_set(clips)}
    target = HERE / "results/puppets_speed.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


def steps(style: str) -> dict[str, float]:
    """Milliseconds a clip or a frame: building, posing, drawing."""
    look, motion = make_look(style, 5), generate(5, frames=FRAMES)
    begun = time.perf_counter()
    puppet = build_puppet(look)
    stage = Stage(puppet, size=256)
    built = time.perf_counter()
    poses = [pose_puppet(puppet, rig) for rig in motion]
    posed = time.perf_counter()
    for pose in poses:
        stage.draw(pose)
    drawn = time.perf_counter()
    return {
        "build_a_clip": 1e3 * (built - begun),
        "pose_a_frame": 1e3 * (posed - built) / FRAMES,
        "draw_a_frame": 1e3 * (drawn - posed) / FRAMES,
    }


def draw(job: tuple[str, int]) -> int:
    """Draw one clip at 256 px."""
    style, seed = job
    return len(render_clip(make_look(style, seed), generate(seed, frames=FRAMES), size=256).frames)


def rate(jobs: list[tuple[str, int]], workers: int) -> float:
    """Frames a second over all jobs, without the start of the processes."""
    Pool(workers=workers).map(draw, jobs[:workers], title="")
    begun = time.perf_counter()
    frames = sum(Pool(workers=workers).map(draw, jobs, title=""))
    whole = time.perf_counter() - begun
    begun = time.perf_counter()
    Pool(workers=workers).map(start_only, list(range(workers)), title="")
    return frames / (whole - (time.perf_counter() - begun))


def start_only(item: int) -> int:
    """What a process costs before its first clip."""
    render_clip(make_look("real", item), generate(0, frames=1), size=256)
    return item


def memory(item: int) -> list[float]:
    """Resident megabytes of a worker after 1, 10 and 30 clips of all styles."""
    import psutil

    found: list[float] = []
    names = list(styles())
    for clip in range(30):
        draw((names[clip % len(names)], 100 * item + clip))
        if clip + 1 in (1, 10, 30):
            found.append(round(psutil.Process().memory_info().rss / 1e6))
    return found


def training_set(clips: int) -> float:
    """Seconds of wall-clock time for clips of 100 frames at 128 px of each domain, written, with two workers."""
    with tempfile.TemporaryDirectory() as place:
        command = [sys.executable, "-m", "toonbench.cli", "make-puppets", "--out", place + "/p", "--split", "train", "--clips", str(clips),
                   "--images", "0", "--frames", "100", "--size", "128", "--workers", "2"]  # fmt: skip
        begun = time.perf_counter()
        subprocess.run(command, check=True)
        return time.perf_counter() - begun


if __name__ == "__main__":
    np.seterr(all="raise", under="ignore")
    main()
