"""An estimator whose copies share what a fit has found, and whose pickles are plain data."""

from __future__ import annotations

from typing import Self

from .._base.shown_estimator import ShownEstimator
from .._base.types import Values
from .._model.spec import of_another_version
from .plain import portable, restored


class PortableEstimator(ShownEstimator):
    """An estimator that can be copied and pickled."""

    def __copy__(self) -> Self:
        """Return an estimator with the same attributes, which shares their values."""
        new = object.__new__(type(self))
        new.__dict__ = dict(vars(self))
        return new

    def __getstate__(self) -> Values:
        return portable(super().__getstate__())

    def __setstate__(self, state: Values) -> None:
        if lacking := sorted(set(self._get_param_names()) - set(state)):
            raise of_another_version(f"it lacks the parameters {lacking}")
        super().__setstate__(restored(state))
