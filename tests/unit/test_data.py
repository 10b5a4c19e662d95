import shutil

import pandas as pd
import pytest

from toonbench.data import folder, load, load_data, locate, shipped
from toonbench.registry import load_task
from toonbench.tasks import draw_pairs
from toonbench.types import ToonbenchError


@pytest.fixture
def copy(tiny_data, tmp_path):
    return shutil.copytree(tiny_data, tmp_path / "copy")


def rewrite(root, change, *, table="metadata.parquet"):
    rows = change(pd.read_parquet(root / table))
    rows.to_parquet(root / table, index=False)


def test_the_id_follows_the_content(tiny_data, copy):
    same = load(copy, name=tiny_data.name)
    assert same.id == load(tiny_data).id
    rewrite(copy, lambda rows: rows.assign(sha256="0" * 64))
    assert load(copy, name=tiny_data.name).id != same.id


def test_a_missing_file_is_a_problem_of_its_clip_only(copy):
    (copy / "images" / "real-image-0.png").unlink()
    problems = {clip.id: clip.problem for clip in load(copy).clips if clip.problem}
    assert problems == {"real-image-0": "its file images/real-image-0.png is missing"}


def test_what_could_not_be_prepared_stays_listed_with_its_reason(copy):
    row = {"id": "lost", "file": "real_videos/lost.mp4", "domain": "real", "kind": "video", "reason": "no face"}
    pd.DataFrame([row]).to_parquet(copy / "failures.parquet")
    (lost,) = [clip for clip in load(copy).clips if clip.id == "lost"]
    assert lost.problem == "no face"
    assert any(pair.driving.id == "lost" for pair in draw_pairs(load_task("real2cartoon"), load(copy).clips))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: pd.concat([rows, rows[:1]]), "1 ids appear more than once, for example 'real-video-0'"),
        (lambda rows: rows.drop(columns="domain"), "14 of 14 rows have no domain"),
        (
            lambda rows: rows.assign(domain="anime"),
            "14 of 14 rows have a wrong domain, for example 'anime': allowed are real or cartoon",
        ),
        (lambda rows: rows.assign(file="/etc/passwd"), "points outside the data set"),
        (lambda rows: rows.assign(id="a/" + rows["id"]), "is not fit for a file name"),
        (
            lambda rows: rows.assign(id=rows["id"] + "\x1b[2J"),
            r"id, for example 'real-video-0\\x1b\[2J': it holds control characters",
        ),
        (lambda rows: rows.assign(id=rows["id"] + "\x9b2J"), r"\\x9b2J': it holds control characters"),
        (lambda rows: rows.assign(id=rows["id"] + "\n"), r"\\n': it holds control characters"),
        (lambda rows: rows.assign(file=rows["file"] + "\x1b"), r"\\x1b': it holds control characters"),
    ],
)
def test_a_wrong_table_is_told(copy, change, message):
    rewrite(copy, change)
    with pytest.raises(ToonbenchError, match=message):
        load(copy)


def test_control_characters_in_prose_are_escaped(copy):
    rewrite(copy, lambda rows: rows.assign(title="A\nfilm\x1b[2J"))
    assert {clip.title for clip in load(copy).clips} == {r"A\nfilm\x1b[2J"}


def test_a_damaged_table_is_told(copy):
    (copy / "metadata.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(ToonbenchError, match=r"metadata\.parquet cannot be read"):
        load(copy)


def test_targets_of_unknown_clips_are_told(copy):
    rewrite(copy, lambda rows: rows.assign(source="nobody"), table="targets.parquet")
    with pytest.raises(ToonbenchError, match="no clips 'nobody'"):
        load(copy)


def test_what_is_no_data_set_is_told(tmp_path):
    with pytest.raises(ToonbenchError, match="is not a data set: it needs metadata"):
        locate(str(tmp_path))
    (tmp_path / "file").write_text("")
    with pytest.raises(ToonbenchError, match="is a file: give the folder"):
        locate(str(tmp_path / "file"))
    with pytest.raises(ToonbenchError, match="did you mean puppets@2"):
        locate("pupets@0")


def test_the_shipped_puppets_have_all_they_promise():
    data = load_data("puppets@2")
    kinds = [(clip.domain, clip.kind) for clip in data.clips]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        (d, k): 12 for d in ("real", "cartoon") for k in ("video", "image")
    }
    for name in ("real2cartoon", "cartoon2real", "real_self", "real_cross", "cartoon_cross"):
        pairs = draw_pairs(load_task(name), data.clips, targets=data.targets)
        assert len(pairs) == 12
        assert all(pair.target and not pair.target.problem for pair in pairs)
    assert sum(path.stat().st_size for path in data.root.rglob("*") if path.is_file()) < 35e6
    assert list(shipped()) == ["puppets@2"]


def test_a_tampered_shipped_file_is_named(tmp_path, monkeypatch):
    root = shutil.copytree(shipped()["puppets@2"], tmp_path / "puppets@2")
    monkeypatch.setattr(folder, "FROZEN", tmp_path)
    load(root)
    victim = sorted((root / "clips").iterdir())[0]
    victim.write_bytes(victim.read_bytes()[:-1] + b"!")
    with pytest.raises(ToonbenchError, match=rf"{victim.name} does not have its checksum .*install toonbench again"):
        load(root)
    victim.unlink()
    with pytest.raises(ToonbenchError, match=rf"{victim.name} is missing"):
        load(root)
