"""What every public function of inspection says of an object that it does not take."""

import inspect

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcausalpima import CausalPIMA, inspection
from skcausalpima.cluster import GridClustering

X = np.random.default_rng(0).normal(size=(40, 3)) + 9.0 * np.tile([[0], [1]], (20, 1))
OTHERS = {
    "GridClustering": GridClustering(2, random_state=0).fit(X),
    "KMeans": KMeans(2, n_init=1, random_state=0).fit(X),
    "Pipeline": make_pipeline(StandardScaler(), CausalPIMA(2)),
    "str": "model.zip",
    "NoneType": None,
    "ndarray": X,
    "the class CausalPIMA": CausalPIMA,
}


def doors():
    """Return each public function, and each constructor of a class from something else."""
    for name in inspection.__all__:
        public = getattr(inspection, name)
        if inspect.isfunction(public):
            yield name, public
        for method in dir(public):
            if method == "of" or method.startswith("from_"):
                yield f"{name}.{method}", getattr(public, method)


#: Takes arrays.
OF_ARRAYS = {"CalibrationDisplay.from_predictions"}
DOORS = {name: door for name, door in doors() if name not in OF_ARRAYS}
OF_FITS = [name for name, door in DOORS.items() if "est" in inspect.signature(door).parameters]


def call(door, first):
    """Call with something for each argument that has no default."""
    parameters = list(inspect.signature(door).parameters.values())[1:]
    needed = [p for p in parameters if p.default is p.empty and p.kind is not p.VAR_KEYWORD]
    return door(first, **{p.name: 9 if p.name == "n_samples" else X for p in needed})


def test_all_doors_are_found():
    assert len(DOORS) == len(OF_FITS) + 8
    assert len(OF_FITS) == 22
    assert {"node_effects", "FitReport.of", "GraphDisplay.from_estimator"} <= set(OF_FITS)


@pytest.mark.parametrize("name", DOORS)
@pytest.mark.parametrize("kind", OTHERS)
def test_other_objects_are_refused(name, kind):
    with pytest.raises(TypeError, match=rf"^({name}|[a-z_]+) needs .*, got {kind}\b"):
        call(DOORS[name], OTHERS[kind])


@pytest.mark.parametrize("name", OF_FITS)
def test_a_fit_must_have_been_made(name):
    with pytest.raises(NotFittedError, match="CausalPIMA instance is not fitted"):
        call(DOORS[name], CausalPIMA(2))


@pytest.mark.parametrize("name", OF_FITS)
def test_the_type_is_documented(name):
    assert "TypeError\n" in DOORS[name].__doc__


def test_a_confidence_is_one():
    est = CausalPIMA(2, max_iter=1, random_state=0).fit(X)
    with pytest.raises(TypeError, match=r"edge_confidence returns as confidence, got GridClus"):
        inspection.GraphDisplay.from_estimator(est, confidence=OTHERS["GridClustering"])
