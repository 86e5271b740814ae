"""Signal checks: each artefact planted and found, nothing found where there is none."""

import numpy as np
import pandas as pd
import pytest

from ecgeval.delineation import delineate
from ecgeval.ecgset import STANDARD_LEADS
from ecgeval.signal_checks import (
    CHECKS,
    EXACT_UV,
    FITTED,
    INDEPENDENT,
    covariances,
    signal_checks,
    signal_columns,
)

FS = 500.0


@pytest.fixture(scope="module")
def twelve(sim):
    """Return 12-lead records on a 1 µV grid, with some noise common to a record's leads."""
    ecgs = sim(6, seed=5)
    micro = 2 * np.rint(500 * np.asarray(ecgs.signals, float)) / 1e3  # I and II even: exact halves
    base = type(ecgs)(micro.astype(np.float32), ecgs.fs, ecgs.leads, ecgs.records)
    return np.array(base.with_leads(STANDARD_LEADS).signals)


def check(signals, marks=None, leads=STANDARD_LEADS, fs=FS):
    return signal_checks(signals, fs, leads, marks)


def changed(signals, lead, new):
    out = signals.copy()
    k = STANDARD_LEADS.index(lead)
    out[:, k] = new(out[:, k])
    return out


ALGEBRA = [name for name, c in CHECKS.items() if c.group == "algebra"]


def test_exact_lead_algebra_leaves_nothing(twelve):
    """PROOF: exact data give 0."""
    found = check(twelve)[ALGEBRA]
    assert found.abs().max(axis=None) < 0.01


@pytest.mark.parametrize("lead", ["I", "II", "III", "aVR", "aVL", "aVF"])
def test_a_lead_out_of_step_scaled_or_unrelated_is_detected(twelve, lead):
    """PROOF: one lead shifted by one sample, scaled by 1 %, or replaced by noise."""
    rng = np.random.default_rng(0)
    # 1 % of a small lead is less than rounding leaves
    large = np.quantile(np.abs(twelve[:, STANDARD_LEADS.index(lead)]), 0.999, axis=-1) > 0.25
    assert large.any()
    for new in (
        lambda x: np.roll(x, 1, axis=-1),
        lambda x: 1.01 * x,
        lambda x: rng.normal(0, x.std(axis=-1, keepdims=True), x.shape).astype(np.float32),
    ):
        found = check(changed(twelve, lead, new))
        assert (found.algebra_p999_uv[large] > EXACT_UV).all()
        assert (found.algebra_ratio_pct > 0.1).all()
    # 20 µV RMS, known: the residual is the noise, weighted as the lead is in each sum
    noisy = check(changed(twelve, lead, lambda x: x + rng.normal(0, 0.02, x.shape)))
    weights = {"I": (20, 10, 10), "III": (20, 10, 10), "aVR": (20, 20, 0)}
    if lead == "I":
        columns = ["einthoven_rms_uv", "avr_rms_uv", "avl_rms_uv"]
    elif lead == "III":
        columns = ["einthoven_rms_uv", "avl_rms_uv", "avf_rms_uv"]
    elif lead == "aVR":
        columns = ["augmented_rms_uv", "avr_rms_uv", "avf_rms_uv"]
    else:
        return
    assert noisy[columns].mean().to_numpy() == pytest.approx(weights[lead], rel=0.02, abs=0.01)


def test_percentile_is_that_of_numpy(twelve):
    odd = changed(twelve, "II", lambda x: 1.02 * x)
    residual = np.abs(1e3 * (odd[:, 1] - odd[:, 0] - odd[:, 2]))
    expected = np.sort(residual, axis=-1)[:, -6]
    assert check(odd).algebra_p999_uv.to_numpy() == pytest.approx(expected, rel=1e-3)


