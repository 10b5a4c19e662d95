"""The motion metrics: CPU time of six metrics that share one pass of the landmark network, against six passes.

    OMP_NUM_THREADS=1 python benchmarks/landmark_speed.py

One clip of 48 frames of a puppet, 128 px, in one process; both sides in turn. Writes results/landmark_speed.json.
"""

from __future__ import annotations

import json
import platform
import statistics
import time
from datetime import UTC, datetime
from pathlib import Path

from toonbench.landmarks.card import METRICS, held_out, sample
from toonbench.networks.face_motion import forget
from toonbench.store import write_json
from toonbench.types import Sample

FRAMES, ROUNDS = 48, 7


def main() -> None:
    frames, truth = held_out("real", 0, frames=FRAMES)
    one = sample(frames, truth)
    measured(one, shared=True)  # load the network
    shared: list[float] = []
    apart: list[float] = []
    for _ in range(ROUNDS):
        shared.append(measured(one, shared=True))
        apart.append(measured(one, shared=False))
    result = {
        "what": f"CPU milliseconds a frame (process_time) of {len(METRICS)} metrics, {FRAMES} frames of 128 px, one thread",
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.processor() or platform.machine()}, Python {platform.python_version()}",
        "shared_ms": statistics.median(shared),
        "apart_ms": statistics.median(apart),
        "ratio": statistics.median(b / a for a, b in zip(shared, apart, strict=True)),
    }
    write_json(Path(__file__).parent / "results/landmark_speed.json", result)
    print(json.dumps(result, indent=1))


def measured(one: Sample, *, shared: bool) -> float:
    """CPU milliseconds a frame of all metrics."""
    begun = time.process_time()
    forget()
    for metric in METRICS:
        metric.measure(one)
        if not shared:
            forget()
    return (time.process_time() - begun) * 1e3 / FRAMES


if __name__ == "__main__":
    main()
