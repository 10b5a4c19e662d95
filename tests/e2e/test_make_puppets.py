import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from toonbench import cli, registry
from toonbench.data import load, read_motion, shipped
from toonbench.puppets.catalogue import styles
from toonbench.registry import load_task
from toonbench.store import read_json
from toonbench.tasks import STANDARD_TASKS


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "toonbench.cli", "make-puppets", *map(str, arguments)]


SMALL = ("--split", "test", "--clips", 2, "--images", 1, "--frames", 3, "--step", 4, "--size", 32, "--seed", 3)


def tree(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_killed_at_any_moment_and_run_again_gives_the_same_bytes(tmp_path):
    begun = time.monotonic()
    subprocess.run(command("--out", tmp_path / "whole", "--workers", 2, *SMALL), check=True, capture_output=True)
    whole = time.monotonic() - begun
    chance = random.Random(3)
    for trial in range(3):
        process = subprocess.Popen(
            command("--out", tmp_path / "killed", "--workers", 1 + trial % 2, *SMALL),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        time.sleep(chance.uniform(0.4, 0.95) * whole)
        process.send_signal(signal.SIGKILL)
        process.wait()
    time.sleep(1.5)  # orphaned workers end by themselves
    subprocess.run(command("--out", tmp_path / "killed", "--workers", 1, *SMALL), check=True, capture_output=True)
    assert tree(tmp_path / "killed") == tree(tmp_path / "whole")


def test_the_five_tasks_find_exact_frames_and_exact_motion(tmp_path):
    assert cli.run(["make-puppets", "--out", str(tmp_path), "--workers", "1", *map(str, SMALL)]) == 0
    data = load(tmp_path)
    assert len(data.targets) == 2 * 4
    for clip in data.targets.values():
        assert clip.motion is not None
        truth = read_motion(clip.motion, fps=clip.fps)
        assert truth.rig.shape == (3, 18)
        assert truth.fps == 7.5


def install_plugin_task(folder: Path, monkeypatch) -> None:
    """Register the task `many`, which draws other pairs than the five, as an installed package would."""
    folder.mkdir()
    (folder / "many_plugin.py").write_text(
        "from dataclasses import replace\n"
        "from toonbench.tasks.real2cartoon import task as ours\n"
        "task = replace(ours, name='many', version=1, images=2)\n"
    )
    info = folder / "many_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: many_plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[toonbench.tasks]\nmany = many_plugin:task\n")
    monkeypatch.syspath_prepend(folder)
    registry._found.cache_clear()


@pytest.fixture
def clean_registry():
    yield
    registry._found.cache_clear()


@pytest.mark.usefixtures("clean_registry")
def test_an_installed_plugin_task_changes_nothing_unless_it_is_named(tmp_path, monkeypatch):
    arguments = ["--workers", "1", *map(str, SMALL)]
    assert cli.run(["make-puppets", "--out", str(tmp_path / "before"), *arguments]) == 0
    install_plugin_task(tmp_path / "site", monkeypatch)
    assert "many" in registry.names("tasks")
    assert cli.run(["make-puppets", "--out", str(tmp_path / "after"), *arguments]) == 0
    assert tree(tmp_path / "after") == tree(tmp_path / "before")
    assert cli.run(["make-puppets", "--out", str(tmp_path / "named"), *arguments, "--tasks", "many"]) == 0
    assert read_json(tmp_path / "named" / "puppets.json")["tasks"] == ["many@1"]
    assert len(load(tmp_path / "named").targets) == 2


def test_the_recipe_records_the_tasks_whose_targets_were_drawn(tmp_path):
    arguments = ["--workers", "1", "--split", "test", "--clips", "2", "--frames", "1", "--size", "32", "--sources", "1"]
    assert cli.run(["make-puppets", "--out", str(tmp_path), *arguments]) == 0
    recipe = read_json(tmp_path / "puppets.json")
    assert recipe["tasks"] == [load_task(name).id for name in STANDARD_TASKS]
    assert recipe["sources"] == 1
    assert len(load(tmp_path).targets) == 2 * 4


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--clips", "0"), "not both 0"),
        (("--clips", "-1"), 'Invalid value "-1"'),
        (("--styles", "clai"), "Did you mean 'clay'"),
        (("--size", "9999"), "Give 16 to 2,048"),
        (("--frames", "0"), "Give 1 to"),
        (("--split", "../up"), "must fit in a file name"),
        (("--tasks", "real2cartoons"), "did you mean real2cartoon"),
        (("--sources", "-1"), 'Invalid value "-1"'),
    ],
)
def test_bad_arguments_are_told_in_one_line_and_leave_nothing_behind(tmp_path, capsys, arguments, told):
    assert cli.run(["make-puppets", "--out", str(tmp_path / "out"), *arguments]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_made_is_told_in_one_line(tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    assert cli.run(["make-puppets", "--out", str(tmp_path / "file" / "out"), *map(str, SMALL)]) == 2
    error = capsys.readouterr().err
    assert str(tmp_path / "file") in error
    assert error.count("\n") == 1


def test_a_full_disk_is_told_and_what_was_made_is_kept(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=48k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small file system")
    try:
        done = subprocess.run(
            command("--out", disk / "p", "--workers", 1, *SMALL), capture_output=True, text=True, check=False
        )
        kept = len(list(disk.rglob("*.mkv")))
        assert done.returncode == 2, done.stderr
        assert "space" in done.stderr
        assert "Traceback" not in done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert kept > 0
        subprocess.run(["mount", "-o", "remount,size=20m", str(disk)], check=True)
        assert (
            subprocess.run(
                command("--out", disk / "p", "--workers", 1, *SMALL), capture_output=True, check=False
            ).returncode
            == 0
        )
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_every_style_is_drawn_and_named_in_the_table(tmp_path):
    arguments = ["--clips", "6", "--images", "0", "--frames", "1", "--size", "32", "--workers", "2", "--split", "train"]
    assert cli.run(["make-puppets", "--out", str(tmp_path), *arguments]) == 0
    import pandas as pd

    table = pd.read_parquet(tmp_path / "metadata.parquet")
    assert set(table["style"]) == set(styles())
    assert (table["domain"] == ["cartoon" if style != "real" else "real" for style in table["style"]]).all()


def test_a_tampered_frozen_split_is_refused_and_the_file_named(tmp_path, monkeypatch, capsys):
    from toonbench.data import folder

    name, root = next(iter(shipped().items()))
    copy = shutil.copytree(root, tmp_path / name)
    monkeypatch.setattr(folder, "FROZEN", tmp_path)
    victim = sorted((copy / "targets").glob("*.mkv"))[0]
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 1
    victim.write_bytes(data)
    assert cli.run(["eval", "--method", "static", "--data", name, "--out", str(tmp_path / "run")]) == 2
    assert victim.name in capsys.readouterr().err


def test_drawing_again_gives_the_frozen_pixels():
    """On the machine that froze them they are equal; elsewhere libraries may round a pixel the other way."""
    from toonbench.puppets.catalogue import make_look
    from toonbench.puppets.draw.render import render_clip
    from toonbench.video import read_video

    root = list(shipped().values())[-1]
    for path in sorted((root / "clips").glob("*.mkv"))[::8]:
        with np.load(root / "motion" / f"{path.stem}.npz") as motion:
            look = make_look(str(motion["style"]), int(motion["look_seed"]))
            drawn = render_clip(look, motion["rig"], size=int(motion["size"]))
            landmarks = motion["landmarks"]
        away = np.abs(drawn.frames.astype(int) - read_video(path).frames)
        assert away.mean() < 0.05, path.name
        assert np.abs(drawn.landmarks - landmarks).max() < 0.05
