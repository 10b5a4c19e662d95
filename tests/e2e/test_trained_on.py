"""Pairs with a clip that the weights were trained on are refused, or measured with a mark."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

import toonbench
from toonbench import cli
from toonbench.data import load
from toonbench.registry import load_task
from toonbench.tasks import draw_pairs
from toonbench.training.trained_on import WIDTH, TrainedOn, trained_on

PLUGINS = Path(__file__).parent.parent / "plugins"
METHOD = "toonbench_test_methods:Trained"
REFUSED = (
    r"pairs contain a clip that the weights of '.*' were trained on .* take other data, or give --allow-trained-on"
)


@pytest.fixture(autouse=True)
def plugins(monkeypatch):
    monkeypatch.syspath_prepend(str(PLUGINS))


@pytest.fixture
def checkpoint(tiny_data, tmp_path):
    """Weights that were trained on one driving video of the data set."""
    data = load(tiny_data)
    drivers = [clip for clip in data.clips if clip.domain == "real" and clip.kind == "video"]
    path = tmp_path / "weights.json"
    path.write_text(json.dumps(trained_on(drivers[:1], data=data.id).to_dict()))
    return path


def options(data, tmp_path):
    return [
        "--data",
        str(data),
        "--out",
        str(tmp_path / "runs"),
        "--metrics",
        "l1",
        "--method",
        METHOD,
        "--workers",
        "1",
    ]


@pytest.mark.parametrize("command", ["eval", "generate", "score"])
def test_a_pair_with_a_training_clip_is_refused_before_anything_is_generated(
    tiny_data, tmp_path, checkpoint, command, capsys
):
    arguments = [one for one in options(tiny_data, tmp_path) if command != "generate" or one not in ("--metrics", "l1")]
    assert cli.run([command, *arguments, "--checkpoint", str(checkpoint)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "were trained on" in line
    assert not list((tmp_path / "runs").rglob("*.mkv"))


def test_allowed_pairs_are_counted_and_named_in_the_result_and_printed(tiny_data, tmp_path, checkpoint, capsys):
    arguments = [*options(tiny_data, tmp_path), "--checkpoint", str(checkpoint), "--allow-trained-on"]
    assert cli.run(["eval", *arguments]) == 0
    shown = capsys.readouterr().out
    (path,) = (tmp_path / "runs").rglob("result.json")
    result = json.loads(path.read_text())
    driver = next(clip.id for clip in load(tiny_data).clips if clip.domain == "real" and clip.kind == "video")
    assert 0 < len(result["trained_on"]) < result["pairs"]
    assert all(driver in pair for pair in result["trained_on"])
    caveat = f"{len(result['trained_on'])} of {result['pairs']} pairs contain a clip that the method was trained on"
    assert caveat in shown
    assert any(one.startswith(caveat) for one in result["caveats"])
    path.unlink()
    assert cli.run(["score", *arguments]) == 0
    assert json.loads(path.read_text()) == result


def test_weights_that_state_no_training_clip_or_others_are_scored_without_a_mark(tiny_data, tmp_path, checkpoint):
    others = [replace(clip, sha256="") for clip in load(tiny_data).clips]  # equal names in another data set
    checkpoint.write_text(json.dumps(trained_on(others, data="another set").to_dict()))
    what = {"task": "real2cartoon", "data": str(tiny_data), "metrics": ["l1"], "limit": 1}
    for given in (None, checkpoint):
        found = toonbench.evaluate(METHOD, out=tmp_path / str(given is None), checkpoint=given, **what)
        assert not [one for one in found.scores.caveats if "trained on" in one]
        assert "trained_on" not in json.loads(found.run.result.read_text())


def test_the_library_refuses_and_allows_as_the_command_does(tiny_data, tmp_path, checkpoint):
    def run(**options):
        return toonbench.evaluate(
            METHOD,
            task="real2cartoon",
            data=str(tiny_data),
            metrics=["l1"],
            out=tmp_path / "runs",
            checkpoint=checkpoint,
            **options,
        )

    with pytest.raises(toonbench.ToonbenchError, match=REFUSED):
        run()
    assert [one for one in run(allow_trained_on=True).scores.caveats if "trained on" in one]


def test_a_model_of_one_pair_is_refused_for_other_driving_videos(tiny_data, tmp_path, checkpoint, monkeypatch, capsys):
    monkeypatch.setattr("toonbench_test_methods.Trained.one_pair", True, raising=False)
    arguments = ["eval", *options(tiny_data, tmp_path), "--checkpoint", str(checkpoint), "--allow-trained-on"]
    assert cli.run(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "pairs have another driving video than those" in line
    assert "--pairs" in line
    clips = load(tiny_data).clips
    driver = next(clip.id for clip in clips if clip.domain == "real" and clip.kind == "video")
    sources = [clip.id for clip in clips if clip.domain == "cartoon" and clip.kind == "image"]
    (tmp_path / "pairs.csv").write_text("source,driving\n" + "".join(f"{one},{driver}\n" for one in sources))
    assert cli.run([*arguments, "--pairs", str(tmp_path / "pairs.csv")]) == 0


def test_weights_of_an_earlier_version_know_their_driving_video(tiny_data):
    data = load(tiny_data)
    pairs = draw_pairs(load_task("real2cartoon"), data.clips)
    driver = pairs[0].driving
    stored = hashlib.sha256(f"{data.id}|{driver.id}".encode()).digest()[:WIDTH]  # by id alone, as it was then
    found = TrainedOn((data.id,), 1, frozenset([stored])).drives(pairs, data=data.id)
    assert found == [pair.id for pair in pairs if pair.driving.id == driver.id]
    assert found
