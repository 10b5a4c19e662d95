"""LIA as a method: motion, chunks, directions, and checkpoints of every kind, good and bad."""

import pickle

import numpy as np
import pytest
import torch

from baselines.lia.method import LIA
from baselines.lia.model import Directions, LIANetwork, NetworkConfig
from baselines.lia.weights_io import TINY, load_weights, state_for_tests, weights_for_tests
from toonbench.types import Method, ToonbenchError
from toontalker.config import NetworkConfig as ToonTalkerConfig
from toontalker.method import ToonTalker
from toontalker.model import DomainNetwork


@pytest.fixture(scope="module")
def method():
    return LIA.with_test_weights()


@pytest.fixture(scope="module")
def clip():
    return np.random.default_rng(0).integers(0, 255, (5, 40, 36, 3), dtype=np.uint8)


def run(method, source, driving, *, motion="relative"):
    return method.animate(source, driving, motion=motion, seed=0).astype(int)


def state():
    return state_for_tests(LIANetwork(TINY))


def test_output_has_the_length_of_the_driving_video_and_the_size_of_the_source(method, clip):
    assert run(method, clip[0, :30], clip).shape == (5, 30, 36, 3)
    assert isinstance(method, Method)


def test_relative_and_absolute_motion_differ_and_both_follow_the_driving_video(method, clip):
    relative, absolute = (run(method, clip[0], clip[1:], motion=motion) for motion in ("relative", "absolute"))
    assert np.abs(relative - absolute).max() > 1
    assert np.abs(relative[0] - relative[1]).max() > 1
    assert np.abs(absolute[0] - absolute[1]).max() > 1


def test_a_frame_of_relative_motion_without_motion_does_not_depend_on_the_driving_video(method, clip):
    frames = [run(method, clip[0], driving[None])[0] for driving in clip[1:3]]
    assert np.abs(frames[0] - frames[1]).max() <= 1


def test_the_batch_size_changes_no_pixel_by_more_than_a_rounding(clip):
    one, many = (run(LIA(weights=weights_for_tests(), batch=batch), clip[0], clip) for batch in (1, 5))
    assert np.abs(one - many).max() <= 1


def test_a_driving_video_of_any_length_streams(method, clip):
    read = []

    def chunks():
        for index in range(200):
            read.append(index)
            yield clip

    next(method.animate_chunks(clip[0], chunks(), motion="relative", seed=0))
    assert len(read) <= 50


def test_directions_are_orthonormal_with_the_signs_of_the_decomposition():
    torch.manual_seed(0)
    layer = Directions(12, 4)
    found = layer.orthonormal()
    torch.testing.assert_close(found.T @ found, torch.eye(4), atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(found, torch.linalg.qr(layer.weight + 1e-8).Q)
    columns = found.T @ layer.weight  # upper triangular: a column is spanned by the directions up to its own
    torch.testing.assert_close(columns.tril(-1), torch.zeros(4, 4), atol=1e-5, rtol=0)


def test_sizes_of_a_checkpoint_are_those_of_the_network(tmp_path):
    config = NetworkConfig(size=16, channels=((4, 6), (8, 4), (16, 2)), style=6, motions=5)
    torch.save(
        {"gen": state_for_tests(LIANetwork(config)), "dis": {"a": torch.zeros(1)}, "args": {"lr": np.float64(1)}},
        tmp_path / "vox.pt",
    )
    method = LIA(checkpoint=tmp_path / "vox.pt")
    assert method.checkpoint["variant"] == "LIA, 16 px, 5 directions"
    assert method.checkpoint["file"] == "vox.pt"
    assert method.checkpoint["sha256"][:10] in method.revision
    assert load_weights(tmp_path / "vox.pt").network.config == config


@pytest.mark.parametrize("size", [4, 48, 512])
def test_impossible_sizes_are_refused(size):
    with pytest.raises(ValueError, match="power of two from 8"):
        NetworkConfig(size=size, channels=((4, 8), (8, 8), (16, 8)))


def test_more_directions_than_the_latent_space_has_are_refused(tmp_path):
    own = state()
    wide = {
        "dec.direction.weight": torch.zeros(8, 9),
        "enc.fc.4.weight": torch.zeros(9, 8),
        "enc.fc.4.bias": torch.zeros(9),
    }
    torch.save({"gen": {**own, **wide}}, tmp_path / "wide.pt")
    with pytest.raises(ToonbenchError, match=r"no LIA checkpoint .*9 directions: 1 to 8"):
        LIA(checkpoint=tmp_path / "wide.pt")


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda own: {"gen": {f"module.{key}": value for key, value in own.items()}},
        lambda own: own,
        lambda own: {"state_dict": {"gen": own}, "epoch": 3},
    ],
    ids=["module", "alone", "state_dict"],
)
def test_what_trainers_put_around_a_checkpoint_is_dropped(tmp_path, wrapped):
    torch.save(wrapped(state()), tmp_path / "own.pt")
    torch.testing.assert_close(load_weights(tmp_path / "own.pt").network.state_dict(), state())


