"""The models of fitted estimators: built once for each device, kept as long as the fit is."""

from __future__ import annotations

from contextlib import ExitStack
from threading import Lock
from typing import TypeAlias
from weakref import WeakKeyDictionary

import numpy as np
import torch
from sklearn.base import BaseEstimator

from .._base.types import Samples
from .._data.validation import Modalities, read_modalities
from .._model.build import build_model, load_state
from .._model.parameters import prediction_device
from .._state.fitted import FittedState
from .fitted_model import FittedModel, subset_encoders

#: The models of fitted states by device, each with the context in which it does not change.
Kept: TypeAlias = dict[torch.device, tuple[FittedModel, ExitStack]]
_KEPT: WeakKeyDictionary[FittedState, Kept] = WeakKeyDictionary()
_LOCK = Lock()


def fitted_model(state: FittedState, device: torch.device) -> FittedModel:
    """Return the model of a fit on a device; it is built once, and kept as long as the state."""
    with _LOCK:
        kept = _KEPT.setdefault(state, {})
        if device not in kept:
            model = build_model(state.spec)
            load_state(model, state.numbers)
            model, unchanged = model.to(device).eval(), ExitStack()
            with torch.no_grad():
                unchanged.enter_context(model.frozen())
            fitted = FittedModel(
                model=model,
                encoders=subset_encoders(model, state.subset_numbers),
                scaler=state.scaler,
                cells=state.cells,
                covariance_type=state.covariance_type,
                contexts=state.contexts,
                reference=None if state.separation.trusts_all else state.tail_reference,
            )
            kept[device] = fitted, unchanged
        return kept[device][0]


def model_of(est: BaseEstimator) -> FittedModel:
    """Return the model of a fitted estimator, on the device on which it predicts."""
    return fitted_model(est._fitted, prediction_device(est.device))


def samples_of(est: BaseEstimator, X: Samples) -> Modalities:
    """Check samples for the model of a fitted estimator."""
    modalities, spec = read_modalities(est, X, reset=False), est._fitted.spec
    if spec.sampled_responsibilities and not spec.prior_expert:
        nothing = np.flatnonzero(~modalities.observed.any(axis=0))
        if len(nothing):
            raise ValueError(
                f"Sample {nothing[0]} has no observed modality, which needs "
                "posterior__prior_expert=True (without it its posterior has infinite variance)."
            )
    return modalities
