"""Whether train and holdout are drawn alike: size, power, the patient as the unit."""

import numpy as np
import pytest

from ecgeval.ecgset import EcgSet
from ecgeval.privacy import audit_sets, evidence, split_patients
from ecgeval.privacy.comparable import P_ALIKE, drawn_alike, record_features
from ecgeval.results import Verdict


def groups(rng, shift=0.0, patients=40, each=2):
    person = np.repeat(np.arange(2 * patients), each)
    own = rng.normal(size=(2 * patients, 6))
    x = own[person] + 0.2 * rng.normal(size=(len(person), 6))
    in_train = person < patients
    x[in_train] += shift
    return x, person, in_train


def test_size_is_the_level_with_repeated_patients():
    p = [
        drawn_alike(*groups(np.random.default_rng(i)), np.random.default_rng(i), 199)[1]
        for i in range(200)
    ]
    rejected = np.mean(np.array(p) <= 0.05)
    assert abs(rejected - 0.05) <= 3 * np.sqrt(0.05 * 0.95 / 200)


def test_records_in_place_of_patients_would_not_hold_the_size():
    p = []
    for i in range(60):
        x, person, in_train = groups(np.random.default_rng(i), each=8)
        del person
        p.append(drawn_alike(x, np.arange(len(x)), in_train, np.random.default_rng(i), 199)[1])
    assert np.mean(np.array(p) <= 0.05) > 0.3


def test_two_populations_are_told_apart():
    rng = np.random.default_rng(0)
    apart = drawn_alike(*groups(rng, shift=1.0), rng, 1999)
    assert apart.p == pytest.approx(1 / 2000)
    assert apart.energy > apart.floor[1]
    alike = drawn_alike(*groups(rng), rng, 1999)
    assert alike.floor[0] <= alike.energy <= alike.floor[1]
    assert alike.floor[0] < alike.expected < alike.floor[1]


def test_the_energy_distance_by_hand():
    x = np.array([0.0, 1.0, 4.0, 5.0])[:, None]
    found = drawn_alike(x, np.arange(4), np.arange(4) < 2, np.random.default_rng(0), 999)
    spread = 2.0  # median of 2.5, 1.5, 1.5, 2.5
    between, within = (4 + 5 + 3 + 4) / 4 / spread, (0 + 1 + 1 + 0) / 4 / spread
    assert found.energy == pytest.approx(2 * between - 2 * within)
    assert found.p == pytest.approx(1 / 3, abs=3 * np.sqrt(2 / 9 / 999))  # 2 of 6 arrangements


def test_features_are_log_band_powers():
    t = np.arange(1000) / 100
    x = np.stack([np.sin(2 * np.pi * f * t) for f in (5, 20)])[None]
    power = record_features(x, 100).reshape(2, 4)
    assert power[0].argmax() == 0
    assert power[1].argmax() == 2


def test_a_holdout_from_another_source_gives_no_verdict_on_memory(real_data):
    from ecgeval.generators import generate
    from ecgeval.io import read

    real_data("ptbxl"), real_data("ludb")
    audit = audit_sets(read("ptbxl:1-100"), read("ludb"), generate("pulse2pulse", 20))
    exchange = next(f for f in audit.findings if f.code == "PRIV-EXCHANGE")
    assert exchange.verdict == Verdict.NOT_ASSESSABLE
    assert "not drawn like the training set" in exchange.title


def copies_and_exchange(audit):
    return tuple(
        next(f for f in audit.findings if f.code == code)
        for code in ("PRIV-COPIES", "PRIV-EXCHANGE")
    )


def test_a_noisier_holdout_gives_no_verdict_on_memory(sim, monkeypatch):
    train, other, synth = (sim(n, seed=n, seconds=5) for n in (30, 31, 60))
    noisy = other.signals + np.random.default_rng(0).normal(0, 0.5, other.signals.shape)
    holdout = EcgSet(noisy.astype(np.float32), other.fs, other.leads, other.records)
    audit = audit_sets(train, holdout, synth, permutations=999)
    copies, exchange = copies_and_exchange(audit)
    assert exchange.verdict == Verdict.NOT_ASSESSABLE
    assert "by patient" in exchange.explanation
    assert copies.title.endswith("(lower grade: unlike holdout)")
    energy = audit.estimate("privacy.comparable.energy")
    assert energy.p < P_ALIKE
    assert energy.value > energy.floor[1] > energy.null
    assert not [e for e in audit.estimates if ".exchange." in e.id or e.id.endswith("control")]
    alike = audit_sets(train, other, synth, permutations=999)
    assert copies_and_exchange(alike)[1].verdict == Verdict.INCONCLUSIVE
    # Mutation: without the test of the real sets the noise is taken for memory.
    monkeypatch.setattr(evidence, "P_ALIKE", 0.0)
    audit = audit_sets(train, holdout, synth, permutations=999)
    assert copies_and_exchange(audit)[1].verdict == Verdict.FAIL


def test_beats_tell_sets_apart_and_an_unlike_holdout_names_no_copies(sim, monkeypatch):
    # Training and synthetic people have one beat with small differences, the holdout another.
    sets = [sim(n, seed=n, seconds=5) for n in (30, 31, 60)]
    rng = np.random.default_rng(0)
    family, stranger = rng.normal(size=(2, 8, 275)).cumsum(axis=2) / 10

    def beats(base, n):
        return base + 0.15 * rng.normal(size=(n, 8, 275)).cumsum(axis=2) / 10

    given = {"train": beats(family, 30), "holdout": beats(stranger, 31), "synth": beats(family, 60)}
    audit = audit_sets(*sets, beats=given, beats_fs=250, permutations=999)
    copies, exchange = copies_and_exchange(audit)
    assert exchange.verdict == Verdict.NOT_ASSESSABLE
    assert "representative beat" in audit.estimate("privacy.comparable.energy").method
    assert audit.estimate("privacy.copies.count").value == 0
    assert "other training patients stood in" in copies.explanation
    # Band power alone sees no difference, and every honest beat is far nearer to the training set.
    assert audit_sets(*sets, permutations=99).estimate("privacy.comparable.energy").p > P_ALIKE
    monkeypatch.setattr(evidence, "P_ALIKE", 0.0)
    audit = audit_sets(*sets, beats=given, beats_fs=250, permutations=999)
    assert copies_and_exchange(audit)[0].verdict == Verdict.FAIL


def test_halves_of_one_source_stay_assessable(real_data):
    from ecgeval.io import read

    real_data("ptbxl")
    real = read("ptbxl-norm:1-200")
    train, holdout = split_patients(real, 0.5, np.random.default_rng(1))
    audit = audit_sets(train, holdout, real.select(slice(0, 10)), permutations=999)
    exchange = next(f for f in audit.findings if f.code == "PRIV-EXCHANGE")
    assert exchange.verdict != Verdict.NOT_ASSESSABLE


def test_few_synthetic_records_do_not_pass(sim):
    sets = [sim(n, seed=n, seconds=5) for n in (40, 41, 5)]
    audit = audit_sets(*sets, permutations=999)
    copies = next(f for f in audit.findings if f.code == "PRIV-COPIES")
    assert copies.verdict == Verdict.INCONCLUSIVE
    assert "too few records" in copies.title
    bound = audit.estimate("privacy.copies.upper").value
    assert bound > 0.05
    assert f"{bound:.1%}" in copies.title
    assert "5%" in copies.rule
