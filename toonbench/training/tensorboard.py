"""A run's log and sample pictures as TensorBoard event files, which are made from the files in the run's folder."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from toonbench.training.grids import SAMPLES
from toonbench.training.log import LOG, TIMING
from toonbench.types import ToonbenchError
from toonbench.video import read_image

EVENTS = "tensorboard"
SECONDS = 20.0  # between two readings of the log


Progress = Callable[[int, int], None]  # finished steps, all steps


@contextmanager
def mirrored(folder: Path) -> Generator[Callable[[Progress], Progress]]:
    """Event files of the run in `folder` while the block runs.

    After the first step, those of an earlier call are replaced, as the log holds the whole run.
    The block receives a function that makes a progress function also update the event files, after a step. Raises ToonbenchError where
    the package that writes them is missing.
    """
    mirror = _Mirror(folder, _writer_class())
    try:
        yield mirror.watching
    finally:
        mirror.close()


def unchanged(on_progress: Progress) -> Progress:
    """The progress function without event files."""
    return on_progress


class _Mirror:
    def __init__(self, folder: Path, writer_class: Any) -> None:
        self._folder = folder
        self._writer_class = writer_class
        self._writer: Any = None
        self._read: dict[str, int] = {LOG: 0, TIMING: 0}
        self._pictures: set[str] = set()
        self._next = 0.0

    def watching(self, on_progress: Progress) -> Progress:
        """`on_progress` that also updates the event files, from the first step on, when the log is that of this run."""

        def progress(done: int, total: int) -> None:
            on_progress(done, total)
            if time.monotonic() >= self._next:
                self.update()

        return progress

    def update(self) -> None:
        """Add what the run has written since the last call."""
        if self._writer is None:
            for path in (self._folder / EVENTS).glob("events.out.tfevents.*"):
                path.unlink()
            self._writer = self._writer_class(str(self._folder / EVENTS))
        for name in self._read:
            self._lines(name)
        for path in sorted((self._folder / SAMPLES).glob("*.png")):
            if path.name not in self._pictures and path.stem.isdecimal():
                self._pictures.add(path.name)
                self._writer.add_image(SAMPLES, read_image(path), int(path.stem), dataformats="HWC")
        self._writer.flush()
        self._next = time.monotonic() + SECONDS

    def close(self) -> None:
        """Add what is new, and close the files."""
        if self._writer is not None:
            self.update()
            self._writer.close()

    def _lines(self, name: str) -> None:
        path = self._folder / name
        if not path.is_file():
            return
        with path.open("rb") as file:
            file.seek(self._read[name])
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._read[name] += len(line)
                numbers: dict[str, float] = json.loads(line)
                for key, value in numbers.items():
                    if key not in ("step", "stage"):
                        self._writer.add_scalar(key, value, int(numbers["step"]))


def _writer_class() -> Any:
    """Raises ToonbenchError where the package is missing."""
    try:
        from tensorboardX import SummaryWriter
    except ImportError as error:
        raise ToonbenchError(
            "--tensorboard needs the package tensorboardX: run `pip install 'toonbench[tensorboard]'`"
        ) from error
    return SummaryWriter
