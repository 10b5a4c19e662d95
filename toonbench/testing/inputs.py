"""The inputs that subjects are checked with: texture, moving faces with their ground-truth motion, and damage of known strength."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from toonbench import video
from toonbench.chunks import cut_truth
from toonbench.data import load_data, read_motion, shipped
from toonbench.types import CHANNEL_LIMITS, LANDMARKS, Clip, Frames, GroundTruth, Pair, Sample

HEIGHT, WIDTH = 128, 160  # of texture; no side is a multiple of the other
FEW = 3  # frames of a clip
FEWEST = 2  # for a network, whose frames take long
MANY = 12  # frames of a clip for a metric of motion

Damage = Callable[[Frames, int], Frames]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A clip to check with: frames (frames, height, width, 3), and the motion in them."""

    frames: Frames
    truth: GroundTruth


@functools.cache
def texture(seed: int, *, frames: int = FEW) -> Shown:
    """A sharp moving picture with detail at every scale, and any motion of the right shape."""
    from scipy.ndimage import gaussian_filter

    random = np.random.default_rng(seed)
    layers = [gaussian_filter(random.normal(size=(HEIGHT, WIDTH, 3)), (s, s, 0)) * s for s in (0.7, 2, 5)]
    picture = np.sum(layers, axis=0)
    picture = (picture - picture.min()) / np.ptp(picture) * 255
    moving = np.stack([np.roll(picture, 2 * t, axis=1) for t in range(frames)]).round().astype(np.uint8)
    return Shown(frames=moving, truth=any_motion(frames, seed=seed))


@functools.cache
def face(seed: int, *, frames: int = FEW) -> Shown:
    """A real-style puppet of the newest shipped data set, evenly spaced frames of its clip; clips that move most come first."""
    clips = _moving_clips()
    clip = clips[seed % len(clips)]
    decoded = video.read_video(clip.path)
    step = max(1, len(decoded.frames) // frames)
    chosen = slice(0, step * frames, step)
    truth = _truth(clip)
    part = GroundTruth(
        rig=truth.rig[chosen], landmarks=truth.landmarks[chosen], visible=truth.visible[chosen], fps=decoded.fps / step
    )
    return Shown(frames=np.ascontiguousarray(decoded.frames[chosen]), truth=part)


def any_motion(frames: int, *, seed: int) -> GroundTruth:
    """Ground-truth motion in which everything moves at random."""
    random = np.random.default_rng(seed)
    low, high = np.array(list(CHANNEL_LIMITS.values())).T
    return GroundTruth(
        rig=random.uniform(low, high, (frames, len(low))).astype(np.float32),
        landmarks=random.uniform(0, HEIGHT, (frames, LANDMARKS, 2)).astype(np.float32),
        visible=np.ones((frames, LANDMARKS), bool),
        fps=30.0,
    )


def sample_of(generated: Frames, *, target: Frames, truth: GroundTruth | None = None, seed: int = 0) -> Sample:
    """A same-identity pair: source and driving video are the target, so that only `generated` matters."""
    clip = Clip(id=f"clip{seed}", path=Path("clip"), domain="real")
    pair = Pair(id=f"pair{seed}", source=clip, driving=clip, target=clip)
    truth = truth or any_motion(len(generated), seed=seed)
    return Sample(pair=pair, generated=generated, source=target[0], driving=target, target=target, ground_truth=truth)


def cut(sample: Sample, start: int, stop: int) -> Sample:
    """Frames `start` to `stop` of a sample, as a chunk of it."""
    part = slice(start, stop)
    return replace(
        sample,
        generated=sample.generated[part],
        driving=None if sample.driving is None else sample.driving[part],
        target=None if sample.target is None else sample.target[part],
        ground_truth=None if sample.ground_truth is None else cut_truth(sample.ground_truth, start, stop),
        features={key: rows if key[0] == "source" else rows[part] for key, rows in sample.features.items()},
        start=sample.start + start,
    )


def blurred(frames: Frames, amount: int) -> Frames:
    """Each frame blurred by a Gaussian of `amount` pixels."""
    from scipy.ndimage import gaussian_filter

    smooth = gaussian_filter(frames.astype(np.float32), (0, amount, amount, 0))
    return np.asarray(smooth).round().astype(np.uint8)


def noisy(frames: Frames, amount: int) -> Frames:
    """Frames with normal noise of 6 grey levels times `amount`."""
    noise = np.random.default_rng(9).normal(size=frames.shape) * 6 * amount
    return (frames + noise).round().clip(0, 255).astype(np.uint8)


def shifted(frames: Frames, amount: int) -> Frames:
    """Frames moved `amount` pixels to the right; pixels that leave the picture return on the left."""
    return np.roll(frames, amount, axis=2)


DAMAGES: dict[str, Damage] = {"blur": blurred, "noise": noisy, "shift": shifted}


@functools.cache
def _moving_clips() -> tuple[Clip, ...]:
    data = load_data(list(shipped())[-1])
    clips = [clip for clip in data.clips if clip.kind == "video" and clip.domain == "real" and clip.motion is not None]
    return tuple(sorted(clips, key=lambda clip: (-_range(clip), clip.id)))


def _truth(clip: Clip) -> GroundTruth:
    if clip.motion is None:
        raise FileNotFoundError(f"{clip.id} has no ground-truth motion")
    return read_motion(clip.motion, fps=clip.fps)


def _range(clip: Clip) -> float:
    """The range of every channel in a clip as a share of its limits, summed over channels."""
    low, high = np.array(list(CHANNEL_LIMITS.values())).T
    return float((np.ptp(_truth(clip).rig, axis=0) / (high - low)).sum())
