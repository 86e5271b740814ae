"""compare_plausibility: what a user is told, the gate, derived leads, interpreters, calibration."""

import json
import re

import jsonschema
import numpy as np
import pandas as pd
import pytest

from ecgeval.catalogue import CATALOGUE
from ecgeval.comparison.margins import load_margins
from ecgeval.comparison.plausibility.signals import Setting
from ecgeval.comparison.plausibility.interpreter import cohen_kappa, join_interpreter
from ecgeval.comparison.plausibility.normal_share import _difference, _View
from ecgeval.comparison.plausibility.section import apply_rules, compare_plausibility
from ecgeval.delineation import delineate
from ecgeval.ecgset import STANDARD_LEADS
from ecgeval.errors import DataError, UsageError
from ecgeval.measures import measure_marks
from ecgeval.report.explain import statistic
from ecgeval.results import Results, Verdict, json_schema
from ecgeval.signal_checks import signal_checks
from ecgeval.stats.equivalence import tost
from ecgeval.stats.sample import Effort, Sample


def table(n, seed, **shift):
    """Return measures of n people, about three in four of them rule-normal."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "hr_bpm": rng.normal(75, 8, n),
            "pr_ms": rng.normal(160, 16, n),
            "p_dur_ms": rng.normal(100, 8, n),
            "qrs_ms": rng.normal(92, 8, n),
            "qtcf_ms": rng.normal(418, 12, n),
            "qrs_axis_deg": rng.normal(40, 20, n),
        },
        index=[f"s{seed}-{i}" for i in range(n)],
    )
    for column, by in shift.items():
        frame[column] += by
    return frame


def people(frame, seed=0):
    rng = np.random.default_rng(seed)
    sex = rng.choice(["F", "M"], len(frame))
    return pd.DataFrame({"sex": sex, "age": rng.integers(20, 80, len(frame))}, index=frame.index)


def compare(real, synth, known=True, **options):
    given = {"patients_real": real.index, "patients_synth": synth.index, "quick": True}
    if known:
        given |= {"labels_real": people(real), "labels_synth": people(synth, 1)}
    return compare_plausibility(real, synth, **{**given, **options})


def only(results, code):
    (finding,) = [f for f in results.findings if f.code == code]
    return finding


@pytest.fixture(scope="module")
def large():
    return compare(table(6000, 0), table(6000, 1))


def test_alike_sets_of_enough_records_pass_and_every_number_has_its_company(large):
    assert only(large, "PLAUS-NORMAL").verdict == Verdict.PASS
    assert only(large, "PLAUS-NORMAL").gate
    assert large.verdict == Verdict.PASS
    for e in large.estimates:
        if e.value is None:
            assert e.id.startswith("plausibility.lead_algebra")
            assert "not computed" in e.method
            continue
        assert e.ci[0] <= e.value <= e.ci[1], e.id
        assert e.floor is not None
        assert e.n_real and e.n_synth and e.patients_real and e.patients_synth  # noqa: PT018
        assert e.unit == "percentage points"
        assert e.null == 0
        assert e.seed == 0
    jsonschema.validate(json.loads(large.to_json()), json_schema())
    assert Results.from_json(large.to_json()).to_json() == large.to_json()


def test_the_synthetic_share_never_stands_without_the_real_one(large):
    found = only(large, "PLAUS-NORMAL")
    assert len(found.title) < 200
    both = f"{found.title} {found.explanation}"
    assert both.count("of the synthetic and") == both.count("of the real records (") == 2
    frame = next(t for t in large.tables if t.id == "plausibility.rules").frame()
    assert {"real passing", "synthetic passing", "limit", "source", "floor low"} <= set(frame)
    assert set(frame.limits) == {"strict", "alternative"}
    assert frame[frame.rule != "all rules"].source.str.len().gt(0).all()


def test_every_code_and_statistic_is_in_the_catalogue(large):
    assert {f.code for f in large.findings} <= set(CATALOGUE)
    for e in large.estimates:
        assert statistic(e.id) is not None, e.id


def test_a_few_hundred_records_decide_nothing_and_the_number_needed_is_told():
    found = only(compare(table(300, 0), table(300, 1)), "PLAUS-NORMAL")
    assert found.verdict == Verdict.INCONCLUSIVE
    assert "patients a side decide" in found.explanation


def test_a_wider_qrs_fails_and_is_named():
    found = only(compare(table(1500, 0), table(1500, 1, qrs_ms=15)), "PLAUS-NORMAL")
    assert found.verdict == Verdict.FAIL
    assert "QRS duration" in found.explanation


def test_selection_fails_as_surely_as_disease():
    """A generator filtered to normal records is too normal: the difference is above 0."""
    synth = table(3000, 1)
    passing = (apply_rules(synth, sex=["F"] * 3000, age=[50] * 3000)["normal"] == "pass").to_numpy()
    results = compare(table(1500, 0), synth[passing])
    assert only(results, "PLAUS-NORMAL").verdict == Verdict.FAIL
    assert results.estimate("plausibility.normal.pass_diff").value > 5


def test_nothing_measurable_fails_and_a_flat_set_never_scores():
    synth = table(1500, 1) * np.nan
    found = only(compare(table(1500, 0), synth), "PLAUS-NORMAL")
    assert found.verdict == Verdict.FAIL
    assert "0.0 % of the synthetic" in found.title


def test_a_real_set_without_normal_records_cannot_be_missed_and_is_not_assessable():
    real, synth = (table(2000, seed, qrs_ms=60) for seed in (0, 1))
    assert only(compare(real, synth), "PLAUS-NORMAL").verdict == Verdict.NOT_ASSESSABLE


def test_the_interval_that_decides_is_printed_and_the_deciding_limits_first():
    found = only(compare(table(1500, 0), table(1500, 1, qtcf_ms=25)), "PLAUS-NORMAL")
    margin = 100 * load_margins("lenient").plausibility
    low, high = re.search(r"90 % CI (\S+) to (\S+)\)", found.title).groups()
    ends = [float(end.replace("−", "-")) for end in (low, high)]
    assert found.verdict == tost((ends[0], ends[1]), -margin, margin) == Verdict.FAIL
    assert "95 %" not in found.title
    assert found.explanation.count("95 % CI") == 2


def test_a_rule_that_nothing_can_measure_gives_no_share_of_0():
    """One lead has no axis: every record lacks it, and none keeps all rules."""
    real, synth = (table(300, seed).assign(qrs_axis_deg=np.nan) for seed in (0, 1))
    results = compare(real, synth)
    found = only(results, "PLAUS-NORMAL")
    assert found.verdict == Verdict.NOT_ASSESSABLE
    assert "QRS axis cannot be measured in the real set" in found.title
    assert "0.0 %" not in found.title
    assert results.estimate("plausibility.normal.pass_diff").value is None
    frame = next(t for t in results.tables if t.id == "plausibility.rules").frame()
    axis = frame[frame.rule == "QRS axis"]
    assert set(axis["real passing"]) == {"not measurable in either set"}
    assert frame[frame.rule == "PR"]["difference, points"].notna().all()


def test_too_few_patients_and_empty_sets_are_not_assessable():
    few = compare(table(300, 0), table(300, 1), patients_synth=["one"] * 300)
    assert only(few, "PLAUS-NORMAL").verdict == Verdict.NOT_ASSESSABLE
    assert few.estimate("plausibility.rate.pass_diff").value is None
    empty = compare(table(30, 0), table(0, 1), known=False)
    assert only(empty, "PLAUS-NORMAL").verdict == Verdict.NOT_ASSESSABLE
    assert empty.verdict == Verdict.NOT_ASSESSABLE


def test_unknown_sex_gives_ranges_and_alike_sets_still_pass():
    real, synth = table(6000, 0), table(6000, 1)
    results = compare(real, synth, known=False, labels_real=people(real))
    found = only(results, "PLAUS-NORMAL")
    assert found.verdict == Verdict.PASS
    assert " to " in found.title.split(" of the synthetic")[0]
    assert "Sex or age is not known" in found.explanation
    known = compare(real, synth)
    for limits in ("pass_diff", "pass_diff_alternative"):
        wide = results.estimate(f"plausibility.qtc.{limits}")
        assert wide.ci[1] - wide.ci[0] > 0
        narrow = known.estimate(f"plausibility.rate.{limits}")
        same = results.estimate(f"plausibility.rate.{limits}")
        assert narrow.value == pytest.approx(same.value)  # no limit of the rate hangs on sex


def test_the_mix_of_sexes_is_no_difference_where_sex_is_known():
    real, synth = table(6000, 0), table(6000, 1)
    labels = [people(real), people(synth)]
    for frame, label in zip((real, synth), labels, strict=True):
        frame["qtcf_ms"] += np.where(label.sex == "F", 10, 0)
    few_women = labels[1].assign(sex=np.where(np.arange(6000) % 10 == 0, "F", "M"))
    synth["qtcf_ms"] += np.where(few_women.sex == "F", 10, 0) - np.where(
        labels[1].sex == "F", 10, 0
    )
    results = compare(real, synth, labels_real=labels[0], labels_synth=few_women)
    assert abs(results.estimate("plausibility.qtc.pass_diff").value) < 1.5


def test_swapping_the_sets_turns_the_sign():
    a, b = table(400, 0), table(500, 1, hr_bpm=8)
    one, other = compare(a, b, known=False), compare(b, a, known=False)
    for id in ("plausibility.rate.pass_diff", "plausibility.normal.pass_diff_alternative"):
        x, y = one.estimate(id), other.estimate(id)
        assert x.value == pytest.approx(-y.value)
        assert x.ci == pytest.approx((-y.ci[1], -y.ci[0]))


def test_order_patient_names_and_jobs_move_nothing():
    real, synth = table(300, 0), table(300, 1)
    who = np.repeat(np.arange(100), 3)
    labels = people(real)
    first = compare(real, synth, patients_real=who, labels_real=labels)
    order = np.random.default_rng(2).permutation(300)
    again = compare(
        real.iloc[order],
        synth,
        patients_real=[f"{w:05d}" for w in who[order]],
        labels_real=labels.iloc[order],
        jobs=2,
    )
    numeric = compare(real, synth, patients_real=[f"{w:05d}" for w in who], labels_real=labels)
    assert again.to_json() == numeric.to_json()
    assert (
        first.estimate("plausibility.rate.pass_diff").ci
        == again.estimate("plausibility.rate.pass_diff").ci
    )


def test_what_does_not_fit_is_said():
    real, synth = table(30, 0), table(30, 1)
    with pytest.raises(UsageError, match="31 patient ids"):
        compare(real, synth, patients_real=range(31))
    with pytest.raises(UsageError, match="no patient id"):
        compare(real, synth, patients_real=[None] * 30)
    with pytest.raises(UsageError, match="rows of labels"):
        compare(real, synth, labels_real=people(table(9, 0)))
    with pytest.raises(UsageError, match="no rule can be judged"):
        compare(real, synth[[]])


# ---- calibration -----------------------------------------------------------------------------


def drawn(rng, n, per, share, icc=0.6):
    """Return which records pass, by patient of `per` records alike with correlation `icc`."""
    person = rng.random(n) < share
    own = rng.random((n, per)) < np.sqrt(icc)
    return np.where(own, person[:, None], rng.random((n, per)) < share).ravel()


def judged(real, synth, who):
    margins = load_margins("lenient")
    samples = [Sample(np.empty((len(x), 0)), w) for x, w in zip((real, synth), who, strict=True)]
    common = Setting("plausibility", 0, margins, (samples[0], samples[1]), Effort.of(True))
    known = np.ones((1, len(real)), bool), np.ones((1, len(synth)), bool)
    return _difference(common, _View((real[None], synth[None]), known), 0)


def coverage(grouped, n, reps=500):
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(reps):
        real, synth = drawn(rng, n, 4, 0.6), drawn(rng, 4 * n, 1, 0.7)
        who = np.repeat(np.arange(n), 4) if grouped else np.arange(4 * n)
        ci = judged(real, synth, (who, np.arange(4 * n))).ci
        hits += ci[0] <= 0.1 <= ci[1]
    return hits / reps


@pytest.mark.parametrize("n", [50, 200])
def test_intervals_cover_and_records_taken_for_patients_do_not(n):
    """Coverage with four records a patient; MUTATION: without the grouping it is lost."""
    assert 0.93 - 3 * np.sqrt(0.93 * 0.07 / 500) < coverage(True, n) < 0.98
    assert coverage(False, n) < 0.90


def test_size_of_the_gate_at_the_margin():
    """PROOF: a true difference of the margin passes in at most 5 % (3 binomial SE)."""
    rng, reps = np.random.default_rng(4), 600
    passed = 0
    for _ in range(reps):
        real, synth = drawn(rng, 3000, 1, 0.60), drawn(rng, 3000, 1, 0.63)
        result = judged(real, synth, (np.arange(3000), np.arange(3000)))
        passed += tost(result.ci90, -0.03, 0.03) == Verdict.PASS
    assert passed / reps < 0.05 + 3 * np.sqrt(0.05 * 0.95 / reps)
    assert passed > 0


# ---- leads and signals -----------------------------------------------------------------------


def checked(ecgs):
    marks = delineate(ecgs)
    frame = measure_marks(marks).set_index(ecgs.ids)
    return frame, signal_checks(np.asarray(ecgs.signals), ecgs.fs, ecgs.leads, marks)


@pytest.fixture(scope="module")
def waves(sim):
    return checked(sim(80, seed=20)), checked(sim(80, seed=21))


def signals(real, synth, **options):
    return compare(
        real[0], synth[0], known=False, signal_real=real[1], signal_synth=synth[1], **options
    )


def test_alike_waveforms_show_no_finding_and_never_a_pass(waves):
    results = signals(*waves)
    for code in ("PLAUS-LEADS", "PLAUS-SIGNAL"):
        found = only(results, code)
        assert found.verdict == Verdict.INCONCLUSIVE
        assert "none of" in found.title
        assert not found.gate
    assert {f.id: f.kind for f in results.figures} == {
        "plausibility.rules": "effects",
        "plausibility.signal": "effects",
    }
    for e in results.estimates:
        assert statistic(e.id) is not None, e.id
        if e.id.endswith(".ks"):
            assert 0 < e.p <= 1
            assert e.p_adjusted >= e.p
    jsonschema.validate(json.loads(results.to_json()), json_schema())


@pytest.mark.parametrize(("noise", "words"), [(0.0005, "too clean"), (0.05, "more noise")])
def test_too_clean_and_too_noisy_are_both_found(sim, waves, noise, words):
    """PROOF: signal quality is read two-sided."""
    found = only(signals(waves[0], checked(sim(80, seed=22, noise_mv=noise))), "PLAUS-SIGNAL")
    assert found.verdict == Verdict.FAIL
    assert words in found.title + found.explanation


def test_a_lead_of_another_heart_is_found_as_leads_that_do_not_belong_together(sim, waves):
    ecgs = sim(80, seed=23)
    mixed = np.array(ecgs.signals)
    mixed[:, 1] = np.roll(mixed[:, 1], 1, axis=0)
    found = only(
        signals(waves[0], checked(type(ecgs)(mixed, ecgs.fs, ecgs.leads, ecgs.records))),
        "PLAUS-LEADS",
    )
    assert found.verdict == Verdict.FAIL or "differ; most" in found.title


def test_a_check_that_the_synthetic_set_lacks_is_a_fail_and_not_dropped(waves):
    lost = waves[1][1].assign(beat_corr=np.nan)
    found = only(signals(waves[0], (waves[1][0], lost)), "PLAUS-SIGNAL")
    assert found.verdict == Verdict.FAIL
    assert "no value of likeness of beats" in found.title


def test_without_waveforms_nothing_is_said_of_signals():
    results = compare(table(60, 0), table(60, 1))
    for code in ("PLAUS-ALGEBRA", "PLAUS-LEADS", "PLAUS-SIGNAL"):
        assert only(results, code).verdict == Verdict.NOT_ASSESSABLE


@pytest.fixture(scope="module")
def twelve(sim):
    """Return a maker of 12-lead sets rounded lead by lead to 4.88 µV."""

    def make(seed, spoil=lambda x: x):
        ecgs = sim(40, seed=seed).with_leads(STANDARD_LEADS)
        signals = spoil(4.88e-3 * np.rint(np.asarray(ecgs.signals, float) / 4.88e-3))
        return checked(type(ecgs)(signals.astype(np.float32), ecgs.fs, ecgs.leads, ecgs.records))

    return make


def test_derived_leads_are_not_applicable_and_never_a_pass(sim, twelve):
    """PROOF: a sum that holds by construction is no evidence."""
    real = twelve(30)
    told = only(
        signals(real, twelve(31), leads_derived=("III", "aVR", "aVL", "aVF")), "PLAUS-ALGEBRA"
    )
    assert told.verdict == Verdict.NOT_ASSESSABLE
    assert "not applicable" in told.title
    exact = checked(sim(40, seed=32).with_leads(STANDARD_LEADS))
    seen = only(signals(real, exact), "PLAUS-ALGEBRA")
    assert seen.verdict == Verdict.NOT_ASSESSABLE
    assert "computed from each other" in seen.title
    eight = checked(sim(40, seed=32))
    assert "lacks the limb leads" in only(signals(real, eight), "PLAUS-ALGEBRA").title


def test_lead_algebra_of_leads_generated_apart_fails_against_real_rounding(twelve):
    def late(x):
        x[:, 2] = np.roll(x[:, 2], 2, axis=-1)
        return x

    real = twelve(30)
    results = signals(real, twelve(31, late))
    found = only(results, "PLAUS-ALGEBRA")
    assert found.verdict == Verdict.FAIL
    assert results.estimate("plausibility.lead_algebra.broken_diff").value == pytest.approx(
        100, abs=5
    )
    assert any(t.id == "plausibility.algebra" for t in results.tables)
    assert only(signals(real, twelve(33)), "PLAUS-ALGEBRA").verdict != Verdict.FAIL


# ---- another interpreter ---------------------------------------------------------------------


def test_kappa_by_hand_and_against_scikit_learn():
    from sklearn.metrics import cohen_kappa_score

    # Cohen's own arithmetic: 20 + 15 of 50 agree, chance 25/50·30/50 + 25/50·20/50 = 0.5
    assert cohen_kappa(np.array([[20, 5], [10, 15]])) == pytest.approx(0.4)
    rng = np.random.default_rng(5)
    a = rng.random(200) < 0.6
    b = a ^ (rng.random(200) < 0.2)
    counts = np.array([[(a & b).sum(), (a & ~b).sum()], [(~a & b).sum(), (~a & ~b).sum()]])
    assert cohen_kappa(counts) == pytest.approx(cohen_kappa_score(a, b))
    assert np.isnan(cohen_kappa(np.array([[9, 0], [0, 0]])))


def test_statements_are_read_as_12sl_writes_them(tmp_path):
    rules = pd.DataFrame(
        {"normal": ["pass", "pass", "fail", "fail", "not measurable", "depends on sex or age"]},
        index=list("abcdef"),
    )
    says = [
        "Normal sinus rhythm Normal ECG",
        "Otherwise normal ECG",
        "Abnormal ECG",
        "Normal ECG",
        "Borderline ECG",
        "Normal ECG",
    ]
    path = tmp_path / "12sl.csv"
    pd.DataFrame({"ecg_id": list("abcdef"), "Statements": says}).to_csv(path, index=False)
    found = join_interpreter(rules, path)
    assert found.counts.tolist() == [[1, 1], [1, 2]]
    assert (found.n, found.undecided, found.unmatched) == (5, 1, 0)
    flags = pd.DataFrame({"normal": [True, False, False, True, None]}, index=list("abcde"))
    found = join_interpreter(rules, flags)
    assert found.counts.tolist() == [[1, 1], [1, 1]]
    assert found.unmatched == 2
    with pytest.raises(UsageError, match="no column verdict"):
        join_interpreter(rules, path, column="verdict")
    with pytest.raises(DataError, match="matches the record ids"):
        join_interpreter(rules.set_axis([f"x{k}" for k in range(6)]), path)
    odd = pd.DataFrame({"normal": ["maybe"] * 6}, index=list("abcdef"))
    with pytest.raises(DataError, match="'maybe'"):
        join_interpreter(rules, odd)


def test_interpreters_of_both_sets_are_cross_tabulated():
    real, synth = table(400, 0), table(400, 1)
    told = [
        pd.DataFrame({"normal": apply_rules(t, strict=False, sex=["F"] * 400)["normal"] == "pass"})
        for t in (real, synth)
    ]
    results = compare(real, synth, interpreter_real=told[0], interpreter_synth=told[1])
    for which in ("real", "synth"):
        name = "real" if which == "real" else "synthetic"
        kappa = results.estimate(f"plausibility.interpreter_{name}.alternative_kappa")
        assert 0.5 < kappa.ci[0] <= kappa.value <= kappa.ci[1] <= 1
        assert any(t.id == f"plausibility.interpreter_{name}" for t in results.tables)
    assert sum(f.code == "PLAUS-INTERPRETER" for f in results.findings) == 2
    jsonschema.validate(json.loads(results.to_json()), json_schema())


def test_real_halves_agree_and_the_abnormal_half_of_ptbxl_does_not(real_data):
    from ecgeval import sets

    real_data("ptbxl")
    ecgs = sets.read("ptbxl:1-200")
    frame, checks = checked(ecgs)
    records, normal = ecgs.records, ecgs.records.norm_only.to_numpy(bool)
    who = records.patient_id.to_numpy()
    odd = np.unique(who.astype(str), return_inverse=True)[1] % 2 == 0

    def run(a, b):
        return compare_plausibility(
            frame[a],
            frame[b],
            patients_real=who[a],
            patients_synth=who[b],
            labels_real=records[a],
            labels_synth=records[b],
            signal_real=checks[a],
            signal_synth=checks[b],
            quick=True,
        )

    halves, rest = run(normal & odd, normal & ~odd), run(normal, ~normal)
    assert only(halves, "PLAUS-NORMAL").verdict != Verdict.FAIL
    assert "none of" in only(halves, "PLAUS-LEADS").title
    assert only(rest, "PLAUS-NORMAL").verdict == Verdict.FAIL
    assert "not applicable" in only(rest, "PLAUS-ALGEBRA").title
