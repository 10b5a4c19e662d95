"""Training of the motion reader by `toonbench.training.supervised`: its plan, its start from the landmark network, and its loss."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from toonbench.networks.landmarks import LandmarkNet, read_weights
from toonbench.networks.motion_reader import CURVES, UNITS, MotionReader, Output
from toonbench.puppets.rig import INDEX
from toonbench.reader_training.batches import VIEWS, Batch, Material, make_batch
from toonbench.training import supervised
from toonbench.training.checkpoint import CHECKPOINT
from toonbench.training.supervised import State, Training, new_network, state_in


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(supervised.Plan):
    """How the network is trained."""

    steps: int = 2000
    batch: int = 32
    workers: int = 1
    rate: float = 1e-3
    warmup: int = 100
    save_every: int = 100
    log_every: int = 25

    def rate_at(self, step: int) -> float:
        """Learning rate: a linear warm-up, then part of half a cosine, which in the last two fifths falls to nothing."""
        fall = min(1.0, (self.steps - step) / (0.4 * self.steps))
        return self.cosine(step, end=1.5 * self.steps) * fall


def train(material: Material, plan: Plan, *, folder: Path) -> MotionReader:
    """Train on `material`, and return the moving average of the weights; see `toonbench.training.supervised.run`."""
    begin, make = partial(_state, material, plan, folder), partial(make_batch, material)
    return supervised.run(Training(plan=plan, folder=folder, begin=begin, make_batch=make, terms=_terms))


def _state(material: Material, plan: Plan, folder: Path) -> State[MotionReader]:
    if (folder / CHECKPOINT).exists():
        network = new_network(MotionReader, seed=plan.seed)
    else:
        network = begin(make_batch(material, size=64, seed=plan.seed, step=1 << 40).pictures)
    return state_in(folder, network, plan, may_change=("log_every", "save_every"))


def begin(pictures: Tensor) -> MotionReader:
    """The landmark network as a reader in training: normalised by its statistics on `pictures`, with curves in place of the rig.

    The stored weights hold every normalisation within the convolution before it. It is taken out again with the mean and the
    spread that the convolution's output has on `pictures`, which leaves the function as it is.
    """
    folded = read_weights()
    means, variances = _statistics(folded, pictures)
    reader = MotionReader().to(memory_format=torch.channels_last)
    state, stored = reader.state_dict(), folded.state_dict()
    for name in state:
        stem, _, last = name.rpartition(".")
        if stem.endswith(".1") and f"{stem[:-2]}.0" in means:
            state[name] = _normalisation(
                last, means[f"{stem[:-2]}.0"], variances[f"{stem[:-2]}.0"], stored[f"{stem[:-2]}.0.bias"]
            )
        elif not name.startswith("rig.2."):
            state[name] = stored[name]
    change, offset = _curves_of_rig()
    state["rig.2.weight"] = change @ stored["rig.2.weight"]
    state["rig.2.bias"] = change @ stored["rig.2.bias"] + offset
    reader.load_state_dict(state)
    return reader.train()


def _statistics(network: LandmarkNet, pictures: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Mean and variance of the output of every convolution that was normalised, by its name."""
    means: dict[str, Tensor] = {}
    variances: dict[str, Tensor] = {}

    def keep(name: str, _module: nn.Module, _inputs: object, output: Tensor) -> None:
        means[name], variances[name] = output.mean((0, 2, 3)), output.var((0, 2, 3))

    hooks = [
        module.register_forward_hook(partial(keep, name))
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d) and name.endswith(".0")
    ]
    with torch.inference_mode():
        network(pictures)
    for hook in hooks:
        hook.remove()
    return means, variances


def _normalisation(part: str, mean: Tensor, variance: Tensor, bias: Tensor) -> Tensor:
    """One tensor of a batch normalisation that gives back what it takes, plus `bias`; `mean` has the bias in it."""
    values = {
        "weight": (variance + nn.BatchNorm2d(1).eps).sqrt(),
        "bias": mean,
        "running_mean": mean - bias,
        "running_var": variance,
        "num_batches_tracked": torch.tensor(0),
    }
    return values[part].clone()


def _curves_of_rig() -> tuple[Tensor, Tensor]:
    """The matrix and the offset that turn the network's rig, 0 to 1, into curves in UNITS."""
    change, offset = torch.zeros(len(CURVES), len(INDEX)), torch.zeros(len(CURVES))
    for row, (name, limit) in enumerate((("yaw", 35.0), ("pitch", 20.0), ("roll", 18.0))):
        change[row, INDEX[name]], offset[row] = 2 * limit / UNITS[row], -limit / UNITS[row]
    change[3, INDEX["jaw_open"]] = 0.8
    change[4, [INDEX["blink_left"], INDEX["blink_right"]]] = 0.5
    change[5, INDEX["smile"]] = 1.0
    change[6, INDEX["gaze_x"]], offset[6] = 2.0, -1.0
    return change, offset


def _terms(network: MotionReader, batch: Batch) -> dict[str, Tensor]:
    with torch.autocast("cpu", torch.bfloat16):
        output = network.read(batch.pictures)
    return losses(output, batch)


def losses(output: Output, batch: Batch) -> dict[str, Tensor]:
    """Landmarks by Laplace likelihood and distance, curves, the change of curves between pictures of one face, and faces."""
    distance = (output.landmarks - batch.landmarks).abs().sum(2)
    weight = batch.landmark_weight / batch.landmark_weight.sum().clamp(min=1)
    likely = distance * torch.exp(-output.log_scale) + 2 * output.log_scale
    units = output.curves.new_tensor(UNITS)
    said, true = output.curves / units, batch.curves / units
    wrong = functional.smooth_l1_loss(said, true, beta=0.05, reduction="none")
    return {
        "landmarks": 0.5 * (likely * weight).sum(),
        "distance": 0.25 * (distance * weight).sum(),
        "curves": 15 * _mean(wrong, batch.curve_weight),
        "change": 15 * _change(said * batch.sides, true * batch.sides, batch.curve_weight),
        "face": 0.3 * functional.binary_cross_entropy_with_logits(output.face, batch.face),
    }


def _change(said: Tensor, true: Tensor, weight: Tensor) -> Tensor:
    """How wrong differences between the pictures of one face are: a video's motion is nothing else, and no offset of a face is in them."""
    wrong: list[Tensor] = []
    weights: list[Tensor] = []
    for step in (1, 2):
        parts = [value.unflatten(0, (-1, VIEWS)) for value in (said, true, weight)]
        moved = [value.roll(step, 1) for value in parts]
        wrong.append(functional.smooth_l1_loss(parts[0] - moved[0], parts[1] - moved[1], beta=0.05, reduction="none"))
        weights.append(parts[2] * moved[2])
    return _mean(torch.stack(wrong), torch.stack(weights))


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    return (values * weight).sum() / weight.sum().clamp(min=1)
