"""Frames of real videos, labelled by the face landmarker before anything is done to them.

A labelled clip is kept as one npz file of squares around the faces, so a killed run resumes, and so training needs no video.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from toonbench.reader_training.labels import Labels, read_labels
from toonbench.store import writing
from toonbench.types import Frame, Frames, ToonbenchError

SIDE = 256  # pixels of a stored square
FEWEST = 2  # frames with a face: two frames of a clip are in each batch
ROOM = 2.9  # side of the square over the longer side of the landmarks' box

TRAINING = (
    "real_videos/gnr_tiktok_portrait.mp4", "real_videos/intel_asl_again.mkv", "real_videos/lp_d12.mp4", "real_videos/lp_d18.mp4",
    "real_videos/lp_d20.mp4", "real_videos/lp_d3.mp4", "raw_videos/lp_s18.mp4", "raw_videos/fr_short_hamilton_clip.mp4",
    "raw_videos/intel_two_faces.gif",
)  # fmt: skip
HELD_OUT = (
    "real_videos/st_WDA_AOC.mp4", "real_videos/fomm_08_35fps.mp4", "real_videos/lia_driving2.mp4", "real_videos/vt_529_2.mp4",
    "real_videos/vt_651.mp4",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """Squares around the faces of one video, in its order, without the frames in which the landmarker found no face."""

    name: str
    frames: Frames  # (n, SIDE, SIDE, 3)
    landmarks: NDArray[np.float32]  # (n, 70, 2) pixels of the squares
    curves: NDArray[np.float32]  # (n, 7)
    inside: NDArray[np.float32]  # (n, 4) left, top, right, bottom of the video's picture in each square


Landmarker = Callable[[Frames], Labels]


def label_clips(
    root: Path, names: Sequence[str], *, work: Path, landmarker: Landmarker = read_labels
) -> list[Labelled]:
    """Label the videos `names` in the folder `root`, or load what an earlier run left in `work`.

    Raises ToonbenchError for a video that is not there, or with fewer than FEWEST frames with a face.
    """
    return [_label(root / name, landmarker, path=work / f"{Path(name).stem}.npz") for name in names]


def _label(video: Path, landmarker: Landmarker, *, path: Path) -> Labelled:
    if not path.is_file():
        _write(path, _cut_all(video, landmarker))
    with np.load(path) as stored:
        return Labelled(
            name=path.stem, **{field: stored[field] for field in ("frames", "landmarks", "curves", "inside")}
        )


def _cut_all(video: Path, landmarker: Landmarker) -> Labelled:
    from toonbench.video.read import read_video

    if not video.is_file():
        raise ToonbenchError(f"{video} is not there: --clips takes the folder of the training videos; leave none out")
    frames = read_video(video).frames
    labels = landmarker(frames)
    found = labels.found
    if found.size < FEWEST:
        raise ToonbenchError(
            f"{video}: the face landmarker finds a face in {found.size} of {len(frames)} frames; training needs {FEWEST} or more"
        )
    squares = [_cut(frames[at], labels.landmarks[at]) for at in found]
    return Labelled(
        name=video.stem,
        frames=np.stack([square for square, _, _ in squares]),
        landmarks=np.stack([own for _, own, _ in squares]).astype(np.float32),
        curves=labels.curves[found],
        inside=np.stack([inside for _, _, inside in squares]).astype(np.float32),
    )


def _cut(frame: Frame, landmarks: NDArray[np.float32]) -> tuple[Frame, NDArray[np.float32], NDArray[np.float64]]:
    """The square around one face, its landmarks in it, and the part of it that the frame covers."""
    low, high = landmarks[:68].min(0), landmarks[:68].max(0)
    side = float((high - low).max()) * ROOM
    corner = np.floor((low + high - side) / 2)
    whole = int(np.ceil(side))
    left, top = (int(v) for v in corner)
    part = Image.fromarray(frame).crop((left, top, left + whole, top + whole))
    square = np.asarray(part.resize((SIDE, SIDE), Image.Resampling.BOX if whole > SIDE else Image.Resampling.BICUBIC))
    scale = SIDE / whole
    ends = np.array([[0.0, 0.0], [frame.shape[1], frame.shape[0]]])
    return square, (landmarks - corner) * scale, ((ends - corner) * scale).ravel()


def _write(path: Path, clip: Labelled) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with writing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, frames=clip.frames, landmarks=clip.landmarks, curves=clip.curves, inside=clip.inside)
