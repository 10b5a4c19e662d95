"""Draw the failure cases: rows of pictures, or of curves, with the measured values under each."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from metric_docs.failure_cases import cases
from metric_docs.failure_shared import Case, Curves, Panel
from toonbench.store import write_json, writing

CELL, GAP, LINE, ACROSS = 216, 10, 17, 5  # pixels; ACROSS panels a row
INK, PALE = "#222222", "#666666"
GREEN, RED = "#2ecc40", "#ff4136"
VALUES = "values.json"
Numbers = dict[str, dict[str, float]]


def draw_cases(out: Path) -> None:
    """Write `<case>.jpg` or `.png` for every case, and `values.json` with every number, into `out`."""
    out.mkdir(parents=True, exist_ok=True)
    numbers: dict[str, Numbers] = {}
    for name, make in cases().items():
        case = make()
        numbers[name] = numbers_of(case)
        panels = [panel for panel in case.panels if isinstance(panel, Panel)]
        path = out / f"{name}.{'jpg' if panels else 'png'}"
        with writing(path) as temporary:
            if panels:
                _grid(case, panels).save(temporary, "JPEG", quality=82, subsampling=0, optimize=True)
            else:
                _plots(temporary, case, [panel for panel in case.panels if isinstance(panel, Curves)])
    write_json(out / VALUES, numbers)


def numbers_of(case: Case) -> Numbers:
    """The measured values of a case by panel, rounded to six digits; values without a panel under "all"."""
    found = {panel.key: dict(panel.values) for panel in case.panels if panel.values}
    if case.further:
        found["all"] = dict(case.further)
    return {key: {name: float(f"{value:.6g}") for name, value in one.items()} for key, one in found.items()}


def short(value: float) -> str:
    """A number as captions and pages print it: three digits."""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def _grid(case: Case, panels: Sequence[Panel]) -> Any:
    from PIL import Image, ImageDraw, ImageFont

    across = min(ACROSS, len(panels))
    down = -(-len(panels) // across)
    deep = LINE * (1 + max(len(panel.values) for panel in panels)) + 4
    font, bold = ImageFont.load_default(13), ImageFont.load_default(15)
    head = case_lines(case.title, across * (CELL + GAP), bold)
    foot = case_lines(case.note, across * (CELL + GAP), font)
    top = 8 + 20 * len(head)
    page = Image.new("RGB", (GAP + across * (CELL + GAP), top + down * (CELL + deep) + 6 + 18 * len(foot)), "white")
    pen = ImageDraw.Draw(page)
    for row, line in enumerate(head):
        pen.text((GAP, 5 + 20 * row), line, fill=INK, font=bold)
    for index, panel in enumerate(panels):
        x, y = GAP + index % across * (CELL + GAP), top + index // across * (CELL + deep)
        page.paste(_picture(panel), (x, y))
        pen.text((x, y + CELL + 2), panel.title, fill=INK, font=font)
        for row, (name, value) in enumerate(panel.values.items(), 1):
            pen.text((x, y + CELL + 2 + LINE * row), f"{name}  {short(value)}", fill=PALE, font=font)
    for row, line in enumerate(foot):
        pen.text((GAP, top + down * (CELL + deep) + 18 * row), line, fill=PALE, font=font)
    return page


def case_lines(text: str, width: int, font: Any) -> list[str]:
    """The text in lines that fit into `width` pixels."""
    lines: list[str] = []
    for word in text.split():
        if lines and font.getlength(f"{lines[-1]} {word}") <= width - 2 * GAP:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _picture(panel: Panel) -> Any:
    """The picture at CELL pixels with its points; small pictures are enlarged without smoothing."""
    from PIL import Image, ImageDraw

    size = len(panel.picture)
    if size <= CELL // 2:
        shown, how = CELL // size * size, Image.Resampling.NEAREST
    else:
        shown, how = CELL, Image.Resampling.LANCZOS
    image = Image.fromarray(panel.picture).resize((shown, shown), how)
    pen = ImageDraw.Draw(image)
    for points, colour in zip(panel.points, (GREEN, RED), strict=False):
        for x, y in points[np.isfinite(points).all(axis=1)] * shown / size:
            pen.ellipse((x - 1.6, y - 1.6, x + 1.6, y + 1.6), fill=colour)
    return image


def _plots(path: Path, case: Case, panels: Sequence[Curves]) -> None:
    from matplotlib.figure import Figure
    from PIL import Image

    figure = Figure(figsize=(3.0 * len(panels), 2.9), dpi=100, layout="constrained")
    every: Any = figure.subplots(1, len(panels), sharey=len({panel.channel for panel in panels}) == 1, squeeze=False)[0]
    for axes, panel in zip(every, panels, strict=True):
        axes.plot(panel.truth, color="#239b56", linewidth=1.8, label=case.lines[0])
        axes.plot(panel.estimate, color="#c0392b", linewidth=1.3, marker="o", markersize=2.5, label=case.lines[1])
        for limit in panel.limits:
            axes.axhline(limit, color="#999999", linestyle=":", linewidth=1)
        values = [f"{name} {short(value)}" for name, value in panel.values.items()]
        lines = ["   ".join(values[at : at + 2]) for at in range(0, len(values), 2)]
        axes.set_title("\n".join([panel.title, *lines]), fontsize=9, loc="left")
        axes.set_xlabel(f"frame, {case.rate} a second", fontsize=8)
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
        if axes is every[0] or panel.channel != panels[0].channel:
            axes.set_ylabel("blink, mean of both eyes" if panel.channel == "blink" else panel.channel, fontsize=9)
    handles, labels = every[0].get_legend_handles_labels()
    figure.suptitle(case.title, fontsize=10.5, x=0.01, ha="left")
    figure.legend(handles, labels, loc="outside lower left", ncols=2, fontsize=8, frameon=False)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    Image.open(drawn).convert("RGB").quantize(64).save(path, "PNG", optimize=True)
