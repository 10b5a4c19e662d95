"""A plain folder becomes a data set; nothing is lost, whatever its files are, and nothing is made twice."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from skimage import data

from toonbench import video
from toonbench.data.card import write_card
from toonbench.data.folder import load
from toonbench.pool import Pool, progress_to
from toonbench.prepare import folder
from toonbench.prepare.folder import prepare_folder
from toonbench.prepare.options import Options
from toonbench.types import ToonbenchError

BAD = Path(__file__).parents[3] / "shared" / "samples" / "visible" / "bad"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("plain")
    for name in ("real_videos/anna", "real_images", "cartoon_images"):
        (root / name).mkdir(parents=True)
    astronaut = data.astronaut()[:300, 80:380]
    frames = np.stack([astronaut[:, shift : shift + 240] for shift in range(0, 40, 8)])
    video.write_lossless(root / "real_videos" / "anna" / "A b.mkv", frames, fps=25)
    Image.fromarray(astronaut).save(root / "real_images" / "face.png")
    Image.fromarray(astronaut).save(root / "real_images" / "face.jpg")
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(root / "cartoon_images" / "blank.png")
    (root / "cartoon_images" / "empty.png").touch()
    (root / "cartoon_images" / "notes.txt").write_text("not a picture")
    (root / "cartoon_images" / ".hidden.png").touch()
    return root


@pytest.fixture(scope="module")
def prepared(plain: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare_folder(plain, tmp_path_factory.mktemp("cache"), options=Options(size=64)).files


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_every_file_is_a_clip_or_a_failure_with_its_reason(prepared: Path) -> None:
    assert set(pd.read_parquet(prepared / "metadata.parquet")["id"]) == {
        "real_videos-anna--A-b-mkv-1d3298a6",
        "real_images-face-jpg",
        "real_images-face",
    }
    failures = pd.read_parquet(prepared / "failures.parquet").set_index("id")["reason"].to_dict()
    assert set(failures) == {"cartoon_images-blank", "cartoon_images-empty"}
    assert failures["cartoon_images-blank"].startswith("cartoon_images/blank.png: it is empty")
    assert failures["cartoon_images-empty"].startswith("cartoon_images/empty.png: is empty")


def test_the_result_loads_as_an_ordinary_data_set(prepared: Path) -> None:
    clips = {clip.id: clip for clip in load(prepared).clips}
    clip = clips["real_videos-anna--A-b-mkv-1d3298a6"]
    assert (clip.domain, clip.kind, clip.frames, clip.width, clip.height) == ("real", "video", 5, 64, 64)
    assert (clip.fps, clip.identity) == (25, "anna")
    assert video.read_video(clip.path).frames.shape == (5, 64, 64, 3)
    assert video.read_image(clips["real_images-face"].path).shape == (64, 64, 3)
    assert clips["cartoon_images-blank"].problem


def test_a_second_run_makes_nothing_again(plain: Path, prepared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = files(prepared)

    def never(item: object) -> None:
        raise RuntimeError(f"{item} was made again")

    monkeypatch.setattr(folder, "_prepared", never)
    assert prepare_folder(plain, prepared.parent, options=Options(size=64)).files == prepared
    assert files(prepared) == before


def test_a_run_that_lost_files_makes_only_those_and_ends_with_the_same_bytes(
    plain: Path, prepared: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    shutil.copytree(prepared.parent, cache)
    again = cache / prepared.name
    (again / "metadata.parquet").unlink()
    (again / "clips" / "real_videos-anna--A-b-mkv-1d3298a6.mkv").unlink()
    (again / "items" / "real_images-face.json").unlink()
    assert prepare_folder(plain, cache, options=Options(size=64)).files == again
    assert files(again) == files(prepared)


def test_a_changed_file_is_prepared_again(plain: Path, tmp_path: Path) -> None:
    root = tmp_path / "plain"
    shutil.copytree(plain, root)
    shutil.copy(root / "real_images" / "face.png", root / "cartoon_images" / "empty.png")
    out = prepare_folder(root, tmp_path / "cache", options=Options(size=64)).files
    assert "cartoon_images-empty" in set(pd.read_parquet(out / "metadata.parquet")["id"])
    write_card(out, "# Plain", title="Plain")
    assert prepare_folder(root, tmp_path / "cache", options=Options(size=64)).files == out
    assert (out / "README.md").exists(), "a card stays while the clips are the same"
    (root / "cartoon_images" / "empty.png").write_bytes(b"")
    assert prepare_folder(root, tmp_path / "cache", options=Options(size=64)).files == out
    assert "cartoon_images-empty" in set(pd.read_parquet(out / "failures.parquet")["id"])
    assert not (out / "README.md").exists(), "its rows would not be those of the table"
    assert not list(out.glob("images-*.parquet"))


@pytest.mark.slow
def test_workers_do_not_change_a_byte(plain: Path, prepared: Path, tmp_path: Path) -> None:
    reports: list[tuple[str, int, int]] = []
    pool = Pool(workers=2, progress=progress_to(lambda *report: reports.append(report)))
    out = prepare_folder(plain, tmp_path, options=Options(size=64), pool=pool).files
    assert files(out) == files(prepared)
    assert reports[-1] == ("preparing clips", 5, 5)


def test_max_frames_takes_the_first_ones(plain: Path, tmp_path: Path) -> None:
    out = prepare_folder(plain, tmp_path, options=Options(size=64, max_frames=2)).files
    assert {clip.id: clip.frames for clip in load(out).clips}["real_videos-anna--A-b-mkv-1d3298a6"] == 2


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real_videos").mkdir()
    with pytest.raises(ToonbenchError, match="has no videos or images"):
        prepare_folder(tmp_path, tmp_path / "cache")


def test_a_cache_that_cannot_be_written_stops_instead_of_blaming_the_files(plain: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("in the way")
    with pytest.raises(ToonbenchError, match="cannot write"):
        prepare_folder(plain, tmp_path / "cache", options=Options(size=64))


@pytest.mark.skipif(not BAD.is_dir(), reason="needs ../shared/samples beside the checkout")
def test_a_folder_of_bad_files_is_prepared_without_a_crash(tmp_path: Path) -> None:
    root = tmp_path / "plain"
    (root / "real_videos").mkdir(parents=True)
    (root / "real_images").mkdir()
    for path in BAD.iterdir():
        if path.is_file():
            kind = "real_images" if path.suffix in (".png", ".jpg") else "real_videos"
            (root / kind / path.name).symlink_to(path)
    (root / "real_videos" / "gone.mp4").symlink_to(tmp_path / "nowhere.mp4")
    out = prepare_folder(root, tmp_path / "cache", options=Options(size=64)).files
    failures = pd.read_parquet(out / "failures.parquet")
    reasons = dict(zip(failures["file"], failures["reason"], strict=True))
    made = pd.read_parquet(out / "metadata.parquet")
    assert len(made) + len(failures) == sum(1 for path in BAD.iterdir() if path.is_file()) + 1
    for name in ("no_face.mp4", "black.mp4", "truncated_faststart.mp4", "zero_byte.mp4", "audio_only.mp4", "gone.mp4"):
        assert f"real_videos/{name}" in reasons
    assert all(file in reason and "\n" not in reason for file, reason in reasons.items())
    assert {"real_videos-rotation_phone_style", "real_videos-one_frame", "real_images-cmyk-jpg"} <= set(made["id"])
