"""Train the depth network of DaGAN's mini on the exact depth of puppets (supervised), and write encoder.pth and depth.pth.

    toonbench make-puppets --split train --out puppets_train
    python scripts/train_puppet_depth.py --data puppets_train --out runs/dagan_mini

Frames and depths are drawn again from the rigs of the data set, in the size of the mini. About 5 minutes on one CPU core.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from baselines.dagan.train.config import MINI, MINI_DEPTH
from baselines.dagan.train.depth import DepthNetwork, DepthPlan, disparity, train_depth, write_depth
from toonbench.data.open import open_data
from toonbench.puppets.catalogue import make_look
from toonbench.puppets.draw.render import render_depth
from toonbench.types import Frames

HELD_OUT = 10  # one in so many clips is measured only
LABELS = "exact depth of puppets"


def main() -> None:
    options = _options()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    motions = clips_of(options.data)
    learning = [path for at, path in enumerate(motions) if at % HELD_OUT]
    frames, near = drawn(learning, frames=options.frames, size=MINI.size)
    plan = DepthPlan(steps=options.steps)
    network = train_depth(frames, disparity(near), config=MINI_DEPTH, plan=plan, on_step=_log)
    write_depth(network, options.out, about=LABELS)
    ours, flat = error(network, *drawn(motions[::HELD_OUT], frames=options.frames, size=MINI.size))
    print(f"held-out clips: mean error of disparity {ours:.4f}; of the mean disparity everywhere {flat:.4f}")


def clips_of(data: Path) -> list[Path]:
    """The motion files of a data set's training clips."""
    clips = [clip for clip in open_data(str(data)).clips if clip.kind == "video" and clip.split == "train"]
    return [data / "motion" / f"{clip.id}.npz" for clip in clips]


def drawn(motions: list[Path], *, frames: int, size: int) -> tuple[Frames, NDArray[np.float32]]:
    """`frames` frames evenly over each clip, (N, size, size, 3), and how near their surfaces are, (N, size, size)."""
    pictures: list[Frames] = []
    depths: list[NDArray[np.float32]] = []
    for path in motions:
        with np.load(path) as motion:
            rig = motion["rig"][np.linspace(0, len(motion["rig"]) - 1, frames).astype(int)]
            look = make_look(str(motion["style"]), int(motion["look_seed"]))
        picture, near = render_depth(look, rig, size=size)
        pictures.append(picture)
        depths.append(near)
    return np.concatenate(pictures), np.concatenate(depths)


def error(network: DepthNetwork, frames: Frames, near: NDArray[np.float32]) -> tuple[float, float]:
    """Mean absolute error of the network's disparity, and of the mean disparity of these frames."""
    import torch

    target = disparity(near)
    images = torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255.0
    found = np.concatenate([network(part)[:, 0].numpy() for part in images.split(32)])
    return float(np.abs(found - target).mean()), float(np.abs(target.mean() - target).mean())


def _log(step: int, loss: float) -> None:
    if step % 100 == 0:
        logging.info("step %d: %.4f", step, loss)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of a data set of puppets")
    parser.add_argument("--out", type=Path, required=True, help="folder of the mini's training")
    parser.add_argument("--steps", type=int, default=DepthPlan().steps, help="training steps")
    parser.add_argument("--frames", type=int, default=6, help="frames of each clip")
    return parser.parse_args()


if __name__ == "__main__":
    main()
