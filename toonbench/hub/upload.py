"""Upload a release: in commits, resumed with what is missing, and never over a repository of something else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from toonbench.hub.address import MAIN, checked_name, checked_revision
from toonbench.hub.client import Message, hub_api, is_missing, patiently, token_owner
from toonbench.hub.release import MARK, Release, ReleaseFile, batches
from toonbench.pool import OpenProgress, no_progress
from toonbench.types import ToonbenchError

if TYPE_CHECKING:
    from huggingface_hub import HfApi

INITIAL = frozenset({".gitattributes", "README.md"})  # files of a new repository
INITIAL_SITE = INITIAL | {"index.html", "style.css"}  # of a new static Space
ROUNDS = 5  # of comparing the repository with the release


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a release goes. `replace` allows a repository that holds another one, whose other files are removed."""

    repo: str
    private: bool = False
    revision: str = MAIN
    replace: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploaded:
    """What an upload did: the commit, how many files were sent in how many commits, and how many were there before."""

    repo: str
    commit: str
    sent: int
    commits: int
    present: int


@dataclass(frozen=True, slots=True)
class _Stored:
    """A file of the repository: its size, the sha256 of a large file, git's hash of any other."""

    size: int
    sha256: str
    blob: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Session:
    """One upload: the client, what, where, and where messages go."""

    api: HfApi
    release: Release
    target: Target
    message: Message

    def ask(self, name: str, **options: Any) -> Any:
        """A call of the client about the repository, tried patiently."""
        call = getattr(self.api, name)
        kind = self.release.kind
        return patiently(
            lambda: call(self.target.repo, repo_type=kind, **options), repo=self.target.repo, message=self.message
        )


def upload(
    release: Release, target: Target, *, message: Message = lambda _: None, progress: OpenProgress = no_progress
) -> Uploaded:
    """Send what the repository does not have yet, and return the commit at which it is complete.

    Raises ToonbenchError for a missing or refused token, a repository that holds something else, a file that changed since the release
    was made, and failures of the network or the server after several tries. A second call resumes.
    """
    checked_name(target.repo)
    checked_revision(target.revision)
    session = _Session(api=hub_api(), release=release, target=target, message=message)
    token_owner(session.api)
    is_new = _open_repository(session)
    sent = commits = 0
    stored = _tree(session)
    present = sum(_same(file, stored.get(file.path)) for file in release.files)
    with progress("uploading") as report:
        report(present, len(release.files))
        for _ in range(ROUNDS):
            missing = [file for file in release.files if not _same(file, stored.get(file.path))]
            stale = _stale(session, stored) if is_new or target.replace else []
            if not missing and not stale:
                return Uploaded(repo=target.repo, commit=_head(session), sent=sent, commits=commits, present=present)
            todo = list(batches(missing)) or [[]]
            # A resumed upload does not know that the branch was new; an earlier release stays whole as long as possible.
            removing = 0 if is_new else len(todo) - 1
            for number, batch in enumerate(todo):
                _commit(session, batch, removed=stale if number == removing else ())
                sent, commits = sent + len(batch), commits + 1
                report(min(sent + present, len(release.files)), len(release.files))
            is_new, stored = False, _tree(session)
    absent = [file.path for file in release.files if not _same(file, stored.get(file.path))]
    raise ToonbenchError(
        f"{target.repo}: the Hub does not keep {len(absent) or 'some'} files, for example {(absent or ['?'])[0]}, after {ROUNDS} tries: "
        "look for a .gitignore in it, or for someone who changes it, and run the command again"
    )


def _open_repository(session: _Session) -> bool:
    """Create the repository, or check that an existing one is empty or holds this release; return whether the branch is as new.

    A gated repository is gated before it has a file, and nothing of a repository that holds something else is changed.
    """
    release, target = session.release, session.target
    info = _info(session)
    if info is None:
        extra = {"space_sdk": "static"} if release.kind == "space" else {}
        session.ask("create_repo", private=target.private or None, exist_ok=True, **extra)
    elif target.private and not info.private:
        raise ToonbenchError(f"{target.repo}: it exists and is public; --private holds for new repositories only")
    is_new = _begin_branch(session) or _is_empty(session)
    is_gated = bool(getattr(info, "gated", False))
    if release.gated and not is_gated:
        session.ask("update_repo_settings", gated="auto")
        if info is not None:
            session.message(f"{target.repo}: readers must now ask for access, to all of its branches")
    elif is_gated and not release.gated:
        session.message(
            f"{target.repo}: readers must ask for access, as before; the Hub's page of its settings changes it"
        )
    return is_new


