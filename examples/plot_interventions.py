"""
What if: set a node and look at the images
==========================================

*Seeing* that discs lie to the right tells something about their hue. *Setting* them to the right
does not change it. A fitted model answers both kinds of question with a graph and its tables, and
decodes the answers to images; it also says what given images would have been.
"""

# %%
# A fit, and what its nodes mean
# ------------------------------
# Discs are blue or red, small or big, and lie to the left or to the right; red and big discs are
# more often to the right. The fit sees the images alone. The generator's labels only serve to find
# the node that plays each factor, and the outcome that means red, big and right.
import matplotlib.pyplot as plt
import numpy as np

from skcausalpima import CausalPIMA
from skcausalpima.datasets import make_circles_images
from skcausalpima.metrics import node_recovery

circles = make_circles_images(2000, random_state=42)
est = CausalPIMA(node_sizes=(2, 2, 2), random_state=0).fit(circles.images)

recovery = node_recovery(circles.factors, est.node_labels_)
columns = dict(zip(circles.factor_names, recovery.permutation, strict=True))
node = {factor: list(est.dag_)[column] for factor, column in columns.items()}
second = {}  # the node's outcome that means red, big or right
for factor, labels in zip(circles.factor_names, circles.factors.T, strict=True):
    second[factor] = int(np.mean(est.node_labels_[labels == 1, columns[factor]]) > 0.5)
    print(f"{factor:6s} is {node[factor]}; its second outcome is number {second[factor]}")


def is_second(factor, outcomes):
    """Tell which rows of outcomes of all nodes are red, big, or to the right."""
    return outcomes[:, columns[factor]] == second[factor]


# %%
# The graph, with readable names
# ------------------------------
# ``to_graph`` returns the learned network, which can be asked, exported and renamed. Its arrows are
# the assumption behind all that follows: data identify them at best up to Markov equivalence
# (``summary`` says which are compelled), and only under assumptions do they mean causes. Here the
# generator is known: hue -> shift <- radius.
graph = est.to_graph().rename_nodes({node[factor]: factor for factor in circles.factor_names})
print("learned  ", ", ".join(f"{a} -> {b}" for a, b in graph.graph.edges) or "no arrow")
print("generator", ", ".join(f"{a} -> {b}" for a, b in circles.dag.edges))
print(graph.summary())

# %%
# Seeing and setting
# ------------------
# Among discs that *are* to the right, red and big ones are common, since these are what brings
# discs there. If discs are *moved* to the right, hue and radius stay what they were: ``do`` cuts
# the arrows into the node that is set. Where the learned graph has no arrow into shift, the two
# agree; with other arrows, the answers differ.
right = {"shift": second["shift"]}
words, shares = {"hue": "red", "radius": "big"}, {}
for factor in words:
    seen, done = graph.condition(right).marginal([factor]), graph.do(right).marginal([factor])
    shares[factor] = seen[second[factor]], done[second[factor]]
print("                   red   big")
print(f"seen to the right  {shares['hue'][0]:.2f}  {shares['radius'][0]:.2f}")
print(f"set to the right   {shares['hue'][1]:.2f}  {shares['radius'][1]:.2f}")

# %%
# The same, decoded: ``sample`` draws from the model, ``intervene`` after a node was set.
n_drawn, n_shown = 20, 10
drawn, labels = est.sample(400)
order = np.random.RandomState(0).permutation(len(labels))  # they come sorted by component
order = order[is_second("shift", est.cluster_states_[labels[order]])]
seen_images, seen_nodes = drawn[order[:n_drawn]], est.cluster_states_[labels[order[:n_drawn]]]
set_images, set_nodes = est.intervene({node["shift"]: second["shift"]}, n_samples=n_drawn)

# %%
# Counterfactuals
# ---------------
# Here are real blue discs to the left. Had they been red, some of them would have been to the right
# (where the learned graph lets hue act on shift). Which ones, is drawn under the assumption that
# nodes follow Gumbel-max mechanisms, given what each disc in fact was. What hue does not act on is
# kept, and so is a disc's place within its cluster: it is as typical a red disc as it was a blue
# one.
nodes = est.predict_nodes(circles.images)
chosen = np.flatnonzero(~is_second("hue", nodes) & ~is_second("shift", nodes))[:n_shown]
real = circles.images[chosen]
reconstructed = est.inverse_transform(est.transform(real))
had_been_red, new_nodes = est.counterfactual(real, {node["hue"]: second["hue"]})
moved = is_second("shift", new_nodes)
print(f"{moved.sum()} of {n_shown} discs would have been to the right, had they been red")


# %%
# The picture
# -----------
# Above, discs seen to the right and discs set to the right, red ones first. The shares are those of
# the model; twenty draws scatter around them. Below, real discs, what the model makes of them as
# they are, and what it makes of them had they been red. Dotted lines are the middles of the images.
def by_hue(images, nodes):
    """Put the red ones first, and among these the big ones."""
    return images[np.lexsort([~is_second("radius", nodes), ~is_second("hue", nodes)])]


def show(figure, title, rows):
    """Draw rows of images and return their axes."""
    figure.suptitle(title, fontsize=12)
    axes = figure.subplots(len(rows), len(next(iter(rows.values()))))
    for axis, image in zip(axes.ravel(), np.concatenate(list(rows.values())), strict=True):
        axis.imshow(np.clip(image, 0, 1))
        axis.axvline(13.5, color="0.5", linewidth=0.8, linestyle=":")
        axis.set_xticks([])
        axis.set_yticks([])
    for axis, label in zip(axes[:, 0], rows, strict=True):
        axis.set_ylabel(label, rotation=0, ha="right", va="center")
    return axes


arrows = ", ".join(f"{a} → {b}" for a, b in graph.graph.edges) or "no arrow"
percent = [" and ".join(f"{shares[f][k]:.0%} {w}" for f, w in words.items()) for k in (0, 1)]
fig = plt.figure(figsize=(12, 6.6), layout="constrained")
above, below = fig.subfigures(2, 1, height_ratios=[1.3, 3], hspace=0.04)
show(
    above,
    f"Drawn from the model, under the learned graph {arrows}",
    {
        f"seen to the right:\n{percent[0]}": by_hue(seen_images, seen_nodes),
        f"set to the right:\n{percent[1]}": by_hue(set_images, set_nodes),
    },
)
axes = show(
    below,
    "Counterfactuals of real discs",
    {
        "real: blue,\nto the left": real,
        "reconstructed": reconstructed,
        "had they\nbeen red": had_been_red,
    },
)
for axis, to_the_right in zip(axes[-1], moved, strict=True):
    axis.set_xlabel("to the right" if to_the_right else "stays left", fontsize=9)
fig.savefig("plot_interventions.png", dpi=120)
print("Saved plot_interventions.png")
