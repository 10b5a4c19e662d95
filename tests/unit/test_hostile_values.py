"""Values that no option may take: each is one line, before anything is read or written."""

from collections.abc import Iterator
from typing import get_args

import pytest

from toonbench import cli

WORDS = ("", "\t")
WHOLE = ("", "-1", "1.5", "nan", "1e9", "9" * 30, "٣")
NUMBERS = ("", "-1", "nan", "inf", "1e9", "abc")
COMMANDS = (
    "eval", "generate", "score", "pairs", "compare", "list", "make-puppets", "make-films", "calibrate", "train", "validate",
    "check", "doctor", "prepared", "prepare-cartoon", "rebuild", "prepare-voxceleb", "prepare-celebahq", "reenact",
    "weights fetch", "weights verify", "weights path", "submit", "export", "leaderboard", "figure grid", "figure strip",
    "figure failures", "figure yaw", "figure motion-space", "table", "reproduce", "site", "view", "publish dataset", "publish weights",
    "publish results", "publish site", "study make", "study serve", "study analyse",
)  # fmt: skip


def hostile() -> Iterator[tuple[str, str, list[str], str]]:
    """Every command, each of its options that takes a value, how often it is written, and a value that it must refuse."""
    for command in COMMANDS:
        app = cli.app
        for word in command.split():
            app = app[word]
        for one in app.assemble_argument_collection():
            kinds = (one.hint, *get_args(one.hint))
            if one.name != "*" and bool not in kinds:
                bad = WHOLE if int in kinds else NUMBERS if float in kinds else WORDS
                times = 2 if "seconds" in one.name else 1
                yield from ((command, one.name, [value] * times, value) for value in bad)


def test_every_option_that_takes_a_value_is_tried():
    """A new command must be in the table."""
    cases = list(hostile())
    names = {name for name in cli.app if not name.startswith("-")}
    assert names == {command.split()[0] for command in COMMANDS}
    assert {("eval", "--limit"), ("calibrate", "--size"), ("compare", "METHODS")} <= {case[:2] for case in cases}
    assert len(cases) > 250


@pytest.mark.parametrize("command", COMMANDS)
def test_what_no_option_takes_is_refused_in_one_line_with_the_value(command, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    required = {
        "list": {"--what": "data"},
        "train": {"--data": "x", "--out": "y"},
        "validate": {"--path": "x"},
        "prepared": {"--root": "x"},
        "prepare-cartoon": {"--raw": "x", "--out": "y"},
        "rebuild": {"--manifest": "x", "--films": "x", "--out": "y"},
        "prepare-voxceleb": {"--mirror": "x", "--metadata": "x", "--out": "y"},
        "prepare-celebahq": {"--images": "x", "--out": "y"},
        "figure grid": {"--out": "y.png"},
        "figure strip": {"--out": "y.mp4", "--pair": "x"},
        "figure failures": {"--out": "y.png"},
        "figure yaw": {"--out": "y.pdf"},
        "figure motion-space": {"--out": "y.pdf"},
        "export": {"--out": "y"},
        "reproduce": {"--name": "table1"},
        "site": {"--out": "y"},
        "publish dataset": {"--repo": "a/b", "--data": "x"},
        "publish weights": {"--repo": "a/b", "--checkpoint": "x", "--licence": "mit"},
        "publish results": {"--repo": "a/b"},
        "publish site": {"--repo": "a/b", "--folder": "x"},
        "study make": {"--out": "y"},
        "study serve": {"--study": "x"},
        "study analyse": {"--study": "x"},
        "reenact": {"--source": "x", "--driving": "y", "--out": "z.mp4"},
    }.get(command, {})
    required = {"--out": "y"} if command in ("make-puppets", "make-films", "calibrate") else required
    for _, name, values, value in (case for case in hostile() if case[0] == command):
        rest = [word for key, text in required.items() if key != name for word in (key, text)]
        option = [name, *values] if name.startswith("--") and len(values) > 1 else [f"{name}={value}"]
        arguments = [*command.split(), *rest, *(option if name.startswith("--") else ["--", *values])]
        assert cli.run(arguments) == 2, arguments
        shown = capsys.readouterr()
        assert shown.out == "", arguments
        assert len(shown.err.splitlines()) == 1, arguments
        assert "unexpected" not in shown.err, arguments
        assert name.lstrip("-").upper() in shown.err.upper(), shown.err
        assert value.strip() in shown.err or float(value) == 1e9, shown.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        (["eval", "--limit", "0"], "Give 1 or more."),
        (["pairs", "--limit", "0"], "Give 1 or more."),
        (["validate", ".", "--workers", "1025"], "Give 0 to 1,024."),
        (["score", "--videos", ".", "--fps", "1000.5"], "Give 0 to 1,000."),
        (["make-puppets", "--out", "x", "--size", "0"], "Give 16 to 2,048."),
        (["make-puppets", "--out", "x", "--size", "1000000000"], "Give 16 to 2,048."),
        (["make-puppets", "--out", "x", "--clips", "1000000000"], "Give 0 to 1,000,000."),
        (["make-puppets", "--out", "x", "--clips", "0"], "got 0 and 0"),
        (["make-films", "--out", "x", "--films", "0"], "Give 1 to 1,000,000."),
        (["make-films", "--out", "x", "--height", "0"], "Give 48 to 1,440."),
        (["make-films", "--out", "x", "--height", "49"], "must be even"),
        (["make-films", "--out", "x", "--seconds", "9", "5"], "got 9 5"),
        (["make-films", "--out", "x", "--seconds", "0", "5"], "Give 1 to 3,600."),
        (["make-films", "--out", "x", "--seconds", "5"], "Only got 1"),
        (["make-films", "--out", "x", "--empty-seconds"], "Unknown option: --empty-seconds"),
        (["calibrate", "--out", "x", "--clips", "0"], "Give 1 to 1,000,000."),
        (["calibrate", "--out", "x", "--frames", "3"], "Give 4 to 100,000."),
        (["calibrate", "--out", "x", "--size", "0"], "Give 16 to 2,048."),
        (["eval", "--method", "static", "--shard", "5/3"], "--shard 5/3: write i/n with 1 <= i <= n"),
        (["eval", "--method", "static", "--shard", "0/0"], "--shard 0/0: write i/n"),
        (["eval", "--method", "static", "--shard", "٣/٣"], "--shard ٣/٣: write i/n"),
        (["validate", ".", "--panel", "4/3"], "--panel 4/3: write i/n"),
        (["score", "--videos", ".", "--panel=-1/3"], "--panel -1/3: write i/n"),
    ],
)
def test_a_number_out_of_range_is_refused_with_what_is_allowed(arguments, allowed, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.run(arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert len(shown.err.splitlines()) == 1
    assert allowed in shown.err
    assert not list(tmp_path.iterdir())


def test_the_library_refuses_a_size_before_it_measures(tmp_path):
    from toonbench.calibrate import Setting, calibrate
    from toonbench.types import ToonbenchError

    setting = Setting(metrics=("psnr",), errors=("noise",), styles=("cel",), clips=1, frames=4, step=1, size=0, seed=0)
    with pytest.raises(ToonbenchError, match="size is 0: give 16 to 2048 pixels"):
        calibrate(tmp_path / "out", setting)
    assert not list(tmp_path.iterdir())
