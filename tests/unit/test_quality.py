"""Blurred, enlarged, still and covered clips are told from good ones, in every style of puppets; clean ones have no fault."""

from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from toonbench.prepare.quality import Limits, Quality, QualityMeter, Track, fault_of, pose_and_occlusion, sharpness
from toonbench.puppets import rig
from toonbench.puppets.catalogue import make_look, styles
from toonbench.puppets.draw.render import render_clip
from toonbench.types import CHANNELS, Frame, Frames, ToonbenchError

GOOD = Quality(
    sharpness=0.5,
    face_pixels=120.0,
    yaw_range=20.0,
    pitch_range=10.0,
    occlusion=0.0,
    motion=8.0,
    held=0.5,
    detected=0.95,
    agreement=2.0,
)


@dataclass
class Found:
    """A track as the meter sees it."""

    boxes: np.ndarray = field(default_factory=lambda: np.array([[0.0, 0, 80, 100], [10, 10, 100, 130], [0, 0, 90, 70]]))
    agreement: np.ndarray = field(default_factory=lambda: np.array([1, 2, 3]))
    face_share: float = 0.75


@cache
def drawn(style: str) -> Frames:
    """Three frames of a puppet, 256 pixels."""
    return render_clip(make_look(style, 920), rig.generate(920, frames=60)[::20], size=256).frames


def quality(frames: Frames, track: Track | None = None) -> Quality:
    meter = QualityMeter()
    for frame in frames:
        meter.add(frame)
    return meter.finish(track or Found())


def gray(frame: Frame) -> np.ndarray:
    return np.asarray(Image.fromarray(frame).convert("L"))


