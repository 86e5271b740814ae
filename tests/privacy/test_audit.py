"""The audit as a whole: copies are named, honest and degenerate sets are not, nothing leaks."""

import json
import re

import jsonschema
import numpy as np
import pandas as pd
import pytest

from ecgeval.ecgset import EcgSet
from ecgeval.errors import DataError, UsageError
from ecgeval.privacy import audit_sets, evidence, pseudonyms, split_patients
from ecgeval.privacy.copies.disguises import TRANSFORMS, plant, promised
from ecgeval.report.explain import explain, statistic
from ecgeval.results import Results, Verdict, json_schema

QUICK = {"permutations": 999}
KINDS = [t for t, asked in zip(TRANSFORMS, promised({"record"}), strict=True) if asked]


def with_signals(ecgs: EcgSet, signals: np.ndarray) -> EcgSet:
    return EcgSet(signals, ecgs.fs, ecgs.leads, ecgs.records)


def people(n: int, seed: int) -> EcgSet:
    """Return records of n people, each with waves, rhythm and leads of their own, 8 s at 250 Hz."""
    rng = np.random.default_rng(seed)
    t = np.arange(2000) / 250
    signals = rng.normal(0, 0.01, (n, 8, len(t)))
    for record in signals:
        at = np.array([-0.16, -0.03, 0, 0.04, 0.28]) + rng.normal(0, 0.015, 5)
        width = np.array([0.02, 0.01, 0.012, 0.012, 0.05]) * rng.uniform(0.7, 1.4, 5)
        height = np.array([0.1, 0.2, 1.0, 0.4, 0.3]) * rng.normal(0, 1, (8, 5))
        beats = rng.uniform(0.1, 0.8) + np.cumsum(rng.normal(rng.uniform(0.65, 1.1), 0.05, 14))
        for beat in beats:
            record += height @ np.exp(-0.5 * ((t - beat - at[:, None]) / width[:, None]) ** 2)
    ids = [f"sim{seed}-{i}" for i in range(n)]
    leads = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
    return EcgSet(signals, 250, leads, pd.DataFrame({"patient_id": ids}, index=ids))


def with_copies(synth: EcgSet, train: EcgSet, n: int, seed: int = 0) -> tuple[EcgSet, dict]:
    """Return the set with its first records replaced by disguised training records."""
    rng = np.random.default_rng(seed)
    signals = np.array(synth.signals)
    source = rng.choice(len(train), n, replace=False)
    for at, row in enumerate(source):
        pair = train.signals[[row, source[at - 1]]]
        kind = KINDS[at % len(KINDS)]
        signals[at] = plant(pair, train.fs, kind, rng, fill=signals[[at, at]])[0]
    named = dict(zip(synth.ids[:n], train.ids[source], strict=True))
    return with_signals(synth, signals), named


def verdicts(results: Results) -> dict[str, str]:
    return {f.code: str(f.verdict) for f in results.findings}


def table(results: Results, name: str) -> pd.DataFrame:
    return next(t.frame() for t in results.tables if t.id == f"privacy.{name}")


@pytest.fixture(scope="module")
def sets() -> tuple[EcgSet, EcgSet, EcgSet]:
    """Thirty training, thirty holdout and ninety synthetic records, all different people."""
    return people(30, 1), people(30, 2), people(90, 3)


@pytest.fixture(scope="module")
def honest(sets) -> Results:
    return audit_sets(*sets, **QUICK)


@pytest.fixture(scope="module")
def copied(sets) -> tuple[Results, dict]:
    train, holdout, synth = sets
    synth, named = with_copies(synth, train, 10)
    return audit_sets(train, holdout, synth, **QUICK), named


