"""Tables from rows made by hand."""

import numpy as np

from ecgeval.comparison.margins import load_margins
from ecgeval.comparison.measures.tables import figures, tables
from ecgeval.comparison.rows import Missing, Row
from ecgeval.measures import measure_info
from ecgeval.stats.univariate import Comparison


def test_measures_without_statistics_have_rows_with_notes_and_no_figure_draws_them():
    few = Comparison({}, None, "", (3, 3), "3 patients with a value")
    missing = Missing(0.1, 0.3, (0.1, 0.3), (0.1, 0.3), None)
    rows = [
        Row(
            column,
            measure_info(column),
            few,
            missing,
            np.array(values),
            np.zeros(0),
            load_margins(),
        )
        for column, values in (("qrs_ms", [90.0, 92.0, 900.0]), ("qrs_axis_deg", [170.0, -170.0]))
    ]
    found = {t.id: t.frame() for t in tables(rows, {}, {}, {}, load_margins())}
    assert list(found) == [f"fidelity.{n}" for n in ("summary", "measures", "angles", "missing")]
    summary = found["fidelity.summary"].set_index("measure")
    assert set(summary["verdict"]) == {"NOT_ASSESSABLE"}
    assert summary.loc["QRS axis", "real"] in ("180.0 deg", "−180.0 deg")
    assert summary.loc["QRS", "synthetic"] == summary.loc["QRS", "90 % CI"] == "–"
    assert found["fidelity.measures"]["note"][0] == "3 patients with a value"
    gone = found["fidelity.missing"].set_index("measure").loc["QRS"]
    assert gone["difference"] == 20
    assert round(gone["implausible real %"], 1) == 33.3
    assert gone["implausible synthetic %"] is None
    assert figures(rows, {"nearest": "3 patients"}) == []
