"""Ridge maps between limb and chest leads, read from covariances."""

import numpy as np
import pytest

from ecgeval.comparison.plausibility.linear_maps import map_residuals


def test_ridge_maps_agree_with_least_squares_on_the_samples():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(8, 4000))
    x[:2] += rng.normal(size=(2, 6)) @ x[2:]
    cov = x @ x.T / 4000
    w = np.linalg.lstsq(x[2:].T, x[:2].T, rcond=None)[0]
    left = ((x[:2] - w.T @ x[2:]) ** 2).mean(axis=1).sum()
    ((residual, r2, _),) = map_residuals(cov[None], cov)
    assert residual == pytest.approx(1e3 * np.sqrt(left / 2), rel=1e-3)
    assert r2 == pytest.approx(1 - left / np.trace(cov[:2, :2]), rel=1e-3)
