"""The Fréchet distance of 2048-d features: toonbench against scipy's sqrtm and pytorch-fid; and a whole FID result with its interval.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/frechet_speed.py

Features of the goldens' recipe, one process, one thread, both sides in turn. What is timed: of sqrtm, the root of the
ready product of two covariances; of pytorch-fid, `calculate_frechet_distance` of ready moments; of toonbench, everything
from the rows on, and everything but what a second method shares, the reference's part. Writes results/frechet_speed.json.
"""

from __future__ import annotations

import importlib
import json
import platform
import statistics
import time
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toonbench.metrics.fid import FID
from toonbench.metrics.kid import KID
from toonbench.networks.deterministic import deterministic_features
from toonbench.stats import intervals
from toonbench.stats.frechet import Frechet
from toonbench.stats.pooled import pool
from toonbench.store import write_json
from toonbench.types import Rows

WIDTH = 2048
CASES = {"d2048_n300_n300": (300, 300), "d2048_n1000_n1000": (1000, 1000), "d2048_n3000_n2500": (3000, 2500)}
ROUNDS = 3
FRAMES, CLIPS, IMAGES = 30_000, 300, 300


def main() -> None:
    result = {
        "what": "CPU seconds (process_time), one thread; ratios are medians over rounds in turn",
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}",
        "cases": {name: measured(name, counts) for name, counts in CASES.items()},
        "whole_result": whole_result(),
    }
    write_json(Path(__file__).parent / "results/frechet_speed.json", result)
    print(json.dumps(result, indent=1))


def measured(name: str, counts: tuple[int, int]) -> dict[str, Any]:
    """Seconds of each way, and how far toonbench is from pytorch-fid on the scale of the traces."""
    linalg: Any = importlib.import_module("scipy.linalg")
    package: Any = importlib.import_module("pytorch_fid.fid_score")
    first, second = deterministic_features(name, counts=counts, width=WIDTH, kind="relu")
    one, other = [[mean, covariance] for mean, covariance in map(moments, (first, second))]
    product = one[1] @ other[1]
    ready = Frechet(pool([first]))
    ready.distance(pool([second[:2]]))
    ways: dict[str, Callable[[], Any]] = {
        "sqrtm": lambda: linalg.sqrtm(product),
        "pytorch_fid": lambda: package.calculate_frechet_distance(*one, *other),
        "toonbench": lambda: Frechet(pool([first])).distance(pool([second])),
        "toonbench_second_method": lambda: ready.distance(pool([second])),
    }
    for way in ("toonbench", "toonbench_second_method"):
        ways[way]()  # what the reference costs once, and the libraries' first call
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    values: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scipy's, of pytorch-fid's way to call it
        for _ in range(ROUNDS):
            for way, run in ways.items():
                begun = time.process_time()
                values[way] = run()
                seconds[way].append(time.process_time() - begun)
    scale = float(np.square(one[0] - other[0]).sum() + np.trace(one[1]) + np.trace(other[1]))
    return {
        "rows": counts,
        "seconds": {way: statistics.median(found) for way, found in seconds.items()},
        "ratio": {
            f"{peer} / {ours}": statistics.median(a / b for a, b in zip(seconds[peer], seconds[ours], strict=True))
            for peer in ("sqrtm", "pytorch_fid")
            for ours in ("toonbench", "toonbench_second_method")
        },
        "difference_from_pytorch_fid_on_the_trace_scale": abs(values["toonbench"] - values["pytorch_fid"]) / scale,
    }


def moments(rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return rows.mean(axis=0), np.cov(rows, rowvar=False)


def whole_result() -> dict[str, Any]:
    """FID and KID of many frames to few images, with the interval over 20 groups and the floor; rows as stored, float32."""
    made, images = deterministic_features("whole", counts=(FRAMES, IMAGES), width=WIDTH, kind="relu")
    rows: list[Rows] = list(made.astype(np.float32).reshape(CLIPS, -1, WIDTH))
    reference: list[Rows] = list(images.astype(np.float32)[:, None])
    del made, images
    drivers = [f"driver{at // 5:03}" for at in range(CLIPS)]
    found: dict[str, Any] = {"frames": FRAMES, "clips": CLIPS, "reference_images": IMAGES, "groups": 20}
    for metric in (FID(), KID()):
        begun = time.process_time()
        interval = intervals.grouped_jackknife(
            rows,
            drivers,
            reduced_to(metric, reference),
            reduce_groups=lambda groups, metric=metric: metric.leave_out(groups, reference),
        )
        metric.details(rows, reference)
        found[f"{metric.name}_seconds"] = time.process_time() - begun
        found[metric.name] = [interval.value, interval.low, interval.high]
    return found


def reduced_to(metric: FID | KID, reference: list[Rows]) -> Callable[[Any], float]:
    return lambda rows: metric.reduce(rows, reference)


if __name__ == "__main__":
    main()
