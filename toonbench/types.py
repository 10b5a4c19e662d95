"""The main types: clip, pair, task, method, metric, result, and the sample that a metric measures.

Every other module uses these terms. Pixels are uint8, RGB, channels last, 0 to 255.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self, TypeAlias, runtime_checkable

if TYPE_CHECKING:  # the command line imports this module to print its help: the import must be fast
    import numpy as np
    from numpy.typing import NDArray

Domain = Literal["real", "cartoon"]
Motion = Literal["relative", "absolute"]
Kind = Literal["video", "image"]
Need = Literal["target", "driving", "source", "motion", "reference"]
Aggregate = Literal["pairs", "frames", "events", "proportion", "corpus"]

DOMAINS: tuple[Domain, ...] = ("real", "cartoon")
CHANNEL_LIMITS: dict[str, tuple[float, float]] = {
    "yaw": (-35.0, 35.0), "pitch": (-20.0, 20.0), "roll": (-18.0, 18.0), "tx": (-0.25, 0.25), "ty": (-0.2, 0.2),
    "scale": (-0.2, 0.2), "jaw_open": (0.0, 1.0), "mouth_wide": (0.0, 1.0), "mouth_pucker": (0.0, 1.0),
    "smile": (0.0, 1.0), "frown": (0.0, 1.0), "blink_left": (0.0, 1.0), "blink_right": (0.0, 1.0),
    "brow_up_left": (0.0, 1.0), "brow_up_right": (0.0, 1.0), "brow_furrow": (0.0, 1.0),
    "gaze_x": (-1.0, 1.0), "gaze_y": (-1.0, 1.0),
}  # fmt: skip
"""The rig of every puppet: each channel's lowest and highest value; `toonbench.puppets.rig` defines their meaning."""
CHANNELS: tuple[str, ...] = tuple(CHANNEL_LIMITS)
LANDMARKS = 70  # the 68 points of the iBUG convention, then the pupils, each counted from the left of the picture

Frame: TypeAlias = "NDArray[np.uint8]"  # (height, width, 3)
Frames: TypeAlias = "NDArray[np.uint8]"  # (frames, height, width, 3)
Rows: TypeAlias = "NDArray[np.float32]"  # (rows, values); a NaN row was not measurable


class ToonbenchError(Exception):
    """An error in the user's input or files. The message is one line: what is wrong, the value found, what is allowed, what to do."""


class CannotWrite(ToonbenchError):
    """The output cannot be written (a full disk, no permission). It stops a run: it is no fault of the input that is read just then."""


class ProgramFailed(ToonbenchError):
    """A method that runs a program failed. `log` is the end of what the program printed; a run keeps it beside the failure."""

    def __init__(self, message: str, *, log: str = "") -> None:
        super().__init__(message)
        self.log = log

    def __reduce__(self) -> tuple[Any, ...]:  # between processes
        return _program_failed, (str(self), self.log)


def _program_failed(message: str, log: str) -> ProgramFailed:
    return ProgramFailed(message, log=log)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """The frames of one face track of one shot; an image is a clip of one frame.

    `id` is unique in its data set and fit for a file name. `fps` is frames per second, 0 for an image.
    `problem` says why the clip cannot be used (no face, unreadable); such a clip stays in the data set, and its pairs fail.
    `motion` is the file of its ground-truth motion, if available (puppets).
    `original` is the user's file that it was prepared from, relative to the user's folder. `picture` is that file's "width,height" and
    `box` the square "left,top,side" of it that became the clip, in pixels; the square may leave the picture. Empty if not known.
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
    original: str = ""
    picture: str = ""
    box: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One video to generate: the character of `source` (its first frame) with the motion of `driving`.

    `target` is the correct output, if it exists: the clip itself in same-identity tasks, a rendering for puppets.
    `id` is fit for a file name and unique in its task.
    """

    id: str
    source: Clip
    driving: Clip
    target: Clip | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroundTruth:
    """The ground-truth motion of a clip, available for puppets: rig curves and landmarks of every frame."""

    rig: NDArray[np.float32]  # (frames, len(CHANNELS)), in the order of CHANNELS
    landmarks: NDArray[np.float32]  # (frames, LANDMARKS, 2) pixels: x right, y down, pixel centres at .5
    visible: NDArray[np.bool_]  # (frames, LANDMARKS): in the picture and not hidden
    fps: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What a metric measures: generated frames of one pair (a whole clip, or a chunk of it) and the frames that they are compared with.

    All arrays are RGB uint8 of one size; `target`, `driving` and `ground_truth` have as many frames as `generated`, or are
    None. `ground_truth` is the motion of the target. `start` is the index in the clip of the first frame given here.
    `features` holds stored features of dataset frames, by what they show and the features' name:
    ("target", "fan68@1") to a row for each frame of `target`, ("driving", ...) likewise, ("source", ...) to one row.
    """

    pair: Pair
    generated: Frames
    source: Frame | None = None
    driving: Frames | None = None
    target: Frames | None = None
    ground_truth: GroundTruth | None = None
    features: Mapping[tuple[Need, str], Rows] = field(default_factory=dict["tuple[Need, str]", "Rows"])
    start: int = 0


@runtime_checkable
class Method(Protocol):
    """A method that animates a source. `revision` identifies weights and code, so that outputs of two versions never mix.

    It receives whole clips, up to a size limit. A method that is also a `ChunkMethod` receives chunks.
    Optional: `checkpoint`, a mapping of text to text about its weights (file, sha256, variant), which runs and results store;
    `with_test_weights(device=...)`, a class method for `toonbench check` without weights; `motion_codes` (`toonbench.motion_space`).
    """

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
class ChunkMethod(Protocol):
    """A method that reads and returns clips in chunks, so that a clip of any length needs the memory of one chunk."""

    name: str
    revision: str

    def animate_chunks(
        self,
        source: Frame,
        driving: Iterator[Frames],
        *,
        motion: Motion,
        seed: int,
        source_domain: Domain,
        driving_domain: Domain,
    ) -> Iterator[Frames]:
        """Yield chunks of RGB uint8 frames in the source's size: as many frames as the chunks of `driving` have, in order."""
        ...


