"""Energy distance and MMD: the plain double loop, closed forms, size of the p, direction."""

import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import energy_distance

from ecgeval.stats import kernels
from ecgeval.stats.intervals import norm_interval
from ecgeval.stats.kernels import (
    aggregate_p,
    bootstrap_moves,
    discrepancy,
    kernel_test,
    patient_kernels,
    standardise,
)
from ecgeval.stats.resampling import monte_carlo_p, resample_weights
from ecgeval.stats.sample import Effort, Sample

LIGHT = Effort(bootstrap=2, floor=2, permutations=39)


def labels(n, m):
    return (np.arange(n + m) < n).astype(np.float32)[:, None]


def own(x):
    return Sample(np.asarray(x, float), np.arange(len(x)))


def clustered(rng, patients, each, icc=0.8, d=3):
    person = rng.normal(size=(patients, 1, d)) * np.sqrt(icc)
    record = rng.normal(size=(patients, each, d)) * np.sqrt(1 - icc)
    return Sample((person + record).reshape(-1, d), np.repeat(np.arange(patients), each))


def by_hand(points, patient, n, kernel):
    """Return the statistic by the double loop of its definition."""
    people = [points[patient == i] for i in range(patient.max() + 1)]
    mean = [[np.mean([kernel(x, y) for x in a for y in b]) for b in people] for a in people]
    sides = [range(n), range(n, len(people))]
    within = [np.mean([mean[i][j] for i in s for j in s if i != j]) for s in sides]
    return sum(within) - 2 * np.mean([mean[i][j] for i in sides[0] for j in sides[1]])


def test_both_statistics_equal_their_double_loops():
    rng = np.random.default_rng(0)
    patient = rng.permutation(np.repeat(np.arange(9), [1, 3, 2, 1, 1, 4, 1, 2, 1]))
    points = rng.normal(size=(len(patient), 3)).astype(np.float32)
    energy, gauss = patient_kernels(points, patient, [1.3])
    want = by_hand(points, patient, 5, lambda x, y: -np.linalg.norm(x - y))
    assert discrepancy(energy, labels(5, 4))[0] == pytest.approx(want, abs=1e-5)
    want = by_hand(points, patient, 5, lambda x, y: np.exp(-((x - y) ** 2).sum() / (2 * 1.3**2)))
    assert discrepancy(gauss, labels(5, 4))[0] == pytest.approx(want, abs=1e-5)


def test_rows_in_blocks_change_nothing(monkeypatch):
    rng = np.random.default_rng(1)
    patient = np.sort(rng.integers(0, 30, 90))
    patient = np.unique(patient, return_inverse=True)[1]
    points = rng.normal(size=(90, 2)).astype(np.float32)
    whole = patient_kernels(points, patient, [1.0])
    monkeypatch.setattr(kernels, "ROWS", 7)
    for a, b in zip(whole, patient_kernels(points, patient, [1.0]), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_energy_distance_in_one_dimension_is_twice_the_squared_gap_of_the_distributions():
    """PROOF (1.6): 2 E|X-Y| - E|X-X'| - E|Y-Y'| = 2 integral (F - G)^2; scipy gives its root."""
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=40), rng.normal(0.4, 1.2, size=25)
    points = np.concatenate([x, y])[:, None].astype(np.float32)
    (kernel,) = patient_kernels(points, np.arange(65), [])
    unbiased = discrepancy(kernel, labels(40, 25))[0]
    within = [np.abs(v[:, None] - v).mean() / (len(v) - 1) for v in (x, y)]
    assert unbiased + sum(within) == pytest.approx(energy_distance(x, y) ** 2, abs=1e-5)


def test_energy_distance_of_shifted_normals():
    """PROOF (1.6): N(0, 1) against N(mu, 1)."""
    rng, mu, n = np.random.default_rng(3), 1.0, 1500
    points = np.concatenate([rng.normal(size=n), rng.normal(mu, 1, n)])[:, None]
    (kernel,) = patient_kernels(points.astype(np.float32), np.arange(2 * n), [])
    across = np.sqrt(2) * (
        np.sqrt(2 / np.pi) * np.exp(-(mu**2) / 4)
        + mu / np.sqrt(2) * (2 * ndtr(mu / np.sqrt(2)) - 1)
    )
    want = 2 * across - 4 / np.sqrt(np.pi)
    assert discrepancy(kernel, labels(n, n))[0] == pytest.approx(want, abs=0.07)


