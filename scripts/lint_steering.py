"""How well the input linter detects perturbations made for the landmark network: the table of docs/lint.md.

    python scripts/lint_steering.py --runs DIR [--pairs 4]

The first pairs of four tasks on the shipped puppets. DIR holds `toonbench generate --method toontalker --out DIR` of each task.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from baselines.dummies import NoisyOracle
from toonbench import registry, video
from toonbench.calibrate.errors import Error, every_error
from toonbench.data import load, locate, read_motion, shipped
from toonbench.data.clips import read_frames, read_source
from toonbench.lint.findings import STEERED
from toonbench.lint.steering import RADIUS, Sampled, steered
from toonbench.networks.face_motion import LIMITS, estimate_once
from toonbench.networks.landmarks import LandmarkNet, read_weights
from toonbench.tasks import draw_pairs
from toonbench.types import Frames, Pair

TASKS = ("real2cartoon", "cartoon2real", "real_cross", "cartoon_cross")
STEPS = 8  # of the attack
Rig = NDArray[np.float32]
Videos = dict[str, Frames]


def main() -> None:
    """Measure everything and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=4)
    arguments = parser.parse_args()
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    network = read_weights()
    for pair, method in pairs(arguments.runs, count=arguments.pairs):
        for name, (frames, truth) in variants(pair, method, network=network).items():
            error = np.abs(estimate_once(frames).rig - truth) / (LIMITS[:, 1] - LIMITS[:, 0])
            found[name].append((steered(frames, truth), float(np.nanmean(error))))
    print(
        "| video | error of the rig | `steered`: least, median, greatest | pairs at the threshold |\n|---|---|---|---|"
    )
    for name, values in found.items():
        growth, errors = np.array(values).T
        spread = ", ".join(f"{number:.3f}" for number in np.nanquantile(growth, [0, 0.5, 1]))
        print(
            f"| {name} | {np.mean(errors):.3f} | {spread} | {int((growth >= STEERED).sum())} of {len(growth)} |",
            flush=True,
        )


def pairs(runs: Path, *, count: int) -> Iterator[tuple[Pair, Frames]]:
    """Pairs of each task, and the video of the trained mini model."""
    data = load(locate(next(iter(shipped()))))
    for task in TASKS:
        for pair in draw_pairs(registry.load_task(task), data.clips, targets=data.targets)[:count]:
            (path,) = runs.glob(f"*/{task}@*/toontalker@*/videos/{pair.id}.mkv")
            yield pair, video.read_video(path).frames


def variants(pair: Pair, method: Frames, *, network: LandmarkNet) -> dict[str, tuple[Frames, Rig]]:
    """Frames that the linter examines of honest methods, damaged targets and attacks, and their ground-truth motion."""
    if pair.target is None or pair.target.motion is None:
        raise ValueError(f"{pair.id} has no ground-truth motion")
    source, target = read_source(pair.source), read_frames(pair.target).frames
    still = np.repeat(source[None], len(target), axis=0)
    whole = {"`oracle`": target, "`noisy-oracle`": NoisyOracle().animate_target(source, target, seed=0),
             "`static`": still, "`paste`": read_frames(pair.driving).frames, "mini model": method}  # fmt: skip
    sampled = Sampled()
    sampled.add(target)
    numbers, chosen = sampled.frames(before=len(target))
    truth = read_motion(pair.target.motion, fps=pair.target.fps).rig[numbers]
    videos = {name: frames[numbers] for name, frames in whole.items()}
    for error in every_error().values():
        for level in error.levels if error.image else ():
            videos[f"target, {error.name} {level:g}"] = damaged(chosen, error, level)
    own = videos["mini model"]
    for limit in (1, 2, 4, 8):
        videos[f"mini model, attacked, ±{limit}"] = attacked(own, truth, network=network, limit=limit)
    for name in ("`static`", "`noisy-oracle`"):
        videos[f"{name}, attacked, ±4"] = attacked(videos[name], truth, network=network)
    changed = videos["mini model, attacked, ±4"]
    videos["mini model, attacked, ±4, JPEG 50"] = damaged(changed, every_error()["jpeg"], 50)
    videos["mini model, attacked, ±4, blur known"] = attacked(own, truth, network=network, through=(same, soft))
    return {name: (frames, truth) for name, frames in videos.items()}


def damaged(frames: Frames, error: Error, level: float) -> Frames:
    """Frames with damage of a level."""
    if error.image is None:
        raise ValueError(f"{error.name} is no damage of pictures")
    return error.image(frames, level, np.random.default_rng(0))


def attacked(
    frames: Frames,
    truth: Rig,
    *,
    network: LandmarkNet,
    limit: float = 4,
    steps: int = STEPS,
    through: tuple[Callable[[torch.Tensor], torch.Tensor], ...] = (),
) -> Frames:
    """Frames of 128 x 128 changed by at most `limit` grey levels, so that the network estimates the `truth` (gradient descent)."""
    pictures = torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 127.5 - 1
    expected = torch.from_numpy(((truth - LIMITS[:, 0]) / (LIMITS[:, 1] - LIMITS[:, 0])).astype(np.float32))
    reach, change = limit / 127.5, torch.zeros_like(pictures)
    for _ in range(steps):
        change.requires_grad_(True)
        losses = [((network(view(pictures + change)).rig - expected) ** 2).sum() for view in through or (same,)]
        (gradient,) = torch.autograd.grad(torch.stack(losses).sum(), change)
        change = (change.detach() - reach / 4 * gradient.sign()).clamp(-reach, reach)
        change = (pictures + change).clamp(-1, 1) - pictures
    return ((pictures + change + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()


def same(pictures: torch.Tensor) -> torch.Tensor:
    """The pictures themselves."""
    return pictures


def soft(pictures: torch.Tensor) -> torch.Tensor:
    """The pictures with the blur of the linter."""
    weights = torch.exp(-0.5 * (torch.arange(-5, 6) / RADIUS) ** 2)
    kernel = (weights[:, None] * weights / weights.sum() ** 2).repeat(3, 1, 1, 1)
    return functional.conv2d(functional.pad(pictures, (5, 5, 5, 5), mode="replicate"), kernel, groups=3)


if __name__ == "__main__":
    main()
