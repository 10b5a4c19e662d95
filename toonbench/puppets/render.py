"""Drawing: a look and a rig become RGB frames through PyVista/VTK off-screen, with projected landmarks.

Light is computed per vertex here (wrapped diffuse of key, fill and rim, a highlight, red scatter on skin), so that the
graphics driver only rasterises. Frames are drawn at twice the size and averaged.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import os
import sys
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toonbench.puppets.head import Points
from toonbench.puppets.look import Look, Scene
from toonbench.puppets.mesh import LANDMARKS, Pose, Puppet, build_puppet, pose_puppet
from toonbench.puppets.rig import Rig
from toonbench.types import CHANNELS, Frame, Frames, ToonbenchError

OVERSAMPLE = 2
BACKDROP_Z = -4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A drawn clip: RGB uint8 frames, landmarks in pixels (x right, y down, pixel centres at .5) and their visibility."""

    frames: Frames  # (frames, size, size, 3)
    landmarks: NDArray[np.float32]  # (frames, 70, 2)
    visible: NDArray[np.bool_]  # (frames, 70)


def render_clip(look: Look, motion: Rig, *, size: int) -> Rendered:
    """Draw a look moved by a rig, (frames, channels), as square frames of `size` pixels.

    The same look, motion and size give the same pixels on one machine. Raises ToonbenchError for a wrong rig or size,
    where VTK cannot open an off-screen window, and where it draws nothing or not the same twice.
    """
    if motion.ndim != 2 or motion.shape[1] != len(CHANNELS):
        raise ToonbenchError(
            f"A rig must be (frames, {len(CHANNELS)}); got {tuple(motion.shape)}. See toonbench.puppets.rig."
        )
    if not 16 <= size <= 2048:
        raise ToonbenchError(f"A puppet's size must be 16 to 2048 pixels; got {size}. Choose e.g. 128 or 256.")
    puppet = build_puppet(look)
    stage = _Stage(puppet, size=size)
    frames = np.empty((len(motion), size, size, 3), dtype=np.uint8)
    landmarks = np.empty((len(motion), LANDMARKS, 2), dtype=np.float32)
    visible = np.empty((len(motion), LANDMARKS), dtype=bool)
    for i, rig in enumerate(motion):
        pose = pose_puppet(puppet, rig)
        frames[i] = stage.draw(pose)
        landmarks[i], visible[i] = project(puppet, pose, size=size)
    if len(motion):
        _refuse_garbage(frames[0], again=stage.draw(pose_puppet(puppet, motion[0])))
    return Rendered(frames=frames, landmarks=landmarks, visible=visible)


def _refuse_garbage(first: Frame, *, again: Frame) -> None:
    """A broken driver gives black or random frames and no error; such pixels must never become ground truth."""
    if first.std() < 1 or not np.array_equal(first, again):
        raise ToonbenchError(
            "VTK drew a puppet that is blank, or another one the second time: the OpenGL driver is broken. "
            "Draw in a process that has not used OpenGL or torch before (toonbench make-puppets), or try another driver."
        )


def render_image(look: Look, rig: NDArray[np.float32], *, size: int) -> Frame:
    """Draw one frame of a look, (size, size, 3)."""
    return render_clip(look, rig[None], size=size).frames[0]