def test_mmd_of_shifted_normals():
    """PROOF (1.6): MMD^2 = 2 (s^2 / (s^2 + 2))^(d/2) (1 - exp(-|mu|^2 / (2 (s^2 + 2))))."""
    rng, mu, s, d, n = np.random.default_rng(4), 0.8, 1.5, 3, 1200
    points = rng.normal(size=(2 * n, d))
    points[n:, 0] += mu
    _, kernel = patient_kernels(points.astype(np.float32), np.arange(2 * n), [s])
    want = 2 * (s**2 / (s**2 + 2)) ** (d / 2) * (1 - np.exp(-(mu**2) / (2 * (s**2 + 2))))
    assert discrepancy(kernel, labels(n, n))[0] == pytest.approx(want, rel=0.15)


def test_the_statistic_is_unbiased_and_may_be_negative():
    rng = np.random.default_rng(5)
    values = []
    for _ in range(200):
        points = rng.normal(size=(40, 2)).astype(np.float32)
        values.append(
            [
                discrepancy(k, labels(25, 15))[0]
                for k in patient_kernels(points, np.arange(40), [1.0])
            ]
        )
    values = np.array(values)
    assert (values.min(axis=0) < 0).all()
    assert (np.abs(values.mean(axis=0)) < 3 * values.std(axis=0) / np.sqrt(200)).all()


def test_aggregation_by_hand():
    # Row 2 puts the observed labels first of 4, row 1 second: least ranks are 1, 1, 2, 2.
    statistics = np.array([[3.0, 4.0, 2.0, 1.0], [9.0, 1.0, 2.0, 8.0]])
    assert aggregate_p(statistics) == 2 / 4
    rng = np.random.default_rng(6)
    for _ in range(20):
        one = rng.normal(size=(1, 50))
        assert aggregate_p(one) == monte_carlo_p(one[0, 1:], one[0, 0])
    assert aggregate_p(np.zeros((3, 10))) == 1


def test_points_are_robust_flag_what_is_missing_and_wrap_angles():
    real = np.array([[1.0, 359.0], [2.0, 1.0], [3.0, 2.0], [np.nan, 3.0]])
    synth = np.array([[2.0, 0.0], [1e9, 0.0], [2.0, 1.0], [2.0, 1.0]])
    a, b = standardise(real, synth, [False, True])
    assert a.shape == (4, 4)  # value, cosine, sine, flag
    assert b[1, 0] == kernels.CLIP
    assert a[3, 0] == 0
    np.testing.assert_array_equal(np.concatenate([a, b])[:, 3], [0, 0, 0, 1, 0, 0, 0, 0])
    assert abs(a[0, 2] - a[1, 2]) < 8  # 359 and 1 degrees are neighbours
    # Swapping the sets swaps the points: scale and centre are pooled.
    c, d = standardise(synth, real, [False, True])
    np.testing.assert_array_equal(c, b)
    np.testing.assert_array_equal(d, a)


@pytest.mark.parametrize(
    ("patients", "each", "reps"),
    [((50, 50), (3, 3), 100), ((50, 80), (3, 1), 100), ((200, 200), (2, 2), 30)],
)
def test_size_with_several_records_a_patient(patients, each, reps):
    rng = np.random.default_rng(sum(patients))
    hits = np.zeros(2)
    for rep in range(reps):
        pair = [clustered(rng, n, k) for n, k in zip(patients, each, strict=True)]
        result = kernel_test(*pair, [False] * 3, seed=rep, name="size", effort=LIGHT)
        hits += [result.energy.p <= 0.05, result.mmd.p <= 0.05]
    assert (np.abs(hits / reps - 0.05) <= 3 * np.sqrt(0.05 * 0.95 / reps)).all(), hits / reps


def test_the_same_test_fails_when_the_grouping_is_taken_out():
    rng, reps, hits = np.random.default_rng(7), 40, np.zeros(2)
    for rep in range(reps):
        pair = [own(clustered(rng, 50, 3).values) for _ in range(2)]
        result = kernel_test(*pair, [False] * 3, seed=rep, name="size", effort=LIGHT)
        hits += [result.energy.p <= 0.05, result.mmd.p <= 0.05]
    assert (hits / reps > 0.05 + 3 * np.sqrt(0.05 * 0.95 / reps)).all(), hits / reps


