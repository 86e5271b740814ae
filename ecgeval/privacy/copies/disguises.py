"""The positive control: copies planted on purpose, and the share of them that is found.

"No copies found" means something only beside how many would have been found.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial

import numpy as np

from ecgeval.checks import Statistic, by_name
from ecgeval.delineation.base import BEAT_WINDOW_S

__all__ = ["STATISTICS", "TRANSFORMS", "Transform", "plant", "promised"]

NOISE_MV = 0.02
WANDER_MV = 0.3
BEAT_S = (0.3, 0.5)
"""Before and after its peak, s: the beat that a record of one repeated beat consists of."""
_BEATS = 10  # a representative beat is a median over about so many; its noise falls by the root

Change = Callable[[np.ndarray, float, np.random.Generator, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Transform:
    """A disguise a planted copy wears.

    Parameters
    ----------
    id, label, definition : str
        Short name; name for people; what `ecgeval explain` says of it.
    apply : callable
        ``(x, fs, rng, fill) -> x``; x in mV, shape (n, leads, samples), float64; `fill` of the
        same shape: other people's, for what a disguise brings in.
    beat : callable
        The same for representative beats.
    accept : float or None
        Share of such copies that an audit must find; None: reported, not promised.
    sources : int
        Training records a copy is made of: the one planted, and those planted before it.
    beat_of_record : bool
        `beat` takes the planted record and returns its representative beat at the same rate.
    needs : {"record", "beat"}
        What must have been given for `accept` to be asked for.
    title : str
        What `ecgeval explain` calls it; its id where left out.
    """

    id: str
    label: str
    definition: str
    apply: Change
    beat: Change
    accept: float | None = None
    sources: int = 1
    beat_of_record: bool = False
    needs: str = "record"
    title: str = ""

    @property
    def about(self) -> Statistic:
        """What it is, for `ecgeval explain`."""
        return Statistic(self.id, f"planted copy: {self.title or self.id}", self.definition)


def _same(x: np.ndarray, fs: float, rng: np.random.Generator, fill: np.ndarray) -> np.ndarray:
    return x


def _noise(
    x: np.ndarray, fs: float, rng: np.random.Generator, fill: np.ndarray, *, beats: int = 1
) -> np.ndarray:
    return x + rng.normal(0, NOISE_MV / np.sqrt(beats), x.shape)


def _snr(
    x: np.ndarray,
    fs: float,
    rng: np.random.Generator,
    fill: np.ndarray,
    *,
    db: float,
    beats: int = 1,
) -> np.ndarray:
    """Add white noise `db` below a record's power over its leads."""
    power = x.var(axis=2).mean(axis=1)[:, None, None]
    return x + np.sqrt(power * 10 ** (-db / 10) / beats) * rng.normal(size=x.shape)


def _gain(x: np.ndarray, fs: float, rng: np.random.Generator, fill: np.ndarray) -> np.ndarray:
    return x * np.exp2(rng.uniform(-1, 1, (len(x), 1, 1)))


