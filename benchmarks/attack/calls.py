"""The public callables, each with right arguments of which an attack replaces one or two."""

from __future__ import annotations

import copy
import os
import pickle
import tempfile
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import networkx as nx
import numpy as np
import pandas as pd
from attack.values import hostile
from attack.verdicts import Case, require_finite
from sklearn.preprocessing import StandardScaler

from skcausalpima import (
    BackgroundKnowledge,
    CausalPIMA,
    Initialization,
    ModalityTransformer,
    MultimodalData,
    ScoreSearch,
    datasets,
    metrics,
)
from skcausalpima.graph import CategoricalDAG
from skcausalpima.inspection import associate_nodes, edge_confidence
from skcausalpima.model_selection import select_node_sizes
from skcausalpima.modules import ExpertDecoder, line, piecewise_linear

QUICK = {
    "node_sizes": (2, 2),
    "hidden_layer_sizes": (4,),
    "max_iter": 2,
    "init": Initialization(pretraining_epochs=1),
    "structure": ScoreSearch(polishing_epochs=1),
    "knowledge": BackgroundKnowledge(),
    "random_state": 0,
}
#: Whole numbers that say how often something is done: without limit, and rightly so.
REPEATS = {
    *("max_iter", "n_init", "n_permutations", "n_bootstraps", "n_jobs"),
    *("init__pretraining_epochs", "structure__polishing_epochs"),
    "missing_values__subset_epochs",
}
#: Right values of parameters whose default is None, so that they can be changed by one entry.
RIGHT = {
    "latent_dim": 2,
    "experts": [None, line],
    "encoders": ["mlp", "conv", "conv_paper"],
    "decoders": ["mlp", "cluster_mlp"],
    "scale": ["feature", None],
    "modality_weights": [1.0, 2.0],
    "mixture__shrinkage": 1.0,
    "decoder_variance": 0.5,
    "structure": nx.DiGraph([("N1", "N2")]),
    "knowledge__required": [("N1", "N2")],
    "knowledge__forbidden": [("N1", "N2")],
    "knowledge__tiers": [["N1"], ["N2"]],
    "training__max_grad_norm": 1.0,
}


class Target(NamedTuple):
    """A callable with right arguments, by name."""

    name: str
    call: Callable[..., Any]
    arguments: Callable[[], dict[str, Any]]
    slots: tuple[str, ...]  # which of them are replaced
    share: float = 1.0  # how often it is drawn
    finite: bool = True  # whether results are finite, however many values are missing
    allowed: tuple[type[BaseException], ...] = ()


