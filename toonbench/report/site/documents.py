"""Markdown of this package as HTML: raw HTML is shown as text, and links to files that the site does not have become text."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, distribution, entry_points
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from toonbench import __version__
from toonbench.data.open import cache_folder
from toonbench.report.site.names import digest
from toonbench.sealed import read_sealed, write_sealed

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

HERE = Path(__file__).parent
SHIPPED = HERE / "docs"  # in a wheel
REPOSITORY = HERE.parents[2] / "docs"  # in a checkout
COMMENT = re.compile(r"<!--.*?-->\s*", re.DOTALL)
EMPTY_HEAD = re.compile(r"<thead>\s*<tr>\s*(?:<th></th>\s*)+</tr>\s*</thead>")
TITLE = re.compile(r"\A#[^\n]*\n")
Link = Callable[[str], str]  # an address in a document to one in the site; empty: no link


def document(name: str) -> Path | None:
    """A file of docs/, in a wheel or a checkout; None where it is in neither."""
    return next((root / name for root in (SHIPPED, REPOSITORY) if (root / name).is_file()), None)


def read(path: Path | None) -> str:
    """The text of a document, without comments; empty without a file."""
    try:
        return COMMENT.sub("", path.read_text(encoding="utf-8")) if path else ""
    except (OSError, UnicodeDecodeError):
        return ""


def without_title(text: str) -> str:
    """A document without its first heading, which the page has."""
    return TITLE.sub("", text.lstrip()).lstrip()


def to_html(text: str, *, link: Link, lowest: int = 2) -> Markup:
    """Markdown as HTML. `link` maps addresses; headings begin at level `lowest`. The user's cache remembers it."""
    path = cache_folder() / "site" / "documents" / f"{digest(f'{lowest} {__version__} {text}')}.json"
    stored = read_sealed(path)
    if stored and all(link(address) == mapped for address, mapped in stored["links"].items()):
        return Markup(stored["html"])
    links: dict[str, str] = {}

    def recorded(address: str) -> str:
        return links.setdefault(address, link(address))

    html = _rendered(text, recorded, lowest)
    write_sealed(path, {"links": links, "html": html})
    return Markup(html)


def _rendered(text: str, link: Link, lowest: int) -> str:
    tokens = _parser().parse(text)
    _relink(tokens, link)
    levels = [int(one.tag[1]) for one in tokens if one.type == "heading_open"]
    shift = max(0, lowest - min(levels, default=lowest))
    for one in tokens:
        one.attrs.pop("style", None)  # the alignment of cells, which the pages' policy does not allow
        if one.type in ("heading_open", "heading_close"):
            one.tag = f"h{min(6, int(one.tag[1]) + shift)}"
    html = str(_parser().renderer.render(tokens, _parser().options, {}))
    # Tables without headings have no head, and what can be scrolled can have the focus.
    return EMPTY_HEAD.sub("", html).replace("<th></th>", "<td></td>").replace("<pre>", '<pre tabindex="0">')


@functools.cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False}).enable("table")


def _relink(tokens: Sequence[Token], link: Link) -> None:
    for one in tokens:
        if one.children:
            one.children = [*_kept(one.children, link)]


def _kept(tokens: Sequence[Token], link: Link) -> list[Token]:
    """Inline tokens with mapped addresses; a link or picture without one becomes its text."""
    kept: list[Token] = []
    open_links: list[bool] = []
    for one in tokens:
        if one.type == "link_open":
            address = link(str(one.attrGet("href") or ""))
            open_links.append(bool(address))
            if address:
                one.attrSet("href", address)
                kept.append(one)
        elif one.type == "link_close":
            if open_links and open_links.pop():
                kept.append(one)
        elif one.type == "image":
            address = link(str(one.attrGet("src") or ""))
            if address:
                one.attrSet("src", address)
                one.attrSet("loading", "lazy")
                kept.append(one)
        else:
            kept.append(one)
    return kept


def method_card(method: str) -> Path | None:
    """The documentation of a method: a page in docs/methods, or the README beside its weights or its code, if its package has one."""
    if re.fullmatch(r"[a-z0-9_-]+", method) and (found := document(f"methods/{method}.md")):
        return found
    point = next((one for one in entry_points(group="toonbench.methods") if one.name == method), None)
    if point is None or point.dist is None:
        return None
    parts = point.module.split(".")[:-1]
    if not parts:
        return None
    for root in _roots(point.dist.name):
        folder = root.joinpath(*parts)
        places = (
            (folder / "weights" / "README.md", folder / "README.md") if len(parts) > 1 or folder.name == method else ()
        )
        if found := next((one for one in places if one.is_file()), None):
            return found
    return None


def _roots(package: str) -> list[Path]:
    """Where the modules of an installed package can be: where it is installed, and this checkout."""
    try:
        return [Path(str(distribution(package).locate_file(""))), HERE.parents[2]]
    except PackageNotFoundError:
        return []
