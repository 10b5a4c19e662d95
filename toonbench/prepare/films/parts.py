"""Cut many parts of one film in one pass over its frames, each into a clip of its own."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from toonbench import video
from toonbench.prepare.choose import Square
from toonbench.prepare.face import cut_out
from toonbench.prepare.films.clip_writer import ClipWriter
from toonbench.types import Frame, ToonbenchError
from toonbench.video import LazyFrame

ENDING = 2  # clips that are written to their end while the film goes on
UNUSED: Frame = np.empty((0, 0, 3), np.uint8)  # a frame of the film that no part needs


class Meter(Protocol):
    """Something that looks at every frame of a clip."""

    def add(self, frame: Frame, at: int) -> None:
        """Look at the next frame of the clip, (size, size, 3) uint8 RGB, which is the frame `at` of the film."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Frames [first, last) of a film of `film_fps`, cut to squares, as a clip of `fps` with sides of `size` pixels in the file `path`.

    squares: one for all frames, or one for each.
    """

    name: str
    path: Path
    first: int
    last: int
    squares: Sequence[Square]
    size: int
    film_fps: float
    fps: float


@dataclass(frozen=True, slots=True)
class Resampling:
    """Frames at one rate to frames at another: each new frame is the one shown at its time, so frames repeat or are left out."""

    source: float
    target: float

    def times(self, at: int) -> int:
        """How often the frame `at` of the source is shown."""
        return self._before(at + 1) - self._before(at)

    def _before(self, at: int) -> int:
        """New frames whose time is before that of the frame `at`."""
        if self.source == self.target:
            return at
        return int(np.ceil(at * self.target / self.source - 1e-6))


@dataclass(slots=True)
class Cutting:
    """A part that is being cut. `frames` is the number of frames of the clip so far; meters see each of them."""

    part: Part
    meters: Sequence[Meter]
    writer: ClipWriter
    frames: int = 0
    _rate: Resampling = field(init=False)

    def __post_init__(self) -> None:
        self._rate = Resampling(self.part.film_fps, self.part.fps)

    def add(self, index: int, frame: Frame) -> None:
        """The frame `index` of the film."""
        part = self.part
        at = index - part.first
        cut = cut_out(frame, part.squares[at if len(part.squares) > 1 else 0], size=part.size)
        for _ in range(self._rate.times(at)):
            self.writer.add(cut)
            self.frames += 1
            for meter in self.meters:
                meter.add(cut, index)


@contextmanager
def needed_frames(film: Path, parts: Sequence[Part]) -> Generator[Iterator[Frame]]:
    """The frames of a film's file for `cut_parts`, decoded in a thread. Only those of a part are converted to RGB."""
    frames = video.read_ahead(_needed(video.iter_lazy_frames(film), parts))
    with closing(frames):
        yield frames


def _needed(frames: Iterable[LazyFrame], parts: Sequence[Part]) -> Iterator[Frame]:
    waiting = sorted(((part.first, part.last) for part in parts), reverse=True)
    last = 0  # of the parts that have begun
    for index, frame in enumerate(frames):
        while waiting and waiting[-1][0] <= index:
            last = max(last, waiting.pop()[1])
        yield frame.pixels if index < last else UNUSED


def cut_parts(
    frames: Iterable[Frame],
    parts: Sequence[Part],
    *,
    meters: Callable[[Part], Sequence[Meter]],
    done: Callable[[Cutting], None],
) -> None:
    """Cut all parts from the frames of a film, from its first frame on. `done` gets each part when its file is complete.

    Memory is that of the parts that overlap in time, and of ENDING more whose files are not complete yet. Raises ToonbenchError
    if the film ends before the last part.
    """
    waiting = sorted(parts, key=lambda part: (part.first, part.name))
    last = max((part.last for part in waiting), default=0)
    running, ending = list[Cutting](), list[Cutting]()
    with ExitStack() as stack:
        for index, frame in enumerate(frames):
            while waiting and waiting[0].first == index:
                part = waiting.pop(0)
                writer = ClipWriter(part.path, fps=part.fps, size=part.size)
                stack.callback(writer.stop)
                running.append(Cutting(part, meters(part), writer))
            for cutting in [*running]:
                cutting.add(index, frame)
                if cutting.part.last == index + 1:
                    running.remove(cutting)
                    cutting.writer.end()
                    ending.append(cutting)
            _complete(ending, done, most=ENDING)
            if index + 1 >= last:
                break
        _complete(ending, done, most=0)
    if waiting or running:
        raise ToonbenchError(f"the film ends before frame {last}, which {(waiting or [running[0].part])[0].name} needs")


def _complete(ending: list[Cutting], done: Callable[[Cutting], None], *, most: int) -> None:
    """Hand over the clips whose files are complete; wait for the first ones where more than `most` are not."""
    while ending and (len(ending) > most or ending[0].writer.is_written):
        cutting = ending.pop(0)
        cutting.writer.finish()
        done(cutting)
