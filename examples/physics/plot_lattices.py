"""
Lattices: an image, an expert, and two nodes
============================================

The second experiment of the paper (Section 4.2, Figure 3): printed lattices of two geometries, each
with an image and a stress-strain curve. The curve is decoded by an expert, a line of two pieces,
whose slopes and knot are learned for each cluster in MPa and strain. The paper's data is not
public: the lattices here are our own, see :func:`~skcausalpima.datasets.make_lattices`.
"""

# %%
# Preparation
# -----------
# As in Appendix B.2: images of 32 x 32 whose pixels have zero mean and unit variance, flips along
# each axis (and both), and a split of 81, 9 and 10 %. The curves have 100 points; they stay in MPa,
# since the estimator scales inside and gives the parameters of the expert back in these units. Each
# flip comes with a copy of its curve, so that standard errors of the parameters are half of what
# they should be: multiply them by 2.
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone

from skcausalpima import CausalPIMA, GradientStructure, Training
from skcausalpima.datasets import make_lattices
from skcausalpima.exceptions import ArrangementWarning
from skcausalpima.inspection import (
    GraphDisplay,
    LatentDisplay,
    PrototypeDisplay,
    TableDisplay,
)
from skcausalpima.modules import ExpertDecoder, piecewise_linear

lattices = make_lattices(random_state=0)
images = lattices.images - lattices.images.mean(axis=(1, 2), keepdims=True)
images /= images.std(axis=(1, 2), keepdims=True)
order = np.random.default_rng(0).permutation(91)
train, validation, test = np.split(order, [74, 82])


def augmented(rows):
    """Return images, their flips, and the curves that belong to them."""
    chosen = images[rows]
    flips = [
        chosen,
        chosen[:, ::-1],
        chosen[:, :, ::-1],
        chosen[:, ::-1, ::-1],
    ]
    return [np.concatenate(flips), np.tile(lattices.curves[rows], (4, 1))]


X, factors = augmented(train), np.tile(lattices.factors[train], (4, 1))

# %%
# Defaults and the paper's own settings
# -------------------------------------
# *Defaults*, with two latent dimensions so that the latent space can be drawn. The samples of a
# cluster differ from each other by more than noise from point to point: ``scatter=True`` says that
# the parameters of the expert scatter between samples. Without it, the hundred points of a curve
# count as a hundred independent witnesses, which outvote the image where curves of different
# lattices come close.
#
# *The paper's settings*: the published algorithm (:meth:`~skcausalpima.CausalPIMA.published`) with
# all that Table 3 and Appendix B.2 print. They print neither the number of epochs, nor the size of
# batches, nor the optimizer: these are our defaults (10 epochs of pre-training and 50 of training,
# Adam, 128). One learning rate is printed, so that it is the graph's, too. Three things are ours:
# the strides of the networks (the printed ones do not lead back to 32 x 32 pixels), the expert's
# start from a fit in the first clusters, and that the expert's likelihood counts for the
# responsibilities. The same settings run with our default learning rates, too.
#
# What comes out is printed below: the defaults find the lattice, and the edge to the other node
# (which way it points two nodes cannot tell). With the paper's settings no node is the lattice, at
# either rate: see the samples that train, since eight and nine others are too few to judge by. At
# the paper's rate the curves of the four clusters stay the mean of all curves for sixty epochs. At
# our rates cells follow the curves: one of them holds octets and gyroids whose curves come close.
# More seeds: :doc:`/benchmarks`.
strain = lattices.curve_points
f = piecewise_linear(2, intercept=False)
default = CausalPIMA(
    (2, 2),
    latent_dim=2,
    experts=[None, ExpertDecoder(f, strain, scatter=True)],
    random_state=0,
)
paper = CausalPIMA.published(
    node_sizes=(2, 2),  # Table 3
    encoders="conv_paper",  # Appendix B.2, for images and curves
    decoders=["conv_paper", None],  # Appendix B.2, for images
    experts=[
        None,
        ExpertDecoder(f, strain, refit=False),
    ],  # Section 3.2: trained by gradient
    structure=GradientStructure(learning_rate=1.25e-5),  # Table 3
    training=Training(
        learning_rate=1.25e-5, tol=0
    ),  # no rule to stop is printed
    random_state=0,
)
default_rates = {"training": Training(tol=0), "structure": "gradient"}
fits = {
    "default": default,
    "paper's settings": paper,
    "paper's, default rates": clone(paper).set_params(**default_rates),
}


