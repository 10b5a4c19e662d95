"""The file of decisions, and the page that saves it."""

import json
import re
from types import SimpleNamespace

import pytest

from toonbench.prepare.films.review import Decision, Review, read_review
from toonbench.prepare.films.review_page import write_page
from toonbench.types import ToonbenchError


def saved(tmp_path, clips, **other):
    path = tmp_path / "review.json"
    path.write_text(json.dumps({"toonbench": "review", "version": 1, "clips": clips} | other))
    return path


def test_decisions_are_read(tmp_path):
    path = saved(
        tmp_path, {"a": {"keep": "drop"}, "b": {"identity": "  Nina   B "}, "c": {"keep": "keep", "identity": ""}}
    )
    review = read_review(path)
    assert review.clips == {"a": Decision(keep="drop"), "b": Decision(identity="Nina B"), "c": Decision(keep="keep")}
    review.check(["a", "b", "c", "d"])


def test_without_a_file_nothing_is_decided(tmp_path):
    assert not read_review(tmp_path / "review.json").clips
    with pytest.raises(ToonbenchError, match="is missing"):
        read_review(tmp_path / "review.json", needed=True)


def test_the_review_of_another_run_is_refused(tmp_path):
    review = read_review(saved(tmp_path, {"a": {"keep": "drop"}, "b": {}}))
    with pytest.raises(
        ToonbenchError, match="decides about 1 of 2 clips that this data set does not have, for example b"
    ):
        review.check(["a"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"clips": {}}', "no review of toonbench"),
        ("[]", "no review of toonbench"),
        ('{"toonbench": "review"}', "no decisions about clips"),
        ('{"toonbench": "review", "clips": {"a": 1}}', "write an object"),
        ('{"toonbench": "review", "clips": {"a": {"keep": "maybe"}}}', "write keep or drop"),
        ('{"toonbench": "review", "clips": {"a": {"identity": 5}}}', "a name of at most"),
        ("{", "cannot be read as JSON"),
    ],
)
def test_a_file_of_another_form_is_an_error(tmp_path, content, message):
    (tmp_path / "review.json").write_text(content)
    with pytest.raises(ToonbenchError, match=message):
        read_review(tmp_path / "review.json")


def page(tmp_path, *, title="A film", identity="x", review=None):
    candidate = SimpleNamespace(id="film-a--000000-000040", film="film-a", first=0, last=41)
    quality = {"face_pixels": 120.4, "sharpness": 0.51}
    fate = SimpleNamespace(
        candidate=candidate, record={"quality": quality, "frames": 41, "fps": 25.0}, kept=True, stage="", reason="",
        identity=identity, split="train",
    )  # fmt: skip
    job = SimpleNamespace(film=SimpleNamespace(original="a.mp4", title=title))
    write_page(tmp_path, [fate], {"film-a": job}, review or Review())
    return (tmp_path / "review.html").read_text()


def data_of(text):
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    return json.loads(found[1])


def test_the_page_holds_the_clips_and_the_decisions(tmp_path):
    review = Review(clips={"film-a--000000-000040": Decision(keep="drop")})
    data = data_of(page(tmp_path, review=review))
    assert data["clips"][0]["title"] == "A film"
    assert data["decisions"] == {"film-a--000000-000040": {"keep": "drop", "identity": ""}}


def test_names_from_outside_cannot_leave_the_data_of_the_page(tmp_path):
    evil = '</script><script>alert(1)</script><!--"\u2028'
    text = page(tmp_path, title=evil, identity=evil)
    assert "alert(1)</script>" not in text
    assert data_of(text)["clips"][0]["title"] == evil


def test_the_page_loads_nothing_from_elsewhere(tmp_path):
    assert not re.search(r"(?:src|href)=[\"']?https?:", page(tmp_path))
