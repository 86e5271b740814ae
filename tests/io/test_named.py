"""Named data sets: names, numbers, where copies are looked for, what is in them."""

import ast
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecgeval.errors import DataError, UsageError
from ecgeval.io import (
    DeepfakeNotFound,
    find_deepfake,
    is_named,
    ludb_annotations,
    parse_name,
    read,
    read_annotations,
)
from ecgeval.io.annotations import _waves
from ecgeval.io.named import locate, norm_only


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("ludb", ("ludb", None)),
        ("ptbxl-norm:3", ("ptbxl-norm", [3])),
        ("deepfake:0-4", ("deepfake", [0, 1, 2, 3, 4])),
        ("ludb:5,1,7-9,1", ("ludb", [5, 1, 7, 8, 9])),
    ],
)
def test_names_and_numbers(source, expected) -> None:
    assert parse_name(source) == expected
    assert is_named(source)


@pytest.mark.parametrize(
    "source", ["ludb:", "ludb:x", "ludb:9-3", "ludb:1-", "ludb:1;2", "deepfake:0-9999999"]
)
def test_wrong_numbers_are_usage_errors(source) -> None:
    with pytest.raises(UsageError, match="is no record number or range; write"):
        read(source)


def test_paths_are_not_names() -> None:
    assert not is_named(Path("ludb"))
    assert not is_named("./ludb")
    assert not is_named("data/ludb:1")


def test_ecgeval_data_comes_first_and_long_folder_names_count(tmp_path, monkeypatch) -> None:
    (tmp_path / "b" / "ptb-xl-a-large-dataset-1.0.3").mkdir(parents=True)
    (tmp_path / "a").mkdir()
    monkeypatch.setenv("ECGEVAL_DATA", f"{tmp_path / 'a'}:{tmp_path / 'b'}")
    assert locate("ptbxl") == tmp_path / "b" / "ptb-xl-a-large-dataset-1.0.3"
    (tmp_path / "a" / "ptbxl").mkdir()
    assert locate("ptbxl") == tmp_path / "a" / "ptbxl"


# ---- LUDB, PTB-XL, ECG-ID ----------------------------------------------------------------------


def test_ludb_obeys_einthoven_and_has_its_labels(real_data) -> None:
    real_data("ludb")
    ecgs = read("ludb:1-20")
    x = np.asarray(ecgs.signals)
    leads = list(ecgs.leads)
    gap = x[:, leads.index("I")] + x[:, leads.index("III")] - x[:, leads.index("II")]
    assert np.abs(gap).max() < 1e-5  # broken by the header's gains, exact in stored units
    assert ecgs.records.loc["1", ["age", "sex", "rhythm", "axis", "patient_id"]].tolist() == [
        51,
        "F",
        "Sinus bradycardia",
        "left axis deviation",
        "1",
    ]
    assert ecgs.records.loc["1", "diagnoses"].startswith("Left ventricular hypertrophy; ")
    assert set(ecgs.records["sex"]) == {"F", "M"}


def test_a_plain_ludb_folder_gets_the_same_samples(real_data) -> None:
    folder = real_data("ludb")
    named, plain = read("ludb:1-5"), read(folder / "data")
    np.testing.assert_array_equal(named.signals, plain.select(list(named.ids)).signals)
    assert any("no gains" in note for note in plain.notes)


def test_ptbxl_norm_is_what_the_published_superclass_says(real_data) -> None:
    folder = real_data("ptbxl")
    table = pd.read_csv(folder / "ptbxl_database.csv")
    if "norm_only" not in table:
        pytest.skip("this copy of ptbxl_database.csv has no norm_only column to compare with")
    everything, norm = read("ptbxl"), read("ptbxl-norm")
    assert everything.records["norm_only"].tolist() == table["norm_only"].tolist()
    assert list(norm.ids) == table.loc[table["norm_only"], "ecg_id"].astype(str).tolist()
    assert norm.has_patients
    assert read(folder).fingerprint() == everything.fingerprint()
    assert list(read("ptbxl:1-5").ids) == ["1", "2", "3", "4", "5"]
    assert everything.records.loc["1", ["patient_id", "sex", "age"]].tolist() == ["15709", "F", 56]


