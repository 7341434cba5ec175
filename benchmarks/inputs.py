"""What users give, in forms that they really have: each works, or one error says what to do.

Every form is the same small data set (images, curves or tables of four groups), or a mistake that
people make. A form *works* if the fit is that of plain arrays, label by label, and its bound, too.
It is *told* if one error, or a warning, has the words that name the argument and the remedy. What
is left is what this benchmark is for: *silently another thing*, *hangs*, and errors that help
nobody. The table has a row for each, with the text of the error. Libraries that are not installed
have stand-ins of the same names. The exit status is the number of forms that neither work nor are
told.

    python benchmarks/inputs.py                # the table, in a minute
    python benchmarks/inputs.py --only frame   # the forms whose names have a word
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import pathlib
import signal
import sys
import tempfile
import types
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils import Bunch
from torch.utils.data import DataLoader, TensorDataset

from skcausalpima import CausalPIMA, Initialization, MultimodalData

SECONDS = 30
N, HEIGHT, WIDTH = 40, 4, 5
GROUP = np.repeat(np.arange(4), N // 4)
RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(N, HEIGHT, HEIGHT)) + 6 * (GROUP // 2)[:, None, None]
CURVES = RNG.normal(size=(N, WIDTH)) + 6 * (GROUP % 2)[:, None]
PIXELS = IMAGES.reshape(N, -1)
PAIR = {"image": IMAGES, "curve": CURVES}
TABLES = {"image": PIXELS, "curve": CURVES}
COLUMNS = list("abcde")
VECTOR = 6.0 * (GROUP // 2) + np.linspace(0, 1, N)
ROWS = [f"s{row}" for row in range(N)]


def frame(array: np.ndarray, name: str = "x", index: list | None = None) -> pd.DataFrame:
    """Return a table whose columns have names."""
    columns = [f"{name}{k}" for k in range(array.shape[1])]
    return pd.DataFrame(array, columns=columns, index=index)


FRAMES = {name: frame(array, name, ROWS) for name, array in TABLES.items()}
FRAME = frame(CURVES, "curve")
WORDS = FRAME.assign(material=np.where(GROUP > 1, "steel", "glass"))


def two_levels(**frames: pd.DataFrame) -> pd.DataFrame:
    """Return one table with the levels (modality, element)."""
    return pd.concat(frames, axis=1)


def quick(node_sizes=(2, 2), **params) -> CausalPIMA:
    """Return an estimator that is fitted in a moment."""
    init = Initialization(pretraining_epochs=2)
    defaults = {"hidden_layer_sizes": (8,), "max_iter": 3, "random_state": 0, "init": init}
    return CausalPIMA(node_sizes, **(defaults | params))


def fit(X, params: dict | None = None, **keywords) -> CausalPIMA:
    return quick(**(params or {})).fit(X, **keywords)


FITTED: dict[str, CausalPIMA] = {}


def fitted(name: str) -> CausalPIMA:
    """Return what plain arrays give."""
    if name not in FITTED:
        X, params, keywords = REFERENCES[name]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            FITTED[name] = fit(X, params, **keywords)
    return FITTED[name]


KNOWN = np.column_stack([np.where(GROUP > 0, GROUP // 2, -1), np.full(N, -1)])
REFERENCES = {
    "pair": (PAIR, {}, {}),
    "tables": (TABLES, {}, {}),
    "table": (CURVES, {}, {}),
    "images": (IMAGES, {}, {}),
    "column": ({"image": IMAGES, "speed": VECTOR[:, None]}, {}, {}),
    "one column": (VECTOR[:, None], {}, {}),
    "one node": (PAIR, {"node_sizes": (4,)}, {}),
    "weights": (PAIR, {"modality_weights": (1.0, 2.0)}, {}),
    "known": (PAIR, {}, {"known_nodes": KNOWN}),
    "frames": (FRAMES, {}, {}),
    "frame": (FRAME, {}, {}),
    "words": (WORDS, {}, {}),
    "words of several": ([IMAGES, WORDS], {}, {}),
}


@dataclasses.dataclass(frozen=True)
class Form:
    """One form of input.

    ``run`` does what a user does. It must give what the reference gives (an estimator the same
    fit, an array the same predictions); or say the words of ``told``.
    """

    name: str
    run: Callable[[], object]
    same_as: str | None = None
    told: tuple[str, ...] = ()


def works(name: str, run: Callable, same_as: str = "pair") -> Form:
    return Form(name, run, same_as=same_as)


def told(name: str, run: Callable, *words: str) -> Form:
    return Form(name, run, told=words)


def stand_in(module: str, name: str, **members) -> object:
    """Return an object of a library that need not be installed."""
    return type(name, (), {"__module__": module, **members})()


def endless(self):
    while True:
        yield np.zeros(3)


def in_folder(act: Callable[[pathlib.Path], object]) -> Callable[[], object]:
    """Return a run in a folder of its own."""

    def run():
        with tempfile.TemporaryDirectory() as folder:
            return act(pathlib.Path(folder))

    return run


def memory_mapped(folder: pathlib.Path) -> CausalPIMA:
    for name, array in PAIR.items():
        np.save(folder / f"{name}.npy", array)
    return fit({name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in PAIR})


def archive(folder: pathlib.Path) -> CausalPIMA:
    np.savez(folder / "data.npz", **PAIR)
    with np.load(folder / "data.npz") as data:
        return fit(data)


def tensors(requires_grad: bool = False) -> dict:
    return {n: torch.tensor(a, requires_grad=requires_grad) for n, a in PAIR.items()}


def flipped(array: np.ndarray) -> np.ndarray:
    return array[::-1].copy()[::-1]


def each(change: Callable, of: dict = PAIR) -> dict:
    return {name: change(array) for name, array in of.items()}


class Images(torch.utils.data.Dataset):
    def __len__(self):
        return N

    def __getitem__(self, row):
        return IMAGES[row], CURVES[row]


class HalfMapping(dict):
    """A mapping of another library."""


def several_modalities() -> list[Form]:
    flat = np.hstack([PIXELS, CURVES])
    cut = MultimodalData.from_flat(flat, [(HEIGHT, HEIGHT), (WIDTH,)])
    return [
        works("list of arrays", lambda: fit(list(PAIR.values()))),
        works("tuple of arrays", lambda: fit(tuple(PAIR.values()))),
        works("dict of arrays", lambda: fit(PAIR)),
        works("OrderedDict", lambda: fit(collections.OrderedDict(PAIR))),
        works("read-only mapping", lambda: fit(types.MappingProxyType(PAIR))),
        works("subclass of dict", lambda: fit(HalfMapping(PAIR))),
        works("scikit-learn's Bunch", lambda: fit(Bunch(**PAIR))),
        works("numpy.load of an .npz", in_folder(archive)),
        works("memory maps", in_folder(memory_mapped)),
        works("MultimodalData", lambda: fit(MultimodalData(PAIR))),
        works("dict(MultimodalData)", lambda: fit(dict(MultimodalData(PAIR)))),
        works("MultimodalData.from_flat", lambda: fit(cut)),
        works(
            "MultimodalData.from_flat of a DataFrame",
            lambda: fit(MultimodalData.from_flat(frame(flat), cut.modality_shapes)),
        ),
        works("tensors", lambda: fit(tensors())),
        works("tensors with gradients", lambda: fit(tensors(True))),
        works("nested lists in a dict", lambda: fit(each(np.ndarray.tolist))),
        works("big-endian", lambda: fit(each(lambda a: a.astype(">f8")))),
        works("Fortran order", lambda: fit(each(np.asfortranarray))),
        works("negative strides", lambda: fit(each(flipped))),
        works("masked arrays without a mask", lambda: fit(each(np.ma.asarray))),
        works("a 1-D vector beside images", lambda: fit([IMAGES, VECTOR]), "column"),
        works("a Series beside images", lambda: fit([IMAGES, pd.Series(VECTOR)]), "column"),
        works("a list of numbers in a dict", lambda: fit([IMAGES, VECTOR.tolist()]), "column"),
        works("a 1-D tensor beside images", lambda: fit([IMAGES, torch.tensor(VECTOR)]), "column"),
        told(
            "masked arrays", lambda: fit(each(lambda a: np.ma.masked_less(a, 1))), "masked", "fill"
        ),
        told("list of one", lambda: fit([IMAGES]), "X is a list of one", "MultimodalData"),
        told("empty list", lambda: fit([]), "X is an empty list", "pass one array"),
        told("empty dict", lambda: fit({}), "no modality", "pass"),
        told(
            "lengths that differ",
            lambda: fit({"image": IMAGES, "curve": CURVES[:-1]}),
            "same number of samples",
            "image: 40, curve: 39",
        ),
        told("numbers for names", lambda: fit({0: IMAGES, 1: CURVES}), "names", "strings"),
        told("None in fit", lambda: fit([IMAGES, None]), "'modality1' is None", "Leave it out"),
        told("nested dict", lambda: fit({"a": PAIR, "b": CURVES}), "'a'", "is a dict", "one array"),
        told(
            "infinity",
            lambda: fit([IMAGES, np.where(CURVES > 6, np.inf, CURVES)]),
            "'modality1' contains infinity in sample",
        ),
        told("complex", lambda: fit([IMAGES, CURVES * 1j]), "'modality1'", "real"),
        told(
            "a mask that is too short", lambda: MultimodalData(PAIR, observed=[[1, 1]]), "observed"
        ),
    ]


def data_frames() -> list[Form]:
    shuffled = {"image": FRAMES["image"], "curve": FRAMES["curve"].iloc[::-1]}
    others = {"image": FRAMES["image"], "curve": FRAMES["curve"].set_axis(range(N))}
    halved = {"image": FRAMES["image"][:20], "curve": FRAMES["curve"][20:]}
    levels = two_levels(**FRAMES)
    kinds = WORDS.assign(material=pd.Categorical(WORDS["material"]))
    days = FRAME.assign(day=pd.date_range("2026-01-01", periods=N))
    cells = pd.DataFrame({name: list(array) for name, array in PAIR.items()})
    ragged = pd.DataFrame({"image": [IMAGES[0], IMAGES[1, :2]], "curve": list(CURVES[:2])})
    return [
        works("dict of DataFrames", lambda: fit(FRAMES), "frames"),
        works("list of DataFrames", lambda: fit(list(FRAMES.values())), "frames"),
        works("MultimodalData of DataFrames", lambda: fit(MultimodalData(FRAMES)), "frames"),
        works("DataFrame with two column levels", lambda: fit(levels), "frames"),
        works("from_frame, two levels", lambda: fit(MultimodalData.from_frame(levels)), "frames"),
        works("from_frame, arrays in cells", lambda: fit(MultimodalData.from_frame(cells))),
        works("one DataFrame", lambda: fit(FRAME), "frame"),
        works("DataFrame of nullable floats", lambda: fit(FRAME.astype("Float64")), "frame"),
        works("DataFrame of objects", lambda: fit(FRAME.astype(object)), "frame"),
        works("DataFrame without names", lambda: fit(pd.DataFrame(CURVES)), "table"),
        works("a Series", lambda: fit(pd.Series(VECTOR, name="speed")), "one column"),
        works("polars.DataFrame", lambda: fit(polars_frame(FRAME)), "frame"),
        told("rows in another order", lambda: fit(shuffled), "'curve'", "another order", "loc"),
        told("rows of other names", lambda: fit(others), "'curve'", "other rows", "reset_index"),
        told("two halves of the rows", lambda: fit(halved), "'curve'", "other rows", "align"),
        works("text in a column", lambda: fit(MultimodalData([WORDS])), "words"),
        works("categories in a column", lambda: fit(kinds), "words"),
        told("dates in a column", lambda: fit(days), "'day'", "dates"),
        works("text in one of several", lambda: fit({"a": IMAGES, "b": kinds}), "words of several"),
        told("arrays in cells, bare", lambda: fit(cells), "'image'", "from_frame"),
        told(
            "ragged arrays in cells",
            lambda: MultimodalData.from_frame(ragged),
            "'image'",
            "one shape",
            "resize or pad",
        ),
        told("three column levels", lambda: fit(two_levels(a=levels)), "3 levels", "two"),
    ]


def polars_frame(table: pd.DataFrame):
    try:
        import polars
    except ImportError:
        return table
    return polars.DataFrame({name: table[name].to_numpy() for name in table})


def single_arrays() -> list[Form]:
    structured = np.zeros(N, dtype=[("image", float, (4, 4)), ("curve", float, (5,))])
    structured["image"], structured["curve"] = IMAGES, CURVES
    ragged = [IMAGES[0], IMAGES[1, :3], *IMAGES[2:]]
    holder = np.empty(N, dtype=object)
    holder[:] = ragged
    large = sparse.random_array((10**6, 10**6), density=1e-9, format="csr", rng=RNG)
    texts = np.array([["steel", "fast"]] * N)
    first = np.moveaxis(np.repeat(RNG.normal(size=(N, 16, 16, 1)), 3, axis=3), 3, 1)
    conv = {"encoders": "conv", "decoders": "conv"}
    as_records = [dict(zip(COLUMNS, row, strict=True)) for row in CURVES]
    return [
        works("2-D array", lambda: fit(CURVES), "table"),
        works("list of lists", lambda: fit(CURVES.tolist()), "table"),
        works("list of rows", lambda: fit(list(CURVES)), "table"),
        works("3-D array", lambda: fit(IMAGES), "images"),
        works("2-D tensor", lambda: fit(torch.tensor(CURVES)), "table"),
        told("sparse matrix", lambda: fit(sparse.csr_matrix(CURVES)), "sparse", "X.toarray()"),
        works("sparse, by name", lambda: fit({"a": sparse.coo_array(CURVES)}), "table"),
        works("sparse in a dict", lambda: fit(each(sparse.csr_array, TABLES)), "tables"),
        told("large sparse matrix", lambda: fit(large), "sparse", "GiB", "TruncatedSVD"),
        told("large sparse, by name", lambda: fit({"a": large}), "'a'", "GiB", "TruncatedSVD"),
        told("1-D array", lambda: fit(VECTOR), "1D", "reshape"),
        told("structured array", lambda: fit(structured), "X", "fields", "name: X[name]"),
        told(
            "record array",
            lambda: fit(FRAME.to_records(index=False)),
            "X",
            "fields",
            "pandas.DataFrame",
        ),
        told("list of images", lambda: fit(list(IMAGES)), "X is a list of 40", "np.stack"),
        told("images of several sizes", lambda: fit(ragged), "resize or pad"),
        told("images of several sizes in an object array", lambda: fit(holder), "resize or pad"),
        told("rows of several lengths", lambda: fit([[1.0, 2.0], [3.0]] * 9), "resize or pad"),
        told("array of text", lambda: fit(texts), "text", "OneHotEncoder"),
        told("list of dicts", lambda: fit(as_records), "X", "pandas.DataFrame(X)"),
        told("channels first, conv", lambda: fit(first, conv), "moveaxis", "channels"),
        told("None", lambda: fit(None), "X is None", "array"),
        told("a number", lambda: fit(3.0), "X is 3.0", "array"),
        told("the name of a file", lambda: fit("data.npy"), "X is 'data.npy'", "np.load"),
        told("a path", lambda: fit(pathlib.Path("data.csv")), "X is", "read_csv"),
        told("a set", lambda: fit({1.0, 2.0}), "X is a set", "array"),
        told("a class", lambda: fit(pd.DataFrame), "X is the class DataFrame", "arrays"),
    ]


def foreign_containers() -> list[Form]:
    dataset = TensorDataset(torch.tensor(IMAGES), torch.tensor(CURVES))
    never = {"__iter__": endless, "__len__": lambda self: N, "__getitem__": lambda self, key: key}
    zarr = stand_in("zarr.hierarchy", "Group", **never, arrays=lambda self: [])
    return [
        told("generator", lambda: fit(row for row in CURVES), "X is a generator", "np.stack"),
        told("endless iterator", lambda: fit(endless(None)), "X is a generator", "np.stack"),
        told("iterator of a list", lambda: fit(iter([IMAGES, CURVES])), "X is a", "list(X)"),
        told("map", lambda: fit(map(np.asarray, CURVES)), "X is a map", "np.stack"),
        told("zip", lambda: fit(zip(IMAGES, CURVES, strict=True)), "X is a zip", "np.stack"),
        told("items of a dict", lambda: fit(PAIR.items()), "X is a dict_items", "dict(X)"),
        told("values of a dict", lambda: fit(PAIR.values()), "X is a dict_values", "list(X)"),
        told("TensorDataset", lambda: fit(dataset), "X is a TensorDataset", "X.tensors"),
        told("Dataset", lambda: fit(Images()), "X is a Images", "np.stack"),
        told("DataLoader", lambda: fit(DataLoader(dataset)), "X is a DataLoader", "dataset"),
        told("zarr group", lambda: fit(zarr), "X is a Group", "{name: X[name]"),
        told(
            "MuData",
            lambda: fit(stand_in("mudata._core.mudata", "MuData", **never)),
            "X is a MuData",
            "to_df()",
        ),
        told(
            "AnnData",
            lambda: fit(stand_in("anndata._core.anndata", "AnnData", **never)),
            "X is a AnnData",
            "to_df()",
        ),
        told(
            "MuData in a dict",
            lambda: fit({"cells": stand_in("mudata._core.mudata", "MuData", **never)}),
            "'cells'",
            "to_df()",
        ),
        told(
            "pyarrow.Table",
            lambda: fit(stand_in("pyarrow.lib", "Table", **never)),
            "X is a Table",
            "to_pandas()",
        ),
        told(
            "tf.data.Dataset",
            lambda: fit(stand_in("tensorflow.python.data", "MapDataset", __iter__=endless)),
            "X is a MapDataset",
            "arrays",
        ),
    ]


def later_samples() -> list[Form]:
    """Forms in which fitted estimators are asked."""
    turned = {"image": FRAMES["image"], "curve": FRAMES["curve"].iloc[:, ::-1]}
    renamed = {"image": FRAMES["image"], "curve": frame(CURVES, "other", ROWS)}
    levels = two_levels(curve=FRAMES["curve"], image=FRAMES["image"])

    def ask(name: str, X) -> Callable:
        return lambda: fitted(name).predict(X)

    backwards = dict(reversed(PAIR.items()))
    order = ("'curve'", "another order")
    return [
        works("names in another order", ask("pair", backwards)),
        works("two levels, groups in another order", ask("frames", levels), "frames"),
        works("a list, asked a fit on a dict", ask("pair", list(PAIR.values()))),
        works("arrays, asked a fit on a dict of arrays", ask("pair", MultimodalData(PAIR))),
        works("one sample with its axis", lambda: predict_one("pair")),
        told("columns in another order", ask("frames", turned), *order),
        told(
            "columns in another order, container",
            ask("frames", MultimodalData(turned)),
            *order,
        ),
        told(
            "columns in another order, two levels",
            ask("frames", two_levels(**turned)),
            *order,
        ),
        told("other columns", ask("frames", renamed), "'curve'", "other columns"),
        told("no names of columns", ask("frames", TABLES), "'image'", "no names of columns"),
        told("a name too few", ask("pair", {"image": IMAGES}), "None for a modality"),
        told("a name too many", ask("pair", PAIR | {"x": CURVES}), "no other"),
        told("modalities swapped", ask("pair", [CURVES, IMAGES]), "'image' has samples of shape"),
        told("one array for several", ask("pair", CURVES), "X is one array", "pass a list"),
        told(
            "one sample without its axis",
            ask("pair", {n: a[0] for n, a in PAIR.items()}),
            "one sample",
            "[None]",
        ),
        told("one image without its axis", ask("images", IMAGES[0]), "one sample", "X[None]"),
        told("one row", ask("table", CURVES[0]), "1D", "reshape(1, -1)"),
        told("columns reversed, one DataFrame", ask("frame", FRAME.iloc[:, ::-1]), "order"),
        told("too few columns", ask("table", CURVES[:, :3]), "3 features", "5 features"),
        told("no samples", ask("pair", each(lambda a: a[:0])), "0 samples"),
        told("latent points of another width", decode_wrong, "X has 7 columns", "latent space"),
    ]


def predict_one(name: str):
    labels = [fitted(name).predict(each(lambda a, r=r: a[r][None]))[0] for r in range(N)]
    return np.array(labels)


def decode_wrong():
    return fitted("pair").inverse_transform(np.zeros((2, 7)))


def parameters() -> list[Form]:
    known = [None if g == 0 else bool(g // 2) for g in GROUP]
    labels = [None if of is None else ("steel" if of else "glass") for of in known]
    numbers = np.where(KNOWN < 0, np.nan, KNOWN)
    table = pd.DataFrame({"N1": labels, "N2": [None] * N})
    second = pd.DataFrame({"N2": [None] * N, "N1": labels})
    kinds = pd.DataFrame({"N1": pd.Categorical(labels)})
    both = ("node_sizes",)
    three = np.array(["a", "b", "c", "d"])[GROUP]

    def knowing(known_nodes) -> Callable:
        return lambda: fit(PAIR, known_nodes=known_nodes)

    def weighing(weights) -> Callable:
        return lambda: fit(PAIR, {"modality_weights": weights})

    return [
        works("node_sizes=4", lambda: fit(PAIR, {"node_sizes": 4}), "one node"),
        works("node_sizes=[4]", lambda: fit(PAIR, {"node_sizes": [4]}), "one node"),
        works("node_sizes, array", lambda: fit(PAIR, {"node_sizes": np.array([4])}), "one node"),
        told("node_sizes=2.0", lambda: fit(PAIR, {"node_sizes": 2.0}), *both, "int"),
        told("node_sizes='4'", lambda: fit(PAIR, {"node_sizes": "4"}), *both, "int"),
        told("node_sizes=1", lambda: fit(PAIR, {"node_sizes": 1}), *both, "at least 2"),
        told("n_clusters=4", lambda: CausalPIMA(n_clusters=4), "n_clusters", "node_sizes=4"),
        told("n_components=4", lambda: CausalPIMA(n_components=4), "n_components", *both),
        told("set_params(n_clusters)", lambda: quick().set_params(n_clusters=4), *both),
        told("set_params(n_components)", lambda: quick().set_params(n_components=4), *both),
        works("modality_weights by name", weighing({"curve": 2, "image": 1}), "weights"),
        told(
            "modality_weights, a name missing", weighing({"curve": 2}), "modality_weights", "image"
        ),
        told("modality_weights, unknown", weighing({"x": 2}), "modality_weights", "'x'", "image"),
        works("known_nodes, array", knowing(KNOWN), "known"),
        works("known_nodes with NaN", knowing(numbers), "known"),
        works("known_nodes, DataFrame of labels", knowing(table), "known"),
        works("known_nodes, columns in another order", knowing(second), "known"),
        works("known_nodes, categories of one node", knowing(kinds), "known"),
        works("known_nodes by name", knowing({"N1": labels}), "known"),
        works("known_nodes by name, numbers", knowing({"N1": KNOWN[:, 0]}), "known"),
        told("known_nodes, unknown node", knowing({"x": labels}), "known_nodes", "'x'", "N1"),
        told("known_nodes, labels too many", knowing({"N1": three}), "'N1'", "4", "node_sizes"),
        told("known_nodes, halves", knowing(numbers + 0.5), "known_nodes", "whole"),
        told("known_nodes, too short", knowing({"N1": labels[:9]}), "known_nodes", "9"),
    ]


def image_dataset():
    import xarray

    rows = {"sample": ROWS}
    image = xarray.DataArray(IMAGES, dims=("sample", "y", "x"), coords=rows)
    curve = xarray.DataArray(CURVES, dims=("sample", "time"), coords=rows)
    return xarray.Dataset({"image": image, "curve": curve})


def with_xarray() -> list[Form]:
    try:
        data = image_dataset()
    except ImportError:
        return []
    swapped = data.transpose("time", "x", "y", "sample")
    return [
        works("xarray.Dataset", lambda: fit(data)),
        works("dict of DataArrays", lambda: fit({n: data[n] for n in data})),
        works("DataArray", lambda: fit(data["image"]), "images"),
        told("DataArrays, samples last", lambda: fit(swapped), "'sample'", "transpose"),
        told(
            "DataArrays, axes in another order than in fit",
            lambda: fit(data).predict(data.transpose("sample", "x", "y", "time")),
            "'image'",
            "transpose",
        ),
    ]


SECTIONS: dict[str, Callable[[], list[Form]]] = {
    "Several modalities": several_modalities,
    "DataFrames": data_frames,
    "One array": single_arrays,
    "Containers of other libraries": foreign_containers,
    "xarray": with_xarray,
    "Later samples": later_samples,
    "Parameters": parameters,
}


class Hung(BaseException):
    """A form took too long."""


def interrupt(number, stack):
    raise Hung


def outcome(form: Form) -> tuple[str, str]:
    """Run a form; return what happened, and the text of the error or warning."""
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            result = form.run()
    except Hung:
        return "HANGS", ""
    except Exception as error:
        return judged(form, f"{type(error).__name__}: {error}")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    messages = [f"{w.category.__name__}: {w.message}" for w in caught]
    if form.same_as is None:
        text = next((m for m in messages if all(word in m for word in form.told)), "")
        return ("warns", text) if text else ("SILENTLY ANOTHER THING", "; ".join(messages))
    return ("works", "") if is_same(result, fitted(form.same_as)) else ("ANOTHER THING", "")


def judged(form: Form, text: str) -> tuple[str, str]:
    """Say whether an error helps."""
    if form.same_as is not None:
        return "REFUSED", text
    return ("error" if all(word in text for word in form.told) else "UNCLEAR ERROR"), text


def is_same(result: object, expected: CausalPIMA) -> bool:
    """Say whether a result is what plain arrays give."""
    if isinstance(result, BaseEstimator):
        same = np.array_equal(result.labels_, expected.labels_)
        return same and np.isclose(result.lower_bound_, expected.lower_bound_, rtol=1e-9)
    return np.array_equal(result, expected.labels_)


def cell(text: str) -> str:
    """Return a text that fits one cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="a word in the names of the forms")
    arguments = parser.parse_args()
    signal.signal(signal.SIGALRM, interrupt)
    fitted("pair")  # imports what is imported late, which must not be interrupted
    counts = collections.Counter()
    for section, forms in SECTIONS.items():
        chosen = [form for form in forms() if arguments.only in form.name]
        if chosen:
            print(f"\n## {section}\n\n| form | what happens | text |\n|---|---|---|")
        for form in chosen:
            what, text = outcome(form)
            counts[what] += 1
            print(f"| {cell(form.name)} | {what} | {cell(text)} |", flush=True)
    listed = ", ".join(f"{what} {number}" for what, number in counts.most_common())
    print(f"\n{counts.total()} forms: {listed}")
    sys.exit(sum(number for what, number in counts.items() if what.isupper()))


if __name__ == "__main__":
    main()
