"""Measures from marks: hand-computed values, units, missing waves, invariances."""

from dataclasses import replace

import numpy as np
import pytest

from ecgeval.delineation import Status
from ecgeval.delineation.base import empty
from ecgeval.measures import MEASURES, measure_columns, measure_info, measure_marks

LEADS = ("I", "II", "aVF", "V1")
FS = 500


def marked(r_peaks=(500, 900, 1300, 1700), kinds=None, offset=0.0, gain=1.0, leads=LEADS):
    """Return one record's marks: P 0.1 mV, Q -0.1, R 1.0, S -0.3, ST 0.05, T 0.25 mV."""
    marks = empty(1, leads, len(r_peaks), FS, "made")
    marks.marks[0, :, :, 4] = np.asarray(r_peaks)
    marks.n_beats[0] = len(r_peaks)
    marks.beat_class[0] = 1 if kinds is None else kinds
    marks.global_marks[0] = [-160, -120, -60, -40, 0, 50, 180, 280, 360]
    ms = (np.arange(marks.beats.shape[-1]) - marks.zero) * (1000 / FS)
    beat = np.zeros_like(ms)
    for low, high, height in (
        (-130, -110, 0.1),
        (-20, -16, -0.1),
        (-2, 2, 1.0),
        (20, 24, -0.3),
        (46, 120, 0.05),
        (270, 290, 0.25),
    ):
        beat[(ms >= low) & (ms <= high)] = height
    marks.beats[0] = offset + gain * beat
    marks.status[0] = Status.OK
    return marks


def row(marks):
    return measure_marks(marks).iloc[0]


def test_intervals_and_rhythm_by_hand():
    got = row(marked(r_peaks=(500, 900, 1320, 1700)))
    assert got["rr_ms"] == pytest.approx(800)  # 800, 840, 760
    assert got["hr_bpm"] == pytest.approx(75)
    assert got["rr_sd_ms"] == pytest.approx(40)
    assert got["rmssd_ms"] == pytest.approx(np.sqrt((40**2 + 80**2) / 2))
    assert [got[c] for c in ("p_dur_ms", "pr_ms", "qrs_ms", "qt_ms", "jt_ms")] == [
        100,
        120,
        90,
        400,
        310,
    ]
    assert got["qtcf_ms"] == pytest.approx(400 / 0.8 ** (1 / 3))
    assert got["qtcb_ms"] == pytest.approx(400 / 0.8**0.5)


def test_an_ectopic_beat_is_left_out_of_the_rhythm():
    # Beat 3 comes early and is of another kind: both intervals beside it go.
    got = row(marked(r_peaks=(500, 900, 1150, 1700, 2100), kinds=[1, 1, 0, 1, 1]))
    assert got["rr_ms"] == pytest.approx(800)
    assert got["rr_sd_ms"] == pytest.approx(0)
    assert np.isnan(got["rmssd_ms"])  # no two neighbouring intervals are left


def test_amplitudes_by_hand():
    got = row(marked(offset=0.4))
    for lead in LEADS:
        assert got[f"p_amp_{lead}_mv"] == pytest.approx(0.1, abs=1e-6)
        assert got[f"q_amp_{lead}_mv"] == pytest.approx(-0.1, abs=1e-6)
        assert got[f"r_amp_{lead}_mv"] == pytest.approx(1.0, abs=1e-6)
        assert got[f"s_amp_{lead}_mv"] == pytest.approx(-0.3, abs=1e-6)
        assert got[f"t_amp_{lead}_mv"] == pytest.approx(0.25, abs=1e-6)
        assert got[f"stj_{lead}_mv"] == pytest.approx(0.05, abs=1e-6)
        assert got[f"st60_{lead}_mv"] == pytest.approx(0.05, abs=1e-6)


