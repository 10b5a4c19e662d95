"""Which generated frames show the driving video's face instead of the character's, for the motion metrics.

The driving video itself has perfect motion and the wrong face. A landmark network does not see whose face it reads, so
this module compares each frame with the driving frame, the target and the source: coarse colours (who is in the picture),
and fine detail in the face (whose edges are read). Every frame is judged alone.

Detail is what a band of spatial frequencies holds in windows around the inner face, the eyes and the mouth,
as the landmark network found them. Each picture is registered to each window (any place, size, and affine map; for eyes and
mouth the mirrored driving frame, too), so that a face that was moved is recognised. A frame is refused if the driving frame
explains a window much better than target and source do, also blurred: `explains` is the logarithm of the ratio of what they
leave unexplained.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toonbench.compiled import compile_loops
from toonbench.types import Frame, Frames, Sample

Picture = NDArray[np.float32]  # (SIDE, SIDE)
Pictures = NDArray[np.float32]  # (frames, SIDE, SIDE)
Points = NDArray[np.float32]  # (frames, points, 2), x and y
Values = NDArray[np.float64]  # (bands,)
Indices = NDArray[np.intp]
Window = NDArray[np.int64]  # top, bottom, left, right

SIDE = 64  # pixels a side of the pictures compared
_SMALL = 32  # the same where a window's place is searched
_BANDS = ((0.5, 2.0), (0.0, 1.0), (1.0, 2.5))  # pixels: sigmas of two Gaussian blurs, whose difference is the band
_FINE = 1  # of _BANDS
_SEARCHED, _PLACE = 0, 2  # of _BANDS: where a window is searched, and where it is registered first
_BLURS = (0.0, 1.25, 2.5)  # pixels: target and source are compared as they are and blurred
_SIZES = (0.6, 0.71, 0.84, 1.0, 1.19, 1.41, 1.65)  # of a driving face against the generated one
_OWN_SIZES = (0.88, 1.0, 1.14)  # the same for target and source
_STEPS = 5  # of a registration, in each of two bands
_PROMISING = 0.25  # correlation of a place found, below which it is not registered
_LEAST = 0.4  # the same after registration, below which a window is not suspicious
_LEAST_GAIN = 0.35  # of the driving frame's fine detail in the generated frame
_LEAST_CONTRAST = 0.5  # of fine detail in the place found, against the whole driving frame
_SURE = 0.85  # correlation in each band with target or source, as they are, above which a window is theirs
_ALIKE = 0.995  # correlations above count as this
LIMITS = {"inner": (0.18, 0.2), "eyes": (0.35, 0.35), "mouth": (0.3, 0.35)}
"""Of `explains`, above which a frame is refused: the mean over the bands; the finest band, where the mean is above 0."""
_MIRRORED = ("eyes", "mouth")  # windows that a mirrored driving frame moves as well as the driving frame
_WITHOUT_TARGET = 2.5  # times the limits: only a target has the expressions of the driving face


def shows_driving(sample: Sample, landmarks: Points) -> NDArray[np.bool_]:
    """(frames,) whether a generated frame shows the driving video's face instead of the character's.

    `landmarks` are those found in the generated frames, (frames, points, 2) pixels, NaN where there is no face. Without a
    target the comparison is with the source alone: limits are wider, and colours must be the driving video's in the face, too,
    since the background of an output may be any. No frame is refused where the driving frame is
    the target itself (same identity), and none without a driving video.
    """
    generated, driving = sample.generated, sample.driving
    reference = sample.target
    if reference is None and sample.source is not None:
        reference = np.broadcast_to(sample.source, generated.shape)
    if driving is None or reference is None:
        return np.zeros(len(generated), bool)
    apart = np.array([_differ(one, other) for one, other in zip(driving, reference, strict=True)], bool)
    refused = apart & _coarsely(generated, driving, reference)
    if sample.target is None:
        for at in np.flatnonzero(refused & np.isfinite(landmarks).all(axis=(1, 2))):
            box = _face_box(landmarks[at], generated[at])
            refused[at] = _coarsely(*(frames[at : at + 1] for frames in (generated, driving, reference)), box=box)[0]
    rest = np.flatnonzero(apart & ~refused & np.isfinite(landmarks).all(axis=(1, 2)))
    if rest.size:
        refused[rest] = _in_detail(sample, driving, rest, points=landmarks[rest])
    return refused


def _differ(one: Frame, other: Frame) -> bool:
    """Whether two frames differ in any pixel; few pixels usually show it."""
    few = (slice(None, None, 16), slice(None, None, 16))
    return not (np.array_equal(one[few], other[few]) and np.array_equal(one, other))


Box = tuple[float, float, float, float]  # left, top, right, bottom, parts of a frame's width and height
_WHOLE: Box = (0, 0, 1, 1)


def _coarsely(generated: Frames, driving: Frames, reference: Frames, *, box: Box = _WHOLE) -> NDArray[np.bool_]:
    """Whether frames, or one box of them, of 16 x 16 pixels are nearer to the driving frames than to the reference ones."""
    made, other, own = (_thumbnails(frames, box) for frames in (generated, driving, reference))
    return np.abs(made - other).mean(axis=(1, 2, 3)) < np.abs(made - own).mean(axis=(1, 2, 3))


def _face_box(points: NDArray[np.float32], frame: Frame) -> Box:
    """The box of a face's landmarks within its frame, a pixel or more a side."""
    size = np.array(frame.shape[1::-1], np.float64)
    low = np.clip(np.floor(points[:68].min(axis=0)), 0, size - 1)
    high = np.clip(np.ceil(points[:68].max(axis=0)), low + 1, size)
    left, top, right, bottom = np.concatenate([low / size, high / size]).tolist()
    return left, top, right, bottom


