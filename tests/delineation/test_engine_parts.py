"""The engine's parts against references that are slower or can be worked out by hand."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from ecgeval.delineation import averaging, boundaries, engine, rpeaks


@pytest.mark.parametrize("n", range(1, 20))
def test_middle_mean_is_the_mean_of_the_middle_half(n):
    x = np.random.default_rng(n).normal(size=(n, 3, 7)).astype(np.float32)
    cut = (n + 1) // 4 if n > 2 else 0
    expected = np.sort(x, axis=0)[cut : n - cut].mean(axis=0)
    np.testing.assert_allclose(averaging.middle_mean(x), expected, atol=1e-6)


def test_middle_mean_is_the_median_of_three_and_ignores_a_quarter_of_bad_beats():
    assert averaging.middle_mean(np.float32([[1], [2], [90]])) == 2
    beats = np.ones((8, 1), np.float32)
    beats[:2] = 1000
    assert averaging.middle_mean(beats) == 1


@pytest.mark.parametrize("q", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("axis", [0, 1])
def test_lead_quantile_is_numpys(q, axis):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(6, 12, 9))
    x[rng.random(x.shape) < 0.3] = np.nan
    expected = np.nanquantile(x, q, axis=axis)
    np.testing.assert_allclose(averaging.lead_quantile(x, q, axis), expected, atol=1e-12)
    x[:, :, 4] = np.nan
    assert np.isnan(averaging.lead_quantile(x, q, axis)[:, 4]).all()


@pytest.mark.parametrize("fs", [100, 128, 257, 360, 500, 1000, 977.5])
@pytest.mark.parametrize("seconds", [2.0, 5.0, 10.0])
def test_padded_lengths_keep_the_rate(fs, seconds):
    least = round((seconds + 1) * fs)
    length, out = rpeaks._lengths(least, fs)
    assert length >= least
    assert out % rpeaks.KNOT == 0
    assert fs * out / length == pytest.approx(rpeaks.RATE, rel=2e-3)
    assert length - least < 3 * fs


@pytest.mark.parametrize(("hz", "gain"), [(0.05, 0.0), (0.4, 0.5), (2, 1.0), (20, 1.0), (60, 1.0)])
def test_the_baseline_filter_has_the_gain_it_says(hz, gain):
    t = np.arange(20_000) / 500
    x = np.cos(2 * np.pi * hz * t).astype(np.float32)[None, None]
    filtered = rpeaks.band(x, 500.0)
    left = round(filtered.left)
    middle = filtered.wave[0, 0, left + 5000 : left + 15_000]
    assert np.sqrt(2 * np.mean(middle**2)) == pytest.approx(gain, abs=0.02)


@pytest.mark.parametrize("fs", [250.0, 360.0, 500.0, 1000.0])
def test_filtering_keeps_times(fs):
    t = np.arange(round(10 * fs)) / fs
    x = np.exp(-0.5 * ((t - 4.321) / 0.01) ** 2).astype(np.float32)[None, None]
    filtered = rpeaks.band(x, fs)
    place, _ = rpeaks.summit(filtered.wave[0, 0])
    seconds = (place - filtered.left) / filtered.ratio / fs
    assert seconds == pytest.approx(4.321, abs=2e-4)
    slope = np.abs(filtered.slope[0, 0])
    middle = np.sum(slope * np.arange(len(slope))) / slope.sum() * rpeaks.STEP
    middle = (middle + (rpeaks.STEP - 1) / 2 - filtered.left) / filtered.ratio / fs
    assert middle == pytest.approx(4.321, abs=2e-2)


def test_summit_of_a_parabola_is_exact():
    t = np.arange(9.0)
    place, value = rpeaks.summit(5 - (t - 3.3) ** 2)
    assert place == pytest.approx(3.3)
    assert value == pytest.approx(5 - 0.09)
    assert rpeaks.summit(t)[0] == 8  # at the border there is no parabola to follow outwards


def test_centre_puts_the_largest_deflection_at_r():
    wide = np.zeros((1, 2, averaging.BEFORE + averaging.AFTER + 2 * averaging.ROOM), np.float32)
    wide[0, :, averaging.BEFORE + averaging.ROOM + 13] = 1
    beats, shift = averaging.centre(wide)
    assert shift[0] == 13
    assert beats[0, 0].argmax() == averaging.BEFORE


def test_locked_tells_a_repeated_wave_from_noise():
    rng = np.random.default_rng(0)
    stack = rng.normal(0, 0.02, (10, 2, averaging.BEFORE + averaging.AFTER + 2 * averaging.ROOM))
    ratio = averaging._locked(stack)
    assert (ratio < 3).all()
    at = averaging.BEFORE + averaging.ROOM - 90
    stack[:, 0, at : at + 40] += 0.1 * np.sin(np.linspace(0, np.pi, 40))
    assert averaging._locked(stack)[0] > 20


def test_locked_looks_closer_to_the_qrs_of_fast_beats():
    rng = np.random.default_rng(0)
    stack = rng.normal(0, 0.02, (10, 1, averaging.BEFORE + averaging.AFTER + 2 * averaging.ROOM))
    at = averaging.BEFORE + averaging.ROOM - 140
    stack[:, 0, at : at + 60] += 0.3 * np.sin(np.linspace(0, np.pi, 60))  # a T wave 280-160 ms off
    assert averaging._locked(stack)[0] > 20
    assert averaging._locked(stack, 0.5)[0] < 3


@pytest.mark.parametrize("pace", [1.0, 1.25, 2.2])
def test_slow_beats_are_stretched_around_r(pace):
    t = np.arange(550.0) - averaging.BEFORE
    beats = np.stack([t, -2 * t + 1, np.abs(t)])[None].astype(np.float32)
    slow = boundaries._slow(beats, np.array([pace]))
    np.testing.assert_allclose(slow[0, :2], [t / pace, -2 * t / pace + 1], atol=1e-3)
    assert slow[0, 2].argmin() == averaging.BEFORE


def test_waves_on_which_two_readings_differ_are_missing():
    first = np.tile([50.0, 80, 110, 150, 200, 240, 300, 350, 400], (5, 3, 1))
    second = first.copy()
    second[1, :, 0] += 11  # P, in samples of 2 ms
    second[2, :, 8] -= 11  # T, and the P wave that would follow it
    second[3, :, 5] += 16  # QRS
    second[4] += 9
    second[4, 0] += 300  # one lead of three does not decide
    missing = np.isnan(boundaries._agreed(first, second))
    assert (missing == missing[:, :1]).all()
    p, r, t = [True] * 3 + [False] * 6, [False] * 4 + [True] + [False] * 4, [False] * 6 + [True] * 3
    p_and_t = np.logical_or(p, t).tolist()
    assert missing[:, 0].tolist() == [
        [False] * 9,
        p,
        p_and_t,
        np.logical_not(r).tolist(),
        [False] * 9,
    ]


def test_the_typical_interval_is_between_dominant_beats():
    time = np.array([[0, 10, 20, 24, 40, 50, 60], [0, 10, 0, 0, 0, 0, 0], [3, 0, 0, 0, 0, 0, 0.0]])
    dominant = np.array([[1, 1, 1, 0, 1, 1, 1], [1, 1, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0, 0]], bool)
    assert engine._typical(time, dominant).tolist() == [10, 10, np.inf]
    assert engine._typical(time[:, :1], dominant[:, :1]).tolist() == [np.inf] * 3


def test_network_convolution_is_numpys():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 11, 3)).astype(np.float32)
    w = rng.normal(size=(5, 3, 4)).astype(np.float32)
    b = rng.normal(size=4).astype(np.float32)
    got = boundaries._conv(x, w, b)
    for row in range(2):
        for out in range(4):
            full = sum(np.convolve(x[row, :, c], w[::-1, c, out], "same") for c in range(3))
            expected = np.maximum(full + b[out], 0)
            np.testing.assert_allclose(got[row, :, out], expected, atol=1e-4)


def test_network_is_the_trained_one(monkeypatch):
    """The numpy forward pass equals the torch module that the training script optimises."""
    torch = pytest.importorskip("torch")
    path = Path(__file__).parents[2] / "tools" / "train_boundaries.py"
    spec = importlib.util.spec_from_file_location("train_boundaries", path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "train_boundaries", module)  # dataclasses look it up
    spec.loader.exec_module(module)
    torch.manual_seed(0)
    net = module.Net()
    weights = module.export({k: v.numpy() for k, v in net.state_dict().items()})
    monkeypatch.setattr(boundaries, "_weights", lambda: weights)
    rng = np.random.default_rng(0)
    beats = rng.normal(size=(3, 4, averaging.BEFORE + averaging.AFTER)).astype(np.float32)
    live = np.ones((3, 4), np.float32)
    live[1, 2] = 0
    x = boundaries.prepare(beats)
    logits, present = boundaries.network(x, live)
    with torch.no_grad():
        theirs, there = net(torch.tensor(x), torch.tensor(live))
    ours = logits.transpose(0, 1, 3, 2, 4).reshape(theirs.shape)
    np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-5)
    np.testing.assert_allclose(present, there.numpy(), atol=1e-5)


def test_the_weights_are_small_and_finite():
    weights = boundaries._weights()
    assert sum(w.size for w in weights.values()) < 20_000
    assert all(np.isfinite(w).all() for w in weights.values())


def test_median_of_a_distribution_within_the_range_of_its_mark():
    logits = np.full((1, 1, boundaries.TOKENS, 8, boundaries.TOKEN), -30, np.float32)
    for k, (low, high) in enumerate(boundaries.RANGES):
        logits[0, 0, :low, k] = logits[0, 0, high:, k] = 30  # where this mark cannot be
        logits[0, 0, low + 1, k, 1:4] = np.log([0.2, 0.6, 0.2])
    expected = [8 * (low + 1) + 2.5 for low, _ in boundaries.RANGES]
    np.testing.assert_allclose(boundaries._median(logits)[0, 0], expected, atol=1e-3)


def test_median_of_a_distribution_on_a_single_step():
    logits = np.full((1, 1, boundaries.TOKENS, 8, boundaries.TOKEN), -1e4, np.float32)
    logits[0, 0, 20, :, 5] = 1e4  # in T, and nowhere in P: no division by zero there
    steps = boundaries._median(logits)
    assert np.isfinite(steps).all()
    np.testing.assert_allclose(steps[0, 0, 5:], 165.5, atol=1e-3)


@pytest.mark.parametrize("n", range(1, 17))
def test_exchanges_are_no_more_than_needed(n):
    pairs = averaging._exchanges(n)
    assert all(i < j and (low or high) for i, j, low, high in pairs)
    x = np.random.default_rng(n).permutation(n).astype(np.float32)[:, None]
    kept = x.copy()
    averaging.middle_mean(x)
    np.testing.assert_array_equal(x, kept)  # what is given stays as it is
