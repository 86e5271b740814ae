"""Why the study's privacy claim cannot be audited from outside."""

from __future__ import annotations

import pandas as pd

from ecgeval.paper.checks import PRIVACY
from ecgeval.paper.setting import Setting, described
from ecgeval.results import Results, Table, Verdict

__all__ = ["privacy"]


def privacy(setting: Setting) -> Results:
    """Return that the study's claim cannot be audited, why, and what can be done."""
    text = (
        "The study holds that its DeepFakes are not linked to patients. That cannot be tested from "
        "outside: all 7,233 real ECGs were training data, so there is no holdout of the same "
        "population, and the ECGs are not public. The real sets named here are outsiders, whom the "
        "generator never saw: to audit it against them is no audit, so none was run."
    )
    can = [
        {
            "who": "the authors, or whoever holds the 7,233 ECGs and as many others of the "
            "hospital",
            "can": "a copy search and an exchangeability test of the published set against "
            "training "
            "patients and others",
            "command": "ecgeval audit --train T --holdout H --synth deepfake:0-149999 --out DIR",
        },
        {
            "who": "whoever trains such a generator again",
            "can": "hold patients out, keep the list, and audit every checkpoint",
            "command": "ecgeval train pulse2pulse --data SET --holdout 0.2 --out RUN; ecgeval run "
            "sweep.toml",
        },
        {
            "who": "whoever has such a generator alone",
            "can": "nothing that clears it; see with planted copies what an audit of these sizes "
            "would find",
            "command": "ecgeval audit ... --bench",
        },
    ]
    known = [
        {"generator": arm.title, "trained_on": arm.trained_on or "unknown"}
        for arm in setting.arms.synth
    ]
    head = described("privacy", "The privacy audit the study did not have", text)
    return Results(
        sections=(head,),
        findings=(
            PRIVACY.finding(
                Verdict.NOT_ASSESSABLE,
                "Whether the published generator leaks patients cannot be assessed: every real ECG "
                "of the study was training data, and none is public",
                text,
                section="privacy",
                rule="Needs the generator's training patients and others of the same population "
                "that it has never seen.",
            ),
        ),
        tables=(
            Table.of(pd.DataFrame(can), "privacy", "What can be done", section="privacy"),
            Table.of(
                pd.DataFrame(known),
                "privacy_training",
                "What is known of the training sets",
                section="privacy",
            ),
        ),
    )
