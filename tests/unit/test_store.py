import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from toonbench.claims import claim
from toonbench.store import Run, read_json, remove_leftovers, safe_name, to_json, write_bytes, writing
from toonbench.types import ToonbenchError


@pytest.fixture
def run(tmp_path):
    return Run(tmp_path / "data" / "task@1" / "method@1")


def test_a_write_that_breaks_leaves_nothing(tmp_path):
    def break_off():
        with writing(tmp_path / "a" / "file.bin") as temporary:
            temporary.write_bytes(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        break_off()
    assert list((tmp_path / "a").iterdir()) == []


WRITER = """
import sys, time
from pathlib import Path
from toonbench.store import writing
with writing(Path(sys.argv[1])) as temporary:
    temporary.write_bytes(b"half")
    print("begun", flush=True)
    sys.stdin.readline()
    temporary.write_bytes(b"whole")
"""


def start_writer(path: Path) -> subprocess.Popen[str]:
    """A process in the middle of writing `path`, which goes on when it gets a line."""
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    assert writer.stdout.readline() == "begun\n"
    return writer


def parts(root: Path) -> list[Path]:
    return sorted(root.rglob(".part-*"))


@pytest.mark.parametrize("open_folder", [remove_leftovers, lambda root: claim(root, {}, file="recipe.json")])
def test_a_partial_file_stays_while_its_writer_lives_and_is_removed_after_a_kill(tmp_path, open_folder):
    first, second = start_writer(tmp_path / "a" / "one.npy"), start_writer(tmp_path / "a" / "two.npy")
    open_folder(tmp_path)
    assert len(parts(tmp_path)) == 2
    first.kill()
    first.communicate()
    open_folder(tmp_path)
    assert len(parts(tmp_path)) == 1
    second.communicate("go on\n")
    assert (second.returncode, (tmp_path / "a" / "two.npy").read_bytes()) == (0, b"whole")
    assert parts(tmp_path) == []


def test_opening_a_run_removes_what_a_kill_left_in_it_and_in_the_features(run):
    run.begin({"task": "t@1"}, fresh=False)
    for path in (run.rows("l1@1", "a"), run.features / "fan@1" / "driving" / "a.npy"):
        writer = start_writer(path)
        writer.kill()
        writer.communicate()
    assert len(parts(run.root)) == len(parts(run.features)) == 1
    run.begin({"task": "t@1"}, fresh=False)
    assert parts(run.root) == parts(run.features) == []


def test_a_partial_file_of_another_machine_is_removed_only_when_it_is_a_day_old(tmp_path):
    young, old = tmp_path / ".part-elsewhere~1.npy", tmp_path / ".part-elsewhere~2.npy"
    for path in (young, old):
        path.write_bytes(b"half")
    day_ago = time.time() - 90_000
    os.utime(old, (day_ago, day_ago))
    remove_leftovers(tmp_path)
    assert parts(tmp_path) == [young]


def test_without_locks_a_partial_file_is_removed_only_when_it_is_a_day_old(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", refuse)
    with writing(tmp_path / "a.npy") as temporary:
        temporary.write_bytes(b"half")
        remove_leftovers(tmp_path)
        assert parts(tmp_path) == [temporary]
    assert (tmp_path / "a.npy").read_bytes() == b"half"


def test_a_path_through_a_file_is_an_error_that_says_so(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ToonbenchError, match="cannot write"):
        write_bytes(tmp_path / "file" / "x.json", b"{}")


def test_rows_come_back_as_they_were_with_their_nans(run):
    rows = np.array([[1.5, np.nan], [3, 4]], np.float32)
    run.write_rows("l1@1", "a~b", rows)
    assert np.array_equal(run.read_rows("l1@1", "a~b"), rows, equal_nan=True)
    assert run.read_rows("l1@1", "other") is None


def test_damaged_rows_are_named(run):
    run.write_rows("l1@1", "a~b", np.zeros((2, 1), np.float32))
    run.rows("l1@1", "a~b").write_bytes(b"\x93NUMPY damaged")
    with pytest.raises(ToonbenchError, match=r"a~b\.npy cannot be used \(it is damaged or cut off"):
        run.read_rows("l1@1", "a~b")


def test_nan_becomes_null_and_equal_values_become_equal_text(tmp_path):
    assert json.loads(to_json({"b": float("nan"), "a": np.float32(1)})) == {"a": 1.0, "b": None}
    assert to_json({"b": 1, "a": (2,)}) == to_json({"a": [2], "b": 1})


def test_a_damaged_json_file_is_named(tmp_path):
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(ToonbenchError, match=r"run\.json cannot be read as JSON"):
        read_json(tmp_path / "run.json")


def test_a_run_goes_on_with_an_equal_description_whatever_the_environment(run):
    run.begin({"task": "t@1", "environment": {"python": "3.11"}}, fresh=False)
    run.begin({"task": "t@1", "environment": {"python": "3.12"}}, fresh=False)
    assert read_json(run.description)["environment"] == {"python": "3.11"}


def test_a_run_of_something_else_is_refused_with_the_difference(run):
    run.begin({"task": "t@1"}, fresh=False)
    with pytest.raises(ToonbenchError, match=r'task = "t@1", this run has "t@2".*--fresh'):
        run.begin({"task": "t@2"}, fresh=False)


def test_fresh_deletes_a_run_but_never_a_folder_that_is_none(run):
    run.begin({"task": "t@1"}, fresh=False)
    run.write_rows("l1@1", "a", np.zeros((1, 1), np.float32))
    run.begin({"task": "t@2"}, fresh=True)
    assert run.read_rows("l1@1", "a") is None
    run.description.unlink()
    (run.root / "thesis.tex").write_text("years of work")
    with pytest.raises(ToonbenchError, match="is not a run folder"):
        run.begin({"task": "t@2"}, fresh=True)
    assert (run.root / "thesis.tex").exists()


def test_a_failure_is_kept_until_its_pair_succeeds(run):
    assert run.reason("a~b") == ""
    run.fail("a~b", stage="generate", reason="no face")
    assert run.reason("a~b") == "no face"
    run.clear_failure("a~b")
    assert run.reason("a~b") == ""


@pytest.mark.parametrize(
    ("text", "name"),
    [("a b/c", "a-b-c"), ("../x", "x"), ("..", "unnamed"), ("ü", "unnamed"), ("a~b@1", "a~b@1"), (".hidden", "hidden")],
)
def test_names_are_made_safe(text, name):
    assert safe_name(text) == name
