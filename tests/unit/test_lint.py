"""The input linter finds each mistake that is planted, and nothing in what is sound."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from baselines.dummies import NoisyOracle
from toonbench import lint, registry, video
from toonbench.data import load, locate
from toonbench.data.clips import read_frames, read_source
from toonbench.lint import COLUMNS, faults
from toonbench.lint.colours import explained, histograms
from toonbench.lint.measured import CODECS, from_row
from toonbench.tasks import draw_pairs
from toonbench.types import Clip, Pair, ToonbenchError
from toonbench.video.coding import coding

TASKS = ("real2cartoon", "cartoon2real", "real_self")
KINDS = ("bgr", "minmax", "range", "shifted", "constant", "frozen", "flat")  # test_lint_faults.py has the others
PLANTED = [name for name, (kind, _) in faults.FAULTS.items() if kind in KINDS]
LENGTH = 12  # frames of each clip: what most tests plant needs no more, and whole clips would take twice the time


class Case:
    """A pair of the shipped puppets and the first `length` of its frames."""

    def __init__(self, pair: Pair, *, length: int | None = LENGTH) -> None:
        self.source = read_source(pair.source)
        self.driving = read_frames(pair.driving).frames[:length]
        self.target = read_frames(pair.target).frames[:length]
        self.pair = replace(
            pair,
            driving=replace(pair.driving, frames=len(self.driving)),
            target=replace(pair.target, motion=None),  # `steered` has tests of its own
        )


def cases_of(name: str, *, length: int | None = LENGTH) -> list[Case]:
    data = load(locate("puppets@2"))
    pairs = draw_pairs(registry.load_task(name), data.clips, targets=data.targets)
    return [Case(pair, length=length) for pair in pairs]


@pytest.fixture(scope="module")
def cases() -> dict[str, list[Case]]:
    return {name: cases_of(name) for name in TASKS}


@pytest.fixture(scope="module")
def whole() -> list[Case]:
    """Every second pair of one task in its full length, 3 s."""
    return cases_of("real2cartoon", length=None)[::2]


@pytest.fixture(scope="module")
def lossless(tmp_path_factory) -> Path:
    """Any file coded without loss at the puppets' rate: the frames are given to `measure` apart from it."""
    path = tmp_path_factory.mktemp("lint") / "lossless.mkv"
    video.write_lossless(path, np.zeros((2, 16, 16, 3), np.uint8), fps=10)
    return path


def found(cases, path, make, *, answers=True) -> dict[str, lint.Finding]:
    """Findings over `cases` when the video of each is what `make` gives; without their targets if asked.

    The remark on copied targets is left out, since most tests plant a mistake into the target. It has tests of its own.
    """
    return {kind: one for kind, one in all_found(cases, path, make, answers=answers).items() if kind != "target"}


def all_found(cases, path, make, *, answers=True) -> dict[str, lint.Finding]:
    rows = {
        case.pair.id: lint.measure(
            case.pair,
            path,
            generated=make(case),
            source=case.source,
            driving=case.driving,
            target=case.target if answers else None,
        )
        for case in cases
    }
    return {finding.kind: finding for finding in lint.findings(rows)}


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_mistake_is_found_and_nothing_else(cases, lossless, task, name):
    kind, plant = faults.FAULTS[name]
    told = found(cases[task], lossless, lambda case: plant(case.target))
    assert set(told) == {kind}
    assert len(told[kind].affected) >= 0.9 * told[kind].of
    assert told[kind].severity == "warning"


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", [name for name in PLANTED if faults.FAULTS[name][0] != "minmax"])
def test_a_planted_mistake_is_found_without_exact_answers(cases, lossless, task, name):
    kind, plant = faults.FAULTS[name]
    told = found(cases[task], lossless, lambda case: plant(case.target), answers=False)
    assert kind in told
    assert set(told) <= ({kind, "source"} if kind == "constant" else {kind})  # the one frame may be like the source


@pytest.mark.parametrize("answers", [True, False], ids=["answers", "no answers"])
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", faults.MILD)
def test_mild_damage_is_no_mistake_and_makes_no_copy_of_the_target(cases, lossless, task, name, answers):
    reported = all_found(cases[task], lossless, lambda case: faults.MILD[name](case.target), answers=answers)
    assert set(reported) == ({"target"} if answers and name == "untouched" else set())


