"""The rules of design/ARCHITECTURE.md, held over the syntax trees."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
LAYERS = [
    {"types"},
    {
        "acronyms",
        "adapted",
        "arrays",
        "chunks",
        "registry",
        "claims",
        "sealed",
        "store",
        "video",
        "pool",
        "pool_ray",
        "weights",
        "hub.address",
        "hub.client",
        "hub.fetch",
        "environment",
        "compiled",
        "mark",
        "text",
    },
    {"networks"},
    {"training", "motion"},
    {"tasks", "metrics", "data", "stats"},
    {"prepare"},
    {"data.open"},
    {
        "generate",
        "score",
        "lint",
        "compare",
        "puppets",
        "landmarks",
        "faces_training",
        "reader_training",
        "calibrate",
        "goldens",
        "testing",
    },
    {"evaluate", "reenact", "motion_space"},
    {"reproduce", "hub", "report", "leaderboard", "study"},
    {"cli", "commands"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
FILES = sorted(ROOT.glob("toonbench/**/*.py"))
METHOD_FILES = sorted([*ROOT.glob("baselines/**/*.py"), *ROOT.glob("toontalker/**/*.py")])


def imported(path: Path) -> set[str]:
    """Modules that a file imports anywhere in it, dotted."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def part(module: str) -> str:
    """`toonbench.tasks.draw.draw_pairs` to `tasks`; a module with a layer of its own to that, as `data.open`."""
    pieces = module.split(".")[1:]
    return next((name for n in (2, 1) if (name := ".".join(pieces[:n])) in LEVEL), pieces[0] if pieces else "")


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_inside_toonbench_go_down_or_sideways_only(path):
    own = part(".".join(path.relative_to(ROOT).with_suffix("").parts))
    if own == "__init__":
        return
    assert own in LEVEL, f"{own} has no layer: give it one in design/ARCHITECTURE.md and here"
    for module in imported(path):
        if module.startswith("toonbench.") and part(module) in LEVEL:
            assert LEVEL[part(module)] <= LEVEL[own], f"{own} imports {module}, which is above it"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_toonbench_imports_no_method(path):
    assert not [m for m in imported(path) if m.split(".")[0] in ("baselines", "toontalker")]


@pytest.mark.parametrize("path", METHOD_FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_methods_import_only_the_lowest_layers_of_toonbench(path):
    allowed = {"types", "networks", "training", "weights", "video", "compiled", "ToonbenchError"}
    assert not [m for m in imported(path) if m.startswith("toonbench.") and part(m) not in allowed]


@pytest.mark.parametrize(
    "statement",
    [
        "import toonbench",
        "import toonbench.cli; toonbench.cli.run(['--help'])",
        "import toonbench.cli; toonbench.cli.run(['check', '--help'])",
    ],
)
def test_importing_and_help_load_nothing_heavy(statement):
    code = f"import sys; {statement}; print(*sorted({{m.split('.')[0] for m in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {
        "torch",
        "torchvision",
        "numpy",
        "pandas",
        "pyarrow",
        "av",
        "numba",
        "matplotlib",
        "skimage",
        "datasets",
        "insightface",
    }
    assert not heavy & set(done.stdout.split("\n")[-2].split())


def test_public_names_are_those_listed_and_all_resolve():
    import toonbench

    assert dir(toonbench) == sorted(toonbench.__all__)
    for name in toonbench.__all__:
        assert getattr(toonbench, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = toonbench.nonsense


@pytest.mark.parametrize("path", [*FILES, *METHOD_FILES], ids=lambda p: str(p.relative_to(ROOT)))
def test_modules_stay_short(path):
    assert len(path.read_text().splitlines()) <= 420
