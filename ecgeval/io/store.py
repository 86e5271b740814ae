"""The store: int16 microvolts in one memory-mapped .npy, records.csv, and a manifest of hashes.

``signals.npy`` is (n, leads, samples), int16 µV; float32 mV where a sample is missing or beyond
±32.767 mV, which int16 cannot hold. ``manifest.json`` says which, and carries size and SHA-256 of
both files. A store appears whole or not at all: it is written beside its place and renamed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
import pandas as pd

from ecgeval.ecgset import INT16_LIMIT_MV, EcgSet, Microvolts
from ecgeval.errors import DataError, UsageError
from ecgeval.parallel import Progress, quiet

__all__ = ["StoreWriter", "is_store", "read_store", "write_store"]

FORMAT = "ecgeval-store"
VERSION = 1
_HEADER_BYTES = 128
_BATCH = 256


class StoreWriter:
    """Write a store record by record, in bounded memory.

    Use as a context manager; the store appears at `path` when the block ends without an
    exception, replacing a store that was there. Float records are rounded to 1 µV (noted); the
    first one that int16 cannot hold turns the whole store into float32 millivolts (noted too).

    Parameters
    ----------
    path : path
        Folder to make. An existing folder is replaced only if it is a store or empty.
    n : int or None
        Records that will come; None if not known. Another number at the end is an error.
    leads : sequence of str
        Standard lead names.
    fs : float
        Hz.
    dtype : {"int16", "float32"}
        float32 from the start where a gap or a large sample is known to come.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        n: int | None,
        leads: Sequence[str],
        fs: float,
        *,
        dtype: str = "int16",
    ) -> None:
        self.path = Path(path)
        self.expected = n
        self.leads = tuple(leads)
        self.fs = float(fs)
        self.dtype = np.dtype(dtype)
        self.count = 0
        self.samples = 0
        self.notes: list[str] = []
        self.rejected: pd.DataFrame | None = None
        self._frames: list[pd.DataFrame] = []
        self._rounded = False
        self._file: BinaryIO | None = None
        if self.path.is_file() or (
            self.path.is_dir() and any(self.path.iterdir()) and not is_store(self.path)
        ):
            raise UsageError(f"{self.path} exists and is no ecgeval store; choose another folder")

    def __enter__(self) -> StoreWriter:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._work = Path(
                tempfile.mkdtemp(prefix=f".{self.path.name}.partial-", dir=self.path.parent)
            )
        except OSError as error:
            raise UsageError(f"{self.path} cannot be written: {error.strerror}") from error
        self._file = open(self._work / "signals.npy", "w+b")
        self._file.write(b"\0" * _HEADER_BYTES)
        return self

    def append(self, signals: np.ndarray, records: pd.DataFrame | None = None) -> None:
        """Add records.

        Parameters
        ----------
        signals : ndarray, shape (k, leads, samples)
            int16 microvolts, or floats in millivolts.
        records : DataFrame, optional
            k rows as in `EcgSet.records`; may come later through `add_records`.

        Raises
        ------
        DataError
            If the shape differs from the first records'.
        """
        assert self._file is not None, "use StoreWriter in a with block"
        signals = np.asarray(signals)
        if signals.ndim != 3 or signals.shape[1] != len(self.leads):
            raise DataError(
                f"{self.path}: records of shape {signals.shape}; expected (records, "
                f"{len(self.leads)}, samples)"
            )
        self.samples = self.samples or signals.shape[2]
        if signals.shape[2] != self.samples:
            raise DataError(
                f"{self.path}: a record of {signals.shape[2]} samples among records of "
                f"{self.samples}; one length a store"
            )
        if records is not None:
            if len(records) != len(signals):
                raise DataError(f"{self.path}: {len(records)} rows for {len(signals)} records")
            self.add_records(records)
        if signals.dtype == np.int16:
            block = signals if self.dtype == np.int16 else _to_mv(signals)
        else:
            block = signals.astype(np.float32, copy=False)
            if self.dtype == np.int16:
                if _fits(block):
                    micro = block * np.float32(1e3)
                    whole = np.rint(micro)
                    self._rounded |= bool((np.abs(micro - whole) > 0.01).any())
                    block = whole.astype(np.int16)
                else:
                    self._promote()
        self._file.write(np.ascontiguousarray(block).data)
        self.count += len(signals)

    def put(self, block: np.ndarray) -> None:
        """Add one record, shape (leads, samples)."""
        self.append(block[None])

    def add_records(self, records: pd.DataFrame) -> None:
        """Add rows of `EcgSet.records` for records appended without them."""
        self._frames.append(records)

    def _promote(self) -> None:
        """Rewrite what is there as float32 millivolts."""
        assert self._file is not None
        path = self._work / "float.npy"
        with open(path, "w+b") as wide:
            wide.write(b"\0" * _HEADER_BYTES)
            self._file.seek(_HEADER_BYTES)
            size = 2 * len(self.leads) * self.samples * _BATCH
            while chunk := self._file.read(size):
                wide.write(_to_mv(np.frombuffer(chunk, np.int16)).data)
        self._file.close()
        os.replace(path, self._work / "signals.npy")
        self._file = (self._work / "signals.npy").open("r+b")
        self._file.seek(0, os.SEEK_END)
        self.dtype = np.dtype(np.float32)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._file is not None
        try:
            if kind is None:
                self._finish()
        finally:
            self._file.close()
            shutil.rmtree(self._work, ignore_errors=True)

    def _finish(self) -> None:
        assert self._file is not None
        if self.expected is not None and self.count != self.expected:
            raise DataError(
                f"{self.path}: {self.count} records were written, {self.expected} announced"
            )
        shape = (self.count, len(self.leads), self.samples)
        self._file.seek(0)
        self._file.write(_npy_header(shape, self.dtype))
        self._file.close()
        records = pd.concat(self._frames) if self._frames else pd.DataFrame(index=range(self.count))
        path = self._work / "signals.npy"
        signals = np.load(path, mmap_mode="r") if self.count else np.empty(shape, self.dtype)
        checked = EcgSet(
            Microvolts(signals) if self.dtype == np.int16 else signals,
            self.fs,
            self.leads,
            records,
            _no_rejected() if self.rejected is None else self.rejected,
        )
        checked.records.to_csv(self._work / "records.csv", encoding="utf-8", lineterminator="\n")
        notes = list(self.notes)
        if self._rounded:
            notes.append("samples rounded to 1 µV in the store")
        if self.dtype != np.int16:
            notes.append("stored as float32 mV: int16 µV cannot hold every sample")
        manifest = {
            "format": FORMAT,
            "version": VERSION,
            "n": self.count,
            "fs": self.fs,
            "leads": list(self.leads),
            "samples": self.samples,
            "unit": "uV" if self.dtype == np.int16 else "mV",
            "dtype": self.dtype.name,
            "columns": {c: _kind(checked.records[c]) for c in checked.records},
            "notes": notes,
            "rejected": checked.rejected.astype(str).to_dict("records"),
            "files": {
                name: _described(self._work / name) for name in ("signals.npy", "records.csv")
            },
        }
        text = json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"
        (self._work / "manifest.json").write_text(text, encoding="utf-8")
        old = None
        if self.path.exists():
            old = self._work.with_name(self._work.name + "-old")
            os.rename(self.path, old)
        os.rename(self._work, self.path)
        os.chmod(self.path, 0o777 & ~_umask())
        if old is not None:
            shutil.rmtree(old, ignore_errors=True)


