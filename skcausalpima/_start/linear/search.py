"""The maximum of the score: over dimensions, shapes of covariances and starts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from sklearn.utils.extmath import randomized_svd

from .em import Run, Trainer
from .evidence import Family
from .model import Model, drawn, expected
from .starts import begun, is_new, labellings
from .table import Table, Units


@dataclass(frozen=True)
class Budget:
    """How much is tried.

    Parameters
    ----------
    n_starts : int
        k-means starts of each number of dimensions.
    n_short, n_long : int
        Steps of all starts, and of the best one.
    tol : float
        [nats per row] A long run ends where a step gains less.
    n_worse : int
        Numbers of dimensions without a better score after which no larger one is tried.
    most_dims, most_columns : int
        Latent dimensions at most; columns at most that may be the latent space themselves.
    most_rows : int
        Rows that the maximum is sought in; the others are then added.
    """

    n_starts: int = 4
    n_short: int = 12
    n_long: int = 200
    tol: float = 2e-5
    n_worse: int = 2
    most_dims: int = 20
    most_columns: int = 15
    most_rows: int = 2000


@dataclass(frozen=True, kw_only=True)
class Maximum:
    """The model with the largest score that was found.

    Parameters
    ----------
    units : Units
        Those of columns.
    family : Family
        What is free of the model.
    model : Model
        Its parameters, in units of columns.
    score : float
        Log-likelihood less half a logarithm of each free number, in nats of the data.
    path : tuple of (int, str, float)
        Dimensions, covariances, and the score of what was compared.
    labels : ndarray of int of shape (n_rows,)
        The likeliest kind of each row.
    """

    units: Units
    family: Family
    model: Model
    score: float
    path: tuple[tuple[int, str, float], ...]
    labels: np.ndarray

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Return probabilities of kinds, (n_rows, n_kinds); NaN where a value is missing."""
        return expected(self.model, self.units.table(X)).responsibilities

    def points(self, X: np.ndarray) -> np.ndarray:
        """Return posterior means of latent points, (n_rows, n_dims)."""
        return expected(self.model, self.units.table(X)).points

    def score_samples(self, X: np.ndarray) -> np.ndarray:
        """Return log-densities of rows, in nats of the data, (n_rows,)."""
        table = self.units.table(X)
        return expected(self.model, table).densities - self.units.log_volumes(table)

    def filled(self, X: np.ndarray) -> np.ndarray:
        """Return X with what is missing at its conditional mean."""
        points = self.model.centre + self.points(X) @ self.model.loadings.T
        return np.where(np.isnan(X), self.units.values(points), X)

    def sample(self, n_rows: int, rng: np.random.RandomState) -> tuple[np.ndarray, np.ndarray]:
        """Draw rows and their kinds."""
        filled, kinds = drawn(self.model, n_rows, rng)
        return self.units.values(filled), kinds


def linear_maximum(
    X: np.ndarray,
    n_kinds: int,
    *,
    seed: int = 0,
    budget: Budget | None = None,
    design: np.ndarray | None = None,
    given: np.ndarray | None = None,
    like: Maximum | None = None,
) -> Maximum:
    """Find the linear model with the largest score.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_columns)
        NaN where a value is missing.
    n_kinds : int
        Kinds; 1 for one Gaussian.
    seed : int, default=0
        Of all starts.
    budget : Budget, default=None
        How much is tried.
    design : ndarray of shape (n_kinds, n_effects), default=None
        Means of kinds are sums of effects; ``given`` says which kind is which.
    given : ndarray of int of shape (n_rows,), default=None
        Labels that are the only start.
    like : Maximum, default=None
        Dimensions and covariances are its own: nothing else is tried.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._start.linear import linear_maximum
    >>> rng = np.random.default_rng(0)
    >>> kinds = rng.integers(3, size=200)
    >>> X = 4 * rng.normal(size=(3, 6))[kinds] + rng.normal(size=(200, 6))
    >>> best = linear_maximum(X, 3)
    >>> best.model.means.shape[0], len(np.unique(best.labels))
    (3, 3)
    """
    budget = budget or Budget()
    rng = np.random.RandomState(seed)
    units = Units.of(X)
    table = units.table(X)
    rows = np.arange(len(X))
    if len(X) > budget.most_rows:
        rows = np.sort(rng.permutation(len(X))[: budget.most_rows])
    search = _Search(
        table=table.take(rows) if len(rows) < len(X) else table,
        least=units.least,
        n_kinds=n_kinds,
        budget=budget,
        design=design,
        given=None if given is None else given[rows],
        like=like,
    )
    family, run, path = search.best(rng)
    if len(rows) < len(X):
        run = Trainer(table, family, units.least).run(run.model, budget.n_short, budget.tol)
    volume = float(units.log_volumes(table).sum())
    return Maximum(
        units=units,
        family=family,
        model=run.model,
        score=run.score(family, table) - volume,
        path=path,
        labels=run.moments.logs.argmax(axis=1),
    )


Path = tuple[tuple[int, str, float], ...]


