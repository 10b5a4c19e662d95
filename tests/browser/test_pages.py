"""The pages of a site in a real browser."""

import io
import re
import time

import numpy as np
import pytest
from PIL import Image

from made_site import BLOCKS, made_pairs, write_run
from toonbench.report.entries import find_entries
from toonbench.report.site import build_site

PAGES = ("index.html", "leaderboards/*/index.html", "leaderboards/*/pairs.html", "leaderboards/*/worst.html", "methods/mine-1.html",
         "metrics/psnr-1.html", "reproducing.html")  # fmt: skip


def until(page, expression):
    """Wait until an expression is true. (Playwright's own function needs `eval`, which the pages' policy forbids.)"""
    limit = time.monotonic() + 15
    while not page.evaluate(expression):
        assert time.monotonic() < limit, expression
        page.wait_for_timeout(20)


def page_of(site, name):
    return next(iter(sorted(site.glob(name))))


def names(page):
    return page.locator("#leaderboard tbody tr:not([hidden]) .name").all_inner_texts()


def first_words(texts):
    return [text.split()[0] for text in texts]


def test_the_leaderboard_sorts_by_any_column_in_both_directions(site, open_page):
    page = open_page(page_of(site, "leaderboards/*/index.html"))
    assert first_words(names(page)) == ["oracle", "static", "mine"]  # by l1, lower is better
    head = page.locator("#leaderboard thead th").nth(2)
    head.get_by_role("button", name="Sort by psnr").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert first_words(names(page)) == ["oracle", "static", "mine"]
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert first_words(names(page)) == ["mine", "static", "oracle"]
    page.get_by_role("button", name="Sort by method").focus()
    page.keyboard.press("Enter")
    assert first_words(names(page)) == ["mine", "oracle", "static"]


def test_the_leaderboard_is_filtered_by_name_and_without_references(site, open_page):
    page = open_page(page_of(site, "leaderboards/*/index.html"))
    page.get_by_label("Methods").fill("STAT")
    assert first_words(names(page)) == ["static"]
    assert page.locator("#count").inner_text() == "1 of 3"
    page.get_by_label("Methods").fill("")
    page.get_by_label("references").uncheck()
    assert first_words(names(page)) == ["mine"]


def test_the_leaderboard_is_complete_without_javascript(site, open_page):
    page = open_page(page_of(site, "leaderboards/*/index.html"), java_script_enabled=False)
    assert first_words(names(page)) == ["oracle", "static", "mine"]
    stored = next(one for one in find_entries([site.parent / "runs"]) if one.method == "oracle").results["l1@1"].value
    assert float(page.locator("#leaderboard tbody td .n").first.inner_text()) == pytest.approx(stored, abs=1e-3)
    assert page.locator("#leaderboard svg.iv").count() == 6
    assert "1 of 3 pairs have no video" in page.locator(".unranked").inner_text()
    assert not page.locator("#filter").is_visible()
    other = open_page(page_of(site, "leaderboards/*/pairs.html"), java_script_enabled=False)
    assert "needs JavaScript" in other.locator("main").inner_text()


def counter(page):
    return page.locator("#counter").inner_text()


def wait_for_frame(page, frame):
    until(page, f"[...document.querySelectorAll('#tiles canvas')].every(one => one.dataset.frame === '{frame}')")


def test_a_link_leads_to_a_pair_its_methods_and_a_frame(site, open_page):
    path = page_of(site, "leaderboards/*/pairs.html")
    page = open_page(path, "#pair=face-1~film-0&methods=mine,oracle&frame=7")
    wait_for_frame(page, 7)
    assert counter(page) == "8 / 50"
    assert page.locator("#pairname").inner_text() == "face-1 ← film-0"
    assert page.locator("#tiles figcaption bdi").all_inner_texts() == [
        "Source",
        "Driving video",
        "Target",
        "mine",
        "oracle",
    ]
    page.get_by_role("checkbox", name="oracle").uncheck()
    until(page, "location.hash.includes('methods=mine&')")
    page.keyboard.press("Escape")
    address = page.evaluate("location.hash")
    again = open_page(path, address)
    wait_for_frame(again, 7)
    assert again.locator("#tiles figcaption bdi").all_inner_texts()[3:] == ["mine"]
    again.evaluate("location.hash = '#pair=face-2~film-0&frame=3'")
    wait_for_frame(again, 3)
    assert again.locator("#tiles figure").count() == 7


