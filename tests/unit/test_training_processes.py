"""Two processes that share each batch train as one process does."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from toonbench.training.processes import one_thread
from toontalker.train.train import run
from training_runs import RUNS, TOONTALKER, moving_noise

TESTS = Path(__file__).parent.parent
LAUNCHED = """
import os, sys
sys.path[:0] = sys.argv[2:]
from training_runs import RUNS
RUNS["lia"](sys.argv[1], None)
tasks = "/proc/self/task"  # Linux: a folder for each thread
names = [open(f"{tasks}/{task}/comm").read() for task in os.listdir(tasks)] if os.path.isdir(tasks) else []
assert not [name for name in names if "gloo" in name], names  # a thread of the group could abort the end of Python
"""


def content(folder):
    """The checkpoint and the lines of the log."""
    checkpoint = torch.load(folder / "checkpoint.pt", weights_only=True)
    return checkpoint, [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def close(first, second, *, rounding):
    """Weights and averages are equal except for the rounding of sums; the logs have the same lines, with means over the whole batch."""
    (a, lines), (b, others) = content(first), content(second)
    for part in ("network", "average"):
        ours, theirs = (torch.cat([value.double().flatten() for value in one[part].values()]) for one in (a, b))
        assert ((ours - theirs).norm() / ours.norm()).item() < rounding
        assert not torch.equal(ours, torch.zeros_like(ours))
    assert [line.keys() for line in lines] == [line.keys() for line in others]
    for line, other in zip(lines, others, strict=True):
        for name in line:
            if not name.startswith("size_code"):  # the spread within a process's share
                assert other[name] == pytest.approx(line[name], rel=1e-3, abs=1e-4), name


@pytest.mark.slow
def test_two_processes_train_as_one_process_at_the_same_batch(tmp_path):
    network = replace(TOONTALKER.network, dropout=0.0)
    config = replace(TOONTALKER, network=network, batch1=4, batch2=4, adversarial=0.0, clip=0.5, steps1=2, steps2=3)
    with one_thread():
        for workers in (1, 2):
            run(replace(config, workers=workers), moving_noise(), tmp_path / str(workers), device="cpu")
        run(replace(config, gap_growth=0), moving_noise(), tmp_path / "other", device="cpu")
    close(tmp_path / "1", tmp_path / "2", rounding=1e-5)
    with pytest.raises(AssertionError):
        close(tmp_path / "1", tmp_path / "other", rounding=1e-5)


@pytest.mark.slow
def test_processes_of_a_launcher_share_the_batch_and_one_of_them_writes(tmp_path):
    with one_thread():
        RUNS["lia"](tmp_path / "alone", None)
    (tmp_path / "start.py").write_text(LAUNCHED)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    arguments = [str(tmp_path / "start.py"), str(tmp_path / "both"), str(TESTS), str(TESTS.parent)]
    done = subprocess.run([*launcher, *arguments], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    close(tmp_path / "alone", tmp_path / "both", rounding=1e-5)
    assert {path.name for path in (tmp_path / "both").iterdir()} == {
        path.name for path in (tmp_path / "alone").iterdir()
    }
