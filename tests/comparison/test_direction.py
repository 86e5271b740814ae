"""What each kind of wrong synthetic set moves, and that nothing moves the wrong way."""

import numpy as np
import pandas as pd
import pytest

from ecgeval.comparison.measures import section
from ecgeval.comparison.pair import Pair, Side
from ecgeval.results import Verdict

N = 500


def people(n, seed):
    """Return measures of n people; one in eight has a broad QRS and a low T, as in block."""
    rng = np.random.default_rng(seed)
    block = rng.random(n) < 0.125
    return pd.DataFrame(
        {
            "hr_bpm": rng.normal(68, 9, n),
            "pr_ms": np.round(rng.normal(158, 16, n) / 2) * 2,
            "qrs_ms": np.round((rng.normal(90, 6, n) + 45 * block) / 2) * 2,
            "qt_ms": np.round(rng.normal(392, 20, n) / 2) * 2,
            "qrs_axis_deg": rng.normal(40, 25, n),
            "r_amp_V5_mv": np.round(rng.gamma(20, 0.06, n), 3),
            "t_amp_V5_mv": np.round(rng.normal(0.35, 0.1, n) - 0.3 * block, 3),
            "p_dur_ms": np.round(rng.normal(104, 9, n) / 2) * 2,
            "p_amp_II_mv": rng.normal(0.12, 0.03, n),
            "s_amp_V2_mv": -rng.gamma(20, 0.05, n),
            "st60_V2_mv": rng.normal(0.06, 0.04, n),
        },
        index=[f"{seed}-{i}" for i in range(n)],
    )


def collapse(honest):
    """Twenty records, each drawn over and over with a little noise."""
    rng = np.random.default_rng(0)
    centre = honest.median()
    chosen = honest.iloc[rng.integers(20, size=len(honest))].set_axis(honest.index)
    return centre + 0.5 * (chosen - centre) + rng.normal(size=honest.shape) * 1e-3


def drop(honest):
    """The people with a broad QRS are not generated; others take their place."""
    rest = honest[honest["qrs_ms"] < 115]
    return pd.concat([rest, rest]).iloc[: len(honest)].set_axis(honest.index)


def inflate(honest):
    return honest.median() + 1.5 * (honest - honest.median())


def unit(honest):
    return honest.assign(r_amp_V5_mv=1000 * honest["r_amp_V5_mv"])


def gain(honest):
    return honest.assign(r_amp_V5_mv=1.02 * honest["r_amp_V5_mv"])


def noise(honest):
    rng = np.random.default_rng(1)
    out = honest.copy()
    for column in ("r_amp_V5_mv", "t_amp_V5_mv"):
        out[column] += rng.normal(size=len(out)) * 0.02
    return out


def compare(synth, real=None):
    real = people(N, 0) if real is None else real
    return section.compare(Pair(Side(real, real.index), Side(synth, synth.index), quick=True))


HONEST = people(N, 1)


@pytest.fixture(scope="module")
def honest():
    return compare(HONEST)


def value(results, column, statistic):
    return results.estimate(f"fidelity.{column}.{statistic}").value


def verdict(results, code):
    (finding,) = [f for f in results.findings if f.code == code]
    return finding.verdict


def test_an_honest_set_fails_nothing(honest):
    assert Verdict.FAIL not in {f.verdict for f in honest.findings}


def test_mode_collapse(honest):
    got = compare(collapse(HONEST))
    assert verdict(got, "FID-SPREAD") == Verdict.FAIL
    assert verdict(got, "FID-SHAPE") == Verdict.FAIL
    for column in ("hr_bpm", "pr_ms", "qt_ms", "r_amp_V5_mv"):
        assert value(got, column, "log_sd_ratio") < value(honest, column, "log_sd_ratio") - 0.3
        assert value(got, column, "shift_p05") > value(honest, column, "shift_p05")
        assert value(got, column, "shift_p95") < value(honest, column, "shift_p95")
        assert value(got, column, "wasserstein") > value(honest, column, "wasserstein")
        assert value(got, column, "ks") > value(honest, column, "ks")


def test_mode_drop_is_seen_by_the_upper_quantile_though_the_median_is_equivalent(honest):
    got = compare(drop(HONEST))
    qrs = got.estimate("fidelity.qrs_ms.median_diff")
    assert -6 < qrs.ci[0] < qrs.ci[1] < 6
    assert verdict(got, "FID-SHAPE") == Verdict.FAIL
    assert value(got, "qrs_ms", "shift_p95") < -20
    assert abs(value(got, "qrs_ms", "shift_p25")) < 3
    assert value(got, "qrs_ms", "log_sd_ratio") < value(honest, "qrs_ms", "log_sd_ratio") - 0.3
    assert value(got, "qrs_ms", "wasserstein") > value(honest, "qrs_ms", "wasserstein")