@runtime_checkable
class TargetMethod(Protocol):
    """A method that receives the target (the oracle dummies). It can run only on pairs with a target."""

    name: str
    revision: str

    def animate_target(self, source: Frame, target: Frames, *, seed: int) -> Frames:
        """Return as many frames as `target` has, RGB uint8, in its size."""
        ...


class Metric:
    """Turns a sample into rows, and the rows of many samples into a number. A subclass sets `name`, `higher_is_better` and
    `needs`, and defines `measure`; everything else has a default.

    `needs` names what a sample must hold: "target", "driving", "source", "motion" (the ground-truth motion of the target), or
    "reference" (the metric compares the whole set with the task's reference images).
    `aggregate` says what the printed number is:

    - "pairs": the mean over pairs of `value(rows)`.
    - "frames": the mean over frames: pairs are weighted by `weight(rows)`, their measured frames.
    - "events": an F1 of `counts(rows)` that are pooled over pairs: twice the matched events, by the events of both sides.
    - "proportion": a share of `counts(rows)` that are pooled over pairs: successes, by trials (the mean of 0/1 values).
    - "corpus": `corpus(rows, reference)` of all rows; only the whole set has a number, for example FID.

    `temporal` marks a metric that looks across frames: the order of frames matters to it.
    `bounds` are the lowest and highest value; a missing pair counts as the worst of the two.
    `weights` are names in the manifest of weights that it needs, `packages` maps a module to the package to install for it.
    `features` is the name (`inception@1`) under which the result of `extract_features` on dataset frames is stored once for
    all methods and tasks; `features_of` says which of {"source", "target", "driving"} it compares with.
    `calibrated` holds the domains whose faces its network was made for. `remark` is a sentence printed beside every value.
    `unranked(sources)` says why methods must not be ranked by it, `cautions(rows)` what its rows show about the value.
    `device` is where its network runs; `on(device)` gives a copy on another one.
    """

    name: str
    version: int = 1
    higher_is_better: bool
    needs: frozenset[Need] = frozenset()
    aggregate: Aggregate = "pairs"
    temporal: bool = False
    bounds: tuple[float, float] = (-math.inf, math.inf)
    weights: tuple[str, ...] = ()
    packages: Mapping[str, str] = MappingProxyType({})
    features: str = ""
    features_of: frozenset[Need] = frozenset()
    calibrated: frozenset[Domain] = frozenset(DOMAINS)
    remark: str = ""
    device: str = "cpu"

    def measure(self, sample: Sample) -> Rows:
        """Rows of the sample's frames, (rows, values) float32; NaN where a frame cannot be measured."""
        raise NotImplementedError(f"metric {self.name} defines no measure(sample)")

    def start(self) -> Any:
        """The state of measuring one clip in chunks, which `add` and `finish` receive; None where no state is needed."""
        return None

    def add(self, state: Any, chunk: Sample) -> Rows:
        """Rows of the next chunk of frames; chunks come in order. A `temporal` metric that does not define this, `start` and
        `finish` receives whole clips in `measure` (`toonbench.chunks.Measuring`), up to a size limit.
        """
        del state
        return self.measure(chunk)

    def finish(self, state: Any) -> Rows | None:
        """Rows that need the end of the clip, or None."""
        del state
        return None

    def extract_features(self, frames: Frames) -> Rows:
        """Features of (frames, height, width, 3) uint8 RGB, a row for each frame; NaN where there is no face."""
        raise NotImplementedError(f"metric {self.name} has no features")

    def value(self, rows: Rows) -> float:
        """The number of one pair: by default the mean of the first column over measured frames; NaN if there are none."""
        if self.aggregate in ("events", "proportion"):
            above, below = self.counts(rows)
            return above / below if below else math.nan
        import numpy as np

        first = rows[np.isfinite(rows[:, 0]), 0] if rows.size else rows.reshape(-1)
        return float(first.astype(np.float64).mean()) if first.size else math.nan

    def unranked(self, sources: AbstractSet[Domain]) -> str:
        """Why methods must not be ranked by it, for sources of these domains; an empty string if they may be."""
        del sources
        return ""

    def cautions(self, rows: Sequence[Rows]) -> Sequence[str]:
        """Sentences for the notes of a result, of all pairs that were measured: why pairs have no value, what seems to have failed."""
        del rows
        return ()

    def weight(self, rows: Rows) -> float:
        """The weight of a pair with `aggregate` "frames": its frames whose last value is finite."""
        import numpy as np

        return float(np.isfinite(rows[:, -1]).sum()) if rows.size else 0.0

    def counts(self, rows: Rows) -> tuple[float, float]:
        """The two counts of a pair whose pooled ratio is the number, with `aggregate` "events" or "proportion"."""
        raise NotImplementedError(f"metric {self.name} defines no counts(rows)")

    def corpus(self, rows: Sequence[Rows], reference: Sequence[Rows] = ()) -> float:
        """The number of a whole set of pairs, with `aggregate` "corpus"; NaN if nothing was measured."""
        raise NotImplementedError(f"metric {self.name} defines no corpus(rows, reference)")

    def leave_out(
        self, groups: Sequence[Sequence[Rows]], reference: Sequence[Rows] = ()
    ) -> tuple[float, Sequence[float]]:
        """`corpus` of all groups of rows, and of all groups but one, for each. Override it if one pass can compute both."""
        parts = [*range(len(groups))]
        without = [self.corpus([r for at in parts if at != out for r in groups[at]], reference) for out in parts]
        return self.corpus([r for group in groups for r in group], reference), without

    def reduce(self, rows: Sequence[Rows], reference: Sequence[Rows] = ()) -> float:
        """The printed number of many measured pairs, as defined by `aggregate`; NaN if nothing was measured."""
        if self.aggregate == "corpus":
            return float(self.corpus(rows, reference))
        if self.aggregate in ("events", "proportion"):
            counts = [self.counts(one) for one in rows]
            below = math.fsum(whole for _, whole in counts)
            return math.fsum(part for part, _ in counts) / below if below else math.nan
        found = [(self.value(one), self.weight(one) if self.aggregate == "frames" else 1.0) for one in rows]
        total = math.fsum(weight for value, weight in found if math.isfinite(value))
        return math.fsum(v * w for v, w in found if math.isfinite(v)) / total if total else math.nan

    def details(self, rows: Sequence[Rows], reference: Sequence[Rows] = ()) -> Mapping[str, float]:
        """Further numbers that are reported with the value (the floor of FID)."""
        del rows, reference
        return {}

    def on(self, device: str) -> Self:
        """This metric with its network on `device`."""
        if device == self.device:
            return self
        moved = copy.copy(self)
        moved.device = device
        return moved

    @classmethod
    def with_test_weights(cls) -> Self | None:
        """The metric with deterministic test weights, or None if it cannot run without its own weights."""
        return None if cls.weights else cls()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The reference images of corpus metrics (FID, KID), and how both sets are sampled; a field of the task.

    `images`: "sources", the source images of the pairs (the paper's "source distribution"), each once; or "domain", frames of
    every test clip of the source domain. `frames` of each clip, evenly spaced, 0 for all; for generated clips and clips of the domain.
    A reference image of another size is resized to the generated frames' size with Pillow's `resize` filter (antialiased), as the
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
    The first `skip` frames are generated and not measured: in relative motion the target of the first driving frame is
    the source itself, and measuring it would reward a method that does nothing.
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
    """A metric reduced over a task: the value, its 95 % interval, and the pairs and frames that were measured.

    In `value` a missing pair counts as the worst value of the metric; `measured` is the number of the measured pairs alone.
    `coverage` is the share of a pair's frames that could be measured, averaged over all pairs, failed ones as 0.
    `details` are further numbers of the metric, by name. `unranked` says why methods must not be ranked by it here, or is empty.
    """

    metric: str
    value: float
    low: float
    high: float
    measured: float
    measured_low: float
    measured_high: float
    pairs: int
    missing: int
    clusters: int
    coverage: float
    higher_is_better: bool
    notes: tuple[str, ...] = field(default=())
    details: Mapping[str, float] = field(default_factory=dict[str, float])
    unranked: str = ""


@dataclass(frozen=True, slots=True)
class GoldenCheck:
    """A golden case computed on this machine: its largest error and its tolerance, or why it was skipped."""

    case: str
    error: float
    tolerance: float
    skipped: str = ""

    @property
    def passed(self) -> bool:
        """Whether the error is within tolerance (NaN is not); a skipped case does not fail."""
        return bool(self.skipped) or self.error <= self.tolerance
