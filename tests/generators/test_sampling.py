"""Sampling: the published records, the same bytes however they are asked for, and the traps."""

import copy
import subprocess
import sys

import numpy as np
import pytest
import torch

from ecgeval.errors import DataError, UsageError
from ecgeval.generators import (
    LEADS,
    describe,
    generate,
    published,
    stream,
    stream_published,
    synthesize,
)
from ecgeval.generators import sampling as module
from ecgeval.generators.checkpoints import load
from ecgeval.generators.layers import fast
from ecgeval.generators.noise import philox_noise, published_noise
from ecgeval.generators.pulse2pulse import Pulse2Pulse
from ecgeval.generators.wavegan import WaveGANStar


@pytest.fixture(scope="module")
def seventy():
    return generate("pulse2pulse", 70, seed=3)


@pytest.fixture(scope="module")
def first_published():
    return published(range(96))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A narrow network with weights large enough for a signal of some hundred microvolts."""
    torch.manual_seed(2)
    model = Pulse2Pulse(10)
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(2)
    path = tmp_path_factory.mktemp("checkpoint") / "mine.pt"
    torch.save(model.state_dict(), path)
    return path


# ---- the published set -------------------------------------------------------------------------


def test_published_records_are_the_reference_records(real_data, first_published) -> None:
    reference = np.load(real_data("deepfake") / "published_ids_0_15_int16_uV.npz")
    ours = first_published.signals.integers(slice(0, 16)).astype(int)
    difference = np.abs(ours - reference["signals"])
    assert tuple(reference["leads"]) == LEADS
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.002  # .0007 with AVX-512, .0012 with AVX2


def test_fast_network_is_the_published_graph() -> None:
    """Equal in double precision; in single precision within the rounding of either."""
    weights = load("pulse2pulse")
    z = torch.from_numpy(np.stack(list(published_noise(range(16), (8, 5000)))))
    with torch.inference_mode():
        single = 6000 * (weights.fast(z) - weights.model(z)).abs().numpy()
        model = copy.deepcopy(weights.model).double()
        double = 6000 * (fast(model)(z[:2].double()) - model(z[:2].double())).abs().numpy()
    assert double.max() < 1e-6
    assert np.quantile(single, 0.9999) <= 0.02  # .016 with AVX2
    assert single.max() <= 0.05


def test_published_records_need_the_published_noise(real_data) -> None:
    """One draw off, and the records are other records: the comparison above can fail."""
    reference = np.load(real_data("deepfake") / "published_ids_0_15_int16_uV.npz")["signals"][0]
    shifted = np.roll(next(published_noise([0], (8, 5000))).ravel(), 1).reshape(1, 8, 5000)
    wrong = synthesize(load("pulse2pulse"), shifted)[0]
    assert np.abs(wrong.astype(int) - reference).max() > 100


def test_published_set_has_its_known_amplitudes(first_published) -> None:
    """Range of ids 0-599 and lead SDs (I, II, V1-V6), within 3 SE of their mean squares."""
    uv = first_published.signals.raw.astype(float)
    assert uv.min() >= -3050
    assert uv.max() <= 3684
    power = ((uv - uv.mean(axis=(0, 2), keepdims=True)) ** 2).mean(axis=2)
    error = power.std(axis=0, ddof=1) / np.sqrt(len(power))
    known = np.array([115, 145, 150, 255, 228, 226, 205, 167]) ** 2
    np.testing.assert_array_less(np.abs(power.mean(axis=0) - known), 3 * error)


def test_published_ids_in_any_order_and_as_text(first_published) -> None:
    some = published(["90", "2", "41"])
    assert list(some.ids) == ["90", "2", "41"]
    assert list(some.records["patient_id"]) == ["90", "2", "41"]
    assert set(some.records["source"]) == {"deepfake (regenerated)"}
    expected = first_published.select(["90", "2", "41"])
    np.testing.assert_array_equal(some.signals[:], expected.signals[:])


def test_published_stream_is_ascending_and_the_same(first_published) -> None:
    batches = list(stream_published([5, 3, 4, 60], batch_size=3))
    assert [ids for _, ids in batches] == [["3", "4", "5"], ["60"]]
    np.testing.assert_array_equal(
        np.concatenate([b for b, _ in batches]), first_published.signals.raw[[3, 4, 5, 60]]
    )


@pytest.mark.parametrize(
    ("ids", "says"),
    [
        ([150_000], "'150000' is no id"),
        ([-1], "'-1' is no id"),
        (["s1"], "'s1' is no id"),
        ([1.5], "'1.5' is no id"),
        ([4, 2, 4], "id 4 .* given twice"),
        ([], "no ids"),
    ],
)
def test_ids_outside_the_published_set_are_refused(ids, says) -> None:
    with pytest.raises(UsageError, match=says):
        published(ids)


# ---- fresh records -----------------------------------------------------------------------------


def test_fresh_records_are_ecgs(seventy) -> None:
    assert len(seventy) == 70
    assert seventy.leads == LEADS
    assert (seventy.fs, seventy.n_samples) == (500.0, 5000)
    assert seventy.ids[5] == "pulse2pulse-s3-5"
    assert list(seventy.patients()) == list(seventy.ids)
    assert seventy.records["source"].iloc[0] == "pulse2pulse weights=676619cb3b81 seed=3"
    sd = 1000 * seventy.signals[:].std(axis=(0, 2))
    np.testing.assert_allclose(sd, [115, 145, 150, 255, 228, 226, 205, 167], rtol=0.2)


@pytest.mark.parametrize("batch_size", [1, 7, 70, 1000])
def test_batch_size_does_not_change_a_record(seventy, batch_size) -> None:
    batches = list(stream("pulse2pulse", 70, seed=3, batch_size=batch_size))
    assert {len(b) for b, _ in batches[:-1]} <= {batch_size}
    assert [i for _, ids in batches for i in ids] == list(seventy.ids)
    np.testing.assert_array_equal(np.concatenate([b for b, _ in batches]), seventy.signals.raw)


@pytest.mark.parametrize(("start", "n"), [(0, 1), (31, 2), (45, 25), (69, 1)])
def test_number_and_start_do_not_change_a_record(seventy, start, n) -> None:
    part = generate("pulse2pulse", n, seed=3, start=start)
    assert list(part.ids) == list(seventy.ids[start : start + n])
    np.testing.assert_array_equal(part.signals.raw, seventy.signals.raw[start : start + n])


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_do_not_change_a_record_and_are_left_alone(seventy, threads) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        part = generate("pulse2pulse", 40, seed=3)
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(part.signals.raw, seventy.signals.raw[:40])


def test_records_depend_on_the_seed(seventy) -> None:
    other = generate("pulse2pulse", 2, seed=4)
    assert np.abs(other.signals[0] - seventy.signals[0]).max() > 0.1


def test_samples_are_the_direct_graphs_truncated_toward_zero(seventy) -> None:
    z = torch.from_numpy(np.stack([philox_noise(3, i, (8, 5000)) for i in range(4)]))
    with torch.inference_mode():
        uv = 6000 * load("pulse2pulse").model(z).double().numpy()
    ours = seventy.signals.raw[:4].astype(float)
    assert ((np.trunc(uv) != ours).mean()) < 0.002
    assert ((np.round(uv) != ours).mean()) > 0.3


def test_a_stream_left_early_restores_threads_and_stops(checkpoint) -> None:
    before = torch.get_num_threads()
    batches = stream(checkpoint, 10**6, batch_size=5)
    next(batches)
    batches.close()
    assert torch.get_num_threads() == before


def test_a_stream_draws_noise_only_as_it_is_read(checkpoint, monkeypatch) -> None:
    drawn = []
    monkeypatch.setattr(
        module, "philox_noise", lambda s, i, shape: drawn.append(i) or philox_noise(s, i, shape)
    )
    batches = stream(checkpoint, 10**6, batch_size=10)
    next(batches)
    assert len(drawn) <= module.BLOCK * (torch.get_num_threads() + 2)
    batches.close()


def test_twelve_leads_are_derived_on_request() -> None:
    eight = generate("pulse2pulse", 2)
    twelve = generate("pulse2pulse", 2, leads=("I", "II", "III", "aVR", "aVL", "aVF", "V6"))
    mv = dict(zip(twelve.leads, twelve.signals[:].transpose(1, 0, 2), strict=True))
    np.testing.assert_array_equal(mv["V6"], eight.signals[:, 7])
    np.testing.assert_allclose(mv["I"] + mv["III"], mv["II"], atol=1e-6)
    np.testing.assert_allclose(mv["aVR"] + mv["aVL"] + mv["aVF"], 0, atol=1e-6)


@pytest.mark.parametrize("make", [lambda **k: generate("pulse2pulse", 10**9, **k), published])
def test_an_unknown_lead_is_refused_before_anything_is_generated(make) -> None:
    arguments = {"ids": range(10**5)} if make is published else {}
    with pytest.raises(UsageError, match="V7"):
        make(leads=("V7",), **arguments)


def test_progress_counts_records(checkpoint) -> None:
    seen = []
    generate(checkpoint, 50, batch_size=20, progress=lambda *a: seen.append(a))
    assert seen == [("generate", k, 50) for k in (0, 20, 40, 50)]


# ---- checkpoints of the user's own -------------------------------------------------------------


def test_a_users_checkpoint_generates_and_says_what_is_assumed(checkpoint) -> None:
    ecgs = generate(checkpoint, 3, seed=1)
    name = load(checkpoint).name
    assert list(ecgs.ids) == [f"{name}-s1-{i}" for i in range(3)]
    assert "6000 µV are assumed" in ecgs.notes[0]
    assert ecgs.signals[:].std() > 0.001


def test_wavegan_star_generates_from_a_users_checkpoint(tmp_path) -> None:
    torch.manual_seed(0)
    torch.save({"generator": WaveGANStar(10).state_dict()}, tmp_path / "wavegan.pt")
    ecgs = generate(tmp_path / "wavegan.pt", 33)
    np.testing.assert_array_equal(
        generate(tmp_path / "wavegan.pt", 1, start=32).signals[:], ecgs.signals[32:]
    )
    assert describe(tmp_path / "wavegan.pt")["architecture"] == "wavegan-star"


def test_output_that_overflows_is_an_error(tmp_path) -> None:
    model = Pulse2Pulse(10)
    with torch.no_grad():
        for p in model.parameters():
            p.fill_(1e30)
    torch.save(model.state_dict(), tmp_path / "huge.pt")
    with pytest.raises(DataError, match="not finite"):
        generate(tmp_path / "huge.pt", 1)


# ---- traps and errors --------------------------------------------------------------------------


def test_normal_noise_inflates_amplitudes_and_is_refused() -> None:
    """The trap: N(0, 1) noise gives ECGs that look right and are a third or more too large."""
    weights, rng = load("pulse2pulse"), np.random.default_rng(0)
    normal = rng.normal(size=(32, 8, 5000)).astype(np.float32)
    uniform = rng.uniform(-1, 1, normal.shape).astype(np.float32)
    with torch.inference_mode():
        out = [weights.fast(torch.from_numpy(z)).numpy() for z in (normal, uniform)]
    ratio = out[0].std(axis=(0, 2)) / out[1].std(axis=(0, 2))
    assert ratio.min() > 1.2
    assert synthesize(weights, uniform[:2]).dtype == np.int16
    with pytest.raises(UsageError, match="inflates amplitudes"):
        synthesize(weights, normal)


def test_synthesize_refuses_the_wrong_shape() -> None:
    with pytest.raises(UsageError, match=r"noise has shape \(2, 100\); pulse2pulse needs"):
        synthesize(load("pulse2pulse"), np.zeros((2, 100)))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"n": 0}, "n is 0; expected at least 1"),
        ({"n": 1.5}, "n is 1.5; expected a whole number"),
        ({"n": 1, "seed": -1}, "seed is -1"),
        ({"n": 1, "seed": 2**64}, "seed is"),
        ({"n": 1, "start": -1}, "start is -1"),
        ({"n": 1, "batch_size": 0}, "batch_size is 0"),
        ({"n": 1, "device": "tpu"}, "device is 'tpu'; expected cpu or cuda"),
    ],
)
def test_arguments_out_of_range_are_refused_at_the_call(arguments, says) -> None:
    with pytest.raises(UsageError, match=says):
        stream("pulse2pulse", **arguments)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_cuda_where_there_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="torch finds no CUDA here"):
        generate("pulse2pulse", 1, device="cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_cuda_agrees_within_rounding(seventy) -> None:
    on_cuda = generate("pulse2pulse", 70, seed=3, device="cuda").signals.raw.astype(int)
    difference = np.abs(on_cuda - seventy.signals.raw)
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.01


def test_describe_says_what_a_model_card_needs(checkpoint) -> None:
    card = describe("pulse2pulse")
    assert card["weights_sha256"].startswith("676619cb3b81")
    assert card["parameters"] == 6_617_728
    assert card["licence"].startswith("MIT")
    assert "U(-1, 1)" in card["noise"]
    assert card["scale_uv"] == 6000
    assert len(card["dropped_keys"]) == 16
    assert describe(load(checkpoint))["licence"] == "unknown"


def test_importing_the_package_does_not_import_torch() -> None:
    code = "import sys, ecgeval.generators; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