@pytest.mark.parametrize("name", faults.FAULTS)
def test_a_planted_mistake_is_found_in_whole_clips(whole, lossless, name):
    kind, plant = faults.FAULTS[name]
    assert set(found(whole, lossless, lambda case: plant(case.target))) == {kind}


@pytest.mark.parametrize("answers", [True, False], ids=["answers", "no answers"])
@pytest.mark.parametrize("name", faults.MILD)
def test_mild_damage_of_whole_clips_is_no_mistake(whole, lossless, name, answers):
    assert not found(whole, lossless, lambda case: faults.MILD[name](case.target), answers=answers)


@pytest.mark.parametrize("answers", [True, False], ids=["answers", "no answers"])
@pytest.mark.parametrize("task", TASKS)
def test_the_noisy_oracle_is_clean_and_its_shift_is_found(cases, lossless, task, answers):
    noisy = {case.pair.id: NoisyOracle().animate_target(case.source, case.target, seed=3) for case in cases[task]}
    assert not found(cases[task], lossless, lambda case: noisy[case.pair.id], answers=answers)
    if answers:
        told = found(cases[task], lossless, lambda case: faults.shifted(noisy[case.pair.id], 1))
        assert set(told) == {"shifted"}
        assert "1 frame late" in told["shifted"].message


def test_whoever_stretches_a_smooth_output_is_found_without_an_exact_answer(cases, lossless):
    def network(case):  # no value of a network is exactly the answer's, and its extremes thin out
        smooth = faults.blurred(case.target, radius=2.0).astype(np.float32)
        return np.rint(smooth * 0.9 + 10).astype(np.uint8)

    real = cases["cartoon2real"]
    assert not found(real, lossless, network, answers=False)
    assert set(found(real, lossless, lambda case: faults.stretched(network(case)), answers=False)) == {"minmax"}


@pytest.mark.parametrize("task", TASKS)
def test_the_source_pasted_is_found_and_not_told_twice(cases, lossless, task):
    for answers in (True, False):
        told = found(cases[task], lossless, lambda case: faults.pasted(case.target, case.source), answers=answers)
        assert set(told) == {"source"}
        assert len(told["source"].affected) == len(cases[task])


@pytest.mark.parametrize("task", ["real2cartoon", "cartoon2real"])
def test_the_driver_pasted_is_found(cases, lossless, task):
    for answers in (True, False):
        assert set(found(cases[task], lossless, lambda case: case.driving, answers=answers)) == {"driving"}


def test_the_driver_is_no_mistake_where_it_is_the_answer(cases, lossless):
    assert not found(cases["real_self"], lossless, lambda case: case.driving)


@pytest.mark.parametrize("task", TASKS)
def test_copied_targets_are_remarked(cases, lossless, task):
    reported = all_found(cases[task], lossless, lambda case: case.target)
    assert set(reported) == {"target"}
    assert len(reported["target"].affected) == reported["target"].of == len(cases[task])
    assert "are the targets" in reported["target"].message
    assert not all_found(cases[task], lossless, lambda case: case.target, answers=False)


def test_a_source_that_equals_still_targets_is_not_remarked_as_a_copy(cases, lossless):
    for case in cases["real2cartoon"]:
        row = lint.measure(case.pair, lossless, generated=faults.pasted(case.target, case.source), source=case.source,
                           target=faults.pasted(case.target, case.source))  # fmt: skip
        assert np.isnan(from_row(row).copied)
        moved = lint.measure(case.pair, lossless, generated=faults.pasted(case.target, case.source), source=case.source,
                             target=case.target)  # fmt: skip
        assert from_row(moved).copied == 0


LOOKS = {
    "dark": lambda x: x // 12,
    "low contrast": lambda x: x // 8 + 110,
    "grey": lambda x: np.repeat(x[..., :1], 3, axis=-1),
    "line art": lambda x: np.where(x.mean(axis=-1, keepdims=True) > 110, 255, 20).repeat(3, axis=-1).astype(np.uint8),
    "full range": lambda x: np.clip(x.astype(np.int16) * 2 - 128, 0, 255).astype(np.uint8),
    "one frame": lambda x: x if x.ndim == 3 else x[:1],
    "two frames": lambda x: x if x.ndim == 3 else x[:2],
    "hardly moving": lambda x: x if x.ndim == 3 else np.rint(x[:1] + 0.02 * (x - x[:1].astype(float))).astype(np.uint8),
    "still": lambda x: x if x.ndim == 3 else np.repeat(x[:1], len(x), axis=0),
    "flat": lambda x: np.full_like(x, 200),
    "thin": lambda x: x[..., ::16, ::11, :],
}


