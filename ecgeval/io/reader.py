"""Any supported source to one EcgSet: what is there, which reader it needs, what it contains."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ecgeval.ecgset import EcgSet, Microvolts
from ecgeval.errors import DataError, UsageError
from ecgeval.io.arrays import Stack, open_array
from ecgeval.io.assemble import (
    SCALE,
    Found,
    Item,
    Memory,
    Plan,
    Reject,
    amplitude,
    check_unit,
    infer_unit,
    plan,
    rejected_frame,
)
from ecgeval.io.labels import (
    by_position,
    find_labels,
    join_labels,
    looks_like_labels,
    plausible_ages,
    read_table,
)
from ecgeval.io.leadnames import standard_leads
from ecgeval.io.named import NAMED, is_named, open_named, recognise
from ecgeval.io.store import StoreWriter, is_store, read_store, write_store
from ecgeval.io.text import asc_item, csv_item
from ecgeval.io.wfdb_files import wfdb_item
from ecgeval.parallel import Progress, quiet

__all__ = ["convert", "info", "read"]

SUPPORTED = (
    "WFDB (.hea with .dat or .mat, RECORDS, folders), .npy, .npz, .csv, .asc, an ecgeval store"
)
_KINDS = {".hea": "WFDB", ".npy": "NumPy", ".npz": "NumPy", ".asc": "asc", ".csv": "CSV"}
_INFO_SAMPLE = 200  # records whose samples `info` looks at


@dataclass(frozen=True)
class Options:
    """The options of `read`, checked."""

    fs: float | None = None
    leads: tuple[str, ...] | None = None
    unit: str = "auto"
    labels: Path | None = None
    seconds: float | None = None
    native_fs: float | None = None


def _options(
    fs: float | None,
    leads: Sequence[str] | str | None,
    unit: str,
    labels: str | os.PathLike[str] | None,
    seconds: float | None,
    native_fs: float | None,
) -> Options:
    for name, value in (("fs", fs), ("seconds", seconds), ("native_fs", native_fs)):
        if value is not None and not (np.isfinite(value) and value > 0):
            raise UsageError(f"{name} is {value}; expected a positive number")
    units = {"auto": "auto", "mv": "mV", "uv": "uV", "µv": "uV", "μv": "uV"}
    if unit.lower() not in units:
        raise UsageError(f"unit {unit!r}; expected auto, mV or uV")
    return Options(
        None if fs is None else float(fs),
        None if leads is None else standard_leads(leads),  # type: ignore[arg-type]
        units[unit.lower()],
        None if labels is None else Path(labels),
        seconds,
        None if native_fs is None else float(native_fs),
    )


def read(
    source: str | os.PathLike[str],
    *,
    fs: float | None = None,
    leads: Sequence[str] | str | None = None,
    unit: str = "auto",
    labels: str | os.PathLike[str] | None = None,
    seconds: float | None = None,
    native_fs: float | None = None,
    progress: Progress = quiet,
) -> EcgSet:
    """Read ECGs from a file, a folder, a store or a named data set.

    Parameters
    ----------
    source : str or path
        A WFDB record, a folder of records (searched through), a RECORDS file, .npy, .npz, .csv or
        .asc, a store, or a named data set: ``ludb``, ``ptbxl``, ``ptbxl-norm``, ``ecgid``,
        ``deepfake``, with records by number if you like (``ptbxl:1-400``, ``ludb:1,5,7``).
    fs : float, optional
        Resample to this rate, Hz. By default a folder takes its most common rate.
    leads : sequence of str, optional
        Leads to keep, in order; III, aVR, aVL and aVF are derived from I and II where missing.
        Names the channels of a file that names none.
    unit : {"auto", "mV", "uV"}
        Unit of samples whose format carries none; "auto" infers it from the amplitude and says
        so in the notes. A unit given here overrides what a file declares.
    labels : path, optional
        CSV with a row a record. By default ``records.csv``, ``labels.csv``, ``*_database.csv`` or
        ``*_ground_truth.csv`` beside the records is used. A ``patient_id`` column says who is who.
    seconds : float, optional
        Crop records to their first seconds; shorter records are rejected. By default a folder
        takes its most common length.
    native_fs : float, optional
        Rate of the samples where the format carries none (.npy, .csv), Hz.
    progress : callable
        ``progress(stage, done, total)``.

    Returns
    -------
    EcgSet
        Records that could not be used are in ``rejected`` with the reason; ``notes`` says what
        had to be assumed.

    Raises
    ------
    UsageError
        If an option is wrong or a needed one is missing, or the format is not supported.
    DataError
        If nothing can be read, or the unit is contradicted by the amplitude.
    """
    options = _options(fs, leads, unit, labels, seconds, native_fs)
    _, found = _open(source, options, progress)
    return found.to_set(progress=progress) if isinstance(found, Plan) else found


def convert(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    fs: float | None = None,
    leads: Sequence[str] | str | None = None,
    unit: str = "auto",
    labels: str | os.PathLike[str] | None = None,
    seconds: float | None = None,
    native_fs: float | None = None,
    progress: Progress = quiet,
) -> Path:
    """Write any source as a store, record by record, in bounded memory.

    Parameters and errors are those of `read`, and of `write_store` for `out`.
    """
    options = _options(fs, leads, unit, labels, seconds, native_fs)
    _, found = _open(source, options, progress)
    if not isinstance(found, Plan):
        return write_store(found, out, progress=progress)
    with StoreWriter(out, None, found.leads, found.fs) as store:
        store.add_records(found.frame(found.fill(store, progress=progress)))
        store.notes, store.rejected = found.notes, rejected_frame(found.rejected)
    return Path(out)


def info(
    source: str | os.PathLike[str],
    *,
    unit: str = "auto",
    labels: str | os.PathLike[str] | None = None,
    native_fs: float | None = None,
    leads: Sequence[str] | str | None = None,
    progress: Progress = quiet,
) -> dict[str, Any]:
    """Say what is in a source without loading all of it.

    Headers of all records and the samples of up to 200 of them are read.

    Returns
    -------
    dict
        ``source``, ``format``, ``n``, ``patients`` (None where unknown), ``leads``, ``fs`` (Hz),
        ``seconds``, ``unit`` (of the file), ``amplitude_mv`` (typical peak to peak),
        ``range_mv`` (0.1 and 99.9 percentile), ``labels``, ``rejected`` (reason to count),
        ``notes``.
    """
    options = _options(None, leads, unit, labels, None, native_fs)
    kind, found = _open(source, options, progress)
    if isinstance(found, Plan):
        n = len(found.items)
        declared = {item.unit for item in found.items}
        of_file = "/".join(sorted(str(u or found.unit) for u in declared))
        rows = _spread(n)
        memory = Memory(len(rows), len(found.leads), found.n_samples)
        found.fill(memory, items=[found.items[row] for row in rows], progress=progress)
        if n > len(rows):
            found.notes.append(f"samples of {len(rows)} of {n} records were looked at")
        lost = {record for record, _, _ in found.rejected}
        records = found.frame([item for item in found.items if item.record_id not in lost])
        rejected, notes = rejected_frame(found.rejected), found.notes
        block, rate, names = np.asarray(memory.signals()), found.fs, found.leads
        return _summary(str(source), kind, records, rejected, notes, of_file, block, rate, names)
    return summary(found, str(source), kind)


def summary(ecgs: EcgSet, source: str, kind: str) -> dict[str, Any]:
    """Return what `info` says of a set that is open already."""
    block = np.asarray(ecgs.select(_spread(len(ecgs))).signals)
    of_file = "uV" if isinstance(ecgs.signals, Microvolts) else "mV"
    return _summary(
        source,
        kind,
        ecgs.records,
        ecgs.rejected,
        list(ecgs.notes),
        of_file,
        block,
        ecgs.fs,
        ecgs.leads,
    )


def _summary(
    source: str,
    kind: str,
    records: pd.DataFrame,
    rejected: pd.DataFrame,
    notes: list[str],
    of_file: str,
    block: np.ndarray,
    rate: float,
    names: Sequence[str],
) -> dict[str, Any]:
    finite = np.isfinite(block)
    gaps = int((~finite.all(axis=(1, 2))).sum())
    if gaps:
        share = 100 * (1 - finite.mean())
        notes = [*notes, f"{gaps} of {len(block)} records have missing samples ({share:.2g} %)"]
    who = records["patient_id"] if "patient_id" in records else pd.Series([None])
    known = bool(who.notna().all())
    samples = block[finite]
    return {
        "source": source,
        "format": kind,
        "n": len(records),
        "patients": int(who.nunique()) if known else None,
        "leads": list(names),
        "fs": rate,
        "seconds": block.shape[2] / rate,
        "unit": of_file,
        "amplitude_mv": amplitude(block, rate),
        "range_mv": np.percentile(samples, [0.1, 99.9]).tolist() if samples.size else None,
        "labels": [c for c in records.columns if c not in ("patient_id", "source")],
        "rejected": dict(Counter(rejected["reason"])),
        "notes": notes,
    }


def _spread(n: int) -> np.ndarray:
    return np.unique(np.linspace(0, n - 1, min(n, _INFO_SAMPLE)).round().astype(int))


# ---- which reader ----------------------------------------------------------------------------


def _open(
    source: str | os.PathLike[str], options: Options, progress: Progress
) -> tuple[str, Plan | EcgSet]:
    """Return the format's name and what it holds: a plan of files, or a set already open."""
    if isinstance(source, str) and is_named(source):
        found = open_named(source, progress=progress)
        return f"named set {source}", _plan(found, options, source)
    path = Path(source).expanduser()
    if path.is_dir():
        return _open_folder(path, options, progress)
    header = _header_of(path)
    if header is not None:
        found = _look([header], wfdb_item, path.parent, progress)
        return "WFDB", _plan(found, options, path.name, path.parent)
    if not path.exists():
        raise DataError(
            f"{path}: no such file or folder, and none of the named data sets {', '.join(NAMED)}"
        )
    suffix = path.suffix.lower()
    if path.name == "RECORDS":
        return "WFDB", _plan(_listed(path, progress), options, path.parent.name, path.parent)
    if path.name == "manifest.json" and is_store(path.parent):
        return _open_folder(path.parent, options, progress)
    if suffix in (".npy", ".npz"):
        return "NumPy", _array_set(path, options)
    if suffix in (".csv", ".asc"):
        found = _look([path], _text_reader(suffix, options), path.parent, progress)
        return _KINDS[suffix], _plan(found, options, path.name, path.parent, path.stem)
    if suffix in (".dat", ".mat"):
        raise DataError(f"{path}: its header {path.stem}.hea is not beside it; WFDB needs both")
    raise UsageError(
        f"{path}: format {suffix or 'without extension'} is not supported; supported: {SUPPORTED}"
    )


