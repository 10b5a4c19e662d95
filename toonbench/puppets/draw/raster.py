"""The stage: draws a posed puppet on the CPU, without OpenGL, so that every machine draws the same picture.

Vertices are lit (key with cast shadows, fill, sky, rim, highlight), triangles are drawn into a depth buffer at twice the
picture's size, lines are found where groups or depths meet, and samples are averaged over the backdrop.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from toonbench.compiled import compile_loops
from toonbench.puppets.catalogue import styles
from toonbench.puppets.draw.backdrops import paint_backdrop
from toonbench.puppets.draw.inking import INNER, drawn_lines, flat_colour, hair_gleam
from toonbench.puppets.draw.mesh import Pose, Puppet
from toonbench.puppets.look import Canvas, Picture, Scene
from toonbench.types import Frame

OVERSAMPLE = 2
FAR = 1e9
SHADOW_CELLS = 176
SHADOW_HALF = 1.75  # half side of the shadow map, in lengths
SHADOW_BIAS = 0.035
GROUPS: dict[str, int] = {
    "skin": 1,
    "ear": 1,
    "torso": 2,
    "cavity": 3,
    "teeth": 3,
    "tongue": 3,
    "eyeball": 4,
    "catchlight": 4,
    "lash": -1,
    "brow": 1,
    "hair": 7,
    "bun": 7,
}  # fmt: skip  (no line is drawn between parts of a group; -1 has no lines; every other part is a group)

SOLID = frozenset({"skin", "ear", "torso", "eyeball", "bun"})  # closed parts: their backs are never visible

Floats = NDArray[np.float32]


def to_pixels(points: NDArray[np.floating], scene: Scene, *, size: int) -> NDArray[np.float64]:
    """Project world points (n, 3) to pixels (n, 2), x right and y down from the top left corner."""
    depth = (scene.distance - points[:, 2]) / scene.distance
    scale = size / scene.view_height
    x = points[:, 0] / depth * scale + size / 2
    y = size / 2 - (points[:, 1] - scene.centre_y) / depth * scale
    return np.stack([x, y], -1)


def direction(azimuth: float, elevation: float) -> NDArray[np.float64]:
    """Return the unit vector towards a light at angles in degrees, from the right and from above."""
    a, e = np.radians(azimuth), np.radians(elevation)
    return np.array([np.sin(a) * np.cos(e), np.sin(e), np.cos(a) * np.cos(e)])


class Stage:
    """One puppet before its camera; `draw` may be called for any number of poses."""

    def __init__(self, puppet: Puppet, *, size: int) -> None:
        """Prepare buffers for pictures of `size` pixels."""
        self._loops: Any = compile_loops("toonbench.puppets.draw._raster_kernels")
        self.puppet, self._size = puppet, size
        quads = puppet.quads
        self._triangles = np.ascontiguousarray(
            np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]).astype(np.int32)
        )
        closed = np.array([name in SOLID for name in puppet.names])[puppet.part]
        self._solid = closed[self._triangles[:, 0]]
        edge = size * OVERSAMPLE
        self._owner = np.empty((edge, edge), np.int32)
        self._depth = np.empty((edge, edge), np.float32)
        shading = puppet.look.shading
        self._ink = np.zeros((edge, edge) if shading.outline else (0, 0), np.float32)
        self._picture = np.empty((size, size, 3), np.float32)
        self._mask, self._lines = np.empty((size, size), np.float32), np.empty((size, size), np.float32)
        self._tones = np.ones((size, size), np.float32)
        self._attributes = np.zeros((len(puppet.colour), 10), np.float32)
        if shading.outline:
            samples = edge / puppet.look.scene.view_height
            self._attributes[:, 8:] = drawn_lines(puppet) * samples
        self._gleam = hair_gleam(puppet)
        self._constants = tuple(
            np.ascontiguousarray(a, np.float32)
            for a in (flat_colour(puppet), puppet.specular, puppet.gloss, puppet.unlit, puppet.scatter)
        )
        self._group = _groups(puppet)
        self._jump = np.full(max(8, int(self._group.max()) + 1), shading.crease, np.float32)
        self._jump[GROUPS["hair"]] = shading.lock_crease
        self._skull = np.flatnonzero(puppet.head.weight == 1)
        self._shadow_depth = np.empty((SHADOW_CELLS, SHADOW_CELLS), np.float32)
        self._shadow_owner = np.empty((SHADOW_CELLS, SHADOW_CELLS), np.int32)
        self._backdrop = paint_backdrop(puppet.look, size=size)
        self._grain = _grain(puppet, size=size)
        self._finish = styles()[puppet.look.style].finish if puppet.look.style in styles() else None

    def draw(self, pose: Pose) -> tuple[Frame, NDArray[np.uint8]]:
        """Draw one pose: the picture (size, size, 3) and the puppet's coverage (size, size), 0 to 255."""
        look = self.puppet.look
        edge = self._size * OVERSAMPLE
        pixels = to_pixels(pose.points, look.scene, size=edge)
        x, y = np.ascontiguousarray(pixels[:, 0], np.float32), np.ascontiguousarray(pixels[:, 1], np.float32)
        z = (look.scene.distance - pose.points[:, 2]).astype(np.float32)
        self._owner.fill(-1)
        self._depth.fill(FAR)
        self._loops.fill_depth(x, y, z, self._triangles, self._solid, self._depth, self._owner)
        self._light(pose)
        shading = look.shading
        if shading.outline:
            reach = 0.5 * shading.outline * edge
            self._loops.draw_lines(self._owner, self._depth, self._triangles, self._group, self._jump, max(0.6, reach),
                                   max(0.5, reach * INNER), self._ink)  # fmt: skip
        self._loops.resolve(
            x, y, self._triangles, self._owner, self._attributes, self._backdrop, self._ink,
            np.asarray(shading.ink, np.float32), shading.bands, shading.softness, shading.shine, self._picture, self._mask,
            self._lines, self._tones,
        )  # fmt: skip
        picture = self._developed()
        return (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8), (self._mask * 255 + 0.5).astype(np.uint8)

    def depth(self) -> Floats:
        """Return the distance of the last pose's surface from the camera's plane in each pixel, in lengths, (size, size).

        It is the nearest one of a pixel's samples, and infinite where nothing was drawn.
        """
        samples = self._depth.reshape(self._size, OVERSAMPLE, self._size, OVERSAMPLE).min((1, 3))
        return np.where(samples < FAR, samples, np.float32(np.inf))

    def nearest(self, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the farthest depth among the 5 x 5 samples round each pixel position (n, 2) of the last pose."""
        edge = self._size * OVERSAMPLE
        centre = np.clip((pixels * OVERSAMPLE).astype(np.int64), -2, edge + 1)
        offsets = np.arange(-2, 3)
        rows = np.clip(centre[:, 1, None, None] + offsets[None, :, None], 0, edge - 1)
        columns = np.clip(centre[:, 0, None, None] + offsets[None, None, :], 0, edge - 1)
        return self._depth[rows, columns].reshape(len(pixels), -1).max(1).astype(np.float64)

    def _light(self, pose: Pose) -> None:
        scene, shading = self.puppet.look.scene, self.puppet.look.shading
        key = direction(scene.key_azimuth, scene.key_elevation)
        points = pose.points.astype(np.float32)
        tint = np.array([1 + 0.07 * scene.warmth, 1.0, 1 - 0.09 * scene.warmth], np.float32)
        amounts = (scene.key, scene.fill, scene.rim, shading.wrap, shading.ambient, shading.saturation, shading.shadow)
        self._loops.light_vertices(
            points, self._normals(pose), *self._constants, self._shadow(points, key),
            np.array([0.0, scene.centre_y, scene.distance], np.float32), key.astype(np.float32),
            direction(-scene.key_azimuth * 1.3, 8.0).astype(np.float32), tint, np.asarray(amounts, np.float32),
            np.asarray(shading.shade, np.float32) ** np.float32(2.2), shading.bands, self._attributes,
        )  # fmt: skip
        if self._gleam is not None:
            self._attributes[:, 7] = self._gleam + shading.shine

    def _normals(self, pose: Pose) -> Floats:
        """Return normals (vertices, 3), mixed with those of a ball by `shading.ball`, so that flat tones meet in smooth lines."""
        share = self.puppet.look.shading.ball
        if not share:
            return pose.normals.astype(np.float32)
        away = pose.points - pose.points[self._skull].mean(0)
        away /= np.linalg.norm(away, axis=1, keepdims=True)
        mixed = pose.normals + (share * (1 - self.puppet.body))[:, None] * (away - pose.normals)
        return (mixed / np.linalg.norm(mixed, axis=1, keepdims=True).clip(1e-6)).astype(np.float32)

    def _shadow(self, points: Floats, key: NDArray[np.float64]) -> Floats:
        """Return the share of the key light that each vertex gets, (vertices,), from a depth map seen from the light."""
        out = np.ones(len(points), np.float32)
        if self.puppet.look.shading.shadow <= 0:
            return out
        right = np.cross([0.0, 1.0, 0.0], key)
        right /= np.linalg.norm(right)
        axes = np.stack([right, np.cross(key, right), -key]).astype(np.float32)  # rows: x, y, depth of the light's view
        view = (points - np.array([0.0, -0.25, 0.0], np.float32)) @ axes.T
        scale = np.float32(SHADOW_CELLS / (2 * SHADOW_HALF))
        x, y = (np.ascontiguousarray((view[:, i] + np.float32(SHADOW_HALF)) * scale) for i in (0, 1))
        z = np.ascontiguousarray(view[:, 2])
        self._shadow_depth.fill(FAR)
        self._loops.fill_depth(x, y, z, self._triangles, self._solid, self._shadow_depth, self._shadow_owner)
        self._loops.look_up_shadow(x, y, z, self._shadow_depth, SHADOW_BIAS, out)
        return out

    def _developed(self) -> Picture:
        """Apply the style's finish, the lens blur and the grain to the rendered picture."""
        look = self.puppet.look
        picture = self._picture
        if self._finish is not None:
            picture = self._finish(
                Canvas(
                    look=look,
                    picture=picture,
                    mask=self._mask,
                    lines=self._lines,
                    tones=self._tones,
                    backdrop=self._backdrop,
                )
            )
        if look.shading.blur:
            from scipy.ndimage import gaussian_filter

            sigma = look.shading.blur * self._size
            picture = gaussian_filter(picture, (sigma, sigma, 0), mode="nearest", truncate=2.5)
        return picture if self._grain is None else picture + self._grain


def _groups(puppet: Puppet) -> NDArray[np.int8]:
    """Return the line group of each vertex; a part that GROUPS does not name is a separate group."""
    own = {name: 8 + i for i, name in enumerate(sorted(set(puppet.names) - set(GROUPS)))}
    of_part = np.array([GROUPS.get(name, own.get(name, 0)) for name in puppet.names], np.int8)
    return of_part[puppet.part]


def _grain(puppet: Puppet, *, size: int) -> Floats | None:
    shading = puppet.look.shading
    if not shading.grain:
        return None
    rng = np.random.default_rng(puppet.look.scene.background_seed + 3)
    noise = rng.standard_normal((size, size, 1), np.float32) + 0.35 * rng.standard_normal((size, size, 3), np.float32)
    return (noise * (shading.grain / 255)).astype(np.float32)
