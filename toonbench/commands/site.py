"""`site` and `view`: stored results as pages."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from toonbench.commands.shared import Paths, Processes, Terminal

if TYPE_CHECKING:
    from toonbench.report.site import Built

TITLE = "toonbench results"


def site(
    *runs: Path,
    out: Path,
    data: Paths = None,
    title: str = TITLE,
    processes: Processes | None = None,
    terminal: Terminal | None = None,
) -> int:
    """Build a site of stored results: leaderboards, a browser of pairs, worst pairs, and pages of methods and metrics.

    It is a folder of files that needs no server: open its index.html, or upload it (docs/site.md). A second call writes what has
    changed. Videos are encoded once.

    Parameters
    ----------
    runs
        Folders of runs, or folders that hold runs, such as the --out of `toonbench eval`.
    out
        A new folder, or the folder of an earlier site.
    data
        Data sets whose clips are shown beside the results; those that are shipped with toonbench are found without it.
    title
        The title of the pages.
    """
    from toonbench.report.entries import find_entries
    from toonbench.report.site import build_site, open_sets

    terminal = terminal or Terminal()
    pool = terminal.pool(processes or Processes(), writes=[out], reads=[*runs])
    built = build_site(
        find_entries(runs), out, data=open_sets([str(one) for one in data or ()]), title=title, pool=pool
    )
    return _report(built, terminal=terminal)


def view(
    *runs: Path,
    data: Paths = None,
    open_browser: Annotated[bool, Parameter(name="--open", negative="--no-open")] = True,
    processes: Processes | None = None,
    terminal: Terminal | None = None,
) -> int:
    """Show stored results in the browser: the site of `toonbench site` in the user's cache, of which only what changed is built again.

    Parameters
    ----------
    runs
        Folders of runs, or folders that hold runs, such as the --out of `toonbench eval`.
    data
        Data sets whose clips are shown beside the results; those that are shipped with toonbench are found without it.
    open_browser
        Open the page; --no-open only prints its path.
    """
    from toonbench.report.entries import find_entries
    from toonbench.report.site import build_view, open_sets

    terminal = terminal or Terminal()
    pool = terminal.pool(processes or Processes(), writes=[], reads=[*runs])
    built = build_view(find_entries(runs), data=open_sets([str(one) for one in data or ()]), pool=pool)
    if open_browser:
        import webbrowser

        webbrowser.open(built.page.resolve().as_uri())
    return _report(built, terminal=terminal)


def _report(built: Built, *, terminal: Terminal) -> int:
    from dataclasses import asdict

    from toonbench.store import to_json

    console = terminal.start()
    if terminal.json:
        console.out(to_json(asdict(built)), end="")
        return 0
    for note in built.notes:
        terminal.message(f"source, driving video and target: {note}")
    coded = f"{built.encoded} of {built.videos} videos encoded in {built.encoding:.1f} s"
    rest = f"{built.written} files written in {built.seconds - built.encoding:.1f} s"
    terminal.message(f"{built.runs} runs, {built.leaderboards} leaderboards, {built.pairs} pairs; {coded}; {rest}")
    console.print(str(built.page), markup=False, soft_wrap=True)
    return 0