def test_variance_inflation(honest):
    got = compare(inflate(HONEST))
    assert verdict(got, "FID-SPREAD") == Verdict.FAIL
    assert verdict(got, "FID-SHAPE") == Verdict.FAIL
    assert verdict(got, "FID-EQUIV") != Verdict.FAIL
    for column in ("hr_bpm", "pr_ms", "qt_ms", "r_amp_V5_mv"):
        change = value(got, column, "log_sd_ratio") - value(honest, column, "log_sd_ratio")
        assert change == pytest.approx(np.log(1.5), abs=1e-6)
        assert value(got, column, "shift_p05") < value(honest, column, "shift_p05")
        assert value(got, column, "shift_p95") > value(honest, column, "shift_p95")
        assert value(got, column, "wasserstein") > value(honest, column, "wasserstein")


def test_a_unit_error_fails_where_it_is_and_nowhere_else(honest):
    got = compare(unit(HONEST))
    for code in ("FID-EQUIV", "FID-SPREAD", "FID-SHAPE"):
        assert verdict(got, code) == Verdict.FAIL
        title = next(f.title for f in got.findings if f.code == code)
        assert "R amplitude V5" in title
        assert "likewise" not in title
    same_elsewhere(got, honest, "r_amp_V5_mv")


def same_elsewhere(got, honest, *changed):
    for e in honest.estimates:
        if not any(c in e.id for c in (*changed, "c2st")):
            assert got.estimate(e.id).value == e.value, e.id


def test_two_per_cent_of_gain_on_one_lead_moves_that_lead_only_and_is_no_failure(honest):
    got = compare(gain(HONEST))
    assert Verdict.FAIL not in {f.verdict for f in got.findings if f.gate}
    moved = value(got, "r_amp_V5_mv", "median_diff") - value(honest, "r_amp_V5_mv", "median_diff")
    assert moved == pytest.approx(0.02 * HONEST["r_amp_V5_mv"].median(), rel=0.02)
    for name, p in (("shift_p05", 0.05), ("shift_p95", 0.95)):
        change = value(got, "r_amp_V5_mv", name) - value(honest, "r_amp_V5_mv", name)
        assert change == pytest.approx(0.02 * HONEST["r_amp_V5_mv"].quantile(p), rel=0.05)
    assert value(got, "r_amp_V5_mv", "cliffs_delta") > value(honest, "r_amp_V5_mv", "cliffs_delta")
    same_elsewhere(got, honest, "r_amp_V5_mv")


def test_twenty_microvolts_of_noise_are_no_failure_and_no_improvement(honest):
    got = compare(noise(HONEST))
    assert Verdict.FAIL not in {f.verdict for f in got.findings if f.gate}
    spread = value(got, "t_amp_V5_mv", "log_sd_ratio") - value(
        honest, "t_amp_V5_mv", "log_sd_ratio"
    )
    assert 0 < spread < 0.03
    assert abs(value(got, "t_amp_V5_mv", "median_diff")) < 0.025
    same_elsewhere(got, honest, "r_amp_V5_mv", "t_amp_V5_mv")


def test_exact_copies_score_best_and_never_pass():
    got = compare(people(N, 0).set_axis(HONEST.index))
    assert value(got, "qrs_ms", "wasserstein") == 0
    assert value(got, "qrs_ms", "shift_p95") == 0
    assert verdict(got, "FID-COPIES") == Verdict.FAIL
    assert got.exit_code == 1


@pytest.mark.parametrize("n", [40, 100, 1000])
def test_the_same_null_at_any_size_lies_in_its_floor(n):
    """A score that depends on n (0.315, 0.090, 0.011 elsewhere) must carry its floor."""
    got = compare(people(n, 3), real=people(n, 2))
    inside = [
        e.floor[0] <= e.value <= e.floor[1] * 1.25
        for e in got.estimates
        if e.id.endswith(".wasserstein")
    ]
    assert np.mean(inside) >= 0.8


def test_one_broken_value_is_a_missing_value_and_no_error():
    synth = HONEST.copy()
    synth.iloc[0, 0] = np.nan
    synth.iloc[1, 1] = np.inf
    got = compare(synth)
    assert got.estimate("fidelity.hr_bpm.median_diff").n_synth == N - 1
    assert got.estimate("fidelity.pr_ms.missing_diff").value == pytest.approx(100 / N)
