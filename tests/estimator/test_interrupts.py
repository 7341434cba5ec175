"""An interrupt leaves the last fit or the new one, never a part of one."""

import sys
from copy import deepcopy

import numpy as np
import pytest
from same_fits import assert_same_fits
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from skcausalpima import ScoreSearch, _causal_pima
from skcausalpima._fit import attributes, whole
from skcausalpima._state.fitted import is_of_fit

FILES = {_causal_pima.__file__, attributes.__file__}


class Interrupts:
    """Raise at one line of the files in which fits become attributes; else count the lines."""

    def __init__(self, at=None):
        self.at, self.count = at, 0

    def __call__(self, frame, event, argument):
        if frame.f_code.co_filename not in FILES:
            return None
        if event == "line":
            if self.count == self.at:
                sys.settrace(None)
                raise KeyboardInterrupt
            self.count += 1
        return self

    def __enter__(self):
        self.before = sys.gettrace()
        sys.settrace(self)
        return self

    def __exit__(self, *error):
        sys.settrace(self.before)


@pytest.fixture
def known_runs(monkeypatch):
    """Let what comes from now on train once, and then find the same again."""

    def install():
        for which in ("best_run", "run_further"):
            found, plain = [], getattr(whole, which)

            def run(*arguments, found=found, plain=plain):
                found[:] = found or [plain(*arguments)]
                return found[0]

            monkeypatch.setattr(whole, which, run)

    return install


def of_fits(model):
    return {name: value for name, value in vars(model).items() if is_of_fit(name)}


def with_the_fit_of(model):
    copy = clone(model)
    vars(copy).update(vars(model))
    return copy


KINDS = ["first", "again", "continued", "continued, weights"]


@pytest.mark.parametrize(
    ("kind", "step"),
    [
        pytest.param("continued", 37, marks=pytest.mark.slow),
        *(pytest.param(kind, 1, marks=pytest.mark.long) for kind in KINDS),
    ],
)
def test_everywhere_in_what_turns_a_run_into_attributes(quick, pair, known_runs, kind, step):
    weights = {"sample_weight": np.tile([0.0, 1.0, 2.0], 24)} if "weights" in kind else {}
    start = quick(warm_start="continued" in kind, structure=ScoreSearch(polishing_epochs=2))
    if kind != "first":
        start.fit(pair, **weights)
    X = pair if "continued" in kind else {"a": 3.0 * pair[0], "b": pair[1]}
    known_runs()
    whole = with_the_fit_of(start)
    with Interrupts() as lines:
        whole.fit(X, **weights)
    assert lines.count > 50
    kept = []
    for at in range((lines.count - 1) % step, lines.count, step):  # the last, too
        model, before = with_the_fit_of(start), of_fits(start)
        with pytest.raises(KeyboardInterrupt), Interrupts(at):
            model.fit(X, **weights)
        after = of_fits(model)
        kept.append(before.keys() == after.keys() and all(after[n] is before[n] for n in before))
        if not kept[-1]:
            assert after.keys() == of_fits(whole).keys()
            assert_same_fits(model, whole, X)
    assert kept == sorted(kept, reverse=True)  # up to some line the last fit, then the new one
    assert 0 < sum(kept) < len(kept)


def test_in_training(quick, pair, fitted_warm, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    model = deepcopy(fitted_warm)
    before = of_fits(model)
    for which in ("run_further", "best_run"):
        monkeypatch.setattr(whole, which, interrupted)
        with pytest.raises(KeyboardInterrupt):
            model.set_params(warm_start=which == "run_further").fit([3.0 * pair[0], pair[1]])
        assert of_fits(model).keys() == before.keys()
        assert all(vars(model)[name] is value for name, value in before.items())
    unfitted = quick()
    with pytest.raises(KeyboardInterrupt):
        unfitted.fit(pair)
    assert vars(unfitted) == vars(quick())
    with pytest.raises(NotFittedError):
        unfitted.predict(pair)


@pytest.mark.slow
def test_a_fit_on_other_data_leaves_nothing_of_the_last(quick, pair, fitted):
    """But what was asked of outputs, and attributes of the user's own."""
    frame = pytest.importorskip("pandas").DataFrame(pair[1], columns=list("abcd"))
    model = quick(warm_start=True).set_output(transform="pandas").fit(frame)
    model.note = "mine"
    model.set_params(warm_start=False).fit(pair)
    assert_same_fits(model.set_output(transform="default"), fitted, pair)
    assert model._fitted.training is None
    assert "feature_names_in_" not in vars(model)
    assert model.note == "mine"
    assert "_sklearn_output_config" in vars(model)
