"""From files of one record each to one EcgSet: common leads, rate, length and unit.

A reader looks at each file without loading it and returns an `Item`; `plan` decides what the set
will look like; `Plan.fill` loads the records one at a time. Memory is the set plus one record.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd

from ecgeval.ecgset import DERIVABLE, STANDARD_LEADS, EcgSet, Microvolts, derive_leads, resample
from ecgeval.errors import DataError
from ecgeval.io.labels import join_labels, plausible_ages
from ecgeval.parallel import Progress, quiet

__all__ = [
    "REASONS",
    "Found",
    "Item",
    "Memory",
    "Plan",
    "Reject",
    "amplitude",
    "check_unit",
    "infer_unit",
    "plan",
    "rejected_frame",
]

UNREADABLE = "unreadable"  # not in the format its name promises, or damaged
BAD_HEADER = "bad_header"  # the header cannot be understood
MISSING_FILE = "missing_file"  # the header names a signal file that is not there
TRUNCATED = "truncated"  # fewer samples in the file than announced
TOO_SHORT = "too_short"  # shorter than the set's records
MISSING_LEADS = "missing_leads"  # lacks a lead of the set that cannot be derived
REASONS = (UNREADABLE, BAD_HEADER, MISSING_FILE, TRUNCATED, TOO_SHORT, MISSING_LEADS)
"""Every reason for which a record can be rejected."""

SCALE = {"mV": 1.0, "uV": 1e-3}
"""Millivolts in one unit."""

# `amplitude` of 500 records of LUDB and PTB-XL is 0.50 to 3.5 mV: beyond the second range a record
# is remarked on; within the first a unit is believed, so a thousandfold error cannot hide.
PLAUSIBLE_MV = (0.05, 20.0)
UNUSUAL_MV = (0.25, 5.0)
PROBE = 64  # records looked at to infer a unit


class Reject(Exception):
    """One record cannot be used; becomes a row of `EcgSet.rejected`."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass
class Item:
    """One record that was found but not loaded.

    Parameters
    ----------
    record_id, path
        Who it is and the file it came from.
    fs : float
        Hz.
    channels : tuple of str
        Names as the file has them.
    leads : tuple of str or None
        Their standard names; None for a channel that is no standard lead.
    n_samples : int
    load : callable
        Returns ``(samples, factor)``: array (channels, samples) of integers or floats, and the
        factor that makes them millivolts if `unit` is right. Raises `Reject`.
    unit : str, optional
        "mV" or "uV" as the file declares it; None where the format carries no unit.
    labels : dict
        What the file says about the record (age, sex, patient_id, ...).
    notes : list of str
        What had to be assumed; a loader may add to it.
    """

    record_id: str
    path: Path
    fs: float
    channels: tuple[str, ...]
    leads: tuple[str | None, ...]
    n_samples: int
    load: Callable[[], tuple[np.ndarray, float]]
    unit: str | None = None
    labels: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Add a note once, however often the record is loaded."""
        if text not in self.notes:
            self.notes.append(text)


@dataclass
class Found:
    """What a reader found: records, those rejected already, remarks, and tables of labels.

    A table is (DataFrame, its name, whether the user asked for it).
    """

    items: list[Item] = field(default_factory=list)
    rejected: list[tuple[str, str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    tables: list[tuple[pd.DataFrame, str, bool]] = field(default_factory=list)

    def add(self, record_id: str, make: Callable[[], Item], **labels: Any) -> None:
        """Add the record that `make` returns, with these labels too, or its rejection."""
        try:
            item = make()
        except Reject as reject:
            self.rejected.append((record_id, reject.reason, reject.detail))
        else:
            item.labels |= labels
            self.items.append(item)


class Sink(Protocol):
    """Takes records one after another: memory, or a store on disk."""

    def put(self, block: np.ndarray) -> None:
        """Add one record (leads, samples): int16 microvolts or float32 millivolts."""


class Memory:
    """Records in memory: int16 microvolts as long as every record fits, float32 mV otherwise."""

    def __init__(self, n: int, leads: int, samples: int) -> None:
        self.array: np.ndarray = np.empty((n, leads, samples), dtype=np.int16)
        self.count = 0

    def put(self, block: np.ndarray) -> None:
        if block.dtype != np.int16 and self.array.dtype == np.int16:
            whole = np.empty(self.array.shape, dtype=np.float32)
            done = slice(0, self.count)
            np.multiply(self.array[done], np.float32(1e-3), out=whole[done])
            self.array = whole
        if block.dtype == np.int16 and self.array.dtype != np.int16:
            block = block * np.float32(1e-3)
        self.array[self.count] = block
        self.count += 1

    def signals(self) -> np.ndarray | Microvolts:
        """Return what was put in."""
        kept = self.array[: self.count]
        return Microvolts(kept) if kept.dtype == np.int16 else kept


@dataclass
class Plan:
    """What a set of files will become; `fill` or `to_set` loads them."""

    items: list[Item]
    fs: float
    leads: tuple[str, ...]
    n_samples: int
    unit: str  # of formats without one, or the user's, which overrides
    override: bool
    source: str
    rejected: list[tuple[str, str, str]]
    notes: list[str]
    tables: list[tuple[pd.DataFrame, str, bool]]

    def fill(
        self, sink: Sink, *, items: Sequence[Item] | None = None, progress: Progress = quiet
    ) -> list[Item]:
        """Load the records into `sink`; return those that made it.

        Records that fail while loading join `rejected`; what the loaders assumed joins `notes`.

        Raises
        ------
        DataError
            If the amplitudes contradict the unit that the files declare or the user gave.
        """
        items = self.items if items is None else items
        kept: list[Item] = []
        remarks: dict[str, list[str]] = defaultdict(list)
        spans: dict[str, list[float]] = defaultdict(list)
        mixing: dict[tuple, tuple[list[int], np.ndarray | None]] = {}
        for done, item in enumerate(items):
            if done % 64 == 0:
                progress("read", done, len(items))
            try:
                block, factor = item.load()
                factor *= self._scale(item)
                typical = amplitude(block, item.fs) * factor  # mV
                if item.leads not in mixing:
                    mixing[item.leads] = self._mixing(item.leads)
                sink.put(self._shape(item, block, factor, *mixing[item.leads]))
            except Reject as reject:
                self.rejected.append((item.record_id, reject.reason, reject.detail))
                continue
            kept.append(item)
            for note in item.notes:
                remarks[note].append(item.record_id)
            spans[self.unit if self.override or not item.unit else item.unit].append(typical)
            if typical < UNUSUAL_MV[0] or typical > UNUSUAL_MV[1]:
                small = "small" if typical < UNUSUAL_MV[0] else "large"
                remarks[f"unusually {small} amplitude, check gain and unit"].append(
                    f"{item.record_id} ({typical:.3g} mV peak to peak)"
                )
        progress("read", len(items), len(items))
        for unit, values in spans.items():
            known = [value for value in values if not np.isnan(value)]
            if known:
                check_unit(float(np.median(known)), unit, self.source)
        self.notes += [f"{note}: {_several(ids)}" for note, ids in remarks.items()]
        return kept

    def _scale(self, item: Item) -> float:
        """Return what turns the item's declared unit into the one it is read in."""
        if item.unit is None:
            return SCALE[self.unit]
        return SCALE[self.unit] / SCALE[item.unit] if self.override else 1.0

    def _mixing(self, leads: tuple[str | None, ...]) -> tuple[list[int], np.ndarray | None]:
        """Return which channels to take, and the matrix that derives leads from them, if any."""
        rows = _first_of_each(leads)
        have = [str(leads[row]) for row in rows]
        if set(self.leads) <= set(have):
            return [rows[have.index(lead)] for lead in self.leads], None
        return rows, derive_leads(have, self.leads)

    def _shape(
        self, item: Item, block: np.ndarray, factor: float, rows: list[int], mix: np.ndarray | None
    ) -> np.ndarray:
        """Return (leads, samples) at the plan's rate and length, int16 µV where that is exact."""
        block = block[rows]
        if item.fs == self.fs:
            block = block[:, : self.n_samples]
        else:
            # The filter reaches 10 samples of the lower rate: what lies further is of no matter.
            reach = math.ceil((self.n_samples / self.fs + 32 / min(self.fs, item.fs)) * item.fs)
            block = block[:, :reach]
        if block.dtype.kind in "iu" and abs(factor - 1e-3) < 1e-12:
            fits = block.dtype == np.int16 or (
                block.min(initial=0) >= -32768 and block.max(initial=0) <= 32767
            )
            if fits and mix is None and item.fs == self.fs:
                return self._full(block.astype(np.int16, copy=False))
            block = block.astype(np.float32) * np.float32(1e-3)  # as `Microvolts` reads them
        elif factor != 1 or block.dtype != np.float32:
            block = (block * factor).astype(np.float32)
        if mix is not None:
            block = mix @ block
        return self._full(resample(block, item.fs, self.fs)[:, : self.n_samples])

    def _full(self, block: np.ndarray) -> np.ndarray:
        if block.shape[1] < self.n_samples:
            raise Reject(
                TRUNCATED, f"{block.shape[1]} samples could be read, {self.n_samples} expected"
            )
        return block

    def to_set(self, *, progress: Progress = quiet) -> EcgSet:
        """Load everything into one EcgSet.

        Raises
        ------
        DataError
            If no record could be loaded.
        """
        memory = Memory(len(self.items), len(self.leads), self.n_samples)
        kept = self.fill(memory, progress=progress)
        records = self.frame(kept)
        return EcgSet(
            memory.signals(),
            self.fs,
            self.leads,
            records,
            rejected_frame(self.rejected),
            tuple(self.notes),
        )

    def frame(self, kept: Sequence[Item]) -> pd.DataFrame:
        """Return the rows of `EcgSet.records` of these items, labels joined.

        Raises
        ------
        DataError
            If there are none, since every record was rejected.
        """
        if not kept:
            raise none_left(self.source, self.rejected)
        rows = pd.DataFrame([item.labels for item in kept], index=[i.record_id for i in kept])
        for table, name, required in self.tables:
            rows, notes = join_labels(rows, table, name, required=required)
            self.notes += notes
        rows, notes = plausible_ages(rows)
        self.notes += [note for note in notes if note not in self.notes]
        rows["source"] = self.source
        return rows


