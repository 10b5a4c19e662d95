"""`publish`: data sets, weights, results and sites on the Hugging Face Hub."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from toonbench.commands.shared import Paths, Processes, Terminal, open_data
from toonbench.types import ToonbenchError

if TYPE_CHECKING:
    from toonbench.data.folder import Dataset
    from toonbench.hub.eval_files import Benchmark
    from toonbench.hub.release import Release, What
    from toonbench.hub.upload import Target, Uploaded

GATED: dict[str, bool | None] = {"auto": None, "yes": True, "no": False}


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Publishing:
    """Where and how something is published."""

    private: Annotated[bool, Parameter(negative="")] = False
    """Make the repository private, if it is new."""
    revision: str = "main"
    """The branch of the repository; it is created if it does not exist."""
    replace: Annotated[bool, Parameter(negative="")] = False
    """Replace what an existing repository or branch holds; its other files are removed."""
    dry_run: Annotated[bool, Parameter(negative="")] = False
    """List every file with its size, without the network; a later upload refuses files that changed since."""
    out: Path | None = None
    """Make the folder of the repository here, complete; by default in the user's cache, with links to the clips."""


def dataset(
    repo: str,
    *,
    data: str,
    licence: str = "",
    consent: str = "",
    gated: Literal["auto", "yes", "no"] = "auto",
    manifest_only: Annotated[bool, Parameter(negative="")] = False,
    publishing: Publishing | None = None,
    processes: Processes | None = None,
    terminal: Terminal | None = None,
) -> int:
    """Publish a data set: lossless clips, previews, tables, and a data card.

    Parameters
    ----------
    repo
        The repository, ORG/NAME.
    data
        The folder of a data set, or a shipped data set.
    licence
        The licence of clips whose table states none. Clips without a licence are refused.
    consent
        How the persons who are shown agreed, in a sentence for the data card.
    gated
        Whether readers must ask for access; auto asks where real faces are shown. Puppets are no persons.
    manifest_only
        Publish only the list of clips, from which `toonbench rebuild` makes them, for films that may not be shared.
    """
    from toonbench.hub.dataset import Statements, prepare_dataset

    terminal, to = terminal or Terminal(), publishing or Publishing()
    target = _target(repo, to)
    if manifest_only and (licence or consent):
        raise ToonbenchError(
            "--licence and --consent are about clips, which --manifest-only does not publish: leave them out"
        )
    pool = terminal.pool(processes or Processes(), writes=[to.out] if to.out else [])
    opened = open_data(data, terminal=terminal, pool=pool)
    if manifest_only:
        return _publish_list(opened, target, to, gated=GATED[gated] or False, terminal=terminal)
    stated = Statements(licence=licence, consent=consent, gated=GATED[gated])
    folder, copy = _folder("dataset", repo, to), to.out is not None
    release = prepare_dataset(opened, folder, repo=repo, revision=to.revision, statements=stated, copy=copy, pool=pool)
    return _publish(release, target, to, terminal=terminal)


def _publish_list(data: Dataset, target: Target, to: Publishing, *, gated: bool, terminal: Terminal) -> int:
    from toonbench.hub.manifest_only import prepare_list

    folder = _folder("list", target.repo, to)
    release = prepare_list(data, folder, repo=target.repo, revision=to.revision, gated=gated)
    return _publish(release, target, to, terminal=terminal)


def weights(
    repo: str,
    *,
    checkpoint: Path,
    licence: str,
    method: str = "toontalker",
    runs: Paths = None,
    dataset: str = "",
    card: Path | None = None,
    publishing: Publishing | None = None,
    terminal: Terminal | None = None,
) -> int:
    """Publish weights in safetensors, with a model card.

    Parameters
    ----------
    repo
        The repository, ORG/NAME.
    checkpoint
        The file of weights, as `toonbench train` writes it.
    licence
        The licence of the weights, for example apache-2.0.
    method
        The method that reads the weights.
    runs
        Folders of runs of these weights, or entries of leaderboards: their results are in the card.
    dataset
        The repository of the data set of these runs, ORG/NAME or ORG/NAME@REV: the Hub then shows the results on its leaderboard.
    card
        A Markdown file about the weights, which becomes a part of the model card.
    """
    from toonbench.hub.weights import Model, prepare_weights

    terminal, to = terminal or Terminal(), publishing or Publishing()
    target = _target(repo, to)
    model = Model(
        checkpoint=checkpoint,
        method=method,
        licence=licence,
        runs=tuple(runs or ()),
        benchmark=_benchmark(dataset) if dataset else None,
        card=card,
    )
    folder, copy = _folder("weights", repo, to), to.out is not None
    release = prepare_weights(model, folder, repo=repo, revision=to.revision, copy=copy)
    return _publish(release, target, to, terminal=terminal)


def results(
    repo: str,
    *runs: Path,
    licence: str = "cc0-1.0",
    publishing: Publishing | None = None,
    terminal: Terminal | None = None,
) -> int:
    """Publish stored results as tables that `datasets.load_dataset` reads, without videos.

    Parameters
    ----------
    repo
        The repository, ORG/NAME.
    runs
        Folders of runs, or of entries of leaderboards.
    licence
        The licence of the tables.
    """
    from toonbench.hub.results import prepare_results

    terminal, to = terminal or Terminal(), publishing or Publishing()
    target = _target(repo, to)
    folder = _folder("results", repo, to)
    release = prepare_results(runs, folder, repo=repo, revision=to.revision, licence=licence)
    return _publish(release, target, to, terminal=terminal)


