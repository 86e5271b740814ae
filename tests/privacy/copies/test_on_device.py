"""The search on a device against the search on the CPU; on CUDA where there is one."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from ecgeval.privacy.copies.detectors import DETECTORS  # noqa: E402
from ecgeval.privacy.copies.kernels.lagged import Lagged  # noqa: E402
from ecgeval.privacy.copies.on_device import _FORMS, LagScores  # noqa: E402
from ecgeval.privacy.copies.range_search import LagBound, search_above  # noqa: E402
from ecgeval.privacy.copies.search import search  # noqa: E402

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


@pytest.fixture(scope="module")
def records() -> tuple[np.ndarray, np.ndarray]:
    """Unit-norm records with copies, duplicates, shifts and zeros among them."""
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=(n, 2, 1000)).cumsum(axis=2) for n in (70, 90))
    a, b = (x - x.mean(axis=2, keepdims=True) for x in (a, b))
    a[:10] = b[:10]
    a[10:20] = np.roll(b[10:20], 150, axis=2)
    b[89] = b[0]
    a[69] = 0
    norm = [np.sqrt((x**2).sum(axis=(1, 2), keepdims=True)) for x in (a, b)]
    a, b = (
        (x / np.where(n > 0, n, np.inf)).astype(np.float32)
        for x, n in zip((a, b), norm)  # noqa: B905
    )
    return a, b


IN_BLOCKS = [d for d in DETECTORS if not d.always]  # pair by pair stays on the processor


def moved(kernel, device):
    return _FORMS[type(kernel)](kernel, torch.device(device))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("detector", IN_BLOCKS, ids=lambda d: d.id)
def test_every_detector_finds_the_same_on_a_device(records, detector, device) -> None:
    samples = {"record": 1000, "beat": 282, "single": 80}[detector.signals]
    a, b = (x[:, :, :samples] for x in records)
    kernel = detector.kernel(a, b)
    for one, other in zip(search(kernel, k=3), search(moved(kernel, device), k=3), strict=True):
        np.testing.assert_array_equal(one.partner, other.partner)
        np.testing.assert_array_equal(one.similarity, other.similarity)


@pytest.mark.parametrize("device", DEVICES)
def test_the_range_query_finds_the_same_on_a_device(records, device) -> None:
    kernel = Lagged(*records, 300)
    floors = np.where(np.arange(301) <= 50, 0.8, 0.9)
    there = moved(Lagged(records[0][:0], records[1], 300), device).of(records[0])
    one = search_above(kernel, floors, bound=LagBound(kernel, floors, 50, (0.0, 0.5)), k=2)
    other = search_above(there, floors, bound=LagScores(there, floors), k=2)
    assert other.stages[3] == one.stages[3] >= 20
    for a, b in zip(one[:2], other[:2], strict=True):
        np.testing.assert_array_equal(a.partner, b.partner)
        np.testing.assert_array_equal(a.similarity, b.similarity)


@pytest.mark.parametrize("device", DEVICES)
def test_blocks_lie_within_the_margin(records, device) -> None:
    """The margin decides what is looked at in float64: outside it a partner could be missed."""
    for detector in IN_BLOCKS:
        samples = {"record": 1000, "beat": 282, "single": 80}[detector.signals]
        a, b = (x[:, :, :samples] for x in records)
        kernel = moved(detector.kernel(a, b), device)
        close, margin = kernel.block(slice(0, len(a)))
        i, j = (v.ravel() for v in np.indices(close.shape))
        off = np.abs(close.ravel() - kernel.exact(i, j)).reshape(close.shape)
        assert (off <= margin + 1e-7).all(), detector.id
