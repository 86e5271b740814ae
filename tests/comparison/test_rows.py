"""One measure of two sets."""

import numpy as np
import pytest

from ecgeval.comparison.margins import load_margins
from ecgeval.comparison.rows import Missing, Row, compare_rows, median_iqr, relative_margins
from ecgeval.measures import measure_info
from ecgeval.stats.sample import Effort, Sample

EFFORT = Effort(50, 20, 99)


def row(column, real):
    real = np.asarray(real, float)
    return Row(column, measure_info(column), None, None, real, real, load_margins())


def test_margins_that_are_a_share_of_the_real_median_say_so():
    s, qrs = row("s_amp_V2_mv", [-1.2, -1.3, -1.1]), row("qrs_ms", [90])
    assert s.margin == s.margin_of("shift_p05") == pytest.approx(0.12)
    assert s.margin_text() == "0.120 mV = 10 % of the real median"
    assert (qrs.margin, qrs.margin_text("wasserstein")) == (6, "6.0 ms")
    assert row("rmssd_ms", [30]).margin is None
    assert relative_margins([s, qrs]) == (
        "; sizes of their own except S amplitude V2 (10 % of the real median)"
    )
    assert relative_margins([qrs]) == ""


def test_the_share_without_a_value_and_its_floor():
    values = np.where(np.arange(100)[:, None] < [20, 0], np.nan, 1.0)
    both = Sample(values, np.arange(100)), Sample(values[::-1][:50], np.arange(50))
    some, none = Missing.of(*both, 200, np.random.default_rng(0))
    assert (some.real, some.synth) == (0.2, 0)
    assert some.ci[0] < some.ci90[0] < -0.2 < some.ci90[1] < some.ci[1] < 0
    assert some.floor[0] < 0 < some.floor[1]
    assert (none.real, none.synth) == (0, 0)
    assert none.floor == (0, 0)


def test_rows_leave_missing_values_out_and_have_curves_where_asked_for():
    rng = np.random.default_rng(1)
    values = rng.normal(90, 8, (60, 2))
    values[:10, 0] = np.nan
    both = Sample(values, np.arange(60)), Sample(values + 1, np.arange(60))
    given = {"seed": 0, "name": "test", "effort": EFFORT}
    qrs, other = compare_rows(both, ["qrs_ms", "rmssd_ms"], load_margins(), shift=True, **given)
    assert (len(qrs.real), len(other.real)) == (50, 60)
    assert qrs.result.stats["median_diff"].value == pytest.approx(1)
    assert qrs.result.shift is not None
    assert other.result.shift is None  # not declared
    assert qrs.missing.real == pytest.approx(1 / 6)
    plain, _ = compare_rows(both, ["qrs_ms", "rmssd_ms"], load_margins(), **given)
    assert plain.result.shift is None


def test_an_empty_set_gives_rows_without_statistics():
    both = Sample(np.ones((30, 1)), np.arange(30)), Sample(np.ones((0, 1)), np.arange(0))
    (qrs,) = compare_rows(both, ["qrs_ms"], load_margins(), seed=0, name="test", effort=EFFORT)
    assert qrs.result.too_few
    assert np.isnan(qrs.missing.real)


def test_median_and_quartiles_as_text():
    assert median_iqr(np.full(9, 90.0), measure_info("qrs_ms")) == "90.0 [90.0 to 90.0]"
    assert median_iqr(np.zeros(0), measure_info("qrs_ms")) == "–"
    assert median_iqr(np.array([10.0, 30.0]), measure_info("qrs_axis_deg")) == "20.0 deg"