def test_rounding_to_a_grid_stays_within_its_bound(twelve):
    rng = np.random.default_rng(1)
    one, two = (twelve[:, k] + rng.normal(0, 0.05, (len(twelve), 5000)) for k in (0, 1))
    derived = two - one, -(one + two) / 2, one - two / 2, two - one / 2
    exact = np.stack([one, two, *derived], axis=1)
    for q in (1.0, 4.88):
        rounded = (q * np.rint(1e3 * exact / q) / 1e3).astype(np.float32)
        found = check(rounded, leads=STANDARD_LEADS[:6])
        assert (found.algebra_p999_uv <= 1.5 * q + 0.01).all()
        assert found.einthoven_rms_uv.mean() == pytest.approx(0.5 * q, rel=0.05)


def test_absent_leads_are_missing_and_columns_are_always_the_same(twelve):
    eight = twelve[:, [STANDARD_LEADS.index(lead) for lead in INDEPENDENT]]
    for signals, leads in (
        (eight, INDEPENDENT),
        (eight[:, 1:2], ("II",)),
        (twelve, STANDARD_LEADS),
    ):
        found = check(signals, leads=leads)
        assert list(found.columns) == signal_columns()
        assert found.noise_uv.notna().all()
    assert check(eight, leads=INDEPENDENT)[ALGEBRA].isna().all(axis=None)
    assert check(eight[:, 1:2], leads=("II",)).dipolarity_pct.isna().all()
    assert set(CHECKS) - set(signal_columns()) == set(FITTED)


def test_dipolarity_and_covariance_are_those_of_the_band():
    """PROOF: three sources give 100 %; equal independent noise gives 3/8."""
    rng = np.random.default_rng(2)
    t = np.arange(5000) / FS
    sources = np.stack([np.sin(2 * np.pi * f * t) for f in (3.0, 7.0, 11.0)])
    three = (rng.normal(size=(4, 8, 3)) @ sources).astype(np.float32)
    found = check(three, leads=INDEPENDENT)
    assert found.dipolarity_pct.to_numpy() == pytest.approx(100, abs=1e-3)
    white = rng.normal(0, 1, (2, 8, 200_000)).astype(np.float32)
    noise = check(white, leads=INDEPENDENT)
    assert noise.dipolarity_pct.mean() == pytest.approx(37.5, abs=1)
    # sines of amplitude a have variance a²/2; the band holds all of them
    cov = covariances(found)
    weights = three @ sources.transpose() / 2500
    assert cov == pytest.approx(weights @ weights.transpose(0, 2, 1) / 2, rel=1e-3, abs=1e-3)


def test_an_upsampling_comb_is_found_at_its_frequencies(twelve):
    """PROOF: the copies of a transposed convolution with unequal weights of its phases."""
    gain = np.tile([1.0, 1.04], 2500).astype(np.float32)
    rng = np.random.default_rng(4)
    drift = twelve + rng.normal(0, 0.002, twelve.shape).astype(np.float32)
    plain = check(drift).comb_db
    lines = 0.01 * np.cos(2 * np.pi * 125 * np.arange(5000) / FS) * np.ones((1, 12, 1))
    assert (check(drift + lines.astype(np.float32)).comb_db > plain + 3).all()
    offset = 0.01 * (gain - 1) / 0.04
    assert (check(drift + offset).nyquist_db > check(drift).nyquist_db + 10).all()
    assert check(drift + offset).comb_db.to_numpy() == pytest.approx(plain.to_numpy(), abs=0.1)
    # a last layer that repeats samples and smooths them has a zero at half the rate
    assert (check(np.repeat(twelve[..., ::2], 2, axis=-1)).nyquist_db < -10).all()
    # mains is no comb
    mains = 0.02 * np.sin(2 * np.pi * 50 * np.arange(5000) / FS)
    found = check(drift + mains.astype(np.float32))
    assert found.comb_db.to_numpy() == pytest.approx(plain.to_numpy(), abs=0.5)
    assert (found.mains50_db > 15).all()
    assert (found.mains60_db < 6).all()


