"""One measure at a time: p-values of the right size, and numbers that nothing irrelevant moves."""

import dataclasses

import numpy as np
import pytest
from scipy.stats import ks_2samp

from ecgeval.stats.sample import Effort, Sample
from ecgeval.stats.univariate import KERNELS, LEVELS, compare_columns

REPEATS = 400
TEST_ONLY = Effort(bootstrap=20, floor=20, permutations=999)


def p_values(real, synth, patient_real=None, patient_synth=None, effort=TEST_ONLY):
    n, m = len(real), len(synth)
    results = compare_columns(
        Sample(real, np.arange(n) if patient_real is None else patient_real),
        Sample(synth, np.arange(m) if patient_synth is None else patient_synth),
        [False] * real.shape[1],
        seed=1,
        effort=effort,
    )
    return np.array([r.p for r in results]), results[0].p_method


def three_se(alpha, n=REPEATS):
    return 3 * np.sqrt(alpha * (1 - alpha) / n)


def test_ties_permutation_has_the_right_size_where_the_classical_p_has_not():
    """N(90, 8) rounded to 10: the classical test at 5 % rejects far too rarely."""
    rng = np.random.default_rng(0)
    real, synth = np.round(rng.normal(90, 8, (2, 100, REPEATS)) / 10) * 10
    p, method = p_values(real, synth)
    assert "permutations of patients" in method
    # Few levels: D takes few values, so the size may lie below 5 % but not near 0.
    assert 0.05 - three_se(0.05) - 0.01 < np.mean(p <= 0.05) <= 0.05 + three_se(0.05)
    classical = [ks_2samp(real[:, i], synth[:, i]).pvalue <= 0.05 for i in range(100)]
    assert np.mean(classical) < 0.02


@pytest.mark.parametrize("n", [50, pytest.param(200, marks=pytest.mark.slow)])
def test_size_with_three_records_a_patient_and_without_the_grouping(n):
    rng = np.random.default_rng(n)

    def draw():
        person = np.repeat(rng.normal(size=(n, REPEATS)), 3, axis=0) * np.sqrt(0.7)
        values = person + rng.normal(size=(3 * n, REPEATS)) * np.sqrt(0.3)
        return np.round(values * 5) / 5, np.repeat(np.arange(n), 3)

    (real, patient), (synth, _) = draw(), draw()
    p, _ = p_values(real, synth, patient, patient)
    assert abs(np.mean(p <= 0.05) - 0.05) < three_se(0.05)
    by_record, _ = p_values(real[:, :100], synth[:, :100])
    assert np.mean(by_record <= 0.05) > 0.05 + three_se(0.05, 100)