def _header_of(path: Path) -> Path | None:
    """Return the WFDB header that a path means: itself, its .dat or .mat, or a name without."""
    if path.suffix.lower() in (".hea", ".dat", ".mat"):
        header = path.with_suffix(".hea")
        if header.is_file():
            return header
    header = path.with_name(path.name + ".hea")
    return header if header.is_file() else None


def _open_folder(folder: Path, options: Options, progress: Progress) -> tuple[str, Plan | EcgSet]:
    name = folder.resolve().name
    if is_store(folder):
        return "ecgeval store", _finish(read_store(folder), options, folder)
    known = recognise(folder)
    if known is not None:
        found = open_named(known, folder=folder, progress=progress)
        found.notes.insert(0, f"recognised as a copy of {known}")
        return f"WFDB ({known})", _plan(found, options, name)
    if (folder / "RECORDS").is_file():
        return "WFDB", _plan(_listed(folder / "RECORDS", progress), options, name, folder)

    files: dict[str, list[Path]] = {suffix: [] for suffix in _KINDS}
    others: Counter[str] = Counter()
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if any(part.startswith(".") or part == "__MACOSX" for part in parts):
            continue
        suffix = path.suffix.lower()
        if suffix in files and not (suffix == ".csv" and looks_like_labels(path)):
            files[suffix].append(path)
        elif path.is_file():
            others[suffix or path.name] += 1
    files[".npy"] = sorted(files[".npy"] + files.pop(".npz"))
    # Tables beside signal files are labels or measurements, so CSV comes last.
    chosen = next((s for s in (".hea", ".asc", ".npy", ".csv") if files[s]), None)
    if chosen is None:
        held = ", ".join(f"{n} {suffix}" for suffix, n in others.most_common(5)) or "nothing"
        raise DataError(f"{folder}: no ECG files in it (it holds {held}); supported: {SUPPORTED}")
    paths = files[chosen]
    if chosen == ".npy" and len(paths) == 1:
        return "NumPy", _array_set(paths[0], options)
    if chosen == ".npy":
        found = _stacks(paths, folder, options)
    else:
        make = wfdb_item if chosen == ".hea" else _text_reader(chosen, options)
        found = _look(paths, make, folder, progress)
    found.notes += [
        f"{len(more)} {suffix} files beside the {chosen} records were not read as records"
        for suffix, more in files.items()
        if more and suffix != chosen
    ]
    return _KINDS[chosen], _plan(found, options, name, folder)


