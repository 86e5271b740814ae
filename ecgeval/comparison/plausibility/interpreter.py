"""The rules beside another interpreter of the same records: 2 x 2 table and Cohen's kappa."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ecgeval.comparison.plausibility.rules import DEPENDS, PASS
from ecgeval.errors import DataError, UsageError
from ecgeval.io.labels import join_labels, read_table
from ecgeval.stats.intervals import percentile_interval
from ecgeval.stats.resampling import resample_weights

__all__ = ["Agreement", "cohen_kappa", "join_interpreter"]

NORMAL = re.compile(r"(?<!otherwise )(?<!not )(?<!not a )(?<!no )\bnormal ecg\b", re.IGNORECASE)
"""12SL's statement of a normal ECG, and neither "otherwise normal ECG" nor "abnormal ECG"."""

_YES = {"true", "yes", "y", "1", "1.0", "normal"}
_NO = {"false", "no", "n", "0", "0.0", "abnormal", "not normal"}
_COLUMNS = (
    "normal",
    "is_normal",
    "interpretation",
    "statements",
    "statement",
    "diagnosis",
    "report",
)


@dataclass(frozen=True)
class Agreement:
    """How often the rules and the interpreter say the same.

    Parameters
    ----------
    counts : ndarray of int, shape (2, 2)
        Records by rules (normal, not) and interpreter (normal, not).
    kappa : float or None
        None where one of both calls all records the same and chance alone agrees.
    ci : (float, float) or None
        95 %, bootstrap of patients.
    n, patients : int
        Records in the table, and their patients.
    unmatched : int
        Records without a row or statement of the interpreter.
    undecided : int
        Records whose rules depend on an unknown sex or age.
    column : str
        The interpreter's column.
    """

    counts: NDArray[np.int64]
    kappa: float | None
    ci: tuple[float, float] | None
    n: int
    patients: int
    unmatched: int
    undecided: int
    column: str


def cohen_kappa(counts: NDArray[Any]) -> NDArray[np.float64]:
    """Return Cohen's kappa of counts (2, 2, ...): agreement beyond that of chance.

    NaN where both call all records the same.

    References
    ----------
    Cohen 1960, Educ Psychol Meas 20:37, doi:10.1177/001316446002000104
    """
    share = np.asarray(counts, float) / np.sum(counts, axis=(0, 1))
    agree = share[0, 0] + share[1, 1]
    rows, columns = share.sum(axis=1), share.sum(axis=0)
    chance = (rows * columns).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(chance < 1 - 1e-12, (agree - chance) / (1 - chance), np.nan)


def join_interpreter(
    rules: pd.DataFrame,
    csv: str | Path,
    patients: ArrayLike,
    *,
    rng: np.random.Generator,
    draws: int = 2000,
) -> Agreement:
    """Cross-tabulate the rules with the output of another interpreter (12SL, for example).

    Parameters
    ----------
    rules : DataFrame
        What `apply_rules` returned; index record_id. A record that is not measurable is not shown
        to be normal and counts as such.
    csv : path
        One row a record: a column of record ids and one that says normal or not, as truth values
        or as statements, of which only ``normal ECG`` means normal (``otherwise normal ECG`` and
        ``abnormal ECG`` do not). It is the first called ``normal``, ``is_normal``,
        ``interpretation``, ``statements``, ``statement``, ``diagnosis`` or ``report``.
    patients : array_like, shape (n,)
        One id a row of `rules`.
    rng : Generator
    draws : int
        Of the bootstrap.

    Raises
    ------
    UsageError
        If there is no such column.
    DataError
        If no record matches, or nothing in the column can be read.
    """
    source = str(csv)
    table = read_table(Path(csv))
    by_name = {str(c).strip().lower(): c for c in table.columns}
    found = next((by_name[c] for c in _COLUMNS if c in by_name), None)
    if found is None:
        raise UsageError(
            f"{source} has no column {' or '.join(_COLUMNS)}; it has {', '.join(by_name)}"
        )
    blank = pd.DataFrame(index=pd.Index([str(i) for i in rules.index], name="record_id"))
    theirs = _is_normal(join_labels(blank, table, source, required=True)[0][found], source)
    ours = rules["normal"].to_numpy(object)
    undecided, unknown = ours == DEPENDS, np.isnan(theirs)
    use = ~unknown & ~undecided
    code = np.unique(np.asarray(patients, dtype=object)[use].astype(str), return_inverse=True)[1]
    cell = 2 * (ours[use] != PASS) + (theirs[use] == 0)
    n_patients = int(code.max(initial=-1)) + 1
    by_patient = np.stack([np.bincount(code[cell == k], minlength=n_patients) for k in range(4)])
    counts = by_patient.sum(axis=1).reshape(2, 2)
    kappa = float(cohen_kappa(counts)) if use.any() else np.nan
    ci = None
    if n_patients > 1 and np.isfinite(kappa):
        weights = resample_weights(n_patients, draws, rng)
        drawn = cohen_kappa((by_patient @ weights).reshape(2, 2, -1))
        drawn = drawn[np.isfinite(drawn)]
        ci = percentile_interval(drawn) if len(drawn) else None
    return Agreement(
        counts,
        kappa if np.isfinite(kappa) else None,
        ci,
        n=int(use.sum()),
        patients=n_patients,
        unmatched=int(unknown.sum()),
        undecided=int((undecided & ~unknown).sum()),
        column=str(found),
    )


def _is_normal(column: pd.Series, source: str) -> NDArray[np.float64]:
    """Return 1 for a normal ECG, 0 for another, NaN where nothing is said."""
    known = column.notna().to_numpy()
    texts = column.astype(str).str.strip().str.lower()
    words = set(texts[known])
    if words <= _YES | _NO:
        values = texts.isin(_YES).to_numpy(float)
    elif any("normal" in word or "ecg" in word for word in words):
        values = texts.str.replace(r"\s+", " ", regex=True).str.contains(NORMAL).to_numpy(float)
    else:
        raise DataError(
            f"{source}: column {column.name} says {min(words, default='')!r}; expected true and "
            'false, or statements such as "Normal ECG"'
        )
    return np.where(known, values, np.nan)
