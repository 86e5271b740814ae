"""Differences that are too small to speak of."""

import numpy as np

from ecgeval.comparison.margins import load_margins
from ecgeval.comparison.measures.practical_size import below_practical_size, largest
from ecgeval.comparison.rows import Row
from ecgeval.measures import measure_info
from ecgeval.stats.univariate import Comparison, Stat

ENDS = 3 * [(0, 1)]
NONE = np.zeros(9)


def row(column, median_diff, delta=0.0, real=NONE, synth=NONE):
    stats = {"median_diff": Stat(median_diff, *ENDS), "cliffs_delta": Stat(delta, *ENDS)}
    result = Comparison(stats, None, "")
    return Row(column, measure_info(column), result, None, real, synth, load_margins())


def test_the_practical_size_is_half_the_margin_and_ten_microvolts_of_an_amplitude():
    assert below_practical_size(row("qrs_ms", 2.9))
    assert not below_practical_size(row("qrs_ms", -3.1))
    assert below_practical_size(row("st60_V2_mv", 0.0124))
    assert not below_practical_size(row("st60_V2_mv", 0.0126))
    assert not below_practical_size(row("rmssd_ms", 0.001))  # no margin: never small


def test_a_difference_of_spread_is_no_small_effect():
    rng = np.random.default_rng(0)
    real, synth = rng.normal(90, 8, (2, 400))
    narrow = row("qrs_ms", 0.1, real=real, synth=90 + (synth - 90) / 4)
    assert below_practical_size(narrow)
    assert not below_practical_size(narrow, quartiles=True)


def test_the_largest_come_first_and_the_small_ones_last():
    rows = [row("qrs_ms", 4, 0.2), row("pr_ms", 0.1, 0.9), row("qt_ms", -9, -0.5)]
    assert [r.column for r in largest(rows)] == ["qt_ms", "qrs_ms", "pr_ms"]
