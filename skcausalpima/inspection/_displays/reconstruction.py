"""Samples beside what the model expects of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from ..._base.types import Abscissa, Abscissae, Samples, Unchecked
from ..._data.adapters import as_array
from ..._data.selection_keys import asked_modalities
from ..._data.validation import Modalities
from ..._inference.kept_models import model_of, samples_of
from .display import Axes, Display, letters_across
from .labels import plain, wrapped
from .painter import HEADER_SIZE, TITLE_SIZE, SamplePainter, name_row
from .shown_modality import abscissae, shown_modality
from .styles import Look

N_SAMPLES = 5  # by default
MOST_BARS = 15  # of a modality below others
ROW_NAME_LETTERS = 16


@dataclass(eq=False, repr=False)
class ReconstructionDisplay(Display):
    """Samples beside their reconstruction: what is observed, and what the model expects.

    There is a column per sample. An image has two rows, as observed and as expected; a curve or a
    table one, in which both are drawn with two standard deviations.

    It is recommended to use :meth:`from_estimator`.

    Parameters
    ----------
    observed : sequence of ndarray of shape (n_samples, \\*shape)
        One array per modality; NaN where something is missing.
    expected : sequence of ndarray of shape (n_samples, \\*shape)
        Their reconstructions.
    std : sequence of ndarray of shape (n_samples, \\*shape), default=None
        Standard deviations of these.
    modality_names : sequence of str, default=None
        Names of the modalities; None numbers them.
    titles : sequence of str, default=None
        A title for each sample.
    held_back : sequence of bool, default=None
        Of each modality, whether the model has not seen it; none by default.
    x : sequence of (ndarray of shape (width,), (str, ndarray) or None), default=None
        Abscissae of curves.
    columns : sequence of (sequence of str or None), default=None
        Names of the elements, of tables.
    value_names : sequence of str, default=None
        What the values of each modality are, if they are not in its units.

    Attributes
    ----------
    axes_ : ndarray of axes of shape (n_rows, n_samples)
        The panels.
    bounding_ax_ : matplotlib axes or None
        The axes that were divided, if some were.
    figure_ : matplotlib figure
        The figure.

    See Also
    --------
    PrototypeDisplay : What the cells look like.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima.inspection import ReconstructionDisplay
    >>> curves = np.linspace(0, 1, 30) * np.array([1, 2])[:, None]
    >>> noisy = curves + np.random.default_rng(0).normal(scale=0.1, size=curves.shape)
    >>> display = ReconstructionDisplay([noisy], [curves], [np.full((2, 30), 0.1)]).plot()
    >>> display.axes_.shape
    (1, 2)
    """

    observed: Sequence[np.ndarray]
    expected: Sequence[np.ndarray]
    std: Sequence[np.ndarray] | None = None
    _: KW_ONLY
    modality_names: Sequence[str] | None = None
    titles: Sequence[str] | None = None
    held_back: Sequence[bool] | None = None
    x: Sequence[Abscissa | None] | None = None
    columns: Sequence[Sequence[str] | None] | None = None
    value_names: Sequence[str] | None = None

    @classmethod
    def from_estimator(
        cls,
        est: BaseEstimator,
        X: Samples,
        *,
        modality: str | int | None = None,
        given: str | int | Sequence[str | int] | None = None,
        rows: ArrayLike | None = None,
        x: Abscissae = None,
        ax: Axes | None = None,
        **kwargs: Unchecked,
    ) -> Self:
        """Draw samples and their reconstructions by a fitted estimator.

        Parameters
        ----------
        est : CausalPIMA
            A fitted estimator.
        X : sequence, mapping, MultimodalData, array-like or DataFrame
            Samples; modalities may be missing.
        modality : str or int, default=None
            Name or number of the modality to draw; None draws all.
        given : str, int or sequence of these, default=None
            The modalities that the model sees; the others are held back and only drawn. None
            shows it all.
        rows : array-like of int, default=None
            Numbers of the samples to draw; None takes the first five.
        x : array-like, (str, array-like), or mapping of str to these, default=None
            Abscissa of curves, and its name; by name of the modality where several are drawn. None
            takes those of the fit, if it has some.
        ax : matplotlib axes, default=None
            See :meth:`plot`.
        **kwargs : dict
            See :meth:`plot`.

        Returns
        -------
        ReconstructionDisplay
            Drawn. Standard deviations are those of a measurement: observation noise is part of
            them (``include_noise`` of ``est.reconstruct``).

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If ``est`` is none, such as a pipeline or a search that holds one.
        ValueError
            If X, ``modality``, ``given``, ``rows`` or ``x`` is not as described.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> from skcausalpima.inspection import ReconstructionDisplay
        >>> rng = np.random.default_rng(0)
        >>> group = np.repeat([0, 1], 100)
        >>> images = rng.normal(size=(200, 4, 4)) + 6 * group[:, None, None]
        >>> curves = rng.normal(size=(200, 30)) + 6 * group[:, None]
        >>> model = CausalPIMA((2,), max_iter=5, random_state=0).fit([images, curves])
        >>> display = ReconstructionDisplay.from_estimator(
        ...     model, [images, curves], given=0, rows=[0, 150]
        ... )
        >>> display.held_back, display.axes_.shape
        ([False, True], (3, 2))
        """
        cls._check_estimator(est)
        names = [str(name) for name in est.modality_names_in_]
        chosen, inputs = asked_modalities(modality, names), _given_modalities(given, names)
        along = abscissae(x, [names[m] for m in chosen])
        model, modalities = model_of(est), samples_of(est, X)
        numbers = _row_numbers(rows, modalities.n_samples)
        modalities = modalities.take(numbers)
        known = _held_back(modalities, inputs)
        means, deviations = model.reconstruct(known, chosen, include_noise=True)
        shown = [shown_modality(est, m, along.get(names[m])) for m in chosen]
        display = cls(
            [part.shown(part.elements(modalities)) for part in shown],
            [part.shown(mean) for part, mean in zip(shown, means, strict=True)],
            [part.shown_spread(std) for part, std in zip(shown, deviations, strict=True)],
            modality_names=[part.name for part in shown],
            titles=[f"sample {row}" for row in numbers],
            held_back=[m not in inputs for m in chosen],
            x=[part.x for part in shown],
            columns=[part.columns for part in shown],
            value_names=[part.unit for part in shown],
        )
        return display.plot(ax=ax, **kwargs)

    def plot(self, ax: Axes | np.ndarray | None = None, **kwargs: Unchecked) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib axes or ndarray of axes, default=None
            Axes are divided into panels. An array of panels, such as ``axes_``, is drawn on. None
            makes a figure.
        **kwargs : dict
            For ``imshow`` of matplotlib, which draws images.

        Returns
        -------
        ReconstructionDisplay
            Itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> import numpy as np
        >>> from skcausalpima.inspection import ReconstructionDisplay
        >>> curves = np.linspace(0, 1, 30) * np.array([1, 2])[:, None]
        >>> names = ["steel", "brass"]
        >>> display = ReconstructionDisplay([curves + 0.1], [curves], titles=names)
        >>> [ax.get_title() for ax in display.plot().axes_[0]]
        ['steel', 'brass']
        >>> plt.close()
        """
        _check_alike("observed", self.observed, self.expected)
        if self.std is not None:
            _check_alike("std", self.std, self.expected)
        painters = [self._painter(k) for k in range(len(self.observed))]
        n_rows = [2 if painter.kind == "image" else 1 for painter in painters]
        rows = [painter for painter, n in zip(painters, n_rows, strict=True) for _ in range(n)]
        sizes = np.array([painter.size_of_figure((1, 1), 1) for painter in rows]) - (1.2, 0.6)
        n_samples, heights = len(self.observed[0]), sizes[:, 1].tolist()
        size = sizes[:, 0].max() * n_samples + 1.4, sum(heights) + 0.6
        axes = self._several_axes(ax, (len(rows), n_samples), size, height_ratios=heights)
        self._keep(axes, ax)
        parts = np.split(self.axes_, np.cumsum(n_rows)[:-1])
        for k, (part, painter) in enumerate(zip(parts, painters, strict=True)):
            draw = self._draw_images if painter.kind == "image" else self._draw_both
            draw(part, k, painter, kwargs)
        titles = [""] * n_samples if self.titles is None else self.titles
        n_letters = letters_across(self.axes_[0, 0], TITLE_SIZE)
        for panel, title in zip(self.axes_[0], titles, strict=True):
            panel.set_title(wrapped(title, n_letters, 3), fontsize=TITLE_SIZE)
        return self

    def _painter(self, k: int) -> SamplePainter:
        """Return how a modality is drawn."""
        arrays = [np.asarray(self.observed[k]), np.asarray(self.expected[k])]
        if self.std is not None and np.ndim(arrays[0]) == 2:
            spread = 2 * np.asarray(self.std[k])
            arrays += [arrays[1] - spread, arrays[1] + spread]
        x = None if self.x is None else self.x[k]
        columns = None if self.columns is None else self.columns[k]
        return SamplePainter.of(arrays, x=x, columns=columns, most_bars=MOST_BARS)

    def _label(self, k: int, what: str) -> str:
        """Return what is written beside the row of a modality."""
        name = f"modality {k}" if self.modality_names is None else self.modality_names[k]
        return f"{wrapped(name, ROW_NAME_LETTERS)}\n{what}"

    def _seen(self, k: int) -> str:
        """Return what the data of a modality are to the model."""
        is_hidden = self.held_back is not None and self.held_back[k]
        return "held back" if is_hidden else "observed"

    def _draw_images(self, axes: np.ndarray, k: int, painter: SamplePainter, kwargs: Look) -> None:
        """Draw a row of what is observed and one of what is expected."""
        drawn = {self._seen(k): self.observed[k], "expected": self.expected[k]}
        for row, (what, images) in zip(axes, drawn.items(), strict=True):
            for panel, image in zip(row, np.asarray(images), strict=True):
                if np.isfinite(image).any():
                    painter.draw(panel, image, **kwargs)
                else:
                    look: Look = {"ha": "center", "va": "center", "fontsize": 8}
                    panel.text(0.5, 0.5, "missing", transform=panel.transAxes, **look)
                painter.finish(panel, is_left=panel is axes[-1, 0])
            name_row(row[0], self._label(k, what), HEADER_SIZE)

    def _draw_both(self, axes: np.ndarray, k: int, painter: SamplePainter, kwargs: Look) -> None:
        """Draw what is observed and what is expected in the same panels."""
        row = axes[0]
        spreads = [None] * len(row) if self.std is None else self.std[k]
        samples = zip(row, self.expected[k], spreads, self.observed[k], strict=True)
        for panel, expected, spread, observed in samples:
            painter.draw_expected(panel, expected, spread)
            painter.draw_observed(panel, observed, self._seen(k))
            painter.finish(panel, is_left=panel is row[0])
        row[0].set_ylabel(self._label(k, self._seen(k)), fontsize=HEADER_SIZE)
        described = painter.described("" if self.value_names is None else self.value_names[k])
        row[0].set_xlabel(plain(described), fontsize=TITLE_SIZE, loc="left")
        look: Look = {"loc": "upper left", "bbox_to_anchor": (1, 1), "borderaxespad": 0.2}
        row[-1].legend(fontsize=TITLE_SIZE - 1, **look)


