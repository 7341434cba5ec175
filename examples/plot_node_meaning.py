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
from skcausalpima.metrics import matched_accuracy, node_recovery

circles = make_circles_images(1200, random_state=42)
sizes = (2, 2, 2)
fits = {
    'init="arranged"\n(default)': CausalPIMA(sizes, random_state=42),
    'init="linear"': CausalPIMA(sizes, init="linear", random_state=42),
    'init="paper"\n(published algorithm)': CausalPIMA.published(sizes, random_state=42),
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
        [[matched_accuracy(f, n) for n in est.node_labels_.T] for f in circles.factors.T]
    )
    recovery = node_recovery(circles.factors, est.node_labels_)
    print(name.replace("\n", " "))
    for factor, accuracy, node in zip(circles.factor_names, *recovery, strict=True):
        print(f"    {factor:6s} is {list(est.dag_)[node]} with an accuracy of {accuracy:.3f}")

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
# To the left the accuracies; to the right the mean image of each outcome of each node. Where a node
# is a factor, its two images differ in that factor (and a little in those that depend on it).
fig, axes = plt.subplots(
    3, 7, figsize=(12, 6.4), layout="constrained", width_ratios=[2.2, 1, 1, 1, 1, 1, 1]
)
for row, (name, est) in zip(axes, fits.items(), strict=True):
    row[0].imshow(tables[name], cmap="Blues", vmin=0.5, vmax=1.2, aspect="auto")
    for (factor, node), accuracy in np.ndenumerate(tables[name]):
        row[0].text(node, factor, f"{accuracy:.2f}", ha="center", va="center")
    row[0].set_xticks(range(3), list(est.dag_))
    row[0].set_yticks(range(3), circles.factor_names)
    row[0].set_ylabel(name)
    for axis, (node, outcome) in zip(row[1:], np.ndindex(3, 2), strict=True):
        members = est.node_labels_[:, node] == outcome
        axis.set_title(f"{list(est.dag_)[node]} = {outcome}", fontsize=10)
        axis.set_axis_off()
        if members.any():
            mean_image = circles.images[members].mean(axis=0)
            axis.imshow(mean_image / mean_image.max())
axes[0, 0].set_title(f"gap {report.gap:.2f}, agreement {report.agreement:.2f}", fontsize=10)
fig.savefig("plot_node_meaning.png", dpi=120)
print("Saved plot_node_meaning.png")
