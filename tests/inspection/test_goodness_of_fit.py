"""Where a model does not hold: what is planted is named, with its size, and nothing else is.

Samples are drawn with fixed seeds. Of right models a line has p <= .05 in one of twenty draws.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from skcausalpima.inspection import FitLine, GoodnessOfFit, goodness_of_fit
from skcausalpima.inspection._fit_lines import _cuts
from skcausalpima.inspection._residuals import replicates
from skcausalpima.inspection._unseen import UnseenPart

pytestmark = pytest.mark.short_fits

N = 400


def drawn(seed, n=N):
    """Return outcomes of two nodes, and two tables with noise of variance 1."""
    rng = np.random.default_rng([seed, 55])
    nodes = rng.integers(2, size=(n, 2))
    effects = np.array([[12, 0, 0, 0, 0, 12, 0, 0], [0, 12, 0, 0, 12, 0, 0, 0]])
    x = nodes @ effects + rng.normal(size=(n, 8))
    return nodes, x[:, :4], x[:, 4:], rng


@pytest.fixture(scope="module")
def est(quick):
    _, one, other, _ = drawn(0)
    return quick(max_iter=15).fit([one, other])


def asked(est, X, **options):
    return goodness_of_fit(est, X, seen=False, n_replicates=99, **options)


def line_of(found, name):
    return next(line for line in found.lines if line.name == name)


def test_a_right_model_holds(est):
    _, one, other, rng = drawn(1)
    found = asked(est, [one, other], metadata={"weight": rng.normal(size=N)})
    assert found.worst is None
    assert {line.name for line in found.lines} == {
        *("tails", "together", "between", "cells", "heaps", "metadata: weight")
    }
    assert "Nothing that matters" in str(found)


def heavy(one, other, nodes, rng):
    one[:, 2] = rng.standard_t(3, size=N)


def together(one, other, nodes, rng):
    one[:, 3] = 0.6 * one[:, 2] + 0.8 * one[:, 3]


def between(one, other, nodes, rng):
    other[:, 3] = 0.6 * one[:, 2] + 0.8 * other[:, 3]


def noisy_cells(one, other, nodes, rng):
    one[:, 2] *= 1 + 2 * nodes[:, 0] * nodes[:, 1]


def heaps(one, other, nodes, rng):
    one[:, 2:] += 4 * rng.integers(2, size=(N, 1))


@pytest.mark.parametrize(
    ("plant", "name", "size", "where"),
    [
        (heavy, "tails", (2, 60), "column 2"),
        (together, "together", (0.5, 0.7), "column 2 with modality0: column 3"),
        (between, "between", (0.5, 0.7), "modality0: column 2 with modality1: column 3"),
        # 3 beside the mean of 9, 1, 1, 1 in the cells, whose root is 1.73
        (noisy_cells, "cells", (1.5, 2.0), "column 2 in N"),
        # two columns, each of variance 1 + 4, on one axis, of 8
        (heaps, "heaps", (0.15, 0.3), "axis 1"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_is_planted_is_named_with_its_size(est, plant, name, size, where):
    nodes, one, other, rng = drawn(2)
    plant(one, other, nodes, rng)
    found = asked(est, [one, other])
    line = line_of(found, name)
    assert line.speaks
    assert size[0] < line.size < size[1]
    assert where in line.where
    assert found.p_value <= 0.05
    assert found.worst.name in {name, "tails"}  # unlike noise has other tails, too


def test_two_heaps_are_called_so_and_a_line_is_not(est):
    _, one, other, rng = drawn(3)
    one[:, 2:] += 6 * rng.integers(2, size=(N, 1))
    assert "two heaps" in line_of(asked(est, [one, other]), "heaps").cure
    _, one, other, rng = drawn(3)
    one[:, 2:] += rng.uniform(0, 8, size=(N, 1))
    line = line_of(asked(est, [one, other]), "heaps")
    assert line.speaks
    assert "or a line" in line.cure


def test_metadata_that_move_columns_within_cells_are_named(est):
    nodes, one, other, rng = drawn(4)
    instrument, age = rng.choice(["A", "B"], size=N), rng.normal(size=N)
    one[:, 3] += 2.0 * (instrument == "B")
    columns = {"instrument": instrument, "age": age, "N1": nodes[:, 0]}
    found = asked(est, [one, other], metadata=pd.DataFrame(columns))
    assert line_of(found, "metadata: instrument").speaks
    # the difference 2 beside noise 1: a correlation of 1 / sqrt(2)
    assert line_of(found, "metadata: instrument").size == pytest.approx(0.71, abs=0.08)
    assert not line_of(found, "metadata: age").speaks
    # what the nodes say already has nothing to say within cells
    assert line_of(found, "metadata: N1").p_value > 0.05


def test_metadata_that_say_nothing_are_set_aside_in_words(est):
    _, one, other, _ = drawn(5)
    group = np.where(np.arange(N) < 2, "few", "many")
    found = asked(est, [one, other], metadata={"all one": np.ones(N, int), "two of them": group})
    assert not any(line.name.startswith("metadata") for line in found.lines)
    assert ["'all one'" in found.limits[0], "'two of them'" in found.limits[1]] == [True, True]


def test_missing_entries_of_metadata_are_left_out(est):
    _, one, other, rng = drawn(6)
    instrument = rng.choice(["A", "B"], size=N).astype(object)
    one[instrument == "B", 3] += 2.0
    instrument[:100] = None
    found = asked(est, [one, other], metadata={"instrument": instrument})
    assert line_of(found, "metadata: instrument").speaks


def test_replicates_have_the_gaps_of_the_samples(taught):
    _, one, other, _ = drawn(7, 200)
    one[:20], other[20:40], one[50:60, 1] = np.nan, np.nan, np.nan
    est = taught().fit([one, other])
    part = UnseenPart(est=est, X=[one, other], rows=np.arange(200), components=np.arange(4))
    for left in replicates(part, est, 3, rng=np.random.RandomState(0)):
        for values, given in zip((*left.own, *left.of_cells), (one, other) * 2, strict=True):
            np.testing.assert_array_equal(values == 0, np.isnan(given))


def test_halves_may_lack_a_word(quick):
    """A rare word is in one half alone; in draws that the other is asked about it is missing."""
    nodes, one, _, rng = drawn(13, 200)
    words = pd.DataFrame(one, columns=list("abcd")).assign(
        word=np.array(["low", "high"])[nodes[:, 0]], alone=rng.permutation(["x", *199 * ["y"]])
    )
    words.loc[3, "word"] = "once"
    est = quick().fit({"words": words, "word": words[["word"]]})
    found = goodness_of_fit(est, {"words": words, "word": words[["word"]]}, n_replicates=19)
    assert np.isfinite(found.to_frame()[["p_value", "size", "misfit"]].to_numpy()).all()


def test_a_fit_that_is_asked_of_its_own_samples_says_so(est):
    _, one, other, _ = drawn(0)
    with pytest.raises(ValueError, match="are among those that est was fitted to"):
        asked(est, [one, other])


def test_halves_ask_each_other_and_the_report_has_what_they_say(quick):
    _, one, other, _ = drawn(8, 120)
    one[:, 2:] += 5 * np.random.default_rng(0).integers(2, size=(120, 1))
    est = quick().fit([one, other])
    report = est.report([one, other], check=True, detail="full")
    assert list(report.goodness.agreement) == ["N1", "N2"]
    assert report.goodness.n_samples == 120
    assert "Goodness of fit" in str(report)
    assert report.goodness.worst.name in str(report)
    assert any(report.goodness.worst.cure in sentence for sentence in report.advice)
    assert "No alarm was raised" not in str(report)
    assert "seen=False, ask" in report.goodness.limits[-1]
    assert "Goodness of fit" not in str(est.report([one, other], detail="full"))


def test_the_answer_is_the_same_each_time(est):
    _, one, other, _ = drawn(9)
    assert asked(est, [one, other]) == asked(est, [one, other])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metadata": {"age": np.zeros(3)}}, "metadata"),
        ({"metadata": {}}, "metadata has no columns"),
        ({"metadata": {"age": np.full(N, np.inf)}}, "expected finite numbers"),
        ({"metadata": {"day": np.full(N, np.datetime64("2024-01-01"))}}, "dates or times"),
        ({"n_replicates": 10}, "n_replicates"),
        ({"seen": "no"}, "seen"),
    ],
)
def test_what_cannot_be_asked_is_refused(est, options, message):
    _, one, other, _ = drawn(10)
    with pytest.raises(ValueError, match=message):
        goodness_of_fit(est, [one, other], **({"seen": False} | options))


def test_too_few_samples_and_other_estimators_are_refused(est):
    _, one, other, _ = drawn(11)
    with pytest.raises(ValueError, match="goodness_of_fit needs at least 40 samples"):
        asked(est, [one[:9], other[:9]])
    with pytest.raises(TypeError, match="goodness_of_fit needs a fitted CausalPIMA"):
        goodness_of_fit(KeyError, one)
    with pytest.raises(ValueError, match=r"report\(X, check=True\)"):
        est.report(check=True)


def test_columns_that_never_vary_and_wide_modalities_are_asked_as_well_as_possible(quick):
    nodes, one, _, rng = drawn(12, 200)
    one[:, 3], one[nodes[:, 0] == 0, 2] = 7.0, 0.0  # the latter in some cells
    images = rng.normal(size=(200, 9, 9)) + 5.0 * nodes[:, :1, None]
    images[:, 0, 0] = 1.0
    est = quick().fit([one[:100], images[:100]])
    found = asked(est, [one[100:], images[100:]])
    figures = found.to_frame()[["p_value", "size", "misfit"]].to_numpy()
    assert np.isfinite(figures).all()
    assert figures[:, 1].max() <= 100.0
    assert line_of(found, "between").where.count("direction") >= 1


@pytest.mark.parametrize(
    ("make", "share"),
    [
        (lambda rng, n: rng.normal(size=n), 2 / np.pi),  # of halves of a normal distribution
        (lambda rng, n: rng.uniform(size=n), 0.75),
        (lambda rng, n: rng.integers(2, size=n).astype(float), 1.0),
    ],
)
def test_a_cut_explains_of_an_axis_what_is_known_of_its_law(make, share):
    values = make(np.random.default_rng(0), 20_000)[:, None]
    cut, size = _cuts(values - values.mean(axis=0), 1)
    np.testing.assert_allclose([cut[0], size[0]], [share, 1.0], atol=0.01)


# --- what is shown ------------------------------------------------------------------------------


def made(name="tails", p_value=0.005, size=3.0, of_all=0.005, where="<b>"):
    line = FitLine(
        name=name,
        p_value=p_value,
        misfit=4.0,
        size=size,
        least_size=1.0,
        unit="kurtosis beyond the model's",
        where=where,
        cure="Take logarithms.",
    )
    figures = {"n_samples": 9, "n_replicates": 199, "agreement": {"N1": 0.5}, "limits": ("Few.",)}
    return GoodnessOfFit(lines=(line,), p_value=of_all, **figures)


def test_a_line_is_silent_below_its_size_or_where_all_together_hold():
    assert made().worst.name == "tails"
    assert made(size=0.5).worst is None
    assert made(p_value=0.2).worst is None
    assert made(of_all=0.2).worst is None


def test_what_moves_columns_together_is_named_before_their_correlation():
    both = [made("together"), made("heaps"), made("metadata: day"), made("tails")]
    lines = [found.lines[0] for found in both]

    def worst(*lines):
        return replace(made(), lines=lines).worst.name

    assert worst(*lines) == "metadata: day"
    assert worst(*lines[:2]) == "heaps"
    assert worst(lines[0], lines[3]) == "together"
    assert worst(lines[3], lines[2]) == "tails"


def test_text_and_table_have_the_worst_line_its_cure_and_what_halves_say():
    for text in (str(made()), repr(made()), made()._repr_html_()):
        for words in ("tails", "Take", "logarithms.", "N1 0.50", "Few.", "3.00"):
            assert words in text
    assert "<b>" not in made()._repr_html_().replace("&lt;b&gt;", "")
    frame = made().to_frame()
    assert frame.loc["tails", "size"] == 3.0
    assert bool(frame.loc["tails", "speaks"])
