"""Motion of version 2: blinks and openings of the mouth at uniformly drawn times, each a clear event.

In version 1 (`rig.generate`) a clip of one second has its first blink at nearly the same frame in every clip, so a fixed
pattern that looks at nothing scores well. Here the time of every event is uniform over the clip, and an event is an
event at any rate from 10 frames a second up: closed eyes and open mouths last at least 100 ms, between two events
the channel is at rest for at least 100 ms, and other movements of lids and jaw stay below the limits of
`blink_f1` and `mouth_f1`. It stays an event when relative motion moves another puppet of version 2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from toonbench.puppets.rig import FPS, INDEX, Rig, add_gaze, add_mood, add_pose, clamp
from toonbench.types import ToonbenchError

LEAD = 7  # frames at 30 a second without an event's peak: the first two frames of a clip at 10 a second are at rest
BLINKS, OPENINGS = 0.56, 0.75  # a second
WINK = 0.25  # chance that a clip has a wink as well: half a blink in the mean of both eyes, and no event
SHUT_IN, SHUT_OUT = (0.12, 0.4), (0.55, 0.2)  # lids before and after they are shut
OPEN_IN, OPEN_OUT = (0.12, 0.28, 0.45, 0.85), (0.8, 0.5, 0.25, 0.1)  # parts of the opening's peak before and after it
BLINK_GAP, OPENING_GAP = 15, 18  # frames from one onset to the next at least
REST = 4  # frames of a jaw at rest before and after an opening
SYLLABLE = 0.3  # the largest opening of the jaw in quiet talk

Curve = NDArray[np.float64]  # (frames,)


def generate_timed(seed: int, *, frames: int, step: int = 1) -> Rig:
    """Draw a clip's motion from `seed`: (frames, channels), every `step`-th frame of a 30 fps motion.

    Frame 0 is calm (small angles, open eyes, mouth nearly shut). Raises ToonbenchError for frames or step below 1.
    """
    if frames < 1 or step < 1:
        raise ToonbenchError(f"A motion needs frames >= 1 and step >= 1; got frames={frames}, step={step}. Raise them.")
    rng = np.random.default_rng(seed)
    rig = np.zeros(((frames - 1) * step + 1, len(INDEX)), dtype=np.float64)
    add_pose(rig, rng)
    add_mood(rig, rng)
    _add_talk(rig, rng)
    _add_blinks(rig, rng)
    add_gaze(rig, rng)
    return clamp(rig[::step])


def _count(rng: np.random.Generator, rate: float, *, length: int) -> int:
    """Draw how many events a clip has: `rate` a second on average, at most one more or fewer."""
    return max(0, int(np.floor(rate * max(0, length - LEAD) / FPS - 0.5 + 2 * rng.random())))


def _onsets(rng: np.random.Generator, count: int, *, length: int, gap: int) -> list[int]:
    """`count` frames in [LEAD, length) at least `gap` apart, or as many as fit, in random order.

    They are drawn on a circle with a uniform start, so that each of them is uniform over the whole range.
    """
    span = max(0, length - LEAD)
    count = min(count, span // gap)
    if not count:
        return []
    cuts = np.sort(rng.integers(0, span - count * gap + 1, count - 1))
    places = np.concatenate([[0], cuts + gap * np.arange(1, count)])
    return rng.permutation(LEAD + (int(rng.integers(span)) + places) % span).tolist()


def _lay(curve: Curve, shape: Curve, *, start: int) -> None:
    """Put `shape` into `curve` from frame `start` on where it is higher, cut off at both ends."""
    first, stop = max(0, start), min(len(curve), start + len(shape))
    if first < stop:
        curve[first:stop] = np.maximum(curve[first:stop], shape[first - start : stop - start])


def _add_blinks(rig: Curve, rng: np.random.Generator) -> None:
    """Blinks of 230 to 300 ms, shut for 100 to 170 ms of them, and sometimes a wink."""
    length = len(rig)
    blinks = _count(rng, BLINKS, length=length)
    winks = int(rng.random() < WINK)
    for number, onset in enumerate(_onsets(rng, blinks + winks, length=length, gap=BLINK_GAP)):
        shape = np.array([*SHUT_IN, *[1.0] * int(rng.integers(3, 6)), *SHUT_OUT])
        eye = ("blink_left", "blink_right")[int(rng.integers(2))]
        for channel in ("blink_left", "blink_right") if number < blinks else (eye,):
            _lay(rig[:, INDEX[channel]], shape, start=onset - len(SHUT_IN))


def _add_talk(rig: Curve, rng: np.random.Generator) -> None:
    """Quiet syllables in phrases, and openings of 330 to 500 ms among them; lips spread or rounded with both."""
    length = len(rig)
    jaw, lips = _quiet_talk(rng, length)
    openings = np.zeros(length)
    for onset in _onsets(rng, _count(rng, OPENINGS, length=length), length=length, gap=OPENING_GAP):
        shape = np.array([*OPEN_IN, *[1.0] * int(rng.integers(2, 8)), *OPEN_OUT])
        start = onset - len(OPEN_IN) + 1
        jaw[max(0, start - REST) : start + len(shape) + REST] = 0
        _lay(openings, float(rng.uniform(0.8, 1.0)) * shape, start=start)
        spread = float(rng.uniform(-1.0, 1.0)) * shape
        first, stop = max(0, start), min(length, start + len(shape))
        lips[first:stop] = spread[first - start : stop - start]
    rig[:, INDEX["jaw_open"]] = float(rng.uniform(0.0, 0.06)) + np.maximum(jaw, openings)
    rig[:, INDEX["mouth_wide"]] = np.clip(lips, 0, 1)
    rig[:, INDEX["mouth_pucker"]] = np.clip(-lips, 0, 1)


def _quiet_talk(rng: np.random.Generator, length: int) -> tuple[Curve, Curve]:
    """Jaw and lips of syllables at 3 to 6 a second in phrases with pauses; the jaw opens by `SYLLABLE` at most."""
    jaw, lips = np.zeros(length), np.zeros(length)
    at, left = int(rng.integers(2, 12)), int(rng.integers(3, 10))
    while at < length:
        span = int(rng.integers(5, 11))
        pulse = np.hanning(span + 2)[1:-1]
        stop = min(length, at + span)
        jaw[at:stop] = np.maximum(jaw[at:stop], float(rng.uniform(0.08, SYLLABLE)) * pulse[: stop - at])
        lips[at:stop] += float(rng.uniform(-0.8, 0.8)) * pulse[: stop - at]
        at, left = at + span - 1, left - 1
        if left == 0:
            at, left = at + int(rng.integers(8, 24)), int(rng.integers(3, 10))
    return jaw, lips
