"""Tracks of faces in films of textured squares, whose positions a detector of the test knows exactly."""

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from toonbench.prepare.crops import square_around, squares_of
from toonbench.prepare.detection import Detection
from toonbench.prepare.shots.film import Shot
from toonbench.prepare.tracks import FaceTrack, find_tracks, no_track

FPS, SIDE = 24, 40
HEIGHT, WIDTH = 120, 240
Path = Callable[[int], "tuple[float, float] | None"]


def person(seed: int):
    """A texture of large patches, (SIDE, SIDE, 3)."""
    patches = np.random.default_rng(seed).integers(0, 255, (4, 4, 3))
    return np.kron(patches, np.ones((SIDE // 4, SIDE // 4, 1))).astype(np.uint8)


class Film:
    """Frames with people on them; the number of a frame is in its first pixel."""

    def __init__(self, people: dict[int, Path], frames: int, *, missed=(), black=(), white=()) -> None:
        self.people, self.missed, self.searched = people, set(missed), list[int]()
        self.frames = [self._frame(index, black=black, white=white) for index in range(frames)]

    def _frame(self, index, *, black, white):
        frame = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
        frame[:, ::8] = 110 + 20 * (index % 5)  # no frame is held
        for seed, path in self.people.items():
            if place := path(index):
                x, y = (int(value) for value in place)
                frame[y : y + SIDE, x : x + SIDE] = person(seed)[:, : max(0, WIDTH - x)]
        if index in {*black, *white}:
            frame[:] = 0 if index in black else 255
        frame[0, 0] = (index // 256, index % 256, index in {*black, *white})
        return frame

    def detect(self, frame):
        index = int(frame[0, 0, 0]) * 256 + int(frame[0, 0, 1])
        self.searched.append(index)
        if index in self.missed or frame[0, 0, 2]:
            return []
        places = [place for path in self.people.values() if (place := path(index))]
        return [Detection((x, y, x + SIDE, y + SIDE), 0.9, found_by=("a", "b")) for x, y in places]

    def tracks(self, *shots: tuple[int, int]) -> list[FaceTrack]:
        ranges = shots or ((0, len(self.frames)),)
        found = [Shot(start=first, end=last, first=first, last=last) for first, last in ranges]
        return find_tracks(iter(self.frames), found, self.detect, fps=FPS)


def at(x, y=40):
    return lambda index: (x, y)


def during(first, last, x=100):
    return lambda index: (x, 40) if first <= index < last else None


def spans(tracks):
    return [(one.shot, one.first, one.last) for one in tracks]


@pytest.mark.parametrize(("first", "last"), [(0, 30), (5, 61), (13, 14 + 48), (33, 90)])
def test_a_track_begins_and_ends_at_the_exact_frames_of_its_face(first, last):
    assert spans(Film({1: during(first, last)}, 90).tracks()) == [(0, first, last)]


def test_a_face_that_stays_is_searched_about_three_times_a_second():
    film = Film({1: lambda index: (20 + index, 40)}, 145)
    (track,) = film.tracks()
    assert spans([track]) == [(0, 0, 145)]
    assert len(film.searched) == 19
    assert track.searched == len(track.at) == 19
    assert track.agreement.tolist() == [2] * 19


def test_a_track_never_crosses_a_shot_and_lies_in_its_clean_frames():
    film = Film({1: at(80)}, 100)
    assert spans(film.tracks((3, 40), (50, 51), (51, 96))) == [(0, 3, 40), (1, 50, 51), (2, 51, 96)]
    assert {*range(3), *range(40, 50), *range(96, 100)}.isdisjoint(film.searched)


def test_a_face_behind_something_for_less_than_a_second_is_one_track():
    path = lambda index: None if 30 <= index < 48 else (40 + index, 40)  # noqa: E731
    assert spans(Film({1: path}, 90).tracks()) == [(0, 0, 90)]


def test_a_face_that_is_away_for_two_seconds_begins_another_track():
    path = lambda index: None if 30 <= index < 80 else (100, 40)  # noqa: E731
    assert spans(Film({1: path}, 110).tracks()) == [(0, 0, 30), (0, 80, 110)]


def test_another_person_in_the_same_place_begins_another_track():
    film = Film({1: during(0, 30), 2: during(34, 70)}, 70)
    assert spans(film.tracks()) == [(0, 0, 30), (0, 34, 70)]


def test_a_detector_that_misses_a_face_at_rest_does_not_end_its_track():
    (track,) = Film({1: at(100)}, 90, missed=range(20, 50)).tracks()
    assert (track.first, track.last) == (0, 90)
    assert {*range(20, 50)}.isdisjoint(track.at)
    assert track.face_share < 1


@pytest.mark.parametrize("dip", [{"black": range(24, 30)}, {"white": range(30, 34)}], ids=["black", "white"])
def test_flashes_and_short_black_dips_do_not_end_a_track(dip):
    assert spans(Film({1: at(100)}, 80, **dip).tracks()) == [(0, 0, 80)]


def test_crossing_people_keep_their_tracks():
    def left(index):
        return (10 + 2 * index, 40) if not 36 <= index < 48 else None  # hidden behind the other

    film = Film({1: left, 2: lambda index: (178 - 2 * index, 44)}, 84)
    tracks = film.tracks()
    assert spans(tracks) == [(0, 0, 84), (0, 0, 84)]
    ends = [sorted(one.box_at(frame)[0] for one in tracks) for frame in (0, 83)]
    assert ends == [[10, 178], [12, 176]]
    moves = sorted(one.box_at(83)[0] - one.box_at(0)[0] for one in tracks)
    assert moves == [-166, 166]


def test_a_track_ends_where_its_drawing_becomes_another_one_in_the_same_place():
    film = Film({1: during(0, 37), 2: during(37, 80)}, 80)
    assert spans(film.tracks()) == [(0, 0, 37), (0, 37, 80)]


def test_a_film_that_ends_early_keeps_its_last_track():
    film = Film({1: at(100)}, 45)
    assert spans(film.tracks((0, 90))) == [(0, 0, 45)]


def test_tracks_do_not_depend_on_other_shots():
    film = Film({1: lambda index: (40 + index % 60, 40)}, 120)
    assert film.tracks((0, 60), (60, 120))[1].boxes.tolist() == film.tracks((60, 120))[0].boxes.tolist()


# --- the track itself -------------------------------------------------------------------------------------------------


def track(**changes) -> FaceTrack:
    values = {
        "shot": 3, "first": 10, "last": 31, "at": (12, 20, 30), "scores": np.array([0.5, 0.9, 0.7]), "searched": 4,
        "boxes": np.array([[0, 0, 10, 20], [8, 4, 18, 24], [18, 4, 28, 24.1]]), "agreement": np.array([1, 2, 3]),
    }  # fmt: skip
    return FaceTrack(**(values | changes))


def same(one: FaceTrack, other: FaceTrack) -> bool:
    return one.to_json() == other.to_json()


def test_a_track_survives_json_exactly():
    for one in (track(), track(boxes=track().boxes / 3), no_track(2, 5, 9)):
        read = FaceTrack.from_json(json.loads(json.dumps(one.to_json())))
        assert same(read, one)
        assert (read.boxes.shape, read.boxes.dtype) == ((len(one.at), 4), np.float64)


def test_boxes_are_linear_between_detections_and_constant_outside():
    assert track().box_at(16).tolist() == [4, 2, 14, 22]
    assert track().box_at(10).tolist() == [0, 0, 10, 20]
    assert track().scaled(2.0).box_at(16).tolist() == [8, 4, 28, 44]


def test_a_part_of_a_track_has_the_same_boxes_in_its_frames():
    whole = track()
    for first, last in [(10, 31), (13, 19), (12, 13), (20, 30), (14, 25), (30, 31), (10, 12)]:
        part = whole.between(first, last)
        assert (part.first, part.last, len(part.at) > 0) == (first, last, True)
        assert part.face_share <= 1
        for frame in range(first, last):
            assert part.box_at(frame).tolist() == whole.box_at(frame).tolist()
    assert whole.between(13, 19).at == (12, 20)
    assert whole.between(20, 25).at == (20, 30)


def test_the_share_of_faces_counts_searched_frames_of_the_track():
    assert track().face_share == 0.75
    assert no_track(0, 0, 9).face_share == 0.0


# --- crops ------------------------------------------------------------------------------------------------------------


def test_the_union_square_covers_all_boxes_with_a_tenth_at_each_end():
    assert square_around([[10, 20, 30, 60], [14, 20, 50, 50]]) == (6, 16, 48)
    assert squares_of(track(), "union") == [square_around(track().boxes)]
    part = track().between(12, 21)
    assert squares_of(part, "union") == [square_around(track().boxes[:2])], "boxes of later frames do not count"


def test_smoothed_squares_follow_a_moving_face_and_contain_it():
    frames = np.arange(0, 96, 8)
    boxes = np.array([[2 * n, 10, 2 * n + 40, 50] for n in frames], np.float64)
    moving = track(first=0, last=89, at=tuple(frames.tolist()), boxes=boxes, searched=12)
    squares = squares_of(moving, "smoothed")
    assert len(squares) == 89
    assert {side for _, _, side in squares} == {48}
    assert all(abs(left - (2 * n - 4)) <= 1 for n, (left, _, _) in enumerate(squares) if 32 <= n < 57)


def test_a_larger_margin_enlarges_squares_around_the_same_centre():
    for rule in ("union", "smoothed"):
        usual, wide = squares_of(track(), rule)[0], squares_of(track(), rule, margin=0.3)[0]
        assert wide[2] == pytest.approx(usual[2] * 1.6 / 1.2, abs=2)
        assert [at + wide[2] / 2 for at in wide[:2]] == pytest.approx([at + usual[2] / 2 for at in usual[:2]], abs=2)


def test_smoothed_squares_do_not_jitter_with_the_detector():
    rng = np.random.default_rng(0)
    frames = tuple(range(0, 201, 8))
    boxes = np.array([100.0, 60, 180, 150]) + rng.normal(0, 1.5, (len(frames), 4))
    lefts = np.diff([left for left, _, _ in squares_of(track(first=0, last=201, at=frames, boxes=boxes), "smoothed")])
    assert np.abs(lefts).max() <= 1
    assert np.mean(lefts != 0) < 0.05
    assert not np.any(lefts[:-1] * lefts[1:] < 0), "no step back at once"


def test_a_track_without_a_face_has_no_square():
    with pytest.raises(ValueError, match="no face"):
        squares_of(no_track(0, 0, 9), "union")


def test_while_one_detector_finds_all_faces_the_others_are_asked_about_once_a_second():
    film = Film({1: lambda index: (20 + index, 40), 2: at(180)}, 5 * FPS)
    all_asked, asked = [0], [0]

    def everyone(frame):
        all_asked[0] += 1
        return film.detect(frame)

    def single(frame):
        asked[0] += 1
        return [replace(one, score=0.4, found_by=("b",)) for one in film.detect(frame)]

    shot = Shot(start=0, end=5 * FPS, first=0, last=5 * FPS)
    found = find_tracks(iter(film.frames), [shot], everyone, fps=FPS, single={"c": everyone, "b": single})
    assert [(track.first, track.last) for track in found] == [(0, 5 * FPS)] * 2
    assert all_asked[0] <= 7
    assert asked[0] >= 9
    assert all(set(track.scores) == {0.9} and set(track.agreement) == {2} for track in found)  # those of all detectors


@pytest.mark.parametrize("first", [30, 41, 60])
def test_a_face_that_comes_while_one_detector_is_asked_begins_at_its_exact_frame(first):
    film = Film({1: at(20), 2: lambda index: (180, 40) if index >= first else None}, 100)
    shot = Shot(start=0, end=100, first=0, last=100)
    found = find_tracks(iter(film.frames), [shot], film.detect, fps=FPS, single={"a": film.detect})
    assert [(track.first, track.last) for track in found] == [(0, 100), (first, 100)]


def test_what_one_detector_misses_is_searched_by_all():
    film = Film({1: at(20), 2: at(180)}, 60)
    shot = Shot(start=0, end=60, first=0, last=60)
    found = find_tracks(
        iter(film.frames), [shot], film.detect, fps=FPS, single={"a": lambda frame: film.detect(frame)[:1]}
    )
    assert [(track.first, track.last, track.face_share) for track in found] == [(0, 60, 1.0)] * 2


def test_a_face_that_slides_behind_the_edge_of_the_picture_ends_there_and_is_not_kept_by_what_is_left():
    def leaving(index):
        x = 140 + 3 * index
        return (x, 40) if x + SIDE / 2 < WIDTH - 8 else None

    film = Film({1: leaving}, 90)
    for frame in film.frames:
        frame[1:, WIDTH - 8 :] = 0  # a bar, which stays
    assert spans(film.tracks()) == [(0, 0, 24)]