@pytest.mark.parametrize("answers", [True, False], ids=["answers", "no answers"])
@pytest.mark.parametrize("look", LOOKS)
def test_an_exact_answer_of_any_look_is_clean(cases, lossless, look, answers):
    change, altered = LOOKS[look], []
    for case in cases["real2cartoon"]:
        other = Case.__new__(Case)
        other.driving = change(case.driving)
        driver = replace(case.pair.driving, frames=len(other.driving))
        other.pair = replace(case.pair, driving=driver)
        other.source, other.target = change(case.source), change(case.target)
        altered.append(other)
    assert not found(altered, lossless, lambda case: case.target, answers=answers)


def test_a_grey_picture_cannot_tell_red_from_blue(cases):
    grey = histograms(LOOKS["grey"](cases["real2cartoon"][0].target))
    assert np.isnan(explained(grey, grey)["swapped"])


def test_wrong_size_and_length_are_errors_and_another_rate_is_a_warning(cases, lossless, tmp_path):
    own = cases["real2cartoon"]
    small = found(own, lossless, lambda case: np.ascontiguousarray(case.target[:, ::2, ::2]))
    assert set(small) == {"size"}
    assert small["size"].severity == "error"
    assert "64x64 instead of 128x128" in small["size"].message
    short = found(own, lossless, lambda case: case.target[:8])
    assert short["length"].severity == "error"
    assert f"8 instead of {LENGTH}" in short["length"].message
    fast = tmp_path / "fast.mkv"
    video.write_lossless(fast, own[0].target, fps=25)
    told = found(own, fast, lambda case: case.target)
    assert set(told) == {"fps"}
    assert told["fps"].severity == "warning"
    assert "25 instead of 10" in told["fps"].message


def encoded(path: Path, frames, *, codec: str, pixels: str, kind: str, **options: str) -> Path:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=kind) as output:
        stream = output.add_stream(codec, rate=10, options={key: str(value) for key, value in options.items()})
        stream.width, stream.height, stream.pix_fmt = frames.shape[2], frames.shape[1], pixels
        for frame in frames:
            output.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format=pixels)))
        output.mux(stream.encode())
    path.write_bytes(buffer.getvalue())
    return path


CODINGS = [
    ("ffv1", "bgr0", "matroska", {}, "lossless"),
    ("ffv1", "yuv420p", "matroska", {}, "lossy"),
    ("ffv1", "yuv444p", "matroska", {}, "lossy"),
    ("ffv1", "gray", "matroska", {}, "lossless"),
    ("libx264rgb", "rgb24", "matroska", {"qp": 0}, "lossless"),
    ("libx264rgb", "rgb24", "mp4", {"crf": 0}, "lossless"),
    ("libx264rgb", "rgb24", "avi", {"qp": 0}, "lossless"),
    ("libx264rgb", "rgb24", "mp4", {"crf": 1}, "lossy"),
    ("libx264", "yuv444p", "mp4", {"qp": 0}, "lossy"),
    ("libx264", "yuv420p", "mp4", {"crf": 18}, "lossy"),
    ("mpeg4", "yuv420p", "avi", {}, "lossy"),
    ("mjpeg", "yuvj420p", "avi", {}, "lossy"),
    ("libvpx-vp9", "yuv420p", "webm", {"lossless": 1}, "lossy"),
    ("libvpx-vp9", "gbrp", "webm", {"lossless": 1}, "unknown"),
    ("png", "rgb24", "mov", {}, "lossless"),
    ("huffyuv", "rgb24", "avi", {}, "lossless"),
    ("utvideo", "gbrp", "avi", {}, "lossless"),
    ("rawvideo", "bgr24", "avi", {}, "lossless"),
    ("gif", "rgb8", "gif", {}, "lossy"),
]


@pytest.mark.parametrize(("codec", "pixels", "kind", "options", "loss"), CODINGS)
def test_a_coding_is_known_to_keep_pixels_or_not(cases, tmp_path, codec, pixels, kind, options, loss):
    frames = cases["real2cartoon"][0].target[:3]
    path = encoded(tmp_path / "video", frames, codec=codec, pixels=pixels, kind=kind, **options)
    told = coding(path)
    assert told.loss == loss
    assert told.codec in CODECS
    assert told.fps == pytest.approx(10, abs=0.01)
    if loss == "lossless" and pixels != "gray":
        assert np.array_equal(video.read_video(path).frames, frames)
    if loss == "lossy":
        assert not np.array_equal(video.read_video(path).frames, frames)


