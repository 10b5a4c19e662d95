"""Cutting many parts of a film at once."""

import numpy as np
import pytest

from toonbench import video
from toonbench.prepare.films.clip_writer import ClipWriter
from toonbench.prepare.films.parts import Part, Resampling, cut_parts, needed_frames
from toonbench.types import ToonbenchError


def film(count, height=48, width=64):
    rng = np.random.default_rng(3)
    return [rng.integers(0, 255, (height, width, 3), dtype=np.uint8) for _ in range(count)]


def part(tmp_path, name, first, last, *, squares=((4, 4, 32),), fps=25.0, film_fps=25.0):
    path = tmp_path / f"{name}.mkv"
    return Part(name=name, path=path, first=first, last=last, squares=squares, size=32, film_fps=film_fps, fps=fps)


class Count:
    def __init__(self):
        self.frames = 0

    def add(self, frame, at):
        assert frame.shape == (32, 32, 3)
        self.frames += 1


def cut(frames, parts):
    finished = {}
    cut_parts(frames, parts, meters=lambda one: [Count()], done=lambda one: finished.update({one.part.name: one}))
    return finished


def test_parts_that_overlap_hold_their_own_frames(tmp_path):
    frames = film(30)
    parts = [part(tmp_path, "a", 0, 20), part(tmp_path, "b", 5, 30, squares=((10, 8, 32),))]
    finished = cut(frames, parts)
    made = {name: video.read_video(tmp_path / f"{name}.mkv").frames for name in "ab"}
    assert np.array_equal(made["a"], np.stack([one[4:36, 4:36] for one in frames[:20]]))
    assert np.array_equal(made["b"], np.stack([one[8:40, 10:42] for one in frames[5:30]]))
    assert {name: one.frames for name, one in finished.items()} == {"a": 20, "b": 25}
    assert [one.meters[0].frames for one in finished.values()] == [20, 25]


def test_a_film_is_cut_into_the_same_bytes_as_its_decoded_frames(tmp_path):
    path = tmp_path / "film.mp4"
    video.write_film(path, film(30), fps=25, width=64, height=48)
    squares = ((-6, 4, 40),), ((10, 8, 32),)
    ranges = (3, 12), (18, 27)
    names = "ab", "cd"
    made = [[part(tmp_path, n, *r, squares=s) for n, r, s in zip(each, ranges, squares, strict=True)] for each in names]
    with needed_frames(path, made[0]) as frames:
        cut(frames, made[0])
    cut(video.iter_frames(path), made[1])
    for one, other in zip(*names, strict=True):
        assert (tmp_path / f"{one}.mkv").read_bytes() == (tmp_path / f"{other}.mkv").read_bytes()


def test_a_moving_square_has_one_place_for_each_frame(tmp_path):
    frames = film(4)
    cut(frames, [part(tmp_path, "a", 1, 4, squares=((0, 0, 32), (1, 2, 32), (2, 4, 32)))])
    made = video.read_video(tmp_path / "a.mkv").frames
    assert np.array_equal(made[1], frames[2][2:34, 1:33])
    assert np.array_equal(made[2], frames[3][4:36, 2:34])


def test_the_frames_after_the_last_part_are_not_decoded(tmp_path):
    def frames():
        yield from film(6)
        raise AssertionError("decoded too much")

    cut(frames(), [part(tmp_path, "a", 2, 5)])


def test_a_film_that_ends_too_early_leaves_no_unfinished_clip(tmp_path):
    with pytest.raises(ToonbenchError, match="ends before frame 40, which b needs"):
        cut(film(30), [part(tmp_path, "a", 0, 10), part(tmp_path, "b", 5, 40)])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mkv"]


def test_an_interrupted_cut_leaves_no_unfinished_clip(tmp_path):
    def frames():
        yield from film(20)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cut(frames(), [part(tmp_path, "a", 0, 40)])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("source", "target", "count", "expected"),
    [
        (24.0, 30.0, 4, [0, 0, 1, 2, 3]),
        (25.0, 25.0, 4, [0, 1, 2, 3]),
        (60.0, 30.0, 6, [0, 2, 4]),
        (23.976, 30.0, 4, [0, 0, 1, 2, 3, 3]),
        (12.0, 24.0, 3, [0, 0, 1, 1, 2, 2]),
    ],
)
def test_another_rate_repeats_or_leaves_out_frames(source, target, count, expected):
    rate = Resampling(source, target)
    shown = [at for at in range(count) for _ in range(rate.times(at))]
    assert shown == expected  # each new frame is the one shown at its time


def test_the_length_in_seconds_stays_at_another_rate():
    for source, target in ((23.976, 30.0), (25.0, 30.0), (50.0, 30.0), (59.94, 25.0)):
        rate = Resampling(source, target)
        frames = sum(rate.times(at) for at in range(1000))
        assert frames / target == pytest.approx(1000 / source, abs=1 / target)


def test_the_bytes_do_not_depend_on_the_thread_that_encodes(tmp_path):
    frames = film(150, 32, 32)
    writer = ClipWriter(tmp_path / "a.mkv", fps=25, size=32)
    for frame in frames:
        writer.add(frame)
    writer.finish()
    video.write_lossless_chunks(
        tmp_path / "b.mkv", [np.stack(frames[:64]), np.stack(frames[64:])], fps=25, codec="ffv1-fast"
    )
    assert (tmp_path / "a.mkv").read_bytes() == (tmp_path / "b.mkv").read_bytes()


def test_an_error_of_the_encoder_reaches_the_caller(tmp_path):
    (tmp_path / "folder").write_text("a file, where a folder is needed")
    writer = ClipWriter(tmp_path / "folder" / "a.mkv", fps=25, size=32)
    writer.add(film(1, 32, 32)[0])
    with pytest.raises(ToonbenchError, match="cannot write"):
        writer.finish()
    writer.stop()
