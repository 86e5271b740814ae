"""Given pairs, all pairs, and the nearest of a screen: what each similarity is over."""

from dataclasses import replace

import numpy as np

from ecgeval.privacy.copies.detectors import DETECTORS
from ecgeval.privacy.copies.pairs import pairwise, similarities
from ecgeval.privacy.copies.signals import Signals, record_signals


class Table:
    """A detector whose similarities are given."""

    id = "given"

    def __init__(self, value: np.ndarray) -> None:
        self.value = value

    def kernel(self, *_: object) -> "Table":
        return self

    def exact(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        return self.value[i, j]


def test_a_record_is_as_alike_as_its_best_part() -> None:
    table = Table(np.arange(12.0).reshape(2, 6))
    a, b = (Signals(np.zeros((n, 1, 1)), np.ones(n, bool), {}) for n in (2, 4))
    owner = np.array([2, 0, 0, 3, 2, 2])  # of six parts; record 1 has none
    parted = replace(b, parts=np.zeros((6, 1, 1)), owner=owner)
    pairs = np.array([0 * 4 + 0, 0 * 4 + 2, 1 * 4 + 2, 1 * 4 + 3])
    assert pairwise(table, a, parted, pairs).tolist() == [2.0, 5.0, 11.0, 9.0]
    assert pairwise(table, a, b, pairs).tolist() == [0, 2, 8, 9]


def test_what_a_record_is_compared_with_depends_on_nobody_beside_it(sim) -> None:
    """Else the smaller of two sides would be compared more often, record by record."""
    detectors = [d for d in DETECTORS if d.id in ("D4T", "D7")]
    rng = np.random.default_rng(0)
    a, b = (
        {
            "record": record_signals(s, s.leads, s.seconds),
            "beat": Signals(
                rng.normal(size=(len(s), 8, 203)).astype(np.float32), np.ones(len(s), bool), {}
            ),
        }
        for s in (sim(20, seed=1, fs=250), sim(8, seed=2, fs=250))
    )
    nearest = detectors[1].nearest
    for whose, axis in (("a", 1), ("b", 0)):
        found = dict(similarities(detectors, a, b, nearest_to=whose))["D7"]
        assert ((found > -1).sum(axis=axis) == nearest).all()
    some = {name: s.only(np.arange(5)) for name, s in b.items()}
    few = dict(similarities(detectors, a, some, nearest_to="b"))["D7"]
    np.testing.assert_array_equal(few, found[:, :5])
