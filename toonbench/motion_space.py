"""The motion space of a method (Fig. 8 of the paper): is the same motion the same code in both domains?

Three motions move many real and many cartoon faces. A code describes a face in a picture; the relative motion of a pair of pictures,
before and after, is the difference of their codes (Eq. 9). If the space is shared by both domains, a cartoon pair is nearest to real
pairs of the same motion. The figure shows it; `retrieval` measures it.

On puppets the pictures are drawn with exactly the same motion. For any other data, and on request, the method itself moves the
faces, as in the paper. A method takes part if it has `motion_codes(frames, *, domain)`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from toonbench.data.clips import read_frames, read_source
from toonbench.data.folder import Dataset
from toonbench.data.motion import read_motion
from toonbench.pool import Progress
from toonbench.stats.intervals import Interval, cluster_bootstrap
from toonbench.types import DOMAINS, Clip, Domain, Frame, Frames, ToonbenchError

Made = Literal["drawn", "generated"]
MOTIONS = 3
BATCH = 16
STRIDE = 8  # of pixels, where frames are compared


@runtime_checkable
class HasMotionCodes(Protocol):
    """A method with a space of motion codes that both domains share."""

    name: str
    revision: str

    def motion_codes(self, frames: Frames, *, domain: Domain) -> NDArray[np.float32]:
        """A code (frames, values) for each picture of faces of a domain; differences of codes are motions."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How the pictures after a motion are made, the number of faces of each domain, and the seed of drawn faces."""

    made: Made = "drawn"
    real: int = 150
    cartoon: int = 50
    seed: int = 0

    def faces(self, domain: Domain) -> int:
        """The number of faces of a domain."""
        return self.real if domain == "real" else self.cartoon


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """Relative motions: `codes` (pairs, values), and for each pair the number of its motion, of its face, and its domain."""

    codes: NDArray[np.float32]
    motions: NDArray[np.int64]
    faces: NDArray[np.int64]
    domains: tuple[Domain, ...]
    about: dict[str, Any]

    def of(self, domain: Domain) -> NDArray[np.bool_]:
        """Which pairs are of a domain."""
        return np.array([one == domain for one in self.domains])


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieval:
    """How often the nearest pair of the gallery has the query's motion, with the interval over faces, and the level of chance."""

    queries: Domain
    gallery: Domain
    accuracy: Interval
    chance: float


def motion_space(method: object, data: Dataset, *, setting: Setting, on_progress: Progress | None = None) -> Space:
    """Move faces of both domains by three motions of the data set's real driving videos, and code the pairs.

    Raises ToonbenchError for a method without codes, and for data that has too few videos or images.
    """
    if not isinstance(method, HasMotionCodes):
        raise ToonbenchError(
            f"method '{getattr(method, 'name', method)}' has no motion codes: define motion_codes(frames, *, domain) in its class"
        )
    pictures = _drawn(data, setting) if setting.made == "drawn" else _generated(method, data, setting)
    codes: list[NDArray[np.float32]] = []
    domains: list[Domain] = []
    for done, (domain, frames) in enumerate(pictures, start=1):
        own = np.asarray(method.motion_codes(frames, domain=domain), np.float32)
        if own.ndim != 2 or len(own) != len(frames) or not np.isfinite(own).all():
            raise ToonbenchError(
                f"method '{method.name}': motion_codes gave {own.shape}, not a finite row for each frame"
            )
        codes.append(own[1:] - own[:1])
        domains.extend(domain for _ in range(MOTIONS))
        if on_progress:
            on_progress(done, setting.real + setting.cartoon)
    return Space(
        codes=np.concatenate(codes),
        motions=np.tile(np.arange(MOTIONS), len(codes)),
        faces=np.repeat(np.arange(len(codes)), MOTIONS),
        domains=tuple(domains),
        about=about(method, data, setting),
    )


def about(method: HasMotionCodes, data: Dataset, setting: Setting) -> dict[str, Any]:
    """Everything that the codes depend on."""
    return {
        "method": f"{method.name}@{method.revision}", "data": data.id, "data_fingerprint": data.fingerprint,
        **asdict(setting),
    }  # fmt: skip


