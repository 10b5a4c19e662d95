"""The Ray backend, on a real cluster of two nodes of one CPU each on this machine."""

import contextlib
import importlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from toonbench import pool_ray
from toonbench.cli import run
from toonbench.pool import Pool, progress_to
from toonbench.pool_ray import EVERY_CPU, Cluster, check_address
from toonbench.types import ToonbenchError

ray = pytest.importorskip("ray", reason="needs pip install 'toonbench[ray]'")
NODE = {"num_cpus": 1, "object_store_memory": 80 * 2**20}
SOON = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500, "health_check_failure_threshold": 4}


@pytest.fixture(scope="module")
def cluster():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        folder = tempfile.mkdtemp(
            prefix="ray"
        )  # short, as names of sockets must be; another Ray of this machine is left alone
        patch.setenv("RAY_TMPDIR", folder)
        (Path(folder) / "ray").mkdir()  # Ray 2.60 writes its address there, and does not make it
        nodes = importlib.import_module("ray.cluster_utils").Cluster(
            initialize_head=True,
            head_node_args={**NODE, "include_dashboard": False, "temp_dir": folder, "_system_config": SOON},
        )
        nodes.add_node(**NODE)
        yield nodes
        ray.shutdown()
        nodes.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def backend(cluster):
    return Cluster(address=cluster.address)


@pytest.fixture
def pool(backend):
    return Pool(workers=EVERY_CPU, backend=backend)


class TwoParts(ToonbenchError):
    def __init__(self, thing, *, number):
        super().__init__(f"{thing} number {number} is not allowed")
        self.number = number


def node_and_square(number):
    time.sleep(0.1)
    return ray.get_runtime_context().get_node_id(), number * number


def fail_at_three(number):
    if number == 3:
        raise TwoParts("item", number=number)
    if number > 3:
        time.sleep(30)
    return number


def missing_file(number):
    Path("/nowhere/at/all").read_text()


def die_at_one(number):
    if number == 1:
        os.kill(os.getpid(), signal.SIGKILL)


def double(values):
    values *= 2
    return values


def surroundings(number):
    return Path.cwd(), os.environ.get("TOONBENCH_WORD"), "torch" in sys.modules


def write(job):
    folder, number = job
    with (folder / "calls").open("a") as file:
        file.write(f"{number} {ray.get_runtime_context().get_node_id()}\n")
    time.sleep(0.2)
    part = folder / f".part-{number}-{os.getpid()}"
    part.write_bytes(bytes([number]) * 1000)
    part.rename(folder / f"{number}.bin")
    return number


def calls(folder):
    return [line.split() for line in (folder / "calls").read_text().splitlines()] if (folder / "calls").exists() else []


def test_values_come_in_the_order_of_the_items_from_both_nodes(pool):
    found = pool.map(node_and_square, range(12), title="")
    assert [value for _, value in found] == [n * n for n in range(12)]
    assert len({node for node, _ in found}) == 2


def test_progress_counts_every_item(backend):
    reports = []
    pool = Pool(workers=2, backend=backend, progress=progress_to(lambda *report: reports.append(report)))
    pool.map(node_and_square, range(4), title="squares")
    assert reports == [("squares", n, 4) for n in range(5)]


def test_one_worker_and_one_item_are_this_process(backend):
    assert Pool(workers=1, backend=backend).map(os.path.exists, ["/proc/self"] * 3, title="") == [True] * 3
    assert Pool(workers=9, backend=backend).map(current_process, [0], title="") == [os.getpid()]
    assert os.getpid() not in Pool(workers=9, backend=backend).map(current_process, [0, 1], title="")


def current_process(number):
    return os.getpid()


def test_an_exception_arrives_with_its_class_and_attributes_and_stops_the_others(pool):
    start = time.monotonic()
    with pytest.raises(TwoParts) as caught:
        pool.map(fail_at_three, range(8), title="")
    assert (str(caught.value), caught.value.number) == ("item number 3 is not allowed", 3)
    assert "in fail_at_three" in caught.value.__notes__[0]
    assert time.monotonic() - start < 15
    assert len(pool.map(node_and_square, range(3), title="")) == 3, "the CPUs are free again"


