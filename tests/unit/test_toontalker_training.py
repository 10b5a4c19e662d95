import json
import lzma
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from toonbench import cli
from toonbench.data.table import CLIPS
from toonbench.report.methods import model_name
from toonbench.report.papers import load_paper
from toonbench.training.clips import ClipSet, load_sets
from toonbench.training.processes import ProcessGroup
from toonbench.training.trained_on import TrainedOn, trained_on
from toonbench.types import Clip, ToonbenchError
from toonbench.video import write_lossless
from toontalker.config import NetworkConfig
from toontalker.method import ToonTalker
from toontalker.train.config import ABLATIONS, CONFIGS, MINI, TrainConfig, find_config
from toontalker.train.losses import analogy
from toontalker.train.state import begin_stage2, load_state, new_state, set_rate
from toontalker.train.step import draw_batch
from toontalker.train.train import run, train
from toontalker.weights_io import export, load_network, notes_of

OLD = Path(__file__).parent.parent / "golden" / "training_0.1.0" / "toontalker.pt.xz"
TINY = NetworkConfig(
    size=64, channels=tuple((4 << i, 8) for i in range(5)), style=8, motions=3, heads=2, feedforward=8, dropout=0.1
)
QUICK = replace(
    MINI, name="tiny", network=TINY, steps1=2, steps2=2, batch1=2, batch2=2, workers=1, checkpoint_every=1, log_every=1
)


@pytest.fixture(scope="module")
def data():
    """Three clips of two domains: a picture of noise that moves to the right."""
    rng, found = np.random.default_rng(0), {}
    for domain in ("real", "cartoon"):
        grounds = rng.integers(0, 255, (3, 1, 64, 64, 3), dtype=np.uint8)
        clips = [np.concatenate([np.roll(ground, 3 * t, axis=2) for t in range(4)]) for ground in grounds]
        found[domain] = ClipSet((clips[1], clips[2]), (clips[0],))
    return found


def same(first, second):
    a, b = (torch.load(folder / "checkpoint.pt", weights_only=True) for folder in (first, second))
    assert a["step"] == b["step"]
    for part in ("network", "average"):
        for key in a[part]:
            assert torch.equal(a[part][key], b[part][key]), key


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    run(QUICK, data, folder, device="cpu")
    return folder


@pytest.mark.parametrize("stop", [1, 2, 3])
def test_a_run_that_was_stopped_and_resumed_ends_like_an_unbroken_one(data, whole, tmp_path, stop):
    class Killed(Exception):
        pass

    def kill(step, total):
        assert total == 4
        if step == stop:
            raise Killed

    with pytest.raises(Killed):
        run(QUICK, data, tmp_path, device="cpu", on_progress=kill)
    run(QUICK, data, tmp_path, device="cpu")
    same(whole, tmp_path)
    assert (whole / "weights.safetensors").read_bytes() == (tmp_path / "weights.safetensors").read_bytes()


def test_a_run_leaves_a_log_pictures_and_weights_that_load(whole):
    lines = [json.loads(line) for line in (whole / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "loss" in line] == [1, 2, 3, 4]
    assert {"analogy_real_to_cartoon", "analogy_cartoon_to_real", "size_motion_cartoon"} <= set(lines[-2])
    assert {"heldout_cartoon", "static_cartoon"} <= set(lines[-1])
    assert len(list((whole / "samples").glob("*.png"))) == 1
    assert load_network(whole / "weights.safetensors").domain("real").config == TINY


def test_adversaries_and_random_features_can_be_switched_on(data, tmp_path):
    config = replace(QUICK, adversarial=1.0, r1_every=2, perceptual="random", gradient=1.0)
    run(config, data, tmp_path, device="cpu")
    line = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-2])
    assert {"adversarial", "critic", "perceptual_real", "gradient_cartoon"} <= set(line)
    assert all(np.isfinite(value) for value in line.values())


@pytest.mark.slow
def test_two_workers_share_a_batch_and_resume(data, tmp_path):
    config = replace(QUICK, workers=2)
    run(config, data, tmp_path / "whole", device="cpu")
    run(replace(config, steps2=0), data, tmp_path / "parts", device="cpu")
    run(config, data, tmp_path / "parts", device="cpu")
    same(tmp_path / "whole", tmp_path / "parts")


