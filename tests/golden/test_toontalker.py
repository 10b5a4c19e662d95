"""The network against stored outputs of the official one (../shared/parity, absent in a plain clone)."""

import json
from pathlib import Path

import pytest
import torch

from toonbench.networks.golden_cases import draw_image
from toontalker.config import NetworkConfig
from toontalker.goldens import run_goldens
from toontalker.model import DomainNetwork

FOLDER = Path(__file__).parents[3] / "shared" / "parity" / "toontalker_lia"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no goldens at {FOLDER}")


@pytest.fixture(scope="module")
def checks():
    return run_goldens(FOLDER, "cpu")


@pytest.mark.slow
def test_every_stored_output_of_every_visible_case_matches(checks):
    compared = [check for check in checks if not check.skipped]
    assert len(compared) == 71
    assert {check.case.split(".")[0] for check in compared} == {
        "tt_abs",
        "tt_rel_b1",
        "tt_rel_b3",
        "tt_clip",
        "tt_r2c",
        "tt_c2r",
        "tt64_abs",
        "tt64_rel_b2",
    }
    assert [check for check in compared if not check.passed] == []


@pytest.mark.slow
def test_cases_of_other_networks_are_skipped_with_a_reason(checks):
    skipped = [check for check in checks if check.skipped]
    assert {check.case for check in skipped} >= {"lia_abs", "lia_rel_b1", "lia64_abs"}
    assert all("lia" in check.skipped for check in skipped)


def test_a_picture_that_this_machine_draws_otherwise_is_noticed(tmp_path):
    listed = json.loads((FOLDER / "goldens.json").read_text())
    listed["images"]["visible-src-0@64"] = "0" * 64
    listed["cases"] = [case for case in listed["cases"] if case["name"] == "tt64_abs"]
    (tmp_path / "goldens.json").write_text(json.dumps(listed))
    for name in ("goldens.npz", "toontalker_64.manifest.json"):
        (tmp_path / name).symlink_to(FOLDER / name)
    with pytest.raises(Exception, match="visible-src-0 comes out different"):
        run_goldens(tmp_path, "cpu")


def test_test_pictures_are_rgb_planes_of_bytes():
    picture = draw_image("visible-src-0", 64)
    assert picture.shape == (3, 64, 64)
    assert picture.std() > 20


@pytest.mark.parametrize(("size", "name"), [(64, "toontalker_64"), (128, "toontalker_128"), (256, "toontalker")])
def test_keys_and_shapes_are_the_official_checkpoints(size, name):
    manifest = json.loads((FOLDER / f"{name}.manifest.json").read_text())
    with torch.device("meta"):
        state = DomainNetwork(NetworkConfig(size=size)).state_dict()
    assert {key: list(value.shape) for key, value in state.items()} == {
        key: entry["shape"] for key, entry in manifest.items()
    }


def test_stored_filters_are_the_official_ones():
    manifest = json.loads((FOLDER / "toontalker_64.manifest.json").read_text())
    tiny = NetworkConfig(size=64, channels=tuple((4 << i, 8) for i in range(5)), style=8, heads=2, feedforward=8)
    state = DomainNetwork(tiny).state_dict()
    kernels = [key for key in state if key.endswith(".kernel")]
    assert kernels
    for key in kernels:
        torch.testing.assert_close(state[key], torch.tensor(manifest[key]["init"]["values"]))
