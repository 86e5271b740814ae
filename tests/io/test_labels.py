"""Labels: the id column is found, patients are named, nothing is guessed against the data."""

import numpy as np
import pandas as pd
import pytest

from ecgeval.errors import DataError
from ecgeval.io import read
from ecgeval.io.labels import clean_sex, join_labels, plausible_ages
from ecgeval.io.leadnames import standard_lead, standard_leads


def join(ids, table, required=True):
    return join_labels(pd.DataFrame(index=ids), pd.DataFrame(table), "x.csv", required=required)


def test_the_id_column_is_the_one_that_matches_most() -> None:
    table = {"age": [1, 2, 3], "n": [3, 2, 1], "name": ["b", "a", "z"]}
    joined, notes = join(["a", "b"], table)
    assert joined["age"].tolist() == [2, 1]
    assert notes == []


@pytest.mark.parametrize(
    ("ids", "column"),
    [
        (["00001_hr", "00002_hr"], [1, 2]),
        (["00001_hr", "00002_hr"], ["records500/00000/00001_hr", "records500/00000/00002_hr"]),
        (["r1", "r2"], ["r1.dat", "r2.dat"]),
        (["r1", "r2"], ["C:\\ecg\\r1.mat", "C:\\ecg\\r2.mat"]),
        (["1", "2"], [1.0, 2.0]),
        (["007", "7x"], ["007", "7x"]),
    ],
)
def test_ids_match_exactly_by_file_name_or_as_numbers(ids, column) -> None:
    joined, _ = join(ids, {"height": [170.5, 180.5], "id": column})
    assert joined["height"].tolist() == [170.5, 180.5]


def test_patients_sex_and_age_get_their_standard_names() -> None:
    table = {"id": ["a", "b"], "Subject_ID": [15709.0, np.nan], "Gender": ["female", "Male"]}
    joined, _ = join(["a", "b"], table)
    assert joined["patient_id"].tolist()[0] == 15709
    assert joined["sex"].tolist() == ["F", "M"]
    assert [clean_sex(v) for v in ("w", " M ", 1, "", "other")] == ["F", "M", 1, None, "other"]


def test_a_table_that_matches_nothing_is_an_error_only_if_asked_for() -> None:
    with pytest.raises(DataError, match=r"no column of x\.csv matches the record ids"):
        join(["a", "b"], {"id": ["c", "d"]})
    joined, notes = join(["a", "b"], {"id": ["c", "d"]}, required=False)
    assert list(joined.columns) == []
    assert "labels not used" in notes[0]


def test_missing_rows_are_counted_and_double_rows_refused() -> None:
    joined, notes = join(["a", "b", "c"], {"id": ["a", "b"], "age": [1, 2]})
    assert notes == ["x.csv: no row for 1 of 3 records"]
    assert joined["age"].isna().tolist() == [False, False, True]
    with pytest.raises(DataError, match="id 'a' has several different rows"):
        join(["a", "b"], {"id": ["a", "a", "b"], "age": [1, 2, 3]})
    rows = {"id": ["a", "a", "b"], "age": [1, 2, 3]}
    assert "labels not used" in join(["a", "b"], rows, required=False)[1][0]
    join(["a", "b"], {"id": ["a", "a", "b"], "age": [1, 1, 3]})


def test_the_table_wins_over_the_header_where_it_has_a_value(tmp_path, record) -> None:
    for name in ("a", "b"):
        record(tmp_path, name, comments=("Age: 50", "Sex: F"))
    (tmp_path / "labels.csv").write_text("record_id,age\na,61\nb,\n")
    assert read(tmp_path).records["age"].tolist() == [61, 50]
    (tmp_path / "mine.csv").write_text("record_id,age,patient\na,1,x\nb,2,y\n")
    ecgs = read(tmp_path, labels=tmp_path / "mine.csv")
    assert ecgs.records["age"].tolist() == [1, 2]
    assert list(ecgs.patients()) == ["x", "y"]
    with pytest.raises(DataError, match=r"none\.csv: no such file"):
        read(tmp_path, labels=tmp_path / "none.csv")


def test_rows_in_the_order_of_an_array(tmp_path) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(0, 0.2, (3, 8, 1000)))
    (tmp_path / "x_labels.csv").write_text("ecg_id,patient_id\n101,7\n102,7\n103,9\n")
    (tmp_path / "labels.csv").write_text("of,something,else\n1,2,3\n")
    ecgs = read(tmp_path / "x.npy", native_fs=500)
    assert list(ecgs.ids) == ["101", "102", "103"]
    assert list(ecgs.patients()) == ["7", "7", "9"]
    assert any("joined in order" in note for note in ecgs.notes)


@pytest.mark.parametrize(
    ("name", "lead"),
    [
        ("I", "I"),
        ("ii", "II"),
        ("AVR", "aVR"),
        ("avf", "aVF"),
        ("v6", "V6"),
        ("ECG I", "I"),
        ("ECG_V1", "V1"),
        ("Lead II", "II"),
        ("DIII", "III"),
        ("D1", "I"),
        ("C4", "V4"),
        ("MDC_ECG_LEAD_AVL", "aVL"),
        (" V2 (mV) ", "V2"),
        ("I [uV]", "I"),
        ("MLII", None),
        ("-aVR", None),
        ("ECG I filtered", None),
        ("V7", None),
        ("vx", None),
        ("ECG", None),
        ("1", None),
        ("V1-V2", None),
        ("", None),
        ("resp", None),
    ],
)
def test_lead_names(name, lead) -> None:
    assert standard_lead(name) == lead


def test_lead_lists() -> None:
    assert standard_leads("I, v2 AVF") == ("I", "V2", "aVF")


def test_ages_that_nobody_has_are_missing_and_counted(tmp_path) -> None:
    ages = [0, 120, -1, 999, 54.5, np.nan]
    records, notes = plausible_ages(pd.DataFrame({"age": ages}))
    assert records["age"].isna().tolist() == [False, False, True, True, False, True]
    assert notes == [
        "2 of 6 ages are below 0 or above 120 years (the first is -1): treated as missing"
    ]
    texts, notes = plausible_ages(pd.DataFrame({"age": ["300", "45", "unknown"]}))
    assert texts["age"].tolist()[1:] == ["45", "unknown"]
    assert "1 of 3" in notes[0]
    assert plausible_ages(pd.DataFrame({"age": [1, 2]}))[1] == []
    rng = np.random.default_rng(0)
    np.save(tmp_path / "ecgs.npy", rng.normal(0, 0.3, (3, 12, 1000)))
    pd.DataFrame({"age": [30, 999, 50]}).to_csv(tmp_path / "labels.csv", index=False)
    ecgs = read(tmp_path / "ecgs.npy", unit="mV", native_fs=100, labels=tmp_path / "labels.csv")
    assert ecgs.records["age"].isna().tolist() == [False, True, False]
    assert any("1 of 3 ages" in note for note in ecgs.notes)
