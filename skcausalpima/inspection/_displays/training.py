"""A picture of how a fit was trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from ..._base.reports.training import ConvergenceReport
from .display import POINTS_PER_INCH, Axes, Display, SomeAxes, inches, letters_across
from .labels import wrapped
from .styles import UNKNOWN, Look, group_style, ink

#: The terms of the bound besides the reconstructions, and what they are called.
TERMS = {
    "evidence": "evidence of the mixture",
    "potential": "what encoders say",
    "density": "density in the latent space",
    "weight": "weights of the cells",
    "assignment_entropy": "entropy of the assignment",
    "posterior_entropy": "entropy of the posterior",
}
RECONSTRUCTION = "reconstruction_"
SHADE: Look = {"color": "0.5", "alpha": 0.14}
NAME_LETTERS = 26, 32  # of a line of the legend
LINE = 1.25  # of the height of a font
FONT, SMALL = 8, 7
HIGH = 1.0  # inches, of axes that have room for a long name
PRETRAINING_ROOM = 1.5  # above and below the bound, in ranges of the bound


@dataclass(eq=False, repr=False)
class TrainingDisplay(Display):
    """A picture of the bound and its terms over the epochs of a fit.

    Above is the bound, in nats per sample and in the data's units, as ``score``. Below is what each
    term has gained since the first epoch of training; together they are what the bound has gained.
    Pre-training, which has no clusters and an objective of its own, ends at epoch 0; polishing with
    the selected graph comes last. Both are shaded, and named above the axes.

    Parameters
    ----------
    history : mapping of str to array-like of shape (n_epochs,)
        The terms after each epoch of training, as in ``history_``: ``"lower_bound"``, and what else
        there is of ``"held_out_bound"``, ``"reconstruction_<modality>"``, ``"evidence"`` and
        ``"potential"``, or ``"density"``, ``"weight"``, ``"assignment_entropy"`` and
        ``"posterior_entropy"``.
    pretraining : array-like of shape (n_pretraining,), default=()
        The objective after each epoch of pre-training.
    polishing : mapping of str to array-like of shape (n_polishing,), default=None
        The terms after each epoch of polishing.
    converged : bool, default=None
        Whether training stopped by itself; None draws nothing where it ended.
    final : float, default=None
        The bound of the final model, of the samples that the history is of.
    convergence : ConvergenceReport, default=None
        How training ended, as in ``convergence_``.

    Attributes
    ----------
    axes_ : ndarray of matplotlib axes of shape (2,)
        Those of the bound and of its terms.
    figure_ : matplotlib figure
        Their figure.

    See Also
    --------
    skcausalpima.CausalPIMA.report : The fit in words.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from skcausalpima.inspection import TrainingDisplay
    >>> history = {"lower_bound": [-9.0, -7.0, -6.5], "evidence": [-5.0, -3.5, -3.5],
    ...            "reconstruction_image": [-4.0, -3.5, -3.0]}
    >>> display = TrainingDisplay(history, converged=True).plot()
    >>> display.axes_[0].get_ylabel()
    'bound (nats per sample)'
    >>> plt.close()
    """

    history: Mapping[str, ArrayLike]
    _: KW_ONLY
    pretraining: ArrayLike = ()
    polishing: Mapping[str, ArrayLike] | None = None
    converged: bool | None = None
    final: float | None = None
    convergence: ConvergenceReport | None = None

    @classmethod
    def from_estimator(cls, est: BaseEstimator, *, ax: SomeAxes = None) -> TrainingDisplay:
        """Draw how a fitted estimator was trained.

        Parameters
        ----------
        est : CausalPIMA
            A fitted estimator.
        ax : matplotlib axes, default=None
            Where to draw, see :meth:`plot`; None makes a figure.

        Returns
        -------
        TrainingDisplay
            The picture.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If ``est`` is none, such as a pipeline or a search that holds one.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> from skcausalpima.inspection import TrainingDisplay
        >>> noise = np.random.default_rng(0).normal(size=(40, 2))
        >>> X = np.tile([[0.0, 1.0], [8.0, 9.0]], (20, 1)) + noise
        >>> model = CausalPIMA(2, max_iter=2, random_state=0).fit(X)
        >>> display = TrainingDisplay.from_estimator(model)
        >>> [text.get_text() for text in display.axes_[1].get_legend().texts][:2]
        ['reconstruction of modality0', 'evidence of the mixture']
        >>> plt.close()
        """
        cls._check_estimator(est)
        return cls._of_estimator(est).plot(ax)

    @classmethod
    def _of_estimator(cls, est: BaseEstimator) -> TrainingDisplay:
        """Return what :meth:`from_estimator` draws."""
        phases, same_samples = est.phase_history_, est.convergence_.bound
        return cls(
            est.history_,
            pretraining=phases.get("pre-training", {"objective": ()})["objective"],
            polishing=phases.get("polishing"),
            converged=bool(est.converged_),
            final=est.lower_bound_ if same_samples is None else same_samples,
            convergence=est.convergence_,
        )

    def plot(self, ax: SomeAxes = None) -> TrainingDisplay:
        """Draw the bound and its terms.

        Parameters
        ----------
        ax : matplotlib axes, or array-like of two of them, default=None
            Where to draw. One is divided in two; None makes a figure.

        Returns
        -------
        TrainingDisplay
            The picture itself.

        Raises
        ------
        ValueError
            If ``history`` has no bound, or terms are not of one length.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from skcausalpima.inspection import TrainingDisplay
        >>> display = TrainingDisplay({"lower_bound": [-9.0, -7.0]}, converged=True)
        >>> [text.get_text() for text in display.plot().axes_[0].get_legend().texts]
        ['bound', 'end, stopped by itself: 2']
        >>> plt.close()
        """
        history = _arrays("history", self.history)
        polishing = {} if self.polishing is None else _arrays("polishing", self.polishing)
        n_epochs = len(history["lower_bound"])
        axes = self._several_axes(ax, (2, 1), (7.0, 6.0), height_ratios=[1.2, 1])
        self.axes_ = axes.ravel()
        nothing = np.full(len(polishing.get("lower_bound", ())), np.nan)
        all_of_it = {
            n: np.concatenate([values, polishing.get(n, nothing)]) for n, values in history.items()
        }
        self._plot_bound(self.axes_[0], history, all_of_it["lower_bound"])
        _plot_gains(self.axes_[1], all_of_it)
        for panel in self.axes_:
            self._shade(panel, n_epochs, len(all_of_it["lower_bound"]))
            panel.margins(x=0.02)
            panel.tick_params(labelsize=FONT)
            if panel.get_legend_handles_labels()[0]:
                look: Look = {"loc": "center left", "bbox_to_anchor": (1.01, 0.5), "frameon": False}
                font = FONT if inches(panel)[1] > HIGH else SMALL
                panel.legend(fontsize=font, labelspacing=0.2, handlelength=1.6, **look)
        self.axes_[0].sharex(self.axes_[1])
        self.axes_[0].tick_params(labelbottom=False)
        self.axes_[1].set_xlabel("epoch of training", fontsize=FONT)
        self.axes_[1].xaxis.get_major_locator().set_params(integer=True)
        return self

    def _plot_bound(self, ax: Axes, history: dict[str, np.ndarray], bound: np.ndarray) -> None:
        """Draw the bound of each phase, and where training ended."""
        n_epochs, pretraining = len(history["lower_bound"]), np.asarray(self.pretraining, float)
        if len(pretraining):
            before = np.arange(1 - len(pretraining), 1)
            ax.plot(before, pretraining, "--", color=UNKNOWN, label="objective of pre-training")
        _line(ax, bound, 0, "bound")
        if "held_out_bound" in history:
            held_out = history["held_out_bound"]
            _line(ax, held_out, 1, "bound of held-out samples")
            best = int(np.nanargmax(held_out))
            ax.plot(best + 1, held_out[best], "*", color=ink(), ms=10, label="kept state")
        if self.final is not None:
            ax.plot(len(bound), self.final, "D", color=ink(), ms=5, label="final model")
        if self.converged is not None:
            why = "stopped by itself" if self.converged else "all planned epochs"
            label = wrapped(f"end, {why}: {n_epochs}", _letters_of_legend(ax))
            ax.axvline(n_epochs, color=ink(), linewidth=1, linestyle=":", label=label)
        _limit(ax, bound, pretraining)
        ax.set_ylabel(
            "bound (nats per sample)" if inches(ax)[1] > HIGH else "bound (nats)", fontsize=FONT
        )
        convergence = self.convergence
        if (
            convergence is None
            or convergence.rise is None
            or convergence.spread is None
            or convergence.label_changes is None
        ):
            return
        rise, changes = convergence.rise * convergence.spread, convergence.label_changes
        title = f"at last {rise:+.3g} nats and {changes:.1%} of the labels changed per epoch"
        title = wrapped(title, max(letters_across(ax, FONT), 18))
        ax.set_title(title, fontsize=FONT, loc="left", pad=FONT + 4)  # phases are named below it

    def _shade(self, ax: Axes, n_epochs: int, end: int) -> None:
        """Shade the phases before and after training, and name them."""
        start = 1 - len(np.asarray(self.pretraining))
        phases = {"pre-training": (start, 0), "polishing": (n_epochs + 1, end)}
        for name, (first, last) in phases.items():
            if last < first:
                continue
            ax.axvspan(first - 0.5, last + 0.5, lw=0, zorder=0, **SHADE)
            if ax is self.axes_[0]:  # above the axes, where no line is
                at, side = (first - 0.5, "left") if first < 1 else (last + 0.5, "right")
                look: Look = {"ha": side, "va": "bottom", "fontsize": FONT - 1, "color": "0.5"}
                look |= {"xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
                ax.annotate(name, (at, 1.0), (0, 2), **look)


def _arrays(what: str, terms: Mapping[str, ArrayLike]) -> dict[str, np.ndarray]:
    """Return terms as arrays of one length."""
    arrays = {name: np.asarray(values, dtype=np.float64) for name, values in terms.items()}
    if "lower_bound" not in arrays or len(arrays["lower_bound"]) == 0:
        raise ValueError(
            f'{what} must have the entry "lower_bound", the bound after each epoch (history_ of a '
            f"fitted estimator has it); got {list(arrays)}."
        )
    shapes = {name: array.shape for name, array in arrays.items()}
    if len(set(shapes.values())) > 1 or arrays["lower_bound"].ndim != 1:
        raise ValueError(f"{what} must have one number per epoch of each term; got {shapes}.")
    return arrays


def _line(ax: Axes, values: np.ndarray, group: int, label: str) -> None:
    """Draw a line over the epochs in the style of a group; a single point as such."""
    style, marker = group_style(group), "o" if len(values) == 1 else ""
    look: Look = {"color": style.colour, "linestyle": style.line, "marker": marker, "label": label}
    ax.plot(np.arange(1, len(values) + 1), values, **look)


def _limit(ax: Axes, bound: np.ndarray, pretraining: np.ndarray) -> None:
    """Cut off the part of pre-training that would leave no room for the bound."""
    low, high = np.nanmin(bound), np.nanmax(bound)
    room = PRETRAINING_ROOM * (high - low)
    if len(pretraining) and room > 0:
        bottom = max(np.nanmin(pretraining), low - room) if np.nanmin(pretraining) < low else None
        top = min(np.nanmax(pretraining), high + room) if np.nanmax(pretraining) > high else None
        ax.set_ylim(bottom, top)


def _plot_gains(ax: Axes, terms: dict[str, np.ndarray]) -> None:
    """Draw what each term has gained since the first epoch; of many name those that gained most."""
    names = [name for name in terms if name in TERMS or name.startswith(RECONSTRUCTION)]
    gains = {name: terms[name] - terms[name][0] for name in names}
    n_named = int(max(inches(ax)[1], HIGH) * POINTS_PER_INCH / (LINE * SMALL))
    by_gain = sorted(names, key=lambda name: -np.nanmax(np.abs(gains[name])))
    for group, name in enumerate(names):
        label = TERMS.get(name) or f"reconstruction of {name.removeprefix(RECONSTRUCTION)}"
        label = wrapped(label, _letters_of_legend(ax), 2 if 2 * len(names) < n_named else 1)
        _line(ax, gains[name], group, label if name in by_gain[:n_named] else "_")
    ax.axhline(0, color=UNKNOWN, linewidth=0.8, zorder=0.5)
    is_high = inches(ax)[1] > HIGH
    name = "gain of each term\n(nats per sample)" if is_high else "gains (nats)"
    ax.set_ylabel(name, fontsize=FONT)


def _letters_of_legend(ax: Axes) -> int:
    """Return how many letters a line of the legend beside axes has."""
    return int(np.clip(0.4 * letters_across(ax, FONT), *NAME_LETTERS))
