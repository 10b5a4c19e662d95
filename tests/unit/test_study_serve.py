"""Collecting votes over HTTP."""

import errno
import http.client
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import replace

import pytest

from made_study import Served, made_key, rater
from toonbench.study.key import KEY, PAGE, VOTES, read_key, write_key
from toonbench.study.serve import StudyServer, VoteFile
from toonbench.study.votes import merge, parse, read_lines
from toonbench.types import ToonbenchError

FILES = ("index.html", "data.js", "media/v0001.mp4")


@pytest.fixture
def study(tmp_path):
    """The folder of a study whose videos are ten bytes, and its key."""
    for name in FILES:
        path = tmp_path / PAGE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"0123456789")
    key = replace(made_key(raters=5), files=dict.fromkeys(FILES, ""))
    write_key(tmp_path, key)
    return tmp_path, key


@contextmanager
def serving(root):
    server = StudyServer(root)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server.address
    finally:
        server.stop()
        thread.join()


def request(address, method="GET", path="/", body=None, **headers):
    connection = http.client.HTTPConnection(address.split("/")[2], timeout=20)
    try:
        connection.request(method, path, body=body, headers=headers)
        reply = connection.getresponse()
        return reply.status, reply.read(), dict(reply.getheaders())
    finally:
        connection.close()


def vote(key, number=0, place=0, *, sheet=1, at=1, **change):
    name, order = [*key.sheets[sheet - 1].items()][place]
    return {
        "study": key.study,
        "rater": rater(number),
        "sheet": sheet,
        "votes": [{"question": name, "choice": order[0], "at": at}],
    } | change


def post(address, message):
    status, content, _ = request(address, "POST", "/votes", json.dumps(message), **{"Content-Type": "application/json"})
    return status, json.loads(content)


def stored(root, key):
    return read_lines(root / VOTES, key)[0]


def test_the_page_is_served_and_nothing_else(study):
    root, _ = study
    with serving(root) as address:
        assert request(address)[:2] == (200, b"0123456789")
        assert request(address, path="/media/v0001.mp4")[2]["Content-Type"] == "video/mp4"
        for path in (
            "/key.json",
            "/../key.json",
            "/%2e%2e/key.json",
            "/votes.jsonl",
            "/media/",
            "//etc/passwd",
            "/media/v0002.mp4",
        ):
            assert request(address, path=path)[0] == 404, path


@pytest.mark.parametrize(
    ("asked", "status", "content"),
    [
        ("bytes=0-", 206, b"0123456789"),
        ("bytes=3-5", 206, b"345"),
        ("bytes=8-99", 206, b"89"),
        ("bytes=10-", 416, None),
        ("bytes=-3", 200, b"0123456789"),
    ],
)
def test_a_player_may_ask_for_a_part_of_a_video(study, asked, status, content):
    with serving(study[0]) as address:
        found = request(address, path="/media/v0001.mp4", Range=asked)
    assert found[0] == status
    assert content is None or found[1] == content


def test_votes_are_stored_once_and_changes_are_kept(study):
    root, key = study
    with serving(root) as address:
        assert post(address, vote(key)) == (200, {"stored": 1})
        assert post(address, vote(key)) == (200, {"stored": 0})
        assert post(address, vote(key, at=2)) == (200, {"stored": 0})  # the same choice, sent again later
        changed = vote(key, at=3)
        changed["votes"][0]["choice"] = ""
        assert post(address, changed) == (200, {"stored": 1})
        assert post(address, vote(key, at=2)) == (200, {"stored": 0})  # an older one that arrives late
    assert [one.choice for one in stored(root, key)] == [vote(key)["votes"][0]["choice"], ""]


