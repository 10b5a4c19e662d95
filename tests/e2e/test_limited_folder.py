"""A limit, or a list of pairs, prepares only the clips that are needed, and draws the same pairs as without it."""

import numpy as np
import pytest
from PIL import Image
from skimage import data as pictures

from toonbench import cli, evaluate, video
from toonbench.evaluate import plan
from toonbench.prepare import folder as preparation
from toonbench.prepare.options import Options

FACE = pictures.astronaut()[0:128, 160:288]
WHOLE = Options(crop="none")


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """Three driving videos, one of them damaged, and four pictures; the damaged one shows the person of a picture."""
    monkeypatch.setenv("TOONBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "mine"
    for number in range(3):
        place = root / "real_videos" / f"v{number}.mkv"
        place.parent.mkdir(parents=True, exist_ok=True)
        video.write_lossless(place, np.stack([np.roll(FACE, step + number, axis=1) for step in range(9)]), fps=25)
    (root / "real_videos" / "v1.mkv").write_bytes(place.read_bytes()[:2000])
    for number in range(4):
        place = root / "cartoon_images" / f"i{number}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.roll(FACE, number, axis=0)).save(place)
    (root / "metadata.csv").write_text("file,identity\nreal_videos/v1.mkv,anna\ncartoon_images/i2.png,anna\n")
    return root


@pytest.fixture(autouse=True)
def prepared(monkeypatch):
    """The ids of clips that are prepared, in order."""
    made: list[str] = []
    prepare = preparation._prepared

    def recorded(item):
        made.append(item.id)
        return prepare(item)

    monkeypatch.setattr(preparation, "_prepared", recorded)
    return made


def ids(made):
    return [pair.id for pair in made.pairs]


def test_a_limit_prepares_only_what_its_pairs_need_and_draws_the_same_pairs(mine, prepared):
    limited = {limit: plan(data=str(mine), limit=limit, preparation=WHOLE) for limit in (1, 5)}
    needed = {clip.id for pair in limited[5].pairs for clip in (pair.source, pair.driving)}
    assert set(prepared) == needed
    assert len(needed) < 7
    assert {clip.id for clip in limited[5].clips} == needed
    assert len(limited[1].clips) == 2
    prepared.clear()
    whole = plan(data=str(mine), preparation=WHOLE)
    assert ids(limited[1]) == ids(whole)[:1]
    assert ids(limited[5]) == ids(whole)[:5]
    assert len(prepared) == 7 - len(needed), "what was prepared before is not prepared again"
    assert plan(data=str(mine), limit=5, preparation=WHOLE).data == limited[5].data


def test_all_shards_of_a_limit_have_the_same_data_set(mine):
    shards = [plan(data=str(mine), limit=4, shard=(index, 2), preparation=WHOLE) for index in (1, 2)]
    assert shards[0].data == shards[1].data
    assert sorted(pair.id for shard in shards for pair in shard.share) == sorted(ids(shards[0]))


def test_a_list_of_pairs_prepares_its_clips_only(mine, prepared, tmp_path):
    listed = tmp_path / "list.csv"
    listed.write_text("source,driving\ni3.png,v2\ni0.png,real_videos/v2.mkv\n")
    made = plan(data=str(mine), pairs=listed, preparation=WHOLE)
    assert ids(made) == ["cartoon_images-i3~real_videos-v2-mkv", "cartoon_images-i0~real_videos-v2-mkv"]
    assert sorted(prepared) == ["cartoon_images-i0", "cartoon_images-i3", "real_videos-v2-mkv"]


def test_pairs_do_not_depend_on_which_files_fail(mine):
    damaged = plan(data=str(mine), preparation=WHOLE)
    assert "cartoon_images-i2~real_videos-v1-mkv" not in ids(damaged), "a damaged video still shows its person"
    assert next(pair for pair in damaged.pairs if pair.driving.id == "real_videos-v1-mkv").driving.problem
    (mine / "real_videos" / "v1.mkv").write_bytes((mine / "real_videos" / "v0.mkv").read_bytes())
    assert ids(plan(data=str(mine), preparation=WHOLE)) == ids(damaged)


def test_a_pair_of_a_clip_that_cannot_be_prepared_fails_with_its_reason(mine, tmp_path):
    made = evaluate(
        "static", data=str(mine), limit=12, metrics=["cpbd"], out=tmp_path / "runs", preparation=WHOLE, device="cpu"
    )
    reasons = {reason for pair, reason in made.scores.failures.items() if "v1" in pair}
    assert len(reasons) == 1
    assert "real_videos/v1.mkv" in reasons.pop()
    assert {pair for pair in made.scores.failures if "v1" not in pair} == set()


def run(*arguments: str) -> int:
    return cli.run([*arguments, "--data", "mine"])


def test_limited_runs_are_scored_from_a_folder_and_compared_unless_two_parts_of_the_folder_have_them(mine, capsys):
    options = ["--crop", "none", "--workers", "1"]
    two, metrics = ["--limit", "2", *options], ["--metrics", "cpbd"]
    assert run("eval", "--method", "static", *two, *metrics) == 0
    assert run("generate", "--method", "paste", *two) == 0
    (videos,) = (mine.parent / "runs").glob("*/*/paste*/videos")
    score = ["score", "--videos", str(videos), "--name", "given", *metrics]
    assert run(*score, *two) == 0
    capsys.readouterr()
    assert run("compare", "static", "given") == 0
    assert "of mine-" in capsys.readouterr().out

    one = ["--limit", "1", *options]
    assert run("eval", "--method", "static", *one, *metrics) == 0
    assert run(*score, *one) == 0
    assert run("compare", "static", "given") == 2
    assert "mine has runs of these methods with 2 sets of clips in runs: write --data mine-" in capsys.readouterr().err
