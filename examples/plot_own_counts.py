"""
Counts: likelihoods, depth and draws
====================================

You learn how counts are stated, what the depth of a sample is, and how to see whether a model of
counts is a good one. 400 samples of 40 species are made up here, of two sites and two seasons, some
counted for ten times as long as others.
"""

# %%
# Counts at unlike depths
# -----------------------
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.special import softmax

from skcausalpima import CausalPIMA
from skcausalpima.metrics import node_recovery

rng, n_samples, n_species = np.random.default_rng(0), 400, 40
factors = rng.integers(2, size=(n_samples, 2))  # site and season
logs = rng.normal(size=n_species)
logs = logs + (factors - 0.5) @ rng.normal(scale=0.7, size=(2, n_species))
depths = np.exp(rng.uniform(np.log(300), np.log(3000), size=(n_samples, 1)))
means = depths * softmax(logs, axis=1)
counts = pd.DataFrame(
    rng.poisson(means * rng.gamma(3, 1 / 3, size=means.shape)),
    columns=[f"species {k + 1}" for k in range(n_species)],
)
print(counts.iloc[:3, :5])

# %%
# Fits
# ----
# Counts are never guessed, they are stated. One word for the whole table says, too, that samples
# are compared at one depth.
fits = {
    word: CausalPIMA((2, 2), likelihoods=word, random_state=0).fit(counts)
    for word in ("negative_binomial", "poisson")
}
for word, est in fits.items():
    accuracies = node_recovery(factors, est.node_labels_).accuracies
    print(f"{word}: nodes {accuracies.round(2)}, {est.score(counts):.0f} nats")

# %%
# Are the counts those of the data?
# ---------------------------------
# Draws are counts at depths as in the data. Poisson's scatter too little around their means: the
# standard deviations of species are below the data's.
fig, axes = plt.subplots(1, 2, figsize=(8, 3.6), layout="constrained")
common = counts.mean().idxmax()
bins = np.geomspace(1, counts[common].max() + 2, 25)
axes[0].hist(counts[common] + 1, bins, color="0.8", label="data")
for word, est in fits.items():
    draws, _ = est.sample(4000)
    axes[0].hist(
        draws[common] + 1,
        bins,
        weights=np.full(len(draws), n_samples / len(draws)),
        histtype="step",
        label=word.replace("_", " "),
    )
    axes[1].plot(counts.std(), draws.std(), ".", label=word.replace("_", " "))
ends = [counts.std().min(), counts.std().max()]
axes[1].plot(ends, ends, color="0.6", zorder=0)
axes[0].set(xscale="log", xlabel=f"{common}, + 1", ylabel="samples")
axes[1].set(xscale="log", yscale="log", xlabel="deviation of the data")
axes[1].set(ylabel="of the draws")
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center")

# %%
# What the cells hold
# -------------------
# Centres of the cells, decoded, are counts at the mean depth. Species whose rates differ most:
est = fits["negative_binomial"]
rates = est.inverse_transform(est.cluster_means_)
spread = np.log1p(rates).std().sort_values(ascending=False)
rates.index = ["".join(map(str, outcomes)) for outcomes in np.ndindex(2, 2)]
rates[spread.index[:6]].T.plot.barh(
    figsize=(6, 3.6), xlabel="count at the mean depth"
).invert_yaxis()
plt.tight_layout()
