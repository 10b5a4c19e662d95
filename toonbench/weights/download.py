"""One file over HTTP into a `.part` file: goes on where it was cut, tries again a few times, says in one line what failed.

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
from toonbench.weights.verify import Progress, write_json

if TYPE_CHECKING:
    from requests import Response

TRIES = 4  # in a row without a byte more
WAIT = 0.5  # seconds before the second try, twice that before the next
TIMEOUT = (15.0, 60.0)  # seconds to connect, and between two blocks
BLOCK = 1 << 16  # what of a block has come when a connection breaks is lost
BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})


class _Again(Exception):
    """The transfer failed in a way that may pass."""


@dataclass(frozen=True, slots=True)
class _Begun:
    """What is known of the file that a `.part` is the beginning of."""

    url: str = ""
    validator: str = ""  # strong ETag or Last-Modified: for If-Range


def download(url: str, part: Path, *, hashed: bool, on_progress: Progress | None = None) -> bool:
    """Bring `part` to the whole content of `url`; return whether some of it was there before.

    A part is gone on with (HTTP Range) if the server still has the same file by ETag or date, or if the caller knows
    the hash and will tell (`hashed`); else it begins anew. Raises ToonbenchError for whatever the server or the network
    does, OSError for what the disk does; `part` then keeps what has come.
    """
    most = start = _size(part)
    tries = 0
    while True:
        try:
            kept = _attempt(url, part, hashed=hashed, on_progress=on_progress)
            return kept and start > 0
        except _Again as error:
            tries, most = (1 if _size(part) > most else tries + 1), max(most, _size(part))
            if tries >= TRIES:
                raise ToonbenchError(f"{error} ({TRIES} tries); {_kept(part)}") from error
            time.sleep(WAIT * 2 ** (tries - 1))


def _attempt(url: str, part: Path, *, hashed: bool, on_progress: Progress | None) -> bool:
    """One request; whether it went on with what was there. Raises `_Again` for what may pass."""
    import requests

    host = urlsplit(url).netloc
    have, headers = _ask(url, part, hashed=hashed)
    try:
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
            if answer.status_code == 416 and have:  # nothing beyond what we have: it is whole, or of another file
                if _total(answer) == have:
                    return True
                part.unlink()
                raise _Again(f"{host} has another file than the one begun")
            _refuse(answer, host)
            return _receive(answer, url, part, have=have, on_progress=on_progress)
    except requests.exceptions.SSLError as error:
        raise ToonbenchError(
            f"the certificate of {host} is not accepted ({_short(error)}): check the proxy or clock"
        ) from error
    except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
        raise _Again(f"cannot reach {host}, or it broke off ({_short(error)})") from error
    except requests.RequestException as error:
        raise ToonbenchError(f"cannot ask for {url} ({_short(error)}): check the address") from error


def _ask(url: str, part: Path, *, hashed: bool) -> tuple[int, dict[str, str]]:
    """How many bytes are there to go on with, and the headers that ask for the rest."""
    headers = {"Accept-Encoding": "identity", "User-Agent": "toonbench"}
    have, begun = _size(part), _begun(part)
    if have and begun.url == url and begun.validator:
        return have, headers | {"Range": f"bytes={have}-", "If-Range": begun.validator}
    if have and hashed:
        return have, headers | {"Range": f"bytes={have}-"}
    return 0, headers


def _refuse(answer: Response, host: str) -> None:
    """Raise for an answer that is not the file."""
    status = answer.status_code
    if status in BUSY:
        raise _Again(f"{host} answers {status} {answer.reason}")
    if status not in (200, 206):
        told = {404: "has no such file", 401: "wants a login", 403: "refuses"}.get(status, "refuses")
        raise ToonbenchError(f"{host} {told} ({status} {answer.reason}) at {answer.url.partition('?')[0]}")
    if answer.headers.get("Content-Type", "").startswith("text/html"):
        raise ToonbenchError(
            f"{host} answers with a web page instead of the file: is there a login or a proxy in between?"
        )


def _receive(answer: Response, url: str, part: Path, *, have: int, on_progress: Progress | None) -> bool:
    """Write the body, after what is there if the server goes on from that byte; return whether it did."""
    begins = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    goes_on = answer.status_code == 206
    if goes_on and (begins is None or int(begins[1]) != have):
        part.unlink(missing_ok=True)
        raise _Again(f"{urlsplit(url).netloc} sent another piece than asked for")
    have = have if goes_on else 0
    total = _total(answer)
    free = shutil.disk_usage(part.parent).free
    if total - have > free:
        raise OSError(errno.ENOSPC, f"{free / 1e6:.0f} MB are free, {(total - have) / 1e6:.0f} MB are to come")
    if not goes_on:
        part.unlink(missing_ok=True)
        tag = answer.headers.get("ETag", "")
        validator = tag if tag and not tag.startswith("W/") else answer.headers.get("Last-Modified", "")
        write_json(_note(part), {"url": url, "validator": validator})
    with part.open("ab") as stream:
        for block in answer.iter_content(BLOCK):
            stream.write(block)
            have += len(block)
            if on_progress is not None:
                on_progress(have, max(total, have))
    if total and have != total:
        raise _Again(f"{urlsplit(url).netloc} broke off after {have} of {total} bytes")
    return goes_on


def discard(part: Path) -> None:
    """Remove a part and what is known of it."""
    part.unlink(missing_ok=True)
    _note(part).unlink(missing_ok=True)


def forget(part: Path) -> None:
    """Remove what is known of a part that has become a file."""
    _note(part).unlink(missing_ok=True)


def _total(answer: Response) -> int:
    """Bytes of the whole file, 0 where the server does not say."""
    if found := re.match(r"bytes (?:\d+-\d+|\*)/(\d+)", answer.headers.get("Content-Range", "")):
        return int(found[1])
    if answer.status_code == 206 or answer.headers.get("Content-Encoding", "identity") != "identity":
        return 0
    length = answer.headers.get("Content-Length", "")
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
    start = f"the {have / 1e6:.1f} MB that came are kept, run the same command again to go on; " if have else ""
    return f"{start}check the network and the proxy, or use --from FOLDER with files from another machine"


def _short(error: Exception) -> str:
    """The last words of an error that wraps others, in one line."""
    text = " ".join(str(error).split())
    reasons = re.findall(r"\[Errno -?\d+\] ([^'\")]+)|(timed out|IncompleteRead|Connection reset)", text)
    words = next((a or b for a, b in reversed(reasons)), text)
    return words if len(words) <= 120 else words[:117] + "..."
