import os
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from toonbench.cli import run
from toonbench.commands.shared import Processes, Terminal
from toonbench.pool import Pool, auto_workers, progress_to
from toonbench.types import ToonbenchError


def square(number):
    return number * number


def fail_at_three(number):
    if number == 3:
        raise ToonbenchError("three is not allowed")
    return number


def process(number):
    return os.getpid()


def die(number):
    os._exit(1)


@pytest.mark.parametrize("workers", [1, 2])
def test_values_come_in_the_order_of_the_items(workers):
    assert Pool(workers=workers).map(square, range(20), title="") == [n * n for n in range(20)]


@pytest.mark.parametrize("workers", [1, 2])
def test_progress_has_a_title_and_counts_every_item(workers):
    reports = []
    pool = Pool(workers=workers, progress=progress_to(lambda *report: reports.append(report)))
    pool.map(square, range(5), title="squares")
    assert reports == [("squares", n, 5) for n in range(6)]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_the_function_is_raised_here_and_closes_the_progress(workers):
    closed = []

    @contextmanager
    def progress(title):
        try:
            yield lambda done, total: None
        finally:
            closed.append(title)

    with pytest.raises(ToonbenchError, match="three is not allowed"):
        Pool(workers=workers, progress=progress).map(fail_at_three, range(6), title="numbers")
    assert closed == ["numbers"]


def test_a_worker_that_dies_is_reported_and_does_not_hang():
    with pytest.raises(ToonbenchError, match="a worker process died"):
        Pool(workers=2).map(die, range(4), title="")


def test_no_items_give_no_values():
    assert Pool(workers=4).map(square, [], title="") == []


def test_one_item_is_computed_in_this_process():
    assert Pool(workers=4).map(process, [0], title="") == [os.getpid()]


def test_another_backend_computes_the_items():
    def backwards(function, items, *, workers, report):
        values = [function(item) for item in reversed(items)]
        report(len(items), len(items))
        return [f"{workers} workers", *reversed(values)]

    reports = []
    pool = Pool(workers=3, backend=backwards, progress=progress_to(lambda *report: reports.append(report)))
    assert pool.map(square, range(5), title="far") == ["3 workers", 0, 1, 4, 9, 16]
    assert reports == [("far", 5, 5)]


def test_a_pool_for_little_work_keeps_all_but_its_workers():
    pool = Pool(workers=4, device="cuda")
    assert pool.at_most(2) == replace(pool, workers=2)
    assert pool.at_most(9) == pool
    assert pool.at_most(0).workers == 1


def test_workers_end_when_their_parent_is_killed(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(
        "import os, sys, time\nfrom pathlib import Path\nfrom toonbench.pool import Pool\n"
        "def work(n):\n    Path(sys.argv[1], str(os.getpid())).touch()\n    time.sleep(60)\n"
        "if __name__ == '__main__':\n    Pool(workers=2).map(work, range(2), title='')\n"
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


def test_a_cluster_without_ray_names_the_extra(monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert run(["make-puppets", "--out", str(tmp_path / "set"), "--pool", "ray"]) == 2
    assert capsys.readouterr().err == (
        "toonbench: --pool ray needs the package ray: install it with pip install 'toonbench[ray]'\n"
    )
    assert not (tmp_path / "set").exists()


def test_an_address_without_ray_is_refused(capsys, tmp_path):
    assert run(["make-puppets", "--out", str(tmp_path / "set"), "--address", "head:6379"]) == 2
    assert capsys.readouterr().err == "toonbench: --address head:6379 needs --pool ray\n"


def test_a_numbered_gpu_is_refused_for_a_cluster():
    with pytest.raises(ToonbenchError, match="--device cuda:1 with --pool ray: give cuda, as Ray chooses the GPU"):
        Terminal().pool(Processes(pool="ray"), device="cuda:1")


def test_a_stop_that_python_ignores_ends_the_worker_without_a_traceback():
    code = """
import os, signal, weakref
from toonbench.pool import _end_with_parent
_end_with_parent(os.getppid())
class Thing: pass
thing = Thing()
ref = weakref.ref(thing, lambda _: os.kill(os.getpid(), signal.SIGTERM) or [n for n in range(10_000)])
del thing
print("goes on")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
