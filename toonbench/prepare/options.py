"""How a plain folder is prepared."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal, get_args

from toonbench.prepare.choose import Crop
from toonbench.prepare.detectors import detector
from toonbench.types import ToonbenchError

Start = Literal["first", "best"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Options of the preparation; a change of any of them prepares every clip again.

    size: side of the prepared clips in pixels.
    crop: "face" cuts a square around the face, "none" takes square pictures as they are, "auto" decides by the size of the face.
    detector: a name from `detectors()`; the weights of "yunet" and "blazeface" are fetched by `toonbench weights fetch`.
    keep: use all frames of a clip, whatever they show.
    fps: the rate of folders of frames, and of files without one; 0 if it is not known.
    start: "first" begins a video with the first sound frame, "best" with the best reference of its first half: frontal, mouth closed,
        eyes open.
    max_frames: the first frames of a video that are used; None for all.
    """

    size: int = 256
    crop: Crop = "auto"
    detector: str = "mtcnn"
    keep: bool = False
    fps: float = 0.0
    start: Start = "first"
    max_frames: int | None = None

    def __post_init__(self) -> None:
        if self.crop not in get_args(Crop):
            raise ToonbenchError(f"crop is {self.crop!r}: choose {', '.join(get_args(Crop))}")
        if self.start not in get_args(Start):
            raise ToonbenchError(f"start is {self.start!r}: choose {' or '.join(get_args(Start))}")
        if not 0 <= self.fps <= 1000:
            raise ToonbenchError(f"fps is {self.fps}: give frames per second above 0, at most 1000")
        if self.size < 8:
            raise ToonbenchError(f"size is {self.size}: give 8 or more pixels")
        detector(self.detector)

    @property
    def key(self) -> str:
        """A text that names these options."""
        return repr(sorted(asdict(self).items()))
