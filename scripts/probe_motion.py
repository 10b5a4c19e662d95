"""What ToonTalker's motion encoders hold, and what its images show, on puppets that it was not trained on.

    toonbench make-puppets --split probe --movement mixed --clips 24 --images 0 --frames 24 --step 3 --seed 77 --out probe
    toonbench make-puppets --split train --movement mixed --clips 60 --images 0 --frames 40 --step 3 --seed 1 --out fit
    python scripts/probe_motion.py --data probe --fit fit --weights toontalker/weights/toontalker_mini.safetensors
    python scripts/probe_motion.py --data probe --fit fit --readout --steps 1500 --rate 1e-2

The first prints, for new weights and for those given, how well a linear probe of the motion code (w_{r->d}) reads each channel of the rig
(correlation on --data, fitted on clips of --fit), and the share of the change since the first frame that the images
explain: 1 - sum (generated - target)^2 / sum (first frame - target)^2, in boxes around eyes and mouth and in the whole image, for
exercises and for talk-like motion, and the share of the change of openings of eyes and mouth that the flows show. The second trains the
motion encoder alone on the rigs of `--fit`, an upper bound for it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from toonbench.data.open import open_data
from toonbench.data.supervision import with_labels
from toonbench.puppets.catalogue import styles_of
from toonbench.training.clips import ClipSet, read_all
from toonbench.training.images import to_tensor
from toonbench.types import CHANNELS, Domain, Frames
from toontalker.generator import Trace
from toontalker.model import ToonTalkerNetwork, scaled_rig
from toontalker.train.config import MINI
from toontalker.train.guidance import EYES, MOUTH, lid_points, looks_at, part_boxes
from toontalker.train.state import new_state
from toontalker.weights_io import load_network

RIDGE = 0.02
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Probed:
    """A clip: frames, rig, landmarks in parts of the sides, and whether it has exercises."""

    frames: Frames
    rig: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    exercises: bool


def read(root: Path, domain: Domain, size: int, *, most: int) -> list[Probed]:
    """The first clips of a domain with their labels."""
    listed = [clip for clip in open_data(str(root)).clips if clip.domain == domain and clip.kind == "video"][:most]
    names = tuple(clip.id for clip in listed)
    some = ClipSet(read_all(listed, size=size, cache=None).frames, (), names=names)
    some = with_labels({domain: some}, listed, root=str(root))[domain]
    mixed = json.loads((root / "puppets.json").read_text()).get("movement") == "mixed"
    turns = len(styles_of(domain))
    numbers = [int(name.rsplit("-v", 1)[1]) for name in names]
    return [
        Probed(frames, rig, points, mixed and number // turns % 2 == 1)
        for frames, rig, points, number in zip(some.train, some.rigs, some.landmarks, numbers, strict=True)
    ]


@torch.no_grad()
def codes(network: ToonTalkerNetwork, clips: list[Probed], domain: Domain) -> list[Array]:
    """The motion codes of each clip's frames, (frames, motions * width)."""
    return [network.motion(to_tensor(c.frames, device="cpu"), domain).flatten(1).double().numpy() for c in clips]


def probe(fitted: list[Array], fit: list[Probed], found: list[Array], held: list[Probed]) -> dict[str, float]:
    """Correlation of the rig with its linear reading in motion codes, fitted on the clips `fit` and measured on `held`."""
    x, y = np.concatenate(fitted), np.concatenate([clip.rig for clip in fit])
    mean, spread = x.mean(0), x.std(0) + 1e-6
    z = (x - mean) / spread
    gram = z.T @ z + RIDGE * len(z) * np.eye(z.shape[1])
    weights = np.linalg.solve(gram, z.T @ (y - y.mean(0)))
    linear = ((np.concatenate(found) - mean) / spread) @ weights
    truth = np.concatenate([clip.rig for clip in held])
    return {name: float(np.corrcoef(linear[:, i], truth[:, i])[0, 1]) for i, name in enumerate(CHANNELS)}


@torch.no_grad()
def explained(network: ToonTalkerNetwork, clips: list[Probed], domain: Domain) -> dict[str, float]:
    """The share of the change since the first frame that images explain, by motion and part of the image."""
    left: dict[str, float] = defaultdict(float)
    whole: dict[str, float] = defaultdict(float)
    for clip in clips:
        frames = to_tensor(clip.frames, device="cpu")
        source = network.source(frames[:1], domain)
        made = network.absolute(source, network.motion(frames, domain), domain=domain).clamp(-1.0, 1.0)
        points = torch.from_numpy(clip.landmarks)
        for part, mask in (
            ("eyes", part_boxes(points, EYES, size=frames.shape[-1])),
            ("mouth", part_boxes(points, MOUTH, size=frames.shape[-1])),
            ("image", torch.ones(1)),
        ):
            name = f"{'exercises' if clip.exercises else 'speech'}, {part}"
            left[name] += float(((made - frames).square() * mask).sum())
            whole[name] += float(((frames[:1] - frames).square() * mask).sum())
    return {name: 1.0 - left[name] / whole[name] for name in sorted(left)}


