"""Reference cohorts: tables of measures of real ECGs that come with the package, no waveforms.

A cohort is two files here, written by ``tools/build_reference.py``: ``NAME.csv.gz``, one row a
record in the order of a hash, and ``NAME.toml``, where it comes from. `load_reference` reads them,
`align` brings a synthetic set to their form.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import tomllib
import zlib
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ecgeval import __version__
from ecgeval.ecgset import STANDARD_LEADS, EcgSet
from ecgeval.errors import DataError, UsageError
from ecgeval.preprocess import check_units, rounding_grid_uv, rounding_note, typical_amplitude_mv

__all__ = [
    "GLOBAL",
    "Aligned",
    "Reference",
    "align",
    "describe",
    "engine_hash",
    "is_reference",
    "load_reference",
    "reference_names",
    "refuse",
    "rounded",
]

PREFIX = "reference:"
LABELS = ("patient", "sex", "age", "outcome")
"""Columns of a cohort's file before its measures."""

GLOBAL = ("p_dur_ms", "pr_ms", "qrs_ms", "qt_ms", "qtcf_ms", "qtcb_ms", "jt_ms")
"""Measures from the earliest onset to the latest offset over all leads: fewer leads, shorter."""

_DECIMALS = {"bpm": 0, "ms": 0, "deg": 0, "mv": 3}


@dataclass(frozen=True, eq=False)
class Reference:
    """Measures of a real cohort.

    Parameters
    ----------
    name : str
        ``ptbxl-norm``, without ``reference:``.
    measures : DataFrame
        One row a record, index ``record_id`` (a running number), columns as `ecgeval.measure`
        gives them for `leads`, rounded as `rounded` does; NaN where there is no value.
    records : DataFrame
        The same index; ``patient_id`` (a running number), ``source``, ``sex`` (F, M or missing),
        ``age_band`` (``40-49``, ``90+`` or missing), ``age`` (the first year of that band: exact
        for limits at whole decades, and no finer) and ``outcome``: empty for a record that could
        be measured, else why not.
    about : dict
        What the cohort's TOML file says: title, licence, citation, how selected, engine, form.
    notes : tuple of str
        What whoever uses it should know, one sentence each.
    """

    name: str
    measures: pd.DataFrame
    records: pd.DataFrame
    about: dict[str, Any]
    notes: tuple[str, ...] = ()

    has_patients = True

    def __len__(self) -> int:
        return len(self.measures)

    @property
    def leads(self) -> tuple[str, ...]:
        """Leads that the measures come from."""
        return tuple(self.about["form"]["leads"])

    @property
    def fs(self) -> float:
        """Sampling rate of the records that were measured, Hz."""
        return float(self.about["form"]["fs"])

    @property
    def seconds(self) -> float:
        """Length of the records that were measured, s."""
        return float(self.about["form"]["seconds"])

    @property
    def rejected(self) -> pd.DataFrame:
        """No rows: every record that was found is in `records`, with its outcome."""
        return pd.DataFrame(columns=["record_id", "reason", "detail"])

    def patients(self, *, assume_independent: bool = False) -> np.ndarray:
        """Return one patient number a record, shape (n,); every record has one."""
        return self.records["patient_id"].to_numpy(dtype=object)

    def fingerprint(self) -> str:
        """Return the SHA-256 of the table (hex)."""
        return str(self.about["sha256"])

    def __repr__(self) -> str:
        return (
            f"Reference({self.name}: measures of {len(self)} records, "
            f"{self.records['patient_id'].nunique()} patients, {len(self.leads)} leads)"
        )


def reference_names() -> list[str]:
    """Return the names of the cohorts that come with the package."""
    return sorted(p.name.removesuffix(".toml") for p in _folder().iterdir() if p.suffix == ".toml")


def is_reference(source: object) -> bool:
    """Whether a source is written as ``reference:NAME``."""
    return isinstance(source, str) and source.startswith(PREFIX)


def refuse(source: object, where: str) -> None:
    """Raise where a set of waveforms is needed and a reference cohort is given.

    Parameters
    ----------
    source : object
        What the user named.
    where : str
        What needs waveforms, to begin a sentence.

    Raises
    ------
    UsageError
    """
    if is_reference(source) or isinstance(source, Reference):
        name = source.name if isinstance(source, Reference) else str(source)[len(PREFIX) :]
        raise UsageError(
            f"{where} needs waveforms, and {PREFIX}{name} holds measures only; it can be the real "
            "side of a comparison (ecgeval compare), and nothing else"
        )


