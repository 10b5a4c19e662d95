"""Motion curves of drawn, generated and damaged faces, read by a small network that puppets and stylised photographs trained."""

from __future__ import annotations

from toonbench.networks.curves import Curves
from toonbench.types import Frames


def read_drawn(frames: Frames) -> Curves:
    """(frames, WIDTH) curves of frames (n, height, width, 3) uint8 RGB; NaN where no face is found. Results are the same in any chunks.

    Every frame is read three times (`motion_reader.read_closely`): as it is, in a square around the face, and mirrored.
    """
    from toonbench.networks.motion_reader import read_closely

    return read_closely(frames).curves
