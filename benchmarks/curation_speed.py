"""Speed and memory of `prepare-cartoon` against plain decoding, in one run.

    python benchmarks/curation_speed.py
    python benchmarks/curation_speed.py --memory 10 120

A film of puppets is made, then decoded (every frame as RGB, one thread of Python), then prepared with each detector in one process,
each in a process of its own. `ratio` is the time of decoding over that of preparing: 1 would be as fast as decoding. The seconds of the
stages say what bounds it. `--memory` prepares a film of as many minutes, one after the other, and reports the peak of the process
itself (sampled every 20 ms). Its frames are those of the first film, repeated. Writes results/curation_speed.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from score_memory import Peak

from toonbench import video
from toonbench.pool import Pool
from toonbench.prepare.films.curation import Curation
from toonbench.prepare.films.pipeline import STAGES, prepare_films
from toonbench.types import Frame

HERE = Path(__file__).parent
DETECTORS = ("fused", "drawn", "mtcnn")


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        print(json.dumps(child(Path(sys.argv[2]), sys.argv[3])))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--height", type=int, default=720)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--memory", type=float, nargs="*", default=[], help="minutes of films whose memory is measured")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        film = _film(root, height=options.height, seconds=options.seconds)
        rows = [_run(film, name) for name in DETECTORS] if not options.memory else []
        for minutes in options.memory:
            rows.append({"minutes": minutes} | _run(_longer(film, root / f"{minutes}.mp4", minutes=minutes), "drawn"))
    about = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": platform.machine(),
        "load": os.getloadavg()[0],
        "height": options.height,
        "rows": rows,
    }
    name = "curation_memory.json" if options.memory else "curation_speed.json"
    (HERE / "results" / name).write_text(json.dumps(about, indent=1) + "\n")
    for row in rows:
        print(row)


def _film(root: Path, *, height: int, seconds: float) -> Path:
    from toonbench.puppets.films.make import make_films

    make_films(root / "films", films=1, seed=3, seconds=(seconds, seconds), domain="cartoon", height=height)
    return next((root / "films" / "films").glob("*.mp4"))


def _longer(film: Path, path: Path, *, minutes: float) -> Path:
    info = video.probe(film)

    def frames() -> Iterator[Frame]:
        left = round(minutes * 60 * info.fps)
        while left > 0:
            for frame in video.iter_frames(film):
                yield frame
                left -= 1
                if not left:
                    return

    video.write_film(path, frames(), fps=round(info.fps), width=info.width, height=info.height)
    return path


def _run(film: Path, detector: str) -> dict[str, Any]:
    command = [sys.executable, __file__, "--child", str(film), detector]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout)


def child(film: Path, detector: str) -> dict[str, Any]:
    """Decode and prepare one film."""
    began = time.perf_counter()
    frames = sum(1 for _ in video.iter_frames(film))
    decoding = time.perf_counter() - began
    stages: dict[str, float] = {}
    last = [time.perf_counter()]

    def progress(title: str, done: int, total: int) -> None:
        if done == total:
            stages[title] = round(time.perf_counter() - last[0], 2)
        last[0] = time.perf_counter()

    from toonbench.pool import progress_to

    peak = Peak()
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        made = prepare_films(
            film, Path(folder) / "set", options=Curation(detector=detector), pool=Pool(progress=progress_to(progress))
        )
        seconds = time.perf_counter() - began
    assert set(stages) <= {title for title, _ in STAGES}
    return {
        "detector": detector,
        "frames": frames,
        "clips": len(made.kept),
        "decoding_seconds": round(decoding, 2),
        "preparing_seconds": round(seconds, 2),
        "ratio": round(decoding / seconds, 3),
        "stages": stages,
        "peak_MB": round(peak.stop(), 1),
    }


if __name__ == "__main__":
    main()
