"""What the classifiers on waveforms found, in numbers, figures and words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgeval.comparison.classifier.checks import STATISTICS
from ecgeval.comparison.classifier.near_duplicates import TWIN_CORRELATION
from ecgeval.comparison.classifier.occlusion import STRETCH_S, WAVES, Falls
from ecgeval.comparison.declared import LEAK_P
from ecgeval.comparison.figures import roc
from ecgeval.results import Estimate, Figure, Finding, Results, Section, Table, Verdict
from ecgeval.stats.two_sample import C2st, off_centre
from ecgeval.wording import between, p_text, quantity

__all__ = ["REFITS", "Answer", "Beats", "Rounding", "nothing"]

REFITS = 199
SHOWN = 3
_RULE = "Descriptive, no gate"
_NAMES = {"minirocket": "random convolutions", "resnet": "residual network", "beats": "beats"}


@dataclass(frozen=True)
class Rounding:
    """AUC of a record's rounding step alone; median steps, µV (0 for none), and the common one."""

    auc: float
    ci: tuple[float, float]
    p: float
    floor: tuple[float, float]
    step_real: float
    step_synth: float
    common: float
    n_real: int
    n_synth: int
    patients_real: int
    patients_synth: int

    @property
    def apart(self) -> bool:
        inside = self.floor[0] <= self.auc <= self.floor[1]
        return self.p < 0.05 and not inside and abs(self.auc - 0.5) > 0.05


@dataclass(frozen=True)
class Beats:
    """The classifier on representative beats; `mean` is the mean beat, mV, at `fs`."""

    test: C2st
    falls: Falls
    mean: NDArray[np.floating]
    fs: float
    zero: int
    without: int


