"""Correlation at the best speed and lag, against known answers and a brute force over both."""

import numpy as np
import pytest
from scipy.interpolate import make_interp_spline

from ecgeval.privacy.copies.kernels.replayed import Replayed
from ecgeval.privacy.copies.signals import record_signals

FS = 100.0


@pytest.fixture(scope="module")
def records(sim):
    ecgs = sim(6, seed=3, fs=250)
    return record_signals(ecgs, ecgs.leads[:4], ecgs.seconds).x


def played(x: np.ndarray, speed: float, by_s: float = 0.0) -> np.ndarray:
    """Return records read at ``speed * t + by_s``; what lies outside repeats the ends."""
    t = np.arange(x.shape[2])
    at = np.clip(speed * t + by_s * FS, 0, t[-1])
    return make_interp_spline(t, x, axis=2)(at).astype(np.float32)


def kernel(a, b, **changes):
    return Replayed(a, b, FS, **{"least": 0.9, "max_lag_s": 1.0} | changes)


@pytest.mark.parametrize("by_s", [0.0, 0.4, -0.7])
@pytest.mark.parametrize("speed", [0.9, 0.943, 1.0, 1.0372, 1.11])
def test_a_record_at_another_speed_is_itself(records, speed, by_s) -> None:
    own = np.arange(len(records))
    value, found, start = kernel(played(records, speed, by_s), records).align(own, own)
    # Ends that repeat are in none of the overlap, or in a few per cent of it.
    assert (value > 0.93).all()
    assert np.median(value) > 0.98
    np.testing.assert_allclose(found, speed, rtol=2e-3)
    np.testing.assert_allclose(start, by_s * FS, atol=2)


def test_known_ends(records) -> None:
    own = np.arange(len(records))
    np.testing.assert_allclose(kernel(records, 3 * records).exact(own, own), 1.0, atol=1e-6)
    np.testing.assert_allclose(kernel(records, -records).exact(own, own), 0, atol=0.9)
    nothing = np.zeros_like(records)
    assert kernel(nothing, records).exact(own, own).tolist() == [-1.0] * len(own)
    assert kernel(records, nothing).exact(own, own).tolist() == [-1.0] * len(own)


def test_either_side_may_be_called_the_query(records) -> None:
    other = played(records, 0.95, 0.2)
    i, j = (v.ravel() for v in np.indices((len(records), len(records))))
    one, speed, _ = kernel(other, records).align(i, j)
    two, back, _ = kernel(records, other).align(j, i)
    np.testing.assert_array_equal(one, two)
    np.testing.assert_allclose(speed * back, 1)


def test_long_records_are_found_as_short_ones(sim) -> None:
    # Mutation: with the speeds of ten seconds the ends of a minute drift apart by more than a QRS.
    ecgs = sim(4, seed=5, fs=250, seconds=60)
    x = record_signals(ecgs, ecgs.leads[:2], ecgs.seconds).x
    own = np.arange(len(x))
    copies = played(x, 1.0437, 0.3)
    assert (kernel(copies, x).exact(own, own) > 0.95).all()


def brute(x: np.ndarray, y: np.ndarray) -> float:
    """Return the best correlation over a fine grid of speeds and lags, by splines."""
    best, t = -1.0, np.arange(x.shape[1])
    for moving, fixed in ((x, y), (y, x)):
        spline = make_interp_spline(t, moving, axis=1)
        for speed in np.arange(0.9, 1.0005, 0.002):
            for start in np.arange(-100, 101.0):
                at = speed * t + start
                known = (at >= 0) & (at <= t[-1])
                w, f = spline(at[known]), fixed[:, known]
                best = max(best, (w * f).sum() / np.sqrt((w**2).sum() * (f**2).sum()))
    return best


def test_strangers_come_near_what_a_brute_force_finds(records) -> None:
    """It is a search from a few starts: it may miss the best place of strangers, never invent."""
    pairs = [(0, 1), (2, 3)]
    found = kernel(records, records).exact(*np.array(pairs).T)
    for value, (i, j) in zip(found, pairs, strict=True):
        most = brute(records[i].astype(float), records[j].astype(float))
        assert most - 0.25 < value < most + 0.03
        assert value < 0.9


def test_speeds_end_where_they_should(records) -> None:
    own = np.arange(len(records))
    _, speed, _ = kernel(played(records, 0.8), records).align(own, own)
    assert ((speed >= 0.9 - 1e-9) & (speed <= 1 / 0.9 + 1e-9)).all()
    assert (kernel(played(records, 0.8), records).exact(own, own) < 0.9).all()
    assert (kernel(played(records, 0.8), records, least=0.75).exact(own, own) > 0.93).all()


def test_a_pair_is_the_same_whatever_is_asked_beside_it(records) -> None:
    k = kernel(played(records, 1.06), records)
    i, j = (v.ravel() for v in np.indices(k.shape))
    whole = k.exact(i, j)
    alone = [k.exact(i[p : p + 1], j[p : p + 1])[0] for p in range(len(i))]
    assert alone == whole.tolist()
    close, margin = k.block(slice(0, len(records)))
    assert (np.abs(close.ravel() - whole) <= margin).all()
    assert k.block(slice(0, 0))[0].shape == (0, len(records))


def test_without_refinement_a_copy_does_not_stand_out(records, monkeypatch) -> None:
    # Mutation: the best place of the envelopes, no Gauss-Newton step.
    from ecgeval.privacy.copies.kernels import replayed as replay

    own = np.arange(len(records))
    copies = played(records, 0.9537, 0.333)
    fine = kernel(copies, records).exact(own, own)
    monkeypatch.setattr(replay, "_gauss_newton", lambda w, *_: (np.zeros(len(w)),) * 2)
    coarse = kernel(copies, records).exact(own, own)
    assert (coarse < fine).all()
    assert np.median(coarse) < 0.9 < np.median(fine)
