"""Every metric from the outside, on deterministic test weights: what a run says, and what it says of bad input."""

from __future__ import annotations

import csv
import json
import math
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from made_data import write_data
from toonbench import cli, registry, video
from toonbench.commands import doctor
from toonbench.data import load as load_data
from toonbench.metrics._inception import InceptionFeatures
from toonbench.score import availability
from toonbench.store import Run
from toonbench.tasks.standard import EXACT_MOTION, STANDARD

SKIPPED = {"aed_expression@1", "motion_agreement@1", *EXACT_MOTION}
MEASURED = [name for name in STANDARD if name not in SKIPPED]
ORACLE = ("--method", "noisy-oracle")
DESCRIBERS = ("csim_arcface", "csim_dinov2", "akd_fan68", "aed_identity")
# Where a grey clip is worse than the answer with noise. Not so l1 and psnr, for which grey beats a texture moved by a pixel,
# nor landmarks that a network without training sees in a white picture.
BETTER_WHEN_TRUE = ("ssim@1", "lpips_alex@1", "csim_arcface@1", "aed_identity@1")


def no_infinity(text: str) -> dict:
    """JSON as other languages read it too: without NaN and Infinity."""

    def refuse(constant):
        raise AssertionError(f"{constant} in JSON")

    return json.loads(text, parse_constant=refuse)


def only(root: Path, pattern: str) -> Path:
    (found,) = root.rglob(pattern)
    return found


def result_in(root: Path) -> dict:
    return no_infinity(only(root, "result.json").read_text())


def rows_of(result: dict) -> dict[str, dict]:
    return {row["metric"]: row for row in result["results"]}


def table_in(root: Path) -> dict[str, dict[str, str]]:
    with only(root, "scores.csv").open() as handle:
        return {row["pair"]: row for row in csv.DictReader(handle)}


def row_shown(printed: str, metric: str) -> str:
    """The row of the printed table that has this metric's name, in full."""
    (row,) = [line for line in printed.splitlines() if metric in line.split()]
    return row


def tree(root: Path, *, leaving_out: str = "") -> dict[str, bytes]:
    """Every file below a folder and its bytes; of run.json all but the environment, which names the checkout's commit."""
    files = {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}
    for name in files:
        if name.endswith("/run.json"):
            files[name] = json.dumps(json.loads(files[name]) | {"environment": None}).encode()
    return {name: content for name, content in files.items() if not leaving_out or leaving_out not in name}


def times(root: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in root.rglob("*") if path.is_file()}


def cells_of(shown: str, metric: str) -> str:
    """The metric's line of the table."""
    lines = [line.strip(" │") for line in shown.splitlines()]
    return next(
        line for line in lines if line.startswith((f"{metric}@1 ", f"{metric}@1\N{BOX DRAWINGS LIGHT VERTICAL}"))
    )


