"""Draw RGB frames from a look and a rig, with projected landmarks and their visibility."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from toonbench.puppets.catalogue import make_look
from toonbench.puppets.draw.mesh import Pose, Puppet, build_puppet, pose_puppet
from toonbench.puppets.draw.raster import Stage, to_pixels
from toonbench.puppets.look import Look
from toonbench.puppets.rig import Rig, neutral
from toonbench.types import CHANNELS, LANDMARKS, Frame, Frames, ToonbenchError

HIDDEN = 0.07  # a landmark this far (in lengths) behind the drawn surface is hidden


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A drawn clip: RGB uint8 frames, landmarks in pixels (x right, y down, pixel centres at .5) and their visibility."""

    frames: Frames  # (frames, size, size, 3)
    mask: NDArray[np.uint8]  # (frames, size, size): covered by the puppet, 0 to 255
    landmarks: NDArray[np.float32]  # (frames, 70, 2)
    visible: NDArray[np.bool_]  # (frames, 70): in the picture, facing the camera, not behind nose, hair or lids


def render_clip(look: Look, motion: Rig, *, size: int) -> Rendered:
    """Draw a look moved by a rig, (frames, channels), as square frames of `size` pixels.

    The same look, motion and size give the same pixels. Raises ToonbenchError for a wrong rig or size.
    """
    if motion.ndim != 2 or motion.shape[1] != len(CHANNELS):
        raise ToonbenchError(
            f"A rig must be (frames, {len(CHANNELS)}); got {tuple(motion.shape)}. See toonbench.puppets.rig."
        )
    if not 16 <= size <= 2048:
        raise ToonbenchError(f"A puppet's size must be 16 to 2048 pixels; got {size}. Choose e.g. 128 or 256.")
    stage = _stage(look, size)
    puppet = stage.puppet
    drawn = Rendered(
        frames=np.empty((len(motion), size, size, 3), dtype=np.uint8),
        mask=np.empty((len(motion), size, size), dtype=np.uint8),
        landmarks=np.empty((len(motion), LANDMARKS, 2), dtype=np.float32),
        visible=np.empty((len(motion), LANDMARKS), dtype=bool),
    )
    for i, rig in enumerate(motion):
        pose = pose_puppet(puppet, rig)
        drawn.frames[i], drawn.mask[i] = stage.draw(pose)
        drawn.landmarks[i], drawn.visible[i] = project(puppet, pose, stage=stage, size=size)
    return drawn


def render_depth(look: Look, motion: Rig, *, size: int) -> tuple[Frames, NDArray[np.float32]]:
    """Draw a look moved by a rig: the frames, and how near the surface is in each pixel, (frames, size, size).

    Depth is in lengths of a head, towards the camera from the middle of the head; minus infinity where the backdrop is.
    """
    stage = _stage(look, size)
    frames = np.empty((len(motion), size, size, 3), np.uint8)
    near = np.empty((len(motion), size, size), np.float32)
    for i, rig in enumerate(motion):
        frames[i], _ = stage.draw(pose_puppet(stage.puppet, rig))
        near[i] = look.scene.distance - stage.depth()
    return frames, near


@lru_cache(maxsize=4)
def _stage(look: Look, size: int) -> Stage:
    """Cache the last few puppets with their stages, because many callers draw a few looks with several motions."""
    return Stage(build_puppet(look), size=size)


def render_image(look: Look, rig: NDArray[np.float32], *, size: int) -> Frame:
    """Draw one frame of a look, (size, size, 3)."""
    return render_clip(look, rig[None], size=size).frames[0]


def warm_up() -> None:
    """Compile the loops (seconds, once per machine), so that worker processes started afterwards find them on disk."""
    render_image(make_look("real", 0), neutral(), size=16)


def project(puppet: Puppet, pose: Pose, *, stage: Stage, size: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Project the landmarks of the last pose to pixels, (70, 2), and return which are visible, (70,)."""
    scene = puppet.look.scene
    points, normals = pose.points[puppet.landmarks], pose.normals[puppet.landmarks]
    pixels = to_pixels(points, scene, size=size)
    eye = np.array([0.0, scene.centre_y, scene.distance])
    facing = ((eye - points) * normals).sum(1) > 0
    inside = ((pixels >= 0) & (pixels < size)).all(1)
    clear = scene.distance - points[:, 2] < stage.nearest(pixels) + HIDDEN
    visible = facing & inside & clear
    for pupil, (upper, lower) in zip((68, 69), (((37, 38), (41, 40)), ((43, 44), (47, 46))), strict=True):
        gap = points[list(upper), 1].mean() - points[list(lower), 1].mean()
        visible[pupil] &= gap > 0.5 * puppet.look.shape.eye_down  # otherwise the lids are shut over it
    return pixels.astype(np.float32), visible
