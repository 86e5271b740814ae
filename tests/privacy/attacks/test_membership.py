"""Membership inference: the PROOF cases, kernels against closed forms, folds, and real records."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import gaussian_kde, multivariate_normal, norm

from ecgeval.privacy.attacks.folds import Rounds, cross_fit
from ecgeval.privacy.attacks.membership import membership
from ecgeval.privacy.attacks.rates import TOLERATED, hits_at, levels
from ecgeval.privacy.attacks.scores import blend, counting, log_density, nearest_distance
from ecgeval.report.explain import statistic
from ecgeval.report.figures import draw
from ecgeval.results import Verdict
from ecgeval.stats.axes import principal_axes
from ecgeval.stats.distances import squares
from ecgeval.stats.intervals import clopper_pearson


def attack(score: np.ndarray, is_train: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return p-values of patients with one record each, whatever the reference."""
    rounds = Rounds.draw(is_train, np.random.default_rng(seed))
    return cross_fit(lambda rows, _: score[rows], rounds, np.arange(len(score)))


def run(train, holdout, synth, per: int = 1, **options):
    t, h = np.arange(len(train)) // per, len(train) + np.arange(len(holdout)) // per
    options = {"permutations": 999} | options
    return membership(train, holdout, synth, person_train=t, person_holdout=h, **options)


# ---- kernels -------------------------------------------------------------------------------


def test_kernels_by_hand() -> None:
    x, s = np.array([[0.0, 0.0], [3.0, 4.0]]), np.array([[0.0, 1.0], [3.0, 0.0], [0.0, 0.5]])
    assert squares(x, s).tolist() == [[1, 9, 0.25], [18, 16, 21.25]]
    assert nearest_distance(x, s).tolist() == [0.5, 4]
    assert counting(x, s, 1.0).tolist() == pytest.approx([2 / 3, 0])


def test_density_is_a_gaussian_kernel_estimate() -> None:
    rng = np.random.default_rng(0)
    data, x = rng.normal(size=(40, 3)), rng.normal(size=(7, 3))
    width = 40 ** (-1 / 7)
    by_hand = np.mean([multivariate_normal(d, width**2 * np.eye(3)).pdf(x) for d in data], axis=0)
    assert log_density(x, data) == pytest.approx(np.log(by_hand))
    line = rng.normal(size=200)
    line = (line - line.mean()) / line.std(ddof=1)
    kde = gaussian_kde(line)
    assert log_density(x[:, :1], line[:, None]) == pytest.approx(np.log(kde(x[:, 0])))


def test_principal_axes_whiten_and_leave_out_what_never_varies() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(500, 4)) * [5, 2, 1, 0] + 3
    z = principal_axes(x, 3)(x)
    assert np.cov(z.T) == pytest.approx(np.eye(3), abs=1e-8)
    assert principal_axes(x, 9)(x).shape == (500, 3)


def test_copies_correlate_as_told() -> None:
    rng = np.random.default_rng(2)
    x, s = rng.normal(size=(50, 8)), rng.normal(size=(90, 8))
    copies = blend(x, s, 0.9, rng)
    size = np.linalg.norm(x, axis=1)
    assert (x * copies).sum(axis=1) / size**2 == pytest.approx(0.9)
    assert np.linalg.norm(copies, axis=1) == pytest.approx(size)


# ---- thresholds ----------------------------------------------------------------------------


def test_every_patient_is_attacked_once_and_never_judges_itself() -> None:
    is_train = np.arange(83) < 40
    rounds = Rounds.draw(is_train, np.random.default_rng(0))
    assert sorted(np.concatenate(rounds.members)) == list(range(40))
    assert sorted(np.concatenate(rounds.others)) == list(range(40, 83))
    for members, others, calibration, reference in zip(*rounds, strict=True):
        parts = [set(members), set(others), set(calibration), set(reference)]
        assert sum(map(len, parts)) == len(set.union(*parts))
        assert not is_train[np.concatenate([calibration, reference])].any()


def test_a_false_positive_rate_is_given_only_with_ten_expected_false_alarms() -> None:
    assert levels(99) == []
    assert levels(100) == [0.1]
    assert levels(1000) == [0.1, 0.01]
    assert levels(10_000) == [0.1, 0.01, 0.001]


def test_gaussian_members_have_their_closed_form() -> None:
    # PROOF (d): N(mu, 1) against N(0, 1): TPR(f) = 1 - Phi(z_{1-f} - mu).
    rng = np.random.default_rng(3)
    is_train = np.arange(60_000) < 20_000
    p = attack(rng.normal(size=60_000) + is_train, is_train)
    assert norm.sf(norm.ppf(0.99) - 1) == pytest.approx(0.0924, abs=5e-5)
    for f in (0.1, 0.01, 0.001):
        c = hits_at(f, p, is_train)
        assert c.hits / c.members == pytest.approx(norm.sf(norm.ppf(1 - f) - 1), rel=0.15)
        assert c.false / c.others == pytest.approx(f, rel=0.25)


def test_a_generator_of_other_data_is_found_at_the_false_positive_rate() -> None:
    # PROOF (b): TPR = f; the interval covers it in at least 93 % of 500 runs. Thresholds vary with
    # the calibration patients, so there are many of them.
    rng = np.random.default_rng(4)
    is_train = np.arange(2100) < 100
    covered, rate = 0, []
    for seed in range(500):
        c = hits_at(0.1, attack(rng.normal(size=2100), is_train, seed), is_train)
        rate.append(c.hits / c.members)
        covered += c.interval[0] <= 0.1 <= c.interval[1]
    assert np.mean(rate) == pytest.approx(0.1, abs=0.005)
    assert covered / 500 >= 0.93


def test_thresholds_from_the_judged_patients_would_be_too_low() -> None:
    # Mutation: the best of many scores, chosen on the patients it is judged on.
    rng = np.random.default_rng(5)
    is_train = np.arange(250) < 125
    honest, chosen = [], []
    for seed in range(20):
        scores = rng.normal(size=(40, 250))
        best = max(scores, key=lambda s: (s[is_train] > np.quantile(s[~is_train], 0.9)).sum())
        chosen.append((best[is_train] > np.quantile(best[~is_train], 0.9)).mean())
        honest.append(hits_at(0.1, attack(scores[0], is_train, seed), is_train).hits / 125)
    assert np.mean(honest) == pytest.approx(0.1, abs=0.03)
    assert np.mean(chosen) > 0.16


# ---- the whole attack ----------------------------------------------------------------------


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


def test_one_per_mille_false_alarms_with_ten_thousand_holdout_patients() -> None:
    rng = np.random.default_rng(8)
    train, holdout = rng.normal(size=(60, 6)), rng.normal(size=(10_000, 6))
    s = train + 1e-4 * rng.normal(size=train.shape)
    is_train = np.arange(10_060) < 60
    p = attack(-nearest_distance(np.concatenate([train, holdout]), s), is_train)
    assert hits_at(0.001, p, is_train).hits == 60


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
    near = np.argsort(squares(train, train), axis=1)[:, :4]
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
    none = membership(train, None, other, person_train=np.arange(120), person_holdout=None)
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


def test_tolerance_is_that_of_the_rule() -> None:
    assert TOLERATED == {0.1: 0.15, 0.01: 0.02, 0.001: 0.01}
    # 24 of 100 at 10 % is above, 23 is not.
    assert clopper_pearson(24, 100)[0] > 0.15 > clopper_pearson(22, 100)[0]
