"""Entries of leaderboards: what becomes one, what is refused, and what a check notices."""

import csv
import json
import shutil
import zipfile
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from made_data import write_data
from toonbench import cli
from toonbench.leaderboard import check_entry, entry_folders, submit
from toonbench.leaderboard.rows import LENGTHS, pack
from toonbench.leaderboard.schema import entry_schema
from toonbench.leaderboard.tables import refreshed, unpacked
from toonbench.score.stored import with_checksum
from toonbench.store import Run, read_json, write_json
from toonbench.types import ToonbenchError

CLEAN = {"commit": "0" * 40, "dirty": False}


def rewrite(path, **fields):
    """Change fields of a JSON file; a result gets a fitting checksum."""
    content = {**read_json(path), **fields}
    write_json(path, with_checksum(content) if "checksum" in content else content)


def clean(root, git=CLEAN):
    """Let a run say that committed code made it, whatever the state of this checkout is."""
    for name in ("run.json", "result.json"):
        rewrite(root / name, environment={**read_json(root / name)["environment"], "git": git})


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A scored run of `static` on all pairs of a small data set."""
    data, out = (
        write_data(tmp_path_factory.mktemp("data") / "blobs", videos=2, images=2),
        tmp_path_factory.mktemp("runs"),
    )
    options = ["--data", str(data), "--metrics", "l1", "psnr", "ssim", "--workers", "1", "-q"]
    assert cli.run(["eval", "--method", "static", *options, "--out", str(out)]) == 0
    root = next(out.rglob("result.json")).parent
    clean(root)
    return root


@pytest.fixture
def run(made, tmp_path):
    return shutil.copytree(made, tmp_path / "runs" / "static@1")


@pytest.fixture
def entry(run, tmp_path):
    return submit(run, tmp_path / "boards").folder


def test_an_entry_has_the_path_of_its_identity_and_passes_its_check(entry, tmp_path, capsys):
    assert entry.relative_to(tmp_path / "boards").parts[1:] == ("real2cartoon@4", "static@1")
    assert sorted(path.name for path in entry.iterdir()) == [
        "entry.json", "result.json", "rows.npz", "run.json", "scores.csv",
    ]  # fmt: skip
    assert check_entry(entry).problems == []
    assert check_entry(entry).unchecked == []
    assert cli.run(["validate", str(entry)]) == 0
    assert "no problem found" in capsys.readouterr().out
    assert entry_folders([tmp_path]) == entry_folders([entry, tmp_path]) == [entry]


def test_submitting_twice_changes_nothing_and_gives_the_same_bytes_elsewhere(run, entry, tmp_path):
    before = {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in entry.iterdir()}
    assert not submit(run, tmp_path / "boards").new
    assert {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in entry.iterdir()} == before
    other = submit(run, tmp_path / "others").folder
    assert {path.name: path.read_bytes() for path in other.iterdir()} == {n: b for n, (_, b) in before.items()}


def test_packed_rows_are_the_rows_and_equal_ones_are_stored_once(run):
    rows = Run(run)
    pairs = sorted(path.stem for path in (run / "rows" / "l1@1").glob("*.npy"))
    shutil.copytree(run / "rows" / "l1@1", run / "rows" / "twin@1")
    (run / "rows" / "twin@1" / f"{pairs[0]}.npy").unlink()
    shutil.copytree(run / "rows" / "psnr@1", run / "rows" / "same@1")
    packed = pack(rows, pairs)
    assert packed.arrays["same@1"] == packed.arrays["psnr@1"] == "psnr@1"
    assert packed.arrays["twin@1"] == "twin@1"
    (run / "packed.npz").write_bytes(packed.content)
    with np.load(run / "packed.npz") as file:
        lengths = dict(zip(sorted(packed.arrays), file[LENGTHS], strict=True))
        assert lengths["twin@1"][0] == -1
        assert (lengths["l1@1"] > 0).all()
        np.testing.assert_array_equal(file["l1@1"], np.concatenate([rows.read_rows("l1@1", pair) for pair in pairs]))


def test_rows_that_are_too_large_are_left_out_and_listed(run, tmp_path):
    rows = Run(run)
    sizes = {one: sum(p.stat().st_size for p in (run / "rows" / one).glob("*.npy")) for one in ("l1@1", "lint@4")}
    assert sizes["lint@4"] > sizes["l1@1"]
    done = submit(
        run,
        tmp_path / "boards",
        limit=4 * sum(len(rows.read_rows("l1@1", p.stem)) for p in (run / "rows" / "l1@1").glob("*.npy")),
    )
    stored = json.loads((done.folder / "entry.json").read_text())["rows"]
    assert set(stored["left_out"]) == set(done.left_out) >= {"lint@4"}
    assert len(stored["arrays"]) == 1
    checked = check_entry(done.folder)
    assert checked.problems == []
    assert len(checked.unchecked) == 2  # of the three metrics


def dirty(root):
    clean(root, git={**CLEAN, "dirty": True})


def without_git(root):
    rewrite(root / "result.json", environment={})


def limited(root):
    rewrite(root / "result.json", limit=2)


def never_generated(root):
    rewrite(root / "result.json", failures={"a~b": "no video"})


def tampered(root):
    result = read_json(root / "result.json")
    result["results"][0]["value"] /= 2
    write_json(root / "result.json", result)


def tampered_well(root):
    results = read_json(root / "result.json")["results"]
    results[0]["measured"] /= 2
    rewrite(root / "result.json", results=results)


def unscored(root):
    (root / "result.json").unlink()


def without_rows(root):
    shutil.rmtree(root / "rows")


def lost_rows(root):
    next((root / "rows" / "psnr@1").glob("*.npy")).unlink()


def other_schema(root):
    rewrite(root / "result.json", schema=2)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (dirty, "uncommitted changes): commit, and run again"),
        (without_git, "by which code"),
        (limited, "--limit"),
        (never_generated, "1 of 4 pairs have no video"),
        (tampered, "l1@1: result.json has value"),
        (tampered_well, "l1@1: result.json has measured"),
        (unscored, "is not scored"),
        (without_rows, "has no rows"),
        (lost_rows, "which has no rows"),
        (other_schema, "the schema is 2"),
    ],
)
def test_a_run_that_cannot_be_trusted_is_refused_with_the_reason(run, tmp_path, capsys, damage, message):
    damage(run)
    assert cli.run(["submit", str(run), "--to", str(tmp_path / "boards")]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "boards").exists()


def test_runs_on_other_pairs_do_not_stand_beside_each_other(made, entry, tmp_path):
    other = shutil.copytree(made, tmp_path / "runs" / "paste@1")
    for name in ("run.json", "result.json"):
        rewrite(other / name, method="paste@1")
    submit(other, tmp_path / "boards")
    for name in ("run.json", "result.json"):
        rewrite(other / name, seed=1)
    with pytest.raises(ToonbenchError, match=r"paste@1 was not run on the pairs of static@1.*seed is 1 instead of 0"):
        submit(other, tmp_path / "boards", replace=True)


def test_another_result_of_the_same_revision_replaces_an_entry_only_on_request(run, entry, tmp_path):
    rewrite(run / "result.json", caveats=["measured in the dark"])
    with pytest.raises(ToonbenchError, match="give --replace"):
        submit(run, tmp_path / "boards")
    assert submit(run, tmp_path / "boards", replace=True).new
    assert check_entry(entry).problems == []
    assert read_json(entry / "result.json")["caveats"] == ["measured in the dark"]
    assert sorted(path.name for path in entry.parent.iterdir()) == ["static@1"]


def test_a_folder_that_is_no_entry_is_never_replaced(run, tmp_path):
    result = read_json(run / "result.json")
    place = tmp_path / "out" / result["data"] / result["task"] / result["method"]
    shutil.copytree(run, place)
    with pytest.raises(ToonbenchError, match=r"is not an entry .* and is not replaced: give another folder as --to"):
        submit(place, tmp_path / "out", replace=True)
    assert sorted(path.name for path in place.iterdir()) == sorted(path.name for path in run.iterdir())


def resealed(root):
    """Let entry.json have the checksums of the files as they are."""
    from toonbench.leaderboard.places import FILES, digest

    rewrite(root / "entry.json", files={name: digest((root / name).read_bytes()) for name in FILES})


def swapped_rows(root):
    with np.load(root / "rows.npz") as file:
        arrays = {name: file[name] for name in file.files}
    arrays["l1@1"] = arrays["l1@1"] + 0.25
    np.savez(root / "rows.npz", **arrays)
    resealed(root)


def better_value(root):
    tampered(root)
    result = read_json(root / "result.json")
    write_json(root / "result.json", with_checksum(result))
    resealed(root)


def huge_rows(root):
    with zipfile.ZipFile(root / "rows.npz", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("l1@1.npy", bytes(80 * 2**20))
    resealed(root)


def no_array(root):
    with zipfile.ZipFile(root / "rows.npz", "a") as file:
        file.writestr("readme.txt", "no array")
    resealed(root)


def no_pairs(root):
    header = (root / "scores.csv").read_text().splitlines()[0]
    (root / "scores.csv").write_text(f"{header}\n")
    with np.load(root / "rows.npz") as file:
        arrays = {name: file[name][:0] for name in file.files}
    arrays[LENGTHS] = np.zeros((len(read_json(root / "entry.json")["rows"]["arrays"]), 0), np.int32)
    np.savez(root / "rows.npz", **arrays)
    resealed(root)


def no_archive(root):
    (root / "rows.npz").write_bytes(b"rows")
    resealed(root)


def escaping_name(root):
    about = read_json(root / "entry.json")
    about["rows"]["arrays"]["../../outside"] = "l1@1"
    write_json(root / "entry.json", about)


def markup_link(root):
    about = read_json(root / "entry.json")
    about["facts"]["paper"] = "javascript:alert(1)"
    write_json(root / "entry.json", about)


def unknown_field(root):
    rewrite(root / "entry.json", rank=1)


def dirty_result(root):
    dirty(root)
    resealed(root)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (tampered, "result.json does not have the checksum"),
        (better_value, "l1@1: result.json has value"),
        (swapped_rows, "l1@1: scores.csv has"),
        (huge_rows, "at most"),
        (no_archive, "rows.npz cannot be read"),
        (no_array, "holds readme.txt, which is no array"),
        (no_pairs, "result.json has"),
        (escaping_name, "does not match"),
        (markup_link, "entry.facts.paper"),
        (unknown_field, "'rank' was unexpected"),
        (dirty_result, "environment.git.dirty"),
        (unscored, "result.json missing"),
    ],
)
def test_a_changed_entry_does_not_pass(entry, capsys, damage, message):
    damage(entry)
    assert any(message in problem for problem in check_entry(entry).problems)
    assert cli.run(["validate", str(entry)]) == 1
    assert "problem" in capsys.readouterr().out


def test_an_entry_at_the_place_of_another_method_does_not_pass(entry):
    moved = entry.rename(entry.with_name("mine@1"))
    assert any("the folder must be" in problem for problem in check_entry(moved).problems)


def test_the_schema_is_valid_and_its_parts_check_single_files(entry):
    schema = entry_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    for name, file in (("entry", "entry.json"), ("result", "result.json"), ("run", "run.json")):
        one = jsonschema.Draft202012Validator({"$defs": schema["$defs"], "$ref": f"#/$defs/{name}"})
        one.validate(read_json(entry / file))
        with pytest.raises(jsonschema.ValidationError):
            one.validate({})


def exported(out, *arguments):
    assert (
        cli.run(["export", "--every-eval-ever", *map(str, arguments), "--out", str(out), "--moment", "1700000000"]) == 0
    )
    return [read_json(path) for path in sorted(out.rglob("*.json"))]


def test_a_record_of_every_eval_ever_has_the_numbers_their_intervals_and_what_they_depend_on(run, tmp_path):
    results = read_json(run / "result.json")["results"]
    for one in results:  # two driving videos have no interval
        one |= {"low": one["value"] - 0.01, "high": one["value"] + 0.02}
    rewrite(run / "result.json", results=results)
    (record,) = exported(tmp_path / "out", run)
    stored = read_json(run / "result.json")
    assert record["schema_version"] == "0.2.0"
    assert record["model_info"]["id"] == "static@1"
    assert record["eval_library"]["additional_details"]["commit"] == "0" * 40
    by_name = {one["evaluation_name"]: one for one in record["evaluation_results"]}
    for result in stored["results"]:
        one = by_name[f"real2cartoon@4 {result['metric']}"]
        assert one["score_details"]["score"] == result["value"]
        interval = one["score_details"]["uncertainty"]["confidence_interval"]
        assert (interval["lower"], interval["upper"], interval["confidence_level"]) == (
            result["low"],
            result["high"],
            0.95,
        )
        assert one["metric_config"]["lower_is_better"] is not result["higher_is_better"]
        assert one["source_data"]["additional_details"]["pairs_fingerprint"] == stored["pairs_fingerprint"]
    assert by_name["real2cartoon@4 ssim@1"]["metric_config"]["max_score"] == 1.0


def test_a_metric_without_finite_bounds_has_no_type_of_score_because_that_requires_bounds(run, tmp_path):
    results = read_json(run / "result.json")["results"]
    results[0]["metric"] = "fid@1"
    rewrite(run / "result.json", results=results)
    (record,) = exported(tmp_path / "out", run)
    fid, psnr, _ = (one["metric_config"] for one in record["evaluation_results"])
    assert "score_type" not in fid
    assert (psnr["score_type"], psnr["min_score"], psnr["max_score"]) == ("continuous", 0.0, 100.0)


def test_an_entry_and_its_run_give_the_same_scores_in_files_of_fixed_names(run, entry, tmp_path):
    (of_run,), (of_entry,) = exported(tmp_path / "a", run), exported(tmp_path / "b", entry.parent.parent.parent)
    assert of_run["evaluation_results"] == of_entry["evaluation_results"]
    assert exported(tmp_path / "c", run) == [of_run]
    names = [[path.relative_to(root) for path in root.rglob("*.json")] for root in (tmp_path / "a", tmp_path / "c")]
    assert names[0] == names[1]


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("checkpoint", "the field 'checkpoint' is list"),
        ("environment.git", "the field 'environment.git' is list"),
        ("results.0.clusters", "l1@1: clusters is [1]"),
    ],
)
def test_a_field_of_another_type_does_not_stop_the_export_of_other_results(
    run, entry, tmp_path, capsys, place, message
):
    result = part = read_json(run / "result.json")
    *way, last = place.split(".")
    for key in way:
        part = part[int(key) if key.isdigit() else key]
    part[last] = [1]
    write_json(run / "result.json", with_checksum(result))
    assert len(exported(tmp_path / "records", run, entry)) == 1
    assert f"not exported: {run}: {message}" in capsys.readouterr().err


def test_a_metric_without_a_value_is_listed_and_has_no_score(run, tmp_path):
    results = read_json(run / "result.json")["results"]
    for key in ("value", "low", "high"):
        results[0][key] = None
    rewrite(run / "result.json", results=results)
    (record,) = exported(tmp_path / "out", run)
    assert len(record["evaluation_results"]) == 2
    assert record["model_info"]["additional_details"]["metrics without a value"] == "l1@1"


def test_records_are_checked_by_the_schema_of_the_user(run, tmp_path, capsys):
    strict, out = tmp_path / "eval.schema.json", tmp_path / "out"
    strict.write_text(json.dumps({"required": ["schema_version", "colour"]}))
    arguments = ["export", "--every-eval-ever", str(run), "--out", str(out), "--schema", str(strict)]
    assert cli.run(arguments) == 2
    assert "'colour' is a required property" in capsys.readouterr().err
    strict.write_text(json.dumps({"required": ["schema_version"]}))
    assert cli.run(arguments) == 0
    assert "eval.schema.json" in capsys.readouterr().out.replace("\n", "")
    strict.write_text(json.dumps({"type": "cube"}))
    assert cli.run(arguments) == 2
    assert "is not a JSON Schema" in capsys.readouterr().err


def test_without_the_official_schema_the_export_says_so_and_leaves_out_changed_results(run, entry, tmp_path, capsys):
    tampered(entry)
    places = [str(run), str(entry)]
    assert cli.run(["export", "--every-eval-ever", *places, "--out", str(tmp_path / "out")]) == 0
    shown = capsys.readouterr()
    assert "1 record in" in shown.out
    assert "not by the official schema" in shown.out
    assert "not exported" in shown.err
    assert cli.run(["export", "--every-eval-ever", str(entry), "--out", str(tmp_path / "out")]) == 2
    assert "nothing was exported" in capsys.readouterr().err
    assert cli.run(["export", str(run), "--out", str(tmp_path / "out")]) == 2
    assert "--every-eval-ever" in capsys.readouterr().err


DOCUMENT = "# Mine\n\n<!-- leaderboard real2cartoon psnr l1 -->\nold\n<!-- end -->\nafter\n"


@pytest.fixture
def board(made, tmp_path):
    """Entries of `static` and of a method called like markup."""
    for name in ("static@1", "my_net-50%@1"):
        root = shutil.copytree(made, tmp_path / "runs" / name)
        for file in ("run.json", "result.json"):
            rewrite(root / file, method=name)
        submit(root, tmp_path / "boards")
    return tmp_path / "boards"


def test_a_document_shows_the_chosen_numbers_of_the_entries_and_stays_as_it_is(board, made, tmp_path, capsys):
    document = tmp_path / "page.md"
    document.write_text(DOCUMENT)
    arguments = ["leaderboard", str(board), "--update", str(document)]
    assert cli.run(arguments) == 0
    text = document.read_text()
    assert text.startswith("# Mine\n\n<!-- leaderboard real2cartoon psnr l1 -->\n")
    assert text.endswith("<!-- end -->\nafter\n")
    assert "old" not in text
    header = next(line for line in text.splitlines() if line.startswith("| method"))
    assert header == "| method | psnr ↑ | l1 ↓ |"
    value = next(one["value"] for one in read_json(made / "result.json")["results"] if one["metric"] == "psnr@1")
    order = [line for line in text.splitlines() if line.startswith(("| my", "| static", "| **"))]
    assert [line.split(" | ")[0] for line in order] == [
        "| **methods**",
        "| my_net-50%",
        "| **reference points**",
        "| static",
    ]
    assert all(f"{value:.2f}" in line or "**" in line for line in order)
    capsys.readouterr()
    assert cli.run(arguments) == 0
    assert "unchanged" in capsys.readouterr().out
    assert document.read_text() == text


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("# nothing\n", "no place for a table"),
        (DOCUMENT.replace("l1", "sharpness"), "unknown metric of real2cartoon 'sharpness'"),
        (DOCUMENT.replace("real2cartoon", "cartoon2real"), "no entry of the task cartoon2real"),
    ],
)
def test_a_document_without_a_place_or_with_unknown_names_is_left_alone(board, tmp_path, capsys, document, message):
    page = tmp_path / "page.md"
    page.write_text(document)
    assert cli.run(["leaderboard", str(board), "--update", str(page)]) == 2
    assert message in capsys.readouterr().err
    assert page.read_text() == document


def test_leaderboards_are_printed_in_every_format_and_an_empty_folder_is_refused(board, tmp_path, capsys):
    for form in ("terminal", "md", "latex", "csv", "html"):
        assert cli.run(["leaderboard", str(board), "--format", form]) == 0
        assert "static" in capsys.readouterr().out
    (tmp_path / "empty").mkdir()
    assert cli.run(["leaderboard", str(tmp_path / "empty")]) == 2
    assert "no entry of a leaderboard here" in capsys.readouterr().err


def test_an_entry_that_two_folders_have_is_refused(board, tmp_path, capsys):
    shutil.copytree(board, tmp_path / "others")
    assert cli.run(["leaderboard", str(board), str(tmp_path / "others")]) == 2
    assert "another of the given folders has this entry, too" in capsys.readouterr().err


def test_versions_of_a_metric_have_columns_of_their_own(board, capsys):
    root = next(board.rglob("my_net-50%@1"))
    for name in ("result.json", "scores.csv"):
        (root / name).write_text((root / name).read_text().replace("psnr@1", "psnr@7"))
    rewrite(root / "result.json")
    assert cli.run(["leaderboard", str(board), "--format", "csv"]) == 0
    lines = [*csv.DictReader(capsys.readouterr().out.splitlines())]
    assert {(one["column"], one["metric"]) for one in lines} >= {
        ("psnr@1", "psnr@1"),
        ("psnr@7", "psnr@7"),
        ("l1", "l1@1"),
    }
    assert all(bool(one["value"]) == (one["row"] == "static") for one in lines if one["metric"] == "psnr@1")


def test_a_damaged_entry_does_not_reach_a_table(board, capsys):
    markup_link(next(board.rglob("static@1")))
    assert cli.run(["leaderboard", str(board)]) == 2
    assert "facts.paper" in capsys.readouterr().err


ROOT = Path(__file__).parent.parent.parent
SHIPPED = entry_folders([ROOT / "leaderboards"])


@pytest.fixture(scope="module")
def shipped():
    with unpacked([ROOT / "leaderboards"]) as entries:
        yield entries


@pytest.mark.parametrize("document", ["README.md", "leaderboards/README.md"])
def test_the_tables_of_the_repository_are_those_of_its_entries(shipped, document):
    text = (ROOT / document).read_text()
    assert refreshed(text, shipped) == text, f"run: toonbench leaderboard leaderboards --update {document}"


@pytest.mark.parametrize("root", SHIPPED, ids=lambda root: "/".join(root.parts[-2:]))
def test_every_entry_of_the_repository_passes_its_check(root):
    assert check_entry(root).problems == []
    assert sum(path.stat().st_size for path in root.iterdir()) < 300_000
