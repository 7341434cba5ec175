"""
Two instruments, and a third that comes later
=============================================

Images and curves of the same samples come from two instruments, and what differs between these is
stronger than what differs between samples. You learn how a fit is told about it, what it then
knows of each instrument, how a sample of one would look like on the other, and how sixty samples
of a third instrument are enough to use the fit there.
"""

# %%
# Data
# ----
# Discs have a hue, a radius and a place, and with each comes a curve. Instrument A has the blue
# discs, four of five, B the red ones. B adds a pattern to its images and a baseline to its curves,
# and so does C, others. Nobody will tell the fit any outcome.
import matplotlib.pyplot as plt
import numpy as np

from skcausalpima import CausalPIMA, MultimodalData
from skcausalpima.datasets import add_context, make_circles_images
from skcausalpima.inspection import GraphDisplay
from skcausalpima.metrics import node_recovery

discs = make_circles_images(1000, curves=True, random_state=0)
data = add_context(
    discs,
    labels=("A", "B", "C"),
    assignment={"hue": [[0.6, 0.15, 0.25], [0.15, 0.6, 0.25]]},
    offset=0.5,
    random_state=0,
)
X = MultimodalData({"image": data.images, "curve": data.curves})
now = data.instrument != "C"
factors, label = data.factors[now], data.instrument[now]
for one in "ABC":
    there = data.instrument == one
    red = data.factors[there, 0].mean()
    print(f"{one}: {there.sum()} samples, {red:.0%} red")


# %%
# Without the instrument
# ----------------------
# A fit that does not know about it, and one to data of which each instrument's mean was subtracted.
def describe(title, est):
    right = node_recovery(factors, est.node_labels_).accuracies
    like = [
        max(np.mean((label == "B") == nodes), np.mean((label == "A") == nodes))
        for nodes in est.node_labels_.T
    ]
    text = "  ".join(f"{one:.3f}" for one in right)
    print(f"{title:28s} {text}   {max(like):.3f}")


def centred(array):
    moved = array.copy()
    for one in np.unique(label):
        moved[label == one] -= array[label == one].mean(axis=0)
    return moved


print("Accuracy of                    hue  radius  shift   most like B")
without = CausalPIMA((2, 2, 2), random_state=0).fit(X[now])
describe("without", without)
means = {name: centred(array) for name, array in X[now].items()}
describe("means subtracted", CausalPIMA((2, 2, 2), random_state=0).fit(means))

# %%
# With it
# -------
# The labels are one more entry of X, and ``contexts`` names it.
X = MultimodalData({**X, "instrument": data.instrument})
est = CausalPIMA((2, 2, 2), contexts="instrument", random_state=0)
est.fit(X[now])
describe('contexts="instrument"', est)
print(est.report())

# %%
# What it knows of the instruments
# --------------------------------
# How often each cell occurs on each instrument, in ``weights_of``, and what each adds, in
# ``offsets_``: here what B adds to A's pictures, as it was made and as it was found. The graph has
# the instrument on the node whose outcomes are not as frequent on both. Its link has no direction:
# who decides which sample goes where is not in the data.
hue = node_recovery(factors, est.node_labels_).permutation[0]
for one in est.contexts_["instrument"]:
    weights = est.weights_of(instrument=one).reshape(est.joint_.shape)
    shares = np.moveaxis(weights, hue, 0).reshape(2, -1).sum(axis=1)
    print(f"{one}: outcomes of the node that is the hue {shares.round(2)}")


def difference(offsets):
    return offsets[1] - offsets[0]


fig, axes = plt.subplots(
    1,
    4,
    figsize=(13, 2.8),
    width_ratios=[1, 1, 1.2, 1.8],
    layout="constrained",
)
for ax, title, offsets in (
    (axes[0], "pattern of B, as made", data.offsets["images"]["instrument"]),
    (axes[1], "pattern of B, as found", est.offsets_["image"]["instrument"]),
):
    ax.imshow(0.5 + difference(offsets))
    ax.set(title=title, xticks=[], yticks=[])
points = discs.curve_points
made = difference(data.offsets["curves"]["instrument"])
found = difference(est.offsets_["curve"]["instrument"])
axes[2].plot(points, made, label="as made")
axes[2].plot(points, found, "--", label="as found")
axes[2].set(title="baseline of B", xlabel="point")
axes[2].legend()
GraphDisplay.from_estimator(est, ax=axes[3])
fig.savefig("plot_instruments_offsets.png", dpi=120)

# %%
# The same sample on the other instrument
# ---------------------------------------
# ``harmonize`` moves data by the offsets, and keeps all else, noise included. ``reconstruct``
# decodes what the model understands of a sample, as another instrument would see it.
moved = est.harmonize(X[now], to={"instrument": "A"})
decoded = est.reconstruct(X[now], context={"instrument": "A"})
chosen = np.flatnonzero(label == "B")[:4]
rows = {
    "as A would\nsee it (true)": discs.images[now],
    "seen by B": X["image"][now],
    "harmonized": moved["image"],
    "reconstructed": decoded["image"],
}
fig, axes = plt.subplots(4, 4, figsize=(6, 6.4), layout="constrained")
for line, (title, images) in zip(axes, rows.items(), strict=True):
    line[0].set_ylabel(title)
    for ax, k in zip(line, chosen, strict=True):
        ax.imshow(images[k].clip(0, 1))
        ax.set(xticks=[], yticks=[])
fig.savefig("plot_instruments_moved.png", dpi=120)
before = np.sqrt(np.mean((X["image"][now] - discs.images[now]) ** 2))
after = np.sqrt(np.mean((moved["image"] - discs.images[now]) ** 2))
print(f"Distance to what A would see: {before:.3f}, harmonized {after:.3f}")

# %%
# A third instrument
# ------------------
# Sixty samples of C, and no outcome known. ``adapt`` finds C's offset and how often each cell
# occurs there. The others of C show how good it is, beside what the fit says if they are taken for
# A's, or for A's after both means are made the same.
later = np.flatnonzero(data.instrument == "C")
few, rest = X[later[:60]], X[later[60:]]
wider = est.adapt(few)
order = node_recovery(factors, est.node_labels_).permutation
truth = data.factors[later[60:]]


def as_instrument_a(samples, offset=None):
    taken = {name: samples[name].copy() for name in ("image", "curve")}
    for name in () if offset is None else taken:
        taken[name] += offset[name]
    return {**taken, "instrument": np.full(len(samples), "A")}


offset = {
    name: X[name][data.instrument == "A"].mean(axis=0) - few[name].mean(axis=0)
    for name in ("image", "curve")
}
print("Samples of C            hue  radius  shift   p-value < .05")
for title, model, samples in (
    ("taken for A", est, as_instrument_a(rest)),
    ("means made the same", est, as_instrument_a(rest, offset)),
    ("adapted", wider, rest),
):
    found = model.predict_nodes(samples)[:, order]
    right = (found == truth).mean(axis=0)
    right = np.maximum(right, 1 - right)  # outcomes have other numbers
    unusual = (model.tail_probability(samples) < 0.05).mean()
    text = "  ".join(f"{one:.3f}" for one in right)
    print(f"    {title:20s} {text}   {unusual:.2f}")