@dataclass
class Answer:
    """All that was found; filled in as the work goes."""

    section: str
    seed: int
    refit: bool
    leads: tuple[str, ...]
    tests: dict[str, C2st | str] = field(default_factory=dict)
    cutoffs: dict[float, C2st | str] = field(default_factory=dict)
    rounding: Rounding | None = None
    beats: Beats | str = ""
    twins: tuple[int, int] = (0, 0)
    repeats: int = 0

    def results(self, head: Section) -> Results:
        """Return the section."""
        ladder = {
            **self.tests,
            "beats": self.beats if isinstance(self.beats, str) else self.beats.test,
        }
        run = {kind: test for kind, test in ladder.items() if isinstance(test, C2st)}
        estimates = [e for kind, test in ladder.items() for e in self._ladder(kind, test)]
        estimates += [self._cutoff(hz, test) for hz, test in self._lower().items()]
        if self.rounding:
            estimates.append(self._rounding(self.rounding))
        found = [self._wave(ladder, run), self._curve()]
        figures = []
        if run:
            figures.append(
                self._figure(
                    "roc",
                    "roc",
                    "Classifiers on waveforms",
                    roc({_NAMES[k]: t for k, t in run.items()}),
                )
            )
        if any(isinstance(test, C2st) for test in self.cutoffs.values()):
            figures.append(self._curve_figure())
        tables: list[Table] = []
        if isinstance(self.beats, Beats):
            estimates += self._falls(self.beats.falls)
            figures.append(self._look_figure(self.beats))
        found.append(self._look())
        found += self._round() + self._leak(run)
        return Results(
            sections=(head,),
            estimates=tuple(estimates),
            findings=tuple(found),
            tables=tuple(tables),
            figures=tuple(figures),
        )

    # ---- estimates -------------------------------------------------------------------------------

    def _estimate(self, id: str, value: float | None, **rest: Any) -> Estimate:
        about = STATISTICS[id.rpartition(".")[2]]
        return Estimate(
            f"{self.section}.{id}",
            value,
            unit=about.unit or "",
            better=about.better,
            null=about.null,
            seed=self.seed,
            **rest,
        )

    def _ladder(self, kind: str, test: C2st | str) -> list[Estimate]:
        label = f"classifier on waveforms ({_NAMES[kind]}): AUC"
        if isinstance(test, str):
            return [
                self._estimate(
                    f"{kind}.c2st_auc", None, label=label, method=f"not computed: {test}"
                )
            ]
        how = "permutations of held-out patients' labels"
        if self.refit and kind == "minirocket":
            how = "permutations of all labels, both halves fitted anew"
        return [
            self._auc(f"{kind}.c2st_auc", test, label, how),
            self._estimate(
                f"{kind}.c2st_shuffled",
                test.shuffled,
                label=f"{label} with shuffled labels",
                method="mean over shuffles; checks the procedure, not the data",
                **_sizes(test),
            ),
        ]

    def _auc(self, id: str, test: C2st, label: str, how: str) -> Estimate:
        return self._estimate(
            id,
            test.auc,
            ci=test.ci,
            p=test.p,
            floor=test.floor,
            label=label,
            method="held-out half of the patients; CI bootstrap of held-out patients, the "
            f"classifier given; p {round(1 / test.p_least) - 1:,} {how}, one-sided (AUC > 0.5)",
            **_sizes(test),
        )

    def _lower(self) -> dict[float, C2st | str]:
        """Return the cut-offs below the whole band."""
        return dict(sorted(self.cutoffs.items())[:-1])

    def _cutoff(self, hz: float, test: C2st | str) -> Estimate:
        id, label = f"cutoff_{hz:g}hz.c2st_auc", f"classifier on waveforms below {hz:g} Hz: AUC"
        if isinstance(test, str):
            return self._estimate(id, None, label=label, method=f"not computed: {test}")
        return self._auc(id, test, label, "permutations of held-out patients' labels")

    def _rounding(self, found: Rounding) -> Estimate:
        return self._estimate(
            "rounding.rounding_auc",
            found.auc,
            ci=found.ci,
            p=found.p,
            floor=found.floor,
            label="rounding step of a record alone: AUC",
            n_real=found.n_real,
            n_synth=found.n_synth,
            patients_real=found.patients_real,
            patients_synth=found.patients_synth,
            method="AUC of the step itself, nothing fitted; p permutations of patients, two-sided",
        )

    def _falls(self, falls: Falls) -> list[Estimate]:
        return [
            self._estimate(
                f"{lead}_{slug}.occlusion_fall",
                float(falls.wave[i, k]),
                ci=_pair(falls.ci[i, k]),
                floor=_pair(falls.floor[i, k]),
                label=f"what the classifier of beats loses without {lead} {words}",
                n_real=falls.n_real,
                n_synth=falls.n_synth,
                patients_real=falls.patients_real,
                patients_synth=falls.patients_synth,
                method="difference of mean log-odds of held-out beats; CI bootstrap of patients, "
                "the classifiers given",
            )
            for i, lead in enumerate(self.leads)
            for k, (slug, words, *_) in enumerate(WAVES)
        ]

    # ---- findings --------------------------------------------------------------------------------

    def _finding(
        self, code: str, verdict: Verdict, title: str, ids: list[str], **rest: Any
    ) -> Finding:
        return Finding(
            code,
            verdict,
            title,
            estimates=tuple(f"{self.section}.{id}" for id in ids),
            section=self.section,
            gate=False,
            **rest,
        )

    def _wave(self, ladder: Mapping[str, C2st | str], run: Mapping[str, C2st]) -> Finding:
        ids = [f"{kind}.c2st_auc" for kind in ladder]
        if not run:
            return self._finding(
                "C2ST-WAVE",
                Verdict.NOT_ASSESSABLE,
                f"No classifier was run on the waveforms: {next(iter(ladder.values()))}",
                ids,
                rule="Descriptive: it decides nothing.",
            )
        apart = {kind: t for kind, t in run.items() if _apart(t, len(run))}
        kind, test = max((apart or run).items(), key=lambda item: item[1].auc)
        others = "; ".join(
            f"{_NAMES[k]} {t.auc:.2f} ({p_text(t.p, t.p_least)}; shuffled labels "
            f"{t.shuffled or 0:.2f})"
            for k, t in run.items()
        )
        text = f"AUC of each: {others}. "
        text += (
            "Whether that matters, this number does not say: the cut-off and the beats tell what "
            "is seen. Most generators are told apart from real ECGs by some classifier."
            if apart
            else "Not telling the sets apart is no proof of likeness: another classifier may."
        ) + off_centre(test.floor)
        if self.repeats:
            text += (
                f" {self.repeats:,} of {self.twins[1]:,} synthetic records repeat another "
                f"synthetic one (correlation above {TWIN_CORRELATION:g}): the generator "
                "has collapsed onto few records, which a classifier tested on others cannot see."
            )
        if self.rounding and not self.rounding.apart:
            text += f" Rounding alone does not tell them apart (AUC {self.rounding.auc:.2f})."
        return self._finding(
            "C2ST-WAVE",
            Verdict.FAIL if apart else Verdict.INCONCLUSIVE,
            f"A classifier ({_NAMES[kind]}) on the waveforms "
            + ("tells the sets apart: " if apart else "does not clearly tell the sets apart: ")
            + _auc_text(test),
            ids,
            explanation=text,
            rule=f"{_RULE}: told apart if p < 0.05 / {len(run)} classifiers and the 95 % CI lies "
            "above the real-against-real floor; never a PASS.",
        )

    def _curve(self) -> Finding:
        run = {hz: t for hz, t in sorted(self.cutoffs.items()) if isinstance(t, C2st)}
        lower = [hz for hz in run if hz in self._lower()]
        ids = [f"cutoff_{hz:g}hz.c2st_auc" for hz in self._lower()]
        rule = (
            f"{_RULE}: the lowest cut-off from which on p < 0.05 / {len(run)} cut-offs and the "
            "95 % CI of the AUC lies above the real-against-real floor at every higher one."
        )
        if not lower:
            return self._finding(
                "C2ST-CUTOFF",
                Verdict.NOT_ASSESSABLE,
                "At which frequencies the sets differ cannot be said: no classifier was run",
                ids,
                rule=rule,
            )
        bands = list(run)
        apart = [_apart(run[hz], len(run)) for hz in bands]
        values = ", ".join(
            f"{'all' if hz == bands[-1] else f'{hz:g} Hz'} {run[hz].auc:.2f}" for hz in bands
        )
        first = len(bands)
        while first and apart[first - 1]:
            first -= 1
        if not any(apart):
            verdict, title = Verdict.INCONCLUSIVE, "At no cut-off are the sets clearly told apart"
            text = "There is no artefact to place."
        elif first == len(bands):
            seen = ", ".join(f"{hz:g}" for hz, a in zip(bands, apart, strict=True) if a)
            verdict = Verdict.FAIL
            title = f"The sets are told apart only when cut off at {seen} Hz"
            text = "What lies above hides the difference from this classifier."
        elif first == 0:
            verdict = Verdict.FAIL
            title = f"Even below {bands[0]:g} Hz the sets are told apart"
            text = (
                "The shape of the waves, their amplitudes or the rhythm differ, not only the "
                "texture; the comparison of measures says which."
            )
        else:
            verdict = Verdict.FAIL
            title = f"The sets are told apart for certain from a cut-off at {bands[first]:g} Hz on"
            text = (
                f"What lies above {bands[first - 1]:g} Hz settles it. "
                "That is texture (noise, filtering, upsampling of the generator) and the sharpest "
                "parts of the QRS complex rather than the shape of P and T waves."
                if bands[first - 1] >= 15
                else f"What lies above {bands[first - 1]:g} Hz settles it: slow waves alone do not."
            )
        return self._finding(
            "C2ST-CUTOFF",
            verdict,
            f"{title} (AUC by cut-off: {values})",
            ids,
            explanation=f"{text} Nothing above {bands[-1]:g} Hz is looked at.",
            rule=rule,
        )

    def _look(self) -> Finding:
        rule = (
            f"{_RULE}: shares of the difference in mean log-odds between held-out synthetic and "
            f"real beats that are lost when a wave of a lead is replaced by the mean beat of both "
            "sets; named where the 95 % CI lies above the real-against-real floor."
        )
        if isinstance(self.beats, str):
            return self._finding(
                "C2ST-LOOK",
                Verdict.NOT_ASSESSABLE,
                f"Where a classifier looks cannot be said: {self.beats}",
                [],
                rule=rule,
            )
        test, falls = self.beats.test, self.beats.falls
        if not _apart(test, 1):
            return self._finding(
                "C2ST-LOOK",
                Verdict.INCONCLUSIVE,
                f"Representative beats are not clearly told apart ({_auc_text(test)}): there is "
                "nowhere to look",
                ["beats.c2st_auc"],
                rule=rule,
            )
        clear = np.where(falls.ci[..., 0] > np.maximum(falls.floor[..., 1], 0), falls.wave, 0)
        order = np.argsort(-clear, axis=None, kind="stable")
        places = [divmod(int(i), len(WAVES)) for i in order[:SHOWN] if clear.flat[i] > 0]
        if not places:
            return self._finding(
                "C2ST-LOOK",
                Verdict.INCONCLUSIVE,
                f"Beats are told apart ({_auc_text(test)}), but by no single wave of a lead",
                ["beats.c2st_auc"],
                rule=rule,
            )
        words = [
            f"{self.leads[i]} {WAVES[k][1]} ({falls.wave[i, k] / falls.gap:.0%})" for i, k in places
        ]
        lead, at = np.unravel_index(int(falls.stretch.argmax()), falls.stretch.shape)
        moment = 1000 * (int(at) - self.beats.zero) / self.beats.fs
        by_lead = falls.wave.sum(axis=1) / falls.gap
        by_wave = falls.wave.sum(axis=0) / falls.gap
        text = (
            f"The {1000 * STRETCH_S:.0f} ms that matter most lie in {self.leads[int(lead)]} at "
            f"{moment:+.0f} ms from R. All waves of a lead together: "
            + _shares(self.leads, by_lead)
            + "; all leads of a wave: "
            + _shares([w[1] for w in WAVES], by_wave)
            + ". Shares may be negative where a part makes the fakes look more real, and "
            "neighbours that say the same share what they say."
        )
        if self.beats.without:
            text += f" {self.beats.without} records without a representative beat are left out."
        return self._finding(
            "C2ST-LOOK",
            Verdict.FAIL,
            f"What gives the fakes away lies most in {words[0]}"
            + (f", then {' and '.join(words[1:])}" if words[1:] else "")
            + f"; beats alone: {_auc_text(test)}",
            ["beats.c2st_auc"]
            + [f"{self.leads[i]}_{WAVES[k][0]}.occlusion_fall" for i, k in places],
            explanation=text,
            rule=rule,
        )

    def _round(self) -> list[Finding]:
        found = self.rounding
        if not found or not found.apart:
            return []
        steps = [f"{s:g} µV" if s else "no step" for s in (found.step_real, found.step_synth)]
        return [
            self._finding(
                "C2ST-ROUND",
                Verdict.INCONCLUSIVE,
                f"Rounding alone tells the sets apart: AUC {found.auc:.2f} (95 % CI "
                f"{between(found.ci)}; 0 and 1 separate alike); typical steps {steps[0]} real, "
                f"{steps[1]} synthetic",
                ["rounding.rounding_auc"],
                explanation="A difference of the exports, not of the hearts. Both sets were "
                f"rounded to {found.common:g} µV before the classifiers saw them; a classifier of "
                "raw files would need no ECG at all.",
                rule=f"{_RULE}: reported if the two-sided permutation p < 0.05 and the AUC of the "
                "rounding step lies outside the floor and at least 0.05 from 0.5.",
            )
        ]

    def _leak(self, run: Mapping[str, C2st]) -> list[Finding]:
        out = []
        lowest = min(run.items(), key=lambda item: item[1].auc, default=None)
        twins, n = self.twins
        rule = (
            "FAIL if an AUC is below its real-against-real floor with a permutation p of an AUC "
            f"this low of at most {LEAK_P:g}, or if a synthetic record correlates above "
            f"{TWIN_CORRELATION:g} with a real one. Decides nothing here: the audit does."
        )
        if lowest and lowest[1].p_below <= LEAK_P and lowest[1].auc < lowest[1].floor[0]:
            kind, test = lowest
            out.append(
                self._finding(
                    "C2ST-LEAK",
                    Verdict.FAIL,
                    f"A classifier ({_NAMES[kind]}) does far worse than chance, AUC "
                    f"{test.auc:.2f}: synthetic records are near-copies of real ones",
                    [f"{kind}.c2st_auc"],
                    explanation="An AUC below 0.5 arises where a held-out record has its "
                    "near-twin, with the other label, among the training records. Run "
                    "`ecgeval audit`. Here "
                    f"{p_text(test.p_below, test.p_least)} of an AUC this low.",
                    rule=rule,
                )
            )
        if twins:
            out.append(
                self._finding(
                    "C2ST-LEAK",
                    Verdict.FAIL,
                    f"{twins:,} of {n:,} synthetic records are real records over again "
                    f"(correlation above {TWIN_CORRELATION:g})",
                    [],
                    explanation="They are copies, or both sets hold the same files; each was kept "
                    "on the side of its twin, so the classifiers could not be deceived by them. "
                    "All other agreement of the sets says little. Run `ecgeval audit`.",
                    rule=rule,
                )
            )
        return out

    # ---- figures ---------------------------------------------------------------------------------

    def _figure(
        self, id: str, kind: str, title: str, data: Mapping[str, Any], caption: str = ""
    ) -> Figure:
        return Figure(f"{self.section}.{id}", kind, title, data, caption, self.section)

    def _curve_figure(self) -> Figure:
        run = {hz: t for hz, t in sorted(self.cutoffs.items()) if isinstance(t, C2st)}
        x, tests = list(run), list(run.values())
        return self._figure(
            "cutoff",
            "curves",
            "Where is the artefact?",
            {
                "panels": [
                    {
                        "title": "",
                        "xlabel": "low-pass cut-off (Hz)",
                        "ylabel": "AUC",
                        "null": 0.5,
                        "series": [
                            {
                                "name": "synthetic against real",
                                "role": "synth",
                                "x": x,
                                "y": [t.auc for t in tests],
                                "low": [t.ci[0] for t in tests],
                                "high": [t.ci[1] for t in tests],
                            },
                            {
                                "name": "real against real",
                                "role": "floor",
                                "x": x,
                                "y": [sum(t.floor) / 2 for t in tests],
                                "low": [t.floor[0] for t in tests],
                                "high": [t.floor[1] for t in tests],
                            },
                        ],
                    }
                ]
            },
            "AUC of a classifier that sees only what lies below the cut-off: where it falls to the "
            "floor, the difference lies above. Bands: 95 %.",
        )

    def _look_figure(self, beats: Beats) -> Figure:
        return self._figure(
            "occlusion",
            "occlusion",
            "When and in which lead the classifier looks",
            {
                "fs": beats.fs,
                "zero": beats.zero,
                "title": "fall of the difference in log-odds",
                "leads": [
                    {
                        "name": lead,
                        "uv": np.rint(1000 * beats.mean[i]).astype(int).tolist(),
                        "weight": beats.falls.stretch[i].astype(float).round(4).tolist(),
                    }
                    for i, lead in enumerate(self.leads)
                ],
            },
            f"Mean representative beat of both sets, shaded by what the difference in mean "
            f"log-odds ({quantity(beats.falls.gap)}) loses when {1000 * STRETCH_S:.0f} ms around a "
            "moment are replaced by it.",
        )


