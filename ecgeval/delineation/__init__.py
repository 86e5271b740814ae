"""P-QRS-T delineation: every method behind one function, with one fixed-shape answer."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from ecgeval.delineation.base import MARKS, Delineation, Status, empty, merge
from ecgeval.ecgset import EcgSet, Microvolts
from ecgeval.errors import UsageError
from ecgeval.parallel import Progress, map_shards, quiet, shards

__all__ = ["DEFAULT_METHOD", "MARKS", "METHODS", "Delineation", "Status", "delineate"]

METHODS = (
    "ecgeval",
    "neurokit",
    "neurokit:prominence",
    "neurokit:dwt",
    "neurokit:cwt",
    "neurokit:peak",
)
"""Names accepted as ``method``: the project's own engine, and NeuroKit2's algorithms as a
reference; ``neurokit`` is ``neurokit:prominence``."""

DEFAULT_METHOD = "ecgeval"

_CHUNK = 32  # records a call: small enough for the caches and for progress, whatever the jobs


def delineate(
    ecgs: EcgSet, *, method: str = DEFAULT_METHOD, jobs: int = 1, progress: Progress = quiet
) -> Delineation:
    """Find the P, QRS and T waves of every record.

    Parameters
    ----------
    ecgs : EcgSet
    method : str
        One of `METHODS`.
    jobs : int
        Worker processes; the marks are the same for any number.
    progress : callable
        Called as ``progress("delineate", done, total)``.

    Returns
    -------
    Delineation
        One entry a record, in order. A record that cannot be delineated has a `Status` code and
        no marks; no exception is raised for it.

    Raises
    ------
    UsageError
        If the method is unknown.
    """
    kernel = _kernel(method)
    parts = shards(len(ecgs), _CHUNK)
    if not parts:
        return empty(0, ecgs.leads, 0, ecgs.fs, method)
    return merge(
        map_shards(
            partial(_block, kernel=kernel, fs=ecgs.fs, leads=ecgs.leads),
            ecgs.pieces(_CHUNK),
            jobs=jobs,
            stage="delineate",
            progress=progress,
            weights=[rows.stop - rows.start for rows in parts],
        )
    )


def _block(
    piece: np.ndarray | Microvolts,
    *,
    kernel: Callable[..., Delineation],
    fs: float,
    leads: tuple[str, ...],
) -> Delineation:
    return kernel(np.asarray(piece[:]), fs, leads)


def _kernel(method: str) -> Callable[..., Delineation]:
    """Return the function of a method: (signals, fs, leads) -> Delineation."""
    if method not in METHODS:
        raise UsageError(f"unknown delineation method {method!r}; expected {', '.join(METHODS)}")
    if method == "ecgeval":
        from ecgeval.delineation import engine

        return engine.delineate
    from ecgeval.delineation import neurokit

    return partial(neurokit.delineate, algorithm=method.partition(":")[2] or "prominence")
