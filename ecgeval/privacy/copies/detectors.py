"""What a copy is looked for with: one detector an invariance.

Of a new detector, everything stands in its entry of `DETECTORS`: what it compares, finds and
means, and how the audit uses it. Only its kernel lies elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

from ecgeval.checks import Statistic, by_name
from ecgeval.privacy.copies.kernels.lagged import Lagged
from ecgeval.privacy.copies.kernels.replayed import Replayed
from ecgeval.privacy.copies.kernels.samplewise import Euclid, Leadwise
from ecgeval.privacy.copies.kernels.versions import Versions
from ecgeval.privacy.copies.kernels.windowed import Windowed
from ecgeval.privacy.copies.search import Kernel, Rows
from ecgeval.privacy.copies.signals import (
    BEAT_CORE_S,
    BEAT_FS_HZ,
    BEAT_KEPT_S,
    FS_HZ,
    SINGLE_EDGE_S,
    SINGLE_S,
)

__all__ = ["COMPLETE_PAIRS", "DETECTORS", "FLOORS", "MAIN", "NEAR_S", "STATISTICS", "Detector"]

COMPLETE_PAIRS = 20_000_000
"""Pairs up to which every pair is correlated at every shift."""

MAX_LAG_S = 5.0
NEAR_S = 2.0
FLOORS = (0.90, 0.95)
"""In sets too large for a complete search: smallest correlation that D2 looks for, at shifts up to
`NEAR_S` and beyond. Overlaps of half a record agree more by chance, so the bound excludes less."""

WINDOW_S = 4.5
"""Windows of D3: the first and the last of a record. A copy shifted by up to 5.5 s leaves one of
them whole. Beside D2, which a foreign fill's step disturbs, it raised the recall of copies shifted
by 5 s from .93 to .98 (60 planted among 238 normal PTB-XL records)."""

REPLAY_LAG_S = 1.0
"""Largest shift of a re-timed copy that D7 looks for; with 2 s it found as many of 117 planted in
PTB-XL, and strangers came nearer (99 % of their nearest below .70 instead of .65)."""

_STRETCHES = np.linspace(0.9, 1.1, 9)

Build = Callable[["np.ndarray | Rows", np.ndarray], Kernel]


def _unchanged(similarity: np.ndarray) -> np.ndarray:
    return similarity


def _of_unit_norm(similarity: np.ndarray) -> np.ndarray:
    """Return correlations of signals of unit norm from minus their squared distances."""
    return 1 + similarity / 2


@dataclass(frozen=True)
class Detector:
    """One way to find a copy.

    Parameters
    ----------
    id, label : str
        Short name, for example ``D2``, and what it compares, for people.
    definition : str
        What `ecgeval explain` says of it, with `title`, `formula`, `source` and `cannot_show`.
    finds : str
        What a copy may have undergone and still be found.
    signals : {"record", "beat", "single"}
        Which representation it compares.
    build : callable
        ``(queries, references) -> Kernel`` over signals of shape (n, leads, samples).
    limits : (float, float)
        Range the similarity limit of a copy is kept in. Whole records that correlate less than
        the first over all leads and seconds are no copies in anyone's eyes, and beyond the second
        they always are. Beats of two people can be much more alike than that.
    correlation : callable
        From the kernel's similarities to correlations.
    screen : str
        Id of the detector among whose nearest records it looks where it cannot compare all pairs;
        empty where it always can.
    nearest : int
        How many of them.
    always : bool
        Whether it looks at those alone in sets of any size, not only of more than `COMPLETE_PAIRS`
        pairs.
    by_range : bool
        Whether in such sets it finds every pair above `FLOORS`, and no other.
    main : bool
        The one that stands for all in figures and in single numbers.
    quick : bool
        Whether the quick look at a checkpoint uses it.
    duplicate_pairs : float
        Pairs of real records up to which it looks for repeated recordings.
    halves : bool
        Whether two halves of one record can be compared by it.
    speed : {"", "kept", "changed"}
        Whether the records it pairs run at one speed, or one of them faster; empty where it does
        not compare whole records.
    """

    id: str
    label: str
    definition: str
    finds: str
    signals: str
    build: Build
    limits: tuple[float, float] = (0.85, 0.98)
    correlation: Callable[[np.ndarray], np.ndarray] = _unchanged
    screen: str = ""
    nearest: int = 8
    always: bool = False
    by_range: bool = False
    main: bool = False
    quick: bool = False
    duplicate_pairs: float = 0
    halves: bool = True
    speed: Literal["", "kept", "changed"] = ""
    title: str = ""
    formula: str = ""
    source: str = ""
    cannot_show: str = ""

    @property
    def about(self) -> Statistic:
        """What it measures, for `ecgeval explain`."""
        title = f"detector {self.id}: {self.title or self.label}"
        return Statistic(
            self.id, title, self.definition, self.formula, self.source, self.cannot_show
        )

    def screened(self, complete: bool) -> bool:
        """Return whether it looks at nearest records only, in sets to be compared completely."""
        return bool(self.screen) and (self.always or not complete)

    def kernel(
        self, queries: np.ndarray | Rows, references: np.ndarray, device: str = "cpu"
    ) -> Kernel:
        """Return the search kernel over signals of shape (n, leads, samples)."""
        kernel = self.build(queries, references)
        if device == "cpu":
            return kernel
        from ecgeval.privacy.copies.on_device import on_device

        return on_device(kernel, device)


def _lagged(queries: np.ndarray | Rows, references: np.ndarray) -> Kernel:
    return Lagged(queries, references, min(round(MAX_LAG_S * FS_HZ), references.shape[2] // 2))


def _windowed(queries: np.ndarray | Rows, references: np.ndarray) -> Kernel:
    samples = references.shape[2]
    width = min(round(WINDOW_S * FS_HZ), samples // 2)
    return Windowed(queries, references, (0, samples - width), width)


@cache
def _maps(
    fs: float,
    start_s: float,
    samples: int,
    core_s: tuple[float, float],
    lags_s: tuple[float, ...],
    stretches: tuple[float, ...],
) -> np.ndarray:
    """Return cubic interpolation to 100 Hz, moved and stretched, the plain version first."""
    from scipy.interpolate import make_interp_spline

    t = start_s + np.arange(samples) / fs
    spline = make_interp_spline(t, np.eye(samples))
    core = np.arange(round(core_s[0] * FS_HZ), round(core_s[1] * FS_HZ)) / FS_HZ
    ways = [(1.0, 0.0), *((a, b) for a in stretches for b in lags_s if (a, b) != (1.0, 0.0))]
    at = [np.clip(a * core + b, t[0], t[-1]) for a, b in ways]
    return np.stack([spline(way).T for way in at])


def _grid(most_ms: int, step_ms: int) -> tuple[float, ...]:
    return tuple(ms / 1000 for ms in range(-most_ms, most_ms + 1, step_ms))


def _beats(queries: np.ndarray | Rows, references: np.ndarray) -> Kernel:
    samples = references.shape[2]
    maps = _maps(BEAT_FS_HZ, BEAT_KEPT_S[0], samples, BEAT_CORE_S, _grid(40, 4), (1.0,))
    return Versions(queries, references, maps)


def _stretched(queries: np.ndarray | Rows, references: np.ndarray) -> Kernel:
    samples, stretches = references.shape[2], tuple(_STRETCHES.round(6))
    maps = _maps(BEAT_FS_HZ, BEAT_KEPT_S[0], samples, BEAT_CORE_S, _grid(16, 8), stretches)
    return Versions(queries, references, maps)


def _single(queries: np.ndarray | Rows, references: np.ndarray) -> Kernel:
    start = SINGLE_S[0] - SINGLE_EDGE_S
    maps = _maps(FS_HZ, start, references.shape[2], SINGLE_S, _grid(25, 5), (1.0,))
    return Versions(queries, references, maps)


def _replayed(queries: np.ndarray | Rows, references: np.ndarray) -> Kernel:
    return Replayed(queries, references, FS_HZ, _STRETCHES[0], REPLAY_LAG_S)


DETECTORS = (
    Detector(
        "D1",
        "whole record, sample by sample",
        "Correlation of two records over all shared leads at 100 Hz, 3 to 40 Hz: finds copies "
        "despite gain, offset, noise and filtering.",
        "gain, offset, noise, filtering",
        "record",
        Euclid,
        correlation=_of_unit_norm,
        duplicate_pairs=np.inf,
        speed="kept",
        formula="ρ = Σ x y / (‖x‖ ‖y‖) over leads and samples",
        cannot_show="Blind to copies that are shifted in time; D2 is for those.",
    ),
    Detector(
        "D2",
        "whole record, best of shifts up to 5 s",
        "As D1 at every shift up to 5 s (half of a shorter record), over the part where the "
        "records overlap: finds shifted copies too.",
        "shift, gain, offset, noise, filtering",
        "record",
        _lagged,
        by_range=True,
        main=True,
        quick=True,
        duplicate_pairs=10_000_000,
        speed="kept",
        formula="max over τ of Σ x(n) y(n + τ) / (‖x‖ ‖y‖), norms over the overlap, which holds at "
        "least a quarter of the energy of either record",
        source="Lewis, Vision Interface 1995:120",
        cannot_show="Blind to re-timed, inverted and blended copies. In sets of more than 20 "
        "million pairs "
        "it looks for correlations of at least .90 (shifts up to 2 s) or .95 (beyond) only, "
        "without missing any: bounds from magnitude spectra exclude most pairs.",
    ),
    Detector(
        "D3",
        "4.5 s at either end, anywhere in the other record",
        "The first and the last 4.5 s of the synthetic record against every stretch of that "
        "length of the real one: finds parts of a record, and large shifts with foreign "
        "content. In sets of more than 20 million pairs, against the eight records that D4 "
        "finds nearest.",
        "large shifts, a part of a record",
        "record",
        _windowed,
        (0.85, 0.99),
        screen="D4",
        halves=False,  # a window is as long as a half
        speed="kept",
        title="windows",
        formula="max over windows w and places p of Σ x(w) y(p) / (‖x(w)‖ ‖y(p)‖)",
        source="Mueen et al. (MASS) 2017; Yeh et al., ICDM 2016:1317",
        cannot_show="Windows of different people agree more than whole records, so its limit is "
        "higher.",
    ),
    Detector(
        "D4",
        "representative beat, all leads",
        "Correlation of the representative beats, 250 ms before to 450 ms after R, the "
        "synthetic one moved by up to 40 ms: finds a patient's beat in another rhythm. Needs a "
        "delineation.",
        "another rhythm, a shift that brings in no other beats, gain, offset, noise",
        "beat",
        _beats,
        (0.95, 0.9999),
        quick=True,
        title="representative beat",
        cannot_show="Beats of different people are much alike, so its limit lies near 1.",
    ),
    Detector(
        "D4T",
        "representative beat, 0.9 to 1.1 times as long",
        "As D4 with the synthetic beat 0.9 to 1.1 times as long, moved by up to 16 ms: finds "
        "copies played faster or slower. Needs a delineation.",
        "another speed, gain",
        "beat",
        _stretched,
        (0.95, 0.9999),
        title="stretched representative beat",
        cannot_show="One factor for the whole beat: QT that changes less than RR is matched in "
        "part.",
    ),
    Detector(
        "D5",
        "one beat against every beat of the other record",
        "The middle beat of the synthetic record against every beat of the real one, 3 to 40 "
        "Hz, moved by up to 25 ms: finds records that repeat one beat. In sets of more than 20 "
        "million pairs, against the eight records that D4 finds nearest.",
        "a single beat, repeated",
        "single",
        _single,
        (0.95, 0.9999),
        screen="D4",
        title="single beats",
        cannot_show="Single beats of different people are much alike, so its limit lies near 1 "
        "and noise hides a copy.",
    ),
    Detector(
        "D6",
        "most similar single lead, sample by sample",
        "Largest absolute correlation of a single lead, sample by sample: finds one lead of a "
        "record among others, leads of different gain, and inverted leads.",
        "single leads, their gain and sign",
        "record",
        Leadwise,
        title="single leads",
        formula="max over leads of |Σ x y| / (‖x‖ ‖y‖)",
        cannot_show="Blind to shifts.",
    ),
    Detector(
        "D7",
        "whole record, 0.9 to 1.1 times as fast",
        "As D2 with one of the two records read at 0.9 to 1 times its speed, at shifts up to "
        "1 s, against the four records that D4T finds nearest: finds copies played faster or "
        "slower. Needs a delineation.",
        "another speed, shifts up to 1 s, gain",
        "record",
        _replayed,
        screen="D4T",
        nearest=4,
        always=True,
        halves=False,  # the same seconds at another speed, as a copy has them
        speed="changed",
        title="whole record at another speed",
        formula="max over a, b of Σ x(a n + b) y(n) / (‖x(a · + b)‖ ‖y‖) over the samples where "
        "both "
        "are, at least half; speed and shift from slope envelopes, refined by Gauss-Newton "
        "steps",
        source="Baker & Matthews, Int J Comput Vis 2004;56:221 (refinement)",
        cannot_show="One speed for the whole record. Blind where the beats do not lead to the "
        "patient.",
    ),
)
"""D7 takes the place of dynamic time warping of beats, which found .90 of re-timed copies (on the
ten nearest by D4, 60 planted among 238 normal PTB-XL records) and no more of any other disguise."""

MAIN = next(d for d in DETECTORS if d.main)
"""The one that stands for all in figures and in single numbers."""

STATISTICS = by_name(*(d.about for d in DETECTORS))
"""What `ecgeval explain` says of each."""
