"""Damaged and hostile files of tensors: one line for each, and nothing in them is run."""

import random
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from toonbench.networks.running import read_state
from toonbench.types import ToonbenchError
from toonbench.weights.tensors import UnreadableTensors, named_tensors, read_content, unwrapped, without_prefixes
from toontalker.config import NetworkConfig
from toontalker.model import DomainNetwork, ToonTalkerNetwork
from toontalker.weights_io import export, load_network

SMALL = NetworkConfig(
    size=64, channels=((4, 8), (8, 8), (16, 8), (32, 8), (64, 4)), style=8, motions=2, heads=2, feedforward=8
)
ADVICE = ("weights_only", "trust", "unpickl", "pickle.load")
watched: list[str] = []
sys.addaudithook(lambda event, arguments: watched.append(event) if RUNNING.get(event) else None)
RUNNING = dict.fromkeys(("os.system", "subprocess.Popen", "exec", "compile", "pickle.find_class", "os.remove"), False)


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """One file of every format that is read: torch's zip and old pickle, our safetensors, and a plain safetensors."""
    folder = tmp_path_factory.mktemp("originals")
    torch.manual_seed(0)
    real, cartoon = DomainNetwork(SMALL), DomainNetwork(SMALL)
    network = ToonTalkerNetwork(cartoon, real)
    network.share_queries()
    parts = {"gen": cartoon.state_dict(), "gen_real": real.state_dict()}
    torch.save(parts, folder / "zip.pt")
    torch.save(parts, folder / "old.pt", _use_new_zipfile_serialization=False)
    export(network, folder / "own.safetensors", notes={})
    save_file({key: value.contiguous() for key, value in real.state_dict().items()}, folder / "plain.safetensors")
    return sorted(folder.iterdir())


def mutant(content: bytes, chance: random.Random) -> bytes:
    """The bytes with one kind of damage, mostly in the header, where the names, types and sizes are."""
    data = bytearray(content)
    at = chance.randrange(min(len(data), chance.choice([16, 512, 4096, 20_000, len(data)])))
    size = chance.choice([1, 2, 8, 64, 1024])
    match chance.randrange(8):
        case 0:
            data[at] ^= 1 << chance.randrange(8)
        case 1:
            data[at : at + size] = chance.randbytes(size)
        case 2:
            del data[at : at + size]
        case 3:
            del data[chance.randrange(len(data)) :]
        case 4:
            data[at:at] = data[at : at + size]
        case 5:
            data[at : at + size] = bytes(size)
        case 6:
            data[at:at] = chance.choice(
                [b"cos\nsystem\n(S'true'\ntR.", b"\x80\x02cbuiltins\neval\n", b"null", b"-9", b"]["]
            )
        case _:
            number = bytes(chance.choice(b"0123456789") for _ in range(3))
            place = next((i for i in range(at, len(data)) if data[i : i + 1].isdigit()), at)
            data[place : place + 3] = number
    return bytes(data)


def check_mutants(originals: list[Path], folder: Path, *, count: int, seed: int) -> int:
    """Read `count` mutants in every way; return how many were refused. Anything but one line of ToonbenchError raises."""
    chance, refused = random.Random(seed), 0
    for number in range(count):
        original = originals[number % len(originals)]
        path = folder / f"mutant{original.suffix}"
        path.write_bytes(mutant(original.read_bytes(), chance))
        for read in (load_network, read_state):
            try:
                read(path)
            except ToonbenchError as error:
                text = str(error)
                assert "\n" not in text, f"seed {seed}, mutant {number}"
                assert not [word for word in ADVICE if word in text.lower()], text
                assert str(path) in text
                refused += read is load_network
    return refused


@pytest.fixture
def watching():
    watched.clear()
    for event in RUNNING:
        RUNNING[event] = True
    yield watched
    for event in RUNNING:
        RUNNING[event] = False


def test_damaged_checkpoints_are_refused_in_one_line_and_run_nothing(originals, tmp_path, watching):
    for path in originals:
        if path.stem != "plain":
            load_network(path)
    watched.clear()
    assert check_mutants(originals, tmp_path, count=200, seed=1) > 100
    assert watching == []


