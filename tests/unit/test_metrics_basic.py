"""l1, psnr and ssim against formulas written out, by hand and by others."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from toonbench.metrics.l1 import L1
from toonbench.metrics.psnr import PSNR
from toonbench.metrics.shared import mean_of_pair_means
from toonbench.metrics.ssim import SSIM
from toonbench.types import Clip, Pair, Sample, ToonbenchError

CLIP = Clip(id="clip", path=Path("clip"), domain="real")


def sample(generated, target=None):
    pair = Pair(id="pair7", source=CLIP, driving=CLIP, target=None if target is None else CLIP)
    return Sample(pair=pair, generated=generated, target=target)


@pytest.fixture
def frames():
    rng = np.random.default_rng(0)
    target = rng.integers(0, 256, (3, 24, 40, 3), dtype=np.uint8)
    noise = rng.integers(-30, 31, target.shape)
    return np.clip(target + noise, 0, 255).astype(np.uint8), target


def test_l1_is_the_mean_absolute_difference_over_255(frames):
    generated, target = frames
    wanted = np.abs(generated / 255.0 - target / 255.0).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(L1().measure(sample(generated, target))[:, 0], wanted, rtol=1e-6)


def test_l1_does_not_wrap_around_between_black_and_white():
    black, white = np.zeros((1, 4, 4, 3), np.uint8), np.full((1, 4, 4, 3), 255, np.uint8)
    assert L1().measure(sample(black, white)) == 1
    assert L1().measure(sample(white, black)) == 1
    assert PSNR().measure(sample(black, white)) == 0


def test_psnr_is_what_scikit_image_says(frames):
    from skimage.metrics import peak_signal_noise_ratio

    generated, target = frames
    wanted = [peak_signal_noise_ratio(t, g, data_range=255) for g, t in zip(generated, target, strict=True)]
    np.testing.assert_allclose(PSNR().measure(sample(generated, target))[:, 0], wanted, rtol=1e-6)


def test_psnr_of_identical_frames_is_the_cap_of_100_decibels(frames):
    _, target = frames
    assert (PSNR().measure(sample(target, target)) == 100).all()


def test_psnr_never_exceeds_the_cap():
    target = np.zeros((1, 256, 256, 3), np.uint8)
    generated = target.copy()
    generated[0, 0, 0, 0] = 1  # 101.07 dB
    assert PSNR().measure(sample(generated, target)) == 100


def ssim_written_out(x, y):
    """Wang et al. 2004, one channel, by direct sums over every whole 11 x 11 window."""
    offsets = np.arange(-5, 6)
    line = np.exp(-(offsets**2) / (2 * 1.5**2))
    window = np.outer(line, line) / line.sum() ** 2
    height, width = x.shape
    values = []
    for i in range(height - 10):
        for j in range(width - 10):
            a, b = x[i : i + 11, j : j + 11].astype(float), y[i : i + 11, j : j + 11].astype(float)
            ma, mb = (window * a).sum(), (window * b).sum()
            va, vb = (window * a * a).sum() - ma * ma, (window * b * b).sum() - mb * mb
            cov = (window * a * b).sum() - ma * mb
            c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
            values.append((2 * ma * mb + c1) * (2 * cov + c2) / ((ma * ma + mb * mb + c1) * (va + vb + c2)))
    return float(np.mean(values))


def test_ssim_is_the_formula_of_its_paper_averaged_over_red_green_and_blue(frames):
    generated, target = frames
    wanted = [
        np.mean([ssim_written_out(g[..., c], t[..., c]) for c in range(3)])
        for g, t in zip(generated, target, strict=True)
    ]
    np.testing.assert_allclose(SSIM().measure(sample(generated, target))[:, 0], wanted, rtol=1e-6)


def test_ssim_of_a_frame_smaller_than_its_window_is_not_measurable():
    tiny = np.zeros((2, 10, 30, 3), np.uint8)
    rows = SSIM().measure(sample(tiny, tiny))
    assert rows.shape == (2, 1)
    assert np.isnan(rows).all()


@pytest.mark.parametrize("metric", [L1(), PSNR(), SSIM()], ids=lambda metric: metric.name)
def test_a_missing_or_misshapen_target_is_told_in_one_line(metric, frames):
    generated, target = frames
    with pytest.raises(ToonbenchError, match=r"needs a target and pair 'pair7' has none; use") as missing:
        metric.measure(sample(generated))
    with pytest.raises(ToonbenchError, match=r"\(3, 24, 40, 3\), the target is \(2, 24, 40, 3\)") as cut:
        metric.measure(sample(generated, target[:2]))
    assert "\n" not in str(missing.value) + str(cut.value)


def test_a_long_video_counts_no_more_than_a_short_one():
    rows = [np.array([[1.0]], np.float32), np.array([[4.0], [6.0]], np.float32)]
    assert mean_of_pair_means(rows) == 3


def test_what_was_not_measured_is_left_out_frame_by_frame_and_pair_by_pair():
    nan = np.nan
    rows = [np.array([[1.0], [nan], [3.0]], np.float32), np.full((2, 1), nan, np.float32), np.empty((0, 1), np.float32)]
    assert mean_of_pair_means(rows) == 2
    assert math.isnan(mean_of_pair_means(rows[1:]))
    assert math.isnan(mean_of_pair_means([]))


def test_the_hand_cases_tell_the_poolings_apart(shared):
    case = json.loads((shared / "parity/metrics/small_goldens.json").read_text())["akd_pooling"]
    rows = [np.array(one, np.float32).reshape(-1, 1) for one in case["per_frame"]]
    assert mean_of_pair_means(rows) == case["mean_of_video_means"] != case["pooled"]
