"""Generated videos of people say that they are generated, in the picture and in the file."""

import av
import numpy as np
import pytest

from toonbench import video
from toonbench.cli import run
from toonbench.data import load_data
from toonbench.mark import TEXT, marked, metadata


@pytest.mark.parametrize("size", [(64, 64), (128, 96), (720, 1280), (256, 40)])
def test_the_mark_is_legible_in_the_lower_left_corner_and_changes_nothing_else(size):
    frame = np.full((*size, 3), 90, np.uint8)
    (stamped,) = marked([frame])
    changed = (stamped != frame).any(axis=2)
    rows, columns = np.nonzero(changed)
    assert columns.min() == 0
    assert rows.max() == size[0] - 1
    assert rows.min() > 0.75 * size[0]
    assert stamped.min() < 60, "a dark band"
    assert stamped.max() > 150, "white letters"
    assert (frame == 90).all(), "the frame that was given is not changed"


def test_another_text_gives_another_mark():
    frame = np.full((128, 128, 3), 90, np.uint8)
    assert not np.array_equal(next(marked([frame])), next(marked([frame], "made by a program")))
    assert not np.array_equal(next(marked([frame], TEXT)), frame)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    root = tmp_path_factory.mktemp("mark")
    clips = {clip.id: clip for clip in load_data("puppets@2").clips}
    video.write_png(root / "source.png", video.read_image(clips["test-s31-clay-i0001"].path))
    video.write_exact_mp4(root / "driving.mp4", video.read_video(clips["test-s31-real-v0007"].path).frames[:3], fps=15)
    return root


@pytest.mark.parametrize(
    ("domain", "mark", "expected"),
    [
        ("real", "auto", True),
        ("cartoon", "auto", False),
        ("", "auto", True),  # it may be a photo
        ("cartoon", "on", True),
        ("real", "off", False),
    ],
)
def test_reenact_marks_sources_that_are_not_known_to_be_drawn_unless_told_otherwise(
    files, tmp_path, capsys, domain, mark, expected
):
    out = tmp_path / "out.mp4"
    arguments = [
        "--source",
        files / "source.png",
        "--driving",
        files / "driving.mp4",
        "--out",
        out,
        "--method",
        "static",
    ]
    arguments += ["--detector", "drawn", "--mark", mark, "--crop", "none"]
    arguments += ["--source-domain", domain] if domain else []
    assert run(["reenact", *map(str, arguments)]) == 0
    assert ("marked as generated" in capsys.readouterr().err) is (domain == "")
    for path in (out, tmp_path / "out_side_by_side.mp4"):
        with av.open(str(path)) as container:
            assert (metadata("static")["comment"] == container.metadata.get("comment")) is expected
    shown = video.read_video(out).frames[0].astype(int)
    source = video.read_image(files / "source.png").astype(int)
    corner = int(np.abs(shown - source)[-12:, :40].max())
    assert (corner > 80) is expected
