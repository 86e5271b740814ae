"""The rules for a normal ECG: limits at their edges, sex and age never guessed, calibration."""

import numpy as np
import pandas as pd
import pytest

from ecgeval.comparison.plausibility.rule_table import load_rules
from ecgeval.comparison.plausibility.rules import (
    DEPENDS,
    FAIL,
    NOT_MEASURABLE,
    PASS,
    apply_rules,
    calibrate_rules,
    judge,
)
from ecgeval.ecgset import STANDARD_LEADS, EcgSet
from ecgeval.errors import UsageError
from ecgeval.measures import measure

STEP = 1e-6


def normal(n=1):
    """Return the measures of a textbook's normal woman or man of any age, n times."""
    one = {
        "hr_bpm": 70,
        "rr_ms": 857,
        "p_dur_ms": 100,
        "pr_ms": 160,
        "qrs_ms": 90,
        "qt_ms": 390,
        "qtcf_ms": 410,
        "qtcb_ms": 420,
        "p_axis_deg": 50,
        "qrs_axis_deg": 45,
        "t_axis_deg": 40,
        "p_beats_pct": 100,
        "pr_sd_ms": 3,
        "q_dur_ms": 16,
    }
    for lead in STANDARD_LEADS:
        up = -1 if lead == "aVR" else 1
        one |= {
            f"p_amp_{lead}_mv": 0.1 * up,
            f"t_amp_{lead}_mv": 0.3 * up,
            f"stj_{lead}_mv": 0.02,
            f"q_amp_{lead}_mv": -0.05,
            f"r_amp_{lead}_mv": 0.8,
            f"s_amp_{lead}_mv": -0.2,
        }
    one |= {
        "r_amp_V1_mv": 0.2,
        "s_amp_V1_mv": -0.9,
        "r_amp_V2_mv": 0.4,
        "s_amp_V2_mv": -1.2,
        "r_amp_V3_mv": 0.8,
        "s_amp_V3_mv": -0.9,
        "r_amp_V4_mv": 1.2,
        "s_amp_V4_mv": -0.5,
        "r_amp_V5_mv": 1.2,
        "s_amp_V5_mv": -0.3,
        "r_amp_V6_mv": 1.0,
        "r_amp_aVL_mv": 0.3,
    }
    return pd.DataFrame([one] * n, index=[f"r{i}" for i in range(n)], dtype=float)


def verdict(rule, strict=True, sex=None, age=None, **values):
    frame = normal().assign(**values)
    table = apply_rules(frame, strict=strict, sex=sex and [sex], age=age and [age])
    return table[rule].iloc[0]


def test_a_textbook_ecg_passes_every_rule_whoever_it_is_of():
    for strict in (True, False):
        table = apply_rules(normal(3), strict=strict, sex=["F", "M", None], age=[30, 60, np.nan])
        for rule in [*(r.id for r in load_rules().rules), "normal"]:
            assert (table[rule] == PASS).all(), rule


# rule, column, strict limit, whether it belongs to the normal range, side, alternative limit
EDGES = [
    ("rate", "hr_bpm", 60, True, "low", 50),
    ("rate", "hr_bpm", 100, True, "high", 100),
    ("sinus", "p_axis_deg", 0, True, "low", -30),
    ("sinus", "p_axis_deg", 75, True, "high", 90),
    ("sinus", "p_amp_I_mv", 0, False, "low", -0.05),
    ("sinus", "p_amp_II_mv", 0, False, "low", -0.05),
    ("sinus", "p_amp_aVR_mv", 0, False, "high", 0.05),
    ("sinus", "p_beats_pct", 90, True, "low", 75),
    ("sinus", "pr_sd_ms", 15, True, "high", 20),
    ("pr", "pr_ms", 120, True, "low", 120),
    ("pr", "pr_ms", 200, True, "high", None),
    ("p_duration", "p_dur_ms", 120, False, "high", 142.9),
    ("qrs", "qrs_ms", 110, True, "high", 120),
    ("axis", "qrs_axis_deg", -30, True, "low", -45),
    ("axis", "qrs_axis_deg", 90, True, "high", 120),
    ("st_elevation", "stj_I_mv", 0.10, False, "high", 0.10),
    ("st_elevation", "stj_V6_mv", 0.10, False, "high", 0.10),
    ("st_depression", "stj_V2_mv", -0.05, False, "low", -0.05),
    ("st_depression", "stj_V4_mv", -0.10, False, "low", -0.10),
    ("t_wave", "t_amp_V3_mv", 0, False, "low", -0.10),
    ("t_wave", "t_amp_aVR_mv", 0, False, "high", 0.10),
    ("q_wave", "q_dur_ms", 40, False, "high", 40),
]


