"""Lists of clips from others: a damaged or hostile one is refused in one line, before a film is read."""

import copy
import json
import math

import pytest

from toonbench.prepare.films.manifest import read_manifest
from toonbench.types import ToonbenchError

FILM = {"id": "f", "file": "a/f.mkv", "sha256": "0" * 64, "frames": 9, "fps": 25.0, "width": 64, "height": 48, "title": "A film",
        "domain": "real", "licence": ""}  # fmt: skip
CLIP = {"id": "f-0", "film": "f", "first": 0, "last": 5, "squares": [[-4, 0, 32]], "size": 32, "fps": 25, "frames": 5, "sha256": "1" * 64,
        "hashes": ["0" * 16], "identity": "a", "identity_by": "look", "split": "test", "detected": 1.0}  # fmt: skip


def listed(tmp_path, *, film=None, clip=None, **others):
    """A list with one film and one clip, with other values."""
    whole = {"films": [FILM | (film or {})], "clips": [CLIP | (clip or {})], **others}
    (tmp_path / "manifest.json").write_text(json.dumps({"toonbench": "manifest", "version": 1, **whole}))
    return tmp_path


def test_a_sound_list_is_read(tmp_path):
    found = read_manifest(listed(tmp_path))
    assert found.films["f"].file == "a/f.mkv"
    assert found.clips[0].squares == [[-4, 0, 32]]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("fps", 0), ("fps", math.nan), ("width", 0), ("height", 1 << 20), ("frames", "many"), ("frames", True), ("file", None),
        ("domain", "alien"), ("title", ["a"]), ("sha256", "zz"), ("id", "\x1b[31m"),
    ],
)  # fmt: skip
def test_a_film_with_a_value_that_makes_no_sense_is_refused(tmp_path, field, value):
    with pytest.raises(ToonbenchError, match=rf"is damaged \([^\n]*{field} of the film [^\n]* get it again$"):
        read_manifest(listed(tmp_path, film={field: value}))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("hashes", []), ("hashes", ["zz"]), ("hashes", [5]), ("last", 0), ("last", 4.5), ("first", False), ("size", 1 << 20),
        ("squares", [[-300, -300, 65536]]), ("squares", [[0, 0, 8], [0, 0, 8]]), ("squares", [[0.5, 0, 8]]), ("squares", ["abc"]),
        ("squares", [[1000, 0, 8]]), ("id", "../x"), ("id", ".x"), ("id", "x" * 300), ("split", "\x1b[31m"), ("identity", {"a": 1}),
        ("detected", "x"), ("film", "another"), ("identity_by", "guess"),
    ],
)  # fmt: skip
def test_a_clip_with_a_value_that_makes_no_sense_is_refused(tmp_path, field, value):
    with pytest.raises(ToonbenchError, match=rf"is damaged \([^\n]*{field} of the clip [^\n]* get it again$"):
        read_manifest(listed(tmp_path, clip={field: value}))


@pytest.mark.parametrize("others", [{"clips": None}, {"films": {"f": FILM}}, {"clips": [5]}, {"clips": [{"id": "x"}]}])
def test_a_list_of_another_form_is_refused(tmp_path, others):
    with pytest.raises(ToonbenchError, match="is damaged"):
        read_manifest(listed(tmp_path, **others))


def test_what_is_listed_twice_is_refused(tmp_path):
    for what in ("clips", "films"):
        entry = copy.deepcopy(CLIP if what == "clips" else FILM)
        with pytest.raises(ToonbenchError, match="is listed more than once"):
            read_manifest(listed(tmp_path, **{what: [entry, entry]}))
