"""What is concluded from the classifiers on waveforms, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ecgeval.comparison.classifier.beats import Beats
from ecgeval.comparison.classifier.checks import CLASSIFIERS, CUTOFF, LEAK, LOOK, ROUND, SLUG, WAVE
from ecgeval.comparison.classifier.forms import Records
from ecgeval.comparison.classifier.near_duplicates import NEAR_DUPLICATE
from ecgeval.comparison.classifier.occlusion import STRETCH_S, WAVES
from ecgeval.comparison.classifier.rounding import Rounding
from ecgeval.comparison.declared import LEAK_P
from ecgeval.results import Finding, Verdict
from ecgeval.stats.two_sample import C2st, off_centre
from ecgeval.wording import between, p_text

__all__ = ["findings", "not_compared"]

SHOWN = 3
"""Waves, and leads, that are named."""

_RULE = "Descriptive, no gate"
_DESCRIPTIVE = "Descriptive: it decides nothing."


def findings(
    tests: Mapping[str, C2st | str],
    cutoffs: Mapping[float, C2st | str],
    beats: Beats | str,
    rounding: Rounding,
    records: Records,
    leads: Sequence[str],
) -> list[Finding]:
    """Return the findings, in the order of the report.

    `tests` are the classifiers by name, `cutoffs` the random convolutions by cut-off, Hz, rising to
    the whole band; text in place of a result says why there is none.
    """
    run = {name: test for name, test in tests.items() if isinstance(test, C2st)}
    return [
        _wave(tests, run, rounding, records),
        _cutoff(cutoffs),
        _look(beats, leads),
        *_round(rounding, records.common_step),
        *_leak(run, records),
    ]


def not_compared(why: str, estimate: str) -> list[Finding]:
    """Return the findings on sets that cannot be compared."""
    return [
        check.finding(
            Verdict.NOT_ASSESSABLE,
            f"Waveforms cannot be compared: {why}",
            section=SLUG,
            rule=_DESCRIPTIVE,
            estimates=(estimate,),
        )
        for check in (WAVE, CUTOFF, LOOK)
    ]


def _ids(names: Sequence[str], statistic: str = "c2st_auc") -> list[str]:
    return [f"{SLUG}.{name}.{statistic}" for name in names]


def _told_apart(test: C2st, tests: int) -> bool:
    """Return whether one of so many tests tells the sets apart."""
    return test.p < 0.05 / tests and test.ci[0] > test.floor[1]


def _auc_text(test: C2st) -> str:
    return (
        f"AUC {test.auc:.2f} (95 % CI {test.ci[0]:.2f} to {test.ci[1]:.2f}; real against real "
        f"{test.floor[0]:.2f} to {test.floor[1]:.2f})"
    )


def _wave(
    tests: Mapping[str, C2st | str], run: Mapping[str, C2st], rounding: Rounding, records: Records
) -> Finding:
    ids = _ids(list(tests))
    if not run:
        return WAVE.finding(
            Verdict.NOT_ASSESSABLE,
            f"No classifier was run on the waveforms: {next(iter(tests.values()))}",
            section=SLUG,
            rule=_DESCRIPTIVE,
            estimates=ids,
        )
    apart = {name: t for name, t in run.items() if _told_apart(t, len(run))}
    name, test = max((apart or run).items(), key=lambda item: item[1].auc)
    each = "; ".join(
        f"{CLASSIFIERS[k]} {t.auc:.2f} ({p_text(t.p, t.p_least)}; shuffled labels "
        f"{t.shuffled or 0:.2f})"
        for k, t in run.items()
    )
    text = f"AUC of each: {each}. "
    text += (
        "Whether that matters, this number does not say: the cut-off and the beats tell what "
        "is seen. Most generators are told apart from real ECGs by some classifier."
        if apart
        else "Not telling the sets apart is no proof of likeness: another classifier may."
    ) + off_centre(test.floor)
    if records.repeated:
        text += (
            f" {records.repeated:,} of {int(records.label.sum()):,} synthetic records repeat "
            f"another synthetic one (correlation above {NEAR_DUPLICATE:g}): the generator "
            "has collapsed onto few records, which a classifier tested on others cannot see."
        )
    if not rounding.apart:
        text += f" Rounding alone does not tell them apart (AUC {rounding.auc:.2f})."
    return WAVE.finding(
        Verdict.FAIL if apart else Verdict.INCONCLUSIVE,
        f"A classifier ({CLASSIFIERS[name]}) on the waveforms "
        + ("tells the sets apart: " if apart else "does not clearly tell the sets apart: ")
        + _auc_text(test),
        text,
        section=SLUG,
        rule=f"{_RULE}: told apart if p < 0.05 / {len(run)} classifiers and the 95 % CI lies "
        "above the real-against-real floor; never a PASS.",
        estimates=ids,
    )


def _cutoff(cutoffs: Mapping[float, C2st | str]) -> Finding:
    lower = list(cutoffs)[:-1]
    run = {hz: test for hz, test in cutoffs.items() if isinstance(test, C2st)}
    if any(hz in run for hz in lower):
        verdict, title, text = _lowest_cutoff(run)
    else:
        verdict, text = Verdict.NOT_ASSESSABLE, ""
        title = "At which frequencies the sets differ cannot be said: no classifier was run"
    return CUTOFF.finding(
        verdict,
        title,
        text,
        section=SLUG,
        rule=f"{_RULE}: the lowest cut-off from which on p < 0.05 / {len(run)} cut-offs and the "
        "95 % CI of the AUC lies above the real-against-real floor at every higher one.",
        estimates=_ids([f"cutoff_{hz:g}hz" for hz in lower]),
    )


def _lowest_cutoff(run: Mapping[float, C2st]) -> tuple[Verdict, str, str]:
    """Return verdict, title and text on the lowest cut-off from which on the sets differ."""
    bands = list(run)
    apart = [_told_apart(test, len(run)) for test in run.values()]
    first = len(bands)
    while first and apart[first - 1]:
        first -= 1
    verdict = Verdict.FAIL
    if not any(apart):
        verdict, title = Verdict.INCONCLUSIVE, "At no cut-off are the sets clearly told apart"
        text = "There is no artefact to place."
    elif first == len(bands):
        seen = ", ".join(f"{hz:g}" for hz, a in zip(bands, apart, strict=True) if a)
        title = f"The sets are told apart only when cut off at {seen} Hz"
        text = "What lies above hides the difference from this classifier."
    elif first == 0:
        title = f"Even below {bands[0]:g} Hz the sets are told apart"
        text = (
            "The shape of the waves, their amplitudes or the rhythm differ, not only the "
            "texture; the comparison of measures says which."
        )
    else:
        title = f"The sets are told apart for certain from a cut-off at {bands[first]:g} Hz on"
        text = f"What lies above {bands[first - 1]:g} Hz settles it" + (
            ". That is texture (noise, filtering, upsampling of the generator) and the sharpest "
            "parts of the QRS complex rather than the shape of P and T waves."
            if bands[first - 1] >= 15
            else ": slow waves alone do not."
        )
    values = ", ".join(
        f"{'all' if hz == bands[-1] else f'{hz:g} Hz'} {test.auc:.2f}" for hz, test in run.items()
    )
    return (
        verdict,
        f"{title} (AUC by cut-off: {values})",
        f"{text} Nothing above {bands[-1]:g} Hz is looked at.",
    )


def _look(beats: Beats | str, leads: Sequence[str]) -> Finding:
    verdict, text = Verdict.INCONCLUSIVE, ""
    ids: list[str] = _ids(["beats"])
    if isinstance(beats, str):
        verdict, ids = Verdict.NOT_ASSESSABLE, []
        title = f"Where a classifier looks cannot be said: {beats}"
    elif not _told_apart(beats.test, 1):
        title = (
            f"Representative beats are not clearly told apart ({_auc_text(beats.test)}): there is "
            "nowhere to look"
        )
    elif not (places := _clearest(beats)):
        title = f"Beats are told apart ({_auc_text(beats.test)}), but by no single wave of a lead"
    else:
        verdict, text = Verdict.FAIL, _where(beats, leads)
        falls = beats.falls
        words = [
            f"{leads[i]} {WAVES[k][1]} ({falls.wave[i, k] / falls.gap:.0%})" for i, k in places
        ]
        title = (
            f"What gives the fakes away lies most in {words[0]}"
            + (f", then {' and '.join(words[1:])}" if words[1:] else "")
            + f"; beats alone: {_auc_text(beats.test)}"
        )
        ids += _ids([f"{leads[i]}_{WAVES[k][0]}" for i, k in places], "occlusion_fall")
    return LOOK.finding(
        verdict,
        title,
        text,
        section=SLUG,
        rule=f"{_RULE}: shares of the difference in mean log-odds between held-out synthetic and "
        "real beats that are lost when a wave of a lead is replaced by the mean beat of both "
        "sets; named where the 95 % CI lies above the real-against-real floor.",
        estimates=ids,
    )


def _clearest(beats: Beats) -> list[tuple[int, int]]:
    """Return lead and wave of the greatest falls whose interval lies above the floor and 0."""
    falls = beats.falls
    clear = np.where(falls.ci[..., 0] > np.maximum(falls.floor[..., 1], 0), falls.wave, 0)
    order = np.argsort(-clear, axis=None, kind="stable")
    return [divmod(int(i), len(WAVES)) for i in order[:SHOWN] if clear.flat[i] > 0]


def _where(beats: Beats, leads: Sequence[str]) -> str:
    """Return which moment, which leads and which waves the classifier looks at most."""
    falls = beats.falls
    lead, at = divmod(int(falls.stretch.argmax()), falls.stretch.shape[1])
    moment = 1000 * (at - beats.zero) / beats.fs
    text = (
        f"The {1000 * STRETCH_S:.0f} ms that matter most lie in {leads[lead]} at "
        f"{moment:+.0f} ms from R. All waves of a lead together: "
        + _shares(leads, falls.wave.sum(axis=1) / falls.gap)
        + "; all leads of a wave: "
        + _shares([wave[1] for wave in WAVES], falls.wave.sum(axis=0) / falls.gap)
        + ". Shares may be negative where a part makes the fakes look more real, and "
        "neighbours that say the same share what they say."
    )
    if beats.without:
        text += f" {beats.without} records without a representative beat are left out."
    return text


def _shares(names: Sequence[str], shares: NDArray[np.floating]) -> str:
    order = np.argsort(-shares, kind="stable")[:SHOWN]
    return ", ".join(f"{names[i]} {shares[i]:.0%}" for i in order)


def _round(found: Rounding, common_step: float) -> Iterator[Finding]:
    """Yield a finding where rounding alone tells the sets apart."""
    if not found.apart:
        return
    steps = [f"{s:g} µV" if s else "no step" for s in (found.step_real, found.step_synth)]
    yield ROUND.finding(
        Verdict.INCONCLUSIVE,
        f"Rounding alone tells the sets apart: AUC {found.auc:.2f} (95 % CI "
        f"{between(found.ci)}; 0 and 1 separate alike); typical steps {steps[0]} real, "
        f"{steps[1]} synthetic",
        "A difference of the exports, not of the hearts. Both sets were "
        f"rounded to {common_step:g} µV before the classifiers saw them; a classifier of "
        "raw files would need no ECG at all.",
        section=SLUG,
        rule=f"{_RULE}: reported if the two-sided permutation p < 0.05 and the AUC of the "
        "rounding step lies outside the floor and at least 0.05 from 0.5.",
        estimates=_ids(["rounding"], "rounding_auc"),
    )


def _leak(run: Mapping[str, C2st], records: Records) -> Iterator[Finding]:
    """Yield the findings on copies: an AUC far below chance, and near-duplicates."""
    rule = (
        "FAIL if an AUC is below its real-against-real floor with a permutation p of an AUC "
        f"this low of at most {LEAK_P:g}, or if a synthetic record correlates above "
        f"{NEAR_DUPLICATE:g} with a real one. Decides nothing here: the audit does."
    )
    name, test = min(run.items(), key=lambda item: item[1].auc, default=("", None))
    if test and test.p_below <= LEAK_P and test.auc < test.floor[0]:
        yield LEAK.finding(
            Verdict.FAIL,
            f"A classifier ({CLASSIFIERS[name]}) does far worse than chance, AUC "
            f"{test.auc:.2f}: synthetic records are near-copies of real ones",
            "An AUC below 0.5 arises where a held-out record has its "
            "near-twin, with the other label, among the training records. Run "
            "`ecgeval audit`. Here "
            f"{p_text(test.p_below, test.p_least)} of an AUC this low.",
            section=SLUG,
            rule=rule,
            estimates=_ids([name]),
        )
    if records.copied:
        yield LEAK.finding(
            Verdict.FAIL,
            f"{records.copied:,} of {int(records.label.sum()):,} synthetic records are real "
            f"records over again (correlation above {NEAR_DUPLICATE:g})",
            "They are copies, or both sets hold the same files; each was kept "
            "on the side of its twin, so the classifiers could not be deceived by them. "
            "All other agreement of the sets says little. Run `ecgeval audit`.",
            section=SLUG,
            rule=rule,
        )
