"""Samples that stay on disk: which ones, and how they are read."""

import os
import pickle
from dataclasses import replace

import numpy as np
import pytest
from gate import Gate, read
from numpy.testing import assert_array_equal

from skcausalpima import MultimodalData
from skcausalpima._data import on_disk as module
from skcausalpima._data.on_disk import OnDisk, on_disk

SHAPE = (40, 3, 2)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Everything stays on disk, and is read some rows at a time."""
    monkeypatch.setattr(module, "MAX_READ_BYTES", 0)
    monkeypatch.setattr(module, "BLOCK_BYTES", 60)
    monkeypatch.setattr(module, "GAP_BYTES", 12)


def numbers(dtype="uint8"):
    return np.arange(np.prod(SHAPE)).reshape(SHAPE).astype(dtype)


def as_memmap(folder, values):
    np.save(folder / "x.npy", values)
    return np.load(folder / "x.npy", mmap_mode="r")


def as_h5py(folder, values):
    h5py = pytest.importorskip("h5py")
    return h5py.File(folder / "x.h5", "w").create_dataset("x", data=values, chunks=(7, 3, 2))


def as_zarr(folder, values):
    zarr = pytest.importorskip("zarr")
    return zarr.array(values, store=str(folder / "x.zarr"), chunks=(7, 3, 2), overwrite=True)


MAKERS = [as_memmap, as_h5py, as_zarr]


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize(
    "rows",
    [
        slice(None),
        slice(5, 21),
        np.array([0]),
        np.array([39, 2, 2, 17, 3, 30]),
        np.array([2, 0, 2]),
        np.array([], dtype=int),
        np.arange(40) % 3 == 0,
    ],
    ids=["all", "slice", "first", "any_order", "twice", "none", "mask"],
)
def test_rows_are_those_of_the_array(make, rows, tmp_path):
    values = numbers()
    found = on_disk(make(tmp_path, values), "image")[rows]
    assert found.shape == values[rows].shape
    assert_array_equal(np.asarray(found), values[rows], strict=True)
    flat = found.reshape(len(found), 6).astype(np.float32)
    assert_array_equal(np.asarray(flat), values[rows].reshape(-1, 6).astype("f4"), strict=True)


@pytest.mark.parametrize("make", MAKERS)
def test_pickles_read_the_same_file(make, tmp_path):
    dataset = make(tmp_path, numbers())
    array = on_disk(dataset, "image")[5:9]
    if make is as_h5py:
        dataset.file.flush()
    stored = pickle.dumps(array)
    if make is as_h5py:
        dataset.file.close()
    assert len(stored) < 3000
    assert_array_equal(np.asarray(pickle.loads(stored)), numbers()[5:9])


@pytest.mark.parametrize(
    "chosen", [np.s_[:], np.s_[4:30], np.s_[3::4], np.s_[10:]], ids=["all", "slice", "step", "rest"]
)
def test_slices_of_memory_maps(chosen, tmp_path):
    values = numbers(">i4")
    found = on_disk(as_memmap(tmp_path, values)[chosen], "x")
    assert found.dtype == np.dtype("i4")
    assert_array_equal(np.asarray(found), values[chosen])


@pytest.mark.parametrize(
    "view",
    [lambda m: m[::-1], lambda m: m[:, ::2], lambda m: m.T, np.asarray, lambda m: m[:0]],
    ids=["backwards", "columns", "transposed", "plain", "empty"],
)
def test_other_views_of_memory_maps_are_in_memory(view, tmp_path):
    assert on_disk(view(as_memmap(tmp_path, numbers())), "x") is None


def test_what_is_changed_in_memory_alone_is_in_memory(tmp_path):
    as_memmap(tmp_path, numbers())
    assert on_disk(np.load(tmp_path / "x.npy", mmap_mode="c"), "x") is None


def test_small_files_are_read(tmp_path, monkeypatch):
    array = as_memmap(tmp_path, numbers())
    monkeypatch.setattr(module, "MAX_READ_BYTES", 4 * array.size)
    assert on_disk(array, "x") is None
    assert type(MultimodalData([array]).arrays[0]) is np.ndarray
    monkeypatch.setattr(module, "MAX_READ_BYTES", 4 * array.size - 1)
    assert on_disk(array, "x") is not None


def test_containers_choose_without_reading(tmp_path, monkeypatch):
    values, curves = numbers(), np.arange(40.0)[:, None]
    X = MultimodalData({"image": as_memmap(tmp_path, values), "curve": curves})
    monkeypatch.setattr(module.PlainFile, "read", lambda self, start, stop: pytest.fail("read"))
    assert repr(X) == (
        "MultimodalData(40 samples, image: (3, 2) uint8, on disk, curve: (1,) float64)"
    )
    part = X[np.array([7, 3])][:, ["image"]]
    assert X.observed.all()
    monkeypatch.undo()
    assert_array_equal(np.asarray(part["image"]), values[[7, 3]])
    assert_array_equal(X["image"][-1], values[-1])
    assert MultimodalData({"image": values, "curve": curves}) == X
    assert_array_equal(X.to_flat()[:, :6], values.reshape(40, 6))


def test_missing_samples_are_zeros(tmp_path):
    values = numbers("f4")
    values[3], values[5, 0, 0] = np.nan, np.inf
    found = on_disk(as_memmap(tmp_path, values), "curve")
    missing = np.isin(np.arange(40), [3, 5])
    checked = replace(found, missing=missing)
    assert not np.asarray(checked)[missing].any()
    assert_array_equal(np.asarray(checked[6:]), values[6:])
    with pytest.raises(ValueError, match="modality 'curve', which is on disk, is not finite any"):
        np.asarray(replace(found, missing=np.zeros(40, dtype=bool)))


def test_the_gate_looks_at_what_is_on_disk(tmp_path):
    curves = np.zeros((40, 5))
    gate = Gate().fit(as_memmap(tmp_path, curves))
    with pytest.raises(ValueError, match="has 3 features, but Gate is expecting 5"):
        gate.read(as_memmap(tmp_path, curves[:, :3]))
    for wrong, told in ((np.nan, ", which is on disk, is NaN in a"), (np.inf, " .* in sample 7")):
        curves[7, 2] = wrong
        with pytest.raises(ValueError, match=f"modality 'curve'{told}"):
            read({"curve": as_memmap(tmp_path, curves)})


def test_a_file_that_shrinks_or_vanishes(tmp_path):
    found = on_disk(as_memmap(tmp_path, numbers()), "image")
    content = (tmp_path / "x.npy").read_bytes()
    (tmp_path / "x.npy").write_bytes(content[:-1])
    with pytest.raises(OSError, match=r"modality 'image' can no longer be read .* shorter"):
        np.asarray(found)
    (tmp_path / "x.npy").unlink()
    with pytest.raises(OSError, match=r"modality 'image' can no longer be read .*put the file"):
        np.asarray(found[:2])


def test_a_dataset_that_shrinks_or_vanishes(tmp_path):
    h5py, zarr = pytest.importorskip("h5py"), pytest.importorskip("zarr")
    file = h5py.File(tmp_path / "x.h5", "w")
    data = file.create_dataset("x", data=numbers(), chunks=(7, 3, 2), maxshape=(None, 3, 2))
    found = on_disk(data, "image")
    data.resize(30, axis=0)
    with pytest.raises(OSError, match=r"modality 'image' can no longer be read from /x of .*short"):
        np.asarray(found)
    file.close()
    with pytest.raises(OSError, match=r"modality 'image' can no longer be read"):
        np.asarray(found)
    stored = on_disk(zarr.array(numbers(), store=str(tmp_path / "y"), chunks=(7, 3, 2)), "image")
    (tmp_path / "y").rename(tmp_path / "z")
    with pytest.raises(OSError, match=r"modality 'image' can no longer be read .*there is no"):
        np.asarray(stored)


@pytest.mark.parametrize("make", [as_memmap, as_zarr])
def test_a_file_that_is_replaced(make, tmp_path):
    found = on_disk(make(tmp_path, numbers()), "image")
    os.utime(next(tmp_path.iterdir()), (0, 0))  # times of files are rounded
    watched = found.as_of_now()
    assert_array_equal(np.asarray(pickle.loads(pickle.dumps(watched))), numbers())
    make(tmp_path, numbers() + 1)
    with pytest.raises(OSError, match=r"modality 'image' can no longer .* replaced, and holds oth"):
        np.asarray(watched[5:])
    assert_array_equal(np.asarray(found), numbers() + 1)


def test_runs_of_rows(tmp_path):
    """A block has ten rows; rows between are read where there are fewer than three."""
    calls = []

    class Watched(module.PlainFile):
        def read(self, start, stop):
            calls.append((start, stop))
            return super().read(start, stop)

    values = numbers()
    values.tofile(tmp_path / "plain")
    file = Watched(path=str(tmp_path / "plain"), offset=0, shape=SHAPE, dtype=values.dtype)
    rows = np.array([0, 2, 6, 8, 9, 10, 19, 38])
    assert_array_equal(np.asarray(OnDisk.of(file, "x")[rows]), values[rows])
    assert calls == [(0, 3), (6, 10), (10, 11), (19, 20), (38, 39)]
