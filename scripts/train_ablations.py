"""Train ToonTalker and its ablated models (paper, section 4.4) at equal budgets on puppets, score them, and test the paper's orders.

    toonbench make-puppets --split train --movement mixed --clips 300 --images 0 --frames 40 --step 3 --seed 1 --out train
    python scripts/train_ablations.py --data train --out ablations --minutes 9        # again until it says that all are ready

Runs of one seed and one architecture share stage 1, which is the same computation in all of them. With `--start WEIGHTS` (of the full
model) there is no stage 1: all models begin with these weights. Modules that an ablated model has instead of others are new; it is compared
with the full model whose own modules at that place are new, too (`renewed-...`). Full model, no-analogy and lambda-0 are
trained with three seeds, the others with one. All have adversarial losses, without which lambda-0 is no-analogy. OUT receives the
training folders, the scored runs (`runs/`, for `toonbench table 5 --out OUT/runs`), the scores of all pairs (`scores/`), and `orders.csv`:
the difference of every order of the paper, with an interval over driving videos and, where there are several, seeds.
`scripts/ablation_page.py` makes a page of them. FID is not measured: its weights are third-party.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from toonbench.environment import pick_device
from toonbench.types import ToonbenchError
from train_minis import TimeOver, watch

METRICS = ("rig_corr", "landmark_nme", "ssim", "cpbd", "stlpips_alex")
TASKS = ("real2cartoon", "cartoon2real")
SEVERAL = ("full", "no-analogy", "lambda-0")
OWN_STAGE_1 = ("mlp", "no-backward", "no-sft")
TABLES = ("5", "6", "7")
SMALLER_IS_BETTER = ("landmark_nme", "stlpips_alex")
MODULES = {
    "mlp": ("dec.transformerlayer_0.", "dec.transformerlayer_1."),
    "no-backward": ("dec.transformerlayer.", "dec.transformerlayer_t.", "dec.transformerlayer_f.", "dec.latlayer1."),
    "no-sft": ("dec.sft.",),
}  # what the ablated models of OWN_STAGE_1 lack, or have in another form
RENEWED = "renewed-"
SCORES, ORDERS = "scores", "orders.csv"


@dataclass(frozen=True, slots=True)
class Model:
    """A model to train: `full`, the name of an ablation, or `renewed-<ablation>`, and its seed."""

    name: str
    seed: int

    @property
    def folder(self) -> str:
        return f"{self.name}-s{self.seed}"

    @property
    def ablation(self) -> str:
        """What `--ablation` takes; nothing for the full model."""
        return "" if self.name == "full" or self.name.startswith(RENEWED) else self.name

    @property
    def stage_1(self) -> str:
        """The folder of its stage 1."""
        return f"stage1-{self.name if self.name in OWN_STAGE_1 else 'shared'}-s{self.seed}"


def models(seeds: int, *, started: bool = False) -> list[Model]:
    """All models, those of the first seed first; with the renewed ones if all of them are `started` from weights."""
    renewed = [f"{RENEWED}{name}" for name in OWN_STAGE_1 if started]
    first = [Model(name, 0) for name in (*SEVERAL, "lambda-40", "lambda-100", *OWN_STAGE_1, *renewed)]
    return first + [Model(name, seed) for seed in range(1, seeds) for name in SEVERAL]


def main() -> int:
    options = _options()
    options.device = pick_device(options.device)
    deadline = time.monotonic() + 60.0 * options.minutes
    started = options.start is not None
    for model in models(options.seeds, started=started):
        try:
            weights = _trained(model, options, deadline=deadline)
        except TimeOver as over:
            print(f"{model.folder}: {over}; run again")
            return 3
        for task in TASKS:
            _keep_scores(_scored(weights, task, options), options.out, model, task)
        print(f"{model.folder}: ready")
    rows = order_rows(options.out, options.seeds, started=started)
    write_orders(rows, options.out / ORDERS)
    for row in rows:
        print(*row.values())
    return 0


def _trained(model: Model, options: argparse.Namespace, *, deadline: float) -> Path:
    """The weights of a model; its stage 1, if it has one, is trained in a folder of its own, and copied."""
    out = options.out / model.folder
    weights = out / "weights.safetensors"
    if weights.is_file():
        return weights
    if options.start is not None:
        return _train(model, out, options, steps2=options.steps2, deadline=deadline)
    if not (out / "checkpoint.pt").is_file():
        first = options.out / model.stage_1
        if not (first / "weights.safetensors").is_file():
            shared = model if model.name in OWN_STAGE_1 else Model("full", model.seed)
            _train(shared, first, options, steps2=0, deadline=deadline)
        out.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(first / "checkpoint.pt", out / "copy.part")
        (out / "copy.part").replace(out / "checkpoint.pt")
    return _train(model, out, options, steps2=options.steps2, deadline=deadline)


def _started(model: Model, options: argparse.Namespace) -> Path:
    """The weights that a model begins with: those of `--start`, or a file with these and new modules."""
    from toontalker.train.config import find_config
    from toontalker.train.state import new_state
    from toontalker.weights_io import export, load_network, notes_of

    changed = MODULES.get(model.name.removeprefix(RENEWED))
    if changed is None:
        return options.start
    path = options.out / "starts" / f"{model.folder}.safetensors"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        overrides = [f"seed={model.seed}", "adversarial=0"]
        config = find_config(options.config, ablation=model.ablation, overrides=overrides)
        network, given = new_state(config, "cpu").network, load_network(options.start)
        for domain in ("cartoon", "real"):
            kept = {k: v for k, v in given.domain(domain).state_dict().items() if not k.startswith(changed)}
            network.domain(domain).load_state_dict(kept, strict=False)
        notes = {key: value for key, value in notes_of(options.start).items() if key not in ("format", "config")}
        export(network, path, notes=notes)
    return path


def _train(model: Model, out: Path, options: argparse.Namespace, *, steps2: int, deadline: float) -> Path:
    from toonbench.data.open import open_data
    from toonbench.data.supervision import supervised
    from toonbench.training.clips import load_sets
    from toontalker.method import ToonTalker

    ablation = model.ablation
    steps1, gaps = (options.steps1, 500) if options.start is None else (0, 0)
    overrides = [f"seed={model.seed}", f"steps1={steps1}", f"steps2={steps2}", "adversarial=1", "motion=20"]
    overrides += ["synthetic_every=1", "workers=1", "checkpoint_every=50", "sample_every=1000000", f"gap_growth={gaps}"]
    overrides += options.set
    overrides = [one for one in overrides if not (ablation.startswith("lambda-") and one.startswith("motion="))]
    overrides = [one for one in overrides if ablation != "no-analogy" or not one.startswith("synthetic_every=")]
    opened = open_data(str(options.data))
    needs = ToonTalker.clip_needs(options.config, ablation=ablation, overrides=overrides)
    cache = options.out / "frames"
    clips = load_sets({opened.id: opened.clips}, size=needs.size, domains=needs.domains, cache=cache)
    return ToonTalker.train(
        supervised(clips, opened, needs=needs), out, config=options.config, device=options.device, ablation=ablation,
        overrides=overrides, checkpoint=None if options.start is None else _started(model, options),
        on_progress=watch(out, deadline),
    )  # fmt: skip


def _scored(weights: Path, task: str, options: argparse.Namespace) -> Path:
    """The scores of weights: a table with a row for each pair."""
    import toonbench

    done = toonbench.evaluate(
        "toontalker", task=task, metrics=METRICS, out=options.out / "runs", checkpoint=weights, device=options.device
    )
    return done.run.scores


@dataclass(frozen=True, slots=True)
class Order:
    """An order of the paper: in its `table`, FID of `task` is smaller for `better` than for `worse`; one of them is the full model."""

    table: str
    task: str
    better: str
    worse: str


def orders() -> list[Order]:
    """The full model against every ablated one, by the printed FID of each task. In Table 6 the orders of the two tasks are opposite."""
    from toonbench.report.papers import load_paper

    found: list[Order] = []
    for number in TABLES:
        cells = [cell for cell in load_paper().tables[number].cells if cell.metric == "fid"]
        full = {cell.task: cell.value for cell in cells if not cell.variant}
        for cell in cells:
            if cell.variant:
                names = ("full", cell.variant) if full[cell.task] < cell.value else (cell.variant, "full")
                found.append(Order(number, cell.task, *names))
    return found


def scores_file(root: Path, model: Model, task: str) -> Path:
    """Where a folder of results has the scores of a model: a row for each pair."""
    return root / SCORES / model.folder / f"{task}.csv"


def _keep_scores(scores: Path, root: Path, model: Model, task: str) -> None:
    kept = scores_file(root, model, task)
    kept.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(scores, kept)


def order_rows(root: Path, seeds: int, *, started: bool = False) -> list[dict[str, object]]:
    """Every order of the paper in every metric, tested on the scores in `root`: a row of ORDERS each."""
    rows: list[dict[str, object]] = []
    names = [model.name for model in models(seeds, started=started)]
    for one in map(_with_renewed, orders()) if started else orders():
        common = min(names.count(one.better), names.count(one.worse))
        values = {
            name: [model_scores(root, Model(name, seed), one.task) for seed in range(common)]
            for name in (one.better, one.worse)
        }
        for metric in METRICS:
            tested = _order(values, common, better=one.better, worse=one.worse, metric=metric)
            rows.append({"table": one.table, "task": one.task} | tested)
    return rows


def _with_renewed(order: Order) -> Order:
    """The order with the full model that has new modules where the ablated model has."""
    ablated = order.worse if order.better == "full" else order.better
    if ablated not in OWN_STAGE_1:
        return order
    full = f"{RENEWED}{ablated}"
    return replace(order, better=full) if order.better == "full" else replace(order, worse=full)


def write_orders(rows: Sequence[dict[str, object]], path: Path) -> None:
    """Write the tested orders as CSV."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def model_scores(root: Path, model: Model, task: str) -> dict[str, dict[str, str]]:
    """The rows of a model's scores, by pair; columns are named without versions."""
    with scores_file(root, model, task).open(newline="") as file:
        rows = [{key.split("@")[0]: value for key, value in row.items()} for row in csv.DictReader(file)]
    return {row["pair"]: row for row in rows}


