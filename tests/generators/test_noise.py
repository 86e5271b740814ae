"""The noise: its law, its independence of order, and the jump into the published stream."""

import numpy as np
import pytest
import torch
from scipy import stats

from ecgeval.errors import UsageError
from ecgeval.generators import noise as module
from ecgeval.generators.noise import (
    PUBLISHED_OFFSET,
    check_noise,
    jumped_mt19937,
    philox_noise,
    published_noise,
)

SHAPE = (8, 5000)


def drawn(seed: int, draws: int) -> np.random.MT19937:
    bits = np.random.MT19937()
    bits._legacy_seeding(seed)
    bits.random_raw(draws, output=False)
    return bits


@pytest.mark.parametrize("draws", [0, 1, 623, 624, 625, 19937, 1_000_003])
@pytest.mark.parametrize("seed", [0, 5489])
def test_jump_equals_drawing(seed, draws) -> None:
    jumped = jumped_mt19937(seed, draws).random_raw(1300)
    np.testing.assert_array_equal(jumped, drawn(seed, draws).random_raw(1300))


def test_the_last_published_record_is_as_drawn_the_long_way() -> None:
    """Known answer, drawn once through all 6,014,490,577 numbers before it."""
    z = next(published_noise([149_999], SHAPE))
    assert (z.ravel()[:4] * 2**23).tolist() == [2566485, -3609403, 7569346, 1951669]


def test_characteristic_polynomial_is_the_known_one() -> None:
    exponents = module._characteristic()
    assert (exponents[0], exponents[-1], len(exponents)) == (19937, 0, 135)
    state = drawn(0, 624)
    words = np.concatenate([drawn(0, 624 * k).state["state"]["key"] for k in range(1, 35)])
    assert len(words) > 19937 + 1000
    assert state.state["state"]["key"][0] == words[0]
    windows = np.lib.stride_tricks.sliding_window_view(words, 1000)
    assert not np.bitwise_xor.reduce(windows[list(exponents)][:, 1:], axis=0).any()


def test_published_stream_is_torchs_after_the_offset() -> None:
    """The published program drew with torch on the CPU; numpy's stream gives the same floats."""
    generator = torch.Generator().manual_seed(0)
    torch.empty(PUBLISHED_OFFSET).uniform_(-1, 1, generator=generator)
    by_torch = torch.empty(SHAPE).uniform_(-1, 1, generator=generator).numpy()
    np.testing.assert_array_equal(next(published_noise([0], SHAPE)), by_torch)


def test_published_offset_is_the_recorded_state(real_data) -> None:
    state = np.load(real_data("deepfake") / "noise_stream_mt19937_state.npz")
    bits = np.random.MT19937()
    bits.state = {
        "bit_generator": "MT19937",
        "state": {"key": state["key"], "pos": int(state["pos"])},
    }
    np.testing.assert_array_equal(
        jumped_mt19937(0, PUBLISHED_OFFSET).random_raw(2000), bits.random_raw(2000)
    )


def test_published_noise_is_the_same_by_jumping_by_skipping_and_drawing_on(monkeypatch) -> None:
    shape = (8, 50)
    in_a_row = list(published_noise(range(12), shape))
    for chosen in ([3, 4, 9], [9, 3, 4], [11]):
        for cost in (0, 10**9):
            monkeypatch.setattr(module, "_JUMP_COST", cost)
            for record, z in zip(chosen, published_noise(chosen, shape), strict=True):
                np.testing.assert_array_equal(z, in_a_row[record])


def test_far_record_is_reached_by_one_jump(monkeypatch) -> None:
    jumps = []
    original = module.jumped_mt19937
    monkeypatch.setattr(module, "jumped_mt19937", lambda *a: jumps.append(a) or original(*a))
    assert len(list(published_noise([149_998, 149_999], SHAPE))) == 2
    assert jumps == [(0, PUBLISHED_OFFSET + 149_998 * 40_000)]


def test_fresh_noise_depends_on_seed_and_record_only() -> None:
    z = philox_noise(7, 12, SHAPE)
    np.testing.assert_array_equal(z, philox_noise(7, 12, SHAPE))
    np.testing.assert_array_equal(z.ravel()[:101], philox_noise(7, 12, (101,)))
    others = [philox_noise(7, 13, SHAPE), philox_noise(8, 12, SHAPE), philox_noise(12, 7, SHAPE)]
    for other in others:
        assert abs(np.corrcoef(z.ravel(), other.ravel())[0, 1]) < 5 / np.sqrt(z.size)


def test_fresh_noise_keeps_its_bytes() -> None:
    """Known answer: a change of these numbers changes every data set made from a seed."""
    z = philox_noise(0, 0, (4,))
    assert (z * 2**23).tolist() == [6609051, 7649892, 2672050, 5647115]


@pytest.mark.parametrize("z", [philox_noise(3, 0, SHAPE), next(published_noise([77], SHAPE))])
def test_noise_is_uniform(z) -> None:
    assert z.dtype == np.float32
    assert -1 <= z.min() < -0.999
    assert 0.999 < z.max() < 1
    assert stats.kstest(z.ravel().astype(float), "uniform", args=(-1, 2)).pvalue > 0.001
    check_noise(z[None])


def test_check_noise_passes_ten_thousand_honest_vectors() -> None:
    check_noise(np.random.default_rng(0).uniform(-1, 1, (10_000, 100)))


@pytest.mark.parametrize(
    "wrong",
    [
        np.random.default_rng(0).normal(size=SHAPE),
        np.random.default_rng(0).normal(size=SHAPE).clip(-1, 1),
        np.random.default_rng(0).uniform(0, 1, SHAPE) * 0.5,
        np.zeros(SHAPE),
        np.full(SHAPE, np.nan),
    ],
    ids=["normal", "clipped normal", "narrow", "zero", "nan"],
)
def test_check_noise_refuses_another_law(wrong) -> None:
    honest = philox_noise(0, 0, SHAPE)
    with pytest.raises(UsageError, match=r"expected U\(-1, 1\)"):
        check_noise(np.stack([honest, wrong]))
