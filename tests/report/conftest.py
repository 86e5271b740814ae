"""A results object with every kind of figure, table and verdict, from simulated ECGs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ecgeval.measures import measure_info
from ecgeval.results import Estimate, Figure, Finding, Results, Section, Table, Verdict

COLUMNS = {
    "hr_bpm": (70, 11),
    "p_dur_ms": (104, 12),
    "pr_ms": (156, 20),
    "qrs_ms": (92, 9),
    "qt_ms": (392, 28),
    "qtcf_ms": (409, 20),
    "jt_ms": (300, 27),
    "p_amp_II_mv": (0.12, 0.04),
    "r_amp_V5_mv": (1.3, 0.4),
    "t_amp_V2_mv": (0.45, 0.2),
    "stj_V5_mv": (0.01, 0.03),
    "qrs_axis_deg": (48, 30),
}
WAVE = 1000 / 500  # ms a sample


def microvolts(ecgs, row):
    block = np.round(np.asarray(ecgs.signals[row]) * 1000).astype(int)
    return {lead: block[k].tolist() for k, lead in enumerate(ecgs.leads)}


def distribution(name, real, synth):
    info = measure_info(name)
    edges = np.histogram_bin_edges(np.r_[real, synth], 36)
    return {
        "name": name,
        "label": info.label,
        "unit": info.unit,
        "edges": edges.tolist(),
        "real": np.histogram(real, edges)[0].tolist(),
        "synth": np.histogram(synth, edges)[0].tolist(),
        "median_real": float(np.median(real)),
        "median_synth": float(np.median(synth)),
        "n_real": len(real),
        "n_synth": len(synth),
    }


def make_results(sim, *, records=3, prefix="") -> Results:
    """Return results as a run would write them; `prefix` goes before every untrusted string."""
    rng = np.random.default_rng(7)
    real, synth = sim(records, seed=1), sim(records, seed=2)
    n, m = 238, 400
    values = {
        c: (rng.normal(mu, sd, n), rng.normal(mu + 0.25 * sd * (k % 3 - 1), sd * 0.9, m))
        for k, (c, (mu, sd)) in enumerate(COLUMNS.items())
    }
    estimates, rows, effects = [], [], []
    for c, (x, y) in values.items():
        info = measure_info(c)
        delta = float(np.mean(y[:, None] > x[None]) * 2 - 1)
        diff = float(np.median(y) - np.median(x))
        common = {
            "n_real": n,
            "n_synth": m,
            "patients_real": n,
            "patients_synth": None,
            "seed": 0,
            "label": info.label,
        }
        estimates += [
            Estimate(
                f"fidelity.{c}.cliffs_delta",
                delta,
                (delta - 0.09, delta + 0.09),
                0.0123,
                (-0.09, 0.09),
                better="near_null",
                null=0.0,
                p_adjusted=0.03,
                method="patient bootstrap, 2,000 draws",
                **common,
            ),
            Estimate(
                f"fidelity.{c}.median_diff",
                diff,
                (diff - 1, diff + 1),
                None,
                (-abs(diff), abs(diff)),
                unit=info.unit,
                better="near_null",
                null=0.0,
                method="Harrell-Davis medians, patient bootstrap",
                **common,
            ),
            Estimate(
                f"fidelity.{c}.ks",
                abs(delta) / 1.6,
                (0.02, abs(delta)),
                1e-4,
                (0.03, 0.11),
                better="lower",
                null=None,
                p_adjusted=0.0008,
                method="permutation of patients, 9,999 draws",
                **common,
            ),
        ]
        rows.append(
            (
                prefix + info.label,
                float(np.median(x)),
                float(np.median(y)),
                diff,
                info.unit,
                abs(diff) < 3,
            )
        )
        group = "amplitudes" if info.unit == "mV" else "intervals and axes"
        effects.append(
            {
                "label": info.label,
                "value": delta,
                "ci": [delta - 0.09, delta + 0.09],
                "floor": [-0.09, 0.09],
                "group": group,
            }
        )
    edges = np.linspace(0.2, 1, 33)
    near = rng.beta(8, 4, (3, 2000)) * 0.8 + 0.2
    null_edges = np.linspace(0.4, 0.6, 31)
    rr = {s: rng.normal(860, 130, 600) for s in ("real", "synthetic")}
    qt = {s: 240 + 0.17 * x + rng.normal(0, 14, len(x)) for s, x in rr.items()}
    t = np.arange(550)
    bump = np.exp(-0.5 * ((t - 200) / 8) ** 2) + 0.3 * np.exp(-0.5 * ((t - 350) / 25) ** 2)
    band = {lead: bump * g for lead, g in zip(real.leads, np.linspace(0.4, 1.6, 8), strict=True)}
    figures = (
        Figure(
            "fidelity.distributions",
            "distributions",
            "Intervals and amplitudes",
            {"measures": [distribution(c, *v) for c, v in values.items()]},
            "Density of each measure; the tick under the axis is the median.",
            "fidelity",
        ),
        Figure(
            "fidelity.effects",
            "effects",
            "How far apart, in units of overlap",
            {"rows": effects, "xlabel": "Cliff's δ (synthetic minus real)", "null": 0},
            "Point and 95 % interval; the grey band is what real against real gives.",
            "fidelity",
        ),
        Figure(
            "fidelity.qt_rr",
            "scatter",
            "QT against RR",
            {
                "xlabel": "RR, ms",
                "ylabel": "QT, ms",
                "sets": [
                    {
                        "name": s,
                        "x": rr[s].tolist(),
                        "y": qt[s].tolist(),
                        "slope": 0.17,
                        "intercept": 240.0,
                        "r2": 0.61,
                        "n": 600,
                    }
                    for s in rr
                ],
            },
            "Least-squares lines over all records.",
            "fidelity",
        ),
        Figure(
            "fidelity.ecg",
            "ecg_paper",
            "Real and synthetic on ECG paper",
            {
                "fs": 500,
                "leads": list(real.leads),
                "records": [
                    {
                        "id": f"{prefix}{ecgs.ids[k]}",
                        "set": s,
                        "uv": microvolts(ecgs, k),
                        "marks": {"R_peak": [300, 700, 1100], "P_on": [200, 600], "T_off": [480]}
                        if k == 0
                        else None,
                    }
                    for k in range(records)
                    for s, ecgs in (("real", real), ("synth", synth))
                ],
            },
            "25 mm/s, 10 mm/mV.",
            "fidelity",
        ),
        Figure(
            "fidelity.beats",
            "beats",
            "Representative beats",
            {
                "fs": 500,
                "zero": 200,
                "leads": list(real.leads),
                "sets": [
                    {
                        "name": name,
                        "median": {k: (v * g).round(4).tolist() for k, v in band.items()},
                        "low": {k: (v * g - 0.1).round(4).tolist() for k, v in band.items()},
                        "high": {k: (v * g + 0.1).round(4).tolist() for k, v in band.items()},
                    }
                    for name, g in (("real", 1.0), ("synthetic", 0.85))
                ],
            },
            "Median over records and the central 90 %.",
            "fidelity",
        ),
        Figure(
            "fidelity.roc",
            "roc",
            "Telling them apart from the measures",
            {
                "curves": [
                    {
                        "name": "logistic",
                        "fpr": np.linspace(0, 1, 40).tolist(),
                        "tpr": (np.linspace(0, 1, 40) ** 0.5).tolist(),
                        "auc": 0.667,
                    }
                ]
            },
            "Held-out patients.",
            "fidelity",
        ),
        Figure(
            "privacy.null",
            "null",
            "Exchangeability of train and holdout",
            {
                "values_edges": null_edges.tolist(),
                "counts": np.histogram(rng.normal(0.5, 0.03, 9999), null_edges)[0].tolist(),
                "observed": 0.561,
                "p": 0.021,
                "xlabel": "AUC, train against holdout",
            },
            "Labels of whole patients permuted.",
            "privacy",
        ),
        Figure(
            "privacy.neighbours",
            "neighbours",
            "Nearest neighbours",
            {
                "xlabel": "similarity",
                "edges": edges.tolist(),
                "threshold": 0.95,
                "series": [
                    {"name": name, "counts": np.histogram(v, edges)[0].tolist()}
                    for name, v in zip(
                        ("synthetic to train", "synthetic to holdout", "holdout to train"),
                        near,
                        strict=True,
                    )
                ],
            },
            "",
            "privacy",
        ),
        Figure(
            "privacy.pairs",
            "pairs",
            "Nearest pairs",
            {
                "fs": 500,
                "leads": list(real.leads),
                "pairs": [
                    {
                        "title": f"{prefix}{synth.ids[0]}",
                        "synth": microvolts(synth, 0),
                        "real": microvolts(real, 0),
                        "lag_ms": 120,
                        "similarity": 0.91,
                    }
                ],
            },
            "Shown because traces were asked for.",
            "privacy",
        ),
        Figure(
            "quality.beat",
            "marked_beat",
            "Annotated and found marks",
            {
                "title": f"a method on {prefix}7; PR 150 ms",
                "fs": 500,
                "zero": 200,
                "uv": {k: (1000 * v).round().astype(int).tolist() for k, v in band.items()},
                "names": ["P_on", "R_peak", "T_off"],
                "reference": {key: [-160.0, 0.0, 320.5] for key in band},
                "found": {key: [-156.0, 2.0, None] for key in band},
            },
            "",
            "quality",
        ),
        Figure(
            "fidelity.shift",
            "curves",
            "Shift function",
            {
                "panels": [
                    {
                        "title": f"QRS {prefix}",
                        "xlabel": "quantile",
                        "ylabel": "ms",
                        "null": 0,
                        "series": [
                            {
                                "name": "synthetic − real",
                                "x": [0.1, 0.5, 0.9],
                                "y": [-2, -1, 1],
                                "low": [-3, -2, 0],
                                "high": [-1, 0, 2],
                                "role": "synth",
                            },
                            {
                                "name": "real against real",
                                "x": [0.1, 0.5, 0.9],
                                "y": [0, 0, 0],
                                "low": None,
                                "high": None,
                                "role": "floor",
                            },
                        ],
                    }
                ]
            },
            "",
            "fidelity",
        ),
        Figure(
            "fidelity.correlation",
            "heat",
            "Correlation",
            {
                "panels": [
                    {
                        "title": f"real {prefix}",
                        "rows": ["RR", "QT"],
                        "columns": ["RR", f"QT {prefix}"],
                        "values": [[1, 0.8], [0.8, None]],
                        "low": -1,
                        "high": 1,
                        "unit": "",
                    }
                ]
            },
            "",
            "fidelity",
        ),
        Figure(
            "fidelity.look",
            "occlusion",
            "Where the classifier looks",
            {
                "fs": 500,
                "zero": 200,
                "leads": [
                    {
                        "name": key,
                        "uv": (1000 * v).round().astype(int).tolist(),
                        "weight": np.linspace(0, 1, len(v)).tolist(),
                    }
                    for key, v in band.items()
                ],
            },
            "",
            "fidelity",
        ),
        Figure(
            "other.new",
            "a_kind_of_tomorrow",
            "A kind this version does not know",
            {"x": [1, 2, 3], "nested": {"y": 0.5}},
            "",
            "quality",
        ),
    )
    findings = (
        Finding(
            "FID-EQUIV",
            Verdict.INCONCLUSIVE,
            "QRS is 2.1 ms narrower in the synthetic set (90 % CI −3.4 to −0.9; margin ±6 ms)",
            "Ten of twelve primary measures lie inside their margins; two intervals cross. "
            "More synthetic records do not help: the interval is as wide as 238 patients make "
            "it.",
            ("fidelity.qrs_ms.median_diff", "fidelity.qt_ms.median_diff"),
            "PASS if the 90 % interval of every primary median difference lies inside its "
            "margin; FAIL if one lies wholly outside; otherwise INCONCLUSIVE.",
            "fidelity",
        ),
        Finding(
            "FID-KS",
            Verdict.FAIL,
            "8 of 12 measures differ after correction (q = 0.05)",
            "At this size a shift of 0.15 SD suffices, so this describes and does not decide.",
            ("fidelity.qrs_ms.ks",),
            "Descriptive.",
            "fidelity",
            False,
        ),
        Finding(
            "FID-MISSING",
            Verdict.PASS,
            "P waves are missing in 1.3 % of real and 1.5 % of synthetic records",
            "",
            (),
            "PASS if the 95 % interval of the difference lies inside ±3 points.",
            "fidelity",
        ),
        Finding(
            "PRIV-COPIES",
            Verdict.FAIL,
            f"20 of 400 records are copies: {prefix}sim2-0, …",
            "Each is more similar to one training record than any two people are to each "
            "other. Remove them, find why they were learnt by heart, and repeat the audit.",
            ("privacy.copies.count",),
            "FAIL if one record exceeds the absolute threshold.",
            "privacy",
        ),
        Finding(
            "PRIV-NOT-TESTED",
            Verdict.NOT_ASSESSABLE,
            "Membership inference was not run",
            "",
            (),
            "",
            "privacy",
            False,
        ),
        Finding(
            "DATA-QUALITY",
            Verdict.PASS,
            "No record is flat or clipped",
            "",
            (),
            "PASS if fewer than 1 % are.",
            "quality",
        ),
    )
    estimates.append(
        Estimate(
            "privacy.copies.count",
            20.0,
            (12.3, 30.6),
            None,
            (0.0, 0.0),
            238,
            400,
            better="lower",
            null=0.0,
            method="exact search",
            label="records that are copies",
        )
    )
    tables = (
        Table.of(
            pd.DataFrame(
                rows,
                columns=[
                    "measure",
                    "real median",
                    "synthetic median",
                    "difference",
                    "unit",
                    "inside margin",
                ],
            ),
            "fidelity.summary",
            "Primary measures",
            caption="Medians of 238 and 400 records.",
            section="fidelity",
        ),
        Table(
            "quality.records",
            "Records",
            ("record", "n", "note"),
            tuple((f"{prefix}rec{k}", k, None) for k in range(40)),
            section="quality",
        ),
    )
    sections = (
        Section("fidelity", "Fidelity", "Do the synthetic ECGs measure like the real ones?"),
        Section("privacy", "Privacy", "Do they repeat the people the generator was trained on?"),
        Section("quality", "Data quality", "Can the records be read and measured?"),
        Section("planted", "Demonstration: planted copies", "Copies planted on purpose.", False),
    )
    manifest = {
        "title": f"{prefix}Pulse2Pulse against simulated ECGs",
        "command": "ecgeval run validate.toml",
        "notice": "Stand-in patients: the real set is simulated.",
        "seed": 0,
        "config": {"margins": "lenient", "permutations": 9999},
        "config_sha256": "9f2c" * 16,
        "versions": {"ecgeval": "0.1.0", "numpy": "2.3.1", "python": "3.11"},
        "sets": {
            "real": {
                "name": f"{prefix}ptbxl-norm",
                "n": 238,
                "patients": 238,
                "fs": 500,
                "seconds": 10,
                "leads": list(real.leads),
                "rejected": {"NOT_FINITE": 1, "FLAT": 2},
                "fingerprint": "ab12" * 16,
            },
            "synth": {
                "name": "pulse2pulse",
                "n": 400,
                "patients": None,
                "fs": 500,
                "seconds": 10,
                "leads": list(real.leads),
                "rejected": {},
                "fingerprint": "cd34" * 16,
            },
        },
    }
    return Results(manifest, sections, tuple(estimates), findings, tables, figures)


@pytest.fixture(scope="session")
def make(sim):
    """Return the maker of example results."""
    return lambda **keywords: make_results(sim, **keywords)


@pytest.fixture(scope="session")
def example(make):
    return make()
