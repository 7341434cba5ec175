"""
Words, numbers and gaps: a table as it is
=========================================

You learn how a table of words, numbers and gaps is fitted as it stands, what its cells look like,
and how sure the fit is of what is missing. The penguins come with the package ``palmerpenguins``.
Without it, a table of the same kind is made up, and the first line of output says so.
"""

# %%
# Read
# ----
# 344 birds of three species. The species is kept out of the fit.
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.metrics import adjusted_rand_score

from skcausalpima import CausalPIMA
from skcausalpima.inspection import PrototypeDisplay


def made_up_penguins(n=344, seed=0):
    """Return birds of three kinds, each at home on some islands."""
    rng = np.random.default_rng(seed)
    kind, male = rng.integers(3, size=n), rng.random(n) < 0.5
    homes = np.array([[0.3, 0.4, 0.3], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    draws = (rng.random((n, 1)) > homes[kind].cumsum(axis=1)).sum(axis=1)
    size = np.array([[38, 18, 190], [48, 18, 196], [47, 15, 217]])[kind]
    size = size + 2.0 * male[:, None] + rng.normal(size=(n, 3)) * [2, 0.9, 6]
    names = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm"]
    birds = pd.DataFrame(size, columns=names)
    birds["island"] = np.array(["Biscoe", "Dream", "Torgersen"])[draws]
    birds["sex"] = np.where(male, "male", "female")
    birds["sex"] = birds["sex"].mask(rng.random(n) < 0.03)
    birds["species"] = np.array(["Adelie", "Chinstrap", "Gentoo"])[kind]
    return birds


try:
    from palmerpenguins import load_penguins
except ImportError:
    birds = made_up_penguins()
    print("made-up birds, since palmerpenguins is not installed")
else:
    birds = load_penguins().drop(columns="year")
    print("penguins of Palmer Station, as palmerpenguins has them")
species = birds.pop("species")
print(birds.head(4))
print(birds.isna().sum())

# %%
# Fit
# ---
# Each column has a likelihood by its dtype: text is categorical, numbers are Gaussian. What is
# missing is left out. One node with three outcomes:
est = CausalPIMA(node_sizes={"kind": 3}, random_state=0).fit(birds)
print(est.likelihoods_)
print(pd.crosstab(species, est.labels_, colnames=["kind"]))
print(f"{adjusted_rand_score(species, est.labels_):.2f}")

# %%
# What the cells look like
# ------------------------
# Each column has a panel, and each cell a bar. Numbers are that far from their mean in standard
# deviations, and of words the probabilities are stacked.
PrototypeDisplay.from_estimator(est)

# %%
# The islands of each cell, as draws of the fit have them and as the data do:
draws, cells = est.sample(4000)
fig, axes = plt.subplots(1, 2, figsize=(7, 3), sharey=True)
for ax, table, kinds, title in (
    (axes[0], birds, est.labels_, "data"),
    (axes[1], draws, cells, "draws of the fit"),
):
    shares = pd.crosstab(kinds, table["island"], normalize="index")
    shares.plot.bar(stacked=True, ax=ax, rot=0, legend=False, title=title)
    ax.set(xlabel="outcome", ylabel="share")
axes[1].legend(loc="center left", bbox_to_anchor=(1, 0.5))
fig.tight_layout()

# %%
# What is missing
# ---------------
# Of some birds nobody knows the sex. ``impute`` fills in the likelier one, and says how likely it
# is where that is asked.
unknown = birds[birds["sex"].isna() & birds["bill_depth_mm"].notna()]
filled = est.impute(unknown)
sure = est.impute(unknown, probabilities=True)["sex=male"]
print(filled.assign(male=sure.round(2))[["bill_depth_mm", "sex", "male"]])
