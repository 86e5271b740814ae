"""Slots for figures of the article itself, which a reader fills in: none are known here."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ecgeval.errors import UsageError
from ecgeval.measures import measure_info

__all__ = ["read_article", "template"]

_HEAD = """\
# Figures of the article (Thambawita et al., Sci Rep 2021;11:21896,
# doi:10.1038/s41598-021-01295-2) that no public output repeats: its own real ECGs, and the shares
# of normal ECGs. ecgeval knows none of them. Fill in what you read in the article, numbers instead
# of "", and run the same command again: they then stand in its tables, marked as the article's.
# This file is never written over.

n_real = ""       # real ECGs of the article
where = ""        # table and page you took them from
"""
_SHARES = {"pulse2pulse": "Pulse2Pulse", "wavegan-star": "WaveGAN*"}


def template(columns: Sequence[str]) -> str:
    """Return the file to be filled in, for these measures."""
    lines = [_HEAD, "[real]  # mean and SD of the article's real ECGs"]
    for column in columns:
        info = measure_info(column)
        lines.append(f'{column} = {{ mean = "", sd = "" }}  # {info.label}, {info.unit}')
    lines += ["", "[qt_rr]  # of the article's real ECGs", 'r2 = ""', 'slope = ""', ""]
    lines.append("[normal_percent]  # generated ECGs that the article's interpreter called normal")
    lines += [f'{key} = ""  # {title}' for key, title in _SHARES.items()]
    return "\n".join(lines) + "\n"


def read_article(path: Path | None, columns: Sequence[str]) -> dict[str, Any]:
    """Return what is filled in.

    Parameters
    ----------
    path : Path or None
        None, or a file that is not there, is an empty template.
    columns : sequence of str
        Measures with a slot.

    Returns
    -------
    dict
        ``n_real``, ``where``, ``real`` (mean and SD by column), ``qt_rr``, ``normal_percent``;
        only what is filled in.

    Raises
    ------
    UsageError
        If it cannot be read, has a slot that is not known, or a value that is no number.
    """
    if path is None or not path.is_file():
        return {}
    try:
        body = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"cannot read {path}: {error}") from None
    known: dict[str, Any] = {
        "n_real": None,
        "where": None,
        "real": dict.fromkeys(columns, ("mean", "sd")),
        "qt_rr": ("r2", "slope"),
        "normal_percent": tuple(_SHARES),
    }
    out: dict[str, Any] = {}
    where = _only(body, known, str(path)).get("where", "")
    if where:
        out["where"] = str(where)
    if body.get("n_real", "") != "":
        out["n_real"] = int(_number(body["n_real"], f"{path}: n_real"))
    real = _only(body.get("real", {}), known["real"], f"{path}: real")
    slots = {f"real.{c}": (real.get(c, {}), known["real"][c]) for c in columns}
    slots |= {key: (body.get(key, {}), known[key]) for key in ("qt_rr", "normal_percent")}
    for place, (found, names) in slots.items():
        at = f"{path}: {place}"
        numbers = {
            key: _number(value, f"{at}.{key}")
            for key, value in _only(found, names, at).items()
            if value != ""
        }
        if numbers and place.startswith("real."):
            out.setdefault("real", {})[place.removeprefix("real.")] = numbers
        elif numbers:
            out[place] = numbers
    return out


def _only(found: Any, known: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(found, dict):
        raise UsageError(f"{where} is {found!r}; expected a table")
    unknown = sorted(set(found) - set(known))
    if unknown:
        raise UsageError(f"{where}: no slot {unknown[0]!r}; expected {', '.join(known)}")
    return found


def _number(value: Any, where: str) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value):
        raise UsageError(f"{where} is {value!r}; expected a number, without quotes")
    return float(value)
