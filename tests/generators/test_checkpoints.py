"""Checkpoints: the published file key by key, and every form a user's file may have."""

import pickle
import re

import pytest
import torch

from ecgeval.errors import DataError, UsageError
from ecgeval.generators import checkpoints
from ecgeval.generators.checkpoints import DEAD_KEYS, STATE_KEYS, load, trained_on
from ecgeval.generators.pulse2pulse import Pulse2Pulse
from ecgeval.generators.wavegan import WaveGANStar


@pytest.fixture
def saved(tmp_path):
    """Return a function that saves an object as a checkpoint file."""

    def save(content, name="mine.pt"):
        torch.save(content, tmp_path / name)
        return tmp_path / name

    return save


@pytest.fixture(scope="module")
def small() -> Pulse2Pulse:
    torch.manual_seed(0)
    return Pulse2Pulse(10)


def test_published_checkpoint_key_by_key() -> None:
    weights = load("pulse2pulse")
    file = torch.load(weights.path, map_location="cpu", weights_only=True)["stat_dict"]
    live = weights.model.state_dict()
    assert len(file) == 40
    assert sum(t.numel() for t in file.values()) == 10_590_997
    assert set(file) == set(live) | set(DEAD_KEYS["pulse2pulse"])
    assert set(weights.dropped) == set(DEAD_KEYS["pulse2pulse"])
    assert not set(live) & set(weights.dropped)
    assert sum(t.numel() for t in live.values()) == 6_617_728
    for name, tensor in live.items():
        assert torch.equal(tensor, file[name]), name
    assert (weights.name, weights.width, weights.key) == ("pulse2pulse", 50, "stat_dict")
    assert weights.published
    assert not weights.model.training


def test_published_checkpoint_is_verified(monkeypatch) -> None:
    monkeypatch.setattr(checkpoints, "PUBLISHED_SHA256", "0" * 64)
    with pytest.raises(DataError, match=r"sha256 676619cb.*expected the published 0000"):
        checkpoints._published.__wrapped__()


def test_published_package_missing_says_how_to_get_it(monkeypatch) -> None:
    monkeypatch.setattr(checkpoints, "PUBLISHED_PACKAGE", "deepfake-ecg-not-installed")
    with pytest.raises(DataError, match=r"is not installed; run: pip install"):
        checkpoints._published.__wrapped__()


@pytest.mark.parametrize("key", ["", *STATE_KEYS, "generator/state_dict"])
def test_a_state_dict_is_found_bare_and_under_every_usual_key(saved, small, key) -> None:
    content = small.state_dict()
    for part in reversed(key.split("/") if key else []):
        content = {"epoch": 25, part: content, "netD_state_dict": {"fc.weight": torch.ones(2)}}
    weights = load(saved(content))
    assert (weights.key, weights.width, weights.architecture) == (key, 10, "pulse2pulse")
    assert all(torch.equal(v, small.state_dict()[k]) for k, v in weights.model.state_dict().items())
    assert re.fullmatch(r"pulse2pulse-[0-9a-f]{8}", weights.name)
    assert not weights.published


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "generator.module."])
def test_prefixes_of_wrappers_are_removed(saved, small, prefix) -> None:
    content = {prefix + k: v for k, v in small.state_dict().items()}
    assert load(saved({"state_dict": content})).width == 10


def test_the_average_is_preferred_to_the_last_step(saved, small) -> None:
    other = {k: v + 1 for k, v in small.state_dict().items()}
    weights = load(saved({"netG_state_dict": other, "ema": small.state_dict()}))
    assert weights.key == "ema"
    assert torch.equal(weights.model.state_dict()["conv_1.bias"], small.conv_1.bias)


def test_a_decay_rate_named_ema_is_no_state_dict(saved, small) -> None:
    assert load(saved({"ema": 0.999, "generator": small.state_dict()})).key == "generator"


def test_old_file_format_and_half_precision_load(tmp_path, small) -> None:
    path = tmp_path / "old.pt"
    content = {k: v.half() for k, v in small.state_dict().items()}
    torch.save(content, path, _use_new_zipfile_serialization=False)
    assert load(path).model.conv_1.weight.dtype == torch.float32


def test_wavegan_star_is_recognised_with_and_without_dead_parameters(saved) -> None:
    content = WaveGANStar(20).state_dict()
    weights = load(saved(content))
    assert (weights.architecture, weights.width, weights.dropped) == ("wavegan-star", 20, ())
    content["deconv_1.Conv1dTrans.bias"] = torch.zeros(3)
    assert load(saved(content)).dropped == ("deconv_1.Conv1dTrans.bias",)


