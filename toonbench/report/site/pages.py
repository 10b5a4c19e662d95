"""The pages of the site, from templates that escape every value."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toonbench import __version__
from toonbench.data.open import cache_folder
from toonbench.report.site import documents
from toonbench.report.site.calibration import HEIGHT, WIDTH, panels
from toonbench.report.site.curves import metric_of
from toonbench.report.site.data import Worst
from toonbench.report.site.facts import facts
from toonbench.report.site.model import LeaderboardView, MethodView
from toonbench.report.site.names import number, shown
from toonbench.report.site.table import WIDTH as INTERVAL_WIDTH
from toonbench.report.site.table import skipped_metrics, table_of
from toonbench.report.site.worst import worst_lists

if TYPE_CHECKING:
    from jinja2 import Environment

HERE = Path(__file__).parent
SCRIPTS: Mapping[str, tuple[str, ...]] = {
    "leaderboard": ("table.js",),
    "pairs": ("load.js", "player.js", "charts.js", "list.js", "address.js", "keys.js", "pairs.js"),
}
IMAGES = "images"
LEDGER = "reproducing.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Everything that pages show. `worst` is by leaderboard and pair, `notes` by leaderboard: what is not shown there, and why."""

    title: str
    leaderboards: Sequence[LeaderboardView]
    worst: Mapping[str, Mapping[str, Worst]]
    notes: Mapping[str, Sequence[str]] = field(default_factory=dict[str, "Sequence[str]"])


def pages(site: Site) -> dict[str, str | bytes]:
    """Every file of the site except media and the data of pairs: name to content."""
    found: dict[str, str | bytes] = {"index.html": _index(site)}
    for view in site.leaderboards:
        common: dict[str, Any] = {"root": "../../", "view": view}
        notes = site.notes.get(view.slug, ())
        caveats = [*dict.fromkeys(str(c) for m in view.methods for c in m.entry.stored.get("caveats", ()))]
        found[f"leaderboards/{view.slug}/index.html"] = _render(
            "leaderboard.html", site, scripts="leaderboard", table=table_of(view), skipped=skipped_metrics(view.methods), caveats=caveats,
            others=[one for one in view.leaderboard.notes if one not in caveats], interval_width=INTERVAL_WIDTH, **common,
        )  # fmt: skip
        found[f"leaderboards/{view.slug}/pairs.html"] = _render(
            "pairs.html", site, scripts="pairs", notes=notes, **common
        )
        lists = worst_lists(view, site.worst.get(view.slug, {}))
        found[f"leaderboards/{view.slug}/worst.html"] = _render("worst.html", site, lists=lists, **common)
    if ledger := documents.read(documents.document(LEDGER)):
        html = documents.to_html(documents.without_title(ledger), link=_absolute_only)
        found["reproducing.html"] = _render("reproducing.html", site, root="", ledger=html)
    found |= _method_pages(site)
    found |= _metric_pages(site)
    found |= {
        f"static/{path.name}": path.read_bytes() for path in sorted((HERE / "static").iterdir()) if path.is_file()
    }
    return found


def _index(site: Site) -> str:
    methods = {one.page: (one.page, one.entry, one.reference) for view in site.leaderboards for one in view.methods}
    metrics = {name: view.metric_pages[name] for view in site.leaderboards for name in view.metrics}
    listed = [(page, name, _first(_metric_text(name)) or _summary(metric_of(name))) for name, page in metrics.items()]
    return _render(
        "index.html",
        site,
        root="",
        methods=[*methods.values()],
        metrics=listed,
        ledger=documents.document(LEDGER) is not None,
    )


