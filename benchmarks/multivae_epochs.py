"""What an epoch costs beside MultiVae's MVAE and CMVAE, in the same networks on the same data.

Needs the package ``multivae`` (1.0.3 was measured) beside what ours needs. The data are 5000 images
of 784 pixels with curves of 20 points, in batches of 100; latent space, encoders and decoders are
ours in every model, with one head more where a model asks for it. Theirs are trained by their own
``BaseTrainer``. Epochs alternate in one process; quoted are medians, in processor time, and the
median of the ratios of neighbours. Ten clusters in all; ``K`` is the number of draws of CMVAE.

    python benchmarks/multivae_epochs.py --rounds 5
"""

from __future__ import annotations

import speed  # isort: skip  (one thread, before NumPy and PyTorch are imported)

import argparse
import logging
import statistics
import tempfile

import torch
from multivae.data.datasets.base import MultimodalBaseDataset
from multivae.models import CMVAE, MVAE, CMVAEConfig, MVAEConfig
from multivae.trainers import BaseTrainer, BaseTrainerConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder
from torch import Tensor, nn

CASE = speed.CASES["two modalities [10]"]
STYLE = 2  # dimensions of the private spaces of CMVAE


class Encoder(BaseEncoder):
    """One of our encoders, whose output is cut into what theirs return."""

    def __init__(self, network: nn.Module, shape: torch.Size, latent_dim: int, style_dim: int = 0):
        super().__init__()
        self.network, self.shape = network, shape
        self.latent_dim, self.style_dim = latent_dim, style_dim
        self.style = nn.Linear(2 * latent_dim, 2 * style_dim) if style_dim else None

    def forward(self, x: Tensor) -> ModelOutput:
        """Return means and logarithms of variances."""
        found = self.network(x.unflatten(1, self.shape))
        mean, log_variance = found.chunk(2, dim=1)
        output = ModelOutput(embedding=mean, log_covariance=log_variance)
        if self.style is not None:
            names = ("style_embedding", "style_log_covariance")
            output.update(zip(names, self.style(found).chunk(2, dim=1), strict=True))
        return output


class Decoder(BaseDecoder):
    """One of our decoders; a private space enters by one layer."""

    def __init__(self, network: nn.Module, latent_dim: int, style_dim: int = 0):
        super().__init__()
        self.network, self.latent_dim = network, latent_dim
        self.first = nn.Linear(latent_dim + style_dim, latent_dim) if style_dim else nn.Identity()

    def forward(self, z: Tensor) -> ModelOutput:
        """Return expected data."""
        return ModelOutput(reconstruction=self.network(self.first(z)).flatten(1))


class TheirLoop:
    """One epoch of their trainer at a time."""

    def __init__(self, name: str, n_draws: int = 1):
        ours, data = CASE.model(), CASE.data()
        names, latent_dim = ("images", "curves"), ours.prior.means.shape[1]
        style = STYLE if name == "CMVAE" else 0
        encoders, decoders = {}, {}
        for of, network, shape in zip(names, ours.encoders, ours.shapes, strict=True):
            encoders[of] = Encoder(network, shape, latent_dim, style)
        for of, network in zip(names, ours.decoders, strict=True):
            decoders[of] = Decoder(network, latent_dim, style)
        sizes = {of: tuple(array.shape[1:]) for of, array in zip(names, data, strict=True)}
        common = {"n_modalities": 2, "latent_dim": latent_dim, "input_dims": sizes}
        if name == "CMVAE":
            config = CMVAEConfig(
                **common, K=n_draws, modalities_specific_dim=STYLE, number_of_clusters=10
            )
            model = CMVAE(config, encoders, decoders)
        else:
            model = MVAE(MVAEConfig(**common), encoders, decoders)
        dataset = MultimodalBaseDataset(dict(zip(names, data, strict=True)))
        size = CASE.batch_size
        training = BaseTrainerConfig(
            output_dir=tempfile.mkdtemp(),
            per_device_train_batch_size=size,
            learning_rate=1e-3,
            no_cuda=True,
        )
        self.trainer = BaseTrainer(model, dataset, training_config=training)
        self.trainer.prepare_training()
        self.trainer.callback_handler.callbacks.clear()  # progress bars
        self.n_epochs = 0

    def epoch(self) -> None:
        """Train one epoch."""
        self.n_epochs += 1
        self.trainer.train_step(self.n_epochs)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    n_rounds = parser.parse_args().rounds
    logging.disable(logging.INFO)
    loops = {
        "ours": speed.OurLoop(CASE),
        "bare loop": speed.BareLoop(CASE),
        "MVAE": TheirLoop("MVAE"),
        "CMVAE, K = 1": TheirLoop("CMVAE"),
        "CMVAE, K = 10 (its default)": TheirLoop("CMVAE", 10),
    }
    rounds = [
        {name: speed.seconds_of(loop.epoch) for name, loop in loops.items()}
        for _ in range(n_rounds + 1)
    ][1:]
    lines: list[tuple[str, str, str]] = [("an epoch of", "ms", "times ours")]
    for name in loops:
        ratio = statistics.median(times[name] / times["ours"] for times in rounds)
        milliseconds = 1e3 * statistics.median(times[name] for times in rounds)
        lines.append((name, f"{milliseconds:.0f}", f"{ratio:.2f}"))
    speed.print_table(*lines)


if __name__ == "__main__":
    main()
