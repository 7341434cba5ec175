"""Tables with words, booleans, ordered categories and counts: what goes in, and what comes back."""

import copy
import pickle
from functools import partial

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from some_slow import some_slow

from skcausalpima import CausalPIMA, Context, MissingValues, ModalityTransformer, MultimodalData
from skcausalpima._held_out.fits import for_a_part
from skcausalpima.inspection import PrototypeDisplay
from skcausalpima.metrics import node_recovery

N = 60
ORDER = ["s", "m", "l", "xl"]


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    group = np.arange(N) % 2
    kinds, sizes = np.array(["a", "b", "c"]), np.array(ORDER[:3])
    table = pd.DataFrame(
        {
            "kind": pd.Categorical(kinds[group + rng.integers(2, size=N)], categories=[*"cbaz"]),
            "yes": rng.random(N) < 0.2 + 0.6 * group,
            "maybe": pd.array(rng.random(N) < 0.5, dtype="boolean"),
            "size": pd.Categorical(sizes[rng.integers(3, size=N)], categories=ORDER, ordered=True),
            "word": np.array(["p", "q"])[rng.integers(2, size=N)],
            "x": rng.normal(size=N) + 3 * group,
            "n": pd.array(rng.poisson(3 + 5 * group), dtype="Int64"),
        },
        index=[f"row{k}" for k in range(N)],
    )
    for row, column in enumerate(["kind", "maybe", "size", "word", "x", "n"]):
        table.loc[f"row{row}", column] = None
    return table


@pytest.fixture(scope="module")
def brief(random_start):
    return partial(random_start, scale="auto")


@pytest.fixture(scope="module")
def model(quick, frame):
    return quick((2,), likelihoods={"n": "poisson"}).fit(frame)


def test_imputed_samples_are_as_they_came(model, frame):
    filled = model.impute(frame)
    assert not filled.isna().any(axis=None)
    assert filled.dtypes.equals(frame.dtypes)
    pd.testing.assert_frame_equal(filled.where(frame.notna()), frame, check_dtype=False)
    probabilities = model.impute(frame, probabilities=True)
    names = ["kind=c", "kind=b", "kind=a", "yes=True", "maybe=True", "size=s", "size=m", "size=l"]
    assert list(probabilities) == [*names, "word=p", "word=q", "x", "n"]
    assert probabilities.index.equals(frame.index)
    seen = probabilities.loc["row20":, names]
    assert set(np.unique(seen)) == {0, 1}
    assert (seen["size=m"] == (frame["size"] == "m")[20:]).all()


@pytest.mark.parametrize("ask", ["sample", "intervene", "counterfactual", "inverse_transform"])
def test_all_that_is_drawn_and_decoded_has_the_dtypes_that_came(model, frame, ask):
    if ask == "inverse_transform":
        found = model.inverse_transform(model.cluster_means_)
    elif ask == "counterfactual":
        found, _ = model.counterfactual(frame[:5], {"N1": 1})
        assert found.index.equals(frame.index[:5])
    else:
        found, _ = model.sample(9) if ask == "sample" else model.intervene({"N1": 0}, n_samples=9)
    assert found.dtypes.equals(frame.dtypes)
    assert not found.isna().any(axis=None)
    assert set(found["kind"]) <= set("abc")
    assert (found["n"] >= 0).all()
    assert model.predict(found).shape == (len(found),)


def test_frames_of_arrow_come_back_as_they_went_in(brief, frame):
    """All other dtypes are asked of the gate."""
    pytest.importorskip("pyarrow")
    table = frame[["word", "yes", "x", "n"]].convert_dtypes(dtype_backend="pyarrow")
    model = brief(likelihoods={"n": "poisson"}).fit(table)
    changed, _ = model.counterfactual(table[:5], {"N1": 1})
    for found in (model.impute(table), model.reconstruct(table), model.sample(5)[0], changed):
        assert found.dtypes.equals(table.dtypes)


