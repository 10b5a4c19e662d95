"""Reference pages made from the program: its commands, what is registered, and the functions and types of Python."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from cyclopts import App

import toonbench
from site_pages.markdown import outside_code
from site_pages.places import page_of
from toonbench import registry
from toonbench.cli import app

RETURNED = (
    "toonbench.evaluate.Plan",
    "toonbench.score.results.Scores",
    "toonbench.compare.Comparison",
    "toonbench.data.Dataset",
    "toonbench.prepare.options.Options",
)


def reference_pages(root: Path) -> dict[str, str]:
    """The generated pages: place in the site to Markdown."""
    commands = {name: app[name] for name in sorted(app) if not name.startswith("-")}
    pages = {f"commands/{name}.md": command_page(name, command) for name, command in commands.items()}
    return {
        **pages,
        "commands/index.md": _command_index(pages),
        "registered.md": registered_page(root),
        "api.md": api_page(),
    }


def command_page(name: str, command: App) -> str:
    """The page of a command: usage, and every parameter with its default, also of its subcommands."""
    text = command.generate_docs(heading_level=1, recursive=True, usage_name=f"toonbench {name}")
    text = re.sub(r"\n## Table of Contents\n.*?(?=\n\*\*|\n## |\n```)", "\n", text, flags=re.DOTALL)
    text = re.sub(r"(?<=\S)\n {2,}(?=[^\s*-])", " ", text).replace("\\[", "[")  # a parameter's text on one line
    text = re.sub(rf"(?m)^(#+) (?={name}\b)", r"\1 toonbench ", text).replace(f"](#{name}", f"](#toonbench-{name}")
    return outside_code(text.replace(" *[default: False]*", ""), _escaped)


def _escaped(text: str) -> str:
    """Text of the command line, in which `<` is a letter, with documents as links."""
    text = text.replace("<", "&lt;")
    return re.sub(r"\bdocs/([\w/]+\.md)", r"[docs/\1](../\1)", text)


def _command_index(pages: dict[str, str]) -> str:
    rows = []
    for page, text in pages.items():
        name = Path(page).stem
        about = re.sub(r"(?s)```.*?```|^#.*?\n", "", text, count=2).strip().partition("\n")[0]
        rows.append((f"[`{name}`]({name}.md)", about))
    return (
        "# Commands\n\nEvery command, as `toonbench COMMAND --help` describes it. `--json` prints one JSON document instead of text.\n"
        "Exit status: 0 done, 1 nothing succeeded, 2 a mistake that is reported in one line, 130 interrupted.\n\n"
        + _table(("command", "what it does"), rows)
    )


def registered_page(root: Path) -> str:
    """The tables of methods, tasks and metrics, from the entry points."""
    tasks = [registry.load_task(name) for name in registry.names("tasks")]
    metrics = [registry.load_metric(name) for name in registry.names("metrics")]
    return "\n".join(
        (
            "# Methods, tasks, metrics",
            "\nThese names are registered by this package; `toonbench list` also shows those of other installed packages.\n",
            "## Methods\n",
            _table(("method", "what it is"), _methods(root)),
            "## Tasks\n",
            _table(
                ("task", "what", "motion", "metrics", "in the paper"),
                ((f"`{one.id}`", one.about, one.motion, _codes(one.metrics), one.paper) for one in tasks),
            ),
            "## Metrics\n",
            _table(
                ("metric", "better", "needs", "what it measures"),
                (
                    (
                        f"[`{registry.metric_id(one)}`](metrics/{one.name}.md)",
                        "higher" if one.higher_is_better else "lower",
                        ", ".join(sorted(one.needs)) or "nothing else",
                        _first_line(one),
                    )
                    for one in metrics
                ),
            ),
        )
    )


def _methods(root: Path) -> Iterator[tuple[str, str]]:
    found = set(page_of(root).values())
    for name in registry.names("methods"):
        places = (f"methods/{name}.md", f"cards/{name}.md")
        page = next((place for place in places if place in found), None)
        yield f"[`{name}`]({page})" if page else f"`{name}`", _first_line(registry.load("methods", name))


def _first_line(thing: object) -> str:
    return (thing.__doc__ or "").strip().partition("\n")[0]


def _codes(names: Iterable[str]) -> str:
    return " ".join(f"`{name}`" for name in names)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def api_page() -> str:
    """The page that mkdocstrings fills: each public name of `toonbench`, and the types that the functions return."""
    places = public_places()
    functions = [place for name, place in places.items() if name.islower()]
    types = [place for name, place in places.items() if not name.islower()]
    parts = ["# Python\n\n`import toonbench` has these names, which are imported when they are used."]
    for title, group in (("Functions", functions), ("Types", types), ("What functions return and take", RETURNED)):
        parts += [f"## {title}", *(f"::: {place}" for place in group)]
    return "\n\n".join(parts) + "\n"


def public_places() -> dict[str, str]:
    """Each public name and where it is defined, from the imports in `toonbench/__init__.py`."""
    tree = ast.parse(Path(toonbench.__file__).read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    places = {one.name: f"{node.module}.{one.name}" for node in imports for one in node.names}
    return {name: places[name] for name in toonbench.__all__ if name in places}
