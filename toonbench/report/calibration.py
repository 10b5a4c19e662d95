"""The calibration as figures and Markdown: a figure for each metric, a table of dummies, and a table of monotone curves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from toonbench import registry
from toonbench.calibrate.errors import ERRORS, MUTED, Error
from toonbench.calibrate.measure import DUMMIES, Line, Setting
from toonbench.store import write_bytes, writing
from toonbench.types import CHANNELS, ToonbenchError

COLOURS = ("#1b4f72", "#c0392b", "#239b56", "#b9770e", "#7d3c98", "#117a8b", "#5d6d7e", "#d35498", "#7b8a16")


def write_report(out: Path, lines: Sequence[Line], setting: Setting) -> None:
    """Write `calibration.md` and `<metric>.png` for each metric into `out`."""
    measured = [name for name in setting.metrics if any(line["metric"] == name for line in lines)]
    for name in measured:
        with writing(out / f"{name}.png") as temporary:
            _figure(temporary, lines, metric=name, styles=setting.styles)
    if {error.name for error in MUTED} <= set(setting.errors):
        with writing(out / "channels.png") as temporary:
            _channels(temporary, lines, setting.styles, measured)
    write_bytes(out / "calibration.md", _markdown(lines, setting, measured).encode())


def curve(lines: Sequence[Line], *, metric: str, style: str, error: Error) -> list[Line]:
    """Return a metric's lines for one style and error: the oracle (level 0), then every level."""
    own = [line for line in lines if line["metric"] == metric and line["style"] == style]
    oracle = [line for line in own if line["error"] == "oracle"]
    return oracle + sorted((line for line in own if line["error"] == error.name), key=lambda line: float(line["level"]))


def is_monotone(values: Sequence[float], *, higher_is_better: bool) -> bool:
    """Whether no value is better than the one before, and the last is worse than the first."""
    signed = np.asarray(values, np.float64) * (-1 if higher_is_better else 1)
    return bool(np.all(np.diff(signed) >= 0) and signed[-1] > signed[0])


def _figure(path: Path, lines: Sequence[Line], *, metric: str, styles: Sequence[str]) -> None:
    from matplotlib.figure import Figure

    errors = _errors(lines)
    kinds = tuple(kind for kind in ("motion", "image") if any(error.kind == kind for error in errors))
    across = max((sum(error.kind == kind for error in errors) for kind in kinds), default=0)
    if not across:
        raise ToonbenchError(
            "no error with levels was measured, so no figure can be drawn: add one to --errors, e.g. gain"
        )
    figure = Figure(figsize=(max(5.1, 2.55 * across), 0.4 + 2.6 * len(kinds)), dpi=110, layout="constrained")
    panels: Any = figure.subplots(len(kinds), across, sharey=True, squeeze=False)
    for row, kind in enumerate(kinds):
        for axes, error in zip(panels[row], [e for e in errors if e.kind == kind], strict=False):
            _panel(axes, lines, metric=metric, styles=styles, error=error)
        panels[row][0].set_ylabel(f"{metric} · {'wrong motion' if kind == 'motion' else 'damaged image'}", fontsize=9)
    arrow = "higher is better" if registry.load_metric(metric).higher_is_better else "lower is better"
    figure.suptitle(f"{metric} ({arrow}): response to errors of known size", fontsize=11, x=0.01, ha="left")
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(styles) + 2, fontsize=8, frameon=False)
    figure.savefig(path, format="png", metadata={"Software": "toonbench"})


def _errors(lines: Sequence[Line]) -> list[Error]:
    """Return the errors with levels that were measured."""
    measured = {line["error"] for line in lines}
    return [error for error in ERRORS if error.name in measured]


def _panel(axes: Any, lines: Sequence[Line], *, metric: str, styles: Sequence[str], error: Error) -> None:
    places = np.arange(len(error.levels) + 1)
    for colour, style in zip(COLOURS * 3, styles, strict=False):
        own = curve(lines, metric=metric, style=style, error=error)
        value, low, high = (np.array([float(line[key]) for line in own]) for key in ("value", "low", "high"))
        axes.plot(places, value, color=colour, linewidth=1.4, marker="o", markersize=2.5, label=style)
        axes.fill_between(places, low, high, color=colour, alpha=0.10, linewidth=0)
    for dummy, dash in (("static", "--"), ("paste", ":")):
        mean = [float(line["value"]) for line in lines if line["metric"] == metric and line["error"] == dummy]
        axes.axhline(np.nanmean(mean), color="#888888", linestyle=dash, linewidth=1, label=f"{dummy} (mean)")
    axes.set_title(f"{error.name}: {error.about}", fontsize=8)
    axes.set_xticks(places, ["0", *(f"{level:g}" for level in error.levels)], fontsize=7)
    axes.set_xlabel(error.unit, fontsize=7)
    axes.tick_params(axis="y", labelsize=7)
    axes.grid(axis="y", color="#dddddd", linewidth=0.5)
    axes.spines[["top", "right"]].set_visible(False)