def test_keys_play_step_and_change_the_pair(site, open_page):
    page = open_page(page_of(site, "leaderboards/*/pairs.html"), "#pair=face-1~film-0")
    first = page.locator("#pairname").inner_text()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    wait_for_frame(page, 2)
    page.keyboard.press("ArrowLeft")
    wait_for_frame(page, 1)
    page.keyboard.press("End")
    wait_for_frame(page, 49)
    page.keyboard.press("l")
    assert not page.get_by_label("Loop").is_checked()
    page.keyboard.press("Home")
    page.keyboard.press("]")
    assert page.locator("#speed").input_value() == "1.5"
    page.keyboard.press(" ")
    assert page.locator("#play").inner_text() == "Pause"
    until(page, "document.getElementById('play').innerText === 'Play'")  # at the end, without loop
    wait_for_frame(page, 49)
    page.keyboard.press("d")
    assert page.locator("#difference").is_checked()
    page.keyboard.press("p")
    until(page, f"document.getElementById('pairname').innerText !== '{first}'")
    page.keyboard.press("/")
    page.keyboard.type("face-2 d")  # a field has the focus: `d` is a letter
    assert page.locator("#difference").is_checked()
    assert page.locator("#found").inner_text() == "0 of 3 pairs"


def numbers_shown(page):
    """The frame number in the picture of each video, read from one screenshot."""
    boxes = [one.bounding_box() for one in page.locator("#tiles .picture:has(canvas)").all()]
    shot = np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("L"))
    found = []
    for box in boxes:
        cell = box["width"] / 4
        bits = [shot[int(box["y"] + (r + 0.5) * cell), int(box["x"] + (c + 0.5) * cell)] > 128 for r, c in BLOCKS]
        found.append(sum(int(bit) << at for at, bit in enumerate(bits)))
    return found


def play_in_step(page, seconds):
    """The largest difference between frames that were visible together, and how many different frames were seen."""
    page.locator("#play").click()
    until(page, "Number(document.getElementById('frame').value) > 2")
    end = page.evaluate("performance.now()") + 1000 * seconds
    apart, seen = 0, set()
    while page.evaluate("performance.now()") < end:
        shown = numbers_shown(page)
        assert len(shown) == 6  # driving video, target and four methods
        apart = max(apart, max(shown) - min(shown))
        seen |= set(shown)
    return apart, seen


def test_videos_stay_within_one_frame_for_five_seconds(site, open_page):
    page = open_page(page_of(site, "leaderboards/*/pairs.html"), "#pair=face-1~film-0")
    apart, seen = play_in_step(page, 5)
    assert apart <= 1
    assert len(seen) > 3  # it plays, also on a busy machine
    assert max(seen) < 50


@pytest.mark.slow
@pytest.mark.parametrize("speed", [pytest.param("1", marks=pytest.mark.by_hand), "0.1", "2"])
def test_videos_stay_within_one_frame_for_a_minute(site, open_page, speed):
    page = open_page(page_of(site, "leaderboards/*/pairs.html"), "#pair=face-1~film-0")
    page.locator("#speed").select_option(speed)
    apart, seen = play_in_step(page, 60 if speed == "1" else 20)
    assert apart <= 1
    assert len(seen) > 8


def test_the_difference_to_the_target_is_black_where_a_method_equals_it(site, open_page):
    page = open_page(
        page_of(site, "leaderboards/*/pairs.html"), "#pair=face-1~film-0&methods=mine,oracle&frame=20&difference=1"
    )
    wait_for_frame(page, 20)
    tiles = page.locator("#tiles .picture")
    pixels = [
        np.asarray(Image.open(io.BytesIO(tiles.nth(at).screenshot())).convert("RGB"))[4:-8, 4:-4] for at in (3, 4)
    ]
    assert pixels[0].max() > 60  # the disc of another colour
    assert pixels[1].max() < 30


