"""Random convolutions are those of their definition."""

import numpy as np
import pytest

from ecgeval.comparison.classifier.minirocket import draw_kernels, minirocket


def test_random_convolutions_are_those_of_the_definition():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 2, 200)).astype(np.float32)
    kernels = draw_kernels(x, 4, np.random.default_rng(1))
    found = minirocket(x, kernels).reshape(3, *kernels.bias.shape)
    assert set(kernels.weight.ravel()) == {-1, 2}
    assert (kernels.weight.sum(axis=-1) == 0).all()
    for i, dilation in enumerate(kernels.dilation):
        spread = np.zeros(8 * dilation + 1)
        for group in range(kernels.mix.shape[1]):
            for k in range(4):
                spread[::dilation] = kernels.weight[i, group, k]
                y = np.correlate(kernels.mix[i, group] @ x[1], spread, "valid")
                assert found[1, i, group, k] == pytest.approx(
                    (y > kernels.bias[i, group, k]).mean(), abs=0.011
                )
    assert 0.2 < found.mean() < 0.8  # levels lie inside what the kernels give


def test_convolutions_are_deaf_to_an_offset():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 2, 200)).astype(np.float32)
    kernels = draw_kernels(x, 4, np.random.default_rng(1))
    assert minirocket(x + 3, kernels) == pytest.approx(minirocket(x, kernels), abs=0.011)
