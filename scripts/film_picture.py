"""Draw docs/images/film.png: a film of puppets shot by shot with its face boxes, and its timeline."""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from toonbench.puppets.films.make import make_films
from toonbench.video import iter_frames

OUT = Path(__file__).parent.parent / "docs" / "images" / "film.png"
SEED, STYLE = 41, "disney3d"
COLUMNS, WIDE, HIGH, GAP, LABEL = 4, 288, 162, 10, 20
TONES = {"text": (214, 178, 94), "faceless": (122, 160, 128), "faces": (96, 128, 190)}
LEGEND = (
    "blue: faces; green: no face; sand: text; white: flash; black: transition; grey: held frames; "
    "red: where each identity is tracked"
)
FACE, HEAD, INK, PALE = (236, 70, 60), (250, 214, 90), (40, 40, 40), (120, 120, 120)


def sort_of(shot: dict[str, Any]) -> str:
    return "text" if shot["text"] else "faceless" if shot["faceless"] else "faces"


def frame_of(shot: dict[str, Any]) -> int:
    """The frame that represents a shot: one with both shots of a dissolve or wipe, otherwise one after the middle."""
    into = shot["transition_in"]
    if into["kind"] in ("dissolve", "wipe"):
        return int((into["start"] + into["end"]) // 2)
    return int(shot["start"] + 0.55 * (shot["end"] - shot["start"]))


def with_boxes(frame: np.ndarray, truth: dict[str, Any], t: int) -> Image.Image:
    image = Image.fromarray(frame)
    pen = ImageDraw.Draw(image)
    for track in truth["tracks"]:
        at = t - track["start"]
        if 0 <= at < len(track["boxes"]) and track["boxes"][at]:
            pen.rectangle(track["heads"][at], outline=HEAD, width=5)
            pen.rectangle(track["boxes"][at], outline=FACE, width=5)
    return image.resize((WIDE, HIGH), Image.Resampling.LANCZOS)


def draw_timeline(pen: ImageDraw.ImageDraw, truth: dict[str, Any], *, top: int, width: int, font: Any) -> None:
    scale = (width - 2 * GAP) / truth["frames"]

    def x(t: int) -> float:
        return GAP + t * scale

    for shot in truth["shots"]:
        pen.rectangle((x(shot["start"]), top, x(shot["end"]) - 2, top + 22), fill=TONES[sort_of(shot)])
        pen.text((x(shot["start"]) + 3, top + 4), str(shot["index"]), fill="white", font=font)
        into = shot["transition_in"]
        if into["end"] > into["start"]:
            pen.rectangle((x(into["start"]), top + 24, x(into["end"]), top + 28), fill=INK)
        for start, end in shot["held"]:
            pen.rectangle((x(start), top + 31, x(end) - 0.5, top + 34), fill=(190, 190, 190))
        for start, end in (*shot["flashes"], *shot["lightning"]):
            pen.rectangle((x(start), top, x(end), top + 22), fill="white")
    people = sorted({track["identity"] for track in truth["tracks"]})
    for track in truth["tracks"]:
        y = top + 40 + 7 * people.index(track["identity"])
        pen.rectangle((x(track["start"]), y, x(track["end"]), y + 4), fill=FACE)
    pen.text((GAP, top + 40 + 7 * len(people)), LEGEND, fill=PALE, font=font)


def draw_page(root: Path) -> Image.Image:
    [path] = (root / "truth").glob("*.json")
    truth = json.loads(path.read_text())
    chosen = {frame_of(shot): shot for shot in truth["shots"]}
    rows = -(-len(chosen) // COLUMNS)
    width = COLUMNS * (WIDE + GAP) + GAP
    page = Image.new("RGB", (width, rows * (HIGH + LABEL + GAP) + GAP + 110), "white")
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(size=13)
    cells = (pair for pair in enumerate(iter_frames(root / truth["file"])) if pair[0] in chosen)
    for cell, (t, frame) in enumerate(cells):
        shot, (row, column) = chosen[t], divmod(cell, COLUMNS)
        left, top = GAP + column * (WIDE + GAP), GAP + row * (HIGH + LABEL + GAP)
        page.paste(with_boxes(frame, truth, t), (left, top + LABEL))
        pen.text(
            (left, top + 2),
            f"{shot['index']}  {shot['kind']} {shot['relation']}".replace("_", " "),
            fill=INK,
            font=font,
        )
        caption = f"{shot['transition_in']['kind'].replace('_', ' ')}, {shot['start']}-{shot['end'] - 1}"
        pen.text((left + WIDE, top + 2), caption, fill=PALE, font=font, anchor="ra")
    draw_timeline(pen, truth, top=rows * (HIGH + LABEL + GAP) + GAP, width=width, font=font)
    return page


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(folder)
        make_films(root, films=1, seed=SEED, seconds=(34, 36), styles=(STYLE,))
        page = draw_page(root)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    page.quantize(colors=256).save(OUT, optimize=True)
    print(f"written: {OUT}")


if __name__ == "__main__":
    main()
