"""Two spaces in which whole ECGs are points: the measures, and the shape of the beat.

Neither is learnt from the sets compared. The real set only gives the centre and the scale of each
axis: an encoder trained on the generator's training set would reward copies of it.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ecgeval.delineation.base import BEAT_WINDOW_S
from ecgeval.errors import UsageError
from ecgeval.measures import measure_info
from ecgeval.stats.arrays import Floats

__all__ = ["WAVEFORM_DIMENSIONS", "measure_space", "waveform_space"]


CLIP = 8.0
WAVEFORM_DIMENSIONS = 64
# Functions of other columns: they would count the same heart twice.
_IMPLIED = {"rr_ms", "qtcb_ms", "jt_ms"}
_DERIVED_LEADS = ("III", "aVR", "aVL", "aVF")
_QRS_S = (-0.05, -0.035, -0.02, -0.01, 0.0, 0.01, 0.02, 0.035, 0.05, 0.07)
# Edges of the moments of a beat, s from R: 40 ms in P and ST-T, 10 to 15 ms in the QRS.
_EDGES_S = (*np.arange(-0.28, -0.06, 0.04), *_QRS_S, *np.arange(0.10, 0.40, 0.04), 0.44, 0.52)
_BASELINE_S = (-0.12, -0.06)


def measure_space(real: pd.DataFrame, synth: pd.DataFrame) -> tuple[Floats, Floats]:
    """Return the measures of both sets as points of one space.

    Linear measures are z = (x - median) / (IQR / 1.349), cut at ±8; an angle is its cosine and
    sine, so that 359° and 1° are near; a missing value is the median, with an axis of its own that
    says so. Median and IQR are those of the real set. Left out are functions of other columns (RR,
    QTcB, JT) and, where I and II are there, the derived limb leads.

    Parameters
    ----------
    real, synth : DataFrame
        One row a record, the same columns of `ecgeval.measure`; NaN where missing.

    Returns
    -------
    real, synth : ndarray, shapes (n, d) and (m, d)
        In standard deviations of the real set. A record without any value has no place: its row
        is NaN.
    """
    columns = _independent(list(real.columns))
    tables = [frame[columns].to_numpy(float, na_value=np.nan) for frame in (real, synth)]
    angle = np.array([measure_info(c).circular for c in columns])
    raw = []
    for table in tables:
        table[~np.isfinite(table)] = np.nan
        radians = np.deg2rad(table[:, angle])
        raw.append(np.column_stack([table[:, ~angle], np.cos(radians), np.sin(radians)]))
    centre, spread = _robust(raw[0])
    missing = [np.isnan(table) for table in tables]
    flagged = missing[0].any(axis=0) | missing[1].any(axis=0)
    out = []
    for values, gone in zip(raw, missing, strict=True):
        z = np.nan_to_num(np.clip((values - centre) / spread, -CLIP, CLIP))
        points = np.column_stack([z, gone[:, flagged].astype(float)])
        points[gone.all(axis=1)] = np.nan
        out.append(points)
    return out[0], out[1]


def _independent(columns: list[str]) -> list[str]:
    """Return the columns that no other one implies."""
    implied = _IMPLIED if {"hr_bpm", "qtcf_ms", "qt_ms", "qrs_ms"} <= set(columns) else set()
    limb = all(any(f"_{lead}_" in c for c in columns) for lead in ("I", "II"))
    derived = _DERIVED_LEADS if limb else ()
    return [
        c for c in columns if c not in implied and not any(f"_{lead}_" in c for lead in derived)
    ]


def _robust(values: Floats) -> tuple[Floats, Floats]:
    """Return median and scale of each column; 0 and 1 where a column holds nothing to scale by."""
    empty = np.isnan(values).all(axis=0)
    held = np.where(empty, 0.0, values) if len(values) else np.zeros((1, values.shape[1]))
    low, centre, high = np.nanquantile(held, [0.25, 0.5, 0.75], axis=0)
    spread = (high - low) / 1.349
    spread = np.where(spread > 0, spread, np.nanstd(held, axis=0))
    return centre, np.where(spread > 0, spread, 1.0)


def waveform_space(beats_real: ArrayLike, beats_synth: ArrayLike) -> tuple[Floats, Floats]:
    """Return representative beats as points of a space that no data chose.

    A lead is projected on the indicator functions of fixed moments around R (40 ms in P and ST-T,
    10 to 15 ms in the QRS, about 0.8 s in all), after its level before the QRS is taken off; they
    are orthonormal, so that distances are those of the beats averaged over these moments, in mV.
    Where leads times moments exceed `WAVEFORM_DIMENSIONS`, one fixed random rotation (seed 0,
    whatever the run's) projects them on that many axes: distances keep their order, for the
    variance of beats lies in far fewer dimensions than that (Johnson and Lindenstrauss 1984). The
    map sees neither set; what it cannot see is rhythm, and detail finer than a moment.

    Parameters
    ----------
    beats_real, beats_synth : array_like, shape (n, leads, samples)
        Representative beats over `BEAT_WINDOW_S`, mV, NaN where missing; any sampling rates.

    Returns
    -------
    real, synth : ndarray, shapes (n, d) and (m, d)
        Centred on the real set's median beat; 1 is the root mean square distance from it, by axis,
        of the real record at the median distance. A record that lacks a moment in any lead has no
        place: its row is NaN.

    Raises
    ------
    UsageError
        If the sets have different leads.

    References
    ----------
    Johnson and Lindenstrauss 1984, Contemp Math 26:189, doi:10.1090/conm/026/737400
    """
    beats = [np.asarray(b) for b in (beats_real, beats_synth)]
    if {b.ndim for b in beats} != {3} or beats[0].shape[1] != beats[1].shape[1]:
        raise UsageError(
            f"beats of shapes {beats[0].shape} and {beats[1].shape}; expected "
            "(records, leads, samples) with the same leads"
        )
    points = [_moments(b) for b in beats]
    if points[0].shape[1] > WAVEFORM_DIMENSIONS:
        rotation = _rotation(points[0].shape[1])
        points = [p @ rotation for p in points]
    known = points[0][np.isfinite(points[0]).all(axis=1)]
    if not len(known):
        return points[0], points[1]
    centre = np.median(known, axis=0)
    radius = float(np.sqrt(np.median(((known - centre) ** 2).mean(axis=1))))
    radius = radius if radius > 0 else 1.0
    return (points[0] - centre) / radius, (points[1] - centre) / radius


def _moments(beats: NDArray[np.floating]) -> Floats:
    """Return the coefficients of each beat, shape (n, leads * moments), mV √s."""
    samples = beats.shape[-1]
    at = np.linspace(BEAT_WINDOW_S[0], BEAT_WINDOW_S[1], samples)
    before = (at >= _BASELINE_S[0]) & (at <= _BASELINE_S[1])
    level = beats[:, :, before].mean(axis=-1, keepdims=True, dtype=float)
    # A moment shorter than a sample takes the nearest one.
    edges = np.rint(np.interp(_EDGES_S, at, np.arange(samples))).astype(int)
    ends = np.maximum(edges[1:], edges[:-1] + 1)
    means = np.stack(
        [beats[:, :, a:b].mean(axis=-1, dtype=float) for a, b in zip(edges, ends, strict=False)],
        axis=-1,
    )
    return ((means - level) * np.sqrt(np.diff(_EDGES_S))).reshape(len(beats), -1)


@lru_cache
def _rotation(dimensions: int) -> Floats:
    """Return orthonormal columns drawn uniformly, scaled to keep mean squared distances."""
    normal = np.random.default_rng(0).standard_normal((dimensions, WAVEFORM_DIMENSIONS))
    q, r = np.linalg.qr(normal)
    return q * np.sign(np.diag(r)) * np.sqrt(dimensions / WAVEFORM_DIMENSIONS)
