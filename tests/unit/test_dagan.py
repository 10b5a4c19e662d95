"""DaGAN: its depth network, its attention, and its three files, good and bad."""

import numpy as np
import pytest
import torch
import torchvision
from torch.nn import functional as F

from baselines.dagan.depth import DepthConfig, DepthDecoder, DepthEncoder, infer_depth_config
from baselines.dagan.method import DaGAN
from baselines.dagan.model import CrossAttention, DaGANNetwork
from baselines.dagan.weights_io import TINY_DEPTH, load_weights, network_for_tests
from baselines.first_order_weights import NetworkConfig
from toonbench.types import ToonbenchError

CONFIG = NetworkConfig(points=3, detector=(4, 4, 4), motion=(4, 4, 4), generator=(4, 4, 4), residuals=1)
DEEP = DepthConfig(
    stem=8, planes=(8, 8, 8, 8), blocks=(1, 1, 1, 1), bottleneck=True, decoder=(4, 4, 4, 4, 4), classes=2
)
MAIN = "DaGAN_vox_adv_256.pth.tar"


def parts(config=CONFIG, depth=TINY_DEPTH):
    state = network_for_tests(config, depth).state_dict()
    names = ("kp_detector", "generator", "depth_encoder", "depth_decoder")
    return {
        name: {key.removeprefix(f"{name}."): value for key, value in state.items() if key.startswith(f"{name}.")}
        for name in names
    }


def write(folder, own, *, prefix="module.", depth="."):
    """The three files as the authors publish them."""
    place = folder / depth
    place.mkdir(parents=True, exist_ok=True)
    main = {
        name: {f"{prefix}{key}": value for key, value in own[name].items()} for name in ("generator", "kp_detector")
    }
    torch.save({**main, "epoch": 149, "optimizer_generator": {"state": {}}}, folder / MAIN)
    torch.save({**own["depth_encoder"], "height": 256, "width": 256, "use_stereo": False}, place / "encoder.pth")
    torch.save(own["depth_decoder"], place / "depth.pth")
    return folder / MAIN


@pytest.mark.parametrize("layers", [18, 50])
def test_the_depth_encoder_is_torchvisions_resnet(layers):
    torch.manual_seed(0)
    reference = getattr(torchvision.models, f"resnet{layers}")(weights=None).eval()
    blocks = (2, 2, 2, 2) if layers == 18 else (3, 4, 6, 3)
    encoder = DepthEncoder(DepthConfig(blocks=blocks, bottleneck=layers == 50)).eval()
    encoder.encoder.load_state_dict(reference.state_dict(), strict=True)
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        found = encoder(x)
        expected = F.relu(reference.bn1(reference.conv1((x - 0.45) / 0.225)))
        torch.testing.assert_close(found[0], expected)
        expected = reference.maxpool(expected)
        for index in range(1, 5):
            expected = getattr(reference, f"layer{index}")(expected)
            torch.testing.assert_close(found[index], expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("config", "layers"), [(DepthConfig(), 18), (DepthConfig(blocks=(3, 4, 6, 3), bottleneck=True), 50)]
)
def test_the_keys_show_which_depth_network_it_is(config, layers):
    with torch.device("meta"):
        encoder, decoder = DepthEncoder(config).state_dict(), DepthDecoder(config).state_dict()
    assert infer_depth_config(encoder, decoder) == config
    assert config.layers == layers


def test_attention_is_the_softmax_over_places_of_the_moved_features_in_any_number_of_parts(monkeypatch):
    torch.manual_seed(0)
    layer = CrossAttention(6, 3)
    torch.nn.init.constant_(layer.gamma, 0.7)
    x, depth = torch.randn(2, 6, 4, 5), torch.randn(1, 6, 4, 5)
    q, k, v = (
        F.relu(conv(of)).flatten(2)
        for conv, of in ((layer.query_conv, depth), (layer.key_conv, x), (layer.value_conv, x))
    )
    attention = torch.softmax(torch.einsum("bci,bcj->bij", q.expand(2, -1, -1), k), dim=2)
    expected = 0.7 * torch.einsum("bij,bcj->bci", attention, v).view(x.shape) + x
    for queries in (7, 512):
        monkeypatch.setattr("baselines.dagan.model.QUERIES", queries)
        torch.testing.assert_close(layer(x, layer.queries(depth)), expected)


def test_the_depth_of_the_source_and_of_the_driving_frame_both_matter():
    network = network_for_tests().eval()
    picture, other = torch.rand(1, 3, 64, 64), torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        source = network.source(picture)
        made = network.render(source, network.key_points(other))
        changed = network.render(
            type(source)(source.points, source.small, source.features, source.queries.flip(1)),
            network.key_points(other),
        )
        flat = network.kp_detector(torch.cat([other, torch.zeros(1, 1, 64, 64)], dim=1))
    assert (made - changed).abs().max() > 1e-4
    assert (flat.value - network.key_points(other).value).abs().max() > 1e-4


