"""The rig: the named channels that move every puppet of every domain, and seeded talk-like motion in them.

A rig is a (frames, channels) float32 array in the order of `toonbench.types.CHANNELS`, at 30 frames per second unless said otherwise.
Angles are degrees: yaw > 0 turns the face to the right of the picture, pitch > 0 looks up, roll > 0 tips the top of
the head to the right of the picture. tx and ty are parts of the face's half height (right and up), scale is a
logarithm to base 2 of the size. `frown` to `brow_furrow`, jaw, mouth and blinks run from 0 to 1, gaze from -1 to 1.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from toonbench.types import CHANNEL_LIMITS, CHANNELS, ToonbenchError

FPS = 30.0

INDEX: dict[str, int] = {name: i for i, name in enumerate(CHANNELS)}
LIMITS: NDArray[np.float32] = np.array(list(CHANNEL_LIMITS.values()), dtype=np.float32)  # (channels, 2)

Rig = NDArray[np.float32]  # (frames, channels)

_POSE_AMPLITUDE = {"yaw": 27.0, "pitch": 14.0, "roll": 12.0, "tx": 0.14, "ty": 0.1, "scale": 0.12}
_MOOD = {"smile": 0.9, "frown": 0.7, "brow_up": 0.9, "brow_furrow": 0.8}


def seed_of(*parts: str | int) -> int:
    """Derive a 63-bit seed from names and numbers, the same on every machine and in every process."""
    text = "\x1f".join(str(part) for part in parts).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") >> 1


def neutral() -> Rig:
    """Return the rest pose, (channels,) zeros."""
    return np.zeros(len(CHANNELS), dtype=np.float32)


def clamp(rig: NDArray[np.floating]) -> Rig:
    """Clip every channel of (..., channels) to its `LIMITS`."""
    return np.clip(rig, LIMITS[:, 0], LIMITS[:, 1]).astype(np.float32)


def relative(source_rig: Rig, driving_rigs: Rig) -> Rig:
    """Move a source by the change of the driving rig since its first frame: source + (driving_t - driving_0), clamped.

    `source_rig` is (channels,), `driving_rigs` (frames, channels); returns (frames, channels).
    Frame 0 is the source's own pose, so its target is the source image.
    """
    _check(driving_rigs)
    return clamp(source_rig[None] + (driving_rigs - driving_rigs[:1]))


def absolute(source_rig: Rig, driving_rigs: Rig) -> Rig:
    """Give the source the driving rig itself, (frames, channels), clamped; the source's pose is ignored."""
    _check(driving_rigs)
    del source_rig
    return clamp(driving_rigs)


def generate(seed: int, *, frames: int, step: int = 1) -> Rig:
    """Draw a clip's motion from `seed`: (frames, channels), every `step`-th frame of a 30 fps motion.

    This is the motion of puppets version 1, of landmark training and of films; `timed.generate_timed` is version 2.
    Frame 0 is calm (small angles, open eyes, mouth nearly shut), so that relative motion starts from a neutral pose.
    """
    if frames < 1 or step < 1:
        raise ToonbenchError(f"A motion needs frames >= 1 and step >= 1; got frames={frames}, step={step}. Raise them.")
    rng = np.random.default_rng(seed)
    length = (frames - 1) * step + 1
    rig = np.zeros((length, len(CHANNELS)), dtype=np.float64)
    add_pose(rig, rng)
    add_mood(rig, rng)
    _add_talk(rig, rng)
    _add_blinks(rig, rng)
    add_gaze(rig, rng)
    return clamp(rig[::step].astype(np.float32))


def first_pose(seed: int) -> Rig:
    """Draw the still pose of a source image, (channels,): calm, eyes open, at most a slight expression."""
    return generate(seed, frames=1)[0]


def _check(rigs: Rig) -> None:
    if rigs.ndim != 2 or rigs.shape[1] != len(CHANNELS) or not len(rigs):
        raise ToonbenchError(
            f"A driving rig must be (frames >= 1, {len(CHANNELS)}); got shape {tuple(rigs.shape)}. Read it from motion/."
        )


def _keyed(
    rng: np.random.Generator, length: int, *, calm: float, gap: tuple[int, int], hold: float
) -> NDArray[np.float64]:
    """Ease between random targets in [-1, 1], some at the far ends and held there; (length,), starts within `calm`."""
    curve = np.empty(length)
    at, value = 0, float(rng.uniform(-calm, calm))
    wait = int(rng.integers(0, 5))
    while at < length:
        curve[at : at + wait] = value
        at += wait
        target = (
            float(rng.uniform(0.65, 1.0) * rng.choice([-1.0, 1.0]))
            if rng.random() < 0.55
            else float(rng.uniform(-0.6, 0.6))
        )
        span = int(rng.integers(*gap))
        ease = 0.5 - 0.5 * np.cos(np.linspace(0, np.pi, span, endpoint=False))
        part = value + (target - value) * ease
        curve[at : at + span] = part[: max(0, length - at)]
        at, value = at + span, target
        wait = int(rng.integers(5, 18)) if rng.random() < hold else 0
    return curve


