"""What every comparison shares of a set: computed once, kept by content, resumable."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from functools import cache as cache_once
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import pandas as pd

import ecgeval
from ecgeval.delineation import DEFAULT_METHOD, Status, delineate
from ecgeval.delineation.base import BEAT_WINDOW_S
from ecgeval.ecgset import EcgSet, Microvolts, resample
from ecgeval.measures import measure_columns, measure_marks
from ecgeval.parallel import Progress, each_shard, quiet, shards
from ecgeval.preprocess import quality
from ecgeval.references import Reference, rounded
from ecgeval.scratch import scratch_array
from ecgeval.signal_checks import signal_checks, signal_columns

__all__ = [
    "BEAT_FS",
    "DECIDING_FILES",
    "Features",
    "code_hash",
    "features",
    "features_of_cohort",
    "features_once",
    "outcomes",
    "trim_cache",
]


BEAT_FS = 250.0
"""Rate of the representative beats kept for audits and pictures, Hz."""

DECIDING_FILES = (
    "ecgset.py",
    "measures.py",
    "preprocess.py",
    "signal_checks.py",
    "pipeline/features.py",
    "delineation/*",
)
"""Files of the package that decide features, as patterns."""

_SHARD = 32  # records a cached piece of work: what a killed run loses at most, a process
_CACHE_BYTES = 4e9


@dataclass(frozen=True, eq=False)
class Features:
    """What is computed once a set and shared by every comparison.

    Parameters
    ----------
    measures : DataFrame
        One row a record (`ecgeval.measures.MEASURES`).
    outcome : Series of str
        Empty for a usable record, else why it is not.
    beats : ndarray of float32, shape (n, leads, samples)
        Representative beats, mV, at `beats_fs`; NaN where missing.
    beats_fs : float
    beats_zero : int
        Sample of the R peak.
    checks : DataFrame, optional
        `ecgeval.signal_checks.signal_checks`; None for a reference cohort.
    """

    measures: pd.DataFrame
    outcome: pd.Series
    beats: np.ndarray
    beats_fs: float
    beats_zero: int
    checks: pd.DataFrame | None = None


def features(
    ecgs: EcgSet,
    *,
    method: str = DEFAULT_METHOD,
    jobs: int = 1,
    cache: Path | None = None,
    stage: str = "delineate and measure",
    progress: Progress = quiet,
) -> Features:
    """Return quality flags, measures and representative beats of a set.

    Work goes in shards of 32 records. With `cache`, a shard's result is kept under the hash of
    its samples, the method and the code, so a killed run resumes and a second run reads.

    Parameters
    ----------
    ecgs : EcgSet
    method : str
        Delineation method (`ecgeval.delineation.METHODS`).
    jobs : int
    cache : Path, optional
        Folder of kept results.
    stage : str
        Name for `progress`.
    progress : callable
    """
    parts = shards(len(ecgs), _SHARD)
    work = partial(_features_block, fs=ecgs.fs, leads=ecgs.leads, method=method, cache=cache)
    pieces = each_shard(
        work,
        ecgs.pieces(_SHARD),
        jobs=jobs,
        stage=stage,
        progress=progress,
        weights=[rows.stop - rows.start for rows in parts],
    )
    kept: list[dict[str, np.ndarray]] = []
    for rows, piece in zip(parts, pieces, strict=True):
        some = piece.pop("beats")
        if not kept:
            beats = scratch_array((len(ecgs), *some.shape[1:]))
        beats[rows] = some
        kept.append(piece)
    joined = {key: np.concatenate([piece[key] for piece in kept]) for key in kept[0]}
    columns = measure_columns(ecgs.leads)
    fs = min(ecgs.fs, BEAT_FS)
    return Features(
        measures=pd.DataFrame(joined["measures"], index=ecgs.ids, columns=columns),
        outcome=pd.Series(joined["outcome"].astype(str), index=ecgs.ids, dtype=object),
        beats=beats,
        beats_fs=fs,
        beats_zero=round(-BEAT_WINDOW_S[0] * fs),
        checks=pd.DataFrame(joined["checks"], index=ecgs.ids, columns=signal_columns()),
    )


def _features_block(
    piece: np.ndarray | Microvolts,
    *,
    fs: float,
    leads: tuple[str, ...],
    method: str,
    cache: Path | None,
) -> dict[str, np.ndarray]:
    signals = np.asarray(piece[:])
    file = None
    if cache is not None:
        key = hashlib.sha256(f"{fs!r} {leads} {method} {code_hash()}".encode())
        key.update(np.ascontiguousarray(signals).data)
        file = cache / "features" / key.hexdigest()[:2] / f"{key.hexdigest()}.npz"
        if file.is_file():
            try:
                with file.open("rb") as stream, np.load(stream, allow_pickle=False) as kept:
                    return dict(kept)
            except (OSError, ValueError, EOFError, BadZipFile):  # a damaged file is recomputed
                file.unlink(missing_ok=True)
    block = EcgSet(signals, fs, leads, pd.DataFrame(index=range(len(signals))))
    flags = quality(block)
    marks = delineate(block, method=method)
    status = np.array([Status(code).name.lower() for code in marks.status])
    status[status == "ok"] = ""
    outcome = np.where(flags["reason"] != "", flags["reason"].astype(str), status)
    usable = outcome == ""
    checks = signal_checks(signals, fs, leads, marks).to_numpy()
    checks[~usable] = np.nan
    table = measure_marks(marks).to_numpy()
    table[~usable] = np.nan
    beats = marks.beats
    if fs > BEAT_FS:
        known = np.isfinite(beats).all(axis=(1, 2))
        lower = resample(np.where(known[:, None, None], beats, 0), fs, BEAT_FS)
        beats = np.where(known[:, None, None], lower, np.nan).astype(np.float32)
    result = {"measures": table, "outcome": outcome.astype("U24"), "beats": beats, "checks": checks}
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        partial_file = file.with_suffix(f".{os.getpid()}.partial.npz")
        np.savez(partial_file, **result)  # type: ignore[arg-type]
        partial_file.replace(file)
    return result


@cache_once
def code_hash() -> str:
    """Return a hash of the code that decides features: kept results of other code do not count."""
    root = Path(ecgeval.__file__).parent
    digest = hashlib.sha256(metadata.version("neurokit2").encode())
    for pattern in DECIDING_FILES:
        for file in sorted(root.glob(pattern)):
            if file.is_file():
                digest.update(file.read_bytes())
    return digest.hexdigest()


def trim_cache(cache: Path, limit: float = _CACHE_BYTES) -> None:
    """Delete the oldest kept features until the folder holds at most `limit` bytes."""
    files = sorted((cache / "features").rglob("*.npz"), key=lambda f: f.stat().st_mtime)
    total = sum(f.stat().st_size for f in files)
    for file in files:
        if total <= limit:
            return
        total -= file.stat().st_size
        file.unlink(missing_ok=True)


def features_of_cohort(reference: Reference, synth: Features) -> tuple[Features, Features]:
    """Return the features of a cohort, which has no beats, and of a set compared with it.

    The set's measures are rounded as the cohort's are: rounding must not tell the two apart.
    """
    beats = np.full((len(reference), *synth.beats.shape[1:]), np.nan, dtype=np.float32)
    real = replace(
        synth,
        measures=reference.measures,
        outcome=reference.records["outcome"],
        beats=beats,
        checks=None,
    )
    return real, replace(synth, measures=rounded(synth.measures))


def features_once(
    ecgs: EcgSet, known: dict[bytes, tuple[Features, int]], **options: Any
) -> Features:
    """Return `features` of a set; records that are in `known` are not delineated again.

    Parameters
    ----------
    ecgs : EcgSet
    known : dict of bytes to (Features, int)
        Features and row of each record met before, by `_record_keys`; new ones are added.
    **options
        As of `features`.
    """
    keys = _record_keys(ecgs)
    new = np.array([key not in known for key in keys])
    if new.any():
        fresh = features(ecgs.select(new), **options)
        known |= {keys[at]: (fresh, row) for row, at in enumerate(np.flatnonzero(new))}
    return _gather([known[key] for key in keys], ecgs.ids)


def _record_keys(ecgs: EcgSet) -> list[bytes]:
    """Return a hash of each record's form and samples."""
    form = f"{ecgs.fs!r} {ecgs.leads}".encode()
    keys = []
    for _, block in ecgs.batches(64):
        keys += [hashlib.sha256(form + record.tobytes()).digest() for record in block]
    return keys


