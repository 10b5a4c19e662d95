"""Speed of preparing a plain folder against plain decoding of the same files, in one run.

    OMP_NUM_THREADS=1 python benchmarks/prepare_speed.py

Videos of 10 s at 25 frames a second, H.264, of 256 px and of 1920x1080: a photograph of a face that moves (`prepare_memory.py`).
Decoding is `video.iter_frames` over the file. Preparing is what `toonbench prepared` does in one process, with the detector's networks
loaded: it decodes twice, detects faces on a stride, crops, and writes and checks lossless clips. The two alternate for `--rounds` rounds.
The ratio is frames per second of preparing over those of decoding, its median over rounds. `watching_share` is the first pass's share of
the time; the rest is the second pass and FFV1. Writes results/prepare_speed.json.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prepare_memory import FPS, moving

from toonbench import video
from toonbench.prepare.face import LONGER_SIDE, find_face
from toonbench.prepare.folder import prepare_folder
from toonbench.prepare.options import Options
from toonbench.store import write_json
from toonbench.types import ToonbenchError

HERE = Path(__file__).parent
SECONDS = 10
SIZES = ((256, 256), (1920, 1080))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--detectors", nargs="+", default=["mtcnn", "yunet"])
    given = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as place:
        for width, height in SIZES:
            root = Path(place) / str(height)
            path = root / "real_videos/clip.mp4"
            video.write_film(path, moving(SECONDS * FPS, width, height), fps=FPS, width=width, height=height)
            for name in given.detectors:
                try:
                    rows.append(compared(root, path, name, rounds=given.rounds, cache=Path(place)))
                except ToonbenchError as error:
                    print(f"{name} left out: {error}")
                    continue
                print(rows[-1], flush=True)
    write_json(HERE / "results/prepare_speed.json", {
        "what": "frames per second of preparing and of decoding, one process",
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "runs": rows,
    })  # fmt: skip


def compared(root: Path, path: Path, name: str, *, rounds: int, cache: Path) -> dict[str, Any]:
    """Both sides in turn."""
    options = Options(detector=name)

    def decode() -> None:
        for _ in video.iter_frames(path):
            pass

    def watching() -> None:
        size = video.probe(path)
        find_face(lambda: video.iter_frames(path, longest=LONGER_SIDE), options, fps=FPS, drawn=False,
                  size=(size.width, size.height))  # fmt: skip

    def prepare() -> None:
        with tempfile.TemporaryDirectory(dir=cache) as fresh:
            made = prepare_folder(root, Path(fresh), options=options).files
            assert (made / "clips/real_videos-clip.mkv").exists()

    watching()  # loads the networks
    times = [[seconds(side) for side in (decode, prepare, watching)] for _ in range(rounds)]
    frames = SECONDS * FPS
    with_ratios = [one[0] / one[1] for one in times]
    return {
        "video": path.parent.parent.name,
        "detector": name,
        "ratio": round(statistics.median(with_ratios), 3),
        "ratios": [round(one, 3) for one in with_ratios],
        "decode_fps": round(frames / min(one[0] for one in times)),
        "prepare_fps": round(frames / min(one[1] for one in times)),
        "watching_share": round(statistics.median(one[2] / one[1] for one in times), 2),
    }


def seconds(side: Callable[[], None]) -> float:
    """How long it takes."""
    start = time.perf_counter()
    side()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
