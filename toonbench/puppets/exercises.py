"""Motion for training: a head that barely moves, and a face that moves often and far.

In talk-like motion (`timed`) eyes are shut in one frame of ten, and two frames of a clip differ by the pose of the head before all:
a network learns blinks and openings of the mouth late, if at all. In exercises the head keeps a pose, drawn for each
clip, and lids, jaw, lips, brows and gaze move independently between drawn positions. Not for test splits: people do not move like this.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from toonbench.puppets.rig import INDEX, Rig, clamp
from toonbench.types import ToonbenchError

POSE = {"yaw": 22.0, "pitch": 11.0, "roll": 9.0, "tx": 0.1, "ty": 0.08, "scale": 0.1}  # largest value that is kept
DRIFT = 0.12  # of it, how far the head drifts during the clip
BOTH_EYES = 0.75  # chance that a clip moves both lids together
HOLD = (3, 12)  # frames at 30 a second that a position is held
MOVE = (2, 5)  # frames of a movement to the next position

Curve = NDArray[np.float64]  # (frames,)


def generate_exercises(seed: int, *, frames: int, step: int = 1) -> Rig:
    """Draw a clip's motion from `seed`: (frames, channels), every `step`-th frame of a 30 fps motion.

    Raises ToonbenchError for frames or step below 1.
    """
    if frames < 1 or step < 1:
        raise ToonbenchError(f"A motion needs frames >= 1 and step >= 1; got frames={frames}, step={step}. Raise them.")
    rng = np.random.default_rng(seed)
    length = (frames - 1) * step + 1
    rig = np.zeros((length, len(INDEX)), dtype=np.float64)
    for name, largest in POSE.items():
        path = np.linspace(0.0, float(rng.uniform(-DRIFT, DRIFT)), length)
        rig[:, INDEX[name]] = largest * (float(rng.uniform(-1.0, 1.0)) + path)
    _add_lids(rig, rng)
    _add_mouth(rig, rng)
    _add_brows(rig, rng)
    for name, largest in (("gaze_x", 0.9), ("gaze_y", 0.7)):
        rig[:, INDEX[name]] = largest * _positions(rng, length, lowest=-1.0, at_rest=0.2)
    return clamp(rig[::step])


def _positions(rng: np.random.Generator, length: int, *, lowest: float, at_rest: float, at_end: float = 0.3) -> Curve:
    """Positions in [lowest, 1] that are held, and eased movements between them.

    A position is 0 with the chance `at_rest`, 1 or `lowest` with `at_end`, and uniform otherwise.
    """
    times: list[int] = []
    values: list[float] = []
    at = -int(rng.integers(*HOLD))
    while at < length:
        kind = rng.random()
        value = 0.0 if kind < at_rest else float(rng.uniform(lowest, 1.0))
        if at_rest <= kind < at_rest + at_end:
            value = 1.0 if value > 0.5 * (lowest + 1.0) or not lowest else lowest
        hold = int(rng.integers(*HOLD))
        times += [at, at + hold]
        values += [value, value]
        at += hold + int(rng.integers(*MOVE))
    return np.interp(np.arange(length), times, values)


def _add_lids(rig: Curve, rng: np.random.Generator) -> None:
    length = len(rig)
    together = rng.random() < BOTH_EYES
    left = _positions(rng, length, lowest=0.0, at_rest=0.5, at_end=0.4)
    right = left if together else _positions(rng, length, lowest=0.0, at_rest=0.5, at_end=0.4)
    rig[:, INDEX["blink_left"]], rig[:, INDEX["blink_right"]] = left, right


def _add_mouth(rig: Curve, rng: np.random.Generator) -> None:
    length = len(rig)
    lips = _positions(rng, length, lowest=-1.0, at_rest=0.35)
    corners = _positions(rng, length, lowest=-1.0, at_rest=0.35)
    rig[:, INDEX["jaw_open"]] = _positions(rng, length, lowest=0.0, at_rest=0.4)
    rig[:, INDEX["mouth_wide"]], rig[:, INDEX["mouth_pucker"]] = np.clip(lips, 0, 1), np.clip(-lips, 0, 1)
    rig[:, INDEX["smile"]], rig[:, INDEX["frown"]] = np.clip(corners, 0, 1), np.clip(-corners, 0, 1)


def _add_brows(rig: Curve, rng: np.random.Generator) -> None:
    length = len(rig)
    brows = _positions(rng, length, lowest=-1.0, at_rest=0.3)
    skew = 0.5 * _positions(rng, length, lowest=-1.0, at_rest=0.6)
    rig[:, INDEX["brow_up_left"]] = np.clip(brows + skew, 0, 1)
    rig[:, INDEX["brow_up_right"]] = np.clip(brows - skew, 0, 1)
    rig[:, INDEX["brow_furrow"]] = np.clip(-brows, 0, 1)
