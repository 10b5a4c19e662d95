"""The rows of a table of the paper: which stored runs belong to which method or ablated model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from toonbench.report.entries import Entry
from toonbench.report.methods import DUMMIES, model_name
from toonbench.report.papers import METHODS, PaperTable, load_paper
from toonbench.report.task_runs import TaskRuns

FULL = "full model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One row to be: a method (or variant of the paper's) with its entry for each task."""

    name: str
    method: str
    entries: Mapping[str, Entry]

    @property
    def printed(self) -> tuple[str, str]:
        """Method and variant, as the paper's cells name them."""
        method, _, variant = self.method.partition("-")
        return method, variant


def lines_of(runs: Mapping[str, TaskRuns], always: Sequence[str]) -> list[Line]:
    """A line for each method and revision: the paper's methods first (also those without runs), then others, then dummies."""
    found: dict[tuple[str, str, str], dict[str, Entry]] = {}
    for task, one in runs.items():
        for entry in one.entries:
            name = model_name(entry.method, entry.checkpoint, variants=load_paper().variants)
            key = (name, entry.revision, "")
            if task in found.get(key, {}):
                key = (name, entry.revision, str(entry.root))  # two runs of one name
            found.setdefault(key, {})[task] = entry
    for method in always:
        if not any(key[0] == method for key in found):
            found[method, "", ""] = {}
    order = [*METHODS]
    keys = sorted(found, key=lambda key: (key[0] in DUMMIES, _place(order, key[0]), _place(DUMMIES, key[0]), key))
    return [Line(name=_label(key, [*found]), method=key[0], entries=found[key]) for key in keys]


def variant_lines(table: PaperTable, runs: Mapping[str, TaskRuns]) -> list[Line]:
    """A line for each of the paper's variants; the name of a variant's runs is toontalker-<variant>."""
    lines = lines_of(runs, [])
    names = load_paper().variants
    found: list[Line] = []
    for method, variant in table.rows:
        name = f"{method}-{variant}" if variant else method
        title = f"{METHODS[method]} {names[variant] if variant else FULL}"
        own = [line for line in lines if line.method == name] or [Line(name=name, method=name, entries={})]
        found += [
            Line(name=title if len(own) == 1 else f"{title}, {one.name}", method=name, entries=one.entries)
            for one in own
        ]
    return found


def _place(names: Sequence[str], name: str) -> int:
    return names.index(name) if name in names else len(names)


def _label(key: tuple[str, str, str], keys: Sequence[tuple[str, str, str]]) -> str:
    method, revision, root = key
    if root:
        return f"{method}@{revision}, {root}"
    several = len({other[1:] for other in keys if other[0] == method}) > 1
    return f"{method}@{revision}" if several else method
