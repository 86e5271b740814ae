"""Text files of one record each: CSV with a column a lead, and the published .asc."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ecgeval.errors import DataError, UsageError
from ecgeval.io.assemble import TRUNCATED, UNREADABLE, Item, Reject
from ecgeval.io.leadnames import default_leads, standard_lead

__all__ = ["asc_item", "csv_item"]

ASC_FS = 500.0
_TIME = re.compile(r"^(time|t|timestamp|seconds|s|ms|elapsed\w*)\b", re.IGNORECASE)
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
        with open(path, "rb") as file:
            first = file.readline()
            lines = 1 + sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))
            file.seek(-1, 2)
            lines -= lines > 1 and file.read(1) == b"\n"
    except OSError as error:
        raise Reject(UNREADABLE, f"{path.name}: {error.strerror or 'empty file'}") from error
    columns = len(first.split())
    leads = default_leads(columns) if columns > 1 else None
    if leads is None:
        raise Reject(
            UNREADABLE, f"{path.name} has {columns} columns; expected 8 or 12 numbers a line"
        )

    def load() -> tuple[np.ndarray, float]:
        words = path.read_bytes().split()
        try:
            values = np.array(words, dtype=np.int32)
        except (ValueError, OverflowError) as error:
            raise Reject(UNREADABLE, f"{path.name}: not whole numbers only ({error})") from error
        if values.size % columns:
            raise Reject(TRUNCATED, f"{path.name}: {values.size} numbers are no lines of {columns}")
        return np.ascontiguousarray(values.reshape(-1, columns).T), 1e-3

    item = Item(record_id, path, native_fs or ASC_FS, leads, leads, lines, load, "uV")
    item.labels = {"patient_id": record_id}
    return item


def csv_item(
    path: Path, record_id: str, native_fs: float | None, leads: Sequence[str] | None
) -> Item:
    """Return one record of a CSV: a column a lead, named in the first line, perhaps with a time.

    The rate comes from the time column (s or ms) or from `native_fs`. Without a line of names the
    columns are `leads`, or the usual order of 8 or 12. Commas, semicolons, tabs.

    Raises
    ------
    Reject
        If it holds anything but numbers.
    UsageError
        If the rate is unknown.
    """
    try:
        with open(path, encoding="utf-8-sig", errors="replace") as file:
            head = [file.readline().rstrip("\r\n") for _ in range(3)]
            lines = sum(bool(line.strip()) for line in head)
            lines += sum(bool(line.strip()) for line in file)
    except OSError as error:
        raise Reject(UNREADABLE, f"{path.name}: {error.strerror or error}") from error
    if not head[1]:
        raise Reject(UNREADABLE, f"{path.name} has fewer than two lines")
    separator = max(",;\t", key=head[1].count)
    decimal = "," if separator != "," and "," in head[1] else "."
    cells = [cell.strip().strip("\"'") for cell in head[0].split(separator)]
    named = not all(_is_number(cell, decimal) for cell in cells if cell)
    columns = len(head[1].split(separator))
    if len(cells) != columns:
        raise Reject(UNREADABLE, f"{path.name}: {len(cells)} names over {columns} columns")

    time: int | None = None
    use = list(range(columns))
    if named:
        time = next(
            (i for i, c in enumerate(cells) if _TIME.match(c) and not standard_lead(c)), None
        )
        use = [i for i, c in enumerate(cells) if i != time and not _COUNT.match(c)]
        channels = tuple(cells[i] for i in use)
        found = tuple(standard_lead(name) for name in channels)
    else:
        names = tuple(leads) if leads and len(leads) == columns else default_leads(columns)
        if names is None:
            raise UsageError(
                f"{path}: {columns} columns without names; put lead names in the first line, or "
                "name them with --leads"
            )
        channels = found = names
    units = {
        m[1].lower() for name in channels if (m := re.search(r"[\[(]\s*(\S+?)\s*[\])]$", name))
    }
    unit = "uV" if units and units <= {"uv", "µv", "μv"} else "mV" if units == {"mv"} else None

    def table() -> np.ndarray:
        import pandas as pd

        try:
            values = pd.read_csv(
                path, sep=separator, decimal=decimal, header=0 if named else None,
                encoding="utf-8-sig", skipinitialspace=True,
            )  # fmt: skip
        except (OSError, ValueError) as error:
            raise Reject(UNREADABLE, f"{path.name}: {error}") from error
        for column in values.columns[use]:
            if values[column].dtype.kind not in "iuf":
                bad = pd.to_numeric(values[column], errors="coerce").isna() & values[column].notna()
                cell = values[column][bad].iloc[0] if bad.any() else values[column].iloc[0]
                line = (int(bad.to_numpy().argmax()) if bad.any() else 0) + 1 + named
                raise Reject(
                    UNREADABLE,
                    f"{path.name}: {str(cell)[:30]!r} in line {line}, column {str(column)!r} is no "
                    "number",
                )
        return values.to_numpy() if time is None else values.apply(pd.to_numeric).to_numpy()

    fs = native_fs
    if time is not None:
        measured = _rate(path, separator, decimal, time, cells[time])
        if measured and fs and abs(measured / fs - 1) > 0.01:
            raise DataError(
                f"{path}: the time column says {measured:g} Hz, --native-fs says {fs:g}; drop one"
            )
        fs = fs or measured
    if not fs:
        raise UsageError(
            f"{path}: no sampling rate in the file; give it with --native-fs (native_fs=), in Hz"
        )

    def load() -> tuple[np.ndarray, float]:
        return np.ascontiguousarray(table()[:, use].T), 1.0

    return Item(record_id, path, fs, channels, found, lines - named, load, unit)


def _is_number(cell: str, decimal: str) -> bool:
    try:
        float(cell.replace(decimal, "."))
    except ValueError:
        return False
    return True


def _rate(path: Path, separator: str, decimal: str, column: int, name: str) -> float | None:
    """Return the rate that a time column tells, Hz; None where its steps are not even."""
    times = []
    with open(path, encoding="utf-8-sig", errors="replace") as file:
        next(file)
        for _, line in zip(range(2000), file, strict=False):
            cells = line.split(separator)
            if len(cells) > column and _is_number(cells[column].strip(), decimal):
                times.append(float(cells[column].replace(decimal, ".")))
    if len(times) < 3:
        return None
    # The mean step is exact where rounded times make single steps uneven (0.003, 0.006, 0.008).
    step = (times[-1] - times[0]) / (len(times) - 1)
    uneven = np.abs(np.diff(times) - step).max() > 0.6 * abs(step)
    if step <= 0 or uneven:
        return None
    rate = 1 / step
    # Milliseconds where the name says so, or where seconds would mean less than 20 Hz.
    if re.search(r"\bms\b|_ms|milli", name, re.IGNORECASE) or rate < 20:
        rate *= 1e3
    return float(round(rate)) if abs(rate - round(rate)) < 0.005 * rate else rate
