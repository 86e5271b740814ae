"""What decides the numbers of a run, and what does not."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib import metadata
from typing import Any

from ecgeval.ecgset import EcgSet
from ecgeval.references import Reference


def _describe(ecgs: EcgSet | Reference, withhold: bool) -> dict[str, Any]:
    reasons: Mapping[Any, Any] = ecgs.rejected["reason"].value_counts().sort_index().to_dict()
    sources = ecgs.records["source"].unique()
    return {
        "source": str(sources[0]) if len(sources) == 1 else f"{len(sources)} sources",
        "n": len(ecgs),
        "patients": int(ecgs.records["patient_id"].nunique()) if ecgs.has_patients else None,
        "leads": list(ecgs.leads),
        "fs": ecgs.fs,
        "seconds": ecgs.seconds,
        "rejected": {str(reason): int(n) for reason, n in reasons.items()},
        # A reader's note may name records and their amplitudes: not for an audit's report.
        "notes": [f"{len(ecgs.notes)} note{'s' * (len(ecgs.notes) != 1)} of the reader withheld"]
        if withhold and ecgs.notes
        else list(ecgs.notes),
        "fingerprint": ecgs.fingerprint(),
        **(
            {key: ecgs.about[key] for key in ("title", "licence", "citation", "changes")}
            if isinstance(ecgs, Reference)
            else {}
        ),
    }


def _versions() -> dict[str, str]:
    names = ("numpy", "scipy", "pandas", "neurokit2", "scikit-learn", "torch")
    return {"python": platform.python_version(), **{n: metadata.version(n) for n in names}}
