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
# # Audit a generator for its patients
#
# Does a generator give its training patients away? The audit needs three sets: the patients that
# the generator learnt from, other patients of the same kind that it never saw, and what it made.
# Without the second nothing can be told from chance.
#
# Training and holdout patients are halves of PTB-XL's normal records where they can be had.
# Otherwise published DeepFakes stand in for patients, ids for people: the numbers then show the
# tool, and say nothing about anybody.

# %%
import os
from dataclasses import replace

import numpy as np
import pandas as pd

import ecgeval as ee
from ecgeval.privacy import split_patients

RECORDS = int(os.environ.get("ECGEVAL_NOTEBOOK_RECORDS", "90"))
REAL = os.environ.get("ECGEVAL_NOTEBOOK_REAL", "ptbxl-norm:1-400")  # empty: the stand-ins

pd.set_option("display.max_colwidth", None)
rng = np.random.default_rng(0)
patients = f"deepfake:0-{2 * RECORDS - 1}"
try:
    patients = ee.read(REAL or patients)
except ee.DataError:
    patients = ee.read(patients)
train, holdout = split_patients(patients, 0.5, rng)
train.records["source"].iloc[0], train, holdout

# %% [markdown]
# Pulse2Pulse learnt from neither half, so an honest audit finds nothing here. (The patients it did
# learn from are not public, and none were held out: the published generator itself cannot be
# audited from outside.)

# %%
synth = ee.generate("pulse2pulse", RECORDS + 30, seed=0)
clean = ee.audit(train, holdout, synth, seed=0, permutations=1999)
clean

# %% [markdown]
# **No PASS, although nothing was found.** A search can fail a release and never clear one: it finds
# the copies that it knows to look for, in the records it was given. The run is undecided
# (exit code 3), and what was tried and how well it works is in the report.
#
# The grey histogram is chance, made by swapping training and holdout patients; the line is what was
# observed.

# %%
clean.figure("privacy.null")

# %% [markdown]
# ## A leak, planted
#
# Now the generator has memorised: in place of its first records it returns training records, louder
# or softer, begun at another moment, with noise. Nobody would notice them one by one.

# %%
COPIES = 10
signals = np.array(synth.signals[:], dtype=np.float32)
victims = rng.choice(len(train), COPIES, replace=False)
like = train.with_leads(synth.leads).resample(synth.fs).crop(synth.n_samples)
for slot, row in enumerate(victims):
    copy = np.asarray(like.signals[int(row)])
    copy = rng.uniform(0.7, 1.3) * np.roll(copy, rng.integers(copy.shape[-1]), axis=-1)
    signals[slot] = copy + rng.normal(0, 0.02, copy.shape)

# show_traces lets results hold traces and ids of patients, to look at here: never in a report that
# leaves the house.
results = ee.audit(
    train, holdout, replace(synth, signals=signals), seed=0, permutations=1999, show_traces=True
)
results

# %% [markdown]
# The copies beside the patients they are of, found by shape at any shift and gain.

# %%
results.figure("privacy.pairs")

# %% [markdown]
# Similarity of each synthetic record to its nearest training and holdout record. A generator that
# has learnt hearts and no patients is as near to both; here a second hill stands beyond the
# threshold, for the training patients alone.

# %%
results.figure("privacy.neighbours")

# %%
results.figure("privacy.mia")

# %% [markdown]
# ## What would have been found
#
# "No copy found" is worth as much as the search is good. Every audit plants copies of its own, in
# eighteen disguises, and counts how many each detector finds. A row is a disguise; `any` is all
# detectors together.

# %%
tables = {table.id: table.frame() for table in clean.tables}
planted = tables["privacy.sensitivity"]
recall = planted.pivot(index="disguise", columns="detector", values="recall")
recall = recall.loc[planted["disguise"].unique()]
order = [c for c in recall.columns if c != "any"] + ["any"]
recall[order].style.set_uuid("recall").format("{:.0%}").background_gradient(cmap="Blues", vmin=0, vmax=1)

# %% [markdown]
# With 95 % limits, for all detectors together:

# %%
everything = planted[planted["detector"] == "any"].set_index("disguise")
everything[["planted", "found", "ci_low", "ci_high"]].round(2)

# %% [markdown]
# ## What the verdicts mean, and what not
#
# - **FAIL**: the synthetic set gives training patients away; do not release it. Which records, and
#   how they were found, is in the tables.
# - **INCONCLUSIVE**: nothing was found, by these attacks, at these sizes. The limits say how much
#   could still be there: an upper limit on the share of copies, on an attacker's success.
# - **NOT ASSESSABLE**: it was not tested; often there is no holdout.
# - There is no verdict that clears a release. Whether what remains is acceptable is for whoever
#   answers for the patients to judge.

# %%
limits = clean.to_frame()
limits = limits[limits.index.str.contains("upper")]
limits[["label", "value", "unit", "n_real", "n_synth"]]

# %%
tables["privacy.threats"]

# %%
out = os.environ.get("ECGEVAL_NOTEBOOK_OUT", "../reports/02_privacy_audit")
written = ee.write_report(clean, out)
len(written), written["html"]
