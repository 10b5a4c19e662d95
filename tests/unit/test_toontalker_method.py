import json
import pickle

import numpy as np
import pytest
import torch

from toonbench.types import Method, ToonbenchError
from toontalker.config import NetworkConfig
from toontalker.method import ToonTalker
from toontalker.model import DomainNetwork, ToonTalkerNetwork
from toontalker.weights_io import export, load_network

TINY = NetworkConfig(
    size=64, channels=tuple((4 << i, 8) for i in range(5)), style=8, motions=3, heads=8, feedforward=16, dropout=0.0
)


def tiny_network():
    torch.manual_seed(0)
    network = ToonTalkerNetwork(DomainNetwork(TINY), DomainNetwork(TINY))
    network.share_queries()
    return network


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    export(tiny_network(), path, notes={"steps": "0"})
    return path


@pytest.fixture
def clip():
    return np.random.default_rng(0).integers(0, 255, (5, 80, 72, 3), dtype=np.uint8)


def run(method, source, driving, *, motion="relative", **domains):
    return method.animate(source, driving, motion=motion, seed=0, **domains)


def test_output_has_the_drivers_length_and_the_sources_size(weights, clip):
    method = ToonTalker(checkpoint=weights)
    made = run(method, clip[0, :50], clip)
    assert made.shape == (5, 50, 72, 3)
    assert made.dtype == np.uint8
    assert isinstance(method, Method)


def test_the_batch_size_moves_no_pixel_by_more_than_a_rounding(weights, clip):
    one, many = (run(ToonTalker(checkpoint=weights, batch=batch), clip[0], clip).astype(int) for batch in (1, 5))
    assert np.abs(one - many).max() <= 1


def test_the_same_call_gives_the_same_bytes(weights, clip):
    first, second = (run(ToonTalker(checkpoint=weights), clip[0], clip) for _ in range(2))
    assert np.array_equal(first, second)


def test_domains_and_motion_change_the_result_and_a_direction_overrules_the_domains(weights, clip):
    method = ToonTalker(checkpoint=weights)
    r2c = run(method, clip[0], clip)
    assert not np.array_equal(r2c, run(method, clip[0], clip, motion="absolute"))
    assert not np.array_equal(r2c, run(method, clip[0], clip, source_domain="real", driving_domain="cartoon"))
    fixed = ToonTalker(checkpoint=weights, direction="real2cartoon")
    assert np.array_equal(r2c, run(fixed, clip[0], clip, source_domain="real", driving_domain="cartoon"))


def test_relative_motion_starts_where_the_drivers_first_frame_left_the_source(weights, clip):
    """Frame 0 has no motion yet, so it cannot depend on who drives."""
    method = ToonTalker(checkpoint=weights)
    assert np.abs(run(method, clip[0], clip)[0].astype(int) - run(method, clip[0], clip[2:])[0]).max() <= 1


def test_float16_weights_and_shared_queries_survive_the_round_trip(weights):
    made, found = tiny_network(), load_network(weights)
    for domain in ("cartoon", "real"):
        wanted, got = made.domain(domain).state_dict(), found.domain(domain).state_dict()
        for key in wanted:
            torch.testing.assert_close(got[key], wanted[key], atol=2e-3, rtol=1e-3)
    cartoon, real = found.domain("cartoon").dec, found.domain("real").dec
    assert torch.equal(cartoon.transformerlayer_1.linear1.weight, real.transformerlayer_1.linear1.weight)


def test_another_weights_file_has_another_revision(weights, tmp_path):
    network = tiny_network()
    network.domain("real").dec.direction.weight.data += 1
    export(network, tmp_path / "other.safetensors", notes={})
    assert ToonTalker(checkpoint=weights).revision == ToonTalker(checkpoint=weights).revision
    assert ToonTalker(checkpoint=weights).revision != ToonTalker(checkpoint=tmp_path / "other.safetensors").revision


def test_an_official_in_domain_checkpoint_serves_both_domains(tmp_path, clip):
    torch.save({"gen": tiny_network().domain("real").state_dict(), "args": {"size": 64}}, tmp_path / "in-domain.pt")
    method = ToonTalker(checkpoint=tmp_path / "in-domain.pt")
    assert np.array_equal(run(method, clip[0], clip), run(method, clip[0], clip, source_domain="real"))


def test_an_official_cross_domain_checkpoint_fills_both_networks(tmp_path):
    network = tiny_network()
    state = {"gen": network.domain("cartoon").state_dict(), "gen_real": network.domain("real").state_dict()}
    torch.save(state, tmp_path / "cross-domain.pth")
    found = load_network(tmp_path / "cross-domain.pth")
    for domain in ("cartoon", "real"):
        torch.testing.assert_close(found.domain(domain).state_dict(), network.domain(domain).state_dict())


class Payload:
    def __reduce__(self):
        return eval, ("1 + 1",)