def _plan(
    found: Found, options: Options, source: str, folder: Path | None = None, stem: str = ""
) -> Plan:
    """Return the plan of what was found, with the tables of labels to join."""
    other = [item for item in found.items if options.native_fs not in (None, item.fs)]
    if other:
        raise UsageError(
            f"{other[0].path}: the file says {other[0].fs:g} Hz, --native-fs says "
            f"{options.native_fs:g}; it is for files without a rate (--fs resamples)"
        )
    if options.labels is not None:
        found.tables.append((read_table(options.labels), options.labels.name, True))
    elif folder is not None:
        found.tables += [(read_table(p), p.name, False) for p in find_labels(folder, stem)]
    return plan(
        found,
        source=source,
        fs=options.fs,
        leads=options.leads,
        unit=options.unit,
        seconds=options.seconds,
    )


def _record_ids(paths: Sequence[Path], folder: Path) -> list[str]:
    """Return file names as record ids; with their folders where names alone repeat."""
    stems = [path.stem for path in paths]
    if len(set(stems)) == len(stems):
        return stems
    return [path.relative_to(folder).with_suffix("").as_posix() for path in paths]


def _look(
    paths: Sequence[Path], make: Callable[[Path, str], Item], folder: Path, progress: Progress
) -> Found:
    """Look at files of one record each, without loading samples."""
    found = Found()
    for done, (path, record_id) in enumerate(zip(paths, _record_ids(paths, folder), strict=True)):
        if done % 64 == 0:
            progress("look", done, len(paths))
        found.add(record_id, partial(make, path, record_id))
    progress("look", len(paths), len(paths))
    return found


