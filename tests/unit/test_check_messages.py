"""`toonbench check` on plug-ins with one mistake: one sentence with what is wrong, the value found, and what is allowed."""

import pytest
import toonbench_wrong_plugins

from toonbench import cli
from toonbench.testing import Outcome, check, find

RIGHT = ("Right", "Still", "OnlyChunks")
MISTAKES = {
    **{
        name: thing.__doc__
        for name, thing in vars(toonbench_wrong_plugins).items()
        if isinstance(thing, type) and thing.__module__ == toonbench_wrong_plugins.__name__ and name not in RIGHT
    },
    "UNKNOWN_METRIC": "unknown metric 'lpps': did you mean",
    "OTHER_VERSION": "metric l1 has version 1, not 9: write l1@1",
    "OTHER_DOMAIN": "its domains are anime and real; use real or cartoon",
    "TEXT_FOR_A_NUMBER": "videos is '2'; use a whole number",
}


def failures(name: str) -> list[Outcome]:
    (plugin,) = find(f"toonbench_wrong_plugins:{name}")
    return [one for one in check(plugin) if one.status == "failed"]


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_reported_in_one_sentence(name):
    (failure,) = failures(name)
    assert MISTAKES[name] in failure.why
    assert "\n" not in failure.why


@pytest.mark.parametrize("name", RIGHT)
def test_a_plug_in_without_a_mistake_has_no_failure(name):
    assert failures(name) == []


def test_laws_that_rely_on_a_broken_one_are_counted_and_not_applied(capsys):
    assert cli.run(["check", "toonbench_wrong_plugins:ReturnsNone", "-q"]) == 1
    shown = capsys.readouterr().out
    assert shown.count("FAILED") == 1
    assert "other laws: correct the failure above first" in shown