def _thumbnails(frames: Frames, box: Box) -> NDArray[np.float32]:
    """One box of frames of any size as (frames, 16, 16, 3)."""
    from PIL import Image

    height, width = frames.shape[1:3]
    part = (box[0] * width, box[1] * height, box[2] * width, box[3] * height)
    small = [Image.fromarray(frame).resize((16, 16), Image.Resampling.BOX, box=part) for frame in frames]
    return np.stack([np.asarray(picture, np.float32) for picture in small])


@dataclass(frozen=True, slots=True, kw_only=True)
class _View:
    """One frame: its bands, (SIDE, SIDE) each, and the band that places are searched in, in several sizes."""

    bands: tuple[Picture, ...]
    sized: tuple[Picture, ...]
    blurred: Callable[[], tuple[Picture, ...]] = tuple  # the bands of the frame blurred by each of _BLURS


def _in_detail(sample: Sample, driving: Frames, frames: Indices, *, points: Points) -> NDArray[np.bool_]:
    """Whether windows of the face show the driving frame's detail, for the frames listed."""
    scale, corner = _square(sample.generated)
    made = _views(_grey(sample.generated[frames]), sizes=(1.0,))
    owns = [] if sample.target is None else [_views(_grey(sample.target[frames]), sizes=_OWN_SIZES)]
    if sample.source is not None:
        owns.append(_views(_grey(sample.source[None]), sizes=_OWN_SIZES) * len(frames))
    cases = [
        _Case(made=view, own=own, windows=_unexplained(view, own, windows((points[i] + corner) * scale)))
        for i, (view, own) in enumerate(zip(made, zip(*owns, strict=True), strict=True))
    ]
    factor = _WITHOUT_TARGET if sample.target is None else 1.0
    refused = np.zeros(len(frames), bool)
    open_cases = [i for i, case in enumerate(cases) if case.windows]
    if open_cases:
        others = _views(_grey(driving[frames[open_cases]]), sizes=_SIZES)
        for i, other in zip(open_cases, others, strict=True):
            tries = ((view, name) for view in (other, _mirrored(other)) for name in cases[i].windows)
            refused[i] = any(
                _exceeds(cases[i], view, name=name, factor=factor)
                for view, name in tries
                if view is other or name in _MIRRORED
            )
    return refused


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One generated frame, its target and source, and the windows that these do not explain where they are.

    A window comes with the correlations of its bands with target or source (the best).
    """

    made: _View
    own: Sequence[_View]
    windows: dict[str, tuple[Window, Values]]


def _unexplained(made: _View, own: Sequence[_View], places: dict[str, Window]) -> dict[str, tuple[Window, Values]]:
    fits = {
        name: np.array([_fits(made, view.bands, window, place=_in_place(window)) for view in own])
        for name, window in places.items()
    }
    return {name: (places[name], each.max(axis=0)) for name, each in fits.items() if each.min(axis=1).max() < _SURE}


def _exceeds(case: _Case, driving: _View, *, name: str, factor: float) -> bool:
    """Whether the driving frame explains a window so much better than target and source do that the frame is refused."""
    (window, own), limits = case.windows[name], LIMITS[name]

    def above(values: Values) -> bool:
        mean, fine = float(values.mean()), float(values[_FINE])
        return mean > factor * limits[0] or (mean > 0 and fine > factor * limits[1])

    fits = driving_fits(case.made, driving, window)
    return above(explains(fits, own)) and above(explains(fits, np.maximum(own, own_fits(case.made, case.own, window))))


def explains(driving: Values, own: Values) -> Values:
    """For each band of a window, half the logarithm of the ratio of the variances that target and driving frame leave.

    Both are correlations. Above 0 the driving frame fits better.
    """
    return 0.5 * np.log((1 - own**2) / (1 - driving**2))


def driving_fits(made: _View, driving: _View, window: Window) -> Values:
    """The correlations of a window's bands with the driving frame, registered to it; zeros where it is not plausible."""
    start = _searched(made, driving, window) if _detailed(made, driving, window) else None
    if start is None:
        return np.zeros(len(_BANDS))
    likeness, place = _registered(made, driving, window, start=start)
    if likeness < _LEAST or not _plausible(made, driving, window, place=place):
        return np.zeros(len(_BANDS))
    return _fits(made, driving.bands, window, place=place)


