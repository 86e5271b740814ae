"""Training: the networks as tabulated, runs that survive being killed, data that cannot be used."""

from __future__ import annotations

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from ecgeval.errors import DataError, UsageError  # noqa: E402
from ecgeval.generators import checkpoints  # noqa: E402
from ecgeval.generators.critic import Critic, phase_shuffle  # noqa: E402
from ecgeval.generators.training import Settings, _Run, split_patients, train, training_array  # noqa: E402

TINY = Settings(
    "wavegan-star",
    width=10,
    critic_width=1,
    epochs=2,
    batch=4,
    critic_steps=2,
    checkpoint_epochs=1,
    ema=0.9,
    seed=3,
)


@pytest.fixture(autouse=True)
def one_torch_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_critic_has_the_published_size() -> None:
    with torch.device("meta"):
        critic = Critic(50)
    assert sum(p.numel() for p in critic.parameters()) == pytest.approx(203.9e6, rel=5e-4)
    assert critic.fc1.in_features == 500 * 50


def test_critic_gives_a_number_a_record_and_no_chance_outside_training() -> None:
    critic = Critic(1)
    x = torch.rand(3, 8, 5000)
    first, second = critic(x), critic(x)
    assert first.shape == (3,)
    assert torch.equal(first, second)
    assert not torch.equal(first, critic(x, torch.full((6, 3), 2)))


def test_phase_shuffle_moves_and_mirrors() -> None:
    x = torch.tensor([0.0, 1, 2, 3, 4]).expand(3, 1, 5)
    moved = phase_shuffle(x, torch.tensor([2, 0, -2]))[:, 0]
    assert moved.tolist() == [[2, 1, 0, 1, 2], [0, 1, 2, 3, 4], [2, 3, 4, 3, 2]]


def test_the_critic_by_products_is_the_critic_up_to_second_derivatives() -> None:
    """The form that runs on CUDA, here on the CPU, in double precision."""
    critic = Critic(2).double()
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(3, 8, 5000, dtype=torch.float64, generator=generator)
    shifts = torch.randint(-2, 3, (6, 3), generator=generator)

    def derivatives(forward):
        x.requires_grad_().grad = None
        critic.zero_grad()
        score = forward(x, shifts)
        (slope,) = torch.autograd.grad(score.sum(), x, create_graph=True)
        (slope.square().sum() * 1e6).backward()
        return score, slope, x.grad, critic.convs[2].weight.grad.clone()

    plain = derivatives(critic)
    critic.lay_for_products()
    products = derivatives(critic._by_products)
    for one, other in zip(plain, products, strict=True):
        one, other = one.detach(), other.detach()
        torch.testing.assert_close(other, one, rtol=1e-9, atol=1e-12 * one.abs().max().item())


def test_gradient_penalty_of_a_linear_critic_is_known(sim) -> None:
    """A critic w.x has slope w everywhere, so the penalty is (|w| - 1)^2."""

    class Linear(torch.nn.Module):
        convs = (None,) * 7

        def __init__(self) -> None:
            super().__init__()
            self.w = torch.nn.Parameter(torch.full((8 * 5000,), 3 / 200))  # |w| = 3

        def forward(self, x, shifts=None):
            return x.flatten(1) @ self.w

    run = _Run(TINY, training_array(sim(4)), torch.device("cpu"))
    run.critic = Linear()
    run.by["critic"] = torch.optim.SGD(run.critic.parameters(), 0.0)
    found = {k: float(v) for k, v in run._critic_step(run.data, np.random.default_rng(0)).items()}
    assert found["penalty"] == pytest.approx(4, rel=1e-4)
    assert found["critic_loss"] == pytest.approx(40 - found["distance"], rel=1e-4)


