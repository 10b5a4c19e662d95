import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from toonbench.pool import Pool
from toonbench.puppets.catalogue import make_look
from toonbench.puppets.draw.render import render_clip
from toonbench.puppets.make import make_puppets, render_targets
from toonbench.puppets.rig import relative
from toonbench.types import CHANNELS, ToonbenchError
from toonbench.video import read_image, read_video

RECIPE = {"split": "test", "clips": 1, "images": 1, "frames": 3, "size": 32, "seed": 7, "step": 4}


def _bytes(root: Path) -> dict[str, str]:
    files = [path for path in root.rglob("*") if path.is_file()]
    return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("puppets") / "one"
    assert make_puppets(root, **RECIPE) == 4
    return root


def _ids(root: Path, *, domain: str, kind: str) -> list[str]:
    table = pd.read_parquet(root / "metadata.parquet")
    return list(table[(table.domain == domain) & (table.kind == kind)].id)


def test_the_table_describes_the_files(made):
    table = pd.read_parquet(made / "metadata.parquet").set_index("id")
    assert set(table.columns) == {
        "file", "domain", "kind", "identity", "title", "split", "fps", "frames", "width", "height", "provenance",
        "licence", "sha256", "style",
    }  # fmt: skip
    for name, row in table.iterrows():
        path = made / row["file"]
        assert path.stem == name
        assert hashlib.sha256(path.read_bytes()).hexdigest() == row["sha256"]
        assert row["fps"] == (7.5 if row["kind"] == "video" else 0)
    video = read_video(made / table.loc[_ids(made, domain="real", kind="video")[0], "file"])
    assert video.frames.shape == (3, 32, 32, 3)
    assert video.fps == pytest.approx(7.5)
    assert (made / "README.md").read_text().count("No person is shown") == 1


def test_motion_files_hold_rig_landmarks_and_camera(made):
    with np.load(made / "motion" / f"{_ids(made, domain='cartoon', kind='video')[0]}.npz") as motion:
        assert motion["rig"].shape == (3, len(CHANNELS))
        assert motion["rig"].dtype == np.float32
        assert tuple(motion["channels"]) == CHANNELS
        assert motion["landmarks"].shape == (3, 70, 2)
        assert motion["visible"].dtype == bool
        assert motion["camera"].shape == (3,)


def test_two_workers_write_the_same_bytes_as_one(made, tmp_path):
    make_puppets(tmp_path / "two", pool=Pool(workers=2), **RECIPE)
    ours = {name: digest for name, digest in _bytes(made).items() if "target" not in name}
    assert _bytes(tmp_path / "two") == ours


def test_a_run_resumes_what_is_missing_with_the_same_bytes(made):
    before = _bytes(made)
    clip = _ids(made, domain="real", kind="video")[0]
    (made / "clips" / f"{clip}.mkv").unlink()
    (made / "metadata.parquet").unlink()
    kept = made / "images" / f"{_ids_from_names(made)}.png"
    stamp = kept.stat().st_mtime_ns
    make_puppets(made, **RECIPE)
    assert _bytes(made) == before
    assert kept.stat().st_mtime_ns == stamp


def _ids_from_names(root: Path) -> str:
    return sorted(path.stem for path in (root / "images").iterdir())[0]


def test_a_folder_of_another_recipe_is_refused(made):
    with pytest.raises(ToonbenchError, match="another recipe"):
        make_puppets(made, **{**RECIPE, "seed": 8})


def test_targets_are_the_source_moved_by_the_driver_and_start_as_the_source(made):
    source, driving = _ids(made, domain="cartoon", kind="image")[0], _ids(made, domain="real", kind="video")[0]
    assert render_targets(made, [(source, driving)], motion="relative") == 1
    row = pd.read_parquet(made / "targets.parquet").iloc[0]
    assert (row.source, row.driving, row.motion, row.frames) == (source, driving, "relative", 3)
    target = read_video(made / row.file).frames
    assert np.array_equal(target[0], read_image(made / "images" / f"{source}.png"))
    with np.load(made / "motion" / f"{source}.npz") as own, np.load(made / "motion" / f"{driving}.npz") as driver:
        look = make_look(str(own["style"]), int(own["look_seed"]))
        exact = render_clip(look, relative(own["rig"][0], driver["rig"]), size=32).frames
    assert np.array_equal(target, exact)


def test_a_target_of_an_unknown_puppet_is_refused(made):
    with pytest.raises(ToonbenchError, match="no puppet 'nobody'"):
        render_targets(made, [("nobody", "nobody")], motion="relative")


def test_splits_share_no_identity_title_or_motion(made, tmp_path):
    make_puppets(tmp_path / "train", **{**RECIPE, "split": "train"})
    one, two = (pd.read_parquet(root / "metadata.parquet") for root in (made, tmp_path / "train"))
    for column in ("id", "identity", "title", "sha256"):
        assert not set(one[column]) & set(two[column])
    rigs = [np.load(p)["rig"].tobytes() for root in (made, tmp_path / "train") for p in (root / "motion").iterdir()]
    assert len(set(rigs)) == len(rigs)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"clips": 0, "images": 0}, "not both 0"),
        ({"frames": 0}, "frames >= 1"),
        ({"size": 4}, "got 4"),
        ({"split": "a/b"}, "fit in a file name"),
        ({"styles": ("disny3d",)}, "Did you mean 'disney3d'"),
    ],
)
def test_bad_numbers_are_refused_before_anything_is_written(tmp_path, change, message):
    with pytest.raises(ToonbenchError, match=message):
        make_puppets(tmp_path / "out", **{**RECIPE, **change})
    assert not (tmp_path / "out").exists()
