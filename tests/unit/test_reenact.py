"""One picture and one video, without a benchmark: the face is animated and pasted back."""

import json
import sys

import numpy as np
import pytest

from toonbench import video
from toonbench.cli import run
from toonbench.data import load_data
from toonbench.generate import MethodSpec, Options
from toonbench.prepare import face as faces
from toonbench.prepare.options import Options as Preparation
from toonbench.reenact import reenact, soft_edge
from toonbench.types import ToonbenchError

DRAWN = Preparation(detector="drawn")
OPTIONS = Options(motion="relative", seed=0, source_domain="cartoon", driving_domain="real")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A wide picture with a puppet in it, and the first frames of a driving puppet."""
    root = tmp_path_factory.mktemp("reenact")
    clips = {clip.id: clip for clip in load_data("puppets@2").clips}
    puppet = video.read_image(clips["test-s31-clay-i0001"].path)
    wide = np.full((151, 301, 3), 40, np.uint8)
    wide[10:138, 90:218] = puppet
    video.write_png(root / "source.png", wide)
    frames = video.read_video(clips["test-s31-real-v0007"].path).frames[:6]
    video.write_exact_mp4(root / "driving.mp4", frames, fps=15)
    return root


def reenacted(files, out, *, method="landmark-warp", **changes):
    options = OPTIONS | changes
    return reenact(
        files / "source.png",
        files / "driving.mp4",
        out,
        method=MethodSpec(name=method),
        options=options,
        preparation=DRAWN,
    )


def test_only_the_face_of_a_wide_picture_moves_and_the_size_stays(files, tmp_path):
    made = reenacted(files, tmp_path / "a.mp4")
    shown = video.read_video(made.result)
    source = video.read_image(files / "source.png").astype(int)
    assert made.frames == len(shown.frames) == 6
    assert shown.fps == 15
    assert shown.frames.shape[1:3] == (152, 302)  # H.264 needs even sides
    moved = np.abs(shown.frames[-1, :151, :301].astype(int) - source).max(axis=2)
    assert moved[40:120, 110:200].max() > 60
    assert moved[:, :60].max() < 16
    assert moved[:, 250:].max() < 16


def test_the_side_by_side_shows_source_driving_video_and_result(files, tmp_path):
    made = reenacted(files, tmp_path / "a.mp4", method="static")
    (result, beside) = (video.read_video(path).frames.astype(int) for path in (made.result, made.beside))
    assert made.beside.name == "a_side_by_side.mp4"
    assert beside.shape[1:3] == (152, 301 + 151 + 301 + 1)
    driving = video.read_video(files / "driving.mp4").frames
    assert np.abs(beside[:, 10:140, :300] - beside[:, 10:140, -302:-2]).mean() < 6
    assert np.abs(beside[0, 20:130, 330:420].mean() - driving[0, 17:110, 25:100].mean()) < 12
    assert np.abs(result[0] - result[-1]).mean() < 2


def test_a_square_crop_of_a_face_is_animated_as_a_whole(files, tmp_path):
    video.write_png(tmp_path / "source.png", video.read_image(files / "source.png")[10:138, 90:218])
    (tmp_path / "driving.mp4").write_bytes((files / "driving.mp4").read_bytes())
    assert video.probe(reenacted(tmp_path, tmp_path / "a.mp4").result).width == 128


def test_what_is_pasted_back_fades_towards_its_edge():
    share = soft_edge(100)
    assert share[50, 50] == share[20, 50] == 1
    assert share[0].max() < 0.02
    assert (np.diff(share[50, :13]) > 0).all()
    np.testing.assert_array_equal(share, share[::-1, ::-1])


def test_inputs_without_a_face_and_wrong_names_are_one_line(files, tmp_path, capsys, monkeypatch):
    flat = tmp_path / "flat.png"
    video.write_png(flat, np.full((60, 120, 3), 90, np.uint8))
    arguments = [
        "reenact",
        "--driving",
        str(files / "driving.mp4"),
        "--out",
        str(tmp_path / "a.mp4"),
        "--detector",
        "drawn",
    ]
    assert run([*arguments, "--source", str(flat)]) == 2
    assert "flat.png: it is empty" in capsys.readouterr().err
    assert run([*arguments, "--source", str(tmp_path / "no.png")]) == 2
    assert "no.png" in capsys.readouterr().err
    assert run([*arguments[:-3], str(tmp_path / "a.avi"), "--source", str(files / "source.png")]) == 2
    assert "ends with .mp4" in capsys.readouterr().err
    assert run([*arguments, "--source", str(files / "source.png"), "--crop", "none"]) == 2
    assert "is 301x151: --crop none needs square pictures" in capsys.readouterr().err
    with pytest.raises(ToonbenchError, match="choose another method"):
        reenacted(files, tmp_path / "a.mp4", method="oracle")
    assert not list(tmp_path.glob("*.mp4"))


def test_a_program_that_fails_leaves_its_output_beside_the_result(files, tmp_path, capsys):
    method = tmp_path / "method.toml"
    command = [sys.executable, "-c", "print('no GPU'); raise SystemExit(4)", "{source}", "{driving}", "{output}"]
    method.write_text(f'name = "x"\nrevision = "1"\ncommand = {json.dumps(command)}\n')
    arguments = ["--source", str(files / "source.png"), "--driving", str(files / "driving.mp4"), "--detector", "drawn"]
    assert run(["reenact", *arguments, "--out", str(tmp_path / "a.mp4"), "--method", str(method)]) == 2
    assert "exited with status 4 (no GPU); log: " in capsys.readouterr().err
    assert (tmp_path / "a.log").read_text() == "no GPU\n"


def test_the_driving_face_is_searched_in_the_video_and_cropped_with_room(files, tmp_path, monkeypatch):
    squares = []
    cut = faces.cut_out
    monkeypatch.setattr(
        faces, "cut_out", lambda frame, square, **rest: squares.append(square) or cut(frame, square, **rest)
    )
    frames = np.full((6, 151, 301, 3), 40, np.uint8)
    frames[:, 10:138, 90:218] = video.read_video(files / "driving.mp4").frames
    video.write_exact_mp4(tmp_path / "driving.mp4", frames, fps=15)
    (tmp_path / "source.png").write_bytes((files / "source.png").read_bytes())
    made = reenacted(tmp_path, tmp_path / "a.mp4")
    left, _, side = squares[0]
    assert made.frames == 6
    assert 100 < left + side / 2 < 210
    assert 80 < side < 220
