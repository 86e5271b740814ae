"""The two spaces: what is near in them, what is missing, and that they see no training set."""

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr

from ecgeval.comparison.manifold import section
from ecgeval.comparison.manifold.spaces import (
    WAVEFORM_DIMENSIONS,
    _moments,
    measure_space,
    waveform_space,
)
from ecgeval.comparison.pair import Pair, Side
from ecgeval.delineation.base import BEAT_WINDOW_S
from ecgeval.errors import UsageError
from ecgeval.results import Verdict


def table(**columns):
    return pd.DataFrame({name: np.asarray(v, float) for name, v in columns.items()})


def beats(n, *, seed=0, leads=8, fs=250, shift_ms=0.0, noise=0.01):
    """Return simulated representative beats: P, QRS and T, each record a person of its own."""
    rng = np.random.default_rng(seed)
    at = np.linspace(*BEAT_WINDOW_S, round((BEAT_WINDOW_S[1] - BEAT_WINDOW_S[0]) * fs))
    waves = [(-0.16, 0.02, 0.12), (-0.02, 0.008, -0.1), (0, 0.012, 1.0), (0.28, 0.045, 0.3)]
    out = np.zeros((n, leads, len(at)))
    for where, width, height in waves:
        size = height * rng.normal(1, 0.3, (n, leads, 1))
        centre = where + rng.normal(0, 0.01, (n, 1, 1)) + shift_ms / 1000
        out += size * np.exp(-0.5 * ((at - centre) / width) ** 2)
    return out + rng.normal(0, noise, out.shape)


def test_measures_are_scaled_by_the_real_set_and_cut():
    """Quartiles 85, 90, 95 of the real set: (100 - 90) / (10 / 1.349) = 1.349."""
    real = table(qrs_ms=[80, 85, 90, 95, 100], hr_bpm=[60, 65, 70, 75, 80])
    r, s = measure_space(real, table(qrs_ms=[100, 1e6], hr_bpm=[70, -1e6]))
    assert r.shape == (5, 2)
    assert s.tolist() == pytest.approx(np.array([[1.349, 0], [8, -8]]))
    assert np.median(r, axis=0).tolist() == [0, 0]


def test_angles_are_near_across_the_seam_and_missing_values_have_an_axis():
    real = table(qrs_axis_deg=[179, -179, 90, 0, np.nan], pr_ms=[150, 160, 170, 180, 190])
    synth = table(qrs_axis_deg=[-180, 180, 0], pr_ms=[170, np.nan, np.inf])
    r, s = measure_space(real, synth)
    assert r.shape[1] == 5  # pr, cosine, sine, and a flag for each of the two measures
    assert np.linalg.norm(r[0] - r[1]) < np.linalg.norm(r[0] - r[2])
    np.testing.assert_allclose(s[0, 1:3], s[1, 1:3], atol=1e-9)
    assert s[:, 0].tolist() == pytest.approx([0, 0, 0])
    assert s[:, 3:].sum(axis=1).tolist() == [0, 1, 1]
    assert r[:, 3:].sum(axis=1).tolist() == [0, 0, 0, 0, 1]


def test_a_record_without_any_measure_has_no_place():
    real = table(qrs_ms=[80, 90, np.nan], pr_ms=[150, np.nan, np.nan])
    r, s = measure_space(real, table(qrs_ms=[np.nan], pr_ms=[np.nan]))
    assert np.isfinite(r).all(axis=1).tolist() == [True, True, False]
    assert np.isnan(s).all()
    r, s = measure_space(real[:0], real[:0])
    assert len(r) == len(s) == 0


def test_implied_columns_and_derived_leads_are_left_out():
    names = [
        "hr_bpm",
        "rr_ms",
        "qrs_ms",
        "qt_ms",
        "qtcf_ms",
        "qtcb_ms",
        "jt_ms",
        "r_amp_I_mv",
        "r_amp_II_mv",
        "r_amp_III_mv",
        "r_amp_aVF_mv",
        "r_amp_V1_mv",
    ]
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(9, 12)), columns=names)
    assert measure_space(frame, frame)[0].shape[1] == 7
    alone = frame[["rr_ms", "r_amp_III_mv"]]
    assert measure_space(alone, alone)[0].shape[1] == 2


