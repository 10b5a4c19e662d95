"""Build a site from stored results: encode what is new, write what has changed, remove what is gone."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from toonbench.data import Dataset
from toonbench.pool import IN_PROCESS, Pool
from toonbench.report.entries import Entry
from toonbench.report.leaderboards import Leaderboard, leaderboards
from toonbench.report.site.clips import Clips, clips_of, references_of
from toonbench.report.site.data import Worst, batches_of, leaderboard_files, pair_file, write_pairs
from toonbench.report.site.folder import SiteFolder
from toonbench.report.site.media import FOLDER, Media, MediaStore, ShownFile
from toonbench.report.site.model import LeaderboardView, MethodView, PairRow, views
from toonbench.report.site.pages import Site, pages
from toonbench.types import ToonbenchError

TITLE = "toonbench results"
Shown = ShownFile | str  # a file, or why there is none


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A site: its first page, what it shows, and what the build did. `encoding` and `seconds` are times."""

    page: Path
    leaderboards: int
    runs: int
    pairs: int
    videos: int
    encoded: int
    written: int
    encoding: float
    seconds: float
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """What is shown of the pairs of a leaderboard: by pair and role, and by label and pair."""

    view: LeaderboardView
    clips: Clips
    roles: Mapping[str, Mapping[str, Shown]]
    videos: Mapping[tuple[str, str], Shown]


def build_site(
    entries: Sequence[Entry],
    out: Path,
    *,
    data: Sequence[Dataset] = (),
    title: str = TITLE,
    media: Path | None = None,
    pool: Pool = IN_PROCESS,
) -> Built:
    """Build the site of `entries` in `out`, a new folder or an earlier site; equal inputs give equal bytes.

    `data` are data sets for clips that are not shipped. `media` is where encoded videos are kept, by default in the site itself.
    Raises ToonbenchError for a folder that holds other files, and for no entries.
    """
    started = time.perf_counter()
    if not entries:
        raise ToonbenchError("no runs are given: give the folder of a run, or a folder of runs")
    folder = SiteFolder(out)
    store = MediaStore(media or out / FOLDER, pool=pool)
    plans, encoded, encoding = _encoded(entries, data, folder=folder, store=store)
    worst = _written_pairs(plans, encoded, folder=folder, pool=pool)
    notes = {plan.view.slug: [plan.clips.reason] if plan.clips.reason else [] for plan in plans}
    _write_pages(Site(title=title, leaderboards=[plan.view for plan in plans], worst=worst, notes=notes), folder)
    folder.finish()
    return Built(
        page=out / _first_page(plans),
        leaderboards=len(plans),
        runs=len(entries),
        pairs=sum(len(plan.view.pairs) for plan in plans),
        videos=len({one.key for one in encoded.values()}),
        encoded=store.encoded,
        written=folder.written + sum(one.written for leaderboard in worst.values() for one in leaderboard.values()),
        encoding=encoding,
        seconds=time.perf_counter() - started,
        notes=tuple(dict.fromkeys(note for lines in notes.values() for note in lines)),
    )


def _encoded(
    entries: Sequence[Entry], data: Sequence[Dataset], *, folder: SiteFolder, store: MediaStore
) -> tuple[list[_Plan], Mapping[ShownFile, Media], float]:
    """What is shown, with ranks, which are computed while few new videos are encoded; and the time that videos took."""
    sets = _Sets(data)
    files = [one for view in views(leaderboards(entries, ranks=False)) for one in _files(_plan(view, sets))]
    started = time.perf_counter()
    keys = store.keys(files)
    folder.announce(name for key in keys.values() for name in (f"{FOLDER}/{key}.jpg", f"{FOLDER}/{key}.mp4"))
    coming = store.start(keys)
    seconds = time.perf_counter() - started
    plans = [_plan(view, sets) for view in views(leaderboards(entries, references=references_of(data)))]
    started = time.perf_counter()
    encoded = coming.result()
    store.publish([*encoded.values()], folder.root / FOLDER)
    return plans, encoded, seconds + time.perf_counter() - started


def _written_pairs(
    plans: Sequence[_Plan], encoded: Mapping[ShownFile, Media], *, folder: SiteFolder, pool: Pool
) -> dict[str, Mapping[str, Worst]]:
    """Write the data of all pairs; return the worst frames by leaderboard and pair."""
    folder.announce(pair_file(plan.view, pair.pair) for plan in plans for pair in plan.view.pairs)
    return {plan.view.slug: _write_pairs(plan, encoded, out=folder.root, pool=pool) for plan in plans}


def _write_pages(site: Site, folder: SiteFolder) -> None:
    files = pages(site)
    for view in site.leaderboards:
        files |= leaderboard_files(view)
    folder.announce(files)
    for name, content in files.items():
        folder.write(name, content)


def _first_page(plans: Sequence[_Plan]) -> str:
    return f"leaderboards/{plans[0].view.slug}/index.html" if len(plans) == 1 else "index.html"


class _Sets:
    """The clips of leaderboards; each data set is opened once."""

    def __init__(self, given: Sequence[Dataset]) -> None:
        self._given = given
        self._found: dict[tuple[str, str, str], Clips] = {}

    def of(self, one: Leaderboard) -> Clips:
        """The clips of a leaderboard."""
        key = (one.data, one.task, str(one.about.get("data_fingerprint")))
        if key not in self._found:
            self._found[key] = clips_of(one, self._given)
        return self._found[key]


def _plan(view: LeaderboardView, sets: _Sets) -> _Plan:
    clips = sets.of(view.leaderboard)
    return _Plan(
        view=view,
        clips=clips,
        roles={pair.pair: clips.files(pair.source, pair.driving) for pair in view.pairs},
        videos={(one.label, pair.pair): _video(one, pair) for one in view.methods for pair in view.pairs},
    )


def _video(method: MethodView, pair: PairRow) -> Shown:
    """The video of a method for a pair, or why there is none."""
    row = method.rows.get(pair.pair)
    name = pair.pair
    if (
        "/" in name or "\\" in name or "\0" in name or name in ("", ".", "..")
    ):  # a changed scores.csv must not name other files
        return "the name of this pair cannot be that of a file"
    path = method.entry.run.video(name)
    if path.is_file():
        return ShownFile(path=path)
    try:
        reason = method.entry.run.reason(name)
    except ToonbenchError as error:
        reason = str(error)
    if row is None:
        return reason or "this run does not have this pair"
    return row.failure or reason or "the video is missing: the run's folder holds its scores only"


def _files(plan: _Plan) -> list[ShownFile]:
    shown = [one for roles in plan.roles.values() for one in roles.values()] + [*plan.videos.values()]
    return [one for one in shown if isinstance(one, ShownFile)]


def _write_pairs(plan: _Plan, encoded: Mapping[ShownFile, Media], *, out: Path, pool: Pool) -> Mapping[str, Worst]:
    def media(one: Shown) -> Media | str:
        return one if isinstance(one, str) else encoded.get(one, "the file is gone")

    roles = {pair: {role: media(one) for role, one in found.items()} for pair, found in plan.roles.items()}
    videos = {key: media(one) for key, one in plan.videos.items()}
    return write_pairs(batches_of(plan.view, out=out, clips=roles, videos=videos, skip=plan.clips.skip), pool=pool)
