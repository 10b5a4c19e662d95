"""Pairs of one's own, and the list of pairs for a tool: from a folder to a table."""

from __future__ import annotations

import csv
import json
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from test_score_outputs import larger, lossy

from made_data import LENGTH
from toonbench import cli, registry, video
from toonbench.data import load
from toonbench.tasks import draw_pairs, fingerprint
from toonbench.tasks.listed import listed_task, read_rows
from toonbench.types import ToonbenchError


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def listed(data: Path, path: Path, task: str = "real2cartoon"):
    opened = load(data)
    return listed_task(registry.load_task(task), path, clips=opened.clips, targets=opened.targets)


@pytest.fixture
def renamed(tiny_data, tmp_path) -> Path:
    """The data as a user's folder was prepared: every clip states the user's own file."""
    import pandas as pd

    data = shutil.copytree(tiny_data, tmp_path / "renamed")
    table = pd.read_parquet(data / "metadata.parquet")
    suffix = {"video": "mp4", "image": "jpg"}
    table["original"] = [
        f"{row['domain']}_{row['kind']}s/id{int(row['id'][-1]) % 2}/Ünal 第{row['id'][-1]}#1.{suffix[row['kind']]}"
        for _, row in table.iterrows()
    ]
    table.to_parquet(data / "metadata.parquet", index=False)
    return data


def test_a_list_names_clips_by_id_or_by_the_users_own_files(renamed, tmp_path):
    rows = (
        "source,driving\n"
        "cartoon-image-0,real-video-1\n"
        "Ünal 第2#1.jpg,Ünal 第0#1.mp4\n"
        "id1/Ünal 第1#1.jpg,id0/Ünal 第2#1\n"
        "cartoon_images/id1/Ünal 第3#1.jpg,real-video-1.mkv\n"
    )
    task, pairs = listed(renamed, written(tmp_path / "mine.csv", rows))
    assert [pair.id for pair in pairs] == [
        "cartoon-image-0~real-video-1",
        "cartoon-image-2~real-video-0",
        "cartoon-image-1~real-video-2",
        "cartoon-image-3~real-video-1",
    ]
    assert all(pair.target is not None for pair in pairs)
    assert re.fullmatch(r"real2cartoon\+mine-[0-9a-f]{8}@4", task.id)


def test_rows_of_two_fields_under_a_header_of_three_are_source_and_driving_in_its_order(tmp_path):
    rows = read_rows(written(tmp_path / "a.csv", "distance,source,driving\na.mp4,b.mp4\n0.5,c.mp4,d.mp4\n"))
    assert [(row.source, row.driving) for row in rows] == [("a.mp4", "b.mp4"), ("c.mp4", "d.mp4")]
    rows = read_rows(written(tmp_path / "b.csv", "\ufeffdriving,source,distance\n\nb.mp4,a.mp4\n"))
    assert [(row.source, row.driving) for row in rows] == [("a.mp4", "b.mp4")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "its first line is nothing; it needs the columns source and driving"),
        ("a,b\n1,2\n", "its first line is a, b; it needs the columns"),
        ("source,driving\n", "it has no rows"),
        ("source,driving\ncartoon-image-0\n", "line 2: no source or no driving video"),
        ("source,driving\ncartoon-image-0,real-video-0\ncartoon-image-0.png,real-video-0\n", "line 3: cartoon-image-0 and real-video-0 are listed twice"),
        ("source,driving\ncartoon-imag-0,real-video-0\n", "cartoon-imag-0 (did you mean cartoon-image-0"),
        ("source,driving\ncartoon-image-0,cartoon-video-0\n", "1 names are no real driving video of the data"),
    ],
)  # fmt: skip
def test_a_wrong_list_is_an_error_that_says_what_is_wrong(tiny_data, tmp_path, text, message):
    with pytest.raises(ToonbenchError, match=re.escape(message)):
        listed(tiny_data, written(tmp_path / "list.csv", text))


def test_a_name_of_two_clips_is_an_error_that_names_both(tmp_path, renamed):
    import pandas as pd

    table = pd.read_parquet(renamed / "metadata.parquet")
    table["original"] = [f"{d}_{k}s/id{at}/0001.mp4" for at, (d, k) in enumerate(zip(table["domain"], table["kind"], strict=True))]  # fmt: skip
    table.to_parquet(renamed / "metadata.parquet", index=False)
    with pytest.raises(ToonbenchError, match="0001 can be real-video-0 or real-video-1: write the id"):
        listed(renamed, written(tmp_path / "list.csv", "source,driving\ncartoon-image-0,0001\n"))


def test_other_pairs_are_another_task_with_another_fingerprint(tiny_data, tmp_path):
    text = "source,driving\ncartoon-image-0,real-video-0\ncartoon-image-1,real-video-1\n"
    one, other = (
        written(tmp_path / "one.csv", text),
        written(tmp_path / "other.csv", text.replace("image-1", "image-2")),
    )
    (task, pairs), (changed, rest) = listed(tiny_data, one), listed(tiny_data, other)
    assert task.id != changed.id
    assert fingerprint(task, pairs) != fingerprint(changed, rest)
    assert listed(tiny_data, one)[0] == task


def run(*arguments: str | Path) -> None:
    assert cli.run([*map(str, arguments)]) == 0


