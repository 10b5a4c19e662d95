"""`prepare-cartoon` and `rebuild`: films to a data set, and a published list of clips to the same clips."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from toonbench.commands.shared import Processes, Seed, Size, Terminal
from toonbench.commands.values import between

if TYPE_CHECKING:
    from toonbench.prepare.films.curation import Curation
    from toonbench.prepare.films.pipeline import Curated


def prepare(
    raw: Path,
    *,
    out: Path,
    crop: Literal["union", "smoothed"] = "union",
    detector: Literal["fused", "drawn", "mtcnn", "yunet", "blazeface"] = "fused",
    animals: Annotated[bool, Parameter(negative="")] = False,
    margin: Annotated[float, between(0, 2)] = 0.1,
    size: Size = 256,
    fps: Annotated[float, between(0, 1000)] = 0.0,
    shortest: Annotated[float, between(0.04, 3600)] = 1.5,
    longest: Annotated[float, between(0.04, 3600)] = 40.0,
    domain: Literal["cartoon", "real"] = "cartoon",
    split_by: Literal["title", "identity"] = "title",
    test_share: Annotated[float, between(0.01, 0.99)] = 55 / 344,
    seed: Seed = 0,
    review: Path | None = None,
    explain: str | None = None,
    check: Path | None = None,
    processes: Processes | None = None,
    terminal: Terminal | None = None,
) -> int:
    """Make a data set of face clips from films: shots, faces, tracks, crops, quality, near-duplicates, identities, splits.

    An interrupted run resumes. A second run with a review, or with other limits, decides again without cutting again.

    Parameters
    ----------
    raw
        A folder of films, or one film. The first sub-folder is a film's title, unless films.csv (file, title, domain, licence) states it.
    out
        The data set's folder. Open OUT/review.html to look at all clips, and to keep, drop, merge and rename.
    crop
        union cuts one square around the whole track; smoothed moves it with the face.
    margin
        Room around the face, at each side of the square, as a share of the face's longer side; 0.3 shows whole heads.
    detector
        fused asks all detectors that are available.
    animals
        Faces of animals count, too.
    size
        Side of the clips in pixels.
    fps
        Frames per second of the clips; 0 keeps each film's own. Frames are repeated or left out, never mixed.
    shortest
        Seconds that a clip has at least.
    longest
        Seconds that a clip has at most; longer tracks are divided.
    domain
        Of films about which neither a table nor a folder real_videos or cartoon_videos states it.
    split_by
        title puts all clips of a title into train or all into test; identity does so for each identity.
    test_share
        Share of test clips; that of the paper (55 of 344) by default.
    seed
        Another seed draws other splits.
    review
        The decisions that the review page saved; OUT/review.json by default.
    explain
        Report what became of a clip, a film or a frame (FILM@123) of the data set in OUT, and do nothing else.
    check
        Known shots and tracks to compare with: the folder of `make-films`, or a folder of labelled JSON files (docs/curation.md).
    """
    from toonbench.prepare.films.curation import Curation
    from toonbench.prepare.films.explain import explained
    from toonbench.prepare.films.pipeline import prepare_films

    terminal = terminal or Terminal()
    console = terminal.start()
    if explain is not None:
        for line in explained(out, explain):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
        return 0
    options = Curation(
        detector=detector, animals=animals, crop=crop, margin=margin, size=size, fps=fps, shortest=shortest, longest=longest,
        split_by=split_by, test_share=test_share, seed=seed, domain=domain,
    )  # fmt: skip
    made = prepare_films(
        raw,
        out,
        options=options,
        review=review,
        pool=terminal.pool(processes or Processes(), writes=[out], reads=[raw]),
    )
    _report(made, terminal)
    if check is not None:
        _check(raw, out, check, options=options, terminal=terminal)
    return 0 if made.kept else 1


def _report(made: Curated, terminal: Terminal) -> None:
    from toonbench.prepare.films.fates import counts
    from toonbench.store import to_json

    console = terminal.start()
    for note in made.notes:
        terminal.message(note)
    for name, reason in made.failed:
        terminal.message(f"not used: {name}: {reason}")
    rows = counts(made.fates)
    splits = {name: sum(fate.split == name for fate in made.kept) for name in ("train", "test")}
    if terminal.json:
        about = {
            "films": made.films,
            "failed": dict(made.failed),
            "candidates": dict(rows),
            "splits": splits,
            "notes": made.notes,
        }
        console.out(to_json(about), end="")
        return
    dropped = ", ".join(f"{number} by {stage}" for stage, number in rows if stage != "kept")
    sound = made.films - len(made.failed)
    lines = [
        f"{sound} of {made.films} films, {len(made.fates)} candidates: {len(made.kept)} clips kept"
        + (f"; dropped: {dropped}" if dropped else ""),
        f"{len({fate.identity for fate in made.kept})} identities; {splits['train']} clips for training, {splits['test']} for testing",
        f"written: {made.out}; look at {made.out / 'review.html'}",
    ]
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _check(raw: Path, out: Path, truth: Path, *, options: Curation, terminal: Terminal) -> None:
    from toonbench.prepare.films.check import check_run

    console = terminal.start()
    for line in check_run(raw, out, truth, options=options):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def rebuild(
    manifest: Path,
    *,
    films: Path,
    out: Path,
    processes: Processes | None = None,
    terminal: Terminal | None = None,
) -> int:
    """Make the clips of a published list from your own films: the same bytes from the same film.

    Parameters
    ----------
    manifest
        The manifest.json of a data set of `prepare-cartoon`, its folder, or hf:ORG/NAME@REV on the Hub.
    films
        The folder of your films. Their names do not matter: they are found by checksum, other copies by length and content.
    out
        The folder of the clips.
    """
    from toonbench.hub.fetch import manifest_file
    from toonbench.prepare.films.rebuild import rebuild as rebuild_clips
    from toonbench.store import to_json

    terminal = terminal or Terminal()
    console = terminal.start()
    made = rebuild_clips(
        manifest_file(manifest), films, out, pool=terminal.pool(processes or Processes(), writes=[out], reads=[films])
    )
    if terminal.json:
        console.out(to_json({"same": made.same, "other_copy": made.other_copy, "missing": dict(made.missing)}), end="")
    else:
        for name, reason in made.missing.items():
            terminal.message(f"missing: {name}: {reason}")
        whole = made.same + made.other_copy + len(made.missing)
        text = f"{made.same} of {whole} clips are the same bytes, {made.other_copy} from another copy, {len(made.missing)} missing"
        console.print(f"{text}; written: {out}", markup=False, highlight=False, soft_wrap=True)
    return 0 if not made.missing else 1
