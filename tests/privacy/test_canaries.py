"""Canaries: closed forms of the bounds, validity without leakage, power with it, and the file."""

import json

import numpy as np
import pytest
from scipy.stats import binom

from ecgeval.errors import DataError, UsageError
from ecgeval.privacy.canaries import (
    Canaries,
    audit_canaries,
    canary_results,
    choose_canaries,
    epsilon_from_rates,
    epsilon_lower_bound,
)
from ecgeval.results import Verdict


def test_known_answer_of_rates_at_a_threshold() -> None:
    # methods: 72 of 723 members, no false positive among 723: epsilon >= 2.98.
    assert epsilon_from_rates(72, 723, 0, 723) == pytest.approx(2.98, abs=0.005)
    assert epsilon_from_rates(0, 723, 0, 723) == 0
    assert epsilon_from_rates(36, 723, 72, 723) == 0


@pytest.mark.parametrize("guesses", [20, 100, 500])
def test_all_guesses_right_has_its_closed_form(guesses: int) -> None:
    # P[B >= r] = q^r = .05, q = 1 / (1 + e^-eps).
    q = 0.05 ** (1 / guesses)
    expected = np.log(q / (1 - q))
    assert epsilon_lower_bound(guesses, guesses, 500) == pytest.approx(expected, rel=1e-9)


def test_the_bound_is_where_the_binomial_tail_is_five_per_cent() -> None:
    epsilon = epsilon_lower_bound(80, 100, 200)
    assert binom.sf(79, 100, 1 / (1 + np.exp(-epsilon))) == pytest.approx(0.05)
    assert epsilon_lower_bound(58, 100, 200) == 0  # P[B >= 58 | 1/2] = .067


def test_delta_weakens_the_bound_as_by_brute_force() -> None:
    r, v, m, delta = 40, 34, 200, 1e-4
    epsilon = epsilon_lower_bound(v, r, m, delta=delta)
    q = 1 / (1 + np.exp(-epsilon))
    tail = sum(binom.pmf(k, r, q) for k in range(v, r + 1))
    worst = max(sum(binom.pmf(k, r, q) for k in range(v - i, v)) / i for i in range(1, v + 1))
    assert tail + 2 * m * delta * worst == pytest.approx(0.05)
    assert 0 < epsilon < epsilon_lower_bound(v, r, m)


def test_without_leakage_the_bound_is_zero_in_at_least_95_of_100_runs() -> None:
    rng = np.random.default_rng(0)
    runs = 400
    above = sum(
        audit_canaries(rng.normal(size=200), rng.random(200) < 0.5).epsilon > 0 for _ in range(runs)
    )
    assert above / runs <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)


@pytest.mark.parametrize("epsilon", [0.5, 2.0])
def test_randomised_response_is_bounded_by_its_own_epsilon(epsilon: float) -> None:
    # Each canary answers truly with probability e^eps / (1 + e^eps): exactly eps-private.
    rng = np.random.default_rng(1)
    truth = 1 / (1 + np.exp(-epsilon))
    bounds = []
    for _ in range(200):
        included = rng.random(300) < 0.5
        answer = np.where(rng.random(300) < truth, included, ~included)
        bounds.append(audit_canaries(answer + 0.1 * rng.random(300), included).epsilon)
    assert np.mean(np.array(bounds) > epsilon) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)
    assert np.median(bounds) > epsilon / 2 - 0.15


def test_looking_at_shares_without_paying_for_it_breaks_the_validity() -> None:
    # Mutation: the best of three shares, each at the full error, exceeds it.
    rng = np.random.default_rng(2)
    above = 0
    for _ in range(300):
        score, included = rng.normal(size=200), rng.random(200) < 0.5
        order = np.argsort(-score)
        above += any(
            epsilon_lower_bound(
                int(included[order[:h]].sum() + (~included[order[200 - h :]]).sum()), 2 * h, 200
            )
            > 0
            for h in (100, 50, 10)
        )
    assert above / 300 > 0.06


def test_leakage_of_a_tenth_is_found_by_abstaining() -> None:
    rng = np.random.default_rng(3)
    included = rng.random(400) < 0.5
    score = rng.normal(size=400)
    known = rng.permutation(400)[:80]
    score[known] = np.where(included[known], 9, -9) + rng.normal(size=80)
    found = audit_canaries(score, included)
    assert found.guesses == 40
    assert found.epsilon > 1.5
    results = canary_results(score, included)
    assert results.findings[0].verdict == Verdict.FAIL
    assert results.estimate("privacy.canary.epsilon").value == found.epsilon


def test_no_leakage_is_no_pass() -> None:
    rng = np.random.default_rng(4)
    finding = canary_results(rng.normal(size=50), rng.random(50) < 0.5).findings[0]
    assert finding.verdict == Verdict.INCONCLUSIVE
    assert "50 canaries" in finding.title
    assert "200 or more" in finding.explanation


def test_canaries_are_seeded_fair_and_survive_the_file(tmp_path) -> None:
    people = [f"p{i}" for i in range(1000)]
    chosen = choose_canaries([*people, *people], n=400, seed=3)
    assert chosen == choose_canaries(reversed(people), n=400, seed=3)
    assert len(set(chosen.patients)) == 400
    assert abs(np.mean(chosen.included) - 0.5) < 3 * 0.5 / 20
    assert chosen != choose_canaries(people, n=400, seed=4)
    assert Canaries.load(chosen.save(tmp_path / "canaries.json")) == chosen


def test_errors_say_what_to_do(tmp_path) -> None:
    with pytest.raises(UsageError, match="choose 1 to 2"):
        choose_canaries(["a", "b"], n=3)
    with pytest.raises(UsageError, match="one finite score"):
        audit_canaries(np.array([1.0, np.nan]), np.array([True, False]))
    with pytest.raises(UsageError, match="right"):
        epsilon_lower_bound(5, 4, 10)
    with pytest.raises(DataError, match="chosen before training"):
        Canaries.load(tmp_path / "none.json")
    for body in ("[]", '{"schema": "x", "canaries": {}, "seed": 0}', "{"):
        (tmp_path / "bad.json").write_text(body)
        with pytest.raises(DataError, match="no list of canaries"):
            Canaries.load(tmp_path / "bad.json")
    good = {"schema": "ecgeval.canaries/1", "seed": 0, "canaries": {"a": 1}}
    (tmp_path / "bad.json").write_text(json.dumps(good))
    with pytest.raises(DataError, match="no list of canaries"):
        Canaries.load(tmp_path / "bad.json")
