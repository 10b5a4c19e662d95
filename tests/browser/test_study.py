"""The page of a preference study in a real browser, from stored runs to the analysis."""

import json
import re
import shutil
import signal
from pathlib import Path

import pytest
from test_pages import until

from made_site import make_runs
from made_study import Served
from toonbench.cli import run
from toonbench.study.design import STILL, TARGET
from toonbench.study.key import PAGE, VOTES, read_key
from toonbench.study.votes import merge, read_lines

TITLE = "Faces <script>alert(1)</script> & <b>videos</b> \N{GRINNING FACE}"
METHODS = ("xylographer<i>", "zephyrnet", "quokka\N{GRINNING FACE}")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study of three methods with telling names on three pairs: three sheets of 4 questions and a catch trial."""
    root = tmp_path_factory.mktemp("study")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOONBENCH_CACHE", str(root / "cache"))
        data, runs = make_runs(root, frames=6)
        for old, new in zip(("mine", "other", "oracle"), METHODS, strict=True):
            rename(runs, old, new)
        arguments = ["--data", str(data), "--form", "both", "--questions", "4", "--raters", "3", "--title", TITLE, "-q"]
        assert run(["study", "make", str(runs), "--out", str(root / "study"), "--methods", *METHODS, *arguments]) == 0
    return root / "study"


def rename(runs, old, new):
    """Give the run of a method another name."""
    (found,) = runs.glob(f"*/*/{old}@1")
    for name in ("run.json", "result.json"):
        text = (found / name).read_text()
        (found / name).write_text(text.replace(f'"{old}@1"', json.dumps(f"{new}@1")))


def shown_videos(page):
    return [
        Path(one.split("/")[-1]).stem
        for one in page.locator("#options video").evaluate_all("all => all.map(one => one.src)")
    ]


def answer(page, key, favourite):
    """Choose the favourite if it is shown, the one that passes a catch trial, or nothing; return the shown videos and the choice."""
    shown = shown_videos(page)
    labels = [key.videos[one] for one in shown]
    right = (
        TARGET
        if TARGET in labels
        else next((one for one in labels if one != STILL), "")
        if STILL in labels
        else favourite
    )
    if right in labels:
        page.locator("#options .option").nth(labels.index(right)).click()
        return shown[labels.index(right)]
    page.get_by_role("button", name="Cannot decide").click()
    return ""


def go_through(page, key, favourite):
    choices = []
    total = len(key.sheets[0])
    for at in range(total):
        until(page, f"document.querySelector('#count').textContent === '{at + 1} of {total}'")
        choices.append(answer(page, key, favourite))
        page.locator("#next").click()
    page.locator("#end").wait_for()
    return choices


def saved(page, folder):
    with page.expect_download() as download:
        page.get_by_role("button", name="Save my answers to a file").click()
    path = folder / download.value.suggested_filename
    shutil.copyfile(download.value.path(), path)
    return path


def test_the_page_works_from_a_disk_and_its_file_is_analysed(study, open_page, tmp_path, capsys):
    key = read_key(study)
    for sheet in (1, 2):
        page = open_page(study / PAGE / "index.html", accept_downloads=True)
        page.get_by_label("Your number").fill(str(sheet))
        page.get_by_role("button", name="Start").click()
        choices = go_through(page, key, METHODS[1])
        path = saved(page, tmp_path)
        votes = json.loads(path.read_text())
        assert (votes["study"], votes["sheet"]) == (key.study, sheet)
        assert {one["question"]: one["choice"] for one in votes["votes"]} == dict(
            zip(key.sheets[sheet - 1], choices, strict=True)
        )
    capsys.readouterr()
    assert run(["study", "analyse", str(study), str(tmp_path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    best = {one["method"]: one["rate"]["value"] for one in found["parts"][0]["methods"]}
    assert best == {METHODS[0]: 0, METHODS[1]: 1, METHODS[2]: 0}
    assert [(one["passed"], one["catches"]) for one in found["raters"]] == [(1, 1)] * 2
    assert run(["study", "analyse", str(study), str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "xylographer<i>" in text
    assert "2 of 2 raters, 10 votes" in text


def test_nothing_in_the_page_names_a_method_a_pair_or_a_catch_trial(study):
    key = read_key(study)
    words = [*METHODS, "xylographer", "quokka", "static", *{one.pair for one in key.questions.values()}]
    files = [one for one in (study / PAGE).rglob("*") if one.is_file()]
    assert {one.relative_to(study / PAGE).as_posix() for one in files} == set(key.files)
    for file in files:
        content = file.read_bytes().lower()
        for word in words:
            assert word.encode().lower() not in content, (file.name, word)
            assert word.lower() not in file.name.lower()
    assert not {"target", "catch"} & set(re.findall("[a-z]+", (study / PAGE / "data.js").read_text()))


def test_the_title_is_shown_as_text(study, open_page):
    page = open_page(study / PAGE / "index.html")
    assert page.locator("#title").inner_text() == TITLE
    assert page.title() == TITLE
    assert page.locator("#title > *").count() == 0


def test_a_reload_and_a_closed_page_lose_no_choice(study, open_page):
    page = open_page(study / PAGE / "index.html", "#sheet=2")
    page.locator("#options .option").nth(1).click()
    page.locator("#next").click()
    page.locator("#options .option").nth(0).click()
    before = page.evaluate("JSON.stringify(localStorage)")
    page.reload()
    until(page, "document.querySelector('#count').textContent === '3 of 5'")
    assert page.evaluate("JSON.stringify(localStorage)") == before
    other = page.context.new_page()
    other.goto((study / PAGE / "index.html").as_uri() + "#sheet=2")
    until(other, "document.querySelector('#count').textContent === '3 of 5'")
    other.get_by_role("button", name="Back").click()
    assert other.locator("#options input").nth(0).is_checked()


def test_two_tabs_of_one_rater_keep_the_answers_of_both(study, open_page):
    page = open_page(study / PAGE / "index.html", "#sheet=3")
    other = page.context.new_page()
    other.goto((study / PAGE / "index.html").as_uri() + "#sheet=3")
    for _ in range(2):
        page.locator("#options .option").nth(1).click()
        page.locator("#next").click()
    other.locator("#options .option").nth(0).click()  # this tab knows no answer of the first one
    other.reload()
    until(other, "document.querySelector('#count').textContent === '3 of 5'")
    for place in (1, 0):
        other.get_by_role("button", name="Back").click()
        assert other.locator("#options input").nth(place).is_checked()


def test_a_choice_can_be_changed_and_undecided_and_keys_choose(study, open_page):
    page = open_page(study / PAGE / "index.html", "#sheet=1")
    assert page.locator("#next").is_disabled()
    page.keyboard.press("2")
    assert page.locator("#options input").nth(1).is_checked()
    page.keyboard.press("0")
    assert page.locator("#options input:checked").count() == 0
    assert page.get_by_role("button", name="Cannot decide").get_attribute("aria-pressed") == "true"
    page.keyboard.press("1")
    assert page.get_by_role("button", name="Cannot decide").get_attribute("aria-pressed") == "false"
    page.keyboard.press("Enter")
    until(page, "document.querySelector('#count').textContent === '2 of 5'")


def test_the_videos_play_together_and_repeat(study, open_page):
    page = open_page(study / PAGE / "index.html", "#sheet=1")
    until(
        page, "document.body.dataset.loaded && [...document.querySelectorAll('video')].every(one => one.duration > 0)"
    )
    page.evaluate(
        "() => { window.plays = 0; document.querySelector('#driving').addEventListener('play', () => { window.plays += 1; }); }"
    )
    until(page, "window.plays >= 2")
    page.get_by_role("button", name="Pause").click()
    until(page, "[...document.querySelectorAll('video')].every(one => one.paused)")
    page.get_by_role("button", name="Play").click()
    until(page, "window.plays >= 4")


def test_a_video_that_cannot_be_played_is_reported_until_the_next_question(study, browser, tmp_path):
    root = shutil.copytree(study / PAGE, tmp_path / "page")
    page = browser.new_context().new_page()
    name, order = next(iter(read_key(study).sheets[0].items()))
    assert name
    (root / "media" / f"{order[0]}.mp4").write_bytes(b"no video")
    page.goto((root / "index.html").as_uri() + "#sheet=1")
    problem = page.get_by_role("alert")
    problem.wait_for()
    page.locator("#options .option").nth(1).click()
    assert problem.inner_text().startswith("A video of this question cannot be played. Please choose “Cannot decide”")
    page.locator("#next").click()
    until(page, "document.querySelector('#count').textContent === '2 of 5'")
    assert problem.is_hidden()
    page.context.close()


def test_a_video_that_never_loads_does_not_keep_the_others_from_playing(study, browser):
    page = browser.new_context().new_page()
    page.clock.install()
    _, order = next(iter(read_key(study).sheets[0].items()))
    stuck = f"{order[0]}.mp4"
    page.add_init_script(f"""
        const source = Object.getOwnPropertyDescriptor(HTMLMediaElement.prototype, "src");
        Object.defineProperty(HTMLMediaElement.prototype, "src", {{
            get: source.get, set(value) {{ if (!value.endsWith("{stuck}")) source.set.call(this, value); }} }});
    """)
    page.goto((study / PAGE / "index.html").as_uri() + "#sheet=1")
    until(page, "document.querySelector('#driving').readyState >= 3")
    assert page.evaluate("document.querySelector('#driving').paused")
    page.clock.fast_forward(9000)
    until(page, "!document.querySelector('#driving').paused || document.querySelector('#driving').ended")
    page.context.close()


@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_fits_the_width_and_passes_the_accessibility_check(study, open_page, width):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is missing")
    page = open_page(study / PAGE / "index.html", viewport={"width": width, "height": 800})
    for number in ("", "1"):
        if number:
            page.get_by_label("Your number").fill(number)
            page.get_by_role("button", name="Start").click()
            page.locator("#options .option").first.wait_for()
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            found = axe.Axe().run(page, options={"preload": False})
            assert [(one["id"], one["nodes"][0]["html"][:120]) for one in found.response["violations"]] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_served_votes_reach_the_file_also_after_the_server_was_killed_and_started_again(study, browser, tmp_path):
    root = shutil.copytree(study, tmp_path / "study")
    key = read_key(root)
    served = Served(root)
    page = browser.new_context().new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{served.facts['address']}#sheet=3")
    total = len(key.sheets[2])
    for at in range(total):
        until(page, f"document.querySelector('#count').textContent === '{at + 1} of {total}'")
        if at == 2:
            served.end(signal.SIGKILL)
        answer(page, key, METHODS[1])
        page.locator("#next").click()
    page.locator("#end").wait_for()
    until(page, "document.querySelector('#instruction').textContent.includes('not sent yet')")
    served = Served(root, port=int(served.facts["address"].rstrip("/").rpartition(":")[2]))
    try:
        page.get_by_role("button", name="Send again").click()
        until(page, "document.querySelector('#state').textContent.includes('All your answers were sent')")
    finally:
        page.context.close()
        served.end(signal.SIGTERM)
    votes = merge(read_lines(root / VOTES, key)[0]).votes
    assert sorted(one.question for one in votes) == sorted(key.sheets[2])
    assert errors == []


def test_comparisons_that_do_not_connect_all_methods_are_noted_when_a_study_is_made(study, tmp_path, capsys):
    arguments = [
        "study",
        "make",
        str(study.parent / "runs"),
        "--data",
        str(study.parent / "data"),
        "--form",
        "pairs",
        "--json",
    ]
    for questions, noted in (("3", 3), ("6", 0)):
        assert (
            run([*arguments, "--out", str(tmp_path / questions), "--methods", *METHODS, "--questions", questions]) == 0
        )
        notes = json.loads(capsys.readouterr().out)["notes"]
        assert sum("do not connect all methods" in one for one in notes) == noted


def test_a_study_is_made_again_equally_and_replaces_no_videos_that_raters_may_have(study, tmp_path, capsys):
    root = shutil.copytree(study, tmp_path / "study")
    runs, data = study.parent / "runs", study.parent / "data"
    arguments = ["study", "make", str(runs), "--out", str(root), "--methods", *METHODS, "--data", str(data), "--form", "both", "--questions", "4",
                 "--raters", "3", "--title", TITLE, "-q"]  # fmt: skip
    before = {one: one.read_bytes() for one in sorted(root.rglob("*")) if one.is_file()}
    removed = next((root / PAGE / "media").glob("*.mp4"))
    removed.unlink()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOONBENCH_CACHE", str(tmp_path / "cache"))
        assert run(arguments) == 0
        assert {one: one.read_bytes() for one in sorted(root.rglob("*")) if one.is_file()} == before
        copy = shutil.copytree(runs, tmp_path / "runs")
        for video in copy.glob("*/*/mine@1/videos/*.mkv"):
            shutil.copyfile(next(copy.glob("*/*/static@1/videos/*.mkv")), video)
        assert run([one if one != str(runs) else str(copy) for one in arguments]) == 2
        assert "is a study with other videos or pairs, which raters may already have" in capsys.readouterr().err
        assert run([one if one != TITLE else f"Is {METHODS[1].upper()} good?" for one in arguments]) == 2
        assert "it names the method zephyrnet" in capsys.readouterr().err
        assert run([one if one != "4" else "5" for one in arguments]) == 2
        assert "was made by another recipe" in capsys.readouterr().err
