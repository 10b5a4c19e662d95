"""Flat styles: what the pen draws, and how little else than flat tones there is."""

from dataclasses import replace

import numpy as np
import pytest

from toonbench.puppets.catalogue import make_look
from toonbench.puppets.draw.inking import drawn_lines, flat_colour, hair_gleam
from toonbench.puppets.draw.mesh import build_puppet
from toonbench.puppets.draw.render import render_clip
from toonbench.puppets.look import Look
from toonbench.puppets.rig import INDEX, neutral

FLAT = ("cel", "lineart")


def _frame(look: Look, **channels: float):
    rig = neutral()
    for name, value in channels.items():
        rig[INDEX[name]] = value
    return render_clip(look, rig[None], size=128)


def _dark(clip, landmark: int, *, reach: int = 2) -> int:
    """Return the darkest value near a landmark."""
    x, y = np.floor(clip.landmarks[0, landmark]).astype(int)
    return int(clip.frames[0, y - reach : y + reach + 1, x - reach : x + reach + 1].mean(-1).min())


@pytest.mark.parametrize("style", FLAT)
def test_a_line_runs_round_the_face_and_goes_with_the_outline_s_width(style):
    look = make_look(style, 5)
    bare = replace(look, shading=replace(look.shading, outline=0.0))
    assert _dark(_frame(look), 8) < 70
    assert _dark(_frame(look), 8) < _dark(_frame(bare), 8) - 20


@pytest.mark.parametrize("style", FLAT)
def test_the_rim_of_the_lips_is_a_line_and_cheeks_have_none(style):
    puppet = build_puppet(make_look(style, 5))
    signed, half = drawn_lines(puppet).T
    rim = puppet.head.lip_upper
    assert np.abs(signed[rim]).max() < 0.006
    assert half[rim].min() > 0
    assert half[puppet.landmarks[[2, 14]]].max() < 0  # none on the cheeks


@pytest.mark.parametrize("style", FLAT)
def test_an_open_mouth_shows_teeth_and_a_blink_hides_the_iris(style):
    look = make_look(style, 5)
    wide, still, shut = _frame(look, jaw_open=1, smile=1), _frame(look), _frame(look, blink_left=1, blink_right=1)
    x, y = np.floor(wide.landmarks[0, [61, 62, 63, 65, 66, 67]].mean(0)).astype(int)
    mouth = wide.frames[0, y - 8 : y + 9, x - 8 : x + 9].mean(-1)
    assert mouth.max() > 200
    assert mouth.min() < 90
    x, y = np.floor(still.landmarks[0, 68]).astype(int)
    eye = (slice(y - 3, y + 3), slice(x - 3, x + 3))
    assert shut.frames[0][eye].mean() > still.frames[0][eye].mean() + 20


def test_flat_hair_has_few_colours_and_a_band_of_light():
    puppet = build_puppet(make_look("cel", 1))
    hair = np.isin(puppet.part, np.flatnonzero(np.array(puppet.names) == "hair"))
    assert len(np.unique(flat_colour(puppet)[hair].round(6), axis=0)) <= 4
    assert len(np.unique(puppet.colour[hair].round(6), axis=0)) > 50
    gleam = hair_gleam(puppet)
    assert gleam is not None
    assert 0 < (gleam[hair] > 0).mean() < 0.4
    assert not (gleam[~hair] > 0).any()
    assert hair_gleam(build_puppet(make_look("real", 1))) is None


def test_printed_shade_is_a_screen_and_light_is_flat():
    look = next(
        look for look in (make_look("lineart", seed) for seed in range(9)) if look.scene.background_seed % 4 == 0
    )
    printed = _frame(look).frames[0].astype(int)
    plain = _frame(replace(look, style="none")).frames[0].astype(int)  # a style that nobody knows has no finish
    assert np.abs(printed - plain).max() > 25
    assert np.median(np.abs(printed - plain)) < 6
