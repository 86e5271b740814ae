"""Subgroups: like against like, and what is said where that cannot be."""

import json

import jsonschema
import numpy as np
import pandas as pd
import pytest

from ecgeval.catalogue import CATALOGUE
from ecgeval.comparison.pair import Pair, Side
from ecgeval.comparison.subgroups import section
from ecgeval.comparison.subgroups.groups import id_part
from ecgeval.errors import UsageError
from ecgeval.results import Verdict, json_schema

COLUMNS = {"hr_bpm": (70, 9), "qrs_ms": (92, 8), "qt_ms": (390, 20), "qrs_axis_deg": (40, 25)}


def table(n, seed):
    rng = np.random.default_rng(seed)
    values = {c: np.round(rng.normal(m, s, n)) for c, (m, s) in COLUMNS.items()}
    return pd.DataFrame(values, index=[f"{seed}-{i}" for i in range(n)])


def labels(n, seed, women=0.5):
    rng = np.random.default_rng(seed + 100)
    sex = np.where(rng.random(n) < women, "F", "M")
    return pd.DataFrame({"sex": sex, "age": rng.integers(18, 96, n)})


def compare(real, synth, labels_real, labels_synth, by="sex", who=None, **options):
    by = [by] if isinstance(by, str) else by
    sides = (
        Side(real, real.index if who is None else who, labels_real),
        Side(synth, synth.index, labels_synth),
    )
    return section.compare(Pair(*sides, by=tuple(by), quick=True, **options))


def only(results, code):
    (finding,) = [f for f in results.findings if f.code == code]
    return finding


@pytest.fixture(scope="module")
def wide_women():
    """Right on the whole, wrong in each: QRS 14 ms longer in women, 14 ms shorter in men."""
    real, synth, own = table(600, 0), table(700, 1), labels(700, 1)
    synth["qrs_ms"] += np.where(own["sex"] == "F", 14, -14)
    return compare(real, synth, labels(600, 0), own)


def test_opposite_errors_that_cancel_on_the_whole_are_found(wide_women):
    f, m = (wide_women.estimate(f"subgroups.sex.{g}.qrs_ms.median_diff").value for g in "fm")
    assert f == pytest.approx(14, abs=2.5)
    assert m == pytest.approx(-14, abs=2.5)
    equal = only(wide_women, "SUB-EQUIV")
    assert equal.verdict == Verdict.FAIL
    assert "QRS (sex " in equal.title
    assert "likewise 1 more of 8 pairs of declared measure and group" in equal.title
    unlike = only(wide_women, "SUB-HETERO")
    assert unlike.title == ("By sex: the difference of 1 of 4 measures depends on the group (QRS)")
    assert unlike.verdict != Verdict.PASS


def test_a_section_that_decides_nothing(wide_women):
    assert not wide_women.sections[0].gate
    assert not any(f.gate for f in wide_women.findings)
    jsonschema.validate(json.loads(wide_women.to_json()), json_schema())
    for e in wide_women.estimates:
        assert e.id.rsplit(".", 1)[-1] in CATALOGUE
        assert e.floor is not None
        assert e.n_real > 0
        assert e.seed == 0
        assert (e.ci is None) == e.id.endswith("cochran_q")
    assert {f.code for f in wide_women.findings} <= set(CATALOGUE)
    (figure,) = wide_women.figures
    assert figure.kind == "effects"
    assert len(figure.data["rows"]) == 8
    shown = wide_women.tables[0].frame().set_index(["group", "measure"])
    assert shown.loc[("F", "QRS"), "verdict"] == "FAIL"
    assert shown.loc[("F", "heart rate"), "verdict"] == "PASS"


def test_alike_groups_pass_and_depend_on_nothing():
    results = compare(table(900, 2), table(900, 3), labels(900, 2), labels(900, 3))
    assert only(results, "SUB-EQUIV").verdict == Verdict.PASS
    assert "0 of 4 measures depends" in only(results, "SUB-HETERO").title


def test_too_few_patients_are_said_with_their_number():
    real, synth = table(300, 4), table(300, 5)
    own = pd.DataFrame({"sex": ["F"] * 12 + ["M"] * 288})
    results = compare(real, synth, labels(300, 4), own)
    few = results.estimate("subgroups.sex.f.qrs_ms.median_diff")
    assert few.value is None
    assert "12 patients with a value in the synthetic set (at least 20 needed)" in few.method
    equal = only(results, "SUB-EQUIV")
    assert "4 NOT_ASSESSABLE" in equal.explanation
    assert equal.verdict != Verdict.PASS
    assert only(results, "SUB-HETERO").verdict == Verdict.NOT_ASSESSABLE


def test_a_group_of_one_set_only_and_records_without_a_label():
    real, synth = table(200, 6), table(200, 7)
    own = pd.DataFrame({"sex": ["M"] * 150 + [None] * 50})
    results = compare(real, synth, labels(200, 6), own)
    few = results.estimate("subgroups.sex.f.qrs_ms.ks")
    assert "0 patients with a value in the synthetic set" in few.method
    assert "50 records have no sex" in only(results, "SUB-EQUIV").explanation


def test_ages_that_nobody_has_are_in_no_group():
    coded = labels(200, 6).assign(age=999.0)
    coded.loc[:149, "age"] = 50.0
    results = compare(table(200, 6), table(200, 7), coded, coded, by="age")
    assert "100 records have no age" in only(results, "SUB-EQUIV").explanation


