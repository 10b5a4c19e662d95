"""Random access to the frames of a video, for training."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from toonbench.types import Frame, Frames, ToonbenchError
from toonbench.video.convert import Converter
from toonbench.video.read import opened, read_video, video_stream

if TYPE_CHECKING:
    from av.container import InputContainer


class _Interlaced(Exception):
    """A frame is interlaced."""


class FrameReader:
    """Random access to the frames of one video: by decord if it is installed and gives the same pixels, otherwise by PyAV.

    decord is not used for files that it decodes differently (rotated, 10-bit, non-square pixels, AV1, GIF ...).
    Damage is detected only in the frames that are read, so read a file of unknown origin with `read_video` once.
    """

    def __init__(self, path: Path, *, decord: bool = True) -> None:
        self.path = path
        with opened(path) as container:
            times, self._keys = ([], []) if container is None else _timestamps(container, path)
        self._times = times if times and len(set(times)) == len(times) else None
        self._frames: Frames | None = None
        if self._times is None:  # images, and files without timestamps: decode once and keep the frames
            self._frames = read_video(path).frames
        self._decord: Any = None
        first = self._by_seeking([0])[0]
        if decord and (self._frames is None or self._times is None):
            self._decord = _decord_reader(path, first=first, count=len(self))

    def __len__(self) -> int:
        return len(self._frames) if self._frames is not None else len(self._times or ())

    @property
    def backend(self) -> str:
        """`decord` or `pyav`."""
        return "pyav" if self._decord is None else "decord"

    def get(self, indices: Sequence[int]) -> Frames:
        """The frames at `indices` (any order, repeats allowed), (t, h, w, 3) uint8 RGB."""
        for index in indices:
            if not 0 <= index < len(self):
                raise ToonbenchError(
                    f"{self.path}: frame {index} does not exist; the file has frames 0 to {len(self) - 1}"
                )
        if self._decord is not None:
            frames = self._decord.get_batch(list(indices)).asnumpy()
            self._decord.seek(0)  # otherwise its thread continues to decode and fills the memory
            return frames
        return self._by_seeking(indices)

    def _by_seeking(self, indices: Sequence[int]) -> Frames:
        if self._frames is not None or self._times is None:
            return cast("Frames", self._frames)[list(indices)]
        times, found = self._times, dict[int, Frame]()
        try:
            self._collect([times[index] for index in sorted(set(indices))], found)
        except _Interlaced:  # such a frame depends on its neighbours: decode all once and keep them
            self._frames, self._decord = read_video(self.path).frames, None
            return self._frames[list(indices)]
        return np.stack([found[times[index]] for index in indices])

    def _collect(self, times: list[int], found: dict[int, Frame]) -> None:
        with opened(self.path) as container:
            if container is not None:
                self._collect_from(container, times, found)

    def _collect_from(self, container: InputContainer, times: list[int], found: dict[int, Frame]) -> None:
        stream = video_stream(container, self.path)
        convert = Converter(stream, self.path)
        position = None  # the key frame at which decoding starts
        frames = container.decode(stream)
        for time in times:
            if time in found:
                continue
            key = max(bisect_right(self._keys, time) - 1, 0)
            if position is None or key > position:
                container.seek(self._keys[key], stream=stream)
                frames, position = container.decode(stream), key
            for frame in frames:
                if frame.interlaced_frame:
                    raise _Interlaced
                if frame.pts == time:
                    found[time] = convert(frame)
                    break
            else:
                raise ToonbenchError(f"{self.path}: a frame cannot be decoded; fetch or export the file again")


def _timestamps(container: InputContainer, path: Path) -> tuple[list[int], list[int]]:
    """Presentation times of all frames and of the key frames, sorted; empty if the file does not state all of them."""
    times, keys = list[int](), list[int]()
    for packet in container.demux(video_stream(container, path)):
        if packet.size == 0 or packet.is_discard:
            continue
        if packet.pts is None:
            return [], []
        times.append(packet.pts)
        if packet.is_keyframe:
            keys.append(packet.pts)
    return (sorted(times), sorted(keys)) if keys else ([], [])


def _decord_reader(path: Path, *, first: Frame, count: int) -> Any:
    """A decord reader, or None if decord is missing or gives other frames than PyAV."""
    if find_spec("decord") is None:
        return None
    decord: Any = import_module("decord")

    try:
        reader: Any = decord.VideoReader(str(path), ctx=decord.cpu(0), num_threads=1)
        # A container that claims more frames than it has would make decord hang.
        if len(reader) != count or not np.array_equal(reader[0].asnumpy(), first):
            return None
    except (RuntimeError, decord.DECORDError):
        return None
    return reader
