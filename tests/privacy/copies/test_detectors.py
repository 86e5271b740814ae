"""What the detectors compare: the same heart through another chain looks the same."""

import gc
from pathlib import Path

import numpy as np
import pytest

from ecgeval.ecgset import EcgSet, resample
from ecgeval.errors import DataError
from ecgeval.privacy.copies.detectors import (
    DETECTORS,
    beat_signals,
    independent_leads,
    record_signals,
    single_beats,
)
from ecgeval.privacy.copies.disguises import TRANSFORMS, plant
from ecgeval.privacy.copies.search import search

BY_ID = {d.id: d for d in DETECTORS}


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


def beats(ecgs: EcgSet, seed: int = 0) -> np.ndarray:
    """Return made-up representative beats, -0.4 to 0.7 s."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(1.1 * ecgs.fs)) / ecgs.fs - 0.4
    shape = (len(ecgs), len(ecgs.leads), 1)
    qrs = rng.normal(1, 0.5, shape) * np.exp(-0.5 * (t / 0.015) ** 2)
    return qrs + rng.normal(0.3, 0.1, shape) * np.exp(-0.5 * ((t - 0.28) / 0.05) ** 2)


def test_beats_are_aligned_and_missing_ones_are_left_out(sim) -> None:
    ecgs = sim(6, seconds=2)
    given = beats(ecgs)
    given[4] = np.nan
    late = np.roll(given, 8, axis=2)  # R found 16 ms too early
    a, b = (beat_signals(v, ecgs.fs, ecgs.leads, ecgs.leads) for v in (given, 2 * late + 0.1))
    assert a.usable.sum() == 5
    detector = BY_ID["D4"]
    rows = np.flatnonzero(a.usable)
    found, _ = search(detector.kernel(b.x[rows], a.x[rows]))
    np.testing.assert_array_equal(found.partner[:, 0], np.arange(5))
    assert detector.correlation(found).min() > 0.999


def test_beats_of_another_shape_are_refused(sim) -> None:
    ecgs = sim(2, seconds=2)
    with pytest.raises(DataError, match=r"expected \(n, 8, 550\)"):
        beat_signals(beats(ecgs)[:, :, :500], ecgs.fs, ecgs.leads, ecgs.leads)


def test_correlation_of_a_sample_by_sample_search() -> None:
    x = np.array([[[1.0, 0.0]], [[0.6, 0.8]]], np.float32)
    found, _ = search(DETECTORS[0].kernel(x[:1], x[1:]))
    assert DETECTORS[0].correlation(found)[0, 0] == pytest.approx(0.6)


def test_stretched_beats_need_the_detector_that_stretches(sim) -> None:
    ecgs = sim(8, seconds=2)
    given = beats(ecgs)
    rng = np.random.default_rng(0)
    fast = plant(given, ecgs.fs, next(t for t in TRANSFORMS if t.id == "retimed"), rng, beat=True)
    a, b = (beat_signals(v, ecgs.fs, ecgs.leads, ecgs.leads) for v in (given, fast))
    plain, stretched = (
        BY_ID[name].correlation(search(BY_ID[name].kernel(b.x, a.x))[0]).min()
        for name in ("D4", "D4T")
    )
    assert stretched > 0.99 > plain


def test_a_repeated_beat_is_found_among_all_beats(sim) -> None:
    ecgs = sim(6)
    repeat = next(t for t in TRANSFORMS if t.id == "onebeat")
    copies = plant(ecgs.signals, ecgs.fs, repeat, np.random.default_rng(0))
    real, fake = (
        single_beats(record_signals(changed(ecgs, x), ecgs.leads, 10))
        for x in (ecgs.signals, copies)
    )
    assert fake.usable.all()
    assert (np.bincount(real.owner) >= 7).all()  # 10 s at 60 to 85 a minute, ends left out
    found, _ = search(BY_ID["D5"].kernel(fake.x, real.parts))
    np.testing.assert_array_equal(real.owner[found.partner[:, 0]], np.arange(6))
    assert found.similarity.min() > 0.95
    kept = real.only(np.array([4, 1]))
    np.testing.assert_array_equal(np.unique(kept.owner), [0, 1])
    np.testing.assert_array_equal(kept.parts[kept.owner == 0], real.parts[real.owner == 4])


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