def test_a_click_on_a_curve_seeks(site, open_page):
    page = open_page(page_of(site, "leaderboards/*/pairs.html"), "#pair=face-1~film-0")
    chart = page.locator("#charts svg").first
    box = chart.bounding_box()
    chart.click(position={"x": box["width"] * 30 / 49, "y": 20})
    wait_for_frame(page, 30)
    assert counter(page) == "31 / 50"
    assert float(page.locator("#charts .cursor").first.get_attribute("x1")) == pytest.approx(1000 * 30 / 49, abs=1)


def test_a_pair_without_a_video_shows_the_reason_as_text(site, open_page):
    page = open_page(page_of(site, "leaderboards/*/pairs.html"))
    page.get_by_label("only with failures").check()
    page.locator(".item").first.click()
    assert "the method <b>gave up</b>" in page.locator("#tiles .reason").inner_text()


@pytest.mark.parametrize("name", PAGES)
def test_pages_pass_the_accessibility_check_in_light_and_dark(site, open_page, name):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is missing")
    page = open_page(page_of(site, name), reduced_motion="reduce")  # colours change at once
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found = axe.Axe().run(page, options={"preload": False})
        assert [
            (one["id"], [node["html"][:120] for node in one["nodes"][:3]]) for one in found.response["violations"]
        ] == []


@pytest.mark.parametrize("name", PAGES)
def test_pages_fit_a_phone(site, open_page, name):
    page = open_page(page_of(site, name), viewport={"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


HOSTILE = (
    "<script>window.bad=1</script>",
    '"><img src=x onerror="window.bad=1">',
    "javascript:window.bad=1",
    "ملف🙂‮gpj.exe",
    "{{7*7}}",
)


def test_hostile_names_are_shown_as_text(tmp_path, open_page):
    pairs = made_pairs([*HOSTILE, "plain"])
    for at, name in enumerate(HOSTILE):
        write_run(tmp_path / "runs", pairs, method=name, level=0.1 + 0.02 * at, caveats=[f"caveat {name}"])
    build_site(find_entries([tmp_path / "runs"]), tmp_path / "site", title=HOSTILE[1])
    pages = sorted((tmp_path / "site").rglob("*.html"))
    assert len(pages) > 8
    for path in pages:
        page = open_page(path)
        assert page.evaluate(
            "[window.bad, document.querySelectorAll('img[src=x], a[href^=\"javascript\"]').length]"
        ) == [None, 0]
        assert "49" not in page.locator("h1").all_inner_texts()
    page = open_page(page_of(tmp_path / "site", "leaderboards/*/pairs.html"))
    assert any("<script>" in text for text in page.locator("#list .names").all_inner_texts())
    assert page.evaluate("window.bad") is None


def test_the_list_of_many_pairs_holds_only_the_rows_in_view(tmp_path, open_page):
    write_run(tmp_path / "runs", made_pairs([f"s{at:04d}" for at in range(300)]), method="mine", frames=3)
    build_site(find_entries([tmp_path / "runs"]), tmp_path / "site")
    page = open_page(page_of(tmp_path / "site", "leaderboards/*/pairs.html"))
    assert page.locator("#list .item").count() < 60
    page.locator("#list").evaluate("one => { one.scrollTop = one.scrollHeight; }")
    page.get_by_text("#300", exact=True).wait_for()
    page.locator("#list").focus()
    page.keyboard.press("End")
    until(
        page,
        "document.getElementById('pairname').innerText.startsWith('s0299') || document.getElementById('pairname').innerText.startsWith('0299')",
    )
    page.locator("#order").select_option(label="worst l1 first")
    until(page, "document.querySelector('#list .item .n') !== null")
    values = [float(text) for text in page.locator("#list .item .n").all_inner_texts()]
    assert re.match(r"[0-9.]+", str(values[0])) is not None
    page.locator("#list").evaluate("one => { one.scrollTop = 0; }")
    until(page, "document.querySelector('#list .item').dataset.at === '0'")
    values = [float(text) for text in page.locator("#list .item .n").all_inner_texts()]
    assert values == sorted(values, reverse=True)
