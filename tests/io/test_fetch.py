"""Downloads, against a server on this machine with made-up records."""

import functools
import gc
import hashlib
import http.server
import threading
from pathlib import Path

import numpy as np
import pytest

from ecgeval.errors import DataError
from ecgeval.io import fetch as fetching
from ecgeval.io import ludb_annotations, read
from ecgeval.io.fetch import Remote

# A connection cut in mid-file is left to the garbage collector by the HTTP library.
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*socket.socket:pytest.PytestUnraisableExceptionWarning",
    "ignore:unclosed:ResourceWarning",
)


@pytest.fixture(autouse=True)
def _collected():
    """Collect such connections here, so that no other test is blamed for them."""
    yield
    gc.collect()


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves files; cuts those in `cut` short once; remembers what was asked for."""

    asked: list[str]
    cut: set[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        name = self.path.rpartition("/")[2]
        if name in self.cut:
            self.cut.remove(name)
            data = Path(self.translate_path(self.path)).read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2])
            self.close_connection = True
        else:
            super().do_GET()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def publisher(tmp_path, monkeypatch, record):
    """Return (folder of the mirror, its handler, the cache) of a small LUDB and PTB-XL."""
    mirror = tmp_path / "mirror"
    ludb, ptbxl = mirror / "ludb" / "1.0.1", mirror / "ptb-xl" / "1.0.3"
    for n in (1, 2, 3):
        record(ludb, f"data/{n}", seed=n, comments=("<age>: 40", "<sex>: F", "Rhythm: Sinus."))
    for n in (1, 2, 3):
        record(ptbxl, f"records500/00000/0000{n}_hr", seed=n)
    rows = ["ecg_id,patient_id,age,sex,scp_codes,filename_lr,filename_hr"]
    for n, code in ((1, "NORM"), (2, "IMI"), (3, "NORM")):
        name = f"00000/0000{n}"
        rows.append(
            f"""{n},7.0,50.0,1,"{{'{code}': 100.0}}",records100/{name}_lr,records500/{name}_hr"""
        )
    (ptbxl / "ptbxl_database.csv").write_text("\n".join(rows) + "\n")
    (ptbxl / "scp_statements.csv").write_text(
        ",diagnostic,diagnostic_class\nNORM,1.0,NORM\nIMI,1.0,MI\n"
    )
    for project in (ludb, ptbxl):
        write_sums(project)

    handler = type("Served", (Handler,), {"asked": [], "cut": set()})
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(handler, directory=str(mirror))
    )
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("ECGEVAL_MIRROR", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("ECGEVAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("ecgeval.io.named.data_roots", list)
    monkeypatch.setattr(fetching, "RETRIES", 0)
    yield mirror, handler, tmp_path / "cache"
    server.shutdown()
    thread.join()
    server.server_close()


def write_sums(project: Path) -> None:
    """Write SHA256SUMS.txt as PhysioNet does."""
    files = sorted(p for p in project.rglob("*") if p.is_file() and p.name != "SHA256SUMS.txt")
    lines = [
        f"{hashlib.sha256(p.read_bytes()).hexdigest()} {p.relative_to(project).as_posix()}"
        for p in files
    ]
    (project / "SHA256SUMS.txt").write_text("\n".join(lines) + "\n")


def test_records_are_downloaded_once_and_read(publisher) -> None:
    _, handler, cache = publisher
    calls: list[tuple[str, int, int]] = []
    ecgs = read("ludb:1-2", progress=lambda *call: calls.append(call))
    assert list(ecgs.patients()) == ["1", "2"]
    assert ecgs.records["rhythm"].tolist() == ["Sinus", "Sinus"]
    assert ("download ludb/1.0.1", 4, 4) in calls
    assert not any("3.dat" in path for path in handler.asked)  # only what is needed
    before = len(handler.asked)
    again = read("ludb:1-2")
    assert len(handler.asked) == before
    np.testing.assert_array_equal(again.signals, ecgs.signals)
    assert (cache / "ludb" / "1.0.1" / "data" / "1.dat").is_file()


def test_ptbxl_norm_downloads_the_normal_ones_only(publisher) -> None:
    _, handler, _ = publisher
    ecgs = read("ptbxl-norm")
    assert list(ecgs.ids) == ["1", "3"]
    assert list(ecgs.patients()) == ["7", "7"]
    assert ecgs.records["sex"].tolist() == ["F", "F"]
    assert not any("00002_hr" in path or "_lr" in path for path in handler.asked)


def test_a_changed_file_is_refused_and_not_kept(publisher) -> None:
    mirror, _, cache = publisher
    file = mirror / "ludb" / "1.0.1" / "data" / "1.dat"
    data = bytearray(file.read_bytes())
    data[0] ^= 1
    file.write_bytes(data)
    with pytest.raises(DataError, match=r"1\.dat: SHA-256 differs from the publisher's"):
        read("ludb:1")
    assert not (cache / "ludb" / "1.0.1" / "data" / "1.dat").exists()


def test_a_file_the_server_lacks_is_named_with_what_to_do(publisher) -> None:
    mirror, _, _ = publisher
    (mirror / "ludb" / "1.0.1" / "data" / "2.dat").unlink()
    with pytest.raises(DataError, match=r"2\.dat: the server answered 404; .*ECGEVAL_DATA"):
        read("ludb:1-2")
    with pytest.raises(DataError, match="the publisher lists no such file"):
        ludb_annotations(1, leads=["II"])
    with pytest.raises(DataError, match=r"SHA256SUMS\.txt: the server answered 404"):
        read("ecgid:1")


def test_an_interrupted_download_goes_on_where_it_stopped(publisher) -> None:
    _, handler, cache = publisher
    handler.cut.add("2.dat")
    with pytest.raises(DataError, match=r"2\.dat: .*finished files are kept"):
        read("ludb:1-2")
    assert not (cache / "ludb" / "1.0.1" / "data" / "2.dat").exists()
    assert not list(cache.rglob("tmp*"))
    done = {path.name for path in (cache / "ludb" / "1.0.1" / "data").iterdir()}
    handler.asked.clear()
    assert len(read("ludb:1-2")) == 2
    assert {path.rpartition("/")[2] for path in handler.asked} == {
        "1.hea",
        "1.dat",
        "2.hea",
        "2.dat",
    } - done


def test_a_failed_file_is_tried_again(publisher, monkeypatch) -> None:
    _, handler, _ = publisher
    handler.cut.add("1.hea")
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)
    remote = Remote("ludb/1.0.1", retries=1)
    assert (remote.fetch(["data/1.hea"]) / "data" / "1.hea").is_file()
    assert sum(path.endswith("1.hea") for path in handler.asked) == 2


def test_without_a_network_it_is_one_sentence(publisher, monkeypatch) -> None:
    monkeypatch.setenv("ECGEVAL_MIRROR", "http://127.0.0.1:9")
    with pytest.raises(DataError, match="no connection and no local copy; download it by hand"):
        read("ludb")


def test_a_copy_with_the_100_hz_records_only_is_read_as_such(publisher, record) -> None:
    folder = publisher[0] / "ptb-xl" / "1.0.3"
    (folder / "records500").rename(folder / "elsewhere")
    record(folder, "records100/00000/00001_lr", fs=100)
    ecgs = read(folder)
    assert (ecgs.fs, list(ecgs.ids)) == (100, ["1"])
    assert any("100 Hz records are read" in note for note in ecgs.notes)


def test_a_local_copy_is_never_completed_from_the_network(publisher, monkeypatch) -> None:
    mirror, handler, _ = publisher
    local = mirror.parent / "data"
    (local / "ludb").mkdir(parents=True)
    (mirror / "ludb" / "1.0.1" / "data").rename(local / "ludb" / "data")
    monkeypatch.setattr("ecgeval.io.named.data_roots", lambda: [local])
    ecgs = read("ludb:2-5")
    assert list(ecgs.ids) == ["2", "3"]
    assert "2 of 4 records are not in this copy" in ecgs.notes
    assert handler.asked == []
