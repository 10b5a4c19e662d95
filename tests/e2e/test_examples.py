"""The examples are packages that install, register their plug-ins, and keep every law."""

import ast
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
LINES = {"metric": 40, "method": 30, "task": 20}
NAMES = {"metric": "colour_shift", "method": "follow", "task": "quick"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The environment of a Python that has the three examples."""
    if importlib.util.find_spec("hatchling") is None:
        pytest.skip("hatchling is not installed, so that no package can be built: pip install -e '.[dev]'")
    folder = tmp_path_factory.mktemp("examples")
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "-q")
    packages = [str(EXAMPLES / kind) for kind in LINES]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, "--target", folder, *packages], check=True)
    return {**os.environ, "PYTHONPATH": str(folder)}


def run(environment, *arguments):
    done = subprocess.run(
        [sys.executable, "-m", "toonbench.cli", *arguments, "--json"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_each_example_keeps_every_law(installed):
    document = run(installed, "check", *(f"toonbench-example-{kind}" for kind in LINES))
    assert [(one["kind"], one["name"]) for one in document["checked"]] == list(NAMES.items())
    assert document["failed"] == 0
    assert all(sum(law["status"] == "passed" for law in one["laws"]) >= 6 for one in document["checked"])


@pytest.mark.parametrize("kind", LINES)
def test_each_example_is_listed(kind, installed):
    names = [str(row[kind]).partition("@")[0] for row in run(installed, "list", f"{kind}s")]
    assert NAMES[kind] in names


@pytest.mark.parametrize("kind", LINES)
def test_each_example_is_short_and_described(kind):
    (module,) = (EXAMPLES / kind).glob("*.py")
    text = module.read_text()
    assert len(text.splitlines()) <= LINES[kind]
    assert ast.get_docstring(ast.parse(text))
    assert f"({kind}/{module.name})" in (EXAMPLES / "README.md").read_text()
