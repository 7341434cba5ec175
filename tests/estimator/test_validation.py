"""What must not go through in silence: weights, counts, frames, and what is no array."""

import re
import warnings
from decimal import Decimal
from fractions import Fraction

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import KFold
from some_slow import some_slow

from skcausalpima import (
    BackgroundKnowledge,
    GradientStructure,
    MissingValues,
    ModalityTransformer,
    MultimodalData,
    ScoreSearch,
    datasets,
)
from skcausalpima.inspection import associate_nodes, edge_confidence, table_intervals
from skcausalpima.metrics import matched_accuracy, node_recovery, structural_hamming_distance
from skcausalpima.model_selection import select_node_sizes

HUGE = 10**400


@pytest.fixture(scope="module")
def frames(pair):
    """The two modalities of ``pair`` as DataFrames."""
    flat = [array.reshape(72, -1) for array in pair]
    index = [f"s{k}" for k in range(72)]
    return [
        pd.DataFrame(array, columns=[f"{letter}{k}" for k in range(array.shape[1])], index=index)
        for letter, array in zip("ab", flat, strict=True)
    ]


@pytest.fixture(scope="module")
def on_frames(brief, frames):
    return brief().fit(frames)


# Weights


@pytest.mark.parametrize(
    ("weights", "match"),
    [
        (np.r_[-1.0, np.ones(71)], "Negative values"),
        (np.zeros(72), "adds up to 0 samples|at least one non-zero"),
        (np.r_[np.nan, np.ones(71)], "sample_weight contains NaN"),
        (np.r_[np.inf, np.ones(71)], "sample_weight contains infinity"),
        (np.full(72, 1e308), "adds up to inf samples"),
        ([HUGE] + [1] * 71, "sample_weight.* too large|sample_weight.* beyond"),
        (HUGE, "sample_weight.* too large|sample_weight.* beyond"),
        (-1.0, "Negative values"),
        (np.nan, "sample_weight is nan"),
        (np.inf, "adds up to inf samples|sample_weight is inf"),
        (["x"] * 72, "could not convert|sample_weight"),
        (np.ones((72, 1)), "1D array"),
        (np.ones(71), "sample_weight.shape"),
        (1j * np.ones(72), "Complex data not supported"),
    ],
)
@pytest.mark.parametrize("method", ["fit", "score"])
def test_weights_that_are_none(brief, pair, fitted, method, weights, match):
    model = brief() if method == "fit" else fitted
    with pytest.raises(ValueError, match=match):
        getattr(model, method)(pair, sample_weight=weights)


def test_large_and_small_weights_do_not_break_the_mean_score(fitted, pair):
    expected = fitted.score(pair, sample_weight=np.arange(72.0))
    for factor in (2.0**1000, 2.0**-1000, 2.0**5):
        assert fitted.score(pair, sample_weight=factor * np.arange(72.0)) == expected


@pytest.mark.parametrize(
    ("weights", "sum_"),
    [(np.full(72, 1e20), r"7\.2e\+21"), (np.full(72, 1 / 72), "1"), (np.arange(72) == 3, "1")],
)
def test_weights_that_no_number_of_samples_has(brief, pair, weights, sum_):
    with pytest.raises(ValueError, match=f"sample_weight adds up to {sum_} samples"):
        brief().fit(pair, sample_weight=weights)


# Numbers too large for a float


@pytest.mark.parametrize(
    "X",
    [
        [[HUGE, 1.0], [1.0, 2.0], [0.0, 1.0]],
        pd.DataFrame({"a": [HUGE, 1, 2], "b": [1, 2, 3]}),
        {"one": pd.DataFrame({"a": [HUGE, 1, 2]}), "two": np.ones((3, 1))},
    ],
    ids=["list", "frame", "mapping"],
)
def test_numbers_beyond_floats(brief, X):
    with pytest.raises(ValueError, match="number beyond"):
        brief().fit(X)


# Counts and other parameters


@pytest.mark.parametrize("n_samples", [True, np.True_, 2**64, 0, -1, 1.0, None, "x", HUGE])
@pytest.mark.parametrize("method", ["sample", "intervene"])
def test_numbers_of_samples(fitted, method, n_samples):
    call = fitted.sample if method == "sample" else lambda n: fitted.intervene({"N1": 0}, n)
    with pytest.raises((TypeError, ValueError), match="n_samples"):
        call(n_samples)


