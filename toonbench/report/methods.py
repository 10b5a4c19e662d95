"""What reports know about methods: which ones only check metrics, and which weights a run had, from its stored facts."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Literal

from toonbench import weights

DUMMIES = ("oracle", "noisy-oracle", "static", "paste")
"""Methods that check the metrics: they are shown beside others, and never ranked with them."""
PER_PAIR = ("recycle-gan",)
"""Methods with one model for each pair of clips: they are shown beside others, and never ranked with them."""
UNRANKED = (*DUMMIES, *PER_PAIR)
BASELINES = ("fomm", "lia", "dagan")
"""The methods that the paper compares with."""
MINIS = {f"{method}_mini.safetensors": method for method in ("toontalker", *BASELINES)}
"""The files of the minis, with their methods."""
TEST = "deterministic test weights"
WeightsKind = Literal["", "official", "fine-tuned", "own", "mini", "test weights"]


def weights_kind(method: str, checkpoint: Mapping[str, str]) -> WeightsKind:
    """Which weights a run had, from the file's name and sha256 that it stored; empty for a method without weights.

    official: a file of the manifest (by its sha256 where the manifest has one, otherwise by its name), or a .pt of ToonTalker.
    fine-tuned: another file of a method of the paper. own: weights that `toonbench train` made from new ones.
    mini: those that toonbench includes.
    """
    file = checkpoint.get("file", "")
    if checkpoint.get("variant") == TEST:
        return "test weights"
    if not file:
        return ""
    if MINIS.get(file) == method:
        return "mini"
    if (stated := checkpoint.get("kind")) in ("fine-tuned", "own"):
        return stated
    if method.startswith("toontalker"):
        return "own" if file.endswith(".safetensors") else "official"
    if is_official(method, file=file, sha256=checkpoint.get("sha256", "")):
        return "official"
    return "fine-tuned" if method in BASELINES else "own"


def is_official(method: str, *, file: str, sha256: str) -> bool:
    """Whether a checkpoint is one that the authors of a method published."""
    for entry in official_files(method):
        if len(entry.sha256) == 64 and sha256:
            if entry.sha256 == sha256:
                return True
        elif entry.file == file:
            return True
    return False


def official_files(method: str) -> list[weights.Entry]:
    """The entries of the manifest for a method's own weights."""
    return [
        one for name, one in weights.entries().items() if name.startswith(f"{method}-") and "depth" not in name
    ]  # the depth network of DaGAN is a part of all its checkpoints


def configuration(checkpoint: Mapping[str, str]) -> str:
    """The configuration that weights state which `toonbench train` wrote, where it is not the paper's; otherwise empty."""
    name, overrides = checkpoint.get("config", ""), checkpoint.get("overrides", "")
    return (
        f"configuration {name}{f' with {overrides}' if overrides else ''}"
        if overrides or name not in ("", "paper")
        else ""
    )


def model_name(method: str, checkpoint: Mapping[str, str], *, variants: Container[str]) -> str:
    """The method of a run, or `toontalker-<variant>` if its checkpoint is an ablated ToonTalker.

    Weights of `toonbench train` state their ablation; of others, the file's name says it.
    """
    if method != "toontalker":
        return method
    stem = checkpoint.get("file", "").partition(".")[0]
    named = stem.removeprefix("toontalker-") if stem.startswith("toontalker-") else ""
    variant = checkpoint.get("ablation", "") if "config" in checkpoint else named
    return f"toontalker-{variant}" if variant in variants else method
