"""The loops of the puppets' rasteriser, written so that numba can compile each of them alone (see `toonbench.compiled`).

Samples form a grid finer than the picture; a sample's centre is at (column + 0.5, row + 0.5). Depth is the distance from
the camera's plane: smaller is nearer.
"""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]


def fill_depth(
    x: Floats, y: Floats, z: Floats, triangles: Ints, solid: NDArray[np.bool_], depth: Floats, owner: Ints
) -> None:
    """Draw triangles into `depth` and `owner` (rows, columns): the nearest one owns a sample.

    `solid` triangles are left out if they face away from the camera.
    """
    height, width = depth.shape
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay, bx, by, cx, cy = x[a], y[a], x[b], y[b], x[c], y[c]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if area == 0.0 or (solid[t] and area > 0.0):
            continue
        if area < 0.0:
            b, c = c, b
            bx, by, cx, cy = cx, cy, bx, by
            area = -area
        first_x = max(0, math.ceil(min(ax, bx, cx) - 0.5))
        last_x = min(width - 1, math.floor(max(ax, bx, cx) - 0.5))
        first_y = max(0, math.ceil(min(ay, by, cy) - 0.5))
        last_y = min(height - 1, math.floor(max(ay, by, cy) - 0.5))
        az, bz, cz = z[a], z[b], z[c]
        scale = 1.0 / area
        for row in range(first_y, last_y + 1):
            py = row + 0.5
            for column in range(first_x, last_x + 1):
                px = column + 0.5
                of_a = (cx - bx) * (py - by) - (cy - by) * (px - bx)
                of_b = (ax - cx) * (py - cy) - (ay - cy) * (px - cx)
                of_c = (bx - ax) * (py - ay) - (by - ay) * (px - ax)
                if of_a >= 0.0 and of_b >= 0.0 and of_c >= 0.0:
                    near = (of_a * az + of_b * bz + of_c * cz) * scale
                    if near < depth[row, column]:
                        depth[row, column] = near
                        owner[row, column] = t


def look_up_shadow(x: Floats, y: Floats, z: Floats, depth: Floats, bias: float, out: Floats) -> None:
    """Write the share of the light that each vertex gets, 0 to 1: the share of the 25 shadow-map cells round it without an occluder."""
    height, width = depth.shape
    for i in range(x.shape[0]):
        column, row = int(x[i]), int(y[i])
        lit, total = 0.0, 0.0
        for dy in range(-2, 3):
            for dx in range(-2, 3):
                r, c = row + dy, column + dx
                if 0 <= r < height and 0 <= c < width:
                    weight = 1.0 / (1.0 + 0.35 * (dx * dx + dy * dy))
                    total += weight
                    gap = z[i] - depth[r, c] - bias  # > 0 if something is nearer to the light
                    if gap <= 0.0:
                        lit += weight
                    elif gap < bias:
                        lit += weight * (1.0 - gap / bias)
        out[i] = lit / total if total > 0.0 else 1.0


