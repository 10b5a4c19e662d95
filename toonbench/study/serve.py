"""Collect votes over HTTP: the page and nothing else is served, and a vote is acknowledged when it is on the disk."""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

from filelock import FileLock, Timeout

from toonbench.study.key import PAGE, VOTES, Key, missing_files, read_key
from toonbench.study.origins import is_loopback, is_of_other_site, names_other_host
from toonbench.study.votes import OtherStudy, Vote, line_of, parse, read_lines
from toonbench.types import ToonbenchError

log = logging.getLogger(__name__)
MOST_BYTES = 1_000_000  # of a message
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mp4": "video/mp4",
    ".jpg": "image/jpeg",
}
EVERY = "0.0.0.0"
OTHER_HOST: dict[str, object] = {"error": "this server answers for 127.0.0.1 and localhost; see --host"}
LENGTH = re.compile(r"[0-9]{1,9}")
RANGE = re.compile(r"bytes=([0-9]{1,18})-([0-9]{0,18})")


class VoteFile:
    """The file of votes. `add` returns when they are on the disk. Only one process can have it open."""

    def __init__(self, root: Path, key: Key) -> None:
        self._path, self._key = root / VOTES, key
        self._lock = threading.Lock()
        self._own = FileLock(root / f".{VOTES}.lock", thread_local=False)
        try:
            self._own.acquire(timeout=0)
        except Timeout as error:
            raise ToonbenchError(f"{root} is already served by another process: end it, or use its address") from error
        try:
            self._open(root)
        except BaseException:
            self._own.release()
            raise

    def _open(self, root: Path) -> None:
        before, self.unreadable = read_lines(self._path, self._key) if self._path.is_file() else ([], 0)
        self._latest = {(one.rater, one.question): one for one in sorted(before, key=lambda one: one.at)}
        self._file = self._path.open("ab", buffering=0)
        self._cut = bool(self._path.stat().st_size) and not self._path.read_bytes().endswith(b"\n")
        _sync_folder(root)

    def add(self, votes: list[Vote]) -> int:
        """Store those votes that are new or changed; returns how many."""
        with self._lock:
            if self._file.closed:
                raise OSError(errno.EBADF, "the server ends")
            new = [one for one in votes if self._is_new(one)]
            if new:
                self._write(b"".join(line_of(one, self._key) for one in new))
            self._latest |= {(one.rater, one.question): one for one in new}
            return len(new)

    @property
    def raters(self) -> int:
        """The number of raters with a vote."""
        return len({rater for rater, _ in self._latest})

    @property
    def votes(self) -> int:
        """The number of votes."""
        return len(self._latest)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._file.close()
        self._own.release()

    def _is_new(self, vote: Vote) -> bool:
        before = self._latest.get((vote.rater, vote.question))
        return before is None or (vote.at > before.at and vote.choice != before.choice)

    def _write(self, data: bytes) -> None:
        """Append whole lines. A line that a kill or a full disk cut off, which was not acknowledged, stays alone."""
        left = memoryview(b"\n" + data if self._cut else data)
        self._cut = True
        while left:
            left = left[self._file.write(left) :]
        os.fsync(self._file.fileno())
        self._cut = False


