"""Folders as people keep them: mixed rates, lengths, leads, formats; nothing is lost in silence."""

import shutil

import numpy as np
import pytest

from ecgeval.ecgset import STANDARD_LEADS, Microvolts
from ecgeval.errors import DataError, UsageError
from ecgeval.io import REASONS, convert, info, read, read_store

LEADS8 = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")


def test_records_are_found_at_any_depth_in_name_order(tmp_path, record) -> None:
    x = {name: record(tmp_path, name, seed=i) for i, name in enumerate(["b/r2", "a/r1", "r3"])}
    record(tmp_path, "__MACOSX/r9")
    (tmp_path / ".hidden.hea").write_text("junk")
    (tmp_path / "a" / "._r1.hea").write_text("junk")
    ecgs = read(str(tmp_path))
    assert list(ecgs.ids) == ["r1", "r2", "r3"]
    np.testing.assert_array_equal(ecgs.signals.integers(0), x["a/r1"])
    assert len(ecgs.rejected) == 0
    assert ecgs.notes == ()


def test_names_that_repeat_take_their_folder(tmp_path, record) -> None:
    record(tmp_path, "p1/rec")
    record(tmp_path, "p2/rec")
    assert list(read(tmp_path).ids) == ["p1/rec", "p2/rec"]


def test_records_file_lists_what_is_read_and_absent_ones_are_counted(tmp_path, record) -> None:
    for name in ("a", "b", "c"):
        record(tmp_path, name)
    (tmp_path / "RECORDS").write_text("b\na\nz\n\n")
    for source in (tmp_path, tmp_path / "RECORDS"):
        ecgs = read(source)
        assert list(ecgs.ids) == ["b", "a"]
        assert "1 of 3 records in RECORDS are not here" in ecgs.notes
        assert "1 headers that RECORDS does not list were not read" in ecgs.notes


def test_mixed_rates_become_the_most_common_one(tmp_path, record) -> None:
    record(tmp_path, "a", fs=500)
    record(tmp_path, "b", fs=500)
    x = record(tmp_path, "c", fs=1000)
    ecgs = read(tmp_path)
    assert (ecgs.fs, ecgs.n_samples, len(ecgs)) == (500, 2000, 3)
    assert "resampled to 500 Hz: 1 at 1000 Hz" in ecgs.notes
    inside = slice(100, -100)
    got = np.asarray(ecgs.signals)[2][:, inside]
    assert np.corrcoef(got.ravel(), x[:, ::2][:, inside].ravel() / 1e3)[0, 1] > 0.999
    assert read(tmp_path, fs=250).fs == 250


def test_cropping_before_resampling_changes_nothing(tmp_path, record) -> None:
    record(tmp_path, "long", fs=1000, seconds=20)
    cropped = np.asarray(read(tmp_path, fs=360, seconds=5).signals)
    whole = np.asarray(read(tmp_path, fs=360).signals)[:, :, : cropped.shape[2]]
    assert cropped.shape[2] == 1800
    assert np.abs(cropped - whole).max() < 1e-6


def test_mixed_lengths_are_cropped_and_short_ones_rejected(tmp_path, record) -> None:
    for name, seconds in {"a": 4, "b": 4, "c": 6, "d": 3}.items():
        record(tmp_path, name, seconds=seconds)
    ecgs = read(tmp_path)
    assert (list(ecgs.ids), ecgs.seconds) == (["a", "b", "c"], 4)
    assert ecgs.rejected.iloc[0].tolist() == ["d", "too_short", "3 s long, shorter than 4 s"]
    assert "cropped to the first 4 s: 1 longer record" in ecgs.notes
    assert len(read(tmp_path, seconds=3)) == 4
    with pytest.raises(DataError, match="none of the 4 records"):
        read(tmp_path, seconds=60)