def nothing(head: Section, why: str, seed: int) -> Results:
    """Return the section of sets that cannot be compared."""
    about = STATISTICS["c2st_auc"]
    id = f"{head.slug}.minirocket.c2st_auc"
    estimate = Estimate(
        id,
        None,
        better=about.better,
        null=about.null,
        seed=seed,
        label="classifier on waveforms: AUC",
        method=f"not computed: {why}",
    )
    findings = tuple(
        Finding(
            code,
            Verdict.NOT_ASSESSABLE,
            f"Waveforms cannot be compared: {why}",
            estimates=(id,),
            rule="Descriptive: it decides nothing.",
            section=head.slug,
            gate=False,
        )
        for code in ("C2ST-WAVE", "C2ST-CUTOFF", "C2ST-LOOK")
    )
    return Results(sections=(head,), estimates=(estimate,), findings=findings)


def _apart(test: C2st, tests: int) -> bool:
    return test.p < 0.05 / tests and test.ci[0] > test.floor[1]


def _auc_text(test: C2st) -> str:
    return (
        f"AUC {test.auc:.2f} (95 % CI {test.ci[0]:.2f} to {test.ci[1]:.2f}; real against real "
        f"{test.floor[0]:.2f} to {test.floor[1]:.2f})"
    )


def _sizes(test: C2st) -> dict[str, int]:
    return {
        "n_real": test.n_real,
        "n_synth": test.n_synth,
        "patients_real": test.patients_real,
        "patients_synth": test.patients_synth,
    }


def _pair(values: NDArray[np.floating]) -> tuple[float, float]:
    return float(values[0]), float(values[1])


def _shares(names: Any, shares: NDArray[np.floating]) -> str:
    order = np.argsort(-shares, kind="stable")[:SHOWN]
    return ", ".join(f"{names[i]} {shares[i]:.0%}" for i in order)