COUNTS = [
    "latent_dim", "init__pretraining_epochs",
    "missing_values__subset_epochs", "structure__polishing_epochs",
    "max_iter", "training__n_iter_no_change", "n_init", "n_jobs", "training__batch_size",
]  # fmt: skip
REALS = [
    "mixture__shrinkage", "mixture__reg_covar", "decoder_variance", "structure__edge_penalty",
    "structure__learning_rate",
    "training__tol", "training__validation_fraction", "training__learning_rate",
    "training__max_grad_norm",
]  # fmt: skip


@pytest.mark.parametrize("value", [True, False, 2**64, HUGE])
@pytest.mark.parametrize("parameter", COUNTS)
def test_counts_are_integers_of_a_possible_size(brief, pair, parameter, value):
    objects = {"structure": ScoreSearch(), "missing_values": MissingValues()}
    model = brief(**objects).set_params(**{parameter: value})
    with pytest.raises(ValueError, match=f"'{parameter}' parameter of CausalPIMA"):
        model.fit(pair)


@pytest.mark.parametrize("value", [True, HUGE, np.nan, np.inf])
@pytest.mark.parametrize(
    ("structure", "parameter"),
    [
        (GradientStructure(), "structure__edge_threshold"),
        (GradientStructure(), "structure__temperature"),
        *((ScoreSearch(), name) for name in REALS),
    ],
)
def test_numbers_are_finite(brief, pair, structure, parameter, value):
    model = clone(brief(structure=structure)).set_params(**{parameter: value})
    with pytest.raises(ValueError, match=parameter):
        model.fit(pair)


@pytest.mark.parametrize(
    ("parameters", "match"),
    [
        ({"hidden_layer_sizes": (True,)}, "hidden_layer_sizes"),
        ({"hidden_layer_sizes": (2**64,)}, "hidden_layer_sizes"),
        ({"hidden_layer_sizes": np.ones((2, 2), int)}, "hidden_layer_sizes"),
        ({"modality_weights": (HUGE, 1)}, "modality_weights"),
        ({"modality_weights": (True, False)}, "modality_weights"),
        ({"structure": GradientStructure(temperature=(HUGE, 1))}, "structure__temperature"),
        ({"node_sizes": {("a",): 2}}, "node_sizes"),
        ({"knowledge": BackgroundKnowledge(tiers=[np.ones((2, 2))])}, "knowledge__tiers"),
        ({"knowledge": BackgroundKnowledge(required=[(["N1"], "N2")])}, "knowledge__required"),
    ],
)
def test_sequences_of_numbers(brief, pair, parameters, match):
    with pytest.raises((TypeError, ValueError), match=match):
        brief(**parameters).fit(pair)


# Generators


@pytest.mark.parametrize("overlap", [np.inf, np.nan, -1.0, HUGE, 1e300, True, "x", None, 1j])
@pytest.mark.parametrize(
    "make",
    [datasets.make_circles_images, datasets.make_striped_circles, datasets.make_sized_circles],
)
def test_overlaps(make, overlap):
    with pytest.raises((TypeError, ValueError), match="overlap"):
        make(5, overlap=overlap)


@pytest.mark.parametrize(
    ("make", "argument"),
    [
        (datasets.make_circles_images, "n_samples"),
        (datasets.make_circles_images, "image_size"),
        (datasets.make_striped_circles, "n_samples"),
        (datasets.make_sized_circles, "n_samples"),
        (datasets.make_grey_bars, "n_samples"),
        (datasets.make_lattices, "n_samples"),
        (datasets.make_pendulum, "n_samples"),
        (datasets.make_rectangles, "n_samples"),
        (datasets.make_spectra, "n_samples"),
        (datasets.make_sprites, "n_samples"),
        (datasets.load_digits_with_curves, "n_points"),
    ],
)
@pytest.mark.parametrize("value", [True, 2**64, HUGE, 0, 2.0, None])
def test_counts_of_generators(make, argument, value):
    with pytest.raises((TypeError, ValueError), match=argument):
        make(**{argument: value})


@pytest.mark.parametrize("value", [np.inf, np.nan, HUGE, 1e300, -1.0, True])
def test_noise_of_curves(value):
    with pytest.raises((TypeError, ValueError), match="noise_variance"):
        datasets.load_digits_with_curves(value)