def test_edges_clipping_standstill_and_zeros_are_found(twelve):
    plain = check(twelve)
    ends = twelve.copy()
    ends[..., :100] += np.random.default_rng(5).normal(0, 1.0, 100).astype(np.float32)
    found = check(ends)
    assert (found.edge_rms_db > plain.edge_rms_db + 6).all()
    assert (found.edge_slope_db > plain.edge_slope_db + 6).all()
    late = check(ends[..., ::-1])
    assert late.edge_rms_db.to_numpy() == pytest.approx(found.edge_rms_db.to_numpy(), rel=1e-4)
    clipped = check(np.clip(twelve, -0.3, 0.3))
    assert (clipped.clip_pct > plain.clip_pct + 1).all()
    still = twelve.copy()
    still[:, 3, 1000:1500] = still[:, 3, 1000:1001]
    still[:, 4, 2000:2090] = still[:, 4, 2000:2001]  # 180 ms: too short to count
    assert check(still).flat_pct.to_numpy() == pytest.approx(10, abs=0.05)
    assert (plain.flat_pct == 0).all()
    still[:, 3, 1000:1500] = 0
    zeros = (still[:, 3] == 0).mean(axis=-1) * 100
    assert check(still).zero_pct.to_numpy() == pytest.approx(np.maximum(zeros, plain.zero_pct))


def test_spectral_slopes_of_power_laws():
    rng = np.random.default_rng(6)
    spectrum = np.fft.rfft(rng.normal(size=(24, 1, 5000)))
    hz = np.maximum(np.fft.rfftfreq(5000, 1 / FS), 0.1)
    for exponent in (0.0, -1.0, -2.0):
        x = np.fft.irfft(spectrum * hz ** (exponent / 2)).astype(np.float32)
        found = check(x, leads=("II",))
        assert found.slope_1_32.mean() == pytest.approx(exponent, abs=0.12)
        assert found.slope_40_150.mean() == pytest.approx(exponent, abs=0.12)


def test_signal_quality_by_closed_forms():
    rng = np.random.default_rng(7)
    white = rng.normal(0, 0.1, (8, 1, 5000)).astype(np.float32)
    found = check(white, leads=("V2",))
    assert found.ksqi.mean() == pytest.approx(3, abs=0.1)  # kurtosis of a Gaussian
    assert found.psqi.mean() == pytest.approx(10 / 35, abs=0.02)
    assert found.bassqi.mean() == pytest.approx(1 - 1 / 40, abs=0.01)
    # variance of white noise, 40 to 150 of 250 Hz
    assert found.noise_uv.mean() == pytest.approx(100 * np.sqrt(110 / 250), rel=0.02)


def test_too_clean_and_too_noisy_move_apart(sim):
    """PROOF: a generator without noise is found as surely as one with too much."""
    sets = {noise: sim(20, seed=8, noise_mv=noise) for noise in (0.0, 0.01, 0.05)}
    medians = {
        noise: check(s.signals, delineate(s), s.leads, s.fs).median() for noise, s in sets.items()
    }
    for name, sign in (
        ("noise_uv", 1),
        ("slope_40_150", 1),
        ("psqi", -1),
        ("beat_corr", -1),
        ("ksqi", -1),
        ("dipolarity_pct", -1),
    ):
        values = [sign * medians[noise][name] for noise in sets]
        assert values == sorted(values), (name, values)
        assert values[0] < values[2], name


def test_copied_beats_and_leads_out_of_step(sim):
    ecgs = sim(8, seed=9, noise_mv=0.02)
    copied = np.array(ecgs.signals)
    copied[...] = np.tile(copied[..., 500:1000], 10)
    exact = type(ecgs)(copied, ecgs.fs, ecgs.leads, ecgs.records)
    plain, found = (check(s.signals, delineate(s), s.leads, s.fs) for s in (ecgs, exact))
    assert found.beat_corr.median() == pytest.approx(1, abs=1e-4)
    assert plain.beat_corr.median() < 0.999
    late = np.array(ecgs.signals)
    late[:, 5] = np.roll(late[:, 5], 15, axis=-1)  # V4 30 ms late
    moved = type(ecgs)(late, ecgs.fs, ecgs.leads, ecgs.records)
    found = check(moved.signals, delineate(moved), moved.leads, moved.fs)
    assert found.rpeak_spread_ms.median() > plain.rpeak_spread_ms.median() + 3
    assert found.dipolarity_pct.median() < plain.dipolarity_pct.median()


