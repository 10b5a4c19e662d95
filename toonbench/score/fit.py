"""How a video that differs from its pair in size or rate can be read nevertheless: pure functions of what its header states."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from toonbench.score.reading import Rate, Reading, Size, panel_size
from toonbench.video.coding import Loss

Region = Literal["auto", "face", "picture"]
PIXELS_OFF = 2  # a tool may round the sides of a picture to even numbers
DIFFERENT = 1e-3  # of two rates


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """The user's options: a template of names, the k-th of n panels, and what the videos show."""

    names: str | None = None
    panel: tuple[int, int] = (1, 1)
    region: Region = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What a video states; `problem` says why it cannot be read. `frames` and `fps` are 0 if they are not stated."""

    size: Size = (0, 0)
    frames: int = 0
    fps: float = 0.0
    loss: Loss = "unknown"
    palette: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a pair's video should be: the source's size, the driving video's length and rate, and the source's own crop."""

    size: Size
    frames: int = 0
    fps: float = 0.0
    picture: Size = (0, 0)
    box: tuple[int, int, int] = (0, 0, 0)


def expected_numbers(text: str, count: int) -> tuple[int, ...]:
    """Whole numbers separated by commas; zeros if the text is empty or has another form."""
    parts = text.split(",")
    if len(parts) != count or not all(part.strip().lstrip("-").isdecimal() for part in parts):
        return (0,) * count
    return tuple(int(part) for part in parts)


def can_show_face(probe: Probe, expected: Expected, panel: tuple[int, int]) -> bool:
    """Whether the video has the source's size, or is larger in the same proportions."""
    return _same_shape(panel_size(probe.size, panel), expected.size, slack=1)


def can_show_picture(probe: Probe, expected: Expected, panel: tuple[int, int]) -> bool:
    """Whether the video has the proportions of the picture that the source was cut from."""
    width, height = expected.picture
    side = expected.box[2]
    whole = expected.box == (0, 0, width) and width == height
    size = panel_size(probe.size, panel)
    return bool(side) and not whole and min(size) > 0 and _proportional(size, expected.picture, slack=PIXELS_OFF)


def by_time(probe: Probe, expected: Expected) -> Rate | None:
    """How frames are matched if only the rates differ: the lengths agree in seconds, and one by one they do not."""
    if not (probe.fps and expected.fps and probe.frames and expected.frames) or probe.frames == expected.frames:
        return None
    frames = expected.frames * probe.fps / expected.fps
    if abs(frames - expected.frames) < 1 or abs(probe.frames - frames) > 1:
        return None
    return Rate(probe.fps, expected.fps, expected.frames)


def rates_differ(probe: Probe, expected: Expected) -> bool:
    """Whether both rates are known and differ."""
    return bool(probe.fps and expected.fps) and abs(probe.fps / expected.fps - 1) > DIFFERENT


def fits(probe: Probe, expected: Expected, how: How) -> bool:
    """Whether the video can be scored, as far as its header states."""
    if probe.problem:
        return False
    face = how.region != "picture" and can_show_face(probe, expected, how.panel)
    picture = how.region != "face" and can_show_picture(probe, expected, how.panel)
    length = not probe.frames or probe.frames == expected.frames or by_time(probe, expected) is not None
    return (face or picture) and length


def reading_for(
    path: Path, pictures: tuple[str, ...], *, probe: Probe, expected: Expected, how: How, region: Region
) -> Reading:
    """How the video is read. One that fits in no way is read unchanged, so that scoring reports its size or length."""
    size = panel_size(probe.size, how.panel)
    face, picture = can_show_face(probe, expected, how.panel), can_show_picture(probe, expected, how.panel)
    whole = picture and (region == "picture" or (region == "auto" and not face))
    square = _scaled(expected, size) if whole else None
    return Reading(
        path=path,
        pictures=pictures,
        panel=how.panel,
        square=square,
        size=expected.size if whole or (face and size != expected.size) else None,
        rate=by_time(probe, expected),
    )


def _scaled(expected: Expected, size: Size) -> tuple[int, int, int]:
    """The square of the source in a picture of another size."""
    scale = size[0] / expected.picture[0]
    left, top, side = (round(one * scale) for one in expected.box)
    return left, top, max(1, side)


def _same_shape(size: Size, expected: Size, *, slack: float) -> bool:
    return size == expected or (
        min(size) > 0
        and size[0] >= expected[0]
        and size[1] >= expected[1]
        and _proportional(size, expected, slack=slack)
    )


def _proportional(size: Size, other: Size, *, slack: float) -> bool:
    """Whether both have the same proportions, to `slack` pixels of the larger one."""
    if not (min(size) and min(other)):
        return False
    scale = size[0] / other[0]
    return abs(other[1] * scale - size[1]) <= slack * max(1.0, scale)
