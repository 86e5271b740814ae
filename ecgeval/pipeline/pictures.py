"""Pictures of the records that are compared: ECG paper and representative beats."""

from __future__ import annotations

from typing import Any

import numpy as np

from ecgeval.comparison.pair import Pair
from ecgeval.ecgset import EcgSet, resample
from ecgeval.parallel import child_rng
from ecgeval.pipeline.features import BEAT_FS
from ecgeval.results import Figure

__all__ = ["beats_figure", "drawn_record", "paper_figure"]

_RECORDS = 3  # records of each set shown on ECG paper
_LEVEL_S = (0.12, 0.06)  # before R, where the level of a beat is taken


def drawn_record(ecgs: EcgSet, row: int, name: str) -> dict[str, Any]:
    """Return one record of the set `name` as a figure holds it: whole µV, at most 250 Hz."""
    block = np.asarray(ecgs.signals[row])
    if ecgs.fs > BEAT_FS:
        block = resample(block, ecgs.fs, BEAT_FS)
    block = block - np.median(block, axis=-1, keepdims=True)
    uv = np.rint(block * 1000).astype(int)
    return {
        "id": str(ecgs.ids[row]),
        "set": name,
        "uv": {lead: uv[k].tolist() for k, lead in enumerate(ecgs.leads)},
    }


def paper_figure(pair: Pair) -> Figure:
    """Return usable records of both sets, drawn at random, for ECG paper."""
    assert pair.synth.ecgs is not None
    records = []
    for name, side in (("real", pair.real), ("synth", pair.synth)):
        if side.ecgs is None:
            continue
        rng = child_rng(pair.seed, "pictures", name)
        usable = np.flatnonzero(side.found["outcome"].iloc[: len(side.ecgs)] == "")
        rows = np.sort(rng.permutation(usable)[:_RECORDS])
        records += [drawn_record(side.ecgs, int(row), name) for row in rows]
    synth = pair.synth.ecgs
    return Figure(
        "fidelity.paper",
        "ecg_paper",
        "On ECG paper",
        {"fs": min(synth.fs, BEAT_FS), "leads": list(synth.leads), "records": records},
        "Records drawn at random, 25 mm/s and 10 mm/mV.",
        "fidelity",
    )


def beats_figure(pair: Pair) -> Figure:
    """Return the median and the 90 % band of the representative beats of both sets."""
    assert pair.synth.ecgs is not None
    fs, zero, leads = pair.beats_fs, pair.beats_zero, pair.synth.ecgs.leads
    first, last = (zero - round(before * fs) for before in _LEVEL_S)
    shown = []
    for name, beats in (("real", pair.real.beats), ("synthetic", pair.synth.beats)):
        if beats is None:
            continue
        known = beats[np.isfinite(beats).all(axis=(1, 2))]
        if not len(known):
            continue
        known = known - np.median(known[:, :, first:last], axis=-1, keepdims=True)
        bands = np.quantile(known, [0.05, 0.5, 0.95], axis=0).round(4)
        low, median, high = (dict(zip(leads, b.tolist(), strict=True)) for b in bands)
        shown.append({"name": name, "n": len(known), "low": low, "median": median, "high": high})
    return Figure(
        "fidelity.beats",
        "beats",
        "Representative beats",
        {"fs": fs, "zero": zero, "leads": list(leads), "sets": shown},
        "Median over records of each record's representative beat; the band holds 90 % of "
        "records at each moment.",
        "fidelity",
    )
