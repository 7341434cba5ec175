"""What instruments do to samples can be read off the samples."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.utils import Bunch

from skcausalpima.datasets import add_context, make_circles_images, make_spectra


@pytest.fixture(scope="module")
def circles():
    return make_circles_images(500, curves=True, random_state=0)


@pytest.fixture(scope="module")
def many_circles():
    """As many as shares are told by."""
    return make_circles_images(2000, random_state=0)


def test_the_first_label_leaves_samples_as_they_are(circles):
    effects = {"offset": 0.5, "gain": 0.8, "blur": 1.0, "noise": 0.2}
    two = add_context(circles, **effects, random_state=0)
    first = two.instrument == "A"
    assert 0.4 < first.mean() < 0.6
    for name in ("images", "curves"):
        assert two[name].dtype == circles[name].dtype
        assert_array_equal(two[name][first], circles[name][first])
        assert (two[name][~first] != circles[name][~first]).any(axis=-1).mean() > 0.99
    assert_array_equal(two.factors, circles.factors)
    assert "instrument" not in circles
    assert "offsets" not in circles


def test_an_offset_is_what_is_said(circles):
    three = add_context(circles, "day", (1, 2, 3), offset=[0.0, 0.5, 2.0], random_state=1)
    assert three.day.dtype.kind == "i"
    for name in ("images", "curves"):
        offsets = three.offsets[name]["day"]
        size = np.sqrt(np.square(offsets).reshape(3, -1).mean(axis=1)) / circles[name].std()
        assert_allclose(size, [0.0, 0.5, 2.0], rtol=1e-6)
        assert_allclose(three[name], circles[name] + offsets[three.day - 1], atol=1e-5)


def test_gain_blur_and_noise_are_what_is_said():
    spectra = make_spectra(400, noise=0.0, random_state=0)
    clear, spread = spectra.curves, spectra.curves.std()
    louder = add_context(spectra, gain=0.8, random_state=0)
    second = louder.instrument == "B"
    assert_allclose(louder.curves[second], 0.8 * clear[second], rtol=1e-6)
    noisy = add_context(spectra, noise=[0.1, 0.3], random_state=0)
    errors = noisy.curves - clear
    assert errors[noisy.instrument == "A"].std() == pytest.approx(0.1 * spread, rel=0.02)
    assert errors[second].std() == pytest.approx(0.3 * spread, rel=0.02)
    blurred = add_context(spectra, blur=4.0, random_state=0)
    heights = np.ptp(blurred.curves, axis=1), np.ptp(clear, axis=1)
    assert (heights[0][second] < heights[1][second]).all()
    assert_allclose(blurred.curves[second].mean(axis=1), clear[second].mean(axis=1), rtol=0.01)


def test_colours_are_not_blurred_into_each_other(circles):
    blurred = add_context(circles, blur=[3.0, 3.0], random_state=0).images
    assert not blurred[..., 1].any()  # discs have no green
    assert (blurred.max(axis=(1, 2, 3)) < circles.images.max(axis=(1, 2, 3))).all()


def test_a_factor_decides_where_samples_go(many_circles):
    sent = {"hue": [[0.8, 0.1, 0.1], [0.2, 0.5, 0.3]]}
    three = add_context(many_circles, labels=("x", "y", "z"), assignment=sent, random_state=0)
    for hue, row in enumerate(sent["hue"]):
        there = three.instrument[three.factors[:, 0] == hue]
        assert_allclose([(there == label).mean() for label in "xyz"], row, atol=0.04)
    shares = add_context(many_circles, assignment=[0.9, 0.1], random_state=0)
    assert (shares.instrument == "A").mean() == pytest.approx(0.9, abs=0.02)
    never = add_context(many_circles, assignment={"radius": [[1, 0], [0.5, 0.5]]}, random_state=0)
    assert set(never.instrument[never.factors[:, 1] == 0]) == {"A"}


def test_one_seed_for_all_makes_nothing_depend_on_each_other(many_circles):
    """It once drew the label by the numbers that had drawn the first factor."""
    sites = add_context(many_circles, random_state=0)
    both = add_context(sites, "day", random_state=0)
    chosen = both.instrument == "B"
    for other in (both.day == "B", *many_circles.factors.T):
        assert other[chosen].mean() == pytest.approx(other[~chosen].mean(), abs=0.08)


def test_contexts_add_up(circles):
    sites = add_context(circles, offset=0.5, random_state=0)
    both = add_context(sites, "day", ("Mon", "Tue"), offset=0.3, random_state=1)
    site, day = (both.offsets["curves"][name] for name in ("instrument", "day"))
    expected = site[(both.instrument == "B").astype(int)] + day[(both.day == "Tue").astype(int)]
    assert_allclose(both.curves - circles.curves, expected, atol=1e-5)
    assert set(sites.offsets["curves"]) == {"instrument"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"labels": ("A",)}, "two or more"),
        ({"labels": ("A", "A")}, "named once"),
        ({"labels": "AB"}, "two or more"),
        ({"offset": -1.0}, "offset == -1.0"),
        ({"noise": [0.1, 0.2, 0.3]}, "noise has 3 numbers for 2 labels"),
        ({"assignment": [0.5, 0.6]}, "sum to 1"),
        ({"assignment": [0.5, 0.3, 0.2]}, "2 probabilities in each of 1 rows"),
        ({"assignment": {"hue": [0.5, 0.5]}}, "2 probabilities in each of 2 rows"),
        ({"assignment": {"hue": [[0.5, 0.5]]}}, "2 probabilities in each of 2 rows"),
        ({"assignment": {"hue": [[1.5, -0.5], [0, 1]]}}, "2 probabilities in each of 2 rows"),
        ({"assignment": {"size": [[1, 0], [0, 1]]}}, "name one of the factors.*'size'"),
    ],
)
def test_bad_arguments(circles, arguments, message):
    with pytest.raises(ValueError, match=message):
        add_context(circles, **arguments)


def test_data_without_images_and_curves_get_labels_alone():
    data = Bunch(factors=np.zeros((50, 1), dtype=int), factor_names=["a"])
    found = add_context(data, assignment=[0, 1], offset=1.0, random_state=0)
    assert set(found.instrument) == {"B"}
    assert found.offsets == {}


@pytest.mark.parametrize("data", ["a", None, np.zeros((3, 2)), {"images": np.zeros((3, 2, 2))}])
def test_what_no_generator_returns_is_told(data):
    with pytest.raises(TypeError, match=r"expected what a generator .* such as make_lattices"):
        add_context(data)
