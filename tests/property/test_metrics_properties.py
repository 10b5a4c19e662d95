"""Laws of the metrics on frames of any size and content."""

from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from toonbench.metrics.cpbd import cpbd
from toonbench.metrics.l1 import L1
from toonbench.metrics.psnr import PSNR
from toonbench.metrics.shared import mean_of_pair_means
from toonbench.metrics.ssim import SSIM
from toonbench.types import Clip, Pair, Sample

CLIP = Clip(id="clip", path=Path("clip"), domain="real")
PAIR = Pair(id="pair", source=CLIP, driving=CLIP, target=CLIP)
few = settings(max_examples=40, deadline=None)

sizes = st.tuples(st.integers(1, 3), st.integers(1, 24), st.integers(1, 24), st.just(3))
two_clips = sizes.flatmap(lambda shape: st.tuples(*[arrays.arrays(np.uint8, shape)] * 2))


def measured(metric, generated, target):
    return metric.measure(Sample(pair=PAIR, generated=generated, target=target))


@few
@given(two_clips)
def test_l1_psnr_and_ssim_are_symmetric(clips):
    for metric in (L1(), PSNR(), SSIM()):
        one, other = measured(metric, *clips), measured(metric, *clips[::-1])
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-7)


@few
@given(two_clips)
def test_values_stay_in_their_range(clips):
    for metric, low, high in ((L1(), 0, 1), (PSNR(), 0, 100), (SSIM(), -1, 1)):
        rows = measured(metric, *clips)
        rows = rows[np.isfinite(rows)]
        assert ((rows >= low - 1e-6) & (rows <= high + 1e-6)).all()


@few
@given(two_clips)
def test_l1_is_0_and_psnr_100_only_for_equal_frames_at_these_sizes(clips):
    equal = (clips[0] == clips[1]).all(axis=(1, 2, 3))
    np.testing.assert_array_equal(measured(L1(), *clips)[:, 0] == 0, equal)
    np.testing.assert_array_equal(measured(PSNR(), *clips)[:, 0] == 100, equal)


@few
@given(st.integers(0, 2**32 - 1), st.floats(0.5, 20), st.floats(1.2, 4))
def test_psnr_falls_as_noise_grows(seed, amount, factor):
    noise = np.random.default_rng(seed).normal(size=(1, 32, 32, 3))
    target = np.full(noise.shape, 128, np.uint8)
    quiet, loud = (
        measured(PSNR(), (128 + scale * noise).round().clip(0, 255).astype(np.uint8), target)[0, 0]
        for scale in (amount, amount * factor)
    )
    assert loud < quiet


@few
@given(
    arrays.arrays(
        np.uint8, st.tuples(st.integers(1, 140), st.integers(1, 140)), elements=st.sampled_from([0, 7, 90, 255])
    )
)
def test_cpbd_of_anything_is_a_share(gray):
    assert 0 <= cpbd(gray) <= 1


@few
@given(st.integers(0, 2**32 - 1), st.integers(64, 150), st.integers(64, 150))
def test_cpbd_does_not_care_for_upside_down_but_for_the_blocks(seed, height, width):
    height = height // 64 * 64
    gray = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    assert cpbd(gray) == cpbd(gray[::-1])


@few
@given(st.lists(st.lists(st.floats(0, 1, width=32) | st.just(np.nan), max_size=5), max_size=6))
def test_a_mean_of_pair_means_lies_between_the_least_and_the_greatest_value(videos):
    rows = [np.array(video, np.float32).reshape(-1, 1) for video in videos]
    finite = [value for video in videos for value in video if np.isfinite(value)]
    mean = mean_of_pair_means(rows)
    assert min(finite) - 1e-9 <= mean <= max(finite) + 1e-9 if finite else np.isnan(mean)
