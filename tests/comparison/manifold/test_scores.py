"""Kernels of the manifold scores: by hand, against references, closed forms, and the right way."""

import numpy as np
import pytest
from scipy.linalg import sqrtm
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

from ecgeval.comparison.manifold import scores as ms
from ecgeval.comparison.manifold.draws import _neighbourhoods


def normal(seed, n, d, *, mean=0.0, sd=1.0):
    return np.random.default_rng(seed).normal(mean, sd, (n, d))


def neighbourhoods(real, other):
    return _neighbourhoods(real, other, *(ms.neighbour_distances(x, 5) for x in (real, other)))


# ---- Fréchet and kernel distance ---------------------------------------------------------------


def test_frechet_by_hand_in_one_dimension():
    """Means 1 and 12, variances 2 and 8: 121 + (√8 - √2)² = 121 + 2."""
    x, y = np.array([[0.0], [2.0]]), np.array([[10.0], [14.0]])
    assert ms.frechet_distance(x, y) == pytest.approx(123)


def test_frechet_against_the_matrix_square_root():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(300, 6)) @ rng.normal(size=(6, 6)), rng.gamma(2, size=(200, 6))
    c, e = np.cov(x.T), np.cov(y.T)
    expected = ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(c + e - 2 * sqrtm(c @ e).real)
    assert ms.frechet_distance(x, y) == pytest.approx(expected, rel=1e-9)
    assert ms.frechet_distance(y, x) == pytest.approx(expected, rel=1e-9)


def test_proof_frechet_of_a_set_and_itself_is_0():
    x = normal(0, 200, 12)
    assert ms.frechet_distance(x, x) == pytest.approx(0, abs=1e-9)
    flat = np.column_stack([x, np.zeros(200)])  # an axis without variance
    assert ms.frechet_distance(flat, flat) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("mean", "sd", "expected"), [(1.5, 1.0, 4 * 1.5**2), (0.0, 2.0, 4 * (2 - 1) ** 2)]
)
def test_proof_frechet_of_shifted_and_scaled_normals_within_1_percent(mean, sd, expected):
    """|mu|² and d (sigma - 1)² at n = 100,000, extrapolated in 1/n."""
    x, y = normal(1, 100_000, 4), normal(2, 100_000, 4, mean=mean, sd=sd)
    assert ms.extrapolate(*ms.frechet_by_size(x, y)) == pytest.approx(expected, rel=0.01)


def test_frechet_is_biased_by_the_formula_and_the_limit_is_not():
    """E ≈ (1/n + 1/m) (d + d (d + 1) / 4): 0.168 for d = 16, n = m = 1000."""
    value, limit = [], []
    for seed in range(20):
        sizes, by_size = ms.frechet_by_size(*normal(seed, 2000, 16).reshape(2, 1000, 16))
        value.append(by_size[0])
        limit.append(ms.extrapolate(sizes, by_size))
    assert sizes.tolist() == [1000, 500, 333, 250]
    assert np.mean(value) == pytest.approx(0.168, rel=0.03)
    assert abs(np.mean(limit)) < 3 * np.std(limit, ddof=1) / np.sqrt(20) + 0.003


def test_a_negative_eigenvalue_is_an_error_and_rounding_is_not():
    assert ms._not_negative(np.array([-1e-9, 1.0])).tolist() == [0, 1]
    with pytest.raises(ArithmeticError, match="negative"):
        ms._not_negative(np.array([-1e-3, 1.0]))


def test_kid_by_hand_and_unbiased():
    """x = 0, 1 and y = 2, 3 in one dimension: 1 + 7³ - (1 + 1 + 3³ + 4³) / 2."""
    x, y = np.array([[0.0], [1.0]]), np.array([[2.0], [3.0]])
    assert ms.kid(x, y) == pytest.approx(1 + 343 - 2 * (1 + 1 + 27 + 64) / 4)
    null = [ms.kid(*normal(seed, 100, 5).reshape(2, 50, 5)) for seed in range(300)]
    assert abs(np.mean(null)) < 3 * np.std(null) / np.sqrt(300)
    assert min(null) < 0


# ---- neighbourhoods ----------------------------------------------------------------------------


