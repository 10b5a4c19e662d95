"""Frames per second of FOMM, DaGAN and LIA at 256 px: everything constant per clip computed once, against the loops of the published demos.

    python benchmarks/baselines_speed.py [--methods fomm dagan lia] [--frames 12] [--rounds 3] [--device cpu] [--memory]

Both loops use our network, so the ratio shows the loop and its preparation alone. The demos' loops encode the source again for
each frame, one frame at a time; key points (FOMM, DaGAN), disparity (DaGAN) and steps (LIA) of the source and of the first frame are
computed once there, too. Ours runs on the network as a method uses it: normalisations folded, doublings merged, channels last.
Weights are random (time does not depend on their values). The two loops alternate; the ratio is of the best rounds of each. On
a CPU, times are of the processor on one thread, since other load would otherwise count.

With --memory, a small network of each method animates driving videos of 30 s and of 10 min (25 frames a second) in chunks, in a process
each; the peaks of their memory are compared.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from baselines.dagan.depth import DepthConfig
from baselines.dagan.model import DaGANNetwork
from baselines.first_order_weights import NetworkConfig, prepared
from baselines.fomm.model import FOMMNetwork
from baselines.lia.model import LIANetwork
from baselines.lia.model import NetworkConfig as LIAConfig
from toonbench.networks.first_order import movement_scale, relative_points

RESULT = Path(__file__).parent / "results" / "baselines_speed.json"
SIZE, RATE = 256, 25
Loop = Callable[[], Tensor]


def first_order(make: Callable[[], Any], source: Tensor, driving: Tensor, *, batch: int) -> tuple[Loop, Loop]:
    """The demo's loop and ours for FOMM or DaGAN, in relative motion."""
    torch.manual_seed(0)
    plain = make().eval().requires_grad_(False)
    torch.manual_seed(0)
    ready = prepared(make())
    plain, ready = plain.to(source.device), ready.to(source.device)

    def moved(network: Any, frames: Tensor, encoded: Any, start: Any, scale: float) -> Any:
        points = network.key_points(frames)
        return relative_points(points, source=encoded.points, start=start, scale=scale)

    def demo() -> Tensor:
        encoded, start = plain.source(source), plain.key_points(driving[:1])
        scale = movement_scale(encoded.points, start)
        frames: list[Tensor] = []
        for frame in driving.split(1):
            points = moved(plain, frame, encoded, start, scale)
            again = replace(encoded, features=plain.generator.encode(source))
            if isinstance(plain, DaGANNetwork):
                again = replace(again, queries=plain.generator.queries(plain.disparity(source))[0])
            frames.append(plain.render(again, points))
        return torch.cat(frames)

    def ours() -> Tensor:
        encoded, start = ready.source(source), ready.key_points(driving[:1])
        scale = movement_scale(encoded.points, start)
        frames = [ready.render(encoded, moved(ready, part, encoded, start, scale)) for part in driving.split(batch)]
        return torch.cat(frames)

    return demo, ours


def latent(source: Tensor, driving: Tensor, *, batch: int) -> tuple[Loop, Loop]:
    """The demo's loop and ours for LIA, in relative motion."""
    torch.manual_seed(0)
    network = LIANetwork(LIAConfig()).eval().requires_grad_(False)
    for head in network.dec.to_flows:  # warps of a few pixels, as trained ones
        head.get_parameter("conv.weight").mul_(0.03)
    network = network.to(source.device)

    def demo() -> Tensor:
        start = network.enc.steps(driving[:1] * 2 - 1)
        frames: list[Tensor] = []
        for frame in driving.split(1):
            encoded = network.source(source * 2 - 1)
            steps = network.enc.steps(frame * 2 - 1) - start + encoded.steps
            frames.append(network.render(encoded, steps, directions=network.dec.direction.orthonormal()))
        return torch.cat(frames)

    def ours() -> Tensor:
        start, encoded = network.enc.steps(driving[:1] * 2 - 1), network.source(source * 2 - 1)
        directions = network.dec.direction.orthonormal()
        parts = (network.enc.steps(part * 2 - 1) - start + encoded.steps for part in driving.split(batch))
        return torch.cat([network.render(encoded, steps, directions=directions) for steps in parts])

    return demo, ours


