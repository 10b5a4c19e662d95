"""Draw docs/images/puppets.png: two pairs each way with the output of the bundled ToonTalker and of `landmark-warp`."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from toonbench.data import load_data
from toonbench.data.clips import read_frames, read_source
from toonbench.generate import MethodSpec
from toonbench.registry import load_task
from toonbench.tasks import draw_pairs
from toonbench.types import Frame, Frames, Method

OUT = Path(__file__).parent.parent / "docs" / "images" / "puppets.png"
SIDE, COLUMNS, GAP, LABELS, TITLE = 128, 4, 24, 128, 30  # pixels; COLUMNS: the source and three frames
PAIRS = ((("real2cartoon", 1), ("cartoon2real", 0)), (("real2cartoon", 4), ("cartoon2real", 3)))
TITLES = ("a real-style video drives a cartoon", "a cartoon video drives a real-style image")
ROWS = ("driving video", "target", "mini ToonTalker", "landmark-warp")
METHODS = ("toontalker", "landmark-warp")


def block(name: str, index: int) -> Frame:
    """One pair as rows (driving video, target, methods) beside its source: (4 SIDE, COLUMNS SIDE, 3)."""
    data, task = load_data("puppets@2"), load_task(name)
    pair = draw_pairs(task, data.clips, targets=data.targets)[index]
    assert pair.target
    source, driving = read_source(pair.source), read_frames(pair.driving).frames
    made: list[Frames] = []
    for method in (MethodSpec(name=one).load() for one in METHODS):
        assert isinstance(method, Method)
        made.append(
            method.animate(
                source, driving, motion=task.motion, seed=0, source_domain=task.source, driving_domain=task.driving
            )
        )
    target = read_frames(pair.target).frames
    times = farthest(target)
    blank = np.full_like(source, 255)
    rows = [[blank, *driving[times]], [source, *target[times]], *([blank, *one[times]] for one in made)]
    return np.concatenate([np.concatenate(row, axis=1) for row in rows])


def farthest(target: Frames) -> list[int]:
    """The frame of each third of a clip that differs most from the first frame."""
    moved = np.abs(target.astype(np.int16) - target[0]).mean(axis=(1, 2, 3))
    return [int(third[np.argmax(moved[third])]) for third in np.array_split(np.arange(len(target)), COLUMNS - 1)]


def main() -> None:
    blocks = [[block(*pair) for pair in row] for row in PAIRS]
    height, width, _ = blocks[0][0].shape
    assert width == COLUMNS * SIDE
    page = Image.new("RGB", (LABELS + 2 * (width + GAP), TITLE + 2 * (height + GAP) - GAP // 2), "white")
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(size=15)
    for y, row in enumerate(blocks):
        top = TITLE + y * (height + GAP)
        for x, picture in enumerate(row):
            left = LABELS + x * (width + GAP)
            page.paste(Image.fromarray(picture), (left, top))
            pen.text((left + SIDE // 2, top + SIDE - 6), "source", fill="black", font=font, anchor="ms")
            if y == 0:
                pen.text((left + SIDE + 3 * SIDE // 2, TITLE - 9), TITLES[x], fill="black", font=font, anchor="ms")
        for line, label in enumerate(ROWS):
            pen.text((LABELS - 4, top + line * SIDE + SIDE // 2), label, fill="black", font=font, anchor="rm")
    OUT.parent.mkdir(parents=True, exist_ok=True)
    page.save(OUT, optimize=True)
    print(f"written: {OUT}, {page.width} x {page.height}")


if __name__ == "__main__":
    main()