def _listed(listing: Path, progress: Progress) -> Found:
    """Look at the WFDB records named in a RECORDS file, as far as they are there."""
    folder = listing.parent
    names = [line.strip() for line in listing.read_text(errors="replace").splitlines()]
    headers, absent = [], 0
    for name in filter(None, names):
        header = folder / f"{name}.hea"
        if (folder / name).is_dir():
            headers += sorted((folder / name).rglob("*.hea"))
        elif header.is_file():
            headers.append(header)
        else:
            absent += 1
    if not headers:
        raise DataError(f"{listing}: none of the {absent} records it lists is there")
    found = _look(headers, wfdb_item, folder, progress)
    if absent:
        found.notes.append(f"{absent} of {absent + len(headers)} records in RECORDS are not here")
    unlisted = len(set(folder.rglob("*.hea")) - set(headers))
    if unlisted:
        found.notes.append(f"{unlisted} headers that RECORDS does not list were not read")
    return found


def _text_reader(suffix: str, options: Options) -> Callable[[Path, str], Item]:
    if suffix == ".asc":
        return lambda path, record_id: asc_item(path, record_id, options.native_fs)
    return lambda path, record_id: csv_item(path, record_id, options.native_fs, options.leads)


# ---- arrays and stores: many records in one file ----------------------------------------------


def _rate(path: Path, of_file: float | None, options: Options) -> float:
    given = options.native_fs
    if of_file and given and of_file != given:
        raise UsageError(
            f"{path}: the file says {of_file:g} Hz, --native-fs says {given:g}; it is for files "
            "without a rate (--fs resamples)"
        )
    rate = of_file or given
    if not rate:
        raise UsageError(
            f"{path}: no sampling rate in the file; give it with --native-fs (native_fs=), in Hz"
        )
    return rate


def _stacks(paths: Sequence[Path], folder: Path, options: Options) -> Found:
    """Look at several NumPy files, of one or many records each."""
    found = Found()
    for path, stem in zip(paths, _record_ids(paths, folder), strict=True):
        try:
            stack = open_array(path, options.leads)
        except Reject as reject:
            found.rejected.append((stem, reject.reason, reject.detail))
            continue
        fs = _rate(path, stack.fs, options)
        ids = stack.ids or ([stem] if stack.single else _numbered(stem, len(stack.signals)))
        patients = stack.labels.get("patient_id", [None] * len(ids))
        for row, record_id in enumerate(ids):
            item = Item(
                record_id,
                path,
                fs,
                stack.leads,
                stack.leads,
                stack.signals.shape[2],
                partial(_row, stack, row),
                stack.unit,
                {"patient_id": patients[row]},
                list(stack.notes),
            )
            found.items.append(item)
    return found