def loops(method: str, source: Tensor, driving: Tensor, *, batch: int) -> tuple[Loop, Loop]:
    """The two loops of a method."""
    if method == "lia":
        return latent(source, driving, batch=batch)
    if method == "dagan":
        make: Callable[[], Any] = partial(DaGANNetwork, NetworkConfig(points=15), DepthConfig())
    else:
        make = partial(FOMMNetwork, NetworkConfig())
    return first_order(make, source, driving, batch=batch)


def timed(loop: Loop) -> tuple[float, Tensor]:
    clock = time.perf_counter if torch.cuda.is_initialized() else time.process_time
    began = clock()
    out = loop()
    if out.is_cuda:
        torch.cuda.synchronize()
    return clock() - began, out


def measured(method: str, source: Tensor, driving: Tensor, *, batch: int, rounds: int) -> dict[str, object]:
    """Seconds per frame of both loops of a method, and how far their pictures differ."""
    demo, ours = loops(method, source, driving, batch=batch)
    slow: list[float] = []
    fast: list[float] = []
    found = expected = driving
    ours()
    for _ in range(rounds):
        for loop, seconds in ((demo, slow), (ours, fast)):
            spent, made = timed(loop)
            seconds.append(spent / len(driving))
            found, expected = (made, expected) if loop is ours else (found, made)
    return {
        "demo_loop": min(slow),
        "once_per_clip": min(fast),
        "ratio": min(slow) / min(fast),
        "ratio_per_round": [a / b for a, b in zip(slow, fast, strict=True)],
        "largest_difference": (found - expected).abs().max().item(),
        "batch": batch,
    }


def peak(method: str, seconds: int) -> None:
    """Print the peak memory in MB of a process that animates a driving video of so many seconds, with a small network."""
    from toonbench import registry

    torch.set_num_threads(1)
    animator = registry.load("methods", method).with_test_weights()
    chunk = np.random.default_rng(0).integers(0, 256, (RATE, 64, 64, 3), dtype=np.uint8)
    driving: Iterator[Any] = (chunk for _ in range(seconds))
    count = sum(len(part) for part in animator.animate_chunks(chunk[0], driving, motion="relative", seed=0))
    print(json.dumps({"frames": count, "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


def memory(method: str) -> dict[str, object]:
    """Peak memory for driving videos of 30 s and 10 min."""
    found: dict[str, object] = {}
    for seconds in (30, 600):
        command = [sys.executable, __file__, "--methods", method, "--peak", str(seconds)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found[f"{seconds} s"] = json.loads(done.stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Speed of FOMM, DaGAN and LIA at 256 px.")
    parser.add_argument("--methods", nargs="+", default=["fomm", "dagan", "lia"])
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--peak", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak:
        return peak(options.methods[0], options.peak)
    if options.device == "cpu":
        torch.set_num_threads(1)
    torch.manual_seed(1)
    pictures = F.interpolate(torch.rand(1 + options.frames, 3, 8, 8), size=SIZE, mode="bicubic").clamp(0, 1)
    source, driving = pictures.to(options.device).split((1, options.frames))
    batch = 1 if options.device == "cpu" else 8
    result: dict[str, object] = {"what": "seconds per frame at 256 px, relative motion, random weights"}
    with torch.inference_mode():
        for method in options.methods:
            result[method] = measured(method, source, driving, batch=batch, rounds=options.rounds)
    if options.memory:
        result["peak memory, small networks"] = {method: memory(method) for method in options.methods}
    result |= {
        "options": {key: value for key, value in vars(options).items() if key != "peak"},
        "clock": "processor time, one thread" if options.device == "cpu" else "wall time",
        "torch": torch.__version__,
        "machine": platform.processor() or platform.machine(),
        "load_average_at_end": os.getloadavg(),
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))
    return None


if __name__ == "__main__":
    main()