def test_a_batch_that_workers_cannot_share_is_refused(data, tmp_path):
    with pytest.raises(ToonbenchError, match="batch1 is 3"):
        run(replace(QUICK, workers=2, batch1=3), data, tmp_path, device="cpu")


def test_a_checkpoint_of_other_choices_is_refused_but_more_steps_are_welcome(whole):
    with pytest.raises(ToonbenchError, match=r"motion = 4\.0, but motion is 5\.0 now"):
        load_state(replace(QUICK, motion=5.0), "cpu", whole)
    assert load_state(replace(QUICK, steps2=9), "cpu", whole).step == 4


def test_stage_2_starts_the_cartoon_domain_as_a_copy_of_the_real_one_with_shared_queries():
    state = new_state(QUICK, "cpu")
    begin_stage2(state)
    cartoon, real = state.network.domain("cartoon"), state.network.domain("real")
    for (key, a), b in zip(cartoon.state_dict().items(), real.state_dict().values(), strict=True):
        assert torch.equal(a, b), key
    assert cartoon.dec.transformerlayer_0 is real.dec.transformerlayer_0
    assert cartoon.dec.transformerlayer is not real.dec.transformerlayer


def test_both_domains_have_equal_shares_of_a_step_however_many_clips_they_have(data):
    many = replace(data["real"], train=data["real"].train * 20)
    state = new_state(replace(QUICK, steps1=0, batch2=3), "cpu")
    pairs = draw_batch(state, {"real": many, "cartoon": data["cartoon"]}, group=ProcessGroup())
    assert {domain: [len(frames) for frames in pair] for domain, pair in pairs.items()} == {
        "real": [3, 3],
        "cartoon": [3, 3],
    }


def test_stored_clips_train_the_same_weights_as_clips_in_memory(data, whole, tmp_path):
    sets = []
    for domain, clips in data.items():
        for index, frames in enumerate((*clips.heldout, *clips.train)):
            write_lossless(tmp_path / f"{domain}{index}.mkv", frames, fps=10)
            path = tmp_path / f"{domain}{index}.mkv"
            sets.append(Clip(id=path.stem, path=path, domain=domain, split="train", identity=path.stem))
    stored = load_sets({"": sets}, size=64, cache=tmp_path / "cache")
    plain = {domain: replace(one, origin=TrainedOn()) for domain, one in stored.items()}
    run(QUICK, plain, tmp_path / "out", device="cpu")
    for name in ("weights.safetensors", "log.jsonl"):
        assert (tmp_path / "out" / name).read_bytes() == (whole / name).read_bytes()


def test_rates_fall_over_the_last_share_of_each_stage():
    state = new_state(replace(QUICK, steps1=10, steps2=10, decay=0.5, lr1=1.0, lr2=0.5, plain_lr=0.5), "cpu")
    rates = []
    for state.step in (0, 5, 9, 10, 19):
        set_rate(state)
        rates.append([group["lr"] for group in state.optimiser.param_groups])
    assert np.allclose(rates, [[1, 0.5], [1, 0.5], [0.2, 0.1], [0.5, 0.25], [0.1, 0.05]])


def test_the_papers_numbers_are_the_papers():
    paper = CONFIGS["paper"]
    assert (paper.steps1, paper.batch1, paper.lr1) == (450_000, 64, 5e-4)
    assert (paper.steps2, paper.batch2, paper.lr2) == (10_000, 8, 1e-4)
    assert (paper.weight_perceptual, paper.motion, paper.perceptual, paper.network.size) == (10.0, 20.0, "vgg19", 256)


@pytest.mark.parametrize("config", CONFIGS.values(), ids=list(CONFIGS))
def test_a_configuration_survives_json(config):
    assert TrainConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_an_unknown_configuration_lists_the_known_ones():
    with pytest.raises(ToonbenchError, match="mini, mini-puppets, paper"):
        find_config("maxi")


