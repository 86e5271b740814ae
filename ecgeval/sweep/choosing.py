"""The sweep: every checkpoint scored, one chosen, and the choice confirmed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ecgeval import sets
from ecgeval.ecgset import EcgSet
from ecgeval.errors import DataError, UsageError
from ecgeval.parallel import Progress, quiet
from ecgeval.pipeline import run as pipeline
from ecgeval.pipeline.config import PART_NAMES, RunConfig, make
from ecgeval.pipeline.features import trim_cache
from ecgeval.results import Results
from ecgeval.sweep.findings import report
from ecgeval.sweep.scoring import RECORDS, Score, Scorer, people_of

__all__ = ["choose", "rivals", "run", "sweep"]


def sweep(
    checkpoints: str | Path | Sequence[str | Path],
    real: EcgSet | str | Path | None = None,
    *,
    holdout: EcgSet | str | Path | None = None,
    train: EcgSet | str | Path | None = None,
    n: int = RECORDS,
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
        Section ``sweep`` (describes), then those of the confirming comparison and audit. A
        checkpoint that cannot be read is left out and named in SWEEP-DAMAGED.

    Raises
    ------
    UsageError
        If no checkpoint, or no patients unseen in training, are given.
    DataError
        If fewer than 40 such patients are left, or no checkpoint can be used.
    """
    config = make(
        seed=seed,
        method=method,
        quick=quick,
        assume_independent=assume_independent,
        compare={"margins": margins, "parts": tuple(parts)},
    )
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
    notify: Callable[[str], None] = pipeline.ignore_message,
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
            ("real", config.real),
            ("train", config.train),
            ("holdout", config.holdout),
        )
    }
    paths = sets.checkpoints(config.synth.source)
    results = _sweep(worker, paths, config.synth.n or RECORDS, **given)
    if cache is not None:
        trim_cache(cache)
    return results, worker


def _sweep(
    worker: pipeline.Run,
    paths: Sequence[Path],
    n: int,
    *,
    real: EcgSet | None,
    train: EcgSet | None,
    holdout: EcgSet | None,
) -> Results:
    if not paths:
        raise UsageError("no checkpoint was given; expected files ending in .pt, .pth or .ckpt")
    paths, skipped = _readable(paths)
    people = people_of(worker, paths[-1], real, train, holdout)
    scorer = Scorer(worker, people, n)
    scores = []
    with worker.timed("score checkpoints"):
        for place, path in enumerate(paths):
            worker.progress("score checkpoints", place, len(paths))
            scores.append(scorer(path, place))
        worker.progress("score checkpoints", len(paths), len(paths))
    chosen = choose(scores)
    confirmed = {
        s.name: scorer.energy(s.path, people.confirm, worker.config.seed + 1)
        for s in (chosen, *rivals(scores, chosen))
    }
    results = report(scores, chosen, confirmed, scorer, skipped)
    fresh = scorer.fresh(chosen.path, worker.config.seed + 1)
    if worker.config.compare.parts:
        show = worker.config.show_traces or people.train is None
        results = results + worker.compare(people.confirm, fresh, show_records=show)
        if not show:
            worker.measures.pop("real", None)  # clear ids of patients do not leave an audit
        if people.train is not None:
            results = results + worker.audit(
                people.train, people.confirm, fresh, critic=worker.critic_of(chosen.path)
            )
    manifest = worker.manifest(
        train=people.train, choose=people.choose, confirm=people.confirm, synth=fresh
    )
    return results.with_manifest(manifest | {"checkpoints": [_identity(s) for s in scores]})


def _readable(paths: Sequence[Path]) -> tuple[list[Path], dict[str, str]]:
    """Return the checkpoints that can be loaded, and why each of the others cannot, by file name.

    A run that was stopped while it wrote leaves a file cut short; that is no reason to score none.
    """
    from ecgeval.generators.checkpoints import load

    kept, skipped = [], {}
    for path in paths:
        try:
            load(path)
        except DataError as error:
            skipped[path.name] = str(error).replace(str(path), path.name)
        else:
            kept.append(path)
    if not kept:
        head = f"none of {len(paths)} checkpoints can be used; the first: "
        raise DataError(head * (len(paths) > 1) + next(iter(skipped.values())))
    return kept, skipped


def _identity(score: Score) -> dict[str, Any]:
    from ecgeval.generators.checkpoints import load

    return {"file": score.path.name, "sha256": load(score.path).sha256}


def choose(scores: Sequence[Score]) -> Score:
    """Return the checkpoint of the least energy distance among those that show no copies."""
    allowed = [s for s in scores if not s.copies] or list(scores)
    return min(allowed, key=lambda s: (s.energy.value, s.epoch))


def rivals(scores: Sequence[Score], chosen: Score) -> list[Score]:
    """Return the next best checkpoint and the last one, which a run without a sweep would give."""
    others = [s for s in scores if s is not chosen]
    if not others:
        return []
    return list(dict.fromkeys([choose(others), *(s for s in scores[-1:] if s is not chosen)]))
