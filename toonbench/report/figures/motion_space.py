"""Fig. 8 of the paper: t-SNE of relative motions of real and cartoon faces, and how often the same motion is the nearest."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from toonbench.arrays import load_arrays
from toonbench.motion_space import MOTIONS, Retrieval, Space, retrieval
from toonbench.report.figures.style import COLOURS, COLUMN, SETTINGS, save
from toonbench.report.figures.tsne import tsne
from toonbench.store import to_json, write_bytes
from toonbench.types import DOMAINS, Domain, ToonbenchError

DIRECTIONS: tuple[tuple[Domain, Domain], ...] = (
    ("cartoon", "real"), ("real", "cartoon"), ("real", "real"), ("cartoon", "cartoon"),
)  # fmt: skip
"""Queries and gallery: across the domains first, then within each."""
MARKS: dict[Domain, tuple[str, float]] = {"real": ("o", 6.0), "cartoon": ("^", 14.0)}


def retrievals(space: Space) -> list[Retrieval]:
    """The accuracy of retrieval in all DIRECTIONS."""
    return [retrieval(space, queries=queries, gallery=gallery) for queries, gallery in DIRECTIONS]


def write_space(path: Path, space: Space) -> None:
    """Store the codes (.npz), from which the figure can be drawn again."""
    arrays = {"codes": space.codes, "motions": space.motions, "faces": space.faces}
    domains = np.array([DOMAINS.index(one) for one in space.domains])
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays, domains=domains, about=np.array(to_json(space.about)))
    write_bytes(path, buffer.getvalue())


def read_space(path: Path, about: Mapping[str, Any]) -> Space | None:
    """The stored codes; None if there are none, they are damaged, or they depend on something else than `about`."""
    try:
        found = load_arrays(path)
        if str(found["about"]) != to_json(dict(about)):
            return None
        domains: list[Domain] = [DOMAINS[int(one)] for one in found["domains"]]
        return Space(
            codes=found["codes"],
            motions=found["motions"],
            faces=found["faces"],
            domains=tuple(domains),
            about=dict(about),
        )
    except (ToonbenchError, KeyError, IndexError, ValueError):
        return None


def draw_space(path: Path, space: Space, *, width: float = COLUMN) -> None:
    """Draw the map: colour is the motion, shape the domain, numbers are those of the paper (0 to 2 real, 3 to 5 cartoon)."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    places = tsne(space.codes)
    with mpl.rc_context(SETTINGS):
        figure = Figure(figsize=(width, width), layout="constrained")
        axes: Any = figure.subplots()
        for at, domain in enumerate(DOMAINS):
            for motion in range(MOTIONS):
                own = places[space.of(domain) & (space.motions == motion)]
                _scatter(axes, own, domain=domain, motion=motion, number=at * MOTIONS + motion)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_aspect("equal", adjustable="datalim")
        for side in ("top", "right"):
            axes.spines[side].set_visible(True)
        figure.legend(loc="outside upper center", ncols=3, frameon=False, columnspacing=1.0, handletextpad=0.2)
        figure.supxlabel(_caption(retrievals(space)), fontsize=7)
    save(figure, path)


def _scatter(axes: Any, own: Any, *, domain: Domain, motion: int, number: int) -> None:
    marker, size = MARKS[domain]
    axes.scatter(
        own[:, 0], own[:, 1], s=size, marker=marker, linewidths=0.3, alpha=0.85, label=f"{number}: {domain}",
        color=COLOURS[motion], edgecolors="black" if domain == "cartoon" else "none",
    )  # fmt: skip
    middle = np.median(own, axis=0)
    axes.annotate(
        str(number), middle, fontsize=8, fontweight="bold", ha="center", va="center",
        bbox={"boxstyle": "circle,pad=0.18", "facecolor": "white", "edgecolor": COLOURS[motion], "linewidth": 0.9},
    )  # fmt: skip


def _caption(found: Sequence[Retrieval]) -> str:
    lines = [line(one) for one in found[:2]]
    return "\n".join([*lines, f"chance {found[0].chance:.0%}"])


def line(one: Retrieval) -> str:
    """An accuracy with its interval in words."""
    way = f"{one.queries} → {one.gallery}" if one.queries != one.gallery else f"within {one.queries}"
    return f"same motion nearest, {way}: {one.accuracy.value:.0%} ({one.accuracy.low:.0%} to {one.accuracy.high:.0%})"
