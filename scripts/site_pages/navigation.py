"""The navigation of mkdocs.yml with its patterns replaced by pages, so that a new document finds its place without an entry."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any


def expanded(entries: Sequence[Any], pages: Sequence[str]) -> list[Any]:
    """The entries with each pattern (`metrics/*.md`) replaced by the pages that match and are named nowhere else, in their order.

    A page has the first pattern that matches. Sections without pages are left out.
    """
    left = sorted(set(pages) - set(_named(entries)))
    return _expanded(entries, left)


def _named(entries: Any) -> Iterator[str]:
    """All pages and patterns of the entries."""
    if isinstance(entries, str):
        yield entries
    else:
        for entry in entries.values() if isinstance(entries, dict) else entries:
            yield from _named(entry)


def _expanded(entries: Sequence[Any], left: list[str]) -> list[Any]:
    """Takes the pages that it places out of `left`."""
    found: list[Any] = []
    for entry in entries:
        if isinstance(entry, dict):
            ((title, inside),) = entry.items()
            section = inside if isinstance(inside, str) else _expanded(inside, left)
            found += [{title: section}] if section else []
        elif "*" in entry:
            matching = [page for page in left if _matches(page, entry)]
            left[:] = [page for page in left if page not in matching]
            found += matching
        else:
            found.append(entry)
    return found


def _matches(page: str, pattern: str) -> bool:
    """As a shell matches: a star matches no slash, but `*` alone matches every page."""
    return pattern == "*" or (page.count("/") == pattern.count("/") and fnmatchcase(page, pattern))