def clear() -> None:
    """Forget the metrics of this process: they hold networks of weights that a test changes."""
    availability.load.cache_clear()


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Two driving videos and two sources a domain, three frames of 64 pixels: four pairs."""
    return write_data(tmp_path_factory.mktemp("small") / "blobs", videos=2, images=2, length=3)


@pytest.fixture(autouse=True)
def all_weights(monkeypatch, deterministic_weights):
    """All weights are there, and S3FD finds faces."""
    for name, value in deterministic_weights.environment(faces=True).items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def use(monkeypatch):
    """Other weights for a test: `use(folder, manifest)`."""

    def change(folder: Path, manifest: Path) -> None:
        clear()
        monkeypatch.setenv("TOONBENCH_WEIGHTS", str(folder))
        monkeypatch.setenv("TOONBENCH_WEIGHTS_MANIFEST", str(manifest))

    yield change
    clear()


def tool(command: str, data: Path, out: Path, *more: object, workers: int = 1) -> list[str]:
    if command == "eval" and "--method" not in more:
        more = (*more, "--method", "noisy-oracle")
    return [command, "--data", str(data), "--out", str(out), "--workers", str(workers), *map(str, more)]


# --- the whole set ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(data, deterministic_weights, tmp_path_factory):
    """One run with every metric: its folder, what was decoded, how many frames each described."""
    out = tmp_path_factory.mktemp("whole")
    decoded: list[Path] = []
    described: dict[str, list[int]] = {}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in deterministic_weights.environment(faces=True).items():
            patch.setenv(name, value)
        clear()
        read = video.iter_frames
        patch.setattr(video, "iter_frames", lambda path, **options: decoded.append(Path(path)) or read(path, **options))
        count_describes(patch, described)
        assert cli.run(tool("generate", data, out, "--method", "noisy-oracle")) == 0
        decoded.clear()
        assert cli.run(tool("score", data, out, "--method", "noisy-oracle")) == 0
    return out, decoded, described


def count_describes(patch, described: dict[str, list[int]]) -> None:
    classes = {name: registry.load("metrics", name) for name in DESCRIBERS} | {"inception": InceptionFeatures}
    for name, cls in classes.items():

        def counting(self, frames, *, name=name, real=cls.extract_features):
            described.setdefault(name, []).append(len(frames))
            return real(self, frames)

        patch.setattr(cls, "extract_features", counting)


@pytest.mark.slow
def test_every_metric_of_a_task_has_a_value_or_says_why_not(whole):
    result = result_in(whole[0])
    found = rows_of(result)
    assert list(found) == MEASURED
    assert set(result["skipped"]) == SKIPPED
    assert "weights fetch face-landmarker" in result["skipped"]["aed_expression@1"]["reason"]
    assert not result["failures"]
    for name, row in found.items():
        assert math.isfinite(row["value"]), name
        assert (row["pairs"], row["missing"], row["clusters"], row["coverage"]) == (4, 0, 2, 1.0), name


def test_the_result_names_the_weights_it_was_made_with(whole, deterministic_weights):
    used = {
        "alexnet", "inception-fid", "scrfd-10g", "arcface-r50", "dinov2-small", "fan68", "openface", "sface", "stlpips-alex",
    }  # fmt: skip
    told = result_in(whole[0])["weights"]
    assert {name: told[name] for name in used} == {name: deterministic_weights.sha256(name) for name in used}
    assert set(told) - used == {"s3fd", "yunet"}, "and none that no metric of the task took"


def test_each_generated_video_is_decoded_once_for_all_metrics(whole):
    out, decoded, _ = whole
    videos = sorted(out.rglob("videos/*.mkv"))
    assert len(videos) == 4
    assert sorted(path for path in decoded if path in set(videos)) == videos
    once, features = 3 * 4, 2 * 4
    assert len(decoded) == once + features, (
        "a generated video, its driving video and its target for each pair, and each target once for the features of "
        "fan68 and of openface, which are stored for all methods"
    )


def test_real_frames_are_described_once_and_generated_ones_once(whole):
    described = {name: sorted(counts) for name, counts in whole[2].items()}
    assert described == {
        "inception": [1] * 2 + [2] * 4,  # sources, then videos, for fid and kid alike
        "csim_arcface": [1] * 4 + [2] * 8,  # and csim_sface, which has this function from it
        "csim_dinov2": [1] * 2 + [2] * 4,
        "akd_fan68": [2] * 4 + [3] * 4,  # videos without their first frame, whole targets
        "aed_identity": [2] * 4 + [3] * 4,
    }


def test_the_table_of_pairs_agrees_with_the_stored_rows_and_with_the_result(whole):
    out, _, _ = whole
    table, run, found = table_in(out), Run(only(out, "run.json").parent), rows_of(result_in(out))
    columns = [name for name in MEASURED if name not in ("fid@1", "kid@1")]
    assert list(next(iter(table.values()))) == ["pair", "source", "driving", *columns, "failure"]
    for name in columns:
        metric = registry.load_metric(name)
        own = {pair: metric.reduce([run.read_rows(name, pair)]) for pair in table}
        assert {pair: float(row[name]) for pair, row in table.items()} == own
        assert found[name]["value"] == pytest.approx(np.mean(list(own.values())), rel=1e-6)
    assert len({row["source"] for row in table.values()}) == len({row["driving"] for row in table.values()}) == 2
    assert not any(row["failure"] for row in table.values())


def test_scoring_again_measures_nothing_and_changes_no_byte(whole, data, monkeypatch):
    out, _, _ = whole
    before, described = tree(out), {}
    count_describes(monkeypatch, described)
    assert cli.run(tool("score", data, out, "--method", "noisy-oracle")) == 0
    assert tree(out) == before
    assert not described


# --- the same bytes --------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_three_shards_write_the_bytes_of_one_run(whole, data, tmp_path):
    for shard in ("3/3", "1/3", "2/3"):
        assert cli.run(tool("eval", data, tmp_path, "--shard", shard)) == 0
    assert tree(tmp_path) == tree(whole[0])


@pytest.mark.slow
def test_two_workers_write_the_bytes_of_one(whole, data, tmp_path):
    """Two pairs of one source: both workers want its features at the same time."""
    one, two = (Path(shutil.copytree(whole[0], tmp_path / name)) for name in ("one", "two"))
    for folder in ("rows", "features"):
        shutil.rmtree(only(two, folder))
    for out, workers in ((one, 1), (two, 2)):
        line = tool("score", data, out, "--method", "noisy-oracle", "--limit", 2, workers=workers)
        assert cli.run(line) == 0
    measured, known = tree(two), tree(one)
    assert len([name for name in measured if "/rows/" in name and name.endswith(".npy")]) == 2 * len(MEASURED)
    assert measured == {name: content for name, content in known.items() if name in measured}
    left = {Path(name).parent.parent.name for name in set(known) - set(measured)}
    assert left <= {"rows", *(path.name for path in only(one, "features").iterdir())}, (
        "and only the other pairs' is not there"
    )


@pytest.mark.slow
def test_killed_while_measuring_and_run_again_writes_the_same_bytes(whole, data, tmp_path):
    line = [sys.executable, "-m", "toonbench.cli", *tool("eval", data, tmp_path)]
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    limit = time.monotonic() + 120
    while not list(tmp_path.rglob("features/fan68@1/*/*.npy")) and process.poll() is None and time.monotonic() < limit:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "it was killed in the middle"
    kept = times(tmp_path)
    assert not list(tmp_path.rglob("result.json"))
    assert cli.run(tool("eval", data, tmp_path)) == 0
    assert tree(tmp_path) == tree(whole[0])
    assert {path: time for path, time in times(tmp_path).items() if path in kept} == kept, "what was there is kept"


def test_features_of_real_frames_are_shared_by_methods_and_tasks(whole, data, tmp_path, monkeypatch):
    out = Path(shutil.copytree(whole[0], tmp_path / "runs", copy_function=shutil.copy2))
    real = only(out, "features")
    before, described = times(real), {}
    count_describes(monkeypatch, described)
    metrics = ["fid", "csim_arcface", "csim_dinov2", "aed_identity"]
    assert cli.run(tool("eval", data, out, "--method", "static", "--metrics", *metrics)) == 0
    sums = {name: sum(counts) for name, counts in described.items()}
    assert sums == dict.fromkeys(["inception", *metrics[1:]], 4 * 2), "the second method's videos and nothing else"
    described.clear()
    more = ("--task", "cartoon_cross", "--method", "static", "--metrics", "fid", "csim_arcface", "csim_dinov2")
    assert cli.run(tool("eval", data, out, *more)) == 0
    assert {len(counts) for counts in described.values()} == {2 * 2}, "the second task's videos and nothing else"
    assert times(real) == before


# --- weights that are not there, or not sound ------------------------------------------------------------------------


def fetched(made, names, folder: Path) -> Path:
    """A weights folder with copies of only these files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        shutil.copyfile(made.file(name), folder / made.file(name).name)
    return folder


