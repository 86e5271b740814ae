# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Validate a generator's checkpoint
#
# Real ECGs against fresh ones from a generator: what differs, by how much, and whether it matters.
# The real set is PTB-XL's normal records where they can be had; otherwise published DeepFakes stand
# in for patients, and the numbers show the tool, not hearts.

# %%
import os

import ecgeval as ee

RECORDS = int(os.environ.get("ECGEVAL_NOTEBOOK_RECORDS", "200"))
REAL = os.environ.get("ECGEVAL_NOTEBOOK_REAL", "ptbxl-norm:1-400")  # empty: the stand-ins

try:
    real = ee.read(REAL or f"deepfake:0-{RECORDS - 1}")
except ee.DataError:
    real = ee.read(f"deepfake:0-{RECORDS - 1}")
real.records["source"].iloc[0], real

# %% [markdown]
# `generate` takes a name or a checkpoint file of your own. Record *i* of a seed is the same however
# many are drawn.

# %%
synth = ee.generate("pulse2pulse", RECORDS, seed=0)
synth

# %% [markdown]
# One row of measures a record: intervals in ms, amplitudes in mV, axes in degrees.

# %%
columns = ["hr_bpm", "pr_ms", "qrs_ms", "qt_ms", "qtcf_ms", "r_amp_V5_mv", "t_amp_V5_mv"]
ee.measure(synth)[columns].describe().round(2)

# %% [markdown]
# The comparison. The verdict is the worst of the gates; the table holds every estimate with its
# interval, its noise floor (real against real at the same sizes) and its n.

# %%
results = ee.compare(real, synth, seed=0)
results

# %% [markdown]
# Any figure of the report by its id.

# %%
results.figure("fidelity.effects")

# %%
frame = results.to_frame()
deltas = frame[frame.index.str.endswith(".cliffs_delta")]
order = deltas["value"].abs().sort_values(ascending=False).index
deltas.loc[order, ["label", "value", "ci_low", "ci_high", "floor_low", "floor_high"]].head(10)

# %% [markdown]
# The report: one HTML file, one PDF, the figures and tables, and `results.json`, from which all of
# them can be written again.

# %%
out = os.environ.get("ECGEVAL_NOTEBOOK_OUT", "../reports/01_validate_checkpoint")
written = ee.write_report(results, out)
len(written), written["html"]
