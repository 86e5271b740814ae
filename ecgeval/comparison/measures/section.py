"""Fidelity of a synthetic set, measure by measure."""

from __future__ import annotations

from ecgeval.comparison.measures import findings
from ecgeval.comparison.measures.checks import EQUIV, SLUG
from ecgeval.comparison.measures.estimates import adjusted_p, classifier_estimates, estimates
from ecgeval.comparison.measures.tables import figures, power_table, tables
from ecgeval.comparison.pair import Pair
from ecgeval.comparison.planning import planned_power
from ecgeval.comparison.rows import compare_rows
from ecgeval.measures import measure_info
from ecgeval.parallel import one_thread
from ecgeval.results import Finding, Results, Section, Verdict
from ecgeval.stats.classifiers import FITS
from ecgeval.stats.multiplicity import benjamini_hochberg, benjamini_yekutieli
from ecgeval.stats.two_sample import C2st, classifier_test

__all__ = ["compare"]


def compare(pair: Pair) -> Results:
    """Compare two tables of measures: what differs, by how much, and whether that is small enough.

    A missing value is an outcome of its own, compared as such.

    Parameters
    ----------
    pair : Pair
        Of it: `Side.measures`.

    Returns
    -------
    Results
        One section. Estimates ``fidelity.{column}.{statistic}``, each with its interval, floor and
        sizes. Findings: FID-EQUIV (medians), FID-SPREAD (standard deviations), FID-SHAPE (other
        quantiles, Wasserstein distance), FID-MISSING, and where they apply FID-EMPTY, FID-COPIES
        and FID-C2ST-LEAK decide; FID-KS and FID-C2ST describe. Too little data gives
        NOT_ASSESSABLE, not an error.

    Raises
    ------
    UsageError
        If no column is a measure of both tables, or one is not numeric.
    """
    samples, margins = pair.samples, pair.margins
    head = Section(
        SLUG, "Fidelity: do the synthetic ECGs measure like the real ones?", _summary(pair)
    )
    if not all(len(sample.patient) for sample in samples):
        return Results(sections=(head,), findings=(_nothing(pair),))
    rows = compare_rows(
        samples,
        pair.columns,
        margins,
        seed=pair.seed,
        name=SLUG,
        effort=pair.effort,
        shift=True,
        jobs=pair.jobs,
        progress=pair.progress,
    )
    tests = _classifier_tests(pair)
    adjusted = adjusted_p(rows, benjamini_hochberg)
    any_dependence = adjusted_p(rows, benjamini_yekutieli)
    plan = planned_power(
        pair.real.measures, len(pair.synth.ids), margins, patients_real=pair.real.ids
    )
    return Results(
        sections=(head,),
        estimates=(
            *(e for row in rows for e in estimates(row, adjusted.get(row.column), pair)),
            *(e for kind, test in tests.items() for e in classifier_estimates(kind, test, pair)),
        ),
        findings=(
            *findings.equivalence(rows, margins),
            findings.missing(rows, margins),
            *findings.empty(rows, pair.absent, margins),
            *findings.copies(samples),
            *findings.classifier(tests, rows),
            findings.differences(rows, adjusted, any_dependence, quick=pair.quick),
        ),
        tables=(
            *tables(rows, adjusted, any_dependence, tests, margins),
            power_table(plan, margins),
        ),
        figures=tuple(figures(rows, tests)),
    )


def _classifier_tests(pair: Pair) -> dict[str, C2st | str]:
    """Return the two-sample test of each classifier, or why it was not run."""
    import sklearn.ensemble  # noqa: F401  (its threads can be limited only once it is loaded)

    circular = [measure_info(column).circular for column in pair.columns]
    tests = {}
    for i, (kind, fit) in enumerate(FITS.items()):
        if pair.quick and kind == "boosting":
            continue
        pair.progress("classifier two-sample test", i, len(FITS))
        with one_thread():
            tests[kind] = classifier_test(
                *pair.samples,
                circular,
                fit,
                seed=pair.seed,
                name=f"{SLUG}.c2st.{kind}",
                permutations=pair.effort.permutations,
                jobs=pair.jobs,
                halves=20 if pair.quick or kind == "boosting" else 40,
            )
    return tests


def _summary(pair: Pair) -> str:
    real, synth = pair.samples
    text = (
        f"{len(real.patient):,} real records of {real.n_patients:,} patients against "
        f"{len(synth.patient):,} synthetic records, {len(pair.columns)} measures."
    )
    return f"{text} Quick run: fewer resamples, no boosted classifier." if pair.quick else text


def _nothing(pair: Pair) -> Finding:
    which = "synthetic" if len(pair.real.ids) else "real"
    return EQUIV.finding(
        Verdict.NOT_ASSESSABLE,
        f"There is nothing to compare: the {which} set is empty",
        section=SLUG,
        rule="Needs records in both sets.",
    )
