"""Plausibility of two sets: what a user is told, the gate, signals, another interpreter."""

import json
import re

import jsonschema
import numpy as np
import pandas as pd
import pytest

from ecgeval.catalogue import CATALOGUE
from ecgeval.comparison.margins import load_margins
from ecgeval.comparison.pair import Pair, Side
from ecgeval.comparison.plausibility import section
from ecgeval.comparison.plausibility.rules import apply_rules
from ecgeval.delineation import delineate
from ecgeval.errors import UsageError
from ecgeval.measures import measure_marks
from ecgeval.report.explain import statistic
from ecgeval.results import Results, Verdict, json_schema
from ecgeval.signal_checks import signal_checks
from ecgeval.stats.equivalence import tost


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
    """Compare two tables; an option that ends in ``_real`` or ``_synth`` is of that side."""
    sides = []
    for which, frame, seed in (("real", real, 0), ("synth", synth, 1)):
        given = {"patients": frame.index} | ({"labels": people(frame, seed)} if known else {})
        own = [key for key in options if key.endswith(f"_{which}")]
        given |= {key.removesuffix(f"_{which}"): options.pop(key) for key in own}
        sides.append(Side(frame, **given))
    return section.compare(Pair(*sides, quick=True, **options))


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
        real[0], synth[0], known=False, checks_real=real[1], checks_synth=synth[1], **options
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


def test_interpreters_of_both_sets_are_cross_tabulated(tmp_path):
    real, synth = table(400, 0), table(400, 1)
    paths = {}
    for which, frame in (("real", real), ("synth", synth)):
        normal = apply_rules(frame, strict=False, sex=["F"] * 400)["normal"] == "pass"
        paths[f"interpreter_{which}"] = tmp_path / f"{which}.csv"
        normal.to_csv(paths[f"interpreter_{which}"])
    results = compare(real, synth, **paths)
    for name in ("real", "synthetic"):
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
        real, synth = (Side(frame[p], who[p], records[p], checks=checks[p]) for p in (a, b))
        return section.compare(Pair(real, synth, quick=True))

    halves, rest = run(normal & odd, normal & ~odd), run(normal, ~normal)
    assert only(halves, "PLAUS-NORMAL").verdict != Verdict.FAIL
    assert "none of" in only(halves, "PLAUS-LEADS").title
    assert only(rest, "PLAUS-NORMAL").verdict == Verdict.FAIL
    assert "not applicable" in only(rest, "PLAUS-ALGEBRA").title
