"""The source moves as the driving face does: pose, mouth and eyes, in the source's own proportions."""

import functools

import numpy as np
import pytest

from baselines.landmark_warp.method import LandmarkWarp
from baselines.landmark_warp.reference import posed_as
from baselines.landmark_warp.shape import EYES, LIPS, measures
from baselines.landmark_warp.transfer import Transfer, fit_pose
from toonbench import video
from toonbench.data import load_data, read_motion
from toonbench.networks.face_motion import estimate_once
from toonbench.types import CHANNELS, ChunkMethod, Method, ToonbenchError

JAW, YAW = CHANNELS.index("jaw_open"), CHANNELS.index("yaw")
BLINKS = [CHANNELS.index("blink_left"), CHANNELS.index("blink_right")]


@functools.cache
def data():
    return load_data("puppets@2")


@functools.cache
def cartoon(name="test-s31-cel-i0006"):
    return video.read_image(next(clip for clip in data().clips if clip.id == name).path)


@functools.cache
def driving(name="test-s31-real-v0007"):
    """Frames, ground-truth rig and ground-truth landmarks of a clip."""
    clip = next(clip for clip in data().clips if clip.id == name)
    truth = read_motion(clip.motion, fps=clip.fps)
    return video.read_video(clip.path).frames, truth.rig, truth.landmarks[..., 0] + 1j * truth.landmarks[..., 1]


def landmarks(frame):
    found = estimate_once(frame[None]).landmarks[0].astype(float)
    return found[:, 0] + 1j * found[:, 1]


def animate(source, frames, *, motion="relative"):
    return LandmarkWarp().animate(source, frames, motion=motion, seed=0)


def test_a_driving_face_that_does_not_move_leaves_the_source_as_it_is():
    made = animate(cartoon(), np.repeat(driving()[0][:1], 2, axis=0))
    assert np.abs(made.astype(int) - cartoon()).mean() < 0.2
    assert (made[0] == made[1]).all()


def test_a_turned_and_moved_driving_face_turns_and_moves_the_source_in_proportion():
    source, reference = landmarks(cartoon()), driving()[2][0]
    turn, shift = 1.1 * np.exp(0.2j), 5 + 3j
    moved = Transfer(source, reference)(turn * reference + shift)
    pose = fit_pose(source, moved.points)
    assert pose.turn == pytest.approx(turn)
    np.testing.assert_allclose(pose(source), moved.points, atol=1e-9)


def test_the_motion_of_a_small_driving_face_is_enlarged_to_that_of_the_source():
    source, (_, rig, points) = landmarks(cartoon()), driving()
    opened = points[int(rig[:, JAW].argmax())]
    large, small = (Transfer(source, scale * points[0])(scale * opened).points for scale in (1.0, 0.25))
    np.testing.assert_allclose(small, large, atol=1e-9)


def test_a_large_cartoon_eye_closes_completely_when_a_small_driving_eye_does():
    source, reference = landmarks(cartoon()), driving()[2][0].copy()
    shut = reference.copy()
    for eye in EYES:
        for upper, lower in zip(eye.upper[1:-1], eye.lower[1:-1], strict=True):
            shut[upper] = shut[lower] + 0.15 * (shut[upper] - shut[lower])
    moved = Transfer(source, reference)(shut).points
    assert EYES[0].height(source) > 1.5 * EYES[0].height(reference)
    assert max(eye.height(moved) for eye in EYES) < 0.02 * EYES[0].height(source)


def test_a_blink_that_only_the_rig_shows_closes_the_eye():
    source, reference = landmarks(cartoon()), driving()[2][0]
    half = reference.copy()
    half[[37, 38]] = reference[[37, 38]] * 0.6 + reference[[41, 40]] * 0.4
    transfer = Transfer(source, reference)
    left = [EYES[0].height(transfer(half, blinks=(blink, 0.0)).points) for blink in (0.0, 0.9)]
    assert left[1] < 0.05 * EYES[0].height(source) < left[0]


def test_an_opened_mouth_shows_a_dark_interior_with_teeth_at_the_top():
    frames, rig, _ = driving()
    made = animate(cartoon(), frames[[0, int(rig[:, JAW].argmax())]])[1].astype(int)
    found = landmarks(made.astype(np.uint8))
    assert LIPS.height(found) > 0.12 * LIPS.width(found)
    column = made[int(found[62].imag) - 1 : int(found[66].imag) + 2, int(found[62].real)].sum(axis=1)
    assert column.min() < 160
    assert column.argmax() < column.argmin()