@pytest.mark.parametrize(("rule", "column", "limit", "closed", "side", "other"), EDGES)
def test_each_limit_at_and_on_both_sides(rule, column, limit, closed, side, other):
    out = STEP if side == "high" else -STEP
    assert verdict(rule, **{column: limit - out}) == PASS
    assert verdict(rule, **{column: limit + out}) == FAIL
    assert verdict(rule, **{column: limit}) == (PASS if closed else FAIL)
    if other is not None:
        assert verdict(rule, strict=False, **{column: other - out}) == PASS
        assert verdict(rule, strict=False, **{column: other + out}) == FAIL


def test_first_degree_block_is_220_ms_in_the_alternative():
    assert verdict("pr", strict=False, pr_ms=219) == PASS
    assert verdict("pr", strict=False, pr_ms=220) == FAIL


# rule, column, limit of women, of men under 40, of men from 40 on; all excluded from the range
BY_PERSON = [
    ("qtc", {"qtcf_ms": 1.0}, 460, 450, 450),
    ("qtcb", {"qtcb_ms": 1.0}, 460, 450, 450),
    ("st_elevation", {"stj_V2_mv": 1.0}, 0.15, 0.25, 0.20),
    ("st_elevation", {"stj_V3_mv": 1.0}, 0.15, 0.25, 0.20),
]


@pytest.mark.parametrize(("rule", "columns", "women", "young", "old"), BY_PERSON)
def test_limits_by_sex_and_age_and_unknown_people_are_not_guessed(rule, columns, women, young, old):
    (column,) = columns
    for limit, sex, age in ((women, "F", 30), (women, "F", 70), (young, "M", 39.9), (old, "M", 40)):
        assert verdict(rule, sex=sex, age=age, **{column: limit - STEP}) == PASS
        assert verdict(rule, sex=sex, age=age, **{column: limit}) == FAIL
    least, most = min(women, young, old), max(women, young, old)
    assert verdict(rule, **{column: least - STEP}) == PASS
    assert verdict(rule, **{column: (least + most) / 2}) == DEPENDS
    assert verdict(rule, **{column: most}) == FAIL
    assert verdict("normal", **{column: (least + most) / 2}) == (
        PASS if rule == "qtcb" else DEPENDS
    )


def test_no_person_at_all_could_be_normal_is_a_fail_though_each_rule_depends():
    # too long for a man, too much voltage for a woman
    values = {"qtcf_ms": 455, "r_amp_aVL_mv": 1.3}
    assert verdict("qtc", **values) == DEPENDS
    assert verdict("voltage", **values) == DEPENDS
    assert verdict("normal", **values) == FAIL
    assert verdict("normal", sex="F", **values) == FAIL
    assert verdict("normal", sex="M", **values) == FAIL