def retrieval(space: Space, *, queries: Domain, gallery: Domain) -> Retrieval:
    """The share of queries whose nearest pair (Euclidean) in the gallery has the same motion; never a pair of the same face."""
    asked, given = np.flatnonzero(space.of(queries)), np.flatnonzero(space.of(gallery))
    codes = space.codes.astype(np.float64)
    square = (codes**2).sum(axis=1)
    distance = square[asked, None] + square[None, given] - 2 * codes[asked] @ codes[given].T
    distance[space.faces[asked, None] == space.faces[None, given]] = np.inf
    right = space.motions[given][distance.argmin(axis=1)] == space.motions[asked]
    found = cluster_bootstrap(right.astype(np.float64), [int(one) for one in space.faces[asked]])
    return Retrieval(queries=queries, gallery=gallery, accuracy=found, chance=1 / MOTIONS)


def _drawn(data: Dataset, setting: Setting) -> Iterator[tuple[Domain, Frames]]:
    """Puppets of new looks: each before, and after each of the motions."""
    from toonbench.puppets.catalogue import make_look, styles_of
    from toonbench.puppets.draw.render import render_image
    from toonbench.puppets.rig import generate, relative, seed_of

    driving = [clip for clip in _videos(data) if clip.motion is not None]
    motions = _far_apart([read_motion(clip.motion, fps=clip.fps).rig for clip in driving if clip.motion])
    size = driving[0].height or 128
    for domain in DOMAINS:
        styles = [style.name for style in styles_of(domain)]
        for at in range(setting.faces(domain)):
            look = make_look(styles[at % len(styles)], seed_of("motion-space", setting.seed, domain, at, "look"))
            start = generate(seed_of("motion-space", setting.seed, domain, at, "motion"), frames=1)[0]
            rigs = [start, *(relative(start, motion)[1] for motion in motions)]
            yield domain, np.stack([render_image(look, rig, size=size) for rig in rigs])


def _far_apart(rigs: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
    """Three motions, (2, channels) each: the first frame of a clip and another one. The first moves most, the others least alike."""
    from toonbench.puppets.rig import LIMITS

    if not rigs:
        raise ToonbenchError(
            "the data set has no ground-truth motion, so no pictures can be drawn: give --after generated"
        )
    moves = np.concatenate([rig - rig[:1] for rig in rigs]) / np.ptp(LIMITS, axis=1)
    pairs = [np.stack([rig[0], frame]) for rig in rigs for frame in rig]
    chosen = [int(np.argmax((moves**2).sum(axis=1)))]
    while len(chosen) < MOTIONS:
        nearest = np.min([((moves - moves[at]) ** 2).sum(axis=1) for at in [*chosen, 0]], axis=0)  # row 0 does not move
        chosen.append(int(np.argmax(nearest)))
    return [pairs[at] for at in chosen]


def _generated(method: Any, data: Dataset, setting: Setting) -> Iterator[tuple[Domain, Frames]]:
    """Sources of the data set: each before, and after each of the motions, which the method performs."""
    if not hasattr(method, "animate"):
        raise ToonbenchError(f"method '{method.name}' cannot animate whole clips: it has no `animate`")
    motions = [_moved(read_frames(clip).frames) for clip in _videos(data)[:MOTIONS]]
    for domain in DOMAINS:
        images = [clip for clip in data.clips if clip.domain == domain and not clip.problem and clip.kind == "image"]
        if len(images) < setting.faces(domain):
            raise ToonbenchError(
                f"{data.root} has {len(images)} usable {domain} images: give --{domain} {len(images)} or fewer"
            )
        for clip in images[: setting.faces(domain)]:
            source = read_source(clip)
            after = [
                method.animate(
                    source, motion, motion="relative", seed=setting.seed, source_domain=domain, driving_domain="real"
                )[1]
                for motion in motions
            ]
            yield domain, np.stack([source, *after])


def _videos(data: Dataset) -> list[Clip]:
    found = [clip for clip in data.clips if (clip.domain, clip.kind) == ("real", "video") and not clip.problem]
    if len(found) < MOTIONS:
        raise ToonbenchError(f"{data.root} has {len(found)} usable real videos: the figure needs {MOTIONS}")
    return found


def _moved(frames: Frames) -> Frames:
    """The first frame, and the one that differs most from it."""
    small = frames[:, ::STRIDE, ::STRIDE].astype(np.float32)
    distance: NDArray[np.float32] = np.abs(small - small[:1]).mean(axis=(1, 2, 3))
    last: Frame = frames[int(distance.argmax())]
    return np.stack([frames[0], last])