def test_an_honest_set_is_not_failed_and_not_cleared(honest) -> None:
    assert verdicts(honest) == {
        "PRIV-SCOPE": "INCONCLUSIVE",
        "PRIV-COPIES": "PASS",
        "PRIV-EXCHANGE": "INCONCLUSIVE",
        "PRIV-DUPLICATES": "PASS",
        "PRIV-RESIDUAL": "NOT_ASSESSABLE",
        "PRIV-NOT-TESTED": "NOT_ASSESSABLE",
    }
    assert honest.findings[0].code == "PRIV-SCOPE"
    assert honest.verdict == Verdict.INCONCLUSIVE
    assert honest.exit_code == 3


def test_all_copies_are_named_with_the_right_partner(copied, sets) -> None:
    results, planted = copied
    assert results.exit_code == 1
    assert verdicts(results)["PRIV-COPIES"] == "FAIL"
    assert verdicts(results)["PRIV-EXCHANGE"] == "FAIL"
    assert [f.code for f in results.findings if f.gate] == [
        "PRIV-COPIES",
        "PRIV-EXCHANGE",
        "PRIV-SCOPE",
    ]
    alias = pseudonyms(sets[0])
    named = table(results, "copies").set_index("synthetic record")["training record"]
    assert dict(named) == {s: alias[t] for s, t in planted.items()}
    assert results.estimate("privacy.copies.count").value == 10
    assert "10 synthetic records of 90" in results.headline()


def test_every_disguise_is_found_when_planted(honest) -> None:
    recall = table(honest, "sensitivity").query("detector == 'any'")
    assert len(recall) == len(TRANSFORMS)
    assert (recall["recall"][promised({"record"})] == 1).all()
    assert (recall["recall"] >= 0.5).all()
    by_sample = table(honest, "sensitivity").query("detector == 'D1'").set_index("disguise")
    assert by_sample.loc["shift 0.5 s, foreign fill", "recall"] == 0  # what the lags are for


def test_the_bound_is_corrected_for_sensitivity(honest) -> None:
    n, planted = 90, 30
    upper = (1 - 0.025 ** (1 / n)) / 0.025 ** (1 / planted)
    assert honest.estimate("privacy.copies.upper").value == pytest.approx(upper)


def test_one_copy_is_enough(sets) -> None:
    train, holdout, synth = sets
    synth, planted = with_copies(synth, train, 1)
    results = audit_sets(train, holdout, synth, id_key="k", **QUICK)
    assert list(table(results, "copies")["synthetic record"]) == list(planted)
    alias = pseudonyms(train, id_key="k")[list(planted.values())]
    assert list(table(results, "copies")["training record"]) == list(alias)
    assert verdicts(results)["PRIV-EXCHANGE"] == "INCONCLUSIVE"  # too few for a calibrated test


def test_degenerate_records_are_counted_and_never_copies(sets) -> None:
    train, holdout, synth = sets
    signals = np.array(synth.signals)
    signals[0] = 0
    signals[1] = 0.3
    signals[2, :5] = np.nan
    signals[3] = 0.004 * np.sign(signals[3])  # four microvolts up and down
    results = audit_sets(train, holdout, with_signals(synth, signals), **QUICK)
    row = table(results, "sets").set_index("set").loc["synth"]
    assert row["usable"] == 87
    assert row["left out because"] == "not finite: 1, flat: 2"
    assert results.estimate("privacy.copies.count").value == 0
    # What was not searched is not cleared.
    finding = next(f for f in results.findings if f.code == "PRIV-COPIES")
    assert finding.verdict == Verdict.INCONCLUSIVE
    assert "1 of 90 synthetic records could not be searched" in finding.title


def test_what_is_missing_of_the_training_set_is_told(sets) -> None:
    train, holdout, synth = sets
    signals = np.array(train.signals)
    signals[:3, :, :1500] = np.nan
    results = audit_sets(with_signals(train, signals), holdout, synth, **QUICK)
    finding = next(f for f in results.findings if f.code == "PRIV-COPIES")
    assert finding.verdict == Verdict.INCONCLUSIVE
    assert "3 of 30 training records could not be searched" in finding.title


