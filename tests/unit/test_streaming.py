"""Generation, scoring and validation in the memory of one chunk, and what is left of them after a failure."""

import logging
import subprocess
import sys
import tracemalloc
import weakref
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from made_data import write_data
from toonbench import cli, registry, video
from toonbench.chunks import Measuring, chunk_frames
from toonbench.data import load_data
from toonbench.generate import MethodSpec, generate_pairs
from toonbench.metrics.l1 import L1
from toonbench.score import Parts, failed_name, measure
from toonbench.store import Run, remove_leftovers
from toonbench.tasks import draw_pairs
from toonbench.types import Clip, Metric, Pair, Sample, ToonbenchError

LONG = 32  # frames: several chunks of 16

WRITER = """
import sys, pathlib, numpy as np
from toonbench import video
def chunks():
    for _ in range(4):
        yield np.zeros((40, 16, 16, 3), np.uint8)
    print("writing", flush=True)
    sys.stdin.readline()
video.write_lossless_chunks(pathlib.Path(sys.argv[1]), chunks(), fps=25)
"""


class Raising:
    """Fails on every pair."""

    name = "raising"
    revision = "1"

    def animate(self, source, driving, **_):
        raise ValueError("no face in the source")


def pairs_of(root: Path, task: str = "real2cartoon") -> list[Pair]:
    data = load_data(root)
    return draw_pairs(registry.load_task(task), data.clips, targets=data.targets)


def clip_of(path: Path, frames: np.ndarray) -> Clip:
    video.write_lossless(path, frames, fps=25)
    return Clip(id=path.stem, path=path, domain="real", fps=25, frames=len(frames), height=frames.shape[1], width=frames.shape[2])  # fmt: skip


def test_the_failure_of_a_pair_is_logged_once(tiny_data, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(MethodSpec, "load", lambda self: Raising())
    caplog.set_level(logging.DEBUG, logger="toonbench.generate")
    pair = pairs_of(tiny_data)[0]
    failures = generate_pairs(
        Run(tmp_path / "d" / "t" / "m"), [pair], method=MethodSpec(name="raising"), motion="relative"
    )
    assert failures == {pair.id: "ValueError: no face in the source"}
    assert [record.message for record in caplog.records] == [f"pair {pair.id} failed"]


def test_the_partial_files_of_a_long_video_whose_writer_was_killed_are_removed_by_the_next_run(tmp_path):
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path / "a.mkv")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )  # fmt: skip
    assert writer.stdout is not None
    assert writer.stdout.readline() == "writing\n"
    remove_leftovers(tmp_path)
    assert len(list(tmp_path.iterdir())) == 2  # a living process writes them
    writer.kill()
    writer.communicate()
    remove_leftovers(tmp_path)
    assert list(tmp_path.iterdir()) == []


class Tiring:
    """Fails after its first chunks, when the video is being written."""

    name = "tiring"
    revision = "1"

    def animate_chunks(self, source, driving, **_):
        for at, chunk in enumerate(driving):
            if at == 6:
                raise MemoryError("too long")
            yield np.repeat(source[None], len(chunk), axis=0)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files cannot be counted here")
def test_failures_leave_no_partial_file_and_no_open_file(tmp_path, monkeypatch):
    monkeypatch.setattr(import_module("toonbench.chunks"), "MOST", 16)
    monkeypatch.setattr(MethodSpec, "load", lambda self: Tiring())
    clip = clip_of(tmp_path / "clip.mkv", np.zeros((120, 32, 32, 3), np.uint8))
    short = clip_of(tmp_path / "short.mkv", np.zeros((40, 32, 32, 3), np.uint8))
    pairs = [Pair(id=f"pair{at}", source=clip, driving=clip, target=clip) for at in range(5)]
    run = Run(tmp_path / "d" / "t" / "m")

    def fail() -> None:
        failures = generate_pairs(run, pairs, method=MethodSpec(name="tiring"), motion="relative")
        assert set(failures.values()) == {"MemoryError: too long"}
        measure(run, pairs, task=registry.load_task("real_self"), metrics=["l1@1"], video_of=lambda _: short.path)
        assert all("40 frames" in run.reason(pair.id) for pair in pairs)

    fail()
    before = open_files()
    fail()
    assert open_files() == before
    assert [path for path in run.root.rglob("*") if path.suffix in (".mkv", ".part") or path.name.startswith(".")] == []


def test_two_videos_of_one_pair_are_an_error_that_names_both(tiny_data, tmp_path, capsys):
    pair = pairs_of(tiny_data)[0]
    for suffix in ("mkv", "mp4"):
        (tmp_path / f"{pair.id}.{suffix}").write_bytes(suffix.encode())
        (tmp_path / f"notes.{suffix}").write_bytes(b"")
    for command in (["score", "--videos"], ["validate"]):
        assert cli.run([*command, str(tmp_path), "--data", str(tiny_data), "--task", "real2cartoon"]) == 2
        assert (
            f"2 equally good videos for {pair.id}, {pair.id}.mkv and {pair.id}.mp4: keep one" in capsys.readouterr().err
        )


