"""Before anything is compared: filtering, quality flags, and bringing two sets to one form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ecgeval.ecgset import STANDARD_LEADS, EcgSet, Microvolts, derive_leads
from ecgeval.errors import DataError, UsageError

__all__ = ["Harmonised", "bandpass", "common_leads", "harmonise", "quality", "rounding_grid_uv"]

FLAT_MV = 0.001
"""A lead whose samples span less than this carries no signal, mV."""

IMPLAUSIBLE_MV = 20.0
"""A record whose samples span more than this (peak to peak, any lead) is no surface ECG, mV."""

_BLOCK = 64


def bandpass(signals: np.ndarray, fs: float, low: float, high: float) -> np.ndarray:
    """Return signals (..., samples) in a zero-phase Butterworth band (order 2, run both ways).

    Parameters
    ----------
    signals : ndarray
        Any unit; ends are extended by odd reflection.
    fs, low, high : float
        Hz. A `high` at or above half the rate leaves the upper end open.
    """
    from scipy.signal import butter, sosfiltfilt

    if high < 0.5 * fs:
        sos = butter(2, [low, high], "bandpass", fs=fs, output="sos")
    else:
        sos = butter(2, low, "highpass", fs=fs, output="sos")
    reach = min(signals.shape[-1] - 1, round(2 * fs / max(low, 0.5)))
    return sosfiltfilt(sos, signals, axis=-1, padlen=reach).astype(np.float32)


def quality(ecgs: EcgSet) -> pd.DataFrame:
    """Return quality flags, one row a record.

    Returns
    -------
    DataFrame
        Index ``record_id``; ``p2p_mv`` the largest peak-to-peak amplitude of a lead, ``rms_mv``
        over all leads, ``flat_leads`` how many leads carry no signal, ``clipped`` the largest
        share of a lead's samples that lie at its own extreme values, and ``reason``: empty for a
        usable record, else ``not_finite``, ``flat`` or ``implausible_amplitude``.
    """
    n = len(ecgs)
    p2p, rms, clipped = np.zeros(n), np.zeros(n), np.zeros(n)
    flat, finite = np.zeros(n, int), np.ones(n, bool)
    for rows, block in ecgs.batches(_BLOCK):
        finite[rows] = np.isfinite(block).all(axis=(1, 2))
        block = np.where(finite[rows][:, None, None], block, 0)
        top, bottom = block.max(axis=-1), block.min(axis=-1)
        span = top - bottom
        p2p[rows] = span.max(axis=1)
        flat[rows] = np.where(finite[rows], (span < FLAT_MV).sum(axis=1), 0)
        rms[rows] = np.sqrt(np.mean((block - block.mean(axis=-1, keepdims=True)) ** 2, axis=(1, 2)))
        at_end = (block == top[..., None]) | (block == bottom[..., None])
        clipped[rows] = np.where(span >= FLAT_MV, at_end.mean(axis=-1), 0).max(axis=1)
    reason = np.where(p2p > IMPLAUSIBLE_MV, "implausible_amplitude", "")
    reason = np.where(flat == len(ecgs.leads), "flat", reason)
    reason = np.where(finite, reason, "not_finite")
    frame = pd.DataFrame(
        {"p2p_mv": p2p, "rms_mv": rms, "flat_leads": flat, "clipped": clipped}, index=ecgs.ids
    )
    frame.loc[~finite, ["p2p_mv", "rms_mv", "clipped"]] = np.nan
    return frame.assign(reason=reason)


def rounding_grid_uv(ecgs: EcgSet, records: int = 32) -> float:
    """Return the grid that samples are rounded to, µV; 0 where there is none above 1 µV / 100.

    The greatest common divisor of the sample values of the first records, in hundredths of a
    microvolt: real exports sit on the step of their converter (often 2.44, 4.88 or 5 µV), and a
    difference in it tells two sets apart without being about hearts.
    """
    block = np.asarray(ecgs.signals[: min(records, len(ecgs))], dtype=np.float64) * 1e5
    block = block[np.isfinite(block)]
    integers = np.rint(block)
    if not len(block) or np.abs(block - integers).max() > 0.05:
        return 0.0
    return float(np.gcd.reduce(integers.astype(np.int64))) / 100


def common_leads(*sets: EcgSet) -> tuple[str, ...]:
    """Return the leads that all sets have, in standard order.

    Limb leads that one set would have to derive are left out: comparing them would count I and
    II twice.
    """
    return tuple(lead for lead in STANDARD_LEADS if all(lead in s.leads for s in sets))


@dataclass(frozen=True)
class Harmonised:
    """Sets brought to one form, and what had to be done for it.

    Parameters
    ----------
    sets : tuple of EcgSet
        Same leads, rate and length, in the order given.
    notes : tuple of str
        One sentence for each difference found between the sets.
    """

    sets: tuple[EcgSet, ...]
    notes: tuple[str, ...]


def harmonise(
    *sets: EcgSet, names: tuple[str, ...], leads: tuple[str, ...] | None = None
) -> Harmonised:
    """Bring sets to the same leads, rate and length, and refuse what cannot be compared.

    Rate: the lowest of the sets. Length: the shortest. Leads: those in common (or `leads`,
    derived where possible). Units: amplitudes that differ a hundredfold or more are an error.

    Parameters
    ----------
    *sets : EcgSet
    names : tuple of str
        What to call each set in messages.
    leads : tuple of str, optional
        Leads wanted.

    Raises
    ------
    DataError
        If a set is empty, no lead is in common, or the units cannot be the same.
    UsageError
        If a lead in `leads` can be had in none of the ways above.
    """
    for ecgs, name in zip(sets, names, strict=True):
        if not len(ecgs):
            raise DataError(f"{name} holds no records; expected at least one")
    notes: list[str] = []
    if leads is None:
        leads = common_leads(*sets)
        if not leads:
            have = "; ".join(
                f"{name} has {' '.join(s.leads)}" for s, name in zip(sets, names, strict=True)
            )
            raise DataError(f"no lead in common: {have}")
        if any(s.leads != leads for s in sets):
            counts = ", ".join(
                f"{name} has {len(s.leads)}" for s, name in zip(sets, names, strict=True)
            )
            notes.append(f"Leads differ ({counts}): the {len(leads)} in common are compared.")
    else:
        for ecgs, name in zip(sets, names, strict=True):
            try:
                derive_leads(ecgs.leads, leads)
            except UsageError as error:
                raise UsageError(f"{name}: {error}") from None
    sets = tuple(s.with_leads(leads) for s in sets)
    rates = [s.fs for s in sets]
    if len(set(rates)) > 1:
        listed = ", ".join(f"{name} {s.fs:g} Hz" for s, name in zip(sets, names, strict=True))
        notes.append(
            f"Sampling rates differ ({listed}): all are compared at {min(rates):g} Hz, which "
            "limits marks to that resolution."
        )
        sets = tuple(s.resample(min(rates)) for s in sets)
    lengths = [s.n_samples for s in sets]
    if len(set(lengths)) > 1:
        listed = ", ".join(f"{name} {s.seconds:g} s" for s, name in zip(sets, names, strict=True))
        shortest = min(lengths)
        if max(lengths) - shortest > 1:
            notes.append(
                f"Lengths differ ({listed}): the first {shortest / sets[0].fs:g} s are compared."
            )
        sets = tuple(s.crop(shortest) for s in sets)
    check_units([typical_amplitude_mv(s) for s in sets], names)
    notes += rounding_note([rounding_grid_uv(s) for s in sets], names)
    return Harmonised(sets, tuple(notes))


def rounding_note(grids_uv: Sequence[float], names: tuple[str, ...]) -> list[str]:
    """Return one sentence where the sets are rounded to grids that differ, else none."""
    if max(grids_uv) <= 2 * max(min(grids_uv), 0.5):
        return []
    listed = ", ".join(
        f"{name} {grid:g} µV" if grid else f"{name} none"
        for grid, name in zip(grids_uv, names, strict=True)
    )
    return [
        f"Rounding grids differ ({listed}): a difference of the exports, not of the hearts; "
        "differences below the coarser step mean nothing."
    ]


def typical_amplitude_mv(ecgs: EcgSet, records: int = 200) -> float:
    """Return the median over records of the largest peak-to-peak amplitude of a lead, mV."""
    picked = np.unique(np.linspace(0, len(ecgs) - 1, min(records, len(ecgs))).astype(int))
    block = (
        ecgs.signals.take(picked)[:]
        if isinstance(ecgs.signals, Microvolts)
        else (ecgs.signals[picked])
    )
    # fmax and fmin pass over missing samples: a gap says nothing about the unit.
    spans = np.fmax.reduce(block, axis=-1) - np.fmin.reduce(block, axis=-1)
    spans = np.nan_to_num(spans, nan=0, posinf=0, neginf=0).max(axis=1)
    live = spans[spans >= FLAT_MV]
    return float(np.median(live)) if len(live) else 0.0


def check_units(sizes: Sequence[float], names: tuple[str, ...]) -> None:
    """Raise DataError where typical amplitudes, mV, are 0 or differ a hundredfold or more."""
    for size, name in zip(sizes, names, strict=True):
        if size == 0:
            raise DataError(
                f"every record of {name} is flat or missing; expected ECGs of about 1 to 3 mV "
                "peak to peak"
            )
    low, high = int(np.argmin(sizes)), int(np.argmax(sizes))
    if sizes[high] >= 100 * sizes[low]:
        raise DataError(
            f"{names[high]} has a typical peak-to-peak amplitude of {sizes[high]:.4g} mV and "
            f"{names[low]} of {sizes[low]:.4g} mV: one is in another unit. Expected about 1 to 3 "
            "mV in both; give the unit of the file (--unit uV or --unit mV)"
        )
