"""Golden clips: doctor's numbers are those that were pinned, and it notices when they are not."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from toonbench import cli, registry
from toonbench.goldens import pinned


def test_every_registered_metric_is_pinned_at_its_version():
    stored = json.loads(pinned.PINNED.read_text())
    assert set(stored) == {registry.metric_id(registry.load_metric(name)) for name in registry.names("metrics")}, (
        "a metric is new or has another version: run scripts/pin_metrics.py"
    )


def test_every_registered_metric_has_a_value_without_any_download():
    stored = json.loads(pinned.PINNED.read_text())
    assert [name for name, value in stored.items() if value is None] == []


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
        assert sample.ground_truth is not None


def nearest(size):
    def resize(frames):
        return [Image.fromarray(frame).resize((size, size), Image.Resampling.NEAREST) for frame in frames]

    return lambda frames: np.stack([np.asarray(one) for one in resize(frames)])


SIZES = {"csim_dinov2": 224, "aed_identity": 96, "fid": 299, "kid": 299}  # what the network sees
MISTAKES = {
    "mirrored": lambda frames: frames[:, :, ::-1],
    "half the contrast": lambda frames: frames // 2 + 64,
    "blue and red swapped": lambda frames: frames[..., ::-1],
}


def seen(metric, change):
    """The metric's number when `change` is done to all pictures before the network."""
    door = "extract_features" if metric.features else "distances"
    real = getattr(type(metric), door)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            metric, door, lambda *frames: real(metric, *(np.ascontiguousarray(change(one)) for one in frames)), False
        )
        return pinned.value_of(metric)


@pytest.fixture
def brief(monkeypatch):
    """Two frames of the first golden clip."""
    sample = pinned._cut(pinned.golden_samples()[0], 2)
    monkeypatch.setattr(pinned, "golden_samples", lambda: (sample,))


@pytest.mark.parametrize("name", ["aed_identity", "csim_dinov2", "fid", "kid", "lpips_alex", "lpips_vgg"])
def test_wrong_pictures_before_a_network_are_noticed_and_its_last_bits_are_not(name, brief):
    metric = pinned.on_test_weights(registry.load_metric(name))
    value = pinned.value_of(metric)
    allowed = pinned.tolerance(name, value)
    mistakes = {**MISTAKES, **({"nearest": nearest(SIZES[name])} if name in SIZES else {})}
    errors = {mistake: abs(seen(metric, change) - value) for mistake, change in mistakes.items()}
    assert {mistake: error for mistake, error in errors.items() if not error > 2 * allowed} == {}
    kept = {key: one.clone() for key, one in metric._network.state_dict().items()}
    dice = torch.Generator().manual_seed(0)
    try:
        with torch.no_grad():  # each weight by a unit in its last place, or none: more than sums in another order
            for one in metric._network.parameters():
                one.mul_(1 + 2**-23 * torch.randint(-1, 2, one.shape, generator=dice))
        assert any(not torch.equal(one, kept[key]) for key, one in metric._network.state_dict().items())
        assert abs(pinned.value_of(metric) - value) < allowed
    finally:
        metric._network.load_state_dict(kept)