def test_scaling_is_the_real_sets_and_units_do_not_matter():
    rng = np.random.default_rng(1)
    real, synth = (table(qrs_ms=rng.normal(90, 8, 50), pr_ms=rng.normal(160, 20, 50)) for _ in "ab")
    r, s = measure_space(real, synth)
    np.testing.assert_array_equal(r, measure_space(real, synth[:10] + 5)[0])
    scaled = measure_space(real * 1000, synth * 1000)
    np.testing.assert_allclose(scaled[0], r, atol=1e-9)
    np.testing.assert_allclose(scaled[1], s, atol=1e-9)


def test_beats_become_64_axes_or_fewer_whatever_the_leads():
    for leads in (1, 2, 8, 12):
        r, s = waveform_space(beats(30, leads=leads), beats(20, seed=1, leads=leads))
        assert r.shape[1] == s.shape[1] <= WAVEFORM_DIMENSIONS
    assert np.median(np.sqrt((r**2).mean(axis=1))) == pytest.approx(1)
    with pytest.raises(UsageError, match="same leads"):
        waveform_space(beats(3, leads=2), beats(3, leads=3))


def test_the_map_sees_no_set_but_for_centre_and_scale():
    """Distances between the same records keep their ratios whatever else is in either set."""
    some = beats(20)
    alone = pdist(waveform_space(some, beats(5, seed=1))[0])
    among = pdist(waveform_space(np.concatenate([some, beats(90, seed=2)]), some)[1])
    np.testing.assert_allclose(among / among[0], alone / alone[0], rtol=1e-9)


def test_distances_are_those_of_the_beats():
    """The rotation keeps the order of distances, the moments what is not noise."""
    b = beats(60)
    placed = pdist(waveform_space(b, b)[0])
    assert spearmanr(placed, pdist(_moments(b))).statistic > 0.97
    # ... and of the traces themselves, where their level before the QRS agrees
    assert spearmanr(placed, pdist(beats(60, noise=0).reshape(60, -1))).statistic > 0.9


def test_a_level_or_another_rate_moves_little_and_a_wider_qrs_much():
    b = beats(60, noise=0)
    home = waveform_space(b, b)[0]
    np.testing.assert_allclose(waveform_space(b, b + 0.3)[1], home, atol=1e-9)
    away = waveform_space(b, beats(60, noise=0, fs=500))[1]
    late = waveform_space(b, beats(60, noise=0, shift_ms=20))[1]
    typical = np.median(pdist(home))
    assert np.median(np.linalg.norm(away - home, axis=1)) < 0.25 * typical
    assert np.median(np.linalg.norm(late - home, axis=1)) > 0.5 * typical


def test_a_beat_with_a_gap_has_no_place_and_flat_sets_no_error():
    b = beats(10)
    b[3] = np.nan
    b[4, 2, 100] = np.nan  # at R
    b[5, :, -1] = np.nan  # after the last moment
    r = waveform_space(b, b)[0]
    assert np.flatnonzero(~np.isfinite(r).all(axis=1)).tolist() == [3, 4]
    flat = np.zeros((5, 8, 275))
    assert not np.any(waveform_space(flat, flat)[0])
    assert np.isnan(waveform_space(np.full_like(flat, np.nan), flat)[0]).all()


def verdicts(real, synth):
    sides = (Side(pd.DataFrame(index=range(len(b))), range(len(b))) for b in (real, synth))
    spaces = {"beats": waveform_space(real, synth)}
    results = section.compare_in_spaces(Pair(*sides, quick=True), spaces)
    return {f.code: f.verdict for f in results.findings}


def test_what_small_changes_and_copies_do_in_the_space_of_beats():
    """2 % gain in a lead and 20 µV of noise a sample (a median of ten beats keeps 1/√10 of it)."""
    real, other = beats(200), beats(200, seed=1)
    gain = other.copy()
    gain[:, 3] *= 1.02
    noise = np.random.default_rng(2).normal(0, 0.02 / np.sqrt(10), other.shape)
    for alike in (gain, other + noise):
        assert Verdict.FAIL not in verdicts(real, alike).values()
    copied = verdicts(real, real + noise)
    assert copied["MANI-AUTHENTICITY"] == Verdict.FAIL
    assert verdicts(real, real)["MANI-AUTHENTICITY"] == Verdict.FAIL
    inverted = other.copy()
    inverted[:, 1] *= -1
    assert verdicts(real, inverted)["MANI-PR"] == Verdict.FAIL
    microvolts = verdicts(real, 1000 * other)
    assert microvolts["MANI-FRECHET"] == microvolts["MANI-PR"] == Verdict.FAIL
