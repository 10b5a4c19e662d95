"""Splits keep titles, identities and near-duplicates whole, have the requested sizes, and change little when clips are added."""

import random
from typing import Any

import pytest

from toonbench.prepare.splits import Leaks, leaks, split, split_notes
from toonbench.types import ToonbenchError


def rows(titles: int, clips: int, *, first: int = 0) -> list[dict[str, Any]]:
    """`clips` of each title, of three identities."""
    return [
        {"id": f"t{title}-c{clip}", "title": f"T{title}", "identity": f"T{title}-p{clip % 3}", "duplicates": ""}
        for title in range(first, first + titles)
        for clip in range(clips)
    ]


def with_split(clips: list[dict[str, Any]], **options: Any) -> list[dict[str, Any]]:
    parts = split(clips, **options)
    return [row | {"split": parts[row["id"]]} for row in clips]


@pytest.mark.parametrize("seed", range(5))
def test_the_default_proportions_are_those_of_the_paper_and_nothing_leaks(seed: int) -> None:
    made = with_split(rows(43, 8), seed=seed)
    assert 285 <= sum(row["split"] == "train" for row in made) <= 293  # of 344; a title has 8 clips
    assert leaks(made) == Leaks()


def test_what_a_shared_identity_or_a_near_duplicate_connects_is_never_divided() -> None:
    clips = rows(40, 3)
    for number in range(0, 40, 4):
        clips[3 * number]["identity"] = clips[3 * number + 3]["identity"]
        clips[3 * number + 4]["duplicates"] = clips[3 * number + 7]["duplicates"] = f"group {number}"
    made = with_split(clips)
    assert leaks(made) == Leaks()
    titles = {row["title"]: row["split"] for row in made}
    assert all(titles[f"T{n}"] == titles[f"T{n + 1}"] == titles[f"T{n + 2}"] for n in range(0, 40, 4))
    assert set(titles.values()) == {"train", "test"}


def test_leaks_are_counted_by_kind() -> None:
    made = with_split(rows(10, 3))
    for row in made[:2]:
        row["duplicates"] = "again"
    made[0]["split"], made[1]["split"], made[2]["split"] = "train", "test", "test"
    made[2]["identity"] = made[0]["identity"]
    assert leaks(made) == Leaks(titles=1, identities=1, duplicates=1)


def test_the_order_of_the_clips_changes_nothing_and_the_seed_does() -> None:
    clips = rows(30, 4)
    shuffled = random.Random(3).sample(clips, len(clips))
    assert split(shuffled) == split(clips)
    assert split(clips, seed=1) != split(clips)


def test_added_clips_leave_most_others_where_they_were() -> None:
    before, after = split(rows(40, 5)), split(rows(40, 5) + rows(4, 5, first=40))
    assert sum(before[name] != after[name] for name in before) <= 10  # of 200


def test_names_of_two_unicode_forms_are_one_title() -> None:
    clips = [{"id": str(n), "title": ("Am\u00e9lie", "Ame\u0301lie")[n % 2]} for n in range(8)]
    assert set(split([*clips, *rows(8, 1)]).values()) == {"train", "test"}
    made = with_split([*clips, *rows(8, 1)])
    assert len({row["split"] for row in made[:8]}) == 1


def test_one_title_cannot_be_divided_by_title_and_can_by_identity() -> None:
    clips = rows(1, 60)
    parts = split(clips)
    assert set(parts.values()) == {"train"}
    assert split_notes(clips, parts) == [
        "60 clips in train, 0 in test, divided by title",
        "all clips are connected by one title (T0), so that test is empty: give --split-by identity",
    ]
    made = with_split(clips, by="identity")
    assert leaks(made) == Leaks(titles=1)
    assert {row["split"] for row in made} == {"train", "test"}
    notes = split_notes(clips, split(clips, by="identity"), by="identity")
    assert notes[1].startswith("train has 67% of the clips, 84% were requested: the largest part that stays together")


def test_two_unequal_titles_give_the_smaller_one_to_test() -> None:
    clips = rows(2, 50)[:60]
    assert {row["title"]: row["split"] for row in with_split(clips)} == {"T0": "train", "T1": "test"}


def test_clips_without_names_are_divided_one_by_one() -> None:
    parts = split([{"id": str(number)} for number in range(100)])
    assert sum(part == "train" for part in parts.values()) == 84


def test_a_share_outside_0_to_1_and_an_id_twice_are_refused() -> None:
    with pytest.raises(ToonbenchError, match=r"share of train is 1.2: give a number between 0 and 1"):
        split(rows(2, 2), share=1.2)
    with pytest.raises(ToonbenchError, match="1 ids occur more than once, for example 't0-c0'"):
        split([*rows(1, 2), rows(1, 1)[0]])
    assert split([]) == {}