def own_fits(made: _View, own: Sequence[_View], window: Window) -> Values:
    """The correlations of a window's bands with target or source, registered to it, as they are or blurred: the best."""
    fits = [
        _fits(made, view.blurred(), window, place=_registered(made, view, window, start=start)[1])
        for view in own
        for start in (_in_place(window), _searched(made, view, window))
        if start is not None
    ]
    return np.concatenate(fits).reshape(-1, len(_BANDS)).max(axis=0)


def _detailed(made: _View, driving: _View, window: Window) -> bool:
    """Whether a window has enough fine detail to be plausible anywhere in the driving frame."""
    top, bottom, left, right = window
    least = _LEAST_GAIN * _LEAST_CONTRAST * driving.bands[_FINE].std()
    return bool(made.bands[_FINE][top:bottom, left:right].std() >= least)


def _plausible(made: _View, driving: _View, window: Window, *, place: Values) -> bool:
    """Whether a window can be the driving frame's face: of about its size, and with its fine detail, of which there is some.

    A blurred frame of anything resembles some smooth part of the driving frame.
    """
    reach = max(window[1] - window[0], window[3] - window[2]) / 2
    sizes = np.hypot(place[[1, 4]], place[[2, 5]]) / reach
    _, gain, contrast = _loops().compare(made.bands[_FINE], driving.bands[_FINE], place, window)
    enough = gain >= _LEAST_GAIN and contrast >= _LEAST_CONTRAST * driving.bands[_FINE].std()
    return bool(enough and sizes.min() >= _SIZES[0] and sizes.max() <= 1 / _SIZES[0])


def _in_place(window: Window) -> Values:
    """The map of a window to the same place, as `register` takes it."""
    top, bottom, left, right = window
    reach = max(bottom - top, right - left) / 2
    return np.array([(top + bottom - 1) / 2, reach, 0.0, (left + right - 1) / 2, 0.0, reach])


def _fits(made: _View, bands: Sequence[Picture], window: Window, *, place: Values) -> Values:
    """Correlations of a window's bands with those of another view, which may be several sets of bands; 0 to `_ALIKE`."""
    loops = _loops()
    found = [loops.compare(made.bands[at % len(_BANDS)], band, place, window)[0] for at, band in enumerate(bands)]
    return np.clip(found, 0, _ALIKE)


def _registered(made: _View, other: _View, window: Window, *, start: Values) -> tuple[float, Values]:
    """The correlation of a window with another view after registration, and the map that gives it."""
    loops = _loops()
    _, place = loops.register(made.bands[_PLACE], other.bands[_PLACE], start, window, _STEPS)
    return loops.register(made.bands[0], other.bands[0], place, window, _STEPS)


def _searched(made: _View, other: _View, window: Window) -> Values | None:
    """The map to the place and size in another view that correlate best with a window; None where nothing does."""
    loops = _loops()
    ratio = SIDE / _SMALL
    top, bottom, left, right = (round(int(side) / ratio) for side in window)
    tries = [(*loops.search(made.sized[0][top:bottom, left:right], picture), len(picture)) for picture in other.sized]
    likeness, y, x, side = max(tries, key=lambda one: one[0])
    if likeness < _PROMISING:
        return None
    size = _SMALL / side
    reach = max(window[1] - window[0], window[3] - window[2]) / 2
    middle = _in_place(window)[[0, 3]] + ratio * np.array([y - top, x - left])
    y, x = (middle + 0.5) * size - 0.5
    return np.array([y, reach * size, 0.0, x, 0.0, reach * size])


