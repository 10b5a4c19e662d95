"""Random draws that several styles share: hair cuts, backgrounds, random colours near a given one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from toonbench.puppets.look import Clothes, Colour, Earrings, Garment, Hair, Pattern, Topping, Worn


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


CUTS: dict[str, bool | None] = {
    "crop": True,
    "short": None,
    "parted": True,
    "swept": None,
    "undercut": True,
    "quiff": True,
    "receding": True,
    "bald": True,
    "spiky": True,
    "mohawk": None,
    "curly": None,
    "afro": None,
    "pixie": False,
    "fringe": False,
    "bob": False,
    "long": False,
    "wavy": False,
    "bun": False,
    "pony": False,
    "pigtails": False,
    "braids": False,
}  # fmt: skip  (kind -> whether men (True), women (False) or both (None) commonly wear it)


def cut_for(rng: np.random.Generator, *, masculine: bool, without: Sequence[str] = ()) -> str:
    """Choose a kind of hair cut; the ones commonly worn by the other sex are rare."""
    kinds = [kind for kind in CUTS if kind not in without]
    weights = np.array([0.06 if CUTS[kind] is (not masculine) else 1.0 for kind in kinds])
    weights[[kind in ("bald", "mohawk") for kind in kinds]] *= 0.5
    return kinds[int(rng.choice(len(kinds), p=weights / weights.sum()))]


def cut(rng: np.random.Generator, kind: str) -> Hair:
    """Draw a hair cut of one of the kinds in `CUTS`."""
    part = float(rng.choice([-1.0, 1.0]))
    one, two = float(rng.random()), float(rng.random())
    recede = 0.02 + 0.05 * float(rng.random())
    front = float(rng.uniform(0.60, 0.70))
    side = -0.95 + 0.35 * one if kind == "bob" else -1.7 + 0.5 * one
    fine = Hair(front=front, recede=recede, curl=0.008, locks=26 + int(18 * two), strands=44)
    loose = replace(fine, recede=0.3 * recede, temple=0.32, curl=0.012, strands=48)
    cuts = {
        "bald": Hair(bald=True),
        "crop": replace(fine, volume=0.025, top=0.015, back=-0.45, curl=0.003, locks=60, strands=0, fade=0.5),
        "receding": replace(fine, front=front + 0.03, volume=0.04, top=0.01, back=-0.45, recede=0.2, curl=0.004, strands=30, fade=0.3),
        "short": replace(fine, volume=0.07, top=0.08 + 0.06 * one, back=-0.5, sweep=part * (0.2 + 0.6 * two), quiff=0.03 + 0.04 * two,
                         bangs=9 * int(one > 0.4), bangs_length=0.05 + 0.1 * two, bangs_side=part * two),
        "parted": replace(fine, volume=0.08, top=0.11, parting=0.6 * part, back=-0.55, recede=0.5 * recede,
                          sweep=-part * (0.4 + 0.5 * two), quiff=0.05),
        "swept": replace(fine, volume=0.08, top=0.09, parting=0.75 * part, back=-0.6, side=-0.2 - 0.2 * one, sweep=-0.6 * part,
                         bangs=12, bangs_length=0.2 + 0.1 * one, bangs_side=-part),
        "undercut": replace(fine, volume=0.08, top=0.14, fade=1.0, quiff=0.06, sweep=0.5 * part, back=-0.4, strands=30),
        "quiff": replace(fine, volume=0.06, top=0.17, fade=0.6, quiff=0.12, back=-0.45, bangs=0, sweep=0.2 * part),
        "spiky": replace(fine, volume=0.05, top=0.04, back=-0.5, spikes=0.24 + 0.12 * one, sweep=0.3 * part * two, strands=26,
                         bangs=7, bangs_length=0.12),
        "mohawk": replace(fine, volume=0.03, top=0.02, fade=1.0, mohawk=0.44 + 0.16 * one, back=-0.4, strands=0, curl=0.003),
        "curly": replace(fine, volume=0.09, top=0.05, side=-0.15, back=-0.55, puff=0.085 + 0.02 * one, strands=0),
        "afro": replace(fine, volume=0.22, top=0.16, side=-0.25, back=-0.5, puff=0.12 + 0.03 * one, strands=0, recede=0.0),
        "pixie": replace(fine, volume=0.07, top=0.06, temple=0.2, side=-0.22, back=-0.62, bangs=11, bangs_length=0.22 + 0.1 * one,
                         bangs_side=0.9 * part, sweep=0.3 * part, recede=0.0),
        "fringe": replace(loose, volume=0.11, top=0.05, temple=0.2, back=-0.65, side=-0.55 - 0.6 * one, bangs=13,
                          bangs_length=0.3, flare=0.03, bangs_side=0.15 * part),
        "bob": replace(loose, volume=0.13, top=0.05, temple=0.28, side=side, back=side - 0.05, parting=0.4 * part,
                       sweep=-0.3 * part, flare=0.08 * two, bangs=11 * int(two > 0.5), bangs_length=0.25, bangs_side=-0.7 * part),
        "long": replace(loose, volume=0.12, top=0.05, side=side, back=-1.6, parting=0.35 * part, flare=0.04 + 0.07 * two,
                        bangs=10 * int(two > 0.6), bangs_length=0.28, bangs_side=-0.6 * part),
        "wavy": replace(loose, volume=0.15, top=0.06, side=side + 0.15, back=-1.5, parting=0.45 * part, flare=0.1 + 0.08 * two,
                        wave=0.045 + 0.02 * one, strands=54),
        "bun": replace(fine, volume=0.05, top=0.03, side=-0.05, back=-0.5, bun=0.24 + 0.08 * one, recede=0.0,
                       bangs=8 * int(two > 0.6), bangs_length=0.22, bangs_side=part),
        "pony": replace(fine, volume=0.05, top=0.04, side=-0.05, back=-0.5, tail="pony", recede=0.0,
                        bangs=10 * int(two > 0.4), bangs_length=0.26, bangs_side=0.8 * part),
        "pigtails": replace(fine, volume=0.06, top=0.03, side=-0.05, back=-0.5, tail="pigtails", recede=0.0, parting=0.05,
                            bangs=10 * int(two > 0.3), bangs_length=0.26),
        "braids": replace(fine, volume=0.06, top=0.03, side=-0.1, back=-0.5, tail="braids", recede=0.0, parting=0.05,
                          bangs=9 * int(two > 0.5), bangs_length=0.24, bangs_side=0.5 * part),
    }  # fmt: skip
    return cuts[kind]


def wear(rng: np.random.Generator, *, masculine: bool, kind: str, colours: Sequence[Colour]) -> Worn:
    """Draw accessories, none for about 60 %: glasses, earrings, and a headband, ornament or hat that suits the cut `kind`."""
    hats: tuple[Topping, ...] = () if kind in ("afro", "mohawk", "spiky", "bun", "quiff") else ("cap", "beanie", "brim")
    ornaments: tuple[Topping, ...] = () if masculine or kind in ("bald", "mohawk") else ("headband", "bow", "flower")
    allowed: tuple[Topping, ...] = (*ornaments, *hats)
    glasses, ears, top, which = (float(v) for v in rng.random(4))
    chosen: Topping = allowed[int(which * len(allowed))] if allowed and top < (0.12 if masculine else 0.18) else ""
    earrings: tuple[Earrings, ...] = ("stud", "hoop")
    return Worn(
        glasses=("round" if which < 0.5 else "square") if glasses < 0.14 else "",
        glasses_width=around(rng, 0.235, 0.012),
        earrings=earrings[int(which * 2)] if ears < (0.04 if masculine else 0.2) else "",
        top=chosen,
        colour=pick(rng, colours),
        frame=pick(
            rng, ((0.07, 0.06, 0.06), (0.32, 0.17, 0.09), (0.45, 0.46, 0.48), (0.45, 0.12, 0.14), (0.12, 0.18, 0.32))
        ),
        metal=pick(rng, ((0.86, 0.68, 0.32), (0.80, 0.81, 0.84))),
    )


def garment(rng: np.random.Generator, *, masculine: bool) -> Clothes:
    """Draw a garment and its pattern."""
    kinds: tuple[Garment, ...] = (
        "crew",
        "shirt",
        "hoodie",
        "turtleneck",
        "suit" if masculine else "tank",
        "scarf",
        "crew",
    )
    patterns: tuple[Pattern, ...] = ("plain", "plain", "plain", "stripes", "dots", "checks")
    kind = kinds[int(rng.integers(len(kinds)))]
    pattern = patterns[int(rng.integers(len(patterns)))]
    return Clothes(kind=kind, pattern="plain" if kind == "suit" else pattern)
