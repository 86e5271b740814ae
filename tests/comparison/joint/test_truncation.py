"""Hard edges: exact p, tails that do not see location or scale, what must and must not fire."""

from itertools import combinations

import numpy as np
import pytest
from scipy.special import ndtri

from ecgeval.comparison.joint.truncation import find_edges, log_tail, one_record_each, precedence
from ecgeval.stats.sample import Effort, Sample

EFFORT = Effort(bootstrap=200, floor=100, permutations=1)


def rates(rng, n):
    """Return heart rates of n people, bpm: skewed, as real ones are."""
    return 60_000 / rng.normal(900, 130, n).clip(400)


def test_precedence_by_hand_and_by_enumeration():
    assert precedence(3, 1, 3, 3) == pytest.approx(1 / 20)  # no overlap: 1 / C(6, 3)
    assert precedence(0, 1, 5, 7) == 1
    for n, m in ((4, 3), (3, 5)):
        orders = [set(c) for c in combinations(range(n + m), m)]
        for j in (1, 2):
            below = [sorted(c)[j - 1] - (j - 1) for c in orders]
            for k in range(n + 1):
                want = np.mean([b >= k for b in below])
                assert precedence(k, j, n, m) == pytest.approx(want)


def test_tails_in_closed_form():
    ones = np.ones((4000, 1))
    at = (np.arange(4000) + 0.5) / 4000
    normal = np.log((ndtri(0.1) - ndtri(0.01)) / -ndtri(0.1))
    assert log_tail(ndtri(at), ones)[0] == pytest.approx(normal, abs=0.01)
    assert log_tail(at, ones)[0] == pytest.approx(np.log(0.09 / 0.4), abs=0.01)
    assert log_tail(3 * ndtri(at) + 70, ones)[0] == pytest.approx(normal, abs=0.01)
    assert np.isnan(log_tail(np.zeros(50), np.ones((50, 1)))[0])


def test_weights_of_a_tail_are_repeats():
    rng = np.random.default_rng(0)
    x, weight = rng.normal(size=200), rng.integers(0, 4, 200)
    repeated = np.repeat(x, weight)
    a = log_tail(x, weight[:, None].astype(float))[0]
    assert a == pytest.approx(log_tail(repeated, np.ones((len(repeated), 1)))[0], abs=0.05)


def cut(real, synth, low=True):
    """Return whether the edge counts as cut, as JOINT-TRUNCATION decides for twelve ends."""
    edge = find_edges(real, synth, seed=0, name="t", effort=EFFORT)[0 if low else 1]
    tail, cut = edge.tail, edge.is_cut(0.05 / 12)
    by_hand = edge.beyond.p <= 0.05 / 12 and tail and tail.value < np.log(0.6) and tail.ci[1] < 0
    assert cut == bool(by_hand)
    return cut


def test_a_filter_is_found_at_either_end():
    rng = np.random.default_rng(1)
    real, synth = rates(rng, 300), rates(rng, 900)
    kept = synth[(synth >= 60) & (synth <= 100)]
    low, _high = find_edges(real, kept, seed=0, name="t", effort=EFFORT)
    assert low.at == pytest.approx(60, abs=0.5)
    assert low.beyond.value == pytest.approx((real < low.at).mean())
    assert low.beyond.p < 1e-6
    assert low.beyond.ci[0] < low.beyond.value < low.beyond.ci[1]
    assert low.beyond.floor[1] < 0.03
    assert low.null == pytest.approx(5 / (len(kept) + 1), abs=0.002)
    assert cut(real, kept)
    assert cut(-real, -kept, low=False)
    assert not cut(real, synth)
    # A filter in both sets leaves nothing to find.
    assert not cut(real[real >= 60], kept)


@pytest.mark.parametrize(
    "change",
    [
        lambda x, _: x + 12,
        lambda x, _: 70 + 0.6 * (x - 70),
        lambda x, _: 70 + 1.5 * (x - 70),
        lambda x, _: 1000 * x,
        lambda x, r: x + r.normal(0, 3, 900),
    ],
    ids=["shift", "narrower", "wider", "unit", "noise"],
)
def test_no_other_difference_is_called_selection(change):
    rng = np.random.default_rng(2)
    real, synth = rates(rng, 300), rates(rng, 900)
    assert not cut(real, change(synth, rng))
    assert not cut(real, change(synth, rng), low=False)


def test_honest_halves_fire_no_more_often_than_declared():
    rng, hits, reps = np.random.default_rng(3), np.zeros(2), 200
    for _ in range(reps):
        low, _high = find_edges(
            rates(rng, 60), rates(rng, 80), seed=0, name="t", effort=Effort(2, 2, 1)
        )
        hits += [low.beyond.p <= 0.05, low.beyond.p <= 0.05 / 12 and (low.tail.value < -0.5)]
    assert hits[0] / reps <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / reps)
    assert hits[1] / reps <= 0.05 / 12 + 3 * np.sqrt(0.05 / 12 / reps)


def test_one_record_each_is_of_the_patient():
    sample = Sample(np.arange(12.0)[:, None], np.repeat(np.arange(4), 3))
    picked = [one_record_each(sample, np.random.default_rng(k)) for k in range(30)]
    for own in picked:
        assert own.patient.tolist() == [0, 1, 2, 3]
        assert (own.values[:, 0] // 3 == own.patient).all()
    assert len({own.values[0, 0] for own in picked}) == 3


def test_an_empty_set_has_no_records_to_draw():
    none = Sample(np.empty((0, 1)), np.empty(0, int))
    assert one_record_each(none, np.random.default_rng(0)).values.shape == (0, 1)


def test_too_few_values_is_a_reason():
    assert "19 patients" in find_edges(
        np.arange(19.0), np.arange(50.0), seed=0, name="t", effort=EFFORT
    )
    flat = find_edges(np.ones(50), np.ones(50), seed=0, name="t", effort=EFFORT)
    assert [edge.tail for edge in flat] == [None, None]
    assert all(edge.beyond.p == 1 for edge in flat)