def test_a_tall_p_or_t_is_not_taken_for_r():
    marks = marked()
    ms = (np.arange(marks.beats.shape[-1]) - marks.zero) * (1000 / FS)
    marks.beats[0, 3, (ms > -150) & (ms < -70)] = 2.0
    marks.beats[0, 3, (ms > 250) & (ms < 300)] = 3.0
    assert row(marks)["r_amp_V1_mv"] == pytest.approx(1.0)


def test_gain_scales_amplitudes_and_moves_no_interval():
    one, two = row(marked()), row(marked(gain=2.0, offset=-1))
    for column in measure_columns(LEADS):
        if column.endswith("_mv"):
            assert two[column] == pytest.approx(2 * one[column], abs=1e-5), column
        elif not np.isnan(one[column]):
            assert two[column] == pytest.approx(one[column]), column


@pytest.mark.parametrize(
    ("i", "avf", "axis"),
    [(1, 0, 0), (0, 1, 90), (-1, 0, 180), (0, -1, -90), (1, np.sqrt(3) / 2, 45)],
)
def test_axes_from_areas(i, avf, axis):
    marks = marked()
    marks.beats[0, 0] *= i
    marks.beats[0, 2] *= avf
    got = row(marks)
    for name in ("p_axis_deg", "qrs_axis_deg", "t_axis_deg"):
        assert got[name] == pytest.approx(axis, abs=1e-4)
    assert got["qrst_angle_deg"] == pytest.approx(0, abs=1e-4)


def test_axes_need_two_limb_leads():
    got = row(marked(leads=("V1", "V2")))
    assert np.isnan(got["qrs_axis_deg"])
    assert np.isfinite(got["qrs_ms"])


def test_a_missing_p_wave_leaves_only_its_own_measures_missing():
    marks = marked()
    marks.global_marks[0, :3] = np.nan
    got = row(marks)
    missing = set(got.index[got.isna()])
    assert missing == {"p_dur_ms", "pr_ms", "p_axis_deg", *(f"p_amp_{lead}_mv" for lead in LEADS)}


def test_a_record_without_status_ok_has_no_measures():
    marks = marked()
    marks.status[0] = Status.NO_BEATS
    assert row(marks).isna().all()


def test_marks_of_another_rate_give_the_same_values():
    slow = empty(1, LEADS, 4, 250, "made")
    fast = marked()
    slow.marks[0, :, :, 4] = fast.marks[0, :, :, 4] // 2
    half = replace(fast, fs=250, marks=slow.marks, beats=fast.beats[:, :, ::2])
    one, two = row(fast), row(half)
    for column in measure_columns(LEADS):
        if np.isfinite(one[column]) and "axis" not in column:
            assert two[column] == pytest.approx(one[column], abs=1e-5), column


def test_a_wave_that_no_heart_can_have_at_its_rate_is_missing():
    # RR 480 ms: a QT of 400 ms would reach into the next beat; a PR of 120 ms is possible.
    got = row(marked(r_peaks=(500, 740, 980, 1220)))
    assert got["rr_ms"] == pytest.approx(480)
    gone = ["qt_ms", "qtcf_ms", "qtcb_ms", "jt_ms", "t_axis_deg", "qrst_angle_deg", "t_amp_I_mv"]
    assert got[gone].isna().all()
    assert got["pr_ms"] == 120
    # RR 220 ms: neither is.
    got = row(marked(r_peaks=(500, 610, 720, 830)))
    assert got[["pr_ms", "p_dur_ms", "p_axis_deg", "p_amp_II_mv"]].isna().all()
    assert got["qrs_ms"] == 90


def test_the_table_of_measures_covers_every_column():
    columns = measure_columns(LEADS)
    assert len(columns) == 15 + 7 * len(LEADS)
    assert list(measure_marks(marked()).columns) == columns
    for column in columns:
        info = measure_info(column)
        assert column.endswith(info.unit.lower())
        assert info.low < info.high
        assert "{lead}" not in info.name + info.label
    with pytest.raises(KeyError):
        measure_info("r_amp_V9_mv")
    assert {m.unit for m in MEASURES.values()} == {"bpm", "ms", "deg", "mV"}
