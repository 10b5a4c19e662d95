"""Ctrl-C and SIGTERM end a command with workers promptly, and leave no process and no partial file."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from toonbench import video

PLUGINS = Path(__file__).parent.parent / "plugins"


def session_members(leader: int) -> list[int]:
    """The living processes of a session."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[3]) == leader and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to list processes")
@pytest.mark.parametrize(
    ("method", "signals", "status"),
    [
        ("Slower", [signal.SIGINT], 130),
        ("Endless", [signal.SIGINT, signal.SIGINT], 130),
        ("Slower", [signal.SIGTERM], 143),
    ],
    ids=["ctrl-c", "ctrl-c-twice-with-deaf-workers", "sigterm"],
)
def test_a_stopped_command_ends_promptly_and_leaves_no_process(tiny_data, tmp_path, method, signals, status):
    begun = tmp_path / "begun"
    process = subprocess.Popen(
        [sys.executable, "-m", "toonbench.cli", "eval", "--method", f"toonbench_test_methods:{method}",
         "--data", str(tiny_data), "--out", str(tmp_path / "out"), "--workers", "2"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(PLUGINS), "TOONBENCH_TEST_BEGUN": str(begun)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a background job ignores it, and children inherit that
    )  # fmt: skip
    limit = time.monotonic() + 60
    while not (begun.exists() if method == "Endless" else list(tmp_path.rglob("*~*.mkv"))):
        assert time.monotonic() < limit
        time.sleep(0.02)
    stopped = time.monotonic()
    for number in signals:
        if number == signal.SIGTERM:
            process.terminate()
        else:
            os.killpg(process.pid, number)
        time.sleep(0.3)
    _, errors = process.communicate(timeout=30)
    assert time.monotonic() - stopped < 8
    assert process.returncode == status
    lines = errors.splitlines()
    assert len(lines) == 2, errors
    assert lines[0].startswith(f"toonbench_test_methods:{method} on real2cartoon@")
    assert lines[1].endswith("finished work is kept, run the same command again to resume")
    time.sleep(0.2)
    assert session_members(process.pid) == []
    assert not list(tmp_path.rglob(".part-*")) or method == "Endless"
    for path in tmp_path.rglob("*~*.mkv"):
        assert len(video.read_video(path).frames)


def test_processes_of_the_pool_start_without_seeing_an_interrupt(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(
        "import os, signal, sys, threading, time\nfrom toonbench.pool import Pool\n"
        "def work(n):\n    return time.sleep(60)\n"
        "if __name__ == '__main__':\n"
        "    signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "    threading.Timer(0.1, lambda: os.killpg(0, signal.SIGINT)).start()\n"
        "    try:\n        Pool(workers=2).map(work, range(4), title='')\n"
        "    except KeyboardInterrupt:\n        print('interrupted')\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=30, start_new_session=True)
    assert (done.stdout, done.stderr, done.returncode) == ("interrupted\n", "", 0)