def test_parts_of_a_batch_give_the_same_gradient(sim) -> None:
    data = torch.from_numpy(training_array(sim(4)))
    whole, parts = (
        _Run(Settings(**{**vars(TINY), "accumulate": k}), data.numpy(), torch.device("cpu"))
        for k in (1, 3)
    )
    a = whole._critic_step(data, np.random.default_rng(0))
    b = parts._critic_step(data, np.random.default_rng(0))
    for name, value in a.items():
        assert float(value) == pytest.approx(float(b[name]), rel=1e-4, abs=1e-6)
    for one, other in zip(whole.critic.parameters(), parts.critic.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-3, atol=1e-6)


def test_a_stopped_run_goes_on_as_if_it_had_not(sim, tmp_path) -> None:
    ecgs = sim(12)
    whole = train(ecgs, tmp_path / "whole", TINY)
    train(ecgs, tmp_path / "parts", Settings(**{**vars(TINY), "epochs": 1}))
    again = train(ecgs, tmp_path / "parts", TINY)
    assert whole.name == again.name == "epoch-00002.pt"
    a, b = (torch.load(p, weights_only=True) for p in (whole, again))
    for key in ("netG_state_dict", "ema_state_dict"):
        for name, value in a[key].items():
            assert torch.equal(value, b[key][name]), name


@pytest.mark.parametrize("when", range(6))
def test_a_run_stopped_anywhere_goes_on_alike(sim, tmp_path, monkeypatch, when) -> None:
    """Stopped before a step, or with a file written and not yet in its place."""
    from ecgeval.generators import training

    ecgs, moments = sim(12), []

    def dying(function):
        def call(*words, **named):
            moments.append(function.__name__)
            if len(moments) == 2 * when + 1:
                raise KeyboardInterrupt
            return function(*words, **named)

        return call

    whole = train(ecgs, tmp_path / "whole", TINY)
    with monkeypatch.context() as patch:
        patch.setattr(training, "_settle", dying(training._settle))
        patch.setattr(_Run, "_critic_step", dying(_Run._critic_step))
        with pytest.raises(KeyboardInterrupt):
            train(ecgs, tmp_path / "stopped", TINY)
    again = train(ecgs, tmp_path / "stopped", TINY)
    a, b = (torch.load(path, weights_only=True)["netG_state_dict"] for path in (whole, again))
    assert all(torch.equal(a[name], b[name]) for name in a)
    files = {path.name for path in (tmp_path / "stopped").iterdir()}
    assert files >= {"last.pt", "training.json", "history.csv", "epoch-00002.pt"}


def test_one_patient_cannot_be_held_out(sim) -> None:
    with pytest.raises(UsageError, match="of 1 patients leaves one side empty; use more patients"):
        split_patients(sim(1), 0.2, 0)


@pytest.mark.parametrize("epoch", [1, 2])
def test_what_follows_a_checkpoint_is_made_up_for(sim, tmp_path, epoch) -> None:
    """Stopped while a checkpoint was looked at, even the last one: it is looked at again."""
    ecgs, seen = sim(12), []

    def stopped(path, history):
        seen.append((path.name, history["epoch"]))
        if history["epoch"] == epoch:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(ecgs, tmp_path, TINY, after=stopped)
    (tmp_path / "history.csv").unlink()  # as when stopped between last.pt and this file
    again = []
    train(ecgs, tmp_path, TINY, after=lambda p, h: again.append((p.name, h["epoch"])))
    both = [("epoch-00001.pt", 1), ("epoch-00002.pt", 2)]
    assert seen == both[:epoch]
    assert again == both[epoch - 1 :]
    assert (tmp_path / "history.csv").read_text().count("\n") == 3


def test_a_trained_checkpoint_is_a_generator(sim, tmp_path) -> None:
    ecgs = sim(12)
    seen = []
    path = train(ecgs, tmp_path, TINY, after=lambda p, h: seen.append((p.name, h["epoch"])))
    weights = checkpoints.load(path)
    assert (weights.architecture, weights.width, weights.key) == (
        "wavegan-star",
        10,
        "ema_state_dict",
    )
    assert seen == [("epoch-00001.pt", 1), ("epoch-00002.pt", 2)]
    manifest = json.loads((tmp_path / "training.json").read_text())
    sides = [set(manifest["split"][side]) for side in ("train", "holdout")]
    assert not sides[0] & sides[1]
    assert len(sides[1]) == round(0.2 * 12)
    assert torch.load(path, weights_only=True)["training"] == manifest
    assert (tmp_path / "history.csv").read_text().count("\n") == 3


