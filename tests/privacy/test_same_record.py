"""What two halves of one record reach, beside the limit of a copy."""

from dataclasses import replace

import numpy as np
import pytest

from ecgeval import delineate
from ecgeval.privacy import same_record as module
from ecgeval.privacy.copies.rule import CopyRule
from ecgeval.privacy.estimates import estimates
from ecgeval.privacy.evidence import collect
from ecgeval.privacy.findings import findings
from ecgeval.privacy.same_record import low_quantile, same_record
from ecgeval.privacy.tables import HALVES, tables
from ecgeval.report.explain import statistic


@pytest.fixture(scope="module")
def evidence(sim):
    """Return what an audit found among different people, with beats."""
    sets = {name: sim(24, seed=k, fs=250) for k, name in enumerate(("train", "holdout", "synth"))}
    return collect(
        *sets.values(),
        beats={name: delineate(s).beats for name, s in sets.items()},
        permutations=99,
        id_key="k",
        planted_records=4,
    )


def reach_of(e):
    return same_record(e.train, e.matches)


def with_limit(e, limit: float):
    """Return the evidence as if every copy limit had come out at `limit`."""
    matches = tuple(replace(m, rule=CopyRule(limit, n=24)) for m in e.matches)
    return replace(e, matches=matches, reach=same_record(e.train, matches))


def test_the_quantile_and_its_interval_by_hand() -> None:
    # Of 100 values Bin(100, .05) is in 1..10 with 95 %: the 1st and the 11th bound the quantile.
    x = np.arange(100)[::-1] / 100
    assert low_quantile(x) == pytest.approx((0.0495, 0.00, 0.10))
    assert low_quantile(np.full(20, 0.5))[1] == -1  # nothing bounds it from below


def test_the_interval_covers() -> None:
    rng = np.random.default_rng(0)
    held = [a <= 0.05 <= b for _, a, b in (low_quantile(rng.uniform(size=200)) for _ in range(400))]
    assert np.mean(held) > 0.95 - 3 * np.sqrt(0.95 * 0.05 / 400)


def test_beats_of_one_record_are_alike_and_whole_records_are_not(evidence) -> None:
    reach = reach_of(evidence)
    assert set(reach) == {"D1", "D2", "D4", "D4T", "D5", "D6"}
    assert {r.records for r in reach.values()} == {24}
    other = {m.detector.id: m.baseline for m in evidence.matches}
    # A heart beats alike in both halves, and unlike others; the halves' rhythm is not the same.
    assert reach["D4"].low > 0.98 > np.quantile(other["D4"], 0.5)
    assert reach["D1"].low < 0.5


def test_a_limit_above_their_reach_is_told(evidence) -> None:
    told = "lies above what 95 % of training records reach with their own other half"
    for limit, above in ((0.9, False), (0.99999, True)):
        e = with_limit(evidence, limit)
        copies = next(f for f in findings(e, "privacy") if f.code == "PRIV-COPIES")
        assert (told in copies.explanation) == above
        assert ("D4 (1.000" in copies.explanation) == above
        assert "D1 (" not in copies.explanation
        rows = next(t.frame() for t in tables(e, "privacy") if t.id == "privacy.sensitivity")
        rows = rows.query(f"disguise == '{HALVES}'").set_index("detector")
        assert rows.loc["D4", "planted"] == 24
        assert (rows.loc["D4", "found"] == 24) != above


def test_numbers_are_explained_and_rounded(evidence) -> None:
    known = replace(evidence, reach=reach_of(evidence))
    found = [e for e in estimates(known, "privacy") if e.id.endswith("own_halves")]
    assert len(found) == 6
    for e in found:
        assert statistic(e.id)
        assert e.ci[0] <= e.value <= e.ci[1]
        assert e.value == round(e.value, 3)


def test_few_or_flat_records_give_no_reach(evidence, monkeypatch) -> None:
    monkeypatch.setattr(module, "LEAST", 25)
    assert reach_of(evidence) == {}
    monkeypatch.undo()
    record = evidence.train.signals["record"]
    x = np.array(record.x)
    x[0, :, : x.shape[2] // 2] = 0  # a flat first half
    side = replace(
        evidence.train, signals={**evidence.train.signals, "record": replace(record, x=x)}
    )
    assert reach_of(replace(evidence, train=side))["D2"].records == 23
