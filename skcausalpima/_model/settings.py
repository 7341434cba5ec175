"""Settings of training: the parameter objects, the schedule of phases, what is kept of before."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import networkx as nx
import numpy as np

from .._base.parameter_objects import Device, Initialization, MissingValues, Training
from .._contexts.fitted import FittedContexts
from .._data.scaling import ModalityScaler
from .spec import ModelSpec

#: Gradient steps are so many times the number of samples to this power.
FACTOR, POWER = 2.0, 0.75

#: Fewest and most epochs: the closed-form updates come once in each.
MIN_EPOCHS, MAX_EPOCHS = 10, 300

#: Samples beyond which so few steps do.
MANY, STEPS_OF_MANY = 2000, 320

#: Epochs where clusters are free, whatever the data.
FREE_EPOCHS = 50

#: An epoch of a plan sees a share of the samples where there are more: so many at least, so many
#: steps, and so many samples of each cell. Evidence: the first two are the epochs of 4096 samples
#: that 320 steps are planned for; the third is arbitrary.
LEAST_SHARE, STEPS_OF_SHARE, SHARE_OF_CELL = 4096, 32, 32

#: Passes between phases see so many shares: what they find is made anew from all at the end.
#: Arbitrary.
SHARES_OF_PASS = 4

#: The bound of so many samples is told (arbitrary): the same ones at the same draws, so that epochs
#: differ by what they learn.
JUDGED = 1024

#: Such epochs, at most, are ten times the number of shares to this power. Evidence: of 20 000 rows
#: that bend the held-out bound was .08 of its spread below that of ten passes with 0.6 and whole
#: batches (one seed), with 0.75 and halves -.02 and +.07 from it (two others).
SHARE_POWER = 0.75


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """For how long, and how fast, a model is trained.

    Parameters
    ----------
    n_epochs : int
        Of training, at most.
    pretraining_epochs, polishing_epochs : int
        Before there are clusters, and after the graph has been selected.
    rate_factor : float, default=1.0
        Learning rate of the networks after pre-training, relative to that which is asked for.
    polishing_decays : bool, default=False
        Whether it falls to zero while the graph is fixed at last.
    holds_start : bool, default=False
        Whether samples keep the component that candidate clusterings agree on.
    fits_last_layers : bool, default=False
        Whether the last layers of decoders are fitted in closed form in the end.
    is_stated : bool, default=False
        Whether the number of epochs is the user's.
    n_rows : int, default=None
        Of how many samples, drawn anew, an epoch is; None for all.
    """

    n_epochs: int = FREE_EPOCHS
    pretraining_epochs: int = 10
    polishing_epochs: int = 0
    rate_factor: float = 1.0
    polishing_decays: bool = False
    holds_start: bool = False
    fits_last_layers: bool = False
    is_stated: bool = False
    n_rows: int | None = None

    @property
    def is_planned_in_shares(self) -> bool:
        """Whether epochs are shares, and as many as the bound asks for: free clusters have 50."""
        return self.n_rows is not None and self.polishing_decays

    @property
    def n_settled(self) -> int | None:
        """Of how many samples passes between phases are; None for all, as the last ones are."""
        return None if self.n_rows is None else SHARES_OF_PASS * self.n_rows

    def n_polished(self, n_trained: int) -> int:
        """Return the epochs of polishing after so many of training."""
        if not self.is_planned_in_shares:
            return self.polishing_epochs
        return math.ceil(self.polishing_epochs * n_trained / MIN_EPOCHS)


#: What the user states; one for nodes whose clusters are free; a plan, and one for many samples.
STATED, FREE = Schedule(is_stated=True), Schedule(holds_start=True)
PLANNED = Schedule(rate_factor=2.0, polishing_decays=True, holds_start=True, fits_last_layers=True)
SHORT = replace(PLANNED, pretraining_epochs=3)


def schedule(
    max_iter: int | str,
    n_samples: int,
    batch_size: int,
    *,
    n_cells: int = 1,
    is_free: bool = False,
    is_paper: bool = False,
) -> Schedule:
    r"""Return for how long a model is trained.

    ``"auto"`` makes about :math:`2 n^{3/4}` gradient steps. Few samples need more epochs than many
    for as many steps, and many samples bear more steps than few, whose noise is learned by then.
    More than 2000 make 320 steps: components stand still after these, and what decoders still lack
    is mostly in their last layers, which have a closed form. There are 10 epochs at least. Of still
    more samples an epoch is a share, drawn anew for each: what tables have to teach is learned by
    then, and the bound of some samples says whether there is more, as of images.

    Parameters
    ----------
    max_iter : int or "auto"
        A number is taken as it is.
    n_samples : int
        Rows that train.
    batch_size : int
        Rows of one step.
    n_cells : int, default=1
        Each is to have its samples in an epoch.
    is_free : bool, default=False
        Whether clusters are free as a rule, as with one node: components that are free drift the
        longer they are trained, and need the updates of so many epochs.

    is_paper : bool, default=False
        Whether it is the published algorithm, whose epochs are of all samples.

    Returns
    -------
    Schedule
        From 10 to 300 epochs if their number is not given and they are of all samples; no
        polishing.

    Examples
    --------
    >>> from skcausalpima._model.settings import schedule
    >>> [schedule("auto", n, 128).n_epochs for n in (40, 300, 1000, 3000, 4096, 10**6)]
    [32, 49, 45, 14, 10, 618]
    >>> [schedule("auto", n, 128).n_rows for n in (4096, 10**6)]
    [None, 4096]
    >>> schedule(7, 300, 128).n_epochs, schedule("auto", 300, 128, is_free=True).n_epochs
    (7, 50)
    """
    if max_iter != "auto":
        return replace(STATED, n_epochs=int(max_iter))
    n_rows = max(LEAST_SHARE, STEPS_OF_SHARE * batch_size, SHARE_OF_CELL * n_cells)
    if is_paper or (is_free and n_samples <= n_rows):
        return FREE
    if n_samples > n_rows:
        n_epochs = math.ceil(MIN_EPOCHS * (n_samples / n_rows) ** SHARE_POWER)
        if is_free:
            free = replace(FREE, fits_last_layers=True, n_rows=n_rows)
            return replace(free, n_epochs=max(n_epochs, FREE_EPOCHS))
        return replace(SHORT, n_epochs=n_epochs, n_rows=n_rows)
    is_short = n_samples > MANY
    n_steps = STEPS_OF_MANY if is_short else FACTOR * n_samples**POWER
    n_epochs = math.ceil(n_steps / math.ceil(n_samples / batch_size))
    n_epochs = min(max(n_epochs, MIN_EPOCHS), MAX_EPOCHS)
    return replace(SHORT if is_short else PLANNED, n_epochs=n_epochs)


@dataclass(frozen=True)
class MixtureSettings:
    """The closed-form updates of the mixture, see :func:`~skcausalpima.functional.update_mixture`.

    Those of a :class:`Mixture`, but that the shrinkage is a number of samples.
    """

    covariance_type: str
    reg_covar: float
    shrinkage: float


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How a model is trained.

    Parameters
    ----------
    steps : Training
        Steps of gradient descent, and when training ends.
    mixture : MixtureSettings
        Closed-form updates.
    initialization : Initialization
        Where training begins.
    missing_values : MissingValues
        Incomplete samples.
    device : Device
        How gradient steps are computed.
    schedule : Schedule
        Epochs of all phases, and how fast they are.
    temperatures : ndarray of shape (n_epochs,)
        Of the edges, in each epoch of training.
    graph_learning_rate : float
        Of edges and tables.
    edge_penalty : float
        What an edge costs, in nats per sample.
    decoder_variance : {"auto", "learned", "predicted"} or float
        A number is fixed.
    verbose : int
        Whether every epoch is reported.
    """

    steps: Training
    mixture: MixtureSettings
    initialization: Initialization
    missing_values: MissingValues
    device: Device
    schedule: Schedule
    temperatures: np.ndarray
    graph_learning_rate: float
    edge_penalty: float
    decoder_variance: float | str
    verbose: int

    @property
    def batch_size(self) -> int:
        """Samples of a gradient step of training: half of those stated in a plan of shares.

        Evidence: for the same samples seen the held-out bound is higher by .02 of its spread
        (20 000 rows that bend) and .06 (12 000 images; one seed each) than with whole ones.
        """
        stated = self.steps.batch_size
        return max(min(stated, 2), stated // 2) if self.schedule.is_planned_in_shares else stated

    @property
    def learns_variances(self) -> bool:
        """Whether decoder variances are learned, not fixed."""
        return isinstance(self.decoder_variance, str)


@dataclass(frozen=True, kw_only=True)
class LastFit:
    """What a fit that is continued keeps of the last one.

    Parameters
    ----------
    scaler : ModalityScaler
        Units of the data.
    dag : DiGraph
        With the labels of outcomes.
    contexts : FittedContexts
        Offsets of contexts.
    spec : ModelSpec
        What was built.
    """

    scaler: ModalityScaler
    dag: nx.DiGraph
    contexts: FittedContexts
    spec: ModelSpec
