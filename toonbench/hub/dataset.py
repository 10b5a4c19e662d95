"""A data set as a release: its folder, which `datasets.load_dataset` and toonbench read as it is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from toonbench import video
from toonbench.data.card import CARD, write_card
from toonbench.data.folder import RELEASE, SUMS, Dataset, motion_files, write_sums
from toonbench.data.table import CLIPS, TARGETS, Row
from toonbench.hub.address import MAIN, Address
from toonbench.hub.data_card import PLOT, Facts, card_text, front_lines, has_persons, made_section, plots
from toonbench.hub.eval_files import EVAL, eval_yaml
from toonbench.hub.layout import Layout, lay_out
from toonbench.hub.release import Release, drop_others, own_release_folder, place, record, recorded, release_of
from toonbench.hub.texts import forbids_sharing, states_licence
from toonbench.pool import IN_PROCESS, Pool
from toonbench.prepare.films.manifest import MANIFEST
from toonbench.store import write_bytes
from toonbench.types import ToonbenchError

PREVIEWS = "previews"  # the record of what each preview shows
PICTURE = re.compile(r"\]\(([\w.-]+\.png)\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Statements:
    """What the publisher states: the licence of clips that have none, how persons agreed, and whether readers must ask for access.

    `gated`: None asks where the set shows real faces.
    """

    licence: str = ""
    consent: str = ""
    gated: bool | None = None


@dataclass(frozen=True, slots=True)
class _Preview:
    """A preview to encode; picklable."""

    source: Path
    target: Path


def prepare_dataset(
    data: Dataset,
    folder: Path,
    *,
    repo: str,
    revision: str = MAIN,
    statements: Statements | None = None,
    copy: bool = True,
    pool: Pool = IN_PROCESS,
) -> Release:
    """Make the release of a data set in `folder`; a second call makes what is missing.

    With `copy` the folder is complete; otherwise it has links to the clips. Raises ToonbenchError for clips without a licence, clips
    that cannot be used or do not have the checksum of their table, and a folder of another kind.
    """
    stated = statements or Statements()
    rows, targets = _rows(data, stated.licence), TARGETS.read(data.root) if TARGETS.is_in(data.root) else []
    motions = motion_files(data.root)
    laid = lay_out(rows, targets, motions=sorted(motions))
    own_release_folder(folder)
    for path, file in laid.sources.items():
        place(data.root / file, folder / path, copy=copy)
    for one, path in laid.motions.items():
        place(motions[one], folder / path, copy=copy)
    _write_previews(folder, laid, pool=pool)
    made = _write_tables(data, folder, laid, at=Address(repo, revision=revision), stated=stated)
    drop_others(folder, [*laid.sources, *laid.motions.values(), *laid.previews.values(), *made])
    gated = has_persons(rows) if stated.gated is None else stated.gated
    about = {"fingerprint": data.fingerprint, "clips": len(rows), "targets": len(targets)}
    release = release_of(
        folder, what="dataset", name=data.name, about=about, gated=gated, notes=_notes(rows, stated, gated=gated)
    )
    _refuse_changed(release, laid)
    return release


def _rows(data: Dataset, licence: str) -> list[Row]:
    """The rows of the clips, each with a licence; the files exist."""
    rows = CLIPS.read(data.root)
    listed = {row["id"] for row in rows}
    own = [*(clip for clip in data.clips if clip.id in listed), *data.targets.values()]
    if bad := [clip for clip in own if clip.problem]:
        raise ToonbenchError(
            f"{len(bad)} clips of {data.name} cannot be used, for example {bad[0].id}: {bad[0].problem}; run `toonbench validate`"
        )
    rows = [row if states_licence(row.get("licence", "")) else {**row, "licence": licence.strip()} for row in rows]
    if kept := [row for row in rows if forbids_sharing(row["licence"])]:
        raise ToonbenchError(
            f"{len(kept)} of {len(rows)} clips may not be shared, for example {kept[0]['id']} ({kept[0]['licence']}): publish only the "
            "list of clips with --manifest-only, or correct the column licence of metadata.parquet"
        )
    if without := [row for row in rows if not states_licence(row["licence"])]:
        raise ToonbenchError(
            f"{len(without)} of {len(rows)} clips have no licence, for example {without[0]['id']}: state it in metadata.parquet or "
            "with --licence, or publish only the list of clips with --manifest-only"
        )
    return rows


def _write_previews(folder: Path, laid: Layout, *, pool: Pool) -> None:
    """Encode the previews that are missing, or show an earlier version of their video."""
    sums = {row["file"]: str(row["sha256"]) for row in (*laid.rows, *laid.targets)}
    shown = {path: sums[file] for file, path in laid.previews.items()}
    before = recorded(folder, PREVIEWS)
    for path in shown:
        if before.get(path) != shown[path]:
            (folder / path).unlink(missing_ok=True)
    record(folder, PREVIEWS, shown)
    jobs = [
        _Preview(folder / file, folder / path) for file, path in laid.previews.items() if not (folder / path).is_file()
    ]
    for _ in pool.map(_encode, jobs, title="encoding previews"):
        pass


def _encode(job: _Preview) -> None:
    video.write_web_mp4(job.target, video.iter_frames(job.source), fps=video.probe(job.source).fps or 25.0)


def _write_tables(data: Dataset, folder: Path, laid: Layout, *, at: Address, stated: Statements) -> list[str]:
    """Write tables, card, plots, and `eval.yaml`; return their paths."""
    CLIPS.write(folder, laid.rows)
    if laid.targets:
        TARGETS.write(folder, laid.targets)
    about = _about(data.root)
    pictures = [name for name in PICTURE.findall(about) if (data.root / name).is_file()]
    others = [*pictures, *([MANIFEST] if (data.root / MANIFEST).is_file() else [])]
    for name in others:
        place(data.root / name, folder / name, copy=True)
    if laid.motions:
        write_sums(folder, laid.motions.values())
    write_bytes(folder / PLOT, plots(laid.rows))
    facts = Facts(
        rows=laid.rows, targets=laid.targets, repo=at.repo, name=data.name, fingerprint=data.fingerprint, about=about,
        consent=stated.consent, revision=at.revision,
    )  # fmt: skip
    gated = has_persons(laid.rows) if stated.gated is None else stated.gated
    write_card(
        folder,
        card_text(facts),
        title=data.name,
        previews=laid.previews,
        front=front_lines(laid.rows, gated=gated),
        place=at.repo,
        revision="" if at.revision == MAIN else at.revision,
    )
    found = eval_yaml(data)
    if found:
        write_bytes(folder / EVAL, found.encode())
    indexes = [path.name for path in folder.glob("*-*.parquet")]
    tables = [CLIPS.file, *([TARGETS.file] if laid.targets else [])]
    some = [*([SUMS] if laid.motions else []), *([EVAL] if found else [])]
    return [*tables, *indexes, CARD, PLOT, *others, *some]


def _about(root: Path) -> str:
    """The set's own card; of a release, the part that was the set's own."""
    if not (root / CARD).is_file():
        return ""
    text = (root / CARD).read_text(encoding="utf-8", errors="replace")
    return made_section(text) if (root / RELEASE).is_file() else text


def _refuse_changed(release: Release, laid: Layout) -> None:
    """Raise ToonbenchError for clips that do not have the checksum of their table (one of zeros states none)."""
    stated: Mapping[str, str] = {row["file"]: str(row["sha256"]) for row in (*laid.rows, *laid.targets)}
    wrong = [
        one.path for one in release.files if stated.get(one.path, "").strip("0") and stated[one.path] != one.sha256
    ]
    if wrong:
        raise ToonbenchError(
            f"{len(wrong)} clips do not have the checksum of their table, for example {laid.sources[wrong[0]]}: they changed after "
            "the data set was made; make it again"
        )


def _notes(rows: Sequence[Row], stated: Statements, *, gated: bool) -> list[str]:
    notes: list[str] = []
    if has_persons(rows):
        if not gated:
            notes.append("the clips show real persons, and readers need not ask for access (--gated no)")
        if not stated.consent:
            notes.append(
                "the clips show real persons: state in --consent how they agreed; the card now reads that it is not stated"
            )
    return notes
