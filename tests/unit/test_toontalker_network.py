import pytest
import torch
import torch.nn.functional as F

from toonbench.networks.flow_heads import FlowHead
from toonbench.networks.stylegan2 import ModulatedConv2d, fir_kernel, smooth, up2
from toontalker.config import NetworkConfig
from toontalker.model import DomainNetwork, ToonTalkerNetwork, infer_config

TINY = NetworkConfig(
    size=64, channels=tuple((4 << i, 8) for i in range(5)), style=8, motions=3, heads=2, feedforward=16, dropout=0.0
)


@pytest.fixture
def network():
    torch.manual_seed(0)
    found = ToonTalkerNetwork(DomainNetwork(TINY), DomainNetwork(TINY)).eval().requires_grad_(False)
    for domain in ("cartoon", "real"):
        for head in found.domain(domain).dec.to_flows:
            head.conv.weight.mul_(0.1)
    return found


def images(count, seed=1):
    return torch.rand(count, 3, 64, 64, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def zero_insertion(x, kernel, *, pads):
    batch, channels, height, width = x.shape
    spaced = x.new_zeros(batch, channels, height * 2, width * 2)
    spaced[:, :, ::2, ::2] = x
    spaced = F.pad(spaced, (pads[0], pads[1], pads[0], pads[1]))
    return F.conv2d(spaced, kernel.expand(channels, 1, 4, 4), groups=channels)


def test_up2_is_zero_insertion_and_the_stored_filter():
    x = torch.randn(2, 3, 5, 5)
    torch.testing.assert_close(up2(x), zero_insertion(x, fir_kernel(4.0), pads=(2, 1)))


@pytest.mark.parametrize(("pad", "stride", "size"), [(2, 1, 9), (1, 1, 7), (1, 2, 4)])
def test_smoothing_keeps_a_constant_away_from_the_border(pad, stride, size):
    found = smooth(torch.ones(1, 2, 8, 8), fir_kernel(), pad=pad, stride=stride)
    assert found.shape[-2:] == (size, size)
    torch.testing.assert_close(found[:, :, 2:-2, 2:-2], torch.ones_like(found[:, :, 2:-2, 2:-2]))


@pytest.mark.parametrize("upsample", [False, True])
def test_scaling_activations_equals_scaling_the_weights_of_every_sample(upsample):
    torch.manual_seed(0)
    layer = ModulatedConv2d(4, 6, kernel=3, style=5, upsample=upsample)
    x, z = torch.randn(2, 4, 8, 8), torch.randn(2, 5)
    found, gain = layer(x, z)
    for index in range(2):
        styled = layer.weight[0] * layer.scale * layer.modulation(z)[index][None, :, None, None]
        styled = styled * torch.rsqrt(styled.square().sum((1, 2, 3), keepdim=True) + 1e-8)
        if upsample:
            wanted = F.conv_transpose2d(x[index : index + 1], styled.transpose(0, 1), stride=2)
            wanted = F.conv2d(wanted, fir_kernel(4.0).expand(6, 1, 4, 4), padding=1, groups=6)
        else:
            wanted = F.conv2d(x[index : index + 1], styled, padding=1)
        torch.testing.assert_close((found * gain)[index : index + 1], wanted, atol=1e-5, rtol=1e-4)


def test_zero_flow_magnifies_as_the_official_grid_does():
    head = FlowHead(1, style=4)
    torch.nn.init.zeros_(head.conv.weight)
    ramp = torch.arange(8.0).expand(1, 1, 8, 8)
    warped, _, _ = head(torch.zeros(1, 1, 8, 8), torch.zeros(1, 4), ramp, None)
    places = (torch.linspace(-1, 1, 8) + 1) * 4 - 0.5  # pixel positions of the corner-aligned grid
    torch.testing.assert_close(warped[0, 0, 4, 1:-1] * 2, places[1:-1])  # the mask of zeros is a half


def test_a_source_encoded_once_serves_a_batch_of_frames(network):
    source, driving = images(1), images(3, seed=2)
    with torch.inference_mode():
        codes = network.motion(driving, "real")
        once = network.relative(network.source(source, "cartoon"), codes, start=codes[:1], domain="cartoon")
        each = [
            network.relative(network.source(source, "cartoon"), code[None], start=codes[:1], domain="cartoon")
            for code in codes
        ]
    torch.testing.assert_close(once, torch.cat(each), atol=1e-5, rtol=1e-4)


def test_different_drivers_give_different_frames(network):
    with torch.inference_mode():
        codes = network.motion(images(2, seed=2), "real")
        made = network.absolute(network.source(images(1), "cartoon"), codes, domain="cartoon")
    assert (made[0] - made[1]).abs().max() > 1e-4


def test_relative_motion_of_an_unmoved_driver_does_not_depend_on_the_driver(network):
    source = network.source(images(1), "cartoon")
    made = []
    for seed in (2, 3):
        code = network.motion(images(1, seed=seed), "real")
        made.append(network.relative(source, code, start=code, domain="cartoon"))
    torch.testing.assert_close(made[0], made[1])


def test_queries_and_keys_of_the_query_transformers_have_no_say(network):
    before = network.motion(images(2), "real")
    network.domain("real").dec.transformerlayer_1.multihead_attn.in_proj_weight[: 2 * TINY.style].normal_()
    torch.testing.assert_close(network.motion(images(2), "real"), before)


def test_both_domains_ask_the_real_networks_query_transformers(network):
    before = network.motion(images(2), "cartoon")
    network.domain("cartoon").dec.transformerlayer_1.linear1.weight.normal_()
    torch.testing.assert_close(network.motion(images(2), "cartoon"), before)
    network.domain("real").dec.transformerlayer_1.linear1.weight.normal_()
    assert not torch.allclose(network.motion(images(2), "cartoon"), before)


def test_sizes_are_read_off_a_state_dict(network):
    found = infer_config(network.domain("real").state_dict())
    assert (found.size, found.table, found.style, found.motions, found.feedforward) == (64, TINY.table, 8, 3, 16)


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"size": 32}, "power of two from 64"), ({"size": 96}, "power of two"), ({"style": 12}, "must equal style 12")],
)
def test_impossible_sizes_are_refused(changes, message):
    values = {"size": 64, "channels": TINY.channels, "style": 8, "heads": 2} | changes
    with pytest.raises(ValueError, match=message):
        NetworkConfig(**values)
