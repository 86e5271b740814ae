"""What is done over checkpoints, through the commands."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")


def test_train_writes_checkpoints_pictures_and_curves(cli, sim, tmp_path) -> None:
    from ecgeval.io import write_store

    write_store(sim(12), tmp_path / "set")
    words = (
        "train", "wavegan-star", "--data", tmp_path / "set", "--out", tmp_path / "run", "--width",
        10, "--critic-width", 1, "--batch", 4, "--critic-steps", 2, "--checkpoint-epochs", 1,
    )  # fmt: skip
    code, out, err = cli(*words, "--epochs", 1)
    assert code == 0, err
    assert "epoch-00001.pt" in out
    code, out, _ = cli(*words, "--epochs", 2)  # the same command goes on
    assert code == 0
    assert "epoch-00002.pt" in out
    names = {p.name for p in (tmp_path / "run").rglob("*")}
    assert names >= {
        "epoch-00001.pt", "epoch-00002.pt", "epoch-00001.svg", "epoch-00002.svg", "history.svg",
    }  # fmt: skip
    assert len((tmp_path / "run" / "history.csv").read_text().splitlines()) == 3


def test_train_says_what_is_wrong(cli, sim, tmp_path) -> None:
    from ecgeval.io import write_store

    write_store(sim(12), tmp_path / "set")
    code, _, err = cli("train", "vae", "--data", tmp_path / "set", "--out", tmp_path / "run")
    assert (code, "architecture is 'vae'; expected pulse2pulse or wavegan-star" in err) == (2, True)
    code, _, err = cli("train", "pulse2pulse", "--data", tmp_path / "set", "--out", tmp_path / "r")
    assert code == 2
    assert "10 training records make 0 batches of 32 an epoch" in err
