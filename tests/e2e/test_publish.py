"""Publishing and reading back, with the real client of the Hub against a local server that speaks its protocol."""

import importlib.util
import io
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml

from hub_client import pointed_client
from hub_server import TOKEN, File, Rule
from made_data import write_data
from made_site import made_pairs, write_run
from toonbench.cli import run
from toonbench.data.folder import load, locate, shipped
from toonbench.data.table import CLIPS, TARGETS
from toonbench.hub import fetch
from toonbench.hub.dataset import prepare_dataset
from toonbench.hub.upload import Target, upload
from toonbench.types import ToonbenchError
from toonbench.video import iter_frames

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("huggingface_hub") is None, reason="needs toonbench[hub]"),
    pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning"),  # the client's way to call its own library
]
ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """The server, and the real client in this process pointed at it, with a valid token and an empty cache."""
    with pointed_client(monkeypatch, tmp_path) as hub:
        monkeypatch.setattr("toonbench.hub.dataset.plots", lambda rows: b"plots, which take a second")
        yield hub


@pytest.fixture(scope="module")
def blobs(tmp_path_factory):
    """A data set of drawn blobs in which no person is shown: two videos, two images and two targets."""
    root = write_data(tmp_path_factory.mktemp("set") / "blobs", videos=1, images=1, size=32)
    CLIPS.write(root, [{**row, "provenance": "toonbench puppets"} for row in CLIPS.read(root)])
    return root


@pytest.fixture
def own(blobs, tmp_path):
    """A copy of it that a test may change."""
    return shutil.copytree(blobs, tmp_path / "own" / "blobs")


@pytest.fixture
def waits(monkeypatch):
    """The seconds that the client and toonbench would have waited."""
    found = []
    monkeypatch.setattr(time, "sleep", found.append)
    return found


@pytest.fixture(scope="module")
def release(blobs, tmp_path_factory):
    """The release of the data set, made once."""
    return prepare_dataset(load(blobs), tmp_path_factory.mktemp("release") / "blobs", repo="acme/blobs")


BLOBS = Target(repo="acme/blobs")


def publish(*arguments):
    workers = ["--workers", "1"] if arguments[0] == "dataset" else []
    return run(["publish", *map(str, arguments), *workers])


def environment(hub, tmp_path):
    """For a client in its own process."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    return others | {
        "HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN, "HF_HOME": str(tmp_path / "home"),
        "HF_HUB_DISABLE_TELEMETRY": "1", "TOONBENCH_CACHE": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "0",
    }  # fmt: skip


def listed(capsys):
    """The files of a dry run's output: path to size."""
    lines = re.findall(r"^ *([\d,]+)  (\S.*)$", capsys.readouterr().out, re.MULTILINE)
    return {path: int(size.replace(",", "")) for size, path in lines}


def test_a_dry_run_lists_every_file_with_its_size_and_sends_nothing(hub, blobs, tmp_path, capsys):
    assert publish("dataset", "acme/blobs", "--data", blobs, "--dry-run", "--out", tmp_path / "out") == 0
    found = listed(capsys)
    there = {
        path.relative_to(tmp_path / "out").as_posix(): path.stat().st_size
        for path in (tmp_path / "out").rglob("*.*")
        if path.is_file()
    }
    del there[".toonbench-plan.json"]
    assert found == there
    assert {
        "clips/real-video-0.mkv",
        "previews/real-video-0.mp4",
        "metadata.parquet",
        "README.md",
        "release.json",
    } <= set(found)
    assert hub.log == []


def test_an_upload_has_the_files_of_the_dry_run_and_a_second_one_sends_nothing(hub, blobs, tmp_path, capsys):
    publish("dataset", "acme/blobs", "--data", blobs, "--dry-run", "--out", tmp_path / "out")
    found = listed(capsys)
    assert publish("dataset", "acme/blobs", "--data", blobs, "--out", tmp_path / "out", "--private") == 0
    repo = hub.repo("datasets", "acme/blobs")
    files = {path: content for path, content in repo.files().items() if path != ".gitattributes"}
    assert {path: len(content) for path, content in files.items()} == found
    assert all((tmp_path / "out" / path).read_bytes() == content for path, content in files.items())
    assert repo.private
    assert not repo.gated, "puppets are no persons"
    sent = hub.count("^PUT /lfs/")
    assert publish("dataset", "acme/blobs", "--data", blobs, "--out", tmp_path / "out") == 0
    assert hub.count("^PUT /lfs/") == sent
    assert len(repo.commits) == 2, "the first one of a repository, and ours"
    assert TOKEN not in "".join(capsys.readouterr())
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]


def test_real_faces_are_gated_before_the_first_file_is_sent(hub, own, capsys):
    CLIPS.write(own, [{**row, "provenance": "filmed"} for row in CLIPS.read(own)])
    assert publish("dataset", "acme/faces", "--data", own) == 0
    repo = hub.repo("datasets", "acme/faces")
    assert repo.gated == "auto"
    order = [line for line in hub.log if "/settings" in line or "/commit/" in line]
    assert "/settings" in order[0]
    card = repo.files()["README.md"].decode()
    assert "extra_gated_prompt" in card
    assert "has not stated how these persons agreed" in card
    assert "--consent" in capsys.readouterr().err


