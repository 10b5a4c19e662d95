"""Any program is a method: it is run in a process group of its own, and what it writes is checked."""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import toonbench
from baselines.command.method import CommandMethod
from toonbench import registry, video
from toonbench.cli import run
from toonbench.testing import check, find
from toonbench.types import ChunkMethod, Method, ProgramFailed, ToonbenchError

PROGRAM = """
import os, pathlib, shutil, signal, subprocess, sys, time
mode, source, driving, output = sys.argv[1:5]
output, here = pathlib.Path(output), pathlib.Path(__file__).parent
print("reading", pathlib.Path(source).name, "in mode", mode)
if mode == "copy":
    shutil.copy(driving, output)
elif mode == "folder":
    (output / "deep").mkdir()
    shutil.copy(driving, output / "deep" / "result.mp4")
    shutil.copy(driving, output / "deep" / "result_concat.mp4")
elif mode == "exit":
    print("no CUDA device"); sys.exit(3)
elif mode == "signal":
    os.kill(os.getpid(), signal.SIGSEGV)
elif mode in ("hang", "stubborn"):
    if mode == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    (here / "child.pid").write_text(str(child.pid)); time.sleep(60)
elif mode in ("short", "long", "wide", "damaged"):
    shutil.copy(here / f"{mode}.mp4", output)
elif mode == "elsewhere":
    shutil.copy(driving, here / "animation.mp4")
elif mode == "inside":
    shutil.copy(driving, output.parent / "result.mp4")
elif mode == "link":
    shutil.copy(driving, here / "animation.mkv"); output.symlink_to(here / "animation.mkv")
elif mode == "linked-folder":
    (here / "real").mkdir(exist_ok=True); shutil.copy(driving, here / "real" / "a.mp4")
    output.rmdir(); output.symlink_to(here / "real")
elif mode == "pipe":
    os.mkfifo(output)
elif mode == "leave":
    shutil.copy(driving, output)
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    (here / "child.pid").write_text(str(child.pid))
elif mode == "environment":
    print(os.environ["COLOUR"], os.getcwd(), *sys.argv[5:]); sys.exit(1)
"""
RECIPES = Path(__file__).parents[2] / "examples" / "methods"
SOURCE = np.random.default_rng(0).integers(0, 255, (33, 50, 3), dtype=np.uint8)
DRIVING = np.random.default_rng(1).integers(0, 255, (5, 33, 50, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    video.write_exact_mp4(tmp_path / "short.mp4", DRIVING[:2], fps=30)
    video.write_exact_mp4(tmp_path / "long.mp4", np.concatenate([DRIVING, DRIVING]), fps=30)
    video.write_exact_mp4(tmp_path / "wide.mp4", np.repeat(DRIVING, 2, axis=2), fps=30)
    (tmp_path / "damaged.mp4").write_bytes((tmp_path / "short.mp4").read_bytes()[:300])
    return tmp_path


def written(place, mode="copy", *, extra="", **keys):
    """A method's file for a mode of the stand-in program."""
    lines = {
        "name": "stand-in", "revision": "1", "timeout": 30,
        "command": [sys.executable, "program.py", mode, "{source}", "{driving}", "{output}"],
    } | keys  # fmt: skip
    path = place / f"{mode}.toml"
    text = "\n".join(f"{key} = {json.dumps(value)}" for key, value in lines.items() if value is not None)
    path.write_text(f"{text}\n{extra}")
    return path


def animate(path, **options):
    return CommandMethod(path, **options).animate(SOURCE, DRIVING, motion="relative", seed=7)


def reason(path):
    with pytest.raises(ProgramFailed) as failure:
        animate(path)
    return str(failure.value)


def test_a_program_receives_exact_pixels_and_its_frames_are_the_methods(folder):
    np.testing.assert_array_equal(animate(written(folder)), DRIVING)
    method = CommandMethod(written(folder))
    assert isinstance(method, Method)
    assert isinstance(method, ChunkMethod)
    chunks = method.animate_chunks(SOURCE, iter([DRIVING[:1], DRIVING[1:]]), motion="relative", seed=0)
    np.testing.assert_array_equal(np.concatenate(list(chunks)), DRIVING)


def test_a_pattern_finds_the_one_file_of_a_program_that_writes_into_a_folder(folder):
    np.testing.assert_array_equal(animate(written(folder, "folder", output="*/result.mp4")), DRIVING)
    assert "wrote 2 files like {output}/*/*.mp4" in reason(written(folder, "folder", output="*/*.mp4"))
    assert "did not write {output}/no.mp4; it wrote output/deep/result.mp4" in reason(
        written(folder, "folder", output="no.mp4")
    )


def test_frames_of_another_size_are_resized_only_if_the_file_says_so(folder):
    assert "frames of 100x33 pixels; the source has 50x33" in reason(written(folder, "wide"))
    assert animate(written(folder, "wide", resize=True)).shape == DRIVING.shape


@pytest.mark.parametrize(
    ("mode", "message"),
    [
        ("exit", "stand-in: the program exited with status 3 (no CUDA device)"),
        ("signal", "was ended by signal SIGSEGV (reading source.png in mode signal)"),
        ("short", "wrote 2 frames; the driving video has 5"),
        ("long", "wrote more than 5 frames; the driving video has 5"),
        ("damaged", "output.mp4"),
        ("nothing", "did not write the file {output}, and no other video"),
        ("elsewhere", "did not write the file {output}; it wrote"),
        ("inside", "did not write the file {output}; it wrote result.mp4 instead"),
        ("link", "wrote a symbolic link instead of a video"),
        ("pipe", "not a regular file"),
    ],
)
def test_a_program_that_fails_gives_a_reason_and_its_output(folder, mode, message):
    with pytest.raises(ProgramFailed) as failure:
        animate(written(folder, mode))
    assert message in str(failure.value)
    assert "\n" not in str(failure.value)
    assert "/tmp" not in str(failure.value).replace(str(folder), "")
    if mode != "signal":
        assert "in mode" in failure.value.log


def test_a_folder_that_becomes_a_symbolic_link_is_refused(folder):
    assert "symbolic link" in reason(written(folder, "linked-folder", output="*.mp4"))


def ended(pid):
    for _ in range(100):
        try:
            if Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("mode", ["hang", "stubborn"])
def test_a_program_that_hangs_is_ended_with_its_children(folder, mode, monkeypatch):
    monkeypatch.setattr("baselines.command.process.GRACE", 0.2)
    start = time.monotonic()
    assert "did not finish in 0.8 s and was ended" in reason(written(folder, mode, timeout=0.8))
    assert time.monotonic() - start < 20
    assert ended(int((folder / "child.pid").read_text()))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_program_and_its_children_end_when_toonbench_is_killed(folder):
    path = written(folder, "hang")
    code = f"from tests.unit.test_command_method import animate; from pathlib import Path; animate(Path({str(path)!r}))"
    caller = subprocess.Popen([sys.executable, "-c", code], cwd=RECIPES.parents[1])
    try:
        pid = folder / "child.pid"
        for _ in range(600):
            if pid.exists() and pid.read_text():
                break
            time.sleep(0.05)
    finally:
        caller.kill()
        caller.wait()
    assert ended(int(pid.read_text()))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_children_that_a_finished_program_leaves_are_ended(folder):
    animate(written(folder, "leave"))
    assert ended(int((folder / "child.pid").read_text()))


def test_environment_folder_and_placeholders_reach_the_program(folder):
    command = [
        sys.executable,
        "program.py",
        "environment",
        "{source}",
        "{driving}",
        "{output}",
        "{motion}-{seed}-{device}",
    ]
    path = written(folder, "environment", command=command, extra='[environment]\nCOLOUR = "blue"\n')
    assert f"(blue {folder} relative-7-cpu)" in reason(path)


def test_the_revision_changes_with_the_command_and_not_with_the_time_limit(folder):
    first, later, other = (
        CommandMethod(written(folder, mode, timeout=timeout)).revision
        for mode, timeout in (("copy", 5), ("copy", 6), ("folder", 5))
    )
    assert first == later != other
    assert first.startswith("1-")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"name": None}, "has no name"),
        ({"name": "../x"}, "use up to 64 letters"),
        ({"revision": " "}, "revision is empty"),
        ({"revision": 1}, "revision is 1; give a text"),
        ({"command": []}, "give a text or a list"),
        ({"command": "x '"}, "cannot be split"),
        ({"command": "true {source} {driving}"}, "has no {output}"),
        ({"command": "true {source} {driving} {output} {sorce}"}, "unknown placeholder {sorce}"),
        ({"command": "no-such-program {source} {driving} {output}"}, "program no-such-program does not exist"),
        ({"command": "./program.py {source} {driving} {output}"}, "cannot be executed"),
        ({"comand": "x"}, "did you mean command?"),
        ({"timeout": 0}, "timeout is 0"),
        ({"timeout": True}, "timeout is True"),
        ({"folder": "nowhere"}, "does not exist"),
        ({"output": "../*.mp4"}, "inside {output}"),
        ({"environment": {"A": 1}}, "environment"),
    ],
)
def test_a_wrong_file_is_one_line_that_names_it_and_the_key(folder, keys, message):
    environment = keys.pop("environment", None)
    path = written(folder, extra="[environment]\nA = 1\n" if environment else "", **keys)
    with pytest.raises(ToonbenchError) as error:
        CommandMethod(path)
    assert message in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_missing_or_not_toml_is_named(folder):
    with pytest.raises(ToonbenchError, match=r"no\.toml cannot be read"):
        CommandMethod(folder / "no.toml")
    (folder / "bad.toml").write_text("name =")
    with pytest.raises(ToonbenchError, match=r"bad\.toml is not a TOML file"):
        CommandMethod(folder / "bad.toml")