@pytest.mark.parametrize("codec", ["ffv1", "h264"])
def test_what_toonbench_writes_is_lossless(cases, tmp_path, codec):
    video.write_lossless(tmp_path / "a.mkv", cases["real2cartoon"][0].target, fps=10, codec=codec)
    assert coding(tmp_path / "a.mkv").loss == "lossless"
    video.write_for_viewing(tmp_path / "a.mp4", cases["real2cartoon"][0].target, fps=10)
    assert coding(tmp_path / "a.mp4").loss == "lossy"


def test_stills_have_a_coding_too(cases, tmp_path):
    video.write_png(tmp_path / "a.png", cases["real2cartoon"][0].source)
    told = coding(tmp_path / "a.png")
    assert (told.codec, told.loss, told.fps) == ("png", "lossless", 0)


def test_lossy_videos_are_told_and_are_otherwise_clean(cases, tmp_path):
    own = cases["cartoon2real"]
    path = tmp_path / "a.mp4"

    def coded(case):
        video.write_for_viewing(path, case.target, fps=10)
        return video.read_video(path).frames

    video.write_for_viewing(path, own[0].target, fps=10)
    told = found(own, path, coded)
    assert set(told) == {"lossy"}
    assert "h264" in told["lossy"].message


def test_every_real_sample_has_a_coding(shared):
    clips = sorted((shared / "samples" / "visible" / "real_videos").glob("*.mp4"))
    if not clips:
        pytest.skip("no real samples there")
    for path in clips:
        assert coding(path).loss == "lossy"


def real_case(path: Path, frames) -> Case:
    case = Case.__new__(Case)
    height, width = frames.shape[1:3]
    clip = Clip(id=path.stem, path=path, domain="real", fps=10.0, frames=len(frames), width=width, height=height)
    case.pair = Pair(id=path.stem, source=clip, driving=clip, target=clip)
    case.source, case.driving, case.target = frames[0], frames, frames
    return case


def test_real_films_are_clean_and_their_mistakes_are_found(shared, lossless):
    paths = sorted((shared / "samples" / "visible" / "real_videos").glob("*.mp4"))[:4]
    if not paths:
        pytest.skip("no real samples there")
    own = [real_case(path, video.read_video(path, max_frames=16).frames) for path in paths]
    assert not found(own, lossless, lambda case: case.target)
    assert not found(own, lossless, lambda case: case.target, answers=False)
    for name in ("red and blue swapped", "[-1, 1] as [0, 1], cut", "[0, 1] as [-1, 1]", "every frame the same"):
        kind, plant = faults.FAULTS[name]
        assert kind in found(own, lossless, lambda case: plant(case.target)), name  # noqa: B023


def test_a_row_goes_back_and_one_of_another_version_is_refused(cases, lossless):
    case = cases["real2cartoon"][0]
    row = lint.measure(case.pair, lossless, generated=case.target, source=case.source)
    assert row.shape == (1, len(COLUMNS))
    assert row.dtype == np.float32
    assert np.array_equal(from_row(row).row(), row, equal_nan=True)
    with pytest.raises(ToonbenchError, match="stored by another version"):
        lint.findings({"a": row[:, 1:]})


def test_measurement_is_deterministic(cases, lossless):
    case = cases["real2cartoon"][0]
    again = [
        lint.measure(case.pair, lossless, generated=case.target, source=case.source, driving=case.driving)
        for _ in range(2)
    ]
    assert again[0].tobytes() == again[1].tobytes()
    assert lint.findings({}) == ()


def test_videos_that_could_not_be_looked_at_are_told(cases, lossless):
    case = cases["real2cartoon"][0]
    seen = lint.measure(case.pair, lossless, generated=case.target, source=case.source, driving=case.driving)
    lost = np.full((1, 1), np.nan, np.float32)
    (told,) = without_copies({"a": seen, "c": lost, "b": lost})
    assert (told.kind, told.severity, told.affected, told.of) == ("unexamined", "warning", ("b", "c"), 3)
    assert told.message.startswith("2 of 3 videos could not be examined")
    assert not without_copies({"a": seen})


def without_copies(rows):
    return [one for one in lint.findings(rows) if one.kind != "target"]


