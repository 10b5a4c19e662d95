"""Print a comparison to the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from toonbench.compare import Comparison, Difference, MethodRow, MetricComparison


def print_comparison(console: Console, found: Comparison) -> None:
    """Print the methods with ranks and the differences of every two methods on each metric, a legend, and the remarks."""
    from toonbench.report.console import cell

    title = f"{', '.join(found.runs)} on {found.about['task']} of {found.about['data']}"
    videos = "1 driving video" if found.clusters == 1 else f"{found.clusters} driving videos"
    console.print(cell(f"{title}: {found.pairs} pairs, {videos}", "bold"), soft_wrap=True)
    if found.metrics:
        console.print(_methods(found))
        console.print(_differences(found))
    _print_remarks(console, found)


def _methods(found: Comparison) -> Table:
    table = _table(("", "rank", "value", "95 % interval", "pairs"))
    for one in found.metrics:
        table.add_section()
        table.add_row(_heading(one))
        apart = any(difference.better for difference in one.differences)
        for standing in one.methods:
            style = "bold" if apart and standing.rank == 1 else ""
            table.add_row(*_method_cells(standing, pairs=found.pairs), style=style)
    return table


def _differences(found: Comparison) -> Table:
    table = _table(("", "difference", "95 % interval", "p (Holm)", "detectable", "better"))
    for one in found.metrics:
        table.add_section()
        table.add_row(_heading(one))
        places = _places(one.differences)
        for difference in one.differences:
            table.add_row(*_difference_cells(difference, places), style="bold" if difference.better else "")
    return table


def _table(columns: Sequence[str]) -> Table:
    from rich.table import Table

    table = Table()
    for name in columns:
        table.add_column(name, justify="left" if name in ("", "better") else "right", overflow="fold")
    return table


def _heading(one: MetricComparison) -> str:
    return f"{one.metric} {'↑' if one.higher_is_better else '↓'}"


def _method_cells(standing: MethodRow, *, pairs: int) -> list[str]:
    return [
        f"  {standing.method}",
        "—" if standing.rank is None else str(standing.rank),
        _number(standing.value),
        "—" if math.isnan(standing.low) else f"{_number(standing.low)} … {_number(standing.high)}",
        str(standing.pairs) if standing.pairs == pairs else f"{standing.pairs} of {pairs}",
    ]


def _difference_cells(one: Difference, places: int) -> list[str]:
    interval = "—" if math.isnan(one.low) else f"{one.low:+z.{places}f} … {one.high:+z.{places}f}"
    return [
        f"{'†' if one.partial else ' '} {one.a} − {one.b}",
        "—" if math.isnan(one.difference) else f"{one.difference:+z.{places}f}",
        interval,
        _p(one.p_holm) + (" *" if one.better else "  "),
        "—" if math.isnan(one.detectable) else f"{one.detectable:.{places}f}",
        one.better or "—",
    ]


def _print_remarks(console: Console, found: Comparison) -> None:
    legend = [
        f"* p ≤ {found.alpha:g} by randomisation of whole driving videos, after Holm's correction over the comparisons of the same metric.",
        f"detectable: the difference that one such test finds with power {found.power:g}. Not significant does not mean equal.",
    ]
    lines = [
        *_grouped([(note, one.metric) for one in found.metrics for note in one.notes]),
        *_grouped([(f"{s.method} is unranked: {s.reason}", m.metric) for m in found.metrics for s in m.methods if s.reason]),
        *_grouped([(f"† {d.a} − {d.b} on the {d.pairs} of {found.pairs} pairs that both methods have", m.metric)
                   for m in found.metrics for d in m.differences if d.partial]),
        *_grouped([(reason, name) for name, reason in found.skipped.items()]),
    ]  # fmt: skip
    lines.extend(found.caveats)
    for line in legend:
        console.print(line, markup=False, soft_wrap=True, style="dim")
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)


def _grouped(remarks: Sequence[tuple[str, str]]) -> list[str]:
    """Each remark once, with the metrics that share it."""
    metrics: dict[str, list[str]] = {}
    for remark, metric in remarks:
        metrics.setdefault(remark, []).append(metric)
    return [f"{', '.join(dict.fromkeys(names))}: {remark}" for remark, names in metrics.items()]


def _places(differences: Sequence[Difference]) -> int:
    """The number of decimals, 2 to 6, that shows two digits of the narrowest interval and of the smallest difference."""
    widths = [(d.high - d.low) / 2 for d in differences] + [abs(d.difference) for d in differences]
    scales = [width for width in widths if math.isfinite(width) and width > 1e-9]
    return min(6, max(2, 1 - math.floor(math.log10(min(scales))))) if scales else 4


def _p(p: float) -> str:
    if math.isnan(p):
        return "—"
    return "<0.0001" if p < 0.0001 else f"{p:.2g}"


def _number(value: float) -> str:
    """A value in the format of `eval`."""
    if math.isnan(value):
        return "—"
    return f"{value:.2f}" if abs(value) >= 10 else f"{value:.4f}"
