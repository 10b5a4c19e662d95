"""Figures of stored runs: what they show, which pairs they choose, and that names and files of any kind do not break them."""

import re
import shutil
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from made_data import write_data
from toonbench import cli, registry, video
from toonbench.data import load_data
from toonbench.motion_space import MOTIONS, Setting, Space, motion_space, retrieval
from toonbench.report.entries import find_entries
from toonbench.report.figures.choice import Chosen, choose, worst_frame
from toonbench.report.figures.grid import draw_grid, failures
from toonbench.report.figures.motion_space import read_space, write_space
from toonbench.report.figures.pictures import PictureRow, draw_pictures, fitted
from toonbench.report.figures.sources import moved_frames, open_pictures, tile_of_output
from toonbench.report.figures.strip import BAR, GAP, label
from toonbench.report.figures.style import drawable
from toonbench.report.figures.tsne import neighbours, tsne
from toonbench.report.figures.yaw import bins, draw_yaw
from toonbench.store import Run, read_json, write_json
from toonbench.types import CHANNELS, LANDMARKS, Clip, Pair, ToonbenchError

HOSTILE = "<b>$x_1$\\alpha</b>\n\x1b[31m 🦊 \u202eevil שלום"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A small data set and scored runs of `static` and `paste` on it."""
    folder = tmp_path_factory.mktemp("figures")
    data = write_data(folder / "blobs", videos=3, images=2)
    for method in ("static", "paste"):
        options = [
            "--data",
            str(data),
            "--metrics",
            "l1",
            "psnr",
            "--workers",
            "1",
            "-q",
            "--out",
            str(folder / "runs"),
        ]
        assert cli.run(["eval", "--method", method, *options]) == 0
    return folder


@pytest.fixture
def own(place, tmp_path):
    """A copy of the runs that a test may change."""
    return shutil.copytree(place / "runs", tmp_path / "runs")


def runs_of(folder):
    return sorted(path.parent for path in folder.rglob("result.json"))


def pictures_of(place, runs):
    return open_pictures(find_entries([runs]), load_data(str(place / "blobs")))


def figure(kind, *arguments):
    return cli.run(["figure", kind, *map(str, arguments)])


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def colour(value, *, size=40, height=None):
    return np.full((height or size, size, 3), value, np.uint8)


def test_a_grid_has_each_picture_at_its_place_and_greys_what_is_missing(tmp_path):
    colours = [(200, 0, 0), (0, 200, 0), (0, 0, 200)]
    rows = [
        PictureRow(label="", tiles=[colour(one) for one in colours]),
        PictureRow(label="", tiles=[colour(colours[2]), "no video", colour(colours[0])]),
    ]
    draw_pictures(tmp_path / "grid.png", rows, heads=["a", "b", "c"], width=3.0)
    shown = pixels(tmp_path / "grid.png")
    head = shown.shape[0] - round(2 * shown.shape[1] / 3)
    middles = [
        [shown[head + shown.shape[1] * (1 + 2 * r) // 6, shown.shape[1] * (1 + 2 * c) // 6] for c in range(3)]
        for r in range(2)
    ]
    assert [tuple(one) for one in middles[0]] == colours
    assert [tuple(one) for one in (middles[1][0], middles[1][2])] == [colours[2], colours[0]]
    grey = shown[head + shown.shape[1] // 2 - 12, shown.shape[1] // 2]
    assert tuple(grey) == (232, 232, 232)
    assert (shown[:head] < 128).any()  # heads


@pytest.mark.parametrize("suffix", [".png", ".pdf"])
def test_equal_figures_have_equal_bytes_and_another_picture_gives_others(tmp_path, suffix):
    for name, value in (("a", 90), ("b", 90), ("c", 91)):
        draw_pictures(tmp_path / f"{name}{suffix}", [PictureRow(label="x", tiles=[colour(value)])], heads=["h"])
    a, b, c = ((tmp_path / f"{name}{suffix}").read_bytes() for name in "abc")
    assert a == b != c


def test_text_of_any_origin_is_drawn_as_text(tmp_path):
    shown = drawable(HOSTILE)
    assert "$x_1$" in shown
    assert "□" in shown  # the emoji, which the font lacks
    assert not {"\n", "\x1b", "\u202e", "🦊"} & set(shown)
    assert drawable("x" * 50, longest=10) == "x" * 9 + "…"
    lines, points = fitted(["landmark-warp", "driving frame", "a"], 0.6)
    assert lines == [["landmark-", "warp"], ["driving", "frame"], ["a"]]
    assert points == 8
    assert fitted(["landmark-warp"], 2)[0] == [["landmark-warp"]]
    ((cut,),), points = fitted(["x" * 40], 0.5)
    assert points == 5
    assert re.fullmatch("x{8,12}…", cut)
    draw_pictures(tmp_path / "a.png", [PictureRow(label=HOSTILE, tiles=[colour(9)])], heads=[HOSTILE], width=3.3)
    assert label(HOSTILE, width=128).shape == (BAR, 128, 3)


def test_the_command_draws_pairs_by_id_with_source_driving_target_and_methods(place, tmp_path, capsys):
    pair = next((place / "runs").rglob("*.mkv")).stem
    out = tmp_path / "grid.png"
    assert figure("grid", place / "runs", "--data", place / "blobs", "--pairs", pair, "--frame", 2, "--out", out) == 0
    assert pair in capsys.readouterr().out
    pictures = pictures_of(place, place / "runs")
    chosen = pictures.pair(pair)
    wide = pixels(out).shape[1]
    shown = pixels(out)
    tiles = [
        shown[:, round(at * wide / 5) : round((at + 1) * wide / 5)] for at in range(5)
    ]  # source driving target paste static
    means = [tile[-wide // 5 :].reshape(-1, 3).mean(axis=0) for tile in tiles]
    for at, frames in ((1, chosen.driving), (2, chosen.target)):
        expected = video.read_video(frames.path).frames[2].reshape(-1, 3).mean(axis=0)
        np.testing.assert_allclose(means[at], expected, atol=6)
    np.testing.assert_allclose(means[3], means[1], atol=3)  # paste shows the driving video
    np.testing.assert_allclose(means[4], means[0], atol=3)  # static shows the source
    assert not np.allclose(means[0], means[1], atol=3)


def test_best_median_and_worst_are_those_of_the_metric_in_its_direction(place):
    pictures = pictures_of(place, place / "runs")
    for metric, sign in (("psnr@1", 1), ("l1@1", -1)):
        chosen = choose(pictures, ["worst", "median", "best"], metric=metric)
        table = [line.split(",") for line in (pictures.entries[0].root / "scores.csv").read_text().splitlines()]
        values = {row[0]: float(row[table[0].index(metric)]) for row in table[1:]}
        order = sorted(values, key=lambda pair: sign * values[pair])
        assert [one.pair.id for one in chosen] == [order[0], order[len(order) // 2], order[-1]]
        assert chosen[0].label == f"worst {values[order[0]]:#.3g}\n{metric[:-2]}"


def test_the_frame_shown_is_the_one_that_moved_most(tmp_path):
    frames = np.full((9, 32, 32, 3), 50, np.uint8)
    frames[6, :16], frames[3, :8] = 250, 250
    video.write_lossless(tmp_path / "a.mkv", frames, fps=25)
    clip = Clip(id="a", path=tmp_path / "a.mkv", domain="real")
    assert moved_frames(clip) == [6]
    assert moved_frames(clip, 2) == [3, 6]


def test_the_gallery_has_the_worst_pair_of_each_metric_at_its_worst_frame(place, own):
    pictures = pictures_of(place, own)
    rows = failures(pictures, ["psnr", "l1"], count=2)
    assert [row.label.split("\n")[0] for row in rows] == ["psnr", "psnr", "l1", "l1"]
    assert rows[0].pair.id == choose(pictures, ["worst"], metric="psnr@1")[0].pair.id
    run, pair = pictures.entries[0].run, rows[0].pair
    run.write_rows("psnr@1", pair.id, np.array([[30], [4], [20], [25]], np.float32))
    assert (
        worst_frame(pictures.entries[0], "psnr@1", Chosen(pair=pair, frame=0)) == 2
    )  # the first frame is not measured


def test_a_metric_that_is_not_installed_shows_the_worst_pair_at_the_usual_frame(place, own):
    for root in runs_of(own):
        for name in ("result.json", "scores.csv"):
            (root / name).write_text((root / name).read_text().replace("psnr@1", "psnr@7"))
    (row,) = failures(pictures_of(place, own), ["psnr"])
    assert row.frame == moved_frames(row.pair.driving)[0]


def test_a_missing_or_damaged_video_is_a_tile_with_the_reason(place, own, tmp_path, capsys):
    root = next(one for one in runs_of(own) if one.name.startswith("paste"))
    videos = sorted((root / "videos").glob("*.mkv"))
    Run(root).fail(videos[0].stem, stage="generate", reason=HOSTILE)
    videos[0].unlink()
    videos[1].write_bytes(b"no video at all")
    names = [one.stem for one in videos[:2]]
    arguments = [*runs_of(own), "--data", place / "blobs"]
    assert figure("grid", *arguments, "--pairs", *names, "--out", tmp_path / "a.png") == 0
    assert figure("failures", *arguments, "--count", 6, "--out", tmp_path / "b.png") == 0
    assert figure("strip", *arguments, "--pair", names[0], "--size", 64, "--out", tmp_path / "a.mp4") == 0
    frames = video.read_video(tmp_path / "a.mp4").frames
    tile = frames[-1][BAR + 2 : BAR + 12, 3 * (64 + GAP) + 4 : 3 * (64 + GAP) + 60]
    np.testing.assert_allclose(tile, 232, atol=6)
    capsys.readouterr()


def test_a_strip_is_h264_for_every_player_as_long_as_the_driving_video_with_labels(place, tmp_path, capsys):
    pictures = pictures_of(place, place / "runs")
    pair, out = pictures.pairs[0], tmp_path / "strip.mp4"
    assert (
        figure("strip", place / "runs", "--data", place / "blobs", "--pair", pair.id, "--size", 64, "--out", out) == 0
    )
    with av.open(str(out)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
    frames, driving = video.read_video(out).frames, video.read_video(pair.driving.path).frames
    assert len(frames) == len(driving)
    assert frames.shape[1:3] == (BAR + 64, 5 * (64 + GAP) - GAP)
    for at in range(5):
        assert frames[0, :BAR, at * (64 + GAP) : at * (64 + GAP) + 64].min() < 100  # a label
    grey = frames[3, BAR:].mean(axis=2)
    shown = grey[:, 64 + GAP : 128 + GAP]
    errors = [np.abs(shown - other.mean(axis=2)).mean() for other in driving]
    assert np.argmin(errors) == 3
    assert np.abs(shown - grey[:, :64]).mean() > 2 * errors[3]  # the source is another picture
    capsys.readouterr()


def test_a_video_that_ends_early_keeps_its_last_frame(place, own, tmp_path, capsys):
    root = next(one for one in runs_of(own) if one.name.startswith("static"))
    path = sorted((root / "videos").glob("*.mkv"))[0]
    path.unlink()
    video.write_lossless(path, np.stack([colour(10, size=64), colour(200, size=64)]), fps=25)
    out = tmp_path / "a.mp4"
    assert (
        figure("strip", root, "--data", place / "blobs", "--no-target", "--pair", path.stem, "--size", 64, "--out", out)
        == 0
    )
    tiles = (
        video.read_video(out)
        .frames[:, BAR + 8 : BAR + 56, 2 * (64 + GAP) + 8 : 2 * (64 + GAP) + 56]
        .mean(axis=(1, 2, 3))
    )
    assert tiles[0] < 20
    np.testing.assert_allclose(tiles[1:], 200, atol=6)
    capsys.readouterr()


def test_data_without_targets_and_a_single_method_give_grids_without_that_column(tmp_path, capsys):
    data = write_data(tmp_path / "blobs", videos=2, images=1, targets=False)
    options = ["--data", str(data), "--metrics", "cpbd", "--workers", "1", "-q", "--out", str(tmp_path / "runs")]
    assert cli.run(["eval", "--method", "static", *options]) == 0
    out = tmp_path / "a.png"
    assert (
        figure(
            "grid", tmp_path / "runs", "--data", data, "--metric", "cpbd", "--choose", "motion", "worst", "--out", out
        )
        == 0
    )
    height, width = pixels(out).shape[:2]
    assert width / height == pytest.approx(
        6.9 / (0.19 + capsys.readouterr().out.count("frame") * (6.9 - 0.34) / 3), rel=0.02
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["grid", "--out", "a.gif"], "ends with .png or .pdf"),
        (["strip", "--out", "a.mkv", "--pair", "x"], "ends with .mp4"),
        (["strip", "--out", "a.mp4", "--pair", "nosuch"], "unknown pair 'nosuch'"),
        (["grid", "--out", "a.png", "--pairs", "nosuch"], "unknown pair"),
        (["grid", "--out", "a.png", "--metric", "sharpness"], "no values of pairs by sharpness: choose one of"),
        (["yaw", "--out", "a.pdf", "--metric", "psnr"], "is not known"),
        (["yaw", "--out", "a.pdf", "--metric", "rig_corr"], "no values of single frames"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(place, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    kind, *options = arguments
    assert figure(kind, place / "runs", "--data", place / "blobs", *options) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_runs_of_other_data_or_without_a_result_are_refused(place, own, tmp_path, capsys):
    other = write_data(tmp_path / "others", videos=3, images=2, size=48)
    assert figure("grid", own, "--data", other, "--out", tmp_path / "a.png") == 2
    assert "was made on other data" in capsys.readouterr().err
    assert figure("grid", own, "--out", tmp_path / "a.png") == 2
    assert "give its folder as --data" in capsys.readouterr().err
    write_json(runs_of(own)[0] / "result.json", {**read_json(runs_of(own)[0] / "result.json"), "schema": 2})
    assert figure("grid", own, "--data", place / "blobs", "--out", tmp_path / "a.png") == 2
    assert "its schema is 2" in capsys.readouterr().err


def test_a_run_that_would_not_be_ranked_is_drawn_and_named(place, own, tmp_path, capsys):
    out = tmp_path / "a.png"
    assert figure("grid", own, "--data", place / "blobs", "--out", out) == 0
    assert "ranked" not in capsys.readouterr().err
    changed = runs_of(own)[0]
    write_json(changed / "result.json", {**read_json(changed / "result.json"), "seed": 5})
    assert figure("grid", own, "--data", place / "blobs", "--out", out) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{changed} is drawn, but would not be ranked: ")


def test_a_gallery_without_any_metric_of_pairs_is_refused(place, tmp_path):
    with pytest.raises(ToonbenchError, match="there is no pair to show"):
        draw_grid(tmp_path / "a.png", pictures_of(place, place / "runs"), [])


def test_given_videos_are_read_from_the_folder_that_was_scored(place, tmp_path, capsys):
    source = next(one for one in runs_of(place / "runs") if one.name.startswith("paste"))
    mine = shutil.copytree(source / "videos", tmp_path / "mine")
    options = [
        "--data",
        str(place / "blobs"),
        "--metrics",
        "l1",
        "--workers",
        "1",
        "-q",
        "--out",
        str(tmp_path / "runs"),
    ]
    assert cli.run(["score", "--videos", str(mine), *options]) == 0
    entries, data = find_entries([tmp_path / "runs"]), load_data(str(place / "blobs"))
    pictures = open_pictures(entries, data, folders=[mine])
    pair = pictures.pairs[0].id
    assert (
        tile_of_output(pictures, entries[0], pair, 2).tolist()
        == video.read_video(mine / f"{pair}.mkv").frames[2].tolist()
    )
    assert tile_of_output(open_pictures(entries, data), entries[0], pair, 2) == "no video: give --videos"
    arguments = ["--data", place / "blobs", "--out", tmp_path / "a.mp4", "--pair", pair]
    assert figure("strip", tmp_path / "runs", *arguments, "--videos", mine) == 0
    assert figure("strip", tmp_path / "runs", *arguments, "--videos", tmp_path / "none") == 2
    assert "is not a folder" in capsys.readouterr().err


def test_two_runs_of_one_name_have_different_heads(place, own, tmp_path):
    other = shutil.copytree(own, tmp_path / "again")
    names = open_pictures(find_entries([own, other]), load_data(str(place / "blobs"))).names
    assert len(set(names)) == 4
    assert sorted(one.split("/")[0] for one in names) == ["again", "again", "runs", "runs"]


def yawed(place, own, yaw, *, stored=False):
    """Pictures of the runs whose driving videos have this yaw in each frame, as ground truth or as stored curves."""
    from dataclasses import replace

    pictures = pictures_of(place, own)
    pairs = []
    for at, pair in enumerate(pictures.pairs):
        rig = np.zeros((pair.driving.frames, len(CHANNELS)), np.float32)
        rig[:, CHANNELS.index("yaw")] = yaw
        path = own / f"{at}.npz"
        landmarks = np.zeros((len(rig), LANDMARKS, 2), np.float32)
        visible = np.ones((len(rig), LANDMARKS), bool)
        np.savez(path, rig=rig, landmarks=landmarks, visible=visible, channels=np.array(CHANNELS))
        if stored:
            features = pictures.entries[0].run.features / "motion_curves@1" / "all"
            features.mkdir(parents=True, exist_ok=True)
            np.save(features / f"{pair.driving.id}~1.npy", np.stack([rig[:, 0]] * 14, axis=1))
        pairs.append(
            Pair(id=pair.id, source=pair.source, driving=replace(pair.driving, motion=None if stored else path))
        )
    return replace(pictures, pairs=tuple(pairs))


@pytest.mark.parametrize("stored", [False, True], ids=["ground truth", "curves"])
def test_scores_by_yaw_are_means_over_the_frames_of_a_bin_to_either_side(place, own, tmp_path, stored):
    pictures, psnr = yawed(place, own, [0, 2, -12, 30, 13], stored=stored), registry.load_metric("psnr")
    entry = pictures.entries[0]
    for pair in pictures.pairs:
        entry.run.write_rows("psnr@1", pair.id, np.array([[20], [30], [40], [32]], np.float32))  # of frames 1 to 4
    found = bins(pictures, entry, psnr)
    assert [(one.low, one.high, one.value) for one in found] == [(0, 5, 20), (10, 15, 31), (25, 35, 40)]
    assert {one.videos for one in found} == {3}
    assert [one.frames for one in found] == [n * len(pictures.pairs) for n in (1, 2, 1)]
    for name in ("a.pdf", "b.pdf", "c.svg", "d.png"):
        draw_yaw(tmp_path / name, [(HOSTILE, found), ("one", found)], psnr)
    assert (tmp_path / "a.pdf").read_bytes() == (tmp_path / "b.pdf").read_bytes()
    assert b"/Subtype /Image" not in (tmp_path / "a.pdf").read_bytes()  # a vector figure


def test_rows_that_are_not_of_frames_have_no_yaw(place, own):
    pictures = yawed(place, own, 5.0)
    pictures.entries[0].run.write_rows("psnr@1", pictures.pairs[0].id, np.zeros((1, 1), np.float32))
    with pytest.raises(ToonbenchError, match="1 rows for the 5 frames"):
        bins(pictures, pictures.entries[0], registry.load_metric("psnr"))


def test_tsne_keeps_groups_together_and_gives_equal_points_equal_places():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(3), 40)
    points = rng.normal(size=(120, 20)) + 8 * rng.normal(size=(3, 20))[groups]
    places = tsne(points)
    np.testing.assert_array_equal(places, tsne(points))
    distance = np.linalg.norm(places[:, None] - places[None], axis=2) + np.diag(np.full(120, np.inf))
    assert (groups[distance.argsort(axis=1)[:, :10]] == groups[:, None]).mean() > 0.99


def test_the_neighbours_of_tsne_have_the_perplexity_that_was_asked_for():
    points = np.random.default_rng(1).normal(size=(60, 5))
    shared = neighbours(points, perplexity=12)
    np.testing.assert_allclose(shared, shared.T)
    assert shared.sum() == pytest.approx(1, abs=1e-6)
    rows = shared / shared.sum(axis=1, keepdims=True)
    perplexity = np.exp(-(rows * np.log(np.maximum(rows, 1e-12))).sum(axis=1))
    assert 11 < np.median(perplexity) < 18  # symmetry widens it


def space_of(codes, motions, faces, domains):
    return Space(
        codes=np.array(codes, np.float32), motions=np.array(motions), faces=np.array(faces), domains=tuple(domains), about={"a": 1}
    )  # fmt: skip


def test_retrieval_counts_nearest_pairs_of_the_same_motion_and_never_of_the_same_face():
    far = [[0, 0], [10, 0], [0, 10]]
    real = [[x + 0.1 * f, y] for f in range(4) for x, y in far]
    cartoon = [[x + 1, y] for x, y in far] * 3 + [[10, 1], [0, 9], [1, 1]]  # the last face has them exchanged
    domains = ["real"] * 12 + ["cartoon"] * 12
    space = space_of(real + cartoon, [0, 1, 2] * 8, np.repeat(np.arange(8), 3), domains)
    across = retrieval(space, queries="cartoon", gallery="real")
    assert across.accuracy.value == pytest.approx(9 / 12)
    assert across.accuracy.low < 0.75 <= across.accuracy.high
    assert across.chance == pytest.approx(1 / 3)
    assert retrieval(space, queries="real", gallery="real").accuracy.value == 1
    twins = space_of([[0, 0], [0.1, 0], [9, 9]] * 3, [0, 1, 2] * 3, [0, 0, 0, 1, 1, 1, 2, 2, 2], ["real"] * 9)
    assert retrieval(twins, queries="real", gallery="real").accuracy.value == 1  # its own other motion is nearer


class Coded:
    """A method whose code is what it is given: the mean colour of the picture."""

    name, revision = "coded", "1"

    def motion_codes(self, frames, *, domain):
        return frames.reshape(len(frames), -1, 3).mean(axis=1).astype(np.float32)

    def animate(self, source, driving, *, motion, seed, source_domain, driving_domain):
        return np.stack([source, source + np.uint8(driving[1].mean() - driving[0].mean())])


def test_puppets_are_moved_exactly_and_codes_are_stored_for_the_next_drawing(tmp_path):
    data, setting = load_data("puppets@2"), Setting(real=2, cartoon=1)
    space = motion_space(Coded(), data, setting=setting)
    assert space.codes.shape == (9, 3)
    assert space.domains == ("real",) * 6 + ("cartoon",) * 3
    assert space.motions.tolist() == [0, 1, 2] * 3
    assert space.faces.tolist() == [0] * 3 + [1] * 3 + [2] * 3
    assert np.abs(space.codes).max(axis=1).min() > 0  # every motion changes the picture
    write_space(tmp_path / "a.npz", space)
    again = read_space(tmp_path / "a.npz", space.about)
    np.testing.assert_array_equal(again.codes, space.codes)
    assert again.domains == space.domains
    assert read_space(tmp_path / "a.npz", {**space.about, "seed": 1}) is None
    (tmp_path / "a.npz").write_bytes(b"damaged")
    assert read_space(tmp_path / "a.npz", space.about) is None


def test_the_method_moves_the_images_of_other_data(place):
    data = load_data(str(place / "blobs"))
    space = motion_space(Coded(), data, setting=Setting(made="generated", real=2, cartoon=1))
    assert space.codes.shape == (3 * MOTIONS, 3)
    with pytest.raises(ToonbenchError, match="2 usable cartoon images: give --cartoon 2 or fewer"):
        motion_space(Coded(), data, setting=Setting(made="generated", real=1, cartoon=3))
    with pytest.raises(ToonbenchError, match="no ground-truth motion"):
        motion_space(Coded(), data, setting=Setting(made="drawn", real=1, cartoon=1))


def test_the_motion_space_of_the_bundled_model_is_drawn_and_drawn_again_from_its_codes(
    place, tmp_path, capsys, monkeypatch
):
    arguments = ["motion-space", "--data", place / "blobs", "--real", 2, "--cartoon", 2, "--out", tmp_path / "a.pdf"]
    assert figure(*arguments) == 0
    shown = capsys.readouterr().out
    assert "6 real and 6 cartoon pairs, generated" in shown
    assert "cartoon → real" in shown
    before = (tmp_path / "a.pdf").read_bytes()
    monkeypatch.setattr("toonbench.motion_space.motion_space", lambda *_, **__: pytest.fail("coded again"))
    assert figure(*arguments) == 0
    assert capsys.readouterr().out == shown
    assert (tmp_path / "a.pdf").read_bytes() == before
    monkeypatch.undo()
    assert figure("motion-space", "--method", "static", "--out", tmp_path / "b.pdf") == 2
    assert "has no motion codes" in capsys.readouterr().err
    assert not Path(tmp_path / "b.pdf").exists()
