"""The motion reader: its framings, its training batches, its labels, its weights, and what it reads in puppets."""

import dataclasses

import numpy as np
import pytest
import torch

from toonbench.landmarks.damage import pixel_centres
from toonbench.landmarks.data import Pictures, poses
from toonbench.networks import motion_reader
from toonbench.networks.landmarks import SIZE, LandmarkNet, write_weights
from toonbench.networks.landmarks import read_weights as read_landmark_weights
from toonbench.networks.motion_reader import (  # fmt: skip
    CURVES,
    MIRRORED,
    WEIGHTS,
    MotionReader,
    Output,
    read_closely,
    read_pictures,
    read_weights,
)
from toonbench.puppets.catalogue import make_look
from toonbench.puppets.draw.render import render_clip
from toonbench.puppets.rig import generate
from toonbench.reader_training.batches import JAW, SMILE, VIEWS, Batch, Material, make_batch
from toonbench.reader_training.card import bars
from toonbench.reader_training.clips import SIDE, TRAINING, Labelled, label_clips
from toonbench.reader_training.framing import ROLL, SIDED, Faces, frame_faces
from toonbench.reader_training.labels import MESH, Labels, labels_of, stored_labels
from toonbench.reader_training.measure import (
    RealClip,
    correlations,
    crop_face,
    curves_of_rig,
    landmark_error,
    measure_clip,
)
from toonbench.reader_training.occluders import cover
from toonbench.reader_training.stylise import pencil, smooth, stylise
from toonbench.reader_training.training import Plan, begin, losses, train
from toonbench.types import ToonbenchError
from toonbench.video.write import write_lossless

shipped = pytest.mark.skipif(not WEIGHTS.exists(), reason="no weights: scripts/train_motion_reader.py makes them")


@pytest.fixture(scope="module")
def material():
    """Four puppets of two styles; two of them stand in for photographs."""
    drawn, rigs = [], []
    for style in ("real", "disney3d"):
        for seed in (1, 2):
            rigs.append(poses(seed, count=4))
            drawn.append(render_clip(make_look(style, seed), rigs[-1], size=SIDE))
    puppets = Pictures(
        frames=np.concatenate([d.frames for d in drawn]),
        landmarks=np.concatenate([d.landmarks for d in drawn]),
        visible=np.concatenate([d.visible for d in drawn]),
        rig=np.concatenate(rigs),
        style=np.repeat([0, 1], 8),
        names=("real", "disney3d"),
    )
    clips = [
        Labelled(
            name=str(at),
            frames=d.frames,
            landmarks=d.landmarks,
            curves=curves_of_rig(rig, d.landmarks),
            inside=np.tile(np.float32([10, 10, 240, 250]), (4, 1)),
        )
        for at, (d, rig) in enumerate(zip(drawn[:2], rigs, strict=False))
    ]
    plates = np.random.default_rng(0).integers(0, 256, (3, 160, 160, 3), np.uint8)
    return Material(puppets=puppets, poses=4, clips=clips, plates=plates)


def same(one, other):
    return all(torch.equal(getattr(one, field.name), getattr(other, field.name)) for field in dataclasses.fields(one))


# batches


def test_a_batch_is_a_function_of_seed_and_step(material):
    one, again, other = (make_batch(material, size=16, seed=1, step=step) for step in (4, 4, 5))
    assert same(one, again)
    assert not torch.equal(one.pictures, other.pictures)


def test_pictures_without_a_face_teach_nothing_but_that(material):
    batches = [make_batch(material, size=16, seed=2, step=step) for step in range(6)]
    face, curves, landmarks = (
        torch.cat([getattr(batch, name) for batch in batches]) for name in ("face", "curve_weight", "landmark_weight")
    )
    assert 0 < (face == 0).sum() < len(face) / 2
    assert not curves[face == 0].any()
    assert not landmarks[face == 0].any()
    assert curves[face == 1].any(1).all()


def test_neighbours_show_one_face_in_two_poses(material):
    """Yaw does not depend on the framing, except for its side in a mirror: four pictures have two yaws."""
    batch = make_batch(material, size=16, seed=3, step=0)
    yaws = (batch.curves * batch.sides)[:, 0].view(-1, VIEWS)
    assert torch.allclose(yaws[:, :2], yaws[:, 2:])
    assert (yaws[:, 0] != yaws[:, 1]).all()


