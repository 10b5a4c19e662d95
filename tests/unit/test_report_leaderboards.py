"""Stored results of many runs: what can be listed, what is ranked, and what is said about the rest."""

import json
import math
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from toonbench.report.entries import find_entries, label_of, read_entry
from toonbench.report.leaderboards import leaderboards, missing_of, rank_of
from toonbench.score.stored import SCHEMA, with_checksum
from toonbench.store import Run, write_json
from toonbench.types import ToonbenchError

PAIRS, FRAMES = 8, 6


def result(name: str, values: np.ndarray) -> dict:
    return {
        "metric": name, "value": float(values.mean()), "low": float(values.min()), "high": float(values.max()),
        "measured": float(values.mean()), "measured_low": 0.0, "measured_high": 1.0, "pairs": PAIRS, "missing": 0,
        "clusters": PAIRS, "coverage": 1.0, "higher_is_better": name.startswith(("psnr", "ssim")), "notes": [],
        "details": {}, "unranked": "",
    }  # fmt: skip


def write_run(
    out: Path,
    method: str,
    *,
    level: float,
    metrics: tuple[str, ...] = ("l1@1", "ssim@1"),
    pairs: int = PAIRS,
    **changes,
) -> Path:
    """A stored run whose rows are `level` and a little noise."""
    root = out / "set@1" / "real2cartoon@4" / method
    run = Run(root)
    about = {
        "data": "set@1", "data_fingerprint": "d" * 64, "task": "real2cartoon@4", "seed": 0, "limit": None,
        "pairs_fingerprint": "p" * 64, "method": method,
    }  # fmt: skip
    write_json(run.description, {"schema": 1, "task_fingerprint": "t", **about})
    values = {name: np.full(PAIRS, level) + np.linspace(0, 0.001, PAIRS) for name in metrics}
    for name, own in values.items():
        for pair in range(pairs):
            run.write_rows(name, f"s{pair}~d{pair}", np.full((FRAMES, 1), own[pair], np.float32))
    lines = ["pair,source,driving,failure", *(f"s{i}~d{i},s{i},d{i}," for i in range(pairs))]
    run.scores.write_text("\n".join(lines) + "\n")
    content = {
        "schema": SCHEMA, **about, "environment": {}, "weights": {}, "results": [result(n, v) for n, v in values.items()],
        "skipped": {}, "failures": {}, "pairs": PAIRS, "warnings": [], "caveats": [], **changes,
    }  # fmt: skip
    write_json(run.result, with_checksum(content))
    return root


@pytest.fixture
def out(tmp_path: Path) -> Path:
    write_run(tmp_path, "good@1", level=0.1)
    write_run(tmp_path, "bad@1", level=0.5)
    return tmp_path


def test_runs_are_found_at_every_level_and_once(out):
    places = [out, out / "set@1", out / "set@1" / "real2cartoon@4", out / "set@1" / "real2cartoon@4" / "good@1"]
    assert [[entry.method for entry in find_entries([place])] for place in places] == [["bad", "good"]] * 3 + [["good"]]
    assert len(find_entries(places)) == 2


@pytest.mark.parametrize(
    ("name", "what"), [("nothing", "does not exist"), ("empty", "holds no run"), ("file", "is not a folder")]
)
def test_a_place_without_runs_is_an_error(tmp_path, name, what):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(ToonbenchError, match=f"{name} {what}: give the folder of a run"):
        find_entries([tmp_path / name])


def test_the_better_method_has_rank_one_in_the_direction_of_the_metric(out):
    (leaderboard,) = leaderboards(find_entries([out]))
    ranks = {(e.method, m): rank_of(leaderboard, e, m) for e in leaderboard.entries for m in leaderboard.metrics}
    assert ranks == {("good", "l1@1"): 1, ("bad", "l1@1"): 2, ("good", "ssim@1"): 2, ("bad", "ssim@1"): 1}
    assert missing_of(leaderboard.entries[0].results["l1@1"]) == (0, PAIRS)


def test_a_metric_of_only_some_runs_ranks_those(out):
    write_run(out, "other@1", level=0.3, metrics=("l1@1",))
    (leaderboard,) = leaderboards(find_entries([out]))
    ranks = {
        e.method: (rank_of(leaderboard, e, "l1@1"), rank_of(leaderboard, e, "ssim@1")) for e in leaderboard.entries
    }
    assert ranks == {"good": (1, 2), "other": (2, None), "bad": (3, 1)}


def test_a_metric_of_one_run_has_no_ranks_and_a_note(out):
    write_run(out, "other@1", level=0.3, metrics=("psnr@1",))
    (leaderboard,) = leaderboards(find_entries([out]))
    assert leaderboard.metrics == ("l1@1", "ssim@1", "psnr@1")
    assert "psnr@1 has no ranks: fewer than two complete runs have rows of it" in leaderboard.notes


