"""Failure cases of the metrics that need weights: pictures of the input, without values of the metric."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from metric_docs.failure_shared import FACE, OPEN, OTHER, SIZE, Case, Panel, faces, only, rigs_of, shifted, speech
from toonbench import registry
from toonbench.puppets.catalogue import make_look
from toonbench.puppets.draw.render import render_clip
from toonbench.puppets.look import Look
from toonbench.types import Rows

NO_NUMBER = "pictures only: the weights of the metric were not available"


def input_cases() -> dict[str, Callable[[], Case]]:
    """Every case by name; each is drawn when called."""
    made = (lpips, fid, csim_arcface, csim_dinov2, akd_fan68, aed_identity, aed_expression)
    return {one.__name__: one for one in made}


def lpips() -> Case:
    """Differences that features of image patches may miss, without numbers."""
    shut = {**OPEN, "blink_left": 1.0, "blink_right": 1.0}
    right, wrong, away = faces(OPEN, shut, {**OPEN, "gaze_x": 1.0})
    pictures = (
        ("target", "the target", right),
        ("gaze", "looks elsewhere", away),
        ("shut", "both eyes shut", wrong),
        ("shift", "shifted by 2 px", shifted(right, 2)),
        ("half", "given as [0, 1]: half the contrast", (127.5 + right / 2).astype(np.uint8)),
    )
    return Case(name="lpips", title="Inputs to try with the weights", panels=only(pictures), note=NO_NUMBER)


def fid() -> Case:
    """The same set of frames, in order and out of order."""
    frames = render_clip(make_look(*FACE), speech(7)[::5], size=SIZE).frames[:5]
    order = np.random.default_rng(3).permutation(len(frames))
    panels = [Panel(key=f"a{i}", title=f"frame {i + 1}", picture=one) for i, one in enumerate(frames)]
    panels += [Panel(key=f"b{i}", title=f"frame {at + 1}", picture=frames[at]) for i, at in enumerate(order)]
    return Case(
        name="fid",
        title="Above in order, below shuffled: the same set of frames, so the same FID",
        panels=tuple(panels),
        note="no number is needed: a sum over a set does not depend on order",
        further=_nothing_and_new(),
    )


def csim_arcface() -> Case:
    """Faces that a detector may not find, and the repeated source."""
    look = make_look(*FACE)
    source, away, tilted = faces(
        {}, {"yaw": 35.0, "pitch": -20.0}, {"roll": 18.0, "pitch": 20.0, "scale": 0.2, "ty": 0.2}
    )
    covered = source.copy()
    covered[96:206, 70:190] = (np.array(look.palette.clothes) * 255).astype(np.uint8)  # a sleeve
    creature = render_clip(make_look("creature", 23), rigs_of({}), size=SIZE).frames[0]
    pictures = (
        ("source", "the source, repeated", source),
        ("away", "turned away", away),
        ("tilted", "tilted, cut off", tilted),
        ("covered", "covered", covered),
        ("creature", "a creature", creature),
    )
    return Case(
        name="csim_arcface",
        title="Frames in which a face detector made for photographs may find no face",
        panels=only(pictures),
        note=NO_NUMBER,
    )


def csim_dinov2() -> Case:
    """Identity against background."""
    look, other = make_look(*FACE), make_look(*OTHER)
    colours = replace(look.palette, clothes=other.palette.clothes, trim=other.palette.trim)
    dressed = replace(look, clothes=other.clothes, palette=colours)
    pose = rigs_of({})
    pictures = (
        ("source", "the source", render_clip(look, pose, size=SIZE).frames[0]),
        (
            "behind",
            "same person, other background",
            render_clip(_before(look, other), pose, size=SIZE).frames[0],
        ),
        (
            "person",
            "other person, same background",
            render_clip(_before(other, look), pose, size=SIZE).frames[0],
        ),
        ("clothes", "same person, other clothes", render_clip(dressed, pose, size=SIZE).frames[0]),
    )
    return Case(
        name="csim_dinov2",
        title="A feature of the whole picture depends on background and clothes as well as on the face",
        panels=only(pictures),
        note=NO_NUMBER,
    )


def akd_fan68() -> Case:
    """The same wrong angle on a near and on a far face, from the puppets' exact points."""
    near, far = {**OPEN, "scale": 0.2}, {**OPEN, "scale": -0.2}
    panels: list[Panel] = []
    for key, title, pose in (("near", "near face, 8° wrong", near), ("far", "far face, 8° wrong", far)):
        drawn = render_clip(make_look(*FACE), rigs_of(pose, {**pose, "yaw": 8.0}), size=SIZE)
        right, wrong = drawn.landmarks[:, :68].astype(np.float64)
        apart = right - wrong
        values = {
            "mean |dx|, |dy|": float(np.abs(apart).mean()),
            "mean distance": float(np.linalg.norm(apart, axis=1).mean()),
        }
        panels.append(
            Panel(
                key=key,
                title=title,
                picture=drawn.frames[1],
                values=values,
                points=(drawn.landmarks[0], drawn.landmarks[1]),
            )
        )
    return Case(
        name="akd_fan68",
        title="AKD counts pixels: the same error on a smaller face scores better",
        panels=tuple(panels),
        note="pixels at 256, from the puppets' exact points (green: target, red: shown face), not from the network",
        further={"ratio": panels[0].values["mean distance"] / panels[0].values["mean |dx|, |dy|"]},
    )


