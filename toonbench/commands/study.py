"""`study`: people compare videos of methods, blind."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from toonbench.commands.shared import Names, Paths, Processes, Seed, Terminal
from toonbench.commands.values import between

TITLE = "Compare videos of faces"
Raters = Annotated[int, between(1, 10_000)]
Questions = Annotated[int, between(1, 500)]
Attributes = Annotated[
    list[Literal["motion", "identity", "quality"]] | None, Parameter(negative="", consume_multiple=True)
]


def make(
    *runs: Path,
    out: Path,
    data: Paths = None,
    methods: Names = None,
    form: Literal["best", "pairs", "both"] = "best",
    raters: Raters = 20,
    questions: Questions = 20,
    sets: Annotated[int, between(1, 1000)] = 1,
    best_of: Annotated[int, between(2, 6)] = 4,
    attributes: Attributes = None,
    catch: Annotated[float, between(0.1, 0.5)] = 0.1,
    seed: Seed = 0,
    title: str = TITLE,
    processes: Processes | None = None,
    terminal: Terminal | None = None,
) -> int:
    """Make the page of a preference study of stored runs: people compare videos without knowing the methods.

    OUT/page is what raters get: it opens from a disk, without a network, and saves a rater's votes to a file. OUT/key.json says which
    video is of which method: keep it (docs/study.md).

    Parameters
    ----------
    runs
        Folders of runs, or folders that hold runs, such as the --out of `toonbench eval`.
    out
        A new folder.
    data
        The data sets of the runs; those that are shipped with toonbench are found without it.
    methods
        The methods to compare; by default all that have runs, except oracle, noisy-oracle, static and paste.
    form
        best: which of several videos is best? pairs: which of two is better in motion, identity or quality? both: half of each.
    raters
        The number of sheets: every rater has a number, and with it an order of questions and videos.
    questions
        The number of questions on a sheet, without catch trials.
    sets
        The number of different sets of questions, which raters get in turn; with one, all raters get the same questions.
    best_of
        The number of videos of a question of form best.
    attributes
        What questions of form pairs ask about: motion, identity, quality; by default all three.
    catch
        The least share of catch trials, which show whether a rater looks: targets beside still pictures, still pictures beside methods.
    seed
        Everything is drawn from it.
    title
        The title of the page.
    """
    from dataclasses import asdict

    from toonbench.report.entries import find_entries
    from toonbench.report.site import open_sets
    from toonbench.store import to_json
    from toonbench.study.design import ATTRIBUTES, Plan
    from toonbench.study.make import make_study
    from toonbench.study.material import gather

    terminal = terminal or Terminal()
    material = gather(find_entries(runs), data=open_sets([str(one) for one in data or ()]), methods=methods)
    plan = Plan(
        seed=seed,
        form=form,
        raters=raters,
        questions=questions,
        sets=sets,
        best_of=best_of,
        attributes=tuple(dict.fromkeys(attributes or ATTRIBUTES)),
        catch=catch,
    )
    pool = terminal.pool(processes or Processes(), writes=[out], reads=[*runs])
    made = make_study(material, out, plan=plan, title=title, pool=pool)
    console = terminal.start()
    if terminal.json:
        console.out(to_json(asdict(made)), end="")
        return 0
    for note in made.notes:
        terminal.message(note)
    each = f"{made.questions} questions each, {made.catches} of them catch trials"
    terminal.message(f"{made.raters} raters, {each}; {len(made.methods)} methods; {made.videos} files")
    terminal.message("Give raters the folder page and a number each; keep key.json.")
    console.print(str(made.page), markup=False, soft_wrap=True)
    return 0


def serve(
    study: Path,
    *,
    host: str = "127.0.0.1",
    port: Annotated[int, between(0, 65535)] = 8765,
    terminal: Terminal | None = None,
) -> int:
    """Serve the page of a study, and collect the votes in STUDY/votes.jsonl, until Ctrl-C.

    A vote is acknowledged when it is on the disk: none is lost if the process is killed.

    Parameters
    ----------
    study
        The folder that `toonbench study make` wrote.
    host
        The address to listen at; by default only this machine reaches it. 0.0.0.0 lets other machines of the network vote.
    port
        The port; 0 chooses a free one.
    """
    from toonbench.store import to_json
    from toonbench.study.serve import StudyServer

    terminal = terminal or Terminal()
    server = StudyServer(study, host=host, port=port)
    console = terminal.start()
    if terminal.json:
        facts = {"address": server.address, "study": server.key.study, "votes": server.votes.votes}
        console.out(to_json(facts), end="")
    else:
        terminal.message(f"{server.votes.votes} votes of {server.votes.raters} raters are stored; Ctrl-C ends")
        if server.votes.unreadable:
            terminal.message(f"{server.votes.unreadable} stored lines cannot be read, and are ignored")
        console.print(f"{server.address}#sheet=1", markup=False, soft_wrap=True)
    console.file.flush()
    server.run()
    return 0


def analyse(
    study: Path,
    *votes: Path,
    passed: Annotated[float, between(0, 1)] = 0.6,
    seed: Seed = 0,
    terminal: Terminal | None = None,
) -> int:
    """Analyse the votes of a study: selection rates, strengths (Bradley-Terry with ties), agreement of raters, metrics and people.

    Parameters
    ----------
    study
        The folder that `toonbench study make` wrote.
    votes
        Files that raters saved, or folders of them, beside the votes that `toonbench study serve` collected.
    passed
        Raters who pass a smaller share of their catch trials are excluded.
    seed
        The seed of the resampling of raters.
    """
    from dataclasses import asdict

    from toonbench.report.writers.terminal import print_tables
    from toonbench.store import to_json
    from toonbench.study.analyse import analyse as analyse_votes
    from toonbench.study.key import VOTES, read_key
    from toonbench.study.tables import summary, tables
    from toonbench.study.votes import read_votes
    from toonbench.types import ToonbenchError

    terminal = terminal or Terminal()
    key = read_key(study)
    places = [*([study / VOTES] if (study / VOTES).is_file() else []), *votes]
    merged = read_votes(places, key)
    if not merged.votes:
        raise ToonbenchError(
            f"{study} has no votes: collect them with `toonbench study serve`, or give files of raters"
        )
    found = analyse_votes(key, merged, least_passed=passed, seed=seed)
    console = terminal.start()
    if terminal.json:
        console.out(to_json(asdict(found)), end="")
        return 0
    for line in summary(found):
        console.print(line, markup=False, soft_wrap=True)
    console.print("")
    print_tables(console, tables(found))
    return 0
