"""Labels from a CSV beside the records: which column is the id, who is the patient."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from ecgeval.errors import DataError

__all__ = [
    "MOST_YEARS",
    "clean_sex",
    "find_labels",
    "join_labels",
    "looks_like_labels",
    "number",
    "plausible_ages",
    "read_table",
]

MOST_YEARS = 120
"""No one is older; larger ages are codes (300 for "over 89", 999 for unknown)."""

_NAMES = re.compile(
    r"^(records|labels|metadata|patients|subjects|record_list)\.csv$|_(database|ground_truth|labels|metadata)\.csv$",
    re.IGNORECASE,
)
_PATIENT = ("patient_id", "patientid", "patient", "subject_id", "subject", "person_id", "person")
_RECORD = ("record_id", "ecg_id", "id", "filename", "record")
_SEXES = ("sex", "gender")
_SEX = {"f": "F", "female": "F", "w": "F", "woman": "F", "m": "M", "male": "M", "man": "M"}


def number(text: Any) -> float:
    """Return a number, NaN where there is none."""
    try:
        return float(text)
    except (TypeError, ValueError):
        return float("nan")


def clean_sex(value: Any) -> Any:
    """Return "F" or "M" for the words that mean it; anything else (codes) as it is."""
    return _SEX.get(value.strip().lower(), value or None) if isinstance(value, str) else value


def plausible_ages(records: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return the records with ages that nobody has as missing, and a note that counts them."""
    if "age" not in records:
        return records, []
    years = pd.to_numeric(records["age"], errors="coerce")
    wrong = (years < 0) | (years > MOST_YEARS)
    if not wrong.any():
        return records, []
    first = f"{years[wrong].iloc[0]:g}"
    note = (
        f"{int(wrong.sum())} of {len(records)} ages are below 0 or above {MOST_YEARS} years (the "
        f"first is {first}): treated as missing"
    )
    return records.assign(age=records["age"].mask(wrong)), [note]


def looks_like_labels(path: Path) -> bool:
    """Whether a CSV's name says that it holds labels, not samples."""
    return bool(_NAMES.search(path.name))


def find_labels(folder: Path, stem: str = "") -> list[Path]:
    """Return the label files in a folder: those of `stem` if there are any, else by their names."""
    tables = sorted(p for p in folder.glob("*.csv") if looks_like_labels(p))
    return [p for p in tables if stem and p.stem.startswith(f"{stem}_")] or tables


def read_table(path: Path) -> pd.DataFrame:
    """Read a CSV separated by commas, semicolons or tabs.

    Raises
    ------
    DataError
        If there is no such file or it is no table.
    """
    try:
        with open(path, encoding="utf-8-sig", errors="replace") as file:
            first = file.readline()
        separator = max(",;\t", key=first.count)
        return pd.read_csv(path, sep=separator, encoding_errors="replace", low_memory=False)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; --labels expects a CSV") from None
    except (OSError, ValueError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise DataError(f"{path}: not a readable CSV table ({error})") from error


def _exact(value: str) -> str:
    return value


def _stem(value: str) -> str:
    return os.path.splitext(value.replace("\\", "/").rpartition("/")[2])[0]


def _integer(value: str) -> str:
    digits = re.fullmatch(r"0*(\d+)(?:_[hl]r)?", _stem(value))
    return digits[1] if digits else value


_MATCHES: tuple[Callable[[str], str], ...] = (_exact, _stem, _integer)


def join_labels(
    records: pd.DataFrame, table: pd.DataFrame, source: str, *, required: bool
) -> tuple[pd.DataFrame, list[str]]:
    """Join a table of labels to the records.

    The id column is the one whose values match most record ids: exactly, by file name without
    folder and extension, or as a whole number (``00001_hr`` is 1).

    Parameters
    ----------
    records : DataFrame
        Index record_id.
    table : DataFrame
        One row a record.
    source : str
        The table's name, for messages.
    required : bool
        Whether the user asked for this table; no match is an error then, a note otherwise.

    Returns
    -------
    records : DataFrame
        With the table's columns; those of the same name are replaced where the table has a value.
    notes : list of str

    Raises
    ------
    DataError
        If nothing matches a required table, or an id in it has two different rows.
    """
    ids = [str(i) for i in records.index]
    hits, column, match = 0, "", _MATCHES[0]
    for rule in _MATCHES:
        wanted = {rule(i) for i in ids}
        if hits == len(wanted):
            break
        for candidate in table.columns:
            texts = _texts(table[candidate]).dropna().unique()
            found = len(wanted.intersection(map(rule, texts)))
            if found > hits:
                hits, column, match = found, candidate, rule
    # One chance hit (an age equal to a record number, say) is no id column.
    if not hits or (hits < 2 <= len(ids) - 1 and not required):
        columns = ", ".join(str(c) for c in table.columns[:6])
        sentence = (
            f"no column of {source} matches the record ids (the first is {ids[0]!r}; columns "
            f"{columns})"
        )
        if required:
            raise DataError(f"{sentence}; add a record_id column that holds the file names")
        return records, [f"{sentence}; labels not used"]

    wanted_keys = [match(i) for i in ids]
    keys = _texts(table[column]).map(match, na_action="ignore")
    table = table.assign(__key=keys).drop_duplicates()
    table = table[table["__key"].isin(set(wanted_keys))]
    twice = table["__key"].duplicated()
    if twice.any():
        sentence = (
            f"{source}: {column} {table.loc[twice, column].iloc[0]!r} has several different rows; "
            "one row a record is needed"
        )
        if required:
            raise DataError(sentence)
        return records, [f"{sentence}; labels not used"]
    table = _standard_columns(table.set_index("__key"))
    if match is _exact and column in table:
        table = table.drop(columns=column)  # it says the same as the record id
    absent = len(ids) - sum(key in table.index for key in wanted_keys)
    table = table.reindex(wanted_keys).set_axis(records.index)
    for shared in table.columns.intersection(records.columns):
        table[shared] = table[shared].where(table[shared].notna(), records[shared])
    rest = records.drop(columns=table.columns.intersection(records.columns))
    notes = [f"{source}: no row for {absent} of {len(ids)} records"] if absent else []
    return pd.concat([rest, table], axis=1), notes


def _texts(column: pd.Series) -> pd.Series:
    """Return the values as text, whole numbers without a point (15709.0 is 15709)."""
    if pd.api.types.is_float_dtype(column):
        whole = column.where(column % 1 == 0)
        return whole.astype("Int64").astype("string")
    return column.astype("string")


def _standard_columns(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with patient_id, age and sex under these names, sex as F and M."""
    lower = {str(c).lower(): c for c in reversed(table.columns)}
    names = {}
    for standard, spellings in (("patient_id", _PATIENT), ("age", ("age",)), ("sex", _SEXES)):
        own = next((lower[s] for s in spellings if s in lower), None)
        if own is not None and standard not in table:
            names[own] = standard
    table = table.rename(columns=names)
    if "sex" in table:
        table["sex"] = table["sex"].map(clean_sex)
    return table


def by_position(records: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Return the records with row i of `table` for record i; its id column becomes the index."""
    lower = {str(c).lower(): c for c in table.columns}
    column = next((lower[n] for n in _RECORD if n in lower and table[lower[n]].is_unique), None)
    ids = records.index if column is None else pd.Index(_texts(table[column]), dtype=object)
    table = table if column is None else table.drop(columns=column)
    return _standard_columns(table).set_axis(pd.Index(ids, name="record_id"))
