"""What the package ships does what it says: the mini model on the frozen puppets, doctor, the puppets' command."""

import csv
import json

import numpy as np
import pytest

from toonbench import cli
from toonbench.data import load
from toonbench.stats import intervals
from toonbench.video import read_video


@pytest.fixture(scope="module")
def scores(tmp_path_factory):
    """Scores of methods on 8 pairs of real2cartoon of the shipped puppets: metric -> method -> a value a pair."""
    out = tmp_path_factory.mktemp("runs")
    found = {}
    common = ["--limit", "8", "--metrics", "l1", "psnr", "ssim", "--out", str(out), "--workers", "1", "-q"]
    for method in ("toontalker", "static", "paste", "oracle"):
        assert cli.run(["eval", "--method", method, *common]) == 0
        (path,) = out.rglob(f"{method}@*/scores.csv")
        with path.open() as handle:
            for row in csv.DictReader(handle):
                for metric in ("l1@1", "psnr@1", "ssim@1"):
                    found.setdefault(metric, {}).setdefault(method, []).append((row["driving"], float(row[metric])))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["l1@1", "psnr@1", "ssim@1"])
@pytest.mark.parametrize("dummy", ["static", "paste"])
def test_the_mini_model_beats_doing_nothing_and_showing_the_driver(scores, metric, dummy):
    sign = -1 if metric == "l1@1" else 1
    clusters = [driving for driving, _ in scores[metric]["toontalker"]]
    model, other = (sign * np.array([value for _, value in scores[metric][name]]) for name in ("toontalker", dummy))
    better = intervals.paired_bootstrap(model, other, clusters)
    assert better.low > 0, f"{metric}: better by {better.value:.4f}, interval {better.low:.4f} to {better.high:.4f}"


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["l1@1", "psnr@1", "ssim@1"])
def test_the_oracle_is_best(scores, metric):
    sign = -1 if metric == "l1@1" else 1
    means = {name: sign * np.mean([value for _, value in rows]) for name, rows in scores[metric].items()}
    assert max(means, key=means.__getitem__) == "oracle"


def test_doctor_computes_goldens_and_says_what_it_skipped(shared, capsys):
    assert cli.run(["doctor", "--goldens", str(shared / "parity" / "metrics"), "--json"]) == 0
    checks = json.loads(capsys.readouterr().out)["checks"]
    golden = [check for check in checks if check["check"].startswith("metrics/")]
    assert sum(check["status"] == "ok" for check in golden) >= 35
    assert all(check["remark"] for check in golden if check["status"] == "skipped")


def test_doctor_fails_where_a_golden_differs(shared, tmp_path, capsys):
    values = json.loads((shared / "parity" / "metrics" / "small_goldens.json").read_text())
    values["l1"]["per_frame"][0] += 0.01
    (tmp_path / "small_goldens.json").write_text(json.dumps(values))
    assert cli.run(["doctor", "--goldens", str(tmp_path)]) == 1
    assert "FAIL" in capsys.readouterr().out


def test_test_puppets_come_with_the_targets_that_their_tasks_draw(tmp_path, capsys):
    arguments = ["make-puppets", "--out", str(tmp_path / "p"), "--split", "test", "--clips", "2", "--images", "1", "--frames", "2",
                 "--size", "32", "--workers", "1"]  # fmt: skip
    assert cli.run(arguments) == 0
    data = load(tmp_path / "p")
    assert len(data.targets) == 2 * 4
    assert all(len(read_video(clip.path).frames) == 2 for clip in data.targets.values())
    before = {path: path.read_bytes() for path in (tmp_path / "p").rglob("*") if path.is_file()}
    assert cli.run(arguments) == 0
    assert before == {path: path.read_bytes() for path in (tmp_path / "p").rglob("*") if path.is_file()}
    assert (
        cli.run(
            [
                "eval",
                "--method",
                "oracle",
                "--data",
                str(tmp_path / "p"),
                "--out",
                str(tmp_path / "r"),
                "--workers",
                "1",
            ]
        )
        == 0
    )
    capsys.readouterr()
    assert cli.run([*arguments[:-1], "1", "--seed", "5"]) == 2
    assert "another recipe" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--styles", "disny3d"], "disny3d"),
        (["--clips", "0", "--images", "0"], "not both 0"),
        (["--size", "4"], "Give 16 to 2,048"),
    ],
)
def test_mistakes_in_making_puppets_are_told(arguments, message, tmp_path, capsys):
    assert cli.run(["make-puppets", "--out", str(tmp_path), *arguments]) == 2
    assert message in capsys.readouterr().err
