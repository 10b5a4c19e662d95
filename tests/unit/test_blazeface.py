"""Networks in TensorFlow Lite's format, and the detector that is read from the face landmarker's file."""

import zipfile

import numpy as np
import pytest
import torch
from torch.nn import functional

from tflite_builder import Builder, random
from toonbench import weights
from toonbench.networks import blazeface
from toonbench.networks.blazeface import MEMBER, SIDE, find_faces
from toonbench.networks.tflite import UnreadableModel, read_network
from toonbench.types import ToonbenchError

# --- the format ------------------------------------------------------------------------------------------------------


def test_a_convolution_with_halves_and_a_stride_is_torchs_with_padding_at_the_far_edge():
    kernel, bias = random(5, 3, 3, 2).astype(np.float16), random(5)
    one = Builder([1, 8, 8, 2])
    halves = one.add(6, [one.constant(kernel)], [5, 3, 3, 2])
    options = {0: ("b", 0), 1: ("i", 2), 2: ("i", 2), 3: ("b", 1)}
    output = one.add(3, [0, halves, one.constant(bias)], [1, 4, 4, 5], options)
    x = torch.from_numpy(random(1, 8, 8, 2))
    padded = functional.pad(x.permute(0, 3, 1, 2), (0, 1, 0, 1))
    weight = torch.from_numpy(kernel.astype(np.float32)).permute(0, 3, 1, 2)
    expected = functional.conv2d(padded, weight, torch.from_numpy(bias), 2).relu().permute(0, 2, 3, 1)
    assert torch.allclose(read_network(one.content(output))(x)[0], expected, atol=1e-5)


def test_depthwise_convolutions_poolings_sums_and_paddings_are_computed():
    kernel = random(1, 3, 3, 4)
    one = Builder([1, 6, 6, 4])
    convolved = one.add(4, [0, one.constant(kernel), one.constant(random(4))], [1, 6, 6, 4], {1: ("i", 1), 2: ("i", 1)})
    summed = one.add(0, [convolved, 0], [1, 6, 6, 4], {0: ("b", 1)})
    square = {1: ("i", 2), 2: ("i", 2), 3: ("i", 2), 4: ("i", 2)}
    pooled = one.add(17, [summed], [1, 3, 3, 4], square)
    sides = one.constant(np.array([[0, 0], [0, 0], [0, 0], [0, 2]], np.int32))
    padded = one.add(34, [pooled, sides], [1, 3, 3, 6])
    shaped = one.add(22, [padded], [1, 9, 6])
    output = one.add(2, [shaped, shaped], [1, 18, 6], {0: ("i", 1)})
    x = torch.from_numpy(random(1, 6, 6, 4))
    channels = x.permute(0, 3, 1, 2)
    weight = torch.from_numpy(kernel).permute(3, 0, 1, 2)
    y = functional.conv2d(channels, weight, torch.from_numpy(random(4)), padding=1, groups=4)
    y = functional.max_pool2d((y + channels).relu(), 2).permute(0, 2, 3, 1)
    expected = functional.pad(y, (0, 2)).reshape(1, 9, 6)
    assert torch.allclose(read_network(one.content(output))(x)[0], torch.cat([expected, expected], 1), atol=1e-5)


def test_bytes_that_are_no_network_and_unknown_operators_are_refused():
    with pytest.raises(UnreadableModel, match="TFL3"):
        read_network(b"something else entirely")
    one = Builder([1, 2])
    with pytest.raises(UnreadableModel, match=r"\[98\]"):
        read_network(one.content(one.add(98, [0], [1, 2])))
    with pytest.raises(UnreadableModel):
        read_network(Builder([1, 2]).content(0)[:40])


# --- the detector ----------------------------------------------------------------------------------------------------


@pytest.fixture
def landmarker(tmp_path, monkeypatch):
    """A file like the face landmarker's, whose detector finds one face in the middle of every picture."""
    scores = np.full((1, 896, 1), -50, np.float32)
    places = np.zeros((1, 896, 16), np.float32)
    at = 2 * (8 * 16 + 8)  # the cell whose middle is at 68, 68
    scores[0, at : at + 2, 0] = 3, 1
    places[0, at : at + 2, 2:4] = 40, 60
    places[0, at : at + 2, 4:6] = -10, -5
    one = Builder([1, SIDE, SIDE, 3])
    zero = one.add(
        0, [one.constant(scores), one.constant(np.zeros((1, 896, 1), np.float32))], [1, 896, 1], {0: ("b", 0)}
    )
    moves = one.constant(places)
    graph_outputs = [moves, zero]
    content = one.content(zero)
    network = read_network(content)
    object.__setattr__(network, "outputs", graph_outputs)
    path = tmp_path / "face_landmarker.task"
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr(MEMBER, content)
    monkeypatch.setattr(weights, "path", lambda name: path)
    monkeypatch.setattr(blazeface, "read_network", lambda data: network)
    blazeface._network.cache_clear()
    yield path
    blazeface._network.cache_clear()


def test_boxes_and_points_are_in_pixels_of_a_frame_that_is_not_square(landmarker):
    (face,) = find_faces(np.zeros((256, 512, 3), np.uint8))
    assert face.box == pytest.approx((192, 24, 352, 264))
    assert face.points[0] == pytest.approx((232, 124))
    assert face.score == pytest.approx(1 / (1 + np.exp(-3)))


def test_a_file_without_the_detector_is_named_with_what_to_do(landmarker, monkeypatch):
    landmarker.write_bytes(b"no zip")
    with pytest.raises(ToonbenchError, match="weights fetch face-landmarker"):
        find_faces(np.zeros((64, 64, 3), np.uint8))


def test_a_photographed_face_is_found_with_its_eyes_above_its_mouth():
    if reason := weights.missing([blazeface.NAME]):
        pytest.skip(reason)
    from skimage import data

    (face,) = find_faces(data.astronaut()[0:256, 96:352])
    left, top, right, bottom = face.box
    assert 70 < left < 110
    assert 50 < top < 110
    assert 140 < right < 190
    assert 130 < bottom < 190
    assert face.points[:2, 1].max() < face.points[3, 1]
