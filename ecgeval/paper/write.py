"""From the results of an evaluation to files for a manuscript, the same bytes every time."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ecgeval.catalogue import word as word_of
from ecgeval.paper.article import template
from ecgeval.paper.measures import COLUMNS
from ecgeval.results import Results, Table
from ecgeval.wording import clean, fixed, quantity, slug
from ecgeval.wording import number as digits

__all__ = ["ARTICLE", "shown", "write_paper"]

ARTICLE = "article.toml"

_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "−": r"$-$",
    "±": r"$\pm$",
    "δ": r"$\delta$",
    "²": r"$^2$",
    "–": "--",
    "≥": r"$\ge$",
    "≤": r"$\le$",
    "µ": r"$\mu$",
    "·": r"$\cdot$",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}
_MARKDOWN = {c: f"\\{c}" for c in "\\`*_[]<>|#"}

Row = Mapping[str, Any]


def write_paper(results: Results, out: str | Path) -> dict[str, Path]:
    """Write figures, tables and the page that ties them together.

    Parameters
    ----------
    results : Results
        What `paper` returned.
    out : path
        Folder; made where it is missing. ``figures`` and ``tables`` of an earlier evaluation in it
        are replaced; ``article.toml`` is written once and then left as it is.

    Returns
    -------
    dict of str to Path
        ``index``, ``results``, ``article``, ``estimates``, ``figure:{id}`` (SVG; PDF and CSV
        beside it) and ``table:{id}`` (CSV; Markdown and LaTeX beside it).
    """
    from ecgeval.report import figures as drawn
    from ecgeval.report.pdf import svg_to_pdf
    from ecgeval.report.sheets import to_csv

    text = results.to_json()
    results = Results.from_json(text)
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    if (out / "index.md").is_file() and (out / "results.json").is_file():
        for folder in ("figures", "tables"):
            shutil.rmtree(out / folder, ignore_errors=True)
    paths: dict[str, Path] = {}

    def write(key: str, name: str, content: str | bytes) -> None:
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        paths.setdefault(key, path)

    write("results", "results.json", text)
    write("estimates", "estimates.csv", to_csv(results.to_frame(), index=True))
    if not (out / ARTICLE).exists():
        write("article", ARTICLE, template(COLUMNS))
    paths["article"] = out / ARTICLE
    for table in results.tables:
        name = f"tables/{slug(table.id)}"
        write(f"table:{table.id}", f"{name}.csv", to_csv(table.frame()))
        write(f"table:{table.id}", f"{name}.md", _markdown(table))
        write(f"table:{table.id}", f"{name}.tex", _latex(table))
    for figure in results.figures:
        name, drawing = f"figures/{slug(figure.id)}", drawn.draw(figure)
        if drawing is not None:
            write(f"figure:{figure.id}", f"{name}.svg", drawing.svg)
            write(f"figure:{figure.id}", f"{name}.pdf", svg_to_pdf(drawing.svg, figure.title))
        write(f"figure:{figure.id}", f"{name}.csv", to_csv(drawn.rows(figure)))
    write("index", "index.md", _index(results, {k: p.suffix for k, p in paths.items()}))
    return paths


def _index(results: Results, written: Mapping[str, str]) -> str:
    about = results.manifest
    lines = [f"# {_md(about['title'])}", ""]
    lines += [
        f"{_md(about['study'])}. ecgeval {about['ecgeval']}, seed {about['seed']}, "
        f"{about['n']:,} records a generator{', quick' if about['quick'] else ''}.",
        "",
    ]
    number_of = {"figure": 0, "table": 0}
    for section in results.sections:
        lines += [f"## {_md(section.title)}", "", _md(section.summary), ""]
        for f in results.findings:
            if f.section == section.slug:
                word = word_of(f)
                lines.append(f"- **{word}** `{f.code}` {_md(f.title)}")
                if f.explanation not in ("", section.summary):
                    lines.append(f"  {_md(f.explanation)}")
        lines.append("")
        for figure in results.figures:
            if figure.section == section.slug:
                number_of["figure"] += 1
                name = f"figures/{slug(figure.id)}"
                lines += [f"![{_md(figure.title)}]({name}.svg)", ""] * (
                    written[f"figure:{figure.id}"] == ".svg"
                )
                lines += [
                    f"**Figure {number_of['figure']}.** {_md(figure.title)}. "
                    f"{_md(figure.caption)} ([PDF]({name}.pdf), [SVG]({name}.svg), "
                    f"[CSV]({name}.csv))",
                    "",
                ]
        for table in results.tables:
            if table.section == section.slug:
                number_of["table"] += 1
                name = f"tables/{slug(table.id)}"
                lines += [
                    " ".join(
                        filter(
                            None,
                            [
                                f"**Table {number_of['table']}.** {_md(table.title)}.",
                                _md(table.caption),
                                f"([CSV]({name}.csv), [LaTeX]({name}.tex))",
                            ],
                        )
                    ),
                    "",
                    _grid(table),
                    "",
                ]
    lines += [
        f"Figures of the article that are not public outputs go into [{ARTICLE}]({ARTICLE}); the "
        "same command then sets them beside these. Every estimate: [estimates.csv](estimates.csv); "
        "everything: [results.json](results.json).",
        "",
    ]
    return "\n".join(lines)


# ---- tables as people read them -----------------------------------------------------------------


def shown(table: Table) -> pd.DataFrame:
    """Return a table as text, as it is printed: values joined to their SDs and intervals."""
    rows = table.frame().to_dict("records")
    kind = table.id.partition(".")[0]
    columns = _SHOWN.get(kind)
    if columns is None:
        return pd.DataFrame([{c: clean(digits(v)) for c, v in row.items()} for row in rows])
    there = [{str(k): _none(v) for k, v in row.items()} for row in rows]
    return pd.DataFrame(
        [{name: make(row) for name, make in columns(there).items()} for row in there]
    )


def _none(value: Any) -> Any:
    return None if value is None or (isinstance(value, float) and value != value) else value


def _spread(mean: str, sd: str) -> Callable[[Row], str]:
    def make(row: Row) -> str:
        if row.get(mean) is None:
            return "–"
        unit = row["unit"]
        text = quantity(row[mean], unit).removesuffix(f" {unit}")
        more = row.get(sd)
        return text + (f" ± {quantity(more, unit).removesuffix(f' {unit}')}" if more else "")

    return make


def _with_ci(value: str, ends: str = "ci", unit: str | None = None) -> Callable[[Row], str]:
    """Return a maker of "value (low to high)"; digits by the row's unit, or `unit`."""

    def make(row: Row) -> str:
        of = row.get("unit", "") if unit is None else unit
        v, low, high = row.get(value), row.get(f"{ends}_low"), row.get(f"{ends}_high")
        if v is None:
            return "–"
        text = quantity(v, of).removesuffix(f" {of}")
        if low is None or high is None:
            return text
        a, b = (quantity(x, of).removesuffix(f" {of}") for x in (low, high))
        return f"{text} ({a} to {b})"

    return make


