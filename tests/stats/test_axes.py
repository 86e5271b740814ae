"""Principal axes whiten what they are fitted on."""

import numpy as np
import pytest

from ecgeval.stats.axes import principal_axes


def test_principal_axes_whiten_and_leave_out_what_never_varies() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(500, 4)) * [5, 2, 1, 0] + 3
    z = principal_axes(x, 3)(x)
    assert np.cov(z.T) == pytest.approx(np.eye(3), abs=1e-8)
    assert principal_axes(x, 9)(x).shape == (500, 3)