def test_neighbours_and_balls_against_references_whatever_the_block(monkeypatch):
    real, other = normal(0, 150, 5), normal(1, 130, 5)
    expected = cKDTree(real).query(real, 6)[0][:, 1:]
    radii = expected[:, [2, 4]].T
    inside = cdist(other, real)[:, :, None] <= radii.T
    near = cKDTree(real).query(other, 2)
    for block in (2**20, 700):
        monkeypatch.setattr(ms, "BLOCK", block)
        np.testing.assert_allclose(ms.neighbour_distances(real, 5), expected, rtol=1e-4)
        of_point, of_centre = ms.count_inside(other, real, radii)
        np.testing.assert_array_equal(of_point, inside.sum(axis=1).T)
        np.testing.assert_array_equal(of_centre, inside.sum(axis=0).T)
        index, distance = ms.nearest(other, real)
        np.testing.assert_array_equal(index, near[1][:, 0])
        np.testing.assert_allclose(distance, near[0], rtol=1e-12)


def test_a_copy_far_from_the_origin_is_at_distance_0():
    """float32 norms of 1e6 would leave a distance of about 1 to a copy."""
    real = normal(0, 200, 60) + 1e5
    index, distance = ms.nearest(real[::-1].copy(), real)
    assert index.tolist() == list(range(199, -1, -1))
    assert distance[:, 0].max() == 0
    assert ms.neighbour_distances(real, 1).min() > 1


def test_precision_density_coverage_by_hand():
    """Real 0 1 3 7 on a line, each with its neighbour's distance 1 1 2 4 as radius; k = 1."""
    real = np.array([[0.0], [1.0], [3.0], [7.0]])
    radius = ms.neighbour_distances(real, 1)[:, 0]
    assert radius.tolist() == [1, 1, 2, 4]
    of_point, of_centre = ms.count_inside(np.array([[0.5], [4.0], [20.0]]), real, radius[None])
    assert of_point[0].tolist() == [2, 2, 0]  # precision 2/3, density 4 / (1 * 3)
    assert of_centre[0].tolist() == [1, 1, 1, 1]  # coverage 1
    assert ms.authenticity(np.array([0, 2, 3]), np.array([[0.5], [1], [13]]), radius) == 1 / 3
    assert ms.close_pairs(np.array([[0.4, 1.0], [0.6, 1.0], [0.0, 1.0]])) == pytest.approx(2 / 3)


@pytest.mark.parametrize("kind", ["normal", "exponential"])
def test_proof_coverage_and_density_match_their_expectation_whatever_the_distribution(kind):
    """N = 200, M = 50, k = 5: coverage .6773, density 1; the clipped coverage's too."""
    assert ms.expected_coverage(200, 50, 5) == pytest.approx(0.6773, abs=5e-5)
    scores = []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        points = getattr(rng, f"standard_{kind}")((250, 3))
        real, other = points[:200], points[200:]
        of_point, held = ms.count_inside(other, real, ms.neighbour_distances(real, 5)[:, 4][None])
        held = held[0]
        scores.append([(held > 0).mean(), of_point.mean() / 5, np.minimum(held, 5).mean() / 5])
    expected = [ms.expected_coverage(200, 50, 5), 1, ms.expected_clipped_coverage(200, 50, 5)]
    error = np.std(scores, axis=0, ddof=1) / np.sqrt(150)
    assert (np.abs(np.mean(scores, axis=0) - expected) < 3 * error).all()


@pytest.mark.parametrize(
    ("d", "n", "precision"), [(2, 2000, 0.98), (64, 200, 0.68), (64, 2000, 0.60)]
)
def test_precision_of_equal_normals_is_not_1(d, n, precision):
    real, other = normal(3, 2 * n, d).reshape(2, n, d)
    assert neighbourhoods(real, other)["improved_precision"] == pytest.approx(precision, abs=0.05)


@pytest.mark.parametrize(("d", "expected"), [(2, 0.39), (8, 0.60), (32, 0.76)])
def test_authenticity_has_no_universal_null(d, expected):
    real, other = normal(4, 2000, d).reshape(2, 1000, d)
    assert neighbourhoods(real, other)["authenticity"] == pytest.approx(expected, abs=0.05)


