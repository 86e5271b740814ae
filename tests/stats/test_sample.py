import numpy as np
import pandas as pd
import pytest

from ecgeval.stats.sample import Effort, Sample, effective_n, rescale, split


def test_effective_n():
    patient = np.repeat(np.arange(40), 3)
    whole = np.repeat(np.arange(40) % 4 == 0, 3)
    # All three records of a patient alike: 40 independent values (times 39/40, the variance's n-1).
    assert effective_n(whole, patient) == pytest.approx(39)
    assert effective_n(np.zeros(120, bool), patient) == 40
    assert effective_n(whole, np.arange(120)) == 120


def test_split_moves_whole_patients():
    # Patient 0: records 0 and 1, one missing; 1: record 2, missing; 2: record 3, there.
    events = np.array([[True], [False], [True], [False]])
    chosen = np.array([[1.0, 0], [0, 1], [0, 1]])
    got = split(events, np.array([0, 0, 1, 2]), chosen)
    assert got.tolist() == [[0.0, 0.0]]
    assert split(events, np.array([0, 0, 1, 2]), chosen[[1, 0, 2]]).tolist() == [
        [1 - 1 / 3, 1 / 3 - 1]
    ]


def test_patients_are_numbered_by_name_and_infinity_is_no_value():
    table = pd.DataFrame({"x": [1.0, np.inf, 3.0], "y": [4.0, 5.0, np.nan], "other": list("abc")})
    sample = Sample.of(table, ["y", "x"], ["b", "a", "b"])
    assert sample.patient.tolist() == [1, 0, 1]
    assert sample.n_patients == 2
    np.testing.assert_array_equal(sample.values, [[4, 1], [5, np.nan], [np.nan, 3]])
    assert Sample.of(table[:0], ["x"], []).n_patients == 0


def test_the_noise_of_halves_is_scaled_to_that_of_the_sets():
    assert rescale(100, 100, 50, 50) == pytest.approx(np.sqrt(0.5))
    assert rescale(100, 100, 100, 100) == 1


def test_a_quick_run_draws_less_and_permutes_as_often():
    quick, full = Effort.of(True), Effort.of(False)
    assert quick.bootstrap < full.bootstrap
    assert quick.permutations == full.permutations
