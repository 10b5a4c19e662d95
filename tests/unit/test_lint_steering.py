"""The linter finds perturbations that were made for the landmark network, and none in videos that were not perturbed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from baselines.dummies import NoisyOracle
from lint_steering import attacked, soft
from toonbench import lint, registry, video
from toonbench.calibrate.errors import every_error
from toonbench.data import load, locate, read_motion, shipped
from toonbench.data.clips import read_frames, read_source
from toonbench.lint import faults
from toonbench.lint.findings import STEERED
from toonbench.lint.measured import Measured
from toonbench.lint.steering import FRAMES, Sampled, blurred, steered
from toonbench.networks.landmarks import read_weights
from toonbench.puppets.catalogue import make_look, styles
from toonbench.puppets.draw.render import render_clip
from toonbench.puppets.rig import first_pose, generate, relative, seed_of
from toonbench.tasks import draw_pairs
from toonbench.types import Clip, Pair

IMAGE_ERRORS = [error for error in every_error().values() if error.image]


@pytest.fixture(scope="module")
def network():
    return read_weights()


@pytest.fixture(scope="module")
def clips():
    """The source, some frames of the target and their ground-truth motion of a new character of each style."""
    made = {}
    for style in styles():
        seed = seed_of("steering", style)
        pose = first_pose(seed_of(seed, "source"))
        rig = relative(pose, generate(seed_of(seed, "driving"), frames=13, step=3))[1::3]
        drawn = render_clip(make_look(style, seed), np.concatenate([pose[None], rig]), size=128).frames
        made[style] = drawn[0], drawn[1:], rig
    return made


def medians(clips, make):
    """The median over the styles of `steered`, of the frames that `make` gives."""
    return float(np.nanmedian([steered(make(*clip), clip[2]) for clip in clips.values()]))


def still(source, target, rig):
    return np.repeat(source[None], len(target), axis=0)


def test_videos_that_were_perturbed_for_the_network_are_found(clips, network):
    some = {style: clips[style] for style in list(clips)[::3]}
    assert medians(clips, still) < STEERED
    assert medians(some, lambda *clip: attacked(still(*clip), clip[2], network=network, steps=4)) > STEERED


@pytest.mark.parametrize("error", IMAGE_ERRORS, ids=lambda error: error.name)
def test_damaged_targets_are_not_perturbed(clips, error):
    rng = np.random.default_rng(0)
    assert medians(clips, lambda source, target, rig: error.image(target, error.levels[2], rng)) < STEERED


def test_the_target_the_noisy_oracle_and_another_motion_are_not_perturbed(clips):
    assert medians(clips, lambda source, target, rig: target) < STEERED
    assert medians(clips, lambda source, target, rig: NoisyOracle().animate_target(source, target, seed=0)) < STEERED
    assert medians(clips, lambda source, target, rig: target[::-1]) < STEERED


def test_an_attack_changes_no_pixel_by_more_than_its_limit_and_lowers_the_error(clips, network):
    source, target, rig = clips["cel"]
    frames = still(source, target, rig)
    changed = attacked(frames, rig, network=network, limit=2)
    assert 1 <= np.abs(changed.astype(int) - frames).max() <= 2
    size = torch.from_numpy(frames).permute(0, 3, 1, 2) / 127.5 - 1
    back = (soft(size).permute(0, 2, 3, 1).numpy() + 1) * 127.5
    assert np.abs(back - blurred(frames)).mean() < 1  # the blur of the attack that knows the linter


def test_the_frames_that_are_examined_do_not_depend_on_chunks():
    frames = np.arange(100, dtype=np.uint8)[:, None, None, None].repeat(3, axis=3)
    for count in (1, 2, 9, 10, 30, 99, 100):
        whole, parts = Sampled(), Sampled()
        whole.add(frames[:count])
        for at in range(0, count, 7):
            parts.add(frames[at : min(at + 7, count)])
        numbers, kept = whole.frames(before=count)
        assert numbers == parts.frames(before=count)[0]
        assert kept[:, 0, 0, 0].tolist() == numbers
        assert min(4, count - 1) <= len(numbers) <= FRAMES
        assert 0 not in numbers
    assert whole.frames(before=20)[0] == [1, 17]


def test_few_frames_and_frames_without_a_face_show_nothing(clips):
    _, target, rig = clips["real"]
    assert np.isnan(steered(target[:2], rig[:2]))
    assert np.isnan(steered(np.zeros_like(target), rig))


def rows(values):
    fields = dict.fromkeys(lint.COLUMNS, float("nan"))
    sound = {"lossy": 0, "frames": 9, "width": 9, "height": 9, "expected_width": 9, "expected_height": 9, "fps": 9,
             "expected_fps": 9, "expected_frames": 9, "codec": 0}  # fmt: skip
    return {f"{at:02}": Measured(**{**fields, **sound, "steered": value}).row() for at, value in enumerate(values)}


def test_most_of_the_pairs_must_show_it():
    high, low = 3 * STEERED, -STEERED
    [finding] = lint.findings(rows([high] * 4 + [low] * 3))
    assert (finding.kind, finding.severity, finding.of, finding.affected) == (
        "steered",
        "warning",
        7,
        ("00", "01", "02", "03"),
    )
    assert finding.message.startswith("4 of 7 videos")
    assert not lint.findings(rows([high] * 3 + [low] * 4))
    assert not lint.findings(rows([high] * 5))  # too few
    assert not lint.findings(rows([float("nan")] * 7))


LENGTH = 12  # frames of each shipped clip


@pytest.fixture(scope="module")
def pairs():
    data = load(locate(next(iter(shipped()))))
    drawn = draw_pairs(registry.load_task("real2cartoon"), data.clips, targets=data.targets)[::2]
    return [replace(pair, driving=replace(pair.driving, frames=LENGTH)) for pair in drawn]


@pytest.fixture(scope="module")
def lossless(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("lint") / "lossless.mkv"
    video.write_lossless(path, np.zeros((2, 16, 16, 3), np.uint8), fps=10)
    return path


def kinds(pairs, path, make):
    """The kinds of findings over pairs whose video is what `make` gives for the source, the target and the motion."""
    found = {}
    for pair in pairs:
        source, target = read_source(pair.source), read_frames(pair.target).frames[:LENGTH]
        frames = make(source, target, read_motion(pair.target.motion, fps=pair.target.fps).rig[:LENGTH])
        found[pair.id] = lint.measure(pair, path, generated=frames, source=source, target=target)
    return {finding.kind for finding in lint.findings(found)}


def test_shipped_targets_are_not_reported_and_data_without_motion_is_not_measured(pairs, lossless):
    assert kinds(pairs, lossless, lambda source, target, rig: target) == {"target"}
    bare = replace(pairs[0], target=replace(pairs[0].target, motion=None))
    row = lint.measure(bare, lossless, generated=read_frames(bare.target).frames, source=read_source(bare.source))
    assert np.isnan(row[0, lint.COLUMNS.index("steered")])


@pytest.mark.slow
def test_an_attack_on_the_shipped_puppets_is_reported(pairs, lossless, network):
    def weak(source, target, rig):
        """Half of the motion, with values from 10 to 245: an attack on values that are cut at 0 and 255 looks stretched, too."""
        return np.rint(10 + 235 / 255 * faults.damped(target)).astype(np.uint8)

    assert kinds(pairs, lossless, weak) == set()
    assert kinds(pairs, lossless, lambda *clip: attacked(weak(*clip), clip[2], network=network)) == {"steered"}


def test_a_video_shorter_than_its_motion_is_measured(pairs, lossless):
    pair = replace(pairs[0], driving=Clip(id="driving", path=Path("none"), domain="real", fps=10, frames=5))
    frames = read_frames(pair.target).frames[:5]
    row = lint.measure(Pair(id="short", source=pair.source, driving=pair.driving, target=pair.target), lossless,
                       generated=frames, source=read_source(pair.source))  # fmt: skip
    assert np.isfinite(row[0, lint.COLUMNS.index("steered")])
