"""Parameter objects: words and objects agree, scikit-learn's tools know their parts."""

import inspect
import pickle
from typing import ClassVar

import networkx as nx
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skcausalpima import (
    BackgroundKnowledge,
    CausalPIMA,
    Device,
    GradientStructure,
    Initialization,
    MeanField,
    MissingValues,
    Mixture,
    MultimodalData,
    ScoreSearch,
    Training,
)
from skcausalpima._model.objects import parameters_of

WORDS = {
    "refined": ({"structure": "refined"}, {"structure": ScoreSearch()}),
    "gradient": ({"structure": "gradient"}, {"structure": GradientStructure()}),
    "arranged": ({"init": "arranged"}, {"init": Initialization()}),
    "linear": ({"init": "linear"}, {"init": Initialization("linear")}),
    "paper": ({"init": "paper"}, {"init": Initialization(method="paper")}),
    "marginalize": ({"missing_values": "marginalize"}, {"missing_values": MissingValues()}),
    "error": ({"missing_values": "error"}, {"missing_values": MissingValues("error")}),
    "cpu": ({"device": "cpu"}, {"device": Device()}),
    "tied": ({"mixture": "tied"}, {"mixture": Mixture("tied")}),
    "mean field": ({"posterior": "mean_field"}, {"posterior": MeanField()}),
    "training": ({"training": None}, {"training": Training()}),
    "nothing known": ({"knowledge": None}, {"knowledge": BackgroundKnowledge()}),
}
OBJECTS = {
    "search": ScoreSearch("bdeu", polishing_epochs=1),
    "gradient": GradientStructure(0.4, temperature=np.array([1.0, 0.5])),
    "knowledge": BackgroundKnowledge(required={("N1", "N2")}, tiers=[np.array(["N1", "N2"])]),
    "init": Initialization("linear", pretraining_epochs=3),
    "missing_values": MissingValues("error", subset_epochs=2),
    "device": Device("auto"),
    "mixture": Mixture("diag", shrinkage=3.0),
    "posterior": MeanField(prior_expert=False),
    "training": Training(batch_size=20, tol=0.5, validation_fraction=0.2),
}


@pytest.mark.parametrize("name", WORDS)
def test_a_word_is_short_for_an_object(name):
    word, same = (parameters_of(CausalPIMA(**parameters)) for parameters in WORDS[name])
    assert word == same


def test_the_constructor_has_at_most_26_parameters():
    assert len(CausalPIMA().get_params(deep=False)) <= 26  # of which two say what X holds


# Objects as scikit-learn knows them --------------------------------------------------------------


@pytest.mark.parametrize("name", OBJECTS)
def test_copies_are_equal_and_others_are_not(name):
    own = OBJECTS[name]
    copies = [clone(own), pickle.loads(pickle.dumps(own)), type(own)(**own.get_params(deep=False))]
    for copy in copies:
        assert copy is not own
        assert copy == own
    assert own != type(own)()
    assert own != 3
    assert all(own != other for key, other in OBJECTS.items() if key != name)


def test_clones_share_no_objects():
    model = CausalPIMA(
        structure=OBJECTS["search"], knowledge=OBJECTS["knowledge"], init=OBJECTS["init"]
    )
    copy = clone(model)
    for name in ("structure", "knowledge", "init"):
        assert getattr(copy, name) is not getattr(model, name)
        assert getattr(copy, name) == getattr(model, name)
    copy.set_params(structure__score="bic")
    assert model.structure.score == "bdeu"


def test_repr_and_nested_names():
    model = CausalPIMA(structure=ScoreSearch("bdeu"), init=Initialization(pretraining_epochs=2))
    expected = (
        "CausalPIMA(init=Initialization(pretraining_epochs=2), structure=ScoreSearch(score='bdeu'))"
    )
    assert " ".join(repr(model).split()) == expected
    parameters = model.get_params()
    assert parameters["structure__score"] == "bdeu"
    assert parameters["init__pretraining_epochs"] == 2
    assert "structure__score" not in model.get_params(deep=False)
    assert CausalPIMA(**model.get_params(deep=False)).get_params() == parameters


def test_names_in_a_pipeline():
    pipeline = make_pipeline(CausalPIMA(structure=ScoreSearch()))
    pipeline.set_params(causalpima__structure__score="bdeu")
    assert pipeline[-1].structure == ScoreSearch("bdeu")


