"""Parameters of the estimator that are objects with parts.

They follow scikit-learn's rules: the constructor stores what it is given, ``fit`` checks it and
changes nothing, and parts have nested names, such as ``structure__score``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import KW_ONLY, MISSING, Field, dataclass, field, fields
from numbers import Real
from typing import Any, ClassVar, dataclass_transform

import numpy as np

from .naming_estimator import NamingEstimator
from .scalar_checks import NOT_NEGATIVE, POSITIVE, SEQUENCE, NumberRange, count
from .scikit_learn import HasMethods, StrOptions
from .types import Clusterer, Unchecked


def part(default: Any, *constraints: Any) -> Any:
    """Declare a part, by its default (``MISSING`` for none) and scikit-learn's constraints."""
    return field(default=default, metadata={"constraints": list(constraints)})


class _ClustererConstraint(HasMethods):
    """A constraint of scikit-learn's kind: an estimator, no class, that finds clusters."""

    def __init__(self) -> None:
        super().__init__(["fit_predict", "get_params", "set_params"])

    def is_satisfied_by(self, val: Unchecked) -> bool:
        """Return whether a value is such an estimator."""
        return not isinstance(val, type) and super().is_satisfied_by(val)

    def __str__(self) -> str:
        return "an estimator with fit_predict, such as sklearn.cluster.KMeans(4)"


CLUSTERER = _ClustererConstraint()


@dataclass_transform(eq_default=False)
class _ParameterObject(NamingEstimator):
    """Parameters in one object; two are equal where their types and their parts are."""

    _parameter_constraints: ClassVar[dict[str, list]]

    def __init_subclass__(cls, **options: Unchecked) -> None:
        """Make the constructor, and what is checked, of the parts that are declared."""
        if any(isinstance(value, Field) for value in vars(cls).values()):  # else a user's class
            dataclass(repr=False, eq=False)(cls)
            parts = fields(cls)
            for name in vars(cls).keys() & {declared.name for declared in parts}:
                delattr(cls, name)  # the default: objects alone have parameters
            cls._parameter_constraints = {
                declared.name: declared.metadata["constraints"] for declared in parts
            }
        super().__init_subclass__(**options)

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return _listed(list(self.get_params().items())) == _listed(list(other.get_params().items()))


