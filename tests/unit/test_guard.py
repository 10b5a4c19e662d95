"""The guard of the motion metrics: detail of the driving video is refused, damaged targets and weak methods are not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import affine_transform, gaussian_filter

from toonbench import registry
from toonbench.calibrate.errors import every_error
from toonbench.data import load, locate, read_motion, shipped
from toonbench.data.clips import read_frames, read_source
from toonbench.metrics import _guard, _guard_kernels
from toonbench.metrics._guard import shows_driving
from toonbench.puppets.catalogue import make_look, styles
from toonbench.puppets.draw.render import render_clip
from toonbench.puppets.rig import first_pose, generate, relative, seed_of
from toonbench.tasks import draw_pairs
from toonbench.types import Clip, GroundTruth, Pair, Sample

MOTION = ("landmark_nme", "rig_error", "rig_corr", "blink_f1", "mouth_f1", "head_pose_deg")
MOUTH, EYES = [slice(48, 68)], [slice(36, 42), slice(42, 48)]
REGIONS = {"all": [], "mouth": MOUTH, "eyes": EYES, "both": [*MOUTH, *EYES]}


def puppet_sample(style: str, *, seed: int, frames: int, size: int = 128) -> tuple[Sample, np.ndarray]:
    """A fresh character of a style moved by one of the other domain, and the driving face's landmarks."""
    seed = seed_of("guard", style, seed)
    other = next(name for name, one in styles().items() if one.domain != styles()[style].domain)
    driving_rig = generate(seed_of(seed, "driving"), frames=frames, step=3)
    source_rig = first_pose(seed_of(seed, "source"))
    rig = relative(source_rig, driving_rig)
    look = make_look(style, seed)
    source = render_clip(look, source_rig[None], size=size).frames[0]
    target = render_clip(look, rig, size=size)
    driving = render_clip(make_look(other, seed_of(seed, "look")), driving_rig, size=size)
    clip = Clip(id=style, path=Path(style), domain="real")
    sample = Sample(
        pair=Pair(id=style, source=clip, driving=replace(clip, id="driving"), target=clip), generated=target.frames,
        source=source, driving=driving.frames, target=target.frames,
        ground_truth=GroundTruth(rig=rig, landmarks=target.landmarks, visible=target.visible, fps=10.0),
    )  # fmt: skip
    return sample, driving.landmarks


@pytest.fixture(scope="module")
def fresh():
    """A sample of each style, of looks that no threshold was chosen on."""
    return {style: puppet_sample(style, seed=1234, frames=6) for style in styles()}


def moved(frames, landmarks, onto):
    """Each frame's face box moved onto another face box."""
    done = np.empty_like(frames)
    for frame, points, out in zip(frames, landmarks, done, strict=True):
        low, high = points[:68].min(axis=0), points[:68].max(axis=0)
        scale = (high - low) / np.ptp(onto[:68], axis=0)
        offset = low - scale * onto[:68].min(axis=0) + 0.5 * scale - 0.5
        for channel in range(3):
            out[..., channel] = affine_transform(
                frame[..., channel], np.diag(scale[::-1]), offset[::-1], order=1, mode="nearest"
            )
    return done


def blurred(frames, sigma):
    return gaussian_filter(frames.astype(np.float32), (*[0] * (frames.ndim - 3), sigma, sigma, 0), mode="nearest")


def tinted(sample, driving_landmarks, *, sigma, gain=1.0, aligned=False, region="all"):
    """The driving video's detail in the source's colours: driving - blur(driving) + blur(source)."""
    face = sample.ground_truth.landmarks[0]  # the source's own pose, in relative motion
    driving = moved(sample.driving, driving_landmarks, face) if aligned else sample.driving
    detail = gain * (driving - blurred(driving, sigma)) + blurred(sample.source, sigma)
    mask = np.full((*detail.shape[1:3], 1), float(region == "all"))
    y, x = np.mgrid[: mask.shape[0], : mask.shape[1]] + 0.5
    for part in REGIONS[region]:
        points = (face if aligned else driving_landmarks[0])[part]
        middle, reach = points.mean(axis=0), np.maximum(np.ptp(points, axis=0) * 0.75, 0.06 * len(mask))
        inside = 1.5 - ((x - middle[0]) / reach[0]) ** 2 - ((y - middle[1]) / reach[1]) ** 2
        mask = np.maximum(mask, np.clip(inside, 0, 1)[..., None])
    return np.clip(mask * detail + (1 - mask) * sample.source + 0.5, 0, 255).astype(np.uint8)


