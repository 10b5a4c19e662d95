"""The `toonbench` command: maps names of commands to functions, and errors to one line."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from cyclopts import App, CycloptsError, Parameter

from toonbench import __version__
from toonbench.commands.values import convert, message
from toonbench.text import legible_streams, one_line
from toonbench.types import ToonbenchError

INTERRUPTED, TERMINATED = 130, 143  # 128 and the number of the signal, as shells count
app = App(
    name="toonbench",
    help="Benchmark for cross-domain (cartoon and real) face reenactment: did the character do what the actor did?",
    version=__version__,
    help_format="plaintext",
    suppress_keyboard_interrupt=False,  # `run` reports it in one line
    default_parameter=Parameter(converter=convert),
)
for name, place, about in (
    ("eval", "evaluate:evaluate", "Generate the pairs of a task with a method, and score them."),
    ("generate", "evaluate:generate", "Generate the pairs of a task with a method."),
    ("score", "evaluate:score", "Score a folder of videos, or the output of generate."),
    ("pairs", "pairs:pairs", "List the pairs of a task for running a tool on them, and export their clips."),
    ("prepared", "prepared:prepared", "Prepare a plain folder, and export its clips for other tools."),
    ("prepare-voxceleb", "voxceleb:prepare", "Cut the clips of VoxCeleb out of a local mirror of its videos."),
    ("prepare-cartoon", "prepare_cartoon:prepare", "Make a data set of face clips from films."),
    ("rebuild", "prepare_cartoon:rebuild", "Make the clips of a published list from your own films."),
    ("prepare-celebahq", "celebahq:prepare", "Choose source images from a local folder of CelebA-HQ."),
    ("compare", "compare:compare", "Compare scored methods: differences, p-values, shared ranks."),
    ("table", "table:table", "Print the paper's tables from stored runs, with the paper's numbers beside ours."),
    ("reproduce", "reproduce:reproduce", "Run what a table of the paper needs, and print the table."),
    ("site", "site:site", "Build a static site of results: leaderboards, videos in step, worst pairs."),
    ("view", "site:view", "Show results in the browser; only what changed is built again."),
    ("list", "listing:show", "List methods, tasks, metrics or data."),
    ("make-puppets", "puppets:make", "Render puppets: paired clips with ground-truth motion."),
    ("make-films", "films:make", "Make films of puppets: exact shots, tracks and boxes."),
    ("calibrate", "calibrate:calibrate", "Measure the response of every metric to errors of known size."),
    ("reenact", "reenact:reenact", "Animate one picture with one video, with any method."),
    ("train", "train:train", "Train a method."),
    ("validate", "validate:validate", "Check a data folder, a folder of videos, or a result."),
    ("submit", "leaderboard:submit", "Write the entry of a run for a leaderboard."),
    ("leaderboard", "leaderboard:leaderboard", "Print the tables of leaderboards, or write them into documents."),
    ("export", "leaderboard:export", "Write results in another format (Every Eval Ever)."),
    ("check", "check:check", "Check a metric, method or task, yours or ours, against the laws of the benchmark."),
    ("doctor", "doctor:doctor", "Check this machine: versions, devices, goldens."),
):
    app.command(f"toonbench.commands.{place}", name=name, help=about)
weights = App(name="weights", help="List, fetch, verify and locate third-party weights.")
for name, place, about in (
    ("list", "weights:show", "List third-party weights: which metrics need them, size, licence and state."),
    ("fetch", "weights:fetch", "Download weights, or copy them from a folder, and verify them."),
    ("verify", "weights:verify", "Read weights completely and compare their hashes."),
    ("path", "weights:path", "Print the path of a verified file."),
):
    weights.command(f"toonbench.commands.{place}", name=name, help=about)
app.command(weights)
publish = App(name="publish", help="Publish a data set, weights, results or a site to the Hugging Face Hub.")
for name, about in (
    ("dataset", "A data set with previews and a data card, or only the list of its clips."),
    ("weights", "Weights with a model card and their results."),
    ("results", "Stored results as tables."),
    ("site", "A site of results as a static Space."),
):
    publish.command(f"toonbench.commands.publish:{name}", name=name, help=about)
app.command(publish)
study = App(name="study", help="Preference studies: people compare videos of methods, blind.")
for name, about in (
    ("make", "Make the page of a study from stored runs."),
    ("serve", "Serve the page, and collect votes."),
    ("analyse", "Analyse votes: preferences, agreement, metrics and people."),
):
    study.command(f"toonbench.commands.study:{name}", name=name, help=about)
app.command(study)
figure = App(name="figure", help="Draw figures of stored runs: grids, labelled videos, worst pairs, scores by yaw.")
for name, about in (
    ("grid", "A grid of pairs: source, driving frame, target, methods."),
    ("strip", "A labelled video of one pair, side by side."),
    ("failures", "The worst pairs by each metric."),
    ("yaw", "Scores by the yaw of the driving video."),
    ("motion-space", "t-SNE of the motions of real and cartoon faces, and retrieval across them."),
):
    figure.command(f"toonbench.commands.figure:{name.replace('-', '_')}", name=name, help=about)
app.command(figure)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 nothing succeeded, 2 a mistake reported in one line, 130 interrupted."""
    signal.signal(signal.SIGTERM, _terminate)
    # Arrow's own allocator reserves a gigabyte of address space, which counts where the address space is limited (ulimit -v).
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    status = run(sys.argv[1:] if arguments is None else arguments)
    if status in (INTERRUPTED, TERMINATED):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # another Ctrl-C must not cut the last steps
    sys.exit(status)


