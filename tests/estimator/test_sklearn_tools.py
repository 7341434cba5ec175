"""scikit-learn's tools that split or wrap, with every form of input: the table of the guide."""

import os
import re
import tempfile
from pathlib import Path
from typing import NamedTuple

import joblib
import numpy as np
import pytest
from joblib import Parallel, delayed
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    HalvingGridSearchCV,
    KFold,
    RandomizedSearchCV,
    StratifiedKFold,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    permutation_test_score,
    train_test_split,
    validation_curve,
)
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils import resample, shuffle
from some_slow import some_slow

from skcausalpima import CausalPIMA, Initialization, MultimodalData

SHAPES = [(3, 2), (4,)]
GROUPS = np.repeat(np.arange(4), 18)  # those of the fixture ``pair``
GUIDE = Path(__file__).parents[2] / "doc" / "guide" / "pipelines.rst"


@pytest.fixture(scope="module")
def model(brief):
    """The cheapest fit: whether forms agree in all settings is asked in ``test_inputs``."""
    return brief(init=Initialization("paper", pretraining_epochs=1))


def flattened(pair):
    return np.hstack([array.reshape(len(array), -1) for array in pair])


# The tools: each takes a model, data and labels, and returns arrays -------------------------------


def split_in_two(model, X, y):
    train, test = train_test_split(X, random_state=0)
    return train, test, clone(model).fit(train).score_samples(test)


def folds(splitter, X, y=None, groups=None):
    return [X[rows] for pair in splitter.split(X, y, groups) for rows in pair]


def several_metrics(model, X, y):
    metrics = ["adjusted_rand_score", "v_measure_score"]
    results = cross_validate(model, X, y, scoring=metrics, cv=2, return_train_score=True)
    return [results[key] for key in sorted(results) if not key.endswith("time")]


def searched(search, X, y=None):
    """Scores of all candidates and folds, ranks, and what the refitted best one says."""
    results = search.fit(X, y).cv_results_
    scores = [results[key] for key in sorted(results) if key.endswith("test_score")]
    return [*scores, search.predict(X), search.transform(X)]


GRID = {"node_sizes": [(2,), (2, 2)]}


def grid_search(model, X, y, **options):
    return searched(GridSearchCV(model, GRID, cv=2, **options), X)


def grid_search_by_labels(model, X, y, **options):
    return searched(GridSearchCV(model, GRID, scoring="adjusted_rand_score", cv=2, **options), X, y)


def randomized_search(model, X, y):
    space = {"mixture": ["diag"], "latent_dim": [2, 3]}
    return searched(RandomizedSearchCV(model, space, n_iter=1, cv=2, random_state=0), X)


def halving_search(model, X, y):
    return searched(HalvingGridSearchCV(model, GRID, cv=2, factor=2, random_state=0), X)


def permutation_test(model, X, y):
    options = {"scoring": "adjusted_rand_score", "n_permutations": 1, "random_state": 0, "cv": 2}
    return permutation_test_score(model, X, y, **options)


def cached_pipeline(model, X, y):
    """The second fit must find the first one's in the cache."""
    with tempfile.TemporaryDirectory() as folder:
        steps = [("embed", model), ("classify", LogisticRegression())]
        pipeline = Pipeline(steps, memory=joblib.Memory(folder, verbose=0))
        first = clone(pipeline).fit(X, y).predict_proba(X)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(CausalPIMA, "fit", None)
            second = clone(pipeline).fit(X, y).predict_proba(X)
    assert_array_equal(first, second)
    return [first]


def union(model, X, y):
    parts = [("one", model), ("two", clone(model).set_params(latent_dim=3))]
    return [FeatureUnion(parts).fit_transform(X)]


def into_a_classifier(model, X, y):
    pipeline = Pipeline([("embed", model), ("classify", LogisticRegression())])
    return [clone(pipeline).fit(X, y).predict_proba(X)]


def pandas_output(model, X, y):
    frame = clone(model).set_output(transform="pandas").fit(X).transform(X)
    assert frame.columns.tolist() == ["causalpima0", "causalpima1"]
    return [frame.to_numpy()]


def known_nodes():
    """Outcomes of the first node in a third of the samples."""
    known = np.full((72, 2), -1)
    known[::3, 0] = GROUPS[::3] // 2
    return known


def routed(model, X, y):
    """What is known reaches the fits, weights both fits and scores, split as the samples are."""
    with config_context(enable_metadata_routing=True):
        asking = clone(model).set_fit_request(known_nodes=True, sample_weight=True)
        asking.set_score_request(sample_weight=True)
        params = {"known_nodes": known_nodes(), "sample_weight": np.linspace(0.0, 1.0, 72)}
        scores = cross_validate(asking, X, cv=2, params=params)["test_score"]
        search = GridSearchCV(asking, {"latent_dim": [3]}, cv=2).fit(X, **params)
    return scores, search.cv_results_["mean_test_score"], search.predict(X)


