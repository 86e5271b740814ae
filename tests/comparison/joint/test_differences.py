"""Patients with all values, their means, and the norm of a difference: by hand."""

import numpy as np
import pytest

from ecgeval.comparison.joint.differences import (
    chunks,
    complete,
    norm_statistic,
    patient_means,
    too_few,
)
from ecgeval.stats.sample import Sample


def test_only_complete_records_count_and_patients_are_numbered_anew():
    sample = Sample(np.array([[1.0, 2], [np.nan, 1], [3, 4], [5, 6]]), np.array([0, 1, 2, 2]))
    kept = complete(sample)
    np.testing.assert_array_equal(kept.values, [[1, 2], [3, 4], [5, 6]])
    assert kept.patient.tolist() == [0, 1, 1]
    np.testing.assert_array_equal(patient_means(kept.values, kept.patient), [[1, 2], [4, 5]])


def test_sets_with_too_few_patients_are_named():
    enough, few = (Sample(np.zeros((n, 1)), np.arange(n)) for n in (20, 19))
    assert too_few(enough, enough) == ""
    assert too_few(enough, few).startswith("19 patients with all values in the synthetic set (at")
    assert " and " in too_few(few, few)


def test_draws_come_in_pieces():
    assert chunks(600) == [250, 250, 100]
    assert sum(chunks(999)) == 999


def test_the_interval_of_a_norm_is_that_of_the_triangle_inequality():
    moves = np.linspace(0, 1, 101)
    stat = norm_statistic(0.5, moves, moves, moves)
    assert stat.ci == pytest.approx((0, 1.45))
    assert norm_statistic(2, moves, moves, moves).ci == pytest.approx((1.05, 2.95))
    assert stat.p == 52 / 102  # 51 draws reach the value, which counts as one more
    assert norm_statistic(2, moves, moves, moves).p == 1 / 102
