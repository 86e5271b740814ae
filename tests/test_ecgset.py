"""The data model: shapes, ids, patients, selections, leads, rates, fingerprints."""

import numpy as np
import pandas as pd
import pytest

from ecgeval.ecgset import STANDARD_LEADS, EcgSet, Microvolts, derive_leads, resample
from ecgeval.errors import DataError, UsageError

LEADS8 = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")


def make(n=5, leads=LEADS8, samples=100, patients=None, dtype=np.int16, seed=0):
    raw = np.random.default_rng(seed).integers(-1500, 1500, (n, len(leads), samples))
    signals = Microvolts(raw.astype(np.int16)) if dtype == np.int16 else raw / 1000
    ids = [f"r{i}" for i in range(n)]
    return EcgSet(signals, 500, leads, pd.DataFrame({"patient_id": patients or ids}, index=ids))


def test_microvolts_read_as_millivolts_whatever_the_index():
    ecgs = make()
    raw = ecgs.signals.raw
    for index in (0, slice(1, 3), [2, 0], np.array([True, False, True, False, True])):
        np.testing.assert_allclose(ecgs.signals[index], raw[index] / 1000, rtol=1e-6)
    np.testing.assert_allclose(ecgs.signals[1, 2], raw[1, 2] / 1000, rtol=1e-6)
    np.testing.assert_allclose(ecgs.signals[:, 2, :7], raw[:, 2, :7] / 1000, rtol=1e-6)
    assert ecgs.signals[0].dtype == np.float32


def test_selecting_microvolts_copies_no_samples_and_composes():
    ecgs = make(6)
    part = ecgs.select(["r4", "r1", "r5"]).select(np.array([True, False, True]))
    assert part.ids.tolist() == ["r4", "r5"]
    assert part.signals.raw is ecgs.signals.raw
    np.testing.assert_array_equal(part.signals[:], ecgs.signals[[4, 5]])


def test_both_storages_have_one_fingerprint():
    stored = make()
    floats = EcgSet(stored.signals[:], 500, LEADS8, stored.records)
    assert stored.fingerprint() == floats.fingerprint()
    assert stored.fingerprint() != stored.fingerprint(salt="key")
    changed = floats.signals.copy()
    changed[3, 2, 50] += 0.001
    assert EcgSet(changed, 500, LEADS8, stored.records).fingerprint() != stored.fingerprint()
    renamed = stored.records.assign(patient_id=["x"] * 5)
    assert EcgSet(floats.signals, 500, LEADS8, renamed).fingerprint() != stored.fingerprint()


def test_patient_ids_are_text_and_missing_ones_are_refused():
    ecgs = make(3, patients=[15709.0, np.nan, 7.0])
    assert ecgs.records["patient_id"].tolist() == ["15709", None, "7"]
    with pytest.raises(UsageError, match=r"1 of 3 records have no patient id \(first: 'r1'\)"):
        ecgs.patients()
    assert ecgs.patients(assume_independent=True).tolist() == ["15709", "record:r1", "7"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"leads": (*LEADS8[:-1], "V9")}, "unknown lead names"),
        ({"leads": LEADS8[:-1]}, "7 lead names for 8 leads"),
        ({"leads": (*LEADS8[:-1], "I")}, "not unique"),
        ({"fs": 0}, "sampling rate is 0"),
        ({"fs": float("nan")}, "sampling rate is nan"),
        ({"records": pd.DataFrame(index=["a"])}, "1 rows of record data for 5 signals"),
        ({"records": pd.DataFrame(index=list("aabcd"))}, "'a' occurs more than once"),
        ({"signals": np.zeros((5, 100))}, "expected \\(records, leads, samples\\)"),
    ],
)
def test_contradictions_are_refused(change, message):
    base = make()
    fields = {"signals": base.signals, "fs": 500, "leads": LEADS8, "records": base.records}
    with pytest.raises(DataError, match=message):
        EcgSet(**{**fields, **change})


def test_select_refuses_unknown_ids_and_wrong_masks():
    ecgs = make()
    with pytest.raises(UsageError, match="no record 'nobody'"):
        ecgs.select(["r1", "nobody"])
    with pytest.raises(UsageError, match="mask of shape"):
        ecgs.select(np.array([True]))


def test_limb_leads_follow_einthoven_and_goldberger():
    ecgs = make(dtype=float)
    twelve = ecgs.with_leads(STANDARD_LEADS).signals
    i, ii = ecgs.signals[:, 0], ecgs.signals[:, 1]
    iii, avr, avl, avf = (twelve[:, k] for k in (2, 3, 4, 5))
    np.testing.assert_allclose(iii, ii - i, atol=1e-6)
    np.testing.assert_allclose(avr, -(i + ii) / 2, atol=1e-6)
    np.testing.assert_allclose(avl, (i - iii) / 2, atol=1e-6)
    np.testing.assert_allclose(avf, (ii + iii) / 2, atol=1e-6)
    np.testing.assert_allclose(avr + avl + avf, 0, atol=1e-6)


def test_leads_that_cannot_be_derived_are_refused():
    with pytest.raises(UsageError, match="lead V1 is not among I"):
        derive_leads(("I", "II"), ("V1",))
    with pytest.raises(UsageError, match="lead III"):
        derive_leads(("II", "V1"), ("III",))


def test_picking_leads_keeps_integers():
    ecgs = make()
    part = ecgs.with_leads(("V6", "I"))
    assert isinstance(part.signals, Microvolts)
    np.testing.assert_array_equal(part.signals[:], ecgs.signals[:][:, [7, 0]])


@pytest.mark.parametrize("fs", [100, 250, 257, 360, 1000])
def test_resampling_keeps_a_slow_sine_and_an_offset(fs):
    t = np.arange(5000) / 500
    x = (0.7 + np.sin(2 * np.pi * 5 * t))[None].astype(np.float32)
    y = resample(x, 500, fs)
    expected = 0.7 + np.sin(2 * np.pi * 5 * np.arange(y.shape[-1]) / fs)
    inner = slice(fs // 2, -fs // 2)
    np.testing.assert_allclose(y[0, inner], expected[inner], atol=0.01)
    assert y.shape[-1] == round(10 * fs)
    assert resample(x, 500, 500) is x


def test_batches_cover_every_record_once():
    ecgs = make(7)
    rows = [r for r, _ in ecgs.batches(3)]
    assert rows == [slice(0, 3), slice(3, 6), slice(6, 7)]
    np.testing.assert_array_equal(np.concatenate([b for _, b in ecgs.batches(3)]), ecgs.signals[:])


def test_pieces_are_the_signals_and_travel_light(tmp_path):
    import pickle

    ecgs = make(7)
    np.save(tmp_path / "x.npy", ecgs.signals.raw)
    mapped = EcgSet(
        Microvolts(np.load(tmp_path / "x.npy", mmap_mode="r")), 500, LEADS8, ecgs.records
    )
    floats = EcgSet(ecgs.signals[:], 500, LEADS8, ecgs.records)
    picked = ecgs.select(["r5", "r2", "r6"])
    for one in (ecgs, mapped, floats, picked):
        together = np.concatenate([piece[:] for piece in one.pieces(3)])
        np.testing.assert_array_equal(together, one.signals[:])
    # A piece of a large set in memory must not carry the whole set with it.
    assert len(pickle.dumps(next(picked.select(["r5"]).pieces(3)))) < ecgs.signals.raw.nbytes / 3
    assert isinstance(next(mapped.pieces(3)).raw, np.memmap)


def test_an_empty_selection_is_a_set():
    assert len(make().select(np.zeros(5, bool))) == 0