def test_votes_of_another_study_and_what_is_no_vote_are_refused_and_not_stored(study):
    root, key = study
    with serving(root) as address:
        status, reply = post(address, vote(key, study="1" * 20))
        assert status == 409
        assert "votes of another study" in reply["error"]
        assert post(address, vote(key, sheet=1, rater="x"))[0] == 400
        assert post(address, [1])[0] == 400
        assert request(address, "POST", "/votes", b"{", **{"Content-Type": "application/json"})[0] == 400
        assert request(address, "POST", "/votes", json.dumps(vote(key)), **{"Content-Type": "text/plain"})[0] == 415
        assert request(address, "POST", "/votes", b"x" * 1_000_001, **{"Content-Type": "application/json"})[0] == 413
        assert request(address, "POST", "/other", b"{}", **{"Content-Type": "application/json"})[0] == 404
    assert (root / VOTES).read_bytes() == b""


def test_a_vote_that_is_not_on_the_disk_is_not_acknowledged(study, monkeypatch):
    root, key = study
    with serving(root) as address:
        with monkeypatch.context() as patch:
            patch.setattr("toonbench.study.serve.os.fsync", full_disk)
            status, reply = post(address, vote(key))
        assert (status, reply["error"]) == (507, "not stored: No space left on device")
        assert post(address, vote(key)) == (200, {"stored": 1})
    assert len(merge(stored(root, key)).votes) == 1


def full_disk(number):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class NearlyFull:
    """A file on a disk that has room for 50 more bytes."""

    def __init__(self, file):
        self.file, self.left, self.closed = file, 50, False

    def write(self, data):
        if not self.left:
            full_disk(0)
        part, self.left = bytes(data[: self.left]), 0
        return self.file.write(part)


def test_a_vote_after_one_that_a_full_disk_cut_off_is_not_lost(study):
    root, key = study
    votes = VoteFile(root, key)
    whole = votes._file
    assert votes.add(parse(vote(key, 1), key)) == 1
    votes._file = NearlyFull(whole)
    with pytest.raises(OSError, match="No space left"):
        votes.add(parse(vote(key, 2), key))
    votes._file = whole  # there is room again
    assert votes.add(parse(vote(key, 3), key)) == 1
    assert votes.add(parse(vote(key, 2), key)) == 1  # the page sends it again
    votes.close()
    found, unreadable = read_lines(root / VOTES, key)
    assert [one.rater for one in found] == [rater(1), rater(3), rater(2)]
    assert unreadable == 1


SITE = "http://evil.example"


@pytest.mark.parametrize(
    ("headers", "page", "votes"),
    [
        ({}, 200, 200),
        ({"Host": "localhost:80", "Origin": "http://localhost:80"}, 200, 200),
        ({"Host": "[::1]:80"}, 200, 200),
        ({"Host": "evil.example", "Origin": SITE}, 403, 403),  # a name that an attacker points at this machine
        ({"Host": "127.0.0.1.evil.example"}, 403, 403),
        ({"Host": "[::1"}, 403, 403),
        ({"Host": ""}, 403, 403),
        ({"Origin": SITE}, 200, 403),
        ({"Origin": "null"}, 200, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 200, 403),  # a link in a letter opens the page
        ({"Origin": SITE, "Sec-Fetch-Site": "same-origin"}, 200, 200),  # a proxy with another name
    ],
)
def test_votes_from_pages_of_other_sites_are_refused(study, headers, page, votes):
    root, key = study
    with serving(root) as address:
        assert request(address, **headers)[0] == page
        kind = {"Content-Type": "application/json"}
        assert request(address, "POST", "/votes", json.dumps(vote(key)), **kind, **headers)[0] == votes
    assert len(stored(root, key)) == (votes == 200)


def test_a_server_for_other_machines_answers_to_every_name_of_its_own(study):
    root, key = study
    server = StudyServer(root, host="0.0.0.0")
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        port = server.address.rstrip("/").rpartition(":")[2]
        assert "0.0.0.0" not in server.address
        address = f"http://127.0.0.1:{port}/"
        assert request(address, Host="my-machine.local")[0] == 200
        assert (
            request(address, "POST", "/votes", b"{}", **{"Content-Type": "application/json", "Origin": SITE})[0] == 403
        )
    finally:
        server.stop()
        thread.join()
    assert stored(root, key) == []