def test_a_metric_that_fails_releases_its_frames_at_once(tmp_path, monkeypatch):
    kept: list[weakref.ref[Measuring]] = []
    alive: list[bool] = []

    class Recorded(Measuring):
        def __init__(self, metric):
            super().__init__(metric)
            if metric.name == "broken":
                kept.append(weakref.ref(self))

    class Broken(Metric):
        name, higher_is_better, temporal = "broken", True, True

        def start(self):
            return []

        def add(self, state, chunk):
            raise ValueError("too dark")

    class Watching(Metric):
        name, higher_is_better = "watching", True

        def measure(self, sample):
            alive.append(kept[0]() is not None)
            return np.zeros((len(sample.generated), 1), np.float32)

    metrics = {"broken": Broken(), "watching": Watching()}
    monkeypatch.setattr(import_module("toonbench.score.measure"), "load", lambda name, **_: metrics[name])
    monkeypatch.setattr(import_module("toonbench.score.measure"), "Measuring", Recorded)
    clip = clip_of(tmp_path / "clip.mkv", np.zeros((70, 64, 64, 3), np.uint8))
    pair = Pair(id="pair", source=clip, driving=clip, target=clip)
    run = Run(tmp_path / "d" / "t" / "m")
    measure(run, [pair], task=registry.load_task("real_self"), metrics=list(metrics), video_of=lambda _: clip.path)
    assert alive == [False, False]
    assert run.reason(failed_name(metrics["broken"], "pair")) == "ValueError: too dark"


def test_chunks_are_those_of_the_largest_picture_of_a_pair(tmp_path):
    small, large = np.zeros((20, 32, 32, 3), np.uint8), np.zeros((20, 512, 512, 3), np.uint8)
    clip, big = clip_of(tmp_path / "small.mkv", small), clip_of(tmp_path / "large.mkv", large)
    for generated, driving in ((clip, big), (big, clip)):
        parts = Parts(Pair(id="p", source=clip, driving=driving), generated.path, source=small[0])
        sizes = [len(chunk[0]) for chunk in parts.chunks() if chunk[0] is not None]
        assert sizes == [chunk_frames(512, 512), 20 - chunk_frames(512, 512)]
    wrong = Parts(Pair(id="p", source=clip, driving=big), big.path, source=small[0])
    assert not any(wrong.fit(chunk) for chunk in wrong.chunks())
    with pytest.raises(ToonbenchError, match="write videos in the source's size"):
        wrong.check(None)


def peak(run) -> int:
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_validating_data_and_videos_takes_no_more_memory_for_longer_clips(tmp_path, monkeypatch):
    monkeypatch.setattr(
        import_module("toonbench.lint.measure"), "TIMED", 16
    )  # the linter keeps that many small pictures
    monkeypatch.setattr(import_module("toonbench.chunks"), "MOST", 16)
    peaks: dict[str, list[int]] = {"data": [], "videos": []}
    for length in (5, LONG, 3 * LONG):  # the first loads modules and caches
        root = write_data(tmp_path / str(length), videos=1, images=1, length=length)
        videos = tmp_path / f"videos-{length}"
        videos.mkdir()
        for pair in pairs_of(root):
            assert pair.target is not None
            (videos / f"{pair.id}.mkv").write_bytes(pair.target.path.read_bytes())
        options = ["--task", "real2cartoon", "--data", str(root), "-q"]
        peaks["data"].append(peak(lambda root=root: cli.run(["validate", str(root), "-q"])))
        peaks["videos"].append(
            peak(lambda videos=videos, options=options: cli.run(["validate", str(videos), *options]))
        )
    for _, short, longer in peaks.values():
        assert longer < 1.2 * short


def test_generating_and_scoring_take_no_more_memory_for_longer_clips(tmp_path, monkeypatch):
    monkeypatch.setattr(import_module("toonbench.lint.measure"), "TIMED", 16)
    monkeypatch.setattr(import_module("toonbench.chunks"), "MOST", 16)
    peaks: dict[str, list[int]] = {"generate": [], "score": []}
    for at, length in enumerate((LONG, LONG, 3 * LONG)):  # the first loads modules and caches
        root = write_data(tmp_path / f"data{at}", videos=1, images=1, length=length)
        options = ["--data", str(root), "--task", "real2cartoon", "--method", "static", "--workers", "1", "-q"]
        options += ["--out", str(tmp_path / f"out{at}")]
        peaks["generate"].append(peak(lambda options=options: cli.run(["generate", *options])))
        peaks["score"].append(peak(lambda options=options: cli.run(["score", *options, "--metrics", "l1", "psnr"])))
    for _, short, longer in peaks.values():
        assert longer < 1.2 * short


@pytest.mark.parametrize("cut", [1, 7, 16])
def test_rows_do_not_depend_on_the_frames_of_a_chunk(tmp_path, monkeypatch, cut):
    frames = np.random.default_rng(1).integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)
    clip, made = clip_of(tmp_path / "clip.mkv", frames), clip_of(tmp_path / "made.mkv", frames[::-1])
    pair = Pair(id="pair", source=clip, driving=clip, target=clip)
    monkeypatch.setattr(import_module("toonbench.score.parts"), "chunk_frames", lambda *_: cut)
    run = Run(tmp_path / "d" / "t" / "m")
    task = registry.load_task("real2cartoon")
    measure(run, [pair], task=task, metrics=["l1@1"], video_of=lambda _: made.path)
    whole = L1().measure(Sample(pair=pair, generated=frames[::-1][task.skip :], target=frames[task.skip :]))
    np.testing.assert_array_equal(run.read_rows("l1@1", "pair"), whole)
