"""One table of numbers as X, as GridClustering takes it, and the errors of all else."""

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal

from skcausalpima import CausalPIMA, MultimodalData
from skcausalpima.cluster import GridClustering

TABLE = np.random.default_rng(0).normal(size=(40, 3)) + 9.0 * np.tile([[0], [1]], (20, 1))
FRAME = pd.DataFrame(TABLE, columns=list("abc"))
DAYS = pd.date_range("2026-01-01", periods=40)
MASKED = np.ma.array(TABLE, mask=np.eye(40, 3))
GRID = GridClustering(2, random_state=0)


@pytest.mark.parametrize(
    ("X", "kind", "told"),
    [
        (MASKED, TypeError, "X is a masked array: fill it first"),
        (FRAME.set_axis(list("aba"), axis=1), ValueError, "X has several columns called 'a'"),
        (torch.tensor(TABLE).bfloat16(), TypeError, "bfloat16, which NumPy lacks: use .float"),
        (DAYS.to_numpy()[:, None], TypeError, "X holds '2026-01-01"),
        (FRAME.assign(b=DAYS), TypeError, "X holds '2026-01-01"),
        (FRAME.assign(b=DAYS - DAYS[0]), TypeError, "X holds '0 days"),
        ([[1.0, 2.0], [3.0]], ValueError, "entries differ in shape"),
        ([[10**400], [1]], ValueError, "X holds a number beyond those of a float"),
        (np.zeros(9, dtype=[("a", float)]), TypeError, "X is an array with fields"),
    ],
)
def test_what_is_no_table_of_numbers_has_the_error_of_causal_pima(X, kind, told):
    with pytest.raises(kind, match=told):
        GRID.fit(X)
    if "holds '" not in told:  # there, lines of code for a fit of several modalities
        with pytest.raises(kind, match=told):
            CausalPIMA(2, max_iter=1).fit(X)


@pytest.mark.parametrize(
    ("X", "where"),
    [
        (TABLE.astype(str), "the columns 0, 1, 2"),
        (TABLE.astype("S5"), "the columns 0, 1, 2"),
        (TABLE.astype(str).astype(object), "the columns 0, 1, 2"),
        (TABLE.astype(str).tolist(), "the columns 0, 1, 2"),
        (FRAME.assign(b=FRAME["b"].astype(str)), "column 'b'"),
        (FRAME.assign(b=FRAME["b"].astype(str).astype("category")), "column 'b'"),
        (pd.DataFrame(TABLE[:, [0] * 9]).astype(str), "the columns 0, 1, 2, 3, 4, ..."),
    ],
)
def test_digits_that_are_text_are_no_numbers(X, where):
    with pytest.raises(TypeError, match=f"in {where}, where numbers are expected"):
        GRID.fit(X)


@pytest.mark.parametrize("X", [{"a": TABLE}, [TABLE, TABLE], MultimodalData([TABLE, TABLE])])
def test_modalities_are_no_table(X):
    with pytest.raises(TypeError, match="holds modalities, but GridClustering takes one table"):
        GRID.fit(X)


def test_predict_has_the_same_errors_and_says_how_to_take_columns():
    grid = GridClustering(2, random_state=0).fit(FRAME)
    with pytest.raises(TypeError, match="masked array"):
        grid.predict(MASKED)
    with pytest.raises(ValueError, match=r"(?s)order.*X\[model.feature_names_in_\]"):
        grid.predict(FRAME[list("cba")])


@pytest.mark.parametrize(
    "X",
    [
        torch.tensor(TABLE, requires_grad=True),
        np.ma.array(TABLE),
        TABLE.astype(object),
        FRAME.convert_dtypes(),
        pd.concat({"one": FRAME}, axis=1),
    ],
)
def test_forms_of_one_table(X):
    assert_array_equal(GridClustering(2, random_state=0).fit(X).labels_, GRID.fit(TABLE).labels_)
    assert GridClustering(2, random_state=0).fit(FRAME["a"]).n_features_in_ == 1
