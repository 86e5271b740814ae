"""Train on synthetic, test on real: known answers, copies, and what cannot be assessed."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from ecgeval.catalogue import CATALOGUE
from ecgeval.comparison.pair import Pair, Side
from ecgeval.comparison.usefulness import section
from ecgeval.errors import UsageError
from ecgeval.results import Verdict

COLUMNS = ["hr_bpm", "qrs_ms", "qt_ms", "pr_ms"]
LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
AMPLITUDES = [f"{wave}_amp_{lead}_mv" for wave in "pqrst" for lead in LEADS]
MANY = [*AMPLITUDES, *(f"{point}_{lead}_mv" for point in ("stj", "st60") for lead in LEADS)]


def people(n, seed, shift=1.0, column="qrs_ms"):
    """Return measures, a label that shifts one of them by `shift` SD, and patients."""
    rng = np.random.default_rng(seed)
    x = pd.DataFrame(rng.normal(size=(n, len(COLUMNS))), columns=COLUMNS)
    sex = pd.Series(np.where(rng.random(n) < 0.5, "F", "M"), name="sex")
    x.loc[sex == "M", column] += shift
    return x, sex, np.arange(n)


def run(real, synth, labels_synth=None, **more):
    """Compare (measures, labels, patients) of either set."""
    labels = [real[1], synth[1] if labels_synth is None else labels_synth]
    sides = [
        Side(x, who, labels=None if own is None else pd.DataFrame(own))
        for (x, _, who), own in zip((real, synth), labels, strict=True)
    ]
    return section.compare(Pair(*sides, **{"quick": True, "by": ("sex",), **more}))


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
    x = pd.DataFrame(rng.normal(size=(200, 60)), columns=AMPLITUDES)
    sex = pd.Series(np.where(rng.random(200) < 0.5, "F", "M"), name="sex")
    own = (x, sex, np.arange(200))
    assert abs(value(run(own, own), "tstr_auc") - 0.5) < 0.13
    # Without the joint folds the copies would be learnt by heart.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(section, "duplicate_groups", lambda values, patient: patient)
        assert value(run(own, own), "tstr_auc") > 0.7


def test_beating_real_records_warns_of_copies():
    """Near-copies teach a label without meaning by heart; no duplicate is exact."""
    rng = np.random.default_rng(0)
    x = pd.DataFrame(rng.normal(size=(120, len(MANY))), columns=MANY)
    _, sex, who = people(120, 1, shift=0)
    near = x + rng.normal(0, 0.01, x.shape)
    finding = run((x, sex, who), (near, sex, who)).findings[0]
    assert finding.verdict == Verdict.INCONCLUSIVE
    assert "is learnt better from the synthetic records" in finding.title
    assert "copies of the patients tested are among the synthetic" in finding.explanation
    assert "Run `ecgeval audit`" in finding.explanation
    fair = run(people(400, 1), people(400, 2)).findings[0]
    assert "copies of the patients tested" not in fair.explanation


def test_patients_stay_in_one_fold():
    """A label of the person, not of the measures: records of the same person would give it away"""
    rng = np.random.default_rng(0)
    x = np.repeat(rng.normal(size=(60, len(MANY))), 4, axis=0)
    table = pd.DataFrame(x + 0.01 * rng.normal(size=x.shape), columns=MANY)
    sex = pd.Series(np.repeat(np.where(rng.random(60) < 0.5, "F", "M"), 4), name="sex")
    other = pd.DataFrame(rng.normal(size=x.shape), columns=MANY)
    synth = (other, people(240, 5)[1], np.arange(240))
    grouped = run((table, sex, np.repeat(np.arange(60), 4)), synth)
    alone = run((table, sex, np.arange(240)), synth)
    assert value(grouped, "trtr_auc") < 0.75
    assert value(alone, "trtr_auc") > 0.9


def test_three_bands_of_age_and_several_labels_at_once():
    real, synth = people(400, 1), people(400, 2)
    tables = []
    for x, sex, _ in (real, synth):
        band = pd.cut(x["pr_ms"], [-9, -0.5, 0.5, 9], labels=["young", "middle", "old"])
        tables.append(pd.DataFrame({"sex": sex, "age band": band.astype(object)}))
    labelled = [(x, both, who) for (x, _, who), both in zip((real, synth), tables, strict=True)]
    results = run(*labelled, by=("sex", "age band"))
    assert [f.verdict for f in results.findings][1] == Verdict.PASS
    assert results.estimate("usefulness.age_band.tstr_balanced_accuracy").null == 1 / 3
    assert results.estimate("usefulness.age_band.tstr_auc").value > 0.7
    assert list(results.tables[0].frame()["label"]) == ["sex", "age band"]
    for estimate in results.estimates:
        assert CATALOGUE[estimate.id.rpartition(".")[2]].better == estimate.better
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
    none = run(real, (synth[0], None, synth[2]))
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


def test_numbers_come_in_bands_and_names_of_many_values_are_left_out():
    real, synth = people(200, 1), people(200, 2)
    age = pd.Series(np.linspace(20, 85, 200), name="age")
    banded = run((real[0], age, real[2]), (synth[0], age, synth[2]), by=("age",))
    text = banded.findings[0].explanation
    assert text.startswith("Values: 40 to < 60, 60 to < 80, < 40. 16 real and 16 synthetic records")
    assert "Too few patients: ≥ 80 (16 real and 16 synthetic patients)" in text
    names = pd.Series([f"name {i}" for i in range(200)], name="name")
    assert run((real[0], names, real[2]), synth, by=("name",)).sections == ()


def test_what_does_not_match_is_an_error():
    real, synth = people(60, 1), people(60, 2)
    with pytest.raises(UsageError, match="rows of labels for"):
        run(real, synth, synth[1][:10])
    with pytest.raises(UsageError, match="patient ids"):
        run((*real[:2], [1]), synth)
    with pytest.raises(UsageError, match="no measure"):
        run((real[0].rename(columns=str.upper), *real[1:]), synth)
    with pytest.raises(UsageError, match="no label 'diagnosis'; its labels are sex"):
        run(real, synth, by=("diagnosis",))


def test_no_labels_or_no_real_records_is_no_section():
    real, synth = people(60, 1), people(60, 2)
    assert run(real, synth, by=()).sections  # sex is one of the usual labels
    assert run((real[0], pd.DataFrame(index=real[0].index), real[2]), synth, by=()).sections == ()
    none = (real[0][:0], real[1][:0], real[2][:0])
    assert run(none, synth).sections == ()


def test_the_number_of_jobs_does_not_matter():
    real, synth = people(80, 1), people(80, 2)
    assert run(real, synth, jobs=2).to_json() == run(real, synth).to_json()
