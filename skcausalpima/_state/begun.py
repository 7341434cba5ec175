"""A fit that has begun, as a checkpoint keeps it: all that the rest of it depends on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._clustering.candidates import CandidateReport
from .._model.spec import ModelSpec
from .fields import a, check_fields
from .fitted import sizes_of
from .training import TrainingState

#: What an estimator keeps from its checkpoint to its fit.
BEGUN = "_begun"


@dataclass(frozen=True, kw_only=True, eq=False)
class BegunRun:
    """A run after an epoch of training.

    Parameters
    ----------
    training : TrainingState
        Where training stands.
    pretraining : list of dict
        Terms of the epochs of pre-training.
    candidates : CandidateReport or None
        What was seen of the clusterings.
    rivals : list of ndarray
        Labels of the initial sample from starts that came next.
    predict_variances : tuple of bool
        Whose decoders have variances of their own.
    """

    training: TrainingState = a(TrainingState)
    pretraining: list[dict[str, float]] = a(list)
    candidates: CandidateReport | None = a(CandidateReport, optional=True)
    rivals: list[np.ndarray] = a(list)
    predict_variances: tuple[bool, ...] = a(tuple)


@dataclass(frozen=True, kw_only=True, eq=False)
class BegunFit:
    """A fit of one run, which goes on or has ended.

    Parameters
    ----------
    seeds : list of int
        What its seeds were drawn to be: of the initial sample, and of the run.
    data : str
        Tells the data, their units and what is known of them from others.
    spec : ModelSpec
        What is built.
    every : int, default=1
        After how many epochs there is another checkpoint.
    has_ended : bool, default=False
        Whether nothing has stopped it.
    run : BegunRun, default=None
        None where training has not begun.
    """

    seeds: list[int] = a(list)
    data: str = a(str)
    spec: ModelSpec = a(ModelSpec)
    every: int = a(int, default=1)
    has_ended: bool = a(bool, default=False)
    run: BegunRun | None = a(BegunRun, optional=True, default=None)

    def check(self) -> None:
        """Raise where a field is not what it was declared to be.

        Raises
        ------
        ValueError
            Names the field.
        """
        check_fields(self, sizes_of(self.spec))
