"""Text files of one record each: CSV with a column a lead, and the published .asc."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ecgeval.errors import UsageError
from ecgeval.io.assemble import BAD_HEADER, SCALE, UNREADABLE, Item, Reject
from ecgeval.io.leadnames import default_leads, standard_lead

__all__ = ["asc_item", "csv_item"]

ASC_FS = 500.0
_TIME = re.compile(r"^(time|t|timestamp|seconds|s|ms|elapsed[a-z ]*)(?![a-z])", re.IGNORECASE)
_MS = re.compile(r"\bms\b|_ms|milli", re.IGNORECASE)
_BRACKETS = re.compile(r"[\[(]\s*([^\s\])]+)\s*[\])]$")
_MICRO = {"uv", "µv", "μv"}
_UNITS = _MICRO | {"mv"}
_HEAD_LINES = 2000  # enough to tell the rate
_COUNT = re.compile(r"^(|unnamed: 0|index|sample|samples|n|#)$", re.IGNORECASE)


def asc_item(path: Path, record_id: str, native_fs: float | None) -> Item:
    """Return one published DeepFake file: lines of 8 whole numbers, µV, leads I II V1 to V6.

    Layout: Thambawita et al., Sci Rep 2021;11:21896, data at https://osf.io/6hved (500 Hz).
    Files of 12 columns are taken as the standard leads. Each record is a patient of its own.

    Raises
    ------
    Reject
        If the file does not look like that.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise Reject(UNREADABLE, f"{path.name}: {error.strerror or error}") from error
    lines = text.rstrip().count(b"\n") + 1
    columns = len(text.partition(b"\n")[0].split())
    leads = default_leads(columns) if columns > 1 else None
    if leads is None:
        raise Reject(
            UNREADABLE, f"{path.name} has {columns} columns; expected 8 or 12 numbers a line"
        )

    def load() -> tuple[np.ndarray, float]:
        try:
            values = np.loadtxt(path, dtype=np.int32, comments=None, ndmin=2)
        except (OSError, ValueError, OverflowError) as error:
            raise Reject(UNREADABLE, f"{path.name}: {str(error).rstrip('.')}") from error
        return np.ascontiguousarray(values.T), 1e-3

    item = Item(record_id, path, native_fs or ASC_FS, leads, leads, lines, load, "uV")
    item.labels = {"patient_id": record_id}
    return item


def csv_item(
    path: Path, record_id: str, native_fs: float | None, leads: Sequence[str] | None
) -> Item:
    """Return one record of a CSV: a column a lead, named in the first line, perhaps with a time.

    The rate comes from the time column (s or ms) or from `native_fs`. Without a line of names the
    columns are `leads`, or the usual order of 8 or 12. Units may stand in brackets behind the
    names or in a line of their own. Separated by commas, semicolons or tabs.

    Raises
    ------
    Reject
        If it is no table of numbers.
    UsageError
        If the rate is unknown.
    """
    table = _Layout.of(path)
    time: int | None = None
    use = list(range(len(table.names)))
    if table.named:
        time = next((i for i, name in enumerate(table.names) if _TIME.match(name)), None)
        use = [i for i, name in enumerate(table.names) if i != time and not _COUNT.match(name)]
        channels = tuple(table.names[i] for i in use)
        found = tuple(standard_lead(name) for name in channels)
    else:
        n = len(table.names)
        usual = tuple(leads) if leads and len(leads) == n else default_leads(n)
        if usual is None:
            raise Reject(
                BAD_HEADER,
                f"{path.name}: {n} columns without names; put lead names in the first line, or "
                "name them with --leads",
            )
        channels = found = usual
    fs = None if time is None else _rate(table.column(time), table.decimal, table.names[time])
    if fs and native_fs and abs(fs / native_fs - 1) > 0.01:
        raise Reject(
            BAD_HEADER,
            f"{path.name}: its time column says {fs:g} Hz, --native-fs says {native_fs:g}",
        )
    fs = native_fs or fs
    if not fs:
        raise UsageError(
            f"{path}: no sampling rate in the file; give it with --native-fs (native_fs=), in Hz"
        )
    load = partial(_load_csv, path, table, use, channels)
    item = Item(record_id, path, fs, channels, found, table.rows - table.skip, load, table.unit)
    if not table.named and leads is None:
        item.note(f"no lead names in the file, taken as {' '.join(channels)}")
    return item


