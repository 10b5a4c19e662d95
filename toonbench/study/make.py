"""Make the folder of a study: a page that works without a server and without a network, and the key, which raters do not get."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toonbench import __version__, video
from toonbench.claims import claim
from toonbench.data.open import cache_folder
from toonbench.pool import IN_PROCESS, Pool
from toonbench.report.site.media import FOLDER, Media, MediaStore, ShownFile
from toonbench.store import writing
from toonbench.study.davidson import components
from toonbench.study.design import STILL, TARGET, Drawn, Plan, Question, draw
from toonbench.study.key import (
    KEY,
    MEDIA,
    PAGE,
    VOTES,
    Key,
    KeyQuestion,
    file_sha256,
    read_key,
    shown_orders,
    study_id,
    write_key,
)
from toonbench.study.material import Item, Material
from toonbench.types import ToonbenchError

MARK = "toonbench-study.json"  # marks a folder as a study
STATIC = Path(__file__).parent / "page"
ASSETS = ("index.html", "study.css", "study.js")
SOURCE, DRIVING = "(source)", "(driving)"
TITLE = "Compare videos of faces"
Part = tuple[int, str]  # the index of an item, and a method's label, STILL, TARGET, SOURCE or DRIVING


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A study that was made: its page, its id, and counts of one sheet and of the whole. `notes` say what is left out."""

    page: Path
    study: str
    methods: tuple[str, ...]
    raters: int
    questions: int
    catches: int
    videos: int
    notes: tuple[str, ...]


def make_study(
    material: Material, out: Path, *, plan: Plan | None = None, title: str = TITLE, pool: Pool = IN_PROCESS
) -> Made:
    """Make a study in `out`, a new folder or the folder of the same study.

    Raises ToonbenchError for a folder that holds something else or a study with votes, for a title that names a method, for a plan
    that cannot be drawn and for a video that cannot be read.
    """
    plan = plan or Plan()
    _check_title(title, material.methods)
    drawn = draw(material.methods, [one.target is not None for one in material.items], plan=plan)
    _claim(out, plan=plan, title=title, methods=material.methods)
    names = _names(drawn, seed=plan.seed)
    page = _Page(out)
    _write_media(page, names, items=material.items, pool=pool)
    key = _key(material, drawn, plan=plan, title=title, names=names, page=page)
    write_key(out, key)
    return Made(
        page=out / PAGE / "index.html",
        study=key.study,
        methods=material.methods,
        raters=plan.raters,
        questions=plan.questions + plan.catches,
        catches=plan.catches,
        videos=len(names),
        notes=(*material.notes, *_unconnected(drawn, material.methods)),
    )


def _unconnected(drawn: Drawn, methods: Sequence[str]) -> list[str]:
    """A note for each attribute whose comparisons do not connect all methods."""
    place = {name: at for at, name in enumerate(methods)}
    compared: dict[str, NDArray[np.int_]] = {}
    for one in drawn.questions:
        if one.kind == "pair" and not one.catch:
            first, second = (place[name] for name in one.options)
            compared.setdefault(one.attribute, np.zeros((len(methods), len(methods)), int))[first, second] += 1
    more = "do not connect all methods, so that not all strengths can be compared: give more --questions or --sets"
    return [f"the questions about {name} {more}" for name, found in compared.items() if len(components(found)) > 1]


def _check_title(title: str, methods: Sequence[str]) -> None:
    for label in methods:
        if re.search(rf"(?<!\w){re.escape(label)}(?!\w)", title, re.IGNORECASE):
            raise ToonbenchError(
                f"--title {title}: it names the method {label}, which raters must not see; choose another title"
            )


def _claim(out: Path, *, plan: Plan, title: str, methods: Sequence[str]) -> None:
    if out.exists() and not out.is_dir():
        raise ToonbenchError(f"--out {out} is a file: give a new folder")
    if out.is_dir() and not (out / MARK).is_file() and any(out.iterdir()):
        raise ToonbenchError(f"--out {out} holds other files and is not a study: give a new folder")
    recipe = {"made by": "toonbench study", "layout": 1, "plan": asdict(plan), "title": title, "methods": list(methods)}
    claim(out, recipe, file=MARK)


class _Page:
    """The files of a page, with their sha256. Those of a whole study, which raters may have, are not replaced by others."""

    def __init__(self, out: Path) -> None:
        self.root = out / PAGE
        self.files: dict[str, str] = {}
        self._given = _given_files(out)

    def write(self, name: str, fill: Callable[[Path], object]) -> None:
        """Write a file: `fill` writes it to the path that it is given."""
        with writing(self.root / name) as temporary:
            fill(temporary)
            found = file_sha256(temporary)
            if name not in ASSETS and self._given and self._given.get(name) != found:
                what = f"{self.root.parent} is a study with other videos or pairs, which raters may already have"
                raise ToonbenchError(f"{what}: give a new folder")
        self.files[name] = found


def _given_files(out: Path) -> Mapping[str, str]:
    """The files of a study that was made before; none if it was interrupted, or if its key is damaged and there are no votes."""
    if not (out / KEY).is_file():
        return {}
    try:
        return read_key(out).files
    except ToonbenchError:
        if (out / VOTES).is_file():
            raise
        return {}


