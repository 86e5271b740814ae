"""Quality flags and harmonisation."""

import numpy as np
import pytest

from ecgeval.ecgset import EcgSet
from ecgeval.errors import DataError
from ecgeval.preprocess import bandpass, harmonise, quality, rounding_grid_uv

NAMES = ("A", "B")


def test_quality_names_what_is_wrong(sim):
    ecgs = sim(5)
    x = ecgs.signals.copy()
    x[0, 2, 100] = np.nan
    x[1] = 0.3
    x[2, 3] = 0
    x[3, 0, 7] = 300
    flags = quality(EcgSet(x, 500, ecgs.leads, ecgs.records))
    assert flags["reason"].tolist() == ["not_finite", "flat", "", "implausible_amplitude", ""]
    assert flags["flat_leads"].tolist() == [0, 8, 1, 0, 0]


def test_clipping_is_the_share_of_samples_at_the_extremes(sim):
    ecgs = sim(1)
    x = ecgs.signals.copy()
    x[0, 0] = np.clip(x[0, 0], -0.05, 0.05)
    expected = np.mean(np.abs(x[0, 0]) >= np.float32(0.05))
    assert expected > 0.05
    assert quality(EcgSet(x, 500, ecgs.leads, ecgs.records))["clipped"].iloc[0] == pytest.approx(
        expected
    )


@pytest.mark.parametrize(("hz", "gain"), [(0.05, 0), (10, 1), (100, 0)])
def test_bandpass_keeps_its_band(hz, gain):
    t = np.arange(10_000) / 500
    x = np.sin(2 * np.pi * hz * t)[None]
    y = bandpass(x, 500, 0.5, 40)
    assert np.std(y[0, 2000:-2000]) / np.std(x) == pytest.approx(gain, abs=0.06)


def test_bandpass_near_the_rate_stays_open_above():
    t = np.arange(1000) / 100
    x = np.sin(2 * np.pi * 30 * t)[None]
    assert np.std(bandpass(x, 100, 0.5, 60)) == pytest.approx(np.std(x), rel=0.05)


def test_sets_are_brought_to_one_form_and_each_difference_is_said(sim):
    a = sim(3, leads=("I", "II", "III", "V1"))
    b = sim(3, fs=250, seconds=8, leads=("I", "II", "V1"), seed=1)
    got = harmonise(a, b, names=NAMES)
    left, right = got.sets
    assert left.leads == right.leads == ("I", "II", "V1")
    assert left.fs == right.fs == 250
    assert left.n_samples == right.n_samples == 2000
    assert [note.split(" ")[0] for note in got.notes] == ["Leads", "Sampling", "Lengths"]


def test_equal_forms_give_no_note(sim):
    assert harmonise(sim(2), sim(2, seed=1), names=NAMES).notes == ()


def test_microvolts_against_millivolts_is_an_error_that_names_the_set(sim):
    a, b = sim(2), sim(2, seed=1)
    micro = EcgSet(b.signals * 1000, 500, b.leads, b.records)
    with pytest.raises(DataError, match=r"B has a typical .* one is in another unit.*--unit uV"):
        harmonise(a, micro, names=NAMES)


def test_flat_and_empty_sets_and_strangers_are_refused(sim):
    a = sim(2)
    with pytest.raises(DataError, match="every record of B is flat"):
        harmonise(a, EcgSet(0 * a.signals, 500, a.leads, a.records), names=NAMES)
    with pytest.raises(DataError, match="B holds no records"):
        harmonise(a, a.select(np.zeros(2, bool)), names=NAMES)
    with pytest.raises(DataError, match="no lead in common: A has I; B has V6"):
        harmonise(a.with_leads(("I",)), a.with_leads(("V6",)), names=NAMES)


@pytest.mark.parametrize("step", [1.0, 4.88, 5.0])
def test_the_rounding_grid_is_found(sim, step):
    ecgs = sim(3)
    x = np.rint(ecgs.signals.astype(float) * 1000 / step) * step / 1000
    assert rounding_grid_uv(EcgSet(x, 500, ecgs.leads, ecgs.records)) == pytest.approx(step)
    assert rounding_grid_uv(ecgs) == 0


def test_a_rounding_difference_is_reported_as_such(sim):
    a, b = sim(2), sim(2, seed=1)
    x = np.rint(a.signals.astype(float) * 200) / 200
    notes = harmonise(EcgSet(x, 500, a.leads, a.records), b, names=NAMES).notes
    assert len(notes) == 1
    assert "Rounding grids differ (A 5 µV, B none)" in notes[0]
