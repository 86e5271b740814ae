"""Measure the reference cohorts again: python tools/build_reference.py [NAME ...] [--out DIR].

Reads the real recordings that `ecgeval.read` finds (ECGEVAL_DATA, or their publisher), measures
them with this checkout's engine and writes NAME.csv.gz and NAME.toml, the same bytes every time.
What is published is `publish`: measures rounded, sex, age in bands, running numbers, and an order
that follows from the rows alone.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import pandas as pd

import ecgeval
from ecgeval.delineation import DEFAULT_METHOD
from ecgeval.pipeline.features import features
from ecgeval.preprocess import rounding_grid_uv, typical_amplitude_mv
from ecgeval.references import LABELS, engine_hash, rounded

OUT = Path(ecgeval.__file__).parent / "references"
# The independent leads: a cohort and an eight-lead generator are then measured alike.
LEADS = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
CHANGES = (
    "Leads I, II and V1 to V6 were delineated and measured by ecgeval; measures rounded to 1 ms, "
    "1 bpm, 1 degree and 0.001 mV; of the labels sex and age in bands of ten years (cut at 18) "
    "kept; order changed; identifiers, dates and waveforms left out."
)
COHORTS: dict[str, dict[str, str]] = {
    "ptbxl-norm": {
        "set": "ptbxl-norm:1-400",
        "title": "Normal ECGs of PTB-XL",
        "selection": "The records of PTB-XL 1.0.3 with ecg_id 1 to 400 whose only diagnostic "
        "superclass is NORM: the start of the database, not a random sample of it.",
        "licence": "CC BY 4.0",
        "licence_url": "https://creativecommons.org/licenses/by/4.0/",
        "citation": "Wagner P, Strodthoff N, Bousseljot RD, et al. PTB-XL, a large publicly "
        "available electrocardiography dataset. Sci Data 2020;7:154. "
        "doi:10.1038/s41597-020-0495-6",
        "url": "https://physionet.org/content/ptb-xl/1.0.3/",
    },
    "ludb": {
        "set": "ludb:1-100",
        "title": "Lobachevsky University Database, healthy volunteers and patients",
        "selection": "Records 1 to 100 of the 200 of LUDB 1.0.1: healthy volunteers and patients "
        "with cardiovascular diseases, arrhythmias and pacemakers included, one record a person; "
        "no cohort of normal ECGs.",
        "licence": "ODC-BY 1.0",
        "licence_url": "https://opendatacommons.org/licenses/by/1-0/",
        "citation": "Kalyakulina AI, Yusipov II, Moskalenko VA, et al. LUDB: a new open-access "
        "validation tool for electrocardiogram delineation algorithms. IEEE Access "
        "2020;8:186181-186190. doi:10.1109/ACCESS.2020.3029211",
        "url": "https://physionet.org/content/ludb/1.0.1/",
    },
}


def build(name: str) -> tuple[bytes, str]:
    """Return a cohort's two files: the compressed table, and what it is as TOML."""
    about = COHORTS[name]
    ecgs = ecgeval.read(about["set"], leads=LEADS)
    if len(ecgs.rejected):
        raise SystemExit(f"{name}: {len(ecgs.rejected)} records cannot be read; use a whole copy")
    found = features(ecgs)
    text = publish(found.measures, found.outcome, ecgs.records).encode()
    body = {
        **{key: value for key, value in about.items() if key != "set"},
        "changes": CHANGES,
        "records": len(ecgs),
        "patients": int(ecgs.records["patient_id"].nunique()),
        "sha256": hashlib.sha256(text).hexdigest(),
        "engine": {
            "version": ecgeval.__version__,
            "method": DEFAULT_METHOD,
            "sha256": engine_hash(),
        },
        "form": {
            "leads": list(ecgs.leads),
            "fs": ecgs.fs,
            "seconds": ecgs.seconds,
            "amplitude_mv": round(typical_amplitude_mv(ecgs), 3),
            "rounding_uv": rounding_grid_uv(ecgs),
        },
    }
    return gzip.compress(text, 9, mtime=0), toml(body)


def publish(measures: pd.DataFrame, outcome: pd.Series, records: pd.DataFrame) -> str:
    """Return what may be published of a cohort, as CSV.

    Parameters
    ----------
    measures : DataFrame
        One row a record.
    outcome : Series of str
        Empty for a usable record, else why it is not.
    records : DataFrame
        ``patient_id``; ``sex`` and ``age`` (years) where known. Nothing else of it is used.

    Returns
    -------
    str
        Columns `ecgeval.references.LABELS` and the measures. Patients are numbered, and rows put
        in order, by hashes of what is published, so neither says where a row stood before.
    """
    table = rounded(measures)
    places = {c: 3 if c.endswith("_mv") else 0 for c in table.columns}
    missing = pd.Series(None, index=records.index, dtype=object)
    labels = zip(
        records.get("sex", missing).where(lambda s: s.isin(["F", "M"]), ""),
        records.get("age", missing).map(age_band),
        outcome,
        strict=True,
    )
    rows = [
        ",".join([*label, *("" if pd.isna(v) else f"{v:.{places[c]}f}" for c, v in row.items())])
        for label, (_, row) in zip(labels, table.iterrows(), strict=True)
    ]
    of_patient: dict[str, list[str]] = {}
    for patient, row in zip(records["patient_id"], rows, strict=True):
        of_patient.setdefault(str(patient), []).append(row)
    people = sorted(of_patient.values(), key=lambda own: _digest("\n".join(sorted(own))))
    lines = [f"{number},{row}" for number, own in enumerate(people, start=1) for row in own]
    header = ",".join([*LABELS, *map(str, table.columns)])
    return "\n".join([header, *sorted(lines, key=_digest)]) + "\n"


def age_band(age: Any) -> str:
    """Return ``40-49`` for 45, ``90+`` for 90 and above, nothing for a missing age.

    The second decade is cut at 18: the rules for a normal ECG are for adults.
    """
    if pd.isna(age):
        return ""
    if 10 <= age < 20:
        return "10-17" if age < 18 else "18-19"
    decade = 10 * int(age // 10)
    return "90+" if decade >= 90 else f"{decade}-{decade + 9}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def toml(body: dict[str, Any]) -> str:
    """Return a dictionary with at most one level of tables as TOML."""
    lines = [f"{k} = {_value(v)}" for k, v in body.items() if not isinstance(v, dict)]
    for name, table in body.items():
        if isinstance(table, dict):
            lines += ["", f"[{name}]", *(f"{k} = {_value(v)}" for k, v in table.items())]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    """JSON's strings, numbers and lists of them are TOML too."""
    return json.dumps(value, ensure_ascii=False)


def main() -> None:
    """Build the cohorts named on the command line, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(COHORTS))
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    unknown = set(given.names) - set(COHORTS)
    if unknown:
        parser.error(f"no cohort {unknown.pop()!r}; there are {', '.join(COHORTS)}")
    given.out.mkdir(parents=True, exist_ok=True)
    for name in given.names or COHORTS:
        table, about = build(name)
        (given.out / f"{name}.csv.gz").write_bytes(table)
        (given.out / f"{name}.toml").write_text(about, encoding="utf-8")
        print(f"{given.out / name}.csv.gz: {len(table):,} bytes")


if __name__ == "__main__":
    main()
