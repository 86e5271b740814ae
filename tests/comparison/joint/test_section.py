"""What a user is told about sets whose measures go together in another way."""

import json
from dataclasses import replace

import jsonschema
import numpy as np
import pandas as pd
import pytest

import ecgeval as ee
from ecgeval.catalogue import CATALOGUE
from ecgeval.comparison.joint import section as joint
from ecgeval.comparison.margins import load_margins
from ecgeval.comparison.pair import Pair, Side
from ecgeval.errors import UsageError
from ecgeval.pipeline.features import features
from ecgeval.results import Results, Verdict, json_schema
from ecgeval.stats.sample import Effort

CODES = [
    "JOINT-QTRR",
    "JOINT-RELATIONS",
    "JOINT-CORR",
    "JOINT-PROGRESSION",
    "JOINT-RHYTHM",
    "JOINT-KERNEL",
    "JOINT-TRUNCATION",
]
CHEST = ("V1", "V2", "V3", "V4", "V5", "V6")


def table(n, seed, *, qt_slope=0.15, serial=0.4):
    """Return measures of n people that go together as people's do."""
    rng = np.random.default_rng(seed)
    rr = rng.normal(900, 130, n).clip(450)
    size = rng.normal(size=(n, 1))
    r = np.array([0.2, 0.5, 0.95, 1.4, 1.4, 1.15]) * np.exp(
        0.25 * size + 0.2 * rng.normal(size=(n, 6))
    )
    s = -np.array([0.9, 1.1, 0.75, 0.4, 0.2, 0.1]) * np.exp(
        0.2 * size + 0.3 * rng.normal(size=(n, 6))
    )
    sd = np.exp(3.3 - 0.5 * (60_000 / rr - 68) / 20 + 0.6 * rng.normal(size=n))
    lag = np.clip(serial + 0.2 * rng.normal(size=n), -0.9, 0.95)
    frame = {
        "hr_bpm": 60_000 / rr,
        "rr_ms": rr,
        "rr_sd_ms": sd,
        "rmssd_ms": sd * np.sqrt(2 * (1 - lag)),
        "p_dur_ms": rng.normal(115, 10, n),
        "pr_ms": 155 + 0.03 * (rr - 900) + rng.normal(0, 18, n),
        "qrs_ms": rng.normal(100, 8, n),
        "qt_ms": 400 + qt_slope * (rr - 900) + rng.normal(0, 18, n),
        "qrs_axis_deg": rng.normal(45, 30, n),
    }
    frame["qtcf_ms"] = frame["qt_ms"] / np.cbrt(rr / 1000)
    for i, lead in enumerate(CHEST):
        frame |= {f"r_amp_{lead}_mv": r[:, i], f"s_amp_{lead}_mv": s[:, i]}
        frame[f"t_amp_{lead}_mv"] = 0.25 * r[:, i] + rng.normal(0, 0.05, n)
    return pd.DataFrame(frame, index=[f"s{seed}-{i}" for i in range(n)])


@pytest.fixture(autouse=True, scope="module")
def few_draws():
    """Run on fewer draws: enough for every rule here, p down to 0.005."""
    usual, joint.QUICK = joint.QUICK, Effort(150, 100, 199)
    yield
    joint.QUICK = usual


def compare(real, synth, *, patients_real=None, patients_synth=None, **options):
    sides = [
        Side(frame, frame.index if patients is None else patients)
        for frame, patients in ((real, patients_real), (synth, patients_synth))
    ]
    return joint.compare(Pair(*sides, quick=True, **options))


def only(results, code):
    (found,) = [f for f in results.findings if f.code == code]
    return found


def verdicts(results):
    return {f.code: f.verdict for f in results.findings}


@pytest.fixture(scope="module")
def alike():
    # Three times the margin, for a sixth of the people it needs: the test is quick.
    margins = replace(load_margins(), joint={"qt_rr_slope": 0.06})
    return compare(table(200, 0), table(300, 1), margins=margins)


def test_alike_sets_pass_the_gate_and_nothing_else_fires(alike):
    assert [f.code for f in alike.findings] == CODES
    assert [f.code for f in alike.findings if f.gate] == ["JOINT-QTRR"]
    assert alike.verdict == Verdict.PASS, alike.headline()
    assert {f.verdict for f in alike.findings if not f.gate} == {Verdict.INCONCLUSIVE}


