"""The documentation's site: it builds, nothing in it leads nowhere, and it shows what the documents say."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from markdown_it import MarkdownIt

import toonbench
from site_pages.places import page_of
from site_pages.reference import public_places
from toonbench import registry
from toonbench.cli import app

ROOT = Path(__file__).parent.parent.parent
pytestmark = pytest.mark.slow
COUNTED = ("h1", "h2", "h3", "h4", "li", "table", "tr", "pre", "img", "blockquote")


class Elements(HTMLParser):
    """The ids, links and loaded files of a page, and the elements of its article."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.loaded, self.counts, self.text = set(), [], [], dict.fromkeys(COUNTED, 0), []
        self.inside = "<article" not in text
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.ids.add(given.get("id"))
        self.inside = self.inside or tag == "article"
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        if (tag in ("script", "img") and given.get("src")) or (tag == "link" and given.get("rel") != "canonical"):
            self.loaded.append(given.get("src") or given.get("href"))
        if self.inside and tag in self.counts:
            self.counts[tag] += 1

    def handle_endtag(self, tag):
        self.inside = self.inside and tag != "article"

    def handle_data(self, data):
        self.text += [data] if self.inside else []


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("documentation")
    pytest.importorskip("mkdocs", reason="mkdocs is missing: pip install -e '.[docs]'")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site):
    return {path: Elements(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}


def test_every_link_leads_to_a_file_and_a_place_of_the_site(site, pages):
    broken = []
    for path, page in pages.items():
        if path.name == "404.html":
            continue  # its links are absolute
        for link in page.links + page.loaded:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            known = pages[target].ids if target in pages else None
            if not target.is_file() or (parts.fragment and known is not None and unquote(parts.fragment) not in known):
                broken.append((path.relative_to(site).as_posix(), link))
    assert broken == []


def test_a_page_loads_nothing_from_other_servers(pages):
    assert [one for page in pages.values() for one in page.loaded if urlsplit(one).netloc] == []


def test_the_index_of_the_search_is_also_a_script(site):
    """The theme's program reads it where a page is opened as a file; without it, switching colours and copying code do not work."""
    index, script = ((site / "search" / f"search_index.{one}").read_text(encoding="utf-8") for one in ("json", "js"))
    assert script == f"var __index = {index};\n"


def test_every_document_is_a_page_with_the_elements_that_github_shows(site, pages):
    different = {}
    for document, page in page_of(ROOT).items():
        shown = pages[site / re.sub(r"(README|index)?\.md$", lambda m: "index.html" if m[1] else ".html", page)].counts
        text = re.sub(r"\A---\n.*?\n---\n", "", (ROOT / document).read_text(encoding="utf-8"), flags=re.DOTALL)
        expected = Elements(MarkdownIt("commonmark").enable("table").render(text)).counts
        if shown != expected:
            different[document] = {tag: (shown[tag], expected[tag]) for tag in COUNTED if shown[tag] != expected[tag]}
    assert different == {}


@pytest.mark.parametrize("group", registry.GROUPS)
def test_every_registered_name_is_in_the_index(group, site, pages):
    text = "".join(pages[site / "registered.html"].text)
    assert [name for name in registry.names(group) if name not in text] == []


def test_every_command_has_a_page_with_every_option(site, pages):
    for name in (name for name in app if not name.startswith("-")):
        text = "".join(pages[site / "commands" / f"{name}.html"].text)
        commands = [app[name]] if app[name].default_command else [app[name][one] for one in app[name] if one[0] != "-"]
        for command in commands:
            options = {name for one in command.assemble_argument_collection() for name in one.names if name[0] == "-"}
            assert {
                option for option in options if option not in text and option.strip("-").upper() not in text
            } == set()


def test_every_public_name_of_python_has_an_entry(site, pages):
    found = pages[site / "api.html"].ids
    assert {place for place in public_places().values() if place not in found} == set()
    assert set(public_places()) == set(toonbench.__all__) - {"__version__"}
