"""The driving frame from which relative motion starts: a given one, or the one whose face is posed most like the source's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from toonbench.types import Frame, Frames, ToonbenchError

if TYPE_CHECKING:
    from toonbench.networks.fan import LandmarkFinder

LANDMARKS = ("fan68", "s3fd")  # weights of the landmark network and of the face detector
SIZE = 256  # of the pictures that the landmarks are found in


class GivenFrame:
    """A frame chosen by its number."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._frames = 0

    def add(self, frames: Frames) -> None:
        """The next frames of the driving video."""
        self._frames += len(frames)

    def chosen(self) -> int:
        """The number; ToonbenchError if the clip is too short."""
        if self._number >= self._frames:
            raise ToonbenchError(
                f"best_frame is {self._number}, and the driving video has {self._frames} frames; give a smaller one"
            )
        return self._number


class PosedFrame:
    """The first frame with the smallest distance of its 68 landmarks, centred and of unit hull, to those of the source.

    Frames without a face are left out. Raises ToonbenchError if the source has none.
    """

    def __init__(self, finder: LandmarkFinder, source: Frame, *, device: str) -> None:
        self._finder = finder
        self._device = device
        self._source = self._shapes(source[None])[0]
        if self._source is None:
            raise ToonbenchError("no face is found in the source, so that no best frame exists; leave best_frame out")
        self._distances: list[float] = []

    def add(self, frames: Frames) -> None:
        """The next frames of the driving video."""
        shapes = self._shapes(frames)
        source = self._source
        self._distances += [
            float("inf") if one is None or source is None else float(np.square(one - source).sum()) for one in shapes
        ]

    def chosen(self) -> int:
        """The number of the frame; ToonbenchError if no driving frame shows a face."""
        if not np.isfinite(self._distances).any():
            raise ToonbenchError(
                "no face is found in the driving video, so that no best frame exists; leave best_frame out"
            )
        return int(np.argmin(self._distances))

    def _shapes(self, frames: Frames) -> list[NDArray[np.float64] | None]:
        from toonbench.networks.animation import resized

        pictures = np.stack([resized(frame, SIZE) for frame in frames])
        return [normalised(points) for points in self._finder.landmarks(pictures, self._device, flip=True)]


def normalised(points: NDArray[np.float32]) -> NDArray[np.float64] | None:
    """Landmarks (68, 2) around their mean, divided by the square root of their hull's area; None without a face."""
    from scipy.spatial import ConvexHull

    if not np.isfinite(points).all():
        return None
    centred = points.astype(np.float64) - points.mean(0, dtype=np.float64)
    return centred / np.sqrt(ConvexHull(centred).volume)


def check_option(option: int | str | None) -> None:
    """Raise ToonbenchError for an impossible option, or one whose weights are missing."""
    from toonbench import weights

    if option is None or (isinstance(option, int) and option >= 0):
        return
    if option != "find":
        raise ToonbenchError(f"best_frame is {option!r}; it must be 0 or more, or 'find'")
    if reason := weights.missing(LANDMARKS):
        raise ToonbenchError(f"best_frame 'find' needs landmarks: {reason}")


def best_frame(option: int | Literal["find"] | None, *, source: Frame, device: str) -> GivenFrame | PosedFrame:
    """The chooser for an option: a number, or "find", which needs the weights of FAN and S3FD."""
    if isinstance(option, int):
        return GivenFrame(option)
    from toonbench import weights
    from toonbench.networks import fan

    return PosedFrame(fan.from_files(weights.path("fan68"), weights.path("s3fd")), source, device=device)