@pytest.mark.parametrize(
    ("n", "each", "repeats"),
    [
        (50, 3, 200),
        pytest.param(200, 3, 120, marks=pytest.mark.slow),
        pytest.param(1000, 2, 80, marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("circular", [False, True])
def test_size_of_ks_and_watson_by_number_of_patients(n, each, repeats, circular):
    rng = np.random.default_rng(n + circular)

    def draw():
        person = np.repeat(rng.normal(size=(n, repeats)), each, axis=0) * np.sqrt(0.8)
        values = person + rng.normal(size=(each * n, repeats)) * np.sqrt(0.2)
        return np.round(values * 5) * 6, np.repeat(np.arange(n), each)  # degrees, SD 30

    def rejected(real, synth, who):
        found = compare_columns(
            Sample(real, who),
            Sample(synth, who),
            [circular] * real.shape[1],
            seed=1,
            effort=TEST_ONLY,
        )
        return np.mean(np.array([r.p for r in found]) <= 0.05)

    (real, patient), (synth, _) = draw(), draw()
    assert abs(rejected(real, synth, patient) - 0.05) < three_se(0.05, repeats)
    if n == 50:
        few = slice(100)
        alone = np.arange(each * n)
        assert rejected(real[:, few], synth[:, few], alone) > 0.05 + three_se(0.05, 100)


def test_size_where_only_the_real_set_repeats_patients():
    rng = np.random.default_rng(7)
    person = np.repeat(rng.normal(size=(100, REPEATS)), 3, axis=0) * np.sqrt(0.5)
    real = np.round((person + rng.normal(size=(300, REPEATS)) * np.sqrt(0.5)) * 5) / 5
    synth = np.round(rng.normal(size=(600, REPEATS)) * 5) / 5
    effort = Effort(bootstrap=400, floor=20, permutations=999)
    p, method = p_values(real, synth, np.repeat(np.arange(100), 3), effort=effort)
    assert "centred on the null" in method
    assert abs(np.mean(p <= 0.05) - 0.05) < three_se(0.05)


def test_untied_independent_values_get_the_classical_p():
    rng = np.random.default_rng(3)
    real, synth = rng.normal(size=(60, 1)), rng.normal(0.3, 1, (80, 1))
    p, method = p_values(real, synth)
    assert method == "exact"
    assert p[0] == pytest.approx(ks_2samp(real[:, 0], synth[:, 0], method="exact").pvalue)


def skewed(n, seed, columns=3):
    rng = np.random.default_rng(seed)
    values = np.column_stack(
        [rng.gamma(3, 10, n), np.round(rng.normal(90, 8, n) / 2) * 2, rng.normal(40, 20, n)]
    )
    values[rng.random(values.shape) < 0.05] = np.nan
    return values[:, :columns]


FLAGS = [False, False, True]


def everything(results):
    return [np.hstack(dataclasses.astuple(s)) for r in results for _, s in sorted(r.stats.items())]


def test_the_same_bytes_for_any_number_of_jobs():
    real = Sample(np.tile(skewed(60, 0), 9), np.arange(60))
    synth = Sample(np.tile(skewed(90, 1), 9), np.arange(90))
    one, two = (
        compare_columns(real, synth, FLAGS * 9, seed=0, effort=Effort(50, 50, 99), jobs=jobs)
        for jobs in (1, 2)
    )
    assert np.array_equal(everything(one), everything(two))
    assert [r.p for r in one] == [r.p for r in two]


def test_record_order_and_patient_names_do_not_matter():
    values, patient = skewed(80, 2), np.repeat(np.arange(40), 2)
    synth = Sample(skewed(90, 3), np.arange(90))
    effort = Effort(200, 100, 99)
    order = np.random.default_rng(0).permutation(80)
    plain = compare_columns(Sample(values, patient), synth, FLAGS, seed=0, effort=effort)
    moved = compare_columns(
        Sample(values[order], patient[order]), synth, FLAGS, seed=0, effort=effort
    )
    np.testing.assert_allclose(everything(plain), everything(moved), rtol=1e-4, atol=1e-4)


def test_microvolts_and_millivolts_agree():
    real, synth = skewed(80, 4, 2), skewed(90, 5, 2)
    effort = Effort(200, 100, 99)
    patients = np.arange(80), np.arange(90)
    mv, uv = (
        compare_columns(
            Sample(real * k, patients[0]),
            Sample(synth * k, patients[1]),
            FLAGS[:2],
            seed=0,
            effort=effort,
        )
        for k in (1, 1000)
    )
    for a, b in zip(mv, uv, strict=True):
        assert a.p == b.p
        for name, stat in a.stats.items():
            k = 1000 if name in ("wasserstein", "median_diff") else 1
            np.testing.assert_allclose(
                np.hstack(dataclasses.astuple(stat)) * k,
                np.hstack(dataclasses.astuple(b.stats[name])),
                rtol=1e-3,
                atol=1e-3 * k,
            )


def test_exchanging_the_sets_flips_intervals():
    real, synth = Sample(skewed(300, 6), np.arange(300)), Sample(skewed(320, 7), np.arange(320))
    effort = Effort(1000, 100, 99)
    forth = compare_columns(real, synth, FLAGS, seed=0, effort=effort)
    back = compare_columns(synth, real, FLAGS, seed=0, effort=effort)
    for a, b in zip(forth, back, strict=True):
        for name in set(a.stats) & {
            "cliffs_delta",
            "log_sd_ratio",
            "median_diff",
            "circ_mean_diff",
        }:
            assert a.stats[name].value == pytest.approx(-b.stats[name].value)
            width = a.stats[name].ci[1] - a.stats[name].ci[0]
            assert a.stats[name].ci[0] == pytest.approx(-b.stats[name].ci[1], abs=0.15 * width)


def test_the_grid_changes_intervals_by_little():
    """Far more distinct values than levels: the draws must stay about the exact values."""
    rng = np.random.default_rng(8)
    real, synth = rng.normal(size=(4000, 1)), rng.normal(0.1, 1.2, (4000, 1))
    assert len(np.unique(real)) > LEVELS
    result = compare_columns(
        Sample(real, np.arange(4000)),
        Sample(synth, np.arange(4000)),
        [False],
        seed=0,
        effort=Effort(400, 20, 0),
    )[0]
    x, y = real[:, 0], synth[:, 0]
    direct = {name: [] for name in ("cliffs_delta", "hedges_g", "log_sd_ratio", "median_diff")}
    for _ in range(150):
        a, b = rng.choice(x, 4000), rng.choice(y, 4000)
        for name, values in direct.items():
            values.append(KERNELS[name](a, b))
    for name, values in direct.items():
        stat = result.stats[name]
        half = (stat.ci[1] - stat.ci[0]) / 2
        assert stat.value == KERNELS[name](x, y)
        # 150 draws know their SD to 6 %.
        assert half == pytest.approx(1.96 * np.std(values), rel=0.2)
        assert sum(stat.ci) / 2 == pytest.approx(stat.value, abs=0.15 * half)


def test_too_few_patients_are_counted_by_patient_not_by_record():
    values = np.random.default_rng(9).normal(size=(60, 1))
    few = compare_columns(
        Sample(values, np.repeat(np.arange(15), 4)), Sample(values, np.arange(60)), [False], seed=0
    )[0]
    assert few.p is None
    assert not few.stats
    assert few.too_few == "15 patients with a value in the real set (at least 20 needed)"