def write_store(ecgs: EcgSet, path: str | os.PathLike[str], *, progress: Progress = quiet) -> Path:
    """Write a set as a store.

    Parameters
    ----------
    ecgs : EcgSet
    path : path
        Folder to make; a store that is there is replaced.

    Returns
    -------
    Path
        The store's folder.

    Raises
    ------
    UsageError
        If `path` exists and is no store.
    """
    fits = isinstance(ecgs.signals, Microvolts) or all(_fits(b) for _, b in ecgs.batches(_BATCH))
    dtype = "int16" if fits else "float32"
    with StoreWriter(path, len(ecgs), ecgs.leads, ecgs.fs, dtype=dtype) as store:
        store.samples = ecgs.n_samples
        store.notes = [n for n in ecgs.notes if not n.startswith("stored as float32")]
        store.rejected = ecgs.rejected
        store.add_records(ecgs.records)
        for start in range(0, len(ecgs), _BATCH):
            rows = slice(start, min(start + _BATCH, len(ecgs)))
            signals = ecgs.signals
            store.append(
                signals.integers(rows) if isinstance(signals, Microvolts) else signals[rows]
            )
            progress("write", rows.stop, len(ecgs))
    return Path(path)


def is_store(path: str | os.PathLike[str]) -> bool:
    """Whether a folder is a store."""
    path = Path(path)
    if (path / "signals.npy").is_file() and (path / "records.csv").is_file():
        return True  # a manifest that is missing or damaged is for `read_store` to tell
    try:
        manifest = json.loads((path / "manifest.json").read_text(encoding="utf-8"))
        return bool(manifest.get("format") == FORMAT)
    except (OSError, ValueError, AttributeError):
        return False


