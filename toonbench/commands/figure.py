"""`figure`: grids, labelled videos, worst pairs and scores by yaw, from stored runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from toonbench.commands.shared import DATA, Names, Paths, Seed, Terminal
from toonbench.commands.values import between
from toonbench.types import ToonbenchError

if TYPE_CHECKING:
    from toonbench.report.figures.choice import Chosen
    from toonbench.report.figures.sources import Pictures

Choice = Literal["best", "median", "worst", "motion"]
Choices = Annotated[list[Choice] | None, Parameter(negative="", consume_multiple=True)]
Width = Annotated[float, between(1, 20)]
Index = Annotated[int | None, between(0)]
NoTarget = Annotated[bool, Parameter(negative="")]


def grid(
    *runs: Path,
    out: Path,
    data: str | None = None,
    pairs: Names = None,
    choose: Choices = None,
    metric: str = "psnr",
    frame: Index = None,
    no_target: NoTarget = False,
    videos: Paths = None,
    width: Width = 6.9,
    terminal: Terminal | None = None,
) -> int:
    """Draw a grid as Fig. 4 to 7 of the paper: rows are pairs; columns are source, driving frame, target and methods.

    Parameters
    ----------
    runs
        Runs of one task, each a column, in this order; or folders above them.
    out
        The file to write: .png or .pdf.
    data
        The data set of the runs, where it is not a shipped one.
    pairs
        Ids of pairs to show.
    choose
        Instead of ids: best, median and worst by --metric of the first run, or motion, the largest motion. By default the first three.
    metric
        The metric of --choose.
    frame
        The frame to show; by default the one that differs most from the first frame of the driving video.
    no_target
        Leave out the targets.
    videos
        Folders of given videos that were scored, each called like its method; runs do not hold these videos.
    width
        Width in inches; 3.3 is a column of a paper, and 6.9 a page.
    """
    from toonbench.report.figures.choice import choose as choose_pairs
    from toonbench.report.figures.choice import metric_of
    from toonbench.report.figures.grid import draw_grid
    from toonbench.report.figures.style import PICTURES, check_suffix

    check_suffix(out, PICTURES)
    pictures = _pictures(runs, data, videos, terminal=terminal)
    if pairs:
        chosen = _named(pictures, pairs, frame)
    else:
        how = choose or ["best", "median", "worst"]
        chosen = choose_pairs(pictures, how, metric=metric_of(pictures.entries[0], metric))
    draw_grid(out, pictures, _at(chosen, frame), target=not no_target, width=width)
    return _report(out, chosen, terminal)


def strip(
    *runs: Path,
    out: Path,
    pair: str,
    data: str | None = None,
    size: Annotated[int, between(32, 1024)] = 256,
    no_target: NoTarget = False,
    videos: Paths = None,
    terminal: Terminal | None = None,
) -> int:
    """Write a labelled video of a pair: source, driving video, target and methods side by side (H.264, yuv420p).

    Parameters
    ----------
    runs
        Runs of one task, in this order; or folders above them.
    out
        The file to write: .mp4.
    pair
        The id of the pair.
    data
        The data set of the runs, where it is not a shipped one.
    size
        Width and height of a tile in pixels.
    no_target
        Leave out the target.
    videos
        Folders of given videos that were scored, each called like its method; runs do not hold these videos.
    """
    from toonbench.report.figures.strip import write_strip
    from toonbench.report.figures.style import check_suffix

    check_suffix(out, (".mp4",))
    pictures = _pictures(runs, data, videos, terminal=terminal)
    count = write_strip(out, pictures, pictures.pair(pair), size=size, target=not no_target)
    _start(terminal).print(f"{out}: {count} frames", soft_wrap=True, markup=False)
    return 0


def failures(
    *runs: Path,
    out: Path,
    data: str | None = None,
    metrics: Names = None,
    count: Annotated[int, between(1, 20)] = 1,
    no_target: NoTarget = False,
    videos: Paths = None,
    width: Width = 6.9,
    terminal: Terminal | None = None,
) -> int:
    """Draw the worst pairs of the first run by each metric, at their worst frame; other runs are shown beside it.

    Parameters
    ----------
    runs
        Runs of one task; the first one chooses the pairs.
    out
        The file to write: .png or .pdf.
    data
        The data set of the runs, where it is not a shipped one.
    metrics
        Metrics; by default all with a value for each pair that may rank methods.
    count
        Pairs for each metric.
    no_target
        Leave out the targets.
    videos
        Folders of given videos that were scored, each called like its method; runs do not hold these videos.
    width
        Width in inches.
    """
    from toonbench.report.figures.choice import values_of
    from toonbench.report.figures.grid import draw_grid
    from toonbench.report.figures.grid import failures as worst
    from toonbench.report.figures.style import PICTURES, check_suffix

    check_suffix(out, PICTURES)
    pictures = _pictures(runs, data, videos, terminal=terminal)
    first = pictures.entries[0]
    usual = [one for one, result in first.results.items() if not result.unranked and values_of(first, one)]
    chosen = worst(pictures, metrics or usual, count=count)
    draw_grid(out, pictures, chosen, target=not no_target, width=width)
    return _report(out, chosen, terminal)


def yaw(
    *runs: Path,
    out: Path,
    data: str | None = None,
    metric: str = "landmark_nme",
    width: Width = 3.3,
    terminal: Terminal | None = None,
) -> int:
    """Plot the score by the yaw of the driving frame (Fig. 9 of the paper as numbers), with 95 % intervals over driving videos.

    Parameters
    ----------
    runs
        Runs of one task, each a line; or folders above them.
    out
        The file to write: .pdf, .svg or .png.
    data
        The data set of the runs, where it is not a shipped one.
    metric
        A metric with a row for each frame.
    width
        Width in inches.
    """
    from toonbench import registry
    from toonbench.report.figures.style import PICTURES, VECTOR, check_suffix
    from toonbench.report.figures.yaw import bins, draw_yaw
    from toonbench.store import to_json

    check_suffix(out, (*VECTOR, *PICTURES[:1]))
    pictures, chosen = _pictures(runs, data, terminal=terminal), registry.load_metric(metric)
    found = [
        (name, bins(pictures, entry, chosen)) for name, entry in zip(pictures.names, pictures.entries, strict=True)
    ]
    draw_yaw(out, found, chosen, width=width)
    console = _start(terminal)
    if terminal and terminal.json:
        from dataclasses import asdict

        console.out(to_json({name: [asdict(one) for one in own] for name, own in found}), end="")
        return 0
    console.print(f"{out}: {registry.metric_id(chosen)} of {len(found)} methods", soft_wrap=True, markup=False)
    for name, own in found:
        shown = ", ".join(f"{one.low:g}–{one.high:g}° {one.value:.3g}" for one in own)
        console.print(f"  {name}: {shown}", soft_wrap=True, markup=False)
    return 0


def motion_space(
    *,
    out: Path,
    method: str = "toontalker",
    checkpoint: Path | None = None,
    data: str = DATA,
    after: Literal["drawn", "generated"] | None = None,
    real: Annotated[int, between(1, 10_000)] = 150,
    cartoon: Annotated[int, between(1, 10_000)] = 50,
    seed: Seed = 0,
    device: str = "auto",
    width: Width = 3.3,
    terminal: Terminal | None = None,
) -> int:
    """Draw the motion space of a method (Fig. 8 of the paper), and measure it: is the same motion the nearest across the domains?

    Three motions move real and cartoon faces: 450 real and 150 cartoon pairs by default. The codes are stored beside the figure
    (.npz) and used again. The method needs `motion_codes` (CONTRIBUTING.md).

    Parameters
    ----------
    out
        The file to write: .pdf, .svg or .png.
    method
        A method with motion codes.
    checkpoint
        Its weights.
    data
        A data set with at least three real videos.
    after
        drawn: the pictures after the motion are drawn exactly (only puppets). generated: the method makes them from the data set's
        images, as in the paper. By default drawn where the videos have ground-truth motion.
    real
        Real faces; each is moved three times.
    cartoon
        Cartoon faces.
    seed
        Seed of the drawn faces.
    device
        auto, cpu, cuda or mps.
    width
        Width in inches.
    """
    from toonbench import motion_space as spaces
    from toonbench import registry
    from toonbench.data.open import open_data
    from toonbench.environment import pick_device
    from toonbench.report.figures import motion_space as figures
    from toonbench.report.figures.style import PICTURES, VECTOR, check_suffix

    check_suffix(out, (*VECTOR, *PICTURES[:1]))
    terminal = terminal or Terminal()
    loaded = registry.load_method(method, device=pick_device(device), checkpoint=checkpoint)
    opened = open_data(data)
    exact = any(clip.motion is not None for clip in opened.clips if (clip.domain, clip.kind) == ("real", "video"))
    made = after or ("drawn" if exact else "generated")
    setting = spaces.Setting(made=made, real=real, cartoon=cartoon, seed=seed)
    stored = out.with_suffix(".npz")
    space = None
    if isinstance(loaded, spaces.HasMotionCodes):
        space = figures.read_space(stored, spaces.about(loaded, opened, setting))
    if space is None:
        with terminal.progress("coding faces") as on_progress:
            space = spaces.motion_space(loaded, opened, setting=setting, on_progress=on_progress)
        figures.write_space(stored, space)
    figures.draw_space(out, space, width=width)
    found = figures.retrievals(space)
    console = terminal.start()
    if terminal.json:
        from dataclasses import asdict

        from toonbench.store import to_json

        console.out(to_json({"file": out, "about": space.about, "retrieval": [asdict(one) for one in found]}), end="")
        return 0
    console.print(f"{out}: {3 * real} real and {3 * cartoon} cartoon pairs, {made}", soft_wrap=True, markup=False)
    for one in found:
        console.print(f"  {figures.line(one)}, chance {one.chance:.0%}", soft_wrap=True, markup=False)
    return 0


def _pictures(
    runs: Sequence[Path],
    data: str | None,
    videos: Sequence[Path] | None = None,
    *,
    terminal: Terminal | None,
) -> Pictures:
    """The pictures of runs; those with a problem are named. Raises ToonbenchError where the data set cannot be found by its name."""
    from toonbench.data import load_data, shipped
    from toonbench.data.open import open_data
    from toonbench.report.entries import find_entries
    from toonbench.report.figures.sources import open_pictures

    if not runs:
        raise ToonbenchError(
            "no run is given: give the folders of runs, such as runs/puppets@2/real2cartoon@4/static@1"
        )
    entries = [entry for run in runs for entry in find_entries([run])]  # in the order that was given
    own = entries[0].data
    if data is None and own not in shipped():
        raise ToonbenchError(
            f"the runs were made on {own}, which is no shipped data set: give its folder as --data DIR"
        )
    if lost := next((one for one in videos or () if not one.is_dir()), None):
        raise ToonbenchError(f"--videos {lost} is not a folder: give the folder that was scored")
    found = open_pictures(entries, load_data(own) if data is None else open_data(data), folders=videos or ())
    for entry in (one for one in entries if one.problem):
        (terminal or Terminal()).message(f"{entry.root} is drawn, but would not be ranked: {entry.problem}")
    return found


def _named(pictures: Pictures, pairs: Sequence[str], frame: int | None) -> list[Chosen]:
    from toonbench.report.figures.choice import Chosen
    from toonbench.report.figures.sources import moved_frames

    chosen = [pictures.pair(name) for name in pairs]
    return [Chosen(pair=pair, frame=moved_frames(pair.driving)[0] if frame is None else frame) for pair in chosen]


def _at(chosen: Sequence[Chosen], frame: int | None) -> list[Chosen]:
    from dataclasses import replace

    return [one if frame is None else replace(one, frame=frame) for one in chosen]


def _start(terminal: Terminal | None):  # noqa: ANN202 - rich is imported when it is used
    return (terminal or Terminal()).start()


def _report(out: Path, chosen: Sequence[Chosen], terminal: Terminal | None) -> int:
    console = _start(terminal)
    if terminal and terminal.json:
        from toonbench.store import to_json

        rows = [{"pair": one.pair.id, "frame": one.frame, "label": " ".join(one.label.split())} for one in chosen]
        console.out(to_json({"file": out, "rows": rows}), end="")
        return 0
    console.print(f"{out}: {len(chosen)} pairs", soft_wrap=True, markup=False)
    for one in chosen:
        why = f" ({' '.join(one.label.split())})" if one.label else ""
        console.print(f"  {one.pair.id}, frame {one.frame}{why}", soft_wrap=True, markup=False)
    return 0