@pytest.mark.parametrize(("argument", "value"), [("graph", []), ("graph", None), ("curves", "no")])
def test_words_of_generators(argument, value):
    with pytest.raises((TypeError, ValueError), match=argument):
        datasets.make_circles_images(5, **{argument: value})


def test_images_are_finite_up_to_the_largest_overlap():
    assert np.isfinite(datasets.make_circles_images(50, overlap=1e6, random_state=0).images).all()


# Metrics


@pytest.mark.parametrize(
    ("true", "predicted", "match"),
    [
        ([None, None], ["a", "b"], r"y_true\[0\] is None"),
        (["a", "b"], ["a", None], r"y_pred\[1\] is None"),
        ([0.0, np.nan], [0, 1], r"y_true\[1\] is .*nan"),
        (np.array(["NaT", "2020"], "datetime64[Y]"), [0, 1], r"y_true\[0\]"),
        (pd.Series(["a", pd.NA], dtype=object), [0, 1], r"y_true\[1\]"),
        ([0, 1], None, "y_pred"),
        (5, [0, 1], "y_true"),
        ([[0, 1], [1]], [0, 1], "y_true"),
        ([{}, {}], [0, 1], "y_true"),
    ],
)
def test_labels_that_are_missing_or_none(true, predicted, match):
    with pytest.raises((TypeError, ValueError), match=match):
        matched_accuracy(true, predicted)


def test_labels_of_mixed_types_are_labels():
    assert matched_accuracy(np.array([0, "a", "a"], dtype=object), [1, 0, 0]) == 1.0


@pytest.mark.parametrize(
    ("factors", "nodes", "match"),
    [
        ([[0, 1], [1, 0]], [[0, None], [1, 0]], "nodes"),
        ([[0, 1], [1, np.nan]], [[0, 1], [1, 0]], "factors"),
        (None, [[0]], "factors"),
    ],
)
def test_outcomes_that_are_missing(factors, nodes, match):
    with pytest.raises((TypeError, ValueError), match=match):
        node_recovery(factors, nodes)


@pytest.mark.parametrize("other", [None, 5, "ab", nx.Graph([("a", "b")]), nx.MultiDiGraph()])
def test_graphs_that_are_none(other):
    dag = nx.DiGraph([("a", "b")])
    with pytest.raises(TypeError, match="dag_b"):
        structural_hamming_distance(dag, other)
    with pytest.raises(TypeError, match="dag_a"):
        structural_hamming_distance(other, dag)


# Tensors


@pytest.mark.parametrize("method", ["predict", "transform", "score", "fit"])
def test_bfloat16_modalities(brief, fitted, pair, method):
    X = [torch.from_numpy(array.copy()).bfloat16() for array in pair]
    model = brief() if method == "fit" else fitted
    with pytest.raises(TypeError, match=r"modality0.*torch.bfloat16.*\.float\(\)"):
        getattr(model, method)(X)


def test_bfloat16_everywhere_else(brief, fitted, pair):
    ones = torch.ones(72).bfloat16()
    for call, match in [
        (lambda: fitted.inverse_transform(torch.ones(3, 2).bfloat16()), "X"),
        (lambda: brief().fit(torch.ones(72, 2).bfloat16()), "X"),
        (lambda: brief().fit(pair, known_nodes=torch.ones(72, 2).bfloat16()), "known_nodes"),
        (lambda: brief().fit(pair, interventions=ones), "interventions"),
        (lambda: brief().fit(pair, sample_weight=ones), "sample_weight"),
        (lambda: fitted.score(pair, sample_weight=ones), "sample_weight"),
    ]:
        with pytest.raises(TypeError, match=rf"{match}.*torch.bfloat16.*\.float\(\)"):
            call()


def test_tensors_with_gradients_are_arrays(brief, fitted, pair):
    points = np.ones((3, 2))
    found = fitted.inverse_transform(torch.from_numpy(points).requires_grad_())
    assert_array_equal(found[0], fitted.inverse_transform(points)[0])
    weights = torch.ones(72, dtype=torch.float64, requires_grad=True)
    assert fitted.score(pair, sample_weight=weights) == fitted.score(pair)


