"""Wave marks from WFDB annotation files."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from ecgeval.errors import DataError
from ecgeval.io.leadnames import standard_lead

__all__ = ["read_annotations"]

_WAVES = {"p": "P", "N": "QRS", "t": "T"}
# Beats of any kind stand for a QRS complex (annotation codes, WFDB's ecgcodes.h).
_WAVES |= dict.fromkeys("LRBAaJSVrFejnE/fQ", "QRS")


def read_annotations(record: str | os.PathLike[str], extensions: Iterable[str]) -> pd.DataFrame:
    """Read P, QRS and T marks from WFDB annotation files.

    A wave is its peak (``p``, ``N`` or another beat code, ``t``) with the ``(`` before it and the
    ``)`` behind it, as LUDB and QTDB write them.

    Parameters
    ----------
    record : path
        Record name without extension.
    extensions : iterable of str
        Annotator names, for example ``["q1c"]``, or leads in LUDB (``["i", "ii"]``).

    Returns
    -------
    DataFrame
        One row a wave, in time order within each extension: ``lead`` (the extension's standard
        name, or the extension itself), ``wave`` (P, QRS, T), ``onset``, ``peak``, ``offset`` in
        samples, -1 where not marked.

    Raises
    ------
    DataError
        If an annotation file is missing or unreadable.
    """
    import wfdb

    rows = []
    for extension in extensions:
        path = Path(f"{os.fspath(record)}.{extension}")
        if not path.is_file():
            raise DataError(f"{path}: no such annotation file")
        try:
            marks = wfdb.rdann(os.fspath(record), extension)
        except Exception as error:  # wfdb raises whatever it meets
            raise DataError(f"{path}: no readable WFDB annotation file ({error})") from error
        lead = standard_lead(extension) or extension
        rows += [(lead, *wave) for wave in _waves(marks.symbol, marks.sample.tolist())]
    return pd.DataFrame(rows, columns=["lead", "wave", "onset", "peak", "offset"])


def _waves(symbols: list[str], samples: list[int]) -> list[tuple[str, int, int, int]]:
    """Return (wave, onset, peak, offset) of a stream of ``( peak )`` marks.

    A bracket belongs to the nearest peak on its side, never across another bracket of its kind.
    """
    out: list[tuple[str, int, int, int]] = []
    onset, open_wave = -1, False
    for symbol, sample in zip(symbols, samples, strict=True):
        if symbol == "(":
            onset, open_wave = sample, False
        elif symbol in _WAVES:
            out.append((_WAVES[symbol], onset, sample, -1))
            onset, open_wave = -1, True
        elif symbol == ")":
            if open_wave:
                out[-1] = (*out[-1][:3], sample)
            onset, open_wave = -1, False
    return out
