"""
Model choice: how many outcomes does a node have?
=================================================

The bound has all constants and the units of the data, so that models with different numbers of
outcomes can be compared by the bound of held-out samples. ``GridSearchCV`` does it as with any
estimator, once images and curves are wrapped in a container that it can split.

The data are the digits with curves: one node, whose outcomes should be ten. The held-out bound
alone does not say so. ``select_node_sizes`` asks other questions first.
"""

# %%
# Search by the held-out bound
# ----------------------------
# With a given ``latent_dim`` candidates differ by nothing but the number of outcomes (the default
# grows with it, and more dimensions describe more of the images).
import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import GridSearchCV, KFold

from skcausalpima import CausalPIMA, MultimodalData
from skcausalpima.datasets import load_digits_with_curves
from skcausalpima.inspection import NodeSizesDisplay
from skcausalpima.metrics import matched_accuracy
from skcausalpima.model_selection import select_node_sizes

digits = load_digits_with_curves(noise_variance=0.5, random_state=0)
X = MultimodalData({"image": digits.images, "curve": digits.curves})
sizes = np.array([4, 6, 8, 9, 10, 11, 12, 14, 16])
candidates = [(int(size),) for size in sizes]

est = CausalPIMA(latent_dim=9, max_iter=10, random_state=0)
cv = KFold(5, shuffle=True, random_state=0)
search = GridSearchCV(
    est, {"node_sizes": candidates}, cv=cv, refit=False, n_jobs=2
).fit(X)

# %%
# The bound rises to the last candidate, and nothing marks the tenth: what one more outcome gains
# falls without a kink. Clusters of real digits are no Gaussians, so two outcomes for one digit
# describe it better than one, and held-out samples see that as well as training samples.
#
# The rule of one standard error (the smallest candidate that is within one of the best) stops at
# twelve, but only since some folds are harder than others for all candidates, which makes the error
# large. Taken from differences within folds, the error of even the last gain is far below the gain.
n_folds = cv.get_n_splits()
bounds = np.array(
    [search.cv_results_[f"split{fold}_test_score"] for fold in range(n_folds)]
)
means, errors = (
    bounds.mean(axis=0),
    bounds.std(axis=0, ddof=1) / np.sqrt(n_folds),
)
gains = np.diff(bounds, axis=1) / np.diff(sizes)
gain_errors = gains.std(axis=0, ddof=1) / np.sqrt(n_folds)

best = int(np.argmax(means))
one_error = int(sizes[np.flatnonzero(means >= means[best] - errors[best])[0]])

# %%
# Search by what is found again
# -----------------------------
# ``select_node_sizes`` first asks whether a candidate's cells are found again from other samples,
# here whether the fits of any two of the same five folds put the samples into the same cells, and
# whether they lie apart. Of the candidates that pass it takes the one with most cells.
#
# Its limit of 0.85 is a convention, too, which a candidate may just pass or miss. Look at the whole
# column. Only what may still be chosen is fitted; the others' figures are those of the start.
selection = select_node_sizes(est, X, candidates, cv=cv, n_jobs=2)
results = selection.results
(chosen,) = selection.best_node_sizes

print("outcomes  bound +- error    gain per outcome  stability  supported")
for k, size in enumerate(sizes):
    gain = (
        f"{gains[:, k - 1].mean():6.2f} +- {gain_errors[k - 1]:.2f}"
        if k
        else " " * 14
    )
    supported = "yes" if results["supported"][k] else "no"
    if not results["fitted"][k]:
        supported = "(start)"
    print(
        f"{size:8d}  {means[k]:7.2f} +- {errors[k]:.2f}    {gain}"
        f"  {results['stability'][k]:9.2f}  {supported:>9s}"
    )
print(
    f"Largest held-out bound: {sizes[best]} outcomes, "
    "the most that were offered"
)
print(f"Smallest within one standard error of it: {one_error} outcomes")
print(f"select_node_sizes: {chosen} outcomes")
accuracy = matched_accuracy(digits.target, selection.best_estimator.labels_)
print(
    "Labels, which served for nothing: "
    f"{len(np.unique(digits.target))} digits,"
)
print(f"matched accuracy of the chosen model {accuracy:.3f}")

# %%
# Pictures
# --------
# Left: the held-out bound. Right: how well the worst cell of each candidate is found again, and
# from where on it counts. Below: what each further outcome gains.
fig, (above, below) = plt.subplots(2, 1, figsize=(9, 7), layout="constrained")
NodeSizesDisplay.from_selection(selection, ax=above)
between = (sizes[1:] + sizes[:-1]) / 2
below.errorbar(between, gains.mean(axis=0), gain_errors, marker="o", capsize=3)
below.axhline(0, color="grey", linewidth=1)
below.set(
    title="gain of one more outcome",
    ylabel="nats per sample",
    xlabel="outcomes of the node",
)
fig.savefig("plot_model_choice.png", dpi=120)
print("Saved plot_model_choice.png")
