"""Lint, format and types, as tests, so that one command checks everything."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("arguments", [["check"], ["format", "--check"]], ids=" ".join)
def test_ruff_has_nothing_to_say(arguments):
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *arguments, str(ROOT)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_pyright_has_nothing_to_say():
    done = subprocess.run(
        [sys.executable, "-m", "pyright", "--pythonpath", sys.executable],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if "0 errors" not in done.stdout and "error:" not in done.stdout:
        pytest.skip(f"pyright does not run on this machine: {(done.stderr or done.stdout).strip()[-200:]}")
    assert done.returncode == 0, done.stdout[-4000:]