@pytest.mark.parametrize(
    "request_",
    [b"POST /votes HTTP/1.1\r\nContent-Length: \xb2\r\n\r\n", b"POST /votes HTTP/1.1\r\nContent-Length: 9\r\n\r\n{"],
)
def test_a_broken_request_prints_nothing_and_the_server_stays(study, capfd, request_):
    with serving(study[0]) as address:
        host, _, port = address.split("/")[2].partition(":")
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(request_)
            connection.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )  # closing resets the connection
        assert request(address)[0] == 200
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "is missing: give the folder that `toonbench study make` wrote"),
        ("{", "cannot be read as JSON"),
        ("[]", "is not the key of a study with schema 1"),
        ('{"schema": 2}', "is not the key of a study with schema 1"),
        ('{"schema": 1, "study": "a"}', "is damaged"),
    ],
)
def test_a_damaged_or_missing_key_is_one_line(study, content, message):
    root, _ = study
    (root / KEY).unlink() if content is None else (root / KEY).write_text(content)
    with pytest.raises(ToonbenchError, match=message):
        read_key(root)


def test_stored_votes_of_another_study_are_refused_at_the_start(study):
    root, key = study
    (root / VOTES).write_text(json.dumps(vote(key, study="1" * 20)) + "\n")
    with pytest.raises(ToonbenchError, match=r"votes\.jsonl: votes of another study"):
        StudyServer(root)


def test_two_processes_cannot_serve_one_study(study):
    with serving(study[0]), pytest.raises(ToonbenchError, match="already served"):
        StudyServer(study[0])


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "toonbench.cli", "study", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_videos_that_vanished_are_one_line_at_the_start(study):
    root, _ = study
    (root / PAGE / "media" / "v0001.mp4").unlink()
    (root / PAGE / "data.js").write_bytes(b"")
    done = run("serve", str(root))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "lacks 2 of 3 files, for example data.js: make the study again" in done.stderr


def test_an_address_that_cannot_be_used_is_refused(study):
    with serving(study[0]) as address, pytest.raises(ToonbenchError, match="already served"):
        StudyServer(study[0], port=int(address.rpartition(":")[2].strip("/")))
    with pytest.raises(ToonbenchError, match="cannot serve at 203"):
        StudyServer(study[0], host="203.0.113.7", port=1)
    with serving(study[0]) as address:  # the lock was released
        assert request(address)[0] == 200


def test_no_acknowledged_vote_is_lost_when_the_server_is_killed(study):
    root, key = study
    acknowledged = []
    number = 0
    for round_ in range(2):
        served = Served(root)
        assert served.facts["votes"] == len({(one.rater, one.question) for one in stored(root, key)} if round_ else ())
        enough = threading.Event()

        def send(number, address=served.facts["address"], enough=enough, least=25 * (round_ + 1)):
            for place in range(len(key.sheets[0])):
                message = vote(key, number, place)
                try:
                    if post(address, message)[0] == 200:
                        acknowledged.append((message["rater"], message["votes"][0]["question"]))
                except OSError:
                    return
                if len(acknowledged) >= least:
                    enough.set()

        threads = [threading.Thread(target=send, args=(number + at,)) for at in range(4)]
        number += 4
        for one in threads:
            one.start()
        assert enough.wait(30)
        served.end(signal.SIGKILL)  # in the middle of votes
        for one in threads:
            one.join()
        with (root / VOTES).open("ab") as file:
            file.write(b'{"study": "0000')  # a line that was cut off
    served = Served(root)
    try:
        assert post(served.facts["address"], vote(key, 99))[0] == 200
    finally:
        served.end(signal.SIGTERM)
    votes, unreadable = read_lines(root / VOTES, key)
    found = {(one.rater, one.question) for one in votes}
    assert len(acknowledged) >= 50
    assert set(acknowledged) <= found
    assert (rater(99), vote(key)["votes"][0]["question"]) in found
    assert unreadable == 2