@pytest.mark.by_hand
def test_two_thousand_damaged_checkpoints_are_refused_in_one_line_and_run_nothing(originals, tmp_path, watching):
    load_network(originals[0])
    watched.clear()
    assert check_mutants(originals, tmp_path, count=2000, seed=2) > 1000
    assert watching == []


class Runs:
    def __reduce__(self):
        return print, ("this must not run",)


@pytest.mark.parametrize(
    "content", [{"gen": Runs()}, Runs(), {"a": torch.zeros(2), "b": Runs()}, torch.nn.Linear(2, 2)]
)
def test_a_file_with_objects_is_not_loaded_and_no_advice_is_to_run_it(tmp_path, content, capsys):
    torch.save(content, tmp_path / "objects.pt")
    for read in (read_content, load_network, read_state):
        with pytest.raises(ToonbenchError, match="holds more than plain tensors") as caught:
            read(tmp_path / "objects.pt")
        assert not [word for word in ADVICE if word in str(caught.value).lower()]
    assert capsys.readouterr().out == ""


def test_a_torchscript_archive_is_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "script.pt", "w") as archive:
        archive.writestr("script/constants.pkl", b"\x80\x02).")
        archive.writestr("script/data.pkl", b"\x80\x02}.")
        archive.writestr("script/version", b"3\n")
    with pytest.raises(UnreadableTensors, match="TorchScript archive"):
        read_content(tmp_path / "script.pt")


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.zeros(2, device="meta"),
        lambda: torch.zeros(2, 2).to_sparse(),
        lambda: torch.quantize_per_tensor(torch.zeros(2), 1.0, 0, torch.qint8),
    ],
    ids=["meta", "sparse", "quantised"],
)
@pytest.mark.filterwarnings("ignore")
def test_tensors_without_plain_values_are_refused(tmp_path, make):
    torch.save({"a": make()}, tmp_path / "odd.pt")
    with pytest.raises(UnreadableTensors, match=r"without plain values|damaged"):
        read_content(tmp_path / "odd.pt")


def test_names_lose_only_prefixes_that_all_have():
    assert without_prefixes({"module.a": 1, "module.b": 2}) == {"a": 1, "b": 2}
    assert without_prefixes({"module._orig_mod.a": 1}) == {"a": 1}
    assert without_prefixes({"module.a": 1, "b": 2}) == {"module.a": 1, "b": 2}
    assert without_prefixes({}) == {}


def test_only_an_unambiguous_wrapper_is_opened():
    state = {"a": torch.zeros(1)}
    assert unwrapped({"state_dict": state, "epoch": 1}) is state
    both = {"state_dict": state, "model": state}
    assert unwrapped(both) is both
    mixed = {"model": state, "b": torch.zeros(1)}
    assert unwrapped(mixed) is mixed
    with pytest.raises(UnreadableTensors, match="something else than tensors by name"):
        named_tensors(both)


@pytest.mark.parametrize("name", ["zip.pt", "own.safetensors"])
def test_the_content_not_the_suffix_decides_the_format(originals, tmp_path, name):
    original = next(path for path in originals if path.name == name)
    renamed = tmp_path / ("x.safetensors" if name.endswith(".pt") else "x.pth")
    renamed.write_bytes(original.read_bytes())
    expected, found = load_network(original), load_network(renamed)
    torch.testing.assert_close(found.state_dict(), expected.state_dict())


def test_a_message_has_one_piece_of_advice(tmp_path):
    """A Git LFS pointer names `git lfs pull`; to get the pointer again would not help."""
    pointer, cut = tmp_path / "pointer.pt", tmp_path / "cut.pt"
    pointer.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    cut.write_bytes(b"PK\x03\x04abc")
    for read, again in (
        (load_network, "; get the file again, or its .safetensors form"),
        (read_state, "; fetch the file again, with toonbench weights fetch"),
    ):
        with pytest.raises(
            ToonbenchError, match=r"Git LFS pointer, not the file itself: run git lfs pull in its repository$"
        ):
            read(pointer)
        with pytest.raises(ToonbenchError, match=f"damaged or cut off: .*{again}$"):
            read(cut)
