"use strict";
function element(name, properties = {}, ...children) {
  const node = Object.assign(document.createElement(name), properties);
  node.append(...children);
  return node;
}

// A table as CSV: as shown, with plain minus signs; what a spreadsheet would run is quoted.
function csv(table) {
  const plain = (cell) => {
    const text = (cell.dataset.v ?? cell.textContent).trim();
    const number = text.replace(/(\d),(?=\d{3})/g, "$1").replace(/^−/, "-");
    if (/^-?\d+(\.\d+)?(e[-+]?\d+)?$/i.test(number)) return number;
    return `"${(/^[=+\-@\t\r\n]/.test(text) ? "'" : "") + text.replaceAll('"', '""')}"`;
  };
  return [...table.rows].map((row) => [...row.cells].filter((c) => !c.classList.contains("plain")).map(plain).join(",")).join("\r\n");
}

// Tables: sort by a click on a heading, filter where there are many rows, take them away as CSV.
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
  const below = table.closest(".scroll")?.nextElementSibling;
  if (!below?.querySelector(".csv")) {
    const link = element("a", { className: "csv", textContent: "Download CSV", href: "#", download: "table.csv" });
    link.download = `${(table.closest("[id]")?.id ?? "table").replace(/[^\w.-]/g, "-")}.csv`;
    link.addEventListener("click", () => {
      link.href = URL.createObjectURL(new Blob([csv(table)], { type: "text/csv" }));
      setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    });
    if (below?.matches(".below")) below.append(" ", link);
    else (table.closest(".scroll") ?? table).after(element("p", { className: "below" }, link));
  }
}

// What a number is, on hover and on focus: definition, interval, floor, n, method, source.
const tip = element("div", { id: "tip", hidden: true });
tip.setAttribute("role", "tooltip");
document.body.append(tip);
for (const row of document.querySelectorAll("table.estimates tbody tr")) row.querySelector("b").tabIndex = 0;
const TIPPED = "table.estimates b, a.def, a.code";

function told(node) {
  const row = node.matches("b") ? node.closest("tr") : null, lines = [];
  const link = row ? row.querySelector("a.def") : node;
  const entry = link && document.getElementById(link.getAttribute("href").slice(1));
  if (row) {
    const heads = [...row.closest("table").tHead.rows[0].cells].map((h) => h.textContent);
    lines.push(["", `${row.cells[0].textContent}: ${row.cells[1].textContent} ${row.cells[2].textContent}`]);
    for (const k of [3, 4, 6, 7]) lines.push([heads[k], `${row.cells[k].textContent}${row.cells[k].title ? ` (${row.cells[k].title})` : ""}`]);
    lines.push(["direction", row.cells[8].textContent]);
  }
  if (entry) {
    lines.push([row ? "" : entry.querySelector("dt").textContent, entry.querySelector("dd p").textContent]);
    const source = entry.querySelector(".source");
    if (source) lines.push(["source", source.textContent]);
  }
  return lines;
}
function show(node) {
  tip.replaceChildren(...told(node).map(([key, text]) => element("p", {}, ...(key ? [element("b", { textContent: `${key}: ` })] : []), text)));
  if (!tip.firstChild) return;
  tip.hidden = false;
  node.setAttribute("aria-describedby", "tip");
  const at = node.getBoundingClientRect(), room = document.documentElement.clientWidth - tip.offsetWidth - 8;
  const above = at.bottom + tip.offsetHeight + 8 > innerHeight && at.top > tip.offsetHeight + 8;
  tip.style.left = `${scrollX + Math.max(8, Math.min(at.left, room))}px`;
  tip.style.top = `${scrollY + (above ? at.top - tip.offsetHeight - 6 : at.bottom + 6)}px`;
}
function hide() {
  tip.hidden = true;
  document.querySelectorAll("[aria-describedby=tip]").forEach((e) => e.removeAttribute("aria-describedby"));
}
for (const [on, off] of [["mouseover", "mouseout"], ["focusin", "focusout"]]) {
  addEventListener(on, (event) => { const node = event.target.closest?.(TIPPED); if (node) show(node); });
  addEventListener(off, (event) => { if (event.target.closest?.(TIPPED)) hide(); });
}
addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });

// ECG viewer: 25 mm/s and 10 mm/mV at any zoom; a real record beside a synthetic one, or a nearest
// pair over each other, the real trace moved by its lag.
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

