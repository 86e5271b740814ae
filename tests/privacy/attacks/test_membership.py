"""Membership inference: the PROOF cases, size, and what the results say."""

from itertools import pairwise

import numpy as np
import pytest

from ecgeval.privacy.attacks.membership import membership
from ecgeval.privacy.attacks.sets import AttackedSets
from ecgeval.report.explain import statistic
from ecgeval.report.figures import draw
from ecgeval.results import Verdict
from ecgeval.stats.distances import squared_distances


def run(train, holdout, synth, per: int = 1, seed: int = 0, **options):
    t, h = np.arange(len(train)) // per, len(train) + np.arange(len(holdout)) // per
    sets = AttackedSets(train, holdout, synth, t, h, seed)
    return membership(sets, **({"permutations": 999} | options))


@pytest.fixture(scope="module")
def people() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """120 training and 120 holdout patients, and records of others, in 12 dimensions."""
    rng = np.random.default_rng(6)
    return tuple(rng.normal(size=(n, 12)) for n in (120, 120, 600))


def test_a_narrow_kernel_estimate_of_the_training_set_is_found(people) -> None:
    # PROOF (a): KDE with sigma -> 0 on T: TPR -> 1 at the lowest rate that can be given.
    train, holdout, _ = people
    rng = np.random.default_rng(7)
    synth = train[rng.integers(0, 120, 600)] + 1e-3 * rng.normal(size=(600, 12))
    results = run(train, holdout, synth)
    assert results.findings[0].verdict == Verdict.FAIL
    for name in ("ganleaks", "calibrated", "domias"):
        assert results.estimate(f"privacy.mia.{name}.tpr_at_10pct").value > 0.97
        assert results.estimate(f"privacy.mia.{name}.auc").value > 0.97
    assert results.estimate("privacy.mia.largest").p == pytest.approx(0.001)


def test_more_copies_are_never_found_less(people) -> None:
    # PROOF (c): the share of noisy training copies in S rises.
    train, holdout, other = people
    rng = np.random.default_rng(9)
    noisy = train[rng.integers(0, 120, 600)] + 0.05 * rng.normal(size=(600, 12))
    rates = {"ganleaks": [], "calibrated": [], "domias": []}
    for copies in (0, 6, 60, 300):
        results = run(train, holdout, np.concatenate([noisy[:copies], other[copies:]]))
        for name, rate in rates.items():
            rate.append(results.estimate(f"privacy.mia.{name}.tpr_at_10pct").value)
    for name, rate in rates.items():
        assert all(b >= a - 0.035 for a, b in pairwise(rate)), (name, rate)
        assert rate[-1] > 0.8 > 0.3 > rate[0]


def test_an_honest_set_is_not_failed_and_not_passed(people) -> None:
    results = run(*people)
    finding = results.findings[0]
    assert finding.verdict == Verdict.INCONCLUSIVE
    assert "planted" in finding.explanation
    assert results.estimate("privacy.mia.recall.calibrated_at_10pct.copy99").value > 0.9
    # Bad is not leaky: twice the spread, a collapse, a constant.
    train, holdout, other = people
    for synth in (2 * other, 0.1 * other, np.zeros_like(other)):
        assert run(train, holdout, synth).findings[0].verdict == Verdict.INCONCLUSIVE


def test_local_averages_are_found_and_better_with_calibration(people) -> None:
    train, holdout, _ = people
    rng = np.random.default_rng(10)
    near = np.argsort(squared_distances(train, train), axis=1)[:, :4]
    at = rng.integers(0, 120, 400)
    weight = rng.dirichlet(np.ones(4), 400)
    synth = np.einsum("nk,nkd->nd", weight, train[near[at]])
    results = run(train, holdout, synth)
    assert results.findings[0].verdict == Verdict.FAIL
    auc = {n: results.estimate(f"privacy.mia.{n}.auc").value for n in ("ganleaks", "calibrated")}
    assert auc["calibrated"] > auc["ganleaks"] + 0.01


