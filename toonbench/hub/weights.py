"""Weights as a release: safetensors, a model card, and results in the form of the Hub's leaderboards."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from toonbench.data.card import CARD
from toonbench.hub.address import MAIN, Address
from toonbench.hub.eval_files import RESULTS, Benchmark, eval_results
from toonbench.hub.layout import plain
from toonbench.hub.measured import by_task, stored_results
from toonbench.hub.release import Release, drop_others, own_release_folder, place, release_of
from toonbench.hub.texts import FRONT, MISUSE, licence_lines, quoted, safe, states_licence, table
from toonbench.registry import refuse_unknown_method
from toonbench.report.entries import Entry
from toonbench.store import write_bytes
from toonbench.types import ToonbenchError
from toonbench.weights.checkpoints import file_digest
from toonbench.weights.trained import read_about, trained_facts

ENDING = ".safetensors"
CONFIGURATION = 4_000  # characters of a configuration in the card


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What is published: a file of weights, the method that reads it, the licence, runs of these weights, their data set, and text."""

    checkpoint: Path
    method: str
    licence: str
    runs: Sequence[Path] = ()
    benchmark: Benchmark | None = None
    card: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Card:
    """What the card shows."""

    repo: str
    model: Model
    revision: str
    file: str
    sha256: str
    size: int
    about: Mapping[str, Any]
    entries: Sequence[Entry] = field(default=())


def prepare_weights(model: Model, folder: Path, *, repo: str, revision: str = MAIN, copy: bool = True) -> Release:
    """Make the release of weights in `folder`.

    Raises ToonbenchError for a file in another format, a missing licence, an unknown method, and runs of other weights or on other data.
    """
    path = model.checkpoint
    _refuse_file(path)
    refuse_unknown_method(model.method)
    own_text = _own_text(model.card)
    if not states_licence(model.licence):
        raise ToonbenchError("weights need a licence: give --licence, for example apache-2.0")
    file, sha256 = plain(path.name), file_digest(path)
    own_release_folder(folder)
    place(path, folder / file, copy=copy)
    notes: list[str] = []
    at = Address(repo, revision=revision)
    if model.runs:
        with stored_results(model.runs) as entries:
            own = _of_weights(entries, sha256, path)
            found = eval_results(own, model.benchmark) if model.benchmark else ""
            card = _card_of(at, model, file, sha256, own)
    else:
        found, card = "", _card_of(at, model, file, sha256, ())
        notes.append("the card has no results: give the folders of runs of these weights as --runs")
    if model.runs and not model.benchmark:
        notes.append(
            "the Hub's leaderboards show no results: give the repository of their data set as --dataset ORG/NAME"
        )
    write_bytes(folder / CARD, _text(card, own_text).encode())
    if found:
        write_bytes(folder / RESULTS, found.encode())
    drop_others(folder, [file, CARD, *([RESULTS] if found else [])])
    about = {"method": model.method, "sha256": sha256}
    return release_of(folder, what="weights", name=path.stem, about=about, notes=notes)


def _refuse_file(path: Path) -> None:
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise ToonbenchError(f"{path}: no such file; give weights as *{ENDING}")
    if path.suffix != ENDING:
        raise ToonbenchError(
            f"{path}: weights are published as *{ENDING} only, because other formats can run code; `toonbench train` writes them"
        )
    try:
        with safe_open(path, framework="np") as file:
            names = list(file.keys())
    except (SafetensorError, OSError) as error:
        raise ToonbenchError(f"{path}: it cannot be read as safetensors ({error}); get the file again") from error
    if not names:
        raise ToonbenchError(f"{path}: it has no tensors; get the file again")


def _of_weights(entries: Sequence[Entry], sha256: str, path: Path) -> list[Entry]:
    """The runs of these weights."""
    own = [entry for entry in entries if entry.checkpoint.get("sha256") == sha256]
    if not own:
        raise ToonbenchError(
            f"none of {len(entries)} runs used {path.name} (sha256 {sha256[:12]}...): give the runs of these weights"
        )
    return own


