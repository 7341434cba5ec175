"""A decoder of columns of several kinds, and the table of the likelihoods that they may have."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias, TypeVar, cast

import numpy as np
import torch
from torch import Tensor, nn

from .._data.column_kinds import DEPTH, Layout, has_many_levels, slices_of
from ._batch import Likelihood
from ._column_likelihoods import (
    Bernoulli,
    Categorical,
    ColumnLikelihood,
    Gaussian,
    ManyLevels,
    Ordinal,
)
from ._count_likelihoods import NegativeBinomial, Poisson
from ._decoder_protocol import Around, Decoder, as_decoder

Kind = TypeVar("Kind", bound=ColumnLikelihood)
#: Numbers of elements; a slice, which copies nothing, of one column.
Elements: TypeAlias = Tensor | slice

#: All words: a new one is one more class.
COLUMN_LIKELIHOODS: dict[str, type[ColumnLikelihood]] = {
    "gaussian": Gaussian,
    "bernoulli": Bernoulli,
    "categorical": Categorical,
    "ordinal": Ordinal,
    "poisson": Poisson,
    "negative_binomial": NegativeBinomial,
}


class ColumnDecoder(Decoder):
    r"""Decode columns: :math:`p(x_m | z) = \prod_j p(x_{mj} | \eta_j(z))`.

    Parameters
    ----------
    network : torch.nn.Module
        From (n_samples, latent_dim) to a tensor of shape (n_samples, \*shape), an
        :math:`\eta` for each element.
    shape : sequence of int
        Shape of one coded sample.
    layout : sequence of (str, int)
        Kind and number of elements of each column.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.modules import ColumnDecoder, MLPDecoder
    >>> network = MLPDecoder((4,), 2, (8,), torch.Generator().manual_seed(0))
    >>> decoder = ColumnDecoder(network, (4,), [("bernoulli", 1), ("categorical", 3)])
    >>> x = torch.tensor([[1.0, 0.0, 1.0, 0.0]])
    >>> own = decoder.likelihood(x, torch.zeros(1, 2)).log_likelihoods
    >>> own.shape
    torch.Size([1, 1])
    """

    has_likelihood = keeps_variance = takes_gaps = is_quick = True
    centre: Tensor
    factor: Tensor

    def __init__(self, network: nn.Module, shape: Sequence[int], layout: Layout) -> None:
        super().__init__()
        self.network, self.shape = network, tuple(shape)
        slices, width = slices_of(layout), sum(size for _, size in layout)
        if width != math.prod(shape):
            raise ValueError(f"layout has {width} elements, but samples are of shape {shape}.")
        unknown = sorted({word for word, _ in layout} - {*COLUMN_LIKELIHOODS, DEPTH})
        if unknown:
            raise ValueError(
                f"layout has the words {unknown}: expected some of {list(COLUMN_LIKELIHOODS)}."
            )
        self.register_buffer("centre", torch.zeros(width, dtype=torch.float64))
        self.register_buffer("factor", torch.ones(width, dtype=torch.float64))
        has_depth, blocks = layout[-1][0] == DEPTH, list[ColumnLikelihood]()
        columns = list(zip(slices, layout, strict=True))
        self._many = [part for part, column in columns if has_many_levels(*column)]
        self.has_many_words = bool(self._many)
        for word, kind in COLUMN_LIKELIHOODS.items():
            of_kind = [part for part, (name, _) in columns if name == word]
            of_kind = [part for part in of_kind if part not in self._many]
            if not of_kind:
                continue
            elements = torch.cat(
                [torch.arange(width)[part] for part in of_kind + slices[-1:] * has_depth]
            )
            firsts = torch.tensor([part.start for part in of_kind])
            self.register_buffer(f"index{len(blocks)}", elements, False)
            self.register_buffer(f"first{len(blocks)}", firsts, False)
            sizes = [part.stop - part.start for part in of_kind]
            blocks.append(cast(type[Poisson], kind)(sizes, True) if has_depth else kind(sizes))
        blocks += [ManyLevels([part.stop - part.start]) for part in self._many]
        self.likelihoods = nn.ModuleList(blocks)
        self.has_dispersions = any(isinstance(block, NegativeBinomial) for block in blocks)

    @property
    def unwrapped(self) -> nn.Module:
        """The network as it was handed in."""
        return as_decoder(self.network).unwrapped

    @property
    def networks(self) -> list[nn.Module]:
        """The network, whose outputs are asked for by several methods."""
        return [self.network]

    def free_width(self, width: int) -> int:
        """Return the number of elements that do not follow from others.

        Parameters
        ----------
        width : int
            Number of all elements.

        Returns
        -------
        int
            Fewer where there are categories, and a depth.
        """
        return sum(part.n_free for part, _, _ in self._parts(ColumnLikelihood))

    def _parts(self, kind: type[Kind]) -> list[tuple[Kind, Elements, Elements]]:
        """Return likelihoods of a kind, their elements, and the first ones of their columns."""
        n_tables = len(self.likelihoods) - len(self._many)
        slices: list[tuple[Elements, Elements]] = [
            (getattr(self, f"index{k}"), getattr(self, f"first{k}")) for k in range(n_tables)
        ]
        slices += [(part, slice(part.start, part.start + 1)) for part in self._many]
        parts = zip(self.likelihoods, slices, strict=True)
        return [(part, *where) for part, where in parts if isinstance(part, kind)]

    @torch.no_grad()
    def set_units(self, centre: np.ndarray, factor: np.ndarray | float) -> None:
        """State what was taken from coded data, and what they were divided by.

        Numbers stay in these units.

        Parameters
        ----------
        centre : ndarray of shape (\\*shape)
            Taken from each element.
        factor : ndarray of the same shape or float
            Of each element.
        """
        factor = np.broadcast_to(factor, np.shape(centre))
        self.centre.copy_(torch.tensor(np.ravel(centre)))
        self.factor.copy_(torch.tensor(np.ravel(factor)))
        for _, index, _ in self._parts(Gaussian):
            self.centre[index], self.factor[index] = 0.0, 1.0

    def _raw(self, x: Tensor, index: Elements) -> Tensor:
        """Return elements as they were coded; numbers stay scaled."""
        raw = x[:, index].double() * self.factor[index].double()
        return raw.add_(self.centre[index].double())

    def _each(self, method: Callable[..., Tensor], *tables: Tensor) -> Tensor:
        """Return what each likelihood says of its elements, in their order."""
        result = tables[0].new_zeros(tables[0].shape)
        for part, index, _ in self._parts(ColumnLikelihood):
            result[..., index] = method(part, *(table[..., index] for table in tables)).to(result)
        return result

    def predictors(self, z: Tensor) -> Tensor:
        r"""Return :math:`\eta` at latent points, (n_samples, width)."""
        return self.network(z).flatten(1)

    def forward(self, z: Tensor) -> Tensor:
        r"""Return the means of scaled elements.

        Parameters
        ----------
        z : Tensor of shape (n_samples, latent_dim)
            Points of the latent space.

        Returns
        -------
        Tensor of shape (n_samples, \*shape)
            Means of the modality.
        """
        means = self._each(lambda part, eta: part.means(eta), self.predictors(z))
        means = (means - self.centre.to(means)) / self.factor.to(means)
        return means.unflatten(1, self.shape)

    def likelihood(self, x: Tensor, z: Tensor, seen: Tensor | None = None) -> Likelihood:
        """Return the log-likelihood of every sample, the same under all components.

        Parameters
        ----------
        x : Tensor of shape (n_samples, width)
            Scaled samples.
        z : Tensor of shape (n_samples, latent_dim)
            Their latent points.
        seen : Tensor of bool of shape (n_samples, width), default=None
            Which elements are observed; None for all.

        Returns
        -------
        Likelihood
            Of shape (1, n_samples); squared errors are those of numbers.
        """
        eta = self.predictors(z)
        total, errors = eta.new_zeros(2, len(eta))
        for part, index, first in self._parts(ColumnLikelihood):
            values = x[:, index] if part.is_told_by_scaled else self._raw(x, index).to(x)
            values = part.log_likelihoods(eta[:, index], values)
            shown = values if seen is None else values * seen[:, first]
            total = total + shown.sum(dim=1)
            if isinstance(part, Gaussian):
                squares = (eta[:, index] - x[:, index]).square()
                if seen is not None:  # what is missing has the variance that it had
                    squares = torch.where(seen[:, first], squares, part.log_variance.exp())
                errors = squares.sum(dim=1)
        return Likelihood(total[None], errors[None])

    def deviations(self, z: Tensor, components: Tensor, log_variance: Tensor) -> Tensor:
        """Return the standard deviation of every element.

        Parameters
        ----------
        z : Tensor of shape (n_samples, latent_dim)
            Points of the latent space.
        components : Tensor of int of shape (n_samples,)
            Components, which do not matter.
        log_variance : Tensor of shape ()
            That of the modality, which does not matter.

        Returns
        -------
        Tensor of shape (n_samples, width)
            Of scaled data.
        """
        spread = self._each(lambda part, eta: part.deviations(eta), self.predictors(z))
        return spread / self.factor.to(spread)

    def draw(
        self, z: Tensor, components: Tensor, log_variance: Tensor, normal: Callable[..., Tensor]
    ) -> Tensor:
        """Draw a scaled sample at each latent point, flattened.

        Parameters
        ----------
        z, components, log_variance
            As in :meth:`deviations`.
        normal : callable
            Returns standard normal draws of a shape.

        Returns
        -------
        Tensor of shape (n_samples, width)
            The draws.
        """
        drawn = self._each(lambda part, eta: part.draw(eta, normal), self.predictors(z).double())
        return ((drawn - self.centre.double()) / self.factor.double()).to(z)

    def residuals(self, x: np.ndarray, means: np.ndarray, uniform: np.ndarray) -> np.ndarray:
        """Return what is left of each column: each likelihood says what it leaves.

        Parameters
        ----------
        x : ndarray of shape (n_samples, width)
            Coded samples, not scaled.
        means : ndarray of shape (n_samples, width)
            Their expected elements, in the same units.
        uniform : ndarray of shape (n_samples, n_columns)
            Draws between 0 and 1.

        Returns
        -------
        ndarray of shape (n_samples, n_columns)
            Differences of numbers; else randomized quantile residuals.
        """
        left, elements = np.empty(uniform.shape), torch.arange(x.shape[1]).to(self.factor.device)
        parts = [
            (part, elements[index].cpu().numpy(), elements[first].cpu().numpy())
            for part, index, first in self._parts(ColumnLikelihood)
        ]
        starts = np.sort(np.concatenate([first for _, _, first in parts]))
        for part, index, first in parts:
            columns = np.searchsorted(starts, first)
            left[:, columns] = part.residuals(means[:, index], x[:, index], uniform[:, columns])
        return left

    def scaled_slopes(
        self, around: Around, log_variance: Tensor, x: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        r"""Return slopes of :math:`\eta` in units of the noise, and what x is off in these.

        Parameters
        ----------
        around : Around
            Latent points.
        log_variance : Tensor of shape ()
            That of the modality, which does not matter.
        x : Tensor of shape (n_samples, width), default=None
            Scaled samples.

        Returns
        -------
        slopes : Tensor of shape (n_samples, latent_dim, width)
            S, with the Fisher information S S'.
        misfit : Tensor of shape (n_samples, width)
            r, with the gradient S r of the log-likelihood; zeros without x.
        """
        eta = self.predictors(around.points)
        slopes = around.slopes(self.predictors(around.neighbours()[0]))
        scaled, misfit = torch.zeros_like(slopes), torch.zeros_like(eta)
        for part, index, _ in self._parts(ColumnLikelihood):
            values = None if x is None else self._raw(x, index).to(eta)
            working = part.working(eta[:, index], slopes[..., index], values)
            scaled[..., index], misfit[:, index] = working
        return scaled.double(), misfit.double()

    @torch.no_grad()
    def begin(
        self, x: Tensor, weight: Tensor, bias: Tensor, log_variances: Tensor, log_variance: Tensor
    ) -> Tensor:
        """Become what a linear decoder of scaled elements is near the mean.

        Parameters
        ----------
        x : Tensor of shape (n_samples, width)
            Scaled samples.
        weight : Tensor of shape (width, latent_dim)
            The linear map.
        bias : Tensor of shape (width,)
            Offset.
        log_variances : Tensor of shape (width,)
            Of what the map leaves of each element, which does not matter.
        log_variance : Tensor of shape ()
            Of what it leaves of all elements: that of numbers.

        Returns
        -------
        Tensor of shape ()
            The logarithm of the variance of an element that balances modalities: the number of
            free elements over the null deviance of a sample.
        """
        x, weight, bias = (tensor.to(self.factor.device) for tensor in (x, weight, bias))
        slope = weight * self.factor.to(weight)[:, None]
        offset, deviance = bias.clone(), torch.zeros_like(self.factor[0])
        for part, index, _ in self._parts(ColumnLikelihood):
            raw = self._raw(x, index)
            if isinstance(part, Gaussian):
                part.log_variance.copy_(log_variance)
            else:
                offset[index], slope[index] = part.start(raw, slope[index])
            deviance += part.null_deviance(raw).double()
        as_decoder(self.network).initialize_linear(slope, offset)
        return (self.free_width(len(bias)) / deviance.clamp_min(1e-3)).log()

    def set_variances(self, variances: Tensor, known: Tensor) -> None:
        """Set the variance of numbers.

        Parameters
        ----------
        variances : Tensor of shape (1,)
            Squared errors over all elements, not the numbers alone.
        known : Tensor of bool of shape (1,)
            False where there is no sample.
        """
        for part, _, _ in self._parts(Gaussian):
            if bool(known):
                part.log_variance.copy_((variances[0] * len(self.factor) / part.n_free).log())

    @torch.no_grad()
    def update_dispersions(
        self, x: Tensor, z: Tensor, weights: Tensor, seen: Tensor | None
    ) -> None:
        """Make a step towards the most probable dispersions of counts.

        Parameters
        ----------
        x, z
            As in :meth:`likelihood`.
        weights : Tensor of shape (n_samples,)
            For how many samples each row counts.
        seen : Tensor of bool of shape (n_samples, width) or None
            Which elements are observed; None for all.
        """
        eta = self.predictors(z)
        for part, index, first in self._parts(NegativeBinomial):
            counted = weights[:, None].expand(-1, len(part.sizes))
            counted = counted if seen is None else counted * seen[:, first]
            part.update_dispersions(eta[:, index], self._raw(x, index), counted)
