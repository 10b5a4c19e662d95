"""A set of metrics over folders of videos: one toonbench command against pytorch-fid, lpips, cpbd and face-alignment in turn.

    nohup python benchmarks/metric_set_speed.py [--frames 12] [--methods 3] > log &      (a quarter of an hour on two cores)

Puppets at 256 px; three "methods" are the targets blurred, with noise, and shifted, so that no two frames are equal. Ours:
`toonbench score --videos`, two processes of one thread, with l1, psnr, ssim and kid beside the four metrics that have peers,
and the input linter. Theirs (`metric_set_peers.py`): `python -m pytorch_fid`, and a loop over the frames for each of lpips
(alex), CPBD and the landmarks of face-alignment, generated and target, as pose-evaluation runs it; on PNGs written before,
each a process. For each method as they are, with PyTorch's threads, and with one thread, where CPU time is work done and
not waiting for the other thread. Wall time on a machine that others use favours toonbench, whose two processes get two
shares of it: each measurement has the load of its minute, and under load CPU time on one thread is the ratio to trust.

Both sides load the same files of deterministic test weights. S3FD finds no face with them (its background is made surer still, or
its Python loop over candidates would run on all 5465): both run it, and give FAN the middle of the frame.
Values of both sides must be equal. Writes results/metric_set_speed.json.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from metric_set_peers import AKDMiddle
from numpy.typing import NDArray
from PIL import Image

from toonbench import video
from toonbench.metrics.cpbd import cpbd
from toonbench.networks.deterministic import deterministic_state
from toonbench.store import write_json

HERE = Path(__file__).parent
TASK, PAIRS, SKIP = "real2cartoon", 4, 1
METRICS = ("l1", "psnr", "ssim", "lpips_alex", "cpbd", "fid", "kid", "metric_set_peers:AKDMiddle")
WEIGHTS = {  # our names, and the files that the peers look for
    "inception-fid": "pt_inception-2015-12-05-6726825d.pth",
    "alexnet": "alexnet-owt-7be5be79.pth",
    "fan68": "2DFAN4-11f355bf06.pth.tar",
    "s3fd": "s3fd-619a316812.pth",
}
Damage = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
Usage = dict[str, float]  # wall, cpu: seconds; load: processes that ran or waited in the last minute


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--methods", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        result = measured(Path(place), frames=options.frames, methods=options.methods)
    write_json(HERE / "results/metric_set_speed.json", result)
    print(json.dumps(result, indent=1))


def measured(place: Path, *, frames: int, methods: int) -> dict[str, Any]:
    environment, weights = write_weights(place)
    run([sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(place / "cpbd"), "cpbd==1.0.7"])
    data = make_data(place, frames=frames + SKIP)
    names = list(write_methods(place, data, methods))
    ours, theirs, differences, at_default = [], [], [], []
    for name in names:
        at_default.append(peers(place, name, environment, threads=None))
        say(f"{name}, peers with PyTorch's threads: {at_default[-1]}")
        ours.append(toonbench(place, data, name, environment))
        say(f"{name}, toonbench: {ours[-1]}")
        theirs.append(peers(place, name, environment, threads=1))
        say(f"{name}, peers on one thread: {theirs[-1]}")
        differences.append(compared(place, name))
        say(f"{name}, differences: {differences[-1]}")
    return {
        "what": "seconds of the same metrics over the same videos; wall time, and CPU time of all processes",
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"torch {importlib.import_module('torch').__version__}, load {os.getloadavg()}",
        "pairs": PAIRS, "frames": PAIRS * frames, "size": 256, "methods": names, "metrics": METRICS,
        "weights": weights,
        "toonbench": ours, "peers_one_thread": theirs, "peers_default_threads": at_default,
        "ratio_toonbench_to_peers": ratios(ours, theirs, at_default),
        "akd_of_the_peers": akd_part(theirs),
        "differences": differences,
    }  # fmt: skip


def ratios(ours: list[Usage], theirs: list[dict[str, Usage]], at_default: list[dict[str, Usage]]) -> dict[str, Any]:
    """Of the first method (real frames measured for the first time), of the others, and of all."""
    alone = [together(one) for one in theirs]
    kept = [
        together(one) if at == 0 else less_half_of_akd(one) for at, one in enumerate(theirs)
    ]  # targets' landmarks kept

    def of(kind: str, other: Sequence[Usage]) -> dict[str, float]:
        mine, peer = [one[kind] for one in ours], [one[kind] for one in other]
        further = sum(mine[1:]) / sum(peer[1:]) if len(mine) > 1 else float("nan")
        return {"first": mine[0] / peer[0], "further": further, "all": sum(mine) / sum(peer)}

    return {
        "wall, PyTorch's threads": of("wall", [together(one) for one in at_default]),
        "wall, one thread": of("wall", alone),
        "cpu, one thread": of("cpu", alone),
        "cpu, one thread, peers keep the targets' landmarks": of("cpu", kept),
    }


def together(parts: dict[str, Usage]) -> Usage:
    return {kind: sum(part[kind] for part in parts.values()) for kind in ("wall", "cpu")}


def less_half_of_akd(parts: dict[str, Usage]) -> Usage:
    return {kind: value - parts["akd"][kind] / 2 for kind, value in together(parts).items()}


def akd_part(theirs: list[dict[str, Usage]]) -> float:
    return sum(one["akd"]["cpu"] for one in theirs) / sum(together(one)["cpu"] for one in theirs)


def write_weights(place: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Files of deterministic test weights where PyTorch's hub and toonbench look for them: the environment, and their hashes."""
    import torch

    models: Any = importlib.import_module("torchvision.models")
    fan: Any = importlib.import_module("face_alignment.models")
    s3fd: Any = importlib.import_module("face_alignment.detection.sfd.net_s3fd")
    inception = {"weights": None, "num_classes": 1008, "aux_logits": False, "init_weights": False}
    networks = {
        "inception-fid": ("inception", lambda: models.inception_v3(**inception)),
        "alexnet": ("lpips", lambda: models.alexnet(weights=None)),
        "fan68": ("fan68", lambda: fan.FAN(4)),
        "s3fd": ("s3fd", s3fd.s3fd),
    }
    folder = place / "torch/hub/checkpoints"
    folder.mkdir(parents=True)
    hashes: dict[str, str] = {}
    for name, (prefix, make) in networks.items():
        state = deterministic_state(make().state_dict(), prefix)
        for key, tensor in state.items():
            if key.endswith("conf.bias"):
                tensor[:-1] = 6.0  # logits of the background
        torch.save(state, folder / WEIGHTS[name])
        hashes[name] = hashlib.sha256((folder / WEIGHTS[name]).read_bytes()).hexdigest()
    entries = [f'[{name}]\nfile = "{WEIGHTS[name]}"\nsha256 = "{found}"\n' for name, found in hashes.items()]
    (place / "manifest.toml").write_text("\n".join(entries))
    environment = {
        "TORCH_HOME": str(place / "torch"),
        "TOONBENCH_WEIGHTS": str(folder),
        "TOONBENCH_WEIGHTS_MANIFEST": str(place / "manifest.toml"),
        "PYTHONPATH": f"{HERE}{os.pathsep}{HERE.parent}",
    }
    return environment, hashes


