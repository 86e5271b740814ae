"""Linkage: known answers, tables one can compute by hand, directions, and the size of the tests."""

import numpy as np
import pytest

from ecgeval.catalogue import CATALOGUE
from ecgeval.ecgset import EcgSet
from ecgeval.privacy.attacks.criteria import bootstrap_risk, linked, risk, singled_out, wilson_rate
from ecgeval.privacy.attacks.identity import Probes, _folds, _look, fit_matcher, linkage
from ecgeval.privacy.attacks.indicators import indicators
from ecgeval.privacy.attacks.membership import membership
from ecgeval.privacy.attacks.scores import blend, nearest_distance
from ecgeval.privacy.copies.detectors import beat_signals
from ecgeval.privacy.exchangeability import exchange_test, patient_scores
from ecgeval.privacy.halves import half_beats
from ecgeval.report.explain import statistic
from ecgeval.results import Results, Verdict
from ecgeval.stats.distances import squares

LEADS = ("I", "II", "V1", "V2")


def hearts(n: int, rng: np.random.Generator) -> np.ndarray:
    """Return templates of n people, (n, 4, 6): few directions in which people differ."""
    modes = np.random.default_rng(99).normal(size=(10, 24))
    return (rng.normal(size=(n, 10)) @ modes).reshape(n, 4, 6)


def seen(people: np.ndarray, rng: np.random.Generator, noise: float = 0.3) -> np.ndarray:
    """Return a recording of each: what varies within people is a direction of its own and noise."""
    drift = np.random.default_rng(98).normal(size=people.shape[1:])
    out = people + noise * rng.normal(size=people.shape)
    return out + 3 * rng.normal(size=(len(people), 1, 1)) * drift


class Study:
    """Sixty training and sixty holdout patients, a second look at each, and honest records."""

    def __init__(self, seed: int, n: int = 60) -> None:
        rng = np.random.default_rng(seed)
        people = hearts(2 * n, rng)
        self.n, self.rng = n, rng
        self.first, self.second = seen(people, rng), seen(people, rng)
        self.honest = seen(hearts(300, rng), rng)
        self.code = np.arange(2 * n)

    def run(self, synth: np.ndarray, **options) -> Results:
        n, kind = self.n, options.pop("kind", "half")
        options = {"permutations": 999, "leads": LEADS} | options
        return linkage(
            self.first[:n],
            self.first[n:],
            synth,
            person_train=self.code[:n],
            person_holdout=self.code[n:],
            probes=[Probes(self.first, self.second, self.code, kind)],
            **options,
        )

    def copies(self, rho: float = 0.99) -> np.ndarray:
        flat = [x.reshape(len(x), -1) for x in (self.first[: self.n], self.honest)]
        return blend(*flat, rho, self.rng).reshape(self.n, 4, 6)


@pytest.fixture(scope="module")
def study() -> Study:
    return Study(0)


def verdicts(results: Results) -> dict[str, str]:
    return {f.code: str(f.verdict) for f in results.findings}


def wp29(results: Results):
    table = next(t for t in results.tables if t.id == "privacy.wp29")
    return table.frame().set_index("criterion")


# ---- known answers -------------------------------------------------------------------------


def test_the_anonymeter_interval_has_its_known_answer() -> None:
    assert wilson_rate(100, 1000) == pytest.approx((0.1015, 0.0186), abs=5e-5)
    assert wilson_rate(50, 1000) == pytest.approx((0.0517, 0.0136), abs=5e-5)
    found = risk((100, 1000), (50, 1000))
    assert found.value == pytest.approx(0.0525, abs=5e-5)
    assert found.high - found.value == pytest.approx(0.0239, abs=5e-5)
    assert found.value - found.low == pytest.approx(0.0239, abs=5e-5)


def test_a_risk_is_not_clipped() -> None:
    assert risk((0, 100), (50, 100)).value < -0.5
    assert risk((100, 100), (0, 100)).high > 1


def test_bootstrap_moves_patients_and_agrees_with_propagation_for_many() -> None:
    a, c = np.arange(4000) < 800, np.arange(4000) < 400
    low, high = bootstrap_risk(a, c, np.random.default_rng(0))
    exact = risk((800, 4000), (400, 4000))
    assert (low, high) == pytest.approx((exact.low, exact.high), abs=0.003)


def test_intervals_cover_the_true_risk() -> None:
    rng = np.random.default_rng(1)
    true = (0.3 - 0.1) / 0.9
    inside = 0
    for _ in range(1000):
        found = risk((rng.binomial(80, 0.3), 80), (rng.binomial(80, 0.1), 80))
        inside += found.low <= true <= found.high
    assert inside / 1000 > 0.95 - 3 * np.sqrt(0.95 * 0.05 / 1000)


