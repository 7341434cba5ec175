"""
Spectra and sprites: nodes for effects that do not add up
=========================================================

A peak that moves, and an object in one of four corners: what a factor does to a point or a pixel
depends on the other factors. In another view of the same data effects do add up, and there the
nodes are found.
"""

# %%
# Spectra
# -------
# Two narrow peaks on a sloping background. The place of each peak and the width of the first are
# binary factors; slope and height of the background are none.
import matplotlib.pyplot as plt
import numpy as np

from skcausalpima import CausalPIMA
from skcausalpima.datasets import make_pendulum, make_rectangles, make_spectra, make_sprites
from skcausalpima.metrics import node_recovery

spectra = make_spectra(1500, random_state=0)
fig, axes = plt.subplots(2, 4, figsize=(11, 4), sharex=True, sharey=True)
for cell, ax in enumerate(axes.flat):
    ax.plot(spectra.curve_points, spectra.curves[spectra.target == cell][:5].T, lw=0.8)
    ax.set_title(f"cell {cell}", fontsize=9)
fig.supxlabel("place")
fig.supylabel("intensity")
fig.suptitle("Five spectra of each cell")
fig.tight_layout()

# %%
# Coarse copies
# -------------
# ``views="auto"`` shows the model coarse copies of a curve, too. ``views=None`` leaves them out.
recovered = {}
for views in ("auto", None):
    est = CausalPIMA((2, 2, 2), views=views, random_state=0).fit(spectra.curves)
    recovered[str(views)] = node_recovery(spectra.factors, est.node_labels_).accuracies
for views, accuracies in recovered.items():
    told = ", ".join(map("{} {:.3f}".format, spectra.factor_names, accuracies))
    print(f"views={views}: {told}")

# %%
# Images
# ------
# Sprites (three shapes in four corners), a pendulum with its shadow, and rectangles whose place is
# no factor. For images the view is the logarithm of the power spectrum: it shows what there is,
# wherever it is.
sets = {
    "sprites": make_sprites(300, random_state=0),
    "pendulum": make_pendulum(300, random_state=0),
    "rectangles": make_rectangles(300, random_state=0),
}
fig, axes = plt.subplots(6, 8, figsize=(9, 7))
for pair, (name, bunch) in zip(axes.reshape(3, 2, 8), sets.items(), strict=True):
    for image, above, below in zip(bunch.images[:8], *pair, strict=True):
        above.imshow(image, cmap="gray", vmin=0, vmax=1)
        spectrum = np.log1p(np.abs(np.fft.rfft2(image / bunch.images.std())))[:12, :12]
        below.imshow(spectrum, cmap="magma")
    pair[0][0].set_title(name, loc="left", fontsize=9)
    pair[1][0].set_title("log power spectrum", loc="left", fontsize=9)
for ax in axes.flat:
    ax.set_axis_off()
fig.tight_layout()

# %%
# How well the nodes stand for the factors of the spectra, with views and without.
fig, ax = plt.subplots(figsize=(7, 3))
places = np.arange(3)
for shift, (views, accuracies) in zip((-0.2, 0.2), recovered.items(), strict=True):
    ax.bar(places + shift, accuracies, width=0.38, label=f"views={views}")
ax.set_xticks(places, spectra.factor_names)
ax.set_ylim(0.5, 1.0)
ax.set_ylabel("accuracy of the node")
ax.legend(loc="lower right")
fig.tight_layout()
plt.show()
