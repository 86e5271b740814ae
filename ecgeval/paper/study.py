"""The evaluation from end to end: find the sets, measure them once, make every product."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from pathlib import Path

from ecgeval import __version__
from ecgeval import generators as networks
from ecgeval.comparison.margins import load_margins
from ecgeval.delineation import DEFAULT_METHOD
from ecgeval.ecgset import EcgSet
from ecgeval.errors import DataError, UsageError
from ecgeval.paper.arms import GENERATED, Arm, Arms, find_generators, find_real
from ecgeval.paper.article import read_article
from ecgeval.paper.checks import SETS
from ecgeval.paper.measures import COLUMNS, measures
from ecgeval.paper.normal import normal
from ecgeval.paper.privacy import privacy
from ecgeval.paper.published import published as published_set
from ecgeval.paper.qt_rr import qt_rr
from ecgeval.paper.setting import STUDY, Setting
from ecgeval.paper.strips import strips
from ecgeval.parallel import Progress
from ecgeval.parallel import quiet as silent
from ecgeval.references import Reference, engine_hash
from ecgeval.results import Results, Section, Verdict

__all__ = ["QUICK_N", "RECORDS", "paper"]

RECORDS = 1000
"""Records of each generator, and of the published set, unless told otherwise."""
QUICK_N = 200
"""The same with `quick`."""


def paper(
    real: Sequence[str | EcgSet] | None = None,
    generators: Sequence[str | EcgSet] = GENERATED,
    *,
    n: int | None = None,
    seed: int = 0,
    quick: bool = False,
    published: bool = True,
    article: str | Path | None = None,
    margins: str = "lenient",
    method: str = DEFAULT_METHOD,
    assume_independent: bool = False,
    jobs: int = 1,
    cache: Path | None = None,
    device: str = "cpu",
    progress: Progress = silent,
) -> Results:
    """Evaluate the generators of Thambawita et al. 2021 as the study did, with intervals.

    Parameters
    ----------
    real : sequence of SET or EcgSet, optional
        Real sets, or reference cohorts (``reference:ptbxl-norm``). By default PTB-XL NORM and LUDB
        where they can be had, else their cohorts.
    generators : sequence of str or EcgSet
        Names, checkpoint files, or sets of generated ECGs. A name without weights is left out.
    n : int, optional
        Records of each generator and of the published set; 1000, or 200 with `quick`.
    seed : int
    quick : bool
        Fewer records and resamples.
    published : bool
        Whether to regenerate the published set too.
    article : path, optional
        Figures of the article that a reader has filled in (`ecgeval.paper.template`).
    margins : str
        ``lenient``, ``strict`` or a file.
    method, assume_independent, jobs, cache, device, progress
        As in `ecgeval.compare`.

    Returns
    -------
    Results
        Sections ``sets strips measures qt_rr normal published privacy``, none of which gates.

    Raises
    ------
    UsageError
        If an option or a slot of `article` is wrong, or a set has no patient ids.
    DataError
        If a named set cannot be read, or there is no generator at all.
    """
    size = n or (QUICK_N if quick else RECORDS)
    if size < 20:
        raise UsageError(f"-n is {size}; a comparison needs at least 20 records")
    filled = read_article(None if article is None else Path(article), COLUMNS)
    of = load_margins(margins) if margins in ("lenient", "strict") else load_margins(path=margins)
    people, missing = find_real(real, progress=progress)
    fresh, left_out = find_generators(generators, size, seed=seed, device=device, progress=progress)
    if not fresh:
        raise DataError("no generator could be used: " + " ".join(left_out))
    arms = Arms(people, fresh, method, jobs, cache, assume_independent, progress)
    _same_method(people, method)
    for arm in people:  # what a real set lacks is said before anything is measured
        arms.patients(arm)
    setting = Setting(arms, of, seed, quick, filled)
    out = _sets(people, fresh, missing, left_out)
    for product in (strips, measures, qt_rr, normal):
        out += product(setting)
    if published:
        again = networks.published(range(size), device=device, progress=progress)
        out += published_set(setting, again)
    out += privacy(setting)
    return out.with_manifest(
        {
            "title": "The evaluation of Thambawita et al. 2021",
            "study": STUDY,
            "ecgeval": __version__,
            "seed": seed,
            "n": size,
            "quick": quick,
            "method": method,
            "margins": of.level,
            "article": filled,
            "sets": {
                arm.key: {
                    "title": arm.title,
                    "source": arm.source,
                    "n": len(arm.ecgs),
                    "leads": list(arm.ecgs.leads),
                    "notes": list(arm.ecgs.notes),
                    "rejected": len(arm.ecgs.rejected),
                    "fingerprint": arm.ecgs.fingerprint(),
                }
                for arm in (*people, *fresh)
            },
            "engine_sha256": engine_hash(),
            "versions": {p: importlib.metadata.version(p) for p in ("numpy", "scipy", "torch")},
        }
    )


def _same_method(people: Sequence[Arm], method: str) -> None:
    for arm in people:
        if isinstance(arm.ecgs, Reference) and arm.ecgs.about["engine"]["method"] != method:
            raise UsageError(
                f"{arm.title} was measured by the method {arm.ecgs.about['engine']['method']!r}; "
                f"a comparison with it takes no other (--method is {method!r})"
            )


def _sets(
    people: Sequence[Arm], fresh: Sequence[Arm], missing: Sequence[str], left_out: Sequence[str]
) -> Results:
    """Return what was compared, and a finding for each set that is not there."""
    listed = "; ".join(f"{arm.source} (n {len(arm.ecgs):,})" for arm in (*people, *fresh))
    gone = (*missing, *left_out)
    verdict = Verdict.NOT_ASSESSABLE if gone else Verdict.PASS
    found = [
        SETS.finding(
            verdict,
            line,
            section="sets",
            rule="Every generator and every real set that was wanted is there.",
        )
        for line in gone or ("All sets of the evaluation are there",)
    ]
    text = (
        f"{STUDY}, repeated on {listed}. The article's own real ECGs are not public; what "
        "it printed of them can be filled in (article.toml). Nothing here gates: the evaluation "
        "describes two generators against the real sets that were named."
    )
    return Results(
        sections=(Section("sets", "The study and the sets", text, gate=False),),
        findings=tuple(found),
    )
