"""Plans of the paper's tables: which checkpoint, what is stored, what a call runs."""

import functools
import importlib
import json
import os
from pathlib import Path

import pytest
from test_paper_tables import MINI, write_run

from toonbench.cli import run as command
from toonbench.commands.reproduce import duration
from toonbench.report.entries import find_entries
from toonbench.report.methods import model_name
from toonbench.reproduce import SECONDS, find_checkpoint, plan_table, seconds_per_frame
from toonbench.types import ToonbenchError

EVALUATE = importlib.import_module("toonbench.evaluate")  # `toonbench.evaluate` itself is the function


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    folder = tmp_path / "weights"
    (folder / "fine-tuned").mkdir(parents=True)
    (folder / "official").mkdir()
    (folder / "vox.pt").write_bytes(b"official lia")
    (folder / "official" / "vox-cpk.pth.tar").write_bytes(b"official fomm")
    (folder / "fine-tuned" / "fomm.pth.tar").write_bytes(b"tuned fomm")
    (folder / "toontalker.pt").write_bytes(b"toontalker")
    (folder / "toontalker-no-analogy.safetensors").write_bytes(b"ablated")
    return folder


def states(made, task):
    return {step.name: step.state for step in made.steps if step.task == task}


def test_table_1_takes_fine_tuned_weights_and_refuses_official_ones(weights):
    assert (
        find_checkpoint("fomm", weights, kind="fine-tuned", number="1").path == weights / "fine-tuned" / "fomm.pth.tar"
    )
    lia = find_checkpoint("lia", weights, kind="fine-tuned", number="1")
    assert (lia.path, lia.refused) == (None, True)
    assert "only the official vox.pt" in lia.reason
    assert str(weights / "fine-tuned" / "lia.*") in lia.reason


def test_an_official_file_under_another_name_is_refused(weights):
    (weights / "fine-tuned" / "lia.pt").write_bytes(b"official lia")
    found = find_checkpoint("lia", weights, kind="fine-tuned", number="1")
    assert found.refused
    assert "lia.pt is the official file" in found.reason


def test_tables_2_and_3_take_official_weights(weights):
    assert find_checkpoint("lia", weights, kind="official", number="2").path == weights / "vox.pt"
    assert (
        find_checkpoint("fomm", weights, kind="official", number="2").path == weights / "official" / "vox-cpk.pth.tar"
    )
    dagan = find_checkpoint("dagan", weights, kind="official", number="2")
    assert (dagan.path, dagan.refused) == (None, False)
    assert "none of DaGAN_vox_adv_256.pth.tar" in dagan.reason


def test_the_full_model_and_an_ablated_one_have_different_files(weights):
    assert find_checkpoint("toontalker", weights, kind="", number="5").path == weights / "toontalker.pt"
    ablated = find_checkpoint("toontalker-no-analogy", weights, kind="", number="5")
    assert ablated.path == weights / "toontalker-no-analogy.safetensors"
    assert find_checkpoint("toontalker-mlp", weights, kind="", number="7").reason.startswith("no toontalker-mlp.pt")


def test_a_run_of_an_ablated_checkpoint_is_of_the_ablated_model():
    variants = {"no-analogy": "w/o analogy"}
    assert model_name("toontalker", {"file": "toontalker-no-analogy.pt"}, variants=variants) == "toontalker-no-analogy"
    assert model_name("toontalker", {"file": "toontalker-best.pt"}, variants=variants) == "toontalker"
    assert model_name("other", {"file": "toontalker-no-analogy.pt"}, variants=variants) == "other"


def test_what_trained_weights_state_about_their_ablation_counts_more_than_the_name_of_their_file():
    variants = {"no-analogy": "w/o analogy", "mlp": "mlp"}
    for ablation, name in (("mlp", "toontalker-mlp"), ("lambda-20", "toontalker"), ("", "toontalker")):
        facts = {"file": "toontalker-no-analogy.safetensors", "config": "mini", "ablation": ablation}
        assert model_name("toontalker", facts, variants=variants) == name


def test_a_plan_lists_each_run_with_its_weights_and_state(weights, tmp_path):
    made = plan_table("1", data="puppets@2", weights=weights, out=tmp_path / "runs", limit=2)
    assert states(made, "real2cartoon") == {
        "fomm": "missing",
        "lia": "refused",
        "dagan": "no weights",
        "toontalker": "missing",
    }
    assert {step.weights for step in made.steps if step.method != "toontalker"} == {"fine-tuned"}
    fomm = made.steps[0]
    assert (fomm.pairs, fomm.videos) == (2, 0)
    assert fomm.seconds == pytest.approx(fomm.frames * (SECONDS["fomm"] + 0.25))
    assert "constants" in fomm.basis


def test_without_weights_only_the_included_ones_run_and_only_on_puppets(tmp_path):
    made = plan_table("2", data="puppets@2", weights=None, out=tmp_path, limit=1)
    assert states(made, "real_self") == {
        "fomm": "no weights",
        "lia": "no weights",
        "dagan": "no weights",
        "toontalker": "missing",
    }
    assert made.steps[-1].weights == "mini"


