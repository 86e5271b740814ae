"""The quick look at memory: copies are seen, strangers are not, sides are exchanged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ecgeval.pipeline.features import features
from ecgeval.privacy.quick import Memory


@pytest.fixture(scope="module")
def people(sim):
    """Return training, other and synthetic people with their beats."""
    sets = [sim(40, seed=10), sim(30, seed=11), sim(60, seed=12)]
    return [(ecgs, features(ecgs).beats) for ecgs in sets]


def memory(people, train=0, other=1) -> Memory:
    (a, beats_a), (b, beats_b), _ = people
    sides = [(a, beats_a), (b, beats_b)]
    (t, beats_t), (o, beats_o) = sides[train], sides[other]
    return Memory(t, o, beats_t, beats_o, 250.0, (t.patients(), o.patients()))


def planted(people, k: int):
    """Return the synthetic set with its first `k` records copied from training, noise added."""
    (train, beats), _, (synth, own) = people
    signals, mixed = np.array(synth.signals), np.array(own)
    rng = np.random.default_rng(0)
    signals[:k] = train.signals[:k] + rng.normal(0, 0.01, signals[:k].shape)
    mixed[:k] = beats[:k]
    return replace(synth, signals=signals.astype(np.float32)), mixed


def test_strangers_leave_no_trace(people) -> None:
    m = memory(people)
    assert m.alike
    look = m.look(*people[2])
    assert (look.copies, look.n) == (0, 60)
    assert look.p > 0.01
    for _, auc, (low, high) in look.auc:
        assert low < auc < high
        assert low < 0.5 < high


def test_copies_are_counted_and_tell_the_sides_apart(people) -> None:
    look = memory(people).look(*planted(people, 15))
    assert (look.copies, look.control) == (15, 0)
    assert look.p < 0.01
    assert min(auc for _, auc, _ in look.auc) > 0.6


def test_with_the_sides_exchanged_the_copies_are_the_controls(people) -> None:
    look = memory(people, train=1, other=0).look(*planted(people, 15))
    assert (look.copies, look.control) == (0, 15)
    assert max(auc for _, auc, _ in look.auc) < 0.5


def test_more_copies_never_count_less(people) -> None:
    m = memory(people)
    counts = [m.look(*planted(people, k)) for k in (0, 3, 10, 25)]
    assert [c.copies for c in counts] == [0, 3, 10, 25]
    assert np.all(np.diff([c.p for c in counts]) <= 0)


def test_flat_records_show_nothing(people) -> None:
    ecgs, beats = people[2]
    flat = replace(ecgs, signals=np.zeros_like(ecgs.signals))
    look = memory(people).look(flat, np.full_like(beats, np.nan))
    assert (look.copies, look.control, look.auc, look.p, look.n) == (0, 0, (), 1.0, 0)


def test_sides_that_were_not_drawn_alike_are_noticed(people) -> None:
    (a, beats_a), (b, beats_b), _ = people
    gain = np.array([1, 1, 5, 5, 5, 5, 5, 5], np.float32)[:, None]  # a recorder of another chain
    other = replace(b, signals=b.signals * gain)
    m = Memory(a, other, beats_a, beats_b * gain, 250.0, (a.patients(), other.patients()))
    assert not m.alike
