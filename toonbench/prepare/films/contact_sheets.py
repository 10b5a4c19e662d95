"""Contact sheets of clips: a few frames of each in one picture, for the review page."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from toonbench.prepare.films.parts import Part, Resampling
from toonbench.store import write_bytes
from toonbench.types import Frame

SHOWN, SIDE = 8, 96  # frames of a sheet, and pixels a side of each
QUALITY = 82  # of JPEG


class Sheet:
    """The contact sheet of a clip whose frames come one at a time: SHOWN frames at even distances, beside each other."""

    def __init__(self, path: Path, part: Part) -> None:
        rate = Resampling(part.film_fps, part.fps)
        frames = sum(rate.times(at) for at in range(part.last - part.first))
        self._path = path
        self._at = {round((number + 0.5) * frames / SHOWN - 0.5) for number in range(SHOWN)}
        self._frames: list[Frame] = []
        self._count = 0

    def add(self, frame: Frame, at: int) -> None:
        """Add the next frame, (h, w, 3) uint8 RGB."""
        del at
        from PIL import Image

        if self._count in self._at:
            small = Image.fromarray(frame).resize((SIDE, SIDE), Image.Resampling.BOX, reducing_gap=2.0)
            self._frames.append(np.asarray(small))
        self._count += 1

    def write(self) -> None:
        """Write the sheet as JPEG."""
        from PIL import Image

        buffer = io.BytesIO()
        Image.fromarray(np.concatenate(self._frames, axis=1)).save(buffer, "JPEG", quality=QUALITY)
        write_bytes(self._path, buffer.getvalue())
