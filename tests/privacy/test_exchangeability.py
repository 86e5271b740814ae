"""The permutation test: closed forms, size, power, and what breaks it."""

import numpy as np
import pytest
from scipy.stats import hypergeom, mannwhitneyu

from ecgeval.privacy.exchangeability import exchange_test, patient_scores
from ecgeval.stats.intervals import auc_interval


def p_values(draw, runs: int, *, permutations: int = 199, **options) -> np.ndarray:
    """Return the p of `runs` simulated studies; `draw` gives (scores, is_train[, strata])."""
    rng = np.random.default_rng(0)
    out = []
    for _ in range(runs):
        scores, is_train, *strata = draw(rng)
        test = exchange_test(
            scores,
            is_train,
            rng=rng,
            permutations=permutations,
            names=tuple("abc"[: scores.shape[1]]),
            strata=strata[0] if strata else None,
            **options,
        )
        out.append(test.p)
    return np.array(out)


def at_most(level: float, runs: int) -> float:
    return level + 3 * np.sqrt(level * (1 - level) / runs)


def null(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    shared = rng.normal(size=(80, 1))  # detectors agree with each other, as D1 and D2 do
    return shared + 0.5 * rng.normal(size=(80, 3)), np.arange(80) < 40


def sparse(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    scores = rng.normal(size=(300, 1))
    scores[:12] = 10 + rng.normal(size=(12, 1))  # twelve of 150 training patients copied
    return scores, np.arange(300) < 150


def diffuse(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    scores = rng.normal(size=(200, 1))
    scores[:100] += 0.6
    return scores, np.arange(200) < 100


def test_size_is_kept_and_p_is_uniform() -> None:
    p = p_values(null, 300)
    for level in (0.05, 0.2, 0.5, 0.8):
        share = (p <= level).mean()
        assert abs(share - level) < 3 * np.sqrt(level * (1 - level) / 300) + 0.005


def test_size_is_kept_with_unequal_sides_and_ties() -> None:
    def draw(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        return np.round(rng.normal(size=(60, 2))), np.arange(60) < 45

    assert (p_values(draw, 300) <= 0.05).mean() <= at_most(0.05, 300)


def test_power_against_sparse_and_diffuse_leakage() -> None:
    assert (p_values(sparse, 50) < 0.05).mean() > 0.9
    assert (p_values(diffuse, 50) < 0.05).mean() > 0.9


def test_without_top_counts_sparse_copying_is_missed() -> None:
    # Mutation: averages hide few strong copies.
    assert (p_values(sparse, 50, top=()) < 0.05).mean() < 0.3


def test_permuting_records_instead_of_patients_breaks_the_size() -> None:
    # Mutation: ten records of a patient look alike; taken as independent they fake an effect.
    def records(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        return (
            np.repeat(rng.normal(size=40), 10)[:, None] + 0.1 * rng.normal(size=(400, 1)),
            np.arange(400) < 200,
        )

    def patients(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        scores, is_train = records(rng)
        return patient_scores(scores, np.arange(400) // 10)[0], is_train[::10]

    assert (p_values(records, 100) <= 0.05).mean() > 0.3
    assert (p_values(patients, 100) <= 0.05).mean() <= at_most(0.05, 100)


def test_without_strata_more_records_a_patient_fake_an_effect() -> None:
    def draw(rng: np.random.Generator, strata: bool) -> tuple[np.ndarray, ...]:
        counts = np.where(np.arange(120) < 60, rng.choice([1, 8], 120, p=[0.3, 0.7]), 1)
        counts[60:] = rng.choice([1, 8], 60, p=[0.7, 0.3])
        scores = np.array([rng.normal(size=c).max() for c in counts])[:, None]
        return scores, np.arange(120) < 60, counts if strata else np.ones(120, int)

    assert (p_values(lambda rng: draw(rng, False), 100) <= 0.05).mean() > 0.5
    assert (p_values(lambda rng: draw(rng, True), 200) <= 0.05).mean() <= at_most(0.05, 200)


@pytest.mark.parametrize(("n_train", "n_holdout", "run"), [(20, 20, 3), (30, 15, 4), (12, 24, 2)])
def test_top_run_has_its_closed_form(n_train: int, n_holdout: int, run: int) -> None:
    # The first r ranks all from training: p = prod (n_T - i) / (n_T + n_H - i).
    n = n_train + n_holdout
    scores = np.linspace(1, 0, n)[:, None]
    is_train = np.zeros(n, bool)
    is_train[:run] = True
    is_train[n - (n_train - run) :] = True  # the others last, so that the AUC says nothing
    test = exchange_test(
        scores, is_train, rng=np.random.default_rng(1), permutations=20_000, top=(run,)
    )
    k = test.statistics.index(("score", f"top{run}"))
    assert test.observed[k] == 1
    exact = np.prod([(n_train - i) / (n - i) for i in range(run)])
    assert exact == pytest.approx(hypergeom.sf(run - 1, n, n_train, run))
    only_top = exchange_test(
        _only_top(scores, run), is_train, rng=np.random.default_rng(1), permutations=20_000, top=()
    )
    assert only_top.p == pytest.approx(exact, abs=3 * np.sqrt(exact / 20_000))


def _only_top(scores: np.ndarray, run: int) -> np.ndarray:
    """Return scores whose AUC is a function of the top count: ones and zeros."""
    return (np.arange(len(scores)) < run).astype(float)[:, None]


def test_values_are_those_of_the_textbook() -> None:
    rng = np.random.default_rng(2)
    scores, is_train = np.round(rng.normal(size=(50, 1)), 1), np.arange(50) < 20
    test = exchange_test(scores, is_train, rng=rng, permutations=99)
    u = mannwhitneyu(scores[is_train, 0], scores[~is_train, 0]).statistic
    assert test.observed[0] == pytest.approx(u / (20 * 30))
    top = np.argsort(-scores[:, 0], kind="stable")[:10]
    tied = scores[top[-1], 0] == np.sort(scores[:, 0])[-11]
    if not tied:
        assert test.observed[1] == pytest.approx(is_train[top].mean())


def test_p_is_never_zero_and_the_observed_order_counts() -> None:
    scores, is_train = np.arange(60.0)[:, None], np.arange(60) >= 30
    test = exchange_test(scores, is_train, rng=np.random.default_rng(0), permutations=99)
    assert test.p == 0.01
    swapped = exchange_test(scores, ~is_train, rng=np.random.default_rng(0), permutations=99)
    assert swapped.p == 1
    assert swapped.p_reversed == 0.01


def test_order_of_patients_and_scale_of_scores_change_nothing() -> None:
    rng = np.random.default_rng(3)
    scores, is_train = rng.normal(size=(40, 2)), np.arange(40) < 20

    def run(s: np.ndarray, t: np.ndarray) -> np.ndarray:
        test = exchange_test(s, t, rng=np.random.default_rng(5), names=("a", "b"), permutations=99)
        return test.observed

    order = rng.permutation(40)
    np.testing.assert_allclose(run(scores, is_train), run(scores[order], is_train[order]))
    np.testing.assert_allclose(run(scores, is_train), run(np.exp(3 * scores), is_train))


def test_a_patient_scores_its_best_record() -> None:
    nan = np.nan
    similarity = np.array([[0.2, nan], [0.9, nan], [0.5, nan], [0.4, 0.1], [nan, nan]])
    scores, counts = patient_scores(similarity, np.array([0, 0, 0, 1, 2]))
    np.testing.assert_array_equal(scores, [[0.9, -np.inf], [0.4, 0.1], [-np.inf, -np.inf]])
    np.testing.assert_array_equal(counts, [3, 1, 0])


def test_auc_interval_covers_and_is_never_empty() -> None:
    assert auc_interval(1.0, 20, 20)[0] < 1
    assert auc_interval(1.0, 20, 20)[1] == 1
    assert auc_interval(0.0, 20, 20)[1] > 0
    low, high = auc_interval(0.5, 119, 119)
    assert low == pytest.approx(1 - high)
    rng = np.random.default_rng(4)
    hits = 0
    for _ in range(500):
        a, b = rng.normal(1, 1, 30), rng.normal(0, 1, 40)
        low, high = auc_interval((a[:, None] > b).mean(), 30, 40)
        hits += low <= 0.7602 <= high  # Phi(1 / sqrt 2)
    assert abs(hits / 500 - 0.95) < 3 * np.sqrt(0.95 * 0.05 / 500)


def test_the_statistic_behind_p_is_told() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(100, 2))
    is_train = np.arange(100) < 50
    scores[:10, 1] += 10  # ten training patients copied, seen by the second detector alone
    found = exchange_test(scores, is_train, rng=rng, names=("D2", "D7"), permutations=199)
    number, text = found.in_words(found.most).split(" of the ")
    q = int(text.split()[0])
    assert text == f"{q} patients closest by D7 in training, {q // 2} expected"
    assert int(number) >= 10
    aside = exchange_test(scores, ~is_train, rng=rng, names=("D2", "D7"), permutations=199)
    number, again = aside.in_words(aside.least).split(" of the ")
    assert again == text
    assert int(number) == int(text.split()[0]) - int(found.in_words(found.most).split()[0])
    scores = np.column_stack([rng.normal(size=100), rng.normal(size=100) + is_train])
    found = exchange_test(scores, is_train, rng=rng, names=("D2", "D7"), permutations=199, top=())
    assert found.in_words(found.most) == f"AUC {found.observed[found.most]:.2f} by D7"
    assert found.observed[found.most] > 0.6
