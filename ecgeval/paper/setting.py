"""What every product of the evaluation needs, and the figures that the authors printed."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from ecgeval.comparison.margins import Margins
from ecgeval.paper.arms import Arm, Arms
from ecgeval.paper.checks import STATISTICS
from ecgeval.results import Estimate, Section

__all__ = ["Setting", "published_figures"]


STUDY = "Thambawita et al., Sci Rep 2021;11:21896, doi:10.1038/s41598-021-01295-2"


@dataclass(frozen=True, eq=False)
class Setting:
    """What every product needs.

    Parameters
    ----------
    arms : Arms
    margins : Margins
    seed : int
    quick : bool
    article : mapping
        As of `ecgeval.paper.article.read_article`.
    """

    arms: Arms
    margins: Margins
    seed: int
    quick: bool
    article: Mapping[str, Any]

    @property
    def pairs(self) -> list[tuple[Arm, Arm]]:
        return [(real, synth) for real in self.arms.real for synth in self.arms.synth]


@cache
def published_figures() -> dict[str, Any]:
    """Return what the authors printed of the published normal DeepFakes (``published.toml``)."""
    text = files("ecgeval.paper").joinpath("published.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def described(slug: str, title: str, summary: str = "") -> Section:
    """Return a section that decides nothing."""
    return Section(slug, title, summary, gate=False)


def estimate(id: str, value: float | None, **rest: Any) -> Estimate:
    """Return an estimate with direction, null value and unit of the catalogue."""
    about = STATISTICS[id.rpartition(".")[2]]
    given: dict[str, Any] = {"better": about.better, "null": about.null, "unit": about.unit or ""}
    if value is not None and not math.isfinite(value):
        value = None
    return Estimate(id, value, **(given | rest))
