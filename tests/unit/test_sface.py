"""csim_sface: its network in blocks of int8, the face it looks at, and what is said about other files."""

import numpy as np
import pytest

from int8_onnx_files import write_sface, write_yunet
from toonbench import weights
from toonbench.metrics.csim_sface import CSIMSFace
from toonbench.networks import int8_onnx, sface, yunet
from toonbench.networks.yunet import FoundFace
from toonbench.types import ToonbenchError

POINTS = np.array([[38.3, 51.7], [73.5, 51.5], [56.0, 71.7], [41.5, 92.4], [70.7, 92.2]])  # of the aligned face


@pytest.fixture
def one_face(monkeypatch):
    """YuNet finds a face that is aligned already, and a smaller one that is surer."""
    faces = [FoundFace((0, 0, 9, 9), 0.99, POINTS / 12), FoundFace((10, 10, 100, 100), 0.7, POINTS)]
    monkeypatch.setattr(yunet, "find_faces", lambda frame: faces if frame.any() else [])


@pytest.mark.usefixtures("one_face")
def test_the_embedding_is_that_of_the_largest_face_in_red_green_blue(tmp_path):
    path = tmp_path / "sface.onnx"
    projection = write_sface(path)
    frame = np.random.default_rng(1).integers(0, 256, (8, 8, 3)).astype(np.uint8).repeat(14, 0).repeat(14, 1)
    rows = sface.from_file(path).extract_features(np.stack([frame, 0 * frame]))
    means = frame[::14, ::14].transpose(2, 0, 1).astype(np.float64).ravel()
    expected = projection @ means
    assert rows[0] @ (expected / np.linalg.norm(expected)) > 0.999
    assert np.linalg.norm(rows[0]) == pytest.approx(1, abs=1e-6)
    assert np.isnan(rows[1]).all()


def test_constants_in_blocks_are_scaled_block_by_block_and_are_no_inputs(tmp_path):
    path = tmp_path / "sface.onnx"
    projection = write_sface(path)
    session = int8_onnx.session(path)
    assert [one.name for one in session.get_inputs()] == ["data"]
    picture = np.random.default_rng(2).uniform(0, 255, (1, 3, 112, 112)).astype(np.float32)
    means = picture.reshape(3, 8, 14, 8, 14).mean(axis=(2, 4)).ravel()
    assert session.run(None, {"data": picture})[0][0] == pytest.approx(projection @ means, rel=1e-4, abs=1e-2)


def test_a_network_of_other_shapes_and_a_damaged_file_are_named_with_what_to_do(tmp_path):
    write_sface(tmp_path / "other.onnx", side=128)
    (tmp_path / "damaged.onnx").write_bytes(b"no network")
    (tmp_path / "empty.onnx").write_bytes(b"")
    for name in ("other.onnx", "damaged.onnx", "empty.onnx"):
        with pytest.raises(ToonbenchError, match=rf"{name}' cannot be .*fetch") as error:
            sface.from_file(tmp_path / name)
        assert "\n" not in str(error.value)


def test_a_face_of_yunet_is_aligned_before_it_is_embedded(tmp_path, monkeypatch):
    write_sface(tmp_path / "sface.onnx")
    write_yunet(tmp_path / "yunet.onnx")
    monkeypatch.setattr(weights, "path", lambda name: tmp_path / f"{name}.onnx")
    frames = np.full((3, 64, 64, 3), 200, np.uint8)
    frames[1, 20:30, 40:50], frames[2] = 0, 0
    rows = CSIMSFace().extract_features(frames)
    assert rows[0] @ rows[1] < 0.99999
    assert np.isfinite(rows[:2]).all()
    assert np.isnan(rows[2]).all()


def test_a_photograph_and_its_mirror_image_are_one_person_and_an_empty_picture_has_none():
    if reason := weights.missing(CSIMSFace.weights):
        pytest.skip(reason)
    from skimage import data

    photograph = data.astronaut()[0:256, 96:352]
    grey = np.zeros_like(photograph) + 90
    rows = CSIMSFace().extract_features(np.stack([photograph, photograph[:, ::-1], grey]))
    assert rows.shape == (3, 128)
    assert rows[0] @ rows[1] > 0.6
    assert np.isnan(rows[2]).all()
