"""Material and votes for tests of studies, without videos: keys as `toonbench study make` writes them."""

import json
import os
import subprocess
import sys

import numpy as np

from toonbench.report.site.media import ShownFile
from toonbench.study.design import STILL, TARGET, Plan, draw
from toonbench.study.key import Key, KeyQuestion
from toonbench.study.material import Item
from toonbench.study.votes import Vote

METHODS = ("alpha", "beta", "gamma", "delta")


def made_item(number, methods=METHODS, *, scores=None):
    file = ShownFile(path=None)
    return Item(
        task="t@1",
        pair=f"p{number}",
        source=file,
        driving=file,
        target=file,
        videos=dict.fromkeys(methods, file),
        scores=scores or {},
    )


def made_key(methods=METHODS, *, items=10, numbers=None, scores=None, **options):
    """A key whose video ids are `<item>-<label>`."""
    plan = Plan(**options)
    drawn = draw(methods, [True] * items, plan=plan)

    def ids(one):
        return tuple(f"{one.item}-{option}" for option in one.options)

    questions = {
        f"q{at}": KeyQuestion(
            kind=one.kind, attribute=one.attribute, task="t@1", pair=f"p{one.item}", options=ids(one), catch=one.catch
        )
        for at, one in enumerate(drawn.questions)
    }
    sheets = tuple(
        {f"q{at}": tuple(ids(drawn.questions[at])[i] for i in order) for at, order in sheet} for sheet in drawn.sheets
    )
    every = [option for one in questions.values() for option in one.options]
    return Key(
        study="0" * 20, plan={}, methods=tuple(methods), videos={name: name.partition("-")[2] for name in every}, questions=questions,
        sheets=sheets, files={}, numbers=numbers or {}, higher=dict.fromkeys(numbers or {}, True), scores=scores or {},
    )  # fmt: skip


def rater(number):
    return f"{number:016x}"


def votes_of(key, number, choose, *, sheet=None):
    """All votes of a rater; `choose(question, labels)` returns a label or an empty string. Catch trials are passed."""
    sheet = sheet or number % len(key.sheets) + 1
    found = []
    for name in key.sheets[sheet - 1]:
        question = key.questions[name]
        labels = [key.videos[one] for one in question.options]
        label = choose(question, labels) if not question.catch else next(one for one in labels if one != STILL)
        assert question.catch != "target" or label == TARGET
        found.append(
            Vote(
                rater=rater(number),
                sheet=sheet,
                question=name,
                choice=question.options[labels.index(label)] if label else "",
                at=1,
            )
        )
    return found


def chooser(strengths, rng, *, tie=0.0):
    """A rater who chooses by strengths: Davidson's model for two videos, Luce's for several."""

    def choose(question, labels):
        chances = np.array([np.exp(strengths[one]) for one in labels])
        neither = tie * np.sqrt(chances.prod()) if len(labels) == 2 else 0.0
        chances = np.append(chances, neither) / (chances.sum() + neither)
        at = rng.choice(len(chances), p=chances)
        return labels[at] if at < len(labels) else ""

    return choose


class Served:
    """A `toonbench study serve` of its own process, that can be killed."""

    def __init__(self, root, port=0):
        command = [sys.executable, "-m", "toonbench.cli", "study", "serve", str(root), "--port", str(port), "--json"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
        lines = []
        while not lines or lines[-1] != "}\n":
            lines.append(self.process.stdout.readline())
            assert lines[-1], "the server ended"
        self.facts = json.loads("".join(lines))

    def end(self, number):
        os.kill(self.process.pid, number)
        self.process.wait(timeout=20)
        self.process.stdout.close()
