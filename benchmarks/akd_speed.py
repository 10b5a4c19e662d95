"""AKD: seconds a frame of toonbench and of face-alignment, and what it saves to keep the landmarks of real frames.

    OMP_NUM_THREADS=1 python benchmarks/akd_speed.py [--frames 8] [--rounds 3] [--compiled]

One process, one thread, puppets at 256 px, both sides on the same frames in turn; the models are loaded and each side has
seen a frame before. Deterministic test weights, the same files on both sides. S3FD finds no face with them: both run it, and give
FAN the middle of the frame (`metric_set_peers.py`). face-alignment runs without `torch.compile`, which it asks for by default;
`--compiled` lets it, with the seconds that compiling takes told apart. Writes results/akd_speed.json.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from metric_set_peers import AKDMiddle, points
from metric_set_speed import make_data, write_weights

from toonbench import video
from toonbench.store import write_json
from toonbench.types import Clip, Frames, Pair, Rows, Sample

SHARED = 8  # methods of a table, for what sharing saves


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--compiled", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        environment, _ = write_weights(Path(place))
        os.environ.update(environment)
        frames = clip(make_data(Path(place), frames=options.frames), options.frames)
        result = measured(frames, rounds=options.rounds, compiled=options.compiled)
    write_json(Path(__file__).parent / "results/akd_speed.json", result)
    print(json.dumps(result, indent=1))


def clip(data: Path, count: int) -> Frames:
    """The frames of the first clip of `data` that has as many as asked for."""
    for path in sorted(data.rglob("*.mkv")):
        frames = video.read_video(path).frames
        if len(frames) >= count:
            return frames[:count]
    raise SystemExit(f"no clip of {count} frames in {data}")


def measured(frames: Frames, *, rounds: int, compiled: bool) -> dict[str, Any]:
    torch: Any = importlib.import_module("torch")
    torch.set_num_threads(1)
    package: Any = importlib.import_module("face_alignment")
    ours, shifted = AKDMiddle(), np.roll(frames, 2, axis=2)
    finder = package.FaceAlignment(package.LandmarksType.TWO_D, flip_input=False, device="cpu", compile=compiled)
    started = {
        "toonbench": seconds(lambda: ours.extract_features(frames[:1])),
        "face_alignment": seconds(lambda: points(finder, frames[0])),
    }
    sample = Sample(pair=pair(), generated=shifted, target=frames)
    known = Sample(
        pair=sample.pair,
        generated=shifted,
        target=frames,
        features={("target", ours.features): ours.extract_features(frames)},
    )
    ways: dict[str, Callable[[], object]] = {
        "toonbench": lambda: ours.extract_features(frames),
        "face_alignment": lambda: [points(finder, frame) for frame in frames],
        "toonbench, AKD of a first method": lambda: ours.measure(sample),
        "toonbench, AKD of a further method": lambda: ours.measure(known),
    }
    took: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            took[name].append(seconds(way) / len(frames))
    first, further = took["toonbench, AKD of a first method"], took["toonbench, AKD of a further method"]
    return {
        "what": "CPU seconds (process_time) a frame, one thread; ratios within a round, medians over rounds",
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"torch {torch.__version__}, load {os.getloadavg()}",
        "frames": len(frames), "rounds": rounds, "torch.compile of face-alignment": compiled,
        "seconds_of_the_first_frame": started,
        "seconds_a_frame": {name: statistics.median(values) for name, values in took.items()},
        "rounds_seconds_a_frame": took,
        "ratio": {
            "face_alignment / toonbench": middle_ratio(took["face_alignment"], took["toonbench"]),
            "first / further method": middle_ratio(first, further),
            f"{SHARED} methods without / with sharing, from these": SHARED * statistics.median(first)
            / (statistics.median(first) + (SHARED - 1) * statistics.median(further)),
        },
        "equal": equal(ours.extract_features(frames), np.array([points(finder, frame) for frame in frames])),
    }  # fmt: skip


def middle_ratio(some: list[float], others: list[float]) -> float:
    return statistics.median(one / other for one, other in zip(some, others, strict=True))


def equal(ours: Rows, theirs: Rows) -> dict[str, float]:
    """The share of equal whole pixels, and the largest difference; AssertionError under 98 %."""
    share = float((ours == theirs).mean())
    assert share >= 0.98, share
    return {"coordinates": share, "largest_difference_pixels": float(np.abs(ours - theirs).max())}


def pair() -> Pair:
    one = Clip(id="clip", path=Path("clip.mkv"), domain="real")
    return Pair(id="pair", source=one, driving=one, target=one)


def seconds(way: Callable[[], object]) -> float:
    begun = time.process_time()
    way()
    return time.process_time() - begun


if __name__ == "__main__":
    main()
