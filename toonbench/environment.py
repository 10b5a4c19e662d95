"""The environment of a result (versions, commit, machine, device), and the choice of the device."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from toonbench.types import ToonbenchError

PACKAGES = (
    "torch",
    "torchvision",
    "numpy",
    "scipy",
    "numba",
    "llvmlite",
    "scikit-image",
    "pandas",
    "pyarrow",
    "av",
    "pillow",
    "decord",
    "onnx",
    "safetensors",
    "facenet-pytorch",
    "insightface",
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "onnxruntime",
    "onnxruntime-gpu",
    "lpips",
    "pytorch-fid",
    "face-alignment",
)
DEVICES = ("auto", "cpu", "cuda", "mps")


def record(*, device: str | None = None, seeds: Mapping[str, int] | None = None) -> dict[str, Any]:
    """Everything that may change a number, ready for JSON: toonbench and its commit, packages, machine, `device`, `seeds`.

    Versions come from package metadata without importing the packages. torch is imported only if `device` is given, as a
    torch name ("cpu", "cuda:0", "mps"). All calls on one installation return the same dictionary.
    """
    described: dict[str, Any] = {
        "toonbench": _version("toonbench"),
        "git": _git(Path(__file__).parents[1]),
        "python": platform.python_version(),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpus": os.cpu_count() or 1,
        "seeds": dict(seeds or {}),
    }
    if device is not None:
        described["device"] = _device(device)
    return described


def pick_device(name: str) -> str:
    """The torch device for `name`: "cpu", "cuda", "mps", or "auto" for the fastest available one.

    A numbered device such as "cuda:1" is accepted if it exists. Raises ToonbenchError for an unknown or missing device.
    """
    import torch

    available = ["cpu"]
    if torch.backends.mps.is_available():
        available.append("mps")
    if torch.cuda.is_available():
        available.append("cuda")
    if name == "auto":
        return available[-1]
    kind, _, number = name.partition(":")
    if kind not in DEVICES:
        raise ToonbenchError(f"unknown device {name!r}; choose one of {', '.join(DEVICES)}")
    if kind not in available:
        raise ToonbenchError(
            f"device {name!r} is not available on this machine; available: {', '.join(['auto', *available])}"
        )
    if number and not (number.isdecimal() and int(number) < _count(torch, kind)):
        raise ToonbenchError(
            f"device {name!r} does not exist; this machine has {_count(torch, kind)} {kind} devices, counted from 0"
        )
    return name


def _count(module: Any, kind: str) -> int:
    return int(module.cuda.device_count()) if kind == "cuda" else 1


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


@cache
def _git(root: Path) -> dict[str, Any]:
    """The commit, and whether tracked files differ from it; empty unless `root` is the top of a git checkout."""
    if not (root / ".git").exists():
        return {}
    commit, changes = _run_git(root, "rev-parse", "HEAD"), _run_git(root, "status", "--porcelain", "-uno")
    return {} if not commit else {"commit": commit, "dirty": bool(changes)}


def _run_git(root: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def _device(name: str) -> dict[str, Any]:
    import torch as torch_module

    torch: Any = torch_module
    if name.startswith("cuda"):
        hardware = torch.cuda.get_device_name(name)
        return {"name": name, "hardware": hardware, "cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version()}
    return {"name": name, "hardware": platform.processor() or platform.machine(), "threads": torch.get_num_threads()}