def score(samples):
    """Each motion metric over samples."""
    metrics = [registry.load_metric(name) for name in MOTION]
    rows = [[metric.measure(sample) for metric in metrics] for sample in samples]
    return {metric.name: metric.reduce([own[i] for own in rows]) for i, metric in enumerate(metrics)}


ATTACKS = {
    "12 px": {"sigma": 12},
    "6 px": {"sigma": 6},
    "6 px, half the gain": {"sigma": 6, "gain": 0.5},
    "3 px": {"sigma": 3},
    "2 px, twice the gain": {"sigma": 2, "gain": 2},
    "12 px, aligned": {"sigma": 12, "aligned": True},
    "6 px, half the gain, aligned": {"sigma": 6, "gain": 0.5, "aligned": True},
    "3 px, twice the gain, aligned": {"sigma": 3, "gain": 2, "aligned": True},
    "eyes and mouth": {"sigma": 12, "aligned": True, "region": "both"},
    "eyes": {"sigma": 12, "aligned": True, "region": "eyes"},
    "mouth": {"sigma": 12, "gain": 2, "aligned": True, "region": "mouth"},
}


def still(samples):
    return [replace(one, generated=np.repeat(one.source[None], len(one.generated), axis=0)) for one in samples]


def way(value, static, oracle):
    """Where a value is on the way from static (0) to oracle (1); 0 where the two are equal or no event was there."""
    return (value - static) / (oracle - static) if np.isfinite(oracle) and oracle != static else 0.0


@pytest.fixture(scope="module")
def floor_and_ceiling(fresh):
    samples = [sample for sample, _ in fresh.values()]
    return score(still(samples)), score(samples)


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_the_driving_videos_detail_scores_below_half_of_the_way_from_static_to_oracle(fresh, floor_and_ceiling, attack):
    static, oracle = floor_and_ceiling
    got = score([replace(one, generated=tinted(one, landmarks, **attack)) for one, landmarks in fresh.values()])
    for name in set(MOTION) - {"blink_f1", "mouth_f1"}:  # so few frames hold too few events
        assert way(got[name], static[name], oracle[name]) < 0.5, name


def pairs_shipped(task, *, count=None):
    """Pairs of a task on the puppets that are shipped, and the name of these."""
    name = next(iter(shipped()))
    data = load(locate(name))
    return draw_pairs(registry.load_task(task), data.clips, targets=data.targets)[:count]


@pytest.fixture(scope="module")
def some_shipped():
    """A quarter of the shipped pairs whose driving video is of the other domain, and the driving face's landmarks."""
    samples = []
    for pair in (*pairs_shipped("real2cartoon", count=3), *pairs_shipped("cartoon2real", count=3)):
        target = read_frames(pair.target).frames
        sample = Sample(pair=pair, generated=target, source=read_source(pair.source), target=target,
                        driving=read_frames(pair.driving).frames,
                        ground_truth=read_motion(pair.target.motion, fps=pair.target.fps))  # fmt: skip
        samples.append((sample, read_motion(pair.driving.motion, fps=pair.driving.fps).landmarks))
    return samples


@pytest.mark.slow
@pytest.mark.parametrize("attack", ["6 px, half the gain", "12 px, aligned", "eyes and mouth"])
def test_the_driving_videos_detail_scores_below_half_of_the_way_on_the_shipped_puppets(some_shipped, attack):
    samples = [sample for sample, _ in some_shipped]
    static, oracle = score(still(samples)), score(samples)
    got = score([replace(one, generated=tinted(one, where, **ATTACKS[attack])) for one, where in some_shipped])
    for name in MOTION:
        assert way(got[name], static[name], oracle[name]) < 0.5, name


def test_without_the_guard_the_attack_would_pass_for_good_motion(fresh, floor_and_ceiling):
    static, oracle = floor_and_ceiling
    got = score([replace(one, generated=tinted(one, where, sigma=12), driving=None) for one, where in fresh.values()])
    assert way(got["rig_corr"], static["rig_corr"], oracle["rig_corr"]) > 0.8


