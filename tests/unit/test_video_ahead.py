"""Decoding ahead in a thread, and frames that are converted on use."""

import threading
from itertools import count, islice

import numpy as np
import pytest

from toonbench import video
from toonbench.types import ToonbenchError


def film(tmp_path, frames=12, height=48, width=64):
    rng = np.random.default_rng(5)
    made = [rng.integers(0, 255, (height, width, 3), dtype=np.uint8) for _ in range(frames)]
    video.write_film(tmp_path / "film.mp4", made, fps=25, width=width, height=height)
    return tmp_path / "film.mp4"


def test_items_that_are_read_ahead_keep_their_order():
    assert list(video.read_ahead(iter(range(100)), waiting=3)) == list(range(100))


def test_an_error_reaches_the_reader_after_the_items_before_it():
    def items():
        yield 1
        raise ToonbenchError("damaged")

    ahead = video.read_ahead(items())
    assert next(ahead) == 1
    with pytest.raises(ToonbenchError, match="damaged"):
        next(ahead)


def test_a_reader_that_stops_ends_the_thread_and_closes_the_source():
    closed, before = [], threading.active_count()

    def items():
        try:
            yield from count()
        finally:
            closed.append(True)

    ahead = video.read_ahead(items(), waiting=2)
    assert list(islice(ahead, 3)) == [0, 1, 2]
    ahead.close()
    assert closed == [True]
    assert threading.active_count() == before


def test_lazy_frames_have_the_pixels_of_eager_ones_whenever_they_are_asked(tmp_path):
    path = film(tmp_path)
    for longest in (None, 32):
        eager = np.stack(list(video.iter_frames(path, longest=longest)))
        kept = list(video.iter_lazy_frames(path, longest=longest))
        assert np.array_equal(np.stack([one.pixels for one in reversed(kept)])[::-1], eager)
        assert kept[0].pixels is kept[0].pixels


def test_lazy_frames_of_a_truncated_film_end_with_an_error(tmp_path):
    path = tmp_path / "long.mkv"
    video.write_lossless(path, np.stack(list(video.iter_frames(film(tmp_path, frames=40)))), fps=25)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ToonbenchError, match="truncated"):
        list(video.iter_lazy_frames(path))


def test_lazy_frames_of_an_image_are_its_own(tmp_path):
    picture = np.full((8, 8, 3), 77, np.uint8)
    video.write_png(tmp_path / "one.png", picture)
    (frame,) = video.iter_lazy_frames(tmp_path / "one.png")
    assert np.array_equal(video.pixels_of(frame), picture)