def _sync_folder(root: Path) -> None:
    """Make the name of a new file durable, where the system can."""
    with suppress(OSError):
        handle = os.open(root, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


class StudyServer:
    """A server of the study in the folder `root`. `port` 0 chooses a free one.

    Raises ToonbenchError for a folder without a study, for videos that vanished, and for an address that cannot be used.
    """

    def __init__(self, root: Path, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.key = read_key(root)
        if gone := missing_files(root, self.key):
            what = f"{root / PAGE} lacks {len(gone)} of {len(self.key.files)} files, for example {gone[0]}"
            raise ToonbenchError(f"{what}: make the study again with the same options")
        self.votes = VoteFile(root, self.key)
        try:
            self._http = _Server((host, port), _handler(root / PAGE, self.key, self.votes, loopback=is_loopback(host)))
        except (OSError, OverflowError) as error:
            self.votes.close()
            raise ToonbenchError(f"cannot serve at {host}:{port} ({error}): give another --host or --port") from error

    @property
    def address(self) -> str:
        """The address of the page; for a server that listens at all addresses, the one that other machines of the network know."""
        host, port = self._http.server_address[:2]
        name = host if isinstance(host, str) else host.decode()
        return f"http://{_own_address() if name == EVERY else name}:{port}/"

    def run(self) -> None:
        """Serve until `stop` is called in another thread, or until the process is interrupted."""
        try:
            self._http.serve_forever(poll_interval=0.2)
        finally:
            self._http.server_close()
            self.votes.close()

    def stop(self) -> None:
        """End `run`."""
        self._http.shutdown()


def _own_address() -> str:
    """The address of this machine in its network, or else its name."""
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # an address for documentation; nothing is sent
        return str(probe.getsockname()[0])
    return socket.gethostname()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that broke: the page sends its votes again."""
        del request
        log.debug("the connection of %s broke", client_address, exc_info=True)


def _handler(page: Path, key: Key, votes: VoteFile, *, loopback: bool) -> Callable[..., BaseHTTPRequestHandler]:
    """A handler of requests that serves the listed files of a page, and takes votes; `loopback`: only requests to names of this machine."""
    files = {f"/{name}": page / name for name in key.files} | {"/": page / "index.html"}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
            """Nothing: the terminal is for results."""
            del format, args

        def do_GET(self) -> None:
            """A file of the page."""
            path = files.get(unquote(urlsplit(self.path).path))
            try:
                if loopback and names_other_host(self.headers):
                    self._send(HTTPStatus.FORBIDDEN, OTHER_HOST)
                elif path is None:
                    self._send(HTTPStatus.NOT_FOUND, {"error": "no such file"})
                else:
                    self._send_file(path)
            except (ConnectionError, TimeoutError):  # the browser needs no more of it
                self.close_connection = True
            except OSError:
                self._send(HTTPStatus.GONE, {"error": "the file is gone"})

        def do_POST(self) -> None:
            """Votes, as JSON; other types are refused, so that pages of other origins cannot send any."""
            length = self.headers.get("Content-Length", "")
            if not LENGTH.fullmatch(length) or int(length) > MOST_BYTES:
                self._discard(int(length) if LENGTH.fullmatch(length) else 0)
                self.close_connection = True
                self._send(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {"error": f"give at most {MOST_BYTES} bytes"})
                return
            body = self.rfile.read(int(length))
            if loopback and names_other_host(self.headers):
                self._send(HTTPStatus.FORBIDDEN, OTHER_HOST)
            elif is_of_other_site(self.headers):
                self._send(HTTPStatus.FORBIDDEN, {"error": "a page of another site sent this request"})
            elif urlsplit(self.path).path != "/votes":
                self._send(HTTPStatus.NOT_FOUND, {"error": "votes go to /votes"})
            elif self.headers.get_content_type() != "application/json":
                self._send(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, {"error": "give application/json"})
            else:
                self._send(*self._taken(body))

        def _discard(self, length: int) -> None:
            """Read what a client still sends, up to a limit: it would miss the response otherwise."""
            left = min(length, 16 * MOST_BYTES)
            while left > 0 and (part := self.rfile.read(min(left, 65536))):
                left -= len(part)

        def _taken(self, body: bytes) -> tuple[HTTPStatus, dict[str, object]]:
            try:
                new = votes.add(parse(json.loads(body), key))
            except OtherStudy as error:
                return HTTPStatus.CONFLICT, {"error": str(error)}
            except (ToonbenchError, ValueError, RecursionError) as error:
                return HTTPStatus.BAD_REQUEST, {"error": str(error)}
            except OSError as error:
                return HTTPStatus.INSUFFICIENT_STORAGE, {"error": f"not stored: {error.strerror}"}
            return HTTPStatus.OK, {"stored": new}

        def _send_file(self, path: Path) -> None:
            """A file, or the range of it that a player asks for."""
            data = path.read_bytes()
            asked = RANGE.fullmatch(self.headers.get("Range", ""))
            first = int(asked[1]) if asked else 0
            last = min(int(asked[2]) if asked and asked[2] else len(data) - 1, len(data) - 1)
            if asked and first > last:
                self._send(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, {"error": "no such range"})
                return
            self.send_response(HTTPStatus.PARTIAL_CONTENT if asked else HTTPStatus.OK)
            if asked:
                self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
            self._headers(TYPES[path.suffix], last + 1 - first)
            self.wfile.write(data[first : last + 1])

        def _send(self, status: HTTPStatus, content: dict[str, object]) -> None:
            data = json.dumps(content).encode()
            self.send_response(status)
            self._headers("application/json", len(data))
            self.wfile.write(data)

        def _headers(self, kind: str, length: int) -> None:
            for name, value in (
                ("Content-Type", kind),
                ("Content-Length", str(length)),
                ("Accept-Ranges", "bytes"),
                ("Cache-Control", "no-cache"),
                ("X-Content-Type-Options", "nosniff"),
                ("Cross-Origin-Resource-Policy", "same-origin"),
                ("Content-Security-Policy", "frame-ancestors 'none'"),
            ):
                self.send_header(name, value)
            self.end_headers()

    return Handler
