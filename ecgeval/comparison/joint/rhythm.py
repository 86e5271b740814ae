"""How neighbouring RR intervals go together."""

from __future__ import annotations

import numpy as np

from ecgeval.stats.arrays import Floats

__all__ = ["serial_correlation"]


def serial_correlation(sd: Floats, rmssd: Floats) -> Floats:
    """Return the lag-1 correlation of the RR intervals of each record, shape (n,).

    RMSSD^2 / (2 SD^2) estimates 1 - r_1; NaN where RR does not vary.

    Parameters
    ----------
    sd, rmssd : ndarray, shape (n,)
        Of the RR intervals, ms.

    References
    ----------
    von Neumann 1941, Ann Math Stat 12:367, doi:10.1214/aoms/1177731677
    """
    ratio = np.divide(rmssd, sd, out=np.full_like(sd, np.nan), where=sd > 0)
    return 1 - ratio**2 / 2
