"""The site's files: what is written, kept, removed and refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from made_site import made_pairs, make_runs, numbered, write_run
from toonbench import video
from toonbench.cli import run as toonbench
from toonbench.data.open import open_data
from toonbench.report.entries import find_entries
from toonbench.report.leaderboards import leaderboards
from toonbench.report.site import build_site, build_view
from toonbench.report.site.documents import to_html
from toonbench.report.site.folder import LIST, MARK, SiteFolder
from toonbench.report.site.model import views
from toonbench.report.site.names import shared_start, slugs
from toonbench.report.site.table import table_of
from toonbench.score.stored import with_checksum
from toonbench.store import read_json, write_json
from toonbench.types import ToonbenchError


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TOONBENCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_runs(tmp_path_factory.mktemp("made"), frames=4, sources=2)


def files(root):
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def build(made, out, runs=None):
    data, own = made
    return build_site(find_entries([runs or own]), out, data=[open_data(str(data))])


def test_equal_inputs_give_equal_bytes_and_a_second_build_writes_nothing(made, tmp_path):
    first = build(made, tmp_path / "a")
    assert (
        first.encoded == first.videos == 8
    )  # equal videos are one: an output that is the target, one output of two pairs
    build(made, tmp_path / "b")
    assert files(tmp_path / "a") == files(tmp_path / "b")
    again = build(made, tmp_path / "a")
    assert (again.encoded, again.written) == (0, 0)


def test_every_listed_file_exists_and_every_file_is_listed(made, tmp_path):
    build(made, tmp_path / "site")
    listed = json.loads((tmp_path / "site" / LIST).read_text())
    assert {*listed, MARK, LIST} == set(files(tmp_path / "site"))


def test_only_the_files_of_a_changed_method_are_written_again(made, tmp_path):
    runs = shutil.copytree(made[1], tmp_path / "runs")
    build(made, tmp_path / "site", runs)
    run = next(one for one in find_entries([runs]) if one.method == "mine").run
    changed = next((run.root / "videos").iterdir())
    video.write_lossless(changed, numbered(4, colour=11), fps=25)
    again = build(made, tmp_path / "site", runs)
    assert again.encoded == 1
    assert again.written == 1  # the data of its pair


def test_a_copied_run_is_read_again_and_not_encoded_again(made, tmp_path):
    build(made, tmp_path / "site")
    copied = shutil.copytree(made[1], tmp_path / "runs", copy_function=shutil.copyfile)
    assert build(made, tmp_path / "site", copied).encoded == 0
    key = next((tmp_path / "site" / "media").glob("*.mp4"))
    key.unlink()
    assert build(made, tmp_path / "site", copied).encoded == 1
    assert key.is_file()


def test_a_run_that_is_gone_leaves_no_page_and_no_video(made, tmp_path):
    runs = shutil.copytree(made[1], tmp_path / "runs")
    build(made, tmp_path / "site", runs)
    before = set(files(tmp_path / "site"))
    assert "methods/mine-1.html" in before
    shutil.rmtree(next(one for one in find_entries([runs]) if one.method == "mine").root)
    build(made, tmp_path / "site", runs)
    build(made, tmp_path / "fresh", runs)
    assert files(tmp_path / "site") == files(tmp_path / "fresh")


def test_an_interrupted_build_is_completed_by_the_next_and_leaves_nothing_behind(made, tmp_path, monkeypatch):
    def stop(self, name, content):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(SiteFolder, "write", stop)
        with pytest.raises(KeyboardInterrupt):
            build(made, tmp_path / "site")
    assert any((tmp_path / "site" / "media").iterdir())
    other = write_run(tmp_path / "other", made_pairs(["one"]), method="mine")
    build_site(find_entries([other.root]), tmp_path / "site")
    build_site(find_entries([other.root]), tmp_path / "fresh")
    assert files(tmp_path / "site") == files(tmp_path / "fresh")


def test_a_folder_with_other_files_is_refused_and_left_as_it_is(made, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("text")
    with pytest.raises(ToonbenchError, match="is not a site"):
        build(made, tmp_path / "mine")
    assert files(tmp_path / "mine") == {"thesis.tex": b"text"}


def test_foreign_files_in_a_site_stay_whatever_its_list_names(made, tmp_path):
    site = tmp_path / "site"
    build(made, site)
    (site / "README.md").write_text("of a Space")
    (tmp_path / "outside.txt").write_text("text")
    (site / "linked").symlink_to(tmp_path)
    listed = json.loads((site / LIST).read_text())
    (site / LIST).write_text(json.dumps([*listed, "../outside.txt", "linked/outside.txt", "/etc/hostname", 7]))
    build(made, site)
    assert (site / "README.md").read_text() == "of a Space"
    assert (tmp_path / "outside.txt").read_text() == "text"


def test_results_that_cannot_be_ranked_are_listed_with_the_reason(made, tmp_path):
    runs = shutil.copytree(made[1], tmp_path / "runs")
    by_method = {one.method: one.root / "result.json" for one in find_entries([runs])}
    old = json.loads(by_method["mine"].read_text())
    by_method["mine"].write_text(json.dumps({**old, "schema": 1}))
    changed = json.loads(by_method["static"].read_text())
    changed["results"][0]["value"] = 0.0
    by_method["static"].write_text(json.dumps(changed))
    by_method["oracle"].unlink()
    built = build(made, tmp_path / "site", runs)
    page = (tmp_path / "site" / "leaderboards").glob("*/index.html")
    text = next(page).read_text()
    for reason in ("its schema is 1", "its checksum does not fit", "it is not scored", "1 of 2 pairs have no video"):
        assert reason in text
    assert built.runs == 4
    assert "<tbody>\n</tbody>" in text  # no run has a rank


def test_two_runs_of_one_name_are_two_rows_with_different_pages_and_addresses(tmp_path):
    pairs = made_pairs(["a", "b"])
    for at, out in enumerate(("x", "y")):
        write_run(tmp_path / out, pairs, method="mine", level=0.1 + at / 10)
    built = build_site(find_entries([tmp_path / "x", tmp_path / "y"]), tmp_path / "site")
    text = built.page.read_text()
    assert text.count('<th scope="row"') == 2
    assert str(tmp_path / "x") in text
    assert str(tmp_path / "y") in text


def test_a_site_without_the_data_set_shows_the_outputs_and_reports_it(made, tmp_path):
    built = build_site(find_entries([made[1]]), tmp_path / "site")
    assert len(built.notes) == 1
    assert "with --data" in built.notes[0]
    assert "with --data" in next((tmp_path / "site").glob("leaderboards/*/pairs.html")).read_text()


def test_a_damaged_video_is_a_reason_on_its_page(made, tmp_path):
    runs = shutil.copytree(made[1], tmp_path / "runs")
    entry = next(one for one in find_entries([runs]) if one.method == "mine")
    next((entry.root / "videos").iterdir()).write_bytes(b"not a video")
    build(made, tmp_path / "site", runs)
    text = "".join(path.read_text() for path in (tmp_path / "site" / "data").rglob("pairs/*.js"))
    assert "cannot be read as video" in text


def test_names_of_pairs_in_a_changed_table_open_no_other_files(made, tmp_path):
    runs = shutil.copytree(made[1], tmp_path / "runs")
    entry = next(one for one in find_entries([runs]) if one.method == "mine")
    with (entry.root / "scores.csv").open("a") as file:
        file.write("../../../../secret,face-0,film-0,0.1,20,\n")
    video.write_lossless(tmp_path / "secret.mkv", numbered(3, colour=1), fps=25)
    built = build(made, tmp_path / "site", runs)
    assert "cannot be that of a file" in "".join(
        p.read_text() for p in (tmp_path / "site" / "data").rglob("pairs/*.js")
    )
    assert built.pairs == 3


def test_view_keeps_videos_of_all_sites_once_and_encodes_a_changed_method_only(made, tmp_path):
    runs = shutil.copytree(made[1], tmp_path / "runs")
    data = [open_data(str(made[0]))]
    first = build_view(find_entries([runs]), data=data)
    some = [one for one in find_entries([runs]) if one.method != "static"]
    second = build_view(some, data=data)
    assert first.page != second.page
    assert second.encoded == 0
    assert (tmp_path / "cache" / "view").is_dir()
    video.write_lossless(next((some[0].root / "videos").iterdir()), numbered(4, colour=99), fps=25)
    assert build_view(find_entries([runs]), data=data).encoded == 1
    assert "film-0" in first.page.with_name("worst.html").read_text()


def test_the_commands_print_the_page_and_refuse_what_is_no_run(made, tmp_path, capsys):
    assert toonbench(["view", str(made[1]), "--data", str(made[0]), "--no-open"]) == 0
    page = capsys.readouterr().out.strip()
    assert page.endswith("index.html")
    assert "mine" in Path(page).read_text()
    assert toonbench(["site", str(made[1]), "--out", str(tmp_path / "site"), "--title", "<Mine>", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["runs"] == 4
    assert "&lt;Mine&gt;" in (tmp_path / "site" / "index.html").read_text()
    assert toonbench(["site", str(tmp_path / "nothing"), "--out", str(tmp_path / "other")]) == 2
    assert "does not exist" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


def test_a_page_with_what_it_loads_first_is_under_a_megabyte(made, tmp_path):
    build(made, tmp_path / "site")
    static = sum(path.stat().st_size for path in (tmp_path / "site" / "static").iterdir())
    pages = max(path.stat().st_size for path in (tmp_path / "site").rglob("*.html"))
    data = max(path.stat().st_size for path in (tmp_path / "site" / "data").rglob("*.js"))
    assert static + pages + 2 * data < 400_000


def test_web_videos_start_with_their_index_have_even_sides_and_no_late_frames(tmp_path):
    frames = np.random.default_rng(0).integers(0, 255, (30, 33, 35, 3), np.uint8)
    assert video.write_web_mp4(tmp_path / "a.mp4", iter(frames), fps=12.5) == 30
    content = (tmp_path / "a.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")
    info = video.probe(tmp_path / "a.mp4")
    assert (info.width, info.height, info.fps, info.frames, info.pixel_format) == (36, 34, 12.5, 30, "yuv420p")
    video.write_web_mp4(tmp_path / "b.mp4", iter(frames), fps=12.5)
    assert (tmp_path / "b.mp4").read_bytes() == content


def test_documents_show_raw_html_and_lose_links_that_the_site_does_not_have():
    text = "# A\n\n<script>x</script> [a](javascript:alert(1)) [b](https://x.org) [c](other.md) ![d](d.png)\n\n| | |\n|---|--:|\n| 1 | 2 |\n"
    html = str(to_html(text, link=lambda address: address if address.startswith("https:") else ""))
    assert "<script>" not in html
    assert "javascript" not in html.replace("[a](javascript:alert(1))", "")
    assert '<a href="https://x.org">b</a> c' in html
    assert "<img" not in html
    assert "style" not in html
    assert "<thead>" not in html
    assert "<h2>A</h2>" in html


def test_addresses_differ_for_every_name():
    names = ["mine", "Mine", "mine@1", "my net 50%", "my-net-50", "ملف", "🙂", "../x", "x" * 300, "x" * 301]
    found = slugs(names)
    assert len(set(found.values())) == len(names)
    assert found["mine"] == "mine"
    assert all(slug.isascii() and "/" not in slug and len(slug) < 90 for slug in found.values())


def test_the_shared_start_of_names_ends_with_a_word():
    assert shared_start(["test-s31-real-v01", "test-s31-cel-i02"]) == "test-s31-"
    assert shared_start(["face-0", "film-0"]) == ""
    assert shared_start(["a-b", "a-b"]) == ""


def test_leaderboards_of_one_task_on_other_clips_have_their_own_pages(tmp_path):
    for at in range(2):
        write_run(tmp_path / f"runs{at}", made_pairs(["a", "b"]), method="mine", fingerprint_of_data=str(at) * 64)
    found = find_entries([tmp_path / "runs0", tmp_path / "runs1"])
    built = build_site(found, tmp_path / "site")
    assert built.leaderboards == 2
    assert len([*(tmp_path / "site" / "leaderboards").iterdir()]) == 2


def test_columns_of_two_versions_of_a_metric_name_the_version(tmp_path):
    write_run(tmp_path / "runs", made_pairs(["a", "b"]), method="mine")
    other = write_run(tmp_path / "runs", made_pairs(["a", "b"]), method="other")
    for path in (other.result, other.scores):
        path.write_text(path.read_text().replace("psnr@1", "psnr@7"))
    stored = read_json(other.result)
    write_json(other.result, with_checksum(stored))
    built = build_site(find_entries([tmp_path / "runs"]), tmp_path / "site")
    page = built.page.read_text()
    assert [page.count(f"<bdi>{name}</bdi>") for name in ("psnr@1", "psnr@7", "psnr", "l1")] == [1, 1, 0, 1]


def test_a_changed_result_does_not_turn_the_direction_of_a_metric_around(tmp_path):
    for name, level in (("a", 0.1), ("b", 0.4)):
        write_run(tmp_path / "runs", made_pairs(["x", "y"]), method=name, level=level)
    hostile = write_run(tmp_path / "runs", made_pairs(["x", "y"]), method="0", level=0.2)
    text = hostile.result.read_text()
    hostile.result.write_text(
        text.replace('"higher_is_better": true', '"higher_is_better": null').replace("false", "true")
    )
    (view,) = views(leaderboards(find_entries([tmp_path / "runs"])))
    assert [view.methods[0].label, view.metrics] == ["0", ("l1@1", "psnr@1")]
    assert view.methods[0].entry.results["l1@1"].higher_is_better
    assert [view.higher_is_better(metric) for metric in view.metrics] == [False, True]
    assert [row.method.label for row in table_of(view).ranked] == ["a", "b"]


def test_the_page_of_another_version_of_a_metric_shows_no_calibration_of_this_one(tmp_path):
    for name in ("mine", "other"):
        run = write_run(tmp_path / "runs", made_pairs(["a", "b"]), method=name)
    for path in (run.result, run.scores):
        path.write_text(path.read_text().replace("psnr@1", "psnr@7"))
    write_json(run.result, with_checksum(read_json(run.result)))
    build_site(find_entries([tmp_path / "runs"]), tmp_path / "site")
    pages = [(tmp_path / "site" / "metrics" / f"psnr-{version}.html").read_text() for version in (1, 7)]
    assert ["Response to errors" in page for page in pages] == [True, False]


def test_a_list_that_names_folders_or_other_places_removes_none_of_them(tmp_path):
    write_run(tmp_path / "runs", made_pairs(["a", "b"]), method="mine")
    found = find_entries([tmp_path / "runs"])
    build_site(found, tmp_path / "site")
    own = tmp_path / "site" / "data" / "mine" / "own.txt"
    own.parent.mkdir()
    for path in (own, tmp_path / "outside.txt"):
        path.write_text("kept")
    listed = read_json(tmp_path / "site" / LIST)
    write_json(tmp_path / "site" / LIST, [*listed, "data/mine", "../outside.txt", str(tmp_path / "outside.txt")])
    build_site(found, tmp_path / "site")
    assert own.read_text() == (tmp_path / "outside.txt").read_text() == "kept"
    assert read_json(tmp_path / "site" / LIST) == listed
