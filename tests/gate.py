"""The input gate alone: what is read of X, in ``fit`` and in later calls, without a fit."""

from sklearn.base import BaseEstimator

from skcausalpima._data.validation import fitted_form, read_modalities


class Gate(BaseEstimator):
    """An estimator that reads X as CausalPIMA does, and learns nothing."""

    def __init__(self, missing_values="marginalize", likelihoods="auto", contexts=None):
        self.missing_values = missing_values
        self.likelihoods = likelihoods
        self.contexts = contexts

    def fit(self, X):
        """Keep what ``fit`` is told of X."""
        self.modalities_ = read_modalities(self, X, reset=True)
        return self

    def read(self, X):
        """Return what any later method is told of X."""
        return read_modalities(self, X, reset=False)

    def written(self, X=None):
        """Return X as ``impute`` does, by default what was fitted, as ``sample`` does."""
        read = self.modalities_ if X is None else self.read(X)
        return (fitted_form(self) if X is None else read.form).write(read.arrays)


def read(X, **parameters):
    """Return what ``fit`` is told of X."""
    return Gate(**parameters).fit(X).modalities_
