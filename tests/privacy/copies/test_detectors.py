"""What each detector finds that another does not."""

from dataclasses import replace

import numpy as np
import pytest

from ecgeval.ecgset import EcgSet
from ecgeval.privacy.copies.detectors import DETECTORS, MAIN
from ecgeval.privacy.copies.disguises import TRANSFORMS, plant
from ecgeval.privacy.copies.search import search
from ecgeval.privacy.copies.signals import beat_signals, record_signals, single_beats

BY_ID = {d.id: d for d in DETECTORS}


def test_every_entry_is_whole() -> None:
    ids = [d.id for d in DETECTORS]
    assert len(set(ids)) == len(ids)
    assert [d for d in DETECTORS if d.main] == [MAIN]
    for k, d in enumerate(DETECTORS):
        assert d.about.definition.endswith(".")
        assert d.screen in ("", *ids)
        assert not d.always or d.screen in ids[:k]  # what it looks to has run before
    assert max(d.duplicate_pairs for d in DETECTORS) == np.inf


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
    assert detector.correlation(found.similarity).min() > 0.999


def test_correlation_of_a_sample_by_sample_search() -> None:
    x = np.array([[[1.0, 0.0]], [[0.6, 0.8]]], np.float32)
    found, _ = search(DETECTORS[0].kernel(x[:1], x[1:]))
    assert DETECTORS[0].correlation(found.similarity)[0, 0] == pytest.approx(0.6)


def test_stretched_beats_need_the_detector_that_stretches(sim) -> None:
    ecgs = sim(8, seconds=2)
    given = beats(ecgs)
    rng = np.random.default_rng(0)
    fast = plant(given, ecgs.fs, next(t for t in TRANSFORMS if t.id == "retimed"), rng, beat=True)
    a, b = (beat_signals(v, ecgs.fs, ecgs.leads, ecgs.leads) for v in (given, fast))
    plain, stretched = (
        BY_ID[name].correlation(search(BY_ID[name].kernel(b.x, a.x))[0].similarity).min()
        for name in ("D4", "D4T")
    )
    assert stretched > 0.99 > plain


def test_a_repeated_beat_is_found_among_all_beats(sim) -> None:
    ecgs = sim(6)
    repeat = next(t for t in TRANSFORMS if t.id == "onebeat")
    copies = plant(ecgs.signals, ecgs.fs, repeat, np.random.default_rng(0))
    real, fake = (
        single_beats(record_signals(replace(ecgs, signals=x), ecgs.leads, 10))
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