def test_the_holdout_is_made_of_whole_patients(sim) -> None:
    ecgs = sim(30)
    ecgs.records["patient_id"] = [f"p{i // 3}" for i in range(30)]
    rows, held = split_patients(ecgs, 0.3, 0)
    who = np.asarray(ecgs.patients())
    assert not set(who[rows]) & set(who[held])
    assert len(held) == 9
    other = split_patients(ecgs, 0.3, 1)[1]
    assert set(other) != set(held)


def test_other_settings_or_data_are_another_run(sim, tmp_path) -> None:
    ecgs = sim(12)
    one = Settings(**{**vars(TINY), "epochs": 1})
    train(ecgs, tmp_path, one)
    with pytest.raises(UsageError, match="other learning_rate"):
        train(ecgs, tmp_path, Settings(**{**vars(one), "learning_rate": 1e-3}))
    with pytest.raises(UsageError, match="other data"):
        train(sim(12, seed=1), tmp_path, one)
    for content in (b"half a file", None):
        if content is None:  # a kept checkpoint has no critic to go on with
            torch.save({"netG_state_dict": {}}, tmp_path / "last.pt")
        else:
            (tmp_path / "last.pt").write_bytes(content)
        with pytest.raises(DataError, match=r"last\.pt is damaged"):
            train(ecgs, tmp_path, one)
    (tmp_path / "last.pt").unlink()
    with pytest.raises(UsageError, match=r"training\.json is of a run with other seed"):
        train(ecgs, tmp_path, Settings(**{**vars(one), "seed": 9}))
    for text in ('{"settings', "7"):
        (tmp_path / "training.json").write_text(text)
        with pytest.raises(DataError, match=r"training\.json is damaged"):
            train(ecgs, tmp_path, one)


def test_fewer_batches_than_critic_steps_are_refused(sim, tmp_path) -> None:
    with pytest.raises(UsageError, match="10 training records make 2 batches of 4 an epoch, fewer"):
        train(sim(12), tmp_path, Settings(**{**vars(TINY), "critic_steps": 3}))


@pytest.mark.parametrize(
    ("factor", "said"),
    [(1000, "looks like µV"), (1e-3, "looks like no ECG in mV"), (7.5, r"beyond ±6 mV")],
)
def test_a_wrong_unit_is_refused(sim, factor, said) -> None:
    """Left alone, tanh would clip the records and the generator learn a square wave."""
    ecgs = sim(6)
    span = np.median(np.ptp(ecgs.signals, axis=2))
    ecgs.signals[:] *= factor / (span if factor == 7.5 else 1)
    with pytest.raises(DataError, match=said):
        training_array(ecgs)


def test_what_is_no_number_is_refused(sim, tmp_path) -> None:
    ecgs = sim(12)
    ecgs.signals[4, 0, 0] = np.nan
    with pytest.raises(DataError, match="1 training records hold values that are no number"):
        training_array(ecgs)
    with pytest.raises(DataError, match="is no number in epoch"):
        train(sim(12), tmp_path, Settings(**{**vars(TINY), "learning_rate": 1e18}))


def test_millivolts_become_shares_of_six(sim) -> None:
    ecgs = sim(3)
    x = training_array(ecgs)
    assert x.dtype == np.float32
    np.testing.assert_allclose(6 * x, ecgs.signals, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("width", 15),
        ("batch", 0),
        ("ema", 1.0),
        ("holdout", 1.0),
        ("learning_rate", float("inf")),
        ("beta1", 1.0),
        ("penalty", float("nan")),
        ("architecture", "x"),
    ],
)
def test_settings_say_what_they_expect(name, value) -> None:
    with pytest.raises(UsageError, match=f"{name} is {value!r}; expected"):
        Settings(**{name: value})
