"""The section on measures: what a user is told about sets that differ in one known way."""

import json
import re

import jsonschema
import numpy as np
import pandas as pd
import pytest

from ecgeval.comparison.margins import Margins, load_margins
from ecgeval.comparison.measures import section
from ecgeval.comparison.pair import Pair, Side
from ecgeval.ecgset import STANDARD_LEADS
from ecgeval.measures import measure_columns, measure_info
from ecgeval.results import Results, Verdict, json_schema


def table(n, seed):
    """Return plausible measures of n people, on the grids real ones have."""
    rng = np.random.default_rng(seed)
    rr = rng.normal(900, 110, n)
    frame = {
        "hr_bpm": 60_000 / rr,
        "rr_ms": rr,
        "p_dur_ms": rng.normal(105, 10, n),
        "pr_ms": rng.normal(155, 18, n),
        "qrs_ms": rng.normal(92, 8, n),
        "qt_ms": 390 + 0.16 * (rr - 900) + rng.normal(0, 14, n),
        "qtcf_ms": rng.normal(405, 16, n),
        "qrs_axis_deg": np.mod(rng.normal(45, 30, n) + 180, 360) - 180,
        "p_amp_II_mv": rng.normal(0.12, 0.04, n),
        "r_amp_V5_mv": rng.gamma(9, 0.15, n),
        "s_amp_V2_mv": -rng.gamma(9, 0.12, n),
        "t_amp_V5_mv": rng.normal(0.35, 0.12, n),
        "st60_V2_mv": rng.normal(0.08, 0.05, n),
    }
    for column, values in frame.items():
        if column.endswith("_ms") and column != "rr_ms":
            frame[column] = np.round(values / 2) * 2
    return pd.DataFrame(frame, index=[f"s{seed}-{i}" for i in range(n)])


def compare(real, synth, patients_real=None, patients_synth=None, **options):
    sides = [
        Side(measures, measures.index if patients is None else patients)
        for measures, patients in ((real, patients_real), (synth, patients_synth))
    ]
    return section.compare(Pair(*sides, **{"quick": True, **options}))


def find(results, code):
    return [f for f in results.findings if f.code == code]


def only(results, code):
    (finding,) = find(results, code)
    return finding


@pytest.fixture(scope="module")
def alike():
    return compare(table(3000, 0), table(4000, 1))


def test_alike_sets_pass_and_every_number_has_its_company(alike):
    assert alike.verdict == Verdict.PASS, alike.headline()
    assert {f.code for f in alike.findings if f.gate} == {
        "FID-EQUIV",
        "FID-SPREAD",
        "FID-SHAPE",
        "FID-MISSING",
    }
    for e in alike.estimates:
        assert e.value is not None
        assert e.n_real > 0
        assert e.patients_synth > 0
        assert e.method
        assert e.null is not None
        if not e.id.endswith("_shuffled"):
            assert e.ci[0] <= e.value <= e.ci[1], e.id
            assert e.floor is not None, e.id
            assert e.seed == 0
    jsonschema.validate(json.loads(alike.to_json()), json_schema())
    assert Results.from_json(alike.to_json()).to_json() == alike.to_json()


def test_significance_and_the_classifier_are_never_a_pass(alike):
    for code in ("FID-KS", "FID-C2ST"):
        assert only(alike, code).verdict != Verdict.PASS
        assert not only(alike, code).gate
    kinds = [e for e in alike.estimates if e.id.endswith("_auc")]
    off = any(f"{sum(e.floor) / 2:.2f}" != "0.50" for e in kinds)
    said = "not centred on 0.5" in only(alike, "FID-C2ST").explanation
    assert off or not said


def test_a_wider_qrs_fails_and_the_title_says_by_how_much():
    synth = table(900, 1)
    synth["qrs_ms"] += 10
    results = compare(table(700, 0), synth)
    finding = only(results, "FID-EQUIV")
    assert finding.verdict == Verdict.FAIL
    assert finding.title.startswith("QRS is ")
    assert "longer in the synthetic set (medians " in finding.title
    assert "margin ±6.0 ms" in finding.title
    estimate = results.estimate("fidelity.qrs_ms.median_diff")
    assert estimate.value == pytest.approx(10, abs=1.5)
    assert 8 < estimate.ci[0] < estimate.value < estimate.ci[1] < 12.5
    assert results.estimate("fidelity.qrs_ms.ks").p_adjusted < 0.05
    assert only(results, "FID-C2ST").verdict == Verdict.FAIL
    assert "QRS" in only(results, "FID-C2ST").explanation
    shown = next(t for t in results.tables if t.id == "fidelity.summary").frame()
    assert shown.set_index("measure").loc["QRS", "verdict"] == "FAIL"