def _gather(found: list[tuple[Features, int]], ids: pd.Index) -> Features:
    """Return the features of records that were computed in one or more goes."""
    parts = {id(part): part for part, _ in found}
    starts = dict(
        zip(parts, np.cumsum([0, *(len(p.outcome) for p in parts.values())]), strict=False)
    )
    rows = np.array([starts[id(part)] + row for part, row in found])
    every = list(parts.values())
    if len(every) == 1 and np.array_equal(rows, np.arange(len(every[0].outcome))):
        return replace(
            every[0],
            measures=every[0].measures.set_axis(ids),
            outcome=every[0].outcome.set_axis(ids),
            checks=None if every[0].checks is None else every[0].checks.set_axis(ids),
        )

    def pick(values: list[np.ndarray]) -> np.ndarray:
        return np.concatenate(values)[rows] if len(values) > 1 else values[0][rows]

    first = every[0]
    return Features(
        measures=pd.DataFrame(
            pick([p.measures.to_numpy() for p in every]), index=ids, columns=first.measures.columns
        ),
        outcome=pd.Series(pick([p.outcome.to_numpy() for p in every]), index=ids, dtype=object),
        beats=pick([p.beats for p in every]),
        beats_fs=first.beats_fs,
        beats_zero=first.beats_zero,
        checks=None
        if first.checks is None
        else pd.DataFrame(
            pick([p.checks.to_numpy() for p in every if p.checks is not None]),
            index=ids,
            columns=first.checks.columns,
        ),
    )


def outcomes(features: Features, found: EcgSet | Reference, patients: np.ndarray) -> pd.DataFrame:
    """Return what became of every record found, those that could not be read included."""
    lost = found.rejected
    outcome = pd.concat(
        [features.outcome, pd.Series(lost["reason"].astype(str).to_numpy(), lost["record_id"])]
    )
    who = np.concatenate([patients, ("rejected:" + lost["record_id"].astype(str)).to_numpy()])
    return pd.DataFrame({"outcome": outcome, "patient": who.astype(object)})