def test_stored_runs_are_done_or_partly_done(tmp_path):
    made = plan_table("4", data="puppets@2", weights=None, out=tmp_path, limit=2)
    about = made.plans["cartoon_cross"].about
    root = write_run(
        tmp_path,
        "toontalker@1",
        {"cpbd@1": 0.5},
        task=about["task"],
        checkpoint=MINI,
        limit=2,
        pairs_fingerprint=about["pairs_fingerprint"],
    )
    again = plan_table("4", data="puppets@2", weights=None, out=tmp_path, limit=2)
    assert states(again, "cartoon_cross")["toontalker"] == "done"
    assert again.steps[-1].seconds == 0
    (root / "result.json").unlink()
    (root / "videos").mkdir()
    (root / "videos" / f"{made.plans['cartoon_cross'].pairs[0].id}.mkv").write_bytes(b"")
    third = plan_table("4", data="puppets@2", weights=None, out=tmp_path, limit=2)
    assert (third.steps[-1].state, third.steps[-1].videos) == ("partly", 1)


def test_seconds_per_frame_come_from_the_times_of_stored_videos(tmp_path):
    root = write_run(tmp_path, "fomm@1", {"cpbd@1": 0.5})
    (root / "videos").mkdir()
    for at in range(4):
        path = root / "videos" / f"s{at}~d{at}.mkv"
        path.write_bytes(b"")
        os.utime(path, (1000 + 60 * at, 1000 + 60 * at))
    assert seconds_per_frame("fomm", find_entries([tmp_path]))[1].startswith("constants")  # the frames are not known
    from toonbench.lint import COLUMNS, VERSION
    from toonbench.store import Run

    row = [30.0 if name == "frames" else 64.0 for name in COLUMNS]
    import numpy as np

    for at in range(8):
        Run(root).write_rows(f"lint@{VERSION}", f"s{at}~d{at}", np.array([row], np.float32))
    seconds, basis = seconds_per_frame("fomm", find_entries([tmp_path]))
    assert seconds == pytest.approx(2.0)
    assert basis.startswith("stored runs of fomm")


def test_a_dry_run_prints_the_plan_and_runs_nothing(tmp_path, capsys, monkeypatch, weights):
    monkeypatch.setattr(EVALUATE, "evaluate_run", None)
    arguments = [
        "reproduce",
        "table1",
        "--limit",
        "1",
        "--out",
        str(tmp_path / "runs"),
        "--weights",
        str(weights),
        "--dry-run",
    ]
    assert command(arguments) == 0
    text = capsys.readouterr().out
    assert "Table 1 of the paper: 8 runs" in text
    assert "refused" in text
    assert "together about" in text
    assert not (tmp_path / "runs").exists()
    assert command([*arguments, "--json"]) == 0
    assert [one["state"] for one in json.loads(capsys.readouterr().out)][:2] == ["missing", "refused"]


def test_what_is_missing_runs_and_a_failure_does_not_stop_the_others(tmp_path, capsys, monkeypatch, weights):
    called = []

    def evaluate_run(plan, method, *, pool, checkpoint):
        called.append((method, plan.task.name, checkpoint and checkpoint.name))
        if method == "fomm":
            raise ToonbenchError("a damaged file")
        write_run(tmp_path / "runs", f"{method}@1", {"cpbd@1": 0.5}, task=plan.task.id)

    monkeypatch.setattr(EVALUATE, "evaluate_run", evaluate_run)
    done = command(["reproduce", "table1", "--limit", "1", "--out", str(tmp_path / "runs"), "--weights", str(weights)])
    assert done == 1
    assert called == [
        (method, task, file)
        for task in ("real2cartoon", "cartoon2real")
        for method, file in (("fomm", "fomm.pth.tar"), ("toontalker", "toontalker.pt"))
    ]
    captured = capsys.readouterr()
    assert "fomm on real2cartoon failed: a damaged file" in captured.err
    assert "lia on real2cartoon: refused: Table 1 takes fine-tuned weights" in captured.err
    assert "0.500" in captured.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["table9"], "table9 is unknown: give table1 to table7"),
        (["study"], "tablestudy is unknown"),
        (["table1", "--weights", "none"], "--weights none is not a folder"),
        (["table1", "--data", "puppet"], "did you mean puppets@2?"),
    ],
)
def test_wrong_arguments_are_one_line(tmp_path, capsys, arguments, message):
    assert command(["reproduce", *arguments, "--out", str(tmp_path), "--dry-run"]) == 2
    text = capsys.readouterr().err
    assert message in text
    assert text.count("\n") == 1


@pytest.mark.parametrize(
    ("seconds", "text"), [(40, "40 s"), (700, "12 min"), (3 * 3600, "3.0 h"), (86400 * 3, "3 days")]
)
def test_durations_are_rough(seconds, text):
    assert duration(seconds) == text


@pytest.mark.slow
def test_table_4_of_one_pair_of_puppets_is_run_resumed_and_printed(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("toonbench.reproduce.plan", functools.partial(EVALUATE.plan, metrics=["cpbd"]))
    arguments = ["reproduce", "table4", "--limit", "1", "--out", str(tmp_path), "--workers", "1"]
    assert command(arguments) == 0
    first = capsys.readouterr()
    assert "toontalker on cartoon_cross: 1 of 1 videos to generate" in first.err
    assert "toontalker (mini weights)" in first.out
    assert command(arguments) == 0
    second = capsys.readouterr()
    assert "toontalker on cartoon_cross: done" in second.err
    assert second.out == first.out
