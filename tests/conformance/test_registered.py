"""Every registered metric, method and task, ours or anybody's, keeps the laws of `toonbench check`.

A metric whose weights are not on this machine runs on deterministic test weights: its arithmetic is the same, and laws that
ask what its network means do not apply. What only holds for our own metrics follows below.
"""

import functools
import math

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from toonbench import registry
from toonbench.testing import Plugin, check
from toonbench.testing.inputs import DAMAGES, shifted
from toonbench.testing.subjects import metric_subject

SLOW = {"akd_fan68", "csim_dinov2", "fid", "kid", "lpips_vgg"}  # more than ten seconds on a busy machine
PLUGINS = [
    pytest.param(group, name, id=f"{group}-{name}", marks=[pytest.mark.slow] if name in SLOW else [])
    for group in registry.GROUPS
    for name in registry.names(group)
]


@pytest.mark.parametrize(("group", "name"), PLUGINS)
def test_a_registered_plugin_keeps_every_law(group, name):
    outcomes = list(check(Plugin(group=group, name=name)))
    assert [f"{one.law} {one.why}" for one in outcomes if one.status == "failed"] == []
    assert sum(one.status == "passed" for one in outcomes) >= 6


PICTURES = ["l1", "psnr", "ssim", "lpips_alex", "lpips_vgg"]  # compare each frame with the target's
SETS = ["fid", "kid"]

subject = functools.cache(metric_subject)


@pytest.mark.parametrize("name", PICTURES)
def test_a_metric_of_pictures_notices_every_damage(name):
    one = subject(name)
    shown = one.clip().frames
    best = one.score(one.sample(shown))
    damaged = [damage(shown, amount) for damage in DAMAGES.values() for amount in (2, 4)]
    damaged += [np.repeat(shown[:1], len(shown), axis=0), shown[::-1].copy(), 255 - shown, np.zeros_like(shown)]
    assert all(one.score(one.sample(frames)) < best for frames in [*damaged, shifted(shown, 3)])
    assert best == pytest.approx(100 if name == "psnr" else 1 if name == "ssim" else 0, abs=1e-6)


@pytest.mark.parametrize("name", PICTURES)
def test_a_metric_of_pictures_is_the_same_the_other_way_round(name):
    one = subject(name)
    shown, other = one.clip().frames, one.noisy().generated
    there, back = (one.rows(one.beside(a, b))[:, 0] for a, b in ((shown, other), (other, shown)))
    np.testing.assert_allclose(there, back, rtol=1e-4, atol=1e-6)


def test_cpbd_scores_blur_worse():
    one = subject("cpbd")
    frames = one.clip().frames
    scores = [one.score(one.sample(gaussian_filter(frames, (0, amount, amount, 0)))) for amount in (0, 1, 2, 4)]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > scores[-1]


def features(seed, *, clips=6, frames=2, width=8):
    """Rows of a few features, as those of a network: not negative, and those of one clip alike."""
    random = np.random.default_rng(seed)
    common = random.normal(size=(clips, 1, width))
    return list(np.maximum(common + random.normal(size=(clips, frames, width)) + seed, 0).astype(np.float32))


@pytest.mark.parametrize("name", SETS)
def test_the_distance_of_two_sets_is_symmetric_and_least_to_the_set_itself(name):
    metric = registry.load_metric(name)
    own, other = features(0), features(1)
    assert metric.corpus(own, own) <= 1e-9 * metric.corpus(other, own)
    assert metric.corpus(other, own) == pytest.approx(metric.corpus(own, other), rel=1e-6)


@pytest.mark.parametrize("name", SETS)
def test_a_set_too_small_for_a_number_is_nan(name):
    metric = registry.load_metric(name)
    rows = features(0)
    for mine, theirs in (([], rows), (rows, []), ([rows[0][:1]], rows), (rows, [rows[0][:1]])):
        assert math.isnan(metric.reduce(mine, theirs))