def test_a_copy_with_a_missing_sample_is_named(sets) -> None:
    train, holdout, synth = sets
    signals = np.array(synth.signals)
    signals[:4] = train.signals[:4]
    signals[:4, 0, 100] = np.nan
    results = audit_sets(train, holdout, with_signals(synth, signals), **QUICK)
    assert results.estimate("privacy.copies.count").value == 4


def test_a_synthetic_record_named_like_a_real_one_gives_no_name_away(sets) -> None:
    train, holdout, synth = sets
    signals = np.array(synth.signals)
    signals[:5] = train.signals[:5]
    ids = [*train.ids[:5], *synth.ids[5:]]
    leaky = EcgSet(signals, 250, synth.leads, pd.DataFrame({"patient_id": ids}, index=ids))
    results = audit_sets(train, holdout, leaky, **QUICK)
    assert results.estimate("privacy.copies.count").value == 5
    assert not [i for i in train.ids[:5] if i in results.to_json()]
    assert table(results, "copies")["synthetic record"].tolist() == [
        f"record {k} of the synthetic set" for k in range(1, 6)
    ]


def test_a_set_without_a_heart_scores_nothing(sets) -> None:
    train, holdout, synth = sets
    wander = np.sin(2 * np.pi * 0.2 * np.arange(2000) / 250) * np.ones((90, 8, 1))
    results = audit_sets(train, holdout, with_signals(synth, wander), **QUICK)
    assert verdicts(results)["PRIV-COPIES"] == "NOT_ASSESSABLE"
    assert verdicts(results)["PRIV-EXCHANGE"] == "NOT_ASSESSABLE"
    assert results.estimate("privacy.copies.upper").value == 1
    assert results.exit_code == 3
    with pytest.raises(DataError, match="flat or missing"):
        audit_sets(train, holdout, with_signals(synth, 0 * synth.signals))


def test_without_a_holdout_copies_are_still_found(sets) -> None:
    train, _, synth = sets
    results = audit_sets(train, None, synth, **QUICK)
    assert verdicts(results)["PRIV-COPIES"] == "PASS"
    assert results.findings[1].title.endswith("(lower grade: no holdout)")
    exchange = next(f for f in results.findings if f.code == "PRIV-EXCHANGE")
    assert exchange.verdict == Verdict.NOT_ASSESSABLE
    assert "20 to 50 %" in exchange.explanation
    copies, planted = with_copies(synth, train, 10)
    results = audit_sets(train, None, copies, **QUICK)
    assert set(table(results, "copies")["synthetic record"]) == set(planted)


def test_exchanged_sets_are_noticed(sets) -> None:
    train, holdout, synth = sets
    copies, _ = with_copies(synth, train, 10)
    results = audit_sets(holdout, train, copies, **QUICK)
    copies_finding = next(f for f in results.findings if f.code == "PRIV-COPIES")
    assert copies_finding.verdict == Verdict.FAIL
    assert "copy of a holdout record" in copies_finding.title
    assert verdicts(results)["PRIV-EXCHANGE"] == "FAIL"


def test_patients_and_recordings_on_both_sides_leave_the_holdout(sets) -> None:
    train, holdout, synth = sets
    signals = np.array(holdout.signals)
    signals[0] = train.signals[4]  # one recording under two patient ids
    records = holdout.records.copy()
    records.loc[holdout.ids[1], "patient_id"] = train.records["patient_id"].iloc[7]
    results = audit_sets(train, EcgSet(signals, 250, holdout.leads, records), synth, **QUICK)
    finding = next(f for f in results.findings if f.code == "PRIV-DUPLICATES")
    assert finding.verdict == Verdict.FAIL
    assert not finding.gate
    assert finding.title.startswith("2 real records occur more than once; 1 patient in both")
    assert "2 records left the holdout" in finding.explanation
    summary = results.sections[0].summary  # what is read first says so too
    assert "30 training patients and 28 holdout patients" in summary
    assert "2 real records occur more than once; 1 patient in both train and holdout" in summary
    assert summary.endswith("(2 records left the holdout).")


