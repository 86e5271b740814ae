"""A run's settings: defaults, round trip, typos."""

import pytest

from ecgeval.errors import UsageError
from ecgeval.pipeline.config import RunConfig, load


def written(tmp_path, text):
    path = tmp_path / "run.toml"
    path.write_text(text)
    return path


def test_a_plain_string_is_a_set_and_the_round_trip_is_exact(tmp_path):
    config = load(written(tmp_path, 'real = "ptbxl-norm"\nsynth = {source = "g.pt", n = 5}\n'))
    assert config.real.source == "ptbxl-norm"
    assert config.synth.n == 5
    again = load(written(tmp_path, config.to_toml()))
    assert again == config
    assert again.digest() == config.digest()
    assert config.digest() != config.model_copy(update={"seed": 1}).digest()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sede = 1", "unknown key 'sede'; did you mean 'seed'"),
        ("[compare]\nmargin = 'x'", r"unknown key 'compare.margin'; did you mean 'margins'"),
        ("real = {sorce = 'a'}", r"unknown key 'real.sorce'; did you mean 'source'"),
        ("seed = 'a'", "'seed' is 'a'"),
        ("seed = -1", "'seed' is -1"),
        ("real = {unit = 'mV'}", "'real.source' is missing"),
        ("real = ''", "'real.source' is ''"),
        ("x =", "not valid TOML"),
    ],
)
def test_mistakes_are_named(tmp_path, text, message):
    with pytest.raises(UsageError, match=message):
        load(written(tmp_path, text))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UsageError, match="does not exist"):
        load(tmp_path / "none.toml")


def test_paths_are_taken_from_the_files_own_folder(tmp_path):
    (tmp_path / "records").mkdir()
    config = load(written(tmp_path, 'real = "records"\nsynth = "ludb"\n'))
    assert config.real.source == str(tmp_path / "records")
    assert config.synth.source == "ludb"
    (tmp_path / "mine.toml").write_text("")
    config = load(written(tmp_path, 'real = "ludb"\n[compare]\nmargins = "mine.toml"\n'))
    assert config.compare.margins == str(tmp_path / "mine.toml")


def test_every_key_is_described():
    for part in (RunConfig, *(f.annotation for f in RunConfig.model_fields.values())):
        for name, key in getattr(part, "model_fields", {}).items():
            assert key.description or name in (
                "real",
                "synth",
                "train",
                "holdout",
                "compare",
                "audit",
                "report",
            ), name
