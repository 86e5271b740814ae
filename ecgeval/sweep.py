"""A generator looked at while it learns: samples, curves and scores at every checkpoint."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ecgeval import pipeline, sets
from ecgeval.config import PART_NAMES, RunConfig, make
from ecgeval.ecgset import EcgSet
from ecgeval.errors import DataError, UsageError
from ecgeval.parallel import Progress, child_rng, quiet
from ecgeval.preprocess import common_leads
from ecgeval.results import Estimate, Figure, Finding, Results, Section, Table, Verdict

if TYPE_CHECKING:
    from ecgeval.compare.yardstick import Energy
    from ecgeval.generators.training import History, Settings
    from ecgeval.privacy.quick import Look

__all__ = ["Score", "Scorer", "run", "sweep", "train"]

_SAMPLES = 4  # records drawn at each checkpoint, always from the same noise
_RECORDS = 500  # records of each checkpoint that are scored, unless told otherwise
_FEWEST = 20  # patients to choose with, and as many to confirm with
_LEVEL = 0.95


def train(
    data: EcgSet | str | Path,
    out: str | os.PathLike[str],
    settings: Settings | None = None,
    *,
    device: str = "cpu",
    assume_independent: bool = False,
    score: EcgSet | str | Path | None = None,
    score_records: int = _RECORDS,
    jobs: int = 1,
    cache: Path | None = None,
    progress: Progress = quiet,
) -> Path:
    """Train a generator, and look at what it makes at every checkpoint that is kept.

    Parameters
    ----------
    data : EcgSet or SET
        Records of patients, or what `ecgeval.read` accepts.
    out : path
        Folder of the run (see `ecgeval.generators.training.train`); ``samples/epoch-NNNNN.svg``
        and ``history.svg`` beside the checkpoints, with `score` also ``scores.csv`` and
        ``scores.svg``.
    settings : Settings, optional
    device : str
    assume_independent : bool
        Count records without a patient id as patients of their own.
    score : EcgSet or SET, optional
        Real ECGs to score each checkpoint against, on the patients that `sweep` would choose
        with, so that those it confirms with stay unseen. The training data themselves stand for
        the patients held out of them. Training is the same with and without it.
    score_records : int
        Records of each checkpoint that are scored.
    jobs, cache
        As in `sweep`.
    progress : callable

    Returns
    -------
    Path
        The last checkpoint.
    """
    from ecgeval.generators.training import train as fit

    folder, ecgs = Path(out), sets.read(data, progress=progress)
    against = None if score is None else sets.read(score, progress=progress)
    if against is not None:
        against.patients(assume_independent=assume_independent)  # before hours of training
    scorer: Scorer | None = None
    scores = folder / "scores.csv"

    def after(path: Path, _: History) -> None:
        nonlocal scorer
        _draw(folder / "samples" / f"{path.stem}.svg", _samples(path, device))
        _draw(folder / "history.svg", _curves(folder / "history.csv"))
        if against is None:
            return
        if scorer is None:
            config = make(assume_independent=assume_independent)
            worker = pipeline.Run(config, jobs=jobs, cache=cache, device=device)
            people = _people(worker, path, against)
            scorer = Scorer(worker, people, score_records)
        _append(scores, scorer, sets.checkpoints(folder))
        _draw(folder / "scores.svg", _score_curves(_read(scores), None))

    return fit(
        ecgs, folder, settings, device=device, assume_independent=assume_independent, after=after,
        progress=progress,
    )  # fmt: skip


# ---- scores of one checkpoint -------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _People:
    """Real patients by what they are for: choosing a checkpoint, confirming it, memory of it."""

    choose: EcgSet
    confirm: EcgSet
    train: EcgSet | None


@dataclass(frozen=True, eq=False)
class Score:
    """What is known of one checkpoint.

    Parameters
    ----------
    path : Path
    epoch : float
        Last number in the file's name, else its place in the sweep.
    energy : Energy
        `ecgeval.compare.yardstick.Yardstick.energy`, to the choosing patients.
    gates : (int, int)
        Declared medians and spreads that are equivalent, and how many there are.
    normal : Estimate
        Difference in the share of records that keep all strict rules for a normal ECG, S - R.
    look : Look or None
        Memory of training patients; None where they are not known.
    usable, n : int
        Records that could be measured, and all.
    """

    path: Path
    epoch: float
    energy: Energy
    gates: tuple[int, int]
    normal: Estimate
    look: Look | None
    usable: int
    n: int

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def copies(self) -> bool:
        """Whether more records are named copies of training patients than of others."""
        return self.look is not None and self.look.copies > self.look.control

    def row(self) -> dict[str, Any]:
        """Return the score as a row of a table: numbers and text."""
        ci, share = self.energy.ci, self.normal
        out: dict[str, Any] = {
            "checkpoint": self.name, "epoch": self.epoch, "energy": self.energy.value,
            "energy_low": ci[0], "energy_high": ci[1], "floor_low": self.energy.floor[0],
            "floor_high": self.energy.floor[1],
            "gates": self.gates[0], "gates_of": self.gates[1], "normal_diff": share.value,
        }  # fmt: skip
        for name, pair in (("normal", share.ci), ("normal_floor", share.floor)):
            out[f"{name}_low"], out[f"{name}_high"] = pair or (None, None)
        for detector in ("D2", "D4"):
            found = {name: (a, ci) for name, a, ci in self.look.auc} if self.look else {}
            a, (low, high) = found.get(detector, (None, (None, None)))
            out |= {f"auc_{detector}": a, f"auc_{detector}_low": low, f"auc_{detector}_high": high}
        look = self.look
        out["memory_p"] = look.p if look and look.auc else None
        out["copies"] = look.copies if look else None
        out["copies_control"] = look.control if look else None
        return out | {"usable": self.usable, "n": self.n}


class Scorer:
    """Scores checkpoints against the same patients, from the same noise.

    Parameters
    ----------
    worker : Run
        Its settings (seed, method, margins) and where work is done.
    people : _People
    n : int
        Records of each checkpoint.
    """

    def __init__(self, worker: pipeline.Run, people: _People, n: int = _RECORDS) -> None:
        self.worker, self.people, self.n = worker, people, n
        self.form: tuple[EcgSet, ...] = ()

    def __call__(self, path: Path, place: int = 0) -> Score:
        """Return the score of a checkpoint file."""
        from ecgeval.compare.plausibility import compare_plausibility

        synth = self.fresh(path, self.worker.config.seed)
        real = [self.people.choose, *([self.people.train] if self.people.train else [])]
        *real, synth = _one_form(*real, synth, leads=self.worker.config.leads)
        if not self.form or self.form[0].leads != real[0].leads:
            self._prepare(tuple(real))
        feats = self._features(synth)
        choose, config = self.form[0], self.worker.config
        normal = compare_plausibility(
            self.feats[0].measures, feats.measures,
            patients_real=self.patients[0], patients_synth=synth.patients(assume_independent=True),
            labels_real=choose.records, labels_synth=synth.records,
            signal_real=self.feats[0].checks, signal_synth=feats.checks,
            seed=config.seed, margins=self.yardstick.margins, quick=True, section="sweep",
        ).estimate("sweep.normal.pass_diff")  # fmt: skip
        look = None
        if self.memory is not None and self.memory.alike:
            look = self.memory.look(synth, feats.beats)
        usable = int((feats.outcome == "").sum())
        return Score(
            path, _epoch(path, place), self.yardstick.energy(feats.measures),
            self.yardstick.gates(feats.measures), normal, look, usable, len(synth),
        )  # fmt: skip

    def fresh(self, path: Path, seed: int) -> EcgSet:
        """Return fresh records of a checkpoint; a seed is the same noise for all of them."""
        return sets.read(
            path, n=self.n, seed=seed, device=self.worker.device, progress=self.worker.progress
        )

    def energy(self, path: Path, patients: EcgSet, seed: int) -> Energy:
        """Return a checkpoint's distance to other patients, from other noise."""
        from ecgeval.compare.yardstick import Yardstick

        fresh = self.fresh(path, seed)
        real, synth = _one_form(patients, fresh, leads=self.worker.config.leads)
        config = self.worker.config
        who = real.patients(assume_independent=config.assume_independent)
        yardstick = Yardstick(
            self._features(real).measures, who, self.yardstick.margins, config.seed + 1
        )
        return yardstick.energy(self._features(synth).measures)

    def _prepare(self, real: tuple[EcgSet, ...]) -> None:
        """Compute what all checkpoints are compared with; again only for another form."""
        from ecgeval.compare.yardstick import Yardstick
        from ecgeval.privacy.quick import Memory

        config = self.worker.config
        self.form = real
        self.feats = [self._features(ecgs) for ecgs in real]
        self.patients = [s.patients(assume_independent=config.assume_independent) for s in real]
        self.yardstick = Yardstick(
            self.feats[0].measures, self.patients[0], _margins(config), config.seed
        )
        self.memory: Memory | None = None
        if len(real) > 1:
            self.memory = Memory(
                real[1], real[0], self.feats[1].beats, self.feats[0].beats, self.feats[0].beats_fs,
                (self.patients[1], self.patients[0]), config.seed,
            )  # fmt: skip

    def _features(self, ecgs: EcgSet) -> pipeline.Features:
        w = self.worker
        return pipeline.features(ecgs, method=w.config.method, jobs=w.jobs, cache=w.cache)


