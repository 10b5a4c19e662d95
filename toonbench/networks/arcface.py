"""ArcFace embeddings of the largest face of each frame, by insightface's own detector, alignment and network."""

from __future__ import annotations

import importlib
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toonbench.types import Frame, Frames, Rows, ToonbenchError
from toonbench.weights.tensors import file_reason

_SIDE = 640  # pixels a side of the picture that SCRFD sees
_SURE = 0.5  # SCRFD's score from which something is a face
_CROP = 112  # pixels a side of the aligned face
_DARK = 32  # mean grey level under which the detector of the tests finds no face
_MIDDLE_POINTS = np.array([[0.37, 0.43], [0.63, 0.43], [0.5, 0.58], [0.4, 0.73], [0.6, 0.73]], np.float32)
_LONGEST = 32_000  # pixels a side; OpenCV warps no larger pictures


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceEmbedder:
    """SCRFD and ArcFace, as insightface's `FaceAnalysis` with det_size 640 runs them. Build it with `from_files`.

    `sface` builds it with other networks: `detector.detect` gives boxes and five points each of a blue green red picture,
    `recogniser.get_feat` the embedding of an aligned one, of `output_shape[-1]` numbers.
    """

    detector: Any
    recogniser: Any

    def extract_features(self, frames: Frames) -> Rows:
        """(frames, numbers of the recogniser) float32 embeddings of length 1; NaN where no face is found."""
        width = int(self.recogniser.output_shape[-1])
        rows = np.full((len(frames), width), np.nan, np.float32)
        if min(frames.shape[1:3]) * _SIDE < max(frames.shape[1:3]) or max(frames.shape[1:3]) > _LONGEST:
            return rows  # a line, of which nothing would be left at the detector's size
        for row, frame in zip(rows, frames, strict=True):
            picture = np.ascontiguousarray(frame[..., ::-1])
            points = self._largest(picture)
            if points is not None:
                embedding = np.asarray(self.recogniser.get_feat(_aligned(picture, points)), np.float64).ravel()
                length = float(np.linalg.norm(embedding))
                row[:] = embedding / length if np.isfinite(length) and length > 0 else np.nan
        return rows

    def _largest(self, picture: Frame) -> NDArray[np.float32] | None:
        """(5, 2) points of the face with the largest box in a blue green red picture; None if there is none."""
        boxes, points = self.detector.detect(picture)
        if points is None or not len(boxes):
            return None
        areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        found = np.asarray(points[int(np.argmax(areas))], np.float32)
        return found if np.isfinite(found).all() and np.ptp(found, axis=0).min() > 0 else None


def from_files(detector: Path, recogniser: Path, *, device: str) -> FaceEmbedder:
    """The two networks of insightface's buffalo_l; ToonbenchError if a file is not what it should be."""
    embedder = FaceEmbedder(
        detector=_model(detector, "detection", device=device),
        recogniser=_model(recogniser, "recognition", device=device),
    )
    embedder.detector.prepare(0, input_size=(_SIDE, _SIDE), det_thresh=_SURE)
    if not embedder.detector.use_kps:
        raise _wrong(detector, "it gives no points of the face")
    return embedder


def with_test_weights(width: int = 512) -> FaceEmbedder:
    """Stand-ins for both networks that need no file and measure nothing; the alignment between them is the real one."""
    return FaceEmbedder(detector=_MiddleFace(), recogniser=_Projection(width))


class _MiddleFace:
    """A detector that finds one face, in the middle of every picture that is not dark."""

    def detect(self, picture: Frame) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        height, width = picture.shape[:2]
        if picture.mean() < _DARK:
            return np.empty((0, 5), np.float32), None
        box = np.array([[0.1 * width, 0.1 * height, 0.9 * width, 0.9 * height, 1]], np.float32)
        return box, _MIDDLE_POINTS[None] * np.array([width, height], np.float32)


class _Projection:
    """A recogniser whose embedding is a random projection of the aligned face's 8 x 8 mean colours."""

    def __init__(self, width: int) -> None:
        self.output_shape = (1, width)

    def get_feat(self, face: Frame) -> NDArray[np.float64]:
        small = face.reshape(8, _CROP // 8, 8, _CROP // 8, 3).mean(axis=(1, 3)).ravel()
        return small @ np.random.default_rng(0).standard_normal((small.size, self.output_shape[1]))


def _model(path: Path, task: str, *, device: str) -> Any:
    runtime: Any = importlib.import_module("onnxruntime")
    zoo: Any = importlib.import_module("insightface.model_zoo")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # sums in another order are other bytes
    options.use_deterministic_compute = True
    options.log_severity_level = 3
    if reason := file_reason(path):
        raise _wrong(path, reason)
    try:
        model = zoo.get_model(
            str(path), providers=_providers(runtime, device), sess_options=options, static_shape_sessions=False
        )
    except Exception as error:  # onnxruntime and protobuf have no common one
        raise _wrong(path, str(error).strip().splitlines()[0][:200] if str(error).strip() else repr(error)) from error
    if model is None or model.taskname != task:
        raise _wrong(path, f"it is no network for {task}")
    return model


def _providers(runtime: Any, device: str) -> list[str]:
    has_cuda = device != "cpu" and "CUDAExecutionProvider" in runtime.get_available_providers()
    return ["CUDAExecutionProvider", "CPUExecutionProvider"] if has_cuda else ["CPUExecutionProvider"]


def _wrong(path: Path, reason: str) -> ToonbenchError:
    return ToonbenchError(
        f"weights '{path}' cannot be used ({reason}); run toonbench weights fetch scrfd-10g arcface-r50"
    )


def _aligned(picture: Frame, points: NDArray[np.float32]) -> Frame:
    """The face moved to ArcFace's template, (112, 112, 3)."""
    align: Any = importlib.import_module("insightface.utils.face_align")
    with warnings.catch_warnings():  # insightface 2.1 calls what scikit-image 2.2 will drop
        warnings.filterwarnings("ignore", message="`estimate` is deprecated", category=FutureWarning)
        return align.norm_crop(picture, points, _CROP)
