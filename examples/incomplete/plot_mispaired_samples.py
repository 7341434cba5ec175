"""
Mispaired samples: images with another sample's curve
=====================================================

Which curve goes with which image? Here 5 % of the digits have the line of another digit: an image
of a 3 beside the slope of an 8. Each modality by itself looks as it should. What gives such samples
away is that their modalities disagree about the digit.
"""

# %%
# Data
# ----
# Nobody tells the model which samples these are: it is fitted to all of them.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import PrecisionRecallDisplay, average_precision_score

from skcausalpima import CausalPIMA
from skcausalpima.datasets import load_digits_with_curves
from skcausalpima.inspection import ReconstructionDisplay

digits = load_digits_with_curves(noise_variance=0.5, random_state=0)
rng = np.random.default_rng(0)
n_samples = len(digits.target)
is_mispaired = np.zeros(n_samples, dtype=bool)
is_mispaired[rng.choice(n_samples, n_samples // 20, replace=False)] = True
curves = digits.curves.copy()
for sample in np.flatnonzero(is_mispaired):
    others = np.flatnonzero(digits.target != digits.target[sample])
    curves[sample] = digits.curves[rng.choice(others)]

est = CausalPIMA(node_sizes={"digit": 10}, random_state=0)
est.fit([digits.images, curves])

# %%
# Conflict
# --------
# The conflict of a sample is the divergence of two answers: the probabilities of the digits given
# the image alone, and given the curve alone. It is 0 if these agree, and log(2) if each rules out
# what the other says.
evidence = est.modality_evidence([digits.images, curves])
conflict = evidence.conflict[:, 0]

# %%
# Two other scores for comparison: the bound, which asks how likely the whole sample is, and the
# tail probability, which asks for each modality whether it looks like the training data. Neither
# asks how well the modalities go together.
scores = {
    "conflict": conflict,
    "bound": -est.score_samples([digits.images, curves]),
    "tail probability": -est.tail_probability([digits.images, curves]),
}
print(
    f"{is_mispaired.sum()} of {n_samples} samples are mispaired. "
    "Average precision of"
)
for name, score in scores.items():
    print(
        f"    {name:16s}  {average_precision_score(is_mispaired, score):.3f}"
    )

# %%
# What both modalities of the worst samples say, each asked alone: the digit of a component is the
# slope of the line that decodes from its mean.
_, decoded = est.inverse_transform(est.cluster_means_)
slopes = (
    decoded @ digits.curve_points / (digits.curve_points @ digits.curve_points)
)
by_image = slopes[est.predict([digits.images, None])]
by_curve = slopes[est.predict([None, curves])]
worst = np.argsort(-conflict)[:5]
print("The five samples of the largest conflict")
print("    conflict  image says  curve says  digit  mispaired")
for sample in worst:
    print(
        f"    {conflict[sample]:8.2f}  {by_image[sample]:10.1f}  "
        f"{by_curve[sample]:10.1f}  {digits.target[sample]:5d}  "
        f"{'yes' if is_mispaired[sample] else 'no'}"
    )

# %%
# Pictures
# --------
# Precision and recall of the scores.
axis = plt.subplots(figsize=(5.5, 4.5), layout="constrained")[1]
for name, score in scores.items():
    PrecisionRecallDisplay.from_predictions(
        is_mispaired, score, ax=axis, name=name
    )
axis.set(title="finding mispaired samples", xlim=(0, 1.02), ylim=(0, 1.02))
axis.legend(loc="center left")

# %%
# The samples of the largest conflict, with the line of the digit that the image shows: the model
# sees the image alone.
display = ReconstructionDisplay.from_estimator(
    est, [digits.images, curves], given=0, rows=worst
)
display.figure_.savefig("plot_mispaired_samples.png", dpi=120)
print("Saved plot_mispaired_samples.png")
