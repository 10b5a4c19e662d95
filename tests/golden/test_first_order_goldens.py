"""FOMM and DaGAN against stored outputs of the official networks (../shared/parity, absent in a plain clone)."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from baselines.dagan import goldens as dagan
from baselines.dagan.depth import DepthConfig
from baselines.dagan.model import DaGANNetwork
from baselines.first_order_goldens import Bench, checks, picture_cases
from baselines.first_order_weights import NetworkConfig
from baselines.fomm import goldens as fomm
from baselines.fomm.model import FOMMNetwork

FOLDER = Path(__file__).parents[3] / "shared" / "parity" / "fomm_dagan"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no goldens at {FOLDER}")
STORED = {"fomm": 30, "dagan": 38}
DAGAN = NetworkConfig(points=15)
MODELS = pytest.mark.parametrize("model", [fomm, dagan], ids=["fomm", "dagan"])


@pytest.fixture(scope="module", params=[fomm, dagan], ids=["fomm", "dagan"])
def drawn(request):
    """The goldens of a model, and its network with their weights, which take seconds to draw."""
    model = request.param
    return model, Bench(FOLDER, model.MODEL, device="cpu", build=model.build)


@pytest.mark.slow
def test_every_stored_output_matches(drawn, monkeypatch):
    model, bench = drawn
    monkeypatch.setattr(model, "Bench", lambda *_, **__: bench)
    compared = model.run_goldens(FOLDER, "cpu")
    assert len(compared) == STORED[model.MODEL]
    assert [check for check in compared if not check.passed] == []


@MODELS
def test_folders_of_other_goldens_give_no_check(model, tmp_path):
    assert model.run_goldens(tmp_path, "cpu") == []
    assert model.run_goldens(FOLDER.parent / "toontalker_lia", "cpu") == []


@pytest.mark.parametrize(
    ("name", "build", "count"),
    [
        ("fomm", lambda: FOMMNetwork(NetworkConfig()), 271),
        ("dagan", lambda: DaGANNetwork(DAGAN, DepthConfig()), 449),
    ],
    ids=["fomm", "dagan"],
)
def test_keys_and_shapes_are_those_of_the_official_checkpoints(name, build, count):
    manifest = json.loads((FOLDER / f"{name}.manifest.json").read_text())
    with torch.device("meta"):
        state = build().state_dict()
    assert len(state) == count
    assert {key: list(value.shape) for key, value in state.items()} == {
        key: entry["shape"] for key, entry in manifest.items()
    }


def test_the_stored_filter_is_the_official_one():
    manifest = json.loads((FOLDER / "fomm.manifest.json").read_text())
    tiny = NetworkConfig(points=2, detector=(2, 2), motion=(2, 2), generator=(2, 2, 2), residuals=1)
    found = FOMMNetwork(tiny).kp_detector.down.weight
    torch.testing.assert_close(found.flatten(), torch.tensor(manifest["kp_detector.down.weight"]["init"]["values"]))


class Flipped:
    """Sampling and interpolation with `align_corners` of the n-th call negated; counts the calls."""

    def __init__(self, monkeypatch):
        self.calls, self.flip = 0, -1
        for name in ("grid_sample", "interpolate"):
            monkeypatch.setattr(F, name, self.wrapped(getattr(F, name)))

    def wrapped(self, original):
        def call(*arguments, **options):
            if options.get("mode") == "nearest":
                return original(*arguments, **options)
            if self.calls == self.flip:
                options["align_corners"] = not options.get("align_corners")
            self.calls += 1
            return original(*arguments, **options)

        return call


@pytest.mark.slow
def test_flipping_align_corners_at_any_call_makes_a_golden_fail(drawn, monkeypatch):
    model, bench = drawn
    flipped = Flipped(monkeypatch)
    with torch.inference_mode(), np.load(FOLDER / "goldens.npz") as arrays:
        stored = {key: value for key, value in arrays.items() if key.startswith(f"{model.MODEL}.gen_abs_b1.")}
        for call in range(2):
            flipped.calls, flipped.flip = 0, call
            case = next(picture_cases(bench))
            failed = [check.case for check in checks(model.MODEL, stored, iter([case])) if not check.passed]
            assert failed, f"call {call} can be flipped without a failure"
            assert flipped.calls == 4, "two in the network, two for the picture that the official code moves beside it"