def _listed(value: Unchecked) -> Unchecked:
    """Return arrays and sequences as lists, which can be compared."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    return [_listed(entry) for entry in value] if isinstance(value, (list, tuple)) else value


#: Parts of structures that are no more.
_LEFT_OUT = {
    "n_mixture_updates": "each epoch ends with one update; a larger max_iter makes more.",
    "score_noise": "node scores are trained without noise; n_init makes several starts.",
    "n_steps": "the graph is trained with the networks; a larger learning_rate makes it faster.",
}


class GradientStructure(_ParameterObject):
    """The graph is learned by gradient on relaxed edges, as in the paper.

    In the end, edges of at least the weight ``edge_threshold`` stay. The result tends to the
    complete graph. ``structure="gradient"`` is short for ``structure=GradientStructure()``.

    Parameters
    ----------
    edge_threshold : float, default=0.5
        Edges of at least this weight stay in the graph.
    temperature : float or pair of float, default=1.0
        Temperature of the edges; a pair is annealed geometrically over ``max_iter`` epochs.
    learning_rate : float, default=1e-2
        Learning rate of node scores, edge metric and tables.
    edge_penalty : float, default=0.0
        Nats per sample that each edge costs, times its weight. The bounds that are reported are
        without it. The paper has none.

    See Also
    --------
    ScoreSearch : Then searches the graph that scores best.

    Examples
    --------
    >>> from skcausalpima import CausalPIMA, GradientStructure
    >>> CausalPIMA((2, 2), structure=GradientStructure(temperature=(1.0, 0.1)))
    CausalPIMA(structure=GradientStructure(temperature=(1.0, 0.1)))
    """

    _elsewhere = _LEFT_OUT
    edge_threshold: float = part(0.5, NumberRange(Real, 0, 1, closed="both"))
    _: KW_ONLY
    temperature: float | Sequence[float] = part(1.0, POSITIVE, *SEQUENCE)
    learning_rate: float = part(1e-2, POSITIVE)
    edge_penalty: float = part(0.0, NOT_NEGATIVE)


class ScoreSearch(_ParameterObject):
    """The graph that scores best on the expected counts of the cells is searched.

    The model first trains with relaxed edges, as with :class:`GradientStructure`, and some more
    epochs with the graph that was found. ``structure="refined"`` is short for
    ``structure=ScoreSearch()``.

    Parameters
    ----------
    score : {"bic", "bdeu"}, default="bic"
        Chooses ``dag_``: the Bayesian information criterion, or the marginal likelihood under a
        Dirichlet prior (BDeu).
    equivalent_sample_size : "auto" or float, default="auto"
        How many samples that prior is worth, for ``edge_probabilities_`` and ``score="bdeu"``. A
        small number expects tables of entries near zero and one. With "auto", probabilities
        average over sizes from one sample to four for each cell, which is right on average for
        tables of various kinds; the search takes one.
    edge_penalty : float, default=0.0
        Nats per sample that each edge costs, in the search and, times its weight, in training.
        The bounds that are reported are without it.
    polishing_epochs : int, default=5
        Epochs of training with the graph that was found. With ``max_iter="auto"`` the learning rate
        falls to zero in these.
    learning_rate : float, default=1e-2
        Learning rate of node scores, edge metric and tables.

    See Also
    --------
    GradientStructure : The paper's way.

    Examples
    --------
    >>> from skcausalpima import CausalPIMA, ScoreSearch
    >>> model = CausalPIMA((2, 2), structure=ScoreSearch("bdeu"))
    >>> model.set_params(structure__edge_penalty=0.01)
    CausalPIMA(structure=ScoreSearch(edge_penalty=0.01, score='bdeu'))
    """

    _elsewhere = _LEFT_OUT | {
        "temperature": "it is a part of GradientStructure, whose graph the edges of training are; "
        "one that is searched needs no annealed edges."
    }
    score: str = part("bic", StrOptions({"bic", "bdeu"}))
    _: KW_ONLY
    equivalent_sample_size: float | str = part("auto", StrOptions({"auto"}), POSITIVE)
    edge_penalty: float = part(0.0, NOT_NEGATIVE)
    polishing_epochs: int = part(5, count(0))
    learning_rate: float = part(1e-2, POSITIVE)


class BackgroundKnowledge(_ParameterObject):
    """What is known about the edges of the graph.

    Where edges are stated (here or as a given graph), an arranged start calls nodes of one size
    that ``known_nodes`` do not name so that the statement fits best.

    Parameters
    ----------
    required, forbidden : sequence of pairs of str, default=None
        Edges (parent, child), by the nodes' names, that every graph has, or none. Forbid both
        directions to forbid an adjacency.
    tiers : sequence, default=None
        Groups of nodes, earliest first: no edge leads from a later group to an earlier one. Names
        in a row are an order of the nodes. Nodes in no group are free.

    Examples
    --------
    >>> from skcausalpima import BackgroundKnowledge, CausalPIMA
    >>> known = BackgroundKnowledge(tiers=[["hue", "size"], ["place"]])
    >>> CausalPIMA({"hue": 2, "size": 2, "place": 2}, knowledge=known).knowledge
    BackgroundKnowledge(tiers=[['hue', 'size'], ['place']])
    """

    _: KW_ONLY
    required: Iterable[tuple[str, str]] | None = part(None, *SEQUENCE, set, None)
    forbidden: Iterable[tuple[str, str]] | None = part(None, *SEQUENCE, set, None)
    tiers: Sequence | None = part(None, *SEQUENCE, None)


class Context(_ParameterObject):
    """A context: what is known about how each sample was measured (instrument, site, day).

    ``contexts="instrument"`` is short for ``contexts=Context("instrument")``. Its labels are an
    entry of X of this name.

    Parameters
    ----------
    name : str
        Name of the entry of X that holds the label of each sample.
    shift : "auto" or sequence of str, default="auto"
        The modalities to which each label adds an offset of its own, by name. ``"auto"``: all but
        those with experts, whose functions are in the units of the data.
    role : {"measured", "cause"}, default="measured"
        ``"measured"``: cells may be as frequent as they like under each label, and no arrow is
        oriented by that. ``"cause"``: the context was set from outside, which you state: no node,
        and no hidden common cause, decides which label a sample has. Then it is a first tier of
        the graph, and orients arrows.
    mix : bool, default=True
        Whether cells may be more frequent under one label than under another.

    Examples
    --------
    >>> from skcausalpima import CausalPIMA, Context
    >>> CausalPIMA(2, contexts=Context("instrument", mix=False)).contexts
    Context(mix=False, name='instrument')
    """

    name: str = part(MISSING, str)
    _: KW_ONLY
    shift: str | Sequence[str] = part("auto", StrOptions({"auto"}), *SEQUENCE)
    role: str = part("measured", StrOptions({"measured", "cause"}))
    mix: bool = part(True, "boolean")


class Initialization(_ParameterObject):
    """Where training begins.

    ``init="linear"`` is short for ``init=Initialization("linear")``, and so for the other words;
    ``init=KMeans(4)`` for ``init=Initialization(clusterer=KMeans(4))``, and so for other
    clusterers.

    Parameters
    ----------
    method : {"arranged", "linear", "paper"}, default="arranged"
        ``"linear"`` starts the networks as probabilistic PCA and the mixture from clusters of the
        latent space and of the data; which cluster lands on which cell of the grid is luck.
        ``"arranged"`` starts the networks alike, cuts the data into one cluster per cell, and
        assigns these to cells so that the effects of the nodes on the data add up best; with more
        than 128 cells it finds the nodes first, and with one node, or more than 1024 cells, it is
        ``"linear"``. ``"paper"`` starts from random networks and from clusters of the latent space.
    pretraining_epochs : int or "auto", default="auto"
        Epochs in which the networks are trained with the prior N(0, I), before there are clusters.
        ``"auto"`` is 10, and 3 where a plan of more than 2000 samples (``max_iter="auto"``) is
        short. More fits nuisance detail and bends the latent space.
    clusterer : estimator with fit_predict, default=None
        Finds the clusters of an ``"arranged"`` start in place of the ways of the library: a
        :class:`~skcausalpima.cluster.GridClustering`, any clusterer or mixture of scikit-learn's,
        or one of your own. It is cloned, seeded where its ``random_state`` is None, and fitted to
        the scores of the samples that the start sees. What it calls noise (-1) belongs to
        the cluster of the nearest mean. More clusters than cells are merged by how far Gaussians of
        their means and covariances overlap; fewer are a ValueError, as are more than 128 cells of
        several nodes. Samples are held in training (see ``max_iter``) if it has an ``agreement_``
        that is high enough, as :class:`~skcausalpima.cluster.GridClustering` has;
        ``arrangement_.agreement`` is NaN if it has none. What else the data decide (``choices_``)
        goes by the ways of the library.

    Examples
    --------
    >>> from skcausalpima import CausalPIMA, Initialization
    >>> CausalPIMA((3,), init=Initialization(pretraining_epochs=20)).get_params()["init__method"]
    'arranged'
    >>> from sklearn.cluster import KMeans
    >>> CausalPIMA((2, 2), init=KMeans(8)).set_params(init__n_init=3)
    CausalPIMA(init=KMeans(n_init=3))
    """

    _elsewhere: ClassVar[dict] = {
        "n_mixture_init": "four starts in each space are compared; n_init repeats whole fits.",
        "pretraining": "the bound with the prior N(0, I) is trained; leave it out by "
        "pretraining_epochs=0.",
    }
    method: str = part("arranged", StrOptions({"arranged", "linear", "paper"}))
    _: KW_ONLY
    pretraining_epochs: int | str = part("auto", count(0), StrOptions({"auto"}))
    clusterer: Clusterer | None = part(None, CLUSTERER, None)


class Training(_ParameterObject):
    """How the networks are trained.

    ``training=None`` is short for ``training=Training()``.

    Parameters
    ----------
    batch_size : int, default=128
        Samples per gradient step; half of them in plans of shares (see ``max_iter``).
    learning_rate : float, default=1e-3
        Learning rate of the networks (Adam); ``max_iter="auto"`` takes twice as much.
    max_grad_norm : float, default=None
        Gradients are clipped to this norm.
    n_iter_no_change : int, default=10
        See ``tol``. Fits of fewer epochs than twice as many are not warned about.
    tol : float or "auto", default="auto"
        Training stops when the bound has not risen by so much per epoch for ``n_iter_no_change``
        epochs: a float is in nats per sample, 0 never stops early. ``"auto"`` is a thousandth of
        the interquartile range of the bound between samples, which grows with the number of
        elements as the bound does (with ``init="paper"``, 1e-3 nats).
    validation_fraction : float, default=0.0
        Part of the samples on which early stopping is judged, and which does not train; the best
        state is kept.
    outliers : {"set_aside", "keep"}, default="set_aside"
        Samples that nothing else is like, at most a tenth, and in most data none: their nearest
        neighbours in some modality are three times as far off as kinds are wide, and few others
        are half as far off. ``"set_aside"`` trains without them, as if they had a weight of zero;
        they get labels and all else, and ``separation_.set_aside`` has their rows. ``"keep"``
        trains on them. They are not looked for in data on disk or of several ranks, beside
        contexts, in tables of words, with ``init="paper"``, where there are fewer than ten samples
        for each cell or more than 50 cells, and in ``partial_fit``.

    Examples
    --------
    >>> from skcausalpima import CausalPIMA, Training
    >>> CausalPIMA((2, 2), training=Training(tol=0)).set_params(training__batch_size=32)
    CausalPIMA(training=Training(batch_size=32, tol=0))
    """

    _: KW_ONLY
    batch_size: int = part(128, count(1))
    learning_rate: float = part(1e-3, POSITIVE)
    max_grad_norm: float | None = part(None, POSITIVE, None)
    n_iter_no_change: int = part(10, count(1))
    tol: float | str = part("auto", StrOptions({"auto"}), NOT_NEGATIVE)
    validation_fraction: float = part(0.0, NumberRange(Real, 0, 1, closed="left"))
    outliers: str = part("set_aside", StrOptions({"set_aside", "keep"}))


class Mixture(_ParameterObject):
    """The covariances of the components.

    ``mixture="tied"`` is short for ``mixture=Mixture("tied")``, and so for the other words.

    Parameters
    ----------
    covariance_type : {"full", "tied", "diag", "spherical"}, default="full"
        Shape of the components' covariances; the paper's are ``"diag"``.
    shrinkage : float or "auto", default="auto"
        Number of samples that the pooled covariance counts for in each component's own.
        ``"auto"`` is n_samples / n_components, one average component, for a single node, and
        latent_dim * (latent_dim + 1), two samples per free entry, for several. The paper has 0.
    reg_covar : float, default=1e-6
        Added to the variances of the components.

    Examples
    --------
    >>> from skcausalpima import CausalPIMA, Mixture
    >>> CausalPIMA(3, mixture=Mixture("diag", shrinkage=0)).get_params()["mixture__reg_covar"]
    1e-06
    """

    covariance_type: str = part("full", StrOptions({"full", "tied", "diag", "spherical"}))
    _: KW_ONLY
    shrinkage: float | str = part("auto", StrOptions({"auto"}), NOT_NEGATIVE)
    reg_covar: float = part(1e-6, NOT_NEGATIVE)


class MeanField(_ParameterObject):
    """The posterior of the paper: separate ones of latent point and component.

    One Gaussian q(z | x), whose variances the encoders say, and responsibilities at a draw of it.
    Samples that lack modalities have no encoders of their own. Then all samples are encoded once
    more after each epoch. ``posterior="mean_field"`` is short for ``posterior=MeanField()``.

    Parameters
    ----------
    prior_expert : bool, default=True
        Whether the prior N(0, I) is one of the experts whose product is the posterior. The paper
        has none, but then a sample needs at least one observed modality.

    Examples
    --------
    >>> from skcausalpima import CausalPIMA
    >>> CausalPIMA.published((2, 2)).posterior
    MeanField(prior_expert=False)
    """

    _: KW_ONLY
    prior_expert: bool = part(True, "boolean")


class MissingValues(_ParameterObject):
    """What is done where samples are incomplete.

    ``missing_values="marginalize"`` is short for ``missing_values=MissingValues("marginalize")``,
    and so for ``"error"``. Samples that miss whole modalities are always allowed.

    Parameters
    ----------
    elements : {"marginalize", "error"}, default="marginalize"
        Single elements that are NaN within a modality. ``"marginalize"`` takes the likelihood of
        the observed elements alone; the encoder sees what the model expects in the gaps. It asks
        for a plain network as the modality's decoder. ``"error"`` refuses such data.
    subset_epochs : int, default=10
        Epochs in which copies of the encoders learn what to say when modalities are missing, and
        three times as many where samples of ``fit`` miss some; 0 never. They cost time, and are of
        use where samples miss modalities.
    unknown : {"error", "missing"}, default="error"
        Categories that ``fit`` has not seen, in all other methods. ``"missing"`` takes them for
        missing elements; ``"error"`` refuses such data.

    Examples
    --------
    >>> from skcausalpima import CausalPIMA, MissingValues
    >>> model = CausalPIMA((3,), missing_values=MissingValues(subset_epochs=0))
    >>> model.get_params()["missing_values__elements"]
    'marginalize'
    """

    elements: str = part("marginalize", StrOptions({"marginalize", "error"}))
    _: KW_ONLY
    subset_epochs: int = part(10, count(0))
    unknown: str = part("error", StrOptions({"error", "missing"}))


class Device(_ParameterObject):
    """Where a model is trained, and how its gradient steps are computed there.

    ``device="cuda"`` is short for ``device=Device("cuda")``, and so for the other words.

    Parameters
    ----------
    name : str, default="cpu"
        ``"cpu"``, ``"cuda"``, ``"cuda:N"``, ``"mps"`` or ``"auto"``, see :class:`CausalPIMA`.
    compile : bool, default=False
        Whether the bound that gradient steps maximise is compiled by :func:`torch.compile`. That
        takes a minute or so, and makes steps quicker: for long fits. It needs a C++ compiler, on
        GPUs Triton. The numbers differ in their last digits. A process compiles about four models
        of different structure, and computes further ones as ever; so does each worker.
    autocast : bool, default=False
        Whether networks compute in bfloat16 where gradient steps are made, by
        :class:`torch.autocast`: with three digits, and quicker for wide networks where there is
        hardware for it. The data must be float32; mixture, graph and predictions stay so, too.
    distributed : bool or "auto", default="auto"
        Whether ``fit`` is one fit of all ranks of an initialised process group of
        :mod:`torch.distributed`, to which each passes its own rows. ``"auto"``: where there is a
        group of several ranks. True: without a group it is a ValueError. False: each rank fits
        its own rows alone.

    Examples
    --------
    >>> from skcausalpima import CausalPIMA, Device
    >>> CausalPIMA((3,), device=Device("auto")).get_params()["device__name"]
    'auto'
    """

    name: str = part("cpu", str)
    _: KW_ONLY
    compile: bool = part(False, "boolean")
    autocast: bool = part(False, "boolean")
    distributed: bool | str = part("auto", "boolean", StrOptions({"auto"}))


#: The objects that words, and None, stand for; "structured", and a graph, have no parts.
STANDS_FOR: dict[str, dict[str | None, type[_ParameterObject]]] = {
    "training": {None: Training},
    "structure": {"refined": ScoreSearch, "gradient": GradientStructure},
    "posterior": {"mean_field": MeanField},
    "knowledge": {None: BackgroundKnowledge},
}

#: The objects whose first part a word is.
OF_WORDS: dict[str, type[_ParameterObject]] = {
    "init": Initialization,
    "missing_values": MissingValues,
    "device": Device,
    "mixture": Mixture,
    "contexts": Context,
}

#: The kinds of objects that parameters may be.
OBJECTS: dict[str, list[type[_ParameterObject]]] = {
    **{name: list(kinds.values()) for name, kinds in STANDS_FOR.items()},
    **{name: [kind] for name, kind in OF_WORDS.items()},
}
