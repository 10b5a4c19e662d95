"""Clips in chunks: metrics, methods and the writer give what they give for whole clips, in the memory of one chunk."""

from pathlib import Path

import numpy as np
import pytest

from baselines.dummies import Paste, Static
from toonbench import chunks, video
from toonbench.chunks import Measuring, chunk_frames, in_chunks, join, whole_clip
from toonbench.metrics.l1 import L1
from toonbench.types import ChunkMethod, Clip, Metric, Pair, Sample, ToonbenchError
from toontalker.method import ToonTalker

CLIP = Clip(id="clip", path=Path("clip"), domain="real")
PAIR = Pair(id="pair", source=CLIP, driving=CLIP, target=CLIP)
HOW = {"motion": "relative", "seed": 0, "source_domain": "cartoon", "driving_domain": "real"}


class Trend(Metric):
    """The rise of the mean brightness from the first to the last frame: it needs the whole clip."""

    name = "trend"
    higher_is_better = True
    temporal = True

    def measure(self, sample):
        means = sample.generated.mean(axis=(1, 2, 3))
        return np.float32([[means[-1] - means[0]]])


class RunningTrend(Trend):
    """The same number with a state instead of the whole clip."""

    def start(self):
        return []

    def add(self, state, chunk):
        means = chunk.generated.mean(axis=(1, 2, 3))
        state[:] = [state[0] if state else means[0], means[-1]]
        return np.empty((0, 1), np.float32)

    def finish(self, state):
        return np.float32([[state[1] - state[0]]])


def noise(frames, size=16, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (frames, size, size, 3), dtype=np.uint8)


def parts(frames, sizes):
    return np.split(frames, np.cumsum(sizes)[:-1])


def measured(metric, generated, target, sizes):
    measuring = Measuring(metric)
    for mine, theirs in zip(parts(generated, sizes), parts(target, sizes), strict=True):
        measuring.add(Sample(pair=PAIR, generated=mine, target=theirs))
    return measuring.rows()


@pytest.mark.parametrize("sizes", [(7,), (3, 4), (1, 5, 1)], ids=str)
@pytest.mark.parametrize("metric", [L1(), Trend(), RunningTrend()], ids=lambda metric: type(metric).__name__)
def test_a_metric_gives_the_same_rows_however_the_clip_is_cut(metric, sizes):
    generated, target = noise(7), noise(7, seed=1)
    whole = Trend().measure(Sample(pair=PAIR, generated=generated)) if isinstance(metric, Trend) else None
    rows = metric.measure(Sample(pair=PAIR, generated=generated, target=target)) if whole is None else whole
    np.testing.assert_allclose(measured(metric, generated, target, sizes), rows, rtol=1e-6)


def test_a_clip_that_a_whole_clip_plug_in_cannot_hold_is_an_error_that_names_it_and_the_limit(monkeypatch):
    monkeypatch.setattr(chunks, "WHOLE_CLIP_BYTES", 5 * 16 * 16 * 3)
    with pytest.raises(ToonbenchError, match=r"metric trend takes whole clips .* shorten"):
        measured(Trend(), noise(7), noise(7), (3, 4))
    assert len(measured(RunningTrend(), noise(7), noise(7), (3, 4))) == 1
    with pytest.raises(ToonbenchError, match="method mine takes whole clips"):
        whole_clip(iter(parts(noise(7), (3, 4))), user="method mine")


def test_chunks_depend_on_the_size_of_the_picture_alone_and_fill_whole_batches():
    assert [chunk_frames(side, side) for side in (64, 256, 512, 4096)] == [64, 64, 16, 16]
    assert [len(chunk) for chunk in in_chunks(noise(7), 3)] == [3, 3, 1]
    assert list(in_chunks([], 3)) == []
    np.testing.assert_array_equal(whole_clip(in_chunks(noise(7), 3), user="x"), noise(7))


def test_joined_chunks_keep_the_features_of_the_source_and_string_those_of_the_target():
    rows = np.arange(4, dtype=np.float32)[:, None]
    one, other = (
        Sample(pair=PAIR, generated=noise(2), features={("source", "f@1"): rows[:1], ("target", "f@1"): part})
        for part in (rows[:2], rows[2:])
    )
    joined = join([one, other])
    assert len(joined.generated) == 4
    np.testing.assert_array_equal(joined.features["target", "f@1"], rows)
    np.testing.assert_array_equal(joined.features["source", "f@1"], rows[:1])


@pytest.mark.parametrize("method", [Static(), Paste(), ToonTalker()], ids=lambda method: method.name)
def test_a_method_animates_the_same_frames_in_chunks(method):
    assert isinstance(method, ChunkMethod)
    source, driving = noise(1, size=32)[0], noise(11, size=32, seed=2)
    whole = method.animate(source, driving, **HOW)
    cut = np.concatenate(list(method.animate_chunks(source, iter(parts(driving, (4, 5, 2))), **HOW)))
    np.testing.assert_array_equal(cut, whole)


@pytest.mark.parametrize("frames", [5, 70])
def test_a_video_written_in_chunks_is_lossless_and_does_not_depend_on_the_chunks(tmp_path, frames):
    wanted = noise(frames)
    for name, sizes in (("whole", (frames,)), ("cut", (2, frames - 2))):
        assert video.write_lossless_chunks(tmp_path / f"{name}.mkv", iter(parts(wanted, sizes)), fps=25) == frames
    np.testing.assert_array_equal(video.read_video(tmp_path / "cut.mkv").frames, wanted)
    assert (tmp_path / "cut.mkv").read_bytes() == (tmp_path / "whole.mkv").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"whole.mkv", "cut.mkv"}


def test_a_video_of_no_chunks_or_of_changing_sizes_is_refused_and_leaves_no_file(tmp_path):
    path = tmp_path / "video.mkv"
    with pytest.raises(ToonbenchError, match="at least one frame"):
        video.write_lossless_chunks(path, iter(()), fps=25)
    with pytest.raises(ToonbenchError, match="the first one had"):
        video.write_lossless_chunks(path, iter([noise(70), noise(2, size=8)]), fps=25)
    assert not list(tmp_path.iterdir())