def test_spread_is_that_of_the_elements(model, frame):
    mean, std = model.reconstruct(frame[:4], return_std=True)
    assert mean.dtypes.equals(frame.dtypes)
    elements = ["kind=c", "kind=b", "kind=a", "yes", "maybe", "size>s", "size>m"]
    assert list(std) == [*elements, "word=p", "word=q", "x", "n"]
    assert {of.kind for of in std.dtypes} == {"f"}


@pytest.mark.parametrize("way", ["pickle", "file"])
def test_a_model_that_was_kept_gives_the_same(model, frame, way, tmp_path):
    if way == "pickle":
        kept = pickle.loads(pickle.dumps(model))
    else:
        model.save(tmp_path / "model")
        kept = CausalPIMA.load(tmp_path / "model")
    assert kept.likelihoods_ == model.likelihoods_
    assert kept.modality_shapes_in_ == model.modality_shapes_in_
    pd.testing.assert_frame_equal(kept.impute(frame), model.impute(frame))
    pd.testing.assert_frame_equal(kept.sample(4)[0], model.sample(4)[0])


@pytest.mark.long
def test_a_rare_category_without_news_costs_no_node(quick):
    """Gaussians in principal scores lie on its few values."""
    rng = np.random.default_rng(101)
    truth = rng.integers(2, size=(400, 2))
    soil, water = truth.T
    is_rare, is_other = rng.random((2, 400)) < [[0.15], [0.1]]
    table = {
        "leaf": np.where(is_rare, "lobed", np.array(["narrow", "broad"])[soil]),
        "hairy": (soil == 1) ^ is_other,
        "nitrogen": 4.0 * soil + rng.normal(size=400),
        "height": 4.0 * water + rng.normal(size=400),
        "vigour": np.array(["poor", "fair", "good"])[rng.binomial(2, 0.1 + 0.8 * water)],
        "flowers": np.log1p(rng.poisson(3 + 9 * water)),
    }
    model = quick((2, 2)).fit(pd.DataFrame(table))
    assert node_recovery(truth, model.node_labels_).accuracies.min() > 0.95


@pytest.mark.slow
def test_containers_of_modalities(brief, frame):
    y = np.random.default_rng(1).normal(size=(N, 3))
    forms = {
        "mapping": {"t": frame, "y": y},
        "list": [frame, y],
        "container": MultimodalData({"t": frame, "y": y}),
        "levels": pd.concat({"t": frame, "y": pd.DataFrame(y, frame.index)}, axis=1),
    }
    models = {
        name: brief(likelihoods=[{"n": "poisson"}, "auto"]).fit(X) for name, X in forms.items()
    }
    expected = models["mapping"].impute(forms["mapping"])["t"]
    for name, X in forms.items():
        filled = models[name].impute(X)
        if name == "container":
            assert filled["t"].tolist() == expected.to_numpy(dtype=object).tolist()
            assert np.array_equal(models[name].predict(filled), models[name].predict(filled[:]))
            continue
        table = filled[0] if name == "list" else filled["t"]
        assert table.dtypes.equals(expected.dtypes)
        if name == "levels":
            assert filled.columns.equals(X.columns)
        many = models[name].reconstruct(X, probabilities=True)
        assert (many[0] if name == "list" else many["t"]).shape == (N, 12)


@pytest.mark.slow
def test_refits_to_some_samples_take_categories_that_others_have_for_missing(brief, frame):
    refit = for_a_part(brief(missing_values="marginalize")).fit(frame[frame["kind"] != "a"])
    assert refit.predict(frame).shape == (N,)
    assert for_a_part(brief()).get_params()["missing_values__unknown"] == "missing"
    assert for_a_part(StandardScaler()).get_params() == StandardScaler().get_params()


@pytest.mark.long
def test_a_fit_that_goes_on_keeps_its_likelihoods(model, frame):
    before = copy.deepcopy(model)
    assert before.partial_fit(frame).likelihoods_ == model.likelihoods_
    for now in ("auto", {"n": "gaussian"}, {"n": "poisson", "yes": "ordinal"}):
        told = r"likelihoods is now '.*' for modality .*, but the fit"
        with pytest.raises(ValueError, match=told):
            before.set_params(likelihoods=now).partial_fit(frame)


