"""The demonstration of a leak: an audit of a set into which training records were copied."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ecgeval.ecgset import EcgSet
from ecgeval.results import Results

__all__ = ["as_demonstration", "plant_copies"]


def plant_copies(train: EcgSet, synth: EcgSet, copies: int, rng: np.random.Generator) -> EcgSet:
    """Return `synth` with its first records replaced by disguised copies of training records.

    Copies are scaled by 0.7 to 1.3 and get 20 µV of white noise.
    """
    leads = tuple(lead for lead in synth.leads if lead in train.leads)
    synth, train = synth.with_leads(leads), train.with_leads(leads).resample(synth.fs)
    rows = rng.choice(len(train), size=min(copies, len(train), len(synth)), replace=False)
    signals = np.array(synth.signals[:], dtype=np.float32)
    for slot, row in enumerate(rows):
        copy = np.asarray(train.signals[int(row)])[:, : synth.n_samples]
        copy = rng.uniform(0.7, 1.3) * copy + rng.normal(0, 0.02, copy.shape)
        signals[slot, :, : copy.shape[-1]] = copy
    return replace(synth, signals=signals)


def as_demonstration(audited: Results, copies: int) -> Results:
    """Return the audit of a set with planted copies as a section that does not count."""
    summary = (
        f"A demonstration: the same audit after {copies} disguised copies of training records "
        "were put among the synthetic ones. It must fail. "
    )
    sections = tuple(
        replace(s, title="What a leak looks like", summary=summary + s.summary, gate=False)
        for s in audited.sections
    )
    return replace(audited, sections=sections)
