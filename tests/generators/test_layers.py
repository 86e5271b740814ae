"""The networks: shapes and sizes as published, and the fast form equal to the direct graph."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from ecgeval.generators.layers import Dense, Polyphase, UpBlock, down_block, fast
from ecgeval.generators.pulse2pulse import Pulse2Pulse
from ecgeval.generators.wavegan import WaveGANStar

NETWORKS = pytest.mark.parametrize("network", [Pulse2Pulse, WaveGANStar])


def noise(network, n, width=10, dtype=torch.float64):
    shape = (n, *network(width).noise_shape)
    return torch.from_numpy(np.random.default_rng(0).uniform(-1, 1, shape)).to(dtype)


def made(network, width=10, dtype=torch.float64):
    """A network with weights large enough that the output is not near zero."""
    torch.manual_seed(1)
    model = network(width).to(dtype)
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(2)
    return model.eval()


@pytest.mark.parametrize(
    ("network", "parameters"), [(Pulse2Pulse, 6_617_728), (WaveGANStar, 2_777_993)]
)
def test_published_width_has_the_published_number_of_parameters(network, parameters) -> None:
    assert sum(p.numel() for p in network().parameters()) == parameters


def test_every_layer_of_pulse2pulse_has_the_tabulated_shape() -> None:
    model, seen = Pulse2Pulse(), {}
    for name, layer in model.named_children():
        layer.register_forward_hook(lambda _, i, o, n=name: seen.__setitem__(n, (i[0], o)))
    with torch.inference_mode():
        out = model(torch.zeros(1, 8, 5000))
    table = {
        "conv_1": (8, 10, 2500),
        "conv_2": (10, 25, 500),
        "conv_3": (25, 50, 250),
        "conv_4": (50, 150, 50),
        "conv_5": (150, 250, 10),
        "conv_6": (250, 250, 2),
        "deconv_1": (250, 250, 10),
        "deconv_2": (500, 150, 50),
        "deconv_3": (300, 50, 250),
        "deconv_5": (100, 25, 500),
        "deconv_6": (50, 10, 2500),
        "deconv_7": (10, 8, 5000),
    }
    assert {n: (x.shape[1], *y.shape[1:]) for n, (x, y) in seen.items()} == table
    assert out.shape == (1, 8, 5000)


@NETWORKS
@pytest.mark.parametrize("width", [10, 30])
def test_output_is_an_ecg_of_eight_leads_within_one(network, width) -> None:
    with torch.inference_mode():
        out = made(network, width)(noise(network, 2, width))
    assert out.shape == (2, 8, 5000)
    assert 0.01 < out.abs().max() <= 1
    assert not torch.equal(out[0], out[1])


def test_up_block_repeats_then_convolves() -> None:
    block = UpBlock(1, 1, 3)
    with torch.no_grad():
        block.conv1d.weight.zero_()
        block.conv1d.weight[0, 0, 12] = 2.0
        block.conv1d.bias.fill_(1.0)
        out = block(torch.tensor([[[1.0, 5.0]]]))
    assert out.tolist() == [[[3.0, 3.0, 3.0, 11.0, 11.0, 11.0]]]


@pytest.mark.parametrize("scale", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("length", [1, 2, 9, 40])
def test_polyphase_is_the_up_block(scale, length) -> None:
    block = UpBlock(3, 4, scale).double()
    x = torch.from_numpy(np.random.default_rng(length).normal(size=(2, 3, length)))
    with torch.no_grad():
        np.testing.assert_allclose(Polyphase(block)(x), block(x), rtol=0, atol=1e-12)


def test_polyphase_needs_six_taps_of_25_at_scale_five() -> None:
    assert Polyphase(UpBlock(1, 1, 5)).weight.shape[-1] == 6
    assert Polyphase(UpBlock(1, 1, 2)).weight.shape[-1] == 13


@pytest.mark.parametrize("layer", [down_block(3, 4, 5), down_block(3, 4, 2), UpBlock(3, 4, 5)])
@pytest.mark.parametrize("length", [2, 10, 30])
def test_dense_is_the_layer(layer, length) -> None:
    layer = layer.double()
    x = torch.from_numpy(np.random.default_rng(length).normal(size=(2, 3, length)))
    with torch.no_grad():
        np.testing.assert_allclose(Dense(layer, length)(x), layer(x), rtol=0, atol=1e-12)


@NETWORKS
def test_fast_network_is_the_direct_graph(network) -> None:
    model, z = made(network), noise(network, 3)
    with torch.inference_mode():
        difference_uv = 6000 * (fast(model)(z) - model(z)).abs().max()
    assert difference_uv < 1e-8


def test_of_the_published_weights_only_rounding_is_left() -> None:
    """In double precision both forms are one function; single precision rounds either of them."""
    from ecgeval.generators.checkpoints import load
    from ecgeval.generators.noise import philox_noise

    weights = load("pulse2pulse")
    z = torch.from_numpy(np.stack([philox_noise(0, i, (8, 5000)) for i in range(4)]))
    with torch.inference_mode():
        double = copy.deepcopy(weights.model).double()
        exact, direct = fast(double)(z.double()), double(z.double())
        single = [6000 * (m(z) - exact).abs().max() for m in (weights.model, weights.fast)]
        apart = 6000 * (weights.model(z) - weights.fast(z)).abs().max()
    assert 6000 * (exact - direct).abs().max() < 1e-8  # µV
    assert apart < 0.05  # .018 with AVX-512, .027 with AVX2
    assert max(single) < 0.3  # what the first layers lose, alike in both


def test_fast_leaves_the_network_trainable_and_untouched() -> None:
    model = made(Pulse2Pulse)
    quick = fast(model)
    assert not any(isinstance(layer, Dense | Polyphase) for layer in model.modules())
    assert all(p.requires_grad for p in model.parameters())
    assert not any(isinstance(layer, UpBlock) for layer in quick.modules())
    assert not any(p.requires_grad for p in quick.parameters())


@NETWORKS
def test_every_parameter_is_used(network) -> None:
    """A gradient reaches all of them, so none is dead as in the released networks."""
    model = made(network, dtype=torch.float32)
    model(noise(network, 2, dtype=torch.float32)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())
    assert isinstance(model, nn.Module)
