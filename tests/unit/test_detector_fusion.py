"""Several detectors give one answer."""

import numpy as np
import pytest

from toonbench.prepare.detection import Detection, overlap
from toonbench.prepare.detectors import detector, detectors, missing_detectors, single_detectors
from toonbench.prepare.fusion import Member, fuse, fused
from toonbench.types import ToonbenchError

FRAME = np.zeros((64, 64, 3), np.uint8)
BOX = (10.0, 10.0, 30.0, 40.0)
NEAR = (12.0, 10.0, 32.0, 40.0)
FAR = (40.0, 40.0, 60.0, 60.0)


def member(name: str, *found: Detection, slow: bool = False, calls: list[str] | None = None) -> Member:
    def detect(frame: np.ndarray) -> list[Detection]:
        if calls is not None:
            calls.append(name)
        return list(found)

    return Member(name=name, detect=detect, weight=0.7, slow=slow)


def test_two_unsure_detectors_that_agree_find_a_face_and_one_alone_does_not():
    one, two = member("a", Detection(BOX, 0.5)), member("b", Detection(NEAR, 0.5))
    assert fused([one, member("b")])(FRAME) == []
    (face,) = fused([one, two])(FRAME)
    assert face.found_by == ("a", "b")
    assert face.agreement == 2
    assert face.score == pytest.approx(1 - 0.65**2)


def test_one_sure_detector_is_enough():
    (face,) = fused([member("a", Detection(BOX, 0.95)), member("b")])(FRAME)
    assert face.box == pytest.approx(BOX)
    assert face.agreement == 1


def test_low_accepts_what_is_less_sure():
    members = [member("a", Detection(BOX, 0.6)), member("b")]
    assert fused(members)(FRAME) == []
    assert len(fused(members, low=True)(FRAME)) == 1


def test_boxes_of_one_face_are_averaged_by_their_scores_and_other_faces_stay_apart():
    found = {"a": [Detection(BOX, 0.9), Detection(FAR, 0.8)], "b": [Detection(NEAR, 0.3)]}
    first, second = fuse(found, [member("a"), member("b")])
    assert first.box == pytest.approx((10.5, 10, 30.5, 40))
    assert second.box == pytest.approx(FAR)


def test_a_second_box_of_the_same_detector_is_no_agreement():
    (face,) = fuse({"a": [Detection(BOX, 0.6), Detection(NEAR, 0.5)]}, [member("a")])
    assert face.score == pytest.approx(0.7 * 0.6)
    assert face.agreement == 1


def test_boxes_of_other_conventions_are_brought_to_one():
    tall = Member(name="a", detect=lambda frame: [], weight=0.7, convention=(0.0, 0.5, 0.1, 0.0))
    (face,) = fuse({"a": [Detection((10.0, 20.0, 30.0, 40.0), 0.9)]}, [tall])
    assert face.box == pytest.approx((10, 10, 32, 40))


def test_points_come_from_the_surest_detector_that_has_them():
    points = np.ones((5, 2))
    found = {"a": [Detection(BOX, 0.9)], "b": [Detection(NEAR, 0.5, points)]}
    (face,) = fuse(found, [member("a"), member("b")])
    assert face.points is points


def test_what_a_detector_takes_for_an_animal_is_no_face_unless_animals_are_asked_for():
    found = [member("a", Detection(BOX, 0.95)), member("b", Detection(NEAR, 0.4), Detection(NEAR, 0.6, animal=True))]
    assert fused(found)(FRAME) == []
    (face,) = fused(found, animals=True)(FRAME)
    assert face.found_by == ("a", "b")


def test_a_detector_that_is_surer_of_a_human_face_does_not_veto_it():
    found = [member("a", Detection(BOX, 0.95)), member("b", Detection(NEAR, 0.7), Detection(NEAR, 0.6, animal=True))]
    assert len(fused(found)(FRAME)) == 1


def test_an_animal_elsewhere_does_not_remove_a_face():
    found = [member("a", Detection(BOX, 0.95)), member("b", Detection(FAR, 0.9, animal=True))]
    assert len(fused(found)(FRAME)) == 1


@pytest.mark.parametrize(
    ("scores", "asked"), [((0.9, 0.9), False), ((0.6, 0.0), True), ((0.0, 0.0), False), ((0.2, 0.0), False)]
)
def test_the_slow_detector_is_asked_only_about_what_is_undecided(scores, asked):
    calls: list[str] = []
    fast = [member(f"fast{k}", *([Detection(BOX, score)] if score else [])) for k, score in enumerate(scores)]
    fused([*fast, member("slow", slow=True, calls=calls)])(FRAME)
    assert calls == ["slow"] * asked


def test_the_slow_detector_is_asked_always_where_only_one_fast_one_is_available():
    calls: list[str] = []
    fused([member("fast"), member("slow", slow=True, calls=calls)])(FRAME)
    assert calls == ["slow"]


def test_detectors_without_their_weights_are_left_out_and_named_with_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("TOONBENCH_WEIGHTS", str(tmp_path))
    missing = missing_detectors()
    assert set(missing) == {"yunet", "blazeface"}
    assert "toonbench weights fetch face-landmarker" in missing["blazeface"]
    from skimage import data

    (face,) = detector("fused")(data.astronaut()[0:256, 96:352])
    assert set(face.found_by) <= {"drawn", "mtcnn"}
    assert overlap(face.box, (85, 60, 170, 190)) > 0.4


def test_every_name_is_a_detector_and_others_are_refused():
    assert detectors() == ("mtcnn", "yunet", "blazeface", "drawn", "fused")
    for name in detectors():
        for low in (False, True):
            assert callable(detector(name, low=low))
    with pytest.raises(ToonbenchError, match="choose mtcnn, yunet, blazeface, drawn, fused"):
        detector("mtccn")


def test_the_single_detectors_of_fused_are_its_fast_ones_and_others_have_none():
    single = single_detectors("fused")
    assert next(iter(single)) == "drawn"
    assert set(single) == {"drawn", "blazeface", "yunet"} - set(missing_detectors())
    assert single_detectors("mtcnn") == {}
