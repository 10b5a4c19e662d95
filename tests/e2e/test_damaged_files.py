"""Every file that a command reads, damaged in many ways: one line for each, or the work is done again; nothing unexpected."""

import json
import random
import shutil
from pathlib import Path

import numpy as np
import pytest

from toonbench import cli, video
from toonbench.arrays import UnreadableArrays, load_array, load_arrays
from toonbench.sealed import read_sealed, write_sealed
from toonbench.store import read_array, write_array
from toonbench.types import ToonbenchError

PAGE = b"<!DOCTYPE html><html>Sign in</html>"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
BAD = (None, True, -1, 1.5, 1e300, 10**30, "x", "", "x\n\x1b[2Jy", [], {}, [[]], ["x"], [1], {"a": 1}, {"": None})
PUPPETS = [
    "--split", "test", "--clips", "2", "--images", "2", "--frames", "4", "--size", "32", "--workers", "1", "--tasks", "real2cartoon",
    "--sources", "1",
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small data set, two scored runs, a list of pairs, a manifest of weights, and a user's folder that is prepared."""
    root = tmp_path_factory.mktemp("damaged")
    assert cli.run(["make-puppets", "--out", str(root / "data"), *PUPPETS, "-q"]) == 0
    for method in ("static", "oracle"):
        assert cli.run([*run_of(root, method), "-q"]) == 0
    (clip,) = sorted((root / "data" / "clips").glob("*cel*-v0000.mkv"))
    frames = video.read_video(clip).frames
    for at in range(2):
        (root / "own" / "real_videos").mkdir(parents=True, exist_ok=True)
        (root / "own" / "cartoon_images").mkdir(parents=True, exist_ok=True)
        video.write_lossless(root / "own" / "real_videos" / f"v{at}.mkv", frames, fps=10)
        video.write_png(root / "own" / "cartoon_images" / f"i{at}.png", frames[at])
    (root / "own" / "metadata.csv").write_text("file,identity\nreal_videos/v0.mkv,Ann\nreal_videos/v1.mkv,Bob\n")
    (root / "pairs.csv").write_text("source,driving\ntest-s0-cel-i0000,test-s0-real-v0000\n")
    (root / "manifest.toml").write_text(
        '[alexnet]\nfile = "a.pth"\nurls = ["https://x.invalid/a.pth"]\nsize = 5\nlicence = "MIT"\nneeded_by = ["lpips_alex"]\n'
    )
    return root


def run_of(root: Path, method: str, metric: str = "l1") -> list[str]:
    return [
        "eval",
        "--data",
        f"{root}/data",
        "--out",
        f"{root}/runs",
        "--workers",
        "1",
        "--method",
        method,
        "--metrics",
        metric,
    ]


def own(root: Path) -> list[str]:
    return ["prepared", f"{root}/own", "--crop", "none", "--workers", "1"]


def kinds(root: Path) -> dict[str, tuple[list[Path], list[list[str]], int]]:
    """The files of each kind, the commands that read them, and the number of mutants."""
    data, runs = root / "data", root / "runs"
    run, other = (str(next(runs.glob(f"*/*/{name}@*"))) for name in ("static", "oracle"))
    check, compare, again = ["validate", run], ["compare", run, other], run_of(root, "static")
    return {
        "table": ([data / "metadata.parquet"], [["validate", str(data)]], 25),
        "targets": ([data / "targets.parquet"], [["validate", str(data)]], 25),
        "recipe": ([data / "puppets.json"], [["make-puppets", "--out", str(data), *PUPPETS]], 25),
        "motion": (sorted((data / "motion").glob("*.npz")), [[*run_of(root, "static", "rig_error"), "--fresh"]], 8),
        "run.json": ([Path(run) / "run.json"], [again, check, compare], 25),
        "result.json": ([Path(run) / "result.json"], [check, compare], 40),
        "scores.csv": ([Path(run) / "scores.csv"], [check, compare], 25),
        "rows": (sorted(Path(run).glob("rows/*/*.npy")), [again, check, compare], 40),
        "videos": (sorted(Path(run).glob("videos/*.mkv")), [["validate", f"{run}/videos", "--data", str(data), "--workers", "1"]], 8),
        "pairs": ([root / "pairs.csv"], [["pairs", "--data", f"{root}/data", "--pairs", f"{root}/pairs.csv"]], 25),
        "metadata": ([root / "own" / "metadata.csv"], [own(root)], 12),
        "cache": (sorted((root / "cache").rglob("prepared/*/items/*.json")), [own(root)], 6),
        "notes": (sorted((root / "cache").rglob("about.json")), [own(root)], 6),
        "manifest": ([root / "manifest.toml"], [["weights", "list"], ["weights", "path", "alexnet"]], 25),
    }  # fmt: skip


def changed_json(content: bytes, chance: random.Random) -> bytes:
    """The document with one value of another type, or with one field less."""
    document = json.loads(content)
    places = [(document, key) for key in document]
    for holder, key in places:
        inner = holder[key]
        if isinstance(inner, (dict, list)):
            places += [(inner, one) for one in (inner if isinstance(inner, dict) else range(len(inner)))]
    holder, key = chance.choice(places)
    if chance.random() < 0.2:
        del holder[key]
    else:
        holder[key] = chance.choice(BAD)
    return json.dumps(document).encode()


def mutant(content: bytes, chance: random.Random) -> bytes:
    """The bytes with one kind of damage."""
    data = bytearray(content)
    at, size = chance.randrange(len(data)), chance.choice([1, 2, 8, 64])
    match chance.randrange(12):
        case 0:
            data[at] ^= 1 << chance.randrange(8)
        case 1:
            data[at : at + size] = chance.randbytes(size)
        case 2:
            del data[at : at + size]
        case 3:
            del data[at:]
        case 4:
            data[at:at] = data[at : at + size]
        case 5:
            return b""
        case 6:
            return bytes(len(data))
        case 7:
            return PAGE
        case 8:
            return POINTER
        case 9:
            data[at:] = bytes(len(data) - at)
        case _:
            return changed_json(content, chance) if content.startswith(b"{") else bytes(data[::-1])
    return bytes(data)


@pytest.mark.parametrize(
    "kind",
    ["table", "targets", "recipe", "motion", "run.json", "result.json", "scores.csv", "rows", "videos", "pairs", "metadata", "cache", "notes", "manifest"],
)  # fmt: skip
def test_a_damaged_file_is_one_line_or_is_made_again(kind, folder, tmp_path, capfd, monkeypatch):
    monkeypatch.setenv("TOONBENCH_CACHE", str(folder / "cache"))
    if kind in ("metadata", "cache", "notes"):
        assert cli.run(own(folder)) == 0
    if kind == "manifest":
        monkeypatch.setenv("TOONBENCH_WEIGHTS_MANIFEST", str(folder / "manifest.toml"))
    files, commands, count = kinds(folder)[kind]
    chance = random.Random(kind)
    statuses = set()
    kept = [place for place in ("data", "runs", "cache", "own") if (folder / place).is_dir()]
    for place in kept:
        shutil.copytree(folder / place, tmp_path / place)
    for _ in range(count):
        path = chance.choice(files)
        content = path.read_bytes()
        path.write_bytes(mutant(content, chance))
        capfd.readouterr()
        for command in commands:
            status = cli.run(command)
            shown = capfd.readouterr()
            statuses.add(status)
            lines = [line for line in shown.err.splitlines() if line.startswith("toonbench: ")]
            assert status in (0, 1, 2), (command[0], shown.err)
            assert len(lines) == (status == 2), (command[0], shown.err)
            assert not [one for one in ("unexpected", "Traceback", "pickle", "\x1b") if one in shown.out + shown.err]
        for place in kept:
            shutil.rmtree(folder / place)
            shutil.copytree(tmp_path / place, folder / place)
        path.write_bytes(content)
    assert statuses != {0} or kind in ("motion", "cache", "notes", "recipe")


def test_what_the_cache_holds_is_prepared_again_where_its_record_is_damaged(tmp_path):
    path, record = tmp_path / "a.json", {"stamp": "s", "row": {"id": "é动", "frames": 3}}
    write_sealed(path, record)
    assert read_sealed(path) == record
    whole = path.read_text()
    for damaged in (
        "", "[1]", "{}", whole[:-9], whole.replace('"frames": 3', '"frames": 4'), '{"record": 1, "seal": 2}', PAGE.decode()
    ):  # fmt: skip
        path.write_text(damaged)
        assert read_sealed(path) is None
    assert read_sealed(tmp_path / "absent.json") is None


@pytest.mark.parametrize("lazy", [False, True])
def test_an_array_is_read_only_where_its_file_is_whole(tmp_path, lazy):
    path = tmp_path / "rows.npy"
    write_array(path, np.ones((3, 2), np.float32))
    assert read_array(path, lazy=lazy).tolist() == [[1, 1]] * 3
    whole = path.read_bytes()
    assert read_array(tmp_path / "absent.npy", lazy=lazy) is None
    for damaged in (
        b"",
        PAGE,
        whole[:-1],
        whole + b"\0",
        whole.replace(b"(3, 2)", b"(3, 1)"),
        whole.replace(b"(3, 2)", b"(3, 2 "),
    ):
        path.write_bytes(damaged)
        with pytest.raises(ToonbenchError, match=r"rows\.npy cannot be used \(.*\): remove it and run again$") as error:
            read_array(path, lazy=lazy)
        assert "pickle" not in str(error.value)
    for array in (np.ones(3, np.float32), np.ones((3, 2))):
        np.save(path, array)
        with pytest.raises(ToonbenchError, match="instead of 2 of float32"):
            read_array(path, lazy=lazy)


def test_a_file_of_objects_is_not_read_and_nothing_proposes_to(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{}], object), allow_pickle=True)
    np.savez(tmp_path / "a.npz", a=np.array([{}], object))
    for read, name in ((load_array, "a.npy"), (load_arrays, "a.npz")):
        with pytest.raises(UnreadableArrays, match=r"^it is damaged, or holds no arrays of numbers$"):
            read(tmp_path / name)
