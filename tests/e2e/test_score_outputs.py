"""`toonbench score` on folders as common tools write them: which file is the video of which pair, and how it is read."""

from __future__ import annotations

import csv
import json
import shutil
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from made_data import LENGTH, SIZE, blob
from toonbench import cli, registry, video
from toonbench.data import load
from toonbench.tasks import draw_pairs
from toonbench.types import Pair

CODED = (
    15  # dB that the blobs keep in H.264 at least: their colours are noise, which 4:2:0 averages; a wrong file gives 8
)
TASK = ["--task", "real2cartoon", "--workers", "1"]


@pytest.fixture(scope="module")
def pairs(tiny_data) -> list[Pair]:
    data = load(tiny_data)
    return draw_pairs(registry.load_task("real2cartoon"), data.clips, targets=data.targets)


def target(pair: Pair) -> np.ndarray:
    return video.read_video(pair.target.path).frames


def larger(frames: np.ndarray, times: int) -> np.ndarray:
    return frames.repeat(times, axis=1).repeat(times, axis=2)


def lossy(path: Path, frames: np.ndarray, *, fps: float = 25, sound: bool = False) -> None:
    """H.264 as most tools write it; with a silent sound track on request."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001), options={"crf": "12"})
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt, stream.codec_context.thread_count = "yuv420p", 1
        track = out.add_stream("aac", rate=16000, layout="mono") if sound else None
        for at, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            frame.pts = at
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
        if track is not None:
            samples = av.AudioFrame.from_ndarray(np.zeros((1, 3200), np.float32), format="fltp", layout="mono")
            samples.rate, samples.pts = 16000, 0
            out.mux([*track.encode(samples), *track.encode()])


def score(folder: Path, data: Path, out: Path, *more: str, metrics=("l1", "psnr")) -> dict:
    arguments = ["score", "--videos", str(folder), "--data", str(data), "--out", str(out), *TASK]
    shutil.rmtree(out, ignore_errors=True)
    assert cli.run([*arguments, "--metrics", *metrics, *more]) == 0
    (found,) = out.rglob("result.json")
    return json.loads(found.read_text())


def value(result: dict, metric: str = "l1@1") -> float:
    row = next(row for row in result["results"] if row["metric"] == metric)
    assert row["missing"] == 0
    return row["value"]


def refused(folder: Path, data: Path, capsys, *more: str) -> str:
    arguments = ["score", "--videos", str(folder), "--data", str(data), "--out", str(folder / ".runs"), *TASK]
    assert cli.run([*arguments, "--metrics", "l1", *more]) == 2
    return capsys.readouterr().err.splitlines()[-1]


def test_a_folder_of_liveportrait_is_scored_as_it_is(tiny_data, pairs, tmp_path, capsys):
    for pair in pairs:
        stem = tmp_path / "animations" / f"{pair.source.id}--{pair.driving.id}"
        frames = larger(target(pair), 2)
        lossy(stem.with_suffix(".mp4"), frames, sound=True)
        lossy(stem.with_name(f"{stem.name}_concat.mp4"), np.concatenate([frames] * 3, axis=2))
    (tmp_path / "animations" / "notes.txt").write_text("seed 1")
    result = score(tmp_path / "animations", tiny_data, tmp_path / "out")
    assert value(result, "psnr@1") > CODED
    assert result["videos"]["rules"] == {"{source}--{driving}": 12}
    assert result["videos"]["left_out"] == {"concat": 12, ".txt": 1}
    assert result["videos"]["lossy"] == 12
    told = capsys.readouterr()
    assert "12 of 12 pairs have a video (12 named {source}--{driving}, as LivePortrait writes them)" in told.err
    assert "left out: 1 .txt, 12 concat" in told.err
    assert "12 of 12 videos are 128x128 and were reduced to 64x64 by area averaging" in told.out
    assert told.out.count("coded with loss") == 1


@pytest.mark.parametrize(
    "name",
    [
        "{driving}-{source}",  # first-order model
        "{driving}.mkv-{source}.png",
        "2024_01_01/{source}##{driving}",  # SadTalker
        "{source}/{driving}",
        "{driving}/{source}",
        "{source}_{driving}",
        "{source}~{driving}/result",
        "{source}--{driving}/output/video",
        "{source}_to_{driving}_generated",
    ],
)
def test_names_of_common_tools_are_understood(tiny_data, pairs, tmp_path, name):
    for pair in pairs:
        text = name.format(source=pair.source.id, driving=pair.driving.id)
        video.write_lossless(tmp_path / "v" / f"{text}.mkv", target(pair), fps=25)
    assert value(score(tmp_path / "v", tiny_data, tmp_path / "out")) == 0


def test_other_names_are_read_by_a_template(tiny_data, pairs, tmp_path, capsys):
    for at, pair in enumerate(pairs):
        text = f"run3.{pair.driving.id} x {pair.source.id} ({at})_enhanced"
        video.write_lossless(tmp_path / "v" / f"{text}.mkv", target(pair), fps=25)
    assert "none of its files is named after" in refused(tmp_path / "v", tiny_data, capsys)
    result = score(tmp_path / "v", tiny_data, tmp_path / "out", "--names", "*.{driving} x {source} (*)_enhanced.mkv")
    assert value(result) == 0
    assert "{drive} is not known" in refused(tmp_path / "v", tiny_data, capsys, "--names", "{source}-{drive}.mkv")
    assert "names no pair" in refused(tmp_path / "v", tiny_data, capsys, "--names", "result.mkv")


def test_twins_of_a_result_are_left_out_with_a_count(tiny_data, pairs, tmp_path, capsys):
    folder = tmp_path / "v"
    for pair in pairs:
        stem = f"{pair.source.id}--{pair.driving.id}"
        lossy(folder / f"{stem}.mp4", target(pair))
        for twin in ("temp_{}", "{}_enhanced", "{}-preview", "{}_thumbnail", "{}_compare"):
            lossy(folder / f"{twin.format(stem)}.mp4", target(pair)[:, ::2, ::2])
        Image.new("RGB", (8, 8)).save(folder / f"{stem}.jpg")
        (folder / f"{stem}.wav").write_bytes(b"RIFF")
    lossy(folder / "something else.mp4", target(pairs[0]))
    result = score(folder, tiny_data, tmp_path / "out")
    left_out = {
        "temporary": 12,
        "enhanced": 12,
        "preview": 12,
        "thumbnail": 12,
        "concat": 12,
        "picture": 12,
        ".wav": 12,
    }
    assert result["videos"]["left_out"] == left_out
    assert result["videos"]["unassigned"] == ["something else.mp4"]
    assert value(result, "psnr@1") > CODED
    assert "1 belong to no pair: something else.mp4" in capsys.readouterr().err


def test_a_lossless_file_wins_over_a_preview_and_a_gif_loses_to_any(tiny_data, pairs, tmp_path):
    folder = tmp_path / "v"
    for pair in pairs:
        stem = f"{pair.source.id}--{pair.driving.id}"
        lossy(folder / f"{stem}.mp4", target(pair))
        video.write_lossless(folder / f"{stem}.mkv", target(pair), fps=25)
        pictures = [Image.fromarray(255 - frame) for frame in target(pair)]
        pictures[0].save(folder / f"{stem}.gif", save_all=True, append_images=pictures[1:], duration=40)
    assert value(score(folder, tiny_data, tmp_path / "out")) == 0
    for path in folder.glob("*.mkv"):
        path.unlink()
    assert value(score(folder, tiny_data, tmp_path / "out"), "psnr@1") > CODED


def test_the_file_of_the_expected_size_wins_among_lossy_ones(tiny_data, pairs, tmp_path):
    folder = tmp_path / "v"
    for pair in pairs:
        lossy(folder / "a" / f"{pair.id}.mp4", 255 - target(pair)[:, ::2, ::2])
        lossy(folder / "b" / f"{pair.id}.mp4", target(pair))
        lossy(folder / "c" / f"{pair.id}.mp4", 255 - target(pair)[:-1])
    assert value(score(folder, tiny_data, tmp_path / "out"), "psnr@1") > CODED


def test_two_equally_good_files_are_an_error_that_names_both_and_copies_are_none(tiny_data, pairs, tmp_path, capsys):
    folder = tmp_path / "v"
    for pair in pairs:
        video.write_lossless(folder / "one" / f"{pair.id}.mkv", target(pair), fps=25)
    shutil.copytree(folder / "one", folder / "two")
    assert value(score(folder, tiny_data, tmp_path / "out")) == 0
    odd = f"two/{pairs[3].id}.mkv"
    video.write_lossless(folder / odd, 255 - target(pairs[3]), fps=25)
    message = refused(folder, tiny_data, capsys)
    assert f"2 equally good videos for {pairs[3].id}, one/{pairs[3].id}.mkv and {odd}" in message


def test_a_name_that_can_be_read_in_two_orders_is_an_error_unless_the_template_is_given(tiny_data, tmp_path, capsys):
    clips = [f"real-video-{at}" for at in range(3)]
    for a in clips:
        for b in clips:
            if a != b:
                video.write_lossless(tmp_path / "v" / f"{a}_{b}.mkv", blob(1), fps=25)
    arguments = ["score", "--videos", str(tmp_path / "v"), "--data", str(tiny_data), "--out", str(tmp_path / "out")]
    rule = ["--task", "real_cross", "--workers", "1", "--metrics", "cpbd"]
    data = shutil.copytree(tiny_data, tmp_path / "videos_only")
    import pandas as pd

    table = pd.read_parquet(data / "metadata.parquet")
    table[table["kind"] == "video"].to_parquet(data / "metadata.parquet", index=False)
    (data / "targets.parquet").unlink()
    arguments[4] = str(data)
    assert cli.run([*arguments, *rule]) == 2
    assert "give --names '{source}_{driving}' or --names '{driving}_{source}'" in capsys.readouterr().err
    assert cli.run([*arguments, *rule, "--names", "{driving}_{source}"]) == 0


@pytest.mark.parametrize("k", [1, 3])
def test_a_panel_is_cut_from_strips(tiny_data, pairs, tmp_path, k):
    for pair in pairs:
        frames = target(pair)
        parts = [255 - frames] * 3
        parts[k - 1] = frames
        strip = np.concatenate(parts, axis=2)
        video.write_lossless(tmp_path / "v" / f"{pair.source.id}--{pair.driving.id}_concat.mkv", strip, fps=25)
    result = score(tmp_path / "v", tiny_data, tmp_path / "out", "--panel", f"{k}/3")
    assert value(result) == 0
    assert f"12 of 12 videos are strips of 3 panels; panel {k} was measured" in result["caveats"]


def test_strips_that_cannot_be_divided_say_so_once(tiny_data, pairs, tmp_path, capsys):
    for pair in pairs:
        video.write_lossless(tmp_path / "v" / f"{pair.id}.mkv", target(pair), fps=25)
    arguments = [
        "score",
        "--videos",
        str(tmp_path / "v"),
        "--data",
        str(tiny_data),
        "--out",
        str(tmp_path / "out"),
        *TASK,
    ]
    assert cli.run([*arguments, "--metrics", "l1", "--panel", "3/3"]) == 1
    told = capsys.readouterr().out
    assert told.count("cannot be divided into 3 equal panels") == 1


@pytest.mark.parametrize("rate", [30, 50, 12.5])
def test_another_rate_is_matched_by_time_where_the_durations_agree(tiny_data, pairs, tmp_path, rate):
    count = round(LENGTH * rate / 25)
    for pair in pairs:
        frames = target(pair)
        at = np.clip(np.floor(np.arange(count) * 25 / rate + 0.5).astype(int), 0, LENGTH - 1)
        video.write_lossless(tmp_path / "v" / f"{pair.id}.mkv", frames[at], fps=rate)
    result = score(tmp_path / "v", tiny_data, tmp_path / "out")
    assert any("frames were matched by time" in line for line in result["caveats"])
    if rate > 25:
        assert value(result) == 0


def test_a_video_a_frame_short_is_no_other_rate_and_twelve_of_them_are_one_line(tiny_data, pairs, tmp_path, capsys):
    for pair in pairs:
        video.write_lossless(tmp_path / "v" / f"{pair.source.id}--{pair.driving.id}.mkv", target(pair)[:-1], fps=25)
    arguments = [
        "score",
        "--videos",
        str(tmp_path / "v"),
        "--data",
        str(tiny_data),
        "--out",
        str(tmp_path / "out"),
        *TASK,
    ]
    assert cli.run([*arguments, "--metrics", "l1"]) == 1
    told = capsys.readouterr().out
    assert told.count("instead of 5") == 1
    assert f"12 of 12 videos have {LENGTH - 1} frames instead of {LENGTH}: write one frame" in told
    (found,) = (tmp_path / "out").rglob("result.json")
    assert len(json.loads(found.read_text())["failures"]) == 12
    assert cli.run(["validate", str(tmp_path / "v"), "--data", str(tiny_data), *TASK]) == 1
    assert capsys.readouterr().out.count("4 frames of 64x64, expected 5") == 1


def test_folders_of_frames_and_gifs_are_videos(tiny_data, pairs, tmp_path):
    for at, pair in enumerate(pairs):
        folder = tmp_path / "v" / f"{pair.source.id}--{pair.driving.id}"
        folder.mkdir(parents=True)
        for number, frame in enumerate(target(pair)):
            Image.fromarray(frame).save(folder / f"frame_{number + 8}.png")
        if at == 0:
            shutil.rmtree(folder)
            pictures = [Image.fromarray(frame) for frame in target(pair)]
            pictures[0].save(f"{folder}.gif", save_all=True, append_images=pictures[1:], duration=40)
    result = score(tmp_path / "v", tiny_data, tmp_path / "out")
    assert len(result["videos"]["files"]) == 12
    table = next((tmp_path / "out").rglob("scores.csv")).read_text().splitlines()
    rows = {row["pair"]: float(row["l1@1"]) for row in csv.DictReader(table)}
    assert 0 < rows.pop(pairs[0].id) < 0.1
    assert set(rows.values()) == {0.0}


@pytest.fixture
def cut_data(tiny_data, tmp_path) -> Path:
    """The data with sources that were cut from pictures of 160x96: a square of 64 that leaves them at the top."""
    import pandas as pd

    data = shutil.copytree(tiny_data, tmp_path / "cut")
    table = pd.read_parquet(data / "metadata.parquet")
    table["picture"], table["box"] = "160,96", "40,-6,64"
    table["original"] = [
        f"{d}_{k}s/角色 {at}.png" for at, (d, k) in enumerate(zip(table["domain"], table["kind"], strict=True))
    ]
    table.to_parquet(data / "metadata.parquet", index=False)
    return data


@pytest.mark.parametrize("scale", [1, 2])
def test_pasted_back_pictures_are_cut_by_the_sources_square(cut_data, pairs, tmp_path, scale):
    clips = {clip.id: clip for clip in load(cut_data).clips}
    for pair in pairs:
        frames = target(pair)
        whole = np.full((LENGTH, 96, 160, 3), 128, np.uint8)
        whole[:, :58, 40:104] = frames[:, 6:]
        whole = larger(whole, scale)
        names = [Path(clips[one.id].original).stem for one in (pair.source, pair.driving)]
        video.write_lossless(tmp_path / "v" / f"{'--'.join(names)}.mkv", whole, fps=25)
    result = score(tmp_path / "v", cut_data, tmp_path / "out")
    assert value(result) < (0.02 if scale == 1 else 0.05)
    assert any("the source's square was cut" in line for line in result["caveats"])


def test_whole_pictures_and_enlarged_faces_of_one_size_are_distinguished_by_the_source(cut_data, tmp_path, capsys):
    import pandas as pd

    table = pd.read_parquet(cut_data / "metadata.parquet")
    table["picture"], table["box"] = "128,128", "32,32,64"
    table.to_parquet(cut_data / "metadata.parquet", index=False)
    data = load(cut_data)
    pairs = draw_pairs(registry.load_task("real2cartoon"), data.clips, targets=data.targets)
    for pair in pairs:
        source = video.read_image(pair.source.path)
        whole = np.full((LENGTH, 128, 128, 3), 128, np.uint8)
        whole[:, 32:96, 32:96] = source
        video.write_lossless(tmp_path / "whole" / f"{pair.id}.mkv", whole, fps=25)
        face = larger(np.repeat(source[None], LENGTH, axis=0), 2)
        video.write_lossless(tmp_path / "face" / f"{pair.id}.mkv", face, fps=25)
        grey = np.full_like(face, 128)
        video.write_lossless(tmp_path / "grey" / f"{pair.id}.mkv", grey, fps=25)
    whole, face = (score(tmp_path / one, cut_data, tmp_path / f"{one}-out") for one in ("whole", "face"))
    assert value(whole) == value(face)
    assert "give --region face or --region picture" in refused(tmp_path / "grey", cut_data, capsys)
    value(score(tmp_path / "grey", cut_data, tmp_path / "grey-out", "--region", "face"))


def test_another_way_of_reading_is_another_run(tiny_data, pairs, tmp_path):
    for pair in pairs:
        strip = np.concatenate([target(pair), 255 - target(pair)], axis=2)
        video.write_lossless(tmp_path / "v" / f"{pair.id}.mkv", strip, fps=25)
    out = tmp_path / "out"
    for k in (1, 2):
        arguments = ["score", "--videos", str(tmp_path / "v"), "--data", str(tiny_data), "--out", str(out), *TASK]
        assert cli.run([*arguments, "--metrics", "l1", "--panel", f"{k}/2"]) == 0
    values = {path.parent.name: value(json.loads(path.read_text())) for path in out.rglob("result.json")}
    assert len(values) == 2
    assert min(values.values()) == 0 < max(values.values())


def test_rows_do_not_depend_on_workers_or_shards(tiny_data, pairs, tmp_path):
    for pair in pairs:
        lossy(tmp_path / "v" / f"{pair.source.id}--{pair.driving.id}.mp4", larger(target(pair), 2), fps=25)
    arguments = [
        "score",
        "--videos",
        str(tmp_path / "v"),
        "--data",
        str(tiny_data),
        "--task",
        "real2cartoon",
        "--metrics",
        "l1",
    ]
    assert cli.run([*arguments, "--workers", "2", "--out", str(tmp_path / "a")]) == 0
    for shard in ("1/2", "2/2"):
        assert cli.run([*arguments, "--workers", "1", "--out", str(tmp_path / "b"), "--shard", shard]) == 0
    a, b = (next((tmp_path / one).rglob("scores.csv")).read_bytes() for one in "ab")
    assert a == b
    assert SIZE == 64