def read_store(path: str | os.PathLike[str], *, verify: bool = False) -> EcgSet:
    """Open a store; the samples stay on disk as a memory map.

    Parameters
    ----------
    path : path
        The store's folder.
    verify : bool
        Check the SHA-256 of both files (reads everything); sizes and shapes are always checked.

    Returns
    -------
    EcgSet

    Raises
    ------
    DataError
        If a file is missing, damaged or does not fit the manifest.
    """
    path = Path(path)
    try:
        manifest = json.loads((path / "manifest.json").read_text(encoding="utf-8"))
        if manifest["format"] != FORMAT:
            raise ValueError
        shape = (manifest["n"], len(manifest["leads"]), manifest["samples"])
        files, dtype = manifest["files"], np.dtype(manifest["dtype"])
        if not isinstance(manifest["fs"], int | float):
            raise ValueError
    except FileNotFoundError:
        raise DataError(f"{path}: no ecgeval store (manifest.json is not there)") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: manifest.json is not that of an ecgeval store") from error
    if manifest["version"] > VERSION:
        raise DataError(
            f"{path}: store version {manifest['version']}, this ecgeval reads up to {VERSION}; "
            "update ecgeval"
        )
    for name, about in files.items():
        file = path / name
        size = file.stat().st_size if file.is_file() else None
        if size != about["bytes"]:
            found = "is missing" if size is None else f"has {size} bytes"
            raise DataError(
                f"{file} {found}, the manifest says {about['bytes']}; write the store again"
            )
        if verify and _sha256(file) != about["sha256"]:
            raise DataError(
                f"{file}: SHA-256 differs from the manifest, the file was changed; write the "
                "store again"
            )
    try:
        # An empty array cannot be mapped.
        signals = np.load(
            path / "signals.npy", mmap_mode="r" if shape[0] else None, allow_pickle=False
        )
    except (OSError, ValueError) as error:
        raise DataError(f"{path / 'signals.npy'}: not a readable array ({error})") from error
    if signals.shape != shape or signals.dtype != dtype:
        raise DataError(
            f"{path / 'signals.npy'}: {signals.dtype} of shape {signals.shape}, the manifest says "
            f"{dtype} of {shape}; write the store again"
        )
    kinds = manifest["columns"]
    text = {c: str for c, kind in kinds.items() if kind == "text"} | {"record_id": str}
    records = pd.read_csv(
        path / "records.csv",
        dtype=text,
        keep_default_na=False,
        na_values={c: [""] for c in kinds if c != "source"},
        float_precision="round_trip",
    ).set_index("record_id")
    for column, kind in kinds.items():
        if kind == "text":
            records[column] = records[column].astype(object).where(records[column].notna(), None)
    return EcgSet(
        Microvolts(signals) if dtype == np.int16 else signals,
        manifest["fs"],
        tuple(manifest["leads"]),
        records,
        pd.DataFrame(manifest["rejected"], columns=["record_id", "reason", "detail"]),
        tuple(manifest["notes"]),
    )


def _fits(block: np.ndarray) -> bool:
    """Whether int16 microvolts hold every sample (NaN fails the comparison)."""
    return bool((np.abs(block) <= np.float32(INT16_LIMIT_MV)).all())


def _to_mv(micro: np.ndarray) -> np.ndarray:
    return np.multiply(micro, np.float32(1e-3), dtype=np.float32)


def _npy_header(shape: tuple[int, ...], dtype: np.dtype) -> bytes:
    """Return a .npy version 1.0 header of fixed length, so that it can be written last."""
    described = {
        "descr": np.lib.format.dtype_to_descr(dtype),
        "fortran_order": False,
        "shape": shape,
    }
    body = repr(described).encode("latin1")
    room = _HEADER_BYTES - 10
    return np.lib.format.magic(1, 0) + room.to_bytes(2, "little") + body.ljust(room - 1) + b"\n"


def _described(path: Path) -> dict[str, Any]:
    return {"bytes": path.stat().st_size, "sha256": _sha256(path)}


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _kind(column: pd.Series) -> str:
    if pd.api.types.is_bool_dtype(column):
        return "bool"
    return "number" if pd.api.types.is_numeric_dtype(column) else "text"


def _no_rejected() -> pd.DataFrame:
    return pd.DataFrame(columns=["record_id", "reason", "detail"])


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