class _Terminated(KeyboardInterrupt):
    """SIGTERM, which ends a command as Ctrl-C does."""


def _terminate(number: int, frame: object) -> None:
    del number, frame
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise _Terminated


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit status. Nothing raw of any name or file reaches the terminal."""
    with legible_streams():
        try:
            status = _run(arguments)
            sys.stdout.flush()
        except KeyboardInterrupt as error:
            ended, status = ("ended", TERMINATED) if isinstance(error, _Terminated) else ("interrupted", INTERRUPTED)
            _report(f"{ended}; finished work is kept, run the same command again to resume", status=status)
        except BrokenPipeError:
            status = 0
            _drop_output()
        except OSError as error:
            _drop_output()
            return _report(_os_error(error), status=2)
        return status


def _run(arguments: Sequence[str]) -> int:
    try:
        return app(list(arguments), exit_on_error=False, print_error=False, result_action="return_value") or 0
    except CycloptsError as error:
        return _report(message(error), status=2)
    except ToonbenchError as error:
        return _report(str(error), status=2)
    except MemoryError:
        return _report("the memory is used up: give fewer --workers or --limit, or smaller files", status=2)
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001 - a mistake of ours, reported in one line
        if "-v" in arguments or "--verbose" in arguments:
            sys.stderr.write(traceback.format_exc())
        text = f"{type(error).__name__}: {' '.join(str(error).split())}"
        return _report(f"unexpected {text}; run again with --verbose for the traceback, and report it", status=3)


def _os_error(error: OSError) -> str:
    """What the system refused, in one line."""
    reason = error.strerror or str(error) or type(error).__name__
    if error.filename is not None:
        return f"{error.filename}: {reason}; check the path, its permissions and the free space"
    try:
        Path.cwd()
    except FileNotFoundError:
        return "the current folder no longer exists: change to another one"
    return f"{reason}; check the free space, permissions, and where the output goes"


def _drop_output() -> None:
    """Standard output that cannot be written: what it still holds is dropped, so that Python does not try again."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _report(text: str, *, status: int) -> int:
    with suppress(OSError, ValueError):  # the reader is gone
        sys.stderr.write(f"toonbench: {one_line(text)}\n")
        sys.stderr.flush()
    return status


if __name__ == "__main__":  # for launchers of processes
    main()
