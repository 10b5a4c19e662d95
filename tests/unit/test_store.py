import json

import numpy as np
import pytest

from toonbench.store import Run, read_json, safe_name, to_json, write_bytes, writing
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
    with pytest.raises(ToonbenchError, match=r"a~b\.npy is damaged"):
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
    with pytest.raises(ToonbenchError, match=r'task = "t@1", this one has "t@2".*--fresh'):
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
