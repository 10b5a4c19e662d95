"""Growth of a computation from 100 to 1,000 items, with local processes and with Ray: puppet clips of 4 frames at 32 px.

    OMP_NUM_THREADS=1 python benchmarks/pool_growth.py [ITEMS ...]

The backends take turns in one run with the same number of processes. CPU seconds are those of the command and of all its processes, Ray's
included, and depend little on other load of the machine; wall-clock seconds depend on it. Start-up (processes, Ray, imports) is a run over
4 items, and is subtracted for `growth`. All files are compared, byte for byte. Writes benchmarks/results/pool_growth.json.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

HERE = Path(__file__).parent
WORKERS = 2
START = 2 * WORKERS  # items
RUNS: dict[str, list[str]] = {"local": [], "ray": ["--pool", "ray", "--address", "local"]}


def main() -> None:
    sizes = [int(text) for text in sys.argv[1:]] or [100, 1000]
    runs: dict[str, dict[int, dict[str, float]]] = {name: {} for name in RUNS}
    with tempfile.TemporaryDirectory() as folder:
        for items in (START, *sizes):
            digests: set[str] = set()
            for name, options in RUNS.items():
                out = Path(folder) / f"{name}-{items}"
                runs[name][items] = make(out, items, options)
                digests.add(digest(out))
                print(items, name, runs[name][items], flush=True)
            assert len(digests) == 1, f"the files of the backends differ at {items} items"
    result: dict[str, Any] = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "load": round(os.getloadavg()[2], 1),
        "ray": metadata.version("ray"),
        "workers": WORKERS,
        "runs": runs,
        "growth": {name: growth(runs[name], sizes) for name in RUNS},
        "growth_of_items": round((sizes[-1] - START) / (sizes[0] - START), 2),
        "ray_to_local": {
            items: {kind: round(runs["ray"][items][kind] / runs["local"][items][kind], 2) for kind in ("cpu", "wall")}
            for items in sizes
        },
    }
    (HERE / "results/pool_growth.json").write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


def growth(run: dict[int, dict[str, float]], sizes: list[int]) -> dict[str, float]:
    """Seconds of the last size over those of the first, both without start-up."""
    return {
        kind: round((run[sizes[-1]][kind] - run[START][kind]) / (run[sizes[0]][kind] - run[START][kind]), 2)
        for kind in ("cpu", "wall")
    }


def make(out: Path, items: int, options: list[str]) -> dict[str, float]:
    """CPU and wall-clock seconds of `make-puppets` for `items` clips, half of each domain."""
    command = [sys.executable, "-m", "toonbench.cli", "make-puppets", "--out", str(out), "--clips", str(items // 2)]
    command += ["--images", "0", "--frames", "4", "--size", "32", "--workers", str(WORKERS), "--quiet", *options]
    used: dict[psutil.Process, float] = {}
    begun = time.perf_counter()
    process = psutil.Popen(command)
    while process.poll() is None:
        with suppress(psutil.Error):
            for one in (process, *process.children(recursive=True)):
                with suppress(psutil.Error):
                    spent = one.cpu_times()
                    used[one] = spent.user + spent.system
        time.sleep(0.1)
    wall = time.perf_counter() - begun
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    assert len(list(out.glob("clips/*.mkv"))) == items // 2 * 2
    return {"cpu": round(sum(used.values()), 1), "wall": round(wall, 1)}


def digest(folder: Path) -> str:
    """One checksum of all files and their names."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{path.relative_to(folder)} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in files]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


if __name__ == "__main__":
    main()
