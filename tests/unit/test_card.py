"""`datasets.load_dataset` reads a data set's folder by its card: the real library, without a network."""

import os
import shutil

import numpy as np
import pytest

from toonbench.data.card import CARD, remove_card, split_name, write_card
from toonbench.data.folder import file_sha256, load, shipped
from toonbench.data.table import CLIPS, TARGETS
from toonbench.types import ToonbenchError
from toonbench.video import read_video, write_lossless, write_png

os.environ.setdefault("HF_HUB_OFFLINE", "1")
datasets = pytest.importorskip("datasets", reason="needs pip install 'toonbench[datasets]'")
datasets.disable_progress_bars()
SPLITS = {"train": 3, "test": 2}


def frames(seed, count):
    return np.random.default_rng(seed).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)


def add(root, name, kind, **facts):
    """Write a clip, and return its row."""
    file = f"clips/{name}.mkv" if kind == "video" else f"images/{name}.png"
    shown = frames(len(name) + ord(name[-1]), 4 if kind == "video" else 1)
    if kind == "video":
        write_lossless(root / file, shown, fps=25)
    else:
        write_png(root / file, shown[0])
    row = {"id": name, "file": file, "domain": "cartoon", "kind": kind, "identity": f"who-{name}", "licence": "CC0-1.0"}
    return row | {"frames": len(shown), "sha256": file_sha256(root / file), **facts}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Videos and images of two splits, and a target of each test pair."""
    root = tmp_path_factory.mktemp("made") / "set"
    rows = [
        add(root, f"{s}-{k[0]}{n}", k, split=s)
        for s, many in SPLITS.items()
        for k in ("video", "image")
        for n in range(many)
    ]
    CLIPS.write(root, rows)
    targets = []
    for source, driving in (("test-i0", "test-v1"), ("test-i1", "test-v0")):
        file = f"targets/{source}~{driving}.mkv"
        write_lossless(root / file, frames(7, 4), fps=25)
        targets.append(
            {
                "source": source,
                "driving": driving,
                "motion": "relative",
                "file": file,
                "sha256": file_sha256(root / file),
            }
        )
    TARGETS.write(root, targets)
    write_card(root, "# A set\n\nFor a test.", title='A "set"')
    return root


@pytest.fixture(params=[False, True], ids=["whole", "streaming"])
def streaming(request):
    return request.param


@pytest.fixture
def loaded(tmp_path, streaming):
    """Loads a configuration of a folder, with paths instead of decoded videos, to lists of rows."""

    def loaded(root, *name):
        found = datasets.load_dataset(str(root), *name, streaming=streaming, cache_dir=str(tmp_path / "cache"))
        assert not streaming or isinstance(found, datasets.IterableDatasetDict)
        for split, rows in found.items():
            videos = [key for key, kind in rows.features.items() if isinstance(kind, datasets.Video)]
            for key in videos:
                rows = rows.cast_column(key, datasets.Video(decode=False))
            found[split] = list(rows)
        return dict(found)

    return loaded


@pytest.fixture
def moved(made, tmp_path):
    return shutil.copytree(made, tmp_path / "elsewhere" / "renamed")


def test_one_row_is_one_clip_with_identity_licence_and_split(moved, loaded):
    found = loaded(moved)
    assert {split: len(rows) for split, rows in found.items()} == SPLITS
    assert [row["id"] for row in found["test"]] == ["test-v0", "test-v1"]
    for split, rows in found.items():
        for row in rows:
            assert (row["identity"], row["licence"], row["split"]) == (f"who-{row['id']}", "CC0-1.0", split)


def test_a_clip_of_a_moved_folder_decodes_to_its_frames(made, moved, loaded):
    row = loaded(moved)["test"][1]
    assert row["video"]["path"] == str(moved / "clips" / "test-v1.mkv")
    np.testing.assert_array_equal(
        read_video(moved / "clips" / "test-v1.mkv").frames, frames(len("test-v1") + ord("1"), 4)
    )


def test_images_are_a_configuration_whose_rows_have_the_pixels(moved, loaded):
    found = loaded(moved, "images")
    assert {split: len(rows) for split, rows in found.items()} == SPLITS
    row = found["test"][0]
    assert (row["id"], row["identity"], row["licence"]) == ("test-i0", "who-test-i0", "CC0-1.0")
    np.testing.assert_array_equal(np.asarray(row["image"]), frames(len("test-i0") + ord("0"), 1)[0])


def test_targets_are_a_configuration_with_source_and_driving_video(moved, loaded):
    found = loaded(moved, "targets")
    assert list(found) == ["test"]
    first = found["test"][0]
    assert (first["source"], first["driving"], first["motion"]) == ("test-i0", "test-v1", "relative")
    assert (first["identity"], first["licence"], first["split"]) == ("who-test-i0", "CC0-1.0", "test")
    assert first["video"]["path"] == str(moved / "targets" / "test-i0~test-v1.mkv")
    assert (moved / "targets" / "test-i0~test-v1.mkv").is_file()


def test_a_row_decodes_with_torchcodec_where_it_works(moved, tmp_path, streaming):
    decoders = pytest.importorskip("torchcodec.decoders", reason="needs torchcodec and FFmpeg", exc_type=Exception)
    rows = datasets.load_dataset(str(moved), split="test", streaming=streaming, cache_dir=str(tmp_path / "cache"))
    row = next(iter(rows))
    assert isinstance(row["video"], decoders.VideoDecoder)
    np.testing.assert_array_equal(row["video"][:].permute(0, 2, 3, 1).numpy(), frames(len("test-v0") + ord("0"), 4))


def test_without_torchcodec_the_error_names_it(moved, tmp_path, streaming, monkeypatch):
    monkeypatch.setattr(datasets.config, "TORCHCODEC_AVAILABLE", False)
    rows = datasets.load_dataset(str(moved), split="test", streaming=streaming, cache_dir=str(tmp_path / "cache"))
    with pytest.raises(ImportError, match="torchcodec"):
        next(iter(rows))


def test_the_shipped_puppets_load(loaded):
    root = shipped()["puppets@2"]
    data = load(root)
    assert [row["id"] for row in loaded(root)["test"]] == [clip.id for clip in data.clips if clip.kind == "video"]
    assert {row["licence"] for row in loaded(root, "images")["test"]} == {"CC0-1.0"}
    assert len(loaded(root, "targets")["test"]) == len(data.targets) == 48


@pytest.mark.parametrize(("videos", "images"), [(1, 0), (1, 1), (0, 1), (0, 3)])
def test_sets_of_any_few_clips_load(tmp_path, loaded, videos, images):
    root = tmp_path / "few"
    rows = [add(root, f"v{n}", "video") for n in range(videos)] + [add(root, f"i{n}", "image") for n in range(images)]
    CLIPS.write(root, rows)
    write_card(root, "# Few", title="Few")
    first = loaded(root)
    assert [len(rows) for rows in first.values()] == [videos or images]
    assert list(first) == ["train"], "the library's name of the only split"
    if images:
        (images_of,) = loaded(root, "images").values()
        assert [np.asarray(row["image"]).shape for row in images_of] == [(32, 32, 3)] * images


def test_the_card_does_not_change_the_set(made, tmp_path):
    bare = shutil.copytree(made, tmp_path / "bare")
    remove_card(bare)
    assert sorted(path.name for path in bare.iterdir()) == [
        "clips",
        "images",
        "metadata.parquet",
        "targets",
        "targets.parquet",
    ]
    assert load(bare).fingerprint == load(made).fingerprint
    before = {path.name: path.read_bytes() for path in made.iterdir() if path.is_file()}
    write_card(made, "# A set\n\nFor a test.", title='A "set"')
    assert {path.name: path.read_bytes() for path in made.iterdir() if path.is_file()} == before


def test_an_index_of_an_earlier_split_is_removed(moved):
    rows = [row for row in CLIPS.read(moved) if row["split"] == "train"]
    CLIPS.write(moved, rows)
    (moved / "targets.parquet").unlink()
    write_card(moved, "# Less", title="Less")
    assert sorted(path.name for path in moved.glob("*.parquet")) == [
        "clips-train.parquet",
        "images-train.parquet",
        "metadata.parquet",
    ]


def test_the_card_states_a_licence_of_the_hub(made):
    lines = (made / CARD).read_text().splitlines()
    assert lines[:3] == ["---", "license: cc0-1.0", 'pretty_name: "A \\"set\\""']
    assert "# A set" in lines
    assert any("torchcodec" in line for line in lines)


@pytest.mark.parametrize(
    ("split", "name"), [("", "train"), ("test", "test"), ("val-1", "val_1"), ("all", "all_"), ("é b", "é_b")]
)
def test_splits_have_names_that_the_library_allows(split, name):
    assert split_name(split) == name


def test_videos_that_the_library_does_not_know_are_refused(moved):
    rows = CLIPS.read(moved)
    CLIPS.write(moved, [{**row, "file": row["file"].replace("test-v0.mkv", "test-v0.webm")} for row in rows])
    with pytest.raises(
        ToonbenchError, match=r"does not read 1 of 7 videos, for example clips/test-v0\.webm: write them as"
    ):
        write_card(moved, "", title="")


def test_the_example_of_the_card_is_python(made):
    block = (made / CARD).read_text().partition("```python")[2].partition("```")[0]
    assert 'clips = load_dataset("DIR", split="train")' in block
    assert 'targets = load_dataset("DIR", "targets", split="test")' in block
    compile(block, CARD, "exec")