def test_a_shallower_s_is_called_so_with_both_medians():
    synth = table(900, 1)
    synth["s_amp_V2_mv"] += 0.3
    title = only(compare(table(700, 0), synth), "FID-EQUIV").title
    assert re.match(
        r"S amplitude V2 is 0\.\d{3} mV shallower in the synthetic set "
        r"\(medians −1\.\d{3} mV real, −0\.\d{3} mV synthetic; 90 % CI of the difference 0",
        title,
    )
    # Ten per cent of the real median, which is more than 0.1 mV: not a size of its own.
    assert re.search(r"margin ±0\.1\d\d mV = 10 % of the real median\)", title)
    tables = {t.id: t for t in compare(table(700, 0), synth).tables}
    assert "S amplitude V2 (10 % of the real median)" in tables["fidelity.summary"].caption
    assert "real median for R amplitude V5, S amplitude V2" in tables["fidelity.power"].caption
    synth["s_amp_V2_mv"] -= 0.6
    assert "mV deeper in" in only(compare(table(700, 0), synth), "FID-EQUIV").title


def test_no_difference_is_called_the_same_and_not_zero():
    real = table(300, 0)
    results = compare(real, real.sample(frac=1, random_state=0).set_axis(real.index))
    text = only(results, "FID-EQUIV").explanation
    assert "QRS is the same within 0.1 ms in the synthetic set (medians" in text
    assert (
        "QRS varies as much, within 1 %, in the synthetic set (ratio of SDs 1.00"
        in only(results, "FID-SPREAD").explanation
    )
    assert "missing in no record of either set" in only(results, "FID-MISSING").explanation
    for finding in results.findings:
        assert not re.search(r"\bis 0\.0+ |\b1\.00 times|−0\.0+\b", finding.explanation)


def test_ranks_far_apart_by_microvolts_come_after_what_can_be_measured():
    """Seven in ten real Q are exactly 0: 5 µV everywhere gives a larger delta than 4 ms of QRS."""
    rng = np.random.default_rng(5)
    real, synth = table(700, 0), table(900, 1)
    real["q_amp_V3_mv"] = np.where(rng.random(700) < 0.7, 0, -rng.gamma(2, 0.02, 700))
    synth["q_amp_V3_mv"] = -0.005 - rng.gamma(2, 0.02, 900) * (rng.random(900) < 0.3)
    synth["qrs_ms"] += 4
    results = compare(real, synth)
    q, qrs = (
        abs(results.estimate(f"fidelity.{c}.cliffs_delta").value) for c in ("q_amp_V3_mv", "qrs_ms")
    )
    assert q > qrs > 0.2
    finding = only(results, "FID-KS")
    assert re.search(
        r"δ: QRS \+0\.\d\d \([45]\.\d ms longer, (inside|across) ±6\.0 ms\)", finding.title
    )
    assert "Q amplitude" not in finding.title
    assert re.search(
        r"by less than that: Q amplitude V3 −0\.\d\d \(0\.\d{3} mV deeper, inside ±0\.100 mV",
        finding.explanation,
    )
    shown = {t.id: t for t in results.tables}
    frame = shown["fidelity.largest"].frame()
    assert list(frame.columns) == ["measure", "delta", "ci", "floor", "difference", "margin"]
    assert len(frame) == 10
    assert frame.measure[0] == "QRS"
    small = frame[frame.measure == "Q amplitude V3"].iloc[0]
    assert small.margin == "inside ±0.100 mV"
    assert small.name > 0
    gone = shown["fidelity.giveaways"].frame()
    lost = gone[gone.columns[2]]
    assert gone.measure[0] == "QRS"
    assert lost.max() > lost[0]  # what loses more, but differs by less than can matter


