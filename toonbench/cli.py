"""The `toonbench` command: maps names of commands to functions, and errors to one line."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError

from toonbench import __version__
from toonbench.types import ToonbenchError

app = App(
    name="toonbench",
    help="Benchmark for cross-domain (cartoon and real) face reenactment: did the character do what the actor did?",
    version=__version__,
    help_format="plaintext",
    suppress_keyboard_interrupt=False,  # `run` reports it in one line
)
for name, place, about in (
    ("eval", "evaluate:evaluate", "Generate the pairs of a task with a method, and score them."),
    ("generate", "evaluate:generate", "Generate the pairs of a task with a method."),
    ("score", "evaluate:score", "Score a folder of videos, or the output of generate."),
    ("compare", "compare:compare", "Compare scored methods: differences, p-values, shared ranks."),
    ("list", "listing:show", "List methods, tasks, metrics or data."),
    ("make-puppets", "puppets:make", "Render puppets: paired clips with ground-truth motion."),
    ("make-films", "films:make", "Make films of puppets: exact shots, tracks and boxes."),
    ("calibrate", "calibrate:calibrate", "Measure the response of every metric to errors of known size."),
    ("train", "train:train", "Train a method."),
    ("validate", "validate:validate", "Check a data folder, a folder of videos, or a result."),
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


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 nothing succeeded, 2 a mistake reported in one line, 130 interrupted."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit status."""
    try:
        return app(list(arguments), exit_on_error=False, print_error=False, result_action="return_value") or 0
    except CycloptsError as error:
        return _report(" ".join(str(error).split()) + " (see toonbench --help)", status=2)
    except ToonbenchError as error:
        return _report(str(error), status=2)
    except KeyboardInterrupt:
        return _report("interrupted; finished work is kept, run the same command again to resume", status=130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if "-v" in arguments or "--verbose" in arguments:
            raise
        text = f"{type(error).__name__}: {' '.join(str(error).split())}"
        return _report(f"unexpected {text}; run again with --verbose for the traceback, and report it", status=3)


def _report(text: str, *, status: int) -> int:
    sys.stderr.write(f"toonbench: {text}\n")
    return status


if __name__ == "__main__":
    main()
