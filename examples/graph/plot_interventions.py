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
import networkx as nx
import numpy as np

from skcausalpima import CausalPIMA
from skcausalpima.datasets import make_circles_images
from skcausalpima.inspection import InterventionDisplay
from skcausalpima.metrics import node_recovery

circles = make_circles_images(2000, random_state=42)
est = CausalPIMA(node_sizes=(2, 2, 2), random_state=0).fit(circles.images)

recovery = node_recovery(circles.factors, est.node_labels_)
columns = dict(zip(circles.factor_names, recovery.permutation, strict=True))
node = {factor: list(est.dag_)[column] for factor, column in columns.items()}
words = {
    "hue": ("blue", "red"),
    "radius": ("small", "big"),
    "shift": ("left", "right"),
}
for factor, labels in zip(
    circles.factor_names, circles.factors.T, strict=True
):
    second = int(np.mean(est.node_labels_[labels == 1, columns[factor]]) > 0.5)
    words[factor] = words[factor] if second == 1 else words[factor][::-1]
    print(f"{factor:6s} is {node[factor]}; its outcomes are {words[factor]}")

# %%
# The graph, with readable names
# ------------------------------
# ``to_graph`` returns the learned network, which can be asked, exported and renamed. Its arrows are
# the assumption behind all that follows: data identify them at best up to Markov equivalence
# (``summary`` says which are compelled), and only under assumptions do they mean causes. Here the
# generator is known: hue -> shift <- radius. Outcomes that have names are called by them.
nx.set_node_attributes(
    est.dag_, {node[f]: names for f, names in words.items()}, "states"
)
graph = est.to_graph().rename_nodes(
    {node[factor]: factor for factor in circles.factor_names}
)
print(
    "learned  ",
    ", ".join(f"{a} -> {b}" for a, b in graph.graph.edges) or "no arrow",
)
print("generator", ", ".join(f"{a} -> {b}" for a, b in circles.dag.edges))
print(graph.summary())

# %%
# Seeing and setting
# ------------------
# Among discs that *are* to the right, red and big ones are common, since these are what brings
# discs there. If discs are *moved* to the right, hue and radius stay what they were: ``do`` cuts
# the arrows into the node that is set. Where the learned graph has no arrow into shift, the two
# agree; with other arrows, the answers differ.
right = {"shift": "right"}
seen, done = graph.condition(right), graph.do(right)
print("                   red   big")
for what, found in {"seen": seen, "set": done}.items():
    shares = [
        found.marginal([factor])[words[factor].index(word)]
        for factor, word in {"hue": "red", "radius": "big"}.items()
    ]
    print(f"{what:4s} to the right  {shares[0]:.2f}  {shares[1]:.2f}")

# %%
# The same as a picture, and decoded: ten discs drawn from each distribution.
InterventionDisplay.from_estimator(
    est, {node["shift"]: "right"}, seen=True, n_draws=10
)

# %%
# Counterfactuals
# ---------------
# Here are real blue discs to the left. Had they been red, some of them would have been to the right
# (where the learned graph lets hue act on shift). Which ones, is drawn under the assumption that
# nodes follow Gumbel-max mechanisms, given what each disc in fact was. What hue does not act on is
# kept, and so is a disc's place within its cluster: it is as typical a red disc as it was a blue
# one.
nodes = est.predict_nodes(circles.images)
place = words["shift"].index("right"), columns["shift"]
is_blue = nodes[:, columns["hue"]] == words["hue"].index("blue")
chosen = np.flatnonzero(is_blue & (nodes[:, place[1]] != place[0]))[:10]
real = circles.images[chosen]
reconstructed = est.inverse_transform(est.transform(real))
had_been_red, new_nodes = est.counterfactual(real, {node["hue"]: "red"})
moved = new_nodes[:, place[1]] == place[0]
print(
    f"{moved.sum()} of {len(real)} discs would have been to the right, "
    "had they been red"
)

# %%
# Above, what the graph says of all discs before and after they are painted red. Below, real discs,
# what the model makes of them as they are, and what it makes of them had they been red.
painted = graph.do({"hue": "red"})
display = InterventionDisplay(
    {
        "before": {factor: graph.marginal([factor]) for factor in words},
        "set": {factor: painted.marginal([factor]) for factor in words},
    },
    {"hue": "red"},
    states=graph.states,
    samples={
        "real": real,
        "reconstructed": reconstructed,
        "had they been red": had_been_red,
    },
    titles={
        "had they been red": [
            "to the right" if go else "stays left" for go in moved
        ]
    },
).plot()
display.figure_.savefig("plot_interventions.png", dpi=120)
print("Saved plot_interventions.png")