@pytest.mark.parametrize(
    "X",
    [np.ma.array(np.ones((3, 2)), mask=np.eye(3, 2)), [[HUGE, 1]], None, "x", [["a", "b"]], {}],
    ids=str,
)
def test_latent_points_that_are_none(fitted, X):
    with pytest.raises((TypeError, ValueError), match="X"):
        fitted.inverse_transform(X)


# Containers


@pytest.mark.parametrize("parts", [[5], 5, None, [None], ["x"]])
def test_parts_that_are_no_containers(parts):
    with pytest.raises(TypeError, match="parts"):
        MultimodalData.concatenate(parts)


class AnnData:
    """Stands for the class of that name."""

    __module__ = "anndata._core.anndata"
    shape = (72, 3)


class MuData(dict):
    """Stands for the class of that name; the real one answers any key."""

    __module__ = "mudata._core.mudata"


CELLS = {"AnnData": AnnData(), "MuData": MuData(rna=AnnData())}


@pytest.mark.parametrize("kind", CELLS)
def test_containers_of_other_packages_are_refused_by_name(brief, fitted, pair, kind):
    other = CELLS[kind]
    for call in (
        lambda: brief().fit(other),
        lambda: fitted.predict(other),
        lambda: fitted.inverse_transform(other),
        lambda: brief().fit([pair[0], other]),
        lambda: brief().fit({"a": pair[0], "b": other}),
        lambda: MultimodalData(other),
        lambda: MultimodalData([other, pair[0]]),
        lambda: MultimodalData.from_flat(other, [(3,)]),
        lambda: MultimodalData.from_frame(other),
        lambda: ModalityTransformer({}).fit(other),
        lambda: select_node_sizes(brief(), other, [(2,)]),
        lambda: edge_confidence(fitted, other),
        lambda: associate_nodes(fitted, other, {}),
        lambda: associate_nodes(fitted, pair, other),
    ):
        with pytest.raises(TypeError, match=rf"{kind}.*to_df\(\)"):
            call()


# Infinity, and numbers beyond those of a float


def with_infinity(array, *place):
    array = np.array(array)
    array[place] = -np.inf
    return array


@pytest.mark.parametrize("missing_values", ["marginalize", "error"])
@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda i, c: [i, with_infinity(c, 5, 2)], "modality 'modality1' .*sample 5, column 2"),
        (lambda i, c: [i, with_infinity(c, 5, 2).tolist()], "'modality1' .*sample 5, column 2"),
        (lambda i, c: with_infinity(c, 5, 2).tolist(), "X .*sample 5, column 2"),
        (
            lambda i, c: {"image": i, "curve": with_infinity(c, 5, 2).tolist()},
            "modality 'curve' .*sample 5, column 2",
        ),
        (
            lambda i, c: {"i": i, "t": pd.DataFrame(with_infinity(c, 5, 2), columns=list("abcd"))},
            "modality 't' .*sample 5, column 'c'",
        ),
        (
            lambda i, c: MultimodalData([with_infinity(i, 7, 1, 0), c]),
            r"modality 'modality0' .*sample 7, element \[1, 0\]",
        ),
        (lambda i, c: with_infinity(c, 5, 2), "X .*sample 5, column 2"),
        (
            lambda i, c: pd.DataFrame(with_infinity(c, 5, 2), columns=list("abcd")),
            "X .*sample 5, column 'c'",
        ),
        (lambda i, c: with_infinity(i, 7, 1, 0), r"X .*sample 7, element \[1, 0\]"),
        (lambda i, c: torch.tensor(with_infinity(i, 7, 1, 0)), r"sample 7, element \[1, 0\]"),
    ],
)
def test_infinity_is_located(brief, pair, make, told, missing_values):
    with pytest.raises(ValueError, match=f"{told}: expected finite numbers.*NaN"):
        brief(missing_values=missing_values).fit(make(*pair))


def test_infinity_beside_other_infinities(brief, pair):
    X = with_infinity(with_infinity(with_infinity(pair[1], 5, 2), 5, 3), 70)
    for given in (X, [pair[0], X]):
        with pytest.raises(ValueError, match=r"sample 5, column 2 \(and 1 more\): expected"):
            brief().fit(given)


