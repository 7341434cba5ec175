"""
What a node means: three starts
===============================

The bound cannot tell which cluster belongs on which cell of the grid of nodes, so a node may end up
as a blend of factors. The default start adds an assumption that decides: a node acts on the data in
roughly the same way in every context.
"""

# %%
# Three fits of the same images
# -----------------------------
# The discs have a hue, a radius and a place, and their place depends on the other two. The fits
# know none of it; they only differ in how they start.
import matplotlib.pyplot as plt
import numpy as np

from skcausalpima import CausalPIMA
from skcausalpima.datasets import make_circles_images
from skcausalpima.inspection import AssociationDisplay, NodeEffectDisplay
from skcausalpima.metrics import matched_accuracy, node_recovery

circles = make_circles_images(1200, random_state=42)
sizes = (2, 2, 2)
fits = {
    'init="arranged"\n(default)': CausalPIMA(sizes, random_state=42),
    'init="linear"': CausalPIMA(sizes, init="linear", random_state=42),
    'init="paper"\n(published algorithm)': CausalPIMA.published(
        sizes, random_state=42
    ),
}
for est in fits.values():
    est.fit(circles.images)

# %%
# Which node is which factor
# --------------------------
# The accuracy of each node as each factor, outcomes matched. A node that stands for one factor
# matches it alone; a row without a value near 1 is a factor that no node stands for, such a column
# is a node that blends factors.
# The factors depend on each other, so the other values need not be 0.5. With
# ``init="linear"`` the clusters may well be right: it is their places on the grid that are luck.
tables = {}
for name, est in fits.items():
    tables[name] = np.array(
        [
            [matched_accuracy(f, n) for n in est.node_labels_.T]
            for f in circles.factors.T
        ]
    )
    recovery = node_recovery(circles.factors, est.node_labels_)
    print(name.replace("\n", " "))
    for factor, accuracy, node in zip(
        circles.factor_names, *recovery, strict=True
    ):
        print(
            f"    {factor:6s} is {list(est.dag_)[node]} "
            f"with an accuracy of {accuracy:.3f}"
        )

# %%
# How sure the arrangement is
# ---------------------------
# No true factor is needed for ``arrangement_``. The margin ``gap`` says how much worse the next
# best arrangement fits (near 1: a tie, and a warning), ``agreement`` what part of the node labels
# other clusterings of the same data repeat, and ``node_shares`` what part of the variation between
# clusters each node explains.
report = fits['init="arranged"\n(default)'].arrangement_
shares = ", ".join(f"{share:.2f}" for share in report.node_shares)
print(f"misfit      {report.misfit:.3f}")
print(f"gap         {report.gap:.2f}")
print(f"agreement   {report.agreement:.3f}")
print(f"node shares {shares}")

# %%
# Side by side
# ------------
# Above the accuracies; below what the model decodes for each outcome of each node, the other nodes
# averaged out. Where a node is a factor, its two images differ in that factor alone.
fig, axes = plt.subplots(
    2, 3, figsize=(13, 8), layout="constrained", height_ratios=[1, 2]
)
for (name, est), (above, below) in zip(fits.items(), axes.T, strict=True):
    AssociationDisplay(
        tables[name].T,
        list(est.dag_),
        circles.factor_names,
        measure="accuracy",
    ).plot(above).ax_.set_title(name, fontsize=10)
    NodeEffectDisplay.from_estimator(est, kind="mean", ax=below)
fig.savefig("plot_node_meaning.png", dpi=120)
print("Saved plot_node_meaning.png")
