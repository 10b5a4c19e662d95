"""What is counted as found, missed and false when the changes of a film are known."""

import json

import numpy as np
import pytest

from toonbench.prepare.accuracy import (
    Change,
    Counts,
    GroundTruth,
    TrackCounts,
    TrueTrack,
    compare,
    compare_groups,
    compare_tracks,
    group_names,
    read_tracks,
    read_truth,
    total,
)
from toonbench.prepare.shots.transition import Transition
from toonbench.prepare.tracks import FaceTrack
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


# --- tracks -----------------------------------------------------------------------------------------------------------


def face(x, *, start=0, frames=40, shot=0, visible=1.0, side=60.0):
    boxes = np.tile([x, 10.0, x + side, 10.0 + side], (frames, 1))
    return TrueTrack(shot=shot, identity="a", start=start, boxes=boxes, visible=np.full(frames, visible))


def followed(first, last, *boxes):
    """A track with the left edges of boxes of 60 pixels at some frames."""
    at = tuple(frame for frame, _ in boxes)
    values = np.array([[x, 10.0, x + 60, 70.0] for _, x in boxes])
    return FaceTrack(
        shot=0, first=first, last=last, at=at, boxes=values, scores=np.ones(len(at)),
        agreement=np.ones(len(at), np.int64), searched=len(at),
    )  # fmt: skip


def test_a_track_on_one_true_face_is_pure_and_its_crop_is_compared_in_its_frames():
    counts = compare_tracks([followed(0, 40, (0, 100), (39, 100))], [face(100), face(300)], truth())
    assert (counts.purity, counts.crop_iou, counts.false) == (1.0, 1.0, 0)
    assert (counts.found, counts.expected, counts.recall) == (1, 2, 0.5)


def test_a_track_that_changes_to_another_face_is_impure_in_its_share_of_frames():
    track = followed(0, 40, (0, 100), (29, 100), (30, 300), (39, 300))
    counts = compare_tracks([track], [face(100), face(300)], truth())
    assert counts.purities == (0.75,)
    assert counts.crops[0] == pytest.approx((72 / 312) ** 2)


def test_a_track_away_from_every_true_face_is_false():
    assert compare_tracks([followed(0, 40, (0, 200))], [face(100)], truth()).false == 1


def test_tracks_over_two_shots_and_ends_in_another_shot_or_a_dissolve_are_counted():
    known = truth(("cut", 20, 20), ("dissolve", 60, 70))
    counts = [compare_tracks([followed(a, b, (a, 9))], [], known) for a, b in [(0, 20), (0, 21), (20, 60), (20, 61)]]
    assert [(one.two_shots, one.wrong_ends) for one in counts] == [(0, 0), (1, 1), (0, 0), (0, 1)]
    assert sum(counts, start=TrackCounts()).wrong_ends == 2


def test_small_and_hidden_faces_need_not_be_found():
    assert [one.should_be_found for one in (face(0), face(0, side=40), face(0, visible=0.4))] == [True, False, False]


def test_true_tracks_are_read_with_frames_in_which_the_face_is_not_visible(tmp_path):
    path = tmp_path / "film.json"
    one = {"shot": 1, "identity": "p", "start": 4, "boxes": [[0, 0, 9, 9], None], "visible": [1.0, 0.0]}
    path.write_text(json.dumps({"tracks": [one]}))
    (track,) = read_tracks(path)
    assert track.box(4).tolist() == [0, 0, 9, 9]
    assert track.box(5) is track.box(3) is None
    path.write_text(json.dumps({"frames": 3}))
    assert read_tracks(path) == []
    path.write_text(json.dumps({"tracks": [{"shot": 1}]}))
    with pytest.raises(ToonbenchError, match=r"film\.json: the true tracks cannot be read"):
        read_tracks(path)


def test_the_lines_of_an_empty_comparison_state_that_nothing_was_measured():
    assert "purity: none (0 of 0 with more than one face)" in TrackCounts().lines()