def _order(
    values: dict[str, list[dict[str, dict[str, str]]]], seeds: int, *, better: str, worse: str, metric: str
) -> dict[str, object]:
    """The mean difference over pairs and seeds, positive where the paper's better model is better."""
    from toonbench.stats.paired import compare_means

    found: dict[str, list[float]] = {better: [], worse: []}
    driving: list[str] = []
    turns: list[int] = []
    for seed in range(seeds):
        for pair, row in values[better][seed].items():
            driving.append(row["driving"])
            turns.append(seed)
            for name in found:
                found[name].append(float(values[name][seed][pair][metric]))
    sign = -1.0 if metric in SMALLER_IS_BETTER else 1.0
    tested = compare_means(
        sign * np.array(found[better]), sign * np.array(found[worse]), driving, sources=turns if seeds > 1 else None
    )
    low, high = tested.interval.low, tested.interval.high
    verdict = "held" if low > 0 else "not held" if high < 0 else "no interval" if np.isnan(low) else "undecided"
    return {
        "better": better, "worse": worse, "metric": metric, "seeds": seeds, "difference": f"{tested.interval.value:.4f}",
        "low": f"{low:.4f}", "high": f"{high:.4f}", "verdict": verdict,
    }  # fmt: skip


def _options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="puppets to train on")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=9.0, help="length of a chunk")
    parser.add_argument("--config", default="mini-puppets")
    parser.add_argument("--steps1", type=int, default=1000)
    parser.add_argument("--steps2", type=int, default=400)
    parser.add_argument("--seeds", type=int, default=3, help="of full model, no-analogy and lambda-0")
    parser.add_argument("--start", type=Path, help="weights of the full model that all models begin with")
    parser.add_argument(
        "--set", nargs="*", default=[], metavar="KEY=VALUE", help="further fields, as of `toonbench train`"
    )
    parser.add_argument("--device", default="cpu")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ToonbenchError as error:
        sys.exit(f"{Path(__file__).name}: {error}")
