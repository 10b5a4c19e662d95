import pandas as pd
import pytest

from toonbench.data.table import CLIPS, FAILURES, FILMS, TARGETS
from toonbench.types import ToonbenchError

ROW = {"id": "a", "file": "clips/a.mkv", "domain": "real", "kind": "video", "fps": 25.0, "frames": 5, "sha256": "0"}
TARGET = {"source": "a", "driving": "b", "motion": "relative", "file": "t.mkv", "frames": 3, "sha256": "0"}


def put(root, *rows, table=CLIPS):
    pd.DataFrame(list(rows)).to_parquet(root / table.file)
    return root


def test_rows_come_back_as_they_were_written_in_plain_types(tmp_path):
    rows = [ROW, {**ROW, "id": "b", "fps": 12.5}]
    CLIPS.write(tmp_path, rows)
    found = CLIPS.read(tmp_path)
    assert found == rows
    assert [type(found[0][name]) for name in ("id", "fps", "frames")] == [str, float, int]


@pytest.mark.parametrize("table", [CLIPS, FAILURES, TARGETS, FILMS])
def test_a_table_without_rows_has_its_columns_with_their_types(tmp_path, table):
    table.write(tmp_path, [])
    assert table.read(tmp_path) == []
    columns = pd.read_parquet(tmp_path / table.file).dtypes
    assert list(columns.index) == [column.name for column in table.columns]
    assert all(str(columns[each.name]) in {str: ("str", "object"), int: ("int64",), float: ("float64",)}[each.kind]
               for each in table.columns)  # fmt: skip


def test_columns_are_written_in_the_order_of_the_schema(tmp_path):
    TARGETS.write(tmp_path, [dict(reversed(TARGET.items()))])
    assert list(pd.read_parquet(tmp_path / TARGETS.file).columns) == list(TARGET)


def test_unknown_columns_are_ignored_and_empty_cells_are_absent(tmp_path):
    put(tmp_path, {**ROW, "mood": "good", "title": None}, {**ROW, "id": "b", "frames": None, "fps": float("nan")})
    first, second = CLIPS.read(tmp_path)
    assert first == ROW
    assert second == {key: value for key, value in ROW.items() if key not in ("frames", "fps")} | {"id": "b"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": 3}, r"1 of 2 rows have a wrong id, for example 3: it must be a text"),
        ({"frames": "ten"}, r"wrong frames, for example 'ten': it must be a whole number"),
        ({"frames": 2.5}, r"wrong frames, for example 2\.5: it must be a whole number"),
        ({"frames": True}, r"wrong frames, for example True: it must be a whole number"),
        ({"fps": "25"}, r"wrong fps, for example '25': it must be a number"),
        ({"kind": "movie"}, r"wrong kind, for example 'movie': allowed are video or image"),
        ({"id": ".a"}, r"wrong id, for example '\.a': it is not fit for a file name; leave out"),
        (
            {"file": "../a.mkv"},
            r"wrong file, for example '\.\./a\.mkv': it points outside the data set; give a relative",
        ),
        ({"identity": "a\nb"}, r"wrong identity, for example 'a\\nb': it holds control characters; use printable"),
    ],
)
def test_a_mistake_is_one_line_with_count_example_and_what_is_allowed(tmp_path, change, message):
    with pytest.raises(ToonbenchError, match=rf"metadata\.parquet: .*{message}") as caught:
        CLIPS.write(tmp_path, [ROW, {**ROW, **change}])
    assert "\n" not in str(caught.value)
    assert not CLIPS.is_in(tmp_path)


def test_reading_checks_what_writing_checks(tmp_path):
    put(tmp_path, {**TARGET, "motion": "backwards"}, {**TARGET, "motion": "sideways"}, table=TARGETS)
    with pytest.raises(
        ToonbenchError, match="2 of 2 rows have a wrong motion, for example 'backwards': allowed are rel"
    ):
        TARGETS.read(tmp_path)


def test_what_is_needed_is_listed(tmp_path):
    put(tmp_path, ROW, {**ROW, "domain": None})
    with pytest.raises(
        ToonbenchError, match="1 of 2 rows have no domain; needed are id, file, domain, kind, sha256: make"
    ):
        CLIPS.read(tmp_path)
    put(tmp_path, {key: value for key, value in ROW.items() if key != "sha256"})
    with pytest.raises(ToonbenchError, match="1 of 1 rows have no sha256"):
        CLIPS.read(tmp_path)


def test_control_characters_in_prose_are_read_as_escapes(tmp_path):
    put(tmp_path, {**ROW, "title": "A\nfilm\x1b[2J"})
    assert CLIPS.read(tmp_path)[0]["title"] == r"A\nfilm\x1b[2J"


def test_rows_with_different_columns_are_not_written(tmp_path):
    for other in ({**ROW, "title": "more"}, {key: value for key, value in ROW.items() if key != "fps"}):
        with pytest.raises(ToonbenchError, match="a row does not have the columns domain, file, fps"):
            CLIPS.write(tmp_path, [ROW, other])
    with pytest.raises(ToonbenchError, match=r"does not have the columns .*mood"):
        CLIPS.write(tmp_path, [{**ROW, "mood": "good"}])
    assert not list(tmp_path.iterdir())


def test_a_damaged_or_missing_table_is_reported_in_one_line(tmp_path):
    with pytest.raises(ToonbenchError, match=r"metadata\.parquet is missing: give the folder of a data set"):
        CLIPS.read(tmp_path)
    CLIPS.write(tmp_path, [ROW] * 50)
    whole = (tmp_path / CLIPS.file).read_bytes()
    for size in range(0, len(whole), 131):
        (tmp_path / CLIPS.file).write_bytes(whole[:size])
        with pytest.raises(
            ToonbenchError, match=r"^[^\n]*metadata\.parquet cannot be read \([^\n]+\): make the data set again$"
        ):
            CLIPS.read(tmp_path)
    for victim in (b"clips/a.mkv", b"real"):
        (tmp_path / CLIPS.file).write_bytes(whole.replace(victim, b"\xff" * len(victim)))
        with pytest.raises(
            ToonbenchError, match=r"^[^\n]*metadata\.parquet cannot be read \([^\n]+\): make the data set again$"
        ):
            CLIPS.read(tmp_path)