# Bad input ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "match"),
    [
        ({"structure": BackgroundKnowledge()}, "'structure' parameter .*ScoreSearch.*GradientS"),
        ({"structure": ScoreSearch}, "'structure' parameter .*Got <class"),
        ({"structure": {"score": "bic"}}, "'structure' parameter .*Got {'score'"),
        ({"structure": None}, "'structure' parameter"),
        ({"knowledge": {"tiers": ["N1"]}}, "'knowledge' parameter .*BackgroundKnowledge.*None"),
        ({"knowledge": "refined"}, "'knowledge' parameter"),
        ({"init": GradientStructure()}, "'init' parameter .*Initialization"),
        ({"init": Initialization("random")}, "'init__method' parameter of CausalPIMA .*'random'"),
        ({"init": Initialization(pretraining_epochs="x")}, "'init__pretraining_epochs' parameter"),
        ({"missing_values": True}, "'missing_values' parameter .*MissingValues"),
        ({"missing_values": "drop"}, "'missing_values' parameter .*'drop'"),
        ({"missing_values": MissingValues("mean")}, "'missing_values__elements' .*'mean'"),
        (
            {"missing_values": MissingValues(subset_epochs=-1)},
            "'missing_values__subset_epochs' parameter",
        ),
        ({"device": None}, "'device' parameter .*Device"),
        ({"device": Device(0)}, "'device__name' parameter of CausalPIMA .*Got 0"),
        ({"device": Device("gpu")}, "device must be 'cpu', 'cuda'.*got 'gpu'"),
        ({"knowledge": BackgroundKnowledge(tiers="N1")}, "'knowledge__tiers' parameter"),
        ({"knowledge": BackgroundKnowledge(required=[1])}, "knowledge__required must be pairs"),
    ],
)
def test_what_is_no_such_parameter(pair, parameters, match):
    with pytest.raises(ValueError, match=match):
        CausalPIMA(**parameters).fit(pair)


@pytest.mark.parametrize(
    ("before", "change", "match"),
    [
        ({}, {"structure__edge_threshold": 0.1}, r"'refined': pass GradientStructure\(\) to set"),
        (
            {"structure": "gradient"},
            {"structure__score": "bic", "max_iter": 3},
            r"structure is 'gradient': pass ScoreSearch\(\) to set its parts",
        ),
        (
            {},
            {"posterior__prior_expert": True},
            r"is 'structured': pass MeanField\(\) to set its p",
        ),
        (
            {"structure": nx.DiGraph()},
            {"structure__temperature": 2},
            r"is <networkx.*: pass GradientStructure\(\) to set its parts",
        ),
        (
            {"structure": ScoreSearch()},
            {"structure__score": "bdeu", "structure": "gradient"},
            r"structure is 'gradient': pass ScoreSearch\(\)",
        ),
        ({"structure": ScoreSearch}, {"structure__score": "bdeu"}, r"pass ScoreSearch\(\) to set"),
        ({}, {"structure__scoer": 1}, "structure__scoer is no parameter: .* no part 'scoer'"),
        ({}, {"training__x": 1}, "training__x is no parameter: training has no part 'x'"),
        ({}, {"verbose__x": 1}, "verbose__x is no parameter"),
        (
            {"structure": ScoreSearch()},
            {"structure__scoer": "bic"},
            r"ScoreSearch has no parameter scoer: did you mean score\?",
        ),
        (
            {"structure": GradientStructure()},
            {"structure__score": "bic"},
            r"Invalid parameter 'score' for estimator GradientStructure\(\)",
        ),
        ({}, {"structur__score": 1}, r"did you mean structure\?"),
    ],
)
def test_parts_that_are_not_there(before, change, match):
    model = CausalPIMA(**before)
    own = model.get_params()
    with pytest.raises(ValueError, match=match):
        model.set_params(**change)
    assert model.get_params() == own


@pytest.mark.parametrize(
    "name", [name for name in WORDS if name not in ("nothing known", "training")]
)
def test_words_list_their_parts_and_become_objects_of_this_estimator(name):
    word, same = (CausalPIMA(**parameters) for parameters in WORDS[name])
    (parameter,) = WORDS[name][0]
    own = getattr(same, parameter)
    parts = {f"{parameter}__{part}": value for part, value in own.get_params().items()}
    assert word.get_params().items() >= parts.items()
    assert getattr(word, parameter) == WORDS[name][0][parameter]  # listing changes nothing
    other = clone(word).set_params(**parts)
    assert getattr(other, parameter) == own
    assert getattr(word, parameter) == WORDS[name][0][parameter]


def test_none_lists_its_parts_and_becomes_an_object():
    model = CausalPIMA()
    assert model.get_params()["training__tol"] == "auto"
    assert model.get_params()["knowledge__tiers"] is None
    model.set_params(training__tol=0, knowledge__tiers=["N1"], max_iter=3)
    assert model.training == Training(tol=0)
    assert model.knowledge == BackgroundKnowledge(tiers=["N1"])
    assert CausalPIMA().training is None