def _info(session: _Session) -> Any:
    """The repository, or None where it does not exist."""

    def look() -> Any:
        try:
            return session.api.repo_info(session.target.repo, repo_type=session.release.kind)
        except OSError as error:
            if is_missing(error):
                return None
            raise

    return patiently(look, repo=session.target.repo, message=session.message)


def _begin_branch(session: _Session) -> bool:
    """Create the branch of `--revision`; return whether it is as new: it has no commit of its own."""
    revision = session.target.revision
    if revision == MAIN:
        return False
    heads = {one.name: one.target_commit for one in session.ask("list_repo_refs").branches}
    if revision not in heads:
        session.ask("create_branch", branch=revision, exist_ok=True)
        return True
    return heads[revision] == heads.get(MAIN)


def _is_empty(session: _Session) -> bool:
    """Whether the branch holds no files of anyone. Raises ToonbenchError if it holds something else than (a part of) this release."""
    release, target = session.release, session.target
    paths = set(_tree(session))
    if paths <= (INITIAL_SITE if release.kind == "space" else INITIAL):
        return True
    if target.replace:
        return False
    held = _mark(session) if MARK in paths else {}
    if held.get("digest") == release.digest:
        return False
    what = (
        f"it holds another release ({held['name']})"
        if held.get("name")
        else f"it exists and holds {len(paths)} other files"
    )
    raise ToonbenchError(
        f"{target.repo}: {what}: give a new name, or --revision NAME for a branch, or --replace to remove what it holds"
    )


def _mark(session: _Session) -> Mapping[str, Any]:
    path = session.ask("hf_hub_download", filename=MARK, revision=session.target.revision)
    try:
        found: Any = json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError:
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _tree(session: _Session) -> dict[str, _Stored]:
    """The files of the branch."""

    def look() -> dict[str, _Stored]:
        found = session.api.list_repo_tree(
            session.target.repo, repo_type=session.release.kind, revision=session.target.revision, recursive=True
        )
        return {one.path: _stored(one) for one in found if hasattr(one, "blob_id")}

    return patiently(look, repo=session.target.repo, message=session.message)


def _stored(one: Any) -> _Stored:
    large = one.lfs
    return _Stored(int(one.size), str(large.sha256) if large else "", "" if large else str(one.blob_id))


def _same(file: ReleaseFile, stored: _Stored | None) -> bool:
    """Whether the repository has this content under this path."""
    if stored is None or stored.size != file.size:
        return False
    if stored.sha256:
        return stored.sha256 == file.sha256
    return stored.blob == _git_hash(file)


def _git_hash(file: ReleaseFile) -> str:
    """Git's name of a file's content, which is no protection against anyone, but how the Hub lists small files."""
    content = file.place.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _stale(session: _Session, stored: Mapping[str, _Stored]) -> list[str]:
    """Files of the branch that are not of this release."""
    kept = {file.path for file in session.release.files} | {".gitattributes"}
    return sorted(set(stored) - kept)


def _commit(session: _Session, batch: Sequence[ReleaseFile], *, removed: Sequence[str]) -> None:
    """Commit files, which are hashed before they are sent: a changed one is refused."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    release = session.release

    def operations() -> list[Any]:
        if gone := next((file.path for file in batch if not file.place.is_file()), ""):
            raise _Changed(gone)
        found: list[Any] = [CommitOperationAdd(file.path, str(file.place)) for file in batch]
        for file, one in zip(batch, found, strict=True):
            if one.upload_info.sha256.hex() != file.sha256:
                raise _Changed(file.path)
        return [*found, *(CommitOperationDelete(path, is_folder=False) for path in removed)]

    def send() -> None:
        session.api.create_commit(
            session.target.repo,
            operations(),
            repo_type=release.kind,
            revision=session.target.revision,
            commit_message=f"{release.what} {release.name}: {len(batch)} files",
        )

    try:
        patiently(send, repo=session.target.repo, message=session.message)
    except _Changed as error:
        raise ToonbenchError(
            f"{error.args[0]} changed after the release was made: make the dry run again, and look at its list"
        ) from None


class _Changed(Exception):
    """A file does not have the checksum of its release."""


def _head(session: _Session) -> str:
    return str(session.ask("repo_info", revision=session.target.revision).sha)
