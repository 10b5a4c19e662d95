"""Sources are chosen from CelebA-HQ in an order that only the seed and the numbers determine, one for each person."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from toonbench import video
from toonbench.data.folder import load
from toonbench.pool import Pool
from toonbench.prepare.celebahq import CelebOptions, prepare_celebahq, read_identities
from toonbench.types import ToonbenchError

COUNT = 24


def picture(number: int, side: int = 32) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (side // 4, side // 4, 3), np.uint8).repeat(4, 0).repeat(4, 1)


def save(folder: Path, numbers: range) -> Path:
    (folder / "part").mkdir(parents=True)
    for number in numbers:
        place = folder / "part" if number % 2 else folder
        Image.fromarray(picture(number)).save(place / f"{number:05}.png")
    return folder


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = save(tmp_path_factory.mktemp("celeba") / "häß", range(COUNT))
    (root / "readme ☃.txt").write_text("images")
    Image.fromarray(picture(99)).save(root / "00003.jpg")
    return root


@pytest.fixture(scope="module")
def maps(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Image n is CelebA file n + 100, and three images show one person; the last two images are not in the files."""
    root = tmp_path_factory.mktemp("maps")
    rows = [f"{n}         {n + 99}          {n + 100:06}.jpg" for n in range(COUNT - 2)]
    (root / "map.txt").write_text("\n".join(["idx     orig_idx      orig_file", *rows, ""]))
    (root / "ids.txt").write_text("".join(f"{n + 100:06}.jpg {n // 3 + 50}\n" for n in range(COUNT)))
    return root / "map.txt", root / "ids.txt"


def chosen(out: Path) -> dict[str, str]:
    return {clip.id: clip.identity for clip in load(out).clips if not clip.problem}


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_the_sources_are_resized_images_of_a_data_set(images: Path, tmp_path: Path) -> None:
    done = prepare_celebahq(images, out=tmp_path, options=CelebOptions(sources=6, size=16))
    clips = load(tmp_path).clips
    assert (done.made, done.failed, len(clips)) == (6, 0, 6)
    assert {(clip.domain, clip.kind, clip.width, clip.split) for clip in clips} == {("real", "image", 16, "test")}
    number = int(clips[0].id.removeprefix("celebahq-"))
    expected = Image.fromarray(picture(number)).resize((16, 16), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(video.read_image(clips[0].path), np.asarray(expected))
    assert "1 files are no images named by number, and were left out" in done.notes
    assert any(note.startswith("1 files have a number that another file has") for note in done.notes)
    assert "6 of 6 sources made, of 24 images; CelebA-HQ has 30,000" in done.notes


def test_fewer_sources_are_the_first_of_more_and_another_seed_gives_others(images: Path, tmp_path: Path) -> None:
    def ids(sources: int, seed: int = 0) -> set[str]:
        out = tmp_path / f"{sources}-{seed}"
        prepare_celebahq(images, out=out, options=CelebOptions(sources=sources, size=16, seed=seed))
        return set(chosen(out))

    assert ids(5) < ids(10)
    assert ids(5, seed=1) != ids(5)


def test_with_the_public_files_no_two_sources_show_one_person(
    images: Path, maps: tuple[Path, Path], tmp_path: Path
) -> None:
    options = CelebOptions(sources=COUNT, size=16)
    done = prepare_celebahq(images, out=tmp_path, mapping=maps[0], identities=maps[1], options=options)
    people = chosen(tmp_path)
    assert sorted(people.values()) == [f"celeba-{n}" for n in range(50, 58)]
    assert all(
        people[f"celebahq-{n:05}"] == f"celeba-{n // 3 + 50}" for n in range(COUNT) if f"celebahq-{n:05}" in people
    )
    assert "2 images have no identity in the given files, and were left out" in done.notes
    assert "8 of 24 sources made, of 24 images; CelebA-HQ has 30,000" in done.notes


def test_an_image_that_cannot_be_read_is_recorded_and_replaced_by_the_next_one(tmp_path: Path) -> None:
    root = save(tmp_path / "images", range(8))
    options = CelebOptions(sources=4, size=16)
    prepare_celebahq(root, out=tmp_path / "before", options=options)
    first, second, *others = sorted(chosen(tmp_path / "before"))
    broken = {name: next(root.rglob(f"{name.removeprefix('celebahq-')}.png")) for name in (first, second)}
    broken[first].write_bytes(b"no picture")
    Image.fromarray(picture(1)[:, :20]).save(broken[second])
    done = prepare_celebahq(root, out=tmp_path / "after", options=options)
    assert (done.made, done.failed) == (4, 2)
    assert set(others) < set(chosen(tmp_path / "after"))
    reasons = pd.read_parquet(tmp_path / "after" / "failures.parquet").set_index("id")["reason"].to_dict()
    assert reasons[second] == "is 20x32 pixels, and images of CelebA-HQ are square: give the original"


def test_the_bytes_do_not_depend_on_workers_or_on_an_interruption(images: Path, tmp_path: Path) -> None:
    options = CelebOptions(sources=6, size=16)
    prepare_celebahq(images, out=tmp_path / "one", options=options)
    prepare_celebahq(images, out=tmp_path / "two", options=CelebOptions(sources=3, size=16))  # stopped half-way
    prepare_celebahq(images, out=tmp_path / "two", options=options, pool=Pool(workers=2))
    assert files(tmp_path / "two") == files(tmp_path / "one")


@pytest.mark.parametrize(
    ("mapping", "identities", "message"),
    [
        ("0 1 000002.jpg\n", None, "--mapping is given without --identities"),
        (None, "000002.jpg 1\n", "--identities is given without --mapping"),
        ("idx orig_idx orig_file\n0,1,2\n", "000002.jpg 1\n", "map.txt: line 2 is '0,1,2': lines must be as 0 119613"),
        ("0 1 000002.jpg\n", "000002.jpg anna\n", "ids.txt: line 1 is '000002.jpg anna': lines must be as 000001.jpg 2880"),
        ("0 1 000002.jpg\n", "000003.jpg 1\n", "has none of the CelebA files that"),
    ],
)  # fmt: skip
def test_wrong_identity_files_are_refused(
    mapping: str | None, identities: str | None, message: str, tmp_path: Path
) -> None:
    given: list[Path | None] = []
    for name, text in (("map.txt", mapping), ("ids.txt", identities)):
        given.append(None if text is None else tmp_path / name)
        if text is not None:
            (tmp_path / name).write_text(text)
    with pytest.raises(ToonbenchError, match=message):
        read_identities(*given)


def test_a_folder_without_numbered_images_and_missing_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    Image.fromarray(picture(1)).save(tmp_path / "images" / "anna.png")
    with pytest.raises(ToonbenchError, match=r"has no images of CelebA-HQ \(1 other files\)"):
        prepare_celebahq(tmp_path / "images", out=tmp_path / "out")
    with pytest.raises(ToonbenchError, match="is not a folder"):
        prepare_celebahq(tmp_path / "nothing", out=tmp_path / "out")
    with pytest.raises(ToonbenchError, match="is missing: give the file with lines as"):
        read_identities(tmp_path / "map.txt", tmp_path / "ids.txt")
