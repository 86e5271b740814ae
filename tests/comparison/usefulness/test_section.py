"""Train on synthetic, test on real: known answers, copies, and what cannot be assessed."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from ecgeval.catalogue import CATALOGUE, STATISTICS
from ecgeval.comparison.usefulness import section as u
from ecgeval.comparison.usefulness.section import compare_usefulness
from ecgeval.errors import UsageError
from ecgeval.results import Verdict

COLUMNS = ["hr_bpm", "qrs_ms", "qt_ms", "pr_ms"]


def people(n, seed, shift=1.0, column="qrs_ms"):
    """Return measures, a label that shifts one of them by `shift` SD, and patients."""
    rng = np.random.default_rng(seed)
    x = pd.DataFrame(rng.normal(size=(n, len(COLUMNS))), columns=COLUMNS)
    sex = pd.Series(np.where(rng.random(n) < 0.5, "F", "M"), name="sex")
    x.loc[sex == "M", column] += shift
    return x, sex, np.arange(n)


def run(real, synth, labels_synth=None, **more):
    settings = {"quick": True, "patients_real": real[2], "patients_synth": synth[2], **more}
    labels = synth[1] if labels_synth is None else labels_synth
    return compare_usefulness(real[0], synth[0], real[1], labels, **settings)


def value(results, id):
    return results.estimate(f"usefulness.sex.{id}").value


def test_one_population_gives_the_closed_form_in_all_designs():
    """A shift of 1 SD: the best AUC is Phi(1 / sqrt 2) = 0.760, balanced accuracy Phi(1/2)."""
    results = run(people(2000, 1), people(2000, 2))
    for design in ("trtr", "tstr", "trts"):
        assert value(results, f"{design}_auc") == pytest.approx(norm.cdf(1 / np.sqrt(2)), abs=0.03)
        accuracy = value(results, f"{design}_balanced_accuracy")
        assert accuracy == pytest.approx(norm.cdf(0.5), abs=0.03)
    difference = results.estimate("usefulness.sex.tstr_auc_difference")
    assert difference.floor[0] < difference.value < difference.floor[1]
    assert results.findings[0].verdict == Verdict.PASS
    assert not results.findings[0].gate


def test_what_the_generator_did_not_learn_is_found():
    results = run(people(600, 1, shift=2), people(600, 2, shift=2, column="hr_bpm"))
    assert value(results, "trtr_auc") > 0.85
    assert value(results, "tstr_auc") < 0.65
    difference = results.estimate("usefulness.sex.tstr_auc_difference")
    assert difference.ci[1] < difference.floor[0]
    assert results.findings[0].verdict == Verdict.FAIL
    assert "not those of real patients" in results.findings[0].explanation


def test_labels_given_at_random_teach_nothing():
    real, synth = people(500, 1, shift=2), people(500, 2, shift=2)
    mixed = synth[1].sample(frac=1, random_state=0).reset_index(drop=True)
    results = run(real, synth, mixed)
    assert abs(value(results, "trts_auc") - 0.5) < 0.1
    assert results.findings[0].verdict == Verdict.FAIL


def test_a_caricature_is_named():
    results = run(people(400, 1, shift=1), people(400, 2, shift=4))
    assert "caricature" in results.findings[0].explanation


def test_a_label_that_real_records_do_not_carry_is_not_assessable():
    results = run(people(300, 1, shift=0), people(300, 2, shift=2))
    assert results.findings[0].verdict == Verdict.NOT_ASSESSABLE
    assert "not even after training on real" in results.findings[0].title


def test_exact_copies_do_not_teach_what_is_tested():
    """A label without meaning: only a copy of the tested record could tell it"""
    rng = np.random.default_rng(0)
    leads = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
    columns = [f"{wave}_amp_{lead}_mv" for wave in "pqrst" for lead in leads]
    x = pd.DataFrame(rng.normal(size=(200, 60)), columns=columns)
    sex = pd.Series(np.where(rng.random(200) < 0.5, "F", "M"), name="sex")
    own = (x, sex, np.arange(200))
    assert abs(value(run(own, own), "tstr_auc") - 0.5) < 0.13
    # Without the joint folds the copies would be learnt by heart.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(u, "duplicate_groups", lambda values, patient: patient)
        assert value(run(own, own), "tstr_auc") > 0.7


def test_beating_real_records_warns_of_copies():
    """Near-copies teach a label without meaning by heart; no duplicate is exact."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(120, 100))
    own = people(120, 1, shift=0)
    near = (own[0] + rng.normal(0, 0.01, own[0].shape), own[1], own[2])
    more = {"features": (features, features + rng.normal(0, 0.01, features.shape))}
    finding = run(own, near, **more).findings[0]
    assert finding.verdict == Verdict.INCONCLUSIVE
    assert "is learnt better from the synthetic records" in finding.title
    assert "copies of the patients tested are among the synthetic" in finding.explanation
    assert "Run `ecgeval audit`" in finding.explanation
    fair = run(people(400, 1), people(400, 2)).findings[0]
    assert "copies of the patients tested" not in fair.explanation