IMAGE_ERRORS = [error for error in every_error().values() if error.image]


@pytest.mark.parametrize("style", styles())
@pytest.mark.parametrize("error", IMAGE_ERRORS, ids=lambda error: error.name)
def test_damaged_targets_are_never_refused(fresh, style, error):
    sample, _ = fresh[style]
    landmarks = sample.ground_truth.landmarks
    for level in (error.levels[0], error.levels[-1]):
        damaged = error.image(sample.target, level, np.random.default_rng(0))
        assert not shows_driving(replace(sample, generated=damaged), landmarks).any(), level


@pytest.mark.parametrize("style", styles())
def test_targets_of_wrong_motion_the_source_and_the_target_are_never_refused(fresh, style):
    sample, _ = fresh[style]
    landmarks, count = sample.ground_truth.landmarks, len(sample.target)
    order = np.arange(count)[::-1]
    late = np.maximum(np.arange(count) - 2, 0)
    assert not shows_driving(replace(sample, generated=sample.target), landmarks).any()
    for wrong in (order, late, np.zeros(count, int)):
        assert not shows_driving(replace(sample, generated=sample.target[wrong]), landmarks[wrong]).any()
    shifted = np.roll(sample.target, (1, -1), axis=(1, 2))
    assert not shows_driving(replace(sample, generated=shifted), landmarks + np.array([-1, 1])).any()


def test_the_mirrored_eyes_and_mouth_of_the_driving_video_are_searched_too(fresh, monkeypatch):
    def refused():
        found = []
        for sample, landmarks in fresh.values():
            mirrored = replace(sample, driving=np.ascontiguousarray(sample.driving[:, :, ::-1]))
            points = np.array([sample.driving.shape[2], 0]) - landmarks * np.array([1, -1])
            attack = tinted(mirrored, points, sigma=12, aligned=True, region="both")
            still_face = np.repeat(sample.ground_truth.landmarks[:1], len(attack), axis=0)
            found.append(shows_driving(replace(sample, generated=attack), still_face))
        return np.mean(found)

    with_mirrored = refused()
    monkeypatch.setattr(_guard, "_MIRRORED", ())
    assert with_mirrored > 0.25
    assert refused() < 0.5 * with_mirrored


def test_nothing_is_refused_where_the_driving_video_is_the_target(fresh):
    sample, landmarks = fresh["real"]
    same = replace(sample, target=sample.driving)
    assert not shows_driving(replace(same, generated=sample.driving), landmarks).any()
    assert not shows_driving(replace(same, generated=tinted(sample, landmarks, sigma=6)), landmarks).any()


def test_without_a_target_the_frames_are_compared_with_the_source(fresh):
    for sample, landmarks in fresh.values():
        bare = replace(sample, target=None)
        assert not shows_driving(replace(bare, generated=sample.target), sample.ground_truth.landmarks).any()
        assert shows_driving(replace(bare, generated=tinted(sample, landmarks, sigma=8)), landmarks).mean() > 0.5
        assert shows_driving(replace(bare, generated=sample.driving), landmarks).all()
        assert not shows_driving(replace(bare, source=None, generated=sample.driving), landmarks).any()


def test_without_a_target_the_character_may_stand_before_any_background(fresh):
    for style, (sample, _) in fresh.items():
        points = sample.ground_truth.landmarks
        middle, long = points[:, :68].mean(axis=1), np.ptp(points[:, :68], axis=1).max(axis=1)
        y, x = np.mgrid[: sample.target.shape[1], : sample.target.shape[2]]
        away = np.hypot(x - middle[:, 0, None, None], y - middle[:, 1, None, None]) / long[:, None, None]
        for behind in (sample.driving, sample.driving.mean(axis=(1, 2), keepdims=True), 0):
            moved = np.where((away < 0.7)[..., None], sample.target, behind).astype(np.uint8)
            found = shows_driving(replace(sample, target=None, generated=moved), points)
            assert not found.any(), (style, np.shape(behind))


def test_frames_without_a_face_are_left_to_the_network(fresh):
    sample, landmarks = fresh["cel"]
    lost = landmarks.copy()
    lost[::2] = np.nan
    attack = replace(sample, generated=tinted(sample, landmarks, sigma=8))
    refused = shows_driving(attack, lost)
    assert not refused[::2].any()
    assert refused[1::2].any()