@dataclass(frozen=True, kw_only=True)
class _Search:
    """What is compared on one table."""

    table: Table
    least: np.ndarray
    n_kinds: int
    budget: Budget
    design: np.ndarray | None
    given: np.ndarray | None
    like: Maximum | None

    def best(self, rng: np.random.RandomState) -> tuple[Family, Run, Path]:
        """Return the family and the end of the run with the largest score."""
        best: tuple[float, Family, Run] | None = None
        carried, worse, path = self.given, 0, []
        for q, is_whole in self._dimensions():
            if worse >= self.budget.n_worse and not is_whole:
                continue
            base, points = self._whole() if is_whole else self._gaussian(q)
            tries = list(self._tries(points, carried, rng))
            ends = [self._longest(base, points, tries, of) for of in self._families(is_whole)]
            scored = [(run.score(family, self.table), family, run) for family, run in ends]
            here = max(scored, key=lambda one: one[0])
            path += [(q, family.covariances, score) for score, family, _ in scored]
            carried = here[2].moments.logs.argmax(axis=1) if self.given is None else self.given
            worse += 1
            if best is None or here[0] > best[0]:
                best, worse = here, 0
        assert best is not None
        return best[1], best[2], tuple(path)

    def _dimensions(self) -> Iterator[tuple[int, bool]]:
        """Yield numbers of dimensions, and whether they are the columns themselves."""
        n, p = self.table.filled.shape
        if self.like is not None:
            yield self.like.model.n_dims, self.like.family.is_whole
            return
        most = min(p - 1 if p > 2 else p, self.budget.most_dims, max(2, n // 8), p)
        yield from ((q, False) for q in range(1, most + 1))
        if p <= self.budget.most_columns and p < n / 4:
            yield p, True

    def _families(self, is_whole: bool) -> list[Family]:
        if self.like is not None:
            return [self.like.family]
        shapes = ["pooled"] if self.n_kinds == 1 else ["pooled", "own"]
        if is_whole:
            shapes.append("diagonal")
        return [Family(shape, is_whole, self.design) for shape in shapes]

    def _tries(
        self, points: np.ndarray, carried: np.ndarray | None, rng: np.random.RandomState
    ) -> Iterator[np.ndarray]:
        """Yield unlike labels to begin with; those of the dimensions before come first."""
        if self.n_kinds == 1 or self.given is not None:
            yield np.zeros(len(points), dtype=np.int64) if self.given is None else self.given
            return
        known = [] if carried is None else [carried]
        yield from known
        for labels in labellings(points, self.n_kinds, self.budget.n_starts, rng):
            if is_new(labels, known):
                known.append(labels)
                yield labels

    def _longest(
        self, base: Model, points: np.ndarray, tries: list[np.ndarray], family: Family
    ) -> tuple[Family, Run]:
        """Run all starts shortly, and the best one long."""
        trainer = Trainer(self.table, family, self.least)
        starts = [self._begun(base, points, labels, family) for labels in tries]
        if len(starts) > 1:
            runs = [trainer.run(one, self.budget.n_short, self.budget.tol) for one in starts]
            starts = [max(runs, key=lambda run: run.value).model]
        return family, trainer.run(starts[0], self.budget.n_long, self.budget.tol)

    def _begun(self, base: Model, points: np.ndarray, labels: np.ndarray, family: Family) -> Model:
        model = begun(base, points, labels, family)
        n_more = self.n_kinds - len(model.weights)
        if n_more <= 0:
            return model
        last = np.r_[np.arange(len(model.weights)), np.full(n_more, len(model.weights) - 1)]
        weights = model.weights[last]  # kinds that no label has
        return replace(
            model,
            weights=weights / weights.sum(),
            means=model.means[last],
            covariances=model.covariances[last],
        )

    def _gaussian(self, q: int) -> tuple[Model, np.ndarray]:
        """Return one Gaussian of q dimensions, and the latent points of rows."""
        n, p = self.table.filled.shape
        if q < min(n, p) / 4 and min(n, p) > 200:
            _, s, vt = randomized_svd(self.table.filled, q, random_state=0)
        else:
            _, s, vt = np.linalg.svd(self.table.filled, full_matrices=False)
        loadings = np.zeros((p, q))
        width = min(q, len(s))
        loadings[:, :width] = (vt[:width] * s[:width, None] / np.sqrt(n)).T
        noise = np.maximum(np.maximum(1.0 - np.square(loadings).sum(axis=1), 0.05), self.least)
        model = Model(
            loadings=loadings,
            centre=np.zeros(p),
            noise=noise,
            weights=np.ones(1),
            means=np.zeros((1, q)),
            covariances=np.eye(q)[None],
        )
        trainer = Trainer(self.table, Family("pooled", False), self.least)
        run = trainer.run(model, 60, 1e-4)
        return run.model, run.moments.points

    def _whole(self) -> tuple[Model, np.ndarray]:
        """Return the model whose latent points are the rows, and these."""
        p = self.table.filled.shape[1]
        model = Model(
            loadings=np.eye(p),
            centre=np.zeros(p),
            noise=self.least,
            weights=np.ones(1),
            means=np.zeros((1, p)),
            covariances=np.eye(p)[None],
        )
        return model, self.table.filled
