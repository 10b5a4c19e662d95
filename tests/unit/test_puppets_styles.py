import hashlib
from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import maximum_filter

from toonbench.puppets.body.dents import dents
from toonbench.puppets.catalogue import make_look
from toonbench.puppets.draw.mesh import build_puppet, pose_puppet
from toonbench.puppets.draw.render import render_clip, render_image
from toonbench.puppets.rig import INDEX, neutral
from toonbench.puppets.styles.creature import KINDS


def _rig(**channels: float) -> np.ndarray:
    rig = neutral()
    for name, value in channels.items():
        rig[INDEX[name]] = value
    return rig


def _creature(species: str):
    return next(
        look
        for look in (make_look("creature", seed) for seed in range(400))
        if look.creature is not None and look.creature.species == species
    )


@pytest.mark.parametrize("species", KINDS)
def test_a_creature_has_no_hair_and_animal_ears_if_its_kind_has_any(species):
    puppet = build_puppet(_creature(species))
    assert "hair" not in puppet.names
    assert puppet.names.count("ear") == (2 if KINDS[species].ears else 0)


def test_a_human_has_no_nose_pad_whiskers_or_horns():
    for style in ("clay", "watercolour"):
        assert not {"pad", "whiskers", "tuft", "horn"} & set(build_puppet(make_look(style, 3)).names)


@pytest.mark.parametrize("species", KINDS)
def test_a_creatures_eyes_nose_and_mouth_are_where_a_face_has_them(species):
    puppet = build_puppet(_creature(species))
    points = pose_puppet(puppet, _rig()).points[puppet.landmarks]
    brows, eyes, nose, mouth, chin = (
        points[a:b, 1].mean() for a, b in ((17, 27), (36, 48), (31, 36), (48, 68), (7, 10))
    )
    assert brows > eyes > nose > mouth > chin
    assert points[36:42, 0].max() < 0 < points[42:48, 0].min()


def test_a_raised_brow_lifts_the_ear_of_its_own_side_only():
    puppet = build_puppet(_creature("fox"))
    still, raised = (pose_puppet(puppet, _rig(brow_up_left=value)).points for value in (0.0, 1.0))
    left, right = (i for i in np.flatnonzero([name == "ear" for name in puppet.names])[::-1])
    moved = {part: float(np.abs(raised - still)[puppet.part == part].max()) for part in (left, right)}
    assert moved[left] > 0.05
    assert moved[right] == 0


def test_the_nose_pad_follows_the_skin():
    puppet = build_puppet(_creature("bear"))
    pad = puppet.part == puppet.names.index("pad")
    still, moved = (pose_puppet(puppet, _rig(mouth_pucker=value)).points for value in (0.0, 1.0))
    tip = puppet.landmarks[30]
    assert np.allclose((moved - still)[pad].mean(0), (moved - still)[tip], atol=0.03)


def test_seeds_give_many_species_and_coats():
    looks = [make_look("creature", seed) for seed in range(60)]
    assert len({look.creature.species for look in looks if look.creature}) == len(KINDS)
    assert len({tuple(np.round(look.palette.skin, 2)) for look in looks}) > 50


def test_a_creatures_markings_are_on_its_own_skin():
    look = _creature("panda")
    assert look.creature is not None
    marked = build_puppet(look).colour
    bare = build_puppet(replace(look, creature=replace(look.creature, marking=""))).colour
    assert np.abs(marked - bare).max() > 0.2


def test_paper_stays_still_while_the_face_moves():
    look = make_look("watercolour", 2)
    clip = render_clip(look, np.stack([_rig(), _rig(yaw=20.0, jaw_open=1.0)]), size=96)
    away = maximum_filter(clip.mask.max(0), 13) == 0
    assert away.sum() > 500
    assert np.array_equal(clip.frames[0][away], clip.frames[1][away])
    assert clip.frames[0][away].std(axis=0).min() > 1  # and it is not flat


def test_a_wash_is_lighter_than_opaque_paint_and_leaves_a_bare_margin():
    look = make_look("watercolour", 4)
    wash = render_image(look, _rig(), size=96)
    opaque = render_image(replace(look, style="none"), _rig(), size=96)
    assert wash.mean() > opaque.mean()
    assert wash[0].min() > 225


def test_dents_move_with_the_head_and_stay_shallow():
    plain, dented = make_look("clay", 1), make_look("clay", 1)
    plain = replace(plain, shape=replace(plain.shape, dents=0.0))
    away = build_puppet(dented).head.rest - build_puppet(plain).head.rest
    assert 0.3 * dented.shape.dents < np.abs(away).max() < 4 * dented.shape.dents


def test_dents_follow_from_the_seed():
    points = np.random.default_rng(0).normal(size=(20, 30, 3))
    assert np.array_equal(dents(points, seed=1), dents(points, seed=1))
    assert not np.array_equal(dents(points, seed=1), dents(points, seed=2))


@pytest.mark.parametrize("style", ["clay", "watercolour", "creature"])
def test_the_same_seed_gives_the_same_bytes(style):
    one, two = (render_image(make_look(style, 6), _rig(yaw=10.0, smile=1.0), size=64) for _ in range(2))
    assert hashlib.sha256(one).digest() == hashlib.sha256(two).digest()


@pytest.mark.parametrize("style", ["clay", "watercolour", "creature"])
@pytest.mark.parametrize(
    "channel", ["blink_left", "jaw_open", "brow_up_left", "brow_furrow", "smile", "frown", "gaze_x"]
)
def test_each_expression_changes_the_picture(style, channel):
    still, moved = render_clip(make_look(style, 8), np.stack([_rig(), _rig(**{channel: 1.0})]), size=96).frames.astype(
        int
    )
    assert (np.abs(moved - still).max(-1) > 25).sum() > 20
