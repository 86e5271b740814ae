"""Nothing of a real patient is in the bytes of an audit's report, in any of its files."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
import zlib

import numpy as np
import pandas as pd
import pytest

from ecgeval.ecgset import EcgSet, resample
from ecgeval.privacy import audit_sets
from ecgeval.privacy.copies.signals import FS_HZ
from ecgeval.report import write_report

RUN = 6
"""So many samples in a row, in order, are a trace and no accident."""


def planted(sim) -> tuple[EcgSet, EcgSet, EcgSet]:
    """Return training, holdout and synthetic sets; two of the synthetic are training records."""

    def named(ecgs: EcgSet, word: str) -> EcgSet:
        ids = [f"{word}-{k}-of-Q7ZK" for k in range(len(ecgs))]
        people = [f"person-{word}-{k}-of-Q7ZK" for k in range(len(ecgs))]
        # Samples that are whole microvolts at 250 Hz are found again whatever is rounded.
        signals = np.round(ecgs.signals, 3)
        return EcgSet(signals, ecgs.fs, ecgs.leads, pd.DataFrame({"patient_id": people}, index=ids))

    make = {"fs": 250, "seconds": 8}
    train, holdout = (
        named(sim(12, seed=k, **make), word) for k, word in ((1, "train"), (2, "holdout"))
    )
    synth = sim(16, seed=3, **make)
    signals = np.array(synth.signals)
    signals[:2] = train.signals[:2]
    return train, holdout, EcgSet(signals, 250, synth.leads, synth.records)


def contents(folder) -> dict[str, list[bytes]]:
    """Return every file's bytes, with what is packed in them unpacked beside them."""
    out = {}
    for path in folder.rglob("*"):
        if not path.is_file():
            continue
        parts = [raw := path.read_bytes()]
        if path.suffix == ".pdf":
            for stream in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", raw, re.DOTALL):
                try:
                    parts.append(zlib.decompress(stream))
                except zlib.error:
                    parts.append(stream)
            if shutil.which("pdftotext"):
                done = subprocess.run(["pdftotext", path, "-"], capture_output=True, check=True)
                parts.append(done.stdout.replace("\u200b".encode(), b""))
        parts += [
            base64.b64decode(b)
            for b in re.findall(rb"[A-Za-z0-9+/]{64,}={0,2}", raw)
            if len(b) % 4 == 0
        ]
        out[path.relative_to(folder).as_posix()] = parts
    return out


def where(text: str, files: dict[str, list[bytes]]) -> set[str]:
    """Return the files that hold a text, in any encoding that PDF and HTML use."""
    forms = [text.encode(), text.encode("utf-16-be"), text.encode().hex().encode()]
    return {name for name, parts in files.items() for part in parts for f in forms if f in part}


def traces(ecgs: EcgSet, files: dict[str, list[bytes]]) -> set[str]:
    """Return the files that hold samples of a record: as numbers in a text, or as int16."""
    found = set()
    digits = {
        name: [re.sub(rb"[^\d.-]+", b" ", part) for part in parts] for name, parts in files.items()
    }
    columns = {name: _columns(parts[0]) for name, parts in files.items() if name.endswith(".csv")}
    shown = resample(ecgs.signals[:2], ecgs.fs, FS_HZ)  # an audit draws at the rate it compares at
    for signals in (ecgs.signals[:2], shown):
        for lead in signals.reshape(-1, signals.shape[-1]):
            part = np.rint(np.asarray(lead[300 : 300 + RUN], float) * 1000).astype(int)
            text = b" ".join(str(v).encode() for v in part)
            packed = part.astype("<i2").tobytes()
            found |= {n for n, parts in files.items() if any(packed in p for p in parts)}
            found |= {n for n, parts in digits.items() if any(text in p for p in parts)}
            found |= {n for n, column in columns.items() if text in column}
    return found


def _columns(text: bytes) -> bytes:
    rows = [line.split(b",") for line in text.splitlines()]
    width = max(map(len, rows), default=0)
    columns = ([row[k] for row in rows if k < len(row)] for k in range(width))
    return b" | ".join(b" ".join(column) for column in columns)


@pytest.fixture(scope="module")
def sets(sim):
    return planted(sim)


def test_no_id_and_no_sample_is_in_any_byte_of_an_audit(sets, tmp_path) -> None:
    results = audit_sets(*sets, permutations=999)
    assert results.estimate("privacy.copies.count").value == 2
    write_report(results, tmp_path)
    files = contents(tmp_path)
    assert {"index.html", "report.pdf", "summary.pdf", "card.md", "results.json"} <= set(files)
    assert where("-of-Q7ZK", files) == set()
    for ecgs in sets[:2]:
        assert traces(ecgs, files) == set()


def test_the_same_search_finds_them_where_they_are_shown(sets, tmp_path) -> None:
    write_report(audit_sets(*sets, permutations=999, show_traces=True), tmp_path)
    files = contents(tmp_path)
    for ecgs in sets[:1]:
        held = traces(ecgs, files)
        assert {"index.html", "results.json", "figures/privacy.pairs.csv"} <= held
    held = where("train-0-of-Q7ZK", files)
    assert {"index.html", "results.json", "tables/privacy.copies.csv"} <= held
    if shutil.which("pdftotext"):
        assert "report.pdf" in held
    assert "summary.pdf" not in held  # a summary travels