def _names(drawn: Drawn, *, seed: int) -> dict[Part, str]:
    """A neutral name for each file: numbers in an order drawn from the seed."""
    parts: dict[Part, None] = {}
    for one in drawn.questions:
        parts |= dict.fromkeys((one.item, option) for option in (*one.options, SOURCE, DRIVING))
    order = np.random.default_rng([seed, 1]).permutation(len(parts)).tolist()
    return {part: f"v{number + 1:04d}" for part, number in zip(parts, order, strict=True)}


def _write_media(page: _Page, names: Mapping[Part, str], *, items: Sequence[Item], pool: Pool) -> None:
    """Write all videos and pictures."""
    files = {part: _file(items[part[0]], part[1]) for part in names}
    store = MediaStore(cache_folder() / "view" / FOLDER, pool=pool)  # shared with `toonbench view`
    drivings = {item: items[item].driving for item, _ in names}
    media = store.encode(store.keys([*drivings.values(), *(one for one in files.values() if one)]))
    for part, name in sorted(names.items(), key=lambda one: one[1]):
        file = files[part]
        if file is None:
            like = _whole(media.get(drivings[part[0]]), drivings[part[0]])
            page.write(f"{MEDIA}/{name}.mp4", partial(_write_still, item=items[part[0]], like=like))
            continue
        suffix = ".jpg" if part[1] == SOURCE else ".mp4"
        found = store.store / f"{_whole(media.get(file), file).key}{suffix}"
        page.write(f"{MEDIA}/{name}{suffix}", partial(shutil.copyfile, found))


def _file(item: Item, part: str) -> ShownFile | None:
    """The file of a part of an item; None for the still video, which is made."""
    if part == STILL:
        return None
    own = {SOURCE: item.source, DRIVING: item.driving, TARGET: item.target}
    return own[part] if part in own else item.videos[part]


def _whole(media: Media | None, file: ShownFile) -> Media:
    if media is None:
        raise ToonbenchError(f"{file.path} is gone: generate it again")
    if media.problem:
        raise ToonbenchError(f"{file.path} cannot be shown: {media.problem}")
    return media


def _write_still(path: Path, *, item: Item, like: Media) -> None:
    """A video that shows the source in every frame, as long as the driving video."""
    frame = next(iter(video.iter_frames(item.source.path)))
    video.write_web_mp4(path, (frame for _ in range(max(1, like.frames))), fps=like.fps or 25.0)


def _key(
    material: Material,
    drawn: Drawn,
    *,
    plan: Plan,
    title: str,
    names: Mapping[Part, str],
    page: _Page,
) -> Key:
    """Write the page, and return its key."""
    ids = _question_ids(drawn, seed=plan.seed)
    sheets = tuple(
        {ids[at]: _shown(drawn.questions[at], order, names) for at, order in sheet} for sheet in drawn.sheets
    )
    content: dict[str, Any] = {
        "title": title,
        "questions": dict(sorted((ids[at], _asked(one, names)) for at, one in enumerate(drawn.questions))),
        "sheets": shown_orders(sheets),
    }
    study = study_id({**content, "files": page.files})
    _write_page(page, {**content, "study": study})
    return Key(
        study=study,
        plan={**asdict(plan), "title": title, "toonbench": __version__},
        methods=material.methods,
        videos={name: part for (_, part), name in sorted(names.items(), key=lambda one: one[1])},
        questions={ids[at]: _kept(one, names, material.items) for at, one in enumerate(drawn.questions)},
        sheets=sheets,
        files=page.files,
        numbers=material.numbers,
        higher=material.higher,
        scores={f"{one.task} {one.pair}": one.scores for one in material.items},
    )


def _question_ids(drawn: Drawn, *, seed: int) -> list[str]:
    """Neutral names of questions, which do not show which ones are catch trials."""
    return [f"q{one + 1:03d}" for one in np.random.default_rng([seed, 2]).permutation(len(drawn.questions)).tolist()]


def _shown(question: Question, order: Sequence[int], names: Mapping[Part, str]) -> tuple[str, ...]:
    return tuple(names[question.item, question.options[at]] for at in order)


def _asked(question: Question, names: Mapping[Part, str]) -> dict[str, str]:
    return {
        "attribute": question.attribute,
        "source": names[question.item, SOURCE],
        "driving": names[question.item, DRIVING],
    }


def _kept(question: Question, names: Mapping[Part, str], items: Sequence[Item]) -> KeyQuestion:
    return KeyQuestion(
        kind=question.kind,
        attribute=question.attribute,
        task=items[question.item].task,
        pair=items[question.item].pair,
        options=tuple(names[question.item, option] for option in question.options),
        catch=question.catch,
    )


def _write_page(page: _Page, content: Mapping[str, Any]) -> None:
    """Write the files of the page that are not media."""
    text = json.dumps(content, sort_keys=True).replace("<", "\\u003c")
    page.write("data.js", lambda path: path.write_text(f"window.STUDY = {text};\n", encoding="utf-8"))
    for name in ASSETS:
        page.write(name, partial(shutil.copyfile, STATIC / name))