def test_runs_on_listed_pairs_are_evaluated_scored_validated_and_compared(tiny_data, tmp_path, capsys):
    rows = "source,driving\n" + "".join(f"cartoon-image-{i},real-video-{v}\n" for i in range(2) for v in range(3))
    mine = written(tmp_path / "mine.csv", rows)
    common = ["--pairs", mine, "--data", tiny_data, "--workers", "1"]
    out = ["--out", tmp_path / "out"]
    plugin = "toonbench_test_metrics:Colour"  # it compares with the source images of the pairs
    for method in ("oracle", "static"):
        run("eval", "--method", method, *common, *out, "--metrics", "l1", plugin)
    folder = next((tmp_path / "out").glob("*/real2cartoon*"))
    assert folder.name.startswith("real2cartoon+mine-")
    result = json.loads(next(folder.glob("oracle@*/result.json")).read_text())
    assert (result["task"], result["pairs"]) == (folder.name, 6)
    videos = next(folder.glob("static@*/videos"))
    run("score", "--videos", videos, "--name", "方法 ١", *common, *out, "--metrics", "l1", plugin)
    assert cli.run(["validate", str(videos), *map(str, common)]) == 0
    capsys.readouterr()
    run("compare", "oracle", "方法 ١", "--task", folder.name, "--data", tiny_data, *out, "--metrics", "l1", plugin)
    shown = capsys.readouterr().out
    assert "方法" in shown
    assert "not compared" not in shown


@pytest.mark.parametrize("name", ["方法", "طريقة", "परिणाम विधि", "metodă", "x" * 200, "🎭"])
def test_runs_named_in_any_script_are_found_by_compare(tiny_data, tmp_path, name):
    out = ["--data", tiny_data, "--out", tmp_path / "out", "--workers", "1", "--metrics", "l1"]
    run("eval", "--method", "static", *out)
    videos = next((tmp_path / "out").rglob("videos"))
    run("score", "--videos", videos, "--name", name, *out)
    folders = [path.name for path in videos.parent.parent.iterdir()]
    assert all(len(folder.encode()) <= 150 for folder in folders)
    run("compare", "static", name, "--data", tiny_data, "--out", tmp_path / "out")


def test_pairs_writes_lists_that_are_read_again(tiny_data, tmp_path, capsys):
    capsys.readouterr()
    run("pairs", "--data", tiny_data)
    text = capsys.readouterr().out
    rows = [*csv.DictReader(text.splitlines())]
    opened = load(tiny_data)
    drawn = draw_pairs(registry.load_task("real2cartoon"), opened.clips, targets=opened.targets)
    assert [row["pair"] for row in rows] == [pair.id for pair in drawn]
    assert all(Path(row[key]).is_file() for row in rows for key in ("source_file", "driving_file", "target_file"))
    again = listed(tiny_data, written(tmp_path / "again.csv", text))[1]
    assert [(pair.id, pair.target) for pair in again] == [(pair.id, pair.target) for pair in drawn]
    run("pairs", "--data", tiny_data, "--for", "json", "--limit", "2")
    assert len(json.loads(capsys.readouterr().out)["pairs"]) == 2


def test_from_a_folder_to_a_table_with_liveportrait(tiny_data, tmp_path, capsys):
    """Stand-in files with LivePortrait's names, size (512) and codec, made by following the script that `pairs` writes."""
    assert cli.run(["pairs", "--data", str(tiny_data), "--for", "liveportrait"]) == 2
    assert "does not read, for example real-video-0.mkv: give --export" in capsys.readouterr().err
    run(
        "pairs",
        "--data",
        tiny_data,
        "--for",
        "liveportrait",
        "--export",
        tmp_path / "my clips",
        "--limit",
        "3",
        "--to",
        tmp_path / "run.sh",
    )
    script = (tmp_path / "run.sh").read_text()
    commands = [shlex.split(line) for line in script.splitlines() if not line.startswith("#")]
    assert len(commands) == 3
    folder = tmp_path / "animations"
    for command in commands:
        source, driving = (Path(command[command.index(option) + 1]) for option in ("-s", "-d"))
        assert "--no_flag_do_crop" in command
        assert command[command.index("-o") + 1] == "animations"
        assert len(video.read_video(driving).frames) == LENGTH
        frames = larger(np.repeat(video.read_image(source)[None], LENGTH, axis=0), 8)
        lossy(folder / f"{source.stem}--{driving.stem}.mp4", frames, sound=True)
        lossy(folder / f"{source.stem}--{driving.stem}_concat.mp4", np.concatenate([frames] * 3, axis=2))
    out = ["--data", tiny_data, "--out", tmp_path / "out", "--limit", "3", "--workers", "1", "--metrics", "l1"]
    run("score", "--videos", folder, "--name", "liveportrait", *out)
    told = capsys.readouterr()
    assert "videos: 3 of 3 pairs have a video (3 named {source}--{driving}, as LivePortrait writes them)" in told.err
    assert "3 of 3 videos are 512x512 and were reduced to 64x64 by area averaging" in told.out


def test_exported_clips_have_the_frames_of_the_data(tiny_data, tmp_path, capsys):
    run("pairs", "--data", tiny_data, "--for", "json", "--export", tmp_path / "clips")
    for row in json.loads(capsys.readouterr().out)["pairs"]:
        clip = next(one for one in load(tiny_data).clips if one.id == row["driving"])
        exported = video.read_video(Path(row["driving_file"]))
        assert np.array_equal(exported.frames, video.read_video(clip.path).frames)
        assert exported.fps == 25
        assert np.array_equal(video.read_image(Path(row["source_file"])), video.read_image(tiny_data / "images" / f"{row['source']}.png"))  # fmt: skip
