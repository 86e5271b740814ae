"""Identity: the matcher, known answers, directions, and the size of the tests."""

import numpy as np
import pytest

from ecgeval.catalogue import CATALOGUE
from ecgeval.privacy.attacks.identity import (
    Probes,
    _folds,
    _similarities,
    fit_matcher,
    identity,
    share_test,
)
from ecgeval.privacy.attacks.sets import AttackedSets
from ecgeval.privacy.exchangeability import exchange_test, patient_scores
from ecgeval.report.explain import statistic
from ecgeval.results import Results, Verdict


def verdict(results: Results) -> str:
    return str(results.findings[0].verdict)


def test_the_matcher_whitens_what_varies_within_people(study) -> None:
    rng = np.random.default_rng(2)
    people = study.hearts(400, rng)
    x = np.concatenate([study.recorded(people, rng), study.recorded(people, rng)])
    person = np.tile(np.arange(400), 2)
    matcher = fit_matcher(x, person)
    z = (x.reshape(800, -1) - matcher.mean) @ matcher.axes
    within = (z[:400] - z[400:]) / np.sqrt(2)
    covariance = within.T @ within / 400
    # Unit covariance but for the shrinkage, which only makes small directions smaller.
    assert np.linalg.eigvalsh(covariance)[-1] == pytest.approx(1.1, abs=0.15)
    assert np.linalg.norm(matcher(x), axis=1) == pytest.approx(1)
    new = study.hearts(100, rng)
    a, b = study.recorded(new, rng), study.recorded(new, rng)
    right = ((matcher(a) @ matcher(b).T).argmax(axis=1) == np.arange(100)).mean()
    flat = [
        x.reshape(100, -1) / np.linalg.norm(x.reshape(100, -1), axis=1)[:, None] for x in (a, b)
    ]
    plain = ((flat[0] @ flat[1].T).argmax(axis=1) == np.arange(100)).mean()
    assert right > 0.9 > plain


def test_an_honest_set_links_nobody(study) -> None:
    results = study.identity(study.honest)
    assert verdict(results) == "INCONCLUSIVE"
    assert results.estimate("privacy.link.half.rank1").value > 0.95
    assert "Positive control" in results.findings[0].explanation
    assert "upper limit" in results.findings[0].explanation


def test_copies_of_the_training_set_are_linked(study) -> None:
    results = study.identity(np.concatenate([study.copies(), study.honest[:60]]))
    assert verdict(results) == "FAIL"
    assert results.estimate("privacy.link.half.auc").value > 0.9
    assert results.estimate("privacy.link.identity_share").p < 0.005


def test_copies_of_the_holdout_raise_no_alarm_for_the_training_set(study) -> None:
    results = study.identity(study.copies_of_holdout())
    assert verdict(results) != "FAIL"
    assert results.estimate("privacy.link.half.auc").value < 0.1


def test_bad_sets_link_nobody(study) -> None:
    for synth in (2 * study.honest, 0.05 * study.honest, np.ones_like(study.honest)):
        assert verdict(study.identity(synth)) != "FAIL"


def test_other_records_are_looked_for_among_everybody(study) -> None:
    n = 24  # twelve patients a side have another record; 120 have halves
    rows = np.r_[:12, 60:72]
    second = study.recorded(study.first[rows], study.rng)
    record = Probes(study.first[rows], second, rows, "record")
    half = Probes(study.first, study.second, study.code)
    sets = study.sets(study.honest)
    results = identity(sets, [half, record], rng=sets.rng("link"), permutations=99)
    assert results.estimate("privacy.link.record.rank1").patients_real == n
    assert results.estimate("privacy.link.record.rank1").value > 0.8
    assert "smallest of 3, limit 0.0033" in results.findings[0].title


def test_a_weak_matcher_says_so(study_of) -> None:
    weak = study_of(4)
    weak.second = weak.rng.normal(size=weak.second.shape)
    finding = weak.identity(weak.honest).findings[0]
    assert finding.verdict == Verdict.INCONCLUSIVE
    assert "too weak" in finding.explanation


def test_without_probes_or_holdout_nothing_is_assessed(study) -> None:
    sets = study.sets(study.honest)
    alone = AttackedSets(sets.train, None, sets.synth, sets.person_train)
    few = Probes(study.first[:9], study.second[:9], study.code[:9])
    for given, probes in ((alone, ()), (sets, ()), (sets, [few])):
        results = identity(given, probes, rng=given.rng("link"), permutations=99)
        assert verdict(results) == "NOT_ASSESSABLE"
        assert not results.tables
        assert len(results.estimates) == len(probes)  # the share of nearest identities


