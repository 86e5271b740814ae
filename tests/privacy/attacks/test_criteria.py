"""WP29 criteria: tables one can compute by hand, directions, and the size of the tests."""

import numpy as np
import pytest

from ecgeval.catalogue import CATALOGUE
from ecgeval.privacy.attacks.criteria import (
    bootstrap_risk,
    criteria,
    linked,
    risk,
    singled_out,
    wilson_rate,
)
from ecgeval.privacy.attacks.sets import AttackedSets
from ecgeval.report.explain import statistic
from ecgeval.results import Results


def verdict(results: Results) -> str:
    return str(results.findings[0].verdict)


def wp29(results: Results):
    return results.tables[0].frame().set_index("criterion")


def test_the_anonymeter_interval_has_its_known_answer() -> None:
    assert wilson_rate(100, 1000) == pytest.approx((0.1015, 0.0186), abs=5e-5)
    assert wilson_rate(50, 1000) == pytest.approx((0.0517, 0.0136), abs=5e-5)
    found = risk((100, 1000), (50, 1000))
    assert found.value == pytest.approx(0.0525, abs=5e-5)
    assert found.high - found.value == pytest.approx(0.0239, abs=5e-5)
    assert found.value - found.low == pytest.approx(0.0239, abs=5e-5)


def test_a_risk_is_not_clipped() -> None:
    assert risk((0, 100), (50, 100)).value < -0.5
    assert risk((100, 100), (0, 100)).high > 1


def test_bootstrap_moves_patients_and_agrees_with_propagation_for_many() -> None:
    a, c = np.arange(4000) < 800, np.arange(4000) < 400
    low, high = bootstrap_risk(a, c, np.random.default_rng(0))
    exact = risk((800, 4000), (400, 4000))
    assert (low, high) == pytest.approx((exact.low, exact.high), abs=0.003)


def test_intervals_cover_the_true_risk() -> None:
    rng = np.random.default_rng(1)
    true = (0.3 - 0.1) / 0.9
    inside = 0
    for _ in range(1000):
        found = risk((rng.binomial(80, 0.3), 80), (rng.binomial(80, 0.1), 80))
        inside += found.low <= true <= found.high
    assert inside / 1000 > 0.95 - 3 * np.sqrt(0.95 * 0.05 / 1000)


def test_singling_out_by_hand() -> None:
    x = np.array([[0.0], [1.0], [1.2], [5.0]])
    assert singled_out(x, np.array([[0.1], [1.1], [9.0]]), 0.3).tolist() == [True] + [False] * 3
    assert singled_out(x, np.array([[5.2]]), 0.3).tolist() == [False] * 3 + [True]
    assert not singled_out(x, np.zeros((0, 1)), 0.3).any()


def test_linking_by_hand(monkeypatch) -> None:
    monkeypatch.setattr("ecgeval.privacy.attacks.criteria.NEIGHBOURS", 1)
    s = np.array([[0.0], [10.0], [20.0]])
    limb, chest = np.array([[1.0], [11.0]]), np.array([[2.0], [19.0]])
    assert linked(limb, chest, (s, s)).tolist() == [True, False]


def test_an_honest_set_gives_nobody_away(study) -> None:
    results = study.criteria(study.honest)
    assert verdict(results) == "INCONCLUSIVE"
    table = wp29(results)
    assert abs(table.loc["singling out", "risk"]) < 0.15
    assert table.loc["singling out", "recall of planted copies"] > 0.9
    assert table.loc["inference of an attribute", "verdict"] == "NOT_ASSESSABLE"


def test_copies_of_the_training_set_are_singled_out_and_joined(study) -> None:
    results = study.criteria(np.concatenate([study.copies(), study.honest[:60]]))
    assert verdict(results) == "FAIL"
    table = wp29(results)
    assert (table.loc[["singling out", "linkability of limb and chest leads"], "risk"] > 0.3).all()


