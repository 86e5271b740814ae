"""Planted copies wear the disguise they are said to wear."""

import numpy as np
import pytest

from ecgeval.privacy.copies.disguises import TRANSFORMS, plant, promised

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


def test_disguises_of_the_bench(x) -> None:
    fill = np.full_like(x, 7)
    for name, samples in (("shift2", 200), ("shift5", 500)):
        moved = disguised(x, name, fill=fill)
        np.testing.assert_array_equal(moved[:, :, samples:], x[:, :, :-samples])
        assert (moved[:, :, :samples] == 7).all()
    for db in (20, 10, 5):
        noise = disguised(x, f"snr{db}") - x
        power = (x.var(axis=2).mean(axis=1) / noise.var(axis=2).mean(axis=1)).mean()
        assert 10 * np.log10(power) == pytest.approx(db, abs=0.2)
    np.testing.assert_array_equal(disguised(x, "flip"), -x)
    np.testing.assert_allclose(disguised(x, "mixture")[1], (x[0] + x[1]) / 2, rtol=1e-6)
    one = disguised(x, "onelead", fill=fill)
    assert ((one == x).all(axis=2).sum(axis=1) == 1).all()
    assert ((one == 7).all(axis=2).sum(axis=1) == 1).all()
    beat = disguised(x, "onebeat")
    np.testing.assert_array_equal(beat[:, :, 80:], beat[:, :, :-80])
    assert np.ptp(disguised(np.zeros_like(x), "wander")) == pytest.approx(0.5, abs=0.15)


def test_a_retimed_record_has_its_beats_elsewhere() -> None:
    t = np.arange(1000) / 100
    x = np.sin(2 * np.pi * 2 * t) * np.ones((5, 1, 1))
    retimed = disguised(x.astype(np.float32), "retimed")[:, 0, :800]
    hz = np.abs(np.fft.rfft(retimed, 16000)).argmax(axis=1) / 160
    assert (np.abs(hz - 2) <= 0.21).all()
    assert np.ptp(hz) > 0.05
    beat = np.exp(-0.5 * ((np.arange(110) - 40) / 2.0) ** 2) * np.ones((5, 1, 1))
    assert (disguised(beat, "retimed", beat=True).argmax(axis=2) == 40).all()


def test_required_shares_depend_on_what_is_given() -> None:
    with_beats, without = promised({"record", "beat"}), promised({"record"})
    assert [t.id for t, more in zip(TRANSFORMS, with_beats & ~without, strict=True) if more] == [
        "retimed"
    ]
    assert not (without & ~with_beats).any()