def _smooth(curve: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    kernel = np.hanning(width + 2)[1:-1]
    padded = np.pad(curve, (width // 2, width - 1 - width // 2), mode="edge")
    return np.asarray(np.convolve(padded, kernel / kernel.sum(), mode="valid"), dtype=np.float64)


def add_pose(rig: NDArray[np.float64], rng: np.random.Generator) -> None:
    """Put head turns, shifts and changes of size into (frames, channels) at 30 frames a second."""
    length = len(rig)
    for name, amplitude in _POSE_AMPLITUDE.items():
        slow = _keyed(rng, length, calm=0.35, gap=(12, 28), hold=0.5)
        wobble = _smooth(rng.normal(size=length), 9) * 0.08
        rig[:, INDEX[name]] = amplitude * float(rng.uniform(0.7, 1.1)) * _smooth(slow + wobble, 5)


def add_mood(rig: NDArray[np.float64], rng: np.random.Generator) -> None:
    """Put smiles, frowns and brows into (frames, channels) at 30 frames a second."""
    length = len(rig)
    mood = _smooth(_keyed(rng, length, calm=0.3, gap=(8, 20), hold=0.6), 5)
    rig[:, INDEX["smile"]] = _MOOD["smile"] * np.clip(mood, 0, None)
    rig[:, INDEX["frown"]] = _MOOD["frown"] * np.clip(-mood, 0, None)
    brows = _smooth(_keyed(rng, length, calm=0.25, gap=(6, 16), hold=0.5), 5)
    skew = _smooth(_keyed(rng, length, calm=0.2, gap=(10, 24), hold=0.5), 5)
    rig[:, INDEX["brow_up_left"]] = _MOOD["brow_up"] * np.clip(brows + 0.5 * skew, 0, None)
    rig[:, INDEX["brow_up_right"]] = _MOOD["brow_up"] * np.clip(brows - 0.5 * skew, 0, None)
    rig[:, INDEX["brow_furrow"]] = _MOOD["brow_furrow"] * np.clip(-brows, 0, None)


def _add_talk(rig: NDArray[np.float64], rng: np.random.Generator) -> None:
    """Syllables at 3 to 6 a second in phrases with pauses: a jaw pulse each, and lips spread or rounded."""
    length = len(rig)
    jaw, lips = np.zeros(length), np.zeros(length)
    at = int(rng.integers(1, 7))
    left = int(rng.integers(4, 12))
    while at < length:
        span = int(rng.integers(5, 11))
        pulse = np.hanning(span + 2)[1:-1]
        stop = min(length, at + span)
        jaw[at:stop] = np.maximum(jaw[at:stop], float(rng.uniform(0.3, 1.05)) * pulse[: stop - at])
        lips[at:stop] += float(rng.uniform(-1.0, 1.0)) * pulse[: stop - at]
        left -= 1
        at += span - 1
        if left == 0:
            at += int(rng.integers(8, 24))
            left = int(rng.integers(4, 12))
    lips = _smooth(lips, 3)
    rig[:, INDEX["jaw_open"]] = _smooth(jaw, 3)
    rig[:, INDEX["mouth_wide"]] = np.clip(lips, 0, 1)
    rig[:, INDEX["mouth_pucker"]] = np.clip(-lips, 0, 1)


def _add_blinks(rig: NDArray[np.float64], rng: np.random.Generator) -> None:
    """Blinks of 100 to 300 ms (3 to 9 frames) every half to two seconds; one in eight is a wink."""
    length = len(rig)
    at = int(rng.integers(4, 24))
    left, right = np.zeros(length), np.zeros(length)
    while at < length:
        span = int(rng.integers(3, 10))
        shut = np.interp(np.linspace(0, 1, span), [0.0, 0.35, 0.6, 1.0], [0.45, 1.0, 1.0, 0.3])
        who = rng.random()
        stop = min(length, at + span)
        if who > 0.06:
            left[at:stop] = shut[: stop - at]
        if who < 0.94:
            right[at:stop] = shut[: stop - at]
        at += span + int(rng.integers(14, 60))
    rig[:, INDEX["blink_left"]], rig[:, INDEX["blink_right"]] = left, right


def add_gaze(rig: NDArray[np.float64], rng: np.random.Generator) -> None:
    """Put glances into (frames, channels) at 30 frames a second."""
    length = len(rig)
    rig[:, INDEX["gaze_x"]] = 0.85 * _keyed(rng, length, calm=0.3, gap=(2, 6), hold=0.9)
    rig[:, INDEX["gaze_y"]] = 0.6 * _keyed(rng, length, calm=0.3, gap=(2, 6), hold=0.9)
