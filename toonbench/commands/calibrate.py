"""`calibrate`: how every metric answers to errors of known size."""

from __future__ import annotations

from pathlib import Path

from toonbench.commands.shared import Names, Talk


def calibrate(
    *,
    out: Path,
    metrics: Names = None,
    errors: Names = None,
    styles: Names = None,
    clips: int = 6,
    frames: int = 30,
    step: int = 2,
    size: int = 128,
    seed: int = 0,
    workers: int = 0,
    talk: Talk | None = None,
) -> int:
    """Inject motion errors and image damage of known size into puppets, and draw what the metrics say.

    Writes calibration.csv, calibration.md and a figure for each metric.

    Parameters
    ----------
    out
        The folder to write to; measurements found there are kept.
    metrics
        Only these metrics; by default all that can be measured here and have a number for each clip.
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
        Side in pixels.
    seed
        Another seed is another set of puppets.
    workers
        Local processes; 0 chooses. The numbers do not depend on it.
    """
    from toonbench.calibrate import Setting, every_error, measurable
    from toonbench.calibrate import calibrate as measure
    from toonbench.puppets.catalogue import styles as known_styles
    from toonbench.report.calibration import write_report

    talk = talk or Talk()
    talk.start()
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
    lines = measure(out, setting, pool=talk.pool(workers))
    write_report(out, lines, setting)
    talk.say(f"written: {out / 'calibration.md'}")
    return 0
