"""One scale for many synthetic sets: the energy distance and its interval."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ecgeval.comparison.margins import load_margins
from ecgeval.sweep.ranking import MeasureScorer

MARGINS = load_margins()
ONE = replace(MARGINS, primary=("hr_bpm",))
PRIMARY = list(MARGINS.primary)


def table(n: int, rng: np.random.Generator, shift: float = 0.0, scale: float = 1.0) -> pd.DataFrame:
    """Return correlated measures in plausible units."""
    common = rng.normal(size=(n, 1))
    z = 0.6 * common + 0.8 * rng.normal(size=(n, len(PRIMARY)))
    unit = np.array([10 if c.endswith(("_ms", "_bpm", "_deg")) else 0.1 for c in PRIMARY])
    return pd.DataFrame((shift + scale * z) * unit + 5 * unit, columns=PRIMARY)


def test_energy_of_two_normals_is_the_closed_form() -> None:
    """PROOF: of N(0, 1) and N(d, 1) it is 2 E|N(d, 2)| − 4 / √π."""
    from scipy.stats import foldnorm

    rng = np.random.default_rng(0)
    real, d = pd.DataFrame({"hr_bpm": rng.normal(70, 5, 1500)}), 1.0
    scorer = MeasureScorer(real, np.arange(1500), ONE)
    found = scorer.energy(pd.DataFrame({"hr_bpm": rng.normal(75, 5, 1500)}))
    expected = 2 * foldnorm.mean(d / np.sqrt(2)) * np.sqrt(2) - 4 / np.sqrt(np.pi)
    assert found.value == pytest.approx(expected, abs=0.06)
    assert found.ci[0] < expected < found.ci[1]


@pytest.fixture(scope="module")
def scorer() -> MeasureScorer:
    rng = np.random.default_rng(1)
    return MeasureScorer(table(120, rng), np.arange(120) // 2, MARGINS)


def test_what_is_farther_scores_worse(scorer: MeasureScorer) -> None:
    rng = np.random.default_rng(2)
    like = table(150, rng)
    scores = {
        "alike": like,
        "shifted": like + like.std() / 2,
        "farther": like + like.std(),
        "inflated": table(150, rng, scale=2),
        "collapsed": like.iloc[np.zeros(150, int)],
        "half missing": like.where(np.tile(np.arange(150)[:, None] % 2 == 0, len(PRIMARY))),
        "all missing": like * np.nan,
    }
    energy = {name: scorer.energy(values).value for name, values in scores.items()}
    assert energy["alike"] < 0.1
    assert min(v for k, v in energy.items() if k != "alike") > 5 * max(energy["alike"], 0.02)
    assert energy["shifted"] < energy["farther"]
    assert energy["half missing"] < energy["all missing"]
    passed, of = scorer.gates(like)
    assert of == 23  # twelve medians, eleven spreads: an angle has none
    assert scorer.gates(scores["all missing"])[0] == 0 < passed


def test_order_of_records_and_names_of_patients_change_nothing() -> None:
    rng = np.random.default_rng(3)
    real, synth = table(80, rng), table(60, rng, shift=0.4)
    who = np.arange(80) // 4
    first = MeasureScorer(real, who, MARGINS).energy(synth).value
    order = rng.permutation(80)
    moved = MeasureScorer(real.iloc[order], [f"p{w}" for w in who[order]], MARGINS)
    assert moved.energy(synth.iloc[rng.permutation(60)]).value == pytest.approx(first, abs=1e-5)


def test_a_pair_shares_what_is_drawn(scorer: MeasureScorer) -> None:
    rng = np.random.default_rng(4)
    near = table(100, rng, shift=0.3)
    a, b = scorer.energy(near), scorer.energy(near + 0.5 * near.std())
    assert a.less(a) == (0, (0, 0))
    difference, (low, high) = a.less(b)
    assert low < difference < high < 0
    apart = np.hypot(a.ci[1] - a.ci[0], b.ci[1] - b.ci[0])
    assert high - low < apart  # the pair is surer than two runs apart


@pytest.mark.parametrize(
    ("patients", "reps"), [(50, 60), pytest.param(200, 50, marks=pytest.mark.slow)]
)
def test_the_interval_covers_with_patients_as_the_unit_and_not_with_records(patients, reps) -> None:
    """Four records a patient; the truth is the closed form above, in the scale that was found."""
    from scipy.stats import foldnorm

    rng, d = np.random.default_rng(patients), 1.5
    truth = 2 * foldnorm.mean(d / np.sqrt(2)) * np.sqrt(2) - 4 / np.sqrt(np.pi)
    who, missed = np.repeat(np.arange(patients), 4), np.zeros(2)
    for _ in range(reps):
        person = rng.normal(size=patients)[who] * 0.95 + rng.normal(size=len(who)) * 0.3122
        real = pd.DataFrame({"hr_bpm": 70 + 5 * person})
        synth = pd.DataFrame({"hr_bpm": 70 + 5 * d + 5 * rng.normal(size=4 * patients)})
        for k, unit in enumerate((who, np.arange(len(who)))):
            scorer = MeasureScorer(real, unit, ONE)
            low, high = scorer.energy(synth).ci
            missed[k] += not low <= truth * 5 / scorer.spread[0] <= high
    most = 0.05 + 3 * np.sqrt(0.05 * 0.95 / reps)
    assert missed[0] / reps <= most < missed[1] / reps


@pytest.mark.parametrize(
    ("patients", "reps"), [(50, 60), pytest.param(200, 60, marks=pytest.mark.slow)]
)
def test_two_sets_that_are_alike_differ_no_more_often_than_the_level(patients, reps) -> None:
    """Both as far from the real patients, two records each; SWEEP-BEST reads this."""
    rng, wrong = np.random.default_rng(patients), 0
    who = np.repeat(np.arange(patients), 2)
    for _ in range(reps):
        real = 0.8 * table(patients, rng).iloc[who].reset_index(drop=True) + 0.2 * table(
            2 * patients, rng
        )
        scorer = MeasureScorer(real, who, MARGINS)
        one, other = (scorer.energy(table(100, rng, shift=0.4)) for _ in range(2))
        low, high = one.less(other)[1]
        wrong += low > 0 or high < 0
    assert wrong / reps <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / reps)
