"""What is lost by occlusion is what scoring the changed beat again gives."""

import numpy as np
import pytest

from ecgeval.comparison.classifier.beats import beat_features
from ecgeval.comparison.classifier.occlusion import WAVES, occlude
from ecgeval.parallel import child_rng
from ecgeval.stats.classifiers import wide_ridge_logistic
from ecgeval.stats.two_sample import Pool, split_groups

FS, N, ZERO = 100.0, 120, 40
T = (np.arange(110) - ZERO) / FS


def test_occlusion_is_replacing_and_scoring_again(real, other):
    """The additive shortcut equals: put the mean beat there, ask the classifier once more."""
    beats = np.concatenate([real[1], other[1] + 0.02])
    x, _ = beat_features(beats, FS, ZERO)
    label, each = np.arange(2 * N) >= N, np.arange(2 * N)
    shape = beats.shape[1:]
    falls = occlude(
        Pool(x, each, each),
        label,
        shape[1],
        FS,
        ZERO,
        seed=0,
        name="t",
        draws=9,
        halves=1,
        within=9,
    )
    train = split_groups(each, label, child_rng(0, "t"))
    inside = (WAVES[4][2] <= T) & (WAVES[4][3] > T)
    hidden = x.copy().reshape(2 * N, 2, *shape)
    hidden[:, :, 1, inside] = 0
    lost = np.zeros(2 * N)
    for side in (train, ~train):
        score = wide_ridge_logistic(x[side], label[side])
        lost[~side] = score(x[~side]) - score(hidden.reshape(2 * N, -1)[~side])
    assert falls.wave[1, 4] == pytest.approx(lost[label].mean() - lost[~label].mean(), abs=1e-4)
    assert falls.wave.sum() == pytest.approx(falls.gap, rel=1e-4)
