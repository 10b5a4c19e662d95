"""Near-duplicates among clips: hashes find candidates, small pictures decide, groups are complete linkage.

Each clip is reduced to MOMENTS pictures at even shares of its length, so that another speed changes nothing. A perceptual hash holds
signs of the low frequencies of a picture (its discrete cosine transform) and of its difference from the clip's mean picture. Two clips are
candidates if their hashes differ in at most NEAR of the bits, as they are or with one mirrored. They are duplicates if, after one is
shifted and scaled to fit the other, both the details of the mean picture and the changes over time agree: two shots of one character
look alike, but do not move alike. A group holds only clips that are all duplicates of each other.
"""

from __future__ import annotations

import base64
import hashlib
import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toonbench.compiled import compile_loops
from toonbench.prepare._fitting import unlikeness
from toonbench.types import Frame, ToonbenchError

MOMENTS = 12  # pictures of a clip
SIDE = 24  # pixels a side of a picture
KEPT = 256  # pictures in memory while a clip is measured
FREQUENCIES = 8  # in each direction
FAINT = 48.0  # of a frequency: one of a sixth of a grey level
NEAR = 0.3  # share of different bits up to which two clips are candidates; independent clips differ in half
APART = 1.0  # unlikeness of two clips up to which they are duplicates
BLOCK = 512  # clips whose candidates are in memory