@pytest.mark.parametrize(("mu", "least", "most"), [(0.0, 0.92, 1), (0.3, 0.92, 1), (1, 0.9, 0.99)])
def test_intervals_cover_at_near_and_off_the_null(mu, least, most):
    across = np.sqrt(2) * (
        np.sqrt(2 / np.pi) * np.exp(-(mu**2) / 4)
        + mu / np.sqrt(2) * (2 * ndtr(mu / np.sqrt(2)) - 1)
    )
    truth, rng, covered, reps = 2 * across - 4 / np.sqrt(np.pi), np.random.default_rng(8), 0, 150
    for _ in range(reps):
        points = np.concatenate([rng.normal(size=60), rng.normal(mu, 1, 60)])[:, None]
        (kernel,) = patient_kernels(points.astype(np.float32), np.arange(120), [])
        value = discrepancy(kernel, labels(60, 60))[0]
        draws = [resample_weights(60, 200, rng) for _ in range(2)]
        low, high = norm_interval(value, bootstrap_moves(kernel, *draws))
        covered += low <= truth <= high
    assert least <= covered / reps <= most, covered / reps


def test_blocks_keep_size_and_value_and_jobs_change_nothing(monkeypatch):
    rng = np.random.default_rng(9)
    real, synth = own(rng.normal(size=(120, 4))), own(rng.normal(0.8, 1, (150, 4)))
    effort = Effort(50, 50, 99)
    whole = kernel_test(real, synth, [False] * 4, seed=0, name="b", effort=effort)
    monkeypatch.setattr(kernels, "MAX_PATIENTS", 40)
    cut = kernel_test(real, synth, [False] * 4, seed=0, name="b", effort=effort)
    assert (whole.blocks, cut.blocks) == (1, 3)
    assert cut.patients == (120, 120)
    assert cut.energy.value == pytest.approx(whole.energy.value, rel=0.2)
    assert cut.energy.p == cut.mmd.p == 0.01
    again = kernel_test(real, synth, [False] * 4, seed=0, name="b", effort=effort, jobs=2)
    assert again.energy.value == cut.energy.value
    np.testing.assert_array_equal(again.mmd.null, cut.mmd.null)
    hits = 0
    for rep in range(40):
        pair = [own(rng.normal(size=(90, 2))) for _ in range(2)]
        hits += kernel_test(*pair, [False] * 2, seed=rep, name="n", effort=LIGHT).mmd.p <= 0.05
    assert hits / 40 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 40)


def test_directions():
    rng = np.random.default_rng(10)
    real = rng.normal(size=(250, 6)) @ (np.eye(6) + 0.4)
    other = rng.normal(size=(250, 6)) @ (np.eye(6) + 0.4)
    effort = Effort(100, 100, 199)

    def test(synth):
        return kernel_test(own(real), own(synth), [False] * 6, seed=0, name="d", effort=effort)

    fair = test(other)
    assert fair.energy.p > 0.05
    worse = {
        "mode collapse": np.tile(other[:10], (25, 1)) + 0.01 * rng.normal(size=(250, 6)),
        "mode drop": np.where(other[:, :1] > 0, other, -other),
        "variance inflation": 1.6 * other,
        "shift": other + 0.7,
        "unit error": 1000 * other,
        "independent columns": rng.permuted(other, axis=0),
        "all missing": np.where(np.arange(6) == 0, np.nan, other),
    }
    for name, synth in worse.items():
        result = test(synth)
        assert result.mmd.p <= 0.025, name
        assert result.energy.value > fair.energy.floor[1], name
        assert result.energy.ci[0] <= result.energy.value <= result.energy.ci[1]
    gain = other.copy()
    gain[:, 0] *= 1.02
    assert test(gain).energy.value == pytest.approx(fair.energy.value, abs=0.02)
    copies = test(real)
    assert copies.energy.value < min(copies.energy.floor[0], copies.energy.null.min())


def test_swapping_the_sets_and_the_order_of_records():
    rng = np.random.default_rng(11)
    a, b = clustered(rng, 40, 2), clustered(rng, 60, 1)
    one = kernel_test(a, b, [False] * 3, seed=0, name="s", effort=LIGHT)
    two = kernel_test(b, a, [False] * 3, seed=0, name="s", effort=LIGHT)
    assert one.energy.value == pytest.approx(two.energy.value, abs=1e-5)
    order = rng.permutation(80)
    three = kernel_test(
        Sample(a.values[order], a.patient[order]), b, [False] * 3, seed=0, name="s", effort=LIGHT
    )
    assert one.energy.value == pytest.approx(three.energy.value, abs=1e-5)


def test_too_few_patients_is_a_reason():
    assert "19 patients" in kernel_test(
        own(np.zeros((19, 1))), own(np.zeros((99, 1))), [False], seed=0, name="x", effort=LIGHT
    )
    nothing = own(np.full((30, 1), np.nan))
    assert kernel_test(nothing, nothing, [False], seed=0, name="x", effort=LIGHT) == (
        "no measure has a value"
    )
