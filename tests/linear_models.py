"""Models with linear decoders and exact potentials: all they say is known in closed form."""

import numpy as np
import torch
from scipy.stats import multivariate_normal
from small_models import small_spec
from torch import nn

from skcausalpima._model.build import build_model
from skcausalpima.modules import SubsetEncoders

SHAPES = ((3, 2), (4,), (3,))


class LinearMixture:
    """x_m = W_m z + b_m + noise, z from a mixture of four Gaussians, in NumPy and as a model."""

    def __init__(self, seed=0, noise=(0.5, 1.0, 0.3)):
        rng = np.random.default_rng(seed)
        self.noise, self.widths = noise, [int(np.prod(shape)) for shape in SHAPES]
        # Orthogonal columns: what a modality says of z has independent coordinates.
        self.maps = [np.linalg.qr(rng.normal(size=(w, 2)))[0] * [1.5, 0.7] for w in self.widths]
        self.offsets = [rng.normal(size=w) for w in self.widths]
        self.means = rng.normal(size=(4, 2))
        roots = rng.normal(size=(4, 2, 2))
        self.covariances = roots @ roots.swapaxes(1, 2) + 0.1 * np.eye(2)
        self.weights = rng.dirichlet(np.ones(4))

    def model(self):
        """Return the same as a model, and the encoders of its incomplete samples."""
        shapes = [tuple(shape) for shape in SHAPES]
        spec = small_spec(
            shapes, encoders=[self._encoder(m) for m in range(3)], decoders=[None] * 3
        )
        model = build_model(spec, torch.Generator().manual_seed(0)).double()
        with torch.no_grad():
            model.log_variances.copy_(torch.as_tensor(np.log(np.square(self.noise))))
            for decoder, weight, offset in zip(
                model.decoders, self.maps, self.offsets, strict=True
            ):
                for parameter in decoder.parameters():
                    parameter.zero_()
                decoder.initialize_linear(torch.as_tensor(weight), torch.as_tensor(offset))
            model.prior.means.copy_(torch.as_tensor(self.means))
            model.prior.covariances.copy_(torch.as_tensor(self.covariances))
        log_weights = torch.as_tensor(self.weights).log()
        model.prior.log_weights = lambda noise=None: log_weights
        model.set_information(torch.as_tensor(np.stack([self.information(m) for m in range(3)])))
        encoders = SubsetEncoders(model).double().eval()
        with torch.no_grad():  # none is wider than its decoder knows
            encoders.widening.copy_(-torch.as_tensor(np.log(self._variances())))
        return model.eval(), encoders

    def information(self, m):
        """Return the precision of what a modality says of z."""
        return self.maps[m].T @ self.maps[m] / self.noise[m] ** 2

    def _variances(self):
        """Return those of the coordinates of z, of shape (n_modalities, 2): what encoders say."""
        return np.stack([1.0 / np.diag(self.information(m)) for m in range(3)])

    def _encoder(self, m):
        """Return a module from samples to location and log-variances of their potential.

        Coordinates of what a modality says are independent, so that the product of experts is
        where the product of the potentials lies.
        """
        scales = np.square(self.maps[m]).sum(axis=0)
        layer = nn.Linear(self.widths[m], 4).double()
        weight = np.concatenate([(self.maps[m] / scales).T, np.zeros((2, self.widths[m]))])
        bias = np.concatenate([-weight[:2] @ self.offsets[m], np.log(self._variances()[m])])
        with torch.no_grad():
            layer.weight.copy_(torch.as_tensor(weight))
            layer.bias.copy_(torch.as_tensor(bias))
        return nn.Sequential(nn.Flatten(), layer)

    def sample(self, n, seed=1):
        """Return components and samples, one array (n, width) per modality."""
        rng = np.random.default_rng(seed)
        labels = rng.choice(4, n, p=self.weights)
        z = np.array([rng.multivariate_normal(self.means[c], self.covariances[c]) for c in labels])
        return labels, [
            z @ self.maps[m].T + self.offsets[m] + s * rng.normal(size=(n, self.widths[m]))
            for m, s in enumerate(self.noise)
        ]

    def moments(self, observed):
        """Return mean and covariance of the observed modalities in each component."""
        maps = np.concatenate([self.maps[m] for m in observed])
        offsets = np.concatenate([self.offsets[m] for m in observed])
        noise = np.concatenate([np.full(self.widths[m], self.noise[m] ** 2) for m in observed])
        return [
            (maps @ mean + offsets, maps @ covariance @ maps.T + np.diag(noise))
            for mean, covariance in zip(self.means, self.covariances, strict=True)
        ]

    def log_joint(self, x, observed):
        """Return log A_c + log p(x_S | c), of shape (n_components, n_samples)."""
        seen = np.concatenate([x[m] for m in observed], axis=1)
        densities = [
            np.atleast_1d(multivariate_normal(*of).logpdf(seen)) for of in self.moments(observed)
        ]
        return np.log(self.weights)[:, None] + np.stack(densities)

    def probabilities(self, x, observed):
        """Return p(c | x_S) by Bayes' rule in data space, of shape (n_components, n_samples)."""
        log_joint = self.log_joint(x, observed)
        joint = np.exp(log_joint - log_joint.max(axis=0))
        return joint / joint.sum(axis=0)

    def expected(self, x, observed, m):
        """Return mean and variance of W_m z + b_m given x_S, by conditioning Gaussians."""
        seen = np.concatenate([x[k] for k in observed], axis=1)
        maps = np.concatenate([self.maps[k] for k in observed])
        means, variances = [], []
        for (mean, covariance), centre, spread in zip(
            self.moments(observed), self.means, self.covariances, strict=True
        ):
            cross = self.maps[m] @ spread @ maps.T
            gain = cross @ np.linalg.inv(covariance)
            means.append(self.maps[m] @ centre + self.offsets[m] + (seen - mean) @ gain.T)
            inside = self.maps[m] @ spread @ self.maps[m].T - gain @ cross.T
            variances.append(np.broadcast_to(np.diag(inside), means[-1].shape))
        weights = self.probabilities(x, observed)[:, :, None]
        mean = (weights * means).sum(axis=0)
        return mean, (weights * (np.square(means - mean) + variances)).sum(axis=0)
