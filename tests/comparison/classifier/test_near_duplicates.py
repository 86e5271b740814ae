"""Records that are almost the same are found, all and only they."""

import numpy as np

from ecgeval.comparison.classifier.near_duplicates import near_duplicates
from ecgeval.stats.two_sample import joined_groups


def test_near_duplicates_are_those_of_the_full_correlation_matrix(real):
    rng = np.random.default_rng(0)
    signals = real[0][:60].copy()
    signals[50] = signals[3] * 1.7 + 0.5
    signals[51] = signals[4] + rng.normal(0, 0.004, signals[4].shape)
    signals[52] = signals[5] + rng.normal(0, 0.2, signals[5].shape)
    signals[53] = 0.0
    signals[54] = 2.0
    same = near_duplicates(signals)
    flat = (signals - signals.mean(axis=-1, keepdims=True)).reshape(60, -1).astype(float)
    size = np.linalg.norm(flat, axis=1)
    size[size == 0] = np.inf
    linked = (flat @ flat.T) / np.outer(size, size) > 0.999
    np.fill_diagonal(linked, True)
    assert ((same[:, None] == same) == linked).all()
    assert same[50] == same[3]
    assert same[53] != same[54]


def test_near_duplicates_of_a_collapsed_set_are_one_chain(real):
    signals = np.repeat(real[0][:1], 600, axis=0)
    assert len(np.unique(near_duplicates(signals))) == 1
    group = joined_groups(np.arange(5), np.array([0, 1, 1, 2, 3]))
    assert group[1] == group[2]
    assert len(np.unique(group)) == 4