def test_singling_out_by_hand() -> None:
    x = np.array([[0.0], [1.0], [1.2], [5.0]])
    assert singled_out(x, np.array([[0.1], [1.1], [9.0]]), 0.3).tolist() == [True] + [False] * 3
    assert singled_out(x, np.array([[5.2]]), 0.3).tolist() == [False] * 3 + [True]
    assert not singled_out(x, np.zeros((0, 1)), 0.3).any()


def test_linking_by_hand(monkeypatch) -> None:
    monkeypatch.setattr("ecgeval.privacy.attacks.criteria.NEIGHBOURS", 1)
    s = np.array([[0.0], [10.0], [20.0]])
    limb, chest = np.array([[1.0], [11.0]]), np.array([[2.0], [19.0]])
    assert linked(limb, chest, (s, s)).tolist() == [True, False]


def test_the_matcher_whitens_what_varies_within_people() -> None:
    rng = np.random.default_rng(2)
    people = hearts(400, rng)
    x = np.concatenate([seen(people, rng), seen(people, rng)])
    person = np.tile(np.arange(400), 2)
    matcher = fit_matcher(x, person)
    z = (x.reshape(800, -1) - matcher.mean) @ matcher.axes
    within = (z[:400] - z[400:]) / np.sqrt(2)
    covariance = within.T @ within / 400
    # Unit covariance but for the shrinkage, which only makes small directions smaller.
    assert np.linalg.eigvalsh(covariance)[-1] == pytest.approx(1.1, abs=0.15)
    assert np.linalg.norm(matcher(x), axis=1) == pytest.approx(1)
    new = hearts(100, rng)
    a, b = seen(new, rng), seen(new, rng)
    right = ((matcher(a) @ matcher(b).T).argmax(axis=1) == np.arange(100)).mean()
    flat = [
        x.reshape(100, -1) / np.linalg.norm(x.reshape(100, -1), axis=1)[:, None] for x in (a, b)
    ]
    plain = ((flat[0] @ flat[1].T).argmax(axis=1) == np.arange(100)).mean()
    assert right > 0.9 > plain


# ---- the attacks ---------------------------------------------------------------------------


def test_an_honest_set_links_nobody(study) -> None:
    results = study.run(study.honest)
    assert verdicts(results) == {"PRIV-LINK": "INCONCLUSIVE", "PRIV-WP29": "INCONCLUSIVE"}
    assert results.estimate("privacy.link.half.rank1").value > 0.95
    assert "Positive control" in results.findings[0].explanation
    assert "upper limit" in results.findings[0].explanation
    table = wp29(results)
    assert abs(table.loc["singling out", "risk"]) < 0.15
    assert table.loc["singling out", "recall of planted copies"] > 0.9
    assert table.loc["inference of an attribute", "verdict"] == "NOT_ASSESSABLE"


def test_copies_of_the_training_set_are_linked_singled_out_and_joined(study) -> None:
    results = study.run(np.concatenate([study.copies(), study.honest[:60]]))
    assert verdicts(results) == {"PRIV-LINK": "FAIL", "PRIV-WP29": "FAIL"}
    assert results.estimate("privacy.link.half.auc").value > 0.9
    assert results.estimate("privacy.link.identity_share").p < 0.005
    table = wp29(results)
    assert (table.loc[["singling out", "linkability of limb and chest leads"], "risk"] > 0.3).all()


def test_copies_of_the_holdout_raise_no_alarm_for_the_training_set(study) -> None:
    flat = [x.reshape(len(x), -1) for x in (study.first[60:], study.honest)]
    copies = blend(*flat, 0.99, np.random.default_rng(3)).reshape(60, 4, 6)
    results = study.run(copies)
    assert Verdict.FAIL not in {f.verdict for f in results.findings}
    assert results.estimate("privacy.link.half.auc").value < 0.1
    assert wp29(results).loc["singling out", "risk"] < 0


def test_bad_sets_link_nobody(study) -> None:
    for synth in (2 * study.honest, 0.05 * study.honest, np.ones_like(study.honest)):
        assert Verdict.FAIL not in {f.verdict for f in study.run(synth).findings}