def light_vertices(
    points: Floats, normals: Floats, colour: Floats, specular: Floats, gloss: Floats, unlit: Floats, scatter: Floats,
    shadow: Floats, eye: Floats, key: Floats, fill: Floats, tint: Floats, amounts: Floats, shade_tint: Floats,
    bands: int, out: Floats,
) -> None:  # fmt: skip
    """Light vertices into `out` (vertices, 8): sRGB in the light, sRGB in the shade, tone 0 to 1, highlight.

    `amounts`: key, fill, rim, wrap, ambient, saturation, cast shadow. Without `bands` the first three hold all light.
    """
    strong, weak, rim, wrap, ambient, saturation, depth = (
        amounts[0], amounts[1], amounts[2], amounts[3], amounts[4], amounts[5], amounts[6],
    )  # fmt: skip
    gamma = 1.0 / 2.2
    for i in range(points.shape[0]):
        nx, ny, nz = normals[i, 0], normals[i, 1], normals[i, 2]
        vx, vy, vz = eye[0] - points[i, 0], eye[1] - points[i, 1], eye[2] - points[i, 2]
        length = math.sqrt(vx * vx + vy * vy + vz * vz)
        vx, vy, vz = vx / length, vy / length, vz / length
        facing = nx * key[0] + ny * key[1] + nz * key[2]
        wrapped = min(1.0, max(0.0, (facing + wrap) / (1.0 + wrap)))
        cast = 1.0 - depth + depth * shadow[i]
        away = nx * vx + ny * vy + nz * vz
        inside = min(1.0, max(0.3, 1.0 + 1.6 * away))  # inner sides, such as that of long hair, are in shadow
        hx, hy, hz = vx + key[0], vy + key[1], vz + key[2]
        length = math.sqrt(hx * hx + hy * hy + hz * hz)
        glance = (nx * hx + ny * hy + nz * hz) / max(length, 1e-6)
        shine = 0.0
        if glance > 0.3 and facing > -0.1:
            shine = specular[i] * glance ** gloss[i] * shadow[i]
        u = unlit[i]
        if bands > 0:
            for k in range(3):
                base = colour[i, k]
                lit = base * (1.0 + (tint[k] - 1.0) * 0.5) * (0.45 + 0.55 * strong)
                dark = base * shade_tint[k]
                out[i, k] = min(1.0, max(0.0, lit * (1.0 - u) + base * u)) ** gamma
                out[i, 3 + k] = min(1.0, max(0.0, dark * (1.0 - u) + base * u)) ** gamma
            out[i, 6] = wrapped * cast * inside
            out[i, 7] = shine
            continue
        soft = min(1.0, max(0.0, nx * fill[0] + ny * fill[1] + nz * fill[2]) * 0.5 + 0.5) ** 1.5
        sky = ambient * (0.78 + 0.22 * ny) * (1.0 - 0.3 * depth + 0.3 * depth * shadow[i])
        leak = scatter[i] * max(0.0, 1.0 - abs(facing - 0.05) / 0.45) * 0.22
        edge = 0.0
        if away > -0.3 and u < 0.5:
            edge = rim * max(0.0, 1.0 - away) ** 3 * min(1.0, max(0.0, ny * 0.5 + 0.5)) * 0.6
        total = 0.0
        for k in range(3):
            red = 1.0 if k == 0 else (0.28 if k == 1 else 0.16)
            cool = 0.97 if k == 0 else (0.99 if k == 1 else 1.04)
            light = strong * wrapped * cast * tint[k] + leak * red + weak * soft * (2.0 - tint[k]) + sky * cool
            light *= inside
            value = colour[i, k] * (light * 0.86 * (1.0 - u) + u) + (shine + edge) * tint[k]
            out[i, k] = value
            total += value
        grey = total / 3.0
        for k in range(3):
            value = max(0.0, grey + (out[i, k] - grey) * saturation)
            value = value / (1.0 + 0.12 * value) * 1.06
            out[i, k] = min(1.0, value) ** gamma


def draw_lines(owner: Ints, depth: Floats, triangles: Ints, group: NDArray[np.int8], jump: Floats, outer: float,
               inner: float, ink: Floats) -> None:  # fmt: skip
    """Mark samples near borders between groups and near jumps in depth (`jump` by group); groups < 0 have no lines.

    Lines reach `outer` samples to each side where the backdrop begins, `inner` samples elsewhere.
    """
    height, width = owner.shape
    ink[:] = 0.0
    for row in range(height):
        for column in range(width):
            this = owner[row, column]
            own = -2 if this < 0 else group[triangles[this, 0]]
            for step in range(2):
                r, c = row + step, column + 1 - step
                if r >= height or c >= width:
                    continue
                that = owner[r, c]
                if this == that:
                    continue
                other = -2 if that < 0 else group[triangles[that, 0]]
                if own == -1 or other == -1:
                    continue
                if own == other and abs(depth[row, column] - depth[r, c]) <= jump[own]:
                    continue
                reach = outer if own == -2 or other == -2 else inner
                span = math.ceil(reach)
                top, bottom = max(0, row - span), min(height - 1, row + span)
                left, right = max(0, column - span), min(width - 1, column + span)
                for y in range(top, bottom + 1):
                    for x in range(left, right + 1):
                        away = (y - row) * (y - row) + (x - column) * (x - column)
                        if away < (reach + 0.5) * (reach + 0.5):
                            dark = min(1.0, reach - math.sqrt(away) + 0.5)
                            if dark > ink[y, x]:
                                ink[y, x] = dark


