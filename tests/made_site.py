"""Runs for tests of pages: a data set and videos whose frames show their number, and random rows instead of measured ones."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from toonbench import video
from toonbench.data.folder import file_sha256, load
from toonbench.data.table import CLIPS, TARGETS
from toonbench.registry import load_task
from toonbench.report.entries import find_entries
from toonbench.report.site import build_site, open_sets
from toonbench.score import reduce
from toonbench.store import Run, run_folder, write_json
from toonbench.tasks import draw_pairs, fingerprint
from toonbench.types import Clip, Domain, Kind, Pair

SIZE, FPS = 64, 25
BLOCKS = [(row, column) for row in range(2) for column in range(4)]  # of 16 pixels, a bit each
TASK = "real2cartoon"
METRICS = ("l1@1", "psnr@1")


def numbered(count: int, *, colour: int) -> np.ndarray:
    """Frames (count, 64, 64, 3) whose upper half shows their number in black and white blocks."""
    frames = np.full((count, SIZE, SIZE, 3), 128, np.uint8)
    rows, columns = np.mgrid[:SIZE, :SIZE]
    for t in range(count):
        for bit, (row, column) in enumerate(BLOCKS):
            frames[t, 16 * row : 16 * row + 16, 16 * column : 16 * column + 16] = 255 * (t >> bit & 1)
        frames[t, (rows - 48) ** 2 + (columns - 10 - t % 44) ** 2 < 80] = (colour, 90, 255 - colour)
    return frames


def write_numbered(root: Path, *, frames: int, sources: int) -> Path:
    """A data set with one real driving video, cartoon sources and targets, all with numbered frames."""
    rows, targets = [], []

    def add(name: str, domain: str, kind: str, pixels: np.ndarray) -> None:
        path = root / ("clips" if kind == "video" else "images") / f"{name}.{'mkv' if kind == 'video' else 'png'}"
        if kind == "video":
            video.write_lossless(path, pixels, fps=FPS)
        else:
            video.write_png(path, pixels[0])
        rows.append(
            {"id": name, "file": path.relative_to(root).as_posix(), "domain": domain, "kind": kind, "identity": name, "title": "t",
             "split": "test", "fps": float(FPS) if kind == "video" else 0.0, "frames": len(pixels), "width": SIZE, "height": SIZE,
             "provenance": "test", "licence": "Apache-2.0", "sha256": file_sha256(path)}
        )  # fmt: skip

    add("film-0", "real", "video", numbered(frames, colour=200))
    for at in range(sources):
        add(f"face-{at}", "cartoon", "image", numbered(1, colour=30 * at))
        path = root / "targets" / f"face-{at}~film-0.mkv"
        video.write_lossless(path, numbered(frames, colour=30 * at), fps=FPS)
        targets.append(
            {"source": f"face-{at}", "driving": "film-0", "motion": "relative", "frames": frames,
             "file": path.relative_to(root).as_posix(), "sha256": file_sha256(path)}
        )  # fmt: skip
    TARGETS.write(root, targets)
    CLIPS.write(root, rows)
    return root


def made_pairs(names: Sequence[str], drivings: Sequence[str] = ("d0", "d1", "d2")) -> list[Pair]:
    """A pair for each name of a source; no files belong to them."""

    def clip(name: str, domain: Domain, kind: Kind) -> Clip:
        return Clip(id=name, path=Path(name), domain=domain, kind=kind)

    return [
        Pair(id=f"{name}~{drivings[at % len(drivings)]}".replace("/", "-"), source=clip(name, "cartoon", "image"),
             driving=clip(drivings[at % len(drivings)], "real", "video"), target=clip("t", "cartoon", "video"))
        for at, name in enumerate(names)
    ]  # fmt: skip


def write_run(
    out: Path,
    pairs: Sequence[Pair],
    *,
    method: str,
    revision: str = "1",
    data: str = "made@1",
    fingerprint_of_data: str = "0" * 64,
    frames: int = 10,
    level: float = 0.1,
    without: Sequence[str] = (),
    caveats: Sequence[str] = (),
) -> Run:
    """A scored run with random rows of two metrics; `without` are pairs that failed."""
    task = load_task(TASK)
    run = Run(out / data / task.id / run_folder(method, revision))
    about = {
        "data": data, "data_fingerprint": fingerprint_of_data, "task": task.id, "seed": 0, "limit": None,
        "pairs_fingerprint": fingerprint(task, pairs), "method": f"{method}@{revision}",
        "environment": {"toonbench": "0.1.0", "python": "3", "platform": "test", "packages": {"numpy": "2"}},
    }  # fmt: skip
    write_json(run.description, {**about, "schema": 1, "device": "cpu"})
    rng = np.random.default_rng(len(method) + int(1000 * level))
    for pair in pairs:
        if pair.id in without:
            run.fail(pair.id, stage="generate", reason="the method <b>gave up</b>")
            continue
        errors = np.abs(level + 0.02 * rng.standard_normal((frames - 1, 1))).astype(np.float32)
        run.write_rows("l1@1", pair.id, errors)
        run.write_rows("psnr@1", pair.id, -20 * np.log10(errors))
    reduce(run, pairs, task=task, metrics=METRICS, about=about, caveats=caveats)
    return run


def make_runs(root: Path, *, frames: int = 50, sources: int = 3) -> tuple[Path, Path]:
    """A data set and a folder of runs on it. `other` failed on the first pair; `oracle` shows the targets."""
    data = write_numbered(root / "data", frames=frames, sources=sources)
    opened = load(data)
    pairs = draw_pairs(load_task(TASK), opened.clips, targets=opened.targets)
    common = {"data": opened.id, "fingerprint_of_data": opened.fingerprint, "frames": frames}
    for at, name in enumerate(("mine", "other", "static", "oracle")):
        without = [pairs[0].id] if name == "other" else []
        run = write_run(root / "runs", pairs, method=name, level=0.2 - 0.06 * at, without=without, **common)
        for pair in pairs:
            if pair.id not in without:
                colour = 30 * int(pair.source.id[-1]) if name == "oracle" else 60 * at + 20
                video.write_lossless(run.video(pair.id), numbered(frames, colour=colour), fps=FPS)
    return data, root / "runs"


def make_site(root: Path, **options: int) -> Path:
    """A site of `make_runs`."""
    data, runs = make_runs(root, **options)
    build_site(find_entries([runs]), root / "site", data=open_sets([str(data)]))
    return root / "site"
