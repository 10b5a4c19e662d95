"""Names to pairs, headers to ways of reading, and reasons to lines: the pure parts of scoring a folder."""

import tracemalloc
from pathlib import Path, PurePosixPath

import numpy as np
import pytest

from toonbench import video
from toonbench.report.grouping import failure_lines, problem_lines
from toonbench.score.fit import Expected, How, Probe, by_time, fits, reading_for
from toonbench.score.names import check_template, naming_of, readings, stems
from toonbench.score.outputs import Item, Listed, assign
from toonbench.score.reading import Rate, Reading
from toonbench.types import Clip, Pair, ToonbenchError


def clip(identifier: str, *, kind="video", domain="real", original: str = "") -> Clip:
    return Clip(id=identifier, path=Path(f"{identifier}.mkv"), domain=domain, kind=kind, original=original)


SOURCES = [
    clip(name, kind="image", domain="cartoon", original=f"cartoon_images/{name}.png") for name in ("a", "a-b", "c")
]
VIDEOS = [clip(name) for name in ("d", "b-d", "e_2")]
PAIRS = [
    Pair(id=f"{s.id}~{d.id}", source=s, driving=d)
    for s, d in zip([*SOURCES, SOURCES[0]], [*VIDEOS, VIDEOS[1]], strict=True)
]


def assigned(*files: str, names: str | None = None) -> dict[str, list[str]]:
    listed = Listed(items=tuple(Item(PurePosixPath(file)) for file in files), others={})
    found = assign(listed, naming_of(PAIRS, [*SOURCES, *VIDEOS]), names=names)
    return {pair: [str(one.item.path) for one in candidates] for pair, candidates in found.candidates.items()}


def test_every_way_to_read_a_name_is_found():
    ways = [*readings("{source}-{driving}", "a-b-d", naming_of(PAIRS, []))]
    assert ways == [{"source": "a", "driving": "b-d"}, {"source": "a-b", "driving": "d"}]


def test_a_name_of_which_one_reading_is_a_pair_belongs_to_it_and_other_pairs_are_no_strangers():
    assert assigned("a-b-d.mp4") == {"a~b-d": ["a-b-d.mp4"]}
    assert assigned("a--e_2.mp4", "c--e_2.mp4") == {"c~e_2": ["c--e_2.mp4"]}


def test_a_video_named_by_one_clip_counts_only_where_no_file_has_two_names():
    assert assigned("e_2.mp4") == {"c~e_2": ["e_2.mp4"]}
    assert assigned("e_2.mp4", "a--d.mp4") == {"a~d": ["a--d.mp4"]}
    with pytest.raises(ToonbenchError, match="can be the video of 2 pairs, a-b~b-d and a~b-d"):
        assigned("b-d.mp4")


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("a--d_concat.mp4", ["", "concat"]),
        ("temp_a--d.mp4", ["", "temporary"]),
        ("a--d_enhanced_with_audio.mp4", ["", "", "", "enhanced"]),
        ("a--d/result.mp4", ["", ""]),
        ("a--d.mp4", [""]),
    ],
)
def test_words_at_the_edges_say_what_a_file_is(name, kinds):
    found = [*stems(PurePosixPath(name))]
    assert [one.kind for one in found] == kinds
    assert found[-1].text("{pair}") == "a--d"


@pytest.mark.parametrize(
    ("given", "left"), [("{pair}.mp4", "{pair}"), ("x/{source}.{driving}", "x/{source}.{driving}")]
)
def test_a_template_loses_the_suffix_of_a_video_only(given, left):
    assert check_template(given) == left


EXPECTED = Expected(size=(256, 256), frames=100, fps=25)


@pytest.mark.parametrize(
    ("fps", "frames", "matched"),
    [(25, 100, False), (30, 120, True), (30, 119, True), (30, 100, False), (30, 110, False), (25, 99, False), (25.01, 99, False), (29.97, 120, True)],
)  # fmt: skip
def test_frames_are_matched_by_time_only_where_the_rates_explain_their_number(fps, frames, matched):
    rate = by_time(Probe(size=(256, 256), frames=frames, fps=fps), EXPECTED)
    assert (rate is not None) == matched
    if rate:
        indexes = [rate.index(at) for at in range(rate.count)]
        assert indexes == sorted(indexes)
        assert indexes[-1] <= frames


@pytest.mark.parametrize(
    ("size", "scored"),
    [((256, 256), True), ((512, 512), True), ((272, 272), True), ((128, 128), False), ((512, 288), False)],
)
def test_larger_videos_of_the_same_proportions_are_scored_and_no_others(size, scored):
    probe = Probe(size=size, frames=100, fps=25)
    assert fits(probe, EXPECTED, How()) == scored
    reading = reading_for(Path("a"), (), probe=probe, expected=EXPECTED, how=How(), region="auto")
    assert (reading.size == (256, 256)) == (scored and size != (256, 256))
    assert reading.plain == (reading.facts == "")


def test_reading_in_another_size_and_rate_needs_the_memory_of_one_frame(tmp_path):
    path = tmp_path / "long.mkv"
    frame = np.random.default_rng(0).integers(0, 255, (128, 128, 3), np.uint8)
    video.write_lossless_chunks(path, (frame[None].repeat(50, axis=0) for _ in range(6)), fps=30)
    reading = Reading(path=path, size=(64, 64), rate=Rate(30.0, 25.0, 250))
    assert sum(1 for _ in Reading(path=path).frames()) == 300
    tracemalloc.start()
    assert sum(1 for _ in reading.frames()) == 250
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * frame.nbytes


def test_failures_that_differ_in_names_and_numbers_only_are_one_line():
    same = {f"s{at}~d{at}": "the video has 9 frames instead of 10: write all" for at in range(12)}
    assert failure_lines(same, pairs=12) == [
        "12 of 12 videos have 9 frames instead of 10: write all (for example s0~d0)"
    ]
    differing = {f"s{at}~d{at}": f"runs/v/s{at}~d{at}.mkv: is truncated ({at} of 9 frames)" for at in range(5)}
    differing["x"] = "no video"
    lines = failure_lines(differing, pairs=12)
    assert len(lines) == 2
    assert lines[0].startswith("5 × runs/v/s0~d0.mkv: is truncated")
    assert lines[0].endswith("(for example s0~d0; the others differ in names or numbers)")
    assert lines[1] == "1 × no video (for example x)"


def test_three_problems_of_one_kind_are_one_line_and_two_are_two():
    problems = [f"clip{at}.mp4: {at} frames of 64x64, expected 10" for at in range(3)]
    assert problem_lines(problems) == ["3 × 0 frames of 64x64, expected 10 (for example clip0.mp4)"]
    assert problem_lines(problems[:2]) == problems[:2]
