"""Download one file over HTTP into a `.part` file: resume, retry, and report a failure in one line.

Proxies come from the environment (`HTTPS_PROXY` and so on), as `requests` reads them.
"""

from __future__ import annotations

import contextlib
import errno
import json
import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from toonbench.types import ToonbenchError
from toonbench.weights.package import most_bytes
from toonbench.weights.verify import Progress, write_json

if TYPE_CHECKING:
    from requests import Response

TRIES = 4  # consecutive tries without progress
WAIT = 0.5  # seconds before the second try; doubled before each further try
TIMEOUT = (15.0, 60.0)  # seconds to connect, and between two blocks
BLOCK = 1 << 16  # bytes; an incomplete block is lost if the connection breaks
BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})


class _Again(Exception):
    """The transfer failed for a reason that may be temporary."""


@dataclass(frozen=True, slots=True)
class _Begun:
    """What is known about the file of which a `.part` is the beginning."""

    url: str = ""
    validator: str = ""  # strong ETag or Last-Modified: for If-Range


def download(url: str, part: Path, *, hashed: bool, size: int = 0, on_progress: Progress | None = None) -> bool:
    """Download the whole content of `url` into `part`; return whether an earlier part was resumed.

    A part is resumed (HTTP Range) if the server still has the same file by ETag or date, or if the caller will verify
    the hash (`hashed`); otherwise the download restarts. `size` is the number of bytes of the file by the
    manifest, 0 if unknown: a much larger one is refused. Raises ToonbenchError for failures of the server or the network,
    OSError for failures of the disk; `part` then keeps the received bytes.
    """
    most = start = _size(part)
    tries = 0
    while True:
        try:
            kept = _attempt(url, part, hashed=hashed, limit=most_bytes(size), on_progress=on_progress)
            return kept and start > 0
        except _Again as error:
            tries, most = (1 if _size(part) > most else tries + 1), max(most, _size(part))
            if tries >= TRIES:
                raise ToonbenchError(f"{error} ({TRIES} tries); {_kept(part)}") from error
            time.sleep(WAIT * 2 ** (tries - 1))


def _attempt(url: str, part: Path, *, hashed: bool, limit: int, on_progress: Progress | None) -> bool:
    """Make one request; return whether it resumed the part. Raises `_Again` for failures that may be temporary."""
    import requests

    host = urlsplit(url).netloc
    have, headers = _ask(url, part, hashed=hashed)
    try:
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
            if (
                response.status_code == 416 and have
            ):  # no bytes after the part: it is complete, or it belongs to another file
                if _total(response) == have:
                    return True
                part.unlink()
                raise _Again(f"{host} has another file than the one that the download began with")
            _refuse(response, host)
            return _receive(response, url, part, have=have, limit=limit, on_progress=on_progress)
    except requests.exceptions.SSLError as error:
        raise ToonbenchError(
            f"the certificate of {host} is not accepted ({_short(error)}): check the proxy or clock"
        ) from error
    except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
        raise _Again(f"cannot reach {host}, or the connection was lost ({_short(error)})") from error
    except requests.RequestException as error:
        raise ToonbenchError(f"cannot request {url} ({_short(error)}): check the address") from error


def _ask(url: str, part: Path, *, hashed: bool) -> tuple[int, dict[str, str]]:
    """The number of bytes that can be kept, and the request headers for the rest."""
    headers = {"Accept-Encoding": "identity", "User-Agent": "toonbench"}
    have, begun = _size(part), _begun(part)
    if have and begun.url == url and begun.validator:
        return have, headers | {"Range": f"bytes={have}-", "If-Range": begun.validator}
    if have and hashed:
        return have, headers | {"Range": f"bytes={have}-"}
    return 0, headers


def _refuse(response: Response, host: str) -> None:
    """Raise for a response that is not the file."""
    status = response.status_code
    if status in BUSY:
        raise _Again(f"{host} responds with {status} {response.reason}")
    if status not in (200, 206):
        reason = {404: "has no such file", 401: "requires a login"}.get(status, "refuses the request")
        raise ToonbenchError(f"{host} {reason} ({status} {response.reason}) at {response.url.partition('?')[0]}")
    if response.headers.get("Content-Type", "").startswith("text/html"):
        raise ToonbenchError(f"{host} responds with a web page instead of the file: check for a login page or a proxy")


def _receive(response: Response, url: str, part: Path, *, have: int, limit: int, on_progress: Progress | None) -> bool:
    """Write the body, after the existing part if the server resumes at its end; return whether it does."""
    begins = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    resumed = response.status_code == 206
    if resumed and (begins is None or int(begins[1]) != have):
        part.unlink(missing_ok=True)
        raise _Again(f"{urlsplit(url).netloc} sent another range of bytes than requested")
    have = have if resumed else 0
    total = _total(response)
    _refuse_size(total, limit, part, url)
    free = shutil.disk_usage(part.parent).free
    if total - have > free:
        raise OSError(errno.ENOSPC, f"{free / 1e6:.0f} MB are free, {(total - have) / 1e6:.0f} MB are needed")
    if not resumed:
        part.unlink(missing_ok=True)
        tag = response.headers.get("ETag", "")
        validator = tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified", "")
        write_json(_note(part), {"url": url, "validator": validator})
    with part.open("ab") as stream:
        for block in response.iter_content(BLOCK):
            have += len(block)
            _refuse_size(have, limit, part, url)
            stream.write(block)
            if on_progress is not None:
                on_progress(have, max(total, have))
    if total and have != total:
        raise _Again(f"{urlsplit(url).netloc} closed the connection after {have} of {total} bytes")
    return resumed


def _refuse_size(size: int, limit: int, part: Path, url: str) -> None:
    if size > limit:
        discard(part)
        raise ToonbenchError(
            f"{urlsplit(url).netloc} sends {size} bytes or more, allowed are {limit}: it is not the file of the manifest"
        )


def discard(part: Path) -> None:
    """Remove a part and its record."""
    part.unlink(missing_ok=True)
    _note(part).unlink(missing_ok=True)


def forget(part: Path) -> None:
    """Remove the record of a part that has become a file."""
    _note(part).unlink(missing_ok=True)


def _total(response: Response) -> int:
    """Bytes of the whole file, 0 if the server does not state them."""
    if found := re.match(r"bytes (?:\d+-\d+|\*)/(\d+)", response.headers.get("Content-Range", "")):
        return int(found[1])
    if response.status_code == 206 or response.headers.get("Content-Encoding", "identity") != "identity":
        return 0
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else 0


def _note(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _begun(part: Path) -> _Begun:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        found = json.loads(_note(part).read_text(encoding="utf-8"))
        return _Begun(str(found["url"]), str(found["validator"]))
    return _Begun()


def _size(part: Path) -> int:
    try:
        return part.stat().st_size
    except FileNotFoundError:
        return 0


def _kept(part: Path) -> str:
    have = _size(part)
    start = f"the received {have / 1e6:.1f} MB are kept, run the same command again to resume; " if have else ""
    return f"{start}check the network and the proxy, or use --from FOLDER with files from another machine"


def _short(error: Exception) -> str:
    """The innermost reason of a nested error, in one line."""
    text = " ".join(str(error).split())
    reasons = re.findall(r"\[Errno -?\d+\] ([^'\")]+)|(timed out|IncompleteRead|Connection reset)", text)
    words = next((a or b for a, b in reversed(reasons)), text)
    return words if len(words) <= 120 else words[:117] + "..."
