"""
Your own table: wines from a CSV file
=====================================

You learn how the columns of a table become modalities, how a fit on them is looked at, and how its
nodes are compared with columns that the fit has not seen. The table holds thirteen measurements of
178 wines. Replace the file by your own.
"""

# %%
# Read
# ----
# Any file that pandas reads will do. A value that is missing stays empty. Here one is made so.
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
from sklearn.datasets import load_wine

from skcausalpima import CausalPIMA, MultimodalData
from skcausalpima.inspection import (
    AssociationDisplay,
    SummaryDisplay,
    associate_nodes,
)

with TemporaryDirectory() as folder:
    file = Path(folder) / "wines.csv"
    load_wine(as_frame=True).frame.to_csv(file, index=False)
    table = pd.read_csv(file)
table.loc[5, "magnesium"] = float("nan")
print(table.iloc[:3, :5])

# %%
# Columns that belong together are a modality
# -------------------------------------------
# What one instrument measures is one modality: colour here, chemistry there. The cultivar, the last
# column, is kept out of the fit. Columns may have any units: where these are unlike, each is scaled
# by its own (``scale="auto"``).
colour = ["color_intensity", "hue", "od280/od315_of_diluted_wines"]
chemistry = [name for name in table if name not in [*colour, "target"]]
X = MultimodalData({"colour": table[colour], "chemistry": table[chemistry]})
print(X)

# %%
# Fit and look
# ------------
# One node with three outcomes. The summary shows where the wines lie in the latent space, what each
# cell looks like, the graph (one node has no arrows) and training. Of a table this
# small, one start would warn that other starts end in other cells. ``n_init`` keeps the best of
# five, and the report says how far these agree.
est = CausalPIMA(node_sizes={"kind": 3}, n_init=5, random_state=0).fit(X)
print(est.report())
SummaryDisplay.from_estimator(est, X)

# %%
# What is the node?
# -----------------
# Compare it with columns that you know: Cramér's V is 1 where one says the other, and 0 where they
# are independent.
known = table[["target"]].rename(columns={"target": "cultivar"})
associations = associate_nodes(est, X, known, random_state=0)
print(associations.to_frame())
AssociationDisplay.from_associations(associations)
