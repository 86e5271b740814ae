"""What the detectors find in sets too large for a complete search, beside a complete one."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.interpolate import make_interp_spline

from ecgeval import delineate
from ecgeval.privacy import audit_sets, evidence
from ecgeval.privacy.copies import matching, neighbours
from ecgeval.privacy.copies.detectors import DETECTORS
from ecgeval.privacy.copies.disguises import TRANSFORMS, plant
from ecgeval.privacy.evidence import collect

SHIFT5 = next(k for k, t in enumerate(TRANSFORMS) if t.id == "shift5")
RETIMED = next(k for k, t in enumerate(TRANSFORMS) if t.id == "retimed")
LEFT = [d.id for d in DETECTORS if d.screen and not d.always]


@pytest.fixture(scope="module")
def sets(sim):
    train, holdout, synth = (sim(24, seed=k, fs=250) for k in range(3))
    signals = np.array(synth.signals)
    copies = train.signals[:4]
    signals[:4] = plant(
        copies, 250, TRANSFORMS[SHIFT5], np.random.default_rng(0), fill=signals[4:8]
    )
    return {"train": train, "holdout": holdout, "synth": replace(synth, signals=signals)}


@pytest.fixture(scope="module")
def audited(sets):
    """Return the evidence of an audit with beats, complete or with so many records looked at."""
    beats = {name: delineate(s).beats for name, s in sets.items()}

    def audit(screened: int | None = None, jobs: int = 1, beats=beats):
        with pytest.MonkeyPatch.context() as patch:
            if screened is not None:
                for module in (matching, neighbours):
                    patch.setattr(module, "COMPLETE_PAIRS", 0)
                near = tuple(replace(d, nearest=screened) for d in DETECTORS)
                patch.setattr(evidence, "DETECTORS", near)
            return collect(
                *sets.values(),
                beats=beats,
                jobs=jobs,
                permutations=99,
                id_key="k",
                planted_records=6,
            )

    return audit


@pytest.fixture(scope="module")
def whole(audited):
    return audited()


def by_id(e) -> dict:
    return {m.detector.id: m for m in e.matches}


def test_looking_at_everybody_is_the_complete_search(audited, whole) -> None:
    assert whole.complete
    one, other = by_id(whole), by_id(audited(1000))
    assert list(one) == list(other) == [d.id for d in DETECTORS]
    for name in LEFT:
        a, b = one[name], other[name]
        # D4 leads nowhere from a record without a beat of its own.
        known = np.isfinite(b.train)
        assert known.mean() > 0.9
        np.testing.assert_array_equal(a.train[known], b.train[known])
        np.testing.assert_array_equal(a.holdout[known], b.holdout[known])
        np.testing.assert_array_equal(a.partner[known], b.partner[known])


def test_a_few_lead_to_the_copies_and_are_never_more_alike(audited, whole) -> None:
    one, few = by_id(whole), by_id(audited(3))
    for name in LEFT:
        assert (np.nan_to_num(few[name].train, nan=-1) <= one[name].train + 1e-12).all()
    assert one["D3"].named[:4].all()
    assert few["D3"].named[:4].sum() >= 3
    assert few["D3"].partner[few["D3"].named].tolist() == np.flatnonzero(few["D3"].named).tolist()
    assert not few["D3"].named[4:].any()
    # What the screen misses is missed of the planted copies too.
    assert few["D3"].found[SHIFT5].sum() <= one["D3"].found[SHIFT5].sum()


def test_without_beats_nothing_leads_to_pairs(audited) -> None:
    e = audited(3, beats=None)
    assert not e.complete
    assert {m.detector.id for m in e.matches} == {"D1", "D2", "D6"}
    assert "single" not in e.train.signals


def test_a_real_record_is_looked_at_by_its_own_neighbours_alone(audited) -> None:
    """Else the smaller side would be compared more often, record by record."""
    e = audited(1)
    d3, d4 = by_id(e)["D3"], by_id(e)["D4"]
    assert np.isfinite(d4.real).sum() >= np.isfinite(d3.real).sum() >= 40
    kernel = d3.detector.kernel(e.synth.signals["record"].x, e.train.signals["record"].x)
    beats = d4.detector.kernel(e.synth.signals["beat"].x, e.train.signals["beat"].x)
    close, _ = beats.block(slice(0, len(e.synth)))
    close[~e.synth.signals["beat"].usable] = -np.inf
    rows = np.flatnonzero(np.isfinite(d3.real[: len(e.train)]))
    expected = kernel.exact(close.argmax(axis=0)[rows], rows)
    np.testing.assert_allclose(d3.real[rows], expected, atol=1e-12)


def test_d2_plants_copies_into_the_search_it_makes(audited, whole) -> None:
    """A complete search would find copies between the rule's limit and the range's floors."""
    large, small = by_id(audited(3))["D2"], by_id(whole)["D2"]
    assert large.stages
    assert not small.stages
    assert (large.found.sum(axis=1) <= small.found.sum(axis=1)).all()


def test_results_are_the_same_for_any_number_of_jobs(audited) -> None:
    one, two = audited(3), audited(3, jobs=2)
    for a, b in zip(one.matches, two.matches, strict=True):
        np.testing.assert_array_equal(a.train, b.train)
        np.testing.assert_array_equal(a.found, b.found)


def test_the_costliest_looks_at_the_nearest_of_another_one_always(audited, whole) -> None:
    d7, d4t = by_id(whole)["D7"], by_id(whole)["D4T"]
    beats = d4t.detector.kernel(*(s.signals["beat"].x for s in (whole.synth, whole.train)))
    close, _ = beats.block(slice(0, len(whole.synth)))
    close[:, ~whole.train.signals["beat"].usable] = -np.inf
    rows = np.flatnonzero(np.isfinite(d7.train))
    near = np.argsort(-close[rows], axis=1)[:, : d7.detector.nearest]
    records = d7.detector.kernel(*(s.signals["record"].x for s in (whole.synth, whole.train)))
    each = records.exact(np.repeat(rows, near.shape[1]), near.ravel()).reshape(near.shape)
    np.testing.assert_allclose(d7.train[rows], each.max(axis=1), atol=1e-6)
    np.testing.assert_array_equal(d7.partner[rows], near[np.arange(len(near)), each.argmax(axis=1)])
    assert len(rows) >= 20


def test_retimed_copies_are_found_over_the_whole_record(whole) -> None:
    d7 = by_id(whole)["D7"]
    assert d7.found[RETIMED].all()
    assert not d7.named[4:].any()


def test_without_a_holdout_as_many_are_looked_at_as_it_takes_to_find_somebody_else(sets) -> None:
    train, synth = sets["train"], sets["synth"]
    beats = {"train": delineate(train).beats, "synth": delineate(synth).beats}
    # Six records a patient: the four nearest of a copy are all the same patient's.
    copied = replace(synth, signals=np.concatenate([train.signals[:12], synth.signals[12:]]))
    of_four = train.records.assign(patient_id=[f"p{k // 4}" for k in range(len(train))])
    e = collect(
        replace(train, records=of_four),
        None,
        copied,
        beats=beats | {"synth": np.concatenate([beats["train"][:12], beats["synth"][12:]])},
        permutations=99,
        id_key="k",
        planted_records=6,
    )
    d7 = by_id(e)["D7"]
    known = np.isfinite(d7.train)
    assert known.sum() >= 20
    assert np.isfinite(d7.holdout[known]).all()
    assert d7.named[:12][known[:12]].all()


def test_a_retimed_copy_is_drawn_at_its_speed(sets, monkeypatch) -> None:
    monkeypatch.setattr(evidence, "PLANTED", 4)
    train, signals = sets["train"], np.array(sets["synth"].signals)
    t = np.arange(signals.shape[2])
    signals[20] = make_interp_spline(t, train.signals[7], axis=1)(0.93 * t)
    given = {**sets, "synth": replace(sets["synth"], signals=signals)}
    results = audit_sets(
        *given.values(),
        beats={name: delineate(s).beats for name, s in given.items()},
        permutations=99,
        show_traces=True,
    )
    copies = next(x for x in results.tables if x.id == "privacy.copies").frame()
    row = copies.set_index("synthetic record").loc[given["synth"].ids[20]]
    assert "D7" in row["detectors"].split()
    assert row["training record id"] == train.ids[7]
    assert row["similarity"] > 0.95
    pairs = next(f for f in results.figures if f.kind == "pairs").data["pairs"]
    pair = next(p for p in pairs if p["title"] == given["synth"].ids[20])
    assert pair["real_title"] == f"{train.ids[7]}, 0.930 times as fast"
    assert pair["similarity"] > 0.95
    lead = given["synth"].leads[1]
    assert np.corrcoef(pair["real"][lead], pair["synth"][lead])[0, 1] > 0.95
    others = [p for p in pairs if "times as fast" in p["real_title"]]
    assert others == [pair]  # shifted copies are drawn at their lag, as before


def test_detectors_keep_their_order(audited) -> None:
    order = [d.id for d in DETECTORS]
    assert [m.detector.id for m in audited(3).matches] == order
