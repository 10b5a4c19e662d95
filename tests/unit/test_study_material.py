"""Which runs a preference study takes."""

import shutil

import pytest

from made_site import make_runs
from toonbench.report.entries import find_entries
from toonbench.report.site import open_sets
from toonbench.study.material import gather
from toonbench.types import ToonbenchError


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Runs of mine, other and static on three pairs, and of other and static on two pairs of another set."""
    root = tmp_path_factory.mktemp("material")
    data, runs = zip(*(make_runs(root / name, frames=4, sources=at) for name, at in (("a", 3), ("b", 2))), strict=True)
    shutil.rmtree(next(runs[1].glob("*/*/mine@1")))
    return open_sets([str(one) for one in data]), find_entries([*runs])


def test_runs_on_other_pairs_that_lack_a_method_are_left_out_with_a_note(made):
    data, entries = made
    found = gather(entries, data=data, methods=["mine", "static"])
    assert (len(found.items), found.methods) == (3, ("mine", "static"))
    assert found.notes == ("real2cartoon@4, 2 pairs: left out, as a method has no run of these pairs",)
    assert set(found.numbers["l1@1"]) == {"mine", "static"}
    both = gather(entries, data=data, methods=["other", "static"])
    assert len(both.items) == 3  # `other` failed on the first pair of each set
    assert all("a file of them is missing" in one for one in both.notes)


@pytest.mark.parametrize(
    ("methods", "message"),
    [
        (["mine", "lia"], r"--methods lia: no such method; the runs are of .*mine"),
        (
            None,
            r"no two methods in common \(.*2 pairs: other, static, oracle; .*3 pairs: mine, .*\): choose with --methods",
        ),
    ],
)
def test_methods_that_cannot_be_compared_are_refused_with_those_that_the_runs_have(made, methods, message):
    data, entries = made
    with pytest.raises(ToonbenchError, match=message):
        gather(entries, data=data, methods=methods)


def test_methods_without_common_pairs_are_refused_with_the_pairs_that_each_has(made):
    data, entries = made
    alone = [one for one in entries if one.root.name == "mine@1" or "b" in one.root.parts]
    with pytest.raises(
        ToonbenchError, match=r"mine static: they have no runs of the same pairs .*the same --limit and --seed"
    ):
        gather(alone, data=data, methods=["mine", "static"])
