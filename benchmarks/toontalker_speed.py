"""Frames per second of ToonTalker at the official size: everything constant per clip computed once, against the loop
that runs every network on every frame.

    python benchmarks/toontalker_speed.py [--frames 8] [--rounds 3] [--size 256] [--device cpu]

Both loops use our network, so the ratio shows the loop alone. "every network on every frame" is what the published demo
computes: appearance and motion of the source, motion of the first frame, motion of the frame, synthesis, one frame at a
time. Weights are random (time does not depend on their values). The two loops alternate; the ratio is of the best
rounds of each, since other load on the machine can only add.
"""

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from toontalker.config import NetworkConfig
from toontalker.model import DomainNetwork, ToonTalkerNetwork

RESULT = Path(__file__).parent / "results" / "toontalker_speed.json"


def every_network_on_every_frame(network: ToonTalkerNetwork, source: Tensor, driving: Tensor) -> Tensor:
    frames = []
    for frame in driving.split(1):
        encoded = network.source(source, "real")
        start = network.motion(driving[:1], "real")
        frames.append(network.relative(encoded, network.motion(frame, "real"), start=start, domain="real"))
    return torch.cat(frames)


def once_per_clip(network: ToonTalkerNetwork, source: Tensor, driving: Tensor, *, batch: int = 8) -> Tensor:
    encoded = network.source(source, "real")
    frames, start = [], None
    for part in driving.split(batch):
        codes = network.motion(part, "real")
        start = codes[:1] if start is None else start
        frames.append(network.relative(encoded, codes, start=start, domain="real"))
    return torch.cat(frames)


def timed(loop: Callable[[], Tensor]) -> tuple[float, Tensor]:
    began = time.perf_counter()
    out = loop()
    if out.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - began, out


def main() -> None:
    parser = argparse.ArgumentParser(description="Speed of ToonTalker at the official size.")
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=2, help="what ToonTalker chooses on a CPU at 256 px")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.manual_seed(0)
    domain = DomainNetwork(NetworkConfig(size=options.size))
    network = ToonTalkerNetwork(domain, domain).eval().requires_grad_(False).to(options.device)
    for head in domain.dec.to_flows:  # warps of a few pixels, as trained ones
        head.get_parameter("conv.weight").mul_(0.03)
    pictures = F.interpolate(torch.rand(1 + options.frames, 3, 8, 8) * 2 - 1, size=options.size, mode="bicubic")
    source, driving = pictures.to(options.device).split((1, options.frames))
    slow: list[float] = []
    fast: list[float] = []
    made = wanted = driving
    with torch.inference_mode():
        once_per_clip(network, source, driving[:1], batch=1)  # warm up
        for _ in range(options.rounds):
            seconds, wanted = timed(partial(every_network_on_every_frame, network, source, driving))
            slow.append(seconds / options.frames)
            seconds, made = timed(partial(once_per_clip, network, source, driving, batch=options.batch))
            fast.append(seconds / options.frames)
    result = {
        "what": "seconds per frame, in-domain relative motion, random weights",
        "every_network_on_every_frame": min(slow),
        "once_per_clip_batched": min(fast),
        "ratio": min(slow) / min(fast),
        "ratio_per_round": [a / b for a, b in zip(slow, fast, strict=True)],
        "largest_difference": (made - wanted).abs().max().item(),
        "options": vars(options),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "machine": platform.processor() or platform.machine(),
        "load_average_at_end": os.getloadavg(),
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
