"""Links between files of the repository, as links between pages of the site."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from site_pages.markdown import outside_code

LINK = re.compile(r"(?P<mark>!?)\[(?P<text>(?:[^\[\]]|\[[^\[\]]*\])*)\]\((?P<target>[^()\s]+)\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Rewrites links. `pages` maps the repository's documents to pages; `code` is the address of the repository, if it has one."""

    root: Path
    pages: Mapping[str, str]
    code: str | None = None

    def rewritten(self, text: str, *, source: str) -> str:
        """The text of the document `source` with links as the site needs them. Code is not changed."""
        return outside_code(text, lambda part: LINK.sub(lambda found: self._link(found, source), part))

    def _link(self, found: re.Match[str], source: str) -> str:
        mark, text, target = found["mark"], found["text"], found["target"]
        path, _, anchor = target.partition("#")
        if not path or "://" in target or target.startswith("mailto:"):
            return found[0]
        place = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        page = self._page(place)
        if page is not None:
            address = os.path.relpath(page, posixpath.dirname(self.pages[source]) or ".").replace(os.sep, "/")
            return f"{mark}[{text}]({address}{'#' + anchor if anchor else ''})"
        if (self.root / place).exists():
            return f"[{text}]({self.code.rstrip('/')}/blob/main/{place})" if self.code else text
        return found[0]  # broken: mkdocs reports it

    def _page(self, place: str) -> str | None:
        """The page or picture at a path of the repository."""
        for path in (place, f"{place}/README.md"):
            if path in self.pages:
                return self.pages[path]
        if place.startswith("docs/") and (self.root / place).is_file():
            return place.removeprefix("docs/")
        return None