@pytest.mark.parametrize("name", [*ABLATIONS, "40"])
def test_an_ablation_changes_its_fields_of_any_configuration_and_is_named_in_it(name):
    for config in ("mini", "paper"):
        found = find_config(config, ablation=name, overrides=["adversarial=1"])
        full = find_config(config, overrides=["adversarial=1"])
        assert found.ablation in ABLATIONS
        ours, base = (json.loads(json.dumps(one.to_dict())) for one in (found, full))
        changed = {key for key in ours if ours[key] != base[key]} - {"ablation"}
        assert changed <= {key.partition(".")[0] for key in ABLATIONS[found.ablation]}
        assert changed or (config, found.ablation) == ("paper", "lambda-20")  # the paper's full model
        assert TrainConfig.from_dict(ours) == found


def test_the_ablations_of_tables_5_to_7_are_those_that_can_be_trained():
    full = {"lambda-20"}
    assert set(load_paper().variants) == set(ABLATIONS) - full


def test_overrides_are_named_in_the_configuration_in_any_order():
    first, second = (
        find_config("mini", overrides=some) for some in (["motion=3", "batch1=4"], ["batch1=4", "motion=3"])
    )
    assert first == second == replace(MINI, motion=3.0, batch1=4, overrides=("batch1=4", "motion=3"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ablation": "no-anology"}, "unknown; choose one of no-analogy, lambda-0"),
        ({"ablation": "lambda-40", "overrides": ["motion=3"]}, "--set motion: --ablation lambda-40 decides it"),
        ({"ablation": "mlp", "overrides": ["network.queries=mlp"]}, "--ablation mlp decides it"),
        ({"overrides": ["name=best"]}, "it names the user's choice"),
        ({"overrides": ["batsh1=3"]}, "did you mean batch1"),
        ({"overrides": ["batch1=0"]}, "batch1 is 0: 1 or more"),
        ({"overrides": ["network.size=100"]}, "size 100: a power of two"),
        ({"ablation": "0"}, "lambda-0 without adversarial losses is no-analogy"),
    ],
)
def test_choices_that_contradict_each_other_or_are_unknown_are_one_line(options, message):
    with pytest.raises(ToonbenchError, match=message) as error:
        find_config("mini", **options)
    assert "\n" not in str(error.value)


def test_a_loss_that_is_not_finite_stops_the_run_with_the_batch_and_leaves_the_weights(data, tmp_path):
    config = replace(QUICK, lr2=1e30, clip=0.0)
    with pytest.raises(
        ToonbenchError, match=r"step 4: the loss or the gradient of the generators is not finite"
    ) as error:
        run(config, data, tmp_path, device="cpu")
    path = tmp_path / "not-finite-0000004.pt"
    assert str(path) in str(error.value)
    saved = torch.load(path, weights_only=True)
    assert (saved["step"], set(saved["batch"])) == (
        4,
        {f"{d}_{f}" for d in ("real", "cartoon") for f in ("source", "driving")},
    )
    assert saved["batch"]["real_source"].shape == (2, 3, 64, 64)
    assert load_state(config, "cpu", tmp_path).step == 3


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (
            torch.OutOfMemoryError("CUDA out of memory"),
            ToonbenchError,
            r"step 1 needs more memory than cpu has: lower batch1 \(now 2\)",
        ),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), ToonbenchError, "--set batch1=N"),
        (MemoryError(), ToonbenchError, "--set batch1=N"),
        (RuntimeError("shapes differ"), RuntimeError, "shapes differ"),
    ],
)
def test_too_little_memory_is_one_line_that_names_the_setting_to_lower(
    data, tmp_path, monkeypatch, error, kind, message
):
    def fails(*_, **__):
        raise error

    monkeypatch.setattr("toontalker.train.train.train_step", fails)
    with pytest.raises(kind, match=message):
        run(QUICK, data, tmp_path, device="cpu")


def test_bfloat16_and_limited_gradients_train_and_resume_with_the_same_bytes(data, tmp_path):
    config = replace(QUICK, precision="bf16", clip=0.1, adversarial=1.0, gradient=1.0)
    run(config, data, tmp_path / "whole", device="cpu")
    run(replace(config, steps2=1), data, tmp_path / "parts", device="cpu")
    run(config, data, tmp_path / "parts", device="cpu")
    same(tmp_path / "whole", tmp_path / "parts")
    run(replace(config, precision="float32"), data, tmp_path / "float32", device="cpu")
    with pytest.raises(AssertionError):
        same(tmp_path / "whole", tmp_path / "float32")