class Tool(NamedTuple):
    """A tool, and what it makes of a bare list of two modalities."""

    run: object
    bare_list: str


TOOLS = {
    "train_test_split": Tool(split_in_two, "our error"),
    "shuffle": Tool(lambda model, X, y: [shuffle(X, random_state=0)], "unseen"),
    "resample": Tool(lambda model, X, y: [resample(X, random_state=0)], "unseen"),
    "KFold": Tool(lambda model, X, y: folds(KFold(3), X), "its error"),
    "StratifiedKFold": Tool(lambda model, X, y: folds(StratifiedKFold(3), X, y), "its error"),
    "GroupKFold": Tool(lambda model, X, y: folds(GroupKFold(3), X, groups=y), "its error"),
    "cross_val_score": Tool(lambda model, X, y: [cross_val_score(model, X, cv=2)], "our error"),
    "cross_validate, several metrics": Tool(several_metrics, "its error"),
    "cross_val_predict": Tool(
        lambda model, X, y: [cross_val_predict(model, X, cv=2, method="predict_proba")], "our error"
    ),
    "GridSearchCV": Tool(grid_search, "our error"),
    "GridSearchCV, adjusted Rand index": Tool(grid_search_by_labels, "its error"),
    "RandomizedSearchCV": Tool(randomized_search, "our error"),
    "HalvingGridSearchCV": Tool(halving_search, "its error"),
    "learning_curve": Tool(
        lambda model, X, y: learning_curve(model, X, None, train_sizes=[1.0], cv=2), "our error"
    ),
    "validation_curve": Tool(
        lambda model, X, y: validation_curve(
            model, X, None, param_name="latent_dim", param_range=[3], cv=2
        ),
        "NaN",
    ),
    "permutation_test_score": Tool(permutation_test, "its error"),
    "Pipeline with memory": Tool(cached_pipeline, "works"),
    "Pipeline into a classifier": Tool(into_a_classifier, "works"),
    "FeatureUnion": Tool(union, "works"),
    'set_output("pandas")': Tool(pandas_output, "works"),
    "metadata routing": Tool(routed, "our error"),
}


# Tool by form ------------------------------------------------------------------------------------


def plain(results):
    """Return results as arrays that can be compared, samples as rows."""
    arrays = [r.to_flat() if isinstance(r, MultimodalData) else np.asarray(r) for r in results]
    return [a.reshape(len(a), -1) if a.ndim > 2 else a for a in arrays]


def assert_same(results, expected):
    for result, other in zip(plain(results), plain(expected), strict=True):
        assert_array_equal(result, other)


@pytest.fixture(scope="module")
def flat_results(model, pair):
    """What each tool makes of the flat form, run once."""
    results = {}

    def run(tool):
        if tool not in results:
            cut = MultimodalData.from_flat(flattened(pair), SHAPES)
            results[tool] = TOOLS[tool].run(clone(model), cut, GROUPS)
        return results[tool]

    return run


#: A tool of each kind; with one array the last ones are slow, too.
FAST = ["train_test_split", "StratifiedKFold", "cross_val_score", "resample"]


@pytest.mark.parametrize("tool", some_slow(TOOLS, FAST))
def test_a_container_gives_the_values_of_the_flat_form(model, pair, flat_results, tool):
    results = TOOLS[tool].run(model, MultimodalData(pair), GROUPS)
    assert_same(results, flat_results(tool))
    for array in plain(results):
        assert np.isfinite(array).all()


@pytest.mark.parametrize("tool", some_slow(TOOLS, FAST[:2]))
def test_one_array_gives_the_values_of_its_rows(model, pair, tool):
    images = pair[0]
    results = TOOLS[tool].run(model, images, GROUPS)
    assert_same(results, TOOLS[tool].run(model, images.reshape(72, 6), GROUPS))


@pytest.mark.parametrize(
    "tool", some_slow(TOOLS, TOOLS.keys() - {"FeatureUnion", "Pipeline with memory"})
)
def test_a_bare_list(model, pair, flat_results, tool):
    run, outcome = TOOLS[tool]
    if outcome == "our error":
        with pytest.raises(ValueError, match=r"wrap the modalities in MultimodalData\(\[\.\.\.\]"):
            run(model, pair, GROUPS)
    elif outcome == "its error":
        with pytest.raises(ValueError, match=r"n_samples|numbers of samples|max_resources") as info:
            run(model, pair, GROUPS)
        assert "MultimodalData" not in str(info.value)
    elif outcome == "works":
        assert_same(run(model, pair, GROUPS), flat_results(tool))
    elif outcome == "NaN":
        assert np.isnan(run(model, pair, GROUPS)).all()
    else:
        assert outcome == "unseen"
        (result,) = run(model, pair, GROUPS)
        assert all(any(array is modality for modality in pair) for array in result)


