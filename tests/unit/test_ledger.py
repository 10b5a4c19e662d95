"""The ledger of the paper's claims: current, checked against the printed numbers, and honest about its states."""

import re
import shutil
from pathlib import Path

import pytest

import reproducing_page
from toonbench.registry import load_metric
from toonbench.report.ledger import STATUSES, load_ledger
from toonbench.report.papers import load_paper, paper_folder
from toonbench.types import ToonbenchError

ROOT = Path(__file__).parent.parent.parent


def printed(table: str, task: str, metric: str) -> dict[str, float]:
    """Variant (or method, in Tables 1 to 4) to printed number."""
    cells = [one for one in load_paper().tables[table].cells if (one.task, one.metric) == (task, metric)]
    return {one.variant or one.method: one.value for one in cells}


def test_the_page_is_current():
    text = reproducing_page.page(load_paper(), load_ledger())
    assert (ROOT / "docs" / "reproducing.md").read_text(encoding="utf-8") == text, "run scripts/reproducing_page.py"


def test_the_page_has_every_printed_number_and_every_order():
    text = (ROOT / "docs" / "reproducing.md").read_text(encoding="utf-8")
    for number, table in load_paper().tables.items():
        if number == "study":
            continue
        section = text[text.index(f"### Table {number}:") :].split("\n##", 1)[0]
        found = re.findall(r"\d+\.\d+", section[section.index("|---") :].split("\n\n")[0])
        assert sorted(found) == sorted(cell.printed for cell in table.cells)
        assert section.count(" > ") == sum(len(printed(number, *one)) - 1 for one in table.measures)


@pytest.mark.parametrize("claim", [one for one in load_ledger().claims if one.best], ids=lambda one: one.id)
def test_what_a_claim_calls_best_is_best_in_the_printed_numbers(claim):
    for table, task, metric in claim.best:
        numbers = printed(table, task, metric)
        best = max if load_metric(metric).higher_is_better else min
        assert best(numbers, key=numbers.__getitem__) == "toontalker"


def test_the_oddities_are_in_the_printed_numbers():
    to_cartoon, to_real = (printed("6", task, "fid") for task in ("real2cartoon", "cartoon2real"))
    assert min(to_cartoon, key=to_cartoon.__getitem__) == "lambda-0"
    assert min(to_real, key=to_real.__getitem__) == "lambda-100"
    assert (to_cartoon["lambda-0"], to_real["lambda-0"]) != tuple(
        printed("5", task, "fid")["no-analogy"] for task in ("real2cartoon", "cartoon2real")
    )
    assert list(to_cartoon.values()) == sorted(to_cartoon.values())
    assert list(to_real.values()) == sorted(to_real.values(), reverse=True)
    aed = printed("2", "real_self", "aed_identity")
    assert (min(aed.values()), max(aed.values())) == (0.129, 0.153)


def test_the_remarks_on_tables_2_and_3_are_in_the_printed_numbers():
    for metric in ("l1", "lpips_alex", "cpbd", "akd_fan68", "aed_identity"):
        numbers, up = printed("2", "real_self", metric), load_metric(metric).higher_is_better
        for other in ("lia", "fomm"):
            assert (numbers["toontalker"] > numbers[other]) == up
    similarity = printed("3", "real_cross", "csim_arcface")
    assert sorted(similarity, key=similarity.__getitem__, reverse=True).index("toontalker") == 2


def test_every_claim_has_a_state_and_names_its_place():
    ledger = load_ledger()
    assert len({one.id for one in ledger.claims}) == len(ledger.claims)
    assert all(one.status in STATUSES and one.where and one.text for one in ledger.claims)
    assert {one.kind for one in ledger.oddities} == {"odd", "only looks odd"}
    assert all(not one.table or one.table in load_paper().tables for one in ledger.claims)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'status = "untested"',
            'status = "yes"',
            "claim fid-both has status 'yes', not reproduced, not reproduced, untested",
        ),
        ('where = "4.2, Table 1"', 'place = "4.2"', "unexpected keyword argument 'place'"),
        ("[[claims]]", "[[claims", "cannot be used"),
    ],
)
def test_a_wrong_ledger_is_one_message(tmp_path, old, new, message):
    folder = tmp_path / "paper"
    shutil.copytree(paper_folder(), folder)
    text = (folder / "claims.toml").read_text(encoding="utf-8")
    (folder / "claims.toml").write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ToonbenchError, match=re.escape(message)):
        load_ledger(folder)