def windows(points: NDArray[np.floating[Any]]) -> dict[str, Window]:
    """Where detail is compared: windows around the landmarks, (68 or more, 2) pixels of a picture of SIDE."""
    inner, eyes, mouth = points[36:68], points[36:48], points[48:68]
    size = float(np.ptp(points[:68], axis=0).max())
    return {
        "inner": _window(inner, width=0.06 * size, height=0.08 * size),
        "eyes": _window(eyes, width=0.06 * size, height=0.1 * size),
        "mouth": _window(mouth, width=0.1 * size, height=0.1 * size),
    }


def _window(points: NDArray[np.floating[Any]], *, width: float, height: float) -> Window:
    """The box of some points, wider and higher by margins, six pixels or more on each side, inside the picture."""
    ends: list[int] = []
    for axis, margin in ((1, height), (0, width)):
        low, high = float(points[:, axis].min()), float(points[:, axis].max())
        middle, reach = (low + high) / 2, max((high - low) / 2 + margin, 3.0)
        start = min(max(round(middle - reach), 0), SIDE - 6)
        ends += [start, min(max(round(middle + reach), start + 6), SIDE)]
    return np.array(ends)


def _views(grey: Pictures, *, sizes: Sequence[float]) -> list[_View]:
    """The view of each frame, (frames, SIDE, SIDE)."""
    bands = _bands(grey)
    sized = [_shrunk(bands[_SEARCHED], round(_SMALL * size)) for size in sizes]
    return [
        _View(
            bands=tuple(band[i] for band in bands),
            sized=tuple(pictures[i] for pictures in sized),
            blurred=cache(partial(_blurs, grey[i : i + 1])),
        )
        for i in range(len(grey))
    ]


def _mirrored(view: _View) -> _View:
    """A view of the mirrored frame: eyes and mouth move in it as in the frame."""
    bands, sized = (
        tuple(np.ascontiguousarray(picture[:, ::-1]) for picture in pictures) for pictures in (view.bands, view.sized)
    )
    return _View(bands=bands, sized=sized)


def _blurs(grey: Pictures) -> tuple[Picture, ...]:
    """The bands of one frame as it is, then blurred: a blurred target is no driving frame."""
    return tuple(band[0] for sigma in _BLURS for band in _bands(_blurred(grey, sigma)))


def _shrunk(pictures: Pictures, side: int) -> Pictures:
    """(frames, SIDE, SIDE) to (frames, side, side), means of areas (or linear between pixels, where it grows)."""
    matrix = _areas(side)
    return np.asarray(matrix @ pictures @ matrix.T, np.float32)


@cache
def _areas(side: int) -> Picture:
    """(side, SIDE): each row the shares of the pixels that a smaller picture's pixel is the mean of."""
    edges = np.linspace(0, SIDE, side + 1)
    low, high = edges[:-1, None], edges[1:, None]
    pixel = np.arange(SIDE)
    return (np.clip(np.minimum(high, pixel + 1) - np.maximum(low, pixel), 0, None) * side / SIDE).astype(np.float32)


def _bands(grey: Pictures) -> tuple[Pictures, ...]:
    return tuple(_blurred(grey, fine) - _blurred(grey, coarse) for fine, coarse in _BANDS)


def _blurred(grey: Pictures, sigma: float) -> Pictures:
    if not sigma:
        return grey
    matrix = _gaussian(sigma)
    return np.asarray(matrix @ grey @ matrix.T, np.float32)


@cache
def _gaussian(sigma: float) -> Picture:
    """The matrix of a Gaussian blur along one side; the last pixel repeats outside."""
    from scipy.ndimage import gaussian_filter1d

    blurred = gaussian_filter1d(np.eye(SIDE, dtype=np.float32), sigma, axis=0, mode="nearest", truncate=3.0)
    return np.asarray(blurred, np.float32)


def _grey(frames: Frames) -> Pictures:
    """Frames of any size as (frames, SIDE, SIDE) grey pictures, in the middle of a black square."""
    from PIL import Image

    scale, (left, top) = _square(frames)
    height, width = (round(length * scale) for length in frames.shape[1:3])
    top, left = round(top * scale), round(left * scale)
    grey = np.zeros((len(frames), SIDE, SIDE), np.float32)
    for place, frame in zip(grey, frames, strict=True):
        small = Image.fromarray(frame).convert("L").resize((width, height), Image.Resampling.BOX)
        place[top : top + height, left : left + width] = np.asarray(small)
    return grey


def _square(frames: Frames) -> tuple[float, tuple[int, int]]:
    """The factor from pixels of frames to those of `_grey`'s square, and the corner (x, y) of frames in a square, pixels."""
    height, width = frames.shape[1:3]
    side = max(height, width)
    return SIDE / side, ((side - width) // 2, (side - height) // 2)


def _loops() -> Any:
    return compile_loops("toonbench.metrics._guard_kernels")
