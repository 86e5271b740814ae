"""Classical indicators: hand-computed cases, the PROOF cases, their nulls, and what breaks them."""

import numpy as np
import pytest

from ecgeval.privacy.attacks.indicators import (
    INDICATORS,
    adversarial_accuracy,
    authenticity,
    dcr,
    indicators,
    nndr,
    privacy_loss,
    share,
)
from ecgeval.privacy.attacks.neighbours import Sided, neighbours
from ecgeval.privacy.attacks.sets import AttackedSets
from ecgeval.results import Verdict


def run(train, holdout, synth, per: int = 1, seed: int = 0, **options):
    t, h = np.arange(len(train)) // per, len(train) + np.arange(len(holdout)) // per
    return indicators(AttackedSets(train, holdout, synth, t, h, seed), **options)


def look(train, holdout, synth, person=None, k: int = 99) -> Sided:
    real = np.concatenate([train, holdout]).astype(float)
    person = np.arange(len(real)) if person is None else person
    n = neighbours(
        real, np.asarray(synth, float), person, k=min(k, len(real)), rng=np.random.default_rng(0)
    )
    return Sided(n, np.arange(len(real)) < len(train))


def column(values) -> np.ndarray:
    return np.array(values, float)[:, None]


def test_four_points_by_hand() -> None:
    side = look(column([0, 10]), column([4, 20]), column([1, 11, 21]))
    assert share(side) == pytest.approx(2 / 3)
    assert side.synth_train.tolist() == pytest.approx([1, 1, 11])
    assert side.synth_holdout.tolist() == pytest.approx([3, 7, 1])
    assert side.real_train.tolist() == pytest.approx([10, 10, 4, 10])
    assert dcr(side) == pytest.approx(1 / np.quantile([1, 3, 7], 0.05))
    assert nndr(side) == pytest.approx(np.quantile([1 / 9, 1 / 11, 11 / 21], 0.05))
    # t: 0 and 10 are 1 from S and 10 from each other; s: 1, 1, 11 from T and 10 from each other.
    assert adversarial_accuracy(side) == pytest.approx((0, 1 / 3))
    # Nearest t of s are 0, 10, 10, each 10 from the other t.
    assert authenticity(side) == pytest.approx(1 / 3)


def test_copies_score_zero_and_separated_sets_one() -> None:
    rng = np.random.default_rng(0)
    t, h = rng.normal(size=(2, 60, 4))
    assert adversarial_accuracy(look(t, h, t)) == (0, 0)
    assert adversarial_accuracy(look(t, h, t + 1e-3)) == (0, 0)
    assert adversarial_accuracy(look(t, h, t + 100)) == (1, 1)
    # Half copied, half far away: one term looks honest, which is why both are shown.
    real, synth = adversarial_accuracy(look(t, h, np.concatenate([t[:30], t[30:] + 100])))
    assert real < 0.25
    assert synth == pytest.approx(0.5, abs=0.05)


def test_adversarial_accuracy_is_a_half_for_one_population() -> None:
    rng = np.random.default_rng(1)
    found = [np.mean(adversarial_accuracy(look(*rng.normal(size=(3, 100, 8))))) for _ in range(30)]
    assert np.mean(found) == pytest.approx(0.5, abs=3 * np.std(found) / np.sqrt(30) + 0.005)


def test_noisy_copies_of_the_training_set_are_found() -> None:
    # PROOF: S = T + e gives AA -> 0, share -> 1, C_T far below -3.
    rng = np.random.default_rng(3)
    t, h = rng.normal(size=(2, 150, 8))
    results = run(t, h, t + 1e-3 * rng.normal(size=t.shape), permutations=799)
    value = {e.id.split(".")[-1]: e.value for e in results.estimates}
    assert value["share"] == 1
    assert value["aa_real"] == value["aa_synth"] == 0
    assert value["copying"] < -3
    assert value["authenticity"] == 0
    assert value["dcr"] < 0.01
    assert value["privacy_loss"] > 0.4
    p = {e.id.split(".")[-1]: e.p for e in results.estimates if e.p is not None}
    assert all(v == pytest.approx(1 / 800) for k, v in p.items() if k != "nndr")
    finding = results.findings[0]
    assert finding.verdict == Verdict.FAIL
    assert not finding.gate


