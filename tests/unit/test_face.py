"""Faces are found, followed and cut out as squares; no face is an error that says so."""

from itertools import pairwise

import numpy as np
import pytest
from skimage import data

from toonbench.prepare import face
from toonbench.prepare.face import NoFace, crop_clip, crop_image, find_face, sample_frames
from toonbench.types import Frame, Frames, ToonbenchError


@pytest.fixture(scope="module")
def astronaut() -> Frame:
    """Eileen Collins, 512 x 512, her face about 110 pixels high around (223, 117)."""
    return data.astronaut()


def panned(picture: Frame, *, shifts: list[int], width: int = 400) -> Frames:
    return np.stack([picture[:, shift : shift + width] for shift in shifts])


def test_the_crop_is_a_square_around_the_face(astronaut: Frame) -> None:
    crop = crop_image(astronaut, size=128)
    left, top, side = crop.box
    assert crop.frames.shape == (1, 128, 128, 3)
    assert crop.frames.dtype == np.uint8
    assert abs(left + side / 2 - 223) < 20
    assert abs(top + side / 2 - 117) < 20
    assert 90 < side < 180


def test_cropping_is_deterministic(astronaut: Frame) -> None:
    one, again = crop_image(astronaut), crop_image(astronaut)
    assert one.box == again.box
    np.testing.assert_array_equal(one.frames, again.frames)


def test_the_box_of_a_large_picture_is_found_on_a_small_one_and_scaled_back(astronaut: Frame) -> None:
    left, top, side = crop_image(astronaut).box
    large = np.kron(astronaut, np.ones((3, 3, 1), np.uint8))
    assert crop_image(large).box == pytest.approx((3 * left, 3 * top, 3 * side), abs=24)


def test_one_square_holds_a_moving_face_throughout(astronaut: Frame) -> None:
    still = crop_clip(panned(astronaut, shifts=[40])).box
    moving = crop_clip(panned(astronaut, shifts=[10, 25, 40, 55]))
    assert moving.frames.shape == (4, 256, 256, 3)
    assert moving.detected == 1
    assert still[2] + 10 < moving.box[2] < still[2] + 60


def test_a_square_that_leaves_the_picture_repeats_its_edge(astronaut: Frame) -> None:
    cut = np.ascontiguousarray(astronaut[80:, 180:])
    cut[0], cut[:, 0] = (255, 0, 0), (255, 0, 0)
    crop = crop_image(cut)
    left, top, side = crop.box
    assert min(left, top) < 0
    rows = max(0, -top) * 256 // side
    assert rows > 2
    np.testing.assert_array_equal(crop.frames[0, : rows - 2, 128], np.tile(crop.frames[0, 0, 128], (rows - 2, 1)))


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((100, 100, 3), np.uint8),
        np.zeros((1, 1, 3), np.uint8),
        np.zeros((3000, 21, 3), np.uint8),
        np.zeros((20, 20, 3), np.uint8),
        np.random.default_rng(0).integers(0, 256, (64, 37, 3), dtype=np.uint8),
    ],
)
def test_a_picture_without_a_face_raises_no_face(picture: Frame) -> None:
    with pytest.raises(NoFace, match="no face found in the picture"):
        crop_image(picture)


def test_a_clip_without_a_face_says_how_many_frames_were_looked_at() -> None:
    with pytest.raises(NoFace, match="12 of 12 frames"):
        crop_clip(np.zeros((12, 40, 40, 3), np.uint8))


def test_no_frames_are_refused() -> None:
    with pytest.raises(ToonbenchError, match="without frames"):
        find_face([])


def test_a_large_box_seen_once_yields_to_a_lasting_smaller_one(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = [np.full((100, 100, 3), index, np.uint8) for index in range(10)]

    def detect(frame: Frame, *, low: bool) -> list[tuple[face.Box, float]]:
        small = ((10.0, 10.0, 30.0, 30.0), 0.99)
        return [small, ((40.0, 40.0, 90.0, 90.0), 0.99)] if frame[0, 0, 0] in (3, 4) else [small]

    monkeypatch.setattr(face, "_detect", detect)
    found = find_face(frames)
    assert (found.left, found.top, found.side) == (8, 8, 24)
    assert found.detected == 1


def test_a_face_is_followed_across_frames_in_which_it_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = [np.full((100, 100, 3), index, np.uint8) for index in range(8)]

    def detect(frame: Frame, *, low: bool) -> list[tuple[face.Box, float]]:
        index = float(frame[0, 0, 0])
        return [((20 + index, 20.0, 40 + index, 40.0), 0.9)] if index in (0, 3, 7) else []

    monkeypatch.setattr(face, "_detect", detect)
    found = find_face(frames)
    assert found.detected == 3 / 8
    assert (found.left, found.side) == (17, 32)


@pytest.mark.parametrize("count", [1, 2, 15, 16, 17, 31, 32, 33, 100, 1000])
def test_samples_are_few_and_evenly_spaced_whatever_the_length(count: int) -> None:
    frames = (np.full((1, 1, 3), index % 256, np.uint8) for index in range(count))
    kept, length = sample_frames(frames)
    assert length == count
    assert min(count, 8) <= len(kept) <= 16
    if count <= 256:
        assert len({int(b[0, 0, 0]) - int(a[0, 0, 0]) for a, b in pairwise(kept)}) <= 1