class _Layout(NamedTuple):
    """How a CSV is laid out, as its first lines tell."""

    cells: list[list[str]]
    rows: int
    separator: str
    decimal: str
    named: bool
    skip: int
    unit: str | None

    @property
    def names(self) -> list[str]:
        return self.cells[0]

    def column(self, index: int) -> list[str]:
        """Return the first values of a column."""
        return [line[index] for line in self.cells[self.skip :]]

    @classmethod
    def of(cls, path: Path) -> _Layout:
        try:
            with open(path, encoding="utf-8-sig", errors="replace") as file:
                head = [line for line in islice(file, _HEAD_LINES) if line.strip()]
                rows = len(head) + sum(bool(line.strip()) for line in file)
        except OSError as error:
            raise Reject(UNREADABLE, f"{path.name}: {error.strerror or error}") from error
        if len(head) < 3:
            raise Reject(UNREADABLE, f"{path.name} has {len(head)} lines; expected one a sample")
        # A comma beside semicolons or tabs is a decimal comma.
        separator = next((s for s in ";\t" if s in head[2]), ",")
        decimal = "," if separator != "," and "," in head[2] else "."
        cells = [[cell.strip().strip("\"'") for cell in line.split(separator)] for line in head]
        if len({len(line) for line in cells[:3]}) > 1:
            raise Reject(UNREADABLE, f"{path.name}: the first three lines differ in columns")
        named = not all(_is_number(cell, decimal) for cell in cells[0] if cell)
        second = {cell.lower() for cell in cells[1]}
        units = {m[1].lower() for name in cells[0] if named and (m := _BRACKETS.search(name))}
        skip = int(named)
        if named and second & _UNITS:  # a line of units below the names, as PhysioNet exports
            units, skip = second & _UNITS, 2
        unit = "uV" if units and units <= _MICRO else "mV" if "mv" in units else None
        return cls(cells, rows, separator, decimal, named, skip, unit)


def _load_csv(
    path: Path, layout: _Layout, use: Sequence[int], channels: Sequence[str]
) -> tuple[np.ndarray, float]:
    """Return the samples, shape (leads, samples), and the factor to mV."""
    import pandas as pd

    try:
        cells = pd.read_csv(
            path,
            sep=layout.separator,
            decimal=layout.decimal,
            header=None,
            skiprows=layout.skip,
            encoding="utf-8-sig",
            encoding_errors="replace",
            skipinitialspace=True,
        )
    except (OSError, ValueError) as error:
        raise Reject(UNREADABLE, f"{path.name}: {str(error).strip()}") from error
    table = cells.iloc[:, list(use)]
    for name, column in zip(channels, table.columns, strict=True):
        values = table[column]
        if values.dtype.kind not in "iuf":
            bad = (pd.to_numeric(values, errors="coerce").isna() & values.notna()).to_numpy()
            row = int(bad.argmax())
            raise Reject(
                UNREADABLE,
                f"{path.name}: {str(values.iloc[row])[:30]!r} in line {row + layout.skip + 1}, "
                f"column {name!r}, is no number",
            )
    return np.ascontiguousarray(table.to_numpy().T), SCALE[layout.unit] if layout.unit else 1.0


def _is_number(cell: str, decimal: str) -> bool:
    try:
        float(cell.replace(decimal, "."))
    except ValueError:
        return False
    return True


def _rate(cells: Sequence[str], decimal: str, name: str) -> float | None:
    """Return the rate that the head of a time column tells, Hz; None where it tells none."""
    if not all(_is_number(cell, decimal) for cell in cells) or len(cells) < 2:
        return None
    times = np.array([float(cell.replace(decimal, ".")) for cell in cells])
    # The mean step is right where rounding makes single steps uneven (0.003, 0.006, 0.008).
    step = (times[-1] - times[0]) / (len(times) - 1)
    if step <= 0 or np.abs(np.diff(times) - step).max() > 0.6 * step:
        return None
    rate = 1 / step
    # Milliseconds where the name says so, or where seconds would mean less than 20 Hz.
    if _MS.search(name) or rate < 20:
        rate *= 1e3
    return float(round(rate)) if abs(rate - round(rate)) < 0.005 * rate else rate