@pytest.mark.long
def test_tools_that_split_samples(brief, frame):
    X = MultimodalData({"t": frame, "y": np.random.default_rng(1).normal(size=(N, 2))})
    train, test = train_test_split(X, random_state=0)
    assert brief().fit(train).predict(test).shape == (len(test),)
    prep = ModalityTransformer({"y": StandardScaler()})
    search = GridSearchCV(make_pipeline(prep, brief()), {"causalpima__latent_dim": [2]}, cv=2)
    words = search.fit(X).best_estimator_[-1].likelihoods_
    assert words["t"]["kind"] == "categorical"
    assert words["y"] == "gaussian"


@pytest.mark.long
def test_a_search_goes_on_where_a_fold_has_one_category(brief, frame):
    sorted_frame = frame.assign(word=np.where(np.arange(N) < N // 2, "rare", "usual"))
    model = brief(missing_values=MissingValues(subset_epochs=0, unknown="missing"))
    search = GridSearchCV(model, {"latent_dim": [2]}, cv=2, error_score="raise", refit=False)
    assert np.isfinite(search.fit(sorted_frame).cv_results_["mean_test_score"]).all()


@pytest.mark.slow
def test_arrays_of_counts_and_of_yes_and_no(brief):
    rng = np.random.default_rng(0)
    images, counts = rng.integers(2, size=(N, 3, 3)), rng.poisson(4.0, (N, 5))
    counts[0] = 0  # which has no depth
    model = brief(likelihoods=["bernoulli", "negative_binomial"]).fit([images, counts])
    assert model.likelihoods_ == {"modality0": "bernoulli", "modality1": "negative_binomial"}
    assert (model.n_features_in_, model.modality_shapes_in_) == (14, [(3, 3), (5,)])
    filled = model.impute([images, counts])
    assert filled[0].dtype == filled[1].dtype == int
    assert np.array_equal(filled[0], images)
    assert np.array_equal(filled[1][1:], counts[1:])
    assert model.reconstruct([images, counts], 1, return_std=True)[1].shape == (N, 6)


def test_displays_and_report_of_a_mixed_table(model, frame):
    pytest.importorskip("matplotlib")
    assert PrototypeDisplay.from_estimator(model).prototypes.shape == (2, 12)
    assert PrototypeDisplay.from_estimator(model, frame, kind="nearest").prototypes.shape == (2, 12)
    assert "Fit of 60 samples" in str(model.report())


@pytest.mark.slow
def test_what_training_says_is_in_the_units_of_scores(quick):
    """Words have probabilities, whose unit no scale changes."""
    rng = np.random.default_rng(0)
    group = np.arange(N) % 2
    table = {f"c{k}": np.where(rng.random(N) < 0.1 + 0.8 * group, "a", "b") for k in range(6)}
    frame = pd.DataFrame(table)
    model = quick((2,), max_iter=4).fit(frame)
    assert abs(model.history_["lower_bound"][-1] - model.score(frame)) < 0.3


@pytest.mark.parametrize("form", ["frame", "mapping", "levels"])
def test_the_code_that_gives_a_context_numbers_to_shift_runs(quick, frame, form):
    table, site = frame[["word", "yes", "x"]], np.where(np.arange(N) % 3, "A", "B")
    X = table.assign(site=site)
    if form == "levels":
        X = pd.concat({"mine": table, "site": pd.DataFrame({"": site}, index=table.index)}, axis=1)
    elif form != "frame":
        X = {"mine": table, "site": site}
    model = quick((2,), contexts="site")
    with pytest.raises(ValueError, match="Numbers in a table of their own have offsets") as told:
        model.fit(X)
    _, *code = str(told.value).split("\n    ")
    names = {"X": X}
    exec("\n".join(code), names)
    model.fit(names["X"])
    assert [*model.offsets_] == ["numbers" if form == "frame" else "mine"]
    assert model.likelihoods_["others" if form == "frame" else "mine others"] != "gaussian"


@pytest.mark.slow
def test_a_context_needs_numbers_to_shift(quick, frame):
    labelled = frame.assign(site=np.where(np.arange(N) % 3, "A", "B"))
    with pytest.raises(ValueError, match=r"contexts \['site'\] shift no modality.*no numbers"):
        quick((2,), contexts="site").fit(labelled)
    alone = quick((2,), contexts=Context("site", shift=[]), likelihoods={"n": "poisson"})
    assert alone.fit(labelled).weights_of(site="A").shape == (2,)


@pytest.mark.parametrize("seed", some_slow([0, 3], [0]))
def test_numbers_in_a_table_of_their_own_are_columns_like_others(seed):
    """Split as a context asks for, numbers and words lost a node that one frame shows."""
    rng = np.random.default_rng(seed)
    factors = rng.integers(2, size=(400, 2))
    effects = np.array([[4, 0], [0, 4], [3, 0], [0, 3], [2, 2]])
    numbers = pd.DataFrame(factors @ effects.T + rng.normal(size=(400, 5))).add_prefix("x")
    shares = np.array([[0.8, 0.9, 1.0], [0.1, 0.3, 1.0]])
    others = {}
    for k in (0, 1):
        above = rng.random((400, 1)) > shares[factors[:, k]]
        others[f"w{k}"] = np.array(list("abc"))[above.sum(axis=1)]
    others["yes"] = rng.random(400) < 0.1 + 0.8 * factors[:, 0]
    for k in (0, 1):
        codes = 2 * factors[:, k] + rng.integers(2, size=400)
        others[f"o{k}"] = pd.Categorical.from_codes(codes, [*"abcd"], ordered=True)
    others |= {"c0": rng.poisson(1 + 5 * factors[:, 1]), "c1": rng.poisson(2 + 6 * factors[:, 0])}
    X = {"n": numbers, "w": pd.DataFrame(others)}
    found = CausalPIMA((2, 2), random_state=seed).fit(X)
    assert node_recovery(factors, found.node_labels_).accuracies.min() > 0.98


@pytest.fixture(scope="module")
def of_many_words(quick):
    """Return a frame of which words tell kinds, kinds, and a fit."""
    rng, kind = np.random.default_rng(0), np.arange(480) % 2
    words = np.concatenate([np.arange(120), 2 * rng.integers(60, size=360) + kind[120:]])
    frame = pd.DataFrame({"word": [f"w{k}" for k in words], "x": rng.normal(size=480) + 3 * kind})
    with pytest.warns(UserWarning, match="'word' has 120 words"):
        return frame, kind, quick((2,), max_iter=10).fit(frame)


def test_many_words_tell_samples_apart(of_many_words):
    frame, kind, model = of_many_words
    assert adjusted_rand_score(kind, model.predict(frame)) > 0.9
    assert model.transform(frame).dtype == np.float32
    assert model.predict_proba(frame).sum(axis=1) == pytest.approx(1.0, abs=1e-5)


def test_many_words_are_filled_in_and_drawn(of_many_words):
    frame, _, model = of_many_words
    lacking = frame.assign(word=frame["word"].where(np.arange(len(frame)) > 20))
    filled = model.impute(lacking)
    assert set(filled["word"][:21]) <= set(frame["word"])
    pd.testing.assert_series_equal(filled["word"][21:], frame["word"][21:], check_dtype=False)
    drawn, _ = model.sample(50)
    assert set(drawn["word"]) <= set(frame["word"])
    probabilities = model.impute(lacking, probabilities=True).filter(like="word=")
    assert probabilities.shape == (480, 120)
    assert probabilities.sum(axis=1).to_numpy() == pytest.approx(1.0, abs=1e-4)


def test_a_word_that_is_new_among_many_is_told(of_many_words):
    frame, _, model = of_many_words
    other = frame.assign(word=frame["word"].replace("w7", "new"))
    with pytest.raises(ValueError, match=r"column 'word' .*'new'"):
        model.predict(other)