def test_an_exception_of_python_arrives_complete(pool):
    with pytest.raises(FileNotFoundError) as caught:
        pool.map(missing_file, range(2), title="")
    assert caught.value.filename == "/nowhere/at/all"


@pytest.mark.slow
def test_an_item_that_always_ends_its_process_is_reported(pool):
    with pytest.raises(ToonbenchError, match="the process of one item died 4 times"):
        pool.map(die_at_one, range(2), title="")


def test_a_function_gets_arrays_that_it_may_change(pool):
    first, second = pool.map(double, [np.ones(100_000), np.ones(3)], title="")
    assert first.sum() == 200_000
    assert second.tolist() == [2, 2, 2]
    first += 1


def test_tasks_have_the_working_folder_and_variables_of_this_process_and_no_torch(pool, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOONBENCH_WORD", "there")
    assert pool.map(surroundings, range(2), title="") == [(tmp_path, "there", False)] * 2


@pytest.mark.slow
def test_functions_of_a_script_are_sent_with_the_items(cluster, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\nfrom toonbench.pool import Pool\nfrom toonbench.pool_ray import Cluster\n"
        "from toonbench.types import ToonbenchError\n\n"
        "class Odd(ToonbenchError):\n    def __init__(self, n):\n        super().__init__(f'{n} is odd')\n\n"
        "def even(n):\n    if n % 2:\n        raise Odd(n)\n    return n\n\n"
        "pool = Pool(workers=2, backend=Cluster(address=sys.argv[1]))\n"
        "print(pool.map(even, [0, 2, 4], title=''))\n"
        "try:\n    pool.map(even, [0, 1], title='')\nexcept Odd as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, script, cluster.address], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("[0, 2, 4]\n1 is odd\n", "")


def test_a_node_that_is_killed_loses_nothing_and_doubles_nothing(cluster, backend, tmp_path, caplog, capfd):
    numbers, victim, killed = range(30), cluster.add_node(**NODE), []

    def kill_at_work(title, done, total):
        here = [int(number) for number, node in calls(tmp_path) if node == victim.node_id]
        if not killed and any(not (tmp_path / f"{number}.bin").exists() for number in here):
            raylet = psutil.Process(victim.all_processes["raylet"][0].process.pid)
            killed.extend([raylet, *raylet.children(recursive=True)])
            for process in killed:
                process.kill()

    writing = replace(backend, writes=(tmp_path,))
    pool = Pool(workers=EVERY_CPU, backend=writing, progress=progress_to(kill_at_work))
    assert pool.map(write, [(tmp_path, n) for n in numbers], title="") == list(numbers)
    assert killed
    files = sorted(path.name for path in tmp_path.glob("*.bin"))
    assert files == sorted(f"{n}.bin" for n in numbers)
    assert all((tmp_path / f"{n}.bin").read_bytes() == bytes([n]) * 1000 for n in numbers)
    assert {number for number, _ in calls(tmp_path)} == set(map(str, numbers))
    again = len(calls(tmp_path)) - len(numbers)
    assert again == int("died: 1" in caplog.text), "only the item of the killed node is computed again"
    assert not list(tmp_path.glob(f"{pool_ray.PROBE}*"))
    assert capfd.readouterr().out == "", "what Ray reports about nodes must not be mixed with results"


def test_make_puppets_writes_the_same_bytes_on_a_cluster(cluster, tmp_path):
    options = ["make-puppets", "--clips", "2", "--images", "0", "--frames", "2", "--size", "32", "--quiet", "--out"]
    assert run([*options, str(tmp_path / "here"), "--workers", "1"]) == 0
    assert run([*options, str(tmp_path / "there"), "--pool", "ray", "--address", cluster.address]) == 0
    files = {path.relative_to(tmp_path / "here"): path for path in (tmp_path / "here").rglob("*") if path.is_file()}
    assert len([name for name in files if name.suffix == ".mkv"]) == 4
    assert files.keys() == {p.relative_to(tmp_path / "there") for p in (tmp_path / "there").rglob("*") if p.is_file()}
    assert all((tmp_path / "there" / name).read_bytes() == path.read_bytes() for name, path in files.items())


def running_tasks(folder, script):
    """The files of tasks whose processes exist: a stopped task removes its file, unless its process was ended with the command."""
    found = []
    for path in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):
            text = "" if path == script else path.read_text()
            if text and psutil.pid_exists(int(text)):
                found.append(path.name)
    return found


def test_an_interrupted_command_frees_the_cluster(cluster, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import os, signal, sys, time\nfrom pathlib import Path\nfrom toonbench.pool import Pool\n"
        "from toonbench.pool_ray import Cluster\n\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)  # tests in the background ignore it\n\n"
        "def wait(n):\n    Path(str(n)).write_text(str(os.getpid()))\n    try:\n        for _ in range(60000):\n            time.sleep(0.01)\n    finally:\n        Path(str(n)).unlink()\n\n"
        "Pool(workers=4, backend=Cluster(address=sys.argv[1])).map(wait, range(4), title='')\n"
    )
    command = [sys.executable, script, cluster.address]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, start_new_session=True)
    limit = time.monotonic() + 60
    while not len(list(tmp_path.iterdir())) > 2 and time.monotonic() < limit:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    try:
        _, errors = process.communicate(timeout=120)  # a limit for a machine that is busy, not a measurement
    finally:
        process.kill()
    assert process.returncode not in (None, 0)
    assert b"KeyboardInterrupt" in errors
    limit = time.monotonic() + 60
    while (running := running_tasks(tmp_path, script)) and time.monotonic() < limit:
        time.sleep(0.05)
    assert running == [], "tasks were stopped and removed their files, or their processes ended"


