"""Runs in use, folders called like shipped data sets, and damaged goldens."""

import importlib
import json
import shutil
import subprocess
import sys
from contextlib import suppress

import pytest

from toonbench import cli
from toonbench.commands import doctor
from toonbench.data.folder import load, locate, shipped
from toonbench.data.open import open_data
from toonbench.store import Run
from toonbench.types import ToonbenchError


def test_fresh_does_not_delete_a_run_that_another_process_works_on(tmp_path):
    run = Run(tmp_path / "run")
    run.begin({"a": 1}, fresh=False)
    code = (
        "import sys\nfrom pathlib import Path\nfrom toonbench.store import Run\n"
        f"with Run(Path({str(run.root)!r})).in_use():\n    print('in use', flush=True)\n    sys.stdin.read()\n"
    )
    worker = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert worker.stdout.readline() == "in use\n"
    with pytest.raises(ToonbenchError, match="is in use by another process"):
        run.begin({"a": 2}, fresh=True)
    with run.in_use():  # another shard may work on it
        assert json.loads(run.description.read_text()) == {"a": 1}
    worker.communicate("")
    run.begin({"a": 2}, fresh=True)
    assert json.loads(run.description.read_text()) == {"a": 2}


def test_eval_holds_its_run_also_between_generating_and_scoring(tiny_data, tmp_path, monkeypatch):
    evaluate = importlib.import_module("toonbench.evaluate")  # the package has a function of this name
    tried, score_run = [], evaluate.score_run

    def watched(plan, run, **options):
        with pytest.raises(ToonbenchError, match="is in use by another process"):
            run.begin({"a": 2}, fresh=True)
        tried.append(run)
        return score_run(plan, run, **options)

    monkeypatch.setattr(evaluate, "score_run", watched)
    shared = [
        "--data",
        str(tiny_data),
        "--method",
        "static",
        "--metrics",
        "l1",
        "--out",
        str(tmp_path),
        "--workers",
        "1",
    ]
    assert cli.run(["eval", *shared, "--fresh"]) == 0
    assert len(tried) == 1
    tried[0].begin({"a": 2}, fresh=True)
    assert json.loads(tried[0].description.read_text()) == {"a": 2}


def test_a_folder_called_like_a_shipped_data_set_is_another_data_set(tiny_data, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny_data, tmp_path / "puppets@2")
    assert locate("puppets@2") == shipped()["puppets@2"]
    named, own = open_data("puppets@2"), open_data("./puppets@2")
    assert named.id == "puppets@2"
    assert named.notes[0].endswith("write ./puppets@2 for the folder")
    assert own.id == f"puppets@2-{own.fingerprint[:8]}"
    assert own.caveats == ()
    copy = shutil.copytree(shipped()["puppets@2"], tmp_path / "copy" / "puppets@2")
    assert load(copy).id != "puppets@2"
    assert cli.run(["validate", "./puppets@2"]) == 0
    assert "data set of 14 clips" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["{}", "[]", '{"images": 3}', '{"nets": {}, "sizes": 1}', "null", "{"])
def test_damaged_goldens_are_one_error(tmp_path, text):
    for name in ("cpbd_goldens_a", "lpips_goldens", "frechet_goldens", "small_goldens"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / f"{name}.json").write_text(text)
        (folder / f"{name}.npz").write_bytes(b"PK damaged")
        with suppress(ToonbenchError):  # any other exception fails the test
            assert all(row["status"] in ("skipped", "FAIL") for row in doctor._run_goldens([folder], device="cpu"))
