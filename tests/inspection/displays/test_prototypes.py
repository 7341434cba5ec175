"""One picture per cell."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from drawn_texts import assert_readable, drawn_texts

from skcausalpima.inspection import PrototypeDisplay
from skcausalpima.inspection._displays.prototypes import CellTable

CASES = [((2,), (6, 6, 3)), ((2,), (5,)), ((2, 3, 2), (6, 6))]
SLOW = [((10,), (30,)), ((2, 2, 2), (5,)), ((2,) * 6, (6, 6))]
LONG = [((2,) * n, shape) for n in (1, 3, 5, 6) for shape in [(7, 6), (7, 6, 3), (40,), (6,)]]


def samples(sizes, shape):
    return np.random.default_rng(0).normal(size=(int(np.prod(sizes)), *shape))


@pytest.mark.parametrize(
    ("sizes", "shape"),
    [
        *CASES,
        *(pytest.param(*case, marks=pytest.mark.slow) for case in SLOW),
        *(pytest.param(*case, marks=pytest.mark.long) for case in LONG),
    ],
    ids=str,
)
def test_every_cell_has_a_picture_that_can_be_read(sizes, shape, long_names):
    titles = ["before 12.3\nafter 4.56"] * int(np.prod(sizes))
    display = PrototypeDisplay(
        samples(sizes, shape), sizes, long_names[: len(sizes)], titles=titles
    ).plot()
    n_cells = int(np.prod(sizes))
    assert len(display.artists_) == len(display.cells_) <= n_cells
    # a page has room for 24 tables of bars, and for more of other pictures
    assert len(display.cells_) >= min(n_cells, 24)
    assert display.axes_.size >= len(display.cells_)
    assert display.bounding_ax_ is None
    assert_readable(display.figure_)


@pytest.mark.parametrize("sizes", [(64,), (5, 7), (2,) * 6, (3, 4, 5)], ids=str)
def test_cells_are_where_their_outcomes_say(sizes):
    table = CellTable(sizes)
    positions = [table.position(cell) for cell in range(int(np.prod(sizes)))]
    assert len(set(positions)) == len(positions)
    assert np.all(np.array(positions) < table.shape)
    n_rows, n_columns = table.shape
    assert n_rows <= 3 * n_columns
    assert n_columns <= 4 * n_rows


def test_rows_and_columns_are_named_by_the_nodes_if_there_is_room():
    display = PrototypeDisplay(samples((2, 2), (6, 6)), (2, 2), ["N1", "N2"]).plot()
    assert [ax.get_ylabel() for ax in display.axes_[:, 0]] == ["N1 = 0", "N1 = 1"]
    assert [text.get_text() for ax in display.axes_[0] for text in ax.texts] == ["N2 = 0", "N2 = 1"]


def test_outcomes_have_their_names():
    names = [["steel", "brass"]]
    arrays = samples((2,), (6, 6))
    display = PrototypeDisplay(arrays, (2,), ["metal"], outcome_names=names).plot()
    assert [ax.get_title() for ax in display.axes_[0]] == ["metal = steel", "metal = brass"]


def test_given_axes_are_divided_and_drawn_on_again():
    _, (left, right) = plt.subplots(1, 2, layout="constrained")
    display = PrototypeDisplay(samples((2, 2), (30,)), (2, 2), ["N1", "N2"]).plot(ax=left)
    assert display.bounding_ax_ is left
    assert display.figure_ is right.figure
    assert not left.axison
    axes = display.axes_
    display.plot(ax=axes)
    assert display.axes_.tolist() == axes.tolist()


@pytest.mark.parametrize(
    ("modality", "kind"), [("image", "nearest"), ("table", "nearest"), ("line", "decoded")]
)
def test_a_fit(shown_fit, shown_data, modality, kind):
    display = PrototypeDisplay.from_estimator(shown_fit, shown_data, kind=kind, modality=modality)
    assert display.axes_.shape == (2, 2)
    assert_readable(display.figure_)
    titles = [ax.get_title() for ax in display.axes_.flat]
    if modality == "line":
        assert all(title.startswith("slope ") for title in titles)
        assert display.artists_[0].get_xdata().tolist() == np.linspace(0, 2, 12).tolist()
    else:
        assert all(title.endswith(" %") for title in titles)


def test_cells_are_drawn_in_the_order_of_the_grid(shown_fit):
    display = PrototypeDisplay.from_estimator(shown_fit, modality="image")
    decoded = shown_fit.inverse_transform(shown_fit.cluster_means_)["image"]
    for component, (i, j) in enumerate(shown_fit.cluster_states_):
        np.testing.assert_allclose(display.axes_[i, j].images[0].get_array(), decoded[component])


def test_the_nearest_sample_is_one_of_the_cell(shown_fit, shown_data):
    display = PrototypeDisplay.from_estimator(shown_fit, shown_data, kind="nearest")
    labels = shown_fit.predict(shown_data)
    order = np.lexsort(shown_fit.cluster_states_.T[::-1])
    for component, image in zip(order, display.prototypes, strict=True):
        own = shown_data["image"][labels == component]
        assert any(np.array_equal(image, sample) for sample in own)


def test_a_cell_without_samples_stays_empty(shown_fit, shown_data):
    labels = shown_fit.predict(shown_data)
    few = {name: array[labels == 0] for name, array in shown_data.items()}
    display = PrototypeDisplay.from_estimator(shown_fit, few, kind="nearest")
    assert sum(artist is None for artist in display.artists_) == 3
    assert_readable(display.figure_)


def test_columns_that_are_scaled_each_are_in_standard_deviations(shown_fit):
    display = PrototypeDisplay.from_estimator(shown_fit, modality="table")
    assert np.abs(display.prototypes).max() < 3
    texts = [text.replace("\n", " ") for text, _ in drawn_texts(display.figure_)]
    assert any("table: standard deviations from the mean" in text for text in texts)