def _plain(key: str, decimals: int | None = None) -> Callable[[Row], str]:
    def make(row: Row) -> str:
        v = row.get(key)
        if v is None or v == "":
            return "–"
        if isinstance(v, str):
            return clean(v)
        return digits(int(v)) if decimals == 0 else fixed(float(v), decimals)

    return make


def _range(low: str, high: str, unit: str = "") -> Callable[[Row], str]:
    def make(row: Row) -> str:
        a, b = row.get(low), row.get(high)
        return "–" if a is None or b is None else f"{quantity(a, unit)} to {quantity(b, unit)}"

    return make


def _verdict(row: Row) -> str:
    return str(row.get("verdict") or "–").replace("_", " ")


def _measures(rows: list[dict[str, Any]]) -> dict[str, Callable[[Row], str]]:
    out = {
        "Measure": lambda r: f"{r['measure']}, {r['unit']}",
        "Real, mean ± SD": _spread("mean_real", "sd_real"),
        "DeepFake, mean ± SD": _spread("mean_synth", "sd_synth"),
        "Cliff's δ (95 % CI)": _with_ci("cliffs_delta", "cliffs_delta_ci", ""),
        "Floor": _range("cliffs_delta_floor_low", "cliffs_delta_floor_high"),
        "Difference of medians (90 % CI)": _with_ci("median_diff", "median_diff_ci90"),
        "Margin ±": _plain("margin"),
        "Equivalent": _verdict,
    }
    if any("article_real_mean" in r for r in rows):
        out["Real, article"] = _spread("article_real_mean", "article_real_sd")
    return out


def _qt_rr(rows: list[dict[str, Any]]) -> dict[str, Callable[[Row], str]]:
    return {
        "Real": _plain("real"),
        "DeepFake": _plain("synth"),
        "n": lambda r: " / ".join(_plain(k, 0)(r) for k in ("n_real", "n_synth")),
        "Slope, real": _plain("slope_real", 3),
        "Slope, DeepFake": _plain("slope_synth", 3),
        "Difference (95 % CI)": lambda r: (
            "–"
            if r.get("slope_diff") is None
            else f"{fixed(r['slope_diff'], 3)} ({fixed(r['slope_diff_ci_low'], 3)} to "
            f"{fixed(r['slope_diff_ci_high'], 3)})"
        ),
        "r², real": _plain("r2_real", 2),
        "r², DeepFake": _plain("r2_synth", 2),
        "Equal": _verdict,
    }


