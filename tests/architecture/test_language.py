"""Plain English, checked: retired phrases in documents, docstrings, comments and messages, and retired identifiers in code.

A phrase or name that comes back fails here with its file, its line and what to write instead.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent

# A regular expression over text whose white space is single spaces (case does not matter), and what to write instead.
PHRASES = {
    # The field's words
    r"exact (?:answers?|targets?)": "target",
    r"(?:the|an|its|right|own|perfect|answer's) answers?(?! (?:to )?(?:the|your|this) question)": "target, or response",
    r"answer itself": "the target itself",
    r"drivers?(?<!graphics driver)": "driving video",
    r"actors?(?! did)": "driving video, or character",
    r"recipe weights|weights (?:made )?by rule|made by rule": "deterministic test weights",
    r"recipe network": "a network with deterministic test weights",
    r"heaps?": "set",
    r"real frames|real ones|real weights": "frames of the data set, published weights; `real` is the photographic domain",
    r"concordance": "Gini correlation",
    r"somebody's|somebody else's|other people's": "third-party, or the user's",
    # Idioms
    r"one door|the door to": "the only module that",
    r"has no vote|have no vote|no vote": "is ignored",
    r"cannot be told|can be told|be told|is told|are told|told (?:below|with|too|in|apart)": "reported, distinguished",
    r"what (?:can|could)(?:not)? tell|that can tell|tells? (?:it|that|them|which|little|more|apart)": "shows, reports",
    r"telling (?:them )?apart|tell (?:\w+ ){1,3}apart|sets? (?:them |\w+ )?apart": "distinguish",
    r"(?:go|goes|gone|going|went) on (?:where|with|from|as)|it goes on": "resumes, continues",
    r"anew": "again, from the start",
    r"(?:says|say|said) so": "reports it; the table shows a note",
    r"has nothing to say|nothing to say": "reports nothing",
    r"what (?:it|a file|the header|each metric) says (?:of|to)": "what it reports",
    r"whoever|whatever the|whatever order|in whatever": "any user who; independent of",
    r"nobody|nobody's": "no user, no one",
    r"in sight": "listed",
    r"(?:at|on) hand(?!-)": "available",
    r"by itself|by themselves|all by itself": "automatically, alone",
    r"(?:says|holds|knows) of itself": "reports in its header",
    r"for good|for ever|on trust|of old": "permanently",
    r"unasked": "without a request",
    r"be had|is had|are had": "is available",
    r"ought to": "should",
    r"the very(?! (?:first|last))": "the same",
    r"not to be (?!\w+ed by)|never to be|(?:is|are) not to be": "must not be",
    r"(?:reads?|read) off": "estimates from",
    r"(?:stand|stands|stood) (?:beside|with|in|under|behind|here|alone|for itself)": "is given beside, is in",
    r"what stands behind": "the background",
    r"(?:makes?|made) of (?:it|them)": "produces from",
    r"takes? it up|takes? them up|taken up": "uses it",
    r"its kin|twin": "related; counterpart",
    r"pixels? aside|px aside|slightly aside|aside all the time": "shifted by",
    r"now and then|once and for all|again and again": "sometimes, once, repeatedly",
    r"softly|hardly": "barely, almost not",
    r"would obey|obeys": "interprets",
    r"half a download": "an incomplete download",
    r"honest bounds": "Validation",
    r"but for": "except for",
    r"nothing but": "only",
    r"it was never asked|was not asked|has asked people|asked of people": "was not tested with people",
    r"(?:lets?|let) go of": "releases",
    r"(?:were|was|is|are) not here": "was not available",
    r"yields to": "ranks below",
    # Inversions and omitted verbs
    r"(?:^|(?<=[.:;] ))Of (?!course)(?:an?|the|several|two|all|those|\d+)(?= )": "subject first: `For a video, the first frames are ...`",
    r"[,;] else(?! if)": "otherwise",
    r"(?:^|(?<=[.;:] ))Else(?= )": "Otherwise",
    r"(?:^|(?<=[.;:] ))Nor(?= )": "and not",
    r"(?:^|(?<=[.;:] ))So (?:is|are|do|does|has|have)(?= )": "subject first",
    r", so (?:is|are|do|does|has|have) (?!not)(?=\w)": "subject first: `..., too`",
}

# Whole identifiers, without leading underscores; single everyday words are retired here only, not in text.
NAMES = {
    "Talk": "Terminal",
    "talk": "terminal",
    "say": "message, report",
    "tell": "report",
    "tells": "reports",
    "told": "reported",
    "OnMetric": "MetricComparison",
    "Standing": "MethodRow",
    "Truth": "GroundTruth",
    "describe": "extract_features",
    "describes": "features",
    "known": "features",
    "real_features": "dataset_features",
    "lacking": "missing",
    "ready": "available",
    "here": "available, position",
    "seen": "detected, visited",
    "meet": "barrier",
    "board": "all_reduce buffer",
    "gate": "barrier",
    "fooling": "generator_loss",
    "telling_apart": "discriminator_loss",
    "with_recipe_weights": "with_test_weights",
    "on_recipe_weights": "on_test_weights",
    "from_recipe": "with_test_weights",
    "recipe_network": "test_network",
    "recipe_state": "deterministic_state",
    "recipe_features": "deterministic_features",
}
# Parts of identifiers between underscores.
NAME_PARTS = {
    "driver": "driving",
    "drivers": "driving_videos",
    "actor": "character",
    "answer": "target",
    "answers": "targets",
    "wanted": "target, expected",
    "heap": "set",
}

CODE = [p for folder in ("toonbench", "baselines", "toontalker", "scripts") for p in (ROOT / folder).rglob("*.py")]
DOCUMENTS = [
    *ROOT.glob("*.md"),
    *(
        p
        for folder in ("docs", "design", "toonbench", "toontalker", "baselines", "benchmarks", "examples")
        for p in (ROOT / folder).rglob("*.md")
    ),
]


def _names(paths: list[Path]) -> list[str]:
    return sorted(path.relative_to(ROOT).as_posix() for path in paths)


def _generated(name: str) -> bool:
    """A page that a script makes: its sources (docstrings, notes) are checked instead."""
    return (ROOT / name).read_text().startswith("<!-- Generated by")


def _pattern(phrase: str) -> re.Pattern[str]:
    start = "" if phrase.startswith(("[", "(?:^")) else r"\b"
    return re.compile(rf"{start}(?:{phrase})\b", re.IGNORECASE if not phrase.startswith("(?:^") else 0)


PATTERNS = {_pattern(phrase): instead for phrase, instead in PHRASES.items()}


def _flat(text: str) -> tuple[str, list[int]]:
    """The text with each run of white space and Markdown quoting as one space, and the line (from 0) of each character."""
    out, lines, line = [], [], 0
    for piece in re.split(r"(\s+)", text):
        space = piece.isspace()
        out.append(" " if space else piece)
        lines += [line] * len(out[-1])
        line += piece.count("\n")
    return "".join(out), lines


def retired_phrases(text: str) -> Iterator[tuple[int, str, str]]:
    """The line (from 0), the words found, and what to write instead, of each retired phrase in a text."""
    for paragraph in re.finditer(r"(?:.+\n?)+", text):
        flat, lines = _flat(paragraph.group())
        first = text.count("\n", 0, paragraph.start())
        for pattern, instead in PATTERNS.items():
            for match in pattern.finditer(flat):
                yield first + lines[match.start()], match.group().strip(), instead


def texts(source: str) -> Iterator[tuple[int, str]]:
    """The first line (from 1) and the text of every docstring, message and run of comments of a module."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield node.lineno, node.value
        elif isinstance(node, ast.JoinedStr):
            parts = [v.value if isinstance(v, ast.Constant) else "\N{HORIZONTAL ELLIPSIS}" for v in node.values]
            yield node.lineno, "".join(str(part) for part in parts)
    run: list[str] = []
    last = -1
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            if run and token.start[0] != last + 1:
                yield last - len(run) + 1, "\n".join(run)
                run = []
            run.append(token.string.lstrip("# "))
            last = token.start[0]
    if run:
        yield last - len(run) + 1, "\n".join(run)


