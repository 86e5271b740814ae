"""The attacks together: a generator overfitted on real records, and one of other patients."""

import ast
from pathlib import Path

import numpy as np
import pytest

from ecgeval.privacy.attacks import attack
from ecgeval.privacy.attacks.indicators import indicators
from ecgeval.privacy.attacks.membership import membership
from ecgeval.privacy.attacks.scores import nearest_distance
from ecgeval.privacy.attacks.sets import AttackedSets
from ecgeval.privacy.copies.signals import beat_signals
from ecgeval.privacy.exchangeability import exchange_test, patient_scores
from ecgeval.results import Verdict
from ecgeval.stats.distances import squared_distances


@pytest.mark.parametrize("name", ["membership", "identity", "criteria", "indicators"])
def test_no_attack_imports_another(name: str) -> None:
    others = {"attack", "membership", "identity", "criteria", "indicators"} - {name}
    tree = ast.parse(Path(attack.__file__).with_name(f"{name}.py").read_text())
    imported = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert not imported & {f"ecgeval.privacy.attacks.{other}" for other in others}


def resampler(
    beats: np.ndarray, n: int, rng: np.random.Generator, neighbours: int, noise: float
) -> np.ndarray:
    """Return local averages of the given beats, mV, with smooth noise: an overfitted generator."""
    flat = beats.reshape(len(beats), -1).astype(np.float64)
    near = np.argsort(squared_distances(flat, flat), axis=1)[:, :neighbours]
    weight = rng.dirichlet(np.ones(neighbours), n)
    out = np.einsum("nk,nkls->nls", weight, beats[near[rng.integers(0, len(beats), n)]])
    window = np.hanning(25)
    rough = rng.normal(size=(*out.shape[:2], out.shape[2] + 24))
    smooth = np.apply_along_axis(np.convolve, -1, rough, window / np.linalg.norm(window), "valid")
    return out + noise * smooth


@pytest.fixture(scope="module")
def normal_beats(real_data):
    """Return representative beats of normal PTB-XL records, mV at 500 Hz, and patient codes."""
    from ecgeval import delineate, read

    folder = real_data("ptbxl")
    ecgs = read(folder)
    ecgs = ecgs.select(np.flatnonzero(ecgs.records["norm_only"].astype(bool)))
    ecgs = ecgs.with_leads(("I", "II", "V1", "V2", "V3", "V4", "V5", "V6"))
    beats = delineate(ecgs).beats
    known = np.flatnonzero(np.isfinite(beats).all(axis=(1, 2)))
    code = np.unique(ecgs.patients()[known], return_inverse=True)[1]
    return beats[known], code, ecgs.leads


@pytest.mark.parametrize(
    ("neighbours", "trained_on"), [(1, "train"), (8, "train"), (1, "others"), (8, "others")]
)
def test_a_generator_overfitted_on_fifty_patients_is_failed(
    normal_beats, neighbours, trained_on
) -> None:
    beats, code, leads = normal_beats
    rng = np.random.default_rng(3)
    people = rng.permutation(int(code.max()) + 1)
    train, others, holdout = (
        np.flatnonzero(np.isin(code, part)) for part in (people[:50], people[50:100], people[100:])
    )
    source = train if trained_on == "train" else others
    made = resampler(beats[source], 400, rng, neighbours, 0.03)

    def form(x: np.ndarray) -> np.ndarray:
        return beat_signals(x, 500, leads, leads).x.reshape(len(x), -1)

    t, h, s = form(beats[train]), form(beats[holdout]), form(made)
    sets = AttackedSets(t, h, s, code[train], code[holdout])
    found = membership(sets, permutations=999).findings[0]
    scores, counts = patient_scores(-nearest_distance(sets.real, s)[:, None], sets.person)
    exchange = exchange_test(scores, sets.is_train, rng=rng, strata=counts, permutations=999)
    copied = indicators(sets, permutations=799).findings[0]
    if trained_on == "train":
        assert found.verdict == Verdict.FAIL
        assert exchange.p < 0.01
        assert copied.verdict == Verdict.FAIL
    else:
        assert found.verdict == Verdict.INCONCLUSIVE
        assert exchange.p > 0.01
        assert copied.verdict == Verdict.INCONCLUSIVE