def test_the_best_weights_are_kept_and_survive_a_resumed_run(data, whole, tmp_path):
    config = replace(QUICK, sample_every=1)
    run(replace(config, steps2=1), data, tmp_path, device="cpu")
    run(config, data, tmp_path, device="cpu")
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    errors = {
        line["step"]: (line["heldout_real"] + line["heldout_cartoon"]) / 2
        for line in lines
        if "heldout_cartoon" in line
    }
    assert set(errors) == {3, 4}
    notes = notes_of(tmp_path / "best.safetensors")
    assert (notes["steps"], notes["heldout"]) == (
        min(errors, key=errors.get),
        pytest.approx(min(errors.values()), abs=1e-5),
    )
    assert load_state(config, "cpu", tmp_path).least_error == notes["heldout"]


def test_a_fresh_run_removes_the_checkpoints_of_the_run_before(data, whole, tmp_path):
    for path in whole.iterdir():
        if path.is_file():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "checkpoint.pt").write_bytes(b"damaged")
    run(replace(QUICK, checkpoint_every=9), data, tmp_path, device="cpu", resume=False)
    same(whole, tmp_path)
    assert not (tmp_path / "checkpoint-previous.pt").exists()


def test_weights_state_the_clips_that_they_were_trained_on_also_those_of_the_run_that_was_resumed(data, tmp_path):
    def with_origin(name):
        clip = Clip(id=name, path=Path(name), domain="real")
        return {domain: replace(some, origin=trained_on([clip], data=domain)) for domain, some in data.items()}

    run(replace(QUICK, steps2=0), with_origin("a"), tmp_path, device="cpu")
    assert ToonTalker(checkpoint=tmp_path / "weights.safetensors").trained_on.data == ("real",)
    run(QUICK, with_origin("b"), tmp_path, device="cpu")
    found = ToonTalker(checkpoint=tmp_path / "weights.safetensors").trained_on
    assert (found.data, found.clips, len(found.marks)) == (("cartoon", "real"), 3, 3)
    assert ToonTalker().trained_on.clips == 570  # the included weights
    export(load_network(tmp_path / "weights.safetensors"), tmp_path / "silent.safetensors", notes={})
    assert ToonTalker(checkpoint=tmp_path / "silent.safetensors").trained_on is None


@pytest.mark.parametrize("name", ["mlp", "no-backward", "no-sft"])
def test_ablated_weights_load_as_a_checkpoint_generate_and_state_what_they_are(data, tmp_path, name, monkeypatch):
    monkeypatch.setitem(CONFIGS, "tiny", QUICK)
    train(data, tmp_path, config="tiny", device="cpu", ablation=name, overrides=["steps1=1", "steps2=1"])
    method = ToonTalker(checkpoint=tmp_path / "weights.safetensors")
    facts = method.checkpoint
    assert (facts["config"], facts["ablation"], facts["overrides"]) == ("tiny", name, "steps1=1 steps2=1")
    assert facts["variant"].startswith("ToonTalker, cross-domain, 64 px, ")
    assert model_name("toontalker", facts, variants=load_paper().variants) == f"toontalker-{name}"
    clip = data["real"].train[0]
    assert method.animate(clip[0], clip, motion="relative", seed=0).shape == clip.shape
    full = load_network(tmp_path / "weights.safetensors").domain("cartoon").config
    assert full != TINY
    with pytest.raises(ToonbenchError, match=f"ablation = '{name}', but ablation is '' now"):
        train(data, tmp_path, config="tiny", device="cpu")


def test_analogy_is_zero_exactly_when_both_moved_alike():
    s, a, moved = (torch.randn(2, 3, 8) for _ in range(3))
    assert analogy(s + moved, s, a, a + moved) < 1e-6
    assert analogy(s + 2 * moved, s, a, a + moved) == pytest.approx(moved.abs().mean().item(), rel=1e-4)


def test_the_driving_side_of_the_analogy_can_be_held_fixed():
    codes = [torch.randn(1, 2, 4, requires_grad=True) for _ in range(4)]
    analogy(*codes, detach_driving=True).backward()
    assert [code.grad is not None for code in codes] == [True, True, False, False]