@pytest.fixture(scope="module")
def bad_files(tmp_path_factory, weights):
    folder = tmp_path_factory.mktemp("bad")
    state = tiny_network().domain("real").state_dict()
    torch.save({"gen": state}, folder / "whole.pt")
    (folder / "cut.pt").write_bytes((folder / "whole.pt").read_bytes()[:-5000])
    (folder / "cut.safetensors").write_bytes(weights.read_bytes()[:-500])
    (folder / "empty.pt").write_bytes(b"")
    (folder / "text.pt").write_text("not a checkpoint")
    (folder / "unsafe.pt").write_bytes(pickle.dumps({"gen": Payload()}, protocol=4))
    torch.save({"gen": {"a": torch.zeros(1)}}, folder / "foreign.pt")
    torch.save({"discriminator": state}, folder / "nogen.pt")
    (folder / "pointer.pt").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    (folder / "page.safetensors").write_text("<!DOCTYPE html><html><body>Sign in</body></html>")
    torch.save({"gen": {**state, "dec.mlp.bias": state["dec.mlp.bias"] * float("nan")}}, folder / "nan.pt")
    torch.save({"gen": {**state, "dec.mlp.bias": state["dec.mlp.bias"].long()}}, folder / "whole_numbers.pt")
    torch.save({"gen": {"dec.to_rgbs.99999999.bias": torch.zeros(1)}}, folder / "deep.pt")
    torch.save([1, 2], folder / "list.pt")
    torch.save({"gen": {**state, "enc.extra": torch.zeros(1)}}, folder / "extra.pt")
    torch.save({"gen": {k: v for k, v in state.items() if k != "dec.mlp.bias"}}, folder / "missing.pt")
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(1)}, folder / "foreign.safetensors")
    for name, about in (("bare", {}), ("wrong", {"config": TINY.to_dict()})):
        metadata = {"toontalker": json.dumps({"format": "toontalker-1", **about})}
        save_file({"real.a": torch.zeros(1)}, folder / f"{name}.safetensors", metadata=metadata)
    return folder


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absent.pt", "no such checkpoint"),
        ("cut.pt", "damaged|cut off"),
        ("cut.safetensors", "damaged or cut off"),
        ("empty.pt", "is empty"),
        ("pointer.pt", "is a Git LFS pointer"),
        ("page.safetensors", "is a web page"),
        ("nan.pt", "1 tensors that are not finite"),
        ("whole_numbers.pt", "1 tensors that are not finite"),
        ("deep.pt", "no ToonTalker network"),
        ("text.pt", "damaged|more than plain tensors"),
        ("unsafe.pt", "more than plain tensors"),
        ("foreign.pt", "no ToonTalker network"),
        ("nogen.pt", 'no "gen" in it'),
        ("list.pt", 'no "gen" in it'),
        ("extra.pt", "1 unknown"),
        ("missing.pt", "1 keys missing"),
        ("foreign.safetensors", "format none"),
        ("bare.safetensors", "no sizes"),
        ("wrong.safetensors", "keys missing"),
    ],
)
def test_a_bad_checkpoint_is_named_in_one_line(bad_files, name, message):
    with pytest.raises(ToonbenchError, match=message) as caught:
        ToonTalker(checkpoint=bad_files / name)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not [word for word in ("weights_only", "trust", "unpickl") if word in str(caught.value)]


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda parts: {name: {f"module.{key}": value for key, value in part.items()} for name, part in parts.items()},
        lambda parts: {
            name: {f"_orig_mod.module.{key}": value for key, value in part.items()} for name, part in parts.items()
        },
        lambda parts: {"state_dict": parts, "epoch": 3},
        lambda parts: {"model": {"state_dict": parts}, "optimizer": {"lr": 0.1}},
        lambda parts: {name: {"state_dict": part, "step": 1} for name, part in parts.items()},
    ],
    ids=["module", "compiled", "state_dict", "model", "inside"],
)
def test_what_trainers_put_around_a_checkpoint_is_dropped(tmp_path, wrapped):
    network = tiny_network()
    parts = {"gen": network.domain("cartoon").state_dict(), "gen_real": network.domain("real").state_dict()}
    torch.save(wrapped(parts), tmp_path / "own.pt")
    found = load_network(tmp_path / "own.pt")
    for domain in ("cartoon", "real"):
        torch.testing.assert_close(found.domain(domain).state_dict(), network.domain(domain).state_dict())


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize("key", ["", "module."])
def test_one_state_dict_alone_serves_both_domains_in_any_format(tmp_path, suffix, key):
    from safetensors.torch import save_file

    state = tiny_network().domain("real").state_dict()
    (torch.save if suffix == ".pt" else save_file)(
        {f"{key}{name}": value.contiguous() for name, value in state.items()}, tmp_path / f"own{suffix}"
    )
    found = load_network(tmp_path / f"own{suffix}")
    for domain in ("cartoon", "real"):
        torch.testing.assert_close(found.domain(domain).state_dict(), state)


@pytest.mark.parametrize(
    ("source", "driving"),
    [((64, 64, 4), (2, 64, 64, 3)), ((64, 64, 3), (64, 64, 3)), ((64, 64, 3), (0, 64, 64, 3))],
)
def test_pixels_of_another_layout_are_refused(weights, source, driving):
    with pytest.raises(ToonbenchError, match="uint8"):
        run(ToonTalker(checkpoint=weights), np.zeros(source, np.uint8), np.zeros(driving, np.uint8))


@pytest.mark.parametrize("options", [{"batch": 0}, {"direction": "sideways"}])
def test_unknown_options_are_refused(weights, options):
    with pytest.raises(ToonbenchError):
        ToonTalker(checkpoint=weights, **options)


def test_motion_codes_are_a_row_for_each_picture_of_any_size_and_their_differences_are_relative_motions():
    method, pictures = ToonTalker(), np.random.default_rng(0).integers(0, 256, (11, 48, 48, 3)).astype(np.uint8)
    codes = method.motion_codes(pictures, domain="cartoon")
    assert codes.shape[0] == 11
    assert codes.dtype == np.float32
    assert np.isfinite(codes).all()
    one = method.motion_codes(pictures[10:], domain="cartoon")
    np.testing.assert_allclose(one[0], codes[10], atol=1e-5)  # a batch does not matter
    assert not np.allclose(method.motion_codes(pictures[:1], domain="real"), codes[:1], atol=1e-3)
    with pytest.raises(ToonbenchError, match="domain 'anime' is unknown"):
        method.motion_codes(pictures[:1], domain="anime")
