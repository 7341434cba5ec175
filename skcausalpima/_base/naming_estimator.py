"""Names that other libraries give to parameters, and those here."""

from __future__ import annotations

import difflib
import functools
import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self, TypeVar

from sklearn.base import BaseEstimator

from .types import Unchecked

#: Parameters of scikit-learn's clusterers and mixtures, and words for them.
OTHER_NAMES = ("n_clusters", "num_clusters", "clusters", "n_components", "n_classes", "k")

#: What other libraries, and people, call a parameter or a part of one.
OTHER_WORDS = {
    "node_sizes": "nodes n_nodes n_states sizes n_groups n_outcomes cardinalities",
    "latent_dim": "n_latent latent latent_size z_dim n_dims dim embedding_dim",
    "hidden_layer_sizes": "hidden n_hidden hidden_dims hidden_units layers n_layers units",
    "modality_weights": "weights loss_weights",
    "scale": "scaler scaling normalize normalise standardize standardise",
    "missing_values": "missing nan",
    "shrinkage": "covariance_shrinkage",
    "batch_size": "batch minibatch bs",
    "learning_rate": "lr eta step_size",
    "max_grad_norm": "clip clipnorm grad_clip gradient_clip gradient_clip_val",
    "max_iter": "epochs n_epochs max_epochs num_epochs n_iter iter iterations num_iter max_steps",
    "tol": "tolerance min_delta atol",
    "n_iter_no_change": "patience",
    "validation_fraction": "val_fraction validation_split test_size train_size",
    "structure": "graph dag edges",
    "knowledge": "prior_knowledge background_knowledge expert_knowledge constraints",
    "n_init": "n_starts starts n_restarts restarts",
    "n_jobs": "workers n_workers num_workers n_processes",
    "device": "gpu cuda mps use_gpu use_cuda accelerator",
    "random_state": "seed random_seed rng random",
    "verbose": "verbosity progress disp",
}

#: A grid of nodes as text, such as "2x2" or "2, 3".
GRID = re.compile(r"\W*\d+(?:(?:\s*[x×*,;]\s*|\s+)\d+)*\W*", re.IGNORECASE)

Class = TypeVar("Class", bound=type)

#: The kinds of parameters, ``*args`` and ``**kwargs``, of a constructor that takes any name.
VARIABLE = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}

#: What is said elsewhere.
ELSEWHERE = {
    **dict.fromkeys(("known_nodes", "interventions", "sample_weight"), "fit takes it, beside X."),
    **dict.fromkeys(
        ("modality_names", "names", "modalities"),
        "names of modalities come with X, as in fit({'image': images, 'curve': curves}); those of "
        "nodes with node_sizes.",
    ),
    "node_names": "name the nodes in node_sizes, as in node_sizes={'lattice': 2, 'state': 2}.",
    **dict.fromkeys(
        ("modality_shapes", "shapes", "input_shapes"),
        "the data say them: pass MultimodalData.from_flat(X, shapes) in place of a flat array.",
    ),
    "responsibilities": "use posterior='mean_field' in place of 'sample'; 'structured' is the "
    "default, and replaces 'expected'.",
    "callbacks": "use set_callbacks.",
}


def advice_on_names(estimator: type[NamingEstimator], params: Mapping[str, Unchecked]) -> str:
    """Return what to use in place of names that the estimator does not have, or nothing.

    Nothing is also said of names that resemble none of its parameters.

    Examples
    --------
    >>> from skcausalpima import CausalPIMA
    >>> from skcausalpima._base.naming_estimator import advice_on_names
    >>> advice_on_names(CausalPIMA, {"n_clusters": 4})[:62]
    'CausalPIMA has no parameter n_clusters: use node_sizes=4 for o'
    >>> advice_on_names(CausalPIMA, {"epochs": 9, "max_iter": 4})
    'CausalPIMA has no parameter epochs: did you mean max_iter?'
    """
    known = estimator._get_param_names()
    unknown = {name: value for name, value in params.items() if name not in known}
    sentences = {name: _advice(estimator, name, value) for name, value in unknown.items()}
    return " ".join(
        f"{estimator.__name__} has no parameter {name}: {advice}"
        for name, advice in sentences.items()
        if advice
    )


def _advice(estimator: type[NamingEstimator], name: str, value: Unchecked) -> str:
    """Return what to use in place of a name: a word that others use, or the most similar one."""
    plain, known = _plain(name), estimator._get_param_names()
    if "node_sizes" in known and plain in map(_plain, OTHER_NAMES):
        return (
            f"use node_sizes={value} for one node whose outcomes are the clusters, or node_sizes "
            "such as (2, 3) for a grid of several nodes."
        )
    similar = _parts(estimator) | {_plain(word): f"did you mean {word}?" for word in known}
    meant = {_plain(word): advice for word, advice in estimator._elsewhere.items()}
    for parameter, words in OTHER_WORDS.items():
        if (sentence := similar.get(_plain(parameter))) is not None:
            meant |= {_plain(word): sentence for word in words.split()}
    if plain in meant:
        return meant[plain]
    close = difflib.get_close_matches(plain, similar, n=1, cutoff=0.74)
    return similar[close[0]] if close else ""


def _plain(name: str) -> str:
    """Return a name without what is easily mistaken in it: underscores, plural and capitals."""
    return name.lower().replace("_", "").rstrip("s")


def _parts(estimator: type[NamingEstimator]) -> dict[str, str]:
    """Return how the parts of parameters that are objects are set, by what they may be called."""
    parts: dict[str, str] = {}
    gone: dict[str, str] = {}
    known = estimator._get_param_names()
    for parameter, kinds in estimator._objects.items():
        for kind in kinds if parameter in known else ():
            for part in kind._get_param_names():
                example = f"{parameter}={kind.__name__}({part}=..)"
                for name in (part, f"{parameter}_{part}"):
                    sentence = f"it is a part of {parameter}, pass {example}."
                    parts.setdefault(_plain(name), sentence)
            gone |= {_plain(name): advice for name, advice in kind._elsewhere.items()}
    return gone | parts


