"""The critic as an attack: one that has learnt its patients by heart, one that knows nobody."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from ecgeval.errors import DataError, UsageError  # noqa: E402
from ecgeval.generators.critic import Critic  # noqa: E402
from ecgeval.generators.critic_scores import critic_scores, load_critic  # noqa: E402
from ecgeval.generators.training import training_array  # noqa: E402
from ecgeval.pipeline.config import make  # noqa: E402
from ecgeval.pipeline.run import Run  # noqa: E402
from ecgeval.privacy import audit_sets  # noqa: E402
from ecgeval.privacy.attacks.membership import membership  # noqa: E402
from ecgeval.privacy.attacks.sets import AttackedSets  # noqa: E402
from ecgeval.results import Results, Verdict  # noqa: E402
from ecgeval.sets import with_critic  # noqa: E402

MEMBERS, OTHERS = 20, 100


@pytest.fixture(scope="module")
def sets(sim):
    """Training, holdout and synthetic records, all different people, 10 s at 500 Hz."""
    return sim(MEMBERS, seed=1), sim(OTHERS, seed=2), sim(30, seed=3)


def by_heart(train, strangers) -> Critic:
    """Return a critic that scores 1 for what it was trained on and 0 for strangers.

    Random convolutions, and the last layer by least squares: as many weights as it takes.
    """
    torch.manual_seed(0)
    critic = Critic(4).requires_grad_(False)
    shape = [critic.fc1.in_features]
    seen: list[torch.Tensor] = []
    hook = critic.fc1.register_forward_pre_hook(lambda _, x: seen.append(x[0]))
    x = torch.from_numpy(np.concatenate([training_array(train), training_array(strangers)]))
    critic(x)
    hook.remove()
    wanted = (torch.arange(len(x)) < len(train)).double()
    weight = torch.linalg.pinv(seen[0].double()) @ wanted
    critic.fc1.weight[:] = weight.reshape(1, *shape).float()
    critic.fc1.bias[:] = 0
    return critic


@pytest.fixture(scope="module")
def checkpoint(sets, sim, tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "last.pt"
    critic = by_heart(sets[0], sim(60, seed=4))
    torch.save({"netG_state_dict": {}, "netD_state_dict": critic.state_dict()}, path)
    return path


def attacked(scores: dict[str, np.ndarray] | None) -> Results:
    """Return membership inference on records that give nobody away, with these scores."""
    rng = np.random.default_rng(5)
    x = [rng.normal(size=(n, 12)) for n in (MEMBERS, OTHERS, 300)]
    person = np.arange(MEMBERS + OTHERS)
    return membership(
        AttackedSets(*x, person[:MEMBERS], person[MEMBERS:]),
        critic=None if scores is None else np.concatenate([scores["train"], scores["holdout"]]),
        permutations=999,
    )


def scored(critic: Critic, sets) -> dict[str, np.ndarray]:
    pairs = zip(("train", "holdout"), sets[:2], strict=True)
    return {name: critic_scores(critic, s) for name, s in pairs}


def finding(results: Results, code: str = "PRIV-MIA"):
    return next(f for f in results.findings if f.code == code)


def test_a_critic_that_memorised_tells_who_was_trained_on(sets, checkpoint) -> None:
    scores = scored(load_critic(checkpoint)[0], sets)
    assert scores["train"] == pytest.approx(1, abs=0.01)
    results = attacked(scores)
    auc = results.estimate("privacy.mia.critic.auc")
    assert auc.value > 0.95
    assert auc.p == 0.001
    tpr = results.estimate("privacy.mia.critic.tpr_at_10pct")
    assert tpr.value > 0.8
    assert tpr.ci[0] > 0.5
    found = finding(results)
    assert found.verdict == Verdict.FAIL
    assert "the critic's score" in found.title
    assert "the critic's score p ≤ 0.001" in found.explanation
    # The records themselves give nobody away, and the finding says so.
    assert "attacks on the synthetic set p = 0." in found.explanation
    assert "no leak of the records" in found.explanation


def test_a_critic_that_knows_nobody_finds_nobody(sets) -> None:
    torch.manual_seed(1)
    results = attacked(scored(Critic(1).requires_grad_(False), sets))
    auc = results.estimate("privacy.mia.critic.auc")
    assert auc.ci[0] < 0.5 < auc.ci[1]
    assert auc.p > 0.05
    assert finding(results).verdict == Verdict.INCONCLUSIVE


def test_without_a_critic_nothing_speaks_of_one() -> None:
    results = attacked(None)
    assert not [e for e in results.estimates if "critic" in e.id]
    assert "critic" not in finding(results).explanation


def test_a_record_that_cannot_be_scored_is_no_member(sets, checkpoint) -> None:
    train = sets[0]
    signals = np.array(train.signals)
    signals[3, 2, 100] = np.nan
    scores = critic_scores(load_critic(checkpoint)[0], replace(train, signals=signals))
    assert np.isnan(scores).nonzero()[0].tolist() == [3]
    unknown = {"train": np.full(MEMBERS, np.nan), "holdout": np.arange(OTHERS) / OTHERS}
    results = attacked(unknown)
    assert results.estimate("privacy.mia.critic.auc").value < 0.05
    assert results.estimate("privacy.mia.critic.tpr_at_10pct").value == 0


def test_scores_do_not_depend_on_company_or_form(sets, checkpoint) -> None:
    critic = load_critic(checkpoint)[0]
    scores = critic_scores(critic, sets[1])
    assert np.array_equal(critic_scores(critic, sets[1].select(np.arange(33, 40))), scores[33:40])
    twelve = sets[1].with_leads(("I", "II", "III", "aVR", "V6", "V5", "V4", "V3", "V2", "V1"))
    assert critic_scores(critic, twelve) == pytest.approx(scores)
    assert critic_scores(critic, sets[1].resample(1000)) == pytest.approx(scores, abs=0.02)


def test_the_run_asks_the_critic_it_is_given(sets, checkpoint) -> None:
    given = {"source": "simulated"}
    config = make(train=given, holdout=given, synth=given, audit={"permutations": 999})
    assert Run(config).critic_of("pulse2pulse:10") is None
    assert Run(config).critic_of(sets[2]) is None
    assert Run(config).critic_of(checkpoint) == str(checkpoint)  # synth is such a checkpoint
    named = make(
        train=given,
        holdout=given,
        synth=given,
        audit={"permutations": 999, "critic": str(checkpoint)},
    )
    worker = Run(named)
    assert worker.critic_of("pulse2pulse:10") == str(checkpoint)
    sets = sets[0], sets[1].select(np.arange(40)), sets[2]
    results = worker.audit(*sets, critic=worker.critic_of(None))
    assert results.estimate("privacy.mia.critic.auc").value > 0.7
    assert results.estimate("privacy.mia.critic.auc").p == 0.001
    assert finding(results).verdict == Verdict.FAIL
    assert finding(results, "PRIV-EXCHANGE").verdict == Verdict.INCONCLUSIVE
    threats = next(t.frame() for t in results.tables if t.id == "privacy.threats")
    row = threats.set_index("attacker").loc["whoever holds the weights"]
    assert row["in scope"] == "in part"
    assert "beyond its critic's scores" in finding(results, "PRIV-NOT-TESTED").explanation
    assert len(worker.manifest(train=sets[0])["critic_sha256"]) == 64


def test_records_too_short_for_the_critic(sets, checkpoint) -> None:
    short = [s.crop(2500) for s in sets]
    given, told = {"source": "simulated"}, []
    settings = {"train": given, "holdout": given, "synth": given}
    found = Run(make(**settings), notify=told.append)._scores(str(checkpoint), {"train": short[0]})
    assert found is None
    assert "the records last 5 s" in told[0]
    asked = make(**settings, audit={"critic": str(checkpoint)})
    with pytest.raises(DataError, match="uncropped"):
        Run(asked)._scores(str(checkpoint), {"train": short[0]})


def test_files_without_a_critic_are_refused(tmp_path, sets) -> None:
    path = tmp_path / "epoch-00001.pt"
    with pytest.raises(DataError, match="does not exist"):
        load_critic(path)
    torch.save({"netG_state_dict": {}}, path)
    assert not with_critic(path)
    with pytest.raises(DataError, match="holds no critic"):
        load_critic(path)
    path.write_bytes(b"no checkpoint")
    assert not with_critic(path)
    with pytest.raises(DataError, match="damaged"):
        load_critic(path)
    broken = Critic(1).state_dict()
    broken["fc1.weight"] = torch.full_like(broken["fc1.weight"], torch.nan)
    torch.save({"netD_state_dict": broken}, path)
    assert with_critic(path)
    with pytest.raises(DataError, match="not finite"):
        load_critic(path)
    with pytest.raises(UsageError, match="expected one a record"):
        audit_sets(*sets, critic={"train": np.zeros(MEMBERS)})
