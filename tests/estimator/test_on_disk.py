"""Fits and predictions of samples that stay on disk."""

import pickle
from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from quick_fits import quick
from some_slow import some_slow

from skcausalpima import MissingValues, MultimodalData
from skcausalpima._data import on_disk
from skcausalpima._model import tensors
from skcausalpima.callback import OnEpoch
from skcausalpima.modules import ExpertDecoder

pytestmark = pytest.mark.short_fits

N, SHAPE = 120, (8, 8)


@pytest.fixture(scope="module", autouse=True)
def small_blocks():
    """Everything stays on disk; blocks of 12 images, buffers of 60."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(on_disk, "MAX_READ_BYTES", 0)
        patch.setattr(on_disk, "BLOCK_BYTES", 12 * 64)
        patch.setattr(tensors, "BUFFER_BYTES", 60 * 64)
        yield


def factors():
    return np.random.default_rng(0).integers(0, 2, (N, 2))


def images():
    """Bright or dark images, whose left or right half is brighter."""
    values = np.random.default_rng(1).normal(100, 5, (N, *SHAPE))
    values += 40 * factors()[:, :1, None]
    values[:, :, :4] += 40 * factors()[:, 1, None, None]
    return values.astype(np.uint8)


def curves():
    return np.random.default_rng(2).normal(size=(N, 5)) + 3 * factors()[:, :1]


def stored(folder, values, name="images"):
    np.save(folder / f"{name}.npy", values)
    return np.load(folder / f"{name}.npy", mmap_mode="r")


@pytest.fixture(scope="module")
def on_file(tmp_path_factory):
    return stored(tmp_path_factory.mktemp("files"), images())


estimator = partial(quick, training__batch_size=32)


@pytest.fixture(scope="module")
def fitted(on_file):
    return estimator().fit(on_file)


def test_finds_what_a_fit_in_memory_finds(fitted):
    in_memory = estimator().fit(images())
    assert_array_equal(fitted.node_labels_, in_memory.node_labels_)
    assert_allclose(fitted.score(images()), in_memory.score(images()), rtol=0.01)
    assert len(fitted.labels_) == N


@pytest.mark.long
def test_is_the_same_each_time(fitted, on_file):
    again = estimator().fit(on_file)
    assert_array_equal(again.cluster_means_, fitted.cluster_means_)
    assert again.lower_bound_ == fitted.lower_bound_


def test_predictions_are_those_in_memory(fitted, on_file):
    for method in ("transform", "predict_proba", "score_samples"):
        ask = getattr(fitted, method)
        assert_allclose(ask(on_file), ask(images()), rtol=1e-5, atol=1e-6, err_msg=method)
    assert_allclose(fitted.tail_probability(on_file), fitted.tail_probability(images()), atol=0.02)
    assert_array_equal(fitted.predict_nodes(on_file), fitted.node_labels_)
    assert fitted.score(on_file) == pytest.approx(fitted.lower_bound_, rel=1e-4)


def test_memory_is_not_filled(fitted, on_file, monkeypatch):
    """No more is read at once than a buffer holds."""
    largest, read = [0], on_disk.OnDisk.__array__

    def watched(self, *args, **kwargs):
        largest[0] = max(largest[0], len(self))
        return read(self, *args, **kwargs)

    monkeypatch.setattr(on_disk.OnDisk, "__array__", watched)
    monkeypatch.setattr("skcausalpima._initialization.initial_sample.MAX_ELEMENTS", 60 * 64)
    monkeypatch.setattr("skcausalpima._initialization.initial_sample.MIN_ROWS", 50)
    monkeypatch.setattr("skcausalpima._training.block_update.BLOCK_ROWS", 50)
    monkeypatch.setattr("skcausalpima._training.potentials.N_ROWS", 50)
    found = estimator(max_iter=1).fit(on_file)
    fitted.predict(on_file)
    assert largest == [60]
    assert len(found.labels_) == N


@pytest.mark.slow
def test_several_modalities_some_of_them_on_disk(on_file, tmp_path):
    X = MultimodalData({"image": on_file, "curve": curves()})
    both = MultimodalData({"image": on_file, "curve": stored(tmp_path, curves())})
    est = estimator(missing_values=MissingValues(subset_epochs=1)).fit(both)
    assert_allclose(est.predict_proba(both), est.predict_proba(X), atol=1e-5)
    assert_allclose(est.predict_proba(both[50:70]), est.predict_proba(X)[50:70], atol=1e-5)
    assert est.predict({"image": on_file, "curve": None}).shape == (N,)


@pytest.mark.long
def test_missing_samples(on_file, tmp_path):
    is_seen = np.random.default_rng(3).random(N) > 0.3
    with_gaps = np.where(is_seen[:, None], curves(), np.nan)
    stated = MultimodalData(
        {"image": on_file, "curve": stored(tmp_path, curves())}, observed={"curve": is_seen}
    )
    est = estimator().fit(stated)
    unstated = {"image": on_file, "curve": stored(tmp_path, with_gaps, "gaps")}
    assert_array_equal(estimator().fit(unstated).labels_, est.labels_)
    in_memory = {"image": images(), "curve": with_gaps}
    assert_allclose(est.predict_proba(unstated), est.predict_proba(in_memory), atol=1e-3)


@pytest.mark.slow
def test_several_starts(on_file):
    est = estimator(n_init=2, max_iter=1).fit(on_file)
    assert est.stability_.rand_indices.shape == (2, 2)


@pytest.mark.long
def test_workers_read_for_themselves(on_file, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(on_disk, "BLOCK_BYTES", 2**20)  # which workers do not know otherwise
    monkeypatch.setattr(tensors, "BUFFER_BYTES", 2**25)
    one = estimator(n_init=2, max_iter=1).fit(on_file)
    two = estimator(n_init=2, max_iter=1, n_jobs=2).fit(on_file)
    assert_array_equal(one.cluster_means_, two.cluster_means_)


@pytest.mark.parametrize("library", some_slow(["h5py", "zarr"], ["h5py"]))
def test_datasets(library, fitted, tmp_path):
    module, chunks = pytest.importorskip(library), (12, *SHAPE)
    if library == "h5py":
        X = module.File(tmp_path / "x.h5", "w").create_dataset("x", data=images(), chunks=chunks)
    else:
        X = module.array(images(), store=str(tmp_path / "x"), chunks=chunks)
    assert_array_equal(estimator().fit(X).cluster_means_, fitted.cluster_means_)
    assert_array_equal(fitted.predict({"modality0": X}), fitted.labels_)


@pytest.mark.long
def test_several_datasets_of_one_file(tmp_path):
    """Those of h5py have \"dims\", as labelled arrays have, but no labels."""
    arrays = {"a": images(), "b": images()[:, ::2, 0]}
    with pytest.importorskip("h5py").File(tmp_path / "x.h5", "w") as file:
        datasets = [file.create_dataset(name, data=array) for name, array in arrays.items()]
        expected = estimator().fit([*arrays.values()])
        assert_array_equal(estimator().fit(datasets).labels_, expected.labels_)
        assert_array_equal(expected.predict(datasets), expected.labels_)