def test_missing_values_within_a_group():
    real, synth = table(200, 6), table(200, 7)
    synth.loc[:, "qt_ms"] = np.nan
    results = compare(real, synth, labels(200, 6), labels(200, 7))
    assert results.estimate("subgroups.sex.f.qt_ms.ks").value is None
    assert results.tables[0].frame()["missing synthetic %"].max() == 100


def test_a_set_without_labels_is_told_whom_it_looks_like():
    """Real women have a QRS 10 ms narrower and a QT 20 ms longer; the synthetic set is women."""
    real, synth, own = table(600, 8), table(500, 9), labels(600, 8)
    for set_, women in ((real, own["sex"].to_numpy() == "F"), (synth, np.ones(500, bool))):
        set_.loc[women, "qrs_ms"] -= 10
        set_.loc[women, "qt_ms"] += 20
    for none in (None, pd.DataFrame({"sex": [None] * 500}), pd.DataFrame({"age": range(500)})):
        results = compare(real, synth, own, none)
        assert only(results, "SUB-EQUIV").verdict == Verdict.NOT_ASSESSABLE
        like = only(results, "SUB-LIKE")
        assert like.title.startswith("By sex, the synthetic set looks most like real sex F: mean")
        assert like.title.endswith("(p ≤ 0.001)")
        assert not like.gate
    f, m = (results.estimate(f"subgroups.sex.{g}.mean_abs_delta") for g in "fm")
    assert f.value < f.floor[0] < m.floor[1] < m.value
    assert f.ci[0] <= f.value <= f.ci[1]


def test_likeness_is_the_mean_cliffs_delta():
    from ecgeval.stats.effects import cliffs_delta

    real, synth, own = table(100, 10), table(80, 11), labels(100, 10)
    real.iloc[::7, 1] = np.nan
    results = compare(real, synth, own, None)
    linear = ["hr_bpm", "qrs_ms", "qt_ms"]
    for group in "FM":
        part = real[own["sex"].to_numpy() == group]
        expected = np.mean([abs(cliffs_delta(part[c].dropna(), synth[c])) for c in linear])
        found = results.estimate(f"subgroups.sex.{group.lower()}.mean_abs_delta").value
        assert found == pytest.approx(expected)


def test_size_of_likeness_with_three_records_a_patient_and_without_the_grouping():
    rng = np.random.default_rng(12)
    p = {True: [], False: []}
    for _ in range(100):
        person = np.repeat(rng.normal(size=(60, 4)), 3, axis=0) * np.sqrt(0.8)
        real = pd.DataFrame(person + rng.normal(size=(180, 4)) * np.sqrt(0.2), columns=COLUMNS)
        synth = pd.DataFrame(rng.normal(size=(60, 4)), columns=COLUMNS)
        own = pd.DataFrame({"sex": np.repeat(rng.permutation(["F"] * 30 + ["M"] * 30), 3)})
        for grouped, out in p.items():
            who = np.repeat(np.arange(60), 3) if grouped else np.arange(180)
            found = compare(real, synth, own, None, who=who)
            out.append(float(only(found, "SUB-LIKE").title.split(" ")[-1].rstrip(")")))
    tolerance = 3 * np.sqrt(0.05 * 0.95 / 100)
    assert abs(np.mean(np.array(p[True]) <= 0.05) - 0.05) < tolerance
    assert np.mean(np.array(p[False]) <= 0.05) > 0.05 + tolerance


def test_same_bytes_for_any_jobs_and_the_order_of_records_moves_nothing():
    real, synth = table(120, 14), table(130, 15)
    mine, own = labels(120, 14), labels(130, 15)
    one = compare(real, synth, mine, own, ["sex", "age"], seed=3).to_json()
    assert compare(real, synth, mine, own, ["sex", "age"], seed=3, jobs=2).to_json() == one
    order = np.random.default_rng(0).permutation(120)
    moved = compare(
        real.iloc[order],
        synth,
        mine.iloc[order].reset_index(drop=True),
        own,
        ["sex", "age"],
        seed=3,
    )
    for e in moved.estimates:
        if e.value is not None and not e.id.endswith("cochran_q"):
            assert json.dumps(e.id) in one
    assert moved.estimate("subgroups.sex.f.qrs_ms.ks").p == pytest.approx(
        compare(real, synth, mine, own, seed=3).estimate("subgroups.sex.f.qrs_ms.ks").p
    )


def test_wrong_arguments_are_named():
    real, synth, own = table(40, 0), table(40, 1), labels(40, 0)
    with pytest.raises(UsageError, match="no label 'race'; its labels are sex, age"):
        compare(real, synth, own, own, "race")
    with pytest.raises(UsageError, match="39 rows of labels for 40 real records"):
        compare(real, synth, own[1:], own)
    names = pd.DataFrame({"name": [f"a{i}" for i in range(40)]})
    finding = only(compare(real, synth, names, names, "name"), "SUB-EQUIV")
    assert finding.verdict == Verdict.NOT_ASSESSABLE
    assert "40 values of name (1 to 12 can be compared)" in finding.title


def test_two_groups_never_share_an_id():
    assert id_part("65 to < 80") == "65_to_below_80"
    assert id_part("≥ 80") == "from_80"
    assert len({id_part(text) for text in ("a+b", "a-b", "a b", "ä", "ö", "+")}) == 6
