"""The store: exact, atomic, never clipped, and damage is noticed."""

import json

import numpy as np
import pandas as pd
import pytest

from ecgeval.ecgset import EcgSet, Microvolts
from ecgeval.errors import DataError, UsageError
from ecgeval.io import StoreWriter, is_store, read, read_store, write_store


def a_set(signals: np.ndarray, **more) -> EcgSet:
    ids = [f"{i:03d}" for i in range(len(signals))]
    records = pd.DataFrame(
        {
            "patient_id": [f"0{i // 2}" for i in range(len(signals))],
            "age": np.arange(len(signals)) + 0.1,
            "code": ["007", None, *["x"] * (len(signals) - 2)],
            "normal": [True, False, *[True] * (len(signals) - 2)],
        },
        index=ids,
    )
    return EcgSet(signals, 500, ("I", "II"), records, **more)


@pytest.fixture
def micro() -> np.ndarray:
    return np.random.default_rng(0).integers(-32768, 32768, (5, 2, 1000)).astype(np.int16)


def test_microvolts_come_back_bit_for_bit_and_labels_keep_their_types(tmp_path, micro) -> None:
    rejected = pd.DataFrame({"record_id": ["r9"], "reason": ["truncated"], "detail": ["3 samples"]})
    ecgs = a_set(Microvolts(micro), rejected=rejected, notes=("a note",))
    back = read_store(write_store(ecgs, tmp_path / "s"), verify=True)
    assert isinstance(back.signals, Microvolts)
    assert isinstance(back.signals.raw, np.memmap)
    np.testing.assert_array_equal(back.signals.integers(slice(None)), micro)
    pd.testing.assert_frame_equal(back.records, ecgs.records)
    pd.testing.assert_frame_equal(back.rejected, rejected)
    assert back.notes == ("a note",)
    assert back.fingerprint() == ecgs.fingerprint()


def test_float_millivolts_are_rounded_to_a_microvolt_and_it_is_said(tmp_path) -> None:
    x = np.random.default_rng(1).normal(0, 1, (5, 2, 1000)).astype(np.float32)
    back = read_store(write_store(a_set(x), tmp_path / "s"))
    assert np.abs(np.asarray(back.signals) - x).max() <= 0.0005 + 1e-6
    assert any("rounded" in note for note in back.notes)


@pytest.mark.parametrize("value", [np.nan, 32.768, -40.0, np.inf])
def test_what_int16_cannot_hold_is_stored_as_float_not_clipped(tmp_path, value) -> None:
    x = np.zeros((5, 2, 100), np.float32)
    x[3, 1, 7] = value
    back = read_store(write_store(a_set(x), tmp_path / "s"), verify=True)
    np.testing.assert_array_equal(back.signals, x)
    assert any("float32" in note for note in back.notes)


def test_writing_twice_gives_the_same_bytes_and_replaces_the_store(tmp_path, micro) -> None:
    ecgs = a_set(Microvolts(micro))
    write_store(ecgs, tmp_path / "a")
    write_store(ecgs.select([0, 1]), tmp_path / "b")
    write_store(ecgs, tmp_path / "b")
    for name in ("signals.npy", "records.csv", "manifest.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b"]
    np.testing.assert_array_equal(np.load(tmp_path / "a" / "signals.npy"), micro)