def aed_identity() -> Case:
    """The input of the recognition network: the whole frame at 96 pixels, not an aligned face."""
    from skimage.transform import resize

    right, moved = faces({}, {"tx": 0.25, "scale": -0.2})
    other = render_clip(_before(make_look(*FACE), make_look(*OTHER)), rigs_of({}), size=SIZE).frames[0]
    smile = faces({"smile": 1.0, "jaw_open": 0.6, "brow_up_left": 1.0, "brow_up_right": 1.0})[0]
    made = (
        ("target", "the target", right),
        ("moved", "same face, other position", moved),
        ("behind", "other background", other),
        ("smile", "other expression", smile),
    )
    small = tuple(
        (key, title, (np.asarray(resize(one, (96, 96), order=1, anti_aliasing=False)) * 255).astype(np.uint8))
        for key, title, one in made
    )
    return Case(
        name="aed_identity",
        title="The input of the network: the whole frame at 96 x 96, without face detection and alignment",
        panels=only(small),
        note=NO_NUMBER,
    )


def aed_expression() -> Case:
    """Expressions of which a network made for photographs may see little."""
    pose = rigs_of({"smile": 0.9, "jaw_open": 0.5, "brow_up_left": 1.0, "brow_up_right": 1.0})
    made = (("real", 24), ("disney3d", 21), ("cel", 22), ("watercolour", 23), ("creature", 23))
    pictures = [(style, style, render_clip(make_look(style, seed), pose, size=SIZE).frames[0]) for style, seed in made]
    return Case(
        name="aed_expression",
        title="One expression in five styles: the channels are equal, the pictures differ for a network made for photographs",
        panels=only(pictures),
        note=NO_NUMBER,
    )


def _before(look: Look, other: Look) -> Look:
    """The first person, with its own light, in front of the second person's background."""
    there = other.scene
    scene = replace(
        look.scene, background=there.background, background_seed=there.background_seed, backdrop=there.backdrop
    )
    return replace(look, scene=scene)


def _nothing_and_new() -> dict[str, float]:
    """FID and KID of the repeated sources, and of new samples of their distribution, with random numbers for features."""
    rng = np.random.default_rng(0)
    sources, frames, width = 60, 10, 2048

    def rows(count: int) -> Rows:
        return (np.maximum(rng.standard_normal((count, width)), 0) / 2).astype(np.float32)

    reference = [rows(1) for _ in range(sources)]
    sets = {"static": [np.repeat(one, frames, axis=0) for one in reference], "fresh": [rows(frames) for _ in reference]}
    metrics = (registry.load_metric("fid"), registry.load_metric("kid"))
    return {f"{one.name} {what}": one.reduce(made, reference) for one in metrics for what, made in sets.items()}
