"""The evaluation as a library: what the README shows, and what the results hold as data."""

import shutil

import numpy as np
import pytest

import toonbench
from toonbench.data import load_data
from toonbench.data.table import CLIPS
from toonbench.types import Metric


class MedianError(Metric):
    """The median, over frames, of the mean error: its own code is what is printed."""

    name = "median_error"
    higher_is_better = False
    needs = frozenset({"target"})
    bounds = (0.0, 1.0)

    def measure(self, sample):
        error = np.abs(sample.generated.astype(float) - sample.target).mean(axis=(1, 2, 3)) / 255
        return error[:, None].astype(np.float32)

    def value(self, rows):
        return float(np.median(rows))


class MedianOfAll:
    """A plug-in that is no subclass: the median over all frames of all pairs, from a `reduce` of its own."""

    name = "median_of_all"
    version = 1
    higher_is_better = False
    distribution = False
    needs = frozenset({"target"})
    measure = MedianError.measure

    def reduce(self, rows, reference=()):
        return float(np.median(np.concatenate(rows)))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    here = "e2e.test_library" if __name__.startswith("e2e") else __name__
    return toonbench.evaluate(
        "noisy-oracle",
        task="real2cartoon",
        metrics=["psnr", "lpips_alex", f"{here}:MedianError", f"{here}:MedianOfAll"],
        out=tmp_path_factory.mktemp("runs"),
        limit=5,
    )


def test_the_results_are_data_with_intervals_skip_reasons_and_caveats(made):
    assert [one.metric for one in made.results] == ["psnr@1", "median_error@1", "median_of_all@1"]
    for one in made.results:
        assert one.low <= one.value <= one.high
        assert (one.pairs, one.missing) == (5, 0)
    (skip,) = made.scores.skipped.values()
    assert (skip.kind, skip.missing) == ("weights", ("alexnet",))
    assert made.scores.caveats[0].startswith("Measured on puppets")


def test_the_printed_number_is_what_the_metrics_own_code_computes(made):
    _, own, of_all = made.results
    rows = [made.run.read_rows("median_error@1", pair.id) for pair in made.plan.pairs]
    assert own.value == pytest.approx(np.mean([float(np.median(one)) for one in rows]), rel=1e-12)
    assert of_all.value == pytest.approx(np.median(np.concatenate(rows)), rel=1e-12)
    assert of_all.value != pytest.approx(np.mean(np.concatenate(rows)), rel=1e-6)


def test_the_caveat_comes_from_the_clips_and_not_from_the_name_of_the_folder(tmp_path):
    shipped = load_data("puppets@2")
    hidden = tmp_path / "hidden"
    shutil.copytree(shipped.root, hidden)
    (hidden / "SHA256SUMS").unlink()
    assert load_data(str(hidden)).caveats == shipped.caveats != ()
    rows = [{**row, "provenance": "my own films"} for row in CLIPS.read(hidden)]
    named = tmp_path / "puppets"
    shutil.copytree(hidden, named)
    CLIPS.write(named, rows)
    assert load_data(str(named)).caveats == ()


def test_a_missing_pair_counts_as_the_worst_value_and_the_other_value_is_in_the_result(tmp_path):
    whole = toonbench.evaluate("static", metrics=["ssim"], out=tmp_path, limit=5)
    worst = min(whole.plan.pairs, key=lambda pair: whole.run.read_rows("ssim@1", pair.id).mean())
    videos = tmp_path / "mine"
    shutil.copytree(whole.run.root / "videos", videos)
    (videos / f"{worst.id}.mkv").unlink()
    fewer = toonbench.score(videos, metrics=["ssim"], out=tmp_path, limit=5)
    (before,), (after,) = whole.results, fewer.results
    assert after.missing == 1
    assert after.value < before.value < after.measured
    assert after.value == pytest.approx((4 * after.measured - 1) / 5)


def test_a_metric_without_a_worst_value_has_no_number_for_an_incomplete_run(tmp_path):
    whole = toonbench.generate("static", out=tmp_path, limit=4)
    videos = tmp_path / "mine"
    shutil.copytree(whole.run.root / "videos", videos)
    next(videos.iterdir()).unlink()
    here = "e2e.test_library" if __name__.startswith("e2e") else __name__
    (one,) = toonbench.score(videos, metrics=[f"{here}:Unbounded"], out=tmp_path, limit=4).results
    assert np.isnan(one.value)
    assert one.measured > 0
    assert any("missing" in note for note in one.notes)


class Unbounded(MedianError):
    """Without a worst value."""

    name = "unbounded"
    bounds = (0.0, float("inf"))


@pytest.mark.parametrize("shard", [(0, 2), (3, 2), (1, 0)])
def test_a_shard_that_does_not_exist_is_an_error(shard, tmp_path):
    with pytest.raises(toonbench.ToonbenchError, match="1 <= i <= n"):
        toonbench.generate("static", out=tmp_path, shard=shard)


def test_public_verbs_are_functions_also_after_the_modules_of_their_names_were_imported():
    import toonbench.compare.runs
    import toonbench.score.measure

    for name in ("evaluate", "generate", "score", "compare"):
        assert callable(getattr(toonbench, name))
