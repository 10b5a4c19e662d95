"""A weights folder and manifest of deterministic test weights, so that every metric but aed_expression runs without any download.

`write_weights(folder)` is quick (seconds); `shared_weights` makes it once for all tests, and all of pytest's workers. The
environment that `WeightsFolder.environment` gives holds in subprocesses and spawned workers too. The networks measure
nothing: their weights are drawn from names, the face networks of insightface are those of `synthetic_faces`.

Two S3FDs lie in the folder. The one with deterministic test weights finds no face in anything. The bright one, of the manifest `faces.toml`, finds a
face at each of four places of the 256-pixel square (`PLACES`) around which a picture is bright, the brightest first.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pytest

PLACES = (80, 208)  # x and y, in the 256-pixel square, of the faces that the bright S3FD may find
BOX = 190.0  # pixels a side of these faces: some of each is cut off by the picture's edge
NAMES = {
    "alexnet": "alexnet.pth",
    "vgg16": "vgg16.pth",
    "inception-fid": "inception.pth",
    "fan68": "fan.pth.tar",
    "s3fd": "s3fd.pth",
    "openface": "openface.pth",
    "dinov2-small": "dinov2.safetensors",
    "scrfd-10g": "det_10g.onnx",
    "arcface-r50": "w600k_r50.onnx",
    "yunet": "yunet.onnx",
    "sface": "sface.onnx",
    "stlpips-alex": "stlpips.pth",
}
BRIGHT = "s3fd-bright.pth"


@dataclass(frozen=True)
class WeightsFolder:
    """The folder, its manifest, and the manifest whose S3FD finds faces."""

    folder: Path

    @property
    def manifest(self) -> Path:
        return self.folder / "manifest.toml"

    @property
    def faces(self) -> Path:
        return self.folder / "faces.toml"

    def file(self, name: str) -> Path:
        return self.folder / NAMES[name]

    def sha256(self, name: str) -> str:
        return hashlib.sha256(self.file(name).read_bytes()).hexdigest()

    def environment(self, *, faces: bool = False) -> dict[str, str]:
        """What to set for the command line."""
        return {
            "TOONBENCH_WEIGHTS": str(self.folder),
            "TOONBENCH_WEIGHTS_MANIFEST": str(self.faces if faces else self.manifest),
            "TOONBENCH_CACHE": str(self.folder.parent / "cache"),
        }


def shared_weights(factory: pytest.TempPathFactory, *, worker: str = "") -> WeightsFolder:
    """The folder for this session of tests; of several workers of pytest-xdist one makes it and the others wait."""
    from filelock import FileLock

    base = factory.getbasetemp().parent if worker else factory.getbasetemp()
    made = WeightsFolder(base / "deterministic-weights" / "weights")
    with FileLock(base / "deterministic-weights.lock"):
        if not made.manifest.exists():
            write_weights(made.folder)
    return made


def write_weights(folder: Path) -> WeightsFolder:
    """Write all files and, last, the two manifests."""
    import torch
    from safetensors.torch import save_file

    from int8_onnx_files import write_sface, write_yunet
    from synthetic_faces import write_face_weights

    folder.mkdir(parents=True, exist_ok=True)
    made = WeightsFolder(folder)
    for name, state in _states().items():
        if made.file(name).suffix == ".safetensors":
            save_file(state, made.file(name))
        else:
            torch.save(state, made.file(name))
    torch.save(_bright_s3fd(torch.load(made.file("s3fd"), weights_only=True)), folder / BRIGHT)
    write_face_weights(folder)
    write_yunet(made.file("yunet"))
    write_sface(made.file("sface"))
    made.faces.write_text(manifest_of(folder, NAMES | {"s3fd": BRIGHT}))
    made.manifest.write_text(manifest_of(folder, NAMES))
    return made


def manifest_of(folder: Path, files: dict[str, str]) -> str:
    """A manifest in which each entry stands for itself: no address, the file's own hash."""
    lines: list[str] = []
    for name, file in files.items():
        digest = hashlib.sha256((folder / file).read_bytes()).hexdigest()
        lines += [f"[{name}]", f'file = "{file}"', f'sha256 = "{digest}"', 'licence = "made for tests"', ""]
    return "\n".join(lines)


def _states():
    """State dicts with the keys of the published files; the classifiers that nothing uses are left out."""
    import torch
    from face_alignment.detection.sfd.net_s3fd import s3fd
    from face_alignment.models import FAN
    from torchvision import models

    from toonbench.networks.deterministic import deterministic_state
    from toonbench.networks.dinov2 import DINOv2
    from toonbench.networks.openface import OpenFace
    from toonbench.networks.stlpips import with_test_weights

    with torch.device("meta"):
        backbones = {"alexnet": models.alexnet().features, "vgg16": models.vgg16().features}
        inception = models.inception_v3(weights=None, num_classes=1008, aux_logits=False, init_weights=False)
        fan, detector, dino, openface = FAN(4), s3fd(), DINOv2(), OpenFace()
    states = {
        name: deterministic_state({f"features.{key}": one for key, one in net.state_dict().items()}, name)
        for name, net in backbones.items()
    }
    for name, network, prefix in (
        ("inception-fid", inception, "inception"),
        ("fan68", fan, "fan68"),
        ("s3fd", detector, "s3fd"),
        ("openface", openface, "openface"),
        ("dinov2-small", dino, "dinov2-small"),
    ):
        states[name] = deterministic_state(network.state_dict(), prefix)
    states["stlpips-alex"] = with_test_weights().state_dict()
    return states


def _bright_s3fd(state):
    """S3FD's tensors, all 0 but a path that carries the largest brightness of 32-pixel cells to the last level."""
    import math

    import torch

    bright = {key: torch.zeros_like(one) for key, one in state.items()}
    heads = [key for key in state if "mbox" in key]
    for key in state:
        if key.endswith("weight") and key not in heads and state[key].ndim == 4:
            middle = state[key].shape[-1] // 2
            bright[key][0, 0 if key != "conv1_1.weight" else slice(0, 3), middle, middle] = (
                1 / 3 if key == "conv1_1.weight" else 1
            )
    for key in heads:
        if key.endswith("conf.bias"):
            bright[key][:] = 5
            bright[key][-1] = -5
    bright["conv7_2_mbox_conf.bias"][:] = torch.tensor([0.0, -3.0])
    bright["conv7_2_mbox_conf.weight"][1, 0, 1, 1] = 0.1  # surer than a half from 30 grey levels above the mean
    # The cells of index 1 and 2 stand for 192 and 320 in S3FD's count, and what they see lies around 80 and 208.
    bright["conv7_2_mbox_loc.bias"][:2] = -112 / (0.1 * 512)
    bright["conv7_2_mbox_loc.bias"][2:] = math.log(BOX / 512) / 0.2
    return bright