class Payload:
    def __reduce__(self):
        return eval, ("1 + 1",)


@pytest.fixture(scope="module")
def bad_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bad")
    own = state()
    torch.save({"gen": own}, folder / "whole.pt")
    (folder / "cut.pt").write_bytes((folder / "whole.pt").read_bytes()[:-5000])
    (folder / "empty.pt").write_bytes(b"")
    (folder / "unsafe.pt").write_bytes(pickle.dumps({"gen": Payload()}, protocol=4))
    (folder / "pointer.pt").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    (folder / "page.pt").write_text("<html><body>Quota exceeded</body></html>")
    torch.save({"a": torch.zeros(1)}, folder / "foreign.pt")
    torch.save([1, 2], folder / "list.pt")
    bias = own["enc.fc.4.bias"]
    for name, changes in {
        "nan": {"enc.fc.4.bias": bias * float("nan")},
        "extra": {"enc.more": bias},
        "shape": {"enc.fc.4.bias": torch.zeros(9)},
        "deep": {"dec.to_rgbs.99999999.bias": bias},
    }.items():
        torch.save({"gen": {**own, **changes}}, folder / f"{name}.pt")
    torch.save({"gen": {k: v for k, v in own.items() if k != "enc.fc.4.bias"}}, folder / "missing.pt")
    small = ToonTalkerConfig(size=64, channels=tuple((4 << i, 8) for i in range(5)), style=8, heads=2, feedforward=8)
    torch.save({"gen": DomainNetwork(small).state_dict()}, folder / "toontalker.pt")
    torch.save({"generator": {"dense_motion_network.mask.bias": bias}, "kp_detector": {}}, folder / "fomm.pt")
    return folder


BAD = [
    ("absent.pt", "no such checkpoint; give an official LIA checkpoint"),
    ("cut.pt", "damaged|cut off"),
    ("empty.pt", "is empty"),
    ("unsafe.pt", "more than plain tensors"),
    ("pointer.pt", "is a Git LFS pointer"),
    ("page.pt", "is a web page"),
    ("foreign.pt", "no LIA checkpoint .found a"),
    ("list.pt", "no LIA checkpoint .found a list"),
    ("nan.pt", "1 tensors that are not finite"),
    ("extra.pt", "1 unknown"),
    ("shape.pt", "1 of another shape"),
    ("deep.pt", "no LIA checkpoint"),
    ("missing.pt", "1 keys missing"),
    ("toontalker.pt", "a checkpoint of ToonTalker, not of LIA"),
    ("fomm.pt", "a checkpoint of FOMM, not of LIA"),
]


@pytest.mark.parametrize(("name", "message"), BAD, ids=[name for name, _ in BAD])
def test_a_bad_checkpoint_is_named_in_one_line(bad_files, name, message):
    with pytest.raises(ToonbenchError, match=message) as caught:
        LIA(checkpoint=bad_files / name)
    assert str(bad_files / name) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not [word for word in ("weights_only", "trust", "unpickl") if word in str(caught.value)]


def test_toontalker_names_a_checkpoint_of_lia(bad_files):
    with pytest.raises(ToonbenchError, match="a checkpoint of LIA, not of ToonTalker"):
        ToonTalker(checkpoint=bad_files / "whole.pt")


def test_without_weights_one_line_says_where_they_come_from():
    with pytest.raises(
        ToonbenchError, match=r"--checkpoint vox.pt \(from https://github.com/\S+\), or .* weights fetch lia-vox"
    ):
        LIA()


def test_impossible_batches_are_refused():
    with pytest.raises(ToonbenchError, match="batch is 0"):
        LIA(weights=weights_for_tests(), batch=0)