def test_a_checkpoint_is_given_exactly_where_the_command_uses_it(folder):
    with pytest.raises(ToonbenchError, match="leave --checkpoint out"):
        CommandMethod(written(folder), checkpoint=folder / "a.pt")
    command = [sys.executable, "program.py", "copy", "{source}", "{driving}", "{output}", "{checkpoint}"]
    with pytest.raises(ToonbenchError, match="give --checkpoint"):
        CommandMethod(written(folder, command=command))
    assert (animate(written(folder, command=command), checkpoint=folder / "a.pt") == DRIVING).all()


def test_a_run_goes_on_after_failures_and_keeps_their_reasons_and_logs(folder, tiny_data, tmp_path, capsys):
    program = PROGRAM.replace('if mode == "copy":', 'if mode == "copy" and not (here / "stop").exists():')
    program = program.replace(
        'elif mode == "folder"', 'elif mode == "copy":\n    print("out of memory"); sys.exit(9)\nelif mode == "folder"'
    )
    (folder / "program.py").write_text(program)
    arguments = ["eval", "--method", str(written(folder)), "--data", str(tiny_data), "--limit", "2", "--workers", "1"]
    arguments += ["--metrics", "l1", "--out", str(tmp_path / "runs")]
    (folder / "stop").touch()
    assert run(arguments) == 1
    shown = capsys.readouterr().out
    assert "2 × stand-in: the program exited with status 9 (out of memory); log: " in shown.replace("\n", " ")
    (root,) = (tmp_path / "runs").glob("*/*/stand-in@*")
    failures = [json.loads(path.read_text())["reason"] for path in sorted((root / "failures").iterdir())]
    logs = sorted((root / "logs").iterdir())
    assert all(reason.endswith(f"log: {log}") for reason, log in zip(failures, logs, strict=True))
    assert "out of memory" in logs[0].read_text()
    (folder / "stop").unlink()
    assert run(arguments) == 0
    assert "100%" in capsys.readouterr().out
    assert not list((root / "logs").iterdir())