def _method_pages(site: Site) -> dict[str, str | bytes]:
    runs: dict[str, list[tuple[LeaderboardView, MethodView]]] = {}
    for view in site.leaderboards:
        for method in view.methods:
            runs.setdefault(method.page, []).append((view, method))
    found: dict[str, str | bytes] = {}
    for page, own in runs.items():
        entry = own[0][1].entry
        card = documents.read(documents.method_card(entry.method))
        html = documents.to_html(documents.without_title(card), link=_absolute_only, lowest=3)
        shown_runs = [{"view": view, "method": method, "facts": facts(method.entry)} for view, method in own]
        found[f"methods/{page}.html"] = _render(
            "method.html", site, root="../", entry=entry, reference=own[0][1].reference, runs=shown_runs, card=html
        )
    return found


def _metric_pages(site: Site) -> dict[str, str | bytes]:
    names = {name: view.metric_pages[name] for view in site.leaderboards for name in view.metrics}
    found: dict[str, str | bytes] = {}
    for name, page in names.items():
        bare = name.partition("@")[0]
        images: dict[str, str | bytes] = {}
        link = functools.partial(_metric_link, pages=names, images=images)
        text = _metric_text(name)
        html = documents.to_html(text.partition("\n\n")[2], link=link)  # its first paragraph is the summary
        metric = metric_of(name)
        about = {
            "id": shown(name),
            "name": shown(bare),
            "higher": next(view.higher_is_better(name) for view in site.leaderboards if name in view.metrics),
            "summary": shown(_first(text) or _summary(metric)),
            "remark": shown(metric.remark) if metric else "",
            "notes": _notes(site, name),
        }
        found[f"metrics/{page}.html"] = _render(
            "metric.html", site, root="../", metric=about, document=html, panels=panels(bare) if metric else (), panel=(WIDTH, HEIGHT),
            leaderboards=[view for view in site.leaderboards if name in view.metrics],
        )  # fmt: skip
        found |= images
    return found


def _metric_text(name: str) -> str:
    """The documentation of a metric of this version, without its title; empty if it has none."""
    bare = name.partition("@")[0]
    if metric_of(name) is None or not bare.isidentifier():
        return ""
    return documents.without_title(documents.read(documents.document(f"metrics/{bare}.md")))


def _first(text: str) -> str:
    """The first paragraph."""
    return " ".join(text.partition("\n\n")[0].split())


def _summary(metric: Any) -> str:
    return ((type(metric).__doc__ or "").strip().partition("\n")[0]) if metric else ""


def _notes(site: Site, metric: str) -> list[str]:
    results = [m.entry.results[metric] for view in site.leaderboards for m in view.methods if metric in m.entry.results]
    return list(dict.fromkeys(shown(note) for one in results for note in one.notes))


def _absolute_only(address: str) -> str:
    return address if address.startswith("https://") else ""


def _metric_link(address: str, *, pages: Mapping[str, str], images: dict[str, str | bytes]) -> str:
    """Links of a metric's document: to other metrics of the site, to its pictures, which are put into `images`, and to the web."""
    if address.startswith(("https://", "#")):
        return address if address.startswith("https://") else ""
    name = address.partition("#")[0]
    if name.endswith(".md") and "/" not in name:
        other = next((page for metric, page in pages.items() if metric.partition("@")[0] == name[:-3]), "")
        return f"{other}.html" if other else ""
    if name.startswith("images/") and (path := documents.document(f"metrics/{name}")):
        images[f"{IMAGES}/{path.name}"] = path.read_bytes()
        return f"../{IMAGES}/{path.name}"
    return ""


def _render(template: str, site: Site, *, root: str, scripts: str = "", **values: Any) -> str:
    return _environment().get_template(template).render(
        site=site, root=root, scripts=SCRIPTS.get(scripts, ()), version=__version__, **values
    )  # fmt: skip


@functools.cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemBytecodeCache, FileSystemLoader, StrictUndefined

    compiled = cache_folder() / "site" / "templates"
    compiled.mkdir(parents=True, exist_ok=True)
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        bytecode_cache=FileSystemBytecodeCache(str(compiled)),
    )
    filters: dict[str, Any] = made.filters
    filters |= {"shown": shown, "number": number}
    return made
