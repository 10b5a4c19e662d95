"""GitHub's Markdown as Python-Markdown reads it, which wants an empty line before a list and a table, and four columns of indentation."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

FENCE = re.compile(r" *(```+|~~~+)")
ITEM = re.compile(r"(?P<space> *)(?:[-*+]|\d+[.)]) +\S")
CODE = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)", re.DOTALL)


def outside_code(text: str, change: Callable[[str], str]) -> str:
    """The text, changed outside of fenced blocks and of code spans."""
    return "".join(block if fenced else _outside_spans(block, change) for fenced, block in _blocks(text))


def _outside_spans(text: str, change: Callable[[str], str]) -> str:
    """Code spans are hidden while the text is changed, because the text of a link may contain one."""
    spans: list[str] = []

    def hide(found: re.Match[str]) -> str:
        spans.append(found[0])
        return f"\x00{len(spans) - 1}\x00"

    return re.sub(r"\x00(\d+)\x00", lambda found: spans[int(found[1])], change(CODE.sub(hide, text)))


def as_python_markdown(text: str) -> str:
    """The text with an empty line before each list and table that follows a paragraph, and with doubled indentation of nested items."""
    return "".join(block if fenced else _spaced(block) for fenced, block in _blocks(text))


def _spaced(block: str) -> str:
    lines: list[str] = []
    in_list = False
    for line in block.splitlines(keepends=True):
        item = ITEM.match(line)
        after_text = bool(lines) and bool(lines[-1].strip())
        starts = (item is not None and not in_list) or _starts_table(line, lines)
        if starts and after_text and not (item and item["space"] >= "    "):
            lines.append("\n")
        in_list = item is not None or (in_list and (after_text or line.startswith(" ") or not line.strip()))
        nested = item is not None and 2 <= len(item["space"]) < 4
        lines.append(("    " + line.lstrip(" ")) if nested else line)
    return "".join(lines)


def _starts_table(line: str, before: list[str]) -> bool:
    return line.startswith("|") and bool(before) and not before[-1].startswith("|")


def _blocks(text: str) -> Iterator[tuple[bool, str]]:
    """Whether it is fenced, and the text, of each block; together they are the whole text."""
    block: list[str] = []
    fence = ""
    for line in text.splitlines(keepends=True):
        found = FENCE.match(line)
        if found and not fence:
            yield False, "".join(block)
            block, fence = [line], found[1]
        elif found and found[1].startswith(fence):
            yield True, "".join([*block, line])
            block, fence = [], ""
        else:
            block.append(line)
    yield bool(fence), "".join(block)
