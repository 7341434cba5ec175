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
from sklearn.metrics import ConfusionMatrixDisplay

from skcausalpima import CausalPIMA
from skcausalpima.datasets import load_digits_with_curves
from skcausalpima.inspection import LatentDisplay, PrototypeDisplay
from skcausalpima.metrics import matched_accuracy

digits = load_digits_with_curves(noise_variance=0.5, random_state=0)
est = CausalPIMA(node_sizes={"digit": 10}, random_state=0)
est.fit([digits.images, digits.curves])

# %%
# Clusters against digits
# -----------------------
# Labels serve for nothing but this comparison. The plain baselines see one modality each.


def k_means_accuracy(modality):
    flat = modality.reshape(len(modality), -1)
    labels = KMeans(10, n_init=10, random_state=0).fit_predict(flat)
    return matched_accuracy(digits.target, labels)


print(
    f"{len(digits.target)} samples, {est.n_iter_} epochs, "
    f"bound {est.lower_bound_:.2f} nats"
)
print("Matched accuracy")
print(
    "    images and curves, this model  "
    f"{matched_accuracy(digits.target, est.labels_):.3f}"
)
print(
    f"    curves alone, k-means          {k_means_accuracy(digits.curves):.3f}"
)
print(
    f"    images alone, k-means          {k_means_accuracy(digits.images):.3f}"
)

# %%
# Each cluster explains itself: the slope of its decoded line is the digit that it found.
_, curves = est.inverse_transform(est.cluster_means_)
slopes = (
    curves @ digits.curve_points / (digits.curve_points @ digits.curve_points)
)
order = np.argsort(slopes)
table = est.cpts_["digit"]

print("Table of the node, with what decodes from each cluster")
print("    outcome  probability  slope  samples")
for cluster in order:
    (outcome,) = est.cluster_states_[cluster]
    n_samples = np.sum(est.labels_ == cluster)
    print(
        f"    {outcome:7d}  {table[outcome]:11.3f}  "
        f"{slopes[cluster]:5.2f}  {n_samples:7d}"
    )

# %%
# Pictures
# --------
# Above: the image and the line that decode from each cluster's mean. Below: the latent space in
# the plane that separates the clusters best, points by digit and numbers by cluster, and how
# clusters (in the order of their slopes) and digits go together.
fig, axes = plt.subplots(2, 2, figsize=(12, 9), layout="constrained")
PrototypeDisplay.from_estimator(est, modality=0, cmap="gray_r", ax=axes[0, 0])
PrototypeDisplay.from_estimator(
    est, modality=1, x=digits.curve_points, ax=axes[0, 1]
)
X = [digits.images, digits.curves]
LatentDisplay.from_estimator(
    est, X, c=digits.target, c_name="digit", ax=axes[1, 0]
)
positions = np.argsort(order)[est.labels_]
ConfusionMatrixDisplay.from_predictions(
    digits.target, positions, cmap="Blues", ax=axes[1, 1]
)
fig.savefig("plot_digits.png", dpi=120)
print("Saved plot_digits.png")
