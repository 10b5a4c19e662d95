"""What the weights of FOMM and DaGAN share: sizes that the names and shapes of a checkpoint state, its parts, and where it comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from toonbench import weights
from toonbench.networks.deterministic import deterministic_state
from toonbench.networks.hourglass import fold_norms
from toonbench.types import ToonbenchError
from toonbench.weights import WeightsMissing
from toonbench.weights.checkpoints import check_state, family, foreign, parts

PARTS = ("kp_detector", "generator")
States = Mapping[str, dict[str, Any]]
LARGEST = 65_536  # width or number of parts


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkConfig:
    """Sizes of the network, of FOMM's published ones (vox-256, vox-adv-256) by default.

    detector, motion: widths of the hourglasses: of the output, then of the map after each halving.
    generator: widths of the generator's maps at full, half and quarter size.
    """

    points: int = 10
    detector: tuple[int, ...] = (32, 64, 128, 256, 512, 1024)
    motion: tuple[int, ...] = (64, 128, 256, 512, 1024, 1024)
    generator: tuple[int, ...] = (64, 128, 256)
    residuals: int = 6

    def __post_init__(self) -> None:
        widths = (*self.detector, *self.motion, *self.generator)
        if min(map(len, (self.detector, self.motion))) < 2 or len(self.generator) != 3:
            raise ValueError("detector and motion need two or more widths, and generator three")
        if not (all(1 <= one <= LARGEST for one in (self.points, *widths)) and 0 <= self.residuals <= LARGEST):
            raise ValueError(f"points, residuals and widths are {self}: up to {LARGEST} is allowed")


TINY = NetworkConfig(points=4, detector=(8, 8, 16, 16), motion=(8, 8, 16, 16), generator=(8, 8, 16), residuals=2)


def infer_config(state: Mapping[str, Tensor]) -> NetworkConfig:
    """Sizes from a state dict with the prefixes `kp_detector.` and `generator.`. Raises KeyError if it is none."""
    return NetworkConfig(
        points=state["kp_detector.kp.weight"].shape[0],
        detector=_hourglass_widths(state, "kp_detector.predictor"),
        motion=_hourglass_widths(state, "generator.dense_motion_network.hourglass"),
        generator=(state["generator.first.conv.weight"].shape[0], *_block_widths(state, "generator.down_blocks")),
        residuals=count(state, "generator.bottleneck.r{}.conv1.weight"),
    )


def _hourglass_widths(state: Mapping[str, Tensor], prefix: str) -> tuple[int, ...]:
    down = _block_widths(state, f"{prefix}.encoder.down_blocks")
    return (state[f"{prefix}.decoder.up_blocks.{len(down) - 1}.conv.weight"].shape[0], *down)


def _block_widths(state: Mapping[str, Tensor], prefix: str) -> tuple[int, ...]:
    """Output widths of a list of convolution blocks; at least one."""
    blocks = max(1, count(state, f"{prefix}.{{}}.conv.weight"))
    return tuple(state[f"{prefix}.{index}.conv.weight"].shape[0] for index in range(blocks))


def count(state: Mapping[str, Any], pattern: str) -> int:
    """How many keys of the pattern there are, counted from 0."""
    found = 0
    while pattern.format(found) in state:
        found += 1
    return found


def read_parts(content: Any, *, path: Path, method: str, what: str) -> States:
    """The state dicts of the detector and the generator in a checkpoint's content.

    Raises ToonbenchError for a checkpoint of another method, an incomplete one, and parts of two different networks.
    """
    whose = family(content)
    if whose not in ("", method):
        raise foreign(content, path=path, expected=method)
    states = parts(content, PARTS)
    if absent := [name for name in PARTS if not states[name]]:
        if whose:
            raise ToonbenchError(
                f"{path}: it has no {absent[0]}, only {', '.join(map(str, content))[:80]}; give {what}"
            )
        raise foreign(content, path=path, expected=method)
    if fault := _mixed(states, channels=4 if method == "DaGAN" else 3):
        raise ToonbenchError(f"{path}: {fault}; its parts do not belong together: give {what}")
    return states


def _mixed(states: States, *, channels: int) -> str:
    """What shows that the detector belongs to another network than the generator; empty if nothing does."""
    detector, generator = states["kp_detector"], states["generator"]
    found = _shape(detector, "predictor.encoder.down_blocks.0.conv.weight", 1)
    if found not in (None, channels):
        return f"kp_detector takes {found} channels, and the generator's takes {channels}"
    points, masks = _shape(detector, "kp.weight", 0), _shape(generator, "dense_motion_network.mask.weight", 0)
    if points is not None and masks not in (None, points + 1):
        return f"kp_detector has {points} key points, and generator has {(masks or 1) - 1}"
    return ""


def _shape(state: Mapping[str, Any], key: str, axis: int) -> int | None:
    value = state.get(key)
    return value.shape[axis] if isinstance(value, Tensor) and value.ndim > axis else None


def fill(network: nn.Module, states: States, *, path: Path | Mapping[str, Path], method: str) -> None:
    """Load the parts into a network on the meta device. Raises ToonbenchError, naming the file, where they do not fit.

    `path` is the file of all parts, or of each.
    """
    expected = {key: value.shape for key, value in network.state_dict().items()}
    for name, state in states.items():
        own = {key.removeprefix(f"{name}."): shape for key, shape in expected.items() if key.startswith(f"{name}.")}
        check_state(state, own, path=path if isinstance(path, Path) else path[name], part=name, network=method)
    network.load_state_dict({key: _own_copy(value) for key, value in joined(states).items()}, strict=True, assign=True)


def joined(states: States) -> dict[str, Any]:
    """The parts as one state dict, their names as prefixes."""
    return {f"{name}.{key}": value for name, state in states.items() for key, value in state.items()}


def _own_copy(value: Tensor) -> Tensor:
    """A tensor's values in float32, counts as they are, in memory of its own."""
    return value.float().clone() if value.is_floating_point() else value.clone()


def prepared(network: nn.Module) -> Any:
    """The network for use: without gradients, its normalisations folded, channels last in memory."""
    network.eval().requires_grad_(False)
    fold_norms(network)
    return network.to(memory_format=torch.channels_last)


def published(names: Sequence[str], method: str) -> Path:
    """The first of these files in the weights folder. Raises WeightsMissing, with where they come from, if there is none."""
    for name in names:
        try:
            return weights.path(name)
        except WeightsMissing:
            continue
    entry = weights.entry(names[0])
    raise WeightsMissing(
        f"{method} has no weights: give --checkpoint {entry.file} (from {entry.page}), or put the file into the weights "
        f"folder with toonbench weights fetch {names[0]} --from FOLDER"
    )


def state_for_tests(network: nn.Module, prefix: str, *, points: int) -> dict[str, Tensor]:
    """Deterministic test weights of a network; its stored filters stay, and its Jacobians are near the identity.

    Other weights are enlarged, so that pictures have contrast and key points move.
    """
    own = network.state_dict()
    gains = {"kp_detector.jacobian.weight": 0.1, "kp_detector.kp.weight": 3.0}
    state = {
        key: own[key] if key.endswith("down.weight") else value * gains.get(key, 1.5) if value.ndim > 1 else value
        for key, value in deterministic_state(own, prefix).items()
    }
    state["kp_detector.jacobian.bias"] = torch.tensor([1.0, 0.0, 0.0, 1.0]).repeat(points)
    return state