def cut(sample, part):
    frames = {name: getattr(sample, name)[part] for name in ("generated", "driving", "target")}
    return replace(sample, **frames)


def test_every_frame_is_judged_alone(fresh):
    for sample, landmarks in fresh.values():
        attack = replace(sample, generated=tinted(sample, landmarks, sigma=3, aligned=True))
        points = sample.ground_truth.landmarks
        whole = shows_driving(attack, points)
        parts = [shows_driving(cut(attack, slice(i, i + 2)), points[i : i + 2]) for i in range(0, len(points), 2)]
        assert np.array_equal(whole, np.concatenate(parts))


def test_frames_of_other_shapes_are_compared_too(fresh):
    sample, landmarks = fresh["clay"]
    part = (slice(None), slice(8, 120), slice(None))
    wide = replace(sample, generated=sample.driving[part], driving=sample.driving, target=sample.target[part],
                   source=sample.source[part[1:]])  # fmt: skip
    assert shows_driving(wide, landmarks - (0, 8)).all()
    assert not shows_driving(replace(wide, generated=wide.target), sample.ground_truth.landmarks - (0, 8)).any()


@pytest.mark.parametrize("task", ["real2cartoon", "cartoon2real", "real_cross", "cartoon_cross"])
def test_the_shipped_targets_are_never_refused(task):
    for pair in pairs_shipped(task):
        some = slice(1, None, 4)
        frames = read_frames(pair.target).frames[some]
        points = read_motion(pair.target.motion, fps=pair.target.fps).landmarks[some]
        sample = Sample(pair=pair, generated=frames, source=read_source(pair.source),
                        driving=read_frames(pair.driving).frames[some], target=frames)  # fmt: skip
        assert not shows_driving(sample, points).any()


# the loops


@pytest.fixture(params=["compiled", "uncompiled"])
def loops(request):
    return _guard._loops() if request.param == "compiled" else _guard_kernels


def picture(seed=0, side=24):
    return gaussian_filter(np.random.default_rng(seed).normal(size=(side, side)), 1.5).astype(np.float32)


def test_a_template_is_found_where_it_was_cut_out(loops):
    whole = picture()
    fit, top, left = loops.search(3 * whole[5:13, 9:20] + 1, whole)
    assert (top, left) == (5, 9)
    assert fit == pytest.approx(1, abs=1e-4)
    assert loops.search(whole, whole[:10, :10])[0] == -1


def test_a_registration_finds_a_small_affine_change(loops):
    moving = picture(seed=1, side=32)
    matrix, offset = np.array([[0.95, 0.04], [-0.03, 1.06]]), np.array([0.8, -1.3])
    fixed = (0.5 * affine_transform(moving, matrix, offset, order=1) + 0.1).astype(np.float32)
    window = np.array([8, 24, 6, 26])
    middle, reach = np.array([15.5, 15.5]), 10.0
    start = np.array([middle[0], reach, 0.0, middle[1], 0.0, reach])
    fit, place = loops.register(fixed, moving, start, window, 12)
    assert fit == pytest.approx(1, abs=1e-3)
    np.testing.assert_allclose(place[[0, 3]], matrix @ middle + offset, atol=0.05)
    np.testing.assert_allclose(place[[1, 2, 4, 5]].reshape(2, 2) / reach, matrix, atol=0.01)
    correlation, gain, spread = loops.compare(fixed, moving, place, window)
    assert correlation == pytest.approx(fit, abs=1e-6)
    assert gain == pytest.approx(0.5, abs=0.01)
    assert spread == pytest.approx(2 * fixed[8:24, 6:26].std(), rel=0.02)


def test_compiled_and_uncompiled_loops_agree():
    compiled, one, other = _guard._loops(), picture(2), picture(3)
    start, window = np.array([11.5, 8.0, 0.0, 11.5, 0.0, 8.0]), np.array([4, 20, 5, 19])
    assert compiled.search(one[4:12, 3:15], other) == pytest.approx(
        _guard_kernels.search(one[4:12, 3:15], other), abs=1e-5
    )
    for mine, theirs in zip(
        compiled.register(one, other, start, window, 3),
        _guard_kernels.register(one, other, start, window, 3),
        strict=True,
    ):
        np.testing.assert_allclose(mine, theirs, atol=1e-3)
