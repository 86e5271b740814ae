"""Classifier two-sample test on the measures: can a classifier tell synthetic from real?"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ecgeval.stats.arrays import Floats

__all__ = [
    "FITS",
    "boosting",
    "nearest",
    "ridge_logistic",
    "wide_ridge_logistic",
    "wide_ridge_weights",
]

Score = Callable[[Floats], Floats]
Fit = Callable[[Floats, NDArray[np.bool_]], Score]

RIDGE = 10.0
WIDE_RIDGE = 0.1
CLIP = 8.0


def ridge_logistic(x: Floats, y: NDArray[np.bool_]) -> Score:
    """Fit a logistic regression with a ridge penalty, both classes weighing the same.

    Newton steps on sum(loss) + RIDGE / 2 |w|^2; features are robustly scaled beforehand, so one
    penalty, fixed before the data are seen, fits all.

    Parameters
    ----------
    x : ndarray, shape (n, features)
        NaN where missing: read as the median, with a feature of its own that says so.
    y : ndarray of bool, shape (n,)
        True for synthetic.

    Returns
    -------
    callable
        From features to log-odds.
    """
    prepare = _robust_scaler(x)
    z = prepare(x)
    weight = np.where(y, len(y) / (2 * y.sum()), len(y) / (2 * (~y).sum()))
    penalty = np.full(z.shape[1], RIDGE)
    penalty[-1] = 1e-9
    w = np.zeros(z.shape[1])
    for _ in range(25):
        p = 1 / (1 + np.exp(-np.clip(z @ w, -30, 30)))
        gradient = z.T @ (weight * (p - y)) + penalty * w
        curvature = (z * (weight * p * (1 - p))[:, None]).T @ z + np.diag(penalty)
        step = np.linalg.solve(curvature, gradient)
        # Damped where the quadratic would leave the region it describes.
        w -= step * min(1, 5 / max(float(np.abs(z @ step).max()), 1e-12))
        if np.abs(step).max() < 1e-6:
            break
    return lambda new: prepare(new) @ w


def wide_ridge_logistic(x: Floats, y: NDArray[np.bool_]) -> Score:
    """Fit a logistic regression with a ridge penalty to more features than records.

    Parameters
    ----------
    x : ndarray, shape (n, features)
        Without NaN.
    y : ndarray of bool, shape (n,)
        True for synthetic.

    Returns
    -------
    callable
        From features to log-odds.
    """
    prepare, w, b = wide_ridge_weights(x, y)
    return lambda new: (prepare(new) @ w).astype(float) + b


def wide_ridge_weights(x: Floats, y: NDArray[np.bool_]) -> tuple[Score, Floats, float]:
    """Return the parts of `wide_ridge_logistic`: log-odds are ``prepare(x) @ w + b``.

    Newton steps on sum(loss) + `WIDE_RIDGE` features / 2 |w|^2 in the span of the training records
    (w = Z'a), so one costs the cube of their number whatever the number of features. Both classes
    weigh the same, the intercept is free, features are standardised.

    References
    ----------
    Rasmussen and Williams 2006, Gaussian Processes for Machine Learning, algorithm 3.1 (the Newton
    step in its stable form)
    """
    from scipy.linalg import cho_factor, cho_solve

    centre, spread = x.mean(axis=0), x.std(axis=0)
    spread = np.where(spread > 1e-6 * np.abs(x).max(initial=1e-30), spread, np.inf)

    def prepare(new: Floats) -> Floats:
        return np.clip((new - centre) / spread, -CLIP, CLIP)

    z = prepare(x)
    kernel = (z @ z.T).astype(float) / x.shape[1]
    balance = np.where(y, len(y) / (2 * y.sum()), len(y) / (2 * (~y).sum()))
    a, b, f = np.zeros(len(y)), 0.0, np.zeros(len(y))
    for _ in range(25):
        p = 1 / (1 + np.exp(-f))
        curvature = balance * np.maximum(p * (1 - p), 1e-9)
        root = np.sqrt(curvature)
        target = f + balance * (y - p) / curvature
        factor = cho_factor(root[:, None] * kernel * root + WIDE_RIDGE * np.eye(len(y)))
        of_target, of_one = (
            root * part for part in cho_solve(factor, (root * [target, np.ones(len(y))]).T).T
        )
        new_b = of_target.sum() / of_one.sum()
        new_a = of_target - new_b * of_one
        step = kernel @ new_a + new_b - f
        # Damped where the quadratic would leave the region it describes.
        damp = min(1, 5 / max(float(np.abs(step).max()), 1e-12))
        a, b, f = a + damp * (new_a - a), b + damp * (new_b - b), f + damp * step
        if np.abs(step).max() < 1e-4:
            break
    w = z.T @ a.astype(z.dtype) / x.shape[1]
    return prepare, w, b


def boosting(x: Floats, y: NDArray[np.bool_]) -> Score:
    """Fit histogram gradient boosting; missing values are a branch of their own."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    model = HistGradientBoostingClassifier(
        max_iter=40,
        learning_rate=0.15,
        max_leaf_nodes=8,
        min_samples_leaf=10,
        max_bins=63,
        early_stopping=False,
        random_state=0,
    )
    with threadpool_limits(1):  # fits are many and small: threads would only wait for each other
        model.fit(x, y)
    return model.decision_function


def nearest(x: Floats, y: NDArray[np.bool_]) -> Score:
    """Fit nothing: log distance to the nearest real record less that to the nearest synthetic one.

    Weak against broad differences, but what a near-copy deceives most.
    """
    prepare = _robust_scaler(x)
    z = prepare(x)
    sides = [z[~y], z[y]]

    def score(new: Floats) -> Floats:
        at = prepare(new)
        real, synth = (
            ((at**2).sum(axis=1)[:, None] + (side**2).sum(axis=1) - 2 * at @ side.T).min(axis=1)
            for side in sides
        )
        return np.log(np.maximum(real, 1e-9)) - np.log(np.maximum(synth, 1e-9))

    return score


FITS: dict[str, Fit] = {"logistic": ridge_logistic, "nearest": nearest, "boosting": boosting}
"""By name, the quick ones first."""


def _robust_scaler(x: Floats) -> Callable[[Floats], Floats]:
    missing = np.isnan(x)
    flagged = missing.any(axis=0)
    held = np.where(missing.all(axis=0), 0.0, x)
    low, centre, high = np.nanquantile(held, [0.25, 0.5, 0.75], axis=0)
    spread = (high - low) / 1.349
    spread = np.where(spread > 0, spread, np.nanstd(held, axis=0))
    spread = np.where(spread > 0, spread, 1)

    def prepare(new: Floats) -> Floats:
        z = np.nan_to_num(np.clip((new - centre) / spread, -CLIP, CLIP))
        flags = np.isnan(new[:, flagged]).astype(float)
        return np.column_stack([z, flags, np.ones(len(new))])

    return prepare