def test_a_batch_of_more_faces_than_clips_uses_clips_twice(material):
    assert make_batch(material, size=32, seed=1, step=0).pictures.shape == (32, 3, SIZE, SIZE)


# framing


@pytest.mark.parametrize("warped", [False, True])
def test_landmarks_stay_on_what_they_mark(warped):
    """A dot painted at a landmark is found at the framed landmark, whatever the framing does."""
    n, side = 24, 200
    random = np.random.default_rng(0)
    points = torch.from_numpy(random.uniform(60, 140, (n, 70, 2))).float()
    grid = pixel_centres(side)
    dots = torch.exp(-(grid - points[:, :1, None]).square().sum(3) / (2 * 2.5**2))
    faces = Faces(
        frames=(dots[..., None].repeat(1, 1, 1, 3) * 255).byte(),
        landmarks=points,
        visible=torch.ones(n, 70, dtype=torch.bool),
        curves=torch.zeros(n, len(CURVES)),
        inside=torch.tensor([0.0, 0, side, side]).repeat(n, 1),
    )
    framed = frame_faces(faces, random, warped=warped)
    own = pixel_centres(SIZE)
    checked = 0
    for picture, landmarks, mirrored in zip(framed.pictures, framed.landmarks, framed.mirrored, strict=True):
        place = landmarks[16 if mirrored else 0]  # the mirror gives the temple's point another number
        weight = picture[0] * (picture[0] > 0.6 * picture[0].max()) * (picture[0].max() > 0.3)
        if weight.sum() > 0 and ((place > 15) & (place < SIZE - 15)).all():
            found = (own * weight[..., None]).sum((0, 1)) / weight.sum()
            assert (found - place).norm() < 1.2
            checked += 1
    assert checked > 8


def test_a_turned_face_has_the_roll_of_its_turn_and_a_mirrored_one_the_other_sides():
    n = 64
    curves = torch.arange(1.0, 8.0).repeat(n, 1)
    points = torch.from_numpy(np.random.default_rng(1).uniform(40, 88, (1, 70, 2))).float().repeat(n, 1, 1)
    faces = Faces(
        frames=torch.zeros(n, 128, 128, 3, dtype=torch.uint8),
        landmarks=points,
        visible=torch.ones(n, 70, dtype=torch.bool),
        curves=curves,
        inside=torch.tensor([0.0, 0, 128, 128]).repeat(n, 1),
    )
    framed = frame_faces(faces, np.random.default_rng(2), warped=False)
    expected = curves.clone()
    expected[:, ROLL] += framed.turned
    assert torch.allclose(framed.curves, torch.where(framed.mirrored[:, None], expected * SIDED, expected))
    assert 0 < framed.mirrored.sum() < n
    upright = framed.turned.abs() <= 40
    assert upright.float().mean() > 0.85


# what is done to pictures


def test_a_cover_changes_the_picture_where_it_says_and_nowhere_else(material):
    points = torch.from_numpy(material.puppets.landmarks[0]) / 2
    for seed in range(8):
        picture = torch.full((3, SIZE, SIZE), 0.5)
        hidden = cover(picture, points, np.random.default_rng(seed))
        changed = (picture != 0.5).any(0)
        grown = torch.nn.functional.max_pool2d(hidden.float()[None], 5, 1, 2)[0] > 0
        assert hidden.any()
        assert not (changed & ~grown).any()


def test_curves_of_a_hidden_mouth_have_no_weight(material):
    """Over many batches some mouths are hidden: then jaw and smile weigh nothing while yaw does."""
    weights = torch.cat([make_batch(material, size=16, seed=5, step=step).curve_weight for step in range(6)])
    seen, hidden = weights[:, 0] > 0, (weights[:, JAW] == 0) & (weights[:, SMILE] == 0)
    assert (seen & hidden).any()
    assert (seen & ~hidden).sum() > (seen & hidden).sum()


def test_stylising_keeps_size_and_range_and_repeats(material):
    x = torch.from_numpy(material.puppets.frames[:4, ::2, ::2]).permute(0, 3, 1, 2).float() / 255
    one, again = (stylise(x, np.random.default_rng(7)) for _ in range(2))
    assert torch.equal(one, again)
    assert one.shape == x.shape
    assert one.min() >= 0
    assert one.max() <= 1
    assert not torch.equal(one, x)