def _several(ids: Sequence[str]) -> str:
    """Return "3 records, first 'a'", or just the one."""
    return f"{len(ids)} records, first {ids[0]}" if len(ids) > 1 else ids[0]


def none_left(source: str, rejected: Sequence[tuple[str, str, str]]) -> DataError:
    """Return the error for a set in which every record was rejected."""
    if not rejected:
        return DataError(f"{source}: no ECG records found")
    record, reason, detail = rejected[0]
    if len(rejected) == 1:
        return DataError(f"{source}: record {record!r} cannot be used ({reason}): {detail}")
    counts = Counter(row[1] for row in rejected)
    reasons = ", ".join(f"{n} {reason}" for reason, n in counts.most_common())
    return DataError(
        f"{source}: none of the {len(rejected)} records can be used ({reasons}); "
        f"the first, {record!r}: {detail}"
    )


def rejected_frame(rejected: Sequence[tuple[str, str, str]]) -> pd.DataFrame:
    """Return `EcgSet.rejected` of (record_id, reason, detail) rows."""
    return pd.DataFrame(rejected, columns=["record_id", "reason", "detail"])


def plan(
    found: Found,
    *,
    source: str,
    fs: float | None = None,
    leads: Sequence[str] | None = None,
    unit: str = "auto",
    seconds: float | None = None,
) -> Plan:
    """Decide the leads, rate, length and unit of a set of records.

    Leads: those asked for; else the lead set, among those found, that keeps most samples
    (records x leads), limb leads being derived from I and II where a record lacks them. Rate: the
    one asked for, else the most common. Length: the one asked for, else the most common; longer
    records lose their end, shorter ones are rejected. Everything that changes a record is noted.

    Raises
    ------
    DataError
        If no record is left, or the unit cannot be told or contradicts the amplitudes.
    """
    rejected, notes = list(found.rejected), list(found.notes)
    items = [_positional(item, leads) for item in found.items]
    if not items:
        raise none_left(source, rejected)

    wanted = tuple(leads) if leads is not None else _common_leads(items)
    kept = []
    for item in items:
        have = {lead for lead in item.leads if lead}
        missing = [lead for lead in wanted if not _has(lead, have)]
        if missing or not wanted:
            has = " ".join(item.channels) or "no channels"
            lacks = " ".join(missing) or "any standard lead"
            detail = f"lacks {lacks}; has {has}"
            if not have:
                detail += "; --leads names the channels in their order"
            rejected.append((item.record_id, MISSING_LEADS, detail))
        else:
            kept.append(item)
    if not kept:
        raise none_left(source, rejected)
    _note_leads(kept, wanted, notes)

    rates = Counter(item.fs for item in kept)
    rate = float(fs) if fs else max(rates, key=lambda hz: (rates[hz], hz))
    if set(rates) != {rate}:
        listing = ", ".join(f"{n} at {hz:g} Hz" for hz, n in sorted(rates.items()) if hz != rate)
        notes.append(f"resampled to {rate:g} Hz: {listing}")

    lengths = Counter(_length(item, rate) for item in kept)
    if seconds:
        samples = round(seconds * rate)
    else:
        samples = max(lengths, key=lambda n: (lengths[n], -n))
    samples = max(samples, 2)
    long = sum(count for n, count in lengths.items() if n > samples)
    if long:
        notes.append(
            f"cropped to the first {samples / rate:g} s: {long} longer record{'s' * (long > 1)}"
        )
    fitting = []
    for item in kept:
        if _length(item, rate) < samples:
            detail = f"{item.n_samples / item.fs:g} s long, shorter than {samples / rate:g} s"
            rejected.append((item.record_id, TOO_SHORT, detail))
        else:
            fitting.append(item)
    if not fitting:
        raise none_left(source, rejected)
    chosen = _choose_unit(fitting, unit, source, notes)
    return Plan(
        fitting,
        rate,
        wanted,
        samples,
        chosen,
        unit != "auto",
        source,
        rejected,
        notes,
        found.tables,
    )


