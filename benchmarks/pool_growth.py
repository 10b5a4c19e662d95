"""Growth of a computation from 100 to 1,000 items, with local processes and with Ray: puppet clips of 8 frames at 64 px.

    OMP_NUM_THREADS=1 python benchmarks/pool_growth.py [ITEMS ...]

The backends take turns in one run with the same number of processes: read the ratios. Start-up (processes, Ray, imports) is a run over one
item per process, and is part of the times. All clips are compared, byte for byte. Writes benchmarks/results/pool_growth.json.
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
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
WORKERS = 2


def main() -> None:
    sizes = [int(text) for text in sys.argv[1:]] or [100, 1000]
    result: dict[str, Any] = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "ray": metadata.version("ray"),
        "workers": WORKERS,
        "seconds": {},
    }
    runs = {"local": [], "ray": ["--pool", "ray", "--address", "local"]}
    with tempfile.TemporaryDirectory() as folder:
        for items in (2 * WORKERS, *sizes):
            digests: set[str] = set()
            for name, options in runs.items():
                out = Path(folder) / f"{name}-{items}"
                result["seconds"].setdefault(name, {})[str(items)] = make(out, items, options)
                digests.add(digest(out))
            assert len(digests) == 1, f"the clips of the backends differ at {items} items"
            print(items, {name: result["seconds"][name][str(items)] for name in runs}, flush=True)
    times = result["seconds"]
    last, first = str(sizes[-1]), str(sizes[0])
    result["ray_to_local"] = {
        str(items): round(times["ray"][str(items)] / times["local"][str(items)], 3) for items in sizes
    }
    result["growth"] = {name: round(times[name][last] / times[name][first], 2) for name in runs}
    result["growth_without_start"] = {
        name: round((times[name][last] - start) / (times[name][first] - start), 2)
        for name in runs
        if (start := times[name][str(2 * WORKERS)])
    }
    target = HERE / "results/pool_growth.json"
    target.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


def make(out: Path, items: int, options: list[str]) -> float:
    """Seconds of `make-puppets` for `items` clips, half of each domain."""
    command = [sys.executable, "-m", "toonbench.cli", "make-puppets", "--out", str(out), "--clips", str(items // 2)]
    command += ["--images", "0", "--frames", "8", "--size", "64", "--workers", str(WORKERS), "--quiet", *options]
    begun = time.perf_counter()
    subprocess.run(command, check=True)
    seconds = round(time.perf_counter() - begun, 2)
    assert len(list(out.glob("clips/*.mkv"))) == items // 2 * 2
    return seconds


def digest(folder: Path) -> str:
    """One checksum of all files and their names."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{path.relative_to(folder)} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in files]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


if __name__ == "__main__":
    main()
