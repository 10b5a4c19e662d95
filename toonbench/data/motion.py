"""The ground-truth motion of a clip on disk: `motion/<id>.npz` beside a puppet data set's clips."""

from __future__ import annotations

from pathlib import Path

from toonbench.arrays import UnreadableArrays, load_arrays
from toonbench.types import CHANNELS, LANDMARKS, GroundTruth, ToonbenchError


def read_motion(path: Path, *, fps: float) -> GroundTruth:
    """Read a clip's rig curves and landmarks; `fps` is the clip's, 0 for an image.

    Raises ToonbenchError for a missing or damaged file, and for other channels than `toonbench.types.CHANNELS`.
    """
    try:
        file = load_arrays(path)
    except UnreadableArrays as error:
        raise ToonbenchError(
            f"{path}: the ground-truth motion cannot be read ({error}); make the data set again"
        ) from error
    if absent := [name for name in ("channels", "rig", "landmarks", "visible") if name not in file]:
        raise ToonbenchError(f"{path}: the ground-truth motion has no {', '.join(absent)}; make the data set again")
    channels = tuple(map(str, file["channels"].ravel()))
    truth = GroundTruth(rig=file["rig"], landmarks=file["landmarks"], visible=file["visible"], fps=fps)
    frames = truth.rig.shape[0] if truth.rig.ndim else 0
    shapes = (truth.rig.shape, truth.landmarks.shape, truth.visible.shape)
    expected = ((frames, len(CHANNELS)), (frames, LANDMARKS, 2), (frames, LANDMARKS))
    numbers = (truth.rig.dtype.kind, truth.landmarks.dtype.kind, truth.visible.dtype.kind) == ("f", "f", "b")
    if channels != CHANNELS or shapes != expected or not numbers:
        raise ToonbenchError(
            f"{path}: channels and shapes {shapes} are not those of this version, {expected}; make the data set again"
        )
    return truth
