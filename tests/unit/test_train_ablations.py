"""The script that trains the models of Tables 5 to 7: which runs there are, and what becomes of the paper's orders."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import ablation_page
import train_ablations
from toontalker.train.config import ABLATIONS, find_config
from toontalker.weights_io import MINI, load_network

PAGE = Path(__file__).parent.parent.parent / "leaderboards" / "puppets@2" / "ablations"


@pytest.fixture
def script():
    return train_ablations


def scores(*, better, pairs=6):
    """Rows of a run in which every pair of a driving video has the value of the video's number, and `better` more."""
    return {
        f"p{n}": {
            "pair": f"p{n}",
            "driving": f"d{n}",
            "ssim": str(0.1 * n + better),
            "landmark_nme": str(0.1 * n + better),
        }
        for n in range(pairs)
    }


def test_all_ablations_are_trained_and_three_models_with_several_seeds(script):
    found = script.models(3)
    names = {model.name for model in found}
    assert names == {"full", *ABLATIONS} - {"lambda-20"}  # which is the full model
    assert {model.name for model in found if model.seed > 0} == set(script.SEVERAL)
    assert len(found) == len(names) + 2 * len(script.SEVERAL)


def test_models_of_a_seed_and_an_architecture_share_their_first_stage(script):
    first = {(model.name, model.seed): model.stage_1 for model in script.models(2)}
    assert first["full", 0] == first["lambda-40", 0] == first["no-analogy", 0]
    assert first["full", 1] != first["full", 0]
    assert len({first[name, 0] for name in ("full", *script.OWN_STAGE_1)}) == 1 + len(script.OWN_STAGE_1)


@pytest.mark.parametrize(
    ("metric", "more", "verdict"),
    [("ssim", 0.2, "held"), ("ssim", -0.2, "not held"), ("landmark_nme", 0.2, "not held")],
)
def test_an_order_holds_where_the_papers_better_model_is_better_in_all_seeds(script, metric, more, verdict):
    noise = (0.001, -0.002, 0.001)
    values = {"full": [scores(better=more + one) for one in noise], "mlp": [scores(better=0.0) for _ in noise]}
    row = script._order(values, 3, better="full", worse="mlp", metric=metric)
    sign = -1 if metric == "landmark_nme" else 1
    assert float(row["difference"]) == pytest.approx(sign * more, abs=1e-4)
    assert row["verdict"] == verdict


def test_two_seeds_have_no_interval_and_equal_models_decide_nothing(script):
    values = {"full": [scores(better=0.1)] * 2, "mlp": [scores(better=0.0)] * 2}
    assert script._order(values, 2, better="full", worse="mlp", metric="ssim")["verdict"] == "no interval"
    assert script._order(values, 1, better="mlp", worse="mlp", metric="ssim")["verdict"] == "undecided"


def test_the_orders_are_those_of_the_printed_numbers(script):
    found = {(one.table, one.task, one.better, one.worse) for one in script.orders()}
    assert ("5", "real2cartoon", "full", "no-analogy") in found
    assert ("6", "real2cartoon", "lambda-0", "full") in found
    assert ("6", "cartoon2real", "full", "lambda-0") in found
    assert ("6", "cartoon2real", "lambda-100", "full") in found
    assert ("7", "cartoon2real", "full", "no-sft") in found
    assert len(found) == 2 * (1 + 3 + 3)


def test_models_that_begin_with_given_weights_are_compared_with_renewed_full_models(script):
    names = {model.name for model in script.models(1, started=True)}
    assert names - {model.name for model in script.models(1)} == {f"renewed-{name}" for name in script.OWN_STAGE_1}
    assert all(model.ablation == "" for model in script.models(1, started=True) if model.name.startswith("renewed-"))
    found = {(one.better, one.worse) for one in map(script._with_renewed, script.orders())}
    assert ("renewed-no-sft", "no-sft") in found
    assert ("full", "no-analogy") in found
    assert not any(names == {"full", one} for one in script.OWN_STAGE_1 for names in map(set, found))


def test_only_the_modules_of_an_ablation_are_new_in_its_start(script, tmp_path):
    options = script._options(["--data", "data", "--out", str(tmp_path), "--start", str(MINI)])
    given = load_network(MINI).domain("cartoon").state_dict()
    assert script._started(script.Model("lambda-0", 0), options) == MINI
    for name in script.OWN_STAGE_1:
        renewed = (
            load_network(script._started(script.Model(f"renewed-{name}", 0), options)).domain("cartoon").state_dict()
        )
        changed = {key for key in given if not torch.equal(given[key], renewed[key])}
        assert changed
        assert all(key.startswith(script.MODULES[name]) for key in changed)
        ablated = load_network(script._started(script.Model(name, 0), options)).domain("cartoon").state_dict()
        others = [key for key in given if not key.startswith(script.MODULES[name])]
        assert all(torch.equal(given[key], ablated[key]) for key in others)
        assert set(ablated) != set(given)


def test_the_page_of_ablated_models_follows_from_its_scores(script, tmp_path):
    """Every model has the same scores but lambda-100, whose SSIM is larger: all other orders are undecided."""
    for model in script.models(1, started=True):
        for task in script.TASKS:
            path = script.scores_file(tmp_path / "trained", model, task)
            path.parent.mkdir(parents=True, exist_ok=True)
            more = 0.1 if model.name == "lambda-100" else 0.0
            rows = [f"p{n},d{n},0.1,0.2,{0.1 * n + more},0.1,0.3" for n in range(6)]
            head = "pair,driving,rig_corr@1,landmark_nme@1,ssim@1,cpbd@1,stlpips_alex@1"
            path.write_text("\n".join([head, *rows]) + "\n")
    chosen = find_config("mini", overrides=["seed=0", "steps1=0", "steps2=7"])
    facts = replace(chosen, start="ab" * 32, warp=7.0).to_dict()  # the mini has another warp
    (tmp_path / "trained" / "training.json").write_text(json.dumps(facts))
    run = [str(tmp_path / "trained"), str(tmp_path / "page"), "--seeds", "1"]
    assert ablation_page.main(run) == 0
    text = (tmp_path / "page" / "README.md").read_text()
    assert text.count("**held**<br>") == text.count("**not held**<br>") == 1  # larger is better in one task only
    assert "14 orders in 5 metrics: 68 undecided" in text
    assert "`mini` with `seed=0 steps1=0 steps2=7` and `warp=7`, its values then" in text
    run[0] = run[1]
    assert ablation_page.main([*run, "--check"]) == 0
    scores = script.scores_file(tmp_path / "page", script.Model("full", 0), "real2cartoon")
    scores.write_text(scores.read_text().replace("0.1,0.3", "0.1,0.4"))
    assert ablation_page.main([*run, "--check"]) == 1


@pytest.mark.skipif(not PAGE.is_dir(), reason="the sdist has no leaderboards")
def test_the_published_page_follows_from_its_scores():
    assert ablation_page.main([str(PAGE), str(PAGE), "--check"]) == 0
