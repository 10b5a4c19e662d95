"""The six concepts: clip, pair, task, method, metric, result; and the sample a metric sees.

Every other module is written in these words. Pixels are uint8, RGB, channels last, 0 to 255.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, runtime_checkable

if TYPE_CHECKING:  # the command line imports this module to print its help: it must be light
    import numpy as np
    from numpy.typing import NDArray

Domain = Literal["real", "cartoon"]
Motion = Literal["relative", "absolute"]
Kind = Literal["video", "image"]
Need = Literal["target", "driving", "source", "motion"]

DOMAINS: tuple[Domain, ...] = ("real", "cartoon")
CHANNEL_LIMITS: dict[str, tuple[float, float]] = {
    "yaw": (-35.0, 35.0), "pitch": (-20.0, 20.0), "roll": (-18.0, 18.0), "tx": (-0.25, 0.25), "ty": (-0.2, 0.2),
    "scale": (-0.2, 0.2), "jaw_open": (0.0, 1.0), "mouth_wide": (0.0, 1.0), "mouth_pucker": (0.0, 1.0),
    "smile": (0.0, 1.0), "frown": (0.0, 1.0), "blink_left": (0.0, 1.0), "blink_right": (0.0, 1.0),
    "brow_up_left": (0.0, 1.0), "brow_up_right": (0.0, 1.0), "brow_furrow": (0.0, 1.0),
    "gaze_x": (-1.0, 1.0), "gaze_y": (-1.0, 1.0),
}  # fmt: skip
"""The rig of every puppet: each channel's lowest and highest value; `toonbench.puppets.rig` tells what they mean."""
CHANNELS: tuple[str, ...] = tuple(CHANNEL_LIMITS)
LANDMARKS = 70  # the 68 points of the iBUG convention, then the pupils, each counted from the left of the picture

Frame: TypeAlias = "NDArray[np.uint8]"  # (height, width, 3)
Frames: TypeAlias = "NDArray[np.uint8]"  # (frames, height, width, 3)
Rows: TypeAlias = "NDArray[np.float32]"  # (rows, values); a NaN row was not measurable


class ToonbenchError(Exception):
    """A mistake of the user's, or of the user's files, told in one line: what, seen, allowed, next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """The frames of one face track of one shot; an image is a clip of one frame.

    `id` is unique in its data set and fit for a file name. `fps` is frames per second, 0 for an image.
    `problem` says why the clip cannot be used (no face, unreadable); such a clip stays listed, and its pairs fail with it.
    `motion` is the file of its exact motion, where that is known (puppets).
    """

    id: str
    path: Path
    domain: Domain
    kind: Kind = "video"
    identity: str = ""
    title: str = ""
    fps: float = 0.0
    frames: int = 0
    width: int = 0
    height: int = 0
    split: str = "test"
    provenance: str = ""
    licence: str = ""
    sha256: str = ""
    problem: str = ""
    motion: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One thing to generate: `source` (its first frame) shall move as `driving` does.

    `target` is the exact answer where one exists: the clip itself in same-identity tasks, a rendering for puppets.
    `id` is fit for a file name and unique in its task.
    """

    id: str
    source: Clip
    driving: Clip
    target: Clip | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """The exact motion of a clip, known for puppets: rig curves and landmarks of every frame."""

    rig: NDArray[np.float32]  # (frames, len(CHANNELS)), in the order of CHANNELS
    landmarks: NDArray[np.float32]  # (frames, LANDMARKS, 2) pixels: x right, y down, pixel centres at .5
    visible: NDArray[np.bool_]  # (frames, LANDMARKS): in the picture and not hidden
    fps: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What a metric measures: the generated frames of one pair beside whatever it may be compared with.

    All arrays are RGB uint8 of one size; `target`, `driving` and `truth` have as many frames as `generated`, or are None.
    `truth` is the exact motion of the target; who needs "motion" gets it with the target's and the driver's frames.
    `known` holds features of the real frames that were measured before, by what they show and the features' name:
    ("target", "fan68@1") to a row for each frame of `target`, ("source", ...) to one row.
    """

    pair: Pair
    generated: Frames
    source: Frame | None = None
    driving: Frames | None = None
    target: Frames | None = None
    truth: Truth | None = None
    known: Mapping[tuple[Need, str], Rows] = field(default_factory=dict["tuple[Need, str]", "Rows"])


@runtime_checkable
class Method(Protocol):
    """Something that animates a source. `revision` names weights and code, so that a changed one never mixes with the old."""

    name: str
    revision: str

    def animate(
        self,
        source: Frame,
        driving: Frames,
        *,
        motion: Motion,
        seed: int,
        source_domain: Domain,
        driving_domain: Domain,
    ) -> Frames:
        """Return as many frames as `driving` has, RGB uint8, in the source's size."""
        ...