def _channels(path: Path, lines: Sequence[Line], styles: Sequence[str], measured: Sequence[str]) -> None:
    """Draw the loss of each metric when one channel does not move, as a share of its loss on `static`."""
    from matplotlib.figure import Figure

    mean = {
        (name, str(line["error"])): np.nanmean(
            [float(one["value"]) for one in lines if one["metric"] == name and one["error"] == line["error"]]
        )
        for name in measured
        for line in lines
        if line["metric"] == name and line["style"] == styles[0]
    }
    measured = [
        name for name in measured if abs(mean[name, "static"] - mean[name, "oracle"]) > 0.1 * abs(mean[name, "oracle"])
    ]
    loss = np.array([
        [
            (mean[name, error.name] - mean[name, "oracle"]) / ((mean[name, "static"] - mean[name, "oracle"]) or np.nan)
            for error in MUTED
        ]
        for name in measured
    ])  # fmt: skip
    figure = Figure(figsize=(9.5, 1.6 + 0.34 * len(measured)), dpi=110, layout="constrained")
    axes: Any = figure.subplots()
    axes.imshow(np.clip(loss, 0, 0.5), cmap="Blues", vmin=0, vmax=0.5, aspect="auto")
    for (row, column), value in np.ndenumerate(loss):
        tone = "white" if value > 0.3 else "#333333"
        axes.text(column, row, f"{round(100 * value)}", ha="center", va="center", fontsize=7, color=tone)
    axes.set_xticks(range(len(CHANNELS)), CHANNELS, rotation=50, ha="right", fontsize=8)
    axes.set_yticks(range(len(measured)), measured, fontsize=8)
    axes.set_title(
        "One channel does not move: loss in % of the loss on `static` (mean over styles)", fontsize=10, loc="left"
    )
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    figure.savefig(path, format="png", metadata={"Software": "toonbench"})


def _markdown(lines: Sequence[Line], setting: Setting, measured: Sequence[str]) -> str:
    parts = [
        "# Calibration\n",
        "The response of each metric to errors of known size. The ground-truth motion is exact, because puppets are drawn; the\n"
        "metrics get only the frames. Puppets are not people. Made by\n"
        f"`toonbench calibrate --clips {setting.clips} --frames {setting.frames} --step {setting.step} --size {setting.size} "
        f"--seed {setting.seed}`:\n{setting.clips} puppets of each style, {setting.frames} frames of "
        f"{30 / setting.step:g} fps, {setting.size} px; bands are 95 % intervals over puppets. Numbers: `calibration.csv`.\n",
        "## Dummies\n",
        "`oracle` is the target itself: its value is the noise floor of the metric. `static` repeats the source, `paste` is the\n"
        "driving video. A metric that prefers either to the oracle cannot rank methods.\n",
        *_dummy_table(lines, setting.styles, measured),
        "\n## Is every curve monotone?\n",
        "The number of styles in which the value never improves from one level to the next and is worse at the last level than\n"
        "for the oracle. Motion metrics should respond to wrong motion, and as little as possible to damaged images.\n",
        *_monotone_table(lines, setting.styles, measured),
        *(
            [
                "\n## Which metric responds to which channel\n\n![channels](channels.png)\n\nMetrics that lose less than a tenth on "
                "`static` are left out. PSNR starts at its cap of 100 dB, so that the smallest error costs much of it.\n"
            ]
            if "mute yaw" in setting.errors
            else []
        ),
        *(f"\n## `{name}`\n\n![{name}]({name}.png)\n" for name in measured),
    ]
    return "\n".join(parts)


def _dummy_table(lines: Sequence[Line], styles: Sequence[str], measured: Sequence[str]) -> list[str]:
    rows = ["| metric | dummy | " + " | ".join(styles) + " |", "|---|---|" + "---:|" * len(styles)]
    for name in measured:
        for dummy in DUMMIES:
            found = {str(line["style"]): float(line["value"]) for line in lines
                     if line["metric"] == name and line["error"] == dummy}  # fmt: skip
            rows.append(f"| `{name}` | {dummy} | " + " | ".join(f"{found[style]:.3g}" for style in styles) + " |")
    return rows


def _monotone_table(lines: Sequence[Line], styles: Sequence[str], measured: Sequence[str]) -> list[str]:
    errors = _errors(lines)
    rows = ["| metric | " + " | ".join(error.name for error in errors) + " |", "|---|" + "---:|" * len(errors)]
    for name in measured:
        better = registry.load_metric(name).higher_is_better
        counts = [
            sum(
                is_monotone([float(line["value"]) for line in curve(lines, metric=name, style=style, error=error)],
                            higher_is_better=better)
                for style in styles
            )
            for error in errors
        ]  # fmt: skip
        rows.append(f"| `{name}` | " + " | ".join(f"{count}/{len(styles)}" for count in counts) + " |")
    return rows
