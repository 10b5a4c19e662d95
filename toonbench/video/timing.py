"""The rate and the length of a video, by its header and its timestamps."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from av import Packet, VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

HIGHEST_RATE = 240.0  # frames per second; a header with more states its timer
UNEVEN = 0.5  # a gap that differs from the usual one by more than this share of it
FEW = 0.02  # share of gaps that may differ


@dataclass(frozen=True, slots=True)
class Timing:
    """The rate in frames per second, 0 if it is not known, and the number of gaps between frames that are not the usual one."""

    fps: float
    uneven: int = 0


def timing_of(times: Sequence[float], *, stated: float) -> Timing:
    """The timing of frames at these seconds, sorted.

    The stated rate holds where the usual gap agrees with it within 2 %; otherwise the mean rate from the first frame
    to the last one, without a longer last frame.
    """
    gaps = np.diff(np.asarray(times, np.float64))
    if not len(gaps) or times[-1] <= times[0]:
        return Timing(stated if stated <= HIGHEST_RATE else 0.0)
    usual = float(np.median(gaps))
    uneven = int((abs(gaps - usual) > UNEVEN * usual).sum())
    mean = len(gaps) / (times[-1] - times[0])
    agrees = 0 < stated <= HIGHEST_RATE and abs(stated * usual - 1) < 0.02
    return Timing(stated if agrees and uneven <= FEW * len(gaps) else mean, uneven)


def read_timing(container: InputContainer, stream: VideoStream) -> Timing:
    """The timing of an open container by the timestamps of its packets; nothing is decoded, but the whole file is read."""
    stated = float(stream.average_rate or 0)
    unit = float(stream.time_base or 0)
    packets = (packet for packet in container.demux(stream) if packet.size and not packet.is_discard)
    times = sorted(packet.pts * unit for packet in packets if packet.pts is not None)
    found = timing_of(times, stated=stated)
    guessed = float(stream.guessed_rate or 0)
    return found if found.fps or not 0 < guessed <= HIGHEST_RATE else Timing(guessed, found.uneven)


class Ends:
    """Compares the decoded frames and seconds with those that the header states."""

    def __init__(self, stream: VideoStream, container: InputContainer) -> None:
        self._packets = self._discarded = 0
        self._stated = stream.frames
        self._seconds = stated_seconds(stream, container)
        self._unit = float(stream.time_base or 0)
        self.count = 0  # decoded frames
        self._first: float | None = None
        self._last = 0.0
        self._gap = float(1 / stream.average_rate) if stream.average_rate else 0.0
        self._end = 0.0  # of the packet that is shown last, by its own duration

    def add_packet(self, packet: Packet[VideoStream]) -> None:
        """Count a packet."""
        self._packets += packet.size > 0
        self._discarded += packet.is_discard
        if packet.pts is not None and packet.duration:
            self._end = max(self._end, (packet.pts + packet.duration) * self._unit)

    def add(self, frame: VideoFrame) -> None:
        """Count a decoded frame."""
        self.count += 1
        if frame.pts is None:
            return
        if self._first is None:
            self._first = frame.time
        else:
            self._gap = max(self._gap, frame.time - self._last)
        self._last = frame.time

    def missing(self) -> str:
        """Why the file is too short, or an empty string. Frames hidden by an edit list do not count as missing."""
        if self._packets == self._stated and self.count + self._discarded < self._stated:
            return f"{self.count} frames of {self._stated}"
        span = max(self._last, self._last - (self._first or 0.0))
        held = (
            self._packets >= self._stated and self._end + self._gap >= self._seconds
        )  # the last frame is shown longer
        if self._first is not None and not held and span + 1.75 * self._gap < self._seconds:
            return f"ends at {span:.2f} of {self._seconds:.2f} seconds"
        return ""


def stated_seconds(stream: VideoStream, container: InputContainer) -> float:
    """Length of the video stream in seconds by its header, 0 if it is not stated."""
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    with suppress(KeyError, ValueError):
        hours, minutes, seconds = stream.metadata["DURATION"].split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    alone = len(container.streams.get()) == 1
    return container.duration / 1e6 if alone and container.duration else 0.0
