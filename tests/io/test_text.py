"""CSV and .asc: one record a file, leads in columns."""

from pathlib import Path

import numpy as np
import pytest

from ecgeval.ecgset import Microvolts
from ecgeval.errors import DataError, UsageError
from ecgeval.io import read

X = np.random.default_rng(4).normal(0, 0.2, (1000, 2)).round(3)


def csv(
    path: Path, head: str | None, columns: np.ndarray, sep: str = ",", decimal: str = "."
) -> Path:
    lines = [sep.join(repr(float(v)).replace(".", decimal) for v in row) for row in columns]
    path.write_text("\n".join([*([head] if head is not None else []), *lines]) + "\n")
    return path


def with_time(step: float) -> np.ndarray:
    return np.column_stack([np.arange(len(X)) * step, X])


@pytest.mark.parametrize(
    ("head", "step", "fs"),
    [
        ("time,I,II", 0.002, 500),
        ("Time (s),i,ii", 0.004, 250),
        ("t_ms,ECG I,ECG II", 2, 500),
        ("time,I,II", 2, 500),
        ("timestamp [ms],DI,DII", 0.5, 2000),
        ("s,lead I,lead II", round(1 / 360, 3), 1000 / 3),
    ],
)
def test_the_time_column_tells_the_rate(tmp_path, head, step, fs) -> None:
    ecgs = read(csv(tmp_path / "r.csv", head, with_time(step)))
    assert ecgs.fs == pytest.approx(fs, rel=1e-3)
    np.testing.assert_allclose(ecgs.signals[0], X.T, atol=1e-6)
    assert (ecgs.leads, list(ecgs.ids)) == (("I", "II"), ["r"])


def test_rounded_times_tell_the_rate_by_their_mean(tmp_path) -> None:
    columns = with_time(1 / 360)
    columns[:, 0] = columns[:, 0].round(3)
    assert read(csv(tmp_path / "r.csv", "time,I,II", columns)).fs == pytest.approx(360, abs=0.2)


@pytest.mark.parametrize(("sep", "decimal"), [(",", "."), (";", "."), (";", ","), ("\t", ".")])
def test_separators_and_decimal_commas(tmp_path, sep, decimal) -> None:
    path = csv(tmp_path / "r.csv", sep.join(["I", "II"]), X, sep, decimal)
    np.testing.assert_allclose(read(path, native_fs=500).signals[0], X.T, atol=1e-6)


def test_an_index_column_and_units_in_the_names(tmp_path) -> None:
    columns = np.column_stack([np.arange(len(X)), X * 1e3])
    ecgs = read(csv(tmp_path / "r.csv", ",I (uV),II (uV)", columns), native_fs=500)
    np.testing.assert_allclose(ecgs.signals[0], X.T, atol=1e-6)
    assert ecgs.notes == ()


def test_a_line_of_units_below_the_names(tmp_path) -> None:
    path = csv(tmp_path / "r.csv", "'Elapsed time','I','II'\n'seconds','mV','mV'", with_time(0.002))
    ecgs = read(path)
    assert ecgs.fs == 500
    np.testing.assert_allclose(ecgs.signals[0], X.T, atol=1e-6)


def test_columns_without_names(tmp_path) -> None:
    eight = np.random.default_rng(0).normal(0, 0.2, (1000, 8)).round(3)
    ecgs = read(csv(tmp_path / "a.csv", None, eight), native_fs=500)
    np.testing.assert_allclose(ecgs.signals[0], eight.T, atol=1e-6)
    assert any("no lead names in the file" in note for note in ecgs.notes)
    path = csv(tmp_path / "b.csv", None, X)
    with pytest.raises(DataError, match="2 columns without names; put lead names"):
        read(path, native_fs=500)
    assert read(path, native_fs=500, leads="V1 V2").leads == ("V1", "V2")


