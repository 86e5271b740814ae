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
# # The figures and tables of a paper
#
# The evaluation of Thambawita et al., *DeepFake electrocardiograms using generative adversarial
# networks are the beginning of the end for privacy issues in medicine* (Sci Rep 2021;11:21896,
# doi:10.1038/s41598-021-01295-2), with intervals, for the study's generators and for yours.
# `ecgeval paper --out DIR` does the same and writes it all to a folder.
#
# Real ECGs are PTB-XL's normal records and LUDB where they can be had; otherwise the measures of
# such ECGs that come with ecgeval, and everything that needs waveforms is left out.

# %%
import os

import pandas as pd

from ecgeval.paper import paper, shown, write_paper

RECORDS = int(os.environ.get("ECGEVAL_NOTEBOOK_RECORDS", "300"))
REAL = os.environ.get("ECGEVAL_NOTEBOOK_REAL")  # a SET of your own; empty: the stand-ins

pd.set_option("display.max_colwidth", None)
real = None if REAL is None else [REAL or "reference:ptbxl-norm"]
results = paper(real, n=RECORDS, quick=True, seed=0)
results

# %%
tables = {table.id: table for table in results.tables}
figures = {figure.id: figure for figure in results.figures}
first = {figure.id.partition(".")[0]: figure for figure in reversed(results.figures)}

# %% [markdown]
# ## Example strips
#
# Drawn at random, none of them chosen.

# %%
first["strips"]

# %% [markdown]
# ## Intervals and amplitudes
#
# Means and SDs as the study gave them. "No significant difference" is no result: the last column
# says whether the medians are equivalent within a margin declared beforehand.

# %%
key = next(id for id in tables if id.startswith("measures.") and id.endswith(".all"))
shown(tables[key])

# %%
first["effects"]

# %%
first["measures"]

# %% [markdown]
# ## QT against RR
#
# As the study drew it, dots of the DeepFakes 1 ms lower. Whether the two lines have one slope is a
# question of the interval of their difference, not of the eye.

# %%
first["qt_rr"]

# %%
shown(tables["qt_rr"])

# %% [markdown]
# ## The share of normal ECGs

# %%
first["normal"]

# %%
shown(tables["normal"])

# %%
shown(tables["normal_differences"])

# %% [markdown]
# ## The published set against GE's 12SL
#
# The 150,000 published DeepFakes can be made again from their numbers. What this program measures of
# them stands beside what the authors' outputs say of the same set: an outside check of every
# interval in this notebook. QRS is longer here, by convention of where it begins and ends; so compare
# measures of one program with measures of the same program.

# %%
first["published"]

# %%
shown(tables["published"])

# %%
shown(tables["published_records"])

# %% [markdown]
# ## The audit that the study did not have

# %%
print(next(f for f in results.findings if f.code == "PAPER-PRIVACY").explanation)
shown(tables["privacy"])

# %% [markdown]
# ## For the manuscript
#
# Every figure as PDF, SVG and CSV, every table as CSV, Markdown and LaTeX, and a page that ties them
# together. Figures that only the article has go into `article.toml`, by hand.

# %%
written = write_paper(
    results, os.environ.get("ECGEVAL_NOTEBOOK_OUT", "../reports/03_paper_figures")
)
sorted({path.suffix for path in written.values()}), len(written)
