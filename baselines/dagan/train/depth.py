"""Supervised training of a small depth network on pictures whose depth is known exactly.

DaGAN's own depth network learned from videos without labels. This one is for minis on drawn puppets; results of
such a mini state that its depth was supervised.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Adam

from toonbench.training.sampling import step_rng
from toonbench.types import Frames

from ..depth import DepthConfig, DepthDecoder, DepthEncoder
from ..weights_io import DEPTH_PARTS
from .train import ABOUT_DEPTH

NEAR, FAR = 1.2, -1.8  # depths of disparity 1 and 0, in lengths of a head towards the camera
BACKDROP = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthPlan:
    """The training of a depth network."""

    steps: int = 3000
    batch: int = 16
    lr: float = 2e-3
    seed: int = 0


class DepthNetwork(nn.Module):
    """Pictures (B, 3, H, W) in [0, 1] to disparities (B, 1, H, W) in (0, 1)."""

    def __init__(self, config: DepthConfig) -> None:
        super().__init__()
        self.encoder = DepthEncoder(config)
        self.decoder = DepthDecoder(config)

    def forward(self, images: Tensor) -> Tensor:
        """Disparities."""
        return self.decoder(self.encoder(images))


def disparity(near: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the network should find for depths in lengths towards the camera: 1 at NEAR, 0 at FAR and for the backdrop (minus infinity)."""
    return np.clip((near - FAR) / (NEAR - FAR), BACKDROP, 1.0).astype(np.float32)


def train_depth(
    frames: Frames,
    disparities: NDArray[np.float32],
    *,
    config: DepthConfig,
    plan: DepthPlan,
    on_step: Callable[[int, float], None] | None = None,
) -> DepthNetwork:
    """A depth network for frames (N, H, W, 3) with disparities (N, H, W); L1, Adam. The same seed gives the same bytes."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        network = DepthNetwork(config).train()
    learning = [one for name, one in network.named_parameters() if ".fc." not in name]
    optimiser = Adam(learning, lr=plan.lr)
    for step in range(plan.steps):
        rng = step_rng(plan.seed, step)
        for group in optimiser.param_groups:
            group["lr"] = plan.lr * max(0.05, min(1.0, 2.0 * (1.0 - step / plan.steps)))
        chosen = rng.integers(len(frames), size=plan.batch)
        images = torch.from_numpy(frames[chosen]).permute(0, 3, 1, 2).float() / 255.0
        target = torch.from_numpy(disparities[chosen])[:, None]
        if rng.random() < 0.5:
            images, target = images.flip(3), target.flip(3)
        gain = torch.from_numpy(rng.normal(1.0, 0.1, (plan.batch, 3, 1, 1)).astype(np.float32))
        loss = (network((images * gain).clamp(0.0, 1.0)) - target).abs().mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        if on_step is not None:
            on_step(step + 1, loss.item())
    return network.eval().requires_grad_(False)


def write_depth(network: DepthNetwork, folder: Path, *, about: str) -> None:
    """Write encoder.pth and depth.pth as the published files are, and what the labels were (`about`)."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, name in DEPTH_PARTS.items():
        module = network.encoder if part == "depth_encoder" else network.decoder
        part_file = folder / f"{name}.part"
        with part_file.open("wb") as file:
            torch.save(module.state_dict(), file)
        part_file.replace(folder / name)
    (folder / ABOUT_DEPTH).write_text(json.dumps({"supervised": about}))
