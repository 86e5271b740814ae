"""Windows of one record in another, against brute force."""

import numpy as np

from ecgeval.privacy.copies.kernels.windowed import Windowed
from ecgeval.privacy.copies.search import search


def test_windowed_equals_brute_force_and_finds_a_part_of_a_record(brute_force, waves) -> None:
    x, y = waves(12, 0), waves(10, 1)
    x[4, :, 120:] = y[2, :, 40:120]  # the end of one is from the middle of the other
    width, starts = 80, (0, 120)
    truth = np.full((12, 10), -np.inf)
    for i, a in enumerate(x.astype(float)):
        for j, b in enumerate(y.astype(float)):
            least = 0.25 * width / 200
            for s in starts:
                w = a[:, s : s + width]
                for p in range(121):
                    r = b[:, p : p + width]
                    kept = [max((v**2).sum(), least * (u**2).sum()) for v, u in ((w, a), (r, b))]
                    truth[i, j] = max(truth[i, j], (w * r).sum() / np.sqrt(kept[0] * kept[1]))
    for found, expected in zip(
        search(Windowed(x, y, starts, width), k=2), (truth, truth.T), strict=True
    ):
        similarity, order = brute_force(expected, 2)
        np.testing.assert_allclose(found.similarity, np.minimum(similarity, 1), atol=1e-6)
        np.testing.assert_array_equal(found.partner, order)
    assert search(Windowed(x, y, starts, width))[0].partner[4, 0] == 2
