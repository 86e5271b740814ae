"""Recall of planted copies, and the limit it sets on copies that were missed."""

from types import SimpleNamespace

import numpy as np
import pytest

from ecgeval.privacy.copies.disguises import TRANSFORMS
from ecgeval.privacy.sensitivity import planted_found, upper_limit, weakest_recall

PLANTED = 20


def evidence(**missed: int) -> SimpleNamespace:
    """Return two detectors' finds, every copy by one of them but so many of a disguise."""
    found = np.ones((len(TRANSFORMS), PLANTED), bool)
    for row, transform in enumerate(TRANSFORMS):
        found[row, : missed.get(transform.id, 0)] = False
    odd = np.arange(PLANTED) % 2 == 1
    by = {"A": found & odd, "B": found & ~odd}
    matches = tuple(SimpleNamespace(detector=SimpleNamespace(id=k), found=v) for k, v in by.items())
    return SimpleNamespace(
        matches=matches,
        planted_rows=np.arange(PLANTED),
        synth=SimpleNamespace(signals={"record": None}),
    )


def test_any_is_the_union() -> None:
    found = planted_found(evidence(shift=4))
    assert list(found) == ["any", "A", "B"]
    assert found["any"].sum() == len(TRANSFORMS) * PLANTED - 4


def test_the_weakest_of_the_promised_counts() -> None:
    assert weakest_recall(evidence(shift=4)) == 0.8
    assert weakest_recall(evidence(flip=20)) == 1  # reported, not promised
    assert weakest_recall(evidence(retimed=20)) == 1  # promised with beats alone


def test_the_limit_by_hand() -> None:
    # Nothing found among 100, all of 20 planted found: both Clopper-Pearson limits in closed form.
    upper = (1 - 0.025 ** (1 / 100)) / 0.025 ** (1 / PLANTED)
    assert upper_limit(evidence(), 0, 100) == pytest.approx(upper)
    assert upper_limit(evidence(gain=5), 0, 100) > upper
    assert upper_limit(evidence(gain=PLANTED), 0, 100) == 1
    assert upper_limit(evidence(), 0, 0) == 1
