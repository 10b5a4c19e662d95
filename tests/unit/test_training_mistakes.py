"""Settings, folders and checkpoints that a training cannot use are one line, and nothing of others is lost."""

import dataclasses
from dataclasses import replace
from functools import partial
from importlib import import_module

import numpy as np
import pytest
import torch
from test_toontalker_training import QUICK, data  # noqa: F401 - a fixture

from baselines.dagan.train.train import supervised_by
from baselines.fomm.train.train import new_networks
from baselines.tuning import state as tuning
from toonbench import registry
from toonbench.training.checkpoint import begin_run, load_checkpoint, run_folder, save_checkpoint, write_content
from toonbench.training.clips import ClipSet, resumed_clips
from toonbench.training.log import append_log
from toonbench.training.overrides import with_overrides
from toonbench.training.processes import launched
from toonbench.training.trained_on import TrainedOn
from toonbench.types import ToonbenchError
from toontalker.train.config import MINI
from toontalker.train.state import load_state, new_state, save_state
from toontalker.train.train import run

METHODS = ("fomm", "lia", "dagan", "maa", "recycle_gan")
MINIS = {"toontalker": MINI} | {
    name: import_module(f"baselines.{name}.train.config").CONFIGS["mini"] for name in METHODS
}
NUMBERS = ("int", "float", "tuple[int, ...]", "tuple[float, float]")


@pytest.mark.parametrize("method", MINIS)
def test_no_number_of_a_configuration_may_be_negative(method):
    config = MINIS[method]
    names = [field.name for field in dataclasses.fields(config) if field.type in NUMBERS]
    assert len(names) > 15
    for name in names:
        value = getattr(config, name)
        negative = "[" + ",".join(["-1"] * max(1, len(value))) + "]" if isinstance(value, tuple) else "-1"
        with pytest.raises(ToonbenchError, match=rf"^--set {name}=.*: {name} is .*-1.* needed"):
            with_overrides(config, [f"{name}={negative}"])


@pytest.mark.parametrize(
    ("method", "setting", "message"),
    [
        ("toontalker", f"seed={2**70}", "seed is .*: 0 to 9223372036854775807 is needed"),
        ("toontalker", "betas=0.5,1", "betas is .*: 0 to less than 1 is needed"),
        ("toontalker", "ema=5", "ema is 5.0: 0 to less than 1 is needed"),
        ("toontalker", "levels=20", "levels is 20: images of 64 px have at most 7"),
        ("toontalker", "decay=1.5", "decay is 1.5: 0 to 1 is needed"),
        ("toontalker", f"l1={'9' * 400}", r"--set l1=9{60}\.\.\.: a number is needed"),
        ("toontalker", f"network.channels={'[' * 5000}", "a list of a list of 2 values is needed"),
        ("toontalker", "network.heads=0", "heads is 0: 1 to 65536 is needed"),
        ("toontalker", "network.motions=0", "motions is 0: 1 to 65536 is needed"),
        ("toontalker", "network.dropout=1", "dropout is 1.0: 0 to less than 1 is needed"),
        ("toontalker", "network.channels=[[8,64]]", "size 64: .* with a row in channels"),
        ("fomm", "batch=0", "batch is 0: 1 or more is needed"),
        ("fomm", "log_every=0", "log_every is 0: 1 or more is needed"),
        ("fomm", "domains=[]", "domains is .*: one of real, cartoon, or both, is needed"),
        ("fomm", 'domains=["real","real"]', "domains is .*: one of real, cartoon, or both, is needed"),
        ("fomm", "network.points=0", "up to 65536 is allowed"),
        ("fomm", "network.generator=[4,4]", "detector and motion need two or more widths, and generator three"),
        ("fomm", "size=100", "size is 100: a multiple of 32 is needed for 4 widths of detector and motion"),
        ("dagan", "size=8", "size is 8: a multiple of 32 is needed"),
        ("recycle_gan", "size=100", "a multiple of 16 .for 4 widths of the predictor"),
        ("recycle_gan", "critic=[4,4,4,4,4]", "64 px have a score for few only"),
    ],
)
def test_a_number_out_of_its_range_is_one_line(method, setting, message):
    with pytest.raises(ToonbenchError, match=message) as error:
        with_overrides(MINIS[method], [setting])
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400


