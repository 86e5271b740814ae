"""What two halves of one record reach, beside the limit of a copy."""

from dataclasses import replace

import numpy as np
import pytest

from ecgeval import delineate
from ecgeval.ecgset import EcgSet
from ecgeval.privacy import halves
from ecgeval.privacy.copies.detectors import beat_signals
from ecgeval.privacy.copies.rule import CopyRule
from ecgeval.privacy.evidence import collect
from ecgeval.privacy.findings import estimates, findings
from ecgeval.privacy.halves import half_beats, low_quantile, same_record
from ecgeval.privacy.tables import HALVES, tables
from ecgeval.privacy.view import View
from ecgeval.report.explain import statistic


@pytest.fixture(scope="module")
def evidence(sim):
    """Return what an audit found among different people, with beats."""
    sets = {name: sim(24, seed=k, fs=250) for k, name in enumerate(("train", "holdout", "synth"))}
    return collect(
        *sets.values(),
        beats={name: delineate(s).beats for name, s in sets.items()},
        beats_fs=None,
        seed=0,
        jobs=1,
        device="cpu",
        assume_independent=False,
        permutations=99,
        id_key="k",
        progress=lambda *_: None,
        planted_records=4,
    )


def view(e) -> View:
    return View(e, "privacy", 0, False, given_holdout=True, reach=same_record(e))


def with_limit(e, limit: float):
    """Return the evidence as if every copy limit had come out at `limit`."""
    matches = tuple(replace(m, rule=CopyRule(limit, n=24)) for m in e.matches)
    return replace(e, matches=matches)


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
    reach = same_record(evidence)
    assert set(reach) == {"D1", "D2", "D4", "D4T", "D5", "D6"}
    assert {r.records for r in reach.values()} == {24}
    other = {m.detector.id: m.baseline for m in evidence.matches}
    # A heart beats alike in both halves, and unlike others; the halves' rhythm is not the same.
    assert reach["D4"].low > 0.98 > np.quantile(other["D4"], 0.5)
    assert reach["D1"].low < 0.5


def test_a_limit_above_their_reach_is_told(evidence) -> None:
    told = "lies above what 95 % of training records reach with their own other half"
    for limit, above in ((0.9, False), (0.99999, True)):
        v = view(with_limit(evidence, limit))
        copies = next(f for f in findings(v) if f.code == "PRIV-COPIES")
        assert (told in copies.explanation) == above
        assert ("D4 (1.000" in copies.explanation) == above
        assert "D1 (" not in copies.explanation
        rows = next(t.frame() for t in tables(v) if t.id == "privacy.sensitivity")
        rows = rows.query(f"disguise == '{HALVES}'").set_index("detector")
        assert rows.loc["D4", "planted"] == 24
        assert (rows.loc["D4", "found"] == 24) != above


def test_numbers_are_explained_and_rounded(evidence) -> None:
    found = [e for e in estimates(view(evidence)) if e.id.endswith("own_halves")]
    assert len(found) == 6
    for e in found:
        assert statistic(e.id)
        assert e.ci[0] <= e.value <= e.ci[1]
        assert e.value == round(e.value, 3)


def test_few_or_flat_records_give_no_reach(evidence, monkeypatch) -> None:
    monkeypatch.setattr(halves, "LEAST", 25)
    assert same_record(evidence) == {}
    monkeypatch.undo()
    record = evidence.train.signals["record"]
    x = np.array(record.x)
    x[0, :, : x.shape[2] // 2] = 0  # a flat first half
    side = replace(
        evidence.train, signals={**evidence.train.signals, "record": replace(record, x=x)}
    )
    assert same_record(replace(evidence, train=side))["D2"].records == 23


def test_halves_are_delineated_by_themselves(sim) -> None:
    ecgs = sim(6, seconds=10, fs=250)
    first, second = half_beats(ecgs)
    assert first.shape == second.shape == (6, 8, 275)
    near = [beat_signals(x, 250, ecgs.leads, ecgs.leads).x.reshape(6, -1) for x in (first, second)]
    assert ((near[0] @ near[1].T).argmax(axis=1) == np.arange(6)).all()
    cut = EcgSet(np.asarray(ecgs.signals[:, :, :1250]), 250, ecgs.leads, ecgs.records)
    assert np.array_equal(half_beats(ecgs)[0], half_beats(cut_twice(cut))[0], equal_nan=True)


def cut_twice(half: EcgSet) -> EcgSet:
    """Return the half with another behind it: the first half must not change."""
    signals = np.concatenate([half.signals, half.signals[:, :, ::-1]], axis=2)
    return EcgSet(signals, half.fs, half.leads, half.records)
