"""Recordings that occur twice, and splits that keep people together."""

import numpy as np
import pandas as pd
import pytest

from ecgeval.ecgset import EcgSet
from ecgeval.errors import UsageError
from ecgeval.privacy import split_patients
from ecgeval.privacy.copies.signals import record_signals
from ecgeval.privacy.hygiene import find_duplicates


@pytest.fixture(scope="module")
def repeated(sim) -> EcgSet:
    """Twelve records; 3 is 7 under another patient and 10 % louder, 5 is 9 with 10 µV noise."""
    ecgs = sim(12)
    signals = ecgs.signals.copy()
    signals[7] = 1.1 * signals[3]
    signals[9] = signals[5] + np.random.default_rng(0).normal(0, 0.01, signals[5].shape)
    records = pd.DataFrame({"patient_id": [f"p{i}" for i in range(12)]}, index=ecgs.ids)
    return EcgSet(signals, ecgs.fs, ecgs.leads, records)


def test_duplicates_are_found_under_another_gain_and_noise(repeated) -> None:
    found = find_duplicates(record_signals(repeated, repeated.leads, 10))
    np.testing.assert_array_equal(found.pairs, [[3, 7], [5, 9]])
    assert len(np.unique(found.group)) == 10
    assert found.group[3] == found.group[7]


def test_unusable_records_are_no_duplicates(sim) -> None:
    ecgs = sim(4)
    flat = EcgSet(np.zeros_like(ecgs.signals), ecgs.fs, ecgs.leads, ecgs.records)
    assert len(find_duplicates(record_signals(flat, flat.leads, 10)).pairs) == 0


def test_a_split_keeps_patients_and_recordings_together(repeated) -> None:
    for seed in range(8):
        train, holdout = split_patients(repeated, 0.5, np.random.default_rng(seed))
        assert len(train) + len(holdout) == 12
        assert not set(train.ids) & set(holdout.ids)
        for pair in ([3, 7], [5, 9]):
            assert np.isin(repeated.ids[pair], train.ids).sum() in (0, 2)


def test_a_split_goes_by_patient(sim) -> None:
    ecgs = sim(10, seconds=3)
    records = pd.DataFrame({"patient_id": np.repeat([1, 2, 3, 4, 5], 2)}, index=ecgs.ids)
    ecgs = EcgSet(ecgs.signals, ecgs.fs, ecgs.leads, records)
    train, holdout = split_patients(ecgs, 0.4, np.random.default_rng(0))
    assert train.records["patient_id"].nunique() == 2
    assert not set(train.records["patient_id"]) & set(holdout.records["patient_id"])


def test_a_split_that_leaves_nobody_is_refused(sim) -> None:
    with pytest.raises(UsageError, match="leaves one side empty"):
        split_patients(sim(3, seconds=3), 0.01, np.random.default_rng(0))