def test_metrics_whose_weights_came_later_fill_their_cells_and_touch_no_other(
    data, tmp_path, deterministic_weights, use, capsys
):
    use(tmp_path / "weights", deterministic_weights.manifest)
    out, metrics = tmp_path / "runs", ["--metrics", "l1", "csim_dinov2", "aed_identity", "lpips_alex"]
    assert cli.run(tool("eval", data, out, *metrics)) == 0
    shown, result = capsys.readouterr().out, result_in(out)
    for metric, name in (
        ("csim_dinov2", "dinov2-small"),
        ("aed_identity", "openface"),
        ("lpips_alex", "alexnet"),
    ):
        assert result["skipped"][f"{metric}@1"]["reason"] == (
            f"skipped, weights '{name}' are missing: run toonbench weights fetch {name}"
        )
        assert not {f"{metric}@1 ↓", f"{metric}@1 ↑"} & set(re.findall(r"\S+@1 [↑↓]", shown)), "no row of dashes"
    (told,) = [line for line in shown.splitlines() if "weights fetch" in line]
    names, _, line = told.partition(": skipped, their weights are missing: run toonbench ")
    assert names == "csim_dinov2@1, aed_identity@1, lpips_alex@1"
    assert line == "weights fetch --for csim_dinov2 aed_identity lpips_alex"
    before = times(out)
    line = line.removesuffix(" lpips_alex")
    assert cli.run([*line.split(), "--from", str(deterministic_weights.folder)]) == 0
    assert cli.run(tool("score", data, out, "--method", "noisy-oracle", *metrics)) == 0
    filled = result_in(out)
    assert set(rows_of(filled)) == {"l1@1", "csim_dinov2@1", "aed_identity@1"}
    assert set(filled["skipped"]) == {"lpips_alex@1"}
    assert set(filled["weights"]) == {"dinov2-small", "openface"}
    after = times(out)
    changed = {path.name for path, time in before.items() if after[path] != time}
    assert changed == {"result.json", "scores.csv"}
    new = {path.parent.name if "rows" in path.parts else path.parent.parent.name for path in set(after) - set(before)}
    assert new == {"csim_dinov2@1", "aed_identity@1", "dinov2_small@1", "openface@1", "features"}
    assert all(row["csim_dinov2@1"] and row["aed_identity@1"] for row in table_in(out).values())


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGE = {
    "one bit flipped": (flip, "damaged"),
    "cut off": (lambda path: path.write_bytes(path.read_bytes()[:100_000]), "damaged"),
    "empty": (lambda path: path.write_bytes(b""), "damaged"),
    "a web page": (lambda path: path.write_text("<html>404</html>"), "damaged"),
    "half a download": (lambda path: path.rename(f"{path}.part"), "missing"),
    "a folder": (make_folder, "missing"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_metric_of_damaged_weights_is_skipped_in_one_line_and_the_run_goes_on(
    kind, data, tmp_path, deterministic_weights, use, capsys
):
    damage, word = DAMAGE[kind]
    folder = fetched(deterministic_weights, ["openface"], tmp_path / "weights")
    damage(folder / "openface.pth")
    use(folder, deterministic_weights.manifest)
    assert cli.run(tool("eval", data, tmp_path / "runs", "--metrics", "l1", "aed_identity", "--limit", 1)) == 0
    told = capsys.readouterr()
    (line,) = [line for line in told.out.splitlines() if line.startswith("aed_identity@1: ")]
    assert word in line
    assert line.endswith("toonbench weights fetch openface")
    result = result_in(tmp_path / "runs")
    assert set(rows_of(result)) == {"l1@1"}
    assert set(result["skipped"]) == {"aed_identity@1"}
    assert result["weights"] == result["failures"] == {}
    assert "Traceback" not in told.out + told.err


@pytest.mark.parametrize("damaged", [True, False])
def test_doctor_fails_for_damaged_weights_with_the_command(
    damaged, tmp_path, deterministic_weights, use, monkeypatch, capsys
):
    for slow in ("_golden_clips", "_shipped"):
        monkeypatch.setattr(doctor, slow, lambda *_: [])
    folder = fetched(deterministic_weights, ["openface", "alexnet"], tmp_path / "weights")
    if damaged:
        flip(folder / "openface.pth")
    (folder / "dinov2.safetensors.part").write_bytes(b"half")
    use(folder, deterministic_weights.manifest)
    assert cli.run(["doctor", "--json"]) == (1 if damaged else 0)
    lines = {row["check"]: row for row in no_infinity(capsys.readouterr().out)["checks"]}
    assert lines["weights openface"]["status"] == ("FAIL" if damaged else "ok")
    assert ("toonbench weights fetch openface" in lines["weights openface"]["remark"]) == damaged
    assert lines["weights alexnet"]["status"] == "ok"
    assert lines["weights dinov2-small"]["status"] == "absent"
    assert "incomplete download" in lines["weights dinov2-small"]["remark"]
    assert "toonbench weights fetch dinov2-small" in lines["weights dinov2-small"]["remark"]


@pytest.mark.parametrize(
    ("metric", "name"),
    [
        ("aed_identity", "openface"),
        ("csim_dinov2", "dinov2-small"),
        ("csim_arcface", "scrfd-10g"),
        ("akd_fan68", "fan68"),
        ("lpips_alex", "alexnet"),
        ("fid", "inception-fid"),
    ],
)
def test_weights_without_a_known_hash_that_cannot_be_read_cost_their_own_metric_only(
    metric, name, data, tmp_path, deterministic_weights, use, capsys
):
    others = ["s3fd"] if name == "fan68" else ["arcface-r50"] if name == "scrfd-10g" else []
    folder = fetched(deterministic_weights, others, tmp_path / "weights")
    (folder / deterministic_weights.file(name).name).write_bytes(b"this is nothing that holds weights" * 99)
    manifest = tmp_path / "manifest.toml"
    lines = deterministic_weights.manifest.read_text().splitlines()
    manifest.write_text("\n".join(line for line in lines if not line.startswith("sha256")))
    use(folder, manifest)
    assert cli.run(tool("eval", data, tmp_path / "runs", "--metrics", "l1", metric, "--limit", 2)) == 0
    told = capsys.readouterr()
    found = rows_of(result_in(tmp_path / "runs"))
    assert math.isfinite(found["l1@1"]["value"])
    assert found["l1@1"]["coverage"] == 1
    row = found[f"{metric}@1"]
    assert (row["value"], row["coverage"], row["missing"]) == (None, 0, 2)
    assert "Traceback" not in told.out + told.err
    lines = [line for line in told.out.splitlines() if line.startswith(f"{metric}@1: 2 of 2 pairs")]
    assert len(lines) == 1, "the reason stands in what is printed"
    assert "weights" in lines[0].replace(str(tmp_path), "")
    assert "fetch" in lines[0]
    assert "weights_only" not in lines[0], "nobody is told to run what an untrusted file holds"
    fetched(deterministic_weights, [name], folder)
    clear()
    assert cli.run(tool("score", data, tmp_path / "runs", "--metrics", "l1", metric, "--limit", 2, *ORACLE)) == 0
    row = rows_of(result_in(tmp_path / "runs"))[f"{metric}@1"]
    assert (row["pairs"], row["missing"]) == (2, 2 if metric == "akd_fan68" else 0), "its S3FD finds no face"
    assert not list((tmp_path / "runs").rglob("failures/*.json")), "scored again, it was tried again"


def test_metrics_that_share_features_both_say_why_they_failed_and_shards_do_not_wait_for_them(
    data, tmp_path, deterministic_weights, use
):
    folder = fetched(deterministic_weights, [], tmp_path / "weights")
    broken_file = folder / deterministic_weights.file("inception-fid").name
    broken_file.write_bytes(b"this is nothing that holds weights" * 99)
    manifest = tmp_path / "manifest.toml"
    lines = deterministic_weights.manifest.read_text().splitlines()
    manifest.write_text("\n".join(line for line in lines if not line.startswith("sha256")))
    use(folder, manifest)
    for shard in ("1/2", "2/2"):
        line = tool("eval", data, tmp_path / "runs", "--metrics", "l1", "fid", "kid", "--shard", shard)
        assert cli.run(line) == 0
    found = rows_of(result_in(tmp_path / "runs"))
    for name in ("fid@1", "kid@1"):
        assert any("4 of 4 pairs could not be measured" in note for note in found[name]["notes"]), name


def test_without_a_network_fetch_tells_it_and_scoring_goes_on(data, tmp_path, deterministic_weights, use, capsys):
    manifest = tmp_path / "manifest.toml"
    manifest.write_text(
        deterministic_weights.manifest.read_text()
        + '\n[far]\nfile = "far.pth"\nurls = ["http://127.0.0.1:9/far.pth"]\n'
    )
    use(tmp_path / "weights", manifest)
    assert cli.run(["weights", "fetch", "far"]) == 1
    told = capsys.readouterr()
    (line,) = told.err.splitlines()[-1:]
    assert line.startswith("toonbench: cannot fetch far:")
    assert "Traceback" not in told.out + told.err
    assert cli.run(tool("eval", data, tmp_path / "runs", "--metrics", "l1", "aed_identity", "--limit", 1)) == 0
    assert "toonbench weights fetch openface" in capsys.readouterr().out


# Root may write where permissions forbid it: drop that (CAP_DAC_OVERRIDE), then become the program.
WITHOUT_ROOTS_RIGHT = (
    "import ctypes, os, sys; ctypes.CDLL(None).prctl(24, 1, 0, 0, 0); os.execv(sys.argv[1], sys.argv[1:])"
)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="drops a right of root's the Linux way")
def test_read_only_weights_and_cache_are_used_as_they_are(data, tmp_path, deterministic_weights, use, monkeypatch):
    folder = fetched(deterministic_weights, ["openface"], tmp_path / "weights")
    use(folder, deterministic_weights.manifest)
    monkeypatch.setenv("TOONBENCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    for place in (folder, tmp_path / "cache"):
        place.chmod(0o555)
    line = tool("eval", data, tmp_path / "runs", "--metrics", "l1", "aed_identity", "--limit", 1)
    line = [sys.executable, "-c", WITHOUT_ROOTS_RIGHT, sys.executable, "-m", "toonbench.cli", *line]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    for place in (folder, tmp_path / "cache"):
        place.chmod(0o755)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert set(rows_of(result_in(tmp_path / "runs"))) == {"l1@1", "aed_identity@1"}
    assert [path.name for path in folder.iterdir()] == ["openface.pth"]
    assert not list((tmp_path / "cache").iterdir())


# --- faces -----------------------------------------------------------------------------------------------------------

FACES = ("csim_arcface@1", "akd_fan68@1")


@pytest.fixture(scope="module")
def answers(whole):
    """The videos of the run with every metric: many faces in each frame, some of them cut off by the edge."""
    return {path.stem: video.read_video(path).frames for path in sorted(whole[0].rglob("videos/*.mkv"))}


@pytest.fixture(scope="module")
def runs(whole, tmp_path_factory) -> Path:
    """Where the features of the real frames are there already."""
    out = tmp_path_factory.mktemp("runs") / "out"
    return Path(shutil.copytree(whole[0], out, copy_function=shutil.copy2))


def scored(
    clips: dict[str, np.ndarray], folder: Path, data: Path, *metrics: str, out: Path | None = None, more: tuple = ()
) -> dict:
    """The result of a folder of these videos, among the runs of `out`."""
    out = out or folder.parent / "runs"
    for pair, frames in clips.items():
        video.write_lossless(folder / f"{pair}.mkv", frames, fps=25)
    assert cli.run(tool("score", data, out, "--videos", folder, "--metrics", *metrics, *more)) == 0
    (found,) = out.rglob(f"{folder.name}@*/result.json")
    return no_infinity(found.read_text())


def darkened(clips: dict[str, np.ndarray], frames) -> dict[str, np.ndarray]:
    """The clips with these frames black, in which no detector sees a face."""
    dark = {pair: clip.copy() for pair, clip in clips.items()}
    for clip in dark.values():
        clip[list(frames)] = 0
    return dark


def test_losing_faces_never_helps_and_coverage_tells(whole, data, answers, tmp_path, runs):
    seen = rows_of(result_in(whole[0]))
    half = rows_of(scored(darkened(answers, [2]), tmp_path / "half", data, *FACES, out=runs))
    none = rows_of(scored(darkened(answers, [1, 2]), tmp_path / "none", data, *FACES, out=runs))
    for name, better in zip(FACES, (1, -1), strict=True):
        values = [better * one[name]["value"] for one in (seen, half, none)]
        assert values[0] > values[1] > values[2], name
        assert [one[name]["coverage"] for one in (seen, half, none)] == [1, 0.5, 0]
        assert [one[name]["details"]["faces found"] for one in (seen, half, none)] == [1, 0.5, 0]
        assert none[name]["details"]["over found faces only"] is None, "the literature would have nothing"
        assert [one[name]["missing"] for one in (seen, half, none)] == [0, 0, 0], (
            "what is known to be worst is not missing"
        )
        assert half[name]["details"]["over found faces only"] != half[name]["value"]
    assert none["csim_arcface@1"]["value"] == -1
    assert 128 <= none["akd_fan68@1"]["value"] <= 256


def test_hiding_the_worst_frames_lifts_only_the_literatures_number(data, answers, tmp_path, runs):
    rng = np.random.default_rng(1)
    bad = {pair: clip.copy() for pair, clip in answers.items()}
    for clip in bad.values():
        clip[2] = rng.integers(100, 256, clip[2].shape)
        clip[2, :32, 32:] = 255  # the brightest place, so the surest face, is another
    shown = rows_of(scored(bad, tmp_path / "shown", data, *FACES, out=runs))
    hidden = rows_of(scored(darkened(bad, [2]), tmp_path / "hidden", data, *FACES, out=runs))
    for name, better in zip(FACES, (1, -1), strict=True):
        assert better * shown[name]["value"] > better * hidden[name]["value"]
        found = [one[name]["details"]["over found faces only"] for one in (shown, hidden)]
        assert better * found[1] > better * found[0], f"{name}: what the worst-case rule is there for"


@pytest.mark.slow
def test_real_frames_without_a_face_count_for_no_method(data, answers, tmp_path):
    dark = Path(shutil.copytree(data, tmp_path / "blobs"))
    clips = {clip.id: clip for clip in load_data(dark).clips}
    first, *_ = answers
    source = clips[first.partition("~")[0]]
    video.write_png(source.path, np.zeros((64, 64, 3), np.uint8))
    video.write_lossless(dark / "targets" / f"{first}.mkv", np.zeros((3, 64, 64, 3), np.uint8), fps=25)
    kept = scored(answers, tmp_path / "kept", dark, *FACES)
    lost = scored(
        {pair: darkened({pair: clip}, [1, 2])[pair] if pair == first else clip for pair, clip in answers.items()},
        tmp_path / "lost",
        dark,
        *FACES,
    )
    of_source = sum(pair.partition("~")[0] == source.id for pair in answers)
    for name, unknown in (("csim_arcface@1", of_source), ("akd_fan68@1", 1)):
        a, b = rows_of(kept)[name], rows_of(lost)[name]
        assert a["missing"] == b["missing"] == unknown
        assert a["coverage"] == b["coverage"] == 1 - unknown / 4
        assert a["value"] == b["value"]
        assert a["details"]["faces found"] == 1, "of those that are known"


def test_metrics_whose_weights_packages_carry_are_measured_and_do_not_rank_drawn_sources(data, tmp_path, capsys):
    arguments = ("--task", "real2cartoon", "--limit", 1, "--metrics", "csim_sface", "stlpips_alex")
    assert cli.run(tool("eval", data, tmp_path, *arguments)) == 0
    found = rows_of(result_in(tmp_path))
    assert all(math.isfinite(row["value"]) for row in found.values())
    assert found["csim_sface@1"]["coverage"] == 1
    assert found["csim_sface@1"]["unranked"] == "it does not distinguish drawn persons"
    assert found["stlpips_alex@1"]["unranked"] == ""
    assert "csim_sface@1 does not rank methods: it does not distinguish drawn persons" in capsys.readouterr().out


def test_a_detector_that_finds_no_face_anywhere_leaves_no_value_and_says_so(
    data, answers, tmp_path, deterministic_weights, use, capsys
):
    use(deterministic_weights.folder, deterministic_weights.manifest)
    result = scored(answers, tmp_path / "videos", data, "l1", "akd_fan68", more=("--limit", "1"))
    row = rows_of(result)["akd_fan68@1"]
    assert (row["value"], row["low"], row["coverage"], row["missing"]) == (None, None, 0, 1)
    assert row["notes"][0] == "akd_fan68@1: nothing was measured"
    assert rows_of(result)["l1@1"]["coverage"] == 1
    line = cells_of(capsys.readouterr().out, "akd_fan68")
    assert "—" in line
    assert "0%" in line


# --- odd clips -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("grey", [0, 127, 255])
def test_a_constant_clip_is_measured_and_beats_no_true_answer(grey, whole, data, answers, tmp_path, runs):
    flat = {pair: np.full_like(clip, grey) for pair, clip in answers.items()}
    result = scored(flat, tmp_path / f"grey{grey}", data, *MEASURED, out=runs, more=("--limit", "1"))
    found = rows_of(result)
    assert set(found) == set(MEASURED)
    assert not result["failures"]
    ((pair, *_),) = (csv.reader([only(runs, f"grey{grey}@*/scores.csv").read_text().splitlines()[1]]),)
    true = table_in(whole[0])[pair[0]]
    for name, row in found.items():
        assert row["value"] is None or math.isfinite(row["value"])
        assert row["coverage"] in (0, 1), name
        if name not in ("fid@1", "kid@1"):
            assert row["missing"] == (row["value"] is None), name
        lost = row["details"].get("faces found") == 0
        assert not lost or row["coverage"] == 0
        if row["value"] is not None and (lost or name in BETTER_WHEN_TRUE):
            sign = 1 if row["higher_is_better"] else -1
            assert sign * row["value"] < sign * float(true[name]), name
    assert any(finding["kind"] for finding in result["warnings"]), "the linter warns of constant frames"


def test_clips_of_a_wrong_length_fail_for_every_metric_alike(data, answers, tmp_path, runs, capsys):
    clips = dict(answers)
    first, second, *_ = clips
    clips[first], clips[second] = clips[first][:1], np.concatenate([clips[second]] * 2)
    result = scored(clips, tmp_path / "odd", data, *MEASURED, out=runs)
    assert set(result["failures"]) == {first, second}
    assert "has 1 frames instead of 3" in result["failures"][first]
    assert "has 6 frames instead of 3" in result["failures"][second]
    for name, row in rows_of(result).items():
        assert (row["pairs"], row["missing"], row["coverage"]) == (4, 2, 0.5), name
    assert "2 of 4 pairs failed:" in capsys.readouterr().out


@pytest.mark.parametrize(("length", "size"), [(1, 64), (2, 8)], ids=["one frame", "8 pixels"])
def test_the_smallest_clips_are_measured_or_told_as_not_measurable(length, size, tmp_path, capsys):
    data = write_data(tmp_path / "blobs", videos=1, images=1, length=length, size=size)
    assert cli.run(tool("eval", data, tmp_path / "runs", "--metrics", *MEASURED)) == 0
    told, result = capsys.readouterr(), result_in(tmp_path / "runs")
    found = rows_of(result)
    assert set(found) == set(MEASURED)
    assert not result["failures"]
    for name, row in found.items():
        assert row["value"] is None or math.isfinite(row["value"])
        if name not in ("fid@1", "kid@1"):
            assert (row["value"] is None) == (row["coverage"] == 0), name
        assert (row["low"], row["high"]) == (None, None)
        assert row["notes"], "why there is no interval, or no value"
    assert found["l1@1"]["value"] is not None
    assert found["csim_dinov2@1"]["value"] is not None
    assert found["fid@1"]["value"] is None, "one reference image has no covariance"
    assert found["fid@1"]["details"]["reference images"] == 1
    assert "Traceback" not in told.out + told.err


def test_a_self_reenactment_of_one_pair_has_values_and_says_why_it_has_no_interval(data, tmp_path, capsys):
    arguments = ("--task", "real_self", "--limit", 1, "--metrics", *MEASURED)
    assert cli.run(tool("eval", data, tmp_path, *arguments)) == 0
    found = rows_of(result_in(tmp_path))
    for name, row in found.items():
        assert (row["pairs"], row["low"], row["high"]) == (1, None, None)
        assert "at least 3 are needed" in row["notes"][0] or row["value"] is None
        assert not [note for note in row["notes"] if "calibrated" in note], "the character is a photographed one"
        if name not in ("fid@1", "kid@1"):
            assert row["value"] is not None
    assert "no interval: 1 driving video, at least 3 are needed" in capsys.readouterr().out


@pytest.mark.slow
def test_huge_frames_are_measured(tmp_path):
    data = write_data(tmp_path / "blobs", videos=1, images=1, length=2, size=1500)
    metrics = ("l1", "csim_dinov2")
    assert cli.run(tool("eval", data, tmp_path / "runs", "--metrics", *metrics)) == 0
    for row in rows_of(result_in(tmp_path / "runs")).values():
        assert math.isfinite(row["value"])
        assert row["coverage"] == 1


# --- names, and failing ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "variants"),
    [
        ("aed", ["aed_expression", "aed_identity"]),
        ("csim", ["csim_arcface", "csim_dinov2", "csim_sface"]),
        ("lpips", ["lpips_alex", "lpips_vgg"]),
        ("akd", ["akd_fan68"]),
    ],
)
def test_a_name_that_says_too_little_is_refused_with_its_variants(name, variants, data, tmp_path, capsys):
    assert cli.run(tool("eval", data, tmp_path, "--metrics", "l1", name)) == 2
    told = capsys.readouterr()
    first, *lines = told.err.splitlines()
    assert f"metric '{name}' is ambiguous: choose one of" in first
    assert [line.split(":")[0].strip() for line in lines] == variants
    assert all(len(line.partition(": ")[2]) > 20 for line in lines), "and what each is"
    assert not told.out
    assert not list(tmp_path.iterdir())


def test_no_result_improves_by_failing(whole, data, answers, tmp_path, capsys):
    """The partial method leaves out all but its best pair; it is listed, and not ranked."""
    metrics = ("l1@1", "ssim@1", "lpips_alex@1", "csim_dinov2@1", "csim_arcface@1", "aed_identity@1")
    complete = scored(answers, tmp_path / "complete", data, *metrics)
    best = min(table_in(tmp_path).items(), key=lambda row: float(row[1]["l1@1"]))[0]
    partial = scored({best: answers[best]}, tmp_path / "partial", data, *metrics)
    assert len(partial["failures"]) == 3
    for name, row in rows_of(partial).items():
        assert (row["pairs"], row["missing"], row["coverage"]) == (4, 3, 0.25), name
    for name, row in rows_of(complete).items():
        better, partly = 1 if row["higher_is_better"] else -1, rows_of(partial)[name]
        if name == "lpips_alex@1":
            assert partly["value"] is None, "it has no worst value to count missing pairs as"
        else:
            assert better * partly["value"] < better * row["value"], f"{name}: missing pairs count as the worst value"
    assert rows_of(partial)["l1@1"]["measured"] < rows_of(complete)["l1@1"]["value"], "a better mean, over one pair"
    capsys.readouterr()
    line = ["compare", "complete", "partial", "--data", str(data), "--out", str(tmp_path / "runs"), "--json"]
    assert cli.run(line) == 0
    for one in no_infinity(capsys.readouterr().out)["metrics"]:
        methods = {standing["method"]: standing for standing in one["methods"]}
        assert methods["partial"]["rank"] is None
        assert methods["partial"]["missing"] == 3
        assert "3 of 4 pairs failed" in methods["partial"]["reason"]
        assert methods["complete"]["missing"] == 0
        assert all(difference["partial"] and not difference["better"] for difference in one["differences"])


def test_a_method_that_fails_everywhere_has_no_value_and_status_1(data, tmp_path, capsys):
    line = tool("eval", data, tmp_path, "--method", "toonbench_test_methods:Hopeless", "--metrics", *MEASURED)
    assert cli.run(line) == 1
    result = result_in(tmp_path)
    assert len(result["failures"]) == 4
    for row in rows_of(result).values():
        assert (row["value"], row["missing"], row["coverage"]) == (None, 4, 0)
    assert "Traceback" not in "".join(capsys.readouterr())