def test_a_network_that_cannot_be_built_names_its_sizes(monkeypatch):
    def no_memory(*_, **__):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 17179869184 bytes")

    monkeypatch.setattr("toontalker.train.state.DomainNetwork", no_memory)
    with pytest.raises(ToonbenchError, match=r"its network cannot be built .*allocate.*motions=3"):
        new_state(QUICK, "cpu")


def test_a_checkpoint_of_another_method_is_not_a_list_of_fields(tmp_path):
    save_checkpoint(tmp_path / "checkpoint.pt", {"step": 1}, config=MINIS["fomm"])
    with pytest.raises(ToonbenchError, match="of the training of another method") as error:
        load_checkpoint(tmp_path / "checkpoint.pt", config=MINI)
    assert len(str(error.value)) < 300


@pytest.mark.parametrize("step", [-5, 10**30, "3", None, 1.5])
def test_a_checkpoint_without_a_number_of_steps_is_refused_in_one_line(tmp_path, step):
    state = new_state(QUICK, "cpu")
    state.step = step
    save_state(state, tmp_path)
    with pytest.raises(ToonbenchError, match="does not fit this training"):
        load_state(QUICK, "cpu", tmp_path)


def test_stage_1_has_its_length_once_stage_2_has_begun_and_is_never_shorter_than_what_was_done(tmp_path):
    state = new_state(QUICK, "cpu")
    for step, steps1, message in (
        (2, 3, ""),
        (2, 2, ""),
        (2, 1, r"has 2 steps of stage 1, and steps1 is 1: give --set steps1=2 or more"),
        (3, 4, "steps1 = 2, but steps1 is 4 now"),
        (3, 1, "steps1 = 2, but steps1 is 1 now"),
    ):
        state.step = step
        save_state(state, tmp_path)
        if not message:
            assert load_state(replace(QUICK, steps1=steps1), "cpu", tmp_path).step == step
            continue
        with pytest.raises(ToonbenchError, match=message):
            load_state(replace(QUICK, steps1=steps1), "cpu", tmp_path)


@pytest.mark.parametrize("stopped", [KeyboardInterrupt, OSError, MemoryError])
def test_what_stops_a_checkpoint_while_it_is_written_is_raised_itself(tmp_path, monkeypatch, stopped):
    def save(content, file):
        try:
            raise stopped
        finally:
            raise RuntimeError("unexpected pos 35636608 vs 35636496")

    monkeypatch.setattr(torch, "save", save)
    with pytest.raises(stopped):
        write_content(tmp_path / "c.pt", {})


def test_two_runs_are_never_in_one_folder(tmp_path):
    again = pytest.raises(ToonbenchError, match="another training runs in")
    with run_folder(tmp_path, resume=True), again, run_folder(tmp_path, resume=True):
        pass
    with run_folder(tmp_path, resume=True):
        pass


def test_weights_whose_checkpoint_is_gone_are_replaced_with_fresh_only(tmp_path, data):  # noqa: F811
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(b"of a long training")
    with pytest.raises(ToonbenchError, match=r"has weights\.safetensors but no checkpoint\.pt .* with --fresh"):
        run(QUICK, data, tmp_path, device="cpu")
    assert weights.read_bytes() == b"of a long training"
    run(replace(QUICK, steps1=0, steps2=0), data, tmp_path, device="cpu", resume=False)
    assert weights.read_bytes() != b"of a long training"