def test_norm_only_by_hand() -> None:
    statements = pd.DataFrame(
        {
            "code": ["NORM", "IMI", "SR"],
            "diagnostic": [1, 1, None],
            "diagnostic_class": ["NORM", "MI", None],
        }
    )
    codes = [{"NORM": 100, "SR": 0}, {"NORM": 80, "IMI": 15}, {"SR": 0}, {"NORM": 0}]
    only = norm_only(pd.Series([repr(c) for c in codes]), statements)
    assert only.tolist() == [True, False, False, True]
    assert ast.literal_eval(repr(codes[0])) == codes[0]


def test_ecgid_persons_are_patients(real_data) -> None:
    real_data("ecgid")
    ecgs = read("ecgid:1-3")
    assert ecgs.leads == ("I",)
    assert set(ecgs.patients()) == {"1", "2", "3"}
    assert all(i.startswith(f"Person_{int(p):02d}/") for i, p in ecgs.records["patient_id"].items())


def test_numbers_that_are_not_there(real_data) -> None:
    real_data("ludb")
    with pytest.raises(DataError, match="no such records"):
        read("ludb:777")


# ---- wave marks --------------------------------------------------------------------------------


def test_ludb_marks_are_brackets_around_peaks(real_data) -> None:
    folder = real_data("ludb")
    marks = ludb_annotations(1, leads=["II", "V1"])
    assert marks.iloc[0].tolist() == ["II", "QRS", 644, 662, 682]
    assert marks.iloc[1].tolist() == ["II", "T", 776, 843, 878]
    assert ((marks["onset"] < marks["peak"]) & (marks["peak"] < marks["offset"])).all()
    assert set(marks["lead"]) == {"II", "V1"}
    by_path = read_annotations(folder / "data" / "1", ["ii", "v1"])
    pd.testing.assert_frame_equal(marks, by_path)
    with pytest.raises(DataError, match="no such annotation file"):
        ludb_annotations(folder / "data" / "999")


def test_brackets_belong_to_the_nearest_peak() -> None:
    stream = [
        ("(", 1),
        ("p", 2),
        (")", 3),
        ("N", 5),
        (")", 6),
        ("(", 7),
        ("t", 8),
        ("t", 9),
        (")", 10),
        (")", 11),
        ("(", 12),
        ("(", 13),
        ("V", 14),
        ("+", 15),
        ("(", 16),
        (")", 17),
    ]
    symbols, samples = zip(*stream, strict=True)
    assert _waves(list(symbols), list(samples)) == [
        ("P", 1, 2, 3),
        ("QRS", -1, 5, 6),
        ("T", 7, 8, -1),
        ("T", -1, 9, 10),
        ("QRS", 13, 14, -1),
    ]


# ---- the published DeepFakes -------------------------------------------------------------------


def test_deepfakes_are_read_where_all_are_there(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("ECGEVAL_DATA", str(tmp_path))
    folder = tmp_path / "deepfake" / "from_006" / "asc"
    folder.mkdir(parents=True)
    rows = np.random.default_rng(0).integers(-900, 900, (3, 500, 8))
    for i in range(3):
        np.savetxt(folder / f"{i}.asc", rows[i], fmt="%d")
    (tmp_path / "deepfake" / "x_ground_truth.csv").write_text("patid;qrs\n0;90\n1;91\n2;92\n")
    ecgs = find_deepfake([2, 0])
    assert ecgs is not None
    np.testing.assert_array_equal(ecgs.signals.integers(0), rows[2].T)
    assert ecgs.records["qrs"].tolist() == [92, 90]
    assert list(ecgs.patients()) == ["2", "0"]
    assert len(read("deepfake")) == 3
    assert find_deepfake([1, 99]) is None
    with pytest.raises(DeepfakeNotFound, match="lacks 1 of the 2 files") as error:
        read("deepfake:1,99")
    assert error.value.numbers == [1, 99]