def _row(stack: Stack, row: int) -> tuple[np.ndarray, float]:
    return np.asarray(stack.signals[row]), SCALE[stack.unit] if stack.unit else 1.0


def _numbered(stem: str, n: int) -> list[str]:
    return [f"{stem}-{i}" for i in range(n)]


def _array_set(path: Path, options: Options) -> EcgSet:
    """Open one NumPy file; the samples stay on disk where they are already as they should be."""
    try:
        stack = open_array(path, options.leads)
    except Reject as reject:
        raise DataError(f"{path.parent / reject.detail}") from None
    fs = _rate(path, stack.fs, options)
    signals, notes = stack.signals, list(stack.notes)
    sample = np.asarray(signals[_spread(len(signals))])
    whole = sample.dtype.kind in "iu"
    typical = amplitude(sample, fs)
    unit = options.unit if options.unit != "auto" else stack.unit
    if unit is None:
        unit, note = infer_unit(typical, whole, path.name)
        notes.append(note)
    else:
        check_unit(typical * SCALE[unit], unit, path.name)
    data: np.ndarray | Microvolts = signals
    if unit == "uV" and whole:
        if signals.dtype == np.int16:
            data = Microvolts(signals)
        elif signals.min() >= -32768 and signals.max() <= 32767:
            data = Microvolts(signals.astype(np.int16))
    if not isinstance(data, Microvolts) and (unit == "uV" or signals.dtype != np.float32):
        data = np.empty(signals.shape, dtype=np.float32)
        for row, record in enumerate(signals):
            np.multiply(record, SCALE[unit], out=data[row], casting="unsafe")
    ids = stack.ids or ([path.stem] if stack.single else _numbered(path.stem, len(signals)))
    records = pd.DataFrame(stack.labels, index=ids)
    tables = [options.labels] if options.labels else find_labels(path.parent, path.stem)
    for file in tables:
        table = read_table(file)
        joined, remarks = join_labels(records, table, file.name, required=False)
        if joined is records and len(table) == len(records) and stack.ids is None:
            records = by_position(records, table)
            remarks = [f"{file.name} has a row a record: joined in order"]
        elif joined is records and options.labels:
            raise DataError(f"{file}: {remarks[0]}")
        else:
            records = joined
        notes += remarks
    records["source"] = path.name
    return _finish(EcgSet(data, fs, stack.leads, records, notes=tuple(notes)), options, None)


def _finish(ecgs: EcgSet, options: Options, store: Path | None) -> EcgSet:
    """Return an open set with the leads, rate and length asked for."""
    notes = list(ecgs.notes)
    if store is not None:
        _rate(store, ecgs.fs, options)
        if options.labels is not None:
            records, remarks = join_labels(
                ecgs.records, read_table(options.labels), options.labels.name, required=True
            )
            ecgs, notes = replace(ecgs, records=records), notes + remarks
    records, remarks = plausible_ages(ecgs.records)
    if remarks:
        ecgs, notes = replace(ecgs, records=records), notes + remarks
    if options.leads is not None and options.leads != ecgs.leads:
        derived = [lead for lead in options.leads if lead not in ecgs.leads]
        ecgs = ecgs.with_leads(options.leads)
        if derived:
            notes.append(f"{' '.join(derived)} derived from I and II")
    if options.fs is not None and options.fs != ecgs.fs:
        notes.append(f"resampled from {ecgs.fs:g} to {options.fs:g} Hz")
        ecgs = ecgs.resample(options.fs)
    if options.seconds is not None:
        samples = round(options.seconds * ecgs.fs)
        if ecgs.n_samples < samples:
            raise DataError(f"records are {ecgs.seconds:g} s long; {options.seconds:g} s asked for")
        if ecgs.n_samples > samples:
            notes.append(f"cropped to the first {options.seconds:g} s")
        ecgs = ecgs.crop(samples)
    return replace(ecgs, notes=tuple(notes))
