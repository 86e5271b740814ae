"""EcgSet: the one data model. Signals in millivolts, one row of `records` a signal, by patient."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd

from ecgeval.errors import DataError, UsageError

__all__ = [
    "DERIVABLE",
    "INT16_LIMIT_MV",
    "STANDARD_LEADS",
    "EcgSet",
    "Microvolts",
    "derive_leads",
    "resample",
]

STANDARD_LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
"""The twelve standard leads in their standard order; every `EcgSet` keeps this order."""

INT16_LIMIT_MV = 32.767
"""Largest amplitude an int16 array of microvolts holds."""

DERIVABLE = {"III": (-1.0, 1.0), "aVR": (-0.5, -0.5), "aVL": (1.0, -0.5), "aVF": (-0.5, 1.0)}
"""Limb leads as (a, b) of a*I + b*II (Einthoven's and Goldberger's definitions)."""

_REJECTED_COLUMNS = ["record_id", "reason", "detail"]


class Microvolts:
    """Integer microvolts in memory or on disk that read as float32 millivolts.

    Indexing converts only what is asked for, so a memory map stays on disk. Selecting records
    composes row numbers and copies no samples.

    Parameters
    ----------
    raw : ndarray of int16, shape (n_stored, leads, samples)
        Samples in microvolts, for example a memory map.
    rows : ndarray of int, shape (n,), optional
        Which stored records this view shows, in order; all of them by default.
    """

    def __init__(self, raw: np.ndarray, rows: np.ndarray | None = None) -> None:
        if raw.ndim != 3 or raw.dtype != np.int16:
            raise TypeError(f"Microvolts needs a 3-D int16 array, got {raw.ndim}-D {raw.dtype}")
        self.raw = raw
        self.rows = rows

    @property
    def shape(self) -> tuple[int, int, int]:
        n = len(self.raw) if self.rows is None else len(self.rows)
        return (n, self.raw.shape[1], self.raw.shape[2])

    ndim = 3
    dtype = np.dtype(np.float32)

    def __len__(self) -> int:
        return self.shape[0]

    def take(self, rows: np.ndarray) -> Microvolts:
        """Show only these rows of this view (no samples are copied)."""
        return Microvolts(self.raw, rows if self.rows is None else self.rows[rows])

    def integers(self, index: Any) -> np.ndarray:
        """Return the stored int16 microvolts of these records."""
        return np.asarray(self.raw[index if self.rows is None else self.rows[index]])

    def __getitem__(self, index: Any) -> np.ndarray:
        record, rest = (index[0], index[1:]) if isinstance(index, tuple) else (index, ())
        block = self.integers(record)
        if rest:
            block = (
                block[rest]
                if np.ndim(record) == 0 and not isinstance(record, slice)
                else (block[(slice(None), *rest)])
            )
        return np.multiply(block, np.float32(1e-3), dtype=np.float32)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        out = self[:]
        return out if dtype is None else out.astype(dtype, copy=False)


@dataclass(frozen=True, eq=False)
class EcgSet:
    """A set of equally long ECGs with who they belong to.

    Parameters
    ----------
    signals : ndarray of float32 or Microvolts, shape (n, leads, samples)
        Millivolts. May hold NaN: such records are found and counted by the quality flags.
    fs : float
        Sampling rate, Hz.
    leads : tuple of str
        Standard lead names (`STANDARD_LEADS`), in the order of the signals' second axis.
    records : DataFrame
        Index ``record_id`` (unique strings); columns ``patient_id`` (missing where unknown),
        ``source`` and any labels (age, sex, ...).
    rejected : DataFrame
        Records that were found but could not be used: ``record_id``, ``reason``, ``detail``.
    notes : tuple of str
        What a reader had to assume (a unit inferred, a record cropped), one sentence each.

    Raises
    ------
    DataError
        If shapes, ids, rate or lead names contradict each other.
    """

    signals: np.ndarray | Microvolts
    fs: float
    leads: tuple[str, ...]
    records: pd.DataFrame
    rejected: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=_REJECTED_COLUMNS))
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        signals = self.signals
        if not isinstance(signals, Microvolts):
            signals = np.asarray(signals)
            if signals.dtype != np.float32:
                signals = signals.astype(np.float32)
            object.__setattr__(self, "signals", signals)
        if signals.ndim != 3:
            raise DataError(
                f"signals have shape {signals.shape}; expected (records, leads, samples)"
            )
        n, n_leads, n_samples = signals.shape
        leads = tuple(self.leads)
        object.__setattr__(self, "leads", leads)
        unknown = [lead for lead in leads if lead not in STANDARD_LEADS]
        if unknown:
            raise DataError(
                f"unknown lead names {unknown}; expected names among {' '.join(STANDARD_LEADS)}"
            )
        if len(set(leads)) != len(leads):
            raise DataError(f"lead names are not unique: {leads}")
        if len(leads) != n_leads:
            raise DataError(f"{len(leads)} lead names for {n_leads} leads of signal")
        if not (np.isfinite(self.fs) and self.fs > 0):
            raise DataError(f"sampling rate is {self.fs}; expected a positive number of Hz")
        object.__setattr__(self, "fs", float(self.fs))
        if n and n_samples < 2:
            raise DataError(f"records have {n_samples} samples; expected at least two")
        records = self.records.copy()
        if len(records) != n:
            raise DataError(f"{len(records)} rows of record data for {n} signals")
        records.index = pd.Index(records.index.astype(str), name="record_id")
        if not records.index.is_unique:
            twice = records.index[records.index.duplicated()][0]
            raise DataError(f"record id {twice!r} occurs more than once; record ids must be unique")
        if "patient_id" not in records:
            records["patient_id"] = None
        records["patient_id"] = pd.Series(
            [None if pd.isna(value) else _id(value) for value in records["patient_id"]],
            index=records.index,
            dtype=object,
        )
        if "source" not in records:
            records["source"] = ""
        first = ["patient_id", "source"]
        records = records[first + [c for c in records.columns if c not in first]]
        object.__setattr__(self, "records", records)
        if list(self.rejected.columns) != _REJECTED_COLUMNS:
            object.__setattr__(self, "rejected", self.rejected.reindex(columns=_REJECTED_COLUMNS))

    # ---- what is in it -----------------------------------------------------------------------

    def __len__(self) -> int:
        return int(self.signals.shape[0])

    @property
    def n_samples(self) -> int:
        """Samples a record."""
        return int(self.signals.shape[2])

    @property
    def seconds(self) -> float:
        """Length of a record, s."""
        return self.n_samples / self.fs

    @property
    def ids(self) -> pd.Index:
        """Record ids, in order."""
        return self.records.index

    @property
    def has_patients(self) -> bool:
        """Whether every record names its patient."""
        return bool(self.records["patient_id"].notna().all())

    def patients(self, *, assume_independent: bool = False) -> np.ndarray:
        """Return one patient id a record, the unit of every split and bootstrap.

        Parameters
        ----------
        assume_independent : bool
            Count each record without a patient id as a patient of its own.

        Returns
        -------
        ndarray of object, shape (n,)

        Raises
        ------
        UsageError
            If a record has no patient id and `assume_independent` is not set.
        """
        ids = self.records["patient_id"]
        missing = ids.isna()
        if missing.any():
            if not assume_independent:
                raise UsageError(
                    f"{int(missing.sum())} of {len(self)} records have no patient id (first: "
                    f"{self.ids[missing][0]!r}); splits and intervals go by patient. Name the "
                    "folder that holds the data set's own table, give a CSV with the columns "
                    "record_id and patient_id (--labels), or pass --assume-independent "
                    "(assume_independent=True) if each record is another person"
                )
            ids = ids.where(~missing, "record:" + self.ids.to_series(index=ids.index))
        return ids.to_numpy(dtype=object)

    def __repr__(self) -> str:
        known = self.records["patient_id"].nunique()
        who = f"{known} patients" if self.has_patients else "patients unknown"
        return (
            f"EcgSet({len(self)} records, {who}, {len(self.leads)} leads, "
            f"{self.seconds:g} s at {self.fs:g} Hz)"
        )

    # ---- parts and other forms of it ---------------------------------------------------------

    def select(self, which: Sequence[str] | np.ndarray | pd.Series | slice) -> EcgSet:
        """Return the named records, in the order given.

        Parameters
        ----------
        which : sequence of str, boolean mask of shape (n,), integer positions or a slice

        Returns
        -------
        EcgSet
            Shares the samples where it can.

        Raises
        ------
        UsageError
            If an id is unknown or a mask has the wrong length.
        """
        if isinstance(which, slice):
            rows = np.arange(len(self))[which]
        else:
            array = np.asarray(which)
            if array.dtype == bool:
                if array.shape != (len(self),):
                    raise UsageError(f"mask of shape {array.shape} for {len(self)} records")
                rows = np.flatnonzero(array)
            elif array.size and np.issubdtype(array.dtype, np.integer):
                rows = array
            else:
                rows = self.ids.get_indexer(pd.Index(array.astype(str)))
                if (rows < 0).any():
                    raise UsageError(f"no record {str(array[rows < 0][0])!r} in this set")
        signals = (
            self.signals.take(rows)
            if isinstance(self.signals, Microvolts)
            else self.signals[which if isinstance(which, slice) else rows]
        )
        return replace(self, signals=signals, records=self.records.iloc[rows])

    def batches(self, size: int) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield ``(rows, signals)``, at most `size` records at a time, as float32 millivolts."""
        for start in range(0, len(self), size):
            rows = slice(start, min(start + size, len(self)))
            yield rows, self.signals[rows]

    def pieces(self, size: int) -> Iterator[np.ndarray | Microvolts]:
        """Yield the signals, at most `size` records at a time, in a form cheap to send.

        A memory map goes as a reference to its file, integers as integers; ``piece[:]`` gives
        float32 millivolts.
        """
        for start in range(0, len(self), size):
            rows = np.arange(start, min(start + size, len(self)))
            if not isinstance(self.signals, Microvolts):
                yield self.signals[rows[0] : rows[-1] + 1]
            elif isinstance(self.signals.raw, np.memmap) and self.signals.rows is None:
                yield Microvolts(self.signals.raw[rows[0] : rows[-1] + 1])
            else:
                yield Microvolts(self.signals.integers(slice(rows[0], rows[-1] + 1)))

    def with_leads(self, names: Sequence[str]) -> EcgSet:
        """Return the set with these leads; missing limb leads are derived from I and II.

        Parameters
        ----------
        names : sequence of str
            Standard lead names, in the order wanted.

        Raises
        ------
        UsageError
            If a lead is neither present nor derivable.
        """
        names = tuple(names)
        if names == self.leads:
            return self
        matrix = derive_leads(self.leads, names)
        if isinstance(self.signals, Microvolts) and _selects(matrix):
            index = matrix.argmax(axis=1)
            raw = self.signals.integers(slice(None))[:, index]
            return replace(self, signals=Microvolts(raw), leads=names)
        out = np.empty((len(self), len(names), self.n_samples), dtype=np.float32)
        for rows, block in self.batches(256):
            out[rows] = apply_leads(matrix, block)
        return replace(self, signals=out, leads=names)

    def resample(self, fs: float) -> EcgSet:
        """Return the set at `fs` Hz (polyphase, zero phase); itself where the rate is the same."""
        if fs == self.fs:
            return self
        first = resample(np.asarray(self.signals[:1]), self.fs, fs)
        out = np.empty((len(self), len(self.leads), first.shape[-1]), dtype=np.float32)
        for rows, block in self.batches(64):
            out[rows] = resample(block, self.fs, fs)
        return replace(self, signals=out, fs=float(fs))

    def crop(self, samples: int) -> EcgSet:
        """Return the first `samples` samples of every record."""
        if samples >= self.n_samples:
            return self
        if isinstance(self.signals, Microvolts):
            signals: Any = Microvolts(self.signals.raw[:, :, :samples], self.signals.rows)
        else:
            signals = self.signals[:, :, :samples]
        return replace(self, signals=signals)

    def fingerprint(self, salt: str = "fingerprint") -> str:
        """Return a SHA-256 of the samples, rate, leads and ids (hex), the same for either storage.

        Samples are hashed as millivolts in float32. Another `salt` gives an unrelated digest of
        the same data, for keys that must not be found from a published fingerprint.
        """
        digest = hashlib.sha256(f"ecgeval:{salt}:{self.fs!r}:{','.join(self.leads)}".encode())
        ids = zip(self.ids, self.records["patient_id"], strict=True)
        digest.update(repr([(record, patient) for record, patient in ids]).encode())
        for _, block in self.batches(256):
            digest.update(np.ascontiguousarray(block).data)
        return digest.hexdigest()


