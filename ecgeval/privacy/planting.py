"""Copies planted on purpose, as the detectors see them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ecgeval.ecgset import EcgSet, apply_leads, derive_leads, resample
from ecgeval.errors import UsageError
from ecgeval.privacy.copies.disguises import TRANSFORMS, plant
from ecgeval.privacy.copies.neighbours import Side
from ecgeval.privacy.copies.signals import (
    BEAT_FS_HZ,
    Signals,
    beat_signals,
    record_signals,
    single_beats,
)

__all__ = ["Delineated", "GivenBeats", "plant_copies", "rows_to_plant"]

Delineated = Callable[[EcgSet], np.ndarray]


@dataclass(frozen=True, eq=False)
class GivenBeats:
    """Representative beats that an audit was given, set by set.

    Parameters
    ----------
    beats : mapping of str to ndarray, shape (n, leads of the set, samples)
        mV.
    fs : float or None
        Hz; that of each set by default.
    sets : mapping of EcgSet
        As given to the audit.
    leads : tuple of str
        Leads to compare.

    Raises
    ------
    UsageError
        If there is not one beat a record of every set.
    """

    beats: Mapping[str, np.ndarray]
    fs: float | None
    sets: Mapping[str, EcgSet]
    leads: tuple[str, ...]

    def __post_init__(self) -> None:
        if missing := ", ".join(sorted(set(self.sets) - set(self.beats))):
            raise UsageError(f"no representative beats for {missing}; expected those of every set")
        for name, ecgs in self.sets.items():
            if len(self.beats[name]) != len(ecgs):
                raise UsageError(
                    f"{len(self.beats[name])} representative beats for the {len(ecgs)} records of "
                    f"{name}; expected one a record"
                )

    def signals(self, name: str) -> Signals:
        """Return the beats of a set as the detectors compare them."""
        ecgs = self.sets[name]
        return beat_signals(self.beats[name], self.fs or ecgs.fs, ecgs.leads, self.leads)

    def some(self, name: str, rows: np.ndarray) -> np.ndarray:
        """Return some of them in the leads and at the rate of comparison, mV."""
        ecgs = self.sets[name]
        matrix = derive_leads(ecgs.leads, self.leads)
        beats = apply_leads(matrix, np.asarray(self.beats[name][rows], np.float32))
        return resample(beats, self.fs or ecgs.fs, BEAT_FS_HZ)


def rows_to_plant(train: Side, most: int, rng: np.random.Generator) -> np.ndarray:
    """Return training records to plant, drawn from those that every detector can compare."""
    usable = np.flatnonzero(np.logical_and.reduce([s.usable for s in train.signals.values()]))
    return np.sort(rng.permutation(usable)[:most])


def plant_copies(
    train: Side,
    rows: np.ndarray,
    synth: Side,
    rng: np.random.Generator,
    *,
    seconds: float,
    single: bool,
    beats: GivenBeats | None,
    delineated: Delineated | None,
) -> dict[str, Signals]:
    """Return planted copies as the detectors see them, a block of rows a transform.

    What a disguise brings in comes from synthetic records: a generator fills up with its own.

    Parameters
    ----------
    train, synth : Side
    rows : ndarray of int
        Training records to plant.
    rng : numpy.random.Generator
    seconds : float
        Length to compare.
    single : bool
        Whether single beats are compared.
    beats : GivenBeats, optional
        Without, no representative beats are compared.
    delineated : callable, optional
        Finds the beats of planted records; without it their disguise is applied to the beats.
    """
    fs, leads = train.ecgs.fs, train.ecgs.leads
    fill = rng.integers(len(synth), size=len(rows))
    usable = np.flatnonzero(np.logical_and.reduce([s.usable for s in synth.signals.values()]))
    fill = usable[fill % len(usable)] if len(usable) else fill
    source, other = (
        np.asarray(side.ecgs.signals[at], np.float32) for side, at in ((train, rows), (synth, fill))
    )
    copies = [plant(source, fs, t, rng, fill=np.nan_to_num(other)) for t in TRANSFORMS]
    ids = [f"{t.id}-{row}" for t in TRANSFORMS for row in rows]
    ecgs = EcgSet(np.concatenate(copies), fs, leads, pd.DataFrame(index=ids))
    out = {"record": record_signals(ecgs, leads, seconds)}
    if single:
        out["single"] = single_beats(out["record"], every=False)
    if beats is None:
        return out
    if delineated is not None:  # in the leads that all sets were
        whole = ecgs.with_leads(beats.sets["synth"].leads)
        out["beat"] = beat_signals(delineated(whole), beats.fs or whole.fs, whole.leads, leads)
        return out
    own, others = beats.some("train", rows), np.nan_to_num(beats.some("synth", fill))
    disguised = [
        resample(plant(copy, fs, t, rng, beat=True), fs, BEAT_FS_HZ)[:, :, : own.shape[2]]
        if t.beat_of_record
        else plant(own, BEAT_FS_HZ, t, rng, fill=others, beat=True)
        for t, copy in zip(TRANSFORMS, copies, strict=True)
    ]
    out["beat"] = beat_signals(np.concatenate(disguised), BEAT_FS_HZ, leads, leads)
    return out
