"""A program as a method: it reads a PNG and a lossless MP4, and writes a video, which is checked."""

from __future__ import annotations

import shutil
import signal
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from baselines.command.output import find_output, read_output
from baselines.command.process import TimedOut, run_program
from baselines.command.settings import Settings, read_settings
from toonbench import video
from toonbench.networks.animation import ChunkedMethod
from toonbench.types import Domain, Frame, Frames, Motion, ProgramFailed, ToonbenchError

if TYPE_CHECKING:
    from collections.abc import Generator

FPS = 30.0  # of the driving file for clips of every rate: methods receive frames without one
LOG_BYTES = 200_000  # of the end of the program's output that are kept
LINE = 200  # characters of its last line that a reason quotes


class CommandMethod(ChunkedMethod):
    """A program that animates a source, run once for each pair in a process of its own; a TOML file says how to call it.

    {source} is a PNG and {driving} a lossless MP4 (H.264, RGB). docs/methods/command.md describes the file. Raises ToonbenchError for a
    wrong file, a program that does not exist, and a checkpoint that the command does not use.
    """

    faces_only = True  # programs may refuse pictures without a face

    def __init__(self, path: Path, *, device: str = "cpu", checkpoint: Path | None = None) -> None:
        self._settings = read_settings(path)
        self._device, self._checkpoint = device, checkpoint
        self._check_program(path)
        takes = any("{checkpoint}" in part for part in self._settings.command)
        if takes != (checkpoint is not None):
            what = "needs a checkpoint: give --checkpoint" if takes else "has no {checkpoint}: leave --checkpoint out"
            raise ToonbenchError(f"{path}: command {what}")
        self.name = self._settings.name
        self.revision = f"{self._settings.revision}-{self._settings.digest}"

    def _check_program(self, path: Path) -> None:
        program = self._settings.program
        search = self._settings.environment.get("PATH")
        place = self._settings.folder / program if "/" in program else program
        if "{" not in program and shutil.which(place, path=search) is None:
            raise ToonbenchError(f"{path}: the program {program} does not exist or cannot be executed; correct command")

    def animate_chunks(
        self,
        source: Frame,
        driving: Iterator[Frames],
        *,
        motion: Motion,
        seed: int,
        source_domain: Domain = "cartoon",  # noqa: ARG002
        driving_domain: Domain = "real",  # noqa: ARG002
    ) -> Iterator[Frames]:
        """Write the inputs, run the program, and yield the frames that it wrote.

        Raises ProgramFailed, with the end of the program's output, if it fails, runs too long, or writes anything but one video with a
        frame of the source's size for each driving frame.
        """
        with tempfile.TemporaryDirectory(prefix="toonbench-") as name:
            folder = Path(name).resolve()
            count = _write_inputs(folder, source, driving)
            settings = self._settings
            output = folder / ("output" if settings.output else "output.mp4")
            if settings.output:
                output.mkdir()
            values = {
                "source": str(folder / "source.png"),
                "driving": str(folder / "driving.mp4"),
                "output": str(output),
                "motion": motion,
                "seed": str(seed),
                "device": self._device,
                "checkpoint": str(self._checkpoint.resolve()) if self._checkpoint else "",
            }
            log = folder / "log.txt"
            with _logged(settings, log):
                since = time.time()
                self._run(values, log=log)
                path = find_output(settings, output, since=since)
                yield from read_output(path, like=source, frames=count, resize=settings.resize)

    def _run(self, values: Mapping[str, str], *, log: Path) -> None:
        settings = self._settings
        try:
            status = run_program(
                settings.arguments(values),
                folder=settings.folder,
                environment=settings.environment,
                log=log,
                timeout=settings.timeout,
            )
        except TimedOut as error:
            raise ToonbenchError(f"the program did not finish in {settings.timeout:g} s and was ended") from error
        except OSError as error:
            raise ToonbenchError(f"the program cannot be started: {error.strerror}") from error
        if status:
            raise ToonbenchError(f"the program {_ending(status)}{_last_line(log)}")


def _write_inputs(folder: Path, source: Frame, driving: Iterator[Frames]) -> int:
    """Write source.png and driving.mp4; return the number of driving frames."""
    count = 0

    def frames() -> Iterator[Frame]:
        nonlocal count
        for chunk in driving:
            count += len(chunk)
            yield from chunk

    video.write_png(folder / "source.png", source)
    video.write_exact_mp4(folder / "driving.mp4", frames(), fps=FPS)
    return count


@contextmanager
def _logged(settings: Settings, log: Path) -> Generator[None]:
    """Errors in the block get the method's name and the end of the program's output."""
    try:
        yield
    except ToonbenchError as error:
        text = str(error).replace(f"{log.parent}/", "")
        raise ProgramFailed(f"{settings.name}: {text}", log=_text(log, LOG_BYTES)) from error


def _ending(status: int) -> str:
    if status > 0:
        return f"exited with status {status}"
    try:
        return f"was ended by signal {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"


def _last_line(log: Path) -> str:
    """The last line that the program printed, in brackets."""
    lines = [line.strip() for line in _text(log, 4096).splitlines() if line.strip()]
    return f" ({lines[-1][:LINE]})" if lines else ""


def _text(log: Path, size: int) -> str:
    """The end of the program's output."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - size))
        return file.read().decode("utf-8", "replace")
