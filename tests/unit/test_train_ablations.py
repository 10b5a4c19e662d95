"""The script that trains the models of Tables 5 to 7: which runs there are, and what becomes of the paper's orders."""

import pytest

import train_ablations
from toontalker.train.config import ABLATIONS


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