def _own_text(card: Path | None) -> str:
    """What the publisher wrote about the weights, in Markdown, without its front matter."""
    if card is None:
        return ""
    if not card.is_file():
        raise ToonbenchError(f"{card}: no such file; give the text of the card in Markdown")
    try:
        return FRONT.sub("", card.read_text(encoding="utf-8")).strip()
    except UnicodeDecodeError as error:
        raise ToonbenchError(f"{card} is no text in UTF-8: give the text of the card in Markdown") from error


def _card_of(at: Address, model: Model, file: str, sha256: str, entries: Sequence[Entry]) -> _Card:
    path = model.checkpoint
    return _Card(
        repo=at.repo, revision=at.revision, model=model, file=file, sha256=sha256, size=path.stat().st_size, about=_about(path),
        entries=entries,
    )  # fmt: skip


def _about(path: Path) -> dict[str, Any]:
    """What the file states about its training: in the form of `toonbench train`, or as JSON under another name."""
    from safetensors import safe_open

    if about := read_about(path):
        return about
    with safe_open(path, framework="np") as file:
        metadata: dict[str, str] = file.metadata() or {}
    for text in metadata.values():
        try:
            found: Any = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            return cast("dict[str, Any]", found)
    return {}


def _text(card: _Card, own_text: str) -> str:
    return "\n".join([*_front(card), *_head(card), *_training(card, own_text), *_results(card), MISUSE])


def _front(card: _Card) -> Iterator[str]:
    yield "---"
    yield from licence_lines(card.model.licence)
    yield "library_name: toonbench"
    yield "pipeline_tag: image-to-video"
    yield f"tags: [toonbench, face-reenactment, {quoted(card.model.method)}]"
    if card.model.benchmark:
        yield f"datasets: [{quoted(card.model.benchmark.repo)}]"
    yield from ("---", "")


def _head(card: _Card) -> list[str]:
    return [
        f"# {safe(card.repo.partition('/')[2])}",
        "",
        f"Weights of the method `{card.model.method}` for face reenactment. Licence: {safe(card.model.licence)}.",
        "",
        "```sh",
        "pip install 'toonbench[hub]'",
        f"toonbench eval --method {card.model.method} --checkpoint {Address(card.repo, card.file, card.revision)}",
        "```",
        "",
        *table(["file", "bytes", "sha256"], [(card.file, card.size, card.sha256)]),
    ]


def _training(card: _Card, own_text: str) -> Iterator[str]:
    facts = trained_facts(card.about)
    found: Any = card.about.get("trained_on")
    clips: Mapping[str, Any] = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
    yield from ("## Training", "")
    if own_text:
        yield from (re.sub(r"^(#+) ", r"##\1 ", own_text, flags=re.MULTILINE), "")
    if not facts and not clips:
        yield from ("The file does not state how it was trained.", "")
        return
    data: Any = clips.get("data")
    names = ", ".join(map(str, cast("list[Any]", data))) if isinstance(data, list) else "not stated"
    rows = [(key.replace("_", " "), value) for key, value in facts.items()]
    yield from table(
        ["", ""], [*rows, ("training data", names), ("training clips", str(clips.get("clips", "not stated")))]
    )
    if clips:
        yield from ("`toonbench eval` refuses pairs with a clip of the training data, which the file lists.", "")
    if isinstance(training := card.about.get("training"), dict):
        text = json.dumps(training).replace("`", "'")[:CONFIGURATION]
        yield from ("```json", *textwrap.wrap(text, 110, break_on_hyphens=False), "```", "")


def _results(card: _Card) -> Iterator[str]:
    """A table for each data set: metrics by tasks, with 95% intervals."""
    if card.entries:
        yield from ("## Results", "")
    for data in dict.fromkeys(entry.data for entry in card.entries):
        own = [entry for entry in card.entries if entry.data == data]
        yield from (f"On `{data}`, with 95 % intervals; pairs without a video count as the worst value.", "")
        yield from (
            f"> {safe(one)}\n" for one in dict.fromkeys(str(one) for e in own for one in e.stored.get("caveats", ()))
        )
        yield from table(*by_task(own))
