"""Reading motion curves: frames per second of CPU time of one thread, for both readers, beside one pass of the landmark network.

    OMP_NUM_THREADS=1 python benchmarks/reading_speed.py

One puppet clip of 64 frames of 256 px in one process, all sides in turn. The face landmarker's weights must have been fetched.
Writes results/reading_speed.json.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from toonbench.motion.drawn import read_drawn
from toonbench.motion.photographed import read_photographed
from toonbench.networks.face_motion import estimate_once
from toonbench.puppets.catalogue import make_look
from toonbench.puppets.draw.render import render_clip
from toonbench.puppets.rig import generate
from toonbench.store import write_json
from toonbench.types import Frames

FRAMES, ROUNDS = 64, 5
READERS: dict[str, Callable[[Frames], object]] = {
    "drawings, three passes": read_drawn,
    "photographs": read_photographed,
    "landmark network, one pass": estimate_once,
}


def main() -> None:
    frames = render_clip(make_look("cel", 1), generate(1, frames=FRAMES), size=256).frames
    found: dict[str, list[float]] = {name: [] for name in READERS}
    for reader in READERS.values():
        reader(frames)  # load the networks
    for _ in range(ROUNDS):
        for name, reader in READERS.items():
            begun = time.process_time()
            reader(frames)
            found[name].append(FRAMES / (time.process_time() - begun))
    result = {
        "what": f"frames per second of CPU time, {FRAMES} frames of 256 px, one thread, median of {ROUNDS}",
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.processor() or platform.machine()}, Python {platform.python_version()}",
        "load": os.getloadavg()[0],
        "frames_per_second": {name: round(statistics.median(values), 1) for name, values in found.items()},
    }
    write_json(Path(__file__).parent / "results/reading_speed.json", result)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
