"""What a user is told about clouds of points that differ in one known way."""

import json

import jsonschema
import numpy as np
import pandas as pd
import pytest

from ecgeval.catalogue import CATALOGUE
from ecgeval.comparison.manifold import section
from ecgeval.comparison.manifold.draws import BOUNDS
from ecgeval.comparison.pair import Pair, Side
from ecgeval.report.explain import statistic
from ecgeval.results import Results, Verdict, json_schema

AXES = 10
SCALE = np.linspace(1.5, 0.3, AXES)
CODES = ("MANI-FRECHET", "MANI-PR", "MANI-COVERAGE", "MANI-ALPHA", "MANI-AUTHENTICITY")


def people(seed, patients, each=1, icc=0.9):
    """Return points and patient ids: a person's records are alike."""
    rng = np.random.default_rng(seed)
    person = np.repeat(rng.normal(size=(patients, AXES)), each, axis=0) * np.sqrt(icc)
    points = person + rng.normal(size=(patients * each, AXES)) * np.sqrt(1 - icc)
    return points * SCALE, np.repeat([f"{seed}-{i:05d}" for i in range(patients)], each)


def compare(real, synth, ids_real=None, ids_synth=None, spaces=None, **options):
    sides = []
    for points, ids, which in ((real, ids_real, "r"), (synth, ids_synth, "s")):
        ids = [f"{which}{i}" for i in range(len(points))] if ids is None else ids
        sides.append(Side(pd.DataFrame(index=range(len(points))), ids))
    pair = Pair(*sides, **{"quick": True, **options})
    return section.compare_in_spaces(pair, spaces or {"measures": (real, synth)})


def only(results, code):
    (finding,) = [f for f in results.findings if f.code == code]
    return finding


def side(results, score):
    """Return 1 if the interval of a score lies above its floor, -1 if below, else 0."""
    e = results.estimate(f"manifold.measures.{score}")
    return int(e.ci[0] > e.floor[1]) - int(e.ci[1] < e.floor[0])


@pytest.fixture(scope="module")
def real():
    return people(0, 300)[0]


@pytest.fixture(scope="module")
def alike(real):
    return compare(real, people(1, 300)[0])


def test_alike_sets_are_undecided_never_a_pass_and_decide_nothing(alike):
    assert {f.code for f in alike.findings} == set(CODES)
    assert {f.verdict for f in alike.findings} == {Verdict.INCONCLUSIVE}
    assert not any(f.gate for f in alike.findings)
    assert alike.gates() == {}
    assert "not seen to lie apart" in only(alike, "MANI-FRECHET").title
    assert "No sign of copies" in only(alike, "MANI-AUTHENTICITY").title
    assert "clears nothing" in only(alike, "MANI-AUTHENTICITY").explanation


def test_every_number_has_its_company_and_its_entry(alike):
    assert len(alike.estimates) == len(BOUNDS)
    for e in alike.estimates:
        assert e.ci[0] <= e.value <= e.ci[1]
        assert e.floor is not None
        assert e.null is not None
        assert (e.n_real, e.n_synth, e.patients_real, e.patients_synth) == (300, 300, 300, 300)
        assert "150 patients a side" in e.method
        about = statistic(e.id)
        assert about.code == e.id.rpartition(".")[2]
        assert about.definition
        assert about.source
        assert about.limits
    for f in alike.findings:
        assert f.code in CATALOGUE
        assert f.rule
        assert all(alike.estimate(e) for e in f.estimates)
    assert alike.estimate("manifold.measures.coverage").null == pytest.approx(0.969, abs=0.005)
    assert alike.estimate("manifold.measures.density").null == 1
    assert alike.estimate("manifold.measures.frechet_limit").null == 0
    jsonschema.validate(json.loads(alike.to_json()), json_schema())
    assert Results.from_json(alike.to_json()).to_json() == alike.to_json()


