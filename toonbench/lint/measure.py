"""One video to one row, in chunks of frames."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toonbench.data import read_motion
from toonbench.lint import colours, motion, steering
from toonbench.lint.measured import CODECS, Measured
from toonbench.types import Frame, Frames, Pair, Rows
from toonbench.video.coding import coding

NAN = float("nan")
TIMED = 2048  # frames: small pictures of more would take more than 75 MB
_LOSSY = {"lossy": 1.0, "lossless": 0.0, "unknown": NAN}


def measure(
    pair: Pair,
    video_path: Path,
    *,
    generated: Frames,
    source: Frame,
    driving: Frames | None = None,
    target: Frames | None = None,
) -> Rows:
    """The linter's row of one pair's video: (1, len(COLUMNS)) float32, the columns of `Measured`; NaN where one cannot be measured.

    Frames are RGB uint8, whole clips from their first frame on, of any size and length: a video of the wrong one is measured as
    far as possible. The header of `video_path` is read again, its pixels are not. Deterministic; about 2 ms for a frame of 256 px.
    """
    linter = Linter(pair, video_path, source=source)
    linter.add(generated=generated, driving=driving, target=target)
    return linter.row()


class Linter:
    """The linter's row of one video whose frames arrive in chunks; it keeps histograms, small pictures and at most eight frames.

    Columns about time (shifts, frozen frames, pasted clips) are based on the first TIMED frames.
    """

    def __init__(self, pair: Pair, video_path: Path, *, source: Frame) -> None:
        self._pair, self._path, self._source = pair, video_path, source
        self._video, self._reference = np.zeros((3, 256)), np.zeros((3, 256))
        self._small: dict[str, list[motion.Small]] = {"generated": [], "driving": [], "target": []}
        self._frames = {"generated": 0, "driving": 0, "target": 0}
        self._size = (0, 0)
        self._sampled = steering.Sampled()
        self._equal = self._compared = 0

    def add(self, *, generated: Frames | None, driving: Frames | None, target: Frames | None) -> None:
        """The next frames of each clip, in step; None for a clip that has ended, or does not exist."""
        for name, frames in (("generated", generated), ("driving", driving), ("target", target)):
            if frames is None or not len(frames):
                continue
            left = TIMED - self._frames[name]
            if left > 0:
                self._small[name].append(motion.small(frames[:left]))
            self._frames[name] += len(frames)
        if generated is not None and len(generated):
            self._size = generated.shape[2], generated.shape[1]
            self._video += colours.counts(generated)
            self._sampled.add(generated)
        if target is not None and len(target):
            self._reference += colours.counts(target)
        if generated is not None and target is not None:
            self._compare(generated, target)

    def row(self) -> Rows:
        """(1, len(COLUMNS)) float32."""
        coded, pair = coding(self._path), self._pair
        if not self._frames["target"]:
            self._reference = colours.counts(self._source[None])
        video, reference = colours.shares(self._video), colours.shares(self._reference)
        floor, ceiling = colours.ends(video)
        reference_floor, reference_ceiling = colours.ends(reference)
        return Measured(
            lossy=_LOSSY[coded.loss],
            codec=float(CODECS.index(coded.codec) if coded.codec in CODECS else 0),
            fps=coded.fps or NAN,
            frames=self._frames["generated"],
            width=self._size[0],
            height=self._size[1],
            expected_fps=pair.driving.fps or NAN,
            expected_frames=pair.driving.frames or self._frames["driving"] or NAN,
            expected_width=self._source.shape[1],
            expected_height=self._source.shape[0],
            floor=floor,
            ceiling=ceiling,
            reference_floor=reference_floor,
            reference_ceiling=reference_ceiling,
            pile=colours.pile(video),
            copied=self._equal / self._compared if self._compared else NAN,
            steered=self._steered(),
            **colours.explained(video, reference),
            **self._in_time().columns(),
        ).row()

    def _compare(self, generated: Frames, target: Frames) -> None:
        """Count the frames equal to their target in every pixel.

        A target may be the source itself (the first one of relative motion is). A frame equal to it proves nothing.
        """
        for made, expected in zip(generated, target, strict=False):
            if not np.array_equal(expected, self._source):
                self._compared += 1
                self._equal += np.array_equal(made, expected)

    def _steered(self) -> float:
        """`steering.steered` of some frames; NaN without ground-truth motion, since no motion metric is measured there."""
        target = self._pair.target
        if target is None or target.motion is None:
            return NAN
        truth = read_motion(target.motion, fps=target.fps).rig
        at, frames = self._sampled.frames(before=len(truth))
        return steering.steered(frames, truth[at])

    def _in_time(self) -> _SmallClips:
        parts = {name: np.concatenate(kept) for name, kept in self._small.items() if kept}
        length = min(map(len, parts.values()))
        target = self._pair.target
        return _SmallClips(
            video=parts["generated"][:length],
            source=motion.small(self._source[None]),
            driving=parts["driving"][:length] if "driving" in parts else None,
            target=parts["target"][:length] if "target" in parts else None,
            driving_is_shown=self._pair.driving.id in (self._pair.source.id, "" if target is None else target.id),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _SmallClips:
    """Small pictures of everything, cut to one length."""

    video: motion.Small
    source: motion.Small  # of one frame
    driving: motion.Small | None
    target: motion.Small | None
    driving_is_shown: bool

    def columns(self) -> dict[str, float]:
        """The columns of `Measured` that are about time."""
        shift, by_energy = motion.shift(self.video, target=self.target, driving=self.driving)
        reference = self.target if self.target is not None else self.driving
        still, tail = (NAN, NAN) if reference is None else motion.stillness(self.video, reference)
        shown = self.source if self.target is None else self.target
        to_driving = NAN
        if self.driving is not None and not self.driving_is_shown:
            to_driving = motion.to_driving(self.video, self.driving, other=shown)
        return {
            **shift,
            "by_energy": float(by_energy),
            "to_source": motion.to_source(self.video, self.source, target=self.target, driving=self.driving),
            "to_driving": to_driving,
            "motion": still,
            "tail": tail,
            "flat": motion.flatness(self.video, shown),
        }
