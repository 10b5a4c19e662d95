"""`scripts/train_minis.py`: chunks that end at a checkpoint, and a run that resumes until all minis are trained."""

import time

import pytest
import torch

import train_minis
from baselines.fomm.train import config
from toonbench.types import ToonbenchError
from training_runs import FOMM, write_set


@pytest.fixture
def chunk(tmp_path, monkeypatch, capsys):
    """Runs the script for FOMM with a tiny mini of 8 steps, a checkpoint every second one; returns exit status and output."""
    write_set(tmp_path / "set")
    monkeypatch.setenv("TOONBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(config.CONFIGS, "mini", FOMM)

    def run(out, *, minutes):
        options = ["--data", str(tmp_path / "set"), "--out", str(out), "--methods", "fomm", "--minutes", str(minutes)]
        monkeypatch.setattr("sys.argv", ["train_minis.py", *options])
        return train_minis.main(), capsys.readouterr().out.strip()

    return run


def test_a_chunk_ends_at_a_checkpoint_with_status_3_and_the_last_one_leaves_the_weights_of_an_unbroken_run(
    chunk, tmp_path
):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert chunk(whole, minutes=9) == (0, "fomm: trained")
    assert [chunk(parts, minutes=0) for _ in range(3)] == [
        (3, f"fomm: {step} of 8 steps; run again") for step in (2, 4, 6)
    ]
    assert torch.load(parts / "fomm_mini" / "checkpoint.pt", weights_only=True)["step"] == 6
    assert chunk(parts, minutes=0) == (0, "fomm: trained")
    assert chunk(parts, minutes=0) == (0, "fomm: ready")
    for name in ("weights.safetensors", "log.jsonl", "checkpoint.pt"):
        assert (whole / "fomm_mini" / name).read_bytes() == (parts / "fomm_mini" / name).read_bytes()


def test_a_chunk_does_not_end_between_checkpoints_nor_before_the_deadline(tmp_path):
    path = tmp_path / "checkpoint.pt"
    late, early = (train_minis.watch(tmp_path, time.monotonic() + seconds) for seconds in (-1.0, 60.0))
    late(1, 4)
    path.write_bytes(b"1")
    early(2, 4)
    with pytest.raises(train_minis.TimeOver, match="2 of 4 steps"):
        late(2, 4)
    late(3, 4)
    path.unlink()
    late(4, 4)  # the last step is no end of a chunk


def test_toontalker_with_labels_of_puppets_is_asked_for_by_its_own_name(tmp_path, monkeypatch):
    write_set(tmp_path / "set")
    monkeypatch.setenv("TOONBENCH_CACHE", str(tmp_path / "cache"))
    options = ["--data", str(tmp_path / "set"), "--out", str(tmp_path / "out"), "--methods", "toontalker-puppets"]
    monkeypatch.setattr("sys.argv", ["train_minis.py", *options])
    with pytest.raises(ToonbenchError, match="ground-truth motion"):  # the clips of noise have none
        train_minis.main()
