"""A run that is killed at any moment and resumed leaves the files of an unbroken one: weights, checkpoints, log."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from toonbench.training.processes import one_thread
from training_runs import RUNS

ROOT = Path(__file__).parent.parent.parent
RUN = """
import sys, time
sys.path[:0] = [{root!r}, {tests!r}]
import torch
torch.set_num_threads(1)
from training_runs import RUNS
def slowly(step, total):
    time.sleep(float(sys.argv[3]))
RUNS[sys.argv[1]](sys.argv[2], slowly)
""".format(root=str(ROOT), tests=str(ROOT / "tests"))


def start(name, out, *, pause=0.0):
    return subprocess.Popen([sys.executable, "-c", RUN, name, str(out), str(pause)], cwd=ROOT)


def kill_when(process, ready):
    """SIGKILL the process as soon as `ready()`."""
    end = time.monotonic() + 60
    while not ready() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.002)
    assert process.poll() is None
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


def logged(out):
    path = out / "log.jsonl"
    return len(path.read_text().splitlines()) if path.is_file() else 0


def files(out):
    """All files of a run with their bytes, except for times."""
    found = {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    return {name: content for name, content in found.items() if not Path(name).name.startswith((".part-", "timing"))}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["toontalker", "fomm"])
def test_a_run_that_was_killed_and_resumed_leaves_the_bytes_of_an_unbroken_one(name, tmp_path):
    with one_thread():
        RUNS[name](tmp_path / "whole", lambda step, total: None)
    out = tmp_path / "parts"
    kill_when(start(name, out, pause=0.2), lambda: logged(out) >= 4)
    assert not (out / "weights.safetensors").exists()
    with one_thread():
        RUNS[name](out, lambda step, total: None)
    whole, parts = files(tmp_path / "whole"), files(tmp_path / "parts")
    assert whole.keys() == parts.keys()
    assert {"log.jsonl", "checkpoint.pt", "weights.safetensors", "best.safetensors"} <= whole.keys()
    assert [name for name in whole if whole[name] != parts[name]] == []
    assert all("seconds" not in line for line in whole["log.jsonl"].decode().splitlines())
    timing = [json.loads(line) for line in (tmp_path / "parts" / "timing.jsonl").read_text().splitlines()]
    assert timing[-1]["seconds_left"] == 0
    assert torch.load(tmp_path / "parts" / "checkpoint.pt", weights_only=True)["step"] == timing[-1]["step"]