def project(puppet: Puppet, pose: Pose, *, size: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Project a pose's landmarks to pixels, (70, 2), and tell which face the camera inside the picture, (70,)."""
    scene = puppet.look.scene
    points, normals = pose.points[puppet.landmarks], pose.normals[puppet.landmarks]
    pixels = to_pixels(points, scene, size=size)
    eye = np.array([0.0, scene.centre_y, scene.distance])
    facing = ((eye - points) * normals).sum(1) > 0
    inside = ((pixels >= 0) & (pixels < size)).all(1)
    visible = facing & inside
    for pupil, (upper, lower) in zip((68, 69), (((37, 38), (41, 40)), ((43, 44), (47, 46))), strict=True):
        gap = points[list(upper), 1].mean() - points[list(lower), 1].mean()
        visible[pupil] &= gap > 0.5 * puppet.look.shape.eye_down  # else the lids are shut over it
    return pixels.astype(np.float32), visible


def to_pixels(points: Points, scene: Scene, *, size: int) -> NDArray[np.float64]:
    """Project world points (n, 3) to pixels (n, 2), x right and y down from the top left corner."""
    depth = (scene.distance - points[:, 2]) / scene.distance
    scale = size / scene.view_height
    x = points[:, 0] / depth * scale + size / 2
    y = size / 2 - (points[:, 1] - scene.centre_y) / depth * scale
    return np.stack([x, y], -1)


def shade(puppet: Puppet, pose: Pose) -> NDArray[np.uint8]:
    """Light a pose: (vertices, 3) uint8 colours."""
    scene, shading = puppet.look.scene, puppet.look.shading
    normals = pose.normals
    view = np.array([0.0, scene.centre_y, scene.distance]) - pose.points
    view /= np.linalg.norm(view, axis=1, keepdims=True)
    key = _direction(scene.key_azimuth, scene.key_elevation)
    tint = np.array([1 + 0.07 * scene.warmth, 1.0, 1 - 0.09 * scene.warmth])
    facing = normals @ key
    wrapped = np.clip((facing + shading.wrap) / (1 + shading.wrap), 0, 1)
    scatter = (puppet.scatter * np.clip(1 - np.abs(facing - 0.05) / 0.45, 0, 1) * 0.22)[:, None] * np.array(
        [1.0, 0.28, 0.16]
    )
    fill = np.clip(normals @ _direction(-scene.key_azimuth * 1.3, 8.0) * 0.5 + 0.5, 0, 1) ** 1.5
    sky = 0.78 + 0.22 * normals[:, 1]
    light = (scene.key * wrapped)[:, None] * tint + scatter
    light += (scene.fill * fill)[:, None] * (2 - tint)
    light += (shading.ambient * sky)[:, None] * np.array([0.97, 0.99, 1.04])
    half = view + key
    half /= np.linalg.norm(half, axis=1, keepdims=True)
    shine = puppet.specular * np.clip((normals * half).sum(1), 0, 1) ** puppet.gloss * (facing > -0.1)
    away = (normals * view).sum(1)
    light *= np.clip(1 + 1.6 * away, 0.3, 1)[:, None]  # insides, such as that of long hair, lie in shadow
    edge = scene.rim * np.clip(1 - away, 0, 1) ** 3 * (away > -0.3) * np.clip(normals[:, 1] * 0.5 + 0.5, 0, 1) * 0.6
    unlit = puppet.unlit[:, None]
    colour = (
        puppet.colour * (light * 0.86 * (1 - unlit) + unlit) + (shine + edge * (puppet.unlit < 0.5))[:, None] * tint
    )
    grey = colour.mean(1, keepdims=True)
    colour = np.clip(grey + (colour - grey) * shading.saturation, 0, None)
    colour = colour / (1 + 0.12 * colour) * 1.06
    return (np.clip(colour, 0, 1) ** (1 / 2.2) * 255 + 0.5).astype(np.uint8)


def _direction(azimuth: float, elevation: float) -> NDArray[np.float64]:
    a, e = np.radians(azimuth), np.radians(elevation)
    return np.array([np.sin(a) * np.cos(e), np.sin(e), np.cos(a) * np.cos(e)])


def backdrop(scene: Scene, *, cells: int = 64) -> tuple[Points, NDArray[np.uint8]]:
    """Return the background as a sheet of (cells + 1)^2 points behind the puppet, with blurred blobs of colour."""
    rng = np.random.default_rng(scene.background_seed)
    half = 0.55 * scene.view_height * (scene.distance - BACKDROP_Z) / scene.distance
    u, v = np.meshgrid(np.linspace(-1, 1, cells + 1), np.linspace(1, -1, cells + 1))
    points = np.stack([u * half, v * half + scene.centre_y, np.full_like(u, BACKDROP_Z)], -1).reshape(-1, 3)
    one, two, three = (np.asarray(c) for c in scene.background)
    colour = one + (two - one) * (0.5 - 0.5 * v)[..., None]
    for _ in range(int(rng.integers(5, 11))):
        x, y, size = rng.uniform(-1.1, 1.1), rng.uniform(-1.1, 1.1), rng.uniform(0.12, 0.5)
        blob = np.exp(-((((u - x) ** 2 + (v - y) ** 2) / size**2) ** 2)) * rng.uniform(0.3, 0.9)
        tone = (three if rng.random() < 0.6 else two) * rng.uniform(0.7, 1.35)
        colour = colour + (tone - colour) * blob[..., None]
    return points, (np.clip(colour, 0, 1) * 255 + 0.5).astype(np.uint8).reshape(-1, 3)


class _Stage:
    """The meshes of one puppet on the process's only plotter."""

    def __init__(self, puppet: Puppet, *, size: int) -> None:
        import pyvista as pv
        from vtkmodules.util.numpy_support import vtk_to_numpy
        from vtkmodules.vtkCommonCore import vtkUnsignedCharArray

        self._puppet, self._size = puppet, size
        plotter = _plotter()
        plotter.clear()
        plotter.window_size = [size * OVERSAMPLE, size * OVERSAMPLE]
        points, colour = backdrop(puppet.look.scene)
        side = round(len(points) ** 0.5)
        ids = np.arange(len(points)).reshape(side, side)
        sheet = np.stack([ids[:-1, :-1], ids[1:, :-1], ids[1:, 1:], ids[:-1, 1:]], -1).reshape(-1, 4)
        for name, mesh in (("backdrop", _mesh(pv, points, sheet, colour)), ("puppet", self._first(pv))):
            plotter.add_mesh(
                mesh, name=name, scalars="rgb", rgb=True, lighting=False, show_scalar_bar=False, copy_mesh=False
            )
            if name == "puppet":
                self._mesh = mesh
        scene = puppet.look.scene
        plotter.camera.position = (0.0, scene.centre_y, scene.distance)
        plotter.camera.focal_point = (0.0, scene.centre_y, 0.0)
        plotter.camera.up = (0.0, 1.0, 0.0)
        plotter.camera.view_angle = float(np.degrees(2 * np.arctan(0.5 * scene.view_height / scene.distance)))
        plotter.camera.clipping_range = (1.0, 20.0)
        self._plotter, self._pixels, self._to_numpy = plotter, vtkUnsignedCharArray(), vtk_to_numpy

    def _first(self, pv: Any) -> Any:
        pose = pose_puppet(self._puppet, np.zeros(len(CHANNELS), dtype=np.float32))
        return _mesh(pv, pose.points, self._puppet.quads, shade(self._puppet, pose))

    def draw(self, pose: Pose) -> Frame:
        """Draw one pose, (size, size, 3)."""
        self._mesh.points[:] = pose.points
        self._mesh.point_data["rgb"][:] = shade(self._puppet, pose)
        self._mesh.GetPoints().Modified()
        self._mesh.point_data["rgb"].VTKObject.Modified()
        self._mesh.Modified()
        window = self._plotter.render_window
        window.Render()
        n = self._size
        edge = n * OVERSAMPLE
        if not window.GetPixelData(0, 0, edge - 1, edge - 1, 0, self._pixels, 0):
            raise ToonbenchError(f"VTK drew a puppet of {n} px but gave no pixels back. Try a smaller --size.")
        big = self._to_numpy(self._pixels).reshape(edge, edge, 3)[::-1]
        mean = big.reshape(n, OVERSAMPLE, n, OVERSAMPLE, 3).astype(np.uint16).sum((1, 3))
        return ((mean + OVERSAMPLE**2 // 2) // OVERSAMPLE**2).astype(np.uint8)


def _mesh(pv: Any, points: Points, quads: NDArray[np.int64], colour: NDArray[np.uint8]) -> Any:
    triangles = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    faces = np.concatenate([np.full((len(triangles), 1), 3), triangles], axis=1)
    mesh = pv.PolyData(points.astype(np.float32), faces=faces.reshape(-1))
    mesh.point_data["rgb"] = colour
    return mesh


@cache
def _plotter() -> Any:
    """Open the off-screen window of this process."""
    if sys.platform == "linux":
        os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")  # needs no screen
    os.environ.setdefault("LP_NUM_THREADS", "0")  # one thread a process in Mesa; processes share the cores
    with contextlib.suppress(ImportError):
        # Mesa's software renderer and Triton each bring an LLVM; a process dies if Triton (through torch) comes second.
        importlib.import_module("triton")
    try:
        import pyvista as pv
        from vtkmodules.vtkCommonCore import vtkObject

        vtkObject.GlobalWarningDisplayOff()
        check_window()
        plotter = pv.Plotter(off_screen=True, window_size=[64, 64], lighting="none")
        if plotter.render_window is None:
            raise RuntimeError("no render window")
        plotter.render_window.SetMultiSamples(0)  # frames are averaged from twice the size instead
        plotter.show(auto_close=False)  # a plotter draws nothing before it was shown once
    except (ImportError, OSError, RuntimeError) as error:
        raise ToonbenchError(
            f"Puppets cannot be drawn: VTK opened no off-screen window ({error}). Install a software renderer, "
            "on Debian or Ubuntu: apt-get install libegl1 libgl1 libosmesa6; then try again."
        ) from error
    return plotter


def check_window() -> None:
    """Raise RuntimeError where VTK has neither EGL nor OSMesa, since it would end the process on the first frame."""
    import vtkmodules.vtkRenderingOpenGL2  # pyright: ignore[reportUnusedImport]  # noqa: F401  (registers the windows)
    from vtkmodules.vtkRenderingCore import vtkRenderWindow

    if vtkRenderWindow().GetClassName() != "vtkOSOpenGLRenderWindow":
        return
    for name in ("libOSMesa.so.8", "libOSMesa.so.6", "libOSMesa.so", "osmesa.dll"):
        try:
            ctypes.CDLL(name)
        except OSError:
            continue
        return
    raise RuntimeError("no EGL and no OSMesa library")