def _shift(
    x: np.ndarray, fs: float, rng: np.random.Generator, fill: np.ndarray, *, by_s: float
) -> np.ndarray:
    """Move later; what comes in at the start is the end of someone else's record."""
    by = min(round(by_s * fs), x.shape[2] // 2)
    return np.concatenate([fill[:, :, x.shape[2] - by :], x[:, :, :-by]], axis=2)


def _foreign(
    x: np.ndarray, fs: float, rng: np.random.Generator, fill: np.ndarray, *, share: float
) -> np.ndarray:
    """Blend in someone else's, as the median over beats of two people does at worst."""
    return (1 - share) * x + share * fill


def _mixture(x: np.ndarray, fs: float, rng: np.random.Generator, fill: np.ndarray) -> np.ndarray:
    return 0.5 * x + 0.5 * np.roll(x, 1, axis=0)


def _filter(
    x: np.ndarray, fs: float, rng: np.random.Generator, fill: np.ndarray, *, low: float, high: float
) -> np.ndarray:
    """Cut below `low` (order 2) and above `high` (order 4), forward and backward."""
    from scipy.signal import butter, sosfiltfilt

    if low:
        x = sosfiltfilt(butter(2, low, "highpass", fs=fs, output="sos"), x, axis=2)
    if fs > 2 * high:
        x = sosfiltfilt(butter(4, high, fs=fs, output="sos"), x, axis=2)
    return x


def _wander(
    x: np.ndarray, fs: float, rng: np.random.Generator, fill: np.ndarray, *, beats: int = 1
) -> np.ndarray:
    """Add slow sines, one frequency a record, an amplitude and phase a lead."""
    hz = rng.uniform(0.15, 0.45, (len(x), 1, 1))
    size, phase = rng.uniform(0, 1, (2, *x.shape[:2], 1))
    t = np.arange(x.shape[2]) / fs
    return x + WANDER_MV / np.sqrt(beats) * size * np.sin(2 * np.pi * (hz * t + phase))


def _retime(
    x: np.ndarray, fs: float, rng: np.random.Generator, fill: np.ndarray, *, around_s: float = 0
) -> np.ndarray:
    """Play 0.9 to 1.1 times as fast; what is missing at the end repeats the last second."""
    from scipy.interpolate import make_interp_spline

    t = np.arange(x.shape[2])
    centre, last = around_s * fs, x.shape[2] - 1
    out = np.empty(x.shape)
    for row, rate in enumerate(rng.uniform(0.9, 1.1, len(x))):
        at = centre + rate * (t - centre)
        at = np.where(at > last, at - (fs if not around_s else at - last), at)
        out[row] = make_interp_spline(t, x[row], axis=1)(np.maximum(at, 0))
    return out


def _one_lead(x: np.ndarray, fs: float, rng: np.random.Generator, fill: np.ndarray) -> np.ndarray:
    """Keep one lead, drawn at random; the others are someone else's."""
    keep = rng.integers(x.shape[1], size=len(x))[:, None] == np.arange(x.shape[1])
    return np.where(keep[:, :, None], x, fill)


def _one_beat(x: np.ndarray, fs: float, rng: np.random.Generator, fill: np.ndarray) -> np.ndarray:
    """Repeat the beat with the strongest deflection in the middle half of the record."""
    before, after = (round(s * fs) for s in BEAT_S)
    steep = (np.diff(x, axis=2) ** 2).sum(axis=1)
    first = max(before, x.shape[2] // 4)
    peak = first + steep[:, first : x.shape[2] - after].argmax(axis=1)
    at = peak[:, None] - before + np.arange(x.shape[2]) % (before + after)
    return np.take_along_axis(x, at[:, None], axis=2)


def _repeated(x: np.ndarray, fs: float, rng: np.random.Generator, fill: np.ndarray) -> np.ndarray:
    """Return the representative beat of records made by `_one_beat`: their second one."""
    r = 2 * round(BEAT_S[0] * fs) + round(BEAT_S[1] * fs)
    return x[:, :, r + round(BEAT_WINDOW_S[0] * fs) : r + round(BEAT_WINDOW_S[1] * fs)]


def _flip(x: np.ndarray, fs: float, rng: np.random.Generator, fill: np.ndarray) -> np.ndarray:
    return -x


_R_S = -BEAT_WINDOW_S[0]
_CUT_25 = partial(_filter, low=0, high=25.0)


def _with_noise(db: int, accept: float | None, definition: str) -> Transform:
    record, beat = (partial(_snr, db=db, beats=beats) for beats in (1, _BEATS))
    label = f"noise, SNR {db} dB"
    return Transform(f"snr{db}", label, definition, record, beat, accept, title=f"noise, {db} dB")


TRANSFORMS = (
    Transform(
        "exact", "exact", "The training record itself, as the synthetic one.", _same, _same, 0.99
    ),
    Transform(
        "noise",
        "+ 20 µV noise",
        "The training record with 20 µV (SD) of white noise added.",
        _noise,
        partial(_noise, beats=_BEATS),
        0.99,
    ),
    Transform(
        "gain",
        "gain 0.5 to 2",
        "The training record times one factor between 0.5 and 2, log-uniform.",
        _gain,
        _gain,
        0.99,
    ),
    Transform(
        "shift",
        "shift 0.5 s, foreign fill",
        "The training record half a second later; what comes in at the start is the end of "
        "a synthetic record.",
        partial(_shift, by_s=0.5),
        _same,
        0.99,
    ),
    Transform(
        "shift2",
        "shift 2 s, foreign fill",
        "As shift, by 2 s.",
        partial(_shift, by_s=2.0),
        partial(_foreign, share=0.2),
        0.99,
        title="shift of 2 s",
    ),
    Transform(
        "shift5",
        "shift 5 s, foreign fill",
        "As shift, by 5 s or half of a shorter record.",
        partial(_shift, by_s=5.0),
        partial(_foreign, share=0.5),
        0.95,
        title="shift of 5 s",
    ),
    Transform(
        "lowpass",
        "low-pass 25 Hz",
        "The training record through a low-pass of 25 Hz (Butterworth of order 4, forward and "
        "backward).",
        _CUT_25,
        _CUT_25,
        0.99,
        title="low-pass",
    ),
    Transform(
        "band40",
        "0.5 to 40 Hz",
        "The training record through a band-pass (Butterworth, forward and backward).",
        partial(_filter, low=0.5, high=40.0),
        _same,
        0.99,
        title="0.5 to 40 Hz",
    ),
    Transform(
        "band25",
        "1 to 25 Hz",
        "The training record through a band-pass (Butterworth, forward and backward).",
        partial(_filter, low=1.0, high=25.0),
        _CUT_25,
        0.99,
        title="1 to 25 Hz",
    ),
    _with_noise(20, 0.99, "The training record with white noise a hundredth of its power."),
    _with_noise(10, 0.99, "As snr20 with a tenth of the power."),
    _with_noise(5, None, "As snr20 with .32 of the power. Not promised."),
    Transform(
        "wander",
        "baseline wander",
        "The training record plus slow sines of up to 0.3 mV a lead, 0.15 to 0.45 Hz. Not "
        "promised.",
        _wander,
        partial(_wander, beats=_BEATS),
        title="baseline wander",
    ),
    Transform(
        "retimed",
        "0.9 to 1.1 times as fast",
        "The training record played 0.9 to 1.1 times as fast. Promised where representative "
        "beats are given.",
        _retime,
        partial(_retime, around_s=_R_S),
        0.90,
        needs="beat",
        title="re-timed",
    ),
    Transform(
        "onelead",
        "one lead, others foreign",
        "One lead of the training record, drawn at random, the others a synthetic record's.",
        _one_lead,
        _one_lead,
        0.90,
        title="one lead",
    ),
    Transform(
        "onebeat",
        "one beat repeated",
        "One beat of the training record, repeated every 0.8 s. Not promised.",
        _one_beat,
        _repeated,
        beat_of_record=True,
        title="one beat",
    ),
    Transform(
        "flip",
        "sign flipped",
        "The training record times -1. Not promised.",
        _flip,
        _flip,
        title="inverted",
    ),
    Transform(
        "mixture",
        "mean of two training records",
        "The mean of two training records; either counts as found. Not promised.",
        _mixture,
        _mixture,
        sources=2,
    ),
)
"""The disguises, with the share of each that must be found (methods: planted-leak bench)."""

STATISTICS = by_name(*(t.about for t in TRANSFORMS))
"""What `ecgeval explain` says of each."""


def promised(given: Collection[str]) -> np.ndarray:
    """Return which disguises an audit must find, ``record`` or ``beat`` given, shape (n,)."""
    return np.array([t.accept is not None and t.needs in given for t in TRANSFORMS])


def plant(
    x: np.ndarray,
    fs: float,
    transform: Transform,
    rng: np.random.Generator,
    *,
    fill: np.ndarray | None = None,
    beat: bool = False,
) -> np.ndarray:
    """Return disguised copies of records (or of representative beats), float32 mV.

    Parameters
    ----------
    x : ndarray, shape (n, leads, samples)
        mV.
    fs : float
        Hz.
    transform : Transform
    rng : numpy.random.Generator
    fill : ndarray, shape (n, leads, samples), optional
        Someone else's, for what a disguise brings in; by default each record's predecessor.
    beat : bool
        Whether `x` are representative beats.
    """
    change = transform.beat if beat else transform.apply
    fill = np.roll(x, 1, axis=0) if fill is None else fill
    return np.asarray(change(x.astype(np.float64), fs, rng, fill), np.float32)