def resolve(
    x: Floats, y: Floats, triangles: Ints, owner: Ints, attributes: Floats, backdrop: Floats, ink: Floats,
    ink_colour: Floats, bands: int, softness: float, shine_cut: float, picture: Floats, mask: Floats, lines: Floats,
    tones: Floats,
) -> None:  # fmt: skip
    """Average samples into `picture` (h, w, 3) sRGB 0 to 1, `mask` (h, w), the cover of the puppet, and `lines` (h, w), the ink.

    With `bands`, `tones` (h, w) is the share of light, 1 on the backdrop.
    """
    height, width = mask.shape
    over = owner.shape[0] // height
    share = 1.0 / (over * over)
    inked = ink.shape[0] > 0
    for row in range(height):
        for column in range(width):
            red, green, blue, covered, drawn, bright = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
            for sample in range(over * over):
                sy, sx = row * over + sample // over, column * over + sample % over
                lit, dark = 1.0, ink[sy, sx] if inked else 0.0
                t = owner[sy, sx]
                if t < 0:
                    r, g, b = backdrop[row, column, 0], backdrop[row, column, 1], backdrop[row, column, 2]
                else:
                    covered += share
                    i, j, k = triangles[t, 0], triangles[t, 1], triangles[t, 2]
                    px, py = sx + 0.5, sy + 0.5
                    area = (x[j] - x[i]) * (y[k] - y[i]) - (y[j] - y[i]) * (x[k] - x[i])
                    u = ((x[k] - x[j]) * (py - y[j]) - (y[k] - y[j]) * (px - x[j])) / area
                    v = ((x[i] - x[k]) * (py - y[k]) - (y[i] - y[k]) * (px - x[k])) / area
                    w = 1.0 - u - v
                    r = u * attributes[i, 0] + v * attributes[j, 0] + w * attributes[k, 0]
                    g = u * attributes[i, 1] + v * attributes[j, 1] + w * attributes[k, 1]
                    b = u * attributes[i, 2] + v * attributes[j, 2] + w * attributes[k, 2]
                    if bands > 0:
                        tone = u * attributes[i, 6] + v * attributes[j, 6] + w * attributes[k, 6]
                        level = min(1.0, max(0.0, tone)) * bands
                        step = math.floor(level)
                        rise = min(1.0, max(0.0, (level - step - 0.5) / softness + 0.5))
                        lit = min(1.0, (step + rise * rise * (3.0 - 2.0 * rise)) / bands)
                        r = r * lit + (1.0 - lit) * (u * attributes[i, 3] + v * attributes[j, 3] + w * attributes[k, 3])
                        g = g * lit + (1.0 - lit) * (u * attributes[i, 4] + v * attributes[j, 4] + w * attributes[k, 4])
                        b = b * lit + (1.0 - lit) * (u * attributes[i, 5] + v * attributes[j, 5] + w * attributes[k, 5])
                        shine = u * attributes[i, 7] + v * attributes[j, 7] + w * attributes[k, 7]
                        if shine > shine_cut:
                            r, g, b = min(1.0, 1.25 * r + 0.14), min(1.0, 1.25 * g + 0.14), min(1.0, 1.25 * b + 0.14)
                    if inked:
                        half = u * attributes[i, 9] + v * attributes[j, 9] + w * attributes[k, 9]
                        if half > 0.0:
                            away = abs(u * attributes[i, 8] + v * attributes[j, 8] + w * attributes[k, 8])
                            dark = max(dark, min(1.0, half - away + 0.5))
                bright += lit * share
                if dark > 0.0:
                    drawn += dark * share
                    r += (ink_colour[0] - r) * dark
                    g += (ink_colour[1] - g) * dark
                    b += (ink_colour[2] - b) * dark
                red += r * share
                green += g * share
                blue += b * share
            picture[row, column, 0] = red
            picture[row, column, 1] = green
            picture[row, column, 2] = blue
            mask[row, column] = covered
            lines[row, column] = drawn
            tones[row, column] = bright
