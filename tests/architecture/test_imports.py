"""Imports between modules: no cycle when modules load, and nothing private of another package, neither imported nor reached."""

import ast
import graphlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
FOLDERS = ("toonbench", "baselines", "toontalker", "scripts", "benchmarks", "examples")
FILES = sorted(path for folder in FOLDERS for path in (ROOT / folder).glob("**/*.py"))
PRIVATE = re.compile(r"_(?!_)")


def name_of(path: Path) -> str:
    """`toonbench/metrics/l1.py` to `toonbench.metrics.l1`; a package to its own name."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in FILES}


def home(module: str) -> str:
    """The package that a private name of `module` belongs to: `toonbench.metrics` for all in it, `toontalker` for all of it."""
    return ".".join(module.split(".")[: 2 if module.startswith("toonbench.") else 1])


def at_import(body: list[ast.stmt]) -> list[ast.Import | ast.ImportFrom]:
    """The imports that run when a module loads: none in functions, none that are for type checkers only."""
    found = []
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            found.append(node)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            found += at_import(node.orelse)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for part in ("body", "orelse", "finalbody", "handlers"):
                found += at_import(getattr(node, part, []))
    return found


def absolute(node: ast.ImportFrom, path: Path) -> str:
    """The module that a `from ... import` names, dotted from the root."""
    if not node.level:
        return node.module or ""
    package = list(path.relative_to(ROOT).parent.parts)
    return ".".join(
        [*package[: len(package) - node.level + 1], *((node.module or "").split(".") if node.module else [])]
    )


def targets(node: ast.Import | ast.ImportFrom, path: Path) -> set[str]:
    """Our modules that one statement loads by name: a submodule where there is one, otherwise the module itself."""
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names} & MODULES.keys()
    module = absolute(node, path)
    names = {f"{module}.{alias.name}" if f"{module}.{alias.name}" in MODULES else module for alias in node.names}
    return names & MODULES.keys()


def graph() -> dict[str, set[str]]:
    trees = {name: ast.parse(path.read_text()) for name, path in MODULES.items()}
    return {
        name: {target for node in at_import(tree.body) for target in targets(node, MODULES[name])} - {name}
        for name, tree in trees.items()
    }


def test_no_module_waits_for_itself_to_load():
    try:
        graphlib.TopologicalSorter(graph()).prepare()
    except graphlib.CycleError as error:
        pytest.fail(f"a cycle of imports: {' -> '.join(reversed(error.args[1]))}")


def test_the_graph_of_imports_is_not_empty_and_knows_relative_imports():
    edges = graph()
    assert "toonbench.types" in edges["toonbench.registry"]
    assert "toonbench.types" in edges["toonbench.metrics.l1"]
    assert any(
        name.startswith("toontalker") and any(t.startswith("toontalker.") for t in to) for name, to in edges.items()
    )
    assert sum(map(len, edges.values())) > 300


def reached(path: Path) -> list[str]:
    """Private names of other packages that a file imports, or reaches through what it imported."""
    tree, own = ast.parse(path.read_text()), home(name_of(path))
    origin: dict[str, str] = {}  # local name to the module it comes from
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            module = absolute(node, path)
            origin |= {alias.asname or alias.name: module for alias in node.names}
            pieces = [*module.split("."), *(alias.name for alias in node.names)]
        elif isinstance(node, ast.Import):
            module = node.names[0].name
            origin |= {alias.asname or alias.name.partition(".")[0]: alias.name for alias in node.names}
            pieces = [piece for alias in node.names for piece in alias.name.split(".")]
        else:
            continue
        inside = f"{module}.{pieces[-1]}" if f"{module}.{pieces[-1]}" in MODULES else module
        if ours(module) and home(inside) != own and any(PRIVATE.match(piece) for piece in pieces):
            found.append(ast.unparse(node))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and PRIVATE.match(node.attr) and isinstance(node.value, ast.Name):
            module = origin.get(node.value.id, "")
            inside = f"{module}.{node.value.id}" if f"{module}.{node.value.id}" in MODULES else module
            if ours(module) and home(inside) != own:
                found.append(ast.unparse(node))
    return found


def ours(module: str) -> bool:
    return module.partition(".")[0] in FOLDERS


PACKAGES = [
    path for path in FILES if path.relative_to(ROOT).parts[0] not in ("scripts", "benchmarks")
]  # these may look inside


@pytest.mark.parametrize("path", PACKAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_private_of_another_package_is_imported_or_reached(path):
    assert reached(path) == []


@pytest.mark.parametrize(
    "line",
    [
        "from toonbench.metrics._motion import estimate",
        "from toonbench.metrics import _motion",
        "from toonbench.metrics.cpbd import _canny_blocks",
        "import toonbench.metrics._motion",
        "from toonbench.metrics import cpbd\ncpbd._canny_blocks(1)",
        "from toonbench.registry import _found",
        "from toonbench import registry\nregistry._found('tasks')",
    ],
)
def test_every_way_to_something_private_is_found(line, tmp_path, monkeypatch):
    path = tmp_path / "toonbench" / "landmarks" / "card.py"
    path.parent.mkdir(parents=True)
    path.write_text(line)
    monkeypatch.setattr("test_imports.ROOT", tmp_path)
    assert reached(path)


def test_a_cycle_is_found(monkeypatch, tmp_path):
    for name, text in (("a", "from toonbench import b"), ("b", "if True:\n    from toonbench.a import thing")):
        path = tmp_path / "toonbench" / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr("test_imports.ROOT", tmp_path)
    monkeypatch.setattr("test_imports.MODULES", {f"toonbench.{n}": tmp_path / "toonbench" / f"{n}.py" for n in "ab"})
    with pytest.raises(pytest.fail.Exception, match=r"toonbench\.a -> toonbench\.b|toonbench\.b -> toonbench\.a"):
        test_no_module_waits_for_itself_to_load()