function viewer(host) {
  const data = JSON.parse(document.getElementById(host.dataset.source).textContent), records = data.records;
  const pairs = records.some((r) => r.over), sets = [...new Set(records.map((r) => r.set))];
  const hasMarks = records.some((r) => Object.keys(r.marks).length);
  const hidden = new Set();
  let zoom = 1, marks = true, aligned = true, beside = sets.length === 2 && !pairs;
  const button = (text, label, act) => element("button", { type: "button", textContent: text, ariaLabel: label, title: label, onclick: act });
  const box = (text, checked, act) => {
    const input = element("input", { type: "checkbox", checked });
    input.onchange = () => act(input.checked);
    return element("label", {}, input, ` ${text}`);
  };
  const status = element("span", { className: "aside" });
  status.setAttribute("role", "status");
  const leads = element("fieldset", { className: "leads" }, element("legend", { textContent: "Leads" }));
  const panes = [pane(), pane()];
  const stages = element("div", { className: "stages" }, ...panes.map((p) => p.node));

  function pane() {
    const canvas = element("canvas", { tabIndex: 0 }), stage = element("div", { className: "stage" }, canvas);
    const choose = element("select", { ariaLabel: "Record" });
    canvas.setAttribute("role", "img");
    const own = { canvas, stage, choose, at: 0, list: [], node: element("div", { className: "pane" }, choose, stage) };
    choose.onchange = () => { own.at = own.list.indexOf(Number(choose.value)); load(own); draw(); };
    stage.addEventListener("scroll", () => panes.forEach((p) => { if (p !== own) p.stage.scrollTo(stage.scrollLeft, stage.scrollTop); }));
    canvas.addEventListener("keydown", (event) => {
      const act = acts[event.key];
      if (act && !event.ctrlKey && !event.metaKey && !event.altKey) { event.preventDefault(); act(); }
    });
    canvas.addEventListener("wheel", (event) => {
      if (event.ctrlKey) { event.preventDefault(); scale(zoom * (event.deltaY < 0 ? 1.1 : 1 / 1.1)); }
    }, { passive: false });
    canvas.addEventListener("dblclick", () => scale(zoom > 1 ? 1 : 2));
    canvas.addEventListener("pointerdown", (start) => {
      const left = stage.scrollLeft + start.clientX, top = stage.scrollTop + start.clientY;
      const move = (e) => stage.scrollTo(left - e.clientX, top - e.clientY);
      if (start.pointerType !== "mouse") return;
      canvas.setPointerCapture(start.pointerId);
      canvas.addEventListener("pointermove", move);
      canvas.addEventListener("pointerup", () => canvas.removeEventListener("pointermove", move), { once: true });
    });
    return own;
  }
  const shown = () => (beside ? panes : panes.slice(0, 1));
  function load(own) {
    const record = records[own.list[own.at]];
    own.record = record;
    own.choose.value = own.list[own.at];
    own.traces = unpack(record);
    own.over = record.over ? unpack(record.over) : null;
  }
  function arrange() {
    panes[1].node.hidden = !beside;
    shown().forEach((own, k) => {
      own.list = [...records.keys()].filter((i) => !beside || records[i].set === sets[k]);
      own.at = Math.max(0, own.list.indexOf(records.indexOf(own.record)));
      own.choose.replaceChildren(...own.list.map((i) => element("option", { value: i, textContent: `${records[i].set}: ${records[i].id}` })));
      load(own);
    });
    const names = new Set(shown().flatMap((own) => [...own.traces.keys()]));
    leads.replaceChildren(leads.firstChild, ...[...names].map((lead) => box(lead, !hidden.has(lead), (on) => { on ? hidden.delete(lead) : hidden.add(lead); draw(); })));
    draw();
  }
  function go(step) {
    for (const own of shown()) { own.at = (own.at + step + own.list.length) % own.list.length; load(own); }
    draw();
  }
  function scale(z) { zoom = Math.min(8, Math.max(1, z)); draw(); }
  function draw() {
    shown().forEach(paint);
    const at = panes[0];
    status.textContent = `${at.at + 1} of ${at.list.length}, zoom ${zoom.toFixed(1)}×${pairs && at.record.lag_ms ? `, lag ${Math.round(at.record.lag_ms)} ms` : ""}`;
  }

  function paint({ canvas, stage, record, traces, over }) {
    const lines = [...traces].filter(([lead]) => !hidden.has(lead));
    const n = traces.values().next().value.length, seconds = n / data.fs;
    const wide = LEFT + 25 * seconds + 4, high = TOP + ROW * Math.max(lines.length, 1) + 2;
    const width = Math.max(stage.clientWidth, beside ? 320 : 640) * zoom, mm = width / wide, height = high * mm;
    // A canvas has a largest size; lower the resolution before that, not the scale.
    const dense = Math.min(window.devicePixelRatio || 1, 16000 / width, 16000 / height);
    canvas.width = Math.round(width * dense);
    canvas.height = Math.round(height * dense);
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
    canvas.setAttribute("aria-label", `${record.set} ECG ${record.id}${over ? ` over real ECG ${record.over.id}` : ""}, ${lines.length} leads, ${seconds.toFixed(1)} s`);
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
    const size = Math.max(3.4, 11 / mm), thin = Math.max(0.28, 0.8 / mm);
    c.font = `600 ${size}px ${style.getPropertyValue("--sans")}`;
    let x = 2;
    for (const r of over ? [record, record.over] : [record]) {
      const text = `${r.set === "real" ? "■" : "┅"} ${r.set}  ${r.id}`;
      c.fillStyle = colour(r.set === "real" ? "--real" : "--synth");
      c.fillText(text, x, TOP - 3);
      x += c.measureText(text).width + 2 * size;
    }
    c.lineJoin = "round";
    const line = (trace, base, shift) => {
      const middle = [...trace].sort((a, b) => a - b)[trace.length >> 1];
      c.beginPath();
      for (let i = 0; i < trace.length; i++) c[i ? "lineTo" : "moveTo"](LEFT + 25 * (i / data.fs + shift), base - (trace[i] - middle) / 100);
      c.stroke();
    };
    lines.forEach(([lead, trace], row) => {
      const base = TOP + ROW * (row + 0.6);
      c.strokeStyle = c.fillStyle = colour("--ink");
      c.lineWidth = thin;
      c.beginPath();
      [[8, 0], [9, 0], [9, -10], [14, -10], [14, 0], [15, 0]].forEach(([px, y], k) => c[k ? "lineTo" : "moveTo"](px, base + y));
      c.stroke();
      c.fillText(lead, LEFT + 1, base - 8);
      if (over?.has(lead)) {
        c.save();
        c.rect(LEFT, 0, wide, high);
        c.clip();
        c.strokeStyle = colour("--real");
        c.lineWidth = 1.8 * thin;
        line(over.get(lead), base, aligned ? record.lag_ms / 1000 : 0);
        c.restore();
        c.strokeStyle = colour("--synth");
        c.lineWidth = thin;
      }
      line(trace, base, 0);
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
  }

  const markBox = box("marks", true, (on) => { marks = on; draw(); });
  const lagBox = box("at its best lag", true, (on) => { aligned = on; draw(); });
  const sideBox = box("side by side", beside, (on) => { beside = on; arrange(); });
  const flip = (label) => { const input = label.querySelector("input"); input.checked = !input.checked; input.onchange(); };
  const acts = {
    ArrowRight: () => go(1), ArrowLeft: () => go(-1), "+": () => scale(zoom * 1.25), "=": () => scale(zoom * 1.25),
    "-": () => scale(zoom / 1.25), 0: () => scale(1), ...(hasMarks && { m: () => flip(markBox) }),
    ...(pairs && { l: () => flip(lagBox) }), ...(beside && { s: () => flip(sideBox) }),
  };
  const keys = `${hasMarks ? ", m shows marks" : ""}${pairs ? ", l moves the real trace by its lag" : ""}${beside ? ", s sets one record or two" : ""}`;
  host.append(
    element("div", { className: "bar-controls" }, button("←", "Previous record", () => go(-1)),
      button("→", "Next record", () => go(1)), button("−", "Zoom out", () => scale(zoom / 1.25)),
      button("+", "Zoom in", () => scale(zoom * 1.25)), button("1:1", "Whole width", () => scale(1)),
      ...(beside ? [sideBox] : []), ...(hasMarks ? [markBox] : []), ...(pairs ? [lagBox] : []), status),
    leads, stages,
    element("p", { className: "help", textContent: `Click a trace, then ← and → page through records, + and − zoom, 0 resets${keys}; drag to move, double-click to zoom. ${host.dataset.note ?? ""}` }));
  host.hidden = false;
  arrange();
  let last = stages.clientWidth;
  new ResizeObserver(() => requestAnimationFrame(() => {
    if (stages.clientWidth !== last) { last = stages.clientWidth; draw(); }
  })).observe(stages);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
}
document.querySelectorAll(".viewer").forEach(viewer);

// Printing opens what decides; the long lists stay closed.
addEventListener("beforeprint", () => document.querySelectorAll("details:not(.all)").forEach((d) => { d.open = true; }));