def test_smoothing_evens_areas_and_keeps_edges_and_a_pencil_keeps_no_tone():
    random = np.random.default_rng(0)
    step = torch.zeros(1, 3, 32, 32)
    step[..., 16:] = 1
    noisy = step + 0.05 * torch.randn(step.shape, generator=torch.Generator().manual_seed(0))
    smoothed = smooth(noisy, 0.2, random)
    assert (smoothed - step)[..., :12].std() < 0.5 * (noisy - step)[..., :12].std()
    assert (smoothed[..., 18].mean() - smoothed[..., 13].mean()) > 0.8
    assert torch.allclose(pencil(torch.full((1, 3, 32, 32), 0.3), 2.0, random), torch.ones(1), atol=0.75)


# labels and clips


def turned_mesh(yaw=0.0, pitch=0.0, roll=0.0):
    """A flat face in space, turned; x right, y down, z away from the camera."""
    points = np.random.default_rng(0).uniform(-50, 50, (478, 3))
    points[234], points[454], points[10], points[152] = (-50, 0, 0), (50, 0, 0), (0, -60, 0), (0, 60, 0)
    points[33], points[263], points[13], points[14] = (-40, 0, 0), (40, 0, 0), (0, 20, 0), (0, 36, 0)
    y, p, r = np.radians([yaw, pitch, roll])
    about_y = np.array([[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), np.sin(p)], [0, -np.sin(p), np.cos(p)]])
    about_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return (points @ (about_z @ about_x @ about_y).T)[None].astype(np.float32)


SCORES = dict.fromkeys(
    ("eyeBlinkLeft", "eyeBlinkRight", "mouthSmileLeft", "mouthSmileRight", "eyeLookOutLeft", "eyeLookInRight",
     "eyeLookInLeft", "eyeLookOutRight"), np.zeros(1, np.float32),
)  # fmt: skip


@pytest.mark.parametrize(("axis", "place"), [("yaw", 0), ("pitch", 1), ("roll", 2)])
def test_labels_read_the_turn_of_a_mesh(axis, place):
    read = labels_of(turned_mesh(**{axis: 20.0}), SCORES)
    expected = np.zeros(3)
    expected[place] = 20
    assert np.allclose(read.curves[0, :3], expected, atol=1e-3)
    assert read.curves[0, 3] == pytest.approx(0.2, abs=1e-5)  # 16 of 80
    assert read.landmarks.shape == (1, 70, 2)


def test_labels_take_the_mean_of_both_eyes_and_the_side_of_the_gaze():
    scores = SCORES | {
        "eyeBlinkLeft": np.float32([0.6]),
        "eyeLookOutLeft": np.float32([0.4]),
        "eyeLookInRight": np.float32([0.8]),
    }
    read = labels_of(turned_mesh(), scores)
    assert read.curves[0, 4] == pytest.approx(0.3)
    assert read.curves[0, 6] == pytest.approx(0.6)
    assert len(set(MESH)) == 70


def test_squares_of_a_labelled_video_hold_the_labelled_places(tmp_path):
    """A dot at a label's place in the video is at the label's place in the square; the second run reads what the first left."""
    frames = np.zeros((2, 120, 160, 3), np.uint8)
    points = np.random.default_rng(0).uniform(60, 90, (2, 70, 2)).astype(np.float32)
    points[:, 0] = (70.5, 66.5)
    frames[:, 64:69, 68:73] = 255
    curves = np.ones((2, 7), np.float32)
    write_lossless(tmp_path / "one.mp4", frames, fps=25)
    [clip] = label_clips(
        tmp_path, ["one.mp4"], work=tmp_path, landmarker=lambda _: Labels(landmarks=points, curves=curves)
    )
    x, y = clip.landmarks[0, 0]
    assert clip.frames[0, int(y), int(x)].min() > 200
    assert clip.frames.shape == (2, SIDE, SIDE, 3)
    left, top, right, bottom = clip.inside[0]
    assert (right - left) / (bottom - top) == pytest.approx(160 / 120)
    [again] = label_clips(tmp_path, ["one.mp4"], work=tmp_path, landmarker=lambda _: pytest.fail("labelled twice"))
    assert np.array_equal(again.frames, clip.frames)


def test_a_video_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ToonbenchError, match="lp_d12"):
        label_clips(tmp_path, [name for name in TRAINING if "d12" in name], work=tmp_path / "work")


