"""
Spectra of a fermentation: two phases, and what has no steps
============================================================

You learn how spectra go in, how to ask whether clusters of a time course are kinds or pieces of a
line, and where concentrations are that were measured of a few samples only.

The measurements are those of a lignocellulosic ethanol fermentation (Cabaneros Lopez et al.), as
``chemotools`` has them: ``pip install chemotools``.
"""

# %%
# Read
# ----
# 1629 infrared spectra, one each 75 seconds, and concentrations (in g/l) of 34 samples that were
# drawn in the meantime.
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from chemotools.datasets import load_fermentation_test
from scipy.signal import savgol_filter

from skcausalpima import CausalPIMA
from skcausalpima.inspection import (
    NodeEffectDisplay,
    node_effects,
    within_cell_axes,
)

spectra, reference = load_fermentation_test()
print(
    spectra.shape, reference.round(1).iloc[[0, 16, 33]].to_string(), sep="\n"
)

# %%
# Prepare
# -------
# A raw spectrum is mostly baseline, and so are its clusters: fitted as they are, cells are the
# first hours and the rest, and the report is alarmed. So the usual steps come first: the range of
# sugars and alcohol, a first derivative, and the mean of ten spectra in a row.
band = spectra.loc[:, (spectra.columns >= 950) & (spectra.columns <= 1500)]
slopes = savgol_filter(band, 21, polyorder=2, deriv=1, axis=1)
groups = np.arange(len(slopes)) // 10
X = pd.DataFrame(slopes, columns=band.columns).groupby(groups).mean()
X.columns.name = "wavenumber / cm-1"  # for pictures and tables
hours = pd.Series(np.arange(len(slopes)) * 75 / 3600).groupby(groups).mean()
hours = hours.to_numpy()
nearest = np.abs(reference["time"].to_numpy()[:, None] - hours).argmin(axis=1)
known = {"hours": hours}
for name in ("glucose", "xylose", "ethanol"):
    known[name] = np.full(len(X), np.nan)
    known[name][nearest] = reference[name]
print(X.shape)

# %%
# Two phases?
# -----------
# One node of two outcomes. Time is not told, and neither are concentrations.
est = CausalPIMA({"phase": 2}, latent_dim=4, random_state=0).fit(X)
print(est.report().verdict)
print(pd.Series(est.labels_).value_counts().to_dict())

# %%
# The labels follow the clock, though nobody told it. This is when they change:
changes = np.flatnonzero(np.diff(est.labels_))
print("changes after", hours[changes].round(1), "hours")
fig, ax = plt.subplots(figsize=(8, 3.5), layout="constrained")
for name in ("glucose", "xylose", "ethanol"):
    ax.plot(reference["time"], reference[name], "o-", ms=3, label=name)
for change in changes:
    ax.axvline(hours[change], color="black", linestyle="--")
ax.set(xlabel="time / h", ylabel="concentration / (g/l)")
legend = ax.legend()

# %%
# Kinds, or pieces of a line?
# ---------------------------
# Yeast does not jump. ``within_cell_axes`` says what varies within the phases, how well the
# numbers known of a few samples are found from it (cross-validated R squared), and whether
# outcomes have a gap between them.
axes = within_cell_axes(est, X, metadata=known)
print(axes)

# %%
# Where samples lie along the first two axes, which are counted from the middle of the phase:
fig, ax = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
for k in range(2):
    for phase in range(2):
        rows = est.labels_ == phase
        ax[k].plot(hours[rows], axes.coordinates[rows, k], "os"[phase], ms=3)
    ax[k].set(xlabel="time / h", ylabel=f"axis {k + 1} / noise units")

# %%
# Both answers are right. Between the phases there is a gap, since glucose runs out within two
# hours. Within each phase, samples move along lines. Glucose is *held*: phase and axes have nearly
# all of what is in the spectra. Xylose and ethanol are not: the spectra have more than the fit has
# learned, so ask a regression for concentrations, and not this fit.
#
# What differs between the phases
# -------------------------------
# Each wavenumber is compared by cells that have not seen it or what borders on it, in a fit to the
# other half of the samples. Stars are discoveries.
effects = node_effects(est, X)
fig, ax = plt.subplots(figsize=(8, 3.5), layout="constrained")
display = NodeEffectDisplay.from_effects(effects, ax=ax)
plt.show()

# %%
# The sentence
# ------------
# *Spectra of one fermentation form two phases that change after 16.3 hours, in each of five
# starts, though neither time nor concentrations were told. By then glucose had fallen from 44 to
# about 13 g/l, and xylose, constant so far, began to fall. Within the phases spectra vary along
# lines, from which glucose is found with a cross-validated R squared of .96 (.98 from the spectra
# themselves).*
#
# The chromatography of the same run, which the fit has not seen, says that sugars were consumed
# one after the other. Yeasts are known for it.
#
# Methods, to copy
# ----------------
# *First derivatives (Savitzky-Golay, 21 points, second order) of infrared spectra from 950 to 1500
# per cm were averaged over ten spectra, 12.5 minutes. We fitted CausalPIMA (skcausalpima, four
# latent dimensions, else default settings, seeds 0 to 4) with one node of two outcomes. Axes of
# variation within outcomes and their R squared are those of within_cell_axes; phases were compared
# by node_effects, with false discovery rates by Benjamini and Hochberg.*
#
# What could be wrong
# -------------------
# - This is one fermentation. The 163 samples are a course in time, and each resembles the one
#   before it: intervals of the effects are too short, and how many fermentations do so is not
#   said.
# - Two outcomes were asked for. Three were tried: those fits are alarmed, and seeds differ.
# - A gap in the data is a gap in *this sampling*. Sample every second, and the same course has
#   none.
# - Glucose is 4.00 g/l in each of the last thirteen samples, which looks like the end of what
#   could be measured. An R squared over such values is flattered.
# - Only 34 concentrations are known, and where glucose is found depends on the model: with the
#   default number of latent dimensions the phases change at the same hour, but glucose is not held
#   (R squared .52). So the phases may be quoted, and axes with the dimension that they need.
# - The preparation was chosen, by what is usual and before the fit. Raw spectra have other cells.