def test_the_table_of_the_guide_is_this_one():
    rule = r"={3,}(?: +={3,}){4}\n"
    table = rf"{rule}(tool .*)\n{rule}((?:.+\n)+?){rule}"
    head, body = re.search(table, GUIDE.read_text()).groups()
    assert re.split("  +", head)[1:] == ["container", "flat", "one array", "bare list"]
    rows = [re.split("  +", line.replace("``", "").strip()) for line in body.splitlines()]
    works = ["works"] * 3
    assert rows == [[name, *works, tool.bare_list] for name, tool in TOOLS.items()]


# A bare list of three modalities and more --------------------------------------------------------

ADVICE = r"MultimodalData\(\[\.\.\.\]\) there"


def several(widths):
    rng = np.random.default_rng(0)
    return [rng.normal(size=(72, width)) + GROUPS[:, None] for width in widths]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
@pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite")
def test_a_bare_list_of_three_is_named_in_warnings_and_scores_are_nan(model):
    """Some training sets hold two arrays, which is no error; their test sets hold one."""
    X = several([3, 4, 5])
    with pytest.warns(UserWarning, match=ADVICE):
        scores = cross_val_score(model, X, cv=2)
    assert np.isnan(scores).all()
    with pytest.warns(UserWarning, match=ADVICE):
        search = GridSearchCV(model, {"latent_dim": [3]}, cv=2).fit(X)
    assert np.isnan(search.cv_results_["mean_test_score"]).all()


@pytest.mark.parametrize(
    ("widths", "n_jobs"),
    [
        ([3, 4], 1),
        ([3, 4, 5], 1),
        pytest.param([3, 4, 5, 6], 1, marks=pytest.mark.slow),
        pytest.param([3, 4, 5, 6, 7], 1, marks=pytest.mark.long),
        pytest.param([3, 4, 5], 2, marks=pytest.mark.long),  # the error ends the workers
    ],
)
def test_a_bare_list_raises_where_errors_are_asked_for(model, widths, n_jobs):
    X, options = several(widths), {"cv": 2, "error_score": "raise", "n_jobs": n_jobs}
    with pytest.raises(ValueError, match=ADVICE):
        cross_val_score(model, X, **options)
    with pytest.raises(ValueError, match=ADVICE):
        GridSearchCV(model, {"latent_dim": [3]}, **options).fit(X)
    with pytest.raises(ValueError, match=ADVICE):
        cross_val_predict(model, X, cv=2)


@pytest.mark.parametrize("n_modalities", some_slow([3, 4, 5, 6], [3, 4]))
def test_halves_of_a_bare_list_do_not_fit_together(model, n_modalities):
    train, test = train_test_split(several(range(2, 2 + n_modalities)), random_state=0)
    fitted = clone(model).fit(train)  # it sees some modalities of all samples
    with pytest.raises(ValueError, match=ADVICE):
        fitted.predict(test)


def test_what_nobody_can_see(model):
    """Four arrays of one shape in two folds look like two fits to the same two modalities."""
    assert np.isfinite(cross_val_score(model, several([4, 4, 4, 4]), cv=2)).all()


def test_a_mapping_is_refused_by_the_tool(model, pair):
    """The guide has these words; wrapped, as it says, the same mapping works."""
    X, told = {"image": pair[0], "curve": pair[1]}, " ".join(GUIDE.read_text().split())
    with pytest.raises(KeyError) as error:
        cross_val_score(model, X, cv=2)
    assert f"KeyError: {error.value}" in told
    with pytest.raises(ValueError, match="n_splits=5 greater than") as error:
        GridSearchCV(model, {"latent_dim": [2, 3]}).fit(X)
    assert str(error.value).removesuffix(".") in told
    assert np.isfinite(cross_val_score(model, MultimodalData(X), cv=2)).all()


# Several processes -------------------------------------------------------------------------------


def mapped(pair):
    """Images above one megabyte, which workers get as read-only memory maps."""
    images = np.repeat(pair[0].reshape(72, 6), 500, axis=1).reshape(72, 50, 60)
    return MultimodalData([images, pair[1]])


@pytest.mark.long
@pytest.mark.parametrize(
    "run",
    [
        pytest.param(grid_search, id="score"),
        pytest.param(grid_search_by_labels, id="labels"),
    ],
)
def test_two_processes_find_what_one_finds(model, pair, run):
    X = mapped(pair)
    one, two = (run(model, X, GROUPS, n_jobs=n_jobs) for n_jobs in (1, 2))
    if os.environ["OMP_NUM_THREADS"] == "1":
        assert_same(two, one)
    for result, other in zip(two, one, strict=True):
        assert_allclose(result, other, rtol=1e-5, atol=1e-6)


@pytest.mark.long
def test_processes_get_large_modalities_as_memory_maps(pair):
    X = mapped(pair)
    tasks = (delayed(lambda X: [type(array) for array in X.arrays])(X) for _ in range(2))
    assert Parallel(n_jobs=2)(tasks) == [[np.memmap, np.ndarray]] * 2
