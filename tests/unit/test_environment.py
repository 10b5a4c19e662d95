"""The description of the machine, and the choice of device."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from toonbench.environment import PACKAGES, pick_device, record
from toonbench.types import ToonbenchError


def test_the_description_is_json_and_names_what_was_passed() -> None:
    described = record(seeds={"task": 7})
    assert json.loads(json.dumps(described)) == described
    assert described["seeds"] == {"task": 7}
    assert described["packages"]["numpy"]
    assert "device" not in described


def test_describing_imports_neither_torch_nor_pandas() -> None:
    code = "import sys, toonbench.environment as e; e.record(); print('torch' in sys.modules, 'pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["False", "False"]


def test_every_dependency_that_can_change_a_number_is_recorded() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    required = project["dependencies"]
    names = {re.split(r"[^\w-]", one)[0] for one in required}
    without_effect = {"cyclopts", "rich", "platformdirs", "requests", "filelock", "matplotlib"}
    without_effect |= {"jinja2", "markdown-it-py", "jsonschema"}
    without_effect |= {"accelerate"}  # of training alone, whose weights are known by their checksum
    assert names - without_effect <= set(PACKAGES)
    assert {"llvmlite", "opencv-python"} <= record()["packages"].keys()


def test_the_device_is_described_when_asked() -> None:
    assert record(device="cpu")["device"]["name"] == "cpu"


def test_auto_is_a_device_that_exists() -> None:
    assert pick_device(pick_device("auto")) in ("cpu", "cuda", "mps")


def test_cpu_is_always_there() -> None:
    assert pick_device("cpu") == "cpu"


@pytest.mark.parametrize("name", ["gpu", "", "CUDA", "tpu:0"])
def test_an_unknown_device_lists_the_known_ones(name: str) -> None:
    with pytest.raises(ToonbenchError, match="auto, cpu, cuda, mps"):
        pick_device(name)


def test_an_absent_device_lists_those_that_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ToonbenchError, match="available: auto, cpu"):
        pick_device("cuda")


def test_a_device_number_must_exist() -> None:
    with pytest.raises(ToonbenchError, match="counted from 0"):
        pick_device("cpu:7")
