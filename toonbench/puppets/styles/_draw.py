"""Draws that several styles share: hair cuts, backgrounds, random colours near a given one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from toonbench.puppets.look import Colour, Hair


def near(rng: np.random.Generator, colour: Colour, *, spread: float) -> Colour:
    """Draw a colour around `colour`: a common change in brightness and a smaller one per channel."""
    values = np.asarray(colour) * (1 + rng.normal(0, spread)) + rng.normal(0, spread * 0.35, 3)
    r, g, b = (float(v) for v in np.clip(values, 0.01, 0.99))
    return r, g, b


def pick(rng: np.random.Generator, colours: Sequence[Colour], *, spread: float = 0.06) -> Colour:
    """Choose one of `colours` and vary it a little."""
    return near(rng, colours[int(rng.integers(len(colours)))], spread=spread)


def around(rng: np.random.Generator, middle: float, spread: float) -> float:
    """Draw from a normal distribution cut at two standard deviations."""
    return middle + spread * float(np.clip(rng.normal(), -2, 2))


def cut(rng: np.random.Generator, kind: str) -> Hair:
    """Draw a hair cut of a kind: crop, short, parted, fringe, bob, long, bun, curly or bald."""
    part = float(rng.choice([-1.0, 1.0]))
    loose = {"curl": float(rng.uniform(0.008, 0.016)), "locks": int(rng.integers(26, 44))}
    front = float(rng.uniform(0.58, 0.70))
    if kind == "bald":
        return Hair(bald=True)
    if kind == "crop":
        return Hair(front=front, volume=0.035, top=0.03, back=-0.45, curl=0.004, locks=60)
    if kind == "short":
        return Hair(front=front, volume=0.08, top=float(rng.uniform(0.06, 0.14)), back=-0.5, fringe=0.05, **loose)
    if kind == "parted":
        return Hair(front=front, volume=0.10, top=0.12, parting=part * 0.5, fringe=0.1, back=-0.55, **loose)
    if kind == "fringe":
        return Hair(front=0.62, volume=0.12, top=0.08, fringe=0.2, temple=0.1, back=-0.62, side=-0.2, **loose)
    if kind == "bob":
        side = float(rng.uniform(-0.95, -0.6))
        fringe = float(rng.choice([0.0, 0.2]))
        return Hair(front=0.64, volume=0.16, top=0.06, temple=0.28, side=side, back=side - 0.05, parting=part * 0.35,
                    fringe=fringe, flare=float(rng.uniform(0.0, 0.1)), **loose)  # fmt: skip
    if kind == "long":
        side = float(rng.uniform(-1.7, -1.2))
        return Hair(front=0.66, volume=0.15, top=0.06, temple=0.32, side=side, back=-1.6, parting=part * 0.3,
                    flare=float(rng.uniform(0.05, 0.16)), **loose)  # fmt: skip
    if kind == "bun":
        return Hair(
            front=0.66, volume=0.06, top=0.04, side=-0.05, back=-0.5, bun=float(rng.uniform(0.24, 0.34)), **loose
        )
    return Hair(front=0.62, volume=0.17, top=0.14, side=-0.2, back=-0.6, curl=0.055, locks=int(rng.integers(13, 20)))
