"""Failure cases of the metrics, made from puppets: pictures with the value of each metric.

Every number is measured by the metric itself when the pictures are drawn (`python scripts/metric_pages.py --pictures`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from metric_docs.failure_inputs import input_cases
from metric_docs.failure_motion import motion_cases
from metric_docs.failure_shared import (
    FACE,
    OPEN,
    OTHER,
    SIZE,
    STEP,
    Case,
    Curves,
    Panel,
    blurred,
    damaged,
    faces,
    only,
    rigs_of,
    score,
    shifted,
    speech,
)  # fmt: skip
from toonbench import registry, video
from toonbench.data.folder import load_data
from toonbench.data.motion import read_motion
from toonbench.metrics import blink_f1, mouth_f1
from toonbench.metrics.events import onsets
from toonbench.networks.face_motion import estimate
from toonbench.puppets.catalogue import make_look
from toonbench.puppets.draw.render import Rendered, render_clip
from toonbench.puppets.rig import FPS, INDEX, Rig
from toonbench.tasks import draw_pairs
from toonbench.types import CHANNELS, Frame, GroundTruth, Pair, Sample

FROZEN, FROZEN_TASK = "puppets@2", "real2cartoon"
SEED, SPEECH_SEED = 7, 5  # of the clips whose curves are drawn


def cases() -> dict[str, Callable[[], Case]]:
    """Every case by name; each is computed when called."""
    made = (
        l1, psnr, ssim, cpbd, cpbd_edges, landmark_nme, rig_error, rig_corr, mouth_f1_case, blink_f1_case, head_pose_deg,
    )  # fmt: skip
    return {**{one.__name__.removesuffix("_case"): one for one in made}, **input_cases(), **motion_cases()}


def l1() -> Case:
    """A blurred picture, a sharp picture shifted by two pixels, and a shut mouth."""
    right, shut = faces(OPEN, {**OPEN, "jaw_open": 0.0})
    pictures = (
        ("target", "the target", right),
        ("blur", "blurred, sigma 2 px", blurred(right, 2)),
        ("shift", "sharp, shifted by 2 px", shifted(right, 2)),
        ("mouth", "sharp, mouth shut", shut),
    )
    return Case(
        name="l1",
        title="A blurred picture scores better than a sharp one shifted by two pixels; a shut mouth costs least",
        panels=_compared(pictures, right, ("l1", "psnr", "ssim")),
        further=_blur_against_shift(),
    )


def psnr() -> Case:
    """One perfect frame in a clip of four."""
    right, wrong = faces(OPEN, {**OPEN, "yaw": 12.0})
    pictures = (
        ("same", "identical", right),
        ("one", "one value changed by 1 of 255", _touched(right)),
        ("turned", "head turned by 12°", wrong),
    )
    panels = _compared(pictures, right, ("psnr",))
    clip, target = np.stack([right, wrong, wrong, wrong]), np.stack([right] * 4)
    error = np.mean((clip.astype(np.float64) - target) ** 2)
    pooled = {"mean of dB": score("psnr", clip, target=target), "dB of the mean": 10 * float(np.log10(255**2 / error))}
    return Case(
        name="psnr",
        title="Identical frames are capped at 100 dB, and one of them raises the mean of a whole clip",
        panels=panels,
        note=f"a clip of one identical and three turned frames: mean of dB {pooled['mean of dB']:.3g}, "
        f"dB of the mean error {pooled['dB of the mean']:.3g}",
        further=pooled,
    )


def ssim() -> Case:
    """Errors that people notice and errors that SSIM notices."""
    shut = {**OPEN, "jaw_open": 0.0, "blink_left": 1.0, "blink_right": 1.0}
    right, wrong = faces(OPEN, shut)
    brighter = np.clip(right * 1.1, 0, 255).astype(np.uint8)
    pictures = (
        ("target", "the target", right),
        ("shut", "mouth and both eyes shut", wrong),
        ("shift", "shifted by 1 px", shifted(right, 1)),
        ("noise", "noise, sigma 5 of 255", damaged(right, "noise", 5)),
        ("bright", "10 % brighter", brighter),
    )
    return Case(
        name="ssim",
        title="A wrong expression costs less than a shift of one pixel or a little noise",
        panels=_compared(pictures, right, ("ssim", "l1", "psnr")),
    )


def cpbd() -> Case:
    """Damage that counts as sharpness."""
    [right] = faces(OPEN)
    pictures = (
        ("target", "the target", right),
        ("blur", "blurred, sigma 1 px", blurred(right, 1)),
        ("noise", "noise, sigma 10 of 255", damaged(right, "noise", 10)),
        ("wreck", "a third of it missing", damaged(right, "wreck", 0.3)),
        ("blurnoise", "blurred, then noise", damaged(blurred(right, 1), "noise", 10)),
    )
    return Case(
        name="cpbd",
        title="CPBD detects blur, and counts noise as sharpness",
        panels=tuple(
            Panel(key=key, title=title, picture=picture, values={"cpbd": score("cpbd", picture[None])})
            for key, title, picture in pictures
        ),
    )


def cpbd_edges() -> Case:
    """Drawn edges: the sharpest possible has no measurable width."""
    ramp = np.concatenate([np.zeros(16), [128.0], np.full(16, 255.0)])
    step = np.concatenate([np.zeros(16), np.full(16, 255.0)])
    rising = np.linspace(0, 255, SIZE)
    tiled = np.concatenate([ramp[:-1], ramp[::-1][:-1]])
    lines = {
        "step": ("perfect steps of 1 px", np.tile(np.concatenate([step, step[::-1]]), SIZE // 64)),
        "soft": ("the same, one grey pixel between", np.tile(tiled, SIZE // len(tiled) + 1)[:SIZE]),
        "ramp": ("one long ramp", rising),
    }
    panels: list[Panel] = []
    for key, (title, line) in lines.items():
        gray = np.tile(line.astype(np.uint8), (SIZE, 1))
        picture = np.repeat(gray[..., None], 3, axis=2)
        panels.append(Panel(key=key, title=title, picture=picture, values={"cpbd": score("cpbd", picture[None])}))
    return Case(name="cpbd_edges", title="A perfect step counts as no edge in CPBD", panels=tuple(panels))


def landmark_nme() -> Case:
    """Hidden parts, another person, no face."""
    look, other = make_look(*FACE), make_look(*OTHER)
    pose = rigs_of(OPEN)
    right, stranger = render_clip(look, pose, size=SIZE), render_clip(other, pose, size=SIZE)
    covered = right.frames[0].copy()
    covered[148:210, 78:190] = 127
    pictures = (
        ("target", "the target (noise floor)", right.frames[0]),
        ("covered", "mouth covered", covered),
        ("stranger", "another person, same motion", stranger.frames[0]),
        ("grey", "no face", np.full_like(covered, 127)),
    )
    panels = _moved(pictures, right, pose, ("landmark_nme",))
    marked = [
        replace(panel, points=(right.landmarks[0], estimate(panel.picture[None]).landmarks[0])) for panel in panels
    ]
    return Case(
        name="landmark_nme",
        title="The network guesses hidden points, and points say little about identity",
        panels=tuple(marked),
        note="green: the exact points; red: the estimates of the landmark network",
    )


def rig_error() -> Case:
    """An obvious error in one channel of eighteen, and another person."""
    pose = {"jaw_open": 0.8, "blink_left": 1.0, "blink_right": 1.0}
    rigs = rigs_of(pose, {}, {**pose, "yaw": 20.0})
    drawn, stranger = (
        render_clip(make_look(*FACE), rigs, size=SIZE),
        render_clip(make_look(*OTHER), rigs[:1], size=SIZE),
    )
    pictures = (
        ("target", "the target (noise floor)", drawn.frames[0]),
        ("missed", "eyes open, mouth shut", drawn.frames[1]),
        ("turned", "right, but turned by 20°", drawn.frames[2]),
        ("stranger", "another person, same motion", stranger.frames[0]),
    )
    return Case(
        name="rig_error",
        title="A wrong head rotation is one channel of eighteen; another person costs almost nothing",
        panels=_moved(pictures, drawn, rigs, ("rig_error", "landmark_nme")),
    )


def rig_corr() -> Case:
    """Half the motion has nearly the same Gini correlation."""
    rig = speech(SEED)
    half, late = ((rig + rig[:1]) / 2).astype(np.float32), rig[np.maximum(np.arange(len(rig)) - 2, 0)]
    aside = rig.copy()
    aside[:, INDEX["yaw"]] -= 10
    made = (
        ("target", "the target", rig), ("half", "half the motion", half), ("aside", "constant offset of 10°", aside),
        ("late", "two frames late", late),
    )  # fmt: skip
    return Case(
        name="rig_corr",
        title="rig_corr ignores size and offset by design; read it together with rig_error",
        panels=tuple(
            _curves(key, title, rig, wrong, channel="yaw", metrics=("rig_corr", "rig_error"))
            for key, title, wrong in made
        ),
    )


def mouth_f1_case() -> Case:
    """Few openings: one that stays below the limit costs much."""
    rig = speech(SPEECH_SEED)
    weak = rig.copy()
    weak[:, INDEX["jaw_open"]] *= 0.8
    made = (
        ("target", "the target", rig),
        ("weak", "jaw opens 80 % as far", weak),
        ("late", "three frames late", rig[np.maximum(np.arange(len(rig)) - 3, 0)]),
    )
    limits = (mouth_f1.SHUT, mouth_f1.OPEN)
    panels = tuple(
        _curves(key, title, rig, wrong, channel="jaw_open", metrics=("mouth_f1", "rig_corr"), limits=limits)
        for key, title, wrong in made
    )
    return Case(
        name="mouth_f1",
        title="A clip has few openings: one that stays below the limit costs much",
        panels=panels,
        further=_events(("jaw_open",), low=limits[0], high=limits[1]),
    )


def blink_f1_case() -> Case:
    """A half blink counts as none."""
    rig = speech(SPEECH_SEED)
    half, wink = rig.copy(), rig.copy()
    eyes = [INDEX["blink_left"], INDEX["blink_right"]]
    half[:, eyes] *= 0.5
    wink[:, eyes[1]] = 0
    made = (("target", "the target", rig), ("half", "eyelids close halfway", half), ("wink", "one eye only", wink))
    limits = (blink_f1.OPEN, blink_f1.SHUT)
    panels = tuple(
        _curves(key, title, rig, wrong, channel="blink", metrics=("blink_f1", "rig_corr"), limits=limits)
        for key, title, wrong in made
    )
    return Case(
        name="blink_f1",
        title="A half blink and a wink do not count as blinks",
        panels=panels,
        further=_events(("blink_left", "blink_right"), low=limits[0], high=limits[1]),
    )


def head_pose_deg() -> Case:
    """The right pose with the wrong face."""
    right = {"yaw": 15.0, "pitch": 5.0, "jaw_open": 0.8, "smile": 0.5}
    wrong = {"yaw": 15.0, "pitch": 5.0, "blink_left": 1.0, "blink_right": 1.0, "frown": 0.8}
    aside = {**right, "tx": -0.25, "scale": 0.2}
    rigs = rigs_of(right, wrong, aside, {**right, "yaw": 0.0})
    drawn = render_clip(make_look(*FACE), rigs, size=SIZE)
    pictures = (
        ("target", "the target (noise floor)", drawn.frames[0]),
        ("wrong", "right pose, wrong face", drawn.frames[1]),
        ("aside", "right pose, wrong position, size", drawn.frames[2]),
        ("turned", "yaw reduced by 15°", drawn.frames[3]),
        ("grey", "no face", np.full_like(drawn.frames[0], 127)),
    )
    return Case(
        name="head_pose_deg",
        title="Only the angle counts: face, position and size do not",
        panels=_moved(pictures, drawn, rigs, ("head_pose_deg", "rig_error")),
    )


def _touched(frame: Frame) -> Frame:
    touched = frame.copy()
    touched[0, 0, 0] ^= 1
    return touched


def _compared(pictures: Sequence[tuple[str, str, Frame]], target: Frame, metrics: Sequence[str]) -> tuple[Panel, ...]:
    return tuple(
        replace(panel, values={name: score(name, panel.picture[None], target=target[None]) for name in metrics})
        for panel in only(pictures)
    )


def _moved(
    pictures: Sequence[tuple[str, str, Frame]], drawn: Rendered, rigs: Rig, metrics: Sequence[str]
) -> tuple[Panel, ...]:
    """Pictures against the ground-truth motion of the first frame of `drawn`."""
    truth = GroundTruth(rig=rigs[:1], landmarks=drawn.landmarks[:1], visible=drawn.visible[:1], fps=FPS)
    return tuple(
        replace(panel, values={name: score(name, panel.picture[None], truth=truth) for name in metrics})
        for panel in only(pictures)
    )


def _curves(
    key: str,
    title: str,
    right: Rig,
    wrong: Rig,
    *,
    channel: str,
    metrics: Sequence[str],
    limits: tuple[float, ...] = (),
) -> Curves:
    """Draw a clip with `wrong` motion and measure it against the `right` one."""
    look = make_look(*FACE)
    target, frames = render_clip(look, right, size=128), render_clip(look, wrong, size=128).frames
    truth = GroundTruth(rig=right, landmarks=target.landmarks, visible=target.visible, fps=FPS / STEP)
    columns = [INDEX[name] for name in CHANNELS if name.startswith(channel)]
    return Curves(
        key=key,
        title=title,
        channel=channel,
        truth=right[:, columns].mean(axis=1, dtype=np.float64),
        estimate=estimate(frames).rig[:, columns].mean(axis=1, dtype=np.float64),
        limits=limits,
        values={name: score(name, frames, truth=truth) for name in metrics},
    )


def _blur_against_shift() -> dict[str, float]:
    """Every third target frame of the frozen puppets (128 px): in how many blur of sigma 1.5 px scores better than a shift of 2 px."""
    names = ("l1", "psnr", "ssim")
    better, frames = dict.fromkeys(names, 0), 0
    for clip in load_data(FROZEN).targets.values():
        target = np.stack(list(video.iter_frames(clip.path))[::3])
        blurred, shifted = (np.stack([change(one) for one in target]) for change in (_blur_frozen, _shift_frozen))
        frames += len(target)
        for name in names:
            metric = registry.load_metric(name)
            pair = Pair(id="frozen", source=clip, driving=clip, target=clip)
            blur, shift = (
                metric.measure(Sample(pair=pair, generated=one, target=target)) for one in (blurred, shifted)
            )
            better[name] += int(((blur > shift) if metric.higher_is_better else (blur < shift)).sum())
    return {**{f"frozen {name}": count for name, count in better.items()}, "frozen frames": frames}


def _blur_frozen(frame: Frame) -> Frame:
    return blurred(frame, 1.5)


def _shift_frozen(frame: Frame) -> Frame:
    return shifted(frame, 2)


def _events(channels: Sequence[str], *, low: float, high: float) -> dict[str, float]:
    """How many events the targets of the frozen pairs of real2cartoon contain."""
    data, task = load_data(FROZEN), registry.load_task(FROZEN_TASK)
    columns = [INDEX[name] for name in channels]
    counts: list[int] = []
    for pair in draw_pairs(task, data.clips, targets=data.targets):
        if pair.target is None or pair.target.motion is None:
            raise ValueError(f"{pair.id} has no ground-truth motion")
        rig = read_motion(pair.target.motion, fps=pair.target.fps).rig[task.skip :, columns]
        counts.append(len(onsets(rig.mean(axis=1, dtype=np.float64), low=low, high=high)))
    return {
        "frozen pairs": len(counts),
        "frozen events": sum(counts),
        "frozen clips with one": sum(n > 0 for n in counts),
    }
