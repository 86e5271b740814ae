"""ECGs together with the wave marks that people made on them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from ecgeval.ecgset import EcgSet
from ecgeval.errors import DataError, UsageError
from ecgeval.io.annotations import read_annotations
from ecgeval.io.leadnames import standard_lead
from ecgeval.io.named import NAMED, is_named, ludb_annotations
from ecgeval.io.reader import read
from ecgeval.parallel import Progress, quiet

__all__ = ["ALL_LEADS", "read_annotated"]

ALL_LEADS = "all"
"""The ``lead`` of marks that an annotator made once for all leads."""

_TIMES = ["onset", "peak", "offset"]


def read_annotated(
    source: str | os.PathLike[str],
    *,
    annotations: Sequence[str] | None = None,
    leads: Sequence[str] | None = None,
    unit: str = "auto",
    progress: Progress = quiet,
) -> tuple[EcgSet, list[pd.DataFrame]]:
    """Read WFDB records and their P, QRS and T marks.

    Parameters
    ----------
    source : str or path
        ``ludb``, perhaps with record numbers (``ludb:1-50``), or a folder of WFDB records with
        annotation files beside them.
    annotations : sequence of str, optional
        Extensions of the annotation files: lead names, each file for its lead (``i``, ``ii``, as
        in LUDB, and the default), or one name, whose marks hold for all leads (``q1c``, as in
        QTDB).
    leads : sequence of str, optional
        Leads to use.
    unit : {"auto", "mV", "uV"}
    progress : callable

    Returns
    -------
    ecgs : EcgSet
        The records that have annotations; the others are in ``rejected``.
    references : list of DataFrame
        Of each record: ``lead`` (`ALL_LEADS` where one file is for all), ``wave``, ``onset``,
        ``peak``, ``offset``, in samples at the rate of `ecgs`, -1 where not marked.

    Raises
    ------
    UsageError
        If a named set without wave marks is asked for, or the annotation files do not go together.
    DataError
        If there is nothing to read, or no record has an annotation file.
    """
    named = is_named(source)
    if named and str(source).partition(":")[0] != "ludb":
        others = ", ".join(name for name in NAMED if name != "ludb")
        raise UsageError(
            f"{source}: no wave marks belong to {others}; expected ludb or a folder of WFDB "
            "records with annotation files"
        )
    ecgs = read(source, leads=leads, unit=unit, progress=progress)
    extensions = _extensions(annotations, ecgs.leads)
    if named and annotations is None:
        return ecgs, [ludb_annotations(record, leads=ecgs.leads) for record in ecgs.ids]
    if named:
        raise UsageError("--annotations goes with a folder; ludb has its own annotation files")
    headers = _headers(Path(source).expanduser())
    references: list[pd.DataFrame] = []
    missing: list[str] = []
    for record in ecgs.ids:
        path = headers[record].with_suffix("") if record in headers else None
        there = [e for e in extensions if path and Path(f"{path}.{e}").is_file()]
        if path and there:
            references.append(_at_rate(read_annotations(path, there), path, ecgs))
        else:
            missing.append(record)
    if not references:
        shown = " ".join(f".{extension}" for extension in extensions)
        raise DataError(
            f"{source}: none of its {len(ecgs)} records has an annotation file {shown}; "
            "--annotations names the extensions"
        )
    if missing:
        rows = [(record, "no_annotations", "no annotation file beside it") for record in missing]
        lost = pd.DataFrame(rows, columns=["record_id", "reason", "detail"])
        ecgs = ecgs.select(~ecgs.ids.isin(missing))
        ecgs = replace(ecgs, rejected=pd.concat([ecgs.rejected, lost], ignore_index=True))
    return ecgs, references


def _extensions(annotations: Sequence[str] | None, leads: Sequence[str]) -> list[str]:
    """Return the extensions to look for: of these leads, or the one for all leads."""
    if annotations is None:
        return [lead.lower() for lead in leads]
    names = [name.strip().lstrip(".") for name in annotations if name.strip(" .")]
    of_lead = [name for name in names if standard_lead(name)]
    if not names or (len(of_lead) < len(names) and len(names) > 1):
        raise UsageError(
            f"annotation files {', '.join(annotations) or 'without a name'}: expected lead names, "
            "as in i,ii,v1, or one name for all leads, as in q1c"
        )
    wanted = [name for name in of_lead if standard_lead(name) in leads]
    if of_lead and not wanted:
        raise UsageError(
            f"annotation files {', '.join(names)} are of none of the leads {' '.join(leads)}"
        )
    return wanted or names


def _headers(source: Path) -> dict[str, Path]:
    """Return the header of each record id that `read` may have given, by name and by path."""
    folder = source if source.is_dir() else source.parent
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*.hea"), key=lambda p: (len(p.parts), p)):
        found.setdefault(path.relative_to(folder).with_suffix("").as_posix(), path)
        found.setdefault(path.stem, path)
    return found


def _at_rate(reference: pd.DataFrame, path: Path, ecgs: EcgSet) -> pd.DataFrame:
    """Return marks at the rate of the set, without those behind its end, leads named."""
    import wfdb

    times = reference[_TIMES].to_numpy()
    scale = ecgs.fs / wfdb.rdheader(str(path)).fs
    times = np.where(times < 0, -1, np.rint(times * scale).astype(int))
    times[times >= ecgs.n_samples] = -1
    out = reference.assign(
        lead=[lead if standard_lead(lead) else ALL_LEADS for lead in reference["lead"]],
        **dict(zip(_TIMES, times.T, strict=True)),
    )
    return out[times[:, 1] >= 0].reset_index(drop=True)
