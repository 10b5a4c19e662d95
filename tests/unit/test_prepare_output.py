"""The folder of a data set that a command prepares."""

import pytest

from toonbench.data.table import CLIPS
from toonbench.prepare.films.pipeline import prepare_films
from toonbench.prepare.films.rebuild import rebuild
from toonbench.prepare.output import folders_to_read, own_folder
from toonbench.store import write_json
from toonbench.types import ToonbenchError


def other_set(out):
    """A data set that no prepare command made, with a clip."""
    (out / "clips").mkdir(parents=True)
    (out / "clips" / "a.mkv").write_bytes(b"x")
    CLIPS.write(out, [])
    return {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}


def test_a_data_set_of_another_origin_is_never_written_into(tmp_path):
    before = other_set(tmp_path / "set")
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "a.mp4").write_bytes(b"x")
    write_json(tmp_path / "manifest.json", {"toonbench": "manifest", "version": 1, "films": [], "clips": []})
    with pytest.raises(ToonbenchError, match="another data set, which would be lost"):
        prepare_films(tmp_path / "films", tmp_path / "set")
    with pytest.raises(ToonbenchError, match="another data set, which would be lost"):
        rebuild(tmp_path / "manifest.json", tmp_path / "films", tmp_path / "set")
    assert {path: path.read_bytes() for path in before} == before


def test_a_folder_of_another_command_is_refused(tmp_path):
    with own_folder(tmp_path, command="rebuild"):
        pass
    with own_folder(tmp_path, command="rebuild"):
        pass
    with (
        pytest.raises(ToonbenchError, match=r"another recipe \(see made_by.json"),
        own_folder(tmp_path, command="other"),
    ):
        pass


def test_a_second_run_waits_for_none(tmp_path):
    with (
        own_folder(tmp_path, command="rebuild"),
        pytest.raises(ToonbenchError, match="another run works in"),
        own_folder(tmp_path, command="rebuild"),
    ):
        pass
    with own_folder(tmp_path, command="rebuild"):
        pass


def test_hidden_folders_and_the_output_are_not_read(tmp_path):
    for name in (".git", "set", "b", "a"):
        (tmp_path / name).mkdir()
    names = [path.name for path in tmp_path.iterdir()]
    assert folders_to_read(tmp_path, names, out=tmp_path / "b" / ".." / "set") == ["a", "b"]