Edge = tuple[float, str, str]
Small = NDArray[np.uint8]  # (SIDE, SIDE), luminance


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """What is compared of a clip.

    content: SHA-256 of all frames.
    frames: the number of frames.
    pictures: (MOMENTS, SIDE, SIDE) uint8, luminance.
    """

    content: str
    frames: int
    pictures: NDArray[np.uint8]

    @property
    def hashes(self) -> NDArray[np.uint64]:
        """(MOMENTS,) uint64, the perceptual hash of each picture."""
        return perceptual_hashes(self.pictures)

    def to_json(self) -> dict[str, Any]:
        """A record that `from_json` reads."""
        pictures = base64.b64encode(self.pictures.tobytes()).decode()
        return {"content": self.content, "frames": self.frames, "pictures": pictures}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Fingerprint:
        """The fingerprint of a record. Raises ToonbenchError for a record of another form."""
        try:
            cells = np.frombuffer(base64.b64decode(record["pictures"], validate=True), np.uint8)
            return cls(
                content=str(record["content"]),
                frames=int(record["frames"]),
                pictures=cells.reshape(MOMENTS, SIDE, SIDE),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ToonbenchError(f"a fingerprint cannot be read ({error}): remove the record, and run again") from error


class FingerprintMeter:
    """Measures the fingerprint of a clip whose frames come one at a time. Memory does not grow with the clip."""

    def __init__(self) -> None:
        self._content = hashlib.sha256()
        self._pictures: list[NDArray[np.float32]] = []
        self._stride = 1
        self._frames = 0

    def add(self, frame: Frame) -> None:
        """Add the next frame, (h, w, 3) uint8 RGB."""
        self._content.update(f"{frame.shape}".encode())
        self._content.update(np.ascontiguousarray(frame).tobytes())
        if self._frames % self._stride == 0:
            if len(self._pictures) == KEPT:
                del self._pictures[1::2]
                self._stride *= 2
            if self._frames % self._stride == 0:
                self._pictures.append(reduced(frame))
        self._frames += 1

    def finish(self) -> Fingerprint:
        """The fingerprint. Raises ToonbenchError if no frame was added."""
        if not self._frames:
            raise ToonbenchError("a clip without frames has no fingerprint")
        at = ((np.arange(MOMENTS) + 0.5) / MOMENTS * self._frames - 0.5) / self._stride
        at = np.clip(at, 0, len(self._pictures) - 1)
        before = np.floor(at).astype(int)
        after = np.minimum(before + 1, len(self._pictures) - 1)
        weights = (at - before).astype(np.float32)[:, None, None]
        cells = np.stack(self._pictures)
        pictures = np.rint(cells[before] * (1 - weights) + cells[after] * weights).astype(np.uint8)
        return Fingerprint(content=self._content.hexdigest(), frames=self._frames, pictures=pictures)


def fingerprint(frames: Iterable[Frame]) -> Fingerprint:
    """The fingerprint of a clip."""
    meter = FingerprintMeter()
    for frame in frames:
        meter.add(frame)
    return meter.finish()


def reduced(frame: Frame) -> NDArray[np.float32]:
    """(SIDE, SIDE) luminance, means of areas."""
    from PIL import Image

    small = Image.fromarray(frame).convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(small, np.float32)


def perceptual_hashes(pictures: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """(moments,) uint64 of a clip's (moments, SIDE, SIDE) pictures: 32 bits for what each shows, 32 for how it differs from their mean.

    A bit is the sign of a low frequency. A frequency must differ from that of the mean by more than FAINT, so that a still clip has none
    of these bits.
    """
    rows, columns = _lowest()
    waves = _waves()
    spectrum = np.einsum("ui,nij,vj->nuv", waves, pictures.astype(np.float64), waves)[:, rows, columns]
    bits = np.concatenate([spectrum > 0, spectrum - spectrum.mean(axis=0) > FAINT], axis=1)
    packed = np.ascontiguousarray(np.packbits(bits, axis=1, bitorder="little"))
    return packed.view("<u8").astype(np.uint64)[:, 0]


@cache
def _waves() -> NDArray[np.float64]:
    """(FREQUENCIES, SIDE) of the discrete cosine transform."""
    return np.cos(np.pi * np.arange(FREQUENCIES)[:, None] * (np.arange(SIDE) + 0.5) / SIDE)


@cache
def _lowest() -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The rows and columns of the 32 lowest frequencies of a picture, without its mean."""
    pairs = [(row, column) for row in range(FREQUENCIES) for column in range(FREQUENCIES)]
    chosen = sorted(pairs, key=lambda pair: (sum(pair), pair))[1:33]
    return np.array([row for row, _ in chosen]), np.array([column for _, column in chosen])


def find_duplicates(
    fingerprints: Mapping[str, Fingerprint], *, near: float = NEAR, apart: float = APART
) -> list[tuple[str, ...]]:
    """The groups of two or more clips that are all duplicates of each other, sorted; they do not depend on the order of the clips.

    Clips of equal content are always in one group.
    """
    same: dict[str, list[str]] = {}
    for name in sorted(fingerprints):
        same.setdefault(fingerprints[name].content, []).append(name)
    firsts = {names[0]: names for names in same.values()}
    distinct = sorted(firsts)
    edges = _duplicate_pairs([fingerprints[name] for name in distinct], distinct, near=near, apart=apart)
    groups = complete_linkage(distinct, edges)
    whole = [tuple(sorted(name for first in group for name in firsts[first])) for group in groups]
    return sorted(group for group in whole if len(group) > 1)


def _duplicate_pairs(prints: Sequence[Fingerprint], names: Sequence[str], *, near: float, apart: float) -> list[Edge]:
    """(unlikeness, name, name) of the pairs that are duplicates."""
    if len(prints) < 2:
        return []
    hashes = np.stack([perceptual_hashes(one.pictures) for one in prints])
    mirrored = np.stack([perceptual_hashes(one.pictures[:, :, ::-1]) for one in prints])
    edges: list[Edge] = []
    for one, other, flipped in candidates(hashes, mirrored, near=near):
        pictures = prints[other].pictures
        value = unlikeness(prints[one].pictures, pictures[:, :, ::-1] if flipped else pictures)
        if value <= apart:
            edges.append((value, names[one], names[other]))
    return edges


def candidates(
    hashes: NDArray[np.uint64], mirrored: NDArray[np.uint64], *, near: float = NEAR
) -> Iterator[tuple[int, int, bool]]:
    """The pairs of places whose hashes (n, moments) are near, and whether that is so with the second one mirrored."""
    loops = compile_loops("toonbench.prepare._hash_kernels")
    most = int(near * 64 * hashes.shape[1])
    for start in range(0, len(hashes), BLOCK):
        for one, other, flipped in loops.near_hashes(hashes, mirrored, start, start + BLOCK, most):
            yield int(one), int(other), bool(flipped)


def complete_linkage(names: Sequence[str], edges: Sequence[Edge]) -> list[tuple[str, ...]]:
    """Groups in which every two names have an edge: the two groups whose farthest pair is nearest are merged first.

    Equal distances are merged in the order of the names. The groups are sorted, and so are the names in them.
    """
    members = {name: (name,) for name in names}
    links: dict[str, dict[str, float]] = {name: {} for name in names}
    for distance, one, other in edges:
        links[one][other] = links[other][one] = distance
    queue = [(distance, *sorted((one, other))) for distance, one, other in edges]
    heapq.heapify(queue)
    while queue:
        distance, one, other = heapq.heappop(queue)
        if links.get(one, {}).get(other) != distance:
            continue  # a group of the pair was merged since
        _merge(one, other, members, links)
        for near, apart in links[one].items():
            heapq.heappush(queue, (apart, *sorted((one, near))))
    return sorted(members.values())


def _merge(one: str, other: str, members: dict[str, tuple[str, ...]], links: dict[str, dict[str, float]]) -> None:
    """Merge the group `other` into `one`, which has the smaller first name. Only groups with links to both stay linked."""
    members[one] = tuple(sorted(members[one] + members.pop(other)))
    before, lost = links[one], links.pop(other)
    links[one] = {name: max(before[name], lost[name]) for name in before if name in lost}
    for name in {*before, *lost} - {one, other}:
        links[name].pop(other, None)
        links[name].pop(one, None)
        if name in links[one]:
            links[name][one] = links[one][name]