@pytest.mark.parametrize(("patients", "runs"), [(50, 60), (200, 15)])
def test_size_with_several_records_a_patient(patients: int, runs: int, monkeypatch) -> None:
    monkeypatch.setattr("ecgeval.privacy.attacks.membership.RHO", (0.99,))
    p, failed = [], 0
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        x = np.repeat(rng.normal(size=(2 * patients, 4)), 2, axis=0)
        x += 0.1 * rng.normal(size=x.shape)
        half = len(x) // 2
        results = run(x[:half], x[half:], rng.normal(size=(80, 4)), 2, seed=seed, permutations=99)
        p.append(results.estimate("privacy.mia.largest").p)
        failed += results.findings[0].verdict == Verdict.FAIL
    assert (np.array(p) <= 0.2).mean() <= 0.2 + 3 * np.sqrt(0.16 / runs)
    assert failed / runs <= 0.01 + 3 * np.sqrt(0.01 / runs)


def test_without_grouping_by_patient_honest_sets_fail(monkeypatch) -> None:
    # Mutation: records of one patient are each other's reference in another round.
    monkeypatch.setattr("ecgeval.privacy.attacks.membership.RHO", (0.99,))
    p = []
    for seed in range(25):
        rng = np.random.default_rng(seed)
        x = np.repeat(rng.normal(size=(60, 4)), 8, axis=0) + 0.01 * rng.normal(size=(480, 4))
        s = rng.normal(size=(80, 4))
        p.append(
            run(x[:240], x[240:], s, permutations=99, seed=seed).estimate("privacy.mia.largest").p
        )
    assert (np.array(p) <= 0.05).mean() > 0.4


def test_a_critic_that_remembers_is_an_attack(people) -> None:
    rng = np.random.default_rng(11)
    critic = rng.normal(size=240) + 2.0 * (np.arange(240) < 120)
    results = run(*people, critic=critic)
    assert results.findings[0].verdict == Verdict.FAIL
    assert "critic" in results.findings[0].title
    assert results.estimate("privacy.mia.critic.auc").value > 0.85


def test_similarities_of_detectors_are_attacks_of_their_own(people) -> None:
    rng = np.random.default_rng(12)
    near = rng.uniform(0.2, 0.6, 240) + 0.4 * (np.arange(240) < 30)
    near[100] = np.nan
    results = run(*people, similarity={"D2": near})
    assert results.findings[0].verdict == Verdict.FAIL
    assert results.estimate("privacy.mia.ganleaks_d2.tpr_at_10pct").value >= 0.25


def test_a_reference_generator_takes_the_place_of_holdout_records(people) -> None:
    train, holdout, other = people
    rng = np.random.default_rng(13)
    with_reference = run(train, holdout, other, reference=rng.normal(size=(300, 12)))
    without = run(train, holdout, other)
    at = "privacy.mia.{}.auc".format
    assert with_reference.estimate(at("calibrated")) != without.estimate(at("calibrated"))
    assert with_reference.estimate(at("ganleaks")).value == without.estimate(at("ganleaks")).value


def test_without_enough_holdout_nothing_is_assessed(people) -> None:
    train, holdout, other = people
    none = membership(AttackedSets(train, None, other, np.arange(120)))
    for results in (none, run(train, holdout[:20], other)):
        assert results.findings[0].verdict == Verdict.NOT_ASSESSABLE
        assert not results.estimates
    few = run(train, holdout[:60], other)
    assert not [e for e in few.estimates if "tpr" in e.id]
    assert "fewer than the 100" in few.findings[0].explanation


def test_results_are_explained_drawn_and_the_same_again(people) -> None:
    results = run(*people)
    assert results.to_json() == run(*people).to_json()
    for e in results.estimates:
        assert statistic(e.id) is not None, e.id
    figure = results.figures[0]
    assert figure.kind == "roc"
    assert figure.data["log"]
    assert draw(figure) is not None
    strata = results.tables[1].frame()
    assert set(strata["patients"]) == {"rarest tenth", "others"}
    assert (strata.groupby("attack")["training"].sum() == 120).all()
