"""WFDB records (.hea with .dat or CinC .mat): headers parsed here, other formats by wfdb.

The common case, one signal file of interleaved 16-bit samples, is read directly, in a fraction of
the time of ``wfdb.rdrecord`` and tested equal to it. Everything else goes through wfdb.
Format: https://physionet.org/physiotools/wag/header-5.htm and signal-5.htm.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ecgeval.io.assemble import BAD_HEADER, MISSING_FILE, TRUNCATED, UNREADABLE, Item, Reject
from ecgeval.io.labels import clean_sex, number
from ecgeval.io.leadnames import standard_lead

__all__ = ["wfdb_item"]

_RECORD = re.compile(r"^(\S+)[ \t]+(\d+)(?:[ \t]+([\d.eE+]+)\S*)?(?:[ \t]+(\d+))?(?:[ \t].*)?$")
_SIGNAL = re.compile(
    r"^(?P<file>\S+)[ \t]+(?P<fmt>\d+)(?:x(?P<spf>\d+))?(?::(?P<skew>\d+))?(?:\+(?P<offset>\d+))?"
    r"(?:[ \t]+(?P<gain>-?[\d.]+(?:[eE][-+]?\d+)?)?(?:\((?P<baseline>-?\d+)\))?(?:/(?P<unit>\S+))?"
    r"(?:[ \t]+\d+(?:[ \t]+(?P<zero>-?\d+)(?:[ \t]+-?\d+(?:[ \t]+(?P<sum>-?\d+)"
    r"(?:[ \t]+\d+(?:[ \t]+(?P<name>.*))?)?)?)?)?)?)?$"
)
_COMMENT = re.compile(r"^#+\s*<?\s*([A-Za-z][\w ]*?)\s*>?\s*:\s*(.*)$")
_MV = {"mv": 1.0, "uv": 1e-3, "µv": 1e-3, "μv": 1e-3, "v": 1e3}  # header unit to mV
_MISSING = -32768  # format 16's code for "no sample"
DEFAULT_FS = 250.0  # WFDB's defaults, where a header leaves them out
DEFAULT_GAIN = 200.0


@dataclass
class Header:
    """What a header says, in the terms of header(5)."""

    record: str
    fs: float
    n_samples: int
    signals: list[dict[str, Any]]
    comments: list[str]
    has_fs: bool = True


def wfdb_item(header_path: Path, record_id: str, *, microvolts: bool = False) -> Item:
    """Return the record of one header file.

    Parameters
    ----------
    header_path : Path
        The .hea file.
    record_id : str
    microvolts : bool
        Take stored integers as microvolts whatever gain the header gives (LUDB 1.0.1).

    Raises
    ------
    Reject
        If the header or its signal file cannot be used.
    """
    try:
        text = header_path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise Reject(UNREADABLE, f"{header_path.name}: {error.strerror or error}") from error
    header = parse_header(text)
    if header is None:
        return _by_wfdb(header_path, record_id, None)
    first = header.signals[0]
    plain = all(
        s["fmt"] == "16"
        and s["file"] == first["file"]
        and s["offset"] == first["offset"]
        and s["spf"] in (None, "1")
        and s["skew"] in (None, "0")
        for s in header.signals
    )
    if not plain:
        return _by_wfdb(header_path, record_id, header)
    path = header_path.parent / first["file"]
    offset = int(first["offset"] or 0)
    try:
        size = path.stat().st_size
    except OSError:
        raise Reject(
            MISSING_FILE, f"{header_path.name} names {first['file']}, which is not there"
        ) from None
    here = max(0, size - offset) // (2 * len(header.signals))
    samples = header.n_samples or here
    if here < samples:
        raise Reject(TRUNCATED, f"{path.name} holds {here} samples, the header says {samples}")
    if samples < 2:
        raise Reject(TRUNCATED, f"{path.name} holds {samples} samples")
    item = _item(header_path, record_id, header, samples, microvolts)
    item.load = _plain_loader(item, header, path, offset, samples, microvolts)
    return item


def _item(
    path: Path, record_id: str, header: Header, samples: int, microvolts: bool = False
) -> Item:
    names = tuple(s["name"] or f"channel {i}" for i, s in enumerate(header.signals))
    electric = [(s["unit"] or "mV").lower() in _MV for s in header.signals]
    leads = tuple(
        standard_lead(name) if ok else None for name, ok in zip(names, electric, strict=True)
    )
    units = {s["unit"] or "mV" for s, lead in zip(header.signals, leads, strict=True) if lead}
    declared = "uV" if units and all(_MV.get(u.lower()) == 1e-3 for u in units) else "mV"
    item = Item(record_id, path, header.fs, names, leads, samples, _never, declared)
    item.labels = comment_labels(header.comments)
    if not header.has_fs:
        item.note(f"no rate in the header, WFDB's default of {DEFAULT_FS:g} Hz assumed")
    if not microvolts and any(float(s["gain"] or 0) == 0 for s in header.signals):
        item.note(f"no gain in the header, WFDB's default of {DEFAULT_GAIN:g} units a mV assumed")
    if header.record != path.stem:
        item.note(f"record line names {header.record!r} instead of {path.stem!r}")
    return item


def _never() -> tuple[np.ndarray, float]:
    raise NotImplementedError


def parse_header(text: str) -> Header | None:
    """Return the header, or None where it is not of the common form (left to wfdb then)."""
    lines = [line.strip() for line in text.splitlines()]
    comments = [line for line in lines if line.startswith("#")]
    lines = [line for line in lines if line and not line.startswith("#")]
    record = _RECORD.match(lines[0]) if lines else None
    if record is None or "/" in record[1]:
        return None
    n_signals = int(record[2])
    signals = [m.groupdict() for line in lines[1 : 1 + n_signals] if (m := _SIGNAL.match(line))]
    if not n_signals or len(signals) != n_signals:
        return None
    try:
        fs = float(record[3]) if record[3] else DEFAULT_FS
        for signal in signals:
            float(signal["gain"] or 0)
    except ValueError:
        return None
    if not 0 < fs < 1e6:
        raise Reject(BAD_HEADER, f"sampling rate {record[3]} in the record line")
    return Header(record[1], fs, int(record[4] or 0), signals, comments, bool(record[3]))


def _plain_loader(
    item: Item, header: Header, path: Path, offset: int, samples: int, microvolts: bool
) -> Callable[[], tuple[np.ndarray, float]]:
    gains = np.array([float(s["gain"] or 0) or DEFAULT_GAIN for s in header.signals])
    zeros = np.array([int(s["baseline"] or s["zero"] or 0) for s in header.signals])
    units = np.array([_MV.get((s["unit"] or "mV").lower(), 1.0) for s in header.signals])
    sums = [s["sum"] for s in header.signals]
    steps = 1e3 * units / gains  # microvolts a stored unit
    whole = bool((np.abs(steps - steps.round()) < 1e-9).all() and (steps >= 1).all())
    plain = bool((np.abs(steps - 1) < 1e-9).all() and not zeros.any())

    def load() -> tuple[np.ndarray, float]:
        try:
            raw = np.fromfile(path, "<i2", samples * len(gains), offset=offset)
        except OSError as error:
            raise Reject(UNREADABLE, f"{path.name}: {error.strerror or error}") from error
        if raw.size < samples * len(gains):
            raise Reject(TRUNCATED, f"{path.name} ended after {raw.size // len(gains)} samples")
        digital = np.ascontiguousarray(raw.reshape(samples, len(gains)).T)
        total = digital.view("<u2").sum(axis=1, dtype=np.uint16)  # modulo 65,536, as in the header
        if any(s is not None and int(s) % 65536 != t for s, t in zip(sums, total, strict=True)):
            item.note("checksum in the header does not match the samples")
        as_stored = microvolts
        if not microvolts and _spans_one(digital, gains):
            as_stored = True
            item.note(
                "header gains differ by lead so that each lead spans exactly 1 mV, so they are no "
                "gains; stored integers read as µV"
            )
        zero, step = (0, 1) if as_stored else (zeros[:, None], steps[:, None])
        if digital.min() == _MISSING:
            out = ((digital - zero) * (step * 1e-3)).astype(np.float32)
            out[digital == _MISSING] = np.nan
            return out, 1.0
        if as_stored or plain:
            return digital, 1e-3
        if whole:
            return (digital.astype(np.int32) - zero) * np.rint(step).astype(np.int32), 1e-3
        return ((digital - zero) * (step * 1e-3)).astype(np.float32), 1.0

    return load


def _spans_one(digital: np.ndarray, gains: np.ndarray) -> bool:
    """Whether the gains are the leads' own ranges, as in LUDB 1.0.1: then they carry no scale."""
    if len(gains) < 3 or len(set(gains)) < 2:
        return False
    span = digital.max(1).astype(np.int64) - digital.min(1)
    return bool((np.abs(span - gains) <= 1.5).all())


