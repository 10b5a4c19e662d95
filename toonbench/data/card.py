"""The data card of a data set: `README.md` and index files, with which `datasets.load_dataset(DIR)` reads the folder as it is.

The library loads all configurations of a folder with one of its builders, which it chooses by the files of the first one; the paths in an
index file are relative to its folder and stay inside it. So the index files are beside the tables: `clips-<split>.parquet`,
`images-<split>.parquet`, `targets-<split>.parquet`. In a set with videos, that builder resolves paths of videos only; its index of images
contains the bytes of the images, and an empty column of videos, which the builder asks for. A release also has `previews-<split>.parquet`.

The card changes neither the tables nor the fingerprint of the set.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from toonbench.data.table import CLIPS, TARGETS, Column, Row, Table
from toonbench.store import write_bytes, writing
from toonbench.text import legible
from toonbench.types import ToonbenchError

CARD = "README.md"
INDEX = re.compile(r"(?:clips|images|targets|previews)-\w+\.parquet")
VIDEOS = (".mkv", ".mp4", ".avi", ".mpeg", ".mov")  # by which the library knows a video
UNSPLIT = "train"  # the library's name of the only split
HUB_LICENCES = frozenset(
    {
        "apache-2.0", "cc-by-2.0", "cc-by-3.0", "cc-by-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0",
        "cc0-1.0", "mit",
    }
)  # fmt: skip
BLOCK = 100  # rows in memory while images are written
LOADING = """
## Load it with `datasets`

`pip install datasets torchcodec` (torchcodec needs the libraries of FFmpeg), then{path}:

```python
from datasets import load_dataset

{lines}
```

`streaming=True` works, too, and so does a copy of the folder in another place.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Config:
    """A configuration: its rows with a column `file`, and how they are stored."""

    name: str
    rows: Sequence[Row]
    columns: Sequence[Column]
    embedded: bool = False

    def splits(self) -> dict[str, list[Row]]:
        """The rows of each split; train is the first."""
        found: dict[str, list[Row]] = {}
        for row in self.rows:
            found.setdefault(split_name(row.get("split", "")), []).append(row)
        return {name: found[name] for name in sorted(found, key=lambda name: (name != "train", name))}

    def index(self, split: str) -> str:
        return f"{self.name}-{split}.parquet"

    def patterns(self) -> list[str]:
        """Patterns of the files. A single file is listed twice, to outnumber the index: the library counts names to choose a builder."""
        if self.embedded:
            return []
        folders = sorted({str(PurePosixPath(row["file"]).parent) for row in self.rows})
        found = ["*" if folder == "." else f"{folder}/*" for folder in folders]
        return [*found, *(f"{pattern}*" for pattern in found if len(self.rows) == 1)]


def write_card(
    root: Path,
    text: str,
    *,
    title: str,
    previews: Mapping[str, str] | None = None,
    front: Sequence[str] = (),
    place: str = "",
    revision: str = "",
) -> None:
    """Write the card of the data set in the folder `root` from its tables: `text` (Markdown), how to load it, and the index files.

    `previews` has the path of a viewable copy for paths of videos; `front` are further lines for the Hub (YAML); `place` is the name
    under which the set is loaded, instead of a path, and `revision` its branch. Index files of earlier calls are replaced.
    Raises ToonbenchError for a set without clips, or with videos that the library does not know by their names.
    """
    rows, targets = CLIPS.read(root), TARGETS.read(root) if TARGETS.is_in(root) else []
    configs = _configs(root, rows, targets, previews or {})
    written = {_write_index(root, config, split) for config in configs for split in config.splits()}
    for path in root.glob("*.parquet"):
        if INDEX.fullmatch(path.name) and path.name not in written:
            path.unlink()
    above = "\n".join(["---", *front, *_front(configs, rows, title=title), "---"])
    loading = LOADING.format(
        lines=_example(configs, place or "DIR", revision=revision),
        path=", with the path of this folder" if not place else "",
    )
    write_bytes(root / CARD, f"{above}\n\n{text.strip()}\n{loading}".encode())


def remove_card(root: Path) -> None:
    """Remove the card and the index files: the tables of the set have changed."""
    for path in [root / CARD, *root.glob("*.parquet")]:
        if path.name == CARD or INDEX.fullmatch(path.name):
            path.unlink(missing_ok=True)


def split_name(split: str) -> str:
    """A split as the library may call it: letters, digits and `_`; `train` for clips without a split."""
    name = re.sub(r"\W", "_", split) or UNSPLIT
    return "all_" if name == "all" else name


