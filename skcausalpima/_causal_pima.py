"""The estimator."""

from __future__ import annotations

import functools
import math

import networkx as nx
import numpy as np
import torch
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    ClusterMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted

from ._covariances import full_covariances, sklearn_covariances
from ._fitting import HardGraph, Run, Setup, run
from ._inference import bounds, decoded, posterior_and_cells
from ._linear_start import principal_scores
from ._modalities import Modalities, read_modalities, write_modalities
from ._model_state import build_model, export_state, load_state
from ._parameters import (
    PARAMETER_CONSTRAINTS,
    check_hidden_layer_sizes,
    check_node_names,
    check_node_sizes,
    per_modality,
    resolve_device,
    resolve_latent_dim,
    resolve_modality_weights,
    resolve_temperatures,
)
from ._scaling import ModalityScaler
from ._training import TrainingData
from .modules import MultimodalVAE


class CausalPIMA(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, BaseEstimator):
    _parameter_constraints = PARAMETER_CONSTRAINTS

    def __init__(
        self,
        node_sizes=(2, 2),
        *,
        latent_dim=None,
        modality_shapes=None,
        node_names=None,
        encoders=None,
        decoders=None,
        hidden_layer_sizes=(128, 64, 32, 16),
        prior_expert=True,
        scale="modality",
        modality_weights="balanced",
        covariance_type="full",
        covariance_shrinkage="auto",
        reg_covar=1e-6,
        decoder_variance="learned",
        responsibilities="expected",
        init="linear",
        n_mixture_init=4,
        pretraining="vae",
        pretraining_epochs=10,
        structure="gradient",
        edge_threshold=0.5,
        temperature=1.0,
        score_noise=0.0,
        graph_learning_rate=1e-2,
        n_graph_steps=0,
        n_mixture_updates=1,
        max_iter=50,
        tol=1e-3,
        n_iter_no_change=10,
        validation_fraction=0.0,
        n_init=1,
        batch_size=128,
        learning_rate=1e-3,
        max_grad_norm=None,
        max_components=1024,
        device="cpu",
        random_state=None,
        verbose=0,
    ):
        self.node_sizes = node_sizes
        self.latent_dim = latent_dim
        self.modality_shapes = modality_shapes
        self.node_names = node_names
        self.encoders = encoders
        self.decoders = decoders
        self.hidden_layer_sizes = hidden_layer_sizes
        self.prior_expert = prior_expert
        self.scale = scale
        self.modality_weights = modality_weights
        self.covariance_type = covariance_type
        self.covariance_shrinkage = covariance_shrinkage
        self.reg_covar = reg_covar
        self.decoder_variance = decoder_variance
        self.responsibilities = responsibilities
        self.init = init
        self.n_mixture_init = n_mixture_init
        self.pretraining = pretraining
        self.pretraining_epochs = pretraining_epochs
        self.structure = structure
        self.edge_threshold = edge_threshold
        self.temperature = temperature
        self.score_noise = score_noise
        self.graph_learning_rate = graph_learning_rate
        self.n_graph_steps = n_graph_steps
        self.n_mixture_updates = n_mixture_updates
        self.max_iter = max_iter
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.validation_fraction = validation_fraction
        self.n_init = n_init
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.max_grad_norm = max_grad_norm
        self.max_components = max_components
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        modalities = read_modalities(self, X, modality_shapes=self.modality_shapes, reset=True)
        setup = self._set_up(modalities)
        self._scaler = ModalityScaler.fit(modalities, self.scale)
        data = self._training_data(modalities, setup.device)
        rng = check_random_state(self.random_state)
        scores = principal_scores(data, max(20, setup.latent_dim), rng.randint(2**31 - 1))
        best = None
        for restart in range(self.n_init):
            report = self._reporter(restart)
            candidate = run(self, setup, data, scores, rng.randint(2**31 - 1), report)
            if best is None or candidate.objective > best.objective:
                best = candidate
        self._export(best, setup, data)
        self.lower_bound_ = float(self._bounds(best.model, data, modalities).mean())
        return self

    def fit_predict(self, X, y=None):
        """Fit the model and return the component of every training sample.

        Parameters
        ----------
        X : sequence, mapping, MultimodalData, array-like or DataFrame
            Training data; see :class:`CausalPIMA`.
        y : Ignored
            Present for API consistency.

        Returns
        -------
        ndarray of shape (n_samples,)
            ``labels_``.
        """
        return self.fit(X, y).labels_

    def transform(self, X):
        """Return the posterior means in the latent space.

        Parameters
        ----------
        X : sequence, mapping, MultimodalData, array-like or DataFrame
            Samples in the form of the training data; modalities may be missing.

        Returns
        -------
        ndarray of shape (n_samples, latent_dim)
            Means of q(z|x) (Eq. 4).
        """
        return self._posterior_and_cells(X)[0]

    def predict_proba(self, X):
        """Return the probability of every component (Eq. 16 in expectation).

        Parameters
        ----------
        X : sequence, mapping, MultimodalData, array-like or DataFrame
            Samples in the form of the training data; modalities may be missing.

        Returns
        -------
        ndarray of shape (n_samples, n_components)
            Responsibilities; rows sum to 1.
        """
        return self._posterior_and_cells(X)[1]

    def predict(self, X):
        """Return the most probable component.

        Parameters
        ----------
        X : sequence, mapping, MultimodalData, array-like or DataFrame
            Samples in the form of the training data; modalities may be missing.

        Returns
        -------
        ndarray of shape (n_samples,)
            Component numbers; ``cluster_states_`` has the outcomes they stand for.
        """
        return self.predict_proba(X).argmax(axis=1)

    def predict_nodes(self, X):
        """Return the outcomes of all nodes in the most probable component.

        Parameters
        ----------
        X : sequence, mapping, MultimodalData, array-like or DataFrame
            Samples in the form of the training data; modalities may be missing.

        Returns
        -------
        ndarray of shape (n_samples, n_nodes)
            ``cluster_states_[predict(X)]``; columns in the order of ``list(dag_)``.
        """
        return self.cluster_states_[self.predict(X)]

    def score_samples(self, X):
        """Return the evidence lower bound of every sample (Eq. 31), in nats.

        All constants are included and the units are those of the data, so that models of
        different ``node_sizes``, ``latent_dim`` or ``scale`` can be compared. It is always the
        plain bound, whatever ``modality_weights``. The expectation over z is taken over one fixed
        set of draws.

        Parameters
        ----------
        X : sequence, mapping, MultimodalData, array-like or DataFrame
            Samples in the form of the training data; modalities may be missing and then do not
            count.

        Returns
        -------
        ndarray of shape (n_samples,)
            Lower bounds of the log-density.
        """
        check_is_fitted(self)
        modalities = self._read(X)
        model = self._model()
        return self._bounds(model, self._training_data(modalities, model), modalities)

    def score(self, X, y=None, sample_weight=None):
        """Return the mean evidence lower bound per sample.

        Parameters
        ----------
        X : sequence, mapping, MultimodalData, array-like or DataFrame
            Samples in the form of the training data; modalities may be missing.
        y : Ignored
            Present for API consistency.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the mean.

        Returns
        -------
        float
            In nats.
        """
        values = self.score_samples(X).astype(np.float64)
        return float(np.average(values, weights=sample_weight))

    def inverse_transform(self, X):
        """Decode points of the latent space.

        Parameters
        ----------
        X : array-like of shape (n_samples, latent_dim)
            Latent points.

        Returns
        -------
        list of ndarray, or ndarray
            Decoded means in the shapes and units of the training data: a list in the order of
            ``modality_names_in_``, one array if fitted on one modality, a flat one if fitted flat.
        """
        check_is_fitted(self)
        points = check_array(X, dtype=[np.float64, np.float32], input_name="X")
        if points.shape[1] != self.latent_dim_:
            raise ValueError(
                f"X has {points.shape[1]} columns, but the latent space has {self.latent_dim_} "
                "dimensions."
            )
        model = self._model()
        arrays = decoded(model, points)
        return write_modalities(self, self._scaler.inverse_transform(arrays))

    def sample(self, n_samples=1):
        """Draw samples from the fitted model.

        Components are drawn from ``weights_``, latent points from their Gaussians, and data from
        the decoders, observation noise included.

        Parameters
        ----------
        n_samples : int, default=1
            How many.

        Returns
        -------
        X : list of ndarray, or ndarray
            Samples in the shapes and units of the training data, as from
            :meth:`inverse_transform`.
        labels : ndarray of shape (n_samples,)
            Components.
        """
        check_is_fitted(self)
        rng = check_random_state(self.random_state)
        labels = np.sort(rng.choice(len(self.weights_), size=n_samples, p=self.weights_))
        factors = np.linalg.cholesky(
            full_covariances(
                self.cluster_covariances_, self._covariance_type, *self.cluster_means_.shape
            )
        )
        noise = rng.standard_normal((n_samples, self.latent_dim_))
        points = self.cluster_means_[labels] + np.einsum("nij,nj->ni", factors[labels], noise)
        model = self._model()
        arrays = [
            array + np.exp(0.5 * float(log_var)) * rng.standard_normal(array.shape)
            for array, log_var in zip(decoded(model, points), model.log_variances, strict=True)
        ]
        return write_modalities(self, self._scaler.inverse_transform(arrays)), labels

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    @property
    def _n_features_out(self):
        """Number of columns of :meth:`transform`."""
        return self.latent_dim_

    def _set_up(self, modalities: Modalities) -> Setup:
        """Resolve the parameters for this data."""
        node_sizes = check_node_sizes(self.node_sizes, self.max_components)
        shrinkage = self.covariance_shrinkage
        if shrinkage == "auto":
            shrinkage = modalities.n_samples / math.prod(node_sizes)
        self._node_names = check_node_names(self.node_names, len(node_sizes))
        return Setup(
            node_sizes=node_sizes,
            latent_dim=resolve_latent_dim(self.latent_dim, node_sizes),
            names=modalities.names,
            shapes=modalities.shapes,
            encoders=per_modality(self.encoders, modalities.names, "encoders"),
            decoders=per_modality(self.decoders, modalities.names, "decoders"),
            hidden_layer_sizes=check_hidden_layer_sizes(self.hidden_layer_sizes),
            modality_weights=tuple(
                resolve_modality_weights(self.modality_weights, modalities.widths).tolist()
            ),
            temperatures=resolve_temperatures(self.temperature, self.max_iter),
            shrinkage=float(shrinkage),
            dtype=modalities.dtype,
            device=resolve_device(self.device),
        )

    def _reporter(self, restart):
        """Return what is called after every epoch."""

        def report(epoch, terms):
            if self.verbose:
                print(
                    f"[CausalPIMA] start {restart + 1}, epoch {epoch + 1}: bound "
                    f"{terms['lower_bound']:.4f} nats (scaled data)"
                )

        return report

    def _read(self, X):
        """Check samples for a fitted model."""
        modalities = read_modalities(self, X, reset=False)
        if not self._architecture["prior_expert"]:
            nothing = np.flatnonzero(~modalities.observed.any(axis=0))
            if len(nothing):
                raise ValueError(
                    f"Sample {nothing[0]} has no observed modality, which needs prior_expert=True "
                    "(without it its posterior has infinite variance)."
                )
        return modalities

    def _training_data(self, modalities, model_or_device):
        """Scale samples and put them on a device."""
        device = model_or_device
        if isinstance(model_or_device, MultimodalVAE):
            device = model_or_device.prior.means.device
        arrays = tuple(torch.from_numpy(a).to(device) for a in self._scaler.transform(modalities))
        observed = None
        if not modalities.observed.all():
            observed = torch.from_numpy(modalities.observed.copy()).to(device)
        return TrainingData(arrays, observed, getattr(torch, modalities.dtype.name))

    def _model(self):
        """Rebuild the fitted model."""
        names = self.modality_names_in_
        model = build_model(
            **self._architecture,
            encoders=per_modality(self.encoders, names, "encoders"),
            decoders=per_modality(self.decoders, names, "decoders"),
            generator=torch.Generator(),
        )
        load_state(model, self._state)
        device = resolve_device(self.device if torch.cuda.is_available() else "cpu")
        return model.to(device).eval()

    def _posterior_and_cells(self, X):
        """Return posterior means and the probabilities of the components in their order."""
        check_is_fitted(self)
        modalities = self._read(X)
        model = self._model()
        data = self._training_data(modalities, model)
        means, cells = posterior_and_cells(model, data)
        order = np.ravel_multi_index(self.cluster_states_.T, self.joint_.shape)
        return means.cpu().numpy(), cells.cpu().numpy()[:, order]

    def _bounds(self, model, data, modalities):
        """Return the bound of every sample in the user's units."""
        values = bounds(model, data).cpu().numpy()
        jacobian = self._scaler.log_jacobian(modalities.observed)
        return values + jacobian.astype(values.dtype)

    def _export(self, best: Run, setup: Setup, data: TrainingData) -> None:
        """Turn the trained model into fitted attributes (NumPy and plain Python only)."""
        self.latent_dim_ = setup.latent_dim
        self._covariance_type = self.covariance_type
        self._architecture = {
            "node_sizes": setup.node_sizes,
            "latent_dim": setup.latent_dim,
            "shapes": setup.shapes,
            "hidden_layer_sizes": setup.hidden_layer_sizes,
            "linear": self.init != "paper",
            "full_covariances": self.covariance_type in ("full", "tied"),
            "modality_weights": setup.modality_weights,
            "prior_expert": self.prior_expert,
            "sampled_responsibilities": self.responsibilities == "sample",
            "dtype": setup.dtype,
        }
        self._state = export_state(best.model)
        cells = posterior_and_cells(best.model, data)[1].cpu().numpy().argmax(axis=1)
        occupied = np.unique(cells)
        empty = np.setdiff1d(np.arange(math.prod(setup.node_sizes)), occupied)
        order = np.concatenate([occupied, empty])
        self.cluster_states_ = np.stack(np.unravel_index(order, setup.node_sizes), axis=1)
        self.labels_ = np.searchsorted(occupied, cells)
        self.node_labels_ = self.cluster_states_[self.labels_]
        self.cluster_means_ = self._state["prior.means"][order]
        covariances = self._state["prior.covariances"][order]
        self.cluster_covariances_ = sklearn_covariances(covariances, self.covariance_type)
        self._export_graph(best.graph, order)
        self.history_ = {
            key: np.array([terms[key] for terms in best.history]) for key in best.history[0]
        }
        self.n_iter_ = len(best.history)
        self.converged_ = best.converged

    def _export_graph(self, graph: HardGraph, order: np.ndarray) -> None:
        """Export the graph, its tables and their product."""
        self.edge_weights_ = graph.edge_weights
        self.node_scores_ = graph.node_scores
        names = self._node_names
        self.dag_ = nx.DiGraph()
        joint = functools.reduce(np.multiply, graph.tables)
        for name, size in zip(names, joint.shape, strict=True):
            self.dag_.add_node(name, size=size)
        for parent, child in np.argwhere(graph.adjacency):
            weight = float(graph.edge_weights[parent, child])
            self.dag_.add_edge(names[parent], names[child], weight=weight)
        self.cpts_ = {
            name: _compact_table(table, node, graph.adjacency[:, node])
            for node, (name, table) in enumerate(zip(names, graph.tables, strict=True))
        }
        self.joint_ = joint
        self.weights_ = joint.ravel()[order]


def _compact_table(table: np.ndarray, node: int, is_parent: np.ndarray) -> np.ndarray:
    """Drop the axes of nodes that are no parents and put the node's own axis last."""
    others = tuple(axis for axis in range(table.ndim) if axis != node and not is_parent[axis])
    axis = int(is_parent[:node].sum())
    return np.moveaxis(table.squeeze(others), axis, -1)
