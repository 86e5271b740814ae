"use strict";
// Tables: sort by a click on a heading, filter where there are many rows.
for (const table of document.querySelectorAll("table.data")) {
  const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  const key = (row, i) => {
    const cell = row.cells[i], text = cell.dataset.v ?? cell.textContent;
    const value = Number.parseFloat(text.replace(/,/g, "").replace("−", "-"));
    return heads[i].classList.contains("num") ? value : text.trim();
  };
  heads.forEach((head, i) => {
    if (head.classList.contains("plain")) return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((h) => h.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...body.rows].sort((a, b) => {
        const x = key(a, i), y = key(b, i);
        if (typeof x === "string") return (down ? -1 : 1) * x.localeCompare(y, "en", { numeric: true });
        if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
        return down ? y - x : x - y;
      });
      body.append(...rows);
    });
  });
  if (body.rows.length > 15) {
    const label = document.createElement("label"), input = document.createElement("input");
    const count = document.createElement("span");
    label.className = "filter";
    input.type = "search";
    count.setAttribute("role", "status");
    label.append("Filter rows", input, count);
    (table.closest(".scroll") ?? table).before(label);
    input.addEventListener("input", () => {
      const wanted = input.value.trim().toLowerCase();
      let shown = 0;
      for (const row of body.rows) {
        row.hidden = !row.textContent.toLowerCase().includes(wanted);
        shown += !row.hidden;
      }
      count.textContent = wanted ? `${shown} of ${body.rows.length}` : "";
    });
  }
}

// The definition of a statistic, on hover; the link leads to it in full.
for (const link of document.querySelectorAll("a.def, a.code")) {
  const entry = document.getElementById(link.getAttribute("href").slice(1));
  link.title = entry?.querySelector("dd p").textContent ?? "";
}

// ECG viewer: a record at a time on ECG paper, 25 mm/s and 10 mm/mV at any zoom.
const LIMB = { III: [-1, 1], aVR: [-0.5, -0.5], aVL: [1, -0.5], aVF: [-0.5, 1] };
const ORDER = ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"];
const ROW = 22, LEFT = 16, TOP = 8;

function unpack(record) {
  const bytes = Uint8Array.from(atob(record.uv), (c) => c.charCodeAt(0));
  const all = new Int16Array(bytes.buffer), n = all.length / record.leads.length;
  const traces = new Map(record.leads.map((lead, k) => [lead, all.subarray(k * n, (k + 1) * n)]));
  const one = traces.get("I"), two = traces.get("II");
  if (one && two) {
    for (const [lead, [a, b]] of Object.entries(LIMB)) {
      if (!traces.has(lead)) traces.set(lead, Float32Array.from(one, (v, i) => a * v + b * two[i]));
    }
  }
  const known = ORDER.filter((lead) => traces.has(lead));
  return new Map([...known, ...record.leads.filter((l) => !known.includes(l))].map((l) => [l, traces.get(l)]));
}

function element(name, properties = {}, ...children) {
  const node = Object.assign(document.createElement(name), properties);
  node.append(...children);
  return node;
}