def _by_wfdb(header_path: Path, record_id: str, header: Header | None) -> Item:
    """Return a record in any other form that the wfdb package reads."""
    import wfdb

    name = str(header_path.with_suffix(""))
    try:
        if header is None:
            head = wfdb.rdheader(name, rd_segments=True)
            if hasattr(head, "segments"):
                peek = wfdb.rdrecord(name, sampto=min(2, head.sig_len))
                names, units, gains = peek.sig_name, peek.units, [1.0] * len(peek.sig_name)
            else:
                names, units, gains = head.sig_name, head.units, head.adc_gain
            signals = [
                {"name": n, "unit": u, "gain": g}
                for n, u, g in zip(names, units, gains, strict=True)
            ]
            comments = [f"#{line}" for line in head.comments or []]
            header = Header(header_path.stem, float(head.fs), head.sig_len or 0, signals, comments)
    except Exception as error:  # wfdb raises whatever it meets
        first = header_path.read_bytes()[:60].decode("utf-8", "replace").splitlines()
        raise Reject(
            BAD_HEADER,
            f"{header_path.name} is no WFDB header ({type(error).__name__}: {error}); it begins "
            f"with {first[0] if first else 'nothing'!r}",
        ) from error
    for signal in header.signals:
        file = signal.get("file")
        if file and file != "~" and not (header_path.parent / file).exists():
            raise Reject(MISSING_FILE, f"{header_path.name} names {file}, which is not there")
    samples = header.n_samples
    if not samples:
        samples = len(_rdrecord(name, header_path))
    item = _item(header_path, record_id, header, samples)
    scale = np.array([_MV.get((s["unit"] or "mV").lower(), 1.0) for s in header.signals])

    def load() -> tuple[np.ndarray, float]:
        physical = _rdrecord(name, header_path)
        if len(physical) < samples:
            raise Reject(TRUNCATED, f"{len(physical)} samples, the header says {samples}")
        return np.ascontiguousarray((physical * scale).T, dtype=np.float32), 1.0

    item.load = load
    return item


def _rdrecord(name: str, path: Path) -> np.ndarray:
    """Return wfdb's physical samples, shape (samples, channels)."""
    import wfdb

    try:
        return wfdb.rdrecord(name).p_signal
    except Exception as error:
        text = str(error) or type(error).__name__
        reason = TRUNCATED if "reshape" in text or "not enough" in text.lower() else UNREADABLE
        raise Reject(reason, f"{path.name}: {text}") from error


def comment_labels(comments: list[str]) -> dict[str, Any]:
    """Return age, sex, diagnosis codes and the like from header comments.

    Parameters
    ----------
    comments : list of str
        Lines such as ``#Age: 74``, ``# sex: female``, ``#<age>: 51``, ``#Dx: 426783006``.
    """
    found: dict[str, Any] = {}
    for line in comments:
        match = _COMMENT.match(line)
        if not match:
            continue
        key, value = match[1].lower(), match[2].strip().rstrip(".")
        if key == "age":
            found["age"] = number(value)
        elif key == "sex":
            found["sex"] = clean_sex(value)
        elif key in ("dx", "rhythm"):
            found[key] = value or None
        elif key == "ecg date":
            found["ecg_date"] = value or None
    return found
