"""Conclusions from rows made by hand."""

import numpy as np

from ecgeval.comparison.margins import load_margins
from ecgeval.comparison.measures.findings import copies, differences, empty, equivalence
from ecgeval.comparison.rows import Missing, Row
from ecgeval.measures import measure_info
from ecgeval.results import Verdict
from ecgeval.stats.sample import Sample
from ecgeval.stats.univariate import Comparison


def row(column, result=None, missing=None):
    result = result or Comparison({}, None, "", too_few="3 patients with a value")
    info = measure_info(column)
    return Row(column, info, result, missing, np.ones(9), np.ones(9), load_margins())


def test_what_draws_cannot_decide_is_said():
    compared = row("qrs_ms", Comparison({}, 0.002, "500 bootstrap draws", p_least=0.002))
    said = "Not decided: QRS, whose p is the smallest that this number of draws can give (0.002)"
    large, small = {"qrs_ms": 0.2}, {"qrs_ms": 0.04}
    assert said in differences([compared], large, large, quick=True).explanation
    assert said not in differences([compared], small, large).explanation


def test_a_declared_measure_that_is_not_in_both_tables_rests_on_no_estimate():
    rows = [row(c) for c in load_margins().primary if c != "hr_bpm"]
    for finding in equivalence(rows, load_margins()):
        assert finding.verdict == Verdict.NOT_ASSESSABLE
        assert finding.title.startswith("Heart rate is not in both tables: not assessable")
        assert not any("hr_bpm" in id for id in finding.estimates)
    location, spread, shape = equivalence(rows, load_margins())
    assert location.estimates[0] == "fidelity.p_dur_ms.median_diff"
    assert "fidelity.qrs_axis_deg.circ_mean_diff" in location.estimates
    assert len(location.estimates) == len(shape.estimates) == len(spread.estimates) + 1 == 11


def test_what_has_no_value_in_one_set_in_both_and_no_column():
    full, none = Missing(0, 0, (0, 0), (0, 0), None), Missing(1, 1, (0, 0), (0, 0), None)
    half = Missing(1, 0.5, (0, 0), (0, 0), None)
    rows = [row("qrs_ms", missing=full), row("rr_ms", missing=none), row("pr_ms", missing=half)]
    found = empty(rows, {"qt_ms": "synthetic", "rmssd_ms": "real"}, load_margins())
    assert [(f.title.split(" of ")[0], f.verdict, f.gate) for f in found] == [
        ("No real record has a value", Verdict.FAIL, True),
        ("No record", Verdict.NOT_ASSESSABLE, False),
        ("The synthetic table has no column for QT", Verdict.NOT_ASSESSABLE, True),
        ("The real table has no column for RMSSD", Verdict.NOT_ASSESSABLE, False),
    ]
    assert empty(rows[:1], {}, load_margins()) == []


def test_rows_of_few_values_are_no_copies():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(5, 12))
    flat = np.zeros((4, 12))
    people = np.arange(5)
    assert copies((Sample(flat, people[:4]), Sample(flat, people[:4]))) == []
    (finding,) = copies((Sample(values, people), Sample(values[::-1][:3], people[:3])))
    assert finding.title == "3 synthetic records equal a real record in every measure"
