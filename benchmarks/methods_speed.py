"""Frames per second of ToonTalker, FOMM, DaGAN and LIA at 256 px: everything constant per clip computed once, against demo loops.

    python benchmarks/methods_speed.py [--methods toontalker fomm dagan lia] [--frames 12] [--rounds 3] [--memory]
    python benchmarks/methods_speed.py --variants bfloat16 compiled compiled_bfloat16 [--device cuda]

Both loops use our network, so the ratio shows the loop and its preparation alone. The published demos compute one frame at a time.
ToonTalker's runs every network on every frame: appearance and motion of the source, motion of the first frame and of the frame, synthesis.
The others encode the source again for each frame; key points (FOMM, DaGAN), disparity (DaGAN) and steps (LIA) of the source and of the
first frame are computed once there, too. Ours runs on the network as a method uses it: weights prepared, channels last.
Weights are random (time does not depend on their values). All loops take turns; the ratio is of the best rounds of each. On
a CPU, ratios are of processor time on one thread, since other load would otherwise count; wall time stands beside it.

--variants measures our loop in other ways, and by how many grey levels its frames differ. Results are stored for each method, in
methods_speed.json or, with --device cuda, methods_speed_cuda.json. With --memory, a small network of each method animates driving
videos of 30 s and of 10 min (25 frames a second) in chunks, in a process each; the peaks of their memory are compared.
"""

import argparse
import copy
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from baselines.dagan.depth import DepthConfig
from baselines.dagan.model import DaGANNetwork
from baselines.first_order_weights import NetworkConfig
from baselines.first_order_weights import prepared as first_order_prepared
from baselines.fomm.model import FOMMNetwork
from baselines.lia.model import LIANetwork
from baselines.lia.model import NetworkConfig as LIAConfig
from toonbench.networks.first_order import movement_scale, relative_points
from toonbench.networks.stylegan2 import prepared
from toontalker.config import NetworkConfig as ToonTalkerConfig
from toontalker.model import DomainNetwork, ToonTalkerNetwork

RESULTS = Path(__file__).parent / "results"
SIZE, RATE = 256, 25
VARIANTS = ("bfloat16", "compiled", "compiled_bfloat16")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """The network as it is loaded and as a method uses it, two loops over it, the parts to compile, and grey levels per unit."""

    plain: Any
    ready: Any
    demo: Callable[[Any], Tensor]
    ours: Callable[[Any], Tensor]
    parts: tuple[str, ...]
    levels: float


def first_order(make: Callable[[], Any], source: Tensor, driving: Tensor, *, batch: int) -> Bench:
    """FOMM or DaGAN, in relative motion."""
    plain = make().eval().requires_grad_(False)
    ready = first_order_prepared(copy.deepcopy(plain))

    def moved(network: Any, frames: Tensor, encoded: Any, start: Any, scale: float) -> Any:
        points = network.key_points(frames)
        return relative_points(points, source=encoded.points, start=start, scale=scale)

    def demo(network: Any) -> Tensor:
        encoded, start = network.source(source), network.key_points(driving[:1])
        scale = movement_scale(encoded.points, start)
        frames: list[Tensor] = []
        for frame in driving.split(1):
            points = moved(network, frame, encoded, start, scale)
            again = replace(encoded, features=network.generator.encode(source))
            if isinstance(network, DaGANNetwork):
                again = replace(again, queries=network.generator.queries(network.disparity(source))[0])
            frames.append(network.render(again, points))
        return torch.cat(frames)

    def ours(network: Any) -> Tensor:
        encoded, start = network.source(source), network.key_points(driving[:1])
        scale = movement_scale(encoded.points, start)
        frames = [network.render(encoded, moved(network, part, encoded, start, scale)) for part in driving.split(batch)]
        return torch.cat(frames)

    return Bench(plain=plain, ready=ready, demo=demo, ours=ours, parts=("key_points", "render"), levels=255.0)


