"""Real ECGs beside those of each generator, on ECG paper."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ecgeval.ecgset import EcgSet
from ecgeval.paper.arms import Arm
from ecgeval.paper.setting import Setting, described
from ecgeval.parallel import child_rng
from ecgeval.pipeline.pictures import drawn_record
from ecgeval.results import Figure, Results

__all__ = ["strips"]


_STRIPS = 2  # records of either set on ECG paper


def strips(setting: Setting) -> Results:
    """Return real ECGs beside those of each generator, drawn at random, on ECG paper."""
    drawn = []
    arms = setting.arms
    with_waves = [arm for arm in arms.real if isinstance(arm.ecgs, EcgSet)]
    real = _drawn(setting, with_waves, "real")
    for arm in arms.synth:
        shown = real + _drawn(setting, [arm], "synth")
        whence = "; ".join(a.source for a in (*with_waves, arm))
        text = f"Drawn at random, 25 mm/s and 10 mm/mV. {whence}."
        if not with_waves:
            text += " No waveforms of real ECGs could be had: only DeepFakes are shown."
        if shown:
            data = {"fs": 250.0, "leads": list(arm.ecgs.leads), "records": shown}
            title = f"Real ECGs beside {arm.title}" if real else arm.title
            drawn.append(Figure(f"strips.{arm.key}", "ecg_paper", title, data, text, "strips"))
    beside = "Real ECGs beside DeepFakes" if real else "DeepFakes"
    head = described("strips", "Example ECGs", f"{beside}, none of them chosen.")
    return Results(sections=(head,), figures=tuple(drawn))


def _drawn(setting: Setting, arms: Sequence[Arm], role: str) -> list[dict[str, Any]]:
    """Return records on which waves could be measured, by turns from each arm."""
    turns = []
    for arm in arms:
        assert isinstance(arm.ecgs, EcgSet)
        usable = np.flatnonzero(setting.arms.features(arm, arm.ecgs).outcome == "")
        rng = child_rng(setting.seed, "strips", arm.key)
        rows = np.sort(rng.permutation(usable)[:_STRIPS])
        traces = [drawn_record(arm.ecgs, int(row), role) for row in rows]
        turns.append([t | {"id": f"{arm.title}, {t['id']}"} for t in traces])
    return [t for k in range(_STRIPS) for turn in turns for t in turn[k : k + 1]][:_STRIPS]