def test_figures_are_small_and_of_known_form(alike):
    figures = {f.id: f for f in alike.figures}
    assert {i: f.kind for i, f in figures.items()} == {
        "manifold.fidelity": "effects",
        "manifold.curves": "curves",
        "manifold.frechet": "curves",
    }
    for name in ("manifold.curves", "manifold.frechet"):
        for panel in figures[name].data["panels"]:
            assert [s["role"] for s in panel["series"]] == ["synth", "floor"]
            for s in panel["series"]:
                assert len(s["x"]) == len(s["y"]) == len(s["low"]) == len(s["high"]) <= 21
    limit, size = (figures["manifold.frechet"].data["panels"][0]["series"][0][k] for k in "yx")
    assert size[:2] == pytest.approx([0, 1 / 150])
    assert limit[0] == pytest.approx(alike.estimate("manifold.measures.frechet_limit").value)
    assert len(alike.to_json()) < 60_000


# ---- direction: what moves, and that nothing moves the wrong way ---------------------------------


def test_a_shift_moves_the_distances_and_the_precision(real):
    shifted = compare(real, people(1, 300)[0] + 1.5)
    assert only(shifted, "MANI-FRECHET").verdict == Verdict.FAIL
    assert "% of the variance of real records" in only(shifted, "MANI-FRECHET").title
    value = shifted.estimate("manifold.measures.frechet_limit")
    assert value.ci[0] < AXES * 1.5**2 < value.ci[1] + 1
    for score in ("kid", "frechet"):
        assert side(shifted, score) == 1
    for score in ("improved_precision", "density", "coverage", "clipped_density"):
        assert side(shifted, score) == -1
    assert only(shifted, "MANI-PR").verdict == Verdict.FAIL


def test_mode_drop_lowers_recall_and_coverage_and_not_precision():
    rng = np.random.default_rng(2)
    two = rng.normal(size=(300, AXES))
    two[:150, 0] += 30
    one = rng.normal(size=(300, AXES))
    dropped = compare(two, one)
    for score in ("improved_recall", "coverage", "clipped_coverage"):
        assert side(dropped, score) == -1, score
    assert side(dropped, "improved_precision") >= 0
    assert dropped.estimate("manifold.measures.improved_recall").value == pytest.approx(
        0.5, abs=0.1
    )
    title = only(dropped, "MANI-PR").title
    assert title.startswith(
        "Kinds of real ECG are missing or rare among the synthetic: in measures"
    )


def test_collapse_fails_and_is_no_copy_alarm():
    """In many dimensions the middle is nearer to everyone than anyone's neighbours are."""
    rng = np.random.default_rng(3)
    cloud = rng.normal(size=(300, 40))
    collapsed = compare(cloud, 0.3 * rng.normal(size=(300, 40)))
    assert only(collapsed, "MANI-PR").verdict == Verdict.FAIL
    assert side(collapsed, "improved_recall") == -1
    assert side(collapsed, "density") == 1
    assert "crowding" in only(collapsed, "MANI-COVERAGE").explanation
    near = only(collapsed, "MANI-AUTHENTICITY")
    assert near.verdict == Verdict.INCONCLUSIVE
    assert near.title.startswith("Synthetic records lie nearer to real ones than other patients")
    assert "too little variety" in near.explanation


def test_a_collapsed_set_without_a_sign_of_copies_is_not_said_to_have_none(real):
    rng = np.random.default_rng(5)
    few = 6 + 3 * people(6, 5)[0][rng.integers(5, size=300)]  # five records, far from people
    near = only(compare(real, few + 0.01 * rng.normal(size=few.shape)), "MANI-AUTHENTICITY")
    assert near.verdict == Verdict.NOT_ASSESSABLE
    assert "cannot be told: the synthetic set has collapsed, neighbouring" in near.title
    repeated = 6 + people(7, 100)[0][np.arange(300) % 100]
    again = only(compare(real, repeated), "MANI-AUTHENTICITY")
    assert again.verdict == Verdict.NOT_ASSESSABLE
    assert "only 100 of 300 synthetic records are distinct in measures" in again.title
    exact = only(compare(real, few), "MANI-AUTHENTICITY")
    assert "only 5 of 300 synthetic records are distinct" in exact.title
    copies = only(compare(real, real[np.arange(300) % 5]), "MANI-AUTHENTICITY")
    assert copies.verdict == Verdict.FAIL  # a copy in a collapsed set is a copy


