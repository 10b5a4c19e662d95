"""One video to one row, in chunks of frames."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toonbench.data import read_motion
from toonbench.lint import colours, geometry, motion, order, steering
from toonbench.lint.measured import CODECS, Measured
from toonbench.lint.panels import panels
from toonbench.lint.prints import START, Print
from toonbench.types import Frame, Frames, Pair, Rows
from toonbench.video.coding import coding

NAN = float("nan")
COMPARED = 8  # frames whose pictures are compared in space
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
        self._content, self._start, self._driving_start = Print(), Print(most=START), Print(most=START)
        self._last: tuple[int, Frames] = (0, np.empty((0, 1, 1, 3), np.uint8))  # its number, and (1, height, width, 3)
        self._equal = self._compared = 0

    def add(self, *, generated: Frames | None, driving: Frames | None, target: Frames | None) -> None:
        """The next frames of each clip, in step; None for a clip that has ended, or does not exist."""
        for name, frames in (("generated", generated), ("driving", driving), ("target", target)):
            if frames is None or not len(frames):
                continue
            left = TIMED - self._frames[name]
            if left > 0:
                self._small[name].append(motion.small(frames[:left]))
                self._printed(name, self._small[name][-1])
            self._frames[name] += len(frames)
        if generated is not None and len(generated):
            self._size = generated.shape[2], generated.shape[1]
            start = self._frames["generated"] - len(generated)
            if start < TIMED:
                at = min(len(generated), TIMED - start) - 1
                self._last = start + at, generated[at : at + 1].copy()
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
            paired=colours.paired(video),
            skipped=colours.skipped(video),
            copied=self._equal / self._compared if self._compared else NAN,
            steered=self._steered(),
            **colours.explained(video, reference),
            **self._prints(),
            **self._small_clips().columns(),
        ).row()

    def _printed(self, name: str, pictures: motion.Small) -> None:
        """Add pictures to the prints."""
        if name == "generated":
            self._content.add(pictures)
            self._start.add(pictures)
        elif name == "driving":
            self._driving_start.add(pictures)

    def _prints(self) -> dict[str, float]:
        """The columns of `Measured` that identify content."""
        source = Print()
        source.add(motion.small(self._source[None]))
        content, start = self._content.numbers(), self._start.numbers()
        return {
            "content_1": content[0],
            "content_2": content[1],
            "start_1": start[0],
            "start_2": start[1],
            "source_print": source.numbers()[0],
            "driving_print": self._driving_start.numbers()[0] if self._frames["driving"] else NAN,
        }

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

    def _small_clips(self) -> _SmallClips:
        parts = {name: np.concatenate(kept) for name, kept in self._small.items() if kept}
        length = min(map(len, parts.values()))
        target = self._pair.target
        return _SmallClips(
            video=parts["generated"][:length],
            source=motion.small(self._source[None]),
            driving=parts["driving"][:length] if "driving" in parts else None,
            target=parts["target"][:length] if "target" in parts else None,
            driving_is_shown=self._pair.driving.id in (self._pair.source.id, "" if target is None else target.id),
            driving_is_target=self._pair.driving.id == self._pair.source.id,
            count=max(self._frames["generated"], self._frames["driving"]),
            last=self._last,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _SmallClips:
    """Small pictures of everything, cut to one length."""

    video: motion.Small
    source: motion.Small  # of one frame
    driving: motion.Small | None
    target: motion.Small | None
    driving_is_shown: bool
    driving_is_target: bool
    count: int  # frames of the whole clip
    last: tuple[int, Frames]  # the last of these frames of the video in its own size, and its number

    def columns(self) -> dict[str, float]:
        """The columns of `Measured` that are about time and space."""
        reference = self.target if self.target is not None else self.driving
        shown = self.source if self.target is None else self.target
        at, frame = self.last
        driving = None if self.driving is None else self.driving[min(at, len(self.driving) - 1)][None]
        strip, result = panels(frame, source=self.source, driving=driving)
        return {
            **self._in_time(reference),
            **self._in_space(),
            "to_source": motion.to_source(self.video, self.source, target=self.target, driving=self.driving),
            "to_driving": self._to_driving(shown),
            "flat": motion.flatness(self.video, shown),
            "panels": strip,
            "panel": result,
        }

    def _in_time(self, reference: motion.Small | None) -> dict[str, float]:
        shift, by_energy = motion.shift(self.video, target=self.target, driving=self.driving)
        still, tail = (NAN, NAN) if reference is None else motion.stillness(self.video, reference)
        repeated, repeats = (NAN, NAN) if reference is None else order.repeated(self.video, reference)
        target = self.driving if self.target is None and self.driving_is_target else self.target
        return {
            **shift,
            **order.disordered(self.video, target=target, driving=self.driving, count=self.count),
            "by_energy": float(by_energy),
            "motion": still,
            "tail": tail,
            "repeated": repeated,
            "repeats": repeats,
        }

    def _in_space(self) -> dict[str, float]:
        """Compared with the target in some frames, or the first frame with the source."""
        target = self.driving if self.target is None and self.driving_is_target else self.target
        if target is None:
            video, reference = self.video[:1], self.source
        else:
            at = np.unique(np.linspace(0, len(self.video) - 1, COMPARED).round().astype(int))
            video, reference = self.video[at], target[at]
        part = geometry.crop(video, reference)
        return {
            **colours.mixed(video, reference),
            **geometry.turned(video, reference),
            "crop_scale": part.scale,
            "crop_x": part.x,
            "crop_y": part.y,
            "crop_fit": part.fit,
            "crop_gain": part.gain,
            "by_source": float(target is None),
        }

    def _to_driving(self, shown: motion.Small) -> float:
        if self.driving is None or self.driving_is_shown:
            return NAN
        return motion.to_driving(self.video, self.driving, other=shown)
