"""Data sets and weights from the Hub, in its client's cache, pinned to a commit. Only formats that cannot run code are read."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from toonbench.hub.address import Address, Kind, is_address, parse
from toonbench.hub.client import hub_api, patiently
from toonbench.store import read_json
from toonbench.types import ToonbenchError

if TYPE_CHECKING:
    from huggingface_hub import HfApi

TABLES = ("metadata.parquet", "targets.parquet", "failures.parquet", "about.json", "release.json", "SHA256SUMS")
MEDIA = (".mkv", ".mp4", ".avi", ".mpeg", ".mov", ".webm", ".png", ".jpg", ".jpeg")
DATA = [*TABLES, *(f"*{ending}" for ending in MEDIA), "motion/*.npz"]
NOT_DATA = ["previews/*", "card/*"]
WEIGHTS = ".safetensors"


@cache
def data_folder(spec: str) -> Path:
    """The folder of the data set `hf:ORG/NAME@REV`, downloaded. Raises ToonbenchError where there is none."""
    address = parse(spec)
    if address.file:
        raise ToonbenchError(f"{spec}: give the repository of a data set, hf:ORG/NAME@REV, without a file")
    api = hub_api()
    commit = pinned(api, address, kind="dataset")

    def download() -> str:
        return api.snapshot_download(
            address.repo, repo_type="dataset", revision=commit, allow_patterns=DATA, ignore_patterns=NOT_DATA
        )

    root = Path(patiently(download, repo=address.repo))
    if not (root / TABLES[0]).is_file():
        raise ToonbenchError(
            f"{spec}: it is no data set of toonbench, because {TABLES[0]} is missing; a release of a list only has clips after "
            "`toonbench rebuild`"
        )
    return root


def checkpoint_file(path: Path | None) -> Path | None:
    """`path` itself; for `hf:ORG/NAME[/file]@REV`, the downloaded file of weights. Raises ToonbenchError where there is none."""
    if path is None or not is_address(path.as_posix()):
        return path
    return weights_file(path.as_posix())


@cache
def weights_file(spec: str) -> Path:
    """The file of weights `hf:ORG/NAME[/file]@REV`, downloaded. Raises ToonbenchError where there is none, or it is no safetensors."""
    address = parse(spec)
    api = hub_api()
    commit = pinned(api, address, kind="model")
    file = address.file or _only_weights(api, address, commit)
    if not file.endswith(WEIGHTS):
        raise ToonbenchError(
            f"{spec}: weights from the Hub are read as *{WEIGHTS} only, because other formats can run code; give such a file"
        )

    def download() -> str:
        return api.hf_hub_download(address.repo, file, revision=commit)

    return Path(patiently(download, repo=address.repo))


def manifest_file(path: Path) -> Path:
    """`path` itself; for `hf:ORG/NAME@REV`, the downloaded list of clips that was published without them."""
    if not is_address(path.as_posix()):
        return path
    address = parse(path.as_posix())
    api = hub_api()
    commit = pinned(api, address, kind="dataset")

    def download() -> str:
        return api.hf_hub_download(address.repo, "manifest.json", repo_type="dataset", revision=commit)

    return Path(patiently(download, repo=address.repo))


def pinned(api: HfApi, address: Address, *, kind: Kind) -> str:
    """The commit that a revision is at. A full commit needs no request."""
    if len(address.revision) == 40 and not set(address.revision) - set("0123456789abcdef"):
        return address.revision
    call = {"dataset": api.dataset_info, "model": api.model_info, "space": api.space_info}[kind]
    info = patiently(lambda: call(address.repo, revision=address.revision), repo=address.repo)
    return str(info.sha)


def _only_weights(api: HfApi, address: Address, commit: str) -> str:
    files = patiently(lambda: api.list_repo_files(address.repo, revision=commit), repo=address.repo)
    found = [file for file in files if file.endswith(WEIGHTS)]
    if len(found) == 1:
        return found[0]
    what = f"it has {len(found)} files *{WEIGHTS}: name one" if found else f"it has no file *{WEIGHTS}"
    raise ToonbenchError(f"{address.repo}: {what}, as in hf:ORG/NAME/file{WEIGHTS}@REV")


def published(spec: str) -> tuple[Address, Mapping[str, Any]]:
    """The release of a data set, ORG/NAME or ORG/NAME@REV: its address at a commit, and its release.json."""
    address = parse(spec)
    api = hub_api()
    commit = pinned(api, address, kind="dataset")

    def download() -> str:
        return api.hf_hub_download(address.repo, "release.json", repo_type="dataset", revision=commit)

    content: Any = read_json(Path(patiently(download, repo=address.repo)))
    about = cast("dict[str, Any]", content) if isinstance(content, dict) else {}
    return Address(address.repo, "", commit), about
