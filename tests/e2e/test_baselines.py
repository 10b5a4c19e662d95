"""`toonbench eval` with checkpoints of FOMM, DaGAN and LIA: small ones, in the layout of the authors' files."""

import hashlib
import json

import pytest
import torch

import toonbench
from baselines.dagan.weights_io import network_for_tests
from baselines.first_order_weights import NetworkConfig, state_for_tests
from baselines.fomm.model import FOMMNetwork
from baselines.lia.model import LIANetwork
from baselines.lia.weights_io import TINY
from baselines.lia.weights_io import state_for_tests as lia_state
from toonbench.types import ToonbenchError

CONFIG = NetworkConfig(points=4, detector=(4, 4, 4), motion=(4, 4, 4), generator=(4, 4, 4), residuals=1)


def part(state, name):
    return {key.removeprefix(f"{name}."): value for key, value in state.items() if key.startswith(f"{name}.")}


def write_fomm(folder):
    state = state_for_tests(FOMMNetwork(CONFIG), "fomm", points=CONFIG.points)
    torch.save({name: part(state, name) for name in ("kp_detector", "generator")}, folder / "vox-cpk.pth.tar")
    return folder / "vox-cpk.pth.tar"


def write_dagan(folder):
    state = network_for_tests(CONFIG).state_dict()
    torch.save({name: part(state, name) for name in ("kp_detector", "generator")}, folder / "dagan.pth.tar")
    torch.save(part(state, "depth_encoder"), folder / "encoder.pth")
    torch.save(part(state, "depth_decoder"), folder / "depth.pth")
    return folder / "dagan.pth.tar"


def write_lia(folder):
    torch.save({"gen": lia_state(LIANetwork(TINY))}, folder / "vox.pt")
    return folder / "vox.pt"


WRITERS = {"fomm": write_fomm, "dagan": write_dagan, "lia": write_lia}


@pytest.mark.parametrize("method", WRITERS)
def test_a_run_stores_the_checkpoint_and_its_result_repeats_it(method, tiny_data, tmp_path):
    checkpoint = WRITERS[method](tmp_path)
    done = toonbench.evaluate(
        method, data=str(tiny_data), checkpoint=checkpoint, metrics=["l1"], limit=2, out=tmp_path / "out", device="cpu"
    )
    assert done.scores.failures == {}
    run, result = (json.loads(path.read_text()) for path in (done.run.description, done.run.result))
    assert run["checkpoint"] == result["checkpoint"]
    assert run["checkpoint"]["file"] == checkpoint.name
    assert run["checkpoint"]["sha256"] == hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    assert run["checkpoint"]["variant"].lower().startswith(method)


def test_a_renamed_checkpoint_resumes_the_run_and_another_one_starts_its_own(tiny_data, tmp_path):
    def evaluated(path):
        return toonbench.generate(
            "lia", data=str(tiny_data), checkpoint=path, limit=1, out=tmp_path / "out", device="cpu"
        ).run.root

    first = write_lia(tmp_path)
    root = evaluated(first)
    assert evaluated(first.rename(tmp_path / "renamed.pt")) == root
    state = lia_state(LIANetwork(TINY))
    torch.save({"gen": {**state, "enc.fc.4.bias": state["enc.fc.4.bias"] + 1}}, tmp_path / "other.pt")
    assert evaluated(tmp_path / "other.pt") != root


@pytest.mark.parametrize("method", WRITERS)
def test_a_checkpoint_of_each_method_is_named_by_the_others(method, tmp_path):
    checkpoint = WRITERS[method](tmp_path)
    names = {"fomm": "FOMM", "dagan": "DaGAN", "lia": "LIA", "toontalker": "ToonTalker"}
    for other in names.keys() - {method}:
        with pytest.raises(ToonbenchError, match=f"a checkpoint of {names[method]}, not of {names[other]}"):
            toonbench.generate(other, checkpoint=checkpoint, out=tmp_path / "out", device="cpu")
