"""The tutorials of docs/tutorials run as they are written, through the command line."""

import os
import sys

import pytest

from tutorials import FOLDER, Reader

SLOW = {"first_result", "read_numbers", "train"}
NAMES = sorted(path.stem for path in FOLDER.glob("*.md"))
FAILS = {("add_metric", 1)}  # the tutorial shows what `check` reports


@pytest.fixture
def reader(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOONBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(os, "cpu_count", lambda: 1)  # in this process
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # two versions of a file may have the same time and size
    return Reader(tmp_path, monkeypatch)


@pytest.mark.parametrize("name", [pytest.param(one, marks=pytest.mark.slow) if one in SLOW else one for one in NAMES])
def test_each_command_of_a_tutorial_succeeds_or_fails_where_the_text_says_it(name, reader):
    done = reader.follow(name)
    assert done
    unexpected = [line for i, (line, status) in enumerate(done) if (status != 0) != ((name, i) in FAILS)]
    assert unexpected == []
