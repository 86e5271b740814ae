"""What is done over checkpoints, through the commands."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecgeval import sets, sweep
from ecgeval.errors import DataError, UsageError
from ecgeval.pipeline.config import make
from ecgeval.pipeline.run import Run
from ecgeval.results import Verdict, json_schema
from ecgeval.sweep.choosing import choose, rivals
from ecgeval.sweep.findings import best_finding
from ecgeval.sweep.scoring import people_of

torch = pytest.importorskip("torch")


def test_train_writes_checkpoints_pictures_and_curves(cli, sim, tmp_path) -> None:
    from ecgeval.io import write_store

    write_store(sim(12), tmp_path / "set")
    words = (
        "train",
        "wavegan-star",
        "--data",
        tmp_path / "set",
        "--out",
        tmp_path / "run",
        "--width",
        10,
        "--critic-width",
        1,
        "--batch",
        4,
        "--critic-steps",
        2,
        "--checkpoint-epochs",
        1,
    )
    code, out, err = cli(*words, "--epochs", 1)
    assert code == 0, err
    assert "epoch-00001.pt" in out
    code, out, _ = cli(*words, "--epochs", 2)  # the same command goes on
    assert code == 0
    assert "epoch-00002.pt" in out
    names = {p.name for p in (tmp_path / "run").rglob("*")}
    assert names >= {
        "epoch-00001.pt",
        "epoch-00002.pt",
        "epoch-00001.svg",
        "epoch-00002.svg",
        "history.svg",
    }
    assert len((tmp_path / "run" / "history.csv").read_text().splitlines()) == 3


def test_train_says_what_is_wrong(cli, sim, tmp_path) -> None:
    from ecgeval.io import write_store

    write_store(sim(12), tmp_path / "set")
    code, _, err = cli("train", "vae", "--data", tmp_path / "set", "--out", tmp_path / "run")
    assert (code, "architecture is 'vae'; expected pulse2pulse or wavegan-star" in err) == (2, True)
    code, _, err = cli("train", "pulse2pulse", "--data", tmp_path / "set", "--out", tmp_path / "r")
    assert code == 2
    assert "10 training records make 0 batches of 32 an epoch" in err
    words = ("train", "pulse2pulse", "--data", tmp_path / "set", "--out")
    code, _, err = cli(*words, "/dev/null/run")
    assert (code, "--out /dev/null/run cannot be made" in err) == (2, True)
    code, _, err = cli(*words, tmp_path / "set")
    assert (code, "holds ECGs; choose another folder" in err) == (2, True)


def test_a_folder_where_one_checkpoint_belongs_is_told_so(cli, folder, tmp_path) -> None:
    code, _, err = cli("generate", folder, "-n", 3, "--out", tmp_path / "out")
    assert (code, "is a folder; expected one checkpoint file" in err) == (3, True)
    (tmp_path / "empty").mkdir()
    for name, said in (("empty", "is a folder without a checkpoint"), ("none", "does not exist")):
        (tmp_path / "run.toml").write_text(
            f'real = "pulse2pulse:60"\nsynth = {{source = "{tmp_path / name}", n = 40}}\n'
        )
        code, _, err = cli("run", tmp_path / "run.toml", "--out", tmp_path / "out")
        assert (code, said in err) == (2, True), err


def test_a_holdout_that_a_checkpoint_was_trained_on_is_refused(real, folder, tmp_path) -> None:
    """Its own training record says who was trained on; other ids mean other data."""
    split = {"train": list(real.ids[:60]), "holdout": list(real.ids[60:])}
    state = torch.load(folder / "last.pt", weights_only=True)
    torch.save(state | {"training": {"split": split}}, tmp_path / "own.pt")
    told: list[str] = []
    run = Run(make(seed=1), notify=told.append)
    own = tmp_path / "own.pt"
    right = real.select(slice(0, 60)), real.select(slice(60, 100))
    run.check_holdout_unseen(*right, f"{own}:20")
    assert not told
    with pytest.raises(DataError, match=r"own\.pt was trained on 10 of the 20 holdout records"):
        run.check_holdout_unseen(right[0].select(slice(0, 50)), real.select(slice(50, 70)), own)
    run.check_holdout_unseen(real, None, own)
    assert "held 40 of the 100 training records out" in told[0]
    elsewhere = replace(real, records=real.records.set_axis([f"x{k}" for k in range(100)]))
    run.check_holdout_unseen(elsewhere.select(slice(60, 100)), real.select(slice(0, 20)), own)
    run.check_holdout_unseen(*right[::-1], folder / "last.pt")  # says nothing of its training
    assert len(told) == 1


def test_a_checkpoint_may_be_named_with_a_count(folder, cli) -> None:
    assert len(sets.read(f"{folder / 'epoch-100.pt'}:3")) == 3
    for name in ("run/one.pt", "run/one.pt:20"):
        assert sets.checkpoint_file(name) == "run/one.pt"
    assert sets.checkpoint_file("pulse2pulse:20") is None
    code, _, err = cli("info", folder / "epoch-100.pt")
    assert (code, "say how many, as in" in err) == (2, True)
    code, _, err = cli("info", folder / "none.pt")
    assert (code, "none.pt: no such file" in err) == (3, True)


# ---- scores -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder of four checkpoints: weights of Pulse2Pulse, spoiled less, not, and more.

    Only the third gives ECGs of people.
    """
    from ecgeval.generators.checkpoints import load

    path = tmp_path_factory.mktemp("checkpoints")
    whole = load("pulse2pulse").model.state_dict()
    for epoch, noise in ((5, 0.8), (10, 0.3), (100, 0.0), (200, 0.15)):
        torch.manual_seed(epoch)
        state = {k: v + noise * v.std() * torch.randn_like(v) for k, v in whole.items()}
        torch.save({"netG_state_dict": state}, path / f"epoch-{epoch}.pt")
    torch.save({"netG_state_dict": whole}, path / "last.pt")
    return path