def enlarged(frame: Frame, times: int) -> Frame:
    small = Image.fromarray(frame).resize((256 // times, 256 // times), Image.Resampling.BICUBIC)
    return np.asarray(small.resize((256, 256), Image.Resampling.BICUBIC))


def covered(frames: Frames) -> Frames:
    """A bar of one colour from below the eyes to the chin."""
    frames = frames.copy()
    frames[:, 145:215, 50:206] = (120, 90, 70)
    return frames


@pytest.mark.parametrize("style", styles())
def test_the_more_a_frame_was_enlarged_or_blurred_the_less_sharp_it_is(style):
    frame = drawn(style)[0]
    by_size = [sharpness(gray(enlarged(frame, times))) for times in (1, 2, 3, 4)]
    by_blur = [sharpness(gray(gaussian_filter(frame, (sigma, sigma, 0)))) for sigma in (0, 1, 2, 3)]
    assert by_size == sorted(by_size, reverse=True)
    assert by_blur == sorted(by_blur, reverse=True)
    assert by_blur[2] < Limits().least_sharpness < by_blur[0]


def test_contrast_does_not_change_sharpness():
    frame = gray(drawn("cel")[0])
    assert sharpness((frame // 4 + 90).astype(np.uint8)) == pytest.approx(sharpness(frame), abs=0.02)


def test_an_ideal_edge_has_the_documented_sharpness():
    edge = np.zeros((256, 256), np.uint8)
    edge[:, 128:] = 200
    assert sharpness(edge) == pytest.approx(0.41, abs=0.01)


def test_a_flat_picture_is_not_sharp():
    assert sharpness(np.full((256, 256), 90, np.uint8)) == 0


def test_borders_of_the_film_inside_the_crop_do_not_make_it_sharp():
    soft = gray(enlarged(drawn("cel")[0], 6))
    framed = soft.copy()
    framed[:20], framed[-20:] = 0, 0
    assert sharpness(framed) == pytest.approx(sharpness(soft), abs=0.01)


@pytest.mark.parametrize("style", ["cel", "lineart", "real"])
def test_a_puppet_has_no_fault_and_an_enlarged_one_is_not_sharp(style):
    frames = drawn(style)
    assert fault_of(quality(frames), Limits()) == ""
    small = np.stack([enlarged(frame, 6) for frame in frames])
    assert "sharpness" in fault_of(quality(small), Limits())


def test_drawings_on_twos_are_held_half_of_the_time_and_allowed():
    found = quality(drawn("cel").repeat(2, axis=0))
    assert found.held == pytest.approx(3 / 5)
    assert fault_of(found, Limits()) == ""


def test_a_still_clip_is_static_even_with_noise():
    noise = np.random.default_rng(0).normal(0, 5, (12, 256, 256, 1))
    still = np.clip(drawn("cel")[:1] + noise, 0, 255).astype(np.uint8)
    found = quality(still)
    assert found.held > 0.95
    assert "repeat the one before" in fault_of(found, Limits())


def test_the_mouth_alone_is_motion():
    motion = np.repeat(rig.generate(1, frames=1), 8, axis=0)
    motion[:, CHANNELS.index("jaw_open")] = np.linspace(0, 1, 8)
    found = quality(render_clip(make_look("disney3d", 921), motion, size=256).frames)
    assert found.held < 0.2
    assert found.motion > 1


def test_a_turning_head_has_the_yaw_range_of_its_rig():
    motion = np.repeat(rig.generate(1, frames=1), 120, axis=0)
    motion[:, CHANNELS.index("yaw")] = np.linspace(-25, 25, 120)
    motion = motion[::12].repeat(12, axis=0)  # ten frames that the network reads, in two batches
    drawn_once = render_clip(make_look("cel", 922), motion[::12], size=256).frames
    found = quality(drawn_once.repeat(12, axis=0))
    wanted = np.subtract(*np.percentile(motion[::12, CHANNELS.index("yaw")], [95, 5]))
    assert found.yaw_range == pytest.approx(wanted, abs=6)


@pytest.mark.parametrize("style", ["cel", "clay", "real", "watercolour"])
def test_frames_with_a_covered_face_are_counted_as_hidden(style):
    open_face = drawn(style)[[0, 0, 1, 1, 2, 2]]
    mixed = np.concatenate([open_face, covered(open_face[:3])]).repeat(12, axis=0)
    assert quality(open_face.repeat(12, axis=0)).occlusion == 0
    assert quality(mixed).occlusion == pytest.approx(3 / 9)


def test_pose_is_missing_where_no_face_is_seen_and_that_is_no_fault():
    flat = np.random.default_rng(0).integers(0, 255, (3, 256, 256, 3), dtype=np.uint8)
    found = quality(flat)
    assert np.isnan([found.yaw_range, found.pitch_range, found.occlusion]).all()
    assert "hidden" not in fault_of(found, Limits())


def test_frames_without_a_face_among_others_are_hidden():
    rows = np.array([[0.0, 0, -0.5, 1], [10, 5, -0.5, 1], [0, 0, -0.4, 1], [np.nan, np.nan, 0.1, 0.1]])
    assert pose_and_occlusion(rows)[2] == 0.25


def test_values_of_the_track_are_passed_on():
    found = quality(drawn("cel"))
    assert (found.face_pixels, found.detected, found.agreement) == (100.0, 0.75, 2.0)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"face_pixels": 41.0}, "the face has 41.0 pixels: 64 or more are needed"),
        ({"sharpness": 0.1234}, "the sharpness is 0.123: 0.27 or more is needed"),
        ({"detected": 0.4}, "the face is found in 0.400 of the frames: 0.6 or more is needed"),
        ({"held": 0.99}, "0.990 of the frames repeat the one before: 0.95 or less is allowed"),
        ({"motion": 0.1}, "frames differ by 0.100 grey levels: 0.25 or more are needed"),
        ({"occlusion": 0.8}, "the face is partly hidden in 0.800 of the frames: 0.5 or less is allowed"),
        ({"yaw_range": 80.0}, "the head turns by 80.0 degrees: 70 or less are allowed"),
        ({"yaw_range": float("nan")}, ""),
        ({}, ""),
    ],
)
def test_a_fault_is_one_line_with_the_value_and_the_limit(change, line):
    assert fault_of(replace(GOOD, **change), Limits()) == line


def test_a_value_at_the_limit_is_allowed():
    limits = Limits(least_yaw_range=20.0, most_occlusion=0.0, least_face_pixels=120.0)
    assert fault_of(GOOD, limits) == ""


def test_a_clip_without_frames_is_an_error():
    with pytest.raises(ToonbenchError, match="without frames"):
        QualityMeter().finish(Found())
