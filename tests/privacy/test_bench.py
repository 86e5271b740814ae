"""The bench measures: recall by kind, size without copies, power with them."""

import json

import jsonschema
import numpy as np
import pytest

from ecgeval.privacy import bench
from ecgeval.privacy.bench import run_bench
from ecgeval.report.explain import statistic
from ecgeval.results import Results, json_schema


@pytest.fixture(scope="module")
def measured(sim) -> Results:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench, "PERMUTATIONS", 199)
        return run_bench(
            *(sim(n, seed=n, fs=250, seconds=8) for n in (24, 25, 40)),
            copies=(1, 20, 500),
            repeats=60,
        )


def test_recall_of_the_kinds_asked_for_and_power(measured) -> None:
    table = next(t.frame() for t in measured.tables if t.id == "bench.recall")
    union = table.query("detector == 'any'").set_index("disguise")
    assert (union["planted"] == 24).all()
    required = union["required"].notna()
    assert (union.loc[required, "recall"] >= union.loc[required, "required"]).all()
    assert union["recall"].min() < 1  # the bench can say no
    assert not required["0.9 to 1.1 times as fast"]  # no beats were given
    codes = {f.code: str(f.verdict) for f in measured.findings}
    assert codes["BENCH-RECALL"] == "PASS"
    assert codes["BENCH-SIZE"] == "PASS"
    assert codes["BENCH-POWER"] == "PASS"
    assert measured.estimate("bench.power.20").value >= 0.9
    assert measured.estimate("bench.power.1").value < 0.5
    with pytest.raises(KeyError):
        measured.estimate("bench.power.500")  # more than there are patients


def test_size_is_the_level_within_its_error(measured) -> None:
    size = measured.estimate("bench.size").value
    assert abs(size - 0.05) <= 3 * np.sqrt(0.05 * 0.95 / 60)


def test_results_follow_the_schema_and_are_explained(measured) -> None:
    jsonschema.validate(json.loads(measured.to_json()), json_schema())
    for estimate in measured.estimates:
        assert statistic(estimate.id), estimate.id


def test_the_bench_does_not_pass_where_copies_are_missed(sim, monkeypatch) -> None:
    # Mutation: without single leads, copies of one lead among others go unnoticed.
    from ecgeval.privacy import evidence

    monkeypatch.setattr(bench, "PERMUTATIONS", 99)
    kept = tuple(d for d in evidence.DETECTORS if d.id in ("D1", "D2"))
    monkeypatch.setattr(evidence, "DETECTORS", kept)
    results = run_bench(
        *(sim(n, seed=n, fs=250, seconds=8) for n in (12, 13, 14)), copies=(), repeats=20
    )
    finding = next(f for f in results.findings if f.code == "BENCH-RECALL")
    assert finding.verdict == "INCONCLUSIVE"  # a weak search fails no release
    assert "one lead" in finding.title
