"""Scores of a design: against sklearn, by hand, and folds that keep groups together."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from ecgeval.comparison.usefulness.designs import Labelled, evaluate, floor, scores


def labelled(n, seed, shift=2.0, first=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(2, size=n)
    x = rng.normal(size=(n, 3)) + shift * y[:, None] * [1, 0, 0]
    return Labelled(x, y, np.arange(n), first + np.arange(n))


def test_scores_are_those_of_sklearn_and_weights_repeat_patients():
    rng = np.random.default_rng(0)
    y, patient = rng.integers(3, size=90), np.repeat(np.arange(30), 3)
    odds = rng.normal(size=(90, 3)).round(1) + np.eye(3)[y]
    side = Labelled(np.zeros((90, 1)), y, patient, patient)
    weights = np.column_stack([np.ones(30), np.arange(30) % 3]).astype(np.float32)
    found = scores(odds, side, 3, weights)
    for draw in range(2):
        repeated = np.repeat(np.arange(90), weights[patient, draw].astype(int))
        o, t = odds[repeated], y[repeated]
        areas = [roc_auc_score(t == c, o[:, c]) for c in range(3)]
        assert found[0, draw] == pytest.approx(np.mean(areas))
        assert found[1, draw] == pytest.approx(balanced_accuracy_score(t, o.argmax(axis=1)))


def test_records_are_taken_with_patients_numbered_anew():
    side = Labelled(np.arange(4.0)[:, None], np.arange(4), np.array([0, 1, 2, 2]), np.arange(4) + 7)
    part = side.take(np.array([False, True, False, True]))
    assert part.patient.tolist() == [0, 1]
    assert part.n_patients == 2
    assert part.group.tolist() == [8, 10]


def test_every_design_trains_on_as_many_records():
    real, synth = labelled(100, 0), labelled(300, 1, first=100)
    found = evaluate(real, synth, 2, 10, np.random.default_rng(0))
    (trained,) = {design.trained for design in found.values()}
    assert trained < 100
    for design in found.values():
        assert design.value[0] > 0.85
        assert design.draws.shape == (2, 10)


def test_halves_of_one_set_differ_by_chance():
    differences = np.array([floor(labelled(200, 0), 2, 0, "floor", k) for k in range(8)])
    assert np.abs(differences.mean(axis=0)).max() < 0.03
    assert (differences.std(axis=0) > 0).all()
