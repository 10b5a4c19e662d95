"""Options, console, progress and opening of data, shared by the commands."""

from __future__ import annotations

import logging
import re
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from toonbench.commands.values import MOST_FILES, MOST_WORKERS, between
from toonbench.text import one_line
from toonbench.types import Clip, ToonbenchError

if TYPE_CHECKING:
    from rich.console import Console

    from toonbench.data import Dataset
    from toonbench.pool import Pool, Progress
    from toonbench.prepare.options import Options


DATA = "puppets@2"  # `toonbench.data.DEFAULT_DATA`, which is not imported to print help
PART = re.compile(r"([0-9]{1,9})/([0-9]{1,9})")
Seed = Annotated[int, between(0)]
Workers = Annotated[int, between(0, MOST_WORKERS)]
Count = Annotated[int, between(1, MOST_FILES)]
Limit = Annotated[int | None, between(1)]
Size = Annotated[int, between(16, 2048)]
Step = Annotated[int, between(1, 1000)]
Names = Annotated[list[str] | None, Parameter(negative="", consume_multiple=True)]
Paths = Annotated[list[Path] | None, Parameter(negative="", consume_multiple=True)]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Processes:
    """Where a command computes; its output does not depend on it."""

    workers: Workers = 0
    """Number of processes; 0 chooses it, and 1 is this process. The output does not depend on it."""
    pool: Literal["local", "ray"] = "local"
    """local: processes of this machine. ray: the nodes of a Ray cluster (docs/cluster.md); needs `pip install 'toonbench[ray]'`."""
    address: str | None = None
    """With --pool ray: HOST:PORT of the head; auto (the default), the cluster of this machine; or local, which starts Ray here."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Terminal:
    """How much a command prints."""

    quiet: Annotated[bool, Parameter(name=["--quiet", "-q"], negative="")] = False
    """Print results and errors only."""
    verbose: Annotated[bool, Parameter(name=["--verbose", "-v"], negative="")] = False
    """Log what happens; show tracebacks of failed pairs."""
    json: Annotated[bool, Parameter(negative="")] = False
    """Print one JSON document instead of text, for scripts."""

    def start(self) -> Console:
        """Configure logging and return the console for results (standard output)."""
        from toonbench.report.console import LegibleConsole

        level = logging.DEBUG if self.verbose else logging.ERROR if self.quiet or self.json else logging.WARNING
        logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
        logging.getLogger("toonbench").setLevel(level)
        return LegibleConsole()

    def message(self, text: str) -> None:
        """Print a line about the state of the command to standard error; nothing with `-q` and `--json`."""
        if not (self.quiet or self.json):
            from toonbench.report.console import LegibleConsole

            LegibleConsole(stderr=True).print(one_line(text), soft_wrap=True)

    def pool(
        self,
        workers: int | Processes = 0,
        *,
        device: str = "cpu",
        writes: Sequence[Path] = (),
        reads: Sequence[Path] = (),
    ) -> Pool:
        """`workers` local processes (0 chooses their number), or what `Processes` chooses, that report to this terminal.

        `writes` and `reads` are the folders and files that a computation writes and reads: the nodes of a cluster must share them.
        """
        from toonbench.pool import Pool, auto_workers

        chosen = Processes(workers=workers) if isinstance(workers, int) else workers
        if chosen.pool == "local":
            if chosen.address is not None:
                raise ToonbenchError(f"--address {chosen.address} needs --pool ray")
            return Pool(workers=auto_workers(chosen.workers, device=device), device=device, progress=self.progress)
        from toonbench.pool_ray import EVERY_CPU, Cluster, check_address

        if ":" in device:
            raise ToonbenchError(f"--device {device} with --pool ray: give cuda, as Ray chooses the GPU of each task")
        check_address(chosen.address or "auto")
        cluster = Cluster(
            address=chosen.address or "auto",
            writes=tuple(writes),
            reads=tuple(reads),
            gpus=int(device.startswith("cuda")),
        )
        return Pool(workers=chosen.workers or EVERY_CPU, device=device, progress=self.progress, backend=cluster)

    @contextmanager
    def progress(self, title: str) -> Generator[Progress]:
        """A progress bar with rate and remaining time; nothing if standard error is not a terminal."""
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        from toonbench.report.console import LegibleConsole

        console = LegibleConsole(stderr=True)
        if self.quiet or self.json or not console.is_terminal:
            yield _silent
            return
        rate = TextColumn("{task.fields[rate]}")
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn())
        with Progress(*columns, console=console, transient=True) as bar:
            row = bar.add_task(title, total=None, rate="")

            def update(done: int, total: int) -> None:
                speed = bar.tasks[row].speed
                bar.update(row, completed=done, total=total, rate=f"{speed:.1f}/s" if speed else "")

            yield update


def _silent(done: int, total: int) -> None:
    del done, total


def parse_shard(text: str) -> tuple[int, int]:
    """`2/4` to (2, 4)."""
    return parse_part(text, option="--shard")


def parse_part(text: str, *, option: str) -> tuple[int, int]:
    """Part k of n, written k/n. Raises ToonbenchError for anything else."""
    if (found := PART.fullmatch(text)) and 1 <= int(found[1]) <= int(found[2]):
        return int(found[1]), int(found[2])
    raise ToonbenchError(f"{option} {text}: write i/n with 1 <= i <= n, for example 1/4")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Folder:
    """How a plain folder of videos and images is prepared."""

    crop: Literal["auto", "none", "face"] = "auto"
    """face cuts a square around the face; none takes square pictures as they are; auto keeps square pictures that a face fills."""
    detector: Literal["mtcnn", "yunet", "blazeface", "drawn", "fused"] = "mtcnn"
    """The face detector; yunet needs `toonbench weights fetch yunet`, blazeface needs `toonbench weights fetch face-landmarker`."""
    keep: Annotated[bool, Parameter(negative="")] = False
    """Use all frames of a clip, also where its face leaves or another scene begins."""
    fps: Annotated[float, between(0, 1000)] = 0.0
    """Frames per second of folders of frames, and of videos that state none."""
    start: Literal["first", "best"] = "first"
    """best begins a video at the best reference of its first half: frontal, mouth closed, eyes open."""

    def options(self) -> Options:
        """The options as the library takes them."""
        from toonbench.prepare.options import Options

        return Options(crop=self.crop, detector=self.detector, keep=self.keep, fps=self.fps, start=self.start)


def open_data(
    spec: str, *, terminal: Terminal, folder: Folder | None = None, pool: Pool | None = None, silent: bool = False
) -> Dataset:
    """Open the data set that `spec` names, with a progress bar and, unless `silent`, a message for every file that cannot be used."""
    from toonbench.data.open import open_data as open_silently

    data = open_silently(spec, options=(folder or Folder()).options(), pool=pool or terminal.pool(1))
    if not silent:
        report_problems(data, spec, terminal=terminal)
    return data


def preparing_pool(processes: Processes, spec: str, *, terminal: Terminal) -> Pool:
    """The pool that prepares the data set `spec`, if it is a plain folder, in the user's cache."""
    from toonbench.data.open import cache_folder

    return terminal.pool(processes, writes=[cache_folder()], reads=[Path(spec)])


def report_problems(
    data: Dataset, spec: str, *, terminal: Terminal, then: str = "and their pairs will count as failed"
) -> None:
    """Print what the preparation noted, and a message for every clip of the data set that cannot be used, with what happens `then`."""
    for note in data.notes:
        terminal.message(note)
    bad = [clip for clip in data.clips if clip.problem]
    if bad:
        terminal.message(f"{len(bad)} of {len(data.clips)} files of {spec} cannot be used, {then}:")
    for clip in bad:
        terminal.message(f"  {clip.id}: {clip.problem}")


def export_clips(clips: Sequence[Clip], folder: Path, *, terminal: Terminal) -> list[Clip]:
    """Write clips into a folder, and return those that were written; a message names every other one with the reason."""
    from toonbench.data.export import export_clip

    written: list[Clip] = []
    with terminal.progress("exporting clips") as on_progress:
        for done, clip in enumerate(clips, start=1):
            try:
                export_clip(clip, folder)
                written.append(clip)
            except ToonbenchError as error:
                terminal.message(f"not exported: {error}")
            on_progress(done, len(clips))
    return written