@pytest.mark.parametrize("depth", [".", "depth/models/weights_19"])
@pytest.mark.parametrize("prefix", ["module.", ""])
def test_the_authors_three_files_load_with_their_hashes_and_variant(tmp_path, depth, prefix):
    method = DaGAN(checkpoint=write(tmp_path, parts(), prefix=prefix, depth=depth))
    assert method.checkpoint["variant"] == "DaGAN, 3 key points, depth network of 10 layers"
    assert {"sha256", "depth_encoder_sha256", "depth_decoder_sha256"} <= set(method.checkpoint)
    clip = np.random.default_rng(0).integers(0, 255, (2, 64, 64, 3), dtype=np.uint8)
    assert method.animate(clip[0], clip, motion="relative", seed=0).shape == clip.shape


def test_another_depth_network_gives_another_revision(tmp_path):
    own = parts()
    first = DaGAN(checkpoint=write(tmp_path / "a", own)).revision
    own["depth_decoder"]["decoder.10.conv.bias"] = own["depth_decoder"]["decoder.10.conv.bias"] + 1
    assert DaGAN(checkpoint=write(tmp_path / "b", own)).revision != first


def test_one_file_may_hold_all_parts_and_a_deeper_depth_network_loads(tmp_path):
    torch.save(parts(depth=DEEP), tmp_path / "all.pth")
    found = load_weights(tmp_path / "all.pth")
    assert found.network.depth == DEEP
    assert found.checkpoint["variant"].endswith("depth network of 14 layers")


@pytest.fixture(scope="module")
def own():
    return parts()


@pytest.fixture(scope="module")
def deep():
    return parts(depth=DEEP)


def change_main(own, **changes):
    return {**own, "generator": {**own["generator"], **changes}}


FAULTS = {
    "no depth files": (
        lambda folder, own, deep: (folder / "encoder.pth").unlink(),
        r"DaGAN needs encoder.pth .*\(from https://\S+\): put it beside \S+, or .*weights fetch dagan-depth-encoder",
    ),
    "decoder of the other depth network": (
        lambda folder, own, deep: torch.save(deep["depth_decoder"], folder / "depth.pth"),
        "has 10 layers and gives 8 channels, and depth.pth takes 32; they do not belong together",
    ),
    "files swapped": (
        lambda folder, own, deep: torch.save(own["depth_decoder"], folder / "encoder.pth"),
        "encoder.pth: it is a checkpoint of DaGAN's depth decoder, not of DaGAN's depth encoder",
    ),
    "depth page": (
        lambda folder, own, deep: (folder / "depth.pth").write_text("<!DOCTYPE html><html>"),
        "depth.pth: it is a web page",
    ),
    "depth pointer": (
        lambda folder, own, deep: (folder / "encoder.pth").write_text("version https://git-lfs.github.com/spec/v1\n"),
        "encoder.pth: it is a Git LFS pointer",
    ),
    "encoder without a layer": (
        lambda folder, own, deep: torch.save(
            {k: v for k, v in own["depth_encoder"].items() if not k.startswith("encoder.layer3.0.bn1")},
            folder / "encoder.pth",
        ),
        "encoder.pth: depth_encoder does not fit the network: 5 keys missing",
    ),
    "SPADE": (
        lambda folder, own, deep: write(folder, change_main(own, **{"decoder.fc.weight": torch.zeros(2)})),
        "a checkpoint of DaGAN's SPADE generator, not of DaGAN",
    ),
    "FOMM's generator": (
        lambda folder, own, deep: write(
            folder,
            {**own, "generator": {k: v for k, v in own["generator"].items() if not k.startswith(("src_", "Attn"))}},
        ),
        "a checkpoint of FOMM, not of DaGAN",
    ),
    "FOMM's detector": (
        lambda folder, own, deep: write(
            folder,
            {
                **own,
                "kp_detector": {
                    **own["kp_detector"],
                    "predictor.encoder.down_blocks.0.conv.weight": torch.zeros(4, 3, 3, 3),
                },
            },
        ),
        "kp_detector takes 3 channels, and the generator's takes 4; its parts do not belong together",
    ),
    "no attention": (
        lambda folder, own, deep: write(
            folder, {**own, "generator": {k: v for k, v in own["generator"].items() if not k.startswith("Attn")}}
        ),
        "it is no DaGAN checkpoint",
    ),
    "not finite": (
        lambda folder, own, deep: write(folder, change_main(own, **{"AttnModule.gamma": torch.tensor([torch.inf])})),
        "generator has 1 tensors that are not finite",
    ),
    "LIA": (
        lambda folder, own, deep: torch.save({"gen": {"enc.net_app.convs.0.0.weight": torch.zeros(1)}}, folder / MAIN),
        "a checkpoint of LIA, not of DaGAN",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_file_is_named_in_one_line(tmp_path, own, deep, fault):
    damage, message = FAULTS[fault]
    path = write(tmp_path, own)
    damage(tmp_path, own, deep)
    with pytest.raises(ToonbenchError, match=message) as caught:
        DaGAN(checkpoint=path)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_weights_one_line_says_where_they_come_from():
    with pytest.raises(ToonbenchError, match=r"--checkpoint DaGAN_vox_adv_256.pth.tar \(from https://github.com/\S+\)"):
        DaGAN()


def test_sizes_of_a_checkpoint_are_those_of_the_network(own, tmp_path):
    found = load_weights(write(tmp_path, own)).network
    assert isinstance(found, DaGANNetwork)
    assert (found.config, found.depth) == (CONFIG, TINY_DEPTH)