def test_clean_sets_are_summed_up_in_one_sentence(honest) -> None:
    assert honest.sections[0].summary == (
        "90 synthetic records against 30 training patients and 30 holdout patients."
    )


def test_a_holdout_that_is_the_training_set_leaves_nothing_to_compare(sets) -> None:
    train, _, synth = sets
    results = audit_sets(train, train, synth, **QUICK)
    exchange = next(f for f in results.findings if f.code == "PRIV-EXCHANGE")
    assert exchange.verdict == Verdict.NOT_ASSESSABLE
    assert "nothing is left of it" in exchange.title
    assert verdicts(results)["PRIV-DUPLICATES"] == "FAIL"
    summary = results.sections[0].summary
    assert "30 patients in both train and holdout (30 records left the holdout)" in summary


def test_records_without_patients_may_share_names_between_sets(sets) -> None:
    def nameless(ecgs: EcgSet) -> EcgSet:
        table = pd.DataFrame(index=[str(i) for i in range(len(ecgs))])
        return EcgSet(ecgs.signals, ecgs.fs, ecgs.leads, table)

    results = audit_sets(*map(nameless, sets), assume_independent=True, **QUICK)
    assert "30 training patients and 30 holdout patients" in results.sections[0].summary
    assert verdicts(results)["PRIV-DUPLICATES"] == "PASS"


def test_every_number_detector_and_disguise_is_explained(honest) -> None:
    for estimate in honest.estimates:
        assert statistic(estimate.id), estimate.id
    for name in (
        "D1",
        "D2",
        "D4",
        *(t.id for t in TRANSFORMS),
        "exchange auc",
        "topq20",
        "top20",
        "flagged",
        "privacy.comparable.energy",
        "design effect",
    ):
        assert explain(name).definition
    shifted = explain("privacy.recall.d2.shift").definition
    assert explain("D2").definition in shifted
    assert explain("shift").definition in shifted


def test_what_does_not_matter_changes_nothing(sets, copied) -> None:
    train, holdout, synth = sets
    synth, planted = with_copies(synth, train, 10)
    order = np.random.default_rng(0).permutation(len(synth))
    louder = with_signals(synth, np.float32(1.5) * synth.signals)
    results = audit_sets(train, holdout, louder.select(order), **QUICK)
    assert verdicts(results) == verdicts(copied[0])
    assert set(table(results, "copies")["synthetic record"]) == set(planted)


def test_the_same_seed_gives_the_same_bytes(sets, honest) -> None:
    assert audit_sets(*sets, **QUICK).to_json() == honest.to_json()


def test_results_follow_the_schema_and_the_section_names_the_ids(sets, copied) -> None:
    for results in (copied[0], audit_sets(*sets, section="control", show_traces=True, **QUICK)):
        jsonschema.validate(json.loads(results.to_json()), json_schema())
    assert all(e.id.startswith("control.") for e in results.estimates)
    assert {f.section for f in results.findings} == {"control"}


def test_no_id_trace_or_distance_of_a_real_record_gets_out(sets, copied) -> None:
    results, planted = copied
    text = results.to_json()
    real_ids = [*sets[0].ids, *sets[1].ids]
    assert not [i for i in real_ids if re.search(rf"\b{re.escape(i)}\b", text)]
    # A synthetic trace that is a copy is a patient's trace.
    assert not [f for f in results.figures if f.kind == "pairs"]
    assert list(table(results, "copies").columns) == [
        "synthetic record",
        "training record",
        "detectors",
    ]
    shown = audit_sets(*sets[:2], with_copies(sets[2], sets[0], 10)[0], show_traces=True, **QUICK)
    pairs = next(f for f in shown.figures if f.kind == "pairs").data["pairs"]
    assert {p["title"]: p["real_title"] for p in pairs}.items() <= planted.items()
    assert all(p["similarity"] > 0.9 for p in pairs)
    assert set(table(shown, "copies")["training record id"]) == set(planted.values())