# ---- leads -----------------------------------------------------------------------------------


def _has(lead: str, have: set[str]) -> bool:
    return lead in have or (lead in DERIVABLE and {"I", "II"} <= have)


def _common_leads(items: Sequence[Item]) -> tuple[str, ...]:
    sets = Counter(frozenset(lead for lead in item.leads if lead) for item in items)

    def kept(target: frozenset[str]) -> int:
        return sum(n for have, n in sets.items() if all(_has(x, set(have)) for x in target))

    best = max(sets, key=lambda s: (kept(s) * len(s), len(s), sorted(s)))
    return tuple(lead for lead in STANDARD_LEADS if lead in best)


def _positional(item: Item, leads: Sequence[str] | None) -> Item:
    """Name the channels by position where the user names as many leads and names do not help."""
    if leads is None or len(leads) != len(item.channels):
        return item
    if all(_has(lead, {x for x in item.leads if x}) for lead in leads):
        return item
    if any(own and own != lead for own, lead in zip(item.leads, leads, strict=True)):
        return item
    item.leads = tuple(leads)
    item.note(f"channels {' '.join(item.channels)} taken as {' '.join(leads)}, as asked")
    return item


def _first_of_each(leads: tuple[str | None, ...]) -> list[int]:
    """Return the channel of each standard lead, the first where two claim the same."""
    first: dict[str, int] = {}
    for channel, lead in enumerate(leads):
        if lead:
            first.setdefault(lead, channel)
    return list(first.values())


def _note_leads(items: Sequence[Item], wanted: tuple[str, ...], notes: list[str]) -> None:
    derived = {x for item in items for x in wanted if x not in item.leads}
    if derived:
        n = sum(any(x not in item.leads for x in wanted) for item in items)
        names = " ".join(x for x in STANDARD_LEADS if x in derived)
        notes.append(f"{names} derived from I and II in {n} record{'s' * (n > 1)}")
    unused: Counter[str] = Counter()
    for item in items:
        rows = _first_of_each(item.leads)
        unused.update(
            name
            for row, name in enumerate(item.channels)
            if row not in rows or item.leads[row] not in wanted
        )
    if unused:
        listing = ", ".join(name for name, _ in unused.most_common(8))
        notes.append(f"channels not used: {listing}{', ...' if len(unused) > 8 else ''}")


# ---- length and unit -------------------------------------------------------------------------