def lia(source: Tensor, driving: Tensor, *, batch: int) -> Bench:
    """LIA, in relative motion."""
    plain = LIANetwork(LIAConfig()).eval().requires_grad_(False)
    small_warps(plain.dec.to_flows)
    source, driving = source * 2 - 1, driving * 2 - 1

    def demo(network: LIANetwork) -> Tensor:
        start = network.enc.steps(driving[:1])
        frames: list[Tensor] = []
        for frame in driving.split(1):
            encoded = network.source(source)
            steps = network.enc.steps(frame) - start + encoded.steps
            frames.append(network.render(encoded, steps, directions=network.dec.direction.orthonormal()))
        return torch.cat(frames)

    def ours(network: LIANetwork) -> Tensor:
        start, encoded = network.enc.steps(driving[:1]), network.source(source)
        directions = network.dec.direction.orthonormal()
        parts = (network.enc.steps(part) - start + encoded.steps for part in driving.split(batch))
        return torch.cat([network.render(encoded, steps, directions=directions) for steps in parts])

    ready = prepared(copy.deepcopy(plain))
    return Bench(plain=plain, ready=ready, demo=demo, ours=ours, parts=("enc.steps", "render"), levels=127.5)


def toontalker(source: Tensor, driving: Tensor, *, batch: int) -> Bench:
    """ToonTalker in one domain, in relative motion."""
    domain = DomainNetwork(ToonTalkerConfig(size=SIZE))
    plain = ToonTalkerNetwork(domain, domain).eval().requires_grad_(False)
    small_warps(domain.dec.to_flows)
    source, driving = source * 2 - 1, driving * 2 - 1

    def demo(network: ToonTalkerNetwork) -> Tensor:
        frames: list[Tensor] = []
        for frame in driving.split(1):
            encoded, start = network.source(source, "real"), network.motion(driving[:1], "real")
            frames.append(network.relative(encoded, network.motion(frame, "real"), start=start, domain="real"))
        return torch.cat(frames)

    def ours(network: ToonTalkerNetwork) -> Tensor:
        encoded, start = network.source(source, "real"), None
        frames: list[Tensor] = []
        for part in driving.split(batch):
            codes = network.motion(part, "real")
            start = codes[:1] if start is None else start
            frames.append(network.relative(encoded, codes, start=start, domain="real"))
        return torch.cat(frames)

    ready = prepared(copy.deepcopy(plain))
    return Bench(plain=plain, ready=ready, demo=demo, ours=ours, parts=("motion", "relative"), levels=127.5)


def small_warps(heads: Any) -> None:
    """Warps of a few pixels, as trained ones."""
    for head in heads:
        head.get_parameter("conv.weight").mul_(0.03)


def bench(method: str, source: Tensor, driving: Tensor, *, batch: int) -> Bench:
    """The networks and loops of a method, with random weights."""
    torch.manual_seed(0)
    match method:
        case "toontalker":
            made = toontalker(source, driving, batch=batch)
        case "lia":
            made = lia(source, driving, batch=batch)
        case "dagan":
            made = first_order(
                partial(DaGANNetwork, NetworkConfig(points=15), DepthConfig()), source, driving, batch=batch
            )
        case _:
            made = first_order(partial(FOMMNetwork, NetworkConfig()), source, driving, batch=batch)
    return replace(made, plain=made.plain.to(source.device), ready=made.ready.to(source.device))


def loops(of: Bench, variants: list[str], device: str) -> dict[str, Callable[[], Tensor]]:
    """What takes turns, by name."""
    found: dict[str, Callable[[], Tensor]] = {
        "demo_loop": partial(of.demo, of.plain),
        "once_per_clip": partial(of.ours, of.ready),
    }
    for variant in variants:
        network = compiled(of) if "compiled" in variant else of.ready
        half = torch.autocast(device, dtype=torch.bfloat16) if "bfloat16" in variant else nullcontext()

        def run(network: Any = network, half: Any = half) -> Tensor:
            with half:
                return of.ours(network).float()

        found[variant] = run
    return found