def test_every_number_has_its_company_and_its_entry(alike):
    for e in alike.estimates:
        assert e.value is not None
        assert e.ci[0] <= e.value <= e.ci[1], e.id
        assert e.floor is not None, e.id
        assert e.n_real >= e.patients_real > 0
        assert e.null is not None
        assert e.method
        assert e.label
        assert e.seed == 0
        about = CATALOGUE[e.id.rsplit(".", 1)[1]]
        assert e.better == about.better
    assert set(CODES) <= set(CATALOGUE)
    for f in alike.findings:
        assert f.rule
        for id in f.estimates:
            alike.estimate(id)
    jsonschema.validate(json.loads(alike.to_json()), json_schema())
    assert Results.from_json(alike.to_json()).to_json() == alike.to_json()


def test_figures_are_small_and_of_known_kinds(alike):
    kinds = {f.id: f.kind for f in alike.figures}
    assert kinds == {
        "joint.qtrr": "scatter",
        "joint.correlation": "heat",
        "joint.progression": "curves",
        "joint.energy": "null",
        "joint.mmd": "null",
    }
    heat = next(f for f in alike.figures if f.kind == "heat").data
    assert [p["title"] for p in heat["panels"]] == ["real", "synthetic", "difference"]
    for panel in heat["panels"]:
        assert np.shape(panel["values"]) == (len(panel["rows"]), len(panel["columns"]))
        assert len(panel["rows"]) <= 16
    sizes = [
        len(s["x"]) for s in next(f for f in alike.figures if f.kind == "scatter").data["sets"]
    ]
    assert sizes[0] == sizes[1] <= 1500
    assert len(alike.to_json()) < 150_000


def test_the_same_seed_gives_the_same_bytes_for_any_jobs_and_order():
    real, synth = table(40, 2), table(50, 3)
    first = compare(real, synth).to_json()
    assert compare(real, synth, jobs=2).to_json() == first
    assert compare(real, synth, seed=1).to_json() != first
    shuffled = compare(real.sample(frac=1, random_state=0), synth)
    for e in compare(real, synth).estimates:
        if "figure" not in e.id and not e.id.startswith("joint.hr_bpm.tail"):
            assert shuffled.estimate(e.id).value == pytest.approx(e.value, rel=1e-4, abs=1e-5), e.id


def test_a_flat_qt_fails_and_the_title_says_by_how_much(alike):
    results = compare(table(150, 0), table(150, 1, qt_slope=0.05))
    finding = only(results, "JOINT-QTRR")
    assert finding.verdict == Verdict.FAIL
    assert finding.title.startswith("QT lengthens by 0.0")
    assert "margin ±0.02 ms/ms" in finding.title
    estimate = results.estimate("joint.qt_rr.slope_diff")
    assert estimate.value == pytest.approx(-0.1, abs=0.03)
    assert estimate.unit == "ms/ms"
    assert estimate.p == 0.005
    swapped = compare(table(150, 1, qt_slope=0.05), table(150, 0)).estimate(estimate.id)
    assert swapped.value == pytest.approx(-estimate.value)
    assert verdicts(results)["JOINT-RELATIONS"] == Verdict.FAIL


def test_too_few_patients_cannot_decide_and_the_text_says_how_many_would():
    finding = only(compare(table(120, 0), table(120, 1)), "JOINT-QTRR")
    assert finding.verdict == Verdict.INCONCLUSIVE
    assert "times as many patients" in finding.explanation


def test_r2_alone_is_not_equality_and_a_narrow_range_is_explained():
    real = table(250, 0)
    pool = table(1000, 1)
    narrow = pool[(pool.rr_ms - 900).abs() < 110].iloc[:300]
    results = compare(real, narrow)
    assert results.estimate("joint.qt_rr.r2_diff").ci[1] < 0
    finding = only(results, "JOINT-QTRR")
    assert finding.verdict != Verdict.FAIL
    assert "depends on how far RR ranges" in finding.explanation
    # Half the scatter and half the slope: the same r2.
    halved = real.assign(qt_ms=400 + (real.qt_ms - 400) / 2)
    results = compare(real, halved)
    assert results.estimate("joint.qt_rr.r2_diff").value == pytest.approx(0, abs=1e-9)
    assert only(results, "JOINT-QTRR").verdict == Verdict.FAIL


