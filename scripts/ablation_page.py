"""Make a page of trained ablated models: Tables 5 to 7 on puppets, and what became of the paper's orders.

    python scripts/ablation_page.py ablations leaderboards/puppets@2/ablations        # after scripts/train_ablations.py
    python scripts/ablation_page.py leaderboards/puppets@2/ablations leaderboards/puppets@2/ablations --check

The page's folder receives the scores of all pairs, what the weights state of their training (`training.json`), `orders.csv` and
`README.md`. The last two follow from the first two; `--check` fails if they do not.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from toonbench.report.papers import Paper, load_paper
from toonbench.stats.paired import compare_means
from toontalker.train.config import TrainConfig, find_config
from train_ablations import (
    METRICS,
    ORDERS,
    OWN_STAGE_1,
    RENEWED,
    SCORES,
    SMALLER_IS_BETTER,
    TABLES,
    TASKS,
    Model,
    model_scores,
    models,
    order_rows,
    write_orders,
)

PAGE, TRAINING = "README.md", "training.json"
ARROWS = {"real2cartoon": "real → cartoon", "cartoon2real": "cartoon → real"}
NEW = {"mlp": "query transformers", "no-backward": "backward transformer", "no-sft": "SFT"}
TITLES = {"5": "the analogy constraint", "6": "its weight λ_m", "7": "query transformers, backward transformer, SFT"}
WARNING = """These are small networks after minutes of training on drawn faces. They say which parts matter *in this setting*. They neither
confirm nor refute the paper: its FID is not testable here, because the weights of its Inception network are not in this repository, and its
data is not public.
"""
TESTED = """## The paper's orders

