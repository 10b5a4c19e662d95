"""Train the minis of the baselines on puppets, one after the other, in short chunks: run it again until it says that all are ready.

    toonbench make-puppets --split train --out puppets_train
    python scripts/train_minis.py --data puppets_train --out runs --minutes 9

`--methods toontalker-puppets` trains ToonTalker with labels of puppets (`--config mini-puppets`), `--methods toontalker paired-labels
paired-pairs` the minis of unpaired and paired training (docs/paired_training.md). A chunk ends at the first checkpoint
after `--minutes`, with exit status 3; the same command resumes. 0 means that all are trained. DaGAN's depth network is trained before
its mini. On a GPU, one process trains instead of those of the configuration.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from toonbench import registry
from toonbench.environment import pick_device
from toonbench.training.checkpoint import CHECKPOINT
from toonbench.types import ToonbenchError

METHODS = ("fomm", "lia", "dagan", "maa")
PAIRED = (
    "toontalker",
    "paired-labels",
    "paired-pairs",
)  # unpaired and paired training; the last one needs puppets with targets
GUIDED = "toontalker-puppets"  # ToonTalker with another configuration
WEIGHTS = "weights.safetensors"


class TimeOver(Exception):
    """The chunk's time is over."""


def main() -> int:
    options = _options()
    options.device = pick_device(options.device)
    deadline = time.monotonic() + 60.0 * options.minutes
    for method in options.methods:
        out = options.out / f"{method}_mini"
        if (out / WEIGHTS).is_file():
            print(f"{method}: ready")
            continue
        if method == "dagan" and not (out / "depth.json").is_file():
            script = Path(__file__).parent / "train_puppet_depth.py"
            subprocess.run([sys.executable, str(script), "--data", str(options.data), "--out", str(out)], check=True)
        try:
            _train(method, options, out, watch=watch(out, deadline))
        except TimeOver as over:
            print(f"{method}: {over}; run again")
            return 3
        print(f"{method}: trained")
    return 0


def watch(out: Path, deadline: float) -> Callable[[int, int], None]:
    """A progress function that stops the training at the first checkpoint after the deadline."""
    last = _changed(out)

    def on_progress(done: int, total: int) -> None:
        nonlocal last
        changed = _changed(out)
        if changed == last:
            return
        last = changed
        if time.monotonic() > deadline and done < total:
            raise TimeOver(f"{done} of {total} steps")

    return on_progress


def _changed(out: Path) -> int:
    """When the checkpoint was written; 0 if there is none."""
    path = out / CHECKPOINT
    return path.stat().st_mtime_ns if path.is_file() else 0


def _train(method: str, options: argparse.Namespace, out: Path, *, watch: Callable[[int, int], None]) -> None:
    from toonbench.data.open import cache_folder, open_data
    from toonbench.data.supervision import supervised
    from toonbench.training.clips import few_lines, load_sets, skipped_lines

    name, config = ("toontalker", "mini-puppets") if method == GUIDED else (method, "mini")
    cls = registry.load("methods", name)
    overrides = () if options.device == "cpu" or name not in PAIRED else ("workers=1",)
    needs = cls.clip_needs(config, overrides=overrides)
    data = open_data(str(options.data))
    cache = cache_folder() / "training"
    clips = load_sets({data.id: data.clips}, size=needs.size, domains=needs.domains, cache=cache)
    for line in (*skipped_lines(clips), *few_lines(clips)):
        print(line, file=sys.stderr)
    clips = supervised(clips, data, needs=needs, cache=cache)
    cls.train(clips, out, config=config, device=options.device, overrides=overrides, on_progress=watch)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of a data set of puppets")
    parser.add_argument("--out", type=Path, required=True, help="folder with a folder for each mini")
    parser.add_argument(
        "--methods", nargs="+", default=list(METHODS), choices=[*METHODS, GUIDED, *PAIRED], help="whose minis"
    )
    parser.add_argument("--minutes", type=float, default=9.0, help="length of a chunk")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ToonbenchError as error:
        sys.exit(f"{Path(__file__).name}: {error}")
