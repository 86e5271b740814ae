"""The named data sets and every real folder: read, counted, and equal to the wfdb package."""

import numpy as np
import pandas as pd
import pytest

from ecgeval.io import ludb_annotations, read


def test_ludb_obeys_einthoven_and_has_its_labels(real_data) -> None:
    real_data("ludb")
    ecgs = read("ludb:1-20")
    x = np.asarray(ecgs.signals)
    leads = list(ecgs.leads)
    gap = x[:, leads.index("I")] + x[:, leads.index("III")] - x[:, leads.index("II")]
    assert np.abs(gap).max() < 1e-5  # broken by the header's gains, exact in stored units
    assert ecgs.records.loc["1", ["age", "sex", "rhythm", "patient_id"]].tolist() == [
        51, "F", "Sinus bradycardia", "1",
    ]  # fmt: skip
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
    assert len(norm) == table["norm_only"].sum()
    assert list(norm.ids) == table.loc[table["norm_only"], "ecg_id"].astype(str).tolist()
    assert norm.has_patients
    assert read(folder).fingerprint() == everything.fingerprint()


def test_ludb_marks_are_brackets_around_peaks(real_data) -> None:
    real_data("ludb")
    marks = ludb_annotations(1, leads=["II"])
    assert marks.iloc[0].tolist() == ["II", "QRS", 644, 662, 682]
    assert marks.iloc[1].tolist() == ["II", "T", 776, 843, 878]
    assert ((marks["onset"] < marks["peak"]) & (marks["peak"] < marks["offset"])).all()