def retired_names(source: str) -> Iterator[tuple[int, str, str]]:
    """The line, the name and what to write instead, of each retired name that a module defines."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.arg(arg=name):
                pass
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                pass
            case _:
                continue
        bare = name.lstrip("_")
        parts = [NAME_PARTS[part] for part in bare.lower().split("_") if part in NAME_PARTS]
        if bare in NAMES or parts:
            yield node.lineno, name, NAMES.get(bare) or ", ".join(parts)


def _document(text: str) -> str:
    """A document without the rows of tables that list retired words beside their replacements."""
    table = r"(?m)^\| (?:instead of|retired) \|.*\n(?:\|.*\n?)*"
    return re.sub(table, lambda found: "\n" * found.group().count("\n"), text)


def _report(found: list[str]) -> None:
    assert not found, "\n" + "\n".join(sorted(set(found)))


@pytest.mark.parametrize("name", [n for n in _names(DOCUMENTS) if not _generated(n)])
def test_documents_use_plain_words(name):
    text = _document((ROOT / name).read_text())
    _report([f"{name}:{line + 1}: `{words}`, write: {use}" for line, words, use in retired_phrases(text)])


@pytest.mark.parametrize("name", _names(CODE))
def test_docstrings_comments_and_messages_use_plain_words(name):
    found = [
        f"{name}:{first + line}: `{words}`, write: {use}"
        for first, text in texts((ROOT / name).read_text())
        for line, words, use in retired_phrases(text)
    ]
    _report(found)


@pytest.mark.parametrize("name", _names(CODE))
def test_identifiers_use_the_words_of_the_field(name):
    found = retired_names((ROOT / name).read_text())
    _report([f"{name}:{line}: {word}, write: {use}" for line, word, use in found])


def test_a_phrase_is_found_across_lines_and_in_any_case():
    found = [(line, words) for line, words, _ in retired_phrases("One.\n\nTwo. The exact\nanswer")]
    assert found == [(2, "exact answer")]


def test_the_beginning_of_a_sentence_is_found_only_there():
    assert list(retired_phrases("Of a video, the first frames.")) != []
    assert list(retired_phrases("The first frames Of a video.")) == []


def test_docstrings_comments_and_formatted_messages_are_read():
    source = '"""Doc one."""\n# a comment\n# goes on\nx = f"{1} is told"\n'
    assert sorted(set(texts(source)))[:2] == [(1, "Doc one."), (2, "a comment\ngoes on")]
    assert any(text == "\N{HORIZONTAL ELLIPSIS} is told" for _, text in texts(source))


def test_functions_arguments_variables_and_attributes_are_names():
    source = "def describe(wanted):\n    driver_rig = self.told = wanted\nclass _Talk: ...\n"
    assert [name for _, name, _ in retired_names(source)] == ["describe", "_Talk", "wanted", "driver_rig", "told"]


def test_a_table_of_retired_words_may_name_them():
    assert list(retired_phrases(_document("| retired | use |\n|---|---|\n| heap | set |\n"))) == []
