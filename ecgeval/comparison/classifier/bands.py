"""Random convolutions of the records in frequency bands."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from ecgeval.comparison.classifier.forms import BLOCK, Records, low_pass
from ecgeval.comparison.classifier.minirocket import DILATIONS, Kernels, draw_kernels, minirocket
from ecgeval.parallel import map_shards, shards
from ecgeval.stats.arrays import Floats

__all__ = ["band_features"]

FINE_DILATIONS = (1, 2, 4)


def band_features(
    records: Records, cutoffs: Sequence[float], kernels: int, rng: np.random.Generator, jobs: int
) -> list[tuple[float, Floats]]:
    """Return the upper end of each band, Hz, and the features of all records in it, (n, features).

    Bands end at the `cutoffs` of low-pass filters (Hz, rising) that lie below the records' own; the
    whole band follows, and last, where there is one, that of the fine form, with the features of
    both. `kernels` are convolutions of a sum of leads.
    """
    work = [(records.low, records.fs, hz) for hz in cutoffs if 2 * hz < records.fs]
    work.append((records.low, records.fs, records.fs / 2))
    if records.fine is not None:
        work.append((records.fine, records.fine_fs, records.fine_fs / 2))
    n = len(records.label)
    rows = np.sort(rng.choice(n, min(n, 32), replace=False))
    drawn = [
        draw_kernels(
            low_pass(form[rows], fs, hz),
            kernels,
            rng,
            DILATIONS if form is records.low else FINE_DILATIONS,
        )
        for form, fs, hz in work
    ]
    parts = shards(n, BLOCK)
    items = [(band, part) for band in range(len(work)) for part in parts]
    done = map_shards(partial(_block_features, work, drawn), items, jobs=jobs)
    features = [np.concatenate(done[i : i + len(parts)]) for i in range(0, len(done), len(parts))]
    if records.fine is not None:
        features[-1] = np.hstack(features[-2:])
    return [(hz, x) for (_, _, hz), x in zip(work, features, strict=True)]


def _block_features(
    work: list[tuple[Floats, float, float]], kernels: list[Kernels], item: tuple[int, slice]
) -> Floats:
    band, rows = item
    form, fs, hz = work[band]
    return minirocket(low_pass(form[rows], fs, hz), kernels[band])