def test_proof_mode_drop_lowers_recall_and_coverage_to_a_half_and_precision_not():
    rng = np.random.default_rng(5)
    mode = np.where(rng.random(1000) < 0.5, 0, 50)[:, None]
    real = rng.normal(size=(1000, 4)) + mode
    full = neighbourhoods(real, rng.normal(size=(1000, 4)) + mode)
    half = neighbourhoods(real, rng.normal(size=(1000, 4)))
    assert half["improved_recall"] == pytest.approx(0.5, abs=0.07)
    assert half["coverage"] == pytest.approx(0.5, abs=0.05)
    assert half["clipped_coverage"] < 0.8 * full["clipped_coverage"]
    assert half["improved_precision"] == pytest.approx(full["improved_precision"], abs=0.03)
    curve = ms.alpha_curve(rng.normal(size=(1000, 4)), real)  # the other mode is in no ball
    assert curve[-1] == pytest.approx((mode == 0).mean(), abs=0.02)


def test_proof_far_outliers_move_the_plain_scores_and_not_the_clipped():
    """Twenty of 1000 real records far out: their balls hold a bad synthetic cluster."""
    rng = np.random.default_rng(6)
    real, good = rng.normal(size=(2, 1000, 4))
    bad = np.concatenate([good[:700], rng.normal(size=(300, 4)) + 12])
    outliers = real.copy()
    outliers[:20] = rng.normal(0, 60, (20, 4))
    clean, dirty = neighbourhoods(real, bad), neighbourhoods(outliers, bad)
    assert dirty["improved_precision"] - clean["improved_precision"] > 0.2
    assert dirty["density"] - clean["density"] > 0.2
    assert dirty["clipped_density"] == pytest.approx(clean["clipped_density"], abs=0.03)


def test_one_spot_is_never_the_better_set():
    """A set that shows one ECG only: recall falls to 0, density rises far above 1.

    In many dimensions the middle of the cloud lies in most balls, so coverage cannot see it; and
    it is nearer to everyone than anyone's neighbours, which lowers authenticity without a copy.
    """
    low = neighbourhoods(normal(7, 800, 4), normal(8, 800, 4, sd=0.05))
    high = neighbourhoods(normal(7, 800, 32), normal(8, 800, 32, sd=0.05))
    for spot in (low, high):
        assert spot["improved_precision"] > 0.98
        assert spot["improved_recall"] < 0.05
        assert spot["density"] > 1.2
        assert spot["close_pairs"] < 0.05
    assert low["coverage"] < 0.3
    assert high["coverage"] > 0.8
    assert high["authenticity"] < 0.05


def test_alpha_curve_on_the_diagonal_and_at_its_ends():
    real = normal(9, 4000, 6)
    assert ms.integrated(ms.alpha_curve(real, real)) == pytest.approx(1, abs=1e-3)
    assert ms.integrated(ms.alpha_curve(real, normal(10, 4000, 6))) > 0.96
    centre = np.tile(real.mean(axis=0), (50, 1))
    assert ms.integrated(ms.alpha_curve(real, centre)) == pytest.approx(0, abs=0.02)
    assert ms.integrated(ms.alpha_curve(real, real + 100)) == pytest.approx(0, abs=0.02)
    # wider by 2: P(alpha) below alpha throughout
    assert (ms.alpha_curve(real, 2 * real)[5:95] < ms.GRID[5:95]).all()


def test_every_score_but_kid_is_the_same_after_a_rotation_and_a_shift():
    real, other = normal(11, 300, 8), normal(12, 300, 8, sd=1.2)
    turn = np.linalg.qr(normal(13, 8, 8))[0]
    for score in (neighbourhoods, ms.frechet_distance, ms.alpha_curve):
        was, now = score(real, other), score(real @ turn + 3, other @ turn + 3)
        if isinstance(was, dict):
            assert now == pytest.approx(was, abs=0.005)
        else:
            np.testing.assert_allclose(now, was, atol=0.005)
    assert ms.kid(real @ turn, other @ turn) == pytest.approx(ms.kid(real, other))


def test_clipped_density_by_hand():
    """Min(12, 5) and 0 against 5 and 3: (5 + 0) / (5 + 3)."""
    assert ms.clipped_density(np.array([12, 0]), np.array([9, 3]), 5) == 5 / 8
    assert ms.clipped_density(np.array([1]), np.array([0]), 5) == 0
