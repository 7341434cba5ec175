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
from skcausalpima.datasets import (
    make_pendulum,
    make_rectangles,
    make_spectra,
    make_sprites,
)
from skcausalpima.inspection import PrototypeDisplay
from skcausalpima.metrics import node_recovery

spectra = make_spectra(1500, random_state=0)
first_of_each = np.unique(spectra.target, return_index=True)[1]
sizes = [spectra.dag.nodes[name]["size"] for name in spectra.factor_names]
PrototypeDisplay(
    spectra.curves[first_of_each],
    sizes,
    spectra.factor_names,
    x=spectra.curve_points,
).plot()

# %%
# Coarse copies
# -------------
# ``views="auto"`` considers coarse copies of a curve, and takes them where clusters that are found
# with them agree more (``choices_``). ``views=None`` leaves them out.
recovered = {}
for views in ("auto", None):
    est = CausalPIMA((2, 2, 2), views=views, random_state=0).fit(
        spectra.curves
    )
    recovered[str(views)] = node_recovery(
        spectra.factors, est.node_labels_
    ).accuracies
for views, accuracies in recovered.items():
    told = ", ".join(map("{} {:.3f}".format, spectra.factor_names, accuracies))
    print(f"views={views}: {told}")

# %%
# Images
# ------
# Sprites (three shapes in four corners), a pendulum with its shadow, and rectangles whose place is
# no factor. For images the view is the logarithm of the power spectrum: it shows what there is,
# wherever it is. To the left an image of each cell, to the right its view.
sets = {
    "sprites": make_sprites(300, random_state=0),
    "pendulum": make_pendulum(300, random_state=0),
    "rectangles": make_rectangles(300, random_state=0),
}
for bunch in sets.values():
    examples = bunch.images[np.unique(bunch.target, return_index=True)[1]]
    power = np.log1p(np.abs(np.fft.rfft2(examples / bunch.images.std())))[
        :, :12, :12
    ]
    sizes = [bunch.dag.nodes[name]["size"] for name in bunch.factor_names]
    _, (left, right) = plt.subplots(
        1, 2, figsize=(11, 5), layout="constrained"
    )
    PrototypeDisplay(examples, sizes, bunch.factor_names).plot(ax=left)
    PrototypeDisplay(power, sizes, bunch.factor_names).plot(ax=right)
plt.show()
