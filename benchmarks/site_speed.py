"""Time of `toonbench site` and `toonbench view`, on synthetic runs and on stored runs of the puppets.

    python benchmarks/site_speed.py synthetic [--pairs 1000] [--methods 5] [--workers 2]
    python benchmarks/site_speed.py list [--runs 2000]
    python benchmarks/site_speed.py view RUNS      # a folder of runs on one task, for example OUT/puppets@2/real2cartoon@4

`synthetic` makes runs with random rows of seven metrics, 60 frames each, and 40 different videos of 64 pixels; encoding is reported
apart. `view` copies the runs, builds once, changes all videos of one method, and times the command again, in a new process.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from toonbench import video
from toonbench.pool import Pool
from toonbench.registry import load_task
from toonbench.report.entries import find_entries
from toonbench.report.leaderboards import leaderboards
from toonbench.report.site import build_site
from toonbench.score import reduce
from toonbench.store import Run, run_folder, write_json
from toonbench.tasks import fingerprint
from toonbench.types import Clip, Pair

TASK = load_task("real2cartoon")
METRICS = {
    "l1@1": 1,
    "psnr@1": 1,
    "ssim@1": 1,
    "cpbd@1": 1,
    "stlpips_alex@1": 1,
    "landmark_nme@1": 2,
    "csim_sface@1": 2,
}
FRAMES, VIDEOS, SIDE = 60, 40, 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("synthetic", "list", "view"))
    parser.add_argument("place", nargs="?", type=Path)
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--methods", type=int, default=5)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TOONBENCH_CACHE"] = f"{folder}/cache"
        if asked.what == "synthetic":
            synthetic(Path(folder), pairs=asked.pairs, methods=asked.methods, workers=asked.workers)
        elif asked.what == "list":
            listing(Path(folder), runs=asked.runs)
        else:
            view(Path(folder), asked.place)


def made_pairs(count: int) -> list[Pair]:
    def clip(name: str, kind: str) -> Clip:
        return Clip(
            id=name,
            path=Path(name),
            domain="real" if kind == "video" else "cartoon",
            kind="video" if kind == "video" else "image",
        )

    drivings = [clip(f"driving-{at:03d}", "video") for at in range(-(-count // 10))]
    return [
        Pair(id=f"source-{at:04d}~{drivings[at // 10].id}", source=clip(f"source-{at:04d}", "image"), driving=drivings[at // 10],
             target=clip("target", "video"))
        for at in range(count)
    ]  # fmt: skip


def write_run(out: Path, pairs: list[Pair], name: str, *, seed: int) -> Run:
    run = Run(out / "made@1" / TASK.id / run_folder(name, "1"))
    about = {
        "data": "made@1", "data_fingerprint": "0" * 64, "task": TASK.id, "seed": 0, "limit": None,
        "pairs_fingerprint": fingerprint(TASK, pairs), "method": f"{name}@1", "environment": {},
    }  # fmt: skip
    write_json(run.description, about)
    rng = np.random.default_rng(seed)
    for metric, width in METRICS.items():
        (run.root / "rows" / metric).mkdir(parents=True)
        for pair in pairs:
            np.save(run.rows(metric, pair.id), rng.uniform(0.1, 0.9, (FRAMES - 1, width)).astype(np.float32))
    reduce(run, pairs, task=TASK, metrics=list(METRICS), about=about)
    return run


def synthetic(folder: Path, *, pairs: int, methods: int, workers: int) -> None:
    rng, own = np.random.default_rng(0), made_pairs(pairs)
    for at in range(VIDEOS):
        video.write_lossless(
            folder / "v" / f"{at}.mkv", rng.integers(0, 255, (FRAMES, SIDE, SIDE, 3), np.uint8), fps=25
        )
    for at in range(methods):
        run = write_run(folder / "runs", own, f"method-{at}", seed=at)
        (run.root / "videos").mkdir()
        for number, pair in enumerate(own):
            os.link(folder / "v" / f"{(number + 7 * at) % VIDEOS}.mkv", run.video(pair.id))
    started = time.perf_counter()
    entries = find_entries([folder / "runs"])
    leaderboards(entries)
    print(f"reading {methods} results and ranking them: {time.perf_counter() - started:.1f} s")
    for what in ("first build", "second build, nothing changed"):
        built = build_site(entries, folder / "site", pool=Pool(workers=workers))
        print(f"{what}, {built.pairs} pairs x {methods} methods: {built.seconds - built.encoding:.1f} s beside encoding, "
              f"{built.encoding:.1f} s reading and encoding ({built.encoded} videos), {built.written} files written")  # fmt: skip
    sizes = [path.stat().st_size for path in (folder / "site").rglob("*") if path.suffix in (".html", ".js", ".css")]
    print(f"largest page, script or data file: {max(sizes) / 1e3:.0f} kB")


def listing(folder: Path, *, runs: int) -> None:
    first = write_run(folder / "runs", made_pairs(12), "method-0000", seed=0)
    for at in range(1, runs):
        root = first.root.with_name(f"method-{at:04d}@1")
        shutil.copytree(first.root, root, ignore=shutil.ignore_patterns("rows"))
        (root / "rows").mkdir()
    for what in ("first", "again"):
        started, cpu = time.perf_counter(), time.process_time()
        found = find_entries([folder / "runs"])
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        print(f"listing {len(found)} runs, {what}: {seconds:.2f} s, {cpu:.2f} s of CPU")


def view(folder: Path, place: Path) -> None:
    runs = folder / "runs" / "puppets@2" / place.name
    shutil.copytree(place, runs)
    command = [sys.executable, "-m", "toonbench.cli", "view", str(runs), "--no-open"]
    timed("first view", command)
    timed("nothing changed", command)
    changed = sorted(path for path in runs.iterdir() if path.is_dir())[-1]
    for path in sorted((changed / "videos").iterdir()):
        made = video.read_video(path)
        made.frames[:, :4, :4] ^= 255
        video.write_lossless(path, made.frames, fps=made.fps)
    os.utime(changed / "result.json")
    timed(f"{changed.name} changed, {len(list((changed / 'videos').iterdir()))} videos", command)


def timed(what: str, command: list[str]) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{what}: {seconds:.2f} s, {cpu:.2f} s of CPU")


if __name__ == "__main__":
    main()
