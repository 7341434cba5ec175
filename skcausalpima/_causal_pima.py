"""The estimator: its parameters, ``fit``, and methods that ask a fitted model."""

from __future__ import annotations

import copy
import os
from collections.abc import Hashable, Mapping, Sequence
from typing import Self

import networkx as nx
import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted

from ._base.naming_estimator import ELSEWHERE, naming_arguments
from ._base.parameter_objects import (
    OBJECTS,
    BackgroundKnowledge,
    Context,
    Device,
    GradientStructure,
    Initialization,
    MeanField,
    MissingValues,
    Mixture,
    ScoreSearch,
    Training,
)
from ._base.scalar_checks import check_count
from ._base.types import Abscissae, Clusterer, KnownNodes, Labels, Samples, Seed, Unchecked, Values
from ._data.adapters import as_points
from ._data.containers import Decoded
from ._data.missing_values import allows_gaps
from ._data.recipes import check_target
from ._data.sample_weight import check_weights, weighted_mean
from ._data.scaling import Scale
from ._data.selection_keys import asked_modalities
from ._data.validation import Modalities, fitted_form
from ._fit.adaptation import adapted
from ._fit.callbacks import CallbackSupportMixin
from ._fit.whole import FitCall, fit_anew, fit_arrivals, fit_further, fitting, followed
from ._inference.answers import Answers, OfNodes, answers, node_probabilities
from ._inference.decoding import cells_at
from ._inference.fitted_model import FittedModel
from ._inference.kept_models import model_of, samples_of
from ._judge.few_values import warn_of_decoded, warn_of_filled
from ._model.objects import parameters_of, parts_of_words, with_objects
from ._model.parameters import PARAMETER_CONSTRAINTS
from ._model.spec import StatedNetworks
from ._model.stated import StatedExperts, Views
from ._model.surroundings import in_usual_surroundings, reading_one_fit
from ._state.fitted import FITTED, ExpertTable, FittedState, fitted_attributes, is_of_fit
from ._state.portable_estimator import PortableEstimator
from ._state.stored import load_checkpoint, load_estimator, save_estimator
from ._state.training import BEGUN
from ._structure.digraphs import node_graph
from .graph import CategoricalDAG
from .inspection import FitReport, ModalityEvidence, SummaryDisplay


