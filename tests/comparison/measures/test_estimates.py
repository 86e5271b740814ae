"""The numbers of one measure, and p-values over all of them."""

import math

import numpy as np
import pandas as pd
import pytest

from ecgeval.comparison.margins import load_margins
from ecgeval.comparison.measures.estimates import adjusted_p, classifier_estimates, estimates
from ecgeval.comparison.pair import Pair, Side
from ecgeval.comparison.rows import Missing, Row
from ecgeval.measures import measure_info
from ecgeval.stats.multiplicity import benjamini_hochberg
from ecgeval.stats.univariate import Comparison, Stat

FEW = Comparison({}, None, "", (3, 4), "3 patients with a value")


def row(column, result):
    missing = Missing(0.25, 0.5, (-0.1, 0.6), (0, 0.5), None)
    info = measure_info(column)
    return Row(column, info, result, missing, np.ones(3), np.ones(2), load_margins())


@pytest.fixture
def pair():
    real, synth = pd.DataFrame({"qrs_ms": [1.0] * 4}), pd.DataFrame({"qrs_ms": [2.0] * 5})
    return Pair(Side(real, list("aabc")), Side(synth, range(5)), seed=7)


def test_p_is_adjusted_over_the_measures_that_have_one():
    rows = [row(c, Comparison({}, p, "")) for c, p in (("qrs_ms", 0.02), ("qt_ms", 0.5))]
    got = adjusted_p([rows[0], row("pr_ms", FEW), rows[1]], benjamini_hochberg)
    assert got == {"qrs_ms": pytest.approx(0.04), "qt_ms": pytest.approx(0.5)}
    assert adjusted_p([row("pr_ms", FEW)], benjamini_hochberg) == {}


def test_a_measure_with_too_few_values_says_so_in_each_estimate(pair):
    found = {
        e.id.removeprefix("fidelity.qrs_ms."): e for e in estimates(row("qrs_ms", FEW), 0.1, pair)
    }
    assert {"ks", "log_sd_ratio", "shift_p05", "missing_diff"} <= set(found)
    assert found["ks"].value is None
    assert found["ks"].method == "not computed: 3 patients with a value"
    missing = found["missing_diff"]
    assert (missing.value, missing.ci, missing.floor) == (25, (-10, 60), None)
    assert (missing.n_real, missing.n_synth) == (4, 5)
    assert (missing.patients_real, missing.patients_synth) == (3, 5)
    assert missing.unit == "percentage points"
    assert {e.seed for e in found.values()} == {7}


def test_an_infinite_value_is_none_and_said(pair):
    stat = Stat(-math.inf, (-math.inf, 0), (-math.inf, 0), (-1, 1))
    result = Comparison({"log_sd_ratio": stat}, 0.5, "by permutation", (3, 2))
    (spread,) = (e for e in estimates(row("qt_ms", result), 0.1, pair) if "log_sd" in e.id)
    assert (spread.value, spread.ci, spread.floor) == (None, None, (-1, 1))
    assert spread.method.endswith("no finite value: a set has standard deviation 0")
    assert spread.p is None


def test_only_declared_measures_that_are_no_angles_have_percentiles(pair):
    for column, there in (("qrs_ms", True), ("qrs_axis_deg", False), ("rmssd_ms", False)):
        names = [e.id.rsplit(".", 1)[1] for e in estimates(row(column, FEW), None, pair)]
        assert ("shift_p95" in names) == there


def test_a_classifier_that_was_not_run_says_why(pair):
    (estimate,) = classifier_estimates("nearest", "12 patients", pair)
    assert (estimate.value, estimate.null) == (None, 0.5)
    assert estimate.method == "not computed: 12 patients"
