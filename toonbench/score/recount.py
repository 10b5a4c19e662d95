"""A result computed again from its run's rows, and compared with the stored result."""

from __future__ import annotations

import csv
import json
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

from toonbench import lint
from toonbench.score.availability import needs_reference, rows_name
from toonbench.score.measure import lint_row
from toonbench.score.results import missing_pairs, pair_values, share_measured
from toonbench.stats.summary import summarise
from toonbench.store import Run, read_json, to_json
from toonbench.types import Clip, Metric, Pair, Rows, ToonbenchError

log = logging.getLogger(__name__)
SAME = 1e-9
NOTHING: Mapping[str, str] = MappingProxyType({})
ENDS = ("pair", "source", "driving"), "failure"  # the columns of scores.csv before and after the metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Recount:
    """What differs from the numbers of the rows, and what could not be checked, with the reason."""

    problems: list[str] = field(default_factory=list[str])
    unchecked: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """`scores.csv`: its pairs (ids only), and the cells of each metric by pair."""

    pairs: list[Pair]
    cells: Mapping[str, Mapping[str, str]]
    failures: Mapping[str, str]


def recount(root: Path, result: Mapping[str, Any], *, left_out: Mapping[str, str] = NOTHING) -> Recount:
    """Check values, intervals, coverage and table of the run in `root` against its rows; `result` is its result.json.

    `left_out` names rows (a folder in `rows/`) that were not published with the result, and the reason: they are not checked.

    Every number that depends on the rows alone is checked. Distances between sets of features need the data set's features, and
    some metrics cannot be loaded on this machine: these are not checked. Only registered metrics are imported, never another
    module that the files name.
    """
    found = Recount()
    if not (root / "rows").is_dir():
        found.unchecked.append("values, intervals and coverage: the run's rows are not in the folder of the result")
        return found
    try:
        table = _read(root / "scores.csv")
    except ToonbenchError as error:
        found.problems.append(str(error))
        return found
    if len(table.pairs) != result["pairs"]:
        found.problems.append(f"scores.csv has {len(table.pairs)} pairs and result.json {result['pairs']}")
    if table.failures != result["failures"]:
        found.problems.append("scores.csv and result.json list different failures")
    found.problems.extend(_from_rows(Run(root), result, table))
    foreign = [name for name in table.cells if ":" in name]  # written as module:Class; its id in result.json may be any
    for stored in result["results"]:
        _one(Run(root), stored, table, foreign=foreign, left_out=left_out, found=found)
    listed = {stored["metric"] for stored in result["results"]}
    lost = [name for name in table.cells if name not in listed and name not in foreign]
    found.problems.extend(f"{name}: this metric is in scores.csv and not in result.json" for name in lost)
    return found


def read_pairs(path: Path) -> list[Pair]:
    """The pairs of `scores.csv`, with clips that have an id only. Raises ToonbenchError for a table that scoring has not written."""
    return _read(path).pairs


def _from_rows(run: Run, result: Mapping[str, Any], table: _Table) -> list[str]:
    """Problems with the fields besides the numbers that the rows determine: the linter's warnings, weights, the pairs."""
    problems: list[str] = []
    try:
        linted = {pair.id: rows for pair in table.pairs if (rows := lint_row(run, pair.id)) is not None}
        warnings = json.loads(to_json([asdict(one) for one in lint.findings(linted)]))
    except Exception as error:  # noqa: BLE001 - rows of another shape may raise any exception
        return [f"the linter's rows cannot be read ({type(error).__name__}: {error})"]
    if linted and warnings != result["warnings"]:
        problems.append("result.json has other warnings than the linter's rows give")
    for name, sha256 in result["weights"].items():
        stored = [read_json(path) for path in sorted((run.root / "rows").glob("*/weights.json"))]
        if not any(isinstance(one, dict) and one.get(name) == sha256 for one in stored):
            problems.append(f"result.json names weights {name} that no rows of the run were measured with")
    return problems


def _one(
    run: Run,
    stored: Mapping[str, Any],
    table: _Table,
    *,
    foreign: Sequence[str],
    left_out: Mapping[str, str],
    found: Recount,
) -> None:
    """Compare one metric's stored numbers with those of its rows."""
    from toonbench import registry

    name: str = stored["metric"]
    cells = table.cells.get(name)
    if ":" in name or (cells is None and foreign):
        found.unchecked.append(f"{name}: it is not a registered metric")
        return
    try:
        metric = registry.load_metric(name)
    except ToonbenchError as error:
        found.unchecked.append(f"{name}: {error}")
        return
    if needs_reference(metric):
        found.unchecked.append(f"{name}: a distance between sets, which needs the features of the data")
        return
    if reason := left_out.get(rows_name(metric)):
        found.unchecked.append(f"{name}: {reason}")
        return
    if cells is None:
        found.problems.append(f"{name}: this metric is in result.json and not in scores.csv")
    try:
        _compare(run, metric, stored, table=table, cells=cells or {}, problems=found.problems)
    except ToonbenchError as error:
        found.problems.append(f"{name}: {error}")
    except Exception as error:  # rows of another shape may raise any exception in the metric
        log.debug("rows of %s", name, exc_info=True)
        found.problems.append(f"{name}: its rows cannot be reduced ({type(error).__name__}: {error})")


