"""`validate` notices every changed field of a result, and every command reads damaged results and requests in one line."""

import copy
import json
import shutil

import pytest

from toonbench import cli
from toonbench.score.stored import FIELDS, checksum


@pytest.fixture(scope="module")
def run(tiny_data, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    common = [
        "--data",
        str(tiny_data),
        "--metrics",
        "l1",
        "psnr",
        "csim_arcface",
        "--limit",
        "4",
        "--workers",
        "1",
        "-q",
    ]
    for method in ("static", "paste"):
        assert cli.run(["eval", "--method", method, *common, "--out", str(out)]) == 0
    return next(path.parent for path in out.rglob("result.json") if path.parent.name.startswith("static"))


@pytest.fixture
def own(run, tmp_path):
    shutil.copytree(run.parent, tmp_path / run.parent.name)
    return tmp_path / run.parent.name / run.name


def places(value, path=()):
    """The path of every leaf and every empty container in a JSON value."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from places(child, (*path, key))
    if not children or not value:
        yield path


def changed(result, path):
    """A copy with another value of the same type at the path."""
    found = copy.deepcopy(result)
    holder = found
    for key in path[:-1]:
        holder = holder[key]
    old = holder[path[-1]]
    match old:
        case bool():
            new = not old
        case int() | float():
            new = old + 1
        case str():
            new = old + "x"
        case None:
            new = 1
        case list():
            new = ["x"]
        case _:
            new = {"x": "x"}
    holder[path[-1]] = new
    return found


def test_every_changed_added_or_removed_field_is_noticed(own, capsys):
    assert cli.run(["validate", str(own)]) == 0
    stored = own / "result.json"
    result = json.loads(stored.read_text())
    leaves = list(places(result))
    assert {path[0] for path in leaves} == {*FIELDS, "checksum"}
    variants = [changed(result, path) for path in leaves if path[0] != "environment"]
    variants += [changed(result, path) for path in leaves if path[0] == "environment"][::10]
    variants += [{key: value for key, value in result.items() if key != gone} for gone in result]
    variants += [{**result, "extra": 1}, {**result, "results": result["results"][::-1]}]
    for variant in variants:
        stored.write_text(json.dumps(variant))
        assert cli.run(["validate", str(own), "-q"]) == 1, variant
    capsys.readouterr()
    stored.write_text(json.dumps(result))  # written in another way, with the same content
    assert cli.run(["validate", str(own)]) == 0


@pytest.mark.parametrize("key", ["data", "data_fingerprint", "task", "seed", "method", "warnings", "weights", "pairs"])
def test_what_the_run_shows_is_noticed_even_with_a_new_checksum(own, key, capsys):
    stored = own / "result.json"
    result = changed(json.loads(stored.read_text()), (key,))
    result["checksum"] = checksum(result)
    stored.write_text(json.dumps(result))
    assert cli.run(["validate", str(own)]) == 1
    assert key.split("_")[0] in capsys.readouterr().out


@pytest.mark.parametrize("value", [None, 3, "text", [], {}, [1], {"a": 1}, True, 1e308])
def test_results_and_requests_with_wrong_types_are_one_line_in_every_command(own, value, capsys):
    other = next(path for path in own.parent.iterdir() if path.name.startswith("paste"))
    for name in ("result.json", "run.json"):
        original = (own / name).read_text()
        content = json.loads(original)
        for variant in [value, *({**content, key: value} for key in content)]:
            (own / name).write_text(json.dumps(variant))
            for command in (["validate", str(own)], ["compare", str(own), str(other)]):
                status = cli.run(command)
                shown = capsys.readouterr()
                assert status in (0, 1, 2), (name, variant, shown.err)
                assert len(shown.err.splitlines()) <= 1
        (own / name).write_text(original)


@pytest.mark.parametrize("text", ["", "{", "\x00", "[" * 100_000, "1" * 5000, '{"schema": NaN}', "\ufeff{}"])
def test_damaged_json_is_one_line(own, text, capsys):
    (own / "result.json").write_text(text)
    assert cli.run(["validate", str(own)]) in (1, 2)
    shown = capsys.readouterr()
    assert "unexpected" not in shown.err
    assert len(shown.err.splitlines()) <= 1