@cache
def pair() -> list[np.ndarray]:
    """Images (32, 3, 2) and curves (32, 4) of four groups."""
    rng, group = np.random.default_rng(0), np.repeat(np.arange(4), 8)
    images = rng.normal(size=(32, 3, 2)) + 5.0 * (group // 2)[:, None, None]
    return [images, 10.0 * rng.normal(size=(32, 4)) + 50.0 * (group % 2)[:, None]]


@cache
def fitted_bytes(expert: bool = False) -> bytes:
    """Return an estimator that was fitted to `pair`, pickled."""
    experts = [None, ExpertDecoder(line, np.linspace(0.0, 1.0, 4))] if expert else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pickle.dumps(CausalPIMA(**QUICK, experts=experts).fit(pair()))


def dag() -> CategoricalDAG:
    """Return a chain of two nodes and a third one beside it."""
    tables = [[0.25, 0.75], [[0.5, 0.5], [0.1, 0.9]], [0.2, 0.3, 0.5]]
    return CategoricalDAG.from_arrays([[0, 1, 0], [0, 0, 0], [0, 0, 0]], tables)


def _fit(**parameters: Any) -> CausalPIMA:
    """Fit, and predict what was fitted."""
    model = CausalPIMA().set_params(**parameters)
    X = pair()
    require_finite(model.fit(X).score_samples(X))
    require_finite(model.predict_proba(X))
    return model


def _fit_data(**arguments: Any) -> CausalPIMA:
    return CausalPIMA(**QUICK).fit(**arguments)


def _fit_frame(frame: Any) -> CausalPIMA:
    return CausalPIMA(**QUICK).fit(MultimodalData.from_flat(frame, [2, 4]))


def _method(name: str, expert: bool = False) -> Callable[..., Any]:
    """Return what calls a method of a fitted estimator."""

    def call(**arguments: Any) -> Any:
        return getattr(pickle.loads(fitted_bytes(expert)), name)(**arguments)

    return call


def _graph_method(name: str) -> Callable[..., Any]:
    return lambda **arguments: getattr(dag(), name)(**arguments)


def _graph_marginal(evidence: Any, names: Any) -> Any:
    return dag().condition(evidence).marginal(names)


def _container(**arguments: Any) -> Any:
    data = MultimodalData(**arguments)
    return repr(data), data._repr_html_(), data == data, data.to_flat()


def _transformed(transformers: Any, remainder: Any, X: Any) -> Any:
    transformer = ModalityTransformer(transformers, remainder).fit(X)
    given = transformer.transform(X)
    back = hasattr(transformer, "inverse_transform")
    return transformer.get_feature_names_out(), transformer.inverse_transform(
        given
    ) if back else given


def _associations(**arguments: Any) -> Any:
    """Return the p-values: statistics of constant columns are NaN, as documented."""
    model = pickle.loads(fitted_bytes())
    return associate_nodes(model, pair(), n_permutations=3, **arguments).p_value


def _confidence(**arguments: Any) -> Any:
    return edge_confidence(pickle.loads(fitted_bytes()), **arguments)


def _selection(**arguments: Any) -> Any:
    """Return what is finite for each candidate; others are NaN for a single node."""
    results = select_node_sizes(CausalPIMA(**QUICK), **arguments).results
    return {k: results[k] for k in ("mean_bound", "std_bound", "stability", "smallest_share")}


def _saved(path: Any) -> None:
    """Save below a scratch folder, whatever the path says."""
    with tempfile.TemporaryDirectory() as folder:
        home = os.getcwd()
        os.chdir(folder)
        try:
            pickle.loads(fitted_bytes()).save(path)
            CausalPIMA.load(path)
        finally:
            os.chdir(home)


def _loaded(**arguments: Any) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model")
        pickle.loads(fitted_bytes(True)).save(path)
        return CausalPIMA.load(path, **arguments)


def _estimator_targets() -> list[Target]:
    names = CausalPIMA(**QUICK).get_params()
    everything = tuple(name for name in names if name != "device__compile")  # which takes minutes
    labels = {"N1": np.repeat([0.0, 1.0], 16)}
    weights = {"X": pair(), "sample_weight": np.ones(32)}
    known = {"X": pair(), "known_nodes": labels, "interventions": {"N2": np.full(32, np.nan)}}
    frame = pd.DataFrame(np.hstack([pair()[0][:, 0], pair()[1]]), columns=list("abcdef"))
    points = np.zeros((3, 2))
    methods = ("transform", "predict", "predict_proba", "predict_nodes", "score_samples")
    return [
        Target("CausalPIMA(..).fit", _fit, lambda: dict(QUICK), everything, 20.0),
        Target("fit", _fit_data, lambda: dict(weights), ("X", "sample_weight"), 6.0),
        Target("fit(known_nodes)", _fit_data, lambda: dict(known), tuple(known), 4.0),
        Target("fit(frame)", _fit_frame, lambda: {"frame": frame}, ("frame",), 2.0),
        *(Target(name, _method(name), lambda: {"X": pair()}, ("X",), 2.0) for name in methods),
        Target("score", _method("score"), lambda: dict(weights), ("X", "sample_weight"), 4.0),
        Target(
            "inverse_transform", _method("inverse_transform"), lambda: {"X": points}, ("X",), 2.0
        ),
        Target("sample", _method("sample"), lambda: {"n_samples": 2}, ("n_samples",)),
        _two("intervene", {"interventions": {"N1": 1}, "n_samples": 2}),
        _two("counterfactual", {"X": pair(), "interventions": {"N1": 1}}, 2.0),
        Target(
            "predict_expert_params",
            _method("predict_expert_params", expert=True),
            lambda: {"X": pair()},
            ("X",),
        ),
        _two("get_feature_names_out", {"input_features": None}),
        Target("save", _saved, lambda: {"path": "model"}, ("path",), 1.0, True, (OSError,)),
        Target("load", CausalPIMA.load, lambda: {"path": "x"}, ("path",), 1.0, True, (OSError,)),
        Target("load(experts=..)", _loaded, _expert, ("experts", "encoders", "decoders")),
    ]


def _expert() -> dict[str, Any]:
    expert = ExpertDecoder(line, np.linspace(0.0, 1.0, 4))
    return {"experts": {"modality1": expert}, "encoders": None, "decoders": None}


def _two(name: str, arguments: dict[str, Any], share: float = 1.0) -> Target:
    """Return a target for a method whose arguments are all replaced."""
    return Target(name, _method(name), lambda: dict(arguments), tuple(arguments), share)


def _graph_targets() -> list[Target]:
    both = {"graph": dag().graph, "cpts": {k: np.array(v) for k, v in dag().cpts.items()}}
    arrays = {
        "adjacency": np.array([[0, 1], [0, 0]]),
        "tables": [np.array([0.25, 0.75]), np.array([[0.5, 0.5], [0.1, 0.9]])],
        "names": ["a", "b"],
        "weights": np.array([[0.0, 0.5], [0.0, 0.0]]),
    }
    methods = {
        "marginal": {"names": ["N1", "N3"]},
        "condition": {"evidence": {"N1": 1}},
        "do": {"interventions": {"N1": 1}},
        "sample": {"n_samples": 2, "random_state": 0},
        "log_prob": {"outcomes": np.zeros((2, 3), dtype=int)},
        "ancestors": {"node": "N2"},
        "d_separated": {"x": "N1", "y": "N3", "given": ["N2"]},
        "edge_strength": {"parent": "N1", "child": "N2"},
        "markov_equivalent": {"other": dag()},
        "rename_nodes": {"mapping": {"N1": "a"}},
        "table": {"node": "N2"},
    }
    evidence = {"evidence": {"N1": 1}, "names": ["N2", "N3"]}
    return [
        Target("CategoricalDAG", _written, lambda: dict(both), tuple(both), 4.0),
        Target("from_arrays", CategoricalDAG.from_arrays, lambda: dict(arrays), tuple(arrays), 3.0),
        Target("condition(..).marginal", _graph_marginal, lambda: evidence, tuple(evidence), 2.0),
        *(
            Target(f"graph.{name}", _graph_method(name), lambda a=a: dict(a), tuple(a))
            for name, a in methods.items()
        ),
    ]


def _written(graph: Any, cpts: Any) -> Any:
    """Make a network, and use it."""
    made = CategoricalDAG(graph, cpts)
    return made.joint(), made.summary(), made.sample(2, random_state=0), made.cpdag(), repr(made)


def _data_targets() -> list[Target]:
    named = {"arrays": pair(), "names": ["image", "curve"]}
    flat = {"flat": np.ones((5, 6)), "shapes": [(2,), (2, 2)], "names": ["a", "b"]}
    frame = pd.DataFrame({"a": [np.ones(2)] * 3, "b": [1.0, 2.0, 3.0]})
    parts = {"parts": [MultimodalData(pair()), MultimodalData(pair())]}
    scaled = {
        "transformers": {"modality1": StandardScaler()},
        "remainder": "passthrough",
        "X": MultimodalData(pair()),
    }
    indexing = (IndexError, KeyError)
    return [
        Target("MultimodalData", _container, lambda: dict(named), tuple(named), 3.0, False),
        Target(
            "X[..]",
            lambda key: MultimodalData(pair())[key],
            lambda: {"key": ([0, 1], ["modality0"])},
            ("key",),
            2.0,
            False,
            indexing,
        ),
        _plain("from_flat", MultimodalData.from_flat, flat, False),
        _plain("from_frame", MultimodalData.from_frame, {"frame": frame}, False),
        _plain("concatenate", MultimodalData.concatenate, parts, False),
        Target(
            "ModalityTransformer", _transformed, lambda: dict(scaled), tuple(scaled), 3.0, False
        ),
    ]


def _plain(name: str, call: Callable, arguments: dict, finite: bool = True, share: float = 1.0):
    """Return a target all of whose arguments are replaced."""
    return Target(name, call, lambda: dict(arguments), tuple(arguments), share, finite)


def _tool_targets() -> list[Target]:
    circles = {"n_samples": 5, "graph": "chain", "overlap": 1.0, "curves": True, "image_size": 8}
    few = {"n_samples": 5, "random_state": 0}
    labels = {"y_true": np.array([0, 0, 1, 1]), "y_pred": np.array([1, 1, 0, 0])}
    nodes = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    expert = {"f": line, "x": np.linspace(0, 1, 4), "p0": {"slope": 1.0}, "per": "cluster"}
    bounds = {"bounds": {"slope": (-2.0, 2.0)}, "fixed": {"intercept": 0.0}}
    words = {
        "depends_on": {"slope": ["N1"]},
        "variance": "cluster",
        "scatter": False,
        "refit": True,
    }
    metadata = {"metadata": pd.DataFrame({"a": ["x", "y"] * 16}), "measure": "nmi"}
    candidates = {"X": MultimodalData(pair()), "candidates": [(2,), (2, 2)], "cv": 2}
    confidence = {"X": pair(), "n_bootstraps": 2, "resample": True, "params": {"max_iter": 1}}
    graphs = {"dag_a": nx.DiGraph([("a", "b")]), "dag_b": nx.DiGraph([("b", "a")])}
    digits = {"noise_variance": 0.5, "n_points": 4, "random_state": 0}
    return [
        _plain("make_circles_images", datasets.make_circles_images, circles | {"random_state": 0}),
        _plain("make_striped_circles", datasets.make_striped_circles, few | {"overlap": 1.0}),
        _plain("make_sized_circles", datasets.make_sized_circles, few | {"overlap": 1.0}),
        _plain("make_grey_bars", datasets.make_grey_bars, few),
        _plain("make_lattices", datasets.make_lattices, few),
        _plain("make_pendulum", datasets.make_pendulum, few | {"noise": 0.1}),
        _plain("make_rectangles", datasets.make_rectangles, few | {"noise": 0.1}),
        _plain("make_spectra", datasets.make_spectra, few | {"noise": 0.1}),
        _plain("make_sprites", datasets.make_sprites, few | {"half_widths": (3.0, 5.0)}),
        _plain("load_digits_with_curves", datasets.load_digits_with_curves, digits, True, 0.5),
        _plain("matched_accuracy", metrics.matched_accuracy, labels, True, 2.0),
        _plain("node_recovery", metrics.node_recovery, {"factors": nodes, "nodes": nodes}),
        _plain("structural_hamming_distance", metrics.structural_hamming_distance, graphs),
        _plain("ExpertDecoder", ExpertDecoder, expert | bounds | words, True, 4.0),
        _plain("piecewise_linear", piecewise_linear, {"n_pieces": 2, "intercept": True}),
        _plain("associate_nodes", _associations, metadata, True, 2.0),
        _plain("edge_confidence", _confidence, confidence, True, 0.5),
        _plain("select_node_sizes", _selection, candidates, True, 0.5),
    ]


@cache
def targets() -> tuple[list[Target], np.ndarray]:
    """Return the targets and the probability of each."""
    found = [*_estimator_targets(), *_graph_targets(), *_data_targets(), *_tool_targets()]
    shares = np.array([target.share for target in found])
    return found, shares / shares.sum()


def case(rng: np.random.Generator) -> Case:
    """Draw a callable and replace one or two of its arguments."""
    found, shares = targets()
    return attacked(rng, found[rng.choice(len(found), p=shares)])


def attacked(rng: np.random.Generator, target: Target) -> Case:
    """Replace one or two arguments of a target."""
    arguments = copy.deepcopy(target.arguments())
    n_slots = min(len(target.slots), 1 + int(rng.random() < 0.2))
    texts = []
    for slot in rng.choice(target.slots, size=n_slots, replace=False).tolist():
        base = arguments.get(slot, RIGHT.get(slot))
        text, arguments[slot] = hostile(rng, base, huge=slot not in REPEATS)
        texts.append(f"{slot}={text}")

    def run() -> Any:
        result = target.call(**arguments)
        return require_finite(result) if target.finite else result

    return Case(f"{target.name}({', '.join(texts)})", run, target.allowed)
