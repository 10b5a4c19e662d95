"""The method `landmark-warp`: no training; the source is warped by the motion of landmarks read from the driving video."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from toonbench.networks.animation import ChunkedMethod, batches
from toonbench.types import CHANNELS, Domain, Frame, Frames, Motion, ToonbenchError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from baselines.landmark_warp.mesh import Mesh
    from baselines.landmark_warp.parts import Parts
    from baselines.landmark_warp.transfer import Transfer

log = logging.getLogger(__name__)

CODE_VERSION = "2"  # raised whenever the same input comes to mean other pixels
BATCH = 16  # frames that the network reads at once
LEAST_SIDE = 24  # pixels; in a smaller picture no face can be warped


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the network reads in one picture."""

    points: NDArray[np.complex128]  # (LANDMARKS,) x + iy in pixels
    rig: dict[str, float]
    found: bool

    @property
    def blinks(self) -> tuple[float, float]:
        """How far the left and the right eye of the picture are closed, 0 to 1."""
        return self.rig["blink_left"], self.rig["blink_right"]


class LandmarkWarp(ChunkedMethod):
    """The source picture, warped by the motion of 70 landmarks in the driving video; eyes and mouth are drawn where a warp has no pixels.

    It reads landmarks with the network of the motion metrics, so these metrics favour it; `docs/methods/landmark-warp.md` reports
    other metrics beside them. A source without a face is repeated unchanged. A driving frame without a face repeats the frame before.
    """

    name: ClassVar[str] = "landmark-warp"

    def __init__(self, *, device: str = "cpu", checkpoint: Path | None = None) -> None:
        if checkpoint is not None:
            raise ToonbenchError(f"{self.name} takes no checkpoint, got {checkpoint}; leave --checkpoint out")
        self.device = device
        self.revision = f"{CODE_VERSION}-{_network_digest()}"

    def animate_chunks(
        self,
        source: Frame,
        driving: Iterator[Frames],
        *,
        motion: Motion,
        seed: int,  # noqa: ARG002 - nothing here is drawn at random
        source_domain: Domain = "cartoon",  # noqa: ARG002
        driving_domain: Domain = "real",  # noqa: ARG002
    ) -> Iterator[Frames]:
        """Yield as many frames as the chunks of `driving` have, RGB uint8, in the source's size.

        "relative" moves the source's face as the driving face moved since its first frame. "absolute" also gives it the pose, position
        and expression of the driving face, as far as the network's rig describes them. A frame depends on itself and the first frame
        with a face only.
        """
        still = _read(source[None])[0]
        if not still.found or min(source.shape[:2]) < LEAST_SIDE:
            log.warning("landmark-warp finds no face in the source picture and repeats it unchanged")
            for chunk in driving:
                yield np.repeat(source[None], len(chunk), axis=0)
            return
        animation = Animation(source, still, motion=motion)
        for batch in batches(driving, BATCH):
            yield np.stack([animation.frame(one) for one in _read(batch)])


class Animation:
    """One source on its way through a driving video."""

    def __init__(self, source: Frame, still: Reading, *, motion: Motion) -> None:
        from baselines.landmark_warp.mesh import Mesh
        from baselines.landmark_warp.parts import Parts
        from toonbench.compiled import compile_loops

        self._loops = compile_loops("baselines.landmark_warp._kernels")
        self._picture = source.astype(np.float32)
        self._still, self._motion = still, motion
        self._mesh: Mesh = Mesh(source.shape[0], source.shape[1], still.points)
        self._parts: Parts = Parts(still.points, self._picture, self._loops)
        self._transfer: Transfer | None = None
        self._last: Frame = source

    def frame(self, driving: Reading) -> Frame:
        """The next frame."""
        from baselines.landmark_warp.parts import to_bytes

        if driving.found:
            transfer = self._transfer = self._transfer or self._started(driving)
            moved = transfer(driving.points, blinks=driving.blinks)
            frame = np.empty_like(self._picture)
            self._loops.sample(self._picture, self._mesh.draw(moved, self._loops), frame)
            self._parts.draw(frame, moved, self._loops)
            self._last = to_bytes(frame)
        return self._last

    def _started(self, driving: Reading) -> Transfer:
        """The transfer of motion from the first frame with a face."""
        from baselines.landmark_warp.reference import posed_as
        from baselines.landmark_warp.transfer import Transfer

        if self._motion == "relative":
            return Transfer(self._still.points, driving.points, blinks=driving.blinks)
        reference = posed_as(driving.points, rig=driving.rig, other=self._still.rig)
        return Transfer(self._still.points, reference, blinks=self._still.blinks)


def _read(frames: Frames) -> list[Reading]:
    """The readings of frames (frames, height, width, 3)."""
    from toonbench.networks.face_motion import estimate_once

    found = estimate_once(frames)
    points = found.landmarks.astype(np.float64)
    return [
        Reading(
            points=points[k, :, 0] + 1j * points[k, :, 1],
            rig=dict(zip(CHANNELS, map(float, found.rig[k]), strict=True)),
            found=bool(np.isfinite(points[k]).all()),
        )
        for k in range(len(frames))
    ]


def _network_digest() -> str:
    """The first digits of the hash of the landmark network's weights."""
    import hashlib

    from toonbench.networks.landmarks import WEIGHTS

    return hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()[:10]
