"""Which files of a folder are films, and what is known about them."""

import os
import sys

import pytest

from toonbench.prepare.films.files import list_films
from toonbench.types import ToonbenchError


def make(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")


def test_the_first_sub_folder_is_the_title(tmp_path):
    make(tmp_path, "Nina/part 1.mp4", "Nina/extras/part 2.MKV", "alone.webm", "Nina/notes.txt", ".hidden/x.mp4")
    found = list_films(tmp_path, domain="cartoon", out=tmp_path / "set").found
    assert [(one.original, one.title) for one in found] == [
        ("Nina/extras/part 2.MKV", "Nina"),
        ("Nina/part 1.mp4", "Nina"),
        ("alone.webm", "alone"),
    ]
    assert {one.domain for one in found} == {"cartoon"}
    assert len({one.id for one in found}) == 3


def test_the_folders_of_a_plain_data_set_state_the_domain(tmp_path):
    make(tmp_path, "real_videos/a.mp4", "cartoon_videos/b.mp4")
    found = list_films(tmp_path, domain="cartoon", out=tmp_path / "set").found
    assert [(one.title, one.domain) for one in found] == [("b", "cartoon"), ("a", "real")]


def test_a_table_states_title_domain_and_licence(tmp_path):
    make(tmp_path, "a.mp4", "b.mp4")
    (tmp_path / "films.csv").write_text(
        "file,title,domain,licence\na.mp4,Élise,real,CC-BY-4.0\ngone.mp4,x,,\n", "utf-8"
    )
    films = list_films(tmp_path, domain="cartoon", out=tmp_path / "set")
    assert [(one.title, one.domain, one.licence) for one in films.found] == [
        ("Élise", "real", "CC-BY-4.0"),
        ("b", "cartoon", ""),
    ]
    assert films.remarks == ["gone.mp4 is in the table of films and not in the folder"]


def test_one_file_is_a_folder_of_one_film(tmp_path):
    make(tmp_path, "a.mp4", "b.mp4")
    films = list_films(tmp_path / "a.mp4", domain="cartoon", out=tmp_path / "set")
    assert films.root == tmp_path
    assert [one.original for one in films.found] == ["a.mp4"]


def test_an_unknown_domain_fails_that_film_only(tmp_path):
    make(tmp_path, "a.mp4", "b.mp4")
    (tmp_path / "films.csv").write_text("file,domain\na.mp4,anime\n")
    first, second = list_films(tmp_path, domain="cartoon", out=tmp_path / "set").found
    assert "write real or cartoon" in first.problem
    assert not second.problem


@pytest.mark.skipif(sys.platform != "linux", reason="other file systems do not distinguish letter case")
def test_names_that_differ_by_letter_case_only_are_reported(tmp_path):
    make(tmp_path, "a/X.mp4", "a/x.mp4")
    first, second = list_films(tmp_path, domain="cartoon", out=tmp_path / "set").found
    assert not first.problem
    assert "differs from a/X.mp4 in letter case" in second.problem
    assert first.id.lower() != second.id.lower()


def test_the_clips_of_the_data_set_are_no_films(tmp_path):
    make(tmp_path, "a.mp4", "set/clips/b.mkv", "other/c.mp4")
    found = list_films(tmp_path, domain="cartoon", out=tmp_path / "set").found
    assert [one.original for one in found] == ["a.mp4", "other/c.mp4"]


@pytest.mark.skipif(sys.platform != "linux", reason="file names of bytes are Linux's")
def test_a_name_that_is_not_utf8_fails_that_film_only(tmp_path):
    make(tmp_path, "a.mp4")
    (tmp_path / os.fsdecode(b"b\xff.mp4")).write_bytes(b"x")
    found = list_films(tmp_path, domain="cartoon", out=tmp_path / "set").found
    assert [bool(one.problem) for one in found] == [False, True]
    assert all(one.original.isprintable() for one in found)


def test_a_folder_without_films_names_what_is_known(tmp_path):
    make(tmp_path, "notes.txt")
    with pytest.raises(ToonbenchError, match=r"has no films; known are files that end in .*\.mp4"):
        list_films(tmp_path, domain="cartoon", out=tmp_path / "set")


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(ToonbenchError, match="no folder and no file"):
        list_films(tmp_path / "gone", domain="cartoon", out=tmp_path / "set")


def test_a_table_without_a_column_of_files_is_an_error(tmp_path):
    make(tmp_path, "a.mp4")
    (tmp_path / "films.csv").write_text("name,title\na.mp4,x\n")
    with pytest.raises(ToonbenchError, match="add one called file"):
        list_films(tmp_path, domain="cartoon", out=tmp_path / "set")


def test_links_to_folders_are_named(tmp_path):
    make(tmp_path, "a.mp4")
    (tmp_path / "link").symlink_to(tmp_path)
    assert any(
        "was not followed" in line for line in list_films(tmp_path, domain="cartoon", out=tmp_path / "set").remarks
    )


def test_a_lack_of_memory_or_threads_is_not_reported_as_damage(tmp_path):
    import errno

    import av.error

    from toonbench.video.read import loud

    shortage = av.error.FFmpegError(errno.EAGAIN, "Resource temporarily unavailable")
    with pytest.raises(ToonbenchError, match=r"cannot be read now .* use fewer --workers"), loud(tmp_path / "a.mp4"):
        raise shortage