def test_other_records_are_looked_for_among_everybody(study) -> None:
    n = 24  # twelve patients a side have another record; 120 have halves
    rows = np.r_[:12, 60:72]
    record = Probes(study.first[rows], seen(study.first[rows], study.rng), rows, "record")
    half = Probes(study.first, study.second, study.code)
    results = linkage(
        study.first[:60],
        study.first[60:],
        study.honest,
        person_train=study.code[:60],
        person_holdout=study.code[60:],
        leads=LEADS,
        probes=[half, record],
        permutations=99,
    )
    assert results.estimate("privacy.link.record.rank1").patients_real == n
    assert results.estimate("privacy.link.record.rank1").value > 0.8
    assert "smallest of 3, limit 0.0033" in results.findings[0].title


def test_a_weak_matcher_says_so(study) -> None:
    weak = Study(4)
    weak.second = weak.rng.normal(size=weak.second.shape)
    finding = weak.run(weak.honest).findings[0]
    assert finding.verdict == Verdict.INCONCLUSIVE
    assert "too weak" in finding.explanation


def labels_of(study: Study, synth: np.ndarray, tags: np.ndarray, truth: np.ndarray) -> dict:
    return {"sex": {"train": truth[:60], "holdout": truth[60:], "synth": tags}}


def test_an_attribute_is_inferred_only_where_the_set_remembers_it(study) -> None:
    rng = np.random.default_rng(5)
    truth = np.where(rng.random(120) < 0.5, "female", "male")  # nothing to do with the heart
    copies = study.copies()
    synth = np.concatenate([copies, study.honest])
    guess = np.where(rng.random(300) < 0.5, "female", "male")
    leaky = study.run(
        synth, labels=labels_of(study, synth, np.concatenate([truth[:60], guess]), truth)
    )
    assert wp29(leaky).loc["inference of sex", "risk"] > 0.5
    assert wp29(leaky).loc["inference of sex", "verdict"] == "FAIL"
    honest = study.run(study.honest, labels=labels_of(study, study.honest, guess, truth))
    row = wp29(honest).loc["inference of sex"]
    assert row["verdict"] == "INCONCLUSIVE"
    assert abs(row["attack"] - 0.5) < 0.2
    assert abs(row["holdout control"] - 0.5) < 0.2
    none = study.run(study.honest, labels=labels_of(study, study.honest, np.full(300, ""), truth))
    assert wp29(none).loc["inference of sex", "verdict"] == "NOT_ASSESSABLE"


def test_what_the_population_tells_is_no_risk(study) -> None:
    # Sex shows in the heart: the attack succeeds on everybody, so beyond the holdout it does not.
    def sex(x: np.ndarray) -> np.ndarray:
        return np.where(x[:, 0].mean(axis=1) > 0, "female", "male")

    results = study.run(
        study.honest,
        labels={
            "sex": {
                "train": sex(study.first[:60]),
                "holdout": sex(study.first[60:]),
                "synth": sex(study.honest),
            }
        },
    )
    row = wp29(results).loc["inference of sex"]
    assert row["attack"] > 0.55
    assert row["verdict"] != "FAIL"


def test_leads_of_one_kind_cannot_be_joined(study) -> None:
    results = study.run(study.honest, leads=("V1", "V2", "V3", "V4"))
    assert wp29(results).loc["linkability", "verdict"] == "NOT_ASSESSABLE"
    assert "limb and chest leads are needed" in results.findings[1].explanation


def test_without_probes_or_holdout_nothing_is_assessed(study) -> None:
    options = {"person_train": study.code[:60], "leads": LEADS}
    none = linkage(study.first[:60], None, study.honest, person_holdout=None, **options)
    assert set(verdicts(none).values()) == {"NOT_ASSESSABLE"}
    assert not none.estimates
    bare = linkage(
        study.first[:60], study.first[60:], study.honest, person_holdout=study.code[60:], **options
    )
    assert verdicts(bare)["PRIV-LINK"] == "NOT_ASSESSABLE"
    assert verdicts(bare)["PRIV-WP29"] != "NOT_ASSESSABLE"


@pytest.mark.parametrize(("n", "runs"), [(50, 60), (200, 12)])
def test_size_of_the_identity_test_with_several_probes_a_patient(n: int, runs: int) -> None:
    p, broken = [], []
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        scores = np.repeat(rng.normal(size=2 * n), 5) + 0.1 * rng.normal(size=10 * n)
        code = np.arange(10 * n) // 5
        best, counts = patient_scores(scores[:, None], code)
        for x, train, strata, out in (
            (best, np.arange(2 * n) < n, counts, p),
            (scores[:, None], code < n, None, broken),  # mutation: records, not patients
        ):
            out.append(exchange_test(x, train, rng=rng, strata=strata, permutations=99).p)
    assert (np.array(p) <= 0.1).mean() <= 0.1 + 3 * np.sqrt(0.09 / runs)
    assert (np.array(broken) <= 0.1).mean() > 0.3