def _normal(rows: list[dict[str, Any]]) -> dict[str, Callable[[Row], str]]:
    return {
        "Set": _plain("set"),
        "By": lambda r: (
            f"rules, {r['limits']}"
            if r["limits"] in ("strict", "alternative")
            else clean(r["limits"])
        ),
        "n": _plain("n", 0),
        "Normal, % (95 % CI)": _with_ci("percent", unit="ms"),
    }


def _normal_differences(rows: list[dict[str, Any]]) -> dict[str, Callable[[Row], str]]:
    return {
        "Set": _plain("set"),
        "Against": _plain("against"),
        "Limits": _plain("limits"),
        "n": lambda r: f"{_plain('n_set', 0)(r)} / {_plain('n_against', 0)(r)}",
        "Difference, points (95 % CI)": _with_ci("difference", unit="ms"),
        "Floor": lambda r: _range("floor_low", "floor_high", "ms")(r).replace(" ms", ""),
    }


def _published(rows: list[dict[str, Any]]) -> dict[str, Callable[[Row], str]]:
    return {
        "Measure": lambda r: f"{r['measure']}, {r['unit']}",
        "12SL, mean ± SD": _spread("mean_12sl", "sd_12sl"),
        "Here, mean ± SD": _spread("mean", "sd"),
        "n": _plain("n", 0),
        "Difference (95 % CI)": _with_ci("difference"),
        "Margin ±": _plain("margin"),
        "Ratio of SDs (95 % CI)": _with_ci("sd_ratio", "sd_ratio_ci", ""),
        "Agrees": _verdict,
    }


def _published_more(rows: list[dict[str, Any]]) -> dict[str, Callable[[Row], str]]:
    return {
        "": lambda r: r["what"] + (f", {r['unit']}" if r["unit"] not in ("", "%") else ""),
        "12SL": _plain("by_12sl"),
        "Here (95 % CI)": lambda r: (
            f"{digits(r['here'])} ({digits(r['ci_low'])} to {digits(r['ci_high'])})"
        ),
        "n": _plain("n", 0),
    }


def _published_records(rows: list[dict[str, Any]]) -> dict[str, Callable[[Row], str]]:
    return {
        "id": _plain("id"),
        "12SL, ms": _plain("rr_12sl_ms", 0),
        "Here, ms": _plain("rr_ms", 1),
        "Difference, ms": _plain("difference_ms", 1),
    }


def _text(rows: list[dict[str, Any]]) -> dict[str, Callable[[Row], str]]:
    return {str(c).replace("_", " "): _plain(c) for c in (rows[0] if rows else {})}


_SHOWN: dict[str, Callable[[list[dict[str, Any]]], dict[str, Callable[[Row], str]]]] = {
    "measures": _measures,
    "qt_rr": _qt_rr,
    "normal": _normal,
    "normal_differences": _normal_differences,
    "published": _published,
    "published_more": _published_more,
    "published_records": _published_records,
    "privacy": _text,
    "privacy_training": _text,
}


def _md(text: Any) -> str:
    return "".join(_MARKDOWN.get(c, c) for c in clean(str(text)).replace("\n", " "))


def _tex(text: Any) -> str:
    return "".join(_LATEX.get(c, c) for c in clean(str(text)).replace("\n", " "))


def _grid(table: Table) -> str:
    frame = shown(table)
    rows = [[_md(c) for c in frame.columns], ["---"] * len(frame.columns)]
    rows += [[_md(v) for v in row] for row in frame.itertuples(index=False)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _markdown(table: Table) -> str:
    return f"{_md(table.title)}. {_md(table.caption)}\n\n{_grid(table)}\n"


def _latex(table: Table) -> str:
    r"""Return a table environment for the package booktabs."""
    frame = shown(table)
    kinds = "l" * len(frame.columns)
    body = [" & ".join(map(_tex, row)) + r" \\" for row in frame.itertuples(index=False)]
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            r"\small",
            rf"\caption{{{_tex(table.title)}. {_tex(table.caption)}}}",
            rf"\label{{tab:{slug(table.id)}}}",
            rf"\begin{{tabular}}{{{kinds}}}",
            r"\toprule",
            " & ".join(map(_tex, frame.columns)) + r" \\",
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )
