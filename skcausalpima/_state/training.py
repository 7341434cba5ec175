"""Where training stands, for fits that go on: of the last fit, and of samples that arrive later.

PyTorch and NumPy trust some of it: fused Adam reads and writes moments at the length of their
parameter, generators read their state wherever a counter points. That is checked here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeGuard

import numpy as np
import torch

from .._typing import Unchecked, Values
from .fields import Sizes, a, are_numbers, array, declared, has, is_row, named_arrays

#: Numbers in the state of a Mersenne twister.
TWISTER = 624

#: The name of a setting among those that must stay while a fit goes on.
STRUCTURE = "structure (learned, or a given graph)"
SETTINGS = ("scale", "decoder_variance", STRUCTURE)

#: What Adam keeps of each parameter.
MOMENTS = {"step", "exp_avg", "exp_avg_sq"}


def are_moments(value: Unchecked, sizes: Sizes) -> bool:
    """Return True for Adam's moments by parameter; their shapes the model says."""
    return type(value) is dict and all(
        are_numbers(kept)
        and set(kept) == MOMENTS
        and kept["step"].shape == ()
        and kept["step"].dtype == "float32"
        and bool(kept["step"] >= 1)
        and bool(np.isfinite(kept["exp_avg"]).all() and (kept["exp_avg_sq"] >= 0).all())
        for kept in value.values()
    )


def are_draws(value: Unchecked, sizes: Sizes) -> bool:
    """Return True for states of generators: the fit's own, NumPy's, and PyTorch's by device."""
    if type(value) is not dict or set(value) != {"generator", "numpy", "modules"}:
        return False
    checks: dict[str, Callable[[Unchecked], bool]]
    checks = {"cpu": is_torch_state, "cuda": is_cuda_state, "mps": are_bytes}
    return (
        is_torch_state(value["generator"])
        and is_numpy_state(value["numpy"])
        and type(value["modules"]) is dict
        and all(n in checks and checks[n](state) for n, state in value["modules"].items())
    )


def is_numpy_state(value: Unchecked) -> bool:
    """Return True for what ``RandomState.get_state(legacy=False)`` returns."""
    if type(value) is not dict or value.get("bit_generator") != "MT19937":
        return False
    return is_twister(**value["state"], has_gauss=value["has_gauss"], gauss=value["gauss"])


def is_twister(key: Unchecked, pos: Unchecked, has_gauss: Unchecked, gauss: Unchecked) -> bool:
    """Return True for a state of NumPy's generator, which itself would read beyond its key."""
    return (
        isinstance(key, np.ndarray)
        and key.dtype == "uint32"
        and key.shape == (TWISTER,)
        and bool(key.any())  # all zero, it would draw nothing but zeros
        and type(pos) is int
        and 0 <= pos <= TWISTER
        and type(has_gauss) is int
        and has_gauss in (0, 1)
        and type(gauss) is float
        and math.isfinite(gauss)
    )


def is_torch_state(value: Unchecked) -> bool:
    """Return True for a state of PyTorch's generator on the CPU."""
    generator = torch.Generator()
    length = len(generator.get_state())
    if not are_bytes(value) or len(value) != length:
        return False
    try:
        generator.set_state(torch.from_numpy(value.copy()))
    except RuntimeError:
        return False
    # PyTorch looks at each of two counters alone: how many numbers are left, and which is next.
    # Together they must stay within the numbers, after which it makes new ones.
    left, following = int(value[8:12].view(np.int32)[0]), int(value[16:24].view(np.uint64)[0])
    return left + following <= TWISTER + 1 and bool(value[24 : 24 + 8 * TWISTER].any())


def is_cuda_state(value: Unchecked) -> bool:
    """Return True for a state of PyTorch's generator on a GPU: a seed, and an offset."""
    return are_bytes(value) and len(value) == 16 and int(value[8:].view(np.uint64)[0]) % 4 == 0


def are_bytes(value: Unchecked) -> TypeGuard[np.ndarray]:
    """Return True for a row of bytes."""
    return is_row(value, "uint8")


def are_cells(value: Unchecked, sizes: Sizes) -> bool:
    """Return True for a row of numbers of cells."""
    return is_row(value, "int64") and bool(((value >= 0) & (value < sizes["component"])).all())