def order(**changes):
    known = pool_ray._Order(versions=pool_ray._versions(), folder=str(Path.cwd()), path=(), variables=(), needed=())
    return replace(known, **changes)


def test_a_node_with_another_version_is_refused_by_name():
    pool_ray._check(order())
    other = tuple((name, "0.1" if name == "numpy" else version) for name, version in pool_ray._versions())
    with pytest.raises(ToonbenchError, match=rf"^node .+ has other versions: numpy {np.__version__} \(here 0\.1\); "):
        pool_ray._check(order(versions=other))


def test_a_node_that_does_not_see_a_folder_is_refused_by_name(tmp_path):
    with pytest.raises(
        ToonbenchError, match=rf"^node .+ does not share {tmp_path}/out with this machine: use a folder"
    ):
        pool_ray._check(order(needed=(str(tmp_path / "out" / f"{pool_ray.PROBE}1"),)))
    with pytest.raises(ToonbenchError, match=rf"^node .+ does not share {tmp_path}/data with this machine"):
        pool_ray._check(order(needed=(str(tmp_path / "data"),)))


def test_a_folder_that_cannot_be_written_is_refused(backend, tmp_path):
    with pytest.raises(ToonbenchError, match="cannot write into /proc"):
        Pool(workers=2, backend=replace(backend, writes=(Path("/proc/out"),))).map(current_process, [0, 1], title="")


@pytest.mark.parametrize("address", ["here", "10.0.0.1", "host:0", "host:70000", "ray://host:10001", "host:12:13"])
def test_an_address_of_another_form_is_refused(address):
    with pytest.raises(ToonbenchError, match=f"--address {address}: give HOST:PORT"):
        check_address(address)


def test_an_address_where_nothing_answers_is_one_line():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        with pytest.raises(
            ToonbenchError, match=rf"^no Ray cluster answers at 127.0.0.1:{port} \(Connection refused\).+$"
        ):
            check_address(f"127.0.0.1:{port}")


def test_another_program_at_the_address_is_named_at_once():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()

        def answer():
            with contextlib.suppress(OSError):
                line, _ = server.accept()
                line.recv(100)
                line.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")
                line.close()

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(ToonbenchError, match="another program uses the port"):
            check_address(f"127.0.0.1:{server.getsockname()[1]}")
        thread.join()