@pytest.mark.slow
def test_a_fit_that_is_continued(on_file):
    whole = estimator(max_iter=2, warm_start=True, training__tol=0).fit(on_file)
    half = estimator(max_iter=1, warm_start=True, training__tol=0).fit(on_file)
    half = pickle.loads(pickle.dumps(half)).fit(on_file)
    assert_array_equal(half.cluster_means_, whole.cluster_means_)
    assert half.n_iter_ == 2


@pytest.mark.slow
def test_what_is_known_of_samples(on_file):
    known = np.full((N, 2), -1)
    known[::4] = factors()[::4]
    weights = np.where(np.arange(N) < 20, 0.0, 1.5)
    est = estimator(training__validation_fraction=0.2).fit(
        on_file, known_nodes=known, sample_weight=weights
    )
    assert "held_out_bound" in est.history_
    assert (est.node_labels_ == factors()).mean() > 0.9


@pytest.mark.slow
def test_experts_fit_all_samples(tmp_path):
    x = np.linspace(0, 1, 5)
    values = (factors()[:, :1] + 1.0) * x + np.random.default_rng(4).normal(0, 0.1, (N, 5))
    experts = [ExpertDecoder(lambda x, slope: slope * x, x)]
    est = estimator(experts=experts).fit(stored(tmp_path, values))
    found = est.expert_params_["modality0"]
    slopes = values @ x / (x @ x)  # of each sample, by least squares
    shares = est.predict_proba(values)  # lines alone say nothing of the latent point
    for label in np.unique(est.labels_):
        expected = np.average(slopes, weights=shares[:, label])
        assert found["slope"][label] == pytest.approx(expected, abs=0.05)
        assert found["slope_se"][label] < 0.1


@pytest.mark.parametrize("change", ["shrinks", "vanishes", "is_written", "is_replaced"])
def test_a_file_that_changes_while_it_is_read(change, fitted, tmp_path):
    path = tmp_path / "images.npy"
    X, before = stored(tmp_path, images()), fitted.lower_bound_

    def spoil(record):
        if change == "vanishes":
            path.unlink()
        elif change == "is_written":
            np.save(path, images()[::-1])
        elif change == "is_replaced":
            np.save(tmp_path / "other.npy", images()[::-1])
            (tmp_path / "other.npy").replace(path)
        else:
            path.write_bytes(path.read_bytes()[:-100])

    fitted.set_callbacks(OnEpoch(spoil))
    with pytest.raises(OSError, match=r"modality 'modality0' can no longer be read from .*images"):
        fitted.fit(X)
    fitted.set_callbacks()
    assert fitted.lower_bound_ == before


def test_a_file_may_change_between_two_calls(fitted, tmp_path):
    """Also one that its user writes to by the map, and that is in a container."""
    path = tmp_path / "images"
    frames = np.memmap(path, np.uint8, "w+", shape=(N, *SHAPE))
    X = MultimodalData({"modality0": frames})
    frames[:] = images()
    assert_array_equal(fitted.predict(X), fitted.labels_)
    frames[:] = frames[::-1].copy()
    assert_array_equal(fitted.predict(X), fitted.labels_[::-1])
    assert_array_equal(np.asarray(X["modality0"]), images()[::-1])


def test_tables_on_disk(tmp_path):
    table = stored(tmp_path, curves())
    est = estimator().fit(table)
    assert est.n_features_in_ == 5
    assert_allclose(est.predict_proba(table), est.predict_proba(curves()), atol=1e-4)


@pytest.mark.slow
def test_large_offsets_lose_nothing(tmp_path):
    values = 1e6 + curves()
    est = estimator().fit(stored(tmp_path, values))
    assert_allclose(est.transform(stored(tmp_path, values)), est.transform(values), atol=1e-4)