def test_a_quick_run_finds_the_one_measure_of_a_hundred_that_differs():
    """p of 999 permutations, 0.001, times 100 measures would be 0.1."""
    rng = np.random.default_rng(3)
    columns = [c for c in measure_columns(STANDARD_LEADS) if not measure_info(c).circular][:95]
    real, synth = (
        pd.DataFrame(np.round(rng.normal(100, 10, (150, 95))), columns=columns) for _ in range(2)
    )
    synth["qrs_ms"] += 8
    results = compare(real, synth, patients_synth=[f"s{i}" for i in synth.index])
    assert only(results, "FID-KS").title.startswith("1 of 95 measures differ")
    assert results.estimate("fidelity.qrs_ms.ks").p == pytest.approx(1e-4)
    assert "Quick run: fewer resamples" in results.sections[0].summary


def test_too_few_records_are_inconclusive_not_a_pass():
    results = compare(table(25, 0), table(25, 1))
    assert only(results, "FID-EQUIV").verdict == Verdict.INCONCLUSIVE
    assert results.exit_code == 3


@pytest.mark.parametrize("n", [0, 1, 15])
def test_hardly_any_records_are_not_assessable_and_no_error(n):
    results = compare(table(200, 0), table(200, 1).iloc[:n])
    assert only(results, "FID-EQUIV").verdict == Verdict.NOT_ASSESSABLE
    assert results.exit_code == 3


def test_collapse_to_the_median_record_fails():
    """The medians agree perfectly: the spread has to give it away."""
    real = table(700, 0)
    synth = pd.DataFrame([real.median()] * 300, index=[f"x{i}" for i in range(300)])
    results = compare(real, synth)
    assert only(results, "FID-SPREAD").verdict == Verdict.FAIL
    assert "is the same in every synthetic record" in only(results, "FID-SPREAD").title
    assert results.estimate("fidelity.qrs_ms.log_sd_ratio").value is None
    assert results.exit_code == 1


def test_a_flat_line_fails():
    flat = pd.DataFrame(np.nan, index=[f"x{i}" for i in range(200)], columns=table(1, 0).columns)
    results = compare(table(300, 0), flat)
    empty = only(results, "FID-EMPTY")
    assert empty.verdict == Verdict.FAIL
    assert empty.gate
    assert "No synthetic record has a value of heart rate" in empty.title
    assert only(results, "FID-EQUIV").verdict == Verdict.NOT_ASSESSABLE
    assert only(results, "FID-MISSING").verdict == Verdict.FAIL
    assert results.estimate("fidelity.qrs_ms.ks").value is None
    assert "0 patients with a value" in results.estimate("fidelity.qrs_ms.ks").method
    assert results.exit_code == 1


def test_a_measure_missing_in_one_set_in_both_and_in_a_table():
    real, synth = table(300, 0), table(300, 1)
    synth["pr_ms"] = np.nan
    real["rr_ms"] = synth["rr_ms"] = np.nan
    results = compare(real, synth.drop(columns=["qt_ms"]))
    fail, neither, absent = find(results, "FID-EMPTY")
    assert (fail.verdict, "PR" in fail.title) == (Verdict.FAIL, True)
    assert (neither.verdict, neither.gate) == (Verdict.NOT_ASSESSABLE, False)
    assert (absent.verdict, absent.gate) == (Verdict.NOT_ASSESSABLE, True)
    assert "The synthetic table has no column for QT" in absent.title


def test_missing_p_waves_are_found():
    synth = table(900, 1)
    synth.loc[synth.index[:180], "pr_ms"] = np.nan
    finding = only(compare(table(700, 0), synth), "FID-MISSING")
    assert finding.verdict == Verdict.FAIL
    assert "PR is missing in 20.0 % of synthetic and 0.0 % of real records" in finding.title


def test_the_real_set_against_itself_never_passes():
    """An exact copy gets the best score on every distance; it must be called a copy."""
    real = table(300, 0)
    results = compare(real, real)
    finding = only(results, "FID-COPIES")
    assert finding.verdict == Verdict.FAIL
    assert finding.title.startswith("300 synthetic records equal")
    assert results.exit_code == 1


