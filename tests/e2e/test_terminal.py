"""What commands print: nothing raw from names and files, in every encoding, into pipes, full disks and closed streams."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from toonbench import cli
from toonbench.report.console import LegibleConsole
from toonbench.text import legible, legible_streams, one_line

HOSTILE = "x\x1b[2J\x1b]0;owned\x07\x9b31m\u202e\r\x08y"
FORBIDDEN = ("\x1b", "\x07", "\x9b", "\u202e", "\r", "\x08")


def shell(line: str, **env: str) -> subprocess.CompletedProcess[bytes]:
    """Run a line of the shell in which $T is toonbench."""
    tool = f"{sys.executable} -m toonbench.cli"
    return subprocess.run(
        ["bash", "-c", line], capture_output=True, env={**os.environ, "T": tool, **env}, timeout=120, check=False
    )


def clean(raw: bytes) -> str:
    text = raw.decode("utf-8")
    assert not [one for one in FORBIDDEN if one in text]
    return text


def test_escapes_are_those_of_json_and_names_of_all_languages_stay():
    assert legible("a\x1b[2J\x9b\u202e\udcff\U000e0041\n\tb") == ("a\\u001b[2J\\u009b\\u202e\\udcff\\udb40\\udc41\n\tb")
    assert legible("动漫 　é نمی‌خواهم 👩‍🎤") == "动漫 　é نمی‌خواهم 👩‍🎤"
    assert one_line("choose one of\n  a\n  b\nfake line\tc") == "choose one of\n  a\n  b\\u000afake line\\u0009c"


def test_json_with_any_text_stays_the_same_json_in_every_encoding(capsys):
    value = {"id": HOSTILE + "é动漫👩"}
    with legible_streams():
        LegibleConsole().out(json.dumps(value, ensure_ascii=False))
        sys.stderr.write(json.dumps(value, ensure_ascii=False))
    shown = capsys.readouterr()
    assert json.loads(clean(shown.out.encode())) == json.loads(clean(shown.err.encode())) == value
    code = (
        "import sys, json\nfrom toonbench.text import legible_streams\nfrom toonbench.report.console import LegibleConsole\n"
        "with legible_streams():\n    LegibleConsole().out(json.dumps({'id': 'é动漫👩\\x9b'}, ensure_ascii=False))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, env={**os.environ, "PYTHONIOENCODING": "ascii"}
    )
    assert json.loads(done.stdout.decode("ascii")) == {"id": "é动漫👩\x9b"}


def test_a_terminal_gets_the_styles_of_rich_and_no_others(monkeypatch):
    import io

    from rich.table import Table
    from rich.text import Text

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys, "stdout", Terminal())
    console = LegibleConsole()
    table = Table()
    table.add_column(HOSTILE)
    table.add_row(Text(HOSTILE, style="bold red"))
    console.print(table)
    console.print(f"[red]{HOSTILE}", style="bold")
    shown = sys.stdout.getvalue()
    assert "\x1b[1m" in shown
    assert "[red]x" in shown
    assert not [one for one in ("\x1b[2J", "\x1b]0", "\x07", "\x9b", "\u202e") if one in shown]


COMMANDS = [
    ["eval", "--method", HOSTILE],
    ["eval", "--task", HOSTILE],
    ["eval", "--metrics", HOSTILE],
    ["eval", "--data", HOSTILE],
    ["eval", "--data", f"{HOSTILE}/a"],
    ["eval", "--checkpoint", HOSTILE],
    ["eval", "--device", HOSTILE],
    ["eval", "--shard", HOSTILE],
    ["eval", "--limit", HOSTILE],
    [HOSTILE],
    ["eval", f"--{HOSTILE}"],
    ["generate", "--method", f"{HOSTILE}:a"],
    ["score", "--videos", HOSTILE],
    ["score", "--method", HOSTILE],
    ["compare", HOSTILE, "b"],
    ["list", HOSTILE],
    ["make-puppets", "--out", "o", "--styles", HOSTILE],
    ["make-films", "--out", "o", "--styles", HOSTILE],
    ["calibrate", "--out", "o", "--metrics", HOSTILE],
    ["train", "--data", HOSTILE, "--out", "o"],
    ["train", "--data", "d", "--out", "o", "--method", HOSTILE],
    ["validate", HOSTILE],
    ["check", HOSTILE],
    ["doctor", "--goldens", HOSTILE],
    ["weights", "fetch", HOSTILE],
    ["weights", "fetch", "--for", HOSTILE],
    ["weights", "verify", HOSTILE],
    ["weights", "path", HOSTILE],
]


@pytest.mark.parametrize("verbose", [[], ["--json"]], ids=["text", "json"])
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command).replace(HOSTILE, "HOSTILE"))
def test_what_the_user_typed_is_printed_legibly_and_in_one_line(command, verbose, tmp_path, monkeypatch, capfdbinary):
    monkeypatch.chdir(tmp_path)
    assert cli.run([*command, *verbose]) == 2
    shown = capfdbinary.readouterr()
    text = clean(shown.out + shown.err)
    assert len(text.splitlines()) == 1, text
    assert text.startswith("toonbench: ")
    assert "unexpected" not in text


@pytest.mark.parametrize(
    "environment", [{"LC_ALL": "C"}, {"PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "latin-1"}]
)
def test_every_encoding_of_the_terminal_can_show_every_message(environment, tmp_path):
    done = shell(f"cd {tmp_path}; $T validate 动漫é; $T list tasks; $T list metrics", **environment)
    assert b"unexpected" not in done.stderr
    assert b"\xe9" not in done.stderr or environment["PYTHONIOENCODING"] == "latin-1"
    assert b"real2cartoon" in done.stdout
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("reader", ["true", "head -1"])
def test_a_reader_that_stops_early_ends_the_command_quietly(reader):
    done = shell(f"$T list metrics | {reader}; echo ${{PIPESTATUS[0]}}")
    assert done.stderr == b""
    assert done.stdout.splitlines()[-1] == b"0"


def test_a_full_or_closed_output_is_one_line_or_none():
    full = shell("$T list metrics > /dev/full; echo $?")
    assert full.stdout == b"2\n"
    assert full.stderr.decode().splitlines() == [
        "toonbench: No space left on device; check the free space, permissions, and where the output goes"
    ]
    closed = shell("$T list metrics >&- 2>&-; exit $?")
    assert (closed.returncode, closed.stderr) == (0, b"")
    assert shell("$T list nonsense 2>/dev/full").returncode == 2
    assert shell("$T list nonsense 2>&1 | true; exit ${PIPESTATUS[0]}").returncode == 2


def test_a_deleted_current_folder_and_no_home_are_one_line_or_no_matter(tmp_path):
    gone = tmp_path / "gone"
    done = shell(f"mkdir {gone}; cd {gone}; rmdir {gone}; $T train --data . --out o; echo $?")
    assert len(done.stderr.splitlines()) == 1
    assert b"unexpected" not in done.stderr
    done = shell("unset HOME XDG_CACHE_HOME; TMPDIR=/nonexistent $T weights list --json")
    assert done.returncode == 0
    assert Path(json.loads(done.stdout)["folder"]).is_absolute()


def test_columns_align_for_names_of_every_kind(monkeypatch):
    import io

    from rich.cells import cell_len
    from rich.table import Table

    from toonbench.report.console import cell

    monkeypatch.setattr(sys, "stdout", io.StringIO())
    monkeypatch.setenv("COLUMNS", "200")
    table = Table("name", "value")
    for name in ("plain", "动漫-角色", "نمی\u200cخواهم", "e\u0301tude", HOSTILE, "a\nb\tc", "zero\u200bwidth"):
        table.add_row(cell(name), "1.00")
        table.add_row(name, "1.00")
    LegibleConsole().print(table)
    lines = sys.stdout.getvalue().splitlines()
    assert len({cell_len(line) for line in lines}) == 1
    assert len(lines) == 14 + 4


def test_a_name_with_a_line_break_is_one_line_on_the_console(capsys):
    with legible_streams():
        LegibleConsole().print(f"a clip\nFAKE: all is fine: {HOSTILE}", soft_wrap=True)
    assert len(clean(capsys.readouterr().out.encode()).splitlines()) == 1


def test_undecodable_bytes_of_file_names_are_escapes_in_stored_json(tmp_path):
    from toonbench.store import read_json, write_json

    write_json(tmp_path / "a.json", {"name": "x\udcffy"})
    assert b"x\\udcffy" in (tmp_path / "a.json").read_bytes()
    assert read_json(tmp_path / "a.json") == {"name": "x\udcffy"}


FAKE = f"{HOSTILE}\nFAKE: all is fine\t<script>alert(1)</script>|`"


def shown_safely(arguments, capfdbinary) -> str:
    """What a command prints: nothing raw, no line of its own for a part of a name, nothing unexpected."""
    assert cli.run([str(one) for one in arguments]) in (0, 1, 2)
    shown = capfdbinary.readouterr()
    text = clean(shown.out) + clean(shown.err)
    assert not [line for line in text.splitlines() if line.strip().startswith("FAKE")]
    assert "unexpected" not in text
    return text


@pytest.fixture(scope="module")
def two_runs(tiny_data, tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    for method in ("static", "oracle"):
        arguments = [
            "--data",
            str(tiny_data),
            "--method",
            method,
            "--metrics",
            "l1",
            "--out",
            str(root),
            "--workers",
            "1",
        ]
        assert cli.run(["eval", "-q", *arguments]) == 0
    return [next(root.glob(f"*/*/{method}@*")) for method in ("static", "oracle")]


def hostile(value):
    """The value with every text and every key replaced; one text or key where there was none."""
    if isinstance(value, dict):
        return {f"{FAKE}{key}": hostile(one) for key, one in value.items()} or {FAKE: FAKE}
    if isinstance(value, list):
        return [hostile(one) for one in value] or [FAKE]
    return FAKE if isinstance(value, str) else value


def test_no_field_of_a_result_reaches_the_terminal_raw(two_runs, capfdbinary):
    run, other = two_runs
    for name in ("result.json", "run.json"):
        whole = (run / name).read_text()
        fields = json.loads(whole)
        for field in fields:
            (run / name).write_text(json.dumps({**fields, field: hostile(fields[field])}))
            for command in (["validate", run], ["validate", run, "--json"], ["compare", run, other]):
                shown_safely(command, capfdbinary)
        (run / name).write_text(whole)
    whole = (run / "scores.csv").read_text()
    (run / "scores.csv").write_text(whole.replace("l1@1", '"' + FAKE.replace("\r", "") + '"'))
    for command in (["validate", run], ["compare", run, other]):
        shown_safely(command, capfdbinary)
    (run / "scores.csv").write_text(whole)


def test_no_name_of_a_file_reaches_the_terminal_raw_and_every_one_can_be_stored(
    two_runs, tiny_data, tmp_path, capfdbinary
):
    name = FAKE.replace("/", "_")
    folder = tmp_path / name
    shutil.copytree(two_runs[0] / "videos", folder)
    video = next(folder.iterdir()).read_bytes()
    for other in (
        f"{name}.mkv",
        f"{name}.txt",
        "\udcff\udcfe.mp4",
        "n" * 240 + ".mp4",
        "<script>.gif",
        "a\nFAKE: b.npy",
    ):
        Path(os.fsdecode(os.fsencode(folder)), other).write_bytes(video)
    shared = ["--data", tiny_data, "--workers", "1"]
    score = ["score", "--videos", folder, *shared, "--metrics", "l1", "--out", tmp_path / "out"]
    for command in (score, [*score, "--json"], [*score, "--name", FAKE], ["validate", folder, *shared]):
        shown_safely(command, capfdbinary)
    (run, _) = sorted((tmp_path / "out").glob("*/*/*"))
    assert "no problem found" in shown_safely(["validate", run], capfdbinary)
    shown_safely(["compare", run, two_runs[0]], capfdbinary)