def compiled(of: Bench) -> Any:
    """The network with compiled parts."""
    network = copy.deepcopy(of.ready)
    for part in of.parts:
        owner, _, name = part.rpartition(".")
        within: Any = network.get_submodule(owner)
        setattr(within, name, torch.compile(getattr(within, name)))
    return network


def timed(loop: Callable[[], Tensor]) -> tuple[float, float, Tensor]:
    """Seconds of the wall clock and of the processor, and the frames."""
    wall, processor = time.perf_counter(), time.process_time()
    out = loop()
    if out.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - wall, time.process_time() - processor, out


def measured(of: Bench, variants: list[str], *, frames: int, rounds: int, device: str) -> dict[str, Any]:
    """Seconds per frame of all loops, their ratios to the demo's, and by how many grey levels their frames differ."""
    turns = loops(of, variants, device)
    for name, loop in turns.items():
        if name != "demo_loop":
            loop()  # compiles, and takes memory from the system
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in turns}
    made: dict[str, Tensor] = {}
    for _ in range(rounds):
        for name, loop in turns.items():
            wall, processor, made[name] = timed(loop)
            spent[name].append((wall / frames, processor / frames))
    clock = 1 if device == "cpu" else 0
    best = {name: min(times[clock] for times in found) for name, found in spent.items()}
    result: dict[str, Any] = {}
    for name, found in spent.items():
        result[name] = {"wall": min(found)[0], "processor": min(times[1] for times in found)}
        if name != "demo_loop":
            result[name] |= {
                "ratio": best["demo_loop"] / best[name],
                "ratio_per_round": [a[clock] / b[clock] for a, b in zip(spent["demo_loop"], found, strict=True)],
                "largest_difference_in_grey_levels": (made[name] - made["demo_loop"]).abs().max().item() * of.levels,
            }
    return result


def supported(variants: list[str], device: str) -> list[str]:
    """The variants that this machine can profit from: bfloat16 on a CPU needs AMX or AVX512-BF16."""
    cpu: Any = torch.cpu
    if device != "cpu" or cpu._is_amx_tile_supported() or cpu._is_avx512_bf16_supported():
        return variants
    return [variant for variant in variants if "bfloat16" not in variant]


def peak(method: str, seconds: int) -> None:
    """Print the peak memory in MB of a process that animates a driving video of so many seconds, with a small network."""
    from toonbench import registry

    torch.set_num_threads(1)
    kind: Any = registry.load("methods", method)
    animator = getattr(kind, "with_test_weights", kind)()
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
    parser = argparse.ArgumentParser(description="Speed of ToonTalker, FOMM, DaGAN and LIA at 256 px.")
    parser.add_argument("--methods", nargs="+", default=["toontalker", "fomm", "dagan", "lia"])
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=[])
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--out", type=Path, help="the file of the results")
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
    variants = supported(options.variants, options.device)
    name = "methods_speed.json" if options.device == "cpu" else "methods_speed_cuda.json"
    path: Path = options.out or RESULTS / name
    result: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    for method in options.methods:
        with torch.inference_mode():
            of = bench(method, source, driving, batch=batch)
            found = measured(of, variants, frames=options.frames, rounds=options.rounds, device=options.device)
        found["run"] = {
            "what": "seconds per frame at 256 px, relative motion, random weights",
            "ratios": "of processor time, one thread" if options.device == "cpu" else "of wall time",
            "frames": options.frames,
            "batch": batch,
            "torch": torch.__version__,
            "machine": platform.machine() if options.device == "cpu" else torch.cuda.get_device_name(),
            "load_average_at_end": os.getloadavg(),
        }
        if options.memory:
            found["peak memory, small network"] = memory(method)
        result[method] = result.get(method, {}) | found
        path.write_text(json.dumps(result, indent=2) + "\n")
        print(json.dumps({method: found}, indent=2), flush=True)
    return None


if __name__ == "__main__":
    main()
