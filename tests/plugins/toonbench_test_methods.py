"""Methods for tests, named on the command line as `toonbench_test_methods:Name`."""

from __future__ import annotations

import time

import numpy as np


class Slow:
    """Blends source and driver with seeded noise, slowly enough to be killed in the middle."""

    name = "slow"
    revision = "1"

    def __init__(self, *, device="cpu", checkpoint=None):
        pass

    def animate(self, source, driving, *, motion, seed, source_domain, driving_domain):
        time.sleep(0.05)
        noise = np.random.default_rng(seed).integers(0, 9, driving.shape)
        return ((driving.astype(int) + source) // 2 + noise).clip(0, 255).astype(np.uint8)


class Slower(Slow):
    """Slow enough to be interrupted for certain."""

    name = "slower"

    def animate(self, source, driving, **options):
        time.sleep(1)
        return super().animate(source, driving, **options)


class Faulty(Slow):
    """Raises for some sources, returns the wrong shape for others."""

    name = "faulty"

    def animate(self, source, driving, **options):
        choice = int(source[0, 0, 0]) % 3
        if choice == 0:
            raise RuntimeError("no luck\nwith this one")
        frames = super().animate(source, driving, **options)
        return frames[:-1] if choice == 1 else frames


class Hopeless(Slow):
    """Always fails."""

    name = "hopeless"

    def animate(self, source, driving, **options):
        raise ValueError("never works")


class Endless(Slow):
    """Ignores every polite signal, and never returns."""

    name = "endless"

    def animate(self, source, driving, **options):
        import os
        import signal
        from pathlib import Path

        if not isinstance(signal.getsignal(signal.SIGTERM), signal.Handlers):
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        Path(os.environ["TOONBENCH_TEST_BEGUN"]).touch()
        while True:
            time.sleep(1)


class Trained(Slow):
    """Its checkpoint is the JSON of the clips that it was trained on."""

    name = "trained"

    def __init__(self, *, device="cpu", checkpoint=None):
        import json

        from toonbench.training.trained_on import TrainedOn

        self.trained_on = TrainedOn.from_dict(json.loads(checkpoint.read_text())) if checkpoint else None