@runtime_checkable
class TargetMethod(Protocol):
    """A method that is shown the answer (the oracle dummies); it can run only where a target exists."""

    name: str
    revision: str

    def animate_target(self, source: Frame, target: Frames, *, seed: int) -> Frames:
        """Return as many frames as `target` has, RGB uint8, in its size."""
        ...


@runtime_checkable
class Metric(Protocol):
    """`measure` turns a sample into rows, `reduce` turns the rows of many samples into the number.

    `distribution` tells how its interval is made: False where the number is the mean of the clips' own numbers
    (cluster bootstrap), True where only the whole set has one, as FID (grouped jackknife).

    A metric may also have, and is asked for with `getattr`:

    - `bounds`: its lowest and highest value; intervals are cut there.
    - `pooled`: True where the number is the mean over all frames, as FOMM's AKD, not over pairs: then pairs weigh by their
      rows whose last value is known, in intervals and comparisons too.
    - `weights`: names in the manifest of weights (`toonbench weights list`) that it cannot do without; and `packages`:
      module name to what to install for it. Where one is missing the metric is skipped, with the reason.
    - `features` and `describe(frames) -> Rows`: the name (`inception@1`) and the maker of features, a row a frame, NaN
      where there is no face. What it gives for real frames is stored once for all methods and tasks and handed back in
      `Sample.known`. A distribution's rows are its features, stored under their name and shared by all who use them.
    - `describes`: which real frames it describes, of {"source", "target"}.
    - `reduce_groups(groups, reference) -> (value, values)`: `reduce` of all groups of rows, and of all but each, at once.
    - `details(rows, reference) -> dict[str, float]`: further numbers that stand beside the value (FID's floor).
    - `remark`: a sentence that stands beside every number of it.
    - `calibrated`: the domains whose faces its network was made for; elsewhere the result says so.
    - `device`: where its network runs; set before the first measurement.
    """

    name: str
    version: int
    higher_is_better: bool
    distribution: bool
    needs: frozenset[Need]

    def measure(self, sample: Sample) -> Rows:
        """Rows of one pair, (rows, values) float32; NaN where a frame cannot be measured."""
        ...

    def reduce(self, rows: Sequence[Rows], reference: Sequence[Rows] = ()) -> float:
        """The number over many pairs; NaN when nothing was measured."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What distributions (FID, KID) are compared with, and how both sets are taken; a field of the task.

    `images`: "sources", the source images of the pairs (the paper's "source distribution"), each once; or "domain", frames of
    every test clip of the source domain. `frames` of each clip, evenly spaced, 0 for all: of generated ones as of the domain's.
    A real image of another size is brought to the generated one with Pillow's `resize` filter (antialiased), as the
    generator's input is. `equal` cuts the larger set to the size of the smaller (evenly, whole pairs kept).
    """

    images: Literal["sources", "domain"] = "sources"
    frames: int = 0
    resize: Literal["bicubic", "bilinear", "lanczos"] = "bicubic"
    equal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A named, versioned rule that draws pairs from a data set, the same for every method.

    Each of `videos` driving videos drives `images` sources; `images = 0` means its own first frame (same identity).
    The first `skip` frames are generated and not measured: in relative motion the answer to the first driving frame is
    the source itself, and measuring it would reward doing nothing.
    """

    name: str
    version: int
    source: Domain
    driving: Domain
    videos: int
    images: int
    motion: Motion
    skip: int
    metrics: tuple[str, ...]
    about: str
    reference: Reference = Reference()
    paper: str = ""

    @property
    def id(self) -> str:
        """`name@version`."""
        return f"{self.name}@{self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A metric reduced over a task: the value, its 95 % interval, and what it rests on.

    `coverage` is the share of a pair's frames that could be measured, averaged over all pairs, failed ones as 0.
    `details` are further numbers of the metric's own, by name.
    """

    metric: str
    value: float
    low: float
    high: float
    pairs: int
    missing: int
    clusters: int
    coverage: float
    higher_is_better: bool
    notes: tuple[str, ...] = field(default=())
    details: Mapping[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True, slots=True)
class GoldenCheck:
    """A golden case computed on this machine: its largest error beside its tolerance, or why it was skipped."""

    case: str
    error: float
    tolerance: float
    skipped: str = ""

    @property
    def passed(self) -> bool:
        """Whether the error is within tolerance (NaN is not); a skipped case does not fail."""
        return bool(self.skipped) or self.error <= self.tolerance