def test_a_metric_that_is_not_installed_has_no_ranks_and_a_note(out):
    for level, method in enumerate(("a@1", "b@1")):
        write_run(out, method, level=level, metrics=("l1@1", "nobodys@7"))
    (leaderboard,) = leaderboards(find_entries([out]))
    assert rank_of(leaderboard, leaderboard.entries[0], "nobodys@7") is None
    assert any(note.startswith("nobodys@7 has no ranks: unknown metric 'nobodys'") for note in leaderboard.notes)


def rewrite(root: Path, **changes) -> None:
    stored = json.loads((root / "result.json").read_text())
    write_json(root / "result.json", with_checksum({**{k: v for k, v in stored.items() if k != "checksum"}, **changes}))


DAMAGES = {
    "an older schema": (lambda root: rewrite(root, schema=1), "its schema is 1; this version reads schema .*: score the run again"),
    "a newer schema": (lambda root: rewrite(root, schema=99), "its schema is 99; toonbench that wrote it is newer"),
    "not JSON": (lambda root: (root / "result.json").write_text("{"), "cannot be read as JSON"),
    "a count in words": (
        lambda root: rewrite(root, results=[{**result("l1@1", np.ones(1)), "clusters": "many"}]), "result.json cannot be used: invalid literal"
    ),
    "a number without end": (
        lambda root: rewrite(root, results=[{**result("l1@1", np.ones(1)), "pairs": math.inf}]), "result.json cannot be used"
    ),
    "a number too large": (
        lambda root: rewrite(root, results=[{**result("l1@1", np.ones(1)), "value": 10**400}]), "result.json cannot be used: int too large"
    ),
    "a list": (lambda root: (root / "result.json").write_text("[]"), "result.json cannot be used: the file holds a list"),
    "a changed number": (
        lambda root: (root / "result.json").write_text((root / "result.json").read_text().replace('"coverage": 1.0', '"coverage": 0.9')),
        "its checksum does not fit its fields",
    ),
    "another request": (lambda root: rewrite(root, seed=5), "result.json has seed = 5, run.json has 0"),
    "failed pairs": (lambda root: rewrite(root, failures={"s0~d0": "no"}), "1 of 8 pairs have no video"),
    "no rows": (lambda root: shutil.rmtree(root / "rows"), "its rows are missing"),
    "no table": (lambda root: (root / "scores.csv").unlink(), "scores.csv is missing"),
    "no result": (lambda root: (root / "result.json").unlink(), "it is not scored"),
    "other pairs": (lambda root: (root / "scores.csv").write_text("pair,source,driving,failure\nx,x,x,\n"), "lists other pairs"),
    "damaged rows": (lambda root: (root / "rows" / "l1@1" / "s3~d3.npy").write_bytes(b"x"), "s3~d3.npy cannot be used"),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_run_with_a_fault_is_listed_without_ranks_and_with_the_reason(out, damage):
    make, reason = DAMAGES[damage]
    root = write_run(out, "third@1", level=0.3)
    make(root)
    found = leaderboards(find_entries([out]))
    leaderboard = next(one for one in found if len(one.entries) > 1)
    third = next(entry for one in found for entry in one.entries if entry.method == "third")
    assert third.problem
    assert re.search(reason, third.problem)
    ranks = {entry.method: rank_of(leaderboard, entry, "l1@1") for entry in leaderboard.entries}
    assert ranks | {"third": None} == {"good": 1, "bad": 2, "third": None}


def test_runs_of_one_name_get_different_labels(tmp_path):
    for out, revisions in (("one", "12"), ("two", "1")):
        for revision in revisions:
            write_run(tmp_path / out, f"mine@{revision}", level=0.1)
    names = list(label_of(find_entries([tmp_path / "one", tmp_path / "two"])).values())
    assert len(set(names)) == 3
    assert "mine@2" in names
    assert list(label_of(find_entries([tmp_path / "one"])).values()) == ["mine@1", "mine@2"]


def test_a_folder_without_anything_usable_still_has_its_names(tmp_path):
    root = tmp_path / "set" / "task@1" / "x@3"
    root.mkdir(parents=True)
    (root / "run.json").write_text("[]")
    entry = read_entry(root)
    assert (entry.data, entry.task, entry.method, entry.revision) == ("set", "task@1", "x", "3")
    assert "holds a list instead of an object" in entry.problem


def test_a_method_called_like_a_revision_of_another_has_its_own_name(out):
    write_run(out, "good@2", level=0.1)
    hostile = write_run(out, "good@1@3", level=0.1)
    names = label_of(find_entries([out]))
    assert len(set(names.values())) == len(names) == 4
    assert names[hostile] == str(hostile.resolve())
