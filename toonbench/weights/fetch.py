"""Fetch weights from the network or from a folder of files, and verify them before a file gets its name."""

from __future__ import annotations

import contextlib
import errno
import logging
import shutil
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal
from urllib.parse import unquote, urlsplit

from toonbench.types import ToonbenchError
from toonbench.weights.download import discard, download, forget
from toonbench.weights.manifest import Entry
from toonbench.weights.package import carrier, copy_member, fetch_member
from toonbench.weights.verify import (
    Progress,
    check,
    first_download,
    folder,
    keep_first,
    locked,
    read_hashes,
    read_json,
    remember,
    update_json,
    wrong,
)

LICENCES = "licences-shown.json"
NOT_WRITABLE = "cannot be written: set TOONBENCH_WEIGHTS to your own folder, or ask its owner to fetch (read access is enough to use them)"
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The result of fetching one entry; `reason` states why it failed."""

    entry: Entry
    state: Literal["fetched", "there", "failed"]
    path: Path
    sha256: str = ""
    reason: str = ""


def groups(items: Iterable[Entry]) -> list[list[Entry]]:
    """Entries that are downloaded together, in order: the members of one archive, or a single file."""
    found: dict[tuple[str, ...], list[Entry]] = {}
    for item in items:
        found.setdefault((item.archive, *item.urls) if item.archive else (item.name, ""), []).append(item)
    return list(found.values())


def fetch_group(
    items: Sequence[Entry], *, source: Path | None = None, on_progress: Progress | None = None
) -> list[Outcome]:
    """Fetch the missing entries of one group from `source` (a folder of files) or the network.

    If several processes need the same file, one fetches it and the others wait. A failure is reported in its
    outcome; an interrupted download is kept and resumed the next time.
    """
    where = folder()
    done = {item.name: outcome for item in items if (outcome := _there(item))}
    try:
        if len(done) < len(items):
            where.mkdir(parents=True, exist_ok=True)
            with locked(where, items[0].archive or items[0].file):
                done |= {item.name: outcome for item in items if item.name not in done and (outcome := _there(item))}
                todo = [item for item in items if item.name not in done]
                for item, outcome in _get(todo, where, source=source, on_progress=on_progress):
                    done[item.name] = outcome
    except ToonbenchError as error:
        reason = str(error)
    except OSError as error:
        reason = _disk(error, where)
    else:
        reason = ""
    return [
        done.get(item.name) or Outcome(entry=item, state="failed", path=where / item.file, reason=reason)
        for item in items
    ]


def unseen_licences(items: Iterable[Entry]) -> list[Entry]:
    """The entries that are not for commercial use and whose licence was not shown yet for this folder."""
    shown = read_json(folder() / LICENCES)
    return [item for item in items if not item.commercial and shown.get(item.name) != item.licence]


def licences_shown(items: Iterable[Entry]) -> None:
    """Record that the licences of these were shown; without write access they are shown again."""
    with contextlib.suppress(OSError):
        folder().mkdir(parents=True, exist_ok=True)
        for item in items:
            update_json(folder() / LICENCES, item.name, item.licence)


def _there(item: Entry) -> Outcome | None:
    found = check(item)
    if found.state != "there":
        return None
    with contextlib.suppress(OSError):  # a read-only folder can still be used
        keep_first(item, found.sha256, found.path.parent)
    return Outcome(entry=item, state="there", path=found.path, sha256=found.sha256)


def _get(
    todo: Sequence[Entry], where: Path, *, source: Path | None, on_progress: Progress | None
) -> Iterable[tuple[Entry, Outcome]]:
    """Fetch each entry and yield its outcome, even if a later one fails."""
    if source is not None:
        for item in todo:
            yield item, _copy(item, where, source)
    elif todo and todo[0].archive:
        yield from _from_archive(todo, where, on_progress)
    else:
        for item in todo:
            part = where / f"{item.file}.part"
            found_hashes = _download(item, part, on_progress)
            yield item, _install(item, part, where, found_hashes)


def _download(item: Entry, part: Path, on_progress: Progress | None) -> dict[str, str]:
    """Download and verify `part` from the first address that has it; return its hashes."""
    as_archive = bool(item.archive)
    hashed = bool(item.archive_sha256) if as_archive else item.hashed
    kept = "" if as_archive else first_download(item, part.parent)
    problems: list[str] = []
    for url in item.urls:
        again = True
        while again:
            try:
                again = _receive(item, url, part, hashed=hashed, on_progress=on_progress)
            except ToonbenchError as error:
                problems.append(str(error))
                break
            found_hashes = read_hashes(part, git=bool(item.git_blob))
            problem = _wrong_archive(item, found_hashes) if as_archive else wrong(item, found_hashes, kept=kept)
            if not problem:
                return found_hashes
            discard(part)  # if an earlier part was resumed, one complete download decides
            if not again:
                problems.append(f"{urlsplit(url).netloc or url} sent a wrong file ({problem}); it was deleted")
    raise ToonbenchError(_sentence(item, problems or [_by_hand(item)]))


def _by_hand(item: Entry) -> str:
    """What to do where no address is known."""
    if not item.page:
        return "no address is known: use --from FOLDER"
    return f"no direct address is known: download {item.file} from {item.page} and give its folder with --from FOLDER"


def _receive(item: Entry, url: str, part: Path, *, hashed: bool, on_progress: Progress | None) -> bool:
    """Write the content of one address to `part`; return whether an earlier part was resumed."""
    if inside := carrier(url):
        discard(part)
        fetch_member(inside, part, size=item.size)
        return False
    return download(url, part, hashed=hashed, size=0 if item.archive else item.size, on_progress=on_progress)


def _wrong_archive(item: Entry, found_hashes: dict[str, str]) -> str:
    expected = item.archive_sha256
    if found_hashes["sha256"].startswith(expected):
        return ""
    return f"{item.archive}: sha256 is {found_hashes['sha256'][:16]}…, expected {expected[:16]}…"


def _sentence(item: Entry, problems: Sequence[str]) -> str:
    return f"cannot fetch {item.name}: {'; '.join(problems)}"


def _install(item: Entry, part: Path, where: Path, found_hashes: dict[str, str]) -> Outcome:
    """Give a verified file its name."""
    keep_first(item, found_hashes["sha256"], where)
    target = where / item.file
    part.replace(target)
    forget(part)
    remember(target, found_hashes)
    return Outcome(entry=item, state="fetched", path=target, sha256=found_hashes["sha256"])


def _from_archive(todo: Sequence[Entry], where: Path, on_progress: Progress | None) -> Iterable[tuple[Entry, Outcome]]:
    """Extract and verify the members of a downloaded zip, then remove the zip."""
    part = where / f"{todo[0].archive}.part"
    _download(todo[0], part, on_progress)
    for item in todo:
        unpacked = where / f".{item.file}.unpacked"
        try:
            extract(part, item.member, unpacked)
            found_hashes = _verified(item, unpacked, where, origin=f"{item.member} in {item.archive}")
            yield item, _install(item, unpacked, where, found_hashes)
        except ToonbenchError:
            discard(part)  # a damaged archive would fail the next time, too
            raise
        finally:
            unpacked.unlink(missing_ok=True)
    discard(part)


def extract(archive: Path, member: str, to: Path) -> None:
    """Write one member of a zip, found by its name in any folder of the zip, to the file `to` and nowhere else.

    Names in the zip are compared, never used as paths. Raises ToonbenchError for a damaged zip or one without the member.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            named = [
                info for info in opened.infolist() if PurePosixPath(info.filename).name == member and not info.is_dir()
            ]
            if not named:
                raise ToonbenchError(
                    f"{archive.name} contains no {member}: download the archive that the manifest names"
                )
            chosen = min(named, key=lambda info: len(info.filename))  # the outermost, if there are several
            free = shutil.disk_usage(to.parent).free
            if chosen.file_size > free:
                raise OSError(
                    errno.ENOSPC, f"{free / 1e6:.0f} MB are free, {member} needs {chosen.file_size / 1e6:.0f} MB"
                )
            with opened.open(chosen) as packed, to.open("wb") as stream:
                shutil.copyfileobj(packed, stream, 1 << 20)
    except (zipfile.BadZipFile, EOFError, RuntimeError, NotImplementedError, zlib.error) as error:
        raise ToonbenchError(f"{archive.name} is a damaged zip ({error}): download it again") from error


