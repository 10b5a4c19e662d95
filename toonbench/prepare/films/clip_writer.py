"""Write several clips of one film at the same time, frame by frame: each is encoded in a thread of its own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from pathlib import Path

from toonbench import video
from toonbench.chunks import chunk_frames, in_chunks
from toonbench.types import Frame, ToonbenchError

WAITING = 16  # frames that wait for the encoder


class _Stopped(Exception):
    """The clip is not finished."""


class ClipWriter:
    """A lossless clip that receives its frames one by one. The memory is that of two chunks of frames.

    The file exists once `finish` returns; `stop` leaves none. Errors of the encoder are raised by `add` or `finish`.
    """

    def __init__(self, path: Path, *, fps: float, size: int) -> None:
        self._path, self._fps, self._size = path, fps, size
        self._frames: queue.Queue[Frame | _Stopped | None] = queue.Queue(WAITING)
        self._error: BaseException | None = None
        self._ended = self._finished = False
        self._thread = threading.Thread(target=self._encode, daemon=True)
        self._thread.start()

    def add(self, frame: Frame) -> None:
        """Add the next frame, (size, size, 3)."""
        self._put(frame)

    def end(self) -> None:
        """No further frame comes; the thread writes and verifies the clip meanwhile."""
        if not self._ended:
            self._put(None)
        self._ended = True

    @property
    def is_written(self) -> bool:
        """Whether the thread has ended: `finish` returns at once."""
        return not self._thread.is_alive()

    def finish(self) -> None:
        """Wait until the clip is written."""
        self.end()
        self._thread.join()
        self._raise()
        self._finished = True

    def stop(self) -> None:
        """End without a file, unless `finish` has returned."""
        if self._thread.is_alive():
            with self._frames.mutex:
                self._frames.queue.clear()
                self._frames.not_full.notify_all()
            self._frames.put(_Stopped())
        self._thread.join()
        if not self._finished and self._path.is_file():
            self._path.unlink()

    def _put(self, item: Frame | None) -> None:
        while True:
            self._raise()
            try:
                return self._frames.put(item, timeout=0.5)
            except queue.Full:
                continue

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _encode(self) -> None:
        try:
            chunks = in_chunks(self._received(), chunk_frames(self._size, self._size))
            video.write_lossless_chunks(self._path, chunks, fps=self._fps, codec="ffv1-fast")
        except _Stopped:
            pass
        except (ToonbenchError, OSError, ValueError, MemoryError) as error:
            self._error = error

    def _received(self) -> Iterator[Frame]:
        while (item := self._frames.get()) is not None:
            if isinstance(item, _Stopped):
                raise item
            yield item