def test_copies_of_the_holdout_are_counted_and_show_no_trace(sets) -> None:
    train, holdout, synth = sets
    results = audit_sets(holdout, train, with_copies(synth, train, 1)[0], **QUICK)
    assert results.estimate("privacy.copies.control").value == 1
    assert not [f for f in results.figures if f.kind == "pairs"]


def test_no_trace_is_drawn_without_leave_even_of_an_honest_set(honest) -> None:
    """A copy that the search has missed would be a patient's trace."""
    assert "pairs" not in {f.kind for f in honest.figures}


def test_no_forbidden_word_is_written(honest, copied) -> None:
    for results in (honest, copied[0]):
        assert not re.search(r"anonym|\bprivate\b|\bsafe\b", results.to_json(), re.IGNORECASE)


def test_large_sets_are_searched_above_a_floor_with_the_same_outcome(sets, monkeypatch):
    """The range query names the same copies; what lies below its floor decides nothing."""
    from ecgeval.privacy.copies import matching, neighbours

    for module in (matching, neighbours):
        monkeypatch.setattr(module, "COMPLETE_PAIRS", 500)
    train, holdout, synth = sets
    leaky, named = with_copies(synth, train, 12)
    large = audit_sets(train, holdout, leaky, show_traces=True, permutations=999)
    assert verdicts(large)["PRIV-COPIES"] == "FAIL"
    found = table(large, "copies")
    assert set(found.iloc[:, 0]) == set(named)
    honest = audit_sets(train, holdout, synth, permutations=999)
    assert verdicts(honest)["PRIV-COPIES"] != "FAIL"
    caption = next(t.caption for t in honest.tables if t.id == "privacy.detectors")
    assert "pairs" in caption


def test_without_limits_from_other_patients_an_honest_set_is_called_copies(sets, monkeypatch):
    """The mutation of `test_an_honest_set_is_not_failed_and_not_cleared`."""
    from ecgeval.privacy.copies import matching
    from ecgeval.privacy.copies.rule import CopyRule

    monkeypatch.setattr(matching, "calibrate", lambda *_, **__: CopyRule(0.2, ratio=10.0))
    assert verdicts(audit_sets(*sets, **QUICK))["PRIV-COPIES"] == "FAIL"


def test_pseudonyms_depend_on_the_data(sets) -> None:
    train = sets[0]
    names = pseudonyms(train)
    assert names.index.equals(train.ids)
    assert names.is_unique
    assert names.str.fullmatch("[0-9a-f]{10}").all()
    assert pseudonyms(train, id_key=train.fingerprint("id-key")).equals(names)
    other = with_signals(train, train.signals + np.float32(0.001))
    assert not set(pseudonyms(other)) & set(names)


def test_beats_add_a_detector_and_find_what_records_cannot(sets, monkeypatch) -> None:
    monkeypatch.setattr(evidence, "PLANTED", 4)
    train, holdout, synth = sets
    rng = np.random.default_rng(0)

    def beats(ecgs: EcgSet) -> np.ndarray:
        t = np.arange(275) / 250 - 0.4
        shape = (len(ecgs), 8, 1)
        waves = ((-0.16, 0.02), (-0.025, 0.008), (0, 0.012), (0.03, 0.01), (0.28, 0.045))
        return sum(rng.normal(0, 1, shape) * np.exp(-0.5 * ((t - a) / w) ** 2) for a, w in waves)

    given = {"train": beats(train), "holdout": beats(holdout), "synth": beats(synth)}
    given["synth"][5] = 1.3 * given["train"][9]  # that beat in another rhythm
    given["synth"][6] = np.nan
    results = audit_sets(train, holdout, synth, beats=given, **QUICK)
    named = table(results, "copies")
    assert list(named["synthetic record"]) == [synth.ids[5]]
    assert list(named["training record"]) == [pseudonyms(train).iloc[9]]
    assert list(named["detectors"]) == ["D4 D4T"]
    assert "no representative beat: 1" in table(results, "sets")["left out because"].iloc[2]