def _copy(item: Entry, where: Path, source: Path) -> Outcome:
    """Copy the file from a folder, found by its manifest name, its name at the source, or its archive's name."""
    inside = {wheel: one for url in item.urls if (one := carrier(url)) for wheel in sorted(source.glob(one.wheels))}
    names = list(dict.fromkeys([item.file, item.member, item.archive, *(_last(url) for url in item.urls)]))
    problems: list[str] = []
    unpacked = where / f".{item.file}.copy"
    for found in [*(source / name for name in names if name and (source / name).is_file()), *inside]:
        try:
            if found in inside:
                copy_member(found, inside[found].member, unpacked, size=item.size)
            elif found.name == item.archive or (found.suffix == ".zip" and item.archive):
                if item.archive_sha256 and not item.hashed and (problem := _wrong_archive(item, read_hashes(found))):
                    raise ToonbenchError(problem)
                extract(found, item.member, unpacked)
            else:
                shutil.copyfile(found, unpacked)
            found_hashes = _verified(item, unpacked, where, origin=str(found))
            return _install(item, unpacked, where, found_hashes)
        except ToonbenchError as error:
            problems.append(str(error))
        finally:
            unpacked.unlink(missing_ok=True)
    raise ToonbenchError(
        _sentence(item, problems or [f"{source} has none of {', '.join(filter(None, [*names, *_wheels(item)]))}"])
    )


def _wheels(item: Entry) -> list[str]:
    """The wheels that carry the file, as messages name them."""
    found = [one for url in item.urls if (one := carrier(url))]
    return [f"the wheel of {one.package}=={one.version}" for one in found]


def _last(url: str) -> str:
    """The file name at the end of an address; empty if it is not a plain file name."""
    if one := carrier(url):
        url = one.member
    name = unquote(urlsplit(url).path).rpartition("/")[2]
    return "" if name in ("", ".", "..") or "\\" in name else name


def _verified(item: Entry, path: Path, where: Path, *, origin: str) -> dict[str, str]:
    found_hashes = read_hashes(path, git=bool(item.git_blob))
    if problem := wrong(item, found_hashes, kept=first_download(item, where)):
        raise ToonbenchError(f"{origin} is not the file ({problem})")
    return found_hashes


def _disk(error: OSError, where: Path) -> str:
    """A failure of the disk and what to do, in one line."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"the disk of {where} is full ({error.strerror}): free some space, or set TOONBENCH_WEIGHTS to a larger disk, "
            "and run the same command again; the received bytes are kept"
        )
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return f"{where} {NOT_WRITABLE}"
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return f"{where} is a file, or inside a file, instead of a folder: set TOONBENCH_WEIGHTS to a folder"
    return f"{error.filename or where}: {error.strerror or error}; check the disk, or set TOONBENCH_WEIGHTS to another folder"
