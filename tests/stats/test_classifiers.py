import numpy as np
import pytest

from ecgeval.stats.classifiers import (
    FITS,
    nearest,
    ridge_logistic,
    wide_ridge_logistic,
    wide_ridge_weights,
)
from ecgeval.stats.effects import auc


def apart(n, d, seed=0):
    """Return points of two classes that differ by 2 SD in the first coordinate, and their class."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2 == 0
    x = rng.normal(size=(n, d))
    x[:, 0] += 2.0 * y
    return x, y


@pytest.mark.parametrize("fit", [*FITS.values(), wide_ridge_logistic])
def test_every_classifier_scores_the_class_it_learnt_higher(fit):
    """AUC of new points is near the best there is, Phi(2 / sqrt 2) = .921; chance is .5."""
    score = fit(*apart(400, 5))
    x, y = apart(1000, 5, seed=1)
    found = score(x)
    # Nearest neighbours lose most by the four coordinates that say nothing.
    assert auc(found[~y], found[y]) > (0.8 if fit is nearest else 0.88)
    labels = np.random.default_rng(2).permutation(y)
    assert abs(auc(found[~labels], found[labels]) - 0.5) < 0.06


@pytest.mark.parametrize("fit", [ridge_logistic, nearest, wide_ridge_logistic])
def test_a_coordinate_without_values_or_spread_changes_nothing_much(fit):
    x, y = apart(200, 3)
    broken = np.column_stack([x, np.full(len(x), 7.0)])
    new, label = apart(400, 3, seed=3)
    found = fit(broken, y)(np.column_stack([new, np.full(len(new), 7.0)]))
    assert np.isfinite(found).all()
    assert auc(found[~label], found[label]) > 0.85


def test_more_coordinates_than_points_are_fitted_by_their_products():
    """The parts of the wide fit give the scores of the whole one, to the bit of a constant."""
    x, y = apart(60, 200)
    prepare, weights, intercept = wide_ridge_weights(x, y)
    found = wide_ridge_logistic(x, y)(x)
    np.testing.assert_allclose(prepare(x) @ weights + intercept, found, rtol=1e-6, atol=1e-9)
    assert np.argmax(np.abs(weights)) == 0
    assert auc(found[~y], found[y]) > 0.95
