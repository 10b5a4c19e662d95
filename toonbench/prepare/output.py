"""The folder of a data set that a command prepares: one command and one run at a time write into it."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from toonbench import store
from toonbench.claims import claim
from toonbench.data.card import remove_card, write_card
from toonbench.data.table import ABOUT, CLIPS, FAILURES, Row
from toonbench.types import ToonbenchError

LOCK, MADE_BY = ".running.lock", "made_by.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """How many clips were made and how many failed, and lines about them."""

    made: int
    failed: int
    notes: tuple[str, ...]


@contextmanager
def own_folder(out: Path, *, command: str) -> Generator[None]:
    """Hold the folder `out` for the command of this name.

    Raises ToonbenchError if another process holds it, if it has a data set of another origin, whose files would be lost, and if it
    cannot be written.
    """
    from filelock import FileLock, Timeout

    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = FileLock(out / LOCK, mode=0o666)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise ToonbenchError(f"another run works in {out}: wait until it ends, or give another --out") from error
    except (OSError, NotImplementedError) as error:  # filelock's error for a file system without locks
        raise ToonbenchError(f"{out} cannot be written ({error}): give another --out") from error
    try:
        if CLIPS.is_in(out) and not (out / MADE_BY).is_file():
            raise ToonbenchError(f"{out} has another data set, which would be lost: give another --out")
        claim(out, {"command": command}, file=MADE_BY)
        yield
    finally:
        lock.release()


def folders_to_read(place: Path, names: Sequence[str], *, out: Path) -> list[str]:
    """The names of the sub-folders of `place` that are read, sorted: not hidden ones, and not `out`, whose clips are no input."""
    own = out.resolve()
    return sorted(name for name in names if not name.startswith(".") and (place / name).resolve() != own)


def write_set(
    out: Path, rows: Sequence[Row], failures: Sequence[Row], *, notes: Sequence[str], text: str, title: str
) -> Summary:
    """Write the tables, the notes and the data card (`text`, then the notes) of a data set."""
    CLIPS.write(out, sorted(rows, key=lambda row: row["id"]))
    FAILURES.write(out, sorted(failures, key=lambda row: row["id"]))
    store.write_json(out / ABOUT, {"notes": notes})
    if rows:
        lines = "\n".join(f"- {note}" for note in notes)
        write_card(out, f"{text}\n\n{lines}\n", title=title)
    else:
        remove_card(out)
    return Summary(made=len(rows), failed=len(failures), notes=tuple(notes))
