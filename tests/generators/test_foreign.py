"""Generators of other people: what they have to offer, and what is said when they do not."""

from __future__ import annotations

import json
import sys
from importlib.metadata import EntryPoint

import numpy as np
import pandas as pd
import pytest

from ecgeval import sets
from ecgeval.ecgset import EcgSet
from ecgeval.errors import DataError, EcgevalError, UsageError
from ecgeval.generators import foreign
from ecgeval.generators.foreign import EcgGenerator
from ecgeval.pipeline.config import load

LEADS = ("I", "II", "V5")


class Sines:
    """A generator in ten lines."""

    def sample(self, n: int, seed: int) -> EcgSet:
        rng = np.random.default_rng(seed)
        t = np.arange(1000) / 100
        x = np.sin(2 * np.pi * t * rng.uniform(1, 2, (n, len(LEADS), 1)))
        return EcgSet(
            x.astype(np.float32), 100, LEADS, pd.DataFrame(index=[f"s{i}" for i in range(n)])
        )

    def describe(self) -> dict:
        return {"name": "sines", "licence": "CC0"}


class Short(Sines):
    def sample(self, n: int, seed: int) -> EcgSet:
        return super().sample(n - 1, seed)


class Loose(Sines):
    def sample(self, n: int, seed: int):
        return np.zeros((n, 3, 1000))


class Broken(Sines):
    def sample(self, n: int, seed: int) -> EcgSet:
        raise RuntimeError("CUDA is on fire\nsecond line")


def nothing() -> str:
    return "no generator"


ready = Sines()


@pytest.fixture
def named(monkeypatch):
    """Return a function that installs an object of this module as the generator ``mygen``."""

    def install(name: str) -> None:
        module = sys.modules[__name__]
        monkeypatch.setitem(sys.modules, "tests_foreign", module)
        point = EntryPoint("mygen", f"tests_foreign:{name}", foreign.GROUP)
        monkeypatch.setattr(foreign, "entry_points", lambda group: [point])

    return install


@pytest.mark.parametrize("name", ["Sines", "ready"])
def test_a_class_or_an_object_is_a_generator(named, name) -> None:
    named(name)
    assert isinstance(ready, EcgGenerator)
    ecgs = sets.read("mygen:5", seed=3)
    assert len(ecgs) == 5
    assert set(ecgs.records["source"]) == {"mygen seed=3"}
    assert ecgs.notes == ("mygen says of itself: name: sines; licence: CC0",)
    assert ecgs.fingerprint() == sets.read("mygen", n=5, seed=3).fingerprint()
    assert ecgs.fingerprint() != sets.read("mygen:5", seed=4).fingerprint()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Short", "gave 4 records and was asked for 5"),
        ("Loose", "returned a ndarray; expected an ecgeval.EcgSet"),
        ("Broken", "failed: RuntimeError: CUDA is on fire$"),
        ("nothing", "is a str; expected an object with sample"),
        ("absent", "cannot be loaded: AttributeError"),
    ],
)
def test_what_is_wrong_is_one_sentence(named, name, said) -> None:
    named(name)
    with pytest.raises(DataError, match=said):
        sets.read("mygen:5")


def test_a_count_is_needed_and_a_file_of_the_name_comes_first(named, tmp_path, monkeypatch) -> None:
    named("Sines")
    with pytest.raises(UsageError, match="say how many, as in mygen:1000"):
        sets.read("mygen")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mygen").mkdir()
    assert not sets.is_generator("mygen")


def test_it_can_be_compared_and_stored(named, cli, tmp_path) -> None:
    named("Sines")
    code, _, err = cli("generate", "mygen", "-n", 4, "--out", tmp_path / "store")
    assert code == 0, err
    assert len(sets.read(tmp_path / "store")) == 4
    assert sets.info("mygen:3")["n"] == 3


SCRIPT = """
import sys
import numpy as np
n, seed, out = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
x = np.random.default_rng(seed).normal(0, 300, (n, 2, 1000))
np.save(out + "/ecgs.npy", x)
"""


@pytest.fixture
def command(tmp_path):
    """Return a function that writes a script and the TOML file of its command."""

    def write(script: str = SCRIPT, words: object = ("{n}", "{seed}", "{out}"), **keys: object):
        (tmp_path / "make.py").write_text(script)
        keys = {
            "command": ["python", "make.py", *words],
            "unit": "uV",
            "native_fs": 100,
            "leads": ["I", "II"],
        } | keys
        path = tmp_path / "mygen.toml"
        path.write_text("".join(f"{k} = {json.dumps(v)}\n" for k, v in keys.items()))
        return path

    return write