@torch.no_grad()
def opened(network: ToonTalkerNetwork, clips: list[Probed], domain: Domain) -> dict[str, float]:
    """The share of the change of openings since the first frame that the finest flow shows: 1 - sum (flow - truth)^2 / sum truth^2."""
    left: dict[str, float] = defaultdict(float)
    whole: dict[str, float] = defaultdict(float)
    for clip in clips:
        frames, points = to_tensor(clip.frames, device="cpu"), torch.from_numpy(clip.landmarks)
        trace: Trace = {}
        network.absolute(network.source(frames[:1], domain), network.motion(frames, domain), domain=domain, trace=trace)
        field = next(value for name, value in reversed(trace.items()) if name.endswith(".flow_skip"))
        (low, high), (from_low, from_high) = lid_points(points), lid_points(points[:1])
        still = 2.0 * (high - low)
        change, shown = 2.0 * (from_high - from_low) - still, looks_at(field, high) - looks_at(field, low) - still
        for part, some in (("eyes", slice(0, 4)), ("mouth", slice(4, 7))):
            left[part] += float((shown - change)[:, some].square().sum())
            whole[part] += float(change[:, some].square().sum())
    return {f"opening by flow, {part}": 1.0 - left[part] / whole[part] for part in left}


def readout(clips: list[Probed], held: list[Probed], *, steps: int, rate: float) -> dict[str, float]:
    """Train a new motion encoder on rigs alone, 32 frames a step; correlations on `held` at the end, by channel."""
    torch.manual_seed(0)
    encoder = new_state(MINI, "cpu").network.domain("real").enc2
    head = torch.nn.Linear(MINI.network.style, len(CHANNELS))
    groups = [{"params": encoder.parameters(), "lr": rate}, {"params": head.parameters(), "lr": 1e-3}]
    optimiser, rng = torch.optim.Adam(groups, betas=MINI.betas), np.random.default_rng(0)
    for step in range(steps):
        if step == int(0.7 * steps):
            for group in optimiser.param_groups:
                group["lr"] *= 0.2
        chosen = [clips[int(rng.integers(len(clips)))] for _ in range(32)]
        places = [int(rng.integers(len(clip.frames))) for clip in chosen]
        images = to_tensor(np.stack([c.frames[t] for c, t in zip(chosen, places, strict=True)]), device="cpu")
        rigs = torch.from_numpy(np.stack([c.rig[t] for c, t in zip(chosen, places, strict=True)]))
        loss = (head(encoder.vector(images)) - scaled_rig(rigs)).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        read_ = torch.cat([head(encoder.vector(to_tensor(clip.frames, device="cpu"))) for clip in held]).numpy()
    truth = np.concatenate([clip.rig for clip in held])
    return {name: float(np.corrcoef(read_[:, i], truth[:, i])[0, 1]) for i, name in enumerate(CHANNELS)}


def networks(paths: list[Path]) -> dict[str, ToonTalkerNetwork]:
    """New weights, and those of the files."""
    return {"new weights": new_state(MINI, "cpu").network.eval()} | {
        f"{path.parent.name}/{path.name}": load_network(path) for path in paths
    }


def main() -> int:
    options = _options()
    torch.set_num_threads(1)
    out: dict[str, dict[str, float]] = {}
    for domain in ("real", "cartoon"):
        size = MINI.network.size
        held, fit = (read(root, domain, size, most=options.most) for root in (options.data, options.fit))
        if options.readout:
            out[f"{domain}: encoder trained on rigs"] = readout(fit, held, steps=options.steps, rate=options.rate)
            continue
        for name, network in networks(options.weights).items():
            numbers = probe(codes(network, fit, domain), fit, codes(network, held, domain), held)
            out[f"{domain}: {name}"] = numbers | explained(network, held, domain) | opened(network, held, domain)
    for name, numbers in out.items():
        sys.stdout.write(f"{name}\n")
        sys.stdout.writelines(f"  {key:28} {value:6.2f}\n" for key, value in numbers.items())
    if options.json:
        options.json.write_text(json.dumps(out, indent=1))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="puppets that nothing was trained on")
    parser.add_argument("--weights", type=Path, nargs="*", default=[], help="ToonTalker's weights")
    parser.add_argument("--fit", type=Path, required=True, help="puppets that the linear probe is fitted on")
    parser.add_argument("--most", type=int, default=60, help="clips of a domain that are used of each")
    parser.add_argument("--readout", action="store_true", help="train an encoder on the rigs of --fit instead")
    parser.add_argument("--steps", type=int, default=1500, help="of --readout")
    parser.add_argument("--rate", type=float, default=1e-2, help="learning rate of --readout")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