def test_voltage_progression_and_q_waves_by_hand():
    assert verdict("voltage", s_amp_V1_mv=-2.0, r_amp_V5_mv=1.49) == PASS
    assert verdict("voltage", s_amp_V1_mv=-2.0, r_amp_V6_mv=1.5) == FAIL
    assert verdict("voltage", sex="F", r_amp_aVL_mv=1.2, s_amp_V3_mv=-0.8) == FAIL
    assert verdict("voltage", sex="M", r_amp_aVL_mv=1.2, s_amp_V3_mv=-0.8) == PASS
    low = {f"{w}_amp_{lead}_mv": 0.0 for lead in STANDARD_LEADS[:6] for w in "qs"}
    low |= {f"r_amp_{lead}_mv": 0.4 for lead in STANDARD_LEADS[:6]}
    assert verdict("voltage", **low) == FAIL
    assert verdict("voltage", **low | {"r_amp_II_mv": 0.5}) == PASS
    assert verdict("r_progression", r_amp_V4_mv=0.2) == FAIL
    assert verdict("r_progression", s_amp_V5_mv=-1.2) == FAIL
    assert verdict("r_progression", r_amp_V1_mv=0.9) == FAIL  # R as large as S in V1 already
    qs = {"q_amp_V1_mv": -0.9, "r_amp_V1_mv": 0.03, "s_amp_V1_mv": 0.0}
    assert verdict("r_progression", **qs) == PASS  # a QS in V1 is no R
    assert verdict("voltage", **qs | {"q_amp_V1_mv": -2.4}) == FAIL
    never = {f"s_amp_V{k}_mv": -1.9 for k in range(1, 7)} | {"s_amp_V2_mv": -2.0}
    assert verdict("r_progression", **never) == FAIL
    assert verdict("q_wave", q_amp_aVL_mv=-0.074) == PASS  # 24.7 % of 0.3 mV
    assert verdict("q_wave", q_amp_aVL_mv=-0.075) == FAIL
    assert verdict("q_wave", strict=False, q_amp_aVL_mv=-0.2) == PASS
    assert verdict("q_wave", strict=False, q_amp_II_mv=-0.2) == FAIL
    assert verdict("q_wave", q_amp_III_mv=-0.7, q_amp_V1_mv=-0.7, q_amp_aVR_mv=-0.7) == PASS


def test_the_value_that_decides_is_given():
    frame = normal().assign(stj_V4_mv=0.31, hr_bpm=112)
    table = apply_rules(frame).iloc[0]
    assert (table.st_elevation_measure, table.st_elevation_value) == ("stj_V4_mv", 0.31)
    assert (table.rate_measure, table.rate_value) == ("hr_bpm", 112)


def test_a_missing_p_wave_breaks_sinus_rhythm_and_leaves_pr_unmeasured():
    gone = {"pr_ms": np.nan, "p_dur_ms": np.nan, "p_axis_deg": np.nan}
    assert verdict("sinus", **gone) == FAIL
    assert verdict("pr", **gone) == NOT_MEASURABLE
    assert verdict("normal", **gone) == FAIL


def test_what_cannot_be_measured_never_passes():
    nothing = normal() * np.nan
    table = apply_rules(nothing)
    for rule in [*(r.id for r in load_rules().rules), "normal"]:
        assert table[rule].iloc[0] == NOT_MEASURABLE, rule
    assert verdict("normal", qtcf_ms=np.nan) == NOT_MEASURABLE
    # a failure elsewhere in the rule is one whatever is missing
    assert verdict("t_wave", t_amp_I_mv=np.nan, t_amp_V5_mv=-0.2) == FAIL
    assert verdict("t_wave", t_amp_I_mv=np.nan) == NOT_MEASURABLE


def test_children_are_not_judged_by_the_limits_of_adults():
    assert verdict("normal", age=17.9) == NOT_MEASURABLE
    assert verdict("normal", age=-3) == verdict("normal", age=999) == verdict("normal") == PASS
    assert verdict("normal", age=18) == PASS


def test_eight_leads_leave_out_what_they_lack_and_no_rules_is_an_error():
    columns = [c for c in normal() if not any(f"_{x}_" in c for x in ("III", "aVR", "aVL", "aVF"))]
    table = apply_rules(normal()[columns])
    assert table["normal"].iloc[0] == PASS
    used = [c for rule in judge(normal()[columns]).columns for c in rule]
    assert "stj_V4_mv" in used
    assert not [c for c in used if "aV" in c or "_III_" in c or c == "cornell_mv"]
    with pytest.raises(UsageError, match="no rule can be judged"):
        apply_rules(pd.DataFrame({"age": [1.0]}))
    with pytest.raises(UsageError, match="2 sexes"):
        apply_rules(normal(), sex=["F", "M"])