def site(
    repo: str,
    folder: Path,
    *,
    publishing: Publishing | None = None,
    terminal: Terminal | None = None,
) -> int:
    """Publish a site of `toonbench site` as a static Space.

    Parameters
    ----------
    repo
        The Space, ORG/NAME.
    folder
        The --out of `toonbench site`.
    """
    from toonbench.hub.site import prepare_site

    terminal, to = terminal or Terminal(), publishing or Publishing()
    target = _target(repo, to)
    release = prepare_site(folder, _folder("site", repo, to), repo=repo, copy=to.out is not None)
    return _publish(release, target, to, terminal=terminal)


def _target(repo: str, to: Publishing) -> Target:
    """Where the release goes. Raises ToonbenchError for a name that the Hub does not allow."""
    from toonbench.hub.address import checked_name, checked_revision
    from toonbench.hub.upload import Target

    return Target(
        repo=checked_name(repo), private=to.private, revision=checked_revision(to.revision), replace=to.replace
    )


def _folder(what: What, repo: str, to: Publishing) -> Path:
    """The folder of the release."""
    from toonbench.data.open import cache_folder
    from toonbench.store import safe_name

    return (
        to.out
        if to.out is not None
        else cache_folder() / "hub" / safe_name(f"{what}-{repo.replace('/', '--')}-{to.revision}")
    )


def _benchmark(spec: str) -> Benchmark:
    """The published data set of results, by its address."""
    from toonbench.hub.eval_files import Benchmark
    from toonbench.hub.fetch import published

    address, about = published(spec)
    return Benchmark(repo=address.repo, commit=address.revision, fingerprint=str(about.get("fingerprint", "")))


def _publish(release: Release, target: Target, to: Publishing, *, terminal: Terminal) -> int:
    from toonbench.hub.release import refuse_changes, remember
    from toonbench.hub.upload import upload

    for note in release.notes:
        terminal.message(f"note: {note}")
    if to.dry_run:
        remember(release)
        return _show_files(release, target, terminal=terminal)
    refuse_changes(release)
    done = upload(release, target, message=terminal.message, progress=terminal.progress)
    return _show_upload(done, release, terminal=terminal)


def _show_files(release: Release, target: Target, *, terminal: Terminal) -> int:
    """Every file and its size, and the counts that the Hub limits."""
    from toonbench.hub.release import COMMIT, FOLDER, batches, fullest_folder
    from toonbench.store import to_json

    console = terminal.start()
    commits = list(batches(release.files))
    name, most = fullest_folder(release.files)
    if terminal.json:
        about = {
            "repository": target.repo, "kind": release.kind, "folder": release.folder, "gated": release.gated, "bytes": release.size,
            "digest": release.digest, "commits": [len(batch) for batch in commits], "fullest_folder": {"name": name, "files": most},
            "files": [{"path": one.path, "bytes": one.size, "sha256": one.sha256} for one in release.files],
        }  # fmt: skip
        console.out(to_json(about), end="")
        return 0
    for one in release.files:
        console.print(f"{one.size:>13,}  {one.path}", markup=False, soft_wrap=True)
    folders = Counter(one.path.rpartition("/")[0].partition("/")[0] or "." for one in release.files)
    counted = ", ".join(f"{folder} {count:,}" for folder, count in sorted(folders.items()))
    console.print(f"{len(release.files):,} files, {release.size:,} bytes ({counted})", markup=False, soft_wrap=True)
    console.print(
        f"commits: {len(commits)}, of at most {COMMIT} files; at most {most:,} files in a folder ({name}; limit {FOLDER:,})",
        markup=False,
        soft_wrap=True,
    )
    asked = "; readers must ask for access" if release.gated else ""
    console.print(
        f"{release.kind} {target.repo}, branch {target.revision}{asked}; nothing was sent", markup=False, soft_wrap=True
    )
    console.print(f"folder: {release.folder}", markup=False, soft_wrap=True)
    return 0


def _show_upload(done: Uploaded, release: Release, *, terminal: Terminal) -> int:
    from dataclasses import asdict

    from toonbench.store import to_json

    console = terminal.start()
    if terminal.json:
        console.out(to_json({**asdict(done), "files": len(release.files), "bytes": release.size}), end="")
        return 0
    terminal.message(
        f"{done.sent} files sent in {done.commits} commits; {done.present} of {len(release.files)} were there"
    )
    place = {"model": "", "dataset": "datasets/", "space": "spaces/"}[release.kind]
    console.print(f"{place}{done.repo} is complete at commit {done.commit}", markup=False, soft_wrap=True)
    if release.what == "dataset":
        console.print(f"read it: --data hf:{done.repo}@{done.commit}", markup=False, soft_wrap=True)
    if release.what == "weights":
        console.print(f"read them: --checkpoint hf:{done.repo}@{done.commit}", markup=False, soft_wrap=True)
    return 0
