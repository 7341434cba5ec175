"""
Missing modalities: the line that goes with an image
====================================================

Each sample is an image of a handwritten digit and a noisy line whose slope is the digit. The model
is fitted to both. New samples come with an image alone: which digit is it, what line goes with it,
and how sure is that?
"""

# %%
# Fit
# ---
# Three samples in ten are held out.
import numpy as np
from sklearn.cluster import KMeans
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier

from skcausalpima import CausalPIMA, MultimodalData
from skcausalpima.datasets import load_digits_with_curves
from skcausalpima.inspection import ReconstructionDisplay
from skcausalpima.metrics import matched_accuracy

digits = load_digits_with_curves(noise_variance=0.5, random_state=0)
X = MultimodalData({"image": digits.images, "line": digits.curves})
train, new, _, target = train_test_split(
    X, digits.target, test_size=0.3, random_state=0
)
est = CausalPIMA(node_sizes={"digit": 10}, random_state=0).fit(train)

# %%
# The same answer from less
# -------------------------
# A modality that no sample has is None. How often is the answer from one modality the answer from
# both? Beside it is a nearest-neighbour rule that was taught the model's own labels, and the
# matched accuracy of k-means on that modality alone.
inputs = {
    "image": {"image": new["image"], "line": None},
    "line": {"image": None, "line": new["line"]},
}
both = est.predict(new)
print(f"Matched accuracy from both: {matched_accuracy(target, both):.3f}")
print("From one         agreement  neighbours  accuracy  k-means")
for name, X_one in inputs.items():
    answer = est.predict(X_one)
    flat, flat_new = (
        part[name].reshape(len(part), -1) for part in (train, new)
    )
    neighbours = (
        KNeighborsClassifier(5).fit(flat, est.labels_).predict(flat_new)
    )
    clusters = (
        KMeans(10, n_init=10, random_state=0).fit(flat).predict(flat_new)
    )
    print(
        f"    {name:12s} {np.mean(answer == both):9.3f} "
        f"{np.mean(neighbours == both):11.3f} "
        f"{matched_accuracy(target, answer):9.3f} "
        f"{matched_accuracy(target, clusters):8.3f}"
    )

# %%
# The line from the image
# -----------------------
# ``reconstruct`` decodes any modality from any subset: the mean over all that the sample may be,
# and its standard deviation. With the noise of the observations in it, nine points of ten should
# lie within 1.645 standard deviations.
from_image = inputs["image"]
lines, spread = est.reconstruct(
    from_image, modality="line", return_std=True, include_noise=True
)
inside = np.abs(new["line"] - lines) <= 1.645 * spread
error = np.sqrt(np.mean((new["line"] - lines) ** 2))
noise = np.sqrt(0.5)
print(f"Root mean squared error {error:.3f} (the noise alone: {noise:.3f})")
print(f"Points within the 90 % band: {inside.mean():.3f}")

# %%
# How sure
# --------
# Where the image could be two digits, so could the line: its band is wide. The probabilities say
# which two.
probabilities = est.predict_proba(from_image)
sureness = probabilities.max(axis=1)
points = digits.curve_points
cluster_lines = est.inverse_transform(est.cluster_means_)["line"]
slopes = cluster_lines @ points / (points @ points)
unsure, order = np.argsort(sureness)[:4], np.argsort(-sureness)
first_of_each = np.unique(
    probabilities.argmax(axis=1)[order], return_index=True
)[1]
sure = order[np.sort(first_of_each)[:4]]
print("The least sure    slope (probability) of the first and the second")
for sample in unsure:
    first, second = np.argsort(probabilities[sample])[[-1, -2]]
    print(
        f"    digit {target[sample]}       "
        f"{slopes[first]:5.1f} ({probabilities[sample, first]:.2f})  "
        f"{slopes[second]:5.1f} ({probabilities[sample, second]:.2f})"
    )

# %%
# Pictures
# --------
# Images that leave no doubt, to the left, and those that leave most. Below them are what the model
# makes of them, and the line that it expects, two standard deviations to either side, with the
# points that were held back.
chosen = [*sure, *unsure]
display = ReconstructionDisplay.from_estimator(
    est, new, given="image", rows=chosen, x={"line": points}, cmap="gray_r"
)
for ax, sample in zip(display.axes_[0], chosen, strict=True):
    ax.set_title(
        f"digit {target[sample]}, p = {sureness[sample]:.2f}", fontsize=8
    )
display.figure_.savefig("plot_missing_modalities.png", dpi=120)
print("Saved plot_missing_modalities.png")
