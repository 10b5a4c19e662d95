"""The parts of the documentation's site: links, Markdown, navigation, places."""

from pathlib import Path

import pytest

from site_pages.links import Links
from site_pages.markdown import as_python_markdown, outside_code
from site_pages.navigation import expanded
from site_pages.places import card_name, page_of
from site_pages.reference import command_page
from toonbench.cli import app


@pytest.fixture
def repository(tmp_path):
    for path in ("README.md", "docs/a.md", "docs/m/README.md", "docs/m/b.md", "docs/m/p.png", "src/code.py"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("# title\n")
    return tmp_path


@pytest.mark.parametrize(
    ("source", "link", "expected"),
    [
        ("README.md", "[a](docs/a.md#part)", "[a](a.md#part)"),
        ("README.md", "![p](docs/m/p.png)", "![p](m/p.png)"),
        ("README.md", "[the pages](docs/m)", "[the pages](m/README.md)"),
        ("docs/m/b.md", "[start](../../README.md)", "[start](../index.md)"),
        ("docs/m/b.md", "[`code`](../../src/code.py)", "`code`"),
        ("docs/m/b.md", "`[a](../../src/code.py)`", "`[a](../../src/code.py)`"),
        ("docs/m/b.md", "[none](none.md) [web](https://example.org/a.md) [here](#part)", None),
    ],
)
def test_a_link_of_the_repository_becomes_one_of_the_site(repository, source, link, expected):
    links = Links(root=repository, pages=page_of(repository))
    assert links.rewritten(link, source=source) == (expected or link)


def test_a_file_that_is_no_page_is_linked_where_the_repository_has_an_address(repository):
    links = Links(root=repository, pages=page_of(repository), code="https://example.org/toonbench/")
    text = links.rewritten("[code](src/code.py)", source="README.md")
    assert text == "[code](https://example.org/toonbench/blob/main/src/code.py)"


def test_a_list_and_a_table_after_a_paragraph_get_an_empty_line():
    assert as_python_markdown("text\n- one\n- two\n") == "text\n\n- one\n- two\n"
    assert as_python_markdown("text\n| a |\n|---|\n") == "text\n\n| a |\n|---|\n"
    assert as_python_markdown("- one\n  more\n- two\n") == "- one\n  more\n- two\n"
    assert as_python_markdown("- one\n  - two\n") == "- one\n    - two\n"


def test_code_is_not_changed():
    text = "a\n```\na\n- a\n```\nb `a` a\n"
    assert as_python_markdown(text) == text
    assert outside_code(text, lambda part: part.replace("a", "x")) == "x\n```\na\n- a\n```\nb `a` x\n"


def test_the_navigation_takes_new_pages_by_patterns_and_leaves_no_page_out():
    entries = ["index.md", {"Metrics": ["m/README.md", "m/*.md"]}, {"Study": ["study*.md"]}, {"More": ["*"]}]
    pages = ["index.md", "m/README.md", "m/b.md", "m/a.md", "new.md", "other/deep/page.md"]
    assert expanded(entries, pages) == [
        "index.md",
        {"Metrics": ["m/README.md", "m/a.md", "m/b.md"]},
        {"More": ["new.md", "other/deep/page.md"]},
    ]
    assert {"Study": ["study.md"]} in expanded(entries, [*pages, "study.md"])


def test_each_document_has_a_page_of_its_own():
    pages = page_of(Path(__file__).parent.parent.parent)
    assert len(set(pages.values())) == len(pages)
    assert {"index.md", "about/changelog.md", "cards/toontalker.md", "leaderboards.md"} <= set(pages.values())
    assert not any("notes" in page for page in pages.values())
    assert card_name("a/puppets@2/README.md") == "puppets-2"


def test_the_page_of_a_command_shows_angle_brackets_and_subcommands_and_links_documents():
    assert "OUT/&lt;data>/" in command_page("eval", app["eval"])
    assert "([docs/cluster.md](../cluster.md))" in command_page("eval", app["eval"])
    page = command_page("weights", app["weights"])
    assert page.startswith("# toonbench weights\n")
    assert "## toonbench weights fetch" in page
    assert "(#toonbench-weights-fetch)" in page
