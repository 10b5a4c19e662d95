"""One source and one driving video, outside a benchmark: the face of both is cropped, animated and pasted back."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from toonbench import video
from toonbench.chunks import chunk_frames, in_chunks
from toonbench.generate import MethodSpec, Options, animate
from toonbench.mark import marked, metadata
from toonbench.prepare.choose import Square
from toonbench.prepare.face import LONGER_SIDE, cut_frames, cut_out, find_face
from toonbench.prepare.options import Options as Preparation
from toonbench.types import Frame, TargetMethod, ToonbenchError

LONGEST = 1024  # pixels of a side of the source picture; a larger one is reduced
MARGIN = 0.25  # of the side of a crop that is added at each end: a moving head needs room, and hair and chin should be in the picture
SEAM = 0.12  # of the side of the crop: the width of the soft edge of what is pasted back
HEIGHT = 512  # pixels of the side-by-side, at most


@dataclass(frozen=True, slots=True, kw_only=True)
class Reenacted:
    """The written files, the number of their frames, and what was remarked on the driving video."""

    result: Path
    beside: Path
    frames: int
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Driving:
    """The chosen frames of the driving video: cropped to the face, and whole; their rate, and remarks."""

    crops: Callable[[], Iterator[Frame]]
    whole: Callable[[], Iterator[Frame]]
    fps: float
    remarks: tuple[str, ...]


def reenact(
    source: Path,
    driving: Path,
    out: Path,
    *,
    method: MethodSpec,
    options: Options,
    preparation: Preparation | None = None,
    mark: bool = False,
) -> Reenacted:
    """Animate the face of a picture (or of a video's first frame) with that of a video; write the result and a side-by-side as H.264.

    `mark` writes into the picture and into the files' metadata that the video was generated (`toonbench.mark`).

    `preparation` says how faces are found and cropped; its `size` is that of the driving crops. The side-by-side, OUT with
    `_side_by_side` before the suffix, shows source, driving video and result. Memory does not grow with the length of the video for a
    method that takes chunks. Raises ToonbenchError where there is no face, and what the method raises.
    """
    if out.suffix.lower() != ".mp4":
        raise ToonbenchError(f"--out {out}: the result is an MP4; give a name that ends with .mp4")
    loaded = method.load()
    if isinstance(loaded, TargetMethod):
        raise ToonbenchError(
            f"method {loaded.name} returns a known target, and there is none here: choose another method"
        )
    how = preparation or Preparation(detector="fused")
    picture = _reduced(video.read_image(source))
    square = _source_square(picture, source, how, drawn=options["source_domain"] == "cartoon")
    clip = _driving(driving, how, drawn=options["driving_domain"] == "cartoon")
    crop = picture if square is None else cut_out(picture, square, size=square[2])
    beside = out.with_name(f"{out.stem}_side_by_side{out.suffix}")
    with tempfile.TemporaryDirectory(prefix="toonbench-") as folder:
        face = Path(folder) / "face.mkv"
        chunks = in_chunks(clip.crops(), chunk_frames(how.size, how.size))
        count = video.write_lossless_chunks(face, animate(loaded, crop, chunks, options), fps=clip.fps)
        tags = metadata(loaded.name) if mark else {}

        def results() -> Iterator[Frame]:
            frames = _pasted(picture, square, video.iter_frames(face))
            return marked(frames) if mark else frames

        video.write_viewable(out, results(), fps=clip.fps, tags=tags)
        video.write_viewable(beside, _panels(picture, clip.whole(), results()), fps=clip.fps, tags=tags)
    return Reenacted(result=out, beside=beside, frames=count, remarks=clip.remarks)


def _source_square(picture: Frame, path: Path, how: Preparation, *, drawn: bool) -> Square | None:
    """The square around the source's face with room to move; None if the picture is used as a whole."""
    found = find_face(lambda: [picture], how, fps=0.0, drawn=drawn, is_image=True)
    if found.choice.problem:
        raise ToonbenchError(f"{path}: {found.choice.problem}")
    return _with_room(found.choice.square)


def _with_room(square: Square | None) -> Square | None:
    """A square with MARGIN at each end."""
    if square is None:
        return None
    left, top, side = square
    more = round(MARGIN * side)
    return left - more, top - more, side + 2 * more


def _driving(path: Path, how: Preparation, *, drawn: bool) -> _Driving:
    """Find the face of the driving video. Raises ToonbenchError, naming the file, if there is none."""
    info = video.probe(path)
    fps = info.fps or 25.0
    found = find_face(
        lambda: video.iter_frames(path, longest=LONGER_SIDE),
        how,
        fps=fps,
        drawn=drawn,
        size=(info.width, info.height),
    )
    choice = found.choice
    if choice.problem:
        raise ToonbenchError(f"{path}: {choice.problem}")
    found = replace(found, choice=replace(choice, square=_with_room(choice.square)))
    return _Driving(
        crops=lambda: cut_frames(video.iter_frames(path), found, size=how.size),
        whole=lambda: islice(video.iter_frames(path), choice.first, choice.last),
        fps=fps,
        remarks=choice.remarks,
    )


def _reduced(picture: Frame) -> Frame:
    """The picture with its longer side at most LONGEST pixels."""
    height, width = picture.shape[:2]
    scale = min(1.0, LONGEST / max(height, width))
    return picture if scale == 1 else _resized(picture, max(1, round(height * scale)), max(1, round(width * scale)))


def _resized(frame: Frame, height: int, width: int) -> Frame:
    from PIL import Image

    if frame.shape[:2] == (height, width):
        return frame
    return np.asarray(Image.fromarray(frame).resize((width, height), Image.Resampling.BICUBIC))


def _pasted(picture: Frame, square: Square | None, faces: Iterable[Frame]) -> Iterator[Frame]:
    """The picture with each animated face in its place, behind a soft edge."""
    if square is None:
        yield from faces
        return
    left, top, side = square
    height, width = picture.shape[:2]
    inside = slice(max(top, 0), min(top + side, height)), slice(max(left, 0), min(left + side, width))
    part = tuple(slice(axis.start - start, axis.stop - start) for axis, start in zip(inside, (top, left), strict=True))
    share = soft_edge(side)[part][..., None]
    for face in faces:
        frame = picture.copy()
        frame[inside] = np.rint(picture[inside] + share * (face[part].astype(np.float32) - picture[inside]))
        yield frame


def soft_edge(side: int) -> NDArray[np.float32]:
    """(side, side) weights: 0 at the edge of a square, 1 from SEAM of its side inwards."""
    distance = np.minimum(np.arange(side) + 0.5, side - 0.5 - np.arange(side)) / (SEAM * side)
    ramp = np.clip(distance, 0, 1)
    ramp = ramp * ramp * (3 - 2 * ramp)
    return np.asarray(ramp[:, None] * ramp[None], np.float32)


def _panels(picture: Frame, driving: Iterable[Frame], results: Iterable[Frame]) -> Iterator[Frame]:
    """Source, driving frame and result beside each other, of equal height."""
    height = min(HEIGHT, picture.shape[0])

    def fitted(frame: Frame) -> Frame:
        return _resized(frame, height, max(1, round(frame.shape[1] * height / frame.shape[0])))

    still = fitted(picture)
    for own, result in zip(driving, results, strict=True):
        yield np.concatenate([still, fitted(own), fitted(result)], axis=1)