def test_a_method_file_is_a_name_everywhere(folder, tiny_data, tmp_path):
    path = written(folder)
    assert toonbench.load_method(str(path)).name == "stand-in"
    made = toonbench.generate(str(path), data=str(tiny_data), out=tmp_path / "runs", limit=1)
    assert made.run.root.name.startswith("stand-in@1-")
    assert not made.failures
    assert registry.is_method_file("a/b.toml")
    assert not registry.is_method_file("module:Class")


def test_check_runs_a_program_on_faces(folder):
    outcomes = list(check(find(str(written(folder, "copy", resize=True)))[0]))
    assert {one.status for one in outcomes} == {"passed"}
    assert len(outcomes) >= 5
    (broken, *_) = [one for one in check(find(str(written(folder, "exit")))[0]) if one.status == "failed"]
    assert "exited with status 3" in broken.why


def test_the_recipes_are_read_where_their_programs_are_installed(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    recipes = sorted(RECIPES.glob("*.toml"))
    assert [path.stem for path in recipes] == ["fomm", "liveportrait"]
    for path, name in zip(recipes, ("first-order-model", "LivePortrait"), strict=True):
        python = tmp_path / name / ".venv" / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.symlink_to(sys.executable)
        CommandMethod(path, checkpoint=tmp_path / "vox.pth.tar" if path.stem == "fomm" else None)
        assert "Not run with the real program" in path.read_text()