def test_published_data_are_evaluated_with_the_numbers_of_the_local_data(hub, blobs, release, tmp_path, capsys):
    upload(release, BLOBS)
    results = []
    for data in (str(blobs), "hf:acme/blobs@main"):
        out = tmp_path / f"runs{len(results)}"
        assert (
            run(["eval", "--method", "static", "--data", data, "--metrics", "l1", "--out", str(out), "--workers", "1"])
            == 0
        )
        (path,) = out.rglob("result.json")
        results.append(
            (
                path.relative_to(out),
                json.loads(path.read_text())["results"],
                json.loads(path.read_text())["data_fingerprint"],
            )
        )
    assert results[0] == results[1]
    assert "is at commit" in capsys.readouterr().err
    assert not [line for line in hub.log if "previews/" in line and "resolve" in line], "previews are not downloaded"


READER = """
import importlib.util, json, shutil, sys
import datasets
from huggingface_hub import HfFileSystem, snapshot_download
datasets.disable_progress_bars()
repo, place = sys.argv[1:]
found = {}
def facts(rows):
    return [[row["id"], row["licence"], row["video"]["path"]] for row in rows]
def undecoded(rows):
    return rows.decode(False) if isinstance(rows, datasets.IterableDataset) else rows.cast_column("video", datasets.Video(decode=False))
for name in ("clips", "previews"):
    for streaming in (False, True):
        found[f"{name} {streaming}"] = facts(undecoded(datasets.load_dataset(repo, name, split="test", streaming=streaming)))
first = next(iter(undecoded(datasets.load_dataset(repo, split="test", streaming=True))))
with open(place + "/streamed.mkv", "wb") as file, HfFileSystem().open(first["video"]["path"], block_size=512) as remote:
    shutil.copyfileobj(remote, file)
if importlib.util.find_spec("torchcodec"):
    found["shape"] = list(datasets.load_dataset(repo, split="test")[0]["video"][0].shape)
found["targets"] = len(datasets.load_dataset(repo, "targets", split="test"))
found["images"] = [list(row["image"].size) for row in datasets.load_dataset(repo, "images", split="test", streaming=True)]
moved = shutil.copytree(snapshot_download(repo, repo_type="dataset"), place + "/moved")
for streaming in (False, True):
    found[f"moved {streaming}"] = facts(undecoded(datasets.load_dataset(moved, split="test", streaming=streaming)))
print(json.dumps(found))
"""


