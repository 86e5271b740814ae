"""The residual network learns a shape, the same on any number of threads."""

import numpy as np
import pytest
import torch

from ecgeval.comparison.classifier.resnet import resnet
from ecgeval.stats.effects import auc


def test_the_network_is_the_same_for_any_number_of_threads():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 2, 60)).astype(np.float32), np.arange(40) % 2 == 0
    before, state = torch.get_num_threads(), torch.random.get_rng_state()
    found = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            found.append(resnet(x, y, seed=3)(x))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert (found[0] == found[1]).all()
    assert (torch.random.get_rng_state() == state).all()
    assert (resnet(x, y, seed=4)(x) != found[0]).any()


def test_the_network_learns_a_shape_and_nothing_from_noise():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(200, 2, 100)).astype(np.float32), np.arange(200) % 2 == 0
    new = rng.normal(size=(200, 2, 100)).astype(np.float32)
    scores = resnet(x, y, seed=0)(new)
    assert auc(scores[~y], scores[y]) == pytest.approx(0.5, abs=3 * 0.041)
    bump = np.exp(-0.5 * np.linspace(-3, 3, 20) ** 2)
    for part in (x, new):
        for i in np.flatnonzero(y):
            at = rng.integers(80)
            part[i, 1, at : at + 20] += 1.5 * bump
    scores = resnet(x, y, seed=0)(new)
    assert auc(scores[~y], scores[y]) > 0.8