def test_a_closed_eye_shows_skin_and_no_eyeball():
    frames, rig, _ = driving("test-s31-real-v0010")
    made = animate(cartoon(), frames[[0, int(rig[:, BLINKS].sum(axis=1).argmax())]])
    open_eye, shut = (estimate_once(frame[None]).rig[0][BLINKS] for frame in made)
    assert open_eye.max() < 0.2
    assert shut.min() > 0.6
    eye = landmarks(made[1])[[36, 39]].mean()
    colours = made[1][int(eye.imag) - 8 : int(eye.imag) + 8, int(eye.real) - 6 : int(eye.real) + 6]
    assert not (colours.min(axis=2) > 200).any()  # the white of the eye
    assert (cartoon()[50:60, 45:60].min(axis=2) > 200).any()


def test_the_border_of_the_picture_does_not_move():
    frames, rig, _ = driving()
    made = animate(cartoon(), frames[[0, int(np.abs(rig[:, YAW]).argmax())]])[1].astype(int)
    sides = np.concatenate([made[:60, :1], made[:60, -1:]]), np.concatenate([cartoon()[:60, :1], cartoon()[:60, -1:]])
    assert np.abs(sides[0] - sides[1]).max() <= 12
    assert np.abs(made - cartoon()).max() > 100


def test_chunks_of_any_length_give_the_bytes_of_the_whole_clip():
    frames = driving()[0][:7]
    whole = animate(cartoon(), frames)
    options = {"motion": "relative", "seed": 0}
    parts = LandmarkWarp().animate_chunks(cartoon(), iter([frames[:1], frames[1:3], frames[3:]]), **options)
    assert (np.concatenate(list(parts)) == whole).all()


def test_a_source_of_another_size_gets_frames_of_its_size():
    made = animate(np.repeat(np.repeat(cartoon(), 2, axis=0), 2, axis=1)[:, 10:250], driving()[0][:2])
    assert made.shape == (2, 256, 240, 3)


def test_a_frame_without_a_face_repeats_the_frame_before(caplog):
    frames = np.stack([driving()[0][0], driving()[0][9], np.zeros((128, 128, 3), np.uint8)])
    made = animate(cartoon(), frames)
    assert (made[2] == made[1]).all()
    assert (made[1] != made[0]).any()


def test_a_source_without_a_face_is_repeated_with_a_warning(caplog):
    flat = np.full((64, 80, 3), 90, np.uint8)
    assert (animate(flat, driving()[0][:2]) == flat).all()
    assert "no face in the source" in caplog.text


def test_a_driving_video_without_a_face_leaves_the_source_as_it_is():
    assert (animate(cartoon(), np.zeros((2, 128, 128, 3), np.uint8)) == cartoon()).all()


def test_absolute_motion_gives_the_pose_of_the_driving_face_from_the_first_frame():
    frames, rig, _ = driving()
    turned = frames[[int(rig[:, YAW].argmax())]]
    relative, absolute = (
        estimate_once(animate(cartoon(), turned, motion=m)).rig[0][YAW] for m in ("relative", "absolute")
    )
    assert abs(absolute - rig[:, YAW].max()) < 8
    assert abs(relative) < 8


def test_a_face_posed_as_itself_stays_and_one_posed_as_another_frame_comes_close_to_it():
    _, rig, points = driving()
    first, last = 0, int(np.abs(rig[:, YAW]).argmax())
    rigs = [dict(zip(CHANNELS, map(float, rig[t]), strict=True)) for t in (first, last)]
    np.testing.assert_allclose(posed_as(points[first], rig=rigs[0], other=rigs[0]), points[first], atol=1e-9)
    posed = posed_as(points[first], rig=rigs[0], other=rigs[1])
    error, motion = (np.abs(one - points[last]).mean() for one in (posed, points[first]))
    assert error < 0.35 * motion


def test_it_takes_no_checkpoint_and_names_the_network_in_its_revision(tmp_path):
    with pytest.raises(ToonbenchError, match="takes no checkpoint"):
        LandmarkWarp(checkpoint=tmp_path / "a.pt")
    assert isinstance(LandmarkWarp(), Method)
    assert isinstance(LandmarkWarp(), ChunkMethod)
    assert LandmarkWarp().revision.startswith("2-")


def test_the_measures_of_a_face_do_not_depend_on_its_place_and_turn():
    points = driving()[2][0]
    one, other = measures(points), measures(points * np.exp(0.3j) + 7)
    assert other.width == pytest.approx(one.width)
    assert other.height == pytest.approx(one.height)
    assert other.right == pytest.approx(one.right * np.exp(0.3j))
