"""NumPy files: axes, leads, units, rates; objects are never unpickled."""

import json
import os

import numpy as np
import pytest

from ecgeval.ecgset import STANDARD_LEADS, Microvolts
from ecgeval.errors import DataError, UsageError
from ecgeval.io import info, read


def millivolts(*shape: int) -> np.ndarray:
    """Return noise with ECG-like amplitude, mV."""
    return np.random.default_rng(3).normal(0, 0.2, shape).astype(np.float32)


def on_disk(array) -> bool:
    """Whether an array is a view of a memory map."""
    while array is not None and not isinstance(array, np.memmap):
        array = array.base
    return array is not None


def save(path, array, **about):
    np.save(path, array)
    if about:
        path.with_suffix(".json").write_text(json.dumps(about))
    return path


@pytest.mark.parametrize("leads", [1, 8, 12])
def test_axes_are_told_by_their_length(tmp_path, leads) -> None:
    x = millivolts(5, leads, 1000)
    expected = {1: ("I",), 8: ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6"), 12: STANDARD_LEADS}
    for name, array in (("a", x), ("b", np.moveaxis(x, 1, 2))):
        ecgs = read(save(tmp_path / f"{name}.npy", array), native_fs=500)
        np.testing.assert_array_equal(ecgs.signals, x)
        assert ecgs.leads == expected[leads]
        assert any("no lead names" in note for note in ecgs.notes)
        assert list(ecgs.ids)[:2] == [f"{name}-0", f"{name}-1"]
    one = read(save(tmp_path / "one.npy", x[0].T), native_fs=500)
    assert (one.signals.shape, list(one.ids)) == ((1, leads, 1000), ["one"])


def test_the_array_stays_on_disk_where_nothing_must_change(tmp_path) -> None:
    path = save(tmp_path / "a.npy", millivolts(5, 8, 1000))
    assert on_disk(read(path, native_fs=500).signals)
    path = save(tmp_path / "b.npy", (millivolts(5, 8, 1000) * 1e3).astype(np.int16))
    signals = read(path, native_fs=500).signals
    assert isinstance(signals, Microvolts)
    assert on_disk(signals.raw)


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.int64, ">i2", np.float32, np.float64])
def test_microvolts_and_millivolts_of_any_type_meet(tmp_path, dtype) -> None:
    whole = np.rint(millivolts(4, 8, 1000) * 1e3)
    ecgs = read(save(tmp_path / "a.npy", whole.astype(dtype)), native_fs=500)
    np.testing.assert_allclose(ecgs.signals, whole / 1e3, atol=1e-6)
    assert any("read as µV" in note for note in ecgs.notes)
    half = read(save(tmp_path / "b.npy", (whole / 1e3).astype(np.float16)), native_fs=500)
    np.testing.assert_allclose(half.signals, whole / 1e3, atol=1e-3)
    assert any("read as mV" in note for note in half.notes)


@pytest.mark.parametrize(("factor", "unit", "word"), [(1e3, "mV", "µV"), (1e-3, "uV", "mV")])
def test_a_declared_unit_that_is_another_is_refused(tmp_path, factor, unit, word) -> None:
    x = millivolts(4, 8, 1000) * 1.2
    path = save(tmp_path / "a.npy", x * (factor if unit == "mV" else 1), fs=500, unit=unit)
    with pytest.raises(DataError, match=f"looks like {word}"):
        read(path)
    path = save(tmp_path / "b.npy", x * (factor if unit == "mV" else 1))
    with pytest.raises(DataError, match=f"looks like {word}"):
        read(path, native_fs=500, unit=unit)


@pytest.mark.parametrize("scale", [1e-4, 30.0, 1e6])
def test_an_amplitude_of_neither_unit_is_refused(tmp_path, scale) -> None:
    path = save(tmp_path / "a.npy", millivolts(4, 8, 1000) * scale)
    with pytest.raises(DataError, match="the unit cannot be told"):
        read(path, native_fs=500)


def test_the_unit_does_not_change_what_is_read(tmp_path) -> None:
    x = millivolts(4, 8, 1000)
    mv = read(save(tmp_path / "a.npy", x), native_fs=500)
    uv = read(save(tmp_path / "b.npy", x.astype(np.float64) * 1e3), native_fs=500)
    np.testing.assert_allclose(mv.signals, uv.signals, atol=1e-7)


def test_without_a_rate_the_message_names_the_option(tmp_path) -> None:
    path = save(tmp_path / "a.npy", millivolts(4, 8, 1000))
    with pytest.raises(UsageError, match=r"no sampling rate in the file; give it with --native-fs"):
        read(path)
    save(path, millivolts(4, 8, 1000), fs=250)
    assert read(path).fs == 250
    with pytest.raises(UsageError, match="the file says 250 Hz, --native-fs says 500"):
        read(path, native_fs=500)


def test_lead_names_given_name_or_pick(tmp_path) -> None:
    x = millivolts(4, 3, 1000)
    path = save(tmp_path / "a.npy", x)
    with pytest.raises(UsageError, match="3 leads without names; name them with --leads"):
        read(path, native_fs=500)
    assert read(path, native_fs=500, leads="V1 V2 V3").leads == ("V1", "V2", "V3")
    path = save(tmp_path / "b.npy", millivolts(4, 8, 1000))
    ecgs = read(path, native_fs=500, leads=["V2", "aVF"])
    np.testing.assert_array_equal(ecgs.signals[:, 0], np.load(path)[:, 3])
    assert "aVF derived from I and II" in ecgs.notes


