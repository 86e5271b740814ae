"""People whose hearts are points in few dimensions, recorded twice, with and without copies."""

import numpy as np
import pytest

from ecgeval.privacy.attacks.criteria import criteria
from ecgeval.privacy.attacks.identity import Probes, identity
from ecgeval.privacy.attacks.scores import blend
from ecgeval.privacy.attacks.sets import AttackedSets
from ecgeval.results import Results

LEADS = ("I", "II", "V1", "V2")


def hearts(n: int, rng: np.random.Generator) -> np.ndarray:
    """Return templates of n people, (n, 4, 6): few directions in which people differ."""
    modes = np.random.default_rng(99).normal(size=(10, 24))
    return (rng.normal(size=(n, 10)) @ modes).reshape(n, 4, 6)


def recorded(people: np.ndarray, rng: np.random.Generator, noise: float = 0.3) -> np.ndarray:
    """Return a recording of each: what varies within people is a direction of its own and noise."""
    drift = np.random.default_rng(98).normal(size=people.shape[1:])
    out = people + noise * rng.normal(size=people.shape)
    return out + 3 * rng.normal(size=(len(people), 1, 1)) * drift


class Study:
    """Sixty training and sixty holdout patients, a second look at each, and honest records."""

    hearts = staticmethod(hearts)
    recorded = staticmethod(recorded)

    def __init__(self, seed: int, n: int = 60) -> None:
        rng = np.random.default_rng(seed)
        people = hearts(2 * n, rng)
        self.n, self.rng = n, rng
        self.first, self.second = recorded(people, rng), recorded(people, rng)
        self.honest = recorded(hearts(300, rng), rng)
        self.code = np.arange(2 * n)

    def sets(self, synth: np.ndarray, seed: int = 0) -> AttackedSets:
        n, code = self.n, self.code
        return AttackedSets(self.first[:n], self.first[n:], synth, code[:n], code[n:], seed)

    def identity(self, synth: np.ndarray, **options) -> Results:
        sets = self.sets(synth)
        options = {"permutations": 999, "rng": sets.rng("link")} | options
        return identity(sets, [Probes(self.first, self.second, self.code)], **options)

    def criteria(self, synth: np.ndarray, leads=LEADS, labels=None) -> Results:
        sets = self.sets(synth)
        return criteria(sets, leads, labels, rng=sets.rng("link"))

    def copies(self, rho: float = 0.99) -> np.ndarray:
        flat = [x.reshape(len(x), -1) for x in (self.first[: self.n], self.honest)]
        return blend(*flat, rho, self.rng).reshape(self.n, 4, 6)

    def copies_of_holdout(self) -> np.ndarray:
        flat = [x.reshape(len(x), -1) for x in (self.first[self.n :], self.honest)]
        return blend(*flat, 0.99, np.random.default_rng(3)).reshape(self.n, 4, 6)


@pytest.fixture(scope="module")
def study() -> Study:
    return Study(0)


@pytest.fixture(scope="session")
def study_of() -> type[Study]:
    """Return what makes a study from a seed."""
    return Study