def _check_alike(name: str, arrays: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> None:
    """Check that arrays have the shapes of those that are expected."""
    shapes, needed = [np.shape(a) for a in arrays], [np.shape(a) for a in expected]
    if shapes != needed:
        raise ValueError(
            f"{name} has arrays of shapes {shapes}, but expected has {needed}: pass one array per "
            "modality, of the same shape in both."
        )


def _given_modalities(given: Unchecked, names: Sequence[str]) -> list[int]:
    """Return the numbers of the modalities that the model sees."""
    if given is None or isinstance(given, str) or not isinstance(given, Sequence):
        return asked_modalities(given, list(names))
    if len(given) == 0:
        raise ValueError("given names no modality: pass at least one, or None for all.")
    return [number for one in given for number in asked_modalities(one, list(names))]


def _row_numbers(rows: ArrayLike | None, n_samples: int) -> np.ndarray:
    """Return the numbers of the samples to draw."""
    if rows is None:
        return np.arange(min(N_SAMPLES, n_samples))
    numbers = np.atleast_1d(as_array(rows, "rows"))
    if numbers.ndim != 1 or numbers.dtype.kind not in "iu" or len(numbers) == 0:
        raise ValueError(f"rows are the numbers of samples, such as [0, 3], got {rows!r:.100}.")
    if numbers.min() < 0 or numbers.max() >= n_samples:
        raise ValueError(
            f"rows go from 0 to {n_samples - 1}, the last sample of X, got {rows!r:.100}."
        )
    return numbers


def _held_back(modalities: Modalities, inputs: Sequence[int]) -> Modalities:
    """Return samples of which the model sees some modalities."""
    kept = np.isin(np.arange(len(modalities.names)), inputs)
    gaps = modalities.elements
    return replace(
        modalities,
        arrays=tuple(a if keep else None for a, keep in zip(modalities.arrays, kept, strict=True)),
        observed=modalities.observed & kept[:, None],
        elements=gaps and tuple(a if keep else None for a, keep in zip(gaps, kept, strict=True)),
    )
