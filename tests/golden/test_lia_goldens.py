"""LIA against stored outputs of the official network (../shared/parity, absent in a plain clone)."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from baselines.lia.goldens import Bench, outputs, run_goldens
from baselines.lia.model import LIANetwork, NetworkConfig
from toonbench.networks.golden_cases import case_checks, listed_cases

FOLDER = Path(__file__).parents[3] / "shared" / "parity" / "toontalker_lia"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no goldens at {FOLDER}")


@pytest.mark.slow
def test_every_stored_output_of_every_visible_case_matches():
    compared = run_goldens(FOLDER, "cpu")
    cases = {check.case.split(".")[0] for check in compared}
    assert cases == {"lia_abs", "lia_rel_b1", "lia_rel_b2", "lia_manipulate", "lia64_abs", "lia64_rel_b2"}
    assert len(compared) == 52
    assert [check for check in compared if not check.passed] == []


def test_folders_of_other_goldens_give_no_check(tmp_path):
    assert run_goldens(tmp_path, "cpu") == []
    assert run_goldens(FOLDER.parent / "fomm_dagan", "cpu") == []


@pytest.mark.parametrize(("size", "name", "count"), [(64, "lia_64", 131), (128, "lia_128", 158), (256, "lia", 185)])
def test_keys_and_shapes_are_those_of_the_official_checkpoints(size, name, count):
    manifest = json.loads((FOLDER / f"{name}.manifest.json").read_text())
    with torch.device("meta"):
        state = LIANetwork(NetworkConfig(size=size)).state_dict()
    assert len(state) == count
    assert {key: list(value.shape) for key, value in state.items()} == {
        key: entry["shape"] for key, entry in manifest.items() if not key.startswith("_")
    }


def test_stored_filters_are_the_official_ones():
    manifest = json.loads((FOLDER / "lia_64.manifest.json").read_text())
    tiny = NetworkConfig(size=64, channels=tuple((4 << i, 2) for i in range(5)), style=2, motions=1)
    state = LIANetwork(tiny).state_dict()
    kernels = [key for key in state if key.endswith(".kernel")]
    assert kernels
    for key in kernels:
        torch.testing.assert_close(state[key].flatten(), torch.tensor(manifest[key]["init"]["values"]).flatten())


def test_flipping_align_corners_at_any_call_makes_a_golden_fail(monkeypatch):
    case = next(one for one in listed_cases(FOLDER) if one["name"] == "lia64_abs")
    bench = Bench(FOLDER, "cpu")
    calls, flip = 0, -1

    def wrapped(original):
        def call(*arguments, **options):
            nonlocal calls
            if calls == flip:
                options["align_corners"] = not options.get("align_corners")
            calls += 1
            return original(*arguments, **options)

        return call

    for name in ("grid_sample", "interpolate"):
        monkeypatch.setattr(F, name, wrapped(getattr(F, name)))
    with torch.inference_mode(), np.load(FOLDER / case["file"]) as arrays:
        stored = {one["key"]: arrays[one["key"]] for one in case["outputs"]}

        def passes():
            nonlocal calls
            calls = 0
            made = {name: value.numpy() for name, value in outputs(bench, case).items()}
            return all(check.passed for check in case_checks(case, made, stored))

        assert passes()
        assert calls == 10  # four warps; flow and colours of three levels are doubled in size
        for flip in range(calls):
            assert not passes(), f"call {flip} can be flipped without a failure"