function viewer(host) {
  const data = JSON.parse(document.getElementById(host.dataset.source).textContent);
  const hidden = new Set();
  let at = 0, zoom = 1, marks = true, traces = unpack(data.records[0]);
  const canvas = element("canvas", { tabIndex: 0 });
  canvas.setAttribute("role", "img");
  const stage = element("div", { className: "stage" }, canvas);
  const choose = element("select", { ariaLabel: "Record" },
    ...data.records.map((r, k) => element("option", { value: k, textContent: `${r.set}: ${r.id}` })));
  const status = element("span", { className: "aside" });
  status.setAttribute("role", "status");
  const leads = element("fieldset", { className: "leads" }, element("legend", { textContent: "Leads" }));
  const button = (text, label, act) => element("button", { type: "button", textContent: text, ariaLabel: label, title: label, onclick: act });
  const tick = element("input", { type: "checkbox", checked: true, onchange: () => { marks = tick.checked; draw(); } });

  function go(k) {
    at = (k + data.records.length) % data.records.length;
    choose.value = at;
    traces = unpack(data.records[at]);
    leads.replaceChildren(leads.firstChild, ...[...traces.keys()].map((lead) => {
      const box = element("input", { type: "checkbox", checked: !hidden.has(lead) });
      box.onchange = () => { box.checked ? hidden.delete(lead) : hidden.add(lead); draw(); };
      return element("label", {}, box, lead);
    }));
    draw();
  }
  function scale(z) { zoom = Math.min(8, Math.max(1, z)); draw(); }

  function draw() {
    const record = data.records[at], shown = [...traces].filter(([lead]) => !hidden.has(lead));
    const n = traces.values().next().value.length, seconds = n / data.fs;
    const wide = LEFT + 25 * seconds + 4, high = TOP + ROW * Math.max(shown.length, 1) + 2;
    const width = Math.max(stage.clientWidth, 640) * zoom, mm = width / wide, height = high * mm;
    // A canvas has a largest size; lower the resolution before that, not the scale.
    const dense = Math.min(window.devicePixelRatio || 1, 16000 / width, 16000 / height);
    canvas.width = Math.round(width * dense);
    canvas.height = Math.round(height * dense);
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
    canvas.setAttribute("aria-label", `${record.set} ECG ${record.id}, ${shown.length} leads, ${seconds.toFixed(1)} s`);
    const style = getComputedStyle(document.documentElement), colour = (name) => style.getPropertyValue(name).trim();
    const c = canvas.getContext("2d");
    c.scale(dense * mm, dense * mm);
    c.fillStyle = colour("--paper");
    c.fillRect(0, 0, wide, high);
    for (const [step, name, weight] of [[1, "--fine", 0.12], [5, "--coarse", 0.2]]) {
      if (step * mm < 2.5) continue;
      c.strokeStyle = colour(name);
      c.lineWidth = weight;
      c.beginPath();
      for (let x = 0; x <= wide; x += step) { c.moveTo(x, 0); c.lineTo(x, high); }
      for (let y = 0; y <= high; y += step) { c.moveTo(0, y); c.lineTo(wide, y); }
      c.stroke();
    }
    c.fillStyle = colour(record.set === "real" ? "--real" : "--synth");
    const size = Math.max(3.4, 11 / mm);
    c.font = `600 ${size}px ${style.getPropertyValue("--sans")}`;
    c.fillText(`${record.set === "real" ? "■" : "┅"} ${record.set}  ${record.id}`, 2, TOP - 3);
    c.lineJoin = "round";
    shown.forEach(([lead, trace], row) => {
      const base = TOP + ROW * (row + 0.6), middle = [...trace].sort((a, b) => a - b)[n >> 1];
      c.strokeStyle = c.fillStyle = colour("--ink");
      c.lineWidth = Math.max(0.28, 0.8 / mm);
      c.beginPath();
      [[8, 0], [9, 0], [9, -10], [14, -10], [14, 0], [15, 0]].forEach(([x, y], k) => c[k ? "lineTo" : "moveTo"](x, base + y));
      for (let i = 0; i < n; i++) c[i ? "lineTo" : "moveTo"](LEFT + 25 * i / data.fs, base - (trace[i] - middle) / 100);
      c.stroke();
      c.fillText(lead, 1, base - 5);
      if (marks) {
        c.strokeStyle = colour("--fourth");
        c.beginPath();
        for (const [name, places] of Object.entries(record.marks)) {
          const tall = name.endsWith("peak") ? 4 : 2.4;
          for (const i of places) if (i !== null && i >= 0) { c.moveTo(LEFT + 25 * i / data.fs, base + 6); c.lineTo(LEFT + 25 * i / data.fs, base + 6 - tall); }
        }
        c.stroke();
      }
    });
    status.textContent = `${at + 1} of ${data.records.length}, zoom ${zoom.toFixed(1)}×`;
  }

  const acts = {
    ArrowRight: () => go(at + 1), ArrowLeft: () => go(at - 1), "+": () => scale(zoom * 1.25), "=": () => scale(zoom * 1.25),
    "-": () => scale(zoom / 1.25), 0: () => scale(1), m: () => { tick.checked = marks = !marks; draw(); },
  };
  canvas.addEventListener("keydown", (event) => {
    const act = acts[event.key];
    if (act && !event.ctrlKey && !event.metaKey) { event.preventDefault(); act(); }
  });
  canvas.addEventListener("wheel", (event) => {
    if (event.ctrlKey) { event.preventDefault(); scale(zoom * (event.deltaY < 0 ? 1.1 : 1 / 1.1)); }
  }, { passive: false });
  canvas.addEventListener("pointerdown", (start) => {
    const left = stage.scrollLeft + start.clientX, top = stage.scrollTop + start.clientY;
    const move = (e) => stage.scrollTo(left - e.clientX, top - e.clientY);
    if (start.pointerType !== "mouse") return;
    canvas.setPointerCapture(start.pointerId);
    canvas.addEventListener("pointermove", move);
    canvas.addEventListener("pointerup", () => canvas.removeEventListener("pointermove", move), { once: true });
  });
  choose.onchange = () => go(Number(choose.value));
  const hasMarks = data.records.some((r) => Object.keys(r.marks).length);
  host.append(
    element("div", { className: "bar-controls" }, button("←", "Previous record", () => go(at - 1)), choose,
      button("→", "Next record", () => go(at + 1)), button("−", "Zoom out", () => scale(zoom / 1.25)),
      button("+", "Zoom in", () => scale(zoom * 1.25)), button("1:1", "Whole width", () => scale(1)),
      ...(hasMarks ? [element("label", {}, tick, " marks")] : []), status),
    leads, stage,
    element("p", { className: "help", textContent: `Click the trace, then ← and → page through records, + and − zoom, 0 resets${hasMarks ? ", m shows marks" : ""}; drag to move. ${host.dataset.note ?? ""}` }));
  host.hidden = false;
  go(0);
  let last = stage.clientWidth;
  new ResizeObserver(() => requestAnimationFrame(() => {
    if (stage.clientWidth !== last) { last = stage.clientWidth; draw(); }
  })).observe(stage);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
}
document.querySelectorAll(".viewer").forEach(viewer);

// A link to a definition opens what it points into; printing opens everything.
addEventListener("beforeprint", () => document.querySelectorAll("details:not(.all)").forEach((d) => { d.open = true; }));