BEYOND = [[HUGE] * 5] * 72


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda pair: BEYOND, "X"),
        (lambda pair: np.array(BEYOND, dtype=object), "X"),
        (lambda pair: pd.DataFrame(BEYOND), "X"),
        (lambda pair: [BEYOND, pair[1]], "modality 'modality0'"),
        (lambda pair: [pair[1], np.array(BEYOND, dtype=object)], "modality 'modality1'"),
        (lambda pair: {"a": BEYOND, "b": pair[1]}, "modality 'a'"),
        (lambda pair: {"a": pd.DataFrame(BEYOND), "b": pair[1]}, "modality 'a'"),
        (lambda pair: MultimodalData([BEYOND, pair[1]]), "modality 'modality0'"),
    ],
)
def test_numbers_that_no_float_holds(brief, pair, make, what):
    with pytest.raises(ValueError, match=f"{what}.*beyond those of a float.*larger units"):
        brief().fit(make(pair))


# Frames


@pytest.mark.parametrize("form", some_slow(["list", "mapping", "container"], ["mapping"]))
def test_columns_in_another_order(brief, frames, form):
    def make(parts):
        return {
            "list": list,
            "mapping": lambda parts: dict(zip("ab", parts, strict=True)),
            "container": MultimodalData,
        }[form](parts)

    model = brief().fit(make(frames))
    swapped = [frames[0], frames[1][["b1", "b0", "b2", "b3"]]]
    for method in (model.predict, model.transform, model.score, model.score_samples):
        with pytest.raises(ValueError, match=r"its columns in another order than in fit.*'b0'"):
            method(make(swapped))
    with pytest.raises(ValueError, match="another order"):
        brief(warm_start=True).fit(make(frames)).fit(make(swapped))
    with pytest.raises(ValueError, match=r"\['x'\].*lacks \['b2'\]"):
        model.predict(make([frames[0], frames[1].rename(columns={"b2": "x"})]))
    assert_array_equal(model.predict(make(frames)), model.labels_)


def run_order(error, model, frame):
    """Run the line of code that an error on the order of columns has, for that frame."""
    line = re.search(r"frame\[.*\]", str(error.value))[0]
    return eval(line, {"frame": frame, "model": model})


@pytest.mark.parametrize("columns", [["d", "c", "b", "a"], ["a", "d", "c", "b", "extra"]])
def test_the_line_of_code_for_one_frame(brief, pair, columns):
    frame = pd.DataFrame(pair[1], columns=list("abcd")).assign(extra=0.0)
    model = brief().fit(frame[list("abcd")])
    with pytest.raises(ValueError, match=r"in their order: X\[model.feature_names_in_\]") as error:
        model.predict(frame[columns])
    assert "The feature names should match those that were passed during fit" in str(error.value)
    assert_array_equal(model.predict(frame[columns][model.feature_names_in_]), model.labels_)


def test_the_line_of_code_for_a_frame_among_modalities(brief, pair):
    fitted = pd.DataFrame(pair[1], columns=list("abcd"))
    given = fitted[list("dcba")]
    for form in (lambda table: [pair[0], table], lambda table: {"image": pair[0], "t": table}):
        model = brief().fit(form(fitted))
        with pytest.raises(ValueError, match=r"frame\[model.modality_feature_n") as error:
            model.predict(form(given))
        assert_array_equal(model.predict(form(run_order(error, model, given))), model.labels_)


def test_the_line_of_code_for_numbered_columns(brief, pair):
    frame = pd.DataFrame(pair[1])
    model = brief().fit([pair[0], frame])
    with pytest.raises(ValueError, match=r"frame\[list\(range\(4\)\)\]") as error:
        model.predict([pair[0], frame[[2, 1, 0, 3]]])
    again = run_order(error, model, frame[[2, 1, 0, 3]])
    assert_array_equal(model.predict([pair[0], again]), model.labels_)


def test_columns_that_are_lacking(brief, frames):
    """No line of code brings them back."""
    model = brief().fit(frames[1])
    with pytest.raises(ValueError, match=r"(?s)now missing:.*- b3") as error:
        model.predict(frames[1][["b0", "b1", "b2"]])
    assert "feature_names_in_]" not in str(error.value)