def is_start(value: Unchecked, sizes: Sizes) -> bool:
    """Return True for the cells that samples began in, which were held, and of which rows."""
    if type(value) is not dict or set(value) != {"cells", "held", "rows"}:
        return False
    rows = value["rows"] is None or is_row(value["rows"], "int64")
    return rows and are_cells(value["cells"], sizes) and is_row(value["held"], "bool")


def was_seen(value: Unchecked, sizes: Sizes) -> bool:
    """Return True for what the report on convergence goes by."""
    if type(value) is not dict or set(value) != {"n_steps", "spread", "labels", "label_changes"}:
        return False
    labels = value["labels"] is None or are_cells(value["labels"], sizes)
    numbers = type(value["n_steps"]) is int and type(value["spread"]) is float
    return labels and numbers and is_row(value["label_changes"], "float64")


def are_terms(value: Unchecked, sizes: Sizes) -> bool:
    """Return True for terms of the bound after every epoch."""
    if not isinstance(value, list) or not all(type(of) is dict for of in value):
        return False
    return all(type(term) is float for of in value for term in of.values())


def is_order(value: Unchecked, sizes: Sizes) -> bool:
    """Return True for each of the numbers from 0 once."""
    return is_row(value, "int64") and np.array_equal(np.sort(value), np.arange(len(value)))


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingState:
    """The state of a run after its last epoch of training, before the graph is selected.

    Parameters
    ----------
    model : dict of str to ndarray
        Parameters and buffers.
    temperature : float
        Of the edges.
    moments : dict of str to (dict of str to ndarray)
        What Adam keeps, by parameter.
    draws : dict
        States of all generators: that of the fit, NumPy's, and PyTorch's own.
    stopper : dict
        What early stopping remembers.
    history : list of dict
        Terms of the bound after every epoch.
    seen : dict
        What the report on convergence goes by: ``n_steps``, the ``spread`` of the objective, the
        ``labels`` of the training samples and, per epoch, ``label_changes``.
    start : dict or None
        Where samples began, see :class:`StartingCells`.
    order : ndarray of shape (n_samples,) or None
        The samples, those that are held out first; None where none are.
    data : str
        Tells the data, and the part of it that is held out, from others.
    settings : dict
        Parameters that must stay, besides the specification of the model.
    """

    model: dict[str, np.ndarray] = named_arrays()
    temperature: float = a(float)
    moments: dict[str, dict[str, np.ndarray]] = declared(are_moments)
    draws: Values = declared(are_draws)
    stopper: Values = has("best", "waited", "best_state", "best_temperature")
    history: list[dict[str, float]] = declared(are_terms)
    seen: Values = declared(was_seen)
    start: Values | None = declared(is_start, optional=True)
    order: np.ndarray | None = declared(is_order, optional=True)
    data: str = a(str)
    settings: Values = has(*SETTINGS)

    def all_numbers(self) -> list[dict[str, np.ndarray]]:
        """Return the numbers of the model: those that training goes on from, or back to."""
        best = self.stopper["best_state"]
        return [self.model, *([] if best is None else [best])]


@dataclass(frozen=True, kw_only=True, eq=False)
class Arrivals:
    """What is kept between two calls of ``partial_fit``, besides the fitted model.

    Parameters
    ----------
    counts : ndarray of shape (n_components,)
        How many samples count for each cell of the grid.
    n_elements : ndarray of shape (n_modalities,)
        In how many elements each modality was observed.
    shrinkage, reg_covar : float
        What the mixture was made with.
    settings : dict
        Parameters that must stay, besides the specification of the model.
    n_calls : int, default=0
        How often samples have arrived.
    moments : dict of str to (dict of str to ndarray), optional
        What Adam keeps, by parameter.
    """

    counts: np.ndarray = array("float64", "component")
    n_elements: np.ndarray = array("float64", "modality")
    shrinkage: float = a(float)
    reg_covar: float = a(float)
    settings: Values = has(*SETTINGS)
    n_calls: int = a(int, default=0)
    moments: dict[str, dict[str, np.ndarray]] = declared(are_moments, default_factory=dict)