def make_data(place: Path, *, frames: int) -> Path:
    data = place / "puppets"
    run(toonbench_command("make-puppets", "--split", "test", "--clips", 1, "--images", PAIRS, "--frames", frames, "--size", 256,
                          "--workers", 2, "--quiet", "--out", data))  # fmt: skip
    return data


def write_methods(place: Path, data: Path, methods: int) -> dict[str, Damage]:
    """Videos of each method, and PNGs of what the metrics measure: generated and target frames, the sources."""
    noise = np.random.default_rng(0)
    damages: dict[str, Damage] = {
        "blurred": lambda frames: blurred(frames),
        "noisy": lambda frames: np.clip(frames + noise.normal(0, 6, frames.shape), 0, 255).astype(np.uint8),
        "shifted": lambda frames: np.roll(frames, 2, axis=2),
    }
    listed = run(toonbench_command("generate", "--dry-run", "--json", "--method", "static", "--task", TASK, "--data", data,
                                   "--limit", PAIRS))  # fmt: skip
    (place / "sources").mkdir()
    for pair in json.loads(listed)["pairs"]:
        video.write_png(place / f"sources/{Path(pair['source']).stem}.png", video.read_image(Path(pair["source"])))
        target = video.read_video(Path(pair["target"]))
        write_frames(place / "target", pair["pair"], target.frames)
        for name, damage in list(damages.items())[:methods]:
            frames = damage(target.frames)
            video.write_lossless(place / f"videos/{name}/{pair['pair']}.mkv", frames, fps=target.fps)
            write_frames(place / name, pair["pair"], frames)
    return dict(list(damages.items())[:methods])


