"""NumPy files: .npy and .npz, one or many records; nothing is ever unpickled."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ecgeval.errors import DataError, UsageError
from ecgeval.io.assemble import UNREADABLE, Reject
from ecgeval.io.leadnames import default_leads, standard_lead

__all__ = ["Stack", "open_array"]

MAX_LEADS = 15
"""An axis of at most this many entries can be the leads; a longer one is time or records."""


@dataclass
class Stack:
    """Records of one file, (n, leads, samples), as they are stored (perhaps on disk)."""

    signals: np.ndarray
    leads: tuple[str, ...]
    fs: float | None
    unit: str | None
    single: bool
    ids: list[str] | None = None
    labels: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def open_array(path: Path, leads: Sequence[str] | None) -> Stack:
    """Open a .npy or .npz file of ECGs.

    A 2-D array is one record, (leads, samples) or (samples, leads); a 3-D array is (records,
    leads, samples) or (records, samples, leads). The leads are the axis as long as the lead names,
    else the short one. An .npz holds ``signals`` (or just one array) and, if you like, ``fs``,
    ``leads``, ``unit``, ``ids``, ``patient_ids``; a .npy may have the same in a .json of its
    name.

    Raises
    ------
    Reject
        If the file is damaged, holds Python objects or no numbers.
    UsageError
        If the array's axes or leads cannot be told.
    """
    array, about = _load(path)
    if array.dtype.kind not in "iuf":
        raise Reject(UNREADABLE, f"{path.name} holds {array.dtype} values; expected numbers")
    if array.size == 0:
        raise Reject(UNREADABLE, f"{path.name}: array of shape {array.shape} holds no samples")
    named = _names(about.get("leads"), path)
    signals, single = _orient(array, path, len(named or leads or ()) or None)
    channels = signals.shape[1]
    notes = []
    if named is None and leads is not None and len(leads) == channels:
        named = tuple(leads)
    elif named is None:
        named = default_leads(channels)
        if named is None:
            raise UsageError(
                f"{path}: {channels} leads without names; name them with --leads, in the order of "
                "the array"
            )
        notes.append(f"no lead names in the file, taken as {' '.join(named)}")
    if len(named) != channels:
        raise DataError(f"{path}: {len(named)} lead names for {channels} leads")
    texts = {
        key: [str(x) for x in np.asarray(about[key]).tolist()]
        for key in ("ids", "patient_ids")
        if about.get(key) is not None
    }
    for key, values in texts.items():
        if len(values) != len(signals):
            name = key if key == "ids" else "patient_id"
            raise DataError(f"{path}: {len(values)} {name} for {len(signals)} records")
    return Stack(
        signals,
        named,
        float(np.ravel(about["fs"])[0]) if about.get("fs") is not None else None,
        _unit(about.get("unit"), path),
        single,
        texts.get("ids"),
        {"patient_id": texts["patient_ids"]} if "patient_ids" in texts else {},
        notes,
    )


def _load(path: Path) -> tuple[np.ndarray, dict[str, Any]]:
    """Return the array of a file, and what stands beside it."""
    about: dict[str, Any] = {}
    try:
        if path.suffix.lower() == ".npz":
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
                about = {name: archive[name] for name in archive.files}
            large = [name for name in about if about[name].ndim > 1]
            name = "signals" if "signals" in about else large[0] if len(large) == 1 else None
            if name is None:
                raise Reject(
                    UNREADABLE,
                    f"{path.name} holds {', '.join(about) or 'nothing'}; expected an array named "
                    "'signals'",
                )
            return about.pop(name), about
        array = np.lib.format.open_memmap(path, mode="r")
        sidecar = path.with_suffix(".json")
        if sidecar.is_file():
            about = json.loads(sidecar.read_text(encoding="utf-8"))
        return array, about
    except Reject:
        raise
    except Exception as error:  # numpy and zipfile raise whatever a damaged file makes them meet
        text = (str(error) or "empty or damaged file").splitlines()[0]
        if "pickle" in text or "Python objects" in text or "Object arrays" in text:
            text = (
                "holds Python objects, which are never loaded; save a plain array of numbers "
                "(float32 or int16)"
            )
        raise Reject(UNREADABLE, f"{path.name}: {text}") from error


def _names(value: Any, path: Path) -> tuple[str, ...] | None:
    if value is None:
        return None
    names = [str(x) for x in np.ravel(value)]
    found = [standard_lead(name) for name in names]
    if None in found:
        raise DataError(f"{path}: {names[found.index(None)]!r} is no standard lead name")
    return tuple(str(x) for x in found)


def _unit(value: Any, path: Path) -> str | None:
    if value is None:
        return None
    text = str(np.ravel(value)[0]).replace("µ", "u").replace("μ", "u").lower()
    if text not in ("mv", "uv"):
        raise DataError(f"{path}: unit {text!r}; expected mV or uV")
    return "mV" if text == "mv" else "uV"


def _orient(array: np.ndarray, path: Path, n_leads: int | None) -> tuple[np.ndarray, bool]:
    """Return the array as (n, leads, samples), and whether it was one record."""
    single = array.ndim == 2
    if array.ndim == 1 and n_leads in (None, 1):
        return array[None, None], True
    if single and n_leads == 1 and min(array.shape) > MAX_LEADS:
        return array[:, None], False  # n records of one lead
    if array.ndim not in (2, 3):
        raise UsageError(
            f"{path}: array of shape {array.shape}; expected (records, leads, samples), (records, "
            "samples, leads), or one record of two axes"
        )
    cube = array[None] if single else array
    a, b = cube.shape[1:]
    if n_leads in (a, b) and a != b:
        leads_first = a == n_leads
    elif min(a, b) <= MAX_LEADS < max(a, b):
        leads_first = a < b
    else:
        raise UsageError(
            f"{path}: cannot tell leads from samples in an array of shape {array.shape}; expected "
            f"one axis of at most {MAX_LEADS} leads (--leads I for records of one lead)"
        )
    return (cube if leads_first else np.moveaxis(cube, 2, 1)), single
