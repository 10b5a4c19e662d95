"""The ground-truth motion of a clip on disk: `motion/<id>.npz` beside a puppet data set's clips."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from toonbench.types import CHANNELS, LANDMARKS, GroundTruth, ToonbenchError


def read_motion(path: Path, *, fps: float) -> GroundTruth:
    """Read a clip's rig curves and landmarks; `fps` is the clip's, 0 for an image.

    Raises ToonbenchError for a missing or damaged file, and for other channels than `toonbench.types.CHANNELS`.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            channels = tuple(str(name) for name in file["channels"])
            truth = GroundTruth(rig=file["rig"], landmarks=file["landmarks"], visible=file["visible"], fps=fps)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ToonbenchError(
            f"{path}: the ground-truth motion cannot be read ({str(error) or type(error).__name__}); make the data set again"
        ) from error
    frames = len(truth.rig)
    shapes = (truth.rig.shape, truth.landmarks.shape, truth.visible.shape)
    expected = ((frames, len(CHANNELS)), (frames, LANDMARKS, 2), (frames, LANDMARKS))
    if channels != CHANNELS or shapes != expected:
        raise ToonbenchError(
            f"{path}: channels and shapes {shapes} are not those of this version, {expected}; make the data set again"
        )
    return truth