@pytest.mark.slow
def test_load_dataset_reads_what_was_published_also_streaming_and_moved(hub, blobs, release, tmp_path):
    pytest.importorskip("datasets", reason="needs toonbench[datasets]")
    upload(release, BLOBS)
    done = subprocess.run(
        [sys.executable, "-c", READER, "acme/blobs", str(tmp_path)],
        env=environment(hub, tmp_path),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    ids = ["real-video-0", "cartoon-video-0"]
    for how in ("clips False", "clips True", "moved False", "moved True", "previews True"):
        assert [(name, licence) for name, licence, _ in found[how]] == [(one, "Apache-2.0") for one in ids], how
    assert found["targets"] == 2
    assert found["images"] == [[32, 32]] * 2
    for how, ending in (("clips False", ".mkv"), ("moved True", ".mkv"), ("previews False", ".mp4")):
        path = Path(found[how][0][2])
        assert path.suffix == ending
        assert next(iter(iter_frames(path))).shape == (32, 32, 3), "a frame decodes"
    assert found["clips True"][0][2].startswith("hf://datasets/acme/blobs@"), "streaming downloads nothing"
    assert (tmp_path / "streamed.mkv").read_bytes() == (blobs / "clips" / "real-video-0.mkv").read_bytes()
    assert next(iter(iter_frames(tmp_path / "streamed.mkv"))).shape == (32, 32, 3)
    assert found.get("shape", [3, 32, 32]) == [3, 32, 32]


BUSY = {
    "429 with Retry-After": Rule("", status=429, headers={"Retry-After": "7"}),
    "503 with Retry-After": Rule("", status=503, headers={"Retry-After": "7"}),
    "a cut connection": Rule("", cut=True),
}


@pytest.mark.parametrize("how", BUSY)
@pytest.mark.parametrize(
    "where",
    [
        "GET /api/whoami",
        "POST /api/repos",
        "POST .*/preupload/",
        "POST .*/batch$",
        "PUT /lfs/",
        "POST .*/commit/",
        "GET .*/tree/",
    ],
)
def test_a_busy_server_is_asked_again(hub, release, waits, where, how):
    rule = BUSY[how]
    hub.rules.append(Rule(where, status=rule.status, headers=rule.headers, cut=rule.cut, times=1))
    upload(release, BLOBS)
    assert hub.rules[0].times == 0, "the server was busy once"
    assert "clips/real-video-0.mkv" in hub.repo("datasets", "acme/blobs").files()
    if rule.status:
        assert any(7 <= seconds <= 8 for seconds in waits), "it waits as long as it is asked to"


def test_a_commit_whose_response_was_lost_is_not_made_twice(hub, release, waits):
    hub.rules.append(Rule("POST .*/commit/", late=True))
    upload(release, BLOBS)
    repo = hub.repo("datasets", "acme/blobs")
    assert repo.sizes == [len(repo.files()) - 1]


@pytest.mark.slow
def test_an_upload_that_was_killed_resumes_with_what_is_missing(hub, blobs, tmp_path):
    code = "import toonbench.hub.release as r; r.COMMIT = 4; from toonbench.cli import main; main()"
    command = [sys.executable, "-c", code, "publish", "dataset", "acme/blobs", "--data", str(blobs), "--workers", "1"]
    started = []
    hub.rules.append(Rule("POST .*/commit/", act=lambda: started[0].kill(), cut=True, after=1))
    started.append(
        subprocess.Popen(command, env=environment(hub, tmp_path), stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    )
    started[0].communicate(timeout=60)
    assert started[0].returncode == -9
    half = hub.repo("datasets", "acme/blobs").files()
    assert 4 <= len(half) <= 6, "one of our commits"
    before = hub.count("^PUT /lfs/")
    subprocess.run(command, env=environment(hub, tmp_path), check=True, capture_output=True)
    files = hub.repo("datasets", "acme/blobs").files()
    assert {"metadata.parquet", "README.md", "targets.parquet", "clips/real-video-0.mkv"} <= set(files)
    assert all(files[path] == content for path, content in half.items())
    large = sum(path.endswith((".mkv", ".mp4", ".png", ".parquet")) for path in files)
    assert hub.count("^PUT /lfs/") == large, "no file was sent twice"
    assert before < large
    assert max(hub.repo("datasets", "acme/blobs").sizes) == 4


def test_large_files_are_sent_in_parts(hub, blobs, release):
    hub.part_size = 2000
    upload(release, BLOBS)
    assert hub.count("^PUT /lfs-part/") > 4
    assert (
        hub.repo("datasets", "acme/blobs").files()["clips/real-video-0.mkv"]
        == (blobs / "clips/real-video-0.mkv").read_bytes()
    )


def changed(path, by=b"x"):
    path.write_bytes(path.read_bytes() + by)


def fails(capsys, *words):
    """The one line of the last command, which has these words."""
    error = capsys.readouterr().err.strip().splitlines()
    line = error[-1]
    assert line.startswith("toonbench: ")
    assert TOKEN not in line
    for word in words:
        assert word in line, line
    return line


def test_a_clip_that_changed_after_the_dry_run_is_refused(hub, own, capsys):
    publish("dataset", "acme/blobs", "--data", own, "--dry-run")
    shutil.copy(own / "clips" / "cartoon-video-0.mkv", own / "clips" / "real-video-0.mkv")
    assert publish("dataset", "acme/blobs", "--data", own) == 2
    fails(capsys, "clips/real-video-0.mkv", "do not have the checksum of their table")
    rows = CLIPS.read(own)
    sums = {row["id"]: row["sha256"] for row in rows}
    CLIPS.write(
        own, [{**row, "sha256": sums["cartoon-video-0"]} if row["id"] == "real-video-0" else row for row in rows]
    )
    assert publish("dataset", "acme/blobs", "--data", own) == 2
    fails(capsys, "clips/real-video-0.mkv", "changed since the dry run", "make the dry run again")
    assert hub.log == []
    assert publish("dataset", "acme/blobs", "--data", own, "--dry-run") == 0
    assert publish("dataset", "acme/blobs", "--data", own) == 0


def test_a_clip_that_changes_during_the_upload_is_refused(hub, own, capsys):
    hub.rules.append(Rule("POST /api/repos", act=lambda: changed(own / "clips" / "real-video-0.mkv"), cut=False))
    assert publish("dataset", "acme/blobs", "--data", own) == 2
    fails(capsys, "clips/real-video-0.mkv", "changed after the release was made")
    assert set(hub.repo("datasets", "acme/blobs").files()) == {".gitattributes"}


def test_a_missing_and_a_wrong_token_are_one_line(hub, release, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_" + "OfSomeoneElse")
    with pytest.raises(ToonbenchError, match=r"^[^\n]*does not accept the token \(401[^\n]*$") as error:
        upload(release, BLOBS)
    assert "OfSomeoneElse" not in str(error.value)
    for copied in ("“hf_OfSomeoneElse”", "hf_OfSomeone Else", "hf_OfSomeoneé"):
        monkeypatch.setenv("HF_TOKEN", copied)
        with pytest.raises(ToonbenchError, match=r"^the token [^\n]*no token has: copy it again[^\n]*$") as error:
            upload(release, BLOBS)
        assert "OfSomeone" not in str(error.value)
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(ToonbenchError, match="there is no token for the Hub: log in with `hf auth login`"):
        upload(release, BLOBS)


def test_a_token_of_any_form_is_hidden_where_the_server_repeats_it(hub, release, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "api.Of-Someone/Else")
    hub.rules.append(
        Rule("GET /api/whoami", status=400, headers={"X-Error-Message": "no user has api.Of-Someone/Else"})
    )
    with pytest.raises(ToonbenchError, match="no user has ") as error:
        upload(release, BLOBS)
    assert "Someone" not in str(error.value)


def test_a_repository_of_something_else_is_not_gated(hub, release, own, capsys):
    upload(release, BLOBS)
    CLIPS.write(own, [{**row, "provenance": "filmed"} for row in CLIPS.read(own)])
    assert publish("dataset", "acme/blobs", "--data", own) == 2
    fails(capsys, "it holds another release")
    assert not hub.repo("datasets", "acme/blobs").gated, "nothing of it has changed"
    assert publish("dataset", "acme/blobs", "--data", own, "--revision", "faces") == 0
    assert hub.repo("datasets", "acme/blobs").gated == "auto"
    assert "readers must now ask for access, to all of its branches" in capsys.readouterr().err


def test_an_existing_repository_with_something_else_is_refused(hub, release, own, capsys):
    upload(release, BLOBS)
    rows = CLIPS.read(own)
    CLIPS.write(own, [{**row, "title": "others"} for row in rows])
    assert publish("dataset", "acme/blobs", "--data", own) == 2
    fails(capsys, "it holds another release (blobs)", "--revision", "--replace")
    assert publish("dataset", "acme/blobs", "--data", own, "--private") == 2
    fails(capsys, "it exists and is public")


def test_files_of_equal_size_and_other_content_are_sent(hub, own):
    (own / "motion").mkdir()
    for content in (b"aaaa", b"bbbb"):
        (own / "motion" / "real-video-0.npz").write_bytes(content)
        assert publish("dataset", "acme/blobs", "--data", own, "--replace") == 0
        files = hub.repo("datasets", "acme/blobs").files()
        assert files["motion/real-video-0.npz"] == content
    assert (
        json.loads(files["release.json"])["digest"]
        == json.loads(next(Path(os.environ["TOONBENCH_CACHE"]).rglob("release.json")).read_text())["digest"]
    )


def test_an_address_of_the_store_that_expired_is_asked_for_again(hub, release, waits):
    hub.rules.append(Rule("PUT /lfs/", status=403, times=1))
    upload(release, BLOBS)
    assert hub.count("POST .*/batch$") == 2
    assert hub.strangers == [], "the token is for the Hub, not for its store of files"


def test_files_that_others_added_to_the_repository_stay(hub, release):
    from huggingface_hub import HfApi

    upload(release, BLOBS)
    HfApi().upload_file(path_or_fileobj=b"thanks", path_in_repo="NOTES.txt", repo_id="acme/blobs", repo_type="dataset")
    upload(release, BLOBS)
    assert hub.repo("datasets", "acme/blobs").files()["NOTES.txt"] == b"thanks"


def test_replacing_removes_files_of_the_earlier_release(hub, release, own):
    upload(release, BLOBS)
    CLIPS.write(own, [row for row in CLIPS.read(own) if row["kind"] == "video"])
    (own / TARGETS.file).unlink()
    assert publish("dataset", "acme/blobs", "--data", own, "--replace") == 0
    files = hub.repo("datasets", "acme/blobs").files()
    assert not [path for path in files if path.startswith(("images", "targets"))]
    assert "clips/real-video-0.mkv" in files


def test_a_release_goes_to_its_own_branch(hub, release, own):
    upload(release, BLOBS)
    before = hub.repo("datasets", "acme/blobs").files()
    CLIPS.write(own, [{**row, "title": "others"} for row in CLIPS.read(own)])
    assert publish("dataset", "acme/blobs", "--data", own, "--revision", "v2") == 0
    repo = hub.repo("datasets", "acme/blobs")
    assert repo.files() == before
    assert repo.files("v2")["metadata.parquet"] != before["metadata.parquet"]
    assert load(fetch.data_folder("hf:acme/blobs@v2")).clips[0].title == "others"
    card = repo.files("v2")["README.md"].decode()
    assert "--data hf:acme/blobs@v2" in card
    assert 'load_dataset("acme/blobs", split="test", revision="v2")' in card
    assert "@main" not in card


def test_an_interrupted_release_to_a_branch_leaves_no_file_of_main_in_it(hub, release, own, waits, monkeypatch, capsys):
    monkeypatch.setattr("toonbench.hub.release.COMMIT", 2)
    upload(release, BLOBS)
    CLIPS.write(own, [row for row in CLIPS.read(own) if row["kind"] == "video"])
    (own / TARGETS.file).unlink()
    hub.rules.append(Rule("POST .*/commit/", status=500, after=1, times=100))
    assert publish("dataset", "acme/blobs", "--data", own, "--revision", "v2") == 2
    fails(capsys, "run the same command later to resume")
    hub.rules.clear()
    assert publish("dataset", "acme/blobs", "--data", own, "--revision", "v2") == 0
    files = set(hub.repo("datasets", "acme/blobs").files("v2"))
    listed = json.loads(next(Path(os.environ["TOONBENCH_CACHE"]).rglob("*v2/.toonbench-plan.json")).read_text())["made"]
    assert files == {*listed, "release.json", ".gitattributes"}
    assert "images/real-image-0.png" not in files


@pytest.mark.parametrize("how", [*BUSY, "half of a file"])
def test_a_busy_server_is_asked_again_when_data_are_read(hub, blobs, release, waits, how):
    upload(release, BLOBS)
    rule = BUSY.get(how, Rule("", half=True))
    hub.rules.append(
        Rule("GET .*/resolve/.*clips/", status=rule.status, headers=rule.headers, cut=rule.cut, half=rule.half)
    )
    root = fetch.data_folder("hf:acme/blobs")
    assert hub.rules[0].times == 0, "the server was busy once"
    name = "clips/real-video-0.mkv"
    assert (root / name).read_bytes() == (blobs / name).read_bytes()


def test_files_that_do_not_have_the_checksum_of_their_table_are_not_evaluated(hub, blobs, release, capsys):
    upload(release, BLOBS)
    repo = hub.repo("datasets", "acme/blobs")
    files = repo.commits[repo.branches["main"]]
    other = next(path for path in sorted(files) if path.startswith("targets/"))
    repo.commit("swapped", {**files, other: files["clips/real-video-0.mkv"]}, "the same table, another target")
    assert run(["eval", "--method", "static", "--data", "hf:acme/blobs@swapped", "--metrics", "l1"]) == 2
    fails(capsys, "1 of 6 files do not have their checksum", other, "report it to the publisher")
    assert run(["validate", "hf:acme/blobs@main"]) == 0
    assert "no problem found" in capsys.readouterr().out


def test_motion_that_does_not_have_its_checksum_is_not_evaluated(hub, own, capsys):
    (own / "motion").mkdir()
    for name in ("real-video-0", "real-video-1"):
        (own / "motion" / f"{name}.npz").write_bytes(b"motion of " + name.encode())
    assert publish("dataset", "acme/own", "--data", own, "--out", own.parent / "out") == 0
    repo = hub.repo("datasets", "acme/own")
    files = repo.commits[repo.branches["main"]]
    swapped = files["motion/real-video-1.npz"]
    repo.commit("swapped", {**files, "motion/real-video-0.npz": swapped}, "the motion of another clip")
    repo.commit("added", {**files, "motion/real-video-2.npz": swapped}, "motion that nothing states")
    repo.commit("older", {path: content for path, content in files.items() if path != "SHA256SUMS"}, "no checksums")
    for revision, motion in (("swapped", "motion/real-video-0.npz"), ("added", "motion/real-video-2.npz")):
        assert run(["eval", "--method", "static", "--data", f"hf:acme/own@{revision}", "--metrics", "l1"]) == 2
        fails(capsys, "1 of ", "do not have their checksum", motion)
    assert locate("hf:acme/own@main") != locate("hf:acme/own@older")


REFUSALS = {
    "quota": (
        "POST .*/batch$",
        Rule("", status=403, headers={"X-Error-Message": "Private repository storage limit reached"}),
        "no storage left",
    ),
    "quota of a file": (
        "POST .*/batch$",
        Rule(
            "",
            status=200,
            body=json.dumps(
                {"objects": [{"oid": "0" * 64, "size": 1, "error": {"code": 507, "message": "storage quota exceeded"}}]}
            ),
        ),
        "no storage left",
    ),
    "forbidden": (
        "POST .*/preupload/",
        Rule("", status=403, body='{"error": "You need write access"}'),
        "write access",
    ),
    "down": ("POST .*/commit/", Rule("", status=500, times=100), "did not do it (500"),
    "limited": ("POST .*/preupload/", Rule("", status=429, times=100), "limits the number of requests"),
    "no Hub": (
        "POST .*/preupload/",
        Rule("", status=200, body="<html>Log in to this network</html>"),
        "is not the Hub",
    ),
    "unreachable": ("POST .*/preupload/", Rule("", cut=True, times=100), "cannot be reached"),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_every_refusal_is_one_line(hub, release, waits, what):
    where, rule, line = REFUSALS[what]
    hub.rules.append(
        Rule(where, status=rule.status, headers=rule.headers, body=rule.body, cut=rule.cut, times=rule.times)
    )
    with pytest.raises(ToonbenchError, match=rf"^acme/blobs: [^\n]*{re.escape(line)}[^\n]*$") as error:
        upload(release, BLOBS)
    assert "signature" not in str(error.value)


def test_no_network_is_one_line(hub, release, waits, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ToonbenchError, match=r"cannot be reached .* check the network"):
        upload(release, BLOBS)


def test_an_organisation_of_others_is_one_line(hub, release):
    with pytest.raises(ToonbenchError, match=r"^others/blobs: the token may not do this \(403.*write access"):
        upload(release, Target(repo="others/blobs"))


@pytest.mark.parametrize(
    "name",
    ["acme/<b>x</b>", "acme/😀", "acme", "acme/a--b", "acme/\x1b[31mred", "a/b/c", "acme/x.git", "acme/" + "x" * 100],
)
def test_names_that_the_hub_does_not_allow_are_refused_with_markup_escaped(hub, blobs, capsys, name):
    assert publish("dataset", name, "--data", blobs) == 2
    line = fails(capsys, "cannot be the name of a repository: write ORG/NAME")
    assert "\x1b" not in line
    assert hub.log == []


def test_titles_with_markup_and_emoji_are_escaped_in_the_card(hub, own):
    title = '<script>alert(1)</script> | [x](y) 😀 "q" \u202e'
    CLIPS.write(own, [{**row, "title": title, "identity": title} for row in CLIPS.read(own)])
    rows = CLIPS.read(own)
    TARGETS.write(
        own,
        [
            {**row, "driving": "<b>😀" if row["driving"] == "real-video-0" else row["driving"]}
            for row in TARGETS.read(own)
        ],
    )
    CLIPS.write(own, [{**row, "id": "<b>😀" if row["id"] == "real-video-0" else row["id"]} for row in rows])
    (own / "motion").mkdir()
    (own / "motion" / "<b>😀.npz").write_bytes(b"motion")
    named = own.parent / "se<b>t 😀"
    own.rename(named)
    assert publish("dataset", "acme/blobs", "--data", named) == 0, "the server reads the metadata of the card as YAML"
    card = hub.repo("datasets", "acme/blobs").files()["README.md"].decode()
    assert "<script>" not in card
    assert "\\<script\\>alert(1)\\</script\\> \\| \\[x\\](y) 😀" in card
    assert 'pretty_name: "se<b>t 😀"' in card
    read, local = load(fetch.data_folder("hf:acme/blobs")), load(named)
    assert read.fingerprint == local.fingerprint
    (clip,) = (clip for clip in read.clips if clip.id == "<b>😀")
    assert clip.path.name.isascii()
    assert clip.motion.read_bytes() == b"motion"


def test_clips_without_a_licence_are_refused(hub, own, capsys):
    CLIPS.write(own, [{**row, "licence": "" if row["kind"] == "video" else "CC0-1.0"} for row in CLIPS.read(own)])
    assert publish("dataset", "acme/blobs", "--data", own) == 2
    fails(capsys, "2 of 4 clips have no licence, for example", "--licence", "--manifest-only")
    assert publish("dataset", "acme/blobs", "--data", own, "--licence", "CC-BY-4.0") == 0
    card = hub.repo("datasets", "acme/blobs").files()["README.md"].decode()
    assert "| CC-BY-4.0 |" in card
    assert "license: other" in card
    CLIPS.write(own, [{**row, "licence": "All rights reserved"} for row in CLIPS.read(own)])
    assert publish("dataset", "acme/films", "--data", own, "--licence", "CC-BY-4.0") == 2
    fails(capsys, "4 of 4 clips may not be shared", "All rights reserved", "--manifest-only")


def test_an_out_folder_of_something_else_is_refused(hub, blobs, tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("do not delete")
    assert publish("dataset", "acme/blobs", "--data", blobs, "--dry-run", "--out", tmp_path / "mine") == 2
    fails(capsys, "is not empty")
    assert (tmp_path / "mine" / "thesis.txt").exists()


def test_files_that_someone_put_into_the_folder_of_a_release_are_not_removed(hub, own, tmp_path, capsys):
    out = tmp_path / "out"
    assert publish("dataset", "acme/blobs", "--data", own, "--dry-run", "--out", out) == 0
    (out / "LICENCE.txt").write_text("mine")
    assert publish("dataset", "acme/blobs", "--data", own, "--out", out) == 2
    fails(capsys, "holds 1 files that are not of the release, for example LICENCE.txt", "move them elsewhere")
    assert (out / "LICENCE.txt").exists()
    (out / "LICENCE.txt").unlink()
    CLIPS.write(own, [row for row in CLIPS.read(own) if row["kind"] == "video"])
    (own / TARGETS.file).unlink()
    assert publish("dataset", "acme/blobs", "--data", own, "--dry-run", "--out", out) == 0
    assert not list((out / "images").glob("*")), "those of the earlier release are removed"


def test_a_list_without_pictures_is_published_for_films_that_may_not_be_shared(hub, own, capsys):
    assert publish("dataset", "acme/list", "--data", own, "--manifest-only") == 2
    fails(capsys, "has no manifest.json")
    film = {"id": "f", "file": "f.mkv", "sha256": "0" * 64, "frames": 9, "fps": 25.0, "width": 64, "height": 64, "title": "A <b>film",
            "domain": "cartoon", "licence": "all rights reserved"}  # fmt: skip
    clip = {"id": "f-0", "film": "f", "first": 0, "last": 5, "squares": [[0, 0, 32]], "size": 32, "fps": 25.0, "frames": 5, "sha256": "0" * 64,
            "hashes": ["0" * 16], "identity": "a", "identity_by": "look", "split": "test", "detected": 1.0}  # fmt: skip
    (own / "manifest.json").write_text(
        json.dumps({"toonbench": "manifest", "version": 1, "films": [film], "clips": [clip]})
    )
    assert publish("dataset", "acme/list", "--data", own, "--manifest-only") == 0
    files = hub.repo("datasets", "acme/list").files()
    assert set(files) == {".gitattributes", "README.md", "manifest.json", "release.json"}
    assert "A \\<b\\>film" in files["README.md"].decode()
    assert not hub.repo("datasets", "acme/list").gated
    assert publish("dataset", "acme/list2", "--data", own, "--manifest-only", "--gated", "yes", "--revision", "v2") == 0
    gated = hub.repo("datasets", "acme/list2")
    assert gated.gated == "auto"
    card = gated.files("v2")["README.md"].decode()
    assert "extra_gated_fields" in card
    assert "toonbench rebuild hf:acme/list2@v2 --films" in card
    assert publish("dataset", "acme/list", "--data", own, "--manifest-only", "--consent", "They agreed.") == 2
    fails(capsys, "--licence and --consent are about clips")
    assert fetch.manifest_file(Path("hf:acme/list")).read_bytes() == (own / "manifest.json").read_bytes()
    assert run(["eval", "--method", "static", "--data", "hf:acme/list", "--metrics", "l1"]) == 2
    fails(capsys, "it is no data set of toonbench", "toonbench rebuild")


MINI = ROOT / "toontalker" / "weights" / "toontalker_mini.safetensors"
BOARD = ROOT / "leaderboards" / "puppets@2"


@pytest.mark.skipif(not BOARD.is_dir(), reason="the sdist has no leaderboards")
def test_weights_have_a_card_with_training_and_results_and_are_evaluated_from_the_hub(hub, tmp_path, tiny_data, capsys):
    from huggingface_hub import EvalResultEntry, parse_eval_result_entries

    release = release_of_puppets(tmp_path / "puppets")
    commit = upload(release, Target(repo="acme/puppets")).commit
    command = [
        "weights",
        "acme/mini",
        "--checkpoint",
        MINI,
        "--licence",
        "apache-2.0",
        "--runs",
        *BOARD.glob("*2*@4/toontalker@*"),
        "--dataset",
        "hf:acme/puppets",
    ]
    assert publish(*command) == 0
    files = hub.repo("models", "acme/mini").files()
    assert files["toontalker_mini.safetensors"] == MINI.read_bytes()
    entries = parse_eval_result_entries(yaml.safe_load(files[".eval_results/toonbench.yaml"]))
    ids = {entry.task_id for entry in entries}
    assert ids <= {one["id"] for one in yaml.safe_load(eval_yaml_of(hub))["tasks"]}
    assert len(ids) == len(entries) >= 4, "one value for each id"
    assert {(entry.dataset_id, entry.dataset_revision) for entry in entries} == {("acme/puppets", commit)}
    assert isinstance(entries[0], EvalResultEntry)
    card = files["README.md"].decode()
    assert "## Results" in card
    assert "```json" in card, "the configuration of the training"
    assert "license: apache-2.0" in card
    assert "do not compare with the numbers of the paper" in card
    out = tmp_path / "runs"
    evaluation = [
        "eval",
        "--method",
        "toontalker",
        "--checkpoint",
        "hf:acme/mini@main",
        "--data",
        str(tiny_data),
        "--metrics",
        "l1",
    ]
    assert run([*evaluation, "--limit", "1", "--workers", "1", "--out", str(out)]) == 0
    (path,) = out.rglob("result.json")
    assert json.loads(path.read_text())["checkpoint"]["sha256"] in card


def eval_yaml_of(hub):
    return hub.repo("datasets", "acme/puppets").files()["eval.yaml"]


def release_of_puppets(folder):
    """The frozen puppets with previews of one frame each, which are not what this tests."""
    from toonbench.hub import dataset

    encode, dataset._encode = (
        dataset._encode,
        lambda job: (job.target.parent.mkdir(exist_ok=True), job.target.write_bytes(b"a preview")),
    )
    try:
        return prepare_dataset(load(shipped()["puppets@2"]), folder, repo="acme/puppets")
    finally:
        dataset._encode = encode


@pytest.mark.skipif(not BOARD.is_dir(), reason="the sdist has no leaderboards")
def test_weights_in_other_formats_and_runs_of_others_are_refused(hub, release, tmp_path, capsys):
    (tmp_path / "a.pth").write_bytes(b"pickle")
    assert publish("weights", "acme/mini", "--checkpoint", tmp_path / "a.pth", "--licence", "mit") == 2
    fails(capsys, "a.pth: weights are published as *.safetensors only")
    (tmp_path / "a.safetensors").write_bytes(b"no tensors")
    assert publish("weights", "acme/mini", "--checkpoint", tmp_path / "a.safetensors", "--licence", "mit") == 2
    fails(capsys, "it cannot be read as safetensors")
    assert publish("weights", "acme/mini", "--checkpoint", MINI, "--licence", "mit", "--method", "toontalked") == 2
    fails(capsys, "unknown method 'toontalked'", "toontalker")
    assert publish("weights", "acme/mini", "--checkpoint", MINI, "--licence", "mit", "--card", MINI) == 2
    fails(capsys, "is no text in UTF-8")
    reader = ROOT / "toonbench" / "networks" / "weights" / "motion_reader.safetensors"
    assert (
        publish(
            "weights",
            "acme/mini",
            "--checkpoint",
            reader,
            "--licence",
            "mit",
            "--runs",
            *BOARD.glob("real_self@4/toontalker@*"),
        )
        == 2
    )
    fails(capsys, "runs used motion_reader.safetensors")
    assert hub.log == []
    upload(release, BLOBS)
    runs = ["--runs", *BOARD.glob("real2cartoon@4/toontalker@*")]
    assert (
        publish("weights", "acme/mini", "--checkpoint", MINI, "--licence", "mit", *runs, "--dataset", "acme/blobs") == 2
    )
    fails(capsys, "measured on puppets@2", "not that of acme/blobs")


def test_files_of_the_hub_that_can_run_code_are_not_read(hub, blobs, capsys):
    from huggingface_hub import HfApi

    api = HfApi()
    api.create_repo("acme/pickle")
    api.upload_file(path_or_fileobj=b"cos\nsystem", path_in_repo="model.pth", repo_id="acme/pickle")
    for spec, words in (("hf:acme/pickle/model.pth", "read as *.safetensors only"), ("hf:acme/pickle", "has no file *.safetensors"),
                        ("hf:acme/none", "no such repository"), ("hf:acme/pickle/x.safetensors@v9", "no such revision"),
                        ("hf:acme/pickle/x.safetensors", "it has no file x.safetensors"), ("hf:acme/../x", "cannot be the name of a repository")):  # fmt: skip
        assert (
            run(["eval", "--method", "toontalker", "--checkpoint", spec, "--data", str(blobs), "--metrics", "l1"]) == 2
        )
        fails(capsys, words)


TABLES = """
import sys
import datasets
datasets.disable_progress_bars()
from datasets import load_dataset
results = load_dataset(sys.argv[1], split="test").to_pandas()
print(results.query("method == 'toontalker' and metric == 'psnr@1' and task == 'real2cartoon@4'").value.item())
clips = load_dataset(sys.argv[2], split="test").cast_column("video", datasets.Video(decode=False))
print(clips[0]["video"]["path"])
print(len(load_dataset(sys.argv[1], "pairs", split="test")))
"""


@pytest.mark.slow
@pytest.mark.skipif(not BOARD.is_dir(), reason="the sdist has no leaderboards")
def test_a_stranger_reads_the_published_puppets_and_their_leaderboard_with_two_lines(hub, tmp_path, capsys):
    pytest.importorskip("datasets", reason="needs toonbench[datasets]")
    upload(release_of_puppets(tmp_path / "puppets"), Target(repo="acme/puppets"))
    assert publish("results", "acme/results", BOARD) == 0
    done = subprocess.run(
        [sys.executable, "-c", TABLES, "acme/results", "acme/puppets"],
        env=environment(hub, tmp_path),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert load(locate("hf:acme/puppets")).id == "puppets@2", "a release of a shipped set is that set"
    puppets = hub.repo("datasets", "acme/puppets")
    published = puppets.commits[puppets.branches["main"]]
    one, other = sorted(path for path in published if path.startswith("motion/"))[:2]
    lines = published["SHA256SUMS"].content.decode().replace(published[one].sha256, published[other].sha256)
    sums = File(lines.encode(), large=False)
    swapped = {**published, one: published[other], "SHA256SUMS": sums}
    puppets.commit("swapped", swapped, "the motion of another clip, with its checksum")
    with pytest.raises(ToonbenchError, match=f"1 of .* files do not have their checksum, for example {re.escape(one)}"):
        locate("hf:acme/puppets@swapped")
    value, path, pairs = done.stdout.splitlines()[-3:]
    stored = json.loads(next(BOARD.glob("real2cartoon@4/toontalker*/result.json")).read_text())
    assert float(value) == next(one["value"] for one in stored["results"] if one["metric"] == "psnr@1")
    assert next(iter(iter_frames(Path(path)))).shape == (128, 128, 3), "a frame decodes"
    assert int(pairs) > 1000
    files = hub.repo("datasets", "acme/results").files()
    entry = next(path for path in files if path.endswith("entry.json") and "toontalker" in path)
    assert files[entry] == (BOARD / entry.removeprefix("runs/puppets@2/")).read_bytes()
    assert not [path for path in files if path.endswith((".mkv", ".mp4"))]


def test_a_downloaded_commit_is_read_without_the_network(hub, release, waits, monkeypatch):
    from huggingface_hub import constants

    commit = upload(release, BLOBS).commit
    root = fetch.data_folder(f"hf:acme/blobs@{commit}")
    fetch.data_folder.cache_clear()
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert fetch.data_folder(f"hf:acme/blobs@{commit}") == root
    with pytest.raises(ToonbenchError, match=r"^acme/blobs: the Hub cannot be reached"):
        fetch.data_folder("hf:acme/blobs@main")


def test_a_site_is_a_static_space(hub, tmp_path, capsys):
    site = tmp_path / "site"
    for name in ("index.html", "media/a.mp4", "static/page.js"):
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(name)
    assert publish("site", "acme/board", site) == 0
    repo = hub.repo("spaces", "acme/board")
    assert repo.sdk == "static"
    assert set(repo.files()) - {".gitattributes", "release.json"} == {
        "index.html",
        "media/a.mp4",
        "static/page.js",
        "README.md",
    }, "without the example that the Hub puts into a new Space"
    assert yaml.safe_load(repo.files()["README.md"].split(b"---")[1])["app_file"] == "index.html"
    assert publish("site", "acme/board", tmp_path) == 2
    fails(capsys, "has no index.html")
    (site / "static" / "secret.txt").symlink_to(Path(__file__))
    assert publish("site", "acme/board", site) == 2
    fails(capsys, "1 links of", "lead out of it")


def test_gated_and_private_repositories_need_a_token_that_may_read_them(hub, release, monkeypatch):
    upload(release, BLOBS)
    hub.repo("datasets", "acme/blobs").gated = "auto"
    upload(release, Target(repo="acme/private", private=True))
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(ToonbenchError, match=r"^acme/blobs: it is gated .*ask for access on its page"):
        fetch.data_folder("hf:acme/blobs")
    with pytest.raises(
        ToonbenchError, match=r"^acme/private: there is no such repository, or the token may not see it"
    ):
        fetch.data_folder("hf:acme/private")


def test_results_of_runs_are_tables_without_videos(hub, tmp_path, capsys):
    pairs = made_pairs(["a", "b"])
    for method, without in (("one", []), ("two", [pairs[0].id])):
        write_run(tmp_path / "runs", pairs, method=method, without=without, caveats=["Measured on <b>blobs</b>."])
        (tmp_path / "runs" / "made@1" / "videos.mkv").write_bytes(b"not published")
    assert publish("results", "acme/results", tmp_path / "runs") == 0
    files = hub.repo("datasets", "acme/results").files()
    rows = pd.read_parquet(io.BytesIO(files["results.parquet"]))
    assert set(zip(rows.method, rows.metric, strict=True)) == {
        (m, k) for m in ("one", "two") for k in ("l1@1", "psnr@1")
    }
    assert dict(zip(rows.method, rows.missing, strict=True)) == {"one": 0, "two": 1}
    scored = pd.read_parquet(io.BytesIO(files["pairs.parquet"]))
    assert len(scored) == 8
    assert scored[(scored.method == "two") & (scored.pair == pairs[0].id)].value.isna().all()
    card = files["README.md"].decode()
    assert "> Measured on \\<b\\>blobs" in card
    assert "license: cc0-1.0" in card
    assert publish("results", "acme/results", tmp_path / "runs", "--licence", "CC-BY-4.0", "--revision", "v2") == 0
    other = hub.repo("datasets", "acme/results").files("v2")["README.md"].decode()
    assert "license: cc-by-4.0" in other
    assert 'load_dataset("acme/results", split="test", revision="v2")' in other
    assert publish("results", "acme/results") == 2
    fails(capsys, "there are no results to publish")
    assert "| psnr ↑ |" in card
    assert not [path for path in files if path.endswith((".mkv", ".npy"))]
    (tmp_path / "none").mkdir()
    assert publish("results", "acme/results", tmp_path / "none") == 2
    fails(capsys, "holds no run")