def test_a_folder_that_is_no_store_is_never_replaced(tmp_path, micro) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("keep")
    with pytest.raises(UsageError, match="no ecgeval store"):
        write_store(a_set(Microvolts(micro)), tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "keep"


def test_streaming_equals_writing_at_once(tmp_path, micro) -> None:
    ecgs = a_set(Microvolts(micro))
    with StoreWriter(tmp_path / "s", 5, ecgs.leads, 500) as store:
        store.append(micro[:2], ecgs.records.iloc[:2])
        store.append(micro[2:], ecgs.records.iloc[2:])
    write_store(ecgs, tmp_path / "w")
    for name in ("signals.npy", "records.csv", "manifest.json"):
        assert (tmp_path / "s" / name).read_bytes() == (tmp_path / "w" / name).read_bytes()


def test_a_stream_turns_to_float_when_a_gap_comes(tmp_path, micro) -> None:
    gap = np.full((1, 2, 1000), np.nan, np.float32)
    with StoreWriter(tmp_path / "s", None, ("I", "II"), 500) as store:
        store.append(micro, pd.DataFrame(index=list("abcde")))
        store.append(gap, pd.DataFrame(index=["gap"]))
    back = read_store(tmp_path / "s", verify=True)
    np.testing.assert_array_equal(back.signals[:5], micro * np.float32(1e-3))
    assert np.isnan(back.signals[5]).all()


def test_records_of_another_shape_or_number_are_refused(tmp_path, micro) -> None:
    with StoreWriter(tmp_path / "s", None, ("I", "II"), 500) as store:
        store.append(micro, pd.DataFrame(index=list("abcde")))
        with pytest.raises(DataError, match="999 samples among records of 1000"):
            store.append(micro[:, :, :999])
        with pytest.raises(DataError, match="expected"):
            store.append(micro[:, :1])
        with pytest.raises(DataError, match="1 rows for 5 records"):
            store.append(micro, pd.DataFrame(index=["a"]))
    assert len(read_store(tmp_path / "s")) == 5


def test_ids_that_repeat_are_refused_before_the_store_appears(tmp_path, micro) -> None:
    with (
        pytest.raises(DataError, match="more than once"),
        StoreWriter(tmp_path / "s", None, ("I", "II"), 500) as store,
    ):
        store.append(micro, pd.DataFrame(index=list("aabcd")))
    assert not (tmp_path / "s").exists()


def test_a_failed_or_short_stream_leaves_nothing_behind(tmp_path, micro) -> None:
    def interrupted() -> None:
        with StoreWriter(tmp_path / "s", 9, ("I", "II"), 500) as store:
            store.append(micro)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with (
        pytest.raises(DataError, match="5 records were written, 9 announced"),
        StoreWriter(tmp_path / "s", 9, ("I", "II"), 500) as store,
    ):
        store.append(micro, pd.DataFrame(index=list("abcde")))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda s: (s / "signals.npy").write_bytes((s / "signals.npy").read_bytes()[:-2]), "bytes"),
        (lambda s: (s / "records.csv").unlink(), "missing"),
        (lambda s: (s / "manifest.json").write_text("{}"), "manifest"),
        (lambda s: (s / "manifest.json").unlink(), "no ecgeval store"),
    ],
)
def test_damage_is_noticed_on_opening(tmp_path, micro, damage, message) -> None:
    damage(write_store(a_set(Microvolts(micro)), tmp_path / "s"))
    with pytest.raises(DataError, match=message):
        read_store(tmp_path / "s")


def test_a_flipped_bit_is_noticed_on_request(tmp_path, micro) -> None:
    file = write_store(a_set(Microvolts(micro)), tmp_path / "s") / "signals.npy"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    read_store(tmp_path / "s")
    with pytest.raises(DataError, match="SHA-256"):
        read_store(tmp_path / "s", verify=True)


def test_a_shape_that_contradicts_the_manifest_is_refused(tmp_path, micro) -> None:
    store = write_store(a_set(Microvolts(micro)), tmp_path / "s")
    manifest = json.loads((store / "manifest.json").read_text())
    manifest["samples"] = 999
    (store / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DataError, match="shape"):
        read_store(store)


def test_read_takes_a_store_and_an_empty_store_is_one(tmp_path, micro) -> None:
    write_store(a_set(Microvolts(micro)), tmp_path / "s")
    assert is_store(tmp_path / "s")
    assert len(read(tmp_path / "s", seconds=1, leads="II")) == 5
    write_store(a_set(Microvolts(micro)).select(np.zeros(5, bool)), tmp_path / "e")
    assert len(read_store(tmp_path / "e", verify=True)) == 0
