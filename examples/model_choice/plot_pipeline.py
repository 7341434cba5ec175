"""
A pipeline and a search: prepare, fit, compare
==============================================

You learn how preparation and fit become one object, so that no held-out sample has a say in the
preparation, and how a search goes over the parameters of both.
"""

# %%
# Data
# ----
# 200 printed lattices, an image and a stress-strain curve of each. A container lets scikit-learn's
# tools split both at once.
import warnings

import pandas as pd
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcausalpima import CausalPIMA, ModalityTransformer, MultimodalData
from skcausalpima.datasets import make_lattices
from skcausalpima.exceptions import ArrangementWarning, InstabilityWarning
from skcausalpima.inspection import LatentDisplay

lattices = make_lattices(200, random_state=0)
X = MultimodalData(
    {"image": lattices.images.reshape(200, -1), "stress": lattices.curves}
)

# %%
# One object
# ----------
# Each modality has a transformer of its own. These images are many numbers for few samples: twenty
# components hold what there is to see. ``PCA`` takes flat samples.
prepare = ModalityTransformer(
    {"image": PCA(20, random_state=0), "stress": StandardScaler()}
)
model = CausalPIMA((2, 2), max_iter=10, random_state=0)
pipeline = make_pipeline(prepare, model)
pipeline.fit(X)
print(pipeline.predict(X)[:10])

# %%
# A search
# --------
# Names of parameters go through the pipeline. The score is the bound of held-out samples, in nats
# per sample. It can be compared as long as the preparation is the same. Where the number of
# cells is wrong, the fits warn that other starts find other cells: here the table says it.
warnings.simplefilter("ignore", InstabilityWarning)
warnings.simplefilter("ignore", ArrangementWarning)
grid = {
    "causalpima__node_sizes": [(2,), (3,), (2, 2)],
    "causalpima__mixture": ["diag", "full"],
}
folds = KFold(3, shuffle=True, random_state=0)
search = GridSearchCV(pipeline, grid, cv=folds).fit(X)
columns = [f"param_{name}" for name in grid]
results = pd.DataFrame(search.cv_results_)[
    [*columns, "mean_test_score", "std_test_score"]
]
print(
    results.sort_values("mean_test_score", ascending=False)
    .round(2)
    .to_string(index=False)
)

# %%
# Picture
# -------
# The best pipeline has been fitted to all samples. Its last step sees what the first has made.
best = search.best_estimator_
LatentDisplay.from_estimator(best[-1], best[:-1].transform(X))