def broken(small, change):
    content = dict(small.state_dict())
    change(content)
    return content


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda c: c.pop("conv_1.weight"), "pulse2pulse of width 10: missing conv_1.weight;"),
        (lambda c: c.update(extra=torch.ones(1)), "unexpected extra;"),
        (lambda c: c.update({"conv_2.bias": torch.ones(3)}), "of another shape conv_2.bias;"),
        (lambda c: c["conv_3.bias"].__setitem__(0, float("nan")), "not finite conv_3.bias;"),
        (lambda c: c.pop("deconv_1.conv1d.weight"), "holds no generator of this package"),
        (
            lambda c: c.update({"deconv_1.conv1d.weight": torch.ones(7, 7, 25)}),
            "shape (7, 7, 25); expected (5*d, 5*d, 25)",
        ),
        (
            lambda c: c.update({"G.deconv_1.conv1d.weight": torch.ones(50, 50, 25)}),
            "several generators",
        ),
    ],
    ids=["missing", "unexpected", "shape", "nan", "no landmark", "width", "two"],
)
def test_a_wrong_state_dict_says_what_is_wrong(saved, change, says) -> None:
    torch.manual_seed(0)
    path = saved(broken(Pulse2Pulse(10), change))
    with pytest.raises(DataError, match=re.escape(says)) as error:
        load(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("content", [{"a": 1}, [1, 2], torch.ones(3), {"state_dict": {"w": 1}}])
def test_a_file_without_a_generator_is_refused(saved, content) -> None:
    with pytest.raises(DataError, match="holds no generator of this package"):
        load(saved(content))


@pytest.mark.parametrize("content", [b"", b"lead,mV\n1,2\n", b"PK\x03\x04" + bytes(100), bytes(99)])
def test_a_file_of_another_kind_is_refused(tmp_path, content) -> None:
    path = tmp_path / "mine.pt"
    path.write_bytes(content)
    with pytest.raises(DataError, match="damaged or no torch file"):
        load(path)


def test_a_truncated_file_is_refused(saved, small) -> None:
    path = saved(small.state_dict())
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(DataError, match="damaged"):
        load(path)


class Bomb:
    """Runs code when unpickled."""

    def __reduce__(self):
        return (exec, ("raise SystemExit('code of the file ran')",))


@pytest.mark.parametrize("dump", [torch.save, lambda c, p: p.write_bytes(pickle.dumps(c))])
def test_code_in_a_file_is_never_run(tmp_path, dump, small) -> None:
    path = tmp_path / "bomb.pt"
    dump({"state_dict": small.state_dict(), "x": Bomb()}, path)
    with pytest.raises(DataError, match="Python objects other than tensors"):
        load(path)


def test_wavegan_star_comes_with_weights_of_full_width_trained_on_no_patient() -> None:
    weights = load("wavegan-star")
    assert (weights.architecture, weights.width, weights.name) == (
        "wavegan-star",
        50,
        "wavegan-star",
    )
    assert sum(p.numel() for p in weights.model.parameters()) == 2_777_993
    assert weights.path.stat().st_size <= 12e6
    split = trained_on(weights.path)["split"]
    assert not set(split["train"]) & set(split["holdout"])
    assert {len(split["train"]), len(split["holdout"])} == {16_000, 4_000}
    assert all(20_000 <= int(i) < 40_000 for side in split.values() for i in side)


def test_damaged_weights_of_wavegan_star_are_refused(tmp_path, monkeypatch) -> None:
    from ecgeval.generators import checkpoints

    content = checkpoints.SHIPPED_FILE.read_bytes()
    (tmp_path / "w.pt").write_bytes(content[:-1])
    checkpoints._shipped.cache_clear()
    monkeypatch.setattr(checkpoints, "SHIPPED_FILE", tmp_path / "w.pt")
    with pytest.raises(DataError, match="is damaged; install ecgeval again"):
        load("wavegan-star")
    (tmp_path / "w.pt").unlink()
    with pytest.raises(DataError, match="is missing"):
        load("wavegan-star")


def test_names_that_cannot_be_loaded(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="unknown generator 'diffusion'; expected pulse2pulse"):
        load("diffusion")
    with pytest.raises(DataError, match=r"gone\.pt does not exist"):
        load("gone.pt")
