"""`calibrate`: how every metric responds to errors of known size."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from toonbench.commands.shared import Count, Names, Seed, Size, Step, Terminal, Workers
from toonbench.commands.values import between


def calibrate(
    *,
    out: Path,
    metrics: Names = None,
    errors: Names = None,
    styles: Names = None,
    clips: Count = 6,
    frames: Annotated[int, between(4, 100_000)] = 30,
    step: Step = 2,
    size: Size = 128,
    seed: Seed = 0,
    workers: Workers = 0,
    terminal: Terminal | None = None,
) -> int:
    """Inject motion errors and image damage of known size into puppets, and plot the metrics' values.

    Writes calibration.csv, calibration.md and a figure for each metric.

    Parameters
    ----------
    out
        The folder to write to. Measurements that it already has are kept.
    metrics
        Only these metrics; by default all that this machine can measure and that have a number for each clip.
    errors
        Only these errors (delay, gain, freeze, swap, shake, blur, coarse, noise, jpeg, wreck, "mute yaw" ...); all by default.
    styles
        Only these puppet styles; all by default.
    clips
        Puppets of each style.
    frames
        Frames of each clip.
    step
        Take every step-th frame of the 30 fps motion.
    size
        Height and width of the frames, in pixels.
    seed
        Another seed gives another set of puppets.
    workers
        Number of local processes; 0 chooses it. The numbers do not depend on it.
    """
    from toonbench.calibrate import Setting, every_error, measurable
    from toonbench.calibrate import calibrate as measure
    from toonbench.puppets.catalogue import styles as known_styles
    from toonbench.report.calibration import write_report

    terminal = terminal or Terminal()
    terminal.start()
    chosen = tuple(metrics) if metrics else measurable()
    setting = Setting(
        metrics=chosen,
        errors=tuple(errors) if errors else tuple(every_error()),
        styles=tuple(styles) if styles else tuple(known_styles()),
        clips=clips,
        frames=frames,
        step=step,
        size=size,
        seed=seed,
    )
    lines = measure(out, setting, pool=terminal.pool(workers))
    write_report(out, lines, setting)
    terminal.message(f"written: {out / 'calibration.md'}")
    return 0
