import json
from dataclasses import replace

import pytest

from toonbench import registry
from toonbench.data import load
from toonbench.tasks import STANDARD_TASKS, draw_pairs, fingerprint, pair_seed, pairs_with_targets, shard_of
from toonbench.tasks.lock import LOCK, catalogue, current
from toonbench.types import ToonbenchError

COUNTS = {
    "real2cartoon": (60, 300),
    "cartoon2real": (55, 275),
    "real_self": (200, 200),
    "real_cross": (200, 1000),
    "cartoon_cross": (55, 275),
}


def test_every_task_is_as_its_lock_says():
    assert current() == json.loads(LOCK.read_text()), (
        "a task changed: raise its version, then run scripts/lock_tasks.py"
    )


@pytest.mark.parametrize("name", COUNTS)
def test_a_large_data_set_gives_the_papers_counts(name):
    pairs = draw_pairs(registry.load_task(name), catalogue())
    videos, total = COUNTS[name]
    assert len({pair.driving.id for pair in pairs}) == videos
    assert len(pairs) == len({pair.id for pair in pairs}) == total
    if name != "real_self":
        assert len({pair.source.id for pair in pairs}) == total, "each source comes once before any comes twice"


@pytest.mark.parametrize("name", COUNTS)
def test_pairs_do_not_depend_on_the_order_of_the_clips(name):
    task = registry.load_task(name)
    assert draw_pairs(task, catalogue()) == draw_pairs(task, catalogue()[::-1])


def test_another_seed_draws_other_pairs():
    task = registry.load_task("real2cartoon")
    assert draw_pairs(task, catalogue(), seed=1) != draw_pairs(task, catalogue(), seed=0)


def test_the_fingerprint_changes_with_a_field_and_with_a_pair():
    task = registry.load_task("real2cartoon")
    pairs = draw_pairs(task, catalogue())
    assert fingerprint(task, pairs) != fingerprint(replace(task, motion="absolute"), pairs)
    assert fingerprint(task, pairs) != fingerprint(task, pairs[1:])


def test_same_identity_pairs_are_their_own_target():
    for pair in draw_pairs(registry.load_task("real_self"), catalogue()):
        assert pair.source == pair.driving == pair.target


def test_nobody_drives_themself_in_cross_identity_tasks():
    clips = [replace(clip, identity=f"person-{i % 3}") for i, clip in enumerate(catalogue())]
    for pair in draw_pairs(registry.load_task("real_cross"), clips):
        assert pair.source.identity != pair.driving.identity


def test_training_clips_are_never_drawn():
    clips = [replace(clip, split="train") for clip in catalogue()]
    with pytest.raises(ToonbenchError, match="needs real videos, but the data has none"):
        draw_pairs(registry.load_task("real2cartoon"), clips)


def test_without_images_the_first_frames_of_videos_are_sources():
    clips = [clip for clip in catalogue() if clip.kind == "video"]
    pairs = draw_pairs(registry.load_task("cartoon_cross"), clips)
    assert len(pairs) == 275
    assert all(pair.source.id != pair.driving.id for pair in pairs)


def test_targets_are_found_for_the_tasks_motion(tiny_data):
    data = load(tiny_data)
    pairs = draw_pairs(registry.load_task("real2cartoon"), data.clips, targets=data.targets)
    assert len(pairs) == 12
    assert all(pair.target is not None and pair.target.id == pair.id for pair in pairs)
    assert all(
        pair.target is None for pair in draw_pairs(registry.load_task("real_cross"), data.clips, targets=data.targets)
    )


def test_shards_part_the_pairs():
    pairs = draw_pairs(registry.load_task("real2cartoon"), catalogue())
    shards = [shard_of(pairs, (i, 3)) for i in (1, 2, 3)]
    assert sorted(p.id for shard in shards for p in shard) == sorted(p.id for p in pairs)
    assert all(60 < len(shard) < 140 for shard in shards)


def test_seeds_of_pairs_differ_and_stay():
    pairs = draw_pairs(registry.load_task("real2cartoon"), catalogue())
    seeds = [pair_seed(0, pair) for pair in pairs]
    assert len(set(seeds)) == len(seeds)
    assert seeds == [pair_seed(0, pair) for pair in pairs]


def test_where_some_pairs_have_answers_only_those_are_drawn(tiny_data):
    data = load(tiny_data)
    answers = {key: clip for key, clip in data.targets.items() if key[0] == "cartoon-image-2"}
    pairs = draw_pairs(registry.load_task("real2cartoon"), data.clips, targets=answers)
    assert {pair.source.id for pair in pairs} == {"cartoon-image-2"}
    assert len(pairs) == 3
    assert all(pair.target for pair in pairs)


def test_the_targets_to_draw_are_those_of_the_four_cross_identity_tasks(tiny_data):
    drawn = pairs_with_targets(load(tiny_data).clips, tasks=STANDARD_TASKS, sources=2)
    assert len(drawn) == 4 * 3 * 2
    assert all(source.split("-")[1] == "image" and driving.split("-")[1] == "video" for source, driving in drawn)
