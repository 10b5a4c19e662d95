"""cpbd: the certificate against scikit-image's Canny, the reference's odd rules, the compiled code's cache."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter
from skimage.feature import canny

from toonbench.metrics import _cpbd_kernels, cpbd
from toonbench.types import Clip, Pair, Sample


def texture(seed, *, sigma, shape=(192, 192), span=255):
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=shape), sigma)
    return (127 + span * (noise - noise.mean()) / np.ptp(noise)).clip(0, 255).astype(np.uint8)


def soft_step(profile):
    """An image whose rows are all `profile`, flat left and right of it."""
    row = np.full(128, profile[0], np.uint8)
    row[60 : 60 + len(profile)] = profile
    row[60 + len(profile) :] = profile[-1]
    return np.tile(row, (128, 1))


def written_out(gray):
    """The closed form with plain NumPy and scikit-image's Canny, pixel by pixel as the specification tells it."""
    image = gray.astype(np.int64)
    padded = np.pad(image, 1, mode="edge")
    column = padded[:-2] + 2 * padded[1:-1] + padded[2:]
    strength = ((column[:, 2:] - column[:, :-2]) / 8.0) ** 2
    cutoff = 2 * np.sqrt(strength.mean())
    angle = np.degrees(np.arctan2(*np.gradient(image.astype(float))))
    blocks = cpbd._canny_blocks(gray)
    edges = sharp = 0
    for y in range(1, min(blocks.shape[0] * 64, len(image) - 1)):
        for x in range(1, min(blocks.shape[1] * 64, image.shape[1] - 1)):
            around = strength[y, x - 1], strength[y, x + 1], strength[y - 1, x], strength[y + 1, x]
            peak = strength[y, x] > max(around[:2]) or strength[y, x] > max(around[2:])
            if strength[y, x] <= cutoff or not peak or not blocks[y // 64, x // 64]:
                continue
            level = image[y, x + 1] == image[y, x - 1]
            if not level and 22.5 < abs(angle[y, x]) < 157.5:
                continue
            rise = np.diff(image[y]) * (-1 if image[y, x + 1] < image[y, x - 1] else 1)
            width = 2
            for walk in (rise[: x - 1][::-1], rise[x + 1 :]):
                width += int(np.argmin(np.append(walk > 0, False)))
            block = image[y // 64 * 64 :, x // 64 * 64 :][:64, :64]
            edges += 1
            sharp += width <= (5 if np.ptp(block) <= 50 else 3)
    return sharp / edges if edges else 0.0


@pytest.mark.parametrize(("sigma", "span"), [(0, 255), (0.7, 255), (1.2, 255), (2, 255), (1, 45), (3, 30)])
def test_cpbd_is_its_definition_written_out(sigma, span):
    gray = texture(int(10 * sigma) + span, sigma=sigma, shape=(130, 200), span=span)
    assert cpbd.cpbd(gray) == pytest.approx(written_out(gray), abs=1e-12)


def test_the_bounds_on_canny_agree_with_canny_wherever_they_are_sure():
    sure = 0
    for seed, sigma in enumerate([0, 0.5, 1, 2, 4, 8] * 3):
        gray = texture(seed, sigma=sigma, span=255 if seed < 9 else 4)
        gray[:, 100:] = 90
        state = cpbd.compiled_kernels().edge_blocks(gray, np.ones((3, 3), bool), cpbd._half_gaussian())
        told = state != _cpbd_kernels.DOUBTFUL
        sure += told.sum()
        np.testing.assert_array_equal(state[told], cpbd._canny_blocks(gray)[told])
    assert sure > 100


def test_nine_canny_pixels_make_an_edge_block_and_eight_do_not():
    rng, seen = np.random.default_rng(1), set()
    for _ in range(300):
        gray = np.full((64, 64), 100, np.uint8)
        for _ in range(rng.integers(1, 4)):
            y, x = rng.integers(4, 60, 2)
            speck = gray[y : y + rng.integers(1, 4), x : x + rng.integers(1, 4)]
            speck += rng.integers(1, 90, speck.shape, dtype=np.uint8)
        count = int(canny(gray.astype(float)).sum())
        state = cpbd.compiled_kernels().edge_blocks(gray, np.ones((1, 1), bool), cpbd._half_gaussian())[0, 0]
        assert state in (count >= 9, _cpbd_kernels.DOUBTFUL)
        assert cpbd._canny_blocks(gray)[0, 0] == (count >= 9)
        seen.add((count, state))
    assert {(8, _cpbd_kernels.PLAIN), (9, _cpbd_kernels.EDGE)} <= seen


def tied():
    """A hard horizontal step, whose two sides tie for Canny's maximum, above a lone speck with a measurable edge."""
    gray = np.full((128, 128), 100, np.uint8)
    gray[32:] = 110
    gray[50, 20] = 160
    return gray


def test_a_block_in_doubt_is_settled_by_scikit_image(monkeypatch):
    asked = []
    settle = cpbd._canny_blocks
    monkeypatch.setattr(cpbd, "_canny_blocks", lambda gray: asked.append(1) or settle(gray))
    assert cpbd.cpbd(tied()) == 1
    assert asked
    monkeypatch.setattr(cpbd, "_canny_blocks", lambda gray: np.zeros((2, 2), int))
    assert cpbd.cpbd(tied()) == 0


def test_doubt_everywhere_gives_the_same_value(monkeypatch):
    images = [texture(seed, sigma=seed / 2) for seed in range(4)]
    quick = [cpbd.cpbd(gray) for gray in images]
    kernels = cpbd.compiled_kernels()
    unsure = kernels._replace(edge_blocks=lambda gray, wanted, weights: np.full(wanted.shape, _cpbd_kernels.DOUBTFUL))
    monkeypatch.setattr(cpbd, "compiled_kernels", lambda: unsure)
    assert [cpbd.cpbd(gray) for gray in images] == quick


def test_the_loops_mean_the_same_uncompiled():
    gray = texture(5, sigma=1, shape=(70, 66))
    compiled = cpbd.compiled_kernels()
    strength, total = _cpbd_kernels.sobel_strength(gray)
    np.testing.assert_array_equal(strength, compiled.sobel_strength(gray)[0])
    plain = _cpbd_kernels.edge_widths(gray, strength, int(2 * np.sqrt(total / gray.size)))
    fast = compiled.edge_widths(gray, strength, int(2 * np.sqrt(total / gray.size)))
    np.testing.assert_array_equal(plain, fast)
    wanted = np.ones((1, 1), bool)
    weights = cpbd._half_gaussian()
    np.testing.assert_array_equal(
        _cpbd_kernels.edge_blocks(gray, wanted, weights), compiled.edge_blocks(gray, wanted, weights)
    )


def test_edges_that_all_rise_to_the_right_are_not_measured_as_in_the_reference():
    rising = soft_step([10, 15, 130, 160])
    falling = np.ascontiguousarray(rising[:, ::-1])
    speck = rising.copy()
    speck[0, 0] += 1
    assert (cpbd.cpbd(rising), cpbd.cpbd(falling), cpbd.cpbd(speck)) == (0, 1, 1)


def test_a_side_below_a_block_scores_0():
    assert cpbd.cpbd(texture(0, sigma=1, shape=(63, 300))) == 0


def test_only_whole_blocks_count():
    gray = np.full((64, 127), 128, np.uint8)
    gray[:, 66:] = texture(0, sigma=1, shape=(64, 61))
    assert cpbd.cpbd(gray) == 0


def test_gray_is_what_pillow_makes_of_rgb():
    rgb = np.random.default_rng(0).integers(0, 256, (2, 128, 128, 3), dtype=np.uint8)
    clip = Clip(id="clip", path=Path("clip"), domain="real")
    rows = cpbd.CPBD().measure(Sample(pair=Pair(id="p", source=clip, driving=clip), generated=rgb))
    wanted = [cpbd.cpbd(np.asarray(Image.fromarray(frame).convert("L"))) for frame in rgb]
    np.testing.assert_allclose(rows[:, 0], wanted, rtol=1e-7)


def test_a_read_only_or_strided_image_is_fine():
    gray = texture(1, sigma=1)
    strided = np.asfortranarray(gray)
    strided.flags.writeable = False
    assert cpbd.cpbd(strided) == cpbd.cpbd(gray)


PROGRAM = """
import numpy as np
from toonbench.metrics.cpbd import cpbd
print(cpbd(np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)))
"""


def test_compiled_code_goes_to_the_user_cache_and_never_beside_the_package(tmp_path):
    beside = Path(cpbd.__file__).parent
    before = {path.name for path in beside.rglob("*.nb[ci]")}
    done = run(tmp_path)
    assert float(done.stdout) > 0
    assert list(tmp_path.rglob("*.nbi"))
    assert {path.name for path in beside.rglob("*.nb[ci]")} == before


def test_a_cache_folder_that_cannot_be_made_costs_time_and_nothing_else(tmp_path):
    blocked = tmp_path / "a file, not a folder"
    blocked.write_text("")
    assert float(run(blocked).stdout) > 0


def run(cache):
    env = {**os.environ, "XDG_CACHE_HOME": str(cache), "HOME": str(cache)}
    env.pop("NUMBA_CACHE_DIR", None)
    return subprocess.run([sys.executable, "-c", PROGRAM], env=env, capture_output=True, text=True, check=True)
