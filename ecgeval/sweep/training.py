"""Training that is looked at: samples, curves and, where asked for, scores at every checkpoint."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ecgeval import sets
from ecgeval.ecgset import EcgSet
from ecgeval.errors import UsageError
from ecgeval.io import is_store
from ecgeval.parallel import Progress, quiet
from ecgeval.pipeline import run as pipeline
from ecgeval.pipeline.config import make
from ecgeval.results import Figure
from ecgeval.sweep.scoring import RECORDS, Scorer, people_unseen
from ecgeval.sweep.tables import score_curves

if TYPE_CHECKING:
    from ecgeval.generators.training import History, Settings

__all__ = ["train"]

_SAMPLES = 4  # records drawn at each checkpoint, always from the same noise


def train(
    data: EcgSet | str | Path,
    out: str | os.PathLike[str],
    settings: Settings | None = None,
    *,
    device: str = "cpu",
    assume_independent: bool = False,
    score: EcgSet | str | Path | None = None,
    score_records: int = RECORDS,
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
    from ecgeval.generators.training import Settings, training_record
    from ecgeval.generators.training import train as fit

    folder, ecgs = Path(out), sets.read(data, progress=progress)
    if is_store(folder):
        raise UsageError(f"{folder} is a store of ECGs; choose another folder for the run")
    settings, scorer = settings or Settings(), None
    scores = folder / "scores.csv"
    if score is not None:  # what stands in the way of scores is said before hours of training
        config = make(assume_independent=assume_independent)
        worker = pipeline.Run(config, jobs=jobs, cache=cache, device=device)
        record = training_record(ecgs, settings, assume_independent=assume_independent)
        people = people_unseen(worker, record, f"{out}", sets.read(score, progress=progress))
        scorer = Scorer(worker, people, score_records)

    def after(path: Path, _: History) -> None:
        _draw(folder / "samples" / f"{path.stem}.svg", _samples(path, device))
        _draw(folder / "history.svg", _curves(folder / "history.csv"))
        if scorer is None:
            return
        files = sets.checkpoints(folder)
        # A later one was written and the run stopped; it will be written again, and called with.
        _append(scores, scorer, files[: files.index(path) + 1])
        _draw(folder / "scores.svg", score_curves(_numbers(_read(scores)), None))

    return fit(
        ecgs,
        folder,
        settings,
        device=device,
        assume_independent=assume_independent,
        after=after,
        progress=progress,
    )


def _append(path: Path, scorer: Scorer, checkpoints: Sequence[Path]) -> None:
    """Write a row of scores for each checkpoint that has none of the same kind yet.

    Cells that are there stay as they are, so that the table does not show how often it was written.
    """
    kind = {
        "against": scorer.people.choose.fingerprint()[:12],
        "records": scorer.n,
        "seed": scorer.worker.config.seed,
    }
    kept = [r for r in _read(path) if all(r.get(k) == str(v) for k, v in kind.items())]
    scored = {r["checkpoint"] for r in kept}
    for place, checkpoint in enumerate(checkpoints):
        if checkpoint.stem not in scored:
            row = scorer(checkpoint, place).row() | kind
            kept.append({k: "" if v is None else str(v) for k, v in row.items()})
    kept.sort(key=lambda r: float(r["epoch"]))
    partial = path.with_suffix(".partial")
    with partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(kept[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(kept)
    partial.replace(path)


def _read(path: Path) -> list[dict[str, str]]:
    """Return the rows of a table of scores, as text."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _numbers(rows: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
    """Return the rows with numbers as numbers and empty cells as None."""
    return [{k: _number(k, v) for k, v in row.items()} for row in rows]


def _number(column: str, text: str) -> Any:
    if text == "":
        return None
    return text if column in ("checkpoint", "against") else float(text)


def _samples(path: Path, device: str) -> Figure:
    ecgs = sets.read(path, n=_SAMPLES, device=device)
    uv = np.rint(np.asarray(ecgs.signals[:]) * 1000).astype(int)
    records = [
        {"id": name, "set": "synth", "uv": dict(zip(ecgs.leads, one.tolist(), strict=True))}
        for name, one in zip(ecgs.ids, uv, strict=True)
    ]
    return Figure(
        "training.samples",
        "ecg_paper",
        f"Samples of {path.stem}",
        {"fs": ecgs.fs, "leads": list(ecgs.leads), "records": records},
    )


def _curves(history: Path) -> Figure:
    """Return losses over epochs; of a long history 400 points, each the mean of its part."""
    import pandas as pd

    table = pd.read_csv(history)
    part = np.arange(len(table)) * min(400, len(table)) // len(table)
    table = table.groupby(part).mean()
    panels = [
        {
            "title": title,
            "xlabel": "epoch",
            "ylabel": "",
            "null": 0,
            "series": [
                {
                    "name": name,
                    "x": table["epoch"].tolist(),
                    "y": table[column].tolist(),
                    "low": None,
                    "high": None,
                    "role": role,
                }
            ],
        }
        for title, name, column, role in (
            ("Wasserstein distance", "critic: real − synthetic", "distance", "real"),
            ("Gradient penalty", "mean (slope − 1)²", "penalty", "third"),
            ("Generator loss", "− critic score", "generator_loss", "synth"),
        )
    ]
    return Figure("training.history", "curves", "Training", {"panels": panels})


def _draw(path: Path, figure: Figure) -> None:
    from ecgeval.report.figures import draw

    drawing = draw(figure)
    if drawing is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(drawing.svg, encoding="utf-8")
