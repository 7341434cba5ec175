"""Decoders whose variances are their own: of every element, or of one network for each cell."""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn

from ..functional import isotropic_log_likelihood
from ._batch import Likelihood
from ._convolutions import ConvDecoder
from ._decoder_protocol import Decoder, as_decoder
from ._decoders import MLPDecoder
from ._encoders import MAX_ABS_LOG_VAR

#: Smallest log-variance that a decoder predicts: a hundredth of the deviation of scaled data. With
#: less, an element that hardly varies in training rules out every new sample in which it does.
MIN_LOG_VARIANCE = math.log(1e-4)

#: Samples whose means under all components are in memory at once where no gradient is needed.
BLOCK_ROWS = 512


class VarianceDecoder(Decoder):
    r"""Decode means and log-variances: :math:`p(x_m | z) = N(\mu(z), \mathrm{diag}(s^2(z)))`.

    Parameters
    ----------
    network : torch.nn.Module
        From (n_samples, latent_dim) to a pair of tensors of shape (n_samples, \*shape), means and
        log-variances of scaled data. An :class:`MLPDecoder` or :class:`ConvDecoder` is given that
        second output. Log-variances are kept within [log(1e-4), 15].

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.modules import MLPDecoder, VarianceDecoder
    >>> decoder = VarianceDecoder(MLPDecoder((5,), 2, (8,), torch.Generator()))
    >>> z = torch.zeros(3, 2)
    >>> mean, log_variance = decoder.moments(z)
    >>> mean.shape, log_variance[0].tolist()
    (torch.Size([3, 5]), [0.0, 0.0, 0.0, 0.0, 0.0])
    """

    has_likelihood = predicts_variances = takes_gaps = True

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        as_decoder(network).add_variances()

    @property
    def networks(self) -> list[nn.Module]:
        """The network, whose outputs are asked for by several methods."""
        return [self.network]

    def initialize_linear(
        self, weight: Tensor, bias: Tensor, log_variances: Tensor | None = None
    ) -> None:
        """Become a linear decoder with its residual variances, where the network can.

        Parameters
        ----------
        weight : Tensor of shape (width, latent_dim)
            The linear map.
        bias : Tensor of shape (width,)
            Offset.
        log_variances : Tensor of shape (width,)
            One per element.
        """
        as_decoder(self.network).initialize_linear(weight, bias, log_variances)

    def forward(self, z: Tensor) -> Tensor:
        r"""Return the decoded means.

        Parameters
        ----------
        z : Tensor of shape (n_samples, latent_dim)
            Points of the latent space.

        Returns
        -------
        Tensor of shape (n_samples, \*shape)
            Means of the modality.
        """
        return self.network(z)[0]

    def moments(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return means and log-variances, flattened.

        Parameters
        ----------
        z : Tensor of shape (n_samples, latent_dim)
            Points of the latent space.

        Returns
        -------
        mean, log_variance : Tensor of shape (n_samples, width)
            Of scaled data; log-variances are cut to their range.
        """
        mean, log_variance = self.network(z)
        log_variance = log_variance.clamp(MIN_LOG_VARIANCE, MAX_ABS_LOG_VAR)
        return mean.flatten(1), log_variance.flatten(1)

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
            Of shape (1, n_samples).
        """
        mean, log_variance = self.moments(z)  # one point may be that of all samples
        squares = nn.functional.mse_loss(mean.expand_as(x), x, reduction="none")
        values = isotropic_log_likelihood(squares, 1, log_variance)
        if seen is not None:
            squares, values = squares * seen, values * seen
        return Likelihood(values.sum(dim=1)[None], squares.sum(dim=1)[None])

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
        return self.moments(z)[1].mul(0.5).exp()


class ClusterDecoder(Decoder):
    r"""Decode under each component: :math:`p(x_m | z, c) = N(D_c(z), \hat\sigma^2_c I)`.

    All layers but the last, and the linear path, are shared between components; the last ones have
    one copy for each (:math:`D_{m;c}` of Section 2.1). All start as the given decoder.

    Parameters
    ----------
    decoder : MLPDecoder or ConvDecoder
        Where every component starts; it is copied.
    n_components : int
        How many there are.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.modules import ClusterDecoder, MLPDecoder
    >>> decoder = ClusterDecoder(MLPDecoder((5,), 2, (8,), torch.Generator()), 3)
    >>> z, x = torch.zeros(4, 2), torch.zeros(4, 5)
    >>> decoder(z).shape, decoder.likelihood(x, z).log_likelihoods.shape
    (torch.Size([4, 3, 5]), torch.Size([3, 4]))
    """

    has_likelihood = depends_on_cluster = True
    log_variances: Tensor

    def __init__(self, decoder: MLPDecoder | ConvDecoder, n_components: int) -> None:
        super().__init__()
        self.network = copy.deepcopy(decoder)
        self.network.repeat(n_components)
        self.register_buffer("log_variances", torch.zeros(n_components, dtype=torch.float32))

    def forward(self, z: Tensor) -> Tensor:
        r"""Return the means under all components.

        Parameters
        ----------
        z : Tensor of shape (n_samples, latent_dim)
            Points of the latent space.

        Returns
        -------
        Tensor of shape (n_samples, n_components, \*shape)
            Means of the modality.
        """
        return self.network(z)

    def decode(self, z: Tensor, components: Tensor) -> Tensor:
        """Return the mean of each latent point's own component.

        Parameters
        ----------
        z : Tensor of shape (n_samples, latent_dim)
            Points of the latent space.
        components : Tensor of int of shape (n_samples,)
            Components.

        Returns
        -------
        Tensor of shape (n_samples, width)
            Means of the modality.
        """
        blocks = zip(z.split(BLOCK_ROWS), components.split(BLOCK_ROWS), strict=True)
        return torch.cat(
            [self(points)[range(len(cells)), cells].flatten(1) for points, cells in blocks]
        )

    def likelihood(self, x: Tensor, z: Tensor, seen: Tensor | None = None) -> Likelihood:
        """Return the log-likelihood of every sample under every component (Eq. 26).

        Parameters
        ----------
        x : Tensor of shape (n_samples, width)
            Scaled samples.
        z : Tensor of shape (n_samples, latent_dim)
            Their latent points.
        seen : Tensor, default=None
            Not asked: no elements are missing.

        Returns
        -------
        Likelihood
            Of shape (n_components, n_samples).
        """
        # The expanded square would need no array of this size, but as many multiplications, and
        # loses digits.
        means = self(z).flatten(2)
        errors = nn.functional.mse_loss(means, x[:, None].expand_as(means), reduction="none")
        errors = errors.sum(dim=2).T
        log_variances = self.log_variances[:, None]
        return Likelihood(isotropic_log_likelihood(errors, x.shape[1], log_variances), errors)

    @torch.no_grad()
    def set_variances(self, variances: Tensor, known: Tensor) -> None:
        """Set the variances of components.

        Parameters
        ----------
        variances : Tensor of shape (n_components,)
            Of scaled data.
        known : Tensor of bool of shape (n_components,)
            The others keep theirs.
        """
        self.log_variances.copy_(torch.where(known, variances.log(), self.log_variances))

    def deviations(self, z: Tensor, components: Tensor, log_variance: Tensor) -> Tensor:
        """Return the standard deviation of each sample's elements.

        Parameters
        ----------
        z : Tensor of shape (n_samples, latent_dim)
            Points of the latent space; they do not matter.
        components : Tensor of int of shape (n_samples,)
            Components.
        log_variance : Tensor of shape ()
            That of the modality, which does not matter.

        Returns
        -------
        Tensor of shape (n_samples, 1)
            Of scaled data.
        """
        return self.log_variances[components, None].mul(0.5).exp()
