"""Labels from a CSV beside the records: which column is the id, who is the patient."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd

from ecgeval.errors import DataError

__all__ = ["clean_sex", "find_labels", "join_labels", "looks_like_labels", "number", "read_table"]

_NAMES = re.compile(
    r"^(records|labels|metadata|patients|subjects)\.csv$|_(database|ground_truth|labels|metadata)\.csv$",
    re.IGNORECASE,
)
_PATIENT = ("patient_id", "patientid", "patient", "subject_id", "subject", "person_id", "person")
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


def _stem(value: str) -> str:
    return PurePosixPath(value.replace("\\", "/")).stem


def _integer(value: str) -> str:
    digits = re.match(r"^0*(\d+)(?:\.0)?(?:_[hl]r)?$", _stem(value) if "/" in value else value)
    return digits[1] if digits else value


_MATCHES = (str, _stem, _integer)  # exact, by file name, 00001_hr as 1


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
        If nothing matches a required table, or an id has two different rows.
    """
    ids = list(map(str, records.index))
    best: tuple[int, str, Any] = (0, "", str)
    for match in _MATCHES:
        wanted = {match(i) for i in ids}
        for column in table.columns:
            if table[column].dtype == bool or pd.api.types.is_float_dtype(table[column]):
                values = table[column].dropna()
                if values.dtype == bool or not (values % 1 == 0).all():
                    continue
                text = values.astype("int64").astype(str)
            else:
                text = table[column].dropna().astype(str)
            hits = len(wanted.intersection(map(match, text)))
            if hits > best[0]:
                best = (hits, column, match)
    hits, column, match = best
    if not hits or (hits < 2 < len(ids) and not required):
        sentence = (
            f"no column of {source} matches the record ids (first record {ids[0]!r}, columns "
            f"{', '.join(map(str, table.columns[:6]))})"
        )
        if required:
            raise DataError(f"{sentence}; add a record_id column that holds the file names")
        return records, [f"{sentence}; labels not used"]
    keys = table[column]
    if pd.api.types.is_float_dtype(keys):
        keys = keys.astype("Int64")
    table = table.assign(__key=[match(str(value)) for value in keys]).drop_duplicates()
    wanted_keys = pd.Series([match(i) for i in ids])
    table = table[table["__key"].isin(set(wanted_keys))]
    if table["__key"].duplicated().any():
        twice = table.loc[table["__key"].duplicated(), column].iloc[0]
        raise DataError(
            f"{source}: {column} {twice!r} has several different rows; one row a record is needed"
        )
    patient = next((c for name in _PATIENT for c in table.columns if c.lower() == name), None)
    table = table.set_index("__key").rename(columns={patient: "patient_id"} if patient else {})
    if column != patient and column not in records:
        table = table.drop(columns=column) if match is str else table
    table = table.rename(
        columns={c: c.lower() for c in table.columns if c.lower() in ("age", "sex")}
    )
    if "sex" not in table:
        table = table.rename(columns={c: "sex" for c in table.columns if c.lower() == "gender"})
    if "sex" in table:
        table["sex"] = table["sex"].map(clean_sex)
    table_keys = set(table.index)
    table = table.reindex(wanted_keys)
    table.index = records.index
    shared = [c for c in table.columns if c in records.columns]
    for c in shared:
        table[c] = table[c].where(table[c].notna(), records[c])
    joined = pd.concat([records.drop(columns=shared), table], axis=1)
    notes = []
    if hits < len(set(wanted_keys)):
        absent = int((~wanted_keys.isin(table_keys)).sum())
        notes.append(f"{source}: no row for {absent} of {len(ids)} records")
    return joined, notes


def by_position(records: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Return the records with row i of `table` for record i; its id column becomes the index."""
    names = {c.lower(): c for c in table.columns}
    out = table.copy()
    column = next((names[n] for n in ("record_id", "ecg_id", "id", "filename") if n in names), None)
    ids = table[column].astype(str) if column and table[column].is_unique else records.index
    patient = next((names[n] for n in _PATIENT if n in names), None)
    out = out.rename(columns={patient: "patient_id"} if patient else {})
    out.index = pd.Index(np.asarray(ids), name="record_id")
    if "sex" in out:
        out["sex"] = out["sex"].map(clean_sex)
    return out.drop(columns=[column] if column and column in out else [])
