"""CPBD: CPU time of the reference package against ours, interleaved in one process, at equal values.

    python benchmarks/cpbd_speed.py [GOLDENS_FOLDER]

Fetches `cpbd` 1.0.7 from PyPI into a temporary folder (nothing is installed) and works round its import of
`scipy.ndimage.imread`, which SciPy no longer has. Images: the goldens (default ../shared/parity/metrics) of 256 x 256,
and at 512 x 512 four tiles of those beside the one golden of that size. Writes benchmarks/results/cpbd_speed.json.
"""

from __future__ import annotations

import importlib
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from toonbench.metrics.cpbd import cpbd

HERE = Path(__file__).parent
GOLDENS = HERE.parent.parent / "shared/parity/metrics"
REPEATS = 3  # of the package
OURS_PER_REPEAT = 20  # so that a millisecond is measured above the clock's grain

Compute = Callable[[NDArray[np.uint8]], float]


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else GOLDENS
    first_call = timed(cpbd, np.zeros((64, 64), np.uint8), 1) + timed(cpbd, np.tri(64, dtype=np.uint8), 1)
    with tempfile.TemporaryDirectory() as place:
        package = reference(Path(place))
        sizes = {str(size): compare(package, images) for size, images in golden_images(folder).items()}
    result = {
        "what": "CPU milliseconds a frame (process_time), gray uint8 in, one process",
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.processor() or platform.machine()}, Python {platform.python_version()}",
        "first_call_ms": first_call,  # numba's import, and compiling unless it is on disk
        "sizes": sizes,
    }
    target = HERE / "results/cpbd_speed.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(result, indent=1) + "\n")
    for size, figures in sizes.items():
        print(
            f"{size} px, {figures['images']} images: package {figures['package_ms']['median']:.0f} ms, "
            f"toonbench {figures['toonbench_ms']['median']:.2f} ms; ratio median {figures['ratio']['median']:.0f}, "
            f"least {figures['ratio']['least']:.0f}; all together {figures['ratio']['of_sums']:.0f}; "
            f"largest difference {figures['largest_difference']:.1e}"
        )
    print(f"written to {target}")


def reference(place: Path) -> Compute:
    """The package's own function, unchanged."""
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(place), "cpbd==1.0.7"]
    subprocess.run(command, check=True)
    sys.path.insert(0, str(place))
    ndimage: Any = importlib.import_module("scipy.ndimage")
    ndimage.imread = None
    return importlib.import_module("cpbd").compute


def golden_images(folder: Path) -> dict[int, dict[str, NDArray[np.uint8]]]:
    gray: dict[str, NDArray[np.uint8]] = {}
    for path in sorted(folder.glob("cpbd_goldens_*.npz")):
        with np.load(path) as stored:
            for name in stored.files:
                image = stored[name]
                gray[name] = image if image.ndim == 2 else np.asarray(Image.fromarray(image).convert("L"))
    if not gray:
        raise SystemExit(f"no cpbd_goldens_*.npz in {folder}; give the folder that holds them")
    small = {name: image for name, image in gray.items() if image.shape == (256, 256)}
    tiles = {f"{name} x4": np.tile(image, (2, 2)) for name, image in list(small.items())[::6]}
    return {256: small, 512: {name: image for name, image in gray.items() if image.shape == (512, 512)} | tiles}


def compare(package: Compute, images: dict[str, NDArray[np.uint8]]) -> dict[str, Any]:
    theirs, ours, differences = [], [], []
    for image in images.values():
        rounds = [(timed(package, image, 1), timed(cpbd, image, OURS_PER_REPEAT)) for _ in range(REPEATS)]
        theirs.append(statistics.median(their for their, _ in rounds))
        ours.append(statistics.median(our for _, our in rounds))
        differences.append(abs(package(image) - cpbd(image)))
    assert max(differences) <= 1e-12, f"values differ by {max(differences)}"
    ratios = [their / our for their, our in zip(theirs, ours, strict=True)]
    return {
        "images": len(images),
        "package_ms": spread(theirs),
        "toonbench_ms": spread(ours),
        "ratio": {
            "median": statistics.median(ratios),
            "least": min(ratios),
            "most": max(ratios),
            "of_sums": sum(theirs) / sum(ours),
        },
        "largest_difference": max(differences),
    }


def timed(function: Compute, image: NDArray[np.uint8], repeats: int) -> float:
    start = time.process_time()
    for _ in range(repeats):
        function(image)
    return (time.process_time() - start) / repeats * 1000


def spread(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "least": min(values), "most": max(values)}


if __name__ == "__main__":
    main()
