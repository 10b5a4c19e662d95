"""Pairs whose source or driving video the method was trained on: they are refused, or measured with a mark."""

from __future__ import annotations

from collections.abc import Sequence

from toonbench.training.trained_on import TrainedOn
from toonbench.types import Pair, ToonbenchError

SHOWN = 3


def trained_pairs(method: object, pairs: Sequence[Pair], *, data: str) -> list[str]:
    """The ids of the pairs of the data set `data` that contain a clip which the method's weights state as a training clip.

    Empty for weights that state none: official ones, and those of earlier versions.
    """
    origin = getattr(method, "trained_on", None)
    return origin.pairs(pairs, data=data) if isinstance(origin, TrainedOn) else []


def refuse_trained(found: Sequence[str], pairs: Sequence[Pair], *, method: str) -> None:
    """Raise ToonbenchError if there are such pairs."""
    if found:
        named = f"{', '.join(found[:SHOWN])}{', ...' if len(found) > SHOWN else ''}"
        raise ToonbenchError(
            f"{len(found)} of {len(pairs)} pairs contain a clip that the weights of '{method}' were trained on ({named}): take "
            "other data, or give --allow-trained-on, and the result is marked"
        )


def refuse_other_clips(method: object, pairs: Sequence[Pair], *, data: str, name: str) -> None:
    """Raise ToonbenchError for pairs that a model of one pair of clips cannot know: it has learned no other driving video.

    Only for methods that state `one_pair`, and weights that state their training clips.
    """
    origin = getattr(method, "trained_on", None)
    if not getattr(method, "one_pair", False) or not isinstance(origin, TrainedOn):
        return
    learned = set(origin.drives(pairs, data=data))
    if others := [pair.id for pair in pairs if pair.id not in learned]:
        named = f"{', '.join(others[:SHOWN])}{', ...' if len(others) > SHOWN else ''}"
        raise ToonbenchError(
            f"{len(others)} of {len(pairs)} pairs have another driving video than those that '{name}' was trained on ({named}): its "
            "weights are a model of one pair of clips; give the pairs of these clips with --pairs"
        )


def caveats_of(found: Sequence[str], pairs: Sequence[Pair]) -> list[str]:
    """What is printed with every number of such pairs."""
    if not found:
        return []
    return [
        f"{len(found)} of {len(pairs)} pairs contain a clip that the method was trained on: these numbers do not show how it "
        "does on new clips"
    ]
