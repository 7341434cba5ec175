"""
Digits: an image and a curve of the same sample
===============================================

Each sample is one of scikit-learn's images of handwritten digits, together with a noisy line
whose slope is the digit. Images of a 1 and a 7 look alike, but their lines differ; the lines of a
6 and a 7 are close, but their images differ. One node with ten outcomes finds the digits without
any labels.
"""

# %%
# Fit
# ---
import matplotlib.pyplot as plt
import numpy as np
from sklearn.cluster import KMeans
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import confusion_matrix

from skcausalpima import CausalPIMA
from skcausalpima.datasets import load_digits_with_curves
from skcausalpima.metrics import matched_accuracy

digits = load_digits_with_curves(noise_variance=0.5, random_state=0)
est = CausalPIMA(node_sizes=(10,), node_names=["digit"], random_state=0)
est.fit([digits.images, digits.curves])

# %%
# Clusters against digits
# -----------------------
# Labels serve for nothing but this comparison. The plain baselines see one modality each.


def k_means_accuracy(modality):
    flat = modality.reshape(len(modality), -1)
    labels = KMeans(10, n_init=10, random_state=0).fit_predict(flat)
    return matched_accuracy(digits.target, labels)


print(f"{len(digits.target)} samples, {est.n_iter_} epochs, bound {est.lower_bound_:.2f} nats")
print("Matched accuracy")
print(f"    images and curves, this model  {matched_accuracy(digits.target, est.labels_):.3f}")
print(f"    curves alone, k-means          {k_means_accuracy(digits.curves):.3f}")
print(f"    images alone, k-means          {k_means_accuracy(digits.images):.3f}")

# %%
# Each cluster explains itself: the slope of its decoded line is the digit that it found.
images, curves = est.inverse_transform(est.cluster_means_)
slopes = curves @ digits.curve_points / (digits.curve_points @ digits.curve_points)
order = np.argsort(slopes)
table = est.cpts_["digit"]

print("Table of the node, with what decodes from each cluster")
print("    outcome  probability  slope  samples")
for cluster in order:
    (outcome,) = est.cluster_states_[cluster]
    n_samples = np.sum(est.labels_ == cluster)
    print(f"    {outcome:7d}  {table[outcome]:11.3f}  {slopes[cluster]:5.2f}  {n_samples:7d}")

# %%
# Pictures
# --------
# Above: the image and the line that decode from each cluster's mean. Below: the latent space in
# the plane that separates the clusters best, and how clusters and digits go together.
fig = plt.figure(figsize=(11, 8.5), layout="constrained")
top, bottom = fig.subfigures(2, 1, height_ratios=[1, 1.6])
axes = top.subplots(2, 10, sharey="row")
for (image_axis, curve_axis), cluster in zip(axes.T, order, strict=True):
    image_axis.imshow(images[cluster], cmap="gray_r")
    image_axis.set_title(f"slope {slopes[cluster]:.1f}", fontsize=10)
    image_axis.set_axis_off()
    curve_axis.plot(digits.curve_points, curves[cluster])
    curve_axis.set(xticks=[0, 1], ylim=(-1, 10))
axes[1, 0].set_ylabel("decoded curve")

latent_axis, confusion_axis = bottom.subplots(1, 2)
latent = LinearDiscriminantAnalysis(n_components=2).fit_transform(
    est.transform([digits.images, digits.curves]), est.labels_
)
points = latent_axis.scatter(*latent.T, c=digits.target, cmap="tab10", vmin=-0.5, vmax=9.5, s=6)
latent_axis.set(title="latent space, coloured by digit", xticks=[], yticks=[])
bottom.colorbar(points, ax=latent_axis, ticks=range(10), label="digit")

counts = confusion_matrix(digits.target, est.labels_)[:, order]
confusion_axis.imshow(np.sqrt(counts), cmap="Blues")
for row, column in np.argwhere(counts):
    colour = "white" if counts[row, column] > 60 else "black"
    confusion_axis.text(
        column, row, counts[row, column], ha="center", va="center", color=colour, fontsize=8
    )
confusion_axis.set(
    title="samples per digit and cluster",
    xlabel="cluster (slope of its decoded curve)",
    ylabel="digit",
    xticks=range(10),
    xticklabels=[f"{slope:.1f}" for slope in slopes[order]],
    yticks=range(10),
)
fig.savefig("plot_digits.png", dpi=120)
print("Saved plot_digits.png")
