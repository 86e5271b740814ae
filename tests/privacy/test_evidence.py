"""The step from records to the exchangeability test: the patient is the unit."""

from types import SimpleNamespace

import numpy as np
import pytest

from ecgeval.privacy.evidence import _exchange

RUNS = 100


def rejections(records_a_patient, spread: float) -> float:
    """Return how often p <= .05 when nothing tells the sides apart.

    Parameters
    ----------
    records_a_patient : callable
        ``rng -> counts`` of 20 training and 20 holdout patients.
    spread : float
        SD of records within a patient; between patients it is 1.
    """
    rng, hits = np.random.default_rng(0), 0
    for seed in range(RUNS):
        person = np.repeat(np.arange(40), records_a_patient(rng))
        score = rng.normal(size=40)[person] + spread * rng.normal(size=len(person))
        train = SimpleNamespace(person=person[person < 20])
        holdout = SimpleNamespace(person=person[person >= 20])
        match = SimpleNamespace(real=score, detector=SimpleNamespace(id="D2"))
        test, _ = _exchange(train, holdout, (match,), seed, 199)  # type: ignore[arg-type]
        hits += test.p <= 0.05
    return hits / RUNS


LIMIT = 0.05 + 3 * np.sqrt(0.05 * 0.95 / RUNS)


def test_alike_records_of_a_patient_count_once() -> None:
    # Mutation: permuting the 400 records instead of the 40 patients rejects most of the time.
    assert rejections(lambda rng: np.full(40, 10), spread=0.1) <= LIMIT


def test_more_records_on_one_side_are_no_leak() -> None:
    # Mutation: without strata by number of records the side with more of them looks closer.
    def counts(rng: np.random.Generator) -> np.ndarray:
        return np.concatenate([rng.choice([1, 12], 20, p=p) for p in ([0.3, 0.7], [0.7, 0.3])])

    assert rejections(counts, spread=2) <= LIMIT


def test_too_few_patients_or_no_holdout_is_no_test() -> None:
    side = SimpleNamespace(person=np.arange(9))
    other = SimpleNamespace(person=np.arange(9, 40))
    match = SimpleNamespace(real=np.arange(40.0), detector=SimpleNamespace(id="D2"))
    assert _exchange(side, other, (match,), 0, 99) == (None, 0)  # type: ignore[arg-type]
    assert _exchange(side, None, (match,), 0, 99) == (None, 0)  # type: ignore[arg-type]


@pytest.mark.parametrize(("copied", "flagged"), [(0, 0), (3, 0), (25, 25)])
def test_patients_are_flagged_when_there_are_enough(copied: int, flagged: int) -> None:
    others = np.linspace(-2, -1, 100 - copied), np.linspace(-1, 1, 100)
    score = np.concatenate([np.full(copied, 9.0), *others])
    train, holdout = (SimpleNamespace(person=np.arange(i, i + 100)) for i in (0, 100))
    match = SimpleNamespace(real=score, detector=SimpleNamespace(id="D2"))
    assert _exchange(train, holdout, (match,), 0, 99)[1] == flagged  # type: ignore[arg-type]