@pytest.fixture(scope="module")
def real():
    """Return the people that Pulse2Pulse makes: the truth is known."""
    return sets.read("pulse2pulse:100", seed=77)


@pytest.fixture(scope="module")
def swept(folder, real, tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    results = sweep.sweep(folder, real, n=60, seed=1, parts=("fidelity",), quick=True, cache=cache)
    return results, cache


def test_checkpoints_are_taken_by_epoch_and_the_state_to_go_on_from_left_out(folder, tmp_path):
    names = [p.stem for p in sets.checkpoints(folder)]
    assert names == ["epoch-5", "epoch-10", "epoch-100", "epoch-200"]
    assert sets.checkpoints(tmp_path) == []
    (tmp_path / "last.pt").write_bytes(b"")
    assert [p.stem for p in sets.checkpoints(tmp_path)] == ["last"]


def test_the_best_is_found_and_confirmed_on_other_patients(swept) -> None:
    results, _ = swept
    best = results.findings[0]
    assert (best.code, best.verdict) == ("SWEEP-BEST", Verdict.PASS)
    assert best.title.startswith("epoch-100 is chosen; the choice holds")
    value = {e.id: e for e in results.estimates}
    energy = {k: value[f"sweep.epoch-{k}.energy"].value for k in (5, 10, 100, 200)}
    assert energy[100] < energy[200] < min(energy[5], energy[10])
    again = value["sweep.epoch-100.confirmed"]
    assert again.ci[0] <= 0 <= again.ci[1] or again.value < 0.1
    assert value["sweep.epoch-200.chosen_less"].ci[1] < 0
    gates = [value[f"sweep.epoch-{k}.gates_passed"].value for k in (5, 100)]
    assert gates[0] < gates[1]


def test_choosing_and_confirming_share_neither_patients_nor_noise(swept, real, folder) -> None:
    results, _ = swept
    people = people_of(Run(make(seed=1)), folder / "epoch-5.pt", real)
    assert not set(people.choose.patients()) & set(people.confirm.patients())
    assert sorted([*people.choose.ids, *people.confirm.ids]) == sorted(real.ids)
    told = results.manifest["sets"]
    assert told["choose"]["n"] + told["confirm"]["n"] == len(real)
    assert told["choose"]["fingerprint"] != told["confirm"]["fingerprint"]
    fresh = sets.read(folder / "epoch-100.pt", n=60, seed=2)  # scored with seed 1
    assert told["synth"]["fingerprint"] == fresh.fingerprint()
    assert results.estimate("fidelity.hr_bpm.ks").n_real <= told["confirm"]["n"]


def test_the_same_seed_gives_the_same_bytes_and_they_are_valid(swept, folder, real) -> None:
    import jsonschema

    results, cache = swept
    again = sweep.sweep(
        folder, real, n=60, seed=1, parts=("fidelity",), quick=True, cache=cache, jobs=2
    )
    assert again.to_json() == results.to_json()
    jsonschema.validate(json.loads(results.to_json()), json_schema())


def test_every_finding_and_statistic_is_explained(swept) -> None:
    from ecgeval.report import explain
    from ecgeval.report.explain import statistic

    results, _ = swept
    own = [e.id for e in results.estimates if e.id.startswith("sweep.")]
    assert {str(statistic(id).code)[:6] for id in own} == {"sweep_"}  # type: ignore[union-attr]
    assert statistic("sweep.epoch-5.memory_d2").code == "sweep_memory"  # type: ignore[union-attr]
    for code in (
        "SWEEP-BEST",
        "SWEEP-MEMORY",
        "SWEEP-DAMAGED",
        "DIFF-GATES",
        "DIFF-MOVED",
        "DIFF-INPUTS",
    ):
        assert explain(code).definition


def test_flat_checkpoints_are_scored_as_the_worst(folder, real, tmp_path) -> None:
    from ecgeval.generators.wavegan import WaveGANStar

    torch.manual_seed(0)
    torch.save(WaveGANStar(10).state_dict(), tmp_path / "epoch-1.pt")  # a network before training
    paths = [tmp_path / "epoch-1.pt", folder / "epoch-100.pt"]
    results = sweep.sweep(paths, real, n=40, parts=())
    assert results.findings[0].title.startswith("epoch-100 is chosen")
    flat = results.estimate("sweep.epoch-1.energy")
    assert flat.value > 10 * abs(results.estimate("sweep.epoch-100.energy").value)
    assert results.estimate("sweep.epoch-1.gates_passed").value == 0


def test_a_checkpoint_that_repeats_its_patients_is_set_aside(folder, real, monkeypatch) -> None:
    """Its records are nearest to people, for they are people's: only the look at memory tells."""
    train, copied = sets.read("pulse2pulse:60", seed=78), folder / "epoch-200.pt"
    honest = sweep.Scorer.fresh

    def fresh(self, path, seed):
        if path != copied:
            return honest(self, path, seed)
        rng = np.random.default_rng(seed)
        rows = train.select(np.sort(rng.choice(len(train), self.n, replace=False)))
        noise = rng.normal(0, 0.01, rows.signals.shape)
        return replace(rows, signals=(rows.signals[:] + noise).astype(np.float32))

    monkeypatch.setattr(sweep.Scorer, "fresh", fresh)
    results = sweep.sweep([folder / "epoch-10.pt", copied], real, train=train, n=40, parts=())
    energy = [results.estimate(f"sweep.epoch-{k}.energy").value for k in (200, 10)]
    assert energy[0] < energy[1]
    best, memory = results.findings
    assert best.title.startswith("epoch-10 is chosen; the choice does not hold")
    assert "Set aside for copies of training patients: epoch-200" in best.explanation
    assert memory.verdict == Verdict.FAIL
    assert results.estimate("sweep.epoch-200.copies_count").value > 30
    assert results.estimate("sweep.epoch-200.memory_d2").value > 0.6
    assert results.estimate("sweep.epoch-10.copies_count").value == 0


def test_a_damaged_checkpoint_is_named_and_left_out(folder, real, tmp_path) -> None:
    whole = (folder / "epoch-100.pt").read_bytes()
    good, cut, none = (tmp_path / f"epoch-{k}.pt" for k in (1, 2, 3))
    good.write_bytes(whole)
    cut.write_bytes(whole[: len(whole) // 2])
    none.write_bytes(b"")
    results = sweep.sweep(tmp_path, real, n=40, parts=())
    skipped = results.findings[-1]
    assert (skipped.code, skipped.gate) == ("SWEEP-DAMAGED", False)
    assert "2 of 3 checkpoints cannot be read" in skipped.title
    assert "epoch-2.pt, epoch-3.pt" in skipped.title
    assert str(tmp_path) not in skipped.explanation
    assert [c["file"] for c in results.manifest["checkpoints"]] == ["epoch-1.pt"]
    with pytest.raises(DataError, match=r"none of 2 checkpoints can be used; .* epoch-2\.pt"):
        sweep.sweep([cut, none], real)
    with pytest.raises(DataError, match=r"epoch-2\.pt is damaged or no torch file"):
        sweep.sweep([cut], real)


def scored(name: str, energy: float, copies: int = 0, epoch: float = 0) -> sweep.Score:
    from ecgeval.privacy.quick import Look
    from ecgeval.results import Estimate
    from ecgeval.sweep.ranking import Energy

    distance = Energy(energy, (energy, energy), (0, 0), np.zeros(3), (1, 1), (1, 1))
    look = Look(copies, 1, (), 1.0, 9)
    return sweep.Score(Path(name), epoch, distance, (0, 1), Estimate("a.b", 0.0), look, 1, 1)


def test_the_rule_sets_copies_aside_and_takes_the_earlier_of_equals() -> None:
    a, b, c = scored("a", 1.0), scored("b", 0.5, copies=2), scored("c", 0.7)
    assert choose([a, b, c]) is c
    assert choose([b, scored("d", 0.9, copies=3)]) is b  # none without copies
    late, early = scored("late", 1.0, epoch=9), scored("early", 1.0, epoch=3)
    assert choose([late, early]) is early
    assert rivals([a, b, c], c) == [a]  # the next best is a; the last is chosen itself
    assert rivals([c, b, a, late], c) == [a, late]
    assert rivals([a], a) == []


def test_a_choice_that_does_not_hold_is_said_not_to() -> None:
    from ecgeval.sweep.ranking import Energy

    def confirmed(value: float) -> Energy:
        return Energy(value, (value, value), (0, 0), np.zeros(3), (1, 1), (1, 1))

    scores = [scored("a", 0.1), scored("b", 0.2)]
    both = {"a": confirmed(0.5), "b": confirmed(0.3)}
    for ci, verdict, words in (
        ((0.1, 0.3), Verdict.FAIL, "does not hold on other patients: b is closer"),
        ((-0.1, 0.3), Verdict.INCONCLUSIVE, "is not told from b"),
        ((-0.3, -0.1), Verdict.PASS, "holds on other patients: closer than b"),
    ):
        finding = best_finding(scores, scores[0], both, {"b": (0.2, ci)})
        assert finding.verdict == verdict
        assert words in finding.title
    assert "made it look better than it is" in finding.explanation


def test_too_few_patients_and_none_unseen_are_refused(folder, real) -> None:
    few = real.select(slice(0, 39))
    with pytest.raises(DataError, match=r"39 patients are left .* at least 40"):
        sweep.sweep(folder, few)
    with pytest.raises(UsageError, match="patients that training never saw"):
        sweep.sweep(folder)
    with pytest.raises(UsageError, match="no checkpoint was given"):
        sweep.sweep([], real)
    unknown = replace(real, records=real.records.assign(patient_id=pd.NA))
    with pytest.raises(UsageError, match="no patient id"):
        sweep.sweep(folder, unknown)


def test_a_configuration_names_a_folder_of_checkpoints(cli, folder, real, tmp_path) -> None:
    from ecgeval.io import write_store

    write_store(real, tmp_path / "real")
    few = tmp_path / "few"
    few.mkdir()
    for name in ("epoch-100.pt", "epoch-200.pt"):
        (few / name).symlink_to(folder / name)
    (tmp_path / "run.toml").write_text(
        'real = "real"\nsynth = {source = "few", n = 40}\nquick = true\n'
        '[compare]\nparts = ["fidelity"]\n[report]\nformats = ["html"]\n'
    )
    code, out, err = cli("run", tmp_path / "run.toml", "--out", tmp_path / "out")
    assert code in (0, 1, 3), err
    assert "epoch-100 is chosen" in out
    assert "Checkpoints" in out
    assert (tmp_path / "out" / "figures" / "sweep.scores.svg").exists()
    assert (
        len((tmp_path / "out" / "tables" / "sweep.checkpoints.csv").read_text().splitlines()) == 3
    )


def test_scores_while_training_change_no_weight_and_use_the_patients_held_out(
    sim, tmp_path
) -> None:
    from ecgeval.generators.checkpoints import trained_on
    from ecgeval.generators.training import Settings

    ecgs = sim(100, seed=5)
    settings = Settings(
        "wavegan-star", 10, 1, epochs=2, batch=16, critic_steps=2, checkpoint_epochs=1, holdout=0.5
    )
    plain = sweep.train(ecgs, tmp_path / "plain", settings)
    last = sweep.train(ecgs, tmp_path / "scored", settings, score=ecgs, score_records=20)
    weights = [torch.load(p, weights_only=True)["netG_state_dict"] for p in (plain, last)]
    assert all(torch.equal(weights[0][k], weights[1][k]) for k in weights[0])
    table = pd.read_csv(tmp_path / "scored" / "scores.csv")
    assert table["checkpoint"].tolist() == ["epoch-00001", "epoch-00002"]
    assert (tmp_path / "scored" / "scores.svg").exists()
    people = people_of(Run(make()), last, ecgs)
    split = trained_on(last)["split"]
    assert set(people.choose.ids) | set(people.confirm.ids) == set(split["holdout"])
    assert people.train is not None
    assert set(people.train.ids) == set(split["train"])
    assert table["against"].iloc[0] == people.choose.fingerprint()[:12]
    # A row that is missing, as after a kill, is made up for; the others are kept.
    table.iloc[1:].assign(energy=7.0).to_csv(tmp_path / "scored" / "scores.csv", index=False)
    more = replace(settings, epochs=3)
    sweep.train(ecgs, tmp_path / "scored", more, score=ecgs, score_records=20)
    again = pd.read_csv(tmp_path / "scored" / "scores.csv")
    assert again["checkpoint"].tolist() == [f"epoch-0000{k}" for k in (1, 2, 3)]
    assert again["energy"].iloc[0] == pytest.approx(table["energy"].iloc[0])
    assert again["energy"].iloc[1] == 7.0


@pytest.fixture(scope="module")
def scored_run(sim, tmp_path_factory):
    from ecgeval.generators.training import Settings

    folder, ecgs = tmp_path_factory.mktemp("scored"), sim(100, seed=5)
    settings = Settings(
        "wavegan-star", 10, 1, epochs=3, batch=16, critic_steps=2, checkpoint_epochs=1, holdout=0.5
    )
    cache = folder / "cache"
    sweep.train(ecgs, folder / "run", settings, score=ecgs, score_records=20, cache=cache)
    return folder, ecgs, settings


@pytest.mark.parametrize("when", [2, 4, 5])
def test_scores_after_a_stop_are_the_bytes_of_an_uninterrupted_run(
    scored_run, tmp_path, monkeypatch, when
) -> None:
    """Stopped before a checkpoint is scored, or with its row not yet written; also the last."""
    from ecgeval.sweep import training

    folder, ecgs, settings = scored_run
    how = {"score": ecgs, "score_records": 20, "cache": folder / "cache"}
    calls: list[str] = []

    def dying(function):
        def call(*words, **named):
            calls.append(function.__name__)
            if len(calls) == when + 1:
                raise KeyboardInterrupt
            return function(*words, **named)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(training.Scorer, "__call__", dying(training.Scorer.__call__))
        patch.setattr(training, "score_curves", dying(training.score_curves))
        with pytest.raises(KeyboardInterrupt):
            sweep.train(ecgs, tmp_path, settings, **how)
    sweep.train(ecgs, tmp_path, settings, **how)
    names = ["scores.csv", "scores.svg", "epoch-00003.pt", "samples/epoch-00003.svg"]
    for name in names:
        assert (tmp_path / name).read_bytes() == (folder / "run" / name).read_bytes(), name


def test_scores_that_cannot_be_are_refused_before_training(sim, tmp_path) -> None:
    from ecgeval.generators.training import Settings

    ecgs = sim(50, seed=5)
    settings = Settings("wavegan-star", 10, 1, epochs=1, batch=4, critic_steps=2)
    with pytest.raises(DataError, match="10 patients are left that training did not see"):
        sweep.train(ecgs, tmp_path / "run", settings, score=ecgs)
    with pytest.raises(UsageError, match=r"trained on all patients .* --holdout above 0"):
        sweep.train(ecgs, tmp_path / "run", replace(settings, holdout=0.0), score=ecgs)
    assert not (tmp_path / "run").exists()