def test_columns_are_kept_by_the_container(brief, frames):
    data = MultimodalData(frames, ["a", "b"])
    model = brief().fit(data)
    swapped = MultimodalData([frames[0].iloc[:, ::-1], frames[1]], ["a", "b"])
    parts = [
        swapped[:5],
        swapped[3],
        swapped[[1, 2]],
        swapped[:, ["b", "a"]],
        swapped[np.arange(72) < 9, :],
        MultimodalData.concatenate([swapped[:5], swapped[5:]]),
    ]
    for part in parts:
        with pytest.raises(ValueError, match="modality 'a' has its columns in another order"):
            model.predict(part)
    with pytest.raises(ValueError, match=r"modality 'a'.*other columns"):
        MultimodalData.concatenate([data, swapped])
    with warnings.catch_warnings(action="error"):
        model.predict(data[:, ["b", "a"]][2:4])
        model.predict({"b": None, "a": frames[0]})
        model.predict(MultimodalData.concatenate([data[:3], data[3:]]))


def test_columns_without_names_are_numbered(brief, pair):
    frame = pd.DataFrame(pair[1])
    model = brief().fit([pair[0], frame])
    with warnings.catch_warnings(action="error"):
        assert_array_equal(model.predict(pair), model.predict([pair[0], frame]))
    with pytest.raises(ValueError, match="another order"):
        model.predict([pair[0], frame[[1, 0, 2, 3]]])
    single = brief().fit(frame)
    with pytest.raises(ValueError, match="another order"):
        single.predict(frame[[1, 0, 2, 3]])


def test_arrays_in_place_of_frames_warn(on_frames, frames, brief):
    with pytest.warns(UserWarning, match="'modality0' has no names of columns, but in fit"):
        on_frames.predict([frames[0].to_numpy(), frames[1]])
    model = brief().fit([frame.to_numpy() for frame in frames])
    with pytest.warns(UserWarning, match="'modality1' has names of columns, but in fit"):
        model.predict([frames[0].to_numpy(), frames[1]])


def test_one_frame_and_a_container_of_one(brief, frames):
    alone = brief().fit(frames[1])
    with pytest.raises(ValueError, match="another order"):
        alone.predict(MultimodalData([frames[1].iloc[:, ::-1]]))
    contained = brief().fit(MultimodalData([frames[1]]))
    with warnings.catch_warnings(action="error"):
        assert_array_equal(contained.predict(frames[1]), contained.labels_)
    with pytest.raises(ValueError, match="order"):
        contained.predict(frames[1].iloc[:, ::-1])


def test_columns_are_forgotten_by_the_next_fit(on_frames, frames, pair):
    model = clone(on_frames).fit(frames)
    model.fit(pair)
    with warnings.catch_warnings(action="error"):
        model.predict(pair)


def test_columns_of_a_transformer(frames):
    data = dict(zip("ab", frames, strict=True))
    model = ModalityTransformer({"a": "passthrough"}).fit(data)
    with pytest.raises(ValueError, match="another order"):
        model.transform({**data, "b": frames[1].iloc[:, ::-1]})


def test_rows_that_differ_between_frames(brief, on_frames, frames):
    shuffled = frames[1].sample(frac=1, random_state=0)
    for call in (
        lambda: brief().fit([frames[0], shuffled]),
        lambda: on_frames.predict([frames[0], shuffled]),
        lambda: brief().fit(dict(zip("ab", [frames[0], shuffled], strict=True))),
        lambda: MultimodalData([frames[0], np.ones((72, 2)), shuffled]),
    ):
        with pytest.raises(ValueError, match=r"rows .* in another order.*\.loc\["):
            call()
    with pytest.raises(ValueError, match=r"other rows.*'t0'.*reset_index\(drop=True\)"):
        MultimodalData([frames[0], frames[1].rename(index={"s0": "t0"})])


def test_points_of_several_frames_have_their_rows(on_frames, frames):
    model = clone(on_frames).set_output(transform="pandas")
    for points in (model.fit_transform(frames), model.transform([frames[0], None])):
        assert points.index.equals(frames[0].index)
        assert list(points) == ["causalpima0", "causalpima1"]
    assert type(model.set_output(transform="default").transform(frames)) is np.ndarray