def _compare(
    run: Run, metric: Metric, stored: Mapping[str, Any], *, table: _Table, cells: Mapping[str, str], problems: list[str]
) -> None:
    name: str = stored["metric"]
    values = pair_values(run, metric, table.pairs)
    rows: dict[str, Rows] = {}
    for pair in table.pairs:
        if (own := run.read_rows(rows_name(metric), pair.id)) is not None:
            rows[pair.id] = own
        written, made = cells.get(pair.id, ""), values[pair.id]
        if cells and not ((number := _number(written)) is not None and _same(number, made)):
            given = "no value" if math.isnan(made) else f"{made:.9g}"
            rest = f"its rows give {given}" if pair.id in rows else "which has no rows"
            problems.append(f"{name}: scores.csv has {written or 'no value'} for {pair.id}, {rest}")
    if {"target", "motion"}.isdisjoint(metric.needs) and stored["pairs"] != len(table.pairs):
        problems.append(f"{name}: result.json has {stored['pairs']} pairs and the run has {len(table.pairs)}")
    if stored["pairs"] < len(rows):
        problems.append(f"{name}: result.json has {stored['pairs']} pairs and {len(rows)} have rows")
    if stored["pairs"] < len(table.pairs) and len(rows) < stored["pairs"]:
        return  # the run's folder does not show which of the pairs without rows count as missing
    made = _made(metric, rows, table=table, values=values, pairs=stored["pairs"])
    numbers = {**stored, **{f"detail '{key}'": value for key, value in stored.get("details", {}).items()}}
    for key, value in made.items():
        if not _same(numbers.get(key), value):
            problems.append(f"{name}: result.json has {key} = {numbers.get(key)}, the rows give {value:.9g}")


def _made(
    metric: Metric, rows: Mapping[str, Rows], *, table: _Table, values: Mapping[str, float], pairs: int
) -> dict[str, float]:
    """The numbers of the result as scoring computes them; `pairs` is the number of pairs that have what the metric needs."""
    own = table.pairs if pairs == len(table.pairs) else [pair for pair in table.pairs if pair.id in rows]
    stored = [rows.get(pair.id) for pair in own]
    summary = summarise(
        metric, stored, driving=[pair.driving.id for pair in own], sources=[pair.source.id for pair in own]
    )
    shares = [share_measured(one) for one in stored]
    return {
        "value": summary.printed.value,
        "low": summary.printed.low,
        "high": summary.printed.high,
        "measured": summary.measured.value,
        "measured_low": summary.measured.low,
        "measured_high": summary.measured.high,
        "coverage": sum(shares) / max(pairs, 1),
        "missing": missing_pairs(metric, shares, [values[pair.id] for pair in own]),
        "clusters": summary.printed.clusters,
        "higher_is_better": metric.higher_is_better,
        **{f"detail '{key}'": float(value) for key, value in metric.details([*rows.values()], []).items()},
    }


def _read(path: Path) -> _Table:
    """Read the table. Raises ToonbenchError for a table that scoring has not written."""
    try:
        with path.open(encoding="utf-8", newline="") as handle:
            header, *lines = [*csv.reader(handle)] or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ToonbenchError(f"{path.name} cannot be read ({error}): score again") from error
    first, last = ENDS
    if tuple(header[:3]) != first or header[-1] != last or any(len(line) != len(header) for line in lines):
        raise ToonbenchError(f"{path.name} is not a table of scores: its columns are {', '.join(header)}; score again")
    if unfit := next((line[0] for line in lines if "/" in line[0] or line[0].startswith(".")), None):
        raise ToonbenchError(f"{path.name}: {unfit!r} is not the id of a pair; score again")
    ids = [line[0] for line in lines]
    if twice := next((one for one in ids if ids.count(one) > 1), None):
        raise ToonbenchError(f"{path.name}: the pair {twice!r} is listed twice; score again")
    metrics = {name: {line[0]: line[at] for line in lines} for at, name in enumerate(header[3:-1], start=3)}
    return _Table(
        pairs=[Pair(id=line[0], source=_named(line[1]), driving=_named(line[2])) for line in lines],
        cells=metrics,
        failures={line[0]: line[-1] for line in lines if line[-1]},
    )


def _named(identifier: str) -> Clip:
    """A clip with an id only; its file is never read."""
    return Clip(id=identifier, path=Path(), domain="real")


def _number(cell: str) -> float | None:
    """A cell's number: NaN for an empty cell, None for text that is not a number."""
    try:
        return float(cell) if cell else math.nan
    except ValueError:
        return None


def _same(stored: object, made: float) -> bool:
    """Whether two numbers agree to SAME; JSON's null means not finite."""
    if stored is None:
        return not math.isfinite(made)
    if not isinstance(stored, (int, float)):
        return False
    number = cast(float, stored)
    if math.isnan(number) or math.isnan(made):
        return math.isnan(number) and math.isnan(made)
    return math.isclose(number, made, rel_tol=SAME, abs_tol=SAME)