def node_of_the_lattice(est):
    """Return the lattice's node, and whether its outcomes are swapped."""
    agree = np.mean(est.node_labels_ == factors[:, :1], axis=0)
    node = int(np.argmax(np.maximum(agree, 1 - agree)))
    return node, int(agree[node] < 0.5)


def accuracy(est, rows):
    """Return the share of samples whose lattice the matching node tells."""
    node, swapped = node_of_the_lattice(est)
    nodes = est.predict_nodes([images[rows], lattices.curves[rows]])
    return np.mean(nodes[:, node] == (lattices.factors[rows, 0] ^ swapped))


print(
    "Accuracy of the node that matches the lattice     train  validation  test"
)
for name, est in fits.items():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ArrangementWarning)
        est.fit(X)
    print(
        f"{name:48s} "
        + "  ".join(
            f"{accuracy(est, r):7.3f}" for r in (train, validation, test)
        )
    )

print("Octets and gyroids in each component")
for name, est in fits.items():
    counts = [
        f"{''.join(map(str, states))}: {np.bincount(own, minlength=2) // 4}"
        for component, states in enumerate(est.cluster_states_)
        for own in [factors[est.labels_ == component, 0]]
    ]
    print(f"{name:23s} " + "  ".join(counts))

# %%
# What the expert learned
# -----------------------
# The parameters of each component, beside the means of the parameters that its samples were made
# with. ``_sd`` is how much they scatter between samples.
table = default.expert_params_["modality1"]
truth = np.tile(lattices.curve_parameters[train], (4, 1))
for component in np.unique(default.labels_):
    own = truth[default.labels_ == component]
    states = "".join(map(str, default.cluster_states_[component]))
    print(f"component {states}, {len(own) // 4} lattices")
    for name, values in zip(
        lattices.curve_parameter_names, own.T, strict=True
    ):
        print(
            f"    {name}: {table[name][component]:7.3f} "
            f"+- {2 * table[f'{name}_se'][component]:.3f}"
            f", sd {table[f'{name}_sd'][component]:.3f}   "
            f"(made with {values.mean():7.3f}, "
            f"sd {values.std():.3f})"
        )

# %%
# Merged clusters
# ---------------
# In the paper the two clusters of octets merged, since octet curves vary less. ``separation_``
# lists pairs whose Gaussians overlap and components without samples; curves that nearly agree show
# in the table above.
for name, est in fits.items():
    print(
        f"{name}: merged pairs {est.separation_.merged.tolist()}, "
        f"empty components {est.separation_.empty.tolist()}"
    )

# %%
# The panels of Figure 3
# ----------------------
# A row per fit: (a) the latent space with two standard deviations of each cluster, (b) the mean of
# each cluster as an image, (c) the expert's curve of each cluster with its parameters, (d) the
# graph, (e) the table of N2. With the defaults the latent space holds what the images show, the
# lattice: the profile of the curve is left to the expert, and clusters that differ in it alone
# overlap there.
lattice = np.array(["octet", "gyroid"])[factors[:, 0]]
fig, axes = plt.subplots(3, 5, figsize=(22, 13), layout="constrained")
for row, (name, est) in zip(axes, fits.items(), strict=True):
    LatentDisplay.from_estimator(
        est, X, c=lattice, c_name=name, projection=(0, 1), ax=row[0]
    )
    PrototypeDisplay.from_estimator(est, modality=0, ax=row[1])
    PrototypeDisplay.from_estimator(est, modality=1, ax=row[2])
    GraphDisplay.from_estimator(est, ax=row[3])
    TableDisplay.from_estimator(est, "N2", ax=row[4])
plt.show()