def test_what_is_known_of_the_rows_of_frames(brief, frames):
    known = pd.DataFrame({"N1": np.repeat([0, 1], 36)}, index=frames[0].index)
    by_rows = brief().fit(frames, known_nodes=known).labels_
    shuffled = known.sample(frac=1, random_state=0)
    for given in ({"known_nodes": shuffled}, {"interventions": {"N1": shuffled["N1"]}}):
        with pytest.raises(
            ValueError, match=r"^(known|int).* rows of X in another .*loc\[X.index\]"
        ):
            brief().fit(frames, **given)
    with pytest.raises(
        ValueError, match=r"known_nodes has other rows than X, such as 0: .* arrays"
    ):
        brief().fit(frames[0], known_nodes=known.reset_index(drop=True))
    est = brief().fit(frames, known_nodes=known)
    for ask in (
        lambda: associate_nodes(est, frames, shuffled),
        lambda: edge_confidence(est, frames, params={"known_nodes": shuffled}),
        lambda: table_intervals(
            est,
            dict(zip(["modality0", "modality1"], frames, strict=True)),
            params={"known_nodes": shuffled},
        ),
    ):
        with pytest.raises(ValueError, match=r"has the rows of X in another order"):
            ask()
    arrays = [frame.to_numpy() for frame in frames]
    assert_array_equal(brief().fit(arrays, known_nodes=known).labels_, by_rows)


def test_rows_that_agree(frames):
    numbered = [frame.reset_index(drop=True) for frame in frames]
    numbered[1].index = list(range(72))
    MultimodalData(numbered)
    MultimodalData([frames[0], None, frames[1]])
    MultimodalData([frames[0], frames[1].to_numpy()])


def test_two_levels_of_columns(brief, on_frames, frames):
    both = pd.concat(dict(zip("ab", frames, strict=True)), axis=1)
    for call in (
        lambda: brief().fit([both, frames[0]]),
        lambda: MultimodalData({"a": both}),
        lambda: MultimodalData.from_flat(both, [(6,), (4,)]),
    ):
        with pytest.raises(ValueError, match=r"2 levels of columns.*MultimodalData.from_frame"):
            call()
    model = brief().fit(both)
    assert_array_equal(model.labels_, on_frames.labels_)
    assert_array_equal(model.predict(MultimodalData.from_frame(both)), model.labels_)
    other = both.loc[:, [*both.columns[::-1][:4], *both.columns[:6]]]
    for later in (other, MultimodalData.from_frame(other)):
        with pytest.raises(ValueError, match="modality 'b' has its columns in another order"):
            model.predict(later)


@pytest.mark.parametrize("argument", ["known_nodes", "interventions"])
def test_nodes_in_another_order(brief, pair, argument):
    """Columns are found by their names."""
    table = pd.DataFrame({"y": np.full(72, -1), "x": np.repeat([0, 1], 36)})
    one, other = (
        brief({"x": 2, "y": 2}, max_iter=1).fit(pair, **{argument: given})
        for given in (table, table[["x", "y"]])
    )
    assert_array_equal(one.cluster_means_, other.cluster_means_)


# Splits


@pytest.mark.parametrize(
    ("splits", "match"),
    [
        ([(np.arange(72), np.arange(72, 80))], "row 72.*72 samples"),
        ([(np.arange(-5, 20), np.arange(30, 40))], "row -5"),
        ([(np.arange(30), np.array([], int))], "no rows"),
        ([(np.arange(3.0), np.arange(4))], "integers"),
        ([(np.ones(71, bool), np.arange(4))], "mask"),
        ([5], "pairs"),
        ([(np.arange(5), None)], "integers"),
    ],
)
def test_splits_beyond_the_data(brief, pair, splits, match):
    good = (np.arange(30), np.arange(30, 72))
    with pytest.raises((TypeError, ValueError), match=f"cv.*{match}"):
        select_node_sizes(brief(), pair, [(2,)], cv=[good, *splits])


@pytest.mark.filterwarnings("ignore::skcausalpima.exceptions.NodeSizesWarning")
@pytest.mark.slow
def test_splits_by_masks(brief, pair):
    half = np.arange(72) % 2 == 0
    masks, rows = [(half, ~half), (~half, half)], [np.flatnonzero(m) for m in (half, ~half)]
    by_masks = select_node_sizes(brief(max_iter=1), pair, [(2,)], cv=masks)
    by_rows = select_node_sizes(brief(max_iter=1), pair, [(2,)], cv=[rows, rows[::-1]])
    assert_array_equal(by_masks.results["mean_bound"], by_rows.results["mean_bound"])


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"cv": True}, "cv"),
        ({"cv": "x"}, "cv|cross-validation"),
        ({"cv": 73}, "n_splits|cv"),
        ({"candidates": 5}, "candidates"),
        ({"candidates": ["x"]}, "candidates"),
        ({"candidates": [(2.5,)]}, "candidates"),
        ({"candidates": [(True, True)]}, "candidates"),
        ({"candidates": [(2, 1)]}, "candidates"),
        ({"candidates": [(2**64,)]}, "candidates"),
        ({"n_jobs": "x"}, "n_jobs"),
        ({"n_jobs": True}, "n_jobs"),
        ({"estimator": None}, "estimator"),
        ({"estimator": KFold()}, "estimator"),
    ],
)
def test_arguments_of_the_selection(brief, pair, arguments, match):
    given = {"estimator": brief(), "X": pair, "candidates": [(2,)], **arguments}
    with pytest.raises((TypeError, ValueError), match=match):
        select_node_sizes(**given)


