"""One run against another."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from ecgeval.diff.runs import compare_runs, difference_interval
from ecgeval.errors import DataError
from ecgeval.results import Estimate, Finding, Results, Section, Verdict, json_schema
from ecgeval.stats.intervals import newcombe, wilson

PASS, FAIL, OPEN, NONE = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.NOT_ASSESSABLE


def run(*estimates: Estimate, **verdicts: Verdict) -> Results:
    findings = tuple(
        Finding(code.replace("_", "-"), verdict, f"{code} says {verdict}", section="fidelity")
        for code, verdict in verdicts.items()
    )
    return Results({"seed": 0}, (Section("fidelity", "Fidelity"),), estimates, findings)


def estimate(value: float, half: float, better: str = "lower", name: str = "hr_bpm") -> Estimate:
    ci = (value - half, value + half)
    return Estimate(f"fidelity.{name}.ks", value, ci, better=better, null=0.0, label=name)  # type: ignore[arg-type]


def test_the_interval_takes_the_halves_that_face_it() -> None:
    """By hand: halves 3 and 4 on one side make 5, 5 and 12 on the other 13."""
    assert difference_interval((10, 10 - 12, 10 + 4), (20, 20 - 3, 20 + 5)) == (10 - 5, 10 + 13)


def test_of_two_proportions_it_is_newcombes() -> None:
    old, new = (0.2, *wilson(0.2, 80)), (0.35, *wilson(0.35, 120))
    assert difference_interval(old, new) == pytest.approx(newcombe(0.2, 80, 0.35, 120))


def test_intervals_that_just_overlap_may_still_differ() -> None:
    table = compare_runs(run(estimate(0, 1)), run(estimate(1.8, 1))).tables[1].frame()
    assert table["moved"].tolist() == ["worse"]
    assert table[["low", "high"]].to_numpy()[0] == pytest.approx([1.8 - 2**0.5, 1.8 + 2**0.5])
    assert compare_runs(run(estimate(0, 1)), run(estimate(1.3, 1))).tables[1].rows[0][-1] == ""


@pytest.mark.parametrize(
    ("better", "old", "new", "word"),
    [
        ("lower", 5, 1, "better"),
        ("lower", 1, 5, "worse"),
        ("higher", 1, 5, "better"),
        ("near_null", -5, 1, "better"),
        ("near_null", 1, -5, "worse"),
        ("descriptive", 1, 5, "moved"),
        ("near_null", -5, 5, "moved"),
    ],
)
def test_the_direction_is_that_of_the_estimate(better, old, new, word) -> None:
    out = compare_runs(run(estimate(old, 0.1, better)), run(estimate(new, 0.1, better)))
    assert out.tables[1].rows[0][-1] == word


def test_p_has_its_size_and_many_estimates_do_not_add_up_to_a_change() -> None:
    rng, z = np.random.default_rng(0), 1.959964
    reps, k, small, runs = 60, 50, 0, 0
    for _ in range(reps):
        old, new = (
            run(*(estimate(v, z, name=f"m{i}") for i, v in enumerate(rng.normal(size=k))))
            for _ in range(2)
        )
        out = compare_runs(old, new)
        small += sum((e.p or 1) <= 0.05 for e in out.estimates)
        runs += any((e.p_adjusted or 1) <= 0.05 for e in out.estimates)
    assert abs(small / (reps * k) - 0.05) < 3 * np.sqrt(0.05 * 0.95 / (reps * k))
    assert runs / reps <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / reps)


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        ({"FID_KS": PASS}, {"FID_KS": PASS}, PASS),
        ({"FID_KS": PASS}, {"FID_KS": FAIL}, FAIL),
        ({"FID_KS": PASS}, {"FID_KS": OPEN}, FAIL),
        ({"FID_KS": OPEN}, {"FID_KS": FAIL}, FAIL),
        ({"FID_KS": FAIL}, {"FID_KS": OPEN}, PASS),
        ({"FID_KS": FAIL}, {"FID_KS": FAIL}, PASS),
        ({"FID_KS": PASS}, {"FID_KS": PASS, "FID_COPIES": FAIL}, FAIL),
        ({"FID_KS": PASS}, {"FID_KS": PASS, "FID_COPIES": PASS}, PASS),
        ({"FID_KS": PASS, "FID_COPIES": FAIL}, {"FID_KS": PASS}, PASS),
        ({"FID_KS": PASS, "FID_COPIES": PASS}, {"FID_KS": PASS}, FAIL),
        ({"FID_KS": OPEN}, {"FID_KS": NONE}, FAIL),  # what was judged cannot be judged any more
        ({"FID_KS": NONE}, {"FID_KS": OPEN}, FAIL),
        ({"FID_KS": PASS, "FID_COPIES": NONE}, {"FID_KS": OPEN, "FID_COPIES": PASS}, FAIL),
    ],
)
def test_a_gate_that_got_worse_fails(old, new, verdict) -> None:
    assert compare_runs(run(**old), run(**new)).verdict == verdict


def test_what_describes_never_decides() -> None:
    ungated = [
        replace(r, sections=(Section("fidelity", "F", gate=False),))
        for r in (run(FID_KS=PASS), run(FID_KS=FAIL))
    ]
    assert compare_runs(*ungated).verdict == PASS


def test_an_estimate_without_an_interval_is_listed_and_not_tested() -> None:
    old, new = (run(replace(estimate(v, 1), ci=None)) for v in (1, 2))
    out = compare_runs(old, new)
    assert out.findings[1].verdict == NONE
    assert "1 estimate without an interval changed" in out.findings[1].explanation
    assert out.tables[1].rows[0][3] == 1


def test_a_width_of_0_makes_any_difference_certain() -> None:
    out = compare_runs(run(estimate(1, 0)), run(estimate(2, 0)))
    assert out.tables[1].rows[0][-1] == "worse"


def test_half_an_interval_is_none() -> None:
    half = replace(estimate(1, 0.1), ci=(None, 1.1))  # type: ignore[arg-type]
    out = compare_runs(run(half), run(estimate(5, 0.1)))
    assert out.estimates[0].p is None


def test_a_damaged_run_is_one_sentence(cli, tmp_path) -> None:
    run(estimate(1, 0.1)).save(tmp_path / "a" / "results.json")
    body = json.loads((tmp_path / "a" / "results.json").read_text())
    body["estimates"][0]["ci"] = [1]
    (tmp_path / "b.json").write_text(json.dumps(body))
    code, _, err = cli("diff", tmp_path / "a", tmp_path / "b.json")
    assert code == 3
    assert "estimates[0].ci[1] is missing" in err
    assert "Traceback" not in err


def test_what_else_differs_is_said() -> None:
    def with_sets(synth: str, real: str) -> Results:
        sets = {"real": {"fingerprint": real}, "synth": {"fingerprint": synth}}
        return run(estimate(1, 1), FID_KS=PASS).with_manifest({"seed": 0, "sets": sets})

    same = compare_runs(with_sets("a", "r"), with_sets("b", "r"))
    assert same.findings[2].title == "Only the synthetic set differs"
    assert "share the real patients" in same.findings[1].explanation
    other = compare_runs(with_sets("a", "r"), with_sets("a", "q"))
    assert "sets.real.fingerprint" in other.findings[2].title
    assert "Their real sets differ" in other.findings[1].explanation


def test_runs_of_two_kinds_are_refused() -> None:
    with pytest.raises(DataError, match="no estimate and no finding in common"):
        compare_runs(run(FID_KS=PASS), run(PRIV_COPIES=PASS))


def test_the_command_prints_writes_and_exits(cli, tmp_path) -> None:
    import jsonschema

    better, worse = tmp_path / "a", tmp_path / "b"
    run(estimate(1, 0.1), FID_KS=PASS).save(better / "results.json")
    run(estimate(3, 0.1), FID_KS=FAIL).save(worse / "results.json")
    code, out, _ = cli("diff", better, worse, "--out", tmp_path / "c")
    assert code == 1
    assert "1 gate got worse: FID-KS PASS → FAIL" in out
    assert "worse    hr_bpm: 1 -> 3" in out
    assert {"index.html", "report.pdf", "results.json"} <= {
        p.name for p in (tmp_path / "c").iterdir()
    }
    jsonschema.validate(json.loads((tmp_path / "c" / "results.json").read_text()), json_schema())
    code, out, _ = cli("diff", worse / "results.json", better, "--json")
    assert (code, json.loads(out)["verdict"]) == (0, "PASS")
    assert cli("diff", better, tmp_path / "none")[0] == 3
    code, _, err = cli("diff", better, worse, "--out", better)
    assert (code, "choose another folder" in err) == (2, True)
