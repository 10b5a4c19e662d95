"""Golden clips: every metric on two shipped puppets, and the values that they had when they were pinned.

`toonbench doctor` measures them again, which shows in a minute whether this machine's decoder, PyTorch and processor give
the same numbers. Metrics with a network use deterministic test weights, so that nothing has to be fetched; their values have no
other use. `scripts/pin_metrics.py` writes the file.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import numpy as np

from toonbench import adapted, registry, video
from toonbench.data import load, read_motion, shipped
from toonbench.types import CHANNELS, Frames, GoldenCheck, Metric, Pair, Sample, ToonbenchError

PINNED = Path(__file__).with_name("pinned.json")
TASKS = ("real2cartoon", "cartoon2real")
EXACT = 1e-6  # of the value: pixels and counts, whose sums in float64 differ by 1e-12, and rows stored as float32
NETWORK = 1e-4  # of the value: float32 networks; without oneDNN and channels last, they differed by 2e-6 at most
TOLERANCES: Mapping[str, float] = {
    **dict.fromkeys(("l1", "psnr", "ssim", "cpbd", "blink_f1", "mouth_f1"), EXACT),
    "motion_agreement": 1e-2,  # of the value: a rank of one frame may change
    "csim_dinov2": 1e-3,  # of 1 - value: a cosine near 1 stored as float32 keeps 1e-5 of it
}  # of all others: NETWORK
# FAN gives whole pixels: one of the 816 coordinates may be read four cells, 20 pixels, away.
PIXELS = {"akd_fan68": 0.025}
FEW = 3  # frames for metrics with a large network


def pinned_checks(device: str = "cpu") -> Iterator[GoldenCheck]:
    """A check for each registered metric that has a pinned value; those that cannot be measured here are skipped."""
    pinned: dict[str, float | None] = json.loads(PINNED.read_text("utf-8"))
    for name in registry.names("metrics"):
        metric = on_test_weights(registry.load_metric(name))
        identity = registry.metric_id(metric)
        if identity not in pinned:
            continue
        if pinned[identity] is None:
            yield GoldenCheck(identity, math.nan, math.nan, skipped="it needs its own weights; it has no pinned value")
            continue
        metric = metric.on(device)
        expected = float(pinned[identity] or 0.0)
        yield GoldenCheck(identity, abs(value_of(metric) - expected), tolerance(name, expected))


def tolerance(name: str, value: float) -> float:
    """How far from the pinned `value` another processor or version of PyTorch may be by rounding.

    Narrow enough to notice pictures that reach the network mirrored, paler, resized differently or in another order of
    colours (`tests/unit/test_pinned.py`). AKD takes too long there: measured once, these move it by 1.3, 1.4, 0.27 and 0.06
    pixels, and other last bits of all weights, or convolutions without oneDNN, by none.
    """
    if name in PIXELS:
        return PIXELS[name]
    scale = 1 - value if name.startswith("csim_") else value
    return TOLERANCES.get(name, NETWORK) * abs(scale)


def on_test_weights(metric: Metric) -> Metric:
    """The metric with its network on deterministic test weights; unchanged if that is not possible."""
    return adapted.on_test_weights(metric) or metric


def can_be_pinned(metric: Metric) -> bool:
    """Whether the metric has a value without any fetched weights."""
    return adapted.on_test_weights(metric) is not None


def value_of(metric: Metric) -> float:
    """The metric's number on the golden clips; sets are compared with the clips' targets."""
    few = bool(metric.weights) and not metric.temporal
    samples = [_cut(sample, FEW) if few else sample for sample in golden_samples()]
    rows = [metric.measure(sample) for sample in samples]
    targets = [sample.target for sample in samples if sample.target is not None]
    reference = [metric.extract_features(target) for target in targets] if "reference" in metric.needs else []
    return metric.reduce(rows, reference)


@cache
def golden_samples() -> tuple[Sample, ...]:
    """A pair with a blink of each of two tasks on the shipped puppets: the target, shifted by one pixel and noisy."""
    from toonbench.tasks import draw_pairs

    root = list(shipped().values())[-1]
    data = load(root)
    drawn = (draw_pairs(registry.load_task(name), data.clips, targets=data.targets) for name in TASKS)
    return tuple(max((_sample(pair) for pair in pairs), key=_blinks) for pairs in drawn)


def _sample(pair: Pair) -> Sample:
    if pair.target is None or pair.target.motion is None:
        raise ToonbenchError(f"{pair.id} has no target with its motion; install toonbench again")
    target = video.read_video(pair.target.path).frames
    return Sample(
        pair=pair,
        generated=_damaged(target),
        source=video.read_image(pair.source.path),
        driving=video.read_video(pair.driving.path).frames,
        target=target,
        ground_truth=read_motion(pair.target.motion, fps=pair.target.fps),
    )


def _blinks(sample: Sample) -> float:
    columns = [CHANNELS.index(f"blink_{side}") for side in ("left", "right")]
    return 0.0 if sample.ground_truth is None else float(np.ptp(sample.ground_truth.rig[:, columns].mean(axis=1)))


def _damaged(frames: Frames) -> Frames:
    noise = np.random.default_rng(0).integers(-8, 9, frames.shape)
    return (np.roll(frames, 1, axis=2) + noise).clip(0, 255).astype(np.uint8)


def _cut(sample: Sample, frames: int) -> Sample:
    target = None if sample.target is None else sample.target[:frames]
    return Sample(pair=sample.pair, generated=sample.generated[:frames], source=sample.source, target=target)
