"""What tests share: fixtures."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from made_data import write_data
from weights_folder import WeightsFolder, shared_weights

SHARED = Path(__file__).parent.parent.parent / "shared"

os.environ.setdefault("OMP_NUM_THREADS", "1")
# Tests see no fetched weights, whatever the machine has, unless it is asked for: then networks run on the real ones.
os.environ["TOONBENCH_WEIGHTS"] = os.environ.get("TOONBENCH_TEST_WEIGHTS", str(Path(__file__).parent / "no-weights"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--by-hand", action="store_true", help="run the tests that take a minute or more, too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--by-hand"):
        for item in items:
            if item.get_closest_marker("by_hand"):
                item.add_marker(pytest.mark.skip(reason="takes a minute or more: --by-hand runs it"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The project's shared folder, beside the checkout."""
    if not (SHARED / "parity").is_dir():
        pytest.skip(f"{SHARED} is not there: tests on its goldens and samples cannot run")
    return SHARED


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of blobs: three videos and four images a domain."""
    return write_data(tmp_path_factory.mktemp("tiny") / "blobs")


@pytest.fixture(scope="session")
def deterministic_weights(tmp_path_factory: pytest.TempPathFactory) -> WeightsFolder:
    """Deterministic test weights for every metric but aed_expression; set `deterministic_weights.environment()` to use them."""
    return shared_weights(tmp_path_factory, worker=os.environ.get("PYTEST_XDIST_WORKER", ""))