def test_p_waves_that_wander_and_p_waves_that_are_not_there(sim):
    fs, t = FS, np.arange(5000) / FS
    beats = np.arange(0.6, 9.8, 0.9)

    def record(lag, height=0.15):
        x = np.random.default_rng(10).normal(0, 0.005, (8, 5000))
        for at, late, up in zip(beats, lag, np.broadcast_to(height, len(beats)), strict=True):
            x += up * np.exp(-0.5 * ((t - at + 0.16 - late) / 0.02) ** 2)
            x += 1.0 * np.exp(-0.5 * ((t - at) / 0.012) ** 2)
            x += 0.3 * np.exp(-0.5 * ((t - at - 0.28) / 0.045) ** 2)
        return x

    wander = np.where(np.arange(len(beats)) % 2, 0.012, -0.012)
    signals = np.stack([record(0 * beats), record(wander)]).astype(np.float32)
    from ecgeval.ecgset import EcgSet

    ecgs = EcgSet(signals, fs, INDEPENDENT, pd.DataFrame(index=["a", "b"]))
    found = check(signals, delineate(ecgs), INDEPENDENT)
    assert found.p_beats_pct.to_numpy() == pytest.approx(100)
    assert found.pr_sd_ms[0] < 2
    assert found.pr_sd_ms[1] == pytest.approx(np.std(1e3 * wander, ddof=1), abs=2)
    some = np.where(np.arange(len(beats)) < 8, 0.15, 0.0)
    lost = np.stack([record(0 * beats, some)] * 2).astype(np.float32)
    ecgs = EcgSet(lost, fs, INDEPENDENT, pd.DataFrame(index=["a", "b"]))
    found = check(lost, delineate(ecgs), INDEPENDENT)
    assert found.p_beats_pct[0] == pytest.approx(100 * 8 / len(beats), abs=15)


def test_unit_of_amplitude_moves_only_amplitudes(sim):
    ecgs = sim(4, seed=11)
    a, b = (check(k * ecgs.signals, None, ecgs.leads) for k in (1, 2))
    for name, c in CHECKS.items():
        if name in a and a[name].notna().all():
            factor = 2 if c.unit == "µV" else 1
            assert b[name].to_numpy() == pytest.approx(factor * a[name].to_numpy(), rel=2e-3), name


def test_damaged_records_are_missing_and_touch_no_other(sim):
    ecgs = sim(5, seed=12)
    whole = check(ecgs.signals, delineate(ecgs), ecgs.leads)
    broken = np.array(ecgs.signals)
    broken[1, 2, 77] = np.nan
    broken[3] = 0.4
    found = check(
        broken, delineate(type(ecgs)(broken, ecgs.fs, ecgs.leads, ecgs.records)), ecgs.leads
    )
    assert found.loc[[1, 3]].isna().all(axis=None)
    pd.testing.assert_frame_equal(found.loc[[0, 2, 4]], whole.loc[[0, 2, 4]], rtol=1e-4)
    assert check(broken[:0], None, ecgs.leads).empty
    one_flat = np.array(ecgs.signals)
    one_flat[:, 3] = 0
    assert (
        check(one_flat, None, ecgs.leads)[["clip_pct", "ksqi", "flat_pct"]].notna().all(axis=None)
    )


@pytest.mark.parametrize("fs", [100.0, 250.0, 1000.0])
def test_other_rates_and_short_records(sim, fs):
    ecgs = sim(3, seed=13, fs=fs, seconds=5)
    found = check(ecgs.signals, delineate(ecgs), ecgs.leads, fs)
    assert found[["dipolarity_pct", "slope_1_32", "beat_corr", "ksqi"]].notna().all(axis=None)
    assert found.noise_uv.isna().all() == (fs == 100)


def test_blocks_and_record_order_move_nothing(sim):
    ecgs = sim(11, seed=14)
    whole = check(ecgs.signals, delineate(ecgs), ecgs.leads)
    back = ecgs.select(np.arange(11)[::-1])
    again = check(np.asarray(back.signals), delineate(back), ecgs.leads)
    pd.testing.assert_frame_equal(whole, again[::-1].reset_index(drop=True), rtol=1e-5)
