"""Documents name only files, commands and options that exist."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from cyclopts import CycloptsError

from toonbench.cli import app

ROOT = Path(__file__).parent.parent.parent
FOLDERS = ("docs", "design", "examples", "benchmarks", "toonbench", "toontalker")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.md"))])
NOTES = ROOT / "docs" / "metrics" / "notes"  # parts of pages in docs/metrics
TOP = "toonbench|toontalker|baselines|scripts|tests|benchmarks|docs|design|examples"
PARTS = "stats|score|data|puppets|landmarks|networks|training|metrics|lint|compare|report|results"
PATH = re.compile(rf"(?:{TOP}|{PARTS})/[\w./@-]*\w/?")
EXAMPLES = {"toonbench/puppets/styles/mine.py"}  # files that the reader writes
VALUES = {"N": "1", "i/n": "1/2", "auto|full|...": "auto"}


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def spans(text: str) -> list[str]:
    """The code spans outside of fenced blocks."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"(?ms)^```.*?^```", "", text))


def commands(text: str) -> Iterator[list[str]]:
    """The words of every toonbench command in a fenced block."""
    for language, block in re.findall(r"(?ms)^```(\w*)\n(.*?)^```", text):
        if language not in ("", "sh", "bash"):
            continue
        for line in re.sub(r"\\\n", " ", block).splitlines():
            for part in re.split(r"&&|\|\||;", line.partition(" #")[0]):
                words = shlex.split(part) if "toonbench" in part else []
                if words and words[0].rpartition("/")[2] == "toonbench":
                    yield [VALUES.get(word, word) for word in words[1:]]


def missing_paths(document: Path) -> list[str]:
    """The links and the repository's paths in a document that lead nowhere."""
    text = document.read_text()
    base = NOTES.parent if document.parent == NOTES else document.parent
    links = [link for link in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in link and "<" not in link]
    missing = [link for link in links if not (base / link).exists()]
    words = {word.rstrip(".,:;") for span in spans(text) for word in span.split()}
    places = (ROOT, ROOT / "toonbench", base)
    paths = {word for word in words if PATH.fullmatch(word)} - EXAMPLES
    return missing + sorted(path for path in paths if not any((place / path).exists() for place in places))


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_links_and_paths_exist(document):
    assert missing_paths(document) == []


@pytest.mark.parametrize("document", [path for path in DOCUMENTS if any(commands(path.read_text()))], ids=named)
def test_commands_of_blocks_can_be_parsed(document):
    for words in commands(document.read_text()):
        try:
            app.parse_args(words, exit_on_error=False, print_error=False)
        except CycloptsError as error:
            pytest.fail(f"toonbench {shlex.join(words)}: {error}")


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_commands_and_options_in_running_text_exist(document):
    for span in spans(document.read_text()):
        found = re.fullmatch(r"toonbench ([a-z][\w-]*)\b(.*)", span)
        if found is None:
            continue
        command, rest = found.groups()
        assert command in app, span
        options = set(re.findall(r"(?<!\S)--[a-z-]+", rest))
        assert options <= known_options(app[command]), span


def known_options(command) -> set[str]:
    collection = command.assemble_argument_collection() if command.default_command else []
    known = {name for argument in collection for name in argument.names}
    return known.union(*(known_options(command[name]) for name in command if not name.startswith("-")))


def test_a_path_and_a_command_that_do_not_exist_are_found(tmp_path):
    document = ROOT / "docs" / "compare.md"
    assert missing_paths(document) == []
    wrong = tmp_path / "wrong.md"
    wrong.write_text("[page](none.md) and `scripts/none.py`\n\n```sh\ntoonbench compare a b --none # comment\n```\n")
    assert missing_paths(wrong) == ["none.md", "scripts/none.py"]
    assert list(commands(wrong.read_text())) == [["compare", "a", "b", "--none"]]
    with pytest.raises(CycloptsError):
        app.parse_args(["compare", "a", "b", "--none"], exit_on_error=False, print_error=False)