def _one_form(*ecgs: EcgSet, leads: Sequence[str] | None) -> tuple[EcgSet, ...]:
    """Return the sets with the same leads, rate and length.

    `harmonise` without its check of the unit: the records of an early checkpoint may be flat, and
    are then scored as such.
    """
    names = leads or common_leads(*ecgs)
    fs = min(s.fs for s in ecgs)
    alike = [s.with_leads(names).resample(fs) for s in ecgs]
    shortest = min(s.n_samples for s in alike)
    return tuple(s.crop(shortest) for s in alike)


def _margins(config: RunConfig) -> Any:
    from ecgeval.compare import load_margins

    wanted = config.compare.margins
    return load_margins(wanted) if wanted in ("lenient", "strict") else load_margins(path=wanted)


def _epoch(path: Path, place: int) -> float:
    numbers = re.findall(r"\d+", path.stem)
    return float(numbers[-1]) if numbers else float(place + 1)


def _people(
    worker: pipeline.Run, checkpoint: Path, real: EcgSet | None, train: EcgSet | None = None,
    holdout: EcgSet | None = None,
) -> _People:  # fmt: skip
    """Return the patients to choose and to confirm with: none that training saw.

    Where `real` is what the checkpoint was trained on, its own split says who was held out.
    """
    from ecgeval.generators.checkpoints import load, trained_on

    independent = worker.config.assume_independent
    load(checkpoint)  # says what is wrong with a file that is none of ours
    record = trained_on(checkpoint)
    unseen = holdout if holdout is not None else real
    if unseen is None:
        raise UsageError("a sweep needs `real` or `holdout`: patients that training never saw")
    if record.get("data", {}).get("fingerprint") == unseen.fingerprint():
        split = record["split"]
        if not split["holdout"]:
            raise UsageError(
                f"{checkpoint} was trained on all patients of this set; give `holdout`: other "
                "patients of the same population"
            )
        train = unseen.select(split["train"]) if train is None else train
        unseen = unseen.select(split["holdout"])
    who = np.asarray(unseen.patients(assume_independent=independent))
    if train is not None:
        shared = np.isin(who, train.patients(assume_independent=independent))
        unseen, who = unseen.select(~shared), who[~shared]
    everyone = np.unique(who)
    if len(everyone) < 2 * _FEWEST:
        raise DataError(
            f"{len(everyone)} patients are left that training did not see; a sweep needs at least "
            f"{2 * _FEWEST}, half to choose a checkpoint with and half to confirm it with"
        )
    first = child_rng(worker.config.seed, "sweep", "split").permutation(everyone)
    chosen = np.isin(who, first[: len(everyone) // 2])
    return _People(unseen.select(chosen), unseen.select(~chosen), train)


# ---- the sweep ----------------------------------------------------------------------------------


def sweep(
    checkpoints: str | Path | Sequence[str | Path],
    real: EcgSet | str | Path | None = None,
    *,
    holdout: EcgSet | str | Path | None = None,
    train: EcgSet | str | Path | None = None,
    n: int = _RECORDS,
    seed: int = 0,
    method: str = pipeline.DEFAULT_METHOD,
    margins: str = "lenient",
    parts: Sequence[str] = PART_NAMES,
    quick: bool = False,
    assume_independent: bool = False,
    jobs: int = 1,
    cache: Path | None = None,
    device: str = "cpu",
    progress: Progress = quiet,
) -> Results:
    """Score every checkpoint of a training run, choose one, and confirm the choice.

    Patients that training did not see are split in two halves. The first half scores all
    checkpoints, each from the same noise; the least energy distance of the declared measures is
    chosen. The second half and other noise confirm it, in a full comparison and audit.

    Parameters
    ----------
    checkpoints : folder, or sequence of files
    real : EcgSet or SET, optional
        Real patients. Where they are what the checkpoints were trained on (as their training
        record says), the patients held out then are used, and the others are `train`.
    holdout : EcgSet or SET, optional
        Patients that training did not see, instead of `real`.
    train : EcgSet or SET, optional
        The training set; without it memory of patients is ``NOT_ASSESSABLE``.
    n : int
        Records of each checkpoint.
    seed : int
        Of every random step; checkpoints are scored from this noise, confirmed from that of
        ``seed + 1``.
    method, margins, quick, assume_independent, jobs, cache, progress
        As in `ecgeval.compare`; `quick` and `parts` are of the confirming comparison.
    parts : sequence of str
        Sections of the confirming comparison; none leaves out comparison and audit.
    device : {"cpu", "cuda"}

    Returns
    -------
    Results
        Section ``sweep`` (describes), then those of the confirming comparison and audit.

    Raises
    ------
    UsageError
        If no checkpoint, or no patients unseen in training, are given.
    DataError
        If fewer than 40 such patients are left, or a checkpoint cannot be used.
    """
    config = make(
        seed=seed, method=method, quick=quick, assume_independent=assume_independent,
        compare={"margins": margins, "parts": tuple(parts)},
    )  # fmt: skip
    worker = pipeline.Run(config, jobs=jobs, cache=cache, progress=progress, device=device)
    given = {
        name: None if source is None else sets.read(source, progress=progress)
        for name, source in (("real", real), ("train", train), ("holdout", holdout))
    }
    paths = (
        [Path(p) for p in checkpoints]
        if not isinstance(checkpoints, str | Path)
        else sets.checkpoints(checkpoints)
    )
    return _sweep(worker, paths, n, **given)


def run(
    config: RunConfig,
    *,
    jobs: int = 1,
    cache: Path | None = None,
    device: str = "cpu",
    notify: Callable[[str], None] = pipeline.unheard,
    progress: Progress = quiet,
) -> tuple[Results, pipeline.Run]:
    """Do what a configuration says whose `synth` is a folder of checkpoints; as `pipeline.run`."""
    assert config.synth is not None
    if config.audit.holdout_share is not None or config.audit.planted:
        raise UsageError(
            "audit.holdout_share and audit.planted do not go with a folder of checkpoints: give "
            "the set they were trained on as `real`, or `train` and `holdout`"
        )
    worker = pipeline.Run(
        config, jobs=jobs, cache=cache, progress=progress, device=device, notify=notify
    )
    given = {
        name: None if part is None else worker.read(part)
        for name, part in (
            ("real", config.real), ("train", config.train), ("holdout", config.holdout)
        )
    }  # fmt: skip
    paths = sets.checkpoints(config.synth.source)
    results = _sweep(worker, paths, config.synth.n or _RECORDS, **given)
    if cache is not None:
        pipeline.trim_cache(cache)
    return results, worker


def _sweep(
    worker: pipeline.Run, paths: Sequence[Path], n: int, *, real: EcgSet | None,
    train: EcgSet | None, holdout: EcgSet | None,
) -> Results:  # fmt: skip
    if not paths:
        raise UsageError("no checkpoint was given; expected files ending in .pt, .pth or .ckpt")
    people = _people(worker, paths[-1], real, train, holdout)
    scorer = Scorer(worker, people, n)
    scores = []
    with worker.timed("score checkpoints"):
        for place, path in enumerate(paths):
            worker.progress("score checkpoints", place, len(paths))
            scores.append(scorer(path, place))
        worker.progress("score checkpoints", len(paths), len(paths))
    chosen = _choose(scores)
    confirmed = {
        s.name: scorer.energy(s.path, people.confirm, worker.config.seed + 1)
        for s in (chosen, *_rivals(scores, chosen))
    }
    results = _report(scores, chosen, confirmed, scorer)
    fresh = scorer.fresh(chosen.path, worker.config.seed + 1)
    if worker.config.compare.parts:
        show = worker.config.show_traces or people.train is None
        results = results + worker.compare(people.confirm, fresh, show_records=show)
        if not show:
            worker.measures.pop("real", None)  # clear ids of patients do not leave an audit
        if people.train is not None:
            results = results + worker.audit(people.train, people.confirm, fresh)
    manifest = worker.manifest(
        train=people.train, choose=people.choose, confirm=people.confirm, synth=fresh
    )
    return results.with_manifest(manifest | {"checkpoints": [_identity(s) for s in scores]})


def _identity(score: Score) -> dict[str, Any]:
    from ecgeval.generators.checkpoints import load

    return {"file": score.path.name, "sha256": load(score.path).sha256}


def _choose(scores: Sequence[Score]) -> Score:
    """Return the checkpoint of the least energy distance among those that show no copies."""
    allowed = [s for s in scores if not s.copies] or list(scores)
    return min(allowed, key=lambda s: (s.energy.value, s.epoch))


def _rivals(scores: Sequence[Score], chosen: Score) -> list[Score]:
    """Return the next best checkpoint and the last one, which a run without a sweep would give."""
    others = [s for s in scores if s is not chosen]
    if not others:
        return []
    return list(dict.fromkeys([_choose(others), *(s for s in scores[-1:] if s is not chosen)]))


# ---- what a sweep says --------------------------------------------------------------------------

_RULE = (
    "Chosen: the least energy distance of the declared measures to the choosing patients, among "
    "checkpoints with no more copies of training patients than of others (all of them where none "
    "is left); the earlier of equals. Confirmed on other patients and other noise against the "
    "next best and the last checkpoint, by paired bootstrap of patients and records at 95 % over "
    "both (Bonferroni): PASS if its distance is below both, FAIL if above one, else INCONCLUSIVE."
)


def _report(
    scores: Sequence[Score], chosen: Score, confirmed: Mapping[str, Energy], scorer: Scorer
) -> Results:
    people, patients = scorer.people, scorer.patients
    estimates = [e for s in scores for e in _estimates(s, scorer)]
    best, *rivals = confirmed.items()
    estimates += [_energy_estimate("confirmed", name, e, scorer) for name, e in confirmed.items()]
    differences = {}
    for name, other in rivals:
        differences[name] = best[1].less(other, 1 - (1 - _LEVEL) / len(rivals))
        estimates.append(_difference_estimate(name, differences[name], best[1], scorer))
    n_confirm = len(set(people.confirm.patients(assume_independent=True)))
    summary = (
        f"{len(scores)} checkpoints, {scorer.n:,} records of each from the same noise, against "
        f"{len(people.choose):,} records of {len(set(patients[0])):,} patients that training did "
        f"not see; confirmed on {len(people.confirm):,} records of {n_confirm:,} others. What "
        "follows this section is of the chosen checkpoint, on the confirming patients."
    )
    return Results(
        sections=(Section("sweep", "Checkpoints: which one, and does it hold?", summary, False),),
        estimates=tuple(estimates),
        findings=(_best(scores, chosen, confirmed, differences), _memory(scores, scorer)),
        tables=(_table(scores, chosen),),
        figures=(_score_curves([s.row() for s in scores], (chosen.epoch, best[1])),),
    )


def _best(
    scores: Sequence[Score], chosen: Score, confirmed: Mapping[str, Energy],
    differences: Mapping[str, tuple[float, tuple[float, float]]],
) -> Finding:  # fmt: skip
    again = confirmed[chosen.name]
    below = [name for name, (_, ci) in differences.items() if ci[1] < 0]
    above = [name for name, (_, ci) in differences.items() if ci[0] > 0]
    if not differences:
        verdict, how = Verdict.NOT_ASSESSABLE, "there is no other checkpoint"
    elif above:
        verdict = Verdict.FAIL
        how = f"does not hold on other patients: {' and '.join(above)} is closer there"
    elif len(below) == len(differences):
        verdict, how = Verdict.PASS, f"holds on other patients: closer than {' and '.join(below)}"
    else:
        open_ = [name for name in differences if name not in below]
        verdict = Verdict.INCONCLUSIVE
        how = f"is not told from {' and '.join(open_)} on other patients"
        how += f", is closer than {' and '.join(below)}" if below else ""
    drop = [s.name for s in scores if s.copies]
    moved = again.value - chosen.energy.value
    noise = float(np.hypot(again.ci[1] - again.value, chosen.energy.value - chosen.energy.ci[0]))
    text = (
        f"Energy distance {_with(chosen.energy)} while choosing, {_with(again)} when confirmed: "
        + ("more than the noise of both: the choice made it look better than it is. "
           if moved > noise else "no more apart than their noise allows. ")
        + f"{chosen.gates[0]} of {chosen.gates[1]} declared medians and spreads were equivalent. "
    )  # fmt: skip
    if drop:
        text += f"Set aside for copies of training patients: {', '.join(drop)}. "
        text += "All were, so none is without. " if len(drop) == len(scores) else ""
    text += (
        "The best of these checkpoints need not be good: the sections below say how it stands "
        "against the confirming patients."
    )
    ids = [_id(chosen.name, "energy"), *(_id(name, "confirmed") for name in confirmed)]
    return Finding(
        "SWEEP-BEST", verdict, f"{chosen.name} is chosen; the choice {how}"
        if differences else f"{chosen.name} is the only checkpoint", text,
        (*ids, *(_id(name, "chosen_less") for name in differences)), _RULE, "sweep", gate=False,
    )  # fmt: skip


def _memory(scores: Sequence[Score], scorer: Scorer) -> Finding:
    """Say from which checkpoint on training patients are told from others."""
    from ecgeval.compare.multiplicity import benjamini_hochberg

    rule = (
        "FAIL if any checkpoint's p, adjusted over checkpoints (Benjamini-Hochberg), is at most "
        "0.01, or more records are named copies of training patients than of others; else "
        "INCONCLUSIVE, for a quick look clears nothing. No gate: the audit of the chosen "
        "checkpoint is one."
    )

    def finding(verdict: Verdict, title: str, text: str = "", ids: Sequence[str] = ()) -> Finding:
        return Finding("SWEEP-MEMORY", verdict, title, text, tuple(ids), rule, "sweep", False)

    if scorer.memory is None:
        return finding(
            Verdict.NOT_ASSESSABLE, "Memory of patients cannot be looked for without `train`"
        )
    if not scorer.memory.alike:
        return finding(
            Verdict.NOT_ASSESSABLE,
            "Training and choosing patients were not drawn alike (energy test, "
            f"p = {scorer.memory.alike_p:.2g}): a closer one shows nothing",
        )
    looked = [s for s in scores if s.look is not None and s.look.auc]
    if not looked:
        return finding(Verdict.NOT_ASSESSABLE, "No record of any checkpoint could be compared")
    adjusted = benjamini_hochberg([s.look.p for s in looked if s.look])
    told = [s for s, q in zip(looked, adjusted, strict=True) if q <= 0.01]
    copied = [s for s in looked if s.copies]
    last = looked[-1]
    assert last.look is not None
    auc = ", ".join(f"{name} {a:.2f} ({_range(ci)})" for name, a, ci in last.look.auc)
    text = f"AUC of training against other patients at {last.name}: {auc}; 0.5 is no trace."
    ids = [_id(last.name, f"memory_{name.lower()}") for name, *_ in last.look.auc]
    if told or copied:
        parts = []
        if told:
            parts.append(f"training patients are told from others at {_listed(told)}")
        if copied:
            parts.append(f"records are named copies of training patients at {_listed(copied)}")
        title = " and ".join(parts)
        return finding(Verdict.FAIL, title[0].upper() + title[1:], text, ids)
    title = f"No memory of training patients was seen at {len(looked)} checkpoints"
    return finding(Verdict.INCONCLUSIVE, title, text, ids)


def _listed(scores: Sequence[Score]) -> str:
    first = scores[0].name
    return first if len(scores) == 1 else f"{len(scores)} checkpoints, first {first}"


def _id(checkpoint: str, statistic: str) -> str:
    return ".".join(("sweep", re.sub(r"[^\w-]", "_", checkpoint), statistic))


def _with(e: Energy) -> str:
    return f"{e.value:.3f} ({_range(e.ci, 3)})"


def _range(pair: tuple[float, float], digits: int = 2) -> str:
    return f"{pair[0]:.{digits}f} to {pair[1]:.{digits}f}".replace("-", "−")


def _estimates(s: Score, scorer: Scorer) -> list[Estimate]:
    out = [_energy_estimate("energy", s.name, s.energy, scorer)]
    n, m = s.energy.n
    sizes: dict[str, Any] = {
        "n_real": n, "n_synth": m, "patients_real": s.energy.patients[0],
        "seed": scorer.worker.config.seed,
    }  # fmt: skip
    out.append(
        Estimate(
            _id(s.name, "gates_passed"), s.gates[0], better="higher",
            label=f"{s.name}: declared medians and spreads that are equivalent",
            method=f"two one-sided tests at 5 %, of {s.gates[1]}", **sizes,
        )
    )  # fmt: skip
    out.append(replace(s.normal, id=_id(s.name, "pass_diff"), label=f"{s.name}: {s.normal.label}"))
    if s.look is None:
        return out
    train = scorer.form[1]
    both = {
        **sizes, "n_real": len(train) + n, "n_synth": s.look.n,
        "patients_real": len(set(scorer.patients[1])) + s.energy.patients[0],
    }  # fmt: skip
    for name, value, ci in s.look.auc:
        out.append(
            Estimate(
                _id(s.name, f"memory_{name.lower()}"), value, ci, s.look.p, better="near_null",
                null=0.5, label=f"{s.name}: exchangeability AUC, {name}",
                method="training against choosing patients; CI Newcombe; p of all detectors, 999 "
                "permutations of patients", **both,
            )
        )  # fmt: skip
    from ecgeval.privacy.copies import clopper_pearson

    low, high = clopper_pearson(s.look.copies, max(s.look.n, 1))
    out.append(
        Estimate(
            _id(s.name, "copies_count"), s.look.copies, (low * s.look.n, high * s.look.n),
            null=0, unit="records", better="lower",
            label=f"{s.name}: records named copies of training patients",
            method=f"rule of the audit, D2 and D4; of the choosing patients {s.look.control} by "
            "the same rule", **both,
        )
    )  # fmt: skip
    return out


def _energy_estimate(kind: str, name: str, e: Energy, scorer: Scorer) -> Estimate:
    words = {"energy": "to the choosing patients", "confirmed": "to the confirming patients"}
    return Estimate(
        _id(name, kind), e.value, e.ci, floor=e.floor, n_real=e.n[0], n_synth=e.n[1],
        patients_real=e.patients[0], better="lower", null=0,
        seed=scorer.worker.config.seed + (kind == "confirmed"),
        label=f"{name}: energy distance {words[kind]}",
        method="declared measures, scaled by the real patients; CI bootstrap of patients and "
        "records",
    )  # fmt: skip


def _difference_estimate(
    name: str, difference: tuple[float, tuple[float, float]], e: Energy, scorer: Scorer
) -> Estimate:
    return Estimate(
        _id(name, "chosen_less"), difference[0], difference[1], n_real=e.n[0], n_synth=e.n[1],
        patients_real=e.patients[0], better="lower", null=0, seed=scorer.worker.config.seed + 1,
        label=f"energy distance of the chosen checkpoint less that of {name}",
        method="confirming patients; paired bootstrap of patients and records, Bonferroni",
    )  # fmt: skip


def _table(scores: Sequence[Score], chosen: Score) -> Table:
    def row(s: Score) -> tuple[Any, ...]:
        look = s.look
        auc: list[Any] = [f"{a:.2f} ({_range(ci)})" for _, a, ci in look.auc] if look else []
        share = s.normal
        return (
            s.name, "chosen" if s is chosen else "", _with(s.energy),
            f"{s.gates[0]} of {s.gates[1]}",
            None if share.value is None else f"{share.value:+.1f}"
            + (f" ({_range(share.ci, 1)})" if share.ci else ""),
            *(auc or [None, None]), look.p if look and look.auc else None,
            look.copies if look else None, look.control if look else None,
            f"{s.usable} of {s.n}",
        )  # fmt: skip

    return Table(
        "sweep.checkpoints", "Every checkpoint",
        ("checkpoint", "", "energy distance (95 % CI)", "equivalent", "rule-normal, points",
         "AUC D2", "AUC D4", "memory p", "copies", "copies of others", "measured"),
        tuple(map(row, scores)),
        "Against the choosing patients. AUC: training against other patients, 0.5 is no trace.",
        "sweep",
    )  # fmt: skip


def _score_curves(rows: Sequence[Mapping[str, Any]], best: tuple[float, Energy] | None) -> Figure:
    """Return the scores over epochs, each beside its real-against-real floor."""
    x = [row["epoch"] for row in rows]

    def line(name: str, column: str, role: str, low: str = "", high: str = "") -> dict[str, Any]:
        kept = [r for r in rows if r.get(column) is not None]
        low, high = low or f"{column}_low", high or f"{column}_high"
        band = [[r.get(key) for r in kept] for key in (low, high)]
        known = all(v is not None for values in band for v in values)
        return {
            "name": name, "x": [r["epoch"] for r in kept], "y": [r[column] for r in kept],
            "low": band[0] if known else None, "high": band[1] if known else None, "role": role,
        }  # fmt: skip

    def floor(low: str, high: str) -> dict[str, Any]:
        ends = [[r.get(key) for r in rows] for key in (low, high)]
        middle = [None if None in pair else sum(pair) / 2 for pair in zip(*ends, strict=True)]
        known = None not in middle
        return {
            "name": "real against real", "x": x if known else [], "y": middle if known else [],
            "low": ends[0] if known else None, "high": ends[1] if known else None, "role": "floor",
        }  # fmt: skip

    energy = [floor("floor_low", "floor_high"), line("choosing patients", "energy", "synth")]
    if best is not None:
        e = best[1]
        energy.append({"name": "confirmed", "x": [best[0]], "y": [e.value], "low": [e.ci[0]],
                       "high": [e.ci[1]], "role": "real"})  # fmt: skip
    panels: list[tuple[str, str, float | None, list[dict[str, Any]]]] = [
        ("Energy distance", "declared measures, together", 0, energy),
        ("Equivalent measures", f"medians and spreads, of {rows[0]['gates_of']:g}", None,
         [line("passed", "gates", "synth")]),
        ("Rule-normal records", "synthetic less real, points", 0,
         [floor("normal_floor_low", "normal_floor_high"),
          line("strict limits", "normal_diff", "synth", "normal_low", "normal_high")]),
    ]  # fmt: skip
    if any(r.get("memory_p") is not None for r in rows):
        panels.append(
            ("Memory of patients", "AUC, training against others", 0.5,
             [line("D2, record", "auc_D2", "synth"), line("D4, beat", "auc_D4", "third")])
        )  # fmt: skip
    return Figure(
        "sweep.scores", "curves", "Scores over training",
        {"panels": [
            {"title": title, "xlabel": "epoch", "ylabel": ylabel, "null": null, "series": series}
            for title, ylabel, null, series in panels
        ]},
        "Bands are 95 % intervals; grey: the same statistic between halves of the real patients, "
        "scaled to these sizes.", "sweep",
    )  # fmt: skip


# ---- scores while training ----------------------------------------------------------------------


def _append(path: Path, scorer: Scorer, checkpoints: Sequence[Path]) -> None:
    """Write a row of scores for each checkpoint that has none of the same kind yet."""
    kind = {
        "against": scorer.people.choose.fingerprint()[:12], "records": scorer.n,
        "seed": scorer.worker.config.seed,
    }  # fmt: skip
    kept = [r for r in _read(path) if all(r.get(k) == v for k, v in kind.items())]
    scored = {r["checkpoint"] for r in kept}
    kept += [scorer(p, i).row() | kind for i, p in enumerate(checkpoints) if p.stem not in scored]
    kept.sort(key=lambda r: r["epoch"])
    partial = path.with_suffix(".partial")
    with partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(kept[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(kept)
    partial.replace(path)


def _read(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a table of scores, numbers as numbers, empty cells as None."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [{k: _number(k, v) for k, v in row.items()} for row in csv.DictReader(file)]


def _number(column: str, text: str) -> Any:
    if text == "":
        return None
    return text if column in ("checkpoint", "against") else float(text)


# ---- pictures ------------------------------------------------------------------------------------


def _samples(path: Path, device: str) -> Figure:
    ecgs = sets.read(path, n=_SAMPLES, device=device)
    uv = np.rint(np.asarray(ecgs.signals[:]) * 1000).astype(int)
    records = [
        {"id": name, "set": "synth", "uv": dict(zip(ecgs.leads, one.tolist(), strict=True))}
        for name, one in zip(ecgs.ids, uv, strict=True)
    ]
    return Figure(
        "training.samples", "ecg_paper", f"Samples of {path.stem}",
        {"fs": ecgs.fs, "leads": list(ecgs.leads), "records": records},
    )  # fmt: skip


def _curves(history: Path) -> Figure:
    """Return losses over epochs; of a long history 400 points, each the mean of its part."""
    import pandas as pd

    table = pd.read_csv(history)
    part = np.arange(len(table)) * min(400, len(table)) // len(table)
    table = table.groupby(part).mean()
    panels = [
        {
            "title": title, "xlabel": "epoch", "ylabel": "", "null": 0,
            "series": [{"name": name, "x": table["epoch"].tolist(), "y": table[column].tolist(),
                        "low": None, "high": None, "role": role}],
        }
        for title, name, column, role in (
            ("Wasserstein distance as the critic sees it", "real − synthetic", "distance", "real"),
            ("Gradient penalty", "mean (slope − 1)²", "penalty", "third"),
            ("Generator loss", "− critic score", "generator_loss", "synth"),
        )
    ]  # fmt: skip
    return Figure("training.history", "curves", "Training", {"panels": panels})


def _draw(path: Path, figure: Figure) -> None:
    from ecgeval.report.figures import draw

    drawing = draw(figure)
    if drawing is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(drawing.svg, encoding="utf-8")
