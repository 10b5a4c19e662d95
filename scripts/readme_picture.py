"""Draw docs/images/puppets.png: sources, driving videos, targets and the output of ToonTalker's mini model on two pairs each way."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from toonbench.data import load_data
from toonbench.data.clips import read_frames, read_source
from toonbench.generate import MethodSpec
from toonbench.registry import load_task
from toonbench.tasks import draw_pairs
from toonbench.types import Method

OUT = Path(__file__).parent.parent / "docs" / "images" / "puppets.png"
SIDE, FRAMES, MARGIN = 96, (2, 5, 9), 22
PAIRS = ((("real2cartoon", 1), ("cartoon2real", 0)), (("real2cartoon", 4), ("cartoon2real", 3)))


def strip(name: str, index: int) -> np.ndarray:
    """One pair as three rows (driving video, target, model) after its source: (3 SIDE, 4 SIDE, 3)."""
    data, task = load_data("puppets@2"), load_task(name)
    pair = draw_pairs(task, data.clips, targets=data.targets)[index]
    method = MethodSpec(name="toontalker").load()
    assert isinstance(method, Method)
    assert pair.target
    source, driving = read_source(pair.source), read_frames(pair.driving).frames
    made = method.animate(
        source, driving, motion=task.motion, seed=0, source_domain=task.source, driving_domain=task.driving
    )
    rows = []
    for row, clip in enumerate((driving, read_frames(pair.target).frames, made)):
        first = source if row == 1 else np.full_like(source, 255)
        rows.append(np.concatenate([small(first), *(small(clip[t]) for t in FRAMES)], axis=1))
    return np.concatenate(rows)


def small(frame: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(frame).resize((SIDE, SIDE), Image.Resampling.LANCZOS))


def main() -> None:
    blocks = [[strip(*pair) for pair in row] for row in PAIRS]
    height, width, _ = blocks[0][0].shape
    page = Image.new("RGB", (MARGIN * 5 + 2 * width + 2 * MARGIN, 2 * (height + MARGIN) + MARGIN), "white")
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(size=13)
    for y, row in enumerate(blocks):
        for x, block in enumerate(row):
            left, top = MARGIN * 4 + x * (width + MARGIN), MARGIN + y * (height + MARGIN)
            page.paste(Image.fromarray(block), (left, top))
            if y == 0:
                title = "a real-style puppet drives a cartoon" if x == 0 else "a cartoon drives a real-style puppet"
                pen.text((left + SIDE + 4, 3), title, fill="black", font=font)
            pen.text((left + 26, top + SIDE - 18), "source", fill="black", font=font)
        for line, label in enumerate(("driver", "answer", "mini")):
            pen.text((12, MARGIN + y * (height + MARGIN) + line * SIDE + SIDE // 2 - 8), label, fill="black", font=font)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    page.save(OUT, optimize=True)
    print(f"written: {OUT}")


if __name__ == "__main__":
    main()