def test_eight_and_twelve_leads_meet_in_twelve(tmp_path, record) -> None:
    x = record(tmp_path, "eight", leads=LEADS8)
    record(tmp_path, "twelve", leads=STANDARD_LEADS, seed=1)
    record(tmp_path, "one", leads=("V1",))
    ecgs = read(tmp_path)
    assert ecgs.leads == STANDARD_LEADS
    assert list(ecgs.ids) == ["eight", "twelve"]
    assert ecgs.rejected["reason"].tolist() == ["missing_leads"]
    assert "III aVR aVL aVF derived from I and II in 1 record" in ecgs.notes
    np.testing.assert_allclose(ecgs.signals[0][2], (x[1] - x[0]) / 1e3, atol=1e-6)
    eight = read(tmp_path, leads=LEADS8)
    assert len(eight) == 2
    assert isinstance(eight.signals, Microvolts)


def test_leads_are_put_in_standard_order_and_the_rest_is_named(tmp_path, record) -> None:
    x = record(tmp_path, "a", leads=("v2", "ECG II", "vx", "i", "avr"))
    ecgs = read(tmp_path)
    assert ecgs.leads == ("I", "II", "aVR", "V2")
    np.testing.assert_array_equal(ecgs.signals.integers(0), x[[3, 1, 4, 0]])
    assert "channels not used: vx" in ecgs.notes


def test_unnamed_channels_are_named_by_position_on_request_only(tmp_path, record) -> None:
    x = record(tmp_path, "a", leads=("ECG1", "ECG2"))
    with pytest.raises(DataError, match="has ECG1 ECG2; --leads names the channels"):
        read(tmp_path)
    ecgs = read(tmp_path, leads=["V5", "V1"])
    np.testing.assert_array_equal(ecgs.signals.integers(0), x)
    assert "taken as V5 V1, as asked" in ecgs.notes[0]
    record(tmp_path, "a", leads=("MLII", "V5"))
    with pytest.raises(DataError, match="lacks V1 V2"):
        read(tmp_path, leads=["V1", "V2"])  # V5 is named: it is not taken for V2


def test_everything_rejected_or_nothing_there_is_one_sentence(tmp_path, record) -> None:
    with pytest.raises(DataError, match=r"no ECG files in it \(it holds nothing\)"):
        read(tmp_path)
    (tmp_path / "readme.txt").write_text("hello")
    with pytest.raises(DataError, match=r"it holds 1 \.txt\); supported: WFDB"):
        read(tmp_path)
    with pytest.raises(DataError, match="no such file or folder"):
        read(tmp_path / "nowhere")
    for name in ("a", "b"):
        record(tmp_path, name)
        (tmp_path / f"{name}.dat").write_bytes(b"")
    with pytest.raises(DataError, match=r"none of the 2 records can be used \(2 truncated\)"):
        read(tmp_path)


def test_unsupported_formats_say_what_is_supported(tmp_path) -> None:
    (tmp_path / "x.dcm").write_bytes(b"DICM")
    with pytest.raises(UsageError, match=r"format \.dcm is not supported; supported: WFDB"):
        read(tmp_path / "x.dcm")
    (tmp_path / "x.mat").write_bytes(b"MATLAB")
    with pytest.raises(DataError, match=r"header x\.hea is not beside it"):
        read(tmp_path / "x.mat")


@pytest.mark.parametrize(
    "option",
    [
        {"fs": 0},
        {"fs": float("nan")},
        {"seconds": -1},
        {"unit": "V"},
        {"leads": "I VX"},
        {"leads": ["II", "ii"]},
        {"leads": []},
    ],
)
def test_wrong_options_are_usage_errors(tmp_path, record, option) -> None:
    record(tmp_path, "a")
    with pytest.raises(UsageError):
        read(tmp_path, **option)


def test_a_header_unit_that_the_amplitude_contradicts_is_refused(tmp_path, record) -> None:
    record(tmp_path, "a", gain="1/mV")
    with pytest.raises(DataError, match=r"declared mV .* looks like µV; say --unit uV"):
        read(tmp_path)
    assert np.ptp(np.asarray(read(tmp_path, unit="uV").signals)) < 2
    record(tmp_path, "a", gain="1000/uV")
    with pytest.raises(DataError, match=r"declared µV .* looks like mV; say --unit mV"):
        read(tmp_path)
    assert np.ptp(np.asarray(read(tmp_path, unit="mV").signals)) < 2