def test_near_copies_raise_the_leak_alarm():
    rng = np.random.default_rng(0)
    real = table(300, 0)
    synth = real + rng.normal(size=real.shape) * real.std().to_numpy() * 0.02
    finding = only(compare(real, synth), "FID-C2ST-LEAK")
    assert finding.verdict == Verdict.FAIL
    assert finding.gate


def test_millivolts_against_microvolts_fail():
    synth = table(300, 1)
    amplitudes = [c for c in synth if c.endswith("_mv")]
    synth[amplitudes] *= 1000
    assert compare(table(300, 0), synth).exit_code == 1


def test_same_bytes_for_any_jobs_and_record_order():
    real, synth = table(90, 0), table(120, 1)
    one = compare(real, synth, seed=3).to_json()
    assert compare(real, synth, seed=3, jobs=2).to_json() == one
    mixed = compare(real.sample(frac=1, random_state=0), synth, seed=3)
    for a, b in zip(mixed.estimates, Results.from_json(one).estimates, strict=True):
        if ".c2st." not in a.id:
            assert a.value == pytest.approx(b.value, rel=1e-6)
            assert a.ci == pytest.approx(b.ci, rel=1e-3, abs=1e-3)


def test_figure_data(alike):
    kinds = {f.kind: f.data for f in alike.figures}
    assert set(kinds) == {"distributions", "effects", "curves", "roc"}
    for measure in kinds["distributions"]["measures"]:
        assert len(measure["edges"]) == len(measure["real"]) + 1 <= 61
        assert sum(measure["real"]) == measure["n_real"] == 3000
        assert sum(measure["synth"]) == measure["n_synth"] == 4000
    curve = kinds["roc"]["curves"][0]
    assert curve["fpr"][0] == curve["tpr"][0] == 0
    assert curve["tpr"][-1] == 1
    area = np.trapezoid(curve["tpr"], curve["fpr"])
    assert area == pytest.approx(curve["auc"], abs=0.01)
    assert "floor" in kinds["effects"]["rows"][0]


def test_no_figure_draws_a_comb_on_a_coarse_grid(alike):
    measures = next(f for f in alike.figures if f.kind == "distributions").data["measures"]
    qrs = next(m for m in measures if m["name"] == "qrs_ms")
    inner = np.asarray(qrs["real"])[8:-8]
    assert (inner > 0).all()


def test_own_margins_decide():
    margins = load_margins()
    wide = Margins(
        margins.level, ("qrs_ms",), {"qrs_ms": (50.0, 0.0)}, (0.1, 9.0), 0.5, "mine.toml"
    )
    synth = table(300, 1)
    synth["qrs_ms"] += 10
    results = compare(table(300, 0), synth, margins=wide)
    assert results.verdict == Verdict.PASS
    assert "mine.toml" in only(results, "FID-EQUIV").rule


def test_full_effort_uses_all_classifiers():
    results = compare(table(60, 0), table(60, 1), quick=False)
    assert results.estimate("fidelity.c2st.boosting_auc").floor is not None
    assert "permutations" in results.estimate("fidelity.qrs_axis_deg.watson_u2").method


def test_real_patients_against_others_do_not_fail_and_a_wider_qrs_does(real_data):
    from ecgeval.io import read
    from ecgeval.measures import measure

    real_data("ptbxl")
    ecgs = read("ptbxl-norm")
    people = sorted(set(ecgs.patients()))[:48]
    ecgs = ecgs.select(np.isin(ecgs.patients(), people))
    measures = measure(ecgs)
    first = np.isin(ecgs.patients(), people[::2])

    def halves(table):
        people = ecgs.patients()
        return compare(table[first], table[~first], people[first], people[~first])

    alike = halves(measures)
    assert only(alike, "FID-EQUIV").verdict != Verdict.FAIL
    assert only(alike, "FID-C2ST").verdict == Verdict.NOT_ASSESSABLE  # 24 patients a side
    assert only(alike, "FID-KS").title.startswith("0 of ")
    wider = measures.copy()
    wider.loc[~first, "qrs_ms"] += 25
    finding = only(halves(wider), "FID-EQUIV")
    assert finding.verdict == Verdict.FAIL
    assert finding.title.startswith("QRS is ")
