"""What is counted as found, missed and false when the changes of a film are known."""

import json

import pytest

from toonbench.prepare.accuracy import (
    Change,
    Counts,
    GroundTruth,
    compare,
    compare_groups,
    group_names,
    read_truth,
    total,
)
from toonbench.prepare.shots.transition import Transition
from toonbench.types import ToonbenchError


def change(kind, start, end=None):
    return Transition(kind=kind, start=start, end=start if end is None else end, score=1.0, by="test")


def truth(*changes, unknown=()):
    return GroundTruth(
        frames=300, changes=tuple(Change(kind=k, start=a, end=b) for k, a, b in changes), unknown=unknown
    )


def test_boundaries_near_true_changes_are_found_and_others_are_false():
    known = truth(("cut", 50, 50), ("cut", 90, 90), ("dissolve", 120, 140))
    counts = compare([change("cut", 52), change("cut", 93), change("wipe", 125, 139)], known)
    assert counts["cut"] == Counts(found=1, missed=1, false=1)
    assert counts["dissolve"] == Counts(found=1)
    assert counts["cut"].f1 == pytest.approx(0.5)


def test_one_boundary_does_not_count_for_two_changes_nor_two_boundaries_for_one():
    assert compare([change("cut", 51)], truth(("cut", 50, 50), ("cut", 52, 52)))["cut"] == Counts(found=1, missed=1)
    assert compare([change("cut", 49), change("cut", 51)], truth(("cut", 50, 50)))["cut"] == Counts(found=1, false=1)


def test_what_is_not_labelled_exactly_is_not_judged():
    known = truth(("cut", 50, 50), unknown=((200, 240),))
    assert compare([change("cut", 50), change("fade_black", 195, 210)], known) == {"cut": Counts(found=1)}


def test_sums_over_films_are_by_kind():
    one, two = {"cut": Counts(found=2)}, {"cut": Counts(missed=1), "wipe": Counts(false=1)}
    assert total([one, two]) == {"cut": Counts(found=2, missed=1), "wipe": Counts(false=1)}
    assert Counts().f1 is None


@pytest.mark.parametrize(
    ("content", "changes"),
    [
        ({"hard_cut_first_frames": [20, 82]}, [("cut", 20, 20), ("cut", 82, 82)]),
        ({"switch_frames": [57]}, [("drawing", 57, 57)]),
        ({"changes": [{"kind": "wipe", "start": 5, "end": 9}]}, [("wipe", 5, 9)]),
        (
            {
                "events": [
                    {"type": "segment", "start": 0, "end": 49},
                    {"type": "cross_fade", "first_frame": 60, "last_frame": 71},
                    {"type": "hard_cut", "first_frame_of_new_shot": 50},
                    {"type": "fade_through_black", "first_frame": 80, "last_frame": 95},
                ]
            },
            [("cut", 50, 50), ("dissolve", 60, 72), ("fade", 80, 96)],
        ),
    ],
)
def test_labels_of_several_forms_are_read(content, changes, tmp_path):
    path = tmp_path / "film.json"
    path.write_text(json.dumps({"frames": 300, **content}))
    read = read_truth(path)
    assert [(one.kind, one.start, one.end) for one in read.changes] == changes


@pytest.mark.parametrize("content", [[], {}, {"frames": 3, "changes": [{"kind": "morph", "start": 1, "end": 2}]},
                                     {"frames": 3, "changes": [{"kind": "cut"}]}, {"frames": 3, "shots": [{}]}])  # fmt: skip
def test_other_files_are_refused_by_name(content, tmp_path):
    path = tmp_path / "film.json"
    path.write_text(json.dumps(content))
    with pytest.raises(ToonbenchError, match=r"film\.json"):
        read_truth(path)


def test_groups_are_compared_by_pairs_of_clips():
    truth = {"a": "x", "b": "x", "c": "x", "d": "y", "e": "y", "f": "", "g": ""}
    found = group_names([("a", "b"), ("c", "d"), ("f", "unknown")])
    counts = compare_groups(found, truth)
    assert counts == Counts(found=1, missed=3, false=1)
    assert (counts.precision, counts.recall) == (0.5, 0.25)
    assert compare_groups({"f": "1", "g": "1"}, truth) == Counts(missed=4, false=1)
    assert (Counts().precision, Counts().recall) == (None, None)
