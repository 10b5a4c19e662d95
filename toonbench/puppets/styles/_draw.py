"""Draws that several styles share: hair cuts, backgrounds, random colours near a given one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from toonbench.puppets.look import Colour, Hair


def near(rng: np.random.Generator, colour: Colour, *, spread: float, tint: float = 0.45) -> Colour:
    """Draw a colour around `colour`: a change in brightness by `spread`, and per channel by `tint` parts of it."""
    values = np.asarray(colour) * (1 + rng.normal(0, spread) + rng.normal(0, spread * tint, 3))
    r, g, b = (float(v) for v in np.clip(values, 0.01, 0.99))
    return r, g, b


def pick(rng: np.random.Generator, colours: Sequence[Colour], *, spread: float = 0.06, tint: float = 0.45) -> Colour:
    """Choose one of `colours` and vary it a little."""
    return near(rng, colours[int(rng.integers(len(colours)))], spread=spread, tint=tint)


def around(rng: np.random.Generator, middle: float, spread: float) -> float:
    """Draw from a normal distribution cut at two standard deviations."""
    return middle + spread * float(np.clip(rng.normal(), -2, 2))


def cut(rng: np.random.Generator, kind: str) -> Hair:
    """Draw a hair cut of a kind: crop, short, parted, fringe, bob, long, bun, curly or bald."""
    part = float(rng.choice([-1.0, 1.0]))
    one, two = float(rng.random()), float(rng.random())
    recede = 0.02 + 0.07 * float(rng.random())
    side = -0.95 + 0.35 * one if kind == "bob" else -1.7 + 0.5 * one
    cuts = {
        "bald": Hair(bald=True),
        "crop": Hair(volume=0.035, top=0.03, back=-0.45, recede=recede),
        "short": Hair(volume=0.07, top=0.1 + 0.1 * one, back=-0.5, recede=recede, sweep=part * (0.2 + 0.6 * two),
                      quiff=0.03 + 0.07 * two),
        "parted": Hair(volume=0.09, top=0.14, parting=0.6 * part, back=-0.55, recede=0.5 * recede,
                       sweep=-part * (0.4 + 0.5 * two), quiff=0.05),
        "fringe": Hair(volume=0.12, top=0.08, fringe=0.14, temple=0.1, back=-0.62, side=-0.2),
        "bob": Hair(volume=0.16, top=0.06, temple=0.28, side=side, back=side - 0.05, parting=0.35 * part,
                    fringe=0.15 * float(two > 0.5), sweep=-0.3 * part, flare=0.1 * two),
        "long": Hair(volume=0.15, top=0.06, temple=0.32, side=side, back=-1.6, parting=0.3 * part, flare=0.05 + 0.11 * two),
        "bun": Hair(volume=0.06, top=0.04, side=-0.05, back=-0.5, bun=0.24 + 0.1 * one),
        "curly": Hair(volume=0.17, top=0.14, side=-0.2, back=-0.6),
    }  # fmt: skip
    curl, locks = {"crop": (0.004, 60), "curly": (0.055, 13 + int(7 * two))}.get(
        kind, (0.008 + 0.008 * one, 26 + int(18 * two))
    )
    return replace(cuts[kind], front=float(rng.uniform(0.58, 0.70)), curl=curl, locks=locks)
