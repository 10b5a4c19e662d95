"""Train the motion reader: draw puppets, label real videos, train from the landmark network, measure, write weights and card.

    python scripts/train_motion_reader.py --clips DIR --work DIR

DIR of --clips holds the videos that `toonbench/reader_training/clips.py` names (TRAINING to train on, HELD_OUT to measure); they
do not come with toonbench. It needs the face landmarker's file: `toonbench weights fetch face-landmarker`. It resumes after an
interruption, and draws 12,600 pictures of seven styles (1.4 GB) into DIR of --work.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import platform
from pathlib import Path

import numpy as np

from toonbench.faces_training.plates import draw_plates
from toonbench.landmarks.data import draw_pictures
from toonbench.networks.landmarks import write_weights
from toonbench.networks.motion_reader import WEIGHTS, read_weights
from toonbench.pool import Pool, progress_to
from toonbench.reader_training.batches import Material
from toonbench.reader_training.card import Bar, bars, card, close_bars, measure_floors
from toonbench.reader_training.clips import HELD_OUT, TRAINING, label_clips
from toonbench.reader_training.measure import measure_clip, read_by_landmark_network, reader_of, share_found
from toonbench.reader_training.training import Plan, train
from toonbench.store import write_bytes, writing

PLAN = Plan()
POSES, SIDE = 6, 192  # of each puppet, and pixels a side of its pictures


def main() -> None:
    options = _options()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    pool = Pool(workers=options.workers, progress=progress_to(_log))
    if not options.measure:
        material = _material(options, pool)
        plan = dataclasses.replace(PLAN, steps=options.steps, workers=options.workers)
        network = train(material, plan, folder=options.work / "run")
        with writing(WEIGHTS) as temporary:
            write_weights(network, temporary)
    text = _card(options, pool)
    write_bytes(WEIGHTS.with_suffix(".md"), text.encode())
    print(text)


def _material(options: argparse.Namespace, pool: Pool) -> Material:
    """What is there already is loaded."""
    puppets = draw_pictures(
        options.work / "puppets", split="reader", looks=options.looks, frames=POSES, size=SIDE, pool=pool
    )
    clips = label_clips(options.clips, TRAINING, work=options.work / "clips")
    plates = options.work / "plates.npy"
    if not plates.is_file():
        with writing(plates) as temporary, temporary.open("wb") as file:
            np.save(file, draw_plates("reader", options.plates, pool=pool))
    return Material(puppets=puppets, poses=POSES, clips=clips, plates=np.load(plates))


def _card(options: argparse.Namespace, pool: Pool) -> str:
    network = read_weights()
    readers = (read_by_landmark_network, reader_of(network), reader_of(network, closely=True))
    measured = [measure_clip(options.clips / name, readers, work=options.work / "labels") for name in HELD_OUT]
    old, new, close = (list(part) for part in zip(*measured, strict=True))
    found = bars(old, new)
    found += close_bars(close)
    if options.drawn:
        parts = [share_found(options.drawn, reader) for reader in readers[:2]]
        shares = [one / whole for one, whole in parts]
        title = f"frames with a face, {parts[0][1]} frames of drawn videos as `prepared` crops them"
        found.append(Bar(title=title, goal="≥ 0.95", landmark_network=shares[0], reader=shares[1]))
    floors = measure_floors(clips=options.floor_clips, frames=options.floor_frames, pool=pool)
    return card(found, old=old, new=new, floors=floors, about=_about(options))


def _about(options: argparse.Namespace) -> str:
    flags = " ".join(f"--{name} {getattr(options, name)}" for name in ("looks", "plates", "steps", "workers"))
    return (
        f"Trained by `python scripts/train_motion_reader.py --clips DIR {flags}`\n"
        f"({platform.machine()}, seed {PLAN.seed}), from the weights of the landmark network, on batches of {PLAN.batch}. Half of\n"
        f"them are puppets ({options.looks} looks of each style, {POSES} poses each), half are frames of real videos:\n"
        f"{', '.join(Path(name).name for name in TRAINING)}.\n"
        "These frames were labelled by MediaPipe's face landmarker (Apache-2.0) before they were warped, stylised and damaged.\n"
        "The videos are the ones among our samples whose licences do not restrict them to testing; they are not shipped.\n"
        "A face fills 36 to 92 % of a picture (crops of 2.2 to 1.0 times the face), is turned by up to 40 degrees, and a quarter\n"
        "have a hand, a microphone or a bar before it. Two frames of a face in two framings each are compared with one another,\n"
        "so that what is learned is motion. Pictures without a face that can be read (8 % without any; hanging, profile beyond\n"
        "55 degrees, mostly hidden) teach the probability of a face.\n"
        "Held out as whole videos, never trained on: "
        f"{', '.join(Path(name).name for name in HELD_OUT)}; and every drawn video.\n"
        "The labels behind these weights were made with the package mediapipe 0.10.21; the command labels with toonbench's own port,\n"
        "whose points differ by less than 0.0006 of the eye distance and whose scores by at most 0.003 (29 frames of vt_529_2).\n"
        "What it agrees on with the face landmarker about photographs is in part what it was taught: it is no independent witness there.\n"
        "A face on its side, on its head or mostly covered has a lower probability and more doubt, but is not always refused.\n"
        f"Floor: {options.floor_clips} clips of {options.floor_frames} frames of each style."
    )


def _log(title: str, done: int, total: int) -> None:
    if done % 20 == 0:
        logging.info("%s: %d of %d", title, done, total)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--clips", type=Path, required=True, help="folder with real_videos/ and raw_videos/")
    parser.add_argument("--work", type=Path, required=True, help="folder for pictures, labels and checkpoints")
    parser.add_argument(
        "--drawn", type=Path, help="folder of `toonbench prepared --export` with drawn videos, for the card"
    )
    parser.add_argument("--measure", action="store_true", help="only measure the stored weights and write the card")
    parser.add_argument("--looks", type=int, default=300, help="looks of each style, a multiple of 25")
    parser.add_argument("--plates", type=int, default=200, help="pictures without a face")
    parser.add_argument("--steps", type=int, default=PLAN.steps, help="training steps")
    parser.add_argument("--floor-clips", type=int, default=2, help="held-out puppets of each style")
    parser.add_argument("--floor-frames", type=int, default=40, help="frames of each")
    parser.add_argument("--workers", type=int, default=PLAN.workers, help="processes; another number gives other bytes")
    return parser.parse_args()


if __name__ == "__main__":
    main()
