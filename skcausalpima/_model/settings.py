"""How a model is trained: what the estimator's parameters resolve to."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True, kw_only=True)
class GradientSettings:
    """The steps of gradient descent.

    Parameters
    ----------
    batch_size : int
        Samples of one step.
    learning_rate, graph_learning_rate : float
        Of the networks, and of edges and tables.
    max_grad_norm : float or None
        Norm at which gradients are clipped.
    decays : bool, default=False
        Whether the learning rate of the networks falls to zero over the epochs.
    compiles : bool, default=False
        Whether the bound is compiled.
    autocast : bool, default=False
        Whether networks compute in bfloat16.
    """

    batch_size: int
    learning_rate: float
    graph_learning_rate: float
    max_grad_norm: float | None
    decays: bool = False
    compiles: bool = False
    autocast: bool = False


@dataclass(frozen=True, kw_only=True)
class MixtureSettings:
    """The closed-form updates of the mixture, see :func:`~skcausalpima.functional.update_mixture`.

    Parameters
    ----------
    covariance_type : {"full", "tied", "diag", "spherical"}
        Form of the components' covariances.
    reg_covar : float
        Added to their diagonals.
    shrinkage : float
        How many samples the pooled covariance counts for in each component's own.
    """

    covariance_type: str
    reg_covar: float
    shrinkage: float


@dataclass(frozen=True, kw_only=True)
class GraphTrainingSettings:
    """The edges while they are relaxed, and their tables.

    Parameters
    ----------
    temperatures : ndarray of shape (n_epochs,)
        Of the edges; one epoch of training each.
    edge_penalty : float
        What an edge costs, in nats per sample.
    """

    temperatures: np.ndarray
    edge_penalty: float


@dataclass(frozen=True, kw_only=True)
class StoppingSettings:
    """When training ends.

    Parameters
    ----------
    tol : float
        Least rise of the bound; 0 to train through all epochs.
    n_iter_no_change : int
        Epochs without such a rise after which training ends.
    validation_fraction : float
        Share of the samples that is held out.
    is_relative : bool, default=False
        Whether ``tol`` is relative to the spread of the bound between samples, else in nats.
    """

    tol: float
    n_iter_no_change: int
    validation_fraction: float
    is_relative: bool = False


@dataclass(frozen=True, kw_only=True)
class InitializationSettings:
    """Where training begins.

    Parameters
    ----------
    init : {"arranged", "linear", "paper"}
        How networks and clusters are initialized.
    pretraining_epochs : int
        Epochs of the networks alone, before there are clusters.
    """

    init: str
    pretraining_epochs: int


@dataclass(frozen=True, kw_only=True)
class MissingSettings:
    """What is done where samples are incomplete.

    Parameters
    ----------
    elements : {"marginalize", "error"}
        Single elements that are missing within a modality.
    subset_epochs : int
        Epochs in which copies of the encoders learn from samples that miss modalities.
    """

    elements: str
    subset_epochs: int


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How a model is trained.

    Parameters
    ----------
    gradient : GradientSettings
        Steps of gradient descent.
    mixture : MixtureSettings
        Closed-form updates.
    graph : GraphTrainingSettings
        Relaxed edges.
    stopping : StoppingSettings
        When training ends.
    initialization : InitializationSettings
        Where it begins.
    missing_values : MissingSettings
        Incomplete samples.
    decoder_variance : {"learned", "predicted"} or float
        A number is fixed.
    polishing_epochs : int
        Epochs after the graph has been selected.
    verbose : int
        Whether every epoch is reported.
    rate_factor : float, default=1.0
        Learning rate of the networks after pre-training, relative to ``gradient.learning_rate``.
    polishing_decays : bool, default=False
        Whether it falls to zero while the graph is fixed at last.
    holds_start : bool, default=False
        Whether samples keep the component that candidate clusterings agree on.
    fits_last_layers : bool, default=False
        Whether the last layers of decoders are fitted in closed form in the end.
    is_stated : bool, default=False
        Whether the number of epochs is the user's.
    """

    gradient: GradientSettings
    mixture: MixtureSettings
    graph: GraphTrainingSettings
    stopping: StoppingSettings
    initialization: InitializationSettings
    missing_values: MissingSettings
    decoder_variance: float | str
    polishing_epochs: int
    verbose: int
    rate_factor: float = 1.0
    polishing_decays: bool = False
    holds_start: bool = False
    fits_last_layers: bool = False
    is_stated: bool = False

    def of_training(self, decays: bool = False) -> GradientSettings:
        """Return the steps of gradient descent after pre-training."""
        rate = self.rate_factor * self.gradient.learning_rate
        return replace(self.gradient, learning_rate=rate, decays=decays)

    @property
    def learns_variances(self) -> bool:
        """Whether decoder variances are learned, not fixed."""
        return isinstance(self.decoder_variance, str)