@pytest.mark.parametrize("faces", [0, 1])
def test_a_video_with_fewer_faces_than_a_batch_needs_is_refused(tmp_path, faces):
    write_lossless(tmp_path / "one.mp4", np.zeros((3, 64, 64, 3), np.uint8), fps=25)
    few = Labels(landmarks=np.full((3, 70, 2), np.nan, np.float32), curves=np.full((3, 7), np.nan, np.float32))
    few.landmarks[:faces], few.curves[:faces] = 30, 0
    with pytest.raises(ToonbenchError, match=f"one.mp4: .* a face in {faces} of 3 frames; training needs 2"):
        label_clips(tmp_path, ["one.mp4"], work=tmp_path, landmarker=lambda _: few)


def test_a_video_without_a_face_is_not_measured(tmp_path):
    write_lossless(tmp_path / "one.mp4", np.zeros((3, 64, 64, 3), np.uint8), fps=25)
    nothing = np.full((3, 70, 2), np.nan, np.float32)
    np.savez(tmp_path / "one.npz", landmarks=nothing, curves=nothing[:, :7, 0])
    with pytest.raises(ToonbenchError, match=r"one.mp4: the face landmarker finds no face"):
        measure_clip(tmp_path / "one.mp4", [], work=tmp_path)


# training


def test_training_begins_with_what_the_landmark_network_says(material):
    batch = make_batch(material, size=16, seed=1, step=0)
    stored = read_landmark_weights()
    reader = begin(batch.pictures).eval()
    with torch.inference_mode():
        old, new = stored(batch.pictures), reader.read(batch.pictures)
    assert (old.landmarks - new.landmarks).abs().max() < 1e-2
    assert torch.allclose(new.curves[:, 0], (old.rig[:, 0] * 2 - 1) * 35, atol=0.05)


def batch_of(curves):
    n = len(curves)
    return Batch(
        pictures=torch.zeros(n, 3, SIZE, SIZE), landmarks=torch.zeros(n, 70, 2), landmark_weight=torch.ones(n, 70),
        curves=curves, curve_weight=torch.ones(n, 7), sides=torch.ones(n, 7), face=torch.ones(n),
    )  # fmt: skip


def test_an_offset_of_a_face_is_no_change_and_another_motion_is():
    true = torch.randn(8, 7, generator=torch.Generator().manual_seed(0))

    def change(curves):
        said = Output(landmarks=torch.zeros(8, 70, 2), log_scale=torch.zeros(8, 70), curves=curves, face=torch.zeros(8))
        return losses(said, batch_of(true))["change"]

    offset = torch.tensor([1.0, -1.0]).repeat_interleave(VIEWS)[:, None]
    assert change(true + offset) < 1e-6
    assert change(true * 0.5) > 0.01


