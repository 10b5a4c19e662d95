"""What a puppet consists of: hair, clothes, things worn, paint. Pictures are left to the tests of drawing."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from toonbench.puppets.body.hair import whiskers
from toonbench.puppets.catalogue import make_look
from toonbench.puppets.draw.mesh import Puppet, build_puppet, pose_puppet
from toonbench.puppets.look import Clothes, Garment, Hair, Look, Topping, Worn
from toonbench.puppets.rig import INDEX, LIMITS, neutral
from toonbench.puppets.styles._draw import CUTS, cut

STYLES = ("real", "disney3d")


def _plain(style: str, seed: int) -> Look:
    return replace(make_look(style, seed), worn=Worn(), clothes=Clothes())


def _with_cut(look: Look, kind: str) -> Look:
    return replace(look, hair=cut(np.random.default_rng(1), kind))


def _part(puppet: Puppet, name: str) -> np.ndarray:
    """The vertices of all parts of a name."""
    return np.isin(puppet.part, [i for i, own in enumerate(puppet.names) if own == name])


def _extreme_rigs() -> list[np.ndarray]:
    low, high = LIMITS[:, 0].copy(), LIMITS[:, 1].copy()
    mixed = np.where(np.arange(len(low)) % 2, low, high).astype(np.float32)
    return [neutral(), low, high, mixed]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("kind", CUTS)
def test_every_cut_gives_a_finite_puppet_of_moderate_size_for_extreme_rigs(style, kind):
    puppet = build_puppet(_with_cut(_plain(style, 3), kind))
    assert len(puppet.colour) <= 33000
    assert np.isfinite(puppet.colour).all()
    assert puppet.quads.min() >= 0
    assert puppet.quads.max() < len(puppet.colour)
    for rig in _extreme_rigs():
        pose = pose_puppet(puppet, rig)
        assert np.isfinite(pose.points).all()
        assert np.isfinite(pose.normals).all()
        assert np.abs(pose.points).max() < 8


def test_cuts_differ_from_one_another():
    counts = {kind: build_puppet(_with_cut(_plain("real", 3), kind)) for kind in ("bald", "curly", "braids", "spiky")}
    assert not _part(counts["bald"], "hair").any()
    assert len({len(p.colour) for p in counts.values()}) == 4


@pytest.mark.parametrize("style", STYLES)
def test_everything_worn_is_finite_and_moves_no_landmark(style):
    look = _plain(style, 4)
    rig = neutral()
    rig[INDEX["yaw"]] = 20
    bare = build_puppet(look)
    expected = pose_puppet(bare, rig).points[bare.landmarks]
    for top in get_args(Topping):
        worn = Worn(glasses="round", earrings="hoop", top=top)
        puppet = build_puppet(replace(look, worn=worn))
        pose = pose_puppet(puppet, rig)
        assert np.isfinite(pose.points).all()
        assert np.array_equal(pose.points[puppet.landmarks], expected)


@pytest.mark.parametrize("kind", get_args(Garment))
def test_garments_move_no_landmark_and_stay_below_the_mouth(kind):
    look = _plain("real", 5)
    bare, dressed = build_puppet(look), build_puppet(replace(look, clothes=Clothes(kind=kind, pattern="stripes")))
    assert np.array_equal(bare.rest[bare.landmarks], dressed.rest[dressed.landmarks])
    cloth = dressed.rest[dressed.body == 1]
    assert cloth[:, 1].max() < look.shape.mouth_y


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("shape", ["round", "square"])
@pytest.mark.parametrize("seed", [0, 7, 11])
def test_glasses_stand_before_the_eyes_and_leave_the_pupils_free(style, shape, seed):
    look = replace(_plain(style, seed), worn=Worn(glasses=shape))
    puppet = build_puppet(look)
    points = pose_puppet(puppet, neutral()).points
    frame = points[_part(puppet, "glasses")]
    for pupil in points[puppet.landmarks[68:]]:
        assert np.linalg.norm(frame[:, :2] - pupil[:2], axis=1).min() > 0.8 * look.shape.iris_radius
    rims = frame[(np.abs(frame[:, 0]) < look.shape.eye_x) & (frame[:, 2] > 0.5)]
    assert rims[:, 2].min() > points[_part(puppet, "eyeball"), 2].max() - 0.05


def test_hair_stays_under_a_hat():
    look = replace(_with_cut(_plain("disney3d", 2), "curly"), worn=Worn())
    free, covered = build_puppet(look), build_puppet(replace(look, worn=Worn(top="beanie")))
    tallest = covered.rest[_part(covered, "hair"), 1].max()
    assert tallest < free.rest[_part(free, "hair"), 1].max()
    assert tallest < covered.rest[_part(covered, "hat"), 1].max()


def test_only_cuts_that_men_wear_come_with_a_beard():
    for seed in range(120):
        look = make_look("real", seed)
        long = look.hair.back < -0.6 or look.hair.bun or look.hair.tail
        assert not (look.palette.beard and long), seed


def test_a_beard_leaves_the_lips_and_the_eyes_free():
    puppet = build_puppet(_plain("real", 1))
    grown = whiskers(puppet.head)
    mouth_and_eyes = puppet.landmarks[36:68]
    assert grown.max() > 0.9
    assert grown[mouth_and_eyes].max() < 0.3


def test_a_beard_moves_with_the_jaw():
    look = replace(_plain("real", 1), hair=Hair(bald=True, beard=0.06))
    puppet = build_puppet(look)
    rig = neutral()
    rig[INDEX["jaw_open"]] = 1
    lowest = _part(puppet, "beard") & (puppet.rest[:, 1] < look.shape.mouth_y - 0.2) & (puppet.rest[:, 2] > 0.6)
    assert (pose_puppet(puppet, rig).points - pose_puppet(puppet, neutral()).points)[lowest, 1].max() < -0.05


def test_accessories_are_neither_rare_nor_everywhere():
    worn = [make_look(style, seed).worn for style in STYLES for seed in range(150)]
    some = np.mean([bool(w.glasses or w.earrings or w.top) for w in worn])
    assert 0.25 < some < 0.5
    assert {w.top for w in worn} == set(get_args(Topping))


def test_skin_tones_and_sexes_are_balanced():
    looks = [make_look("real", seed) for seed in range(200)]
    light = np.array([look.palette.skin[0] for look in looks])
    assert 0.2 < (light < 0.65).mean() < 0.6
    made_up = np.mean([look.palette.makeup > 0 for look in looks])
    assert 0.4 < made_up < 0.6


def test_parts_cover_all_vertices_in_order():
    puppet = build_puppet(make_look("disney3d", 8))
    assert len(puppet.names) == len(puppet.parts)
    assert (np.diff(puppet.part) >= 0).all()
    assert set(puppet.part) == set(range(len(puppet.names)))


@pytest.mark.parametrize("style", STYLES)
def test_the_same_look_gives_the_same_mesh(style):
    one, two = build_puppet(make_look(style, 6)), build_puppet(make_look(style, 6))
    assert np.array_equal(one.rest, two.rest)
    assert np.array_equal(one.colour, two.colour)