class NamingEstimator(BaseEstimator):
    """An estimator that says which of its parameters is what others call something else."""

    #: What is said in place of names that are no parameters, and the kinds of objects that
    #: parameters may be, by their names.
    _elsewhere: ClassVar[Mapping[str, str]] = {}
    _objects: ClassVar[Mapping[str, list[type[NamingEstimator]]]] = {}

    def __init_subclass__(cls, **options: Unchecked) -> None:
        """Show the parameters of the constructor as those of the class, not of ``__new__``."""
        super().__init_subclass__(**options)
        _self, *parameters = inspect.signature(cls.__init__).parameters.values()
        cls.__signature__ = inspect.Signature(parameters)

    def __new__(cls, *args: Unchecked, **params: Unchecked) -> Self:
        """Refuse what the constructor does not take, before it is called."""
        parameters = inspect.signature(cls).parameters
        kinds = {parameter.kind for parameter in parameters.values()}
        positional = [
            n
            for n, parameter in parameters.items()
            if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        ]
        if len(args) > 1 and positional == ["node_sizes"] and VARIABLE.isdisjoint(kinds):
            raise TypeError(
                f"{cls.__name__} takes one argument without a name, node_sizes: a grid is one "
                f"tuple, {cls.__name__}({args!r:.200}). Name all others, as in max_iter=20."
            )
        if VARIABLE.isdisjoint(kinds) and not params.keys() <= parameters.keys():
            unknown = {n: value for n, value in params.items() if n not in parameters}
            known = ", ".join(cls._get_param_names())
            listed = f"{cls.__name__} has no parameter {', '.join(unknown)}. It has {known}."
            raise TypeError(advice_on_names(cls, unknown) or listed)
        return super().__new__(cls)

    def set_params(self, **params: Unchecked) -> Self:
        """Set parameters by name.

        Parameters
        ----------
        **params : dict
            Values by name.

        Returns
        -------
        object
            The estimator, or the parameter object, itself.

        Raises
        ------
        ValueError
            If there is no such parameter. Says which one is meant, if that can be told.

        Examples
        --------
        >>> from skcausalpima import ScoreSearch
        >>> ScoreSearch().set_params(polishing_epochs=3)
        ScoreSearch(polishing_epochs=3)
        """
        names = {key.partition("__")[0]: value for key, value in params.items()}
        if advice := advice_on_names(type(self), names):
            raise ValueError(advice)
        return super().set_params(**params)

    def _validate_params(self) -> None:
        """Check parameters as scikit-learn does; of a grid as text, say how it is written."""
        sizes = getattr(self, "node_sizes", None)
        if isinstance(sizes, str) and GRID.fullmatch(sizes):
            grid = tuple(map(int, re.findall(r"\d+", sizes)))
            raise ValueError(
                f"node_sizes is the text {sizes!r:.100}, but must be numbers: write "
                f"node_sizes={grid if len(grid) > 1 else grid[0]}, the number of outcomes of each "
                "node."
            )
        super()._validate_params()


def naming_arguments(cls: Class) -> Class:
    """Let methods that take X say where what they are given by other names belongs.

    Examples
    --------
    >>> from skcausalpima import CausalPIMA
    >>> CausalPIMA().fit(image=[[0.0]], curve=[[1.0]])
    Traceback (most recent call last):
    TypeError: fit has no argument image, curve. All modalities are one argument: write
    fit({'image': image, 'curve': curve}).
    """
    for name, member in list(vars(cls).items()):
        if inspect.isfunction(member) and not name.startswith("_"):
            parameters = inspect.signature(member).parameters
            kinds = {parameter.kind for parameter in parameters.values()}
            if "X" in parameters and VARIABLE.isdisjoint(kinds):
                setattr(cls, name, _naming(member, list(parameters)[1:]))
    return cls


def _naming(method: Callable[..., Any], known: list[str]) -> Callable[..., Any]:
    @functools.wraps(method)
    def called(self: NamingEstimator, *args: Any, **kwargs: Any) -> Any:
        unknown = {name: value for name, value in kwargs.items() if name not in known}
        try:
            return method(self, *args, **kwargs)  # all ranks of a group hear of it if it fails
        except TypeError:
            if not unknown:
                raise
        begin = f"{method.__name__} has no argument {', '.join(unknown)}"
        belongs = _where_they_belong(type(self), unknown, known)
        if not belongs:
            names = f"X, {', '.join(unknown)}" if args or "X" in kwargs else ""
            pairs = ", ".join(f"{name!r}: {name}" for name in unknown)
            belongs = (
                ". All modalities are one argument: write "
                f"{method.__name__}({f'[{names}]' if names else f'{{{pairs}}}'})."
            )
        raise TypeError(f"{begin}{belongs}")

    return called


def _where_they_belong(
    cls: type[NamingEstimator], unknown: Mapping[str, Unchecked], known: list[str]
) -> str:
    """Return where arguments that a method does not have belong; nothing for modalities."""
    for name in unknown:
        if close := difflib.get_close_matches(name, known, n=1, cutoff=0.8):
            return f": did you mean {close[0]}?"
    stated = ", ".join(f"{name}=.." for name in unknown if name in cls._get_param_names())
    if stated:
        return f". Settings go to the constructor: write {cls.__name__}({stated})."
    advice = advice_on_names(cls, unknown)
    return f". {advice}" if advice else ""