def test_a_rate_that_the_header_contradicts_is_refused(tmp_path, record) -> None:
    record(tmp_path, "a", fs=500)
    with pytest.raises(UsageError, match=r"the file says 500 Hz, --native-fs says 250; .*--fs"):
        read(tmp_path, native_fs=250)
    assert read(tmp_path, native_fs=500).fs == 500


def test_one_record_in_another_unit_is_remarked_on(tmp_path, record) -> None:
    for i in range(5):
        record(tmp_path, f"r{i}", seed=i)
    record(tmp_path, "odd", gain="1/mV")
    assert any("unusually large" in note and "odd" in note for note in read(tmp_path).notes)


def test_flat_and_missing_records_are_kept(tmp_path, record) -> None:
    record(tmp_path, "a")
    for name, value in (("flat", 0), ("gone", -32768)):
        record(tmp_path, name)
        np.full((2000, 3), value, "<i2").tofile(tmp_path / f"{name}.dat")
    ecgs = read(tmp_path)
    assert list(ecgs.ids) == ["a", "flat", "gone"]
    assert np.isnan(ecgs.signals[2]).all()
    shutil.rmtree(tmp_path)
    record(tmp_path, "flat")
    np.zeros((2000, 3), "<i2").tofile(tmp_path / "flat.dat")
    assert not np.asarray(read(tmp_path).signals).any()


def test_convert_equals_read_and_info_agrees(tmp_path, record) -> None:
    for i, fs in enumerate([500, 500, 500, 250]):
        record(tmp_path / "src", f"r{i}", fs=fs, seed=i, comments=("Age: 50", "Sex: female"))
    (tmp_path / "src" / "r1.dat").write_bytes(b"")
    (tmp_path / "src" / "labels.csv").write_text("id,subject_id\nr0,p0\nr1,p0\nr2,p1\nr3,p2\n")
    direct = read(tmp_path / "src")
    store = read_store(convert(tmp_path / "src", tmp_path / "out"), verify=True)
    assert np.abs(np.asarray(store.signals) - np.asarray(direct.signals)).max() <= 0.0005 + 1e-6
    assert store.records.equals(direct.records)
    assert store.rejected.equals(direct.rejected)
    about, of_store = info(tmp_path / "src"), info(tmp_path / "out")
    for key in ("n", "patients", "leads", "fs", "seconds", "labels", "rejected"):
        assert about[key] == of_store[key]
    assert (about["format"], about["n"], about["patients"]) == ("WFDB", 3, 3)
    assert about["rejected"] == {"truncated": 1}
    assert about["amplitude_mv"] == pytest.approx(1.25, abs=0.1)
    assert set(direct.rejected["reason"]) <= set(REASONS)


def test_a_failed_conversion_leaves_nothing(tmp_path, record) -> None:
    record(tmp_path / "src", "a")
    (tmp_path / "src" / "a.dat").write_bytes(b"")
    with pytest.raises(DataError):
        convert(tmp_path / "src", tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["src"]


def test_info_looks_at_a_sample_of_many(tmp_path, record, monkeypatch) -> None:
    from ecgeval.io import reader

    monkeypatch.setattr(reader, "_INFO_SAMPLE", 3)
    for i in range(9):
        record(tmp_path, f"r{i}", seed=i, seconds=2)
    about = info(tmp_path)
    assert about["n"] == 9
    assert about["patients"] is None
    assert "samples of 3 of 9 records were looked at" in about["notes"]


def test_progress_is_reported(tmp_path, record) -> None:
    record(tmp_path, "a")
    calls: list[tuple[str, int, int]] = []
    read(tmp_path, progress=lambda *call: calls.append(call))
    assert ("look", 1, 1) in calls
    assert ("read", 1, 1) in calls