def test_an_object_in_the_same_call_replaces_one_that_its_parts_are_set_in():
    model = CausalPIMA(training=Training(tol=0))
    model.set_params(training=None, training__batch_size=9)
    assert model.training == Training(batch_size=9)


def test_the_table_in_notebooks_has_the_parameters_alone():
    assert "training__" not in CausalPIMA()._repr_html_()


@pytest.mark.slow
def test_words_are_searched_over(quick, pair):
    model = quick(init="paper", max_iter=1)
    grid = {"training__batch_size": [9, 72], "mixture__shrinkage": [0.0, 3.0]}
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(MultimodalData(pair))
    best = search.best_estimator_
    assert best.training.batch_size == search.best_params_["training__batch_size"]
    assert best.mixture == Mixture(shrinkage=search.best_params_["mixture__shrinkage"])
    assert (model.training, model.mixture) == (None, "full")
    assert len(set(search.cv_results_["mean_test_score"])) == 4


# The published algorithm -----------------------------------------------------------------------


@pytest.mark.short_fits
def test_the_published_algorithm_survives_what_tools_do_with_it(pair):
    model = CausalPIMA.published((2, 2), max_iter=1, random_state=0)
    assert model.posterior == MeanField(prior_expert=False)
    again = CausalPIMA(**model.get_params(deep=False))
    grid = {"latent_dim": [2], "training__batch_size": [36]}
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(MultimodalData(pair))
    fitted = search.best_estimator_
    for other in (clone(model), again, pickle.loads(pickle.dumps(model)), fitted):
        assert other.posterior == model.posterior
        assert other.mixture == Mixture("diag", shrinkage=0)
    assert fitted._fitted.spec.sampled_responsibilities
    assert not fitted._fitted.spec.prior_expert


def test_published_estimators_share_no_objects():
    CausalPIMA.published().set_params(posterior__prior_expert=True, mixture__shrinkage=3.0)
    other = CausalPIMA.published()
    assert (other.posterior, other.mixture.shrinkage) == (MeanField(prior_expert=False), 0)


def test_an_object_replaces_a_word_and_gets_its_parts_at_once():
    model = CausalPIMA().set_params(structure=ScoreSearch(), structure__score="bdeu")
    assert model.structure == ScoreSearch("bdeu")


LEFT_OUT = [
    ("init", Initialization, "n_mixture_init", "n_init repeats whole fits"),
    ("init", Initialization, "pretraining", "leave it out by pretraining_epochs=0"),
    ("structure", ScoreSearch, "temperature", "it is a part of GradientStructure"),
    *(
        ("structure", kind, name, told)
        for kind in (ScoreSearch, GradientStructure)
        for name, told in {
            "n_mixture_updates": "a larger max_iter makes more",
            "score_noise": "n_init makes several starts",
            "n_steps": "a larger learning_rate makes it faster",
        }.items()
    ),
]


@pytest.mark.parametrize(("parameter", "kind", "name", "told"), LEFT_OUT)
def test_parts_that_were_left_out_name_what_took_their_place(parameter, kind, name, told):
    match = f"{kind.__name__} has no parameter {name}: .*{told}"
    with pytest.raises(TypeError, match=match):
        kind(**{name: 1})
    with pytest.raises(ValueError, match=match):
        kind().set_params(**{name: 1})
    with pytest.raises(ValueError, match=match):
        CausalPIMA(**{parameter: kind()}).set_params(**{f"{parameter}__{name}": 1})
    if name != "temperature":  # which GradientStructure has
        with pytest.raises(TypeError, match=f"CausalPIMA has no parameter {name}: .*{told}"):
            CausalPIMA(**{name: 1})
    with pytest.raises(ValueError, match=f"{parameter}__{name} is .* pass Grad|{told}"):
        CausalPIMA().set_params(**{f"{parameter}__{name}": 1})


@pytest.mark.parametrize("old", ["structure_score", "tiers", "pretraining_epochs"])
def test_words_that_are_parts_now_are_unexpected(old):
    with pytest.raises(TypeError, match=f"CausalPIMA has no parameter {old}: .*a part of"):
        CausalPIMA(**{old: None})
    with pytest.raises(ValueError, match=f"CausalPIMA has no parameter {old}: .*a part of"):
        CausalPIMA().set_params(**{old: None})


def test_classes_of_users_keep_their_constructors():
    class Short(Training):
        limit: int = 3
        _parameter_constraints: ClassVar = {**Training._parameter_constraints, "small": ["boolean"]}

        def __init__(self, small=True):
            super().__init__(batch_size=16 if small else 128)
            self.small = small

    class Shorter(Short):
        pass

    assert Shorter(False).batch_size == 128
    assert list(inspect.signature(Shorter).parameters) == ["small"]
    assert "small" in Shorter._parameter_constraints
    assert Shorter.limit == 3
    assert Shorter.__doc__ is None
