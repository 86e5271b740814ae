"""The three sets of an attack: patients, sides, and how many there are in words."""

import numpy as np

from ecgeval.privacy.attacks.sets import AttackedSets, flat, one_record_each


def test_patients_are_counted_and_coded_over_both_sides() -> None:
    x = np.zeros((5, 2, 3))
    sets = AttackedSets(x, x[:2], x[:4], np.array([7, 7, 3, 3, 9]), np.array([5, 5]), seed=4)
    assert sets.patients == (3, 1)
    assert sets.person.tolist() == [2, 2, 0, 0, 3, 1, 1]
    assert sets.is_train.tolist() == [True, False, True, True]
    assert sets.real.shape == (7, 2, 3)
    assert sets.sizes == {"n_real": 7, "n_synth": 4, "patients_real": 4, "seed": 4}
    assert sets.in_words() == (
        "there are 3 training patients, 1 holdout patient and 4 usable synthetic records"
    )


def test_without_holdout_there_is_one_side() -> None:
    sets = AttackedSets(np.zeros((2, 3)), None, np.zeros((0, 3)), np.array([1, 2]))
    assert sets.patients == (2, 0)
    assert sets.is_train.all()
    assert "no holdout known to be drawn alike" in sets.in_words()


def test_one_record_of_each_patient_any_of_them() -> None:
    person = np.array([4, 4, 4, 2, 2, 9])
    drawn = [one_record_each(person, np.random.default_rng(k)) for k in range(50)]
    assert all(person[rows].tolist() == [2, 4, 9] for rows in drawn)
    assert {int(rows[1]) for rows in drawn} == {0, 1, 2}


def test_records_become_rows_where_there_are_none() -> None:
    assert flat(np.zeros((0, 2, 3))).shape == (0, 6)
    assert flat(np.arange(12).reshape(2, 2, 3))[1].tolist() == [6, 7, 8, 9, 10, 11]
