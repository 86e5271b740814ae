"""A generator overfitted on purpose must fail; the same generator of other patients must not."""

import numpy as np
import pandas as pd
import pytest

from ecgeval import delineate
from ecgeval.ecgset import EcgSet
from ecgeval.privacy.attacks.attack import attack
from ecgeval.privacy.evidence import collect
from ecgeval.privacy.findings import findings
from ecgeval.results import Finding

LEADS = ("I", "II", "V2", "V5")
PEOPLE, RECORDS = 50, 60
WARP, BLEND, GAIN, NOISE_MV = 0.05, 0.15, 0.05, 0.02


def kernel_resampler(source: EcgSet, n: int, rng: np.random.Generator) -> EcgSet:
    """Return a training record each time, played faster or slower and blended with another.

    No record is a copy sample by sample: speed changes by up to 5 %, a second training record
    comes in at 15 %, every lead has a gain of its own, and there is noise.
    """
    signals = np.asarray(source.signals, np.float64)
    t = np.arange(signals.shape[2])
    out = np.empty((n, *signals.shape[1:]), np.float32)
    for k in range(n):
        one, other = signals[rng.choice(len(signals), 2, replace=False)]
        at = np.abs((t - t[-1] / 2) * rng.uniform(1 - WARP, 1 + WARP) + t[-1] / 2)
        at = t[-1] - np.abs(t[-1] - at)  # mirrored where the record ends
        warped = np.stack([np.interp(at, t, lead) for lead in one])
        gain = rng.normal(1, GAIN, (len(warped), 1))
        out[k] = gain * ((1 - BLEND) * warped + BLEND * other)
    out += rng.normal(0, NOISE_MV, out.shape).astype(np.float32)
    return EcgSet(out, source.fs, source.leads, pd.DataFrame(index=[f"s{k}" for k in range(n)]))


def audit(train: EcgSet, holdout: EcgSet, synth: EcgSet) -> dict[str, Finding]:
    """Return an audit's findings; few planted copies, for they are not what is asked here."""
    sets = {"train": train, "holdout": holdout, "synth": synth}
    e = collect(
        train,
        holdout,
        synth,
        beats={name: delineate(s).beats for name, s in sets.items()},
        permutations=999,
        id_key="k",
        planted_records=4,
    )
    found = [*findings(e, "privacy"), *attack(e, permutations=999).findings]
    return {f.code: f for f in found}


@pytest.fixture(scope="module")
def patients(sim) -> list[EcgSet]:
    """Return training, other and holdout patients of one simulated population."""
    return [sim(PEOPLE, seed=k, fs=250, leads=LEADS) for k in (11, 12, 13)]


@pytest.mark.parametrize("of", ["train", "others"])
def test_a_generator_overfitted_on_fifty_patients(patients, of: str) -> None:
    train, others, holdout = patients
    rng = np.random.default_rng(3)
    synth = kernel_resampler(train if of == "train" else others, RECORDS, rng)
    found = audit(train, holdout, synth)
    expected = "FAIL" if of == "train" else "INCONCLUSIVE"
    for code in ("PRIV-MIA", "PRIV-EXCHANGE"):
        assert str(found[code].verdict) == expected, found[code].title