def test_without_vgg_weights_the_error_shows_how_to_get_them(data, tmp_path):
    with pytest.raises(ToonbenchError, match="TOONBENCH_VGG19"):
        run(replace(QUICK, perceptual="vgg19"), data, tmp_path, device="cpu")


def test_clips_of_another_size_or_domain_are_refused(data, tmp_path):
    with pytest.raises(ToonbenchError, match="no cartoon training clips"):
        run(QUICK, {"real": data["real"]}, tmp_path, device="cpu")
    small = {
        domain: ClipSet(tuple(c[:, ::2, ::2] for c in clips.train), clips.heldout) for domain, clips in data.items()
    }
    with pytest.raises(ToonbenchError, match="32 x 32 px; 64 x 64 is needed"):
        run(QUICK, small, tmp_path, device="cpu")


def test_a_checkpoint_of_version_0_1_0_resumes(data, tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes(lzma.decompress(OLD.read_bytes()))
    least = replace(TINY, channels=tuple((4 << i, 1) for i in range(5)), style=1, motions=1, heads=1, feedforward=1)
    config = replace(QUICK, name="least", network=replace(least, dropout=0.0), steps1=1, levels=2)
    saved = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    state = load_state(config, "cpu", tmp_path)
    assert state.step == 2
    for part in ("network", "average"):
        loaded = getattr(state, part).state_dict()
        assert all(torch.equal(loaded[key], value) for key, value in saved[part].items())
    assert state.optimiser.state_dict()["state"].keys() == saved["optimiser"]["state"].keys()
    run(config, data, tmp_path, device="cpu")
    assert load_state(config, "cpu", tmp_path).step == 3


def test_the_command_trains_on_a_folder(data, tmp_path, monkeypatch, capsys):
    rows = []
    for domain, clips in data.items():
        for index, frames in enumerate((*clips.heldout, *clips.train)):
            name = f"{domain}{index}"
            write_lossless(tmp_path / "set" / f"{name}.mkv", frames, fps=10)
            row = {"id": name, "file": f"{name}.mkv", "domain": domain, "kind": "video", "identity": name}
            rows.append(row | {"split": "train", "sha256": "0" * 64})
    CLIPS.write(tmp_path / "set", rows)
    monkeypatch.setitem(CONFIGS, "tiny", QUICK)
    arguments = ["train", "--config", "tiny", "--data", str(tmp_path / "set"), "--out", str(tmp_path / "out")]
    (tmp_path / "set" / "cartoon1.mkv").write_bytes(b"no video")
    options = ["--ablation", "no-sft", "--set", "motion=3", "steps2=1"]
    assert cli.run([*arguments, *options, "--device", "cpu"]) == 0
    shown = capsys.readouterr().err
    assert "trained" in shown
    assert "cartoon1" in shown
    notes = notes_of(tmp_path / "out" / "weights.safetensors")
    assert NetworkConfig.from_dict(notes["config"]) == replace(TINY, refine=False)
    assert (notes["training"]["ablation"], notes["training"]["motion"], notes["steps"]) == ("no-sft", 3.0, 3)
    assert notes["trained_on"]["clips"] == 3
    assert cli.run([*arguments, "--set", "moton=3"]) == 2
    assert "did you mean motion" in capsys.readouterr().err
    assert cli.run([*arguments, "--method", "landmark-warp"]) == 2


def test_the_clips_that_the_method_needs_have_the_size_of_its_network():
    assert ToonTalker.clip_needs("mini").size == 64
    assert ToonTalker.clip_needs("paper").size == 256


def test_choices_of_stage_2_may_change_until_it_begins(data, tmp_path):
    run(replace(QUICK, steps2=0), data, tmp_path, device="cpu")
    assert load_state(replace(QUICK, motion=5.0, ablation="lambda-100", batch2=4), "cpu", tmp_path).step == 2
    with pytest.raises(ToonbenchError, match=r"batch1 = 2, but batch1 is 4 now"):
        load_state(replace(QUICK, batch1=4), "cpu", tmp_path)
    run(replace(QUICK, motion=5.0), data, tmp_path, device="cpu")
    with pytest.raises(ToonbenchError, match=r"motion = 5\.0, but motion is 6\.0 now"):
        load_state(replace(QUICK, motion=6.0), "cpu", tmp_path)