def test_shuffled_columns_keep_every_distribution_and_fail_here():
    real, synth = table(200, 0), table(200, 1)
    rng = np.random.default_rng(0)
    synth = pd.DataFrame(rng.permuted(synth.to_numpy(), axis=0), synth.index, synth.columns)
    results = compare(real, synth)
    found = verdicts(results)
    assert found["JOINT-QTRR"] == found["JOINT-CORR"] == found["JOINT-KERNEL"] == Verdict.FAIL
    assert "SD of RR with RMSSD +0.9" in only(results, "JOINT-CORR").title


def test_poor_r_progression_and_independent_beats_are_found():
    real, synth = table(150, 0), table(150, 1, serial=0.0)
    for lead in ("V2", "V3", "V4"):
        synth[f"r_amp_{lead}_mv"] *= 0.4
    results = compare(real, synth)
    found = verdicts(results)
    assert found["JOINT-PROGRESSION"] == found["JOINT-RHYTHM"] == Verdict.FAIL
    assert results.estimate("joint.r_amp_V4_mv.mean_diff").ci[1] < 0
    assert results.estimate("joint.progression.max_mean_diff").p == 0.005
    assert results.estimate("joint.rhythm.serial_median_diff").ci[1] < -0.2
    assert "V" in only(results, "JOINT-PROGRESSION").title


def test_a_filter_is_selection_and_the_medians_within_its_range_are_given():
    pool = table(3000, 1)
    results = compare(table(300, 0), pool[pool.hr_bpm >= 60].iloc[:600])
    finding = only(results, "JOINT-TRUNCATION")
    assert finding.verdict == Verdict.FAIL
    assert finding.title.startswith("Most likely a filter: heart rate ends hard at 60.")
    assert "within the range" in finding.explanation
    assert "not a proven one" in finding.explanation
    assert "To check: how were the synthetic records chosen" in finding.explanation
    assert not finding.gate
    assert results.estimate("joint.hr_bpm.beyond_low").value > 15
    assert results.estimate("joint.hr_bpm.beyond_low").unit == "%"


def test_records_without_any_variability_are_counted():
    real, synth = table(120, 0), table(120, 1)
    synth.loc[synth.index[:30], ["rr_sd_ms", "rmssd_ms"]] = 0.0
    results = compare(real, synth)
    relations, rhythm = (only(results, f"JOINT-{c}").explanation for c in ("RELATIONS", "RHYTHM"))
    assert "0 of 120 real and 30 of 120 synthetic records" in relations
    assert "Left out: 0 real and 30 synthetic records whose RR does not vary" in rhythm
    fair = compare(real, table(120, 1))
    assert "Left out" not in only(fair, "JOINT-RELATIONS").explanation
    assert "Left out" not in only(fair, "JOINT-RHYTHM").explanation


def test_no_change_moves_a_number_the_wrong_way():
    real, fair = table(120, 0), table(120, 1)
    base = compare(real, fair)
    rng = np.random.default_rng(1)
    up = ["joint.measures.energy_distance", "joint.measures.mmd2"]
    worse = {
        "mode collapse": fair.iloc[np.arange(120) % 15] * (1 + 0.003 * rng.normal(size=fair.shape)),
        "mode drop": fair.assign(
            **{c: fair[c].where(fair.hr_bpm < 70, fair[c].median()) for c in fair}
        ),
        "variance inflation": fair.mean() + 1.8 * (fair - fair.mean()),
        "unit error": fair * 1000,
    }
    for name, synth in worse.items():
        synth = synth.set_axis(fair.index)
        results = compare(real, synth)
        assert only(results, "JOINT-KERNEL").verdict == Verdict.FAIL, name
        for id in up:
            assert results.estimate(id).value > base.estimate(id).value, (name, id)
    gain = fair.assign(r_amp_V4_mv=fair.r_amp_V4_mv * 1.02)
    noise = fair.copy()
    amplitudes = [c for c in fair if c.endswith("_mv")]
    noise[amplitudes] += rng.normal(0, 0.02 / np.sqrt(10), (120, len(amplitudes)))
    for synth in (gain, noise):
        results = compare(real, synth)
        assert verdicts(results) == verdicts(base)
    copies = compare(real, real.set_axis([f"c{i}" for i in range(120)]))
    kernel = only(copies, "JOINT-KERNEL")
    assert kernel.verdict == Verdict.FAIL
    assert "closer than two samples" in kernel.title
    assert copies.estimate("joint.qt_rr.slope_diff").value == 0
    assert copies.estimate("joint.correlation.corr_rms").p == 1


