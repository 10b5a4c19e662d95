"""Make a page of trained ablated models: Tables 5 to 7 on puppets, and what became of the paper's orders.

    python scripts/ablation_page.py ablations leaderboards/puppets@2/ablations        # after scripts/train_ablations.py

The page's folder receives the scores of all pairs, `orders.csv`, which follows from them, and `README.md`.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from toonbench.report.entries import find_entries
from toonbench.report.paper_cells import Request
from toonbench.report.paper_tables import paper_tables
from toonbench.report.papers import Paper, PaperTable, load_paper
from toonbench.report.writers.markdown import markdown_text
from train_ablations import METRICS, ORDERS, SCORES, TABLES, Model, models, order_rows, write_orders

PAGE = "README.md"
ARROWS = {"real2cartoon": "real → cartoon", "cartoon2real": "cartoon → real"}
INTRODUCTION = """# Ablated models on puppets: Tables 5 to 7

`scripts/train_ablations.py` trained ToonTalker and each ablated model of the paper (section 4.4) with the same data and steps, and scored
them on `puppets@2`. {budget}

These are small networks after minutes of training on drawn faces. They say which parts matter *in this setting*; they neither confirm nor
refute the paper, whose FID is not testable here (the weights of its Inception network are not in this repository, and none of its data is).

## The paper's orders

An order of the paper is that of two printed FIDs of a table, the better model first. The difference is positive where that model is better
here, too, with a 95 % interval over driving videos and, where models have several seeds, over seeds. **held**: the interval is above 0.
**not held**: below 0. Otherwise undecided. There is no correction for the number of orders: of those without any difference, one in twenty
has an interval without 0. FID itself: not testable here.

"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trained", type=Path, help="the --out of train_ablations.py")
    parser.add_argument("page", type=Path, help="the folder of the page")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    options.page.mkdir(parents=True, exist_ok=True)
    shutil.copytree(options.trained / SCORES, options.page / SCORES, dirs_exist_ok=True)
    rows = order_rows(options.page, options.seeds)
    write_orders(rows, options.page / ORDERS)
    text = INTRODUCTION.format(budget=budget(options.trained, options.seeds)) + verdicts(rows, load_paper())
    (options.page / PAGE).write_text(text + "\n" + tables(options.trained / "runs"), encoding="utf-8")
    print(f"written: {options.page / PAGE}")
    return 0


def budget(trained: Path, seeds: int) -> str:
    """What the training cost, as its weights and logs state it."""
    import json

    from safetensors import safe_open

    full = Model("full", 0)
    with safe_open(trained / full.folder / "weights.safetensors", "np") as file:  # pyright: ignore[reportUnknownVariableType]
        facts = json.loads(file.metadata()["training"])  # pyright: ignore[reportUnknownArgumentType]
    several = [name for name, number in Counter(one.name for one in models(seeds)).items() if number > 1]
    return (
        f"Each has {facts['steps1']} steps of stage 1 and {facts['steps2']} of stage 2, configuration `{facts['name']}` with "
        f"`{' '.join(facts['overrides'])}`; {', '.join(several)} with {seeds} seeds, the others with one."
    )


def verdicts(rows: Sequence[dict[str, object]], paper: Paper) -> str:
    """A table with a line for each order and a column for each metric, and the count of verdicts."""
    lines = [f"| table | task | order of the paper | {' | '.join(METRICS)} |", f"|---|---|---|{'---|' * len(METRICS)}"]
    for first in rows[:: len(METRICS)]:
        own = [row for row in rows if all(row[key] == first[key] for key in ("table", "task", "better", "worse"))]
        printed = " < ".join(
            f"{_title(str(first[side]), paper)} ({_fid(first, side, paper.tables[str(first['table'])])})"
            for side in ("better", "worse")
        )
        lines.append(
            f"| {first['table']} | {ARROWS[str(first['task'])]} | {printed} | {' | '.join(map(_verdict, own))} |"
        )
    counts = Counter(str(row["verdict"]) for row in rows)
    total = ", ".join(f"{number} {verdict}" for verdict, number in counts.most_common())
    return "\n".join([*lines, "", f"In all {len(rows)}: {total}.", ""])


def _title(name: str, paper: Paper) -> str:
    return "full model" if name == "full" else paper.variants[name]


def _fid(row: dict[str, object], side: str, table: PaperTable) -> str:
    variant = "" if row[side] == "full" else str(row[side])
    cell = table.cell("toontalker", variant, task=str(row["task"]), metric="fid")
    return cell.printed if cell else ""


def _verdict(row: dict[str, object]) -> str:
    verdict = f"**{row['verdict']}**" if row["verdict"] in ("held", "not held") else str(row["verdict"])
    return f"{verdict}<br><sub>{row['difference']} [{row['low']}, {row['high']}]</sub>"


def tables(runs: Path) -> str:
    """Tables 5 to 7 and their further metrics, as Markdown."""
    request = Request(entries=find_entries([runs]), data="puppets", metrics=[*METRICS])
    return markdown_text([table for number in TABLES for table in paper_tables(number, request)])


if __name__ == "__main__":
    sys.exit(main())
