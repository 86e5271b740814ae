"""What is concluded on the declared measures."""

import math

import numpy as np
import pytest

from ecgeval.checks import Check
from ecgeval.comparison.declared import (
    Decision,
    _verdict,
    decide_location,
    decide_shape,
    decide_spread,
    difference_text,
    intersection,
    within_margin,
)
from ecgeval.comparison.margins import load_margins
from ecgeval.comparison.rows import Row
from ecgeval.measures import measure_info
from ecgeval.results import Verdict
from ecgeval.stats.univariate import Comparison, Stat

CHECK = Check("XXX-CODE", "a check", "Whether.")


def row(column, *, patients=(3000, 3000), values=(90.0, 96.0), too_few="", **stats):
    """Return a row; a statistic is given by the ends of its interval."""
    made = {name: Stat(sum(ends) / 2, ends, ends, None) for name, ends in stats.items()}
    result = Comparison(made, None, "", patients, too_few)
    real, synth = (np.full(9, value) for value in values)
    return Row(column, measure_info(column), result, None, real, synth, load_margins())


@pytest.mark.parametrize(
    ("patients", "ends", "verdict"),
    [
        (30, (5.2, 14.8), Verdict.INCONCLUSIVE),  # 10 less 2.2 times 4.8 is below 0
        (3000, (5.2, 14.8), Verdict.FAIL),  # 10 less 1.97 times 4.8 is not
        (30, (9.0, 11.0), Verdict.FAIL),
        (30, (4.0, 16.0), Verdict.INCONCLUSIVE),  # crosses the margin of 5
        (30, (-1.0, 4.0), Verdict.PASS),  # a PASS needs no correction
    ],
)
def test_a_fail_is_outside_the_margin_and_no_chance_among_all_tests(patients, ends, verdict):
    """Without the second condition one of 84 intervals of an honest set will do."""
    qt = row("qt_ms", patients=(patients, patients), median_diff=ends)
    assert _verdict(qt, qt.result.stats["median_diff"], ends, -5, 5) == verdict


def test_a_difference_is_said_as_a_cardiologist_says_it():
    said = {
        "qrs_ms": "4.0 ms longer",
        "hr_bpm": "4.0 bpm faster",
        "qrs_axis_deg": "4.0 deg more rightward",
        "s_amp_V2_mv": "4.000 mV shallower",
        "r_amp_V5_mv": "4.000 mV higher",
    }
    for column, words in said.items():
        name = "circ_mean_diff" if column == "qrs_axis_deg" else "median_diff"
        assert difference_text(row(column, **{name: (3, 5)})) == words
    assert difference_text(row("qrs_ms", median_diff=(-5, -3))) == "4.0 ms shorter"
    assert difference_text(row("qrs_ms", median_diff=(-1, 1))) == "the same within 0.1 ms"
    assert difference_text(row("qrs_ms", shift_p05=(1, 3)), "shift_p05") == "2.0 ms longer"


def test_where_the_interval_lies():
    ends = {"inside": (1, 5), "across": (5, 7), "outside": (7, 9)}
    for word, at in ends.items():
        assert within_margin(row("qrs_ms", median_diff=at)) == f"{word} ±6.0 ms"
    assert within_margin(row("qrs_ms", too_few="3 patients")) == "not assessable"
    assert within_margin(row("rmssd_ms", median_diff=(1, 5))) == "no margin"


def test_a_location_is_decided_with_its_medians_and_how_far_off_it_is():
    got = decide_location(row("qrs_ms", median_diff=(7, 11)))
    assert (got.verdict, got.off, got.statistic) == (Verdict.FAIL, 1.5, "median_diff")
    assert got.sentence == (
        "QRS is 9.0 ms longer in the synthetic set (medians 90.0 ms real, 96.0 ms synthetic; "
        "90 % CI of the difference 7.0 to 11.0 ms; margin ±6.0 ms)"
    )
    axis = decide_location(row("qrs_axis_deg", circ_mean_diff=(-1, 1)))
    assert (axis.verdict, axis.statistic) == (Verdict.PASS, "circ_mean_diff")
    assert "medians" not in axis.sentence
    few = decide_location(row("qrs_ms", too_few="3 patients"))
    assert few == Decision(
        Verdict.NOT_ASSESSABLE, "QRS cannot be compared: 3 patients", math.inf, "median_diff"
    )


@pytest.mark.parametrize(
    ("ends", "verdict", "sentence"),
    [
        ((-0.1, 0.1), Verdict.PASS, "QRS varies as much, within 1 %, in the synthetic set"),
        ((-1.0, -0.8), Verdict.FAIL, "QRS varies 0.41 times as much in the synthetic set"),
        ((-math.inf, -math.inf), Verdict.FAIL, "QRS is the same in every synthetic record"),
        ((math.inf, math.inf), Verdict.FAIL, "QRS is the same in every real record"),
        ((math.nan, math.nan), Verdict.NOT_ASSESSABLE, "QRS is one constant in both sets"),
    ],
)
def test_a_spread_is_decided(ends, verdict, sentence):
    got = decide_spread(row("qrs_ms", log_sd_ratio=ends))
    assert got.verdict == verdict
    assert got.sentence.startswith(sentence)


def test_the_part_that_is_farthest_off_decides_the_shape():
    inside = {f"shift_p{p}": (-1, 1) for p in ("05", "25", "75")}
    got = decide_shape(row("qrs_ms", **inside, shift_p95=(8, 12), wasserstein=(0.5, 1.5)))
    assert (got.verdict, got.statistic) == (Verdict.FAIL, "shift_p95")
    assert got.off == pytest.approx(10 / 6)
    assert got.sentence.startswith("the 95th percentile of QRS is 10.0 ms longer")
    got = decide_shape(row("qrs_ms", **inside, shift_p95=(2, 4), wasserstein=(3, 5)))
    assert (got.verdict, got.statistic) == (Verdict.PASS, "wasserstein")
    assert got.sentence.endswith("is 4.0 ms (95 % limit 5.0 ms; margin 6.0 ms)")


def test_one_finding_on_all_decisions():
    parts = {
        "qrs_ms": Decision(Verdict.PASS, "QRS is fine", 0.2, "median_diff"),
        "qt_ms": Decision(Verdict.FAIL, "QT is off", 1.5, "median_diff"),
        "pr_ms": Decision(Verdict.FAIL, "PR is farther off", 2.5, "median_diff"),
        "hr_bpm": Decision(Verdict.NOT_ASSESSABLE, "heart rate is not there"),
    }
    got = intersection(CHECK, "median", parts, section="here", rule="All.")
    assert got.verdict == Verdict.FAIL
    assert got.title == (
        "PR is farther off: outside its margin; likewise 1 more of 4 declared measures"
    )
    assert got.explanation == (
        "2 FAIL, 1 NOT_ASSESSABLE, 1 PASS. PR is farther off; QT is off; heart rate is not there; "
        "QRS is fine."
    )
    assert got.estimates == tuple(f"here.{c}.median_diff" for c in ("qrs_ms", "qt_ms", "pr_ms"))
    alone = intersection(CHECK, "median", {"qrs_ms": parts["qrs_ms"]}, section="", rule="")
    assert alone.title.startswith("All 1 declared measures have an equivalent median;")
    none = intersection(CHECK, "median", {}, section="", rule="")
    assert none.verdict == Verdict.NOT_ASSESSABLE
