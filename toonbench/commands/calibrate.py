"""`calibrate`: how every metric responds to errors of known size."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from toonbench.commands.shared import Count, Names, Seed, Step, Terminal, Workers
from toonbench.commands.values import between

if TYPE_CHECKING:
    from toonbench.pool import Pool


def calibrate(
    *,
    out: Path,
    metrics: Names = None,
    errors: Names = None,
    styles: Names = None,
    clips: Count = 6,
    frames: Annotated[int | None, between(4, 100_000)] = None,
    step: Step = 2,
    size: Annotated[int | None, between(16, 2048)] = None,
    seed: Seed = 0,
    validity: bool = False,
    real: Path | None = None,
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
        Frames of each clip; by default 30, and 60 with --validity.
    step
        Take every step-th frame of the 30 fps motion.
    size
        Height and width of the frames, in pixels; by default 128, and 256 with --validity.
    seed
        Another seed gives another set of puppets.
    validity
        Test instead whether `motion_agreement` measures what it claims, on puppets of every style, and write validity.csv and
        validity.md. Only `out`, `clips`, `frames`, `size`, `real` and `workers` are used.
    real
        With --validity: a folder of real videos with one face each, of which stylised copies are made and measured too.
    workers
        Number of local processes; 0 chooses it. The numbers do not depend on it.
    """
    from toonbench.calibrate import Setting, every_error, measurable
    from toonbench.calibrate import calibrate as measure
    from toonbench.puppets.catalogue import styles as known_styles
    from toonbench.report.calibration import write_report

    terminal = terminal or Terminal()
    terminal.start()
    if validity:
        _validity(out, clips, frames=frames or 60, size=size or 256, real=real, pool=terminal.pool(workers))
        terminal.message(f"written: {out / 'validity.md'}")
        return 0
    chosen = tuple(metrics) if metrics else measurable()
    setting = Setting(
        metrics=chosen,
        errors=tuple(errors) if errors else tuple(every_error()),
        styles=tuple(styles) if styles else tuple(known_styles()),
        clips=clips,
        frames=frames or 30,
        step=step,
        size=size or 128,
        seed=seed,
    )
    lines = measure(out, setting, pool=terminal.pool(workers))
    write_report(out, lines, setting)
    terminal.message(f"written: {out / 'calibration.md'}")
    return 0


def _validity(out: Path, pairs: int, *, frames: int, size: int, real: Path | None, pool: Pool) -> None:
    from toonbench.calibrate.validity import Plan, measure_validity
    from toonbench.report.validity import write_validity

    lines = measure_validity(out, Plan(pairs=pairs, frames=frames, size=size, real=real), pool=pool)
    write_validity(out, lines)
