"""The card of a released data set: counts, plots, licences, persons, and misuse."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from toonbench.data.card import split_name
from toonbench.data.folder import PUPPETS
from toonbench.data.table import Row
from toonbench.hub.address import MAIN
from toonbench.hub.texts import FIELDS, FRONT, GATE, MISUSE, quoted, safe, table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PLOT = "card/counts.png"
MOST = 60  # rows of the table of licences
COLOURS = {"real": "#2463b5", "cartoon": "#c8761a"}
MADE = "## How it was made"
LOADING = re.compile(r"\n## Load it with `datasets`\n.*?(?=\n## |\Z)", re.DOTALL)
PUPPETS_ONLY = "All faces are puppets, which a program draws. No person is shown and none was recorded: the set has no personal data."
DRAWN_ONLY = (
    "All faces are labelled as drawn or rendered characters, not as persons. A person who is shown in a drawing can ask for removal in the "
    "Community tab."
)
UNSTATED = "The publisher has not stated how these persons agreed."
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the card is about: rows of the tables, the repository and its branch, and the publisher's statements (empty: none)."""

    rows: Sequence[Row]
    targets: Sequence[Row]
    repo: str
    name: str
    fingerprint: str
    about: str = ""
    consent: str = ""
    revision: str = MAIN


def has_persons(rows: Sequence[Row]) -> bool:
    """Whether any clip shows a real face. Puppets are drawn by a program, those of the real domain, too."""
    return any(is_person(row) for row in rows)


def is_person(row: Row) -> bool:
    """Whether a clip shows a real face."""
    return row["domain"] == "real" and not str(row.get("provenance", "")).startswith(PUPPETS)


def front_lines(rows: Sequence[Row], *, gated: bool) -> list[str]:
    """Lines of the card that the Hub reads, beside those of every data set's card."""
    size = next((name for most, name in SIZES if len(rows) < most), "n>1M")
    asked = [*([GATE.strip()] if has_persons(rows) else []), FIELDS] if gated else []
    return ["task_categories: [image-to-video]", f"size_categories: [{quoted(size)}]", *asked]


def card_text(facts: Facts) -> str:
    """The text of the card without its front matter, in Markdown."""
    return "\n".join(
        [
            f"# {safe(facts.name)}",
            "",
            *_overview(facts),
            *_counts(facts),
            f"![Clips for each split, their lengths, and clips for each identity]({PLOT})",
            "",
            *_evaluating(facts),
            *_licences(facts.rows),
            *_persons(facts),
            MISUSE,
            *_files(),
            *_origin(facts.about),
        ]
    )


def _overview(facts: Facts) -> Iterator[str]:
    kinds = Counter(row["kind"] for row in facts.rows)
    people = len({row["identity"] for row in facts.rows if row.get("identity")})
    parts = [f"{kinds['video']:,} videos", f"{kinds['image']:,} images", f"{len(facts.targets):,} target videos"]
    yield f"Face clips for measuring cross-domain face reenactment with `toonbench`: {', '.join(parts)}, {people:,} identities."
    yield f"Every video has a small H.264 copy for viewing. Fingerprint of the content: `{facts.fingerprint[:16]}`."
    yield ""


def _counts(facts: Facts) -> list[str]:
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in facts.rows:
        groups.setdefault((split_name(row.get("split", "")), row["domain"]), []).append(row)
    rows = [(split, domain, *_numbers(own)) for (split, domain), own in sorted(groups.items())]
    return ["## Splits", "", *table(["split", "domain", "videos", "images", "identities", "frames", "seconds"], rows)]


def _numbers(rows: Sequence[Row]) -> tuple[object, ...]:
    """Videos, images, identities, frames and seconds of videos."""
    videos = [row for row in rows if row["kind"] == "video"]
    people = len({row["identity"] for row in rows if row.get("identity")})
    frames = sum(int(row.get("frames", 0)) for row in videos)
    return len(videos), len(rows) - len(videos), people, frames, f"{sum(map(_seconds, videos)):.0f}"


def _seconds(row: Row) -> float:
    rate = float(row.get("fps", 0.0))
    return float(row.get("frames", 0)) / rate if row["kind"] == "video" and rate > 0 else 0.0


def _evaluating(facts: Facts) -> list[str]:
    return [
        "## Evaluate a method on it",
        "",
        "```sh",
        "pip install 'toonbench[hub]'",
        f"toonbench eval --method static --data hf:{facts.repo}@{facts.revision}",
        "```",
        "",
        f"A commit instead of `{facts.revision}` keeps numbers comparable.",
        "",
    ]