def test_underfitted_and_collapsed_sets_raise_no_alarm() -> None:
    # PROOF: twice the spread is bad, not a leak; nor is everything at the centre.
    rng = np.random.default_rng(4)
    t, h = rng.normal(size=(2, 150, 8))
    for s in (2 * rng.normal(size=(150, 8)), 0.1 * rng.normal(size=(150, 8)), np.zeros((150, 8))):
        results = run(t, h, s, permutations=299)
        assert results.findings[0].verdict == Verdict.INCONCLUSIVE
    wide = run(t, h, 2 * rng.normal(size=(150, 8)), permutations=99)
    assert wide.estimate("privacy.indicators.copying").value > 3


def test_swapping_the_sides_turns_the_loss_around() -> None:
    rng = np.random.default_rng(5)
    t, h = rng.normal(size=(2, 40, 3))
    s = np.concatenate([t[:20], rng.normal(size=(20, 3))])
    assert privacy_loss(look(t, h, s)) == pytest.approx(-privacy_loss(look(h, t, s)))
    assert share(look(t, h, s)) == pytest.approx(1 - share(look(h, t, s)))


def sizes(patients: int, runs: int, grouped: bool) -> dict[str, float]:
    """Return how often each p is at most .1 where nothing leaks, two records a patient."""
    p = []
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        centre = np.repeat(rng.normal(size=(patients, 4)), 2, axis=0)
        x = centre + 0.1 * rng.normal(size=centre.shape)
        half = len(x) // 2
        synth = rng.normal(size=(40, 4))
        results = run(x[:half], x[half:], synth, 2 if grouped else 1, permutations=39, seed=seed)
        p.append([results.estimate(f"privacy.indicators.{c.id}").p for c in INDICATORS])
    size = (np.array(p) <= 0.1).mean(axis=0)
    return dict(zip((c.id for c in INDICATORS), size.tolist(), strict=True))


@pytest.mark.parametrize(
    ("patients", "runs"), [(50, 70), pytest.param(200, 30, marks=pytest.mark.slow)]
)
def test_every_p_keeps_its_size_with_several_records_a_patient(patients: int, runs: int) -> None:
    # PROOF: S ~ P independent: calibrated p.
    found = sizes(patients, runs, grouped=True)
    assert max(found.values()) <= 0.1 + 3 * np.sqrt(0.09 / runs), found


def test_without_grouping_by_patient_sizes_are_not_kept() -> None:
    # Mutation: records of a patient are each other's neighbours and always on one side.
    assert max(sizes(50, 40, grouped=False).values()) > 0.4


def test_record_order_and_patient_names_do_not_matter() -> None:
    rng = np.random.default_rng(8)
    t, h, s = rng.normal(size=(3, 30, 3))
    person = rng.permutation(60) // 2
    side = look(t, h, s)
    order = rng.permutation(30)
    again = look(t[order], h, s[order])
    for c in INDICATORS:
        if not c.id.startswith("copying"):  # cells start at random points
            assert c.kernel(side) == pytest.approx(c.kernel(again)), c.id
    names = rng.permutation(60)
    assert nndr(look(t, h, s, person)) == pytest.approx(nndr(look(t, h, s, names[person])))


def test_no_holdout_is_not_assessable() -> None:
    x = np.zeros((30, 2))
    results = indicators(AttackedSets(x, None, x, np.arange(30)))
    assert results.findings[0].verdict == Verdict.NOT_ASSESSABLE
    assert not results.estimates
    assert run(x, x[:5], x).findings[0].verdict == Verdict.NOT_ASSESSABLE


def test_same_seed_same_bytes() -> None:
    rng = np.random.default_rng(10)
    t, h, s = rng.normal(size=(3, 40, 3))
    assert run(t, h, s, permutations=19).to_json() == run(t, h, s, permutations=19).to_json()
