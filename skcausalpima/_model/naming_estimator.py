"""What other estimators call the number of clusters: which parameter it is here."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Self

from sklearn.base import BaseEstimator

from .._typing import Unchecked

#: Parameters of scikit-learn's clusterers and mixtures.
OTHER_NAMES = ("n_clusters", "n_components")


def advice_on_names(estimator: type[BaseEstimator], params: Mapping[str, Unchecked]) -> str:
    """Return what to use in place of a name that the estimator does not have, or nothing.

    Examples
    --------
    >>> from skcausalpima import CausalPIMA
    >>> from skcausalpima._model.naming_estimator import advice_on_names
    >>> advice_on_names(CausalPIMA, {"n_clusters": 4})[:62]
    'CausalPIMA has no parameter n_clusters: use node_sizes=4 for o'
    >>> advice_on_names(CausalPIMA, {"max_iter": 4})
    ''
    """
    known = estimator._get_param_names()
    for name in OTHER_NAMES:
        if name in params and name not in known:
            return (
                f"{estimator.__name__} has no parameter {name}: use node_sizes={params[name]} for "
                "one node whose outcomes are the clusters, or node_sizes such as (2, 3) for a "
                "grid of several nodes."
            )
    return ""


class NamingEstimator(BaseEstimator):
    """An estimator that says which of its parameters is what others call ``n_clusters``."""

    def __init_subclass__(cls, **options: Unchecked) -> None:
        """Show the parameters of the constructor as those of the class, not of ``__new__``."""
        super().__init_subclass__(**options)
        _self, *parameters = inspect.signature(cls.__init__).parameters.values()
        cls.__signature__ = inspect.Signature(parameters)

    def __new__(cls, *args: Unchecked, **params: Unchecked) -> Self:
        """Refuse names that only other estimators have, before the constructor is called."""
        if advice := advice_on_names(cls, params):
            raise TypeError(advice)
        return super().__new__(cls)
