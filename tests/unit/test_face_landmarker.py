"""The face landmarker's file: its operators, the square it cuts out, and what it reads of whole pictures."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from tflite_builder import Builder, random
from toonbench import weights
from toonbench.networks import face_landmarker, sampling_kernels
from toonbench.networks.face_landmarker import NAMES, OF_BLENDSHAPES, Square, read_faces
from toonbench.networks.tflite import read_network
from toonbench.types import ToonbenchError

PICTURE = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)


def test_names_and_points_of_the_blendshapes_are_as_many_as_the_networks_have():
    assert len(NAMES) == len(set(NAMES)) == 52
    assert len(OF_BLENDSHAPES) == len(set(OF_BLENDSHAPES)) == 146
    assert NAMES[9:11] == ("eyeBlinkLeft", "eyeBlinkRight")
    assert NAMES[25] == "jawOpen"


# --- operators -------------------------------------------------------------------------------------------------------


def test_a_layer_normalisation_written_out_in_operators_is_torchs_in_every_row_of_a_batch():
    one = Builder([1, 1, 5, 8])
    axis, small = one.constant(np.array([3], np.int32)), one.constant(np.array(1e-3, np.float32))
    keep = {0: ("b", 1)}
    mean = one.add(40, [0, axis], [1, 1, 5, 1], keep)
    variance = one.add(40, [one.add(99, [0, mean], [1, 1, 5, 8]), axis], [1, 1, 5, 1], keep)
    shifted = one.add(0, [variance, small], [1, 1, 5, 1], {0: ("b", 0)})
    scale = one.add(76, [shifted], [1, 1, 5, 1])
    moved = one.add(0, [0, one.add(59, [mean], [1, 1, 5, 1])], [1, 1, 5, 8], {0: ("b", 0)})
    content = one.content(one.add(18, [moved, scale], [1, 1, 5, 8], {0: ("b", 0)}))
    x = torch.from_numpy(random(3, 1, 5, 8))
    assert torch.allclose(read_network(content)(x)[0], functional.layer_norm(x, [8], eps=1e-3), atol=1e-5)


def test_points_are_centred_scaled_transposed_joined_with_a_constant_and_sliced():
    one = Builder([1, 6, 2])
    centre = one.add(40, [0, one.constant(np.array(1, np.int32))], [1, 1, 2], {0: ("b", 1)})
    centred = one.add(41, [0, centre], [1, 6, 2], {0: ("b", 0)})
    squares = one.add(18, [centred, centred], [1, 6, 2], {0: ("b", 0)})
    summed = one.add(74, [squares, one.constant(np.array([2], np.int32))], [1, 6, 1], {0: ("b", 1)})
    scaled = one.add(42, [centred, one.add(75, [summed], [1, 6, 1])], [1, 6, 2], {0: ("b", 0)})
    turned = one.add(39, [scaled, one.constant(np.array([0, 2, 1], np.int32))], [1, 2, 6])
    joined = one.add(2, [one.constant(np.ones((1, 1, 6), np.float32)), turned], [1, 3, 6], {0: ("i", 1)})
    bounds = [one.constant(np.array(numbers, np.int32)) for numbers in ([0, 0, 1], [1, 2, 0], [1, 1, 2])]
    sliced = one.add(45, [joined, *bounds], [1, 2, 3], {1: ("i", 0b100)})  # the end of the last axis is open
    content = one.content(one.add(14, [sliced], [1, 2, 3]))
    x = torch.from_numpy(random(2, 6, 2))
    unit = x - x.mean(1, keepdim=True)
    unit = unit / unit.norm(dim=2, keepdim=True)
    expected = torch.cat([torch.ones(2, 1, 6), unit.transpose(1, 2)], dim=1)[:, :2, 1::2].sigmoid()
    assert torch.allclose(read_network(content)(x)[0], expected, atol=1e-6)


def test_a_slope_for_negative_values_belongs_to_its_channel():
    one = Builder([1, 4, 4, 3])
    slope = np.array([[[0.1, 0.5, 2.0]]], np.float16)
    floats = one.add(6, [one.constant(slope)], [1, 1, 3])
    content = one.content(one.add(54, [0, floats], [1, 4, 4, 3]))
    x = torch.from_numpy(random(2, 4, 4, 3))
    expected = torch.where(x > 0, x, x * torch.from_numpy(slope.astype(np.float32)))
    assert torch.allclose(read_network(content)(x)[0], expected)


# --- the square ------------------------------------------------------------------------------------------------------


def test_an_upright_square_of_the_pictures_own_size_is_the_picture():
    middle = Square(x=10, y=10, side=20, turn=0.0)
    assert np.array_equal(middle.sampled(PICTURE, 20, repeat=True), PICTURE[:, :20])


def test_a_square_turned_by_a_quarter_has_the_pictures_rows_as_columns():
    found = Square(x=10, y=10, side=20, turn=np.pi / 2).sampled(PICTURE, 20, repeat=True)
    assert np.array_equal(found, PICTURE[:, 20:0:-1].transpose(1, 0, 2))


def test_samples_lie_between_four_pixels_and_outside_is_the_edge_or_black():
    flat = np.full((4, 4, 3), 200, np.uint8)
    wide = Square(x=2, y=2, side=8, turn=0.0)
    assert (wide.sampled(flat, 8, repeat=True) == 200).all()
    black = wide.sampled(flat, 8, repeat=False)
    assert (black[2:6, 2:6] == 200).all()
    assert black.sum() == 200 * 16 * 3
    ramp = np.tile(np.arange(0, 80, 8, dtype=np.uint8)[None, :, None], (10, 1, 3))
    assert np.array_equal(
        Square(x=3.25, y=3, side=4, turn=0.0).sampled(ramp, 4, repeat=True)[0, :, 0], [10, 18, 26, 34]
    )


def test_compiled_and_uncompiled_loops_give_the_same_bytes():
    corners = np.array([[-3, 15], [-2, 1.5], [12, 3], [13, 18]], np.float32)
    loops = face_landmarker._loops()
    places = loops.map_to_frame(corners, 16)
    assert places.tobytes() == sampling_kernels.map_to_frame(corners, 16).tobytes()
    for repeat in (False, True):
        plain = sampling_kernels.sampled(PICTURE, places, 16, repeat)
        assert np.array_equal(plain, loops.sampled(PICTURE, places, 16, repeat))


def test_the_map_takes_the_corners_of_the_square_to_those_in_the_frame():
    corners = np.array([[2, 30], [1, 4], [25, 3], [20, 28]], np.float32)
    places = sampling_kernels.map_to_frame(corners, 16)
    found = np.array([[0, 16, 1], [0, 0, 1], [16, 0, 1], [16, 16, 1]]) @ places.T
    assert np.allclose(found[:, :2] / found[:, 2:], corners)


def test_points_of_the_square_are_placed_where_its_pixels_were_taken():
    turned = Square(x=15, y=10, side=12, turn=0.4)
    ramps = np.stack(np.broadcast_arrays(np.arange(30)[None] * 8, np.arange(20)[:, None] * 8, 0), axis=-1)
    seen = turned.sampled(ramps.astype(np.uint8), 12, repeat=True)
    place = turned.placed(np.array([[4 / 12, 7 / 12, 0.5]]))[0]
    assert np.allclose(seen[7, 4, :2] / 8, place[:2], atol=0.1)
    assert place[2] == 6


# --- whole pictures --------------------------------------------------------------------------------------------------


@pytest.fixture
def there():
    if reason := weights.missing([face_landmarker.NAME]):
        pytest.skip(reason)


@pytest.fixture
def photographs():
    from skimage import data

    picture = data.astronaut()
    return np.stack([picture[0:256, 96:352], np.zeros((256, 256, 3), np.uint8), picture[10:266, 100:356]])


@pytest.mark.usefixtures("there")
def test_a_photographed_face_is_read_and_a_frame_without_one_is_missing(photographs):
    read = read_faces(photographs)
    assert read.points.shape == (3, 478, 3)
    assert read.blendshapes.shape == (3, 52)
    assert np.isnan(read.points[1]).all()
    assert np.isnan(read.blendshapes[1]).all()
    assert np.isnan(read.score[1])
    assert (read.score[[0, 2]] > 0.9).all()
    assert read.points[0, 33, 0] < read.points[0, 263, 0]  # the person's right eye is on the left
    assert read.points[0, 1, 2] < read.points[0, 33, 2]  # the nose tip is nearer than the eye
    smile, pucker = (read.blendshapes[0, NAMES.index(name)] for name in ("mouthSmileLeft", "mouthPucker"))
    assert smile > 0.5 > pucker
    moved = read.points[0, :, :2] - [4, 10] - read.points[2, :, :2]
    assert np.abs(moved).max() < 2


@pytest.mark.usefixtures("there")
def test_what_is_read_of_a_frame_does_not_depend_on_the_frames_beside_it(photographs):
    together = read_faces(photographs)
    for at in range(3):
        alone = read_faces(photographs[at : at + 1])
        assert alone.points.tobytes() == together.points[at].tobytes()
        assert alone.blendshapes.tobytes() == together.blendshapes[at].tobytes()
    assert len(read_faces(photographs[:0]).score) == 0


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x05\x06" + bytes(18)])
def test_a_file_that_is_no_landmarker_is_named_with_what_to_do(tmp_path, content):
    path = tmp_path / "face_landmarker.task"
    path.write_bytes(content)
    with pytest.raises(ToonbenchError, match=r"face_landmarker.task' cannot be used .* weights fetch face-landmarker"):
        face_landmarker.from_file(path)


GOLDEN = Path(__file__).parents[1] / "golden" / "face_landmarker.npz"


@pytest.mark.usefixtures("there")
@pytest.mark.parametrize("name", ["upright", "tilted", "wide", "tall", "edge", "cel", "two", "none"])
def test_whole_pictures_are_read_as_by_litert_and_opencv(name):
    """`scripts/landmarker_goldens.py` made the goldens."""
    with np.load(GOLDEN) as stored:
        read = read_faces(stored[f"{name}.picture"][None])
        if f"{name}.points" not in stored:
            assert np.isnan(read.score[0])
            return
        points = stored[f"{name}.points"]
        eyes = np.linalg.norm(points[33, :2] - points[263, :2])
        assert np.abs(read.points[0] - points).max() <= 1e-3 * eyes
        assert np.abs(read.blendshapes[0] - stored[f"{name}.blendshapes"]).max() <= 1e-3
        assert abs(read.score[0] - stored[f"{name}.score"]) <= 1e-3


@pytest.mark.usefixtures("there")
def test_a_small_change_of_the_square_is_seen_in_the_goldens(monkeypatch):
    monkeypatch.setattr(face_landmarker, "WIDER", 1.55)
    with np.load(GOLDEN) as stored:
        points = stored["upright.points"]
        read = read_faces(stored["upright.picture"][None])
    assert np.abs(read.points[0] - points).max() > 2e-3 * np.linalg.norm(points[33, :2] - points[263, :2])
