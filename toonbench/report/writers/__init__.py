"""A neutral table in five formats: terminal, Markdown, LaTeX (booktabs), CSV and HTML. Every writer is a pure function of the table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from toonbench.report.table import Table
from toonbench.report.writers.csv import csv_text
from toonbench.report.writers.html import html_page, html_table
from toonbench.report.writers.latex import latex_document, latex_text
from toonbench.report.writers.markdown import markdown_text

Format = Literal["terminal", "md", "latex", "csv", "html"]
TEXTS: dict[str, Callable[[Sequence[Table]], str]] = {
    "md": markdown_text,
    "latex": latex_text,
    "csv": csv_text,
    "html": html_page,
}
"""The writers of files; `writers.terminal.print_tables` prints to a console."""
SUFFIXES = {"md": ".md", "latex": ".tex", "csv": ".csv", "html": ".html"}

__all__ = [
    "SUFFIXES",
    "TEXTS",
    "Format",
    "csv_text",
    "html_page",
    "html_table",
    "latex_document",
    "latex_text",
    "markdown_text",
]