def test_size_of_both_findings_over_whole_studies() -> None:
    failed = {"PRIV-LINK": 0, "PRIV-WP29": 0}
    for seed in range(30):
        study = Study(100 + seed, n=40)
        for code, verdict in verdicts(study.run(study.honest, permutations=299)).items():
            failed[code] += verdict == "FAIL"
    # One in a hundred for linkage, two criteria of one in a hundred each.
    assert failed["PRIV-LINK"] <= 3
    assert failed["PRIV-WP29"] <= 3


def test_size_of_the_identity_test_where_patients_are_dealt_anew() -> None:
    """Three probes a patient; the matcher and the scores stay, for they know of no side."""
    rng = np.random.default_rng(7)
    people = np.repeat(hearts(40, rng), 3, axis=0)
    q = Probes(seen(people, rng), seen(people, rng), np.repeat(np.arange(40), 3))
    found = _look([q], _folds([q], rng), seen(hearts(60, rng), rng))[0]
    scores, counts = patient_scores(found["synth"][:, None], q.person)
    p = [
        exchange_test(scores, rng.permutation(40) < 20, rng=rng, strata=counts, permutations=99).p
        for _ in range(500)
    ]
    for level in (0.01, 0.05, 0.2):
        assert np.mean(np.array(p) <= level) <= level + 3 * np.sqrt(level * (1 - level) / 500)
    assert np.mean(np.array(p) <= 0.5) > 0.35  # and it is not asleep


def test_names_of_patients_do_not_matter_and_the_seed_decides(study) -> None:
    synth = study.honest
    assert study.run(synth).to_json() == study.run(synth).to_json()
    other = Study(0)
    other.code = other.code + 1000
    assert other.run(synth).to_json() == study.run(synth).to_json()


def test_every_estimate_and_finding_is_explained(study) -> None:
    results = study.run(study.honest)
    for e in results.estimates:
        assert statistic(e.id) is not None, e.id
    for f in results.findings:
        assert f.code in CATALOGUE
        assert f.rule


def test_halves_are_delineated_by_themselves(sim) -> None:
    ecgs = sim(6, seconds=10, fs=250)
    first, second = half_beats(ecgs)
    assert first.shape == second.shape == (6, 8, 275)
    near = [beat_signals(x, 250, ecgs.leads, ecgs.leads).x.reshape(6, -1) for x in (first, second)]
    assert ((near[0] @ near[1].T).argmax(axis=1) == np.arange(6)).all()
    cut = EcgSet(np.asarray(ecgs.signals[:, :, :1250]), 250, ecgs.leads, ecgs.records)
    assert np.array_equal(half_beats(ecgs)[0], half_beats(cut_twice(cut))[0], equal_nan=True)


def cut_twice(half: EcgSet) -> EcgSet:
    """Return the half with another behind it: the first half must not change."""
    signals = np.concatenate([half.signals, half.signals[:, :, ::-1]], axis=2)
    return EcgSet(signals, half.fs, half.leads, half.records)


# ---- an overfitted generator on real records -----------------------------------------------


def resampler(
    beats: np.ndarray, n: int, rng: np.random.Generator, neighbours: int, noise: float
) -> np.ndarray:
    """Return local averages of the given beats, mV, with smooth noise: an overfitted generator."""
    flat = beats.reshape(len(beats), -1).astype(np.float64)
    near = np.argsort(squares(flat, flat), axis=1)[:, :neighbours]
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
    options = {"person_train": code[train], "person_holdout": code[holdout]}
    found = membership(t, h, s, permutations=999, **options).findings[0]
    scores, counts = patient_scores(
        -nearest_distance(np.concatenate([t, h]), s)[:, None],
        np.unique(code[np.concatenate([train, holdout])], return_inverse=True)[1],
    )
    is_train = np.isin(np.unique(code[np.concatenate([train, holdout])]), code[train])
    exchange = exchange_test(scores, is_train, rng=rng, strata=counts, permutations=999)
    copied = indicators(t, h, s, permutations=799, **options).findings[0]
    if trained_on == "train":
        assert found.verdict == Verdict.FAIL
        assert exchange.p < 0.01
        assert copied.verdict == Verdict.FAIL
    else:
        assert found.verdict == Verdict.INCONCLUSIVE
        assert exchange.p > 0.01
        assert copied.verdict == Verdict.INCONCLUSIVE