@pytest.mark.slow
def test_training_resumes_to_the_same_bytes(material, tmp_path):
    plan = Plan(steps=2, batch=8, save_every=1, warmup=1)
    whole = train(material, plan, folder=tmp_path / "whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("toonbench.reader_training.training.make_batch", interrupted_after(1))
        with pytest.raises(KeyboardInterrupt):
            train(material, plan, folder=tmp_path / "parts")
    parts = train(material, plan, folder=tmp_path / "parts")
    assert all(torch.equal(one, other) for one, other in zip(whole.parameters(), parts.parameters(), strict=True))


def interrupted_after(steps):
    def make(*args, step, **options):
        if step == steps:
            raise KeyboardInterrupt
        return make_batch(*args, step=step, **options)

    return make


# measuring


def test_a_crop_holds_all_faces_of_a_clip_and_turns_about_its_middle():
    frames = np.zeros((2, 300, 400, 3), np.uint8)
    points = np.random.default_rng(0).uniform(150, 220, (2, 70, 2)).astype(np.float32)
    frames[
        :, int(points[0, 0, 1]) - 2 : int(points[0, 0, 1]) + 3, int(points[0, 0, 0]) - 2 : int(points[0, 0, 0]) + 3
    ] = 255
    for turned in (0.0, 30.0):
        squares, placed = crop_face(frames, points, 1.5, turned=turned)
        assert placed.min() > 0
        assert placed.max() < 256
        x, y = placed[0, 0]
        assert squares[0, int(y), int(x)].min() > 200
        assert landmark_error(placed, placed) == 0


def test_correlations_are_said_of_what_moves_only():
    true = np.zeros((40, 7))
    true[:, 0] = 10 * np.sin(np.arange(40))
    read = true.copy()
    read[:, 0] = -0.5 * true[:, 0] + 3
    found = correlations(true, read)
    assert found[0] == pytest.approx(-1)
    assert np.isnan(found[1:]).all()
    read[:35] = np.nan
    assert np.isnan(correlations(true, read)).all()


# weights and reading


def test_weights_of_another_network_are_refused(tmp_path):
    write_weights(MotionReader(), tmp_path / "own.safetensors")
    assert isinstance(read_weights(tmp_path / "own.safetensors"), MotionReader)
    write_weights(LandmarkNet(), tmp_path / "other.safetensors")
    with pytest.raises(ToonbenchError, match="motion reader"):
        read_weights(tmp_path / "other.safetensors")
    with pytest.raises(ToonbenchError, match=r"train_motion_reader\.py"):
        read_weights(tmp_path / "absent.safetensors")


@pytest.fixture(scope="module")
def clip():
    """A puppet in motion that nothing was trained on."""
    motion = generate(77, frames=24, step=3)
    drawn = render_clip(make_look("disney3d", 7007), motion, size=192)
    return drawn.frames, drawn.landmarks, curves_of_rig(motion, drawn.landmarks)


@shipped
def test_the_stored_network_is_small_and_follows_a_puppet(clip):
    frames, landmarks, true = clip
    assert WEIGHTS.stat().st_size <= 4e6
    read = read_pictures(frames)
    assert read.face.min() > 0.5
    assert landmark_error(read.landmarks, landmarks) < 0.06
    found = correlations(true, read.curves)
    assert np.nanmin(found) > 0.7
    assert found[0] > 0.95


@shipped
def test_a_reading_does_not_depend_on_the_other_frames(clip):
    frames = clip[0][:6]
    whole, part = read_closely(frames), read_closely(frames[2:4])
    assert np.allclose(whole.curves[2:4], part.curves, atol=1e-3)
    assert np.allclose(whole.landmarks[2:4], part.landmarks, atol=1e-2)


@shipped
def test_a_close_reading_of_a_mirrored_video_is_the_mirrored_reading(clip):
    frames, _, true = clip
    read, other = read_closely(frames).curves, read_closely(np.ascontiguousarray(frames[:, :, ::-1])).curves
    spread = np.maximum(true.std(0), 1e-3)
    assert (np.abs(read - other * MIRRORED).mean(0) < 0.5 * spread).all()


@shipped
def test_frames_without_a_face_are_not_read(clip):
    frames = clip[0][:3].copy()
    frames[1] = 127
    read = read_closely(frames)
    assert np.isfinite(read.curves[[0, 2]]).all()
    assert np.isnan(read.curves[1]).all()
    assert np.isnan(read.landmarks[1]).all()
    assert read.face[1] < motion_reader.FACE


@shipped
def test_a_face_on_its_head_is_doubted(clip):
    frames = clip[0][:8]
    upright, hanging = read_pictures(frames), read_pictures(np.ascontiguousarray(frames[:, ::-1, ::-1]))
    assert hanging.face.mean() < upright.face.mean() - 0.05
    assert hanging.doubt.mean() > upright.doubt.mean() + 0.7


# the card


def measured(name, value):
    curves = np.full(7, value, np.float32)
    curves[5] = np.nan
    return RealClip(name=name, tight=curves, wide=curves, mean=curves, crops=curves, error=0.04, found=1.0)


def test_bars_are_means_over_curves_that_move_and_over_videos():
    found = bars([measured("a", 0.2), measured("b", 0.4)], [measured("a", 0.8), measured("b", 0.9)])
    agreement = found[1]
    assert agreement.landmark_network == pytest.approx(0.3)
    assert agreement.reader == pytest.approx(0.85)
    assert np.isnan(found[3].reader)  # no video has a smile


def test_labels_of_a_video_are_read_once(tmp_path, monkeypatch):
    labels = Labels(landmarks=np.ones((3, 70, 2), np.float32), curves=np.ones((3, 7), np.float32))
    monkeypatch.setattr("toonbench.reader_training.labels.read_labels", lambda _: labels)
    frames = np.zeros((3, 8, 8, 3), np.uint8)
    stored_labels(frames, tmp_path / "labels" / "one.npz")
    monkeypatch.setattr("toonbench.reader_training.labels.read_labels", lambda _: pytest.fail("read twice"))
    again = stored_labels(frames, tmp_path / "labels" / "one.npz")
    assert np.array_equal(again.curves, labels.curves)
