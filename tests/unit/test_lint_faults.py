"""Mistakes of people's files, planted into puppets and photographs: each gives one finding, and sound videos give none."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from toonbench import lint, registry, video
from toonbench.data import load, locate
from toonbench.data.clips import read_frames, read_source
from toonbench.lint import faults
from toonbench.lint.order import orders
from toonbench.tasks import draw_pairs
from toonbench.types import Clip, Frame, Frames, Pair

COUNT = 19  # frames: enough for names sorted as text to differ
SETS = ("puppets", "photographs")
PLANTED = [
    name
    for name, (kind, _) in faults.FAULTS.items()
    if kind in ("limited", "matrix", "mirrored", "turned", "crop", "doubled", "order")
]


@dataclass(frozen=True)
class Case:
    """A pair and its frames."""

    pair: Pair
    source: Frame
    driving: Frames
    target: Frames


def resampled(frames: Frames) -> Frames:
    """COUNT frames, blended from their neighbours in time."""
    at = np.linspace(0, len(frames) - 1, COUNT)
    low = np.minimum(at.astype(int), len(frames) - 2)
    part = (at - low)[:, None, None, None]
    return np.rint((1 - part) * frames[low] + part * frames[low + 1]).astype(np.uint8)


def pair_of(name: str, *, source: str, driving: str, side: int) -> Pair:
    clips = [
        Clip(id=one, path=Path(one), domain="real", fps=10, frames=COUNT, width=side, height=side)
        for one in (source, driving, f"{name}-target")
    ]
    return Pair(id=name, source=clips[0], driving=clips[1], target=clips[2])


def puppets() -> list[Case]:
    data = load(locate("puppets@2"))
    pairs = draw_pairs(registry.load_task("real2cartoon"), data.clips, targets=data.targets)
    made = []
    for pair in pairs[::3][:4]:
        target = resampled(read_frames(pair.target).frames)
        new = pair_of(pair.id, source=pair.source.id, driving=pair.driving.id, side=target.shape[1])
        made.append(
            Case(
                pair=new, source=read_source(pair.source), driving=resampled(read_frames(pair.driving).frames), target=target
            )
        )  # fmt: skip
    return made


def photographs() -> list[Case]:
    """Camera paths over the photographs of scikit-image: the source is the first target frame."""
    from skimage import data

    pictures = [Image.fromarray(one()) for one in (data.astronaut, data.chelsea, data.coffee, data.rocket)]
    films = [path_over(picture, seed=index) for index, picture in enumerate(pictures)]
    made = []
    for index, film in enumerate(films):
        driving = (index + 1) % len(films)
        pair = pair_of(f"p{index}", source=f"s{index}", driving=f"d{driving}", side=128)
        other = path_over(pictures[driving], seed=index)  # the same path: it moves as the target does
        made.append(Case(pair=pair, source=film[0], driving=other, target=film))
    return made


def path_over(picture: Image.Image, *, seed: int) -> Frames:
    """A camera that moves over a picture, slowly and then fast, as one of a head that turns."""
    rng = np.random.default_rng(seed)
    moves = np.cumsum(rng.uniform(0.2, 2.0, (COUNT, 2)) * rng.choice([-1, 1], (COUNT, 2)), axis=0)
    side = min(picture.size) * 0.7
    left, top = (picture.width - side) / 2, (picture.height - side) / 2
    frames = []
    for x, y in moves - moves[0]:
        dx, dy = x * side / 128, y * side / 128
        frames.append(picture.resize((128, 128), box=(left + dx, top + dy, left + side + dx, top + side + dy)))
    return np.stack([np.asarray(frame) for frame in frames])


@pytest.fixture(scope="module")
def cases() -> dict[str, list[Case]]:
    return {"puppets": puppets(), "photographs": photographs()}


@pytest.fixture(scope="module")
def lossless(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("lint") / "lossless.mkv"
    video.write_lossless(path, np.zeros((2, 16, 16, 3), np.uint8), fps=10)
    return path


def row(case: Case, path: Path, frames: Frames, *, target: bool = True):
    return lint.measure(
        case.pair, path, generated=frames, source=case.source, driving=case.driving,
        target=case.target if target else None,
    )  # fmt: skip


def found(cases, path, make, *, target=True) -> dict[str, lint.Finding]:
    rows = {case.pair.id: row(case, path, make(case), target=target) for case in cases}
    return {one.kind: one for one in lint.findings(rows)}


@pytest.mark.parametrize("data", SETS)
@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_mistake_gives_one_finding_and_no_other(cases, lossless, name, data):
    kind, plant = faults.FAULTS[name]
    reported = found(cases[data], lossless, lambda case: plant(case.target))
    assert set(reported) == {kind}
    assert len(reported[kind].affected) >= 0.6 * reported[kind].of


@pytest.mark.parametrize("name", [name for name in PLANTED if "wrapped" not in name])
def test_a_planted_mistake_is_found_without_a_target_by_source_and_driving_video(cases, lossless, name):
    kind, plant = faults.FAULTS[name]
    reported = found(cases["puppets"], lossless, lambda case: plant(case.target), target=False)
    assert set(reported) == {kind}


@pytest.mark.parametrize("target", [True, False], ids=["target", "no target"])
@pytest.mark.parametrize("name", faults.MILD)  # test_lint.py has puppets
def test_mild_damage_of_photographs_gives_no_finding(cases, lossless, name, target):
    reported = found(cases["photographs"], lossless, lambda case: faults.MILD[name](case.target), target=target)
    assert set(reported) <= ({"target"} if name == "untouched" and target else set())


@pytest.mark.parametrize("contrast", [0.9, 1.1, 1.16])
@pytest.mark.parametrize("data", SETS)
def test_a_smooth_output_of_low_or_high_contrast_is_no_wrong_range(cases, lossless, data, contrast):
    def network(case):
        smooth = faults.blurred(case.target, radius=2.0).astype(np.float32)
        return np.clip(np.rint((smooth - 110) * contrast + 110), 0, 255).astype(np.uint8)

    assert not found(cases[data], lossless, network)


@pytest.mark.parametrize("target", [True, False], ids=["target", "no target"])
@pytest.mark.parametrize("data", SETS)
def test_the_source_and_the_driving_video_are_reported_as_that_alone(cases, lossless, data, target):
    still = found(cases[data], lossless, lambda case: faults.pasted(case.target, case.source), target=target)
    assert set(still) == {"source"}
    assert set(found(cases[data], lossless, lambda case: case.driving, target=target)) == {"driving"}


def test_messages_name_the_direction_of_a_mistake(cases, lossless):
    def message(name):
        kind, plant = faults.FAULTS[name]
        return found(cases["puppets"], lossless, lambda case: plant(case.target))[kind].message

    assert "squeezed to 16 to 235" in message("limited range shown as full")
    assert "full range was taken for limited" in message("full range taken for limited, cut")
    assert "written by BT.601 and read by BT.709" in message("BT.601 read as BT.709")
    assert "written by BT.709 and read by BT.601" in message("BT.709 read as BT.601")
    assert "mirrored left to right" in message("mirrored")
    assert "turned clockwise by 90" in message("turned by 90")
    assert "turned anticlockwise by 90" in message("turned by 270")
    assert "every second frame repeats the one before" in message("every second frame repeated")
    assert "every frame is shown 3 times" in message("every frame three times")
    assert "every third frame repeats the one before" in message("every third frame replaced")
    assert "0, 1, 10, 11" in message("sorted as text")
    assert "last frame first" in message("last frame first")


@pytest.mark.parametrize(
    ("scale", "x", "y"), [(0.95, 0.0, 0.0), (0.7, 0.06, -0.05), (1.3, 0.0, 0.08), (1.0, 0.06, 0.0)]
)
def test_the_part_of_the_picture_that_is_shown_is_estimated(cases, lossless, scale, x, y):
    from toonbench.lint.measured import from_row

    rows = [row(c, lossless, faults.cropped(c.target, scale=scale, x=x, y=y)) for c in cases["puppets"]]
    measured = [from_row(one) for one in rows]
    assert np.median([one.crop_scale for one in measured]) == pytest.approx(scale, abs=0.02)
    assert np.median([one.crop_x for one in measured]) == pytest.approx(x, abs=0.01)
    assert np.median([one.crop_y for one in measured]) == pytest.approx(y, abs=0.01)


def test_values_cut_to_the_limited_range_are_reported(cases, lossless):
    def wide(frames):
        return np.clip(frames.astype(np.int16) * 2 - 128, 0, 255).astype(np.uint8)

    own = [replace(c, source=wide(c.source), driving=wide(c.driving), target=wide(c.target)) for c in cases["puppets"]]
    reported = found(own, lossless, lambda case: np.clip(case.target, 16, 235))
    assert set(reported) - {"target"} == {"limited"}
    assert "cut to 16 to 235" in reported["limited"].message


@pytest.mark.parametrize("target", [True, False], ids=["target", "no target"])
@pytest.mark.parametrize("data", SETS)
def test_one_video_for_all_pairs_is_reported_as_that_and_only_that(cases, lossless, data, target):
    first = cases[data][0]
    for one in (
        first.target,
        faults.pasted(first.target, first.source),
        first.driving,
        faults.recoded(first.target, "crushed"),
    ):
        reported = found(cases[data], lossless, lambda case: one, target=target)  # noqa: B023
        assert set(reported) == {"same"}
        assert len(reported["same"].affected) == reported["same"].of == len(cases[data])
        assert "one and the same video" in reported["same"].message


def test_one_video_for_some_pairs_names_exactly_these(cases, lossless):
    own = cases["puppets"]
    rows = {case.pair.id: row(case, lossless, faults.blurred(case.target)) for case in own}
    lost = sorted(case.pair.id for case in own[1:])
    for case in own[1:]:
        rows[case.pair.id] = row(case, lossless, own[0].target[: 12 + own.index(case)])  # cut to several lengths
    reported = {one.kind: one for one in lint.findings(rows)}
    assert set(reported) == {"same"}
    assert list(reported["same"].affected) == lost


def test_equal_videos_of_equal_inputs_and_of_pasted_clips_are_no_mix_up(cases, lossless):
    a, b = cases["photographs"][:2]
    twice = {"a": row(a, lossless, faults.blurred(a.target)), "b": row(a, lossless, faults.blurred(a.target))}
    assert not lint.findings(twice)
    same_source = replace(b, source=a.source)
    still = {pair: row(c, lossless, faults.pasted(c.target, a.source)) for pair, c in (("a", a), ("b", same_source))}
    assert {one.kind for one in lint.findings(still)} == {"source"}
    same_driving = replace(b, driving=a.driving)
    pasted = {pair: row(c, lossless, a.driving) for pair, c in (("a", a), ("b", same_driving))}
    assert {one.kind for one in lint.findings(pasted)} == {"driving"}


ARRANGED = [
    *itertools.permutations(("source", "driving", "result")),
    ("source", "result"),
    ("driving", "result"),
    ("result", "driving"),
]


@pytest.mark.parametrize("size", ["strip", "squeezed", "above each other"])
@pytest.mark.parametrize("parts", ARRANGED, ids="|".join)
def test_strips_are_reported_with_the_place_of_the_result(cases, lossless, parts, size):
    def strip(case):
        films = {"source": faults.pasted(case.target, case.source), "driving": case.driving, "result": case.target}
        joined = np.concatenate([films[part] for part in parts], axis=1 if size == "above each other" else 2)
        if size == "squeezed":
            side = case.target.shape[1]
            joined = np.stack([np.asarray(Image.fromarray(frame).resize((side, side))) for frame in joined])
        return joined

    own = cases["photographs"][:2] if size == "squeezed" else cases["puppets"][:2]
    reported = found(own, lossless, strip, target=False)
    assert set(reported) == {"panels"}
    assert reported["panels"].severity == ("warning" if size == "squeezed" else "error")
    assert (
        f"{len(parts)} {'above' if size == 'above each other' else 'beside'} each other" in reported["panels"].message
    )
    assert f"the result is number {parts.index('result') + 1}" in reported["panels"].message


def test_a_turn_explains_width_and_height_that_are_exchanged(cases, lossless):
    def wide(frames):
        return np.ascontiguousarray(frames[..., 16:-16, :, :])

    own = [replace(c, source=wide(c.source), driving=wide(c.driving), target=wide(c.target)) for c in cases["puppets"]]
    assert set(found(own, lossless, lambda case: faults.turned(case.target, 1))) == {"turned"}


def test_a_copy_of_the_target_in_the_task_of_one_person_is_reported(cases, lossless):
    own = [replace(c, driving=c.target, source=c.target[0]) for c in cases["photographs"]]
    own = [replace(c, pair=replace(c.pair, driving=c.pair.source, target=c.pair.source)) for c in own]
    assert set(found(own, lossless, lambda case: case.target)) == {"target"}
    for name in ("mirrored", "every second frame repeated", "sorted as text", "last frame first", "30 % closer"):
        kind, plant = faults.FAULTS[name]
        for target in (True, False):
            assert set(found(own, lossless, lambda case: plant(case.target), target=target)) == {kind}, name  # noqa: B023


def test_names_sorted_as_text_give_the_order_of_the_case():
    zero, one = orders(12)["text_order"]
    assert zero.tolist() == [0, 1, 10, 11, 2, 3, 4, 5, 6, 7, 8, 9]
    assert one.tolist() == [0, 9, 10, 11, 1, 2, 3, 4, 5, 6, 7, 8]


def test_clips_longer_than_what_is_kept_are_examined_as_far_as_possible(cases, lossless, monkeypatch):
    monkeypatch.setattr(import_module("toonbench.lint.measure"), "TIMED", 12)
    own = cases["puppets"]
    assert set(found(own, lossless, lambda case: faults.blurred(case.target))) == set()
    for name in ("sorted as text", "every second frame repeated", "mirrored"):
        kind, plant = faults.FAULTS[name]
        assert set(found(own, lossless, lambda case: plant(case.target))) == {kind}, name  # noqa: B023


@pytest.mark.slow
@pytest.mark.parametrize(
    "task",
    [
        "cartoon2real",
        *(pytest.param(one, marks=pytest.mark.by_hand) for one in ("real_self", "real_cross", "cartoon_cross")),
    ],
)
def test_planted_mistakes_are_found_in_all_tasks(lossless, task):
    data = load(locate("puppets@2"))
    own = []
    for pair in draw_pairs(registry.load_task(task), data.clips, targets=data.targets):
        target = resampled(read_frames(pair.target).frames)
        clips = [replace(clip, frames=COUNT, motion=None) for clip in (pair.source, pair.driving, pair.target)]
        new = replace(pair, source=clips[0], driving=clips[1], target=clips[2])
        own.append(
            Case(
                pair=new,
                source=read_source(pair.source),
                driving=resampled(read_frames(pair.driving).frames),
                target=target,
            )
        )
    for name in PLANTED:
        kind, plant = faults.FAULTS[name]
        assert set(found(own, lossless, lambda case: plant(case.target))) == {kind}, name  # noqa: B023
    for name, change in faults.MILD.items():
        for target in (True, False):
            reported = found(own, lossless, lambda case: change(case.target), target=target)  # noqa: B023
            assert set(reported) <= {"target"}, name