def test_exact_repeats_are_told_and_never_scored(real):
    repeated = compare(real, np.tile(real[:1] + 0.5, (300, 1)))
    told = only(repeated, "MANI-REPEATS")
    assert told.verdict == Verdict.FAIL
    assert told.title.startswith("299 of 300 synthetic and 0 of 300 real records repeat")
    assert only(repeated, "MANI-PR").verdict == Verdict.NOT_ASSESSABLE
    assert "1 different synthetic records" in only(repeated, "MANI-PR").title
    # repeats of real records empty no neighbourhood: coverage stays where it was
    doubled = compare(np.concatenate([real, real]), people(1, 300)[0])
    coverage = doubled.estimate("manifold.measures.coverage")
    assert coverage.floor[0] < coverage.value < coverage.floor[1]
    assert only(doubled, "MANI-REPEATS").verdict == Verdict.INCONCLUSIVE


def test_variance_inflation_lowers_fidelity_and_deflation_diversity(real):
    wide, narrow = (compare(real, people(1, 300)[0] * factor) for factor in (2, 0.5))
    assert side(wide, "improved_precision") == side(wide, "density") == -1
    assert side(wide, "improved_recall") >= 0
    assert side(narrow, "improved_recall") == side(narrow, "beta_recall") == -1
    assert side(narrow, "improved_precision") >= 0
    for changed in (wide, narrow):
        assert side(changed, "frechet_limit") == 1
        assert side(changed, "alpha_precision") == -1
    assert "Synthetic records lie farther out than real" in only(wide, "MANI-ALPHA").title
    title = only(narrow, "MANI-ALPHA").title
    assert title.startswith(
        "Synthetic records crowd the middle of the real set and real records lie"
    )


@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_copies_of_the_real_set_raise_an_alarm(real, noise):
    """Elsewhere exact copies score best on nearly everything, noisy ones as authentic."""
    copies = real + noise * np.random.default_rng(4).normal(size=real.shape)
    copied = compare(real, copies)
    alarm = only(copied, "MANI-AUTHENTICITY")
    assert alarm.verdict == Verdict.FAIL
    assert "ecgeval audit" in alarm.explanation
    start = "Copy alarm: " if noise else "300 of 300 different synthetic records equal a real one"
    assert alarm.title.startswith(start)
    assert side(copied, "authenticity") == -1
    assert side(copied, "close_pairs") == 1
    assert copied.estimate("manifold.measures.authenticity").better == "near_null"


def test_a_tenth_of_copies_is_enough_for_the_alarm(real):
    some = np.concatenate([people(1, 270)[0], real[:30] + 1e-3])
    assert only(compare(real, some), "MANI-AUTHENTICITY").verdict == Verdict.FAIL


def test_a_unit_error_is_as_far_off_as_can_be(real):
    off = compare(real, 1000 * people(1, 300)[0])
    assert {only(off, code).verdict for code in CODES[:4]} == {Verdict.FAIL}
    assert off.estimate("manifold.measures.improved_precision").value < 0.05
    assert off.estimate("manifold.measures.coverage").value < 0.2


def test_spaces_that_disagree_are_a_finding(real):
    fine, off = people(1, 300)[0], people(1, 300)[0] + 1.5
    results = compare(real, fine, spaces={"measures": (real, fine), "beats": (real, off)})
    told = only(results, "MANI-SPACES").title
    assert "precision (off in beats, not in measures)" in told
    assert " in beats" in only(results, "MANI-PR").title
    assert "In measures:" in only(results, "MANI-PR").explanation


# ---- invariance and limits -----------------------------------------------------------------------


def test_order_and_jobs_move_nothing(real):
    points, ids = people(5, 120, 3)
    other, others = people(6, 130, 2)
    home = compare(points, other, ids, others)
    order, order2 = (np.random.default_rng(7).permutation(len(p)) for p in (points, other))
    moved = compare(points[order], other[order2], ids[order], others[order2], jobs=2)
    assert moved.to_json() == home.to_json()
    assert compare(points, other, ids, others, seed=1).to_json() != home.to_json()


