"""What several instruments make of the samples of a data set."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from zlib import crc32

import numpy as np
from numpy.typing import ArrayLike
from scipy.ndimage import gaussian_filter
from sklearn.utils import Bunch, check_random_state

from .._base.scalar_checks import check_number
from .._base.types import Seed
from ._drawing import MOST_NOISE

_MODALITIES = ("images", "curves")


def add_context(
    data: Bunch,
    name: str = "instrument",
    labels: Sequence[Hashable] = ("A", "B"),
    *,
    assignment: ArrayLike | Mapping[str, ArrayLike] | None = None,
    offset: float | Sequence[float] = 0.0,
    gain: float | Sequence[float] = 1.0,
    blur: float | Sequence[float] = 0.0,
    noise: float | Sequence[float] = 0.0,
    random_state: Seed = None,
) -> Bunch:
    """Measure the samples of a data set with several instruments.

    Each sample is measured with one instrument, at one site, or on one day: its context. The first
    label leaves samples as they are. All others blur them, multiply them by a gain, add an offset
    that is the same for all of their samples, and add noise, in this order.

    Parameters
    ----------
    data : sklearn.utils.Bunch
        What a generator of this module returned. It is left as it is.
    name : str, default="instrument"
        Name of the context. Add one after the other for several.
    labels : sequence of hashable, default=("A", "B")
        Two or more.
    assignment : array-like of shape (n_labels,), mapping or None, default=None
        How probable each label is. If one factor decides which sample goes where, a mapping from
        its name to a row of these for each of its outcomes: ``{"hue": [[0.8, 0.2], [0.2, 0.8]]}``
        sends four blue discs of five to A. The mix of outcomes then differs between labels. Of a
        factor without parents this is also what samples look like whose context changes the
        factor, instead. If None, all labels are as probable.
    offset : float or sequence of float of shape (n_labels,), default=0.0
        Root mean square of what is added, as a share of the modality's standard deviation. It is
        smooth: a pattern in images, a baseline of curves. A number holds for all labels but the
        first; this and what follows may also be stated for each label.
    gain : float or sequence of float, default=1.0
        Factor on what is measured.
    blur : float or sequence of float, default=0.0
        Standard deviation of a Gaussian blur, in pixels or points.
    noise : float or sequence of float, default=0.0
        Standard deviation of noise, as a share of the modality's.
    random_state : int, RandomState instance or None, default=None
        Seed of labels, offsets and noise.

    Returns
    -------
    sklearn.utils.Bunch
        The fields of ``data``, with other images and curves, and with these:

        <name> : ndarray of shape (n_samples,)
            The label of each sample.
        offsets : dict of str to dict of str to ndarray
            What was added: for each modality and context an array (n_labels, ``*shape``).

    Raises
    ------
    ValueError
        An argument is out of range or has another number of labels, or no such factor is known.
    TypeError
        If ``data`` is not what a generator returns.

    See Also
    --------
    skcausalpima.Context : What the estimator is told about it.

    Examples
    --------
    >>> from skcausalpima.datasets import add_context, make_circles_images
    >>> circles = make_circles_images(100, random_state=0)
    >>> sent = {"hue": [[0.8, 0.2], [0.2, 0.8]]}
    >>> two = add_context(circles, assignment=sent, offset=0.3, random_state=0)
    >>> two.instrument.shape, two.offsets["images"]["instrument"].shape
    ((100,), (2, 28, 28, 3))
    >>> bool(two.factors[two.instrument == "A", 0].mean() < 0.3)
    True
    """
    if not (isinstance(data, Mapping) and "factors" in data):
        raise TypeError(
            f"data is {data!r:.60}: expected what a generator of skcausalpima.datasets returns, "
            "such as make_lattices()."
        )
    if isinstance(labels, str) or len(set(labels)) < max(2, len(labels)):
        raise ValueError(f"labels must be two or more, each named once; got {labels!r}.")
    given = {"offset": offset, "gain": gain, "blur": blur, "noise": noise}
    effects = {what: _for_each_label(value, what, labels) for what, value in given.items()}
    shares = _shares(data, assignment, len(labels))
    # Seeded alike, the draws of the data and of other contexts must not come again.
    seed = check_random_state(random_state).randint(np.iinfo(np.int32).max)
    rng = np.random.RandomState([seed, crc32(name.encode())])
    uniform = rng.uniform(size=(len(shares), 1))
    label = (uniform > shares.cumsum(axis=1)[:, :-1]).sum(axis=1)
    measured = Bunch(**data)
    measured[name] = np.array(labels)[label]
    measured.offsets = {key: dict(known) for key, known in data.get("offsets", {}).items()}
    for modality in (key for key in _MODALITIES if key in data):
        array = data[modality].astype(np.float64)
        spread, axes = array.std(), tuple(range(1, min(array.ndim, 3)))  # no blur across colours
        patterns = gaussian_filter(
            rng.normal(size=(len(labels), *array.shape[1:])),
            [0.0, *(array.shape[axis] / 10.0 for axis in axes), *(0.0,) * (array.ndim - 3)],
        )
        size = np.sqrt(np.square(patterns).mean(axis=tuple(range(1, array.ndim)), keepdims=True))
        patterns *= spread * effects["offset"].reshape(size.shape) / size
        for k in range(len(labels)):
            rows = label == k
            blurred = gaussian_filter(array[rows], effects["blur"][k], axes=axes)
            array[rows] = effects["gain"][k] * blurred + patterns[k]
            array[rows] += rng.normal(scale=effects["noise"][k] * spread, size=blurred.shape)
        measured[modality] = array.astype(data[modality].dtype)
        measured.offsets.setdefault(modality, {})[name] = patterns
    return measured


def _for_each_label(
    value: float | Sequence[float], what: str, labels: Sequence[Hashable]
) -> np.ndarray:
    """Return a number for each label; a single one is that of all but the first."""
    none = 1.0 if what == "gain" else 0.0
    if isinstance(value, Sequence | np.ndarray):
        numbers = list(value)
    else:
        numbers = [none, *[value] * (len(labels) - 1)]
    if len(numbers) != len(labels):
        raise ValueError(f"{what} has {len(numbers)} numbers for {len(labels)} labels.")
    return np.array([check_number(number, what, 0.0, MOST_NOISE) for number in numbers])


def _shares(
    data: Bunch, assignment: ArrayLike | Mapping[str, ArrayLike] | None, n_labels: int
) -> np.ndarray:
    """Return how probable each label is for each sample, (n_samples, n_labels)."""
    n_samples = len(data.factors)
    if assignment is None:
        assignment = np.full(n_labels, 1.0 / n_labels)
    if not isinstance(assignment, Mapping):
        table, outcomes = np.array([assignment], dtype=np.float64), np.zeros(n_samples, dtype=int)
    else:
        if len(assignment) != 1 or not set(assignment) <= set(data.factor_names):
            raise ValueError(
                f"assignment must name one of the factors {data.factor_names}, "
                f"got {list(assignment)}."
            )
        ((factor, rows),) = assignment.items()
        table = np.array(rows, dtype=np.float64)
        outcomes = data.factors[:, data.factor_names.index(factor)]
    n_rows = 1 + outcomes.max()
    if table.shape[1:] != (n_labels,) or len(table) < n_rows or table.min() < 0.0:
        raise ValueError(
            f"assignment must have {n_labels} probabilities in each of {n_rows} rows, got "
            f"{assignment!r}."
        )
    if not np.allclose(table.sum(axis=1), 1.0):
        raise ValueError(f"probabilities of assignment must sum to 1, got {assignment!r}.")
    return table[outcomes]
