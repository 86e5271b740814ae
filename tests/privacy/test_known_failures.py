"""Where other tools for synthetic ECGs go wrong: each case by name, in one audit.

Measured on them: copies with 20 µV of noise pass as authentic, shifted copies pass, a flat line
raises an alarm, an exact copy of the real set scores best, and a discriminator's AUC of 0.011 on
exact copies is read as good.
"""

import numpy as np
import pandas as pd
import pytest

from ecgeval.ecgset import EcgSet
from ecgeval.privacy import audit_sets
from ecgeval.privacy.attacks.membership import membership
from ecgeval.privacy.attacks.sets import AttackedSets
from ecgeval.privacy.copies import detectors as detectors_module
from ecgeval.privacy.copies.detectors import DETECTORS
from ecgeval.privacy.copies.disguises import TRANSFORMS, plant
from ecgeval.privacy.copies.signals import record_signals
from ecgeval.results import Results

DISGUISES = {
    "exact": "exact",
    "plus_20_uV": "noise",
    "shifted_half_a_second": "shift",
    "shifted_two_seconds": "shift2",
    "rescaled": "gain",
    "filtered_25_Hz": "lowpass",
    "filtered_1_to_25_Hz": "band25",
}
EACH = 3
COPIES = len(DISGUISES) * EACH


@pytest.fixture(scope="module")
def sets(sim) -> tuple[EcgSet, EcgSet, EcgSet]:
    """Thirty training, thirty holdout and forty synthetic records of different people."""
    return tuple(sim(n, seed=k, fs=250, seconds=8) for k, n in ((1, 30), (2, 30), (3, 40)))


def audited(sets, synth: EcgSet) -> Results:
    return audit_sets(*sets[:2], synth, permutations=999)


def made(signals: np.ndarray, ids: list[str], like: EcgSet) -> EcgSet:
    return EcgSet(signals, like.fs, like.leads, pd.DataFrame(index=ids))


def named(results: Results) -> set[str]:
    rows = next(t.frame() for t in results.tables if t.id == "privacy.copies")
    return set(rows["synthetic record"])


def verdict(results: Results, code: str) -> str:
    return str(next(f.verdict for f in results.findings if f.code == code))


@pytest.fixture(scope="module")
def mixed(sets) -> set[str]:
    """Return what is named of three copies in each disguise, forty honest records, flat lines."""
    train, _, synth = sets
    rng = np.random.default_rng(4)
    kinds = {t.id: t for t in TRANSFORMS}
    signals, ids = [np.asarray(synth.signals)], [f"honest-{i}" for i in range(len(synth))]
    for k, (name, kind) in enumerate(DISGUISES.items()):
        rows = slice(k * EACH, (k + 1) * EACH)
        fill = np.asarray(synth.signals[rows])
        signals.append(plant(np.asarray(train.signals[rows]), 250, kinds[kind], rng, fill=fill))
        ids += [f"{name}-{i}" for i in range(EACH)]
    flat = np.zeros((2, *synth.signals.shape[1:]), np.float32)
    flat[1] = 0.3
    results = audited(
        sets, made(np.concatenate([*signals, flat]), [*ids, "flat-0", "flat-1"], synth)
    )
    assert verdict(results, "PRIV-COPIES") == "FAIL"
    return named(results)


@pytest.mark.parametrize("disguise", DISGUISES)
def test_copies_are_found(mixed, disguise: str) -> None:
    assert {f"{disguise}-{i}" for i in range(EACH)} <= mixed


def test_a_flat_line_is_no_copy(mixed) -> None:
    assert not {"flat-0", "flat-1"} & mixed


def test_honest_records_among_copies_are_no_copies(mixed) -> None:
    assert not [name for name in mixed if name.startswith("honest")]


def test_an_honest_set_is_not_called_copies(sets) -> None:
    results = audited(sets, sets[2])
    assert named(results) == set()
    assert verdict(results, "PRIV-EXCHANGE") == "INCONCLUSIVE"


def test_the_training_set_itself_is_the_worst_there_is_and_not_the_best(sets) -> None:
    train = sets[0]
    results = audited(sets, made(np.asarray(train.signals), [f"s{i}" for i in range(30)], train))
    assert results.estimate("privacy.copies.count").value == 30
    assert results.estimate("privacy.exchange.auc").value == 1
    assert results.exit_code == 1


def test_an_attack_that_is_turned_around_is_no_good_news() -> None:
    """An AUC far below one half: the holdout is the side that was copied."""
    rng = np.random.default_rng(5)
    train, holdout = rng.normal(size=(2, 60, 12))
    synth = holdout + 1e-3 * rng.normal(size=holdout.shape)
    sets = AttackedSets(train, holdout, synth, np.arange(60), np.arange(60, 120))
    found = membership(sets, permutations=999)
    assert found.estimate("privacy.mia.ganleaks.auc").value < 0.1
    assert str(found.findings[0].verdict) != "PASS"


# ---- safeguards taken out one by one -------------------------------------------------------
# The float64 re-rank, patient grouping and holdout calibration have theirs beside the function:
# test_search.py, test_exchangeability.py and test_membership.py, test_copies.py and test_audit.py.


def own(detector: str, a: EcgSet, b: EcgSet) -> np.ndarray:
    """Return the similarity of each record of one set to the same row of the other."""
    x, y = (record_signals(s, s.leads, s.seconds).x for s in (a, b))
    kernel = next(d for d in DETECTORS if d.id == detector).kernel(x, y)
    rows = np.arange(len(x))
    found = kernel.exact(rows, rows)
    return 1 + found / 2 if detector == "D1" else found


def test_without_the_lag_search_a_shifted_copy_is_missed(sets, monkeypatch) -> None:
    train, _, synth = sets
    shift = next(t for t in TRANSFORMS if t.id == "shift2")
    fill = np.asarray(synth.signals[:30])
    signals = plant(np.asarray(train.signals), 250, shift, np.random.default_rng(6), fill=fill)
    copies = made(signals, [f"s{i}" for i in range(30)], train)
    assert own("D2", copies, train).min() > 0.9
    monkeypatch.setattr(detectors_module, "MAX_LAG_S", 0.0)
    assert np.median(own("D2", copies, train)) < 0.5


@pytest.mark.parametrize("detector", ["D1", "D2"])
def test_without_the_removal_of_means_an_offset_hides_a_copy(sets, monkeypatch, detector) -> None:
    train = sets[0]
    offset = np.random.default_rng(7).normal(size=(1, 8, 1)).astype(np.float32)  # mV, a lead
    copies = made(train.signals + offset, [f"s{i}" for i in range(30)], train)
    assert own(detector, copies, train).min() > 0.99
    # The mean goes twice: by itself, and with what the band-pass cuts below 3 Hz.
    monkeypatch.setattr("ecgeval.privacy.copies.signals._centred", lambda x: x)
    monkeypatch.setattr("ecgeval.privacy.copies.signals.bandpass", lambda x, *_: x)
    assert own(detector, copies, train).max() < 0.85
