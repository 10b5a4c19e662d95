"""Clips of one title are grouped by the look of the character, and never across titles."""

from itertools import permutations

import numpy as np
import pytest

from toonbench.prepare.identities import Appearance, IdentityMeter, appearance, difference, identify
from toonbench.types import Frames, ToonbenchError

BOX = (20.0, 20.0, 76.0, 76.0)
LOOKS = {
    "anna": ((230, 190, 160), (40, 30, 20), (160, 30, 40)),
    "ben": ((120, 80, 60), (20, 20, 20), (40, 90, 160)),
    "cem": ((230, 190, 160), (210, 170, 60), (40, 120, 60)),
}


def clip(who: str, *, seed: int, frames: int = 6) -> Frames:
    """A head of skin, hair and clothes that moves by a few pixels in front of its own backdrop, with noise."""
    random = np.random.default_rng(seed)
    skin, hair, clothes = LOOKS[who]
    made = np.empty((frames, 96, 96, 3), np.uint8)
    made[:] = random.integers(0, 256, 3)
    for frame in made:
        y, x = random.integers(-2, 3, 2)
        frame[16 + y : 40 + y, 18 + x : 78 + x] = hair
        frame[32 + y : 76 + y, 24 + x : 72 + x] = skin
        frame[76 + y :, 14 + x : 82 + x] = clothes
    return np.clip(made + random.normal(0, 4, made.shape), 0, 255).astype(np.uint8)


def looks(names: dict[str, str]) -> dict[str, Appearance]:
    return {name: appearance(clip(who, seed=number), [BOX] * 6) for number, (name, who) in enumerate(names.items())}


CLIPS = {"a1": "anna", "a2": "ben", "a3": "anna", "a4": "cem", "a5": "ben", "b1": "anna"}


def test_one_character_in_front_of_other_backdrops_is_one_identity_of_its_title() -> None:
    found = identify(looks(CLIPS), titles={name: name[0].upper() for name in CLIPS})
    assert found == {"a1": "A-p1", "a2": "A-p2", "a3": "A-p1", "a4": "A-p3", "a5": "A-p2", "b1": "B-p1"}


def test_a_clip_without_a_title_is_an_identity_of_its_own() -> None:
    assert identify(looks({"x": "anna", "y": "anna"}), titles={}) == {"x": "x", "y": "y"}


def test_the_identities_do_not_depend_on_the_order_of_the_clips() -> None:
    features, titles = looks({"a1": "anna", "a2": "ben", "a3": "anna", "a4": "cem"}), dict.fromkeys(CLIPS, "A")
    results = {tuple(sorted(identify(dict(order), titles=titles).items())) for order in permutations(features.items())}
    assert len(results) == 1


def test_the_box_of_the_face_is_what_is_compared() -> None:
    frames = clip("anna", seed=1)
    wide = np.pad(frames, ((0, 0), (0, 0), (40, 0), (0, 0)), mode="edge")
    boxes = [BOX] * len(frames)
    moved = [(left + 40, top, right + 40, bottom) for left, top, right, bottom in boxes]
    own = appearance(frames, boxes)
    assert difference(own, appearance(wide, moved)) < 0.5
    assert difference(own, appearance(wide, boxes)) > 8


def test_a_long_clip_is_measured_over_its_whole_length() -> None:
    meter = IdentityMeter()
    for level in np.arange(1000) // 4:
        meter.add(np.full((24, 24, 3), level, np.uint8))
    middle = appearance([np.full((24, 24, 3), 125, np.uint8)])
    assert difference(meter.finish(), middle) < 2
    with pytest.raises(ToonbenchError, match="without frames"):
        IdentityMeter().finish()


def test_an_appearance_is_the_same_after_it_was_written_and_read() -> None:
    one = appearance(clip("cem", seed=3))
    np.testing.assert_array_equal(Appearance.from_json(one.to_json()).colours, one.colours)
    with pytest.raises(ToonbenchError, match="cannot be read"):
        Appearance.from_json({"colours": "AAAA"})