def test_a_command_writes_files_and_they_are_read(command) -> None:
    path = command()
    path.write_text(path.read_text() + '[describe]\nlicence = "MIT"\n')
    ecgs = sets.read(f"command:{path}:6", seed=2)
    assert (len(ecgs), ecgs.fs, ecgs.leads) == (6, 100, ("I", "II"))
    assert 0.2 < np.std(ecgs.signals[:]) < 0.4  # mV
    assert ecgs.notes[-1] == "mygen says of itself: licence: MIT"
    assert ecgs.fingerprint() == sets.read(f"command:{path}", n=6, seed=2).fingerprint()
    assert ecgs.fingerprint() != sets.read(f"command:{path}:6", seed=3).fingerprint()


def test_a_command_writes_a_store_that_outlives_its_folder(command, sim) -> None:
    script = """
import sys
import numpy as np, pandas as pd
from ecgeval import EcgSet, write_store
n = int(sys.argv[1])
x = np.sin(np.arange(1000) / 10).astype(np.float32) * np.ones((n, 2, 1), np.float32)
records = pd.DataFrame(index=[str(i) for i in range(n)])
write_store(EcgSet(x, 100, ("I", "II"), records), sys.argv[3])
"""
    path = command(script, words=("{n}", "0", "{out}"))
    text = "\n".join(line for line in path.read_text().splitlines() if line.startswith("command"))
    path.write_text(text)
    ecgs = sets.read(f"command:{path}:3")
    assert np.asarray(ecgs.signals[:]).std() > 0.5
    assert "another run gives other records" in ecgs.notes[-1]


@pytest.mark.parametrize(
    ("change", "said", "kind"),
    [
        (
            {"script": "import sys; sys.exit('no GPU here')"},
            "ended with 1 and said: no GPU here",
            DataError,
        ),
        ({"script": "pass"}, "wrote nothing to {out}", DataError),
        (
            {"script": SCRIPT.replace("(n, 2", "(n + 1, 2")},
            "gave 6 records and was asked for 5",
            DataError,
        ),
        ({"timeout_s": "soon"}, "timeout_s is 'soon'; expected seconds above 0", UsageError),
        ({"native_fs": 0}, "native_fs is 0; expected a rate in Hz", UsageError),
        ({"leads": ["I", 2]}, "expected a list of lead names", UsageError),
        (
            {"script": "import time; time.sleep(9)", "timeout_s": 0.2},
            "longer than its timeout_s",
            DataError,
        ),
        (
            {"command": ["no-such-program", "{n}", "{out}"]},
            "does not exist; expected a program",
            DataError,
        ),
        ({"command": "python make.py"}, "expected a list of words", UsageError),
        ({"command": ["python", "{n}"]}, "holds no {n} or no {out}", UsageError),
        ({"cmd": 1}, "unknown key 'cmd'", UsageError),
        ({"command": 5}, "command is 5; expected a list of words", UsageError),
        ({"command": ["python", 3, "{n}", "{out}"]}, "expected a list of words", UsageError),
        ({"command": ["py\0", "{n}", "{out}"]}, "expected a list of words", UsageError),
        ({"timeout_s": "60"}, "timeout_s is '60'; expected seconds above 0", UsageError),
        ({"timeout_s": -1}, "timeout_s is -1; expected seconds above 0", UsageError),
        ({"timeout_s": True}, "timeout_s is True; expected seconds above 0", UsageError),
        ({"native_fs": "500"}, "native_fs is '500'; expected a rate in Hz", UsageError),
        ({"unit": 1}, "unit is 1; expected auto, mV or uV", UsageError),
        ({"leads": [1, 2]}, "leads is [1, 2]; expected a list of lead names", UsageError),
        ({"describe": "MIT"}, "describe is 'MIT'; expected a table", UsageError),
    ],
)
def test_a_command_that_fails_is_one_sentence(command, change, said, kind) -> None:
    path = command(**change)
    with pytest.raises(EcgevalError) as caught:
        sets.read(f"command:{path}:5")
    assert isinstance(caught.value, kind)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_missing_count_are_named(tmp_path) -> None:
    with pytest.raises(UsageError, match=r"absent.toml does not exist"):
        sets.read(f"command:{tmp_path}/absent.toml:5")
    with pytest.raises(UsageError, match="say how many"):
        sets.read("command:mygen.toml")


def test_a_configuration_finds_the_file_beside_it(command, tmp_path) -> None:
    path = command()
    (tmp_path / "run.toml").write_text('real = "x"\nsynth = "command:mygen.toml:9"\n')
    config = load(tmp_path / "run.toml")
    assert config.synth is not None
    assert config.synth.source == f"command:{path.resolve()}:9"
