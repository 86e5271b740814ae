"""Lines: against polyfit, hand counts, TOST at its margin, coverage; the size of the p."""

import numpy as np
import pytest

from ecgeval.comparison.joint.curves import compare_curves, largest
from ecgeval.comparison.joint.relations import RELATIONS, compare_lines, fit_line
from ecgeval.results import Verdict
from ecgeval.stats.equivalence import tost
from ecgeval.stats.sample import Effort, Sample

INTERVALS = Effort(bootstrap=200, floor=2, permutations=1)
TESTS = Effort(bootstrap=2, floor=2, permutations=39)


def own(x):
    return Sample(np.asarray(x, float), np.arange(len(x)))


def qt_rr(rng, patients, slope=0.15, each=1, sd_rr=130.0, sd=20.0, icc=0.7):
    """Return RR and QT (ms) of people with `each` records."""
    rr = 900 + sd_rr * rng.normal(size=(patients, 1)) + 20 * rng.normal(size=(patients, each))
    error = np.sqrt(icc) * rng.normal(size=(patients, 1))
    error = error + np.sqrt(1 - icc) * rng.normal(size=(patients, each))
    qt = 400 + slope * (rr - 900) + sd * error
    return Sample(np.stack([rr.ravel(), qt.ravel()], axis=1), np.repeat(np.arange(patients), each))


def test_a_line_is_that_of_polyfit():
    x, y = qt_rr(np.random.default_rng(0), 40).values.T
    moments = np.array([[len(x)], [x.sum()], [y.sum()], [x @ x], [x @ y], [y @ y]])
    fit = {k: float(v[0]) for k, v in fit_line(moments).items()}
    slope, intercept = np.polyfit(x, y, 1)
    residual = y - slope * x - intercept
    assert fit["slope"] == pytest.approx(slope)
    assert fit["intercept"] == pytest.approx(intercept)
    assert fit["residual_sd"] == pytest.approx(np.sqrt((residual**2).sum() / (len(x) - 2)))
    assert fit["r2"] == pytest.approx(np.corrcoef(x, y)[0, 1] ** 2)
    assert fit["sd_x"] == pytest.approx(x.std(ddof=1))


def test_both_lines_are_reported_and_compared():
    rng = np.random.default_rng(1)
    real, synth = qt_rr(rng, 80), qt_rr(rng, 90, slope=0.05, sd=8)
    lines = compare_lines(real, synth, seed=0, name="l", effort=Effort(300, 200, 199))
    for fit, sample in ((lines.real, real), (lines.synth, synth)):
        slope, intercept = np.polyfit(*sample.values.T, 1)
        assert fit["slope"] == pytest.approx(slope)
        assert fit["intercept"] == pytest.approx(intercept)
    for key, stat in lines.difference.items():
        assert stat.value == pytest.approx(lines.synth[key] - lines.real[key])
        assert stat.ci[0] < stat.ci90[0] < stat.value < stat.ci90[1] < stat.ci[1]
        assert stat.floor[0] < 0 < stat.floor[1]
    assert lines.difference["slope"].p == lines.difference["residual_sd"].p == 1 / 200
    swapped = compare_lines(synth, real, seed=0, name="l", effort=Effort(300, 200, 199))
    assert swapped.difference["slope"].value == -lines.difference["slope"].value


def test_a_patient_counts_once():
    rng = np.random.default_rng(2)
    single = qt_rr(rng, 50)
    many = Sample(np.repeat(single.values, 3, axis=0), np.repeat(single.patient, 3))
    a = compare_lines(single, single, seed=0, name="l", effort=INTERVALS)
    b = compare_lines(many, single, seed=0, name="l", effort=INTERVALS)
    assert b.difference["slope"].value == pytest.approx(0, abs=1e-12)
    assert b.difference["slope"].ci == pytest.approx(a.difference["slope"].ci)


def test_tost_of_slopes_at_the_margin_and_at_none():
    """PROOF (1.5): a difference of just the margin passes in at most 5 %, none in 90 % or more."""
    rng, reps, margin = np.random.default_rng(5), 80, 0.02
    # Both tests pass in 90 % where n = 2 (z.95 + z.95)^2 (SD about the line / SD of RR / D)^2.
    n = int(2 * (2 * 1.645) ** 2 * (20 / 130) ** 2 / margin**2)
    passed = {0.15: 0, 0.17: 0}
    for rep in range(reps):
        real = qt_rr(rng, n)
        for slope in passed:
            lines = compare_lines(real, qt_rr(rng, n, slope), seed=rep, name="l", effort=INTERVALS)
            verdict = tost(lines.difference["slope"].ci90, -margin, margin)
            passed[slope] += verdict == Verdict.PASS
    assert passed[0.15] / reps >= 0.9 - 3 * np.sqrt(0.9 * 0.1 / reps)
    assert passed[0.17] / reps <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / reps)


