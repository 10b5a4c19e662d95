"""Memory of preparing, generating and scoring one driving video against its length: `toonbench eval --method static`, one process.

    python benchmarks/prepare_memory.py --minutes 2 10

Each length in a process of its own (`--child` is that process). The video has 256 px and 25 frames a second, H.264: a photograph of a face
that moves. It is prepared as a plain folder (faces detected with MTCNN), generated on `real_self` with `static`, and
scored with l1, psnr and ssim. `prepare_generate_MB` and `score_MB` are what the process holds itself, at the peak (sampled every 20 ms),
`resident_MB` is what the system counts, with the pages of libraries.
`--height` is that of the video's frames, twice as wide if it is not 256. Writes results/prepare_memory.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from score_memory import Peak

from toonbench import video
from toonbench.types import Frame

HERE = Path(__file__).parent
FPS = 25


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        print(json.dumps(child(Path(sys.argv[2]))))
        return
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, nargs="+", default=[2, 10])
    parser.add_argument("--height", type=int, default=256)
    given = parser.parse_args()
    rows = [measured(minutes, height=given.height) for minutes in given.minutes]
    name = "prepare_memory" if given.height == 256 else f"prepare_memory_{given.height}"
    from toonbench.store import write_json

    write_json(HERE / f"results/{name}.json", {
        "what": f"peak MB of one process that prepares, generates and scores one driving video of {given.height} px",
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}",
        "runs": rows,
    })  # fmt: skip


def measured(minutes: float, *, height: int) -> dict[str, Any]:
    """One row: a video of this length, evaluated in a process of its own."""
    count = round(minutes * 60 * FPS)
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "own/real_videos/driving.mp4"
        width = height if height == 256 else 2 * height
        video.write_film(path, moving(count, width, height), fps=FPS, width=width, height=height)
        start = time.perf_counter()
        row = {"minutes": minutes, "frames": count} | in_child(Path(place))
        row["seconds"] = round(time.perf_counter() - start, 1)
    print(row, flush=True)
    return row


def moving(count: int, width: int, height: int) -> Iterator[Frame]:
    """A photograph of a face that moves to the left and right."""
    from PIL import Image
    from skimage import data

    reach = height // 16
    side = height + 2 * reach
    face = np.asarray(Image.fromarray(data.astronaut()[0:256, 96:352]).resize((side, side)))
    frame = np.full((height, width, 3), 128, np.uint8)
    left = (width - height) // 2
    for index in range(count):
        shift = reach + round(reach * np.sin(index / 9))
        frame[:, left : left + height] = face[reach : reach + height, shift : shift + height]
        yield frame


def in_child(place: Path) -> dict[str, float]:
    """The memory of a process that evaluates the folder."""
    environment = os.environ | {
        "PYTHONPATH": f"{HERE}{os.pathsep}{HERE.parent}",
        "OMP_NUM_THREADS": "1",
        "TOONBENCH_CACHE": str(place / "cache"),
    }
    command = [sys.executable, str(HERE / "prepare_memory.py"), "--child", str(place)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


def child(place: Path) -> dict[str, float]:
    """Prepare, generate and score in this process."""
    import toonbench

    peaks: dict[str, float] = {}
    peak = Peak()
    made = toonbench.generate("static", task="real_self", data=str(place / "own"), out=place / "runs", device="cpu")
    assert not made.failures, made.failures
    peaks["prepare_generate_MB"] = peak.stop()
    peak = Peak()
    found = toonbench.score(method="static", task="real_self", data=str(place / "own"), out=place / "runs",
                            metrics=["l1", "psnr", "ssim"], device="cpu")  # fmt: skip
    assert len(found.results) == 3, found
    peaks["score_MB"] = peak.stop()
    peaks["resident_MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return peaks


if __name__ == "__main__":
    main()
