import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from toonbench.pool import auto_workers, map_items
from toonbench.types import ToonbenchError


def square(number):
    return number * number


def fail_at_three(number):
    if number == 3:
        raise ToonbenchError("three is not allowed")
    return number


def die(number):
    os._exit(1)


@pytest.mark.parametrize("workers", [1, 2])
def test_values_come_in_the_order_of_the_items(workers):
    assert map_items(square, range(20), workers=workers) == [n * n for n in range(20)]


@pytest.mark.parametrize("workers", [1, 2])
def test_progress_counts_every_item(workers):
    seen = []
    map_items(square, range(5), workers=workers, on_progress=lambda done, total: seen.append((done, total)))
    assert seen == [(n, 5) for n in range(6)]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_the_function_is_raised_here(workers):
    with pytest.raises(ToonbenchError, match="three is not allowed"):
        map_items(fail_at_three, range(6), workers=workers)


def test_a_worker_that_dies_is_told_and_does_not_hang():
    with pytest.raises(ToonbenchError, match="a worker process died"):
        map_items(die, range(4), workers=2)


def test_no_items_give_no_values():
    assert map_items(square, [], workers=4) == []


def test_workers_end_when_their_parent_is_killed(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(
        "import os, sys, time\nfrom pathlib import Path\nfrom toonbench.pool import map_items\n"
        "def work(n):\n    Path(sys.argv[1], str(os.getpid())).touch()\n    time.sleep(60)\n"
        "if __name__ == '__main__':\n    map_items(work, range(2), workers=2)\n"
    )
    (tmp_path / "pids").mkdir()
    parent = subprocess.Popen([sys.executable, str(script), str(tmp_path / "pids")])
    limit = time.monotonic() + 60
    while len(list((tmp_path / "pids").iterdir())) < 2 and time.monotonic() < limit:
        time.sleep(0.05)
    workers = [int(path.name) for path in (tmp_path / "pids").iterdir()]
    assert len(workers) == 2
    parent.kill()
    parent.wait()
    time.sleep(2)
    assert not [pid for pid in workers if running(pid)]


def running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_automatic_workers_are_one_on_an_accelerator():
    assert auto_workers(0, device="cuda") == 1
    assert 1 <= auto_workers(0) <= 8
    assert auto_workers(5, device="cuda") == 5
