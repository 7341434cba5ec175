"""The state of training, for fits that go on: stopped, continued, or of samples that arrive.

PyTorch and NumPy trust some of it: fused Adam reads and writes moments at the length of their
parameter, generators read their state wherever a counter points. That is checked here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch

from .._base.types import Unchecked
from .._clustering.candidates import CandidateReport
from .._model.spec import ModelSpec
from .fields import Sizes, array, declared, is_array

#: What an estimator keeps from its checkpoint to its fit.
BEGUN = "_begun"

#: Numbers in the state of a Mersenne twister.
TWISTER = 624

#: Arrays by name, as a model has them.
Numbers: TypeAlias = dict[str, np.ndarray]
#: Terms of the bound after every epoch.
Terms: TypeAlias = list[dict[str, float]]

#: What Adam keeps of each parameter.
MOMENTS = {"step", "exp_avg", "exp_avg_sq"}


def are_moments(value: dict[str, Numbers], sizes: Sizes) -> bool:
    """Return True for Adam's moments by parameter; their shapes the model says."""
    return all(
        set(kept) == MOMENTS
        and kept["step"].shape == ()
        and kept["step"].dtype == "float32"
        and bool(kept["step"] >= 1)
        and bool(np.isfinite(kept["exp_avg"]).all() and (kept["exp_avg_sq"] >= 0).all())
        for kept in value.values()
    )


def is_twister(key: Unchecked, pos: Unchecked, has_gauss: int, gauss: float) -> bool:
    """Return True for a state of NumPy's generator, which itself would read beyond its key."""
    return (
        isinstance(key, np.ndarray)
        and key.dtype == "uint32"
        and key.shape == (TWISTER,)
        and bool(key.any())  # all zero, it would draw nothing but zeros
        and type(pos) is int
        and 0 <= pos <= TWISTER
        and has_gauss in (0, 1)
        and math.isfinite(gauss)
    )


def is_torch_state(value: np.ndarray, sizes: Sizes) -> bool:
    """Return True for a state of PyTorch's generator on the CPU."""
    generator = torch.Generator()
    if value.dtype != "uint8" or value.shape != generator.get_state().shape:
        return False
    try:
        generator.set_state(torch.from_numpy(value.copy()))
    except RuntimeError:
        return False
    # PyTorch looks at each of two counters alone: how many numbers are left, and which is next.
    # Together they must stay within the numbers, after which it makes new ones.
    left, following = int(value[8:12].view(np.int32)[0]), int(value[16:24].view(np.uint64)[0])
    return left + following <= TWISTER + 1 and bool(value[24 : 24 + 8 * TWISTER].any())


def are_module_states(value: Numbers, sizes: Sizes) -> bool:
    """Return True for states of PyTorch's own generators by device; a GPU's is seed and offset."""
    gpu = value.get("cuda", np.zeros(16, np.uint8))
    return (
        set(value) <= {"cpu", "cuda", "mps"}
        and ("cpu" not in value or is_torch_state(value["cpu"], sizes))
        and all(state.dtype == "uint8" and state.ndim == 1 for state in value.values())
        and len(gpu) == 16
        and int(gpu[8:].view(np.uint64)[0]) % 4 == 0
    )


def is_order(value: np.ndarray, sizes: Sizes) -> bool:
    """Return True for each of the numbers from 0 once."""
    return is_array(value, "int64", ("",), {}) and np.array_equal(
        np.sort(value), np.arange(len(value))
    )


def are_regimes(value: list[tuple[int, ...]], sizes: Sizes) -> bool:
    """Return True for sets of nodes, of which the first is empty."""
    return value[:1] == [()] and all(0 <= n < sizes["node"] for nodes in value for n in nodes)


@dataclass(frozen=True, kw_only=True, eq=False)
class Draws:
    """States of all generators.

    Parameters
    ----------
    generator : ndarray of uint8
        Of the fit's own.
    numpy : RandomState
        NumPy's, which nobody draws from.
    modules : dict of str to ndarray of uint8
        PyTorch's own, by device, if modules draw from them.
    """

    generator: np.ndarray = declared(is_torch_state)
    numpy: np.random.RandomState
    modules: Numbers = declared(are_module_states)


@dataclass(frozen=True, kw_only=True, eq=False)
class StopperState:
    """What early stopping remembers: the best bound, how long ago it was, and the model of then."""

    best: float
    waited: int
    best_state: Numbers | None
    best_temperature: float | None