def _licences(rows: Sequence[Row]) -> list[str]:
    """Clips by licence and title; the table of clips has the licence of each."""
    found = Counter((str(row["licence"]), str(row.get("title", ""))) for row in rows)
    by_licence = Counter(str(row["licence"]) for row in rows)
    shown = (
        found.most_common(MOST)
        if len(found) <= MOST
        else [((one, ""), count) for one, count in by_licence.most_common(MOST)]
    )
    if len(by_licence) == 1 and len(found) > 12:
        shown = [((one, ""), count) for one, count in by_licence.items()]
    titles = any(title for (_, title), _ in shown)
    lines = [(one, title, count) if titles else (one, count) for (one, title), count in shown]
    head = ["licence", "title", "clips"] if titles else ["licence", "clips"]
    return [
        "## Licences",
        "",
        "The column `licence` of every configuration has the licence of each clip.",
        "",
        *table(head, lines),
    ]


def _persons(facts: Facts) -> Iterator[str]:
    yield from ("## Persons, consent, and personal data", "")
    persons = [row for row in facts.rows if is_person(row)]
    if not persons:
        drawn = all(str(row.get("provenance", "")).startswith(PUPPETS) for row in facts.rows)
        yield PUPPETS_ONLY if drawn else DRAWN_ONLY
        yield ""
        yield from (f"**Consent.** {safe(facts.consent)}", "") if facts.consent else ()
        return
    people = len({row["identity"] for row in persons if row.get("identity")})
    yield f"{len(persons):,} clips show the faces of {people:,} real persons. Faces are personal data, often biometric."
    yield ""
    yield f"**Consent.** {safe(facts.consent) or UNSTATED}"
    yield ""
    yield "**Identities** are labels that group clips of one person; do not try to learn names."
    yield ""
    yield "**Removal.** A person who is shown can ask for removal in the Community tab. Delete your copies of removed clips, too."
    yield ""


def _files() -> list[str]:
    return [
        "## Files",
        "",
        "`metadata.parquet` has a row for each clip, `targets.parquet` one for each target video. `clips/`, `images/` and `targets/` have "
        "the files to measure, `previews/` has copies for viewing, which must not be measured. `motion/` has ground-truth motion, where it "
        "exists. `release.json` identifies the release.",
        "",
    ]


def _origin(about: str) -> list[str]:
    """The set's own card without its front matter and loading, as a section."""
    text = LOADING.sub("", FRONT.sub("", about)).strip()
    if not text:
        return []
    inner = re.sub(r"^(#+) ", r"##\1 ", text, flags=re.MULTILINE)
    return [MADE, "", inner, ""]


def made_section(card: str) -> str:
    """How the set was made, from the card of a release of it; empty where the card does not state it."""
    _, _, inner = LOADING.sub("", card).partition(f"\n{MADE}\n")
    return re.sub(r"^##(#+) ", r"\1 ", inner, flags=re.MULTILINE).strip()


def plots(rows: Sequence[Row]) -> bytes:
    """Clips for each split, lengths of videos, and clips for each identity, as PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 2.9), layout="constrained")
    axes: Sequence[Any] = figure.subplots(1, 3)
    splits = sorted({split_name(row.get("split", "")) for row in rows})
    _stacked(axes[0], rows, splits)
    seconds = {
        domain: [_seconds(row) for row in rows if row["domain"] == domain and _seconds(row) > 0] for domain in COLOURS
    }
    sizes = {
        domain: list(
            Counter(row["identity"] for row in rows if row["domain"] == domain and row.get("identity")).values()
        )
        for domain in COLOURS
    }
    _histogram(axes[1], seconds, "Length of videos (seconds)", "videos")
    _histogram(axes[2], sizes, "Clips of an identity", "identities")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()


def _stacked(axes: Axes, rows: Sequence[Row], splits: Sequence[str]) -> None:
    left = np.zeros(len(splits))
    for domain, colour in COLOURS.items():
        counts = [
            sum(split_name(row.get("split", "")) == split and row["domain"] == domain for row in rows)
            for split in splits
        ]
        if any(counts):
            bars = axes.barh(splits, counts, left=left, color=colour, height=0.6, label=domain)
            axes.bar_label(
                bars, labels=[str(one) if one else "" for one in counts], label_type="center", color="white", fontsize=9
            )
        left = left + counts
    axes.legend(frameon=False, fontsize=8, loc="upper right", bbox_to_anchor=(1, 1.22), ncols=2)
    axes.set_title("Clips by split", fontsize=10, loc="left")
    axes.invert_yaxis()
    _plain(axes)


def _histogram(axes: Axes, values: dict[str, Any], title: str, unit: str) -> None:
    from matplotlib.ticker import MaxNLocator

    shown = {domain: own for domain, own in values.items() if own}
    if shown:
        axes.hist(list(shown.values()), bins=12, color=[COLOURS[one] for one in shown], rwidth=0.9, stacked=True)
    axes.set_ylabel(unit, fontsize=9)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_title(title, fontsize=10, loc="left")
    _plain(axes)


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9)
