"""The page in a real browser: no error, no request, keys and tables work, themes and print."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import subprocess
from dataclasses import replace

import pytest

from ecgeval.report import write_report

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium")


class Browser:
    """Chromium over its debugging pipe: messages are JSON ended by a NUL byte."""

    def __init__(self, profile) -> None:
        to_read, self.to_write = os.pipe()
        self.from_read, from_write = os.pipe()

        def wire() -> None:  # the browser reads from 3 and writes to 4
            a, b = os.dup(to_read), os.dup(from_write)
            os.dup2(a, 3)
            os.dup2(b, 4)

        self.process = subprocess.Popen(
            [
                CHROMIUM,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--remote-debugging-pipe",
                "--disable-background-networking",
                "--disable-component-update",
                "--no-first-run",
                f"--user-data-dir={profile}",
                "about:blank",
            ],
            preexec_fn=wire,
            close_fds=False,
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        os.close(to_read)
        os.close(from_write)
        self.buffer, self.count, self.events = b"", 0, []
        self.session = None
        page = next(t for t in self("Target.getTargets")["targetInfos"] if t["type"] == "page")
        self.session = self("Target.attachToTarget", targetId=page["targetId"], flatten=True)[
            "sessionId"
        ]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self(f"{domain}.enable")

    def read(self) -> dict:
        while b"\0" not in self.buffer:
            assert select.select([self.from_read], [], [], 60)[0], "no answer within a minute"
            part = os.read(self.from_read, 1 << 16)
            assert part, "the browser ended"
            self.buffer += part
        message, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(message)

    def __call__(self, method: str, **params):
        self.count += 1
        message = {"id": self.count, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to_write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.read()
            if answer.get("id") == self.count:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def open(self, path, *, width: int = 1280, scripts: bool = True) -> None:
        self("Emulation.setScriptExecutionDisabled", value=not scripts)
        self(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        self.events.clear()
        self("Page.navigate", url=path.as_uri())
        while not any(e["method"] == "Page.loadEventFired" for e in self.events):
            self.events.append(self.read())

    def js(self, expression: str):
        answer = self(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def key(self, key: str) -> None:
        for kind in ("keyDown", "keyUp"):
            self("Input.dispatchKeyEvent", type=kind, key=key, text="" if len(key) > 1 else key)

    def complaints(self) -> list:
        """Return console messages, exceptions and policy violations."""
        self.js("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)))")
        names = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
        return [e for e in self.events if e["method"] in names]

    def requests(self) -> list[str]:
        """Return every address asked for but the page itself and data inside it."""
        sent = [e for e in self.events if e["method"] == "Network.requestWillBeSent"]
        urls = [e["params"]["request"]["url"] for e in sent]
        return [u for u in urls if not u.startswith("data:")][1:]

    def close(self) -> None:
        with contextlib.suppress(OSError, AssertionError):
            self.session = None
            self("Browser.close")
        self.process.wait(20)
        os.close(self.to_write)
        os.close(self.from_read)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    opened = Browser(tmp_path_factory.mktemp("profile"))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def page(make, tmp_path_factory):
    """A page full of markup where ids and labels should be."""
    hostile = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&"
    out = tmp_path_factory.mktemp("report")
    return write_report(make(prefix=hostile), out, formats=["html"])["html"]


@pytest.mark.parametrize("width", [1280, 400])
def test_no_error_no_request_nothing_wider_than_the_screen(browser, page, width) -> None:
    browser.open(page, width=width)
    assert browser.complaints() == []
    assert browser.requests() == []
    assert browser.js("document.documentElement.scrollWidth") <= width
    assert browser.js("document.querySelectorAll('img, iframe, object').length") == 0
    ids = "[...document.querySelectorAll('[id]')].map((e) => e.id)"
    assert browser.js(f"{ids}.length") == browser.js(f"new Set({ids}).size")


def test_a_script_in_a_record_id_would_have_been_seen(browser, page, tmp_path) -> None:
    text = page.read_text().replace("</main>", "<img src=x onerror=alert(2)></main>")
    (tmp_path / "bad.html").write_text(text)
    browser.open(tmp_path / "bad.html")
    assert browser.complaints()  # the policy stops the handler and the image, and says so


def test_viewer_keys(browser, page) -> None:
    browser.open(page)
    canvas = "document.querySelector('.viewer canvas')"
    browser.js(f"{canvas}.focus()")
    label = f"{canvas}.ariaLabel"
    first, width = browser.js(label), browser.js(f"{canvas}.clientWidth")
    assert first.startswith("real ECG")
    assert first.endswith("12 leads, 10.0 s")
    other = "document.querySelectorAll('.viewer canvas')[1]"
    beside = browser.js(f"{other}.ariaLabel")
    assert beside.startswith("synthetic ECG")
    assert browser.js(f"{other}.getBoundingClientRect().left") > width
    browser.key("ArrowRight")
    assert browser.js(label) != first
    assert browser.js(f"{other}.ariaLabel") != beside
    browser.key("ArrowLeft")
    assert browser.js(label) == first
    browser.key("+")
    assert browser.js(f"{canvas}.clientWidth") > 1.2 * width
    browser.key("0")
    assert browser.js(f"{canvas}.clientWidth") == width
    browser.js("document.querySelector('.leads input').click()")
    assert "11 leads" in browser.js(label)
    before = browser.js(f"{canvas}.toDataURL()")
    browser.key("m")
    assert browser.js(f"{canvas}.toDataURL()") != before
    browser.key("s")
    assert browser.js(f"{other}.checkVisibility()") is False
    assert browser.js(f"{canvas}.clientWidth") > 1.5 * width
    browser.key("ArrowRight")
    assert browser.js(label).startswith("synthetic ECG")
    assert browser.complaints() == []


def test_viewer_lays_a_pair_over_each_other_at_its_lag(browser, make, tmp_path) -> None:
    """The synthetic trace has a spike at 4 s, the real one at 3.5 s, moved by 400 ms."""
    results = make(records=1)
    figure = next(f for f in results.figures if f.kind == "pairs")
    spike = {at: [1500 * (abs(k - 500 * at) < 5) for k in range(5000)] for at in (3.5, 4.0)}
    pair = {"synth": {"II": spike[4.0]}, "real": {"II": spike[3.5]}, "lag_ms": 400}
    figure.data["pairs"][:] = [pair | {"title": "s", "real_title": "r"}]
    keep = tuple(f for f in results.figures if f.kind == "pairs")
    results = replace(results, figures=keep)
    browser.open(write_report(results, tmp_path, formats=["html"])["html"])
    blue = """(() => {
      const c = document.querySelector('.viewer canvas'), mm = c.width / (16 + 250 + 4);
      const p = c.getContext('2d').getImageData(0, Math.round(12 * mm), c.width, 1).data;
      const at = []; for (let x = 0; x < c.width; x++)
        if (p[4 * x + 2] - p[4 * x] > 60) at.push((x / mm - 16) / 25);
      return at;
    })()"""
    aligned = browser.js(blue)
    browser.js("document.querySelector('.viewer canvas').focus()")
    browser.key("l")
    moved = browser.js(blue)
    assert aligned == pytest.approx([3.9] * len(aligned), abs=0.03)
    assert moved == pytest.approx([3.5] * len(moved), abs=0.03)
    assert min(len(aligned), len(moved)) > 0
    label = browser.js("document.querySelector('.viewer canvas').ariaLabel")
    assert label == "synthetic ECG s over real ECG r, 1 leads, 10.0 s"


def test_a_number_says_what_it_is_on_focus_and_on_hover(browser, page) -> None:
    browser("Emulation.setFocusEmulationEnabled", enabled=True)
    browser.open(page)
    browser.js("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    value = "document.querySelector('#fidelity details.all table.estimates b')"
    browser.js(f"{value}.focus()")
    shown = browser.js("document.getElementById('tip').innerText")
    for words in (
        "Cliff's δ",
        "interval: ",
        "95 % confidence interval",
        "real against real: ",
        "n real / synth: 238 / 400",
        "patient bootstrap, 2,000 draws",
        "source: ",
    ):
        assert words in shown, words
    assert browser.js(f"{value}.getAttribute('aria-describedby')") == "tip"
    browser.key("Escape")
    assert browser.js("document.getElementById('tip').checkVisibility()") is False
    browser.js(
        "document.activeElement.blur(); "
        "document.querySelector('a.code').scrollIntoView({ behavior: 'instant' })"
    )
    at = browser.js(
        "(() => { const r = document.querySelector('a.code').getBoundingClientRect();"
        " return [r.left + 4, r.top + 4]; })()"
    )
    browser("Input.dispatchMouseEvent", type="mouseMoved", x=at[0], y=at[1])
    assert "equivalence of the primary measures" in browser.js(
        "document.getElementById('tip').innerText"
    )
    browser("Input.dispatchMouseEvent", type="mouseMoved", x=1, y=1)
    assert browser.complaints() == []


def test_every_table_can_be_taken_away(browser, page) -> None:
    browser.open(page)
    tables = browser.js("document.querySelectorAll('table.data').length")
    links = "[...document.querySelectorAll('table.data')].map((t) => t.closest('.scroll')"
    assert browser.js(
        f"{links}.nextElementSibling.querySelectorAll('a.csv[download]').length)"
    ) == ([1] * tables)
    text = browser.js(
        "(() => { const t = document.createElement('table'); t.innerHTML = '<tr><th>a</th>"
        "<th>b</th></tr><tr><td>−1,234.5</td><td>=x\"y</td></tr>'; return csv(t); })()"
    )
    assert text == '"a","b"\r\n-1234.5,"\'=x""y"'
    browser.js("document.querySelector('a.csv[href=\"#\"]').click()")
    assert browser.complaints() == []
    assert all(url.startswith("blob:") for url in browser.requests())


def test_viewer_draws_the_samples(browser, make, tmp_path) -> None:
    """The shown trace is the data: one lead, flat but for one 1 mV step, is found in pixels."""
    results = make(records=1)
    uv = [0] * 2500 + [1000] * 2500
    figure = next(f for f in results.figures if f.kind == "ecg_paper")
    figure.data["records"][:] = [{"id": "step", "set": "real", "uv": {"II": uv}}]
    browser.open(write_report(results, tmp_path, formats=["html"])["html"])
    script = """(() => {
      const c = document.querySelector('.viewer canvas'), mm = c.width / (16 + 250 + 4);
      const p = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
      const dark = (x) => { let best = 0, at = 0;
        for (let y = 0; y < c.height; y++) { const k = 4 * (y * c.width + Math.round(x * mm));
          const d = 765 - p[k] - p[k + 1] - p[k + 2]; if (d > best) { best = d; at = y; } }
        return at / mm; };
      return dark(16 + 60) - dark(16 + 190);
    })()"""
    assert browser.js(script) == pytest.approx(10, abs=0.4)  # 1 mV is 10 mm


def test_tables_sort_and_filter(browser, page) -> None:
    browser.open(page)
    table = "document.getElementById('table-quality.records')"
    shown = f"[...{table}.querySelectorAll('tbody tr')].filter((r) => !r.hidden)"
    column = f"{shown}.map((r) => +r.cells[1].textContent)"
    head = f"{table}.querySelectorAll('th button')[1]"
    assert browser.js(column) == list(range(40))
    browser.js(f"{head}.click(); {head}.click()")
    assert browser.js(column) == list(range(39, -1, -1))
    assert browser.js(f"{head}.parentElement.ariaSort") == "descending"
    browser.js(
        f"(() => {{ const i = {table}.querySelector('input'); i.value = 'rec39';"
        " i.dispatchEvent(new Event('input')); })()"
    )
    assert browser.js(column) == [39]


def test_readable_without_scripts(browser, page) -> None:
    browser.open(page, scripts=False)
    browser("Emulation.setScriptExecutionDisabled", value=False)
    seen = browser.js("document.body.innerText")
    assert "20 of 400 records are copies" in seen
    assert "INCONCLUSIVE" in seen
    assert browser.js("document.querySelector('.viewer').checkVisibility()") is False
    assert browser.js("document.querySelectorAll('.cell svg path').length") > 100


# The lowest contrast ratio (WCAG 2.1) of any text that shows, and where it is.
CONTRAST = """(() => {
  const rgb = (s) => s.match(/[\\d.]+/g).map(Number);
  const linear = (v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = (c) => {
    const [r, g, b] = c.slice(0, 3).map((v) => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const background = (e) => {
    const c = rgb(getComputedStyle(e).backgroundColor);
    return c.length > 3 && c[3] === 0 ? background(e.parentElement) : c;
  };
  const speaks = (e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
  document.querySelectorAll('details').forEach((d) => { d.open = true; });
  const texts = [...document.querySelectorAll('body *:not(script, style, svg *, option)')]
    .filter((e) => e.checkVisibility() && speaks(e));
  return texts.map((e) => {
    const pair = [light(rgb(getComputedStyle(e).color)), light(background(e))];
    const [high, low] = pair.sort((x, y) => y - x);
    return [(high + 0.05) / (low + 0.05), `${e.tagName} ${e.className} ${e.textContent}`];
  }).sort((x, y) => x[0] - y[0])[0];
})()"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_is_aa(browser, page, scheme) -> None:
    browser(
        "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}]
    )
    browser.open(page)
    assert browser.js("getComputedStyle(document.body).backgroundColor") == (
        "rgb(255, 255, 255)" if scheme == "light" else "rgb(20, 23, 29)"
    )
    ratio, where = browser.js(CONTRAST)
    assert ratio >= 4.5, where
    browser("Emulation.setEmulatedMedia", features=[])


def test_prints(browser, page) -> None:
    browser.open(page)
    assert len(browser("Page.printToPDF")["data"]) > 10_000
    assert browser.complaints() == []