@pytest.mark.slow
def test_slope_intervals_cover_by_patient_and_not_by_record():
    rng, reps = np.random.default_rng(4), 200
    covered = np.zeros(2)
    for rep in range(reps):
        real, synth = qt_rr(rng, 80, each=3, icc=0.9), qt_rr(rng, 200, 0.16)
        for i, first in enumerate((real, own(real.values))):
            lines = compare_lines(first, synth, seed=rep, name="l", effort=INTERVALS)
            ci = lines.difference["slope"].ci
            covered[i] += ci[0] <= 0.01 <= ci[1]
    assert abs(covered[0] / reps - 0.95) < 3 * np.sqrt(0.95 * 0.05 / reps) + 0.01
    assert covered[1] / reps < 0.95 - 3 * np.sqrt(0.95 * 0.05 / reps)


@pytest.mark.parametrize(("n", "each", "reps"), [(50, 3, 200), (200, 2, 100)])
def test_size_of_the_p_of_lines_and_curves(n, each, reps):
    rng, hits = np.random.default_rng(n), np.zeros(3)
    for rep in range(reps):
        pair = qt_rr(rng, n, each=each), qt_rr(rng, n, each=each)
        lines = compare_lines(*pair, seed=rep, name="l", effort=TESTS)
        curve = compare_curves(*pair, largest, seed=rep, name="c", effort=TESTS)
        p = [lines.difference["slope"].p, lines.difference["residual_sd"].p, curve.distance.p]
        hits += np.array(p) <= 0.05
    assert (np.abs(hits / reps - 0.05) <= 3 * np.sqrt(0.05 * 0.95 / reps)).all(), hits / reps


def test_the_same_test_fails_when_the_grouping_is_taken_out():
    rng, reps, hits = np.random.default_rng(5), 150, np.zeros(2)
    for rep in range(reps):
        pair = [own(qt_rr(rng, 50, each=3, icc=0.9).values) for _ in range(2)]
        lines = compare_lines(*pair, seed=rep, name="l", effort=TESTS)
        curve = compare_curves(*pair, largest, seed=rep, name="c", effort=TESTS)
        hits += np.array([lines.difference["slope"].p, curve.distance.p]) <= 0.05
    assert (hits / reps > 0.05 + 3 * np.sqrt(0.05 * 0.95 / reps)).all(), hits / reps


def test_a_shift_of_a_set_is_no_difference_of_slope():
    rng = np.random.default_rng(6)
    real, synth = qt_rr(rng, 100), qt_rr(rng, 100)
    moved = Sample(synth.values + np.array([300, 90]), synth.patient)
    a = compare_lines(real, synth, seed=0, name="l", effort=TESTS)
    b = compare_lines(real, moved, seed=0, name="l", effort=TESTS)
    for key in ("slope", "residual_sd"):
        assert a.difference[key].value == pytest.approx(b.difference[key].value, abs=1e-9)
        assert a.difference[key].p == b.difference[key].p


def test_reasons_instead_of_lines():
    rng = np.random.default_rng(7)
    real = qt_rr(rng, 60)
    few = Sample(np.where(real.patient[:, None] < 15, real.values, np.nan), real.patient)
    assert "15 patients with all values in the synthetic set" in compare_lines(
        real, few, seed=0, name="l", effort=TESTS
    )
    flat = Sample(np.column_stack([np.full(60, 800.0), real.values[:, 1]]), real.patient)
    assert "one value" in compare_lines(real, flat, seed=0, name="l", effort=TESTS)


def test_what_is_reported_of_a_relation():
    reported = {r.name: [(name, unit) for _, name, unit in r.statistics] for r in RELATIONS}
    assert reported["qt_rr"] == [
        ("slope_diff", "ms/ms"),
        ("residual_sd_diff", "ms"),
        ("r2_diff", ""),
    ]
    assert reported["qt_rr_loglog"] == [("slope_diff", "")]
    assert reported["rr_sd_hr"][1] == ("residual_sd_diff", "")  # of a logarithm
