"""The NeuroKit2 backend: guarded, fixed shapes, a status for everything it cannot do."""

import numpy as np
import pandas as pd
import pytest

from ecgeval.delineation import MARKS, METHODS, Status, delineate
from ecgeval.delineation import neurokit as backend
from ecgeval.delineation.beats import classify_beats, cut_beats, global_marks
from ecgeval.ecgset import EcgSet
from ecgeval.errors import UsageError


def with_signals(ecgs, signals):
    return EcgSet(signals, ecgs.fs, ecgs.leads, ecgs.records)


@pytest.fixture(scope="module")
def simulated(sim):
    return sim(3, leads=("I", "II", "V5"), noise_mv=0.005)


@pytest.fixture(scope="module")
def marked(simulated):
    return delineate(simulated, method="neurokit")


def test_simulated_beats_are_found_in_order(simulated, marked):
    assert marked.method.startswith("neurokit2 ")
    assert (marked.status == Status.OK).all()
    assert marked.marks.shape[:2] == (3, 3)
    assert marked.marks.shape[3] == len(MARKS)
    for i in range(3):
        used = marked.marks[i, :, : marked.n_beats[i]]
        assert (used[..., 4] >= 0).all()
        assert (marked.marks[i, :, marked.n_beats[i] :] == -1).all()
        order = np.where(used < 0, np.nan, used)[..., [0, 2, 3, 4, 5, 7, 8]]
        steps = np.diff(order, axis=-1)
        assert (steps[np.isfinite(steps)] >= 0).all()
    on, r, off = marked.global_marks[:, 3], marked.global_marks[:, 4], marked.global_marks[:, 5]
    assert (on < 0).all()
    assert (abs(r) < 40).all()  # the largest deflection of some lead is its Q or S
    assert (off > 0).all()


def test_unusable_records_get_a_status_and_no_marks(simulated, sim):
    x = np.repeat(simulated.signals[:1], 4, axis=0)
    x[1] = 0.2
    x[2, 1, 77] = np.nan
    x[3] = np.random.default_rng(0).normal(0, 1e-5, x[3].shape)
    ids = list("abcd")
    marks = delineate(EcgSet(x, 500, simulated.leads, pd.DataFrame(index=ids)), method="neurokit")
    assert marks.status.tolist() == [Status.OK, Status.FLAT, Status.NOT_FINITE, Status.FLAT]
    for i in (1, 2, 3):
        assert (marks.marks[i] == -1).all()
        assert np.isnan(marks.global_marks[i]).all()
        assert np.isnan(marks.beats[i]).all()
        assert marks.n_beats[i] == 0
    short = simulated.crop(700)
    assert (delineate(short, method="neurokit").status == Status.TOO_SHORT).all()


def test_an_exception_of_the_backend_is_a_status(simulated, monkeypatch):
    import neurokit2

    def broken(*args, **kwargs):
        raise ValueError("cannot convert float NaN to integer")

    monkeypatch.setattr(neurokit2, "ecg_delineate", broken)
    marks = delineate(simulated, method="neurokit")
    assert (marks.status == Status.BACKEND_FAILED).all()
    assert (marks.marks == -1).all()


def test_an_exception_of_our_own_is_not_hidden(simulated, monkeypatch):
    monkeypatch.setattr(backend, "cut_beats", lambda *a: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        delineate(simulated, method="neurokit")


def test_lists_of_unequal_length_and_nan_reach_the_right_beats():
    peaks = np.array([100, 500, 900])
    got = backend._assign([np.nan, 480.0, 870.0, 880.0], peaks, -50, 0)
    assert got.tolist() == [-1, 480, 880]
    got = backend._assign([130.0, 140.0, 2000.0], peaks, 10, 60)
    assert got.tolist() == [130, -1, -1]


@pytest.mark.parametrize("jobs", [1, 2])
def test_the_marks_do_not_depend_on_jobs_or_company(sim, jobs, marked, simulated):
    alone = delineate(simulated.select([simulated.ids[1]]), method="neurokit", jobs=jobs)
    n = alone.marks.shape[2]
    np.testing.assert_array_equal(alone.marks[0], marked.marks[1, :, :n])
    np.testing.assert_array_equal(alone.global_marks[0], marked.global_marks[1])


def test_a_flat_lead_does_not_stop_the_others(simulated):
    x = simulated.signals.copy()
    x[:, 0] = 0
    marks = delineate(with_signals(simulated, x), method="neurokit")
    assert (marks.status == Status.OK).all()
    assert (marks.marks[:, 0] == -1).all()
    assert np.isfinite(marks.global_marks[:, 3]).all()


def test_unknown_methods_are_named(simulated):
    with pytest.raises(UsageError, match="unknown delineation method 'nk'; expected"):
        delineate(simulated, method="nk")
    assert "neurokit:dwt" in METHODS


def test_an_empty_set_gives_an_empty_answer(simulated):
    assert len(delineate(simulated.select(np.zeros(3, bool)), method="neurokit")) == 0


def test_global_marks_are_not_decided_by_one_noisy_lead():
    relative = np.full((12, 5, 9), np.nan)
    relative[:, :, 3] = -40
    relative[:, :, 5] = 50
    relative[0, :, 3], relative[0, :, 5] = -150, 190
    got = global_marks(relative)
    assert got[3] == pytest.approx(-40)
    assert got[5] == pytest.approx(50)
    assert np.isnan(got[[0, 1, 2, 6, 7, 8]]).all()


def test_a_wave_seen_in_few_beats_is_no_wave():
    relative = np.full((2, 6, 9), np.nan)
    relative[:, :2, 0] = -150
    assert np.isnan(global_marks(relative)[0])


def test_an_early_and_an_odd_beat_are_of_another_kind():
    fs, n = 500, 5000
    peaks = np.array([400, 800, 1200, 1400, 2000, 2400, 2800, 3200])
    x = np.zeros((2, n))
    t = np.arange(-30, 31)
    for k, p in enumerate(peaks):
        x[:, p - 30 : p + 31] += np.exp(-0.5 * (t / (6 if k != 6 else 25)) ** 2) * (
            1 - 2 * (k == 6)
        )
    cut = cut_beats(x, peaks, fs)
    assert classify_beats(cut, peaks, fs).tolist() == [1, 1, 1, 0, 1, 1, 0, 1]


def test_cut_beats_takes_out_a_slow_baseline():
    fs = 500
    peaks = np.arange(500, 4500, 400)
    drift = np.linspace(-1, 1, 5000)[None]
    cut = cut_beats(drift.copy(), peaks, fs)
    whole = cut[np.isfinite(cut).all(axis=(1, 2))]
    np.testing.assert_allclose(whole - whole[0], 0, atol=1e-9)


def test_ludb_is_delineated_without_a_failure(real_data):
    from ecgeval.io import read

    real_data("ludb")
    ecgs = read("ludb:1-6")
    marks = delineate(ecgs, method="neurokit")
    assert (marks.status == Status.OK).all()
    assert ((marks.n_beats >= 5) & (marks.n_beats <= 20)).all()
