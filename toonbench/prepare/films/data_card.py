"""The data card of a data set of films: counts, plots, and how each clip came to be."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from toonbench.data import card
from toonbench.prepare.films.fates import counts, quality_of
from toonbench.store import write_bytes
from toonbench.text import legible

if TYPE_CHECKING:
    from toonbench.prepare.films.cutting import Job
    from toonbench.prepare.films.fates import Fate

PLOTS = "counts.png"
PAPER = (344, 47_000, 289, 55)  # clips, frames, train, test of the paper's cartoon set
MOST_TITLES = 40  # rows of the table of titles
INK, BARS, CUT = "#1c2024", "#2463b5", "#b3362b"


def write_card(out: Path, fates: Sequence[Fate], jobs: Mapping[str, Job], *, notes: Sequence[str]) -> None:
    """Write the card, its plots, and the index files with which `datasets.load_dataset` reads the folder."""
    kept = [fate for fate in fates if fate.kept]
    write_bytes(out / PLOTS, _plots(fates, kept))
    text = _card(out, fates, kept, jobs, notes)
    if kept:
        card.write_card(out, text, title=out.resolve().name)
    else:
        card.remove_card(out)
        write_bytes(out / card.CARD, text.encode())


def _card(out: Path, fates: Sequence[Fate], kept: Sequence[Fate], jobs: Mapping[str, Job], notes: Sequence[str]) -> str:
    frames = sum(fate.record["frames"] for fate in kept)
    parts = Counter(fate.split for fate in kept)
    rates = sorted({fate.record["fps"] for fate in kept})
    lines = [
        f"# {_safe(out.resolve().name)}",
        "",
        f"{len(kept)} clips of faces, {frames:,} frames, {len({fate.identity for fate in kept})} identities, from {len(jobs)} films. "
        f"{parts['train']} clips are for training, {parts['test']} for testing. "
        f"(The paper's cartoon set has {PAPER[0]} clips and {PAPER[1]:,} frames, {PAPER[2]} and {PAPER[3]}; it was not published.)",
        "",
        f"Every clip shows one face in one shot, lossless (FFV1 in Matroska), at {_rates(rates)}. `metadata.parquet` has a row for each, "
        "with film, frames, square, title, identity, split and licence; `candidates.parquet` has one for each part of a film that was "
        "considered, with the reason if it was dropped; `manifest.json` lists what is needed to make the same clips from the same films "
        "(`toonbench rebuild`).",
        "",
        f"![Counts]({PLOTS})",
        "",
        "## What became of the candidates",
        "",
        "| fate | candidates |",
        "|---|---|",
        *(f"| {_safe(name)} | {count} |" for name, count in _fates(fates)),
        "",
        "## Titles",
        "",
        "| title | domain | clips | frames | identities | split | licence |",
        "|---|---|---|---|---|---|---|",
        *_titles(kept, jobs),
        "",
        "Identities are groups of clips of one title that look alike, unless a person named them (`identity_by` is `review`).",
        *(["", "## Notes", "", *(f"- {_safe(note)}" for note in notes)] if notes else []),
        "",
        "Made by `toonbench prepare-cartoon`. Check the licence of each film before you publish clips of it; the list `manifest.json` "
        "holds no pictures.",
        "",
    ]
    return "\n".join(lines)


def _rates(rates: Sequence[float]) -> str:
    if not rates:
        return "no rate"
    low, high = f"{rates[0]:.4g}", f"{rates[-1]:.4g}"
    return f"{low} frames a second" if low == high else f"the film's own rate ({low} to {high} frames a second)"


def _fates(fates: Sequence[Fate]) -> list[tuple[str, int]]:
    return [(name if name == "kept" else f"dropped by {name}", count) for name, count in counts(fates)]


def _titles(kept: Sequence[Fate], jobs: Mapping[str, Job]) -> list[str]:
    of: dict[str, list[Fate]] = {}
    for fate in kept:
        of.setdefault(jobs[fate.candidate.film].film.title, []).append(fate)
    ranked = sorted(of.items(), key=lambda item: (-len(item[1]), item[0]))
    lines: list[str] = []
    for title, own in ranked[:MOST_TITLES]:
        film = jobs[own[0].candidate.film].film
        frames = sum(fate.record["frames"] for fate in own)
        people = len({fate.identity for fate in own})
        splits = " and ".join(sorted({fate.split for fate in own}))
        lines.append(
            f"| {_safe(title)} | {film.domain} | {len(own)} | {frames:,} | {people} | {splits} | {_safe(film.licence) or 'not stated'} |"
        )
    rest = ranked[MOST_TITLES:]
    return lines + ([f"| {len(rest)} more titles | | {sum(len(own) for _, own in rest)} | | | | |"] if rest else [])


def _safe(text: str) -> str:
    """Text from outside as Markdown shows it: no markup, no line breaks."""
    plain = " ".join(legible(text).split())
    return "".join(f"\\{one}" if one in "\\`*_{}[]<>#|!" else one for one in plain)


def _plots(fates: Sequence[Fate], kept: Sequence[Fate]) -> bytes:
    """Four small plots as PNG: what became of the candidates, seconds, face sizes, and range of turning."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 5.6), layout="constrained")
    axes = figure.subplots(2, 2).ravel()
    _bars(axes[0], _fates(fates))
    seconds = [fate.record["frames"] / fate.record["fps"] for fate in kept]
    _histogram(axes[1], seconds, "Length of clips (seconds)")
    _histogram(axes[2], [quality_of(fate.record).face_pixels for fate in kept], "Size of the face in the film (pixels)")
    _histogram(axes[3], [quality_of(fate.record).yaw_range for fate in kept], "Range of turning (degrees of yaw)")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()


def _bars(axes: Any, rows: Sequence[tuple[str, int]]) -> None:
    names, numbers = [name for name, _ in rows][::-1], [number for _, number in rows][::-1]
    bars = axes.barh(names, numbers, color=[BARS if name == "kept" else CUT for name in names], height=0.65)
    axes.bar_label(bars, padding=3, color=INK, fontsize=9)
    axes.set_title("What became of the candidates", fontsize=10, loc="left")
    axes.set_xlim(0, max([1, *numbers]) * 1.12)
    _plain(axes)


def _histogram(axes: Any, values: Sequence[float], title: str) -> None:
    finite = [value for value in values if np.isfinite(value)]
    if finite:
        axes.hist(finite, bins=min(24, max(5, len(finite) // 3)), color=BARS, rwidth=0.92)
    axes.set_ylabel("clips", fontsize=9)
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.set_title(title, fontsize=10, loc="left")
    _plain(axes)


def _plain(axes: Any) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9)