def _length(item: Item, fs: float) -> int:
    """Return the record's samples after resampling, as `resample` makes them."""
    ratio = Fraction(fs).limit_denominator(10_000) / Fraction(item.fs).limit_denominator(10_000)
    return -(-item.n_samples * ratio.numerator // ratio.denominator)


def amplitude(signals: np.ndarray, fs: float) -> float:
    """Return the typical peak-to-peak amplitude: the median over leads and 1.5-s windows.

    Robust to baseline wander, spikes and flat or missing stretches, which are left out.

    Parameters
    ----------
    signals : ndarray, shape (..., samples)
    fs : float
        Hz.

    Returns
    -------
    float
        In the unit of the signals; NaN where everything is flat or missing.
    """
    width = max(2, min(signals.shape[-1], round(1.5 * fs)))
    windows = signals.shape[-1] // width
    if not windows:
        return float("nan")
    cut = signals[..., : windows * width].reshape(*signals.shape[:-1], windows, width)
    # fmax and fmin pass over missing samples.
    span = np.fmax.reduce(cut, axis=-1).astype(np.float64) - np.fmin.reduce(cut, axis=-1)
    span = span[np.isfinite(span) & (span > 0)]
    return float(np.median(span)) if span.size else float("nan")


def infer_unit(typical: float, integers: bool, source: str) -> tuple[str, str]:
    """Return the unit of samples without one, and a note that says why.

    Parameters
    ----------
    typical : float
        `amplitude` of the samples as they are.
    integers : bool
        Whether the samples are integers, which are taken as microvolts.
    source : str
        Named in messages.

    Raises
    ------
    DataError
        If the amplitude fits neither unit.
    """
    low, high = PLAUSIBLE_MV
    if np.isnan(typical):
        return ("uV" if integers else "mV"), "no unit in the file and every record flat or missing"
    found = f"typical peak-to-peak of {typical:.4g}"
    if integers:
        if typical > high:
            return "uV", f"no unit in the file: whole numbers with a {found} read as µV"
        raise DataError(
            f"{source}: whole numbers with a {found}, too coarse for an ECG in µV; say --unit mV "
            "if they are millivolts, or rescale the data"
        )
    if low <= typical <= high:
        return "mV", f"no unit in the file: {found} read as mV"
    if low * 1e3 <= typical <= high * 1e3:
        return "uV", f"no unit in the file: {found} read as µV"
    raise DataError(
        f"{source}: the unit cannot be told from a {found} (expected {low:g} to {high:g} for mV, "
        f"{low * 1e3:g} to {high * 1e3:g} for µV); say --unit mV or --unit uV, or rescale the data"
    )


def check_unit(typical_mv: float, unit: str, source: str) -> None:
    """Raise DataError where the amplitude, in mV, says that the declared unit is another.

    Raises
    ------
    DataError
        Names the unit that the samples look like.
    """
    typical = typical_mv / SCALE[unit]
    if typical_mv > PLAUSIBLE_MV[1] and unit == "mV":
        looks, other = "µV", "uV"
    elif typical_mv < PLAUSIBLE_MV[0] * 0.4 and unit == "uV":
        looks, other = "mV", "mV"
    else:
        return
    declared = "µV" if unit == "uV" else unit
    raise DataError(
        f"{source}: the samples are declared {declared} but their typical peak-to-peak is "
        f"{typical:.4g} {declared}, which looks like {looks}; say --unit {other}, or correct "
        "the file"
    )


def _choose_unit(items: list[Item], unit: str, source: str, notes: list[str]) -> str:
    """Return the unit in which to read items that declare none."""
    silent = [item for item in items if item.unit is None]
    if unit != "auto" or not silent:
        return "mV" if unit == "auto" else unit
    chosen, note = infer_unit(*_probe(silent), source)
    notes.append(note)
    return chosen


def _probe(items: list[Item]) -> tuple[float, bool]:
    """Return the median amplitude of a sample of records, as loaded, and whether all are whole."""
    rows = np.unique(np.linspace(0, len(items) - 1, min(PROBE, len(items))).round().astype(int))
    spans, whole = [], True
    for row in rows:
        try:
            block, factor = items[row].load()
        except Reject:
            continue
        spans.append(amplitude(block, items[row].fs) * factor)
        whole &= block.dtype.kind in "iu"
    spans = [span for span in spans if not np.isnan(span)]
    return (float(np.median(spans)) if spans else float("nan")), whole
