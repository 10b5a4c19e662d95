"""Tiny training runs that tests start in processes of their own."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from baselines.first_order_weights import NetworkConfig as FirstOrder
from baselines.fomm.train.config import MINI as FOMM_MINI
from baselines.fomm.train.train import fit as fit_fomm
from baselines.lia.model import NetworkConfig as Lia
from baselines.lia.train.config import MINI as LIA_MINI
from baselines.lia.train.train import fit as fit_lia
from toonbench.data.table import CLIPS
from toonbench.training.clips import ClipSet
from toonbench.video import write_lossless
from toontalker.config import NetworkConfig
from toontalker.train.config import MINI
from toontalker.train.train import run

TINY = NetworkConfig(
    size=64, channels=tuple((4 << i, 8) for i in range(5)), style=8, motions=3, heads=2, feedforward=8, dropout=0.1
)
EVERY = {"checkpoint_every": 2, "sample_every": 3, "log_every": 1}
TOONTALKER = replace(
    MINI, name="tiny", network=TINY, steps1=4, steps2=4, batch1=2, batch2=2, workers=1, adversarial=1.0, **EVERY
)
FOMM = replace(
    FOMM_MINI,
    name="tiny",
    network=FirstOrder(points=3, detector=(4, 4, 4), motion=(4, 4, 4), generator=(4, 4, 4), residuals=1),
    steps=8,
    batch=2,
    critic=(4, 4),
    ema=0.9,
    adversarial=1.0,
    **EVERY,
)

LIA = replace(
    LIA_MINI,
    name="tiny",
    network=Lia(size=32, channels=tuple((4 << step, 8) for step in range(4)), style=8, motions=4),
    size=32,
    steps=6,
    batch=4,
    ema=0.9,
    adversarial=0.0,
    **EVERY,
)


def moving_noise(size=64):
    """Three clips of each domain: a picture of noise that moves to the right."""
    rng, found = np.random.default_rng(0), {}
    for domain in ("real", "cartoon"):
        grounds = rng.integers(0, 255, (3, 1, size, size, 3), dtype=np.uint8)
        clips = [np.concatenate([np.roll(ground, 3 * t, axis=2) for t in range(4)]) for ground in grounds]
        found[domain] = ClipSet((clips[1], clips[2]), (clips[0],))
    return found


def write_set(folder, size=64):
    """A data set of `moving_noise`."""
    rows = []
    for domain, clips in moving_noise(size).items():
        for index, frames in enumerate((*clips.heldout, *clips.train)):
            name = f"{domain}{index}"
            write_lossless(folder / f"{name}.mkv", frames, fps=10)
            row = {"id": name, "file": f"{name}.mkv", "domain": domain, "kind": "video", "identity": name}
            rows.append(row | {"split": "train", "sha256": "0" * 64})
    CLIPS.write(folder, rows)


RUNS = {
    "toontalker": lambda out, watch: run(TOONTALKER, moving_noise(), Path(out), device="cpu", on_progress=watch),
    "fomm": lambda out, watch: fit_fomm(FOMM, moving_noise(), Path(out), device="cpu", on_progress=watch),
    "lia": lambda out, watch: fit_lia(LIA, moving_noise(32), Path(out), device="cpu", on_progress=watch),
}