def load_reference(name: str) -> Reference:
    """Return a cohort that comes with the package.

    Parameters
    ----------
    name : str
        ``ptbxl-norm`` or ``reference:ptbxl-norm``.

    Returns
    -------
    Reference
        With a note where another version of the engine has measured it.

    Raises
    ------
    UsageError
        If there is no such cohort.
    DataError
        If its files are damaged.
    """
    name = name.removeprefix(PREFIX)
    known = reference_names()
    if name not in known:
        raise UsageError(
            f"no reference cohort {name!r}; there are {', '.join(PREFIX + n for n in known)}"
        )
    folder = _folder()
    damaged = DataError(
        f"{folder / name}.csv.gz or .toml is damaged; install ecgeval again, or build them again "
        "with tools/build_reference.py"
    )
    try:
        about = tomllib.loads((folder / f"{name}.toml").read_text(encoding="utf-8"))
        text = gzip.decompress((folder / f"{name}.csv.gz").read_bytes())
    except (OSError, EOFError, ValueError, zlib.error):
        raise damaged from None
    if hashlib.sha256(text).hexdigest() != about.get("sha256"):
        raise damaged
    table = pd.read_csv(io.BytesIO(text), dtype=dict.fromkeys(LABELS, object))
    table.index = pd.Index([str(i) for i in range(1, len(table) + 1)], name="record_id")
    records = pd.DataFrame(
        {
            "patient_id": table["patient"],
            "source": f"{PREFIX}{name}",
            "sex": table["sex"],
            "age": table["age"].str.extract(r"^(\d+)", expand=False).astype(float),
            "age_band": table["age"],
            "outcome": table["outcome"].fillna(""),
        }
    )
    measures = table.drop(columns=list(LABELS)).astype(float)
    return Reference(name, measures, records, about, (about["selection"], *_stale(name, about)))


def _stale(name: str, about: dict[str, Any]) -> list[str]:
    """Return one sentence where another version of the engine has measured the cohort."""
    engine = about["engine"]
    if engine["sha256"] == engine_hash():
        return []
    return [
        f"Engines differ: {PREFIX}{name} was measured by ecgeval {engine['version']} (code "
        f"{engine['sha256'][:12]}); this is {__version__} (code {engine_hash()[:12]}), so a part "
        "of a difference may come from that. Build it again with tools/build_reference.py."
    ]


def describe(name: str) -> dict[str, Any]:
    """Return what ``ecgeval info reference:NAME`` says.

    Raises
    ------
    UsageError, DataError
        As `load_reference`.
    """
    found = load_reference(name)
    about, records = found.about, found.records

    def counts(column: str) -> dict[str, int]:
        values = records[column].fillna("unknown").value_counts().sort_index()
        return {str(value): int(n) for value, n in values.items() if value}

    return {
        "source": f"{PREFIX}{found.name}",
        "format": "measures of a reference cohort, no waveforms",
        "title": about["title"],
        "n": len(found),
        "patients": int(records["patient_id"].nunique()),
        "leads": list(found.leads),
        "fs": found.fs,
        "seconds": found.seconds,
        "measures": found.measures.shape[1],
        "sex": counts("sex"),
        "age": counts("age_band"),
        "not_measured": counts("outcome"),
        "licence": about["licence"],
        "citation": about["citation"],
        "changes": about["changes"],
        "measured_by": f"ecgeval {about['engine']['version']}, method {about['engine']['method']}, "
        f"code {about['engine']['sha256'][:12]}",
        "notes": list(found.notes),
    }


@cache
def engine_hash() -> str:
    """Return a SHA-256 (hex) of the code and weights that decide measures and outcomes."""
    root = Path(str(files("ecgeval")))
    parts = [root / "ecgset.py", root / "preprocess.py", root / "measures.py"]
    others = ("neurokit.py", "benchmark.py")
    parts += [p for p in sorted((root / "delineation").glob("*.py")) if p.name not in others]
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{part.name}\n{part.read_text(encoding='utf-8')}".encode())
    digest.update((root / "delineation" / "boundaries.npz").read_bytes())
    return digest.hexdigest()


def rounded(measures: pd.DataFrame) -> pd.DataFrame:
    """Return measures to 1 ms, 1 bpm, 1 degree and 0.001 mV, the grid of every cohort's file."""
    decimals = {str(c): _DECIMALS[str(c).rpartition("_")[2]] for c in measures.columns}
    return measures.round(decimals) + 0.0  # no negative zeros: rows are compared as bytes


