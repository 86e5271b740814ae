"""What is concluded from the scores of whole records, in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ecgeval.checks import Check
from ecgeval.comparison.manifold.checks import (
    ALPHA,
    AUTHENTICITY,
    COVERAGE,
    FRECHET,
    PR,
    REPEATS,
    SLUG,
    SPACES,
    STATISTICS,
)
from ecgeval.comparison.manifold.draws import CROWDED, REPEATED, Space
from ecgeval.results import Finding, Verdict
from ecgeval.wording import between, quantity

__all__ = ["findings"]

FAMILIES = (
    (PR, ("improved_precision", "improved_recall")),
    (COVERAGE, ("density", "coverage", "clipped_density", "clipped_coverage")),
    (ALPHA, ("alpha_precision", "beta_recall")),
)
"""The checks on fidelity and diversity, and the scores of each; the first two are in its title."""

_FIDELITY = {"improved_precision", "density", "clipped_density"}
_IN_EVERY_SPACE = ("frechet_limit", "improved_precision", "improved_recall", "density", "coverage")


def findings(spaces: Sequence[Space]) -> list[Finding]:
    """Return the findings on all spaces, in the order of the report."""
    return [
        _frechet(spaces),
        *(_family(check, names, spaces) for check, names in FAMILIES),
        _authenticity(spaces),
        *_repeats(spaces),
        *_disagreement(spaces),
    ]


def _scored(spaces: Sequence[Space]) -> list[Space]:
    return [space for space in spaces if space.scores]


def _ids(spaces: Iterable[Space], names: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"{SLUG}.{space.name}.{name}" for space in spaces for name in names)


def _too_few(check: Check, spaces: Sequence[Space], rule: str) -> Finding:
    return check.finding(
        Verdict.NOT_ASSESSABLE,
        f"Too few records: {spaces[0].reason}",
        " ".join(space.summary for space in spaces),
        rule=rule,
        section=SLUG,
    )


def _in_words(space: Space, names: Sequence[str]) -> str:
    """Return these scores with their intervals and floors."""
    return ", ".join(
        f"{STATISTICS[name].title} {quantity(score.value)} (95 % CI {between(score.ci)}; real "
        f"against real {between(score.floor)})"
        for name, score in ((name, space.scores[name]) for name in names)
    )


def _elsewhere(spaces: Sequence[Space], shown: Space, names: Sequence[str]) -> str:
    """Return what the other spaces say, in a sentence each."""
    parts = [
        f"In {space.name}: {_in_words(space, names)}."
        for space in _scored(spaces)
        if space is not shown
    ]
    return " ".join(parts + [space.summary for space in spaces if not space.scores])


def _frechet(spaces: Sequence[Space]) -> Finding:
    rule = (
        "Descriptive, no gate: apart if the 95 % CI of the distance extrapolated to n → ∞ lies "
        "above real against real in a space; never a PASS."
    )
    scored = _scored(spaces)
    if not scored:
        return _too_few(FRECHET, spaces, rule)
    name = "frechet_limit"
    space = max(scored, key=lambda s: (s.scores[name].side, s.scores[name].distance))
    score, at_n = space.scores[name], space.scores["frechet"]
    apart = score.side > 0
    share = 100 * score.value / space.variance if space.variance > 0 else np.inf
    kids = ", ".join(f"{_in_words(s, ['kid'])} in {s.name}" for s in scored)
    return FRECHET.finding(
        Verdict.FAIL if apart else Verdict.INCONCLUSIVE,
        "As clouds of points the sets "
        + ("lie apart" if apart else "are not seen to lie apart")
        + f" in {space.name}: {_in_words(space, [name])}"
        + (f", {share:.0f} % of the variance of real records" if apart else ""),
        f"Squared distance of means and covariances on {space.axes} axes; at n = "
        f"{space.n} it is {quantity(at_n.value)} and between real patients "
        f"{quantity(at_n.floor_mean)}, which is bias. Without that bias by itself: "
        f"{kids}. It sees no copies. {_elsewhere(spaces, space, [name])}".strip(),
        estimates=_ids(scored, (name, "kid")),
        rule=rule,
        section=SLUG,
    )


def _family(check: Check, names: Sequence[str], spaces: Sequence[Space]) -> Finding:
    """Return the finding on fidelity and diversity by one family of scores."""
    rule = (
        "Descriptive, no gate: FAIL if the 95 % CI of a score lies below real against real at the "
        "same n in a space; above it, or inside, undecided; never a PASS."
    )
    scored = _scored(spaces)
    if not scored:
        return _too_few(check, spaces, rule)
    low = [(s, n) for s in scored for n in names if s.scores[n].side < 0]
    high = [(s, n) for s in scored for n in names if s.scores[n].side > 0]
    off = {s.name for s, _ in low or high}
    space = max(
        (s for s in scored if not off or s.name in off),
        key=lambda s: max(s.scores[n].distance for n in names),
    )
    words = []
    if check is ALPHA and low:
        words = _core_or_rim(space)
    else:
        if any(n in _FIDELITY for _, n in low):
            words.append("synthetic records lie where no real ones do")
        if any(n not in _FIDELITY for _, n in low):
            words.append("kinds of real ECG are missing or rare among the synthetic")
    if high and not low:
        words.append("synthetic records crowd real ones more than other patients do")
    text = " and ".join(words) or "fidelity and diversity are not seen to differ"
    more = ""
    if high:
        above = ", ".join(f"{STATISTICS[n].title} in {s.name}" for s, n in high)
        more = (
            f"Above real against real: {above}; that is no merit but crowding of the commonest "
            f"kind, or copies (see {AUTHENTICITY.code}). "
        )
    if names[2:]:
        more += f"In {space.name} also: {_in_words(space, names[2:])}. "
    return check.finding(
        Verdict.FAIL if low else Verdict.INCONCLUSIVE,
        f"{text[0].upper()}{text[1:]}: in {space.name} {_in_words(space, names[:2])}",
        f"{more}No score here is expected to be 1: the floor is what other patients "
        "reach. What differs, in ms and mV, the comparison of measures says. "
        f"{_elsewhere(spaces, space, names)}".strip(),
        estimates=_ids(scored, names),
        rule=rule,
        section=SLUG,
    )


def _core_or_rim(space: Space) -> list[str]:
    """Return on which side of the diagonal the curves lie that are off it."""
    beyond = space.curves[0].mean(axis=(0, 2)) < 0.5
    words = (
        (
            "alpha_precision",
            "synthetic records crowd the middle of the real set",
            "synthetic records lie farther out than real ones",
        ),
        (
            "beta_recall",
            "the synthetic set is wider than the real one",
            "real records lie beyond most synthetic ones",
        ),
    )
    return [
        out if below else core
        for below, (name, core, out) in zip(beyond, words, strict=True)
        if space.scores[name].side < 0
    ]


def _authenticity(spaces: Sequence[Space]) -> Finding:
    """Return the alarm on copies."""
    names = ("authenticity", "close_pairs")
    rule = (
        "Descriptive, no gate: FAIL if synthetic records equal real ones in every coordinate, or "
        "the 95 % CI of the share of close pairs lies above real against real; undecided else. "
        "NOT_ASSESSABLE if no sign is seen and the synthetic set has collapsed: more than "
        f"{100 * REPEATED:.0f} % repeats, or neighbours less than {CROWDED:g} times as far apart "
        "as real ones in a space."
    )
    scored = _scored(spaces)
    alarm = _copies_or_collapse(spaces)
    if not scored and alarm is None:
        return _too_few(AUTHENTICITY, spaces, rule)
    verdict, title, text = alarm or _no_sign_of_copies(scored)
    audit = "Run `ecgeval audit`, with a holdout: it looks for copies, also shifted and scaled."
    each = " ".join(f"In {space.name}: {_in_words(space, names)}." for space in scored)
    return AUTHENTICITY.finding(
        verdict,
        title,
        f"{text} {audit} {each}".strip(),
        estimates=_ids(scored, names),
        rule=rule,
        section=SLUG,
    )


def _copies_or_collapse(spaces: Sequence[Space]) -> tuple[Verdict, str, str] | None:
    """Return verdict, title and text on copies, on nearness, or on a set that has collapsed.

    Little variety lowers authenticity as copies do; close pairs keep the two apart.
    """

    def furthest(name: str, side: int) -> Space | None:
        off = [space for space in _scored(spaces) if space.scores[name].side == side]
        return max(off, key=lambda s: s.scores[name].distance, default=None)

    copied = max(spaces, key=lambda space: space.copied)
    if copied.copied:
        return (
            Verdict.FAIL,
            f"{copied.copied:,} of {len(copied.synth.points):,} different synthetic records "
            f"equal a real one in every coordinate of {copied.name}: copies",
            "Good scores elsewhere then say nothing.",
        )
    if space := furthest("close_pairs", 1):
        score = space.scores["close_pairs"]
        return (
            Verdict.FAIL,
            f"Copy alarm: {100 * score.value:.1f} % of synthetic records have one real record at "
            f"most half as far as any other in {space.name} (95 % CI {100 * score.ci[0]:.1f} to "
            f"{100 * score.ci[1]:.1f} %; other patients {100 * score.floor[0]:.1f} to "
            f"{100 * score.floor[1]:.1f} %)",
            "A copy is near one record only.",
        )
    if space := furthest("authenticity", -1):
        return (
            Verdict.INCONCLUSIVE,
            "Synthetic records lie nearer to real ones than other patients do in "
            f"{space.name}: {_in_words(space, ['authenticity'])}",
            "Near to many at once, not to single ones: too little variety does that, and copies "
            "changed a good deal may.",
        )
    if space := next((space for space in spaces if space.collapsed), None):
        return (
            Verdict.NOT_ASSESSABLE,
            "Whether records are copied cannot be told: the synthetic set has collapsed, "
            f"{space.collapsed} in {space.name}",
            "The alarm counts records near to single real ones; with so few places to be, finding "
            "none is luck, and the few may be patients of the training set that these real records "
            "do not hold.",
        )
    return None


def _no_sign_of_copies(scored: Sequence[Space]) -> tuple[Verdict, str, str]:
    space = min(scored, key=lambda s: s.scores["authenticity"].value)
    return (
        Verdict.INCONCLUSIVE,
        f"No sign of copies in {space.name}: {_in_words(space, ['authenticity'])}",
        "That clears nothing: this alarm hears only what is near in these spaces.",
    )


def _repeats(spaces: Sequence[Space]) -> list[Finding]:
    """Return the finding on records of a set that equal each other, where there are any."""
    space = max(spaces, key=lambda s: (s.synth.repeated, s.real.repeated))
    real, synth = space.real, space.synth
    if not real.repeated and not synth.repeated:
        return []
    return [
        REPEATS.finding(
            Verdict.FAIL if synth.repeated else Verdict.INCONCLUSIVE,
            f"{synth.repeated:,} of {synth.found:,} synthetic and {real.repeated:,} of "
            f"{real.found:,} real records repeat another one of their set in every "
            f"coordinate of {space.name}",
            "One of each was kept: repeats would empty the neighbourhoods of real "
            "records and count synthetic ones twice. A generator that repeats itself has "
            "collapsed, or the same files are there twice.",
            rule="FAIL if a synthetic record is repeated; repeats of real ones are told.",
            section=SLUG,
        )
    ]


def _disagreement(spaces: Sequence[Space]) -> list[Finding]:
    """Return a finding where a score is off the floor in one space and not in another."""
    scored = _scored(spaces)
    parts = []
    for name in _IN_EVERY_SPACE:
        off, on = (
            [s.name for s in scored if bool(s.scores[name].side) is apart]
            for apart in (True, False)
        )
        if off and on:
            title = STATISTICS[name].title
            parts.append(f"{title} (off in {', '.join(off)}, not in {', '.join(on)})")
    if not parts:
        return []
    return [
        SPACES.finding(
            Verdict.INCONCLUSIVE,
            f"The spaces do not agree on {', '.join(parts)}",
            "A difference that only the measures see lies in rhythm, intervals or "
            "missing values; one that only the beats see in the shape of waves.",
            estimates=_ids(scored, _IN_EVERY_SPACE),
            rule="A 95 % CI off real against real in one space and not in another.",
            section=SLUG,
        )
    ]