def test_bad_input_is_refused_with_a_reason(sets) -> None:
    train, holdout, synth = sets
    records = train.records.assign(patient_id=None)
    unknown = EcgSet(train.signals, train.fs, train.leads, records)
    with pytest.raises(UsageError, match="have no patient id"):
        audit_sets(unknown, holdout, synth)
    with pytest.raises(UsageError, match="no representative beats for holdout, synth"):
        audit_sets(train, holdout, synth, beats={"train": np.zeros((30, 8, 275))})
    with pytest.raises(DataError, match="no lead in common"):
        audit_sets(train.with_leads(("V1",)), holdout, synth.with_leads(("V2",)))
    with pytest.raises(DataError):
        audit_sets(train, holdout, with_signals(synth, 1000 * synth.signals))
    with pytest.raises(DataError):
        audit_sets(train, holdout, synth.select(slice(0, 0)))


def test_synthetic_records_without_a_beat_are_told_not_fallen_over(sets, monkeypatch) -> None:
    monkeypatch.setattr(evidence, "PLANTED", 4)
    train, holdout, synth = sets
    beats = {"train": np.ones((len(train), 8, 275)), "holdout": np.ones((len(holdout), 8, 275))}
    rng = np.random.default_rng(0)
    beats = {name: x * rng.normal(size=x.shape).cumsum(axis=2) for name, x in beats.items()}
    beats["synth"] = np.full((len(synth), 8, 275), np.nan)
    results = audit_sets(train, holdout, synth, beats=beats, beats_fs=250, **QUICK)
    for code in ("PRIV-MIA", "PRIV-LINK", "PRIV-WP29"):
        finding = next(f for f in results.findings if f.code == code)
        assert finding.verdict == "NOT_ASSESSABLE"
        assert "0 usable synthetic records" in finding.title


def ptbxl_normal(folder) -> EcgSet:
    """Return the NORM records of PTB-XL at 500 Hz, eight independent leads."""
    import wfdb

    index = pd.read_csv(folder / "ptbxl_database.csv", index_col="ecg_id").query("norm_only")
    leads = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
    signals = [
        wfdb.rdrecord(str(folder / name), channel_names=list(leads)).p_signal.T
        for name in index["filename_hr"]
    ]
    index.index = index.index.astype(str)
    return EcgSet(np.array(signals, np.float32), 500, leads, index[["patient_id"]])


def test_ptbxl_patients_against_other_patients_and_twenty_copies(real_data, monkeypatch) -> None:
    # Honest: the "generator" is a third of the patients. Copied: 20 of its records are planted.
    ecgs = ptbxl_normal(real_data("ptbxl"))
    assert len(ecgs) == 238
    rng = np.random.default_rng(7)
    others, rest = split_patients(ecgs, 1 / 3, rng)
    train, holdout = split_patients(rest, 1 / 2, rng)
    synth = EcgSet(
        others.signals, 500, others.leads, pd.DataFrame(index=[f"s{i}" for i in range(len(others))])
    )
    results = audit_sets(train, holdout, synth, **QUICK)
    assert verdicts(results)["PRIV-COPIES"] == "PASS"
    assert verdicts(results)["PRIV-EXCHANGE"] == "INCONCLUSIVE"
    synth, planted = with_copies(synth, train, 20)
    monkeypatch.setattr(evidence, "PLANTED", 4)
    results = audit_sets(train, holdout, synth, **QUICK)
    alias = pseudonyms(train)
    named = table(results, "copies").set_index("synthetic record")["training record"]
    assert dict(named) == {s: alias[t] for s, t in planted.items()}
    assert verdicts(results)["PRIV-EXCHANGE"] == "FAIL"
    assert results.exit_code == 1