def test_copies_of_the_holdout_raise_no_alarm_for_the_training_set(study) -> None:
    results = study.criteria(study.copies_of_holdout())
    assert verdict(results) != "FAIL"
    assert wp29(results).loc["singling out", "risk"] < 0


def test_bad_sets_give_nobody_away(study) -> None:
    for synth in (2 * study.honest, 0.05 * study.honest, np.ones_like(study.honest)):
        assert verdict(study.criteria(synth)) != "FAIL"


def labels_of(tags: np.ndarray, truth: np.ndarray) -> dict:
    return {"sex": {"train": truth[:60], "holdout": truth[60:], "synth": tags}}


def test_an_attribute_is_inferred_only_where_the_set_remembers_it(study) -> None:
    rng = np.random.default_rng(5)
    truth = np.where(rng.random(120) < 0.5, "female", "male")  # nothing to do with the heart
    copies = study.copies()
    synth = np.concatenate([copies, study.honest])
    guess = np.where(rng.random(300) < 0.5, "female", "male")
    leaky = study.criteria(synth, labels=labels_of(np.concatenate([truth[:60], guess]), truth))
    assert wp29(leaky).loc["inference of sex", "risk"] > 0.5
    assert wp29(leaky).loc["inference of sex", "verdict"] == "FAIL"
    honest = study.criteria(study.honest, labels=labels_of(guess, truth))
    row = wp29(honest).loc["inference of sex"]
    assert row["verdict"] == "INCONCLUSIVE"
    assert abs(row["attack"] - 0.5) < 0.2
    assert abs(row["holdout control"] - 0.5) < 0.2
    none = study.criteria(study.honest, labels=labels_of(np.full(300, ""), truth))
    assert wp29(none).loc["inference of sex", "verdict"] == "NOT_ASSESSABLE"


def test_what_the_population_tells_is_no_risk(study) -> None:
    # Sex shows in the heart: the attack succeeds on everybody, so beyond the holdout it does not.
    def sex(x: np.ndarray) -> np.ndarray:
        return np.where(x[:, 0].mean(axis=1) > 0, "female", "male")

    results = study.criteria(
        study.honest,
        labels={
            "sex": {
                "train": sex(study.first[:60]),
                "holdout": sex(study.first[60:]),
                "synth": sex(study.honest),
            }
        },
    )
    row = wp29(results).loc["inference of sex"]
    assert row["attack"] > 0.55
    assert row["verdict"] != "FAIL"


def test_leads_of_one_kind_cannot_be_joined(study) -> None:
    results = study.criteria(study.honest, leads=("V1", "V2", "V3", "V4"))
    assert wp29(results).loc["linkability", "verdict"] == "NOT_ASSESSABLE"
    assert "limb and chest leads are needed" in results.findings[0].explanation


def test_without_holdout_nothing_is_assessed(study) -> None:
    sets = study.sets(study.honest)
    alone = AttackedSets(sets.train, None, sets.synth, sets.person_train)
    results = criteria(alone, ("I", "V1"), rng=alone.rng("link"))
    assert verdict(results) == "NOT_ASSESSABLE"
    assert not results.estimates


def test_size_of_the_finding_over_whole_studies(study_of) -> None:
    studies = (study_of(100 + seed, n=40) for seed in range(30))
    found = [verdict(study.criteria(study.honest)) for study in studies]
    assert found.count("FAIL") <= 3  # two criteria of one in two hundred each


def test_names_of_patients_do_not_matter_and_the_seed_decides(study, study_of) -> None:
    synth = study.honest
    assert study.criteria(synth).to_json() == study.criteria(synth).to_json()
    other = study_of(0)
    other.code = other.code + 1000
    assert other.criteria(synth).to_json() == study.criteria(synth).to_json()


def test_every_estimate_and_finding_is_explained(study) -> None:
    results = study.criteria(study.honest)
    for e in results.estimates:
        assert statistic(e.id) is not None, e.id
    assert results.findings[0].code == "PRIV-WP29"
    assert "PRIV-WP29" in CATALOGUE
    assert results.findings[0].rule