def derive_leads(have: Sequence[str], want: Sequence[str]) -> np.ndarray:
    """Return the matrix that turns leads `have` into leads `want`, shape (want, have).

    Raises
    ------
    UsageError
        If a lead is neither present nor derivable from I and II.
    """
    have = tuple(have)
    matrix = np.zeros((len(want), len(have)), dtype=np.float32)
    for row, lead in enumerate(want):
        if lead in have:
            matrix[row, have.index(lead)] = 1
        elif lead in DERIVABLE and "I" in have and "II" in have:
            a, b = DERIVABLE[lead]
            matrix[row, have.index("I")] = a
            matrix[row, have.index("II")] = b
        else:
            raise UsageError(
                f"lead {lead} is not among {' '.join(have)} and cannot be derived from them "
                "(III, aVR, aVL and aVF need I and II)"
            )
    return matrix


def apply_leads(matrix: np.ndarray, signals: np.ndarray) -> np.ndarray:
    """Return ``matrix @ signals`` over the lead axis of (..., leads, samples)."""
    if _selects(matrix):
        return signals[..., matrix.argmax(axis=1), :]
    return np.matmul(matrix, signals)


def _selects(matrix: np.ndarray) -> bool:
    """Whether the matrix only picks rows, so that samples need no arithmetic."""
    return bool(((matrix == 0) | (matrix == 1)).all() and (matrix.sum(axis=1) == 1).all())


def resample(signals: np.ndarray, fs: float, to: float) -> np.ndarray:
    """Resample (..., samples) from `fs` to `to` Hz by a zero-phase polyphase filter.

    Ends are extended by their own value, so that an offset leaves no edge.

    Raises
    ------
    UsageError
        If the two rates are no ratio of integers below 10,000.
    """
    if fs == to:
        return signals
    ratio = Fraction(to).limit_denominator(10_000) / Fraction(fs).limit_denominator(10_000)
    if max(ratio.numerator, ratio.denominator) > 10_000:
        raise UsageError(f"cannot resample from {fs:g} to {to:g} Hz: not a ratio of small integers")
    from scipy.signal import resample_poly

    out = resample_poly(signals, ratio.numerator, ratio.denominator, axis=-1, padtype="edge")
    return out.astype(np.float32, copy=False)


def _id(value: Any) -> str:
    """Return a patient id as text; 15709.0 read from a CSV with gaps is patient 15709."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)