def test_swapped_arm_electrodes_keep_the_algebra_and_break_axis_and_polarity(sim):
    """PROOF: RA and LA exchanged: I turns over, II and III, aVR and aVL change places."""
    right = with_heart(sim(6, seed=3, noise_mv=0.002)).with_leads(STANDARD_LEADS)
    x = dict(zip(right.leads, right.signals.transpose(1, 0, 2), strict=True))
    swapped = {**x, "I": -x["I"], "II": x["III"], "III": x["II"], "aVR": x["aVL"], "aVL": x["aVR"]}
    signals = np.stack([swapped[lead] for lead in right.leads], axis=1)
    wrong = EcgSet(signals, right.fs, right.leads, right.records)
    from ecgeval.signal_checks import signal_checks

    checks = signal_checks(wrong.signals, wrong.fs, wrong.leads)
    assert checks.algebra_p999_uv.max() < 0.01
    before, after = (apply_rules(measure(s)) for s in (right, wrong))
    assert (before[["sinus", "axis", "t_wave"]] == PASS).all(axis=None)
    for rule in ("sinus", "axis", "t_wave"):
        assert (after[rule] == FAIL).all(), rule
    assert after.axis_value.abs().min() > 90
    polarity = judge(measure(wrong)[["p_amp_aVR_mv", "t_amp_aVR_mv"]])
    assert (polarity.failed.all(axis=(0, 1))).all()


def with_heart(ecgs):
    """Return simulated records whose limb leads are of one frontal vector at about 50 degrees."""
    first = ecgs.signals[:, 0]
    signals = np.array(ecgs.signals)
    signals[:, 0], signals[:, 1] = 0.64 * first, 0.98 * first
    return EcgSet(signals, ecgs.fs, ecgs.leads, ecgs.records)


def test_calibration_counts_by_hand():
    frame = normal(8)
    frame.loc[["r0", "r4", "r5", "r6"], "hr_bpm"] = 120.0
    frame.loc["r7", "hr_bpm"] = np.nan
    table = calibrate_rules(frame, [True] * 4 + [False] * 4, list("aabbccdd"))
    row = table.set_index(["rule", "limits"]).loc[("rate", "strict")]
    assert row.specificity == pytest.approx(75)
    assert row.sensitivity == pytest.approx(100)
    assert (row.specificity_n, row.sensitivity_n) == (4, 3)
    assert (row.specificity_patients, row.sensitivity_patients) == (2, 2)
    whole = table.set_index(["rule", "limits"]).loc[("normal", "strict")]
    assert whole.sensitivity_n == 4  # what cannot be measured is not shown to be normal
    assert whole.sensitivity == pytest.approx(100)
    assert row.specificity_low < 75 < row.specificity_high


def test_record_order_and_patient_names_move_nothing():
    rng = np.random.default_rng(0)
    frame = normal(40)
    frame["hr_bpm"] = rng.normal(70, 20, 40)
    label, who = rng.random(40) < 0.5, np.repeat(np.arange(20), 2)
    order = rng.permutation(40)
    first = calibrate_rules(frame, label, who)
    again = calibrate_rules(frame.iloc[order], label[order], [f"p{19 - w}" for w in who[order]])
    pd.testing.assert_frame_equal(first, again)


def test_real_normal_ecgs_mostly_pass_in_the_convention_of_the_marks(real_data):
    from ecgeval import sets

    real_data("ptbxl")
    ecgs = sets.read("ptbxl:1-120")
    table = calibrate_rules(
        measure(ecgs),
        ecgs.records.norm_only.astype(bool),
        ecgs.records.patient_id,
        sex=ecgs.records.sex,
        age=ecgs.records.age,
    ).set_index(["rule", "limits"])
    assert table.loc[("normal", "alternative"), "specificity"] > 50
    assert table.loc[("normal", "alternative"), "sensitivity"] > 70
    assert table.loc[("normal", "strict"), "specificity"] < 35  # the textbook's P and QRS
    single = table.drop("normal", level=0).xs("alternative", level=1)
    assert (single.specificity > 80).all()
