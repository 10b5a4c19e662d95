"""VoxCeleb's clips are cut by the original loader's rule; what is missing, damaged, doubled or leaking is counted."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from toonbench import video
from toonbench.data.folder import load
from toonbench.pool import Pool
from toonbench.prepare import voxceleb
from toonbench.prepare.vox_metadata import VoxClip, read_vox_metadata
from toonbench.prepare.voxceleb import VoxOptions, crop_vox, passes, prepare_voxceleb, scaled_box
from toonbench.types import Frames, ToonbenchError

HEADER = "video_id,start,end,bbox,fps,width,height,partition,person_id"
SMALL = VoxOptions(size=32)


def footage(seed: int, frames: int, width: int = 80, height: int = 60) -> Frames:
    """Noise in blocks, other in each frame."""
    blocks = np.random.default_rng(seed).integers(0, 256, (frames, height // 4, width // 4, 3), np.uint8)
    return blocks.repeat(4, axis=1).repeat(4, axis=2)


def table(path: Path, *rows: str) -> Path:
    path.write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    return path


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("mirror")
    (root / "deep" / "er").mkdir(parents=True)
    video.write_lossless(root / "deep" / "er" / "-abc_1.mkv", footage(1, 40), fps=25)
    video.write_lossless(root / "Ünïté.mkv", footage(2, 48), fps=30)
    video.write_lossless(root / "whole.mkv", footage(3, 30), fps=25)
    broken = (root / "whole.mkv").read_bytes()
    (root / "broken.mkv").write_bytes(broken[: len(broken) // 2])
    (root / "notes.txt").write_text("no video")
    return root


ROWS = (
    "-abc_1,0,10,10-10-50-50,25,80,60,train,id1",
    "-abc_1,0,10,10-10-50-50,25,80,60,train,id1",
    "-abc_1,12,30,20-0-60-58,25,80,60,train,id1",
    "-abc_1,5,20,30-20-79-70,25,80,60,train,id1",
    "Ünïté,10,20,20-40-100-120,25,160,120,test,id2",
    "Ünïté,10,20,20-40-100-120,25,160,120,train,id2",
    "broken,0,28,10-10-50-50,25,80,60,train,id3",
    "gone,0,28,10-10-50-50,25,80,60,test,id4",
    "whole,25,40,10-10-50-50,25,80,60,train,id5",
    "whole,30,40,10-10-50-50,25,80,60,train,id5",
)


@pytest.fixture(scope="module")
def made(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made")
    prepare_voxceleb(mirror, table(out.parent / "vox.csv", *ROWS), out=out, options=SMALL)
    return out


def test_the_result_is_an_ordinary_data_set_with_the_original_names(made: Path) -> None:
    clips = {clip.id: clip for clip in load(made).clips if not clip.problem}
    assert set(clips) == {
        "id1#-abc_1#000000#000010", "id1#-abc_1#000005#000020", "id1#-abc_1#000012#000030",
        "id2#Ünïté#000010#000020", "id5#whole#000025#000040",
    }  # fmt: skip
    one = clips["id1#-abc_1#000012#000030"]
    assert (one.identity, one.title, one.split, one.fps, one.frames) == ("id1", "-abc_1", "train", 25, 18)
    assert clips["id2#Ünïté#000010#000020"].split == "test"


def test_a_clip_has_the_frames_and_the_stretched_box_of_the_original_rule(made: Path) -> None:
    read = video.read_video(made / "clips" / "id1#-abc_1#000012#000030.mkv")
    expected = [
        np.asarray(Image.fromarray(frame[0:58, 20:60]).resize((32, 32), Image.Resampling.BICUBIC))
        for frame in footage(1, 40)[12:30]
    ]
    np.testing.assert_array_equal(read.frames, expected)


def test_another_rate_keeps_its_frames_and_another_size_scales_the_box(made: Path) -> None:
    read = video.read_video(made / "clips" / "id2#Ünïté#000010#000020.mkv")
    assert (read.fps, len(read.frames)) == (30, 12)  # frames i with 10 x 30 <= 25 i < 20 x 30
    expected = Image.fromarray(footage(2, 48)[12][20:60, 10:50]).resize((32, 32), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(read.frames[0], np.asarray(expected))


def test_doubled_leaking_missing_and_damaged_rows_are_counted(made: Path) -> None:
    notes = load(made).notes
    for line in (
        "vox.csv: 10 rows, 8 in train, 2 in test",
        "1 train rows are dropped, because their 1 clips are in test too",
        "1 exact duplicate rows count once",
        "train: 4 of 6 clips made; the paper states 17k",
        "test: 1 of 2 clips made; the paper states 473",
        "1 of 5 videos are not in the mirror, which are 1 clips",
    ):
        assert line in notes
    damaged = [note for note in notes if note.startswith("broken.mkv: 1 clips not made: ")]
    assert len(damaged) == 1
    failures = pd.read_parquet(made / "failures.parquet").set_index("id")["reason"].to_dict()
    assert set(failures) == {"id3#broken#000000#000028", "id4#gone#000000#000028", "id5#whole#000030#000040"}
    assert failures["id4#gone#000000#000028"] == "the video is not in the mirror"
    assert failures["id5#whole#000030#000040"] == "the video ends before the clip, whose frames are 30 to 39"


def test_the_card_lists_the_counts_and_an_index_for_each_split(made: Path) -> None:
    assert "- 1 exact duplicate rows count once" in (made / "README.md").read_text(encoding="utf-8")
    assert len(pd.read_parquet(made / "clips-train.parquet")) == 4
    assert len(pd.read_parquet(made / "clips-test.parquet")) == 1


def test_a_clip_that_the_video_cuts_short_has_a_remark(made: Path) -> None:
    row = pd.read_parquet(made / "metadata.parquet").set_index("id").loc["id5#whole#000025#000040"]
    assert (row["frames"], row["remarks"]) == (5, "the video ends 10 frames before the clip")


def test_the_bytes_do_not_depend_on_workers_and_a_second_run_cuts_nothing(
    made: Path, mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metadata = table(tmp_path / "vox.csv", *ROWS)
    prepare_voxceleb(mirror, metadata, out=tmp_path / "out", options=SMALL, pool=Pool(workers=2))
    assert files(tmp_path / "out") == files(made)

    def never(item: object) -> None:
        raise RuntimeError(f"{item} was cut again")

    monkeypatch.setattr(voxceleb, "_cut_all", never)
    prepare_voxceleb(mirror, metadata, out=tmp_path / "out", options=SMALL)
    assert files(tmp_path / "out") == files(made)


def test_one_partition_and_the_aspect_crop_can_be_chosen(mirror: Path, tmp_path: Path) -> None:
    metadata = table(tmp_path / "vox.csv", *ROWS)
    options = VoxOptions(size=32, crop="aspect", partition="test")
    done = prepare_voxceleb(mirror, metadata, out=tmp_path / "out", options=options)
    assert (done.made, done.failed) == (1, 1)
    frame = footage(5, 1)[0]
    square = crop_vox(frame, (20, 10, 40, 50), options=options)
    expected = Image.fromarray(frame[10:50, 10:50]).resize((32, 32), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(square, np.asarray(expected))
    over_the_edge = crop_vox(frame, (0, 10, 20, 50), options=options)
    padded = np.pad(frame, ((0, 0), (10, 0), (0, 0)), mode="edge")[10:50, :40]
    np.testing.assert_array_equal(over_the_edge, np.asarray(Image.fromarray(padded).resize((32, 32), 3)))


def clip(start: int, end: int) -> VoxClip:
    box, size = (11, 13, 95, 59), (90, 60)
    return VoxClip(video="v", person="p", partition="train", start=start, end=end, fps=25, box=box, size=size)


def test_a_box_is_scaled_by_axis_rounded_down_and_cut_off_at_the_frame() -> None:
    assert scaled_box(clip(0, 9), (45, 120)) == (5, 26, 45, 118)


@pytest.mark.parametrize("rate", [25.0, 30.0, 29.97, 23.976, 15.0, 50.0])
def test_the_frames_of_a_clip_are_those_of_the_inequality(rate: float) -> None:
    one = clip(37, 111)
    expected = [frame for frame in range(400) if one.start * rate <= frame * 25 < one.end * rate]
    assert list(one.frames_at(rate)) == expected


def test_clips_that_overlap_are_cut_in_separate_passes() -> None:
    clips = [clip(20, 30), clip(0, 10), clip(5, 15), clip(10, 20), clip(15, 40)]
    assert [[(one.start, one.end) for one in own] for own in passes(clips)] == [
        [(0, 10), (10, 20), (20, 30)],
        [(5, 15), (15, 40)],
    ]


GOOD = "v,0,10,10-10-50-50,25,80,60,train,id1"
BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: None, "is missing: give the metadata table"),
    "other columns": (lambda path: path.write_text("video_id,start\nv,1\n"), "has the columns video_id, start; missing are end, bbox"),
    "no rows": (lambda path: table(path), "has no rows"),
    "a picture": (lambda path: path.write_bytes(bytes(range(256)) * 4), "cannot be read as a table|has the columns"),
    "a word for a number": (
        lambda path: table(path, GOOD, GOOD.replace(",0,10,", ",zero,10,")),
        "1 of 2 rows have a wrong start, for example 'zero' in line 3: give a whole number of 0 or more",
    ),
    "an empty clip": (lambda path: table(path, GOOD.replace(",0,10,", ",10,10,")), "wrong end.*greater than start"),
    "a box outside": (lambda path: table(path, GOOD.replace("10-10-50", "80-10-99")), "wrong bbox.*overlap the frame of"),
    "a box of words": (lambda path: table(path, GOOD.replace("10-10-50-50", "10;10;50;50")), "wrong bbox.*left-top-right"),
    "another partition": (lambda path: table(path, GOOD.replace("train", "val")), "allowed are train and test"),
    "a path for a name": (lambda path: table(path, GOOD.replace("v,", "../v,")), "wrong video_id, for example '../v' in line 2"),
    "a long name": (lambda path: table(path, GOOD.replace("id1", "ü" * 60)), "file name of 120 bytes"),
    "not a number": (lambda path: table(path, GOOD.replace(",25,", ",nan,")), "wrong fps, for example 'nan'"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_wrong_table_is_refused_with_its_line_and_advice(case: str, tmp_path: Path) -> None:
    write, message = BAD[case]
    write(tmp_path / "vox.csv")
    with pytest.raises(ToonbenchError, match=message):
        read_vox_metadata(tmp_path / "vox.csv")


def test_a_mirror_without_the_videos_is_refused(tmp_path: Path) -> None:
    metadata = table(tmp_path / "vox.csv", GOOD)
    (tmp_path / "mirror").mkdir()
    for folder, message in (("mirror", "has no videos"), ("vox.csv", "is not a folder")):
        with pytest.raises(ToonbenchError, match=message):
            prepare_voxceleb(tmp_path / folder, metadata, out=tmp_path / "out")
    (tmp_path / "mirror" / "other.mp4").write_bytes(b"x")
    with pytest.raises(ToonbenchError, match=r"has none of the 1 videos of .*: name them by their id, as v"):
        prepare_voxceleb(tmp_path / "mirror", metadata, out=tmp_path / "out")