def _configs(root: Path, rows: Sequence[Row], targets: Sequence[Row], previews: Mapping[str, str]) -> list[_Config]:
    """The configurations, of which the first one is the default."""
    videos = [row for row in rows if row["kind"] == "video"]
    images = [row for row in rows if row["kind"] == "image"]
    if not rows:
        raise ToonbenchError(f"{root}: a data card needs clips, and {CLIPS.file} has none: add videos or images")
    films = [row["file"] for row in (*videos, *targets)]
    if unknown := [file for file in films if not file.lower().endswith(VIDEOS)]:
        raise ToonbenchError(
            f"{root}: datasets.load_dataset does not read {len(unknown)} of {len(films)} videos, for example "
            f"{unknown[0]}: write them as {' '.join(VIDEOS)}"
        )
    configs = [_Config(name="clips", rows=videos, columns=_columns(CLIPS, videos))] if videos else []
    if images:
        configs.append(_Config(name="images", rows=images, columns=_columns(CLIPS, images), embedded=bool(videos)))
    if targets and videos:
        shown = [_with_clips(row, {row["id"]: row for row in rows}) for row in targets]
        about = [column for column in CLIPS.columns if column.name in ("domain", "identity", "licence", "split")]
        configs.append(_Config(name="targets", rows=shown, columns=[*_columns(TARGETS, shown), *about]))
    if viewable := [{**row, "file": previews[row["file"]]} for row in videos if row["file"] in previews]:
        configs.append(_Config(name="previews", rows=viewable, columns=_columns(CLIPS, viewable)))
    return configs


def _columns(table: Table, rows: Sequence[Row]) -> list[Column]:
    """The columns that any row has, without the file."""
    return [column for column in table.columns if column.name != "file" and any(column.name in row for row in rows)]


def _with_clips(target: Row, clips: Mapping[str, Row]) -> Row:
    """The row of a target, with whom it shows and the split of its driving video."""
    source, driving = clips.get(target["source"], {}), clips.get(target["driving"], {})
    about = {name: source[name] for name in ("domain", "identity", "licence") if name in source}
    return {**target, **about, "split": driving.get("split", "")}


def _write_index(root: Path, config: _Config, split: str) -> str:
    """Write the index file of a split, and return its name."""
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    kinds = {str: pa.string(), int: pa.int64(), float: pa.float64()}
    fields = [pa.field(column.name, kinds[column.kind]) for column in config.columns]
    if config.embedded:
        media = [
            pa.field("image", pa.struct({"bytes": pa.binary(), "path": pa.string()})),
            pa.field("video_file_name", pa.string()),
        ]
    else:
        media = [pa.field("file_name", pa.string())]
    schema = pa.schema([*media, *fields], metadata=_features(config) if config.embedded else None)
    name, rows = config.index(split), config.splits()[split]
    with writing(root / name) as temporary, ParquetWriter(temporary, schema) as file:
        for start in range(0, len(rows), BLOCK):
            block = [_cells(root, row, config) for row in rows[start : start + BLOCK]]
            file.write_table(pa.Table.from_pylist(block, schema=schema))
    return name


def _cells(root: Path, row: Row, config: _Config) -> dict[str, Any]:
    cells = {column.name: row.get(column.name) for column in config.columns}
    if not config.embedded:
        return {"file_name": row["file"], **cells}
    path = root / row["file"]
    return {"image": {"bytes": path.read_bytes(), "path": path.name}, "video_file_name": None, **cells}


def _features(config: _Config) -> dict[str, str]:
    """The types of an index with embedded images, in the words of the library."""
    words = {str: "string", int: "int64", float: "float64"}
    features: dict[str, Any] = {"image": {"_type": "Image"}, "video_file_name": {"dtype": "string", "_type": "Value"}}
    features |= {column.name: {"dtype": words[column.kind], "_type": "Value"} for column in config.columns}
    return {"huggingface": json.dumps({"info": {"features": features}})}


def _front(configs: Sequence[_Config], rows: Sequence[Row], *, title: str) -> Iterator[str]:
    """The lines of the card that the library and the Hub read (YAML)."""
    licences = {row.get("licence", "") for row in rows}
    licence = licences.pop() if len(licences) == 1 else "other"
    yield f"license: {_hub_licence(licence)}"
    yield f"pretty_name: {json.dumps(legible(title), ensure_ascii=False)}"
    yield "tags: [toonbench, face-reenactment]"
    yield "configs:"
    for number, config in enumerate(configs):
        yield f"- config_name: {config.name}"
        yield from ["  default: true"] if number == 0 else []
        yield f"  metadata_filenames: {json.dumps([config.index(split) for split in config.splits()])}"
        yield "  data_files:"
        for split in config.splits():
            yield f"  - split: {json.dumps(split)}"
            yield f"    path: {json.dumps([config.index(split), *config.patterns()])}"


def _hub_licence(text: str) -> str:
    return text.lower() if text.lower() in HUB_LICENCES else "other" if text else "unknown"


def _example(configs: Sequence[_Config], place: str, *, revision: str) -> str:
    """Python that loads every configuration."""
    kind = "video" if configs[0].name == "clips" else "image"
    branch = f', revision="{revision}"' if revision else ""
    splits = {config.name: f'split="{next(iter(config.splits()))}"{branch}' for config in configs}
    lines = [f'{configs[0].name} = load_dataset("{place}", {splits[configs[0].name]})  # one row for each {kind}']
    if kind == "video":
        lines.append('frame = clips[0]["video"][0]  # the first frame: (3, height, width), uint8')
    lines += [
        f'{config.name} = load_dataset("{place}", "{config.name}", {splits[config.name]})' for config in configs[1:]
    ]
    return "\n".join(lines)
