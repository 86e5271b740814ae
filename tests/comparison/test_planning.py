"""Power that is planned before a comparison, against what comparisons then find."""

import math

import numpy as np
import pandas as pd
import pytest

from ecgeval.comparison.margins import load_margins
from ecgeval.comparison.planning import _parts, planned_power, power_text
from ecgeval.results import Verdict, worst
from ecgeval.stats.effects import harrell_davis
from ecgeval.stats.equivalence import tost
from ecgeval.stats.power import _quantile_influence
from ecgeval.stats.sample import Effort, Sample
from ecgeval.stats.univariate import DECIDING, compare_columns


@pytest.mark.parametrize("p", [0.05, 0.5, 0.95])
def test_quantile_variance_and_design_effect_against_the_bootstrap(p):
    rng = np.random.default_rng(1)
    person = np.repeat(rng.normal(size=150), 3)
    x = person * np.sqrt(0.5) + rng.normal(size=450) * np.sqrt(0.5)
    patient = np.repeat(np.arange(150), 3)
    order = np.argsort(x)
    variance, effect = _parts(_quantile_influence(x[order], p), patient[order])
    draws = [
        harrell_davis(x.reshape(150, 3)[rng.integers(150, size=150)].ravel(), p) for _ in range(600)
    ]
    assert math.sqrt(variance * effect / 450) == pytest.approx(np.std(draws), rel=0.12)
    assert 1.1 < effect < 2.4


def test_planned_power_is_what_comparisons_then_find():
    """QRS of SD 8 ms, two records a patient, lenient: predicted from one real set, then run."""
    rng = np.random.default_rng(2)
    people, repeats = 75, 150
    person = rng.normal(size=(people, 1, repeats)) * np.sqrt(0.5)
    real = person + rng.normal(size=(people, 2, repeats)) * np.sqrt(0.5)
    real = np.round(90 + 8 * real.reshape(2 * people, repeats))
    synth = np.round(90 + 8 * rng.normal(size=(120, repeats)))
    patient = np.repeat(np.arange(people), 2)
    margins = load_margins()
    found = compare_columns(
        Sample(real, patient),
        Sample(synth, np.arange(120)),
        [False] * repeats,
        seed=0,
        effort=Effort(300, 20, 0),
        shift=[True] * repeats,
    )
    plans = []
    for column in real.T[:40]:
        plan = planned_power(
            pd.DataFrame({"qrs_ms": column}), 120, margins, patients_real=patient
        ).set_index(["column", "statistic"])
        plans.append(plan.loc["qrs_ms", "power"].astype(float))
    expected = pd.concat(plans, axis=1).mean(axis=1)
    ends = np.log(margins.sd_ratio)
    passed = {
        "median": [tost(r.stats["median_diff"].ci90, -6, 6) for r in found],
        "SD ratio": [tost(r.stats["log_sd_ratio"].ci90, *ends) for r in found],
        "percentiles": [worst(tost(r.stats[name].ci90, -6, 6) for name in DECIDING) for r in found],
    }
    for statistic, verdicts in passed.items():
        rate = np.mean([v == Verdict.PASS for v in verdicts])
        assert rate == pytest.approx(expected[statistic], abs=0.12), statistic


def test_the_plan_of_all_declared_measures():
    rng = np.random.default_rng(3)
    margins = load_margins("strict")
    real = pd.DataFrame({c: rng.normal(40, 12, 300) for c in margins.primary})
    real["qrs_ms"] = rng.normal(90, 8, 300)
    plan = planned_power(real, 500, margins, patients_real=range(300))
    assert set(plan["column"]) == set(margins.primary)
    assert (plan["statistic"] == "direction").sum() == 1
    assert len(plan) == 1 + 3 * 11
    assert (plan["at_most"] >= plan["power"]).all()
    qrs = plan.set_index(["column", "statistic"]).loc[("qrs_ms", "median")]
    # pi / 2 times the 274 of a mean
    assert qrs["needed"] == pytest.approx(430, rel=0.25)
    assert "needs" in power_text(plan)
    assert "records in each set" in power_text(plan)
    assert "at least 80%" in power_text(plan.assign(power=0.9))
    bigger = planned_power(real, 50_000, margins, patients_real=range(300))
    assert (bigger["power"] >= plan["power"]).all()


def test_too_few_patients_constant_values_and_an_absent_column():
    real = pd.DataFrame({"qrs_ms": np.arange(60.0), "pr_ms": 150.0, "qt_ms": np.nan})
    plan = planned_power(real, 100, load_margins(), patients_real=np.repeat(range(15), 4))
    assert plan["power"].isna().all()
    assert (plan.loc[plan["column"] == "qrs_ms", "patients"] == 15).all()
    assert power_text(plan) == "Power: no declared measure has enough values."
    plan = planned_power(real, 100, load_margins(), patients_real=range(60))
    assert set(plan.dropna(subset="power")["column"]) == {"qrs_ms"}