def test_without_a_rate_the_message_names_the_option(tmp_path) -> None:
    path = csv(tmp_path / "r.csv", "I,II", X)
    with pytest.raises(UsageError, match=r"r\.csv: no sampling rate .* --native-fs"):
        read(path)
    path = csv(tmp_path / "r.csv", "time,I,II", with_time(0.002))
    with pytest.raises(DataError, match="time column says 500 Hz, --native-fs says 250"):
        read(path, native_fs=250)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "0 lines"),
        ("I,II\n", "1 lines"),
        ("I,II\n1,2\n3\n", "differ in columns"),
        ("I,II\n0.1,0.2\n0.1,0.2\n0.1,oops\n", "'oops' in line 4, column 'II', is no number"),
        ("I,II\n0.1,0.2\n0.1,0.2\n0.1,0.2,0.3\n", "line 4"),
        ("x,y\n0.1,0.2\n0.1,0.2\n0.1,0.2\n", "lacks any standard lead; has x y"),
    ],
)
def test_what_is_no_table_of_numbers_is_one_sentence(tmp_path, text, message) -> None:
    (tmp_path / "r.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        read(tmp_path / "r.csv", native_fs=500)


def test_blank_cells_are_missing_samples(tmp_path) -> None:
    (tmp_path / "r.csv").write_text("I,II\n" + "0.1,0.2\n-0.3,\n" * 600)
    x = np.asarray(read(tmp_path / "r.csv", native_fs=500).signals)
    assert np.isnan(x[0, 1, 1::2]).all()
    assert np.isfinite(x[0, 0]).all()


def test_a_folder_of_csv_with_labels_beside(tmp_path) -> None:
    for i in range(3):
        csv(tmp_path / f"rec{i}.csv", "time,I,II", with_time(0.002))
    (tmp_path / "bad.csv").write_text("I,II\n" + "a,b\n" * 1000)
    (tmp_path / "labels.csv").write_text(
        "file;patient;Age\nrec0.csv;A;40\nrec1.csv;A;40\nrec2.csv;B;\n"
    )
    with pytest.raises(UsageError, match="native-fs"):
        read(tmp_path)
    ecgs = read(tmp_path, native_fs=500)
    assert list(ecgs.patients()) == ["A", "A", "B"]
    assert ecgs.records["age"].tolist()[:2] == [40, 40]
    assert ecgs.rejected["reason"].tolist() == ["unreadable"]


# ---- .asc --------------------------------------------------------------------------------------

MICRO = np.random.default_rng(5).integers(-900, 900, (5000, 8))


def asc(path: Path, rows: np.ndarray = MICRO) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(" ".join(map(str, row)) for row in rows) + "\n")
    return path


def test_published_files_are_microvolts_at_500_hz_and_each_its_own_patient(tmp_path) -> None:
    for i in (0, 1, 10):
        asc(tmp_path / f"{i}.asc", MICRO + i)
    (tmp_path / "some_ground_truth.csv").write_text(
        "patid;qrs;ecgcategory\n0;92;NORMAL\n1;90;NORMAL\n10;88;NORMAL\n"
    )
    ecgs = read(tmp_path)
    assert (ecgs.fs, ecgs.seconds, list(ecgs.ids)) == (500, 10, ["0", "1", "10"])
    assert ecgs.leads == ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
    assert isinstance(ecgs.signals, Microvolts)
    np.testing.assert_array_equal(ecgs.signals.integers(2), MICRO.T + 10)
    assert list(ecgs.patients()) == ["0", "1", "10"]
    assert ecgs.records["qrs"].tolist() == [92, 90, 88]
    assert ecgs.notes == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "0 columns"),
        ("1 2 3\n", "3 columns"),
        ("1 2 3 4 5 6 7 8\n1 2 3 4 5 6 7\n", "number of columns changed"),
        ("1 2 3 4 5 6 7 8\n1 2 3 4 5 6 7 x\n", "x"),
        ("1 2 3 4 5 6 7 8\n1 2 3 4 5 6 7 8.5\n", "8.5"),
    ],
)
def test_other_asc_files_are_one_sentence(tmp_path, text, message) -> None:
    (tmp_path / "0.asc").write_text(text)
    with pytest.raises(DataError, match=message):
        read(tmp_path / "0.asc")


def test_a_cut_asc_file_is_rejected_beside_whole_ones(tmp_path) -> None:
    for i in range(3):
        asc(tmp_path / f"{i}.asc", MICRO[: 5000 if i else 4000])
    ecgs = read(tmp_path)
    assert list(ecgs.ids) == ["1", "2"]
    assert ecgs.rejected.iloc[0].tolist() == ["0", "too_short", "8 s long, shorter than 10 s"]
