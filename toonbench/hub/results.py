"""Results as a release: tables that `datasets.load_dataset` reads, and the stored files of every run, without videos."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from toonbench.data.card import CARD
from toonbench.hub.address import MAIN, Address
from toonbench.hub.measured import result_rows, stored_results
from toonbench.hub.release import Release, drop_others, own_release_folder, release_of
from toonbench.hub.texts import licence_lines, quoted, safe, table
from toonbench.leaderboard.places import COPIED, ENTRY, ROWS, entry_folders
from toonbench.leaderboard.tables import board_tables
from toonbench.report.entries import Entry
from toonbench.report.writers.markdown import markdown_table
from toonbench.store import run_folder, write_bytes, writing
from toonbench.types import ToonbenchError

SHOWN = ("psnr", "ssim", "lpips_alex", "csim_sface", "motion_agreement", "rig_corr")  # metrics in the card
LICENCE = "cc0-1.0"  # of the numbers, where the publisher states no other
RESULTS, PAIRS = "results.parquet", "pairs.parquet"
KINDS = {
    "value": float,
    "low": float,
    "high": float,
    "coverage": float,
    "higher_is_better": bool,
    "pairs": int,
    "missing": int,
    "seed": int,
}


def prepare_results(
    places: Sequence[Path], folder: Path, *, repo: str, revision: str = MAIN, licence: str = LICENCE
) -> Release:
    """Make the release of the results in `places` in `folder`. Raises ToonbenchError where there is no scored run."""
    if not places:
        raise ToonbenchError("there are no results to publish: give the folders of runs, or of entries of leaderboards")
    own_release_folder(folder)
    with stored_results(places) as entries:
        _write(folder / RESULTS, list(result_rows(entries)))
        _write(folder / PAIRS, [row for entry in entries for row in _pair_rows(entry)])
        copied = list(_copy(entries, entry_folders(places), folder))
        text = _card(entries, at=Address(repo, revision=revision), licence=licence)
        write_bytes(folder / CARD, text.encode())
        about = {"runs": len(entries), "data": sorted({entry.data for entry in entries})}
    drop_others(folder, [RESULTS, PAIRS, CARD, *copied])
    return release_of(folder, what="results", name=repo.partition("/")[2], about=about)


def _pair_rows(entry: Entry) -> Iterator[dict[str, Any]]:
    """A row for each pair and metric of a run, from its scores.csv."""
    import csv

    with (entry.root / "scores.csv").open(encoding="utf-8", newline="", errors="surrogateescape") as file:
        for row in csv.DictReader(file):
            for name in entry.results:
                if name in row:
                    yield {
                        "data": entry.data, "task": entry.task, "method": entry.method, "revision": entry.revision,
                        "pair": row.get("pair", ""), "metric": name, "value": float(row[name]) if row[name] else None,
                    }  # fmt: skip


def _write(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    kinds = {float: pa.float64(), int: pa.int64(), bool: pa.bool_(), str: pa.string()}
    names = list(rows[0]) if rows else ["pair", "metric", "value"]
    schema = pa.schema([pa.field(name, kinds[KINDS.get(name, str)]) for name in names])
    with writing(path) as temporary:
        parquet.write_table(pa.Table.from_pylist([dict(row) for row in rows], schema=schema), temporary)


def _copy(entries: Sequence[Entry], folders: Sequence[Path], out: Path) -> Iterator[str]:
    """Copy the stored files of each run, or of each entry of a leaderboard, and return their paths."""
    packed = {(one.parent.parent.name, one.parent.name, one.name): one for one in folders}
    for entry in entries:
        name = run_folder(entry.method, entry.revision)
        source = packed.get((entry.data, entry.task, name), entry.root)
        for file in (*COPIED, ENTRY, ROWS):
            if (source / file).is_file():
                path = f"runs/{entry.data}/{entry.task}/{name}/{file}"
                write_bytes(out / path, (source / file).read_bytes())
                yield path


def _leaderboards(entries: Sequence[Entry]) -> Iterator[str]:
    """A leaderboard for each data set and task, with a few metrics."""
    for data in dict.fromkeys(entry.data for entry in entries):
        yield from _leaderboards_of([entry for entry in entries if entry.data == data])


def _leaderboards_of(entries: Sequence[Entry]) -> Iterator[str]:
    tasks: dict[str, list[str]] = {}
    for entry in entries:
        names = tasks.setdefault(entry.task.partition("@")[0], [])
        names += [bare for name in entry.results if (bare := name.partition("@")[0]) in SHOWN and bare not in names]
    chosen = {task: sorted(names, key=SHOWN.index) for task, names in tasks.items() if names}
    for one in board_tables(entries, metrics=chosen) if chosen else ():
        yield from (f"## {safe(one.title)}", "", markdown_table(one))


def _card(entries: Sequence[Entry], *, at: Address, licence: str) -> str:
    repo, branch = at.repo, "" if at.revision == MAIN else f', revision="{at.revision}"'
    counts: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        counts.setdefault((entry.data, entry.task), []).append(entry)
    rows = [
        (data, task, ", ".join(sorted({one.method for one in own})), len({name for one in own for name in one.results}))
        for (data, task), own in sorted(counts.items())
    ]
    caveats = dict.fromkeys(str(one) for entry in entries for one in entry.stored.get("caveats", ()))
    lines = [
        "---",
        f"pretty_name: {quoted(f'Results of toonbench, {repo}')}",
        *licence_lines(licence),
        "tags: [toonbench, face-reenactment, benchmark-results]",
        "configs:",
        "- config_name: results",
        "  default: true",
        "  data_files:",
        "  - split: test",
        f"    path: {RESULTS}",
        "- config_name: pairs",
        "  data_files:",
        "  - split: test",
        f"    path: {PAIRS}",
        "---",
        "",
        f"# Results: {safe(repo)}",
        "",
        f"{len(entries)} runs of methods for face reenactment, measured with `toonbench`. No videos are included.",
        "",
        f"Licence: {safe(licence)}.",
        "",
        *[f"> {safe(one)}\n" for one in caveats],
        "```python",
        "from datasets import load_dataset",
        "",
        f'results = load_dataset("{repo}", split="test"{branch}).to_pandas()  # a row for each run and metric, with its 95% interval',
        f'pairs = load_dataset("{repo}", "pairs", split="test"{branch}).to_pandas()  # a row for each run, pair and metric',
        "```",
        "",
        *table(["data", "task", "methods", "metrics"], rows),
        *_leaderboards(entries),
        "`problem` says why a run is not ranked; empty for a sound one. A missing pair counts as the worst value of the metric.",
        "`runs/<data>/<task>/<method>/` has the files that `toonbench` stored.",
        "",
    ]
    return "\n".join(lines)