@dataclass(frozen=True)
class Aligned:
    """A cohort and a synthetic set in one form, and what had to be done for it.

    Parameters
    ----------
    sets : (Reference, EcgSet)
    notes : tuple of str
        One sentence for each difference found between the two.
    uncomparable : tuple of str
        Columns left out of the cohort's measures, since the synthetic set has fewer leads.
    """

    sets: tuple[Reference, EcgSet]
    notes: tuple[str, ...]
    uncomparable: tuple[str, ...] = ()


def align(reference: Reference, synth: EcgSet, *, leads: tuple[str, ...] | None = None) -> Aligned:
    """Bring a synthetic set to the form of a cohort; the cohort's measures are as they are.

    Leads: those in common (or `leads`). Rate and length: the cohort's where the synthetic set has
    more; where it has less, that is noted. Interval measures are left out where the synthetic set
    has fewer leads than the cohort, because they run from the first onset to the last offset over
    all leads.

    Raises
    ------
    DataError
        If the set is empty, no lead is in common, or the unit cannot be millivolts.
    UsageError
        If a lead in `leads` is none of the cohort's, or the synthetic set lacks it.
    """
    names = ("the real set", "the synthetic set")
    have, form = reference.leads, reference.about["form"]
    if not len(synth):
        raise DataError(f"{names[1]} holds no records; expected at least one")
    wanted = tuple(lead for lead in have if lead in synth.leads) if leads is None else leads
    unknown = [lead for lead in wanted if lead not in have]
    if unknown:
        raise UsageError(
            f"lead {unknown[0]} is not in {PREFIX}{reference.name}, which has {' '.join(have)}"
        )
    if not wanted:
        raise DataError(
            f"no lead in common: {PREFIX}{reference.name} has {' '.join(have)}; {names[1]} has "
            f"{' '.join(synth.leads)}"
        )
    notes = _stale(reference.name, reference.about)
    gone = GLOBAL if len(wanted) < len(have) else ()
    if synth.leads != have or gone:
        text = (
            f"Leads differ ({names[0]} has {len(have)}, {names[1]} has {len(synth.leads)}): "
            f"{len(wanted)} in common are compared"
        )
        if gone:
            text += (
                ", and P, PR, QRS, QT and JT intervals are not: they run from the first onset to "
                "the last offset over all leads, so those of fewer leads are shorter"
            )
        notes.append(f"{text}.")
    synth = synth.with_leads(wanted)
    if synth.fs != reference.fs:
        text = f"Sampling rates differ ({names[0]} {reference.fs:g} Hz, {names[1]} {synth.fs:g} Hz)"
        if synth.fs > reference.fs:
            text += f": the synthetic set is measured at {reference.fs:g} Hz."
            synth = synth.resample(reference.fs)
        else:
            text += ": the marks of the synthetic set are coarser than those of the cohort."
        notes.append(text)
    longest = round(reference.seconds * synth.fs)
    if abs(synth.n_samples - longest) > 1:
        text = (
            f"Lengths differ ({names[0]} {reference.seconds:g} s, {names[1]} {synth.seconds:g} s)"
        )
        if synth.n_samples > longest:
            text += f": the first {reference.seconds:g} s of the synthetic set are measured."
        else:
            text += ": rhythm and representative beats of the synthetic set rest on fewer beats."
        notes.append(text)
    synth = synth.crop(longest)
    check_units((form["amplitude_mv"], typical_amplitude_mv(synth)), names)
    notes += rounding_note((form["rounding_uv"], rounding_grid_uv(synth)), names)
    measures = reference.measures.drop(columns=[*gone, *_of_other_leads(reference, wanted)])
    about = {**reference.about, "form": {**form, "leads": list(wanted)}}
    return Aligned((replace(reference, measures=measures, about=about), synth), tuple(notes), gone)


def _of_other_leads(reference: Reference, leads: tuple[str, ...]) -> list[str]:
    """Return the columns that cannot be had from these leads: other leads', and frontal axes."""
    frontal = {"I", "II"} <= set(leads)
    others = set(STANDARD_LEADS) - set(leads)
    return [
        c
        for c in reference.measures.columns
        if others & set(c.split("_")) or (c.endswith("_deg") and not frontal)
    ]


def _folder() -> Path:
    return Path(str(files(__name__)))
