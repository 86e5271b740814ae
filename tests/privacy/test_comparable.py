"""Whether train and holdout are drawn alike: size, power, the patient as the unit."""

import numpy as np
import pytest

from ecgeval.ecgset import EcgSet
from ecgeval.privacy import audit_sets, split_patients
from ecgeval.privacy.comparable import drawn_alike, record_features
from ecgeval.results import Verdict


def groups(rng, shift=0.0, patients=40, each=2):
    person = np.repeat(np.arange(2 * patients), each)
    own = rng.normal(size=(2 * patients, 6))
    x = own[person] + 0.2 * rng.normal(size=(len(person), 6))
    in_train = person < patients
    x[in_train] += shift
    return x, person, in_train


def test_size_is_the_level_with_repeated_patients():
    p = [drawn_alike(*groups(np.random.default_rng(i)), np.random.default_rng(i), 199)[1]
         for i in range(200)]  # fmt: skip
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
    energy, p = drawn_alike(*groups(rng, shift=1.0), rng, 1999)
    assert p == pytest.approx(1 / 2000)
    assert energy > drawn_alike(*groups(rng), rng, 19)[0]


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
    audit = audit_sets(read("ptbxl:1-100"), read("ludb"), generate("pulse2pulse", 60))
    exchange = next(f for f in audit.findings if f.code == "PRIV-EXCHANGE")
    assert exchange.verdict == Verdict.NOT_ASSESSABLE
    assert "not drawn like the training set" in exchange.title


def test_a_noisier_holdout_gives_no_verdict_on_memory(sim):
    train, other, synth = sim(60, seed=1), sim(60, seed=2), sim(120, seed=3)
    noisy = other.signals + np.random.default_rng(0).normal(0, 0.5, other.signals.shape)
    holdout = EcgSet(noisy.astype(np.float32), other.fs, other.leads, other.records)
    audit = audit_sets(train, holdout, synth, permutations=999)
    exchange = next(f for f in audit.findings if f.code == "PRIV-EXCHANGE")
    assert audit.estimate("privacy.exchange.auc").p < 0.01  # would be a verdict of memorisation
    assert exchange.verdict == Verdict.NOT_ASSESSABLE
    assert audit.estimate("privacy.comparable.energy").p < 0.001
    alike = audit_sets(train, other, synth, permutations=999)
    assert next(f for f in alike.findings if f.code == "PRIV-EXCHANGE").verdict == (
        Verdict.INCONCLUSIVE
    )


def test_halves_of_one_source_stay_assessable(real_data):
    from ecgeval.io import read

    real_data("ptbxl")
    real = read("ptbxl-norm:1-200")
    train, holdout = split_patients(real, 0.5, np.random.default_rng(1))
    audit = audit_sets(train, holdout, real.select(slice(0, 10)), permutations=999)
    exchange = next(f for f in audit.findings if f.code == "PRIV-EXCHANGE")
    assert exchange.verdict != Verdict.NOT_ASSESSABLE


def test_few_synthetic_records_do_not_pass(sim):
    sets = sim(40, seed=1), sim(40, seed=2), sim(5, seed=3)
    audit = audit_sets(*sets, permutations=999)
    copies = next(f for f in audit.findings if f.code == "PRIV-COPIES")
    assert copies.verdict == Verdict.INCONCLUSIVE
    assert "too few records" in copies.title
    bound = audit.estimate("privacy.copies.upper").value
    assert bound > 0.05
    assert f"{bound:.1%}" in copies.title
    assert "5%" in copies.rule
