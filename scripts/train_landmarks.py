"""Train the landmark network from the start: draw its pictures, train, measure its noise floor, write weights and card.

    python scripts/train_landmarks.py --work DIR

It resumes after an interruption. It draws 21,000 pictures of seven styles (1.1 GB) into DIR.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import platform
import time
from pathlib import Path

from toonbench.landmarks.card import card, measure_floor
from toonbench.landmarks.data import draw_pictures
from toonbench.landmarks.training import Plan, train
from toonbench.networks.landmarks import WEIGHTS, write_weights
from toonbench.pool import Pool, progress_to
from toonbench.store import write_bytes, writing

PLAN = Plan()


def main() -> None:
    options = _options()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    pool = Pool(workers=options.workers, progress=progress_to(_log))
    begun = time.monotonic()
    data = draw_pictures(
        options.work,
        split="train",
        looks=options.looks,
        frames=options.frames,
        pool=pool,
    )
    drawn = time.monotonic()
    plan = dataclasses.replace(PLAN, steps=options.steps, workers=options.workers)
    network = train(data, plan, folder=options.work)
    with writing(WEIGHTS) as temporary:
        write_weights(network, temporary)
    trained = time.monotonic()
    floors = measure_floor(clips=options.clips, frames=options.clip_frames, pool=pool)
    about = (
        f"Trained by `python scripts/train_landmarks.py --looks {options.looks} --frames {options.frames} "
        f"--steps {options.steps} --workers {options.workers}`:\n"
        f"{len(data.frames):,} pictures ({options.looks} looks of each of {len(data.names)} styles, {options.frames} poses "
        f"each, drawn in {(drawn - begun) / 60:.0f} min), {plan.steps} steps of {plan.batch}\n"
        f"pictures on {plan.workers} CPU processes ({platform.machine()}, {(trained - drawn) / 60:.0f} min, other work on the same "
        f"machine). Seed {plan.seed}. Times are of the last start.\n"
        "Training pictures are mirrored, turned, zoomed, bent, tinted, blurred, smeared, softened, ghosted, wrecked, made\n"
        "noisy and compressed (`toonbench/landmarks/damage.py`); a tenth of them show no face.\n"
        f"Floor: {options.clips} clips of {options.clip_frames} frames of each style, 30 frames a second."
    )
    text = card(floors, network=network, size=WEIGHTS.stat().st_size, about=about)
    write_bytes(WEIGHTS.with_suffix(".md"), text.encode())
    print(text)


def _log(title: str, done: int, total: int) -> None:
    if done % 20 == 0:
        logging.info("%s: %d of %d", title, done, total)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for pictures and checkpoints")
    parser.add_argument("--looks", type=int, default=500, help="looks of each style, a multiple of 25")
    parser.add_argument("--frames", type=int, default=6, help="poses of each look")
    parser.add_argument("--steps", type=int, default=PLAN.steps, help="training steps")
    parser.add_argument("--clips", type=int, default=5, help="held-out clips of each style")
    parser.add_argument("--clip-frames", type=int, default=90, help="frames of each")
    parser.add_argument("--workers", type=int, default=2, help="processes; another number gives other bytes")
    return parser.parse_args()


if __name__ == "__main__":
    main()
