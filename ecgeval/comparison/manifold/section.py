"""Fidelity and diversity of whole records, as clouds of points beside a floor of the same size."""

from __future__ import annotations

from collections.abc import Mapping

from ecgeval.comparison.manifold.checks import SLUG, STATISTICS
from ecgeval.comparison.manifold.draws import BOUNDS, Space, score_space
from ecgeval.comparison.manifold.findings import findings
from ecgeval.comparison.manifold.spaces import measure_space, waveform_space
from ecgeval.comparison.manifold.tables import figures, tables
from ecgeval.comparison.pair import Pair
from ecgeval.results import Estimate, Results, Section
from ecgeval.stats.arrays import Floats

__all__ = ["compare", "compare_in_spaces"]


def compare(pair: Pair) -> Results:
    """Compare whole records as points of the space of measures and, where known, that of beats.

    Parameters
    ----------
    pair : Pair
        Of it: `Side.measures`, `Side.beats`.

    Returns
    -------
    Results
        As of `compare_in_spaces`.
    """
    real, synth = pair.real, pair.synth
    columns = pair.columns
    spaces = {"measures": measure_space(real.measures[columns], synth.measures[columns])}
    if real.beats is not None and synth.beats is not None:
        spaces["beats"] = waveform_space(real.beats, synth.beats)
    return compare_in_spaces(pair, spaces)


def compare_in_spaces(pair: Pair, spaces: Mapping[str, tuple[Floats, Floats]]) -> Results:
    """Compare whole records as points: distance, fidelity, diversity, and nearness to copies.

    n a side is half the patients of the smaller set, at most 1000 (500 in a quick run). A score is
    the mean over the draws; what it estimates is the score expected at this n. Its interval comes
    from how scores of disjoint parts vary together; the floor is mean ± t SD √(1 + 1 / draws) of
    real against real: where one more such score would lie. Of a share neither is narrower than the
    limit of Clopper and Pearson for none in all patients.

    Parameters
    ----------
    pair : Pair
    spaces : mapping of str to (ndarray, ndarray)
        By name, the records of either set as points, shapes (n, d) and (m, d). A row with NaN has
        no place in the space: it is counted and left out.

    Returns
    -------
    Results
        One section, which decides nothing. Estimates ``manifold.{space}.{score}``; findings
        MANI-FRECHET, MANI-PR, MANI-COVERAGE, MANI-ALPHA, MANI-AUTHENTICITY, and where they apply
        MANI-REPEATS and MANI-SPACES. Too little data gives NOT_ASSESSABLE, not an error.
    """
    found = [score_space(name, points, pair) for name, points in spaces.items()]
    head = Section(
        SLUG,
        "Manifold: are whole records alike, and is every kind there?",
        " ".join(space.summary for space in found),
        gate=False,
    )
    return Results(
        sections=(head,),
        estimates=tuple(_estimate(space, name, pair.seed) for space in found for name in BOUNDS),
        findings=tuple(findings(found)),
        tables=tuple(tables(found)),
        figures=tuple(figures(found)),
    )


def _estimate(space: Space, name: str, seed: int) -> Estimate:
    about, score = STATISTICS[name], space.scores.get(name)
    method = f"not computed: {space.reason}"
    if score is not None:
        method = (
            f"mean of {space.draws} draws of {space.n} patients a side, one record of each "
            f"(SD of one {score.sd:.2g}); CI jackknife of patients by disjoint parts; "
            f"floor one score of real against real, mean {score.floor_mean:.3g}"
        )
        if name.startswith("frechet"):
            method += f"; on the {space.axes} leading principal axes of both sets"
        if about.null is None:
            closed = name in ("coverage", "clipped_coverage")
            method += "; null " + ("in closed form" if closed else "the mean of the floor")
    return Estimate(
        f"{SLUG}.{space.name}.{name}",
        score.value if score else None,
        score.ci if score else None,
        floor=score.floor if score else None,
        n_real=len(space.real.points),
        n_synth=len(space.synth.points),
        unit=about.unit or "",
        better=about.better,
        method=method,
        seed=seed,
        label=f"{about.title} ({space.name})",
        null=score.null if score else about.null,
        patients_real=space.real.n_patients,
        patients_synth=space.synth.n_patients,
    )