@pytest.mark.parametrize(("n", "runs"), [(50, 60), (200, 12)])
def test_size_of_the_identity_test_with_several_probes_a_patient(n: int, runs: int) -> None:
    p, broken = [], []
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        scores = np.repeat(rng.normal(size=2 * n), 5) + 0.1 * rng.normal(size=10 * n)
        code = np.arange(10 * n) // 5
        best, counts = patient_scores(scores[:, None], code)
        for x, train, strata, out in (
            (best, np.arange(2 * n) < n, counts, p),
            (scores[:, None], code < n, None, broken),  # mutation: records, not patients
        ):
            out.append(exchange_test(x, train, rng=rng, strata=strata, permutations=99).p)
    assert (np.array(p) <= 0.1).mean() <= 0.1 + 3 * np.sqrt(0.09 / runs)
    assert (np.array(broken) <= 0.1).mean() > 0.3


def test_size_of_the_finding_over_whole_studies(study_of) -> None:
    studies = (study_of(100 + seed, n=40) for seed in range(30))
    found = [verdict(study.identity(study.honest, permutations=299)) for study in studies]
    assert found.count("FAIL") <= 3  # one in a hundred


def test_size_of_the_identity_test_where_patients_are_dealt_anew(study) -> None:
    """Three probes a patient; the matcher and the scores stay, for they know of no side."""
    rng = np.random.default_rng(7)
    people = np.repeat(study.hearts(40, rng), 3, axis=0)
    q = Probes(
        study.recorded(people, rng), study.recorded(people, rng), np.repeat(np.arange(40), 3)
    )
    found = _similarities([q], _folds([q], rng), study.recorded(study.hearts(60, rng), rng))[0]
    scores, counts = patient_scores(found["synth"][:, None], q.person)
    p = [
        exchange_test(scores, rng.permutation(40) < 20, rng=rng, strata=counts, permutations=99).p
        for _ in range(500)
    ]
    for level in (0.01, 0.05, 0.2):
        assert np.mean(np.array(p) <= level) <= level + 3 * np.sqrt(level * (1 - level) / 500)
    assert np.mean(np.array(p) <= 0.5) > 0.35  # and it is not asleep


def test_names_of_patients_do_not_matter_and_the_seed_decides(study, study_of) -> None:
    synth = study.honest
    assert study.identity(synth).to_json() == study.identity(synth).to_json()
    other = study_of(0)
    other.code = other.code + 1000
    assert other.identity(synth).to_json() == study.identity(synth).to_json()


def test_every_estimate_and_finding_is_explained(study) -> None:
    results = study.identity(study.honest)
    for e in results.estimates:
        assert statistic(e.id) is not None, e.id
    assert results.findings[0].code == "PRIV-LINK"
    assert "PRIV-LINK" in CATALOGUE
    assert results.findings[0].rule


def test_share_has_the_right_variance_and_a_binomial_one_has_not() -> None:
    # PROOF: n_T = n_H = 300, S large: the SD is about twice the binomial one.
    rng = np.random.default_rng(6)
    runs, n_synth, found = 60, 4000, []
    for _ in range(runs):
        real, s = rng.normal(size=(200, 2)), rng.normal(size=(n_synth, 2))
        nearest = ((s**2).sum(1)[:, None] + (real**2).sum(1) - 2 * s @ real.T).argmin(1)
        found.append(share_test(nearest, np.arange(200) < 100, rng, 99))
    value, sd, p = (np.array([getattr(f, k) for f in found]) for k in ("value", "sd", "p"))
    assert np.std(value) == pytest.approx(sd.mean(), rel=0.3)
    assert (p <= 0.05).mean() <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)
    binomial = np.abs(value - 0.5) / np.sqrt(0.25 / n_synth) > 1.96
    assert binomial.mean() > 0.3  # mutation: the usual test fires far too often


def test_share_with_unequal_sides_expects_their_proportion() -> None:
    rng = np.random.default_rng(7)
    nearest = rng.integers(0, 400, 2000)
    found = share_test(nearest, np.arange(400) < 300, rng, 99)
    assert found.expected == 0.75
    weight = np.bincount(nearest, minlength=400) / 2000
    null = [weight[rng.permutation(400)[:300]].sum() for _ in range(2000)]
    assert found.sd == pytest.approx(np.std(null), rel=0.1)
