"""Which clips weights were trained on: stored with the weights, so that a pair that contains one of them can be refused.

A clip is stored as two marks of six bytes: of its file's content, where a data set states its checksum, and of the name of its data
set, its own name and its number of frames. Either makes it known again: a clip under another name, and a clip that was encoded again.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from toonbench.types import Clip, Pair

KEY = "trained_on"
WIDTH = 6  # bytes of a mark: 17,000 clips and 1,000 others share one by chance in 1 of 10 million cases


@dataclass(frozen=True, slots=True)
class TrainedOn:
    """The training clips of weights: the data sets' ids, the number of clips, and their marks."""

    data: tuple[str, ...] = ()
    clips: int = 0
    marks: frozenset[bytes] = frozenset()

    def __or__(self, other: TrainedOn) -> TrainedOn:
        """The clips of both, for weights that were trained on one set after the other."""
        if self.marks >= other.marks and set(self.data) >= set(other.data):
            return self
        if other.marks >= self.marks and set(other.data) >= set(self.data):
            return other
        data = tuple(sorted({*self.data, *other.data}))
        return TrainedOn(data, self.clips + other.clips, self.marks | other.marks)

    def pairs(self, pairs: Iterable[Pair], *, data: str) -> list[str]:
        """The ids of the pairs of the data set `data` whose source or driving video is among the clips."""
        return [
            pair.id for pair in pairs if any(self.marks & _known_as(one, data) for one in (pair.source, pair.driving))
        ]

    def drives(self, pairs: Iterable[Pair], *, data: str) -> list[str]:
        """The ids of the pairs of the data set `data` whose driving video is among the clips."""
        return [pair.id for pair in pairs if self.marks & _known_as(pair.driving, data)]

    def to_dict(self) -> dict[str, Any]:
        """For checkpoints and the metadata of weights; `from_dict` reads it back."""
        content = base64.b64encode(b"".join(sorted(self.marks))).decode()
        return {"data": list(self.data), "clips": self.clips, "marks": content}

    @classmethod
    def from_dict(cls, found: object) -> TrainedOn | None:
        """Inverse of `to_dict`; None for anything else."""
        if not isinstance(found, Mapping):
            return None
        values = cast("Mapping[str, Any]", found)
        try:
            content = base64.b64decode(values["marks"], validate=True)
            data, clips = tuple(str(one) for one in values["data"]), int(values["clips"])
        except (KeyError, TypeError, ValueError, OverflowError, binascii.Error):
            return None
        return cls(data, clips, frozenset(content[at : at + WIDTH] for at in range(0, len(content), WIDTH)))


def marks(clip: Clip, data: str) -> frozenset[bytes]:
    """The marks of a clip of the data set with the id `data`."""
    return _hashed([f"{_name(data)}|{clip.id}|{clip.frames}", *_content(clip)])


def _known_as(clip: Clip, data: str) -> frozenset[bytes]:
    """The marks of a clip, also that which earlier versions stored."""
    return marks(clip, data) | _hashed([f"{data}|{clip.id}"])


def _content(clip: Clip) -> list[str]:
    return [clip.sha256] if clip.sha256.strip("0") else []


def _name(data: str) -> str:
    """The name in the id of a data set, whose other part changes with the bytes of its clips."""
    return re.sub(r"-[0-9a-f]{8}$", "", data)


def _hashed(texts: Iterable[str]) -> frozenset[bytes]:
    return frozenset(hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()[:WIDTH] for text in texts)


def trained_on(clips: Sequence[Clip], *, data: str) -> TrainedOn:
    """Of clips of one data set."""
    found = frozenset(mark for clip in clips for mark in marks(clip, data))
    return TrainedOn((data,) if clips else (), len(clips), found)