def test_missing_measures_are_never_dropped_in_silence():
    real, synth = table(80, 0), table(80, 1)
    gone = compare(real, synth.assign(qt_ms=np.nan))
    finding = only(gone, "JOINT-QTRR")
    assert (finding.verdict, finding.gate) == (Verdict.FAIL, True)
    assert "No synthetic record has a value of QT" in finding.title
    estimate = gone.estimate("joint.qt_rr.slope_diff")
    assert estimate.value is None
    assert "not computed" in estimate.method
    assert only(gone, "JOINT-KERNEL").verdict == Verdict.FAIL  # missing is an outcome
    absent = compare(real, synth.drop(columns=["qt_ms", "s_amp_V3_mv", "rmssd_ms"]))
    found = verdicts(absent)
    for code in ("JOINT-QTRR", "JOINT-PROGRESSION", "JOINT-RHYTHM"):
        assert found[code] == Verdict.NOT_ASSESSABLE
        assert "not in both tables" in only(absent, code).title


@pytest.mark.parametrize("n", [0, 1, 19])
def test_too_little_data_is_not_assessable(n):
    results = compare(table(50, 0), table(50, 1).iloc[:n])
    assert [f.code for f in results.findings] == CODES
    assert {f.verdict for f in results.findings} == {Verdict.NOT_ASSESSABLE}
    assert all(e.value is None and "not computed" in e.method for e in results.estimates)
    assert results.verdict == Verdict.NOT_ASSESSABLE


def test_constant_measures_are_named():
    results = compare(table(60, 0), table(60, 1).assign(qrs_ms=100.0))
    assert "QRS in the synthetic set" in only(results, "JOINT-CORR").explanation


def test_relabelled_patients_and_units_change_nothing():
    real, synth = table(60, 0), table(70, 1)
    base = compare(real, synth)
    ids = [f"x-{i:03d}" for i in range(60)]
    for e in compare(real, synth, patients_real=ids).estimates:
        assert e.value == pytest.approx(base.estimate(e.id).value, rel=1e-4, abs=1e-5)
    # Amplitudes of both sets in microvolts: what has no unit stays.
    amplitudes = [c for c in real if c.endswith("_mv")]
    microvolts = [t.assign(**{c: 1000 * t[c] for c in amplitudes}) for t in (real, synth)]
    other = compare(*microvolts)
    for id in ("correlation.corr_rms", "measures.energy_distance", "transition.total_variation"):
        assert other.estimate(f"joint.{id}").p == base.estimate(f"joint.{id}").p


def test_margins_of_slopes_can_be_overridden(tmp_path):
    own = tmp_path / "margins.toml"
    own.write_text("[joint]\nqt_rr_slope = 0.2\n")
    margins = load_margins("lenient", own)
    assert margins.joint == {"qt_rr_slope": 0.2}
    finding = only(compare(table(100, 0), table(100, 1), margins=margins), "JOINT-QTRR")
    assert finding.verdict == Verdict.PASS
    assert load_margins("strict").joint["qt_rr_slope"] == 0.02
    for text, message in (("qt_slope = 1", "unknown key joint"), ("qt_rr_slope = -1", "positive")):
        own.write_text(f"[joint]\n{text}\n")
        with pytest.raises(UsageError, match=message):
            load_margins("lenient", own)


def test_the_published_deepfakes_are_selected_at_60_bpm(real_data):
    """The reference study kept generated ECGs that were read as normal (60 to 100 bpm)."""
    real_data("ptbxl")
    leads = ("I", "II", *CHEST)
    try:
        synth = ee.read("deepfake:0-79", leads=leads)
    except (ee.DataError, ee.UsageError) as error:
        pytest.skip(f"published DeepFake ECGs cannot be had: {error}")
    real = ee.read("ptbxl-norm:1-250", leads=leads)
    people = real.patients()
    tables = [features(s).measures for s in (real, synth)]
    results = compare(*tables, patients_real=people, patients_synth=synth.ids)
    finding = only(results, "JOINT-TRUNCATION")
    assert finding.verdict == Verdict.FAIL
    assert "Most likely a filter: heart rate ends hard at 59" in finding.title
    half = np.isin(people, np.unique(people)[::2])
    honest = compare(
        tables[0][half], tables[0][~half], patients_real=people[half], patients_synth=people[~half]
    )
    assert only(honest, "JOINT-TRUNCATION").verdict == Verdict.INCONCLUSIVE
    assert only(honest, "JOINT-KERNEL").verdict == Verdict.INCONCLUSIVE