@pytest.mark.parametrize("shape", [(4,), (40, 50), (3, 8, 9), (30, 40, 50), (2, 3, 8, 100)])
def test_axes_that_cannot_be_told_are_refused(tmp_path, shape) -> None:
    path = save(tmp_path / "a.npy", millivolts(*shape))
    with pytest.raises((UsageError, DataError)):
        read(path, native_fs=500, leads=None if len(shape) > 1 else "I II")


def test_many_records_of_one_lead_come_as_rows(tmp_path) -> None:
    x = millivolts(20, 1000)
    ecgs = read(save(tmp_path / "a.npy", x), native_fs=500, leads="II")
    np.testing.assert_array_equal(ecgs.signals[:, 0], x)
    assert ecgs.leads == ("II",)


class Bomb:
    """Unpickling this would leave a file behind."""

    def __reduce__(self):
        return (os.mkdir, (Bomb.path,))

    path = ""


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_objects_are_never_unpickled(tmp_path, name) -> None:
    Bomb.path = str(tmp_path / "exploded")
    array = np.array([Bomb()], dtype=object)
    if name.endswith("npy"):
        np.save(tmp_path / name, array, allow_pickle=True)
    else:
        np.savez(tmp_path / name, signals=array)
    with pytest.raises(DataError, match="holds Python objects, which are never loaded"):
        read(tmp_path / name, native_fs=500)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize(
    "content", [b"", b"junk", b"\x93NUMPY\x01\x00v\x00{'descr'", b"PK\x03\x04"]
)
@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_damaged_files_are_one_sentence(tmp_path, content, name) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=name):
        read(tmp_path / name, native_fs=500)


@pytest.mark.parametrize(
    "array", [np.zeros((0, 8, 100)), np.array([["a"]]), np.zeros((2, 8, 50), complex)]
)
def test_arrays_of_no_numbers_are_one_sentence(tmp_path, array) -> None:
    with pytest.raises(DataError, match=r"a\.npy"):
        read(save(tmp_path / "a.npy", array), native_fs=500)


def test_an_npz_says_everything_itself(tmp_path) -> None:
    x = millivolts(3, 2, 1000)
    about = {"fs": 360.0, "leads": ["MDC_ECG_LEAD_II", "v5"], "unit": "mV"}
    ids = {"ids": np.array([7, 8, 9]), "patient_ids": ["p", "p", "q"]}
    np.savez(tmp_path / "a.npz", signals=x, **about, **ids)
    ecgs = read(tmp_path / "a.npz")
    np.testing.assert_array_equal(ecgs.signals, x)
    assert (ecgs.fs, ecgs.leads, list(ecgs.ids)) == (360, ("II", "V5"), ["7", "8", "9"])
    assert list(ecgs.patients()) == ["p", "p", "q"]
    assert ecgs.notes == ()
    np.savez(tmp_path / "b.npz", signals=x, **about, ids=[1, 2])
    with pytest.raises(DataError, match="2 ids for 3 records"):
        read(tmp_path / "b.npz")
    np.savez(tmp_path / "c.npz", x, x)
    with pytest.raises(DataError, match="expected an array named 'signals'"):
        read(tmp_path / "c.npz")


def test_nan_and_flat_and_single_records_are_kept(tmp_path) -> None:
    x = millivolts(3, 8, 1000)
    x[1] = np.nan
    x[2] = 0
    ecgs = read(save(tmp_path / "a.npy", x), native_fs=500)
    assert np.isnan(ecgs.signals[1]).all()
    flat = read(save(tmp_path / "b.npy", np.zeros((1, 8, 1000))), native_fs=500)
    assert len(flat) == 1
    assert any("every record flat or missing" in note for note in flat.notes)
    assert info(tmp_path / "a.npy", native_fs=500)["n"] == 3


def test_options_apply_to_arrays(tmp_path) -> None:
    path = save(tmp_path / "a.npy", millivolts(3, 8, 1000))
    ecgs = read(path, native_fs=500, fs=250, seconds=1)
    assert (ecgs.fs, ecgs.n_samples) == (250, 250)
    with pytest.raises(DataError, match="records are 2 s long; 9 s asked for"):
        read(path, native_fs=500, seconds=9)


def test_a_folder_of_arrays_is_one_set(tmp_path) -> None:
    save(tmp_path / "a.npy", millivolts(8, 1000))
    save(tmp_path / "b.npy", millivolts(2, 8, 1000))
    save(tmp_path / "c.npy", np.array(["text"]))
    ecgs = read(tmp_path, native_fs=500)
    assert list(ecgs.ids) == ["a", "b-0", "b-1"]
    assert ecgs.rejected["record_id"].tolist() == ["c"]
    (tmp_path / "b.npy").unlink()
    (tmp_path / "c.npy").unlink()
    assert list(read(tmp_path, native_fs=500).ids) == ["a"]


def test_the_published_sample_reads(real_data) -> None:
    path = real_data("deepfake") / "published_ids_0_15_int16_uV.npz"
    ecgs = read(path, native_fs=500)
    assert ecgs.signals.shape == (16, 8, 5000)
    assert isinstance(ecgs.signals, Microvolts)
