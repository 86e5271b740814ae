"""One group of a label, its declared measures compared like against like."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ecgeval.comparison.pair import Pair
from ecgeval.comparison.rows import Row, compare_rows
from ecgeval.comparison.subgroups.checks import SLUG, STATISTICS
from ecgeval.results import Estimate
from ecgeval.stats.sample import Sample

__all__ = ["Group", "Masks", "compare_groups", "group_estimates", "id_part"]

Masks = Mapping[str, tuple[NDArray[np.bool_], NDArray[np.bool_] | None]]
"""By group, which records of the real and of the synthetic set are in it (`groups_of`)."""


@dataclass(frozen=True)
class Group:
    """One group: `id` is its part of the ids of estimates, ``sex.f``; one row a measure."""

    name: str
    id: str
    rows: list[Row]


def compare_groups(
    pair: Pair, label: str, masks: Masks, columns: Sequence[str], samples: tuple[Sample, Sample]
) -> list[Group]:
    """Compare the declared measures `columns` of `samples` within each group."""
    groups = []
    for name, both in masks.items():
        id = f"{id_part(label)}.{id_part(name)}"
        real, synth = (_part(sample, mask) for sample, mask in zip(samples, both, strict=True))
        rows = compare_rows(
            (real, synth),
            columns,
            pair.margins,
            seed=pair.seed,
            name=f"{SLUG}.{id}",
            effort=pair.effort,
            jobs=pair.jobs,
            progress=pair.progress,
        )
        named = [
            replace(row, info=replace(row.info, label=f"{row.info.label} ({label} {name})"))
            for row in rows
        ]
        groups.append(Group(name, id, named))
    return groups


def _part(sample: Sample, mask: NDArray[np.bool_] | None) -> Sample:
    if mask is None:
        return sample
    code = np.unique(sample.patient[mask], return_inverse=True)[1]
    return Sample(sample.values[mask], code.reshape(-1))


def id_part(text: str) -> str:
    """Return a label or a group as part of an id; two of them never share one."""
    text = text.replace("<", "below ").replace("≥", "from ")
    plain = re.sub(r"[^0-9a-zA-Z]+", "_", text).strip("_").lower()
    # What other characters said must not be lost.
    same = re.sub(r"[\s_]+", "_", text).strip("_").lower() == plain
    return plain if same else f"{plain or 'group'}_{zlib.crc32(text.encode()):08x}"


def group_estimates(
    groups: Sequence[Group], adjusted: Mapping[tuple[str, str], float], seed: int
) -> list[Estimate]:
    """Return the estimates of all groups; `adjusted` p-values by group and column."""
    return [
        _estimate(group, row, name, adjusted.get((group.name, row.column)), seed)
        for group in groups
        for row in group.rows
        for name in (
            ("circ_mean_diff", "watson_u2")
            if row.info.circular
            else ("median_diff", "ks", "log_sd_ratio")
        )
    ]


def _estimate(group: Group, row: Row, name: str, adjusted: float | None, seed: int) -> Estimate:
    stat, about = row.result.stats.get(name), STATISTICS[name]
    if stat is not None and not np.isfinite([stat.value, *stat.ci, *stat.floor]).all():
        stat = None
    tested = name in ("ks", "watson_u2")
    return Estimate(
        f"{SLUG}.{group.id}.{row.column}.{name}",
        float(stat.value) if stat else None,
        ci=stat.ci if stat else None,
        floor=stat.floor if stat else None,
        p=row.result.p if tested else None,
        p_adjusted=adjusted if tested else None,
        n_real=len(row.real),
        n_synth=len(row.synth),
        patients_real=row.result.patients[0],
        patients_synth=row.result.patients[1],
        unit=row.info.unit if about.unit is None else about.unit,
        better=about.better,
        null=about.null,
        method="as in the fidelity section, within the group"
        if stat
        else f"not computed: {row.result.too_few or 'a set has standard deviation 0'}",
        seed=seed,
        label=f"{row.info.label}: {about.title}",
    )
