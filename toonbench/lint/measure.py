"""One video to one row."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toonbench.lint import colours, motion
from toonbench.lint.measured import CODECS, Measured
from toonbench.types import Frame, Frames, Pair, Rows
from toonbench.video.coding import coding

NAN = float("nan")
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
    """What can be told of one pair's video: (1, len(COLUMNS)) float32, the columns of `Measured`; NaN where it cannot.

    Frames are RGB uint8, whole clips from their first frame on, of any size and length: a video of the wrong one is measured as
    far as it goes. The header of `video_path` is read again, its pixels are not. Deterministic; about 2 ms a frame of 256 px.
    """
    coded = coding(video_path)
    video = colours.histograms(generated)
    reference = colours.histograms(source[None] if target is None else target)
    floor, ceiling = colours.ends(video)
    reference_floor, reference_ceiling = colours.ends(reference)
    return Measured(
        lossy=_LOSSY[coded.loss],
        codec=float(CODECS.index(coded.codec) if coded.codec in CODECS else 0),
        fps=coded.fps or NAN,
        frames=len(generated),
        width=generated.shape[2],
        height=generated.shape[1],
        expected_fps=pair.driving.fps or NAN,
        expected_frames=pair.driving.frames or (NAN if driving is None else len(driving)),
        expected_width=source.shape[1],
        expected_height=source.shape[0],
        floor=floor,
        ceiling=ceiling,
        reference_floor=reference_floor,
        reference_ceiling=reference_ceiling,
        pile=colours.pile(video),
        copied=NAN if target is None else _copied(generated, target, source=source),
        **colours.explained(video, reference),
        **_small(pair, generated, source, driving=driving, target=target).columns(),
    ).row()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Small:
    """Small pictures of everything, cut to one length."""

    video: motion.Small
    source: motion.Small  # of one frame
    driver: motion.Small | None
    target: motion.Small | None
    driver_is_answer: bool

    def columns(self) -> dict[str, float]:
        """The columns of `Measured` that are about time."""
        shift, by_energy = motion.shift(self.video, target=self.target, driver=self.driver)
        reference = self.target if self.target is not None else self.driver
        still, tail = (NAN, NAN) if reference is None else motion.stillness(self.video, reference)
        shown = self.source if self.target is None else self.target
        to_driver = NAN
        if self.driver is not None and not self.driver_is_answer:
            to_driver = motion.to_driver(self.video, self.driver, other=shown)
        return {
            **shift,
            "by_energy": float(by_energy),
            "to_source": motion.to_source(self.video, self.source, target=self.target, driver=self.driver),
            "to_driver": to_driver,
            "motion": still,
            "tail": tail,
            "flat": motion.flatness(self.video, shown),
        }


def _copied(generated: Frames, target: Frames, *, source: Frame) -> float:
    """The share of frames equal to their target in every pixel; NaN where no target differs from the source.

    A target may be the source itself (the first one of relative motion is). A frame equal to it proves nothing.
    """
    pairs = [
        (made, wanted) for made, wanted in zip(generated, target, strict=False) if not np.array_equal(wanted, source)
    ]
    return float(np.mean([np.array_equal(made, wanted) for made, wanted in pairs])) if pairs else NAN


def _small(pair: Pair, generated: Frames, source: Frame, *, driving: Frames | None, target: Frames | None) -> _Small:
    length = min(len(frames) for frames in (generated, driving, target) if frames is not None)
    return _Small(
        video=motion.small(generated[:length]),
        source=motion.small(source[None]),
        driver=None if driving is None else motion.small(driving[:length]),
        target=None if target is None else motion.small(target[:length]),
        driver_is_answer=pair.driving.id in (pair.source.id, "" if pair.target is None else pair.target.id),
    )