An order of the paper is that of two printed FIDs of a table, the better model first. The difference is positive where that model is
better here, too, with a 95 % interval over driving videos and, where both models have several seeds, over seeds. **held**: the interval
is above 0. **not held**: below 0. Otherwise undecided. Models with one seed were trained once: what another seed would change is not in
their intervals. There is no correction for the number of orders: of those without any difference, one in twenty has an interval
without 0. FID itself: not testable here.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """The scores in a folder, and what the weights of the full model state of their training."""

    root: Path
    seeds: int
    facts: dict[str, Any]
    paper: Paper

    @property
    def started(self) -> bool:
        """Whether all models began with given weights."""
        return bool(self.facts["start"])

    def runs(self, name: str) -> list[Model]:
        """A model's runs, one for each seed."""
        return [one for one in models(self.seeds, started=self.started) if one.name == name]

    def title(self, name: str) -> str:
        """A model's name for readers."""
        if name.startswith(RENEWED):
            return f"full model, new {NEW[name.removeprefix(RENEWED)]}"
        return "full model" if name == "full" else self.paper.variants[name]


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        made = Path(temporary) if options.check else options.page
        made.mkdir(parents=True, exist_ok=True)
        if made != options.trained:
            shutil.copytree(options.trained / SCORES, made / SCORES, dirs_exist_ok=True)
        results = Results(root=made, seeds=options.seeds, facts=_facts(options.trained), paper=load_paper())
        rows = order_rows(made, options.seeds, started=results.started)
        write_orders(rows, made / ORDERS)
        (made / PAGE).write_text(page(results, rows), encoding="utf-8")
        (made / TRAINING).write_text(json.dumps(results.facts, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        if options.check:
            other = [
                name for name in (ORDERS, PAGE) if (made / name).read_bytes() != (options.page / name).read_bytes()
            ]
            print(f"{options.page}: {', '.join(other) or 'all'} {'not ' if other else ''}current")
            return 1 if other else 0
    print(f"written: {options.page / PAGE}")
    return 0


def _facts(trained: Path) -> dict[str, Any]:
    """What the full model's weights state of their training, from a page or from its weights."""
    if (trained / TRAINING).is_file():
        return json.loads((trained / TRAINING).read_text(encoding="utf-8"))
    from toontalker.weights_io import notes_of

    return notes_of(trained / Model("full", 0).folder / "weights.safetensors")["training"]


def page(results: Results, rows: Sequence[dict[str, object]]) -> str:
    """The page as Markdown."""
    parts = ["# Ablated models on puppets: Tables 5 to 7\n", budget(results), WARNING, TESTED, verdicts(results, rows)]
    parts += ["## Scores\n", _caption(results), *(scores_table(results, number) for number in TABLES)]
    return "\n".join(parts)


def budget(results: Results) -> str:
    """What the models share, and where they began."""
    facts = results.facts
    number = Counter(one.name for one in models(results.seeds, started=results.started))
    several = [name for name, many in number.items() if many > 1]
    seeds = f"{', '.join(map(results.title, several))} have {results.seeds} seeds, the others one. " if several else ""
    steps = (
        f"{facts['steps1']} steps of stage 1 and {facts['steps2']} of stage 2"
        if facts["steps1"]
        else f"{facts['steps2']} steps"
    )
    begin = (
        f"""
All models begin with the same trained weights of the full model (sha256 {facts["start"][:8]}), because models from new weights do not move
at a budget of minutes. So the question is what a model loses or gains that goes on without a part. Those weights know the analogy
constraint, which favours the models without it. In Table 7, modules that an ablated model lacks or has in another form were trained
before; so it is compared with a full model whose own modules at that place are new, too, and learn in the same steps.
"""
        if results.started
        else ""
    )
    fields = f"`{facts['name']}` with `{' '.join(facts['overrides'])}`{_values_then(facts)}"
    return (
        "`scripts/train_ablations.py` trained ToonTalker and each ablated model of the paper (section 4.4) with the same data and "
        f"steps, and scored them on `puppets@2`: {steps}. {seeds}Configuration {fields}.\n{begin}"
    )


def _values_then(facts: Mapping[str, Any]) -> str:
    """The values of a configuration that has changed since, so that the page still says how the models were trained."""
    then = TrainConfig.from_dict(facts).to_dict()
    now = find_config(facts["name"], overrides=facts["overrides"]).to_dict()
    others = {name: value for name, value in then.items() if value != now[name] and name not in ("start", "ablation")}
    return (
        f" and `{' '.join(f'{name}={value:g}' for name, value in others.items())}`, its values then" if others else ""
    )


def verdicts(results: Results, rows: Sequence[dict[str, object]]) -> str:
    """A table with a line for each order and a column for each metric, and the count of verdicts."""
    lines = [
        f"| table | task | order of the paper (FID) | {' | '.join(METRICS)} |",
        f"|---|---|---|{'---|' * len(METRICS)}",
    ]
    for at in range(0, len(rows), len(METRICS)):
        own = rows[at : at + len(METRICS)]
        printed = " < ".join(
            f"{results.title(str(own[0][side]))} ({_fid(results, own[0], side)})" for side in ("better", "worse")
        )
        lines.append(
            f"| {own[0]['table']} | {ARROWS[str(own[0]['task'])]} | {printed} | {' | '.join(map(_verdict, own))} |"
        )
    counts = Counter(str(row["verdict"]) for row in rows)
    total = ", ".join(f"{number} {verdict}" for verdict, number in counts.most_common())
    orders = len(rows) // len(METRICS)
    return "\n".join([*lines, "", f"{orders} orders in {len(METRICS)} metrics: {total}.", ""])


def _fid(results: Results, row: dict[str, object], side: str) -> str:
    """The printed FID of a model."""
    name = str(row[side])
    variant = "" if name == "full" or name.startswith(RENEWED) else name
    cell = results.paper.tables[str(row["table"])].cell("toontalker", variant, task=str(row["task"]), metric="fid")
    return cell.printed if cell else ""


def _verdict(row: dict[str, object]) -> str:
    verdict = f"**{row['verdict']}**" if row["verdict"] in ("held", "not held") else str(row["verdict"])
    return f"{verdict}<br><sub>{row['difference']} [{row['low']}, {row['high']}]</sub>"


def _caption(results: Results) -> str:
    """What the tables of scores show."""
    over = "driving videos and seeds" if results.seeds > 1 else "driving videos"
    return (
        f"12 pairs a task, relative motion, first frame left out. Means with 95 % intervals over {over}. FID cells are empty: "
        "its weights are third-party. Measured on puppets, not on people: do not compare with the numbers of the paper.\n"
    )


def scores_table(results: Results, number: str) -> str:
    """Our scores of the models of a table of the paper."""
    arrows = {name: " ↓" if name in SMALLER_IS_BETTER else " ↑" for name in METRICS}
    heads = ["task", "model", "seeds", "FID ↓", *(f"{name}{arrows[name]}" for name in METRICS)]
    lines = [
        f"### Table {number}: {TITLES[number]}\n",
        f"| {' | '.join(heads)} |",
        f"|---|---|{'---:|' * (len(heads) - 2)}",
    ]
    variants = [variant or "full" for _, variant in results.paper.tables[number].rows]
    names = [other for one in variants for other in _with_renewed(results, one)]
    for task in TASKS:
        for name in names:
            cells = [_mean(results, name, task, metric) for metric in METRICS]
            head = [ARROWS[task], results.title(name), str(len(results.runs(name))), "—"]
            lines.append(f"| {' | '.join([*head, *cells])} |")
    return "\n".join([*lines, ""])


def _with_renewed(results: Results, name: str) -> list[str]:
    """A row's model, and before it the full model that it is compared with, if that is another one than the table's."""
    return [f"{RENEWED}{name}", name] if results.started and name in OWN_STAGE_1 else [name]


def _mean(results: Results, name: str, task: str, metric: str) -> str:
    """The mean over pairs and seeds, with its interval."""
    values: list[float] = []
    driving: list[str] = []
    turns: list[int] = []
    for model in results.runs(name):
        for row in model_scores(results.root, model, task).values():
            values.append(float(row[metric]))
            driving.append(row["driving"])
            turns.append(model.seed)
    several = turns if len(set(turns)) > 1 else None
    found = compare_means(values, np.zeros(len(values)), driving, sources=several).interval
    return f"{found.value:.3f}<br><sub>{found.low:.3f} … {found.high:.3f}</sub>"


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trained", type=Path, help="the --out of train_ablations.py, or a page")
    parser.add_argument("page", type=Path, help="the folder of the page")
    parser.add_argument("--seeds", type=int, default=3, help="as of train_ablations.py")
    parser.add_argument("--check", action="store_true", help="fail if the page is not current")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
