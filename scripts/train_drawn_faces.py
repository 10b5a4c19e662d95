"""Train the detector of drawn faces from the start: draw its material, train, measure it, write weights and card.

    python scripts/train_drawn_faces.py --work DIR

It resumes after an interruption. It draws 2,240 puppets, 4,000 sketches and 400 backgrounds (1.5 GB) into DIR.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import platform
from pathlib import Path

from toonbench.faces_training.card import card, measure
from toonbench.faces_training.cutouts import LOOKS, draw_cutouts
from toonbench.faces_training.material import BATCH, draw_material
from toonbench.faces_training.training import Plan, train
from toonbench.networks.drawn_faces import WEIGHTS, read_weights, write_weights
from toonbench.pool import Pool, progress_to
from toonbench.store import write_bytes, writing

PLAN = Plan()


def main() -> None:
    options = _options()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    pool = Pool(workers=options.workers, progress=progress_to(_log))
    numbers = {"looks": options.looks, "poses": options.poses, "sketches": options.sketches, "plates": options.plates}
    material = draw_material(options.work, split="train", pool=pool, **numbers)
    plan = dataclasses.replace(
        PLAN,
        steps=options.steps,
        batch=options.batch,
        workers=1 if options.device != "cpu" else options.workers,
        device=options.device,
        loaders=options.workers if options.device != "cpu" else 0,
    )
    network = train(material, plan, folder=options.work).cpu()
    with writing(WEIGHTS) as temporary:
        write_weights(network, temporary)
    about = _about(options, plan, figures=len(material.frames))
    held_out = draw_material(options.work, split="test", looks=LOOKS, poses=1, sketches=BATCH, plates=40, pool=pool)
    puppets = draw_cutouts(options.work, split="test", looks=LOOKS, poses=1)
    names = [puppets.names[number] for number in puppets.style] + ["sketch"] * BATCH
    measured = measure(read_weights(), held_out, styles=names, scenes=options.scenes)
    text = card(measured, network=network, size=WEIGHTS.stat().st_size, about=about)
    write_bytes(WEIGHTS.with_suffix(".md"), text.encode())
    print(text)


def _about(options: argparse.Namespace, plan: Plan, *, figures: int) -> str:
    flags = " ".join(
        f"--{name} {getattr(options, name)}"
        for name in ("looks", "poses", "sketches", "plates", "steps", "batch", "workers", "device")
    )
    where = "CPU processes" if plan.device == "cpu" else "one GPU"
    return (
        f"Trained by `python scripts/train_drawn_faces.py {flags}`\n"
        f"on {figures:,} figures that toonbench draws: {figures - options.sketches:,} puppets of every style, every second one with\n"
        f"the proportions of another hand, and {options.sketches:,} sketches in two dimensions; {plan.steps} steps of {plan.batch}\n"
        f"scenes of 256 pixels on {where} ({platform.machine()}). Seed {plan.seed}.\n"
        "No picture made by anyone else was used, except scikit-image's bundled pictures without a face, as backgrounds."
    )


def _log(title: str, done: int, total: int) -> None:
    if done % 20 == 0:
        logging.info("%s: %d of %d", title, done, total)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for pictures and checkpoints")
    parser.add_argument("--looks", type=int, default=80, help="looks of each style, a multiple of 20")
    parser.add_argument("--poses", type=int, default=4, help="poses of each look")
    parser.add_argument("--sketches", type=int, default=4000, help="drawings in two dimensions, a multiple of 100")
    parser.add_argument("--plates", type=int, default=400, help="pictures without a face")
    parser.add_argument("--steps", type=int, default=PLAN.steps, help="training steps")
    parser.add_argument("--batch", type=int, default=PLAN.batch, help="scenes of a step")
    parser.add_argument("--device", default=PLAN.device, help="cpu or cuda")
    parser.add_argument("--scenes", type=int, default=160, help="held-out scenes of each style")
    parser.add_argument("--workers", type=int, default=PLAN.workers, help="processes; another number gives other bytes")
    return parser.parse_args()


if __name__ == "__main__":
    main()
