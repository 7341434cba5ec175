"""What holds whatever the data: order, units, repetition, probabilities, the container."""

import itertools
from functools import cache

import numpy as np
import pytest
import torch
from few_examples import examples
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from numpy.testing import assert_allclose, assert_array_equal
from some_slow import some_slow
from torch import nn

from skcausalpima import MultimodalData

N_SAMPLES = 72
METHODS = ("transform", "predict_proba", "predict", "predict_nodes", "score_samples")
KINDS = {
    "default": {},
    "predicted variances": {"decoder_variance": "predicted"},
    "decoders per cluster": {"decoders": "cluster_mlp", "mixture": "diag"},
    "one node": {"node_sizes": (3,), "mixture": "spherical"},
}
ROWS = st.integers(0, N_SAMPLES - 1)
SOME_ROWS = st.lists(ROWS, min_size=1, max_size=80).map(np.array)
KIND = st.sampled_from(sorted(KINDS))


@pytest.fixture(scope="module")
def model_of(taught, pair):
    """Return a fitted estimator of a kind; each is fitted once."""
    named = dict(zip(("image", "curve"), pair, strict=True))
    return cache(lambda kind: taught(**KINDS[kind]).fit(named))


def taken(X, rows):
    return {name: array[rows] for name, array in X.items()}


@pytest.fixture(scope="module")
def gaps(pair):
    """Data that each example may take modalities from."""
    image, curve = (array.copy() for array in pair)
    image[::5], curve[::7] = np.nan, np.nan
    return {"image": image, "curve": curve}


def all_of(model, X):
    return {method: getattr(model, method)(X) for method in METHODS}


@pytest.mark.parametrize("kind", some_slow(KINDS, ["default"]))
@given(rows=SOME_ROWS)
@examples(3)
def test_rows_are_predicted_alike_wherever_and_however_often_they_stand(model_of, gaps, kind, rows):
    model = model_of(kind)
    whole, part = all_of(model, gaps), all_of(model, taken(gaps, rows))
    for method in METHODS:
        assert_allclose(part[method], whole[method][rows], rtol=1e-9, atol=1e-12)
    again = all_of(model, taken(gaps, np.tile(rows, 2)))
    assert_array_equal(again["predict"], np.tile(part["predict"], 2))
    assert_allclose(model.score(taken(gaps, rows)), part["score_samples"].mean(), rtol=1e-12)


@pytest.mark.long
@given(kind=KIND, factor=st.floats(-3.0, 3.0), rows=SOME_ROWS)
@examples(8)
def test_memberships_are_probabilities(model_of, gaps, kind, factor, rows):
    """Also far from what was fitted."""
    model = model_of(kind)
    X = {name: 10.0**factor * array for name, array in taken(gaps, rows).items()}
    memberships = model.predict_proba(X)
    assert memberships.min() >= 0.0
    assert_allclose(memberships.sum(axis=1), 1.0, rtol=1e-12)
    assert_array_equal(model.predict(X), memberships.argmax(axis=1))
    assert_array_equal(model.predict_nodes(X), model.cluster_states_[model.predict(X)])


@given(
    factors=st.lists(st.floats(-6.0, 6.0), min_size=2, max_size=2),
    offsets=st.lists(st.floats(-5.0, 5.0), min_size=2, max_size=2),
)
@examples(2)
def test_units_move_the_bound_and_nothing_else(quick, pair, fitted, factors, offsets):
    scales = [10.0**factor for factor in factors]
    X = [a * (x + b) for a, b, x in zip(scales, offsets, pair, strict=True)]
    model = quick().fit(X)
    assert_array_equal(model.labels_, fitted.labels_)
    assert_allclose(model.joint_, fitted.joint_, rtol=1e-6)
    shift = sum(np.log(a) * x[0].size for a, x in zip(scales, pair, strict=True))
    assert_allclose(model.lower_bound_ + shift, fitted.lower_bound_, rtol=1e-6)
    assert_allclose(model.score_samples(X) + shift, fitted.score_samples(pair), rtol=1e-6)


def networks(order, sign):
    """Make an encoder and a decoder of four elements, whose weights go along with these."""

    def linear(width, height, seed):
        layer = nn.Linear(width, height)
        weight = 0.3 * np.random.default_rng(seed).normal(size=(height, width))
        weight = sign * (weight[:, order] if width == 4 else weight[order])
        layer.weight.data, layer.bias.data = torch.tensor(weight), torch.zeros(height).double()
        return layer

    return lambda shape, n: linear(4, 2 * n, 1), lambda shape, n: linear(n, 4, 2)


@given(order=st.permutations(range(4)), sign=st.sampled_from([-1.0, 1.0]))
@examples(3)
@pytest.mark.long
def test_elements_may_come_in_any_order_and_sign(quick, pair, order, sign):
    """If the networks start alike for each element, as those of the package do not."""
    one, other = (
        quick(encoders=[None, encoder], decoders=[None, decoder]).fit(X)
        for X, (encoder, decoder) in (
            (pair, networks(list(range(4)), 1.0)),
            ([pair[0], sign * pair[1][:, order]], networks(order, sign)),
        )
    )
    assert_array_equal(other.labels_, one.labels_)
    assert_allclose(other.joint_, one.joint_, rtol=1e-6)
    assert_allclose(other.lower_bound_, one.lower_bound_, rtol=1e-6)


@st.composite
def containers(draw):
    """A container of up to three modalities, in part missing, beside its numbers."""
    n_samples = draw(st.integers(1, 9))
    shapes = draw(st.lists(arrays_of.array_shapes(max_dims=2, max_side=3), min_size=1, max_size=3))
    arrays = [
        np.arange(n_samples * np.prod(shape), dtype=float).reshape(n_samples, *shape)
        for shape in shapes
    ]
    for array in arrays:
        array[draw(st.lists(st.integers(0, n_samples - 1), max_size=2))] = np.nan
    return MultimodalData(arrays)


def same_as_numpy(data, rows):
    """The rows of the container are those of each of its arrays."""
    chosen = data[rows]
    for name in data.names:
        kept = data[name][rows]
        whole = kept if kept.ndim == data[name].ndim else kept[None]
        assert_array_equal(chosen[name], whole)
    return chosen


@given(data=containers(), draw=st.data())
@examples(40)
def test_rows_of_a_container_are_numpys(data, draw):
    n = len(data)
    places = st.integers(-n, n - 1)
    positions = np.array(draw.draw(st.lists(places, min_size=1, max_size=9)))
    chosen = same_as_numpy(data, positions)
    number = draw.draw(st.integers(0, len(positions) - 1))
    assert chosen[number] == data[positions[number]]
    same_as_numpy(data, draw.draw(st.slices(n)))
    same_as_numpy(data, draw.draw(arrays_of.arrays(bool, n)))
    same_as_numpy(data, draw.draw(places))
    same_as_numpy(data, positions.tolist())


@given(data=containers(), cuts=st.lists(st.integers(0, 9), max_size=3))
@examples(25)
def test_parts_of_a_container_are_the_whole_again(data, cuts):
    ends = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    parts = [data[start:end] for start, end in itertools.pairwise(ends)]
    assert MultimodalData.concatenate(parts) == data
    assert [len(part) for part in parts] == np.diff(ends).tolist()
    backwards = data[:, ::-1]
    assert backwards.names == data.names[::-1]
    assert backwards[:, list(data.names)] == data
    flat = MultimodalData.from_flat(data.to_flat(), data.modality_shapes, data.names)
    assert flat == data
