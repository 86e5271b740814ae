"""What decides the numbers of a run, and what does not."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from importlib import metadata
from typing import Any

import ecgeval
from ecgeval.ecgset import EcgSet
from ecgeval.pipeline.config import RunConfig
from ecgeval.pipeline.features import code_hash
from ecgeval.references import Reference

__all__ = ["environment", "manifest"]


def manifest(
    config: RunConfig,
    given: Mapping[str, EcgSet | Reference | None],
    critic_sha256: str | None = None,
) -> dict[str, Any]:
    """Return what decides the numbers: settings, versions, seed, and what went in.

    Parameters
    ----------
    config : RunConfig
    given : mapping of str to EcgSet, Reference or None
        The sets by name. Where ``train`` is one of them and traces are not to be shown, readers'
        notes are withheld.
    critic_sha256 : str, optional
        Of the file whose critic was asked.
    """
    withhold = "train" in given and not config.show_traces
    return {
        "ecgeval": ecgeval.__version__,
        "config": config.model_dump(mode="json"),
        "config_sha256": config.digest(),
        "seed": config.seed,
        "versions": _versions(),
        "sets": {
            name: _describe(s, withhold and name != "synth")
            for name, s in given.items()
            if s is not None
        },
        "delineation": {"method": config.method, "code_sha256": code_hash()},
        **({"critic_sha256": critic_sha256} if critic_sha256 else {}),
        **{k: v for k in ("title", "notice") if (v := getattr(config.report, k))},
    }


def environment(jobs: int, seconds: Mapping[str, float]) -> dict[str, Any]:
    """Return what does not decide the numbers: host, wall time a stage, peak memory."""
    import resource  # not on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "jobs": jobs,
        "seconds": {name: round(s, 2) for name, s in seconds.items()},
        "peak_memory_mb": round(peak / 1024, 1),
        "peak_memory_worker_mb": round(children / 1024, 1),
    }


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
