"""Speed and memory of `prepare-cartoon` against plain decoding, in one run.

    python benchmarks/curation_speed.py
    python benchmarks/curation_speed.py --memory 10 120

FILMS films of puppets are made and decoded (every frame as RGB, one thread of Python). Then one of them is prepared with each
detector by one worker, and all of them with the default detectors by one worker and by two, each run in a process of its own.
`ratio` is the time of decoding over that of preparing: 1 would be as fast as decoding. `cpu_seconds` are those of all threads and
processes, and `start_seconds` what a process needs before its first frame (packages, networks), which is not in the times of one
film. `two_cores` is what the ratio would be if two cores had nothing else to do and shared the work evenly: 2 x CPU seconds of
decoding / CPU seconds of preparing. `--memory` prepares a film of as many minutes, one after the other, and reports the peak of the
process itself (sampled every 20 ms). Its frames are those of the first film, repeated. Writes results/curation_speed.json or
results/curation_memory.json.
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
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from score_memory import Peak

from toonbench import video
from toonbench.pool import Pool
from toonbench.prepare.detectors import detector as find
from toonbench.prepare.films.curation import Curation
from toonbench.prepare.films.pipeline import STAGES, prepare_films
from toonbench.types import Frame

HERE = Path(__file__).parent
DETECTORS = ("fused", "drawn", "mtcnn")
FILMS = 4
FIRST = 60  # frames that are prepared before the time is taken


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        print(json.dumps(child(Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--height", type=int, default=720)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--memory", type=float, nargs="*", default=[], help="minutes of films whose memory is measured")
    parser.add_argument("--films", type=Path, help="a folder of films that are measured instead of new ones")
    parser.add_argument("--detectors", nargs="+", default=DETECTORS)
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []

    def add(row: dict[str, Any]) -> None:
        rows.append(row)
        print(row, flush=True)

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        count = 1 if options.memory else FILMS
        films = options.films or _films(root, height=options.height, seconds=options.seconds, count=count)
        film = min(films.glob("*.mp4"))
        for minutes in options.memory:
            add(
                {"minutes": minutes} | _run(_longer(film, root / f"{minutes}.mp4", minutes=minutes), "drawn", workers=1)
            )
        if not options.memory:
            for name in options.detectors:
                add(_run(film, name, workers=1))
            for workers in (1, 2):
                add(_run(films, options.detectors[0], workers=workers))
    about = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "height": options.height,
        "rows": rows,
    }
    name = "curation_memory.json" if options.memory else "curation_speed.json"
    (HERE / "results" / name).write_text(json.dumps(about, indent=1) + "\n")


def _films(root: Path, *, height: int, seconds: float, count: int) -> Path:
    from toonbench.puppets.films.make import make_films

    make_films(root / "films", films=count, seed=3, seconds=(seconds, seconds), domain="cartoon", height=height)
    return root / "films" / "films"


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


def _run(films: Path, detector: str, *, workers: int) -> dict[str, Any]:
    command = [sys.executable, __file__, "--child", str(films), detector, str(workers)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout)


def child(source: Path, detector: str, workers: int) -> dict[str, Any]:
    """Decode and prepare one film, or all films of a folder."""
    films = sorted(source.glob("*.mp4")) if source.is_dir() else [source]
    began, used = time.perf_counter(), _cpu()
    frames = sum(1 for film in films for _ in video.iter_frames(film))
    decoding, decoding_cpu = time.perf_counter() - began, _cpu() - used
    started = _start(films[0], detector) if source.is_file() else 0.0
    stages: dict[str, float] = {}
    last = [time.perf_counter()]

    def progress(title: str, done: int, total: int) -> None:
        if done == 0:
            last[0] = time.perf_counter()
        if done == total:
            stages[title] = round(time.perf_counter() - last[0], 2)

    from toonbench.pool import progress_to

    peak, pool = Peak(), Pool(workers=workers, progress=progress_to(progress))
    with tempfile.TemporaryDirectory() as folder:
        began, used = time.perf_counter(), _cpu()
        made = prepare_films(source, Path(folder) / "set", options=Curation(detector=detector), pool=pool)
        seconds, cpu = time.perf_counter() - began, _cpu() - used
    assert set(stages) <= {title for title, _ in STAGES} | {"preparing films"}
    return {
        "detector": detector,
        "films": len(films),
        "workers": workers,
        "frames": frames,
        "clips": len(made.kept),
        "start_seconds": round(started, 2),
        "decoding_seconds": round(decoding, 2),
        "preparing_seconds": round(seconds, 2),
        "ratio": round(decoding / seconds, 3),
        "cpu_seconds": round(cpu, 2),
        "two_cores": round(2 * decoding_cpu / cpu, 3),
        "stages": stages,
        "peak_MB": round(peak.stop(), 1),
    }


def _start(film: Path, detector: str) -> float:
    """Prepare the first seconds of a film, so that packages and networks are loaded; return the CPU seconds of that."""
    began = _cpu()
    with tempfile.TemporaryDirectory() as folder:
        info = video.probe(film)
        frames = islice(video.iter_frames(film), FIRST)
        short = Path(folder) / "short.mp4"
        video.write_film(short, frames, fps=round(info.fps), width=info.width, height=info.height)
        prepare_films(short, Path(folder) / "set", options=Curation(detector=detector))
        if detector in ("fused", "mtcnn"):
            find("mtcnn")(np.zeros((360, 640, 3), np.uint8))
    return _cpu() - began


def _cpu() -> float:
    """CPU seconds of this process, and of its workers that have ended."""
    return sum(part for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN) for part in resource.getrusage(who)[:2])


if __name__ == "__main__":
    main()
