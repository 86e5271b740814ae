"""Names for the arrays that kernels take and return."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["Bools", "Floats"]

Floats = NDArray[np.floating]
Bools = NDArray[np.bool_]
