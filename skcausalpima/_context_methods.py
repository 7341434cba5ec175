"""Methods of the estimator for contexts: new labels (``adapt``), samples moved (``harmonize``)."""

from __future__ import annotations

import copy
from collections.abc import Hashable, Mapping
from typing import Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from ._arithmetic import working_in
from ._data.containers import Decoded
from ._fit.adaptation import adapted
from ._inference.fitted_model import model_of, samples_of
from ._model.surroundings import reading_one_fit, usual_surroundings
from ._state.derived import fitted_attributes
from ._typing import Samples


@working_in(usual_surroundings)
@reading_one_fit
class ContextMethods(BaseEstimator):
    """Methods of :class:`CausalPIMA` for samples of several instruments, sites or days."""

    def adapt(self, X: Samples) -> Self:
        """Return a fitted estimator that knows labels of a context more.

        Of a new label, offset and mix are found by expectation maximization, with all else as it
        was fitted. The labels of the samples are not needed otherwise: some of each kind of sample
        tell, sixty in all where kinds are few.

        Parameters
        ----------
        X : mapping, MultimodalData, DataFrame or Dataset
            Samples in the form of the training data, all with new labels of one context.

        Returns
        -------
        CausalPIMA
            Another estimator, of the same nodes and graph; this one stays as it is. Where the
            context has ``role="cause"``, tables of its children have rows more. Its
            ``adapted_`` has an entry for each new label: ``context``, ``label``, ``n_samples``,
            ``unknown`` (share of samples of no known cell) with its 95 % ``interval``, and
            ``standard_errors`` of the offset, by modality.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If X does not match the training data, if there are no contexts or no new label, or if
            some samples have none.

        Warns
        -----
        ContextWarning
            Where samples are few or many of them in no known cell, or another offset would do as
            well.

        See Also
        --------
        tail_probability : Small for samples of no known cell.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> rng = np.random.default_rng(0)
        >>> kind, site = rng.integers(2, size=200), rng.integers(3, size=200)
        >>> x = rng.normal(size=(200, 3)) + 8 * kind[:, None] + 5 * site[:, None] * [1, 0, 0]
        >>> old = {"x": x[site < 2], "site": site[site < 2]}
        >>> new = {"x": x[site == 2], "site": site[site == 2]}
        >>> model = CausalPIMA(2, contexts="site", max_iter=5, random_state=0).fit(old)
        >>> later = model.adapt(new)
        >>> moves = later.offsets_["x"]["site"]
        >>> (moves[2] - moves[0]).round() + 0.0
        array([10.,  0.,  0.])
        """
        check_is_fitted(self)
        fitted = model_of(self)
        new = copy.copy(self)
        new.__dict__ = vars(self) | fitted_attributes(adapted(self, fitted, X))
        return new

    def harmonize(self, X: Samples, to: Mapping[str, Hashable]) -> Decoded:
        """Return samples as they would have been measured under other labels of contexts.

        The offset of a sample's own label is taken from it, and that of the other one added: the
        data themselves are moved, with their noise. What the model expects of a sample under
        another label says :meth:`reconstruct`.

        Parameters
        ----------
        X : mapping, MultimodalData, DataFrame or Dataset
            Samples in the form of the training data, with their labels; modalities may be missing.
        to : mapping of str to label
            The label of each context that is to be another, as in ``{"instrument": "A"}``.

        Returns
        -------
        dict, MultimodalData, DataFrame or Dataset
            In the form of X, with the new labels. Integers come back as floats.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If X does not match the training data, or there is no such context or label.

        See Also
        --------
        reconstruct : With ``context``, what the model expects under other labels.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> rng = np.random.default_rng(0)
        >>> kind, site = rng.integers(2, size=(2, 200))
        >>> x = rng.normal(size=(200, 3)) + 8 * kind[:, None] + 5 * site[:, None] * [1, 0, 0]
        >>> X = {"x": x, "site": np.array(["here", "there"])[site]}
        >>> model = CausalPIMA(2, contexts="site", max_iter=5, random_state=0).fit(X)
        >>> moved = model.harmonize(X, to={"site": "here"})
        >>> (x - moved["x"])[site == 1].mean(axis=0).round() + 0.0
        array([5., 0., 0.])
        >>> set(moved["site"].tolist())
        {'here'}
        """
        check_is_fitted(self)
        modalities = samples_of(self, X)
        return modalities.form.write(*model_of(self).harmonized(modalities, to))

    def weights_of(self, **labels: Hashable) -> np.ndarray:
        """Return the weights of the components under labels of contexts.

        Parameters
        ----------
        **labels : label
            By name of the context, as in ``weights_of(instrument="A")``. Over labels of other
            contexts it is averaged, by their shares among the training samples.

        Returns
        -------
        ndarray of shape (n_components,)
            In the order of ``weights_``.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If there is no such context or label.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> rng = np.random.default_rng(0)
        >>> site = rng.integers(2, size=200)
        >>> kind = rng.random(200) < np.where(site == 1, 0.9, 0.5)
        >>> X = {"x": rng.normal(size=(200, 3)) + 8 * kind[:, None], "site": site}
        >>> model = CausalPIMA(2, contexts="site", max_iter=5, random_state=0).fit(X)
        >>> bool(model.weights_of(site=1).max() > model.weights_of(site=0).max())
        True
        """
        check_is_fitted(self)
        return model_of(self).weights_under(labels)