def test_swapping_the_sets_swaps_precision_and_recall(real):
    synth = 0.6 * people(1, 300)[0]
    there, back = compare(real, synth), compare(synth, real)
    pairs = {
        "improved_precision": "improved_recall",
        "alpha_precision": "beta_recall",
        "frechet_limit": "frechet_limit",
        "kid": "kid",
    }
    for one, other in pairs.items():
        a, b = (
            there.estimate(f"manifold.measures.{one}"),
            back.estimate(f"manifold.measures.{other}"),
        )
        assert a.value == pytest.approx(b.value, abs=(a.ci[1] - a.ci[0]) / 2), one


@pytest.mark.parametrize("n", [0, 1, 39])
def test_too_few_are_not_assessable_and_no_error(real, n):
    results = compare(real, people(1, 300)[0][:n])
    assert {f.verdict for f in results.findings} == {Verdict.NOT_ASSESSABLE}
    assert f"{n} different synthetic records" in only(results, "MANI-PR").title
    assert all(e.value is None and "not computed" in e.method for e in results.estimates)
    assert results.figures == ()
    jsonschema.validate(json.loads(results.to_json()), json_schema())


def test_copies_are_told_even_where_nothing_else_can_be(real):
    assert only(compare(real, real[:10]), "MANI-AUTHENTICITY").verdict == Verdict.FAIL


def test_records_without_a_place_are_counted(real):
    synth = people(1, 300)[0]
    synth[:50, 3] = np.nan
    results = compare(real, synth)
    assert "Without a place in it: 50 synthetic records." in results.sections[0].summary
    sizes = next(t for t in results.tables if t.id == "manifold.sizes").frame()
    assert sizes["without a place"].tolist() == [0, 50]
    synth[:] = np.nan
    assert only(compare(real, synth), "MANI-PR").verdict == Verdict.NOT_ASSESSABLE


def test_no_alarm_at_the_null_and_false_ones_without_the_grouping():
    """Counted by record, a person's own records are in both halves of the real set.

    The floor then is that of knowing the person, and honest synthetic records look strange.
    """
    alarms, by_record = 0, 0
    for seed in range(8):
        points, ids = people(seed, 60, 4, icc=0.97)
        other, others = people(1000 + seed, 60, 4, icc=0.97)
        grouped = compare(points, other, ids, others, seed=seed)
        alone = compare(points, other, seed=seed)
        alarms += any(f.verdict == Verdict.FAIL for f in grouped.findings)
        by_record += any(f.verdict == Verdict.FAIL for f in alone.findings)
    assert alarms <= 1
    assert by_record >= 7


def test_one_axis_is_enough(real):
    line = real[:, :1]
    results = compare(line, people(1, 300)[0][:, :1] + 3)
    assert only(results, "MANI-FRECHET").verdict == Verdict.FAIL


def test_real_patients_against_others_raise_nothing_and_their_copies_do(real_data):
    from ecgeval.delineation import delineate
    from ecgeval.io import read
    from ecgeval.measures import measure

    real_data("ptbxl")
    ecgs = read("ptbxl-norm").with_leads(("I", "II", "V1", "V2", "V3", "V4", "V5", "V6"))
    people = sorted(set(ecgs.patients()))[:90]
    ecgs = ecgs.select(np.isin(ecgs.patients(), people))
    marks = delineate(ecgs)
    measures, who = measure(ecgs, marks=marks), ecgs.patients()
    first = np.isin(who, people[::2])

    def told(one, other, noise_mv=0.0):
        beats = marks.beats[other]
        beats = beats + noise_mv * np.random.default_rng(0).normal(size=beats.shape)
        sides = (
            Side(measures[one], who[one], beats=marks.beats[one]),
            Side(measures[other], who[other], beats=beats),
        )
        return section.compare(Pair(*sides, quick=True))

    alike = told(first, ~first)
    assert {f.verdict for f in alike.findings} <= {Verdict.INCONCLUSIVE}
    whole = np.ones(len(who), bool)
    copied = only(told(whole, whole, 0.02 / np.sqrt(10)), "MANI-AUTHENTICITY")
    assert copied.verdict == Verdict.FAIL
    assert "in every coordinate of measures: copies" in copied.title
