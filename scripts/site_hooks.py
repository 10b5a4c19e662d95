"""Hooks of `mkdocs build` (mkdocs.yml): pages outside of docs/, generated reference pages, links, and the navigation."""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from site_pages.links import Links
from site_pages.markdown import as_python_markdown
from site_pages.navigation import expanded
from site_pages.places import page_of
from site_pages.reference import reference_pages

ROOT = Path(__file__).parent.parent
COMMENT = re.compile(r"\A\s*<!--.*?-->\s*", re.DOTALL)  # before a heading it would hide the page's title


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the repository's documents and the generated pages, and give every page a place in the navigation."""
    for path, page in page_of(ROOT).items():
        if not path.startswith("docs/"):
            files.append(File.generated(config, page, abs_src_path=str(ROOT / path)))
    for page, text in reference_pages(ROOT).items():
        files.append(File.generated(config, page, content=text))
    config.nav = expanded(config.nav or [], [file.src_uri for file in files.documentation_pages()])
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links between files of the repository become links between pages; lists become those of Python-Markdown."""
    del files
    pages = page_of(ROOT)
    source = {page: path for path, page in pages.items()}.get(page.file.src_uri)
    text = as_python_markdown(COMMENT.sub("", markdown))
    if source is None:
        return text
    return Links(root=ROOT, pages=pages, code=config.repo_url).rewritten(text, source=source)


@event_priority(-100)  # after the search plugin
def on_post_build(config: MkDocsConfig) -> None:
    """Write the index of the search as a script, which the theme's program needs where a page is opened as a file: it ends otherwise."""
    folder = Path(config.site_dir) / "search"
    index = (folder / "search_index.json").read_text(encoding="utf-8")
    (folder / "search_index.js").write_text(f"var __index = {index};\n", encoding="utf-8")
