"""Records made to be hard, and what a plain loop over pairs finds among them."""

import numpy as np
import pytest


def _brute_force(similarity: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(-similarity, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(similarity, order, axis=1), order


def _squared_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return ((a[:, None].astype(float) - b[None]) ** 2).sum(axis=2)


def _correlation(x: np.ndarray, y: np.ndarray, max_lag: int) -> float:
    """Return the best normalised correlation on the overlap, straight from its definition."""
    n, best = x.shape[1], -np.inf
    x, y = x.astype(float), y.astype(float)
    for lag in range(-max_lag, max_lag + 1):
        a = x[:, max(0, -lag) : n - max(0, lag)]
        b = y[:, max(0, lag) : n - max(0, -lag)]
        kept = (a**2).sum(), (b**2).sum()
        if kept[0] < (x**2).sum() / 4 or kept[1] < (y**2).sum() / 4:
            best = max(best, 0)  # a lag with too little signal left counts as no similarity
        else:
            best = max(best, (a * b).sum() / np.sqrt(kept[0] * kept[1]))
    return best


@pytest.fixture(scope="module")
def hard() -> tuple[np.ndarray, np.ndarray]:
    """Vectors of large norm with duplicates, near-duplicates, constants and zeros among them."""
    rng = np.random.default_rng(0)
    a = (30 * rng.normal(size=(300, 60))).astype(np.float32)
    b = (30 * rng.normal(size=(200, 60))).astype(np.float32)
    b[8] = b[7]
    a[3] = b[7]
    a[5] = b[9] = b[10] = 0
    a[6] = b[11] = 1
    a[20:40] = b[30:50] + rng.normal(0, 1e-3, (20, 60))
    b[60:80] = b[30:50] + rng.normal(0, 1e-3, (20, 60))
    return a, b


def _unit(x: np.ndarray) -> np.ndarray:
    x = x - x.mean(axis=2, keepdims=True)
    norm = np.sqrt((x**2).sum(axis=(1, 2), keepdims=True))
    return (x / np.where(norm > 0, norm, np.inf)).astype(np.float32)


def _waves(n: int, seed: int, samples: int = 200) -> np.ndarray:
    """Return band-limited records of three leads with a beat, and shifted copies among them."""
    rng = np.random.default_rng(seed)
    t = np.arange(samples)
    x = 0.02 * rng.normal(size=(n, 3, samples))
    for record in x:
        for at in np.arange(rng.uniform(5, 40), samples, rng.uniform(35, 60)):
            shape = np.exp(-0.5 * ((t - at) / rng.uniform(1.5, 3)) ** 2)
            record += rng.normal(1, 0.3, (3, 1)) * shape
    return _unit(x)


def _some_pairs(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return records with copies, shifts, parts, a constant lead and a flat record among them."""
    x, y = _waves(60, seed), _waves(50, seed + 1)
    for row, lag in enumerate((0, 3, -30, 60, 100, -100)):
        x[row] = 0.5 * np.roll(y[row], lag, axis=1)
        fill = slice(0, lag) if lag > 0 else slice(lag, None)
        x[row, :, fill] = x[row + 20, :, fill] if lag else x[row, :, fill]
    x[10, 1] = 0.1
    x[11] = 0
    x[12, :, 30:] *= 1e-3
    return x, y


@pytest.fixture
def brute_force():
    return _brute_force


@pytest.fixture
def squared_distances():
    return _squared_distances


@pytest.fixture
def best_correlation():
    return _correlation


@pytest.fixture
def unit():
    return _unit


@pytest.fixture
def waves():
    return _waves


@pytest.fixture
def some_pairs():
    return _some_pairs
