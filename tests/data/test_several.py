"""Lists of samples where modalities are expected, and one sample where several are."""

import numpy as np
import pandas as pd
import pytest
from gate import Gate, read

from skcausalpima import MultimodalData


@pytest.mark.parametrize(
    ("X", "match"),
    [
        (list(np.zeros((9, 4, 4))), r"list of 9 arrays of shape \(4, 4\).*np.stack\(X\)"),
        (
            [np.zeros((4 + k, 4)) for k in range(9)],
            "modality4: 8, .... If these are.*resize or pad",
        ),
        ([np.zeros((4, 4 + k)) for k in range(9)], "list of 9 arrays of 4 rows.*resize or pad"),
        ([np.zeros((4 + k, 4)).tolist() for k in range(9)], "differ in shape.*resize or pad"),
        (
            {"image": [np.zeros((4 + k, 4)) for k in range(9)]},
            r"'image' is a list whose entries differ in shape, such as \(4, 4\) and \(5, 4\)"
            ".*resize or pad",
        ),
        ({"a": [[1.0, 2.0], [3.0]]}, r"'a' .* differ in shape.*\(2,\) and \(1,\).*resize or pad"),
        ([[1.0, 2.0], [3.0]], "differ in shape.*resize or pad"),
    ],
)
def test_samples_in_place_of_modalities(X, match):
    with pytest.raises(ValueError, match=match):
        read(X)


@pytest.mark.parametrize("make", [read, MultimodalData])
@pytest.mark.parametrize("of_last", [np.asarray, pd.DataFrame])
def test_unequal_numbers_of_samples(make, of_last):
    told = "got modality0: 9, modality1: 7.*same samples in the same order.*row of NaN"
    with pytest.raises(ValueError, match=told):
        make([np.zeros((9, 2)), of_last(np.zeros((7, 3)))])


def test_one_sample_without_its_axis(pair):
    gate, alone = Gate().fit(pair), Gate().fit(pair[0])
    for X in ([array[0] for array in pair], {"modality0": pair[0][0], "modality1": pair[1][0]}):
        with pytest.raises(ValueError, match=r"X is one sample.*array\[None\] of each"):
            gate.read(X)
    with pytest.raises(ValueError, match=r"X is one sample.*X\[None\]"):
        alone.read(pair[0][0])
