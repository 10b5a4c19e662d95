"""Golden clips: doctor's numbers are those that were pinned, and it notices when they are not."""

import json

import pytest

from toonbench import cli, registry
from toonbench.metrics import pinned


def test_every_registered_metric_is_pinned_at_its_version():
    stored = json.loads(pinned.PINNED.read_text())
    assert set(stored) == {registry.metric_id(registry.load_metric(name)) for name in registry.names("metrics")}, (
        "a metric is new or has another version: run scripts/pin_metrics.py"
    )


def test_only_metrics_that_need_weights_of_their_own_have_no_value():
    stored = json.loads(pinned.PINNED.read_text())
    assert {name for name, value in stored.items() if value is None} == {"csim_arcface@1", "aed_expression@1"}


@pytest.fixture
def quick(monkeypatch):
    """Only metrics without a large network."""
    fast = ["blink_f1", "cpbd", "l1", "landmark_nme", "ssim"]
    real = registry.names
    monkeypatch.setattr(registry, "names", lambda group: fast if group == "metrics" else real(group))
    return fast


def test_the_pinned_values_come_out_here(quick):
    checks = list(pinned.pinned_checks())
    assert [check.case for check in checks] == [f"{name}@1" for name in quick]
    assert all(check.passed for check in checks)
    assert all(check.error <= check.tolerance / 20 for check in checks), "far inside the tolerance on one machine"


def test_doctor_fails_where_a_machine_computes_something_else(quick, monkeypatch, tmp_path, capsys):
    stored = json.loads(pinned.PINNED.read_text())
    changed = tmp_path / "pinned.json"
    changed.write_text(json.dumps({**stored, "l1@1": stored["l1@1"] * 1.01}))
    monkeypatch.setattr(pinned, "PINNED", changed)
    assert cli.run(["doctor", "--json"]) == 1
    rows = {row["check"]: row["status"] for row in json.loads(capsys.readouterr().out)["checks"]}
    assert rows["golden clips, l1@1"] == "FAIL"
    assert rows["golden clips, ssim@1"] == "ok"
    assert rows["disk, weights"] in ("ok", "read-only")
    assert rows["weights alexnet"] == "absent"


def test_the_damage_of_the_golden_clips_is_real():
    for sample in pinned.golden_samples():
        assert (sample.generated != sample.target).any()
        assert sample.truth is not None