@naming_arguments
@in_usual_surroundings
@reading_one_fit
class CausalPIMA(
    CallbackSupportMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    ClusterMixin,
    PortableEstimator,
):
    r"""Causal disentanglement of multimodal data.

    A multimodal variational autoencoder whose latent space is a Gaussian mixture. The components
    of the mixture are the cells of a grid of categorical *nodes*, and a directed acyclic graph
    over the nodes is learned from the same evidence lower bound [1]_. The graph is a Bayesian
    network of the nodes: its arrows are identified up to Markov equivalence at best, and are
    causal only under assumptions that the data cannot test (see the user guide).

    The parameters, by subject:

    - what a first fit may need: ``node_sizes``, ``latent_dim``, ``experts``, ``knowledge``,
      ``contexts``, ``max_iter``, ``n_init``, ``random_state``;
    - the graph: ``structure``;
    - the model: ``encoders``, ``decoders``, ``hidden_layer_sizes``, ``decoder_variance``,
      ``mixture``, ``posterior``;
    - the data: ``likelihoods``, ``scale``, ``modality_weights``, ``views``, ``missing_values``;
    - training: ``init``, ``training``;
    - running: ``n_jobs``, ``warm_start``, ``device``, ``verbose``.

    ``structure``, ``knowledge``, ``contexts``, ``mixture``, ``posterior``, ``missing_values``,
    ``init``, ``training`` and ``device`` may be objects with parts of their own. :meth:`get_params`
    and :meth:`set_params` know these by nested names such as ``training__batch_size``, in searches,
    too, also where the parameter is a word that stands for an object, or None.

    Parameters
    ----------
    node_sizes : int, sequence of int or mapping of str to int, default=(2, 2)
        Number of outcomes of each node; there is one component per cell of their grid. A mapping
        names the nodes, as ``{"lattice": 2, "state": 2}`` does; else they are N1, N2, ... An int is
        that of a single node.
    latent_dim : int, default=None
        Dimension of the latent space. None means one per outcome beyond each node's first,
        ``max(2, sum(size - 1))``, and more where there are enough features and samples: three more
        for grids of several nodes (250 samples for each dimension), six in all for a single node
        (20 samples for each), unless ``init`` is "paper". Where columns of tables (20 in all, at
        most) vary together within cells, it is the number of columns: that is seen in the samples.
    experts : sequence or mapping of (ExpertDecoder, callable or None), default=None
        Modalities that are decoded by an expert instead of a network, one entry per modality: see
        :class:`~skcausalpima.modules.ExpertDecoder`. A bare function ``f(x, a, b, ..)`` decodes a
        modality with one axis, sampled at ``numpy.linspace(0, 1, width)``, unbounded and
        initialized at 1. The likelihood of an expert per cluster enters the responsibilities of the
        components. The entry of such a modality in ``decoders`` must be None.
    knowledge : BackgroundKnowledge, default=None
        What is known about the edges, see :class:`BackgroundKnowledge`: required and forbidden
        ones, and an order of the nodes.
    contexts : str, Context, or sequence of these, default=None
        What is known about how each sample was measured, as the instrument, the site or the day:
        names of entries of X that hold a label for each sample, see :class:`Context`. Each label
        has an offset of its own in the modalities, and cells as frequent as they are under it.
    max_iter : int or "auto", default="auto"
        Largest number of training epochs, of each fit. ``"auto"`` plans a fit that begins with an
        arranged start of several nodes: about ``2 * n_samples**0.75`` gradient steps (10 to 300
        epochs). More than 2000 samples make 320, and the last layers of the default decoders are
        linear regressions in the end: components stand still by then, but the bound would rise
        on. Of more than 4096 an epoch sees a share, drawn anew (``convergence_.share_of_samples``),
        in batches of half the size; training ends when the bound of some samples stands still,
        after at most ``10 * (n_samples / 4096)**0.75`` shares. All samples count in what is found
        in the end: mixture, tables, variances and graph. The learning rate is twice that of
        ``training``, and falls to zero while the model is polished (see :class:`ScoreSearch`).
        Samples that have more than .9 of one cell in the start, whose candidates agree by .95 or
        more (``arrangement_.agreement``), keep this cell while the model is trained. Otherwise
        ``"auto"`` is 50, or such shares. With an int, epochs are passes over all samples, the
        learning rate is constant and no sample is held.
    n_init : int, default=1
        Number of complete fits; the one with the best bound (weighted as in training) is kept.
    random_state : int, RandomState instance or None, default=None
        Source of all randomness. None takes it from NumPy's global state, an int or RandomState
        leaves that untouched.
    structure : str, ScoreSearch, GradientStructure or networkx.DiGraph, default="refined"
        How the graph is learned. ``"gradient"`` is the paper's: by gradient on relaxed edges,
        thresholded in the end; it tends to the complete graph. ``"refined"`` then searches the
        graph that scores best on the expected counts of the cells, and trains some more epochs
        with it. Their settings are those of :class:`GradientStructure` and :class:`ScoreSearch`. A
        :class:`networkx.DiGraph` over the names of the nodes is kept as it is.
    encoders, decoders : {"mlp", "conv", ..}, or one entry per modality, default=None
        The networks, by one word or as a sequence or mapping. ``"mlp"`` or None is a multilayer
        perceptron; ``"conv"`` a convolutional network for curves (width,) and images
        (height, width) or (height, width, channels), see
        :class:`~skcausalpima.modules.ConvEncoder`, and ``"conv_paper"`` that of the paper, which
        takes several times as long. Else your own torch.nn.Module, or a function that makes one
        from (shape, latent_dim). An encoder maps (n, \*shape) to
        (n, 2 * latent_dim), means and log-variances: the means say where the latent point is, and
        the log-variances how much the modality counts for that beside others. How sure a sample is
        of its latent point, the decoders say. A decoder maps (n, latent_dim) to
        (n, \*shape), or to a pair of these, means and log-variances. Both see the modality as
        ``scale`` leaves it. In ``"cluster_mlp"``, ``"cluster_conv"`` and ``"cluster_conv_paper"``,
        which are decoders, all components share a trunk. Behind it each has a last layer and a
        variance of its own, and its likelihood enters the responsibilities. Modules are copied,
        never trained in place. They are in evaluation mode when they predict: with batch
        normalization, too, the rows of a batch do not depend on each other.
    hidden_layer_sizes : sequence of int, default=(128, 64, 32, 16)
        Hidden layers of the default encoders, reversed for decoders; no layer is wider than its
        modality (or 16).
    decoder_variance : float, "auto", "learned" or "predicted", default="auto"
        Variance of the decoders in scaled units. ``"auto"`` is "learned", but "predicted" for
        tables of numbers whose noise differs between clusters, as far as samples that are held out
        tell; where all modalities are tables, their decoders say where samples lie then;
        ``choices_`` names them. ``"learned"`` sets each modality's (of networks
        and experts per cluster: each component's) to its optimum, the mean squared error, after
        every epoch. ``"predicted"`` lets ``"mlp"`` and both kinds of convolutions predict one for
        each element and latent point, at least 1e-4; other decoders are as with ``"learned"``.
    mixture : {"full", "tied", "diag", "spherical"} or Mixture, default="full"
        Shape of the components' covariances; the paper's are ``"diag"``. :class:`Mixture` also has
        their shrinkage.
    posterior : {"structured", "mean_field"} or MeanField, default="structured"
        The posterior of component and latent point. ``"structured"`` has both together,
        q(c | x) q(z | c, x): a Gaussian in each component. ``"mean_field"`` is the paper's, see
        :class:`MeanField`.
    likelihoods : {"auto", ..}, sequence or mapping, default="auto"
        What columns are: ``"gaussian"``, ``"bernoulli"`` (two values), ``"categorical"``,
        ``"ordinal"`` (ordered categories), ``"poisson"`` or ``"negative_binomial"`` (counts), by
        one word, one entry per modality, or a mapping from names of modalities to a word or to a
        mapping from columns to words (if X is one DataFrame, from columns to words). ``"auto"``
        goes by the dtypes of DataFrames: booleans, categories and texts, ordered categories, and
        numbers, which are Gaussian, also where they are whole (state counts). Arrays are Gaussian.
        Rows of a table of counts that is stated by one word are compared at one depth (sum).
        Results have the values and dtypes that came; Gaussian columns are floats.
    scale : {"auto", "modality", "feature", None}, or one per modality, default="auto"
        ``"modality"`` centres each element and divides the modality by one number, its root mean
        variance. ``"feature"`` divides each element by its own standard deviation, or by more
        where it would lie more than 20 from 0. None leaves the data as it is. ``"auto"`` takes
        ``"feature"`` for tables whose columns are of unlike units, where the effective number of
        columns :math:`(\sum_j v_j)^2 / \sum_j v_j^2` of their variances is below the root of
        their number, or, of fewer than 16 columns, one varies more than 10 times as much as
        another. It takes ``"modality"`` for all else: images, curves (columns whose neighbours
        resemble each other), tables of one unit, modalities with experts. Columns of tables are
        then divided by their spread within clusters, ``"noise"``, where these lie apart, one noise
        variance for all would make them less probable, by .01 in the mean, and first clusterings
        agree clearly more: such are tables of which few columns show the nodes. And columns that
        vary unlike get ``"feature"`` where first clusterings agree clearly more so.
        ``choices_.scale`` says which. A mapping may name some modalities; the others have
        ``"auto"``.
        Scores and outputs are in the units of the data in any case.
    modality_weights : {"auto", "balanced", "elements"}, sequence or mapping, default="auto"
        What the modalities count for where clusters are found and in training. ``"elements"`` is
        the plain bound: elements count by the precision of their modality, and a wide modality
        outvotes a narrow one. In ``"balanced"`` each modality's mean squared error (of scaled
        data) counts alike, however wide or noisy it is, as in k-means on modalities divided by
        the root of their width. ``"auto"`` looks for clusters both ways, and takes ``"elements"``
        where these agree with each other clearly more; ``"balanced"`` otherwise, and wherever
        clusters are not arranged on the grid. Where all modalities are tables of numbers, the way
        that agrees more finds the clusters, and training is by ``"elements"`` unless these agree
        much less. Numbers, one per modality, are factors of the log-likelihoods; a mapping must
        have all names.
    views : "auto", sequence, mapping or None, default="auto"
        Derived views, with which clusters are found and laid on the grid, and which train beside
        their modality without counting in ``score``. ``"power_spectrum"``, the logarithm of an
        image's power spectrum, shows what an image has, wherever it is; ``"scale_space"``, coarse
        copies of a curve, shows where things are. A sequence or mapping has one of these, or None,
        for each modality. ``"auto"`` considers the first for images of at least 16 x 16 pixels and
        the second for curves of at least 16 points whose neighbours resemble each other, and takes
        it where clusters that are found with it agree with each other clearly more than without.
        It considers none where there is one node or ``init="paper"``, or for modalities with
        experts.
    missing_values : {"marginalize", "error"} or MissingValues, default="marginalize"
        What is done where samples are incomplete. Samples may always miss whole modalities. Where
        single elements of a modality are NaN, ``"marginalize"`` takes the likelihood of the others,
        for which the modality needs a plain network as its decoder; ``"error"`` refuses them. See
        :class:`MissingValues`, which also has the settings for samples that miss modalities.
    init : {"arranged", "linear", "paper"}, Initialization or clusterer, default="arranged"
        Where training begins. ``"arranged"`` lays one cluster of the data on each cell of the grid
        so that the effects of the nodes add up best; ``"linear"`` leaves to luck which cluster
        lands where; ``"paper"`` starts from random networks. An estimator with ``fit_predict``,
        such as a :class:`~skcausalpima.cluster.GridClustering` or ``KMeans(12)``, finds the
        clusters that are laid on the grid. See :class:`Initialization`, which also has the settings
        of pre-training.
    training : Training, default=None
        Batches, learning rate and early stopping, see :class:`Training`; None is its defaults.
    n_jobs : int, default=None
        How many of the ``n_init`` fits run at once, through joblib: None is 1 unless a
        :func:`joblib.parallel_config` says more, -1 is all processors. The result is the same bit
        by bit, given the same number of threads for each (joblib gives a worker its share of the
        processors unless ``OMP_NUM_THREADS`` is set). Keep to joblib's default backend ``"loky"``:
        ``"multiprocessing"`` forks, and hangs if PyTorch has used threads before.
    warm_start : bool, default=False
        Whether ``fit`` trains the last fit further, for ``max_iter`` more epochs, instead of
        starting afresh: 2 and 3 epochs are 5 epochs, bit by bit (a pair as
        ``structure__temperature`` is a schedule over each fit). ``history_`` and ``n_iter_`` count
        all of them; ``arrangement_`` and ``stability_`` are those of the first fit. The data may be
        other samples of the same shapes and dtype, and are scaled as the first were. What
        determines the model must not change. How it is trained and how its
        graph is selected may change, and the new values hold from then on: learning rates, batches,
        early stopping, ``knowledge``, and all parts of ``structure``, its ``edge_penalty``
        included. The state of training goes along into pickles and into files of :meth:`save`. See
        the user guide.
    device : str or Device, default="cpu"
        ``"cpu"``, ``"cuda"``, ``"cuda:N"``, ``"mps"`` for the GPU of a Mac, or ``"auto"`` for the
        GPU that there is. ``"mps"`` trains in single precision only: float64 data and experts are
        errors, for which ``"auto"`` takes the CPU. A model fitted on a GPU predicts on the CPU
        where there is none, one that was fitted on ``"mps"`` always. :class:`Device` has further
        settings.
    verbose : int, default=0
        1 shows phase, epoch, bound and time left in one line that is rewritten; in workers, and
        where standard output is neither terminal nor notebook, about five lines of each phase. 2
        prints a line after every epoch. In pre-training, which has no bound, it is the objective.

    Attributes
    ----------
    dag_ : networkx.DiGraph
        The graph. Nodes, in the order of ``node_sizes``, have the attribute ``size`` and, where
        ``known_nodes`` had labels, ``states``, the names of the outcomes; edges have ``weight`` in
        [0, 1], of this direction, and ``compelled``, whether all graphs that fit as well, and
        respect what was stated about edges, have that arrow; where ``edge_probabilities_`` are
        known, ``adjacent`` is the sum of both directions. Contexts come after the nodes, with
        ``kind="context"`` and their ``role``: those with "cause" are parents; others are linked,
        which has no direction, to nodes whose tables differ between their labels.
    cpts_ : dict of str to ndarray
        Conditional probability table of each node, of shape (\*parent sizes, node size), parents
        in the order of ``list(dag_.predecessors(node))``; of contexts with ``role="cause"`` the
        shares of their labels.
    edge_weights_ : ndarray of shape (n_nodes, n_nodes)
        Weights of i -> j in ``[i, j]``: ``edge_probabilities_`` of a refined graph (beyond 10
        nodes its edges), relaxed edges E at the end of training by gradient, or the given graph.
    edge_probabilities_ : ndarray of shape (n_nodes, n_nodes) or None
        Of a refined graph of up to 10 nodes: the probability of each edge, averaged over all
        graphs that respect what was stated, each weighted by its marginal likelihood; half of the
        pairs of nodes are joined beforehand (see :class:`ScoreSearch`). The adjacency of two nodes
        has the sum of both directions. It takes the nodes' outcomes as known, and does not tell
        how sure these are.
    node_scores_ : ndarray of shape (n_nodes,)
        Node scores; parents have smaller ones. Of a refined or given graph: places in a
        topological order.
    joint_ : ndarray of shape node_sizes
        Joint distribution of the nodes, the product of ``cpts_`` along ``dag_``, over all labels of
        contexts.
    contexts_ : dict of str to ndarray
        Labels of each context, in sorted order; those that ``adapt`` has learned come last. Only
        with ``contexts``, as the next two.
    offsets_ : dict of str to (dict of str to ndarray of shape (n_labels, \*shape))
        By modality and context what each label adds, in the units of the data; the mean over the
        training samples is zero.
    adapted_ : list of AdaptedLabel
        What :meth:`adapt` has found of new labels. Its class is in :mod:`skcausalpima.inspection`,
        where the fields are documented, as are those of all reports below.
    weights_ : ndarray of shape (n_components,)
        ``joint_`` in the order of the components.
    cluster_states_ : ndarray of shape (n_components, n_nodes)
        The outcomes that each component stands for. Components that hold training samples (of
        positive weight) come first.
    cluster_means_ : ndarray of shape (n_components, latent_dim)
        Means of the components.
    cluster_covariances_ : ndarray
        Covariances in scikit-learn's shapes: (n_components, latent_dim, latent_dim) for
        ``"full"``, (latent_dim, latent_dim) for ``"tied"``, (n_components, latent_dim) for
        ``"diag"``, (n_components,) for ``"spherical"``.
    labels_ : ndarray of shape (n_samples,)
        Component of every training sample: ``predict`` of the training data, but for what
        ``known_nodes`` and ``interventions`` say of the sample. Rows of weight zero are no
        training samples: their labels are those of ``predict``.
    node_labels_ : ndarray of shape (n_samples, n_nodes)
        Outcomes of every training sample, ``cluster_states_[labels_]``.
    choices_ : ChoicesReport
        What was left to the data, and how it was decided: units, weights and views of modalities,
        and what was tried.
    arrangement_ : ArrangementReport or None
        How clusters were assigned to grid cells, and which nodes are told to be factors. None
        unless ``init`` is ``"arranged"`` or finds clusters, with several nodes. A fit that is
        continued keeps that of its first part.
    separation_ : SeparationReport
        How well components are separated and filled, and which rows of X are unlike others.
    cell_values_ : CellValuesReport
        How many values each component has of each column, and their means.
    gaps_ : GapsReport or None
        Whether there are gaps between cells. None where all samples lie in one cell, or with
        ``init="paper"``. A fit that is continued keeps that of its first part.
    stability_ : StabilityReport
        Whether fits with another ``random_state`` would find the same cells.
    found_again_ : FoundAgainReport or None
        Whether samples are enough for the cells, asked of fewer than 300 distinct ones. None of
        more samples, of more than 128 cells, of tables with words or levels, on disk, in several
        processes, with another ``init``, in repeated fits, where all samples lie in one cell, and
        of experts that cannot draw. A fit that is continued keeps that of its first part.
    expert_params_ : dict of str to mapping
        For each modality with an expert a table, columns of shape (n_components,) by name: the
        outcomes of the nodes, the parameters in the units of the data, and ``"<name>_se"``, their
        standard errors from the curvature of the bound. For these, responsibilities and variances
        count as known. They are NaN in empty components, and infinite where the data tell
        combinations of parameters only. With ``scatter``, ``"<name>_sd"`` is the standard deviation
        of a parameter between the samples of a component. ``to_frame()`` is a pandas DataFrame,
        with the labels of outcomes that have some.
        Experts per sample have their parameters at the components' means, without standard errors.
    lower_bound_ : float
        Mean evidence lower bound of the training samples, in nats and in the data's units:
        ``score`` of the training data with the same ``sample_weight``, up to rounding.
    convergence_ : ConvergenceReport
        How training ended, and what was seen of its last epochs.
    history_ : dict of str to ndarray of shape (`n_iter_`,)
        Terms of the bound (nats per sample, in the data's units as :meth:`score`), the objective
        and the temperature of every epoch. The bound is the sum of a ``reconstruction_..`` of each
        modality, the ``evidence``, log of the probability that the mixture gives to what encoders
        say, and the ``potential``, minus the expected logarithm of that. In place of these two,
        ``posterior="mean_field"`` has ``density`` and ``weight`` of the components and the
        entropies of the assignment and of the posterior. They are of the samples that train, at
        one draw of each latent point, as gradient steps met them (or after these, where ``fit``
        asks all samples once more: for encoders and decoders that need it, with dropout, batch
        normalization or a likelihood of their own). The objective, with
        ``modality_weights`` of scaled data, and that of held-out samples are shifted as the bound
        is. NaN in a last epoch that diverged, of which a ConvergenceWarning tells, and in epochs
        that did not have a term. Where epochs are shares of many samples, ``"share_of_samples"``
        says of which part, and the terms are those of 1024 samples, always the same.
    phase_history_ : dict of str to dict of str to ndarray
        The same of the phases before and after training, where there are any: ``"pre-training"``,
        which has an objective of its own and no other term, and ``"polishing"``.
    n_iter_ : int
        Number of epochs, of all fits that were continued.
    converged_ : bool
        Whether training stopped early.
    latent_dim_ : int
        Dimension of the latent space.
    n_features_in_ : int
        Total number of elements of one sample; of tables, of columns.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if fitted on one DataFrame.
    n_modalities_in_ : int
        Number of modalities.
    modality_names_in_ : ndarray of shape (n_modalities,)
        Their names.
    modality_shapes_in_ : list of tuple of int
        Their shapes.
    modality_feature_names_in_ : dict of str to (ndarray of str or None)
        Names of the columns of each modality that was a DataFrame; None for all others.
    modality_axes_in_ : dict of str to (ndarray, (str, ndarray), list or None)
        Where the elements of each modality lie, as :class:`MultimodalData` and others say it
        (``axes``), which pictures and tables use; None where nothing says so.
    likelihoods_ : dict of str to (str or dict of str to str)
        The likelihood of each modality, by column where columns have names.

    See Also
    --------
    MultimodalData : Container that indexes samples; pass it to tools that split data.
    sklearn.mixture.GaussianMixture : A mixture of one array, without networks and graph.

    Notes
    -----
    X may be a list of arrays whose first axis is samples, a mapping from names to arrays, a
    :class:`MultimodalData`, a DataFrame with two levels of columns (modality, element), an
    ``xarray.Dataset``, or one array with at least two axes. :meth:`MultimodalData.from_flat` cuts a
    flat 2-D array into modalities. Modalities may be DataFrames, Series, tensors or DataArrays,
    too. Numbers along one axis are one column; sparse modalities are made dense, up to 4 GiB each.
    Methods that return data give them in the form of the X that they got, or of that of ``fit``:
    tables with their columns (and the rows of X), modalities by name where they came by name,
    arrays for arrays.

    A modality of a sample is missing if all its elements are NaN, or where
    ``MultimodalData(..., observed=mask)`` says so; in methods other than ``fit`` a list may hold
    None for a modality that no sample has. Elements that are NaN while others of the modality are
    not: see ``missing_values``. Up to a tenth of the rows of ``fit`` may have no value at all.

    The published algorithm is :meth:`CausalPIMA.published`.

    References
    ----------
    .. [1] E. Walker, J. A. Actor, C. Martinez and N. Trask, "Causal disentanglement of multimodal
       data", arXiv:2310.18471, 2023.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima import CausalPIMA
    >>> rng = np.random.default_rng(0)
    >>> group = np.repeat([0, 1, 2, 3], 50)
    >>> images = rng.normal(size=(200, 4, 4)) + 6 * (group // 2)[:, None, None]
    >>> curves = rng.normal(size=(200, 10)) + 6 * (group % 2)[:, None]
    >>> model = CausalPIMA((2, 2), max_iter=5, random_state=0).fit([images, curves])
    >>> np.bincount(model.labels_)
    array([50, 50, 50, 50])
    >>> model.transform([images, None]).shape
    (200, 2)
    """

    _parameter_constraints, _elsewhere, _objects = PARAMETER_CONSTRAINTS, ELSEWHERE, OBJECTS
    _n_features_out = property(lambda self: self.latent_dim_)  # columns of transform

    def __init__(
        self,
        node_sizes: int | Sequence[int] | Mapping[str, int] = (2, 2),
        *,
        latent_dim: int | None = None,
        experts: StatedExperts = None,
        knowledge: BackgroundKnowledge | None = None,
        contexts: str | Context | Sequence[str | Context] | None = None,
        max_iter: int | str = "auto",
        n_init: int = 1,
        random_state: Seed = None,
        structure: str | nx.DiGraph | ScoreSearch | GradientStructure = "refined",
        encoders: StatedNetworks = None,
        decoders: StatedNetworks = None,
        hidden_layer_sizes: Sequence[int] = (128, 64, 32, 16),
        decoder_variance: float | str = "auto",
        mixture: str | Mixture = "full",
        posterior: str | MeanField = "structured",
        likelihoods: str | Sequence | Mapping = "auto",
        scale: Scale = "auto",
        modality_weights: str | Sequence[float] | Mapping[str, float] = "auto",
        views: Views = "auto",
        missing_values: str | MissingValues = "marginalize",
        init: str | Initialization | Clusterer = "arranged",
        training: Training | None = None,
        n_jobs: int | None = None,
        warm_start: bool = False,
        device: str | Device = "cpu",
        verbose: int = 0,
    ) -> None:
        self.node_sizes = node_sizes
        self.latent_dim = latent_dim
        self.experts = experts
        self.knowledge = knowledge
        self.contexts = contexts
        self.max_iter = max_iter
        self.n_init = n_init
        self.random_state = random_state
        self.structure = structure
        self.encoders = encoders
        self.decoders = decoders
        self.hidden_layer_sizes = hidden_layer_sizes
        self.decoder_variance = decoder_variance
        self.mixture = mixture
        self.posterior = posterior
        self.likelihoods = likelihoods
        self.scale = scale
        self.modality_weights = modality_weights
        self.views = views
        self.missing_values = missing_values
        self.init = init
        self.training = training
        self.n_jobs = n_jobs
        self.warm_start = warm_start
        self.device = device
        self.verbose = verbose

    @classmethod
    def published(
        cls, node_sizes: int | Sequence[int] | Mapping[str, int] = (2, 2), **changes: Unchecked
    ) -> Self:
        """Return an estimator with the settings of the published algorithm.

        The convolutions of its experiments are ``encoders="conv_paper"``, and the same of decoders.

        Parameters
        ----------
        node_sizes : int, sequence of int or mapping of str to int, default=(2, 2)
            Number of outcomes of each node.
        **changes : dict
            Other parameters, and those that are to differ from the paper's.

        Returns
        -------
        CausalPIMA
            Not fitted.

        Examples
        --------
        >>> from skcausalpima import CausalPIMA
        >>> model = CausalPIMA.published((2, 3), max_iter=200)
        >>> model.structure, model.mixture, model.posterior
        ('gradient', Mixture(covariance_type='diag', shrinkage=0), MeanField(prior_expert=False))
        """
        paper: Values = {
            "latent_dim": 2,  # Table 3
            "mixture": Mixture("diag", shrinkage=0),  # Section 2, Eq. 17
            "posterior": MeanField(prior_expert=False),  # Eq. 4, and 16 at the sampled latent point
            "scale": "modality",  # one number each, as the paper's images and curves
            "modality_weights": "elements",  # Eq. 15
            "missing_values": MissingValues("error", subset_epochs=0),  # the paper has neither
            "init": "paper",  # Section 3.3: random networks, pre-training, a mixture of their codes
            "structure": "gradient",  # Eq. 6 to 8
        }
        return cls(node_sizes, **(paper | changes))

    def get_params(self, deep: bool = True) -> Values:
        """Return the parameters by name.

        Parameters
        ----------
        deep : bool, default=True
            Whether to list the parts of parameter objects, too, by nested names; those of the
            objects that words, and None, stand for included.

        Returns
        -------
        dict
            Values by name.

        Examples
        --------
        >>> from skcausalpima import CausalPIMA
        >>> params = CausalPIMA().get_params()
        >>> params["structure"], params["structure__score"], params["training__batch_size"]
        ('refined', 'bic', 128)
        """
        params = super().get_params(deep)
        return params | parts_of_words(params) if deep else params

    def set_params(self, **params: Unchecked) -> Self:
        """Set parameters, those of parameter objects by nested names.

        Parameters
        ----------
        **params : dict
            Values by name, such as ``max_iter=20`` or ``structure__score="bdeu"``. Where a part of
            a word is set, such as ``"refined"``, or of None, an object takes its place.

        Returns
        -------
        CausalPIMA
            The estimator itself.

        Raises
        ------
        ValueError
            If there is no parameter or part of a name.

        Examples
        --------
        >>> from skcausalpima import CausalPIMA
        >>> CausalPIMA().set_params(max_iter=20, structure__score="bdeu")
        CausalPIMA(max_iter=20, structure=ScoreSearch(score='bdeu'))
        """
        return super().set_params(**with_objects(self, params))

    @fitting
    def fit(
        self,
        X: Samples,
        y: Unchecked = None,
        sample_weight: ArrayLike | None = None,
        *,
        known_nodes: KnownNodes = None,
        interventions: KnownNodes = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Fit the model, or train it further if ``warm_start=True`` and it has been fitted so.

        Parameters
        ----------
        X : sequence, mapping, MultimodalData, array-like or DataFrame
            Training data; see the notes of :class:`CausalPIMA`. Memory maps and datasets of h5py
            and zarr stay on disk and are read block by block where their numbers would take more
            than 256 MiB as floats.
        y : Ignored
            Present for API consistency. A second modality is not y, but a part of X: an array of
            two axes or more is refused.
        sample_weight : array-like of shape (n_samples,), default=None
            For how many samples each row counts; None for one. 3 is the same as three such rows, 0
            as none. Only sums over equal rows matter: the fits are equal bit by bit, in whatever
            order the rows are (see the notes for where this ends). The choice of the graph,
            standard errors and shrinkage go by the sum of the weights. So weights of another
            meaning must be scaled to add up to the number of samples that the data are worth: for
            importance weights w about ``w.sum() ** 2 / (w ** 2).sum()``.
        known_nodes : array-like of shape (n_samples, n_nodes), DataFrame or mapping, default=None
            Outcomes of nodes that are known for some samples, integers from 0 or labels, and -1,
            NaN or None where they are unknown. A DataFrame or a mapping may have the columns of
            some nodes, by name. Labels are numbered in sorted order, those of a categorical column
            in its own; ``dag_`` keeps them. They name the nodes and number their outcomes: clusters
            are laid on the
            grid so that most of them agree, and a sample trains only the cells that they leave
            open. A few percent on one node are enough to name it. ``labels_`` and
            ``node_labels_`` respect them and so may differ from ``predict`` and
            ``predict_nodes``, which see the data alone.
        interventions : array-like of shape (n_samples,) or (n_samples, n_nodes), DataFrame or \
mapping, default=None
            Nodes that were intervened on. One column: the node that was set in each sample, by name
            or number, and None, NaN or -1 for none. What it was set to is then learned, and
            ``known_nodes`` must say which node it is (a warning says if not). One column per node,
            in the forms of ``known_nodes``: the outcome that it was set to, and -1, NaN or None
            where it was not; these outcomes count as known, and labels mean the same in both.
            In such a sample the node does not depend on its parents: its table is cut out of the
            joint. The table is learned from the other samples, and is uniform for a node that was
            set in all of them. An edge between a node that was set and one that was not then has an
            identified direction, which the search finds; ``structure="gradient"`` rarely leaves the
            order of the nodes that it started from.
        groups : array-like of shape (n_samples,) or str, default=None
            A label of each sample, or the name of the entry of X that has them: samples of one
            label belong together, as the spots of a specimen or the days of a plant do
            (:doc:`/guide/groups`). A group counts for one sample, which its rows share; no group is
            split. The labels are kept for the functions of ``inspection``. That entry is no
            modality, and other methods need none.

        Returns
        -------
        CausalPIMA
            The fitted estimator. Until the new fit is complete, and where it raises an error, the
            estimator stays as it was: not fitted, or with its last fit.

        Raises
        ------
        KeyboardInterrupt
            By an interrupt (Ctrl-C) before training has begun, and by the second one; by any where
            joblib or ``sklearn.model_selection`` is among the callers (searches, cross-validation,
            ensembles), in other threads than the main one, and where the program has a SIGINT
            handler of its own.
        OSError
            If data on disk can no longer be read, or have changed since the call began.
        RuntimeError
            If another rank of the process group has ended or does not answer.
        ValueError
            If X, ``known_nodes``, ``interventions`` or a parameter is not as described. If weights
            are negative or add up to less than 2 samples. If training diverges. If a fit is to be
            continued (``warm_start``) with data of other shapes or for another model.

        Warns
        -----
        InterruptionWarning
            The first interrupt of other fits, or a callback, ended training after the batch. The
            estimator is fitted with the parameters of then and the graph that fits them; polishing
            and lessons for incomplete samples are left out or cut short. Of ``n_init`` runs the
            best one that was complete is kept, if there is one.

        See Also
        --------
        fit_predict : The same, and the components of the samples.
        report : Whether the fit is any good.

        Notes
        -----
        In an initialised process group of ``torch.distributed`` each process passes its own rows.
        All get the model of all rows, the same bit by bit but for ``labels_`` and
        ``node_labels_``, which are those of its rows. ``warm_start``, ``interventions`` and
        experts per sample are refused there.

        A row of weight w is trained on as ceil(w) copies that count for w / ceil(w) each, which
        takes their memory and time. If copies would outnumber the rows tenfold (and 10 000), there
        are fewer and each counts for more than one sample: then a weight is no longer the same as
        so many rows, but close. With copies about, rows are sorted by a hash of their content.

        Clusters start from rows that count alike: a resample if weights are fractional, else each
        row once (unless most rows are copies); all that is trained afterwards, and all that is
        reported, is weighted exactly. Copies of a row may fall on both sides of
        ``training__validation_fraction``, and batch normalization in modules of your own sees
        copies, not weights.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> noise = np.random.default_rng(0).normal(size=(40, 2))
        >>> X = np.tile([[0.0, 1.0], [8.0, 9.0]], (20, 1)) + noise  # two kinds in turn
        >>> kinds = ["weak", "strong"] + 38 * [None]  # known of two samples
        >>> model = CausalPIMA(2, max_iter=2, random_state=0)
        >>> model = model.fit(X, known_nodes={"N1": kinds})
        >>> model.dag_.nodes["N1"]["states"]
        ('strong', 'weak')
        >>> model.predict_nodes(X[:4]).ravel()
        array([1, 0, 1, 0])
        """
        stopped, params = self.__dict__.pop(BEGUN, None), parameters_of(self)
        call = FitCall(X, y, sample_weight, known_nodes, interventions, groups)
        before: FittedState | None = vars(self).get(FITTED) if self.warm_start else None
        with followed(self, call, params.device.distributed) as following:
            new = copy.copy(self)
            if before is None or before.training is None:
                new.__dict__ = {n: value for n, value in vars(self).items() if not is_of_fit(n)}
                state = fit_anew(new, params, call, following, stopped)
            else:
                state = fit_further(self, before, params, call, following)
            self._become(new, state)
        return self

    @fitting
    def partial_fit(
        self,
        X: Samples,
        y: Unchecked = None,
        sample_weight: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Learn from samples that arrive in batches; the first call is :meth:`fit`.

        Each further call trains the networks on these samples: one epoch, or as many as make 20
        gradient steps (``max_iter`` at most). Mixture, tables, variances and the choice of the
        graph go by the samples of before, too, as far as the model remembers them: with each call
        these count 0.9 of what they did. Nodes, their outcomes and the components keep their
        numbers.

        Parameters
        ----------
        X : sequence, mapping, MultimodalData, array-like or DataFrame
            Samples with the modalities of before. The first ones must show all clusters: these are
            found in them, and later samples can move clusters but not find new ones. The units of
            the data (``scale``) stay those of the first call; samples that seem to be in others are
            learned from, with a warning.
        y : Ignored
            Present for API consistency. A second modality is not y, but a part of X: an array of
            two axes or more is refused.
        sample_weight : array-like of shape (n_samples,), default=None
            As in :meth:`fit`.
        groups : array-like of shape (n_samples,) or str, default=None
            As in :meth:`fit`; a group counts for one sample of each call that has rows of it.

        Returns
        -------
        CausalPIMA
            The estimator. ``labels_``, ``node_labels_``, ``separation_``, ``convergence_`` and
            ``lower_bound_`` are of these samples, and so are those that ``tail_probability``
            compares with unless it has a ``reference``. ``history_`` has more epochs. Where an
            error is raised it stays as it was.

        Raises
        ------
        ValueError
            If X is not as described (each modality must be there in some sample), if parameters
            would build another model, or if the model has experts, or decoders that depend on the
            cluster: these would forget earlier samples.

        See Also
        --------
        fit : With ``warm_start=True`` it goes on from the last ``fit``, on what it is given alone;
            after ``partial_fit`` it starts afresh.

        Notes
        -----
        With ``structure="gradient"`` and a given graph the edges stay as they are.
        Which nodes were set in samples of the first call stays known; in later samples none is.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> rng = np.random.default_rng(0)
        >>> batches = [rng.normal(size=(40, 3)) + 9 * rng.integers(2, size=(40, 1)) for _ in "abc"]
        >>> est = CausalPIMA(2, max_iter=3, random_state=0)
        >>> for batch in batches:
        ...     est = est.partial_fit(batch)
        >>> est.n_iter_, len(est.labels_)
        (9, 40)
        """
        if not self.__sklearn_is_fitted__():
            return self.fit(X, y, sample_weight, groups=groups)
        self._validate_params()  # which scikit-learn does in the first call only
        call, params = FitCall(X, y, sample_weight, groups=groups), parameters_of(self)
        with followed(self, call, params.device.distributed) as following:
            new = copy.copy(self)
            self._become(new, fit_arrivals(new, self._fitted, params, call, following))
        return self

    def fit_predict(
        self,
        X: Samples,
        y: Unchecked = None,
        sample_weight: ArrayLike | None = None,
        *,
        known_nodes: KnownNodes = None,
        interventions: KnownNodes = None,
        groups: ArrayLike | None = None,
    ) -> np.ndarray:
        """Fit the model and return the component of every training sample.

        Parameters
        ----------
        X : sequence, mapping, MultimodalData, array-like or DataFrame
            Training data; see :class:`CausalPIMA`.
        y : Ignored
            Present for API consistency. A second modality is not y, but a part of X: an array of
            two axes or more is refused.
        sample_weight, known_nodes, interventions, groups : array-like, default=None
            What is known of samples; see :meth:`fit`.

        Returns
        -------
        ndarray of shape (n_samples,)
            ``labels_``.

        See Also
        --------
        predict : The components of other samples.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> noise = np.random.default_rng(0).normal(size=(40, 2))
        >>> X = np.tile([[0.0, 1.0], [8.0, 9.0]], (20, 1)) + noise  # two kinds in turn
        >>> CausalPIMA(2, max_iter=2, random_state=0).fit_predict(X)[:6]
        array([0, 1, 0, 1, 0, 1])
        """
        of_nodes: Values = {"known_nodes": known_nodes, "interventions": interventions}
        return self.fit(X, y, sample_weight, groups=groups, **of_nodes).labels_

    def transform(self, X: Samples) -> np.ndarray:
        """Return the posterior means in the latent space.

        Parameters
        ----------
        X : sequence, mapping, MultimodalData, array-like or DataFrame
            Samples in the form of the training data; modalities may be missing.

        Returns
        -------
        ndarray of shape (n_samples, latent_dim)
            Means of q(z | x): of the latent points in the components, weighted by
            :meth:`predict_proba` (of Eq. 4 where ``posterior="mean_field"``).

        See Also
        --------
        inverse_transform : From the latent space to data.
        skcausalpima.inspection.LatentDisplay : The points in a picture.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> noise = np.random.default_rng(0).normal(size=(40, 2))
        >>> X = np.tile([[0.0, 1.0], [8.0, 9.0]], (20, 1)) + noise  # two kinds in turn
        >>> model = CausalPIMA(2, max_iter=2, random_state=0).fit(X)
        >>> points = model.set_output(transform="pandas").transform(X)
        >>> list(points), points.shape
        (['causalpima0', 'causalpima1'], (40, 2))
        """
        modalities = self._read(X)
        return modalities.form.transformed(self._fitted_model().posterior(modalities).points, self)

    def predict_proba(self, X: Samples) -> np.ndarray:
        """Return the probability of every component, q(c | x).

        Parameters
        ----------
        X : sequence, mapping, MultimodalData, array-like or DataFrame
            Samples in the form of the training data; modalities may be missing.

        Returns
        -------
        ndarray of shape (n_samples, n_components)
            Responsibilities; rows sum to 1. Those of samples that lack modalities come from
            encoders of their own (see :class:`MissingValues`); where nothing is observed they are
            ``weights_``.

        See Also
        --------
        predict : The most probable component.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> noise = np.random.default_rng(0).normal(size=(40, 2))
        >>> X = np.tile([[0.0, 1.0], [8.0, 9.0]], (20, 1)) + noise  # two kinds in turn
        >>> model = CausalPIMA(2, max_iter=2, random_state=0).fit(X)
        >>> model.predict_proba([[0.0, 1.0], [8.0, 9.0], [np.nan, np.nan]]).round(2)
        array([[1. , 0. ],
               [0. , 1. ],
               [0.5, 0.5]])
        """
        return self._fitted_model().probabilities(self._read(X))

    def predict(self, X: Samples) -> np.ndarray:
        """Return the most probable component.

        Parameters
        ----------
        X : sequence, mapping, MultimodalData, array-like or DataFrame
            Samples in the form of the training data; modalities may be missing.

        Returns
        -------
        ndarray of shape (n_samples,)
            Component numbers; ``cluster_states_`` has the outcomes they stand for.

        See Also
        --------
        predict_nodes : The outcomes of the nodes, in place of one number.
        predict_proba : How probable the components are.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> noise = np.random.default_rng(0).normal(size=(40, 2))
        >>> X = np.tile([[0.0, 1.0], [8.0, 9.0]], (20, 1)) + noise  # two kinds in turn
        >>> model = CausalPIMA(2, max_iter=2, random_state=0).fit(X)
        >>> model.predict([[0.0, 1.0], [8.0, 9.0]])
        array([0, 1])
        """
        return self.predict_proba(X).argmax(axis=1)

    def predict_nodes(self, X: Samples, probabilities: bool = False) -> OfNodes:
        """Return the outcomes of all nodes in the most probable component, or their probabilities.

        Parameters
        ----------
        X : sequence, mapping, MultimodalData, array-like or DataFrame
            Samples in the form of the training data; modalities may be missing.
        probabilities : bool, default=False
            Whether to return the posterior probabilities of the outcomes.

        Returns
        -------
        ndarray of shape (n_samples, n_nodes), or dict of str to ndarray of shape (n_samples, \
n_outcomes)
            ``cluster_states_[predict(X)]``; columns in the order of ``list(dag_)``. With
            ``probabilities``, of each node by name, sums of ``predict_proba(X)`` over the
            components with an outcome. The most probable of one node may be another than in the
            most probable component.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If X does not match the training data.

        See Also
        --------
        predict : The number of the component.
        predict_proba : Probabilities of the components.
        to_frame : All of these as a table, in the words of outcomes.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> noise = np.random.default_rng(0).normal(size=(40, 2))
        >>> X = np.tile([[0, 0], [0, 8], [8, 0], [8, 8]], (10, 1)) + noise
        >>> model = CausalPIMA((2, 2), max_iter=2, random_state=0).fit(X)
        >>> model.predict_nodes([[0, 0], [0, 8], [8, 0], [8, 8]])
        array([[1, 1],
               [0, 1],
               [1, 0],
               [0, 0]])
        >>> model.predict_nodes([[0, 8]], probabilities=True)["N1"].round(2)
        array([[1., 0.]])
        """
        if probabilities:
            return node_probabilities(self._fitted_model(), self._fitted, self.predict_proba(X))
        return self._fitted_model().outcomes[self.predict(X)]

    def to_frame(self, X: Samples) -> Answers:
        """Return what the fit says of each sample as a table, in the words of its outcomes.

        Parameters
        ----------
        X : sequence, mapping, MultimodalData, array-like or DataFrame
            Samples in the form of the training data; modalities may be missing.

        Returns
        -------
        DataFrame
            A row for each sample, with the index of X. Columns are, for each node, its outcome in
            the most probable cell under the node's name (a category where outcomes have names, else
            a number), and the probability of each outcome under ``(node, outcome)``; then
            ``"cell_probability"``, that of the most probable cell, ``"log_density"``, the bound in
            nats that :meth:`score_samples` returns, and ``"tail_probability"``, the p-value of
            :meth:`tail_probability` against the training samples. That is not for samples of the
            fit itself, which networks have learned: they are known again by their content, and have
            NaN there, unless they were read from disk.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ImportError
            If pandas is not installed.
        ValueError
            If X does not match the training data, or a node has the name of another column.

        See Also
        --------
        predict_nodes, predict_proba : The same as arrays.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> noise = np.random.default_rng(0).normal(size=(40, 2))
        >>> X = np.tile([[0, 0], [0, 8], [8, 0], [8, 8]], (10, 1)) + noise
        >>> known = {"heat": ["hot", "cold"] * 4 + [None] * 32}
        >>> model = CausalPIMA({"heat": 2, "load": 2}, max_iter=2, random_state=0)
        >>> frame = model.fit(X, known_nodes=known).to_frame([[0, 0], [0, 8]])
        >>> frame["heat"].tolist(), frame["heat", "hot"].round(2).tolist()
        (['hot', 'cold'], [1.0, 0.0])
        """
        return answers(self._fitted_model(), self._fitted, self._read(X))

    def score_samples(self, X: Samples) -> np.ndarray:
        """Return the evidence lower bound of every sample (Eq. 31), in nats.

        All constants are included and the units are those of the data, so that models of
        different ``node_sizes``, ``latent_dim`` or ``scale`` can be compared. It is always the
        plain bound, whatever ``modality_weights``. The expectation over z is taken over one fixed
        set of draws, in each component that is not ten thousand times less probable than the most
        probable one.

        Parameters
        ----------
        X : sequence, mapping, MultimodalData, array-like or DataFrame
            Samples in the form of the training data; modalities may be missing.

        Returns
        -------
        ndarray of shape (n_samples,)
            Lower bounds of the log-density of what is observed: those of samples that have
            different modalities are of different things, and cannot be compared.

        See Also
        --------
        tail_probability : Whether a sample is like the training data, whatever it lacks.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> noise = np.random.default_rng(0).normal(size=(40, 2))
        >>> X = np.tile([[0.0, 1.0], [8.0, 9.0]], (20, 1)) + noise  # two kinds in turn
        >>> model = CausalPIMA(2, max_iter=2, random_state=0).fit(X)
        >>> model.score_samples([[0.0, 1.0], [4.0, 5.0]]).round()  # as X is, not
        array([ -2., -18.])
        """
        return self._fitted_model().score_samples(self._read(X))

    def tail_probability(self, X: Samples, reference: Samples | None = None) -> np.ndarray:
        r"""Return how probable it is that a sample like those of the training is as unusual.

        A p-value for outlier detection, of complete samples and of such that lack modalities. Of
        each observed modality it is asked how likely it is where it alone says that the sample
        lies: :math:`\log p(x_m | z, c)` at the most probable component given :math:`x_m`, and at
        the mean of the latent point in it. Of complete samples their bound is asked, too, which
        :meth:`score_samples` returns. The share of the reference samples whose number is at most
        as large is the tail probability of that number. Returned is the smallest of them, times
        how many they are, and at most 1 (Bonferroni): a modality of a few elements is seen beside
        one of thousands.

        Parameters
        ----------
        X : sequence, mapping, MultimodalData, array-like or DataFrame
            Samples in the form of the training data; modalities may be missing.
        reference : sequence, mapping, MultimodalData, array-like or DataFrame, default=None
            Samples that ``fit`` has not seen, to be compared with. None takes up to 500 of the
            training samples, evenly spaced, or of those that ``training__validation_fraction``
            set aside.

        Returns
        -------
        ndarray of shape (n_samples,)
            In (0, 1]; 1 where nothing is observed. With n reference samples and k numbers, at
            least k / (n + 1).

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If X or ``reference`` does not match the training data.

        See Also
        --------
        modality_evidence : Samples whose modalities do not belong together.
        score_samples : The bound.

        Notes
        -----
        With ``reference``, at most the part a of further samples like these has a tail probability
        of a or less, whatever the model: these are conformal p-values. The networks have learned
        the noise of the training samples, too, and find new ones less likely. On digits with
        curves, 1200 of them for training (means of three seeds), .05 of held-out samples have .05
        or less, .07 of held-out images alone and .05 of curves alone, where one number is compared
        and Bonferroni leaves no slack. With a fifth of the training set aside by
        ``validation_fraction`` these are .03, .05 and .04. A modality that is replaced by
        Gaussian noise of its mean and variance, or an image by its permuted pixels, has .05 or less
        in all of these samples. Where single elements of a modality are missing, the others are
        compared with whole ones: false alarms and power are then smaller.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> rng = np.random.default_rng(0)
        >>> group = np.repeat([0, 1], 100)
        >>> images = rng.normal(size=(200, 4, 4)) + 6 * group[:, None, None]
        >>> curves = rng.normal(size=(200, 10)) + 6 * group[:, None]
        >>> model = CausalPIMA((2,), max_iter=5, random_state=0).fit([images, curves])
        >>> curves[0] = rng.normal(3, 3, size=10)
        >>> model.tail_probability([images[:2], curves[:2]]) < 0.05
        array([ True, False])
        """
        fitted, state = self._fitted_model(), self._fitted
        compared, adapted = state.tail_reference, state.contexts.adapted
        if reference is not None:
            compared, adapted = fitted.tail_reference(self._read(reference)), []
        return fitted.tail_probabilities(self._read(X), compared, adapted)

    def score(
        self, X: Samples, y: Unchecked = None, sample_weight: ArrayLike | None = None
    ) -> float:
        """Return the mean evidence lower bound per sample.

        Parameters
        ----------
        X : sequence, mapping, MultimodalData, array-like or DataFrame
            Samples in the form of the training data; modalities may be missing.
        y : Ignored
            Present for API consistency. A second modality is not y, but a part of X: an array of
            two axes or more is refused.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the mean, none negative.

        Returns
        -------
        float
            In nats.

        See Also
        --------
        score_samples : The bound of each sample.
        skcausalpima.model_selection.select_node_sizes : Compares models by held-out samples.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> noise = np.random.default_rng(0).normal(size=(40, 2))
        >>> X = np.tile([[0.0, 1.0], [8.0, 9.0]], (20, 1)) + noise  # two kinds in turn
        >>> model = CausalPIMA(2, max_iter=2, random_state=0).fit(X)
        >>> round(model.score(X), 1)
        -3.4
        """
        check_target(y)
        values = self.score_samples(X).astype(np.float64)
        weights = None if sample_weight is None else check_weights(sample_weight, len(values))
        return weighted_mean(values, weights)

    def inverse_transform(self, X: ArrayLike) -> Decoded:
        """Decode points of the latent space.

        Parameters
        ----------
        X : array-like of shape (n_samples, latent_dim)
            Latent points.

        Returns
        -------
        list, dict, MultimodalData, ndarray, DataFrame or Dataset
            Decoded means in the form, the shapes and the units of the training data: a list in the
            order of ``modality_names_in_``, a dict, container, or table of two levels by their
            names, one array or table if fitted on one.
            A modality with an expert per cluster is the curve of the most probable component of
            the latent point: always a value of the model function, as averages of such curves need
            not be. A network per cluster is that of the same component.

        Warns
        -----
        UserWarning
            Once, if points lie in cells where values of a column are missing and fewer than five
            are there (``cell_values_``). Its text begins with ``[few-values]``.

        See Also
        --------
        transform : From data to the latent space.
        reconstruct : What is expected of given samples.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> noise = np.random.default_rng(0).normal(size=(40, 2))
        >>> X = np.tile([[2.0, 1.0], [8.0, 9.0]], (20, 1)) + noise  # two kinds in turn
        >>> model = CausalPIMA(2, max_iter=2, random_state=0).fit(X)
        >>> model.inverse_transform(model.cluster_means_).round()
        array([[2., 1.],
               [8., 9.]])
        """
        fit, points = self._fitted_model(), as_points(X, "X", self.latent_dim_)
        form = fitted_form(self)
        warn_of_decoded(self.cell_values_, form, fit.components_of(cells_at(fit.model, points)))
        return form.write(fit.decode(points, which="Point"))

    def reconstruct(
        self,
        X: Samples,
        modality: str | int | None = None,
        return_std: bool = False,
        include_noise: bool = False,
        context: Labels = None,
        probabilities: bool = False,
    ) -> Decoded | tuple[Decoded, Decoded]:
        r"""Return what modalities are expected to be, given what is observed of each sample.

        Any subset of the modalities says something about any other: a curve about the image that
        goes with it, an image and a curve about themselves without their noise. The answer is the
        mean of what is decoded over the posterior: latent points :math:`q(z | c, x_S)` in the
        components, of the probabilities :math:`q(c | x_S)`. Such a mean need not look like any
        sample: half a 4 and half a 9, if that is what is known.

        Parameters
        ----------
        X : sequence, mapping, MultimodalData, array-like or DataFrame
            Samples in the form of the training data; modalities may be missing.
        modality : str or int, default=None
            Name or number of the modality to return; None returns all.
        return_std : bool, default=False
            Whether to return the standard deviation, too.
        include_noise : bool, default=False
            Whether it is that of a measurement: the variance of the observations around what is
            decoded (``decoder_variance``) is then part of it. Else it is that of the decoded mean,
            the uncertainty of latent point and component alone.
        context : mapping of str to label, default=None
            Labels under which samples are to be seen, by name of the context: what they would look
            like on another instrument. Else they are seen under their own.
        probabilities : bool, default=False
            Whether tables with words, booleans, ordered categories or counts are returned as a
            column for the probability of each category ("species=Adelie"), and expected counts.
            Else they have the likeliest category, the median one if it is ordered, and whole
            counts.

        Returns
        -------
        mean : list, dict, MultimodalData, ndarray, DataFrame or Dataset
            In the shapes and units of the training data: all modalities in the form of X, or one
            of them, of shape (n_samples, \*shape).
        std : list, dict, MultimodalData, ndarray, DataFrame or Dataset
            Of the same form; only if ``return_std``. Tables with words, booleans, ordered
            categories or counts have a column for each category (of ordered ones for being above
            it), and counts as ``log1p``.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If X does not match the training data, or there is no such modality.
        TypeError
            If ``modality`` is neither a name nor an integer.

        See Also
        --------
        impute : Fill in what is missing, and leave the rest as it is.
        inverse_transform : Decode single points of the latent space.

        Notes
        -----
        The expectation over z is taken over one fixed set of draws, exact where decoders are
        linear. Components that are ten thousand times less probable than the most probable one are
        left out. The parameters of the model count as known. Experts per cluster have the average
        of the components' curves here, weighted by their probabilities.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> rng = np.random.default_rng(0)
        >>> group = np.repeat([0, 1], 100)
        >>> images = rng.normal(size=(200, 4, 4)) + 6 * group[:, None, None]
        >>> curves = rng.normal(size=(200, 10)) + 6 * group[:, None]
        >>> model = CausalPIMA((2,), max_iter=5, random_state=0).fit([images, curves])
        >>> mean, std = model.reconstruct([images[[0, 150]], None], 1, True, include_noise=True)
        >>> mean.shape, mean.mean(axis=1).round().astype(int)
        ((2, 10), array([0, 6]))
        """
        check_is_fitted(self)
        chosen = asked_modalities(modality, list(self.modality_names_in_))
        modalities = self._read(X)
        decoded = self._fitted_model().reconstruct(modalities, chosen, include_noise, context)
        only = None if modality is None else chosen[0]
        mean, std = modalities.form.write_found(decoded, only, probabilities)
        return (mean, std) if return_std else mean

    def impute(self, X: Samples, probabilities: bool = False) -> Decoded:
        """Return samples with what is missing filled in by :meth:`reconstruct`.

        Parameters
        ----------
        X : sequence, mapping, MultimodalData, array-like or DataFrame
            Samples in the form of the training data; modalities may be missing.
        probabilities : bool, default=False
            As in :meth:`reconstruct`: those of what was observed are 0 and 1.

        Returns
        -------
        list, dict, MultimodalData, ndarray, DataFrame or Dataset
            In the form of X, with its rows and columns. What was observed is as it came, bit for
            bit, in new memory; what is missing is its expected value. None becomes what it was in
            ``fit``.
            Arrays of integers come back as floats of the same values.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If X does not match the training data.

        Warns
        -----
        UserWarning
            Once, if values that are filled in rest on fewer than five observed ones of their column
            in their cell (``cell_values_``). Its text begins with ``[few-values]``.

        See Also
        --------
        reconstruct : Means of all modalities, with their standard deviations.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> rng = np.random.default_rng(0)
        >>> group = np.repeat([0, 1], 100)
        >>> images = rng.normal(size=(200, 4, 4)) + 6 * group[:, None, None]
        >>> curves = rng.normal(size=(200, 10)) + 6 * group[:, None]
        >>> model = CausalPIMA((2,), max_iter=5, random_state=0).fit([images, curves])
        >>> curves[:50] = np.nan
        >>> same_images, filled = model.impute([images, curves])
        >>> np.array_equal(same_images, images), bool(np.isnan(filled).any())
        (True, False)
        >>> np.array_equal(filled[50:], curves[50:])
        True
        """
        given, what = self._read(X), "probabilities" if probabilities else "values"
        warn_of_filled(self.cell_values_, given, self._fitted_model().probabilities)
        return given.form.write(self._fitted_model().impute(given), given.contexts, what)

    def modality_evidence(self, X: Samples) -> ModalityEvidence:
        r"""Return which modality says what: how much each counts, and how far they disagree.

        Of a sample with the observed modalities S, the *influence* of m is how far it moves the
        probabilities of the components, :math:`KL(q(c | x_S) \,\|\, q(c | x_{S \setminus m}))`
        (without the only one, the probabilities are ``weights_``). Its *conflict* is how far the
        answer of m alone, :math:`p = q(c | x_m)`, is from that of all the others,
        :math:`r = q(c | x_{S \setminus m})`: the Jensen-Shannon divergence
        :math:`\frac{1}{2} KL(p \| \bar p) + \frac{1}{2} KL(r \| \bar p)` with their average
        :math:`\bar p`.

        *Which modality shows which node*: of node j the modality m takes away the share
        :math:`1 - \overline{H(q(N_j | x_m))} / H(N_j)` of the entropy that the node has in all
        samples (``alone``), and all the others take away
        :math:`1 - \overline{H(q(N_j | x_{S \setminus m}))} / H(N_j)` (``without``): a node that
        one modality alone shows is lost without it.

        An image and a curve that do not belong together have a large conflict, while each of them
        looks like the training data. On the digits with curves, 5 % of them with another digit's,
        the average precision of the conflict is .96, and that of the bound .20 (three seeds).

        Parameters
        ----------
        X : sequence, mapping, MultimodalData, array-like or DataFrame
            Samples in the form of the training data; modalities may be missing.

        Returns
        -------
        skcausalpima.inspection.ModalityEvidence
            ``influence`` and ``conflict`` of shape (n_samples, n_modalities), in nats. With two
            modalities both have the same conflict. ``alone``, ``without`` and ``said``, how sure
            the modality alone says it is, of shape (n_modalities, n_nodes), with standard errors.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If X does not match the training data, there is only one modality, or the model has no
            encoders for parts of a sample (``missing_values__subset_epochs=0``).

        See Also
        --------
        score_samples : How likely samples are.
        skcausalpima.inspection.AssociationDisplay.from_evidence : ``alone`` in a picture.
        skcausalpima.inspection.information_gain : What to measure next.

        Notes
        -----
        All of these probabilities come from the encoders of incomplete samples, those of complete
        samples included, so that they can be compared; they may differ a little from
        ``predict_proba``.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> rng = np.random.default_rng(0)
        >>> group = np.repeat([0, 1], 100)
        >>> images = rng.normal(size=(200, 4, 4)) + 6 * group[:, None, None]
        >>> curves = rng.normal(size=(200, 10)) + 6 * group[:, None]
        >>> model = CausalPIMA((2,), random_state=0).fit([images, curves])
        >>> curves[[0, 199]] = curves[[199, 0]]
        >>> conflict = model.modality_evidence([images, curves]).conflict[:, 0]
        >>> np.sort(conflict.argsort()[-2:])
        array([  0, 199])
        """
        return self._fitted_model().evidence(self._read(X), self._fitted.spec.node_names)

    def predict_expert_params(self, X: Samples) -> dict[str, ExpertTable]:
        """Return the parameters of the experts for given samples.

        Parameters
        ----------
        X : sequence, mapping, MultimodalData, array-like or DataFrame
            Samples in the form of the training data; modalities may be missing.

        Returns
        -------
        dict of str to mapping
            For each modality with an expert, columns of shape (n_samples,) by name: the outcomes
            of the nodes and the parameters, in the units of the data. Experts per cluster have
            those of the most probable component, experts per sample those at the mean place within
            that component.

        See Also
        --------
        expert_params_ : The parameters of the components.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> from skcausalpima.modules import ExpertDecoder, line
        >>> x, slope = np.linspace(0, 1, 20), np.repeat([1.0, 5.0], 50)
        >>> curves = slope[:, None] * x + np.random.default_rng(0).normal(size=(100, 20)) / 10
        >>> model = CausalPIMA((2,), experts=[ExpertDecoder(line, x)], max_iter=5, random_state=0)
        >>> parameters = model.fit(curves).predict_expert_params(curves)["modality0"]
        >>> parameters["slope"].shape
        (100,)
        """
        fitted, outcomes = self._fitted_model(), dict(node_graph(self.dag_).nodes(data="states"))
        answers = fitted.posterior(self._read(X))
        return fitted.expert_tables(answers.centres, answers.probabilities.argmax(axis=1), outcomes)

    def sample(self, n_samples: int = 1, context: Labels = None) -> tuple[Decoded, np.ndarray]:
        """Draw samples from the fitted model.

        Components are drawn from ``weights_``, latent points from their Gaussians, and data from
        the decoders, observation noise included.

        Parameters
        ----------
        n_samples : int, default=1
            How many.
        context : mapping of str to label, default=None
            Labels of contexts by name, such as ``{"instrument": "A"}``; others are drawn by their
            shares among the training samples, and components by the weights under them.

        Returns
        -------
        X : list, dict, MultimodalData, ndarray, DataFrame or Dataset
            Samples in the form, shapes and units of the training data, as from
            :meth:`inverse_transform`; with contexts, with their labels.
        labels : ndarray of shape (n_samples,)
            Components.

        See Also
        --------
        intervene : Draw after nodes were set.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> noise = np.random.default_rng(0).normal(size=(40, 2))
        >>> X = np.tile([[0.0, 1.0], [8.0, 9.0]], (20, 1)) + noise  # two kinds in turn
        >>> model = CausalPIMA(2, max_iter=2, random_state=0).fit(X)
        >>> new, labels = model.sample(6)
        >>> labels
        array([0, 1, 1, 1, 1, 1])
        >>> (new.mean(axis=1) > 4).astype(int)  # they lie about 0.5 and 8.5
        array([0, 1, 1, 1, 1, 1])
        """
        fitted, rng = self._fitted_model(), check_random_state(self.random_state)
        n_samples = check_count(n_samples, "n_samples")
        labels, contexts = fitted.draw_components(self.weights_, n_samples, context, rng)
        return fitted_form(self).write(fitted.draw(labels, rng, contexts), contexts), labels

    def to_graph(self) -> CategoricalDAG:
        """Return the learned graph and its tables as a network that answers questions.

        Returns
        -------
        skcausalpima.graph.CategoricalDAG
            A copy of ``dag_``, with the attributes of nodes and edges, and ``cpts_``; of contexts
            it has those of ``role="cause"``, after the nodes. It
            conditions, intervenes, exports and lists which arrows are identified (``cpdag``); its
            ``rename_nodes`` gives the nodes other names.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.

        See Also
        --------
        intervene : Set nodes and draw data.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> rng = np.random.default_rng(0)
        >>> group = np.repeat([0, 1, 2, 3], 50)
        >>> X = rng.normal(size=(200, 2)) + 6 * np.column_stack([group // 2, group % 2])
        >>> model = CausalPIMA((2, 2), max_iter=2, random_state=0).fit(X)
        >>> network = model.to_graph()
        >>> network.marginal(["N1"]).shape
        (2,)
        """
        check_is_fitted(self)
        return CategoricalDAG(node_graph(self.dag_, with_causes=True), self.cpts_)

    def intervene(
        self,
        interventions: Mapping[Hashable, int | str],
        n_samples: int = 1,
        context: Labels = None,
    ) -> tuple[Decoded, np.ndarray]:
        r"""Draw samples from the model after some nodes were intervened on.

        Outcomes of the nodes are drawn from ``to_graph().do(interventions)``: the arrows into the
        set nodes are cut (Pearl's do-operator [1]_), all other tables stay. Latent points are
        drawn from the Gaussians of the components, and data from the decoders, observation noise
        included, as in :meth:`sample`.

        This answers "what if" *under the assumed graph*. The data identify the arrows of ``dag_``
        at best up to Markov equivalence, and arrows are causal only under assumptions that the
        data cannot test (see the user guide); equivalent graphs give different answers.

        Parameters
        ----------
        interventions : mapping of str to (int or str)
            Outcome of each node that is set, by number or label. All nodes may be set, which is one
            component.
        n_samples : int, default=1
            How many.
        context : mapping of str to label, default=None
            Labels of contexts, as of :meth:`sample`; the nodes' outcomes are those of all samples.

        Returns
        -------
        X : list, dict, MultimodalData, ndarray, DataFrame or Dataset
            Samples in the form, shapes and units of the training data, as from :meth:`sample`.
        nodes : ndarray of shape (n_samples, n_nodes)
            Outcomes of all nodes; columns in the order of ``list(dag_)``.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If a node or an outcome does not exist, or ``n_samples`` is below 1.
        TypeError
            If ``n_samples`` is no integer.

        See Also
        --------
        counterfactual : What given samples would have been.
        sample : Draw samples where nothing is set.

        References
        ----------
        .. [1] Judea Pearl, *Causality*, 2nd edition, Cambridge University Press, 2009.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> rng = np.random.default_rng(0)
        >>> group = np.repeat([0, 1, 2, 3], 50)
        >>> images = rng.normal(size=(200, 4, 4)) + 6 * (group // 2)[:, None, None]
        >>> curves = rng.normal(size=(200, 10)) + 6 * (group % 2)[:, None]
        >>> model = CausalPIMA((2, 2), max_iter=5, random_state=0).fit([images, curves])
        >>> (new_images, new_curves), nodes = model.intervene({"N2": 1}, n_samples=5)
        >>> new_images.shape, new_curves.shape
        ((5, 4, 4), (5, 10))
        >>> nodes[:, 1]
        array([1, 1, 1, 1, 1])
        """
        dag, fitted = self.to_graph(), self._fitted_model()
        n_samples, rng = check_count(n_samples, "n_samples"), check_random_state(self.random_state)
        nodes, contexts = fitted.intervene(dag, interventions, n_samples, context, rng)
        arrays = fitted.draw(fitted.components(nodes), rng, contexts)
        return fitted_form(self).write(arrays, contexts), nodes

    def counterfactual(
        self, X: Samples, interventions: Mapping[Hashable, int | str]
    ) -> tuple[Decoded, np.ndarray]:
        r"""Return what given samples would have been, had some nodes been set.

        Pearl's three steps [1]_. *Abduction*: each sample is taken to lie in its most probable
        component, ``predict_nodes(X)``, at its mean place within it. *Action*: the nodes are set.
        *Prediction*: descendants of the set nodes get new outcomes, all other nodes keep theirs;
        the sample moves to the component of the new outcomes and is decoded there.

        Neither the graph nor its tables say how a descendant would have turned out in *this*
        sample; that needs an assumption. Here every node follows a Gumbel-max mechanism [2]_: its
        outcome is :math:`\arg\max_i (\log p_i + g_i)` with the table's row p and Gumbel noise g,
        which is drawn given the factual outcomes and kept when the row changes. Over samples that
        follow the model, outcomes are distributed as those of :meth:`intervene`, and an outcome
        whose odds against all others do not fall is never left.

        Within the components, a sample keeps its place:
        :math:`z' = m_{new} + A (z - m_{old})`, where the symmetric A turns the old covariance into
        the new one (the optimal transport map between the two Gaussians). Unlike the plain shift
        :math:`z - m_{old} + m_{new}`, it keeps the Mahalanobis distance, and so the quantile of
        the residual: a typical sample stays typical where the new component is narrower, instead
        of landing where no decoder was trained. Unlike a map by Cholesky factors, it does not
        depend on the order or rotation of the latent coordinates, which are arbitrary.

        All this holds *under the assumed graph*. The data identify the arrows of ``dag_`` at best
        up to Markov equivalence. Arrows are causal only under assumptions that the data cannot
        test. The Gumbel-max assumption cannot be tested even by experiments.

        Parameters
        ----------
        X : sequence, mapping, MultimodalData, array-like or DataFrame
            Samples in the form of the training data; modalities may be missing, and are decoded
            like all others.
        interventions : mapping of str to (int or str)
            Outcome of each node that is set, by number or label.

        Returns
        -------
        X_new : list, dict, MultimodalData, ndarray, DataFrame or Dataset
            Decoded means in the units of the training data, in the form of X. Where no outcome
            changes, they decode from the sample's own place (a modality with an expert or network
            per cluster is that of the sample's component, ``predict(X)``).
        nodes : ndarray of shape (n_samples, n_nodes)
            Counterfactual outcomes; columns in the order of ``list(dag_)``.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If a node or an outcome does not exist, or X does not match the training data.

        See Also
        --------
        intervene : Draw new samples.

        Notes
        -----
        The outcomes of descendants are draws, seeded by ``random_state``. The draws of a row
        depend on its position in X, but neither on the rows after it nor on ``interventions``:
        with an int, several interventions on the same X meet the same noise. Repeat rows to get
        several draws.

        References
        ----------
        .. [1] Judea Pearl, *Causality*, 2nd edition, Cambridge University Press, 2009.
        .. [2] M. Oberst and D. Sontag, "Counterfactual off-policy evaluation with Gumbel-max
           structural causal models", ICML, 2019.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> rng = np.random.default_rng(0)
        >>> group = np.repeat([0, 1, 2, 3], 50)
        >>> images = rng.normal(size=(200, 4, 4)) + 6 * (group // 2)[:, None, None]
        >>> curves = rng.normal(size=(200, 10)) + 6 * (group % 2)[:, None]
        >>> model = CausalPIMA((2, 2), max_iter=5, random_state=0).fit([images, curves])
        >>> new, nodes = model.counterfactual([images[:3], curves[:3]], {"N1": 1})
        >>> new[0].shape, nodes[:, 0]
        ((3, 4, 4), array([1, 1, 1]))
        """
        dag, modalities, fitted = self.to_graph(), self._read(X), self._fitted_model()
        posterior = fitted.posterior(modalities)
        old, rng = posterior.probabilities.argmax(axis=1), check_random_state(self.random_state)
        labels = fitted.labelled(modalities).contexts
        factual = np.hstack([self.cluster_states_[old], labels.codes[fitted.contexts.is_cause].T])
        nodes = dag.counterfactual(factual, interventions, rng)[:, : len(self.joint_.shape)]
        new = fitted.components(nodes)
        arrays = fitted.decode(fitted.move(posterior.centres, old, new), new)
        return modalities.form.write(fitted.with_offsets(arrays, labels), labels), nodes

    def adapt(self, X: Samples) -> Self:
        """Return a fitted estimator that knows labels of a context more.

        Of a new label, offset and mix are found by expectation maximization, with all else as it
        was fitted. The labels of the samples are not needed otherwise: some of each kind of sample
        tell, sixty in all where kinds are few.

        Parameters
        ----------
        X : mapping, MultimodalData, DataFrame or Dataset
            Samples in the form of the training data, all with new labels of one context.

        Returns
        -------
        CausalPIMA
            Another estimator, of the same nodes and graph; this one stays as it is. Where the
            context has ``role="cause"``, tables of its children have rows more. Its
            ``adapted_`` says of each new label which share of the samples is in no known cell, how
            sure the offset is, and how :meth:`tail_probability` goes by that; see
            :class:`~skcausalpima.inspection.AdaptedLabel`.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If X does not match the training data, if there are no contexts or no new label, or if
            some samples have none.

        Warns
        -----
        ContextWarning
            Where samples are few or many of them in no known cell, or another offset would do as
            well.

        See Also
        --------
        tail_probability : Small for samples of no known cell.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> rng = np.random.default_rng(0)
        >>> kind, site = rng.integers(2, size=200), rng.integers(3, size=200)
        >>> x = rng.normal(size=(200, 3)) + 8 * kind[:, None] + 5 * site[:, None] * [1, 0, 0]
        >>> old = {"x": x[site < 2], "site": site[site < 2]}
        >>> new = {"x": x[site == 2], "site": site[site == 2]}
        >>> model = CausalPIMA(2, contexts="site", max_iter=5, random_state=0).fit(old)
        >>> later = model.adapt(new)
        >>> moves = later.offsets_["x"]["site"]
        >>> (moves[2] - moves[0]).round() + 0.0
        array([10.,  0.,  0.])
        """
        new = copy.copy(self)
        new.__dict__.update(fitted_attributes(adapted(self, self._fitted_model(), X)))
        return new

    def harmonize(self, X: Samples, to: Mapping[str, Hashable]) -> Decoded:
        """Return samples as they would have been measured under other labels of contexts.

        The offset of a sample's own label is taken from it, and that of the other one added: the
        data themselves are moved, with their noise. What the model expects of a sample under
        another label says :meth:`reconstruct`.

        Parameters
        ----------
        X : mapping, MultimodalData, DataFrame or Dataset
            Samples in the form of the training data, with their labels; modalities may be missing.
        to : mapping of str to label
            The label of each context that is to be another, as in ``{"instrument": "A"}``.

        Returns
        -------
        dict, MultimodalData, DataFrame or Dataset
            In the form of X, with the new labels. Integers come back as floats.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If X does not match the training data, or there is no such context or label.

        See Also
        --------
        reconstruct : With ``context``, what the model expects under other labels.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> rng = np.random.default_rng(0)
        >>> kind, site = rng.integers(2, size=(2, 200))
        >>> x = rng.normal(size=(200, 3)) + 8 * kind[:, None] + 5 * site[:, None] * [1, 0, 0]
        >>> X = {"x": x, "site": np.array(["here", "there"])[site]}
        >>> model = CausalPIMA(2, contexts="site", max_iter=5, random_state=0).fit(X)
        >>> moved = model.harmonize(X, to={"site": "here"})
        >>> (x - moved["x"])[site == 1].mean(axis=0).round() + 0.0
        array([5., 0., 0.])
        >>> set(moved["site"].tolist())
        {'here'}
        """
        modalities = self._read(X)
        return modalities.form.write(*self._fitted_model().harmonized(modalities, to))

    def weights_of(self, **labels: Hashable) -> np.ndarray:
        """Return the weights of the components under labels of contexts.

        Parameters
        ----------
        **labels : label
            By name of the context, as in ``weights_of(instrument="A")``. Over labels of other
            contexts it is averaged, by their shares among the training samples.

        Returns
        -------
        ndarray of shape (n_components,)
            In the order of ``weights_``.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If there is no such context or label.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> rng = np.random.default_rng(0)
        >>> site = rng.integers(2, size=200)
        >>> kind = rng.random(200) < np.where(site == 1, 0.9, 0.5)
        >>> X = {"x": rng.normal(size=(200, 3)) + 8 * kind[:, None], "site": site}
        >>> model = CausalPIMA(2, contexts="site", max_iter=5, random_state=0).fit(X)
        >>> bool(model.weights_of(site=1).max() > model.weights_of(site=0).max())
        True
        """
        return self._fitted_model().weights_under(labels)

    def report(
        self,
        X: Samples | None = None,
        *,
        check: bool = False,
        groups: ArrayLike | None = None,
        detail: str = "short",
    ) -> FitReport:
        """Return the figures of the fit, and what to do next, for people.

        Parameters
        ----------
        X : sequence, mapping, MultimodalData, array-like or DataFrame, default=None
            What the estimator was fitted to, for ``check``, and for what ``save`` of the report
            draws.
        check : bool, default=False
            Whether to fit clones to two halves of X, and to say where the model does not hold in
            the half that each has not seen, and whether halves agree on nodes: two further fits,
            and some seconds.
        groups : array-like of shape (n_samples,) or str, default=None
            Which samples belong together, for ``check``; None for what :meth:`fit` was given.
        detail : {"short", "full"}, default="short"
            What is printed: the verdict, what to do, nodes, cells, graph and data in 25 lines (more
            where warnings need them), or all figures.

        Returns
        -------
        FitReport
            Printed it is a text, in a notebook a table; its figures are attributes. Its ``save``
            makes one file to mail, with pictures.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If X has another form than the training data or another number of samples, or too few
            for halves, or if ``check`` is True without X.

        See Also
        --------
        skcausalpima.inspection.goodness_of_fit : All lines of the check, and new samples.
        skcausalpima.inspection.edge_confidence : How sure edges and nodes are, by refits.
        skcausalpima.inspection.table_intervals : How sure the tables are.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> rng = np.random.default_rng(0)
        >>> group = np.repeat([0, 1, 2, 3], 50)
        >>> images = rng.normal(size=(200, 4, 4)) + 6 * (group // 2)[:, None, None]
        >>> curves = rng.normal(size=(200, 10)) + 6 * (group % 2)[:, None]
        >>> report = CausalPIMA((2, 2), random_state=0).fit([images, curves]).report()
        >>> report.shares
        array([0.25, 0.25, 0.25, 0.25])
        >>> str(report).splitlines()[0]
        'Fit of 200 samples: 2 factors found; no warning'
        """
        return FitReport.of(self, X, check=check, groups=groups, detail=detail)

    def plot_summary(
        self, X: Samples, *, modality: str | int | None = None, x: Abscissae = None
    ) -> SummaryDisplay:
        """Draw the fit on one page: latent space, cells, graph and training.

        Parameters
        ----------
        X : sequence, mapping, MultimodalData, array-like or DataFrame
            Samples in the form of the training data; they are drawn in the latent space.
        modality : str or int, default=None
            Name or number of the modality in which the cells are shown; None takes all, of more
            than twelve the first twelve.
        x : array-like, (str, array-like), or mapping of str to these, default=None
            Abscissa of curves, and its name, such as ``("shift / cm-1", shift)``; by name of the
            modality where several are shown. None takes those of the fit, if it has some.

        Returns
        -------
        skcausalpima.inspection.SummaryDisplay
            ``figure_`` is the figure, to be saved or changed. ``latent``, ``prototypes``,
            ``graph`` and ``training`` are the single displays, and ``further`` are the cells in the
            other modalities. Where there is no room for all cells, the largest are drawn.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If X, ``modality`` or ``x`` does not match the training data.
        ImportError
            If matplotlib is not installed.

        See Also
        --------
        report : The fit in words.
        skcausalpima.inspection.PrototypeDisplay : The cells in another modality, or in samples.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> rng = np.random.default_rng(0)
        >>> group = np.repeat([0, 1, 2, 3], 50)
        >>> images = rng.normal(size=(200, 4, 4)) + 6 * (group // 2)[:, None, None]
        >>> curves = rng.normal(size=(200, 10)) + 6 * (group % 2)[:, None]
        >>> model = CausalPIMA((2, 2), max_iter=5, random_state=0).fit([images, curves])
        >>> display = model.plot_summary([images, curves])
        >>> display.axes_.shape
        (2, 2)
        """
        return SummaryDisplay.from_estimator(self, X, modality=modality, x=x)

    def save(self, path: str | os.PathLike) -> None:
        """Save the fitted estimator to one file, from which :meth:`load` reads it without code.

        The file is in the safetensors format; everything that is no array is JSON in its header.
        It appears under its name when it is complete, and then replaces a file that was there.

        Parameters
        ----------
        path : str or os.PathLike
            The file, by exactly this name: nothing is appended. If it is a folder, or ends with a
            separator (the folder is then made), the file is ``model.safetensors`` in it. A symbolic
            link is followed: it stays, and what it leads to is replaced or made.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If a parameter holds something that is neither plain Python nor NumPy. Modules,
            functions and experts in ``encoders``, ``decoders`` and ``experts`` are accepted, but
            not stored: :meth:`load` asks for them.
        ValueError
            If the estimator has an attribute that no fit sets, or values that :meth:`load` would
            refuse, or if ``path`` is empty or something else than a regular file or a folder.

        See Also
        --------
        load : Read it again.

        Notes
        -----
        All parameters and fitted attributes are stored, those with the labels of the training
        samples included, but neither the training data nor callbacks. The file keeps the
        permissions of one that it replaces.

        Examples
        --------
        >>> import numpy as np, os, tempfile
        >>> from skcausalpima import CausalPIMA
        >>> rng = np.random.default_rng(0)
        >>> X = rng.normal(size=(200, 2)) + 6 * np.repeat([0, 1], 100)[:, None]
        >>> model = CausalPIMA((2,), max_iter=2, random_state=0).fit(X)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "two groups")
        ...     model.save(path)
        ...     loaded = CausalPIMA.load(path)
        >>> np.array_equal(loaded.predict_proba(X), model.predict_proba(X))
        True
        """
        save_estimator(self, path)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike,
        *,
        experts: StatedExperts = None,
        encoders: StatedNetworks = None,
        decoders: StatedNetworks = None,
    ) -> Self:
        """Load an estimator that :meth:`save` wrote.

        No code runs because a file says so, nothing that it names is imported, and its numbers are
        checked against the model that it says it is. Predictions are equal bit by bit to
        those of the estimator that was saved, on the same machine with the same libraries. A model
        fitted on a GPU loads, and predicts, where there is none.

        Parameters
        ----------
        path : str or os.PathLike
            What :meth:`save` was given.
        experts, encoders, decoders : optional
            What the constructor got, where that was or held code: your own functions and modules.
            They are checked against the file (names, parameters, shapes); that they compute the
            same is yours to see to. The library's own model functions and networks need no
            argument.

        Returns
        -------
        CausalPIMA
            The fitted estimator.

        Raises
        ------
        FileNotFoundError
            If there is nothing at ``path``.
        ValueError
            If the file is damaged or no regular file of this class, if it is of another version
            of the format, if code is missing, or if it does not fit.
        TypeError
            If an argument is of a type that the constructor does not take.

        See Also
        --------
        save : Write the file.

        Examples
        --------
        >>> import numpy as np, os, tempfile
        >>> from skcausalpima import CausalPIMA
        >>> from skcausalpima.modules import ExpertDecoder
        >>> def slope(x, a):
        ...     return a * x
        >>> x, a = np.linspace(0, 1, 20), np.repeat([1.0, 5.0], 50)
        >>> curves = a[:, None] * x + np.random.default_rng(0).normal(size=(100, 20)) / 10
        >>> experts = [ExpertDecoder(slope, x)]
        >>> model = CausalPIMA((2,), experts=experts, max_iter=5, random_state=0).fit(curves)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "slopes")
        ...     model.save(path)
        ...     loaded = CausalPIMA.load(path, experts=experts)
        >>> np.array_equal(loaded.predict_proba(curves), model.predict_proba(curves))
        True
        """
        given = {"experts": experts, "encoders": encoders, "decoders": decoders}
        return load_estimator(cls, path, given)

    @classmethod
    def resume(
        cls,
        path: str | os.PathLike,
        X: Samples,
        *,
        sample_weight: ArrayLike | None = None,
        known_nodes: KnownNodes = None,
        interventions: KnownNodes = None,
        groups: ArrayLike | None = None,
        experts: StatedExperts = None,
        encoders: StatedNetworks = None,
        decoders: StatedNetworks = None,
    ) -> Self:
        """Go on with a fit that was stopped, from its last checkpoint.

        The estimator is the one that the fit would have left, bit by bit, on the same machine with
        the same libraries. Further checkpoints go to the same file.

        Parameters
        ----------
        path : str or os.PathLike
            What :class:`~skcausalpima.callback.Checkpoint` was given.
        X : sequence, mapping, MultimodalData, array-like or DataFrame
            The data of the fit.
        sample_weight, known_nodes, interventions, groups : array-like, default=None
            What the fit was given, see :meth:`fit`.
        experts, encoders, decoders : optional
            What the constructor got, where that was or held code, see :meth:`load`.

        Returns
        -------
        CausalPIMA
            The fitted estimator. Its one callback writes the checkpoints.

        Raises
        ------
        FileNotFoundError
            If there is nothing at ``path``: the fit was stopped before its first checkpoint.
        ValueError
            If it is no whole checkpoint, or one of another class, of another version of the
            library, or of other data. If code is missing, or does not fit. As :meth:`fit` does.

        Warns
        -----
        UserWarning
            If the fit had come to its end. What followed its last checkpoint is made again.

        See Also
        --------
        skcausalpima.callback.Checkpoint : Writes the file.

        Notes
        -----
        It needs scikit-learn 1.9 or later.

        Examples
        --------
        >>> import os, tempfile, warnings
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> from skcausalpima.callback import Checkpoint, OnEpoch
        >>> noise = np.random.default_rng(0).normal(size=(40, 2))
        >>> X = np.tile([[0.0, 1.0], [8.0, 9.0]], (20, 1)) + noise  # two kinds in turn
        >>> whole = CausalPIMA(2, max_iter=4, random_state=0).fit(X)
        >>> stop = OnEpoch(lambda record: record.phase == "training" and record.epoch == 2)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "checkpoint")
        ...     model = CausalPIMA(2, max_iter=4, random_state=0)
        ...     with warnings.catch_warnings(action="ignore"):
        ...         model = model.set_callbacks(Checkpoint(path), stop).fit(X)
        ...     resumed = CausalPIMA.resume(path, X)
        >>> model.n_iter_, resumed.n_iter_, resumed.lower_bound_ == whole.lower_bound_
        (2, 4, True)
        """
        given = {"experts": experts, "encoders": encoders, "decoders": decoders}
        of_nodes: Values = {"known_nodes": known_nodes, "interventions": interventions}
        begun = load_checkpoint(cls, path, given)
        return begun.fit(X, None, sample_weight, groups=groups, **of_nodes)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.input_tags.allow_nan = allows_gaps(self)
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "lower_bound_")

    def _read(self, X: Samples) -> Modalities:
        """Check samples for a fitted model."""
        check_is_fitted(self)
        return samples_of(self, X)

    def _fitted_model(self) -> FittedModel:
        """Return the model of the fit."""
        check_is_fitted(self)
        return model_of(self)

    def _become(self, new: Self, state: FittedState) -> None:
        """Take the attributes of another estimator and those of a fit.

        In one step: no interrupt leaves a part of a fit.
        """
        new.__dict__.update(fitted_attributes(state))
        self.__dict__ = new.__dict__
