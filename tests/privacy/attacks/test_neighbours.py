"""Neighbours and cells: against Mann-Whitney, and with few neighbours kept."""

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from ecgeval.privacy.attacks.indicators import INDICATORS, nndr
from ecgeval.privacy.attacks.neighbours import Neighbours, Sided, cell_scores, neighbours


def look(train, holdout, synth, person=None, k: int = 99) -> Sided:
    real = np.concatenate([train, holdout]).astype(float)
    person = np.arange(len(real)) if person is None else person
    n = neighbours(
        real, np.asarray(synth, float), person, k=min(k, len(real)), rng=np.random.default_rng(0)
    )
    return Sided(n, np.arange(len(real)) < len(train))


def column(values) -> np.ndarray:
    return np.array(values, float)[:, None]


def test_cells_are_mann_whitney() -> None:
    rng = np.random.default_rng(2)
    t, h, s = (rng.normal(size=(n, 3)) for n in (70, 70, 90))
    side = look(t, h, s)
    z, weight = cell_scores(side)
    for cell in range(len(z)):
        a = side.synth_train[side.n.synth_cell == cell]
        b = side.real_train[70:][side.n.real_cell[70:] == cell]
        u = mannwhitneyu(a, b).statistic
        spread = np.sqrt(len(a) * len(b) * (len(a) + len(b) + 1) / 12)
        assert z[cell] == pytest.approx((u - len(a) * len(b) / 2) / spread)
    assert weight.sum() == pytest.approx(1)


def test_few_neighbours_give_the_same_as_all() -> None:
    rng = np.random.default_rng(9)
    t, h, s = rng.normal(size=(3, 50, 3))
    few, every = look(t, h, s, k=25), look(t, h, s, k=100)
    for c in INDICATORS:
        assert c.kernel(few) == pytest.approx(c.kernel(every)), c.id


def test_a_second_record_of_the_patient_is_no_second_neighbour() -> None:
    # A copy of a patient with two records is near both; the ratio looks at another patient.
    side = look(column([0, 0.1, 50, 50.1]), column([100]), column([0, 50]), np.arange(5) // 2)
    assert isinstance(side.n, Neighbours)
    assert nndr(side) == pytest.approx(0, abs=1e-9)
