"""The order of things: kept features, redaction, manifests, and what changes nothing."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import ecgeval
from ecgeval.ecgset import EcgSet
from ecgeval.errors import UsageError
from ecgeval.pipeline import run as pipeline
from ecgeval.pipeline.config import PART_NAMES, RunConfig, make
from ecgeval.pipeline.features import DECIDING_FILES, features, trim_cache
from ecgeval.pipeline.run import Run
from ecgeval.results import Verdict, json_schema

LEADS = ("I", "II", "V5")


@pytest.fixture(scope="module")
def people(sim):
    return sim(40, seed=1, leads=LEADS)


@pytest.fixture(scope="module")
def fakes(sim):
    return sim(40, seed=2, leads=LEADS)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def compared(people, fakes, cache):
    return pipeline.compare(people, fakes, quick=True, cache=cache)


def test_kept_features_are_read_not_computed(people, cache, compared, monkeypatch):
    fresh = features(people)
    monkeypatch.setattr(
        "ecgeval.pipeline.features.delineate", lambda *a, **k: pytest.fail("not read from cache")
    )
    kept = features(people, cache=cache)
    pd.testing.assert_frame_equal(kept.measures, fresh.measures)
    pd.testing.assert_series_equal(kept.outcome, fresh.outcome)
    np.testing.assert_array_equal(kept.beats, fresh.beats)


def test_a_killed_run_resumes_and_a_damaged_file_is_recomputed(people, cache, compared):
    files = sorted((cache / "features").rglob("*.npz"))
    assert len(files) == 4  # two shards a set
    files[0].write_bytes(files[0].read_bytes()[:100])
    files[1].unlink()
    again = pipeline.compare(people, people, quick=True, cache=cache)
    assert again.sections
    assert len(list((cache / "features").rglob("*.npz"))) >= 3


def test_another_method_or_code_does_not_read_what_is_kept(people, tmp_path, monkeypatch):
    few = people.select(slice(0, 2))
    features(few, cache=tmp_path)
    features(few, method="neurokit:cwt", cache=tmp_path)
    assert len(list((tmp_path / "features").rglob("*.npz"))) == 2
    monkeypatch.setattr("ecgeval.pipeline.features.code_hash", lambda: "other")
    features(few, cache=tmp_path)
    assert len(list((tmp_path / "features").rglob("*.npz"))) == 3


def test_the_files_that_decide_features_are_there():
    root = Path(ecgeval.__file__).parent
    for pattern in DECIDING_FILES:
        assert [file for file in root.glob(pattern) if file.is_file()], pattern


def test_the_cache_is_bounded_and_the_oldest_goes_first(people, tmp_path):
    features(people.select(slice(0, 2)), cache=tmp_path)
    old = next((tmp_path / "features").rglob("*.npz"))
    import os

    os.utime(old, (1, 1))
    features(people.select(slice(2, 4)), cache=tmp_path)
    trim_cache(tmp_path, limit=1.5 * old.stat().st_size)
    left = list((tmp_path / "features").rglob("*.npz"))
    assert len(left) == 1
    assert left[0] != old


def test_results_follow_the_schema_and_carry_what_decides_them(compared, people):
    jsonschema = pytest.importorskip("jsonschema")
    body = json.loads(compared.to_json())
    jsonschema.validate(body, json_schema())
    manifest = body["manifest"]
    assert manifest["sets"]["real"]["fingerprint"] == people.fingerprint()
    assert manifest["sets"]["synth"]["n"] == 40
    assert manifest["seed"] == 0
    assert {"numpy", "torch", "neurokit2"} <= set(manifest["versions"])
    text = json.dumps(manifest)
    for volatile in ("seconds_", "host", "jobs", "peak_memory"):
        assert volatile not in text


def test_every_estimate_stands_beside_its_n_and_its_unit_and_each_gate_has_a_rule(compared):
    for e in compared.estimates:
        assert e.method, e.id
        assert e.n_real > 0 or e.value is None, e.id
        checks_itself = e.id.endswith("_shuffled")  # a guard of the procedure, not a finding
        if e.value is not None and e.id.startswith("fidelity.") and not checks_itself:
            assert e.ci is not None or e.p is not None, e.id
    for f in compared.findings:
        assert f.rule, f.code


def test_the_record_order_and_the_batch_do_not_matter(people, fakes, compared, cache):
    rng = np.random.default_rng(0)
    shuffled = fakes.select(rng.permutation(len(fakes)))
    again = pipeline.compare(people, shuffled, quick=True, cache=cache)
    assert again.verdict == compared.verdict
    one = compared.estimate("fidelity.qrs_ms.cliffs_delta")
    two = again.estimate("fidelity.qrs_ms.cliffs_delta")
    assert two.value == pytest.approx(one.value)


def test_a_flat_or_nan_record_is_an_outcome(people, fakes):
    x = fakes.signals.copy()
    x[0] = 0
    x[1, 0, 3] = np.nan
    got = features(EcgSet(x, 500, LEADS, fakes.records).select(slice(0, 3)))
    assert got.outcome.tolist() == ["flat", "not_finite", ""]
    assert got.measures.iloc[:2].isna().all(axis=None)
    assert np.isfinite(got.measures["hr_bpm"].iloc[2])


def test_records_that_could_not_be_read_are_counted(people, fakes, cache):
    lost = pd.DataFrame({"record_id": ["x", "y"], "reason": "truncated", "detail": "short"})
    got = pipeline.compare(people, replace(fakes, rejected=lost), quick=True, cache=cache)
    table = next(t for t in got.tables if t.id == "quality.outcomes").frame().set_index("outcome")
    assert table.loc["truncated", "synthetic"] == 2
    assert got.manifest["sets"]["synth"]["rejected"] == {"truncated": 2}


def test_an_audit_without_a_holdout_is_not_assessable_and_says_what_to_do(people, fakes, cache):
    got = pipeline.audit(people, None, fakes, permutations=999, cache=cache)
    exchange = next(f for f in got.findings if f.code == "PRIV-EXCHANGE")
    assert exchange.verdict == Verdict.NOT_ASSESSABLE
    assert "20 to 50 % of the patients" in exchange.explanation
    assert got.verdict != Verdict.PASS


def test_a_run_that_audits_shows_no_patient(people, fakes, cache, tmp_path):
    from ecgeval import io

    io.write_store(people, tmp_path / "real")
    io.write_store(fakes, tmp_path / "synth")
    config = RunConfig.model_validate(
        {
            "real": str(tmp_path / "real"),
            "synth": str(tmp_path / "synth"),
            "quick": True,
            "audit": {"holdout_share": 0.5, "permutations": 999},
        }
    )
    results, run = pipeline.run(config, cache=cache)
    assert {s.slug for s in results.sections} == {"quality", *PART_NAMES, "privacy"} - {
        "usefulness",
        "subgroups",
    }  # no labels to go by
    assert set(results.manifest["sets"]) == {"real", "train", "holdout", "synth"}
    body = results.to_json() + run.measures["real"].to_csv()
    assert not [i for i in people.ids if f'"{i}"' in body or f"\n{i}," in body]
    # A synthetic trace may be a patient's, found out or not: none is drawn.
    assert "ecg_paper" not in {f.kind for f in results.figures}


def test_a_readers_notes_of_patients_stay_out_of_an_audit(people, fakes, cache):
    noted = replace(people, notes=("unusually small amplitude: SECRET0 (0.06 mV)",))
    halves = [noted.select(slice(0, 20)), noted.select(slice(20, 40))]
    hidden = pipeline.audit(*halves, fakes, permutations=999, cache=cache)
    assert "SECRET" not in hidden.to_json()
    assert hidden.manifest["sets"]["train"]["notes"] == ["1 note of the reader withheld"]
    shown = pipeline.audit(*halves, fakes, permutations=999, cache=cache, show_traces=True)
    assert "SECRET0" in shown.to_json()


def test_a_planted_leak_is_a_demonstration_that_fails_and_counts_for_nothing(
    people, fakes, cache, tmp_path
):
    from ecgeval import io
    from ecgeval.pipeline.config import load

    io.write_store(people, tmp_path / "real")
    io.write_store(fakes, tmp_path / "synth")
    config = make(
        real=str(tmp_path / "real"),
        synth=str(tmp_path / "synth"),
        quick=True,
        audit={"holdout_share": 0.5, "permutations": 999, "planted": 8},
        report={"title": "T", "notice": "N"},
    )
    results, run = pipeline.run(config, cache=cache)
    assert results.section_verdict("planted") == Verdict.FAIL
    assert "planted" not in results.gates()
    assert (results.manifest["title"], results.manifest["notice"]) == ("T", "N")
    assert results.manifest["delineation"]["method"] == "ecgeval"
    (tmp_path / "run.toml").write_text(run.config.to_toml())
    again, _ = pipeline.run(load(tmp_path / "run.toml"), cache=cache)
    assert again.to_json() == results.to_json()


def test_what_a_real_set_lacks_is_said_before_anything_is_generated(people, tmp_path, monkeypatch):
    from ecgeval import io

    io.write_store(replace(people, records=people.records.assign(patient_id=None)), tmp_path / "r")
    monkeypatch.setattr("ecgeval.sets._generate", lambda *a: pytest.fail("generated for nothing"))
    with pytest.raises(UsageError, match="no patient id"):
        pipeline.run(make(real=str(tmp_path / "r"), synth="pulse2pulse:5"))


def test_train_and_holdout_share_no_patient_after_a_split(people):
    from ecgeval.privacy import split_patients

    twice = replace(
        people, records=people.records.assign(patient_id=[f"p{i // 2}" for i in range(40)])
    )
    train, holdout = split_patients(twice, 0.5, np.random.default_rng(0))
    assert not set(train.patients()) & set(holdout.patients())
    assert len(train) + len(holdout) == 40


def test_timings_and_memory_go_beside_the_results(people, fakes, cache):
    run = Run(RunConfig(quick=True), cache=cache)
    run.compare(people, fakes)
    environment = run.environment()
    assert environment["seconds"]["compare fidelity"] > 0
    assert environment["peak_memory_mb"] > 10


@pytest.mark.parametrize("share", [None, 0.5])
def test_nothing_to_evaluate_is_refused(share):
    with pytest.raises(UsageError):
        pipeline.run(RunConfig.model_validate({"audit": {"holdout_share": share}}))


def test_readable_records_alone_pass_nothing(people, fakes, cache):
    run = Run(make(quick=True, compare={"parts": ["manifold"]}), cache=cache)
    results = run.compare(people, fakes)
    assert results.gates() == {}
    assert (results.verdict, results.exit_code) == (Verdict.NOT_ASSESSABLE, 3)


def test_a_label_to_go_by_must_be_there(people, fakes, cache):
    run = Run(make(quick=True, compare={"by": ["nothere"]}), cache=cache)
    with pytest.raises(UsageError, match="the real set has no label 'nothere' to go by"):
        run.compare(people, fakes)


def test_records_there_twice_decide_whatever_else_agrees(people, fakes, cache):
    """Half copies with 1 µV of noise: equal in no digit, and far from a classifier's reach."""
    rng = np.random.default_rng(0)
    half = people.signals[:20] + rng.normal(0, 1e-3, people.signals[:20].shape)
    mixed = np.concatenate([half, fakes.signals[:20]]).astype(np.float32)
    synth = replace(fakes, signals=mixed)
    run = Run(make(quick=True, compare={"parts": ["classifier"]}), cache=cache)
    results = run.compare(people, synth)
    assert results.gates() == {"classifier": Verdict.FAIL}
    assert "20 of 40 synthetic records are real records over again" in results.headline()