def test_a_run_that_begins_again_leaves_nothing_of_the_one_before_and_all_of_others(tmp_path):
    (tmp_path / "samples").mkdir()
    own = ("checkpoint.pt", "checkpoint-previous.pt", "best.safetensors", "weights.safetensors", "samples/0000009.png")
    others = ("notes.txt", "encoder.pth", "samples/holiday.png")
    for name in (*own, *others):
        (tmp_path / name).write_text("x")
    append_log(tmp_path, {"step": 9})
    begin_run(tmp_path, resumes=True, step=9)
    assert all((tmp_path / name).is_file() for name in (*own, *others))
    begin_run(tmp_path, resumes=False, step=0)
    assert not any((tmp_path / name).exists() for name in own)
    assert all((tmp_path / name).is_file() for name in others)
    assert (tmp_path / "log.jsonl").read_text() == ""


@pytest.mark.parametrize(
    "content", [b"\xff\xfe\n", b'{"a": 1}\n', b"[1]\n", b'{"step": "x"}\n', b"[" * 100_000 + b"\n"]
)
def test_a_log_that_no_training_wrote_stays_as_it_is(tmp_path, content):
    (tmp_path / "log.jsonl").write_bytes(content)
    with pytest.raises(ToonbenchError, match=r"log\.jsonl is not the log of a training"):
        begin_run(tmp_path, resumes=False, step=0)
    assert (tmp_path / "log.jsonl").read_bytes() == content


def test_a_number_of_clips_that_is_none_is_no_record_of_training_clips():
    assert TrainedOn.from_dict({"data": ["a"], "clips": float("inf"), "marks": ""}) is None


@pytest.mark.parametrize("method", ["fomm", "lia", "dagan", "maa", "recycle-gan", "toontalker"])
def test_what_a_training_resumes_from_is_no_checkpoint_of_a_method(tmp_path, method):
    path = tmp_path / "checkpoint.pt"
    save_state(new_state(QUICK, "cpu"), tmp_path)
    with pytest.raises(ToonbenchError, match=r"state of a training of toonbench.* give weights\.safetensors"):
        registry.load("methods", method)(checkpoint=path)


@pytest.mark.parametrize("content", [b"{", b"[1]", b"{}", b"[" * 100_000, b"\xff"])
def test_a_damaged_note_on_a_depth_network_is_one_line(tmp_path, content):
    (tmp_path / "depth.json").write_bytes(content)
    with pytest.raises(ToonbenchError, match='does not state "supervised"'):
        supervised_by(tmp_path)


@pytest.mark.parametrize("method", ["toontalker", "fomm"])
def test_a_run_that_resumes_with_other_clips_says_so_and_one_with_the_same_clips_or_a_new_domain_does_not(
    tmp_path, caplog, method
):
    caplog.set_level("WARNING", logger="toonbench")  # a command of another test may have set another one

    def clips(*lengths):
        frames = [np.zeros((length, 8, 8, 3), np.uint8) for length in lengths]
        return ClipSet(tuple(frames), tuple(frames))

    known = resumed_clips({}, {"real": clips(4, 5)}, domains=("real",))
    if method == "toontalker":
        state = new_state(QUICK, "cpu")
        state.clips = known
        save_state(state, tmp_path)
        known = load_state(QUICK, "cpu", tmp_path).clips
    else:
        networks = partial(new_networks, MINIS[method], None)
        state = tuning.new_state(MINIS[method], "cpu", networks)
        state.clips = known
        tuning.save_state(state, tmp_path)
        known = tuning.load_state(MINIS[method], "cpu", tmp_path, networks).clips
    both = resumed_clips(known, {"real": clips(4, 5), "cartoon": clips(3)}, domains=("real", "cartoon"))
    assert not caplog.records
    resumed_clips(both, {"real": clips(4, 5), "cartoon": clips(3, 3)}, domains=("real", "cartoon"))
    (record,) = caplog.records
    assert "the cartoon training clips are not those of the checkpoint" in record.getMessage()


@pytest.mark.parametrize(("name", "value"), [("WORLD_SIZE", "abc"), ("RANK", ""), ("RANK", "-1")])
def test_variables_of_a_launcher_that_are_no_numbers_are_one_line(monkeypatch, name, value):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv(name, value)
    with pytest.raises(ToonbenchError, match=f"{name} is '{value}': start with `accelerate launch`"):
        launched()
