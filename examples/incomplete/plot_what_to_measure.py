"""
What to measure next: one more test for each sample
===================================================

A blood panel has been taken of everybody; an image and a biopsy are expensive, and each sample gets
one of them. Which? Choose by the information that is expected of it, measure, and see what is
gained beside a fixed order.
"""

# %%
# Data
# ----
# Four kinds of samples. The panel tells two pairs of kinds apart, the image the kinds within the
# one pair, the biopsy those within the other: no order of tests is right for all. Past samples
# have had everything.
import matplotlib.pyplot as plt
import numpy as np

from skcausalpima import CausalPIMA
from skcausalpima.inspection import information_gain
from skcausalpima.metrics import matched_accuracy

rng = np.random.default_rng(0)
kind = rng.integers(4, size=900)
shown = {"panel": kind // 2, "image": kind == 1, "biopsy": kind == 3}
data = {
    name: rng.normal(size=(900, 4)) + 3.0 * shows[:, None]
    for name, shows in shown.items()
}
past = {name: table[:500] for name, table in data.items()}
new, truth = {name: table[500:] for name, table in data.items()}, kind[500:]
est = CausalPIMA({"kind": 4}, random_state=0).fit(past)

# %%
# Which modality shows how much of the kind? Over all samples, image and biopsy show about as much.
print(est.modality_evidence(past).to_frame().round(2))

# %%
# Choose
# ------
# What is expected of each test, of samples that have had the panel alone: values of the test are
# drawn from what the fit predicts for the sample, and each is answered as if it had been measured.
panel = {"panel": new["panel"], "image": None, "biopsy": None}
gain = information_gain(est, panel, random_state=0)
print(gain)

# %%
# Measure
# -------
# The values of a test come in for those samples that it was chosen for, and stay missing for all
# others.
names = list(data)


def measured(chosen):
    """Return the panel of all samples, and of each the test chosen for it."""
    tests = {
        name: np.where(
            (chosen == names.index(name))[:, None], new[name], np.nan
        )
        for name in ("image", "biopsy")
    }
    return {"panel": new["panel"]} | tests


n_new = len(truth)
plans = {
    "panel alone": np.full(n_new, -1),
    "image for all": np.full(n_new, 1),
    "biopsy for all": np.full(n_new, 2),
    "by chance": rng.integers(1, 3, size=n_new),
    "by gain": gain.best,
}
right = {
    name: matched_accuracy(truth, est.predict(measured(chosen)))
    for name, chosen in plans.items()
}
everything = matched_accuracy(truth, est.predict(new))
for name, share in right.items():
    print(f"{name:15s}  {share:.3f}")
print(f"both tests       {everything:.3f}")

# %%
# What was expected is what came: the drop of the entropy, test by test, in nats. Only half of all
# samples have much to gain from either test, and the panel tells which.


def entropy(X):
    """Return the entropy of the kind of each sample, in nats."""
    sure = est.predict_proba(X).clip(1e-12)
    return -(sure * np.log(sure)).sum(axis=1)


print("test    expected  realised")
for name in ("image", "biopsy"):
    m = names.index(name)
    realised = entropy(panel) - entropy(measured(np.full(n_new, m)))
    expected = gain.gain[:, m, 0].mean()
    print(f"{name:7s} {expected:8.2f}  {realised.mean():8.2f}")

# %%
# Pictures
# --------
# Each sample by what is expected of both tests, and the share of right answers by plan.
figure, (left, right_ax) = plt.subplots(
    1, 2, figsize=(9, 3.8), layout="constrained"
)
for k, marker in enumerate("os^D"):
    of_kind = gain.gain[truth == k, 1:, 0].T
    left.scatter(*of_kind, s=14, marker=marker, alpha=0.7, label=f"kind {k}")
left.set(xlabel="gain of the image (nats)", ylabel="gain of the biopsy (nats)")
left.legend(fontsize=8)
right_ax.barh(list(right), list(right.values()), color="0.6")
right_ax.axvline(everything, color="k", linestyle=":")
right_ax.set(
    xlabel="share of right answers (dotted: with both tests)", xlim=(0, 1.05)
)
right_ax.invert_yaxis()
figure.savefig("plot_what_to_measure.png", dpi=120)
print("Saved plot_what_to_measure.png")