@pytest.mark.parametrize("value", [True, 2**64, 0, 1.0, HUGE])
@pytest.mark.parametrize("call", [edge_confidence, associate_nodes], ids=["edges", "nodes"])
def test_counts_of_the_inspection(fitted, pair, call, value):
    arguments = {"n_bootstraps": value} if call is edge_confidence else {"n_permutations": value}
    if call is associate_nodes:
        arguments["metadata"] = {"a": np.arange(72) % 2}
    with pytest.raises(ValueError, match=next(iter(arguments))):
        call(fitted, pair, **arguments)


# What else a user may try


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda model: model.predict(MultimodalData), TypeError, "X is the class MultimodalData"),
        (lambda model: MultimodalData(MultimodalData), TypeError, "arrays is the class"),
        (lambda model: MultimodalData([np.ones((2, 1))], 5), TypeError, "names is a int"),
        (lambda model: MultimodalData.from_flat(np.ones((2, 4)), 5), TypeError, "shapes is 5"),
        (
            lambda model: MultimodalData.from_flat(np.ones((2, 4)), np.ones((2, 1, 1), int)),
            ValueError,
            "shapes holds",
        ),
        (lambda model: MultimodalData([np.ones((2, 1))])[[[1], [1, 2]]], IndexError, "samples are"),
        (
            lambda model: MultimodalData([np.ones((2, 1))])[:, [[1], 2]],
            IndexError,
            "modalities are",
        ),
        (
            lambda model: ModalityTransformer({}).set_output(transform=np.ones(2)),
            ValueError,
            "array",
        ),
        (lambda model: associate_nodes(model, np.ones((72, 10)), {}), ValueError, "list with one"),
    ],
)
def test_arguments_of_another_kind(fitted, call, error, match):
    with pytest.raises(error, match=match):
        call(fitted)


@pytest.mark.parametrize(
    ("metadata", "match"),
    [
        ({"a": torch.ones(72).bfloat16()}, "'a' of metadata has dtype torch.bfloat16"),
        ({"a": [[1]] * 71 + [[1, 2]]}, "'a' of metadata must hold categories"),
        (torch.ones(72, 1).bfloat16(), "metadata has dtype torch.bfloat16"),
        (MultimodalData([np.ones((72, 1))]), "metadata cannot be read"),
    ],
)
def test_metadata_of_another_kind(fitted, pair, metadata, match):
    with pytest.raises(TypeError, match=match):
        associate_nodes(fitted, pair, metadata)


def test_a_transformer_with_names_that_are_no_strings_can_be_shown():
    model = ModalityTransformer({1: "passthrough"})
    assert "passthrough" in model._repr_html_()
    with pytest.raises(ValueError, match=r"names the modalities \[1\]"):
        model.fit([np.ones((2, 1))] * 2)


@pytest.mark.parametrize("parameter", ["node_sizes", "encoders", "knowledge__tiers", "scale"])
@pytest.mark.parametrize("value", [np.array(2), np.ma.array([2, 2]), np.zeros(2, [("a", int)])])
def test_arrays_that_are_no_sequences(brief, pair, parameter, value):
    with pytest.raises(ValueError, match=f"'{parameter}' parameter"):
        brief(knowledge=BackgroundKnowledge()).set_params(**{parameter: value}).fit(pair)


@pytest.mark.parametrize("value", [Fraction(1, 100), Decimal("0.01")])
def test_numbers_that_arrays_do_not_know(brief, pair, value):
    with pytest.raises(ValueError, match="learning_rate"):
        brief(training__learning_rate=value).fit(pair)
