"""The generators' input: uniform noise, reachable at any record without drawing those before it.

Two streams. Fresh records draw from Philox, keyed by (seed, record), so a record needs nothing but
its own two numbers. The published set was drawn from one long MT19937 stream, which is entered at
any place by a jump: advancing the state by M draws is t**M modulo the generator's characteristic
polynomial over GF(2) (Haramoto et al. 2008, doi:10.1287/ijoc.1070.0251).
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence

import numpy as np

from ecgeval.errors import UsageError

__all__ = ["check_noise", "jumped_mt19937", "philox_noise", "published_noise"]

PUBLISHED_SEED = 0
PUBLISHED_OFFSET = 14_530_577
"""Draws made from the seeded stream before the first published record.

The published program seeded torch and then built its network, whose initial weights came from the
same stream. The number was found by drawing on from the seed until the state was the one that
record 0 starts from; the 16 reference records are the test of it.
"""

_DEGREE = 19937
_N, _M, _TWIST = 624, 397, 0x9908B0DF


def _uniform(raw: np.ndarray) -> np.ndarray:
    """Return U(-1, 1) in float32 from the low 24 bits of random integers (as torch does)."""
    return (raw & 0xFFFFFF).astype(np.float32) * np.float32(2**-23) - np.float32(1)


def philox_noise(seed: int, record: int, shape: Sequence[int]) -> np.ndarray:
    """Return the noise of one fresh record, U(-1, 1), float32.

    Parameters
    ----------
    seed, record : int
        The 128-bit key of the Philox4x64 stream (Salmon et al. 2011, doi:10.1145/2063384.2063405).
    shape : sequence of int
    """
    size = int(np.prod(shape))
    bits = np.random.Philox(key=np.array([seed, record], dtype=np.uint64))
    raw = bits.random_raw(-(-size // 2)).astype("<u8").view("<u4")
    return _uniform(raw[:size]).reshape(shape)


def published_noise(ids: Sequence[int], shape: Sequence[int]) -> Iterator[np.ndarray]:
    """Yield the noise that the published records `ids` were made from, in their order.

    Parameters
    ----------
    ids : sequence of int
        Ascending ids cost the draws between them or one jump, whichever is less.
    shape : sequence of int
        Of one record, ``(8, 5000)``.
    """
    size = int(np.prod(shape))
    bits, at = None, 0
    for record in ids:
        start = PUBLISHED_OFFSET + size * record
        if bits is None or not 0 <= start - at < _JUMP_COST:
            bits = jumped_mt19937(PUBLISHED_SEED, start)
        elif start > at:
            bits.random_raw(start - at, output=False)
        at = start + size
        yield _uniform(bits.random_raw(size)).reshape(shape)


_JUMP_COST = 40_000_000
"""Draws that take about as long as one jump."""


def check_noise(noise: np.ndarray) -> None:
    """Refuse noise that is not U(-1, 1), the law the generators were trained on.

    N(0, 1), the usual mistake, raises the RMS amplitude of Pulse2Pulse by 39 % (V6) to 135 % (II),
    measured on 128 records, and the ECGs still look like ECGs.

    Parameters
    ----------
    noise : ndarray of float, shape (n, ...)

    Raises
    ------
    UsageError
        If a value is outside -1...1, or a record's mean square is not the 1/3 of U(-1, 1) within
        six standard errors.
    """
    flat = np.asarray(noise, dtype=np.float64).reshape(len(noise), -1)
    peak = np.abs(flat).max(initial=0.0)
    square = (flat**2).mean(axis=1)
    off = np.abs(square - 1 / 3) > 6 * np.sqrt((1 / 5 - 1 / 9) / flat.shape[1])
    if not peak <= 1 or off.any():
        rms = np.sqrt(square[off.argmax()])
        raise UsageError(
            f"noise has peak {peak:.3g} and RMS {rms:.3g}; expected U(-1, 1) (peak 1, RMS 0.577), "
            "the law the generator was trained on: N(0, 1) inflates amplitudes by a third or more"
        )


# ---- MT19937, entered anywhere -----------------------------------------------------------------


@functools.cache
def _characteristic() -> tuple[int, ...]:
    """Return the exponents of MT19937's characteristic polynomial, highest first.

    Matsumoto & Nishimura 1998, appendix A, doi:10.1145/272991.272995.
    """
    poly = 1
    for i in range(31):
        poly = (poly << (_N - 1)) ^ (poly << (_M - 1)) ^ (_TWIST >> i & 1)
    poly = (poly << _N) ^ (poly << _M) ^ (_TWIST >> 31)
    return tuple(e for e in range(poly.bit_length() - 1, -1, -1) if poly >> e & 1)


def _power_of_t(exponent: int) -> int:
    """Return t**exponent modulo the characteristic polynomial; bit k is the coefficient of t**k."""
    result = 1
    for bit in f"{exponent:b}":
        result = int(f"{result:b}", 4) << int(bit)  # squaring over GF(2) spreads the bits apart
        while high := result >> _DEGREE:
            for e in _characteristic():
                result ^= high << e
    return result


def jumped_mt19937(seed: int, draws: int) -> np.random.MT19937:
    """Return MT19937 seeded as by its authors (and torch), after `draws` 32-bit draws.

    Parameters
    ----------
    seed : int
        0 to 2**32 - 1.
    draws : int
        Any number: the cost grows with its logarithm (about 0.15 s at 6e9).
    """
    bits = np.random.MT19937()
    bits._legacy_seeding(seed)
    words = []
    for _ in range(-(-(_DEGREE + _N) // _N)):
        words.append(bits.state["state"]["key"])
        bits.random_raw(_N, output=False)
    windows = np.lib.stride_tricks.sliding_window_view(np.concatenate(words), _N)
    poly = _power_of_t(draws).to_bytes(_DEGREE // 8 + 1, "little")
    chosen = np.flatnonzero(np.unpackbits(np.frombuffer(poly, np.uint8), bitorder="little"))
    # The words are a linear recurrence, so word M + j is the sum of the words k + j over t**M's k.
    key = np.bitwise_xor.reduce(windows[chosen], axis=0)
    bits.state = {"bit_generator": "MT19937", "state": {"key": key, "pos": _N}}
    return bits