def test_patients_stay_in_one_fold():
    """A label of the person, not of the measures: records of the same person would give it away"""
    rng = np.random.default_rng(0)
    x = np.repeat(rng.normal(size=(60, 4)), 4, axis=0) + 0.01 * rng.normal(size=(240, 4))
    table = pd.DataFrame(np.hstack([x, x**2, x**3])[:, :4], columns=COLUMNS)
    sex = pd.Series(np.repeat(np.where(rng.random(60) < 0.5, "F", "M"), 4), name="sex")
    features = np.repeat(rng.normal(size=(60, 100)), 4, axis=0)
    features = features + 0.01 * rng.normal(size=features.shape)
    synth = people(240, 5, shift=0)
    more = {"features": (features, rng.normal(size=(240, 100)))}
    who = np.repeat(np.arange(60), 4)
    grouped = run((table, sex, who), synth, **more)
    alone = run((table, sex, np.arange(240)), synth, **more)
    assert value(grouped, "trtr_auc") < 0.75
    assert value(alone, "trtr_auc") > 0.9


def test_scores_are_those_of_sklearn_and_weights_repeat_patients():
    rng = np.random.default_rng(0)
    y, patient = rng.integers(3, size=90), np.repeat(np.arange(30), 3)
    odds = rng.normal(size=(90, 3)).round(1) + np.eye(3)[y]
    side = u._Side(np.zeros((90, 1)), y, patient, patient)
    weights = np.column_stack([np.ones(30), np.arange(30) % 3]).astype(np.float32)
    found = u._scores(odds, side, 3, weights)
    for draw in range(2):
        repeated = np.repeat(np.arange(90), weights[patient, draw].astype(int))
        o, t = odds[repeated], y[repeated]
        areas = [roc_auc_score(t == c, o[:, c]) for c in range(3)]
        assert found[0, draw] == pytest.approx(np.mean(areas))
        assert found[1, draw] == pytest.approx(balanced_accuracy_score(t, o.argmax(axis=1)))


def test_three_bands_of_age_and_several_labels_at_once():
    real, synth = people(400, 1), people(400, 2)
    tables = []
    for x, sex, _ in (real, synth):
        band = pd.cut(x["pr_ms"], [-9, -0.5, 0.5, 9], labels=["young", "middle", "old"])
        tables.append(pd.DataFrame({"sex": sex, "age band": band.astype(object)}))
    results = compare_usefulness(
        real[0], synth[0], *tables, patients_real=real[2], patients_synth=synth[2], quick=True
    )
    assert [f.verdict for f in results.findings][1] == Verdict.PASS
    assert results.estimate("usefulness.age_band.tstr_balanced_accuracy").null == 1 / 3
    assert results.estimate("usefulness.age_band.tstr_auc").value > 0.7
    assert list(results.tables[0].frame()["label"]) == ["sex", "age band"]
    for estimate in results.estimates:
        about = STATISTICS[estimate.id.rpartition(".")[2]]
        assert about.better == estimate.better
    assert {f.code for f in results.findings} <= set(CATALOGUE)
    json.loads(results.to_json())


def test_coverage_of_the_paired_interval_and_its_size():
    """The rate at which equal sets are called worse stays below 5 % and its error"""
    lost = [
        run(people(150, 2 * seed), people(150, 2 * seed + 1), seed=seed).findings[0].verdict
        == Verdict.FAIL
        for seed in range(12)
    ]
    assert np.mean(lost) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 12)


def test_sets_without_labels_or_with_too_few_are_not_assessable():
    real, synth = people(100, 1), people(100, 2)
    none = compare_usefulness(
        real[0], synth[0], real[1], None, patients_real=real[2], patients_synth=synth[2]
    )
    assert none.findings[0].verdict == Verdict.NOT_ASSESSABLE
    assert "give the label each was generated for" in none.findings[0].title
    assert none.estimates[0].value is None
    one = run(real, synth, pd.Series(["F"] * 100, name="sex"))
    assert one.findings[0].verdict == Verdict.NOT_ASSESSABLE
    assert "M (" in one.findings[0].title
    blank = run(real, synth, pd.Series([np.nan] * 100, name="sex", dtype=object))
    assert blank.findings[0].verdict == Verdict.NOT_ASSESSABLE


def test_numbers_and_their_text_forms_are_one_label():
    real, synth = people(300, 1), people(300, 2)
    as_int = (real[0], (real[1] == "M").astype(int), real[2])
    as_float = (synth[0], (synth[1] == "M").astype(float), synth[2])
    assert run(as_int, as_float).findings[0].verdict != Verdict.NOT_ASSESSABLE


def test_what_does_not_match_is_an_error():
    real, synth = people(60, 1), people(60, 2)
    with pytest.raises(UsageError, match="bands"):
        run((real[0], pd.Series(np.arange(60.0), name="sex"), real[2]), synth)
    with pytest.raises(UsageError, match="labels for"):
        run(real, synth, synth[1][:10])
    with pytest.raises(UsageError, match="patient ids"):
        run(real, synth, patients_real=[1])
    with pytest.raises(UsageError, match="no measure"):
        run((real[0].rename(columns=str.upper), *real[1:]), synth)


def test_the_number_of_jobs_does_not_matter():
    real, synth = people(80, 1), people(80, 2)
    assert run(real, synth, jobs=2).to_json() == run(real, synth).to_json()
