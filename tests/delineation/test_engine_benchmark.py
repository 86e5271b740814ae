"""The benchmark's arithmetic, on tables one can check by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ecgeval.delineation import benchmark
from ecgeval.delineation.base import Delineation, Status, empty


def table(*rows):
    return pd.DataFrame(rows, columns=["lead", "wave", "onset", "peak", "offset"])


# One lead, two beats at 1000 Hz: P 800-860-900, QRS 950-1000-1040, T 1200-1250-1300, then +1000.
REFERENCE = table(
    *(
        ("II", wave, *(np.array(times) + shift))
        for shift in (0, 1000)
        for wave, times in {
            "P": (800, 860, 900),
            "QRS": (950, 1000, 1040),
            "T": (1200, 1250, 1300),
        }.items()
    )
)


def delineation(beats) -> Delineation:
    """Marks of one lead at 1000 Hz, beats as rows of nine."""
    marks = np.array(beats, np.int32)
    out = empty(1, ("II",), len(marks), 1000, "test")
    out.marks[0, 0] = marks
    return replace(out, status=np.array([Status.OK], np.int8))


EXACT = [
    [800, 860, 900, 950, 1000, 1040, 1200, 1250, 1300],
    [1800, 1860, 1900, 1950, 2000, 2040, 2200, 2250, 2300],
]


@pytest.mark.parametrize(
    ("reference", "detected", "tolerance", "pairs"),
    [
        ([100, 200], [100, 200], 0, [(0, 0), (1, 1)]),
        ([100], [90, 105], 20, [(0, 1)]),  # the nearest, once
        ([100, 110], [108], 20, [(1, 0)]),  # one detection for one mark
        ([100], [140], 40, [(0, 0)]),  # the tolerance is inclusive
        ([100], [141], 40, []),
        ([], [5], 40, []),
        ([5], [], 40, []),
    ],
)
def test_match(reference, detected, tolerance, pairs):
    i, j = benchmark.match(np.array(reference), np.array(detected), tolerance)
    assert list(zip(i.tolist(), j.tolist(), strict=True)) == pairs


def test_exact_marks_score_100_without_error():
    result = benchmark.evaluate(delineation(EXACT), [REFERENCE])
    for tolerance in benchmark.TOLERANCES_MS:
        assert (result.marks[f"f1_{tolerance}"] == 100).all()
    assert (result.marks["bias_ms"] == 0).all()
    assert (result.intervals["bias_ms"] == 0).all()
    assert result.intervals["n"].tolist() == [1, 1, 1, 1]
    row = result.records.iloc[0]
    assert [row[n] for n in ("p_dur_ms", "pr_ms", "qrs_ms", "qt_ms")] == [100, 150, 90, 350]
    assert (result.p_less, result.false_p, result.failures) == (0, 0, 0)


def test_a_late_mark_counts_at_150_and_not_at_40():
    late = [list(EXACT[0]), list(EXACT[1])]
    late[1][8] += 60
    result = benchmark.evaluate(delineation(late), [REFERENCE])
    row = result.marks.loc["T_off"]
    # At 40 ms one hit and one miss; the detection at 2360 lies beyond the last mark: not false.
    assert row[["sensitivity_150", "f1_150"]].tolist() == [100, 100]
    assert row["sensitivity_40"] == 50
    assert row["ppv_40"] == 100
    assert row["f1_40"] == pytest.approx(200 * 1 / (2 * 1 + 1 + 0))
    assert row["bias_ms"] == 30
    # The median over beats of QT, 350 and 410.
    assert result.records.iloc[0]["qt_ms_found"] == 380


def test_false_detections_count_inside_the_annotated_range_only():
    extra = [
        *EXACT,
        [-1, -1, -1, 1450, 1500, 1550, -1, -1, -1],
        [-1] * 3 + [2950, 3000, 3040] + [-1] * 3,
    ]
    result = benchmark.evaluate(delineation(extra), [REFERENCE])
    row = result.marks.loc["R_peak"]
    assert row["sensitivity_150"] == 100
    assert row["ppv_150"] == pytest.approx(100 * 2 / 3)


def test_a_failed_record_is_everything_missed():
    failed = empty(1, ("II",), 0, 1000, "test")
    result = benchmark.evaluate(failed, [REFERENCE])
    assert result.failures == 1
    assert (result.marks["f1_150"] == 0).all()
    assert (result.intervals["missing"] == 1).all()


def test_false_p_is_counted_on_records_without_p():
    without = REFERENCE[REFERENCE["wave"] != "P"]
    result = benchmark.evaluate(delineation(EXACT), [without])
    assert (result.p_less, result.false_p) == (1, 1)
    quiet = np.array(EXACT)
    quiet[:, :3] = -1
    result = benchmark.evaluate(delineation(quiet), [without])
    assert (result.p_less, result.false_p) == (1, 0)


def test_global_intervals_are_quantiles_over_leads_and_medians_over_beats():
    rng = np.random.default_rng(0)
    marks = np.array(EXACT)[None] + rng.integers(-20, 20, (12, 1, 9))
    marks[3, :, 6:9] = -1
    got = benchmark.global_intervals(marks, 500)
    on = np.quantile(marks[:, 0, 3], 0.1)
    assert got["qrs_ms"] == pytest.approx(2 * (np.quantile(marks[:, 0, 5], 0.9) - on))
    t_off = np.delete(marks[:, 0, 8], 3)
    assert got["qt_ms"] == pytest.approx(2 * (np.quantile(t_off, 0.9) - on))


def test_waves_go_to_the_beat_they_belong_to():
    two = table(*REFERENCE.itertuples(index=False), ("V1", "QRS", 955, 1010, 1050))
    marks = benchmark.as_beats(two, ("II", "V1"), 1000)
    assert marks.shape == (2, 2, 9)
    assert marks[0].tolist() == EXACT
    assert marks[1, 0].tolist() == [-1] * 3 + [955, 1010, 1050] + [-1] * 3
    assert (marks[1, 1] == -1).all()
