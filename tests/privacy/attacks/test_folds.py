"""Cross-fitting: who is attacked when, and false positive rates that are kept."""

import numpy as np
import pytest
from scipy.stats import norm

from ecgeval.privacy.attacks.folds import Rounds, cross_fit
from ecgeval.privacy.attacks.rates import hits_at
from ecgeval.privacy.attacks.scores import nearest_distance


def attack(score: np.ndarray, is_train: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return p-values of patients with one record each, whatever the reference."""
    rounds = Rounds.draw(is_train, np.random.default_rng(seed))
    return cross_fit(lambda rows, _: score[rows], rounds, np.arange(len(score)))


def test_every_patient_is_attacked_once_and_never_judges_itself() -> None:
    is_train = np.arange(83) < 40
    rounds = Rounds.draw(is_train, np.random.default_rng(0))
    assert sorted(np.concatenate(rounds.members)) == list(range(40))
    assert sorted(np.concatenate(rounds.others)) == list(range(40, 83))
    for members, others, calibration, reference in zip(*rounds, strict=True):
        parts = [set(members), set(others), set(calibration), set(reference)]
        assert sum(map(len, parts)) == len(set.union(*parts))
        assert not is_train[np.concatenate([calibration, reference])].any()


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


def test_one_per_mille_false_alarms_with_ten_thousand_holdout_patients() -> None:
    rng = np.random.default_rng(8)
    train, holdout = rng.normal(size=(60, 6)), rng.normal(size=(10_000, 6))
    s = train + 1e-4 * rng.normal(size=train.shape)
    is_train = np.arange(10_060) < 60
    p = attack(-nearest_distance(np.concatenate([train, holdout]), s), is_train)
    assert hits_at(0.001, p, is_train).hits == 60
