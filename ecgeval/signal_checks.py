"""Signal checks that know nothing of the heart: how leads hang together, and traces of a machine.

One row of numbers a record, cheap enough to be taken on the way of every feature pass. Spectra are
those of the whole record under a Hann window; the covariance of the leads comes from the same
spectrum (Parseval), so that it is that of the 0.5 to 40 Hz band without a filter.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.fft import rfft

from ecgeval.delineation import Delineation
from ecgeval.ecgset import DERIVABLE
from ecgeval.stats.arrays import Floats

__all__ = [
    "CHECKS",
    "CHEST",
    "EXACT_UV",
    "FITTED",
    "INDEPENDENT",
    "LIMB",
    "RULE_COLUMNS",
    "SignalCheck",
    "covariances",
    "signal_checks",
    "signal_columns",
]


LIMB = ("I", "II")
CHEST = ("V1", "V2", "V3", "V4", "V5", "V6")
INDEPENDENT = (*LIMB, *CHEST)
"""The eight leads of which the four others are sums."""

IDENTITIES: dict[str, dict[str, float]] = {
    "einthoven": {"II": 1, "I": -1, "III": -1},
    "augmented": {"aVR": 1, "aVL": 1, "aVF": 1},
    "avr": {"aVR": 1, "I": 0.5, "II": 0.5},
    "avl": {"aVL": 1, "I": -0.5, "III": 0.5},
    "avf": {"aVF": 1, "II": -0.5, "III": -0.5},
}
"""Sums of leads that are 0 at every instant, whatever the heart does."""

EXACT_UV = 2.01
"""Residual that rounding to whole µV can leave of leads computed from each other, µV."""

ALGEBRA_UV = 5.0
"""A residual beyond this breaks an identity, µV: the coarsest common converter steps by 4.88."""

_BAND = (0.5, 40.0)
_EDGE_S, _FLAT_S = 0.5, 0.2
_RR_MS = (300.0, 2000.0)
_BEAT_MS = (-250.0, 400.0)
_P_LAG_MS, _P_LIKE = 40.0, 0.5
_Q_LEADS = ("I", "II", "aVL", "aVF", "V2", "V3", "V4", "V5", "V6")
_Q_MV = -0.02
_BLOCK = 8  # records at a time: they stay in the cache


@dataclass(frozen=True)
class SignalCheck:
    """What a column of `signal_checks` means.

    Parameters
    ----------
    name, unit, label, definition : str
    group : {"algebra", "leads", "signal", "rules"}
        ``rules`` is for the rule table alone.
    higher, lower : str
        What it means, in words, where synthetic records have more or less of it than real ones.
    """

    name: str
    unit: str
    label: str
    definition: str
    group: str
    higher: str = ""
    lower: str = ""


_RMS = "root mean square over the record"
_SPECTRUM = "of the mean spectrum of the independent leads"
_FAR = "leads that do not belong to one heart at one instant"

# By group: name, label, definition, and in words what more and what less of it than in real records
# means. The unit is the end of the name.
_UNITS = {"uv": "µV", "pct": "%", "ms": "ms", "db": "dB"}
_TABLE: dict[str, tuple[tuple[str, ...], ...]] = {
    "algebra": (
        ("einthoven_rms_uv", "II − I − III", _RMS, _FAR),
        ("augmented_rms_uv", "aVR + aVL + aVF", _RMS, _FAR),
        ("avr_rms_uv", "aVR + (I + II) / 2", _RMS, _FAR),
        ("avl_rms_uv", "aVL − (I − III) / 2", _RMS, _FAR),
        ("avf_rms_uv", "aVF − (II + III) / 2", _RMS, _FAR),
        (
            "algebra_p999_uv",
            "lead algebra residual",
            "99.9th percentile of the absolute residual, the largest of the five identities (the "
            f"largest residual where that is rounding, at most {EXACT_UV:.0f} µV)",
            _FAR,
        ),
        (
            "algebra_over_pct",
            "lead algebra broken",
            f"share of samples at which a residual exceeds {ALGEBRA_UV:g} µV, the largest of the "
            "five identities",
            _FAR,
        ),
        (
            "algebra_ratio_pct",
            "lead algebra residual against the leads",
            "RMS of the largest residual over that of the limb leads",
            _FAR,
        ),
    ),
    "leads": (
        (
            "dipolarity_pct",
            "dipolarity",
            "share of the variance of the eight independent leads (0.5 to 40 Hz) in its first "
            "three principal components",
            "the leads share one dipole more closely than in people: local detail is missing",
            "the leads look less like one heart seen from eight sides",
        ),
        (
            "limb_residual_uv",
            "limb from chest residual",
            "RMS of what a ridge map from V1-V6, fitted on real records of other patients, leaves "
            "of I and II (0.5 to 40 Hz)",
            "limb and chest leads hang together less than in people",
            "limb leads follow from the chest leads more than in people",
        ),
        (
            "limb_r2",
            "limb from chest, R²",
            "1 − residual over variance of I and II, under the same map",
            "limb leads follow from the chest leads more than in people",
            "limb and chest leads hang together less than in people",
        ),
        (
            "chest_r2",
            "chest from limb, R²",
            "the same the other way: V1-V6 from I and II",
            "chest leads follow from the limb leads more than in people",
            "limb and chest leads hang together less than in people",
        ),
        (
            "rpeak_spread_ms",
            "spread of R over leads",
            "standard deviation over leads of the time of R, median of dominant beats",
            "the leads are less in step",
            "R falls on one instant in all leads more than in people",
        ),
        (
            "qrs_on_spread_ms",
            "spread of QRS onset",
            "standard deviation over leads of the QRS onset of the representative beat",
            "the leads are less in step",
            "the QRS begins at one instant in all leads",
        ),
    ),
    "signal": (
        (
            "beat_corr",
            "likeness of beats",
            "correlation of a dominant beat (-250 to 400 ms, all independent leads) with the mean "
            "of the others, median over beats",
            "beats repeat each other as if copied",
            "beats of one record differ in shape",
        ),
        (
            "noise_uv",
            "power from 40 to 150 Hz",
            f"RMS {_SPECTRUM} between 40 and 150 Hz (or 0.45 of the rate)",
            "more noise, or a steeper QRS",
            "too clean: less muscle noise than electrodes give, or a blunted QRS",
        ),
        (
            "slope_1_32",
            "spectral slope 1–32 Hz",
            f"exponent of a power law {_SPECTRUM}, octaves equally weighted",
            "too much fine detail against slow waves",
            "too smooth",
        ),
        (
            "slope_40_150",
            "spectral slope 40–150 Hz",
            "the same between 40 and 150 Hz (or 0.45 of the rate), thirds of octaves",
            "a flat noise floor, as of white noise",
            "high frequencies fall off, as after a low-pass",
        ),
        (
            "mains50_db",
            "50 Hz line",
            "power within 0.3 Hz of 50 Hz over the median power 1 to 5 Hz away",
            "more mains interference",
            "mains interference is missing, or was notched out",
        ),
        (
            "mains60_db",
            "60 Hz line",
            "power within 0.3 Hz of 60 Hz over the median power 1 to 5 Hz away",
            "more mains interference",
            "mains interference is missing, or was notched out",
        ),
        (
            "comb_db",
            "upsampling comb",
            "power within 0.3 Hz of multiples of fs/16 from 45 Hz to below fs/2 over the median "
            "power 1 to 5 Hz away, mean over lines in dB",
            "lines at fs/2^k: the fingerprint of a transposed convolution",
            "notches at fs/2^k, as samples leave that were repeated and then smoothed",
        ),
        (
            "nyquist_db",
            "half the sampling rate",
            "power within 0.3 Hz of fs/2 over the median power 1 to 5 Hz below",
            "samples alternate: the fingerprint of a transposed convolution of stride 2",
            "less power at half the rate; far below 0 dB, a last layer that repeats each sample",
        ),
        (
            "edge_rms_db",
            "louder at the ends",
            "RMS of the first or the last 0.5 s, the larger, over that between the first and the "
            "last second",
            "records flare up at their ends",
            "records fade at their ends",
        ),
        (
            "edge_slope_db",
            "steeper at the ends",
            "the same with the slope (first difference)",
            "records flare up at their ends",
            "records fade at their ends",
        ),
        (
            "clip_pct",
            "samples at the extremes",
            "share of a lead's samples at its own largest or smallest value, largest of the leads",
            "clipped peaks, or a coarser rounding grid",
            "a finer rounding grid",
        ),
        (
            "flat_pct",
            "flat segments",
            "share of samples in stretches of at least 200 ms without any change, largest of the "
            "leads",
            "stretches of trace stand still",
            "the trace never stands still",
        ),
        (
            "zero_pct",
            "exact zeros",
            "share of samples that are exactly 0, largest of the leads",
            "padding, a mask, or a coarser rounding grid",
            "a finer rounding grid",
        ),
        (
            "rr_impossible_pct",
            "impossible RR intervals",
            f"share of intervals between beats below {_RR_MS[0]:g} or above {_RR_MS[1]:g} ms",
            "beats follow each other faster or slower than a heart can",
            "fewer pauses and short intervals",
        ),
        (
            "ksqi",
            "kurtosis (kSQI)",
            "kurtosis of a lead, median of the leads",
            "too clean: spikes on an empty line",
            "noisier, or QRS complexes that do not stand out",
        ),
        (
            "psqi",
            "QRS band (pSQI)",
            f"power 5-15 Hz over 5-40 Hz {_SPECTRUM}",
            "too smooth: the QRS lacks its steep parts, or noise is missing",
            "muscle noise, or a notched QRS",
        ),
        (
            "bassqi",
            "baseline (basSQI)",
            f"1 − power 0-1 Hz over 0-40 Hz {_SPECTRUM}",
            "too clean: the baseline does not wander",
            "the baseline wanders more",
        ),
        (
            "p_beats_pct",
            "beats with a P wave",
            "share of dominant beats whose samples over the P wave correlate with that of the "
            f"representative beat by more than {_P_LIKE:g} at a lag of at most {_P_LAG_MS:g} ms",
            "P waves repeat each other more than in people",
            "P waves differ from beat to beat, or noise hides them",
        ),
        (
            "pr_sd_ms",
            "SD of PR",
            "standard deviation of that lag over dominant beats with a P wave",
            "the P wave moves about before the QRS, or texture hides where it is",
            "the P wave keeps its place more strictly than in people",
        ),
    ),
    "rules": (
        (
            "q_dur_ms",
            "longest Q wave",
            f"time below {_Q_MV:g} mV between QRS onset and R, largest of the leads but III, aVR "
            "and V1",
        ),
    ),
}

CHECKS = {
    name: SignalCheck(name, _UNITS.get(name.rsplit("_", 1)[-1], ""), label, text, group, *words)
    for group, rows in _TABLE.items()
    for name, label, text, *words in rows
}
"""Every check, in order; the comparison, the report and `signal_checks` read this table."""

RULE_COLUMNS = ("p_beats_pct", "pr_sd_ms", "q_dur_ms")
"""Columns that the rule table reads too."""

FITTED = ("limb_residual_uv", "limb_r2", "chest_r2")
COVARIANCES = tuple(f"cov_{a}_{b}" for i, a in enumerate(INDEPENDENT) for b in INDEPENDENT[i:])
"""Columns of the covariance of the independent leads, mV²: what the ridge maps are fitted on."""


def signal_columns() -> list[str]:
    """Return the columns of `signal_checks`, the same for any leads."""
    return [name for name in CHECKS if name not in FITTED] + list(COVARIANCES)


def signal_checks(
    signals: Floats, fs: float, leads: Sequence[str], marks: Delineation | None = None
) -> pd.DataFrame:
    """Return the checks of `CHECKS` and the covariance of the leads, one row a record.

    Parameters
    ----------
    signals : ndarray of float32, shape (n, leads, samples)
        mV, as read: a filter would hide what is looked for.
    fs : float
        Hz.
    leads : sequence of str
        Names of the second axis. What needs a lead that is not there is NaN.
    marks : Delineation, optional
        Of the same records; what needs beats is NaN without it.

    Returns
    -------
    DataFrame
        Columns of `signal_columns`. A record with a sample that is not finite, or without any
        signal, is NaN throughout.

    References
    ----------
    Clifford et al. 2012, Physiol Meas 33:1419, doi:10.1088/0967-3334/33/9/1419 (signal quality);
    Odena, Dumoulin and Olah 2016, Distill, doi:10.23915/distill.00003 (combs of transposed
    convolutions)
    """
    columns = signal_columns()
    out = {name: np.full(len(signals), np.nan) for name in columns}
    with np.errstate(invalid="ignore"):
        span = signals.max(axis=2) - signals.min(axis=2)
    rows = np.flatnonzero(np.isfinite(span).all(axis=1) & (span > 0).any(axis=1))
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)  # nothing to average: NaN is the answer
        for start in range(0, len(rows), _BLOCK):
            at = rows[start : start + _BLOCK]
            whole = at[-1] - at[0] == len(at) - 1
            x = np.asarray(signals[at[0] : at[-1] + 1] if whole else signals[at], np.float32)
            found = {**_algebra(x, leads), **_samples(x, fs), **_spectrum(x, fs, leads)}
            for name, values in found.items():
                out[name][at] = values
        if marks is not None:
            for name, values in _beats(signals, fs, leads, marks, rows).items():
                out[name][rows] = values
    frame = pd.DataFrame(out, columns=columns, dtype=float)
    return frame.replace([np.inf, -np.inf], np.nan)


def covariances(checks: pd.DataFrame) -> Floats:
    """Return the covariance of the independent leads of each record, shape (n, 8, 8), mV²."""
    upper = np.triu_indices(len(INDEPENDENT))
    out = np.empty((len(checks), len(INDEPENDENT), len(INDEPENDENT)))
    out[:, upper[0], upper[1]] = out[:, upper[1], upper[0]] = checks[list(COVARIANCES)].to_numpy()
    return out


# ---- kernels: arrays in, one number a record out ------------------------------------------------


def _algebra(x: Floats, leads: Sequence[str]) -> dict[str, Floats]:
    """Residuals of the five identities in µV."""
    out: dict[str, Floats] = {}
    far, over, rms = [], [], []
    rank = x.shape[-1] - 1 - int(x.shape[-1] * 0.001)
    for name, terms in IDENTITIES.items():
        if not set(terms) <= set(leads):
            continue
        residual = sum(np.float32(1e3 * w) * x[:, leads.index(lead)] for lead, w in terms.items())
        residual = np.abs(residual)
        rms.append(np.sqrt(np.einsum("nt,nt->n", residual, residual) / x.shape[-1]))
        out[f"{name}_rms_uv"] = rms[-1]
        # float32 sums of exact µV are off by less than 0.01 µV at 30 mV
        over.append(100 * (residual > ALGEBRA_UV + 0.01).mean(axis=-1))
        largest = residual.max(axis=-1)
        wide = largest > EXACT_UV
        if wide.any():
            largest[wide] = np.partition(residual[wide], rank, axis=-1)[:, rank]
        far.append(largest)
    if far:
        limb = [i for i, lead in enumerate(leads) if lead in (*LIMB, *DERIVABLE)]
        size = 1e3 * np.sqrt(np.mean(x[:, limb] ** 2, axis=(1, 2)))
        out["algebra_p999_uv"] = np.max(far, axis=0)
        out["algebra_over_pct"] = np.max(over, axis=0)
        out["algebra_ratio_pct"] = 100 * np.max(rms, axis=0) / size
    return out


def _samples(x: Floats, fs: float) -> dict[str, Floats]:
    """Ends, extremes, standstill, zeros, kurtosis."""
    n = x.shape[-1]
    top, bottom = x.max(axis=-1, keepdims=True), x.min(axis=-1, keepdims=True)
    live = (top > bottom)[..., 0]
    out = {
        "clip_pct": _largest(((x == top) | (x == bottom)).sum(axis=-1) * (100 / n), live),
        "zero_pct": _largest((x == 0).sum(axis=-1) * (100 / n)),
        "flat_pct": _largest(100 * _still_share(x, max(round(_FLAT_S * fs), 4))),
    }
    y = x - x.mean(axis=-1, keepdims=True)
    square = y * y
    second = square.mean(axis=-1)
    fourth = np.einsum("nlt,nlt->nl", square, square) / n
    out["ksqi"] = np.nanmedian(np.where(live, fourth / second**2, np.nan), axis=1)
    slope = np.diff(x, axis=-1)
    slope *= slope
    edge = min(round(_EDGE_S * fs), n // 4)
    for name, energy in (("edge_rms_db", square), ("edge_slope_db", slope)):
        first, last = energy[..., :edge].mean(axis=(1, 2)), energy[..., -edge:].mean(axis=(1, 2))
        middle = energy[..., 2 * edge : -2 * edge].mean(axis=-1).mean(axis=-1)
        out[name] = 10 * np.log10(np.maximum(first, last) / middle)
    return out


def _independent(leads: Sequence[str]) -> list[int]:
    """Return the positions of the independent leads; of all where there is none of these."""
    return [i for i, lead in enumerate(leads) if lead in INDEPENDENT] or list(range(len(leads)))


def _largest(share: Floats, known: NDArray[np.bool_] | None = None) -> Floats:
    return (share if known is None else np.where(known, share, 0)).max(axis=1)


def _still_share(x: Floats, least: int) -> Floats:
    """Return the share of samples in runs of at least `least` equal samples, (n, leads)."""
    n, leads, samples = x.shape
    still = x[..., 1:] == x[..., :-1]
    share = np.zeros((n, leads))
    # Such a run covers a whole block of half its length: few leads have to be looked at closely.
    half = (least - 1) // 2
    blocks = still[..., : (samples - 1) // half * half].reshape(n, leads, -1, half)
    record, lead = np.nonzero(blocks.all(axis=-1).any(axis=-1))
    # One row after another, each between two changes, so that no run goes on into the next.
    row = np.zeros((len(record), samples + 1), bool)
    row[:, 1:-1] = still[record, lead]
    flat = row.ravel()
    edges = np.flatnonzero(flat[1:] != flat[:-1])
    lengths = edges[1::2] - edges[::2] + 1
    run_row = edges[::2] // (samples + 1)
    found = np.bincount(run_row, np.where(lengths >= least, lengths, 0), len(record))
    share[record, lead] = found / samples
    return share


def _spectrum(x: Floats, fs: float, leads: Sequence[str]) -> dict[str, Floats]:
    """Everything that is read off the spectra of the independent leads."""
    own = _independent(leads)
    n = x.shape[-1]
    window = np.hanning(n + 1)[:n].astype(np.float32)
    y = x[:, own]
    z = rfft((y - y.mean(axis=-1, keepdims=True)) * window, axis=-1)
    # One-sided, so that sums over bins are mean squares under the window, mV².
    z *= np.float32(np.sqrt(2 / (n * float(window @ window))))
    hz = np.fft.rfftfreq(n, 1 / fs)
    power = (z.real**2 + z.imag**2).mean(axis=1, dtype=np.float64)
    power[:, [0, -1] if n % 2 == 0 else [0]] /= (
        2  # these have no counterpart at negative frequencies
    )

    total = np.concatenate([np.zeros((len(x), 1)), np.cumsum(power, axis=1)], axis=1)

    def between(low: Any, high: Any) -> Floats:
        return np.diff(total[:, np.searchsorted(hz, [low, high])], axis=1)[:, 0]

    top = min(150.0, 0.45 * fs)
    out = {
        "psqi": between(5, 15) / between(5, 40),
        "bassqi": 1 - between(0, 1) / between(0, 40),
        "slope_1_32": _slope(total, hz, 1, min(32, top), 1),
    }
    if top > 60:
        out["noise_uv"] = 1e3 * np.sqrt(between(40, top))
        out["slope_40_150"] = _slope(total, hz, 40, top, 3)
    for name, line in (("mains50_db", 50.0), ("mains60_db", 60.0)):
        if line + 5 < fs / 2:
            out[name] = _line(power, hz, line)
    lines = [k * fs / 16 for k in range(1, 8)]
    harmonics = [k * mains for mains in (50, 60) for k in (1, 2, 3)]
    lines = [f for f in lines if f > 45 and all(abs(f - mains) > 1 for mains in harmonics)]
    if lines:
        out["comb_db"] = np.mean([_line(power, hz, f) for f in lines], axis=0)
        out["nyquist_db"] = _line(power, hz, fs / 2)
    present = [leads[i] for i in own if leads[i] in INDEPENDENT]
    if present:
        band = z[..., (hz >= _BAND[0]) & (hz < _BAND[1])]
        flat = np.concatenate([band.real, band.imag], axis=-1).astype(np.float64)
        cov = flat @ flat.transpose(0, 2, 1)
        for i, a in enumerate(present):
            for j, b in enumerate(present):
                if f"cov_{a}_{b}" in COVARIANCES:
                    out[f"cov_{a}_{b}"] = cov[:, i, j]
        if len(present) == len(INDEPENDENT):
            values = np.linalg.eigvalsh(cov)
            out["dipolarity_pct"] = 100 * values[:, -3:].sum(axis=1) / values.sum(axis=1)
    return out


def _line(power: Floats, hz: Floats, at: float) -> Floats:
    """Return power on a line over the median power beside it, dB."""
    away = np.abs(hz - at)
    on, beside = power[:, away <= 0.3], power[:, (away >= 1) & (away <= 5)]
    return 10 * np.log10(on.mean(axis=1) / np.median(beside, axis=1))


def _slope(total: Floats, hz: Floats, low: float, high: float, parts: int) -> Floats:
    """Return the exponent of power against frequency, from means over parts of octaves.

    `total` is the power below each of the frequencies `hz`, shape (n, frequencies + 1).
    """
    edges = np.geomspace(low, high, round(parts * np.log2(high / low)) + 1)
    at = np.unique(np.searchsorted(hz, edges))
    f = np.log((hz[at[1:] - 1] + hz[at[:-1]]) / 2)
    level = np.log(np.diff(total[:, at], axis=1) / np.diff(at))
    f = f - f.mean()
    return level @ f / (f @ f)


# ---- what needs beats ---------------------------------------------------------------------------


def _beats(
    signals: Floats, fs: float, leads: Sequence[str], marks: Delineation, rows: NDArray[np.intp]
) -> Mapping[str, Floats]:
    """Rhythm, spread over leads, likeness of beats, P waves, Q waves."""
    m = marks.marks[rows]
    peaks = np.where(m[..., 4] < 0, np.nan, m[..., 4].astype(float))
    time = np.nanmedian(peaks, axis=1)
    rr = np.diff(time, axis=1) * (1000 / fs)
    seen = np.isfinite(rr).sum(axis=1)
    odd = ((rr < _RR_MS[0]) | (rr > _RR_MS[1])).sum(axis=1)
    dominant = marks.beat_class[rows] == 1
    spread = np.nanstd(peaks, axis=1) * (1000 / fs)
    several = np.isfinite(peaks).sum(axis=1) > 1
    onset = marks.lead_marks[rows][:, :, 3]
    out = {
        "rr_impossible_pct": np.where(seen > 0, 100 * odd / seen, np.nan),
        "rpeak_spread_ms": np.nanmedian(np.where(dominant & several, spread, np.nan), axis=1),
        "qrs_on_spread_ms": np.where(
            np.isfinite(onset).sum(axis=1) > 1, np.nanstd(onset, axis=1), np.nan
        ),
        "q_dur_ms": _q_duration(marks, rows),
    }
    own = _independent(leads)
    step = max(int(fs // 250), 1)
    alike, share, jitter = (np.full(len(rows), np.nan) for _ in range(3))
    for k, row in enumerate(rows):
        at = time[k][dominant[k] & np.isfinite(time[k])]
        alike[k] = _likeness(signals[row], own, at, fs, step)
        share[k], jitter[k] = _p_waves(signals[row], own, at, marks, int(row), step)
    return {**out, "beat_corr": alike, "p_beats_pct": share, "pr_sd_ms": jitter}


def _cut(
    x: Floats, own: Sequence[int] | NDArray[np.intp], at: Floats, span: NDArray[np.intp]
) -> Floats:
    """Return the samples of leads `own` around each beat that has them all, (beats, leads, t)."""
    start = np.rint(at).astype(int)
    start = start[(start + span[0] >= 0) & (start + span[-1] < x.shape[-1])]
    return x[np.asarray(own)[None, :, None], (start[:, None] + span)[:, None, :]]


def _likeness(x: Floats, own: Sequence[int], at: Floats, fs: float, step: int) -> float:
    """Return the median correlation of a beat with the mean of the others."""
    low, high = (round(ms * fs / 1000) for ms in _BEAT_MS)
    cut = _cut(x, own, at, np.arange(low, high, step))
    if len(cut) < 3:
        return np.nan
    cut = (cut - cut.mean(axis=-1, keepdims=True)).reshape(len(cut), -1).astype(np.float64)
    gram = cut @ cut.T
    energy, total = np.diag(gram), gram.sum(axis=1)
    others = gram.sum() - 2 * total + energy  # |sum of the others|²
    return float(np.median((total - energy) / np.sqrt(energy * others)))


def _p_waves(
    x: Floats, own: Sequence[int], at: Floats, marks: Delineation, row: int, step: int
) -> tuple[float, float]:
    """Return the share of beats with the record's P wave, %, and the SD of its lag, ms."""
    fs, p = marks.fs, marks.global_marks[row, [0, 2]]
    if not np.isfinite(p).all() or len(at) < 3:
        return np.nan, np.nan
    on, off = (round(float(ms) * fs / 1000) for ms in p)
    reach = round(_P_LAG_MS * fs / 1000 / step)
    span = np.arange(on, off + 1, step)
    inside = span + marks.zero
    if len(span) < 4 or inside[0] < 0 or inside[-1] >= marks.beats.shape[-1]:
        return np.nan, np.nan
    wave = marks.beats[row][np.asarray(own)[:, None], inside]
    live = np.isfinite(wave).all(axis=1)
    wide = np.arange(on - reach * step, span[-1] + reach * step + 1, step)
    cut = _cut(x, np.asarray(own)[live], at, wide)
    if len(cut) < 3 or not live.any():
        return np.nan, np.nan
    cut = cut - cut.mean(axis=-1, keepdims=True)
    shifted = np.lib.stride_tricks.sliding_window_view(cut, len(span), axis=-1)
    wave = wave[live] - wave[live].mean(axis=-1, keepdims=True)
    dot = np.einsum("blkt,lt->bk", shifted, wave)
    energy = np.einsum("blkt,blkt->blk", shifted, shifted) - shifted.sum(axis=-1) ** 2 / len(span)
    likeness = dot / np.sqrt(np.maximum(energy.sum(axis=1), 1e-12) * (wave**2).sum())
    found = likeness.max(axis=1) > _P_LIKE
    lag = likeness.argmax(axis=1)[found] * (step * 1000 / fs)
    return 100 * float(found.mean()), float(lag.std(ddof=1)) if len(lag) > 2 else np.nan


def _q_duration(marks: Delineation, rows: NDArray[np.intp]) -> Floats:
    """Return the longest time below the baseline between QRS onset and R, ms."""
    used = [i for i, lead in enumerate(marks.leads) if lead in _Q_LEADS]
    g, beats = marks.global_marks[rows].astype(float), marks.beats[rows][:, used]
    if not used or not len(rows):
        return np.full(len(rows), np.nan)
    ms = (np.arange(beats.shape[-1]) - marks.zero) * (1000 / marks.fs)
    before = (ms >= g[:, 3:4] - 18) & (ms <= g[:, 3:4] - 2)
    level = (beats * before[:, None]).sum(axis=-1) / before.sum(axis=1)[:, None]
    qrs = ((ms >= g[:, 3:4]) & (ms <= g[:, 5:6]))[:, None]
    height = beats - level[..., None]
    at_r = np.where(qrs, height, -np.inf).argmax(axis=-1)[..., None]
    low = qrs & (height < _Q_MV) & (np.arange(beats.shape[-1]) < at_r)
    longest = low.sum(axis=-1).max(axis=1) * (1000 / marks.fs)
    return np.where(np.isfinite(g[:, 3]) & np.isfinite(g[:, 5]), longest, np.nan)
