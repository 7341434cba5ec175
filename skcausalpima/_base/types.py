"""Names for the types of what users hand in, before it is checked."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

#: A value of which nothing is known yet: whoever takes it checks it.
Unchecked: TypeAlias = object

#: Several modalities, one array each (None for one that is missing); `MultimodalData` is one, too.
Several: TypeAlias = Sequence[ArrayLike | None] | Mapping[str, ArrayLike | None]
#: Samples of one or several modalities. A DataFrame is an array.
Samples: TypeAlias = ArrayLike | Several
#: Known outcomes of nodes, by position or name. A DataFrame is an array.
KnownNodes: TypeAlias = ArrayLike | Mapping[str, ArrayLike] | None
#: For how many samples each row counts.
Weights: TypeAlias = ArrayLike | None
#: A label of each sample, by which samples belong together, or the entry of X with them.
Groups: TypeAlias = ArrayLike | str | None
#: Labels of contexts, by name.
Labels: TypeAlias = Mapping[str, Hashable] | None
#: Shapes of one sample of each modality.
Shapes: TypeAlias = Sequence[int | Sequence[int]]

#: Values of several types by name: an estimator's parameters or attributes, a model's fields.
Values: TypeAlias = dict[str, Any]

#: What scikit-learn takes for a source of random numbers.
Seed: TypeAlias = int | np.random.RandomState | None

#: An estimator with ``fit_predict``.
Clusterer: TypeAlias = BaseEstimator

#: Numbers of outcomes of the nodes.
Sizes: TypeAlias = tuple[int, ...]
#: Where elements lie along one axis: numbers, or a name and numbers.
NamedNumbers: TypeAlias = ArrayLike | tuple[str, ArrayLike]
#: Where the elements of one modality lie; of images and volumes along each axis, None for unknown.
Abscissa: TypeAlias = NamedNumbers | Sequence[NamedNumbers | None]
#: The same of one modality, or of several by name; None for what the fit was told.
Abscissae: TypeAlias = Abscissa | Mapping[str, Abscissa] | None

#: Outcomes of some nodes, by number or name.
Outcomes: TypeAlias = Mapping[Hashable, int | str]
