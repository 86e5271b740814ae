"""A generator looked at while it learns: samples on ECG paper and curves at every checkpoint."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ecgeval import sets
from ecgeval.ecgset import EcgSet
from ecgeval.parallel import Progress, quiet
from ecgeval.results import Figure

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
    progress: Progress = quiet,
) -> Path:
    """Train a generator, and draw what it makes at every checkpoint that is kept.

    Parameters
    ----------
    data : EcgSet or SET
        Records of patients, or what `ecgeval.read` accepts.
    out : path
        Folder of the run (see `ecgeval.generators.training.train`); ``samples/epoch-NNNNN.svg``
        and ``history.svg`` beside the checkpoints.
    settings : Settings, optional
    device : str
    assume_independent : bool
        Count records without a patient id as patients of their own.
    progress : callable

    Returns
    -------
    Path
        The last checkpoint.
    """
    from ecgeval.generators.training import train as run

    folder = Path(out)

    def after(path: Path, _: History) -> None:
        _draw(folder / "samples" / f"{path.stem}.svg", _samples(path, device))
        _draw(folder / "history.svg", _curves(folder / "history.csv"))

    return run(
        sets.read(data, progress=progress), folder, settings, device=device,
        assume_independent=assume_independent, after=after, progress=progress,
    )  # fmt: skip


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
