"""Convolutions by Winograd's products, and networks that are prepared for inference."""

import copy

import pytest
import torch
import torch.nn.functional as F

from baselines.lia.model import LIANetwork
from baselines.lia.weights_io import TINY, state_for_tests
from toonbench.networks import convolution
from toonbench.networks.convolution import by_winograd, convolve
from toonbench.networks.stylegan2 import prepared

CHANNELS, SIDE = 32, 64
needs_winograd = pytest.mark.skipif(convolution._winograd is None, reason="this PyTorch has no NNPACK")


def drawn(batch=1, *, side=SIDE, seed=0):
    random = torch.Generator().manual_seed(seed)
    x = torch.randn(batch, CHANNELS, side, side, generator=random)
    return x, torch.randn(CHANNELS, CHANNELS, 3, 3, generator=random), torch.randn(CHANNELS, generator=random)


@needs_winograd
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("batch", [1, 2])
def test_large_maps_get_the_values_of_the_plain_convolution(batch, layout):
    x, weight, bias = drawn(batch)
    x = x.contiguous(memory_format=layout)
    with torch.no_grad():
        assert by_winograd(x, weight)
        found = convolve(x, weight.contiguous(memory_format=layout), bias)
    expected = F.conv2d(x.double(), weight.double(), bias.double(), padding=1)
    assert (found - expected).abs().max() < 1e-5 * expected.abs().max()


@needs_winograd
def test_values_do_not_depend_on_threads():
    x, weight, bias = drawn()
    threads, found = torch.get_num_threads(), []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            with torch.no_grad():
                found.append(convolve(x, weight, bias))
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(*found)


@pytest.mark.parametrize("why", ["gradients", "a small map", "few channels", "half precision", "no NNPACK"])
def test_everything_else_is_the_plain_convolution(why, monkeypatch):
    def never(*_):
        raise AssertionError("Winograd's products were taken")

    monkeypatch.setattr(convolution, "_winograd", None if why == "no NNPACK" else never)
    x, weight, bias = drawn(side=SIDE - 2 if why == "a small map" else SIDE)
    if why == "few channels":
        x, weight, bias = x[:, :31], weight[:31, :31], bias[:31]
    if why == "half precision":
        x, weight, bias = x.bfloat16(), weight.bfloat16(), bias.bfloat16()
    with torch.set_grad_enabled(why == "gradients"):
        assert torch.equal(convolve(x, weight, bias), F.conv2d(x, weight, bias, padding=1))


def test_a_prepared_network_makes_the_same_pictures_and_is_prepared_once_only():
    plain = LIANetwork(TINY)
    plain.load_state_dict(state_for_tests(plain))
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    networks = [plain.eval(), prepared(copy.deepcopy(plain)), prepared(prepared(copy.deepcopy(plain)))]
    with torch.no_grad():
        made = [
            [
                network.render(network.source(images[:1]), steps, directions=network.dec.direction.orthonormal())
                for steps in (network.enc.steps(images), network.enc.steps(images[1:]))
            ]
            for network in networks
        ]
    for again in made[1:]:
        for found, expected in zip(again, made[0], strict=True):
            torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