@dataclass(frozen=True, kw_only=True, eq=False)
class SeenOfTraining:
    """What the report on convergence goes by.

    Parameters
    ----------
    n_steps : int
        How many gradient steps were made.
    spread : float
        Of the objective between samples.
    labels : ndarray of int64 of shape (n_samples,) or None
        Cells of the training samples.
    label_changes : ndarray of shape (n_epochs,)
        Which part of them changed in each epoch.
    """

    n_steps: int
    spread: float
    labels: np.ndarray | None = array("int64", "", below="component")
    label_changes: np.ndarray = array("float64", "")


@dataclass(frozen=True, kw_only=True, eq=False)
class StoredStart:
    """Where samples began, see :class:`StartingCells`."""

    cells: np.ndarray = array("int64", "", below="component")
    held: np.ndarray = array("bool", "")
    rows: np.ndarray | None = array("int64", "", default=None)


@dataclass(frozen=True, kw_only=True, eq=False)
class FixedSettings:
    """Parameters that must stay while a fit goes on, besides the specification of its model.

    ``structure`` is "learned", or the adjacency of a given graph.
    """

    scale: list[str | None]
    decoder_variance: float | str
    structure: str | list[list[bool]]


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
    draws : Draws
        States of all generators.
    stopper : StopperState
        What early stopping remembers.
    seen : SeenOfTraining
        What the report on convergence goes by.
    start : StoredStart or None
        Where samples began.
    order : ndarray of shape (n_samples,) or None
        The samples, those that are held out first; None where none are.
    data : str
        Tells the data, and the part of it that is held out, from others.
    settings : FixedSettings
        Parameters that must stay, besides the specification of the model.
    """

    model: Numbers
    temperature: float
    moments: dict[str, Numbers] = declared(are_moments)
    draws: Draws
    stopper: StopperState
    seen: SeenOfTraining
    start: StoredStart | None
    order: np.ndarray | None = declared(is_order)
    data: str
    settings: FixedSettings

    def all_numbers(self) -> list[Numbers]:
        """Return the numbers of the model: those that training goes on from, or back to."""
        best = self.stopper.best_state
        return [self.model, *([] if best is None else [best])]


@dataclass(frozen=True, kw_only=True, eq=False)
class Arrivals:
    """What is kept between two calls of ``partial_fit``, besides the fitted model.

    Parameters
    ----------
    regimes : list of tuple of int
        The sets of nodes that were intervened on; none in the first.
    counts : ndarray of shape (n_regimes, n_components)
        How many samples of each count for each cell of the grid.
    n_elements : ndarray of shape (n_modalities,)
        In how many elements each modality was observed.
    shrinkage, reg_covar : float
        What the mixture was made with.
    settings : FixedSettings
        Parameters that must stay, besides the specification of the model.
    n_calls : int, default=0
        How often samples have arrived.
    n_rows, n_without_values : int, default=0
        How many rows were ever given, and how many of these had no value at all.
    moments : dict of str to (dict of str to ndarray), optional
        What Adam keeps, by parameter.
    """

    regimes: list[tuple[int, ...]] = declared(are_regimes)
    counts: np.ndarray = array("float64", "", "component")
    n_elements: np.ndarray = array("float64", "modality")
    shrinkage: float
    reg_covar: float
    settings: FixedSettings
    n_calls: int = 0
    n_rows: int = 0
    n_without_values: int = 0
    moments: dict[str, Numbers] = declared(are_moments, default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class BegunRun:
    """A run after an epoch of training, as a checkpoint keeps it.

    Parameters
    ----------
    training : TrainingState
        Where training stands.
    history, pretraining : list of dict
        Terms of the epochs of training, and of pre-training.
    candidates : CandidateReport or None
        What was seen of the clusterings.
    rivals : list of ndarray
        Labels of the initial sample from starts that came next.
    predict_variances : tuple of bool
        Whose decoders have variances of their own.
    """

    training: TrainingState
    history: Terms
    pretraining: Terms
    candidates: CandidateReport | None
    rivals: list[np.ndarray]
    predict_variances: tuple[bool, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class BegunFit:
    """A fit of one run, which goes on or has ended: all that the rest of it depends on.

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

    seeds: list[int]
    data: str
    spec: ModelSpec
    every: int = 1
    has_ended: bool = False
    run: BegunRun | None = None
