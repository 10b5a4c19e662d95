"""Blendshape scores of the face in each frame, by MediaPipe's face landmarker."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toonbench.types import Frame, ToonbenchError
from toonbench.weights.tensors import file_reason

SHAPES = 51  # the landmarker's 52 without `_neutral`, which says how little the others are there
_DARK = 32  # mean grey level under which the reader of the tests finds no face
_SMALLEST = 8  # pixels a side under which a picture holds no face


@dataclass(frozen=True, slots=True, kw_only=True)
class BlendshapeReader:
    """MediaPipe's landmarker for single pictures. Build it with `from_file`."""

    landmarker: Any
    picture: Callable[[Frame], Any]  # makes MediaPipe's image of an array

    def __call__(self, frame: Frame) -> NDArray[np.float32] | None:
        """(SHAPES,) scores in [0, 1] in MediaPipe's order, or None if there is no face."""
        if min(frame.shape[:2]) < _SMALLEST:
            return None
        faces = self.landmarker.detect(self.picture(np.ascontiguousarray(frame))).face_blendshapes
        if not faces:
            return None
        scores = sorted((one.index, one.score) for one in faces[0] if one.category_name != "_neutral")
        if len(scores) != SHAPES:
            raise ToonbenchError(
                f"the face landmarker gave {len(scores)} blendshapes beside the neutral one, {SHAPES} are expected; "
                "run toonbench weights fetch face-landmarker, and use mediapipe>=1.2"
            )
        return np.clip(np.array([score for _, score in scores], np.float32), 0, 1)


def from_file(path: Path) -> BlendshapeReader:
    """The landmarker of a `.task` file, on the CPU; ToonbenchError if mediapipe is absent or the file is not one."""
    try:
        mediapipe: Any = importlib.import_module("mediapipe")
        vision: Any = importlib.import_module("mediapipe.tasks.python.vision")
        tasks: Any = importlib.import_module("mediapipe.tasks.python")
    except ImportError as error:
        raise ToonbenchError(
            f"aed_expression needs mediapipe ({error}); install it with pip install 'toonbench[expression]'"
        ) from error
    options = vision.FaceLandmarkerOptions(
        base_options=tasks.BaseOptions(model_asset_path=str(path), delegate=tasks.BaseOptions.Delegate.CPU),
        num_faces=1,
        output_face_blendshapes=True,
    )
    if reason := file_reason(path):
        raise ToonbenchError(f"weights '{path}' cannot be used ({reason}); run toonbench weights fetch face-landmarker")
    try:
        landmarker = vision.FaceLandmarker.create_from_options(options)
    except (OSError, RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ToonbenchError(
            f"weights '{path}' cannot be used ({reason}); run toonbench weights fetch face-landmarker"
        ) from error

    def picture(frame: Frame) -> Any:
        return mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=frame)

    return BlendshapeReader(landmarker=landmarker, picture=picture)


def with_test_weights() -> Callable[[Frame], NDArray[np.float32] | None]:
    """A stand-in for MediaPipe that measures nothing: scores are a random projection of 8 x 8 mean colours."""
    from PIL import Image

    weight = np.random.default_rng(0).standard_normal((8 * 8 * 3, SHAPES)) / 8

    def scores(frame: Frame) -> NDArray[np.float32] | None:
        if min(frame.shape[:2]) < _SMALLEST or frame.mean() < _DARK:
            return None
        small = np.asarray(Image.fromarray(frame).resize((8, 8), Image.Resampling.BOX), np.float64).ravel() / 255
        return np.clip(0.5 + (small - small.mean()) @ weight, 0, 1).astype(np.float32)

    return scores
