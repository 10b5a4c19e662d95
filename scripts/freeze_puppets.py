"""Render the frozen evaluation split of puppets that ships in the package: clips, sources, targets, checksums.

Run once per version, by hand: `python scripts/freeze_puppets.py`. Its pixels never change afterwards; a new version
gets a new name.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

import toonbench
from toonbench.data import load
from toonbench.data.folder import SUMS, write_sums
from toonbench.pool import Pool, progress_to
from toonbench.puppets.make import VERSION, make_puppets
from toonbench.registry import load_task
from toonbench.store import write_bytes
from toonbench.tasks import STANDARD_TASKS, draw_pairs

HOME = Path(toonbench.__file__).parent / "puppets" / "frozen"


def main() -> int:
    options = _options()
    final: Path = options.out / options.name
    if final.exists():
        print(f"{final} exists and is frozen. Delete it by hand, or choose another --name.", file=sys.stderr)
        return 1
    root = options.out.parent / f".freezing-{options.name}"  # resumable, and no shipped set until it has its checksums
    make_puppets(
        root,
        split="test",
        clips=options.clips,
        images=options.images,
        frames=options.frames,
        size=options.size,
        step=options.step,
        seed=options.seed,
        tasks=STANDARD_TASKS,
        sources=options.sources,
        version=options.puppets_version,
        pool=Pool(workers=options.workers, progress=progress_to(_print)),
    )
    write_bytes(root / "README.md", ((root / "README.md").read_text() + _protocols(root)).encode())
    files = [path for path in root.rglob("*") if path.is_file() and path.name != SUMS]
    write_sums(root, (path.relative_to(root).as_posix() for path in files))
    megabytes = sum(path.stat().st_size for path in files) / 1e6
    print(f"\n{len(files)} files, {megabytes:.2f} MB")
    if megabytes > options.limit:
        print(f"more than --limit {options.limit} MB: left in {root}, not frozen; use fewer --clips or --frames.")
        return 1
    final.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(root, final)
    print(f"frozen: {final}")
    return 0


def _print(title: str, done: int, total: int) -> None:
    print(f"\r{title}: {done}/{total} ", end="", flush=True)


def _protocols(root: Path) -> str:
    """The number of pairs of each task in the split, beside the task's own number."""
    data = load(root)
    lines = ["\n## Protocols\n", "| task | driving videos | pairs | the task's full numbers |", "|---|---:|---:|---|"]
    for name in STANDARD_TASKS:
        task = load_task(name)
        pairs = draw_pairs(task, data.clips, targets=data.targets)
        full = (
            f"{task.videos} videos x {task.images} sources" if task.images else f"{task.videos} videos, own first frame"
        )
        lines.append(f"| `{task.name}` | {len({pair.driving.id for pair in pairs})} | {len(pairs)} | {full} |")
        if any(pair.target is None or pair.target.motion is None for pair in pairs):
            raise ValueError(f"{task.id}: a pair has no target with ground-truth motion")
    return "\n".join(lines) + "\n"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--out", type=Path, default=HOME, help="folder of frozen splits")
    parser.add_argument("--name", default="puppets@2")
    parser.add_argument("--clips", type=int, default=12, help="driving videos per domain")
    parser.add_argument("--images", type=int, default=12, help="sources per domain")
    parser.add_argument("--sources", type=int, default=1, help="sources per driving video that get a target")
    parser.add_argument("--frames", type=int, default=30)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--step", type=int, default=3, help="take every step-th frame of a 30 fps motion")
    parser.add_argument("--seed", type=int, default=31)
    parser.add_argument("--puppets-version", type=int, default=VERSION, help="version of the puppets' motion")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--limit", type=float, default=35.0, help="refuse more megabytes than this")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
