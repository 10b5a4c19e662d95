"""Draw the pictures of docs/puppets.md: `python scripts/puppet_pictures.py`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from toonbench.puppets.catalogue import make_look, styles
from toonbench.puppets.draw.render import render_clip
from toonbench.puppets.rig import INDEX, generate, neutral
from toonbench.types import Frame

OUT = Path(__file__).parent.parent / "docs" / "images"
GAP = 6
EXPRESSIONS: dict[str, dict[str, float]] = {
    "neutral": {},
    "jaw_open": {"jaw_open": 1},
    "smile": {"smile": 1, "jaw_open": 0.35},
    "frown + furrow": {"frown": 1, "brow_furrow": 1},
    "mouth_pucker": {"mouth_pucker": 1},
    "brow_up": {"brow_up_left": 1, "brow_up_right": 1},
    "blink": {"blink_left": 1, "blink_right": 1},
    "gaze_x": {"gaze_x": 1},
    "yaw": {"yaw": 32},
    "pitch + roll": {"pitch": 15, "roll": 15},
}


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    save("styles.jpg", sheet({style: looks(style, count=8, size=150) for style in styles()}))
    rigs = np.stack([rig(values) for values in EXPRESSIONS.values()])
    rows = {style: list(render_clip(make_look(style, 7), rigs, size=120).frames) for style in styles()}
    save("expressions.jpg", sheet(rows, titles=list(EXPRESSIONS)))
    motion = generate(42, frames=10, step=4)
    rows = {style: list(render_clip(make_look(style, 11), motion, size=120).frames) for style in styles()}
    save("one_motion.jpg", sheet(rows))
    save("landmarks.jpg", landmarks())


def rig(values: dict[str, float]) -> np.ndarray:
    channels = neutral()
    for name, value in values.items():
        channels[INDEX[name]] = value
    return channels


def looks(style: str, *, count: int, size: int) -> list[Frame]:
    """Draw different people of one style, each in a pose of its own."""
    return [
        render_clip(make_look(style, seed), generate(seed, frames=2, step=12)[1:], size=size).frames[0]
        for seed in range(20, 20 + count)
    ]


def sheet(rows: dict[str, list[Frame]], *, titles: list[str] | None = None) -> Image.Image:
    """Put rows of pictures under each other, with the row's name on the left."""
    size, count = next(iter(rows.values()))[0].shape[0], len(next(iter(rows.values())))
    left, top = 92, 22 if titles else 0
    page = Image.new("RGB", (left + count * (size + GAP), top + len(rows) * (size + GAP)), "white")
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(13)
    for column, title in enumerate(titles or []):
        pen.text((left + column * (size + GAP), 3), title, fill="#333333", font=font)
    for row, (name, frames) in enumerate(rows.items()):
        y = top + row * (size + GAP)
        pen.text((2, y + size // 2 - 8), name, fill="#333333", font=font)
        for column, frame in enumerate(frames):
            page.paste(Image.fromarray(frame), (left + column * (size + GAP), y))
    return page


def landmarks() -> Image.Image:
    """Draw exact landmarks on one picture of each style: visible ones in green, hidden ones in red."""
    size, zoom = 190, 2
    pictures: list[Frame] = []
    for number, style in enumerate(styles()):
        clip = render_clip(make_look(style, 31), rig({"yaw": 24 - 8 * number, "jaw_open": 0.4})[None], size=size * zoom)
        picture = Image.fromarray(clip.frames[0])
        pen = ImageDraw.Draw(picture)
        for (x, y), visible in zip(clip.landmarks[0], clip.visible[0], strict=True):
            pen.ellipse((x - 2.2, y - 2.2, x + 2.2, y + 2.2), fill="#2ecc40" if visible else "#ff4136", outline="black")
        pictures.append(np.asarray(picture.resize((size, size), Image.Resampling.LANCZOS)))
    return sheet({"landmarks": pictures})


def save(name: str, page: Image.Image) -> None:
    page.save(OUT / name, quality=88)


if __name__ == "__main__":
    main()
