"""Planted copies wear the disguise they are said to wear."""

import numpy as np
import pytest

from ecgeval.privacy.sensitivity import TRANSFORMS, plant

BY_ID = {t.id: t for t in TRANSFORMS}


@pytest.fixture(scope="module")
def x() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(4, 2, 1000)).astype(np.float32)


def disguised(x: np.ndarray, name: str, **options) -> np.ndarray:
    return plant(x, 100, BY_ID[name], np.random.default_rng(1), **options)


def test_each_disguise(x) -> None:
    np.testing.assert_array_equal(disguised(x, "exact"), x)
    assert (disguised(x, "noise") - x).std() == pytest.approx(0.02, rel=0.05)
    gain = disguised(x, "gain") / x
    assert (np.ptp(gain, axis=(1, 2)) < 1e-5).all()
    assert (gain > 0.499).all()
    assert (gain < 2.001).all()
    shifted = disguised(x, "shift")
    np.testing.assert_array_equal(shifted[:, :, 50:], x[:, :, :-50])
    np.testing.assert_array_equal(shifted[1, :, :50], x[0, :, -50:])
    power = np.abs(np.fft.rfft(disguised(x, "lowpass"))) ** 2 / np.abs(np.fft.rfft(x)) ** 2
    assert np.median(power[..., :150]) > 0.9
    assert np.median(power[..., 350:]) < 0.01


def test_a_median_beat_keeps_its_phase_and_a_tenth_of_the_noise_power(x) -> None:
    np.testing.assert_array_equal(disguised(x, "shift", beat=True), x)
    assert (disguised(x, "noise", beat=True) - x).std() == pytest.approx(0.0063, rel=0.05)


def test_low_rates_have_nothing_to_cut(x) -> None:
    np.testing.assert_array_equal(plant(x, 50, BY_ID["lowpass"], np.random.default_rng(0)), x)
