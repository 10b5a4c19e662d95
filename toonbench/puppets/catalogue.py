"""All styles by name, and their looks. Only this module imports `toonbench.puppets.styles`."""

from __future__ import annotations

import importlib
import pkgutil
from difflib import get_close_matches
from functools import cache

import numpy as np

from toonbench.puppets.look import Look, Style
from toonbench.puppets.rig import seed_of
from toonbench.types import Domain, ToonbenchError


@cache
def styles() -> dict[str, Style]:
    """Return every style by name, found in `toonbench/puppets/styles/`."""
    package = importlib.import_module("toonbench.puppets.styles")
    found = [
        importlib.import_module(f"{package.__name__}.{module.name}").STYLE
        for module in pkgutil.iter_modules(package.__path__)
        if not module.name.startswith("_")
    ]
    return {style.name: style for style in sorted(found, key=lambda style: style.name)}


def styles_of(domain: Domain) -> tuple[Style, ...]:
    """Return the styles of one domain, by name."""
    return tuple(style for style in styles().values() if style.domain == domain)


def make_look(style: str, seed: int) -> Look:
    """Draw look number `seed` of a style. Raises ToonbenchError for an unknown style."""
    found = styles()
    if style not in found:
        near = get_close_matches(style, found, n=1)
        hint = f"Did you mean '{near[0]}'? " if near else ""
        raise ToonbenchError(f"Unknown puppet style '{style}'. {hint}Choose one of: {', '.join(found)}.")
    rng = np.random.default_rng(seed_of("look", style, seed))
    return found[style].draw(rng, f"{style}-{seed}")