COLOURS = [name for name, (kind, _) in faults.FAULTS.items() if kind in ("bgr", "range")]


@pytest.mark.parametrize("answers", [True, False], ids=["answers", "no answers"])
@pytest.mark.parametrize("task", TASKS)
def test_a_mistake_in_colours_in_some_pairs_is_found_and_exactly_these_are_named(cases, lossless, task, answers):
    def row(case, frames):
        target = case.target if answers else None
        return lint.measure(
            case.pair, lossless, generated=frames, source=case.source, driving=case.driving, target=target
        )

    own = cases[task][:10]
    sound = {case.pair.id: row(case, case.target) for case in own}
    assert not without_copies(sound)
    for kind, plant in (faults.FAULTS[name] for name in COLOURS):
        wrong = {case.pair.id: row(case, plant(case.target)) for case in own}
        for count in (1, 3, 5, 6, 7, 10):
            planted = sorted(wrong)[-count:]
            (told,) = without_copies({pair: wrong[pair] if pair in planted else sound[pair] for pair in wrong})
            assert (told.kind, list(told.affected), told.of) == (kind, planted, 10)


MIXED = {
    "few": ["crushed", "washed", "washed", "swapped"],
    "beside a range that most have": ["crushed", *["washed"] * 7, "swapped"],
    "beside a swap that most have": ["crushed", "washed", *["swapped"] * 7],
}


@pytest.mark.parametrize("planted", MIXED.values(), ids=MIXED)
def test_different_mistakes_in_one_run_are_all_found(cases, lossless, planted):
    own = cases["real2cartoon"][:10]
    kinds = dict(zip([case.pair.id for case in own], planted, strict=False))
    rows = {}
    for case in own:
        kind = kinds.get(case.pair.id, "")
        frames = case.target
        frames = faults.swapped(frames) if kind == "swapped" else faults.recoded(frames, kind) if kind else frames
        rows[case.pair.id] = lint.measure(
            case.pair, lossless, generated=frames, source=case.source, driving=case.driving, target=case.target
        )
    told = sorted((one.kind, one.affected) for one in without_copies(rows))
    wanted = {name: tuple(sorted(pair for pair, kind in kinds.items() if kind == name)) for name in planted}
    assert told == sorted(("bgr" if name == "swapped" else "range", hit) for name, hit in wanted.items())


@pytest.mark.parametrize("saturation", [0.1, 0.2, 0.5, 1.0])
@pytest.mark.parametrize("blue", [-6, 6])
def test_a_tint_of_nearly_grey_pictures_is_no_swap(cases, lossless, saturation, blue):
    def pale(frames):
        grey = frames.mean(axis=-1, keepdims=True)
        return np.rint(grey + saturation * (frames - grey)).astype(np.uint8)

    def tinted(frames):
        return np.clip(frames.astype(np.int16) + np.array([-blue, 0, blue], np.int16), 0, 255).astype(np.uint8)

    for case in cases["real2cartoon"]:
        other = Case.__new__(Case)
        other.pair, other.source, other.driving = case.pair, pale(case.source), pale(case.driving)
        other.target = pale(case.target)
        assert not found([other], lossless, lambda case: tinted(case.target))


def test_few_videos_are_not_called_stretched_by_chance(cases, lossless):
    assert not found(cases["cartoon2real"][:3], lossless, lambda case: faults.stretched(case.target))


@pytest.mark.parametrize("sizes", [(9, 0), (3, 6), (1, 8)], ids=str)
def test_a_row_does_not_depend_on_how_the_clip_is_cut(tmp_path, sizes):
    rng = np.random.default_rng(0)
    clips = {name: rng.integers(0, 256, (9, 40, 48, 3), dtype=np.uint8) for name in ("generated", "driving", "target")}
    path = tmp_path / "video.mkv"
    video.write_lossless(path, clips["generated"], fps=10)
    one = Clip(id="a", path=path, domain="real", fps=10.0, frames=9)
    pair = Pair(id="p", source=one, driving=replace(one, id="b"), target=replace(one, id="c"))
    source = clips["target"][0]
    whole = lint.measure(pair, path, source=source, **clips)
    linter = lint.Linter(pair, path, source=source)
    for part in (slice(0, sizes[0]), slice(sizes[0], None)):
        linter.add(**{name: frames[part] for name, frames in clips.items()})
    np.testing.assert_array_equal(linter.row(), whole)
