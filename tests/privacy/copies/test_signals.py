"""What the detectors compare: the same heart through another chain looks the same."""

import gc
from pathlib import Path

import numpy as np
import pytest

from ecgeval.ecgset import EcgSet, resample
from ecgeval.errors import DataError
from ecgeval.privacy.copies.signals import beat_signals, independent_leads, record_signals


def seen(ecgs: EcgSet) -> np.ndarray:
    return record_signals(ecgs, independent_leads([ecgs]), ecgs.seconds).x


def changed(ecgs: EcgSet, signals: np.ndarray, fs: float | None = None) -> EcgSet:
    return EcgSet(signals, fs or ecgs.fs, ecgs.leads, ecgs.records)


def test_gain_offset_and_wander_leave_nothing(sim) -> None:
    ecgs = sim(3)
    t = np.arange(ecgs.n_samples) / ecgs.fs
    wander = 0.5 * np.sin(2 * np.pi * 0.3 * t) + 2
    other = changed(ecgs, 3 * ecgs.signals + wander)
    np.testing.assert_allclose((seen(ecgs) * seen(other)).sum(axis=(1, 2)), 1, atol=2e-3)


def test_another_rate_is_the_same_record(sim) -> None:
    ecgs = sim(3)
    for fs in (250, 360, 1000):
        other = changed(ecgs, resample(ecgs.signals, 500, fs), fs)
        np.testing.assert_allclose((seen(ecgs) * seen(other)).sum(axis=(1, 2)), 1, atol=5e-3)


def test_norm_is_one_and_unusable_records_are_counted(sim) -> None:
    ecgs = sim(5)
    signals = ecgs.signals.copy()
    signals[1, :5] = np.nan
    signals[2] = 0.7
    signals[3] = 1e-4 * np.random.default_rng(0).normal(size=signals[3].shape)
    out = record_signals(changed(ecgs, signals), ecgs.leads, 10)
    np.testing.assert_array_equal(out.usable, [True, False, False, False, True])
    assert out.reasons == {"not finite": 1, "flat": 2}
    np.testing.assert_allclose((out.x**2).sum(axis=(1, 2)), [1, 0, 0, 0, 1], atol=1e-6)


def test_gaps_are_bridged_and_a_copy_with_gaps_is_still_a_copy(sim) -> None:
    ecgs = sim(3)
    signals = ecgs.signals.copy()
    signals[0, 2, 100] = np.nan
    signals[1, :, 700:900] = np.nan
    signals[2, 1] = np.nan  # a lead that is not there
    out = record_signals(changed(ecgs, signals), ecgs.leads, 10)
    assert out.usable.all()
    assert not out.reasons
    alike = (out.x * record_signals(ecgs, ecgs.leads, 10).x).sum(axis=(1, 2))
    assert alike[0] > 0.999
    assert (alike[1:] > 0.85).all()


def test_derived_leads_are_not_counted_twice(sim) -> None:
    twelve = sim(1).with_leads(
        ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
    )
    assert independent_leads([twelve, sim(1)]) == ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
    assert independent_leads([twelve.with_leads(("II", "III"))]) == ("II", "III")
    assert independent_leads([twelve.with_leads(("I",)), twelve.with_leads(("II",))]) == ()


def test_beats_of_another_shape_are_refused(sim) -> None:
    ecgs = sim(2, seconds=2)
    with pytest.raises(DataError, match=r"expected \(n, 8, 550\)"):
        beat_signals(np.ones((2, 8, 500)), ecgs.fs, ecgs.leads, ecgs.leads)


def test_large_sets_are_kept_on_disk_and_read_the_same(sim, monkeypatch) -> None:
    ecgs = sim(3)
    plain = record_signals(ecgs, ecgs.leads, 10)
    monkeypatch.setattr("ecgeval.scratch.MEMORY_LIMIT", 0)
    spooled = record_signals(ecgs, ecgs.leads, 10)
    assert isinstance(spooled.x, np.memmap)
    np.testing.assert_array_equal(spooled.x, plain.x)
    name = spooled.x.filename
    assert Path(name).exists()
    del spooled
    gc.collect()
    assert not Path(name).exists()
