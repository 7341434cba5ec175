"""
Circles: hue, radius and shift
==============================

The first experiment of the paper (Section 4.1, Figure 2): images of discs whose hue, radius and
place depend on each other, and three binary nodes to be learned from the images alone.
"""

# %%
# Fit
# ---
# The place depends on hue and radius. The probabilities are ours, since the paper prints its own
# only in a picture.
import itertools

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
from sklearn.metrics import adjusted_rand_score

from skcausalpima import CausalPIMA
from skcausalpima.datasets import make_circles_images
from skcausalpima.metrics import node_recovery

circles = make_circles_images(random_state=0)
# Two latent dimensions, as in the paper, can be drawn; the default here would be three.
est = CausalPIMA(node_sizes=(2, 2, 2), latent_dim=2, random_state=0)
est.fit(circles.images)
latent = est.transform(circles.images)

# %%
# Nodes against factors
# ---------------------
# Names and outcomes of nodes are arbitrary; the factors serve to name them afterwards, each after
# the factor it matches best. An accuracy well below 1 says that a node stands for no single factor:
# what a node means is not identified by the bound.
recovery = node_recovery(circles.factors, est.node_labels_)
nodes = list(est.dag_)
factor_of, accuracy_of = {}, {}
for factor, accuracy, node in zip(circles.factor_names, *recovery, strict=True):
    factor_of[nodes[node]], accuracy_of[nodes[node]] = factor, accuracy

print(f"Adjusted Rand index of the cells: {adjusted_rand_score(circles.target, est.labels_):.3f}")
print("Matched accuracy of the nodes")
for node in nodes:
    print(f"    {node} as {factor_of[node]:6s}  {accuracy_of[node]:.3f}")

# %%
# The learned Bayesian network
# ----------------------------
# Only its equivalence class is identified: other graphs may fit the same joint distribution.
print("Generating graph:", ", ".join(f"{a} -> {b}" for a, b in circles.dag.edges))
print("Learned graph:")
for parent, child, weight in est.dag_.edges(data="weight"):
    print(
        f"    {parent} -> {child} ({factor_of[parent]} -> {factor_of[child]}), weight {weight:.2f}"
    )
print("Tables:")
table_lines = []
for node in nodes:
    parents = list(est.dag_.predecessors(node))
    for states in itertools.product(*(range(est.dag_.nodes[p]["size"]) for p in parents)):
        given = ", ".join(f"{p}={s}" for p, s in zip(parents, states, strict=True))
        condition = f"{node} | {given}" if given else node
        values = "  ".join(f"{p:.2f}" for p in est.cpts_[node][states])
        table_lines.append(f"p({condition})".ljust(20) + values)
print("\n".join("    " + line for line in table_lines))

# %%
# The panels of Figure 2
# ----------------------
# (a-c) the latent space, coloured by the value of each factor; (d) the image nearest to the mean
# of each cluster; (e) the graph; (f) the tables.
fig = plt.figure(figsize=(12, 9), layout="constrained")
top, bottom = fig.subfigures(2, 1, height_ratios=[1.15, 1])
labels = ["".join(map(str, states)) for states in est.cluster_states_]
occupied = np.unique(est.labels_)
for axis, letter, factor, values, cmap in zip(
    top.subplots(1, 3),
    "abc",
    circles.factor_names,
    circles.factor_values.T,
    ["coolwarm", "viridis", "viridis"],
    strict=True,
):
    dots = axis.scatter(*latent.T, c=values, cmap=cmap, s=3)
    top.colorbar(dots, ax=axis, location="bottom", label=factor)
    for cluster in occupied:
        axis.annotate(
            labels[cluster],
            est.cluster_means_[cluster],
            ha="center",
            va="center",
            weight="bold",
            bbox={"boxstyle": "round,pad=0.2", "fc": "white", "alpha": 0.8, "lw": 0},
        )
    axis.set(title=f"({letter}) latent space, {factor}", xticks=[], yticks=[])

gallery, right = bottom.subfigures(1, 2, width_ratios=[1.3, 1])
gallery.suptitle(f"(d) nearest image to each mean; labels are outcomes of {', '.join(nodes)}")
for axis, cluster in itertools.zip_longest(gallery.subplots(2, 4).flat, occupied):
    axis.set_axis_off()
    if cluster is not None:
        nearest = np.linalg.norm(latent - est.cluster_means_[cluster], axis=1).argmin()
        axis.imshow(circles.images[nearest])
        axis.set_title(f"{labels[cluster]}  (p = {est.weights_[cluster]:.2f})")

graph_axis, table_axis = right.subplots(2, 1, height_ratios=[1.5, 1])
graph_axis.set_title("(e) learned graph, edge weights (and accuracy of nodes)")
positions = nx.circular_layout(est.dag_)
nx.draw_networkx(
    est.dag_,
    positions,
    ax=graph_axis,
    labels={node: f"{node}: {factor_of[node]}\n({accuracy_of[node]:.2f})" for node in nodes},
    node_size=2900,
    node_color="lightgrey",
    font_size=9,
    arrowsize=16,
)
weights = {(a, b): f"{weight:.2f}" for a, b, weight in est.dag_.edges(data="weight")}
nx.draw_networkx_edge_labels(est.dag_, positions, weights, ax=graph_axis, rotate=False)
graph_axis.margins(0.25)
graph_axis.set_axis_off()
table_axis.set_title("(f) tables: probability of outcome 0, 1")
table_axis.text(0.5, 0.5, "\n".join(table_lines), family="monospace", ha="center", va="center")
table_axis.set_axis_off()
fig.savefig("plot_circles.png", dpi=120)
print("Saved plot_circles.png")
