"""The failure case of motion_agreement: one driving video, outputs that follow it, and outputs that seem to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from metric_docs.failure_shared import FACE, SIZE, Case, Curves
from toonbench.metrics.motion_agreement import MotionAgreement
from toonbench.networks.curves import CURVES, WIDTH
from toonbench.puppets.catalogue import make_look
from toonbench.puppets.draw.render import render_clip
from toonbench.puppets.rig import INDEX, generate
from toonbench.types import Clip, Frames, Pair, Rows, Sample

FRAMES, SEED = 45, 7
_YAW, _JAW = CURVES.index("yaw"), CURVES.index("jaw")


def motion_cases() -> dict[str, Callable[[], Case]]:
    """Every case by name; each is computed when called."""
    return {"motion_agreement": motion_agreement}


def motion_agreement() -> Case:
    """Half the motion agrees fully; a mirrored head and a shut mouth do not."""
    rig = generate(SEED, frames=FRAMES)
    half, shut = rig.copy(), rig.copy()
    half[1:] = (rig[1:] + rig[:1]) / 2
    shut[:, INDEX["jaw_open"]] = 0
    driving = render_clip(make_look("real", 3), rig, size=SIZE).frames
    target, small, closed = (render_clip(make_look(*FACE), motion, size=SIZE).frames for motion in (rig, half, shut))
    made = (
        ("target", "the target", "yaw", target),
        ("half", "half the motion", "yaw", small),
        ("mirrored", "mirrored", "yaw", np.ascontiguousarray(target[:, :, ::-1])),
        ("shut", "mouth does not open", "jaw", closed),
    )
    metric = MotionAgreement()
    panels = tuple(
        _panel(key, title, channel, metric, metric.measure(_sample(frames, driving, target)))
        for key, title, channel, frames in made
    )
    return Case(
        name="motion_agreement",
        title="Half the motion agrees nearly as well as all of it; a mirrored head is negative, and a shut mouth lowers one channel",
        lines=("driving video, by the face landmarker", "output, by the motion reader"),
        rate=30,
        panels=panels,
    )


def _sample(frames: Frames, driving: Frames, target: Frames) -> Sample:
    real, drawn = (
        Clip(id="real", path=Path("real"), domain="real"),
        Clip(id="cartoon", path=Path("cartoon"), domain="cartoon"),
    )
    pair = Pair(id="puppet", source=drawn, driving=real, target=drawn)
    return Sample(pair=pair, generated=frames, source=target[0], driving=driving, target=target)


def _panel(key: str, title: str, channel: str, metric: MotionAgreement, rows: Rows) -> Curves:
    at = _YAW if channel == "yaw" else _JAW
    details = metric.details([rows])
    return Curves(
        key=key, title=title, channel=channel, truth=rows[:, WIDTH + at].astype(np.float64),
        estimate=rows[:, at].astype(np.float64),
        values={"motion_agreement": metric.value(rows), channel: details[channel], "amplitude": details["amplitude"]},
    )  # fmt: skip