def blurred(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    ndimage: Any = importlib.import_module("scipy.ndimage")
    return ndimage.gaussian_filter(frames, (0, 1.0, 1.0, 0))


def write_frames(folder: Path, pair: str, frames: NDArray[np.uint8]) -> None:
    folder.mkdir(exist_ok=True)
    for index, frame in enumerate(frames[SKIP:]):
        video.write_png(folder / f"{pair}-{index:04}.png", frame)


def toonbench(place: Path, data: Path, name: str, environment: dict[str, str]) -> Usage:
    return used(toonbench_command("score", "--videos", place / "videos" / name, "--task", TASK, "--data", data, "--limit", PAIRS,
                                  "--metrics", *METRICS, "--workers", 2, "--out", place / "out"), environment)  # fmt: skip


def toonbench_command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "toonbench.cli", *map(str, arguments)]


def peers(place: Path, name: str, environment: dict[str, str], *, threads: int | None) -> dict[str, Usage]:
    """What each peer's command takes; its values go to files."""
    if threads:
        environment = environment | {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
    frames, script = place / name, [sys.executable, str(HERE / "metric_set_peers.py")]
    found: dict[str, Usage] = {}
    for what, other in (("lpips", place / "target"), ("cpbd", place / "cpbd"), ("akd", place / "target")):
        found[what] = used([*script, what, str(frames), str(other), str(place / f"{name}-{what}.json")], environment)
    log = place / f"{name}-fid.txt"
    fid = [sys.executable, "-W", "ignore", "-m", "pytorch_fid", str(frames), str(place / "sources"), "--device", "cpu"]
    found["fid"] = used(fid, environment, log=log)
    return found


def compared(place: Path, name: str) -> dict[str, float]:
    """How far both sides' values lie apart; AssertionError if further than they may."""
    (run_folder,) = place.glob(f"out/*/{TASK}@*/{name}@*")
    (real,) = place.glob("out/*/real")

    def rows(metric: str) -> NDArray[np.float32]:
        return np.concatenate([np.load(path) for path in sorted((run_folder / "rows" / metric).rglob("*.npy"))])

    def theirs(what: str) -> Any:
        return np.array(json.loads((place / f"{name}-{what}.json").read_text()))

    results = {row["metric"]: row for row in json.loads((run_folder / "result.json").read_text())["results"]}
    fid = float((place / f"{name}-fid.txt").read_text().split()[-1])
    generated, target = theirs("akd")
    points = np.concatenate([np.load(path)[SKIP:] for path in sorted((real / AKDMiddle.features).rglob("*.npy"))])
    akd = np.abs(generated - target).mean(axis=1)
    sharpness = [cpbd(np.asarray(Image.open(path).convert("L"))) for path in sorted((place / name).glob("*.png"))]
    found = {
        "lpips_relative": float(np.abs(rows("lpips_alex@1")[:, 0] / theirs("lpips") - 1).max()),
        "cpbd": float(np.abs(np.array(sharpness) - theirs("cpbd")).max()),
        "cpbd_rows": float(np.abs(rows("cpbd@1")[:, 0] - theirs("cpbd")).max()),
        "fid_relative": abs(results["fid@1"]["value"] / fid - 1),
        "fid": fid,
        "target_landmarks_equal": float((points == target).mean()),
        "akd_frames_equal": float((np.abs(rows("akd_middle@1")[:, 0] - akd) < 1e-4).mean()),
        "akd_relative": abs(results["akd_middle@1"]["value"] / float(akd.mean()) - 1),
    }
    assert found["lpips_relative"] < 1e-5, found
    assert found["cpbd"] < 1e-12, found
    assert found["cpbd_rows"] < 1e-7, found  # rows are float32
    assert found["fid_relative"] < 1e-3, found
    assert found["target_landmarks_equal"] > 0.98, found
    assert found["akd_relative"] < 1e-2, found
    return found


def used(command: Sequence[str], environment: dict[str, str], *, log: Path | None = None) -> Usage:
    """Seconds of a command and of the processes it started."""
    begun, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    said = run(command, environment)
    wall, after = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    if log:
        log.write_text(said)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall": round(wall, 2), "cpu": round(cpu, 2), "load": round(os.getloadavg()[0], 1)}


def run(command: Sequence[str], environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, env=os.environ | (environment or {}), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def say(line: str) -> None:
    print(time.strftime("%H:%M:%S"), line, flush=True)


if __name__ == "__main__":
    main()
